//! What is refused before anything is signed, and signatures that are built to mislead.
#![cfg(all(feature = "xml", feature = "rsa", feature = "sm"))]

#[path = "support/ceb_kit.rs"]
mod ceb_kit;

use std::sync::Arc;

use ceb_kit::{Signer, customs, replace, report, sample, vector, vectors_time};
use shared_shield::format::ceb::{CEB, without_signature};
use shared_shield::format::xmldsig::{MAX_ELEMENTS, MAX_NAMESPACES, MAX_OCTETS, MAX_TEXTS};
use shared_shield::format::{Format, SignContext};
use shared_shield::{
    Certificate, Content, Error, ErrorKind, FindingKind, Note, RawSignature, Recovery, Severity, Suite, Verdict,
};

fn certificate(kind: &str) -> Arc<Certificate> {
    Arc::new(Certificate::from_pem(&vector(&format!("synthetic_{kind}_cert.pem"))).unwrap())
}

fn refusal(document: &[u8], kind: &str, context: &SignContext) -> Error {
    let (content, by) = (Content::bytes(document), certificate(kind));
    let error = CEB.prepare(&content, &by, context).unwrap_err();
    // Whoever looks at a document before a PIN is asked is told the same.
    assert_eq!(CEB.check(&content, &by, context).unwrap_err().to_string(), error.to_string());
    error
}

#[test]
fn a_document_that_cannot_be_signed_safely_is_refused_with_its_own_kind() {
    use ErrorKind as E;
    let d = sample("CEB621.xml");
    let gbk = replace(&d, "encoding=\"UTF-8\"", "encoding=\"GBK\"");
    let utf16: Vec<u8> = [0xFF, 0xFE].into_iter().chain(d.iter().flat_map(|o| [*o, 0])).collect();
    let deep = format!("{}{}", "<ceb:a>".repeat(64), "</ceb:a>".repeat(64));
    let doctype = |text: &str| replace(&d, "<ceb:CEB621Message", &format!("{text}<ceb:CEB621Message"));
    let cases = [
        (d[..d.len() / 2].to_vec(), E::DocumentMalformed),
        (replace(&d, "</ceb:Inventory>", "</ceb:inventory>"), E::DocumentMalformed),
        (replace(&d, "<ceb:appType>", "<x:appType>"), E::DocumentMalformed),
        (replace(&d, "version=\"1.0\" xmlns", "version=\"1.0\" version=\"1.0\" xmlns"), E::DocumentMalformed),
        (replace(&d, "<?xml version=\"1.0\"", "<?xml version=\"1.1\""), E::DocumentMalformed),
        (replace(&d, "绿茶", "绿\0茶"), E::DocumentMalformed),
        (replace(&d, "绿茶", "&green;"), E::DocumentMalformed),
        (doctype("<!DOCTYPE x>"), E::DocumentDtd),
        (doctype("<!DOCTYPE x [<!ENTITY green 'tea'>]>"), E::DocumentDtd),
        (replace(&d, "<ceb:note>", &format!("{deep}<ceb:note>")), E::DocumentTooDeep),
        (vec![b' '; 9 << 20], E::DocumentTooLarge),
        (gbk, E::DocumentEncoding),
        (utf16, E::DocumentEncoding),
        ([&d[..600], b"\xBA\xCF", &d[600..]].concat(), E::DocumentEncoding),
        (vector("synthetic_CEB311_rsa.xml"), E::DocumentSigned),
        (
            replace(&d, "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"", "xmlns:xsi=\"xsi\""),
            E::DocumentAmbiguous,
        ),
        (String::from_utf8(d.clone()).unwrap().replace("CEB621Message", "CEB62Message").into_bytes(), E::DocumentKind),
        (replace(&d, "www.chinaport.gov.cn/ceb", "www.chinaport.gov.cn/dec"), E::DocumentKind),
        (b"<ceb:CEB621Message xmlns:ceb='http://www.chinaport.gov.cn/ceb'/>".to_vec(), E::DocumentKind),
        (Vec::new(), E::DocumentMalformed),
    ];
    for (document, kind) in cases {
        let error = refusal(&document, "rsa", &customs(false));
        let start = String::from_utf8_lossy(&document[..document.len().min(300)]).into_owned();
        assert_eq!(error.kind(), kind, "{error}: {start}");
        assert_eq!(error.recovery(), Recovery::FixDocument, "{error}");
        assert!(!error.message_zh().is_empty());
    }
}

