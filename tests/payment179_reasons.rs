//! Announcement 179: why a signature fails is named.
#![cfg(all(feature = "json", feature = "rsa", feature = "sm"))]

#[path = "support/customs_kit.rs"]
mod kit;
#[path = "support/payment_kit.rs"]
mod payment_kit;

use kit::*;
use payment_kit::*;
use shared_shield::format::Format;
use shared_shield::format::payment179::VALUE_OUT;
use shared_shield::{Content, ErrorKind, FindingKind, Suite, ToBeSigned, Verdict, VerifyContext};

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
    assert_eq!(found, [K::FieldOrder], "fields in another order");
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
    for (z, kind) in [(vec![], K::Sm2WithoutZ), (key.z("").unwrap().octets().to_vec(), K::Sm2EmptyId)] {
        let digest = shared_shield::DigestAlgorithm::Sm3.of(&[&z, string().as_bytes()].concat()).unwrap();
        let report = judge(sm2_sign(digest.octets()).octets());
        assert_eq!(reasons(&report), [K::SignatureWrong, kind], "{:?}", report.findings);
    }
    let report = judge(&right.to_wire().unwrap());
    assert_eq!((reasons(&report), report.has(K::SignatureRight)), (vec![K::DerForRaw], true));
    assert!(report.findings.iter().any(|f| f.to_string().contains("DER")), "{:?}", report.findings);
    assert_eq!(reasons(&judge(b"AAAA")), [K::SignatureUnreadable]);
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
        (format!("payExInfoStr={}", string()), Some(&value), K::StringShape),
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

/// Each place is found by reading the document: a report on ten thousand wrong values is none for people, and cost ten thousand readings.
#[test]
fn ten_thousand_wrong_values_are_told_by_the_first_of_them() {
    let goods = r#"{"itemLink":"\u007f","gname":"\u007f"},"#.repeat(10_000);
    let (before, after) = FIELDS.split_once("\"goodsInfo\": [").unwrap();
    let document = format!("{before}{}\"goodsInfo\": [{goods}{after}", " ".repeat(150_000));
    let started = std::time::Instant::now();
    for document in [document.clone(), format!("payExInfoStr={}", document.replace(' ', "%20").replace('&', "%26"))] {
        let report = verify(document, Some(rsa_over(&string()).as_bytes()));
        let faults = report.findings.iter().filter(|f| f.kind == FindingKind::FieldFault).count();
        assert_eq!((faults, report.verdict()), (64, Verdict::Invalid));
        let first = report.findings.iter().find(|f| f.kind == FindingKind::FieldFault).unwrap();
        assert!(first.detail.as_deref().unwrap().contains("goodsInfo[0].itemLink: holds U+007F"), "{first}");
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
}
