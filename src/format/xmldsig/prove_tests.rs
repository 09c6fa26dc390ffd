use std::time::SystemTime;

use base64ct::{Base64, Encoding};

use super::prove;
use crate::cert::Certificate;
use crate::cert::test_ca::{Holder, Shape, TestCa};
use crate::error::ErrorKind;
use crate::suite::DigestAlgorithm;

fn vector(name: &str) -> Vec<u8> {
    std::fs::read(format!("tests/vectors/{name}")).unwrap()
}

/// A signed message that others made, and the certificate of its signer.
fn signed(kind: &str) -> (String, Certificate) {
    let text = String::from_utf8(vector(&format!("synthetic_CEB311_{kind}.xml"))).unwrap();
    (text, Certificate::from_pem(&vector(&format!("synthetic_{kind}_cert.pem"))).unwrap())
}

fn inside<'t>(text: &'t str, name: &str) -> &'t str {
    let (_, rest) = text.split_once(&format!("<ds:{name}>")).unwrap();
    rest.split_once("</").unwrap().0
}

/// `text` with something else in place of what stands there once.
fn instead(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from}");
    text.replace(from, to)
}

#[track_caller]
fn refused(text: &str, by: &Certificate, why: &str) {
    let error = prove(text.as_bytes(), by).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignatureWrong, "{error}");
    assert_eq!(error.what(), Some(why), "{error}");
}

#[test]
fn a_finished_document_with_a_wrong_digest_or_value_does_not_leave() {
    for (kind, algorithm) in [("rsa", DigestAlgorithm::Sha1), ("sm2", DigestAlgorithm::Sm3)] {
        let (right, by) = signed(kind);
        prove(right.as_bytes(), &by).unwrap();
        let (digest, value) = (inside(&right, "DigestValue"), inside(&right, "SignatureValue"));
        refused(&instead(&right, "合成样例", "合成样本"), &by, "digest");
        let none = Base64::encode_string(&vec![0; algorithm.length()]);
        refused(&instead(&right, digest, &none), &by, "digest");
        // A digest that is right for another document: the value is over the first one.
        let body = String::from_utf8(vector("synthetic_CEB311_digestinput.c14n")).unwrap();
        let made = algorithm.of(instead(&body, "合成样例", "合成样本").as_bytes()).unwrap();
        let changed = instead(&right, digest, &Base64::encode_string(made.octets()));
        refused(&instead(&changed, "合成样例", "合成样本"), &by, "value");
        let mut octets = Base64::decode_vec(value).unwrap();
        octets[20] ^= 1;
        refused(&instead(&right, value, &Base64::encode_string(&octets)), &by, "value");
        refused(&instead(&right, value, "AAAA"), &by, "the form of the value");
        refused(&instead(&right, value, ""), &by, "no value");
        refused(&instead(&right, &format!("<ds:SignatureValue>{value}</ds:SignatureValue>"), ""), &by, "no value");
    }
}

#[test]
fn a_finished_document_of_another_certificate_does_not_leave() {
    let ca = TestCa::eport(SystemTime::now()).unwrap();
    for kind in ["rsa", "sm2"] {
        let (right, by) = signed(kind);
        let shape = Shape::customs(&Holder::default(), 1, SystemTime::now());
        // The same key, and another certificate.
        let twin = Certificate::from_der(&ca.issue(&shape, &by.spki().unwrap()).unwrap()).unwrap();
        refused(&right, &twin, "the finished document does not verify");
        let named = instead(&right, inside(&right, "X509Certificate"), &Base64::encode_string(twin.der()));
        refused(&named, &by, "the finished document does not verify");
        prove(named.as_bytes(), &twin).unwrap();
        let (_, other) = signed(if kind == "rsa" { "sm2" } else { "rsa" });
        refused(&right, &other, "value");
    }
}

#[test]
fn a_finished_document_whose_signature_is_built_otherwise_does_not_leave() {
    let (right, by) = signed("rsa");
    refused(&instead(&right, "#sha1", "#sha256"), &by, "identifiers");
    refused(&right.replace("ds:Signature", "ds:Signed"), &by, "no Signature");
    refused(&instead(&right, "</ds:KeyInfo>", "</ds:KeyInfo>x"), &by, "the finished document does not verify");
}