#[test]
fn the_place_of_the_trouble_is_named() {
    let broken = replace(&sample("CEB621.xml"), "</ceb:Inventory>", "</ceb:inventory>");
    let line = sample("CEB621.xml").split(|o| *o == b'\n').position(|l| l == b"\t</ceb:Inventory>").unwrap() + 1;
    let error = refusal(&broken, "rsa", &customs(false)).to_string();
    assert!(error.contains(&format!("line {line}, octet 18: not well-formed XML")), "{error}");
    // Where there is nothing, its beginning.
    for (nothing, what) in [("", "is empty"), ("\u{feff}", "has no element"), (" \r\n\t", "has no element")] {
        let error = refusal(nothing.as_bytes(), "rsa", &customs(false)).to_string();
        assert!(error.contains(&format!("line 1, octet 1: the document {what}")), "{error}");
    }
    // The second of two signatures, and one that stands too deep.
    let signed = String::from_utf8(vector("synthetic_CEB311_rsa.xml")).unwrap();
    let (from, to) = (signed.find("<ds:Signature ").unwrap(), signed.find("</ds:Signature>").unwrap() + 15);
    let twice = [&signed[..to], &signed[from..]].concat();
    let line = twice[..to].matches('\n').count() + 1;
    let error = without_signature(twice.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DocumentAmbiguous);
    let place = format!("line {line}, octet {to} of the document: a second Signature element");
    assert!(error.to_string().contains(&place), "{error}");
    let deep = [&signed[..from], "<ceb:x>", &signed[from..to], "</ceb:x>", &signed[to..]].concat();
    let error = without_signature(deep.as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains(&format!("octet {} of the document: a Signature element that is no child", from + 7)),
        "{error}"
    );
}

#[test]
fn keys_that_customs_has_no_identifier_for_sign_under_a_test_profile_alone() {
    let d = sample("CEB621.xml");
    let without_sha1 = SignContext { sha1: false, ..customs(false) };
    let nothing = SignContext { suites: Vec::new(), ..customs(false) };
    assert_eq!(refusal(&d, "rsa", &without_sha1).kind(), ErrorKind::UnsupportedByCustoms);
    assert_eq!(refusal(&d, "rsa", &nothing).kind(), ErrorKind::KeyUnsuited);
    assert_eq!(refusal(&d, "sm2", &nothing).kind(), ErrorKind::Unsupported);
    let prepare =
        |context: &SignContext| CEB.prepare(&Content::bytes(d.clone()), &certificate("rsa"), context).unwrap();
    let official = prepare(&customs(false));
    assert_eq!((official.tbs.suite, official.notes), (Suite::RsaSha1, vec![Note::Sha1, Note::DeclarantUnchecked]));
    let test = prepare(&SignContext { sha1: false, ..customs(true) });
    assert_eq!((test.tbs.suite, test.notes), (Suite::RsaSha256, vec![Note::TestProfile, Note::DeclarantUnchecked]));
    let shown = &official.tbs.display.unwrap().text;
    assert!(shown.starts_with("CEB621Message, guid 5A9F0C1E-0000-4000-8000-000000000621, digest "), "{shown}");
}

#[test]
fn a_signature_of_another_suite_writes_nothing() {
    let prepared = CEB.prepare(&Content::bytes(sample("CEB621.xml")), &certificate("rsa"), &customs(false)).unwrap();
    let mut out = Vec::new();
    let other = RawSignature::new(Suite::P256Sha256, vec![1; 64]).unwrap();
    assert_eq!(prepared.finish(&other, &mut out).unwrap_err().kind(), ErrorKind::SignatureMalformed);
    assert!(out.is_empty());
}

