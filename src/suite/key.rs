//! Public keys and the check of a signature on the host. All mathematics is in the RustCrypto crates.

use std::fmt;

use der::Encode;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use spki::{DecodePublicKey, SubjectPublicKeyInfoRef};

use super::{Hasher, RawSignature, Sm2Id, Suite, ToBeSigned};
use crate::error::{Error, ErrorKind, Result};

/// n of P-256 (NIST SP 800-186 §3.2.1.3).
pub(super) const P256_ORDER: [u8; 32] = *b"\
\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
/// n of SM2 (GB/T 32918.5-2017 §2).
pub(super) const SM2_ORDER: [u8; 32] = *b"\
\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x72\x03\xdf\x6b\x21\xc6\x05\x2b\x53\xbb\xf4\x09\x39\xd5\x41\x23";

/// A key's type and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// NIST P-256.
    P256,
    /// SM2 (sm2p256v1).
    Sm2,
    /// RSA by the length of its modulus.
    Rsa {
        /// Modulus in bits.
        bits: usize,
    },
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyKind::P256 => f.write_str("P-256"),
            KeyKind::Sm2 => f.write_str("SM2"),
            KeyKind::Rsa { bits } => write!(f, "RSA-{bits}"),
        }
    }
}

/// A certificate's public key, ready to verify.
#[derive(Debug, Clone)]
pub struct PublicKey {
    kind: KeyKind,
    spki: Vec<u8>,
    verifier: Verifier,
}

