//! Arbitrary commands into the simulator.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: shared_shield_fuzz::prepare_commands(), |data: &[u8]| shared_shield_fuzz::commands::run(data));
