//! A batch: one PIN entry, many signatures, within a policy.
//!
//! The PIN lives in a wiped buffer of the session and nowhere else. It is sent again only when the token has lost the login and
//! reports the same tries as right after the entry; the first refusal ends the session. Leases are given back after 16
//! signatures or 2 seconds; with PKCS#11 one idle lease keeps the login in between. A card's login stays on the card; its lease keeps every
//! other program out, so there is one at a time, and threads take turns on it. It ends with the lease; a policy may have a customs login stay
//! for the next one, and then the end of the session ends it.

mod ended;
#[cfg(all(test, feature = "rsa"))]
mod kept_tests;
mod reach;
#[cfg(all(test, feature = "rsa"))]
mod tests;
mod turn;

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant, SystemTime};

use self::ended::Why;
use self::turn::Turns;
use super::signing::{self, Entry, Job, Ready};
use super::{Shield, log};
use crate::credential::{Credential, Route, Selector};
use crate::door::{DoorId, Lease, Way};
use crate::error::{Error, ErrorKind, Result, next_correlation};
use crate::policy::{self, Policy};
use crate::receipt::Receipt;
use crate::request::{Request, Unlock};
use crate::role::Role;
use crate::suite::Summary;
use crate::tries::PinStatus;
use crate::wait::{Signal, Wait, lock};

/// By how much something has to end sooner than what a batch waits for anyway.
const SOONER: Duration = Duration::from_millis(100);

/// An unlocked role. Any number of threads may sign through `&self`; dropping it ends the login and wipes the PIN.
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    shield: Shield,
    credential: Credential,
    /// The way that serves now. It changes when that one is gone and another leads to the same certificate.
    route: Mutex<Route>,
    policy: Policy,
    /// The token is told to keep the login between leases, as long as this is set: from the unlock to the end.
    keep_login: Option<Arc<AtomicBool>>,
    outside_validity: bool,
    /// What the person saw when the batch was unlocked.
    shown: Summary,
    opened: Instant,
    opened_at: SystemTime,
    state: Mutex<State>,
    /// Held while the login is looked after: one thread at a time.
    logging_in: Mutex<()>,
    leases: Mutex<Vec<Lease>>,
    /// Whose turn it is on a card.
    turns: Mutex<Turns>,
    changed: Arc<Signal>,
    /// What doors call when somebody waits for them.
    _wanted: Arc<dyn Fn() + Send + Sync>,
}

struct State {
    /// The entry and the lease that holds its login; `None` once the session has ended.
    open: Option<Open>,
    /// Why it has.
    why: Option<Why>,
    used: u32,
    /// Those of `used` that are being made now: the batch does not end under them.
    under_way: u32,
    resends: u32,
    last: Instant,
    last_at: SystemTime,
}

struct Open {
    entry: Entry,
    full: PinStatus,
    /// The door that told the tries.
    told_by: DoorId,
    anchor: Option<Lease>,
    /// A card keeps its login as long as it has power.
    _power: Vec<Box<dyn Send + Sync>>,
}

impl Session {
    pub(crate) fn open(
        shield: &Shield,
        credential: Credential,
        unlock: &Unlock,
        (entry, shown): (Entry, Summary),
        wait: &Wait,
    ) -> Result<Session> {
        let Ready { route, mut lease, state } = signing::first_route(&credential, shield.open_doors(), wait)?;
        let route = route.clone();
        signing::guard(state, unlock.options.consent, credential.role)?;
        let (pin, copy) = (route.slot.pin.clone(), entry.duplicate());
        let policy = unlock.policy.unwrap_or_else(|| shield.profile().policy(credential.role));
        // Whoever reaches the card could pay with a bank login that is left open.
        let keeps_login = policy.keep_login && credential.role == Role::Customs;
        let keep_login = keeps_login.then(Arc::<AtomicBool>::default);
        let keep = keep_login.clone();
        let opened = lease.call("unlock", wait, move |token| {
            keep.iter().for_each(|keep| token.keep_login(keep));
            token.login(&pin, copy.auth())
        });
        let opened = opened.and_then(|()| signing::read_state(&mut lease, &route.slot, &credential.certificate, wait));
        let full = match opened {
            Ok(state) => state.status,
            Err(error) => return Err(shield.leave(lease, &route.door, error)),
        };
        let (now, at) = (Instant::now(), shield.clock().now());
        // A card's lease is none to keep beside another one.
        let (anchor, idle) = match shield.way(&route.door) {
            Some(Way::Card) => (None, vec![lease]),
            _ => (Some(lease), Vec::new()),
        };
        let told_by = route.door.clone();
        let open = Open { entry, full, told_by, anchor, _power: shield.hold(&credential) };
        let changed = Arc::<Signal>::default();
        let signal = Arc::clone(&changed);
        let wanted: Arc<dyn Fn() + Send + Sync> = Arc::new(move || signal.notify());
        shield.open_doors().iter().for_each(|door| door.call_when_wanted(&wanted));
        let inner = Arc::new(Inner {
            shield: shield.clone(),
            credential,
            route: Mutex::new(route),
            policy,
            keep_login,
            outside_validity: unlock.options.outside_validity,
            shown,
            opened: now,
            opened_at: at,
            logging_in: Mutex::default(),
            state: Mutex::new(State {
                open: Some(open),
                why: None,
                used: 0,
                under_way: 0,
                resends: 0,
                last: now,
                last_at: at,
            }),
            leases: Mutex::new(idle),
            turns: Mutex::default(),
            changed,
            _wanted: wanted,
        });
        watch_idle(&inner)?;
        // Not before: a batch that did not come about ends no login.
        inner.keep_login.iter().for_each(|keep| keep.store(true, Ordering::SeqCst));
        Ok(Session { inner })
    }

