//! Commands of GM/T 0017 (§7, §8): class 80, or 84 with a MAC, extended lengths, no chaining; and what its status words say.

use zeroize::Zeroizing;

use super::dialect::Order;
use crate::apdu::{Command, Exchange, Expect, Sw};
use crate::error::{Error, ErrorKind, Result};

/// CLA without a MAC.
const PLAIN: u8 = 0x80;
/// CLA of a command that ends with a MAC of four octets.
pub(super) const WITH_MAC: u8 = 0x84;
/// More of the answer waits: the same command brings it.
const MORE: u16 = 0x6A9E;

/// Where the card would have gone on with an application or a container that is not open, or never was: whoever remembered its number opens
/// it again.
pub(super) fn is_stale(sw: Sw) -> bool {
    matches!(sw.raw(), 0x698A | 0x6A88 | 0x6A8B | 0x6A91 | 0x6A94)
}

/// The login is missing.
pub(super) fn is_login_missing(sw: Sw) -> bool {
    matches!(sw.raw(), 0x6982 | 0x6985)
}

/// Another application is open, and this device opens one at a time.
pub(super) const ONE_AT_A_TIME: u16 = 0x6A90;
/// The application is open already.
pub(super) const ALREADY_OPEN: u16 = 0x6A8A;
/// No certificate.
pub(super) const NO_CERTIFICATE: u16 = 0x6A96;

/// A command that changes something, or that has an answer of a known length.
pub(super) fn command(name: &'static str, ins: u8, p1: u8, p2: u8) -> Command {
    Command::new(name, ins, p1, p2).class(PLAIN).wide()
}

/// A command that only reads: it may be sent again for the rest of a long answer.
pub(super) fn reading(name: &'static str, ins: u8, p1: u8, p2: u8) -> Command {
    command(name, ins, p1, p2).repeat_on(MORE).expect(Expect::Much)
}

/// Sends a command and takes nothing but success.
///
/// # Errors
/// Those of the port, and any other status word as [`error`] names it.
pub(super) fn run(card: &mut Exchange<'_>, command: &Command) -> Result<Zeroizing<Vec<u8>>> {
    let answer = card.send(command)?;
    match answer.sw() {
        Sw::Success => answer.success(command.name()),
        other => Err(error(other, command.name())),
    }
}

/// What a status word is where a command has no meaning of its own for it (GM/T 0017 §8.6; source F). The raw value is always kept.
pub(super) fn error(sw: Sw, name: &'static str) -> Error {
    use ErrorKind as K;
    let (kind, what) = match sw.raw() {
        0x6982 | 0x6985 => (K::PinRequired, ""),
        0x6983 => (K::PinLocked, ""),
        0x698A | 0x6A88 => (K::CardApplication, ""),
        0x6A8B => (K::CardApplication, "the device knows no such name"),
        0x6A91 | 0x6A94 => (K::KeyMissing, "there is no such container"),
        0x6A95 | 0x6A9F => (K::KeyMissing, "the container has no key pair"),
        NO_CERTIFICATE => (K::CertificateChanged, "the container has no such certificate"),
        ONE_AT_A_TIME => (K::Busy, "another program has an application open, and this device opens one at a time"),
        ALREADY_OPEN => (K::Busy, "another program has this application open"),
        0x6A92 => (K::Argument, "a file of this name is there already"),
        0x6A93 => (K::Argument, "there is no such file"),
        0x6B00 => (K::Argument, "outside the file"),
        0x6E02 => (K::Argument, "a container of this name is there already"),
        0x6A84 => (K::Argument, "the device has no room for it"),
        0x6A81 | 0x6986 | 0x6A99 | 0x6A9D | 0x6D00 | 0x6E00 => (K::Unsupported, ""),
        0x6A97 => (K::TokenFailed, "writing failed"),
        0x6915 => (K::TokenAnswer, "the device made no key"),
        0x6A9A..=0x6A9C => (K::TokenAnswer, "the key did not do it"),
        _ => return sw.error(name),
    };
    let error = sw.as_kind(kind, name);
    if what.is_empty() { error } else { error.detail(what) }
}

