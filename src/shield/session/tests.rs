//! Stories of a batch against a token that counts, forgets, lies and hangs.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Session;
use crate::credential::Selector;
use crate::error::{ErrorKind, Recovery, Result};
use crate::pin::Pin;
use crate::policy::Policy;
use crate::receipt::Receipt;
use crate::request::{Request, Unlock};
use crate::role::Role;
use crate::shield::fake::{self, Habits};
use crate::shield::signing::Entry;
use crate::source::Content;
use crate::suite::{DigestAlgorithm, Summary};
use crate::tries::PinStatus;
use crate::wait::{Wait, lock};

pub(super) fn policy(signatures: u32, resends: u32) -> Policy {
    Policy { signatures, resends, ..Policy::of(Role::Customs) }
}

fn open_with(habits: &Arc<Habits>, policy: Policy, pin: &[u8]) -> Result<Session> {
    let (shield, credential) = fake::shield(habits);
    let entry = (Entry::Typed(Pin::new(Role::Customs, pin)?), shown());
    Session::open(&shield, credential, &Unlock::of(Role::Customs).policy(policy), entry, &Wait::default())
}

pub(super) fn shown() -> Summary {
    Summary { text: "five documents".to_owned() }
}

fn open(habits: &Arc<Habits>, policy: Policy) -> Session {
    open_with(habits, policy, fake::PIN).unwrap()
}

pub(super) fn sign(session: &Session, out: &mut Vec<u8>) -> Result<Receipt> {
    session.sign(Request::raw(Role::Customs, Content::bytes(*b"document")), &Wait::default(), out)
}

pub(super) fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn a_batch_ends_when_its_signatures_are_used_up_even_with_many_threads() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, policy(20, 0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| while sign(&session, &mut Vec::new()).is_ok() {});
        }
    });
    assert_eq!(Habits::seen(&habits.signatures), 20);
    assert_eq!(Habits::seen(&habits.verifies), 1);
    assert_eq!(session.signatures_left(), 0);
    let ended = sign(&session, &mut Vec::new()).unwrap_err();
    assert_eq!((ended.kind(), ended.recovery()), (ErrorKind::SessionEnded, Recovery::EnterPin(Some(Role::Customs))));
    assert!(ended.to_string().contains("all 20 signatures"), "{ended}");
}

#[test]
fn the_threads_of_a_session_on_a_card_do_not_time_each_other_out_and_a_card_that_hangs_does() {
    let habits = Arc::<Habits>::default();
    habits.keeps.store(true, Ordering::SeqCst);
    let session = open(&habits, Policy { keep_login: true, ..policy(100, 0) });
    let began = Instant::now();
    sign(&session, &mut Vec::new()).unwrap();
    // Some signatures' time for each of 40: without turns that count it is over before the last one's turn comes.
    let wait = began.elapsed() * 8;
    let request = || Request::raw(Role::Customs, Content::bytes(*b"document"));
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| session.sign(request(), &Wait::at_most(wait), &mut Vec::new()).unwrap());
        }
    });
    habits.hangs.store(true, Ordering::SeqCst);
    let short = Duration::from_millis(200);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| session.sign(request(), &Wait::at_most(short), &mut Vec::new()).unwrap_err());
        }
    });
    assert!(began.elapsed() < short * 5, "they wait at the same time, and not each for the one before");
    habits.hangs.store(false, Ordering::SeqCst);
}

#[test]
fn a_lease_is_given_back_after_sixteen_signatures_and_the_login_stays() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, policy(100, 0));
    for _ in 0..40 {
        sign(&session, &mut Vec::new()).unwrap();
    }
    assert!(Habits::seen(&habits.leases) >= 4, "the anchor and three leases of at most 16");
    assert_eq!(Habits::seen(&habits.verifies), 1);
}

#[test]
fn a_lost_login_is_repaired_with_the_accepted_pin_within_the_policy_and_no_further() {
    let habits = Arc::<Habits>::default();
    habits.forgets.store(true, Ordering::SeqCst);
    let session = open(&habits, policy(100, 2));
    for _ in 0..32 {
        sign(&session, &mut Vec::new()).unwrap();
    }
    assert_eq!(Habits::seen(&habits.verifies), 3, "one unlock and two re-takes of 16 each");
    assert_eq!(kind(sign(&session, &mut Vec::new())), ErrorKind::SessionEnded);
    assert_eq!(Habits::seen(&habits.verifies), 3);
}

#[test]
fn a_login_lost_in_the_middle_of_a_lease_sends_the_pin_once_for_all_threads() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, policy(1000, 1));
    sign(&session, &mut Vec::new()).unwrap();
    habits.lose_login();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| drop(sign(&session, &mut Vec::new()).unwrap())));
        }
    });
    assert_eq!(Habits::seen(&habits.verifies), 2, "the unlock, and once for everybody");
    habits.lose_login();
    assert_eq!(kind(sign(&session, &mut Vec::new())), ErrorKind::SessionEnded, "the policy allowed one resend");
    assert_eq!(Habits::seen(&habits.verifies), 2);
}

