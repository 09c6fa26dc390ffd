//! Objects of a token as typed values. Every length is checked against a cap before anything is allocated for it.

use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki_sys::{
    CK_ATTRIBUTE_TYPE, CK_CERTIFICATE_TYPE, CKA_ALWAYS_AUTHENTICATE, CKA_CERTIFICATE_TYPE, CKA_EC_PARAMS, CKA_EC_POINT,
    CKA_ID, CKA_KEY_TYPE, CKA_LABEL, CKA_LOCAL, CKA_MODULUS, CKA_PUBLIC_KEY_INFO, CKA_SIGN, CKA_VALUE, CKC_X_509,
    CKK_EC, CKK_RSA,
};

use super::raw::Raw;
use crate::cert::Certificate;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::policy;
use crate::suite::{KeyKind, PublicKey};

/// The longest label that is shown, in octets.
const LABEL_MAX: usize = 256;

/// CKA_EC_PARAMS of P-256: OBJECT IDENTIFIER 1.2.840.10045.3.1.7.
const P256_CURVE: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// CKA_EC_PARAMS of SM2: OBJECT IDENTIFIER 1.2.156.10197.1.301 (GM/T 0006).
const SM2_CURVE: &[u8] = &[0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d];

/// A session's sight of its token.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) raw: &'a Raw,
    pub(super) session: &'a Session,
    /// Key types that are SM2, besides CKK_EC with its curve.
    pub(super) sm2_keys: &'a [u32],
}

/// A certificate object.
pub(super) struct CertificateObject {
    pub(super) handle: ObjectHandle,
    pub(super) label: String,
    /// `None` where the object's value is no certificate that can be read; the error says why.
    pub(super) certificate: Result<Certificate>,
}

/// What an object says of the public key that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stated {
    /// It is the one looked for.
    Same,
    /// It is another one.
    Other,
    /// It does not tell.
    Nothing,
}

