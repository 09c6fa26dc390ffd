//! CMS with SM2. OpenSSL's `cms` knows no Z, so it is taken apart: its `asn1parse` finds the parts, its `dgst` judges signature and digest.

use shared_shield::format::cms::{self, CMS};
use shared_shield::format::{Format, SignContext};
use shared_shield::{
    CmsOptions, Content, DigestAlgorithm, FindingKind, Report, Result, Sm2Id, Suite, Verdict, VerifyContext,
};

use crate::desk::{DEFAULT, OTHER, changed, oid, openssl_judges, openssl_signs, other_id, sign, sm2, tlv, well};
use crate::kit::{Scratch, bank, judging, vector};

const ORDER: &[u8] = b"order 4711: pay 100.00 to Synthetic Trading Co";
const GM: (&str, &str) = ("1.2.156.10197.6.1.4.2.2", "1.2.156.10197.6.1.4.2.1");
const RFC: (&str, &str) = ("1.2.840.113549.1.7.2", "1.2.840.113549.1.7.1");
const SM3: &str = "1.2.156.10197.1.401";
const SM2_SM3: &str = "1.2.156.10197.1.501";

fn context() -> VerifyContext {
    VerifyContext { certificate: None, ..judging(&sm2()) }
}

fn verify(message: &[u8]) -> Result<Report> {
    CMS.verify(&Content::bytes(message), None, &context())
}

#[track_caller]
fn accepted(report: &Report) {
    assert_eq!(report.verdict(), Verdict::SignatureOnly, "{:?}", report.findings);
    assert_eq!(report.suite, Some(Suite::Sm2Sm3));
}

fn signed(options: CmsOptions, id: &Sm2Id) -> Vec<u8> {
    let context = SignContext { sm2_id: id.clone(), ..bank() };
    let prepared = options.format().prepare(&Content::bytes(ORDER), &sm2(), &context).unwrap();
    let (signature, mut out) = (sign(&prepared.tbs), Vec::new());
    assert!(prepared.tbs.message.is_some() && prepared.tbs.sm2_id.as_ref() == Some(id));
    prepared.finish(&signature, &mut out).unwrap();
    out
}

/// What `openssl asn1parse` says of a message: offset, header length, length, and the rest of the line.
fn parsed(message: &[u8]) -> Vec<(usize, usize, usize, String)> {
    let scratch = Scratch::new();
    let text = String::from_utf8(well(&["asn1parse", "-inform", "DER", "-in", &scratch.file("m", message)])).unwrap();
    let number = |text: &str| text.trim().parse::<usize>().unwrap();
    // Content that is text may have newlines in it.
    text.lines()
        .filter(|line| line.contains(":d="))
        .map(|line| {
            let (offset, rest) = line.split_once(":d=").unwrap();
            let (_, rest) = rest.split_once("hl=").unwrap();
            let (header, rest) = rest.split_once("l=").unwrap();
            let (length, rest) = rest.split_at(5);
            (number(offset), number(header), number(length), rest.trim().to_owned())
        })
        .collect()
}

/// The signed attributes as they are signed, where there are any, and the signature: the last OCTET STRING.
fn parts(message: &[u8]) -> (Option<Vec<u8>>, Vec<u8>) {
    let lines = parsed(message);
    let value = |line: &(usize, usize, usize, String)| message[line.0 + line.1..line.0 + line.1 + line.2].to_vec();
    let signature = value(lines.iter().rfind(|l| l.3.contains("OCTET STRING")).unwrap());
    let digest = lines.iter().position(|l| l.3.contains("pkcs7-signed") || l.3.contains(GM.0)).unwrap();
    let attributes = lines[digest..].iter().rfind(|l| l.3.contains("cons: cont [ 0 ]"));
    let is_set =
        |line: &&(usize, usize, usize, String)| value(line).windows(9).any(|w| w == &oid("1.2.840.113549.1.9.4")[2..]);
    (attributes.filter(is_set).map(|line| tlv(0x31, &[&value(line)])), signature)
}

