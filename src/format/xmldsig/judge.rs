//! The verdict on an enveloped signature: every reason is named, none is guessed.

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use uppsala::{Document, NodeId};

use super::canonical::{Checked, document, element};
use super::identifiers::{self, Set};
use super::read::{Parts, Reader, shown};
use super::{dsig_elements, hints};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::suite::{PublicKey, RawSignature, Suite, ToBeSigned};
use crate::verify::{Finding, FindingKind, Report, Severity, VerifyContext};

/// Judges the one signature of a document.
///
/// # Errors
/// Only those of the library itself; what is wrong with the document is in the report.
pub(crate) fn judge(checked: &Checked<'_>, report: &mut Report, context: &VerifyContext) -> Result<()> {
    let tree = checked.tree()?;
    let Some(signature) = the_signature(checked, &tree, report) else { return Ok(()) };
    let mut reader = Reader { checked, tree: &tree, report };
    let parts = reader.signature(signature);
    reader.oddities(signature);
    let set = set(&parts, report);
    digest(checked, &tree, signature, &parts, report)?;
    let certificate = certificate(&parts, context, report);
    if let Some(certificate) = &certificate {
        key_name(&parts, certificate, report);
        report.judge_certificate(certificate, context);
    }
    if let (Some(set), Some(certificate)) = (set, certificate) {
        report.suite = Some(set.suite);
        value(&tree, &parts, set, &certificate, report)?;
    }
    Ok(())
}

/// Reads a finished document as a verifier does, and proves digest and signature with this certificate.
///
/// # Errors
/// `SignatureWrong` where either is not right: the document must not leave.
pub(crate) fn prove(octets: &[u8], by: &Certificate) -> Result<()> {
    let wrong = |detail: &'static str| Error::new(ErrorKind::SignatureWrong, "prove Signature").detail(detail);
    let checked = Checked::read(octets)?;
    let tree = checked.tree()?;
    let mut report = Report::new("ceb");
    let signature = the_signature(&checked, &tree, &mut report).ok_or_else(|| wrong("no Signature"))?;
    let parts = Reader { checked: &checked, tree: &tree, report: &mut report }.signature(signature);
    let set = set(&parts, &mut report).ok_or_else(|| wrong("identifiers"))?;
    digest(&checked, &tree, signature, &parts, &mut report)?;
    value(&tree, &parts, set, by, &mut report)?;
    let named = parts.certificate.as_deref() == Some(by.der());
    match report.findings.iter().any(|f| f.severity() == Severity::Wrong) {
        false if named && report.has(FindingKind::DigestRight) && report.has(FindingKind::SignatureRight) => Ok(()),
        _ => Err(wrong("the finished document does not verify")),
    }
}

/// The first Signature; a second one, or one in another place, is a finding.
fn the_signature(checked: &Checked<'_>, tree: &Document<'_>, report: &mut Report) -> Option<NodeId> {
    let all = dsig_elements(tree, "Signature");
    let Some(&first) = all.first() else {
        report.add(Finding::new(FindingKind::NoSignature));
        return None;
    };
    let mut reader = Reader { checked, tree, report };
    if let Some(&second) = all.get(1) {
        reader.add(FindingKind::SeveralSignatures, second, &format!("{} Signature elements", all.len()));
    }
    if tree.parent(first) != tree.document_element() {
        reader.add(FindingKind::Wrapping, first, "the Signature is not a child of the document element");
    }
    Some(first)
}

/// The set that both identifiers name.
fn set(parts: &Parts, report: &mut Report) -> Option<Set> {
    let (signature, digest) = (parts.method.as_deref()?, parts.digest_method.as_deref()?);
    let found = Set::by_signature(signature);
    let Some(set) = found else {
        report.add(Finding::new(FindingKind::IdentifierUnknown).detail(shown(signature)));
        return None;
    };
    if identifiers::digest(digest).is_none() {
        report.add(Finding::new(FindingKind::IdentifierUnknown).detail(shown(digest)));
    } else if !set.holds(signature, digest) {
        let expected = format!("{} with {}", set.signature, set.digest);
        let found = format!("{} with {}", shown(signature), shown(digest));
        report.add(Finding::new(FindingKind::IdentifiersMixed).compared(expected, found));
    }
    if !set.official {
        report.add(Finding::new(FindingKind::TestIdentifiers).detail(set.suite.name()));
    }
    if set.suite == Suite::RsaSha1 {
        report.add(Finding::new(FindingKind::Sha1Used));
    }
    Some(set)
}

