//! The synthetic vectors: they verify, and the same document with the same key gives the same octets again.
#![cfg(all(feature = "xml", feature = "rsa", feature = "sm"))]

#[path = "support/ceb_kit.rs"]
mod ceb_kit;

use ceb_kit::{Signer, customs, have, report, vector, vectors_time};
use shared_shield::format::xmldsig;
use shared_shield::{FindingKind, Suite, Verdict};

/// The vector's document before it was signed.
fn unsigned(name: &str) -> Vec<u8> {
    let text = String::from_utf8(vector(name)).unwrap();
    let (before, rest) = text.split_once("<ds:Signature ").unwrap();
    let (_, after) = rest.split_once("</ds:Signature>").unwrap();
    [before, after].concat().into_bytes()
}

#[test]
fn the_vectors_verify_and_say_who_signed_only_if_asked() {
    for (name, suite, number) in [("rsa", Suite::RsaSha1, "0123abcd"), ("sm2", Suite::Sm2Sm3, "0300000000000001")] {
        let report = report(&vector(&format!("synthetic_CEB311_{name}.xml")), vectors_time());
        assert_eq!(report.verdict(), Verdict::SignatureOnly, "{name}: {:?}", report.findings);
        assert!(report.has(FindingKind::DigestRight) && report.has(FindingKind::SignatureRight));
        assert!(!report.has(FindingKind::KeyNameOther));
        assert_eq!(report.suite, Some(suite));
        assert_eq!(report.signer.unwrap().number(), number);
    }
}

#[test]
fn what_is_hashed_and_what_is_signed_are_the_published_octets() {
    for name in ["rsa", "sm2"] {
        let document = vector(&format!("synthetic_CEB311_{name}.xml"));
        assert_eq!(xmldsig::digest_input(&document).unwrap(), vector("synthetic_CEB311_digestinput.c14n"));
        let signed_info = xmldsig::signed_info(&document).unwrap().unwrap();
        assert_eq!(signed_info, vector(&format!("synthetic_CEB311_{name}_signedinfo.c14n")));
    }
}

#[test]
fn signing_the_rsa_vectors_document_again_gives_the_same_octets() {
    if !have("the RSA vector again", &["openssl"]) {
        return;
    }
    let signed = Signer::vectors("rsa").sign(&unsigned("synthetic_CEB311_rsa.xml"), &customs(false)).unwrap();
    assert_eq!(signed, vector("synthetic_CEB311_rsa.xml"));
}

#[test]
fn an_sm2_signature_by_openssl_is_put_in_as_customs_wants_it() {
    if !have("an SM2 message", &["openssl"]) {
        return;
    }
    // SM2 signatures differ each time: all but the value is compared.
    let without_value = |document: &[u8]| {
        let text = String::from_utf8(document.to_vec()).unwrap();
        let (before, rest) = text.split_once("<ds:SignatureValue>").unwrap();
        let (value, after) = rest.split_once('<').unwrap();
        assert_eq!(value.len(), 88);
        [before, after].concat()
    };
    let signed = Signer::vectors("sm2").sign(&unsigned("synthetic_CEB311_sm2.xml"), &customs(false)).unwrap();
    assert_eq!(without_value(&signed), without_value(&vector("synthetic_CEB311_sm2.xml")));
    assert_eq!(report(&signed, vectors_time()).verdict(), Verdict::SignatureOnly);
}

#[test]
fn an_sm2_document_with_one_octet_changed_is_refused() {
    let whole = vector("synthetic_CEB311_sm2.xml");
    for (from, to) in [
        ("20240101000000", "20240101000001"),
        ("el+GoDRi", "el+GoDRj"),
        ("<ds:SignatureValue>", "<ds:SignatureValue>A"),
        ("1.0\" xmlns:ceb", "1.1\" xmlns:ceb"),
    ] {
        let report = report(&ceb_kit::replace(&whole, from, to), vectors_time());
        assert_eq!(report.verdict(), Verdict::Invalid, "{from} -> {to}");
    }
    let key_changed = ceb_kit::replace(&whole, "sm2-sm3\"></ds:SignatureMethod>", "sm3-sm2\"></ds:SignatureMethod>");
    assert!(report(&key_changed, vectors_time()).has(FindingKind::IdentifierUnknown));
}
