//! Which library this is.

use crate::border::export;
use crate::types::SHIELD_ABI_VERSION;

export! {
    /// The version of the interface that this library has: at least `SHIELD_ABI_VERSION` of the header that you compiled with,
    /// or the library is too old for your program.
    fn shield_abi_version() -> (version: *mut u32) {
        Ok((SHIELD_ABI_VERSION,))
    }
}

export! {
    /// The version of the library, such as `0.1.0`.
    fn shield_version() -> text {
        Ok(env!("CARGO_PKG_VERSION").to_owned())
    }
}
