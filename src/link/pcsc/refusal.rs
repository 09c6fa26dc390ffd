//! Contexts are opened here: how many live in this process is counted, and a refusal is told apart.
//!
//! pcscd closes the connection both when polkit forbids the program and when its threads are used up, and its library calls that
//! `SCARD_W_SECURITY_VIOLATION`, or `SCARD_E_NO_SERVICE` when it was quicker to close than we to ask; `SCARD_E_NO_SERVICE` is also what it says
//! when the service does not run and when its socket may not be opened. What a person does about it differs.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::api::{Context, Failure, Service, Why};
use super::codes::Code;
use crate::error::{Error, ErrorKind, Result, Status};

/// Contexts of this process that live now. One that lives proves that this program may use the service.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// pcscd serves 200 connections unless it was told otherwise; near to that a refusal is no question of rights.
const CROWDED: usize = 190;

/// A service that is being stopped or started closes what it has just accepted, and libpcsclite calls that a violation too: it is asked again
/// this often, on the thread that waits for it anyway.
const AGAIN: u32 = 3;
/// The pause before that.
const PAUSE: Duration = Duration::from_millis(100);

/// A context, counted.
pub(super) struct Live(Box<dyn Context>);

impl Deref for Live {
    type Target = Box<dyn Context>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Live {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}

/// A new context.
pub(super) fn open(service: &dyn Service, operation: &'static str) -> Result<Live> {
    let mut left = AGAIN;
    loop {
        let code = match service.establish() {
            Ok(context) => {
                LIVE.fetch_add(1, Ordering::SeqCst);
                return Ok(Live(context));
            }
            Err(Failure::NoLibrary(what)) => return Err(Error::new(ErrorKind::ServiceMissing, operation).detail(what)),
            Err(Failure::Code(code)) => code,
        };
        let why = service.why(code);
        let is_crowded = matches!(why, Why::Connections(all) if all >= CROWDED);
        if code != Code::SCARD_W_SECURITY_VIOLATION || is_crowded || left == 0 {
            return Err(refused(code, why, LIVE.load(Ordering::SeqCst), operation));
        }
        left = left.saturating_sub(1);
        std::thread::sleep(PAUSE);
    }
}

fn refused(code: Code, why: Why, live: usize, operation: &'static str) -> Error {
    let (kind, detail) = match (code, why) {
        (_, Why::Connections(all)) if all >= CROWDED => {
            (ErrorKind::ServiceFull, Some(format!("it has {all} connections, {live} of them from this program")))
        }
        (Code::SCARD_W_SECURITY_VIOLATION, _) if live > 0 => {
            (ErrorKind::ServiceFull, Some(format!("this program has {live} connections to it")))
        }
        (_, Why::Unreadable) => (ErrorKind::ServiceRefused, Some("this user may not open its socket".to_owned())),
        (Code::SCARD_E_NO_SERVICE | Code::SCARD_E_SERVICE_STOPPED, _) if cfg!(windows) => {
            (ErrorKind::ServiceStopped, Some("Windows starts it when a reader is plugged in".to_owned()))
        }
        _ => (code.kind(), None),
    };
    let error = Error::new(kind, operation).status(Status::Pcsc(code.name()));
    match detail {
        Some(detail) => error.detail(detail),
        None => error,
    }
}

/// What this system shows about a refusal with `code`; for whoever implements [`Service::why`] over pcsclite.
#[must_use]
pub fn look(code: Code) -> Why {
    #[cfg(unix)]
    match code {
        Code::SCARD_E_NO_SERVICE => return unix::reachable(&unix::socket()),
        Code::SCARD_W_SECURITY_VIOLATION => return unix::connections(&unix::socket()),
        _ => {}
    }
    let _ = code;
    Why::Unknown
}

#[cfg(unix)]
mod unix {
    use std::io::ErrorKind;
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};

    use super::Why;

    /// Where libpcsclite looks for the service's socket: it reads this variable itself.
    pub(super) fn socket() -> PathBuf {
        std::env::var_os("PCSCLITE_CSOCK_NAME").map_or_else(|| "/run/pcscd/pcscd.comm".into(), PathBuf::from)
    }

    pub(super) fn reachable(socket: &Path) -> Why {
        match UnixStream::connect(socket).map_err(|e| e.kind()) {
            Err(ErrorKind::PermissionDenied) => Why::Unreadable,
            Err(_) => Why::Unknown,
            Ok(_) => connections(socket),
        }
    }

    /// How many sockets were accepted from the service's: the kernel's table shows them under its name.
    pub(super) fn connections(socket: &Path) -> Why {
        let Ok(table) = std::fs::read_to_string("/proc/net/unix") else { return Why::Unknown };
        count(&table, &socket.to_string_lossy()).map_or(Why::Unknown, Why::Connections)
    }

    /// `None` when the service's socket is not in the table: it belongs to another network namespace.
    pub(super) fn count(table: &str, socket: &str) -> Option<usize> {
        // Num: RefCount Protocol Flags Type St Inode Path; St 03 is a connected socket.
        let states = table.lines().filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let state = words.nth(5)?;
            (words.nth(1)? == socket).then_some(state)
        });
        let all: Vec<_> = states.collect();
        (!all.is_empty()).then(|| all.iter().filter(|state| **state == "03").count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_service_is_told_from_one_that_refuses_this_program() {
        let kind = |why, live| refused(Code::SCARD_W_SECURITY_VIOLATION, why, live, "test").kind();
        assert_eq!(kind(Why::Unknown, 0), ErrorKind::ServiceRefused);
        assert_eq!(kind(Why::Connections(3), 0), ErrorKind::ServiceRefused);
        assert_eq!(kind(Why::Connections(200), 0), ErrorKind::ServiceFull);
        assert_eq!(kind(Why::Unknown, 7), ErrorKind::ServiceFull);
    }

    #[test]
    fn a_socket_that_may_not_be_opened_is_no_stopped_service() {
        let unreadable = refused(Code::SCARD_E_NO_SERVICE, Why::Unreadable, 0, "test");
        assert_eq!(unreadable.kind(), ErrorKind::ServiceRefused);
        assert_eq!(unreadable.raw_status(), Some(&Status::Pcsc("SCARD_E_NO_SERVICE".into())));
        assert_eq!(refused(Code::SCARD_E_NO_SERVICE, Why::Unknown, 0, "test").kind(), ErrorKind::ServiceStopped);
        // It was quicker to close than we to ask.
        let closed = |all| refused(Code::SCARD_E_NO_SERVICE, Why::Connections(all), 1, "test").kind();
        assert_eq!((closed(3), closed(200)), (ErrorKind::ServiceStopped, ErrorKind::ServiceFull));
    }

    #[cfg(unix)]
    #[test]
    fn connections_are_counted_in_the_kernels_table() {
        let table = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                     0000000000000000: 00000002 00000000 00010000 0001 01 101 /run/pcscd/pcscd.comm\n\
                     0000000000000000: 00000003 00000000 00000000 0001 03 102 /run/pcscd/pcscd.comm\n\
                     0000000000000000: 00000003 00000000 00000000 0001 03 103\n\
                     0000000000000000: 00000003 00000000 00000000 0001 03 104 /run/pcscd/pcscd.comm\n";
        assert_eq!(unix::count(table, "/run/pcscd/pcscd.comm"), Some(2));
        assert_eq!(unix::count(table, "/elsewhere"), None);
    }
}
