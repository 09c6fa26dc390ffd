//! Bounded waiting: deadline and cancellation for every call that may block, and the clock that expiry reads.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, ErrorKind, Result};
use crate::policy;

/// How long a call may take, and who may end it earlier.
///
/// ```
/// use shared_shield::Wait;
/// use std::time::Duration;
/// let wait = Wait::at_most(Duration::from_secs(5));
/// wait.cancel.cancel(); // from another thread: every wait that shares it ends
/// assert!(wait.check("example").is_err());
/// ```
#[derive(Debug, Clone)]
pub struct Wait {
    /// The deadline.
    pub until: Instant,
    /// Ends the wait early.
    pub cancel: Arc<Cancel>,
}

impl Wait {
    /// Waits at most this long from now.
    #[must_use]
    pub fn at_most(time: Duration) -> Self {
        let now = Instant::now();
        Wait { until: now.checked_add(time).unwrap_or(now), cancel: Arc::default() }
    }

    /// The same deadline, ended by `cancel`.
    #[must_use]
    pub fn with_cancel(mut self, cancel: Arc<Cancel>) -> Self {
        self.cancel = cancel;
        self
    }

    /// The time that is left to the deadline; zero when it has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Fails when the deadline has passed or the wait was cancelled.
    ///
    /// # Errors
    /// `Cancelled` or `Busy`.
    pub fn check(&self, operation: &'static str) -> Result<()> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, operation));
        }
        if self.remaining().is_zero() {
            return Err(Error::new(ErrorKind::Busy, operation));
        }
        Ok(())
    }
}

impl Default for Wait {
    /// The default deadline, [`policy::DEFAULT_WAIT`].
    fn default() -> Self {
        Wait::at_most(policy::DEFAULT_WAIT)
    }
}

/// A switch that ends waits from another thread.
#[derive(Default)]
pub struct Cancel {
    set: AtomicBool,
    waiting: Mutex<Vec<Weak<Signal>>>,
}

impl Cancel {
    /// Ends every wait that shares this switch, now and later.
    pub fn cancel(&self) {
        self.set.store(true, Ordering::SeqCst);
        for signal in lock(&self.waiting).drain(..) {
            if let Some(signal) = signal.upgrade() {
                signal.notify();
            }
        }
    }

    /// Whether it was thrown.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.set.load(Ordering::SeqCst)
    }

    fn subscribe(&self, signal: &Arc<Signal>) {
        let mut waiting = lock(&self.waiting);
        waiting.retain(|w| w.strong_count() > 0);
        waiting.push(Arc::downgrade(signal));
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancel").field("cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

/// Something happened: wakes whoever waits for it. It counts, so that no wake-up is lost.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Signal {
    pub(crate) fn notify(&self) {
        let mut count = lock(&self.count);
        *count = count.wrapping_add(1);
        self.changed.notify_all();
    }

    /// Asks `ready` again after each notification, until it answers or the wait ends (`None`).
    pub(crate) fn wait_for<R>(self: &Arc<Self>, wait: &Wait, mut ready: impl FnMut() -> Option<R>) -> Option<R> {
        wait.cancel.subscribe(self);
        loop {
            let seen = *lock(&self.count);
            if let Some(answer) = ready() {
                return Some(answer);
            }
            if wait.cancel.is_cancelled() || wait.remaining().is_zero() {
                return None;
            }
            let count = lock(&self.count);
            if *count == seen {
                drop(self.changed.wait_timeout(count, wait.remaining()).unwrap_or_else(PoisonError::into_inner));
            }
        }
    }
}

/// A lock that survives a panic elsewhere: what it guards is kept consistent by its users.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where expiry and policy read the time of day from. Nothing in the library reads the system clock directly.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> SystemTime;
}

/// The computer's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that stands still: for tests, and for judging a document at a given time.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub SystemTime);

impl Clock for FixedClock {
    fn now(&self) -> SystemTime {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_wait_ends_at_once_and_a_deadline_ends_by_itself() {
        let signal = Arc::new(Signal::default());
        let wait = Wait::at_most(Duration::from_secs(60));
        let cancel = Arc::clone(&wait.cancel);
        let thread = std::thread::spawn(move || cancel.cancel());
        assert_eq!(signal.wait_for(&wait, || None::<()>), None);
        thread.join().unwrap();
        assert_eq!(signal.wait_for(&Wait::at_most(Duration::from_millis(5)), || None::<()>), None);
        assert_eq!(signal.wait_for(&Wait::at_most(Duration::ZERO), || Some(1)), Some(1));
    }
}
