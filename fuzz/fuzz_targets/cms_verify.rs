//! A CMS message of anybody.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared_shield_fuzz::{begin, documents};

fuzz_target!(init: begin("cms_verify", &["got to the end: a signer was judged"]), |data: &[u8]| documents::cms_verify(data));
