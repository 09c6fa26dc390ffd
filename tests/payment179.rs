//! Announcement 179: the string that customs builds, its signature, and what is posted.
#![cfg(all(feature = "json", feature = "rsa", feature = "sm"))]

#[path = "support/customs_kit.rs"]
mod kit;
#[path = "support/payment_kit.rs"]
mod payment_kit;

use base64ct::{Base64, Encoding};
use kit::*;
use payment_kit::*;
use shared_shield::format::payment179::{FORM_OUT, SIGNATURE_OUT, VALUE_OUT, signing_string};
use shared_shield::format::{Format, SignContext};
use shared_shield::{
    CardKind, Content, Error, ErrorKind, FindingKind, Note, Profile, RawSignature, Request, Role, Suite, Trust,
    Verdict, VerifyContext,
};

#[test]
fn fields_and_ready_string_make_the_string_of_the_vector_octet_for_octet() {
    assert_eq!(signing_string(FIELDS.as_bytes()).unwrap(), string());
    assert_eq!(signing_string(string().as_bytes()).unwrap(), string());
    let with_mark = ["\u{FEFF}", FIELDS].concat();
    assert_eq!(signing_string(with_mark.as_bytes()).unwrap(), string(), "JSON may have a byte order mark");
    for document in [FIELDS.as_bytes(), string().as_bytes()] {
        let (message, _) = sign(&VALUE_OUT, document, &customs()).unwrap();
        assert_eq!(message, string().as_bytes());
    }
}

#[test]
fn our_rsa_signature_equals_the_vector() {
    let (_, value) = sign(&SIGNATURE_OUT, FIELDS.as_bytes(), &customs()).unwrap();
    assert_eq!(String::from_utf8(value).unwrap(), text("synthetic_179_sig_rsa.b64"));
}

#[test]
fn both_vectors_verify_and_fail_with_one_octet_changed() {
    for (name, suite) in [("rsa", Suite::RsaSha1), ("sm2", Suite::Sm2Sm3)] {
        let by = certificate(&format!("synthetic_{name}_cert.pem"));
        let value = vector(&format!("synthetic_179_sig_{name}.b64"));
        let report = VALUE_OUT.verify(&Content::bytes(string()), Some(&value), &judging(&by)).unwrap();
        assert_eq!((reasons(&report), report.suite), (vec![], Some(suite)), "{:?}", report.findings);
        assert_eq!(report.verdict(), Verdict::SignatureOnly, "nobody was asked about trust");
        let rule = "schema = 1\ntest = true\n[[customs.issuer]]\nunit = \"Synthetic Trading Co\"\nallow_ca = true\n";
        let trusting = VerifyContext {
            trust: Trust::Pinned(vec![by.fingerprint()]),
            role: Some(Role::Customs),
            profile: std::sync::Arc::new(Profile::parse(rule).unwrap()),
            ..judging(&by)
        };
        let report = VALUE_OUT.verify(&Content::bytes(string()), Some(&value), &trusting).unwrap();
        assert_eq!(report.verdict(), Verdict::Valid, "{:?}", report.findings);
        let late = VerifyContext { at: day() + std::time::Duration::from_secs(10 * 365 * 86_400), ..trusting };
        let report = VALUE_OUT.verify(&Content::bytes(string()), Some(&value), &late).unwrap();
        assert_eq!(reasons(&report), [FindingKind::CertificateExpired]);
        // Octets in place of base64, and the fields in place of the string, are as good.
        let octets = Base64::decode_vec(std::str::from_utf8(&value).unwrap()).unwrap();
        let report = VALUE_OUT.verify(&Content::bytes(FIELDS), Some(&octets), &judging(&by)).unwrap();
        assert!(report.has(FindingKind::SignatureRight) && reasons(&report).is_empty(), "{:?}", report.findings);

        let mut changed = string().into_bytes();
        *changed.last_mut().unwrap() ^= 1;
        changed[20] ^= 1;
        let report = VALUE_OUT.verify(&Content::bytes(changed), Some(&value), &judging(&by)).unwrap();
        assert!(report.has(FindingKind::SignatureWrong) && !report.has(FindingKind::SignatureRight));
        let mut other = octets;
        other[40] ^= 1;
        let report = VALUE_OUT.verify(&Content::bytes(string()), Some(&other), &judging(&by)).unwrap();
        assert_eq!(reasons(&report), [FindingKind::SignatureWrong]);
    }
}

#[test]
fn openssl_takes_what_is_posted_and_refuses_it_with_one_octet_changed() {
    let (message, posted) = sign(&VALUE_OUT, FIELDS.as_bytes(), &customs()).unwrap();
    let posted: serde_json::Value = serde_json::from_slice(&posted).unwrap();
    let value = Base64::decode_vec(posted["signValue"].as_str().unwrap()).unwrap();
    assert!(openssl_judges(&certificate("synthetic_rsa_cert.pem"), "-sha1", &value, &message));
    assert_eq!(posted["certNo"], "0123abcd");
}

