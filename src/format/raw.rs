//! Raw signatures over the caller's bytes: detached, DER for ECDSA and SM2, PKCS#1 for RSA.

use std::io::{Read, Write};
use std::sync::Arc;

use super::double::{self, START};
use super::proof::{self, Form, Proof};
use super::variants::Variants;
use super::{Format, Prepared, SignContext, small};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::note::Note;
use crate::source::Content;
use crate::suite::{Digest, PublicKey, RawSignature, Sm2Id, Suite, Summary, ToBeSigned, names};
use crate::verify::{Finding, FindingKind, Place, Report, VerifyContext};

/// The format `raw`: what is written is the signature alone, as `openssl dgst -verify` reads it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

/// The one instance.
pub static RAW: Raw = Raw;

impl Format for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn prepare(&self, content: &Content, by: &Arc<Certificate>, context: &SignContext) -> Result<Prepared> {
        let key = by.key()?;
        let suite = Suite::preferred(key.kind()).filter(|s| context.suites.contains(s)).ok_or_else(|| {
            Error::new(ErrorKind::KeyUnsuited, "prepare raw").role(context.role).detail(format!(
                "{}; the token offers {}",
                key.kind(),
                names(&context.suites)
            ))
        })?;
        if let Some((what, _)) = stands_for(content)? {
            return Err(Error::new(ErrorKind::DocumentAmbiguous, "prepare raw")
                .role(context.role)
                .detail(format!("it is {what}: a raw signature over it would be a signature of that format")));
        }
        let Hashed { digest, message } = hashed(content, key, suite, &context.sm2_id)?;
        let display = Summary { text: format!("raw data, {} {}", digest.algorithm().name(), digest.hex()) };
        let mut tbs = ToBeSigned::of(suite, digest, &context.sm2_id);
        tbs.display = Some(Arc::new(display));
        tbs.message = message.map(Arc::from);
        if matches!(content, Content::Digest(_)) {
            // Whoever hashed knows which identifier is in it.
            tbs.sm2_id = None;
        }
        let (content, by, signed) = (content.clone(), Arc::clone(by), tbs.digest.clone());
        let id = context.sm2_id.clone();
        let finish = Box::new(move |signature: &RawSignature, out: &mut dyn Write| {
            let wire = signature.to_wire()?;
            // A person may have taken long: a signature over what the document was would fit nothing that is left.
            if hashed(&content, by.key()?, suite, &id)?.digest != signed {
                return Err(Error::new(ErrorKind::DocumentChanged, "write signature"));
            }
            out.write_all(&wire).map_err(|e| Error::new(ErrorKind::OutputFailed, "write signature").io(&e))
        });
        Ok(Prepared::new(tbs, Vec::<Note>::new(), finish))
    }

    fn verify(&self, content: &Content, signature: Option<&[u8]>, context: &VerifyContext) -> Result<Report> {
        let mut report = Report::new(self.name());
        let Some(certificate) = &context.certificate else {
            report.add(Finding::new(FindingKind::CertificateMissing));
            return Ok(report);
        };
        let Some(wire) = signature else {
            report.add(Finding::new(FindingKind::NoSignature));
            return Ok(report);
        };
        let key = certificate.key()?;
        let Some(suite) = Suite::preferred(key.kind()) else {
            report.add(Finding::new(FindingKind::KeyMismatch).detail(key.kind().to_string()));
            return Ok(report);
        };
        report.suite = Some(suite);
        report.judge_certificate(certificate, context);
        let (raw, otherwise) = match proof::read(suite, wire, Form::Der) {
            Ok(read) => read,
            Err(finding) => {
                report.add(finding.at(START_OF_SIGNATURE));
                return Ok(report);
            }
        };
        report.findings.extend(otherwise.map(|f| f.at(START_OF_SIGNATURE)));
        if let Some(what) = stands_for(content)? {
            report.add(Finding::new(FindingKind::ContentIsAttributes).detail(what).at(START_OF_SIGNATURE));
        }
        let tbs = ToBeSigned::of(suite, hashed(content, key, suite, &context.sm2_id)?.digest, &context.sm2_id);
        if key.verify(&tbs, &raw).is_ok() {
            report.add(Finding::new(FindingKind::SignatureRight));
            return Ok(report);
        }
        let proof = Proof::new(key, raw, &context.sm2_id);
        let said = format!("{} {}", suite.digest().name(), tbs.digest.hex());
        report.add(proof.wrong_digest(&said).at(START_OF_SIGNATURE));
        let causes = causes(content, certificate, &proof, context)?;
        report.findings.extend(causes.into_iter().map(|f| f.maybe_at(Some(START_OF_SIGNATURE))));
        Ok(report)
    }
}

