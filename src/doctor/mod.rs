//! What is wrong here: everything that stands between a person and a signature, with what to do now.
//!
//! Works without a shield, without a smart-card service and without special rights. PIN states are read, no PIN is sent, no try is spent, and
//! nothing is written to any card.
//!
//! ```
//! use shared_shield::{Scanner, Wait};
//! let diagnosis = Scanner::new().module("/no/such/module.so").diagnose(&Wait::default())?;
//! let worst = diagnosis.worst().unwrap();
//! assert_eq!(worst.code(), "SH-1010");
//! assert!(worst.text().contains("install the driver"));
//! # Ok::<(), shared_shield::Error>(())
//! ```

mod bundle;
mod finding;
mod host;
mod judge;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

pub use self::finding::{Finding, FindingKind};
pub use self::host::Host;

use crate::card::CardReport;
use crate::credential::{Listed, Selector, Standing};
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::link::ReaderState;
use crate::role::Role;
use crate::scan::{Scan, Scanner};
use crate::shield::Shield;
use crate::token::PinState;
use crate::verify::Severity;
use crate::wait::Wait;

const OPERATION: &str = "diagnose";

/// What was looked at, and what was found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Diagnosis {
    /// When, by the scanner's clock.
    pub at: SystemTime,
    /// Name of the profile that gives the roles.
    pub profile: String,
    /// Whether it is a test profile.
    pub test_profile: bool,
    /// The computer, as far as smart cards are concerned.
    pub host: Host,
    /// Each smart-card service that was named.
    pub services: Vec<Service>,
    /// Each module that was named.
    pub modules: Vec<Module>,
    /// How each card was looked at: which driver took it and why.
    pub cards: Vec<CardReport>,
    /// Shields with their doors, certificates and PINs.
    pub shields: Vec<Examined>,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

/// A smart-card service.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Service {
    /// Its readers with what is in them; or why it does not tell.
    pub readers: Result<Vec<ReaderState>>,
}

/// A PKCS#11 module.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Module {
    /// Its path.
    pub path: PathBuf,
    /// Tokens of it that can be used.
    pub tokens: usize,
    /// Why it, or one of its tokens, cannot be used.
    pub problem: Option<Error>,
}

/// One shield.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Examined {
    /// The shield.
    pub shield: Shield,
    /// Its certificates.
    pub certificates: Vec<ExaminedCertificate>,
}

/// One certificate of a shield.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExaminedCertificate {
    /// Role, standing, reason and routes.
    pub listed: Listed,
    /// What the token tells of its PIN, tries and all, where it has a role and may sign. No try was spent.
    pub pin: Option<Result<PinState>>,
    /// Every role that its PIN opens.
    pub opens: Vec<Role>,
}

impl Scanner {
    /// Looks at everything that was named and says what is wrong with it. `wait` bounds each step by itself: the service, the scan, each PIN.
    ///
    /// # Errors
    /// `Cancelled`. Everything else is a finding.
    pub fn diagnose(&self, wait: &Wait) -> Result<Diagnosis> {
        let each = wait.remaining();
        let (profile, clock) = self.rules();
        let now = clock.now();
        let services: Vec<Service> =
            self.services().iter().map(|s| Service { readers: s.list(&wait.resumed(each)) }).collect();
        let scan = self.scan_or_nothing(&wait.resumed(each))?;
        let shields: Vec<Examined> = scan.shields.iter().map(|s| examine(s, wait, each)).collect();
        if wait.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, OPERATION));
        }
        let modules = self.modules().into_iter().map(|path| module(path, &scan)).collect();
        let mut diagnosis = Diagnosis {
            at: now,
            profile: profile.name().to_owned(),
            test_profile: profile.is_test(),
            host: Host::look(),
            services,
            modules,
            cards: scan.cards,
            shields,
            findings: Vec::new(),
        };
        diagnosis.findings = judge::findings(&diagnosis, &scan.problems);
        Ok(diagnosis)
    }

    /// Where nothing was named there is nothing to scan, and that is a finding.
    fn scan_or_nothing(&self, wait: &Wait) -> Result<Scan> {
        match self.scan(wait) {
            Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
            Err(error) => Ok(Scan { problems: vec![error], ..Scan::default() }),
            found => found,
        }
    }
}

impl Diagnosis {
    /// The finding that stands in the way before all others; `None` where nothing is wrong.
    #[must_use]
    pub fn worst(&self) -> Option<&Finding> {
        self.findings.first().filter(|f| f.severity == Severity::Wrong)
    }
}

fn module(path: PathBuf, scan: &Scan) -> Module {
    let shown = path.display().to_string();
    let name = path.canonicalize().ok().and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
    let doors = scan.shields.iter().flat_map(Shield::doors);
    let tokens = doors.filter(|d| name.as_ref().is_some_and(|n| *n == d.module)).count();
    let problem = scan.problems.iter().find(|p| p.what().is_some_and(|w| w.contains(&shown))).cloned();
    Module { path, tokens, problem }
}

fn examine(shield: &Shield, wait: &Wait, each: Duration) -> Examined {
    let mut listed = shield.certificates();
    // Customs first, then the bank, then what has no role: a module's own order may be another one each time.
    listed.sort_by_key(|l| (l.role.is_none(), l.role));
    let certificates = listed
        .into_iter()
        .map(|listed| {
            let may_sign = matches!(listed.standing, Standing::Serves | Standing::Several | Standing::OutsideValidity);
            let role = listed.role.filter(|_| may_sign);
            let fingerprint = Some(listed.certificate.fingerprint());
            let selector = Selector { fingerprint, ..Selector::default() };
            let pin = role.map(|r| shield.pin_state(r, &selector, &wait.resumed(each)));
            let opens = role.and_then(|r| shield.opened_together(r, &selector).ok()).unwrap_or_default();
            ExaminedCertificate { listed, pin, opens }
        })
        .collect();
    Examined { shield: shield.clone(), certificates }
}

#[cfg(test)]
#[path = "doctor_tests.rs"]
mod doctor_tests;
