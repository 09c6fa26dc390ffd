//! SM2 that the real module does not have, for keys that it keeps: a private key with the curve's OID in CKA_EC_PARAMS and its scalar in a
//! CKA_VALUE that can be read after a login. Throw-away keys of tests alone. Which mechanisms there are, and what they mean, says the
//! control file.

use crate::call::Call;
use crate::control::{Phase, Rule};
use crate::{Shim, shim};
use cryptoki_sys::*;
use sm2::dsa::signature::Signer;
use sm2::dsa::signature::hazmat::PrehashSigner;
use sm2::dsa::{Signature, SigningKey};
use sm3::{Digest, Sm3};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard};

/// CKA_EC_PARAMS of an SM2 key: OBJECT IDENTIFIER 1.2.156.10197.1.301.
const CURVE: &[u8] = b"\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d";
/// GM/T 0009-2012, section 10.
const ID: &str = "1234567812345678";
/// GB/T 32918.5-2017, section 3: n.
const ORDER: [u8; 32] = *b"\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\
    \x72\x03\xdf\x6b\x21\xc6\x05\x2b\x53\xbb\xf4\x09\x39\xd5\x41\x23";

/// What a mechanism of the control file does.
pub(crate) struct Form {
    name: &'static str,
    hash: Hash,
    der: bool,
    signs: bool,
}

#[derive(Clone, Copy)]
enum Hash {
    /// e is given.
    Given,
    /// The message is given: Z is put before it.
    WithZ,
    /// What is given is hashed.
    Plain,
}

const FORMS: [Form; 7] = {
    const fn form(name: &'static str, hash: Hash, der: bool, signs: bool) -> Form {
        Form { name, hash, der, signs }
    }
    [
        form("e-raw", Hash::Given, false, true),
        form("e-der", Hash::Given, true, true),
        form("message-raw", Hash::WithZ, false, true),
        form("message-der", Hash::WithZ, true, true),
        form("z-message-raw", Hash::Plain, false, true),
        form("z-message-der", Hash::Plain, true, true),
        form("verify-only", Hash::Given, false, false),
    ]
};

/// The form of this name.
pub(crate) fn form(name: &[u8]) -> Option<&'static Form> {
    FORMS.iter().find(|f| f.name.as_bytes() == name)
}

/// What may be wrong with a signature.
pub(crate) const BENDS: [&str; 5] = ["r-zero", "r-order", "s-order", "no-zero-octets", "trailing-octet"];

/// A signature that was begun.
struct Pending {
    key: SigningKey,
    form: &'static Form,
}

static PENDING: LazyLock<Mutex<HashMap<CK_SESSION_HANDLE, Pending>>> = LazyLock::new(Mutex::default);

fn pending() -> MutexGuard<'static, HashMap<CK_SESSION_HANDLE, Pending>> {
    PENDING.lock().unwrap_or_else(|e| e.into_inner())
}

/// What a mechanism is in the control file now.
fn mechanism(call: &mut Call, number: CK_MECHANISM_TYPE) -> Option<&'static Form> {
    let is_it = |rule: &Rule| rule.number as CK_MECHANISM_TYPE == number;
    call.fault_where("sm2", is_it).and_then(|rule| form(&rule.text))
}

/// C_GetMechanismInfo for a mechanism that the real module does not know.
pub(crate) fn info(call: &mut Call, number: CK_MECHANISM_TYPE) -> Option<CK_MECHANISM_INFO> {
    let form = mechanism(call, number)?;
    let flags = if form.signs { CKF_SIGN | CKF_VERIFY } else { CKF_VERIFY };
    Some(CK_MECHANISM_INFO { ulMinKeySize: 256, ulMaxKeySize: 256, flags })
}

/// C_SignInit with a mechanism that the real module does not know; None where the control file does not know it either.
pub(crate) fn begin(
    call: &mut Call,
    shim: &Shim,
    session: CK_SESSION_HANDLE,
    number: CK_MECHANISM_TYPE,
    key: CK_OBJECT_HANDLE,
) -> Option<CK_RV> {
    let form = mechanism(call, number)?;
    let scalar = match attribute(shim, session, key, CKA_VALUE) {
        Ok(scalar) => scalar,
        Err(rv) => return Some(rv),
    };
    if !is_sm2(shim, session, key) {
        return Some(CKR_KEY_TYPE_INCONSISTENT);
    }
    let key = sm2::SecretKey::from_slice(&scalar).ok().and_then(|key| SigningKey::new(ID, &key).ok());
    let Some(key) = key else { return Some(CKR_KEY_TYPE_INCONSISTENT) };
    pending().insert(session, Pending { key, form });
    Some(CKR_OK)
}

/// The end of a signature that was begun otherwise.
pub(crate) fn forget(session: CK_SESSION_HANDLE) {
    pending().remove(&session);
}

