//! Announcement 179: the string that customs builds, its signature, what is posted, and why a signature fails.
#![cfg(all(feature = "json", feature = "rsa", feature = "sm"))]

#[path = "support/customs_kit.rs"]
mod kit;

use base64ct::{Base64, Encoding};
use kit::*;
use shared_shield::format::payment179::{FORM_OUT, MAX_OCTETS, SIGNATURE_OUT, VALUE_OUT, signing_string};
use shared_shield::format::{Format, SignContext};
use shared_shield::{
    Content, Error, ErrorKind, FindingKind, Note, Profile, RawSignature, Report, Request, Role, Suite, ToBeSigned,
    Trust, Verdict, VerifyContext,
};

/// The vector's fields, in another order, with white space and escapes that the string must not have.
const FIELDS: &str = r#"{
    "serviceTime": "1704067200000",
    "payExchangeInfoLists": [ {
        "recpName": "TEST", "recpCode": "", "recpAccount": "TESTACCOUNT1", "orderNo": "TEST-ORDER-1",
        "goodsInfo": [ { "itemLink": "https:\/\/shop.example\/i\/1", "gname": "\u6d4b\u8bd5商品" } ]
    } ],
    "sessionID": "00000000-0000-4000-8000-00000000002B",
    "payExchangeInfoHead": {
        "note": "合成样例", "tradingTime": "20240101000000", "payType": "1", "verDept": "3", "currency": "142",
        "totalAmount": 88.5,
        "payTransactionId": "TEST0000000000000001", "payCode": "000000T001", "ebpCode": "1100000000",
        "initalResponse": "ok", "initalRequest": "https://pay.example/req?a=1\u0026b=2",
        "guid": "00000000-0000-4000-8000-00000000001A"
    }
}"#;

fn string() -> String {
    text("synthetic_179_string.txt")
}

/// Verifies with the certificate of the throw-away RSA key.
fn verify(document: impl Into<Vec<u8>>, signature: Option<&[u8]>) -> Report {
    let by = certificate("synthetic_rsa_cert.pem");
    VALUE_OUT.verify(&Content::bytes(document), signature, &judging(&by)).unwrap()
}

fn rsa_over(message: &str) -> String {
    let by = certificate("synthetic_rsa_cert.pem");
    let tbs = ToBeSigned::over(Suite::RsaSha1, by.key().unwrap(), message.as_bytes()).unwrap();
    Base64::encode_string(rsa_sign(&tbs).octets())
}

/// What is posted for the vector's fields, with another signature value in it.
fn posted_with(value: &str) -> String {
    let (_, posted) = sign(&VALUE_OUT, FIELDS.as_bytes(), &customs()).unwrap();
    let posted = String::from_utf8(posted).unwrap();
    let (before, _) = posted.split_once("\"signValue\":\"").unwrap();
    format!("{before}\"signValue\":\"{value}\"}}")
}

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
fn a_newline_at_the_end_is_named_whoever_put_it_there() {
    for end in ["\n", "\r\n"] {
        let with = string() + end;
        // Added after signing; signed and then lost; signed and still there; signed, and posted without the string.
        let cases = [
            (with.clone(), text("synthetic_179_sig_rsa.b64"), "added after signing"),
            (string(), rsa_over(&with), "signed with it"),
            (with.clone(), rsa_over(&with), "signed with it"),
            (FIELDS.to_owned(), rsa_over(&with), "signed with it"),
        ];
        for (document, value, who) in cases {
            let report = verify(document, Some(value.as_bytes()));
            let newline = report.findings.iter().find(|f| f.kind == FindingKind::NewlineAtEnd);
            let newline = newline.unwrap_or_else(|| panic!("{:?}", report.findings));
            assert!(newline.detail.as_deref().unwrap().contains(who), "{newline}");
            let others: Vec<_> = reasons(&report).into_iter().filter(|k| *k != FindingKind::SignatureWrong).collect();
            assert_eq!(others, [FindingKind::NewlineAtEnd]);
        }
        let value = rsa_over(&with);
        assert!(reasons(&verify(posted_with(&value), None)).contains(&FindingKind::NewlineAtEnd));
    }
    let sm2 = certificate("synthetic_sm2_cert.pem");
    let value = vector("synthetic_179_sig_sm2.b64");
    let report = VALUE_OUT.verify(&Content::bytes(string() + "\n"), Some(&value), &judging(&sm2)).unwrap();
    assert_eq!(reasons(&report), [FindingKind::SignatureWrong, FindingKind::NewlineAtEnd]);
}

