//! A shared shield on a PIV card, attacked: by other programs that change it under our feet, by our own threads, and by short waits.

#[path = "support/pcscd.rs"]
mod pcscd;
#[path = "support/piv_card.rs"]
mod piv_card;
#[path = "support/piv_desk.rs"]
mod piv_desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use piv_card::{Key, Made, Neighbour};
use piv_desk::{refused_logins, request, scanner, shield, sign_in, typist, unlock, verifies};
use shared_shield::{
    Consent, Declined, Error, ErrorKind, Event, Pin, PinEntry, PinQuestion, Role, Selector, Session, Shield, Unlock,
    Wait,
};

fn sign(shield: &Shield, role: Role, document: &str, wait: &Wait) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let done = shield.sign(request(role, document), &mut typist(piv_card::PIN), wait, &mut out);
    assert!(done.is_ok() || out.is_empty(), "nothing leaves with an error");
    done.map(|_| out)
}

#[test]
fn two_batches_whose_pin_another_program_has_changed_cost_one_refusal() {
    piv_card::story("two_batches_whose_pin_another_program_has_changed_cost_one_refusal", |_, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let first = unlock(&shield, Role::Customs);
        // The card is open now, so it tells no tries at this entry.
        let second = unlock(&shield, Role::Customs);
        let third = unlock(&shield, Role::Bank);
        for session in [&first, &second, &third] {
            sign_in(session, "before").unwrap();
        }
        std::thread::sleep(Duration::from_millis(2_500));
        card.tool(&["-a", "change-pin", "-P", piv_card::PIN, "-N", "736452"]).unwrap();
        let before = refused_logins(card);
        for session in [&first, &second, &third] {
            for _ in 0..2 {
                let error = sign_in(session, "after").err();
                assert!(
                    error
                        .as_ref()
                        .is_none_or(|e| matches!(e.kind(), ErrorKind::PinIncorrect | ErrorKind::SessionEnded)),
                    "{error:?}"
                );
            }
        }
        assert_eq!(refused_logins(card) - before, 1, "the first refusal speaks for every batch");
    });
}

#[test]
fn a_certificate_that_is_replaced_in_place_is_never_signed_for() {
    piv_card::story("a_certificate_that_is_replaced_in_place_is_never_signed_for", |_, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let session = unlock(&shield, Role::Customs);
        sign_in(&session, "one").unwrap();
        std::thread::sleep(Duration::from_millis(2_500));
        // The same issuer and name, another key.
        let other = card.equip("9a", Key::P256, "CN=Story customs CA", "CN=Story customs", vec![]);
        let first = sign_in(&session, "two").unwrap_err();
        assert!(matches!(first.kind(), ErrorKind::SignatureWrong | ErrorKind::CertificateChanged), "{first}");
        let second = sign_in(&session, "two").unwrap_err();
        assert_eq!(second.kind(), ErrorKind::CertificateChanged, "{second}");
        let single = sign(&shield, Role::Customs, "two", &Wait::default()).unwrap_err();
        assert_eq!(single.kind(), ErrorKind::CertificateChanged, "{single}");
        assert_eq!(refused_logins(card), 0);
        drop(session);
        let again = self::shield(&made);
        let out = sign(&again, Role::Customs, "three", &Wait::default()).unwrap();
        assert!(verifies(&other, "three", &out));
    });
}

#[test]
fn batches_of_both_roles_take_turns_without_waiting_for_a_lease_to_run_out() {
    piv_card::story("batches_of_both_roles_take_turns_without_waiting_for_a_lease_to_run_out", |_, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let (customs, bank) = (unlock(&shield, Role::Customs), unlock(&shield, Role::Bank));
        let since = Instant::now();
        for n in 0..5 {
            let document = format!("document {n}");
            assert!(verifies(&made.customs, &document, &sign_in(&customs, &document).unwrap()));
            assert!(verifies(&made.bank, &document, &sign_in(&bank, &document).unwrap()));
        }
        let took = since.elapsed();
        assert!(took < Duration::from_secs(10), "ten signatures took {took:?}");
    });
}

