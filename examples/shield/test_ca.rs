//! A throw-away certificate authority for tests: certificates in the shape of the e-port's and of a bank's, with invented names.
//!
//! Its key is made anew each time, lives in memory only and is never written. Everything it issues says SYNTHETIC.

// Each program that includes this file uses a part of it.
#![allow(dead_code)]

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use der::asn1::{Any, GeneralizedTime, OctetString};
use der::{Decode, Encode, Tag};
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate;
use sha2::{Digest, Sha256};
use spki::{ObjectIdentifier, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder, Result as BuilderResult};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

/// The arc of the e-port's private extensions.
pub(crate) const EPORT_ARC: &str = "1.3.6.1.4.1.5315.100";
/// Issuer of customs certificates, after the e-port's but plainly not it.
pub(crate) const EPORT_NAME: &str =
    "C=CN,ST=测试,L=测试,O=测试电子口岸 (SYNTHETIC),OU=测试证书管理中心,CN=测试电子业务证书管理中心 (SYNTHETIC)";
/// Issuer of bank certificates; deliberately none of the names that the built-in rules know.
pub(crate) const BANK_NAME: &str = "C=CN,O=Synthetic Test Bank,OU=Test CA,CN=Synthetic Test Bank CA";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Whom a certificate is for. All of it is invented.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    pub(crate) company: String,
    pub(crate) company_code: String,
    pub(crate) card_number: String,
    pub(crate) person: String,
    /// Stands where real certificates carry an identity number: a marker that must show up nowhere.
    pub(crate) identity: String,
}

impl Default for Holder {
    fn default() -> Self {
        Holder {
            company: "合成样例贸易有限公司".to_owned(),
            company_code: "MA0SYN001".to_owned(),
            card_number: "8800000000017".to_owned(),
            person: "测试操作员 (SYNTHETIC)".to_owned(),
            identity: "SYNTHETIC-NOT-AN-ID-NUMBER".to_owned(),
        }
    }
}

/// What the key usage says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    Sign,
    Encrypt,
    Authority,
    Absent,
}

/// A certificate to be issued.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) subject: String,
    pub(crate) serial: Vec<u8>,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
    pub(crate) usage: Usage,
    pub(crate) ca: bool,
    /// In place of the issuing CA's own name.
    pub(crate) issuer: Option<Name>,
    /// In place of the issuing CA's own key id; an empty one leaves the extension out.
    pub(crate) authority_key_id: Option<Vec<u8>>,
    pub(crate) extensions: Vec<Extension>,
}

impl Shape {
    /// In the shape of an e-port certificate of the SM2 generation (manual::customs §6.1, §6.2); `number` makes serial numbers differ.
    pub(crate) fn customs(holder: &Holder, number: u8, now: SystemTime) -> Shape {
        let extensions = vec![
            eport_text("5.1", &holder.company),
            eport_text("5.3", "01"),
            eport_text("5.8", &holder.identity),
            eport_text("5.9", &format!("03-{}", holder.card_number)),
            eport_text("5.11", &holder.company_code),
            eport_text("5.12", "00"),
        ];
        let subject = format!("C=CN,OU={},CN={}", holder.company, holder.person);
        Shape { extensions, ..Shape::plain(&subject, vec![3, 0, 0, 0, 0, 0, 1, number], now) }
    }

    /// In the shape of a bank's signing certificate. No real one was seen: names and key usage alone.
    pub(crate) fn bank(holder: &Holder, number: u8, now: SystemTime) -> Shape {
        let subject = format!("C=CN,O=Synthetic Test Bank,OU={},CN={}", holder.company, holder.person);
        Shape::plain(&subject, vec![0x10, 0, 0, 0, 0, 0, 1, number], now)
    }

    /// A signing certificate without private extensions, valid from yesterday for ten years.
    pub(crate) fn plain(subject: &str, serial: Vec<u8>, now: SystemTime) -> Shape {
        Shape {
            subject: subject.to_owned(),
            serial,
            not_before: now - DAY,
            not_after: now + DAY * 3650,
            usage: Usage::Sign,
            ca: false,
            issuer: None,
            authority_key_id: None,
            extensions: Vec::new(),
        }
    }

