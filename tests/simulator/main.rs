//! The simulator, as a card and as a device: told octet by octet, and judged by OpenSSL.
#![cfg(unix)]

#[path = "../support/child.rs"]
mod child;
mod device;
mod faults;
mod habits;
mod keys;
mod killed;
#[path = "../support/pcscd.rs"]
mod pcscd;
mod pins;
mod reader;
mod state;
mod symbols;
#[path = "../support/gm_terminal.rs"]
mod terminal;

/// Where `pcscd.rs` looks for `child.rs`.
mod softhsm {
    pub(crate) use crate::child;
}

use shared_shield::simulator::{ApplicationSetup, Simulator};
use terminal::Terminal;

pub(crate) const ADMIN_PIN: &str = "87654321";
pub(crate) const CUSTOMS_PIN: &str = "12345678";
pub(crate) const BANK_PIN: &str = "246810";
pub(crate) const DIALECTS: [&str; 3] = ["syno-2015", "usbtool", "gm3000"];

/// An application with these tries.
pub(crate) fn setup(name: &str, user_pin: &str, user_tries: u8) -> ApplicationSetup {
    ApplicationSetup {
        name: name.to_owned(),
        admin_pin: ADMIN_PIN.to_owned(),
        admin_tries: 3,
        user_pin: user_pin.to_owned(),
        user_tries,
    }
}

/// Customs with five tries and the bank with six, as they are issued.
pub(crate) fn shared_shield(dialect: &str) -> Simulator {
    let device = Simulator::blank("SIM-0001").unwrap();
    device.speak(dialect).unwrap();
    device.create_application(&setup("eport", CUSTOMS_PIN, 5)).unwrap();
    device.create_application(&setup("bank", BANK_PIN, 6)).unwrap();
    device.create_container("eport", "declarant").unwrap();
    device.create_container("bank", "payer").unwrap();
    device
}

/// What speaks with it.
pub(crate) fn terminal(device: &Simulator, dialect: &'static str) -> Terminal {
    Terminal::new(device.card(), dialect)
}
