//! What a verifier says of documents that others made: each cause by its name, and the same verdicts as other programs.
#![cfg(all(feature = "json", feature = "rsa", feature = "sm", feature = "xml"))]

#[path = "../support/ceb_kit.rs"]
mod ceb_kit;
#[path = "../support/libxml2.rs"]
mod libxml2;

mod agreement;
mod chains;
mod documents;
mod freed;
mod lists;
mod pki;
