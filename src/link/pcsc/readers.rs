//! The smart-card service as [`Readers`].

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::api::{Context, Service, Watched, state};
use super::codes::Code;
use super::desk::{Desk, Grant, Obstacle, Promise, Ticket};
use super::observer::Bell;
use super::{refusal, worker};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::link::{Atr, Link, Presence, ReaderState, Readers, Transaction};
use crate::policy;
use crate::wait::Wait;

const LIST: &str = "SCardListReaders";
const CHANGED: &str = "SCardGetStatusChange";
const CONNECT: &str = "SCardConnect";
const BEGIN: &str = "SCardBeginTransaction";

/// Readers through a PC/SC [`Service`].
///
/// Each look and each connection is a context of its own on a thread of its own. A third kind of thread, one at a time, watches for
/// [`Readers::changed`] as long as anybody asks; it sleeps in `SCardGetStatusChange` and comes up every few seconds to see whether it is still
/// needed.
pub struct PcscReaders {
    service: Arc<dyn Service>,
    bell: Arc<Bell>,
    trying: Arc<AtomicUsize>,
}

impl PcscReaders {
    /// The readers of `service`.
    #[must_use]
    pub fn new(service: Arc<dyn Service>) -> Self {
        PcscReaders { service, bell: Arc::default(), trying: Arc::default() }
    }

    /// Runs `work` on a thread of its own and waits for it no longer than `wait`.
    fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        wait: &Wait,
        work: impl FnOnce(Promise<T>, Trying) + Send + 'static,
    ) -> Result<T> {
        check(wait, operation)?;
        let trying = Trying::new(&self.trying, operation)?;
        let ticket = Ticket::new();
        let promise = Promise(Arc::clone(&ticket), operation);
        std::thread::Builder::new()
            .name("shield-pcsc".to_owned())
            .spawn(move || work(promise, trying))
            .map_err(|e| Error::new(ErrorKind::TokenFailed, operation).io(&e))?;
        ticket.wait(wait).unwrap_or_else(|| match ticket.obstacle() {
            Some(Obstacle::Said(code)) if !wait.cancel.is_cancelled() => Err(code.at_connect(operation)),
            Some(Obstacle::Connecting) if !wait.cancel.is_cancelled() => {
                Err(Error::new(ErrorKind::Busy, operation).detail("another program is in a transaction with the card"))
            }
            _ => Err(over(wait, operation)),
        })
    }
}

fn over(wait: &Wait, operation: &'static str) -> Error {
    let kind = if wait.cancel.is_cancelled() { ErrorKind::Cancelled } else { ErrorKind::Timeout };
    let error = Error::new(kind, operation);
    if kind == ErrorKind::Timeout { error.detail("the smart-card service does not answer") } else { error }
}

fn check(wait: &Wait, operation: &'static str) -> Result<()> {
    match wait.cancel.is_cancelled() || wait.remaining().is_zero() {
        true => Err(over(wait, operation)),
        false => Ok(()),
    }
}

/// A call into the service that has not come back. A service that hangs keeps its threads; their number is bounded.
pub(super) struct Trying(Arc<AtomicUsize>);

impl Trying {
    fn new(count: &Arc<AtomicUsize>, operation: &'static str) -> Result<Self> {
        let trying = Trying(Arc::clone(count));
        if count.fetch_add(1, Ordering::SeqCst) >= policy::SERVICE_CALLS_MAX {
            return Err(Error::new(ErrorKind::Timeout, operation).detail("the smart-card service does not answer"));
        }
        Ok(trying)
    }
}

