//! The PC/SC link against a real pcscd, with a card that writes down what is done to it and neighbours that use the `pcsc` crate directly.

#![cfg(all(feature = "pcsc", target_os = "linux"))]

#[path = "support/pcscd.rs"]
mod pcscd;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::ffi::CString;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pcsc::{Disposition, Protocols, Scope, ShareMode};
use pcscd::{Pcscd, Reader};
use shared_shield::apdu::{Sensitive, Wire};
use shared_shield::link::{Continuity, Presence, pcsc::system};
use shared_shield::{ErrorKind, Wait};

const NAME: &str = "Virtual PCD";
const ATR: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];

/// A card that is logged in by any VERIFY and forgets it when it is reset. Speaks vpcd's protocol: two octets of length, then a command; a
/// single octet is a control (0 power off, 1 power on, 2 reset, 4 asks for the ATR).
struct Card {
    stream: TcpStream,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Card {
    fn put_in(reader: &Reader, pcscd: &Pcscd) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", reader.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let card = Card { stream: stream.try_clone().unwrap(), seen: Arc::default() };
        let seen = Arc::clone(&card.seen);
        std::thread::spawn(move || {
            let mut logged_in = false;
            let mut head = [0; 2];
            while stream.read_exact(&mut head).is_ok() {
                let mut frame = vec![0; usize::from(u16::from_be_bytes(head))];
                stream.read_exact(&mut frame).unwrap();
                seen.lock().unwrap().push(frame.clone());
                let answer: &[u8] = match frame.as_slice() {
                    [4] => &ATR,
                    [_] => {
                        logged_in = false;
                        continue;
                    }
                    [_, 0x20, ..] => {
                        logged_in = true;
                        &[0x90, 0x00]
                    }
                    [_, 0xCA, ..] if logged_in => &[0x01, 0x90, 0x00],
                    [_, 0xCA, ..] => &[0x00, 0x90, 0x00],
                    _ => &[0x90, 0x00],
                };
                let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
                stream.write_all(&[&length, answer].concat()).unwrap();
            }
        });
        pcscd.wait_for_card(reader, true);
        card
    }

    fn pull_out(self) {
        self.stream.shutdown(Shutdown::Both).unwrap();
    }

    /// Resets and losses of power since the last call.
    fn resets(&self) -> usize {
        std::mem::take(&mut *self.seen.lock().unwrap()).iter().filter(|f| matches!(f[..], [0 | 2])).count()
    }
}

/// Another program.
fn neighbour(reader: &Reader, mode: ShareMode) -> pcsc::Card {
    let context = pcsc::Context::establish(Scope::System).unwrap();
    context.connect(&CString::new(reader.name.as_str()).unwrap(), mode, Protocols::ANY).unwrap()
}

fn logged_in(card: &pcsc::Card) -> bool {
    let mut buffer = [0; 16];
    card.transmit(&[0x00, 0xCA, 0x00, 0x00, 0x01], &mut buffer).unwrap()[0] == 1
}

fn ms(time: u64) -> Wait {
    Wait::at_most(Duration::from_millis(time))
}

fn verify() -> Wire {
    Wire::new(vec![0x00, 0x20, 0x00, 0x80, 0x01, 0x31], Sensitive::Command)
}

#[test]
fn dropping_and_panicking_leave_the_card_as_it_is() {
    pcscd::story("dropping_and_panicking_leave_the_card_as_it_is", &[NAME], |pcscd| {
        let reader = &pcscd.readers()[0];
        let card = Card::put_in(reader, pcscd);
        let other = neighbour(reader, ShareMode::Shared);
        card.resets();
        let readers = system();
        let link = readers.connect(&reader.name, &ms(5_000)).unwrap();
        assert_eq!(link.atr().octets(), ATR);
        let mut transaction = link.begin(&ms(5_000)).unwrap();
        assert_eq!(transaction.transmit(&verify()).unwrap(), [0x90, 0x00]);
        assert!(!transaction.limits().extended, "vpcd does not say what it carries");
        drop(transaction);
        drop(link);
        assert!(logged_in(&other));
        let link = readers.connect(&reader.name, &ms(5_000)).unwrap();
        let thread = std::thread::spawn(move || {
            let _transaction = link.begin(&ms(5_000)).unwrap();
            panic!("meant: a caller panics in a transaction");
        });
        assert!(thread.join().is_err());
        assert!(logged_in(&other), "this would wait for ever if the transaction were open");
        assert_eq!(card.resets(), 0);
        // The sight is clear: a reset does show.
        other.disconnect(Disposition::ResetCard).map_err(|(_, e)| e).unwrap();
        assert_eq!(card.resets(), 1);
    });
}

