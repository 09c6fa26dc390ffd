//! What a module gives that is not what the table says, or no signature at all.

use shared_shield::{Content, ErrorKind, Request, Role};

use crate::{OFFER, both_sign, desk, kit, refused, shield, sign, story};

#[test]
fn a_table_that_states_another_form_than_comes_is_named_and_nothing_leaves() {
    story("answers::a_table_that_states_another_form_than_comes_is_named_and_nothing_leaves", |hsm, shim| {
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
    story("answers::r_or_s_out_of_range_and_what_is_no_signature_do_not_leave", |hsm, shim| {
        let shields = [OFFER, "sm2 0x80008104 e-der\n"].map(|offer| (offer, shield(hsm, shim, offer, "")));
        for (offer, shield) in &shields {
            for (bend, words) in [("r-zero", "r is zero"), ("r-order", "r is not below"), ("s-order", "s is not below")]
            {
                shim.rules(&format!("{offer}sm2-bend {bend}\n"));
                refused(shield, ErrorKind::SignatureMalformed, &[words, "mechanism 0x80008"]);
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
    story("answers::der_without_the_zero_before_a_set_top_bit_is_read_as_the_number_that_it_means", |hsm, shim| {
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
    story(
        "answers::a_mechanism_that_wants_something_else_than_the_table_says_signs_nothing_that_leaves",
        |hsm, shim| {
            for form in ["z-message-raw", "message-raw"] {
                let shield = shield(hsm, shim, &format!("sm2 0x80008000 {form}\n"), "");
                refused(
                    &shield,
                    ErrorKind::SignatureWrong,
                    &["mechanism 0x80008000 was given e", "[[pkcs11.sm2]] of the profile says so"],
                );
            }
        },
    );
}
