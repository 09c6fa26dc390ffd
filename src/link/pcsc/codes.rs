//! The return codes of PC/SC: name, kind of error, and what they mean for a connection. One table.

use std::fmt;

use crate::error::{Error, ErrorKind, Status};

/// A return code of the smart-card service as it came, such as `0x8010_001D`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u32);

/// What a code means for the connection that it came on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Another program reset the card: the connection is repaired and goes on.
    Repair,
    /// Somebody else is in the way for now.
    Busy,
    /// This insertion, or the service, is gone: the connection never works again.
    Dead,
    /// This call failed; the next may work.
    Once,
}

macro_rules! codes {
    ($($name:ident = $number:literal, $kind:ident, $fate:ident;)*) => {
        impl Code {
            $(
                #[doc = concat!("`", stringify!($name), "`")]
                pub const $name: Code = Code($number);
            )*

            /// Every code that has a name, with the kind of error that it is.
            pub const ALL: &'static [(Code, ErrorKind)] = &[$((Code::$name, ErrorKind::$kind)),*];

            fn entry(self) -> Option<(&'static str, ErrorKind, Fate)> {
                match self.0 {
                    $($number => Some((stringify!($name), ErrorKind::$kind, Fate::$fate)),)*
                    _ => None,
                }
            }
        }
    };
}

// pcsclite's winscard.h and pcsclite.h, Microsoft's winerror.h. The kind is the one for a card that was connected; `at_connect` says what differs
// before. SCARD_E_INVALID_VALUE is what pcscd answers for a handle whose reader was unplugged, SCARD_F_COMM_ERROR what its library
// answers when the daemon went away during a call, SCARD_E_PROTO_MISMATCH what it answers when a reset is just done and no protocol agreed yet, SCARD_E_INVALID_HANDLE what Windows answers after its service was started anew.
// 0x8010001F is UNSUPPORTED_FEATURE in pcsclite and SCARD_E_UNEXPECTED on Windows; 0x80100022 is UNSUPPORTED_FEATURE on Windows.
codes! {
    SCARD_F_INTERNAL_ERROR = 0x8010_0001, TokenFailed, Once;
    SCARD_E_CANCELLED = 0x8010_0002, Cancelled, Once;
    SCARD_E_INVALID_HANDLE = 0x8010_0003, ServiceStopped, Dead;
    SCARD_E_INVALID_PARAMETER = 0x8010_0004, Defect, Once;
    SCARD_E_INVALID_TARGET = 0x8010_0005, TokenFailed, Once;
    SCARD_E_NO_MEMORY = 0x8010_0006, ServiceFull, Once;
    SCARD_F_WAITED_TOO_LONG = 0x8010_0007, Timeout, Once;
    SCARD_E_INSUFFICIENT_BUFFER = 0x8010_0008, TokenAnswer, Once;
    SCARD_E_UNKNOWN_READER = 0x8010_0009, CardRemoved, Dead;
    SCARD_E_TIMEOUT = 0x8010_000A, Timeout, Once;
    SCARD_E_SHARING_VIOLATION = 0x8010_000B, ReaderBusy, Busy;
    SCARD_E_NO_SMARTCARD = 0x8010_000C, CardRemoved, Dead;
    SCARD_E_UNKNOWN_CARD = 0x8010_000D, CardUnknown, Once;
    SCARD_E_CANT_DISPOSE = 0x8010_000E, TokenFailed, Once;
    SCARD_E_PROTO_MISMATCH = 0x8010_000F, TokenFailed, Repair;
    SCARD_E_NOT_READY = 0x8010_0010, CardMute, Once;
    SCARD_E_INVALID_VALUE = 0x8010_0011, CardRemoved, Dead;
    SCARD_E_SYSTEM_CANCELLED = 0x8010_0012, ServiceStopped, Dead;
    SCARD_F_COMM_ERROR = 0x8010_0013, ServiceStopped, Dead;
    SCARD_F_UNKNOWN_ERROR = 0x8010_0014, TokenFailed, Once;
    SCARD_E_INVALID_ATR = 0x8010_0015, TokenAnswer, Once;
    SCARD_E_NOT_TRANSACTED = 0x8010_0016, TokenFailed, Once;
    SCARD_E_READER_UNAVAILABLE = 0x8010_0017, CardRemoved, Dead;
    SCARD_P_SHUTDOWN = 0x8010_0018, ServiceStopped, Dead;
    SCARD_E_PCI_TOO_SMALL = 0x8010_0019, TokenAnswer, Once;
    SCARD_E_READER_UNSUPPORTED = 0x8010_001A, NoReader, Dead;
    SCARD_E_CARD_UNSUPPORTED = 0x8010_001C, CardUnknown, Once;
    SCARD_E_NO_SERVICE = 0x8010_001D, ServiceStopped, Dead;
    SCARD_E_SERVICE_STOPPED = 0x8010_001E, ServiceStopped, Dead;
    SCARD_E_UNSUPPORTED_FEATURE = 0x8010_001F, TokenFailed, Once;
    SCARD_E_ICC_INSTALLATION = 0x8010_0020, TokenFailed, Once;
    SCARD_E_UNSUPPORTED_FEATURE_WINDOWS = 0x8010_0022, TokenFailed, Once;
    SCARD_E_NO_ACCESS = 0x8010_0027, ServiceRefused, Once;
    SCARD_E_UNKNOWN_RES_MNG = 0x8010_002B, TokenFailed, Once;
    SCARD_E_NO_READERS_AVAILABLE = 0x8010_002E, NoReader, Dead;
    SCARD_E_COMM_DATA_LOST = 0x8010_002F, TokenFailed, Once;
    SCARD_E_SERVER_TOO_BUSY = 0x8010_0031, ServiceFull, Busy;
    SCARD_W_UNSUPPORTED_CARD = 0x8010_0065, CardUnknown, Once;
    SCARD_W_UNRESPONSIVE_CARD = 0x8010_0066, CardMute, Dead;
    SCARD_W_UNPOWERED_CARD = 0x8010_0067, CardMute, Repair;
    SCARD_W_RESET_CARD = 0x8010_0068, TokenFailed, Repair;
    SCARD_W_REMOVED_CARD = 0x8010_0069, CardRemoved, Dead;
    SCARD_W_SECURITY_VIOLATION = 0x8010_006A, ServiceRefused, Once;
    SCARD_W_CANCELLED_BY_USER = 0x8010_006E, Cancelled, Once;
}