#[test]
fn a_neighbours_transaction_is_waited_for_until_the_deadline_and_what_comes_late_is_given_back() {
    let name = "a_neighbours_transaction_is_waited_for_until_the_deadline_and_what_comes_late_is_given_back";
    pcscd::story(name, &[NAME], |pcscd| {
        let reader = &pcscd.readers()[0];
        let _card = Card::put_in(reader, pcscd);
        let link = system().connect(&reader.name, &ms(5_000)).unwrap();
        let (begun, is_begun) = channel();
        let (end, may_end) = channel::<()>();
        let other = reader.clone();
        let thread = std::thread::spawn(move || {
            let mut card = neighbour(&other, ShareMode::Shared);
            let transaction = card.transaction().unwrap();
            begun.send(()).unwrap();
            may_end.recv().unwrap();
            transaction.end(Disposition::LeaveCard).map_err(|(_, e)| e).unwrap();
            // Ours came late and is ended by itself: the neighbour gets the card again.
            std::thread::sleep(Duration::from_millis(300));
            drop(card.transaction().unwrap());
            card.disconnect(Disposition::LeaveCard).map_err(|(_, e)| e).unwrap();
        });
        is_begun.recv().unwrap();
        let start = Instant::now();
        assert_eq!(link.begin(&ms(300)).err().unwrap().kind(), ErrorKind::Busy);
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
        // A new connection blocks as well, and ends as well.
        assert_eq!(system().connect(&reader.name, &ms(300)).err().unwrap().kind(), ErrorKind::Busy);
        end.send(()).unwrap();
        thread.join().unwrap();
        assert_eq!(link.begin(&ms(5_000)).unwrap().continuity(), Continuity::First);
    });
}

#[test]
fn a_neighbours_reset_is_repaired_and_told_and_an_exclusive_one_is_waited_for() {
    let name = "a_neighbours_reset_is_repaired_and_told_and_an_exclusive_one_is_waited_for";
    pcscd::story(name, &[NAME], |pcscd| {
        let reader = &pcscd.readers()[0];
        let _card = Card::put_in(reader, pcscd);
        let readers = system();
        let link = readers.connect(&reader.name, &ms(5_000)).unwrap();
        link.begin(&ms(5_000)).unwrap().transmit(&verify()).unwrap();
        assert_eq!(link.begin(&ms(5_000)).unwrap().continuity(), Continuity::Unbroken);
        for disposition in [Disposition::ResetCard, Disposition::UnpowerCard] {
            let other = neighbour(reader, ShareMode::Shared);
            other.disconnect(disposition).map_err(|(_, e)| e).unwrap();
            let mut transaction = link.begin(&ms(5_000)).unwrap();
            assert_eq!(transaction.continuity(), Continuity::Reset, "{disposition:?}");
            assert_eq!(transaction.transmit(&verify()).unwrap(), [0x90, 0x00], "{disposition:?}");
        }
        assert_eq!(link.begin(&ms(5_000)).unwrap().continuity(), Continuity::Unbroken);
        drop(link);
        let exclusive = loop {
            // Our thread disconnects on its own time.
            let context = pcsc::Context::establish(Scope::System).unwrap();
            let name = CString::new(reader.name.as_str()).unwrap();
            match context.connect(&name, ShareMode::Exclusive, Protocols::ANY) {
                Ok(card) => break card,
                Err(error) => assert_eq!(error, pcsc::Error::SharingViolation),
            }
        };
        let error = readers.connect(&reader.name, &ms(300)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::ReaderBusy, "{error}");
        assert!(readers.list(&ms(5_000)).unwrap()[0].exclusive);
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            drop(exclusive);
        });
        assert!(readers.connect(&reader.name, &ms(5_000)).is_ok());
        thread.join().unwrap();
    });
}

