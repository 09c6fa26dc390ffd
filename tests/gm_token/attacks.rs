//! What other programs can do to a shield between our transactions, and what they do not get by it.

use std::time::{Duration, Instant};

use shared_shield::simulator::Habits;
use shared_shield::{Declined, ErrorKind, PinEntry, PinQuestion, Policy, Role, Status, Unlock, Wait, policy};

use crate::gm_desk::{Desk, Kind};
use crate::gm_shield::{
    CUSTOMS_PIN, SYNO, WRONG_PIN, certificate, pin, raw, sign, sign_in, tries, typist, unlock, verifies,
};

const SIGN: u8 = 0x74;

#[test]
fn a_login_that_another_program_left_signs_nothing_for_us() {
    let desk = Desk::new();
    // The other program: it logs in to customs, signs, and leaves the login between its transactions.
    let other = desk.shield();
    let policy = Policy { keep_login: true, ..Policy::of(Role::Customs) };
    let kept = Unlock::of(Role::Customs).policy(policy);
    let session = other.unlock(kept, &mut typist(CUSTOMS_PIN, &mut 0), &Wait::default()).unwrap();
    sign_in(&session, "its own", &Wait::default()).unwrap();
    let ours = desk.shield();
    assert!(desk.is_logged_in(Role::Customs), "the trap is set: whoever asks the card now gets a signature");
    desk.sent();
    // Nobody enters a PIN.
    let mut out = Vec::new();
    let mut declines = |_: &PinQuestion<'_>| Err::<PinEntry, _>(Declined);
    let error = ours.sign(raw(Role::Customs, "ours"), &mut declines, &Wait::default(), &mut out).unwrap_err();
    assert_eq!((error.kind(), out.len()), (ErrorKind::PinDeclined, 0));
    assert!(!desk.sent().contains(&SIGN));
    // Somebody enters a wrong one. That it would be opened is no reason to sign.
    assert!(desk.is_logged_in(Role::Customs));
    let error = sign(&ours, Role::Customs, "ours", WRONG_PIN, &Wait::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PinIncorrect);
    assert!(!desk.sent().contains(&SIGN));
    drop(session);
}

#[test]
fn our_signature_for_one_party_ends_no_login_of_the_other() {
    let desk = Desk::new();
    let other = desk.shield();
    let policy = Policy { keep_login: true, ..Policy::of(Role::Customs) };
    let kept = Unlock::of(Role::Customs).policy(policy);
    let session = other.unlock(kept, &mut typist(CUSTOMS_PIN, &mut 0), &Wait::default()).unwrap();
    let ours = desk.shield();
    // The batch keeps its turn for two seconds each time.
    for n in 0..3 {
        sign(&ours, Role::Bank, "payment", pin(Role::Bank), &Wait::default()).unwrap();
        assert!(desk.is_logged_in(Role::Customs), "after payment {n}");
        sign_in(&session, "declaration", &Wait::default()).unwrap();
    }
    let logins = desk.seen().iter().filter(|seen| seen.is_login()).count();
    assert_eq!(logins, 1 + 3, "customs logged in once for all declarations, the bank for each payment");
    session.end();
    assert!(!desk.is_logged_in(Role::Customs) && !desk.is_logged_in(Role::Bank));
}

#[test]
fn a_customs_pin_never_reaches_the_bank_when_numbers_are_given_anew_between_our_leases() {
    let desk = Desk::new();
    let shield = desk.shield();
    let policy = Policy { keep_login: true, resends: 100, ..Policy::of(Role::Customs) };
    let kept = Unlock::of(Role::Customs).policy(policy);
    let session = shield.unlock(kept, &mut typist(CUSTOMS_PIN, &mut 0), &Wait::default()).unwrap();
    for n in 0..20 {
        for batch in [true, false] {
            // Also in the middle of a lease, as no honest card can.
            if n % 2 == 0 {
                desk.renumber()
            } else {
                desk.renumber_back()
            }
            let text = format!("document {n}");
            let signed = match batch {
                true => sign_in(&session, &text, &Wait::default()),
                false => sign(&shield, Role::Customs, &text, CUSTOMS_PIN, &Wait::default()),
            };
            let out = signed.unwrap_or_else(|e| panic!("{text}: {e}"));
            assert!(verifies(certificate(Kind::Sm2, Role::Customs), &text, &out), "{text}");
            assert_eq!((desk.tries(Role::Customs), desk.tries(Role::Bank)), ([5, 5], [6, 6]), "{text}");
        }
    }
    let seen = desk.seen();
    assert!(seen.iter().filter(|s| s.is_login()).count() >= 20 && !seen.iter().any(|s| s.is_refused()), "{seen:04X?}");
}