/// The signed vector with something done to it that must not pass, and what has to be said of it.
#[test]
fn signatures_that_do_not_cover_the_whole_document_once_are_refused() {
    use FindingKind as F;
    let d = vector("synthetic_CEB311_rsa.xml");
    let text = String::from_utf8(d.clone()).unwrap();
    let (head, rest) = text.split_once("<ds:Signature ").unwrap();
    let (inside, tail) = rest.split_once("</ds:Signature>").unwrap();
    let signature = format!("<ds:Signature {inside}</ds:Signature>");
    let reference = &inside[inside.find("<ds:Reference").unwrap()..inside.find("</ds:SignedInfo>").unwrap()];
    let put = |from: &str, to: &str| replace(&d, from, to);
    let cases = [
        ("no signature", [head, tail].concat().into_bytes(), F::NoSignature),
        ("twice", format!("{head}{signature}{signature}{tail}").into_bytes(), F::SeveralSignatures),
        (
            "in an Object",
            put("</ds:Signature>", &format!("<ds:Object>{signature}</ds:Object></ds:Signature>")),
            F::SeveralSignatures,
        ),
        ("deeper", format!("{head}<ceb:x>{signature}</ceb:x>{tail}").into_bytes(), F::Wrapping),
        ("an Object before it", put("<ds:SignedInfo>", "<ds:Object/><ds:SignedInfo>"), F::Structure),
        ("part of it", put("URI=\"\"", "URI=\"#part\""), F::Wrapping),
        ("no URI", put(" URI=\"\"", ""), F::Wrapping),
        ("something on the network", put("URI=\"\"", "URI=\"http://127.0.0.1/x\""), F::Wrapping),
        ("two references", put("</ds:SignedInfo>", &format!("{reference}</ds:SignedInfo>")), F::Wrapping),
        ("no transform", put("<ds:Transforms>", "<ds:Transforms/><ds:Transforms>"), F::Structure),
        ("another transform", put("#enveloped-signature", "#base64"), F::IdentifierUnknown),
        (
            "a transform more",
            put(
                "</ds:Transforms>",
                "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\"/></ds:Transforms>",
            ),
            F::Wrapping,
        ),
        (
            "another namespace",
            put("xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"", "xmlns:ds=\"urn:ds\""),
            F::NoSignature,
        ),
    ];
    refused_for(&cases);
}

fn refused_for(cases: &[(&str, Vec<u8>, FindingKind)]) {
    for (name, document, kind) in cases {
        let report = report(document, vectors_time());
        assert_eq!(report.verdict(), Verdict::Invalid, "{name}: {:?}", report.findings);
        assert!(report.has(*kind) && kind.severity() == Severity::Wrong, "{name}: {:?}", report.findings);
    }
}

#[test]
fn signatures_with_parts_twice_missing_or_of_the_wrong_sort_are_refused() {
    use FindingKind as F;
    let d = vector("synthetic_CEB311_rsa.xml");
    let text = String::from_utf8(d.clone()).unwrap();
    let between = |from: &str, to: &str| &text[text.find(from).unwrap()..text.find(to).unwrap()];
    let signed_info = between("<ds:SignedInfo>", "<ds:SignatureValue>");
    let certificate = between("<ds:X509Certificate>", "</ds:X509Data>");
    let put = |from: &str, to: &str| replace(&d, from, to);
    let cases = [
        ("two SignedInfo", put(signed_info, &signed_info.repeat(2)), F::Structure),
        (
            "two SignatureValue",
            put("<ds:KeyInfo>", "<ds:SignatureValue>AAAA</ds:SignatureValue><ds:KeyInfo>"),
            F::Structure,
        ),
        ("two certificates", put(certificate, &certificate.repeat(2)), F::Structure),
        ("two KeyName", put("<ds:X509Data>", "<ds:KeyName>0123abcd</ds:KeyName><ds:X509Data>"), F::Structure),
        ("no certificate", put(certificate, ""), F::CertificateMissing),
        ("a broken certificate", put("<ds:X509Certificate>MII", "<ds:X509Certificate>MIJ"), F::CertificateUnreadable),
        ("another signature identifier", put("#rsa-sha1", "#hmac-sha1"), F::IdentifierUnknown),
        ("another digest identifier", put("xmldsig#sha1", "xmldsig-more#md5"), F::IdentifierUnknown),
        (
            "identifiers of two sets",
            put("http://www.w3.org/2000/09/xmldsig#sha1", "http://www.chinaport.gov.cn/2022/04/xmldsig#sm3"),
            F::IdentifiersMixed,
        ),
        (
            "an identifier for another key",
            put("http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.chinaport.gov.cn/2022/04/xmldsig#sm2-sm3"),
            F::KeyMismatch,
        ),
        (
            "a length of its own",
            put("rsa-sha1\">", "rsa-sha1\"><ds:HMACOutputLength>8</ds:HMACOutputLength>"),
            F::Structure,
        ),
        ("an attribute more", put("<ds:Reference URI", "<ds:Reference Foo=\"1\" URI"), F::Structure),
        ("text in it", put("<ds:KeyInfo>", "text<ds:KeyInfo>"), F::Structure),
        ("no base64", put("<ds:SignatureValue>", "<ds:SignatureValue>!"), F::SignatureUnreadable),
    ];
    refused_for(&cases);
}

