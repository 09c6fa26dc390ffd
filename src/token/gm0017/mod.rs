//! Devices of GM/T 0017-2012 over PC/SC: applications with PINs of their own, containers with a signing and an encryption pair, SM2 keys.
//!
//! One file for each concern: `dialect` (what sources leave unsettled, as data), `crypto` (cryptograms and MACs), `frame` (commands and status
//! words), `info` (what a device says of itself), `name` (names and places), `application`, `container`, `memory` (numbers and habits that are
//! remembered), `form` (which dialect a device speaks), `pin`, `sign`, `survey`, `token` (what a lease gives), `pins` (change and unblock), `issuing`
//! (keys and certificates), `enveloped` (what a CA or a sender made for a key, read by `suite::sm2_wire`), `opening`, `device` and `file` (free
//! functions).
//!
//! One device is one door, whose token shows the slots of all applications. Each application has a PIN of its own, so a
//! [`PinRef`](super::PinRef) is the application's name. Applications are never created, changed or deleted here: on a shared shield the other
//! one belongs to somebody else.

mod application;
mod container;
mod crypto;
mod device;
mod dialect;
mod driver;
mod enveloped;
mod file;
mod form;
mod frame;
mod info;
mod issuing;
mod memory;
mod name;
mod opening;
mod pin;
mod pins;
mod sign;
mod survey;
mod token;

pub use application::{AppId, clear_secure_state, close_application, open_application};
pub use device::{authenticate_device, random, set_label};
pub use dialect::{DIALECTS, Dialect, MacForm, Order, PinDigest, Sm2Numbers};
pub use file::{FileAttributes, Rights, create_file, delete_file, file_attributes, files, read_file, write_file};
pub use info::{DEVICE_INFO, DeviceInfo, Number, Version, device_info};
pub use issuing::{encryption_place, place};

pub(super) use driver::GM0017;
pub(super) use memory::{Habits, Memory};

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod left_tests;
#[cfg(test)]
mod login_tests;
#[cfg(test)]
mod manage_tests;
#[cfg(test)]
mod model;
#[cfg(test)]
mod model_answers;
#[cfg(test)]
mod neighbour_tests;
#[cfg(test)]
mod shield_tests;
#[cfg(test)]
mod tests;
