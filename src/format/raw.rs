//! Raw signatures over the caller's bytes: detached, DER for ECDSA and SM2, PKCS#1 for RSA.

use std::io::{Read, Write};
use std::sync::Arc;

use super::double::{self, START};
use super::{Format, Prepared, SignContext, small};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::note::Note;
use crate::source::Content;
use crate::suite::{Digest, PublicKey, RawSignature, Sm2Id, Suite, Summary, ToBeSigned, names};
use crate::verify::{Finding, FindingKind, Report, VerifyContext};

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
        if let Some(what) = stands_for(content)? {
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
        let Ok(raw) = RawSignature::from_wire(suite, wire) else {
            report.add(Finding::new(FindingKind::SignatureUnreadable).detail(format!("{} octets", wire.len())));
            return Ok(report);
        };
        if let Some(what) = stands_for(content)? {
            report.add(Finding::new(FindingKind::ContentIsAttributes).detail(what));
        }
        let tbs = ToBeSigned::of(suite, hashed(content, key, suite, &context.sm2_id)?.digest, &context.sm2_id);
        let kind = match key.verify(&tbs, &raw) {
            Ok(()) => FindingKind::SignatureRight,
            Err(_) => FindingKind::SignatureWrong,
        };
        report.add(Finding::new(kind));
        Ok(report)
    }
}

/// What a document is that another format signs: a raw signature over it would pass as one of that format, and the reverse.
fn stands_for(content: &Content) -> Result<Option<&'static str>> {
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
