//! SM2 through PKCS#11: vendors' mechanisms by the table of the profile, and nothing that is not there or not right. No free module has
//! SM2, so the shim does.
#![cfg(all(feature = "json", feature = "pkcs11", feature = "rsa", feature = "sm", feature = "xml"))]

#[path = "support/desk.rs"]
mod desk;
#[path = "support/customs_kit.rs"]
mod kit;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::fs;
use std::sync::Arc;

use cryptoki::object::Attribute;
use desk::{Keys, Shim, Typist};
use shared_shield::{
    Consent, Content, DigestAlgorithm, Error, ErrorKind, Profile, Receipt, Request, Role, Scanner, Shield, Suite,
    Unlock, Wait,
};
use softhsm::{SoftHsm, issue};

const PIN: &str = "593071648205";
/// One mechanism of the default set, which takes e and gives r‖s.
const OFFER: &str = "sm2 0x80008105 e-raw\n";

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

#[test]
fn what_a_module_signs_with_the_finished_e_verifies_elsewhere() {
    story("what_a_module_signs_with_the_finished_e_verifies_elsewhere", |hsm, shim| {
        for (n, offer) in
            ["sm2 0x80008105 e-raw", "sm2 0x80008104 e-der", "sm2 0x80008000 e-raw"].into_iter().enumerate()
        {
            both_sign(&shield(hsm, shim, offer, ""));
            let number = offer.split(' ').nth(1).unwrap();
            assert_eq!(count(shim, "C_SignInit", &format!(" mech={number} ")), 2, "{offer}");
            assert_eq!(count(shim, "C_Sign", " in=32 "), 2 * (n + 1), "one signature each, and e was given");
        }
        // Where there is a choice, the host hashes.
        both_sign(&shield(
            hsm,
            shim,
            "sm2 0x80008100 z-message-raw\nsm2 0x80008103 message-der\nsm2 0x80008104 e-der\n",
            "",
        ));
        assert_eq!(count(shim, "C_SignInit", " mech=0x80008104 "), 4);
        assert_eq!(shim.calls("C_Login").len(), 8, "one for each signature");
    });
}

#[test]
fn a_module_without_such_a_mechanism_offers_no_sm2_and_the_pin_is_not_asked() {
    story("a_module_without_such_a_mechanism_offers_no_sm2_and_the_pin_is_not_asked", |hsm, shim| {
        let none = "[[pkcs11.sm2]]\nset = \"none\"";
        for (offer, numbers) in [
            ("", ""),
            ("sm2 0x80008105 verify-only\n", ""),
            // A set that nobody named is not tried.
            ("sm2 0x80000004 e-raw\n", ""),
            ("sm2 0x80008200 e-raw\n", ""),
            (OFFER, none),
        ] {
            let shield = shield(hsm, shim, offer, numbers);
            let mut typist = Typist::right();
            let refused = desk::sign(&shield, Role::Customs, &mut typist, Consent::None, &mut Vec::new()).unwrap_err();
            assert_eq!((refused.kind(), typist.asked), (ErrorKind::KeyUnsuited, 0), "{offer}: {refused}");
            assert!(refused.to_string().contains("the token offers nothing"), "{refused}");
        }
        assert_eq!((shim.calls("C_Login").len(), shim.calls("C_SignInit").len()), (0, 0));
        // A mechanism that goes away after the scan is noticed before the PIN goes out.
        let before = shield(hsm, shim, OFFER, "");
        shim.rules("");
        refused(&before, ErrorKind::KeyUnsuited, &["none of the SM2 mechanisms of set C", "[[pkcs11.sm2]]"]);
        assert_eq!(shim.calls("C_Login").len(), 0);
    });
}

#[test]
fn tokens_without_sm2_are_not_asked_for_vendors_numbers() {
    with_shim("tokens_without_sm2_are_not_asked_for_vendors_numbers", |hsm, shim| {
        desk::make(hsm, Keys::P256);
        let shield = desk::shield(hsm, &shim.module);
        desk::sign(&shield, Role::Customs, &mut Typist::right(), Consent::None, &mut Vec::new()).unwrap();
        let asked = shim.calls("C_GetMechanismInfo");
        assert!(!asked.is_empty() && asked.iter().all(|line| line.contains(" mech=0x1041 ")), "{asked:?}");
    });
}

