//! Data objects (SP 800-73-4 part 1, section 3 and table 3) and what is read of them. Everything in them is hostile.

use std::io::Read;

use zeroize::Zeroizing;

use crate::apdu::tlv::{self, Objects};
use crate::apdu::{Command, Exchange, Expect, Sw};
use crate::error::{Error, ErrorKind, Result};
use crate::policy;

/// Card holder unique identifier.
pub(super) const CHUID: u32 = 0x5F_C102;
/// Card capability container.
pub(super) const CCC: u32 = 0x5F_C107;
/// Key history object.
const KEY_HISTORY: u32 = 0x5F_C10C;
/// Discovery object.
const DISCOVERY: u32 = 0x7E;

/// The PIV card application's own PIN (part 1, table 4a).
pub(super) const APPLICATION_PIN: u8 = 0x80;
/// The global PIN.
pub(super) const GLOBAL_PIN: u8 = 0x00;

/// GET DATA (part 2, 3.1.2): 00 CB 3F FF, the tag list 5C. `None` where there is no such object.
fn get_data(card: &mut Exchange<'_>, tag: u32) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let octets = tag.to_be_bytes();
    let start = octets.iter().position(|o| *o != 0).unwrap_or_default();
    let list = tlv::object(0x5C, octets.get(start..).unwrap_or_default())?;
    let command = Command::new("GET DATA", 0xCB, 0x3F, 0xFF).data(&list).expect(Expect::Much);
    let answer = card.send(&command)?;
    match answer.sw() {
        // 6A88 is what some cards say for an object that was never written.
        Sw::FileNotFound | Sw::ReferenceNotFound => Ok(None),
        _ => answer.success("GET DATA").map(Some),
    }
}

/// What is inside an object: all but the discovery object are in a 53.
pub(super) fn read(card: &mut Exchange<'_>, tag: u32) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let Some(octets) = get_data(card, tag)? else { return Ok(None) };
    let inside = Objects::new(&octets).need(0x53)?.value;
    Ok((!inside.is_empty()).then(|| Zeroizing::new(inside.to_vec())))
}

/// The certificate in an object (part 1, table 10 and appendix A): 70 certificate, 71 how it is packed, FE nothing. It is packed where
/// it begins as gzip (RFC 1952 §2.3.1): cards are found whose 71 is not there or says otherwise.
pub(super) fn certificate(card: &mut Exchange<'_>, tag: u32) -> Result<Option<Vec<u8>>> {
    let Some(inside) = read(card, tag)? else { return Ok(None) };
    match Objects::new(&inside).need(0x70)?.value {
        [] => Ok(None),
        packed @ [0x1F, 0x8B, ..] => unpack(packed).map(Some),
        long if long.len() > policy::CERTIFICATE_MAX => Err(too_long()),
        plain => Ok(Some(plain.to_vec())),
    }
}

fn too_long() -> Error {
    Error::new(ErrorKind::CertificateMalformed, "read certificate")
        .detail(format!("more than {} octets", policy::CERTIFICATE_MAX))
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>> {
    let plain = inflate(packed).map_err(|_| {
        Error::new(ErrorKind::CertificateMalformed, "read certificate").detail("packed, and cannot be unpacked")
    })?;
    if plain.len() > policy::CERTIFICATE_MAX { Err(too_long()) } else { Ok(plain) }
}

/// A few octets of gzip can say that they are a gigabyte: one octet more is unpacked than a certificate may have, and no further.
fn inflate(packed: &[u8]) -> std::io::Result<Vec<u8>> {
    let most = u64::try_from(policy::CERTIFICATE_MAX).unwrap_or(u64::MAX);
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(packed).take(most.saturating_add(1)).read_to_end(&mut plain)?;
    Ok(plain)
}

/// The card's number: the GUID of the CHUID, its FASC-N where the GUID is zero (part 1, 3.1.2), or the card identifier of the CCC
/// (3.1.1). `None` where the card has none that is its own.
pub(super) fn number(card: &mut Exchange<'_>) -> Result<Option<Vec<u8>>> {
    if let Some(chuid) = read(card, CHUID)? {
        let find = |tag| Objects::new(&chuid).find(tag).ok().flatten().map(|o| o.value.to_vec());
        if let Some(guid) = find(0x34).filter(|guid| says_something(guid)) {
            return Ok(Some(guid));
        }
        if let Some(fasc_n) = find(0x30).filter(|f| says_something(f) && !is_nobodys(f)) {
            return Ok(Some(fasc_n));
        }
    }
    let Some(ccc) = read(card, CCC)? else { return Ok(None) };
    let identifier = Objects::new(&ccc).find(0xF0).ok().flatten().map(|o| o.value.to_vec());
    Ok(identifier.filter(|identifier| says_something(identifier)))
}

fn says_something(number: &[u8]) -> bool {
    (1..=64).contains(&number.len()) && number.iter().any(|o| *o != 0)
}

/// A FASC-N of agency 9999, as all issuers outside the government write it: S 9999 in five-bit digits (TIG SCEPACS 2.3, appendix B). Many
/// programs write the very same one to each card.
fn is_nobodys(fasc_n: &[u8]) -> bool {
    matches!(fasc_n, [0xD4, 0xE7, 0x39, 0x80..=0xFF, ..])
}

/// The PIN that a person means: the global one where the discovery object says that it is the primary one (part 1, 3.3.2: 5F2F, first
/// octet bit 6 = the global PIN opens the application, second octet 20 = it is the primary one). The application's own in any doubt.
pub(super) fn primary_pin(card: &mut Exchange<'_>) -> Result<u8> {
    let octets = match get_data(card, DISCOVERY) {
        Ok(Some(octets)) => octets,
        Ok(None) => return Ok(APPLICATION_PIN),
        Err(error) if is_of_the_object(&error) => return Ok(APPLICATION_PIN),
        Err(error) => return Err(error),
    };
    let policy = || Objects::new(&octets).need(0x7E)?.children()?.need(0x5F2F);
    Ok(match policy().map(|o| o.value) {
        Ok([first, 0x20]) if first & 0x20 != 0 => GLOBAL_PIN,
        _ => APPLICATION_PIN,
    })
}

/// How many retired keys have their certificate on the card (part 1, 3.3.3: C1). 0 in any doubt.
pub(super) fn retired_certificates(card: &mut Exchange<'_>) -> Result<u8> {
    let inside = match read(card, KEY_HISTORY) {
        Ok(Some(inside)) => inside,
        Ok(None) => return Ok(0),
        Err(error) if is_of_the_object(&error) => return Ok(0),
        Err(error) => return Err(error),
    };
    let count = Objects::new(&inside).find(0xC1).ok().flatten();
    Ok(count.and_then(|o| o.value.first().copied()).unwrap_or_default())
}

/// An answer that makes no sense.
pub(super) fn nonsense(operation: &'static str, what: String) -> Error {
    Error::new(ErrorKind::TokenAnswer, operation).detail(what)
}

/// Whether an error speaks of one object alone: the next one may be well. Anything else ends the use of the card.
pub(super) fn is_of_the_object(error: &Error) -> bool {
    use ErrorKind as K;
    matches!(error.kind(), K::TokenAnswer | K::CertificateMalformed | K::PinRequired | K::PinLocked | K::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_that_it_is_much_is_not_unpacked() {
        use std::io::Write;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&vec![0; 1_000_000]).unwrap();
        let packed = packer.finish().unwrap();
        assert!(packed.len() < 2_000);
        assert_eq!(inflate(&packed).unwrap().len(), policy::CERTIFICATE_MAX + 1);
    }
}
