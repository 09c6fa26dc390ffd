//! VERIFY, and the state of a PIN that has to be read before it (SP 800-73-4 part 2, 3.2.1).
//!
//! [`Pins::verify`] wants a [`Seen`], and only [`Pins::look`] makes one: so no PIN goes out without SELECT (the token was made by it) and
//! the state of the PIN, both in the transaction that is still open. While it is open nobody else reaches the card, so what was seen stays
//! true until we send the next PIN ourselves.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::family::Quirks;
use super::object::{APPLICATION_PIN, GLOBAL_PIN};
use crate::apdu::{Command, Exchange, Sensitive, Sw};
use crate::error::{Error, ErrorKind, Result};
use crate::pin::Pin;
use crate::token::{Insertion, PinForm, PinRef, PinState};
use crate::tries::PinStatus;

/// A PIN on the wire is eight octets, shorter ones are filled with FF (part 2, 2.4.3).
const WIRE: usize = 8;
/// The shortest PIN.
const LEAST: usize = 6;

/// The state of a PIN as it was read, or made, in this transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    reference: u8,
    status: PinStatus,
    /// The card says that the PIN was shown to it: by us or by another program.
    open: bool,
    /// See [`PinState::in_doubt`].
    in_doubt: bool,
}

impl Seen {
    pub(super) fn is_open(self) -> bool {
        self.open
    }

    pub(super) fn status(self) -> PinStatus {
        self.status
    }

    pub(super) fn state(self) -> PinState {
        PinState {
            status: self.status,
            open: self.open,
            on_device: false,
            in_doubt: self.in_doubt,
            form: PinForm::Sure,
            factory: None,
        }
    }

    /// In a batch nobody is asked before a PIN goes again, so it goes only while nothing speaks of a refusal: `most` are the most tries
    /// that were seen on this card.
    fn refuse_risk(self, most: u8) -> Result<()> {
        let kind = match self.status {
            PinStatus::Locked | PinStatus::Known(0) => ErrorKind::PinLocked,
            PinStatus::Unknown { refused: true } => ErrorKind::TriesUnknown,
            last if last.is_last_try() => ErrorKind::LastTry,
            PinStatus::Known(now) if now < most => ErrorKind::PinRequired,
            _ if self.in_doubt => ErrorKind::PinRequired,
            _ => return Ok(()),
        };
        Err(Error::new(kind, "VERIFY").tries(self.status))
    }
}

/// The key reference of a PIN.
pub(super) fn reference(pin: &PinRef) -> Result<u8> {
    match pin.0.as_slice() {
        [reference @ (APPLICATION_PIN | GLOBAL_PIN)] => Ok(*reference),
        _ => Err(Error::new(ErrorKind::PinRole, "VERIFY").detail("the PIN of another token")),
    }
}

/// Writes a PIN in the card's form at the end of `to`. The standard has digits alone, keys take letters too; what is no ASCII cannot be
/// meant, because nobody says in which encoding.
pub(super) fn write(to: &mut Zeroizing<Vec<u8>>, pin: &Pin) -> Result<()> {
    let octets = pin.expose();
    if !(LEAST..=WIRE).contains(&octets.len()) {
        return Err(Error::new(ErrorKind::PinLength, "PIN entry").detail(format!("{LEAST} to {WIRE} characters")));
    }
    if !octets.iter().all(|o| (0x20..0x7F).contains(o)) {
        return Err(Error::new(ErrorKind::PinEncoding, "PIN entry").detail("digits, or letters and signs of ASCII"));
    }
    to.extend_from_slice(octets);
    to.extend(std::iter::repeat_n(0xFF, WIRE.saturating_sub(octets.len())));
    Ok(())
}

/// Room for two PINs: a buffer that never grows leaves no copy behind.
pub(super) fn buffer() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(2 * WIRE))
}

/// What a card says of the tries after a refusal; `None` where the status word is none of a refusal.
pub(super) fn refused(sw: Sw, quirks: Quirks) -> Option<PinStatus> {
    match sw {
        Sw::Tries(0) | Sw::AuthenticationBlocked => Some(PinStatus::Locked),
        Sw::Tries(n) => Some(PinStatus::Known(n)),
        Sw::Warning(raw @ 0x6300..=0x630F) if quirks.tries_in_630x => match raw.to_be_bytes() {
            [_, 0] => Some(PinStatus::Locked),
            [_, n] => Some(PinStatus::Known(n)),
        },
        // ISO/IEC 7816-4: verification failed, nothing more is said.
        Sw::Warning(0x6300) => Some(PinStatus::Unknown { refused: true }),
        _ => None,
    }
}

/// What is known of the PIN in this transaction.
#[derive(Debug)]
pub(super) struct Pins {
    at: Arc<Insertion>,
    quirks: Quirks,
    seen: Option<Seen>,
}

impl Pins {
    pub(super) fn new(at: &Arc<Insertion>, quirks: Quirks) -> Self {
        Pins { at: Arc::clone(at), quirks, seen: None }
    }

    /// What was read of this PIN is not known to be true any more.
    pub(super) fn forget(&mut self) {
        self.seen = None;
    }

