//! What an ATR says: makers that are known, what is no PIV card for certain, and quirks by name.

use crate::link::Atr;
use crate::token::Fit;

/// What deviates from SP 800-73, or goes beyond it. Each has a source; none is guessed from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Quirks {
    /// A refused PIN is answered by 630X instead of 63CX (OpenSC `CI_VERIFY_630X`: YubiKey NEO).
    pub(super) tries_in_630x: bool,
    /// GET VERSION, INS FD (Yubico's extensions; Nitrokey and SoloKeys have it too).
    pub(super) version: bool,
    /// GET SERIAL, INS F8: the number that is printed on the key (Yubico's extensions, from 5.0 on).
    pub(super) serial: bool,
    /// GET METADATA, INS F7 (Yubico's extensions, from 5.3 on; earlier ones answer 6D00).
    pub(super) metadata: bool,
    /// The chip's library made weak RSA keys in some versions (CVE-2017-15361, Yubico YSA-2017-01: 4.2.6 to 4.3.4).
    pub(super) weak_rsa: bool,
}

/// A maker's cards.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) manufacturer: &'static str,
    pub(super) model: &'static str,
    atr: Pattern,
    pub(super) quirks: Quirks,
}

#[derive(Debug)]
enum Pattern {
    /// The whole ATR.
    Is(&'static [u8]),
    /// These octets, among the historical ones.
    Has(&'static [u8]),
}

impl Pattern {
    fn fits(&self, atr: &Atr) -> bool {
        match self {
            Pattern::Is(whole) => atr.octets() == *whole,
            Pattern::Has(part) => atr.octets().windows(part.len()).any(|w| w == *part),
        }
    }
}

const NONE: Quirks = Quirks { tries_in_630x: false, version: false, serial: false, metadata: false, weak_rsa: false };

/// Known families, the narrower pattern first. Sources: OpenSC's card-piv.c for Yubico's, pynitrokey for Nitrokey 3, PIVageant's list for
/// Feitian.
const FAMILIES: &[Family] = &[
    Family {
        manufacturer: "Yubico",
        model: "YubiKey NEO",
        atr: Pattern::Has(b"YubikeyNEO"),
        quirks: Quirks { tries_in_630x: true, version: true, ..NONE },
    },
    Family {
        manufacturer: "Yubico",
        model: "YubiKey 4",
        atr: Pattern::Has(b"Yubikey4"),
        quirks: Quirks { version: true, weak_rsa: true, ..NONE },
    },
    Family {
        manufacturer: "Yubico",
        model: "YubiKey",
        atr: Pattern::Has(b"YubiKey"),
        quirks: Quirks { version: true, serial: true, metadata: true, ..NONE },
    },
    Family {
        manufacturer: "Nitrokey",
        model: "Nitrokey",
        atr: Pattern::Has(b"Nitrokey"),
        quirks: Quirks { version: true, ..NONE },
    },
    Family {
        manufacturer: "Feitian",
        model: "ePass",
        atr: Pattern::Is(
            b"\x3B\xDD\x18\x00\x81\x91\xFE\x1F\xC3\x00\x66\x46\x53\x08\x03\x00\x36\x71\xDF\x00\x00\x80\x97",
        ),
        quirks: NONE,
    },
    Family {
        manufacturer: "Feitian",
        model: "BioPass FIDO2",
        atr: Pattern::Is(b"\x3B\x9C\x95\x81\x31\xFE\x9F\x90\x67\x46\x4A\x01\x02\x53\x05\x01\x72\xFE\x00\xFB"),
        quirks: NONE,
    },
];

/// What holds no applications at all.
const OTHERS: &[Pattern] = &[
    // Memory cards behind a contactless reader (PC/SC part 3, 3.1.3.2.3.1: the application identifier of the PC/SC workgroup).
    Pattern::Has(b"\x80\x4F\x0C\xA0\x00\x00\x03\x06"),
    // Memory chips with contacts, SLE 4442 and SLE 4428 (PC/SC part 3: their four octets as historical ones).
    Pattern::Is(b"\x3B\x04\xA2\x13\x10\x91"),
    Pattern::Is(b"\x3B\x04\x92\x23\x10\x91"),
];

pub(super) fn family(atr: &Atr) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.atr.fits(atr))
}

pub(super) fn quirks(atr: &Atr) -> Quirks {
    family(atr).map(|family| family.quirks).unwrap_or_default()
}

pub(super) fn fit(atr: &Atr) -> Fit {
    if family(atr).is_some() {
        Fit::Yes
    } else if OTHERS.iter().any(|other| other.fits(atr)) {
        Fit::No
    } else {
        Fit::Perhaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atr(hex: &str) -> Atr {
        let octets: Vec<u8> = hex.split(' ').map(|o| u8::from_str_radix(o, 16).unwrap()).collect();
        Atr::new(&octets)
    }

    #[test]
    fn known_keys_are_told_by_their_atr_and_memory_cards_are_not_asked() {
        let neo = atr("3B FC 13 00 00 81 31 FE 15 59 75 62 69 6B 65 79 4E 45 4F 72 33 E1");
        let five = atr("3B FD 13 00 00 81 31 FE 15 80 73 C0 21 C0 57 59 75 62 69 4B 65 79 40");
        let nitro = atr("3B 8F 01 80 5D 4E 69 74 72 6F 6B 65 79 00 00 00 00 00 6A");
        let mifare = atr("3B 8F 80 01 80 4F 0C A0 00 00 03 06 03 00 01 00 00 00 00 6A");
        assert_eq!((fit(&neo), quirks(&neo).tries_in_630x), (Fit::Yes, true));
        assert_eq!((fit(&five), quirks(&five).metadata), (Fit::Yes, true));
        assert_eq!((fit(&nitro), quirks(&nitro).metadata), (Fit::Yes, false));
        assert_eq!(fit(&mifare), Fit::No);
        assert_eq!(fit(&atr("3B 04 A2 13 10 91")), Fit::No);
    }

    #[test]
    fn an_atr_that_nobody_knows_leaves_it_to_the_application() {
        for odd in [Atr::default(), Atr::new(&[0x3B]), Atr::new(&[0xFF; 64]), atr("3B 95 13 81 01 80 73 FF 01 80 00")] {
            assert_eq!((fit(&odd), quirks(&odd)), (Fit::Perhaps, Quirks::default()));
        }
    }
}