#[derive(Debug, Clone)]
enum Verifier {
    P256(p256::ecdsa::VerifyingKey),
    #[cfg(feature = "sm")]
    Sm2(Box<sm2::dsa::VerifyingKey>),
    #[cfg(feature = "rsa")]
    Rsa(Box<rsa::RsaPublicKey>),
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) in DER.
    ///
    /// # Errors
    /// `CertificateMalformed` for a key that cannot be (a point off the curve, a modulus out of bounds),
    /// `Unsupported` for an algorithm that this build does not know.
    pub fn from_spki(der: &[u8]) -> Result<Self> {
        let bad = |what: &str| Error::new(ErrorKind::CertificateMalformed, "read public key").detail(what.to_owned());
        let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| bad("not a SubjectPublicKeyInfo"))?;
        let algorithm = info.algorithm.oid.to_string();
        let curve = info.algorithm.parameters_oid().ok().map(|oid| oid.to_string());
        let (kind, verifier) = match (algorithm.as_str(), curve.as_deref()) {
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => {
                let key = p256::ecdsa::VerifyingKey::from_public_key_der(der).map_err(|_| bad("P-256 point"))?;
                (KeyKind::P256, Verifier::P256(key))
            }
            #[cfg(feature = "sm")]
            ("1.2.840.10045.2.1", Some("1.2.156.10197.1.301")) => {
                let point = info.subject_public_key.as_bytes().ok_or_else(|| bad("SM2 point"))?;
                let key =
                    // Z is made by `z`, and signatures are verified over e: the crate's own identifier is of no use here.
                    sm2::dsa::VerifyingKey::from_sec1_bytes(super::SM2_DEFAULT_ID, point).map_err(|_| bad("SM2 point"))?;
                (KeyKind::Sm2, Verifier::Sm2(Box::new(key)))
            }
            #[cfg(feature = "rsa")]
            ("1.2.840.113549.1.1.1", _) => {
                use rsa::traits::PublicKeyParts;
                let key = rsa::RsaPublicKey::from_public_key_der(der).map_err(|_| bad("RSA key"))?;
                let bits = usize::try_from(key.n().bit_width()).unwrap_or(usize::MAX);
                (KeyKind::Rsa { bits }, Verifier::Rsa(Box::new(key)))
            }
            _ => {
                return Err(Error::new(ErrorKind::Unsupported, "read public key")
                    .detail(format!("key algorithm {algorithm} {}", curve.unwrap_or_default())));
            }
        };
        Ok(PublicKey { kind, spki: der.to_vec(), verifier })
    }

    /// Type and length.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The point as SEC 1 octets (04 ‖ X ‖ Y), for curves.
    #[must_use]
    pub fn point(&self) -> Option<Vec<u8>> {
        match &self.verifier {
            Verifier::P256(key) => Some(key.to_sec1_point(false).as_bytes().to_vec()),
            #[cfg(feature = "sm")]
            Verifier::Sm2(key) => Some(key.to_sec1_bytes().to_vec()),
            #[cfg(feature = "rsa")]
            Verifier::Rsa(_) => None,
        }
    }

    /// The modulus, big-endian without leading zeros, for RSA.
    #[must_use]
    pub fn modulus(&self) -> Option<Vec<u8>> {
        match &self.verifier {
            #[cfg(feature = "rsa")]
            Verifier::Rsa(key) => {
                use rsa::traits::PublicKeyParts;
                Some(key.n_bytes().to_vec())
            }
            _ => None,
        }
    }

    /// The encoded message (RFC 8017 §8.2.2, steps 2a to 2c) of a signature as long as the modulus, for RSA.
    pub(super) fn encoded_message(&self, signature: &[u8]) -> Option<Vec<u8>> {
        match &self.verifier {
            #[cfg(feature = "rsa")]
            Verifier::Rsa(key) => {
                use rsa::traits::PublicKeyParts;
                let value = rsa::BoxedUint::from_be_slice(signature, key.n().bits_precision()).ok()?;
                let fits = signature.len() == key.size() && value < **key.n();
                let encoded = fits.then(|| rsa::hazmat::rsa_encrypt(&**key, &value).ok()).flatten()?.to_be_bytes();
                encoded.get(encoded.len().checked_sub(key.size())?..).map(<[u8]>::to_vec)
            }
            _ => {
                let _ = signature;
                None
            }
        }
    }

    /// Starts the digest that `suite` signs: for SM2 it begins with Z under the default identifier (GB/T 32918.2 §5.5).
    ///
    /// # Errors
    /// `KeyUnsuited` when the suite is not for this key, `Unsupported` when it is not built in.
    pub fn hasher(&self, suite: Suite) -> Result<Hasher> {
        self.hasher_with(suite, &Sm2Id::default())
    }

    /// As [`PublicKey::hasher`], with an identifier for SM2. Other suites have none, and take no notice of it.
    ///
    /// # Errors
    /// As [`PublicKey::hasher`].
    pub fn hasher_with(&self, suite: Suite, id: &Sm2Id) -> Result<Hasher> {
        if !suite.fits(self.kind) {
            return Err(Error::new(ErrorKind::KeyUnsuited, "digest").detail(format!("{suite} with {}", self.kind)));
        }
        let mut hasher = suite.digest().hasher()?;
        if suite == Suite::Sm2Sm3 {
            hasher.update(self.z(id)?.octets());
        }
        Ok(hasher)
    }

    /// Z = SM3(ENTL ‖ ID ‖ a ‖ b ‖ xG ‖ yG ‖ xA ‖ yA) (GB/T 32918.2 §5.5).
    ///
    /// # Errors
    /// `KeyUnsuited` for a key that is not on the SM2 curve, or an identifier whose bits 16 bits cannot count.
    pub fn z(&self, id: impl AsRef<[u8]>) -> Result<super::Digest> {
        // Curve parameters of GB/T 32918.5-2017 §3: a, b, xG, yG.
        const CURVE: [u8; 128] = *b"\
\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xfc\
\x28\xe9\xfa\x9e\x9d\x9f\x5e\x34\x4d\x5a\x9e\x4b\xcf\x65\x09\xa7\xf3\x97\x89\xf5\x15\xab\x8f\x92\xdd\xbc\xbd\x41\x4d\x94\x0e\x93\
\x32\xc4\xae\x2c\x1f\x19\x81\x19\x5f\x99\x04\x46\x6a\x39\xc9\x94\x8f\xe3\x0b\xbf\xf2\x66\x0b\xe1\x71\x5a\x45\x89\x33\x4c\x74\xc7\
\xbc\x37\x36\xa2\xf4\xf6\x77\x9c\x59\xbd\xce\xe3\x6b\x69\x21\x53\xd0\xa9\x87\x7c\xc6\x2a\x47\x40\x02\xdf\x32\xe5\x21\x39\xf0\xa0";
        let unsuited = || Error::new(ErrorKind::KeyUnsuited, "SM2 Z");
        if self.kind != KeyKind::Sm2 {
            return Err(unsuited());
        }
        let point = self.point().ok_or_else(unsuited)?;
        let id = id.as_ref();
        let bits = u16::try_from(id.len()).ok().and_then(|n| n.checked_mul(8)).ok_or_else(unsuited)?;
        let mut hasher = super::DigestAlgorithm::Sm3.hasher()?;
        hasher.update(&bits.to_be_bytes());
        hasher.update(id);
        hasher.update(&CURVE);
        hasher.update(point.get(1..).unwrap_or_default());
        Ok(hasher.finish())
    }

    /// Whether `signature` is this key's over `tbs`.
    ///
    /// # Errors
    /// `SignatureWrong` when it is not; `KeyUnsuited` when suite, key and signature do not belong together.
    pub fn verify(&self, tbs: &ToBeSigned, signature: &RawSignature) -> Result<()> {
        let operation = "verify signature";
        if !tbs.suite.fits(self.kind) || signature.suite() != tbs.suite || tbs.digest.algorithm() != tbs.suite.digest()
        {
            return Err(
                Error::new(ErrorKind::KeyUnsuited, operation).detail(format!("{} with {}", tbs.suite, self.kind))
            );
        }
        let digest = tbs.digest.octets();
        let octets = signature.octets();
        let right = match &self.verifier {
            Verifier::P256(key) => {
                p256::ecdsa::Signature::from_slice(octets).is_ok_and(|s| key.verify_prehash(digest, &s).is_ok())
            }
            #[cfg(feature = "sm")]
            Verifier::Sm2(key) => {
                sm2::dsa::Signature::from_slice(octets).is_ok_and(|s| key.verify_prehash(digest, &s).is_ok())
            }
            #[cfg(feature = "rsa")]
            Verifier::Rsa(key) => verify_rsa(key, tbs.suite, digest, octets),
        };
        if right { Ok(()) } else { Err(Error::new(ErrorKind::SignatureWrong, operation)) }
    }
}

