//! Which numbers a module has, and for whom the profile's table holds.

use std::sync::Arc;

use shared_shield::{Consent, Content, DigestAlgorithm, ErrorKind, Request, Role};

use crate::desk::{Keys, Typist};
use crate::{OFFER, both_sign, count, desk, refused, shield, sign, story, with_shim};

#[test]
fn a_module_without_such_a_mechanism_offers_no_sm2_and_the_pin_is_not_asked() {
    story("table::a_module_without_such_a_mechanism_offers_no_sm2_and_the_pin_is_not_asked", |hsm, shim| {
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
    with_shim("table::tokens_without_sm2_are_not_asked_for_vendors_numbers", |hsm, shim| {
        desk::make(hsm, Keys::P256);
        let shield = desk::shield(hsm, &shim.module);
        desk::sign(&shield, Role::Customs, &mut Typist::right(), Consent::None, &mut Vec::new()).unwrap();
        let asked = shim.calls("C_GetMechanismInfo");
        assert!(!asked.is_empty() && asked.iter().all(|line| line.contains(" mech=0x1041 ")), "{asked:?}");
    });
}

#[test]
fn a_document_whose_digest_alone_is_at_hand_is_not_given_to_a_mechanism_that_hashes() {
    story("table::a_document_whose_digest_alone_is_at_hand_is_not_given_to_a_mechanism_that_hashes", |hsm, shim| {
        let shield = shield(hsm, shim, "sm2 0x80008103 message-der\nsm2 0x80008100 z-message-raw\n", "");
        let digest = DigestAlgorithm::Sm3.of(b"order 4711").unwrap();
        let error = sign(&shield, Request::raw(Role::Bank, Content::Digest(Arc::new(digest)))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::KeyUnsuited, "{error}");
        for word in ["hash what they sign", "0x80008103 0x80008100", "set C", "digest alone"] {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
        assert_eq!((shim.calls("C_Login").len(), shim.calls("C_SignInit").len()), (0, 0));
    });
}

#[test]
fn sets_are_chosen_by_name_and_bring_their_key_types() {
    story("table::sets_are_chosen_by_name_and_bring_their_key_types", |hsm, shim| {
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
    story("table::a_rule_holds_for_the_module_and_the_maker_that_it_names", |hsm, shim| {
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
