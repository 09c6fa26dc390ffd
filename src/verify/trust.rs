//! Who is trusted.

use std::sync::Arc;

use super::{Finding, FindingKind, VerifyContext};
use crate::cert::{Certificate, Fingerprint};
use crate::error::ErrorKind;
use crate::suite::KeyKind;

/// Which certificates a verifier trusts. There is no built-in trust and none from the system.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Trust {
    /// The signer's certificate was issued by one of these, or is one of these. Each is trusted in itself: a list may hold
    /// roots, intermediates or both.
    Anchors(Vec<Arc<Certificate>>),
    /// The signer's certificate has one of these fingerprints.
    Pinned(Vec<Fingerprint>),
    /// Trust is not judged: the verdict is never plainly `Valid`.
    #[default]
    None,
}

impl Trust {
    /// The certificates that are named.
    pub(super) fn certificates(&self) -> &[Arc<Certificate>] {
        match self {
            Trust::Anchors(anchors) => anchors,
            Trust::Pinned(_) | Trust::None => &[],
        }
    }
}

/// The shortest RSA key that is not called weak, in bits (GB/T and NIST SP 800-131A alike).
const RSA_STRONG: usize = 2048;

/// Adds what is wrong about the certificate; `true` when trust was judged and given.
///
/// Everything is looked at, whatever was found before: a report names all that is wrong.
pub(super) fn judge(certificate: &Arc<Certificate>, context: &VerifyContext, findings: &mut Vec<Finding>) -> bool {
    findings.extend(time(certificate, context));
    findings.extend(usage(certificate, context));
    findings.extend(role(certificate, context));
    findings.extend(weak_key(certificate));
    match &context.trust {
        Trust::Anchors(anchors) => trusted(issuer_among(certificate, anchors, context), findings),
        Trust::Pinned(pins) => {
            let pinned = pins.contains(&certificate.fingerprint());
            trusted(if pinned { Ok(()) } else { Err("its fingerprint is none of those given".to_owned()) }, findings)
        }
        Trust::None => {
            findings.push(Finding::new(FindingKind::TrustNotAsked));
            false
        }
    }
}

fn time(certificate: &Certificate, context: &VerifyContext) -> Option<Finding> {
    let error = certificate.check_time(context.at).err()?;
    let kind = match error.kind() {
        ErrorKind::CertificateNotYetValid => FindingKind::CertificateNotYetValid,
        _ => FindingKind::CertificateExpired,
    };
    Some(Finding::new(kind).detail(error.what().unwrap_or_default()))
}

/// A certificate without a key usage may sign, as RFC 5280 has it. An authority's certificate is refused where a role is
/// expected: declarants and banks' customers are none.
fn usage(certificate: &Certificate, context: &VerifyContext) -> Option<Finding> {
    let wrong = |what: &str| Some(Finding::new(FindingKind::CertificateUsage).detail(what));
    if certificate.is_encryption() {
        wrong("it is for encryption")
    } else if certificate.may_sign() == Some(false) {
        wrong("its key usage does not allow signatures")
    } else if context.role.is_some() && certificate.is_ca() && !context.profile.allows_ca(certificate) {
        wrong("it is a certificate of an authority")
    } else {
        None
    }
}

fn role(certificate: &Certificate, context: &VerifyContext) -> Option<Finding> {
    let expected = context.role?;
    let finding = Finding::new(FindingKind::RoleOther);
    match context.profile.role_of(certificate) {
        Ok(found) if found == expected => None,
        Ok(found) => Some(finding.compared(expected.name(), found.name())),
        Err(why) => Some(finding.compared(expected.name(), "none").detail(why)),
    }
}

fn weak_key(certificate: &Certificate) -> Option<Finding> {
    match certificate.key().ok()?.kind() {
        KeyKind::Rsa { bits } if bits < RSA_STRONG => {
            Some(Finding::new(FindingKind::WeakKey).detail(format!("RSA-{bits}")))
        }
        _ => None,
    }
}

fn trusted(given: Result<(), String>, findings: &mut Vec<Finding>) -> bool {
    if let Err(why) = &given {
        findings.push(Finding::new(FindingKind::CertificateUntrusted).detail(why.as_str()));
    }
    given.is_ok()
}

/// The signer is one of the anchors, or was issued by one that is valid at the time.
///
/// Every certificate of the list is trusted in itself, intermediates too (RFC 5280 §6.1.1 (d): an anchor is whatever the
/// caller names). So a chain is never longer than one step, and no certificate out of the document can lengthen it.
fn issuer_among(
    certificate: &Certificate,
    anchors: &[Arc<Certificate>],
    context: &VerifyContext,
) -> Result<(), String> {
    if let Some(oid) = certificate.unknown_critical() {
        return Err(format!("it has a critical extension that is not understood, {oid}"));
    }
    if anchors.iter().any(|a| **a == *certificate) {
        return Ok(());
    }
    let mut nearest = None;
    for anchor in anchors.iter().filter(|a| a.subject() == certificate.issuer()) {
        match certificate.check_issued_by(anchor) {
            Ok(()) if anchor.check_time(context.at).is_ok() => return Ok(()),
            Ok(()) => nearest = Some("its issuer's certificate was not valid at the time"),
            Err(why) => nearest = nearest.or(Some(why)),
        }
    }
    Err(nearest.unwrap_or("its issuer is none of those given").to_owned())
}

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
