//! Where PINs go, counted by a module that writes every call down.

#[path = "support/desk.rs"]
mod desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use desk::{BANK_PIN, CUSTOMS_PIN, Keys, Shim, Typist, sha256, sign};
use shared_shield::{Consent, Content, ErrorKind, PinStatus, Request, Role, Unlock, Wait};

fn story(name: &str, body: impl FnOnce(&softhsm::SoftHsm, &Shim)) {
    softhsm::story_with(name, Shim::env, |hsm| match Shim::of(hsm) {
        Some(shim) => {
            desk::make(hsm, Keys::P256);
            body(hsm, &shim);
        }
        None => softhsm::skip(name, "the shim is not built (cargo build --manifest-path tests/modules/Cargo.toml)"),
    });
}

#[test]
fn the_customs_pin_never_reaches_the_bank_token_nor_the_reverse() {
    story("the_customs_pin_never_reaches_the_bank_token_nor_the_reverse", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        let mut typist = Typist::right();
        for role in [Role::Customs, Role::Bank, Role::Customs, Role::Bank] {
            sign(&shield, role, &mut typist, Consent::None, &mut Vec::new()).unwrap();
        }
        assert_eq!(typist.asked, 4);
        let logins = shim.calls("C_Login");
        assert_eq!(logins.len(), 4, "{logins:#?}");
        for (token, pin) in [("customs", CUSTOMS_PIN), ("bank", BANK_PIN)] {
            let mine: Vec<_> = logins.iter().filter(|l| l.contains(&format!("token={token} "))).collect();
            assert_eq!(mine.len(), 2);
            assert!(mine.iter().all(|l| l.contains(&sha256(pin)) && l.contains("rv=0x0")), "{mine:#?}");
        }
        // The check above can fail: the other PIN's digest is another one.
        assert_ne!(sha256(CUSTOMS_PIN), sha256(BANK_PIN));
        assert_eq!(shim.calls("C_Logout").len(), 4, "each login ends with its call");
        assert_eq!(shim.calls("C_Finalize").len(), 0);
    });
}

#[test]
fn an_empty_pin_never_reaches_the_module() {
    story("an_empty_pin_never_reaches_the_module", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        for nothing in ["", "12345678901234567890123456789012345678901234567890123456789012345", "12\n34"] {
            let refused = sign(&shield, Role::Customs, &mut Typist::always(nothing), Consent::LastTry, &mut Vec::new());
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::PinDeclined);
        }
        assert_eq!(shim.calls("C_Login").len(), 0);
        sign(&shield, Role::Customs, &mut Typist::right(), Consent::None, &mut Vec::new()).unwrap();
        assert_eq!(shim.calls("C_Login").len(), 1, "the count counts");
    });
}

#[test]
fn a_refused_pin_is_not_sent_again_until_a_person_says_so() {
    story("a_refused_pin_is_not_sent_again_until_a_person_says_so", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        let mut out = Vec::new();
        let wrong =
            sign(&shield, Role::Customs, &mut Typist::always("000000000000"), Consent::None, &mut out).unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::PinIncorrect, "{wrong}");
        assert_eq!(wrong.tries_left(), Some(PinStatus::Unknown { refused: true }));
        assert_eq!(shim.calls("C_Login").len(), 1);

        let mut typist = Typist::right();
        let guarded = sign(&shield, Role::Customs, &mut typist, Consent::None, &mut out).unwrap_err();
        assert_eq!(guarded.kind(), ErrorKind::TriesUnknown, "{guarded}");
        assert_eq!((typist.asked, shim.calls("C_Login").len()), (0, 1), "nobody is asked, nothing is sent");

        sign(&shield, Role::Bank, &mut typist, Consent::None, &mut out).unwrap();
        assert_eq!(shim.calls("C_Login").len(), 2, "the bank is not concerned");
        sign(&shield, Role::Customs, &mut typist, Consent::AfterRefusal, &mut Vec::new()).unwrap();
        assert_eq!(shim.calls("C_Login").len(), 3);
        let quiet = shield.pin_status(Role::Customs, &Default::default(), &Wait::default()).unwrap();
        assert_eq!(quiet, PinStatus::Unknown { refused: false }, "the right PIN clears it");
    });
}

