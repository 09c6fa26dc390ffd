//! Certificate facts: what roles, formats and people need to know of an X.509 certificate (RFC 5280).
//!
//! A certificate is hostile input until somebody has judged who issued it. What it says of itself makes no trust.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

mod crl;
mod csr;
mod eport;
mod facts;
mod issued;
mod name;
#[cfg(test)]
#[path = "../../examples/shield/test_ca.rs"]
pub(crate) mod test_ca;

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

use der::{Decode, Encode};
use x509_cert::Certificate as Inner;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies, KeyUsage, SubjectKeyIdentifier,
};

use crate::error::{Error, ErrorKind, Result};
use crate::policy;
use crate::suite::{DigestAlgorithm, PublicKey};

pub use crl::{Crl, Revoked};
pub use csr::{CertificateRequest, RequestBuilder, UnsignedRequest};
pub use eport::{EportFields, EportText, Unreadable};
pub use facts::{CardKind, Personal, Purpose};
pub use issued::Why;
pub(crate) use issued::{Nearness, Refused};
pub use name::NameFacts;
#[cfg(test)]
pub(crate) use name::hex;
pub(crate) use name::{date, plain};

/// SHA-256 over a certificate's DER.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Reads 64 hex digits; colons and spaces are passed over, case does not matter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| !matches!(c, ':' | ' '))
            .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
            .collect::<Option<_>>()?;
        let (pairs, rest) = digits.as_chunks::<2>();
        let octets: Vec<u8> = pairs.iter().map(|[h, l]| h.wrapping_shl(4) | l).collect();
        rest.is_empty().then_some(())?;
        Some(Fingerprint(octets.try_into().ok()?))
    }

    /// The octets.
    #[must_use]
    pub fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|o| write!(f, "{o:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// A parsed certificate. Its `Debug` shows number and fingerprint, never the holder.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    inner: Inner,
    fingerprint: Fingerprint,
    key: std::result::Result<PublicKey, Error>,
    issuer: NameFacts,
    subject: NameFacts,
    eport: Option<EportFields>,
    usage: Option<KeyUsage>,
    basic: Option<BasicConstraints>,
}

fn bad(what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::CertificateMalformed, "read certificate").detail(what.to_string())
}

