//! A customs message, prepared for signing and finished.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared_shield_fuzz::documents;

fuzz_target!(init: documents::prepare("ceb_prepare", "a document came out"), |data: &[u8]| documents::ceb_prepare(data));
