//! The manual: how the library is built and why. Documentation only, no code.
//!
//! - [`architecture`]: the rooms, who may know what, and where the frame was changed.
//! - [`signature`]: the life of one signature, step by step.
//! - [`customs`]: the formats of customs, byte for byte, with their sources.
//! - [`threats`]: who may attack, what holds, what remains.
//! - [`errors`]: how to read an error, and the rule for new kinds.

pub mod architecture;
pub mod customs;
pub mod errors;
pub mod signature;
pub mod threats;
