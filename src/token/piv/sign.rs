//! GENERAL AUTHENTICATE with a private key (SP 800-73-4 part 2, 3.2.4 and appendix A.4), and the block that an RSA key signs.

use zeroize::Zeroizing;

use super::object;
use super::slot::Slot;
use crate::apdu::tlv::{self, Objects};
use crate::apdu::{Command, Exchange, Expect, Sensitive, Sw};
use crate::error::{Error, ErrorKind, Result};
use crate::suite::{DigestAlgorithm, KeyKind, PublicKey, RawSignature, Suite, ToBeSigned};

const NAME: &str = "GENERAL AUTHENTICATE";
/// Dynamic authentication template (part 2, table 7) and what it holds.
const TEMPLATE: u32 = 0x7C;
const CHALLENGE: u32 = 0x81;
const RESPONSE: u32 = 0x82;
const EXPONENTIATION: u32 = 0x85;

/// DigestInfo up to the digest: SEQUENCE { SEQUENCE { algorithm, NULL }, OCTET STRING } (RFC 8017 §9.2, note 1).
const SHA1_INFO: &[u8] = b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14";
const SHA256_INFO: &[u8] = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";

/// What the key is to do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input<'a> {
    /// Sign this digest or block.
    Challenge(&'a [u8]),
    /// Multiply this point (appendix A.5.2).
    Point(&'a [u8]),
}

/// The octets that the card signs: the digest itself, or for RSA the whole padded block, as long as the modulus.
pub(super) fn block(key: &PublicKey, tbs: &ToBeSigned) -> Result<Vec<u8>> {
    let unsuited = |what: String| Error::new(ErrorKind::KeyUnsuited, NAME).detail(what);
    if !tbs.suite.fits(key.kind()) || tbs.digest.algorithm() != tbs.suite.digest() {
        return Err(unsuited(format!("{} with {}", tbs.suite, key.kind())));
    }
    match (tbs.suite, key.modulus()) {
        (Suite::P256Sha256, _) => Ok(tbs.digest.octets().to_vec()),
        (Suite::RsaSha256 | Suite::RsaSha1, Some(modulus)) => pad(modulus.len(), tbs)
            .ok_or_else(|| unsuited(format!("{} does not fit into {} octets", tbs.suite, modulus.len()))),
        (suite, _) => Err(unsuited(format!("PIV has no {suite}"))),
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 §9.2): 00 01 FF .. FF 00 DigestInfo, with at least eight FF.
fn pad(length: usize, tbs: &ToBeSigned) -> Option<Vec<u8>> {
    let info = match tbs.digest.algorithm() {
        DigestAlgorithm::Sha1 => SHA1_INFO,
        DigestAlgorithm::Sha256 => SHA256_INFO,
        DigestAlgorithm::Sm3 => return None,
    };
    let digest = tbs.digest.octets();
    let filling = length.checked_sub(info.len())?.checked_sub(digest.len())?.checked_sub(3)?;
    if filling < 8 {
        return None;
    }
    let mut block = vec![0x00, 0x01];
    block.extend(std::iter::repeat_n(0xFF, filling));
    block.push(0x00);
    block.extend_from_slice(info);
    block.extend_from_slice(digest);
    Some(block)
}

/// 00 87, P1 algorithm, P2 key: 7C { 82 (empty: what is asked for), 81 or 85 }; the answer is 7C { 82 result } and nothing else.
pub(super) fn general_authenticate(
    card: &mut Exchange<'_>,
    slot: Slot,
    kind: KeyKind,
    algorithm: u8,
    input: Input<'_>,
) -> Result<Zeroizing<Vec<u8>>> {
    let mut inside = tlv::object(RESPONSE, &[])?;
    let sensitive = match input {
        Input::Challenge(octets) => {
            tlv::write(&mut inside, CHALLENGE, octets)?;
            Sensitive::No
        }
        Input::Point(octets) => {
            tlv::write(&mut inside, EXPONENTIATION, octets)?;
            Sensitive::Answer
        }
    };
    // A short command and answer stay short; RSA's are longer than that.
    let expect = if kind == KeyKind::P256 { Expect::Some } else { Expect::Much };
    let command = Command::new(NAME, 0x87, algorithm, slot.octet())
        .data(&tlv::object(TEMPLATE, &inside)?)
        .expect(expect)
        .sensitive(sensitive);
    let answer = card.send(&command)?;
    if answer.sw() != Sw::Success {
        return Err(failure(answer.sw(), slot, kind));
    }
    let response = Objects::new(answer.data()).only(TEMPLATE)?.children()?.only(RESPONSE)?;
    Ok(Zeroizing::new(response.value.to_vec()))
}

/// What the status words say (part 2, 3.2.4, and what cards answer that have no key in the slot).
fn failure(sw: Sw, slot: Slot, kind: KeyKind) -> Error {
    let name = slot.name();
    match sw {
        Sw::SecurityStatusNotSatisfied => sw.error(NAME),
        Sw::ReferenceNotFound | Sw::FileNotFound | Sw::ConditionsNotSatisfied => {
            sw.as_kind(ErrorKind::KeyMissing, NAME).detail(format!("no key in slot {name}"))
        }
        // The card was given what fits the certificate.
        Sw::DataIncorrect | Sw::IncorrectP1P2 => sw
            .as_kind(ErrorKind::KeyMismatch, NAME)
            .detail(format!("slot {name} has no {kind} key, so its certificate is of another key")),
        other => other.error(NAME),
    }
}

/// A signature in the form that the key makes: DER of r and s, or as long as the modulus.
pub(super) fn shaped(octets: &[u8], key: &PublicKey, suite: Suite) -> Result<RawSignature> {
    let nonsense = || object::nonsense(NAME, format!("a signature of {} octets, not of {suite}", octets.len()));
    if key.modulus().is_some_and(|modulus| modulus.len() != octets.len()) {
        return Err(nonsense());
    }
    RawSignature::from_wire(suite, octets).map_err(|_| nonsense())
}
