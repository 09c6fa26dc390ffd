//! Where a PIN comes from: a person at the terminal, a descriptor, or an environment variable. Never an argument.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};

use shared_shield::{
    Consent, Declined, Error, ErrorKind, PIN_MAX, PinEntry, PinPrompt, PinQuestion, PinStatus, Result,
};
use zeroize::Zeroizing;

use crate::args::PinArgs;
use crate::screen::{Lang, Screen, quote};
use crate::words;

enum Source {
    Terminal,
    Descriptor(u32),
    Variable(String),
}

impl Source {
    fn name(&self) -> &'static str {
        match self {
            Source::Terminal => "terminal",
            Source::Descriptor(_) => "descriptor",
            Source::Variable(_) => "variable",
        }
    }
}

/// Answers the library's question for a PIN.
pub(crate) struct Asker<'s> {
    source: Source,
    screen: &'s Screen,
    /// A descriptor or a variable answers once: a refused PIN is not sent again.
    used: bool,
    /// Shows what is to be signed also where nobody types.
    tells: bool,
    /// Why no PIN could be given, where there is more to say than "declined".
    problem: Option<Error>,
}

impl<'s> Asker<'s> {
    pub(crate) fn new(args: &PinArgs, screen: &'s Screen) -> Result<Self> {
        let source = match (args.pin_fd, &args.pin_env) {
            (Some(fd), _) => Source::Descriptor(fd),
            (_, Some(name)) if std::env::var_os(name).is_none() => {
                return Err(Error::new(ErrorKind::Argument, "PIN entry")
                    .detail(format!("the environment variable {name} is not set")));
            }
            (_, Some(name)) => Source::Variable(name.clone()),
            _ => Source::Terminal,
        };
        Ok(Asker { source, screen, used: false, tells: false, problem: None })
    }

    /// Shows what is to be signed also where the PIN comes from elsewhere.
    pub(crate) fn telling(mut self) -> Self {
        self.tells = true;
        self
    }

    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self.source, Source::Terminal)
    }

    /// Runs `job` with this prompt. At a terminal a person may go on after a refused PIN, by an explicit word each time.
    pub(crate) fn run<T>(
        &mut self,
        consent: Consent,
        mut job: impl FnMut(&mut dyn PinPrompt, Consent) -> Result<T>,
    ) -> Result<T> {
        let mut consent = consent;
        loop {
            let error = match job(self, consent) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if let Some(problem) = self.problem.take() {
                return Err(problem);
            }
            let refused = matches!(error.kind(), ErrorKind::PinIncorrect | ErrorKind::TriesUnknown);
            if !self.is_terminal() || !refused || !self.confirm(&error) {
                return Err(error);
            }
            consent = consent.max(Consent::AfterRefusal);
        }
    }

    fn confirm(&self, error: &Error) -> bool {
        let lang = self.screen.lang;
        let left = words::tries(error.tries_left().unwrap_or(PinStatus::Unknown { refused: true }), lang);
        let text = lang.pick(
            format!("{}\nTries left: {left}. Enter it again? [y/N] ", self.screen.sentence(error)),
            format!("{}\n剩余次数：{left}。是否再次输入？[y/N] ", self.screen.sentence(error)),
        );
        matches!(ask_line(&text).as_deref(), Ok("y" | "Y" | "yes" | "是"))
    }

    fn octets(&mut self, text: &str) -> io::Result<Zeroizing<Vec<u8>>> {
        match &self.source {
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

    /// One answer, or why there is none.
    fn answer(&mut self, question: &PinQuestion<'_>) -> Result<PinEntry> {
        let failed = |e: io::Error| Error::new(ErrorKind::PinRequired, "PIN entry").role(question.role).io(&e);
        let octets = self.octets(&prompt_text(question, self.screen.lang)).map_err(|e| {
            if self.is_terminal() && matches!(e.kind(), io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof) {
                return Error::new(ErrorKind::PinDeclined, "PIN entry").role(question.role);
            }
            let error = failed(e);
            if self.is_terminal() {
                error.detail("there is no terminal to ask at: give --pin-fd or --pin-env")
            } else {
                error
            }
        })?;
        question.pin(&octets).map(PinEntry::Typed)
    }
}

impl PinPrompt for Asker<'_> {
    fn ask(&mut self, question: &PinQuestion<'_>) -> Result<PinEntry, Declined> {
        tracing::trace!(role = %question.role, tries = %question.status, source = self.source.name(), "a PIN is asked for");
        if question.on_device {
            let lang = self.screen.lang;
            self.screen.note(prompt_text(question, lang));
            self.screen.note(lang.pick("Type it on the device.", "请在设备上输入。"));
            return Ok(PinEntry::OnDevice);
        }
        if self.used && !self.is_terminal() {
            return Err(Declined);
        }
        self.used = true;
        if self.tells && !self.is_terminal() {
            self.screen.line(to_sign(question, self.screen.lang));
        }
        // Nothing has been sent yet: at a terminal an empty or impossible PIN is simply asked for again.
        for _ in 0..3 {
            match self.answer(question) {
                Ok(entry) => return Ok(entry),
                Err(e)
                    if self.is_terminal() && !matches!(e.kind(), ErrorKind::PinRequired | ErrorKind::PinDeclined) =>
                {
                    self.screen.error(&e)
                }
                Err(e) => {
                    self.problem = Some(e);
                    return Err(Declined);
                }
            }
        }
        Err(Declined)
    }
}

