//! A whole shield on such a device: found, asked, unlocked. What goes to the device is counted from the first command to the last.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::model::{BANK_PIN, CUSTOMS_PIN, Card, MODEL, SERIAL};
use super::tests::{CLEAR, CONTAINER, EPORT, INFO, OPEN, RANDOM, SIGN, VERIFY, spot};
use crate::cert::Certificate;
use crate::credential::Selector;
use crate::error::{Error, ErrorKind, Recovery, Result};
use crate::link::card::VirtualReaders;
use crate::policy::Policy;
use crate::profile::Profile;
use crate::prompt::{Declined, PinEntry, PinQuestion};
use crate::receipt::Receipt;
use crate::request::{Request, Unlock};
use crate::role::Role;
use crate::scan::Scanner;
use crate::shield::Shield;
use crate::source::Content;
use crate::tries::PinStatus;
use crate::wait::Wait;
use crate::{Reference, Session};

pub(super) const READER: &str = "Reader 0";

fn profile(dialect: &str, proven: &str) -> Profile {
    let text = format!(
        "schema = 1\nname = \"story\"\ntest = true\n\n[[customs.issuer]]\ncommon_name = \"Story customs CA\"\n\n\
         [[bank.issuer]]\ncommon_name = \"Story bank CA\"\n\n[cards]\n\n[[cards.dialect]]\natr = \"3B 80 80 01 01\"\n\
         manufacturer = \"Model maker\"\nmodel = \"{MODEL}\"\nname = \"{dialect}\"\nproven = [{proven}]\n"
    );
    Profile::parse(&text).unwrap()
}

/// The device in a reader, and who looks at it.
fn desk(card: &Card, proven: &str) -> (VirtualReaders, Scanner) {
    let readers = VirtualReaders::new(&[READER]);
    readers.insert(READER, Arc::new(Mutex::new(card.clone())));
    let dialect = card.set(|model| model.dialect.name);
    let scanner = Scanner::new().profile(Arc::new(profile(dialect, proven))).readers(Arc::new(readers.clone()));
    (readers, scanner)
}

pub(super) fn known(card: &Card) -> (VirtualReaders, Scanner) {
    desk(card, &format!("{SERIAL:?}"))
}

pub(super) fn shield(scanner: &Scanner) -> Shield {
    scanner.scan(&Wait::default()).unwrap().only().unwrap().clone()
}

fn request(role: Role) -> Request {
    Request::raw(role, Content::bytes(b"order 4711".to_vec()))
}

