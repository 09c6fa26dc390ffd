use std::time::{Duration, SystemTime};

use super::*;
use crate::cert::Certificate;
use crate::cert::test_ca::{Holder, Shape, TestCa, any_key, raw_extension};
use crate::error::ErrorKind;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn issue(shape: &Shape) -> crate::error::Result<Certificate> {
    Certificate::from_der(&TestCa::eport(now()).unwrap().issue(shape, &any_key()).unwrap())
}

fn with(arc: &str, value: &[u8]) -> EportFields {
    EportFields::of(&[raw_extension(&format!("1.3.6.1.4.1.5315.100.{arc}"), false, value)]).unwrap()
}

#[test]
fn company_names_of_both_card_generations_read_the_same() {
    let rsa = with("5.1", &hex("1608BACFB3C9D1F9C0FD")).entity_name.unwrap();
    let sm2 = with("5.1", &hex("0C0CE59088E68890E6A0B7E4BE8B")).entity_name.unwrap();
    assert_eq!((rsa.text.as_str(), rsa.gbk_in_ia5), ("合成样例", true));
    assert_eq!((sm2.text.as_str(), sm2.gbk_in_ia5), ("合成样例", false));
}

#[test]
fn card_number_is_shown_without_the_prefix_of_sm2_cards() {
    assert_eq!(with("5.9", b"\x0c\x1003-8800000000017").card_number.unwrap().text, "8800000000017");
    let old = with("5.9", b"\x16\x0d8800000000017").card_number.unwrap();
    assert_eq!((old.text.as_str(), old.gbk_in_ia5), ("8800000000017", false));
    assert_eq!(with("5.1", b"\x0c\x0503-AB").entity_name.unwrap().text, "03-AB", "only card numbers have the prefix");
}

#[test]
fn hostile_values_are_named_and_read_as_missing() {
    let long = [&[0x0c, 0x82, 0x02, 0x00][..], &[b'a'; 512]].concat();
    for (value, why) in [
        (&b"\x0c\x05AB"[..], "is not one DER string"),
        (b"\x0c\x84\xff\xff\xff\xffAB", "is not one DER string"),
        (b"\x0c\x80AB\x00\x00", "is not one DER string"),
        (b"\x0c\x01A\x0c\x01B", "is not one DER string"),
        (b"", "is not one DER string"),
        (&long, "is too long"),
        (b"\x0c\x02\xc3\x28", "is not UTF-8"),
        (b"\x16\x01\xff", "is not GBK"),
        (b"\x04\x02AB", "is neither UTF8String nor IA5String"),
        (b"\x0c\x00", "is empty"),
        (b"\x0c\x02  ", "is empty"),
        (b"\x0c\x0503-  ", "is empty"),
        (b"\x0c\x03A\x1b[", "holds control characters"),
        (b"\x0c\x04A\xe2\x80\xae", "holds control characters"),
    ] {
        let fields = with("5.9", value);
        assert_eq!(fields.card_number, None, "{value:?}");
        assert_eq!(fields.unreadable, [Unreadable { arc: "5.9", why }], "{value:?}");
    }
}

#[test]
fn a_certificate_without_the_fields_has_none() {
    assert_eq!(EportFields::of(&[raw_extension("1.3.6.1.4.1.5315.100.5.8", false, b"\x0c\x01A")]), None);
    assert_eq!(EportFields::of(&[]), None);
}

#[test]
fn a_certificate_with_one_field_twice_is_refused_whole() {
    let mut shape = Shape::customs(&Holder::default(), 1, now());
    assert!(issue(&shape).unwrap().eport().is_some());
    shape.extensions.push(raw_extension("1.3.6.1.4.1.5315.100.5.11", false, b"\x0c\x09EVILCODE1"));
    let error = issue(&shape).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CertificateMalformed);
    assert!(error.to_string().contains("5315.100.5.11 occurs twice"), "{error}");
    assert!(!error.to_string().contains("EVIL"), "{error}");
}

