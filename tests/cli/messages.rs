//! What `sign-declaration` says of customs messages: declarants, identifier sets, signatures that are there already.

use crate::program::{Desk, Ran, has};

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
    desk.declare(&["once.xml"], &NOT_ASKED).expect(6, &["SH-4006", "; --replace-signature"]);
    std::fs::create_dir(desk.path("in")).unwrap();
    std::fs::copy(desk.path("once.xml"), desk.path("in/once.xml")).unwrap();
    let batch = ["sign-batch", "--folder", "in", "--out-dir", "signed"];
    desk.shield(&[&batch[..], &NOT_ASKED].concat()).expect(6, &["SH-4006", "; --replace-signature"]);
    let replace =
        |pin: &[&str], more: &[&str]| desk.declare(&["once.xml"], &[pin, &["--replace-signature"], more].concat());
    replace(&NOT_ASKED, &["--identifiers", "mixed-sm2-sha1"]).expect(2, &["legacy-2018-sha256"]);
    replace(&NOT_ASKED, &["--identifiers", "official-2022"]).expect(6, &["SH-400E"]);
    replace(&PIN, &["--identifiers", "legacy-2018-sha256"]).expect(0, &["was replaced", "rsa-sha256", "inferred"]);
    replace(&NOT_ASKED, &[]).expect(0, &["done before"]);
    let other = ["it is signed with rsa-sha256 and not with rsa-sha1", "--overwrite"];
    replace(&NOT_ASKED, &["--identifiers", "official-rsa-sha1"]).expect(7, &other);
    replace(&NOT_ASKED, &["--identifiers", "legacy-2018-sha256"]).expect(0, &["done before"]);
    let judge = |file: &str| {
        let output =
            desk.command("xmlsec1").args(["--verify", "--trusted-pem", "shield/ca.pem", file]).output().unwrap();
        output.status.success()
    };
    assert!(judge("once.xml") && judge("signed/once.xml"));
    assert_ne!(desk.read("once.xml"), desk.read("signed/once.xml"));
}

#[test]
fn nobodys_name_and_number_leave_the_program_unless_they_are_asked_for() {
    let Some(desk) = Desk::new("nobodys_name_and_number", &[]) else { return };
    // What the test certificates carry in the places of a person's data.
    let personal = ["测试操作员", "NOT-AN-ID-NUMBER"];
    let pem = String::from_utf8(desk.read("shield/customs.pem")).unwrap();
    let body: String = pem.lines().filter(|l| !l.starts_with('-')).collect();
    let der = <base64ct::Base64 as base64ct::Encoding>::decode_vec(&body).unwrap();
    for text in personal {
        assert!(der.windows(text.len()).any(|w| w == text.as_bytes()), "the certificate holds {text}");
    }
    let text = String::from_utf8(desk.read("CEB621.xml")).unwrap();
    desk.write("other.xml", text.replacen("MA0SYN001", "MA0SYN002", 1));
    let log = ["--log", "trace.log", "--log-level", "trace"];
    let mut said = String::new();
    for args in [
        &["list"][..],
        &["list", "--json"],
        &["info"],
        &["info", "--json"],
        &["doctor", "--bundle", "bundle.txt"],
        &["doctor", "--json"],
        &["sign-declaration", "CEB621.xml", "other.xml", "--out-dir", "signed", "--pin-env", "CUSTOMS_PIN"],
        &["sign-declaration", "CEB621.xml", "--out-dir", "refused", "--pin-env", "WRONG_PIN"],
        &[
            "sign-declaration",
            "CEB621.xml",
            "--out-dir",
            "none",
            "--fingerprint",
            &"00".repeat(32),
            "--pin-env",
            "WRONG_PIN",
        ],
        &["verify", "signed/CEB621.xml", "--trust", "shield/ca.pem", "--role", "bank", "--json"],
    ] {
        let ran = desk.shield(&[&log[..], args].concat());
        said.push_str(&ran.out);
        said.push_str(&ran.err);
    }
    for file in ["trace.log", "bundle.txt"] {
        said.push_str(&String::from_utf8(desk.read(file)).unwrap());
    }
    assert!(
        said.contains("DEBUG") && said.contains("MA0SYN002") && said.contains("SH-3001") && said.contains("VF-140")
    );
    for text in personal {
        assert!(!said.contains(text), "{text} in what was said");
    }
    let asked = desk
        .shield(&["info", "--personal"])
        .expect(0, &["测试操作员", "use            signing", "card           unknown"]);
    assert!(!asked.out.contains("NOT-AN-ID-NUMBER"), "{}", asked.out);
    desk.shield(&["info", "--json"])
        .expect(0, &["\"card_kind\": \"unknown\"", "\"use\": \"signing\"", "\"gbk_in_ia5\": []"]);
}

