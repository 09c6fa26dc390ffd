//! Revocation lists (RFC 5280 §5): read, verified, and asked about one certificate.

use std::collections::BTreeSet;
use std::fmt;
use std::time::SystemTime;

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Reader, Sequence, SliceReader, Tag, TagMode, TagNumber, Tagged};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::pkix::crl::dp::IssuingDistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName, GeneralNames};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlDistributionPoints};
use x509_cert::ext::{Extension, Extensions};
use x509_cert::name::Name;
use x509_cert::time::Time;

use super::issued::{check_signature, first_of_sequence};
use super::{Certificate, NameFacts, Why, date};
use crate::error::{Error, ErrorKind, Result};
use crate::policy;

const AUTHORITY_KEY_ID: &str = "2.5.29.35";
const ISSUING_POINT: &str = "2.5.29.28";
/// A list of changes to another list, which would have to be there.
const DELTA: &str = "2.5.29.27";
/// Extensions of a list that are looked at here, or do not bear on what it says: issuer alternative name, number, freshest list.
const UNDERSTOOD: [&str; 5] = [AUTHORITY_KEY_ID, ISSUING_POINT, "2.5.29.18", "2.5.29.20", "2.5.29.46"];
/// Extensions of an entry: reason, invalidity date, hold instruction. The certificate's issuer is deliberately absent, and is looked at even where it is
/// not critical ([`count`]).
const UNDERSTOOD_OF_ENTRY: [&str; 3] = [REASON, "2.5.29.24", "2.5.29.23"];
const REASON: &str = "2.5.29.21";
const CERTIFICATE_ISSUER: &str = "2.5.29.29";

/// A parsed revocation list. What it says counts for nothing until its issuer's signature was verified.
#[derive(Clone)]
pub struct Crl {
    der: Vec<u8>,
    issuer: NameFacts,
    this_update: SystemTime,
    next_update: Option<SystemTime>,
    named: AlgorithmIdentifierOwned,
    inside: AlgorithmIdentifierOwned,
    signature: Vec<u8>,
    /// The contents of revokedCertificates.
    entries: Vec<u8>,
    count: usize,
    authority_key_id: Option<Vec<u8>>,
    point: Option<IssuingDistributionPoint>,
}

/// What a list says of a revoked certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// When it was revoked.
    pub date: SystemTime,
    /// The reason (RFC 5280 §5.3.1), where one is given.
    pub reason: Option<u8>,
}

impl Revoked {
    /// The reason in words, English and Chinese.
    #[must_use]
    pub fn said(&self) -> (&'static str, &'static str) {
        match self.reason {
            Some(1) => ("key compromise", "密钥泄露"),
            Some(2) => ("the authority's key is compromised", "CA 密钥泄露"),
            Some(3) => ("affiliation changed", "归属变更"),
            Some(4) => ("superseded", "已被取代"),
            Some(5) => ("no longer in operation", "停止使用"),
            Some(6) => ("on hold", "暂停"),
            Some(9) => ("privilege withdrawn", "权限撤销"),
            _ => ("no reason given", "未说明原因"),
        }
    }
}

fn bad(what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::CrlMalformed, "read CRL").detail(what.to_string())
}

/// CertificateList (RFC 5280 §5.1).
#[derive(Sequence)]
struct List<'a> {
    to_be_signed: AnyRef<'a>,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitStringRef<'a>,
}

/// One entry of revokedCertificates.
#[derive(Sequence)]
struct Entry<'a> {
    serial: AnyRef<'a>,
    date: Time,
    #[asn1(optional = "true")]
    extensions: Option<Extensions>,
}

/// TBSCertList, taken apart.
struct Inside<'a> {
    algorithm: AlgorithmIdentifierOwned,
    issuer: Name,
    this_update: Time,
    next_update: Option<Time>,
    entries: &'a [u8],
    extensions: Extensions,
}

