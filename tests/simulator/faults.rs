//! What a plan of faults does to a device, as a program sees it.

use std::time::{Duration, Instant};

use shared_shield::apdu::{Sensitive, Wire};
use shared_shield::link::{Continuity, Link, Presence, Transaction};
use shared_shield::simulator::{Algorithm, Fault, FaultKind, READER, Simulator};
use shared_shield::{Error, ErrorKind, Wait};
use std::sync::Arc;

use crate::terminal::{USER, cryptogram};
use crate::{CUSTOMS_PIN, shared_shield, terminal};

const RANDOM: [u8; 7] = [0x80, 0x50, 0, 0, 0, 0, 8];

fn link(device: &Simulator) -> Arc<dyn Link> {
    device.readers().connect(READER, &Wait::default()).unwrap()
}

fn begin(link: &Arc<dyn Link>) -> Box<dyn Transaction> {
    link.begin(&Wait::default()).unwrap()
}

fn send(held: &mut Box<dyn Transaction>, apdu: &[u8]) -> Result<Vec<u8>, Error> {
    held.transmit(&Wire::new(apdu.to_vec(), Sensitive::No))
}

fn plan(device: &Simulator, at: u64, what: FaultKind) {
    device.plan(vec![Fault { at, what }]);
}

#[test]
fn a_device_that_is_pulled_out_is_gone_until_it_is_put_in() {
    let device = shared_shield("syno-2015");
    let first = link(&device);
    plan(&device, 1, FaultKind::PullOut);
    let mut held = begin(&first);
    assert_eq!(send(&mut held, &RANDOM).unwrap().len(), 10);
    assert_eq!(send(&mut held, &RANDOM).unwrap_err().kind(), ErrorKind::CardRemoved);
    drop(held);
    assert_eq!(device.readers().list(&Wait::default()).unwrap()[0].presence, Presence::Empty);
    assert_eq!(first.begin(&Wait::default()).map(drop).unwrap_err().kind(), ErrorKind::CardRemoved);
    device.insert();
    assert_eq!(send(&mut begin(&link(&device)), &RANDOM).unwrap().len(), 10);
    device.pull_out();
    assert!(device.readers().connect(READER, &Wait::at_most(Duration::from_millis(10))).is_err());
}

#[test]
fn a_reset_ends_transaction_and_login() {
    let device = shared_shield("gm3000");
    device.generate("eport", "declarant", Algorithm::Sm2).unwrap();
    let t = terminal(&device, "gm3000");
    let link = link(&device);
    drop(begin(&link));
    let customs = t.open("eport");
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
    plan(&device, 0, FaultKind::Reset);
    let mut held = begin(&link);
    assert_eq!(send(&mut held, &RANDOM).unwrap_err().kind(), ErrorKind::TokenFailed);
    assert!(send(&mut held, &RANDOM).is_err(), "the transaction is over");
    drop(held);
    assert_eq!(begin(&link).continuity(), Continuity::Reset);
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x698A, "no application is open");
    t.open("eport");
    assert_eq!(t.ask(0x40, 0, 0, &[&customs[..], b"second"].concat(), 2).sw, 0x6982, "nobody is in");
}

#[test]
fn a_command_whose_answer_is_lost_was_done() {
    let device = shared_shield("gm3000");
    let t = terminal(&device, "gm3000");
    let customs = t.open("eport");
    let random = t.random(8);
    let wrong = [&customs[..], &cryptogram("gm3000", "999999", &random)].concat();
    plan(&device, 0, FaultKind::Lost);
    let mut held = begin(&link(&device));
    let lost = send(&mut held, &t.apdu([0x80, 0x18, 0, USER], &wrong, None));
    assert_eq!(lost.unwrap_err().kind(), ErrorKind::TokenFailed);
    assert_eq!(t.tries(customs, USER).1, 4);
}

#[test]
fn answers_come_bent_or_late_where_that_was_planned() {
    let device = shared_shield("syno-2015");
    let mut held = begin(&link(&device));
    let slow = Duration::from_millis(40);
    let faults = [FaultKind::Cut, FaultKind::Garbage, FaultKind::Slow(slow), FaultKind::Button(slow)];
    device.plan((1..).zip(faults).map(|(at, what)| Fault { at, what }).collect());
    assert_eq!(send(&mut held, &RANDOM).unwrap().len(), 10);
    assert_eq!(send(&mut held, &RANDOM).unwrap().len(), 5);
    assert!(send(&mut held, &[0x80, 0x04, 0, 0]).unwrap().len() < 288, "no device information has this length");
    for _ in 0..2 {
        let start = Instant::now();
        assert_eq!(send(&mut held, &RANDOM).unwrap().len(), 10);
        assert!(start.elapsed() >= slow);
    }
    let start = Instant::now();
    assert_eq!(send(&mut held, &RANDOM).unwrap().len(), 10);
    assert!(start.elapsed() < slow, "the plan is over");
}
