//! GetPINInfo, GenRandom and VerifyPIN (GM/T 0017 §9.2), and the state of a PIN that has to be read before it goes out.
//!
//! [`GmToken::verify`] sends a PIN only to the application that was opened last in this transaction, after its state was read there: numbers of
//! applications are given anew whenever any program opens one, and a customs PIN must never reach the bank's application.

use super::application::AppId;
use super::crypto::{self, Key, RANDOM};
use super::device;
use super::dialect::Dialect;
use super::frame::{self, Fields};
use super::name::Name;
use super::token::GmToken;
use crate::apdu::{Exchange, Expect, Sensitive, Sw};
use crate::error::{Error, ErrorKind, Result};
use crate::pin::Pin;
use crate::token::{Insertion, PinRef, PinState};
use crate::tries::PinStatus;

/// Whose PIN (P2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    Admin,
    User,
}

impl Holder {
    pub(super) fn octet(self) -> u8 {
        match self {
            Holder::Admin => 0,
            Holder::User => 1,
        }
    }
}

/// The most tries that are believed: GM/T 0027 allows ten, a status word can tell fifteen.
const TRIES_MOST: u8 = 15;

/// The state of a PIN as it was read, or made, in this transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) status: PinStatus,
    /// All tries, where that can be believed.
    full: Option<u8>,
    pub(super) in_doubt: bool,
    /// Still the PIN that the maker set, as the device says.
    factory: bool,
    /// It follows from an accepted PIN and was not read.
    pub(super) made: bool,
}

impl Seen {
    /// In a batch nobody is asked before a PIN goes again, so it goes only while nothing speaks of a refusal: `most` are the most tries that
    /// were seen on this card.
    pub(super) fn refuse_risk(self, most: u8) -> Result<()> {
        let kind = match (risk(self.status), self.status) {
            (Some(kind), _) => kind,
            (None, PinStatus::Known(now)) if now < most => ErrorKind::PinRequired,
            _ if self.in_doubt => ErrorKind::PinRequired,
            _ => return Ok(()),
        };
        Err(Error::new(kind, VERIFY).tries(self.status))
    }
}

/// What a person is asked to say explicitly before a PIN in this state is sent, or that none can be.
pub(super) fn risk(status: PinStatus) -> Option<ErrorKind> {
    match status {
        PinStatus::Locked | PinStatus::Known(0) => Some(ErrorKind::PinLocked),
        PinStatus::Unknown { refused: true } => Some(ErrorKind::TriesUnknown),
        last if last.is_last_try() => Some(ErrorKind::LastTry),
        _ => None,
    }
}

const VERIFY: &str = "VerifyPIN";

/// The application whose user PIN it is.
pub(super) fn application(pin: &PinRef) -> Result<Name> {
    Name::of(&pin.0).ok_or_else(|| Error::new(ErrorKind::PinRole, VERIFY).detail("the PIN of another token"))
}

/// GetPINInfo: max1, remain1, default1. The status, all tries, and whether it is still the maker's PIN. Costs no try.
pub(super) fn info(card: &mut Exchange<'_>, id: AppId, holder: Holder) -> Result<(PinStatus, Option<u8>, bool)> {
    const NAME: &str = "GetPINInfo";
    let command = frame::command(NAME, 0x14, 0, holder.octet()).data(&id.0).expect(Expect::Exactly(3));
    let answer = frame::run(card, &command).map_err(|error| match error.kind() {
        ErrorKind::Unsupported => error.detail("the device does not tell the tries of its PINs, so none is sent to it"),
        _ => error,
    })?;
    let mut fields = Fields::of(&answer, NAME);
    let [most, left, default] = fields.take()?;
    fields.end()?;
    let (status, full) = match (most, left) {
        (_, 0) => (PinStatus::Locked, None),
        (1..=TRIES_MOST, left) if left <= most => (PinStatus::Known(left), Some(most)),
        // More left than there are, or more than any device counts: it does not tell.
        _ => (PinStatus::Unknown { refused: false }, None),
    };
    Ok((status, full, default != 0))
}