impl Certificate {
    /// Reads DER.
    ///
    /// An extension that occurs twice is refused (RFC 5280 §4.2): two readers could each take another one. So are a key usage
    /// and basic constraints that cannot be read: to pass them over would read them as "everything is allowed".
    ///
    /// # Errors
    /// `CertificateMalformed`.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        if der.len() > policy::CERTIFICATE_MAX {
            return Err(bad(format!("{} octets, at most {} are read", der.len(), policy::CERTIFICATE_MAX)));
        }
        let inner = Inner::from_der(der).map_err(bad)?;
        let tbs = inner.tbs_certificate();
        let extensions = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
        refuse_twice(extensions)?;
        let usage = tbs.get_extension::<KeyUsage>().map_err(|_| bad("the key usage cannot be read"))?;
        let basic = tbs.get_extension::<BasicConstraints>().map_err(|_| bad("basic constraints cannot be read"))?;
        let spki = tbs.subject_public_key_info().to_der().map_err(bad)?;
        let digest = DigestAlgorithm::Sha256.of(der)?;
        let fingerprint = digest.octets().try_into().map(Fingerprint).map_err(|_| bad("fingerprint"))?;
        Ok(Certificate {
            der: der.to_vec(),
            fingerprint,
            key: PublicKey::from_spki(&spki),
            issuer: NameFacts::of(tbs.issuer()),
            subject: NameFacts::of(tbs.subject()),
            eport: EportFields::of(extensions),
            usage: usage.map(|(_, value)| value),
            basic: basic.map(|(_, value)| value),
            inner,
        })
    }

    /// Reads the first certificate of a PEM text (RFC 7468).
    ///
    /// # Errors
    /// `CertificateMalformed`.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        Certificate::all_from_pem(pem)?.into_iter().next().ok_or_else(|| bad("no certificate in the PEM text"))
    }

    /// Reads a file of certificates: PEM with any number of them, or DER with one. At least one is there.
    ///
    /// # Errors
    /// `CertificateMalformed`, also for one bad certificate among good ones.
    pub fn all_from(octets: &[u8]) -> Result<Vec<Self>> {
        // No certificate is shorter than 128 octets, and no text has this second octet behind a `0`.
        match octets {
            [0x30, 0x81..=0x84, ..] => Certificate::from_der(octets).map(|one| vec![one]),
            _ => Certificate::all_from_pem(octets),
        }
    }

    /// Reads every certificate of a PEM text (RFC 7468), such as a file of trusted issuers. At least one is there.
    ///
    /// The octets are taken as they stand in the text, never encoded again: fingerprint and signature depend on them.
    ///
    /// # Errors
    /// `CertificateMalformed`, also for one bad certificate among good ones.
    pub fn all_from_pem(pem: &[u8]) -> Result<Vec<Self>> {
        const END: &str = "-----END CERTIFICATE-----";
        if pem.len() > policy::PEM_MAX {
            return Err(bad(format!("{} octets of PEM, at most {} are read", pem.len(), policy::PEM_MAX)));
        }
        let text = std::str::from_utf8(pem).map_err(|_| bad("not a PEM text"))?;
        // One that is cut off must not be passed over: a list of trusted issuers would be shorter than its owner thinks.
        if text.rsplit(END).next().is_some_and(|rest| rest.contains("-----BEGIN CERTIFICATE-----")) {
            return Err(bad("the last certificate of the PEM text has no end"));
        }
        let mut certificates = Vec::new();
        for block in text.split_inclusive(END).filter(|b| b.ends_with(END)) {
            let (_, octets) = der::pem::decode_vec(block.trim_start().as_bytes()).map_err(bad)?;
            certificates.push(Certificate::from_der(&octets)?);
        }
        if certificates.is_empty() {
            return Err(bad("no certificate in the PEM text"));
        }
        Ok(certificates)
    }

    /// The DER octets.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 over the DER.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The certificate number as customs writes it (certNo): serial number, lower-case hex, leading zero kept (manual::customs §1.4).
    #[must_use]
    pub fn number(&self) -> String {
        let octets = self.inner.tbs_certificate().serial_number().as_bytes();
        let octets = match octets {
            [0, rest @ ..] if !rest.is_empty() => rest,
            all => all,
        };
        octets.iter().map(|o| format!("{o:02x}")).collect()
    }

    /// The public key.
    ///
    /// # Errors
    /// `Unsupported` or `CertificateMalformed`, found when the certificate was read.
    pub fn key(&self) -> Result<&PublicKey> {
        self.key.as_ref().map_err(Clone::clone)
    }

    /// The SubjectPublicKeyInfo in DER, of a key that this build knows or not.
    ///
    /// # Errors
    /// `CertificateMalformed`.
    pub fn spki(&self) -> Result<Vec<u8>> {
        self.inner.tbs_certificate().subject_public_key_info().to_der().map_err(bad)
    }

    /// The first moment of validity.
    #[must_use]
    pub fn not_before(&self) -> SystemTime {
        self.inner.tbs_certificate().validity().not_before.to_system_time()
    }

    /// The last moment of validity.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        self.inner.tbs_certificate().validity().not_after.to_system_time()
    }

    /// Time from `now` to the end of validity; zero when expired.
    #[must_use]
    pub fn time_left(&self, now: SystemTime) -> Duration {
        self.not_after().duration_since(now).unwrap_or_default()
    }

    /// Fails when the certificate is not valid at `now`.
    ///
    /// # Errors
    /// `CertificateExpired`, `CertificateNotYetValid`.
    pub fn check_time(&self, now: SystemTime) -> Result<()> {
        let refuse = |kind, detail| Err(Error::new(kind, "check validity").detail(detail));
        if now > self.not_after() {
            return refuse(ErrorKind::CertificateExpired, format!("since {}", date(self.not_after())));
        }
        if now < self.not_before() {
            return refuse(ErrorKind::CertificateNotYetValid, format!("from {}", date(self.not_before())));
        }
        Ok(())
    }

    /// Issuer name.
    #[must_use]
    pub fn issuer(&self) -> &NameFacts {
        &self.issuer
    }

    /// Subject name. It holds a person's name: not for logs and errors.
    #[must_use]
    pub fn subject(&self) -> &NameFacts {
        &self.subject
    }

    /// The e-port's private extensions, where there are any.
    #[must_use]
    pub fn eport(&self) -> Option<&EportFields> {
        self.eport.as_ref()
    }

    /// Whether the key usage allows signatures: digitalSignature or nonRepudiation. `None` when there is no key usage at all.
    #[must_use]
    pub fn may_sign(&self) -> Option<bool> {
        self.usage.map(|u| u.digital_signature() || u.non_repudiation())
    }

    /// Whether this is the encryption certificate of the dual-certificate scheme (GM/T 0015): keyEncipherment,
    /// dataEncipherment or keyAgreement, and no signing.
    #[must_use]
    pub fn is_encryption(&self) -> bool {
        self.purpose() == Purpose::Encryption
    }

    /// Whether basic constraints say CA.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.basic.as_ref().is_some_and(|b| b.ca)
    }

    /// Whether issuer and subject are the same name: then the issuer's name is the holder's.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// The authority key identifier's key id.
    #[must_use]
    pub fn authority_key_id(&self) -> Option<Vec<u8>> {
        self.extension::<AuthorityKeyIdentifier>()?.key_identifier.map(|k| k.into_bytes().into_vec())
    }

    /// The subject key identifier.
    #[must_use]
    pub fn subject_key_id(&self) -> Option<Vec<u8>> {
        self.extension::<SubjectKeyIdentifier>().map(|k| k.0.into_bytes().into_vec())
    }

    /// The policy OIDs, dotted.
    #[must_use]
    pub fn policies(&self) -> Vec<String> {
        self.extension::<CertificatePolicies>()
            .map(|p| p.0.iter().map(|i| i.policy_identifier.to_string()).collect())
            .unwrap_or_default()
    }

    /// Certificate number and issuer: how errors and lists name it without naming a person. The issuer of a self-issued
    /// certificate is its holder, and so is not named.
    #[must_use]
    pub fn label(&self) -> String {
        if self.is_self_issued() {
            format!("certificate {}, self-issued", self.number())
        } else {
            format!("certificate {} of {}", self.number(), self.issuer.shown())
        }
    }

    fn extension<'a, T: Decode<'a> + const_oid::AssociatedOid>(&'a self) -> Option<T> {
        self.inner.tbs_certificate().get_extension::<T>().ok().flatten().map(|(_, value)| value)
    }
}

fn refuse_twice(extensions: &[Extension]) -> Result<()> {
    let mut seen = BTreeSet::new();
    match extensions.iter().find(|e| !seen.insert(e.extn_id)) {
        Some(twice) => Err(bad(format!("extension {} occurs twice", twice.extn_id))),
        None => Ok(()),
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {})", self.number(), self.fingerprint)
    }
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
