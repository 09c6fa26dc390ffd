//! What the stories share: OpenSSL with an identifier, authorities made by it, and DER by hand.

use std::sync::Arc;

use der::Encode;
use der::asn1::ObjectIdentifier;
use shared_shield::{Certificate, Sm2Id, ToBeSigned};

use crate::kit::{Scratch, certificate, openssl, path_text};

pub(crate) const DEFAULT: &str = "1234567812345678";
pub(crate) const OTHER: &str = "ALICE123@YAHOO.COM";
/// The policy of OpenSSL for the identifier, which is empty unless it is told.
pub(crate) const DISTID: &str = "distid:1234567812345678";

pub(crate) fn other_id() -> Sm2Id {
    Sm2Id::new(OTHER).unwrap()
}

pub(crate) fn sm2() -> Arc<Certificate> {
    certificate("synthetic_sm2_cert.pem")
}

/// `openssl` has to succeed.
#[track_caller]
pub(crate) fn well(arguments: &[&str]) -> Vec<u8> {
    let output = openssl(arguments, b"");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Signs as a token would that is given the digest.
pub(crate) fn sign(tbs: &ToBeSigned) -> shared_shield::RawSignature {
    crate::kit::sm2_sign(tbs.digest.octets())
}

/// The throw-away key's signature by OpenSSL, in DER.
pub(crate) fn openssl_signs(message: &[u8], id: &str) -> Vec<u8> {
    let scratch = Scratch::new();
    let (file, out) = (scratch.file("message", message), scratch.path("signature"));
    let key = path_text("synthetic_sm2_throwaway.key");
    well(&["dgst", "-sm3", "-sign", &key, "-sigopt", &format!("distid:{id}"), "-out", &out, &file]);
    std::fs::read(out).unwrap()
}

fn takes(message: &[u8], signature: &[u8], id: &str) -> bool {
    let scratch = Scratch::new();
    let public = well(&["x509", "-in", &path_text("synthetic_sm2_cert.pem"), "-noout", "-pubkey"]);
    let (public, der) = (scratch.file("key.pem", &public), scratch.file("signature", signature));
    let file = scratch.file("message", message);
    let distid = format!("distid:{id}");
    let output = openssl(&["dgst", "-sm3", "-verify", &public, "-signature", &der, "-sigopt", &distid, &file], b"");
    output.status.success() && String::from_utf8_lossy(&output.stdout).contains("Verified OK")
}

/// OpenSSL's verdict on a signature of the throw-away key. It counts when a copy with one octet changed, and another identifier, are refused.
pub(crate) fn openssl_judges(message: &[u8], signature: &[u8], id: &str) -> bool {
    let mut changed = message.to_vec();
    changed[message.len() / 2] ^= 1;
    assert!(!takes(&changed, signature, id), "the judge takes a changed message");
    assert!(!takes(message, signature, "another"), "the judge takes another identifier");
    takes(message, signature, id)
}

/// Tag, length and value.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = der::Length::try_from(value.len()).unwrap().to_der().unwrap();
    [&[tag][..], &length, &value].concat()
}

pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    ObjectIdentifier::new_unwrap(dotted).to_der().unwrap()
}

/// A copy with one octet changed.
pub(crate) fn changed(octets: &[u8], place: usize) -> Vec<u8> {
    let mut copy = octets.to_vec();
    copy[place] ^= 1;
    copy
}

/// An SM2 key by OpenSSL, in a file.
pub(crate) fn new_key(scratch: &Scratch, name: &str) -> String {
    let path = scratch.path(name);
    well(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-out", &path]);
    path
}

pub(crate) fn read_certificate(path: &str) -> Arc<Certificate> {
    Arc::new(Certificate::from_pem(&std::fs::read(path).unwrap()).unwrap())
}
