//! Key references and the data objects of their certificates (SP 800-73-4 part 1, tables 4b and 3; SP 800-78-4, table 6-1).

use crate::error::{Error, ErrorKind, Result};
use crate::suite::{KeyKind, Suite};
use crate::token::{CertRef, KeyRef, Place, Wants};

/// PIV authentication.
pub(super) const AUTHENTICATION: Slot = Slot(0x9A);
/// Digital signature.
pub(super) const SIGNATURE: Slot = Slot(0x9C);
/// Key management: it opens envelopes.
pub(super) const KEY_MANAGEMENT: Slot = Slot(0x9D);
/// Card authentication, without a PIN.
pub(super) const CARD_AUTHENTICATION: Slot = Slot(0x9E);

/// The slots that each card has.
pub(super) const MAIN: [Slot; 4] = [AUTHENTICATION, SIGNATURE, KEY_MANAGEMENT, CARD_AUTHENTICATION];

/// PIN policies (Yubico's extensions: GET METADATA, tag 02, first octet): once, and before each use.
pub(super) const ONCE: u8 = 0x02;
pub(super) const ALWAYS: u8 = 0x03;

/// Where one private key and its certificate are: the key reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u8);

impl Slot {
    /// Retired key management keys, 82 to 95: the most are 20.
    pub(super) fn retired() -> impl Iterator<Item = Slot> {
        (0x82..=0x95).map(Slot)
    }

    pub(super) fn all() -> impl Iterator<Item = Slot> {
        MAIN.into_iter().chain(Slot::retired())
    }

    fn of(octets: &[u8], operation: &'static str) -> Result<Slot> {
        Slot::all()
            .find(|slot| octets == [slot.0])
            .ok_or_else(|| Error::new(ErrorKind::Argument, operation).detail("the reference is none of a PIV card"))
    }

    /// The slot of a key, and how often that key wants its PIN: the second octet says it where that is not what the slot's keys want.
    pub(super) fn of_key(key: &KeyRef) -> Result<(Slot, Wants)> {
        let (octets, wants) = match key.0.as_slice() {
            [slot @ .., ONCE] => (slot, Some(Wants::Once)),
            [slot @ .., ALWAYS] => (slot, Some(Wants::EachSignature)),
            slot => (slot, None),
        };
        let slot = Slot::of(octets, "find key")?;
        Ok((slot, wants.unwrap_or_else(|| slot.wants())))
    }

    pub(super) fn of_certificate(certificate: &CertRef) -> Result<Slot> {
        Slot::of(&certificate.0, "find certificate")
    }

    /// By the name that people use, such as `9C`.
    pub(super) fn named(name: &str) -> Option<Slot> {
        Slot::all().find(|slot| slot.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn name(self) -> String {
        format!("{:02X}", self.0)
    }

    pub(super) fn octet(self) -> u8 {
        self.0
    }

    pub(super) fn key(self) -> KeyRef {
        KeyRef(vec![self.0])
    }

    /// As [`Slot::key`], for a key whose PIN policy was read from the card.
    pub(super) fn key_that(self, wants: Wants) -> KeyRef {
        let policy = if wants == Wants::EachSignature { ALWAYS } else { ONCE };
        if wants == self.wants() { self.key() } else { KeyRef(vec![self.0, policy]) }
    }

    pub(super) fn certificate(self) -> CertRef {
        CertRef(vec![self.0])
    }

    pub(super) fn place(self, taken: bool) -> Place {
        Place { key: self.key(), certificate: self.certificate(), name: self.name(), taken }
    }

    pub(super) fn is_retired(self) -> bool {
        (0x82..=0x95).contains(&self.0)
    }

    /// Tag of the certificate's data object (part 1, table 3).
    pub(super) fn object(self) -> u32 {
        match self {
            AUTHENTICATION => 0x5F_C105,
            SIGNATURE => 0x5F_C10A,
            KEY_MANAGEMENT => 0x5F_C10B,
            CARD_AUTHENTICATION => 0x5F_C101,
            // 82 is 5FC10D, 95 is 5FC120.
            Slot(retired) => u32::from(retired).saturating_sub(0x82).saturating_add(0x5F_C10D),
        }
    }

    /// Part 1, table 4b: "PIN always" for 9C alone. 9E wants none, and takes one.
    pub(super) fn wants(self) -> Wants {
        if self == SIGNATURE { Wants::EachSignature } else { Wants::Once }
    }
}

/// The algorithm reference of a key (SP 800-78-4, table 6-2; 05 and 16 as in SP 800-78-5 and in keys of today). `None`: a PIV card has no
/// such key.
pub(super) fn algorithm(key: KeyKind) -> Option<u8> {
    match key {
        KeyKind::P256 => Some(0x11),
        KeyKind::Rsa { bits: 1024 } => Some(0x06),
        KeyKind::Rsa { bits: 2048 } => Some(0x07),
        KeyKind::Rsa { bits: 3072 } => Some(0x05),
        KeyKind::Rsa { bits: 4096 } => Some(0x16),
        _ => None,
    }
}

/// What a card signs with such a key. It signs a digest (P-256) or a block that is padded here (RSA).
pub(super) fn suites(key: KeyKind) -> Vec<Suite> {
    if algorithm(key).is_none() {
        return Vec::new();
    }
    [Suite::P256Sha256, Suite::RsaSha256, Suite::RsaSha1].into_iter().filter(|suite| suite.fits(key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_have_the_objects_of_the_standard() {
        let object = |name| Slot::named(name).unwrap().object();
        assert_eq!(object("9a"), 0x5F_C105);
        assert_eq!(object("9E"), 0x5F_C101);
        assert_eq!(object("82"), 0x5F_C10D);
        assert_eq!(object("95"), 0x5F_C120);
        assert_eq!((Slot::named("9B"), Slot::named("96"), Slot::named("")), (None, None, None));
        assert_eq!(Slot::all().count(), 24);
    }

    #[test]
    fn a_reference_of_another_token_is_refused() {
        for octets in [vec![], vec![0x9B], vec![0x9A, 0x9A], vec![ALWAYS], vec![0x9A, ONCE, ONCE], vec![0x9A, 0x01]] {
            assert_eq!(Slot::of_key(&KeyRef(octets)).unwrap_err().kind(), ErrorKind::Argument);
        }
    }

    #[test]
    fn a_key_keeps_the_policy_that_the_card_told() {
        for slot in Slot::all() {
            assert_eq!(Slot::of_key(&slot.key()).unwrap(), (slot, slot.wants()));
            for wants in [Wants::Once, Wants::EachSignature] {
                assert_eq!(Slot::of_key(&slot.key_that(wants)).unwrap(), (slot, wants));
            }
            assert_eq!(slot.key_that(slot.wants()), slot.key());
        }
    }
}
