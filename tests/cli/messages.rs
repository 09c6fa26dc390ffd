//! What `sign-declaration` says of customs messages: declarants, identifier sets, signatures that are there already.

use crate::program::{Desk, has};

const PIN: [&str; 2] = ["--pin-env", "CUSTOMS_PIN"];
const NOT_ASKED: [&str; 2] = ["--pin-env", "WRONG_PIN"];

#[test]
fn another_companys_message_is_refused_before_the_pin_unless_a_person_says_so() {
    let Some(desk) = Desk::new("another_companys_message", &[]) else { return };
    let text = String::from_utf8(desk.read("CEB621.xml")).unwrap();
    desk.write("other.xml", text.replacen("MA0SYN001", "MA0SYN002", 1));
    let refused = ["SH-400C", "-621015", "MA0SYN002", "合成样例贸易有限公司", "0 signed, 0 done before, 1 refused"];
    desk.declare(&["other.xml"], &NOT_ASKED).expect(6, &refused);
    desk.declare(&["other.xml"], &[&NOT_ASKED[..], &["--lang", "zh"]].concat()).expect(6, &["申报单位", "-621015"]);
    // The others go on.
    desk.declare(&["other.xml", "CEB621.xml"], &PIN).expect(1, &["SH-400C", "1 signed", "1 refused"]);
    let said = [&PIN[..], &["--even-another-declarant"]].concat();
    desk.declare(&["other.xml"], &said).expect(0, &["1 signed", "names another company"]);
    let receipt = text.replace("CEB621Message", "CEB622Message");
    desk.write("receipt.xml", receipt);
    desk.declare(&["receipt.xml"], &NOT_ASKED).expect(6, &["SH-400D", "CEB622"]);
}

#[test]
fn a_signed_message_is_signed_anew_only_when_asked_and_a_rerun_knows_it() {
    const NAME: &str = "a_signed_message_is_signed_anew";
    let options = ["--algorithm", "rsa2048"];
    let Some(desk) = Desk::new(NAME, &options).filter(|_| has("xmlsec1", NAME)) else { return };
    desk.declare(&["CEB621.xml"], &PIN).expect(0, &[]);
    std::fs::rename(desk.path("signed/CEB621.xml"), desk.path("once.xml")).unwrap();
    desk.declare(&["once.xml"], &NOT_ASKED).expect(6, &["SH-4006"]);
    let replace =
        |pin: &[&str], more: &[&str]| desk.declare(&["once.xml"], &[pin, &["--replace-signature"], more].concat());
    replace(&NOT_ASKED, &["--identifiers", "mixed-sm2-sha1"]).expect(2, &["legacy-2018-sha256"]);
    replace(&NOT_ASKED, &["--identifiers", "official-2022"]).expect(6, &["SH-400E"]);
    replace(&PIN, &["--identifiers", "legacy-2018-sha256"]).expect(0, &["was replaced", "rsa-sha256", "inferred"]);
    replace(&NOT_ASKED, &[]).expect(0, &["done before"]);
    let judge = |file: &str| {
        let output =
            desk.command("xmlsec1").args(["--verify", "--trusted-pem", "shield/ca.pem", file]).output().unwrap();
        output.status.success()
    };
    assert!(judge("once.xml") && judge("signed/once.xml"));
    assert_ne!(desk.read("once.xml"), desk.read("signed/once.xml"));
}