/// C_Sign for a signature that was begun here; None where none was.
pub(crate) fn sign(
    call: &mut Call,
    session: CK_SESSION_HANDLE,
    data: &[u8],
    phase: Phase,
) -> Option<Result<Vec<u8>, CK_RV>> {
    let mut all = pending();
    let Pending { key, form } = all.get(&session)?;
    let made = match form.hash {
        Hash::Given if data.len() != 32 => Err(CKR_DATA_LEN_RANGE),
        Hash::Given => key.sign_prehash(data).map_err(|_| CKR_FUNCTION_FAILED),
        Hash::WithZ => key.try_sign(data).map_err(|_| CKR_FUNCTION_FAILED),
        Hash::Plain => key.sign_prehash(&Sm3::digest(data)).map_err(|_| CKR_FUNCTION_FAILED),
    };
    let answer = made.map(|signature| written(call, &signature, form.der));
    if phase == Phase::Data || answer.is_err() {
        all.remove(&session);
    }
    Some(answer)
}

fn written(call: &mut Call, signature: &Signature, der: bool) -> Vec<u8> {
    let octets = signature.to_bytes();
    let (r, s) = octets.split_at(32);
    let (mut r, mut s) = (r.to_vec(), s.to_vec());
    let bend = call.fault("sm2-bend", Phase::Data).map(|rule| rule.text.clone()).unwrap_or_default();
    match bend.as_slice() {
        b"r-zero" => r = vec![0; 32],
        b"r-order" => r = ORDER.to_vec(),
        b"s-order" => s = ORDER.to_vec(),
        _ => {}
    }
    let signs = bend != b"no-zero-octets";
    let body = if der { [integer(&r, signs), integer(&s, signs)].concat() } else { [r, s].concat() };
    let mut written = if der { [&[0x30, body.len() as u8], &body[..]].concat() } else { body };
    if bend == b"trailing-octet" {
        written.push(0);
    }
    written
}

/// An INTEGER of X.690; without `signs` its zero octet before a set top bit is left out, as some devices do.
fn integer(value: &[u8], signs: bool) -> Vec<u8> {
    let start = value.iter().position(|o| *o != 0).unwrap_or(value.len() - 1);
    let mut digits = value[start..].to_vec();
    if signs && digits[0] >= 0x80 {
        digits.insert(0, 0);
    }
    [&[2, digits.len() as u8], &digits[..]].concat()
}

/// Whether a key of the real module is on the SM2 curve.
fn is_sm2(shim: &Shim, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> bool {
    attribute(shim, session, object, CKA_EC_PARAMS).is_ok_and(|curve| curve == CURVE)
}

fn attribute(
    shim: &Shim,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    kind: CK_ATTRIBUTE_TYPE,
) -> Result<Vec<u8>, CK_RV> {
    let mut value = vec![0_u8; 256];
    let mut wanted =
        CK_ATTRIBUTE { type_: kind, pValue: value.as_mut_ptr().cast(), ulValueLen: value.len() as CK_ULONG };
    let get = shim.real.C_GetAttributeValue.ok_or(CKR_FUNCTION_NOT_SUPPORTED)?;
    // SAFETY: one attribute with its buffer, whose length it tells.
    match unsafe { get(session, object, &raw mut wanted, 1) } {
        CKR_OK => value.truncate(usize::try_from(wanted.ulValueLen).unwrap_or(0).min(256)),
        rv => return Err(rv),
    }
    Ok(value)
}

/// Gives octets by PKCS#11's length convention (v2.40, section 5.2).
///
/// # Safety
/// `len` is null or readable and writable, `out` is null or has room for `*len` octets.
pub(crate) unsafe fn give(octets: &[u8], out: *mut u8, len: *mut CK_ULONG) -> CK_RV {
    // SAFETY: by this function's contract.
    let Some(len) = (unsafe { len.as_mut() }) else { return CKR_ARGUMENTS_BAD };
    let room = std::mem::replace(len, octets.len() as CK_ULONG);
    if out.is_null() {
        return CKR_OK;
    }
    if room < *len {
        return CKR_BUFFER_TOO_SMALL;
    }
    // SAFETY: `octets` fits the room, by the test above.
    unsafe { std::ptr::copy_nonoverlapping(octets.as_ptr(), out, octets.len()) };
    CKR_OK
}

/// Shows an SM2 key as one of a vendor's key type.
///
/// # Safety
/// `attribute` holds as many octets as its length says.
pub(crate) unsafe fn other_key_type(
    call: &mut Call,
    attribute: &CK_ATTRIBUTE,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
) {
    let Some(kind) = call.fault_where("sm2-key-type", |_| true).map(|rule| rule.number as CK_KEY_TYPE) else { return };
    if attribute.ulValueLen as usize == size_of::<CK_KEY_TYPE>()
        && shim().is_some_and(|shim| is_sm2(shim, session, object))
    {
        // SAFETY: by this function's contract; the caller's buffer need not be aligned.
        unsafe { attribute.pValue.cast::<CK_KEY_TYPE>().write_unaligned(kind) };
    }
}
