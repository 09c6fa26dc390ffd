//! What goes wrong with a device, at a command that was chosen before.

use std::time::Duration;

use super::crypto::random;
use crate::link::card::Accident;

/// Something that goes wrong at one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The command, counted from the plan on: 0 is the next one.
    pub at: u64,
    /// What happens to it.
    pub what: FaultKind,
}

/// What happens to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The device is pulled out before it does the command, and is out until [`Simulator::insert`](super::Simulator::insert).
    PullOut,
    /// The device is reset before it does the command: nobody is logged in any more and no application is open.
    Reset,
    /// The command is done, and its answer is random octets.
    Garbage,
    /// The command is done, and half of its answer is missing: the half with the status word.
    Cut,
    /// The command is done, and its answer takes so much longer.
    Slow(Duration),
    /// The command is done when so much time is over: somebody has to press the button first.
    Button(Duration),
    /// The command is done, and its answer is lost on the way.
    Lost,
}

/// Commands counted, and what goes wrong at which.
#[derive(Debug, Default)]
pub(super) struct Plan {
    count: u64,
    faults: Vec<Fault>,
}

impl Plan {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Plan { count: 0, faults }
    }

    /// Counts a command.
    pub(super) fn next(&mut self) -> Option<FaultKind> {
        let at = self.count;
        self.count = at.saturating_add(1);
        let place = self.faults.iter().position(|fault| fault.at == at)?;
        Some(self.faults.swap_remove(place).what)
    }
}

impl FaultKind {
    /// What happens in place of the command.
    pub(super) fn instead(self) -> Option<Accident> {
        match self {
            FaultKind::PullOut => Some(Accident::PulledOut),
            FaultKind::Reset => Some(Accident::Reset),
            _ => None,
        }
    }

    /// What becomes of the answer.
    pub(super) fn bend(self, mut answer: Vec<u8>) -> Vec<u8> {
        match self {
            FaultKind::Garbage => {
                let length = random(1).and_then(|octets| octets.first().copied()).unwrap_or_default();
                random(usize::from(length).saturating_add(2)).map(|octets| octets.to_vec()).unwrap_or_default()
            }
            FaultKind::Cut => {
                answer.truncate(answer.len() / 2);
                answer
            }
            _ => answer,
        }
    }
}
