//! Whether one certificate was issued by another (RFC 5280 §4.1.1, §6.1.3, §6.1.4).

use der::asn1::{Any, ObjectIdentifier};
use der::{Reader, SliceReader};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;

use super::Certificate;
use crate::suite::{KeyKind, PublicKey, RSA_MOST, RawSignature, Recovered, Suite, ToBeSigned};

/// Extensions whose meaning is looked at here, or does not bear on who signed. Name constraints, policy constraints and
/// inhibitAnyPolicy are deliberately absent: where they are critical, the certificate is not understood. What the extended key usage
/// allows a signer is asked with its key usage ([`Certificate::signs_no_documents`]).
const UNDERSTOOD: [&str; 10] = [
    "2.5.29.14",         // subject key identifier
    "2.5.29.15",         // key usage
    "2.5.29.17",         // subject alternative name
    "2.5.29.18",         // issuer alternative name
    "2.5.29.19",         // basic constraints
    "2.5.29.31",         // CRL distribution points
    "2.5.29.32",         // certificate policies
    "2.5.29.35",         // authority key identifier
    "2.5.29.37",         // extended key usage
    "1.3.6.1.5.5.7.1.1", // authority information access
];

/// Why not, in a clause of English and one of Chinese, without a person's name.
pub type Why = (&'static str, &'static str);

/// How near a certificate came to being the issuer of another, the farthest first. Of several that may be, the nearest one's reason is the one to tell: that
/// a namesake has another key says nothing where the issuer is there and has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nearness {
    /// It has another name.
    Name,
    /// It has another key identifier.
    KeyId,
    /// Its key is of another type than the signature.
    KeyType,
    /// The signature is not its.
    Signature,
    /// Whether the signature is its cannot be told.
    Untold,
    /// It signed, and is not allowed to: its rights, its constraints, or its key's length.
    Rights,
    /// It signed, and was not valid at the time.
    Time,
    /// It signed, and allows no such chain.
    Path,
    /// The search ended before it was looked at.
    Limit,
}

/// Why not, and how near it came.
pub(crate) type Refused = (Nearness, Why);

impl Certificate {
    /// Whether `issuer` issued this certificate: names, key identifiers, the signature, and the issuer's right to do so.
    /// Time is not looked at.
    ///
    /// # Errors
    /// Why not.
    pub fn check_issued_by(&self, issuer: &Certificate) -> Result<(), Why> {
        self.check_named_by(issuer).and_then(|()| self.check_signed_by(issuer)).map_err(|(_, why)| why)
    }

    /// What tells without a signature whether `issuer` may have issued this certificate.
    pub(crate) fn check_named_by(&self, issuer: &Certificate) -> Result<(), Refused> {
        if self.issuer != issuer.subject {
            return Err((Nearness::Name, ("the issuer's name is another", "签发者名称不同")));
        }
        // Two keys of one authority (a change of generation) tell themselves apart by their identifiers.
        if let (Some(wanted), Some(has)) = (self.authority_key_id(), issuer.subject_key_id())
            && wanted != has
        {
            return Err((Nearness::KeyId, ("the issuer has another key identifier", "签发者的密钥标识不同")));
        }
        Ok(())
    }

    /// The signature, and then the right to make it: that an issuer may not is only said of one that did.
    pub(crate) fn check_signed_by(&self, issuer: &Certificate) -> Result<(), Refused> {
        self.check_signature_of(issuer)?;
        issuer.check_may_issue().map_err(|why| (Nearness::Rights, why))
    }

    /// Whether its own key signed it, whatever it may.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.is_self_issued() && self.check_signature_of(self).is_ok()
    }

    fn check_may_issue(&self) -> Result<(), Why> {
        if !self.is_ca() {
            return Err(("the issuer's certificate is not one of an authority", "签发者证书不是 CA 证书"));
        }
        if self.usage.is_some_and(|u| !u.key_cert_sign()) {
            return Err(("the issuer's key usage does not allow certificates", "签发者密钥用途不允许签发证书"));
        }
        if self.unknown_critical().is_some() {
            return Err((
                "the issuer's certificate has a critical extension that is not understood",
                "签发者证书含有无法识别的关键扩展",
            ));
        }
        // Name constraints should be critical (RFC 5280 §4.2.1.10). Where they are not, they bind all the same.
        if self.has_extension(NAME_CONSTRAINTS) {
            return Err((
                "the issuer's certificate has name constraints, which are not supported",
                "签发者证书含有不支持的名称约束",
            ));
        }
        Ok(())
    }

    /// The first critical extension that this library does not understand (RFC 5280 §4.2: such a certificate is refused).
    #[must_use]
    pub fn unknown_critical(&self) -> Option<String> {
        self.extensions()
            .iter()
            .filter(|e| e.critical)
            .map(|e| e.extn_id.to_string())
            .find(|oid| !UNDERSTOOD.contains(&oid.as_str()) && !oid.starts_with("1.3.6.1.4.1.5315.100."))
    }

    /// How many certificates of authorities may stand between this one and a signer's (RFC 5280 §4.2.1.9); `None`: any number.
    #[must_use]
    pub fn path_length(&self) -> Option<usize> {
        self.basic.as_ref().and_then(|b| b.path_len_constraint).map(usize::from)
    }

    /// Whether this certificate's key may sign revocation lists.
    pub(super) fn may_sign_crls(&self) -> bool {
        self.usage.is_none_or(|u| u.crl_sign())
    }

    pub(super) fn extensions(&self) -> &[Extension] {
        self.inner.tbs_certificate().extensions().map(Vec::as_slice).unwrap_or_default()
    }

    fn has_extension(&self, oid: &str) -> bool {
        self.extensions().iter().any(|e| e.extn_id.to_string() == oid)
    }

    fn check_signature_of(&self, issuer: &Certificate) -> Result<(), Refused> {
        let named = self.inner.signature_algorithm();
        let signature = self.inner.signature().as_bytes().ok_or(NOT_THE_ISSUERS)?;
        let signed = first_of_sequence(&self.der).ok_or(NOT_THE_ISSUERS)?;
        let inside = self.inner.tbs_certificate().signature();
        check_signature(issuer, [named, inside], signed, signature)
    }
}