#[test]
fn a_document_whose_digest_alone_is_at_hand_is_not_given_to_a_mechanism_that_hashes() {
    story("a_document_whose_digest_alone_is_at_hand_is_not_given_to_a_mechanism_that_hashes", |hsm, shim| {
        let shield = shield(hsm, shim, "sm2 0x80008103 message-der\nsm2 0x80008100 z-message-raw\n", "");
        let digest = DigestAlgorithm::Sm3.of(b"order 4711").unwrap();
        let error = sign(&shield, Request::raw(Role::Bank, Content::Digest(Arc::new(digest)))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::KeyUnsuited, "{error}");
        for word in ["hash the message themselves", "0x80008103 0x80008100", "set C", "digest alone"] {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
        assert_eq!((shim.calls("C_Login").len(), shim.calls("C_SignInit").len()), (0, 0));
    });
}

#[test]
fn a_table_that_states_another_form_than_comes_is_named_and_nothing_leaves() {
    story("a_table_that_states_another_form_than_comes_is_named_and_nothing_leaves", |hsm, shim| {
        let malformed = ErrorKind::SignatureMalformed;
        let der = shield(hsm, shim, "sm2 0x80008105 e-der\n", "");
        refused(&der, malformed, &["mechanism 0x80008105", "DER where the table says r and s", "[[pkcs11.sm2]]"]);
        let raw = shield(hsm, shim, "sm2 0x80008104 e-raw\n", "");
        refused(&raw, malformed, &["mechanism 0x80008104 gave 64 octets", "r and s where the table says DER"]);
        // What the error says to do helps.
        both_sign(&shield(hsm, shim, "sm2 0x80008105 e-der\n", "[[pkcs11.sm2]]\nset = \"C\"\noutput = \"der\""));
        let own = "[[pkcs11.sm2]]\nset = \"C\"\n[[pkcs11.sm2.mechanism]]\nnumber = 0x80008104\ninput = \"e\"\noutput = \"raw\"";
        both_sign(&shield(hsm, shim, "sm2 0x80008104 e-raw\n", own));
    });
}

#[test]
fn r_or_s_out_of_range_and_what_is_no_signature_do_not_leave() {
    story("r_or_s_out_of_range_and_what_is_no_signature_do_not_leave", |hsm, shim| {
        let shields = [OFFER, "sm2 0x80008104 e-der\n"].map(|offer| (offer, shield(hsm, shim, offer, "")));
        for (offer, shield) in &shields {
            for bend in ["r-zero", "r-order", "s-order"] {
                shim.rules(&format!("{offer}sm2-bend {bend}\n"));
                refused(shield, ErrorKind::SignatureMalformed, &["out of range"]);
            }
            for (rule, kind, words) in [
                ("sm2-bend trailing-octet", ErrorKind::SignatureMalformed, "no signature"),
                ("short-signature 0", ErrorKind::SignatureMalformed, "gave 0 octets"),
                ("short-signature 63", ErrorKind::SignatureMalformed, "gave 63 octets"),
                ("long-signature 100000", ErrorKind::TokenAnswer, "100000"),
                ("flip-signature", ErrorKind::SignatureWrong, "was given e"),
            ] {
                shim.rules(&format!("{offer}{rule}\n"));
                refused(shield, kind, &[words]);
            }
            shim.rules(offer);
            both_sign(shield);
        }
    });
}

#[test]
fn der_without_the_zero_before_a_set_top_bit_is_read_as_the_number_that_it_means() {
    story("der_without_the_zero_before_a_set_top_bit_is_read_as_the_number_that_it_means", |hsm, shim| {
        let shield = shield(hsm, shim, "sm2 0x80008104 e-der\nsm2-bend no-zero-octets\n", "");
        let by = desk::certificate(&shield, Role::Customs);
        let mut bent = 0;
        for n in 0..12 {
            let document = format!("order {n}");
            let request = Request::raw(Role::Customs, Content::bytes(document.clone().into_bytes()));
            let (_, out) = sign(&shield, request).unwrap();
            assert!(kit::openssl_judges(&by, "-sm3", &out, document.as_bytes()));
            bent += usize::from(out.len() > 70);
        }
        assert!(bent > 0, "some of them had a set top bit");
    });
}

#[test]
fn a_mechanism_that_wants_something_else_than_the_table_says_signs_nothing_that_leaves() {
    story("a_mechanism_that_wants_something_else_than_the_table_says_signs_nothing_that_leaves", |hsm, shim| {
        for form in ["z-message-raw", "message-raw"] {
            let shield = shield(hsm, shim, &format!("sm2 0x80008000 {form}\n"), "");
            refused(
                &shield,
                ErrorKind::SignatureWrong,
                &["mechanism 0x80008000 was given e", "[[pkcs11.sm2]] of the profile says so"],
            );
        }
    });
}

#[test]
fn sets_are_chosen_by_name_and_bring_their_key_types() {
    story("sets_are_chosen_by_name_and_bring_their_key_types", |hsm, shim| {
        for (set, mechanism, key_type) in [
            ("A", "0x80000004", "0x80000001"),
            ("B", "0x80000002", "0x80000001"),
            ("C", "0x80008105", "0x80000004"),
            ("D", "0x10002", "0x10001"),
        ] {
            let numbers = format!("[[pkcs11.sm2]]\nset = {set:?}");
            // Keys that say CKK_EC with the curve, and keys of the vendor's type.
            for keys in [String::new(), format!("sm2-key-type {key_type}\n")] {
                both_sign(&shield(hsm, shim, &format!("sm2 {mechanism} e-raw\n{keys}"), &numbers));
            }
            assert_eq!(count(shim, "C_SignInit", &format!(" mech={mechanism} ")), 4, "{set}");
            let other = shield(hsm, shim, &format!("sm2 {mechanism} e-raw\nsm2-key-type 0x80000077\n"), &numbers);
            refused(&other, ErrorKind::KeyMissing, &[]);
        }
        // A set that names a key type alone, with a mechanism of the profile's own.
        let numbers = "[[pkcs11.sm2]]\nset = \"E\"\n[[pkcs11.sm2.mechanism]]\nnumber = 0x80000b16\ninput = \"e\"\noutput = \"der\"";
        both_sign(&shield(hsm, shim, "sm2 0x80000b16 e-der\nsm2-key-type 0x80000016\n", numbers));
    });
}

#[test]
fn a_rule_holds_for_the_module_and_the_maker_that_it_names() {
    story("a_rule_holds_for_the_module_and_the_maker_that_it_names", |hsm, shim| {
        let file = shim.module.file_name().unwrap().to_str().unwrap();
        let set_a = "sm2 0x80000004 e-raw\n";
        let rule = |named: &str| format!("[[pkcs11.sm2]]\n{named}\nset = \"A\"\n");
        for named in [format!("module = {file:?}"), "manufacturer = \"SoftHSM\"".to_owned(), String::new()] {
            both_sign(&shield(hsm, shim, set_a, &rule(&named)));
        }
        for named in [
            "module = \"libother.so\"".to_owned(),
            "manufacturer = \"Other\"".to_owned(),
            format!("module = {file:?}\nmanufacturer = \"Other\""),
        ] {
            let other = shield(hsm, shim, set_a, &rule(&named));
            refused(&other, ErrorKind::KeyUnsuited, &["the token offers nothing"]);
        }
        let two = format!("{}{}", rule("module = \"libother.so\""), "[[pkcs11.sm2]]\nset = \"B\"\n");
        both_sign(&shield(hsm, shim, "sm2 0x80000002 e-raw\n", &two));
    });
}

/// A token with two keys under one PIN, made by `make`; the profile joins nothing.
fn one_token(hsm: &SoftHsm, make: impl FnOnce(&softhsm::Host, &cryptoki::session::Session) -> [softhsm::Pair; 2]) {
    hsm.host(|host| {
        let session = host.login(host.token("both", PIN), PIN);
        let pairs = make(host, &session);
        for (name, pair, id) in [("customs", &pairs[0], 1), ("bank", &pairs[1], 2)] {
            let der = issue(&format!("CN=Story {name} CA"), &format!("CN=Story {name}"), &pair.spki, vec![]);
            host.certificate(&session, &der, &[id], name);
        }
    });
    let profile = "schema = 1\ntest = true\n[[customs.issuer]]\ncommon_name = \"Story customs CA\"\n\
                   [[bank.issuer]]\ncommon_name = \"Story bank CA\"\n";
    fs::write(hsm.dir().join("profile.toml"), profile).unwrap();
}

fn signed_by_its_own_key(shield: &Shield, role: Role, digest: &str) {
    let mut out = Vec::new();
    desk::sign(shield, role, &mut Typist::always(PIN), Consent::None, &mut out).unwrap();
    assert!(kit::openssl_judges(&desk::certificate(shield, role), digest, &out, b"order 4711"));
}

#[test]
fn keys_of_two_curves_that_say_nothing_but_their_curve_are_told_apart_without_a_trial() {
    with_shim("keys_of_two_curves_that_say_nothing_but_their_curve_are_told_apart_without_a_trial", |hsm, shim| {
        one_token(hsm, |host, session| {
            let customs = host.sm2(session, &[0x33; 32], &[9], "key", &[]);
            let bank = host.p256(session, &[9], "key", &[]);
            for pair in [&customs, &bank] {
                session.destroy_object(pair.public).unwrap();
            }
            [customs, bank]
        });
        let shield = shield(hsm, shim, OFFER, "");
        signed_by_its_own_key(&shield, Role::Customs, "-sm3");
        signed_by_its_own_key(&shield, Role::Bank, "-sha256");
        assert_eq!((shim.calls("C_SignInit").len(), shim.calls("C_Sign").len()), (2, 2));
    });
}

#[test]
fn sm2_keys_that_bear_each_others_ids_still_sign_as_themselves() {
    with_shim("sm2_keys_that_bear_each_others_ids_still_sign_as_themselves", |hsm, shim| {
        one_token(hsm, |host, session| {
            let pairs = [(0x44, 1), (0x55, 2)].map(|(n, id)| host.sm2(session, &[n; 32], &[id], "key", &[]));
            for (pair, id) in pairs.iter().zip([2, 1]) {
                session.update_attributes(pair.private, &[Attribute::Id(vec![id])]).unwrap();
            }
            pairs
        });
        // Whatever kind of mechanism has to prove the key, one that hashes among them.
        for offer in [OFFER, "sm2 0x80008104 e-der\n"] {
            let shield = shield(hsm, shim, offer, "");
            for role in Role::ALL {
                signed_by_its_own_key(&shield, role, "-sm3");
            }
        }
    });
}

#[test]
fn a_batch_signs_under_one_login_and_keeps_its_key() {
    story("a_batch_signs_under_one_login_and_keeps_its_key", |hsm, shim| {
        let shield = shield(hsm, shim, OFFER, "");
        let by = desk::certificate(&shield, Role::Customs);
        let batch = shield.unlock(Unlock::of(Role::Customs), &mut Typist::right(), &Wait::default()).unwrap();
        for n in 0..20_u8 {
            let mut out = Vec::new();
            batch.sign(Request::raw(Role::Customs, Content::bytes([n])), &Wait::default(), &mut out).unwrap();
            assert!(kit::openssl_takes(&by, "-sm3", &out, &[n]));
        }
        assert_eq!(shim.calls("C_Sign").len(), 20);
        // The key is known by now; what it makes is looked at all the same.
        shim.rules(&format!("{OFFER}flip-signature\n"));
        let mut out = Vec::new();
        let error = batch.sign(request(Role::Customs), &Wait::default(), &mut out).unwrap_err();
        assert_eq!((error.kind(), out.len()), (ErrorKind::SignatureWrong, 0), "{error}");
        assert!(error.to_string().contains("mechanism 0x80008105 was given e"), "{error}");
        batch.end();
        assert_eq!(count(shim, "C_Login", " rv=0x0"), shim.calls("C_Login").len());
    });
}
