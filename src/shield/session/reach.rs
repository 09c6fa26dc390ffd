//! How a batch reaches its token: turns on a card, leases, other ways to the same certificate, lost logins.

use super::{Inner, Job, Why};
use crate::credential::Route;
use crate::door::{DoorId, Lease, Way};
use crate::error::{Error, ErrorKind, Result};
use crate::policy;
use crate::shield::signing::{self, Entry, is_gone};
use crate::suite::RawSignature;
use crate::token::PinState;
use crate::tries::{Consent, PinStatus};
use crate::wait::{Wait, lock};

impl Inner {
    /// Signs within the open login. A token that goes away in the middle is looked for again, by every way, a bounded number of times.
    pub(super) fn sign_job(&self, job: &Job, wait: &Wait) -> Result<(RawSignature, PinStatus, DoorId)> {
        let (mut turn, wait) = self.turn(wait)?;
        let wait = &wait;
        let (entry, full) = self.entry()?;
        let (signature, door) = signing::patiently(wait, || self.reach(&entry, job, wait))?;
        turn.succeeded();
        Ok((signature, full, door))
    }

    fn reach(&self, entry: &Entry, job: &Job, wait: &Wait) -> Result<(RawSignature, DoorId)> {
        for _ in 0..policy::RECONNECTS {
            let (route, lease) = self.lease(wait)?;
            match self.sign_in(lease, route, entry, job, wait) {
                Err(error) if is_gone(&error) => {
                    tracing::debug!(code = error.code(), "the token went away during a batch, looking for it again");
                    drop(std::mem::take(&mut *lock(&self.leases)));
                }
                other => return other,
            }
        }
        let (route, lease) = self.lease(wait)?;
        self.sign_in(lease, route, entry, job, wait)
    }

    /// Where the login is lost, nothing has been sent, and the way back is [`Inner::log_in_again`].
    fn sign_in(
        &self,
        mut lease: Lease,
        mut route: Route,
        entry: &Entry,
        job: &Job,
        wait: &Wait,
    ) -> Result<(RawSignature, DoorId)> {
        let mut signed = signing::sign_shared(&mut lease, &route, entry, job, wait);
        if signed.as_ref().is_err_and(|e| e.kind() == ErrorKind::PinRequired) {
            drop(lease);
            (route, lease) = self.log_in_again(wait)?;
            signed = signing::sign_shared(&mut lease, &route, entry, job, wait);
        }
        let signature = signed?;
        self.keep(lease);
        Ok((signature, route.door))
    }

    /// An idle lease that is not due, or a new one.
    fn lease(&self, wait: &Wait) -> Result<(Route, Lease)> {
        self.drop_due();
        if let Some(lease) = lock(&self.leases).pop() {
            return Ok((lock(&self.route).clone(), lease));
        }
        self.open_lease(wait)
    }

    /// Whether somebody else of this program waits for the token that serves now.
    pub(super) fn is_in_the_way(&self) -> bool {
        let now = lock(&self.route).door.clone();
        self.shield.open_doors().iter().any(|door| *door.id() == now && door.is_wanted())
    }

    /// Gives back idle leases that are due, or that keep somebody of this program waiting: another batch, or a single call. Outside the lock,
    /// because closing a token takes time. Whether there were any.
    pub(super) fn drop_due(&self) -> bool {
        let wanted = self.is_in_the_way();
        let mut leases = lock(&self.leases);
        let (due, fresh): (Vec<_>, Vec<_>) =
            std::mem::take(&mut *leases).into_iter().partition(|lease| wanted || lease.is_due());
        *leases = fresh;
        drop(leases);
        let any = !due.is_empty();
        drop(due);
        any
    }

    /// A lease in which the certificate was seen: of the way that serves now, else of the next one that works.
    fn open_lease(&self, wait: &Wait) -> Result<(Route, Lease)> {
        let now = lock(&self.route).door.clone();
        let mut routes: Vec<&Route> = self.credential.routes.iter().collect();
        routes.sort_by_key(|route| route.door != now);
        let mut first = None;
        for route in routes {
            match self.open_route(route, wait) {
                Ok(lease) => {
                    *lock(&self.route) = route.clone();
                    return Ok((route.clone(), lease));
                }
                Err(error) if is_gone(&error) => drop(first.get_or_insert(error)),
                Err(error) => return Err(error),
            }
        }
        Err(first.unwrap_or_else(|| Error::new(ErrorKind::NoShield, "open shield")))
    }

