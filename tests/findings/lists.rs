//! What a revocation list is about: a part of an authority's certificates, changes to another list, another time. A list that does not tell about a
//! certificate is never taken for one that says that it is not revoked.

use shared_shield::{Certificate, Crl, ErrorKind};

use crate::ceb_kit::{have, run_well};
use crate::chains::{Question, der};
use crate::pki::Pki;

pub(crate) const DAYS: [&str; 2] = ["-crldays", "30"];
const FUTURE: [&str; 4] = ["-crl_lastupdate", "20980101000000Z", "-crl_nextupdate", "20991231000000Z"];

/// Extensions of the list of the authority between; whether a signer that is not on it is trusted; what is said where not.
const SCOPES: [(&str, &str, bool, &str); 9] = [
    ("everything", "", true, ""),
    ("signers' certificates", "issuingDistributionPoint=critical,@p\n[p]\nonlyuser=TRUE\n", true, ""),
    ("authorities' certificates", "issuingDistributionPoint=critical,@p\n[p]\nonlyCA=TRUE\n", false, "VF-137"),
    ("attribute certificates", "issuingDistributionPoint=critical,@p\n[p]\nonlyAA=TRUE\n", false, "VF-137"),
    ("other authorities' too", "issuingDistributionPoint=critical,@p\n[p]\nindirectCRL=TRUE\n", false, "SH-"),
    ("some reasons", "issuingDistributionPoint=critical,@p\n[p]\nonlysomereasons=keyCompromise\n", false, "SH-"),
    ("changes to another list", "2.5.29.27=critical,DER:020101\n", false, "SH-"),
    ("changes to another list, not critical", "2.5.29.27=DER:020101\n", false, "SH-"),
    ("what nobody knows", "1.2.3.4=critical,ASN1:NULL\n", false, "1.2.3.4"),
];

pub(crate) fn question(pki: &Pki, signer: &str, middle: Vec<u8>) -> Question {
    let crls = Some([middle, pki.crl("r", "root", &[], false)].concat());
    Question { signer: pki.read(signer), between: pki.read("middle"), anchors: pki.read("root"), crls, at: None }
}

#[track_caller]
fn is(question: &Question, name: &str, trusted: bool, words: &str) {
    let (ours, told) = question.ours();
    assert!(ours == trusted && told.contains(words), "{name}: {told}");
}

#[test]
fn a_list_that_is_not_about_a_certificate_says_nothing_of_it() {
    if !have("what lists are about", &["openssl"]) {
        return;
    }
    let pki = Pki::new("p256");
    for (name, extensions, trusted, words) in SCOPES {
        let list = pki.crl_with("m", "middle", &["22"], &DAYS, extensions);
        is(&question(&pki, "signer", list), name, trusted, words);
        let list = pki.crl_with("m", "middle", &["21"], &DAYS, extensions);
        is(&question(&pki, "signer", list), name, false, if trusted { "VF-136" } else { words });
    }
    let list = pki.crl_of("m", "middle", &["21"], &FUTURE);
    is(&question(&pki, "signer", list), "a list of the future", false, "VF-137");
    // A list that is found under a name is about the certificates that name it.
    let found = |url: &str| format!("issuingDistributionPoint=critical,@p\n[p]\nfullname=URI:http://{url}\n");
    let signer = "keyUsage=critical,digitalSignature\ncrlDistributionPoints=URI:http://a.invalid/\n";
    pki.issue("named", "middle", "31", signer);
    for (url, signer, trusted) in
        [("a.invalid/", "named", true), ("b.invalid/", "named", false), ("a.invalid/", "signer", false)]
    {
        let list = pki.crl_with("m", "middle", &[], &DAYS, &found(url));
        is(&question(&pki, signer, list), url, trusted, if trusted { "" } else { "VF-137" });
    }
}

