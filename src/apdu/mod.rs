//! Commands and answers of cards (ISO/IEC 7816-4), without any I/O.
//!
//! A token speaks through a [`Transmit`] port that somebody else implements: a transaction over PC/SC, a script, a simulator. What goes
//! through the port is a [`Wire`]: the octets of one command with the marks that say what a log must not show of it.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

mod command;
mod exchange;
mod response;
mod sw;
#[cfg(test)]
pub(crate) mod tests;
pub mod tlv;

use std::fmt;

use zeroize::Zeroizing;

use crate::error::Result;

pub use command::{Command, Expect};
pub use exchange::Exchange;
pub use response::Response;
pub use sw::Sw;

/// Sends one command and brings one answer: the port between tokens and links.
pub trait Transmit: Send {
    /// The answer's data followed by SW1 and SW2: at least two octets.
    ///
    /// # Errors
    /// `CardRemoved`, `TokenFailed` (reset by another program, no answer), `ServiceStopped`, ...; each ends the use of the card.
    fn transmit(&mut self, command: &Wire) -> Result<Vec<u8>>;

    /// What card and reader can carry.
    fn limits(&self) -> Limits;
}

impl<T: Transmit + ?Sized> Transmit for &mut T {
    fn transmit(&mut self, command: &Wire) -> Result<Vec<u8>> {
        (**self).transmit(command)
    }

    fn limits(&self) -> Limits {
        (**self).limits()
    }
}

impl<T: Transmit + ?Sized> Transmit for Box<T> {
    fn transmit(&mut self, command: &Wire) -> Result<Vec<u8>> {
        (**self).transmit(command)
    }

    fn limits(&self) -> Limits {
        (**self).limits()
    }
}

/// What card and reader can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Card **and** reader say that they take extended length (ISO/IEC 7816-4 §5.1).
    pub extended: bool,
}

/// What must not be shown of a command and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Sensitive {
    /// Nothing is secret.
    #[default]
    No,
    /// The command's data: a PIN, a key.
    Command,
    /// The answer's data: a shared secret.
    Answer,
    /// Both.
    Both,
}

/// The octets of one command as they go to the card, with the marks that a log obeys. Wiped on drop; `Debug` shows header and length alone.
pub struct Wire {
    octets: Zeroizing<Vec<u8>>,
    sensitive: Sensitive,
}

impl Wire {
    /// Takes the octets of one command.
    #[must_use]
    pub fn new(octets: Vec<u8>, sensitive: Sensitive) -> Self {
        Wire { octets: Zeroizing::new(octets), sensitive }
    }

    /// CLA INS P1 P2 and the rest, for a link and nothing else.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// What must not be shown.
    #[must_use]
    pub fn sensitive(&self) -> Sensitive {
        self.sensitive
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for octet in self.octets.iter().take(4) {
            write!(f, "{octet:02X} ")?;
        }
        write!(f, "({} octets)", self.octets.len())
    }
}
