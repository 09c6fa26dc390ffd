//! Changing and unblocking the PIN of a role.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::signing::{self, Ready};
use super::{Shield, log};
use crate::credential::{Credential, Selector};
use crate::door::DoorId;
use crate::error::{Error, ErrorKind, Result, next_correlation};
use crate::pin::Pin;
use crate::role::Role;
use crate::token::{AdminAuth, PinRef, PinState, Pins};
use crate::tries::{Consent, PinStatus};
use crate::wait::{Wait, lock};

/// What is done with a PIN.
#[derive(Clone, Copy)]
enum Job {
    /// By the old one.
    Change(Consent),
    /// By the unlock code, or to that code itself.
    ByUnlockCode(Consent),
}

impl Job {
    fn is_possible(self, pins: Option<&mut dyn Pins>) -> bool {
        match self {
            Job::Change(_) => pins.is_some(),
            Job::ByUnlockCode(_) => pins.is_some_and(|p| p.has_unlock_code()),
        }
    }

    fn impossible(self, door: &DoorId) -> Error {
        let door = door.without_label();
        let why = match self {
            Job::Change(_) => {
                format!("{door} has no way known here to change PINs: use the vendor's program, or ask the office")
            }
            Job::ByUnlockCode(_) => {
                format!(
                    "{door} has no unlock code (PUK) that is known here: use the vendor's program, or ask the office"
                )
            }
        };
        Error::new(ErrorKind::Unsupported, "change PIN").detail(why)
    }
}

/// What refusals told of the tries of unlock codes: few tokens tell them otherwise.
#[derive(Default)]
pub(crate) struct Puks(Mutex<BTreeMap<(DoorId, Vec<u8>), PinStatus>>);

impl Puks {
    /// Refuses to spend what may be the last try, unless a person said so, and to send anything in a form that is not known.
    fn guard(
        &self,
        (door, pin): (&DoorId, &PinRef),
        pins: &mut dyn Pins,
        consent: Consent,
        state: PinState,
    ) -> Result<()> {
        let told = pins.puk_status(pin)?;
        let seen = lock(&self.0).get(&(door.clone(), pin.0.clone())).copied();
        let status = match (told, seen) {
            (PinStatus::Unknown { .. }, Some(seen)) => seen,
            (told, _) => told,
        };
        let refuse = |kind| Err(Error::new(kind, "read PUK state").tries(status));
        match status {
            PinStatus::Locked | PinStatus::Known(0) => refuse(ErrorKind::PukLocked),
            last if last.is_last_try() && consent < Consent::LastTry => refuse(ErrorKind::PukLastTry),
            PinStatus::Unknown { refused: true } if consent < Consent::AfterRefusal => refuse(ErrorKind::TriesUnknown),
            _ => signing::guard_form(PinState { status, ..state }),
        }
    }

    fn learn(&self, (door, pin): (&DoorId, &PinRef), done: &Result<()>) {
        let key = (door.clone(), pin.0.clone());
        match done {
            Ok(()) => drop(lock(&self.0).remove(&key)),
            Err(error)
                if matches!(error.kind(), ErrorKind::PukIncorrect | ErrorKind::PukLocked | ErrorKind::LoginFailed) =>
            {
                let left = error.tries_left().unwrap_or(PinStatus::Unknown { refused: true });
                lock(&self.0).insert(key, left);
            }
            Err(_) => {}
        }
    }
}

impl Shield {
    /// Changes the PIN of a role. What was entered is sent once. Where one PIN opens both roles ([`Shield::also_opens`]) it changes for both.
    ///
    /// # Errors
    /// `PinIncorrect` with the tries left; `LastTry` and `TriesUnknown` unless `consent` says otherwise; `NewPinRefused`: the old PIN is in
    /// force; `PinLength`, `PinEncoding`: nothing was sent; `Unsupported` where the token does not let us; and as [`Shield::pin_status`].
    pub fn change_pin(
        &self,
        role: Role,
        selector: &Selector,
        (old, new): (&Pin, &Pin),
        consent: Consent,
        wait: &Wait,
    ) -> Result<()> {
        let (old, new) = (old.duplicate(), new.duplicate());
        self.with_pins(role, selector, Job::Change(consent), wait, move |pins, pin| {
            if old.role() != role || new.role() != role {
                return Err(Error::new(ErrorKind::PinRole, "change PIN"));
            }
            pins.change(pin, &old, &new)
        })
    }

