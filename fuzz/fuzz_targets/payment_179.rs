//! Payment data of announcement 179.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared_shield_fuzz::documents;

fuzz_target!(init: documents::prepare("payment_179", "a string came out"), |data: &[u8]| documents::payment_179(data));