/// The signature stands beside the document: all that is said of it is said of its first octet.
const START_OF_SIGNATURE: Place = Place { offset: 0, line: 1 };

/// Why a signature over a document is wrong; that no reason is known where none is.
fn causes(
    content: &Content,
    certificate: &Certificate,
    proof: &Proof,
    context: &VerifyContext,
) -> Result<Vec<Finding>> {
    let unknown = || vec![Finding::new(FindingKind::NoKnownReason).detail(("the signature value", "签名值"))];
    // Of a pushed digest nothing else can be known.
    let Content::Source(source) = content else { return Ok(unknown()) };
    let failed = |e: std::io::Error| Error::new(ErrorKind::InputFailed, "read document").io(&e);
    let search = |proof: &Proof| -> Result<Option<Vec<Finding>>> {
        let ways = proof.ways();
        // An RSA value tells by itself that this key did not make it.
        if ways.is_empty() {
            return Ok(None);
        }
        let hashers = || ways.iter().filter_map(|(_, hasher)| hasher.fresh().ok()).collect();
        let read = Variants::read(&mut *source.open().map_err(failed)?, hashers).map_err(failed)?;
        let fits = |hasher: usize, digest: &Digest| {
            let (way, _) = ways.get(hasher)?;
            proof.is_made_over(digest).then_some(*way)
        };
        let Some((way, variant)) = read.find(fits) else { return Ok(None) };
        let told = way.finding(proof).map(|f| f.at(START_OF_SIGNATURE));
        Ok(Some(variant.into_iter().chain(told).collect()))
    };
    if let Some(causes) = search(proof)? {
        return Ok(causes);
    }
    let by_other = proof.other_signer(certificate, &context.known_certificates(), |other| search(other).ok().flatten());
    Ok(by_other.map_or_else(unknown, |(finding, causes)| std::iter::once(finding).chain(causes).collect()))
}

/// What a document is that another format signs: a raw signature over it would pass as one of that format, and the reverse.
fn stands_for(content: &Content) -> Result<Option<double::Named>> {
    let Content::Source(source) = content else { return Ok(None) };
    let failed = |e: std::io::Error| Error::new(ErrorKind::InputFailed, "read document").io(&e);
    let mut start = Vec::new();
    let most = u64::try_from(START).unwrap_or(u64::MAX);
    source.open().map_err(failed)?.take(most).read_to_end(&mut start).map_err(failed)?;
    let length = match source.len() {
        Some(length) => length,
        None => std::io::copy(&mut source.open().map_err(failed)?, &mut std::io::sink()).map_err(failed)?,
    };
    Ok(double::stands_for(&start, length))
}

/// What one reading of a document gives: its digest, and the document itself where it is small.
struct Hashed {
    digest: Digest,
    message: Option<Vec<u8>>,
}

/// The digest of a source, streamed; or the pushed one, when its algorithm is the suite's. For SM2 that is e, with Z in it
/// ([`PublicKey::hasher_with`]).
fn hashed(content: &Content, key: &PublicKey, suite: Suite, id: &Sm2Id) -> Result<Hashed> {
    match content {
        Content::Digest(digest) if digest.algorithm() == suite.digest() => {
            Ok(Hashed { digest: Digest::clone(digest), message: None })
        }
        Content::Digest(digest) => Err(Error::new(ErrorKind::Argument, "prepare raw").detail(format!(
            "{} was given, {suite} signs {}",
            digest.algorithm().name(),
            suite.digest().name()
        ))),
        Content::Source(source) => {
            let failed = |e: std::io::Error| Error::new(ErrorKind::InputFailed, "read document").io(&e);
            let mut hasher = key.hasher_with(suite, id)?;
            let mut reader = source.open().map_err(failed)?;
            let mut buffer = vec![0_u8; 64 * 1024];
            let mut message = Some(Vec::new());
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) => return Ok(Hashed { digest: hasher.finish(), message }),
                    Ok(n) => {
                        let piece = buffer.get(..n).unwrap_or_default();
                        hasher.update(piece);
                        message = message.and_then(|m| small(m, piece));
                    }
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(failed(e)),
                }
            }
        }
    }
}
