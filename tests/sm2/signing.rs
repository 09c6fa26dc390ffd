//! Signatures alone, and the documents of customs.

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use shared_shield::format::ceb::CEB;
use shared_shield::format::login::SIGNATURE_OUT;
use shared_shield::format::payment179::VALUE_OUT;
use shared_shield::format::raw::RAW;
use shared_shield::format::{Format, SignContext};
use shared_shield::{Content, ErrorKind, FindingKind, Role, Sm2Id, Suite, VerifyContext, policy};

use crate::desk::{DEFAULT, OTHER, openssl_judges, openssl_signs, other_id, sign, sm2};
use crate::kit::{bank, certificate, customs, judging, reasons, vector};

const ORDER: &[u8] = b"order 4711: pay 100.00 to Synthetic Trading Co";

#[test]
fn a_raw_signature_verifies_in_openssl_under_its_own_identifier_alone() {
    for (name, id) in [(DEFAULT, Sm2Id::default()), (OTHER, other_id())] {
        let context = SignContext { sm2_id: id.clone(), ..bank() };
        let prepared = RAW.prepare(&Content::bytes(ORDER), &sm2(), &context).unwrap();
        let tbs = prepared.tbs.clone();
        assert_eq!((tbs.suite, tbs.sm2_id.as_ref()), (Suite::Sm2Sm3, Some(&id)));
        assert_eq!(tbs.message.as_deref(), Some(ORDER), "for a token that hashes by itself");
        let mut out = Vec::new();
        prepared.finish(&sign(&tbs), &mut out).unwrap();
        assert!(openssl_judges(ORDER, &out, name));

        let judge = |signature: &[u8], sm2_id: &Sm2Id| {
            let context = VerifyContext { sm2_id: sm2_id.clone(), ..judging(&sm2()) };
            reasons(&RAW.verify(&Content::bytes(ORDER), Some(signature), &context).unwrap())
        };
        // The default identifier is tried by itself; what else was agreed, nobody can know.
        let told: &[FindingKind] = if id.is_default() {
            &[FindingKind::SignatureWrong, FindingKind::OtherHash]
        } else {
            &[FindingKind::SignatureWrong]
        };
        for signature in [out, openssl_signs(ORDER, name)] {
            assert_eq!(judge(&signature, &id), []);
            assert_eq!(judge(&signature, &Sm2Id::new("another").unwrap()), told);
        }
    }
}

#[test]
fn a_large_document_is_hashed_and_not_held() {
    let most = vec![0x20; policy::MESSAGE_MAX];
    let prepare = |document: &[u8]| RAW.prepare(&Content::bytes(document), &sm2(), &bank()).unwrap().tbs;
    assert_eq!(prepare(&most).message.as_deref(), Some(&most[..]));
    let more = [&most[..], b"x"].concat();
    let tbs = prepare(&more);
    assert_eq!(tbs.message, None);
    assert!(openssl_judges(&more, &sign(&tbs).to_wire().unwrap(), DEFAULT));
    // Whoever hashed elsewhere gave e, and nobody knows what is in it.
    let given = RAW.prepare(&Content::Digest(Arc::new(tbs.digest.clone())), &sm2(), &bank()).unwrap().tbs;
    assert_eq!((given.digest, given.message, given.sm2_id), (tbs.digest, None, None));
}

