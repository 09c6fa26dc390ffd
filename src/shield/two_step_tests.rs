//! Two-step signing with an SM2 key that is reached in the host's own way: here the throw-away key of the vectors, in software.

use std::sync::Arc;

use sm2::dsa::signature::hazmat::PrehashSigner;

use super::fake::{self, Habits};
use super::{Pending, Shield};
use crate::credential::Credential;
use crate::error::{ErrorKind, Result};
use crate::format::ceb::CEB;
use crate::format::{Format, payment179, xmldsig};
use crate::profile::Profile;
use crate::request::Request;
use crate::role::Role;
use crate::source::Content;
use crate::suite::{RawSignature, Sm2Id, Suite};
use crate::verify::{Trust, Verdict, VerifyContext};

fn desk() -> (Arc<Habits>, Shield, Credential) {
    let habits = Arc::<Habits>::default();
    let (shield, credential) = fake::shield_of(&habits, "synthetic_sm2_cert.pem", Suite::Sm2Sm3);
    (habits, shield, credential)
}

fn prepare(desk: &(Arc<Habits>, Shield, Credential), request: &Request) -> Result<Pending> {
    let credential = Credential { role: request.role(), ..desk.2.clone() };
    desk.1.prepare_with(request, credential, 1).map(|job| Pending { job })
}

fn sign(pending: &Pending) -> RawSignature {
    // ECPrivateKey inside PKCS #8 (RFC 5915 §3): version 1, then the number.
    let (_, der) = der::pem::decode_vec(&fake::vector("synthetic_sm2_throwaway.key")).unwrap();
    let at = der.windows(5).position(|w| w == [2, 1, 1, 4, 32]).unwrap() + 5;
    let secret = sm2::SecretKey::from_slice(&der[at..at + 32]).unwrap();
    let key = sm2::dsa::SigningKey::new("1234567812345678", &secret).unwrap();
    let signature: sm2::dsa::Signature = key.sign_prehash(pending.tbs().digest.octets()).unwrap();
    RawSignature::new(Suite::Sm2Sm3, signature.to_bytes().to_vec()).unwrap()
}

/// The vector's document before it was signed.
fn unsigned() -> Vec<u8> {
    let text = String::from_utf8(fake::vector("synthetic_CEB311_sm2.xml")).unwrap();
    let (before, rest) = text.split_once("<ds:Signature ").unwrap();
    [before, rest.split_once("</ds:Signature>").unwrap().1].concat().into_bytes()
}

#[test]
fn a_declaration_waits_for_an_sm2_signature_that_is_made_elsewhere() {
    let desk = desk();
    let request = Request::declaration(Content::bytes(unsigned()));
    let pending = prepare(&desk, &request).unwrap();
    // What is to be signed is what the vector's signature is over, and so is e (the vectors' index).
    assert_eq!(pending.tbs().message.as_deref(), Some(&fake::vector("synthetic_CEB311_sm2_signedinfo.c14n")[..]));
    assert_eq!(pending.tbs().digest.hex(), "7c4fc5885e56c75a00cb90a09c1db2ee09065527fdd8a48ec3bb3d4a65b61737");
    assert_eq!(pending.tbs().sm2_id, Some(Sm2Id::default()));
    let (signature, mut out) = (sign(&pending), Vec::new());
    let receipt = pending.complete(&signature, &mut out).unwrap();
    assert_eq!(
        (receipt.suite, receipt.role, receipt.number.as_str()),
        (Suite::Sm2Sm3, Role::Customs, "0300000000000001")
    );
    assert!(receipt.notes.is_empty(), "{:?}", receipt.notes);
    assert_eq!(xmldsig::signed_info(&out).unwrap().unwrap(), fake::vector("synthetic_CEB311_sm2_signedinfo.c14n"));
    let context = VerifyContext {
        trust: Trust::None,
        role: None,
        profile: Arc::new(Profile::builtin()),
        at: desk.1.clock().now(),
        certificate: None,
        sm2_id: Sm2Id::default(),
    };
    assert_eq!(CEB.verify(&Content::bytes(out), None, &context).unwrap().verdict(), Verdict::SignatureOnly);
    assert_eq!(Habits::seen(&desk.0.leases), 0, "no token was touched");
}

#[test]
fn a_wrong_sm2_signature_completes_nothing() {
    let desk = desk();
    let string = fake::vector("synthetic_179_string.txt");
    let request = Request::payment179_as(Content::bytes(string), payment179::Output::Signature);
    let (first, second) = (prepare(&desk, &request).unwrap(), prepare(&desk, &request).unwrap());
    assert_eq!(first.tbs().digest.hex(), "a64c7b45940947a12789c060da99f1068e6731a489a36d4d8299cf6671579943");
    let right = sign(&first);
    let mut octets = right.octets().to_vec();
    octets[20] ^= 1;
    let mut out = Vec::new();
    let wrong = RawSignature::new(Suite::Sm2Sm3, octets).unwrap();
    let error = first.complete(&wrong, &mut out).unwrap_err();
    assert_eq!((error.kind(), out.len()), (ErrorKind::SignatureWrong, 0));
    second.complete(&right, &mut out).unwrap();
    assert_eq!(out.len(), 88);
}

#[test]
fn an_agreed_identifier_goes_into_a_payment_and_into_no_declaration() {
    let desk = desk();
    let alice = Sm2Id::new("ALICE123@YAHOO.COM").unwrap();
    let declaration = Request::declaration(Content::bytes(unsigned())).sm2_id(alice.clone());
    assert_eq!(prepare(&desk, &declaration).unwrap_err().kind(), ErrorKind::UnsupportedByCustoms);
    let order = |request: Request| prepare(&desk, &request).unwrap();
    let payment = || Request::payment(Content::bytes(*b"order"));
    let (agreed, usual) = (order(payment().sm2_id(alice.clone())), order(payment()));
    assert_eq!(agreed.tbs().sm2_id, Some(alice));
    assert_eq!(agreed.tbs().message, usual.tbs().message, "the same attributes");
    assert_ne!(agreed.tbs().digest, usual.tbs().digest, "and another Z");
    agreed.complete(&sign(&usual), &mut Vec::new()).unwrap_err();
}