pub(super) fn typist(pin: &'static str) -> impl FnMut(&PinQuestion<'_>) -> Result<PinEntry, Declined> {
    move |question| question.pin(pin.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
}

pub(super) fn sign(shield: &Shield, role: Role, pin: &'static str) -> Result<PinStatus> {
    receipt(shield, role, pin).map(|receipt| receipt.tries)
}

pub(super) fn receipt(shield: &Shield, role: Role, pin: &'static str) -> Result<Receipt> {
    let mut out = Vec::new();
    let receipt = shield.sign(request(role), &mut typist(pin), &Wait::default(), &mut out)?;
    assert!(!out.is_empty());
    Ok(receipt)
}

pub(super) fn unlock(shield: &Shield, role: Role, pin: &'static str) -> Session {
    let mut unlock = Unlock::of(role);
    if role == Role::Bank {
        unlock = unlock.policy(Policy { signatures: 50, ..Policy::of(role) });
    }
    shield.unlock(unlock, &mut typist(pin), &Wait::default()).unwrap()
}

pub(super) fn again(session: &Session) -> Result<()> {
    session.sign(request(session.role()), &Wait::default(), &mut Vec::new()).map(drop)
}

#[test]
fn by_reference_the_first_signature_takes_eight_commands_and_its_certificate() {
    let card = Card::new("gm3000");
    let der = card.set(|model| model.applications[0].containers[0].certificates[1].clone().unwrap());
    let fingerprint = Certificate::from_der(&der).unwrap().fingerprint();
    let text = format!("gm0017:{SERIAL}/{EPORT}/{fingerprint}");
    let (_readers, scanner) = known(&card);
    let named = shield(&scanner.reference(Reference::parse(&text).unwrap()));
    assert_eq!(card.instructions(), [0x04, OPEN, CONTAINER, 0x4E]);
    assert_eq!(sign(&named, Role::Customs, CUSTOMS_PIN).unwrap(), PinStatus::Known(5));
    assert_eq!(card.instructions(), [INFO, OPEN, INFO, RANDOM, VERIFY, SIGN, CLEAR]);
    assert_eq!(sign(&named, Role::Customs, CUSTOMS_PIN).unwrap(), PinStatus::Known(5));
    assert_eq!(card.instructions(), [INFO, OPEN, INFO, RANDOM, VERIFY, SIGN, CLEAR]);
    // However often somebody looks at the tries meanwhile, the lease that sends the PIN opens the application once.
    for looks in 1..4 {
        for _ in 0..looks {
            named.pin_status(Role::Customs, &Selector::default(), &Wait::default()).unwrap();
        }
        card.sent();
        sign(&named, Role::Customs, CUSTOMS_PIN).unwrap();
        let sent = card.instructions();
        assert_eq!(sent[sent.len() - 6..], [OPEN, INFO, RANDOM, VERIFY, SIGN, CLEAR], "{looks}");
        assert!(sent.len() <= 8, "{sent:02X?}");
    }
}

#[test]
fn both_roles_are_found_and_each_has_its_own_pin() {
    let card = Card::new("syno-2015");
    let (_readers, scanner) = known(&card);
    let shield = shield(&scanner);
    let selector = Selector::default();
    assert_eq!(shield.opened_together(Role::Bank, &selector).unwrap(), [Role::Bank]);
    sign(&shield, Role::Customs, CUSTOMS_PIN).unwrap();
    sign(&shield, Role::Bank, BANK_PIN).unwrap();
    let wrong = |role, pin| sign(&shield, role, pin).unwrap_err();
    for left in [4, 3, 2, 1] {
        let error = wrong(Role::Customs, "000000");
        assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinIncorrect, Some(PinStatus::Known(left))));
    }
    assert_eq!(wrong(Role::Customs, CUSTOMS_PIN).kind(), ErrorKind::LastTry, "nobody said that it may be spent");
    assert_eq!(sign(&shield, Role::Bank, BANK_PIN).unwrap(), PinStatus::Known(6));
    assert_eq!(card.tries(), [1, 6]);
    card.set(|model| model.applications[0].pins[1].1 = 0);
    let locked = wrong(Role::Customs, CUSTOMS_PIN);
    assert_eq!(locked.kind(), ErrorKind::PinLocked);
    assert!(locked.to_string().contains("e-port card office"), "{locked}");
    let typed = |role, text: &str| crate::pin::Pin::new(role, text.as_bytes()).unwrap();
    let (admin, new) = (typed(Role::Customs, "adminpin"), typed(Role::Customs, "new-pin-1"));
    let consent = crate::tries::Consent::None;
    shield.unblock_pin(Role::Customs, &selector, (&admin, &new), consent, &Wait::default()).unwrap();
    sign(&shield, Role::Customs, "new-pin-1").unwrap();
    let bank = typed(Role::Bank, "111111");
    shield.change_pin(Role::Bank, &selector, (&typed(Role::Bank, BANK_PIN), &bank), consent, &Wait::default()).unwrap();
    sign(&shield, Role::Bank, "111111").unwrap();
    assert_eq!(card.tries(), [5, 6]);
}

/// Batches of both roles in turns: how many PINs went out.
fn batches(card: &Card, rounds: usize) -> usize {
    let (_readers, scanner) = known(card);
    let shield = shield(&scanner);
    let (customs, bank) = (unlock(&shield, Role::Customs, CUSTOMS_PIN), unlock(&shield, Role::Bank, BANK_PIN));
    for round in 0..rounds {
        for session in [&customs, &bank] {
            again(session).unwrap_or_else(|error| panic!("{round} {}: {error}", session.role()));
        }
    }
    drop((customs, bank));
    assert!(card.set(|model| model.applications.iter().all(|a| !a.login)), "both logins are over");
    assert_eq!(card.tries(), [5, 6]);
    card.logins()
}

#[test]
fn batches_of_both_roles_go_on_whatever_the_device_does_with_logins() {
    let mut counted = Vec::new();
    for (one_application, drops_login) in [(false, false), (true, false), (false, true), (true, true)] {
        let card = Card::new("gm3000");
        card.set(|model| (model.one_application, model.drops_login) = (one_application, drops_login));
        counted.push(batches(&card, 20));
    }
    // A batch gives the device back to the other one after each signature, and its login ends with that.
    assert!(counted.iter().all(|logins| (40..=42).contains(logins)), "{counted:?}");
}

#[test]
fn a_batch_on_its_own_shows_its_pin_once_for_sixteen_signatures() {
    let card = Card::new("gm3000");
    let (_readers, scanner) = known(&card);
    let shield = shield(&scanner);
    let session = unlock(&shield, Role::Customs, CUSTOMS_PIN);
    card.sent();
    (0..16).for_each(|_| again(&session).unwrap());
    assert_eq!(card.instructions(), [[SIGN; 16].as_slice(), &[CLEAR]].concat());
}

