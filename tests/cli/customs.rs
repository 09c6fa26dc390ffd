//! Announcement 179 and logins: what is written or printed, what is refused, and that openssl takes the signatures.

use std::fs;

use crate::program::{Desk, Ran, has, root};

const PIN: [&str; 2] = ["--pin-env", "CUSTOMS_PIN"];
const NOT_ASKED: [&str; 2] = ["--pin-env", "WRONG_PIN"];
const RANDOM: &str = "c2hhcmVkLXNoaWVsZCBzeW50aGV0aWMgcmFuZG9tIDAx";

/// A desk with RSA keys, payment data as JSON, and the ready string of the vectors.
fn desk(name: &str) -> Option<Desk> {
    let desk = Desk::new(name, &["--algorithm", "rsa2048"])?;
    fs::copy(root().join("examples/data/payment179.json"), desk.path("payment.json")).unwrap();
    fs::copy(root().join("tests/vectors/synthetic_179_string.txt"), desk.path("string.txt")).unwrap();
    Some(desk)
}

fn sign(desk: &Desk, file: &str, out: &str, more: &[&str]) -> Ran {
    desk.shield(&[&["sign-179", file, "--out", out], more].concat())
}

fn verify(desk: &Desk, more: &[&str]) -> Ran {
    let fixed = ["--certificate", "shield/customs.pem", "--trust", "shield/ca.pem", "--role", "customs"];
    desk.shield(&[&["verify"], more, &fixed[..]].concat())
}

/// Whether openssl takes this base64 signature with SHA-1 over the file.
fn openssl(desk: &Desk, role: &str, hash: &str, base64: &str, file: &str) -> bool {
    desk.write("value.b64", base64);
    let script = format!(
        "openssl x509 -in shield/{role}.pem -noout -pubkey > key.pub && openssl base64 -d -A -in value.b64 -out value.sig && \
         openssl dgst {hash} -verify key.pub -signature value.sig {file}"
    );
    desk.command("bash").args(["-c", &script]).output().unwrap().status.success()
}

#[test]
fn a_ready_179_string_is_signed_and_openssl_takes_it() {
    const NAME: &str = "a_ready_179_string_is_signed";
    let Some(desk) = desk(NAME).filter(|_| has("openssl", NAME)) else { return };
    sign(&desk, "string.txt", "string.sig", &[&PIN[..], &["--signature-only"]].concat())
        .expect(0, &["To sign:\n", "TEST0000000000000001", "amount 88.5", "rsa-sha1", "customs certificate"]);
    let value = String::from_utf8(desk.read("string.sig")).unwrap();
    assert!(openssl(&desk, "customs", "-sha1", &value, "string.txt"));
    verify(&desk, &["string.txt", "--signature", "string.sig"]).expect(0, &["string.txt: valid"]);
    desk.write("newline.txt", [desk.read("string.txt"), b"\n".to_vec()].concat());
    assert!(!openssl(&desk, "customs", "-sha1", &value, "newline.txt"));
    verify(&desk, &["newline.txt", "--signature", "string.sig"]).expect(6, &["NOT valid", "newline"]);
    sign(&desk, "newline.txt", "out", &NOT_ASKED).expect(6, &["SH-4027"]);
    assert!(!desk.path("out").exists());
}

#[test]
fn the_fields_of_179_become_what_is_posted() {
    const NAME: &str = "the_fields_of_179_become_what_is_posted";
    let Some(desk) = desk(NAME) else { return };
    sign(&desk, "payment.json", "posted.json", &PIN).expect(0, &["TEST202701040001", "100.5 (currency 142)"]);
    let posted: serde_json::Value = serde_json::from_slice(&desk.read("posted.json")).unwrap();
    let number = desk.shield(&["info", "--json", "--role", "customs"]).expect(0, &[]).json();
    let serving = number["shields"][0]["certificates"].as_array().unwrap().iter().find(|c| c["standing"] == "serves");
    assert_eq!(posted["certNo"], serving.unwrap()["number"], "{posted:#}");
    assert_eq!(posted["payExchangeInfoHead"]["note"], "虚构样例");
    sign(&desk, "payment.json", "posted.form", &[&PIN[..], &["--form-encoded"]].concat()).expect(0, &[]);
    assert!(desk.read("posted.form").starts_with(b"payExInfoStr=%7B"));
    for file in ["posted.json", "posted.form"] {
        verify(&desk, &[file]).expect(0, &[&format!("{file}: valid")]);
    }
    let other = String::from_utf8(desk.read("posted.json")).unwrap().replacen("100.5", "900.5", 1);
    desk.write("other.json", other);
    verify(&desk, &["other.json"]).expect(6, &["NOT valid", "VF-101"]);
    verify(&desk, &["posted.json", "posted.form", "other.json"]).expect(6, &["posted.json: valid"]);
    let both = ["--signature-only", "--form-encoded"];
    sign(&desk, "payment.json", "x", &[&PIN[..], &both].concat()).expect(2, &["cannot be used with"]);
    sign(&desk, "payment.json", "y", &[&PIN[..], &["--lang", "zh"]].concat())
        .expect(0, &["待签名：", "2018年第179号", "已签名 y"]);
}

