//! Turns: the threads of a session sign on a card one after the other, in the order in which they came.

use std::collections::VecDeque;
use std::time::Instant;

use super::Inner;
use crate::door::Way;
use crate::error::{Error, ErrorKind, Result};
use crate::wait::{Wait, lock};

/// Who waits for a turn, and when somebody's turn came to something.
#[derive(Default)]
pub(super) struct Turns {
    /// Numbers of threads; the first has its turn.
    queue: VecDeque<u64>,
    next: u64,
    /// When a thread had its signature.
    signed: Option<Instant>,
}

/// A thread's turn on a card, or its place behind others; with a module all threads work at once and nobody waits.
pub(super) struct Turn<'i>(Option<(&'i Inner, u64)>);

impl Turn<'_> {
    /// The card serves: whoever waits behind this thread has not waited for nothing.
    pub(super) fn succeeded(&mut self) {
        if let Some((inner, _)) = self.0 {
            lock(&inner.turns).signed = Some(Instant::now());
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some((inner, number)) = self.0 {
            lock(&inner.turns).queue.retain(|waiting| *waiting != number);
            inner.changed.notify();
            // This thread has a signature to verify and a file to write; the card has nothing to do until the next one runs.
            std::thread::yield_now();
        }
    }
}

impl Inner {
    /// Waits for this thread's turn, where the token is a card. Time in which the threads before this one sign does not count: the deadline
    /// is one for a card that is held by others, or does not answer. What is left of it when the turn has come is the second value.
    pub(super) fn turn(&self, wait: &Wait) -> Result<(Turn<'_>, Wait)> {
        let door = lock(&self.route).door.clone();
        if self.shield.way(&door) != Some(Way::Card) {
            return Ok((Turn(None), wait.clone()));
        }
        let (allowed, came) = (wait.remaining(), Instant::now());
        let number = {
            let mut turns = lock(&self.turns);
            turns.next = turns.next.wrapping_add(1);
            let number = turns.next;
            turns.queue.push_back(number);
            number
        };
        // From here on it takes itself out of the queue, however this ends.
        let turn = Turn(Some((self, number)));
        let left = || {
            let turns = lock(&self.turns);
            let since = turns.signed.map_or(came, |signed| signed.max(came));
            (turns.queue.front() == Some(&number), allowed.saturating_sub(since.elapsed()))
        };
        loop {
            let (is_first, time) = left();
            let wait = wait.resumed(time);
            if is_first {
                return Ok((turn, wait));
            }
            wait.check("sign in batch")?;
            if self.changed.wait_for(&wait, || left().0.then_some(())).is_none() && wait.cancel.is_cancelled() {
                return Err(Error::new(ErrorKind::Cancelled, "sign in batch"));
            }
        }
    }
}