#[test]
fn keys_offered_in_other_ways_are_not_used() {
    let d = vector("synthetic_CEB311_rsa.xml");
    let ignored = "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>\
                   </ds:KeyValue><ds:RetrievalMethod URI=\"http://127.0.0.1:1/key\"/>";
    let more = replace(&d, "<ds:X509Data>", &format!("{ignored}<ds:X509Data>"));
    let passed = report(&more, vectors_time());
    assert!(passed.verdict() == Verdict::SignatureOnly && passed.has(FindingKind::SignatureExtras));
    let text = String::from_utf8(more).unwrap();
    let (before, rest) = text.split_once("<ds:X509Data>").unwrap();
    let alone = format!("{before}{}", rest.split_once("</ds:X509Data>").unwrap().1);
    let report = report(alone.as_bytes(), vectors_time());
    assert!(report.has(FindingKind::CertificateMissing) && report.verdict() == Verdict::Invalid);
}

#[test]
fn a_message_with_key_name_alone_is_verified_with_the_callers_certificate() {
    let text = String::from_utf8(vector("synthetic_CEB311_sm2.xml")).unwrap();
    let (before, rest) = text.split_once("<ds:X509Data>").unwrap();
    let alone = Content::bytes(format!("{before}{}", rest.split_once("</ds:X509Data>").unwrap().1));
    let context = |kind| {
        let mut context = ceb_kit::context(vectors_time());
        context.certificate = Some(certificate(kind));
        context
    };
    assert_eq!(CEB.verify(&alone, None, &context("sm2")).unwrap().verdict(), Verdict::SignatureOnly);
    let other = CEB.verify(&alone, None, &context("rsa")).unwrap();
    assert!(other.has(FindingKind::KeyMismatch) && other.has(FindingKind::KeyNameOther));
}

#[test]
fn a_message_with_another_certificate_than_the_callers_is_refused() {
    for (own, other) in [("sm2", "rsa"), ("rsa", "sm2")] {
        let message = Content::bytes(vector(&format!("synthetic_CEB311_{own}.xml")));
        let judge = |given| {
            let mut context = ceb_kit::context(vectors_time());
            context.certificate = Some(certificate(given));
            CEB.verify(&message, None, &context).unwrap()
        };
        assert_eq!(judge(own).verdict(), Verdict::SignatureOnly);
        let refused = judge(other);
        assert!(refused.has(FindingKind::CertificateNotTheGiven) && refused.verdict() == Verdict::Invalid);
    }
}

#[test]
fn a_der_value_where_r_and_s_belong_is_named() {
    use base64ct::{Base64, Encoding};
    let text = String::from_utf8(vector("synthetic_CEB311_sm2.xml")).unwrap();
    let (before, rest) = text.split_once("<ds:SignatureValue>").unwrap();
    let (value, after) = rest.split_once('<').unwrap();
    let raw = RawSignature::new(Suite::Sm2Sm3, Base64::decode_vec(value).unwrap()).unwrap();
    let der = Base64::encode_string(&raw.to_wire().unwrap());
    let report = report(format!("{before}<ds:SignatureValue>{der}<{after}").as_bytes(), vectors_time());
    let finding = report.findings.iter().find(|f| f.kind == FindingKind::DerForRaw).unwrap();
    assert!(finding.to_string().contains("octets, DER at line"), "{finding}");
    assert!(report.has(FindingKind::SignatureRight) && report.verdict() == Verdict::Invalid);
}

