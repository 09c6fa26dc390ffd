//! The command-line program over PC/SC: a private pcscd, and a PIV card that others wrote in its first reader. Tools that are not ours judge.
#![cfg(all(unix, feature = "pcsc", feature = "pkcs11", feature = "rsa"))]

mod desk;
#[path = "../support/pcscd.rs"]
mod pcscd;
mod pins;
#[path = "../support/piv_card.rs"]
mod piv_card;
mod pulled;
mod seen;
mod signing;
#[path = "../support/softhsm.rs"]
mod softhsm;
mod thousand;
mod watching;