    fn open_route(&self, route: &Route, wait: &Wait) -> Result<Lease> {
        let door = self.shield.open_doors().iter().find(|d| *d.id() == route.door);
        let mut lease = door.ok_or_else(|| Error::new(ErrorKind::NoShield, "open shield"))?.lease(wait)?;
        signing::check_certificate(&mut lease, &route.slot, &self.credential.certificate, wait)?;
        if let Some(keep) = self.keep_login.clone() {
            lease.call("open shield", wait, move |token| {
                token.keep_login(&keep);
                Ok(())
            })?;
        }
        Ok(lease)
    }

    /// The batch is over. What it kept for its next lease ends with one of its own, because the one that opened it is long over; where that does not
    /// reach the card either, it is tried once more.
    pub(super) fn end_logins(&self) {
        self.settle();
        self.settle();
    }

    /// Nothing comes of this signature, and nobody knows when the next one comes.
    pub(super) fn settle_after(&self, error: &Error) {
        let door = lock(&self.route).door.clone();
        self.shield.settle_after(error, &door);
    }

    /// A lease that was given back may not have ended its login, and nobody knows when the next one comes.
    pub(super) fn settle(&self) {
        let door = lock(&self.route).door.clone();
        self.shield.settle(&door);
    }

    /// The token lost the login. One thread at a time looks again, and sends the PIN only where the tries allow it; the threads
    /// behind it find the new login, or the end of the session.
    fn log_in_again(&self, wait: &Wait) -> Result<(Route, Lease)> {
        let _one = lock(&self.logging_in);
        let (route, mut lease) = self.open_lease(wait)?;
        let state = signing::read_state(&mut lease, &route.slot, &self.credential.certificate, wait)?;
        let (entry, full) = self.entry()?;
        if !state.open {
            self.allow_resend(&route.door, state, full)?;
            let pin = route.slot.pin.clone();
            lease.call("unlock again", wait, move |token| token.login(&pin, entry.auth()))?;
            self.anchor(&route, wait);
        }
        Ok((route, lease))
    }

    /// A module's login lasts as long as a lease that shares it: one more lease keeps it, in place of the one that lost it. A token whose
    /// logins end with each lease gets none.
    fn anchor(&self, route: &Route, wait: &Wait) {
        if self.shield.way(&route.door) != Some(Way::Module) {
            return;
        }
        let keep = || {
            let (entry, _) = self.entry()?;
            let mut lease = self.open_route(route, wait)?;
            let pin = route.slot.pin.clone();
            lease.call("unlock again", wait, move |token| token.login(&pin, entry.shared()))?;
            Ok::<Lease, Error>(lease)
        };
        let Ok(lease) = keep() else { return };
        let before = lock(&self.state).open.as_mut().and_then(|open| open.anchor.replace(lease));
        drop(before);
    }

    /// The PIN goes again only while nothing speaks of a refusal, and only so often.
    fn allow_resend(&self, door: &DoorId, now: PinState, full: PinStatus) -> Result<()> {
        let (role, in_doubt, now) = (self.credential.role, now.in_doubt, now.status);
        signing::guard_tries(now, Consent::None, role).inspect_err(|_| self.end(Why::Refused))?;
        let mut state = lock(&self.state);
        // Another way to the same token may count nothing: then it knows of no refusal, which the guard above has seen.
        let elsewhere = state.open.as_ref().is_some_and(|open| open.told_by != *door);
        let silent = matches!(now, PinStatus::Unknown { refused: false });
        if !in_doubt && (now.is_no_worse_than(full) || (elsewhere && silent)) && state.resends < self.policy.resends {
            state.resends = state.resends.saturating_add(1);
            return Ok(());
        }
        drop(state);
        self.end(Why::Lost);
        Err(Why::Lost.error(&self.policy).tries(now))
    }
}
