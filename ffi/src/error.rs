//! What went wrong.

use shield::{Error, ErrorKind, PinStatus, Recovery, Role};

use crate::border::export;
use crate::types::*;
use crate::{ShieldError, at, no_field, number};

/// The result code.
pub const SHIELD_ERROR_CODE: u32 = 1;
/// `SHIELD_ROLE_*` that is concerned.
pub const SHIELD_ERROR_ROLE: u32 = 2;
/// What a person can do now: `SHIELD_RECOVERY_*`.
pub const SHIELD_ERROR_RECOVERY: u32 = 3;
/// `SHIELD_TRIES_*`.
pub const SHIELD_ERROR_TRIES: u32 = 4;
/// The number of tries that belongs to it.
pub const SHIELD_ERROR_TRIES_LEFT: u32 = 5;
/// Joins error, receipt and log; 0 where the error belongs to no call of a shield.
pub const SHIELD_ERROR_CORRELATION: u32 = 6;
/// How many certificates were looked at.
pub const SHIELD_ERROR_CANDIDATES: u32 = 7;

/// One sentence in English: what happened, what to do now, and the facts.
pub const SHIELD_ERROR_MESSAGE: u32 = 20;
/// The sentence in Chinese.
pub const SHIELD_ERROR_MESSAGE_ZH: u32 = 21;
/// The short code to read over the phone, such as `SH-2001`.
pub const SHIELD_ERROR_SHORT_CODE: u32 = 22;
/// The name of the kind, such as `PinIncorrect`.
pub const SHIELD_ERROR_KIND: u32 = 23;
/// Where it happened.
pub const SHIELD_ERROR_OPERATION: u32 = 24;
/// The raw status as the token or the system gave it, such as `CKR_PIN_INCORRECT`; empty where there was none.
pub const SHIELD_ERROR_STATUS: u32 = 25;
/// What exactly was met; may be empty.
pub const SHIELD_ERROR_DETAIL: u32 = 26;

/// Number and issuer of a certificate that was looked at.
pub const SHIELD_CANDIDATE_LABEL: u32 = 1;
/// Its SHA-256 fingerprint.
pub const SHIELD_CANDIDATE_FINGERPRINT: u32 = 2;
/// Why it serves or not.
pub const SHIELD_CANDIDATE_REASON: u32 = 3;

/// Nothing that a user can do.
pub const SHIELD_RECOVERY_NONE: i64 = 0;
/// Plug the shield in.
pub const SHIELD_RECOVERY_INSERT_SHIELD: i64 = 1;
/// Enter the PIN of the role in `SHIELD_ERROR_ROLE`.
pub const SHIELD_RECOVERY_ENTER_PIN: i64 = 2;
/// Go to the office that issued the certificate of that role.
pub const SHIELD_RECOVERY_UNLOCK_AT_ISSUER: i64 = 3;
/// Let the other program finish, or close it.
pub const SHIELD_RECOVERY_CLOSE_OTHER_PROGRAM: i64 = 4;
/// Install or repair the driver.
pub const SHIELD_RECOVERY_INSTALL_DRIVER: i64 = 5;
/// Start the smart-card service.
pub const SHIELD_RECOVERY_START_PCSCD: i64 = 6;
/// Renew the certificate, or choose another.
pub const SHIELD_RECOVERY_RENEW_CERTIFICATE: i64 = 7;
/// Correct the document, the profile or the arguments.
pub const SHIELD_RECOVERY_FIX_DOCUMENT: i64 = 8;
/// Try again.
pub const SHIELD_RECOVERY_RETRY: i64 = 9;
/// Ask the administrator of this computer for a right.
pub const SHIELD_RECOVERY_ASK_ADMINISTRATOR: i64 = 10;
/// Choose another new PIN or unlock code.
pub const SHIELD_RECOVERY_CHOOSE_NEW_PIN: i64 = 11;

pub(crate) fn role_number(role: Option<Role>) -> u32 {
    match role {
        Some(Role::Customs) => SHIELD_ROLE_CUSTOMS,
        Some(Role::Bank) => SHIELD_ROLE_BANK,
        _ => SHIELD_ROLE_NONE,
    }
}

/// `SHIELD_TRIES_*` and its number.
pub(crate) fn tries(status: Option<PinStatus>) -> (u32, u32) {
    match status {
        None => (SHIELD_TRIES_NONE, 0),
        Some(PinStatus::Known(left)) => (SHIELD_TRIES_KNOWN, left.into()),
        Some(PinStatus::AtLeast(left)) => (SHIELD_TRIES_AT_LEAST, left.into()),
        Some(PinStatus::Final) => (SHIELD_TRIES_FINAL, 1),
        Some(PinStatus::Locked) => (SHIELD_TRIES_LOCKED, 0),
        Some(PinStatus::Unknown { refused: true }) => (SHIELD_TRIES_UNKNOWN_AFTER_REFUSAL, 0),
        Some(_) => (SHIELD_TRIES_UNKNOWN, 0),
    }
}

