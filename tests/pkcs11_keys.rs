//! Keys find their certificates by what they are, whatever the token calls them.
#![cfg(feature = "pkcs11")]

#[path = "support/desk.rs"]
mod desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::path::Path;
use std::sync::Arc;

use cryptoki::mechanism::MechanismType;
use cryptoki::object::Attribute;
use cryptoki::session::Session;
use desk::{Shim, Typist};
use shared_shield::{
    Consent, Error, ErrorKind, Profile, RawSignature, Role, Scanner, Shield, Suite, ToBeSigned, Unlock, Wait,
};
use softhsm::{Host, MODULE, Pair, issue, story};

const PIN: &str = "593071648205";
const PROFILE: &str = "schema = 1\ntest = true\n[[customs.issuer]]\ncommon_name = \"Story customs CA\"\n\
                       [[bank.issuer]]\ncommon_name = \"Story bank CA\"\n";

/// Two key pairs with a certificate each on one token under one PIN; `change` may rename what it likes.
fn one_token(hsm: &softhsm::SoftHsm, change: impl FnOnce(&Host, &Session, &Pair, &Pair)) -> Shield {
    with_keys(hsm, |host, session, id| host.p256(session, &[id], "key", &[]), change)
}

fn with_keys(
    hsm: &softhsm::SoftHsm,
    make: impl Fn(&Host, &Session, u8) -> Pair,
    change: impl FnOnce(&Host, &Session, &Pair, &Pair),
) -> Shield {
    make_keys(hsm, make, change);
    scan(Path::new(MODULE))
}

fn make_keys(
    hsm: &softhsm::SoftHsm,
    make: impl Fn(&Host, &Session, u8) -> Pair,
    change: impl FnOnce(&Host, &Session, &Pair, &Pair),
) {
    hsm.host(|host| {
        let session = host.login(host.token("both", PIN), PIN);
        let [customs, bank] = [1, 2].map(|id| make(host, &session, id));
        for (name, pair, id) in [("customs", &customs, 1), ("bank", &bank, 2)] {
            let der = issue(&format!("CN=Story {name} CA"), &format!("CN=Story {name}"), &pair.spki, vec![]);
            host.certificate(&session, &der, &[id], name);
        }
        change(host, &session, &customs, &bank);
    });
}

/// A story in which the shim counts the signatures that the token makes.
fn counted(name: &str, body: impl FnOnce(&softhsm::SoftHsm, &Shim)) {
    softhsm::story_with(name, Shim::env, |hsm| match Shim::of(hsm) {
        Some(shim) => body(hsm, &shim),
        None => softhsm::skip(name, "the shim is not built (cargo build --manifest-path tests/modules/Cargo.toml)"),
    });
}

fn scan(module: &Path) -> Shield {
    let profile = Arc::new(Profile::parse(PROFILE).unwrap());
    let scan = Scanner::new().profile(profile).module(module).scan(&Wait::default()).unwrap();
    assert_eq!(scan.problems.len(), 0, "{:?}", scan.problems);
    scan.only().unwrap().clone()
}

fn sign(shield: &Shield, role: Role) -> Result<(Suite, Vec<u8>), Error> {
    let mut out = Vec::new();
    let receipt = desk::sign(shield, role, &mut Typist::always(PIN), Consent::None, &mut out)?;
    Ok((receipt.suite, out))
}

/// Verifies apart from the library's own check, and that the other certificate's key has not signed.
fn both_sign_with_their_own_keys(shield: &Shield, suite: Suite) {
    for role in Role::ALL {
        let (used, out) = sign(shield, role).unwrap();
        assert_eq!(used, suite);
        let signature = RawSignature::from_wire(suite, &out).unwrap();
        for other in Role::ALL {
            let certificate = desk::certificate(shield, other);
            let key = certificate.key().unwrap();
            let tbs = ToBeSigned::over(suite, key, b"order 4711").unwrap();
            assert_eq!(key.verify(&tbs, &signature).is_ok(), other == role);
        }
    }
}

