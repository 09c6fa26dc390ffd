//! Verdicts on signed documents: a report of findings, never a bare boolean.

mod finding;
mod trust;

use std::sync::Arc;
use std::time::SystemTime;

use crate::cert::Certificate;
use crate::profile::Profile;
use crate::role::Role;
use crate::suite::{Sm2Id, Suite};

pub use finding::{Finding, FindingKind, Place, Severity};
pub use trust::Trust;

/// How a document is to be judged.
#[derive(Clone, Debug)]
pub struct VerifyContext {
    /// What certificates are trusted.
    pub trust: Trust,
    /// The role that the signer must have; `None` accepts any certificate.
    pub role: Option<Role>,
    /// The profile that gives roles.
    pub profile: Arc<Profile>,
    /// The time at which validity is judged.
    pub at: SystemTime,
    /// The signer's certificate, where the document does not carry it (raw signatures, announcement 179). Where the document carries one,
    /// it must be the same: another one is a finding, [`FindingKind::CertificateNotTheGiven`], and the verdict is `Invalid`.
    pub certificate: Option<Arc<Certificate>>,
    /// The identifier that the signer put into Z, where the key is SM2. It stands in no signature: who agreed on another than the default one
    /// says so here. Customs and certificates have the default one alone.
    pub sm2_id: Sm2Id,
}

/// The verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Signature, digest, certificate, trust and role are right.
    Valid,
    /// The signature is mathematically right, but no trust was asked for: nothing is said of who signed.
    SignatureOnly,
    /// Something is wrong: see the findings.
    Invalid,
}

/// What was found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The format's name.
    pub format: &'static str,
    /// The findings, in the order in which they were met.
    pub findings: Vec<Finding>,
    /// The signer's certificate, where one was found.
    pub signer: Option<Arc<Certificate>>,
    /// The suite, where it was recognised.
    pub suite: Option<Suite>,
    proofs: &'static [FindingKind],
    judged: bool,
}

impl Report {
    /// An empty report of a format whose signature covers the document itself: `SignatureRight` has to be found.
    #[must_use]
    pub fn new(format: &'static str) -> Self {
        Report::proven_by(format, &[FindingKind::SignatureRight])
    }

    /// An empty report that is never better than `Invalid` until each of `proofs` was found: what was not checked does not pass.
    #[must_use]
    pub fn proven_by(format: &'static str, proofs: &'static [FindingKind]) -> Self {
        Report { format, findings: Vec::new(), signer: None, suite: None, proofs, judged: false }
    }

    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Judges the certificate: validity in time, key usage, role, trust, and that it is the caller's where the caller gave one. Call it
    /// once, for whatever certificate the document names.
    pub fn judge_certificate(&mut self, certificate: &Arc<Certificate>, context: &VerifyContext) {
        self.signer = Some(Arc::clone(certificate));
        // Whoever gives a certificate asks whether that one signed. Octets are compared: names and numbers can be had twice.
        if let Some(given) = context.certificate.as_ref().filter(|given| given.der() != certificate.der()) {
            let (given, found) = (given.fingerprint().to_string(), certificate.fingerprint().to_string());
            self.add(Finding::new(FindingKind::CertificateNotTheGiven).compared(given, found));
        }
        self.judged = trust::judge(certificate, context, &mut self.findings);
    }

    /// The verdict. A report whose certificate was never judged, or judged with [`Trust::None`], is never `Valid`.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let proven = self.signer.is_some() && self.proofs.iter().all(|p| self.has(*p));
        if !proven || self.findings.iter().any(|f| f.severity() == Severity::Wrong) {
            Verdict::Invalid
        } else if self.judged {
            Verdict::Valid
        } else {
            Verdict::SignatureOnly
        }
    }

    /// Whether a finding of this kind is there.
    #[must_use]
    pub fn has(&self, kind: FindingKind) -> bool {
        self.findings.iter().any(|f| f.kind == kind)
    }
}
