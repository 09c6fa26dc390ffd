//! What card and reader say that they can carry.
//!
//! Extended length goes wrong with readers that cut it, so it is used only where both say so: the card in its ATR, the reader in the property
//! `dwMaxAPDUDataSize` that drivers of PC/SC part 10 tell. A reader that does not tell, such as a virtual one, gets short commands and chaining,
//! which every card of ISO/IEC 7816-4 takes. T=0 never carries extended length here: it would need ENVELOPE.

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::policy;

/// The historical bytes of an ATR (ISO/IEC 7816-3 §8.2): after TS and T0, and as many interface bytes as their indicators say.
fn historical(atr: &[u8]) -> Option<&[u8]> {
    let (t0, mut rest) = atr.get(1..)?.split_first()?;
    let mut indicator = t0 >> 4;
    while indicator != 0 {
        // TA, TB, TC
        let skip = usize::try_from((indicator & 0b0111).count_ones()).ok()?;
        rest = rest.get(skip..)?;
        if indicator & 0b1000 == 0 {
            break;
        }
        let (td, behind) = rest.split_first()?;
        (indicator, rest) = (td >> 4, behind);
    }
    rest.get(..usize::from(t0 & 0x0F))
}

/// Card capabilities (ISO/IEC 7816-4 §8.1.1.2.7): compact tag 7, third octet, bit 7.
pub(super) fn card_takes_extended(atr: &[u8]) -> bool {
    let objects = match historical(atr).and_then(|h| h.split_first()) {
        // Category indicator 80: data objects up to the end. 00: three octets of status follow them.
        Some((0x80, objects)) => objects,
        Some((0x00, objects)) => objects.get(..objects.len().saturating_sub(3)).unwrap_or_default(),
        _ => return false,
    };
    let mut rest = objects;
    while let Some((head, behind)) = rest.split_first() {
        let Some((value, next)) = behind.split_at_checked(usize::from(head & 0x0F)) else { return false };
        if head >> 4 == 7 {
            return value.get(2).is_some_and(|third| third & 0x40 != 0);
        }
        rest = next;
    }
    false
}

/// Whether the reader carries the longest command of ours in one piece.
pub(super) fn reader_takes_extended(largest: Option<u32>) -> bool {
    largest.and_then(|n| usize::try_from(n).ok()).is_some_and(|n| n >= policy::COMMAND_MAX)
}

/// GET_TLV_PROPERTIES (PC/SC part 10 §2.6.14): the feature that tells a driver's properties.
const GET_TLV_PROPERTIES: u8 = 0x12;

/// The most octets of one command that the reader and its driver say they carry; for whoever implements [`super::api::Held::largest`] over a
/// real service. `features` is `SCardControl` with CM_IOCTL_GET_FEATURE_REQUEST, `control` the same with a control code; both give the length
/// of what they wrote.
#[must_use]
pub fn largest(
    features: impl FnOnce(&mut [u8]) -> Option<usize>,
    control: impl FnOnce(u32, &mut [u8]) -> Option<usize>,
) -> Option<u32> {
    let mut buffer = [0; 264];
    let length = features(&mut buffer)?;
    let properties = feature(buffer.get(..length)?, GET_TLV_PROPERTIES)?;
    let mut buffer = [0; 264];
    let length = control(properties, &mut buffer)?;
    largest_apdu(buffer.get(..length)?)
}

/// The control code of feature `tag` in the answer to GET_FEATURE_REQUEST (PC/SC part 10 §2.2): tag, 4, code with the highest octet first.
fn feature(list: &[u8], tag: u8) -> Option<u32> {
    list.chunks_exact(6).find_map(|entry| match entry {
        [found, 4, a, b, c, d] if *found == tag => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    })
}

/// `dwMaxAPDUDataSize` in the answer to GET_TLV_PROPERTIES (PC/SC part 10 §2.6.14): tag 0A, 4, value with the lowest octet first.
fn largest_apdu(properties: &[u8]) -> Option<u32> {
    let mut rest = properties;
    while let [tag, length, behind @ ..] = rest {
        let (value, next) = behind.split_at_checked(usize::from(*length))?;
        if let (0x0A, [a, b, c, d]) = (*tag, value) {
            return Some(u32::from_le_bytes([*a, *b, *c, *d]));
        }
        rest = next;
    }
    None
}