#[test]
fn a_message_with_signed_attributes_is_that_of_gm_t_0010_and_openssl_takes_its_parts() {
    for (name, id) in [(DEFAULT, Sm2Id::default()), (OTHER, other_id())] {
        for options in [CmsOptions::attached(), CmsOptions::detached()] {
            let message = signed(options, &id);
            let (attributes, signature) = parts(&message);
            let attributes = attributes.unwrap();
            assert!(openssl_judges(&attributes, &signature, name));
            // The message digest is plain SM3 of the document, by OpenSSL's word; the content type is GM/T 0010's data.
            let scratch = Scratch::new();
            let digest = well(&["dgst", "-sm3", "-binary", &scratch.file("order", ORDER)]);
            let attribute = |kind: &str, value: &[u8]| tlv(0x30, &[&oid(kind), &tlv(0x31, &[value])]);
            for part in [
                attribute("1.2.840.113549.1.9.4", &tlv(0x04, &[&digest])),
                attribute("1.2.840.113549.1.9.3", &oid(GM.1)),
            ] {
                assert!(attributes.windows(part.len()).any(|w| w == part), "{part:x?}");
            }
            // The certificate is named by its SM3.
            let named = tlv(0x04, &[&well(&["dgst", "-sm3", "-binary", &scratch.file("der", sm2().der())])]);
            let named = [tlv(0x30, &[&oid(SM3)]), named].concat();
            assert!(attributes.windows(named.len()).any(|w| w == named));
            assert!(message.windows(12).any(|w| w == &tlv(0x30, &[&oid(SM2_SM3)])[..]), "no parameters");

            let given = VerifyContext { sm2_id: id.clone(), ..context() };
            let outside = options == CmsOptions::detached();
            let report = match outside {
                true => CMS.verify(&Content::bytes(ORDER), Some(&message), &given).unwrap(),
                false => CMS.verify(&Content::bytes(message.clone()), None, &given).unwrap(),
            };
            accepted(&report);
            assert!(!report.has(FindingKind::VersionOther) && report.has(FindingKind::SigningTime));
            assert!(!report.has(FindingKind::SigningCertificateAbsent), "{:?}", report.findings);
        }
    }
}

#[test]
fn a_message_without_signed_attributes_is_signed_over_the_document() {
    let message = signed(CmsOptions::attached().without_attributes(), &Sm2Id::default());
    let (attributes, signature) = parts(&message);
    assert_eq!(attributes, None);
    assert!(openssl_judges(ORDER, &signature, DEFAULT));
    let lines: Vec<String> = parsed(&message).into_iter().map(|l| l.3).collect();
    for part in [GM.0, GM.1, "sm3", "SM2-with-SM3", "INTEGER           :01"] {
        assert!(lines.iter().any(|l| l.contains(part)), "{part}: {lines:#?}");
    }
    let report = verify(&message).unwrap();
    accepted(&report);
    assert!(report.has(FindingKind::NoAttributes));
    let mut out = Vec::new();
    cms::content(&Content::bytes(message), &mut out).unwrap();
    assert_eq!(out, ORDER);
    let pem = signed(CmsOptions::detached().pem(), &Sm2Id::default());
    accepted(&CMS.verify(&Content::bytes(ORDER), Some(&pem), &context()).unwrap());
}

#[test]
fn one_octet_changed_anywhere_in_an_sm2_message_is_never_right() {
    for options in [CmsOptions::attached(), CmsOptions::attached().without_attributes()] {
        let message = signed(options, &Sm2Id::default());
        // The content type and the identifiers of algorithms outside of the signed attributes are signed by nobody (RFC 5652 §5.4): another
        // known one in their place is told apart by what it names.
        let places = (0..message.len()).step_by(3).chain(message.len() - 80..message.len());
        let mut judged = 0;
        for place in places {
            let Ok(report) = verify(&changed(&message, place)) else { continue };
            judged += 1;
            let unsigned = report.has(FindingKind::VersionOther) || report.has(FindingKind::ContentTypeOther);
            let same = report.verdict() == Verdict::SignatureOnly && !unsigned;
            assert!(!same || !within_signed(&message, place), "octet {place}: {:?}", report.findings);
        }
        assert!(judged > 100, "{judged} could be read: too few to prove something");
    }
}

/// Whether an octet is of the document, the signed attributes, or the signature.
fn within_signed(message: &[u8], place: usize) -> bool {
    let (attributes, signature) = parts(message);
    let found = |part: &[u8]| {
        let start = message.windows(part.len()).rposition(|w| w == part).unwrap();
        (start..start + part.len()).contains(&place)
    };
    found(ORDER) || found(&signature) || attributes.is_some_and(|a| found(&a[4..]))
}

