//! What devices of GM/T 0017 do in different ways, as data.
//!
//! Sources: F, firmware and host library of a token's maker, 2015; O, a test tool for USB tokens of a firm for chip security; G, a driver made
//! from captures of a GM3000. What none of them settles is the same in all three here.

use super::status::Sw;

/// Which octet of an integer comes first: its lowest or its highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

/// How a PIN becomes a key of SM4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PinKey {
    /// The first half of SHA-1 over the PIN, filled with zeros to 16 octets.
    Sha1Padded,
    /// The first 16 octets of SHA-1 over the PIN.
    Sha1,
    /// The first 16 octets of SM3 over the PIN.
    Sm3,
}

/// How the random of a PIN command becomes a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// Zeros behind it.
    Zeros,
    /// `08 00`, the random, `80`, zeros.
    Framed,
}

/// Where the tries stand in the status word of a refused PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tries {
    /// 63Cx.
    Low,
    /// 63xC.
    High,
}

/// One way to speak.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) name: &'static str,
    pub(super) order: Order,
    pub(super) pin_key: PinKey,
    pub(super) block: Block,
    /// Commands with a MAC are known: CLA 84.
    pub(super) mac: bool,
    /// Short commands are taken beside extended ones.
    pub(super) short: bool,
    pub(super) tries: Tries,
    /// Octets of a name in CreateApplication and CreateFile.
    pub(super) name_width: usize,
    /// The numbers of SM2 for signatures, key exchange and encryption.
    pub(super) sm2: [u32; 3],
    /// A digest comes with its length before it.
    pub(super) digest_length: bool,
}

/// The known ones.
static DIALECTS: &[&Dialect] = &[&SYNO_2015, &USBTOOL, &GM3000];

/// F. A new device speaks it.
pub(super) static SYNO_2015: Dialect = Dialect {
    name: "syno-2015",
    order: Order::Little,
    pin_key: PinKey::Sha1Padded,
    block: Block::Zeros,
    mac: true,
    short: true,
    tries: Tries::High,
    name_width: 48,
    sm2: [0x0002_0100, 0x0002_0200, 0x0002_0400],
    digest_length: true,
};

/// O.
static USBTOOL: Dialect = Dialect {
    name: "usbtool",
    order: Order::Big,
    pin_key: PinKey::Sha1,
    block: Block::Framed,
    mac: false,
    short: false,
    tries: Tries::Low,
    name_width: 32,
    sm2: [0x0002_0200, 0x0002_0400, 0x0002_0800],
    digest_length: false,
};

/// G.
static GM3000: Dialect = Dialect {
    name: "gm3000",
    order: Order::Big,
    pin_key: PinKey::Sm3,
    block: Block::Framed,
    mac: false,
    short: false,
    tries: Tries::Low,
    name_width: 32,
    sm2: [0x0002_0200, 0x0002_0400, 0x0002_0800],
    digest_length: false,
};

impl Dialect {
    pub(super) fn named(name: &str) -> Option<&'static Dialect> {
        DIALECTS.iter().copied().find(|dialect| dialect.name == name)
    }

    /// Every name in one line.
    pub(super) fn names() -> String {
        DIALECTS.iter().map(|dialect| dialect.name).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn u16(&self, value: u16) -> [u8; 2] {
        match self.order {
            Order::Little => value.to_le_bytes(),
            Order::Big => value.to_be_bytes(),
        }
    }

    pub(super) fn u32(&self, value: u32) -> [u8; 4] {
        match self.order {
            Order::Little => value.to_le_bytes(),
            Order::Big => value.to_be_bytes(),
        }
    }

    /// The status word of a refused PIN.
    pub(super) fn refused(&self, left: u8) -> Sw {
        let left = u16::from(left & 0x0F);
        Sw(match self.tries {
            Tries::Low => 0x63C0 | left,
            Tries::High => 0x630C | (left << 4),
        })
    }
}