#[test]
fn a_string_that_was_signed_in_another_form_is_explained() {
    use FindingKind as K;
    let exact = string();
    let twice = {
        let (before, rest) = exact.split_once("Head\":\"").unwrap();
        let (head, rest) = rest.split_once("\"||").unwrap();
        let (middle, rest) = rest.split_once("Lists\":\"").unwrap();
        let (lists, after) = rest.split_once("\"||").unwrap();
        let escape = |json: &str| json.replace('"', "\\\"");
        format!("{before}Head\":\"{}\"||{middle}Lists\":\"{}\"||{after}", escape(head), escape(lists))
    };
    let unicode = |upper: bool| {
        exact.chars().map(move |c| match u32::from(c) {
            code if code < 128 => c.to_string(),
            code if upper => format!("\\u{code:04X}"),
            code => format!("\\u{code:04x}"),
        })
    };
    let swapped = exact.replace("\"verDept\":\"3\",\"payType\":\"1\"", "\"payType\":\"1\",\"verDept\":\"3\"").replace(
        "\"gname\":\"测试商品\",\"itemLink\":\"https://shop.example/i/1\"",
        "\"itemLink\":\"https://shop.example/i/1\",\"gname\":\"测试商品\"",
    );
    let cases = [
        (twice, K::EscapedTwice),
        (exact.replace("88.5", "\"88.5\""), K::NumberText),
        (exact.replace("88.5", "88.50"), K::NumberText),
        (exact.replace('/', "\\/"), K::NeedlessEscape),
        (exact.replace('&', "\\u0026").replace("a=1", "a\\u003d1").replace("b=2", "b\\u003d2"), K::NeedlessEscape),
        (unicode(false).collect(), K::NeedlessEscape),
        (unicode(true).collect(), K::NeedlessEscape),
        (unicode(false).collect::<String>().replace('/', "\\/"), K::NeedlessEscape),
        (
            exact.replace(":\"{", ":{").replace("}\"||", "}||").replace(":\"[", ":[").replace("]\"||", "]||"),
            K::StringShape,
        ),
        (exact.replace("00000000001A", "00000000001a"), K::FieldFault),
    ];
    for (signed, kind) in cases {
        assert_ne!(signed, exact);
        for value in [rsa_over(&signed), rsa_over(&(signed.clone() + "\n"))] {
            let found = reasons(&verify(posted_with(&value), None));
            let newline = found.contains(&K::NewlineAtEnd);
            assert_eq!(found[..2], [K::SignatureWrong, kind], "{signed}");
            assert_eq!(newline, value == rsa_over(&(signed.clone() + "\n")) && kind != K::FieldFault);
            if kind == K::FieldFault {
                break;
            }
        }
        // The string itself, as it was signed: the value is right, and the string is not the announcement's. Another
        // number and another guid are another payment's string, and right.
        let found = reasons(&verify(signed.clone(), Some(rsa_over(&signed).as_bytes())));
        assert!(!found.contains(&K::SignatureWrong), "{signed}: {found:?}");
        let another = signed.contains("88.50") || kind == K::FieldFault;
        assert_eq!(found.is_empty(), another, "{signed}: {found:?}");
    }
    let found = reasons(&verify(swapped.clone(), Some(rsa_over(&swapped).as_bytes())));
    assert_eq!(found, [K::StringShape], "fields in another order");
}

