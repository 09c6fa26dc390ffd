//! Somebody between a card and its reader, who sees each command and may answer it himself.

#![allow(dead_code, unreachable_pub)]

use std::sync::{Mutex, MutexGuard, PoisonError};

use shared_shield::link::card::{Accident, SharedCard, VirtualCard};

/// Answers a command, by the card or without it.
pub type Answers = Box<dyn FnMut(&SharedCard, &[u8]) -> Vec<u8> + Send>;

/// The card with somebody before it. What it is can be exchanged behind everybody's back.
pub struct Between {
    pub card: SharedCard,
    answers: Answers,
}

impl Between {
    pub fn new(card: SharedCard, answers: impl FnMut(&SharedCard, &[u8]) -> Vec<u8> + Send + 'static) -> Self {
        Between { card, answers: Box::new(answers) }
    }
}

pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl VirtualCard for Between {
    fn atr(&self) -> Vec<u8> {
        lock(&self.card).atr()
    }

    fn extended(&self) -> bool {
        lock(&self.card).extended()
    }

    fn reset(&mut self) {
        lock(&self.card).reset();
    }

    fn command(&mut self, apdu: &[u8]) -> Vec<u8> {
        (self.answers)(&self.card, apdu)
    }

    fn accident(&mut self) -> Option<Accident> {
        lock(&self.card).accident()
    }
}
