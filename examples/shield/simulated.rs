//! The shield in software that `--simulator` names. Only a program that was built with it has one.

use std::path::Path;
use std::sync::Arc;

use shared_shield::Result;
use shared_shield::link::Readers;

/// The simulator's reader with the shield of this state file in it.
#[cfg(feature = "simulator")]
pub(crate) fn readers(file: &Path) -> Result<Arc<dyn Readers>> {
    use std::sync::OnceLock;

    use shared_shield::simulator::Simulator;

    // One program at a time may use the file, and one shield of it is all that this program needs.
    static OPEN: OnceLock<Result<Simulator>> = OnceLock::new();
    OPEN.get_or_init(|| Simulator::open(file)).clone().map(|simulator| simulator.readers())
}

#[cfg(not(feature = "simulator"))]
pub(crate) fn readers(_: &Path) -> Result<Arc<dyn Readers>> {
    Err(missing())
}

/// What a program without it says.
#[cfg(not(feature = "simulator"))]
pub(crate) fn missing() -> shared_shield::Error {
    shared_shield::Error::new(shared_shield::ErrorKind::Unsupported, "open simulator")
        .detail("this program was built without it; build it: cargo build --example shield --features simulator")
}
