//! Payment data of announcement 179.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared_shield_fuzz::{begin, documents};

fuzz_target!(init: begin("payment_179", &["got to the end: a string came out"]), |data: &[u8]| documents::payment_179(data));