    /// Sets a new PIN by the unlock code (PUK), and gives it all its tries. What was entered is sent once; a wrong unlock code uses up one of
    /// its own tries.
    ///
    /// # Errors
    /// `PukIncorrect` with the tries of the unlock code, `PukLocked`, `NewPinRefused`, `PinLength`, `PinEncoding`; `PukLastTry` unless `consent`
    /// says otherwise, where the token or an earlier refusal of this shield told how many are left, and `TriesUnknown` where it told nothing; `Unsupported` where the token does not let
    /// us; and as [`Shield::pin_status`].
    pub fn unblock_pin(
        &self,
        role: Role,
        selector: &Selector,
        (puk, new): (&Pin, &Pin),
        consent: Consent,
        wait: &Wait,
    ) -> Result<()> {
        let (puk, new) = (puk.duplicate(), new.duplicate());
        self.with_pins(role, selector, Job::ByUnlockCode(consent), wait, move |pins, pin| {
            if new.role() != role {
                return Err(Error::new(ErrorKind::PinRole, "unblock PIN"));
            }
            pins.unblock(pin, AdminAuth::Pin(&puk), &new)
        })
    }

    /// Changes the unlock code (PUK) itself. What was entered is sent once.
    ///
    /// # Errors
    /// As [`Shield::unblock_pin`].
    pub fn change_puk(
        &self,
        role: Role,
        selector: &Selector,
        (old, new): (&Pin, &Pin),
        consent: Consent,
        wait: &Wait,
    ) -> Result<()> {
        let (old, new) = (old.duplicate(), new.duplicate());
        self.with_pins(role, selector, Job::ByUnlockCode(consent), wait, move |pins, pin| {
            pins.change_puk(pin, &old, &new)
        })
    }

    /// Tries left for a role's PIN, read where [`Shield::change_pin`] would change it: so that nobody is asked for a PIN which could not be
    /// changed. Spends no try.
    ///
    /// # Errors
    /// `Unsupported` where no way lets PINs be changed, `DialectMissing` and `DialectUnproven` where no PIN may be sent, and as
    /// [`Shield::pin_status`].
    pub fn pin_change_status(&self, role: Role, selector: &Selector, wait: &Wait) -> Result<PinStatus> {
        self.status_for(Job::Change(Consent::None), role, selector, wait)
    }

    /// The same where [`Shield::unblock_pin`] and [`Shield::change_puk`] would do their work.
    ///
    /// # Errors
    /// `Unsupported` where no way has an unlock code, and as [`Shield::pin_change_status`].
    pub fn pin_unblock_status(&self, role: Role, selector: &Selector, wait: &Wait) -> Result<PinStatus> {
        self.status_for(Job::ByUnlockCode(Consent::None), role, selector, wait)
    }

    fn status_for(&self, job: Job, role: Role, selector: &Selector, wait: &Wait) -> Result<PinStatus> {
        let read = || {
            let credential = self.resolve(role, selector, true)?;
            let Ready { route, mut lease, state } = self.pin_route(job, &credential, wait)?;
            let pin = route.slot.pin.clone();
            let status = match job {
                Job::Change(_) => state.status,
                Job::ByUnlockCode(_) => lease.call("read PUK state", wait, move |token| {
                    token.pins().map_or(Ok(PinStatus::Unknown { refused: false }), |pins| pins.puk_status(&pin))
                })?,
            };
            signing::guard_form(PinState { status, ..state })?;
            Ok(state.status)
        };
        read().map_err(|e: Error| e.role(role))
    }

    /// Every role that the PIN of `role` opens, `role` itself among them, valid certificates and others.
    ///
    /// # Errors
    /// As [`Shield::credential`], but for a certificate's time.
    pub fn opened_together(&self, role: Role, selector: &Selector) -> Result<Vec<Role>> {
        let credential = self.resolve(role, selector, true)?;
        let mut roles = self.also_opens(&credential);
        roles.push(role);
        roles.sort();
        Ok(roles)
    }

