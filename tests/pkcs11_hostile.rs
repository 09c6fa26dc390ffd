//! Modules that lie, hang and invent: no crash, no allocation by their word, an answer in time, a try never lost.
#![cfg(feature = "pkcs11")]

#[path = "support/desk.rs"]
mod desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::sync::Arc;
use std::time::Duration;

use desk::{Keys, Shim, Typist};
use shared_shield::{
    Consent, Content, Error, ErrorKind, PinEntry, PinQuestion, Profile, Recovery, Request, Role, Scan, Scanner, Shield,
    Wait,
};
use softhsm::SoftHsm;

fn story(name: &str, body: impl FnOnce(&SoftHsm, &Shim)) {
    softhsm::story_with(name, Shim::env, |hsm| match Shim::of(hsm) {
        Some(shim) => {
            desk::make(hsm, Keys::P256);
            body(hsm, &shim);
        }
        None => softhsm::skip(name, "the shim is not built (cargo build --manifest-path tests/modules/Cargo.toml)"),
    });
}

fn scan(hsm: &SoftHsm, shim: &Shim, wait: &Wait) -> Scan {
    let profile = Arc::new(Profile::load(&hsm.dir().join("profile.toml")).unwrap());
    Scanner::new().profile(profile).module(&shim.module).scan(wait).unwrap()
}

fn kinds(scan: &Scan) -> Vec<ErrorKind> {
    scan.problems.iter().map(Error::kind).collect()
}

fn sign(shield: &Shield, role: Role, consent: Consent) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let signed = desk::sign(shield, role, &mut Typist::right(), consent, &mut out);
    assert!(signed.is_ok() || out.is_empty(), "nothing leaves with an error");
    signed.map(|_| out)
}

#[test]
fn counts_and_lengths_that_cannot_be_are_refused_while_scanning() {
    story("counts_and_lengths_that_cannot_be_are_refused_while_scanning", |hsm, shim| {
        for rule in ["slots 1000000", "slots 1099511627776", "slots 1000 on=data", "slots 1000000 on=data"] {
            shim.rules(rule);
            let lied = scan(hsm, shim, &Wait::default());
            assert!(lied.shields.is_empty(), "{rule}");
            assert_eq!(kinds(&lied), [ErrorKind::TokenAnswer], "{rule}");
        }
        for rule in ["find-count 100000", "find-count 33", "find-count unavailable"] {
            shim.rules(rule);
            let lied = scan(hsm, shim, &Wait::default());
            assert_eq!(kinds(&lied), [ErrorKind::TokenAnswer; 2], "{rule}");
        }
        for rule in
            ["huge-attribute type=0x11", "huge-attribute 16385 type=0x11", "huge-attribute 5000 type=0x11 on=data"]
        {
            shim.rules(rule);
            let lied = scan(hsm, shim, &Wait::default());
            // The tokens are there, their certificates are not believed.
            assert_eq!(lied.shields.len(), 1, "{rule}");
            assert_eq!(kinds(&lied), [ErrorKind::TokenAnswer; 2], "{rule}");
        }
        shim.rules("huge-attribute unavailable type=0x11\n");
        assert_eq!(kinds(&scan(hsm, shim, &Wait::default())), [ErrorKind::CertificateMalformed; 2]);
        shim.rules("endless-find");
        scan(hsm, shim, &Wait::default());
        shim.rules("deny-find");
        assert_eq!(scan(hsm, shim, &Wait::default()).only().unwrap().certificates().len(), 0);
        shim.rules("");
        let honest = scan(hsm, shim, &Wait::default());
        assert_eq!(honest.only().unwrap().certificates().len(), 2);
        assert_eq!(kinds(&honest), []);
    });
}

