//! Logins: the host's, several threads', and two PINs on one token.
#![cfg(feature = "pkcs11")]

#[path = "support/desk.rs"]
mod desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::path::Path;
use std::time::Duration;

use desk::{BANK_PIN, CUSTOMS_PIN, Keys, Typist};
use shared_shield::{Consent, Content, ErrorKind, PinStatus, Recovery, Request, Role, Unlock, Wait};
use softhsm::{Host, MODULE, story};

#[test]
fn a_login_of_the_host_is_never_taken_for_a_right_pin() {
    story("a_login_of_the_host_is_never_taken_for_a_right_pin", |hsm| {
        desk::make(hsm, Keys::P256);
        let shield = desk::shield(hsm, Path::new(MODULE));
        let host = Host::beside(MODULE);
        let theirs = host.login(host.slot("customs"), CUSTOMS_PIN);
        let mut out = Vec::new();
        for typed in [CUSTOMS_PIN, "000000000000"] {
            let refused =
                desk::sign(&shield, Role::Customs, &mut Typist::always(typed), Consent::None, &mut out).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::LoginHeldByHost, "{refused}");
            assert_eq!(refused.recovery(), Recovery::CloseOtherProgram);
        }
        assert!(out.is_empty());
        // The other token is not concerned, and the host's login has not suffered.
        desk::sign(&shield, Role::Bank, &mut Typist::right(), Consent::None, &mut out).unwrap();
        host.p256(&theirs, &[9], "still logged in", &[]);
        theirs.logout().unwrap();
        desk::sign(&shield, Role::Customs, &mut Typist::right(), Consent::None, &mut out).unwrap();
        // Our login ended with the call: the host gets its turn.
        drop(theirs);
        host.login(host.slot("customs"), CUSTOMS_PIN);
    });
}

#[test]
fn the_host_goes_on_after_the_shields_are_dropped() {
    story("the_host_goes_on_after_the_shields_are_dropped", |hsm| {
        desk::make(hsm, Keys::P256);
        let host = Host::new();
        let session = host.login(host.slot("bank"), BANK_PIN);
        let shield = desk::shield(hsm, Path::new(MODULE));
        desk::sign(&shield, Role::Customs, &mut Typist::right(), Consent::None, &mut Vec::new()).unwrap();
        drop(shield);
        host.p256(&session, &[9], "after", &[]);
        host.p11.finalize().unwrap();
    });
}

#[test]
fn a_host_that_ends_its_use_of_the_module_does_not_end_ours() {
    story("a_host_that_ends_its_use_of_the_module_does_not_end_ours", |hsm| {
        desk::make(hsm, Keys::P256);
        let shield = desk::shield(hsm, Path::new(MODULE));
        let batch = shield.unlock(Unlock::of(Role::Customs), &mut Typist::right(), &Wait::default()).unwrap();
        Host::beside(MODULE).p11.finalize().unwrap();
        let request = || Request::raw(Role::Customs, Content::bytes(*b"line"));
        // What was open is lost; it may take one failure to notice.
        let results: Vec<_> = (0..3).map(|_| batch.sign(request(), &Wait::default(), &mut Vec::new())).collect();
        assert!(results.last().unwrap().is_ok(), "{results:?}");
        desk::sign(&shield, Role::Bank, &mut Typist::right(), Consent::None, &mut Vec::new()).unwrap();
    });
}

#[test]
fn threads_with_both_pins_sign_at_once_without_a_batch() {
    story("threads_with_both_pins_sign_at_once_without_a_batch", |hsm| {
        desk::make(hsm, Keys::P256);
        let shield = desk::shield(hsm, Path::new(MODULE));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let shield = &shield;
                scope.spawn(move || {
                    for n in 0..25 {
                        let role = Role::ALL[(thread + n) % 2];
                        desk::sign(shield, role, &mut Typist::right(), Consent::None, &mut Vec::new()).unwrap();
                    }
                });
            }
        });
    });
}

#[test]
fn a_wrong_pin_beside_an_open_batch_is_not_let_in_by_its_login() {
    story("a_wrong_pin_beside_an_open_batch_is_not_let_in_by_its_login", |hsm| {
        desk::make(hsm, Keys::P256);
        let shield = desk::shield(hsm, Path::new(MODULE));
        let batch = shield.unlock(Unlock::of(Role::Customs), &mut Typist::right(), &Wait::default()).unwrap();
        let (mut out, wait) = (Vec::new(), Wait::at_most(Duration::from_millis(300)));
        let request = || Request::raw(Role::Customs, Content::bytes(*b"line"));
        let refused = shield.sign(request(), &mut Typist::always("000000000000"), &wait, &mut out).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::Busy | ErrorKind::Timeout), "{refused}");
        assert!(out.is_empty());
        // No try was spent, the batch goes on, and the right PIN shares its login.
        let status = shield.pin_status(Role::Customs, &Default::default(), &Wait::default()).unwrap();
        assert_eq!(status, PinStatus::Unknown { refused: false });
        batch.sign(request(), &Wait::default(), &mut out).unwrap();
        desk::sign(&shield, Role::Customs, &mut Typist::right(), Consent::None, &mut out).unwrap();
    });
}
