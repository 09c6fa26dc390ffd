//! Changing the user's PIN: C_SetPIN (PKCS#11 2.40 §5.5) on a read/write session of its own.

use super::ckr::{fault, value};
use super::token::Pkcs11Token;
use super::voice::auth_pin;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::pin::Pin;
use crate::token::{AdminAuth, PinRef, Pins};

const OPERATION: &str = "C_SetPIN";

impl Pins for Pkcs11Token {
    fn has_unlock_code(&self) -> bool {
        false
    }

    fn change(&mut self, pin: &PinRef, old: &Pin, new: &Pin) -> Result<()> {
        self.check_pin(pin)?;
        let voice = self.voice();
        voice.check_lengths(old, new)?;
        let session = self.module.p11.open_rw_session(self.slot).map_err(|e| fault(&e, "C_OpenSession"))?;
        let Err(e) = session.set_pin(&auth_pin(old)?, &auth_pin(new)?) else { return Ok(()) };
        drop(session);
        let error = voice.refusal_of(&e, OPERATION);
        // These cannot be about the old PIN, whose length was seen to be right: the token judges the new one.
        use cryptoki::error::RvError as R;
        if matches!(value(&e), Some(R::PinInvalid | R::PinLenRange | R::PinTooWeak)) {
            let status = error.raw_status().cloned();
            let refused = Error::new(ErrorKind::NewPinRefused, OPERATION);
            return Err(status.map_or(refused.clone(), |s| refused.status(s)));
        }
        if error.kind() == ErrorKind::PinIncorrect {
            self.login.note_refusal();
        }
        Err(error)
    }

    fn unblock(&mut self, _pin: &PinRef, _by: AdminAuth<'_>, _new: &Pin) -> Result<()> {
        let why = "a PKCS#11 token is unblocked by its security officer: use the vendor's program, or ask the office";
        Err(Error::new(ErrorKind::Unsupported, "C_InitPIN").detail(why))
    }

    fn change_puk(&mut self, _pin: &PinRef, _old: &Pin, _new: &Pin) -> Result<()> {
        let why = "a PKCS#11 token has a security officer's PIN in place of a PUK: use the vendor's program";
        Err(Error::new(ErrorKind::Unsupported, OPERATION).detail(why))
    }
}
