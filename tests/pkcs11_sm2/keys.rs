//! SM2 keys find their certificates by what they are.

use std::fs;

use cryptoki::object::Attribute;
use shared_shield::{Consent, Role, Shield};

use crate::desk::Typist;
use crate::softhsm::{SoftHsm, issue};
use crate::{HASHING, OFFER, desk, kit, shield, softhsm, with_shim};

const PIN: &str = "593071648205";

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
    with_shim(
        "keys::keys_of_two_curves_that_say_nothing_but_their_curve_are_told_apart_without_a_trial",
        |hsm, shim| {
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
        },
    );
}

#[test]
fn sm2_keys_that_bear_each_others_ids_still_sign_as_themselves() {
    with_shim("keys::sm2_keys_that_bear_each_others_ids_still_sign_as_themselves", |hsm, shim| {
        one_token(hsm, |host, session| {
            let pairs = [(0x44, 1), (0x55, 2)].map(|(n, id)| host.sm2(session, &[n; 32], &[id], "key", &[]));
            for (pair, id) in pairs.iter().zip([2, 1]) {
                session.update_attributes(pair.private, &[Attribute::Id(vec![id])]).unwrap();
            }
            pairs
        });
        // Whatever kind of mechanism has to prove the key, one that hashes among them.
        for offer in [OFFER, "sm2 0x80008104 e-der\n", HASHING[1].0, HASHING[2].0] {
            let shield = shield(hsm, shim, offer, "");
            for role in Role::ALL {
                signed_by_its_own_key(&shield, role, "-sm3");
            }
        }
    });
}