#[test]
fn a_watch_ends_at_its_wait_beside_a_program_that_holds_the_card() {
    piv_card::story("a_watch_ends_at_its_wait_beside_a_program_that_holds_the_card", |pcscd, card| {
        let made = card.fill(Key::P256);
        let neighbour = Neighbour::holds(pcscd, card.reader(), "transaction", 4_000);
        let mut watch = scanner(&made).watch().unwrap();
        let mut seen = None;
        let mut longest = Duration::ZERO;
        let start = Instant::now();
        while seen.is_none() && start.elapsed() < Duration::from_secs(12) {
            let since = Instant::now();
            seen = watch.next(&Wait::at_most(Duration::from_millis(300))).unwrap();
            longest = longest.max(since.elapsed());
        }
        neighbour.wait();
        assert!(longest < Duration::from_secs(3), "300 ms became {longest:?}");
        assert!(matches!(seen, Some(Event::Arrived(_))), "{seen:?}");
    });
}

#[test]
fn a_service_that_restarts_while_a_card_is_looked_at_doubles_no_event() {
    piv_card::story("a_service_that_restarts_while_a_card_is_looked_at_doubles_no_event", |pcscd, card| {
        let made = card.fill(Key::P256);
        card.delay(100);
        let mut watch = scanner(&made).watch().unwrap();
        assert!(watch.next(&Wait::at_most(Duration::from_millis(200))).unwrap().is_none(), "it is being looked at");
        pcscd.kill();
        pcscd.restart();
        card.delay(0);
        let (start, mut events) = (Instant::now(), Vec::new());
        while start.elapsed() < Duration::from_secs(15) && !matches!(events.last(), Some(Event::Arrived(_))) {
            events.extend(watch.next(&Wait::at_most(Duration::from_millis(300))).unwrap());
        }
        assert!(matches!(events.last(), Some(Event::Arrived(_))), "{events:?}");
        assert!(watch.next(&Wait::at_most(Duration::from_secs(2))).unwrap().is_none());
        let count = |is: fn(&Event) -> bool| events.iter().filter(|e| is(e)).count();
        let came = count(|e| matches!(e, Event::Refused { .. })) + count(|e| matches!(e, Event::Arrived(_)));
        let went = count(|e| matches!(e, Event::RefusedRemoved { .. } | Event::Removed { .. }));
        assert_eq!(came, went + 1, "{events:?}");
    });
}

/// Connections to the private service: the kernel lists those that it accepted under its name.
fn connections(socket: &std::path::Path) -> usize {
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    let name = socket.to_str().unwrap();
    table.lines().filter(|l| l.ends_with(name) && l.split_whitespace().nth(5) == Some("03")).count()
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn scans_and_batches_give_back_their_connections_and_threads() {
    piv_card::story("scans_and_batches_give_back_their_connections_and_threads", |pcscd, card| {
        let made = card.fill(Key::P256);
        let before = (connections(pcscd.socket()), threads());
        let scanner = scanner(&made);
        for n in 0..250 {
            let scan = scanner.scan(&Wait::default()).unwrap_or_else(|e| panic!("scan {n}: {e}"));
            let shield = scan.only().unwrap_or_else(|e| panic!("scan {n}: {e}; {:?}", scan.problems)).clone();
            if n % 50 == 0 {
                drop(unlock(&shield, Role::Customs));
                drop(scanner.watch().unwrap().next(&Wait::default()).unwrap());
            }
        }
        std::thread::sleep(Duration::from_secs(7));
        let after = (connections(pcscd.socket()), threads());
        assert!(after.0 <= before.0 + 1 && after.1 <= before.1 + 2, "{before:?}, then {after:?}");
    });
}

#[test]
fn everything_at_once_on_one_card_signs_and_refuses_nothing() {
    piv_card::story("everything_at_once_on_one_card_signs_and_refuses_nothing", |_, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let (customs, bank) = (unlock(&shield, Role::Customs), unlock(&shield, Role::Bank));
        let done = AtomicBool::new(false);
        let long = || Wait::at_most(Duration::from_secs(60));
        let batch = |session: &Session, certificate: &[u8]| {
            for n in 0..20 {
                let document = format!("document {n}");
                let mut out = Vec::new();
                session.sign(request(session.role(), &document), &long(), &mut out).unwrap();
                assert!(verifies(certificate, &document, &out));
            }
        };
        std::thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut watch = scanner(&made).watch().unwrap();
                let mut events = Vec::new();
                // It looks at the card like everybody else, and may get its turn last.
                let until = Instant::now() + Duration::from_secs(30);
                while !done.load(Ordering::SeqCst) || (events.is_empty() && Instant::now() < until) {
                    events.extend(watch.next(&Wait::at_most(Duration::from_millis(200))).unwrap());
                }
                events
            });
            let workers = [
                scope.spawn(|| batch(&customs, &made.customs)),
                scope.spawn(|| batch(&bank, &made.bank)),
                scope.spawn(|| batch(&customs, &made.customs)),
                scope.spawn(|| {
                    for n in 0..4 {
                        let out = sign(&shield, Role::Bank, &format!("single {n}"), &long()).unwrap();
                        assert!(verifies(&made.bank, &format!("single {n}"), &out));
                    }
                }),
                scope.spawn(|| {
                    for _ in 0..4 {
                        shield.pin_status(Role::Customs, &Selector::default(), &long()).unwrap();
                    }
                }),
            ];
            for worker in workers {
                worker.join().unwrap();
            }
            done.store(true, Ordering::SeqCst);
            let events = watch.join().unwrap();
            assert!(matches!(events.as_slice(), [Event::Arrived(_)]), "{events:?}");
        });
        assert_eq!(refused_logins(card), 0);
    });
}

