//! Verdicts on signed documents: a report of findings, never a bare boolean.

mod catalogue;
mod finding;
#[cfg(feature = "json")]
mod json;
mod trust;
mod words;

use std::sync::Arc;
use std::time::SystemTime;

use crate::cert::{Certificate, date, plain};
use crate::error::ErrorKind;
use crate::profile::Profile;
use crate::role::Role;
use crate::suite::{Sm2Id, Suite};

pub use catalogue::FindingKind;
pub use finding::{Finding, Place, Severity};
pub use trust::{Store, Trust};
pub use words::{Language, Words};

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

impl Verdict {
    /// Its name in JSON and for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::SignatureOnly => "signature-only",
            Verdict::Invalid => "invalid",
        }
    }
}

impl VerifyContext {
    /// The certificates that the caller knows: one of them may be that of the key that signed.
    pub(crate) fn known_certificates(&self) -> Vec<Arc<Certificate>> {
        self.certificate.iter().chain(self.trust.certificates()).cloned().collect()
    }
}

/// Another certificate than the one that was given: another card of the same company (manual::customs §6.3), or anything else.
fn not_the_given(given: &Certificate, found: &Certificate) -> Finding {
    let company = |c: &Certificate| Some(c.eport()?.entity_code.as_ref()?.text.clone());
    let card = |c: &Certificate| Some(c.eport()?.card_number.as_ref()?.text.clone());
    let same = company(given).is_some() && company(given) == company(found);
    match (card(given), card(found)) {
        (Some(wanted), Some(other)) if same && wanted != other => {
            let numbered = |card: String, number: String| {
                (format!("card {card}, certificate {number}"), format!("卡号 {card}，证书 {number}"))
            };
            Finding::new(FindingKind::CardOther)
                .compared(numbered(plain(&wanted, 32), given.number()), numbered(plain(&other, 32), found.number()))
        }
        _ => Finding::new(FindingKind::CertificateNotTheGiven)
            .compared(given.fingerprint().to_string(), found.fingerprint().to_string()),
    }
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
        self.judge_certificate_at(certificate, context, &[], None);
    }

    /// The same for a certificate that stands in the document, at `place`, with others that are `brought` along.
    pub(crate) fn judge_certificate_at(
        &mut self,
        certificate: &Arc<Certificate>,
        context: &VerifyContext,
        brought: &[Arc<Certificate>],
        place: Option<Place>,
    ) {
        self.signer = Some(Arc::clone(certificate));
        let mut findings = Vec::new();
        // Whoever gives a certificate asks whether that one signed. Octets are compared: names and numbers can be had twice.
        let given = context.certificate.as_ref().filter(|given| given.der() != certificate.der());
        findings.extend(given.map(|given| not_the_given(given, certificate)));
        self.judged = trust::judge(certificate, context, brought, &mut findings);
        self.findings.extend(findings.into_iter().map(|f| f.maybe_at(place)));
    }

    /// Judges the time at which a document says that it was made, which is its signer's word. That the certificate had expired by then goes before that it has
    /// expired by now. A time that is still to come is no time of signing. The place is asked for where something is told: to find one reads the document, and
    /// a document may give a hundred thousand times.
    pub(crate) fn made_at(
        &mut self,
        certificate: &Certificate,
        time: SystemTime,
        context: &VerifyContext,
        place: impl FnOnce() -> Option<Place>,
    ) {
        let kind = match certificate.check_time(time).map_err(|e| e.kind()) {
            Err(ErrorKind::CertificateExpired) if time <= context.at => FindingKind::ExpiredAtSigning,
            Err(ErrorKind::CertificateNotYetValid) => FindingKind::SigningTimeOutside,
            _ => return,
        };
        if self.has(kind) {
            return;
        }
        if kind == FindingKind::ExpiredAtSigning {
            self.findings.retain(|f| f.kind != FindingKind::CertificateExpired);
        }
        let (from, to) = (date(certificate.not_before()), date(certificate.not_after()));
        let expected = (format!("a time from {from} to {to}"), format!("{from} 至 {to} 之间的时间"));
        self.add(Finding::new(kind).compared(expected, date(time)).maybe_at(place()));
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
