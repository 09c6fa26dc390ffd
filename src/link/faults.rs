//! Faults at a chosen step, around any [`Readers`]: a replay, a card in this process, pcscd.
//!
//! A *step* is a connect, a begin or a command, counted from 0. A harness lets a story run once to learn its steps, then once for each step and
//! fault, and compares what was [`Faults::injected`] with what was asked for: a fault that never struck proves nothing.
//!
//! Whether the card got the command before it failed makes a difference (a VERIFY whose answer is lost has cost a try), so most faults
//! strike either [`Moment::Before`] or [`Moment::After`]. After an error the transaction is dead: nothing more reaches the card in it.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::pcsc::Code;
use super::{Atr, Continuity, Link, ReaderState, Readers, Transaction};
use crate::apdu::{Limits, Transmit, Wire};
use crate::error::Result;
use crate::wait::{Wait, lock};

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The card does not get the command.
    Before,
    /// The card did the command, and its answer is lost.
    After,
}

/// What goes wrong. At a connect or a begin there is no answer: faults of the answer do not strike there, and both moments are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Another program resets the card. At a begin it was before it: the transaction begins with [`Continuity::Reset`].
    Reset(Moment),
    /// The card is pulled out. The link is dead.
    Removal(Moment),
    /// The service stops. Every link is dead, and the next call into the service fails too.
    Stop(Moment),
    /// The card gives no answer that reader or service understand.
    Lost(Moment),
    /// The answer is random octets, made from this seed.
    Garbage(u64),
    /// The answer has so many octets and no more.
    Cut(usize),
    /// The answer is so many octets too long.
    Long(usize),
    /// The step takes so much longer.
    Slow(Duration),
}

/// One step of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A connection is made.
    Connect,
    /// A transaction begins.
    Begin,
    /// A command with this CLA INS P1 P2.
    Command([u8; 4]),
}

type Hook = Arc<dyn Fn() + Send + Sync>;

/// The decorator. Clones are one and the same.
#[derive(Clone)]
pub struct Faults(Arc<Shared>);

struct Shared {
    inner: Arc<dyn Readers>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    armed: Vec<(usize, Fault)>,
    steps: Vec<Step>,
    injected: Vec<(usize, Fault)>,
    /// Counts removals and stops: links of an earlier time are dead, with what they died of.
    time: u64,
    died: Option<Code>,
    stopped: bool,
    on_reset: Option<Hook>,
    on_removal: Option<Hook>,
    on_stop: Option<Hook>,
}

impl Faults {
    /// Stands before `inner` and does nothing yet.
    #[must_use]
    pub fn new(inner: Arc<dyn Readers>) -> Self {
        Faults(Arc::new(Shared { inner, state: Mutex::default() }))
    }

    /// Also resets what stands behind, such as a card in this process.
    pub fn on_reset(&self, hook: impl Fn() + Send + Sync + 'static) {
        lock(&self.0.state).on_reset = Some(Arc::new(hook));
    }

    /// Also pulls out what stands behind (and may put it in again: then the next connect finds it).
    pub fn on_removal(&self, hook: impl Fn() + Send + Sync + 'static) {
        lock(&self.0.state).on_removal = Some(Arc::new(hook));
    }

    /// Also stops what stands behind.
    pub fn on_stop(&self, hook: impl Fn() + Send + Sync + 'static) {
        lock(&self.0.state).on_stop = Some(Arc::new(hook));
    }

    /// `fault` strikes at this step.
    pub fn inject(&self, step: usize, fault: Fault) {
        lock(&self.0.state).armed.push((step, fault));
    }

    /// The steps so far.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        lock(&self.0.state).steps.clone()
    }

    /// The faults that struck so far, each with its step.
    #[must_use]
    pub fn injected(&self) -> Vec<(usize, Fault)> {
        lock(&self.0.state).injected.clone()
    }

    /// Begins the count anew, without faults.
    pub fn restart(&self) {
        let mut state = lock(&self.0.state);
        (state.armed, state.steps, state.injected) = (Vec::new(), Vec::new(), Vec::new());
        state.stopped = false;
    }

    /// Counts a step and tells what strikes at it.
    fn step(&self, step: Step) -> Option<Fault> {
        let mut state = lock(&self.0.state);
        let number = state.steps.len();
        state.steps.push(step);
        let place = state.armed.iter().position(|(at, _)| *at == number)?;
        let (_, fault) = state.armed.remove(place);
        let of_answer = matches!(fault, Fault::Garbage(_) | Fault::Cut(_) | Fault::Long(_) | Fault::Lost(_));
        if of_answer && !matches!(step, Step::Command(_)) {
            return None;
        }
        state.injected.push((number, fault));
        Some(fault)
    }

    /// Does to the world what the fault does, and gives the code that callers see.
    fn strike(&self, fault: Fault) -> Option<Code> {
        let mut state = lock(&self.0.state);
        let (code, hook) = match fault {
            Fault::Reset(_) => (Code::SCARD_W_RESET_CARD, state.on_reset.clone()),
            Fault::Removal(_) => (Code::SCARD_W_REMOVED_CARD, state.on_removal.clone()),
            Fault::Stop(_) => (Code::SCARD_E_NO_SERVICE, state.on_stop.clone()),
            Fault::Lost(_) => return Some(Code::SCARD_E_NOT_TRANSACTED),
            _ => return None,
        };
        if code != Code::SCARD_W_RESET_CARD {
            state.time = state.time.wrapping_add(1);
            state.died = Some(code);
        }
        state.stopped |= code == Code::SCARD_E_NO_SERVICE;
        drop(state);
        if let Some(hook) = hook {
            hook();
        }
        Some(code)
    }

    /// One call into a service that was stopped fails.
    fn service(&self, operation: &'static str) -> Result<()> {
        match std::mem::take(&mut lock(&self.0.state).stopped) {
            true => Err(Code::SCARD_E_NO_SERVICE.error(operation)),
            false => Ok(()),
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").finish_non_exhaustive()
    }
}

