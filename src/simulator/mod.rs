//! A whole shared shield in software, which speaks GM/T 0017.
//!
//! It imports nothing of the driver: two parts that share code prove nothing by agreeing.
