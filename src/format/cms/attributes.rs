//! Signed attributes: content type, message digest, signing time, signing-certificate-v2 (RFC 5652 §11, RFC 5035; CAdES-BES).

use std::collections::BTreeSet;
use std::time::SystemTime;

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{DateTime, Decode, Encode};
use x509_cert::time::Time;

use super::algorithms;
use super::types::{
    Attribute, DirectoryNames, EssCertIdV2, IssuerAndSerial, IssuerSerial, RawSet, SigningCertificateV2,
    content_type_name,
};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::policy;
use crate::suite::{Digest, DigestAlgorithm, hex};
use crate::verify::{Finding, FindingKind, Report, VerifyContext};

/// id-contentType (RFC 5652 §11.1).
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
/// id-messageDigest (RFC 5652 §11.2).
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// id-signingTime (RFC 5652 §11.3).
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
/// id-aa-signingCertificateV2 (RFC 5035 §3).
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

/// The contents of the SET OF, in DER order (X.690 §11.6), for content of this type and digest. The certificate is named by the same digest
/// algorithm: who verifies SM2 may have no other than SM3.
pub(super) fn build(
    by: &Certificate,
    content_type: ObjectIdentifier,
    digest: &Digest,
    now: SystemTime,
) -> Result<Vec<u8>> {
    let defect = |e: der::Error| Error::new(ErrorKind::Defect, "build signed attributes").detail(e.to_string());
    let clock = |e: der::Error| {
        Error::new(ErrorKind::Argument, "build signed attributes").detail(format!("the time of day cannot be: {e}"))
    };
    // UTCTime until 2049, GeneralizedTime after (RFC 5652 §11.3).
    let time = Time::from(DateTime::from_system_time(now).map_err(clock)?);
    let hash = digest.algorithm().of(by.der())?;
    let encode = || -> der::Result<Vec<u8>> {
        let mut encoded = [
            attribute(CONTENT_TYPE, &content_type.to_der()?)?,
            attribute(MESSAGE_DIGEST, &OctetStringRef::new(digest.octets())?.to_der()?)?,
            attribute(SIGNING_TIME, &time.to_der()?)?,
            attribute(SIGNING_CERTIFICATE_V2, &signing_certificate(by, &hash)?)?,
        ];
        encoded.sort();
        Ok(encoded.concat())
    };
    encode().map_err(defect)
}

fn attribute(kind: ObjectIdentifier, value: &[u8]) -> der::Result<Vec<u8>> {
    Attribute { kind, values: RawSet(value) }.to_der()
}

fn signing_certificate(by: &Certificate, hash: &Digest) -> der::Result<Vec<u8>> {
    let IssuerAndSerial { issuer, serial } = IssuerAndSerial::of(by.der())?;
    let issuer_serial = Some(IssuerSerial { issuer: DirectoryNames { name: issuer }, serial });
    // SHA-256 is the default value, which DER leaves out (RFC 5035 §4, X.690 §11.5).
    let named = Some(hash.algorithm()).filter(|a| *a != DigestAlgorithm::Sha256);
    let algorithm = named.map(|a| algorithms::digest_identifier(a).ok_or(der::ErrorKind::Failed)).transpose()?;
    let id = EssCertIdV2 { algorithm, hash: OctetStringRef::new(hash.octets())?, issuer_serial };
    SigningCertificateV2 { certificates: vec![id], policies: None }.to_der()
}

/// The SET OF as it is signed: with its own tag, not the [0] of the message (RFC 5652 §5.4).
pub(super) fn as_signed(set: RawSet<'_>) -> Result<Vec<u8>> {
    set.to_der().map_err(|e| Error::new(ErrorKind::Defect, "encode signed attributes").detail(e.to_string()))
}

/// What the attributes of a message say.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    content_type: Option<AnyRef<'a>>,
    digest: Option<AnyRef<'a>>,
    time: Option<AnyRef<'a>>,
    certificate: Option<AnyRef<'a>>,
}

