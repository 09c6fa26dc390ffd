//! A role's PIN is changed on a PKCS#11 token; OpenSC's tool is the judge.

#[path = "support/desk.rs"]
mod desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::path::Path;
use std::process::Command;

use desk::{BANK_PIN, CUSTOMS_PIN};
use shared_shield::{Consent, ErrorKind, Pin, Role, Selector, Shield, Wait};

const NEW: &str = "502918374651";

fn pin(text: &str) -> Pin {
    Pin::new(Role::Customs, text.as_bytes()).unwrap()
}

fn change(shield: &Shield, old: &str, new: &str) -> Result<(), ErrorKind> {
    let (old, new) = (pin(old), pin(new));
    let wait = Wait::default();
    shield.change_pin(Role::Customs, &Selector::default(), (&old, &new), Consent::None, &wait).map_err(|e| e.kind())
}

/// Whether OpenSC's tool can log in to a token.
fn opens(label: &str, pin: &str) -> bool {
    let tool = Command::new("pkcs11-tool")
        .args(["--module", softhsm::MODULE, "--token-label", label, "--login", "--pin", pin, "-O"])
        .output()
        .unwrap();
    tool.status.success()
}

#[test]
fn a_changed_pin_opens_its_token_and_the_other_certificates_pin_stays() {
    softhsm::story("a_changed_pin_opens_its_token_and_the_other_certificates_pin_stays", |hsm| {
        desk::make(hsm, desk::Keys::P256);
        let shield = desk::shield(hsm, Path::new(softhsm::MODULE));
        assert!(opens("customs", CUSTOMS_PIN));
        change(&shield, CUSTOMS_PIN, NEW).unwrap();
        assert!(opens("customs", NEW), "the new PIN opens the customs token");
        assert!(!opens("customs", CUSTOMS_PIN), "the old one does not");
        assert!(opens("bank", BANK_PIN), "the bank's PIN is as it was");
    });
}

#[test]
fn a_wrong_old_pin_changes_nothing_and_the_next_try_needs_a_word() {
    softhsm::story("a_wrong_old_pin_changes_nothing_and_the_next_try_needs_a_word", |hsm| {
        desk::make(hsm, desk::Keys::P256);
        let shield = desk::shield(hsm, Path::new(softhsm::MODULE));
        assert_eq!(change(&shield, "111111111111", NEW), Err(ErrorKind::PinIncorrect));
        assert_eq!(change(&shield, CUSTOMS_PIN, NEW), Err(ErrorKind::TriesUnknown), "SoftHSM does not count tries");
        assert!(opens("customs", CUSTOMS_PIN));
    });
}

#[test]
fn a_new_pin_that_the_token_does_not_take_leaves_the_old_one_in_force() {
    softhsm::story("a_new_pin_that_the_token_does_not_take_leaves_the_old_one_in_force", |hsm| {
        desk::make(hsm, desk::Keys::P256);
        let shield = desk::shield(hsm, Path::new(softhsm::MODULE));
        assert_eq!(change(&shield, CUSTOMS_PIN, "123"), Err(ErrorKind::NewPinRefused), "SoftHSM wants 4 characters");
        assert!(opens("customs", CUSTOMS_PIN));
        let other = Pin::new(Role::Bank, b"502918374651").unwrap();
        let (selector, wait) = (Selector::default(), Wait::default());
        let mixed = shield.change_pin(Role::Customs, &selector, (&pin(CUSTOMS_PIN), &other), Consent::None, &wait);
        assert_eq!(mixed.unwrap_err().kind(), ErrorKind::PinRole, "a PIN that was typed for the bank");
        let puk = pin("12345678");
        let unblock = shield.unblock_pin(Role::Customs, &selector, (&puk, &pin(NEW)), Consent::None, &wait);
        assert_eq!(unblock.unwrap_err().kind(), ErrorKind::Unsupported);
        assert!(opens("customs", CUSTOMS_PIN));
    });
}
