//! The last try on a module that counts and locks: kryoptic, ten tries.
#![cfg(feature = "pkcs11")]

#[path = "support/desk.rs"]
mod desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use desk::Typist;
use shared_shield::{Consent, Error, ErrorKind, PinStatus, Profile, Recovery, Role, Scanner, Shield, Wait};

const PIN: &str = "730264819553";
const WRONG: &str = "000000000000";

/// A shield in kryoptic, whose tokens the story makes first.
fn story(name: &str, body: impl FnOnce(&Shield, &Path)) {
    let conf = |dir: &Path| vec![("KRYOPTIC_CONF", dir.join("kryoptic.conf").into())];
    softhsm::story_with(name, conf, |hsm| {
        let Some(module) = desk::built("libkryoptic_module.so") else {
            return softhsm::skip(name, "kryoptic is not built (cargo build --manifest-path tests/modules/Cargo.toml)");
        };
        let slots: String = ["customs", "bank"]
            .iter()
            .enumerate()
            .map(|(n, token)| {
                let file = hsm.dir().join(format!("{token}.sql"));
                format!("[[slots]]\nslot = {}\ndbtype = \"sqlite\"\ndbargs = {file:?}\n", n + 1)
            })
            .collect();
        fs::write(hsm.dir().join("kryoptic.conf"), slots).unwrap();
        make(&module);
        body(&shield(&module), &module);
    });
}

fn make(module: &PathBuf) {
    let host = softhsm::Host::of(module);
    for (id, name) in [(1, "customs"), (2, "bank")] {
        let session = host.login(host.token(name, PIN), PIN);
        let pair = host.p256(&session, &[id], name, &[]);
        let der = softhsm::issue(&format!("CN=Story {name} CA"), &format!("CN=Story {name}"), &pair.spki, vec![]);
        host.certificate(&session, &der, &[id], name);
    }
    host.p11.finalize().unwrap();
}

fn shield(module: &Path) -> Shield {
    let profile = Profile::parse(
        "schema = 1\ntest = true\n[[customs.issuer]]\ncommon_name = \"Story customs CA\"\n\
         [[bank.issuer]]\ncommon_name = \"Story bank CA\"\n",
    );
    let scan = Scanner::new().profile(Arc::new(profile.unwrap())).module(module).scan(&Wait::default()).unwrap();
    assert!(scan.problems.is_empty(), "{:?}", scan.problems);
    scan.for_role(Role::Customs, &Default::default()).unwrap().clone()
}

fn sign(shield: &Shield, pin: &'static str, consent: Consent) -> Result<(), Error> {
    desk::sign(shield, Role::Customs, &mut Typist::always(pin), consent, &mut Vec::new()).map(|_| ())
}

fn status(shield: &Shield) -> PinStatus {
    shield.pin_status(Role::Customs, &Default::default(), &Wait::default()).unwrap()
}

#[test]
fn software_never_spends_the_last_of_ten_tries() {
    story("software_never_spends_the_last_of_ten_tries", |shield, _| {
        sign(shield, PIN, Consent::None).unwrap();
        for n in 1..=9 {
            assert_eq!(status(shield), PinStatus::AtLeast(2), "before wrong PIN {n}");
            let refused = sign(shield, WRONG, Consent::None).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::PinIncorrect, "{refused}");
            let left = if n == 9 { PinStatus::Final } else { PinStatus::AtLeast(2) };
            assert_eq!(refused.tries_left(), Some(left), "after wrong PIN {n}");
        }
        for consent in [Consent::None, Consent::AfterRefusal] {
            let mut typist = Typist::always(WRONG);
            let guarded = desk::sign(shield, Role::Customs, &mut typist, consent, &mut Vec::new()).unwrap_err();
            assert_eq!((guarded.kind(), typist.asked), (ErrorKind::LastTry, 0), "{guarded}");
        }
        // Had one of those reached the token, the right PIN would be refused now.
        sign(shield, PIN, Consent::LastTry).unwrap();
        assert_eq!(status(shield), PinStatus::AtLeast(2));
    });
}

#[test]
fn a_locked_pin_names_its_office_and_leaves_the_other_token_alone() {
    story("a_locked_pin_names_its_office_and_leaves_the_other_token_alone", |customs, module| {
        for _ in 0..9 {
            sign(customs, WRONG, Consent::None).unwrap_err();
        }
        let locked = sign(customs, WRONG, Consent::LastTry).unwrap_err();
        assert_eq!(locked.kind(), ErrorKind::PinLocked, "{locked}");
        assert_eq!(locked.raw_status().unwrap().to_string(), "CKR_PIN_LOCKED");
        assert_eq!(locked.tries_left(), Some(PinStatus::Locked));
        assert_eq!(locked.recovery(), Recovery::UnlockAtIssuer(Some(Role::Customs)));
        assert!(locked.to_string().contains("e-port card office"), "{locked}");
        assert_eq!(status(customs), PinStatus::Locked);
        assert_eq!(sign(customs, PIN, Consent::LastTry).unwrap_err().kind(), ErrorKind::PinLocked);

        let profile = Profile::parse("schema = 1\n[[bank.issuer]]\ncommon_name = \"Story bank CA\"\n").unwrap();
        let scan = Scanner::new().profile(Arc::new(profile)).module(module).scan(&Wait::default()).unwrap();
        let bank = scan.for_role(Role::Bank, &Default::default()).unwrap();
        desk::sign(bank, Role::Bank, &mut Typist::always(PIN), Consent::None, &mut Vec::new()).unwrap();
    });
}

#[test]
fn a_pin_that_is_too_short_for_the_token_costs_no_try() {
    story("a_pin_that_is_too_short_for_the_token_costs_no_try", |shield, _| {
        for _ in 0..12 {
            let refused = sign(shield, "1234567", Consent::None).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::PinLength, "{refused}");
        }
        assert_eq!(status(shield), PinStatus::AtLeast(2));
        sign(shield, PIN, Consent::None).unwrap();
    });
}
