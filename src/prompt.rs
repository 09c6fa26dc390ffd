//! How a person is asked for a PIN. No lease, no lock and no transaction is open meanwhile.

use std::fmt;

use crate::error::Result;
use crate::pin::Pin;
use crate::role::Role;
use crate::suite::Summary;
use crate::tries::PinStatus;

/// What a prompt shows: which PIN, for what, and how many tries are left.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PinQuestion<'a> {
    /// The role whose PIN is asked for.
    pub role: Role,
    /// Other roles that the same PIN opens (one PIN scope): name them, the tries count once.
    pub also_opens: &'a [Role],
    /// What will be signed.
    pub summary: &'a Summary,
    /// Tries left, as far as the token tells.
    pub status: PinStatus,
    /// The PIN is to be typed on the device: answer [`PinEntry::OnDevice`].
    pub on_device: bool,
}

impl PinQuestion<'_> {
    /// Makes a PIN for the role that is asked for.
    ///
    /// # Errors
    /// As [`Pin::new`]; no token has seen anything then.
    pub fn pin(&self, octets: &[u8]) -> Result<Pin> {
        Pin::new(self.role, octets)
    }
}

/// A person's answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum PinEntry {
    /// Typed here.
    Typed(Pin),
    /// Typed on the device.
    OnDevice,
}

/// The person did not enter a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declined;

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no PIN was entered")
    }
}

impl std::error::Error for Declined {}

/// Asks a person.
///
/// Every closure `FnMut(&PinQuestion) -> Result<PinEntry, Declined>` is one:
///
/// ```
/// use shared_shield::{Declined, PinEntry, PinPrompt, PinQuestion};
/// let mut prompt = |q: &PinQuestion<'_>| {
///     let typed = b"12345678"; // from a dialog that shows q.role, q.summary and q.status
///     q.pin(typed).map(PinEntry::Typed).map_err(|_| Declined)
/// };
/// let _: &mut dyn PinPrompt = &mut prompt;
/// ```
pub trait PinPrompt {
    /// Asks once.
    ///
    /// # Errors
    /// [`Declined`] when the person closes the dialog.
    fn ask(&mut self, question: &PinQuestion<'_>) -> Result<PinEntry, Declined>;
}

impl<F> PinPrompt for F
where
    F: FnMut(&PinQuestion<'_>) -> Result<PinEntry, Declined>,
{
    fn ask(&mut self, question: &PinQuestion<'_>) -> Result<PinEntry, Declined> {
        self(question)
    }
}
