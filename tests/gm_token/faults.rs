//! Reset, removal, garbage, truncation, a stopped service, a slow card: each at every step of every story, with SM2 keys and with P-256 ones. What
//! comes of it is success or an error that says what to do; never a panic, a hang, a second wrong PIN, half a result, or a login that stays.

use shared_shield::{Consent, Error, ErrorKind, Pin, PinStatus, Role, Scan};

use crate::faulted::{Run, Story, every_fault_at_every_step};
use crate::gm_desk::Kind;
use crate::gm_shield::{OTHER_PIN, WRONG_PIN, admin_pin, any, certificate, pin};

fn story(name: &'static str, kind: Kind, tell: fn(&Run) -> Result<(), Error>) -> Story {
    Story { name, kind, tell, resends: 0, changes: 0, wrong: 0, bare: false }
}

/// The shield is there with both certificates, or the first reason why not.
fn found(run: &Run, scan: Scan) -> Result<(), Error> {
    for role in Role::ALL {
        let served = scan.for_role(role, &any()).and_then(|shield| shield.credential(role, &any()));
        match (served, scan.problems.first()) {
            (Ok(credential), _) => assert_eq!(credential.certificate.der(), certificate(run.kind, role)),
            (Err(_), Some(problem)) => return Err(problem.clone()),
            (Err(error), None) => return Err(error),
        }
    }
    Ok(())
}

#[test]
fn a_list_of_certificates() {
    every_fault_at_every_step(&story("a_list_of_certificates", Kind::Sm2, |run| {
        found(run, run.scanner.scan(&run.wait())?)
    }));
}

#[test]
fn a_customs_signature_with_sm2() {
    let tell = |run: &Run| run.sign(Role::Customs, "declaration", pin(Role::Customs));
    every_fault_at_every_step(&story("a_customs_signature_with_sm2", Kind::Sm2, tell));
}

#[test]
fn a_customs_signature_with_p256() {
    let tell = |run: &Run| run.sign(Role::Customs, "declaration", pin(Role::Customs));
    every_fault_at_every_step(&story("a_customs_signature_with_p256", Kind::P256, tell));
}

#[test]
fn a_bank_signature_with_sm2() {
    let tell = |run: &Run| run.sign(Role::Bank, "order 4711", pin(Role::Bank));
    every_fault_at_every_step(&story("a_bank_signature_with_sm2", Kind::Sm2, tell));
}

#[test]
fn a_bank_signature_with_p256() {
    let tell = |run: &Run| run.sign(Role::Bank, "order 4711", pin(Role::Bank));
    every_fault_at_every_step(&story("a_bank_signature_with_p256", Kind::P256, tell));
}

fn batch(run: &Run) -> Result<(), Error> {
    run.batch_of_five(pin(Role::Customs))
}

/// The PIN goes again with the second lease, and once more where something went wrong.
#[test]
fn a_batch_of_five_with_sm2() {
    every_fault_at_every_step(&Story { resends: 2, ..story("a_batch_of_five_with_sm2", Kind::Sm2, batch) });
}

#[test]
fn a_batch_of_five_with_p256() {
    every_fault_at_every_step(&Story { resends: 2, ..story("a_batch_of_five_with_p256", Kind::P256, batch) });
}

#[test]
fn a_look_at_the_tries() {
    every_fault_at_every_step(&story("a_look_at_the_tries", Kind::Sm2, |run| {
        for role in Role::ALL {
            let status = run.shield.pin_status(role, &any(), &run.wait())?;
            assert!(!matches!(status, PinStatus::Locked), "{status}");
        }
        Ok(())
    }));
}

/// One try of customs is gone at the most, whatever happens, none of the bank's, and nothing is signed.
#[test]
fn a_wrong_pin() {
    let tell = |run: &Run| match run.sign(Role::Customs, "declaration", WRONG_PIN) {
        Ok(()) => panic!("signed with a wrong PIN"),
        Err(error) if error.kind() == ErrorKind::PinIncorrect => {
            // The tries are read after a refusal, and that may be what went wrong.
            let told = [PinStatus::Known(4), PinStatus::Unknown { refused: true }];
            assert!(error.tries_left().is_some_and(|left| told.contains(&left)), "{error}");
            Ok(())
        }
        Err(error) => Err(error),
    };
    every_fault_at_every_step(&Story { wrong: 1, ..story("a_wrong_pin", Kind::Sm2, tell) });
}

fn typed(text: &str) -> Pin {
    Pin::new(Role::Customs, text.as_bytes()).unwrap()
}

fn change(run: &Run, old: &str, new: &str) -> Result<(), Error> {
    let (old, new) = (typed(old), typed(new));
    run.shield.change_pin(Role::Customs, &any(), (&old, &new), Consent::None, &run.wait())
}

/// Whatever happens, the PIN is the old or the new one: the next signature tells. What is read once more right before a PIN goes out is not begun
/// again by itself (`bare`): nothing was sent, and the person is told.
#[test]
fn a_changed_pin_and_back() {
    let tell = |run: &Run| {
        change(run, pin(Role::Customs), OTHER_PIN)?;
        change(run, OTHER_PIN, pin(Role::Customs))
    };
    every_fault_at_every_step(&Story { changes: 2, bare: true, ..story("a_changed_pin_and_back", Kind::Sm2, tell) });
}

#[test]
fn an_unblocked_pin() {
    let tell = |run: &Run| {
        let (admin, new) = (typed(admin_pin(Role::Customs)), typed(OTHER_PIN));
        run.shield.unblock_pin(Role::Customs, &any(), (&admin, &new), Consent::None, &run.wait())
    };
    every_fault_at_every_step(&Story { changes: 1, bare: true, ..story("an_unblocked_pin", Kind::Sm2, tell) });
}
