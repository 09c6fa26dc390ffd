//! `verify`: what is accepted, what is not, and how a script is told.

use std::fs;

use crate::program::{Desk, changed, root};

/// A desk with CEB621 signed.
fn signed(name: &str) -> Option<Desk> {
    let desk = Desk::new(name, &["--algorithm", "rsa2048"])?;
    desk.declare(&["CEB621.xml"], &["--pin-env", "CUSTOMS_PIN"]).expect(0, &["rsa-sha1"]);
    Some(desk)
}

#[test]
fn nothing_is_plainly_valid_until_somebody_is_trusted() {
    let Some(desk) = signed("nothing_is_plainly_valid") else { return };
    let verify = |more: &[&str]| desk.shield(&[&["verify", "signed/CEB621.xml"], more].concat());
    verify(&[]).expect(9, &["VF-134"]);
    verify(&["--trust", "shield/ca.pem"]).expect(0, &["CEB621.xml: valid"]);
    let pinned = desk.fingerprint("shield/customs.pem");
    verify(&["--pin-fingerprint", &pinned]).expect(0, &["CEB621.xml: valid"]);
    let other = desk.fingerprint("shield/bank.pem");
    verify(&["--pin-fingerprint", &other]).expect(6, &["VF-133"]);
    let stranger = root().join("tests/vectors/synthetic_rsa_cert.pem");
    verify(&["--trust", stranger.to_str().unwrap()]).expect(6, &["NOT valid", "VF-133"]);
    verify(&["--trust", "shield/ca.pem", "--role", "customs"]).expect(0, &[]);
    verify(&["--trust", "shield/ca.pem", "--role", "bank"]).expect(6, &["VF-140"]);
    verify(&["--trust", "shield/ca.pem", "--at", "2001-01-01"]).expect(6, &["VF-131"]);
    verify(&["--trust", "shield/ca.pem", "--at", "2999-01-01T00:00:00Z"]).expect(6, &["VF-130"]);
    verify(&["--trust", "shield/ca.pem", "--at", "tomorrow"]).expect(2, &["2027-01-01"]);
    verify(&["--trust", "CEB621.xml"]).expect(5, &["SH-3005", "CEB621.xml"]);
    verify(&["--trust", "missing.pem"]).expect(7, &["SH-7001", "missing.pem"]);
}

#[test]
fn one_bad_document_among_good_ones_is_found_in_words_and_in_json() {
    let Some(desk) = signed("one_bad_document_among_good_ones") else { return };
    let good = desk.read("signed/CEB621.xml");
    desk.write("bad.xml", changed(&good, "<ceb:appTime>"));
    let newline = String::from_utf8(good).unwrap().replace("</ds:Signature>", "</ds:Signature>\n");
    desk.write("newline.xml", newline);
    let args = ["verify", "signed/CEB621.xml", "bad.xml", "newline.xml", "CEB311.xml", "--trust", "shield/ca.pem"];
    desk.shield(&args).expect(6, &["CEB621.xml: valid", "bad.xml: NOT valid", "VF-102", "VF-103", "VF-110"]);
    let report = desk.shield(&[&args[..], &["--json"]].concat()).expect(6, &[]).json();
    let verdicts: Vec<_> = report["files"].as_array().unwrap().iter().map(|f| f["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["valid", "invalid", "invalid", "invalid"]);
    assert_eq!(report["exit"], 6);
    assert_eq!(report["files"][0]["signer"]["role"], "customs");
    let has = |file: usize, code: &str| {
        report["files"][file]["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["code"] == code && f["text_zh"].is_string())
    };
    assert!(has(1, "VF-102") && has(2, "VF-103") && has(3, "VF-110"), "{report:#}");
    let missing = desk.shield(&["verify", "missing.xml", "--json"]).expect(7, &[]).json();
    assert_eq!(missing["files"][0]["error"]["code"], "SH-7001");
}

#[test]
fn a_detached_signature_is_judged_with_its_certificate() {
    let Some(desk) = signed("a_detached_signature_is_judged") else { return };
    desk.write("order.txt", "pay 100.00");
    desk.write("other.txt", "pay 900.00");
    let sign = ["sign-raw", "--role", "bank", "order.txt", "--out", "order.sig", "--pin-env", "BANK_PIN"];
    desk.shield(&sign).expect(0, &[]);
    let judge = |file, certificate, more: &[&str]| {
        let args =
            ["verify", file, "--signature", "order.sig", "--certificate", certificate, "--trust", "shield/ca.pem"];
        desk.shield(&[&args[..], more].concat())
    };
    judge("order.txt", "shield/bank.pem", &[]).expect(0, &["order.txt: valid"]);
    judge("order.txt", "shield/bank.pem", &["--role", "customs"]).expect(6, &["VF-140"]);
    judge("other.txt", "shield/bank.pem", &[]).expect(6, &["VF-101"]);
    judge("order.txt", "shield/customs.pem", &[]).expect(6, &["VF-101"]);
    desk.shield(&["verify", "order.txt", "--signature", "order.sig"]).expect(2, &["--certificate"]);
    judge("order.txt", "shield/bank.pem", &["other.txt"]).expect(2, &["exactly one"]);
    fs::write(desk.path("order.sig"), b"").unwrap();
    judge("order.txt", "shield/bank.pem", &[]).expect(6, &["VF-114"]);
}

#[test]
fn a_person_is_told_why_a_signature_is_wrong_and_what_to_do() {
    let Some(desk) = signed("a_person_is_told_why") else { return };
    let good = String::from_utf8(desk.read("signed/CEB621.xml")).unwrap();
    let xsi = " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
    desk.write("lost.xml", good.replacen(xsi, "", 1));
    desk.write("newline.xml", good.replace("</ds:Signature>", "</ds:Signature>\n"));
    let explain =
        |file: &str, more: &[&str]| desk.shield(&[&["explain", file, "--trust", "shield/ca.pem"], more].concat());
    explain("signed/CEB621.xml", &[]).expect(0, &["CEB621.xml: valid", "VF-001", "VF-002"]);
    let told = [
        "NOT valid",
        "Why:",
        "VF-161",
        "      expected: xmlns:xsi=",
        "where:    line 2, octet 39: <ceb:CEB621Message",
        "do:       put the",
    ];
    explain("lost.xml", &[]).expect(6, &told);
    explain("newline.xml", &["--lang", "zh"]).expect(6, &["无效", "原因：", "VF-103", "实为：", "处理： 请删除该换行"]);
    let json = explain("lost.xml", &["--json"]).expect(6, &[]).json();
    let named =
        |code: &str| json["files"][0]["findings"].as_array().unwrap().iter().find(|f| f["code"] == code).cloned();
    let lost = named("VF-161").unwrap();
    assert_eq!((&lost["line"], &lost["offset"], &lost["found_zh"]), (&2.into(), &39.into(), &"无此声明".into()));
    assert!(lost["advice"].as_str().unwrap().contains("put the declaration back"), "{lost}");
    // The certificate that was expected: another one signed.
    explain("signed/CEB621.xml", &["--certificate", "shield/bank.pem"]).expect(6, &["VF-123"]);
    explain("signed/CEB621.xml", &["--crl", "shield/ca.pem"]).expect(5, &["SH-300B", "ca.pem"]);
}