#[test]
fn every_call_ends_at_its_wait_on_a_slow_card_and_when_it_is_cancelled() {
    piv_card::story("every_call_ends_at_its_wait_on_a_slow_card_and_when_it_is_cancelled", |_, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let session = unlock(&shield, Role::Customs);
        std::thread::sleep(Duration::from_millis(2_500));
        card.delay(500);
        let pin = |text: &str| Pin::new(Role::Customs, text.as_bytes()).unwrap();
        let (old, new) = (pin(piv_card::PIN), pin("736452"));
        type Call<'c> = (&'c str, Box<dyn Fn(&Wait) -> Result<(), Error> + Sync + 'c>);
        let calls: Vec<Call<'_>> = vec![
            ("batch", Box::new(|w| session.sign(request(Role::Customs, "x"), w, &mut Vec::new()).map(drop))),
            ("status", Box::new(|w| shield.pin_status(Role::Customs, &Selector::default(), w).map(drop))),
            ("sign", Box::new(|w| sign(&shield, Role::Bank, "x", w).map(drop))),
            ("unlock", Box::new(|w| shield.unlock(Unlock::of(Role::Customs), &mut typist(piv_card::PIN), w).map(drop))),
            (
                "change",
                Box::new(|w| shield.change_pin(Role::Customs, &Selector::default(), (&old, &new), Consent::None, w)),
            ),
            ("scan", Box::new(|w| scanner(&made).scan(w).and_then(|s| s.only().map(drop)))),
        ];
        for (name, call) in &calls {
            let since = Instant::now();
            let error = call(&Wait::at_most(Duration::from_millis(300))).unwrap_err();
            let took = since.elapsed();
            assert!(took < Duration::from_secs(2), "{name}: {took:?} ({error})");
            assert!(matches!(error.kind(), ErrorKind::Busy | ErrorKind::Timeout), "{name}: {error}");
            let wait = Wait::at_most(Duration::from_secs(30));
            let cancel = Arc::clone(&wait.cancel);
            let took = std::thread::scope(|scope| {
                let thread = scope.spawn(|| {
                    let done = call(&wait);
                    (done.map_err(|e| e.kind()), Instant::now())
                });
                std::thread::sleep(Duration::from_millis(200));
                let since = Instant::now();
                cancel.cancel();
                let (done, ended) = thread.join().unwrap();
                assert_eq!(done, Err(ErrorKind::Cancelled), "{name}");
                ended.saturating_duration_since(since)
            });
            assert!(took < Duration::from_secs(2), "{name} cancelled: {took:?}");
        }
        card.delay(0);
        assert_eq!(refused_logins(card), 0);
        sign(&shield, Role::Bank, "afterwards", &Wait::at_most(Duration::from_secs(30))).unwrap();
    });
}

