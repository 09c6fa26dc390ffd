//! Algorithm identifiers and content types of SignedData as one table.

use der::asn1::{AnyRef, ObjectIdentifier};
use spki::AlgorithmIdentifierRef;

use super::types::{Family, GM, RFC};
use crate::suite::{DigestAlgorithm, Suite};

/// Digests, and how they are named; the first name of each is the one that is written.
const DIGESTS: [(DigestAlgorithm, ObjectIdentifier); 3] = [
    // id-sha256 (RFC 5754 §2.2).
    (DigestAlgorithm::Sha256, ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1")),
    // SM3, and SM3 "used without a key" (GM/T 0006-2012 annex A).
    (DigestAlgorithm::Sm3, ObjectIdentifier::new_unwrap("1.2.156.10197.1.401")),
    (DigestAlgorithm::Sm3, ObjectIdentifier::new_unwrap("1.2.156.10197.1.401.1")),
];

/// One way to name a suite.
struct Row {
    suite: Suite,
    signature: ObjectIdentifier,
    /// Whether the parameters are NULL when we write them; otherwise they are absent.
    null: bool,
}

/// The first row of a suite is the one that is written.
const TABLE: [Row; 5] = [
    // ecdsa-with-SHA256 (RFC 5754 §3.3).
    Row { suite: Suite::P256Sha256, signature: ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"), null: false },
    // rsaEncryption (RFC 3370 §3.2): what every implementation reads.
    Row { suite: Suite::RsaSha256, signature: ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"), null: true },
    // sha256WithRSAEncryption (RFC 5754 §3.2).
    Row { suite: Suite::RsaSha256, signature: ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"), null: true },
    // SM2 with SM3, as GmSSL and Bouncy Castle write it.
    Row { suite: Suite::Sm2Sm3, signature: ObjectIdentifier::new_unwrap("1.2.156.10197.1.501"), null: false },
    // "SM2-1, digital signature": what GM/T 0010-2012 §6.4 asks for, and older software of issuing offices and banks writes.
    Row { suite: Suite::Sm2Sm3, signature: ObjectIdentifier::new_unwrap("1.2.156.10197.1.301.1"), null: false },
];

/// The content types that a signer of this suite writes.
pub(super) fn family(suite: Suite) -> Family {
    if suite == Suite::Sm2Sm3 { GM } else { RFC }
}

/// The identifiers to write for a suite: digest (parameters absent, RFC 5754 §2), then signature.
pub(super) fn identifiers(suite: Suite) -> Option<(AlgorithmIdentifierRef<'static>, AlgorithmIdentifierRef<'static>)> {
    let row = TABLE.iter().find(|r| r.suite == suite)?;
    let parameters = row.null.then_some(AnyRef::NULL);
    Some((digest_identifier(suite.digest())?, AlgorithmIdentifierRef { oid: row.signature, parameters }))
}

/// The identifier to write for a digest.
pub(super) fn digest_identifier(algorithm: DigestAlgorithm) -> Option<AlgorithmIdentifierRef<'static>> {
    let (_, oid) = DIGESTS.iter().find(|(named, _)| *named == algorithm)?;
    Some(AlgorithmIdentifierRef { oid: *oid, parameters: None })
}

/// The digest that an identifier names; its parameters may be absent or NULL (RFC 5754 §2).
pub(super) fn digest(identifier: &AlgorithmIdentifierRef<'_>) -> Option<DigestAlgorithm> {
    DIGESTS.iter().find(|(_, oid)| *oid == identifier.oid && plain(identifier)).map(|(algorithm, _)| *algorithm)
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
        for suite in [Suite::P256Sha256, Suite::RsaSha256, Suite::Sm2Sm3] {
            let (digest_id, signature_id) = identifiers(suite).unwrap();
            let algorithm = digest(&digest_id).unwrap();
            assert_eq!(super::suite(algorithm, &signature_id), Ok(suite));
        }
        for suite in [Suite::RsaSha1, Suite::RsaPssSha256] {
            assert!(identifiers(suite).is_none(), "{suite}");
        }
        let rsa = identifiers(Suite::RsaSha256).unwrap().1;
        let odd = AlgorithmIdentifierRef { parameters: Some(AnyRef::new(der::Tag::Integer, &[1]).unwrap()), ..rsa };
        assert_eq!(super::suite(DigestAlgorithm::Sha256, &odd), Err(false));
        assert_eq!(super::suite(DigestAlgorithm::Sm3, &rsa), Err(true));
        assert_eq!(super::suite(DigestAlgorithm::Sha256, &identifiers(Suite::Sm2Sm3).unwrap().1), Err(true));
    }
}
