//! Suites as PKCS#11 mechanisms. The digest is made on the host: tokens differ in the hashing mechanisms that they have.
//!
//! | suite | mechanism | input |
//! |---|---|---|
//! | ecdsa-p256-sha256 | CKM_ECDSA | the 32 octets of the digest; some tokens sign any length, so the length is checked here |
//! | rsa-sha256, rsa-sha1 | CKM_RSA_PKCS | DER of DigestInfo (RFC 8017 §9.2) |
//! | rsa-pss-sha256 | CKM_RSA_PKCS_PSS, MGF1 with SHA-256, salt of 32 octets | the digest |
//! | sm2-sm3 | a vendor's own, see `sm2` | e, or where the token has nothing else, what it hashes |

use cryptoki::context::Pkcs11;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::slot::Slot;
use der::asn1::{AnyRef, ObjectIdentifier, OctetString};
use der::{Encode, Sequence};
use spki::AlgorithmIdentifier;

use super::ckr::fault;
use super::raw::Raw;
use super::sm2;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::suite::{Digest, DigestAlgorithm, KeyKind, PublicKey, Suite, ToBeSigned};
use crate::token::{Sm2Mechanism, Sm2Table};

/// DigestInfo ::= SEQUENCE { digestAlgorithm AlgorithmIdentifier, digest OCTET STRING } (RFC 8017 §9.2 and A.2.4).
#[derive(Sequence)]
struct DigestInfo<'a> {
    algorithm: AlgorithmIdentifier<AnyRef<'a>>,
    digest: OctetString,
}

/// A token's mechanisms.
#[derive(Clone, Copy)]
pub(super) struct Offer<'a> {
    pub(super) module: &'a Pkcs11,
    pub(super) raw: &'a Raw,
    pub(super) slot: Slot,
    /// The numbers of its SM2.
    pub(super) sm2: &'a Sm2Table,
}

/// By which kind of mechanism a signature is made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    /// PKCS#11's own.
    Standard,
    Sm2(Sm2Mechanism),
}

/// What C_SignInit is given.
#[derive(Debug)]
pub(super) enum Start {
    Mechanism(Mechanism<'static>),
    Number(u32),
}

/// What C_SignInit and C_Sign are given.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) start: Start,
    pub(super) data: Vec<u8>,
}

fn mechanism_type(suite: Suite) -> Option<MechanismType> {
    match suite {
        Suite::P256Sha256 => Some(MechanismType::ECDSA),
        Suite::RsaSha256 | Suite::RsaSha1 => Some(MechanismType::RSA_PKCS),
        Suite::RsaPssSha256 => Some(MechanismType::RSA_PKCS_PSS),
        Suite::Sm2Sm3 => None,
    }
}

/// Refuses a digest that is not the suite's.
///
/// # Errors
/// `Argument`.
pub(super) fn check_digest(suite: Suite, digest: &Digest) -> Result<()> {
    if digest.algorithm() == suite.digest() && digest.octets().len() == suite.digest().length() {
        return Ok(());
    }
    let what = format!("{} of {} octets for {suite}", digest.algorithm().name(), digest.octets().len());
    Err(Error::new(ErrorKind::Argument, "C_SignInit").detail(what))
}

/// Mechanism and input for a signature with the key of `public`.
///
/// # Errors
/// `Argument` for a digest that is not the suite's.
pub(super) fn input(way: Way, public: &PublicKey, tbs: &ToBeSigned) -> Result<Input> {
    let (suite, digest) = (tbs.suite, &tbs.digest);
    check_digest(suite, digest)?;
    let (mechanism, data) = match (way, suite) {
        (Way::Sm2(mechanism), _) => {
            return Ok(Input { start: Start::Number(mechanism.number), data: sm2::input(mechanism, public, tbs)? });
        }
        (Way::Standard, Suite::P256Sha256) => (Mechanism::Ecdsa, digest.octets().to_vec()),
        (Way::Standard, Suite::RsaSha256 | Suite::RsaSha1) => (Mechanism::RsaPkcs, digest_info(digest)?),
        (Way::Standard, Suite::RsaPssSha256) => {
            let (hash_alg, mgf) = (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256);
            (Mechanism::RsaPkcsPss(PkcsPssParams { hash_alg, mgf, s_len: 32.into() }), digest.octets().to_vec())
        }
        (Way::Standard, Suite::Sm2Sm3) => return Err(Error::new(ErrorKind::Defect, "C_SignInit").detail(suite.name())),
    };
    Ok(Input { start: Start::Mechanism(mechanism), data })
}

