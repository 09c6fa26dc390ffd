//! Algorithm identifiers of SignedData as one table. SM2 with SM3 (GM/T 0010) gets its row with its own issue.

use der::asn1::{AnyRef, ObjectIdentifier};
use spki::AlgorithmIdentifierRef;

use crate::suite::{DigestAlgorithm, Suite};

/// id-sha256 (RFC 5754 §2.2).
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// ecdsa-with-SHA256 (RFC 5754 §3.3).
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
/// rsaEncryption (RFC 3370 §3.2): what every implementation reads.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// sha256WithRSAEncryption (RFC 5754 §3.2).
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");

/// One way to name a suite.
struct Row {
    suite: Suite,
    signature: ObjectIdentifier,
    /// Whether the parameters are NULL when we write them; otherwise they are absent.
    null: bool,
}

/// The first row of a suite is the one that is written.
const TABLE: [Row; 3] = [
    Row { suite: Suite::P256Sha256, signature: ECDSA_SHA256, null: false },
    Row { suite: Suite::RsaSha256, signature: RSA, null: true },
    Row { suite: Suite::RsaSha256, signature: RSA_SHA256, null: true },
];

/// The identifiers to write for a suite: digest (parameters absent, RFC 5754 §2), then signature.
pub(super) fn identifiers(suite: Suite) -> Option<(AlgorithmIdentifierRef<'static>, AlgorithmIdentifierRef<'static>)> {
    let row = TABLE.iter().find(|r| r.suite == suite)?;
    let digest = AlgorithmIdentifierRef { oid: digest_identifier(suite.digest())?, parameters: None };
    let parameters = row.null.then_some(AnyRef::NULL);
    Some((digest, AlgorithmIdentifierRef { oid: row.signature, parameters }))
}

fn digest_identifier(algorithm: DigestAlgorithm) -> Option<ObjectIdentifier> {
    match algorithm {
        DigestAlgorithm::Sha256 => Some(SHA256),
        DigestAlgorithm::Sha1 | DigestAlgorithm::Sm3 => None,
    }
}

/// The digest that an identifier names; its parameters may be absent or NULL (RFC 5754 §2).
pub(super) fn digest(identifier: &AlgorithmIdentifierRef<'_>) -> Option<DigestAlgorithm> {
    (identifier.oid == SHA256 && plain(identifier)).then_some(DigestAlgorithm::Sha256)
}

/// The suite that digest and signature identifiers name together; `Err` holds whether both are known by themselves.
pub(super) fn suite(digest: DigestAlgorithm, signature: &AlgorithmIdentifierRef<'_>) -> Result<Suite, bool> {
    let mut named = TABLE.iter().filter(|r| r.signature == signature.oid && plain(signature)).peekable();
    let known = named.peek().is_some();
    named.find(|r| r.suite.digest() == digest).map(|r| r.suite).ok_or(known)
}

fn plain(identifier: &AlgorithmIdentifierRef<'_>) -> bool {
    identifier.parameters.is_none_or(AnyRef::is_null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_for_a_suite_is_read_as_that_suite() {
        for suite in [Suite::P256Sha256, Suite::RsaSha256] {
            let (digest_id, signature_id) = identifiers(suite).unwrap();
            let algorithm = digest(&digest_id).unwrap();
            assert_eq!(super::suite(algorithm, &signature_id), Ok(suite));
        }
        for suite in [Suite::Sm2Sm3, Suite::RsaSha1, Suite::RsaPssSha256] {
            assert!(identifiers(suite).is_none(), "{suite}");
        }
        let odd = AlgorithmIdentifierRef { oid: RSA, parameters: Some(AnyRef::new(der::Tag::Integer, &[1]).unwrap()) };
        assert_eq!(super::suite(DigestAlgorithm::Sha256, &odd), Err(false));
        assert_eq!(super::suite(DigestAlgorithm::Sm3, &identifiers(Suite::RsaSha256).unwrap().1), Err(true));
    }
}
