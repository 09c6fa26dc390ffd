//! A payment, from the text that a person sees to what the bank's side verifies.

#[path = "support/desk.rs"]
mod desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

use desk::{BANK_PIN, Keys, Typist};
use shared_shield::format::Format;
use shared_shield::format::cms::CMS;
use shared_shield::{
    Certificate, CmsOptions, Content, Declined, DigestAlgorithm, ErrorKind, FindingKind, PinEntry, PinQuestion,
    RawSignature, Request, Role, Shield, Suite, Trust, Unlock, Verdict, VerifyContext, Wait,
};
use softhsm::SoftHsm;

const ORDER: &[u8] = "付款 合成贸易有限公司 1234.50".as_bytes();
const TEXT: &str = "付款给：合成贸易有限公司\n金额：\t1,234.50 元";

fn shield(hsm: &SoftHsm, keys: Keys) -> Shield {
    desk::make(hsm, keys);
    desk::shield(hsm, Path::new(softhsm::MODULE))
}

fn run(hsm: &SoftHsm, arguments: &[&str]) -> bool {
    Command::new("openssl").args(arguments).current_dir(hsm.dir()).output().expect("openssl").status.success()
}

/// `openssl cms -verify`, with the bank's issuer as anchor.
fn openssl_accepts(hsm: &SoftHsm, message: &[u8]) -> bool {
    let put = |name: &str, octets: &[u8]| std::fs::write(hsm.dir().join(name), octets).unwrap();
    put("issuer.der", &softhsm::authority("CN=Story bank CA"));
    put("payment.p7m", message);
    assert!(run(hsm, &["x509", "-inform", "DER", "-in", "issuer.der", "-out", "issuer.pem"]));
    let verify = ["cms", "-verify", "-cades", "-binary", "-inform", "DER", "-CAfile", "issuer.pem", "-out", "order"];
    let accepted = run(hsm, &[&verify[..], &["-in", "payment.p7m"]].concat());
    if accepted {
        assert_eq!(std::fs::read(hsm.dir().join("order")).unwrap(), ORDER);
    }
    accepted
}

fn pays(hsm: &SoftHsm, keys: Keys, suite: Suite) {
    let shield = shield(hsm, keys);
    let mut seen = Vec::new();
    let mut prompt = |q: &PinQuestion<'_>| {
        seen.push((q.role, q.summary.text.clone()));
        q.pin(BANK_PIN.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
    };
    let mut message = Vec::new();
    let request = Request::payment(Content::bytes(ORDER)).shown(TEXT);
    let receipt = shield.sign(request, &mut prompt, &Wait::default(), &mut message).unwrap();
    assert_eq!(seen, [(Role::Bank, TEXT.to_owned())], "the person saw the text, once");
    assert_eq!(receipt.shown, DigestAlgorithm::Sha256.of(TEXT.as_bytes()).unwrap());
    assert_eq!((receipt.role, receipt.format, receipt.suite), (Role::Bank, "cms", suite));

    assert!(openssl_accepts(hsm, &message));
    let mut changed = message.clone();
    let place = message.windows(ORDER.len()).position(|w| w == ORDER).unwrap();
    changed[place] ^= 0x01;
    assert!(!openssl_accepts(hsm, &changed));

    let anchor = Arc::new(Certificate::from_der(&softhsm::authority("CN=Story bank CA")).unwrap());
    let judge = |message: &[u8], role, anchor: &Arc<Certificate>| {
        let context = VerifyContext {
            trust: Trust::Anchors(vec![Arc::clone(anchor)]),
            role: Some(role),
            profile: Arc::clone(shield.profile()),
            at: SystemTime::now(),
            certificate: None,
            sm2_id: shared_shield::Sm2Id::default(),
        };
        CMS.verify(&Content::bytes(message), None, &context).unwrap()
    };
    let report = judge(&message, Role::Bank, &anchor);
    assert_eq!(report.verdict(), Verdict::Valid, "{:?}", report.findings);
    assert!(judge(&changed, Role::Bank, &anchor).has(FindingKind::DigestWrong));
    assert!(judge(&message, Role::Customs, &anchor).has(FindingKind::RoleOther));
    let other = Arc::new(Certificate::from_der(&softhsm::authority("CN=Story customs CA")).unwrap());
    let untrusted = judge(&message, Role::Bank, &other);
    assert!(untrusted.has(FindingKind::CertificateUntrusted) && untrusted.verdict() == Verdict::Invalid);
}

