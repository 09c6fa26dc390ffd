//! One token, two drivers: one shield with two ways to its keys.
#![cfg(feature = "pkcs11")]

#[path = "support/desk.rs"]
mod desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::path::Path;
use std::sync::Arc;

use desk::{Keys, Shim, Typist};
use shared_shield::{Consent, Profile, Role, Scan, Scanner, Wait};
use softhsm::MODULE;

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