fn rename(session: &Session, object: cryptoki::object::ObjectHandle, id: u8, label: &str) {
    let label = Attribute::Label(label.as_bytes().to_vec());
    session.update_attributes(object, &[Attribute::Id(vec![id]), label]).unwrap();
}

#[test]
fn one_token_with_one_pin_serves_both_roles() {
    story("one_token_with_one_pin_serves_both_roles", |hsm| {
        let shield = one_token(hsm, |_, _, _, _| ());
        both_sign_with_their_own_keys(&shield, Suite::P256Sha256);
        let credential = shield.credential(Role::Customs, &Default::default()).unwrap();
        assert_eq!(shield.also_opens(&credential), [Role::Bank], "one PIN scope");
    });
}

#[test]
fn key_pairs_with_swapped_ids_and_labels_still_sign_as_themselves() {
    story("key_pairs_with_swapped_ids_and_labels_still_sign_as_themselves", |hsm| {
        let shield = one_token(hsm, |_, session, customs, bank| {
            for (pair, id, label) in [(customs, 2, "bank"), (bank, 1, "customs")] {
                rename(session, pair.public, id, label);
                rename(session, pair.private, id, label);
            }
        });
        both_sign_with_their_own_keys(&shield, Suite::P256Sha256);
    });
}

#[test]
fn private_keys_that_bear_each_others_ids_still_sign_as_themselves() {
    story("private_keys_that_bear_each_others_ids_still_sign_as_themselves", |hsm| {
        let shield = one_token(hsm, |_, session, customs, bank| {
            rename(session, customs.private, 2, "bank");
            rename(session, bank.private, 1, "customs");
        });
        both_sign_with_their_own_keys(&shield, Suite::P256Sha256);
    });
}

#[test]
fn keys_without_a_word_about_themselves_are_proven_by_their_signature() {
    story("keys_without_a_word_about_themselves_are_proven_by_their_signature", |hsm| {
        let shield = one_token(hsm, |_, session, customs, bank| {
            for pair in [customs, bank] {
                session.destroy_object(pair.public).unwrap();
                session.update_attributes(pair.private, &[Attribute::Id(vec![9])]).unwrap();
            }
        });
        both_sign_with_their_own_keys(&shield, Suite::P256Sha256);
    });
}

#[test]
fn rsa_keys_are_told_apart_by_their_modulus_without_a_trial() {
    counted("rsa_keys_are_told_apart_by_their_modulus_without_a_trial", |hsm, shim| {
        let make = |host: &Host, session: &Session, id| host.rsa(session, 2048, &[id], "key", &[]);
        make_keys(hsm, make, |_, session, customs, bank| {
            rename(session, customs.private, 2, "bank");
            rename(session, bank.private, 1, "customs");
        });
        both_sign_with_their_own_keys(&scan(&shim.module), Suite::RsaSha256);
        assert_eq!(shim.calls("C_Sign").len(), 2);
    });
}

#[test]
fn a_certificate_without_its_private_key_is_told_so_and_the_other_key_does_not_stand_in() {
    counted("a_certificate_without_its_private_key_is_told_so_and_the_other_key_does_not_stand_in", |hsm, shim| {
        let make = |host: &Host, session: &Session, id| host.p256(session, &[id], "key", &[]);
        make_keys(hsm, make, |_, session, customs, _| session.destroy_object(customs.private).unwrap());
        let shield = scan(&shim.module);
        let refused = sign(&shield, Role::Customs).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::KeyMissing, "{refused}");
        assert_eq!(shim.calls("C_Sign").len(), 0, "the bank's key has signed nothing for customs");
        sign(&shield, Role::Bank).unwrap();
        assert_eq!(shim.calls("C_Sign").len(), 1);
    });
}

