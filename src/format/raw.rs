//! Raw signatures over the caller's bytes: detached, DER for ECDSA and SM2, PKCS#1 for RSA.

use std::io::{Read, Write};
use std::sync::Arc;

use base64ct::{Base64, Encoding};

use super::double::{self, START};
use super::proof::{self, Form, Proof};
use super::variants::Variants;
use super::{Format, Prepared, SignContext, small};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::note::Note;
use crate::source::{Content, Source};
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
        let (raw, otherwise) = match proof::read(key, suite, wire, Form::Der) {
            Ok(read) => read,
            Err(finding) => {
                let unread = unread(content, certificate, wire, *finding, context)?;
                report.findings.extend(unread.into_iter().map(|f| f.maybe_at(Some(START_OF_SIGNATURE))));
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
    if let Some(causes) = search(&**source, proof)? {
        return Ok(causes);
    }
    let by_other = by_other(&**source, certificate, proof.octets(), context);
    Ok(by_other.unwrap_or_else(unknown))
}

/// What `proof` is over, if it is over the document in one of the known ways.
fn search(source: &dyn Source, proof: &Proof) -> Result<Option<Vec<Finding>>> {
    let failed = |e: std::io::Error| Error::new(ErrorKind::InputFailed, "read document").io(&e);
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
    let Some((way, variants)) = read.find(fits) else { return Ok(None) };
    let told = way.finding(proof).map(|f| f.at(START_OF_SIGNATURE));
    Ok(Some(variants.into_iter().chain(told).collect()))
}

/// Another certificate that the caller trusts made the value, whatever its key's type.
fn by_other(source: &dyn Source, own: &Certificate, wire: &[u8], context: &VerifyContext) -> Option<Vec<Finding>> {
    let tried = |other: &Proof| search(source, other).ok().flatten();
    let (suites, known) = ([Suite::P256Sha256, Suite::Sm2Sm3, Suite::RsaSha256], context.known_certificates());
    let (signer, causes) = proof::other_signer(wire, &suites, &context.sm2_id, own, &known, tried)?;
    Some(std::iter::once(signer).chain(causes).collect())
}

/// What is said of a value that this certificate's key cannot have made: whose it is; else `finding`, or that text stands where octets have to.
fn unread(
    content: &Content,
    certificate: &Certificate,
    wire: &[u8],
    finding: Finding,
    context: &VerifyContext,
) -> Result<Vec<Finding>> {
    let key = certificate.key()?;
    if let Content::Source(source) = content
        && let Some(found) = by_other(&**source, certificate, wire, context)
    {
        return Ok(found);
    }
    let text: Vec<u8> = wire.iter().copied().filter(|o| !o.is_ascii_whitespace()).collect();
    let decoded = std::str::from_utf8(&text).ok().and_then(|text| Base64::decode_vec(text).ok());
    let suite = Suite::preferred(key.kind());
    if decoded.zip(suite).is_some_and(|(octets, suite)| proof::read(key, suite, &octets, Form::Either).is_ok()) {
        let count = text.len();
        let found = (format!("{count} characters of base64"), format!("{count} 个 base64 字符"));
        let expected = ("the octets of the signature", "签名的字节");
        return Ok(vec![Finding::new(FindingKind::SignatureUnreadable).compared(expected, found)]);
    }
    Ok(vec![proof::mismatch(finding, key.kind(), wire)])
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