    /// The role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.inner.credential.role
    }

    /// The credential that signs.
    #[must_use]
    pub fn credential(&self) -> &Credential {
        &self.inner.credential
    }

    /// Signatures that the policy still allows.
    #[must_use]
    pub fn signatures_left(&self) -> u32 {
        let state = lock(&self.inner.state);
        if state.open.is_some() { self.inner.policy.signatures.saturating_sub(state.used) } else { 0 }
    }

    /// Signs without asking. Everything else is as in [`Shield::sign`]. The time in which other threads of this session sign on the card does not
    /// count against `wait`, as long as one after the other comes to its end.
    ///
    /// # Errors
    /// `SessionEnded`, with the reason, when the policy is used up, after idleness, or after a refused PIN; `RoleMismatch` for a request of the other role.
    pub fn sign(&self, request: Request, wait: &Wait, out: &mut dyn Write) -> Result<Receipt> {
        let (role, id) = (self.role(), next_correlation());
        self.inner.sign(&request, wait, out, id).map_err(|e| e.role(role).correlate(id)).inspect_err(log)
    }

    /// Ends the session: login over, PIN wiped.
    pub fn end(self) {}
}

impl Drop for Session {
    fn drop(&mut self) {
        self.inner.end(Why::Dropped);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("credential", &self.inner.credential).finish_non_exhaustive()
    }
}

impl Inner {
    fn sign(&self, request: &Request, wait: &Wait, out: &mut dyn Write, id: u64) -> Result<Receipt> {
        if request.role != self.credential.role {
            return Err(Error::new(ErrorKind::RoleMismatch, "sign in batch")
                .role(request.role)
                .detail(format!("the batch is for {}, the request for {}", self.credential.role, request.role)));
        }
        if !self.outside_validity {
            self.credential.certificate.check_time(self.shield.clock().now())?;
        }
        let selector = &request.options.selector;
        if *selector != Selector::default() {
            let chosen = self.shield.resolve(request.role, selector, true)?;
            if chosen.fingerprint != self.credential.fingerprint {
                return Err(Error::new(ErrorKind::Argument, "sign in batch")
                    .detail(format!("the batch was unlocked for {}", self.credential.certificate.label())));
            }
        }
        let left = wait.remaining();
        let mut job = self.shield.prepare_with(request, self.credential.clone(), id)?;
        // What the person was shown is the text of the unlock.
        job.summary = self.shown.clone();
        let wait = &wait.resumed(left);
        self.reserve()?;
        let signed = self.sign_job(&job, wait).inspect_err(|error| self.settle_after(error));
        self.is_made();
        let (signature, tries, door) = signed.inspect_err(|error| self.give_back(error))?;
        // After a signature that is none, the next one looks at the certificate again.
        let receipt = self
            .shield
            .finish(job, &signature, door.clone(), tries, out)
            .inspect_err(|_| drop(std::mem::take(&mut *lock(&self.leases))))
            .map_err(|error| self.shield.named(error, &self.credential, &door))?;
        if self.is_used_up() {
            self.end(Why::UsedUp);
        }
        Ok(receipt)
    }

    /// Takes one of the policy's signatures before the token is touched, so that threads never exceed it.
    fn reserve(&self) -> Result<()> {
        if self.ends_in().is_some_and(|left| left.is_zero()) {
            self.end(Why::Time);
        }
        let mut state = lock(&self.state);
        if state.open.is_none() {
            return Err(self.ended(&state));
        }
        if state.used >= self.policy.signatures {
            return Err(Why::UsedUp.error(&self.policy));
        }
        state.used = state.used.saturating_add(1);
        state.under_way = state.under_way.saturating_add(1);
        (state.last, state.last_at) = (Instant::now(), self.shield.clock().now());
        self.changed.notify();
        Ok(())
    }

