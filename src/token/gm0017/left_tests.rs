//! Logins that stay on a device because their end did not reach it, or because a batch keeps them: each is over when its call or batch is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::model::{BANK_PIN, CUSTOMS_PIN, Card, Model};
use super::shield_tests::{READER, again, known, receipt, shield, sign, typist, unlock};
use super::tests::{self, CLEAR, CONTAINER, EPORT, INFO, OPEN, RANDOM, SIGN, VERIFY, pin};
use crate::credential::Selector;
use crate::error::ErrorKind;
use crate::note::Note;
use crate::policy::{self, Policy};
use crate::request::Unlock;
use crate::role::Role;
use crate::token::Auth;
use crate::wait::Wait;

#[test]
fn the_login_of_a_signature_that_was_lost_on_the_way_is_over_when_the_call_returns() {
    let card = Card::new("gm3000");
    let (_readers, scanner) = known(&card);
    let shield = shield(&scanner);
    card.sent();
    card.set(|model| model.lost = Some(SIGN));
    let error = sign(&shield, Role::Bank, BANK_PIN).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenFailed);
    assert!(!card.set(|model| model.applications[1].login));
    assert_eq!(card.logins(), 1);
    // Nor does an unlock leave one that did not come about.
    card.set(|model| model.lost = Some(VERIFY));
    let policy = Policy { keep_login: true, ..Policy::of(Role::Customs) };
    let unlock = Unlock::of(Role::Customs).policy(policy);
    shield.unlock(unlock, &mut typist(CUSTOMS_PIN), &Wait::default()).unwrap_err();
    assert!(!card.set(|model| model.applications[0].login));
    assert_eq!(card.logins(), 1);
}

#[test]
fn after_a_change_of_a_pin_that_was_lost_on_the_way_no_login_is_open_when_the_call_returns() {
    const CHANGE: u8 = 0x16;
    let card = Card::new("syno-2015");
    let (_readers, scanner) = known(&card);
    let shield = shield(&scanner);
    let typed = |text: &str| crate::pin::Pin::new(Role::Bank, text.as_bytes()).unwrap();
    card.sent();
    card.set(|model| (model.lost, model.applications[1].login) = (Some(CHANGE), true));
    let (old, new, consent) = (typed(BANK_PIN), typed("111111"), crate::tries::Consent::None);
    let changed = shield.change_pin(Role::Bank, &Selector::default(), (&old, &new), consent, &Wait::default());
    assert_eq!(changed.unwrap_err().kind(), ErrorKind::TokenFailed);
    let sent = card.instructions();
    assert_eq!(sent.iter().filter(|ins| **ins == CHANGE).count(), 1);
    assert_eq!(sent.last(), Some(&CLEAR), "{sent:02X?}");
    assert!(!card.set(|model| model.applications[1].login));
    sign(&shield, Role::Bank, "111111").unwrap();
}

#[test]
fn a_card_that_was_pulled_out_is_owed_nothing() {
    let card = Card::new("gm3000");
    let (readers, scanner) = known(&card);
    let shield = shield(&scanner);
    let look = || {
        shield.pin_status(Role::Customs, &Selector::default(), &Wait::default()).unwrap();
    };
    card.set(|model| drop(model.always.insert(CLEAR, vec![0x6F, 0x00])));
    sign(&shield, Role::Bank, BANK_PIN).unwrap();
    card.sent();
    look();
    assert!(card.instructions().contains(&CLEAR));
    let out = readers.remove(READER).unwrap();
    readers.insert(READER, out);
    look();
    assert!(!card.instructions().contains(&CLEAR), "without power there is no login");
}

/// What happens to the next command with an instruction.
type Accident = fn(&mut Model, u8);

