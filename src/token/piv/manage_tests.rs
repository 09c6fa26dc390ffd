//! Management keys, and what issuing and PINs send.

use super::family::{Quirks, quirks};
use super::model::{Card, KEY, PIN, PUK, insertion, is_login};
use super::tests::{application_pin, pin, sign};
use crate::error::{ErrorKind, Result};
use crate::link::Atr;
use crate::suite::Suite;
use crate::token::faults::Fault;
use crate::token::{AdminAuth, Auth, CertRef, Insertion, PinRef, Place, Token, Wants};
use crate::tries::PinStatus;
use crate::wait::lock;
use std::sync::Arc;

fn place(token: &mut dyn Token, name: &str) -> Place {
    token.issuing().unwrap().places().unwrap().into_iter().find(|p| p.name == name).unwrap()
}

fn generate(token: &mut dyn Token, key: &[u8]) -> Result<()> {
    let at = Place { key: super::slot::SIGNATURE.key(), ..super::slot::SIGNATURE.place(false) };
    token.issuing().unwrap().generate(&at, Suite::P256Sha256, AdminAuth::Key(key)).map(drop)
}

/// An ATR with the historical bytes of a maker.
fn made_by(name: &[u8]) -> Arc<Insertion> {
    Arc::new(Insertion::new(Atr::new(&[&[0x3B, 0x80], name].concat()), vec!["9C".to_owned()]))
}

#[test]
fn twenty_four_octets_are_3des_or_aes_192_as_the_card_says() {
    for algorithm in [0x03, 0x0A] {
        let card = Card::with(&["9C"]);
        card.set(|model| model.management.0 = algorithm);
        let mut token = card.lease(&insertion(&["9C"])).unwrap();
        generate(&mut *token, &KEY).unwrap();
        let asked: Vec<u8> = card.sent().iter().filter(|c| c[1] == 0x87).map(|c| c[2]).collect();
        assert_eq!(asked, if algorithm == 0x03 { vec![0x03; 2] } else { vec![0x03, 0x0A, 0x0A] });
    }
}

#[test]
fn a_card_that_tells_its_cipher_is_asked_for_that_one_alone() {
    let card = Card::with(&["9C"]);
    card.set(|model| {
        model.management.0 = 0x0A;
        model.always.insert((0xF7, 0x9B), vec![0x01, 0x01, 0x0A, 0x02, 0x02, 0x00, 0x01, 0x90, 0x00]);
    });
    let mut token = card.lease(&made_by(b"YubiKey")).unwrap();
    generate(&mut *token, &KEY).unwrap();
    assert!(card.sent().iter().filter(|c| c[1] == 0x87).all(|c| c[2] == 0x0A));
    assert_eq!(generate(&mut *token, &[7; 32]).unwrap_err().kind(), ErrorKind::AdminKey);
    assert!(!card.sent().iter().any(|c| c[1] == 0x87));
}

#[test]
fn a_card_that_does_not_know_the_key_itself_is_given_nothing() {
    let card = Card::with(&["9C"]);
    card.set(|model| model.impostor = true);
    let mut token = card.lease(&insertion(&["9C"])).unwrap();
    let error = generate(&mut *token, &KEY).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AdminKey);
    assert!(error.what().unwrap().contains("not the card"), "{error}");
    assert!(!card.sent().iter().any(|c| c[1] == 0x47));
}

#[test]
fn a_challenge_is_never_the_same_twice() {
    let card = Card::with(&["9C"]);
    let mut token = card.lease(&insertion(&["9C"])).unwrap();
    for _ in 0..2 {
        generate(&mut *token, &KEY).unwrap();
    }
    let shown: Vec<_> = card.sent().into_iter().filter(|c| c[1] == 0x87 && c.len() > 12).collect();
    assert_eq!(shown.len(), 2);
    assert_ne!(shown[0], shown[1]);
}

#[test]
fn a_witness_of_another_length_is_refused() {
    for witness in
        [&b"\x7C\x02\x80\x00"[..], b"\x7C\x09\x80\x07\x01\x02\x03\x04\x05\x06\x07", b"\x7C\x04\x81\x02\x01\x02"]
    {
        let card = Card::with(&["9C"]);
        card.set(|model| model.fault = Some((2, Fault::Answer([witness, &[0x90, 0x00]].concat()))));
        let mut token = card.lease(&insertion(&["9C"])).unwrap();
        let kind = generate(&mut *token, &KEY).unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::AdminKey | ErrorKind::TokenAnswer), "{kind:?}");
        assert_eq!(card.sent().len(), 2);
    }
}

