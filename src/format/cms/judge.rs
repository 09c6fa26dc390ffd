//! Verifying a message, whoever made it.

use std::sync::Arc;

use der::Decode;

use super::UNSEEN;
use super::algorithms;
use super::attributes::{self, Said};
use super::read::Message;
use super::stream::{self, Measured};
use super::types::{IssuerAndSerial, RawSet, SignerId, SignerInfo, content_type_name, is_data};
use super::write;
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::policy;
use crate::source::Content;
use crate::suite::{DigestAlgorithm, Hasher, PublicKey, RawSignature, SM2_DEFAULT_ID, Suite, ToBeSigned};
use crate::verify::{Finding, FindingKind, Report, VerifyContext};

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

    fn add_detail(&mut self, kind: FindingKind, detail: impl Into<String>) {
        self.report.add(Finding::new(kind).detail(detail));
    }

    /// What is said of the message as a whole.
    fn message(&mut self) {
        if self.message.trailing {
            self.add(FindingKind::TrailingOctets);
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
        self.report.judge_certificate(&certificate, self.context);
        let Some((digest, suite)) = self.algorithms(signer) else { return Ok(()) };
        let key = match certificate.key() {
            Ok(key) if suite.fits(key.kind()) => key,
            Ok(key) => {
                self.add_detail(FindingKind::KeyMismatch, format!("{suite} with {}", key.kind()));
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
        let measured = self.measure(hasher, digest, signer.signed.is_none())?;
        let tbs = match (signer.signed, measured) {
            (Some(set), measured) => {
                let said = Said::read(set, &mut self.report);
                let Some(said) = said else { return Ok(()) };
                let expected = said.judge(self.message.content_type, &certificate, &mut self.report);
                if let (Some(expected), Some(measured)) = (expected, measured) {
                    let right = measured.digest.octets() == expected;
                    self.add(if right { FindingKind::DigestRight } else { FindingKind::DigestWrong });
                }
                ToBeSigned::over_with(suite, key, id, &attributes::as_signed(set)?)?
            }
            (None, Some(measured)) => {
                self.bare(&measured);
                ToBeSigned::of(suite, measured.digest, id)
            }
            (None, None) => return Ok(()),
        };
        let Ok(raw) = RawSignature::from_wire(suite, signer.signature.as_bytes()) else {
            self.add_detail(FindingKind::SignatureUnreadable, format!("{} octets", signer.signature.as_bytes().len()));
            return Ok(());
        };
        let right = key.verify(&tbs, &raw).is_ok();
        self.add(if right { FindingKind::SignatureRight } else { FindingKind::SignatureWrong });
        if right && signer.signed.is_none() {
            self.add(FindingKind::DigestRight);
        }
        if !right && suite == Suite::Sm2Sm3 {
            self.other_z(key, &raw, signer.signed)?;
        }
        Ok(())
    }

    /// Names how an SM2 signature was hashed, where that is a way that programs are known to have.
    fn other_z(&mut self, key: &PublicKey, raw: &RawSignature, signed: Option<RawSet<'_>>) -> Result<()> {
        let id = &self.context.sm2_id;
        let header = |length| write::encapsulated(self.message.content_type, Some(length)).map(|(header, _)| header);
        let z = |id: &str| Ok::<_, Error>(key.z(id)?.octets().to_vec());
        let mut ways = vec![("SM3 without Z", Vec::new()), ("SM3 with Z of an empty identifier", z("")?)];
        if !id.is_default() {
            ways.push(("SM3 with Z of the default identifier, where another was expected", z(SM2_DEFAULT_ID)?));
        }
        if let (None, Some(length)) = (signed, self.message.length())
            && let Ok(header) = header(length)
        {
            ways.push(("SM3 of the whole ContentInfo without Z, as GmSSL 3 makes it", header));
        }
        for (name, prefix) in ways {
            let mut hasher = DigestAlgorithm::Sm3.hasher()?;
            hasher.update(&prefix);
            let digest = match signed {
                Some(set) => {
                    hasher.update(&attributes::as_signed(set)?);
                    Some(hasher.finish())
                }
                None => self.measure(hasher, DigestAlgorithm::Sm3, true)?.map(|m| m.digest),
            };
            if digest.is_some_and(|d| key.verify(&ToBeSigned::of(Suite::Sm2Sm3, d, id), raw).is_ok()) {
                self.add_detail(FindingKind::OtherHash, name);
                break;
            }
        }
        Ok(())
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
        self.add_detail(FindingKind::CertificateMissing, format!("{inside} certificates inside, none is the signer's"));
        None
    }

    fn algorithms(&mut self, signer: &SignerInfo<'_>) -> Option<(DigestAlgorithm, Suite)> {
        let oid = signer.digest_algorithm.oid;
        let Some(digest) = algorithms::digest(&signer.digest_algorithm) else {
            self.add_detail(FindingKind::IdentifierUnknown, format!("digest {oid}"));
            return None;
        };
        if !self.message.digests.contains(&oid) {
            self.add_detail(FindingKind::CmsStructure, format!("digestAlgorithms does not name {oid}"));
        }
        match algorithms::suite(digest, &signer.signature_algorithm) {
            Ok(suite) => Some((digest, suite)),
            Err(known) => {
                let kind = if known { FindingKind::IdentifiersMixed } else { FindingKind::IdentifierUnknown };
                self.add_detail(kind, format!("signature {}", signer.signature_algorithm.oid));
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
