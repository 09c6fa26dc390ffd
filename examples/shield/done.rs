//! When a rerun may skip a document: only when its output is exactly this document, signed by this certificate.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use shared_shield::format::{Format, ceb::CEB};
use shared_shield::{Certificate, Content, Profile, Role, Severity, Trust, Verdict, VerifyContext, policy};

/// What stands where the output shall go.
pub(crate) enum Output {
    /// Nothing.
    Absent,
    /// This document, signed by this certificate.
    Done,
    /// Something else, and why it is something else, in English and Chinese.
    Other(String, String),
}

/// Judges the file at `output`. `at` is the time at which the certificate has to be valid.
pub(crate) fn judge(
    output: &Path,
    document: &[u8],
    by: &Arc<Certificate>,
    profile: &Arc<Profile>,
    at: SystemTime,
) -> Output {
    let other = |en: String, zh: &str| Output::Other(en, zh.to_owned());
    let present = match read(output) {
        Ok(octets) => octets,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Output::Absent,
        Err(e) => return other(format!("it cannot be read: {e}"), "无法读取"),
    };
    if !is_document_with_signature(document, &present) {
        return other("it is not this document with a signature".to_owned(), "不是本文档的签名结果");
    }
    let context = VerifyContext {
        trust: Trust::Pinned(vec![by.fingerprint()]),
        role: Some(Role::Customs),
        profile: Arc::clone(profile),
        at,
        certificate: None,
    };
    let report = match CEB.verify(&Content::bytes(present), None, &context) {
        Ok(report) => report,
        Err(e) => return other(format!("it cannot be verified: {}", e.code()), "无法验签"),
    };
    if report.signer.as_ref().is_none_or(|s| s.fingerprint() != by.fingerprint()) {
        return other("another certificate signed it".to_owned(), "由另一张证书签名");
    }
    if report.verdict() == Verdict::Valid {
        return Output::Done;
    }
    let why: Vec<_> =
        report.findings.iter().filter(|f| f.severity() == Severity::Wrong).map(ToString::to_string).collect();
    other(format!("its signature is not right: {}", why.join("; ")), "其签名不正确")
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    // An output is its input and one Signature element.
    if metadata.len() > u64::try_from(policy::XML_MAX).unwrap_or(u64::MAX).saturating_mul(2) {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "too large"));
    }
    fs::read(path)
}

/// Whether `signed` is `document` with one `ds:Signature` element put in at one place, and not an octet else.
fn is_document_with_signature(document: &[u8], signed: &[u8]) -> bool {
    let Some(extra) = signed.len().checked_sub(document.len()).filter(|n| *n > 0) else { return false };
    let same = |a: &mut dyn Iterator<Item = (&u8, &u8)>| a.take_while(|(x, y)| x == y).count();
    let front = same(&mut document.iter().zip(signed));
    let back = same(&mut document.iter().rev().zip(signed.iter().rev()));
    let from = document.len().saturating_sub(back);
    // Octets may repeat at the seam, so each place that fits both sides is looked at.
    (from..=front).any(|at| {
        let inserted = signed.get(at..at + extra).unwrap_or_default();
        inserted.starts_with(b"<ds:Signature ") && inserted.ends_with(b"</ds:Signature>")
    })
}
