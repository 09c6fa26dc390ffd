//! Which PIN goes where and how often, and what becomes of logins.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::model::{ATR, BANK_PIN, CUSTOMS_PIN, Card, greeting, rules};
use super::tests::{
    BANK, CLEAR, CLOSE, CONTAINER, EPORT, INFO, OPEN, RANDOM, SIGN, VERIFY, labels, pin, pin_of, public, sign, spot,
};
use crate::error::{ErrorKind, Status};
use crate::link::Atr;
use crate::suite::{Suite, ToBeSigned};
use crate::token::faults::Fault;
use crate::token::{Auth, CardRules, Insertion, PinForm, Slot};
use crate::tries::PinStatus;

#[test]
fn a_pin_goes_to_no_application_that_was_not_opened_and_looked_at_in_the_same_transaction() {
    let card = Card::new("gm3000");
    let at = card.known(&[]);
    card.lease(&at).slots().unwrap();
    card.sent();
    // The numbers were given anew: what was customs is the bank now.
    card.set(|model| {
        let [eport, bank] = &mut model.applications[..] else { panic!() };
        std::mem::swap(&mut eport.open, &mut bank.open);
        (eport.open, bank.pins[1].1) = (None, 3);
    });
    let mut token = card.lease(&at);
    let glanced = token.pin_state(&pin_of(EPORT)).unwrap().status;
    assert_eq!(glanced, PinStatus::Known(3), "a number alone tells of whoever has it");
    sign(&mut *token, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    let sent = card.instructions();
    assert_eq!(sent, [INFO, OPEN, CONTAINER, INFO, RANDOM, VERIFY, SIGN]);
    assert_eq!(card.tries(), [5, 3]);
}

#[test]
fn a_device_that_gives_every_application_the_same_number_never_gets_one_pin_for_the_other() {
    let card = Card::new("gm3000");
    card.set(|model| model.one_number = Some([0x10, 0]));
    let at = card.known(&[]);
    let mut token = card.lease(&at);
    assert_eq!(labels(&mut *token).len(), 4);
    for _ in 0..3 {
        sign(&mut *token, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
        sign(&mut *token, BANK, Auth::Pin(&pin(BANK_PIN))).unwrap();
    }
    drop(token);
    assert_eq!(card.tries(), [5, 6]);
    assert!(card.set(|model| model.applications.iter().all(|a| !a.login)), "both logins are over");
    // The number is the bank's now, so it tells nothing of customs.
    card.lease(&at).certificate(&spot(BANK).certificate()).unwrap();
    sign(&mut *card.lease(&at), BANK, Auth::Pin(&pin(BANK_PIN))).unwrap();
    assert_eq!(card.lease(&at).pin_state(&pin_of(EPORT)).unwrap().status, PinStatus::Known(5));
}

#[test]
fn tries_that_another_application_told_spend_no_last_try() {
    let card = Card::new("gm3000");
    let at = card.known(&[]);
    card.lease(&at).slots().unwrap();
    card.set(|model| {
        let [eport, bank] = &mut model.applications[..] else { panic!() };
        bank.open = eport.open.take();
        eport.pins[1].1 = 1;
    });
    let mut token = card.lease(&at);
    assert_eq!(token.pin_state(&pin_of(EPORT)).unwrap().status, PinStatus::Known(6));
    card.sent();
    let error = sign(&mut *token, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap_err();
    assert_eq!((error.kind(), error.tries_left()), (ErrorKind::LastTry, Some(PinStatus::Known(1))));
    assert_eq!(card.logins(), 0);
    // Now it is known, and whoever says so may spend it.
    sign(&mut *token, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
}

#[test]
fn a_dialect_that_was_never_accepted_needs_a_word_and_three_tries() {
    let card = Card::new("gm3000");
    let refused = |allowed: bool, tries: u8| {
        card.set(|model| model.applications[0].pins[1].1 = tries);
        let rules = CardRules { try_unproven: allowed, ..rules("gm3000", false) };
        let mut token = card.lease(&card.insertion(&[EPORT], rules));
        sign(&mut *token, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).err().map(|e| e.kind())
    };
    assert_eq!(refused(false, 5), Some(ErrorKind::DialectUnproven));
    assert_eq!(refused(true, 2), Some(ErrorKind::DialectUnproven));
    assert_eq!(card.logins(), 0);
    assert_eq!(refused(true, 3), None);
    // What the device accepted once is known as long as this process knows the device.
    let at = card.insertion(&[EPORT], CardRules { try_unproven: true, ..rules("gm3000", false) });
    card.lease(&at).login(&pin_of(EPORT), Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    let rules = Arc::new(rules("gm3000", false));
    let again = Insertion::new(Atr::new(ATR), vec![]);
    let again = Arc::new(again.with_tries(&at.tries()).greeted(greeting()).under(&rules));
    assert_eq!(card.lease(&again).pin_state(&pin_of(EPORT)).unwrap().form, PinForm::Sure);
    // Another dialect was never accepted, whatever was before it.
    let other = Arc::new(super::model::rules("usbtool", false));
    let other = Insertion::new(Atr::new(ATR), vec![]).with_tries(&at.tries()).greeted(greeting()).under(&other);
    let form = card.lease(&Arc::new(other)).pin_state(&pin_of(EPORT)).unwrap().form;
    assert_eq!(form, PinForm::Unproven { allowed: false });
}

#[test]
fn where_one_application_opens_at_a_time_the_login_ends_before_the_other_one_opens() {
    let card = Card::new("gm3000");
    card.set(|model| model.one_application = true);
    let at = card.known(&[]);
    let mut token = card.lease(&at);
    token.keep_login(&Arc::new(AtomicBool::new(true)));
    token.slots().unwrap();
    sign(&mut *token, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    card.sent();
    sign(&mut *token, BANK, Auth::Pin(&pin(BANK_PIN))).unwrap();
    assert_eq!(card.instructions()[..3], [CLEAR, CLOSE, OPEN]);
    assert!(card.set(|model| !model.applications[0].login && model.applications[1].login));
    drop(token);
    // Closed and kept: closing leaves the login on the device.
    assert_eq!(card.instructions(), [CLOSE]);
    let mut token = card.lease(&at);
    token.keep_login(&Arc::new(AtomicBool::new(true)));
    sign(&mut *token, BANK, Auth::Held).unwrap();
    assert_eq!(card.instructions(), [OPEN, CONTAINER, SIGN]);
}

#[test]
fn an_application_that_another_program_has_open_is_not_closed_for_it() {
    let card = Card::new("gm3000");
    card.set(|model| {
        model.one_application = true;
        model.applications[1].open = Some([0x20, 0]);
        model.applications[1].login = true;
    });
    let mut token = card.lease(&card.known(&[EPORT]));
    card.sent();
    let error = token.pin_state(&pin_of(EPORT)).unwrap_err();
    assert_eq!((error.kind(), error.raw_status()), (ErrorKind::Busy, Some(&Status::Sw(0x6A90))));
    drop(token);
    assert_eq!(card.instructions(), [OPEN, OPEN]);
    assert!(card.set(|model| model.applications[1].login && model.applications[1].open.is_some()));
}

#[test]
fn a_login_that_another_program_opened_is_never_used() {
    let card = Card::new("gm3000");
    let at = card.known(&[]);
    card.lease(&at).slots().unwrap();
    card.set(|model| model.applications.iter_mut().for_each(|a| a.login = true));
    card.sent();
    let mut token = card.lease(&at);
    for auth in [Auth::Held, Auth::OnDevice] {
        assert_eq!(sign(&mut *token, EPORT, auth).unwrap_err().kind(), ErrorKind::PinRequired);
        assert_eq!(token.login(&pin_of(EPORT), auth).unwrap_err().kind(), ErrorKind::PinRequired);
    }
    assert!(!token.pin_state(&pin_of(EPORT)).unwrap().open);
    sign(&mut *token, EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).unwrap();
    let sent = card.instructions();
    assert_eq!(sent.iter().filter(|ins| **ins == SIGN).count(), 1);
    assert!(sent.contains(&VERIFY), "with our own PIN, shown by us");
}

#[test]
fn the_login_ends_with_the_lease_unless_it_is_to_be_kept() {
    let card = Card::new("gm3000");
    let at = card.known(&[]);
    let login = |application: usize| card.set(|model| model.applications[application].login);
    let mut token = card.lease(&at);
    token.keep_login(&Arc::new(AtomicBool::new(true)));
    token.slots().unwrap();
    sign(&mut *token, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    drop(token);
    assert!(login(0) && !at.owes_login(), "it is kept");
    card.sent();
    let mut token = card.lease(&at);
    token.keep_login(&Arc::new(AtomicBool::new(true)));
    sign(&mut *token, EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).unwrap();
    sign(&mut *token, EPORT, Auth::Held).unwrap();
    drop(token);
    assert_eq!(card.instructions(), [OPEN, SIGN, SIGN]);
    // Lost to another program: the PIN of the batch opens it again.
    card.set(|model| model.applications[0].login = false);
    let mut token = card.lease(&at);
    token.keep_login(&Arc::new(AtomicBool::new(true)));
    sign(&mut *token, EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).unwrap();
    drop(token);
    assert!(login(0) && card.logins() == 1);
    // Whoever keeps nothing ends it, and needs no signature for that.
    drop(card.lease(&at));
    assert!(!login(0));
    assert_eq!(sign(&mut *card.lease(&at), EPORT, Auth::Held).unwrap_err().kind(), ErrorKind::PinRequired);
}

#[test]
fn a_batch_does_not_send_the_pin_again_after_somebodys_wrong_one() {
    let card = Card::new("gm3000");
    let at = card.known(&[EPORT]);
    sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    card.sent();
    sign(&mut *card.lease(&at), EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).unwrap();
    assert_eq!(card.logins(), 1);
    for (tries, kind) in [(4, ErrorKind::PinRequired), (1, ErrorKind::LastTry), (0, ErrorKind::PinLocked)] {
        card.set(|model| model.applications[0].pins[1].1 = tries);
        let error = sign(&mut *card.lease(&at), EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).unwrap_err();
        assert_eq!((error.kind(), card.logins()), (kind, 0), "{tries}");
    }
}

#[test]
fn a_wrong_pin_is_sent_once_and_never_touches_the_other_application() {
    let card = Card::new("syno-2015");
    let at = card.known(&[]);
    for left in [4, 3, 2, 1] {
        let error = sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin("000000"))).unwrap_err();
        assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinIncorrect, Some(PinStatus::Known(left))));
        assert_eq!(error.raw_status(), Some(&Status::Sw(0x63C0 + u16::from(left))));
        assert!(!format!("{error} {error:?}").contains("000000"));
        assert_eq!((card.logins(), card.tries()), (1, vec![left, 6]));
    }
    let error = sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin("000000"))).unwrap_err();
    assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinLocked, Some(PinStatus::Locked)));
    let error = sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap_err();
    assert_eq!((error.kind(), card.logins()), (ErrorKind::PinLocked, 1));
    sign(&mut *card.lease(&at), BANK, Auth::Pin(&pin(BANK_PIN))).unwrap();
}

