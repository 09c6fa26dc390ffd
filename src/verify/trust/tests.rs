use std::time::{Duration, SystemTime};

use super::*;
use crate::cert::test_ca::{EPORT_NAME, Holder, Shape, TestCa, Usage, any_key, raw_extension};
use crate::profile::Profile;
use crate::role::Role;
use crate::verify::Severity;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn read(der: &[u8]) -> Arc<Certificate> {
    Arc::new(Certificate::from_der(der).unwrap())
}

fn ca() -> TestCa {
    TestCa::eport(now()).unwrap()
}

fn issue(ca: &TestCa, shape: &Shape) -> Arc<Certificate> {
    read(&ca.issue(shape, &any_key()).unwrap())
}

fn customs() -> Shape {
    Shape::customs(&Holder::default(), 1, now())
}

fn context(trust: Trust) -> VerifyContext {
    VerifyContext {
        trust,
        role: None,
        profile: Arc::new(Profile::builtin()),
        at: now(),
        certificate: None,
        sm2_id: crate::suite::Sm2Id::default(),
    }
}

fn anchors(list: &[&[u8]]) -> Trust {
    Trust::Anchors(list.iter().map(|der| read(der)).collect())
}

fn found(certificate: &Arc<Certificate>, context: &VerifyContext) -> (bool, Vec<FindingKind>, String) {
    let mut findings = Vec::new();
    let trusted = judge(certificate, context, &[], &mut findings);
    let text = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    (trusted, findings.into_iter().map(|f| f.kind).collect(), text)
}

#[track_caller]
fn untrusted(certificate: &Arc<Certificate>, trust: Trust, words: &str) {
    let (trusted, kinds, text) = found(certificate, &context(trust));
    assert!(!trusted && kinds.contains(&FindingKind::CertificateUntrusted) && text.contains(words), "{text}");
}

fn vector(name: &str) -> Arc<Certificate> {
    let pem = std::fs::read(format!("tests/vectors/{name}")).unwrap();
    Arc::new(Certificate::from_pem(&pem).unwrap())
}

#[test]
fn a_certificate_of_a_trusted_issuer_is_trusted_and_of_another_is_not() {
    let ca = ca();
    let signer = issue(&ca, &customs());
    assert!(found(&signer, &context(anchors(&[ca.der()]))).0);
    assert_eq!(found(&signer, &context(anchors(&[ca.der()]))).1, []);
    // The same name and another key; another name.
    let other = TestCa::new(EPORT_NAME, now()).unwrap();
    untrusted(&signer, anchors(&[other.der()]), "another key identifier");
    untrusted(&signer, anchors(&[TestCa::bank(now()).unwrap().der()]), "none of those given");
    untrusted(&signer, Trust::Anchors(Vec::new()), "none of those given");
    assert!(found(&signer, &context(anchors(&[other.der(), ca.der()]))).0, "one of several is enough");
}

#[test]
fn an_issuer_that_copies_name_and_key_identifier_is_found_out_by_the_signature() {
    let (ca, forger) = (ca(), TestCa::new(EPORT_NAME, now()).unwrap());
    let forged = Shape { authority_key_id: Some(ca.key_id().to_vec()), ..customs() };
    untrusted(&issue(&forger, &forged), anchors(&[ca.der()]), "not the issuer's");
}

#[test]
fn one_octet_changed_anywhere_in_a_certificate_takes_its_trust() {
    let ca = ca();
    let der = ca.issue(&customs(), &any_key()).unwrap();
    let trust = context(anchors(&[ca.der()]));
    assert!(found(&read(&der), &trust).0);
    let mut read_again = 0;
    for place in 0..der.len() {
        let mut changed = der.clone();
        changed[place] ^= 1;
        if let Ok(certificate) = Certificate::from_der(&changed) {
            read_again += 1;
            assert!(!found(&Arc::new(certificate), &trust).0, "octet {place}");
        }
    }
    assert!(read_again > 100, "most changes can still be read: {read_again}");
}

