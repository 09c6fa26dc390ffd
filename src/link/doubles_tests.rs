//! The doubles do what they promise: whoever tests with them relies on it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::card::{VirtualCard, VirtualReaders};
use super::faults::{Fault, Faults, Moment, Step};
use super::pcsc::Code;
use super::replay::Replay;
use super::{Continuity, Link, Presence, ReaderState, Readers, Transaction};
use crate::apdu::{Sensitive, Wire};
use crate::error::{ErrorKind, Result};
use crate::wait::Wait;

const READER: &str = "Reader";
const SELECT: [u8; 4] = [0x00, 0xA4, 0x04, 0x00];
const VERIFY: [u8; 6] = [0x00, 0x20, 0x00, 0x80, 0x01, 0x31];

/// Counts wrong PINs, and forgets its login at a reset.
#[derive(Default)]
struct Counting {
    logged_in: bool,
    tried: u32,
}

impl VirtualCard for Counting {
    fn reset(&mut self) {
        self.logged_in = false;
    }

    fn command(&mut self, apdu: &[u8]) -> Vec<u8> {
        if apdu[1] == 0x20 {
            (self.logged_in, self.tried) = (true, self.tried + 1);
        }
        vec![u8::from(self.logged_in), 0x90, 0x00]
    }
}

fn table() -> (VirtualReaders, Arc<Mutex<Counting>>) {
    let readers = VirtualReaders::new(&[READER]);
    let card = Arc::new(Mutex::new(Counting::default()));
    readers.insert(READER, card.clone());
    (readers, card)
}

fn ms(time: u64) -> Wait {
    Wait::at_most(Duration::from_millis(time))
}

fn send(transaction: &mut dyn Transaction, octets: &[u8]) -> Result<Vec<u8>> {
    transaction.transmit(&Wire::new(octets.to_vec(), Sensitive::No))
}

fn begin(readers: &dyn Readers) -> (Arc<dyn Link>, Box<dyn Transaction>) {
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    let transaction = link.begin(&ms(1_000)).unwrap();
    (link, transaction)
}

#[test]
fn a_card_in_this_process_counts_what_it_gets() {
    let (readers, card) = table();
    let (link, mut transaction) = begin(&readers);
    assert_eq!(transaction.continuity(), Continuity::First);
    send(&mut *transaction, &SELECT).unwrap();
    send(&mut *transaction, &VERIFY[..4]).unwrap();
    send(&mut *transaction, &VERIFY).unwrap();
    assert!(readers.locked(READER));
    drop(transaction);
    assert!(!readers.locked(READER));
    assert_eq!((readers.commands(READER), readers.verifies(READER), readers.begins(READER)), (3, 1, 1));
    assert_eq!(readers.headers(READER)[0], SELECT);
    assert_eq!(card.lock().unwrap().tried, 2);
    readers.forget(READER);
    assert_eq!(link.begin(&ms(100)).unwrap().continuity(), Continuity::Unbroken);
    assert_eq!((readers.commands(READER), readers.begins(READER)), (0, 1));
}

#[test]
fn resets_swaps_and_stops_of_a_card_in_this_process_are_those_of_a_real_one() {
    let (readers, card) = table();
    let (link, mut transaction) = begin(&readers);
    send(&mut *transaction, &VERIFY).unwrap();
    readers.reset(READER);
    assert!(!card.lock().unwrap().logged_in);
    assert_eq!(send(&mut *transaction, &SELECT).unwrap_err().kind(), ErrorKind::TokenFailed);
    drop(transaction);
    assert_eq!(link.begin(&ms(100)).unwrap().continuity(), Continuity::Reset);
    let before = readers.list(&ms(100)).unwrap();
    readers.insert(READER, Arc::new(Mutex::new(Counting::default())));
    let after = readers.changed(&before, &ms(100)).unwrap();
    assert_eq!(after[0].events, before[0].events + 2, "a swap between two looks shows in the count");
    assert_eq!(link.begin(&ms(100)).err().unwrap().kind(), ErrorKind::CardRemoved);
    assert!(readers.remove(READER).is_some());
    assert_eq!(readers.connect(READER, &ms(100)).err().unwrap().kind(), ErrorKind::CardRemoved);
    readers.insert(READER, card);
    let (link, _) = begin(&readers);
    readers.stop();
    assert_eq!(link.begin(&ms(100)).err().unwrap().kind(), ErrorKind::ServiceStopped);
    assert_eq!(readers.list(&ms(100)).unwrap_err().kind(), ErrorKind::ServiceStopped);
    readers.start();
    assert_eq!(link.begin(&ms(100)).err().unwrap().kind(), ErrorKind::ServiceStopped);
    begin(&readers);
    readers.unplug(READER);
    assert_eq!(readers.connect(READER, &ms(100)).err().unwrap().kind(), ErrorKind::NoReader);
}