#[test]
fn a_flipped_bit_in_a_signature_leaves_nothing_written_and_says_why() {
    story("a_flipped_bit_in_a_signature_leaves_nothing_written_and_says_why", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        shim.rules("flip-signature\n");
        let mut out = Vec::new();
        let wrong = sign(&shield, Role::Bank, &mut Typist::right(), Consent::None, &mut out).unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::SignatureWrong, "{wrong}");
        assert!(out.is_empty());
        assert!(shim.calls("C_Sign").iter().any(|l| l.contains("fault=flip-signature")), "the fault was made");
        assert!(wrong.message_zh().contains("未写出任何内容"));
        shim.rules("");
        sign(&shield, Role::Bank, &mut Typist::right(), Consent::None, &mut out).unwrap();
        assert!(!out.is_empty());
    });
}

#[test]
fn a_batch_logs_in_once_and_out_when_it_ends() {
    story("a_batch_logs_in_once_and_out_when_it_ends", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        let session = shield.unlock(Unlock::of(Role::Customs), &mut Typist::right(), &Wait::default()).unwrap();
        let request = || Request::raw(Role::Customs, Content::bytes(*b"line"));
        for _ in 0..40 {
            session.sign(request(), &Wait::default(), &mut Vec::new()).unwrap();
        }
        assert_eq!(shim.calls("C_Login").len(), 1);
        assert_eq!(shim.calls("C_Logout").len(), 0, "the login is held between leases");
        session.end();
        assert_eq!(shim.calls("C_Logout").len(), 1);
    });
}

#[test]
fn a_login_that_is_lost_while_one_try_is_left_is_not_repaired() {
    story("a_login_that_is_lost_while_one_try_is_left_is_not_repaired", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        let session = shield.unlock(Unlock::of(Role::Customs), &mut Typist::right(), &Wait::default()).unwrap();
        let sign = || {
            let request = Request::raw(Role::Customs, Content::bytes(*b"line"));
            session.sign(request, &Wait::default(), &mut Vec::new())
        };
        sign().unwrap();
        // CKF_USER_PIN_FINAL_TRY, and a session that does not know of its login any more.
        shim.rules("rv C_GetSessionInfo 0xB3 token=customs\nflags-or 0x20000 token=customs\n");
        assert_eq!(sign().unwrap_err().kind(), ErrorKind::LastTry);
        assert!(shim.calls("C_GetSessionInfo").iter().any(|l| l.contains("fault=rv")), "the fault was made");
        assert_eq!(shim.calls("C_Login").len(), 1, "the unlock alone");
        shim.rules("");
        assert_eq!(sign().unwrap_err().kind(), ErrorKind::SessionEnded);
    });
}

#[test]
fn a_login_that_fails_with_a_code_of_its_own_counts_as_a_refusal() {
    story("a_login_that_fails_with_a_code_of_its_own_counts_as_a_refusal", |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        shim.rules("rv C_Login 0x80000123\n");
        let mut typist = Typist::right();
        let odd = sign(&shield, Role::Bank, &mut typist, Consent::None, &mut Vec::new()).unwrap_err();
        assert_eq!(odd.kind(), ErrorKind::LoginFailed, "{odd}");
        assert!(odd.to_string().contains("CKR_VENDOR_DEFINED(0x80000123)"), "{odd}");
        shim.rules("");
        let guarded = sign(&shield, Role::Bank, &mut typist, Consent::None, &mut Vec::new()).unwrap_err();
        assert_eq!(guarded.kind(), ErrorKind::TriesUnknown, "{guarded}");
        assert_eq!(shim.calls("C_Login").len(), 1);
    });
}
