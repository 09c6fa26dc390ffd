//! Verifying a message, whoever made it.

use std::sync::Arc;

use der::Decode;

use super::UNSEEN;
use super::algorithms;
use super::attributes::{self, Said};
use super::read::Message;
use super::stream::{self, Measured};
use super::types::{IssuerAndSerial, SignerId, SignerInfo, content_type_name, is_data};
use super::write;
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::format::proof::{self, Form, Proof, Start, Way};
use crate::format::variants::Variants;
use crate::policy;
use crate::source::Content;
use crate::suite::{Digest, DigestAlgorithm, Hasher, Suite, ToBeSigned, hex};
use crate::verify::{Finding, FindingKind, Place, Report, VerifyContext, Words};

fn unknown(of: (&str, &str)) -> Finding {
    Finding::new(FindingKind::NoKnownReason).detail(of)
}

/// How a value was made over attributes: with another hash, or over their own tag [0] in place of SET (RFC 5652 §5.4).
fn over_attributes(proof: &Proof, attributes: &[u8]) -> Option<Vec<Finding>> {
    if let Some(way) = proof.way(attributes) {
        return Some(way.finding(proof).into_iter().collect());
    }
    let mut tagged = attributes.to_vec();
    *tagged.first_mut()? = 0xA0;
    let way = proof.way(&tagged)?;
    let said = ("the attributes were signed with their tag [0], not as a SET", "属性按 [0] 标签签名，而非 SET");
    let finding = Finding::new(FindingKind::CmsStructure).detail(said).compared("31", "a0");
    Some(std::iter::once(finding).chain(way.finding(proof)).collect())
}

const VERIFY: &str = "verify CMS message";
/// Both must be found, or the message is not valid.
const PROOFS: &[FindingKind] = &[FindingKind::SignatureRight, FindingKind::DigestRight];

pub(super) fn verify(
    format: &'static str,
    content: &Content,
    signature: Option<&[u8]>,
    context: &VerifyContext,
) -> Result<Report> {
    let (message, outside) = match signature {
        Some(octets) if octets.len() > policy::CMS_MEMORY_MAX => {
            return Err(Error::new(ErrorKind::DocumentTooLarge, VERIFY)
                .detail(format!("a detached message over {} octets", policy::CMS_MEMORY_MAX)));
        }
        Some(octets) => (Message::of(octets)?, Some(content)),
        None => (Message::read(content)?, None),
    };
    let mut judge = Judge { report: Report::proven_by(format, PROOFS), message: &message, outside, context };
    judge.message();
    if let Some(signer) = judge.signer() {
        judge.judge(&signer)?;
    }
    Ok(judge.report)
}

struct Judge<'m> {
    report: Report,
    message: &'m Message,
    /// The document that a detached message was given with.
    outside: Option<&'m Content>,
    context: &'m VerifyContext,
}

impl<'m> Judge<'m> {
    fn add(&mut self, kind: FindingKind) {
        self.report.add(Finding::new(kind));
    }

    fn add_detail(&mut self, kind: FindingKind, detail: impl Into<Words>) {
        self.report.add(Finding::new(kind).detail(detail));
    }

    /// What is said of the message as a whole.
    fn message(&mut self) {
        if self.message.trailing {
            let end = self.message.end.and_then(|end| usize::try_from(end).ok());
            let place = end.map(|offset| Place { offset, line: 1 });
            self.report.add(Finding::new(FindingKind::TrailingOctets).maybe_at(place));
        }
        if self.message.ber {
            self.add(FindingKind::NotDer);
        }
        if !is_data(self.message.content_type) {
            self.add_detail(FindingKind::ContentTypeOther, content_type_name(self.message.content_type));
        }
        match (self.outside.is_some(), self.message.is_attached()) {
            (false, false) => self.add(FindingKind::DocumentAbsent),
            (true, true) => self.add(FindingKind::DocumentTwice),
            _ => {}
        }
    }

