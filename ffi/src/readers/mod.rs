//! The computer's readers.
//!
//! On Windows and macOS PC/SC is part of the system, and the library is linked with it. Elsewhere it may be missing, and this library must load
//! without it: there it stands in a library of its own (`ffi/pcsc`), which is opened when a program asks for readers.

#[cfg(not(any(windows, target_os = "macos")))]
mod place;
#[cfg(not(any(windows, target_os = "macos")))]
mod service;

use std::sync::{Arc, OnceLock};

use shield::link::Readers;

/// The readers: the same ones for every scan, so that calls which a hanging service keeps are bounded for the whole program.
pub(crate) fn all() -> Arc<dyn Readers> {
    static ALL: OnceLock<Arc<dyn Readers>> = OnceLock::new();
    Arc::clone(ALL.get_or_init(make))
}

#[cfg(any(windows, target_os = "macos"))]
fn make() -> Arc<dyn Readers> {
    shield::link::pcsc::system()
}

#[cfg(not(any(windows, target_os = "macos")))]
fn make() -> Arc<dyn Readers> {
    Arc::new(shield::link::pcsc::PcscReaders::new(Arc::new(service::Opened)))
}
