//! The manual: how the library is built and why. Documentation only, no code.
//!
//! - [`architecture`]: the rooms, who may know what, and where the frame was changed.
//! - [`signature`]: the life of one signature, step by step.
//! - [`errors`]: how to read an error, and the rule for new kinds.

pub mod architecture;
pub mod errors;
pub mod signature;