fn to_sign(question: &PinQuestion<'_>, lang: Lang) -> String {
    let what = quote(&question.summary.text);
    lang.pick(format!("To sign:{what}"), format!("待签名：{}", what.trim_start_matches(' ')))
}

/// Ctrl-C during an entry. The terminal's echo is off then: the entry has to end and switch it on again before the program does.
mod interrupt {
    #[cfg(unix)]
    pub(super) fn held<T>(entry: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
        use std::sync::atomic::{AtomicBool, Ordering};
        use std::sync::{Arc, OnceLock};

        /// What a shell makes of a program that Ctrl-C ended.
        const ENDED: i32 = 130;
        /// Whether Ctrl-C ends the program at once, as it does outside an entry.
        static ENDS: OnceLock<Arc<AtomicBool>> = OnceLock::new();
        let ends = Arc::clone(ENDS.get_or_init(Arc::default));
        static REGISTERED: OnceLock<bool> = OnceLock::new();
        let registered = REGISTERED.get_or_init(|| {
            let ends = Arc::clone(&ends);
            signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGINT, ENDED, ends).is_ok()
        });
        if !registered {
            return entry();
        }
        ends.store(false, Ordering::SeqCst);
        let typed = entry();
        ends.store(true, Ordering::SeqCst);
        typed
    }

    #[cfg(not(unix))]
    pub(super) fn held<T>(entry: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
        entry()
    }
}

/// Role, document and tries stand in front of every entry.
fn prompt_text(question: &PinQuestion<'_>, lang: Lang) -> String {
    let role = lang.role(question.role);
    let also: Vec<_> = question.also_opens.iter().map(|r| lang.role(*r)).collect();
    let left = words::tries(question.status, lang);
    let mut text = format!("{}\n", to_sign(question, lang));
    if !also.is_empty() {
        let also = also.join(", ");
        text.push_str(&lang.pick(
            format!("This PIN also opens: {also}; the tries count once for both.\n"),
            format!("此口令同时用于：{also}；两者共用尝试次数。\n"),
        ));
    }
    text.push_str(&lang.pick(
        format!("Tries left: {left}\nPIN of the {role} certificate: "),
        format!("剩余次数：{left}\n{role}证书口令："),
    ));
    text
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

/// A visible answer from the terminal.
fn ask_line(text: &str) -> io::Result<String> {
    let path = if cfg!(windows) { ("CONIN$", "CONOUT$") } else { ("/dev/tty", "/dev/tty") };
    let mut out = File::options().write(true).open(path.1)?;
    out.write_all(text.as_bytes())?;
    out.flush()?;
    let mut answer = String::new();
    BufReader::new(File::open(path.0)?.take(64)).read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}
