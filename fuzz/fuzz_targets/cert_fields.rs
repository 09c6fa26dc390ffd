//! A certificate with the e-port's fields, or a revocation list.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared_shield_fuzz::documents;

fuzz_target!(init: documents::prepare("cert_fields", "it could be read"), |data: &[u8]| documents::cert_fields(data));