#[test]
fn customs_has_one_identifier_and_a_login_at_the_bank_any() {
    let (ceb, payment) = (vector("synthetic_CEB311_sm2.xml"), vector("synthetic_179_string.txt"));
    let text = String::from_utf8(ceb.clone()).unwrap();
    let (before, rest) = text.split_once("<ds:Signature ").unwrap();
    let unsigned = [before, rest.split_once("</ds:Signature>").unwrap().1].concat();
    let (challenge, signature) = (vec![7; 32], vector("synthetic_179_sig_sm2.b64"));
    let formats: [(&dyn Format, &[u8], &[u8]); 3] =
        [(&CEB, unsigned.as_bytes(), &ceb), (&VALUE_OUT, &payment, &payment), (&SIGNATURE_OUT, &challenge, &challenge)];
    for (format, document, signed) in formats {
        let signature = Some(&signature[..]).filter(|_| format.name() != "ceb");
        // Whatever the key and the profile: an identifier that is named would not be used.
        for by in ["synthetic_sm2_cert.pem", "synthetic_rsa_cert.pem"] {
            for test in [false, true] {
                let context = SignContext { sm2_id: other_id(), test, ..customs() };
                let error = format.prepare(&Content::bytes(document), &certificate(by), &context).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::UnsupportedByCustoms, "{}", format.name());
                assert!(error.to_string().contains(DEFAULT) && !error.to_string().contains(OTHER), "{error}");
                format
                    .prepare(&Content::bytes(document), &certificate(by), &SignContext { test, ..customs() })
                    .unwrap();
            }
        }
        let role = Some(Role::Customs);
        let context = VerifyContext { sm2_id: other_id(), role, ..judging(&sm2()) };
        let error = format.verify(&Content::bytes(signed), signature, &context).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedByCustoms, "{}", format.name());
        let context = VerifyContext { role, ..judging(&sm2()) };
        format.verify(&Content::bytes(signed), signature, &context).unwrap();
    }

    // The bank's login, under an agreed identifier.
    let content = Content::bytes(challenge.clone());
    let prepared = SIGNATURE_OUT.prepare(&content, &sm2(), &SignContext { sm2_id: other_id(), ..bank() }).unwrap();
    let (signature, mut out) = (sign(&prepared.tbs), Vec::new());
    prepared.finish(&signature, &mut out).unwrap();
    let der = Base64::decode_vec(std::str::from_utf8(&out).unwrap()).unwrap();
    assert!(openssl_judges(&challenge, &der, OTHER));
    let judge = |sm2_id| {
        let context = VerifyContext { sm2_id, role: Some(Role::Bank), ..judging(&sm2()) };
        SIGNATURE_OUT.verify(&content, Some(&out), &context).unwrap()
    };
    assert_eq!(reasons(&judge(other_id())), []);
    assert_eq!(reasons(&judge(Sm2Id::default())), [FindingKind::SignatureWrong]);
    // The signer forgot what was agreed: the report says which identifier was used.
    let forgot = SIGNATURE_OUT.prepare(&content, &sm2(), &bank()).unwrap();
    let value = sign(&forgot.tbs).to_wire().unwrap();
    let context = VerifyContext { sm2_id: other_id(), role: Some(Role::Bank), ..judging(&sm2()) };
    let report = SIGNATURE_OUT.verify(&content, Some(&value), &context).unwrap();
    assert_eq!(reasons(&report), [FindingKind::SignatureWrong, FindingKind::OtherHash]);
    assert!(report.findings.iter().any(|f| f.to_string().contains("default identifier")), "{:?}", report.findings);
}

#[test]
fn a_login_as_customs_is_r_and_s_and_as_the_bank_der() {
    let challenge = vec![9; 32];
    for (context, der) in [(customs(), false), (bank(), true)] {
        let prepared = SIGNATURE_OUT.prepare(&Content::bytes(challenge.clone()), &sm2(), &context).unwrap();
        assert_eq!(prepared.tbs.message.as_deref(), Some(&challenge[..]));
        let (signature, mut out) = (sign(&prepared.tbs), Vec::new());
        prepared.finish(&signature, &mut out).unwrap();
        let octets = Base64::decode_vec(std::str::from_utf8(&out).unwrap()).unwrap();
        let wire = signature.to_wire().unwrap();
        assert_eq!(octets, if der { wire.clone() } else { signature.octets().to_vec() });
        assert!(openssl_judges(&challenge, &wire, DEFAULT));
        let context = VerifyContext { role: Some(context.role), ..judging(&sm2()) };
        let report = SIGNATURE_OUT.verify(&Content::bytes(challenge.clone()), Some(&out), &context).unwrap();
        assert_eq!((reasons(&report), report.suite), (vec![], Some(Suite::Sm2Sm3)));
    }
}