fn recovery(of: Recovery) -> i64 {
    match of {
        Recovery::InsertShield => SHIELD_RECOVERY_INSERT_SHIELD,
        Recovery::EnterPin(_) => SHIELD_RECOVERY_ENTER_PIN,
        Recovery::UnlockAtIssuer(_) => SHIELD_RECOVERY_UNLOCK_AT_ISSUER,
        Recovery::CloseOtherProgram => SHIELD_RECOVERY_CLOSE_OTHER_PROGRAM,
        Recovery::InstallDriver => SHIELD_RECOVERY_INSTALL_DRIVER,
        Recovery::StartPcscd => SHIELD_RECOVERY_START_PCSCD,
        Recovery::RenewCertificate => SHIELD_RECOVERY_RENEW_CERTIFICATE,
        Recovery::FixDocument => SHIELD_RECOVERY_FIX_DOCUMENT,
        Recovery::Retry => SHIELD_RECOVERY_RETRY,
        Recovery::AskAdministrator => SHIELD_RECOVERY_ASK_ADMINISTRATOR,
        Recovery::ChooseNewPin => SHIELD_RECOVERY_CHOOSE_NEW_PIN,
        _ => SHIELD_RECOVERY_NONE,
    }
}

fn text(error: &Error, field: u32) -> shield::Result<String> {
    Ok(match field {
        SHIELD_ERROR_MESSAGE => error.to_string(),
        SHIELD_ERROR_MESSAGE_ZH => error.message_zh(),
        SHIELD_ERROR_SHORT_CODE => error.code(),
        SHIELD_ERROR_KIND => format!("{:?}", error.kind()),
        SHIELD_ERROR_OPERATION => error.operation().to_owned(),
        SHIELD_ERROR_STATUS => error.raw_status().map(ToString::to_string).unwrap_or_default(),
        SHIELD_ERROR_DETAIL => error.what().unwrap_or_default().to_owned(),
        _ => return no_field(field),
    })
}

export! {
    /// A number of an error: `SHIELD_ERROR_CODE` to `SHIELD_ERROR_CANDIDATES`.
    fn shield_error_number(error: *const ShieldError, field: u32) -> (value: *mut i64) {
        let tries = tries(error.tries_left());
        Ok((match field {
            SHIELD_ERROR_CODE => i64::from(error.kind() as u32),
            SHIELD_ERROR_ROLE => i64::from(role_number(error.concerns())),
            SHIELD_ERROR_RECOVERY => recovery(error.recovery()),
            SHIELD_ERROR_TRIES => i64::from(tries.0),
            SHIELD_ERROR_TRIES_LEFT => i64::from(tries.1),
            SHIELD_ERROR_CORRELATION => number(error.correlation()),
            SHIELD_ERROR_CANDIDATES => number(error.looked_at().len()),
            _ => return no_field(field),
        },))
    }
}

export! {
    /// A text of an error: `SHIELD_ERROR_MESSAGE` to `SHIELD_ERROR_DETAIL`.
    fn shield_error_text(error: *const ShieldError, field: u32) -> text {
        text(&error, field)
    }
}

export! {
    /// A text of a certificate that was looked at: `SHIELD_CANDIDATE_*`.
    fn shield_error_candidate(error: *const ShieldError, index: usize, field: u32) -> text {
        let candidate = at(error.looked_at(), index)?;
        Ok(match field {
            SHIELD_CANDIDATE_LABEL => candidate.label.clone(),
            SHIELD_CANDIDATE_FINGERPRINT => candidate.fingerprint.clone(),
            SHIELD_CANDIDATE_REASON => candidate.reason.clone(),
            _ => return no_field(field),
        })
    }
}

export! {
    /// A text for a result code alone, for calls that give no error object: `SHIELD_ERROR_MESSAGE`, `SHIELD_ERROR_MESSAGE_ZH`,
    /// `SHIELD_ERROR_SHORT_CODE` or `SHIELD_ERROR_KIND`.
    fn shield_code_text(code: u32, field: u32) -> text {
        let unknown = || Error::new(ErrorKind::Argument, "read a code").detail(format!("no kind has the code {code:#x}"));
        text(&Error::new(ErrorKind::from_code(code).ok_or_else(unknown)?, "call from C"), field)
    }
}

export! {
    /// Frees an error.
    fn shield_error_free(error: *mut ShieldError) -> () {
        drop(error);
        Ok(())
    }
}