impl<'a> Inside<'a> {
    fn read(to_be_signed: AnyRef<'a>) -> der::Result<Self> {
        to_be_signed.sequence(|r| {
            // Version 2 alone has extensions, and without them a list does not tell its scope.
            if u8::decode(r)? != 1 {
                return Err(Tag::Integer.value_error().into());
            }
            let algorithm = AlgorithmIdentifierOwned::decode(r)?;
            let (issuer, this_update) = (Name::decode(r)?, Time::decode(r)?);
            let is_time = |tag: Tag| matches!(tag, Tag::UtcTime | Tag::GeneralizedTime);
            let next = !r.is_finished() && is_time(Tag::peek(r)?);
            let next_update = if next { Some(Time::decode(r)?) } else { None };
            let some = !r.is_finished() && Tag::peek(r)? == Tag::Sequence;
            let entries = if some { AnyRef::decode(r)?.value() } else { &[] };
            let extensions = r.context_specific::<Extensions>(TagNumber(0), TagMode::Explicit)?.unwrap_or_default();
            Ok(Inside { algorithm, issuer, this_update, next_update, entries, extensions })
        })
    }
}

impl Crl {
    /// Reads DER.
    ///
    /// # Errors
    /// `CrlMalformed`, also for a list of changes to another one, one with entries of other authorities, one with a critical extension that is not
    /// understood, and one with a serial number that is no INTEGER of DER: what such a list does not say cannot be told from it (RFC 5280 §5.2).
    pub fn from_der(der: &[u8]) -> Result<Self> {
        if der.len() > policy::CRL_MAX {
            return Err(bad(format!("{} octets, at most {} are read", der.len(), policy::CRL_MAX)));
        }
        let List { to_be_signed, algorithm, signature } = List::from_der(der).map_err(bad)?;
        let inside = Inside::read(to_be_signed).map_err(bad)?;
        check_extensions(&inside.extensions, &UNDERSTOOD)?;
        if extension(&inside.extensions, DELTA).is_some() {
            return Err(bad("it holds changes to another list alone"));
        }
        let authority_key_id = match extension(&inside.extensions, AUTHORITY_KEY_ID) {
            Some(octets) => AuthorityKeyIdentifier::from_der(octets).map_err(bad)?.key_identifier,
            None => None,
        };
        let point = extension(&inside.extensions, ISSUING_POINT).map(IssuingDistributionPoint::from_der);
        let point = point.transpose().map_err(bad)?;
        if point.as_ref().is_some_and(|p| p.indirect_crl || p.only_some_reasons.is_some()) {
            return Err(bad("it is not about all certificates of one authority and all reasons"));
        }
        let issuer = NameFacts::of(&inside.issuer);
        Ok(Crl {
            der: der.to_vec(),
            this_update: inside.this_update.to_system_time(),
            next_update: inside.next_update.map(|t| t.to_system_time()),
            named: algorithm,
            inside: inside.algorithm,
            signature: signature.as_bytes().ok_or_else(|| bad("signature"))?.to_vec(),
            entries: inside.entries.to_vec(),
            count: count(inside.entries, &issuer)?,
            issuer,
            authority_key_id: authority_key_id.map(|id| id.into_bytes().into_vec()),
            point,
        })
    }

    /// Reads a file of lists: PEM (`X509 CRL`) with any number of them, or DER with one. At least one is there.
    ///
    /// # Errors
    /// As [`Crl::from_der`], also for one bad list among good ones.
    pub fn all_from(octets: &[u8]) -> Result<Vec<Self>> {
        const END: &str = "-----END X509 CRL-----";
        if octets.first() == Some(&0x30) {
            return Crl::from_der(octets).map(|one| vec![one]);
        }
        let most = policy::CRL_MAX.saturating_mul(2);
        let text = std::str::from_utf8(octets).ok().filter(|t| t.len() <= most).ok_or_else(|| bad("not a PEM text"))?;
        if text.rsplit(END).next().is_some_and(|rest| rest.contains("-----BEGIN X509 CRL-----")) {
            return Err(bad("the last list of the PEM text has no end"));
        }
        let blocks = text.split_inclusive(END).filter(|b| b.ends_with(END));
        let read = |block: &str| {
            let (_, octets) = der::pem::decode_vec(block.trim_start().as_bytes()).map_err(bad)?;
            Crl::from_der(&octets)
        };
        let lists: Vec<Crl> = blocks.map(read).collect::<Result<_>>()?;
        if lists.is_empty() { Err(bad("no CRL in the PEM text")) } else { Ok(lists) }
    }

