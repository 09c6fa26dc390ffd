//! A customs message, prepared for signing and finished.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared_shield_fuzz::{begin, documents};

fuzz_target!(init: begin("ceb_prepare", &["got to the end: a document came out"]), |data: &[u8]| documents::ceb_prepare(data));