#[test]
fn the_last_try_is_not_spent_when_a_login_is_lost_in_the_middle_of_a_lease() {
    for (status, expected) in [
        (PinStatus::Final, ErrorKind::LastTry),
        (PinStatus::Locked, ErrorKind::PinLocked),
        (PinStatus::Unknown { refused: true }, ErrorKind::TriesUnknown),
        (PinStatus::Known(4), ErrorKind::SessionEnded),
    ] {
        let habits = Arc::<Habits>::default();
        let session = open(&habits, policy(100, 10));
        sign(&session, &mut Vec::new()).unwrap();
        habits.lose_login();
        *lock(&habits.status) = status;
        assert_eq!(kind(sign(&session, &mut Vec::new())), expected);
        assert_eq!(Habits::seen(&habits.verifies), 1, "nothing was sent");
        assert_eq!(session.signatures_left(), 0, "and the batch has ended");
    }
}

#[test]
fn a_pin_that_may_have_been_refused_unheard_does_not_go_again_by_itself() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, policy(100, 10));
    sign(&session, &mut Vec::new()).unwrap();
    habits.lose_login();
    habits.in_doubt.store(true, Ordering::SeqCst);
    assert_eq!(kind(sign(&session, &mut Vec::new())), ErrorKind::SessionEnded);
    assert_eq!((Habits::seen(&habits.verifies), session.signatures_left()), (1, 0));
}

#[test]
fn the_first_refusal_ends_the_batch_for_all_threads() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, policy(1000, 10));
    sign(&session, &mut Vec::new()).unwrap();
    habits.refuses.store(true, Ordering::SeqCst);
    habits.lose_login();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(sign(&session, &mut Vec::new()).is_err()));
        }
    });
    assert_eq!(Habits::seen(&habits.verifies), 2, "the unlock, and the one refusal");
    assert_eq!(kind(sign(&session, &mut Vec::new())), ErrorKind::SessionEnded);
}

#[test]
fn a_pin_whose_form_the_token_refuses_is_not_sent_again_for_each_document() {
    for refusal in [ErrorKind::PinEncoding, ErrorKind::PinLength, ErrorKind::PinNotSet, ErrorKind::LoginFailed] {
        let habits = Arc::<Habits>::default();
        let session = open(&habits, policy(1000, 10));
        sign(&session, &mut Vec::new()).unwrap();
        *lock(&habits.refusal) = refusal;
        habits.refuses.store(true, Ordering::SeqCst);
        habits.lose_login();
        assert_eq!(kind(sign(&session, &mut Vec::new())), refusal);
        assert_eq!(kind(sign(&session, &mut Vec::new())), ErrorKind::SessionEnded);
        assert_eq!(Habits::seen(&habits.verifies), 2, "the unlock, and the one that was refused");
    }
}

#[test]
fn the_pin_is_not_sent_again_when_somebody_has_used_up_tries_meanwhile() {
    let habits = Arc::<Habits>::default();
    habits.forgets.store(true, Ordering::SeqCst);
    let session = open(&habits, policy(100, 10));
    *lock(&habits.status) = PinStatus::Known(4);
    assert_eq!(kind(sign(&session, &mut Vec::new())), ErrorKind::SessionEnded);
    assert_eq!(Habits::seen(&habits.verifies), 1);
    *lock(&habits.status) = PinStatus::Known(5);
    assert_eq!(kind(sign(&session, &mut Vec::new())), ErrorKind::SessionEnded, "ended is ended");
}

#[test]
fn a_wrong_pin_at_unlock_costs_one_try_and_opens_nothing() {
    let habits = Arc::<Habits>::default();
    let refused = open_with(&habits, policy(5, 5), b"000000");
    assert_eq!(kind(refused), ErrorKind::PinIncorrect);
    assert_eq!(Habits::seen(&habits.verifies), 1);
}

#[test]
fn a_signature_that_does_not_verify_writes_nothing() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, policy(5, 0));
    habits.flips.store(true, Ordering::SeqCst);
    let mut out = Vec::new();
    assert_eq!(kind(sign(&session, &mut out)), ErrorKind::SignatureWrong);
    assert!(out.is_empty());
    habits.flips.store(false, Ordering::SeqCst);
    sign(&session, &mut out).unwrap();
    assert_eq!(out.len(), 256);
}

#[test]
fn a_token_that_hangs_gives_the_caller_an_answer_at_the_deadline_and_on_cancel() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, policy(50, 0));
    habits.hangs.store(true, Ordering::SeqCst);
    let request = || Request::raw(Role::Customs, Content::bytes(*b"document"));
    let short = Wait::at_most(Duration::from_millis(30));
    assert_eq!(kind(session.sign(request(), &short, &mut Vec::new())), ErrorKind::Timeout);
    let long = Wait::at_most(Duration::from_secs(3600));
    let cancel = Arc::clone(&long.cancel);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| session.sign(request(), &long, &mut Vec::new()));
        cancel.cancel();
        assert_eq!(kind(waiting.join().unwrap()), ErrorKind::Cancelled);
    });
    habits.hangs.store(false, Ordering::SeqCst);
    sign(&session, &mut Vec::new()).unwrap();
}

