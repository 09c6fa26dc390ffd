//! What `list` and `doctor` show of readers and cards.

use std::path::Path;

use crate::desk::Desk;
use crate::piv_card::{Key, PIN};

const OPENSC: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so",
    "/usr/lib/aarch64-linux-gnu/opensc-pkcs11.so",
    "/usr/lib64/opensc-pkcs11.so",
];

#[test]
fn list_shows_every_reader_and_the_way_to_every_certificate() {
    let Some(desk) = Desk::new("seen::list_shows_every_reader", Key::P256) else { return };
    let serial = desk.serial();
    let [full, empty] = desk.pcscd.readers() else { panic!("two readers") };
    let before = desk.logins();
    let words = [
        format!("Reader {}: shield {serial} (driver piv)", full.name),
        format!("Reader {}: empty", empty.name),
        format!("by way of piv:{serial}/9A/"),
        format!("by way of piv:{serial}/9C/"),
        "tries left: 3".to_owned(),
    ];
    desk.shield(&["list"]).expect(0, &words.iter().map(String::as_str).collect::<Vec<_>>());
    desk.shield(&["list", "--lang", "zh"]).expect(0, &["读卡器", "：空", "（驱动 piv）", "剩余次数： 3"]);
    let list = desk.shield(&["list", "--json"]).expect(0, &[]).json();
    assert_eq!(list["readers"][0]["state"], "card");
    assert_eq!(list["readers"][0]["door"], format!("piv:{serial}"));
    assert_eq!(list["readers"][1]["state"], "empty");
    assert_eq!(list["problems"].as_array().unwrap().len(), 0, "{list:#}");
    assert_eq!(list["shields"][0]["doors"][0]["reader"], full.name);
    // By reader; nothing was sent to be checked.
    desk.shield(&["list", "--reader", "00 00"]).expect(0, &[&serial]);
    desk.shield(&["list", "--reader", "00 01"]).expect(3, &["SH-1004"]);
    desk.shield(&["list", "--reader", "Other Maker"]).expect(3, &["SH-1024"]);
    desk.shield(&["list", "--no-readers"]).expect(2, &["--module PATH"]);
    assert_eq!(desk.logins(), before);
}

#[test]
fn a_card_that_opensc_shows_too_is_one_shield_with_two_ways() {
    const NAME: &str = "seen::a_card_that_opensc_shows_too";
    let Some(desk) = Desk::new(NAME, Key::P256) else { return };
    let Some(module) = OPENSC.into_iter().find(|m| Path::new(m).exists()) else {
        return crate::softhsm::child::skip(NAME, "opensc-pkcs11.so is not installed");
    };
    let ways = |profile: &str| {
        std::fs::write(desk.dir.join("ways.toml"), profile).unwrap();
        let mut command = desk.command(crate::desk::program());
        command.args(["--module", module, "--profile", "ways.toml", "list", "--json"]);
        let list = crate::desk::Ran::of(&command.output().unwrap()).expect(0, &[]).json();
        assert_eq!(list["shields"].as_array().unwrap().len(), 1, "{list:#}");
        let all = list["shields"][0]["certificates"].as_array().unwrap().clone();
        let customs = all.iter().find(|c| c["role"] == "customs").unwrap();
        let kinds = customs["references"].as_array().unwrap().iter();
        kinds.map(|r| r.as_str().unwrap().split(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let text = std::fs::read_to_string(&desk.made.profile).unwrap();
    assert_eq!(ways(&text), ["piv", "pkcs11"]);
    assert_eq!(
        ways(&text.replacen("test = true", "test = true\nroutes = [\"pkcs11\", \"pcsc\"]", 1)),
        ["pkcs11", "piv"]
    );
    let ran = desk.shield(&["--module", module, "doctor"]).expect(0, &["Nothing is wrong.", "DR-003"]);
    assert_eq!(ran.out.matches("\nShield ").count(), 1, "{}", ran.out);
    // What the first way cannot do is done by the other.
    let unblock = ["--module", module, "--profile", "ways.toml", "unblock", "--role", "customs"];
    let mut command = desk.command(crate::desk::program());
    command.args(unblock).args(["--puk-env", "PUK", "--new-pin-env", "PIN"]);
    crate::desk::Ran::of(&command.output().unwrap()).expect(0, &["unlocked the customs PIN"]);
    // Signatures go on by the other way when one is not there.
    let sign = ["--module", module, "--no-readers", "sign-raw", "order.txt", "--role", "customs", "--out", "order.sig"];
    desk.shield(&[&sign[..], &["--pin-env", "PIN"]].concat()).expect(0, &["signed order.sig"]);
}

#[test]
fn the_doctor_says_which_driver_took_the_card_and_why() {
    let Some(desk) = Desk::new("seen::the_doctor_says_which_driver", Key::P256) else { return };
    let before = desk.logins();
    let ran =
        desk.shield(&["doctor"]).expect(0, &["runs, 2 readers", "driver piv: takes it", "ATR 3B", "tries left: 3"]);
    assert!(ran.out.contains("Nothing is wrong.") && ran.out.contains("DR-003"), "{}", ran.out);
    let json = desk.shield(&["doctor", "--json"]).expect(0, &[]).json();
    assert_eq!(json["services"][0]["state"], "running");
    assert_eq!(json["services"][0]["readers"][0]["drivers"][0]["name"], "piv");
    assert_eq!(json["shields"][0]["certificates"][0]["tries"]["left"], 3);
    assert_eq!(desk.logins(), before, "a PIN was sent");

    desk.card.remove();
    desk.pcscd.wait_for_card(desk.card.reader(), false);
    desk.shield(&["doctor"]).expect(3, &["SH-1004", "every reader is empty", "plug the shield in"]);
    desk.pcscd.kill();
    desk.shield(&["doctor"]).expect(3, &["SH-1020", "start the smart-card service"]);
}

#[test]
fn a_card_without_certificates_is_told_from_one_that_is_not_there() {
    let Some(desk) = Desk::bare("seen::a_card_without_certificates") else { return };
    desk.shield(&["list"]).expect(0, &["no certificates"]);
    desk.shield(&["doctor"]).expect(5, &["SH-3001", "driver piv: takes it"]);
}

#[test]
fn the_bundle_of_a_card_holds_nothing_of_it_that_names_somebody() {
    let Some(desk) = Desk::new("seen::the_bundle_of_a_card", Key::P256) else { return };
    let serial = desk.serial();
    desk.shield(&["doctor", "--bundle", "bundle.txt"]).expect(0, &["Wrote bundle.txt"]);
    let bundle = std::fs::read_to_string(desk.dir.join("bundle.txt")).unwrap();
    let home = desk.dir.display().to_string();
    // The holders are called as their issuers but for one word: that is taken out of the issuers too.
    for word in [serial.as_str(), PIN, &home, "Story customs", "Story bank"] {
        assert!(!bundle.contains(word), "{word:?} stands in\n{bundle}");
    }
    for word in ["driver piv (ATR", "customs, Serves, P-256", "issuer *** CA", "tries left: 3", "runs, 2 readers"] {
        assert!(bundle.contains(word), "no {word:?} in\n{bundle}");
    }
}