/// Names the profile to the second process of [`two_processes_with_batches_of_both_roles_share_one_card`].
const SECOND: &str = "SHIELD_TEST_SECOND";

fn second_process(profile: PathBuf) {
    let shield = shield(&Made { profile, customs: Vec::new(), bank: Vec::new() });
    let (customs, bank) = (unlock(&shield, Role::Customs), unlock(&shield, Role::Bank));
    both(&customs, &bank);
}

fn both(customs: &Session, bank: &Session) {
    for n in 0..10 {
        for session in [customs, bank] {
            let wait = Wait::at_most(Duration::from_secs(60));
            session.sign(request(session.role(), &format!("document {n}")), &wait, &mut Vec::new()).unwrap();
        }
    }
}

#[test]
fn two_processes_with_batches_of_both_roles_share_one_card() {
    let name = "two_processes_with_batches_of_both_roles_share_one_card";
    if let Some(profile) = std::env::var_os(SECOND) {
        return second_process(profile.into());
    }
    piv_card::story(name, |pcscd, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let (customs, bank) = (unlock(&shield, Role::Customs), unlock(&shield, Role::Bank));
        let mut second = pcscd
            .tool(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(SECOND, &made.profile)
            .spawn()
            .unwrap();
        both(&customs, &bank);
        assert!(second.wait().unwrap().success());
        both(&customs, &bank);
        assert_eq!(refused_logins(card), 0);
    });
}

/// Copies of a PIN in the writable memory of this process; it is given XORed, so that the search does not find itself.
#[cfg(target_os = "linux")]
fn copies_in_memory(hidden: &[u8]) -> usize {
    use std::os::unix::fs::FileExt;
    let memory = std::fs::File::open("/proc/self/mem").unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut copies = 0;
    for line in maps.lines().filter(|l| l.contains(" rw")) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        let mut octets = vec![0; usize::try_from(to - from).unwrap()];
        let Ok(read) = memory.read_at(&mut octets, from) else { continue };
        let is_it = |w: &&[u8]| w.iter().zip(hidden).all(|(m, h)| *m == h ^ 0x5a);
        copies += octets[..read].windows(hidden.len()).filter(is_it).count();
        octets.fill(0xff);
    }
    copies
}

#[cfg(target_os = "linux")]
#[test]
fn no_copy_of_a_pin_is_left_when_changes_and_batches_on_a_card_are_over() {
    piv_card::story("no_copy_of_a_pin_is_left_when_changes_and_batches_on_a_card_are_over", |_, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let mut hidden = [0_u8; 8];
        getrandom::fill(&mut hidden).unwrap();
        hidden.iter_mut().for_each(|o| *o = (b'0' + *o % 10) ^ 0x5a);
        let plain = |use_it: &mut dyn FnMut(&[u8])| {
            let mut octets = hidden;
            octets.iter_mut().for_each(|o| *o ^= 0x5a);
            use_it(&octets);
            octets.fill(0);
            std::hint::black_box(&octets);
        };
        let old = Pin::new(Role::Customs, piv_card::PIN.as_bytes()).unwrap();
        plain(&mut |octets| {
            let new = Pin::new(Role::Customs, octets).unwrap();
            let none = Selector::default();
            shield.change_pin(Role::Customs, &none, (&old, &new), Consent::None, &Wait::default()).unwrap();
        });
        assert_eq!(copies_in_memory(&hidden), 0, "after the change");
        let mut prompt = |q: &PinQuestion<'_>| {
            let mut entry = Err(Declined);
            plain(&mut |octets| entry = q.pin(octets).map(PinEntry::Typed).map_err(|_| Declined));
            entry
        };
        let session = shield.unlock(Unlock::of(Role::Customs), &mut prompt, &Wait::default()).unwrap();
        sign_in(&session, "one").unwrap();
        assert!(copies_in_memory(&hidden) >= 1, "the batch keeps it");
        drop(session);
        let order = request(Role::Bank, "order");
        shield.sign(order, &mut prompt, &Wait::default(), &mut Vec::new()).unwrap();
        assert_eq!(copies_in_memory(&hidden), 0, "after all");
    });
}
