//! A whole shield on such a device: found, asked, unlocked. What goes to the device is counted from the first command to the last.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::model::{BANK_PIN, CUSTOMS_PIN, Card, MODEL, Model, SERIAL};
use super::tests::{CLEAR, CONTAINER, EPORT, INFO, OPEN, RANDOM, SIGN, VERIFY, spot};
use crate::cert::Certificate;
use crate::credential::Selector;
use crate::error::{Error, ErrorKind, Result};
use crate::link::card::VirtualReaders;
use crate::policy::Policy;
use crate::profile::Profile;
use crate::prompt::{Declined, PinEntry, PinQuestion};
use crate::request::{Request, Unlock};
use crate::role::Role;
use crate::scan::Scanner;
use crate::shield::Shield;
use crate::source::Content;
use crate::tries::PinStatus;
use crate::wait::Wait;
use crate::{Reference, Session};

const READER: &str = "Reader 0";

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

fn known(card: &Card) -> (VirtualReaders, Scanner) {
    desk(card, &format!("{SERIAL:?}"))
}

fn shield(scanner: &Scanner) -> Shield {
    scanner.scan(&Wait::default()).unwrap().only().unwrap().clone()
}

fn request(role: Role) -> Request {
    Request::raw(role, Content::bytes(b"order 4711".to_vec()))
}

fn typist(pin: &'static str) -> impl FnMut(&PinQuestion<'_>) -> Result<PinEntry, Declined> {
    move |question| question.pin(pin.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
}

fn sign(shield: &Shield, role: Role, pin: &'static str) -> Result<PinStatus> {
    let mut out = Vec::new();
    let receipt = shield.sign(request(role), &mut typist(pin), &Wait::default(), &mut out)?;
    assert!(!out.is_empty());
    Ok(receipt.tries)
}

fn unlock(shield: &Shield, role: Role, pin: &'static str) -> Session {
    let mut unlock = Unlock::of(role);
    if role == Role::Bank {
        unlock = unlock.policy(Policy { signatures: 50, ..Policy::of(role) });
    }
    shield.unlock(unlock, &mut typist(pin), &Wait::default()).unwrap()
}

fn again(session: &Session) -> Result<()> {
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
    let shield = self::shield(&scanner);
    card.set(|model| (model.unreached, model.applications[1].login) = (vec![CLEAR], true));
    let (old, new, consent) = (typed(BANK_PIN), typed("111111"), crate::tries::Consent::None);
    shield.change_pin(Role::Bank, &Selector::default(), (&old, &new), consent, &Wait::default()).unwrap();
    assert!(!card.set(|model| model.applications[1].login), "whoever opened it");
}