impl Readers for Faults {
    fn list(&self, wait: &Wait) -> Result<Vec<ReaderState>> {
        self.service("SCardListReaders")?;
        self.0.inner.list(wait)
    }

    fn changed(&self, known: &[ReaderState], wait: &Wait) -> Result<Vec<ReaderState>> {
        self.service("SCardGetStatusChange")?;
        self.0.inner.changed(known, wait)
    }

    fn connect(&self, reader: &str, wait: &Wait) -> Result<Arc<dyn Link>> {
        const CONNECT: &str = "SCardConnect";
        self.service(CONNECT)?;
        match self.step(Step::Connect) {
            Some(Fault::Slow(time)) => std::thread::sleep(time.min(wait.remaining())),
            Some(fault) => match self.strike(fault) {
                // A new connection does not see resets of before.
                None | Some(Code::SCARD_W_RESET_CARD) => {}
                Some(code) => return Err(code.at_connect(CONNECT)),
            },
            None => {}
        }
        let link = self.0.inner.connect(reader, wait)?;
        let time = lock(&self.0.state).time;
        Ok(Arc::new(FaultyLink { faults: self.clone(), link, time, broken: Arc::default() }))
    }
}

struct FaultyLink {
    faults: Faults,
    link: Arc<dyn Link>,
    time: u64,
    /// A transaction of this link failed: the next one tells of a reset.
    broken: Arc<Mutex<bool>>,
}

impl Link for FaultyLink {
    fn atr(&self) -> Atr {
        self.link.atr()
    }

    fn begin(&self, wait: &Wait) -> Result<Box<dyn Transaction>> {
        const BEGIN: &str = "SCardBeginTransaction";
        match self.faults.step(Step::Begin) {
            Some(Fault::Slow(time)) => std::thread::sleep(time.min(wait.remaining())),
            Some(fault) => match self.faults.strike(fault) {
                Some(Code::SCARD_W_RESET_CARD) => *lock(&self.broken) = true,
                Some(code) => return Err(code.error(BEGIN)),
                None => {}
            },
            None => {}
        }
        {
            let state = lock(&self.faults.0.state);
            if let Some(code) = state.died.filter(|_| state.time != self.time) {
                return Err(code.error(BEGIN));
            }
        }
        let transaction = self.link.begin(wait)?;
        let reset = std::mem::take(&mut *lock(&self.broken));
        let continuity = match transaction.continuity() {
            Continuity::Unbroken if reset => Continuity::Reset,
            other => other,
        };
        let broken = Arc::clone(&self.broken);
        Ok(Box::new(FaultyTransaction { faults: self.faults.clone(), transaction, continuity, broken, failed: None }))
    }
}

struct FaultyTransaction {
    faults: Faults,
    transaction: Box<dyn Transaction>,
    continuity: Continuity,
    broken: Arc<Mutex<bool>>,
    failed: Option<Code>,
}

const TRANSMIT: &str = "SCardTransmit";

impl FaultyTransaction {
    fn fail(&mut self, fault: Fault) -> Result<Vec<u8>> {
        let code = self.faults.strike(fault).unwrap_or(Code::SCARD_F_INTERNAL_ERROR);
        self.failed = Some(code);
        *lock(&self.broken) = true;
        Err(code.error(TRANSMIT))
    }
}

impl Transmit for FaultyTransaction {
    fn transmit(&mut self, command: &Wire) -> Result<Vec<u8>> {
        if let Some(code) = self.failed {
            return Err(code.error(TRANSMIT));
        }
        let mut header = [0; 4];
        header.iter_mut().zip(command.octets()).for_each(|(to, from)| *to = *from);
        match self.faults.step(Step::Command(header)) {
            None => self.transaction.transmit(command),
            Some(Fault::Slow(time)) => {
                std::thread::sleep(time);
                self.transaction.transmit(command)
            }
            Some(Fault::Garbage(seed)) => self.transaction.transmit(command).map(|_| garbage(seed)),
            Some(Fault::Cut(length)) => self.transaction.transmit(command).map(|mut answer| {
                answer.truncate(length);
                answer
            }),
            Some(Fault::Long(more)) => self.transaction.transmit(command).map(|mut answer| {
                let sw = answer.split_off(answer.len().saturating_sub(2));
                answer.extend(std::iter::repeat_n(0x5A, more));
                answer.extend(sw);
                answer
            }),
            Some(
                fault @ (Fault::Reset(moment) | Fault::Removal(moment) | Fault::Stop(moment) | Fault::Lost(moment)),
            ) => {
                if moment == Moment::After {
                    drop(self.transaction.transmit(command));
                }
                self.fail(fault)
            }
        }
    }

    fn limits(&self) -> Limits {
        self.transaction.limits()
    }
}

impl Transaction for FaultyTransaction {
    fn continuity(&self) -> Continuity {
        self.continuity
    }
}

/// Between 2 and 257 octets (xorshift64, Marsaglia 2003): the same for the same seed.
fn garbage(seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u8::try_from(state >> 56).unwrap_or_default()
    };
    let length = usize::from(next()).saturating_add(2);
    std::iter::repeat_with(next).take(length).collect()
}