/// A status word that says that a PIN was wrong. How many tries it tells differs between sources, so they are read afterwards.
pub(super) fn is_refusal(sw: Sw) -> bool {
    matches!(sw.raw(), 0x6300..=0x63FF | 0x6983)
}

/// What is known of a PIN when this was read: what is remembered of refusals goes before what is not told.
pub(super) fn remembered(at: &Insertion, pin: &[u8], told: PinStatus) -> PinStatus {
    match told {
        PinStatus::Unknown { .. } => PinStatus::Unknown { refused: at.was_refused(pin) },
        told => told,
    }
}

impl GmToken {
    /// The state of an application's user PIN, for whoever is asked for it next. A number that is remembered from an earlier lease serves once.
    pub(super) fn glance(&mut self, name: &Name) -> Result<Seen> {
        if let Some(seen) = self.open_seen(name) {
            return Ok(seen);
        }
        if let Some((_, seen)) = self.glanced.as_ref().filter(|(glanced, _)| glanced == name) {
            return Ok(*seen);
        }
        let remembered_id = if self.has_open() { None } else { self.memory(|memory| memory.glance(name)) };
        let Some(id) = remembered_id else { return self.look(name) };
        match info(&mut self.card, id, Holder::User) {
            Ok((told, full, factory)) => {
                let status = remembered(&self.at, name.octets(), told);
                let in_doubt = self.at.in_doubt(name.octets(), status);
                let seen = Seen { status, full, in_doubt, factory, made: false };
                self.glanced = Some((name.clone(), seen));
                Ok(seen)
            }
            Err(error) if self.card.has_failed() => Err(error),
            Err(_) => self.look(name),
        }
    }

    /// Opens the application, in this transaction, and reads the state of its user PIN.
    pub(super) fn look(&mut self, name: &Name) -> Result<Seen> {
        let id = self.open(name)?;
        if let Some(seen) = self.open_seen(name) {
            return Ok(seen);
        }
        let (told, full, factory) = info(&mut self.card, id, Holder::User)?;
        self.memory(|memory| memory.saw_most(name, full));
        if let PinStatus::Known(left) = told {
            self.at.saw_tries(name.octets(), left);
        }
        let status = remembered(&self.at, name.octets(), told);
        let in_doubt = self.at.in_doubt(name.octets(), status);
        let seen = Seen { status, full, in_doubt, factory, made: false };
        self.set_seen(Some(seen));
        Ok(seen)
    }

    /// As [`GmToken::look`], read after the last PIN went out.
    pub(super) fn look_for_login(&mut self, name: &Name) -> Result<Seen> {
        if self.open_seen(name).is_some_and(|seen| seen.made) {
            self.set_seen(None);
        }
        let seen = self.look(name)?;
        // Whoever allowed this PIN did so by what a remembered number told: that may have been of another application.
        let before = self.glanced.take().filter(|(glanced, _)| glanced == name).map(|(_, seen)| risk(seen.status));
        match risk(seen.status) {
            Some(kind) if before.is_some_and(|before| before != Some(kind)) => {
                Err(Error::new(kind, VERIFY).tries(seen.status))
            }
            _ => Ok(seen),
        }
    }

    /// A PIN that a person entered: it goes out once.
    pub(super) fn verify(&mut self, name: &Name, pin: &Pin) -> Result<()> {
        crypto::check(pin)?;
        self.form.dialect(VERIFY)?;
        let seen = self.look_for_login(name)?;
        self.show(name, seen, pin)
    }

    /// As [`GmToken::verify`], for a PIN that nobody entered just now.
    pub(super) fn verify_again(&mut self, name: &Name, pin: &Pin) -> Result<()> {
        crypto::check(pin)?;
        self.form.dialect(VERIFY)?;
        let seen = self.look_for_login(name)?;
        seen.refuse_risk(self.at.most_tries(name.octets()))?;
        self.show(name, seen, pin)
    }