fn digest(
    checked: &Checked<'_>,
    tree: &Document<'_>,
    signature: NodeId,
    parts: &Parts,
    report: &mut Report,
) -> Result<()> {
    let algorithm = parts.digest_method.as_deref().and_then(identifiers::digest);
    let (Some(algorithm), Some(claimed)) = (algorithm, &parts.digest) else { return Ok(()) };
    let input = document(tree, Some(signature))?;
    let computed = algorithm.of(&input)?;
    if computed.octets() == claimed.as_slice() {
        report.add(Finding::new(FindingKind::DigestRight));
        return Ok(());
    }
    let wrong = Finding::new(FindingKind::DigestWrong)
        .compared(Base64::encode_string(claimed), Base64::encode_string(computed.octets()));
    let hint = hints::of_digest(checked, tree, signature, &input, algorithm, claimed);
    match hint {
        Some(hints::Hint::Detail(detail)) => report.add(wrong.detail(detail)),
        Some(hints::Hint::Finding(finding)) => {
            report.add(wrong);
            report.add(finding);
        }
        None => report.add(wrong),
    }
    Ok(())
}

/// The certificate of the document, or the caller's where the document has none.
fn certificate(parts: &Parts, context: &VerifyContext, report: &mut Report) -> Option<Arc<Certificate>> {
    let Some(der) = &parts.certificate else {
        if context.certificate.is_none() {
            report.add(Finding::new(FindingKind::CertificateMissing).detail("no X509Certificate in KeyInfo"));
        }
        return context.certificate.clone();
    };
    match Certificate::from_der(der) {
        Ok(certificate) => Some(Arc::new(certificate)),
        Err(error) => {
            report.add(Finding::new(FindingKind::CertificateUnreadable).detail(error.what().unwrap_or_default()));
            None
        }
    }
}

/// KeyInfo is not signed, so KeyName says nothing by itself: customs registers certificates by it (customs.md §1.4).
fn key_name(parts: &Parts, certificate: &Certificate, report: &mut Report) {
    let expected = certificate.number();
    match &parts.key_name {
        Some(name) if *name == expected => {}
        Some(name) => report.add(Finding::new(FindingKind::KeyNameOther).compared(expected, shown(name))),
        None => report.add(Finding::new(FindingKind::KeyNameOther).compared(expected, "no KeyName")),
    }
}

fn value(tree: &Document<'_>, parts: &Parts, set: Set, certificate: &Certificate, report: &mut Report) -> Result<()> {
    let (Some(signed_info), Some(octets)) = (parts.signed_info, &parts.value) else { return Ok(()) };
    let key = match certificate.key() {
        Ok(key) if set.suite.fits(key.kind()) => key,
        Ok(key) => {
            let detail = format!("{} with {}", set.suite, key.kind());
            report.add(Finding::new(FindingKind::KeyMismatch).detail(detail));
            return Ok(());
        }
        Err(error) => {
            report.add(Finding::new(FindingKind::CertificateUnreadable).detail(error.what().unwrap_or_default()));
            return Ok(());
        }
    };
    let Ok(signature) = RawSignature::new(set.suite, octets.clone()) else {
        report.add(unreadable(set.suite, octets));
        return Ok(());
    };
    if verifies(key, &element(tree, signed_info)?, &signature)? {
        report.add(Finding::new(FindingKind::SignatureRight));
        return Ok(());
    }
    let wrong = Finding::new(FindingKind::SignatureWrong);
    match hints::of_value(tree, signed_info, set, parts, |octets| verifies(key, octets, &signature).unwrap_or(false)) {
        Some(hints::Hint::Detail(detail)) => report.add(wrong.detail(detail)),
        Some(hints::Hint::Finding(finding)) => {
            report.add(wrong);
            report.add(finding);
        }
        None => report.add(wrong),
    }
    Ok(())
}

fn unreadable(suite: Suite, octets: &[u8]) -> Finding {
    let curve = matches!(suite, Suite::P256Sha256 | Suite::Sm2Sm3);
    let der = curve && RawSignature::from_wire(suite, octets).is_ok();
    let detail = if der {
        "DER; an XML signature holds r and s as 64 octets".into()
    } else {
        format!("{} octets", octets.len())
    };
    Finding::new(FindingKind::SignatureUnreadable).detail(detail)
}

fn verifies(key: &PublicKey, message: &[u8], signature: &RawSignature) -> Result<bool> {
    let tbs = ToBeSigned::over(signature.suite(), key, message)?;
    Ok(key.verify(&tbs, signature).is_ok())
}
