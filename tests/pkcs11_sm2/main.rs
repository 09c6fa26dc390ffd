//! SM2 through PKCS#11: vendors' mechanisms by the table of the profile, and nothing that is not there or not right. No free module has
//! SM2, so the shim does.
#![cfg(all(feature = "json", feature = "pkcs11", feature = "rsa", feature = "sm", feature = "xml"))]

mod answers;
#[path = "../support/desk.rs"]
mod desk;
mod keys;
#[path = "../support/customs_kit.rs"]
mod kit;
mod signing;
#[path = "../support/softhsm.rs"]
mod softhsm;
mod table;

use std::fs;
use std::sync::Arc;

use desk::{Keys, Shim, Typist};
use shared_shield::{Content, Error, ErrorKind, Profile, Receipt, Request, Role, Scanner, Shield, Suite, Wait};
use softhsm::SoftHsm;

/// One mechanism of the default set, which takes e and gives r‖s.
const OFFER: &str = "sm2 0x80008105 e-raw\n";
/// Mechanisms of the default set that hash, each with what it is given for ten octets.
const HASHING: [(&str, usize); 4] = [
    ("sm2 0x80008102 message-raw\n", 10),
    ("sm2 0x80008103 message-der\n", 10),
    ("sm2 0x80008100 z-message-raw\n", 42),
    ("sm2 0x80008101 z-message-der\n", 42),
];

fn with_shim(name: &str, body: impl FnOnce(&SoftHsm, &Shim)) {
    softhsm::story_with(name, Shim::env, |hsm| match Shim::of(hsm) {
        Some(shim) => body(hsm, &shim),
        None => softhsm::skip(name, "the shim is not built (cargo build --manifest-path tests/modules/Cargo.toml)"),
    });
}

/// A customs token and a bank token with an SM2 key each.
fn story(name: &str, body: impl FnOnce(&SoftHsm, &Shim)) {
    with_shim(name, |hsm, shim| {
        desk::make(hsm, Keys::Sm2);
        body(hsm, shim);
    });
}

/// The shield behind a module that has what `offer` says, under a profile that says `numbers` of it.
fn shield(hsm: &SoftHsm, shim: &Shim, offer: &str, numbers: &str) -> Shield {
    shim.rules(offer);
    let profile = fs::read_to_string(hsm.dir().join("profile.toml")).unwrap();
    let profile = Arc::new(Profile::parse(&format!("{profile}\n{numbers}")).unwrap());
    let scan = Scanner::new().profile(profile).module(&shim.module).scan(&Wait::default()).unwrap();
    assert!(scan.problems.is_empty(), "{:?}", scan.problems);
    scan.only().unwrap().clone()
}

fn request(role: Role) -> Request {
    Request::raw(role, Content::bytes(*b"order 4711"))
}

fn sign(shield: &Shield, request: Request) -> Result<(Receipt, Vec<u8>), Error> {
    let mut out = Vec::new();
    let signed = shield.sign(request, &mut Typist::right(), &Wait::default(), &mut out);
    assert!(signed.is_ok() || out.is_empty(), "nothing leaves with an error");
    signed.map(|receipt| (receipt, out))
}

/// Signs as both roles; OpenSSL is the judge, and refuses the document with one octet changed.
fn both_sign(shield: &Shield) {
    for role in Role::ALL {
        let (receipt, out) = sign(shield, request(role)).unwrap();
        assert_eq!(receipt.suite, Suite::Sm2Sm3);
        assert!(kit::openssl_judges(&desk::certificate(shield, role), "-sm3", &out, b"order 4711"));
    }
}

/// Why the customs side does not sign.
fn refused(shield: &Shield, kind: ErrorKind, words: &[&str]) {
    let error = sign(shield, request(Role::Customs)).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

fn count(shim: &Shim, function: &str, part: &str) -> usize {
    shim.calls(function).iter().filter(|line| line.contains(part)).count()
}