    /// The encryption certificate that stands beside it in the dual-certificate scheme.
    pub(crate) fn for_encryption(mut self) -> Shape {
        self.usage = Usage::Encrypt;
        self
    }

    /// Ended ten days before `now`.
    pub(crate) fn expired(mut self, now: SystemTime) -> Shape {
        (self.not_before, self.not_after) = (now - DAY * 3650, now - DAY * 10);
        self
    }

    /// Begins ten days after `now`.
    pub(crate) fn not_yet_valid(mut self, now: SystemTime) -> Shape {
        (self.not_before, self.not_after) = (now + DAY * 10, now + DAY * 3650);
        self
    }

    fn profile(&self, issuer: Name, key_id: &[u8]) -> Result<Fixed, String> {
        let mut extensions = Vec::new();
        if self.usage != Usage::Absent {
            let bits = match self.usage {
                Usage::Encrypt => KeyUsages::KeyEncipherment | KeyUsages::DataEncipherment,
                Usage::Authority => KeyUsages::KeyCertSign | KeyUsages::CRLSign,
                Usage::Sign | Usage::Absent => KeyUsages::DigitalSignature | KeyUsages::NonRepudiation,
            };
            extensions.push(extension("2.5.29.15", true, &KeyUsage(bits))?);
        }
        if self.ca {
            let constraints = BasicConstraints { ca: true, path_len_constraint: None };
            extensions.push(extension("2.5.29.19", true, &constraints)?);
        }
        let key_id = self.authority_key_id.as_deref().unwrap_or(key_id);
        if !key_id.is_empty() {
            let id = OctetString::new(key_id).map_err(text)?;
            let value = AuthorityKeyIdentifier { key_identifier: Some(id), ..Default::default() };
            extensions.push(extension("2.5.29.35", false, &value)?);
        }
        extensions.extend(self.extensions.iter().cloned());
        let issuer = self.issuer.clone().unwrap_or(issuer);
        let subject = match self.subject.as_str() {
            "" => Name::default(),
            name => Name::from_str(name).map_err(text)?,
        };
        Ok(Fixed { issuer, subject, extensions })
    }
}

/// The key of an authority.
pub(crate) trait CaKey {
    /// Its public half, a SubjectPublicKeyInfo in DER.
    fn spki(&self) -> Result<Vec<u8>, String>;

    /// Signs a certificate: in DER.
    fn finish(&self, builder: CertificateBuilder<Fixed>) -> Result<Vec<u8>, String>;
}

impl CaKey for SigningKey {
    fn spki(&self) -> Result<Vec<u8>, String> {
        SubjectPublicKeyInfoOwned::from_key(self.verifying_key()).map_err(text)?.to_der().map_err(text)
    }

    fn finish(&self, builder: CertificateBuilder<Fixed>) -> Result<Vec<u8>, String> {
        builder.build::<_, DerSignature>(self).map_err(text)?.to_der().map_err(text)
    }
}

/// A throw-away authority.
pub(crate) struct TestCa {
    key: Box<dyn CaKey>,
    name: Name,
    key_id: Vec<u8>,
    der: Vec<u8>,
}

impl TestCa {
    /// An authority of this name (RFC 4514), valid from a year before `now`, so that expired certificates lie within its time.
    pub(crate) fn new(name: &str, now: SystemTime) -> Result<TestCa, String> {
        TestCa::with(Box::new(SigningKey::generate()), name, now)
    }

    /// The same under a key of another kind.
    pub(crate) fn with(key: Box<dyn CaKey>, name: &str, now: SystemTime) -> Result<TestCa, String> {
        let spki = key.spki()?;
        let shape = Shape {
            usage: Usage::Authority,
            ca: true,
            not_before: now - DAY * 4000,
            not_after: now + DAY * 4000,
            ..Shape::plain(name, vec![1], now)
        };
        let name = Name::from_str(name).map_err(text)?;
        let mut ca = TestCa { key, name, key_id: key_id(&spki)?, der: Vec::new() };
        ca.der = ca.issue(&shape, &spki)?;
        Ok(ca)
    }