/// The form of a short command for T=0 (ISO/IEC 7816-3 §12.2): case 1 gets P3 = 0, case 4 goes without its Le; its answer is fetched
/// with GET RESPONSE.
pub(super) fn over_t0(command: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let mut octets = Zeroizing::new(command.to_vec());
    match command {
        [_, _, _, _] => octets.push(0),
        [_, _, _, _, _] => {}
        [_, _, _, _, lc, data @ ..] if *lc != 0 && data.len() == usize::from(*lc) => {}
        [_, _, _, _, lc, data @ ..] if *lc != 0 && data.len() == usize::from(*lc).saturating_add(1) => {
            octets.pop();
        }
        _ => return Err(Error::new(ErrorKind::Unsupported, "SCardTransmit").detail("extended length over T=0")),
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        text.split_whitespace().map(|o| u8::from_str_radix(o, 16).unwrap()).collect()
    }

    #[test]
    fn extended_length_is_found_in_the_atr_of_cards_that_say_so_and_in_no_other() {
        // Two published ATRs of keys: one with card capabilities 73 00 21 C0, one whose historical bytes are a name.
        assert!(card_takes_extended(&hex("3B FD 13 00 00 81 31 FE 15 80 73 C0 21 C0 57 59 75 62 69 4B 65 79 40")));
        assert!(!card_takes_extended(&hex("3B F8 13 00 00 81 31 FE 15 59 75 62 69 6B 65 79 34 D4")));
        // Category 00: the last three octets are a status, not an object.
        assert!(card_takes_extended(&hex("3B 08 00 73 00 00 40 05 90 00")));
        assert!(!card_takes_extended(&hex("3B 08 00 31 00 73 00 00 40 00")));
        // Bit 7 not set; too few octets; none.
        assert!(!card_takes_extended(&hex("3B 05 80 73 C0 21 80")));
        assert!(!card_takes_extended(&hex("3B 04 80 72 C0 21")));
        assert!(!card_takes_extended(&hex("3B 80 80 01")));
    }

    #[test]
    fn no_atr_is_read_beyond_its_end() {
        let full = hex("3B FD 13 00 00 81 31 FE 15 80 73 C0 21 C0 57 59 75 62 69 4B 65 79 40");
        for length in 0..full.len() {
            card_takes_extended(&full[..length]);
        }
        assert!(!card_takes_extended(&[0xFF; 33]));
        assert!(!card_takes_extended(&[0x3B, 0x02, 0x80, 0x7F]));
    }

    #[test]
    fn a_reader_that_does_not_say_gets_short_commands() {
        assert!(!reader_takes_extended(None));
        assert!(!reader_takes_extended(Some(0)));
        assert!(!reader_takes_extended(Some(261)));
        assert!(reader_takes_extended(Some(0x1_0000)));
    }

    #[test]
    fn properties_of_readers_are_found_and_cut_ones_are_not() {
        let features = hex("06 04 42 33 00 06 12 04 42 33 00 12");
        assert_eq!(feature(&features, 0x12), Some(0x4233_0012));
        assert_eq!(feature(&features[..11], 0x12), None);
        let properties = hex("01 02 00 00 0A 04 00 00 01 00 0C 04 00 00 00 00");
        assert_eq!(largest_apdu(&properties), Some(0x1_0000));
        assert_eq!(largest_apdu(&properties[..8]), None);
        assert_eq!(largest_apdu(&[0x0A]), None);

        let told = |octets: &[u8], buffer: &mut [u8]| {
            buffer[..octets.len()].copy_from_slice(octets);
            octets.len()
        };
        let asked = |code, buffer: &mut [u8]| (code == 0x4233_0012).then(|| told(&properties, buffer));
        assert_eq!(largest(|buffer| Some(told(&features, buffer)), asked), Some(0x1_0000));
        assert_eq!(largest(|_| None, asked), None);
        assert_eq!(largest(|_| Some(9999), asked), None, "a length that cannot be");
    }

    #[test]
    fn commands_over_t0_take_the_form_that_its_cards_know() {
        let over = |text: &str| over_t0(&hex(text)).map(|o| o.to_vec());
        assert_eq!(over("00 20 00 80").unwrap(), hex("00 20 00 80 00"));
        assert_eq!(over("00 C0 00 00 10").unwrap(), hex("00 C0 00 00 10"));
        assert_eq!(over("00 A4 04 00 02 A0 00").unwrap(), hex("00 A4 04 00 02 A0 00"));
        assert_eq!(over("00 A4 04 00 02 A0 00 00").unwrap(), hex("00 A4 04 00 02 A0 00"));
        for refused in ["00 CB 3F FF 00 00 05", "00 A4 04 00 05 A0", "00 A4"] {
            assert_eq!(over(refused).unwrap_err().kind(), ErrorKind::Unsupported, "{refused}");
        }
    }
}