    /// The DER octets.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// The name of the authority.
    #[must_use]
    pub fn issuer(&self) -> &NameFacts {
        &self.issuer
    }

    /// When it was made.
    #[must_use]
    pub fn this_update(&self) -> SystemTime {
        self.this_update
    }

    /// When the next one is due; `None` where it does not say.
    #[must_use]
    pub fn next_update(&self) -> Option<SystemTime> {
        self.next_update
    }

    /// How many certificates are revoked.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether `issuer` made this list, and may.
    ///
    /// # Errors
    /// Why not.
    pub fn check_issued_by(&self, issuer: &Certificate) -> std::result::Result<(), Why> {
        if self.issuer != *issuer.subject() {
            return Err(("it is of another issuer", "签发者不同"));
        }
        let other = self.of_another_key(issuer);
        if !issuer.may_sign_crls() {
            return Err(other.unwrap_or(("the issuer's key usage does not allow CRLs", "签发者密钥用途不允许签发 CRL")));
        }
        let signed = first_of_sequence(&self.der).ok_or(("it cannot be read", "无法读取"))?;
        let made = check_signature(issuer, [&self.named, &self.inside], signed, &self.signature);
        made.map_err(|(_, why)| other.unwrap_or(why))
    }

    /// What is told of a list that names another key, where the signature is not this one's. Alone it refuses nothing: an authority may have several
    /// certificates of one key with identifiers of their own, and what that key signed counts under each. Otherwise a signer could choose, by the
    /// certificate that it brings along, which lists are about it.
    fn of_another_key(&self, issuer: &Certificate) -> Option<Why> {
        let (wanted, has) = (self.authority_key_id.as_deref()?, issuer.subject_key_id()?);
        (wanted != has).then_some(("it is of another key of the issuer", "由签发者的另一密钥签发"))
    }

    /// Whether the list is the current one at this time.
    ///
    /// # Errors
    /// Why not.
    pub fn check_time(&self, at: SystemTime) -> std::result::Result<(), Why> {
        match self.next_update {
            _ if self.this_update > at => {
                Err(("it was made after the time that is asked about", "签发时间晚于所问时间"))
            }
            None => Err(("it does not say until when it is current", "未说明有效期限")),
            Some(next) if next < at => Err(("it is out of date", "已过期")),
            Some(_) => Ok(()),
        }
    }

    /// Whether this list is about `certificate` (RFC 5280 §6.3.3 (b)): some lists are about a part of an authority's certificates.
    #[must_use]
    pub fn covers(&self, certificate: &Certificate) -> bool {
        let Some(point) = &self.point else { return self.issuer == *certificate.issuer() };
        let other = if certificate.is_ca() { point.only_contains_user_certs } else { point.only_contains_ca_certs };
        let kind = !point.only_contains_attribute_certs && !other;
        let named = match &point.distribution_point {
            None => true,
            Some(DistributionPointName::FullName(names)) => certificate.crl_names().iter().any(|n| names.contains(n)),
            Some(DistributionPointName::NameRelativeToCRLIssuer(_)) => false,
        };
        self.issuer == *certificate.issuer() && kind && named
    }