#[test]
fn what_is_posted_holds_the_octets_that_were_signed_and_its_form_decodes_to_it() {
    let (message, posted) = sign(&VALUE_OUT, FIELDS.as_bytes(), &customs()).unwrap();
    let (message, posted) = (String::from_utf8(message).unwrap(), String::from_utf8(posted).unwrap());
    let head = message.split("\"payExchangeInfoHead\":\"").nth(1).unwrap().split("\"||").next().unwrap();
    let lists = message.split("\"payExchangeInfoLists\":\"").nth(1).unwrap().split("\"||").next().unwrap();
    let value = text("synthetic_179_sig_rsa.b64");
    assert_eq!(
        posted,
        format!(
            "{{\"sessionID\":\"00000000-0000-4000-8000-00000000002B\",\"payExchangeInfoHead\":{head},\
             \"payExchangeInfoLists\":{lists},\"serviceTime\":\"1704067200000\",\"certNo\":\"0123abcd\",\
             \"signValue\":\"{value}\"}}"
        )
    );
    let (_, form) = sign(&FORM_OUT, FIELDS.as_bytes(), &customs()).unwrap();
    assert!(form.is_ascii() && form.starts_with(b"payExInfoStr=%7B%22sessionID"));
    let script = "import sys, urllib.parse as u; b = sys.stdin.buffer.read().decode(); \
                  sys.stdout.buffer.write(u.parse_qs(b, strict_parsing=True)['payExInfoStr'][0].encode())";
    let decoded = run("python3", &["-c", script], &form);
    assert_eq!(String::from_utf8(decoded.stdout).unwrap(), posted);
    for document in [posted.into_bytes(), form] {
        let report = verify(document, None);
        assert!(report.has(FindingKind::SignatureRight) && reasons(&report).is_empty(), "{:?}", report.findings);
    }
}

#[test]
fn our_verifier_takes_what_openssl_signed_with_sm2() {
    let scratch = Scratch::new();
    let (message, der) = (scratch.file("string", string().as_bytes()), scratch.path("signature"));
    let key = path_text("synthetic_sm2_throwaway.key");
    let made =
        openssl(&["dgst", "-sm3", "-sign", &key, "-sigopt", "distid:1234567812345678", "-out", &der, &message], b"");
    assert!(made.status.success(), "{made:?}");
    let raw = RawSignature::from_wire(Suite::Sm2Sm3, &std::fs::read(&der).unwrap()).unwrap();
    let value = Base64::encode_string(raw.octets());
    assert_eq!(value.len(), 88);
    let sm2 = certificate("synthetic_sm2_cert.pem");
    let report = VALUE_OUT.verify(&Content::bytes(FIELDS), Some(value.as_bytes()), &judging(&sm2)).unwrap();
    assert_eq!((reasons(&report), report.suite), (vec![], Some(Suite::Sm2Sm3)));
}

