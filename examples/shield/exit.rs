//! Exit codes: the first digit of an error's code decides.

use std::process::ExitCode;

use shared_shield::{Error, ErrorKind};

/// What `--help` says; the README says the same.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  done
  1  some documents were signed and some were not
  2  the command line was wrong; nothing was done
  3  shield or driver: not there, busy, failed (SH-1...)
  4  PIN: wrong, locked, last try, none entered (SH-2...)
  5  certificate or key: none, several, expired (SH-3...), or several shields (SH-1005)
  6  document refused, or a signature that must not be accepted (SH-4..., SH-5...)
  7  file or profile cannot be read or written, or would be replaced (SH-6..., SH-7...)
  8  not supported yet, or a defect to report (SH-9...)
  9  verify: the signature is right, but nobody said whom to trust
130  sign-batch: stopped by Ctrl-C or a signal (not on Windows); what was done is done";

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Done = 0,
    Some = 1,
    Usage = 2,
    Shield = 3,
    Pin = 4,
    Certificate = 5,
    Document = 6,
    File = 7,
    Unsupported = 8,
    Untrusted = 9,
    /// As a shell says of a program that Ctrl-C ended.
    Stopped = 130,
}

impl Exit {
    pub(crate) fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Argument | ErrorKind::PathNotAbsolute => return Exit::Usage,
            ErrorKind::SeveralShields => return Exit::Certificate,
            ErrorKind::Cancelled => return Exit::Stopped,
            _ => {}
        }
        match kind as u32 >> 12 {
            1 => Exit::Shield,
            2 => Exit::Pin,
            3 => Exit::Certificate,
            4 | 5 => Exit::Document,
            6 | 7 => Exit::File,
            _ => Exit::Unsupported,
        }
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        Exit::of(error.kind())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}
