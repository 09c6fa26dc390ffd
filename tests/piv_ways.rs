//! Several ways to one card, and several programs on it.

#[path = "support/pcscd.rs"]
mod pcscd;
#[path = "support/piv_card.rs"]
mod piv_card;
#[path = "support/piv_desk.rs"]
mod piv_desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use piv_card::{Key, Neighbour};
use piv_desk::{logins, opensc, scan, scanner, shield, sign, unlock, verifies};
use shared_shield::{
    Content, Declined, Error, ErrorKind, PinEntry, PinQuestion, Policy, Profile, Request, Role, Scanner, Unlock, Wait,
    Way, link,
};

#[test]
fn the_same_card_through_a_module_is_one_shield_and_signs_on_when_one_way_is_gone() {
    let name = "the_same_card_through_a_module_is_one_shield_and_signs_on_when_one_way_is_gone";
    let Some(opensc) = opensc() else {
        return softhsm::skip(name, "OpenSC's module is not installed (apt-get install opensc-pkcs11)");
    };
    piv_card::story(name, |_, card| {
        let made = card.fill(Key::P256);
        let both = scan(&scanner(&made).module(&opensc));
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
        let turned = scan(&scanner(&made).module(&opensc));
        let turned = turned.only().unwrap();
        for (role, certificate) in [(Role::Customs, &made.customs), (Role::Bank, &made.bank)] {
            let (receipt, out) = sign(turned, role, "by module", piv_card::PIN).unwrap();
            assert!(receipt.door.unwrap().to_string().starts_with("pkcs11:"), "the order is the profile's");
            assert!(verifies(certificate, "by module", &out));
        }
        assert_eq!(Profile::builtin().routes(), [Way::Card, Way::Module]);
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
    let Some(opensc) = opensc() else {
        return softhsm::skip(name, "OpenSC's module is not installed (apt-get install opensc-pkcs11)");
    };
    piv_card::story(name, |_, card| {
        let made = card.fill(Key::P256);
        let cut = Arc::<AtomicBool>::default();
        let readers = CutOff { inner: link::pcsc::system(), cut: Arc::clone(&cut) };
        let profile = Arc::new(Profile::load(&made.profile).unwrap());
        let both = scan(&Scanner::new().profile(profile).readers(Arc::new(readers)).module(&opensc));
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
    let Some(opensc) = opensc() else {
        return softhsm::skip(name, "OpenSC's module is not installed (apt-get install opensc-pkcs11)");
    };
    piv_card::story(name, |pcscd, card| {
        let made = card.fill(Key::P256);
        let shield = shield(&made);
        let neighbour = Neighbour::annoys(pcscd, card.reader());
        let done = AtomicBool::new(false);
        let runs = std::thread::scope(|scope| {
            let tool = scope.spawn(|| {
                let mut runs = 0;
                while !done.load(Ordering::SeqCst) {
                    pcscd.tool("pkcs11-tool").arg("--module").arg(&opensc).arg("-O").output().unwrap();
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