/// A message by hand, signed by OpenSSL.
struct Made {
    family: (&'static str, &'static str),
    digest: &'static str,
    signature: &'static str,
    attributes: bool,
    null: bool,
}

impl Made {
    const RIGHT: Made = Made { family: GM, digest: SM3, signature: SM2_SM3, attributes: true, null: false };

    fn attributes(&self) -> Vec<u8> {
        let digest = DigestAlgorithm::Sm3.of(ORDER).unwrap();
        let attribute = |kind: &str, value: &[u8]| tlv(0x30, &[&oid(kind), &tlv(0x31, &[value])]);
        let mut all = [
            attribute("1.2.840.113549.1.9.3", &oid(self.family.1)),
            attribute("1.2.840.113549.1.9.4", &tlv(0x04, &[digest.octets()])),
        ];
        all.sort();
        all.concat()
    }

    fn content_info(&self) -> Vec<u8> {
        tlv(0x30, &[&oid(self.family.1), &tlv(0xA0, &[&tlv(0x04, &[ORDER])])])
    }

    fn with(&self, signature: &[u8]) -> Vec<u8> {
        use der::{Decode, Encode};
        let inner = x509_cert::Certificate::from_der(sm2().der()).unwrap();
        let tbs = inner.tbs_certificate();
        let sid = tlv(0x30, &[&tbs.issuer().to_der().unwrap(), &tbs.serial_number().to_der().unwrap()]);
        let null: &[u8] = if self.null { &[5, 0] } else { &[] };
        let digest = tlv(0x30, &[&oid(self.digest), null]);
        let algorithm = tlv(0x30, &[&oid(self.signature), null]);
        let attributes = if self.attributes { tlv(0xA0, &[&self.attributes()]) } else { Vec::new() };
        let signer = tlv(0x30, &[&[2, 1, 1], &sid, &digest, &attributes, &algorithm, &tlv(0x04, &[signature])]);
        let certificates = tlv(0xA0, &[sm2().der()]);
        let set = tlv(0x31, &[&digest]);
        let data = tlv(0x30, &[&[2, 1, 1], &set, &self.content_info(), &certificates, &tlv(0x31, &[&signer])]);
        tlv(0x30, &[&oid(self.family.0), &tlv(0xA0, &[&data])])
    }

    fn message(&self) -> Vec<u8> {
        let signed = if self.attributes { tlv(0x31, &[&self.attributes()]) } else { ORDER.to_vec() };
        self.with(&openssl_signs(&signed, DEFAULT))
    }
}

#[test]
fn messages_of_others_are_read_in_both_families_with_old_and_new_identifiers() {
    for family in [GM, RFC, (GM.0, RFC.1), (RFC.0, GM.1)] {
        for (digest, signature) in [(SM3, SM2_SM3), (SM3, "1.2.156.10197.1.301.1"), ("1.2.156.10197.1.401.1", SM2_SM3)]
        {
            for (attributes, null) in [(true, false), (false, true)] {
                let made = Made { family, digest, signature, attributes, null };
                let report = verify(&made.message()).unwrap();
                accepted(&report);
                assert!(!report.has(FindingKind::VersionOther), "{family:?}");
            }
        }
    }
    let mixed = Made { digest: "2.16.840.1.101.3.4.2.1", ..Made::RIGHT };
    assert!(verify(&mixed.message()).unwrap().has(FindingKind::IdentifiersMixed));
    let rsa = Made { signature: "1.2.840.113549.1.1.1", ..Made::RIGHT };
    assert!(verify(&rsa.message()).unwrap().has(FindingKind::IdentifiersMixed));
    let curve = Made { signature: "1.2.156.10197.1.301", ..Made::RIGHT };
    assert!(verify(&curve.message()).unwrap().has(FindingKind::IdentifierUnknown));
    let enveloped = Made { family: ("1.2.156.10197.6.1.4.2.3", GM.1), ..Made::RIGHT };
    let error = verify(&enveloped.message()).unwrap_err();
    assert!(error.to_string().contains("SM2 EnvelopedData"), "{error}");
    // The content type that is signed is not the one that is there.
    let lying = Made { family: (GM.0, RFC.1), ..Made::RIGHT };
    let signature = openssl_signs(&tlv(0x31, &[&Made::RIGHT.attributes()]), DEFAULT);
    let other = lying.with(&signature);
    assert!(verify(&other).unwrap().has(FindingKind::SignatureWrong));
}

