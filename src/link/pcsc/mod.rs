//! Readers and keys through PC/SC: pcscd on Linux and BSD, the service of Windows, the framework of macOS.
//!
//! Three calls of PC/SC block without limit and listen to no cancel: connecting, beginning a transaction, and transmitting. So every connection
//! has a thread of its own (`worker`), which owns its context and its card, and whoever waits for it waits with a [`crate::Wait`]. What a caller
//! gave up, the thread gives back: a transaction that comes too late is ended at once, or given to the next who waits.
//!
//! - Connections are shared, and leave the card as it is on every path: see [`api`].
//! - A context whose service went away stays dead for ever, also when the service is back. None is kept: each connection, each watch and each
//!   look has its own.
//! - Extended length is used where the card's ATR **and** the reader say so, see `capability`. Readers that do not say get short commands.

pub mod api;
mod capability;
mod codes;
mod desk;
mod observer;
mod pace;
mod readers;
mod refusal;
#[cfg(any(test, feature = "doubles"))]
pub mod scripted;
#[cfg(feature = "pcsc")]
mod system;
#[cfg(test)]
mod tests;
mod worker;

pub use capability::largest;
pub use codes::Code;
pub use readers::PcscReaders;
pub use refusal::look;
#[cfg(feature = "pcsc")]
pub use system::{System, system};
