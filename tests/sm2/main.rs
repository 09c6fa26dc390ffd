//! SM2 and SM3 on the host: what is signed here verifies with OpenSSL and the reverse, in every form that a signature takes. A key in software
//! stands where a token will.
#![cfg(all(feature = "json", feature = "rsa", feature = "sm", feature = "xml"))]

mod certificates;
mod desk;
#[path = "../support/customs_kit.rs"]
mod kit;
mod messages;
mod requests;
mod signing;
mod wrapped;
