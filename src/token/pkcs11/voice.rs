//! What a session says of logins and PINs: C_Login, C_Logout, and the state of the PIN in CK_TOKEN_INFO.

use cryptoki::error::{Error as Fault, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;

use super::ckr::{fault, value};
use super::login::{Caller, Login, is_refusal};
use super::module::{Identity, Module};
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::pin::Pin;
use crate::token::Auth;
use crate::tries::PinStatus;
use crate::wait::Wait;

/// Bounds beyond which CK_TOKEN_INFO's PIN lengths are not believed.
const BELIEVED_LEAST: std::ops::RangeInclusive<usize> = 1..=8;
const BELIEVED_MOST: std::ops::RangeInclusive<usize> = 4..=255;

/// One session of one token.
#[derive(Clone, Copy)]
pub(super) struct Voice<'a> {
    pub(super) module: &'a Module,
    pub(super) slot: Slot,
    pub(super) identity: &'a Identity,
    pub(super) session: &'a Session,
    pub(super) login: &'a Login,
    pub(super) wait: &'a Wait,
}

/// The PIN in cryptoki's buffer: a box of exactly its length, wiped on drop.
pub(super) fn auth_pin(pin: &Pin) -> Result<AuthPin> {
    let text = std::str::from_utf8(pin.expose()).map_err(|_| Error::new(ErrorKind::PinEncoding, "C_Login"))?;
    Ok(AuthPin::new(Box::from(text)))
}

