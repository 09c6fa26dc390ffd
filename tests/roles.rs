//! Which certificate has which role. Every certificate here is made by a throw-away authority for invented holders.

#[path = "../examples/shield/test_ca.rs"]
mod test_ca;

use std::time::{Duration, SystemTime};

use der::asn1::{Any, OctetString, SetOfVec};
use der::{Decode, Encode, Tag};
use shared_shield::{CardKind, Certificate, ErrorKind, Profile, Role};
use spki::ObjectIdentifier;
use test_ca::{EPORT_ARC, Holder, Shape, TestCa, any_key, raw_extension};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::pkix::AuthorityKeyIdentifier;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;

const RSA_KEY_ID: &str = "F975A378450B4268C20453ABEBC34E3E54787460";
const SM2_KEY_ID: &str = "442431B74C04BE80155E6BA8E0DD5B8CA5D38745";
const COUNTRY: &str = "2.5.4.6";
/// manual::customs §6.1, in the order of the RSA generation.
const EPORT: [(&str, &str); 6] = [
    (COUNTRY, "cn"),
    ("2.5.4.10", "中国电子口岸"),
    ("2.5.4.11", "证书管理中心"),
    ("2.5.4.8", "北京"),
    ("2.5.4.3", "中国电子业务证书管理中心"),
    ("2.5.4.7", "北京"),
];

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// A name in one string type, but for the country.
fn name(attributes: &[(&str, &str)], tag: Tag) -> Name {
    let mut octets = Vec::new();
    for (oid, value) in attributes {
        let (tag, value) = match tag {
            _ if *oid == COUNTRY => (Tag::PrintableString, value.as_bytes().to_vec()),
            Tag::BmpString => (tag, value.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            _ => (tag, value.as_bytes().to_vec()),
        };
        let attribute =
            AttributeTypeAndValue { oid: ObjectIdentifier::new_unwrap(oid), value: Any::new(tag, value).unwrap() };
        octets.extend(SetOfVec::try_from(vec![attribute]).unwrap().to_der().unwrap());
    }
    Name::from_der(&Any::new(Tag::Sequence, octets).unwrap().to_der().unwrap()).unwrap()
}

fn eport_shape(issuer: Name, key_id: &str) -> Shape {
    Shape { issuer: Some(issuer), authority_key_id: Some(hex(key_id)), ..Shape::customs(&Holder::default(), 1, now()) }
}

fn issued(shape: &Shape) -> Certificate {
    Certificate::from_der(&TestCa::eport(now()).unwrap().issue(shape, &any_key()).unwrap()).unwrap()
}

fn role(shape: &Shape) -> Result<Role, String> {
    Profile::builtin().role_of(&issued(shape))
}

#[track_caller]
fn has_none(shape: &Shape, words: &str) {
    let why = role(shape).expect_err("it has a role");
    assert!(why.contains(words), "{why}");
}

#[test]
fn both_generations_of_e_port_certificates_are_customs() {
    let sm2 = eport_shape(name(&EPORT, Tag::Utf8String), SM2_KEY_ID);
    assert_eq!(role(&sm2), Ok(Role::Customs));
    // RSA generation: BMPString, country in lower case, the key identifier with issuer's name and serial number 00.
    let mut rsa = eport_shape(name(&EPORT, Tag::BmpString), "");
    let identifier = AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(hex(RSA_KEY_ID)).unwrap()),
        authority_cert_issuer: Some(vec![GeneralName::DirectoryName(name(&EPORT, Tag::BmpString))]),
        authority_cert_serial_number: Some(SerialNumber::new(&[0]).unwrap()),
    };
    rsa.extensions.push(raw_extension("2.5.29.35", false, &identifier.to_der().unwrap()));
    assert_eq!(role(&rsa), Ok(Role::Customs));
    assert_eq!(issued(&rsa).issuer(), issued(&eport_shape(name(&EPORT, Tag::Utf8String), RSA_KEY_ID)).issuer());
}

#[test]
fn the_e_ports_name_alone_makes_no_customs_certificate() {
    let named = || name(&EPORT, Tag::Utf8String);
    has_none(&eport_shape(named(), "00112233445566778899AABBCCDDEEFF00112233"), "not the key identifier");
    has_none(&eport_shape(named(), ""), "not the key identifier");
    for (arc, words) in [("5.1", "(5.1)"), ("5.9", "(5.9)"), ("5.11", "(5.11)")] {
        let mut shape = eport_shape(named(), SM2_KEY_ID);
        let oid = ObjectIdentifier::new_unwrap(&format!("{EPORT_ARC}.{arc}"));
        shape.extensions.retain(|e| e.extn_id != oid);
        has_none(&shape, words);
        shape.extensions.push(raw_extension(&oid.to_string(), false, b"\x0c\x7fx"));
        has_none(&shape, words);
    }
}

