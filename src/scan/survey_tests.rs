//! What a scan writes down of a source that answers at the very deadline, or whose thread breaks.

use std::sync::Arc;
use std::time::Duration;

use super::Scanner;
use crate::error::{Error, ErrorKind, Result};
use crate::link::{Link, ReaderState, Readers};
use crate::wait::Wait;

/// A service that gives up at the deadline, when the scan does.
struct Late;

impl Readers for Late {
    fn list(&self, wait: &Wait) -> Result<Vec<ReaderState>> {
        while !wait.remaining().is_zero() {
            std::hint::spin_loop();
        }
        Err(Error::new(ErrorKind::ServiceStopped, "SCardGetStatusChange"))
    }

    fn changed(&self, _: &[ReaderState], wait: &Wait) -> Result<Vec<ReaderState>> {
        self.list(wait)
    }

    fn connect(&self, _: &str, wait: &Wait) -> Result<Arc<dyn Link>> {
        self.list(wait).and_then(|_| Err(Error::new(ErrorKind::NoReader, "SCardConnect")))
    }
}

/// A service whose library panics.
struct Broken;

impl Readers for Broken {
    fn list(&self, _: &Wait) -> Result<Vec<ReaderState>> {
        panic!("the test's own panic")
    }

    fn changed(&self, _: &[ReaderState], wait: &Wait) -> Result<Vec<ReaderState>> {
        self.list(wait)
    }

    fn connect(&self, _: &str, wait: &Wait) -> Result<Arc<dyn Link>> {
        Late.connect("", wait)
    }
}

#[test]
fn a_source_whose_thread_breaks_is_a_problem_and_not_silence() {
    let scan = Scanner::new().readers(Arc::new(Broken)).scan(&Wait::at_most(Duration::from_secs(20))).unwrap();
    assert_eq!(scan.problems.iter().map(Error::kind).collect::<Vec<_>>(), [ErrorKind::Defect]);
}

#[test]
fn a_source_that_fails_at_the_deadline_is_one_problem_whoever_comes_first() {
    let scanner = Scanner::new().readers(Arc::new(Late));
    let mut seen = (0, 0);
    for _ in 0..2_000 {
        let scan = scanner.scan(&Wait::at_most(Duration::from_micros(300)));
        // A deadline that was over before the scan began is refused as such.
        let Ok(scan) = scan else { continue };
        match scan.problems.iter().map(Error::kind).collect::<Vec<_>>().as_slice() {
            [ErrorKind::Timeout] => seen.0 += 1,
            [ErrorKind::ServiceStopped] => seen.1 += 1,
            several => panic!("one source, one problem: {several:?} (before: {seen:?})"),
        }
    }
    assert!(seen.0 + seen.1 > 0);
}