#[test]
fn a_new_certificate_is_read_back_and_the_old_one_is_not_remembered() {
    let (card, other) = (Card::with(&["9C"]), Card::with(&["9A", "9C"]));
    let at = insertion(&["9C"]);
    let mut token = card.lease(&at).unwrap();
    let before = token.certificate(&CertRef(vec![0x9C])).unwrap();
    let new = other.lease(&insertion(&["9C"])).unwrap().certificate(&CertRef(vec![0x9C])).unwrap();
    assert_ne!(before, new);
    let at_9c = place(&mut *token, "9C");
    assert!(at_9c.taken);
    let issuing = token.issuing().unwrap();
    issuing.import_certificate(&at_9c, &new, AdminAuth::Key(&KEY)).unwrap();
    assert_eq!(token.certificate(&CertRef(vec![0x9C])).unwrap(), new);
    let refused = |token: &mut dyn Token, der: &[u8]| {
        token.issuing().unwrap().import_certificate(&at_9c, der, AdminAuth::Key(&KEY)).unwrap_err().kind()
    };
    card.sent();
    assert_eq!(refused(&mut *token, &[0x30; 300]), ErrorKind::CertificateMalformed);
    assert_eq!(refused(&mut *token, &vec![0x30; 20_000]), ErrorKind::CertificateMalformed);
    assert!(card.sent().is_empty());
    card.set(|model| drop(model.always.insert((0xDB, 0xFF), vec![0x6A, 0x84])));
    assert_eq!(refused(&mut *token, &new), ErrorKind::CertificateMalformed);
}

#[test]
fn a_place_that_cannot_be_read_or_holds_a_key_is_not_free() {
    let card = Card::with(&["9A"]);
    card.set(|model| drop(model.objects.insert(0x5F_C10B, vec![0x99; 9])));
    let taken = |at: &Arc<Insertion>| {
        let places = card.lease(at).unwrap().issuing().unwrap().places().unwrap();
        assert_eq!(places.len(), 24);
        places.into_iter().filter(|p| p.taken).map(|p| p.name).collect::<Vec<_>>()
    };
    assert_eq!(taken(&insertion(&[])), ["9A", "9D"]);
    card.set(|model| drop(model.always.insert((0xF7, 0x9E), vec![0x01, 0x01, 0x11, 0x90, 0x00])));
    assert_eq!(taken(&made_by(b"YubiKey")), ["9A", "9D", "9E"]);
}

#[test]
fn firmware_that_makes_weak_rsa_keys_makes_none() {
    for (version, allowed) in
        [([4, 2, 5], true), ([4, 2, 6], false), ([4, 3, 4], false), ([4, 3, 5], true), ([5, 4, 3], true)]
    {
        let card = Card::with(&[]);
        card.set(|model| drop(model.always.insert((0xFD, 0x00), [&version[..], &[0x90, 0x00]].concat())));
        let mut token = card.lease(&made_by(b"Yubikey4")).unwrap();
        let at = super::slot::SIGNATURE.place(false);
        let made = token.issuing().unwrap().generate(&at, Suite::RsaSha256, AdminAuth::Key(&KEY));
        // The card in memory makes P-256 keys alone: whatever it made is not believed.
        let expected = if allowed { ErrorKind::TokenAnswer } else { ErrorKind::Unsupported };
        assert_eq!(made.unwrap_err().kind(), expected, "{version:?}");
        assert_eq!(card.sent().iter().any(|c| c[1] == 0x47), allowed, "{version:?}");
    }
}

#[test]
fn changing_and_unblocking_send_each_secret_once_and_only_after_the_state() {
    let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
    let (old, new, puk) = (pin(PIN), pin(b"654321"), pin(PUK));
    let mut token = card.lease(&at).unwrap();
    token.pins().unwrap().change(&application_pin(), &old, &new).unwrap();
    assert_eq!(card.instructions(), [0xA4, 0x20, 0x24]);
    // The state is read anew after a change.
    assert!(token.pin_state(&application_pin()).unwrap().open);
    sign(&mut *token, 0x9A, Auth::Pin(&new)).unwrap();
    card.sent();
    token.pins().unwrap().unblock(&application_pin(), AdminAuth::Pin(&puk), &old).unwrap();
    assert_eq!(card.instructions(), [0x2C]);
    card.set(|model| (model.tries, model.verified) = (0, false));
    let mut token = card.lease(&at).unwrap();
    let error = token.pins().unwrap().change(&application_pin(), &old, &new).unwrap_err();
    assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinLocked, Some(PinStatus::Locked)));
    assert!(!card.sent().iter().any(|c| c[1] == 0x24 || is_login(c)));
}

#[test]
fn what_cards_answer_to_an_unlock_code_becomes_the_right_error() {
    let cases: &[(u16, ErrorKind)] = &[
        (0x63C1, ErrorKind::PukIncorrect),
        (0x63C0, ErrorKind::PukLocked),
        (0x6983, ErrorKind::PukLocked),
        (0x6300, ErrorKind::PukIncorrect),
        (0x6A80, ErrorKind::NewPinRefused),
        (0x6985, ErrorKind::NewPinRefused),
        (0x6A88, ErrorKind::PinNotSet),
        (0x6D00, ErrorKind::Unsupported),
        (0x6ABC, ErrorKind::LoginFailed),
    ];
    for (sw, kind) in cases {
        let card = Card::with(&[]);
        card.set(|model| drop(model.always.insert((0x2C, 0x80), sw.to_be_bytes().to_vec())));
        let mut token = card.lease(&insertion(&[])).unwrap();
        let pins = token.pins().unwrap();
        let error = pins.unblock(&application_pin(), AdminAuth::Pin(&pin(PUK)), &pin(PIN)).unwrap_err();
        assert_eq!(error.kind(), *kind, "{sw:04X}");
        assert!(!format!("{error} {error:?}").contains("123456"));
    }
}

