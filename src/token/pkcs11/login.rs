//! One login for each token and process, counted and shared by threads.
//!
//! PKCS#11 knows one login state for an application and a token (2.40 §2.6): any session's C_Login opens all sessions, any C_Logout
//! closes them. So leases share one login here. The first one sends the PIN; a later one with the same PIN joins without
//! sending it; one with another PIN waits until the login is over and then lets the token judge. The last one logs out.
//!
//! The PIN stays in a wiped buffer for as long as the login is held, to compare with. While threads wait, a PIN that was refused
//! meanwhile is not sent a second time for them.

use std::sync::{Arc, Mutex};

use p256::elliptic_curve::subtle::ConstantTimeEq;

use super::ended;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::pin::Pin;
use crate::token::Auth;
use crate::wait::{Signal, Wait, lock};

/// The state of one token's login.
#[derive(Default)]
pub(super) struct Login {
    state: Mutex<State>,
    changed: Arc<Signal>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// Leases that share the login.
    count: usize,
    /// Threads that wait for a change.
    waiting: usize,
    /// A PIN that the token refused while threads were waiting.
    refused: Option<Box<Pin>>,
    /// How many such refusals there were.
    refusals: u64,
    /// A refusal was seen by this process since the last accepted PIN.
    refusal_seen: bool,
}

#[derive(Default)]
enum Phase {
    #[default]
    Free,
    /// A thread is in C_Login or C_Logout.
    Changing,
    Held(Key),
}

/// What opened a login.
enum Key {
    Typed(Box<Pin>),
    OnDevice,
}

impl Key {
    fn of(auth: Auth<'_>) -> Option<Key> {
        match auth {
            Auth::Pin(pin) => Some(Key::Typed(Box::new(pin.duplicate()))),
            Auth::OnDevice => Some(Key::OnDevice),
            Auth::Held | Auth::Shared(_) => None,
        }
    }

    /// Whether `auth` proves knowledge of what opened the login. What is typed on the device proves itself there alone.
    fn opens(&self, auth: Auth<'_>) -> bool {
        match (self, auth) {
            (Key::Typed(held), Auth::Pin(pin) | Auth::Shared(pin)) => same(held, pin),
            _ => false,
        }
    }
}

fn same(a: &Pin, b: &Pin) -> bool {
    a.expose().ct_eq(b.expose()).into()
}

/// What a session says and does for its lease.
pub(super) trait Caller {
    /// Whether the token has a user logged in now.
    fn is_logged_in(&self) -> bool;

    /// C_Login.
    fn log_in(&self, auth: Auth<'_>) -> Result<()>;

    /// C_Logout; errors are only logged.
    fn log_out(&self);
}

/// A thread that came for a share.
struct Came {
    /// The refusals before it.
    after: u64,
    /// It found another thread at work.
    waited: bool,
}

enum Step {
    Join,
    Turn,
    Refused,
}

/// A lease's share of a login, given back by [`Login::release`].
#[derive(Debug)]
#[must_use]
pub(super) struct Share(());

/// Held by the thread that has set [`Phase::Changing`]: whatever happens, the others get their turn.
struct Turn<'l>(&'l Login);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        if matches!(state.phase, Phase::Changing) {
            state.phase = Phase::Free;
        }
        drop(state);
        self.0.changed.notify();
    }
}

impl Login {
    /// Takes a share of the login, logging in where that is needed; a PIN is sent at most once.
    ///
    /// # Errors
    /// `PinRequired` for [`Auth::Held`], `Busy` when the login of another PIN outlasts `wait`, `LoginHeldByHost`, and C_Login's.
    pub(super) fn acquire(&self, auth: Auth<'_>, wait: &Wait, caller: &dyn Caller) -> Result<Share> {
        loop {
            let key = Key::of(auth).ok_or_else(|| Error::new(ErrorKind::PinRequired, "C_Login"))?;
            match self.step(auth, wait) {
                Some(Step::Turn) => return self.enter(Turn(self), key, auth, caller, Login::refuse_hosts_login),
                Some(Step::Join) if caller.is_logged_in() => return Ok(Share(())),
                Some(Step::Join) => {
                    if let Some(turn) = self.renew() {
                        return self.enter(turn, key, auth, caller, |_| Ok(()));
                    }
                }
                Some(Step::Refused) => {
                    return Err(Error::new(ErrorKind::PinIncorrect, "C_Login")
                        .detail("the same PIN was refused a moment ago and was not sent again"));
                }
                None if self.is_open() && !wait.cancel.is_cancelled() => {
                    let why = "the token is logged in with another PIN";
                    return Err(Error::new(ErrorKind::Busy, "C_Login").detail(why));
                }
                None => return Err(ended(wait, "C_Login")),
            }
        }
    }

