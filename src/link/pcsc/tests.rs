//! Connections, transactions and the watch over a service that does what pcscd cannot be made to do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::api::{Protocol, Why};
use super::scripted::{Call, Scripted};
use super::{Code, PcscReaders};
use crate::apdu::{Sensitive, Wire};
use crate::error::{ErrorKind, Status};
use crate::link::{Continuity, Link, Presence, Readers, Transaction};
use crate::policy;
use crate::wait::{Cancel, Wait};

const READER: &str = "Virtual PCD 00 00";
const ATR: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];

fn desk() -> (Scripted, PcscReaders) {
    let service = Scripted::new();
    service.plug(READER);
    service.insert(READER, &ATR);
    let readers = PcscReaders::new(Arc::new(service.clone()));
    (service, readers)
}

fn ms(time: u64) -> Wait {
    Wait::at_most(Duration::from_millis(time))
}

fn command(octets: &[u8]) -> Wire {
    Wire::new(octets.to_vec(), Sensitive::No)
}

fn select(transaction: &mut dyn Transaction) -> crate::error::Result<Vec<u8>> {
    transaction.transmit(&command(&[0x00, 0xA4, 0x04, 0x00]))
}

/// Waits until a count is reached: threads of the library end on their own time.
fn until(what: &str, reached: impl Fn() -> bool) {
    let start = Instant::now();
    while !reached() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what} did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Everything that was opened was given back, and nothing is locked.
fn all_given_back(service: &Scripted) {
    until("giving everything back", || {
        service.count(Call::Disconnect) == service.count(Call::Connect)
            && service.count(Call::Release) == service.count(Call::Establish)
    });
    assert!(!service.locked(READER));
}

#[test]
fn a_transaction_carries_commands_and_dropping_it_and_the_link_gives_everything_back() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    assert_eq!(link.atr().octets(), ATR);
    let mut transaction = link.begin(&ms(1_000)).unwrap();
    assert_eq!(transaction.continuity(), Continuity::First);
    assert!(!transaction.limits().extended);
    assert_eq!(select(&mut *transaction).unwrap(), [0x90, 0x00]);
    assert!(service.locked(READER));
    drop(transaction);
    assert!(!service.locked(READER), "when the drop has returned others reach the card");
    assert_eq!(link.begin(&ms(1_000)).unwrap().continuity(), Continuity::Unbroken);
    drop(link);
    all_given_back(&service);
}

#[test]
fn a_begin_that_waits_for_another_program_ends_at_its_deadline_and_the_late_transaction_is_ended() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    service.hold(READER, true);
    let start = Instant::now();
    let error = link.begin(&ms(300)).err().unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.what().unwrap().contains(READER), "{error}");
    assert_eq!(service.count(Call::End), 0);
    service.hold(READER, false);
    until("ending the late transaction", || service.count(Call::End) == 1 && !service.locked(READER));
    assert_eq!(service.count(Call::Transmit), 0);
    // The link works on.
    select(&mut *link.begin(&ms(1_000)).unwrap()).unwrap();
}

#[test]
fn a_late_transaction_goes_to_the_next_who_waits() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    service.hold(READER, true);
    assert_eq!(link.begin(&ms(50)).err().unwrap().kind(), ErrorKind::Busy);
    let second = Arc::clone(&link);
    let thread = std::thread::spawn(move || select(&mut *second.begin(&ms(5_000)).unwrap()).unwrap());
    std::thread::sleep(Duration::from_millis(50));
    service.hold(READER, false);
    assert_eq!(thread.join().unwrap(), [0x90, 0x00]);
    assert_eq!(service.count(Call::Begin), 1, "the begin of the first was used by the second");
}

#[test]
fn a_cancelled_begin_ends_at_once() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    service.hold(READER, true);
    let cancel = Arc::<Cancel>::default();
    let wait = ms(60_000).with_cancel(Arc::clone(&cancel));
    let thread = std::thread::spawn(move || link.begin(&wait).err().unwrap().kind());
    std::thread::sleep(Duration::from_millis(30));
    cancel.cancel();
    assert_eq!(thread.join().unwrap(), ErrorKind::Cancelled);
    service.hold(READER, false);
    all_given_back(&service);
}

