//! Signature suites as one table, digests, and what goes to and comes from a token.

mod digest;
mod key;
mod recovered;
mod sm2_id;
#[cfg(feature = "sm")]
pub mod sm2_wire;

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

pub(crate) use digest::hex;
pub use digest::{Digest, DigestAlgorithm, Hasher};
pub(crate) use key::signers;
pub use key::{KeyKind, PublicKey};
pub(crate) use recovered::Recovered;
pub use sm2_id::{SM2_DEFAULT_ID, Sm2Id};

/// A key type with a digest and an encoding of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suite {
    /// ECDSA on P-256 with SHA-256.
    P256Sha256,
    /// SM2 with SM3 (GB/T 32918.2), e = SM3(Z ‖ M).
    Sm2Sm3,
    /// RSA PKCS#1 v1.5 with SHA-256.
    RsaSha256,
    /// RSA PKCS#1 v1.5 with SHA-1: only where the customs profile asks for it.
    RsaSha1,
    /// RSA-PSS with SHA-256.
    RsaPssSha256,
}

/// One row of the table.
struct Row {
    name: &'static str,
    digest: DigestAlgorithm,
    fits: fn(KeyKind) -> bool,
}

/// The longest RSA key that is supported, in bits.
pub(crate) const RSA_MOST: usize = 4096;

fn rsa_bits(kind: KeyKind, least: usize) -> bool {
    matches!(kind, KeyKind::Rsa { bits } if (least..=RSA_MOST).contains(&bits))
}

impl Suite {
    /// Every suite.
    pub const ALL: [Suite; 5] =
        [Suite::P256Sha256, Suite::Sm2Sm3, Suite::RsaSha256, Suite::RsaSha1, Suite::RsaPssSha256];

    /// The table.
    fn row(self) -> Row {
        let row = |name, digest, fits| Row { name, digest, fits };
        match self {
            Suite::P256Sha256 => row("ecdsa-p256-sha256", DigestAlgorithm::Sha256, |k| k == KeyKind::P256),
            Suite::Sm2Sm3 => row("sm2-sm3", DigestAlgorithm::Sm3, |k| k == KeyKind::Sm2),
            Suite::RsaSha256 => row("rsa-sha256", DigestAlgorithm::Sha256, |k| rsa_bits(k, 2048)),
            // Old e-port cards hold RSA-1024 (manual::customs §6.1).
            Suite::RsaSha1 => row("rsa-sha1", DigestAlgorithm::Sha1, |k| rsa_bits(k, 1024)),
            Suite::RsaPssSha256 => row("rsa-pss-sha256", DigestAlgorithm::Sha256, |k| rsa_bits(k, 2048)),
        }
    }

    /// Its name in receipts and JSON, such as `rsa-sha1`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The digest it signs.
    #[must_use]
    pub fn digest(self) -> DigestAlgorithm {
        self.row().digest
    }

    /// Whether a key of this kind and length may make such signatures.
    #[must_use]
    pub fn fits(self, key: KeyKind) -> bool {
        (self.row().fits)(key)
    }