#[test]
fn tries_of_the_unlock_code_are_told_where_the_card_tells_them() {
    let card = Card::with(&[]);
    let status = |answer: &[u8]| {
        card.set(|model| drop(model.always.insert((0xF7, 0x81), answer.to_vec())));
        card.lease(&made_by(b"YubiKey")).unwrap().pins().unwrap().puk_status(&PinRef(vec![0x80])).unwrap()
    };
    assert_eq!(status(&[0x05, 1, 0, 0x06, 2, 3, 2, 0x90, 0]), PinStatus::Known(2));
    assert_eq!(status(&[0x05, 1, 0, 0x06, 2, 3, 0, 0x90, 0]), PinStatus::Locked);
    for odd in [&[0x6D, 0][..], &[0x90, 0], &[0x06, 0xFF, 0x90, 0], &[0x06, 1, 3, 0x90, 0]] {
        assert_eq!(status(odd), PinStatus::Unknown { refused: false });
    }
}

#[test]
fn a_fault_at_any_step_of_issuing_is_an_error_or_a_success() {
    let run = |card: &Card| {
        let at = insertion(&["9C"]);
        let mut token = card.lease(&at)?;
        let at_9c = place_or(&mut *token)?;
        let der = token.certificate(&CertRef(vec![0x9C]))?;
        let by = AdminAuth::Key(&KEY);
        token.issuing().unwrap().generate(&at_9c, Suite::P256Sha256, by)?;
        token.issuing().unwrap().import_certificate(&at_9c, &der, by)?;
        let (old, new) = (pin(PIN), pin(b"654321"));
        token.pins().unwrap().change(&application_pin(), &old, &new)
    };
    let card = Card::with(&["9C"]);
    run(&card).unwrap();
    let steps = card.sent().len();
    let faults = [
        Fault::Gone,
        Fault::Lost,
        Fault::Cut(1),
        Fault::Answer(vec![0x90, 0]),
        Fault::Answer(vec![0x61, 0]),
        Fault::Answer(vec![0x7C; 99]),
    ];
    let mut faulted = 0;
    for step in 1..=steps {
        for fault in &faults {
            let card = Card::with(&["9C"]);
            card.set(|model| model.fault = Some((step, fault.clone())));
            let outcome = run(&card);
            faulted += usize::from(card.sent().len() >= step);
            let model = lock(&card.0);
            assert_eq!((model.tries, model.puk_tries), (3, 3), "{step} {fault:?}");
            if let Err(error) = outcome {
                assert_ne!(error.kind(), ErrorKind::Defect, "{step} {fault:?}: {error}");
            }
        }
    }
    assert_eq!(faulted, steps * faults.len());
}

fn place_or(token: &mut dyn Token) -> Result<Place> {
    let places = token.issuing().unwrap().places()?;
    Ok(places.into_iter().find(|p| p.name == "9C").unwrap())
}

#[test]
fn a_key_wants_its_pin_as_often_as_its_card_says() {
    let wants = |slot: &str, octet: u8, answer: &[u8]| {
        let card = Card::with(&[slot]);
        card.set(|model| drop(model.always.insert((0xF7, octet), answer.to_vec())));
        let at = Arc::new(Insertion::new(Atr::new(b"\x3B\x80YubiKey"), vec![slot.to_owned()]));
        let mut token = card.lease(&at).unwrap();
        let found = token.slots().unwrap().remove(0);
        let key = crate::cert::Certificate::from_der(&token.certificate(&found.certificate).unwrap()).unwrap();
        let tbs = crate::suite::ToBeSigned::over(Suite::P256Sha256, key.key().unwrap(), b"order").unwrap();
        card.sent();
        let _ = token.sign(&found.key, &found.pin, Auth::Shared(&pin(PIN)), &tbs);
        (found.wants, card.sent().iter().filter(|c| is_login(c)).count())
    };
    let policy = |octet: u8| vec![0x01, 0x01, 0x11, 0x02, 0x02, octet, 0x01, 0x90, 0x00];
    assert_eq!(wants("9A", 0x9A, &policy(3)), (Wants::EachSignature, 1));
    assert_eq!(wants("9A", 0x9A, &policy(2)), (Wants::Once, 0));
    assert_eq!(wants("9C", 0x9C, &policy(2)), (Wants::Once, 0));
    for unsaid in [&policy(0)[..], &policy(9), &[0x6D, 0x00], &[0x90, 0x00], &[0x02, 0x00, 0x90, 0x00], &[0x02, 0x7F]] {
        assert_eq!(wants("9C", 0x9C, unsaid), (Wants::EachSignature, 1), "{unsaid:02X?}");
    }
}

#[test]
fn quirks_are_off_for_cards_that_nobody_named() {
    assert_eq!(quirks(&Atr::new(&[0x3B, 0x80])), Quirks::default());
}
