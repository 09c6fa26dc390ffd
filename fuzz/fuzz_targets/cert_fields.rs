//! A certificate with the e-port's fields, or a revocation list.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared_shield_fuzz::{begin, documents};

fuzz_target!(init: begin("cert_fields", &["got to the end: it could be read"]), |data: &[u8]| documents::cert_fields(data));