#[test]
fn holders_of_a_card_in_this_process_are_waited_for() {
    let (readers, _card) = table();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    readers.hold(READER, Duration::from_millis(200));
    assert_eq!(link.begin(&ms(50)).err().unwrap().kind(), ErrorKind::Busy);
    let start = Instant::now();
    drop(link.begin(&ms(5_000)).unwrap());
    assert!(start.elapsed() >= Duration::from_millis(100));
    readers.exclusive(READER, Duration::from_millis(200));
    assert_eq!(readers.connect(READER, &ms(50)).err().unwrap().kind(), ErrorKind::ReaderBusy);
    assert!(readers.list(&ms(100)).unwrap()[0].exclusive);
    begin(&readers);
}

/// The story that faults strike: connect, begin, select, verify, select.
fn story(readers: &dyn Readers) -> Result<()> {
    let link = readers.connect(READER, &ms(1_000))?;
    let mut transaction = link.begin(&ms(1_000))?;
    send(&mut *transaction, &SELECT)?;
    send(&mut *transaction, &VERIFY)?;
    send(&mut *transaction, &SELECT).map(drop)
}

#[test]
fn a_fault_strikes_at_each_step_and_as_often_as_steps_were_recorded() {
    let (readers, card) = table();
    let faults = Faults::new(Arc::new(readers.clone()));
    let (behind, shared) = (readers.clone(), card.clone());
    faults.on_removal(move || {
        behind.remove(READER);
        behind.insert(READER, shared.clone());
    });
    let behind = readers.clone();
    faults.on_reset(move || behind.reset(READER));
    story(&faults).unwrap();
    let steps = faults.steps();
    let of = |octets: &[u8]| Step::Command(octets[..4].try_into().unwrap());
    assert_eq!(steps, [Step::Connect, Step::Begin, of(&SELECT), of(&VERIFY), of(&SELECT)]);
    let mut struck = 0;
    for step in 0..steps.len() {
        faults.restart();
        faults.inject(step, Fault::Removal(Moment::Before));
        assert_eq!(story(&faults).unwrap_err().kind(), ErrorKind::CardRemoved, "step {step}");
        assert_eq!(faults.injected(), [(step, Fault::Removal(Moment::Before))]);
        struck += 1;
    }
    assert_eq!(struck, steps.len());
    faults.restart();
    faults.inject(1, Fault::Garbage(7));
    story(&faults).unwrap();
    assert!(faults.injected().is_empty(), "a begin has no answer");
}

#[test]
fn a_command_is_lost_before_or_after_the_card_did_it() {
    for (moment, tried) in [(Moment::Before, 0), (Moment::After, 1)] {
        for fault in [Fault::Lost(moment), Fault::Reset(moment), Fault::Removal(moment), Fault::Stop(moment)] {
            let (readers, card) = table();
            let faults = Faults::new(Arc::new(readers.clone()));
            faults.inject(3, fault);
            let (link, mut transaction) = begin(&faults);
            send(&mut *transaction, &SELECT).unwrap();
            let kind = send(&mut *transaction, &VERIFY).unwrap_err().kind();
            assert_eq!(send(&mut *transaction, &VERIFY).unwrap_err().kind(), kind, "nothing more reaches the card");
            assert_eq!((card.lock().unwrap().tried, readers.verifies(READER)), (tried, u64::from(tried)), "{fault:?}");
            drop(transaction);
            let next = link.begin(&ms(100)).map(|t| t.continuity());
            match fault {
                Fault::Lost(_) | Fault::Reset(_) => assert_eq!(next.unwrap(), Continuity::Reset),
                Fault::Removal(_) => assert_eq!(next.unwrap_err().kind(), ErrorKind::CardRemoved),
                _ => {
                    assert_eq!(next.unwrap_err().kind(), ErrorKind::ServiceStopped);
                    assert_eq!(faults.list(&ms(100)).unwrap_err().kind(), ErrorKind::ServiceStopped);
                }
            }
            assert!(faults.list(&ms(100)).is_ok());
            begin(&faults);
        }
    }
}

