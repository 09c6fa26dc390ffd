//! The shield pulled out and back, the service stopped and started, and both parties' PINs over all of that.

use shared_shield::{ErrorKind, Event, Role, Wait};

use crate::desk::shield;
use crate::gm_desk::{sign, verifies};
use crate::gm_remote;
use crate::gm_shield::{Kind, SYNO, WRONG_PIN, issued, pin, scanner, sign_in, unlock};
use shared_shield::link;
use shared_shield::simulator::Habits;

fn issue() -> shared_shield::simulator::Simulator {
    issued(Kind::Sm2, SYNO, Habits::default(), &Role::ALL)
}

#[test]
fn a_shield_that_is_pulled_out_and_back_signs_again_for_both_parties() {
    let name = "plugged::a_shield_that_is_pulled_out_and_back_signs_again_for_both_parties";
    gm_remote::story(name, issue, |_, remote| {
        let shield = shield();
        let by = |role| shield.credential(role, &Default::default()).unwrap().certificate;
        let session = unlock(&shield, Role::Customs);
        for n in 0..3 {
            let text = format!("document {n}");
            let out = sign_in(&session, &text, &Wait::default()).unwrap();
            assert!(verifies(by(Role::Customs).der(), &text, &out));
            remote.remove();
            let error = sign_in(&session, "nothing", &Wait::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CardRemoved, "{error}");
            let error = sign(&shield, Role::Bank, "nothing", pin(Role::Bank), &Wait::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CardRemoved, "{error}");
            remote.insert();
            let out = sign(&shield, Role::Bank, &text, pin(Role::Bank), &Wait::default()).unwrap();
            assert!(verifies(by(Role::Bank).der(), &text, &out), "the same handle");
        }
        let (logins, refused) = remote.logins();
        assert_eq!((logins, refused), (1 + 2 + 3, 0), "customs once for each insertion, the bank for each payment");
    });
}

#[test]
fn a_batch_goes_on_when_the_service_is_stopped_and_started() {
    gm_remote::story("plugged::a_batch_goes_on_when_the_service_is_stopped_and_started", issue, |pcscd, remote| {
        let shield = shield();
        let by = shield.credential(Role::Customs, &Default::default()).unwrap().certificate;
        let session = unlock(&shield, Role::Customs);
        for n in 0..12 {
            if n == 4 || n == 8 {
                pcscd.kill();
                pcscd.restart();
                // The card's end of the reader went with the service.
                remote.insert();
            }
            let text = format!("document {n}");
            let out = sign_in(&session, &text, &Wait::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert!(verifies(by.der(), &text, &out), "{text}");
        }
        assert_eq!(remote.logins().1, 0);
    });
}

#[test]
fn arrival_and_removal_are_told_once_and_cost_no_pin() {
    gm_remote::story("plugged::arrival_and_removal_are_told_once_and_cost_no_pin", issue, |_, remote| {
        let mut watch = scanner(link::pcsc::system(), SYNO).watch().unwrap();
        let mut next = || watch.next(&Wait::default()).unwrap();
        let Some(Event::Arrived(shield)) = next() else { panic!("it does not arrive") };
        remote.remove();
        assert!(matches!(next(), Some(Event::Removed { serial }) if serial == shield.serial()));
        remote.insert();
        assert!(matches!(next(), Some(Event::Returned(back)) if back.serial() == shield.serial()));
        assert_eq!(remote.logins(), (0, 0));
    });
}

#[test]
fn tries_are_the_devices_and_outlive_its_removal() {
    gm_remote::story("plugged::tries_are_the_devices_and_outlive_its_removal", issue, |_, remote| {
        for left in [4_u8, 3, 2, 1] {
            let shield = shield();
            let error = sign(&shield, Role::Customs, "x", WRONG_PIN, &Wait::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::PinIncorrect, "{error}");
            assert_eq!(error.tries_left(), Some(shared_shield::PinStatus::Known(left)));
            remote.remove();
            remote.insert();
        }
        let shield = shield();
        let error = sign(&shield, Role::Customs, "x", pin(Role::Customs), &Wait::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LastTry);
        sign(&shield, Role::Bank, "x", pin(Role::Bank), &Wait::default()).unwrap();
        assert_eq!(remote.logins(), (5, 4));
    });
}
