//! Declarations with 9A, payments with 9C; xmlsec1 and openssl judge.

use crate::desk::Desk;
use crate::piv_card::{Key, Neighbour};

const PIN: [&str; 2] = ["--pin-env", "PIN"];

fn both_roles_sign(name: &str, key: Key) {
    let Some(desk) = Desk::new(name, key) else { return };
    let args = ["sign-declaration", "CEB621.xml", "CEB311.xml", "--out-dir", "signed"];
    desk.shield(&[&args[..], &PIN].concat()).expect(0, &["2 signed", "customs certificate"]);
    let judge = |file: &str| desk.shell(&format!("xmlsec1 --verify --trusted-pem customs-ca.pem {file}"));
    assert!(judge("signed/CEB621.xml") && judge("signed/CEB311.xml"), "xmlsec1 refuses");
    assert!(desk.shell(
        "sed 's/<ceb:appTime>2/<ceb:appTime>1/' signed/CEB621.xml >other.xml && ! cmp -s signed/CEB621.xml other.xml"
    ));
    assert!(!judge("other.xml"), "xmlsec1 accepts a document that was changed");

    let pay = ["sign-payment", "order.txt", "--out", "order.p7m", "--text", "Pay CNY 100.00 to Synthetic Trading Co"];
    desk.shield(&[&pay[..], &PIN].concat()).expect(0, &["signed order.p7m", "bank certificate"]);
    let accepts = |file: &str| {
        let fixed = "openssl cms -verify -inform DER -CAfile bank-ca.pem -purpose any -out content";
        desk.shell(&format!("{fixed} -in {file}"))
    };
    assert!(accepts("order.p7m") && desk.shell("cmp content order.txt"), "openssl refuses");
    assert!(desk.shell("sed 's/100\\.00/900.00/' order.p7m >other.p7m"));
    assert!(!accepts("other.p7m"), "openssl accepts another payment");
}

#[test]
fn a_declaration_and_a_payment_are_signed_on_a_card() {
    both_roles_sign("signing::a_declaration_and_a_payment_are_signed_on_a_card", Key::P256);
}

#[test]
fn a_declaration_and_a_payment_are_signed_on_a_card_with_rsa() {
    both_roles_sign("signing::a_declaration_and_a_payment_are_signed_on_a_card_with_rsa", Key::Rsa2048);
}

#[test]
fn a_certificate_is_opened_by_reference_and_nothing_else_is_read() {
    let Some(desk) = Desk::new("signing::a_certificate_is_opened_by_reference", Key::P256) else { return };
    let list = desk.shield(&["list", "--json"]).expect(0, &[]).json();
    let all = list["shields"][0]["certificates"].as_array().unwrap();
    let bank = all.iter().find(|c| c["role"] == "bank").unwrap()["references"][0].as_str().unwrap().to_owned();
    assert!(bank.starts_with("piv:") && bank.contains("/9C/"), "{bank}");
    let before = desk.card.commands().len();
    let sign = ["sign-raw", "order.txt", "--role", "bank", "--out", "order.sig"];
    desk.shield(&[&sign[..], &PIN, &["--credential", &bank]].concat()).expect(0, &["signed order.sig"]);
    // GET DATA (CB) of the one certificate: 9C's object is 5FC10A, and each answer may come in parts (C0).
    let reads = desk.card.commands()[before..].iter().filter(|c| c.ins == 0xCB).count();
    assert!(reads <= 2, "{reads} objects were read");
    // The same place with another certificate is none that this reference means: nobody is asked for a PIN.
    let (door, _) = bank.rsplit_once('/').unwrap();
    let other = format!("{door}/{}", "ab".repeat(32));
    let before = desk.logins();
    desk.shield(&[&sign[..], &PIN, &["--overwrite", "--credential", &other]].concat())
        .expect(3, &["SH-1004", "no certificate with this reference"]);
    assert_eq!(desk.logins(), before);
}

#[test]
fn a_wrong_pin_costs_one_try_and_the_last_is_not_spent() {
    let Some(desk) = Desk::new("signing::a_wrong_pin_costs_one_try", Key::P256) else { return };
    let sign = ["sign-raw", "order.txt", "--role", "customs", "--out", "order.sig"];
    let wrong = || desk.shield(&[&sign[..], &["--pin-env", "WRONG_PIN"]].concat());
    let before = desk.logins();
    wrong().expect(4, &["SH-2001", "tries left: 2"]);
    wrong().expect(4, &["SH-2001", "tries left: 1"]);
    assert_eq!(desk.logins() - before, 2);
    wrong().expect(4, &["SH-2003", "--spend-last-try"]);
    desk.shield(&["doctor"]).expect(4, &["SH-2003", "BAD"]);
    assert_eq!(desk.logins() - before, 2, "the last try was spent");
    desk.shield(&[&sign[..], &PIN, &["--spend-last-try"]].concat()).expect(0, &["signed order.sig"]);
    // All tries are back.
    desk.shield(&[&sign[..], &["--pin-env", "WRONG_PIN", "--overwrite"]].concat()).expect(4, &["tries left: 2"]);
}

#[test]
fn whoever_waits_for_another_program_is_told_and_does_not_wait_for_ever() {
    let Some(desk) = Desk::new("signing::whoever_waits_for_another_program", Key::P256) else { return };
    let sign = ["sign-raw", "order.txt", "--role", "customs", "--out", "order.sig"];
    let held = Neighbour::holds(&desk.pcscd, desk.card.reader(), "transaction", 4_000);
    let since = std::time::Instant::now();
    desk.shield(&[&["--wait", "1"], &sign[..], &PIN].concat()).expect(3, &["SH-10"]);
    assert!(since.elapsed().as_secs() < 3, "{:?}", since.elapsed());
    let waited = desk.shield(&[&sign[..], &PIN].concat()).expect(0, &["signed order.sig"]);
    assert!(waited.err.contains("waiting for the shield"), "{waited:?}");
    held.wait();
    let quick = desk.shield(&[&sign[..], &PIN, &["--overwrite"]].concat()).expect(0, &["signed order.sig"]);
    assert!(!quick.err.contains("waiting"), "{quick:?}");
}