    /// What the list says of a certificate that it covers; `None`: it is not revoked.
    #[must_use]
    pub fn revoked(&self, certificate: &Certificate) -> Option<Revoked> {
        let serial = certificate.serial();
        let mut reader = SliceReader::new(&self.entries).ok()?;
        while !reader.is_finished() {
            let entry = Entry::decode(&mut reader).ok()?;
            if entry.serial.value() == serial {
                let reason = entry.extensions.as_deref().and_then(|e| extension(e, REASON));
                let reason = reason.and_then(|octets| match octets {
                    [0x0A, 1, code] => Some(*code),
                    _ => None,
                });
                return Some(Revoked { date: entry.date.to_system_time(), reason });
            }
        }
        None
    }
}

/// The number of entries, every one of which can be read and understood, and is about a certificate of `issuer`.
fn count(entries: &[u8], issuer: &NameFacts) -> Result<usize> {
    let mut reader = SliceReader::new(entries).map_err(bad)?;
    let mut count = 0_usize;
    while !reader.is_finished() {
        let entry = Entry::decode(&mut reader).map_err(bad)?;
        check_serial(entry.serial)?;
        let extensions = entry.extensions.as_deref().unwrap_or_default();
        check_extensions(extensions, &UNDERSTOOD_OF_ENTRY)?;
        // RFC 5280 §5.3.3: who passes it over takes this entry, and those behind it that name nobody, for entries about the wrong authority's
        // certificates. It has a place in indirect lists alone, which are refused; so is a list that has it all the same, critical or not.
        if extension(extensions, CERTIFICATE_ISSUER).is_some_and(|octets| !is_of(octets, issuer)) {
            return Err(bad("it has an entry about a certificate of another authority (2.5.29.29)"));
        }
        count = count.saturating_add(1);
    }
    Ok(count)
}

/// Serial numbers are compared octet by octet with those of certificates, which are read as DER: one with needless octets in front (X.690 §8.3.2)
/// would be taken for another, and its certificate for one that is not revoked.
fn check_serial(serial: AnyRef<'_>) -> Result<()> {
    match (serial.tag(), serial.value()) {
        (tag, _) if tag != Tag::Integer => Err(bad("an entry without a serial number")),
        (_, []) => Err(bad("an entry with a serial number of no octets")),
        (_, [0x00, 0x00..=0x7F, ..] | [0xFF, 0x80..=0xFF, ..]) => {
            Err(bad("an entry with a serial number that is not in DER: needless octets stand in front"))
        }
        _ => Ok(()),
    }
}

/// Whether GeneralNames name this authority; what cannot be read names another.
fn is_of(names: &[u8], issuer: &NameFacts) -> bool {
    let is_it = |name: &GeneralName| matches!(name, GeneralName::DirectoryName(name) if NameFacts::of(name) == *issuer);
    GeneralNames::from_der(names).is_ok_and(|names| names.iter().any(is_it))
}

/// No extension twice, and no critical one that is not understood.
fn check_extensions(extensions: &[Extension], understood: &[&str]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for extension in extensions {
        let oid = extension.extn_id.to_string();
        if extension.critical && !understood.contains(&oid.as_str()) {
            return Err(bad(format!("it has a critical extension that is not understood, {oid}")));
        }
        if !seen.insert(extension.extn_id) {
            return Err(bad(format!("extension {oid} occurs twice")));
        }
    }
    Ok(())
}

fn extension<'e>(extensions: &'e [Extension], oid: &str) -> Option<&'e [u8]> {
    extensions.iter().find(|e| e.extn_id.to_string() == oid).map(|e| e.extn_value.as_bytes())
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({} entries, of {})", self.count, date(self.this_update))
    }
}

impl Certificate {
    /// The serial number's octets, as an INTEGER has them.
    fn serial(&self) -> &[u8] {
        self.inner.tbs_certificate().serial_number().as_bytes()
    }

    /// The names under which this certificate's lists are found (RFC 5280 §4.2.1.13).
    fn crl_names(&self) -> GeneralNames {
        let points = self.extension::<CrlDistributionPoints>().map(|p| p.0).unwrap_or_default();
        let names = points.into_iter().filter_map(|p| match p.distribution_point {
            Some(DistributionPointName::FullName(names)) => Some(names),
            _ => None,
        });
        names.flatten().collect()
    }
}