#[test]
fn a_pin_that_cannot_be_one_costs_no_command() {
    let card = Card::new("gm3000");
    let at = card.known(&[EPORT]);
    let mut token = card.lease(&at);
    token.slots().unwrap();
    card.sent();
    for (text, kind) in [
        ("12345", ErrorKind::PinLength),
        ("12345678901234567", ErrorKind::PinLength),
        ("密码密码", ErrorKind::PinEncoding),
    ] {
        assert_eq!(token.login(&pin_of(EPORT), Auth::Pin(&pin(text))).unwrap_err().kind(), kind, "{text}");
    }
    assert!(card.sent().is_empty());
}

#[test]
fn a_pin_whose_answer_was_lost_is_in_doubt_and_goes_no_second_time_by_itself() {
    let card = Card::new("gm3000");
    let at = card.known(&[EPORT]);
    sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    card.set(|model| model.applications[0].pins[1].0 = "changed1".into());
    card.sent();
    card.set(|model| model.fault = Some((4, Fault::Lost)));
    let mut token = card.lease(&at);
    let error = sign(&mut *token, EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CardRemoved);
    drop(token);
    assert_eq!(card.instructions(), [OPEN, INFO, RANDOM, VERIFY], "a port that failed gets nothing more");
    card.set(|model| (model.fault, model.applications[0].login) = (None, true));
    let mut token = card.lease(&at);
    assert!(token.pin_state(&pin_of(EPORT)).unwrap().in_doubt);
    let error = sign(&mut *token, EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).unwrap_err();
    assert_eq!((error.kind(), card.logins()), (ErrorKind::PinRequired, 0));
    drop(token);
    assert!(!card.set(|model| model.applications[0].login), "what may have been opened then is ended now");
}