pub(super) const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
const NAME_CONSTRAINTS: &str = "2.5.29.30";
const NOT_THE_ISSUERS: Refused = (Nearness::Signature, ("its signature is not the issuer's", "其签名不是签发者所作"));

/// Whether `signature` over `signed` is the issuer's. The algorithm is named outside and inside of what is signed.
pub(super) fn check_signature(
    issuer: &Certificate,
    [named, inside]: [&AlgorithmIdentifierOwned; 2],
    signed: &[u8],
    signature: &[u8],
) -> Result<(), Refused> {
    let untold = |why: Why| (Nearness::Untold, why);
    // RFC 5280 §4.1.1.2: the unsigned field must repeat the signed one, or it could be exchanged.
    if named != inside {
        return Err(untold(("its signature algorithm is named in two ways", "签名算法在两处不一致")));
    }
    let suite = suite_of(named).ok_or(untold(("its signature algorithm is not supported", "不支持其签名算法")))?;
    let key =
        issuer.key().map_err(|_| untold(("the issuer's key is of an unsupported kind", "不支持签发者的密钥类型")))?;
    if !suite.fits(key.kind()) {
        return Err(unsuited(suite, key, signed, signature));
    }
    let signature = RawSignature::from_wire(suite, signature).map_err(|_| NOT_THE_ISSUERS)?;
    let tbs = ToBeSigned::over(suite, key, signed).map_err(|_| NOT_THE_ISSUERS)?;
    key.verify(&tbs, &signature).map_err(|_| NOT_THE_ISSUERS)
}

/// Why a key that is not for this suite is refused: its length is only named where the signature is its.
fn unsuited(suite: Suite, key: &PublicKey, signed: &[u8], signature: &[u8]) -> Refused {
    match key.kind() {
        KeyKind::Rsa { bits } if matches!(suite, Suite::RsaSha256 | Suite::RsaSha1) => {
            let digest = suite.digest().of(signed).ok();
            let made = match key.recovered(signature) {
                Some(Recovered::Digest(found)) => Some(found) == digest,
                _ => false,
            };
            let short = ("the issuer's key is too short for its signatures to count", "签发者密钥过短，其签名不予采信");
            let long = ("the issuer's key is longer than is supported", "签发者密钥长度超出支持范围");
            let length = if bits > RSA_MOST { long } else { short };
            if made { (Nearness::Rights, length) } else { NOT_THE_ISSUERS }
        }
        _ => {
            let other = ("the issuer's key does not fit the signature algorithm", "签发者密钥与签名算法不符");
            (Nearness::KeyType, other)
        }
    }
}

/// What is signed of a certificate, a revocation list or a request, as it stands there: the first value of its SEQUENCE. Never encoded again:
/// what is not quite DER would change.
pub(super) fn first_of_sequence(der: &[u8]) -> Option<&[u8]> {
    let mut reader = SliceReader::new(der).ok()?;
    reader
        .sequence(|r| {
            let first = r.tlv_bytes()?;
            let rest = r.remaining_len();
            r.read_slice(rest)?;
            Ok::<_, der::Error>(first)
        })
        .ok()
}

/// Suite, its signature algorithm, and whether NULL is written for the parameters (RFC 4055 §5 asks for it, RFC 5758 §3.2 forbids it).
const ALGORITHMS: [(Suite, ObjectIdentifier, bool); 4] = [
    (Suite::P256Sha256, ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"), false),
    (Suite::RsaSha256, ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"), true),
    (Suite::RsaSha1, ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5"), true),
    (Suite::Sm2Sm3, ObjectIdentifier::new_unwrap("1.2.156.10197.1.501"), false),
];

/// Parameters are absent or NULL: e-port SM2 certificates write NULL (manual::customs §6.1), others leave them out.
pub(super) fn suite_of(algorithm: &AlgorithmIdentifierOwned) -> Option<Suite> {
    let plain = algorithm.parameters.as_ref().is_none_or(|p| p.is_null());
    ALGORITHMS.iter().find(|(_, oid, _)| plain && *oid == algorithm.oid).map(|(suite, _, _)| *suite)
}

/// The identifier that is written for a suite.
pub(super) fn algorithm_of(suite: Suite) -> Option<AlgorithmIdentifierOwned> {
    let (_, oid, null) = ALGORITHMS.iter().find(|row| row.0 == suite)?;
    Some(AlgorithmIdentifierOwned { oid: *oid, parameters: null.then(Any::null) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sm2_certificates_with_and_without_null_parameters_are_read() {
        let suite = |oid: &str, parameters| {
            suite_of(&AlgorithmIdentifierOwned { oid: ObjectIdentifier::new_unwrap(oid), parameters })
        };
        let sm2 = "1.2.156.10197.1.501";
        assert_eq!(suite(sm2, Some(Any::null())), Some(Suite::Sm2Sm3));
        assert_eq!(suite(sm2, None), Some(Suite::Sm2Sm3));
        assert_eq!(suite(sm2, Some(Any::from(ObjectIdentifier::new_unwrap("1.2.3")))), None);
        assert_eq!(suite("1.2.840.113549.1.1.5", Some(Any::null())), Some(Suite::RsaSha1));
        assert_eq!(suite("1.2.840.113549.1.1.4", Some(Any::null())), None, "md5WithRSA");
    }
}
