//! The library that is given away has no private keys in software. The same look finds them in a program that has the simulator
//! (tests/simulator/symbols.rs of the root crate).

#[path = "../../../tests/support/private_keys.rs"]
mod private_keys;

use crate::build::Library;
use crate::softhsm::child;

#[test]
fn the_library_that_is_given_away_has_no_private_keys_in_software() {
    let library = Library::Plain.folder().join("libshared_shield.so");
    let Some(found) = private_keys::functions(&library) else {
        return child::skip("the_library_that_is_given_away_has_no_private_keys", "nm is not there (binutils)");
    };
    assert!(found.verifies, "{} was not looked at rightly", library.display());
    assert!(found.private.is_empty(), "{:?}", found.private);
}
