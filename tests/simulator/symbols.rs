//! The look for private keys in software finds them where they are; `ffi/tests` has the library that is given away, where there are none.

#[path = "../support/private_keys.rs"]
mod private_keys;

use private_keys::functions;

use crate::child;

#[test]
fn a_program_with_the_simulator_shows_its_private_keys_among_its_functions() {
    let Some(found) = functions(&std::env::current_exe().unwrap()) else {
        return child::skip("a_program_with_the_simulator_shows_its_private_keys", "nm is not there (binutils)");
    };
    assert!(found.verifies);
    for part in ["SigningKey", "DecryptingKey", "sign_prehash", "simulator"] {
        assert!(found.private.iter().any(|name| name.contains(part)), "{part}");
    }
}
