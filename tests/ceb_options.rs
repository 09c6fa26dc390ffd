//! Customs messages with more to say: who declares, which identifiers, a signature in place of another, every way of writing XML.
#![cfg(all(feature = "xml", feature = "rsa", feature = "sm"))]

#[path = "support/ceb_kit.rs"]
mod ceb_kit;
#[path = "../examples/shield/test_ca.rs"]
mod test_ca;

use std::time::SystemTime;

use ceb_kit::{Signer, customs, have, replace, report, sample, say, vector};
use shared_shield::format::ceb::{CEB, MESSAGES, Message, SignatureRule, without_signature};
use shared_shield::format::{Format, SignContext, xmldsig};
use shared_shield::{
    CebOptions, Content, Error, ErrorKind, FindingKind, IdentifierSet, Note, Profile, Recovery, Result, Suite, Verdict,
};
use test_ca::{Holder, Shape, TestCa};

const CODE: &str = "<ceb:agentCode>91000000MA0SYN001X</ceb:agentCode>";
const NAME: &str = "<ceb:agentName>合成样例贸易有限公司</ceb:agentName>";
const RSA: &[&str] = &["rsa:2048"];
const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// A key whose certificate has the e-port's fields.
fn eport(algorithm: &[&str], holder: &Holder) -> Signer {
    Signer::issued(algorithm, |spki| {
        let ca = TestCa::eport(SystemTime::now()).unwrap();
        let der = ca.issue(&Shape::customs(holder, 1, SystemTime::now()), spki).unwrap();
        (der, test_ca::pem(ca.der()).unwrap())
    })
}

fn prepared(
    signer: &Signer,
    options: CebOptions,
    document: &[u8],
    context: &SignContext,
) -> Result<(Suite, Vec<Note>)> {
    let prepared = options.format().prepare(&Content::bytes(document), &signer.certificate, context)?;
    Ok((prepared.tbs.suite, prepared.notes))
}

fn refusal(signer: &Signer, options: CebOptions, document: &[u8]) -> Error {
    prepared(signer, options, document, &customs(true)).unwrap_err()
}

fn notes(signer: &Signer, document: &[u8]) -> Vec<Note> {
    let mut notes = prepared(signer, CebOptions::default(), document, &customs(true)).unwrap().1;
    notes.retain(|note| !matches!(note, Note::Sha1 | Note::TestProfile));
    notes
}

/// One order of a message with these fields.
fn message(number: u16, fields: &str) -> Vec<u8> {
    format!(
        "<ceb:CEB{number}Message xmlns:ceb=\"http://www.chinaport.gov.cn/ceb\" guid=\"G\" version=\"1.0\"><ceb:Order>{fields}\
         </ceb:Order></ceb:CEB{number}Message>"
    )
    .into_bytes()
}

#[test]
fn the_table_has_the_messages_of_the_specification_with_their_rules() {
    let numbers = |rule| -> Vec<u16> { MESSAGES.iter().filter(|m| m.signature == rule).map(|m| m.number).collect() };
    // manual::customs §1.2.
    assert_eq!(numbers(SignatureRule::Mandatory), [509, 603, 605, 607, 621, 623, 625, 701, 711]);
    assert_eq!(numbers(SignatureRule::Optional), [213, 215, 303, 311, 403, 411, 505, 507, 511, 513]);
    assert!(MESSAGES.windows(2).all(|pair| pair[0].number < pair[1].number), "by number, each once");
    for message in MESSAGES.iter().filter(|m| m.signature != SignatureRule::Never) {
        let receipt = Message::by_number(message.number + 1).unwrap();
        assert_eq!(receipt.signature, SignatureRule::Never, "{receipt:?}");
        assert!(!message.title.is_empty() && !message.title_zh.is_empty());
    }
    assert_eq!(Message::by_number(621).unwrap().declarant.unwrap().answer, Some("-621015"));
    assert_eq!(Message::by_number(625).unwrap().declarant.unwrap().answer, Some("-625013"));
}

#[test]
fn a_receipt_of_customs_is_not_signed_and_an_unknown_message_says_so() {
    let signer = eport(P256, &Holder::default());
    for number in [312, 622, 900] {
        let error = refusal(&signer, CebOptions::default(), &message(number, ""));
        assert_eq!((error.kind(), error.recovery()), (ErrorKind::MessageNeverSigned, Recovery::FixDocument), "{error}");
        assert!(error.to_string().contains(&format!("CEB{number}")), "{error}");
    }
    assert_eq!(notes(&signer, &message(999, "")), [Note::MessageUnknown]);
    assert_eq!(notes(&signer, &message(311, "<ceb:appStatus>1</ceb:appStatus>")), [Note::Draft]);
    assert_eq!(notes(&signer, &message(311, "<ceb:appStatus> 2\n</ceb:appStatus>")), []);
}