#[test]
fn a_signature_of_a_length_that_cannot_be_is_refused() {
    story("a_signature_of_a_length_that_cannot_be_is_refused", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        for rule in [
            "long-signature 1099511627776",
            "long-signature 1025",
            "long-signature unavailable",
            "long-signature 65",
            "short-signature 0",
            "short-signature 63",
        ] {
            shim.rules(rule);
            let lied = sign(&shield, Role::Customs, Consent::None).unwrap_err();
            assert_eq!(lied.kind(), ErrorKind::TokenAnswer, "{rule}: {lied}");
            assert!(shim.calls("C_Sign").last().unwrap().contains("fault="), "{rule}");
        }
        shim.rules("");
        sign(&shield, Role::Customs, Consent::None).unwrap();
    });
}

#[test]
fn a_vendors_own_return_value_is_kept() {
    story("a_vendors_own_return_value_is_kept", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        shim.rules("vendor-rv C_Sign 0x80000123 times=1");
        let odd = sign(&shield, Role::Bank, Consent::None).unwrap_err();
        assert_eq!(odd.raw_status().unwrap().to_string(), "CKR_VENDOR_DEFINED(0x80000123)");
        assert!(odd.to_string().contains("C_Sign: CKR_VENDOR_DEFINED(0x80000123)"), "{odd}");
        sign(&shield, Role::Bank, Consent::None).unwrap();
    });
}

#[test]
fn what_c_login_answers_is_told_apart() {
    story("what_c_login_answers_is_told_apart", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        let office = Recovery::UnlockAtIssuer(Some(Role::Customs));
        let pin = Recovery::EnterPin(Some(Role::Customs));
        for (rv, kind, recovery) in [
            ("0xa4", ErrorKind::PinLocked, office),
            ("0xa3", ErrorKind::PinNotSet, office),
            ("0x102", ErrorKind::PinNotSet, office),
            ("0xa2", ErrorKind::PinLength, pin),
            ("0x100", ErrorKind::LoginHeldByHost, Recovery::CloseOtherProgram),
            ("0x104", ErrorKind::LoginHeldByHost, Recovery::CloseOtherProgram),
            ("0x30", ErrorKind::LoginFailed, pin),
            ("0x32", ErrorKind::TokenFailed, Recovery::InsertShield),
            ("0xe0", ErrorKind::TokenFailed, Recovery::InsertShield),
            ("0x20", ErrorKind::LoginFailed, pin),
            ("0x80000001", ErrorKind::LoginFailed, pin),
            ("0xb1", ErrorKind::Busy, Recovery::CloseOtherProgram),
            ("0x50", ErrorKind::PinDeclined, pin),
        ] {
            shim.rules(&format!("rv C_Login {rv} token=customs"));
            let refused = sign(&shield, Role::Customs, Consent::AfterRefusal).unwrap_err();
            assert_eq!((refused.kind(), refused.recovery()), (kind, recovery), "{rv}: {refused}");
            assert!(refused.raw_status().is_some(), "{rv}");
        }
        // The bank is not concerned by any of it.
        sign(&shield, Role::Bank, Consent::None).unwrap();
    });
}

#[test]
fn flags_that_speak_of_the_last_try_or_a_lock_are_believed_from_anyone() {
    story("flags_that_speak_of_the_last_try_or_a_lock_are_believed_from_anyone", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        for (flags, kind) in
            [("0x20000", ErrorKind::LastTry), ("0x40000", ErrorKind::PinLocked), ("0x60000", ErrorKind::PinLocked)]
        {
            shim.rules(&format!("flags-or {flags} token=customs"));
            let mut typist = Typist::right();
            let guarded = desk::sign(&shield, Role::Customs, &mut typist, Consent::None, &mut Vec::new()).unwrap_err();
            assert_eq!((guarded.kind(), typist.asked), (kind, 0), "{flags}: {guarded}");
            sign(&shield, Role::Bank, Consent::None).unwrap();
        }
        assert_eq!(shim.calls("C_Login").iter().filter(|l| l.contains("token=customs")).count(), 0);
    });
}