    /// In the place of the e-port's authority.
    pub(crate) fn eport(now: SystemTime) -> Result<TestCa, String> {
        TestCa::new(EPORT_NAME, now)
    }

    /// In the place of a bank's authority.
    pub(crate) fn bank(now: SystemTime) -> Result<TestCa, String> {
        TestCa::new(BANK_NAME, now)
    }

    /// Its certificate in DER.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// Its key id: what profiles compare with the authority key identifier of what it issues.
    pub(crate) fn key_id(&self) -> &[u8] {
        &self.key_id
    }

    /// Its name.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// A certificate for the public key in `spki` (SubjectPublicKeyInfo in DER).
    pub(crate) fn issue(&self, shape: &Shape, spki: &[u8]) -> Result<Vec<u8>, String> {
        let mut fixed = shape.profile(self.name.clone(), &self.key_id)?;
        let id = SubjectKeyIdentifier(OctetString::new(key_id(spki)?).map_err(text)?);
        fixed.extensions.push(extension("2.5.29.14", false, &id)?);
        let serial = SerialNumber::new(&shape.serial).map_err(text)?;
        let validity = Validity::new(time(shape.not_before)?, time(shape.not_after)?);
        let spki = SubjectPublicKeyInfoOwned::from_der(spki).map_err(text)?;
        self.key.finish(CertificateBuilder::new(fixed, serial, validity, spki).map_err(text)?)
    }
}

/// A certificate in PEM.
pub(crate) fn pem(der: &[u8]) -> Result<String, String> {
    der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, der).map_err(text)
}

/// A fresh P-256 key in memory, for what needs no token: its public half.
pub(crate) fn any_key() -> Vec<u8> {
    let key = SigningKey::generate();
    SubjectPublicKeyInfoOwned::from_key(key.verifying_key()).and_then(|s| Ok(s.to_der()?)).unwrap_or_default()
}

/// A private extension of the e-port as SM2 certificates have it: a UTF8String.
pub(crate) fn eport_text(arc: &str, value: &str) -> Extension {
    let octets = Any::new(Tag::Utf8String, value.as_bytes()).and_then(|v| v.to_der()).unwrap_or_default();
    raw_extension(&format!("{EPORT_ARC}.{arc}"), false, &octets)
}

/// An extension with these very octets as its value.
pub(crate) fn raw_extension(oid: &str, critical: bool, octets: &[u8]) -> Extension {
    Extension {
        extn_id: ObjectIdentifier::new_unwrap(oid),
        critical,
        extn_value: OctetString::new(octets).expect("fits into memory"),
    }
}

fn extension(oid: &str, critical: bool, value: &impl Encode) -> Result<Extension, String> {
    Ok(raw_extension(oid, critical, &value.to_der().map_err(text)?))
}

/// RFC 7093 §2, method 1: the leftmost 160 bits of SHA-256 over the public key's bits.
fn key_id(spki: &[u8]) -> Result<Vec<u8>, String> {
    let info = SubjectPublicKeyInfoRef::try_from(spki).map_err(text)?;
    Ok(Sha256::digest(info.subject_public_key.raw_bytes()).iter().take(20).copied().collect())
}

fn time(at: SystemTime) -> Result<Time, String> {
    // Whole seconds: certificates know no fractions.
    let since = at.duration_since(SystemTime::UNIX_EPOCH).map_err(text)?;
    GeneralizedTime::from_unix_duration(Duration::from_secs(since.as_secs())).map(Time::GeneralTime).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// What a certificate says beside key, number and time.
pub(crate) struct Fixed {
    issuer: Name,
    subject: Name,
    extensions: Vec<Extension>,
}

impl BuilderProfile for Fixed {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _spk: SubjectPublicKeyInfoRef<'_>,
        _issuer_spk: SubjectPublicKeyInfoRef<'_>,
        _tbs: &TbsCertificate,
    ) -> BuilderResult<Vec<Extension>> {
        Ok(self.extensions.clone())
    }
}
