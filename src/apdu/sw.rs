//! Status words (ISO/IEC 7816-4:2013 §5.6): what a card says at the end of each answer.

use std::fmt;

use crate::error::{Error, ErrorKind, Status};

/// SW1 and SW2. [`Sw::raw`] gives every one of them back as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sw {
    /// 9000.
    Success,
    /// 61xx: more of the answer waits for GET RESPONSE; 0 says 256 octets or more.
    MoreData(u8),
    /// 6Cxx: the expected length was wrong, this one is right; 0 says 256.
    WrongLe(u8),
    /// 63Cx: a counter, in most cases the tries that are left.
    Tries(u8),
    /// 62xx, and 63xx other than a counter.
    Warning(u16),
    /// 64xx, 65xx and 6F00: the card failed in itself.
    Failure(u16),
    /// 6700.
    WrongLength,
    /// 6881: no such logical channel.
    ChannelNotSupported,
    /// 6882.
    SecureMessagingNotSupported,
    /// 6883: something else than the last command of a chain was expected.
    LastOfChainExpected,
    /// 6884.
    ChainingNotSupported,
    /// 6982: a PIN or a key has to be shown first.
    SecurityStatusNotSatisfied,
    /// 6983: no tries are left.
    AuthenticationBlocked,
    /// 6984.
    ReferenceDataUnusable,
    /// 6985.
    ConditionsNotSatisfied,
    /// 6A80: the command's data is not what the card takes.
    DataIncorrect,
    /// 6A81.
    FunctionNotSupported,
    /// 6A82: no such file, application or data object.
    FileNotFound,
    /// 6A84.
    NotEnoughMemory,
    /// 6A86.
    IncorrectP1P2,
    /// 6A88: no such key or PIN.
    ReferenceNotFound,
    /// 6B00.
    WrongParameters,
    /// 6D00.
    InstructionNotSupported,
    /// 6E00.
    ClassNotSupported,
    /// Any other, standard or not.
    Other(u16),
}

impl Sw {
    /// Reads SW1 and SW2.
    #[must_use]
    pub fn new(raw: u16) -> Self {
        let [sw1, sw2] = raw.to_be_bytes();
        match (sw1, sw2) {
            (0x90, 0x00) => Sw::Success,
            (0x61, n) => Sw::MoreData(n),
            (0x6C, n) => Sw::WrongLe(n),
            (0x63, 0xC0..=0xCF) => Sw::Tries(sw2 & 0x0F),
            (0x62 | 0x63, _) => Sw::Warning(raw),
            (0x64 | 0x65, _) | (0x6F, 0x00) => Sw::Failure(raw),
            _ => Sw::checking(raw),
        }
    }

    /// The checking errors, 67xx to 6Exx.
    fn checking(raw: u16) -> Self {
        match raw {
            0x6700 => Sw::WrongLength,
            0x6881 => Sw::ChannelNotSupported,
            0x6882 => Sw::SecureMessagingNotSupported,
            0x6883 => Sw::LastOfChainExpected,
            0x6884 => Sw::ChainingNotSupported,
            0x6982 => Sw::SecurityStatusNotSatisfied,
            0x6983 => Sw::AuthenticationBlocked,
            0x6984 => Sw::ReferenceDataUnusable,
            0x6985 => Sw::ConditionsNotSatisfied,
            0x6A80 => Sw::DataIncorrect,
            0x6A81 => Sw::FunctionNotSupported,
            0x6A82 => Sw::FileNotFound,
            0x6A84 => Sw::NotEnoughMemory,
            0x6A86 => Sw::IncorrectP1P2,
            0x6A88 => Sw::ReferenceNotFound,
            0x6B00 => Sw::WrongParameters,
            0x6D00 => Sw::InstructionNotSupported,
            0x6E00 => Sw::ClassNotSupported,
            other => Sw::Other(other),
        }
    }

