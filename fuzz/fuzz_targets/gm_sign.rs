//! Arbitrary answers of a device of GM/T 0017 through link, exchange, driver and a whole sign story.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: shared_shield_fuzz::prepare_gm(), |data: &[u8]| shared_shield_fuzz::gm_sign(data));