impl Code {
    /// Its name, or `0x…` for a code without one.
    #[must_use]
    pub fn name(self) -> String {
        self.entry()
            .map_or_else(|| format!("0x{:08X}", self.0), |(name, ..)| name.trim_end_matches("_WINDOWS").to_owned())
    }

    /// The kind of error that it is for a card that was connected.
    #[must_use]
    pub fn kind(self) -> ErrorKind {
        self.entry().map_or(ErrorKind::TokenFailed, |(_, kind, _)| kind)
    }

    pub(super) fn fate(self) -> Fate {
        self.entry().map_or(Fate::Once, |(.., fate)| fate)
    }

    /// The error for a card that was connected.
    #[must_use]
    pub fn error(self, operation: &'static str) -> Error {
        Error::new(self.kind(), operation).status(Status::Pcsc(self.name()))
    }

    /// The error while a card is being connected: a reader that the service does not know is no pulled-out card.
    #[must_use]
    pub fn at_connect(self, operation: &'static str) -> Error {
        let kind = match self {
            Code::SCARD_E_UNKNOWN_READER
            | Code::SCARD_E_READER_UNAVAILABLE
            | Code::SCARD_E_INVALID_VALUE
            | Code::SCARD_E_NO_READERS_AVAILABLE => ErrorKind::NoReader,
            _ => self.kind(),
        };
        Error::new(kind, operation).status(Status::Pcsc(self.name()))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_keeps_its_name_in_the_error_and_one_without_a_name_its_number() {
        for (code, kind) in Code::ALL {
            let error = code.error("test");
            assert_eq!(error.kind(), *kind);
            let name = code.name();
            assert!(name.starts_with("SCARD_") && !name.contains("WINDOWS"), "{name}");
            assert_eq!(error.raw_status(), Some(&Status::Pcsc(name)));
        }
        let odd = Code(0x6BA).error("test");
        assert_eq!(
            (odd.kind(), odd.raw_status().unwrap().to_string()),
            (ErrorKind::TokenFailed, "0x000006BA".to_owned())
        );
    }

    #[test]
    fn a_connection_outlives_what_passes_and_dies_of_what_does_not() {
        assert_eq!(Code::SCARD_W_RESET_CARD.fate(), Fate::Repair);
        assert_eq!(Code::SCARD_E_SHARING_VIOLATION.fate(), Fate::Busy);
        assert_eq!(Code::SCARD_E_NOT_TRANSACTED.fate(), Fate::Once);
        for (code, kind) in Code::ALL {
            if matches!(kind, ErrorKind::CardRemoved | ErrorKind::ServiceStopped) {
                assert_eq!(code.fate(), Fate::Dead, "{code}");
            }
        }
        assert_eq!(Code::SCARD_E_UNKNOWN_READER.at_connect("test").kind(), ErrorKind::NoReader);
        assert_eq!(Code::SCARD_E_NO_SMARTCARD.at_connect("test").kind(), ErrorKind::CardRemoved);
    }
}
