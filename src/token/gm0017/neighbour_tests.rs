//! A device that opens one application at a time, and other programs that want it too.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::model::{self, BANK_PIN, CUSTOMS_PIN, Card};
use super::tests::{BANK, CLEAR, CLOSE, CONTAINER, EPORT, EXPORT, INFO, OPEN, RANDOM, SIGN, VERIFY, pin, pin_of, sign};
use crate::error::ErrorKind;
use crate::suite::Suite;
use crate::token::{AdminAuth, Auth, Token};
use crate::tries::PinStatus;

const LIST: u8 = 0x46;

#[test]
fn an_application_of_another_program_that_has_the_number_ours_had_is_not_closed_for_ours() {
    let card = Card::new("gm3000");
    card.set(|model| model.one_application = true);
    let at = card.known(&[EPORT]);
    card.lease(&at).slots().unwrap();
    card.set(|model| {
        let [eport, bank] = &mut model.applications[..] else { panic!() };
        (bank.open, bank.login) = (eport.open.take(), true);
        assert!(bank.open.is_some());
    });
    card.sent();
    let error = sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap_err();
    assert_eq!((error.kind(), card.instructions()), (ErrorKind::Busy, vec![OPEN, EXPORT, OPEN]));
    assert!(card.set(|model| model.applications[1].login && model.applications[1].open.is_some()));
}

/// A device with one place for an open application, which it does not even give to the one that has it.
#[test]
fn an_application_that_we_left_open_ourselves_serves_again_where_a_device_opens_none_twice() {
    let strict = || {
        let card = Card::new("gm3000");
        card.set(|model| (model.one_application, model.opens_once) = (true, true));
        let at = card.known(&[EPORT]);
        card.lease(&at).slots().unwrap();
        (card, at)
    };
    let (card, at) = strict();
    assert_eq!(card.lease(&at).pin_state(&pin_of(EPORT)).unwrap().status, PinStatus::Known(5));
    card.sent();
    sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    let as_ever = [OPEN, CONTAINER, INFO, RANDOM, VERIFY, SIGN, CLEAR, CLOSE];
    assert_eq!(card.instructions(), [&[OPEN, EXPORT, CLOSE], &as_ever[..]].concat());
    assert!(card.set(|model| model.applications.iter().all(|a| a.open.is_none() && !a.login)));
    sign(&mut *card.lease(&at), BANK, Auth::Pin(&pin(BANK_PIN))).unwrap();
    // Also where another application is wanted next.
    let (card, at) = strict();
    sign(&mut *card.lease(&at), BANK, Auth::Pin(&pin(BANK_PIN))).unwrap();
    // Where the number was given without a look at a container: after somebody's reset, which closed all.
    let (card, at) = strict();
    card.set(|model| model.applications[0].open = None);
    at.was_reset();
    card.lease(&at).pin_state(&pin_of(EPORT)).unwrap();
    sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    // And in a batch that keeps its login.
    let (card, at) = strict();
    for _ in 0..3 {
        let mut token = card.lease(&at);
        token.keep_login(&Arc::new(AtomicBool::new(true)));
        let auth =
            if token.pin_state(&pin_of(EPORT)).unwrap().open { Auth::Held } else { Auth::Pin(&pin(CUSTOMS_PIN)) };
        sign(&mut *token, EPORT, auth).unwrap();
    }
    assert_eq!(card.logins(), 1);
}

/// Between a key pair and its certificate there are names alone, and the tries.
#[test]
fn an_application_without_a_certificate_serves_again_where_a_device_opens_none_twice() {
    let card = Card::new("gm3000");
    card.set(|model| (model.one_application, model.opens_once) = (true, true));
    let (at, place) = (card.known(&[EPORT]), crate::token::gm0017::place("eport", "new").unwrap());
    let made = |token: &mut dyn Token| {
        let by = pin(CUSTOMS_PIN);
        token.issuing().unwrap().generate(&place, Suite::Sm2Sm3, AdminAuth::Pin(&by)).map(drop)
    };
    made(&mut *card.lease(&at)).unwrap();
    card.sent();
    made(&mut *card.lease(&at)).unwrap();
    assert_eq!(card.instructions()[..5], [OPEN, LIST, INFO, CLOSE, OPEN]);
    // Another program's application that has its number has other tries, or other containers.
    for (tries, name) in [(6, "new"), (5, "pay")] {
        let at = card.known(&[EPORT]);
        made(&mut *card.lease(&at)).unwrap();
        card.set(|model| {
            let [eport, bank] = &mut model.applications[..] else { panic!() };
            (bank.open, bank.pins[1]) = (eport.open.take(), (BANK_PIN.to_owned(), tries, tries));
            bank.containers = vec![model::container(name, 2, 9)];
        });
        card.sent();
        let error = made(&mut *card.lease(&at)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy, "{tries} {name}");
        assert!(!card.instructions().contains(&CLOSE), "{tries} {name}");
        card.set(|model| model.applications[1].open = None);
    }
}