#[test]
fn a_token_that_is_swapped_for_another_does_not_get_the_pin() {
    story("a_token_that_is_swapped_for_another_does_not_get_the_pin", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        shim.rules("serial SOMEBODYELSE token=customs");
        let gone = sign(&shield, Role::Customs, Consent::None).unwrap_err();
        assert_eq!((gone.kind(), gone.recovery()), (ErrorKind::TokenFailed, Recovery::InsertShield), "{gone}");
        assert_eq!(shim.calls("C_Login").len(), 0);
        shim.rules("");
        sign(&shield, Role::Customs, Consent::None).unwrap();
    });
}

#[test]
fn two_tokens_that_cannot_be_told_apart_get_no_pin() {
    story("two_tokens_that_cannot_be_told_apart_get_no_pin", |hsm, shim| {
        shim.rules("serial TWIN\nlabel twin\n");
        let twins = scan(hsm, shim, &Wait::default());
        assert!(kinds(&twins).contains(&ErrorKind::SeveralShields), "{:?}", twins.problems);
        assert!(twins.shields.is_empty());
        shim.rules("serial SAME0001\n");
        let parts = scan(hsm, shim, &Wait::default());
        assert_eq!(parts.only().unwrap().doors().count(), 2, "equal serials are parts of one shield");
        shim.rules("serial 0000000000000000\n");
        assert_eq!(scan(hsm, shim, &Wait::default()).shields.len(), 2, "zeros say nothing");
    });
}

#[test]
fn a_token_with_a_hostile_label_is_shown_without_harm() {
    story("a_token_with_a_hostile_label_is_shown_without_harm", |hsm, shim| {
        shim.rules("label %1b[2J%07%ff%fe token=customs");
        let found = scan(hsm, shim, &Wait::default());
        let labels: Vec<_> = found.only().unwrap().doors().map(|d| d.label.clone()).collect();
        assert!(labels.iter().all(|l| !l.chars().any(char::is_control)), "{labels:?}");
        sign(found.only().unwrap(), Role::Customs, Consent::None).unwrap();
    });
}

#[test]
fn a_module_that_hangs_is_given_up_in_time_and_what_others_showed_is_kept() {
    story("a_module_that_hangs_is_given_up_in_time_and_what_others_showed_is_kept", |hsm, shim| {
        let wait = || Wait::at_most(Duration::from_millis(400));
        for function in ["C_GetSlotList", "C_GetTokenInfo", "C_OpenSession", "C_FindObjectsInit", "C_GetAttributeValue"]
        {
            shim.rules(&format!("hang {function}"));
            let stuck = scan(hsm, shim, &wait());
            assert!(stuck.shields.is_empty(), "{function}");
            assert!(kinds(&stuck).contains(&ErrorKind::Timeout), "{function}: {:?}", stuck.problems);
            shim.rules("");
        }
        // One token hangs: the other is there.
        let shield = desk::shield(hsm, &shim.module);
        for function in ["C_Login", "C_SignInit", "C_Sign"] {
            shim.rules(&format!("hang {function} token=customs"));
            let mut out = Vec::new();
            let request = Request::raw(Role::Customs, Content::bytes(*b"order 4711"));
            let stuck = shield.sign(request, &mut Typist::right(), &wait(), &mut out).unwrap_err();
            assert_eq!(stuck.kind(), ErrorKind::Timeout, "{function}: {stuck}");
            assert!(out.is_empty());
            sign(&shield, Role::Bank, Consent::None).unwrap();
            shim.rules("");
            sign(&shield, Role::Customs, Consent::None).unwrap();
        }
    });
}

