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
#[derive(Clone)]
pub struct Wait {
    /// The deadline.
    pub until: Instant,
    /// Ends the wait early.
    pub cancel: Arc<Cancel>,
    progress: Option<Arc<dyn Fn(Duration) + Send + Sync>>,
}

impl Wait {
    /// Waits at most this long from now.
    #[must_use]
    pub fn at_most(time: Duration) -> Self {
        let now = Instant::now();
        Wait { until: now.checked_add(time).unwrap_or(now), cancel: Arc::default(), progress: None }
    }

    /// The same deadline, ended by `cancel`.
    #[must_use]
    pub fn with_cancel(mut self, cancel: Arc<Cancel>) -> Self {
        self.cancel = cancel;
        self
    }

    /// Calls `tell` from the waiting thread once a second, beginning after [`policy::PROGRESS_AFTER`], with the time that one wait has taken so
    /// far. It must return soon.
    #[must_use]
    pub fn with_progress(mut self, tell: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(tell));
        self
    }

    /// Time left until the deadline.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// The same wait, as if `left` were left of it now: what a person took to type, or this library to read a document, does not count.
    pub(crate) fn resumed(&self, left: Duration) -> Wait {
        Wait { progress: self.progress.clone(), ..Wait::at_most(left).with_cancel(Arc::clone(&self.cancel)) }
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

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("remaining", &self.remaining())
            .field("cancel", &self.cancel)
            .finish_non_exhaustive()
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
        let (since, mut told) = (Instant::now(), policy::PROGRESS_AFTER);
        loop {
            if let Some(tell) = wait.progress.as_ref().filter(|_| since.elapsed() >= told) {
                tell(since.elapsed());
                told = since.elapsed().saturating_add(policy::PROGRESS_AFTER);
            }
            let seen = *lock(&self.count);
            if let Some(answer) = ready() {
                return Some(answer);
            }
            if wait.cancel.is_cancelled() || wait.remaining().is_zero() {
                return None;
            }
            let count = lock(&self.count);
            if *count == seen {
                let next = wait.progress.as_ref().map_or(Duration::MAX, |_| told.saturating_sub(since.elapsed()));
                let bound = wait.remaining().min(next);
                drop(self.changed.wait_timeout(count, bound).unwrap_or_else(PoisonError::into_inner));
            }
        }
    }
}

/// A lock that survives a panic elsewhere: what it guards is kept consistent by its users.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
    fn whoever_waits_long_is_told_and_a_short_wait_is_silent() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&told);
        let wait = |time| {
            let list = Arc::clone(&list);
            Wait::at_most(time).with_progress(move |since| lock(&list).push(since))
        };
        let signal = Arc::new(Signal::default());
        assert_eq!(signal.wait_for(&wait(Duration::from_millis(20)), || None::<()>), None);
        assert!(lock(&told).is_empty());
        assert_eq!(signal.wait_for(&wait(Duration::from_millis(2_500)), || None::<()>), None);
        assert_eq!(lock(&told).len(), 2);
    }

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
