//! A shield: its certificates by role, one signature, two-step signing.

mod doubt;
#[cfg(all(test, feature = "rsa"))]
pub(crate) mod fake;
#[cfg(all(test, feature = "rsa"))]
mod form_tests;
mod left;
mod pending;
mod pins;
mod session;
mod signing;
#[cfg(all(test, feature = "json", feature = "rsa", feature = "sm", feature = "xml"))]
mod two_step_tests;

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use self::doubt::Doubts;
use self::signing::{Entry, Job, Ready};
use crate::credential::{self, Credential, Found, Listed, Route, Selector};
use crate::door::{Door, DoorId, DoorInfo, Lease, Way};
use crate::error::{Error, ErrorKind, Result, next_correlation};
use crate::format::SignContext;
use crate::policy;
use crate::profile::Profile;
use crate::prompt::PinPrompt;
use crate::receipt::Receipt;
use crate::request::{Options, Request, Unlock};
use crate::role::Role;
use crate::suite::{PublicKey, RawSignature, Suite, Summary};
use crate::token::PinState;
use crate::tries::PinStatus;
use crate::wait::{Clock, Wait};

pub use self::pending::Pending;
pub(crate) use self::pins::Puks;
pub use self::session::Session;

/// What a scan learned of one device: its doors and what is behind them.
pub(crate) struct Parts {
    pub(crate) serial: String,
    pub(crate) doors: Vec<Arc<dyn Door>>,
    pub(crate) found: Vec<Found>,
    pub(crate) profile: Arc<Profile>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) puks: Arc<Puks>,
}

/// One physical USB key or card. Cheap to clone; all clones are the same shield; any thread may use it.
#[derive(Clone)]
pub struct Shield(Arc<Parts>, Arc<Doubts>);

impl Shield {
    pub(crate) fn new(parts: Parts) -> Self {
        Shield(Arc::new(parts), Arc::default())
    }