/// One signature and two batches, in each of which this happens: how often it came to that.
fn mishaps(card: &Card, ins: u8, accident: Accident) -> usize {
    let (readers, scanner) = known(card);
    let shield = shield(&scanner);
    let mut happened = 0;
    let mut is_over = |what: &str| {
        card.set(|model| {
            let open = model.applications.iter().any(|a| a.login);
            assert!(!open, "{what}, {ins:02X}, {} {}", model.one_application, model.drops_login);
            happened += usize::from(model.lost.is_none() && model.unreached.is_empty());
            (model.lost, model.unreached) = (None, Vec::new());
        });
        assert_eq!(card.tries(), [5, 6]);
        // Where the end of an application did not reach a device that opens one at a time, the other one waits for that.
        readers.reset(READER);
    };
    card.sent();
    card.set(|model| accident(model, ins));
    let _ = sign(&shield, Role::Bank, BANK_PIN);
    assert!(card.logins() <= 1, "what was typed goes out once");
    is_over("one signature");
    let policy = Policy { keep_login: true, ..Policy::of(Role::Customs) };
    let kept = Unlock::of(Role::Customs).policy(policy);
    let kept = shield.unlock(kept, &mut typist(CUSTOMS_PIN), &Wait::default()).unwrap();
    again(&kept).unwrap();
    sign(&shield, Role::Bank, BANK_PIN).unwrap();
    card.set(|model| accident(model, ins));
    let _ = (again(&kept), again(&kept));
    kept.end();
    is_over("a batch that keeps its login");
    let bank = unlock(&shield, Role::Bank, BANK_PIN);
    card.set(|model| accident(model, ins));
    let _ = (again(&bank), again(&bank));
    bank.end();
    is_over("a batch of the bank");
    happened
}

#[test]
fn whichever_command_or_answer_is_lost_no_login_is_open_when_call_or_batch_are_over() {
    let accidents: [Accident; 2] = [|model, ins| model.lost = Some(ins), |model, ins| model.unreached = vec![ins]];
    for accident in accidents {
        let mut happened = 0;
        for (one_application, drops_login) in [(false, false), (true, false), (false, true)] {
            for ins in [OPEN, CONTAINER, INFO, RANDOM, VERIFY, SIGN, CLEAR, 0x28] {
                let card = Card::new("gm3000");
                card.set(|model| (model.one_application, model.drops_login) = (one_application, drops_login));
                happened += mishaps(&card, ins, accident);
            }
        }
        assert!(happened >= 40, "{happened} times");
    }
}