#[test]
fn a_name_that_is_only_like_the_e_ports_is_not_the_e_port() {
    let change = |i: usize, value: &'static str| {
        let mut attributes = EPORT;
        attributes[i].1 = value;
        eport_shape(name(&attributes, Tag::Utf8String), SM2_KEY_ID)
    };
    for i in 0..EPORT.len() {
        has_none(&change(i, "xx"), "none that the profile knows");
    }
    has_none(&change(1, "中国电子口岸 "), "none that");
    // A second common name: two readers could each take another one.
    let twice = [&EPORT[..], &[("2.5.4.3", "中国电子业务证书管理中心")]].concat();
    has_none(&eport_shape(name(&twice, Tag::Utf8String), SM2_KEY_ID), "none that");
    let missing = &EPORT[..4];
    has_none(&eport_shape(name(missing, Tag::Utf8String), SM2_KEY_ID), "none that");
    // The octets of a BMPString that are not the text in UTF-16.
    has_none(&eport_shape(name(&EPORT, Tag::TeletexString), SM2_KEY_ID), "none that");
}

#[test]
fn test_centre_certificates_are_customs_only_where_the_profile_says_so() {
    let issuer = [("2.5.4.10", "电子口岸"), ("2.5.4.11", "CA"), ("2.5.4.3", "中国电子口岸数据中心开发区")];
    let mut shape = eport_shape(name(&issuer, Tag::Utf8String), "0011223344556677");
    let code = ObjectIdentifier::new_unwrap(&format!("{EPORT_ARC}.5.11"));
    shape.extensions.retain(|e| e.extn_id != code);
    shape.serial = vec![1, 2, 3];
    has_none(&shape, "test centre");
    let accepting = Profile::parse("schema = 1\ntest_centre = true").unwrap();
    assert_eq!(accepting.role_of(&issued(&shape)), Ok(Role::Customs));
}

#[test]
fn ccb_and_cfca_are_banks_by_their_whole_names() {
    let bank = |attribute: &str, value: &str| {
        let issuer = name(&[(COUNTRY, "CN"), (attribute, value)], Tag::Utf8String);
        role(&Shape { issuer: Some(issuer), ..Shape::bank(&Holder::default(), 1, now()) })
    };
    for value in ["CFCA ACS SM2 OCA31", "China Financial Certification Authority", "CCB CA", "China Construction Bank"]
    {
        assert_eq!(bank("2.5.4.10", value), Ok(Role::Bank), "{value}");
        assert_eq!(bank("2.5.4.3", value), Ok(Role::Bank), "{value}");
        assert!(bank("2.5.4.11", value).is_err(), "a unit is no issuer: {value}");
    }
    for value in ["CFCAX", "ACCB", "Construction Bank", "China Financial", "-"] {
        assert!(bank("2.5.4.10", value).is_err(), "{value}");
    }
}

#[test]
fn what_both_roles_fit_has_none() {
    let text = |key: &str| {
        format!(
            "schema = 1\n[[customs.issuer]]\nunit = \"测试证书管理中心\"\n{key}\n\
             [[bank.issuer]]\norganisation = \"测试电子口岸 (SYNTHETIC)\"\n"
        )
    };
    let certificate = issued(&Shape::customs(&Holder::default(), 1, now()));
    let why = Profile::parse(&text("")).unwrap().role_of(&certificate).unwrap_err();
    assert!(why.contains("both roles"), "{why}");
    let other_key = Profile::parse(&text("authority_key_id = \"0011223344556677\"")).unwrap();
    assert_eq!(other_key.role_of(&certificate), Ok(Role::Bank), "without the doubt it has one");
}

#[test]
fn an_e_port_certificate_never_becomes_a_banks() {
    // Its holder's company has a bank's name, and its policy a bank rule's: neither is the issuer.
    let holder = Holder { company: "CFCA CCB China Construction Bank".to_owned(), ..Holder::default() };
    let mut shape = eport_shape(name(&EPORT, Tag::Utf8String), SM2_KEY_ID);
    shape.subject = Shape::customs(&holder, 1, now()).subject;
    assert_eq!(role(&shape), Ok(Role::Customs));
    // A bank's word in a further attribute of the issuer: then it is not the e-port, and not customs either.
    let twice = [&EPORT[..], &[("2.5.4.3", "CFCA")]].concat();
    assert_ne!(role(&eport_shape(name(&twice, Tag::Utf8String), SM2_KEY_ID)), Ok(Role::Customs));
}