#[test]
fn terminal_escapes_in_a_document_do_not_reach_a_report_or_a_prompt() {
    let d = sample("CEB621.xml");
    let guid = replace(&d, "guid=\"5A9F0C1E-", "guid=\"&#x9B;31m&#x202E;");
    let prepared = CEB.prepare(&Content::bytes(guid), &certificate("rsa"), &customs(false)).unwrap();
    assert!(prepared.tbs.display.unwrap().text.starts_with("CEB621Message, digest "));
    let named = replace(&vector("synthetic_CEB311_rsa.xml"), "0123abcd", "&#x9B;31m&#x202E;\u{9b}");
    for finding in report(&named, vectors_time()).findings {
        assert!(finding.to_string().chars().all(|c| c.is_ascii_graphic() || c == ' ' || c == '…'), "{finding}");
    }
}

#[test]
fn a_short_key_is_told_once() {
    if !ceb_kit::have("a message signed with RSA-1024", &["openssl"]) {
        return;
    }
    let signed = ceb_kit::Signer::rsa("1024").sign(&sample("CEB621.xml"), &customs(false)).unwrap();
    let report = report(&signed, std::time::SystemTime::now());
    let told: Vec<String> =
        report.findings.iter().filter(|f| f.kind == FindingKind::WeakKey).map(ToString::to_string).collect();
    assert!(told.len() == 1 && told[0].contains("RSA-1024"), "{told:?}");
    assert_eq!(report.verdict(), Verdict::SignatureOnly);
}

/// A message that is in no table, with these declarations beside its own and this in it.
fn message(declarations: usize, inside: &str) -> Vec<u8> {
    let more: String = (0..declarations).map(|n| format!(" xmlns:p{n}=\"urn:p{n}\"")).collect();
    format!("<c:CEB999Message xmlns:c=\"http://www.chinaport.gov.cn/ceb\"{more}>{inside}</c:CEB999Message>")
        .into_bytes()
}

/// The largest of these is signed, and our own verifier takes it; with one more it is refused before a PIN is asked.
fn at_the_edge(kinds: &[&str], most: impl Fn(&Signer) -> usize, message: impl Fn(usize) -> Vec<u8>) -> Vec<usize> {
    let lengths = kinds.iter().map(|kind| {
        let signer = Signer::vectors(kind);
        let most = most(&signer);
        let error = refusal(&message(most + 1), kind, &customs(false));
        assert_eq!(error.kind(), ErrorKind::DocumentTooLarge, "{error}");
        assert!(error.to_string().contains("no room for its Signature"), "{error}");
        let signed = signer.sign(&message(most), &customs(false)).unwrap();
        let report = report(&signed, vectors_time());
        assert_eq!(report.verdict(), Verdict::SignatureOnly, "{:?}", report.findings);
        assert!(report.has(FindingKind::DigestRight) && report.has(FindingKind::SignatureRight));
        signed.len()
    });
    lengths.collect()
}

#[test]
fn a_document_that_has_no_room_for_its_signature_is_refused_before_a_pin_is_asked_for() {
    if !ceb_kit::have("documents at the bounds", &["openssl"]) {
        return;
    }
    // What a Signature has: 14 elements with 4 texts, and one declaration.
    at_the_edge(&["rsa"], |_| MAX_NAMESPACES - 2, |n| message(n, "<a/>"));
    at_the_edge(&["rsa"], |_| MAX_ELEMENTS - 14 - 1, |n| message(0, &"<a/>".repeat(n)));
    at_the_edge(&["rsa"], |_| MAX_TEXTS - 4, |n| message(0, &"<!---->".repeat(n)));
    let padded = |n| message(0, &"x".repeat(n));
    let most = |signer: &Signer| MAX_OCTETS - signer.sign(&padded(0), &customs(false)).unwrap().len();
    assert_eq!(at_the_edge(&["rsa", "sm2"], most, padded), [MAX_OCTETS; 2]);
}

#[test]
fn a_part_of_a_signature_without_the_rest_is_refused() {
    let part = "<d:SignedInfo xmlns:d=\"http://www.w3.org/2000/09/xmldsig#\"/>";
    let error = refusal(&message(0, part), "rsa", &customs(false));
    assert_eq!(error.kind(), ErrorKind::DocumentAmbiguous, "{error}");
}