#[test]
fn an_authority_that_may_not_sign_lists_revokes_nothing_and_neither_does_another_key_of_its_name() {
    if !have("who signs lists", &["openssl"]) {
        return;
    }
    let pki = Pki::new("p256");
    pki.issue("no-lists", "root", "16", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n");
    pki.issue("by-no-lists", "no-lists", "32", "keyUsage=critical,digitalSignature\n");
    let list = pki.crl_of("n", "no-lists", &[], &DAYS);
    let asked = Question { between: pki.read("no-lists"), ..question(&pki, "by-no-lists", list) };
    is(&asked, "no right to lists", false, "does not allow CRLs");
    assert!(!asked.theirs(&pki).0);
    let authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
    pki.issue_to("middle-2", "middle", "root", "17", authority);
    let asked = question(&pki, "signer", pki.crl_of("m2", "middle-2", &["21"], &DAYS));
    is(&asked, "another key", false, "another key of the issuer");
    assert!(!asked.theirs(&pki).0);
}

/// RFC 5280 §4.2.1.9: an authority's new key under its old one is no further authority.
#[test]
fn an_authority_that_changes_its_key_stays_within_its_path_length() {
    if !have("path lengths against openssl verify", &["openssl"]) {
        return;
    }
    let pki = Pki::new("p256");
    let authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
    pki.issue_to("short-2", "short", "short", "18", authority);
    pki.issue("under-short-2", "short-2", "33", "keyUsage=critical,digitalSignature\n");
    let between = [pki.read("short-2"), pki.read("short")].concat();
    let asked =
        Question { signer: pki.read("under-short-2"), between, anchors: pki.read("root"), ..Question::default() };
    is(&asked, "a new key", true, "");
    assert!(asked.theirs(&pki).0, "{}", asked.theirs(&pki).1);
}

/// Whatever is given in whatever order.
#[track_caller]
pub(crate) fn told(question: &Question, lists: &[&[u8]]) -> String {
    let told = |lists: &[&[u8]]| Question { crls: Some(lists.concat()), ..question.clone() }.ours().1;
    let first = told(lists);
    for turn in 0..lists.len() {
        let mut turned = lists.to_vec();
        turned.rotate_left(turn);
        assert_eq!(told(&turned), first);
        turned.reverse();
        assert_eq!(told(&turned), first);
        turned.push(lists[0]);
        assert_eq!(told(&turned), first, "one list twice");
    }
    first
}

const JANUARY: [&str; 4] = ["-crl_lastupdate", "20260101000000Z", "-crl_nextupdate", "20260201000000Z"];
const MARCH: [&str; 4] = ["-crl_lastupdate", "20260301000000Z", "-crl_nextupdate", "20260401000000Z"];
/// Older than the others, and current all the same.
pub(crate) const LONG: [&str; 4] = ["-crl_lastupdate", "20250101000000Z", "-crl_nextupdate", "20991231000000Z"];

#[test]
fn what_an_out_of_date_list_revokes_stays_revoked_until_a_later_list_says_otherwise() {
    if !have("lists that are out of date", &["openssl"]) {
        return;
    }
    let pki = Pki::new("p256");
    let root = pki.crl("r", "root", &[], false);
    let list = |name: &str, revoked: &[&str], times: &[&str]| pki.crl_of(name, "middle", revoked, times);
    let (with, without) = (list("a", &["21"], &JANUARY), list("b", &[], &JANUARY));
    let later_without = list("c", &[], &MARCH);
    let longer_without = list("i", &[], &[JANUARY[0], JANUARY[1], MARCH[2], MARCH[3]]);
    let (long_with, long_without) = (list("d", &["21"], &LONG), list("e", &[], &LONG));
    let (now, now_without) = (list("f", &["21"], &DAYS), list("g", &[], &DAYS));
    let foreign = pki.crl_of("h", "stranger", &["21"], &JANUARY);
    let asked = question(&pki, "signer", Vec::new());
    let cases: [(&str, &[&[u8]], &str); 10] = [
        ("it alone", &[&with], "VF-136"),
        ("of one second, without it", &[&with, &without], "VF-136"),
        ("later, and out of date too", &[&with, &later_without], "VF-137"),
        ("later, and current", &[&with, &now_without], ""),
        ("later, and current with it", &[&without, &now], "VF-136"),
        ("earlier, and current", &[&with, &long_without], "VF-136"),
        ("earlier, and current with it", &[&without, &long_with], "VF-136"),
        ("without it", &[&without], "VF-137"),
        ("of one second, both without it", &[&longer_without, &without], "VF-137"),
        ("another authority's", &[&foreign], "VF-137"),
    ];
    for (name, lists, code) in cases {
        let text = told(&asked, &[lists, &[&root[..]]].concat());
        assert_eq!((text.is_empty(), text.contains(code)), (code.is_empty(), true), "{name}: {text}");
        assert!(!text.contains("VF-136") || !text.contains("VF-137"), "{name}: {text}");
    }
    let text = told(&asked, &[&with, &root]);
    for words in ["(certificate 21)", "it is out of date", "key compromise", "2026-01-01"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // One that nobody signed revokes nothing, however old.
    let (mut damaged, end) = (der(&with), der(&with).len() - 1);
    damaged[end] ^= 1;
    assert!(told(&asked, &[&crate::chains::pem("X509 CRL", &damaged), &root]).contains("VF-137"));
}

/// An authority that has two certificates, one of them revoked: a signer below it is trusted by the other.
#[test]
fn a_chain_that_is_not_revoked_is_found_beside_one_that_is_in_whatever_order() {
    if !have("two certificates of one authority", &["openssl"]) {
        return;
    }
    let pki = Pki::new("p256");
    pki.certify_again("middle-again", "middle", "root", "19");
    let both = [pki.read("middle"), pki.read("middle-again")];
    let middle = pki.crl("m", "middle", &[], false);
    for (revoked, trusted) in [(&["11"][..], true), (&["19"], true), (&["11", "19"], false)] {
        let root = pki.crl("r", "root", revoked, false);
        let mut texts = Vec::new();
        for between in [both.concat(), [both[1].clone(), both[0].clone()].concat()] {
            let asked = Question { between, ..question(&pki, "signer", Vec::new()) };
            texts.push(told(&asked, &[&middle, &root]));
        }
        assert_eq!(texts[0], texts[1], "{revoked:?}");
        assert_eq!(texts[0].is_empty(), trusted, "{revoked:?}: {}", texts[0]);
        assert!(trusted || texts[0].contains("VF-136"), "{}", texts[0]);
    }
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let inside = parts.concat();
    let header = match u16::try_from(inside.len()).unwrap().to_be_bytes() {
        [0, short @ ..0x80] => vec![tag, short],
        [0, long] => vec![tag, 0x81, long],
        [high, low] => vec![tag, 0x82, high, low],
    };
    [header, inside].concat()
}

/// The values inside of a SEQUENCE.
fn inside(sequence: &[u8]) -> Vec<&[u8]> {
    let header = |octets: &[u8]| match octets[1] {
        short @ ..0x80 => (2, usize::from(short)),
        long => {
            let size = usize::from(long & 0x7F);
            (2 + size, octets[2..2 + size].iter().fold(0, |n, o| n * 256 + usize::from(*o)))
        }
    };
    let mut rest = &sequence[header(sequence).0..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (start, length) = header(rest);
        let (value, after) = rest.split_at(start + length);
        found.push(value);
        rest = after;
    }
    found
}

/// The list with other entries, signed by its authority.
fn with_entries(pki: &Pki, list: &[u8], entries: &[&[u8]]) -> Vec<u8> {
    let parts = inside(list);
    let mut signed = inside(parts[0]);
    let entries = tlv(0x30, entries);
    signed[5] = &entries;
    let signed = tlv(0x30, &signed);
    let (file, value) = (pki.folder.write("changed.tbs", &signed), pki.path("changed.sig"));
    run_well("openssl", &["dgst", "-sha256", "-sign", &pki.path("middle.key"), "-out", &value, file.to_str().unwrap()]);
    let value = std::fs::read(value).unwrap();
    crate::chains::pem("X509 CRL", &tlv(0x30, &[&signed, parts[1], &tlv(3, &[&[0], &value])]))
}

/// One entry; extensions as a list of them, or none.
fn entry(serial: &[u8], extensions: &[u8]) -> Vec<u8> {
    let extensions = if extensions.is_empty() { Vec::new() } else { tlv(0x30, &[extensions]) };
    tlv(0x30, &[&tlv(2, &[serial]), &tlv(0x17, &[b"260101000000Z"]), &extensions])
}

/// X.690 §8.3.2. The certificate of the serial number 5 is on each of these lists, and OpenSSL reads none of those that we refuse.
#[test]
fn a_serial_number_that_is_not_in_der_does_not_hide_what_is_revoked() {
    if !have("serial numbers of entries", &["openssl"]) {
        return;
    }
    let pki = Pki::new("p256");
    pki.issue("five", "middle", "05", "keyUsage=critical,digitalSignature\n");
    let list = der(&pki.crl("m", "middle", &["22"], false));
    let cases: [(&[u8], &str); 7] = [
        (&[5], "VF-136"),
        (&[0, 5], "not in DER"),
        (&[0, 0, 5], "not in DER"),
        (&[0xFF, 0x85], "not in DER"),
        (&[], "of no octets"),
        (&[0, 0x85], ""),
        (&[0x85], ""),
    ];
    for (serial, words) in cases {
        let changed = with_entries(&pki, &list, &[&entry(&[0x22], &[]), &entry(serial, &[])]);
        let asked = question(&pki, "five", changed);
        is(&asked, &format!("{serial:02x?}"), words.is_empty(), words);
        assert_eq!(asked.theirs(&pki).0, words.is_empty(), "openssl, {serial:02x?}: {}", asked.theirs(&pki).1);
    }
}

/// RFC 5280 §5.3.3: an entry that names another authority, and those behind it, are about that one's certificates.
#[test]
fn an_entry_about_another_authoritys_certificate_is_not_taken_for_one_of_this() {
    if !have("entries of other authorities", &["openssl"]) {
        return;
    }
    let pki = Pki::new("p256");
    let list = der(&pki.crl("m", "middle", &["22"], false));
    let names = |name: &str| {
        let certificate = Certificate::from_pem(&pki.read(name)).unwrap();
        let subject = inside(inside(certificate.der())[0])[5].to_vec();
        tlv(0x30, &[&tlv(0xA4, &[&subject])])
    };
    let issuer = |critical: &[u8], names: &[u8]| tlv(0x30, &[b"\x06\x03\x55\x1d\x1d", critical, &tlv(4, &[names])]);
    let other = "entry about a certificate of another authority";
    for (name, extension, words) in [
        ("another", issuer(&[], &names("stranger")), other),
        ("another, critical", issuer(&[1, 1, 0xFF], &names("stranger")), "2.5.29.29"),
        ("what cannot be read", issuer(&[], &[4, 0]), other),
        ("its own", issuer(&[], &names("middle")), "VF-136"),
    ] {
        let changed = with_entries(&pki, &list, &[&entry(&[0x22], &extension), &entry(&[0x21], &[])]);
        is(&question(&pki, "signer", changed.clone()), name, false, words);
        if words != "VF-136" {
            assert_eq!(Crl::all_from(&changed).unwrap_err().kind(), ErrorKind::CrlMalformed, "{name}");
        }
    }
}