impl View<'_> {
    pub(super) fn find(self, class: ObjectClass) -> Result<Vec<ObjectHandle>> {
        self.raw.find(self.session, &[Attribute::Class(class)])
    }

    fn attribute(self, object: ObjectHandle, kind: CK_ATTRIBUTE_TYPE, cap: usize) -> Result<Option<Vec<u8>>> {
        self.raw.attribute(self.session, object, kind, cap)
    }

    fn number(self, object: ObjectHandle, kind: CK_ATTRIBUTE_TYPE) -> Result<Option<u64>> {
        let octets = self.attribute(object, kind, policy::ATTRIBUTE_MAX)?;
        Ok(octets.and_then(|o| {
            // CK_ULONG in the host's byte order; four octets on some systems.
            let four = || <[u8; 4]>::try_from(o.as_slice()).ok().map(|n| u64::from(u32::from_ne_bytes(n)));
            <[u8; 8]>::try_from(o.as_slice()).ok().map(u64::from_ne_bytes).or_else(four)
        }))
    }

    fn is(self, object: ObjectHandle, kind: CK_ATTRIBUTE_TYPE) -> Result<Option<bool>> {
        let octets = self.attribute(object, kind, policy::ATTRIBUTE_MAX)?;
        Ok(octets.and_then(|o| o.first().map(|b| *b != 0)))
    }

    /// The object's CKA_ID; empty where it has none.
    pub(super) fn id(self, object: ObjectHandle) -> Result<Vec<u8>> {
        Ok(self.attribute(object, CKA_ID, policy::ATTRIBUTE_MAX)?.unwrap_or_default())
    }

    /// Whether the key wants its PIN before each signature.
    pub(super) fn always_authenticates(self, key: ObjectHandle) -> Result<bool> {
        Ok(self.is(key, CKA_ALWAYS_AUTHENTICATE)?.unwrap_or(false))
    }

    /// Whether the key is of this kind and may sign, as far as it tells.
    pub(super) fn may_sign(self, key: ObjectHandle, kind: KeyKind) -> Result<bool> {
        Ok(self.is_of(key, kind)? && self.is(key, CKA_SIGN)?.unwrap_or(true))
    }

    fn is_of(self, key: ObjectHandle, kind: KeyKind) -> Result<bool> {
        #[allow(clippy::useless_conversion)] // CK_ULONG has 32 bits elsewhere
        let (ec, rsa): (u64, u64) = (CKK_EC.into(), CKK_RSA.into());
        let Some(stated) = self.number(key, CKA_KEY_TYPE)? else { return Ok(true) };
        match kind {
            KeyKind::Rsa { .. } => Ok(stated == rsa),
            KeyKind::Sm2 if self.sm2_keys.iter().any(|number| u64::from(*number) == stated) => Ok(true),
            KeyKind::P256 | KeyKind::Sm2 if stated != ec => Ok(false),
            KeyKind::P256 => self.is_on(key, P256_CURVE),
            KeyKind::Sm2 => self.is_on(key, SM2_CURVE),
        }
    }

    /// Whether an EC key is on this curve. Parameters that name no curve tell nothing: a signature has to prove the key then.
    fn is_on(self, key: ObjectHandle, curve: &[u8]) -> Result<bool> {
        let parameters = self.attribute(key, CKA_EC_PARAMS, policy::ATTRIBUTE_MAX)?.unwrap_or_default();
        Ok(parameters.first() != Some(&0x06) || parameters == curve)
    }

    /// X.509 certificates, in the order of their handles.
    ///
    /// # Errors
    /// What the token answers; a certificate that cannot be read is an error in the list and hides no other.
    pub(super) fn certificates(self) -> Result<Vec<CertificateObject>> {
        let mut found = Vec::new();
        for handle in self.find(ObjectClass::CERTIFICATE)? {
            found.extend(self.certificate(handle)?);
        }
        Ok(found)
    }

    /// `None` for a certificate of another kind than X.509.
    pub(super) fn certificate(self, handle: ObjectHandle) -> Result<Option<CertificateObject>> {
        #[allow(clippy::useless_conversion)] // as above
        let x509: u64 = CK_CERTIFICATE_TYPE::from(CKC_X_509).into();
        if self.number(handle, CKA_CERTIFICATE_TYPE)?.is_some_and(|kind| kind != x509) {
            return Ok(None);
        }
        let label = self.attribute(handle, CKA_LABEL, LABEL_MAX).ok().flatten().unwrap_or_default();
        let label = String::from_utf8_lossy(&label).chars().filter(|c| !c.is_control()).collect();
        let certificate = match self.attribute(handle, CKA_VALUE, policy::CERTIFICATE_MAX) {
            Ok(Some(der)) => Certificate::from_der(&der),
            Ok(None) => Err(Error::new(ErrorKind::CertificateMalformed, "C_GetAttributeValue").detail("no CKA_VALUE")),
            Err(error) if error.kind() == ErrorKind::TokenAnswer => Err(error),
            Err(error) => return Err(error),
        };
        Ok(Some(CertificateObject { handle, label, certificate }))
    }

    /// Whether this public key object is `key`, made on the token together with its private key. Both CKA_LOCAL and the numbers of the key are
    /// the token's own: no template can set them for a pair that the token makes, and nothing changes them later (PKCS#11 2.40 §4.1.2, §4.7).
    /// CKA_PUBLIC_KEY_INFO is not asked, because programs may write it.
    pub(super) fn is_born_here(self, object: ObjectHandle, key: &PublicKey) -> Result<bool> {
        if self.is(object, CKA_LOCAL)? != Some(true) || !self.is_of(object, key.kind())? {
            return Ok(false);
        }
        Ok(self.numbers(object, key)? == Stated::Same)
    }

    /// What a key object says of its public key, by CKA_PUBLIC_KEY_INFO, CKA_MODULUS or CKA_EC_POINT.
    pub(super) fn stated(self, object: ObjectHandle, key: &PublicKey) -> Result<Stated> {
        if let Some(info) = self.attribute(object, CKA_PUBLIC_KEY_INFO, policy::ATTRIBUTE_MAX)?
            && let Ok(info) = PublicKey::from_spki(&info)
        {
            return Ok(if same_key(&info, key) { Stated::Same } else { Stated::Other });
        }
        self.numbers(object, key)
    }

    /// The same by CKA_MODULUS or CKA_EC_POINT alone.
    fn numbers(self, object: ObjectHandle, key: &PublicKey) -> Result<Stated> {
        let (kind, expected) = match (key.modulus(), key.point()) {
            (Some(modulus), _) => (CKA_MODULUS, modulus),
            (None, Some(point)) => (CKA_EC_POINT, point),
            (None, None) => return Ok(Stated::Nothing),
        };
        let Some(value) = self.attribute(object, kind, policy::ATTRIBUTE_MAX)? else { return Ok(Stated::Nothing) };
        let bare = if kind == CKA_MODULUS { strip_zeros(&value) } else { bare_point(&value) };
        Ok(match bare {
            [] => Stated::Nothing,
            bare if bare == expected => Stated::Same,
            _ => Stated::Other,
        })
    }
}

/// Whether two public keys are one, however their algorithm is written down.
pub(super) fn same_key(a: &PublicKey, b: &PublicKey) -> bool {
    a.kind() == b.kind() && a.modulus() == b.modulus() && a.point() == b.point()
}

fn strip_zeros(mut octets: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = octets {
        octets = rest;
    }
    octets
}

/// The uncompressed point of a 256-bit curve, 04 ‖ X ‖ Y. CKA_EC_POINT holds it as DER OCTET STRING (PKCS#11 mechanisms 2.40 §2.3.3);
/// some modules give it bare, some as BIT STRING. Anything else tells nothing.
fn bare_point(value: &[u8]) -> &[u8] {
    let point = match value {
        [4, 65, point @ ..] | [3, 66, 0, point @ ..] if point.len() == 65 => point,
        point => point,
    };
    if point.len() == 65 && point.first() == Some(&4) { point } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_wrapped_and_bare() {
        let bare: Vec<u8> = std::iter::once(4).chain(1..=64).collect();
        assert_eq!(bare_point(&bare), bare);
        assert_eq!(bare_point(&[&[4, 65], &bare[..]].concat()), bare);
        assert_eq!(bare_point(&[&[3, 66, 0], &bare[..]].concat()), bare);
        // A bare point whose X begins like a length octet.
        let confusing: Vec<u8> = [4, 63].into_iter().chain(std::iter::repeat_n(9, 63)).collect();
        assert_eq!(bare_point(&confusing), confusing);
        for nothing in [&[][..], &[4], &bare[..64], &[2; 33]] {
            assert_eq!(bare_point(nothing), [0_u8; 0]);
        }
        assert_eq!(strip_zeros(&[0, 0, 1, 0]), [1, 0]);
    }
}
