//! A customs message of anybody, verified and explained.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared_shield_fuzz::{begin, documents};

fuzz_target!(init: begin("ceb_verify", &["got to the end: a value was tried"]), |data: &[u8]| documents::ceb_verify(data));
