//! SM2 through a module's own mechanisms. Their numbers and what they mean are data ([`Sm2Table`]): nothing of an answer is believed before
//! it has the stated form, r and s are in range, and the signature verifies.

use cryptoki::slot::Slot;
use cryptoki_sys::CKF_SIGN;

use super::mechanism::has_size;
use super::raw::Raw;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::suite::{KeyKind, PublicKey, RawSignature, SM2_DEFAULT_ID, Suite, ToBeSigned};
use crate::token::{Sm2Input, Sm2Mechanism, Sm2Output, Sm2Table};

/// Order of the curve's group (GB/T 32918.5-2017 §3).
const ORDER: [u8; 32] = *b"\
\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x72\x03\xdf\x6b\x21\xc6\x05\x2b\x53\xbb\xf4\x09\x39\xd5\x41\x23";

/// The table's mechanisms with which the token signs. Each is asked for by its number.
///
/// # Errors
/// Where the token is gone.
pub(super) fn offered(raw: &Raw, slot: Slot, table: &Sm2Table) -> Result<Vec<Sm2Mechanism>> {
    let mut found = Vec::new();
    for mechanism in &table.mechanisms {
        let info = raw.mechanism_info(slot, mechanism.number)?;
        let sizes = |min, max| usize::try_from(min).ok().zip(usize::try_from(max).ok());
        let signs = info.filter(|info| info.flags & CKF_SIGN != 0).and_then(|i| sizes(i.ulMinKeySize, i.ulMaxKeySize));
        if signs.is_some_and(|(min, max)| has_size(min, max, KeyKind::Sm2)) {
            found.push(*mechanism);
        }
    }
    tracing::debug!(set = table.name, offered = %numbers(&found), "SM2 mechanisms of the token");
    Ok(found)
}

fn numbers(mechanisms: &[Sm2Mechanism]) -> String {
    mechanisms.iter().map(|m| format!("{:#x}", m.number)).collect::<Vec<_>>().join(" ")
}

/// The mechanism for a signature: one that takes the finished e, or one that hashes where the message is at hand.
///
/// # Errors
/// `KeyUnsuited` where neither can be.
pub(super) fn choose(offered: &[Sm2Mechanism], table: &Sm2Table, tbs: &ToBeSigned) -> Result<Sm2Mechanism> {
    let taking_e = offered.iter().find(|m| m.input == Sm2Input::Digest);
    let chosen = taking_e.or_else(|| offered.first().filter(|_| tbs.message.is_some()));
    chosen.copied().ok_or_else(|| {
        let set = table.name;
        Error::new(ErrorKind::KeyUnsuited, "C_GetMechanismInfo").detail(match offered {
            [] => format!("the token offers none of the SM2 mechanisms of set {set}: a profile may name others ([[pkcs11.sm2]])"),
            hashing => format!(
                "the SM2 mechanisms of the token hash the message themselves ({}; set {set}), and of this document the digest alone is at hand",
                numbers(hashing)
            ),
        })
    })
}

/// What the mechanism is given.
///
/// # Errors
/// `Defect` for a hashing mechanism without a message: [`choose`] has seen to that.
pub(super) fn input(mechanism: Sm2Mechanism, public: &PublicKey, tbs: &ToBeSigned) -> Result<Vec<u8>> {
    let message = || tbs.message.as_deref().ok_or_else(|| Error::new(ErrorKind::Defect, "C_SignInit"));
    match mechanism.input {
        Sm2Input::Digest => Ok(tbs.digest.octets().to_vec()),
        Sm2Input::Message => Ok(message()?.to_vec()),
        Sm2Input::ZMessage => Ok([public.z(SM2_DEFAULT_ID)?.octets(), message()?].concat()),
    }
}

/// What to think of where a signature does not verify.
pub(super) fn doubt(mechanism: Sm2Mechanism) -> String {
    let given = match mechanism.input {
        Sm2Input::Digest => "e",
        Sm2Input::Message => "the message, without Z",
        Sm2Input::ZMessage => "Z and the message",
    };
    let number = mechanism.number;
    format!(
        "mechanism {number:#x} was given {given}: should it want something else, [[pkcs11.sm2]] of the profile says so"
    )
}

/// What the mechanism gave, as r‖s.
///
/// # Errors
/// `SignatureMalformed` for another form than the table states, and for r or s out of range.
pub(super) fn output(mechanism: Sm2Mechanism, octets: &[u8]) -> Result<RawSignature> {
    let Sm2Mechanism { number, output, .. } = mechanism;
    let bad = |what: &str| {
        let length = octets.len();
        let what = format!("mechanism {number:#x} gave {length} octets, {what}: see [[pkcs11.sm2]] of the profile");
        Error::new(ErrorKind::SignatureMalformed, "C_Sign").detail(what)
    };
    let (raw, der) = (<[u8; 64]>::try_from(octets).ok(), from_der(octets));
    let pair = match (output, raw, der) {
        (Sm2Output::Raw, Some(pair), _) | (Sm2Output::Der, _, Some(pair)) => pair,
        (Sm2Output::Raw, None, Some(_)) => return Err(bad("DER where the table says r and s")),
        (Sm2Output::Der, Some(_), None) => return Err(bad("r and s where the table says DER")),
        (Sm2Output::Raw | Sm2Output::Der, None, None) => return Err(bad("which are no signature")),
    };
    let (r, s) = pair.split_at(32);
    let in_range = |value: &[u8]| value.iter().any(|o| *o != 0) && value < ORDER.as_slice();
    if !in_range(r) || !in_range(s) {
        return Err(bad("r or s out of range"));
    }
    RawSignature::new(Suite::Sm2Sm3, pair.to_vec())
}

/// SEQUENCE { r INTEGER, s INTEGER } (GM/T 0009-2012 §7.3) to r‖s. The numbers are read as what they have to be, positive: some modules leave
/// out the zero octet before a set top bit (seen in signatures that a client's tests keep), some write more zeros than are wanted.
fn from_der(octets: &[u8]) -> Option<[u8; 64]> {
    let (r, rest) = integer(value_of(0x30, octets).filter(|(_, rest)| rest.is_empty())?.0)?;
    let (s, rest) = integer(rest)?;
    let mut pair = [0_u8; 64];
    pair.split_at_mut(32).0.copy_from_slice(&r);
    pair.split_at_mut(32).1.copy_from_slice(&s);
    rest.is_empty().then_some(pair)
}

/// A TLV of less than 128 octets, and what follows it.
fn value_of(tag: u8, octets: &[u8]) -> Option<(&[u8], &[u8])> {
    match octets {
        [found, length @ ..0x80, rest @ ..] if *found == tag => rest.split_at_checked(usize::from(*length)),
        _ => None,
    }
}

fn integer(octets: &[u8]) -> Option<([u8; 32], &[u8])> {
    let (value, rest) = value_of(0x02, octets)?;
    let start = value.iter().position(|o| *o != 0).unwrap_or(value.len());
    let digits = value.get(start..).filter(|_| !value.is_empty())?;
    let mut padded = [0_u8; 32];
    let gap = padded.len().checked_sub(digits.len())?;
    padded.get_mut(gap..)?.copy_from_slice(digits);
    Some((padded, rest))
}

#[cfg(all(test, feature = "sm"))]
#[path = "sm2_tests.rs"]
mod tests;
