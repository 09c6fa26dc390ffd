//! What of a program can work with a private key in software, by the names of its functions.

#![allow(dead_code, unreachable_pub)]

use std::path::Path;
use std::process::Command;

/// Parts of names: the types of the crates that hold private keys and what works with them, and the simulator.
const PRIVATE: [&str; 8] = [
    "SigningKey",
    "SecretKey",
    "DecryptingKey",
    "sign_prehash",
    "rfc6979",
    "RsaPrivateKey",
    "shared_shield9simulator",
    "shared_shield..simulator",
];

/// Every function of the program's that works with private keys, or with public ones.
pub struct Functions {
    pub private: Vec<String>,
    /// That of SM2 which verifies: a program in which it is not found was not looked at rightly.
    pub verifies: bool,
}

/// Looks at all symbols of a program or library that was not stripped; `None` where the tool for that is not there.
pub fn functions(program: &Path) -> Option<Functions> {
    let output = Command::new("nm").arg(program).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let names = || text.lines().filter_map(|line| line.split_whitespace().last());
    let private = names().filter(|name| PRIVATE.iter().any(|part| name.contains(part)));
    let verifies = names().any(|name| name.contains("sm2") && name.contains("verify_prehash"));
    Some(Functions { private: private.map(str::to_owned).collect(), verifies })
}
