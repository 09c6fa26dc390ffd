//! The test shield in the simulator, reached by the driver in this process: two applications on one device, each with a PIN of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use shared_shield::link::card::VirtualReaders;
use shared_shield::simulator::Simulator;
use shared_shield::{
    Consent, Content, Declined, ErrorKind, Note, PinEntry, PinForm, PinQuestion, PinStatus, Policy, Profile, Receipt,
    Reference, Request, Result, Role, Scanner, Selector, Shield, Unlock, Wait, policy,
};

use crate::made::Made;
use crate::make_simulated::{Pins, Plan, make};
use crate::{BANK_PIN, CUSTOMS_PIN};

const READER: &str = "a reader that counts";
/// GM/T 0017 §8.3.
const VERIFY_PIN: u8 = 0x18;

/// A shield in the simulator, in a reader that counts what goes to it.
struct Desk {
    dir: PathBuf,
    made: Made,
    readers: VirtualReaders,
    _simulator: Simulator,
}

impl Drop for Desk {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

impl Desk {
    fn new(name: &str) -> Desk {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("in-process-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        let pins = |user: &str, admin: &str| Pins { user: user.to_owned(), admin: admin.to_owned() };
        let plan = Plan::new(dir.join("state"), &dir, pins(CUSTOMS_PIN, "55556666"), pins(BANK_PIN, "77778888"));
        let made = make(&plan).unwrap();
        let simulator = Simulator::open(&plan.file).unwrap();
        let readers = VirtualReaders::new(&[READER]);
        readers.insert(READER, simulator.card());
        Desk { dir, made, readers, _simulator: simulator }
    }

    /// The profile, after a change to its text.
    fn profile(&self, change: impl FnOnce(String) -> String) -> Arc<Profile> {
        let text = std::fs::read_to_string(&self.made.profile).unwrap();
        Arc::new(Profile::parse(&change(text)).unwrap())
    }

    fn scanner(&self) -> Scanner {
        Scanner::new().readers(Arc::new(self.readers.clone())).profile(self.profile(|text| text))
    }

    fn verifies(&self) -> usize {
        self.readers.headers(READER).iter().filter(|header| header[1] == VERIFY_PIN).count()
    }

    /// An idle lease is given back after a while, twice its time at the most.
    fn waits_for_the_end_of_the_lease(&self) {
        let until = Instant::now() + policy::LEASE_TIME * 4;
        while self.readers.locked(READER) {
            assert!(Instant::now() < until, "the lease is still held");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether a program beside us could sign with this application's key now, without a PIN: OpenApplication, OpenContainer, ECCSignData.
    fn is_logged_in(&self, application: &str) -> bool {
        let send = |apdu: Vec<u8>| {
            let answer = self.readers.foreign(READER, &apdu);
            let (data, sw) = answer.split_at(answer.len() - 2);
            (data.to_vec(), u16::from_be_bytes([sw[0], sw[1]]))
        };
        let command = |ins: u8, p1: u8, data: &[u8], most: u8| {
            let mut apdu = vec![0x80, ins, p1, 0, 0, 0, u8::try_from(data.len()).unwrap()];
            apdu.extend(data);
            apdu.extend([0, most]);
            apdu
        };
        let (opened, sw) = send(command(0x26, 0, application.as_bytes(), 10));
        assert_eq!((opened.len(), sw), (10, 0x9000));
        let id = &opened[8..];
        let (container, sw) = send(command(0x42, 0, &[id, b"sign"].concat(), 2));
        assert_eq!((container.len(), sw), (2, 0x9000));
        let (signature, sw) = send(command(0x74, 2, &[id, &container, &[7; 32]].concat(), 68));
        assert!(matches!((signature.len(), sw), (68, 0x9000) | (0, 0x6982 | 0x6985)), "{sw:04X}");
        sw == 0x9000
    }
}

fn only(scanner: &Scanner) -> Shield {
    let scan = scanner.scan(&Wait::default()).unwrap();
    assert!(scan.problems.is_empty(), "{:?}", scan.problems);
    scan.only().unwrap().clone()
}

/// Signs once; and how often somebody was asked.
fn sign(shield: &Shield, role: Role, pin: &str) -> (Result<Receipt>, u32) {
    let asked = AtomicU32::new(0);
    let mut prompt = |question: &PinQuestion<'_>| {
        asked.fetch_add(1, Ordering::SeqCst);
        assert_eq!((question.role, question.also_opens), (role, &[][..]));
        question.pin(pin.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
    };
    let request = Request::raw(role, Content::bytes(*b"document"));
    let signed = shield.sign(request, &mut prompt, &Wait::default(), &mut Vec::new());
    (signed, asked.into_inner())
}

fn pin_of(role: Role) -> &'static str {
    if role == Role::Customs { CUSTOMS_PIN } else { BANK_PIN }
}

#[test]
fn two_applications_of_one_device_have_a_pin_each() {
    let desk = Desk::new("a_pin_each");
    let shield = only(&desk.scanner());
    assert_eq!(shield.doors().count(), 1);
    let door = shield.doors().next().unwrap();
    assert!(door.is_simulator() && door.dialect == "syno-2015", "{door:?}");
    for role in Role::ALL {
        let credential = shield.credential(role, &Selector::default()).unwrap();
        assert!(shield.also_opens(&credential).is_empty(), "{role}");
        assert_eq!(shield.opened_together(role, &Selector::default()).unwrap(), [role]);
        let (signed, asked) = sign(&shield, role, pin_of(role));
        let receipt = signed.unwrap();
        assert_eq!((asked, receipt.role, receipt.suite.name()), (1, role, "sm2-sm3"));
        assert!(receipt.notes.contains(&Note::Simulator), "{:?}", receipt.notes);
    }
    // Each in turn, as a desk does: no login of one is lost to the other, and none is left.
    for _ in 0..5 {
        for role in Role::ALL {
            sign(&shield, role, pin_of(role)).0.unwrap();
        }
    }
    assert!(!desk.is_logged_in("eport") && !desk.is_logged_in("bank"));
    // The bank's PIN is not the customs one.
    let (refused, _) = sign(&shield, Role::Customs, BANK_PIN);
    let error = refused.unwrap_err();
    assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinIncorrect, Some(PinStatus::Known(4))));
    let left = |role| shield.pin_status(role, &Selector::default(), &Wait::default()).unwrap();
    assert_eq!((left(Role::Customs), left(Role::Bank)), (PinStatus::Known(4), PinStatus::Known(6)));
}

#[test]
fn a_certificate_that_is_opened_by_its_name_alone_is_still_a_simulators() {
    let desk = Desk::new("by_name");
    let shield = only(&desk.scanner());
    let all = shield.certificates();
    let bank = all.iter().find(|c| c.role == Some(Role::Bank) && c.references[0].place() == "bank:sign").unwrap();
    let reference = Reference::parse(&bank.references[0].to_string()).unwrap();
    let named = only(&desk.scanner().reference(reference));
    assert_eq!(named.certificates().len(), 1);
    assert!(named.doors().next().unwrap().is_simulator());
    let receipt = sign(&named, Role::Bank, BANK_PIN).0.unwrap();
    assert!(receipt.notes.contains(&Note::Simulator));
}

#[test]
fn a_device_that_no_profile_names_gets_no_pin_and_one_that_never_took_it_needs_a_word() {
    let desk = Desk::new("words");
    let nothing = desk.profile(|text| text.split("\n[[cards.dialect]]").next().unwrap().to_owned());
    let shield = only(&desk.scanner().profile(nothing).try_unproven_dialects());
    assert_eq!(shield.certificates().len(), 4, "it is listed all the same");
    for role in Role::ALL {
        let (refused, asked) = sign(&shield, role, pin_of(role));
        assert_eq!((refused.unwrap_err().kind(), asked), (ErrorKind::DialectMissing, 0));
        let mut prompt = |_: &PinQuestion<'_>| -> Result<PinEntry, Declined> { panic!("nobody is asked") };
        let unlocked = shield.unlock(Unlock::of(role), &mut prompt, &Wait::default());
        assert_eq!(unlocked.unwrap_err().kind(), ErrorKind::DialectMissing);
        let status = shield.pin_status(role, &Selector::default(), &Wait::default()).unwrap();
        assert_eq!(status, PinStatus::Known(if role == Role::Customs { 5 } else { 6 }));
    }
    assert_eq!(desk.verifies(), 0);

    let serial = format!("proven = [{:?}]", desk.made.serials[0]);
    let unproven = desk.profile(|text| text.replace(&serial, "proven = []"));
    let silent = only(&desk.scanner().profile(Arc::clone(&unproven)));
    let (refused, asked) = sign(&silent, Role::Bank, BANK_PIN);
    assert_eq!((refused.unwrap_err().kind(), asked, desk.verifies()), (ErrorKind::DialectUnproven, 0, 0));
    let allowed = only(&desk.scanner().profile(unproven).try_unproven_dialects());
    let form = |role| allowed.pin_state(role, &Selector::default(), &Wait::default()).unwrap().form;
    assert_eq!(form(Role::Bank), PinForm::Unproven { allowed: true });
    let (signed, asked) = sign(&allowed, Role::Bank, BANK_PIN);
    assert_eq!((signed.unwrap().role, asked, desk.verifies()), (Role::Bank, 1, 1));
    // It is the device's, so one party's PIN proves it for both.
    assert_eq!((form(Role::Bank), form(Role::Customs)), (PinForm::Sure, PinForm::Sure));
}

fn unlock(shield: &Shield, role: Role, keep_login: bool) -> shared_shield::Session {
    let mut prompt =
        |question: &PinQuestion<'_>| question.pin(pin_of(role).as_bytes()).map(PinEntry::Typed).map_err(|_| Declined);
    let policy = Policy { signatures: 100, resends: 16, keep_login, ..Policy::of(Role::Customs) };
    shield.unlock(Unlock::of(role).policy(policy), &mut prompt, &Wait::default()).unwrap()
}

fn sign_many(session: &shared_shield::Session, count: usize) {
    for _ in 0..count {
        let request = Request::raw(session.role(), Content::bytes(*b"document"));
        session.sign(request, &Wait::default(), &mut Vec::new()).unwrap();
    }
}

#[test]
fn a_customs_login_that_a_policy_keeps_is_sent_once_and_over_with_the_batch() {
    let desk = Desk::new("kept");
    let shield = only(&desk.scanner());
    let session = unlock(&shield, Role::Customs, true);
    sign_many(&session, 40);
    assert_eq!(desk.verifies(), 1, "leases of at most 16 signatures, one login");
    // The last lease is given back, and the login is there for the next one, and for every program beside us: that is the policy's choice.
    desk.waits_for_the_end_of_the_lease();
    assert!(desk.is_logged_in("eport") && !desk.is_logged_in("bank"));
    sign_many(&session, 1);
    session.end();
    assert!(!desk.is_logged_in("eport"));
    assert_eq!(desk.verifies(), 1);

    // Without the policy's word each lease ends it.
    desk.readers.forget(READER);
    let session = unlock(&shield, Role::Customs, false);
    sign_many(&session, 40);
    assert!(desk.verifies() >= 3, "{}", desk.verifies());
    drop(session);
    assert!(!desk.is_logged_in("eport"));
}

#[test]
fn a_bank_login_is_over_with_its_lease_whatever_the_policy_says() {
    let desk = Desk::new("bank_kept");
    let shield = only(&desk.scanner());
    let session = unlock(&shield, Role::Bank, true);
    sign_many(&session, 20);
    assert_eq!(desk.verifies(), 2, "one for each lease");
    desk.waits_for_the_end_of_the_lease();
    assert!(!desk.is_logged_in("bank"), "while the batch is still open");
    sign_many(&session, 1);
    drop(session);
    assert!(!desk.is_logged_in("bank"));
}

#[test]
fn a_locked_customs_pin_is_nothing_to_the_bank() {
    let desk = Desk::new("locked");
    let shield = only(&desk.scanner());
    let wrong = |consent| {
        let mut prompt = |q: &PinQuestion<'_>| q.pin(b"99999999").map(PinEntry::Typed).map_err(|_| Declined);
        let request = Request::raw(Role::Customs, Content::bytes(*b"document")).consent(consent);
        shield.sign(request, &mut prompt, &Wait::default(), &mut Vec::new()).unwrap_err()
    };
    for _ in 0..4 {
        assert_eq!(wrong(Consent::None).kind(), ErrorKind::PinIncorrect);
    }
    assert_eq!(wrong(Consent::None).kind(), ErrorKind::LastTry);
    assert_eq!(desk.verifies(), 4);
    sign(&shield, Role::Bank, BANK_PIN).0.unwrap();
    assert_eq!(wrong(Consent::LastTry).kind(), ErrorKind::PinLocked);
    let locked = wrong(Consent::LastTry);
    assert_eq!((locked.kind(), desk.verifies()), (ErrorKind::PinLocked, 6));
    assert!(locked.to_string().contains(Role::Customs.office()) && !locked.to_string().contains(Role::Bank.office()));
    let receipt = sign(&shield, Role::Bank, BANK_PIN).0.unwrap();
    assert_eq!(receipt.tries, PinStatus::Known(6));
}
