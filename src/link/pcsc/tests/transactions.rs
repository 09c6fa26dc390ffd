//! Connections and transactions.

use super::*;

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
    for _ in 0..50 {
        let link = readers.connect(READER, &ms(1_000)).unwrap();
        drop(link.begin(&ms(1_000)).unwrap());
        drop(link);
        assert_eq!(service.count(Call::Disconnect) + 1, service.count(Call::Connect), "when the drop has returned");
        assert_eq!(service.count(Call::Release) + 1, service.count(Call::Establish), "when the drop has returned");
    }
    assert_eq!(link.begin(&ms(1_000)).unwrap().continuity(), Continuity::Unbroken);
    drop(link);
    all_given_back(&service);
}

#[test]
fn dropping_a_link_whose_card_another_program_holds_waits_for_nobody() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    service.hold(READER, true);
    assert!(link.begin(&ms(50)).is_err());
    let start = Instant::now();
    drop(link);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    service.hold(READER, false);
    all_given_back(&service);
}

#[test]
fn a_begin_that_waits_for_another_program_ends_at_its_deadline_and_the_late_transaction_is_ended() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    service.hold(READER, true);
    let start = Instant::now();
    let error = link.begin(&ms(300)).err().unwrap();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
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
    // Once before the transaction, and twice in it, to wait until the reset is done.
    assert_eq!(service.count(Call::Reconnect), 3);
    // One connection more switches the card on, in case that it was switched off, and is given back.
    assert_eq!((service.count(Call::Connect), service.count(Call::Disconnect)), (2, 1));
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
    select(&mut *transaction).unwrap();
    service.reset(READER);
    for _ in 0..2 {
        let error = select(&mut *transaction).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TokenFailed);
        assert_eq!(error.raw_status(), Some(&Status::Pcsc("SCARD_W_RESET_CARD".into())));
    }
    assert_eq!(service.count(Call::Transmit), 2, "nothing more is sent after an error");
    drop(transaction);
    assert!(!service.locked(READER), "an end that fails leaves the card locked at the service");
    let mut transaction = link.begin(&ms(1_000)).unwrap();
    assert_eq!(transaction.continuity(), Continuity::Reset);
    select(&mut *transaction).unwrap();
}

#[test]
fn a_card_that_is_swapped_while_a_reset_is_waited_for_is_another_insertion() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    drop(link.begin(&ms(1_000)).unwrap());
    service.reset(READER);
    let swapping = service.clone();
    let thread = std::thread::spawn(move || {
        until("the first repair", || swapping.count(Call::Begin) >= 3);
        swapping.remove(READER);
        swapping.insert(READER, &ATR);
    });
    assert_eq!(link.begin(&ms(5_000)).err().unwrap().kind(), ErrorKind::CardRemoved);
    thread.join().unwrap();
    assert_eq!(service.count(Call::Transmit), 0);
    all_given_back(&service);
}

#[test]
fn a_late_reset_is_repaired_before_the_first_command_of_those_who_take_nothing_for_granted() {
    let (service, readers) = desk();
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    let mut transaction = link.begin(&ms(1_000)).unwrap();
    assert_eq!(transaction.continuity(), Continuity::First);
    service.fail(Call::Transmit, Code::SCARD_E_PROTO_MISMATCH);
    service.fail(Call::Transmit, Code::SCARD_W_RESET_CARD);
    select(&mut *transaction).unwrap();
    drop(transaction);
    assert_eq!((service.count(Call::Reconnect), service.count(Call::End)), (2, 1));
    let mut transaction = link.begin(&ms(1_000)).unwrap();
    assert_eq!(transaction.continuity(), Continuity::Unbroken);
    service.fail(Call::Transmit, Code::SCARD_W_RESET_CARD);
    assert_eq!(
        select(&mut *transaction).unwrap_err().kind(),
        ErrorKind::TokenFailed,
        "it was told that all is as it was"
    );
    assert_eq!(service.count(Call::Reconnect), 2);
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
    assert_eq!((service.count(Call::Connect), service.count(Call::Disconnect)), (3, 2));
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
fn an_answer_of_nothing_is_a_card_that_went_and_nothing_more_is_sent_in_that_transaction() {
    let (service, readers) = desk();
    service.answer(|command| if command.get(1) == Some(&0xA4) { Vec::new() } else { vec![0x90, 0x00] });
    let link = readers.connect(READER, &ms(1_000)).unwrap();
    let mut transaction = link.begin(&ms(1_000)).unwrap();
    assert_eq!(select(&mut *transaction).unwrap_err().kind(), ErrorKind::TokenFailed);
    assert_eq!(transaction.transmit(&command(&[0x00, 0xCB, 0x3F, 0xFF])).unwrap_err().kind(), ErrorKind::TokenFailed);
    drop(transaction);
    assert_eq!(link.begin(&ms(1_000)).unwrap().continuity(), Continuity::Reset);
}

#[test]
fn links_and_transactions_may_be_used_from_any_thread() {
    fn crosses<T: Send + ?Sized>() {}
    fn shared<T: Send + Sync + ?Sized>() {}
    crosses::<dyn Transaction>();
    shared::<dyn Link>();
    shared::<dyn Readers>();
}
