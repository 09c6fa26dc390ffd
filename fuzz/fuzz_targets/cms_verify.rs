//! A CMS message of anybody.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared_shield_fuzz::documents;

fuzz_target!(init: documents::prepare("cms_verify", "a signer was judged"), |data: &[u8]| documents::cms_verify(data));
