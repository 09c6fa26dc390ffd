//! Stories of a batch on a card that keeps its login when a lease ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Session;
use super::tests::{kind, policy, shown, sign};
use crate::error::ErrorKind;
use crate::note::Note;
use crate::pin::Pin;
use crate::policy::Policy;
use crate::request::{Request, Unlock};
use crate::role::Role;
use crate::shield::fake::{self, Habits};
use crate::shield::signing::Entry;
use crate::source::Content;
use crate::wait::Wait;

fn open(habits: &Arc<Habits>, role: Role, policy: Policy) -> Session {
    habits.keeps.store(true, Ordering::SeqCst);
    let (shield, mut credential) = fake::shield(habits);
    credential.role = role;
    let entry = (Entry::Typed(Pin::new(role, fake::PIN).unwrap()), shown());
    Session::open(&shield, credential, &Unlock::of(role).policy(policy), entry, &Wait::default()).unwrap()
}

fn kept(signatures: u32) -> Policy {
    Policy { keep_login: true, ..policy(signatures, 16) }
}

fn is_logged_in(habits: &Habits) -> bool {
    Habits::seen(&habits.logins) > 0
}

#[test]
fn a_customs_login_that_is_kept_is_sent_once_and_ends_with_the_batch() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, Role::Customs, kept(100));
    for _ in 0..40 {
        sign(&session, &mut Vec::new()).unwrap();
    }
    assert!(Habits::seen(&habits.leases) >= 3, "leases of at most 16");
    assert_eq!(Habits::seen(&habits.verifies), 1);
    assert!(is_logged_in(&habits), "kept between leases");
    session.end();
    assert!(!is_logged_in(&habits), "and over when the batch is");
}

/// Whoever reads that it could not be ended pulls the shield out.
#[test]
fn a_receipt_does_not_say_of_a_login_that_will_be_ended_that_it_could_not_be() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, Role::Customs, policy(100, 16));
    let receipt = sign(&session, &mut Vec::new()).unwrap();
    assert!(is_logged_in(&habits), "it is still to be ended");
    assert!(!receipt.notes.contains(&Note::LoginLeft), "{:?}", receipt.notes);
}

#[test]
fn without_the_word_of_the_policy_each_lease_ends_its_login() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, Role::Customs, policy(100, 16));
    for _ in 0..40 {
        sign(&session, &mut Vec::new()).unwrap();
    }
    assert_eq!(Habits::seen(&habits.verifies), 3, "the unlock and two re-takes");
    drop(session);
    assert!(!is_logged_in(&habits));
}

#[test]
fn a_bank_login_is_never_kept_whatever_the_policy_says() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, Role::Bank, kept(100));
    for _ in 0..20 {
        let request = Request::raw(Role::Bank, Content::bytes(*b"order"));
        session.sign(request, &Wait::default(), &mut Vec::new()).unwrap();
    }
    assert_eq!(Habits::seen(&habits.verifies), 2, "the unlock and one re-take: the lease between them ended the login");
    drop(session);
    assert!(!is_logged_in(&habits));
}

#[test]
fn a_batch_that_ends_by_itself_ends_its_login_too() {
    // Its signatures are used up.
    let habits = Arc::<Habits>::default();
    let session = open(&habits, Role::Customs, kept(3));
    for _ in 0..3 {
        sign(&session, &mut Vec::new()).unwrap();
    }
    assert!(!is_logged_in(&habits), "with its last signature");
    assert_eq!(kind(sign(&session, &mut Vec::new())), ErrorKind::SessionEnded);
    // Nobody comes back to it.
    let habits = Arc::<Habits>::default();
    let idle = Duration::from_millis(300);
    let session = open(&habits, Role::Customs, Policy { idle, ..kept(100) });
    sign(&session, &mut Vec::new()).unwrap();
    assert!(is_logged_in(&habits));
    let until = Instant::now() + Duration::from_secs(10);
    while is_logged_in(&habits) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!is_logged_in(&habits));
    drop(session);
}

#[test]
fn the_last_of_many_threads_ends_the_login_of_a_batch_that_is_over() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, Role::Customs, kept(50));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| while sign(&session, &mut Vec::new()).is_ok() {});
        }
    });
    assert_eq!((Habits::seen(&habits.signatures), Habits::seen(&habits.verifies)), (50, 1));
    assert!(!is_logged_in(&habits));
}

#[test]
fn nobody_comes_back_for_a_login_that_ended_with_its_lease() {
    // A module: its logins end with their leases, whatever the policy says.
    let habits = Arc::<Habits>::default();
    let (shield, credential) = fake::shield(&habits);
    let entry = (Entry::Typed(Pin::new(Role::Customs, fake::PIN).unwrap()), shown());
    let unlock = Unlock::of(Role::Customs).policy(kept(100));
    let session = Session::open(&shield, credential, &unlock, entry, &Wait::default()).unwrap();
    sign(&session, &mut Vec::new()).unwrap();
    let leases = Habits::seen(&habits.leases);
    session.end();
    assert!(!is_logged_in(&habits));
    assert_eq!(Habits::seen(&habits.leases), leases);
}
