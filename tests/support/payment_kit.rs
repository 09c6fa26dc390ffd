//! What the stories of announcement 179 share: the vector's fields, and payments of many kinds with the string that each has to make.
#![allow(dead_code, reason = "each story uses a part")]

use base64ct::{Base64, Encoding};
use shared_shield::format::Format;
use shared_shield::format::payment179::VALUE_OUT;
use shared_shield::{Content, Report, Suite, ToBeSigned};

use crate::kit::{Seeded, certificate, customs, judging, rsa_sign, sign, text};

/// The vector's fields, in another order, with white space and escapes that the string must not have.
pub(crate) const FIELDS: &str = r#"{
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

pub(crate) fn string() -> String {
    text("synthetic_179_string.txt")
}

/// Verifies with the certificate of the throw-away RSA key.
pub(crate) fn verify(document: impl Into<Vec<u8>>, signature: Option<&[u8]>) -> Report {
    let by = certificate("synthetic_rsa_cert.pem");
    VALUE_OUT.verify(&Content::bytes(document), signature, &judging(&by)).unwrap()
}

pub(crate) fn rsa_over(message: &str) -> String {
    let by = certificate("synthetic_rsa_cert.pem");
    let tbs = ToBeSigned::over(Suite::RsaSha1, by.key().unwrap(), message.as_bytes()).unwrap();
    Base64::encode_string(rsa_sign(&tbs).octets())
}

/// What is posted for the vector's fields, with another signature value in it.
pub(crate) fn posted_with(value: &str) -> String {
    let (_, posted) = sign(&VALUE_OUT, FIELDS.as_bytes(), &customs()).unwrap();
    let posted = String::from_utf8(posted).unwrap();
    let (before, _) = posted.split_once("\"signValue\":\"").unwrap();
    format!("{before}\"signValue\":\"{value}\"}}")
}

/// Text of many kinds, as it stands in JSON and as it has to stand in the string.
pub(crate) fn some_text(seeded: &mut Seeded) -> (String, String) {
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

pub(crate) fn some_number(seeded: &mut Seeded) -> String {
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

/// An object with its members in a random order and random white space, and the text that it has to make.
fn object(seeded: &mut Seeded, members: Vec<(&str, String, String)>) -> (String, String) {
    let exact = members.iter().map(|(n, _, v)| format!("\"{n}\":{v}")).collect::<Vec<_>>().join(",");
    let mut left = members;
    let mut json = Vec::new();
    while !left.is_empty() {
        let (name, value, _) = left.swap_remove(seeded.below(left.len() as u64));
        let blank = ["", " ", "\n\t", "\r\n"][seeded.below(4)];
        json.push(format!("{blank}\"{name}\"{blank}:{value}{blank}"));
    }
    (format!("{{{}}}", json.join(",")), format!("{{{exact}}}"))
}

/// A document in a random field order with random white space, and the string that it has to make.
pub(crate) fn some_payment(seeded: &mut Seeded) -> (String, String) {
    let quoted = |seeded: &mut Seeded, name| {
        let (json, literal) = some_text(seeded);
        (name, format!("\"{json}\""), format!("\"{literal}\""))
    };
    let names = "guid initalRequest initalResponse ebpCode payCode payTransactionId totalAmount currency verDept payType \
                 tradingTime note";
    let head: Vec<(&str, String, String)> = names
        .split_whitespace()
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
