//! Algorithm identifiers and the sets that belong together (customs.md §1.6).

use crate::identifiers::IdentifierSet;
use crate::suite::{DigestAlgorithm, Suite};

/// A signature identifier with the digest identifier that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) suite: Suite,
    pub(super) signature: &'static str,
    pub(super) digest: &'static str,
    /// Stands in the official text (SPEC 202205, §6).
    pub(crate) official: bool,
}

const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
const SM3: &str = "http://www.chinaport.gov.cn/2022/04/xmldsig#sm3";
const RSA_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
const SM2_SM3: &str = "http://www.chinaport.gov.cn/2022/04/xmldsig#sm2-sm3";
const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const ECDSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
/// Written by programs that mix the sets; customs answers 验签失败 (customs.md §1.6, hybrid).
const SM2_SM3_UNOFFICIAL: &str = "http://www.w3.org/2000/09/xmldsig#sm2-sm3";

const SETS: [Set; 4] = [
    Set { suite: Suite::RsaSha1, signature: RSA_SHA1, digest: SHA1, official: true },
    Set { suite: Suite::Sm2Sm3, signature: SM2_SM3, digest: SM3, official: true },
    // RFC 4051 §2.3.2, XML Encryption §5.7.2.
    Set { suite: Suite::RsaSha256, signature: RSA_SHA256, digest: SHA256, official: false },
    // RFC 4051 §2.3.6: the value is r‖s.
    Set { suite: Suite::P256Sha256, signature: ECDSA_SHA256, digest: SHA256, official: false },
];

impl Set {
    /// The set that is written for a suite.
    pub(crate) fn of(suite: Suite) -> Option<Set> {
        SETS.into_iter().find(|s| s.suite == suite)
    }

    /// The named set that these two identifiers are.
    pub(super) fn named(signature: &str, digest: &str) -> Option<IdentifierSet> {
        if (signature, digest) == (SM2_SM3_UNOFFICIAL, SHA1) {
            return Some(IdentifierSet::MixedSm2Sha1);
        }
        let set = SETS.into_iter().find(|s| s.holds(signature, digest))?;
        IdentifierSet::ALL.into_iter().filter(|named| named.is_for_signing()).find(|named| named.suite() == set.suite)
    }

    /// The set that a signature identifier belongs to, the unofficial SM2 identifier included.
    pub(super) fn by_signature(identifier: &str) -> Option<Set> {
        if identifier == SM2_SM3_UNOFFICIAL {
            return Set::of(Suite::Sm2Sm3);
        }
        SETS.into_iter().find(|s| s.signature == identifier)
    }

    /// Whether these two identifiers are exactly this set's.
    pub(super) fn holds(self, signature: &str, digest: &str) -> bool {
        self.signature == signature && self.digest == digest
    }
}

/// The digest algorithm of an identifier.
pub(super) fn digest(identifier: &str) -> Option<DigestAlgorithm> {
    match identifier {
        SHA1 => Some(DigestAlgorithm::Sha1),
        SHA256 => Some(DigestAlgorithm::Sha256),
        SM3 => Some(DigestAlgorithm::Sm3),
        _ => None,
    }
}