#[test]
fn a_wrong_customs_pin_is_counted_by_customs_when_its_number_was_the_banks() {
    let desk = Desk::new();
    let shield = desk.shield();
    for _ in 0..3 {
        desk.renumber();
        let error = sign(&shield, Role::Customs, "x", WRONG_PIN, &Wait::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PinIncorrect);
        assert_eq!((desk.tries(Role::Customs)[0], desk.tries(Role::Bank)[0]), (4, tries(Role::Bank)));
        desk.renumber_back();
    }
}

/// A device that opens one application at a time is held by whoever has one open, over any number of transactions.
#[test]
fn an_application_that_another_program_has_open_is_waited_for_and_not_closed() {
    let desk = Desk::with(Kind::Sm2, SYNO, Habits { one_application: true, ..Habits::default() });
    let shield = desk.shield();
    let session = unlock(&shield, Role::Customs);
    sign_in(&session, "before", &Wait::default()).unwrap();
    session.end();
    let session = unlock(&shield, Role::Customs);
    for batch in [false, true] {
        let sign_now = |wait: &Wait| match batch {
            false => sign(&shield, Role::Customs, "document", CUSTOMS_PIN, wait),
            true => sign_in(&session, "document", wait),
        };
        // As soon as the batch has given its lease back the other program is first.
        let end = Instant::now() + policy::LEASE_TIME + Duration::from_secs(20);
        let told = loop {
            match desk.foreign([0x80, 0x26, 0, 0], b"bank", 10) {
                (told, 0x9000) => break told,
                (_, sw) => assert!(sw == 0x6A90 && Instant::now() < end, "{sw:04X}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        // Long enough that the device is asked and answers on a machine that has much else to do.
        let (since, patience) = (Instant::now(), Duration::from_secs(4));
        let error = sign_now(&Wait::at_most(patience)).unwrap_err();
        assert_eq!((error.kind(), error.raw_status()), (ErrorKind::Busy, Some(&Status::Sw(0x6A90))), "{error}");
        let waited = since.elapsed();
        assert!(
            waited < patience + Duration::from_secs(5) && waited >= patience - Duration::from_millis(50),
            "{waited:?}"
        );
        let out = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(300));
                desk.foreign([0x80, 0x28, 0, 0], &told[8..], 0);
            });
            sign_now(&Wait::default()).unwrap_or_else(|e| panic!("{batch}: {e}"))
        });
        assert!(verifies(certificate(Kind::Sm2, Role::Customs), "document", &out));
    }
    assert!(desk.seen().iter().all(|seen| !seen.is_refused()));
}

#[test]
fn applications_that_others_close_and_logins_that_they_end_cost_us_nothing() {
    let desk = Desk::new();
    let shield = desk.shield();
    let session = unlock(&shield, Role::Customs);
    for n in 0..20_u8 {
        let number = [0x10, n & 1];
        // Close, or end the login, or reset: by number, as a program does that opened it as well.
        match n % 3 {
            0 => drop(desk.foreign([0x80, 0x28, 0, 0], &number, 0)),
            1 => drop(desk.foreign([0x80, 0x1C, 0, 0], &number, 0)),
            _ => desk.readers.reset(crate::gm_desk::READER),
        }
        let text = format!("document {n}");
        let out = sign_in(&session, &text, &Wait::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert!(verifies(certificate(Kind::Sm2, Role::Customs), &text, &out), "{text}");
    }
    assert!(desk.seen().iter().all(|seen| !seen.is_refused()));
    assert_eq!(desk.tries(Role::Customs), [5, 5]);
}