    /// SW1 and SW2 as they came.
    #[must_use]
    pub fn raw(self) -> u16 {
        match self {
            Sw::Success => 0x9000,
            Sw::MoreData(n) => u16::from_be_bytes([0x61, n]),
            Sw::WrongLe(n) => u16::from_be_bytes([0x6C, n]),
            Sw::Tries(n) => u16::from_be_bytes([0x63, 0xC0 | n]),
            Sw::WrongLength => 0x6700,
            Sw::ChannelNotSupported => 0x6881,
            Sw::SecureMessagingNotSupported => 0x6882,
            Sw::LastOfChainExpected => 0x6883,
            Sw::ChainingNotSupported => 0x6884,
            Sw::SecurityStatusNotSatisfied => 0x6982,
            Sw::AuthenticationBlocked => 0x6983,
            Sw::ReferenceDataUnusable => 0x6984,
            Sw::ConditionsNotSatisfied => 0x6985,
            Sw::DataIncorrect => 0x6A80,
            Sw::FunctionNotSupported => 0x6A81,
            Sw::FileNotFound => 0x6A82,
            Sw::NotEnoughMemory => 0x6A84,
            Sw::IncorrectP1P2 => 0x6A86,
            Sw::ReferenceNotFound => 0x6A88,
            Sw::WrongParameters => 0x6B00,
            Sw::InstructionNotSupported => 0x6D00,
            Sw::ClassNotSupported => 0x6E00,
            Sw::Warning(raw) | Sw::Failure(raw) | Sw::Other(raw) => raw,
        }
    }

    /// The error that it is where a command has no meaning of its own for it; the raw status is always kept.
    #[must_use]
    pub fn error(self, operation: &'static str) -> Error {
        let kind = match self {
            Sw::SecurityStatusNotSatisfied => ErrorKind::PinRequired,
            Sw::AuthenticationBlocked => ErrorKind::PinLocked,
            Sw::Failure(_) => ErrorKind::TokenFailed,
            Sw::ChannelNotSupported
            | Sw::SecureMessagingNotSupported
            | Sw::ChainingNotSupported
            | Sw::FunctionNotSupported
            | Sw::InstructionNotSupported
            | Sw::ClassNotSupported => ErrorKind::Unsupported,
            _ => ErrorKind::TokenAnswer,
        };
        self.as_kind(kind, operation)
    }

    /// An error of `kind` with this status.
    #[must_use]
    pub fn as_kind(self, kind: ErrorKind, operation: &'static str) -> Error {
        Error::new(kind, operation).status(Status::Sw(self.raw()))
    }
}

impl fmt::Display for Sw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.raw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_word_keeps_its_raw_value() {
        for raw in 0..=u16::MAX {
            assert_eq!(Sw::new(raw).raw(), raw);
            let error = Sw::new(raw).error("VERIFY");
            assert_eq!(error.raw_status(), Some(&Status::Sw(raw)));
        }
    }

    #[test]
    fn tries_are_told_from_other_warnings() {
        assert_eq!(Sw::new(0x63C0), Sw::Tries(0));
        assert_eq!(Sw::new(0x63CF), Sw::Tries(15));
        assert_eq!(Sw::new(0x6300), Sw::Warning(0x6300));
        assert_eq!(Sw::new(0x63D1), Sw::Warning(0x63D1));
    }

    #[test]
    fn a_status_word_of_no_standard_is_an_answer_that_makes_no_sense() {
        let error = Sw::new(0x6ABC).error("GENERAL AUTHENTICATE");
        assert_eq!(error.kind(), ErrorKind::TokenAnswer);
        assert!(error.to_string().contains("SW 6ABC"), "{error}");
        assert_eq!(Sw::new(0x6F00).error("SELECT").kind(), ErrorKind::TokenFailed);
        assert_eq!(Sw::new(0x6D00).error("SELECT").kind(), ErrorKind::Unsupported);
    }
}