#[test]
fn a_declarant_that_is_not_the_certificates_company_is_refused_with_the_code_of_customs() {
    let signer = eport(P256, &Holder::default());
    let d = sample("CEB621.xml");
    assert_eq!(notes(&signer, &d), []);
    let line = d.split(|o| *o == b'\n').position(|l| l.windows(9).any(|w| w == b"agentCode")).unwrap() + 1;
    for (from, to) in [
        (CODE, "<ceb:agentCode>91000000MA0SYN002X</ceb:agentCode>"),
        (NAME, "<ceb:agentName>合成样例报关有限公司</ceb:agentName>"),
        // Both codes are right, one after the other: which of them would customs read?
        (CODE, &CODE.repeat(2)),
        // A comment is no part of what is signed.
        (NAME, "<ceb:agentName>合成样例<!-- 贸易 -->有限公司</ceb:agentName>"),
    ] {
        let error = refusal(&signer, CebOptions::default(), &replace(&d, from, to));
        assert_eq!((error.kind(), error.recovery()), (ErrorKind::DeclarantMismatch, Recovery::FixDocument), "{to}");
        let text = error.to_string();
        for word in ["-621015", "MA0SYN001", "合成样例贸易有限公司", &format!("line {line}")] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(!text.contains("SYNTHETIC"), "neither the holder nor an identity number: {text}");
        let (_, notes) = prepared(
            &signer,
            CebOptions::default().even_for_another_declarant(),
            &replace(&d, from, to),
            &customs(true),
        )
        .unwrap();
        assert!(notes.contains(&Note::DeclarantOther), "{notes:?}");
    }
}

#[test]
fn every_order_of_a_message_is_compared_and_the_answer_is_that_of_the_message() {
    let signer = eport(P256, &Holder::default());
    let other = "<ceb:agentName>合成样例报关有限公司</ceb:agentName>";
    let two = |last: &str| message(625, &format!("<ceb:a>{CODE}{NAME}</ceb:a><ceb:a>{CODE}{last}</ceb:a>"));
    assert_eq!(notes(&signer, &two(NAME)), []);
    let error = refusal(&signer, CebOptions::default(), &two(other)).to_string();
    assert!(error.contains("-625013") && error.contains("合成样例报关有限公司"), "{error}");
    for number in [603, 605, 607, 623, 701, 213] {
        let error = refusal(&signer, CebOptions::default(), &message(number, other)).to_string();
        assert!(error.contains("with which code customs would answer is not known"), "{error}");
    }
    // What a person is shown is short, and nothing of it steers a terminal.
    let hostile = format!("<ceb:agentName>{}\u{202e}</ceb:agentName>", "公".repeat(500));
    let error = refusal(&signer, CebOptions::default(), &message(621, &hostile)).to_string();
    assert!(error.chars().count() < 600 && !error.contains('\u{202e}'), "{error}");
}

#[test]
fn what_cannot_be_compared_or_is_not_known_to_matter_is_a_note() {
    let signer = eport(P256, &Holder::default());
    let customs_code = "<ceb:agentCode>1105910159</ceb:agentCode>";
    for (document, expected) in [
        (message(621, &format!("{customs_code}{NAME}")), vec![]),
        (message(621, customs_code), vec![Note::DeclarantUnchecked]),
        (message(621, ""), vec![Note::DeclarantUnchecked]),
        (message(621, "<ceb:agentName> 合成样例贸易 有限公司 </ceb:agentName>"), vec![Note::DeclarantSpelling]),
        (message(621, "<ceb:agentName>合成样例贸易有限公司 </ceb:agentName>"), vec![Note::DeclarantSpelling]),
        (
            message(621, &format!("<ceb:agentCode>\n91000000MA0SYN001X</ceb:agentCode>{NAME}")),
            vec![Note::DeclarantSpelling],
        ),
        // A carrier, which the schema names as sender.
        (message(511, "<ceb:logisticsName>合成样例物流有限公司</ceb:logisticsName>"), vec![Note::DeclarantOther]),
        (message(511, "<ceb:logisticsName>合成样例贸易有限公司</ceb:logisticsName>"), vec![]),
        (message(711, "<ceb:operatorCode>91000000MA0SYN002X</ceb:operatorCode>"), vec![Note::DeclarantOther]),
        // An order may be sent by one of several companies.
        (message(311, "<ceb:ebcName>合成样例进出口有限公司</ceb:ebcName>"), vec![]),
    ] {
        assert_eq!(notes(&signer, &document), expected, "{}", String::from_utf8_lossy(&document));
    }
    let nobody = Signer::p256();
    assert_eq!(notes(&nobody, &sample("CEB621.xml")), [Note::DeclarantUnchecked]);
}

