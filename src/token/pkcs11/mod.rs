//! PKCS#11 modules as doors (OASIS PKCS#11 2.40).
//!
//! - A module is named by its absolute path, loaded once for a process and never finalised: see `module`.
//! - A lease is a session of its own on a thread of its own; leases of one token share one counted login: see `login`.
//! - A private key is paired with its certificate by the public key, never by CKA_ID or label: see `pair`.
//! - SM2 has vendors' numbers alone: which ones a module means is data from the profile, see `sm2`.
//! - Whatever carries a length or a count comes through `raw`, with buffers of fixed size.
//!
//! A module's call cannot be interrupted. Who waits for it gets an answer in time; the call goes on in its thread until the
//! module returns, and holds what it holds (a session, a share of a login) until then.

mod ckr;
mod dialect;
mod door;
mod login;
mod mechanism;
mod module;
mod objects;
mod pair;
mod pins;
mod raw;
mod sm2;
mod token;
mod voice;

use crate::error::Error;
use crate::error::ErrorKind;
use crate::wait::Wait;

pub(crate) use door::discover;

/// Why a wait ended without an answer.
fn ended(wait: &Wait, operation: &'static str) -> Error {
    let kind = if wait.cancel.is_cancelled() { ErrorKind::Cancelled } else { ErrorKind::Timeout };
    Error::new(kind, operation)
}