    /// GenRandom and VerifyPIN, one right after the other. A PIN that is locked does not go out.
    fn show(&mut self, name: &Name, seen: Seen, pin: &Pin) -> Result<()> {
        let before = seen.status;
        if matches!(before, PinStatus::Locked | PinStatus::Known(0)) {
            return Err(Error::new(ErrorKind::PinLocked, VERIFY).tries(PinStatus::Locked));
        }
        let dialect = self.form.allow(&self.at, before, VERIFY)?;
        let id = self.open(name)?;
        let random = device::challenge(&mut self.card)?;
        let command = verify_command(id, Holder::User, dialect, pin, random);
        // Whatever comes now, also an error of the port: what was seen before is not true any more, and a login may be open.
        self.set_seen(None);
        self.touched.insert(name.clone());
        self.at.sends(name.octets(), before);
        let sw = self.card.send(&command)?.sw();
        self.at.heard(name.octets());
        if sw == Sw::Success {
            self.at.saw_refusal(name.octets(), false);
            self.at.proved(dialect.name);
            // It has all of its tries again: with fewer, somebody entered a wrong one after this.
            seen.full.iter().for_each(|full| self.at.saw_tries(name.octets(), *full));
            let status = seen.full.map_or(PinStatus::Unknown { refused: false }, PinStatus::Known);
            self.set_seen(Some(Seen { status, in_doubt: false, made: true, ..seen }));
            self.logins.insert(name.clone());
            return Ok(());
        }
        self.logins.remove(name);
        self.memory(|memory| memory.keep_no_more(name));
        Err(self.refused(name, id, sw))
    }

    /// VerifyPIN's answer as an error, with the tries as the card tells them now.
    fn refused(&mut self, name: &Name, id: AppId, sw: Sw) -> Error {
        let left = self.tries_after(name.octets(), id, Holder::User);
        let kind = match sw.raw() {
            0x6983 => ErrorKind::PinLocked,
            _ if left == PinStatus::Locked => ErrorKind::PinLocked,
            _ if frame::is_stale(sw) => ErrorKind::CardApplication,
            _ if is_refusal(sw) => ErrorKind::PinIncorrect,
            0x6D00 | 0x6E00 => ErrorKind::Unsupported,
            // Whatever else it says, it may have counted.
            _ => ErrorKind::LoginFailed,
        };
        let error = self.form.doubted(&self.at, sw.as_kind(kind, VERIFY).tries(left));
        match sw.raw() {
            0x6581 | 0x6A97 => error.detail("the device could not write its memory; a simulator's is its state file"),
            _ => error,
        }
    }

    /// The tries after a PIN was not accepted. A card that does not tell them is remembered to have refused.
    pub(super) fn tries_after(&mut self, pin: &[u8], id: AppId, holder: Holder) -> PinStatus {
        let told = info(&mut self.card, id, holder).map_or(PinStatus::Unknown { refused: true }, |(told, ..)| told);
        match told {
            PinStatus::Known(left) => self.at.saw_tries(pin, left),
            PinStatus::Locked => {}
            _ => self.at.saw_refusal(pin, true),
        }
        remembered(&self.at, pin, told)
    }

    pub(super) fn state(&mut self, name: &Name) -> Result<PinState> {
        let seen = self.glance(name)?;
        Ok(PinState {
            status: seen.status,
            open: self.is_logged_in(name),
            on_device: false,
            in_doubt: seen.in_doubt,
            form: self.form.state(&self.at),
            factory: Some(seen.factory),
        })
    }
}

/// VerifyPIN: AppID, 16 octets of cryptogram. With the random before it a listener could try PINs, so no log may show either.
fn verify_command(
    id: AppId,
    holder: Holder,
    dialect: &Dialect,
    pin: &Pin,
    random: [u8; RANDOM],
) -> crate::apdu::Command {
    let cryptogram = Key::of_pin(dialect, pin).cryptogram(dialect, random);
    let data = [&id.0[..], &cryptogram[..]].concat();
    frame::command(VERIFY, 0x18, 0, holder.octet()).data(&data).sensitive(Sensitive::Command)
}