#[test]
fn the_vectors_messages_verify_and_no_changed_copy_does() {
    let (order, detached) = (vector("synthetic_order.txt"), vector("synthetic_cms_detached_sm2.p7s"));
    let attached = vector("synthetic_cms_attached_sm2.p7m");
    let report = verify(&attached).unwrap();
    accepted(&report);
    assert!(report.has(FindingKind::SigningTime) && report.has(FindingKind::SigningCertificateAbsent));
    assert!(!report.has(FindingKind::NotDer) && !report.has(FindingKind::VersionOther), "{:?}", report.findings);
    let beside = |order: &[u8], message: &[u8]| CMS.verify(&Content::bytes(order), Some(message), &context()).unwrap();
    accepted(&beside(&order, &detached));
    assert!(beside(&changed(&order, 7), &detached).has(FindingKind::SignatureWrong));
    let in_order = attached.windows(order.len()).position(|w| w == order).unwrap();
    assert!(verify(&changed(&attached, in_order)).unwrap().has(FindingKind::DigestWrong));
    let (attributes, signature) = parts(&attached);
    assert!(openssl_judges(&attributes.unwrap(), &signature, DEFAULT));
    assert!(openssl_judges(&order, &parts(&detached).1, DEFAULT));
}

#[test]
fn how_a_wrong_sm2_signature_was_hashed_is_named() {
    let key = sm2();
    let z = |id: &str| key.key().unwrap().z(id).unwrap().octets().to_vec();
    let bare = Made { attributes: false, ..Made::RIGHT };
    let hashed = |parts: &[&[u8]]| {
        let digest = DigestAlgorithm::Sm3.of(&parts.concat()).unwrap();
        crate::kit::sm2_sign(digest.octets()).to_wire().unwrap()
    };
    let set = tlv(0x31, &[&bare.attributes()]);
    let cases = [
        (false, hashed(&[&bare.content_info()]), FindingKind::OtherHash, "GmSSL 3"),
        (false, hashed(&[ORDER]), FindingKind::Sm2WithoutZ, "SM3 without Z"),
        (false, hashed(&[&z(""), ORDER]), FindingKind::Sm2EmptyId, "empty identifier"),
        (true, hashed(&[&set]), FindingKind::Sm2WithoutZ, "SM3 without Z"),
        (true, hashed(&[&z(""), &set]), FindingKind::Sm2EmptyId, "empty identifier"),
    ];
    for (attributes, signature, kind, words) in cases {
        let report = verify(&Made { attributes, ..Made::RIGHT }.with(&signature)).unwrap();
        let said = report.findings.iter().find(|f| f.kind == kind).map(ToString::to_string);
        assert!(said.is_some_and(|s| s.contains(words)), "{words}: {:?}", report.findings);
        assert!(!report.has(FindingKind::NoKnownReason), "{words}: {:?}", report.findings);
        assert!(report.has(FindingKind::SignatureWrong) && report.verdict() == Verdict::Invalid);
    }
    // Signed under the default identifier where another was agreed.
    let other = VerifyContext { sm2_id: other_id(), ..context() };
    for attributes in [true, false] {
        let message = Made { attributes, ..Made::RIGHT }.message();
        let report = CMS.verify(&Content::bytes(message), None, &other).unwrap();
        let said = report.findings.iter().find(|f| f.kind == FindingKind::OtherHash).map(ToString::to_string);
        assert!(said.as_ref().is_some_and(|s| s.contains("default identifier")), "{:?}", report.findings);
        // What was agreed may be a mail address.
        assert!(said.is_some_and(|s| s.contains("the agreed identifier") && !s.contains(OTHER)));
    }
    // r and s side by side are no DER.
    let raw = sign(&shared_shield::ToBeSigned::over(Suite::Sm2Sm3, key.key().unwrap(), &set).unwrap());
    let report = verify(&Made::RIGHT.with(raw.octets())).unwrap();
    assert!(report.has(FindingKind::RawForDer) && report.verdict() == Verdict::Invalid, "{:?}", report.findings);
    let report = verify(&Made::RIGHT.with(&hashed(&[b"something else"]))).unwrap();
    assert!(report.has(FindingKind::SignatureWrong) && report.has(FindingKind::NoKnownReason), "{:?}", report.findings);
    assert!(!report.has(FindingKind::OtherHash));
}