/// An answer that makes no sense.
pub(super) fn nonsense(name: &'static str, what: impl Into<String>) -> Error {
    Error::new(ErrorKind::TokenAnswer, name).detail(what)
}

/// The fields of an answer, one after the other.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    name: &'static str,
}

impl<'a> Fields<'a> {
    pub(super) fn of(octets: &'a [u8], name: &'static str) -> Self {
        Fields { rest: octets, name }
    }

    fn short(&self) -> Error {
        nonsense(self.name, "an answer that is too short")
    }

    /// The next field.
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.short())?;
        self.rest = rest;
        Ok(*field)
    }

    /// A length of four octets and so many octets; a device may give all that its file has room for, so what comes after them is passed over.
    /// Where the order is not known, either may be meant: a length that fits in one is far too long in the other. One that fits in the other
    /// alone speaks against the dialect.
    pub(super) fn counted(mut self, order: Option<Order>) -> Result<&'a [u8]> {
        let length = self.take()?;
        let of = |order: Order| self.rest.get(..usize::try_from(order.read(length)).ok()?);
        let orders = order.map_or(vec![Order::Big, Order::Little], |order| vec![order]);
        if let Some(counted) = orders.into_iter().find_map(of) {
            return Ok(counted);
        }
        Err(match order {
            Some(order) if of(order.other()).is_some() => Error::new(ErrorKind::DialectMissing, self.name)
                .detail("a length fits in the other order of octets alone: the dialect that the profile names may not be this device's"),
            _ => nonsense(self.name, format!("{} octets, and a greater length in front", self.rest.len())),
        })
    }

    /// There is nothing more.
    pub(super) fn end(self) -> Result<()> {
        match self.rest {
            [] => Ok(()),
            more => Err(nonsense(self.name, format!("{} octets too many", more.len()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    #[test]
    fn every_status_word_keeps_its_raw_value_and_none_but_the_standards_is_a_login() {
        for raw in 0..=u16::MAX {
            let error = error(Sw::new(raw), "ECCSignData");
            assert_eq!(error.raw_status(), Some(&Status::Sw(raw)));
            assert_eq!(error.kind() == ErrorKind::PinRequired, is_login_missing(Sw::new(raw)), "{raw:04X}");
        }
        assert_eq!(error(Sw::new(0x6A90), "OpenApplication").kind(), ErrorKind::Busy);
    }

    #[test]
    fn a_length_is_read_in_the_order_that_is_known_and_in_either_where_none_is() {
        let little = [2, 0, 0, 0, 8, 9];
        let counted = |order| Fields::of(&little, "X").counted(order).map(<[u8]>::to_vec).ok();
        assert_eq!(counted(Some(Order::Little)), Some(vec![8, 9]));
        assert_eq!(counted(None), Some(vec![8, 9]));
        assert_eq!(counted(Some(Order::Big)), None);
        let kind = |octets: &[u8], order| Fields::of(octets, "X").counted(order).unwrap_err().kind();
        assert_eq!(kind(&little, Some(Order::Big)), ErrorKind::DialectMissing);
        assert_eq!(kind(&[0, 0, 0, 2, 8, 9], Some(Order::Little)), ErrorKind::DialectMissing);
        assert_eq!(kind(&[3, 0, 0, 0, 8, 9], Some(Order::Big)), ErrorKind::TokenAnswer);
        assert_eq!(Fields::of(&[0, 0, 0, 1, 2, 3], "X").counted(None).unwrap(), [2]);
        for bad in [&[][..], &[0, 0, 0], &[0, 0, 0, 1], &[0xFF; 9], &[0, 0, 0, 3, 1, 2]] {
            assert!(Fields::of(bad, "X").counted(None).is_err(), "{bad:?}");
        }
    }
}
