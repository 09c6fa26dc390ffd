//! Ways to a card: readers, connections, transactions. The traits are the seam; PC/SC, scripts and faults stand behind them.
//!
//! - [`Readers`] is the smart-card service: it lists readers and waits for changes without sending a command to any card.
//! - [`Link`] is a shared connection to one insertion of one card. It is dead when the card was pulled out; the next insertion is another.
//! - [`Transaction`] is the only thing that one can transmit on. It knows whether the card was reset since the last one on this link. Dropping
//!   it ends the transaction and leaves the card as it is; the card is never reset by us.

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

#[cfg(any(test, feature = "doubles", feature = "simulator"))]
pub mod card;
#[cfg(test)]
mod doubles_tests;
#[cfg(any(test, feature = "doubles"))]
pub mod faults;
pub mod pcsc;
#[cfg(any(test, feature = "doubles"))]
pub mod replay;
pub mod trace;
#[cfg(test)]
pub(crate) mod trace_tests;

use std::fmt;
use std::sync::Arc;

use crate::apdu::Transmit;
use crate::error::Result;
use crate::wait::Wait;

/// An answer to reset (ISO/IEC 7816-3), at most 33 octets.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Atr(Vec<u8>);

impl Atr {
    /// Takes an ATR; what is longer than 33 octets is cut, because no card sends that.
    #[must_use]
    pub fn new(octets: &[u8]) -> Self {
        Atr(octets.iter().copied().take(33).collect())
    }

    /// Its octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, octet) in self.0.iter().enumerate() {
            write!(f, "{}{octet:02X}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Atr({self})")
    }
}

/// What is in a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Presence {
    /// No card.
    Empty,
    /// A card that answers.
    Card(Atr),
    /// A card that does not answer.
    Mute,
}

/// One reader as the service shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderState {
    /// Its name. A USB key is its own reader.
    pub reader: String,
    /// What is in it.
    pub presence: Presence,
    /// Another program holds it for itself alone.
    pub exclusive: bool,
    /// Counts insertions and removals, where the service counts them: the same card in and out between two looks changes it.
    pub events: u32,
}

/// The smart-card service, or what stands for it.
pub trait Readers: Send + Sync {
    /// Every reader with what is in it. Sends nothing to a card.
    ///
    /// # Errors
    /// `ServiceStopped`, `ServiceRefused`, `ServiceFull`, `ServiceMissing`, `Timeout`, `Cancelled`. No reader at all is an empty list.
    fn list(&self, wait: &Wait) -> Result<Vec<ReaderState>>;

    /// As [`Readers::list`], as soon as that differs from `known`; at the end of the wait what it is then. Sends nothing to a card and does
    /// not ask in a loop.
    ///
    /// # Errors
    /// As [`Readers::list`].
    fn changed(&self, known: &[ReaderState], wait: &Wait) -> Result<Vec<ReaderState>>;

    /// A shared connection to the card in `reader`.
    ///
    /// # Errors
    /// `CardRemoved` (no card), `ReaderBusy`, `CardMute`, `NoReader` (no such reader), and those of [`Readers::list`].
    fn connect(&self, reader: &str, wait: &Wait) -> Result<Arc<dyn Link>>;
}

/// A shared connection to one insertion of one card.
pub trait Link: Send + Sync {
    /// The card's ATR.
    fn atr(&self) -> Atr;

    /// Begins a transaction: until it is dropped, no other program reaches the card. Ends at the deadline whatever the service does.
    ///
    /// # Errors
    /// `Busy` at the deadline, `Cancelled`; `CardRemoved` when this insertion is over: the link is dead then; `ServiceStopped`.
    fn begin(&self, wait: &Wait) -> Result<Box<dyn Transaction>>;
}

/// The card for us alone. Dropping it ends the transaction and leaves the card as it is.
pub trait Transaction: Transmit {
    /// Whether the card was reset since the last transaction on this link. Other programs may have selected another application without a
    /// reset; nobody is told of that.
    fn continuity(&self) -> Continuity;
}

/// What happened to a card since the last transaction on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    /// This is the first one.
    First,
    /// No reset.
    Unbroken,
    /// A reset: every login is over and no application is selected.
    Reset,
}
