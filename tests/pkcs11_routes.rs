//! One token, two drivers: one shield with two ways to its keys.
#![cfg(feature = "pkcs11")]

#[path = "support/desk.rs"]
mod desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::path::Path;
use std::sync::Arc;

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass};
use desk::{Keys, Shim, Typist};
use shared_shield::{Consent, Error, ErrorKind, Profile, Role, Scan, Scanner, Selector, Standing, Wait};
use softhsm::{Host, MODULE, SoftHsm};

/// As a second driver words its labels.
const LABELS: &str = "label e-port%20(User%20PIN) token=customs\nlabel e-port%20(Sign%20PIN) token=bank\n";
/// It does not tell of a key where it was made (CKA_LOCAL).
const NO_LOCAL: &str = "huge-attribute unavailable type=0x163\n";

#[test]
fn a_token_behind_two_drivers_is_one_shield_and_the_second_serves_where_the_first_fails() {
    let name = "a_token_behind_two_drivers_is_one_shield_and_the_second_serves_where_the_first_fails";
    softhsm::story_with(name, Shim::env, |hsm| {
        let Some(shim) = Shim::of(hsm) else {
            return softhsm::skip(name, "the shim is not built (cargo build --manifest-path tests/modules/Cargo.toml)");
        };
        desk::make(hsm, Keys::P256);
        let profile = Arc::new(Profile::load(&hsm.dir().join("profile.toml")).unwrap());
        let scan = |modules: [&Path; 2]| -> Scan {
            let scanner = modules.into_iter().fold(Scanner::new().profile(profile.clone()), Scanner::module);
            scanner.scan(&Wait::default()).unwrap()
        };
        for (modules, first) in
            [([&shim.module, Path::new(MODULE)], "p11shim"), ([Path::new(MODULE), &shim.module], "softhsm")]
        {
            let found = scan(modules);
            let shield = found.only().unwrap();
            assert_eq!(shield.doors().count(), 4, "two tokens, each behind two drivers");
            assert_eq!(shield.certificates().len(), 2);
            let receipt =
                desk::sign(shield, Role::Customs, &mut Typist::right(), Consent::None, &mut Vec::new()).unwrap();
            let door = receipt.door.unwrap().to_string();
            assert!(door.contains(first), "{door}: the driver that was named first serves");
        }
        let found = scan([&shim.module, Path::new(MODULE)]);
        shim.rules("rv C_OpenSession 0xe0");
        let receipt =
            desk::sign(found.only().unwrap(), Role::Customs, &mut Typist::right(), Consent::None, &mut Vec::new())
                .unwrap();
        assert!(receipt.door.unwrap().to_string().contains("softhsm"), "the other way is taken");
    });
}

fn scan(hsm: &SoftHsm, modules: [&Path; 2]) -> Scan {
    let profile = Arc::new(Profile::load(&hsm.dir().join("profile.toml")).unwrap());
    modules.into_iter().fold(Scanner::new().profile(profile), Scanner::module).scan(&Wait::default()).unwrap()
}

fn sign(scan: &Scan, role: Role) -> Result<String, Error> {
    let shield = scan.only().unwrap();
    let receipt = desk::sign(shield, role, &mut Typist::right(), Consent::None, &mut Vec::new())?;
    Ok(receipt.door.unwrap().to_string())
}

/// Both ways are there, and nothing is told of a copy.
fn serves_by_both(hsm: &SoftHsm, shim: &Shim, rules: &str) {
    for (modules, first) in
        [([&*shim.module, Path::new(MODULE)], "p11shim"), ([Path::new(MODULE), &shim.module], "softhsm")]
    {
        shim.rules(rules);
        let found = scan(hsm, modules);
        assert!(found.problems.is_empty(), "{rules}: {:?}", found.problems);
        let shield = found.only().unwrap();
        assert_eq!(shield.certificates().len(), 2);
        for one in shield.certificates() {
            assert_eq!((one.standing, one.doors.len()), (Standing::Serves, 2), "{rules}: {}", one.reason);
            assert_eq!(one.reason, format!("it serves as {} certificate", one.role.unwrap()));
        }
        for role in Role::ALL {
            assert!(sign(&found, role).unwrap().contains(first));
            assert!(shield.also_opens(&shield.credential(role, &Selector::default()).unwrap()).is_empty());
        }
        shim.rules(&format!("{rules}rv C_OpenSession 0xe0"));
        for role in Role::ALL {
            assert!(sign(&found, role).unwrap().contains("softhsm"), "the other way is taken");
        }
    }
}

/// Every public key as another program writes it: without CKA_LOCAL.
fn rewrite_public_keys() {
    let host = Host::beside(MODULE);
    for token in ["customs", "bank"] {
        let session = host.p11.open_rw_session(host.slot(token)).unwrap();
        for key in session.find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY)]).unwrap() {
            let mut copy = session.get_attributes(key, &[AttributeType::EcParams, AttributeType::EcPoint]).unwrap();
            copy.extend([Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::KeyType(KeyType::EC)]);
            copy.extend([Attribute::Token(true), Attribute::Private(false), Attribute::Id(vec![1])]);
            session.destroy_object(key).unwrap();
            session.create_object(&copy).unwrap();
        }
    }
}

fn plant(der: &[u8]) {
    let host = Host::beside(MODULE);
    let session = host.p11.open_rw_session(host.slot("bank")).unwrap();
    host.certificate(&session, der, &[77], "planted");
}

/// The vendor's driver and another one, which words its labels otherwise: whoever is told that one of them shows a copy deletes the only certificate.
#[test]
fn a_token_that_two_drivers_call_by_two_labels_is_no_copy_of_itself() {
    let name = "a_token_that_two_drivers_call_by_two_labels_is_no_copy_of_itself";
    softhsm::story_with(name, Shim::env, |hsm| {
        let Some(shim) = Shim::of(hsm) else {
            return softhsm::skip(name, "the shim is not built (cargo build --manifest-path tests/modules/Cargo.toml)");
        };
        desk::make(hsm, Keys::P256);
        serves_by_both(hsm, &shim, LABELS);
        serves_by_both(hsm, &shim, &format!("{LABELS}{NO_LOCAL}"));
        // A copy on the bank's token is one still, by whichever driver it is seen.
        let modules = [&*shim.module, Path::new(MODULE)];
        shim.rules(&format!("{LABELS}{NO_LOCAL}"));
        let der = desk::certificate(scan(hsm, modules).only().unwrap(), Role::Customs).der().to_vec();
        plant(&der);
        let found = scan(hsm, modules);
        assert_eq!(found.problems.iter().map(Error::kind).collect::<Vec<_>>(), [ErrorKind::KeyMismatch; 2]);
        assert!(found.problems.iter().all(|p| p.what().unwrap().contains("can be removed")), "{:?}", found.problems);
        for role in Role::ALL {
            sign(&found, role).unwrap();
        }
        // Nobody tells of the keys any more.
        rewrite_public_keys();
        let error = sign(&scan(hsm, modules), Role::Customs).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SeveralCredentials);
        assert!(error.what().unwrap().contains("nothing shows where its key is: remove the copy"), "{error}");
        {
            let host = Host::beside(MODULE);
            let session = host.p11.open_rw_session(host.slot("bank")).unwrap();
            let planted = session.find_objects(&[Attribute::Label(b"planted".to_vec())]).unwrap();
            planted.into_iter().for_each(|object| session.destroy_object(object).unwrap());
        }
        serves_by_both(hsm, &shim, LABELS);
    });
}
