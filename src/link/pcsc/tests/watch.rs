//! The service itself: what is there, who is refused, what comes and goes.

use super::*;

#[test]
fn an_exclusive_holder_is_waited_for_and_named_at_the_deadline() {
    let (service, readers) = desk();
    service.exclusive(READER, true);
    let start = Instant::now();
    let error = readers.connect(READER, &ms(300)).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::ReaderBusy);
    assert_eq!(error.raw_status(), Some(&Status::Pcsc("SCARD_E_SHARING_VIOLATION".into())));
    assert!(start.elapsed() >= Duration::from_millis(250) && start.elapsed() < Duration::from_secs(3));
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
    assert_eq!(error.kind(), ErrorKind::Busy);
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
    // A service that is being stopped says so once, and is gone when it is asked again.
    service.because(Why::Unknown);
    service.fail(Call::Establish, Code::SCARD_W_SECURITY_VIOLATION);
    service.fail(Call::Establish, Code::SCARD_E_NO_SERVICE);
    assert_eq!(kind(&readers), ErrorKind::ServiceStopped);
    service.because(Why::Connections(200));
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
    // It may have been told in the middle of that.
    known = readers.list(&ms(1_000)).unwrap();
    assert_eq!(known[0].events, 5);
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
    assert!(start.elapsed() >= Duration::from_millis(190) && start.elapsed() < Duration::from_secs(3));
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
