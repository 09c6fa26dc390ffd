//! Where callers and a connection's thread meet: tickets, and the line of those who wait for a transaction.

use std::collections::VecDeque;
use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::codes::Code;
use crate::apdu::{Limits, Transmit, Wire};
use crate::error::{Error, ErrorKind, Result};
use crate::link::{Continuity, Transaction};
use crate::policy;
use crate::wait::{Signal, Wait, lock};

/// One answer that somebody waits for, or has stopped waiting for.
pub(super) struct Ticket<T> {
    slot: Mutex<Slot<T>>,
    obstacle: Mutex<Option<Obstacle>>,
    signal: Arc<Signal>,
}

/// What keeps an answer from coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The service said this, and is asked again.
    Said(Code),
    /// `SCardConnect` has not come back: it waits, without a word, as long as another program is in a transaction.
    Connecting,
}

enum Slot<T> {
    Waiting,
    Given(Result<T>),
    Gone,
}

impl<T> Ticket<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Ticket { slot: Mutex::new(Slot::Waiting), obstacle: Mutex::new(None), signal: Arc::default() })
    }

    /// Whether somebody still waits for it.
    pub(super) fn wanted(&self) -> bool {
        matches!(*lock(&self.slot), Slot::Waiting)
    }

    /// Hands the answer over, or back when nobody waits any more.
    pub(super) fn give(&self, answer: Result<T>) -> Option<Result<T>> {
        let mut slot = lock(&self.slot);
        if !matches!(*slot, Slot::Waiting) {
            return Some(answer);
        }
        *slot = Slot::Given(answer);
        drop(slot);
        self.signal.notify();
        None
    }

    /// Tells whoever waits what is in the way.
    pub(super) fn hint(&self, obstacle: Obstacle) {
        *lock(&self.obstacle) = Some(obstacle);
    }

    /// What was in the way at last.
    pub(super) fn obstacle(&self) -> Option<Obstacle> {
        *lock(&self.obstacle)
    }

    /// The answer; `None` when the wait ended before it, and then nobody waits for it any more.
    pub(super) fn wait(&self, wait: &Wait) -> Option<Result<T>> {
        let taken = self.signal.wait_for(wait, || self.take(Slot::Waiting));
        taken.or_else(|| self.take(Slot::Gone))
    }

    fn take(&self, otherwise: Slot<T>) -> Option<Result<T>> {
        let mut slot = lock(&self.slot);
        match std::mem::replace(&mut *slot, Slot::Gone) {
            Slot::Given(answer) => Some(answer),
            _ => {
                *slot = otherwise;
                None
            }
        }
    }
}