#[test]
fn fields_signed_in_the_order_of_the_document_or_sorted_are_named() {
    use FindingKind as K;
    let reorder = |names: &[&str]| {
        let fields: serde_json::Value = serde_json::from_str(FIELDS).unwrap();
        let member = |name: &&str| match *name {
            "totalAmount" => "\"totalAmount\":88.5".to_owned(),
            _ => format!("\"{name}\":{}", fields["payExchangeInfoHead"][*name]),
        };
        let head = names.iter().map(member).collect::<Vec<_>>().join(",");
        let (before, rest) = string().split_once("Head\":\"{").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let (_, after) = rest.split_once("}\"||").unwrap();
        (head.clone(), format!("{before}Head\":\"{{{head}}}\"||{after}"))
    };
    let mut names = vec![
        "note",
        "guid",
        "initalRequest",
        "initalResponse",
        "ebpCode",
        "payCode",
        "payTransactionId",
        "totalAmount",
        "currency",
        "verDept",
        "payType",
        "tradingTime",
    ];
    let (head, signed) = reorder(&names);
    let lists = string().split_once("Lists\":\"").unwrap().1.split_once("\"||").unwrap().0.to_owned();
    let post = |value: &str| {
        format!(
            "{{\"sessionID\":\"00000000-0000-4000-8000-00000000002B\",\"payExchangeInfoHead\":{{{head}}},\
             \"payExchangeInfoLists\":{lists},\"serviceTime\":\"1704067200000\",\"certNo\":\"0123abcd\",\"signValue\":\"{value}\"}}"
        )
    };
    assert_eq!(reasons(&verify(post(&rsa_over(&signed)), None)), [K::SignatureWrong, K::FieldOrder]);
    // Signed rightly but posted in another order: right, and said.
    let report = verify(post(&rsa_over(&string())), None);
    assert!(reasons(&report).is_empty() && report.has(K::PostedOtherwise), "{:?}", report.findings);
    names.sort_unstable();
    let (_, sorted) = reorder(&names);
    let lists_sorted = sorted.replace(
        "{\"orderNo\":\"TEST-ORDER-1\",\"goodsInfo\":[{\"gname\":\"测试商品\",\"itemLink\":\"https://shop.example/i/1\"}],\"recpAccount\"",
        "{\"goodsInfo\":[{\"gname\":\"测试商品\",\"itemLink\":\"https://shop.example/i/1\"}],\"orderNo\":\"TEST-ORDER-1\",\"recpAccount\"",
    );
    assert_ne!(lists_sorted, sorted);
    assert_eq!(reasons(&verify(post(&rsa_over(&lists_sorted)), None)), [K::SignatureWrong, K::FieldOrder]);
}

#[test]
fn white_space_that_was_signed_with_the_inner_json_is_named() {
    use FindingKind as K;
    // As Python's json.dumps writes by default, with and without its escapes.
    let script = "import json, sys\n\
                  d = json.load(sys.stdin)\n\
                  o = lambda n, v: '\"%s\":\"%s\"' % (n, v)\n\
                  a = sys.argv[1] == 'ascii'\n\
                  h, l = (json.dumps(d[n], ensure_ascii=a) for n in ('payExchangeInfoHead', 'payExchangeInfoLists'))\n\
                  s = '||'.join([o('sessionID', d['sessionID']), o('payExchangeInfoHead', h),\n\
                  o('payExchangeInfoLists', l), o('serviceTime', d['serviceTime'])])\n\
                  sys.stdout.buffer.write(s.encode())";
    for ascii in ["ascii", "literal"] {
        let output = run("python3", &["-c", script, ascii], posted_with("").as_bytes());
        let signed = String::from_utf8(output.stdout).unwrap();
        assert!(signed.contains("\"totalAmount\": 88.5, "), "{signed}");
        assert_eq!(reasons(&verify(posted_with(&rsa_over(&signed)), None)), [K::SignatureWrong, K::InnerSpaces]);
    }
    // As it is posted, whatever the white space.
    let posted = posted_with("@").replace("\"payExchangeInfoHead\":{", "\"payExchangeInfoHead\": {\t ");
    let head = posted.split_once("Head\": ").unwrap().1.split_once(",\"payExchangeInfoLists").unwrap().0;
    let canonical = string().split_once("Head\":\"").unwrap().1.split_once("\"||").unwrap().0.to_owned();
    let signed = string().replace(&canonical, head);
    let posted = posted.replace('@', &rsa_over(&signed));
    assert_eq!(reasons(&verify(posted, None)), [K::SignatureWrong, K::InnerSpaces]);
}