#[test]
fn neither_identity_number_nor_holder_shows_up_anywhere() {
    let holder =
        Holder { identity: "ID-MARKER-4711".to_owned(), person: "PERSON-MARKER".to_owned(), ..Holder::default() };
    let certificate = issue(&Shape::customs(&holder, 1, now())).unwrap();
    assert!(certificate.der().windows(14).any(|w| w == b"ID-MARKER-4711"), "the marker is in the certificate");
    let fields = certificate.eport().unwrap();
    let mut shown = vec![
        format!("{certificate:?}"),
        format!("{certificate:#?}"),
        format!("{:?} {:?}", certificate.issuer(), certificate.subject()),
        format!("{:?} {:?}", certificate.key().map(|k| k.kind()), certificate.fingerprint()),
        format!("{:?} {:?}", certificate.authority_key_id(), certificate.subject_key_id()),
        format!("{:?} {:?}", certificate.policies(), certificate.unknown_critical()),
        certificate.number(),
        certificate.label(),
        certificate.issuer().shown(),
        certificate.check_time(SystemTime::UNIX_EPOCH).unwrap_err().to_string(),
        format!("{:?}", certificate.check_time(SystemTime::UNIX_EPOCH).unwrap_err()),
        certificate.check_time(SystemTime::UNIX_EPOCH).unwrap_err().message_zh(),
    ];
    assert!(shown.iter().all(|s| !s.contains("PERSON-MARKER")), "{shown:?}");
    shown.push(format!("{fields:?}"));
    shown.extend(
        [&fields.entity_name, &fields.card_number, &fields.entity_code, &fields.entity_mode]
            .into_iter()
            .flatten()
            .map(ToString::to_string),
    );
    shown.extend(certificate.subject().common_name().map(str::to_owned));
    shown.extend(certificate.subject().unit().map(str::to_owned));
    assert!(shown.iter().any(|s| s.contains("MA0SYN001")), "the accessors were really read");
    assert!(shown.iter().all(|s| !s.contains("ID-MARKER")), "{shown:?}");
}

#[test]
fn a_damaged_certificate_is_refused_without_showing_its_content() {
    let holder =
        Holder { identity: "ID-MARKER-4711".to_owned(), person: "PERSON-MARKER".to_owned(), ..Holder::default() };
    let ca = TestCa::eport(now()).unwrap();
    let der = ca.issue(&Shape::customs(&holder, 1, now()), &any_key()).unwrap();
    for cut in 0..der.len() {
        let error = Certificate::from_der(&der[..cut]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CertificateMalformed, "{cut} octets");
        assert!(!error.to_string().contains("MARKER"), "{error}");
    }
    // One octet changed: whatever comes of it, nothing panics and no error speaks of the holder.
    for place in 0..der.len() {
        let mut damaged = der.clone();
        damaged[place] ^= 0x5a;
        if let Err(error) = Certificate::from_der(&damaged) {
            assert!(!format!("{error} {error:?}").contains("MARKER"), "{error}");
        }
    }
}

#[test]
fn what_a_certificate_is_for_is_read_from_its_key_usage() {
    use crate::cert::Purpose;
    use crate::cert::test_ca::Usage;
    let shape = |usage| Shape { usage, ..Shape::customs(&Holder::default(), 1, now()) };
    for (usage, purpose) in [
        (Usage::Sign, Purpose::Signing),
        (Usage::Encrypt, Purpose::Encryption),
        (Usage::Authority, Purpose::Neither),
        (Usage::Absent, Purpose::Unsaid),
    ] {
        let certificate = issue(&shape(usage)).unwrap();
        assert_eq!(certificate.purpose(), purpose);
        assert_eq!(certificate.is_encryption(), purpose == Purpose::Encryption);
    }
    // All bits but those of an authority.
    let mut both = shape(Usage::Absent);
    both.extensions.push(raw_extension("2.5.29.15", true, b"\x03\x02\x00\xf8"));
    assert_eq!(issue(&both).unwrap().purpose(), Purpose::Both);
}

#[test]
fn a_holder_is_told_only_to_who_asks_and_the_number_is_the_one_of_customs() {
    let holder = Holder { person: "PERSON-MARKER".to_owned(), ..Holder::default() };
    let shape = Shape { serial: vec![1, 0x23, 0xAB, 0xCD], ..Shape::customs(&holder, 1, now()) };
    let certificate = issue(&shape).unwrap();
    assert_eq!(certificate.holder().map(super::super::Personal::reveal), Some("PERSON-MARKER"));
    assert_eq!(format!("{:?} {:#?}", certificate.holder(), certificate.holder().unwrap()), "Some(Personal) Personal");
    assert_eq!(certificate.number(), "0123abcd");
    assert_eq!(issue(&Shape::customs(&holder, 1, now())).unwrap().number(), "0300000000000101");
}

#[test]
fn texts_that_are_gbk_inside_an_ia5_string_are_read_and_reported() {
    let mut shape = Shape::customs(&Holder::default(), 1, now());
    shape.extensions.retain(|e| !e.extn_id.to_string().ends_with(".5.1"));
    shape.extensions.push(raw_extension("1.3.6.1.4.1.5315.100.5.1", false, &hex("1608BACFB3C9D1F9C0FD")));
    let certificate = issue(&shape).unwrap();
    let fields = certificate.eport().unwrap();
    assert_eq!((fields.entity_name.as_ref().unwrap().text.as_str(), fields.gbk_in_ia5()), ("合成样例", vec!["5.1"]));
    assert!(issue(&Shape::customs(&Holder::default(), 1, now())).unwrap().eport().unwrap().gbk_in_ia5().is_empty());
}
