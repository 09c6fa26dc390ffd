//! A shared shield on a PIV card over PC/SC: one PIN, two certificates. The card is third-party software, behind a private pcscd.

#[path = "support/pcscd.rs"]
mod pcscd;
#[path = "support/piv_card.rs"]
mod piv_card;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use piv_card::{Key, Made, Neighbour, PivCard};
use shared_shield::{
    Consent, Content, Declined, Error, ErrorKind, Pin, PinEntry, PinQuestion, PinStatus, Policy, Profile, RawSignature,
    Receipt, Reference, Request, Role, Scan, Scanner, Selector, Session, Shield, Suite, ToBeSigned, Unlock, Wait, Way,
    link,
};

/// OpenSC's module: another way to the same card.
const OPENSC: &str = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so";

fn scanner(made: &Made) -> Scanner {
    Scanner::new().profile(Arc::new(Profile::load(&made.profile).unwrap())).readers(link::pcsc::system())
}

fn scan(scanner: &Scanner) -> Scan {
    scanner.scan(&Wait::default()).unwrap()
}

fn shield(made: &Made) -> Shield {
    let scan = scan(&scanner(made));
    scan.only().unwrap_or_else(|e| panic!("{e}; {:?}; {:?}", scan.problems, scan.cards)).clone()
}

/// Types this PIN, and notes what was asked.
fn typist<'l>(
    pin: &'l str,
    asked: &'l mut Vec<(Role, Vec<Role>, PinStatus)>,
) -> impl FnMut(&PinQuestion<'_>) -> Result<PinEntry, Declined> + 'l {
    move |q| {
        asked.push((q.role, q.also_opens.to_vec(), q.status));
        q.pin(pin.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
    }
}

fn sign(shield: &Shield, role: Role, document: &str, pin: &str) -> Result<(Receipt, Vec<u8>), Error> {
    let (mut out, mut asked) = (Vec::new(), Vec::new());
    let request = Request::raw(role, Content::bytes(document.as_bytes().to_vec()));
    let receipt = shield.sign(request, &mut typist(pin, &mut asked), &Wait::default(), &mut out)?;
    Ok((receipt, out))
}

fn unlock(shield: &Shield, role: Role) -> Session {
    shield.unlock(Unlock::of(role), &mut typist(piv_card::PIN, &mut Vec::new()), &Wait::default()).unwrap()
}

fn sign_in(session: &Session, document: &str) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let request = Request::raw(session.role(), Content::bytes(document.as_bytes().to_vec()));
    session.sign(request, &Wait::default(), &mut out).map(|_| out)
}

/// Judged by another implementation of P-256 than the card's.
fn verifies(certificate: &[u8], document: &str, signature: &[u8]) -> bool {
    let certificate = shared_shield::Certificate::from_der(certificate).unwrap();
    let key = certificate.key().unwrap();
    let tbs = ToBeSigned::over(Suite::P256Sha256, key, document.as_bytes()).unwrap();
    RawSignature::from_wire(Suite::P256Sha256, signature).is_ok_and(|s| key.verify(&tbs, &s).is_ok())
}

fn logins(card: &PivCard) -> usize {
    card.commands().iter().filter(|c| c.is_login()).count()
}

#[test]
fn both_roles_sign_on_one_card_and_the_prompt_names_both_because_one_pin_opens_them() {
    let name = "both_roles_sign_on_one_card_and_the_prompt_names_both_because_one_pin_opens_them";
    piv_card::story(name, |_, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        for (role, certificate, other) in
            [(Role::Customs, &made.customs, Role::Bank), (Role::Bank, &made.bank, Role::Customs)]
        {
            let before = logins(card);
            let (mut asked, mut out) = (Vec::new(), Vec::new());
            let request = Request::raw(role, Content::bytes(*b"order 4711"));
            let receipt =
                shield.sign(request, &mut typist(piv_card::PIN, &mut asked), &Wait::default(), &mut out).unwrap();
            assert!(verifies(certificate, "order 4711", &out));
            assert!(!verifies(certificate, "order 4712", &out));
            assert_eq!((asked.len(), asked[0].0, asked[0].1.as_slice()), (1, role, [other].as_slice()));
            assert_eq!(logins(card), before + 1, "one entry, one VERIFY");
            assert!(receipt.door.unwrap().to_string().starts_with("piv:"));
        }
    });
}

