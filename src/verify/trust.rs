//! Who is trusted.

use std::sync::Arc;

use super::{Finding, FindingKind, VerifyContext};
use crate::cert::{Certificate, Fingerprint};

/// Which certificates a verifier trusts. There is no built-in trust and none from the system.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Trust {
    /// The signer's certificate was issued by one of these (or is one of these).
    Anchors(Vec<Arc<Certificate>>),
    /// The signer's certificate has one of these fingerprints.
    Pinned(Vec<Fingerprint>),
    /// Trust is not judged: the verdict is never plainly `Valid`.
    #[default]
    None,
}

/// Adds what is wrong about the certificate; `true` when trust was judged and given.
pub(super) fn judge(_certificate: &Arc<Certificate>, _context: &VerifyContext, findings: &mut Vec<Finding>) -> bool {
    findings.push(Finding::new(FindingKind::TrustNotAsked));
    false
}