impl<'a> Said<'a> {
    /// Reads the attributes. What must not be is added to the report; `None` when they cannot be read at all.
    pub(super) fn read(set: RawSet<'a>, report: &mut Report) -> Option<Self> {
        let mut structure = |what: (&str, &str)| report.add(Finding::new(FindingKind::CmsStructure).detail(what));
        if set.0.len() > policy::CMS_ATTRIBUTES_MAX {
            structure(("the signed attributes are too large", "签名属性过大"));
            return None;
        }
        let elements = set.elements(set.0.len()).ok().filter(|e| !e.is_empty());
        let Some(elements) = elements else {
            structure(("the signed attributes cannot be read", "签名属性无法读取"));
            return None;
        };
        // Attributes are signed in DER, whatever the rest of the message is (RFC 5652 §5.3).
        if !elements.is_sorted() {
            structure(("the signed attributes are not in DER order", "签名属性未按 DER 顺序排列"));
            return None;
        }
        let mut said = Said::default();
        let mut seen = BTreeSet::new();
        for element in elements {
            let Ok(Attribute { kind, values }) = Attribute::from_der(element) else {
                structure(("a signed attribute cannot be read", "有一个签名属性无法读取"));
                return None;
            };
            let once = seen.insert(kind);
            let slot = match kind {
                CONTENT_TYPE => &mut said.content_type,
                MESSAGE_DIGEST => &mut said.digest,
                SIGNING_TIME => &mut said.time,
                SIGNING_CERTIFICATE_V2 => &mut said.certificate,
                _ if once => continue,
                _ => {
                    report.add(Finding::new(FindingKind::AttributeRepeated).detail(kind.to_string()));
                    return None;
                }
            };
            // Each of these has exactly one value and stands once (RFC 5652 §11, RFC 5035 §3).
            let value = AnyRef::from_der(values.0).ok().filter(|_| once);
            let Some(value) = value else {
                report.add(Finding::new(FindingKind::AttributeRepeated).detail(kind.to_string()));
                return None;
            };
            *slot = Some(value);
        }
        Some(said)
    }

    /// Judges all but the digest, which is given back.
    pub(super) fn judge(
        &self,
        content_type: ObjectIdentifier,
        by: &Certificate,
        report: &mut Report,
        context: &VerifyContext,
    ) -> Option<&'a [u8]> {
        self.judge_content_type(content_type, report);
        self.judge_time(by, report, context);
        self.judge_certificate(by, report);
        let Some(digest) = self.digest else {
            report.add(Finding::new(FindingKind::AttributeMissing).detail(("message digest", "消息摘要")));
            return None;
        };
        let octets = digest.decode_as::<&OctetStringRef>().ok().map(OctetStringRef::as_bytes);
        if octets.is_none() {
            report.add(Finding::new(FindingKind::CmsStructure).detail(("message digest", "消息摘要")));
        }
        octets
    }

    fn judge_content_type(&self, expected: ObjectIdentifier, report: &mut Report) {
        let Some(value) = self.content_type else {
            return report.add(Finding::new(FindingKind::AttributeMissing).detail(("content type", "内容类型")));
        };
        match value.decode_as::<ObjectIdentifier>() {
            Ok(found) if found == expected => {}
            Ok(found) => report.add(
                Finding::new(FindingKind::ContentTypeWrong)
                    .compared(content_type_name(expected), content_type_name(found)),
            ),
            Err(_) => {
                report.add(Finding::new(FindingKind::CmsStructure).detail(("content type attribute", "内容类型属性")))
            }
        }
    }

    fn judge_time(&self, by: &Certificate, report: &mut Report, context: &VerifyContext) {
        let Some(value) = self.time else { return };
        let Ok(time) = value.decode_as::<Time>() else {
            return report.add(Finding::new(FindingKind::CmsStructure).detail(("signing time", "签名时间")));
        };
        report.add(Finding::new(FindingKind::SigningTime).detail(time.to_string()));
        report.made_at(by, time.to_system_time(), context, || None);
    }

    fn judge_certificate(&self, by: &Certificate, report: &mut Report) {
        let Some(value) = self.certificate else {
            return report.add(Finding::new(FindingKind::SigningCertificateAbsent));
        };
        let first = |said: SigningCertificateV2<'a>| said.certificates.first().copied();
        let Some(id) = value.decode_as::<SigningCertificateV2<'a>>().ok().and_then(first) else {
            return report.add(
                Finding::new(FindingKind::CmsStructure).detail(("signing certificate attribute", "签名证书属性")),
            );
        };
        let algorithm = match &id.algorithm {
            None => Some(DigestAlgorithm::Sha256),
            Some(identifier) => algorithms::digest(identifier),
        };
        let Some(hash) = algorithm.and_then(|a| a.of(by.der()).ok()) else {
            return report.add(
                Finding::new(FindingKind::IdentifierUnknown)
                    .detail(("hash of the signing certificate", "签名证书的摘要算法")),
            );
        };
        let same_name = id.issuer_serial.is_none_or(|said| {
            let said = IssuerAndSerial { issuer: said.issuer.name, serial: said.serial };
            IssuerAndSerial::of(by.der()).is_ok_and(|own| own == said)
        });
        if id.hash.as_bytes() != hash.octets() || !same_name {
            let said = hex(id.hash.as_bytes());
            report.add(Finding::new(FindingKind::SigningCertificateOther).compared(said, hash.hex()));
        }
    }
}