#[test]
fn jobs_of_one_program_take_turns_and_the_one_that_waits_too_long_is_told_who_is_in_the_way() {
    let (_service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    let first = link.begin(&ms(1_000)).unwrap();
    let error = link.begin(&ms(50)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.what().unwrap().contains("another job of this program"), "{error}");
    drop(first);
    drop(link.begin(&ms(1_000)).unwrap());
}

#[test]
fn a_reset_by_another_program_is_repaired_and_told() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    drop(link.begin(&ms(1_000)).unwrap());
    service.reset(READER);
    let mut transaction = link.begin(&ms(1_000)).unwrap();
    assert_eq!(transaction.continuity(), Continuity::Reset);
    select(&mut *transaction).unwrap();
    drop(transaction);
    assert_eq!(link.begin(&ms(1_000)).unwrap().continuity(), Continuity::Unbroken);
    assert_eq!(service.count(Call::Reconnect), 1);
    assert_eq!(service.count(Call::Connect), 1);
}

#[test]
fn a_card_that_is_reset_again_and_again_is_given_up_after_four_repairs_and_the_link_lives_on() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    for _ in 0..=policy::RECONNECTS {
        service.fail(Call::Begin, Code::SCARD_W_RESET_CARD);
    }
    let error = link.begin(&ms(5_000)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert_eq!(error.raw_status(), Some(&Status::Pcsc("SCARD_W_RESET_CARD".into())));
    assert_eq!(service.count(Call::Reconnect), 4);
    select(&mut *link.begin(&ms(1_000)).unwrap()).unwrap();
    for _ in 0..policy::RECONNECTS {
        service.fail(Call::Begin, Code::SCARD_W_RESET_CARD);
    }
    assert_eq!(link.begin(&ms(1_000)).unwrap().continuity(), Continuity::Reset);
}

#[test]
fn a_reset_in_the_middle_of_a_transaction_is_an_error_and_never_leaves_the_card_locked() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    let mut transaction = link.begin(&ms(1_000)).unwrap();
    service.reset(READER);
    for _ in 0..2 {
        let error = select(&mut *transaction).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TokenFailed);
        assert_eq!(error.raw_status(), Some(&Status::Pcsc("SCARD_W_RESET_CARD".into())));
    }
    assert_eq!(service.count(Call::Transmit), 1, "nothing more is sent after an error");
    drop(transaction);
    assert!(!service.locked(READER), "an end that fails leaves the card locked at the service");
    let mut transaction = link.begin(&ms(1_000)).unwrap();
    assert_eq!(transaction.continuity(), Continuity::Reset);
    select(&mut *transaction).unwrap();
}

#[test]
fn a_reset_between_begin_and_the_first_command_is_repaired_before_anybody_gets_the_card() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    drop(link.begin(&ms(1_000)).unwrap());
    service.fail(Call::Status, Code::SCARD_W_RESET_CARD);
    let mut transaction = link.begin(&ms(1_000)).unwrap();
    assert_eq!(transaction.continuity(), Continuity::Reset);
    select(&mut *transaction).unwrap();
}

#[test]
fn a_connection_that_had_to_be_given_back_is_never_opened_to_another_card() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    let transaction = link.begin(&ms(1_000)).unwrap();
    service.fail(Call::End, Code::SCARD_W_RESET_CARD);
    drop(transaction);
    service.remove(READER);
    service.insert(READER, &ATR);
    let error = link.begin(&ms(1_000)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::CardRemoved);
    assert_eq!(link.begin(&ms(1_000)).err().unwrap().kind(), ErrorKind::CardRemoved);
    assert_eq!(service.count(Call::Transmit), 0);
    all_given_back(&service);
}

#[test]
fn a_card_that_is_pulled_out_ends_the_link_and_not_the_next_insertion() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    let mut transaction = link.begin(&ms(1_000)).unwrap();
    service.remove(READER);
    let error = select(&mut *transaction).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CardRemoved);
    assert_eq!(error.raw_status(), Some(&Status::Pcsc("SCARD_W_REMOVED_CARD".into())));
    drop(transaction);
    assert_eq!(link.begin(&ms(1_000)).err().unwrap().kind(), ErrorKind::CardRemoved);
    assert_eq!(readers.connect(READER, &ms(1_000)).err().unwrap().kind(), ErrorKind::CardRemoved);
    service.insert(READER, &ATR);
    assert_eq!(link.begin(&ms(1_000)).err().unwrap().kind(), ErrorKind::CardRemoved);
    let again = readers.connect(READER, &ms(1_000)).unwrap();
    assert_eq!(again.begin(&ms(1_000)).unwrap().continuity(), Continuity::First);
}

