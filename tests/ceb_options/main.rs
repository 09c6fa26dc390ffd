//! Customs messages with more to say: who declares, which identifiers, a signature in place of another, every way of writing XML.
#![cfg(all(feature = "xml", feature = "rsa", feature = "sm"))]

#[path = "../support/ceb_kit.rs"]
mod ceb_kit;
#[path = "../../examples/shield/test_ca.rs"]
mod test_ca;

mod declarant;
mod writing;

use std::time::SystemTime;

use ceb_kit::{Signer, customs, have, replace, sample, vector};
use shared_shield::format::{Format, SignContext, xmldsig};
use shared_shield::{CebOptions, Content, Error, ErrorKind, FindingKind, IdentifierSet, Note, Profile, Result, Suite};
use test_ca::{Holder, Shape, TestCa};

const RSA: &[&str] = &["rsa:2048"];
const P256: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// A key whose certificate has the e-port's fields.
fn eport(algorithm: &[&str], holder: &Holder) -> Signer {
    Signer::issued(algorithm, |spki| {
        let ca = TestCa::eport(SystemTime::now()).unwrap();
        let der = ca.issue(&Shape::customs(holder, 1, SystemTime::now()), spki).unwrap();
        (der, test_ca::pem(ca.der()).unwrap())
    })
}

fn prepared(
    signer: &Signer,
    options: CebOptions,
    document: &[u8],
    context: &SignContext,
) -> Result<(Suite, Vec<Note>)> {
    let prepared = options.format().prepare(&Content::bytes(document), &signer.certificate, context)?;
    Ok((prepared.tbs.suite, prepared.notes))
}

fn refusal(signer: &Signer, options: CebOptions, document: &[u8]) -> Error {
    prepared(signer, options, document, &customs(true)).unwrap_err()
}

#[test]
fn identifier_sets_are_chosen_by_request_or_profile_and_only_where_they_fit() {
    let rsa = Signer::vectors("rsa");
    let sm2 = Signer::vectors("sm2");
    let d = sample("CEB621.xml");
    let with = |set| CebOptions::default().identifiers(set);
    let profile = SignContext { identifiers: Some(IdentifierSet::Legacy2018Sha256), ..customs(false) };
    let plain = customs(false);
    use IdentifierSet as I;
    for (signer, options, context, suite) in [
        (&rsa, CebOptions::default(), &plain, Suite::RsaSha1),
        (&rsa, CebOptions::default(), &profile, Suite::RsaSha256),
        (&rsa, with(I::OfficialRsaSha1), &profile, Suite::RsaSha1),
        (&rsa, with(I::Legacy2018Sha256), &plain, Suite::RsaSha256),
        (&sm2, with(I::Official2022), &plain, Suite::Sm2Sm3),
        // The profile's set is for RSA keys; an SM2 key has its own.
        (&sm2, CebOptions::default(), &profile, Suite::Sm2Sm3),
    ] {
        let (made, notes) = prepared(signer, options, &d, context).unwrap();
        assert_eq!(made, suite, "{options:?}");
        assert_eq!(notes.contains(&Note::IdentifiersInferred), suite == Suite::RsaSha256, "{notes:?}");
        assert!(!notes.contains(&Note::TestProfile), "{notes:?}");
    }
    let kind = |signer, set, context: &SignContext| prepared(signer, with(set), &d, context).unwrap_err().kind();
    for set in [I::Official2022, I::MixedSm2Sha1] {
        assert_eq!(kind(&rsa, set, &plain), ErrorKind::IdentifiersUnsuited);
    }
    for set in [I::OfficialRsaSha1, I::Legacy2018Sha256, I::MixedSm2Sha1] {
        assert_eq!(kind(&sm2, set, &plain), ErrorKind::IdentifiersUnsuited);
    }
    let old = Signer::rsa("1024");
    assert_eq!(kind(&old, I::Legacy2018Sha256, &plain), ErrorKind::IdentifiersUnsuited, "RSA-1024 has SHA-1 alone");
    let strict = SignContext { sha1: false, ..customs(false) };
    assert_eq!(kind(&rsa, I::OfficialRsaSha1, &strict), ErrorKind::UnsupportedByCustoms);
    let poor = SignContext { suites: vec![Suite::RsaSha1], ..customs(false) };
    assert_eq!(kind(&rsa, I::Legacy2018Sha256, &poor), ErrorKind::KeyUnsuited);
}