impl Voice<'_> {
    /// Whether the session's state says that a user is logged in. A session that does not answer is in no login of ours.
    pub(super) fn is_user(self) -> bool {
        let state = self.session.get_session_info().map(|info| info.session_state());
        matches!(state, Ok(SessionState::RoUser | SessionState::RwUser | SessionState::RwSecurityOfficer))
    }

    /// C_Login as `user`; `auth` is sent once, or not at all.
    fn send(self, user: UserType, auth: Auth<'_>) -> Result<()> {
        self.wait.check("C_Login")?;
        let info = self.module.facts(self.slot, self.identity)?.info;
        let on_device = info.protected_authentication_path();
        let answer = match auth {
            Auth::Pin(_) | Auth::Shared(_) if on_device => {
                return Err(Error::new(ErrorKind::Argument, "C_Login").detail("the token takes its PIN on the device"));
            }
            Auth::Pin(pin) | Auth::Shared(pin) => {
                check_length(pin, &info)?;
                self.session.login(user, Some(&auth_pin(pin)?))
            }
            Auth::OnDevice if on_device => self.session.login(user, None),
            Auth::OnDevice | Auth::Held => return Err(Error::new(ErrorKind::PinRequired, "C_Login")),
        };
        answer.map_err(|e| self.refusal(&e))
    }

    /// C_Login for the operation under way, as a key with CKA_ALWAYS_AUTHENTICATE wants it after each C_SignInit (2.40 §5.6).
    pub(super) fn confirm(self, auth: Auth<'_>) -> Result<()> {
        if matches!(auth, Auth::Shared(_)) {
            self.refuse_risk()?;
        }
        self.send(UserType::ContextSpecific, auth).inspect_err(|error| {
            if is_refusal(error) {
                self.login.note_refusal();
            }
        })
    }

    /// In a batch nobody is asked before a PIN goes again, so it goes only while nothing speaks of a refusal.
    fn refuse_risk(self) -> Result<()> {
        let status = self.status(&self.module.facts(self.slot, self.identity)?.info);
        let kind = match status {
            PinStatus::Locked | PinStatus::Known(0) => ErrorKind::PinLocked,
            PinStatus::Unknown { refused: true } => ErrorKind::TriesUnknown,
            last if last.is_last_try() => ErrorKind::LastTry,
            _ => return Ok(()),
        };
        Err(Error::new(kind, "C_Login").tries(status))
    }

    /// Refuses PINs that the token cannot take, before it sees them.
    pub(super) fn check_lengths(self, old: &Pin, new: &Pin) -> Result<()> {
        self.wait.check("C_SetPIN")?;
        let info = self.module.facts(self.slot, self.identity)?.info;
        check_length(old, &info)?;
        check_length(new, &info).map_err(|e| {
            let refused = Error::new(ErrorKind::NewPinRefused, "C_SetPIN");
            e.what().map_or(refused.clone(), |what| refused.detail(what))
        })
    }

    /// C_Login's answer: return codes first, then what the flags say of the tries that are left.
    fn refusal(self, e: &Fault) -> Error {
        self.refusal_of(e, "C_Login")
    }

    /// As [`Voice::refusal`], of another function that takes a PIN.
    pub(super) fn refusal_of(self, e: &Fault, operation: &'static str) -> Error {
        let rv = value(e);
        let error = fault(e, operation);
        let status = error.raw_status().cloned();
        let kind = match error.kind() {
            _ if rv.is_some() && rv == self.module.dialect.wrong_length => ErrorKind::PinLength,
            // These speak of keys and data everywhere else; here they are a token that is not well.
            ErrorKind::KeyUnsuited => ErrorKind::LoginFailed,
            // A code that does not say that nothing was checked may have cost a try.
            ErrorKind::TokenFailed if !rv.is_some_and(is_harmless) => ErrorKind::LoginFailed,
            kind => kind,
        };
        let mut error = Error::new(kind, operation);
        if let Some(status) = status {
            error = error.status(status);
        }
        match kind {
            ErrorKind::PinLocked => error.tries(PinStatus::Locked),
            ErrorKind::PinIncorrect | ErrorKind::LoginFailed => error.tries(self.status_after_refusal()),
            _ => error,
        }
    }

    fn status_after_refusal(self) -> PinStatus {
        let info = self.module.facts(self.slot, self.identity).map(|facts| facts.info);
        info.map_or(PinStatus::Unknown { refused: true }, |info| self.read(&info, true))
    }

    /// The state of the PIN.
    pub(super) fn status(self, info: &TokenInfo) -> PinStatus {
        self.read(info, self.login.refusal_seen())
    }

    fn read(self, info: &TokenInfo, refused: bool) -> PinStatus {
        let dialect = self.module.dialect;
        let low = info.user_pin_count_low();
        if info.user_pin_locked() {
            PinStatus::Locked
        } else if info.user_pin_final_try() {
            PinStatus::Final
        } else if if low { dialect.low_tells } else { dialect.none_tells } {
            PinStatus::AtLeast(2)
        } else {
            PinStatus::Unknown { refused: refused || low }
        }
    }
}

/// Codes that say that the token was not reached: no PIN was looked at.
fn is_harmless(rv: RvError) -> bool {
    use RvError as R;
    matches!(
        rv,
        R::DeviceRemoved
            | R::TokenNotPresent
            | R::TokenNotRecognized
            | R::SessionClosed
            | R::SessionHandleInvalid
            | R::SlotIdInvalid
            | R::HostMemory
    )
}

/// A PIN that the token cannot take is not sent: some tokens count it as a wrong one.
fn check_length(pin: &Pin, info: &TokenInfo) -> Result<()> {
    let (least, most, length) = (info.min_pin_length(), info.max_pin_length(), pin.expose().len());
    let short = BELIEVED_LEAST.contains(&least) && length < least;
    let long = BELIEVED_MOST.contains(&most) && length > most;
    if short || long {
        return Err(
            Error::new(ErrorKind::PinLength, "C_Login").detail(format!("the token takes {least} to {most} octets"))
        );
    }
    Ok(())
}

impl Caller for Voice<'_> {
    fn is_logged_in(&self) -> bool {
        self.is_user()
    }

    fn log_in(&self, auth: Auth<'_>) -> Result<()> {
        self.send(UserType::User, auth)
    }

    fn log_out(&self) {
        if let Err(e) = self.session.logout() {
            tracing::debug!(status = %fault(&e, "C_Logout"), "the login was over already");
        }
    }
}
