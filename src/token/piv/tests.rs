//! What a lease sends, how often, and what it never sends.

use std::sync::Arc;

use super::model::{Card, Model, PIN, insertion, is_login};
use crate::error::{ErrorKind, Result, Status};
use crate::link::Atr;
use crate::pin::Pin;
use crate::role::Role;
use crate::suite::{PublicKey, RawSignature, Suite, ToBeSigned};
use crate::token::faults::{Fault, faults};
use crate::token::{Auth, CertRef, Insertion, KeyRef, PinRef, Slot, Token, Wants};
use crate::tries::PinStatus;

pub(super) fn pin(octets: &[u8]) -> Pin {
    Pin::new(Role::Customs, octets).unwrap()
}

pub(super) fn application_pin() -> PinRef {
    PinRef(vec![0x80])
}

fn public(token: &mut dyn Token, slot: u8) -> PublicKey {
    let der = token.certificate(&CertRef(vec![slot])).unwrap();
    crate::cert::Certificate::from_der(&der).unwrap().key().unwrap().clone()
}

fn order(key: &PublicKey) -> ToBeSigned {
    ToBeSigned::over(Suite::P256Sha256, key, b"order 4711").unwrap()
}

pub(super) fn sign(token: &mut dyn Token, slot: u8, auth: Auth<'_>) -> Result<RawSignature> {
    let key = public(token, slot);
    let tbs = order(&key);
    let signature = token.sign(&KeyRef(vec![slot]), &application_pin(), auth, &tbs)?;
    key.verify(&tbs, &signature).unwrap();
    Ok(signature)
}

const SELECT: u8 = 0xA4;
const GET_DATA: u8 = 0xCB;
const STATUS: u8 = 0x20;
const LOGIN: u8 = 0xFF;
const SIGN: u8 = 0x87;

#[test]
fn budget_of_a_lease_that_signs_once() {
    let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
    let mut token = card.lease(&at).unwrap();
    assert_eq!(card.instructions(), [SELECT]);
    assert_eq!(token.slots().unwrap().len(), 1);
    let read = card.instructions();
    assert_eq!(read[0], GET_DATA);
    assert!(read[1..].iter().all(|ins| *ins == 0xC0), "{read:02X?}");
    let state = token.pin_state(&application_pin()).unwrap();
    assert_eq!((state.status, state.open, state.on_device), (PinStatus::Known(3), false, false));
    assert_eq!(card.instructions(), [STATUS]);
    sign(&mut *token, 0x9A, Auth::Pin(&pin(PIN))).unwrap();
    assert_eq!(card.instructions(), [LOGIN, SIGN]);
    let state = token.pin_state(&application_pin()).unwrap();
    assert_eq!((state.status, state.open), (PinStatus::AtLeast(3), true));
    sign(&mut *token, 0x9A, Auth::Shared(&pin(PIN))).unwrap();
    assert_eq!(card.instructions(), [SIGN]);
}

#[test]
fn budget_of_a_second_lease_reads_no_certificate_again() {
    let (card, at) = (Card::with(&["9A", "9C"]), insertion(&["9A", "9C"]));
    assert_eq!(card.lease(&at).unwrap().slots().unwrap().len(), 2);
    card.sent();
    let mut token = card.lease(&at).unwrap();
    sign(&mut *token, 0x9A, Auth::Pin(&pin(PIN))).unwrap();
    assert_eq!(card.instructions(), [SELECT, STATUS, LOGIN, SIGN]);
}

#[test]
fn budget_of_a_key_that_wants_its_pin_each_time() {
    let (card, at) = (Card::with(&["9C"]), insertion(&["9C"]));
    card.lease(&at).unwrap().slots().unwrap();
    card.sent();
    let mut token = card.lease(&at).unwrap();
    sign(&mut *token, 0x9C, Auth::Shared(&pin(PIN))).unwrap();
    assert_eq!(card.instructions(), [SELECT, STATUS, LOGIN, SIGN]);
    // The lease is ours alone and the PIN was right: nothing new can be learnt by asking.
    sign(&mut *token, 0x9C, Auth::Shared(&pin(PIN))).unwrap();
    assert_eq!(card.instructions(), [LOGIN, SIGN]);
    assert_eq!(sign(&mut *token, 0x9C, Auth::Held).unwrap_err().kind(), ErrorKind::PinRequired);
    assert_eq!(card.instructions(), [SIGN]);
}