    fn is_made(&self) {
        let mut state = lock(&self.state);
        state.under_way = state.under_way.saturating_sub(1);
        let is_last = state.open.is_none() && state.under_way == 0;
        drop(state);
        if is_last {
            self.end_logins();
        }
    }

    fn is_used_up(&self) -> bool {
        let state = lock(&self.state);
        state.used >= self.policy.signatures && state.under_way == 0
    }

    fn give_back(&self, error: &Error) {
        let mut state = lock(&self.state);
        state.used = state.used.saturating_sub(1);
        drop(state);
        use ErrorKind as K;
        // The PIN was refused, for whatever reason, or may not go again.
        if matches!(
            error.kind(),
            K::PinIncorrect
                | K::PinLocked
                | K::PinLength
                | K::PinEncoding
                | K::PinNotSet
                | K::LoginFailed
                | K::LastTry
                | K::TriesUnknown
        ) {
            self.end(Why::Refused);
        }
    }

    /// A copy of the entry, and the tries as they were right after it; an error once the session has ended.
    fn entry(&self) -> Result<(Entry, PinStatus)> {
        let state = lock(&self.state);
        state.open.as_ref().map(|o| (o.entry.duplicate(), o.full)).ok_or_else(|| self.ended(&state))
    }

    /// That the session has ended, and why.
    fn ended(&self, state: &State) -> Error {
        state.why.unwrap_or(Why::Dropped).error(&self.policy)
    }

    /// Keeps a lease for the next signature, unless it is due or the session has ended meanwhile.
    fn keep(&self, lease: Lease) {
        let mut leases = lock(&self.leases);
        if !lease.is_due() && lock(&self.state).open.is_some() {
            leases.push(lease);
            self.changed.notify();
            return;
        }
        drop(leases);
        drop(lease);
        self.settle();
    }

    /// Drops entry, anchor and leases; the first reason is the one. Outside the locks, because closing a token takes time.
    fn end(&self, why: Why) {
        self.keep_login.iter().for_each(|keep| keep.store(false, Ordering::SeqCst));
        let mut state = lock(&self.state);
        let (open, is_last) = (state.open.take(), state.under_way == 0);
        state.why.get_or_insert(why);
        drop(state);
        let leases = std::mem::take(&mut *lock(&self.leases));
        drop(leases);
        let was_open = open.is_some();
        drop(open.and_then(|o| o.anchor));
        self.changed.notify();
        if was_open && is_last {
            self.end_logins();
        }
    }

    /// How long the session still lasts; `None` once it has ended. A computer that slept has let time pass as well, so the time of
    /// day counts beside the running clock.
    fn ends_in(&self) -> Option<Duration> {
        let state = lock(&self.state);
        state.open.as_ref()?;
        let now = self.shield.clock().now();
        let since =
            |running: Instant, day: SystemTime| running.elapsed().max(now.duration_since(day).unwrap_or_default());
        let life = self.policy.lifetime.saturating_sub(since(self.opened, self.opened_at));
        Some(life.min(self.policy.idle.saturating_sub(since(state.last, state.last_at))))
    }

    /// When the watcher has to look again: at the end of the session, at the end of an idle lease, and once a minute, because its
    /// own sleep does not count the computer's.
    fn look_again_in(&self, left: Duration) -> Duration {
        let idle = !lock(&self.leases).is_empty();
        match idle {
            true if self.is_in_the_way() => Duration::ZERO,
            true => left.min(policy::LEASE_TIME),
            false => left.min(policy::SESSION_LOOK),
        }
    }
}

/// Ends the session by itself when its time is over, so that a forgotten one keeps no login open, and gives idle leases back.
fn watch_idle(inner: &Arc<Inner>) -> Result<()> {
    let (weak, changed) = (Arc::downgrade(inner), Arc::clone(&inner.changed));
    let watch = move || {
        while let Some(inner) = Weak::upgrade(&weak) {
            let Some(left) = inner.ends_in() else { return };
            if left.is_zero() {
                tracing::info!(role = %inner.credential.role, "batch ended: its time is over");
                return inner.end(Why::Time);
            }
            if inner.drop_due() {
                inner.settle();
            }
            let wait = Wait::at_most(inner.look_again_in(left));
            drop(inner);
            // What is left becomes less by itself while this waits: only what ends well before that is sooner.
            let sooner = |i: Arc<Inner>| {
                i.ends_in().is_none_or(|left| i.look_again_in(left).saturating_add(SOONER) < wait.remaining())
            };
            changed.wait_for(&wait, || Weak::upgrade(&weak).is_none_or(sooner).then_some(()));
        }
    };
    std::thread::Builder::new()
        .name("shield-session".to_owned())
        .spawn(watch)
        .map(drop)
        .map_err(|e| Error::new(ErrorKind::Defect, "unlock").io(&e))
}