#[test]
fn identifier_sets_are_known_by_name_in_profiles_and_in_documents() {
    let text = |name: &str| format!("schema = 1\n[customs]\nidentifiers = \"{name}\"");
    for set in IdentifierSet::ALL {
        assert_eq!(IdentifierSet::parse(set.name()), Some(set));
        let profile = Profile::parse(&text(set.name()));
        if set == IdentifierSet::MixedSm2Sha1 {
            let error = profile.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ProfileMalformed);
            assert!(error.to_string().contains("line 3") && error.to_string().contains("reading"), "{error}");
        } else {
            assert_eq!(profile.unwrap().identifiers(), Some(set));
        }
    }
    let unknown = Profile::parse(&text("official-2018")).unwrap_err().to_string();
    assert!(unknown.contains("line 3") && unknown.contains("legacy-2018-sha256"), "{unknown}");
    assert_eq!(Profile::builtin().identifiers(), None);
    let of = |document: &[u8]| xmldsig::identifier_set(document).unwrap();
    assert_eq!(of(&vector("synthetic_CEB311_rsa.xml")), Some(IdentifierSet::OfficialRsaSha1));
    let sm2 = vector("synthetic_CEB311_sm2.xml");
    assert_eq!(of(&sm2), Some(IdentifierSet::Official2022));
    assert_eq!(of(&sample("CEB621.xml")), None);
    let unofficial = replace(
        &sm2,
        "http://www.chinaport.gov.cn/2022/04/xmldsig#sm2-sm3",
        "http://www.w3.org/2000/09/xmldsig#sm2-sm3",
    );
    assert_eq!(of(&unofficial), None, "its digest is another");
    let mixed = replace(
        &unofficial,
        "http://www.chinaport.gov.cn/2022/04/xmldsig#sm3",
        "http://www.w3.org/2000/09/xmldsig#sha1",
    );
    assert_eq!(of(&mixed), Some(IdentifierSet::MixedSm2Sha1));
}

#[test]
fn form_fields_are_signed_one_after_the_other_and_shown_apart() {
    use shared_shield::Request;
    use shared_shield::format::ems::{EMS, Field, MAX_FIELDS, signing_text};
    let fields = |pairs: &[(&'static str, &'static str)]| -> Vec<Field<'static>> {
        pairs.iter().map(|(name, value)| Field { name, value }).collect()
    };
    let one = fields(&[("a", "12"), ("b", ""), ("c", "3 件")]);
    assert_eq!(signing_text(&one).unwrap(), "123 件");
    assert_eq!(signing_text(&fields(&[("x", "1"), ("y", "23 件")])).unwrap(), "123 件", "the boundary is not signed");
    assert_eq!(Request::ems(&one).unwrap().format(), "ems");
    for (bad, kind) in [
        (fields(&[]), ErrorKind::FormEmpty),
        (fields(&[("a", ""), ("b", "")]), ErrorKind::FormEmpty),
        (fields(&[("a", "1\u{202e}2")]), ErrorKind::FormField),
        (fields(&vec![("a", "1"); MAX_FIELDS + 1]), ErrorKind::FormField),
        (fields(&[("a", "<ds:"), ("b", "SignedInfo>")]), ErrorKind::DocumentAmbiguous),
        (fields(&[("a", "\"session"), ("b", "ID\":\"1\"||")]), ErrorKind::DocumentAmbiguous),
    ] {
        assert_eq!(Request::ems(&bad).unwrap_err().kind(), kind, "{bad:?}");
    }
    // The longest form that there is can still be shown.
    let long = "字".repeat(85);
    let most: Vec<Field<'_>> = (0..MAX_FIELDS).map(|_| Field { name: &long, value: &long }).collect();
    Request::ems(&most).unwrap();
    let sm2 = Signer::vectors("sm2");
    if !have("EMS with SM2", &["openssl"]) {
        return;
    }
    let value = sm2.sign_as(&EMS, "123 件".as_bytes(), &customs(false)).unwrap();
    assert_eq!(value.len(), 88, "r and s in base64");
    let context = shared_shield::VerifyContext {
        certificate: Some(sm2.certificate.clone()),
        ..ceb_kit::context(ceb_kit::vectors_time())
    };
    let judge = |text: &str| EMS.verify(&Content::bytes(text), Some(&value), &context).unwrap();
    assert!(judge("123 件").has(FindingKind::SignatureRight));
    let wrong = judge("123 件\n");
    assert!(wrong.has(FindingKind::SignatureWrong) && wrong.has(FindingKind::NoKnownReason), "{:?}", wrong.findings);
}

#[test]
fn a_digest_alone_that_another_card_signed_names_the_other_card() {
    use shared_shield::format::digest::DIGEST_ALONE;
    use shared_shield::{DigestAlgorithm, Trust, VerifyContext};
    if !have("a digest alone", &["openssl"]) {
        return;
    }
    let [own, other] = [Signer::vectors("rsa"), Signer::rsa("2048")];
    let (document, out) = (other.folder.write("order", b"order"), other.folder.0.join("order.sig"));
    let [key, document, out] = [&other.key, &document, &out].map(|path| path.to_str().unwrap());
    ceb_kit::run_well("openssl", &["dgst", "-sha1", "-sign", key, "-out", out, document]);
    let value = std::fs::read(out).unwrap();
    let judge = |octets: &[u8], trust| {
        let digest = DigestAlgorithm::Sha1.of(octets).unwrap();
        let context = ceb_kit::context(ceb_kit::vectors_time());
        let context = VerifyContext { certificate: Some(own.certificate.clone()), trust, ..context };
        DIGEST_ALONE.verify(&Content::Digest(digest.into()), Some(&value), &context).unwrap()
    };
    let both = || Trust::Anchors(vec![other.certificate.clone()]);
    assert!(judge(b"order", both()).has(FindingKind::KeyNotSigner));
    let unknown = judge(b"other", both());
    assert!(unknown.has(FindingKind::SignatureWrong) && unknown.has(FindingKind::NoKnownReason));
    assert!(!unknown.has(FindingKind::KeyNotSigner));
}