#[test]
fn quotes_backslashes_and_line_ends_in_values_are_escaped_once_and_nothing_else_is() {
    let value = r#"<a b='c'>&=/\"\\\n\r\t\b\f "#.to_owned() + "\u{a0}é中\u{1F6E1}\u{ad}\u{200f}";
    let document = FIELDS.replace("合成样例", &value);
    let string = signing_string(document.as_bytes()).unwrap();
    assert!(string.contains(&format!("\"note\":\"{value}\"}}\"||")), "{string}");
    assert_eq!(signing_string(string.as_bytes()).unwrap(), string, "as a ready string it is taken");
    // A delimiter inside a value does not end the value.
    let hostile = FIELDS.replace("合成样例", r#"}\"||\"serviceTime\":\"1"#);
    let string = signing_string(hostile.as_bytes()).unwrap();
    assert_eq!(signing_string(string.as_bytes()).unwrap(), string);
}

#[test]
fn each_key_signs_as_customs_takes_it_or_is_refused() {
    let rsa = certificate("synthetic_rsa_cert.pem");
    let sm2 = certificate("synthetic_sm2_cert.pem");
    let (ec, key) = p256();
    let content = Content::bytes(FIELDS);
    let kind = |by, context: &SignContext| VALUE_OUT.prepare(&content, by, context).map_err(|e: Error| e.kind());
    let test = SignContext { test: true, ..customs() };
    assert_eq!(kind(&ec, &customs()).unwrap_err(), ErrorKind::UnsupportedByCustoms);
    assert_eq!(kind(&rsa, &SignContext { sha1: false, ..customs() }).unwrap_err(), ErrorKind::UnsupportedByCustoms);
    let without = |suite: Suite| SignContext { suites: vec![suite], ..customs() };
    assert_eq!(kind(&sm2, &without(Suite::P256Sha256)).unwrap_err(), ErrorKind::Unsupported);
    assert_eq!(kind(&rsa, &without(Suite::RsaSha256)).unwrap_err(), ErrorKind::KeyUnsuited);

    let prepared = kind(&rsa, &customs()).unwrap();
    assert_eq!(prepared.notes, [Note::Sha1]);
    let wrong_card = SignContext { card: CardKind::LegalPerson, ..customs() };
    assert_eq!(kind(&rsa, &wrong_card).unwrap().notes, [Note::Sha1, Note::LegalPersonCard]);
    let prepared = kind(&sm2, &customs()).unwrap();
    assert_eq!((prepared.tbs.suite, prepared.notes.len()), (Suite::Sm2Sm3, 0));
    let e = "a64c7b45940947a12789c060da99f1068e6731a489a36d4d8299cf6671579943";
    assert_eq!(prepared.tbs.digest.hex(), e, "the vectors' e = SM3(Z ‖ string)");
    let signature = sm2_sign(prepared.tbs.digest.octets());
    let mut out = Vec::new();
    prepared.finish(&signature, &mut out).unwrap();
    let report = VALUE_OUT.verify(&Content::bytes(out), None, &judging(&sm2)).unwrap();
    assert_eq!(reasons(&report), []);

    let prepared = kind(&ec, &test).unwrap();
    assert_eq!(prepared.notes, [Note::TestProfile]);
    let signature = p256_sign(&key, &prepared.tbs);
    let mut out = Vec::new();
    prepared.finish(&signature, &mut out).unwrap();
    let report = VALUE_OUT.verify(&Content::bytes(out), None, &judging(&ec)).unwrap();
    assert!(report.has(FindingKind::SignatureRight) && report.has(FindingKind::TestIdentifiers));

    let prepared = kind(&rsa, &customs()).unwrap();
    let wrong = RawSignature::new(Suite::RsaSha256, vec![1; 256]).unwrap();
    let mut out = Vec::new();
    assert_eq!(prepared.finish(&wrong, &mut out).unwrap_err().kind(), ErrorKind::SignatureMalformed);
    assert!(out.is_empty());
}

#[test]
fn a_request_is_of_customs_and_its_prompt_shows_transaction_and_amount() {
    let request = Request::payment179(Content::bytes(FIELDS));
    assert_eq!((request.role(), request.format()), (Role::Customs, "payment179"));
    let by = certificate("synthetic_rsa_cert.pem");
    let prepared = VALUE_OUT.prepare(&Content::bytes(FIELDS), &by, &customs()).unwrap();
    let shown = &prepared.tbs.display.as_ref().unwrap().text;
    for part in ["TEST0000000000000001", "88.5", "142", "179"] {
        assert!(shown.contains(part), "{shown}");
    }
    let hostile = FIELDS.replace("TEST0000000000000001", "a\\n\\u202eb");
    let prepared = VALUE_OUT.prepare(&Content::bytes(hostile), &by, &customs()).unwrap();
    assert!(prepared.tbs.display.unwrap().text.is_ascii());
}

#[test]
fn numbers_and_characters_stay_literal_and_what_is_posted_makes_the_same_string_again() {
    let mut seeded = Seeded(179);
    let (mut posted, mut expected) = (Vec::new(), Vec::new());
    for case in 0..400 {
        let (document, exact) = some_payment(&mut seeded);
        let (message, out) =
            sign(&VALUE_OUT, document.as_bytes(), &customs()).unwrap_or_else(|e| panic!("{case}: {e}\n{document}"));
        assert_eq!(String::from_utf8(message).unwrap(), exact, "{document}");
        assert_eq!(signing_string(exact.as_bytes()).unwrap(), exact, "as a ready string");
        let report = verify(out.clone(), None);
        assert!(report.has(FindingKind::SignatureRight) && reasons(&report).is_empty(), "{document}");
        posted.push(String::from_utf8(out).unwrap());
        expected.push(exact);
    }
    // Another JSON library reads what is posted and writes the string anew; numbers as their text.
    let script = "import json, sys\n\
                  dump = lambda v: json.dumps(v, ensure_ascii=False, separators=(',', ':'))\n\
                  number = lambda t: '\\ue000' + t + '\\ue000'\n\
                  for line in sys.stdin.buffer.read().decode().split('\\n')[:-1]:\n\
                  \x20   d = json.loads(line, parse_float=number, parse_int=number)\n\
                  \x20   h, l = (dump(d[n]).replace('\"\\ue000', '').replace('\\ue000\"', '') for n in ('payExchangeInfoHead', 'payExchangeInfoLists'))\n\
                  \x20   s = '\"sessionID\":\"%s\"||\"payExchangeInfoHead\":\"%s\"||\"payExchangeInfoLists\":\"%s\"||\"serviceTime\":\"%s\"'\n\
                  \x20   sys.stdout.buffer.write((s % (d['sessionID'], h, l, d['serviceTime']) + '\\n').encode())\n";
    let output = run("python3", &["-c", script], (posted.join("\n") + "\n").as_bytes());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let again = String::from_utf8(output.stdout).unwrap();
    let again: Vec<&str> = again.lines().collect();
    assert_eq!(again.len(), expected.len());
    for (again, expected) in again.iter().zip(&expected) {
        assert_eq!(again, expected);
    }
}
