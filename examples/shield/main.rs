//! `shield`: lists shields, signs as customs or as the bank, verifies. A program over the public face of the library.
//!
//! ```text
//! cargo run --example shield -- --help
//! ```

mod args;
mod args_ceb;
mod args_pins;
mod args_test;
mod args_verify;
mod change;
mod declaration;
mod desk;
mod dialect;
mod doctor;
mod done;
mod ems;
mod entry;
mod exit;
mod explain;
mod form179;
mod held;
mod info;
mod interrupt;
mod left;
mod list;
mod log;
mod login;
mod made;
mod make;
#[cfg(feature = "simulator")]
mod make_simulated;
mod make_test_shield;
mod messages;
mod notes;
mod payment;
mod pin;
mod progress;
mod raw;
mod reach;
mod readers;
mod recognise;
mod screen;
mod sign_batch;
mod simulated;
mod single;
mod spared;
mod test_ca;
#[cfg(feature = "simulator")]
mod test_ca_sm2;
mod test_token;
mod verify;
mod watch;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;

use clap::Parser;
use shared_shield::{Error, ErrorKind, Result};

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::screen::Screen;

fn main() -> ExitCode {
    // clap prints help and usage errors by itself, and ends with 0 or 2.
    let cli = Cli::parse();
    let screen = Screen::new(cli.global.lang);
    // A person is shown one sentence with a code, not a backtrace.
    set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let defect = Error::new(ErrorKind::Defect, "run").detail(place);
        Screen::new(cli.global.lang).error(&defect);
    }));
    let ended = catch_unwind(AssertUnwindSafe(|| run(&cli, &screen)));
    let exit = match ended {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) => {
            if said("--json") > 0 {
                screen
                    .json(&serde_json::json!({ "error": words::error_json(&error), "exit": Exit::from(&error) as u8 }));
            }
            screen.error(&error);
            Exit::from(&error)
        }
        Err(_) => Exit::Unsupported,
    };
    left::tell(&screen);
    if screen.is_broken() && exit == Exit::Done {
        return Exit::File.into();
    }
    exit.into()
}

fn run(cli: &Cli, screen: &Screen) -> Result<Exit> {
    let global = &cli.global;
    // clap takes the values after the command in place of those before it: none of them may get lost without a word.
    if said("--module") > global.module.len() {
        return Err(Error::new(ErrorKind::Argument, "read arguments")
            .detail("--module stands before and after the command: name all drivers in one place"));
    }
    if let Some(path) = &global.log {
        spared::check_log(global, path)?;
        log::start(path, global.log_level)?;
    }
    tracing::trace!(version = env!("CARGO_PKG_VERSION"), modules = global.module.len(), "the program started");
    match &cli.command {
        Command::List(args) => list::run(global, args, screen),
        Command::Info(args) => info::run(global, args, screen),
        Command::SignDeclaration(args) => declaration::run(global, args, screen),
        Command::SignBatch(args) => sign_batch::run(global, args, screen),
        Command::SignRaw(args) => raw::run(global, args, screen),
        Command::SignPayment(args) => payment::run(global, args, screen),
        Command::Sign179(args) => form179::run(global, args, screen),
        Command::SignEms(args) => ems::ems(global, args, screen),
        Command::SignDigest(args) => ems::digest(global, args, screen),
        Command::SignLogin(args) => login::run(global, args, screen),
        Command::Verify(args) => verify::run(global, args, verify::Style::Lines, screen),
        Command::Explain(args) => verify::run(global, args, verify::Style::Explained, screen),
        Command::Watch(args) => watch::run(global, args, screen),
        Command::ChangePin(args) => change::change_pin(global, args, screen),
        Command::Unblock(args) => change::unblock(global, args, screen),
        Command::ChangePuk(args) => change::change_puk(global, args, screen),
        Command::Doctor(args) => doctor::run(global, args, screen),
        Command::MakeTestShield(args) => make::run(global, args, screen),
    }
}

/// How often an option stands on the command line.
fn said(option: &str) -> usize {
    let is_said = |word: &std::ffi::OsString| {
        word.to_str().and_then(|w| w.strip_prefix(option)).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    std::env::args_os().filter(is_said).count()
}