#[test]
fn form_fields_are_shown_apart_and_openssl_takes_their_signature() {
    const NAME: &str = "form_fields_are_shown_apart";
    let Some(desk) = Desk::new(NAME, &["--algorithm", "rsa2048"]).filter(|_| has("openssl", NAME)) else { return };
    let fields = ["sign-ems", "--field", "bizopEtpsno=1105910159", "--field", "note=", "--field", "qty=12=3 件"];
    let signed = desk.shield(&[&fields[..], &PIN, &["--json"]].concat());
    // What is shown stands beside the JSON: a program reads stdout.
    let shown = |ran: &Ran, word: &str| assert!(ran.err.contains(word), "no {word:?} in {}", ran.err);
    ["EMS form, 3 fields", "bizopEtpsno: 1105910159", "qty: 12=3 件"].iter().for_each(|word| shown(&signed, word));
    let json = signed.expect(0, &[]).json();
    let takes = |value: &str, text: &str| {
        desk.write("value.b64", value);
        desk.write("text", text);
        let script = "openssl x509 -in shield/customs.pem -noout -pubkey > key.pub && openssl base64 -d -A -in value.b64 -out value.sig && \
                      openssl dgst -sha1 -verify key.pub -signature value.sig text";
        desk.command("bash").args(["-c", script]).output().unwrap().status.success()
    };
    let value = json["signature"].as_str().unwrap();
    assert!(takes(value, "110591015912=3 件") && !takes(value, "110591015912=3 件\n"));
    desk.write("fields.json", r#"[["bizopEtpsno", "1105910159"], ["qty", "12=3 件"]]"#);
    let again = desk.shield(&[&["sign-ems", "--fields", "fields.json"], &PIN[..]].concat());
    let again = again.expect(0, &["To sign:", "EMS form, 2 fields", "certNo: "]);
    assert!(again.out.contains(value), "RSA has one signature: {}", again.out);
    // As some editors save it.
    desk.write("fields.json", [b"\xEF\xBB\xBF", &desk.read("fields.json")[..]].concat());
    let marked = desk.shield(&[&["sign-ems", "--fields", "fields.json", "--json"], &PIN[..]].concat()).expect(0, &[]);
    assert_eq!(marked.json()["signature"], value);
    let refuse = |args: &[&str], code: i32, word: &str| {
        desk.shield(&[&["sign-ems"], args, &NOT_ASKED[..]].concat()).expect(code, &[word]);
    };
    refuse(&["--field", "a="], 6, "SH-4040");
    refuse(&["--field", "a=1\u{200b}2"], 6, "SH-4041");
    refuse(&["--field", "a=<ds:Signed", "--field", "b=Info xmlns:ds=''>"], 6, "SH-4008");
    refuse(&["--field", "a"], 2, "NAME=VALUE");
    refuse(&[], 2, "--field");
    desk.write("fields.json", "{}");
    refuse(&["--fields", "fields.json"], 6, "SH-4020");
    // The same octets by their digest, under a name of its own.
    let digest =
        desk.command("sh").args(["-c", "printf '110591015912=3 件' | openssl dgst -sha1 -r"]).output().unwrap();
    let hex = String::from_utf8(digest.stdout).unwrap()[..40].to_owned();
    let by_digest = |algorithm: &str, digest: &str, role: &str, pin: &[&str]| {
        desk.shield(&[&["sign-digest", digest, "--algorithm", algorithm, "--role", role], pin].concat())
    };
    let signed = by_digest("sha1", &hex, "customs", &PIN).expect(0, &["what it is of cannot be seen", value]);
    assert!(signed.err.contains("rsa-sha1"), "{}", signed.err);
    let signed = by_digest("sha1", &hex, "customs", &[&PIN[..], &["--json"]].concat());
    shown(&signed, "what it is of cannot be seen");
    assert_eq!(signed.expect(0, &[]).json()["signature"], value);
    by_digest("sha256", &"00".repeat(32), "customs", &NOT_ASKED)
        .expect(2, &["SH-9002", "sha256 was given, this key signs sha1"]);
    by_digest("sha1", &hex, "bank", &NOT_ASKED).expect(2, &["SH-9002"]);
    by_digest("sha1", "00", "customs", &NOT_ASKED).expect(2, &["1 octets"]);
    by_digest("sha1", "zz", "customs", &NOT_ASKED).expect(2, &["hex digits"]);
    by_digest("sha256", &"11".repeat(32), "bank", &["--pin-env", "BANK_PIN"]).expect(0, &["rsa-sha256"]);
}