#[test]
fn a_card_that_was_switched_off_is_connected_anew() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    drop(link.begin(&ms(1_000)).unwrap());
    service.fail(Call::Begin, Code::SCARD_W_UNPOWERED_CARD);
    service.fail(Call::Reconnect, Code::SCARD_W_UNPOWERED_CARD);
    assert_eq!(link.begin(&ms(1_000)).unwrap().continuity(), Continuity::Reset);
    assert_eq!(service.count(Call::Connect), 2);
}

#[test]
fn what_the_card_did_not_answer_leaves_nothing_taken_for_granted() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    let mut transaction = link.begin(&ms(1_000)).unwrap();
    service.fail(Call::Transmit, Code::SCARD_E_NOT_TRANSACTED);
    assert_eq!(select(&mut *transaction).unwrap_err().kind(), ErrorKind::TokenFailed);
    drop(transaction);
    assert_eq!(link.begin(&ms(1_000)).unwrap().continuity(), Continuity::Reset);
}

#[test]
fn a_panic_of_the_caller_or_of_the_library_gives_the_card_back() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    let caller = Arc::clone(&link);
    let thread = std::thread::spawn(move || {
        let _transaction = caller.begin(&ms(1_000)).unwrap();
        panic!("meant: a caller panics");
    });
    assert!(thread.join().is_err());
    until("ending", || !service.locked(READER));
    service.answer(|_| panic!("meant: the connection's thread panics"));
    let error = select(&mut *link.begin(&ms(1_000)).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenFailed);
    assert_eq!(link.begin(&ms(1_000)).err().unwrap().kind(), ErrorKind::TokenFailed);
    all_given_back(&service);
    assert_eq!(service.count(Call::End), service.count(Call::Begin));
}

#[test]
fn a_transaction_that_was_given_up_while_the_card_works_ends_when_the_card_answers() {
    let (service, readers) = desk();
    service.answer(|_| {
        std::thread::sleep(Duration::from_millis(300));
        vec![0x90, 0x00]
    });
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    let mut transaction = link.begin(&ms(1_000)).unwrap();
    // As a lease does it: the thread with the token goes on alone.
    std::thread::spawn(move || drop(select(&mut *transaction)));
    drop(link);
    until("the command", || service.count(Call::Transmit) == 1);
    assert_eq!(service.count(Call::End), 0);
    all_given_back(&service);
    assert_eq!(service.count(Call::End), 1);
}

#[test]
fn an_exclusive_holder_is_waited_for_and_named_at_the_deadline() {
    let (service, readers) = desk();
    service.exclusive(READER, true);
    let start = Instant::now();
    let error = readers.connect(READER, &ms(300)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::ReaderBusy);
    assert_eq!(error.raw_status(), Some(&Status::Pcsc("SCARD_E_SHARING_VIOLATION".into())));
    assert!(start.elapsed() >= Duration::from_millis(250) && start.elapsed() < Duration::from_secs(1));
    assert!(service.count(Call::Connect) < 10, "no busy loop: {}", service.count(Call::Connect));
    let later = service.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        later.exclusive(READER, false);
    });
    assert!(readers.connect(READER, &ms(5_000)).is_ok());
    thread.join().unwrap();
}