#[test]
fn a_wrong_pin_costs_one_try_and_the_last_one_is_not_spent() {
    piv_card::story("a_wrong_pin_costs_one_try_and_the_last_one_is_not_spent", |_, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let kind = |pin| sign(&shield, Role::Customs, "x", pin).map(drop).map_err(|e| (e.kind(), e.tries_left()));
        assert_eq!(kind("12"), Err((ErrorKind::PinLength, None)));
        assert_eq!(logins(card), 0);
        assert_eq!(kind("654321"), Err((ErrorKind::PinIncorrect, Some(PinStatus::Known(2)))));
        assert_eq!(kind("654321"), Err((ErrorKind::PinIncorrect, Some(PinStatus::Known(1)))));
        assert_eq!(kind("123456"), Err((ErrorKind::LastTry, Some(PinStatus::Known(1)))));
        assert_eq!(logins(card), 2, "what would be the last try is not sent");
    });
}

#[test]
fn the_last_try_of_the_unlock_code_is_not_spent() {
    piv_card::story("the_last_try_of_the_unlock_code_is_not_spent", |_, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let pin = |text: &str| Pin::new(Role::Customs, text.as_bytes()).unwrap();
        let unblock = |puk: &str, consent| {
            let (puk, new) = (pin(puk), pin("736452"));
            let done = shield.unblock_pin(Role::Customs, &Selector::default(), (&puk, &new), consent, &Wait::default());
            done.map_err(|e| (e.kind(), e.tries_left()))
        };
        let sent = || card.commands().iter().filter(|c| c.ins == 0x2C).count();
        for left in [2, 1] {
            let refused = Err((ErrorKind::PukIncorrect, Some(PinStatus::Known(left))));
            assert_eq!(unblock("87654321", Consent::None), refused);
        }
        let last = Err((ErrorKind::PukLastTry, Some(PinStatus::Known(1))));
        assert_eq!(unblock(piv_card::PUK, Consent::None), last, "even the right one needs a word now");
        assert_eq!(sent(), 2);
        assert_eq!(unblock(piv_card::PUK, Consent::LastTry), Ok(()));
        assert_eq!(unblock(piv_card::PUK, Consent::None), Ok(()), "it has all its tries again");
    });
}

#[test]
fn the_same_card_through_a_module_is_one_shield_and_signs_on_when_one_way_is_gone() {
    let name = "the_same_card_through_a_module_is_one_shield_and_signs_on_when_one_way_is_gone";
    if !Path::new(OPENSC).exists() {
        return softhsm::skip(name, "OpenSC's module is not installed (apt-get install opensc-pkcs11)");
    }
    piv_card::story(name, |_, card| {
        let made = card.fill(Key::P256);
        let both = scan(&scanner(&made).module(OPENSC));
        let shield = both.only().unwrap_or_else(|e| panic!("{e}; {:?}", both.problems)).clone();
        assert_eq!(shield.doors().count(), 2, "{:?}", shield.doors().collect::<Vec<_>>());
        let listed = shield.certificates();
        assert_eq!(listed.len(), 2, "one credential for each certificate");
        for one in &listed {
            let doors: Vec<String> = one.doors.iter().map(ToString::to_string).collect();
            assert!(doors[0].starts_with("piv:") && doors[1].starts_with("pkcs11:"), "{doors:?}");
        }
        let (receipt, out) = sign(&shield, Role::Customs, "by card", piv_card::PIN).unwrap();
        assert!(receipt.door.unwrap().to_string().starts_with("piv:") && verifies(&made.customs, "by card", &out));
        // The profile puts the module first.
        let text = std::fs::read_to_string(&made.profile).unwrap();
        std::fs::write(&made.profile, text.replacen("test = true", "test = true\nroutes = [\"pkcs11\"]", 1)).unwrap();
        let turned = scan(&scanner(&made).module(OPENSC));
        let turned = turned.only().unwrap();
        for (role, certificate) in [(Role::Customs, &made.customs), (Role::Bank, &made.bank)] {
            let (receipt, out) = sign(turned, role, "by module", piv_card::PIN).unwrap();
            assert!(receipt.door.unwrap().to_string().starts_with("pkcs11:"), "the order is the profile's");
            assert!(verifies(certificate, "by module", &out));
        }
        assert_eq!(Profile::builtin().routes(), [Way::Card, Way::Module]);
    });
}