#[test]
fn bad_179_data_names_its_fault_and_costs_no_pin() {
    let Some(desk) = desk("bad_179_data_names_its_fault") else { return };
    let json = String::from_utf8(desk.read("payment.json")).unwrap();
    for (from, to, code) in [
        ("100.5", "\"100.5\"", "SH-4024"),
        ("\"currency\": \"142\",", "", "SH-4023"),
        ("\"currency\"", "\"curency\"", "SH-4022"),
        ("\"payType\": \"1\",", "\"payType\": \"1\", \"payType\": \"1\",", "SH-4021"),
        ("100.5", "1e2", "SH-4025"),
        ("1799020800000", "17990208", "SH-4026"),
        ("\"payCode\":", "\"payCode\"", "SH-4020"),
    ] {
        assert!(json.contains(from), "{from}");
        desk.write("bad.json", json.replacen(from, to, 1));
        sign(&desk, "bad.json", "out", &NOT_ASKED).expect(6, &[code]);
    }
    desk.write("bad.json", "order 1");
    sign(&desk, "bad.json", "out", &NOT_ASKED).expect(6, &["SH-4007"]);
    assert!(!desk.path("out").exists());
    desk.write("out", "what was there before");
    sign(&desk, "payment.json", "out", &NOT_ASKED).expect(7, &["SH-7002", "--overwrite"]);
    assert_eq!(desk.read("out"), b"what was there before");
    sign(&desk, "payment.json", "new", &PIN).expect(0, &[]);
}

/// What a login printed: number and signature.
fn printed(ran: &Ran) -> (String, String) {
    let line = |name: &str| ran.out.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim().to_owned();
    (line("certNo:"), line("signData:"))
}

#[test]
fn a_login_random_is_signed_decoded_and_openssl_takes_it() {
    const NAME: &str = "a_login_random_is_signed_decoded";
    let Some(desk) = desk(NAME).filter(|_| has("openssl", NAME)) else { return };
    desk.write("random", b"shared-shield synthetic random 01");
    let login = |more: &[&str]| desk.shield(&[&["sign-login", "--role"], more].concat());
    let signed = login(&["customs", "--challenge-base64", RANDOM, PIN[0], PIN[1]]).expect(0, &["signed a login"]);
    let (number, value) = printed(&signed);
    assert!(!number.is_empty());
    assert!(openssl(&desk, "customs", "-sha1", &value, "random"));
    let (_, same) = printed(&login(&["customs", "--challenge-file", "random", PIN[0], PIN[1]]).expect(0, &[]));
    assert_eq!(same, value, "RSA has one signature");
    desk.write("text", RANDOM);
    assert!(!openssl(&desk, "customs", "-sha1", &value, "text"));
    let (_, text) =
        printed(&login(&["customs", "--challenge-base64", RANDOM, "--as-text", PIN[0], PIN[1]]).expect(0, &[]));
    assert!(openssl(&desk, "customs", "-sha1", &text, "text"));
    let (_, bank) = printed(&login(&["bank", "--challenge-file", "random", "--pin-env", "BANK_PIN"]).expect(0, &[]));
    assert!(openssl(&desk, "bank", "-sha256", &bank, "random"));
    // For programs: exactly what the page posts, and nothing beside.
    let json = login(&["customs", "--challenge-file", "random", "--json", PIN[0], PIN[1]]).expect(0, &[]);
    assert_eq!(json.json(), serde_json::json!({ "certNo": number, "signData": value }));
    desk.write("login.json", &json.out);
    desk.write("login.b64", &value);
    for signature in ["login.json", "login.b64"] {
        verify(&desk, &["random", "--signature", signature]).expect(0, &["random: valid"]);
        verify(&desk, &["text", "--signature", signature]).expect(6, &["VF-101", "VF-222"]);
        verify(&desk, &["text", "--signature", signature, "--challenge-base64"]).expect(0, &["text: valid"]);
    }
    // Base64 of what is no challenge is judged as its octets are.
    desk.write("document", "PGEvPg==");
    let judged = verify(&desk, &["document", "--signature", "login.b64", "--challenge-base64"]);
    judged.expect(6, &["VF-220", "begins as XML"]);
    desk.write("login.json", json.out.replace(&number, "0000"));
    verify(&desk, &["random", "--signature", "login.json"]).expect(6, &["SH-5002", "certNo"]);
    let zh = ["customs", "--challenge-file", "random", "--lang", "zh", PIN[0], PIN[1]];
    login(&zh).expect(0, &["已签名登录随机数", "signData"]);
}

#[test]
fn a_challenge_that_is_no_random_costs_no_pin() {
    let Some(desk) = desk("a_challenge_that_is_no_random") else { return };
    let login = |more: &[&str]| desk.shield(&[&["sign-login", "--role", "customs"], &NOT_ASKED[..], more].concat());
    login(&[]).expect(2, &["--challenge-base64"]);
    login(&["--challenge-base64", RANDOM, "--challenge-file", "random"]).expect(2, &["cannot be used with"]);
    login(&["--challenge-base64", ""]).expect(6, &["SH-4030"]);
    login(&["--challenge-base64", "not base64!"]).expect(6, &["SH-4032"]);
    login(&["--challenge-file", "missing"]).expect(7, &["SH-7001"]);
    for (octets, code) in [
        (Vec::new(), "SH-4030"),
        (vec![b'a'; 257], "SH-4031"),
        (b"<ds:SignedInfo>".to_vec(), "SH-4033"),
        (desk.read("string.txt")[..200].to_vec(), "SH-4033"),
        (vec![0x31, 3, 1, 2, 3], "SH-4033"),
    ] {
        desk.write("random", octets);
        login(&["--challenge-file", "random"]).expect(6, &[code]);
    }
    desk.shield(&["sign-login", "--role", "customs", "--challenge-base64", RANDOM, PIN[0], PIN[1]]).expect(0, &[]);
}