    /// The state of a PIN. VERIFY without data (3.2.1) tells it and costs no try and no login.
    pub(super) fn look(&mut self, card: &mut Exchange<'_>, reference: u8) -> Result<Seen> {
        if let Some(seen) = self.seen.filter(|seen| seen.reference == reference) {
            return Ok(seen);
        }
        let sw = card.send(&Command::new("VERIFY", 0x20, 0x00, reference))?.sw();
        let (status, open) = match sw {
            // Shown to the card, by whomever: a right PIN sets the counter to its full value, and a wrong one ends this state. So no
            // try is missing.
            Sw::Success => (PinStatus::AtLeast(self.full(reference)), true),
            // No such PIN on the card (6A88).
            Sw::ReferenceNotFound => return Err(sw.as_kind(ErrorKind::PinNotSet, "VERIFY")),
            // Another application is selected, or none: nothing that follows would reach the PIV application.
            Sw::InstructionNotSupported | Sw::ClassNotSupported => {
                return Err(sw.as_kind(ErrorKind::CardApplication, "VERIFY"));
            }
            Sw::Failure(_) => return Err(sw.error("VERIFY")),
            // Cards that do not tell say many things; none of them speaks of a refusal, because no PIN was sent. What is remembered does.
            other => match refused(other, self.quirks) {
                Some(told @ (PinStatus::Known(_) | PinStatus::Locked)) => (told, false),
                _ => (PinStatus::Unknown { refused: self.at.was_refused(&[reference]) }, false),
            },
        };
        if let PinStatus::Known(tries) = status {
            self.at.saw_tries(&[reference], tries);
        }
        if open {
            self.at.heard(&[reference]);
        }
        let in_doubt = self.at.in_doubt(&[reference], status);
        Ok(*self.seen.insert(Seen { reference, status, open, in_doubt }))
    }

    /// The fewest tries that a PIN has when none is missing: as many as were seen in this insertion; no card that is known has fewer than two.
    fn full(&self, reference: u8) -> u8 {
        self.at.most_tries(&[reference]).max(2)
    }

    /// As [`Pins::verify`], for a PIN that nobody entered just now.
    pub(super) fn verify_again(&mut self, card: &mut Exchange<'_>, seen: Seen, pin: &Pin) -> Result<()> {
        seen.refuse_risk(self.at.most_tries(&[seen.reference]))?;
        self.verify(card, seen, pin)
    }

    /// VERIFY: the PIN goes out once. A PIN that is locked, or cannot be one, does not.
    pub(super) fn verify(&mut self, card: &mut Exchange<'_>, seen: Seen, pin: &Pin) -> Result<()> {
        let Seen { reference, status: before, .. } = seen;
        if matches!(before, PinStatus::Locked | PinStatus::Known(0)) {
            return Err(Error::new(ErrorKind::PinLocked, "VERIFY").tries(PinStatus::Locked));
        }
        let mut octets = buffer();
        write(&mut octets, pin)?;
        let command = Command::new("VERIFY", 0x20, 0x00, reference).data(&octets).sensitive(Sensitive::Command);
        // Whatever comes now, also an error of the port: what was seen before is not true any more.
        self.seen = None;
        self.at.sends(&[reference], before);
        let sw = card.send(&command)?.sw();
        self.at.heard(&[reference]);
        if sw == Sw::Success {
            self.at.saw_refusal(&[reference], false);
            // Full again; how many that is, is not said.
            let least = match before {
                PinStatus::Known(n) | PinStatus::AtLeast(n) => n.max(self.full(reference)),
                _ => self.full(reference),
            };
            self.seen = Some(Seen { reference, status: PinStatus::AtLeast(least), open: true, in_doubt: false });
            return Ok(());
        }
        let error = refusal(sw, refused(sw, self.quirks));
        if error.tries_left() == Some(PinStatus::Unknown { refused: true }) {
            self.at.saw_refusal(&[reference], true);
        }
        Err(error)
    }
}

/// VERIFY's answer as an error (part 2, 3.2.1, table of status words).
fn refusal(sw: Sw, left: Option<PinStatus>) -> Error {
    let kind = match (left, sw) {
        (Some(PinStatus::Locked), _) => ErrorKind::PinLocked,
        (Some(_), _) => ErrorKind::PinIncorrect,
        // 6A80: the form of the PIN is wrong, no try was used.
        (None, Sw::DataIncorrect) => ErrorKind::PinEncoding,
        (None, Sw::WrongLength) => ErrorKind::PinLength,
        (None, Sw::ReferenceNotFound) => ErrorKind::PinNotSet,
        (None, Sw::InstructionNotSupported | Sw::ClassNotSupported) => ErrorKind::CardApplication,
        // Whatever else it says, it may have counted.
        _ => ErrorKind::LoginFailed,
    };
    let error = sw.as_kind(kind, "VERIFY");
    match left {
        Some(left) => error.tries(left),
        None if kind == ErrorKind::LoginFailed => error.tries(PinStatus::Unknown { refused: true }),
        None => error,
    }
}
