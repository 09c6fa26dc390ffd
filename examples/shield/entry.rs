//! Where a PIN comes from: a person at the terminal, a descriptor, or an environment variable. Never an argument.

use std::fs::File;
use std::io::{self, Read};

use shared_shield::{Error, ErrorKind, PIN_MAX, PinStatus, Result};
use zeroize::Zeroizing;

use crate::interrupt;
use crate::screen::Screen;
use crate::words;

pub(crate) enum Source {
    Terminal,
    Descriptor(u32),
    Variable(String),
}

impl Source {
    /// From the options of the command line; the terminal unless one is given.
    pub(crate) fn of(descriptor: Option<u32>, variable: Option<&str>) -> Result<Self> {
        Ok(match (descriptor, variable) {
            (Some(fd), _) => Source::Descriptor(fd),
            (_, Some(name)) if std::env::var_os(name).is_none() => {
                return Err(Error::new(ErrorKind::Argument, "PIN entry")
                    .detail(format!("the environment variable {name} is not set")));
            }
            (_, Some(name)) => Source::Variable(name.to_owned()),
            _ => Source::Terminal,
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Source::Terminal => "terminal",
            Source::Descriptor(_) => "descriptor",
            Source::Variable(_) => "variable",
        }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Source::Terminal)
    }

    /// One entry; at the terminal `text` stands before it and nothing of it is shown.
    pub(crate) fn read(&self, text: &str) -> io::Result<Zeroizing<Vec<u8>>> {
        match self {
            Source::Terminal => {
                let typed = interrupt::held(|| rpassword::prompt_password(text))?;
                Ok(Zeroizing::new(typed.into_bytes()))
            }
            Source::Descriptor(fd) => read_line(File::open(format!("/dev/fd/{fd}"))?),
            Source::Variable(name) => {
                let value = std::env::var_os(name).unwrap_or_default();
                Ok(Zeroizing::new(value.into_encoded_bytes()))
            }
        }
    }

    /// Why there is no entry. `options` are those that would help where there is no terminal.
    pub(crate) fn failed(&self, error: &io::Error, options: &str) -> Error {
        if self.is_terminal() && matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof) {
            return Error::new(ErrorKind::PinDeclined, "PIN entry");
        }
        let failed = Error::new(ErrorKind::PinRequired, "PIN entry").io(error);
        if self.is_terminal() {
            failed.detail(format!("there is no terminal to ask at: give {options}"))
        } else {
            failed
        }
    }
}

/// How often a person is asked for a yes or a no.
const QUESTIONS: usize = 3;

/// Whether a person at the terminal wants to enter it again after a refusal. The answer is not shown: many type the PIN here at once.
pub(crate) fn again(error: &Error, screen: &Screen) -> bool {
    let lang = screen.lang;
    let left = words::tries(error.tries_left().unwrap_or(PinStatus::Unknown { refused: true }), lang);
    let text = lang.pick(
        format!("{}\nTries left: {left}. y or n is not shown. Enter it again? [y/N] ", screen.sentence(error)),
        format!("{}\n剩余次数：{left}。输入 y 或 n（不显示）。是否再次输入？[y/N] ", screen.sentence(error)),
    );
    let mut text = text.as_str();
    for _ in 0..QUESTIONS {
        let Ok(answer) = Source::Terminal.read(text) else { return false };
        match std::str::from_utf8(&answer).map(str::trim) {
            Ok("y" | "Y" | "yes" | "是") => return true,
            Ok("" | "n" | "N" | "no" | "否") => return false,
            _ => {}
        }
        text = lang.pick(
            "That is neither y nor n, and nothing was sent: the PIN is asked for after a y. Enter it again? [y/N] ",
            "既不是 y 也不是 n，未发送任何内容：请先回答 y，再输入口令。是否再次输入？[y/N] ",
        );
    }
    false
}

/// One line without its newline, octet by octet, so that nothing of it stays in a buffer of someone else's.
fn read_line(mut from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // One more than a PIN may have, so that a longer one is refused and not cut.
    let mut octets = Zeroizing::new(Vec::with_capacity(PIN_MAX + 2));
    let mut one = Zeroizing::new([0_u8; 1]);
    while octets.len() <= PIN_MAX {
        match from.read(one.as_mut_slice()) {
            Ok(0) => break,
            Ok(_) if one[0] == b'\n' => break,
            Ok(_) => octets.push(one[0]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    if octets.last() == Some(&b'\r') {
        octets.pop();
    }
    Ok(octets)
}
