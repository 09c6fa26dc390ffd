//! Arbitrary card answers through link, exchange, PIV driver and a whole sign story.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: shared_shield_fuzz::prepare(), |data: &[u8]| shared_shield_fuzz::piv_sign(data));