#[test]
fn who_is_no_authority_issues_nothing() {
    let root = ca();
    for (ca, usage, words) in
        [(false, Usage::Authority, "not one of an authority"), (true, Usage::Sign, "does not allow certificates")]
    {
        // An authority's key, and a certificate for it that does not make it one.
        let middle = TestCa::new("CN=Middle (SYNTHETIC)", now()).unwrap();
        let key = Certificate::from_der(middle.der()).unwrap().key().unwrap().spki().to_vec();
        let shape = Shape { ca, usage, ..Shape::plain("CN=Middle (SYNTHETIC)", vec![7], now()) };
        let not_one = root.issue(&shape, &key).unwrap();
        let signer = issue(&middle, &customs());
        untrusted(&signer, anchors(&[root.der(), &not_one]), words);
        let one = root.issue(&Shape { ca: true, usage: Usage::Authority, ..shape }, &key).unwrap();
        assert!(found(&signer, &context(anchors(&[&one]))).0, "an intermediate may be named as anchor");
        untrusted(&signer, anchors(&[root.der()]), "none of those given");
    }
}

#[test]
fn an_issuer_whose_time_is_over_gives_no_trust() {
    let ca = ca();
    let shape = Shape { not_after: now() + Duration::from_secs(20_000 * 24 * 3600), ..customs() };
    let signer = issue(&ca, &shape);
    let mut late = context(anchors(&[ca.der()]));
    late.at = now() + Duration::from_secs(4_001 * 24 * 3600);
    let (trusted, kinds, text) = found(&signer, &late);
    assert!(
        !trusted && kinds == [FindingKind::CertificateUntrusted] && text.contains("not valid at the time"),
        "{text}"
    );
}

#[test]
fn a_critical_extension_that_is_not_understood_is_not_passed_over() {
    let ca = ca();
    let with = |oid: &str, critical| {
        let mut shape = customs();
        shape.extensions.push(raw_extension(oid, critical, b"\x30\x00"));
        issue(&ca, &shape)
    };
    untrusted(&with("1.2.3.4", true), anchors(&[ca.der()]), "1.2.3.4");
    untrusted(&with("2.5.29.30", true), anchors(&[ca.der()]), "2.5.29.30");
    assert!(found(&with("1.2.3.4", false), &context(anchors(&[ca.der()]))).0);
}