    /// Finds the first way on which the job can be done, and does `work` there. For a change the PIN's tries are looked at first.
    fn with_pins(
        &self,
        role: Role,
        selector: &Selector,
        job: Job,
        wait: &Wait,
        work: impl FnOnce(&mut dyn Pins, &PinRef) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let id = next_correlation();
        let run = || {
            let credential = self.resolve(role, selector, true)?;
            let Ready { route, mut lease, state } = self.pin_route(job, &credential, wait)?;
            if let Job::Change(consent) = job {
                signing::guard(state, consent, role)?;
            }
            let (pin, door, puks) = (route.slot.pin.clone(), route.door.clone(), Arc::clone(&self.0.puks));
            let done = lease.call("change PIN", wait, move |token| {
                let pins = token.pins().ok_or_else(|| job.impossible(&door))?;
                if let Job::ByUnlockCode(consent) = job {
                    puks.guard((&door, &pin), pins, consent, state)?;
                }
                let done = work(pins, &pin);
                if let Job::ByUnlockCode(_) = job {
                    puks.learn((&door, &pin), &done);
                }
                done
            });
            match done {
                Ok(()) => drop(lease),
                // Nobody says what a change that was lost on the way makes of a login.
                Err(error) => return Err(self.leave(lease, &route.door, error)),
            }
            self.settle(&route.door);
            Ok(())
        };
        run().map_err(|e| e.role(role).correlate(id)).inspect_err(log)
    }

    /// As for a signature; a way on which the job cannot be done is passed over while there is another.
    fn pin_route<'r>(&self, job: Job, credential: &'r Credential, wait: &Wait) -> Result<Ready<'r>> {
        let mut refused = None;
        for route in &credential.routes {
            let alone = std::slice::from_ref(route);
            match signing::first_of(alone, credential, self.open_doors(), wait) {
                Ok(mut ready) => {
                    if ready.lease.call("change PIN", wait, move |token| Ok(job.is_possible(token.pins())))? {
                        return Ok(ready);
                    }
                    refused.get_or_insert(job.impossible(&route.door));
                }
                Err(error) if signing::is_gone(&error) => drop(refused.get_or_insert(error)),
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or_else(|| Error::new(ErrorKind::NoShield, "change PIN")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::PinForm;

    /// A token that tells nothing of its unlock code's tries.
    struct Silent;

    impl Pins for Silent {
        fn change(&mut self, _: &PinRef, _: &Pin, _: &Pin) -> Result<()> {
            Ok(())
        }

        fn unblock(&mut self, _: &PinRef, _: AdminAuth<'_>, _: &Pin) -> Result<()> {
            Ok(())
        }

        fn puk_status(&mut self, _: &PinRef) -> Result<PinStatus> {
            Ok(PinStatus::Unknown { refused: false })
        }

        fn change_puk(&mut self, _: &PinRef, _: &Pin, _: &Pin) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_unlock_code_that_was_refused_without_a_count_needs_a_word_the_next_time() {
        for kind in [ErrorKind::PukIncorrect, ErrorKind::LoginFailed] {
            let (puks, door, pin) = (Puks::default(), DoorId::of(["piv", "1"]), PinRef(vec![0x80]));
            let status = PinStatus::Known(3);
            let state =
                PinState { status, open: false, on_device: false, in_doubt: false, form: PinForm::Sure, factory: None };
            let guard = |consent| puks.guard((&door, &pin), &mut Silent, consent, state).map_err(|e| e.kind());
            assert_eq!(guard(Consent::None), Ok(()));
            puks.learn((&door, &pin), &Err(Error::new(kind, "test")));
            assert_eq!(guard(Consent::None), Err(ErrorKind::TriesUnknown));
            assert_eq!(guard(Consent::AfterRefusal), Ok(()));
            puks.learn((&door, &pin), &Ok(()));
            assert_eq!(guard(Consent::None), Ok(()));
        }
    }
}
