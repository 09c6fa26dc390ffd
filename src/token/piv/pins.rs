//! Changing and unblocking (SP 800-73-4 part 2, 3.2.2 and 3.2.3).

use super::pin;
use super::token::PivToken;
use crate::apdu::tlv::Objects;
use crate::apdu::{Command, Expect, Sensitive, Sw};
use crate::error::{Error, ErrorKind, Result};
use crate::pin::Pin;
use crate::token::{AdminAuth, PinRef, Pins};
use crate::tries::PinStatus;

/// The PUK's key reference (part 1, table 4a).
const PUK: u8 = 0x81;

/// What was shown to the card before the new PIN.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Pin,
    Puk,
}

impl PivToken {
    /// 24 or 2C: what is known and what is new, eight octets each. Both are looked at before anything is sent.
    fn replace(&mut self, name: &'static str, ins: u8, reference: u8, known: (&Pin, Shown), new: &Pin) -> Result<()> {
        let (known, shown) = known;
        let mut octets = pin::buffer();
        pin::write(&mut octets, known).map_err(|e| if shown == Shown::Puk { e.of_unlock_code() } else { e })?;
        let of_new = |error: Error| if reference == PUK { error.of_unlock_code() } else { error };
        pin::write(&mut octets, new).map_err(|error| {
            let what = error.what().unwrap_or_default().to_owned();
            of_new(Error::new(ErrorKind::NewPinRefused, name).detail(what))
        })?;
        if shown == Shown::Pin && self.pins.look(&mut self.card, reference)?.status() == PinStatus::Locked {
            return Err(Error::new(ErrorKind::PinLocked, name).tries(PinStatus::Locked));
        }
        // What was seen before is not true any more, whatever comes.
        self.pins.forget();
        let command = Command::new(name, ins, 0x00, reference).data(&octets).sensitive(Sensitive::Command);
        let sw = self.card.send(&command)?.sw();
        if sw == Sw::Success {
            return Ok(());
        }
        let left = match pin::refused(sw, self.quirks) {
            // A refusal that tells no tries: VERIFY without data tells them, and costs none.
            Some(PinStatus::Unknown { refused: true }) if shown == Shown::Pin => {
                let now = self.pins.look(&mut self.card, reference).map(|seen| seen.status());
                match now {
                    Ok(told @ (PinStatus::Known(_) | PinStatus::Locked)) => Some(told),
                    _ => Some(PinStatus::Unknown { refused: true }),
                }
            }
            other => other,
        };
        let error = refusal(name, sw, left, shown);
        Err(if error.kind() == ErrorKind::NewPinRefused { of_new(error) } else { error })
    }
}

fn refusal(name: &'static str, sw: Sw, left: Option<PinStatus>, shown: Shown) -> Error {
    use ErrorKind as K;
    let kind = match (left, shown, sw) {
        (Some(PinStatus::Locked | PinStatus::Known(0)), Shown::Pin, _) => K::PinLocked,
        (Some(PinStatus::Locked | PinStatus::Known(0)), Shown::Puk, _) => K::PukLocked,
        (Some(_), Shown::Pin, _) => K::PinIncorrect,
        (Some(_), Shown::Puk, _) => K::PukIncorrect,
        // 6A80: the form of the new PIN; 6985: too simple a one, for cards that look at that.
        (None, _, Sw::DataIncorrect | Sw::ConditionsNotSatisfied) => K::NewPinRefused,
        (None, _, Sw::ReferenceNotFound) => K::PinNotSet,
        (
            None,
            _,
            Sw::FunctionNotSupported | Sw::InstructionNotSupported | Sw::ClassNotSupported | Sw::IncorrectP1P2,
        ) => K::Unsupported,
        // Whatever else it says, it may have counted.
        _ => K::LoginFailed,
    };
    let error = sw.as_kind(kind, name);
    match left {
        Some(left) => error.tries(left),
        None => error,
    }
}

impl Pins for PivToken {
    fn change(&mut self, pin: &PinRef, old: &Pin, new: &Pin) -> Result<()> {
        let reference = pin::reference(pin)?;
        self.replace("CHANGE REFERENCE DATA", 0x24, reference, (old, Shown::Pin), new)
    }

    fn unblock(&mut self, pin: &PinRef, by: AdminAuth<'_>, new: &Pin) -> Result<()> {
        let reference = pin::reference(pin)?;
        let AdminAuth::Pin(puk) = by else {
            return Err(Error::new(ErrorKind::Unsupported, "RESET RETRY COUNTER").detail("a PIV card wants its PUK"));
        };
        self.replace("RESET RETRY COUNTER", 0x2C, reference, (puk, Shown::Puk), new)
    }

    /// GET METADATA of the PUK, where the card has that: 06 holds the tries of all and those left.
    fn puk_status(&mut self, _pin: &PinRef) -> Result<PinStatus> {
        let unknown = PinStatus::Unknown { refused: false };
        if !self.quirks.metadata {
            return Ok(unknown);
        }
        let answer = self.card.send(&Command::new("GET METADATA", 0xF7, 0x00, PUK).expect(Expect::Some))?;
        if answer.sw() != Sw::Success {
            return Ok(unknown);
        }
        let tries = Objects::new(answer.data()).find(0x06).ok().flatten();
        Ok(match tries.map(|o| o.value) {
            Some([_, 0]) => PinStatus::Locked,
            Some([_, left]) => PinStatus::Known(*left),
            _ => unknown,
        })
    }

    fn change_puk(&mut self, _pin: &PinRef, old: &Pin, new: &Pin) -> Result<()> {
        self.replace("CHANGE REFERENCE DATA", 0x24, PUK, (old, Shown::Puk), new)
    }
}