#[test]
fn what_a_person_typed_is_sent_whoever_else_has_logged_in() {
    let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
    card.set(|model| model.verified = true);
    let mut token = card.lease(&at).unwrap();
    assert!(token.pin_state(&application_pin()).unwrap().open);
    let error = sign(&mut *token, 0x9A, Auth::Pin(&pin(b"654321"))).unwrap_err();
    assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinIncorrect, Some(PinStatus::Known(2))));
    assert_eq!(card.sent().iter().filter(|c| is_login(c)).count(), 1);
}

/// A batch whose VERIFY is lost with the card, and the same batch on the next insertion: VERIFYs in all, and what the second one says.
fn lost_verify(mistakes: u8, prepare: fn(&mut Model)) -> (usize, Option<ErrorKind>, bool) {
    let (card, at) = (Card::with(&["9C"]), insertion(&["9C"]));
    card.set(|model| model.tries -= mistakes);
    sign(&mut *card.lease(&at).unwrap(), 0x9C, Auth::Pin(&pin(PIN))).unwrap();
    card.sent();
    card.set(prepare);
    let mut token = card.lease(&at).unwrap();
    token.pin_state(&application_pin()).unwrap();
    card.sent();
    card.set(|model| model.fault = Some((1, Fault::Lost)));
    let error = sign(&mut *token, 0x9C, Auth::Shared(&pin(PIN))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CardRemoved);
    card.set(|model| (model.fault, model.verified) = (None, false));
    let again = Arc::new(Insertion::new(Atr::default(), vec!["9C".to_owned()]).with_tries(&at.tries()));
    let mut token = card.lease(&again).unwrap();
    let in_doubt = token.pin_state(&application_pin()).unwrap().in_doubt;
    let error = sign(&mut *token, 0x9C, Auth::Shared(&pin(PIN))).err();
    (card.sent().iter().filter(|c| is_login(c)).count(), error.map(|e| e.kind()), in_doubt)
}

#[test]
fn a_pin_whose_answer_was_lost_goes_again_only_where_the_card_counted_nothing() {
    let changed = |model: &mut Model| model.pin = b"654321\xFF\xFF".to_vec();
    let closed = |model: &mut Model| (model.pin, model.verified) = (b"654321\xFF\xFF".to_vec(), false);
    let refused = (1, Some(ErrorKind::PinRequired), true);
    assert_eq!(lost_verify(0, |_| {}), (2, None, false), "the right PIN, and the card tells three tries as before");
    assert_eq!(lost_verify(0, |model| model.verified = false), (2, None, false));
    assert_eq!(lost_verify(0, changed), refused, "another program changed it");
    assert_eq!(lost_verify(0, closed), refused);
    // Somebody's mistake, made good since, so that the card tells as many tries as at first.
    assert_eq!(lost_verify(1, changed), refused);
    assert_eq!(lost_verify(1, closed), refused);
    assert_eq!(lost_verify(1, |_| {}), (2, None, false));
}

#[test]
fn what_a_person_types_goes_out_although_the_last_answer_was_lost() {
    let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
    let mut token = card.lease(&at).unwrap();
    token.pin_state(&application_pin()).unwrap();
    card.set(|model| model.fault = Some((3, Fault::Lost)));
    token.login(&application_pin(), Auth::Pin(&pin(b"654321"))).unwrap_err();
    card.set(|model| model.fault = None);
    sign(&mut *card.lease(&at).unwrap(), 0x9A, Auth::Pin(&pin(PIN))).unwrap();
    let state = card.lease(&at).unwrap().pin_state(&application_pin()).unwrap();
    assert!(!state.in_doubt, "a right PIN ends the doubt");
}