#[test]
fn another_key_behind_the_same_name_gets_no_pin() {
    piv_card::story("another_key_behind_the_same_name_gets_no_pin", |pcscd, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        sign(&shield, Role::Customs, "first", piv_card::PIN).unwrap();
        // A batch keeps its connection, and the service tells it of one event alone: the reset by whoever used the second card.
        let session = unlock(&shield, Role::Customs);
        // A second card that says it is the first: it has the same CHUID.
        let chuid = card.folder().with_file_name("chuid");
        let chuid = chuid.to_str().unwrap();
        card.tool(&["-a", "read-object", "--id", "0x5fc102", "-o", chuid]).unwrap();
        card.swap("twin");
        card.manage(&["-a", "write-object", "--id", "0x5fc102", "-i", chuid]);
        card.equip("9a", Key::P256, "CN=Story customs CA", "CN=Story customs", vec![]);
        pcscd.wait_for_card(card.reader(), true);
        let before = logins(card);
        let error = sign(&shield, Role::Customs, "second", piv_card::PIN).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CertificateChanged, "{error}");
        let in_batch = sign_in(&session, "second").unwrap_err();
        assert_eq!(in_batch.kind(), ErrorKind::CertificateChanged, "{in_batch}");
        assert_eq!(logins(card), before, "no VERIFY for a key that nobody was shown");
        card.swap("card");
        let (_, out) = sign(&shield, Role::Customs, "third", piv_card::PIN).unwrap();
        assert!(verifies(&made.customs, "third", &out), "the first card is back and serves");
    });
}

#[test]
fn a_card_that_is_pulled_out_and_back_signs_again_with_the_same_handle() {
    piv_card::story("a_card_that_is_pulled_out_and_back_signs_again_with_the_same_handle", |pcscd, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let session = unlock(&shield, Role::Customs);
        sign_in(&session, "one").unwrap();
        card.remove();
        pcscd.wait_for_card(card.reader(), false);
        let error = sign_in(&session, "two").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CardRemoved, "{error}");
        card.insert();
        let out = sign_in(&session, "two").unwrap();
        assert!(verifies(&made.customs, "two", &out), "the batch goes on");
        assert_eq!(logins(card), 2, "once at the beginning, once after the return");
    });
}

#[test]
fn a_pin_that_may_have_been_refused_while_the_card_was_pulled_out_is_not_sent_again() {
    let name = "a_pin_that_may_have_been_refused_while_the_card_was_pulled_out_is_not_sent_again";
    piv_card::story(name, |pcscd, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let policy = Policy { signatures: 5, resends: 5, ..Policy::of(Role::Bank) };
        let unlock = Unlock::of(Role::Bank).policy(policy);
        let session = shield.unlock(unlock, &mut typist(piv_card::PIN, &mut Vec::new()), &Wait::default()).unwrap();
        sign_in(&session, "one").unwrap();
        // Once the batch has given its lease back, another program changes the PIN.
        card.tool(&["-a", "change-pin", "-P", piv_card::PIN, "-N", "654321"]).unwrap();
        let before = logins(card);
        // SELECT, the tries, VERIFY: the card refuses the PIN, and is out before anybody hears of it.
        card.pull(3);
        let error = sign_in(&session, "two").unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::CardRemoved | ErrorKind::TokenFailed), "{error}");
        assert_eq!(logins(card), before + 1, "the pull was at VERIFY");
        pcscd.wait_for_card(card.reader(), false);
        card.insert();
        let error = sign_in(&session, "two").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionEnded, "{error}");
        assert_eq!(logins(card), before + 1, "not a second try of the same PIN");
        let left = shield.pin_status(Role::Bank, &Selector::default(), &Wait::default()).unwrap();
        assert_eq!(left, PinStatus::Known(2));
    });
}

#[test]
fn a_batch_goes_on_when_the_service_is_stopped_and_started() {
    piv_card::story("a_batch_goes_on_when_the_service_is_stopped_and_started", |pcscd, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let session = unlock(&shield, Role::Customs);
        for n in 0..40 {
            let document = format!("document {n}");
            match n {
                10 => {
                    pcscd.kill();
                    pcscd.restart();
                }
                25 => {
                    // It comes back while the batch is already asking for it.
                    pcscd.kill();
                    std::thread::scope(|scope| {
                        let back = scope.spawn(|| {
                            std::thread::sleep(Duration::from_millis(700));
                            pcscd.restart();
                        });
                        let out = sign_in(&session, &document).unwrap();
                        assert!(verifies(&made.customs, &document, &out));
                        back.join().unwrap();
                    });
                    continue;
                }
                _ => {}
            }
            let out = sign_in(&session, &document).unwrap();
            assert!(verifies(&made.customs, &document, &out), "{document}");
        }
        assert_eq!(logins(card), 3, "the PIN goes again once for each time that the card lost its power");
    });
}

