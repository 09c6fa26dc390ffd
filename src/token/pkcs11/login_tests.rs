//! Leases that share one login, against a token that counts.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::role::Role;

/// A token that takes one PIN and counts.
#[derive(Default)]
struct Fake {
    user: AtomicBool,
    sent: AtomicU32,
    logouts: AtomicU32,
    /// C_Login takes until so many threads wait for its outcome.
    until_waiting: Option<(Arc<Login>, usize)>,
}

impl Caller for Fake {
    fn is_logged_in(&self) -> bool {
        self.user.load(Ordering::SeqCst)
    }

    fn log_in(&self, auth: Auth<'_>) -> Result<()> {
        self.sent.fetch_add(1, Ordering::SeqCst);
        if let Some((login, threads)) = &self.until_waiting {
            let since = Instant::now();
            while lock(&login.state).waiting < *threads {
                assert!(since.elapsed() < Duration::from_secs(60), "the PIN is sent again, and nobody waits any more");
                thread::yield_now();
            }
        }
        let Auth::Pin(pin) = auth else { panic!() };
        if pin.expose() != b"right" {
            return Err(Error::new(ErrorKind::PinIncorrect, "fake"));
        }
        self.user.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn log_out(&self) {
        self.logouts.fetch_add(1, Ordering::SeqCst);
        self.user.store(false, Ordering::SeqCst);
    }
}

fn pin(octets: &[u8]) -> Pin {
    Pin::new(Role::Customs, octets).unwrap()
}

fn short() -> Wait {
    Wait::at_most(Duration::from_millis(30))
}

fn seen(counter: &AtomicU32) -> u32 {
    counter.load(Ordering::SeqCst)
}

#[test]
fn leases_with_the_same_pin_share_one_login_and_the_last_logs_out() {
    let (login, fake, right) = (Login::default(), Fake::default(), pin(b"right"));
    let first = login.acquire(Auth::Pin(&right), &short(), &fake).unwrap();
    let second = login.acquire(Auth::Pin(&right), &short(), &fake).unwrap();
    assert_eq!(seen(&fake.sent), 1);
    login.release(first, &fake);
    assert!(login.is_open());
    login.release(second, &fake);
    assert!(!login.is_open());
    assert_eq!(seen(&fake.logouts), 1);
}

#[test]
fn a_login_without_a_pin_sends_nothing() {
    let (login, fake) = (Login::default(), Fake::default());
    let refused = login.acquire(Auth::Held, &short(), &fake).unwrap_err();
    assert_eq!((refused.kind(), seen(&fake.sent)), (ErrorKind::PinRequired, 0));
}

#[test]
fn another_pin_waits_for_the_login_to_end_and_is_then_judged_by_the_token() {
    let (login, fake, right) = (Login::default(), Fake::default(), pin(b"right"));
    let share = login.acquire(Auth::Pin(&right), &short(), &fake).unwrap();
    let busy = login.acquire(Auth::Pin(&pin(b"wrong")), &short(), &fake).unwrap_err();
    assert_eq!((busy.kind(), seen(&fake.sent)), (ErrorKind::Busy, 1));
    let refused = thread::scope(|scope| {
        let waiter = scope.spawn(|| login.acquire(Auth::Pin(&pin(b"wrong")), &Wait::default(), &fake));
        while lock(&login.state).waiting == 0 {
            thread::yield_now();
        }
        login.release(share, &fake);
        waiter.join().unwrap().unwrap_err()
    });
    assert_eq!((refused.kind(), seen(&fake.sent)), (ErrorKind::PinIncorrect, 2));
    assert!(login.refusal_seen());
    assert!(!login.is_open());
}

#[test]
fn what_the_host_has_opened_is_never_taken_for_our_login() {
    let (login, fake) = (Login::default(), Fake::default());
    fake.user.store(true, Ordering::SeqCst);
    let refused = login.acquire(Auth::Pin(&pin(b"right")), &short(), &fake).unwrap_err();
    assert_eq!((refused.kind(), seen(&fake.sent)), (ErrorKind::LoginHeldByHost, 0));
    fake.user.store(false, Ordering::SeqCst);
    let share = login.acquire(Auth::Pin(&pin(b"right")), &short(), &fake).unwrap();
    login.release(share, &fake);
}

#[test]
fn a_pin_refused_to_one_thread_is_not_sent_again_for_the_threads_that_wait() {
    let login = Arc::new(Login::default());
    let slow = Fake { until_waiting: Some((Arc::clone(&login), 7)), ..Fake::default() };
    let refused = thread::scope(|scope| {
        let fake = &slow;
        let ask = || login.acquire(Auth::Pin(&pin(b"wrong")), &Wait::default(), fake).unwrap_err().kind();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).filter(|k| *k == ErrorKind::PinIncorrect).count()
    });
    assert_eq!((refused, seen(&slow.sent)), (8, 1));
    // Entered anew, it goes to the token: nobody is waiting.
    let fake = Fake::default();
    assert!(login.acquire(Auth::Pin(&pin(b"wrong")), &Wait::default(), &fake).is_err());
    assert_eq!(seen(&fake.sent), 1);
    let share = login.acquire(Auth::Pin(&pin(b"right")), &Wait::default(), &fake).unwrap();
    assert!(!login.refusal_seen());
    login.release(share, &fake);
}

#[test]
fn a_thread_that_came_before_the_refusal_and_looks_after_it_sends_nothing() {
    let (login, fake, wrong) = (Login::default(), Fake::default(), pin(b"wrong"));
    let mut came = login.come();
    assert_eq!(login.acquire(Auth::Pin(&wrong), &short(), &fake).unwrap_err().kind(), ErrorKind::PinIncorrect);
    assert!(matches!(login.try_step(Auth::Pin(&wrong), &mut came), Some(Step::Refused)));
    // Another PIN is the token's to judge, and so is one that is entered after the refusal.
    let mut anew = login.come();
    assert!(matches!(login.try_step(Auth::Pin(&wrong), &mut anew), Some(Step::Turn)));
    drop(Turn(&login));
    assert!(matches!(login.try_step(Auth::Pin(&pin(b"right")), &mut came), Some(Step::Turn)));
    drop(Turn(&login));
}

#[test]
fn a_login_that_the_token_has_lost_is_made_anew_by_one_thread() {
    let (login, fake, right) = (Login::default(), Fake::default(), pin(b"right"));
    let stale = login.acquire(Auth::Pin(&right), &short(), &fake).unwrap();
    fake.user.store(false, Ordering::SeqCst);
    let fresh = login.acquire(Auth::Pin(&right), &short(), &fake).unwrap();
    assert_eq!(seen(&fake.sent), 2);
    login.release(stale, &fake);
    assert_eq!(seen(&fake.logouts), 0);
    login.release(fresh, &fake);
    assert_eq!(seen(&fake.logouts), 1);
}
