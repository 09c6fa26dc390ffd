//! What the public sources of GM/T 0017 leave unsettled, as data. Nothing in the driver asks for a dialect's name.
//!
//! The text of the standard is sold; what is known of the commands comes from programs that speak to real tokens, and these agree on the
//! commands and differ in what stands here:
//!
//! | dialect | source | integers | PIN's key | block that is encrypted | MAC |
//! |---|---|---|---|---|---|
//! | `syno-2015` | F: firmware and host library of a token-chip maker, 2015 | little-endian | SHA1(PIN with zeros to 16), first 16 | rnd8, 00 × 8 | CBC-MAC, Lc as `hi lo 00 00` |
//! | `usbtool` | O: USB test tool of a chip-security firm, after the edition of 2012 | big-endian | SHA1(PIN), first 16 | 08 00, rnd8, 80, 00 × 5 | not known |
//! | `gm3000` | G: HID driver made from captures of Longmai GM3000 keys that a CA issued | big-endian | SM3(PIN), first 16 | 08 00, rnd8, 80, 00 × 5 | not known |
//!
//! A wrong dialect costs a try like a wrong PIN. So there is none by default: a profile names it for a device, and without that no PIN is sent.

/// How the integers in the data of commands and answers are written. Lengths of the commands themselves (Lc, Le) are big-endian always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// The most significant octet first.
    Big,
    /// The least significant octet first.
    Little,
}

impl Order {
    pub(super) fn other(self) -> Self {
        match self {
            Order::Big => Order::Little,
            Order::Little => Order::Big,
        }
    }

    /// Four octets.
    #[must_use]
    pub fn word(self, value: u32) -> [u8; 4] {
        match self {
            Order::Big => value.to_be_bytes(),
            Order::Little => value.to_le_bytes(),
        }
    }

    /// Two octets.
    #[must_use]
    pub fn half(self, value: u16) -> [u8; 2] {
        match self {
            Order::Big => value.to_be_bytes(),
            Order::Little => value.to_le_bytes(),
        }
    }

    /// Reads four octets.
    #[must_use]
    pub fn read(self, octets: [u8; 4]) -> u32 {
        match self {
            Order::Big => u32::from_be_bytes(octets),
            Order::Little => u32::from_le_bytes(octets),
        }
    }
}

/// The digest that makes a key of a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PinDigest {
    /// SHA-1, its first 16 octets.
    Sha1,
    /// SM3, its first 16 octets.
    Sm3,
}

/// How the MAC of a command with class 84 is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MacForm {
    /// What stands between the two octets of Lc and the data.
    pub after_lc: &'static [u8],
}

/// Numbers of the SM2 algorithms (SGD_SM2_1, _2, _3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sm2Numbers {
    /// Signing.
    pub sign: u32,
    /// Key exchange.
    pub exchange: u32,
    /// Encryption.
    pub encrypt: u32,
}

/// The draft of 2010, still in the field.
const SM2_2010: Sm2Numbers = Sm2Numbers { sign: 0x0002_0100, exchange: 0x0002_0200, encrypt: 0x0002_0400 };
/// GM/T 0006 (GB/T 33560), since 2012.
const SM2_2012: Sm2Numbers = Sm2Numbers { sign: 0x0002_0200, exchange: 0x0002_0400, encrypt: 0x0002_0800 };

/// One dialect. Each field is something in which sources differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dialect {
    /// Its name in profiles.
    pub name: &'static str,
    /// Integers in data fields.
    pub order: Order,
    /// The digest that makes a key of a PIN.
    pub pin_digest: PinDigest,
    /// The PIN is filled with zeros to so many octets before it is hashed; 0: it is hashed as it is.
    pub pin_padded_to: usize,
    /// What stands in the encrypted block before the card's eight random octets; zeros fill it to 16 after [`Dialect::block_after`].
    pub block_before: &'static [u8],
    /// What stands after them.
    pub block_after: &'static [u8],
    /// The MAC of commands of class 84; `None` where nobody says how it is made, so that no such command can be sent.
    pub mac: Option<MacForm>,
    /// Octets of a name field of fixed length (CreateFile).
    pub name_field: usize,
    /// Numbers of the SM2 algorithms.
    pub sm2: Sm2Numbers,
}

/// Every dialect that is known.
pub static DIALECTS: &[Dialect] = &[
    Dialect {
        name: "syno-2015",
        order: Order::Little,
        pin_digest: PinDigest::Sha1,
        pin_padded_to: 16,
        block_before: &[],
        block_after: &[],
        mac: Some(MacForm { after_lc: &[0, 0] }),
        name_field: 48,
        sm2: SM2_2010,
    },
    Dialect {
        name: "usbtool",
        order: Order::Big,
        pin_digest: PinDigest::Sha1,
        pin_padded_to: 0,
        block_before: &[0x08, 0x00],
        block_after: &[0x80],
        mac: None,
        name_field: 32,
        sm2: SM2_2012,
    },
    Dialect {
        name: "gm3000",
        order: Order::Big,
        pin_digest: PinDigest::Sm3,
        pin_padded_to: 0,
        block_before: &[0x08, 0x00],
        block_after: &[0x80],
        mac: None,
        name_field: 32,
        sm2: SM2_2012,
    },
];

impl Dialect {
    /// The dialect of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Dialect> {
        DIALECTS.iter().find(|dialect| dialect.name == name)
    }

    /// Every name in one line.
    #[must_use]
    pub fn names() -> String {
        DIALECTS.iter().map(|dialect| dialect.name).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_has_its_own_name_and_a_block_that_holds_the_random() {
        for dialect in DIALECTS {
            assert_eq!(Dialect::named(dialect.name), Some(dialect));
            assert!(dialect.block_before.len() + 8 + dialect.block_after.len() <= 16);
            assert!(Dialect::names().contains(dialect.name));
        }
        assert_eq!(Dialect::named("gm3001"), None);
    }
}