#[test]
fn a_login_that_is_kept_does_not_close_an_application_of_another_program() {
    let card = Card::new("gm3000");
    card.set(|model| model.one_application = true);
    let at = card.known(&[EPORT]);
    let lease = || {
        let mut token = card.lease(&at);
        token.keep_login(&Arc::new(AtomicBool::new(true)));
        token
    };
    sign(&mut *lease(), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    card.set(|model| {
        let [eport, bank] = &mut model.applications[..] else { panic!() };
        assert!(eport.login);
        (bank.open, bank.login) = (eport.open.take(), true);
    });
    card.sent();
    let error = sign(&mut *lease(), EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).unwrap_err();
    assert_eq!((error.kind(), card.instructions()), (ErrorKind::Busy, vec![OPEN, EXPORT, OPEN]));
    assert!(card.set(|model| model.applications[1].login && model.applications[1].open.is_some()));
}

#[test]
fn a_number_that_another_one_of_ours_had_closes_no_application_of_another_program() {
    let card = Card::new("gm3000");
    card.set(|model| {
        model.one_application = true;
        let mut third = model::container("third", 2, 11);
        third.name = b"customs".to_vec();
        model.applications.push(model::application("theirs", "111111", 5, vec![third]));
    });
    let at = card.known(&[EPORT]);
    card.lease(&at).slots().unwrap();
    card.set(|model| model.applications[2].open = model.applications[0].open.take());
    card.sent();
    let error = sign(&mut *card.lease(&at), BANK, Auth::Pin(&pin(BANK_PIN))).unwrap_err();
    assert_eq!((error.kind(), card.instructions()), (ErrorKind::Busy, vec![OPEN, EXPORT, OPEN]));
    assert!(card.set(|model| model.applications[2].open.is_some()));
}

#[test]
fn a_kept_login_that_is_to_end_weighs_more_than_what_another_program_has_open() {
    let card = Card::new("gm3000");
    card.set(|model| model.one_application = true);
    let at = card.known(&[EPORT]);
    let mut token = card.lease(&at);
    token.keep_login(&Arc::new(AtomicBool::new(true)));
    sign(&mut *token, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    drop(token);
    card.set(|model| {
        let [eport, bank] = &mut model.applications[..] else { panic!() };
        (bank.open, bank.login) = (eport.open.take(), true);
    });
    drop(card.lease(&at));
    assert_eq!(card.set(|model| [model.applications[0].login, model.applications[1].login]), [false, true]);
}

#[test]
fn an_application_that_was_opened_just_now_is_closed_for_the_next_whatever_is_in_it() {
    let card = Card::new("gm3000");
    card.set(|model| {
        model.one_application = true;
        model.applications[0].containers.clear();
    });
    let slots = card.lease(&card.known(&[])).slots().unwrap();
    assert_eq!(slots[0].label, BANK);
    assert!(card.set(|model| model.applications.iter().all(|a| a.open.is_none())));
}

/// Numbers of containers may follow the order in which they were opened or made: then another program shifts them.
#[test]
fn a_key_is_made_in_the_container_that_was_named_though_its_number_is_another_ones_by_now() {
    let card = Card::new("gm3000");
    let at = card.known(&[]);
    card.lease(&at).slots().unwrap();
    let other = model::container("other", 2, 9);
    card.set(|model| model.applications[0].containers.insert(0, other));
    let (place, by) = (super::place("eport", "customs").unwrap(), pin(CUSTOMS_PIN));
    let mut token = card.lease(&at);
    let issuing = token.issuing().unwrap();
    let of = |key: &crate::suite::PublicKey| key.point().unwrap().to_vec();
    assert_eq!(of(&issuing.public_key(&place).unwrap())[1..], model::point(2, &[3; 32]));
    drop(token);
    card.set(|model| model.applications[0].containers.swap(0, 1));
    let key = card.lease(&at).issuing().unwrap().generate(&place, Suite::Sm2Sm3, AdminAuth::Pin(&by)).unwrap();
    assert_eq!(of(&key)[1..], model::point(2, &[0x21; 32]));
    let keys = card.set(|model| model.applications[0].containers.iter().map(|c| c.signing).collect::<Vec<_>>());
    assert_eq!(keys, [Some([0x21; 32]), Some([9; 32])], "the other program's key is there");
}
