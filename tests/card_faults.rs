//! Reset, removal, garbage, truncation, a stopped service, a slow card: each at every step of every story. What comes of it is success or an
//! error that says what to do; never a panic, a hang, a second wrong PIN, or half a result.
#![cfg(feature = "piv")]

#[path = "support/faulted.rs"]
mod faulted;
#[path = "support/vpcd_card.rs"]
mod vpcd_card;

use std::sync::{Arc, OnceLock};

use faulted::{Run, Story, every_fault_at_every_step};
use shared_shield::link::Readers;
use shared_shield::token::{AdminAuth, Insertion, Place};
use shared_shield::{
    Certificate, Consent, Error, ErrorKind, Event, Pin, PinStatus, Reference, Role, Scan, Scanner, Suite,
};
use vpcd_card::{self as bench, Desk, Kind, MANAGEMENT_KEY, PIN, PUK, READER, any, driver, made};

/// What a new PIN is in these stories, and a wrong one.
const OTHER: &str = "654321";

fn story(name: &'static str, tell: fn(&Run) -> Result<(), Error>) -> Story {
    Story { name, kind: Kind, tell, resends: 0, changes: 0, wrong: 0, bare: false }
}

fn pin(octets: &str) -> Pin {
    Pin::new(Role::Customs, octets.as_bytes()).unwrap()
}

/// The shield is there with its customs certificate, or the first reason why not.
fn found(run: &Run, scan: Scan) -> Result<(), Error> {
    let served = scan.for_role(Role::Customs, &any()).and_then(|shield| {
        assert_eq!(shield.serial(), run.shield.serial());
        shield.credential(Role::Customs, &any())
    });
    match (served, scan.problems.into_iter().next()) {
        (Ok(credential), _) => {
            assert_eq!(credential.certificate.der(), made().customs);
            Ok(())
        }
        (Err(_), Some(problem)) => Err(problem),
        (Err(error), None) => Err(error),
    }
}

#[test]
fn a_scan_by_role() {
    every_fault_at_every_step(&story("a_scan_by_role", |run| found(run, run.scanner.scan(&run.wait())?)));
}

/// The customs certificate by its name.
fn reference(run: &Run) -> Reference {
    let listed = run.shield.certificates();
    listed.iter().find(|c| c.role == Some(Role::Customs)).unwrap().references[0].clone()
}

fn by_reference(run: &Run) -> Scanner {
    run.scanner.clone().reference(reference(run))
}

#[test]
fn a_scan_by_reference() {
    every_fault_at_every_step(&story("a_scan_by_reference", |run| found(run, by_reference(run).scan(&run.wait())?)));
}

#[test]
fn a_customs_signature() {
    every_fault_at_every_step(&story("a_customs_signature", |run| run.sign(Role::Customs, "declaration", PIN)));
}

#[test]
fn a_bank_signature() {
    every_fault_at_every_step(&story("a_bank_signature", |run| run.sign(Role::Bank, "order 4711", PIN)));
}

#[test]
fn a_batch_of_five() {
    every_fault_at_every_step(&Story { resends: 1, ..story("a_batch_of_five", |run| run.batch_of_five(PIN)) });
}

#[test]
fn a_look_at_the_tries() {
    every_fault_at_every_step(&story("a_look_at_the_tries", |run| {
        let status = run.shield.pin_status(Role::Customs, &any(), &run.wait())?;
        assert!(matches!(status, PinStatus::Known(_) | PinStatus::AtLeast(_) | PinStatus::Unknown { .. }), "{status}");
        Ok(())
    }));
}

fn change(run: &Run, old: &str, new: &str) -> Result<(), Error> {
    run.shield.change_pin(Role::Customs, &any(), (&pin(old), &pin(new)), Consent::None, &run.wait())
}

#[test]
fn a_changed_pin_and_back() {
    let tell = |run: &Run| {
        change(run, PIN, OTHER)?;
        change(run, OTHER, PIN)
    };
    every_fault_at_every_step(&Story { changes: 2, ..story("a_changed_pin_and_back", tell) });
}

#[test]
fn an_unblocked_pin() {
    let tell =
        |run: &Run| run.shield.unblock_pin(Role::Customs, &any(), (&pin(PUK), &pin(OTHER)), Consent::None, &run.wait());
    every_fault_at_every_step(&Story { changes: 1, ..story("an_unblocked_pin", tell) });
}

#[test]
fn an_arrival() {
    every_fault_at_every_step(&story("an_arrival", |run| {
        let mut watch = run.scanner.watch()?;
        loop {
            match watch.next(&run.wait())? {
                Some(Event::Arrived(shield) | Event::Returned(shield)) => {
                    assert_eq!(shield.serial(), run.shield.serial());
                    return Ok(());
                }
                Some(Event::Refused { error, .. }) => return Err(error),
                Some(_) => {}
                None => return Err(Error::new(ErrorKind::Timeout, "watch")),
            }
        }
    }));
}

/// One try is gone at the most, whatever happens, and nothing is signed.
#[test]
fn a_wrong_pin() {
    let tell = |run: &Run| match run.sign(Role::Customs, "declaration", OTHER) {
        Ok(()) => panic!("signed with a wrong PIN"),
        Err(error) if error.kind() == ErrorKind::PinIncorrect => {
            assert_eq!(error.tries_left(), Some(PinStatus::Known(2)), "{error}");
            Ok(())
        }
        Err(error) => Err(error),
    };
    every_fault_at_every_step(&Story { wrong: 1, ..story("a_wrong_pin", tell) });
}

/// In a place that no role looks at.
#[test]
fn a_new_key_with_its_certificate() {
    static PLACE: OnceLock<Place> = OnceLock::new();
    vpcd_card::with_cards("a_new_key_with_its_certificate", || {
        let desk = Desk::new();
        PLACE.get_or_init(|| desk.issue(|token| vpcd_card::place(token, "85")));
    });
    let tell = |run: &Run| {
        let (place, by) = (PLACE.get().unwrap(), AdminAuth::Key(&MANAGEMENT_KEY));
        let link = run.faults.connect(READER, &run.wait())?;
        let at = Arc::new(Insertion::new(link.atr(), Vec::new()));
        let mut token = driver().attach(link.begin(&run.wait())?, false, &at)?;
        let issuing = token.issuing().unwrap();
        let key = issuing.generate(place, Suite::P256Sha256, by)?;
        let der = vpcd_card::certify("CN=Story customs CA", "CN=Story opener", key.spki());
        issuing.import_certificate(place, &der, by)?;
        assert_eq!(Certificate::from_der(&token.certificate(&place.certificate)?).unwrap().der(), der);
        Ok(())
    };
    every_fault_at_every_step(&Story { bare: true, ..story("a_new_key_with_its_certificate", tell) });
}
