//! Announcement 179: what is not signed, each with a kind of its own that names the field.
#![cfg(all(feature = "json", feature = "rsa", feature = "sm"))]

#[path = "support/customs_kit.rs"]
mod kit;
#[path = "support/payment_kit.rs"]
mod payment_kit;

use kit::*;
use payment_kit::*;
use shared_shield::format::Format;
use shared_shield::format::payment179::{MAX_OCTETS, VALUE_OUT, signing_string};
use shared_shield::{Content, ErrorKind};

#[test]
#[allow(clippy::too_many_lines)] // one table, a line for each case
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
