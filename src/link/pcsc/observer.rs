//! The thread that sleeps in `SCardGetStatusChange` and rings a bell. It never tells *what* happened: whoever hears the bell looks for himself,
//! so a late ring cannot make an old state look new.
//!
//! `SCardCancel` ends the sleep when the readers are dropped. A cancel that comes a moment before the sleep is lost, and some services have none;
//! so no sleep is longer than [`SLICE`]. Where the service has no entry for the list of readers itself (PnP), new readers are looked for every
//! [`LOOK`].

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::api::{Canceller, Context, PNP, Service, Watched, state};
use super::codes::Code;
use super::readers::reader_state;
use super::refusal;
use crate::error::{Error, ErrorKind, Result};
use crate::link::ReaderState;
use crate::policy;
use crate::wait::{Signal, Wait, lock};

const OPERATION: &str = "SCardGetStatusChange";
/// The longest sleep.
const SLICE: Duration = Duration::from_secs(5);
/// The longest sleep where nothing tells of new readers.
const LOOK: Duration = Duration::from_secs(1);
/// The shortest time between two looks: a service that answers at once, again and again, is not asked in a loop.
const BREATH: Duration = Duration::from_millis(20);

/// Rings whenever a reader may be other than before.
#[derive(Default)]
pub(super) struct Bell {
    state: Mutex<State>,
    signal: Arc<Signal>,
}

#[derive(Default)]
struct State {
    rings: u64,
    /// What the watch ended with, and the ring that told it.
    failed: Option<(u64, Error)>,
    running: bool,
    stop: bool,
    interested: usize,
    cancel: Option<Canceller>,
}

/// Somebody who listens: as long as there is one, the watch goes on.
pub(super) struct Interest<'b>(&'b Arc<Bell>);

impl Bell {
    pub(super) fn interest(self: &Arc<Self>) -> Interest<'_> {
        let mut state = lock(&self.state);
        state.interested = state.interested.saturating_add(1);
        Interest(self)
    }

    pub(super) fn stop(&self) {
        let cancel = {
            let mut state = lock(&self.state);
            state.stop = true;
            state.cancel.clone()
        };
        if let Some(cancel) = cancel {
            cancel();
        }
    }

    fn ring(&self) {
        let mut state = lock(&self.state);
        state.rings = state.rings.wrapping_add(1);
        drop(state);
        self.signal.notify();
    }

    /// The watch is over; the next who comes starts another.
    fn end(&self, error: Error) {
        let mut state = lock(&self.state);
        state.rings = state.rings.wrapping_add(1);
        state.failed = Some((state.rings, error));
        state.running = false;
        state.cancel = None;
        drop(state);
        self.signal.notify();
    }

    /// Whether nobody needs the watch any more; it has ended then.
    fn unneeded(&self) -> bool {
        let mut state = lock(&self.state);
        if state.stop || state.interested == 0 {
            state.running = false;
            state.cancel = None;
        }
        !state.running
    }
}

impl Interest<'_> {
    /// Starts the watch if none runs; later rings are counted from this mark.
    pub(super) fn mark(&self, service: &Arc<dyn Service>) -> Result<u64> {
        let mut state = lock(&self.0.state);
        if !state.running {
            let watch = Watch { bell: Arc::clone(self.0), service: Arc::clone(service) };
            std::thread::Builder::new()
                .name("shield-watch".to_owned())
                .spawn(move || watch.run())
                .map_err(|e| Error::new(ErrorKind::TokenFailed, OPERATION).io(&e))?;
            state.running = true;
        }
        Ok(state.rings)
    }

    /// Waits for the next ring after `mark`: `Err` when the watch has ended with it, `None` at the end of the wait.
    pub(super) fn rung(&self, mark: u64, wait: &Wait) -> Option<Result<()>> {
        self.0.signal.wait_for(wait, || {
            let state = lock(&self.0.state);
            match &state.failed {
                _ if state.rings == mark => None,
                Some((ring, error)) if *ring > mark => Some(Err(error.clone())),
                _ => Some(Ok(())),
            }
        })
    }
}

impl Drop for Interest<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.interested = state.interested.saturating_sub(1);
    }
}

/// The thread itself. However it ends, the bell knows.
struct Watch {
    bell: Arc<Bell>,
    service: Arc<dyn Service>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.bell.end(Error::new(ErrorKind::TokenFailed, OPERATION).detail("the watch has ended"));
        }
    }
}

impl Watch {
    fn run(self) {
        let ended = refusal::open(&*self.service, OPERATION).and_then(|mut context| {
            lock(&self.bell.state).cancel = context.canceller();
            self.watch(&mut **context).map_err(|code| code.error(OPERATION))
        });
        if let Err(error) = ended {
            self.bell.end(error);
        }
    }

    fn watch(&self, context: &mut dyn Context) -> Result<(), Code> {
        let mut eyes = Eyes::default();
        while !self.bell.unneeded() {
            if eyes.look(context)? {
                self.bell.ring();
            } else {
                std::thread::sleep(BREATH);
            }
        }
        Ok(())
    }
}

/// What was seen last.
#[derive(Default)]
struct Eyes {
    entries: Vec<Watched>,
    shown: Option<Vec<ReaderState>>,
    without_pnp: bool,
}

impl Eyes {
    /// Sleeps until something happens or the slice is over; whether the readers are other than before.
    fn look(&mut self, context: &mut dyn Context) -> Result<bool, Code> {
        let mut names = match context.readers() {
            Err(Code::SCARD_E_NO_READERS_AVAILABLE) => Vec::new(),
            other => other?,
        };
        names.truncate(policy::READERS_MAX);
        if !self.without_pnp {
            names.push(PNP.to_owned());
        }
        self.entries.retain(|entry| names.contains(&entry.reader));
        for name in names {
            if !self.entries.iter().any(|entry| entry.reader == name) {
                self.entries.push(Watched::unaware(&name));
            }
        }
        if self.entries.is_empty() {
            std::thread::sleep(LOOK);
            return Ok(self.differs());
        }
        match context.watch(&mut self.entries, if self.without_pnp { LOOK } else { SLICE }) {
            Ok(()) => {}
            Err(Code::SCARD_E_TIMEOUT | Code::SCARD_E_CANCELLED) => return Ok(self.differs()),
            // pcscd watches 16 entries and serves 16 readers: with all of them there is no room for PnP.
            Err(Code::SCARD_E_INVALID_PARAMETER | Code::SCARD_E_INVALID_VALUE) if !self.without_pnp => {
                self.without_pnp = true;
                return Ok(false);
            }
            Err(
                Code::SCARD_E_UNKNOWN_READER | Code::SCARD_E_READER_UNAVAILABLE | Code::SCARD_E_NO_READERS_AVAILABLE,
            ) => {
                self.entries.retain(|entry| entry.reader == PNP);
                std::thread::sleep(BREATH);
                return Ok(true);
            }
            Err(code) => return Err(code),
        }
        for entry in &mut self.entries {
            entry.known = entry.now & !state::CHANGED;
            self.without_pnp |= entry.reader == PNP && entry.now & state::UNKNOWN != 0;
        }
        Ok(self.differs())
    }

    fn differs(&mut self) -> bool {
        let now: Vec<_> = self.entries.iter().filter(|e| e.reader != PNP).map(reader_state).collect();
        let differs = self.shown.as_ref() != Some(&now);
        self.shown = Some(now);
        differs
    }
}