/// A connection that fails tells nothing of the card's power: whoever connects again to the same device ends what may be open.
#[test]
fn a_login_whose_end_was_lost_with_the_connection_ends_with_the_next_one() {
    for keep in [false, true] {
        let card = Card::new("gm3000");
        let at = card.known(&[]);
        card.lease(&at).slots().unwrap();
        card.sent();
        // OPEN, INFO, RANDOM, VERIFY, and the answer to the signature does not come.
        card.set(|model| model.fault = Some((5, Fault::Lost)));
        let mut token = card.lease(&at);
        token.keep_login(&Arc::new(AtomicBool::new(keep)));
        sign(&mut *token, BANK, Auth::Pin(&pin(BANK_PIN))).unwrap_err();
        drop(token);
        card.set(|model| model.fault = None);
        assert!(card.set(|model| model.applications[1].login), "{keep}");
        let again = Insertion::new(Atr::new(ATR), vec![]).with_tries(&at.tries()).greeted(greeting());
        let again = Arc::new(again.under(&Arc::new(rules("gm3000", true))));
        sign(&mut *card.lease(&again), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
        assert!(!card.set(|model| model.applications[1].login), "{keep}");
        card.sent();
        drop(card.lease(&again));
        assert!(card.sent().is_empty(), "ended once");
    }
}

#[test]
fn the_other_applications_pin_opens_no_key() {
    let card = Card::new("gm3000");
    let mut token = card.lease(&card.known(&[]));
    let slots: Vec<Slot> = token.slots().unwrap();
    card.sent();
    let key = public(&mut *token, EPORT).unwrap();
    let tbs = ToBeSigned::over(Suite::Sm2Sm3, &key, b"order").unwrap();
    let typed = pin(BANK_PIN);
    let error = token.sign(&slots[0].key, &slots[2].pin, Auth::Pin(&typed), &tbs).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PinRole);
    let error = token.sign(&slots[1].key, &slots[1].pin, Auth::Pin(&typed), &tbs).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyUnsuited, "an encryption pair signs nothing");
    let wrong = ToBeSigned { suite: Suite::P256Sha256, ..tbs.clone() };
    let error = token.sign(&slots[0].key, &slots[0].pin, Auth::Pin(&typed), &wrong).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyUnsuited);
    assert!(card.sent().is_empty());
}

