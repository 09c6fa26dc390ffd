//! Announcement 179 and login on a token: one question, one login, one signature; and none of them for what is refused.
#![cfg(all(feature = "json", feature = "pkcs11", feature = "rsa", feature = "sm"))]

#[path = "support/desk.rs"]
mod desk;
#[path = "support/customs_kit.rs"]
mod kit;
#[path = "support/softhsm.rs"]
mod softhsm;

use base64ct::{Base64, Encoding};
use desk::{Keys, Shim, Typist};
use shared_shield::format::login::{Challenge, Output};
use shared_shield::{Content, ErrorKind, Request, Role, Suite, Wait};

fn story(name: &str, keys: Keys, body: impl FnOnce(&softhsm::SoftHsm, &Shim)) {
    softhsm::story_with(name, Shim::env, |hsm| match Shim::of(hsm) {
        Some(shim) => {
            desk::make(hsm, keys);
            body(hsm, &shim);
        }
        None => softhsm::skip(name, "the shim is not built (cargo build --manifest-path tests/modules/Cargo.toml)"),
    });
}

/// Logins and signatures that reached the module.
fn counts(shim: &Shim) -> (usize, usize) {
    (shim.calls("C_Login").len(), shim.calls("C_Sign").len())
}

#[test]
fn a_login_and_a_payment_record_ask_once_log_in_once_and_sign_once() {
    story("a_login_and_a_payment_record_ask_once_log_in_once_and_sign_once", Keys::Rsa(2048), |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        let by = desk::certificate(&shield, Role::Customs);
        let random = kit::text("synthetic_login_random.b64");
        let (mut typist, mut out) = (Typist::right(), Vec::new());
        let request = Request::login(Role::Customs, Challenge::Base64(&random)).unwrap();
        let receipt = shield.sign(request, &mut typist, &Wait::default(), &mut out).unwrap();
        assert_eq!((typist.asked, counts(shim)), (1, (1, 1)));
        assert_eq!((receipt.suite, receipt.number.as_str()), (Suite::RsaSha1, by.number().as_str()));
        let value = Base64::decode_vec(std::str::from_utf8(&out).unwrap()).unwrap();
        assert!(kit::openssl_judges(&by, "-sha1", &value, &Base64::decode_vec(&random).unwrap()));

        let string = kit::vector("synthetic_179_string.txt");
        let mut out = Vec::new();
        let request = Request::payment179(Content::bytes(string.clone()));
        let receipt = shield.sign(request, &mut typist, &Wait::default(), &mut out).unwrap();
        assert_eq!((typist.asked, counts(shim)), (2, (2, 2)));
        let posted: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(posted["certNo"], receipt.number);
        let value = Base64::decode_vec(posted["signValue"].as_str().unwrap()).unwrap();
        assert!(kit::openssl_judges(&by, "-sha1", &value, &string));
    });
}

#[test]
fn what_is_refused_asks_nobody_and_reaches_no_token() {
    story("what_is_refused_asks_nobody_and_reaches_no_token", Keys::P256, |hsm, shim| {
        let shield = desk::shield(hsm, &shim.module);
        let (mut typist, mut out) = (Typist::right(), Vec::new());
        let newline = [kit::vector("synthetic_179_string.txt"), b"\n".to_vec()].concat();
        let missing = kit::text("synthetic_179_string.txt").replace("\"currency\":\"142\",", "");
        let cases = [(newline, ErrorKind::StringNewline), (missing.into_bytes(), ErrorKind::FieldMissing)];
        for (document, kind) in cases {
            let request = Request::payment179(Content::bytes(document));
            let error = shield.sign(request, &mut typist, &Wait::default(), &mut out).unwrap_err();
            assert_eq!((error.kind(), error.concerns()), (kind, Some(Role::Customs)));
        }
        assert!(Request::login(Role::Bank, Challenge::Octets(b"<order/>")).is_err());
        assert_eq!((typist.asked, counts(shim), out.len()), (0, (0, 0), 0));

        // Under the story's test profile the bank's P-256 key answers a challenge, in DER.
        let request = Request::login_as(Role::Bank, Challenge::Octets(&[7; 20]), Output::Post).unwrap();
        shield.sign(request, &mut typist, &Wait::default(), &mut out).unwrap();
        assert_eq!((typist.asked, counts(shim)), (1, (1, 1)));
        let posted: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let value = Base64::decode_vec(posted["signData"].as_str().unwrap()).unwrap();
        assert!(kit::openssl_judges(&desk::certificate(&shield, Role::Bank), "-sha256", &value, &[7; 20]));
    });
}