#[test]
fn a_key_that_wants_its_pin_each_time_gets_it_each_time_from_one_entry() {
    story("a_key_that_wants_its_pin_each_time_gets_it_each_time_from_one_entry", |hsm| {
        let each_time = [Attribute::AlwaysAuthenticate(true)];
        let make = |host: &Host, session: &Session, id| host.p256(session, &[id], "key", &each_time);
        let shield = with_keys(hsm, make, |_, session, customs, _| {
            // SoftHSM really holds the key back: without the second login it does not sign.
            let plain = session.sign(&cryptoki::mechanism::Mechanism::Ecdsa, customs.private, &[7; 32]);
            assert!(plain.is_err());
        });
        both_sign_with_their_own_keys(&shield, Suite::P256Sha256);
        let mut typist = Typist::always(PIN);
        let batch = shield.unlock(Unlock::of(Role::Customs), &mut typist, &Wait::default()).unwrap();
        for n in 0..20_u8 {
            let request = shared_shield::Request::raw(Role::Customs, shared_shield::Content::bytes([n]));
            batch.sign(request, &Wait::default(), &mut Vec::new()).unwrap();
        }
        batch.end();
        // An idle lease is used again; the wait that counts is that of the call.
        let batch = shield.unlock(Unlock::of(Role::Customs), &mut typist, &Wait::default()).unwrap();
        let wait = || Wait::at_most(std::time::Duration::from_millis(400));
        let request = || shared_shield::Request::raw(Role::Customs, shared_shield::Content::bytes(*b"again"));
        batch.sign(request(), &wait(), &mut Vec::new()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(500));
        batch.sign(request(), &wait(), &mut Vec::new()).unwrap();
        assert_eq!(typist.asked, 2, "once for each batch");
    });
}

#[test]
fn a_certificate_that_cannot_be_read_is_named_and_hides_no_other() {
    story("a_certificate_that_cannot_be_read_is_named_and_hides_no_other", |hsm| {
        hsm.host(|host| {
            let session = host.login(host.token("both", PIN), PIN);
            let pair = host.p256(&session, &[1], "key", &[]);
            host.certificate(&session, b"this is no certificate", &[2], "broken");
            host.certificate(&session, &issue("CN=Story bank CA", "CN=Bank", &pair.spki, vec![]), &[1], "good");
            assert!(host.p11.get_mechanism_list(host.slot("both")).unwrap().contains(&MechanismType::ECDSA));
        });
        let profile = Arc::new(Profile::parse(PROFILE).unwrap());
        let scan = Scanner::new().profile(profile).module(MODULE).scan(&Wait::default()).unwrap();
        assert_eq!(scan.problems.iter().map(|e| e.kind()).collect::<Vec<_>>(), [ErrorKind::CertificateMalformed]);
        assert!(scan.problems[0].to_string().contains("both"), "{}", scan.problems[0]);
        sign(scan.only().unwrap(), Role::Bank).unwrap();
    });
}

#[test]
fn a_certificate_that_was_renewed_meanwhile_is_noticed_before_the_pin_is_asked() {
    story("a_certificate_that_was_renewed_meanwhile_is_noticed_before_the_pin_is_asked", |hsm| {
        let shield = one_token(hsm, |_, _, _, _| ());
        let host = Host::beside(MODULE);
        let session = host.login(host.slot("both"), PIN);
        let all = session.find_objects(&[Attribute::Class(cryptoki::object::ObjectClass::CERTIFICATE)]).unwrap();
        all.into_iter().for_each(|object| session.destroy_object(object).unwrap());
        drop(session);
        let mut typist = Typist::always(PIN);
        let refused = desk::sign(&shield, Role::Bank, &mut typist, Consent::None, &mut Vec::new()).unwrap_err();
        assert_eq!((refused.kind(), typist.asked), (ErrorKind::CertificateChanged, 0), "{refused}");
    });
}