fn digest_info(digest: &Digest) -> Result<Vec<u8>> {
    let bad = |e: der::Error| Error::new(ErrorKind::Defect, "encode DigestInfo").detail(e.to_string());
    let oid = match digest.algorithm() {
        DigestAlgorithm::Sha1 => ObjectIdentifier::new_unwrap("1.3.14.3.2.26"),
        DigestAlgorithm::Sha256 => ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"),
        DigestAlgorithm::Sm3 => ObjectIdentifier::new_unwrap("1.2.156.10197.1.401"),
    };
    let algorithm = AlgorithmIdentifier { oid, parameters: Some(AnyRef::NULL) };
    let digest = OctetString::new(digest.octets()).map_err(bad)?;
    DigestInfo { algorithm, digest }.to_der().map_err(bad)
}

impl Offer<'_> {
    /// The suites that the token offers for a key of this kind. Each mechanism is asked for by name, so that no list has to be believed.
    ///
    /// # Errors
    /// Where the token is gone.
    pub(super) fn suites(self, kind: KeyKind) -> Result<Vec<Suite>> {
        let mut suites = Vec::new();
        for suite in Suite::ALL.into_iter().filter(|s| s.fits(kind)) {
            let has = match mechanism_type(suite) {
                Some(mechanism) => self.has(mechanism, kind)?,
                None => !sm2::offered(self.raw, self.slot, self.sm2)?.is_empty(),
            };
            if has {
                suites.push(suite);
            }
        }
        Ok(suites)
    }

    /// How the token makes this signature with a key of this kind.
    ///
    /// # Errors
    /// `KeyUnsuited` where it does not.
    pub(super) fn way(self, kind: KeyKind, tbs: &ToBeSigned) -> Result<Way> {
        let Some(mechanism) = mechanism_type(tbs.suite) else {
            let offered = sm2::offered(self.raw, self.slot, self.sm2)?;
            return sm2::choose(&offered, self.sm2, tbs).map(Way::Sm2);
        };
        if self.has(mechanism, kind)? {
            return Ok(Way::Standard);
        }
        let what = format!("the token does not offer {} for {kind}", tbs.suite);
        Err(Error::new(ErrorKind::KeyUnsuited, "C_GetMechanismInfo").detail(what))
    }

    fn has(self, mechanism: MechanismType, kind: KeyKind) -> Result<bool> {
        match self.module.get_mechanism_info(self.slot, mechanism) {
            Ok(info) => Ok(info.sign() && has_size(info.min_key_size(), info.max_key_size(), kind)),
            Err(e) => match fault(&e, "C_GetMechanismInfo") {
                error if error.kind() == ErrorKind::KeyUnsuited => Ok(false),
                error => Err(error),
            },
        }
    }
}

/// Sizes are bits for EC and RSA (PKCS#11 mechanisms 2.40 §2.1, §2.3); some modules give them in octets, some give nothing.
pub(super) fn has_size(least: usize, most: usize, kind: KeyKind) -> bool {
    let bits = match kind {
        KeyKind::P256 | KeyKind::Sm2 => 256,
        KeyKind::Rsa { bits } => bits,
    };
    let range = least..=most;
    most == 0 || range.contains(&bits) || range.contains(&bits.div_ceil(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_info_begins_as_rfc_8017_lists_it() {
        // RFC 8017 §9.2, note 1.
        let sha1 = [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];
        let sha256 = [
            0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
            0x20,
        ];
        for (suite, prefix) in [(Suite::RsaSha1, &sha1[..]), (Suite::RsaSha256, &sha256[..])] {
            let digest = Digest::new(suite.digest(), &vec![7; suite.digest().length()]).unwrap();
            assert_eq!(digest_info(&digest).unwrap(), [prefix, digest.octets()].concat());
        }
    }

    #[test]
    fn raw_ecdsa_takes_the_32_octets_of_its_digest_and_nothing_else() {
        use p256::pkcs8::EncodePublicKey;
        let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let spki = key.verifying_key().to_public_key_der().unwrap();
        let key = PublicKey::from_spki(spki.as_bytes()).unwrap();
        let input = |digest| {
            let tbs = ToBeSigned::of(Suite::P256Sha256, digest, &crate::suite::Sm2Id::default());
            input(Way::Standard, &key, &tbs)
        };
        let sha256 = Digest::new(DigestAlgorithm::Sha256, &[1; 32]).unwrap();
        assert_eq!(input(sha256).unwrap().data, [1; 32]);
        for other in [Digest::new(DigestAlgorithm::Sha1, &[1; 20]), Digest::new(DigestAlgorithm::Sm3, &[1; 32])] {
            assert_eq!(input(other.unwrap()).err().map(|e| e.kind()), Some(ErrorKind::Argument));
        }
    }
}