#[test]
fn a_reset_by_another_program_makes_all_numbers_and_logins_unknown() {
    let card = Card::new("gm3000");
    let at = card.known(&[EPORT]);
    let mut token = card.lease(&at);
    token.keep_login(&Arc::new(AtomicBool::new(true)));
    sign(&mut *token, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    drop(token);
    at.was_reset();
    card.sent();
    let mut token = card.lease(&at);
    token.keep_login(&Arc::new(AtomicBool::new(true)));
    assert!(!token.pin_state(&pin_of(EPORT)).unwrap().open);
    assert_eq!(card.instructions(), [OPEN, INFO]);
    drop(token);
    // An answer that was lost looks like a reset, so the login may be there: nobody uses it, and it ends.
    assert_eq!(card.instructions(), [CLEAR]);
    assert!(!card.set(|model| model.applications[0].login));
}

#[test]
fn a_login_whose_signature_was_lost_on_the_way_ends_with_the_next_lease() {
    for kept in [false, true] {
        let card = Card::new("gm3000");
        let at = card.known(&[BANK]);
        let mut token = card.lease(&at);
        token.certificate(&spot(BANK).certificate()).unwrap();
        token.login(&pin_of(BANK), Auth::Pin(&pin(BANK_PIN))).unwrap();
        token.keep_login(&Arc::new(AtomicBool::new(kept)));
        card.sent();
        card.set(|model| model.fault = Some((1, Fault::Lost)));
        sign(&mut *token, BANK, Auth::Held).unwrap_err();
        drop(token);
        card.set(|model| model.fault = None);
        assert!(card.set(|model| model.applications[1].login), "the card was not reached any more");
        assert!(at.owes_login());
        // What a link says after an answer that was lost: nobody knows whether the card was reset.
        at.was_reset();
        let mut token = card.lease(&at);
        token.keep_login(&Arc::new(AtomicBool::new(kept)));
        drop(token);
        assert!(card.set(|model| !model.applications[1].login), "kept: {kept}");
    }
}

#[test]
fn an_accepted_pin_fills_its_tries_so_that_later_wrong_ones_show() {
    let card = Card::new("gm3000");
    card.set(|model| model.applications[0].pins[1].1 = 2);
    let at = card.known(&[EPORT]);
    sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    assert_eq!(card.tries(), [5, 6]);
    // As many as were seen at first, and still not all of them.
    card.set(|model| model.applications[0].pins[1].1 = 2);
    card.sent();
    let error = sign(&mut *card.lease(&at), EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).unwrap_err();
    assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinRequired, Some(PinStatus::Known(2))));
    assert_eq!(card.logins(), 0);
}

#[test]
fn a_login_that_is_still_to_be_ended_is_not_taken_for_another_ones_with_its_number() {
    let card = Card::new("gm3000");
    let at = card.known(&[BANK]);
    // Neither ended nor closed, so its number is remembered.
    card.set(|model| model.always.extend([CLEAR, CLOSE].map(|ins| (ins, vec![0x6F, 0x00]))));
    sign(&mut *card.lease(&at), BANK, Auth::Pin(&pin(BANK_PIN))).unwrap();
    card.set(|model| {
        model.always.clear();
        assert!(model.applications[1].login);
        // Another program closed the bank's application, and has logged in to the other one under the same number.
        model.applications[0].open = model.applications[1].open.take();
        (model.applications[0].login, model.one_application) = (true, true);
    });
    let mut token = card.lease(&at);
    token.slots().unwrap();
    public(&mut *token, BANK).unwrap();
    token.pin_state(&pin_of(BANK)).unwrap();
    drop(token);
    assert_eq!(card.set(|model| [model.applications[0].login, model.applications[1].login]), [true, false]);
}