#[test]
fn another_hash_and_another_encoding_are_named() {
    use FindingKind as K;
    let rsa = certificate("synthetic_rsa_cert.pem");
    let tbs = ToBeSigned::over(Suite::RsaSha256, rsa.key().unwrap(), string().as_bytes()).unwrap();
    let value = rsa_sign(&tbs);
    assert_eq!(reasons(&verify(string(), Some(value.octets()))), [K::SignatureWrong, K::OtherHash]);

    let sm2 = certificate("synthetic_sm2_cert.pem");
    let key = sm2.key().unwrap();
    let judge = |value: &[u8]| VALUE_OUT.verify(&Content::bytes(string()), Some(value), &judging(&sm2)).unwrap();
    let right = sm2_sign(ToBeSigned::over(Suite::Sm2Sm3, key, string().as_bytes()).unwrap().digest.octets());
    assert_eq!(reasons(&judge(right.octets())), []);
    for z in [vec![], key.z("").unwrap().octets().to_vec()] {
        let digest = shared_shield::DigestAlgorithm::Sm3.of(&[&z, string().as_bytes()].concat()).unwrap();
        let report = judge(sm2_sign(digest.octets()).octets());
        assert_eq!(reasons(&report), [K::SignatureWrong, K::OtherHash], "{:?}", report.findings);
    }
    let report = judge(&right.to_wire().unwrap());
    assert_eq!(reasons(&report), [K::SignatureUnreadable]);
    assert!(report.findings.iter().any(|f| f.to_string().contains("DER")), "{:?}", report.findings);
    assert_eq!(reasons(&judge(b"AAAA")), [K::SignatureUnreadable]);
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
fn a_certificate_number_in_upper_case_or_of_another_certificate_is_said() {
    let posted = String::from_utf8(sign(&VALUE_OUT, FIELDS.as_bytes(), &customs()).unwrap().1).unwrap();
    assert!(!verify(posted.clone(), None).has(FindingKind::NumberCase));
    assert!(verify(posted.replace("0123abcd", "0123ABCD"), None).has(FindingKind::NumberCase));
    let report = verify(posted.replace("0123abcd", "0123abce"), None);
    assert!(report.has(FindingKind::NumberOther) && report.has(FindingKind::SignatureRight));
    let lower = string().replace("00001A", "00001a");
    let report = verify(lower.clone(), Some(rsa_over(&lower).as_bytes()));
    assert!(report.has(FindingKind::GuidCase) && reasons(&report).is_empty(), "{:?}", report.findings);
}

#[test]
fn a_document_that_cannot_be_judged_is_never_valid() {
    use FindingKind as K;
    let value = text("synthetic_179_sig_rsa.b64");
    for (document, signature, reason) in [
        (string(), None, K::NoSignature),
        (posted_with(""), None, K::NoSignature),
        (FIELDS.replace("88.5", "1e3"), Some(&value), K::FieldFault),
        (FIELDS.replace("\"note\"", "\"nota\""), Some(&value), K::FieldFault),
        ("nothing".to_owned(), Some(&value), K::StringShape),
        ("payExInfoStr=%7".to_owned(), Some(&value), K::StringShape),
        (String::new(), Some(&value), K::StringShape),
        ("{".to_owned(), Some(&value), K::FieldFault),
        (FIELDS.replace("88.5", "\"88.5\""), Some(&value), K::NumberText),
    ] {
        let report = verify(document.clone(), signature.map(|s: &String| s.as_bytes()));
        assert!(reasons(&report).contains(&reason), "{document}: {:?}", report.findings);
        assert_eq!(report.verdict(), Verdict::Invalid);
    }
    let by = certificate("synthetic_rsa_cert.pem");
    let twice = VALUE_OUT.verify(&Content::bytes(posted_with(&value)), Some(value.as_bytes()), &judging(&by));
    assert_eq!(twice.unwrap_err().kind(), ErrorKind::Argument);
    let nobody = VerifyContext { certificate: None, ..judging(&by) };
    let report = VALUE_OUT.verify(&Content::bytes(posted_with(&value)), None, &nobody).unwrap();
    assert_eq!(reasons(&report), [K::CertificateMissing]);
}

#[test]
fn bad_fields_are_refused_by_a_kind_of_their_own_that_names_the_field() {
    use ErrorKind as E;
    let change = |from: &str, to: &str| {
        assert!(FIELDS.contains(from), "{from}");
        FIELDS.replacen(from, to, 1)
    };
    let cases = [
        (change("\"guid\"", "\"note\":\"\",\"guid\""), E::FieldTwice, "payExchangeInfoHead.note"),
        (change("\"guid\"", "\"no\\u0074e\":\"\",\"guid\""), E::FieldTwice, "payExchangeInfoHead.note"),
        (change("\"sessionID\"", "\"serviceTime\":\"1\",\"sessionID\""), E::FieldTwice, "serviceTime"),
        (
            change("\"gname\"", "\"itemLink\":\"\",\"gname\""),
            E::FieldTwice,
            "payExchangeInfoLists[0].goodsInfo[0].itemLink",
        ),
        (change("initalRequest", "initialRequest"), E::FieldUnknown, "payExchangeInfoHead.initialRequest"),
        (change("\"gname\"", "\"price\":1,\"gname\""), E::FieldUnknown, "payExchangeInfoLists[0].goodsInfo[0].price"),
        (change("\"sessionID\"", "\"sessionId\""), E::FieldUnknown, "sessionId"),
        (change("\"serviceTime\": \"1704067200000\",", ""), E::FieldMissing, "serviceTime"),
        (change("\"currency\": \"142\",", ""), E::FieldMissing, "payExchangeInfoHead.currency"),
        (change(", \"orderNo\": \"TEST-ORDER-1\"", ""), E::FieldMissing, "payExchangeInfoLists[0].orderNo"),
        (change("88.5", "\"88.5\""), E::FieldType, "payExchangeInfoHead.totalAmount"),
        (change("88.5", "null"), E::FieldType, "payExchangeInfoHead.totalAmount"),
        (change("88.5", "{\"$numberDecimal\":\"88.5\"}"), E::FieldType, "payExchangeInfoHead.totalAmount"),
        (change("\"00000000-0000-4000-8000-00000000002B\"", "17"), E::FieldType, "sessionID"),
        (change("\"1704067200000\"", "1704067200000"), E::FieldType, "serviceTime"),
        (change("\"142\"", "142"), E::FieldType, "payExchangeInfoHead.currency"),
        (change("\"ok\"", "true"), E::FieldType, "payExchangeInfoHead.initalResponse"),
        (change("[ {\n", "{\"a\":[ {\n").replacen("} ],\n", "} ]},\n", 1), E::FieldType, "payExchangeInfoLists"),
        (
            change("\"payExchangeInfoHead\": {", "\"payExchangeInfoHead\": 1, \"x\": {"),
            E::FieldType,
            "payExchangeInfoHead",
        ),
        (change("[ { \"itemLink\"", "[ 5, { \"itemLink\""), E::FieldType, "payExchangeInfoLists[0].goodsInfo[0]"),
        (change("88.5", "1e3"), E::FieldNumber, "payExchangeInfoHead.totalAmount"),
        (change("88.5", "1E+3"), E::FieldNumber, "payExchangeInfoHead.totalAmount"),
        (change("88.5", "NaN"), E::FieldNumber, "payExchangeInfoHead.totalAmount"),
        (change("88.5", "Infinity"), E::FieldNumber, "payExchangeInfoHead.totalAmount"),
        (change("88.5", "-Infinity"), E::FieldNumber, "payExchangeInfoHead.totalAmount"),
        (change("88.5", "088.5"), E::FieldNumber, "payExchangeInfoHead.totalAmount"),
        (change("88.5", ".5"), E::FieldNumber, "payExchangeInfoHead.totalAmount"),
        (change("88.5", "88."), E::FieldNumber, "payExchangeInfoHead.totalAmount"),
        (change("88.5", "+88.5"), E::FieldNumber, "payExchangeInfoHead.totalAmount"),
        (change("88.5", "-0"), E::FieldNumber, "payExchangeInfoHead.totalAmount"),
        (change("88.5", "-0.00"), E::FieldNumber, "payExchangeInfoHead.totalAmount"),
        (change("88.5", "0x10"), E::JsonMalformed, "after totalAmount"),
        (change("88.5", "88,5"), E::JsonMalformed, "after totalAmount"),
        (change("00001A", "00001a"), E::FieldValue, "payExchangeInfoHead.guid"),
        (change("1704067200000", "1704067200"), E::FieldValue, "serviceTime"),
        (change("1704067200000", "170406720000x"), E::FieldValue, "serviceTime"),
        (change("00000000-0000-4000-8000-00000000002B", ""), E::FieldValue, "sessionID"),
        (change("00000000-0000-4000-8000-00000000002B", "a\\\"||b"), E::FieldValue, "sessionID"),
        (change("00000000-0000-4000-8000-00000000002B", "会话"), E::FieldValue, "sessionID"),
        (change("合成样例", "a\\u0001b"), E::DocumentAmbiguous, "payExchangeInfoHead.note"),
        (change("合成样例", "a\\u000bb"), E::DocumentAmbiguous, "payExchangeInfoHead.note"),
        (change("合成样例", "a\u{7f}b"), E::DocumentAmbiguous, "payExchangeInfoHead.note"),
        (change("TESTACCOUNT1", "a\u{2028}b"), E::DocumentAmbiguous, "payExchangeInfoLists[0].recpAccount"),
        (change("合成样例", "\\ud800"), E::JsonMalformed, "payExchangeInfoHead.note"),
        (change("合成样例", "\\x"), E::JsonMalformed, "payExchangeInfoHead.note"),
        (change("合成样例", "a\nb"), E::JsonMalformed, "payExchangeInfoHead.note"),
        (FIELDS[..300].to_owned(), E::JsonMalformed, "ends too early"),
        (FIELDS.to_owned() + "{}", E::JsonMalformed, "more text"),
        (FIELDS.to_owned() + ",", E::JsonMalformed, "more text"),
        ("{}".to_owned(), E::FieldMissing, "sessionID"),
        ("{]".to_owned(), E::JsonMalformed, "line 1"),
        (String::new(), E::DocumentKind, "neither"),
        ("[]".to_owned(), E::DocumentKind, "neither"),
        ("<xml/>".to_owned(), E::DocumentKind, "neither"),
        (posted_with("AAAA"), E::DocumentSigned, "certNo"),
    ];
    for (document, kind, field) in cases {
        let (found, sentence) = refused(&VALUE_OUT, document.as_bytes(), &customs());
        assert_eq!(found, kind, "{sentence}\n{document}");
        assert!(sentence.contains(field), "{field} is not named: {sentence}");
        assert!(!sentence.contains("TESTACCOUNT1"), "a value of the document stands in the error: {sentence}");
    }
}

#[test]
fn encodings_and_sizes_that_are_not_allowed_are_refused() {
    let (gbk, _, _) = encoding_rs::GBK.encode(FIELDS);
    assert_eq!(refused(&VALUE_OUT, &gbk, &customs()).0, ErrorKind::DocumentEncoding);
    let wide: Vec<u8> = FIELDS.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(matches!(refused(&VALUE_OUT, &wide, &customs()).0, ErrorKind::DocumentEncoding | ErrorKind::DocumentKind));
    let large = FIELDS.replace("合成样例", &"x".repeat(MAX_OCTETS));
    assert_eq!(refused(&VALUE_OUT, large.as_bytes(), &customs()).0, ErrorKind::DocumentTooLarge);
    for open in
        ["[", "{\"a\":", "{\"payExchangeInfoLists\":[", "{\"payExchangeInfoHead\":{\"note\":[", "{\"sessionID\":["]
    {
        let deep = open.to_owned() + &"[".repeat(MAX_OCTETS - 100);
        let document = if open == "[" { ["{\"sessionID\":", &deep].concat() } else { deep };
        refused(&VALUE_OUT, document.as_bytes(), &customs());
    }
    let digest = shared_shield::DigestAlgorithm::Sha1.of(b"x").unwrap();
    let by = certificate("synthetic_rsa_cert.pem");
    let pushed = Content::Digest(std::sync::Arc::new(digest));
    assert_eq!(VALUE_OUT.prepare(&pushed, &by, &customs()).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_ready_string_of_another_shape_is_refused_and_a_newline_has_its_own_kind() {
    use ErrorKind as E;
    let exact = string();
    let swapped = exact.replace("\"verDept\":\"3\",\"payType\":\"1\"", "\"payType\":\"1\",\"verDept\":\"3\"");
    let cases = [
        (exact.clone() + "\n", E::StringNewline, "octet 624"),
        (exact.clone() + "\r\n", E::StringNewline, "octet 624"),
        (["\u{FEFF}", &exact].concat(), E::StringShape, "byte order mark"),
        ([" ", &exact].concat(), E::StringShape, "white space at its beginning"),
        (exact.clone() + " ", E::StringShape, "text after serviceTime"),
        (exact.clone() + "||\"x\":\"\"", E::StringShape, "text after serviceTime"),
        (swapped, E::StringShape, "another order"),
        (exact.replace("shop.example/i", "shop.example\\/i"), E::StringShape, "an escape"),
        (exact.replace("合", "\\u5408"), E::StringShape, "an escape"),
        (exact.replace(",\"currency\"", ", \"currency\""), E::StringShape, "white space inside"),
        (exact.replace("88.5", "\"88.5\""), E::FieldType, "payExchangeInfoHead.totalAmount"),
        (exact.replace("88.5", "1e3"), E::FieldNumber, "payExchangeInfoHead.totalAmount"),
        (exact.replace("\"note\"", "\"nota\""), E::FieldUnknown, "payExchangeInfoHead.nota"),
        (exact.replace("\"currency\":\"142\",", ""), E::FieldMissing, "payExchangeInfoHead.currency"),
        (exact.replace("\"recpCode\"", "\"recpName\""), E::FieldTwice, "payExchangeInfoLists[0].recpName"),
        (exact.replace(":\"{\"guid", ":\"{\\\"guid"), E::StringShape, "escaped a second time"),
        (exact.replace(":\"{\"guid", ":{\"guid"), E::StringShape, "payExchangeInfoHead"),
        (exact.replace("||\"serviceTime", "|\"serviceTime"), E::StringShape, "serviceTime"),
        (exact.replace("1704067200000\"", "1704067200000"), E::StringShape, "closing quote"),
        (exact.replace("00001A", "00001a"), E::FieldValue, "guid"),
        (exact[..300].to_owned(), E::JsonMalformed, "payExchangeInfoHead"),
        ("\"sessionID\"".to_owned(), E::StringShape, "sessionID"),
    ];
    for (document, kind, what) in cases {
        assert_ne!(document, exact);
        let (found, sentence) = refused(&VALUE_OUT, document.as_bytes(), &customs());
        assert_eq!(found, kind, "{sentence}\n{document}");
        assert!(sentence.contains(what), "{what}: {sentence}");
    }
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

/// Text of many kinds, as it stands in JSON and as it has to stand in the string.
fn some_text(seeded: &mut Seeded) -> (String, String) {
    const PARTS: [(&str, &str); 22] = [
        ("a", "a"),
        ("Z9", "Z9"),
        ("/", "/"),
        ("\\/", "/"),
        ("<", "<"),
        ("\\u003c", "<"),
        ("&amp;", "&amp;"),
        ("'", "'"),
        ("\\u0027", "'"),
        ("\\\"", "\\\""),
        ("\\u0022", "\\\""),
        ("\\\\", "\\\\"),
        ("\\u005C", "\\\\"),
        ("\\n", "\\n"),
        ("\\u000A", "\\n"),
        ("\\t", "\\t"),
        ("中文", "中文"),
        ("\\u4e2d", "中"),
        ("🛡", "🛡"),
        ("\\ud83d\\udee1", "🛡"),
        ("é\u{301}\u{a0}", "é\u{301}\u{a0}"),
        ("\"||\"", ""),
    ];
    let (mut json, mut literal) = (String::new(), String::new());
    for _ in 0..seeded.below(6) {
        let (from, to) = PARTS[seeded.below(PARTS.len() as u64 - 1)];
        json += from;
        literal += to;
    }
    (json, literal)
}

fn some_number(seeded: &mut Seeded) -> String {
    let mut digits =
        |n: usize| (0..n).map(|_| char::from(b'0' + u8::try_from(seeded.below(10)).unwrap())).collect::<String>();
    let (whole, fraction) = (digits(22), digits(20));
    let mut whole = whole.trim_start_matches('0')[..seeded.below(18)].to_owned();
    if whole.is_empty() {
        whole.push('0');
    }
    match seeded.below(4) {
        0 => whole,
        1 => format!("{whole}.0"),
        2 => format!("{whole}.{}00", &fraction[..1 + seeded.below(6)]),
        _ => format!("{whole}.{fraction}"),
    }
}

/// A document in a random field order with random white space, and the string that it has to make.
fn some_payment(seeded: &mut Seeded) -> (String, String) {
    let object = |seeded: &mut Seeded, members: Vec<(&str, String, String)>| {
        let exact = members.iter().map(|(n, _, v)| format!("\"{n}\":{v}")).collect::<Vec<_>>().join(",");
        let mut left = members;
        let mut json = Vec::new();
        while !left.is_empty() {
            let (name, value, _) = left.swap_remove(seeded.below(left.len() as u64));
            let blank = ["", " ", "\n\t", "\r\n"][seeded.below(4)];
            json.push(format!("{blank}\"{name}\"{blank}:{value}{blank}"));
        }
        (format!("{{{}}}", json.join(",")), format!("{{{exact}}}"))
    };
    let quoted = |seeded: &mut Seeded, name| {
        let (json, literal) = some_text(seeded);
        (name, format!("\"{json}\""), format!("\"{literal}\""))
    };
    let head: Vec<(&str, String, String)> = [
        "guid",
        "initalRequest",
        "initalResponse",
        "ebpCode",
        "payCode",
        "payTransactionId",
        "totalAmount",
        "currency",
        "verDept",
        "payType",
        "tradingTime",
        "note",
    ]
    .into_iter()
    .map(|name| match name {
        "guid" => (name, "\"A-1\"".to_owned(), "\"A-1\"".to_owned()),
        "totalAmount" => {
            let number = some_number(seeded);
            (name, number.clone(), number)
        }
        _ => quoted(seeded, name),
    })
    .collect();
    let head = object(seeded, head);
    let array = |items: Vec<(String, String)>| {
        let (json, exact): (Vec<_>, Vec<_>) = items.into_iter().unzip();
        (format!("[{} ]", json.join(" ,")), format!("[{}]", exact.join(",")))
    };
    let mut lists = Vec::new();
    for _ in 0..seeded.below(3) {
        let goods = (0..seeded.below(3))
            .map(|_| {
                let members = vec![quoted(seeded, "gname"), quoted(seeded, "itemLink")];
                object(seeded, members)
            })
            .collect();
        let (json, exact) = array(goods);
        let members = vec![
            quoted(seeded, "orderNo"),
            ("goodsInfo", json, exact),
            quoted(seeded, "recpAccount"),
            quoted(seeded, "recpCode"),
            quoted(seeded, "recpName"),
        ];
        lists.push(object(seeded, members));
    }
    let lists = array(lists);
    let session = format!("S{}/<&'>", seeded.below(1_000_000));
    let time = format!("{:013}", seeded.below(u64::from(u32::MAX)));
    let exact = format!(
        "\"sessionID\":\"{session}\"||\"payExchangeInfoHead\":\"{}\"||\"payExchangeInfoLists\":\"{}\"||\"serviceTime\":\"{time}\"",
        head.1, lists.1
    );
    let members = vec![
        ("sessionID", format!("\"{session}\""), String::new()),
        ("payExchangeInfoHead", head.0, String::new()),
        ("payExchangeInfoLists", lists.0, String::new()),
        ("serviceTime", format!("\"{time}\""), String::new()),
    ];
    (object(seeded, members).0, exact)
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

#[test]
fn damaged_documents_are_refused_or_mean_what_they_say() {
    let mut seeded = Seeded(2018);
    let mut taken = 0;
    let value = text("synthetic_179_sig_rsa.b64");
    let judged = posted_with(&value);
    for _ in 0..4_000 {
        let source = if seeded.below(2) == 0 { string() } else { FIELDS.to_owned() };
        let mut octets = source.into_bytes();
        for _ in 0..=seeded.below(2) {
            let at = seeded.below(octets.len() as u64);
            match seeded.below(3) {
                0 => octets[at] = u8::try_from(seeded.below(256)).unwrap(),
                1 => drop(octets.remove(at)),
                _ => octets.insert(at, b"\"\\{}[]:,|\n 0e"[seeded.below(13)]),
            }
        }
        if let Ok(string) = signing_string(&octets) {
            taken += 1;
            assert_eq!(signing_string(string.as_bytes()).unwrap(), string);
            assert!(octets.starts_with(b"{") || string.as_bytes() == octets, "a ready string is never changed");
        }
        if seeded.below(8) != 0 {
            continue;
        }
        let mut posted = judged.clone().into_bytes();
        let at = seeded.below(posted.len() as u64);
        posted[at] ^= 1 << seeded.below(8);
        let report = verify(posted.clone(), None);
        let signed = String::from_utf8(posted).ok().filter(|p| {
            let inside = |name: &str| p.find(name).map(|i| i..p.len());
            inside("\"certNo\"").is_none_or(|r| !r.contains(&at))
        });
        assert!(signed.is_none() || !reasons(&report).is_empty(), "octet {at}: {:?}", report.findings);
    }
    assert!(taken > 100, "only {taken} damaged documents were still documents");
}