#[test]
fn a_batch_never_opens_a_login_and_says_that_the_pin_is_needed() {
    let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
    let mut token = card.lease(&at).unwrap();
    for auth in [Auth::Shared(&pin(PIN)), Auth::Held] {
        let error = sign(&mut *token, 0x9A, auth).unwrap_err();
        assert_eq!((error.kind(), error.raw_status()), (ErrorKind::PinRequired, Some(&Status::Sw(0x6982))));
        assert_eq!(token.login(&application_pin(), auth).unwrap_err().kind(), ErrorKind::PinRequired);
    }
    assert!(!card.sent().iter().any(|c| is_login(c)));
    card.set(|model| model.verified = true);
    card.lease(&at).unwrap().login(&application_pin(), Auth::Shared(&pin(PIN))).unwrap();
    sign(&mut *card.lease(&at).unwrap(), 0x9A, Auth::Shared(&pin(PIN))).unwrap();
    assert!(!card.sent().iter().any(|c| is_login(c)));
}

#[test]
fn a_batch_does_not_send_the_pin_again_after_somebodys_wrong_one() {
    let (card, at) = (Card::with(&["9C"]), insertion(&["9C"]));
    sign(&mut *card.lease(&at).unwrap(), 0x9C, Auth::Pin(&pin(PIN))).unwrap();
    card.sent();
    for (tries, kind) in [(2, ErrorKind::PinRequired), (1, ErrorKind::LastTry), (0, ErrorKind::PinLocked)] {
        card.set(|model| (model.tries, model.verified) = (tries, false));
        let error = sign(&mut *card.lease(&at).unwrap(), 0x9C, Auth::Shared(&pin(PIN))).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(!card.sent().iter().any(|c| is_login(c)), "{tries}");
    }
}

#[test]
fn a_pin_that_cannot_be_one_and_a_locked_pin_are_not_sent() {
    let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
    let refused = |octets: &[u8]| sign(&mut *card.lease(&at).unwrap(), 0x9A, Auth::Pin(&pin(octets))).unwrap_err();
    assert_eq!(refused(b"12345").kind(), ErrorKind::PinLength);
    assert_eq!(refused(b"123456789").kind(), ErrorKind::PinLength);
    assert_eq!(refused("密码".as_bytes()).kind(), ErrorKind::PinEncoding);
    card.set(|model| model.tries = 0);
    let error = refused(PIN);
    assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinLocked, Some(PinStatus::Locked)));
    assert!(!card.sent().iter().any(|c| is_login(c)));
}

#[test]
fn the_third_wrong_pin_locks_and_says_so() {
    let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
    for (kind, left) in [
        (ErrorKind::PinIncorrect, PinStatus::Known(2)),
        (ErrorKind::PinIncorrect, PinStatus::Known(1)),
        (ErrorKind::PinLocked, PinStatus::Locked),
        (ErrorKind::PinLocked, PinStatus::Locked),
    ] {
        let error = sign(&mut *card.lease(&at).unwrap(), 0x9A, Auth::Pin(&pin(b"000000"))).unwrap_err();
        assert_eq!((error.kind(), error.tries_left()), (kind, Some(left)));
        assert!(!format!("{error} {error:?}").contains("000000"));
    }
    assert_eq!(card.sent().iter().filter(|c| is_login(c)).count(), 3);
}