#[test]
fn a_module_that_hangs_while_it_starts_is_given_up_in_time() {
    story("a_module_that_hangs_while_it_starts_is_given_up_in_time", |hsm, shim| {
        shim.rules("hang C_Initialize");
        let wait = || Wait::at_most(Duration::from_millis(200));
        for _ in 0..2 {
            let stuck = scan(hsm, shim, &wait());
            assert_eq!(kinds(&stuck), [ErrorKind::Timeout]);
            assert_eq!(stuck.only().unwrap_err().kind(), ErrorKind::Timeout);
        }
        assert_eq!(shim.calls("hang").len(), 1, "it is not started a second time meanwhile");
        shim.rules("");
        assert_eq!(scan(hsm, shim, &Wait::default()).shields.len(), 1);
    });
}

#[test]
fn a_session_is_thrown_away_after_an_error_and_the_login_ends() {
    story("a_session_is_thrown_away_after_an_error_and_the_login_ends", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        shim.rules("rv C_Sign 0x5 times=1");
        sign(&shield, Role::Customs, Consent::None).unwrap_err();
        let count = |function| shim.calls(function).len();
        assert_eq!(count("C_OpenSession"), count("C_CloseSession"), "no session is left open");
        assert_eq!((count("C_Login"), count("C_Logout")), (1, 1));
        sign(&shield, Role::Customs, Consent::None).unwrap();
    });
}

#[test]
fn a_pin_that_is_typed_on_the_device_is_asked_for_there_and_a_typed_one_is_not_sent() {
    story("a_pin_that_is_typed_on_the_device_is_asked_for_there_and_a_typed_one_is_not_sent", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        // CKF_PROTECTED_AUTHENTICATION_PATH
        shim.rules("flags-or 0x100 token=customs");
        let refused = sign(&shield, Role::Customs, Consent::None).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Argument, "{refused}");
        assert_eq!(shim.calls("C_Login").len(), 0);
        let mut asked = Vec::new();
        let mut on_device = |question: &PinQuestion<'_>| {
            asked.push(question.on_device);
            Ok(PinEntry::OnDevice)
        };
        let request = |role| Request::raw(role, Content::bytes(*b"order 4711"));
        // SoftHSM has no device to type on and refuses; what counts is what it was given.
        shield.sign(request(Role::Customs), &mut on_device, &Wait::default(), &mut Vec::new()).unwrap_err();
        let logins = shim.calls("C_Login");
        assert_eq!(logins.len(), 1);
        assert!(logins[0].contains("sha256=null"), "{logins:?}");
        // A token without that flag is not asked to open its device.
        let refused = shield.sign(request(Role::Bank), &mut on_device, &Wait::default(), &mut Vec::new()).unwrap_err();
        assert_eq!((refused.kind(), shim.calls("C_Login").len()), (ErrorKind::PinRequired, 1));
        assert_eq!(asked, [true, false]);
    });
}

#[test]
fn a_call_that_was_given_up_signs_nothing_when_the_module_comes_back() {
    story("a_call_that_was_given_up_signs_nothing_when_the_module_comes_back", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        shim.rules("hang C_Login token=customs");
        let request = Request::raw(Role::Customs, Content::bytes(*b"order 4711"));
        let wait = Wait::at_most(Duration::from_millis(300));
        let stuck = shield.sign(request, &mut Typist::right(), &wait, &mut Vec::new()).unwrap_err();
        assert_eq!(stuck.kind(), ErrorKind::Timeout, "{stuck}");
        shim.rules("");
        // The abandoned call ends when the module lets it: its session is closed, its login is over.
        let open = || shim.calls("C_OpenSession").len() > shim.calls("C_CloseSession").len();
        let patience = Wait::at_most(Duration::from_secs(20));
        while open() && !patience.remaining().is_zero() {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!open());
        assert_eq!((shim.calls("C_Login").len(), shim.calls("C_Logout").len()), (1, 1));
        assert_eq!(shim.calls("C_Sign").len(), 0);
        sign(&shield, Role::Customs, Consent::None).unwrap();
        assert_eq!(shim.calls("C_Sign").len(), 1);
    });
}