    /// Takes a share of a login that is open under the very same PIN. Nothing is sent.
    ///
    /// # Errors
    /// `PinRequired` where there is no such login.
    pub(super) fn join(&self, auth: Auth<'_>, caller: &dyn Caller) -> Result<Share> {
        let lost =
            || Error::new(ErrorKind::PinRequired, "C_Login").detail("the login of the batch is not there any more");
        let mut state = lock(&self.state);
        if !matches!(&state.phase, Phase::Held(key) if key.opens(auth)) {
            return Err(lost());
        }
        state.count = state.count.saturating_add(1);
        drop(state);
        if caller.is_logged_in() {
            return Ok(Share(()));
        }
        self.release(Share(()), caller);
        Err(lost())
    }

    fn step(&self, auth: Auth<'_>, wait: &Wait) -> Option<Step> {
        let mut came = self.come();
        let step = self.changed.wait_for(wait, || self.try_step(auth, &mut came));
        let mut state = lock(&self.state);
        state.waiting = state.waiting.saturating_sub(1);
        if state.waiting == 0 {
            state.refused = None;
        }
        step
    }

    /// From here on a refusal counts for this thread, also where it has not looked once when the refusal comes.
    fn come(&self) -> Came {
        let mut state = lock(&self.state);
        state.waiting = state.waiting.saturating_add(1);
        Came { after: state.refusals, waited: false }
    }

    fn try_step(&self, auth: Auth<'_>, came: &mut Came) -> Option<Step> {
        let mut state = lock(&self.state);
        match &state.phase {
            Phase::Held(key) if key.opens(auth) => {
                state.count = state.count.saturating_add(1);
                Some(Step::Join)
            }
            Phase::Free if (came.waited || state.refusals != came.after) && state.was_refused(auth) => {
                Some(Step::Refused)
            }
            Phase::Free => {
                state.phase = Phase::Changing;
                Some(Step::Turn)
            }
            Phase::Held(_) | Phase::Changing => {
                came.waited = true;
                None
            }
        }
    }

    /// The login is over although shares are left: the token was pulled out, or the host logged it out. The thread that gets the
    /// turn logs in anew; to the others the caller's loop comes back.
    fn renew(&self) -> Option<Turn<'_>> {
        let mut state = lock(&self.state);
        state.count = state.count.saturating_sub(1);
        matches!(state.phase, Phase::Held(_)).then(|| {
            state.phase = Phase::Changing;
            Turn(self)
        })
    }

    /// A user who is logged in before our C_Login is the host's: the token checked its PIN and would not check ours.
    fn refuse_hosts_login(caller: &dyn Caller) -> Result<()> {
        if caller.is_logged_in() {
            return Err(Error::new(ErrorKind::LoginHeldByHost, "C_GetSessionInfo"));
        }
        Ok(())
    }

    fn enter(
        &self,
        turn: Turn<'_>,
        key: Key,
        auth: Auth<'_>,
        caller: &dyn Caller,
        before: fn(&dyn Caller) -> Result<()>,
    ) -> Result<Share> {
        let answer = before(caller).and_then(|()| caller.log_in(auth));
        let mut state = lock(&self.state);
        match &answer {
            Ok(()) => {
                state.refusal_seen = false;
                state.count = state.count.saturating_add(1);
                state.phase = Phase::Held(key);
            }
            Err(error) if is_refusal(error) => {
                state.refusal_seen = true;
                if let (Key::Typed(pin), true) = (key, state.waiting > 0) {
                    state.refused = Some(pin);
                    state.refusals = state.refusals.wrapping_add(1);
                }
            }
            Err(_) => {}
        }
        drop(state);
        drop(turn);
        answer.map(|()| Share(()))
    }

    /// Gives a share back; the last one logs out.
    pub(super) fn release(&self, share: Share, caller: &dyn Caller) {
        let Share(()) = share;
        let mut state = lock(&self.state);
        state.count = state.count.saturating_sub(1);
        if state.count > 0 || !matches!(state.phase, Phase::Held(_)) {
            return;
        }
        state.phase = Phase::Changing;
        drop(state);
        let turn = Turn(self);
        caller.log_out();
        drop(turn);
    }

    /// Whether the open login is one that `auth` proves to know.
    pub(super) fn opens(&self, auth: Auth<'_>) -> bool {
        matches!(&lock(&self.state).phase, Phase::Held(key) if key.opens(auth))
    }

    /// Whether leases of this process hold a login.
    pub(super) fn is_open(&self) -> bool {
        matches!(lock(&self.state).phase, Phase::Held(_))
    }

    /// Whether the token refused a PIN of this process since it last accepted one.
    pub(super) fn refusal_seen(&self) -> bool {
        lock(&self.state).refusal_seen
    }

    /// Notes a refusal outside C_Login of a user: that of a context-specific login.
    pub(super) fn note_refusal(&self) {
        lock(&self.state).refusal_seen = true;
    }
}

impl State {
    fn was_refused(&self, auth: Auth<'_>) -> bool {
        matches!((&self.refused, auth), (Some(refused), Auth::Pin(pin)) if same(refused, pin))
    }
}

/// Whether an error says that the token did not take the PIN, or may say so.
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::PinIncorrect | ErrorKind::PinLocked | ErrorKind::LoginFailed)
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