#[test]
fn whoever_waits_for_a_held_reader_hears_busy_in_time() {
    piv_card::story("whoever_waits_for_a_held_reader_hears_busy_in_time", |pcscd, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        for (how, kinds) in [
            ("transaction", [ErrorKind::Busy, ErrorKind::Busy]),
            ("exclusive", [ErrorKind::Busy, ErrorKind::ReaderBusy]),
        ] {
            // A connection that nobody uses is closed after a while, or nobody could ever hold the reader alone.
            std::thread::sleep(shared_shield::policy::CONNECTION_IDLE * 2);
            let neighbour = Neighbour::holds(pcscd, card.reader(), how, 4_000);
            let since = Instant::now();
            let wait = Wait::at_most(Duration::from_millis(300));
            let error = shield.pin_status(Role::Customs, &Selector::default(), &wait).unwrap_err();
            let took = since.elapsed();
            assert!(kinds.contains(&error.kind()), "{how}: {error}");
            assert!(took < Duration::from_secs(1), "{how}: {took:?}");
            // Whoever waits longer than it is held gets it.
            let status = shield.pin_status(Role::Customs, &Selector::default(), &Wait::default());
            assert_eq!(status.unwrap(), PinStatus::Known(3), "{how}");
            neighbour.wait();
        }
    });
}

#[test]
fn a_credential_is_opened_by_reference_without_reading_the_others() {
    piv_card::story("a_credential_is_opened_by_reference_without_reading_the_others", |_, card| {
        let made = card.fill(Key::P256);
        let first = shield(&made);
        let customs = first.certificates().into_iter().find(|c| c.role == Some(Role::Customs)).unwrap();
        let reference = Reference::parse(&customs.references[0].to_string()).unwrap();
        drop(first);
        let before = card.commands().len();
        let scan = scan(&scanner(&made).reference(reference));
        let shield = scan.for_role(Role::Customs, &Selector::default()).unwrap();
        let opened = card.commands().split_off(before);
        let reads = opened.iter().filter(|c| c.ins == 0xCB).count();
        assert_eq!(reads, 1, "{opened:?}");
        let (_, out) = sign(shield, Role::Customs, "by reference", piv_card::PIN).unwrap();
        assert!(verifies(&made.customs, "by reference", &out));
        let all = card.commands().split_off(before);
        let fetching = all.iter().filter(|c| matches!(c.ins, 0xCB | 0xC0)).count();
        assert!(all.len() - fetching <= 7, "{all:?}");
        assert_eq!(shield.credential(Role::Bank, &Selector::default()).unwrap_err().kind(), ErrorKind::NoCredential);
    });
}

/// PC/SC as one program sees it that is cut off from it, while others go on.
struct CutOff {
    inner: Arc<dyn link::Readers>,
    cut: Arc<AtomicBool>,
}

struct CutLink(Arc<dyn link::Link>, Arc<AtomicBool>);

fn unless(cut: &AtomicBool) -> Result<(), Error> {
    match cut.load(Ordering::SeqCst) {
        true => Err(Error::new(ErrorKind::ServiceStopped, "test")),
        false => Ok(()),
    }
}

impl link::Readers for CutOff {
    fn list(&self, wait: &Wait) -> Result<Vec<link::ReaderState>, Error> {
        unless(&self.cut).and_then(|()| self.inner.list(wait))
    }

    fn changed(&self, known: &[link::ReaderState], wait: &Wait) -> Result<Vec<link::ReaderState>, Error> {
        unless(&self.cut).and_then(|()| self.inner.changed(known, wait))
    }

    fn connect(&self, reader: &str, wait: &Wait) -> Result<Arc<dyn link::Link>, Error> {
        unless(&self.cut)?;
        Ok(Arc::new(CutLink(self.inner.connect(reader, wait)?, Arc::clone(&self.cut))))
    }
}

impl link::Link for CutLink {
    fn atr(&self) -> link::Atr {
        self.0.atr()
    }

    fn begin(&self, wait: &Wait) -> Result<Box<dyn link::Transaction>, Error> {
        unless(&self.1).and_then(|()| self.0.begin(wait))
    }
}