#[test]
fn identifier_sets_are_chosen_by_request_or_profile_and_only_where_they_fit() {
    let rsa = Signer::vectors("rsa");
    let sm2 = Signer::vectors("sm2");
    let d = sample("CEB621.xml");
    let with = |set| CebOptions::default().identifiers(set);
    let profile = SignContext { identifiers: Some(IdentifierSet::Legacy2018Sha256), ..customs(false) };
    let plain = customs(false);
    use IdentifierSet as I;
    for (signer, options, context, suite) in [
        (&rsa, CebOptions::default(), &plain, Suite::RsaSha1),
        (&rsa, CebOptions::default(), &profile, Suite::RsaSha256),
        (&rsa, with(I::OfficialRsaSha1), &profile, Suite::RsaSha1),
        (&rsa, with(I::Legacy2018Sha256), &plain, Suite::RsaSha256),
        (&sm2, with(I::Official2022), &plain, Suite::Sm2Sm3),
        // The profile's set is for RSA keys; an SM2 key has its own.
        (&sm2, CebOptions::default(), &profile, Suite::Sm2Sm3),
    ] {
        let (made, notes) = prepared(signer, options, &d, context).unwrap();
        assert_eq!(made, suite, "{options:?}");
        assert_eq!(notes.contains(&Note::IdentifiersInferred), suite == Suite::RsaSha256, "{notes:?}");
        assert!(!notes.contains(&Note::TestProfile), "{notes:?}");
    }
    let kind = |signer, set, context: &SignContext| prepared(signer, with(set), &d, context).unwrap_err().kind();
    for set in [I::Official2022, I::MixedSm2Sha1] {
        assert_eq!(kind(&rsa, set, &plain), ErrorKind::IdentifiersUnsuited);
    }
    for set in [I::OfficialRsaSha1, I::Legacy2018Sha256, I::MixedSm2Sha1] {
        assert_eq!(kind(&sm2, set, &plain), ErrorKind::IdentifiersUnsuited);
    }
    let old = Signer::rsa("1024");
    assert_eq!(kind(&old, I::Legacy2018Sha256, &plain), ErrorKind::IdentifiersUnsuited, "RSA-1024 has SHA-1 alone");
    let strict = SignContext { sha1: false, ..customs(false) };
    assert_eq!(kind(&rsa, I::OfficialRsaSha1, &strict), ErrorKind::UnsupportedByCustoms);
    let poor = SignContext { suites: vec![Suite::RsaSha1], ..customs(false) };
    assert_eq!(kind(&rsa, I::Legacy2018Sha256, &poor), ErrorKind::KeyUnsuited);
}

#[test]
fn identifier_sets_are_known_by_name_in_profiles_and_in_documents() {
    let text = |name: &str| format!("schema = 1\n[customs]\nidentifiers = \"{name}\"");
    for set in IdentifierSet::ALL {
        assert_eq!(IdentifierSet::parse(set.name()), Some(set));
        match Profile::parse(&text(set.name())) {
            Ok(profile) => assert_eq!(profile.identifiers(), Some(set)),
            Err(error) => {
                assert_eq!((set, error.kind()), (IdentifierSet::MixedSm2Sha1, ErrorKind::ProfileMalformed));
                assert!(error.to_string().contains("line 3") && error.to_string().contains("reading"), "{error}");
            }
        }
    }
    let unknown = Profile::parse(&text("official-2018")).unwrap_err().to_string();
    assert!(unknown.contains("line 3") && unknown.contains("legacy-2018-sha256"), "{unknown}");
    assert_eq!(Profile::builtin().identifiers(), None);
    let of = |document: &[u8]| xmldsig::identifier_set(document).unwrap();
    assert_eq!(of(&vector("synthetic_CEB311_rsa.xml")), Some(IdentifierSet::OfficialRsaSha1));
    let sm2 = vector("synthetic_CEB311_sm2.xml");
    assert_eq!(of(&sm2), Some(IdentifierSet::Official2022));
    assert_eq!(of(&sample("CEB621.xml")), None);
    let unofficial = replace(
        &sm2,
        "http://www.chinaport.gov.cn/2022/04/xmldsig#sm2-sm3",
        "http://www.w3.org/2000/09/xmldsig#sm2-sm3",
    );
    assert_eq!(of(&unofficial), None, "its digest is another");
    let mixed = replace(
        &unofficial,
        "http://www.chinaport.gov.cn/2022/04/xmldsig#sm3",
        "http://www.w3.org/2000/09/xmldsig#sha1",
    );
    assert_eq!(of(&mixed), Some(IdentifierSet::MixedSm2Sha1));
}

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

