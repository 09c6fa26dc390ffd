//! Outputs: how one is put in its place, and when a rerun may skip a document: only when its output is exactly this document, signed by this certificate.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shared_shield::format::{Format, ceb::CEB, xmldsig};
use shared_shield::{
    Certificate, Content, ErrorKind, Finding, FindingKind, IdentifierSet, Profile, Result, Role, Severity, Trust,
    VerifyContext, part_name, part_of, write_new, write_whole,
};

/// Puts an output in its place. Nothing that exists is replaced without `--overwrite`.
pub(crate) fn write<T>(path: &Path, overwrite: bool, fill: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    if overwrite { write_whole(path, fill) } else { write_new(path, fill) }
}

/// Whether an ordinary file stands there: `--overwrite` replaces nothing else.
pub(crate) fn is_ordinary(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|m| m.is_file())
}

/// Whether what stands there is protected from being written: `--overwrite` does not replace it either.
pub(crate) fn is_protected(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|m| m.permissions().readonly())
}

/// Whether an error says that the output is there already.
pub(crate) fn is_there(error: &shared_shield::Error) -> bool {
    error.kind() == ErrorKind::OutputFailed && error.io_kind() == Some(io::ErrorKind::AlreadyExists)
}

/// Removes what a killed run left beside these outputs, all of them in one folder. A young one may belong to another process that is
/// writing it.
pub(crate) fn sweep(outputs: &[&Path]) {
    let Some(folder) = outputs.first().and_then(|o| o.parent()) else { return };
    let names: HashSet<Cow<'_, str>> =
        outputs.iter().filter_map(|o| Some(part_name(o.file_name()?.to_str()?))).collect();
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().and_then(part_of).is_some_and(|named| names.contains(named));
        let is_old = |m: &fs::Metadata| {
            m.is_file() && m.modified().is_ok_and(|t| t.elapsed().is_ok_and(|age| age > Duration::from_secs(60)))
        };
        if is_ours && entry.metadata().is_ok_and(|m| is_old(&m)) {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What stands where the output shall go.
pub(crate) enum Output {
    /// Nothing.
    Absent,
    /// This document, signed by this certificate.
    Done,
    /// Something else, and why it is something else, in English and Chinese.
    Other(String, String),
}

/// Judges the file at `output`. `at` is the time at which the certificate has to be valid; `wanted` are the identifiers that were asked for.
pub(crate) fn judge(
    output: &Path,
    document: &[u8],
    by: &Certificate,
    (profile, at): (&Arc<Profile>, SystemTime),
    wanted: Option<IdentifierSet>,
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
        sm2_id: shared_shield::Sm2Id::default(),
    };
    let report = match CEB.verify(&Content::bytes(present), None, &context) {
        Ok(report) => report,
        Err(e) => return other(format!("it cannot be verified: {}", e.code()), "无法验签"),
    };
    if report.signer.as_ref().is_none_or(|s| s.fingerprint() != by.fingerprint()) {
        return other("another certificate signed it".to_owned(), "由另一张证书签名");
    }
    if let Some((suite, set)) = report.suite.zip(wanted).filter(|(suite, set)| *suite != set.suite()) {
        let asked = set.suite();
        return Output::Other(
            format!("it is signed with {suite} and not with {asked}"),
            format!("其签名算法是 {suite} 而不是 {asked}"),
        );
    }
    // What the document says of itself is no question of this signature: somebody has answered it when it was signed.
    let of_document = |f: &&Finding| f.kind == FindingKind::DeclarantOther;
    let wrong = report.findings.iter().filter(|f| f.severity() == Severity::Wrong && !of_document(f));
    let why: Vec<_> = wrong.map(ToString::to_string).collect();
    if why.is_empty() && report.has(FindingKind::DigestRight) && report.has(FindingKind::SignatureRight) {
        return Output::Done;
    }
    other(format!("its signature is not right: {}", why.join("; ")), "其签名不正确")
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
    }
    // An output is its input and one Signature element.
    if metadata.len() > u64::try_from(xmldsig::MAX_OCTETS).unwrap_or(u64::MAX).saturating_mul(2) {
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
