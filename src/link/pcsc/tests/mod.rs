//! Connections, transactions and the watch over a service that does what pcscd cannot be made to do.

mod transactions;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::api::{Protocol, Why};
use super::scripted::{Call, Scripted};
use super::{Code, PcscReaders};
use crate::apdu::{Sensitive, Wire};
use crate::error::{ErrorKind, Status};
use crate::link::{Continuity, Link, Presence, Readers, Transaction};
use crate::policy;
use crate::wait::{Cancel, Wait};

const READER: &str = "Virtual PCD 00 00";
const ATR: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];

fn desk() -> (Scripted, PcscReaders) {
    let service = Scripted::new();
    service.plug(READER);
    service.insert(READER, &ATR);
    let readers = PcscReaders::new(Arc::new(service.clone()));
    (service, readers)
}

fn ms(time: u64) -> Wait {
    Wait::at_most(Duration::from_millis(time))
}

fn command(octets: &[u8]) -> Wire {
    Wire::new(octets.to_vec(), Sensitive::No)
}

fn select(transaction: &mut dyn Transaction) -> crate::error::Result<Vec<u8>> {
    transaction.transmit(&command(&[0x00, 0xA4, 0x04, 0x00]))
}

/// Waits until a count is reached: threads of the library end on their own time.
fn until(what: &str, reached: impl Fn() -> bool) {
    let start = Instant::now();
    while !reached() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what} did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Everything that was opened was given back, and nothing is locked.
fn all_given_back(service: &Scripted) {
    until("giving everything back", || {
        service.count(Call::Disconnect) == service.count(Call::Connect)
            && service.count(Call::Release) == service.count(Call::Establish)
    });
    assert!(!service.locked(READER));
}
