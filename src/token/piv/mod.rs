//! PIV cards and keys: NIST SP 800-73-4 and -5, part 1 (data) and part 2 (commands), and what keys of many makers add to it.
//!
//! One file for each concern: `driver` (is it such a card, which one), `family` (what an ATR says, and quirks), `object` (data objects and
//! certificates in them), `slot` (key references), `pin` (VERIFY and the state before it), `sign`, `opening` (ECDH), `pins` (change and
//! unblock), `manage` and `issuing` (management key, key generation, certificates), `token` (what a lease gives).
//!
//! All slots share one PIN, so one [`super::PinRef`] stands for all of them: the octet of the PIN's key reference.

mod driver;
mod family;
#[cfg(test)]
mod hostile_tests;
mod issuing;
mod manage;
#[cfg(test)]
mod manage_tests;
#[cfg(test)]
mod model;
mod object;
mod opening;
mod pin;
mod pins;
mod sign;
mod slot;
#[cfg(test)]
mod tests;
mod token;

pub(super) use driver::PIV;
