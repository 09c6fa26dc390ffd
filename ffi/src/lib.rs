//! The C interface of `shared-shield`: `libshared_shield` with `include/shared_shield.h`.
//!
//! The header says how a C program uses it; this is how it is made.
//!
//! - `border` holds the macro that makes every exported function, and all unsafe code. `slab` holds the objects behind the
//!   handles, `quiet` catches panics, `types` has the structs that C fills. The other modules are one for each kind of object
//!   and hold safe code only.
//! - Result codes are the numbers of [`shield::ErrorKind`]; 0 is success. The header's list of them is made from
//!   `ErrorKind::ALL`, so that no kind can be missing in C.
//! - Values of an object are read by field number (`shield_error_text(error, SHIELD_ERROR_MESSAGE, …)`): a new field adds no
//!   symbol. `symbols.txt` lists the symbols; tests hold the library to it on Linux and on Windows.
//!
//! # What is still to come
//!
//! Shields are reached through PKCS#11 modules and through the computer's readers (`readers`), by the same functions. Places are kept for what
//! follows, and the functions will not change for it:
//!
//! | what | place |
//! |---|---|
//! | waiting that another thread ends (`Cancel`), jobs with start, wait, cancel and result | a handle kind, a field at the end of each options struct |
//! | arrival and removal of shields (watch) | a handle kind |
//! | two-step signing (`prepare`, `complete`) and pushed digests | a handle kind (`Pending`), a field of the request |
//! | which driver looked at a card, and why | functions on `shield_scan` |
//! | tries of a PIN without a signature, changing and unlocking PINs | functions on `shield_device` |
//! | login randoms and bank challenges, EMS fields, digests | a row in `formats` |
//! | another identifier set, a signature replaced, another declarant, another SM2 identifier | a field of the request |
//! | batches of a folder or a manifest with a journal | a handle kind |
//! | certificate requests | functions on `shield_device` |
//! | opening envelopes, issuing and renewing certificates | functions on `shield_device` |
//! | lists as JSON | functions that fill `shield_bytes` |
//! | logs and the audit trail to a callback | a function that takes callback and userdata |
//! | diagnosis (`doctor`) | a function that gives a report |

mod batch;
mod border;
mod bytes;
mod credential;
mod device;
mod error;
mod failpoint;
mod formats;
mod prompt;
mod quiet;
mod readers;
mod receipt;
mod report;
mod scan;
mod select;
mod sign;
mod slab;
/// What this library and the one that knows PC/SC share.
#[cfg(not(any(windows, target_os = "macos")))]
#[path = "../pcsc/src/table.rs"]
mod table;
mod types;
mod verify;
mod version;

pub use border::{Octets, OctetsList, Text, TextList};
pub use types::*;

use shield::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::time::SystemTime;

/// A text for a C buffer: NUL at the end, none before it.
pub(crate) fn terminated(text: String) -> Vec<u8> {
    let mut octets = text.replace('\0', "\u{fffd}").into_bytes();
    octets.push(0);
    octets
}

/// The error for a field number that an object does not have.
pub(crate) fn no_field<R>(field: u32) -> Result<R> {
    Err(Error::new(ErrorKind::Argument, "read a field").detail(format!("there is no field {field}")))
}

/// The element at an index that C gave.
pub(crate) fn at<T>(list: &[T], index: usize) -> Result<&T> {
    let beyond = || format!("index {index} of {}", list.len());
    list.get(index).ok_or_else(|| Error::new(ErrorKind::Argument, "read a list").detail(beyond()))
}

/// Seconds since 1970 UTC, negative before.
pub(crate) fn seconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |s| -s),
    }
}

/// A number that fits C's one width for numbers.
pub(crate) fn number(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

border::handles! {
    /// Octets that the library owns.
    Bytes = 1, "shield_bytes", Vec<u8>;
    /// What went wrong.
    ShieldError = 2, "shield_error", Error;
    /// What a scan found: shields, and problems with readers, drivers and tokens.
    Scan = 3, "shield_scan", shield::Scan;
    /// One shield: a USB key or card.
    Device = 4, "shield_device", shield::Shield;
    /// One certificate of a shield, as it stood when it was listed.
    Credential = 5, "shield_credential", shield::Listed;
    /// An unlocked role: one PIN entry, many signatures.
    Batch = 6, "shield_batch", shield::Session;
    /// Who signed what with what.
    Receipt = 7, "shield_receipt", shield::Receipt;
    /// The findings of a verification.
    Report = 8, "shield_report", shield::Report;
}

/// The object behind a handle that is in use.
pub(crate) type Held<T> = Arc<<T as slab::Handle>::Object>;