#[test]
fn a_device_that_never_accepted_the_dialect_is_tried_after_an_explicit_word_alone() {
    let card = Card::new("usbtool");
    let (_readers, scanner) = desk(&card, "");
    let refused = |error: Error| error.kind();
    assert_eq!(refused(sign(&shield(&scanner), Role::Customs, CUSTOMS_PIN).unwrap_err()), ErrorKind::DialectUnproven);
    assert_eq!(card.logins(), 0);
    let allowed = shield(&scanner.try_unproven_dialects());
    sign(&allowed, Role::Customs, CUSTOMS_PIN).unwrap();
    sign(&allowed, Role::Bank, BANK_PIN).unwrap();
}

#[test]
fn a_reset_between_two_signatures_costs_nothing_but_the_numbers() {
    let card = Card::new("gm3000");
    let (readers, scanner) = known(&card);
    let shield = shield(&scanner);
    sign(&shield, Role::Customs, CUSTOMS_PIN).unwrap();
    readers.reset(READER);
    card.sent();
    sign(&shield, Role::Customs, CUSTOMS_PIN).unwrap();
    let sent = card.instructions();
    assert_eq!(sent.iter().filter(|ins| **ins == VERIFY).count(), 1);
    assert!(!sent.contains(&0x4E), "the certificate is the same: {sent:02X?}");
    assert!(spot(EPORT).label() == EPORT);
}

#[test]
fn an_unlock_that_nobody_waited_for_leaves_no_login_behind() {
    const STEP: Duration = Duration::from_millis(150);
    let mut late = 0;
    for steps in [4, 5, 6, 7] {
        let card = Card::new("gm3000");
        let (readers, scanner) = known(&card);
        let shield = shield(&scanner);
        card.sent();
        readers.delay(STEP);
        let policy = Policy { keep_login: true, ..Policy::of(Role::Customs) };
        let wait = Wait::at_most(STEP * steps + STEP / 2);
        let opened = shield.unlock(Unlock::of(Role::Customs).policy(policy), &mut typist(CUSTOMS_PIN), &wait);
        let Err(error) = opened else { continue };
        assert_eq!(error.kind(), ErrorKind::Timeout);
        // The call that nobody waits for any more goes on; its lease ends what it began.
        std::thread::sleep(STEP * 8);
        late += card.logins();
        assert!(!card.set(|model| model.applications[0].login), "after {steps} steps");
    }
    assert!(late > 0, "no login came too late");
}

#[test]
fn a_refusal_in_a_dialect_that_was_never_proved_blames_nobody() {
    let card = Card::new("usbtool");
    let (_readers, scanner) = desk(&card, "");
    let wrong = Arc::new(profile("gm3000", ""));
    let shield = shield(&scanner.profile(wrong).try_unproven_dialects());
    for left in [4, 3] {
        let error = sign(&shield, Role::Customs, CUSTOMS_PIN).unwrap_err();
        assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinIncorrect, Some(PinStatus::Known(left))));
        assert!(error.to_string().contains("the PIN may be right and the dialect wrong"), "{error}");
        assert!(error.to_string().contains("gm3000"), "{error}");
        assert_eq!(error.recovery(), Recovery::AskAdministrator);
    }
    // Where the dialect is known the PIN was wrong.
    let card = Card::new("usbtool");
    let (_readers, scanner) = known(&card);
    let error = sign(&self::shield(&scanner), Role::Customs, "000000").unwrap_err();
    assert_eq!((error.kind(), error.what()), (ErrorKind::PinIncorrect, None));
    assert_eq!(error.recovery(), Recovery::EnterPin(Some(Role::Customs)));
}

#[test]
fn a_device_that_does_not_tell_tries_says_what_it_lacks() {
    let card = Card::new("gm3000");
    let (_readers, scanner) = known(&card);
    let shield = shield(&scanner);
    card.set(|model| drop(model.always.insert(INFO, vec![0x6D, 0])));
    let error = sign(&shield, Role::Customs, CUSTOMS_PIN).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("does not tell the tries of its PINs"), "{error}");
    assert_eq!(card.logins(), 0);
}

#[test]
fn a_device_that_could_not_write_is_said_to_be_one() {
    let card = Card::new("gm3000");
    let (_readers, scanner) = known(&card);
    let shield = shield(&scanner);
    card.set(|model| drop(model.always.insert(VERIFY, vec![0x65, 0x81])));
    let error = sign(&shield, Role::Customs, CUSTOMS_PIN).unwrap_err();
    assert_eq!((error.kind(), error.tries_left()), (ErrorKind::LoginFailed, Some(PinStatus::Known(5))));
    assert!(error.to_string().contains("could not write its memory; a simulator's is its state file"), "{error}");
}