#[test]
fn what_cards_answer_to_a_pin_becomes_the_right_error() {
    let cases: &[(u16, ErrorKind, Option<PinStatus>)] = &[
        (0x63C2, ErrorKind::PinIncorrect, Some(PinStatus::Known(2))),
        (0x63C0, ErrorKind::PinLocked, Some(PinStatus::Locked)),
        (0x6983, ErrorKind::PinLocked, Some(PinStatus::Locked)),
        (0x6300, ErrorKind::PinIncorrect, Some(PinStatus::Unknown { refused: true })),
        (0x6A80, ErrorKind::PinEncoding, None),
        (0x6700, ErrorKind::PinLength, None),
        (0x6A88, ErrorKind::PinNotSet, None),
        (0x6D00, ErrorKind::CardApplication, None),
        (0x6ABC, ErrorKind::LoginFailed, Some(PinStatus::Unknown { refused: true })),
        (0x6F00, ErrorKind::LoginFailed, Some(PinStatus::Unknown { refused: true })),
        (0x6C08, ErrorKind::LoginFailed, Some(PinStatus::Unknown { refused: true })),
    ];
    for (sw, kind, tries) in cases {
        let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
        let mut token = card.lease(&at).unwrap();
        token.pin_state(&application_pin()).unwrap();
        card.set(|model| drop(model.always.insert((0x20, 0x80), sw.to_be_bytes().to_vec())));
        let error = token.login(&application_pin(), Auth::Pin(&pin(PIN))).unwrap_err();
        assert_eq!((error.kind(), error.tries_left()), (*kind, *tries), "{sw:04X}");
        assert_eq!(error.raw_status(), Some(&Status::Sw(*sw)));
        assert_eq!(card.sent().iter().filter(|c| is_login(c)).count(), 1, "{sw:04X}");
    }
}

#[test]
fn what_cards_answer_to_a_signature_becomes_the_right_error() {
    let cases: &[(u16, ErrorKind)] = &[
        (0x6982, ErrorKind::PinRequired),
        (0x6A88, ErrorKind::KeyMissing),
        (0x6A82, ErrorKind::KeyMissing),
        (0x6985, ErrorKind::KeyMissing),
        (0x6A80, ErrorKind::KeyMismatch),
        (0x6A86, ErrorKind::KeyMismatch),
        (0x6D00, ErrorKind::Unsupported),
        (0x6F00, ErrorKind::TokenFailed),
        (0x6ABC, ErrorKind::TokenAnswer),
    ];
    for (sw, kind) in cases {
        let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
        card.set(|model| drop(model.always.insert((0x87, 0x9A), sw.to_be_bytes().to_vec())));
        let error = sign(&mut *card.lease(&at).unwrap(), 0x9A, Auth::Pin(&pin(PIN))).unwrap_err();
        assert_eq!((error.kind(), error.raw_status()), (*kind, Some(&Status::Sw(*sw))));
    }
}

#[test]
fn a_signature_that_is_none_is_not_handed_out() {
    let hostile: &[&[u8]] = &[
        b"",
        b"\x7C\x00",
        b"\x7C\x02\x82\x00",
        b"\x82\x02\x30\x00",
        b"\x7C\x04\x82\x02\x30\x00",
        b"\x7C\x0A\x82\x08\x30\x06\x02\x01\x01\x02\x01\x01\x99\x00",
        b"\x7C\x0C\x82\x08\x30\x06\x02\x01\x01\x02\x01\x01\x81\x00",
        b"\x7C\x82\xFF\xFF\x82\x08",
        b"\x7C\x0B\x82\x09\x30\x07\x02\x01\xFF\x02\x02\x01\x01",
    ];
    for octets in hostile {
        let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
        let answer = [octets, &[0x90, 0][..]].concat();
        card.set(|model| drop(model.always.insert((0x87, 0x9A), answer)));
        let error = sign(&mut *card.lease(&at).unwrap(), 0x9A, Auth::Pin(&pin(PIN))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TokenAnswer, "{octets:02X?}");
    }
}

