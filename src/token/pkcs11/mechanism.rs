//! Suites as PKCS#11 mechanisms. The digest is always made on the host: tokens differ in the hashing mechanisms that they have.
//!
//! | suite | mechanism | input |
//! |---|---|---|
//! | ecdsa-p256-sha256 | CKM_ECDSA | the 32 octets of the digest; some tokens sign any length, so the length is checked here |
//! | rsa-sha256, rsa-sha1 | CKM_RSA_PKCS | DER of DigestInfo (RFC 8017 §9.2) |
//! | rsa-pss-sha256 | CKM_RSA_PKCS_PSS, MGF1 with SHA-256, salt of 32 octets | the digest |
//! | sm2-sm3 | none: PKCS#11 has no standard mechanism for it | |

use cryptoki::context::Pkcs11;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismInfo, MechanismType};
use cryptoki::slot::Slot;
use der::asn1::{AnyRef, ObjectIdentifier, OctetString};
use der::{Encode, Sequence};
use spki::AlgorithmIdentifier;

use super::ckr::fault;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::suite::{Digest, DigestAlgorithm, KeyKind, Suite};

/// DigestInfo ::= SEQUENCE { digestAlgorithm AlgorithmIdentifier, digest OCTET STRING } (RFC 8017 §9.2 and A.2.4).
#[derive(Sequence)]
struct DigestInfo<'a> {
    algorithm: AlgorithmIdentifier<AnyRef<'a>>,
    digest: OctetString,
}

/// What C_SignInit and C_Sign are given.
pub(super) struct Input {
    pub(super) mechanism: Mechanism<'static>,
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

/// Mechanism and input for a digest.
///
/// # Errors
/// `Argument` for a digest that is not the suite's, `Unsupported` for a suite without a mechanism.
pub(super) fn input(suite: Suite, digest: &Digest) -> Result<Input> {
    if digest.algorithm() != suite.digest() || digest.octets().len() != suite.digest().length() {
        let what = format!("{} of {} octets for {suite}", digest.algorithm().name(), digest.octets().len());
        return Err(Error::new(ErrorKind::Argument, "C_SignInit").detail(what));
    }
    let plain = |mechanism| Ok(Input { mechanism, data: digest.octets().to_vec() });
    match suite {
        Suite::P256Sha256 => plain(Mechanism::Ecdsa),
        Suite::RsaSha256 | Suite::RsaSha1 => Ok(Input { mechanism: Mechanism::RsaPkcs, data: digest_info(digest)? }),
        Suite::RsaPssSha256 => plain(Mechanism::RsaPkcsPss(PkcsPssParams {
            hash_alg: MechanismType::SHA256,
            mgf: PkcsMgfType::MGF1_SHA256,
            s_len: 32.into(),
        })),
        Suite::Sm2Sm3 => Err(Error::new(ErrorKind::Unsupported, "C_SignInit").detail(suite.name())),
    }
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

/// The suites that the token offers for a key of this kind. Each mechanism is asked for by name, so that no list has to be believed.
///
/// # Errors
/// Where the token is gone.
pub(super) fn offered(module: &Pkcs11, slot: Slot, kind: KeyKind) -> Result<Vec<Suite>> {
    let mut suites = Vec::new();
    for suite in Suite::ALL.into_iter().filter(|s| s.fits(kind)) {
        let Some(mechanism) = mechanism_type(suite) else { continue };
        match module.get_mechanism_info(slot, mechanism) {
            Ok(info) if info.sign() && has_size(&info, kind) => suites.push(suite),
            Ok(_) => {}
            Err(e) => {
                let error = fault(&e, "C_GetMechanismInfo");
                if error.kind() != ErrorKind::KeyUnsuited {
                    return Err(error);
                }
            }
        }
    }
    Ok(suites)
}

/// Sizes are bits for EC and RSA (PKCS#11 mechanisms 2.40 §2.1, §2.3); some modules give RSA in octets, some give nothing.
fn has_size(info: &MechanismInfo, kind: KeyKind) -> bool {
    let bits = match kind {
        KeyKind::P256 | KeyKind::Sm2 => 256,
        KeyKind::Rsa { bits } => bits,
    };
    let range = info.min_key_size()..=info.max_key_size();
    info.max_key_size() == 0 || range.contains(&bits) || range.contains(&bits.div_ceil(8))
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
            let input = input(suite, &digest).unwrap();
            assert_eq!(input.data, [prefix, digest.octets()].concat());
        }
    }

    #[test]
    fn raw_ecdsa_takes_the_32_octets_of_its_digest_and_nothing_else() {
        let sha256 = Digest::new(DigestAlgorithm::Sha256, &[1; 32]).unwrap();
        assert_eq!(input(Suite::P256Sha256, &sha256).unwrap().data, [1; 32]);
        for other in [Digest::new(DigestAlgorithm::Sha1, &[1; 20]), Digest::new(DigestAlgorithm::Sm3, &[1; 32])] {
            let refused = input(Suite::P256Sha256, &other.unwrap());
            assert_eq!(refused.err().map(|e| e.kind()), Some(ErrorKind::Argument));
        }
    }
}