    /// The one signer.
    fn signer(&mut self) -> Option<SignerInfo<'m>> {
        match self.message.signers.as_slice() {
            [] => self.add(FindingKind::NoSignature),
            [one] => {
                let read = SignerInfo::from_der(one);
                match read {
                    Ok(signer) => return Some(signer),
                    Err(error) => self.add_detail(FindingKind::CmsStructure, format!("SignerInfo: {error}")),
                }
            }
            several => self.add_detail(FindingKind::SeveralSigners, several.len().to_string()),
        }
        None
    }

    fn judge(&mut self, signer: &SignerInfo<'m>) -> Result<()> {
        self.versions(signer);
        let Some(certificate) = self.certificate(signer) else { return Ok(()) };
        let brought = self.brought();
        self.report.judge_certificate_at(&certificate, self.context, &brought, None);
        let Some((digest, suite)) = self.algorithms(signer) else { return Ok(()) };
        let key = match certificate.key() {
            Ok(key) if suite.fits(key.kind()) => key,
            Ok(key) => {
                let finding = Finding::new(FindingKind::KeyMismatch).compared(suite.name(), key.kind().to_string());
                self.report.add(finding);
                return Ok(());
            }
            Err(error) => {
                self.add_detail(FindingKind::CertificateUnreadable, error.what().unwrap_or_default());
                return Ok(());
            }
        };
        self.report.suite = Some(suite);
        let id = &self.context.sm2_id;
        let hasher = if signer.signed.is_some() { digest.hasher()? } else { key.hasher_with(suite, id)? };
        let (tbs, attributes) = match (signer.signed, self.measure(hasher, digest, signer.signed.is_none())?) {
            (Some(set), measured) => {
                let Some(said) = Said::read(set, &mut self.report) else { return Ok(()) };
                let expected = said.judge(self.message.content_type, &certificate, &mut self.report, self.context);
                if let (Some(expected), Some(measured)) = (expected, measured) {
                    self.digest(digest, expected, &measured)?;
                }
                let octets = attributes::as_signed(set)?;
                (ToBeSigned::over_with(suite, key, id, &octets)?, Some(octets))
            }
            (None, Some(measured)) => {
                self.bare(&measured);
                (ToBeSigned::of(suite, measured.digest, id), None)
            }
            (None, None) => return Ok(()),
        };
        let value = signer.signature.as_bytes();
        let place = self.message.place_in_signer(value);
        let (raw, otherwise) = match proof::read(key, suite, value, Form::Der) {
            Ok(read) => read,
            Err(finding) => {
                let told = self.by_other((value, suite), &certificate, attributes.as_deref(), *finding);
                self.report.findings.extend(told.into_iter().map(|f| f.maybe_at(place)));
                return Ok(());
            }
        };
        self.report.findings.extend(otherwise.map(|f| f.maybe_at(place)));
        if key.verify(&tbs, &raw).is_err() {
            let proof = Proof::new(key, raw, id);
            let said = format!("{} {}", suite.digest().name(), tbs.digest.hex());
            self.report.add(proof.wrong_digest(&said).maybe_at(place));
            let causes = self.causes(&proof, &certificate, attributes.as_deref())?;
            self.report.findings.extend(causes.into_iter().map(|f| f.maybe_at(place)));
            return Ok(());
        }
        self.add(FindingKind::SignatureRight);
        if signer.signed.is_none() {
            self.add(FindingKind::DigestRight);
        }
        Ok(())
    }

    /// The digest that the attributes give, against that of the document; where they differ, why.
    fn digest(&mut self, algorithm: DigestAlgorithm, expected: &[u8], measured: &Measured) -> Result<()> {
        if measured.digest.octets() == expected {
            self.add(FindingKind::DigestRight);
            return Ok(());
        }
        let place = self.message.place_in_signer(expected);
        let finding = Finding::new(FindingKind::DigestWrong).compared(hex(expected), measured.digest.hex());
        self.report.add(finding.maybe_at(place));
        let all = [DigestAlgorithm::Sha1, DigestAlgorithm::Sha256, DigestAlgorithm::Sm3];
        let algorithms: Vec<DigestAlgorithm> = std::iter::once(algorithm)
            .chain(all.into_iter().filter(|a| *a != algorithm))
            .filter(|a| a.length() == expected.len() && a.hasher().is_ok())
            .collect();
        let hashers = || algorithms.iter().filter_map(|a| a.hasher().ok()).collect();
        let fits =
            |hasher: usize, digest: &Digest| algorithms.get(hasher).filter(|_| digest.octets() == expected).copied();
        let found = self.find(hashers, fits)?;
        let Some((other, variants)) = found else {
            self.report.add(unknown(("the digest", "摘要")).maybe_at(place));
            return Ok(());
        };
        self.report.findings.extend(variants.into_iter().map(|f| f.maybe_at(place)));
        if other != algorithm {
            let finding = Finding::new(FindingKind::DigestAlgorithmOther).compared(algorithm.name(), other.name());
            self.report.add(finding.maybe_at(place));
        }
        Ok(())
    }

    /// As [`Variants::find`], with the place in what was given.
    fn find<T>(
        &self,
        hashers: impl Fn() -> Vec<Hasher>,
        fits: impl Fn(usize, &Digest) -> Option<T>,
    ) -> Result<Option<(T, Vec<Finding>)>> {
        let found = self.variants(hashers)?.and_then(|variants| variants.find(fits));
        let placed = |f: Finding| Finding { place: f.place.and_then(|p| self.message.place_of_content(p)), ..f };
        Ok(found.map(|(found, variants)| (found, variants.into_iter().map(placed).collect())))
    }

    /// The document in the ways in which documents change; `None` where only its digest is there.
    fn variants(&self, hashers: impl Fn() -> Vec<Hasher>) -> Result<Option<Variants>> {
        let failed = |e: std::io::Error| stream::input(&e, VERIFY);
        match (self.outside, self.message.content()?) {
            (Some(Content::Source(source)), None) => {
                Variants::read(&mut *source.open().map_err(failed)?, hashers).map(Some).map_err(failed)
            }
            (None, Some(mut reader)) => Variants::read(&mut *reader, hashers).map(Some).map_err(failed),
            _ => Ok(None),
        }
    }

    /// Why the value is wrong; that no reason is known where none is.
    fn causes(&self, proof: &Proof, certificate: &Certificate, attributes: Option<&[u8]>) -> Result<Vec<Finding>> {
        if let Some(causes) = self.search(proof, attributes)? {
            return Ok(causes);
        }
        let unknown = unknown(("the signature value", "签名值"));
        Ok(self.by_other((proof.octets(), proof.suite()), certificate, attributes, unknown))
    }

    /// What the value is over, if it is over attributes or document in one of the known ways.
    fn search(&self, proof: &Proof, attributes: Option<&[u8]>) -> Result<Option<Vec<Finding>>> {
        if let Some(attributes) = attributes {
            return Ok(over_attributes(proof, attributes));
        }
        let mut ways = proof.ways();
        ways.extend(self.whole_content_info(proof));
        // An RSA value tells by itself that this key did not make it.
        if ways.is_empty() {
            return Ok(None);
        }
        let hashers = || ways.iter().filter_map(|(_, start)| start.fresh().ok()).collect();
        let fits = |hasher: usize, digest: &Digest| {
            let (way, _) = ways.get(hasher)?;
            proof.is_made_over(digest).then_some(*way)
        };
        let found = self.find(hashers, fits)?;
        Ok(found.map(|(way, variants)| variants.into_iter().chain(way.finding(proof)).collect()))
    }

    /// That another certificate, brought along or trusted, made the value, and over what; else what is said where none did.
    fn by_other(
        &self,
        (value, suite): (&[u8], Suite),
        own: &Certificate,
        attributes: Option<&[u8]>,
        none: Finding,
    ) -> Vec<Finding> {
        let known: Vec<Arc<Certificate>> =
            self.brought().into_iter().chain(self.context.known_certificates()).collect();
        let tried = |other: &Proof| self.search(other, attributes).ok().flatten();
        match proof::other_signer(value, &[suite], &self.context.sm2_id, own, &known, tried) {
            Some((signer, causes)) => std::iter::once(signer).chain(causes).collect(),
            None => vec![none],
        }
    }

    /// The way of GmSSL 3 with a message without attributes: what is hashed begins with the header of the inner ContentInfo.
    fn whole_content_info(&self, proof: &Proof) -> Option<(Way, Start)> {
        let length = self.message.length().filter(|_| proof.suite() == Suite::Sm2Sm3)?;
        let (header, _) = write::encapsulated(self.message.content_type, Some(length)).ok()?;
        Some((Way::Sm2ContentInfo, Start::sm3(header)))
    }

    /// The certificates that the message brings along, as far as they can be read. Nothing is trusted for standing there.
    fn brought(&self) -> Vec<Arc<Certificate>> {
        self.message.certificates.iter().filter_map(|der| Certificate::from_der(der).ok().map(Arc::new)).collect()
    }

    /// Without signed attributes the signature is over the content itself, which must be plain data (RFC 5652 §5.3).
    fn bare(&mut self, measured: &Measured) {
        self.add(FindingKind::NoAttributes);
        if let Some(what) = measured.stands_for {
            self.add_detail(FindingKind::ContentIsAttributes, what);
        }
    }

    /// Nothing depends on the version numbers, but they are not signed either: what is odd is said (RFC 5652 §5.1, §5.3).
    fn versions(&mut self, signer: &SignerInfo<'_>) {
        let expected = match signer.sid {
            SignerId::Issuer(_) => 1,
            SignerId::KeyId(_) => 3,
        };
        let message = if is_data(self.message.content_type) { expected } else { 3 };
        if signer.version != expected || self.message.version != message {
            let found = format!("{}, {}", self.message.version, signer.version);
            self.report.add(Finding::new(FindingKind::VersionOther).compared(format!("{message}, {expected}"), found));
        }
        if signer.unsigned.is_some() {
            self.add(FindingKind::UnsignedAttributes);
        }
    }

    /// The signer's certificate: from the message, or the one that the caller knows.
    fn certificate(&mut self, signer: &SignerInfo<'_>) -> Option<Arc<Certificate>> {
        let names = |der: &[u8]| match &signer.sid {
            SignerId::Issuer(id) => IssuerAndSerial::of(der).is_ok_and(|own| own == *id),
            SignerId::KeyId(id) => {
                Certificate::from_der(der).ok().and_then(|c| c.subject_key_id()).is_some_and(|own| own == id.as_bytes())
            }
        };
        if let Some(der) = self.message.certificates.iter().find(|der| names(der)) {
            return match Certificate::from_der(der) {
                Ok(certificate) => Some(Arc::new(certificate)),
                Err(error) => {
                    self.add_detail(FindingKind::CertificateUnreadable, error.what().unwrap_or_default());
                    None
                }
            };
        }
        if let Some(known) = self.context.certificate.as_ref().filter(|c| names(c.der())) {
            return Some(Arc::clone(known));
        }
        let inside = self.message.certificates.len();
        let said = (
            format!("{inside} certificates inside, none is the signer's"),
            format!("消息中有 {inside} 个证书，均非签名人的证书"),
        );
        self.add_detail(FindingKind::CertificateMissing, said);
        None
    }

    fn algorithms(&mut self, signer: &SignerInfo<'_>) -> Option<(DigestAlgorithm, Suite)> {
        let oid = signer.digest_algorithm.oid;
        let Some(digest) = algorithms::digest(&signer.digest_algorithm) else {
            self.add_detail(FindingKind::IdentifierUnknown, (format!("digest {oid}"), format!("摘要 {oid}")));
            return None;
        };
        if !self.message.digests.contains(&oid) {
            let said = (format!("digestAlgorithms does not name {oid}"), format!("digestAlgorithms 未列出 {oid}"));
            self.add_detail(FindingKind::CmsStructure, said);
        }
        match algorithms::suite(digest, &signer.signature_algorithm) {
            Ok(suite) => Some((digest, suite)),
            Err(known) => {
                let kind = if known { FindingKind::IdentifiersMixed } else { FindingKind::IdentifierUnknown };
                let oid = signer.signature_algorithm.oid;
                self.add_detail(kind, (format!("signature {oid}"), format!("签名 {oid}")));
                None
            }
        }
    }

    /// The document's digest; `None` when there is no document or more than one.
    fn measure(&self, hasher: Hasher, algorithm: DigestAlgorithm, bare: bool) -> Result<Option<Measured>> {
        let inside = self.message.content()?;
        match (self.outside, inside) {
            (None, Some(mut reader)) => stream::measure(&mut reader, hasher, VERIFY).map(Some),
            (Some(Content::Source(source)), None) => {
                stream::measure(&mut stream::open(&**source, 0, VERIFY)?, hasher, VERIFY).map(Some)
            }
            (Some(Content::Digest(_)), None) if bare => Err(Error::new(ErrorKind::Argument, VERIFY).detail(UNSEEN)),
            (Some(Content::Digest(digest)), None) if digest.algorithm() == algorithm => {
                Ok(Some(Measured { digest: (**digest).clone(), length: 0, stands_for: None, small: None }))
            }
            (Some(Content::Digest(digest)), None) => Err(Error::new(ErrorKind::Argument, VERIFY).detail(format!(
                "{} was given, the message has {}",
                digest.algorithm().name(),
                algorithm.name()
            ))),
            _ => Ok(None),
        }
    }
}