#[test]
fn a_connect_that_blocks_ends_at_its_deadline_and_gives_back_what_comes_late() {
    let (service, readers) = desk();
    service.hold(READER, true);
    let error = readers.connect(READER, &ms(100)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    service.hold(READER, false);
    until("the late connection", || service.count(Call::Disconnect) == 1);
    all_given_back(&service);
}

#[test]
fn each_reason_for_no_service_has_its_own_kind() {
    let (service, readers) = desk();
    let kind = |readers: &PcscReaders| readers.list(&ms(1_000)).unwrap_err().kind();
    service.fail(Call::Establish, Code::SCARD_E_NO_SERVICE);
    service.because(Why::Unreadable);
    assert_eq!(kind(&readers), ErrorKind::ServiceRefused);
    service.because(Why::Connections(3));
    // Other tests of this process may hold contexts, which would mean that the service is full.
    service.because(Why::Connections(200));
    service.fail(Call::Establish, Code::SCARD_W_SECURITY_VIOLATION);
    assert_eq!(kind(&readers), ErrorKind::ServiceFull);
    service.fail(Call::Connect, Code::SCARD_W_SECURITY_VIOLATION);
    assert_eq!(
        readers.connect(READER, &ms(1_000)).err().unwrap().kind(),
        ErrorKind::ServiceRefused,
        "polkit, for the card"
    );
    for code in [Code::SCARD_E_NO_SERVICE, Code::SCARD_E_SERVICE_STOPPED] {
        service.stop(code);
        service.because(Why::Unknown);
        assert_eq!(kind(&readers), ErrorKind::ServiceStopped);
        service.start();
    }
    service.without_library();
    assert_eq!(kind(&readers), ErrorKind::ServiceMissing);
}

#[test]
fn readers_and_what_is_in_them_are_told_apart() {
    let (service, readers) = desk();
    service.plug("Empty");
    service.plug("Mute");
    service.insert("Mute", &ATR);
    service.mute("Mute", true);
    service.exclusive(READER, true);
    let list = readers.list(&ms(1_000)).unwrap();
    assert_eq!(list.len(), 3);
    assert!(matches!(&list[0].presence, Presence::Card(atr) if atr.octets() == ATR));
    assert_eq!((list[0].exclusive, list[0].events), (true, 1));
    assert_eq!((&list[1].presence, list[1].exclusive), (&Presence::Empty, false));
    assert_eq!(list[2].presence, Presence::Mute);
    assert_eq!(readers.connect("Mute", &ms(1_000)).err().unwrap().kind(), ErrorKind::CardMute);
    assert_eq!(readers.connect("Nowhere", &ms(1_000)).err().unwrap().kind(), ErrorKind::NoReader);
    service.unplug("Mute");
    service.unplug("Empty");
    service.unplug(READER);
    assert_eq!(readers.list(&ms(1_000)).unwrap(), []);
}

#[test]
fn the_watch_tells_of_cards_and_readers_that_come_and_go_and_sleeps_in_between() {
    let (service, readers) = desk();
    let readers = Arc::new(readers);
    let mut known = readers.list(&ms(1_000)).unwrap();
    let next = |known: &mut Vec<_>, change: &dyn Fn()| {
        let (watching, before) = (Arc::clone(&readers), known.clone());
        let thread = std::thread::spawn(move || watching.changed(&before, &ms(10_000)));
        std::thread::sleep(Duration::from_millis(60));
        assert!(!thread.is_finished());
        change();
        let now = thread.join().unwrap().unwrap();
        assert_ne!(&now, known);
        *known = now;
    };
    next(&mut known, &|| service.remove(READER));
    assert_eq!(known[0].presence, Presence::Empty);
    next(&mut known, &|| {
        service.insert(READER, &ATR);
        service.remove(READER);
        service.insert(READER, &ATR);
    });
    next(&mut known, &|| service.plug("Second"));
    assert_eq!(known.len(), 2);
    next(&mut known, &|| service.unplug(READER));
    assert_eq!(known.len(), 1);
    next(&mut known, &|| service.unplug("Second"));
    assert!(known.is_empty());
    next(&mut known, &|| service.plug("Third"));
    assert_eq!(service.count(Call::Connect), 0, "watching touches no card");
    assert!(service.count(Call::Watch) < 60, "no busy loop: {}", service.count(Call::Watch));
}

#[test]
fn a_watch_without_news_ends_at_its_deadline_or_its_cancel() {
    let (service, readers) = desk();
    let known = readers.list(&ms(1_000)).unwrap();
    let start = Instant::now();
    assert_eq!(readers.changed(&known, &ms(200)).unwrap(), known);
    assert!(start.elapsed() >= Duration::from_millis(190) && start.elapsed() < Duration::from_secs(1));
    let cancel = Arc::<Cancel>::default();
    let wait = ms(60_000).with_cancel(Arc::clone(&cancel));
    let thread = std::thread::spawn(move || readers.changed(&known, &wait).err().unwrap().kind());
    std::thread::sleep(Duration::from_millis(30));
    cancel.cancel();
    assert_eq!(thread.join().unwrap(), ErrorKind::Cancelled);
    // The readers are dropped: the sleeping thread was woken by a cancel.
    all_given_back(&service);
}

#[test]
fn a_stopped_service_ends_watch_and_links_and_the_started_one_is_found_again() {
    let (service, readers) = desk();
    let readers = Arc::new(readers);
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    let known = readers.list(&ms(1_000)).unwrap();
    let (watching, before) = (Arc::clone(&readers), known.clone());
    let thread = std::thread::spawn(move || watching.changed(&before, &ms(10_000)).err().unwrap().kind());
    std::thread::sleep(Duration::from_millis(60));
    service.stop(Code::SCARD_E_NO_SERVICE);
    assert_eq!(thread.join().unwrap(), ErrorKind::ServiceStopped);
    service.start();
    assert_eq!(link.begin(&ms(1_000)).err().unwrap().kind(), ErrorKind::ServiceStopped, "the old context stays dead");
    assert_eq!(readers.changed(&known, &ms(100)).unwrap(), known);
    assert_eq!(readers.connect(READER, &ms(1_000)).unwrap().begin(&ms(1_000)).unwrap().continuity(), Continuity::First);
}

#[test]
fn sixteen_readers_leave_no_room_for_the_list_itself_and_are_watched_all_the_same() {
    let (service, readers) = desk();
    for i in 1..16 {
        service.plug(&format!("Reader {i}"));
    }
    let known = readers.list(&ms(1_000)).unwrap();
    assert_eq!(known.len(), 16);
    let later = service.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        later.remove(READER);
    });
    assert_eq!(readers.changed(&known, &ms(10_000)).unwrap()[0].presence, Presence::Empty);
    thread.join().unwrap();
}

