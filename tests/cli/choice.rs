//! Which shield and which certificate signs, and how a person chooses where the role alone is not enough.

use crate::program::Desk;

const PIN: [&str; 2] = ["--pin-env", "CUSTOMS_PIN"];

#[test]
fn with_two_shields_on_the_desk_the_person_is_asked_to_choose() {
    let Some(desk) = Desk::new("with_two_shields_on_the_desk", &[]) else { return };
    desk.make("second", &["--label", "second"]);
    // One profile that knows both: the rules of the second behind those of the first.
    let both =
        [desk.read("shield/profile.toml"), desk.read("second/profile.toml")].map(|p| String::from_utf8(p).unwrap());
    let rules = both[1].split_once("[[customs.issuer]]").unwrap().1;
    desk.write("shield/profile.toml", format!("{}\n[[customs.issuer]]{rules}", both[0]));
    let shields = desk.shield(&["list", "--json"]).expect(0, &[]).json()["shields"].as_array().unwrap().len();
    assert_eq!(shields, 2);
    desk.declare(&["CEB621.xml"], &PIN).expect(5, &["SH-1005", "--fingerprint", "--credential"]);
    assert!(desk.names("signed").is_empty());
    let second = desk.fingerprint("second/customs.pem");
    desk.declare(&["CEB621.xml"], &[&PIN[..], &["--fingerprint", &second]].concat()).expect(0, &["1 signed"]);
    let judge = ["verify", "signed/CEB621.xml", "--pin-fingerprint", &second];
    desk.shield(&judge).expect(0, &["valid"]);
    // What the other shield's certificate signed is not "done" for this one.
    let first = desk.fingerprint("shield/customs.pem");
    let args = [&PIN[..], &["--fingerprint", &first]].concat();
    desk.declare(&["CEB621.xml"], &args).expect(7, &["another certificate signed it"]);
    desk.declare(&["CEB621.xml"], &[&PIN[..], &["--fingerprint", "12ab"]].concat()).expect(2, &["64 hex digits"]);
    desk.declare(&["CEB621.xml"], &[&PIN[..], &["--entity-code", "NOBODY000"]].concat()).expect(5, &["SH-3001"]);
}

#[test]
fn an_expired_certificate_signs_only_on_an_explicit_word() {
    let Some(desk) = Desk::new("an_expired_certificate", &["--expired"]) else { return };
    desk.shield(&["list"]).expect(0, &["outside-validity", "expired"]);
    desk.declare(&["CEB621.xml"], &PIN).expect(5, &["SH-3003"]);
    assert!(desk.names("signed").is_empty());
    let explicit = [&PIN[..], &["--even-outside-validity"]].concat();
    desk.declare(&["CEB621.xml"], &explicit)
        .expect(0, &["1 signed", "the certificate was not valid at the time of signing"]);
    desk.declare(&["CEB621.xml"], &["--pin-env", "WRONG_PIN", "--even-outside-validity"]).expect(0, &["1 done before"]);
    desk.shield(&["verify", "signed/CEB621.xml", "--trust", "shield/ca.pem"]).expect(6, &["VF-130"]);
    // The bank's certificate is not concerned.
    desk.write("order.txt", "pay 100.00");
    desk.shield(&["sign-raw", "--role", "bank", "order.txt", "--out", "order.sig", "--pin-env", "BANK_PIN"])
        .expect(0, &[]);
}

#[test]
fn after_a_renewal_the_earlier_certificate_is_shown_as_superseded() {
    let Some(desk) = Desk::new("after_a_renewal", &["--renewed"]) else { return };
    let list = desk.shield(&["list", "--json"]).expect(0, &[]).json();
    let customs: Vec<_> =
        list["shields"][0]["certificates"].as_array().unwrap().iter().filter(|c| c["role"] == "customs").collect();
    let standing = |s: &str| customs.iter().filter(|c| c["standing"] == s).count();
    assert_eq!((standing("serves"), standing("superseded"), standing("encryption")), (1, 1, 1), "{list:#}");
    desk.shield(&["info", "--role", "customs"]).expect(0, &["superseded", "serves", "unit code", "MA0SYN001"]);
    desk.declare(&["CEB621.xml"], &PIN).expect(0, &["1 signed"]);
    desk.shield(&["verify", "signed/CEB621.xml", "--pin-fingerprint", &desk.fingerprint("shield/customs.pem")])
        .expect(0, &[]);
}

#[test]
fn a_test_shield_never_replaces_what_is_there() {
    let Some(desk) = Desk::new("a_test_shield_never_replaces", &[]) else { return };
    let before = desk.read("shield/profile.toml");
    desk.bare(&["make-test-shield", "--dir", "shield"]).expect(7, &["SH-7002", "already"]);
    desk.bare(&["make-test-shield", "--dir", "other"]).expect(2, &["SH-9002", "use another label"]);
    assert_eq!(desk.read("shield/profile.toml"), before);
    assert_eq!(desk.names("other"), Vec::<String>::new());
    desk.declare(&["CEB621.xml"], &PIN).expect(0, &["1 signed"]);
}

#[test]
fn an_old_card_with_rsa_1024_signs_and_the_receipt_warns() {
    let Some(desk) = Desk::new("an_old_card_with_rsa_1024", &["--algorithm", "rsa1024"]) else { return };
    desk.declare(&["CEB621.xml"], &PIN).expect(0, &["1 signed", "RSA-1024, which is weak"]);
    desk.shield(&["verify", "signed/CEB621.xml", "--trust", "shield/ca.pem"]).expect(0, &["VF-150"]);
}