    /// What a key of this kind signs with when a format leaves the choice: P-256 and RSA with SHA-256, SM2 with SM3.
    #[must_use]
    pub fn preferred(key: KeyKind) -> Option<Suite> {
        [Suite::P256Sha256, Suite::Sm2Sm3, Suite::RsaSha256].into_iter().find(|s| s.fits(key))
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Names of suites in one line.
pub(crate) fn names(suites: &[Suite]) -> String {
    let names: Vec<_> = suites.iter().map(|s| s.name()).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// What a person is shown before a signature.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// One line, or a few: what is signed.
    pub text: String,
}

/// Characters that nobody sees or that change how others are shown: controls other than newline and tab, line and paragraph separators,
/// format characters (general categories Cc, Zl, Zp, Cf of Unicode 16; bidirectional overrides and zero-width ones among them), fillers.
pub(crate) fn is_hidden(c: char) -> bool {
    let format = matches!(c,
        '\u{AD}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{890}'..='\u{891}' | '\u{8E2}' | '\u{180E}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E007F}');
    let filler = matches!(c, '\u{34F}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}');
    let separator = matches!(c, '\u{2028}'..='\u{2029}');
    (c.is_control() && !matches!(c, '\n' | '\t')) || format || filler || separator
}

/// What is to be signed.
#[derive(Debug, Clone)]
pub struct ToBeSigned {
    /// The suite.
    pub suite: Suite,
    /// The digest that the suite signs. For SM2 this is e = SM3(Z ‖ M).
    pub digest: Digest,
    /// The message M, octet for octet, for a token that hashes by itself or shows what it signs. Absent where it is larger than
    /// [`crate::policy::MESSAGE_MAX`], or where the caller gave a digest.
    pub message: Option<Arc<[u8]>>,
    /// The identifier that is in Z, for a token that hashes by itself. Absent where there is no Z, or where the caller gave e.
    pub sm2_id: Option<Sm2Id>,
    /// What a display key shows.
    pub display: Option<Arc<Summary>>,
}

impl ToBeSigned {
    /// Hashes `message` as `suite` wants it under `key` (SM2 hashes the key and the default identifier in).
    ///
    /// # Errors
    /// `Unsupported` where the suite is not built in.
    pub fn over(suite: Suite, key: &PublicKey, message: &[u8]) -> Result<Self> {
        ToBeSigned::over_with(suite, key, &Sm2Id::default(), message)
    }

    /// As [`ToBeSigned::over`], with an identifier for SM2.
    ///
    /// # Errors
    /// As [`ToBeSigned::over`].
    pub fn over_with(suite: Suite, key: &PublicKey, id: &Sm2Id, message: &[u8]) -> Result<Self> {
        let mut hasher = key.hasher_with(suite, id)?;
        hasher.update(message);
        Ok(ToBeSigned::of(suite, hasher.finish(), id))
    }

    /// Of a digest that was made with [`PublicKey::hasher_with`].
    #[must_use]
    pub fn of(suite: Suite, digest: Digest, id: &Sm2Id) -> Self {
        let sm2_id = (suite == Suite::Sm2Sm3).then(|| id.clone());
        ToBeSigned { suite, digest, message: None, sm2_id, display: None }
    }
}

/// A signature as all formats take it: ECDSA and SM2 as r‖s (32 + 32 octets, big-endian), RSA as long as the modulus.
#[derive(Clone, PartialEq, Eq)]
pub struct RawSignature {
    suite: Suite,
    octets: Vec<u8>,
}

impl RawSignature {
    /// Takes a signature in the form named above.
    ///
    /// # Errors
    /// `SignatureMalformed` when the length cannot be, or r or s is zero or not below the order of the curve.
    pub fn new(suite: Suite, octets: Vec<u8>) -> Result<Self> {
        let bad = |what: String| Err(Error::new(ErrorKind::SignatureMalformed, "read signature").detail(what));
        let (r, s) = match suite {
            Suite::P256Sha256 | Suite::Sm2Sm3 if octets.len() == 64 => octets.split_at(32),
            Suite::RsaSha256 | Suite::RsaSha1 | Suite::RsaPssSha256 if (128..=512).contains(&octets.len()) => {
                return Ok(RawSignature { suite, octets });
            }
            _ => return bad(format!("{} octets for {suite}", octets.len())),
        };
        // 0 < r, s < n (FIPS 186-5 §6.4.2, GB/T 32918.2 §7.1 B1, B2). Numbers of the same length compare as their octets do.
        let order = if suite == Suite::Sm2Sm3 { &key::SM2_ORDER } else { &key::P256_ORDER };
        for (name, number) in [("r", r), ("s", s)] {
            if number.iter().all(|o| *o == 0) {
                return bad(format!("{name} is zero"));
            }
            if number >= &order[..] {
                return bad(format!("{name} is not below the order of the curve"));
            }
        }
        Ok(RawSignature { suite, octets })
    }

    /// Takes an ECDSA or SM2 signature in DER (`SEQUENCE { r INTEGER, s INTEGER }`), or an RSA signature as it is.
    ///
    /// # Errors
    /// `SignatureMalformed`: it is no DER (negative numbers and needless zeros are none), or as [`RawSignature::new`].
    pub fn from_wire(suite: Suite, octets: &[u8]) -> Result<Self> {
        match suite {
            Suite::P256Sha256 | Suite::Sm2Sm3 => key::from_der(suite, octets),
            _ => RawSignature::new(suite, octets.to_vec()),
        }
    }

    /// The suite.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// r‖s, or the RSA octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// DER for ECDSA and SM2 (RFC 3279 §2.2.3, GM/T 0009), the RSA octets as they are.
    ///
    /// # Errors
    /// `SignatureMalformed`; never for a signature of this library's own.
    pub fn to_wire(&self) -> Result<Vec<u8>> {
        match self.suite {
            Suite::P256Sha256 | Suite::Sm2Sm3 => key::to_der(self),
            _ => Ok(self.octets.clone()),
        }
    }
}

impl fmt::Debug for RawSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawSignature({}, {} octets)", self.suite, self.octets.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_rsa_1024_keys_serve_sha1_and_nothing_else() {
        let old = KeyKind::Rsa { bits: 1024 };
        assert!(Suite::RsaSha1.fits(old));
        assert!(!Suite::RsaSha256.fits(old));
        assert_eq!(Suite::preferred(old), None);
        assert!(!Suite::RsaSha1.fits(KeyKind::Rsa { bits: 512 }));
        assert!(!Suite::RsaSha1.fits(KeyKind::Rsa { bits: 8192 }));
    }
}
