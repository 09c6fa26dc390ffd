//! Every way of writing XML, and a signature in place of another.

use std::time::SystemTime;

use shared_shield::format::Format;
use shared_shield::format::ceb::{CEB, without_signature};
use shared_shield::{CebOptions, Content, ErrorKind, FindingKind, Note, Recovery, Verdict};

use crate::ceb_kit::{self, customs, have, replace, report, sample, say, vector};
use crate::test_ca::Holder;
use crate::{P256, RSA, eport, prepared, refusal};

/// The sample in every way in which a document may be written, with what it is called.
fn variants() -> Vec<(String, Vec<u8>)> {
    let original = String::from_utf8(sample("CEB621.xml")).unwrap();
    let mut all = Vec::new();
    for bits in 0..64_u32 {
        let has = |bit: u32| bits & (1 << bit) != 0;
        let mut text = original.clone();
        if has(0) {
            text = text.lines().map(str::trim).collect();
        }
        if has(1) {
            text = text.replacen(" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"", "", 1);
        }
        if has(2) {
            text = text.replacen("<ceb:Inventory>", "<!-- a\n--><ceb:Inventory><!-- </ceb:CEB621Message> -->", 1);
            text.push_str("<!-- </ceb:CEB621Message> -->");
        }
        if has(3) {
            let (_, body) = text.split_once("?>").unwrap();
            text = body.trim_start().to_owned();
        }
        if has(4) {
            text = text.replace('\n', "\r\n");
        }
        if has(5) {
            text.insert(0, '\u{feff}');
        }
        let names = ["one line", "no xsi", "comments", "no declaration", "CRLF", "BOM"];
        let name: Vec<_> = names.iter().enumerate().filter(|(bit, _)| has(*bit as u32)).map(|(_, n)| *n).collect();
        all.push((name.join(", "), text.into_bytes()));
    }
    all
}

#[test]
fn a_message_is_signed_however_it_is_written_and_no_octet_of_it_changes() {
    if !have("every way of writing", &["openssl", "xmlsec1"]) {
        return;
    }
    let mut accepted = 0;
    for (signer, test) in [(eport(RSA, &Holder::default()), false), (eport(P256, &Holder::default()), true)] {
        for (name, document) in variants() {
            let signed = signer.sign(&document, &customs(test)).unwrap();
            assert_eq!(without_signature(&signed).unwrap().as_deref(), Some(&document[..]), "{name}");
            assert!(signer.xmlsec_accepts(&signed, None), "{name}");
            let ours = report(&signed, SystemTime::now());
            assert_eq!(ours.verdict(), Verdict::SignatureOnly, "{name}: {:?}", ours.findings);
            accepted += 1;
        }
    }
    say(&format!("{accepted} messages in all ways of writing, accepted by xmlsec1"));
    assert_eq!(accepted, 128);
}

#[test]
fn another_encoding_than_utf_8_is_refused_whether_it_is_said_or_not() {
    let signer = eport(P256, &Holder::default());
    let d = sample("CEB621.xml");
    let said = |name: &str| replace(&d, "encoding=\"UTF-8\"", &format!("encoding=\"{name}\""));
    let gbk = |text: &[u8]| encoding_rs::GBK.encode(std::str::from_utf8(text).unwrap()).0.into_owned();
    for document in [said("GBK"), said("gb2312"), said("GB18030"), gbk(&said("GBK")), gbk(&d), said("ISO-8859-1")] {
        let error = refusal(&signer, CebOptions::default(), &document);
        assert_eq!((error.kind(), error.recovery()), (ErrorKind::DocumentEncoding, Recovery::FixDocument), "{error}");
    }
    prepared(&signer, CebOptions::default(), &said("utf-8"), &customs(true)).unwrap();
}

#[test]
fn a_signature_is_replaced_only_when_asked_and_the_rest_stays_as_it_was() {
    if !have("replaced signatures", &["openssl", "xmlsec1"]) {
        return;
    }
    let (first, second) = (eport(RSA, &Holder::default()), eport(RSA, &Holder::default()));
    let replacing = CebOptions::default().replacing_signature();
    for (name, document) in variants().into_iter().step_by(7) {
        let signed = first.sign(&document, &customs(false)).unwrap();
        assert_eq!(refusal(&second, CebOptions::default(), &signed).kind(), ErrorKind::DocumentSigned, "{name}");
        let again = second.sign_as(replacing.format(), &signed, &customs(false)).unwrap();
        assert_eq!(without_signature(&again).unwrap().as_deref(), Some(&document[..]), "{name}");
        assert!(second.xmlsec_accepts(&again, None) && !first.xmlsec_accepts(&again, None), "{name}");
        let ours = report(&again, SystemTime::now());
        assert_eq!((ours.verdict(), ours.signer), (Verdict::SignatureOnly, Some(second.certificate.clone())), "{name}");
        let (_, notes) = prepared(&second, replacing, &signed, &customs(false)).unwrap();
        assert!(notes.contains(&Note::SignatureReplaced), "{name}: {notes:?}");
    }
    // A document without a signature is signed as ever.
    let d = sample("CEB621.xml");
    let (_, notes) = prepared(&second, replacing, &d, &customs(false)).unwrap();
    assert!(!notes.contains(&Note::SignatureReplaced), "{notes:?}");
}

#[test]
fn a_broken_or_misplaced_signature_is_not_cut_out_by_guess() {
    let signer = eport(RSA, &Holder::default());
    let replacing = CebOptions::default().replacing_signature();
    let d = vector("synthetic_CEB311_rsa.xml");
    let text = String::from_utf8(d.clone()).unwrap();
    let signature = &text[text.find("<ds:Signature ").unwrap()..text.find("</ds:Signature>").unwrap() + 15];
    let twice = replace(&d, signature, &signature.repeat(2));
    let deeper = replace(&d, signature, &format!("<ceb:x>{signature}</ceb:x>"));
    let inside = replace(&d, "</ds:Signature>", &format!("<ds:Object>{signature}</ds:Object></ds:Signature>"));
    for document in [twice, deeper, inside] {
        assert_eq!(refusal(&signer, replacing, &document).kind(), ErrorKind::DocumentAmbiguous);
    }
    // One that never verified, or says nonsense, is replaced all the same: what counts is what is left.
    for (from, to) in [("0Tp4b5fU", "1Tp4b5fU"), ("rsa-sha1", "x"), ("<ds:SignedInfo>", "<ds:SignedInfo>\r\n\t")] {
        let again = signer.sign_as(replacing.format(), &replace(&d, from, to), &customs(false)).unwrap();
        assert_eq!(report(&again, SystemTime::now()).verdict(), Verdict::SignatureOnly, "{to}");
        assert_eq!(without_signature(&again).unwrap(), without_signature(&d).unwrap());
    }
    assert!(
        CEB.verify(&Content::bytes(d), None, &ceb_kit::context(ceb_kit::vectors_time()))
            .unwrap()
            .has(FindingKind::DigestRight)
    );
}
