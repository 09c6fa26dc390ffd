//! Keys, certificates and signatures on a card that is held without a service. Needs `held_card` and `test_ca` beside it.

#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use shared_shield::suite::PublicKey;
use shared_shield::token::{AdminAuth, Auth, Place, Slot, Token};
use shared_shield::{Certificate, Pin, RawSignature, Result, Role, Suite, ToBeSigned};

use crate::held_card::MANAGEMENT_KEY;
use crate::test_ca::{Shape, TestCa};

pub const MESSAGE: &[u8] = b"order 4711";

pub fn pin(octets: &[u8]) -> Pin {
    Pin::new(Role::Customs, octets).unwrap()
}

pub fn certify(spki: &[u8], name: &str) -> Vec<u8> {
    let now = SystemTime::now();
    let shape = Shape::plain(&format!("CN={name}"), vec![7, name.as_bytes()[1]], now);
    TestCa::new("CN=Card CA", now).unwrap().issue(&shape, spki).unwrap()
}

pub fn place(token: &mut dyn Token, name: &str) -> Place {
    token.issuing().unwrap().places().unwrap().into_iter().find(|p| p.name == name).unwrap()
}

/// A key and its certificate in a slot.
pub fn equip(token: &mut dyn Token, name: &str, suite: Suite) -> PublicKey {
    let at = place(token, name);
    let by = AdminAuth::Key(&MANAGEMENT_KEY);
    let key = token.issuing().unwrap().generate(&at, suite, by).unwrap();
    let der = certify(key.spki(), name);
    token.issuing().unwrap().import_certificate(&at, &der, by).unwrap();
    key
}

pub fn slot(token: &mut dyn Token, name: &str) -> Slot {
    let slots = token.slots().unwrap();
    slots.into_iter().find(|slot| slot.label == name).unwrap_or_else(|| panic!("no slot {name}: {:?}", token.notes()))
}

pub fn sign(token: &mut dyn Token, slot: &Slot, suite: Suite, auth: Auth<'_>) -> Result<RawSignature> {
    let certificate = Certificate::from_der(&token.certificate(&slot.certificate)?)?;
    let tbs = ToBeSigned::over(suite, certificate.key()?, MESSAGE)?;
    let signature = token.sign(&slot.key, &slot.pin, auth, &tbs)?;
    certificate.key()?.verify(&tbs, &signature)?;
    Ok(signature)
}

/// OpenSSL's word on a signature over [`MESSAGE`].
pub fn openssl_accepts(key: &PublicKey, suite: Suite, signature: &RawSignature, name: &str) -> bool {
    let file = |kind: &str| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("piv-{name}-{suite}.{kind}"));
    fs::write(file("message"), MESSAGE).unwrap();
    fs::write(file("signature"), signature.to_wire().unwrap()).unwrap();
    let pem = der::pem::encode_string("PUBLIC KEY", der::pem::LineEnding::LF, key.spki()).unwrap();
    fs::write(file("pem"), pem).unwrap();
    let digest = if suite == Suite::RsaSha1 { "-sha1" } else { "-sha256" };
    let mut judge = Command::new("openssl");
    judge.args(["dgst", digest, "-verify"]).arg(file("pem")).arg("-signature").arg(file("signature"));
    judge.arg(file("message")).output().unwrap().status.success()
}

/// What openssl gives for these words.
pub fn openssl(words: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