#[test]
fn form_fields_are_signed_one_after_the_other_and_shown_apart() {
    use shared_shield::Request;
    use shared_shield::format::ems::{EMS, Field, MAX_FIELDS, signing_text};
    let fields = |pairs: &[(&'static str, &'static str)]| -> Vec<Field<'static>> {
        pairs.iter().map(|(name, value)| Field { name, value }).collect()
    };
    let one = fields(&[("a", "12"), ("b", ""), ("c", "3 件")]);
    assert_eq!(signing_text(&one).unwrap(), "123 件");
    assert_eq!(signing_text(&fields(&[("x", "1"), ("y", "23 件")])).unwrap(), "123 件", "the boundary is not signed");
    assert_eq!(Request::ems(&one).unwrap().format(), "ems");
    for (bad, kind) in [
        (fields(&[]), ErrorKind::FormEmpty),
        (fields(&[("a", ""), ("b", "")]), ErrorKind::FormEmpty),
        (fields(&[("a", "1\u{202e}2")]), ErrorKind::FormField),
        (fields(&vec![("a", "1"); MAX_FIELDS + 1]), ErrorKind::FormField),
        (fields(&[("a", "<ds:"), ("b", "SignedInfo>")]), ErrorKind::DocumentAmbiguous),
        (fields(&[("a", "\"session"), ("b", "ID\":\"1\"||")]), ErrorKind::DocumentAmbiguous),
    ] {
        assert_eq!(Request::ems(&bad).unwrap_err().kind(), kind, "{bad:?}");
    }
    // The longest form that there is can still be shown.
    let long = "字".repeat(85);
    let most: Vec<Field<'_>> = (0..MAX_FIELDS).map(|_| Field { name: &long, value: &long }).collect();
    Request::ems(&most).unwrap();
    let sm2 = Signer::vectors("sm2");
    if !have("EMS with SM2", &["openssl"]) {
        return;
    }
    let value = sm2.sign_as(&EMS, "123 件".as_bytes(), &customs(false)).unwrap();
    assert_eq!(value.len(), 88, "r and s in base64");
    let context = shared_shield::VerifyContext {
        certificate: Some(sm2.certificate.clone()),
        ..ceb_kit::context(ceb_kit::vectors_time())
    };
    let judge = |text: &str| EMS.verify(&Content::bytes(text), Some(&value), &context).unwrap();
    assert!(judge("123 件").has(FindingKind::SignatureRight));
    let wrong = judge("123 件\n");
    assert!(wrong.has(FindingKind::SignatureWrong) && wrong.has(FindingKind::NoKnownReason), "{:?}", wrong.findings);
}

#[test]
fn a_digest_alone_that_another_card_signed_names_the_other_card() {
    use shared_shield::format::digest::DIGEST_ALONE;
    use shared_shield::{DigestAlgorithm, Trust, VerifyContext};
    if !have("a digest alone", &["openssl"]) {
        return;
    }
    let [own, other] = [Signer::vectors("rsa"), Signer::rsa("2048")];
    let (document, out) = (other.folder.write("order", b"order"), other.folder.0.join("order.sig"));
    let [key, document, out] = [&other.key, &document, &out].map(|path| path.to_str().unwrap());
    ceb_kit::run_well("openssl", &["dgst", "-sha1", "-sign", key, "-out", out, document]);
    let value = std::fs::read(out).unwrap();
    let judge = |octets: &[u8], trust| {
        let digest = DigestAlgorithm::Sha1.of(octets).unwrap();
        let context = ceb_kit::context(ceb_kit::vectors_time());
        let context = VerifyContext { certificate: Some(own.certificate.clone()), trust, ..context };
        DIGEST_ALONE.verify(&Content::Digest(digest.into()), Some(&value), &context).unwrap()
    };
    let both = || Trust::Anchors(vec![other.certificate.clone()]);
    assert!(judge(b"order", both()).has(FindingKind::KeyNotSigner));
    let unknown = judge(b"other", both());
    assert!(unknown.has(FindingKind::SignatureWrong) && unknown.has(FindingKind::NoKnownReason));
    assert!(!unknown.has(FindingKind::KeyNotSigner));
}