#[test]
fn a_signature_whose_login_could_not_be_ended_is_one_and_its_end_is_tried_once_more() {
    let card = Card::new("gm3000");
    let (_readers, scanner) = known(&card);
    let shield = shield(&scanner);
    let login = || card.set(|model| model.applications[1].login);
    card.set(|model| model.unreached = vec![CLEAR]);
    sign(&shield, Role::Bank, BANK_PIN).unwrap();
    assert!(!login());
    card.set(|model| model.unreached = vec![CLEAR; 3]);
    sign(&shield, Role::Bank, BANK_PIN).unwrap();
    assert_eq!((login(), card.set(|model| std::mem::take(&mut model.unreached).len())), (true, 1));
    // The same after a signature that the device refused, and while a batch rests.
    shield.pin_status(Role::Bank, &Selector::default(), &Wait::default()).unwrap();
    assert!(!login());
    card.set(|model| (_, model.unreached) = (model.always.insert(SIGN, vec![0x6A, 0x80]), vec![CLEAR]));
    sign(&shield, Role::Bank, BANK_PIN).unwrap_err();
    assert!(!login());
    card.set(|model| (_, model.unreached) = (model.always.remove(&SIGN), vec![CLEAR]));
    let session = unlock(&shield, Role::Bank, BANK_PIN);
    assert!(login());
    let end = Wait::at_most(Duration::from_secs(20));
    while login() {
        end.check("the rest of a batch").unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    again(&session).unwrap();
    drop(session);
    let typed = |text: &str| crate::pin::Pin::new(Role::Bank, text.as_bytes()).unwrap();
    // The same after a change of the PIN.
    let card = Card::new("syno-2015");
    let (_readers, scanner) = known(&card);
    let shield = super::shield_tests::shield(&scanner);
    card.set(|model| (model.unreached, model.applications[1].login) = (vec![CLEAR], true));
    let (old, new, consent) = (typed(BANK_PIN), typed("111111"), crate::tries::Consent::None);
    shield.change_pin(Role::Bank, &Selector::default(), (&old, &new), consent, &Wait::default()).unwrap();
    assert!(!card.set(|model| model.applications[1].login), "whoever opened it");
}

#[test]
fn a_signature_of_a_batch_after_which_none_may_come_leaves_no_login_behind_either() {
    let card = Card::new("gm3000");
    let (_readers, scanner) = known(&card);
    let session = unlock(&shield(&scanner), Role::Bank, BANK_PIN);
    let login = || card.set(|model| model.applications[1].login);
    // One after which the lease is given back: the sixteenth, or an earlier one where that takes too long.
    let is_over = (0..40).any(|_| {
        card.set(|model| model.unreached = vec![CLEAR]);
        again(&session).unwrap();
        !login()
    });
    assert!(is_over && card.set(|model| model.unreached.is_empty()));
    // And one that the device refused.
    card.set(|model| (_, model.unreached) = (model.always.insert(SIGN, vec![0x6A, 0x80]), vec![CLEAR]));
    again(&session).unwrap_err();
    assert!(!login() && card.set(|model| model.unreached.is_empty()));
}

#[test]
fn what_a_batch_kept_is_over_when_it_ends_though_none_of_its_leases_is_there_any_more() {
    let card = Card::new("gm3000");
    let (_readers, scanner) = known(&card);
    let shield = shield(&scanner);
    let keep = Policy { keep_login: true, ..Policy::of(Role::Customs) };
    let keep = Unlock::of(Role::Customs).policy(keep);
    let session = shield.unlock(keep, &mut typist(CUSTOMS_PIN), &Wait::default()).unwrap();
    // The last of these gives the lease back.
    (0..policy::LEASE_SIGNATURES).for_each(|_| again(&session).unwrap());
    let sent = card.instructions();
    assert!(card.set(|model| model.applications[0].login) && !sent.contains(&CLEAR), "{sent:02X?}");
    assert_eq!(sent.iter().filter(|ins| **ins == VERIFY).count(), 1);
    // Where that does not reach the device it is tried once more.
    card.set(|model| model.unreached = vec![CLEAR]);
    session.end();
    assert!(!card.set(|model| model.applications[0].login) && card.set(|model| model.unreached.is_empty()));
}

#[test]
fn whoever_signs_is_told_of_a_login_that_the_device_did_not_let_us_end() {
    let card = Card::new("gm3000");
    let (readers, scanner) = known(&card);
    let shield = shield(&scanner);
    let notes = |role, pin| receipt(&shield, role, pin).unwrap().notes;
    assert!(!notes(Role::Bank, BANK_PIN).contains(&Note::LoginLeft) && !shield.may_be_logged_in());
    // One that a batch keeps is open on purpose, and the batch ends it.
    let policy = Policy { keep_login: true, ..Policy::of(Role::Customs) };
    let kept = Unlock::of(Role::Customs).policy(policy);
    let kept = shield.unlock(kept, &mut typist(CUSTOMS_PIN), &Wait::default()).unwrap();
    again(&kept).unwrap();
    assert!(!notes(Role::Bank, BANK_PIN).contains(&Note::LoginLeft) && !shield.may_be_logged_in());
    // The payment has ended its login too.
    again(&kept).unwrap();
    assert!(!shield.may_be_logged_in());
    card.set(|model| drop(model.always.insert(CLEAR, vec![0x6F, 0x00])));
    kept.end();
    assert!(shield.may_be_logged_in(), "the batch is over");
    assert!(shield.open_doors().iter().all(|door| door.has_unended_login()));
    card.set(|model| model.always.clear());
    shield.pin_status(Role::Customs, &Selector::default(), &Wait::default()).unwrap();
    assert!(!shield.may_be_logged_in(), "another lease has ended it");
    card.set(|model| drop(model.always.insert(CLEAR, vec![0x6F, 0x00])));
    assert!(notes(Role::Bank, BANK_PIN).contains(&Note::LoginLeft) && shield.may_be_logged_in());
    let out = readers.remove(READER).unwrap();
    readers.insert(READER, out);
    card.set(|model| model.always.clear());
    assert!(!notes(Role::Bank, BANK_PIN).contains(&Note::LoginLeft) && !shield.may_be_logged_in());
}

#[test]
fn a_login_of_a_batch_that_is_just_over_is_owed_and_one_whose_end_was_refused_is_unended() {
    let card = Card::new("gm3000");
    let at = card.known(&[]);
    let keep = Arc::new(AtomicBool::new(true));
    let state = || (at.owes_login(), at.tries().has_unended_login());
    let mut token = card.lease(&at);
    token.keep_login(&keep);
    tests::sign(&mut *token, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    drop(token);
    assert_eq!(state(), (false, false), "it is kept");
    keep.store(false, Ordering::SeqCst);
    assert_eq!(state(), (true, false), "nobody has tried to end it");
    card.set(|model| drop(model.always.insert(CLEAR, vec![0x6F, 0x00])));
    drop(card.lease(&at));
    assert_eq!(state(), (true, true));
    card.set(|model| model.always.clear());
    drop(card.lease(&at));
    assert_eq!(state(), (false, false));
}
