//! Finds doors and joins them into shields.

mod join;
mod survey;
#[cfg(all(test, feature = "pkcs11", feature = "rsa"))]
#[path = "token_tests.rs"]
mod token_tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use self::survey::{Board, Seen};
use crate::credential::{Found, Route, Selector};
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::profile::Profile;
use crate::role::Role;
use crate::shield::{Parts, Shield};
use crate::wait::{Clock, SystemClock, Wait};

/// Looks for shields behind the modules that the host names.
///
/// No module is looked for in the system, in the environment or in the working directory.
#[derive(Clone)]
pub struct Scanner {
    profile: Arc<Profile>,
    clock: Arc<dyn Clock>,
    modules: Vec<PathBuf>,
    blank: bool,
}

impl Scanner {
    /// With the built-in profile and the computer's clock, and no module yet.
    #[must_use]
    pub fn new() -> Self {
        Scanner {
            profile: Arc::new(Profile::builtin()),
            clock: Arc::new(SystemClock),
            modules: Vec::new(),
            blank: false,
        }
    }

    /// The rules that give certificates their roles and join tokens.
    #[must_use]
    pub fn profile(mut self, profile: Arc<Profile>) -> Self {
        self.profile = profile;
        self
    }

    /// Adds a PKCS#11 module by its absolute path. Where several reach the same certificate, the one named first is used first.
    #[must_use]
    pub fn module(mut self, path: impl Into<PathBuf>) -> Self {
        self.modules.push(path.into());
        self
    }

    /// Where validity is judged from.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Names every token that is not initialised among the problems. Otherwise it is named where its module has no other
    /// token: some modules always show a blank one.
    #[must_use]
    pub fn blank_tokens(mut self) -> Self {
        self.blank = true;
        self
    }

    /// Looks at all modules, each on a thread of its own. A module or token that fails or hangs is a problem of the result and
    /// hides no other; reading takes no PIN.
    ///
    /// # Errors
    /// `NoShield` when no module was named, `Cancelled`, `Busy` when `wait` is over before it begins.
    pub fn scan(&self, wait: &Wait) -> Result<Scan> {
        const OPERATION: &str = "scan";
        wait.check(OPERATION)?;
        if self.modules.is_empty() {
            return Err(Error::new(ErrorKind::NoShield, OPERATION).detail("no driver was named"));
        }
        let board = Board::new(&self.modules);
        board.survey(wait)?;
        let (seen, problems) = board.take(self.blank, wait);
        if wait.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, OPERATION));
        }
        let shields = join::join(seen, self.profile.joins()).into_iter().map(|group| self.shield(group)).collect();
        for problem in &problems {
            tracing::info!(code = problem.code(), operation = problem.operation(), "scan met a problem");
        }
        Ok(Scan { shields, problems })
    }

    fn shield(&self, group: Vec<Seen>) -> Shield {
        let mut found: Vec<Found> = Vec::new();
        let mut doors = Vec::new();
        for Seen { door, contents, .. } in group {
            for (slot, certificate) in contents {
                let route = Route { door: door.id().clone(), slot };
                match found.iter_mut().find(|f| f.certificate.fingerprint() == certificate.fingerprint()) {
                    Some(known) => known.routes.push(route),
                    None => found.push(Found { certificate, routes: vec![route] }),
                }
            }
            doors.push(door);
        }
        let serial = doors.first().map(|d| d.info().serial.clone()).unwrap_or_default();
        Shield::new(Parts { serial, doors, found, profile: Arc::clone(&self.profile), clock: Arc::clone(&self.clock) })
    }
}

impl Default for Scanner {
    fn default() -> Self {
        Scanner::new()
    }
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanner").field("modules", &self.modules).finish_non_exhaustive()
    }
}

/// What a scan found.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// Shields, in the order of their modules and slots.
    pub shields: Vec<Shield>,
    /// What could not be used, and why: modules, tokens, certificates.
    pub problems: Vec<Error>,
}

impl Scan {
    /// The one shield there is.
    ///
    /// # Errors
    /// `SeveralShields`; where there is none, the first problem, or `NoShield` when there was not even a problem.
    pub fn only(&self) -> Result<&Shield> {
        match self.shields.as_slice() {
            [shield] => Ok(shield),
            [] => Err(self.nothing()),
            several => Err(several_of(several.iter())),
        }
    }

    /// The one shield that has a credential for `role`.
    ///
    /// # Errors
    /// `SeveralShields`; where no shield serves, why not: of the one that comes nearest, or `NoCredential` with the
    /// certificates of all shields.
    pub fn for_role(&self, role: Role, selector: &Selector) -> Result<&Shield> {
        let (mut serving, mut refusals) = (Vec::new(), Vec::new());
        for shield in &self.shields {
            match shield.credential(role, selector) {
                Ok(_) => serving.push(shield),
                Err(error) => refusals.push(error),
            }
        }
        match serving.as_slice() {
            [shield] => return Ok(shield),
            [] => {}
            several => return Err(several_of(several.iter().copied()).role(role)),
        }
        if let Some(nearest) = refusals.iter().find(|e| e.kind() != ErrorKind::NoCredential) {
            return Err(nearest.clone());
        }
        let candidates = refusals.iter().flat_map(|e| e.looked_at().iter().cloned()).collect();
        match refusals.into_iter().next() {
            Some(first) => Err(first.candidates(candidates)),
            None => Err(self.nothing().role(role)),
        }
    }

    fn nothing(&self) -> Error {
        self.problems.first().cloned().unwrap_or_else(|| Error::new(ErrorKind::NoShield, "scan"))
    }
}

fn several_of<'s>(shields: impl Iterator<Item = &'s Shield>) -> Error {
    let serials: Vec<&str> = shields.map(Shield::serial).collect();
    Error::new(ErrorKind::SeveralShields, "choose shield").detail(format!("serial numbers {}", serials.join(", ")))
}
