//! A customs message of anybody, verified and explained.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared_shield_fuzz::documents;

fuzz_target!(init: documents::prepare("ceb_verify", "a value was tried"), |data: &[u8]| documents::ceb_verify(data));