/// An extended key usage with these last octets of OIDs of 1.3.6.1.5.5.7.3.
fn uses(last: &[u8]) -> Vec<u8> {
    let oids: Vec<u8> =
        last.iter().flat_map(|use_| [b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03", &[*use_][..]].concat()).collect();
    [&[0x30, u8::try_from(oids.len()).unwrap()], oids.as_slice()].concat()
}

#[test]
fn a_certificate_that_is_critically_for_servers_or_code_signs_no_documents() {
    let ca = ca();
    let any: &[u8] = b"\x30\x06\x06\x04\x55\x1d\x25\x00";
    for (named, critical, right) in [
        (uses(&[1]), true, false),
        (uses(&[3]), true, false),
        (uses(&[8]), true, false),
        (uses(&[1, 9]), true, false),
        (uses(&[1]), false, true),
        (uses(&[2]), true, true),
        (uses(&[1, 4]), true, true),
        (any.to_vec(), true, true),
        // What says nothing, or cannot be read, allows nothing.
        (b"\x30\x00".to_vec(), true, false),
        (b"\x04\x00".to_vec(), true, false),
    ] {
        let mut shape = customs();
        shape.extensions.push(raw_extension("2.5.29.37", critical, &named));
        let signer = issue(&ca, &shape);
        for trust in [anchors(&[ca.der()]), Trust::Pinned(vec![signer.fingerprint()])] {
            let (_, kinds, text) = found(&signer, &context(trust));
            let expected: &[FindingKind] = if right { &[] } else { &[FindingKind::CertificateUsage] };
            assert_eq!(kinds, expected, "{named:02x?}, critical {critical}: {text}");
        }
    }
}

#[test]
fn a_signature_algorithm_named_in_two_ways_is_refused() {
    let ca = ca();
    let der = ca.issue(&customs(), &any_key()).unwrap();
    // ecdsa-with-SHA256 becomes ecdsa-with-SHA384 in the unsigned field alone.
    let oid = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    let last = der.windows(oid.len()).rposition(|w| w == oid).unwrap();
    assert_ne!(Some(last), der.windows(oid.len()).position(|w| w == oid), "it stands there twice");
    let mut changed = der.clone();
    changed[last + oid.len() - 1] = 3;
    untrusted(&read(&changed), anchors(&[ca.der()]), "named in two ways");
}

#[test]
fn time_usage_role_and_weak_keys_are_all_named_at_once() {
    let ca = ca();
    let expired = issue(&ca, &customs().expired(now()).for_encryption());
    let mut strict = context(anchors(&[ca.der()]));
    strict.role = Some(Role::Bank);
    let (trusted, kinds, text) = found(&expired, &strict);
    let expected = [FindingKind::CertificateExpired, FindingKind::CertificateUsage, FindingKind::RoleOther];
    assert_eq!(kinds, expected, "{text}");
    assert!(trusted, "trust is one question and validity another");
    assert!(kinds.iter().all(|k| k.severity() == Severity::Wrong));
    assert!(text.contains("expected bank, found none") && text.contains("since 2027-01-05"), "{text}");
    let early = found(&issue(&ca, &customs().not_yet_valid(now())), &context(anchors(&[ca.der()])));
    assert_eq!(early.1, [FindingKind::CertificateNotYetValid]);
    assert!(!text.contains("SYNTHETIC)"), "no holder's name: {text}");
}

#[test]
fn the_role_is_compared_only_where_one_is_expected() {
    let ca = ca();
    let id = crate::cert::hex(ca.key_id());
    let profile = Profile::parse(&format!("schema = 1\n[[customs.issuer]]\nauthority_key_id = \"{id}\"")).unwrap();
    let signer = issue(&ca, &customs());
    for (role, right) in [(None, true), (Some(Role::Customs), true), (Some(Role::Bank), false)] {
        let asked = VerifyContext { role, profile: Arc::new(profile.clone()), ..context(anchors(&[ca.der()])) };
        let (_, kinds, text) = found(&signer, &asked);
        assert_eq!(kinds.is_empty(), right, "{text}");
        assert!(right || text.contains("expected bank, found customs"), "{text}");
    }
}

#[test]
fn published_vectors_verify_when_pinned_and_have_no_role() {
    for file in ["synthetic_rsa_cert.pem", "synthetic_sm2_cert.pem"] {
        let signer = vector(file);
        let pinned = context(Trust::Pinned(vec![signer.fingerprint()]));
        assert_eq!((found(&signer, &pinned).0, found(&signer, &pinned).1), (true, vec![]), "{file}");
        let expected = VerifyContext { role: Some(Role::Customs), ..pinned };
        let (_, kinds, text) = found(&signer, &expected);
        assert_eq!(kinds, [FindingKind::CertificateUsage, FindingKind::RoleOther], "{text}");
        assert!(!text.contains("Test Operator"), "{text}");
    }
    let (rsa, sm2) = (vector("synthetic_rsa_cert.pem"), vector("synthetic_sm2_cert.pem"));
    untrusted(&rsa, Trust::Pinned(vec![sm2.fingerprint()]), "fingerprint");
    assert!(found(&rsa, &context(Trust::Anchors(vec![Arc::clone(&rsa)]))).0, "an anchor is trusted itself");
    // Same subject, same issuer, another key.
    untrusted(&rsa, Trust::Anchors(vec![sm2]), "");
    assert_eq!(found(&rsa, &context(Trust::None)).1, [FindingKind::TrustNotAsked]);
    assert!(!found(&rsa, &context(Trust::None)).0);
}

#[test]
#[cfg(all(feature = "rsa", feature = "sm"))]
fn rsa_and_sm2_issuers_signatures_are_checked() {
    // Both vectors are self-signed, so each is its own issuer: sha256WithRSA, and SM2-with-SM3 without parameters.
    for file in ["synthetic_rsa_cert.pem", "synthetic_sm2_cert.pem"] {
        let signer = vector(file);
        assert_eq!(signer.check_issued_by(&signer), Ok(()), "{file}");
        let mut damaged = signer.der().to_vec();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert!(read(&damaged).check_issued_by(&signer).is_err(), "{file}");
    }
}

#[path = "chain_tests.rs"]
mod chain_tests;