#[test]
fn answers_are_cut_lengthened_delayed_and_replaced() {
    let (readers, _card) = table();
    let faults = Faults::new(Arc::new(readers));
    let slow = Duration::from_millis(50);
    for (step, fault) in [Fault::Cut(0), Fault::Cut(1), Fault::Long(70_000), Fault::Garbage(1), Fault::Slow(slow)]
        .into_iter()
        .enumerate()
    {
        faults.inject(step + 2, fault);
    }
    let (_link, mut transaction) = begin(&faults);
    let mut next = || send(&mut *transaction, &SELECT).unwrap();
    assert!(next().is_empty());
    assert_eq!(next(), [0]);
    let long = next();
    assert_eq!((long.len(), &long[long.len() - 2..]), (70_003, &[0x90, 0x00][..]));
    let garbage = next();
    assert!((2..=257).contains(&garbage.len()));
    let start = Instant::now();
    assert_eq!(next(), [0, 0x90, 0x00]);
    assert!(start.elapsed() >= slow);
    assert_eq!(faults.injected().len(), 5);
}

#[test]
fn a_script_answers_its_own_commands_and_refuses_all_others() {
    let script = Replay::new(READER, "3B 80 80 01 01")
        .begin()
        .answer("00A40400", "9000")
        .fails("00 20 00 80 01 31", Code::SCARD_W_RESET_CARD)
        .begin_after_reset()
        .begin_fails(Code::SCARD_W_REMOVED_CARD)
        .begin();
    let (link, mut transaction) = begin(&script);
    assert_eq!(send(&mut *transaction, &SELECT).unwrap(), [0x90, 0x00]);
    assert_eq!(send(&mut *transaction, &VERIFY).unwrap_err().kind(), ErrorKind::TokenFailed);
    assert_eq!(link.begin(&ms(100)).unwrap().continuity(), Continuity::Reset);
    assert_eq!(link.begin(&ms(100)).err().unwrap().kind(), ErrorKind::CardRemoved);
    assert_eq!(script.finish(), Err("1 steps are left".to_owned()));
    assert_eq!(link.begin(&ms(100)).unwrap().continuity(), Continuity::Unbroken);
    assert_eq!(script.finish(), Ok(()));
    assert_eq!(script.commands(), 2);

    let script = Replay::new(READER, "3B 80 80 01 01").begin().answer("00A40400", "9000");
    let (link, mut transaction) = begin(&script);
    let error = send(&mut *transaction, &VERIFY).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Defect);
    assert!(!error.to_string().contains("31"), "a PIN stays out of complaints: {error}");
    assert!(link.begin(&ms(100)).is_err());
    assert_eq!(script.complaints().len(), 2);
    assert!(script.finish().is_err());
    assert_eq!(Replay::new(READER, "3B 8").complaints().len(), 1, "an odd digit is no octet");
}

#[test]
fn a_script_of_looks_shows_one_after_the_other() {
    let state = |events| ReaderState { reader: READER.to_owned(), presence: Presence::Empty, exclusive: false, events };
    let looks = vec![Ok(vec![]), Ok(vec![state(1)]), Err(Code::SCARD_E_SERVICE_STOPPED), Ok(vec![state(3)])];
    let script = Replay::new(READER, "3B00").looks(looks);
    let mut known = script.list(&ms(100)).unwrap();
    assert!(known.is_empty());
    known = script.changed(&known, &ms(100)).unwrap();
    assert_eq!(known[0].events, 1);
    assert_eq!(script.changed(&known, &ms(100)).unwrap_err().kind(), ErrorKind::ServiceStopped);
    known = script.changed(&known, &ms(100)).unwrap();
    assert_eq!(known[0].events, 3);
    let start = Instant::now();
    assert_eq!(script.changed(&known, &ms(50)).unwrap(), known);
    assert!(start.elapsed() >= Duration::from_millis(50));
    assert_eq!(script.connect(READER, &ms(50)).err().unwrap().kind(), ErrorKind::CardRemoved);
}