    /// The serial number that names it to people: of its first token.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.0.serial
    }

    /// What its doors tell of themselves.
    pub fn doors(&self) -> impl Iterator<Item = &DoorInfo> {
        self.0.doors.iter().map(|d| d.info())
    }

    /// The profile that gives its certificates their roles.
    #[must_use]
    pub fn profile(&self) -> &Arc<Profile> {
        &self.0.profile
    }

    /// Every certificate with its role, its standing and the reason.
    #[must_use]
    pub fn certificates(&self) -> Vec<Listed> {
        credential::list(&self.0.found, &self.0.profile, self.0.clock.now())
    }

    /// The one credential that serves `role`.
    ///
    /// # Errors
    /// `NoCredential`, `SeveralCredentials`, `CertificateExpired`, `CertificateNotYetValid`, each listing every certificate
    /// with its reason.
    pub fn credential(&self, role: Role, selector: &Selector) -> Result<Credential> {
        self.resolve(role, selector, false)
    }

    fn resolve(&self, role: Role, selector: &Selector, outside_validity: bool) -> Result<Credential> {
        let Parts { found, profile, clock, .. } = &*self.0;
        credential::resolve(role, found, profile, selector, clock.now(), outside_validity)
    }

    /// The roles besides `role` that the same PIN opens.
    #[must_use]
    pub fn also_opens(&self, credential: &Credential) -> Vec<Role> {
        let pin = credential.routes.first().map(|r| r.scope);
        // What lies under another PIN as well may be a copy here: it says nothing of this one.
        let shares = |found: &&Found| !found.routes.is_empty() && found.routes.iter().all(|r| Some(r.scope) == pin);
        let mut roles: Vec<Role> = self
            .0
            .found
            .iter()
            .filter(shares)
            .filter_map(|f| self.0.profile.role_of(&f.certificate).ok())
            .filter(|r| *r != credential.role)
            .collect();
        roles.sort();
        roles.dedup();
        roles
    }

    /// Tries left for a role's PIN, read without spending one.
    ///
    /// # Errors
    /// As [`Shield::credential`], and what the token answers.
    pub fn pin_status(&self, role: Role, selector: &Selector, wait: &Wait) -> Result<PinStatus> {
        self.pin_state(role, selector, wait).map(|state| state.status)
    }

    /// All that the token tells of a role's PIN without spending a try: tries, whether its form is known, whether it is still the maker's.
    ///
    /// # Errors
    /// As [`Shield::pin_status`].
    pub fn pin_state(&self, role: Role, selector: &Selector, wait: &Wait) -> Result<PinState> {
        let credential = self.resolve(role, selector, true)?;
        Ok(signing::first_route(&credential, &self.0.doors, wait)?.state)
    }

    /// Asks for the PIN, signs once, verifies, writes to `out`.
    ///
    /// The document is prepared before anything is asked, so that a bad one costs no try. The time in which the person types
    /// does not count against `wait`. When this fails, `out` has received nothing, or a part (when writing itself failed, or a large
    /// document changed while it was written into a CMS message): give a file through [`crate::write_whole`].
    ///
    /// # Errors
    /// Every kind; see [`crate::ErrorKind`]. Each names role, operation, raw status and tries left where there are any.
    pub fn sign(
        &self,
        request: Request,
        prompt: &mut dyn PinPrompt,
        wait: &Wait,
        out: &mut dyn Write,
    ) -> Result<Receipt> {
        let (role, id) = (request.role, next_correlation());
        self.sign_correlated(request, prompt, wait, out, id).map_err(|e| e.role(role).correlate(id)).inspect_err(log)
    }

    fn sign_correlated(
        &self,
        request: Request,
        prompt: &mut dyn PinPrompt,
        wait: &Wait,
        out: &mut dyn Write,
        id: u64,
    ) -> Result<Receipt> {
        let options = request.options.clone();
        let left = wait.remaining();
        let job = self.prepare_job(&request, id)?;
        let wait = &wait.resumed(left);
        let _open = self.hold(&job.credential);
        let (wait, entry) = self.ask(&job.credential, &options, &job.summary, prompt, wait)?;
        let Ready { route, mut lease, state } = signing::first_route(&job.credential, &self.0.doors, &wait)?;
        signing::guard(state, options.consent, job.credential.role)?;
        let signed = signing::sign_in(&mut lease, route, &entry, &job, &wait);
        drop(entry);
        let signature = match signed {
            Ok(signature) => signature,
            Err(error) => return Err(self.leave(lease, &route.door, error)),
        };
        let after = signing::read_state(&mut lease, &route.slot, &job.credential.certificate, &wait)
            .map_or(PinStatus::Unknown { refused: false }, |s| s.status);
        drop(lease);
        self.settle(&route.door);
        let (door, credential) = (route.door.clone(), job.credential.clone());
        let receipt = self.finish(job, &signature, door.clone(), after, out);
        let receipt = receipt.map_err(|error| self.named(error, &credential, &door))?;
        tracing::info!(correlation = id, role = %receipt.role, format = receipt.format, certificate = receipt.number, "signed");
        Ok(receipt)
    }

    /// Lease 1, the prompt, and a fresh deadline of what was left before the person was asked.
    fn ask(
        &self,
        credential: &Credential,
        options: &Options,
        summary: &Summary,
        prompt: &mut dyn PinPrompt,
        wait: &Wait,
    ) -> Result<(Wait, Entry)> {
        let state = self.state_before_prompt(credential, options, wait)?;
        let left = wait.remaining();
        let also_opens = self.also_opens(credential);
        let entry = signing::ask(prompt, credential.role, &also_opens, summary, state)?;
        let wait = wait.resumed(left);
        wait.check("PIN entry")?;
        Ok((wait, entry))
    }

    fn state_before_prompt(&self, credential: &Credential, options: &Options, wait: &Wait) -> Result<PinState> {
        let state = signing::first_route(credential, &self.0.doors, wait)?.state;
        signing::guard(state, options.consent, credential.role)?;
        Ok(state)
    }

    pub(crate) fn prepare_job(&self, request: &Request, correlation: u64) -> Result<Job> {
        let options = &request.options;
        let credential = self.resolve(request.role, &options.selector, options.outside_validity)?;
        self.prepare_with(request, credential, correlation)
    }

    pub(crate) fn prepare_with(&self, request: &Request, credential: Credential, correlation: u64) -> Result<Job> {
        request.options.check_shown()?;
        let context = self.context(request, &credential);
        let mut prepared = request.format.prepare(&request.content, &credential.certificate, &context)?;
        let by_format = || prepared.tbs.display.as_deref().cloned();
        let summary = request.options.summary.clone().or_else(by_format).unwrap_or_default();
        prepared.tbs.display = Some(Arc::new(summary.clone()));
        Ok(Job { credential, prepared, format: request.format.name(), summary, now: context.now, correlation })
    }

    fn context(&self, request: &Request, credential: &Credential) -> SignContext {
        SignContext {
            role: request.role,
            test: self.0.profile.is_test(),
            sha1: self.0.profile.allows_sha1(request.role),
            identifiers: self.0.profile.identifiers(),
            card: self.0.profile.card_kind(&credential.certificate),
            suites: suites_of(credential),
            sm2_id: request.sm2_id.clone(),
            now: self.0.clock.now(),
        }
    }

    /// Asks for the PIN once, checks it on the token, and keeps it for a batch within its policy.
    ///
    /// # Errors
    /// As [`Shield::sign`].
    pub fn unlock(&self, unlock: Unlock, prompt: &mut dyn PinPrompt, wait: &Wait) -> Result<Session> {
        let (role, id) = (unlock.role, next_correlation());
        let options = &unlock.options;
        let open = || {
            options.check_shown()?;
            let credential = self.resolve(role, &options.selector, options.outside_validity)?;
            let summary = options.summary.clone().unwrap_or_else(|| batch_summary(&unlock, self));
            let _open = self.hold(&credential);
            let (wait, entry) = self.ask(&credential, options, &summary, prompt, wait)?;
            Session::open(self, credential, &unlock, (entry, summary), &wait)
        };
        let mut open = open;
        open().map_err(|e| e.role(role).correlate(id)).inspect_err(log)
    }

    /// As [`signing::finish`]. After a signature that does not verify, what is kept of a card is not believed any more: the next lease reads the
    /// certificate again.
    pub(crate) fn finish(
        &self,
        job: Job,
        signature: &RawSignature,
        door: DoorId,
        tries: PinStatus,
        out: &mut dyn Write,
    ) -> Result<Receipt> {
        let open = self.0.doors.iter().find(|d| *d.id() == door);
        let mut receipt = signing::finish(job, signature, Some(door.clone()), tries, &self.1, out);
        match (&mut receipt, open) {
            (Ok(receipt), Some(open)) => receipt.note_door(&**open),
            (Err(error), Some(open)) if matches!(error.kind(), ErrorKind::SignatureWrong | ErrorKind::KeyMismatch) => {
                open.forget();
            }
            _ => {}
        }
        receipt
    }

    /// After a signature that does not verify: where the token shows the key that made it, and it is another than the certificate's, trying again is
    /// of no use. Nothing of ours may hold the door.
    pub(crate) fn named(&self, error: Error, credential: &Credential, door: &DoorId) -> Error {
        if error.kind() != ErrorKind::SignatureWrong {
            return error;
        }
        let shown = || -> Option<PublicKey> {
            let route = credential.routes.iter().find(|r| r.door == *door)?;
            let open = self.0.doors.iter().find(|d| d.id() == door)?;
            let wait = Wait::at_most(policy::CLOSE_TIME);
            let key = route.slot.key.clone();
            open.lease(&wait).ok()?.call("read public key", &wait, move |token| token.shown_key(&key)).ok()?
        };
        let is_other = |key: PublicKey| credential.certificate.key().is_ok_and(|own| own.point() != key.point());
        if !shown().is_some_and(is_other) {
            return error;
        }
        let places: Vec<String> = credential.routes.iter().filter(|r| r.door == *door).map(Route::place).collect();
        let what = format!("the key in {} is another one than the certificate's", places.join(" and "));
        Error::new(ErrorKind::KeyMismatch, error.operation()).detail(what)
    }

    /// Keeps open what leads to a credential, while a person types and for the length of a batch.
    pub(crate) fn hold(&self, credential: &Credential) -> Vec<Box<dyn Send + Sync>> {
        let leads = |door: &&Arc<dyn Door>| credential.routes.iter().any(|route| route.door == *door.id());
        self.0.doors.iter().filter(leads).filter_map(|door| door.hold()).collect()
    }

    /// Ends a lease in which something failed. Where the card was not reached any more, its login may be open still.
    pub(crate) fn leave(&self, lease: Lease, door: &DoorId, error: Error) -> Error {
        drop(lease);
        self.settle_after(&error, door);
        error
    }

    /// As [`Shield::settle`], after an error.
    pub(crate) fn settle_after(&self, error: &Error, door: &DoorId) {
        use ErrorKind as K;
        // Whoever's time is over waits no longer; on a card that was pulled out no login is open.
        if !matches!(error.kind(), K::Timeout | K::Cancelled | K::CardRemoved) {
            self.settle(door);
        }
    }

    /// Ends the logins that this process owes a card: after a lease that did not reach it with the end of its login, and after a batch that kept
    /// one, nobody may come who would. Another lease does it, which keeps none: one attempt, whose outcome changes nothing of what was done.
    pub(crate) fn settle(&self, door: &DoorId) {
        let Some(door) = self.0.doors.iter().find(|d| d.id() == door && d.owes_login()) else { return };
        if let Err(error) = door.lease(&Wait::at_most(policy::CLOSE_TIME)) {
            // Pulled out they are over anyway; held by another program they stay until the next lease.
            tracing::warn!(code = error.code(), "logins that were left on a card could not be ended");
        }
    }

    pub(crate) fn way(&self, door: &DoorId) -> Option<Way> {
        self.0.doors.iter().find(|d| d.id() == door).map(|d| d.way())
    }

    pub(crate) fn open_doors(&self) -> &[Arc<dyn Door>] {
        &self.0.doors
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }
}

fn batch_summary(unlock: &Unlock, shield: &Shield) -> Summary {
    let policy = unlock.policy.unwrap_or_else(|| shield.profile().policy(unlock.role));
    Summary { text: format!("up to {} signatures as {}", policy.signatures, unlock.role) }
}

fn suites_of(credential: &Credential) -> Vec<Suite> {
    let mut suites: Vec<Suite> = Vec::new();
    for suite in credential.routes.iter().flat_map(|r| &r.slot.suites) {
        if !suites.contains(suite) {
            suites.push(*suite);
        }
    }
    suites
}

pub(crate) fn log(error: &Error) {
    tracing::warn!(correlation = error.correlation(), code = error.code(), operation = error.operation(), "refused");
}

impl fmt::Debug for Shield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield")
            .field("serial", &self.0.serial)
            .field("certificates", &self.0.found.len())
            .finish_non_exhaustive()
    }
}
