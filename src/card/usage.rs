//! How long a connection to a card is kept: as long as a lease or a batch wants it, and a moment longer.
//!
//! An open connection keeps the card's power and with it its login, tells when the card was pulled out, and makes the next lease cheap. It
//! also keeps out every program that wants the reader for itself alone, so it does not stay open for nothing.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::{Card, Live};
use crate::apdu::{Limits, Transmit, Wire};
use crate::error::Result;
use crate::link::Transaction;
use crate::policy;
use crate::wait::lock;

type Call = dyn Fn() + Send + Sync;

/// Who uses a connection.
pub(super) struct Usage {
    users: usize,
    waiting: usize,
    /// Who is told that somebody waits.
    calls: Vec<Weak<Call>>,
    last: Instant,
    /// A thread looks after the end of the connection.
    watched: bool,
}

impl Usage {
    pub(super) fn new() -> Self {
        Usage { users: 0, waiting: 0, calls: Vec::new(), last: Instant::now(), watched: false }
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.waiting > 0
    }

    pub(super) fn call_when_wanted(&mut self, call: &Arc<Call>) {
        self.calls.push(Arc::downgrade(call));
    }

    /// How much longer the connection is kept, as it looks now.
    fn left(&self) -> Duration {
        let kept = if self.users > 0 { Duration::ZERO } else { self.last.elapsed() };
        policy::CONNECTION_IDLE.saturating_sub(kept)
    }
}

/// One who waits for the card, until it is dropped.
pub(super) struct Waiting<'c>(&'c Card);

impl<'c> Waiting<'c> {
    pub(super) fn of(card: &'c Card) -> Self {
        let mut place = lock(&card.place);
        place.usage.waiting = place.usage.waiting.saturating_add(1);
        place.usage.calls.retain(|call| call.strong_count() > 0);
        let calls: Vec<_> = place.usage.calls.iter().filter_map(Weak::upgrade).collect();
        // They look at this card, so outside the lock.
        drop(place);
        let waiting = Waiting(card);
        calls.iter().for_each(|call| call());
        waiting
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let usage = &mut lock(&self.0.place).usage;
        usage.waiting = usage.waiting.saturating_sub(1);
    }
}

/// One user of a connection, until it is dropped.
pub(super) struct User(Arc<Card>);

impl User {
    pub(super) fn of(card: &Arc<Card>) -> Self {
        let mut place = lock(&card.place);
        place.usage.users = place.usage.users.saturating_add(1);
        drop(place);
        User(Arc::clone(card))
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let usage = &mut lock(&self.0.place).usage;
        usage.users = usage.users.saturating_sub(1);
        usage.last = Instant::now();
    }
}

/// A lease's transaction, which counts as a user of the connection.
pub(super) struct Port {
    // Dropped first: the transaction has ended when the use does.
    pub(super) transaction: Box<dyn Transaction>,
    pub(super) _user: User,
}

impl Transmit for Port {
    fn transmit(&mut self, command: &Wire) -> Result<Vec<u8>> {
        self.transaction.transmit(command)
    }

    fn limits(&self) -> Limits {
        self.transaction.limits()
    }
}

impl Card {
    /// Takes a connection over, and closes it some time after its last use.
    pub(super) fn keep(self: &Arc<Self>, live: Live) {
        let mut place = lock(&self.place);
        let before = place.live.replace(live);
        place.usage.last = Instant::now();
        let watched = std::mem::replace(&mut place.usage.watched, true);
        drop(place);
        // Outside the lock: to disconnect takes a moment.
        drop(before);
        if watched {
            return;
        }
        let weak = Arc::downgrade(self);
        let watch = std::thread::Builder::new().name("shield-idle".to_owned()).spawn(move || close_when_idle(&weak));
        if watch.is_err() {
            // It stays open until the card is used again: costs others an exclusive connection, nobody a signature.
            lock(&self.place).usage.watched = false;
        }
    }
}

fn close_when_idle(card: &Weak<Card>) {
    let mut left = policy::CONNECTION_IDLE;
    loop {
        std::thread::sleep(left);
        let Some(card) = card.upgrade() else { return };
        let mut place = lock(&card.place);
        left = place.usage.left();
        if left.is_zero() || place.live.is_none() {
            place.usage.watched = false;
            let idle = place.live.take();
            drop(place);
            // Outside the lock: to disconnect takes a moment.
            drop(idle);
            return;
        }
    }
}