impl Drop for Trying {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What `SCardGetStatusChange` told of a reader.
pub(super) fn reader_state(entry: &Watched) -> ReaderState {
    let is = |bit| entry.now & bit != 0;
    let presence = if !is(state::PRESENT) {
        Presence::Empty
    } else if is(state::MUTE) || entry.atr.is_empty() {
        Presence::Mute
    } else {
        Presence::Card(Atr::new(&entry.atr))
    };
    ReaderState { reader: entry.reader.clone(), presence, exclusive: is(state::EXCLUSIVE), events: entry.now >> 16 }
}

/// Every reader now. A reader may vanish between its name and its state: then it is looked again.
fn snapshot(context: &mut dyn Context) -> Result<Vec<ReaderState>, Code> {
    let mut last = Code::SCARD_E_UNKNOWN_READER;
    for _ in 0..3 {
        let names = context.readers()?;
        let mut entries: Vec<_> = names.iter().take(policy::READERS_MAX).map(|n| Watched::unaware(n)).collect();
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        match context.watch(&mut entries, Duration::ZERO) {
            Ok(()) => {
                return Ok(entries.iter().filter(|e| e.now & state::UNKNOWN == 0).map(reader_state).collect());
            }
            Err(code @ (Code::SCARD_E_UNKNOWN_READER | Code::SCARD_E_READER_UNAVAILABLE)) => last = code,
            Err(code) => return Err(code),
        }
    }
    Err(last)
}

impl Readers for PcscReaders {
    fn list(&self, wait: &Wait) -> Result<Vec<ReaderState>> {
        let service = Arc::clone(&self.service);
        self.ask(LIST, wait, move |promise, _trying| {
            let answer = refusal::open(&*service, LIST).and_then(|mut context| match snapshot(&mut **context) {
                Err(Code::SCARD_E_NO_READERS_AVAILABLE) => Ok(Vec::new()),
                other => other.map_err(|code| code.at_connect(LIST)),
            });
            promise.give(answer);
        })
    }

    fn changed(&self, known: &[ReaderState], wait: &Wait) -> Result<Vec<ReaderState>> {
        let interest = self.bell.interest();
        let mut looked = false;
        loop {
            // The bell is looked at before the readers are, so that nothing that happens between both is missed.
            let mark = interest.mark(&self.service)?;
            let now = match self.list(wait) {
                // The wait is over while it is looked once more.
                Err(error) if error.kind() == ErrorKind::Timeout && looked => return Ok(known.to_vec()),
                other => other?,
            };
            looked = true;
            if now != known {
                return Ok(now);
            }
            match interest.rung(mark, wait) {
                Some(Ok(())) => {}
                Some(Err(error)) => return Err(error),
                None if wait.cancel.is_cancelled() => return Err(Error::new(ErrorKind::Cancelled, CHANGED)),
                None => return Ok(now),
            }
        }
    }

    fn connect(&self, reader: &str, wait: &Wait) -> Result<Arc<dyn Link>> {
        let (service, name) = (Arc::clone(&self.service), reader.to_owned());
        // Without the caller's progress: that is told on the caller's thread.
        let bound = Wait::at_most(wait.remaining()).with_cancel(Arc::clone(&wait.cancel));
        let opened =
            self.ask(CONNECT, wait, move |promise, trying| worker::run(&*service, name, &bound, promise, trying))?;
        Ok(Arc::new(PcscLink { desk: opened.desk, atr: opened.atr, reader: reader.to_owned() }))
    }
}

impl Drop for PcscReaders {
    fn drop(&mut self) {
        self.bell.stop();
    }
}

impl fmt::Debug for PcscReaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PcscReaders").finish_non_exhaustive()
    }
}

/// One connection: the caller's side.
struct PcscLink {
    desk: Arc<Desk>,
    atr: Atr,
    reader: String,
}

impl Link for PcscLink {
    fn atr(&self) -> Atr {
        self.atr.clone()
    }

    fn begin(&self, wait: &Wait) -> Result<Box<dyn Transaction>> {
        wait.check(BEGIN)?;
        let ticket = Ticket::<Grant>::new();
        self.desk.queue(&ticket)?;
        match ticket.wait(wait) {
            Some(answer) => Ok(Box::new(answer?)),
            None if wait.cancel.is_cancelled() => Err(Error::new(ErrorKind::Cancelled, BEGIN)),
            None => {
                let who = if self.desk.held() { "another job of this program" } else { "another program or job" };
                let error = Error::new(ErrorKind::Busy, BEGIN).detail(format!("{who} uses {}", self.reader));
                Err(match ticket.obstacle() {
                    Some(Obstacle::Said(code)) => error.status(Status::Pcsc(code.name())),
                    _ => error,
                })
            }
        }
    }
}

impl Drop for PcscLink {
    fn drop(&mut self) {
        self.desk.close();
    }
}
