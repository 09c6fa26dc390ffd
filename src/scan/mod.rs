//! Finds doors and joins them into shields.

mod join;
mod scope;
mod survey;
#[cfg(test)]
mod survey_tests;
#[cfg(all(test, feature = "pkcs11", feature = "rsa"))]
#[path = "token_tests.rs"]
mod token_tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use self::scope::Scopes;
use self::survey::{Board, Seen, Source};
use crate::card::{CardReport, Look};
use crate::cert::Fingerprint;
use crate::credential::{Found, Reference, Selector};
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::link::{ReaderState, Readers, trace};
use crate::profile::Profile;
use crate::role::Role;
use crate::shield::{Parts, Shield};
use crate::token::{CardRules, KeyShown};
use crate::wait::{Clock, SystemClock, Wait};

const OPERATION: &str = "scan";

/// Looks for shields in the readers and behind the modules that the host names.
///
/// No module is looked for in the system, in the environment or in the working directory.
#[derive(Clone)]
pub struct Scanner {
    profile: Arc<Profile>,
    clock: Arc<dyn Clock>,
    modules: Vec<PathBuf>,
    readers: Vec<Arc<dyn Readers>>,
    reference: Option<Reference>,
    blank: bool,
    unproven: bool,
}

impl Scanner {
    /// With the built-in profile and the computer's clock, and no module yet.
    #[must_use]
    pub fn new() -> Self {
        Scanner {
            profile: Arc::new(Profile::builtin()),
            clock: Arc::new(SystemClock),
            modules: Vec::new(),
            readers: Vec::new(),
            reference: None,
            blank: false,
            unproven: false,
        }
    }

    /// The rules that give certificates their roles and join tokens.
    #[must_use]
    pub fn profile(mut self, profile: Arc<Profile>) -> Self {
        self.profile = profile;
        self
    }

    /// Adds the readers of a smart-card service: [`crate::link::pcsc::system`] for the computer's own. Each card is looked at once, in a
    /// transaction; nothing is written to it and no PIN is sent. What goes to cards is logged at trace level, without secrets ([`trace`]).
    #[must_use]
    pub fn readers(mut self, readers: Arc<dyn Readers>) -> Self {
        self.readers.push(trace::traced(readers));
        self
    }

    /// Looks for this one credential only: on cards its certificate alone is read.
    #[must_use]
    pub fn reference(mut self, reference: Reference) -> Self {
        self.reference = Some(reference);
        self
    }

    /// Adds a PKCS#11 module by its absolute path. Where several modules reach the same token, the one named first is used first;
    /// that it is one, they show by its serial number or reader and its label, by its serial number and the same certificates, or by a key that was
    /// made in it.
    #[must_use]
    pub fn module(mut self, path: impl Into<PathBuf>) -> Self {
        self.modules.push(path.into());
        self
    }