#[test]
fn signatures_go_on_by_the_module_when_the_way_over_pcsc_is_cut() {
    let name = "signatures_go_on_by_the_module_when_the_way_over_pcsc_is_cut";
    if !Path::new(OPENSC).exists() {
        return softhsm::skip(name, "OpenSC's module is not installed (apt-get install opensc-pkcs11)");
    }
    piv_card::story(name, |_, card| {
        let made = card.fill(Key::P256);
        let cut = Arc::<AtomicBool>::default();
        let readers = CutOff { inner: link::pcsc::system(), cut: Arc::clone(&cut) };
        let profile = Arc::new(Profile::load(&made.profile).unwrap());
        let both = scan(&Scanner::new().profile(profile).readers(Arc::new(readers)).module(OPENSC));
        let shield = both.only().unwrap_or_else(|e| panic!("{e}; {:?}", both.problems)).clone();
        let session = unlock(&shield, Role::Customs);
        let (mut doors, mut prompts) = (Vec::new(), 0);
        for n in 0..60 {
            if n == 20 {
                cut.store(true, Ordering::SeqCst);
            }
            let document = format!("document {n}");
            let mut out = Vec::new();
            let request = Request::raw(Role::Customs, Content::bytes(document.clone().into_bytes()));
            let receipt = session.sign(request, &Wait::default(), &mut out).unwrap();
            assert!(verifies(&made.customs, &document, &out), "{document}");
            doors.push(receipt.door.unwrap().to_string());
        }
        // The lease that is open when the way is cut is used up first.
        let switch = doors.iter().position(|d| d.starts_with("pkcs11:")).unwrap();
        assert!((20..40).contains(&switch), "{doors:?}");
        assert!(doors[..switch].iter().all(|d| d.starts_with("piv:")));
        assert!(doors[switch..].iter().all(|d| d.starts_with("pkcs11:")));
        let before = logins(card);
        drop(session);
        let mut prompt = |q: &PinQuestion<'_>| {
            prompts += 1;
            q.pin(piv_card::PIN.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
        };
        let mut out = Vec::new();
        let request = Request::raw(Role::Bank, Content::bytes(*b"order"));
        shield.sign(request, &mut prompt, &Wait::at_most(Duration::from_secs(30)), &mut out).unwrap();
        assert!(verifies(&made.bank, "order", &out) && prompts == 1);
        assert!(before <= 3, "the PIN went once by the card and, after the cut, by the module: {before}");
    });
}

#[test]
fn five_hundred_signatures_of_both_roles_beside_a_bad_neighbour_and_a_tool() {
    let name = "five_hundred_signatures_of_both_roles_beside_a_bad_neighbour_and_a_tool";
    piv_card::story(name, |pcscd, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let neighbour = Neighbour::annoys(pcscd, card.reader());
        let done = AtomicBool::new(false);
        let runs = std::thread::scope(|scope| {
            let tool = scope.spawn(|| {
                let mut runs = 0;
                while !done.load(Ordering::SeqCst) && Path::new(OPENSC).exists() {
                    pcscd.tool("pkcs11-tool").args(["--module", OPENSC, "-O"]).output().unwrap();
                    runs += 1;
                }
                runs
            });
            let (mut prompts, mut failures) = (0, Vec::new());
            let patience = Wait::at_most(Duration::from_secs(600));
            let long = || Wait::at_most(Duration::from_secs(30)).with_cancel(Arc::clone(&patience.cancel));
            let mut entered = |q: &PinQuestion<'_>| {
                prompts += 1;
                q.pin(piv_card::PIN.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
            };
            let policy = Policy { resends: 200, ..Policy::of(Role::Customs) };
            let session = shield.unlock(Unlock::of(Role::Customs).policy(policy), &mut entered, &long()).unwrap();
            for n in 0..500 {
                let document = format!("document {n}");
                let mut out = Vec::new();
                let (role, certificate) =
                    if n % 10 == 9 { (Role::Bank, &made.bank) } else { (Role::Customs, &made.customs) };
                let request = Request::raw(role, Content::bytes(document.clone().into_bytes()));
                let signed = match role {
                    Role::Customs => session.sign(request, &long(), &mut out),
                    _ => shield.sign(request, &mut entered, &long(), &mut out),
                };
                match signed {
                    Ok(_) => assert!(verifies(certificate, &document, &out), "{document}"),
                    Err(error) => failures.push(format!("{document}: {error}")),
                }
            }
            done.store(true, Ordering::SeqCst);
            assert!(failures.is_empty(), "{failures:?}");
            assert_eq!(prompts, 1 + 50, "one for the batch, one for each payment");
            tool.join().unwrap()
        });
        let annoyed = neighbour.end();
        let resets = card.events().iter().filter(|e| *e == "reset").count();
        let wrong = card.commands().iter().filter(|c| c.is_login() && c.status != 0x9000).count();
        let said =
            format!("{annoyed}; pkcs11-tool ran {runs} times; {resets} resets; {} logins, {wrong} wrong", logins(card));
        writeln!(std::io::stderr(), "neighbour: {said}").unwrap();
        assert!(resets > 0, "the neighbour did reset the card");
        assert_eq!(wrong, 0, "the ledger balances: no PIN was refused");
    });
}