/// The public keys under which `signature` over `tbs` is right (SEC 1 §4.1.6), as points: four at the most, of P-256 alone. Whoever made it
/// has one of them, or nobody has.
pub(crate) fn signers(tbs: &ToBeSigned, signature: &RawSignature) -> Vec<Vec<u8>> {
    if tbs.suite != Suite::P256Sha256 || signature.suite() != tbs.suite {
        return Vec::new();
    }
    let Ok(value) = p256::ecdsa::Signature::from_slice(signature.octets()) else { return Vec::new() };
    let recover = |id| p256::ecdsa::VerifyingKey::recover_from_prehash(tbs.digest.octets(), &value, id).ok();
    (0..=p256::ecdsa::RecoveryId::MAX)
        .filter_map(p256::ecdsa::RecoveryId::from_byte)
        .filter_map(recover)
        .map(|key| key.to_sec1_point(false).as_bytes().to_vec())
        .collect()
}

#[cfg(feature = "rsa")]
fn verify_rsa(key: &rsa::RsaPublicKey, suite: Suite, digest: &[u8], octets: &[u8]) -> bool {
    match suite {
        Suite::RsaSha256 => key.verify(rsa::Pkcs1v15Sign::new::<sha2::Sha256>(), digest, octets).is_ok(),
        Suite::RsaSha1 => key.verify(rsa::Pkcs1v15Sign::new::<sha1::Sha1>(), digest, octets).is_ok(),
        Suite::RsaPssSha256 => key.verify(rsa::Pss::<sha2::Sha256>::new(), digest, octets).is_ok(),
        Suite::P256Sha256 | Suite::Sm2Sm3 => false,
    }
}

/// ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } (RFC 3279 §2.2.3); SM2 uses the same (GM/T 0009 §7.3).
#[derive(der::Sequence)]
struct SignatureValue<'a> {
    r: der::asn1::UintRef<'a>,
    s: der::asn1::UintRef<'a>,
}

pub(super) fn to_der(signature: &RawSignature) -> Result<Vec<u8>> {
    let bad = || Error::new(ErrorKind::SignatureMalformed, "encode signature");
    let (r, s) = signature.octets().split_at_checked(32).ok_or_else(bad)?;
    let value = SignatureValue {
        r: der::asn1::UintRef::new(r).map_err(|_| bad())?,
        s: der::asn1::UintRef::new(s).map_err(|_| bad())?,
    };
    value.to_der().map_err(|_| bad())
}

pub(super) fn from_der(suite: Suite, octets: &[u8]) -> Result<RawSignature> {
    let bad = || Error::new(ErrorKind::SignatureMalformed, "decode signature").detail("not DER of r and s");
    let value = <SignatureValue<'_> as der::Decode<'_>>::from_der(octets).map_err(|_| bad())?;
    let mut raw = Vec::with_capacity(64);
    for part in [value.r.as_bytes(), value.s.as_bytes()] {
        let pad = 32_usize.checked_sub(part.len()).ok_or_else(bad)?;
        raw.resize(raw.len().saturating_add(pad), 0);
        raw.extend_from_slice(part);
    }
    RawSignature::new(suite, raw)
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
