//! SM2 through a module's own mechanisms. Their numbers and what they mean are data ([`Sm2Table`]): nothing of an answer is believed before
//! it has the stated form, r and s are in range, and the signature verifies.

use cryptoki::slot::Slot;
use cryptoki_sys::CKF_SIGN;

use super::mechanism::has_size;
use super::raw::Raw;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::suite::{KeyKind, PublicKey, RawSignature, Sm2Id, Suite, ToBeSigned};
use crate::token::{Sm2Input, Sm2Mechanism, Sm2Output, Sm2Table};

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

/// The mechanism for a signature: one that takes the finished e, or one that hashes where there is something to hash.
///
/// # Errors
/// `KeyUnsuited` where neither can be.
pub(super) fn choose(offered: &[Sm2Mechanism], table: &Sm2Table, tbs: &ToBeSigned) -> Result<Sm2Mechanism> {
    let takes_e = |m: &&Sm2Mechanism| m.input == Sm2Input::Digest;
    let serves = |m: &&Sm2Mechanism| match m.input {
        Sm2Input::Digest => true,
        // The module knows the default identifier alone.
        Sm2Input::Message => tbs.message.is_some() && tbs.sm2_id.as_ref().is_some_and(Sm2Id::is_default),
        Sm2Input::ZMessage => tbs.message.is_some() && tbs.sm2_id.is_some(),
    };
    let chosen = offered.iter().find(takes_e).or_else(|| offered.iter().find(serves));
    chosen.copied().ok_or_else(|| {
        let (set, hashing) = (table.name, numbers(offered));
        Error::new(ErrorKind::KeyUnsuited, "C_GetMechanismInfo").detail(match (offered, &tbs.message) {
            ([], _) => format!(
                "the token offers none of the SM2 mechanisms of set {set}: a profile may name others ([[pkcs11.sm2]])"
            ),
            (_, None) => format!(
                "the SM2 mechanisms of the token hash what they sign ({hashing}; set {set}), and the document is too large for that or its digest alone is at hand"
            ),
            (_, Some(_)) => {
                format!("the SM2 mechanisms of the token hash with the default identifier alone ({hashing}; set {set})")
            }
        })
    })
}

/// What the mechanism is given.
///
/// # Errors
/// `Defect` for a hashing mechanism without a message: [`choose`] has seen to that.
pub(super) fn input(mechanism: Sm2Mechanism, public: &PublicKey, tbs: &ToBeSigned) -> Result<Vec<u8>> {
    let defect = || Error::new(ErrorKind::Defect, "C_SignInit");
    let message = || tbs.message.as_deref().ok_or_else(defect);
    match mechanism.input {
        Sm2Input::Digest => Ok(tbs.digest.octets().to_vec()),
        Sm2Input::Message => Ok(message()?.to_vec()),
        Sm2Input::ZMessage => {
            let z = public.z(tbs.sm2_id.as_ref().ok_or_else(defect)?)?;
            Ok([z.octets(), message()?].concat())
        }
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
    RawSignature::new(Suite::Sm2Sm3, pair.to_vec()).map_err(|e| bad(e.what().unwrap_or_default()))
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