#[test]
fn a_payment_signed_on_the_token_with_p256_is_accepted_by_openssl() {
    softhsm::story("a_payment_signed_on_the_token_with_p256_is_accepted_by_openssl", |hsm| {
        pays(hsm, Keys::P256, Suite::P256Sha256);
    });
}

#[test]
fn a_payment_signed_on_the_token_with_rsa_is_accepted_by_openssl() {
    softhsm::story("a_payment_signed_on_the_token_with_rsa_is_accepted_by_openssl", |hsm| {
        pays(hsm, Keys::Rsa(2048), Suite::RsaSha256);
    });
}

#[test]
fn a_text_with_hidden_characters_is_refused_before_anybody_is_asked() {
    softhsm::story("a_text_with_hidden_characters_is_refused_before_anybody_is_asked", |hsm| {
        let shield = shield(hsm, Keys::P256);
        let mut typist = Typist::right();
        for text in ["pay 1\u{202e}0", "pay\u{200b}", "pay\u{8}", "pay\r", " "] {
            let (request, mut out) = (Request::payment(Content::bytes(ORDER)).shown(text), Vec::new());
            let refused = shield.sign(request.clone(), &mut typist, &Wait::default(), &mut out).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::DisplayText, "{text:?}: {refused}");
            assert_eq!(refused.concerns(), Some(Role::Bank));
            assert_eq!(shield.prepare(request).unwrap_err().kind(), ErrorKind::DisplayText);
            let unlock = Unlock::of(Role::Bank).shown(text);
            let refused = shield.unlock(unlock, &mut typist, &Wait::default()).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::DisplayText);
            assert!(out.is_empty());
        }
        assert_eq!(typist.asked, 0);
    });
}

#[test]
fn one_bank_pin_signs_one_payment() {
    softhsm::story("one_bank_pin_signs_one_payment", |hsm| {
        let shield = shield(hsm, Keys::P256);
        let mut typist = Typist::right();
        let pay = || Request::payment(Content::bytes(ORDER));
        let session = shield.unlock(Unlock::of(Role::Bank), &mut typist, &Wait::default()).unwrap();
        session.sign(pay(), &Wait::default(), &mut Vec::new()).unwrap();
        let mut out = Vec::new();
        let refused = session.sign(pay(), &Wait::default(), &mut out).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::SessionEnded, "{refused}");
        assert!(out.is_empty());

        let session = shield.unlock(Unlock::of(Role::Customs), &mut typist, &Wait::default()).unwrap();
        let refused = session.sign(pay(), &Wait::default(), &mut out).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::RoleMismatch, "a payment is not signed in a customs batch");
        assert!(out.is_empty() && typist.asked == 2);
    });
}

#[test]
fn a_program_that_reaches_the_key_by_itself_completes_a_message_and_a_wrong_signature_writes_nothing() {
    let name = "a_program_that_reaches_the_key_by_itself_completes_a_message_and_a_wrong_signature_writes_nothing";
    softhsm::story(name, |hsm| {
        let shield = shield(hsm, Keys::P256);
        let request = || Request::cms(Role::Bank, Content::bytes(ORDER), CmsOptions::detached().pem());
        let pending = shield.prepare(request()).unwrap();
        let shown = &pending.summary().text;
        let digest = DigestAlgorithm::Sha256.of(ORDER).unwrap().hex();
        assert!(shown.contains(&digest) && shown.contains("CMS message"), "{shown}");
        let foreign = RawSignature::new(Suite::P256Sha256, vec![1; 64]).unwrap();
        let mut out = Vec::new();
        assert_eq!(pending.complete(&foreign, &mut out).unwrap_err().kind(), ErrorKind::SignatureWrong);
        assert!(out.is_empty());
    });
}