#[test]
fn a_forgotten_batch_logs_out_by_itself() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, Policy { idle: Duration::from_millis(20), ..policy(50, 0) });
    let (_, credential) = fake::shield(&habits);
    assert_eq!(session.credential().fingerprint, credential.fingerprint);
    while session.signatures_left() > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    while Habits::seen(&habits.logins) > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(kind(sign(&session, &mut Vec::new())), ErrorKind::SessionEnded);
}

#[test]
fn a_batch_near_its_end_waits_for_it_and_does_not_look_again_and_again() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, Policy { idle: Duration::from_millis(500), ..policy(50, 0) });
    habits.looks.store(0, Ordering::SeqCst);
    while session.signatures_left() > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let looks = Habits::seen(&habits.looks);
    assert!((1..20).contains(&looks), "{looks} looks at the clock in half a second");
}

#[test]
fn an_idle_lease_is_given_back_without_another_signature() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, policy(50, 0));
    sign(&session, &mut Vec::new()).unwrap();
    assert_eq!(Habits::seen(&habits.logins), 2, "the anchor and the idle lease");
    while Habits::seen(&habits.logins) > 1 {
        std::thread::sleep(Duration::from_millis(20));
    }
    sign(&session, &mut Vec::new()).unwrap();
    assert_eq!(Habits::seen(&habits.verifies), 1);
}

#[test]
fn a_receipt_of_a_batch_speaks_of_the_text_that_was_shown_and_of_the_certificate_that_was_unlocked() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, policy(5, 0));
    let request = || Request::raw(Role::Customs, Content::bytes(*b"document"));
    let receipt = session.sign(request().shown("never seen"), &Wait::default(), &mut Vec::new()).unwrap();
    assert_eq!(receipt.shown, DigestAlgorithm::Sha256.of(b"five documents").unwrap());
    let other = Selector { card_number: Some("0000000000000".to_owned()), ..Selector::default() };
    assert!(session.sign(request().of(other), &Wait::default(), &mut Vec::new()).is_err());
    assert_eq!(Habits::seen(&habits.signatures), 1);
}

#[test]
fn a_bank_request_is_refused_in_a_customs_batch() {
    let habits = Arc::<Habits>::default();
    let session = open(&habits, policy(5, 0));
    let request = Request::raw(Role::Bank, Content::bytes(*b"order"));
    assert_eq!(kind(session.sign(request, &Wait::default(), &mut Vec::new())), ErrorKind::RoleMismatch);
    assert_eq!(Habits::seen(&habits.signatures), 0);
}

/// Copies of `pin`, given XORed so that the scan does not find itself, in a PIN's buffer (padded with zeros) anywhere in the
/// writable memory of this process.
#[cfg(target_os = "linux")]
fn copies_in_memory(hidden: &[u8]) -> usize {
    use std::os::unix::fs::FileExt;
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut copies = 0;
    for line in maps.lines().filter(|l| l.contains(" rw")) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        let mut octets = vec![0; usize::try_from(to - from).unwrap()];
        let Ok(read) = memory.read_at(&mut octets, from) else { continue };
        let is_it = |w: &&[u8]| {
            w[..hidden.len()].iter().zip(hidden).all(|(m, h)| *m == h ^ 0x5a)
                && w[hidden.len()..].iter().all(|m| *m == 0)
        };
        copies += octets[..read].windows(48).filter(is_it).count();
        octets.fill(0xff);
    }
    copies
}

#[cfg(target_os = "linux")]
#[test]
fn no_copy_of_the_pin_is_left_when_the_batch_is_over() {
    let mut hidden = [0_u8; 14];
    getrandom::fill(&mut hidden).unwrap();
    hidden.iter_mut().for_each(|o| *o = (b'0' + *o % 10) ^ 0x5a);
    let typed = || {
        let mut octets = hidden;
        octets.iter_mut().for_each(|o| *o ^= 0x5a);
        let pin = Pin::new(Role::Customs, &octets).unwrap();
        octets.fill(0);
        std::hint::black_box(&octets);
        pin
    };
    let planted = typed();
    assert!(copies_in_memory(&hidden) >= 1, "the scan finds a PIN that is there");
    drop(planted);

    let habits = Arc::<Habits>::default();
    habits.accepts_any.store(true, Ordering::SeqCst);
    let (shield, credential) = fake::shield(&habits);
    let unlock = Unlock::of(Role::Customs).policy(policy(100, 5));
    let session =
        Session::open(&shield, credential, &unlock, (Entry::Typed(typed()), shown()), &Wait::default()).unwrap();
    for _ in 0..3 {
        sign(&session, &mut Vec::new()).unwrap();
    }
    assert!(copies_in_memory(&hidden) >= 1, "the session keeps it");
    habits.lose_login();
    sign(&session, &mut Vec::new()).unwrap();
    session.end();
    assert_eq!(copies_in_memory(&hidden), 0);
}
