use std::time::{Duration, SystemTime};

use super::test_ca::{Holder, Shape, TestCa, Usage, any_key, pem, raw_extension};
use super::*;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn with(oid: &str, octets: &[u8]) -> Result<Certificate> {
    let mut shape = Shape { usage: Usage::Absent, ..Shape::customs(&Holder::default(), 1, now()) };
    shape.extensions.push(raw_extension(oid, true, octets));
    Certificate::from_der(&TestCa::eport(now()).unwrap().issue(&shape, &any_key()).unwrap())
}

#[test]
fn key_usage_is_read_however_many_bits_are_written() {
    for (octets, signs, encrypts) in [
        (b"\x03\x02\x06\xc0", true, false),
        (b"\x03\x02\x00\xc0", true, false),
        (b"\x03\x02\x04\x30", false, true),
        (b"\x03\x02\x00\xf8", true, false),
        (b"\x03\x02\x01\x06", false, false),
    ] {
        let certificate = with("2.5.29.15", octets).unwrap();
        assert_eq!((certificate.may_sign(), certificate.is_encryption()), (Some(signs), encrypts), "{octets:?}");
    }
    assert_eq!(with("1.2.3", b"\x05\x00").unwrap().may_sign(), None);
}

#[test]
fn a_key_usage_or_constraints_that_cannot_be_read_are_not_taken_for_none() {
    for (oid, octets) in [
        ("2.5.29.15", &b"\x04\x02\x06\xc0"[..]),
        ("2.5.29.15", b""),
        ("2.5.29.15", b"\x03\x04\x00\xc0\xff\xff\xff"),
        ("2.5.29.19", b"\x31\x00"),
        ("2.5.29.19", b"\x30\x03\x01\x01"),
    ] {
        assert_eq!(with(oid, octets).unwrap_err().kind(), ErrorKind::CertificateMalformed, "{oid} {octets:?}");
    }
    assert!(with("2.5.29.19", b"\x30\x03\x01\x01\xff").unwrap().is_ca());
    assert!(!with("2.5.29.19", b"\x30\x00").unwrap().is_ca());
    assert!(!with("2.5.29.19", b"\x30\x03\x01\x01\x00").unwrap().is_ca(), "written out although it is the default");
}

#[test]
fn a_file_of_several_certificates_is_read_whole_and_octet_by_octet() {
    let ca = TestCa::eport(now()).unwrap();
    let leaf = ca.issue(&Shape::customs(&Holder::default(), 1, now()), &any_key()).unwrap();
    let text = format!("{}\r\n\n{}\n", pem(ca.der()).unwrap().replace('\n', "\r\n"), pem(&leaf).unwrap());
    let all = Certificate::all_from_pem(text.as_bytes()).unwrap();
    assert_eq!(all.iter().map(Certificate::der).collect::<Vec<_>>(), [ca.der(), &leaf]);
    assert_eq!(Certificate::from_pem(text.as_bytes()).unwrap().der(), ca.der());
    assert_eq!(Certificate::all_from(text.as_bytes()).unwrap(), all);
    let named = format!("one:\n{text}0x30 is how DER begins\n");
    assert_eq!(Certificate::all_from(named.as_bytes()).unwrap(), all);
    assert_eq!(Certificate::all_from(&leaf).unwrap(), all[1..]);
    let damaged = text.replacen("MI", "!!", 1);
    let cut = &text[..text.len() - 9];
    for bad in ["", "no PEM", &damaged, cut, &"x".repeat(policy::PEM_MAX + 1), "-----END CERTIFICATE-----"] {
        assert_eq!(Certificate::all_from_pem(bad.as_bytes()).unwrap_err().kind(), ErrorKind::CertificateMalformed);
    }
}

#[test]
fn an_issuers_name_cannot_write_to_the_terminal() {
    let ca = TestCa::new("CN=A\\1B[31mred\\E2\\80\\AEdlog", now()).unwrap();
    let certificate =
        Certificate::from_der(&ca.issue(&Shape::customs(&Holder::default(), 1, now()), &any_key()).unwrap()).unwrap();
    assert!(certificate.label().ends_with("of A?[31mred?dlog"), "{:?}", certificate.label());
    let own = Certificate::from_der(ca.der()).unwrap();
    assert!(own.label().ends_with("self-issued"), "{:?}", own.label());
}

/// Lists are searched for the serial number octet by octet, so it has to be DER on both sides.
#[test]
fn a_certificate_whose_serial_number_has_needless_octets_is_not_read() {
    let shape = Shape { serial: vec![1, 5], ..Shape::plain("CN=A", Vec::new(), now()) };
    let der = TestCa::eport(now()).unwrap().issue(&shape, &any_key()).unwrap();
    let serial = b"\xa0\x03\x02\x01\x02\x02\x02\x01\x05";
    let place = der.windows(serial.len()).position(|w| w == serial).unwrap() + 7;
    for (first, second, read) in [(0x01, 0x05, true), (0x00, 0x85, true), (0x00, 0x05, false), (0xFF, 0x85, false)] {
        let mut changed = der.clone();
        (changed[place], changed[place + 1]) = (first, second);
        assert_eq!(Certificate::from_der(&changed).is_ok(), read, "{first:02x} {second:02x}");
    }
}
