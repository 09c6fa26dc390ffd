//! Return values of PKCS#11 (2.40 §5.1) as errors that say what to do; the raw name is always kept.

use cryptoki::error::{Error as Fault, Rv, RvError};
use cryptoki_sys::CK_RV;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::error::Status;

/// Fails unless `rv` is CKR_OK.
pub(super) fn check(rv: CK_RV, operation: &'static str) -> Result<()> {
    match Rv::from(rv) {
        Rv::Ok => Ok(()),
        Rv::Error(rv) => Err(error(rv, operation)),
    }
}

/// The raw status of a return value.
pub(super) fn status(rv: CK_RV) -> Status {
    match Rv::from(rv) {
        Rv::Ok => Status::Ckr("CKR_OK".to_owned()),
        Rv::Error(rv) => Status::Ckr(name(rv)),
    }
}

/// An answer that makes no sense: nothing of it is used.
pub(super) fn nonsense(operation: &'static str, what: String) -> Error {
    Error::new(ErrorKind::TokenAnswer, operation).detail(what)
}

/// A return value as the error that it means outside C_Login.
pub(super) fn error(rv: RvError, operation: &'static str) -> Error {
    Error::new(kind(rv), operation).status(Status::Ckr(name(rv)))
}

/// What cryptoki reports.
pub(super) fn fault(fault: &Fault, operation: &'static str) -> Error {
    match fault {
        Fault::Pkcs11(rv, _) => error(*rv, operation),
        Fault::LibraryLoading(_) | Fault::NullFunctionPointer | Fault::MissingSymbol(_) => {
            Error::new(ErrorKind::NotAModule, operation).detail(fault.to_string())
        }
        other => nonsense(operation, other.to_string()),
    }
}

/// The return value behind cryptoki's error, where there is one.
pub(super) fn value(fault: &Fault) -> Option<RvError> {
    match fault {
        Fault::Pkcs11(rv, _) => Some(*rv),
        _ => None,
    }
}

fn kind(rv: RvError) -> ErrorKind {
    use RvError as R;
    match rv {
        R::PinIncorrect => ErrorKind::PinIncorrect,
        R::PinLocked => ErrorKind::PinLocked,
        R::PinExpired | R::UserPinNotInitialized => ErrorKind::PinNotSet,
        R::PinLenRange => ErrorKind::PinLength,
        R::PinInvalid => ErrorKind::PinEncoding,
        R::UserNotLoggedIn => ErrorKind::PinRequired,
        R::UserAlreadyLoggedIn | R::UserAnotherAlreadyLoggedIn | R::UserTooManyTypes => ErrorKind::LoginHeldByHost,
        R::FunctionCanceled | R::Cancel | R::FunctionRejected => ErrorKind::PinDeclined,
        R::SessionCount => ErrorKind::Busy,
        R::MechanismInvalid
        | R::MechanismParamInvalid
        | R::KeyTypeInconsistent
        | R::KeySizeRange
        | R::KeyFunctionNotPermitted
        | R::CurveNotSupported
        | R::DataInvalid
        | R::DataLenRange => ErrorKind::KeyUnsuited,
        R::CryptokiNotInitialized
        | R::CryptokiAlreadyInitialized
        | R::NeedToCreateThreads
        | R::CantLock
        | R::FipsSelfTestFailed
        | R::LibraryLoadFailed => ErrorKind::ModuleFailed,
        R::BufferTooSmall => ErrorKind::TokenAnswer,
        _ => ErrorKind::TokenFailed,
    }
}

/// The name of PKCS#11's header: `PinLocked` is `CKR_PIN_LOCKED`.
pub(super) fn name(rv: RvError) -> String {
    match rv {
        RvError::VendorDefined(value) => format!("CKR_VENDOR_DEFINED({value:#010x})"),
        RvError::UnknownErrorCode(value) => format!("CKR_UNKNOWN({value:#010x})"),
        known => format!("{known:?}").chars().fold("CKR".to_owned(), |mut text, letter| {
            if letter.is_uppercase() {
                text.push('_');
            }
            text.push(letter.to_ascii_uppercase());
            text
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_the_modules_own_return_value() {
        let of = |rv| check(rv, "C_Login").unwrap_err();
        assert_eq!(of(0xA0).kind(), ErrorKind::PinIncorrect);
        assert_eq!(of(0xA0).raw_status().unwrap().to_string(), "CKR_PIN_INCORRECT");
        assert_eq!(of(0xB8).raw_status().unwrap().to_string(), "CKR_SESSION_READ_WRITE_SO_EXISTS");
        assert_eq!(of(0x8000_0123).raw_status().unwrap().to_string(), "CKR_VENDOR_DEFINED(0x80000123)");
        assert_eq!(of(0x7777_7777).raw_status().unwrap().to_string(), "CKR_UNKNOWN(0x77777777)");
        for gone in [0x30, 0x32, 0xE0, 0xB3, 5] {
            assert_eq!(of(gone).kind(), ErrorKind::TokenFailed);
        }
    }
}
