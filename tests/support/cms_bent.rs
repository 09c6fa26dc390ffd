//! Messages put together by hand, so that each part can be bent, and what has to be said of them.

#![allow(dead_code, unreachable_pub)] // each test file uses its part

use der::asn1::{Any, ObjectIdentifier, OctetString};
use der::{Decode, Encode};
use shared_shield::{DigestAlgorithm, FindingKind, Report, Suite, Verdict};

use crate::cms_kit::{Identity, verify};

/// What is signed.
pub const DOCUMENT: &[u8] = b"order 1234";

pub const DATA: &str = "1.2.840.113549.1.7.1";
pub const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
pub const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
pub const SIGNING_CERTIFICATE_V2: &str = "1.2.840.113549.1.9.16.2.47";
pub const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";

/// Tag, length and value.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = der::Length::try_from(value.len()).unwrap().to_der().unwrap();
    [&[tag][..], &length, &value].concat()
}

pub fn oid(dotted: &str) -> Vec<u8> {
    ObjectIdentifier::new_unwrap(dotted).to_der().unwrap()
}

pub fn attribute(kind: &str, values: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &[&oid(kind), &tlv(0x31, values)])
}

pub fn octet_string(octets: &[u8]) -> Vec<u8> {
    OctetString::new(octets).unwrap().to_der().unwrap()
}

/// A message put together by hand; each part may be bent.
#[derive(Debug)]
pub struct Bent<'i> {
    pub identity: &'i Identity,
    pub content_type: &'static str,
    pub content: Vec<u8>,
    /// The signed attributes; `None` for none.
    pub attributes: Option<Vec<Vec<u8>>>,
    /// Attributes are sorted before they are signed.
    pub sorted: bool,
    pub certificates: Vec<u8>,
    pub unsigned: Vec<u8>,
    /// In place of the signature algorithm of the key.
    pub algorithm: Option<Vec<u8>>,
}

impl<'i> Bent<'i> {
    /// A right message, to begin with.
    pub fn new(identity: &'i Identity) -> Self {
        let digest = DigestAlgorithm::Sha256.of(DOCUMENT).unwrap();
        let attributes =
            vec![attribute(CONTENT_TYPE, &[&oid(DATA)]), attribute(MESSAGE_DIGEST, &[&octet_string(digest.octets())])];
        Bent {
            identity,
            content_type: DATA,
            content: DOCUMENT.to_vec(),
            attributes: Some(attributes),
            sorted: true,
            certificates: identity.certificate.der().to_vec(),
            unsigned: Vec::new(),
            algorithm: None,
        }
    }

    pub fn attributes(mut self, attributes: Vec<Vec<u8>>) -> Self {
        self.attributes = Some(attributes);
        self
    }

    pub fn set(&self) -> Vec<u8> {
        let mut attributes = self.attributes.clone().unwrap();
        if self.sorted {
            attributes.sort();
        }
        attributes.concat()
    }

    pub fn message(&self) -> Vec<u8> {
        let signed = self.attributes.as_ref().map(|_| tlv(0xA0, &[&self.set()])).unwrap_or_default();
        let to_be_signed = if signed.is_empty() { self.content.clone() } else { tlv(0x31, &[&self.set()]) };
        let digest = DigestAlgorithm::Sha256.of(&to_be_signed).unwrap();
        let signature = self.identity.sign_digest(digest.octets()).to_wire().unwrap();
        self.with_signature(&signed, &signature)
    }

    pub fn with_signature(&self, signed: &[u8], signature: &[u8]) -> Vec<u8> {
        let inner = x509_cert::Certificate::from_der(self.identity.certificate.der()).unwrap();
        let tbs = inner.tbs_certificate();
        let sid = tlv(0x30, &[&tbs.issuer().to_der().unwrap(), &tbs.serial_number().to_der().unwrap()]);
        let sha256 = tlv(0x30, &[&oid("2.16.840.1.101.3.4.2.1")]);
        let algorithm = match (&self.algorithm, self.identity.suite) {
            (Some(other), _) => other.clone(),
            (None, Suite::RsaSha256) => tlv(0x30, &[&oid("1.2.840.113549.1.1.1"), &Any::null().to_der().unwrap()]),
            (None, _) => tlv(0x30, &[&oid("1.2.840.10045.4.3.2")]),
        };
        let unsigned = if self.unsigned.is_empty() { Vec::new() } else { tlv(0xA1, &[&self.unsigned]) };
        let signer = tlv(0x30, &[&[2, 1, 1], &sid, &sha256, signed, &algorithm, &octet_string(signature), &unsigned]);
        let encapsulated = tlv(0x30, &[&oid(self.content_type), &tlv(0xA0, &[&octet_string(&self.content)])]);
        let certificates = if self.certificates.is_empty() { Vec::new() } else { tlv(0xA0, &[&self.certificates]) };
        let data =
            tlv(0x30, &[&[2, 1, 1], &tlv(0x31, &[&sha256]), &encapsulated, &certificates, &tlv(0x31, &[&signer])]);
        tlv(0x30, &[&oid("1.2.840.113549.1.7.2"), &tlv(0xA0, &[&data])])
    }
}

/// Refused, and by this name.
#[track_caller]
pub fn refused(report: &Report, by: FindingKind) {
    assert!(report.has(by), "{by:?} is missing: {:?}", report.findings);
    assert_eq!(report.verdict(), Verdict::Invalid, "{:?}", report.findings);
    // What the standard's reader says of octets is English; what is said in words of ours is said in Chinese, too.
    use FindingKind as F;
    let ours = [F::CmsStructure, F::AttributeMissing, F::IdentifierUnknown, F::IdentifiersMixed, F::CertificateMissing];
    for finding in report.findings.iter().filter(|f| ours.contains(&f.kind)) {
        let said = finding.detail.as_ref().unwrap();
        assert!(said.is_translated() || said.starts_with("SignerInfo: "), "{said}");
    }
}

#[track_caller]
pub fn accepted(message: &[u8]) -> Report {
    let report = verify(message).unwrap();
    assert_eq!(report.verdict(), Verdict::SignatureOnly, "{:?}", report.findings);
    report
}
