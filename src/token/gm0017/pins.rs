//! Changing and unblocking (GM/T 0017 §9.2): ChangePIN and UnblockPIN, of class 84 with a MAC.

use zeroize::Zeroizing;

use super::crypto::{self, Key};
use super::device;
use super::frame::{self, WITH_MAC};
use super::name::Name;
use super::pin::{self, Holder};
use super::token::GmToken;
use crate::apdu::{Sensitive, Sw};
use crate::error::{Error, ErrorKind, Result};
use crate::pin::Pin;
use crate::token::{AdminAuth, PinRef, Pins};
use crate::tries::PinStatus;

/// One of the two commands: what it is called, its instruction, whose PIN entitles to it, whose PIN it sets, and whose PIN P2 names.
struct Kind {
    name: &'static str,
    ins: u8,
    by: Holder,
    sets: Holder,
    p2: u8,
}

const CHANGE_USER: Kind = Kind { name: "ChangePIN", ins: 0x16, by: Holder::User, sets: Holder::User, p2: 1 };
const CHANGE_ADMIN: Kind = Kind { name: "ChangePIN", ins: 0x16, by: Holder::Admin, sets: Holder::Admin, p2: 0 };
const UNBLOCK: Kind = Kind { name: "UnblockPIN", ins: 0x1A, by: Holder::Admin, sets: Holder::User, p2: 0 };

/// An error about the PIN of this holder: the admin's is the unlock code of the user's.
fn about(holder: Holder, error: Error) -> Error {
    if holder == Holder::Admin { error.of_unlock_code() } else { error }
}

/// Under which name the tries of an application's admin PIN are remembered: no application's name has a NUL.
fn key_of(name: &Name, holder: Holder) -> Vec<u8> {
    match holder {
        Holder::User => name.octets().to_vec(),
        Holder::Admin => [name.octets(), &[0]].concat(),
    }
}

impl GmToken {
    /// AppID, the new PIN under the key of the one that entitles, MAC4. Both PINs are looked at before anything is sent, and both commands go
    /// right after the random that their MAC is made with.
    fn replace(&mut self, kind: &Kind, name: &Name, by: &Pin, new: &Pin) -> Result<()> {
        crypto::check(by).map_err(|error| about(kind.by, error))?;
        crypto::check(new).map_err(|error| {
            let what = error.what().unwrap_or_default().to_owned();
            about(kind.sets, Error::new(ErrorKind::NewPinRefused, kind.name).detail(what))
        })?;
        let form = self.form.dialect(kind.name)?.mac.ok_or_else(|| unknown_mac(kind.name))?;
        let before = self.status_of(name, kind.by)?;
        if before == PinStatus::Locked {
            let locked = if kind.by == Holder::Admin { ErrorKind::PukLocked } else { ErrorKind::PinLocked };
            return Err(Error::new(locked, kind.name).tries(before));
        }
        let dialect = self.form.allow(&self.at, before, kind.name)?;
        let id = self.open(name)?;
        let random = device::challenge(&mut self.card)?;
        let key = Key::of_pin(dialect, by);
        let mut data = Zeroizing::new(Vec::with_capacity(crypto::BLOCK.saturating_mul(2)));
        data.extend_from_slice(&id.0);
        data.extend_from_slice(&key.wrap(new)[..]);
        let mac = key.mac(form, random, [WITH_MAC, kind.ins, 0, kind.p2], &data);
        data.extend_from_slice(&mac);
        let command = frame::command(kind.name, kind.ins, 0, kind.p2).class(WITH_MAC).data(&data);
        // Whatever comes, what was seen is not true any more, and nobody says what becomes of a login.
        self.set_seen(None);
        self.touched.insert(name.clone());
        let pin = key_of(name, kind.by);
        self.at.sends(&pin, before);
        let sw = self.card.send(&command.sensitive(Sensitive::Command))?.sw();
        self.at.heard(&pin);
        self.lost_login(name);
        if sw == Sw::Success {
            self.at.saw_refusal(&pin, false);
            // All tries of the new user PIN are there, and no PIN that went out before is in doubt: it is another one now.
            if kind.p2 == Holder::User.octet() || kind.ins == UNBLOCK.ins {
                self.at.saw_refusal(name.octets(), false);
                self.at.heard(name.octets());
            }
            return Ok(());
        }
        let left = self.tries_after(&pin, id, kind.by);
        let error = sw.as_kind(refusal(sw, left, kind.by), kind.name).tries(left);
        let error = if error.kind() == ErrorKind::NewPinRefused { about(kind.sets, error) } else { error };
        Err(self.form.doubted(&self.at, error))
    }

    /// The state of a PIN, read in this transaction in the application that was opened last.
    fn status_of(&mut self, name: &Name, holder: Holder) -> Result<PinStatus> {
        if holder == Holder::User {
            return self.look_for_login(name).map(|seen| seen.status);
        }
        let id = self.open(name)?;
        let (told, ..) = pin::info(&mut self.card, id, holder)?;
        Ok(pin::remembered(&self.at, &key_of(name, holder), told))
    }
}

fn unknown_mac(name: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, name)
        .detail("nobody says how this device's MAC is made: use its maker's program, or ask the office")
}

fn refusal(sw: Sw, left: PinStatus, by: Holder) -> ErrorKind {
    use ErrorKind as K;
    let (locked, wrong) = match by {
        Holder::User => (K::PinLocked, K::PinIncorrect),
        Holder::Admin => (K::PukLocked, K::PukIncorrect),
    };
    match sw.raw() {
        0x6983 => locked,
        _ if left == PinStatus::Locked => locked,
        _ if pin::is_refusal(sw) => wrong,
        _ if frame::is_stale(sw) => K::CardApplication,
        0x6A80 | 0x6A8D => K::NewPinRefused,
        0x6A81 | 0x6A86 | 0x6D00 | 0x6E00 => K::Unsupported,
        // Whatever else it says, it may have counted.
        _ => K::LoginFailed,
    }
}

impl Pins for GmToken {
    fn change(&mut self, pin: &PinRef, old: &Pin, new: &Pin) -> Result<()> {
        self.replace(&CHANGE_USER, &pin::application(pin)?, old, new)
    }

    fn unblock(&mut self, pin: &PinRef, by: AdminAuth<'_>, new: &Pin) -> Result<()> {
        let AdminAuth::Pin(admin) = by else {
            return Err(Error::new(ErrorKind::Unsupported, UNBLOCK.name)
                .detail("the application's admin PIN unblocks its user PIN"));
        };
        self.replace(&UNBLOCK, &pin::application(pin)?, admin, new)
    }

    /// The tries of the application's admin PIN.
    fn puk_status(&mut self, pin: &PinRef) -> Result<PinStatus> {
        self.status_of(&pin::application(pin)?, Holder::Admin)
    }

    fn change_puk(&mut self, pin: &PinRef, old: &Pin, new: &Pin) -> Result<()> {
        self.replace(&CHANGE_ADMIN, &pin::application(pin)?, old, new)
    }
}