#[test]
fn policies_and_key_identifiers_of_a_profile_are_looked_at() {
    let ca = TestCa::eport(now()).unwrap();
    let id: String = ca.key_id().iter().map(|o| format!("{o:02X}")).collect();
    let mut shape = Shape::customs(&Holder::default(), 1, now());
    // SEQUENCE OF PolicyInformation { 1.3.135.1.1.2 }
    shape.extensions.push(raw_extension("2.5.29.32", false, &hex("300A300806062B8107010102")));
    let certificate = Certificate::from_der(&ca.issue(&shape, &any_key()).unwrap()).unwrap();
    assert_eq!(certificate.policies(), ["1.3.135.1.1.2"]);
    let role =
        |rule: &str| Profile::parse(&format!("schema = 1\n[[customs.issuer]]\n{rule}")).unwrap().role_of(&certificate);
    assert_eq!(role(&format!("authority_key_id = \"{id}\"")), Ok(Role::Customs));
    // The key is another one in each run, and its identifier begins with any digit.
    let other = if id.starts_with('0') { '1' } else { '0' };
    assert!(role(&format!("authority_key_id = \"{other}{}\"", &id[1..])).is_err());
    let unit = "unit = \"测试证书管理中心\"\n";
    assert_eq!(role(&format!("{unit}policies = [\"1.2.3\", \"1.3.135.1.1.2\"]")), Ok(Role::Customs));
    assert!(role(&format!("{unit}policies = [\"1.2.3\"]")).unwrap_err().contains("policy"));
    assert_eq!(role(&format!("{unit}country = \"cn\"")), Ok(Role::Customs));
    assert!(role(&format!("{unit}country = \"US\"")).is_err());
}

#[test]
fn replacing_the_builtin_rules_forgets_the_e_port() {
    let eport = issued(&eport_shape(name(&EPORT, Tag::Utf8String), SM2_KEY_ID));
    let replaced = Profile::parse("schema = 1\nreplace_builtin = true\n[[bank.issuer]]\nunit = \"x\"").unwrap();
    assert!(replaced.role_of(&eport).is_err());
    let extended = Profile::parse("schema = 1\n[[bank.issuer]]\nunit = \"x\"").unwrap();
    assert_eq!(extended.role_of(&eport), Ok(Role::Customs));
}

#[test]
fn the_published_vector_certificates_have_no_role() {
    for file in ["synthetic_rsa_cert.pem", "synthetic_sm2_cert.pem"] {
        let pem = std::fs::read(format!("tests/vectors/{file}")).unwrap();
        let certificate = Certificate::from_pem(&pem).unwrap();
        assert!(Profile::builtin().role_of(&certificate).is_err(), "{file}");
        assert!(certificate.is_ca() && certificate.is_self_issued());
    }
}

#[test]
fn a_profile_tells_a_legal_persons_card_from_an_operators() {
    let ca = TestCa::eport(now()).unwrap();
    let issue = |card: &str, number| {
        let holder = Holder { card_number: card.to_owned(), ..Holder::default() };
        let der = ca.issue(&Shape::customs(&holder, number, now()), &any_key()).unwrap();
        Certificate::from_der(&der).unwrap()
    };
    let (boss, operator) = (issue("8800000000017", 1), issue("8800000000025", 2));
    let kinds = |rules: &str| {
        let profile = Profile::parse(&format!("schema = 1\n{rules}")).unwrap();
        (profile.card_kind(&boss), profile.card_kind(&operator))
    };
    let rule = |kind: &str, what: &str| format!("[[customs.card]]\nkind = \"{kind}\"\n{what}\n");
    assert_eq!(kinds(""), (CardKind::Unknown, CardKind::Unknown), "arc 5.12 alone tells nothing");
    let by_fingerprint = format!("fingerprint = \"{}\"", boss.fingerprint());
    assert_eq!(kinds(&rule("legal-person", &by_fingerprint)), (CardKind::LegalPerson, CardKind::Unknown));
    let by_number = rule("operator", "card_number = \"03-8800000000025\"");
    assert_eq!(kinds(&by_number), (CardKind::Unknown, CardKind::Operator));
    assert_eq!(kinds(&rule("operator", "entity_mode = \"00\"")), (CardKind::Operator, CardKind::Operator));
    assert_eq!(kinds(&rule("operator", "entity_mode = \"01\"")), (CardKind::Unknown, CardKind::Unknown));
    let both = [rule("operator", "entity_mode = \"00\""), rule("legal-person", &by_fingerprint)].concat();
    assert_eq!(kinds(&both), (CardKind::Unknown, CardKind::Operator), "rules that disagree tell nothing");
    for (bad, word) in [
        (rule("boss", "entity_mode = \"00\""), "legal-person"),
        (rule("operator", ""), "name the card"),
        (rule("operator", "fingerprint = \"00\""), "64 hex digits"),
        (rule("operator", "card_number = \" \""), "empty"),
    ] {
        let error = Profile::parse(&format!("schema = 1\n{bad}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProfileMalformed);
        assert!(error.to_string().contains(word) && error.to_string().contains("line "), "{error}");
    }
}