/// Gives an answer in the end, whatever becomes of the thread.
pub(super) struct Promise<T>(pub(super) Arc<Ticket<T>>, pub(super) &'static str);

impl<T> Promise<T> {
    /// Hands the answer over; `false` when nobody waits any more.
    pub(super) fn give(self, answer: Result<T>) -> bool {
        self.0.give(answer).is_none()
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        drop(self.0.give(Err(ended(self.1))));
    }
}

fn ended(operation: &'static str) -> Error {
    Error::new(ErrorKind::TokenFailed, operation).detail("the connection's thread has ended")
}

/// One command on its way to the card.
pub(super) struct Job {
    pub(super) command: Zeroizing<Vec<u8>>,
    pub(super) reply: Sender<Result<Vec<u8>>>,
}

/// The caller's side of a transaction: dropping it ends the transaction on the connection's thread, and waits for that for a bounded time.
pub(super) struct Grant {
    jobs: Option<Sender<Job>>,
    ended: Receiver<()>,
    pub(super) continuity: Continuity,
    pub(super) limits: Limits,
}

/// The thread's side: the jobs end when the caller's side is dropped, and the caller's drop ends when the mark is dropped.
pub(super) struct Serving {
    pub(super) jobs: Receiver<Job>,
    pub(super) mark: Sender<()>,
}

pub(super) fn transaction(continuity: Continuity, limits: Limits) -> (Grant, Serving) {
    let (jobs, inbox) = channel();
    let (mark, ended) = channel();
    (Grant { jobs: Some(jobs), ended, continuity, limits }, Serving { jobs: inbox, mark })
}

const TRANSMIT: &str = "SCardTransmit";

impl Transmit for Grant {
    fn transmit(&mut self, command: &Wire) -> Result<Vec<u8>> {
        let (reply, answer) = channel();
        let job = Job { command: Zeroizing::new(command.octets().to_vec()), reply };
        let jobs = self.jobs.as_ref().ok_or_else(|| ended(TRANSMIT))?;
        jobs.send(job).map_err(|_| ended(TRANSMIT))?;
        answer.recv().map_err(|_| ended(TRANSMIT))?
    }

    fn limits(&self) -> Limits {
        self.limits
    }
}

impl Transaction for Grant {
    fn continuity(&self) -> Continuity {
        self.continuity
    }
}

impl Drop for Grant {
    /// When this returns, other programs reach the card, unless the service hangs.
    fn drop(&mut self) {
        drop(self.jobs.take());
        let _ = self.ended.recv_timeout(policy::CLOSE_TIME);
    }
}

/// The line before one connection.
#[derive(Default)]
pub(super) struct Desk {
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<Ticket<Grant>>>,
    closed: bool,
    dead: Option<Error>,
    held: bool,
    /// The thread asks the service for the card, which may take for ever.
    asking: bool,
    /// The thread has given back everything.
    gone: bool,
}

impl Desk {
    /// Joins the line.
    ///
    /// # Errors
    /// What the connection died of.
    pub(super) fn queue(&self, ticket: &Arc<Ticket<Grant>>) -> Result<()> {
        let mut state = lock(&self.state);
        if let Some(error) = &state.dead {
            return Err(error.clone());
        }
        state.waiting.push_back(Arc::clone(ticket));
        self.bell.notify_all();
        Ok(())
    }

    /// The first who still waits.
    pub(super) fn next(&self) -> Option<Arc<Ticket<Grant>>> {
        let mut state = lock(&self.state);
        while let Some(ticket) = state.waiting.pop_front() {
            if ticket.wanted() {
                return Some(ticket);
            }
        }
        None
    }

    /// Whether anyone still waits.
    pub(super) fn anyone(&self) -> bool {
        let mut state = lock(&self.state);
        state.waiting.retain(|ticket| ticket.wanted());
        !state.waiting.is_empty()
    }

    /// Sleeps until somebody waits; `false` when the link was dropped.
    pub(super) fn wait_for_work(&self) -> bool {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return false;
            }
            if !state.waiting.is_empty() {
                return true;
            }
            state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether a caller of ours holds the card now.
    pub(super) fn held(&self) -> bool {
        lock(&self.state).held
    }

    pub(super) fn set_held(&self, held: bool) {
        lock(&self.state).held = held;
    }

    /// Everybody who waits gets this error; the connection goes on.
    pub(super) fn fail_waiting(&self, error: &Error) {
        let waiting = std::mem::take(&mut lock(&self.state).waiting);
        for ticket in waiting {
            drop(ticket.give(Err(error.clone())));
        }
    }

    /// The connection is over, for those who wait and for those who come.
    pub(super) fn die(&self, error: Error) {
        let error = lock(&self.state).dead.get_or_insert(error).clone();
        self.fail_waiting(&error);
    }

    pub(super) fn set_asking(&self, asking: bool) {
        lock(&self.state).asking = asking;
    }

    /// The link was dropped. When this returns, card and context are given back, unless the service hangs, or a transaction outlives its link.
    /// A program that ends right after that must not have a thread in the service's library, which then takes itself apart.
    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        self.bell.notify_all();
        let under_way = |state: &mut State| !state.gone && !state.held && !state.asking;
        drop(self.bell.wait_timeout_while(state, policy::CLOSE_TIME, under_way));
    }
}

/// Marks that a connection's thread has given back everything, or never got it.
pub(super) struct GoneMark(pub(super) Arc<Desk>);

impl Drop for GoneMark {
    fn drop(&mut self) {
        lock(&self.0.state).gone = true;
        self.0.bell.notify_all();
    }
}

/// Marks the end of a connection's thread, a panic included.
pub(super) struct EndMark(pub(super) Arc<Desk>);

impl Drop for EndMark {
    fn drop(&mut self) {
        self.0.die(ended("SCardBeginTransaction"));
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("held", &self.held()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_answer_that_comes_while_its_caller_gives_up_is_never_lost_and_never_given_twice() {
        for _ in 0..2_000 {
            let ticket = Ticket::<u32>::new();
            let giver = Arc::clone(&ticket);
            let thread = std::thread::spawn(move || giver.give(Ok(7)).is_some());
            let got = ticket.wait(&Wait::at_most(Duration::ZERO)).is_some();
            let back = thread.join().unwrap();
            assert!(got != back, "taken: {got}, handed back: {back}");
        }
    }
}