    /// A person said that a PIN may be sent to a device of GM/T 0017 in a dialect in which that device has never accepted one, as far as the
    /// profile knows. A wrong dialect costs a try like a wrong PIN; with less than [`crate::policy::UNPROVEN_TRIES`] left none is sent in spite of it.
    #[must_use]
    pub fn try_unproven_dialects(mut self) -> Self {
        self.unproven = true;
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

    /// Looks at all modules and readers, each on a thread of its own. A module, reader or token that fails or hangs is a problem of the
    /// result and hides no other; reading takes no PIN.
    ///
    /// # Errors
    /// `NoShield` when neither readers nor a module were named, `Cancelled`, `Busy` when `wait` is over before it begins.
    pub fn scan(&self, wait: &Wait) -> Result<Scan> {
        if self.modules.is_empty() && self.readers.is_empty() {
            return Err(Error::new(ErrorKind::NoShield, OPERATION).detail("neither readers nor a driver were named"));
        }
        let mut sources = self.module_sources();
        sources.extend(self.readers.iter().cloned().map(Source::Service));
        self.look_at(sources, wait)
    }

    /// Every service whose readers were named.
    pub(crate) fn services(&self) -> &[Arc<dyn Readers>] {
        &self.readers
    }

    /// Every module that was named, once, in order.
    pub(crate) fn modules(&self) -> Vec<PathBuf> {
        let mut modules: Vec<PathBuf> = Vec::new();
        for module in &self.modules {
            if !modules.contains(module) {
                modules.push(module.clone());
            }
        }
        modules
    }

    pub(crate) fn rules(&self) -> (&Arc<Profile>, &dyn Clock) {
        (&self.profile, &*self.clock)
    }

    /// The service, where readers of exactly one were named.
    pub(crate) fn one_service(&self) -> Option<Arc<dyn Readers>> {
        match self.readers.as_slice() {
            [one] => Some(Arc::clone(one)),
            _ => None,
        }
    }

    /// Looks at the card in one reader, and at the modules, which may lead to it as well.
    pub(crate) fn scan_reader(&self, readers: &Arc<dyn Readers>, state: ReaderState, wait: &Wait) -> Result<Scan> {
        let mut sources = self.module_sources();
        sources.push(Source::Reader(Arc::clone(readers), state));
        self.look_at(sources, wait)
    }

    fn module_sources(&self) -> Vec<Source> {
        self.modules().into_iter().map(Source::Module).collect()
    }

    fn look_at(&self, sources: Vec<Source>, wait: &Wait) -> Result<Scan> {
        wait.check(OPERATION)?;
        let board = Board::new(self.look(), Arc::clone(self.profile.modules()));
        board.survey(sources, wait)?;
        let mut sight = board.take(self.blank, wait);
        if wait.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, OPERATION));
        }
        if let Some(reference) = &self.reference {
            sight.problems.extend(scope::limit(&mut sight.seen, reference));
        }
        let mut groups = join::join(sight.seen, self.profile.joins());
        let scopes = Scopes::of(groups.iter().flatten(), &sight.whole);
        let dropped = scopes.drop_copies(&mut groups, &self.profile);
        sight.problems.extend(dropped.notes);
        let shields = groups.into_iter().map(|group| self.shield(group, &scopes, &dropped.unsure)).collect();
        for problem in &sight.problems {
            tracing::info!(code = problem.code(), operation = problem.operation(), "scan met a problem");
        }
        Ok(Scan { shields, problems: sight.problems, cards: sight.cards })
    }

    fn look(&self) -> Look {
        let cards = self.profile.cards();
        let named = self.reference.as_ref().and_then(|r| Some((r.card()?, r.place.clone())));
        let (driver, serial, wanted) = match named {
            Some(((driver, serial), place)) => (Some(driver), Some(serial), vec![place]),
            None => (None, None, cards.places.clone()),
        };
        let rules = match self.unproven {
            true => Arc::new(CardRules { try_unproven: true, ..(**cards).clone() }),
            false => Arc::clone(cards),
        };
        Look { wanted, serial, driver, rules }
    }

    fn shield(&self, mut group: Vec<Seen>, scopes: &Scopes, unsure: &[(Fingerprint, String)]) -> Shield {
        let order = self.profile.routes();
        group.sort_by_key(|seen| order.iter().position(|way| *way == seen.door.way()));
        let mut found: Vec<Found> = Vec::new();
        let mut doors = Vec::new();
        for Seen { door, contents, .. } in group {
            for (slot, certificate) in contents {
                let route = scopes.route(door.id(), slot);
                let known = found.iter().position(|f| f.certificate.fingerprint() == certificate.fingerprint());
                let known = known.unwrap_or(found.len());
                if known == found.len() {
                    let of = certificate.fingerprint();
                    let unsure = unsure.iter().filter(|(one, _)| *one == of).map(|(_, place)| place.clone()).collect();
                    found.push(Found { certificate, routes: Vec::new(), misplaced: Vec::new(), unsure });
                }
                let Some(one) = found.get_mut(known) else { continue };
                match route.slot.shown {
                    KeyShown::Other => one.misplaced.push(route.place()),
                    _ => one.routes.push(route),
                }
            }
            doors.push(door);
        }
        let serial = doors.first().map(|d| d.info().serial.clone()).unwrap_or_default();
        Shield::new(Parts {
            serial,
            doors,
            found,
            profile: Arc::clone(&self.profile),
            clock: Arc::clone(&self.clock),
            puks: Arc::default(),
        })
    }
}

impl Default for Scanner {
    fn default() -> Self {
        Scanner::new()
    }
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanner")
            .field("modules", &self.modules)
            .field("readers", &self.readers.len())
            .finish_non_exhaustive()
    }
}

/// What a scan found.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// Shields, in the order of their modules and slots, then of the readers.
    pub shields: Vec<Shield>,
    /// What could not be used, and why: modules, readers, tokens, certificates.
    pub problems: Vec<Error>,
    /// How each card was looked at: which driver took it and why.
    pub cards: Vec<CardReport>,
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
