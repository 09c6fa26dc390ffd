//! Who is trusted.

mod chain;
mod revocation;
mod store;

use std::sync::Arc;

use super::{Finding, FindingKind, VerifyContext, Words};
use crate::cert::{Certificate, Fingerprint, date};
use crate::error::ErrorKind;
use crate::suite::{KeyKind, Suite};

pub use store::Store;

/// Which certificates a verifier trusts. There is no built-in trust and none from the system.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Trust {
    /// The signer's certificate was issued by one of these, or is one of these. Each is trusted in itself: a list may hold
    /// roots, intermediates or both. No certificate out of a document lengthens the way.
    Anchors(Vec<Arc<Certificate>>),
    /// A chain leads from the signer's certificate to an anchor of the store, and the store's revocation lists say nothing against it.
    Store(Arc<Store>),
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
            Trust::Store(store) => &store.known,
            Trust::Pinned(_) | Trust::None => &[],
        }
    }
}

/// The shortest RSA key that is not called weak, in bits (GB/T and NIST SP 800-131A alike).
const RSA_STRONG: usize = 2048;

/// Adds what is wrong about the certificate; `true` when trust was judged and given. `brought` are the certificates that the document brings along.
///
/// Everything is looked at, whatever was found before: a report names all that is wrong.
pub(super) fn judge(
    certificate: &Arc<Certificate>,
    context: &VerifyContext,
    brought: &[Arc<Certificate>],
    findings: &mut Vec<Finding>,
) -> bool {
    findings.extend(time(certificate, context));
    findings.extend(usage(certificate, context));
    findings.extend(role(certificate, context));
    findings.extend(weak_key(certificate));
    let told = match &context.trust {
        Trust::Anchors(anchors) => chain::judge(certificate, &Store::new(anchors.clone()), &[], context.at),
        Trust::Store(store) => chain::judge(certificate, store, brought, context.at),
        Trust::Pinned(pins) if pins.contains(&certificate.fingerprint()) => Vec::new(),
        Trust::Pinned(_) => vec![untrusted(("its fingerprint is none of those given", "其指纹不在所给的指纹之中"))],
        Trust::None => vec![Finding::new(FindingKind::TrustNotAsked)],
    };
    let given = told.is_empty();
    findings.extend(told);
    given
}

fn time(certificate: &Certificate, context: &VerifyContext) -> Option<Finding> {
    let error = certificate.check_time(context.at).err()?;
    let (from, to) = (date(certificate.not_before()), date(certificate.not_after()));
    let (kind, said) = match error.kind() {
        ErrorKind::CertificateNotYetValid => {
            (FindingKind::CertificateNotYetValid, (format!("from {from}"), format!("自 {from} 起")))
        }
        _ => (FindingKind::CertificateExpired, (format!("since {to}"), format!("自 {to} 起"))),
    };
    let expected = (format!("a time from {from} to {to}"), format!("{from} 至 {to} 之间的时间"));
    Some(Finding::new(kind).detail(said).compared(expected, date(context.at)))
}

/// A certificate without a key usage may sign, as RFC 5280 has it. An authority's certificate is refused where a role is
/// expected: declarants and banks' customers are none.
fn usage(certificate: &Certificate, context: &VerifyContext) -> Option<Finding> {
    let wrong = |found: (&str, &str)| {
        let expected = ("a signing certificate", "签名证书");
        Some(Finding::new(FindingKind::CertificateUsage).compared(expected, found))
    };
    if certificate.is_encryption() {
        wrong(("one for encryption", "加密证书"))
    } else if certificate.may_sign() == Some(false) {
        wrong(("a key usage that does not allow signatures", "密钥用途不允许签名"))
    } else if certificate.signs_no_documents() {
        wrong(("a critical extended key usage for no documents", "关键扩展密钥用途不含文档签名"))
    } else if context.role.is_some() && certificate.is_ca() && !context.profile.allows_ca(certificate) {
        wrong(("a certificate of an authority", "CA 证书"))
    } else {
        None
    }
}

fn role(certificate: &Certificate, context: &VerifyContext) -> Option<Finding> {
    let expected = context.role?;
    let named = |role: crate::role::Role| (role.name(), role.name_zh());
    let finding = Finding::new(FindingKind::RoleOther);
    match context.profile.role_of(certificate) {
        Ok(found) if found == expected => None,
        Ok(found) => Some(finding.compared(named(expected), named(found))),
        Err(why) => Some(finding.compared(named(expected), ("none", "无")).detail(why)),
    }
}

fn weak_key(certificate: &Certificate) -> Option<Finding> {
    let kind = certificate.key().ok()?.kind();
    match kind {
        KeyKind::Rsa { bits } if bits < RSA_STRONG => {
            let finding = Finding::new(FindingKind::WeakKey).compared(format!("RSA-{RSA_STRONG}"), kind.to_string());
            let none = !Suite::ALL.iter().any(|suite| suite.fits(kind));
            let short = ("too short for any signature: none of its counts", "过短，其任何签名均不予采信");
            Some(if none { finding.detail(short) } else { finding })
        }
        _ => None,
    }
}

fn untrusted(found: impl Into<Words>) -> Finding {
    let expected = ("a chain to a trusted certificate", "到受信任证书的证书链");
    Finding::new(FindingKind::CertificateUntrusted).compared(expected, found)
}

fn numbered(certificate: &Certificate) -> (String, String) {
    let number = certificate.number();
    (format!("certificate {number}"), format!("证书 {number}"))
}

#[cfg(test)]
mod tests;