#[test]
fn a_suite_that_the_key_does_not_have_is_refused_before_the_pin() {
    let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
    let mut token = card.lease(&at).unwrap();
    let slots = token.slots().unwrap();
    let [Slot { key, pin: reference, suites, wants: Wants::Once, .. }] = slots.as_slice() else { panic!("{slots:?}") };
    assert_eq!(*suites, [Suite::P256Sha256]);
    let mut tbs = order(&public(&mut *token, 0x9A));
    tbs.suite = Suite::RsaSha256;
    let error = token.sign(key, reference, Auth::Pin(&pin(PIN)), &tbs).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyUnsuited);
    let foreign = PinRef(b"another token".to_vec());
    let tbs = order(&public(&mut *token, 0x9A));
    assert_eq!(token.sign(key, &foreign, Auth::Pin(&pin(PIN)), &tbs).unwrap_err().kind(), ErrorKind::PinRole);
    assert!(!card.sent().iter().any(|c| is_login(c) || c[1] == SIGN));
}

#[test]
fn a_card_without_the_application_gives_no_token_and_no_pin_is_sent() {
    let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
    let cases: &[(&[u8], ErrorKind)] = &[
        (b"\x6A\x82", ErrorKind::CardApplication),
        (b"\x6D\x00", ErrorKind::CardApplication),
        (b"\x90\x00", ErrorKind::CardApplication),
        (b"\x6F\x02\x84\x00\x90\x00", ErrorKind::CardApplication),
        (b"\x6F\x00", ErrorKind::TokenFailed),
        (b"\x90", ErrorKind::TokenAnswer),
    ];
    for (answer, kind) in cases {
        card.set(|model| drop(model.always.insert((0xA4, 0), answer.to_vec())));
        assert_eq!(card.lease(&at).err().map(|e| e.kind()), Some(*kind), "{answer:02X?}");
    }
    assert_eq!(card.sent().len(), cases.len());
}

type Story = (&'static str, fn(&mut dyn Token) -> Result<()>);

/// The stories of a lease. Each step of each of them is made to fail in each way.
fn stories() -> Vec<Story> {
    vec![
        ("slots", |t| t.slots().map(drop)),
        ("sign 9A", |t| sign(t, 0x9A, Auth::Pin(&pin(PIN))).map(drop)),
        ("sign 9C", |t| sign(t, 0x9C, Auth::Pin(&pin(PIN))).map(drop)),
        ("batch 9C", |t| (0..2).try_for_each(|_| sign(t, 0x9C, Auth::Shared(&pin(PIN))).map(drop))),
        ("unlock", |t| t.login(&application_pin(), Auth::Pin(&pin(PIN)))),
    ]
}

#[test]
fn a_fault_at_any_step_is_an_error_or_a_success_and_costs_no_second_pin() {
    let faults = faults(&[&[0x53, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0x90, 0x00]]);
    let (mut faulted, mut recorded) = (0, 0);
    for (name, story) in stories() {
        let run = |card: &Card| {
            let at = insertion(&["9A", "9C"]);
            card.lease(&at).and_then(|mut token| {
                // A certificate that is not there stands for itself, not for the story.
                token.certificate(&CertRef(vec![0x9A]))?;
                token.certificate(&CertRef(vec![0x9C]))?;
                story(&mut *token)
            })
        };
        let card = Card::with(&["9A", "9C"]);
        run(&card).unwrap_or_else(|error| panic!("{name}: {error}"));
        let log = card.sent();
        let (steps, logins) = (log.len(), log.iter().filter(|c| is_login(c)).count());
        recorded += steps * faults.len();
        for step in 1..=steps {
            for fault in &faults {
                let card = Card::with(&["9A", "9C"]);
                card.set(|model| model.fault = Some((step, fault.clone())));
                let outcome = run(&card);
                let sent = card.sent();
                let tries = crate::wait::lock(&card.0).tries;
                faulted += usize::from(sent.len() >= step);
                assert!(sent.iter().filter(|c| is_login(c)).count() <= logins, "{name} {step} {fault:?}");
                assert_eq!(tries, 3, "{name} {step} {fault:?}");
                if let Err(error) = outcome {
                    assert_ne!(error.kind(), ErrorKind::Defect, "{name} {step} {fault:?}: {error}");
                }
            }
        }
    }
    assert_eq!(faulted, recorded);
}