#[test]
fn a_neighbour_that_resets_all_the_time_never_comes_between_begin_and_end() {
    let name = "a_neighbour_that_resets_all_the_time_never_comes_between_begin_and_end";
    pcscd::story(name, &[NAME], |pcscd| {
        let reader = &pcscd.readers()[0];
        let card = Card::put_in(reader, pcscd);
        let link = system().connect(&reader.name, &ms(5_000)).unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let (other, end) = (reader.clone(), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::SeqCst) {
                neighbour(&other, ShareMode::Shared).disconnect(Disposition::ResetCard).map_err(|(_, e)| e).unwrap();
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let status = Wire::new(vec![0x00, 0xCA, 0x00, 0x00, 0x01], Sensitive::No);
        let (mut resets, mut logged_in) = (0, false);
        for turn in 0..50 {
            let mut transaction = link.begin(&ms(10_000)).unwrap_or_else(|e| panic!("turn {turn}: {e}"));
            let was_reset = transaction.continuity() != Continuity::Unbroken;
            resets += usize::from(was_reset);
            let before = transaction.transmit(&status).unwrap_or_else(|e| panic!("turn {turn}: {e}"));
            assert_eq!(
                before[0] == 1,
                logged_in && !was_reset,
                "turn {turn}: continuity tells whether the login is there"
            );
            transaction.transmit(&verify()).unwrap_or_else(|e| panic!("turn {turn}: {e}"));
            logged_in = transaction.transmit(&status).unwrap_or_else(|e| panic!("turn {turn}: {e}"))[0] == 1;
            assert!(logged_in, "turn {turn}");
        }
        done.store(true, Ordering::SeqCst);
        thread.join().unwrap();
        let (told, done) = (resets, card.resets());
        assert!(told >= 3 && done >= 3, "the neighbour gets its turn, too: {told} resets told, {done} done");
    });
}

#[test]
fn cards_that_come_and_go_are_seen_and_resets_are_not_taken_for_that() {
    pcscd::story("cards_that_come_and_go_are_seen_and_resets_are_not_taken_for_that", &[NAME], |pcscd| {
        let reader = &pcscd.readers()[0];
        let readers = system();
        let before = readers.list(&ms(5_000)).unwrap();
        assert_eq!(before.iter().map(|r| &r.presence).collect::<Vec<_>>(), [&Presence::Empty, &Presence::Empty]);
        assert_eq!(readers.changed(&before, &ms(100)).unwrap(), before);
        let card = Card::put_in(reader, pcscd);
        let with = readers.changed(&before, &ms(10_000)).unwrap();
        assert!(matches!(&with[0].presence, Presence::Card(atr) if atr.octets() == ATR), "{with:?}");
        let link = readers.connect(&reader.name, &ms(5_000)).unwrap();
        neighbour(reader, ShareMode::Shared).disconnect(Disposition::ResetCard).map_err(|(_, e)| e).unwrap();
        assert_eq!(readers.changed(&with, &ms(1_500)).unwrap(), with, "a reset is no insertion");
        card.pull_out();
        let without = readers.changed(&with, &ms(10_000)).unwrap();
        assert_eq!(without[0].presence, Presence::Empty);
        assert_eq!(link.begin(&ms(5_000)).err().unwrap().kind(), ErrorKind::CardRemoved);
        assert_eq!(readers.connect(&reader.name, &ms(5_000)).err().unwrap().kind(), ErrorKind::CardRemoved);
        let _again = Card::put_in(reader, pcscd);
        let with_again = readers.changed(&without, &ms(10_000)).unwrap();
        assert!(with_again[0].events > with[0].events, "{with:?} {with_again:?}");
        assert_eq!(link.begin(&ms(5_000)).err().unwrap().kind(), ErrorKind::CardRemoved, "the link is dead for good");
        assert!(readers.connect(&reader.name, &ms(5_000)).unwrap().begin(&ms(5_000)).is_ok());
        assert_eq!(readers.connect("Nowhere", &ms(5_000)).err().unwrap().kind(), ErrorKind::NoReader);
    });
}

#[test]
fn a_service_that_is_killed_and_started_again_is_found_again() {
    pcscd::story("a_service_that_is_killed_and_started_again_is_found_again", &[NAME], |pcscd| {
        let reader = &pcscd.readers()[0];
        let card = Card::put_in(reader, pcscd);
        let readers = system();
        let link = readers.connect(&reader.name, &ms(5_000)).unwrap();
        let mut transaction = link.begin(&ms(5_000)).unwrap();
        let known = readers.list(&ms(5_000)).unwrap();
        let watching = Arc::clone(&readers);
        let watch = std::thread::spawn(move || watching.changed(&known, &ms(20_000)).err().unwrap());
        std::thread::sleep(Duration::from_millis(300));
        pcscd.kill();
        assert_eq!(watch.join().unwrap().kind(), ErrorKind::ServiceStopped);
        assert_eq!(transaction.transmit(&verify()).unwrap_err().kind(), ErrorKind::ServiceStopped);
        assert_eq!(readers.list(&ms(5_000)).unwrap_err().kind(), ErrorKind::ServiceStopped);
        assert_eq!(readers.connect(&reader.name, &ms(5_000)).err().unwrap().kind(), ErrorKind::ServiceStopped);
        drop(transaction);
        card.pull_out();
        pcscd.restart();
        let _card = Card::put_in(reader, pcscd);
        assert_eq!(link.begin(&ms(5_000)).err().unwrap().kind(), ErrorKind::ServiceStopped);
        let link = readers.connect(&reader.name, &ms(5_000)).unwrap();
        assert_eq!(link.begin(&ms(5_000)).unwrap().transmit(&verify()).unwrap(), [0x90, 0x00]);
    });
}

#[test]
fn a_service_that_is_full_says_so_and_is_not_taken_for_one_that_refuses() {
    pcscd::story("a_service_that_is_full_says_so_and_is_not_taken_for_one_that_refuses", &[NAME], |pcscd| {
        let readers = system();
        assert_eq!(readers.list(&ms(5_000)).unwrap().len(), pcscd.readers().len());
        // Not ours: the library's own count of contexts stays at none.
        let mut others = Vec::new();
        while let Ok(context) = pcsc::Context::establish(Scope::System) {
            others.push(context);
            assert!(others.len() < 1_000);
        }
        let error = readers.list(&ms(5_000)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ServiceFull, "{} contexts: {error}", others.len());
        drop(others);
        assert!(readers.list(&ms(5_000)).is_ok());
    });
}

#[test]
fn sixteen_readers_are_watched_as_one_is() {
    let names = ["A", "B", "C", "D", "E", "F", "G", "H"];
    pcscd::story("sixteen_readers_are_watched_as_one_is", &names, |pcscd| {
        let readers = system();
        let before = readers.list(&ms(5_000)).unwrap();
        assert_eq!(before.len(), 16);
        let card = Card::put_in(&pcscd.readers()[15], pcscd);
        let with = readers.changed(&before, &ms(10_000)).unwrap();
        assert!(matches!(with[15].presence, Presence::Card(_)), "{with:?}");
        assert_eq!(readers.changed(&with, &ms(1_500)).unwrap(), with);
        // pcscd looks after its readers every 400 ms: this is seen by the watch and not by the first look.
        card.pull_out();
        assert_eq!(readers.changed(&with, &ms(10_000)).unwrap()[15].presence, Presence::Empty);
    });
}

/// Set in the child that runs as another user.
const OTHER_USER: &str = "SHIELD_TEST_OTHER_USER";

#[test]
fn a_socket_that_this_user_may_not_open_is_a_question_of_rights_and_not_a_stopped_service() {
    let name = "a_socket_that_this_user_may_not_open_is_a_question_of_rights_and_not_a_stopped_service";
    if std::env::var_os(OTHER_USER).is_some() {
        let error = system().list(&ms(5_000)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ServiceRefused, "{error}");
        return;
    }
    pcscd::story(name, &[NAME], |pcscd| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(pcscd.socket(), std::fs::Permissions::from_mode(0o000)).unwrap();
        // Root may open everything, so it becomes somebody else; others are kept out by the mode alone.
        let root = std::fs::read_to_string("/proc/self/status").unwrap().lines().any(|l| l.starts_with("Uid:\t0\t"));
        let own = std::env::current_exe().unwrap();
        // A copy where everybody may read.
        let copy = pcscd.dir().join("test");
        std::fs::copy(own, &copy).unwrap();
        let mut command = if root {
            let mut command = pcscd.tool("setpriv");
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&copy);
            command
        } else {
            pcscd.tool(&copy)
        };
        let output = command.args([name, "--exact", "--nocapture"]).env(OTHER_USER, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    });
}
