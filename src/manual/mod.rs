//! The manual: how the library is built and why. Documentation, and one table that documentation and code are both made of: the findings.
//!
//! - [`architecture`]: the rooms, who may know what, and where the frame was changed.
//! - [`signature`]: the life of one signature, step by step.
//! - [`customs`]: the formats of customs, byte for byte, with their sources.
//! - [`threats`]: who may attack, what holds, what remains.
//! - [`errors`]: how to read an error, and the rule for new kinds.
//! - [`findings`]: what a verifier can find, and what to do about it.

pub mod architecture;
pub mod customs;
pub mod errors;
pub mod findings;
pub mod signature;
pub mod threats;