#[test]
fn a_service_that_does_not_tell_of_new_readers_is_looked_at_once_a_second() {
    let (service, readers) = desk();
    service.without_pnp();
    let known = readers.list(&ms(1_000)).unwrap();
    let later = service.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        later.plug("Late");
    });
    assert_eq!(readers.changed(&known, &ms(10_000)).unwrap().len(), 2);
    thread.join().unwrap();
    assert!(service.count(Call::Watch) < 10, "no busy loop: {}", service.count(Call::Watch));
    service.fail(Call::List, Code::SCARD_E_NO_READERS_AVAILABLE);
    assert!(readers.list(&ms(1_000)).unwrap().is_empty());
}

#[test]
fn extended_length_needs_a_card_and_a_reader_that_say_so_and_blocks() {
    let says = [0x3B, 0x05, 0x80, 0x73, 0xC0, 0x21, 0xC0];
    for (protocol, largest, atr, extended) in [
        (Protocol::T1, Some(0x1_0000), &says[..], true),
        (Protocol::T0, Some(0x1_0000), &says[..], false),
        (Protocol::T1, None, &says[..], false),
        (Protocol::T1, Some(0), &says[..], false),
        (Protocol::T1, Some(0x1_0000), &ATR[..], false),
    ] {
        let (service, readers) = desk();
        service.insert(READER, atr);
        service.carries(protocol, largest);
        let link = readers.connect(READER, &ms(1_000)).unwrap();
        assert_eq!(link.begin(&ms(1_000)).unwrap().limits().extended, extended, "{protocol:?} {largest:?}");
    }
}

#[test]
fn an_answer_without_a_status_word_is_refused_and_the_longest_one_is_taken() {
    let (service, readers) = desk();
    service.answer(|command| match command.get(1) {
        Some(0xA4) => vec![0x90],
        _ => vec![0x90; 65_538],
    });
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    let mut transaction = link.begin(&ms(1_000)).unwrap();
    assert_eq!(select(&mut *transaction).unwrap_err().kind(), ErrorKind::TokenAnswer);
    assert_eq!(transaction.transmit(&command(&[0x00, 0xCB, 0x3F, 0xFF])).unwrap().len(), 65_538);
}

#[test]
fn a_service_that_hangs_keeps_a_bounded_number_of_threads() {
    let (service, readers) = desk();
    service.hold(READER, true);
    for _ in 0..policy::SERVICE_CALLS_MAX {
        drop(readers.connect(READER, &ms(1)));
    }
    let error = readers.connect(READER, &ms(60_000)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(service.count(Call::Connect) <= policy::SERVICE_CALLS_MAX);
    service.hold(READER, false);
    all_given_back(&service);
}

#[test]
fn links_and_transactions_may_be_used_from_any_thread() {
    fn crosses<T: Send + ?Sized>() {}
    fn shared<T: Send + Sync + ?Sized>() {}
    crosses::<dyn Transaction>();
    shared::<dyn Link>();
    shared::<dyn Readers>();
}
