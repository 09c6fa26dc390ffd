//! A fault at any step, and a device that lies now and then.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::GM0017;
use super::model::{ATR, BANK_PIN, CUSTOMS_PIN, Card, greeting, rules};
use super::tests::{BANK, CLEAR, CLOSE, EPORT, OPEN, pin, pin_of, sign, spot};
use crate::apdu::tests::Random;
use crate::apdu::{Limits, Transmit, Wire};
use crate::cert::Certificate;
use crate::error::{ErrorKind, Result};
use crate::link::Atr;
use crate::link::trace_tests::logged;
use crate::suite::{Suite, ToBeSigned};
use crate::token::faults::{Fault, faults};
use crate::token::{AdminAuth, Auth, Driver, Insertion, Token};

type Story = (&'static str, fn(&mut dyn Token) -> Result<()>);

fn stories() -> Vec<Story> {
    vec![
        ("slots", |t| t.slots().map(drop)),
        ("sign", |t| sign(t, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).map(drop)),
        ("batch", |t| (0..2).try_for_each(|_| sign(t, EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).map(drop))),
        ("unlock", |t| t.login(&pin_of(EPORT), Auth::Pin(&pin(CUSTOMS_PIN)))),
        ("change", |t| t.pins().unwrap().change(&pin_of(EPORT), &pin(CUSTOMS_PIN), &pin(CUSTOMS_PIN))),
        ("issue", |t| {
            let (place, by) = (super::place("eport", "customs").unwrap(), pin(CUSTOMS_PIN));
            let der = t.certificate(&spot(EPORT).certificate())?;
            t.issuing().unwrap().import_certificate(&place, &der, AdminAuth::Pin(&by))
        }),
    ]
}

#[test]
fn a_fault_at_any_step_is_an_error_or_a_success_and_costs_no_second_pin() {
    let faults = faults(&[&[0x69, 0x82], &[0x69, 0x8A], &[0x6A, 0x90], &[0x6A, 0x9E]]);
    let is_pin = |c: &Vec<u8>| matches!(c[1], 0x18 | 0x16 | 0x1A);
    let (mut faulted, mut recorded) = (0, 0);
    for (name, story) in stories() {
        let fresh = || {
            let card = Card::new("syno-2015");
            let at = card.known(&[EPORT, BANK]);
            card.sent();
            (card, at)
        };
        let (card, at) = fresh();
        story(&mut *card.lease(&at)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let log = card.sent();
        let (steps, pins) = (log.len(), log.iter().filter(|c| is_pin(c)).count());
        recorded += steps * faults.len();
        for step in 1..=steps {
            for fault in &faults {
                let (card, at) = fresh();
                card.set(|model| model.fault = Some((step, fault.clone())));
                let mut token = card.lease(&at);
                let outcome = story(&mut *token);
                drop(token);
                let sent = card.sent();
                faulted += usize::from(sent.len() >= step);
                let gone = matches!(fault, Fault::Gone | Fault::Lost);
                assert!(!gone || sent.len() == step, "{name} {step}: a port that failed gets nothing more");
                // A batch may show its PIN again where the device said that the login was gone; what was typed goes out once.
                let again = usize::from(name == "batch");
                assert!(sent.iter().filter(|c| is_pin(c)).count() <= pins + again, "{name} {step} {fault:?}");
                assert_eq!(card.tries(), [5, 6], "{name} {step} {fault:?}");
                let open = card.set(|model| model.applications.iter().any(|a| a.login));
                let last = step == steps;
                assert!(!open || gone || last, "{name} {step} {fault:?}: a login stayed open");
                if let Err(error) = outcome {
                    assert_ne!(error.kind(), ErrorKind::Defect, "{name} {step} {fault:?}: {error}");
                }
            }
        }
    }
    assert_eq!(faulted, recorded);
}

#[test]
fn a_login_that_a_device_does_not_end_is_closed_with_its_application_and_ended_by_the_next_lease() {
    for close_ends_login in [true, false] {
        let card = Card::new("gm3000");
        card.set(|model| model.close_ends_login = close_ends_login);
        let (at, login) = (card.known(&[BANK]), || card.set(|model| model.applications[1].login));
        card.set(|model| drop(model.always.insert(CLEAR, vec![0x6F, 0x00])));
        let mut token = card.lease(&at);
        sign(&mut *token, BANK, Auth::Pin(&pin(BANK_PIN))).unwrap();
        card.sent();
        let log = logged(|| drop(token));
        assert_eq!(card.instructions(), [CLEAR, CLOSE]);
        assert_eq!(login(), !close_ends_login);
        assert!(log.contains("WARN") && log.contains("a login could not be ended") && log.contains("6F00"), "{log}");
        assert!(!log.contains(BANK_PIN), "{log}");
        // No device tells what came of it: nobody uses the login, and a lease that could keep it ends it.
        card.set(|model| model.always.clear());
        let mut token = card.lease(&at);
        token.keep_login(&Arc::new(AtomicBool::new(true)));
        assert_eq!(sign(&mut *token, BANK, Auth::Held).unwrap_err().kind(), ErrorKind::PinRequired);
        card.sent();
        drop(token);
        assert_eq!(card.instructions(), [CLEAR]);
        assert!(!login());
        drop(card.lease(&at));
        assert!(card.sent().is_empty(), "ended once");
    }
}

#[test]
fn a_device_that_never_ends_a_login_keeps_what_the_official_client_has_open() {
    let card = Card::new("gm3000");
    let at = card.known(&[BANK]);
    card.set(|model| drop(model.always.insert(CLEAR, vec![0x6F, 0x00])));
    sign(&mut *card.lease(&at), BANK, Auth::Pin(&pin(BANK_PIN))).unwrap();
    assert_eq!(card.instructions().last(), Some(&CLOSE), "a PIN went out in this lease");
    // The client opens it, and a look of ours gets the same number.
    card.set(|model| model.applications[1].open = Some([0x20, 0]));
    for _ in 0..2 {
        drop(card.lease(&at));
        assert_eq!(card.instructions(), [OPEN, CLEAR]);
        assert!(card.set(|model| model.applications[1].open.is_some()));
    }
}

#[test]
fn a_device_that_says_that_no_login_is_there_is_owed_nothing() {
    for sw in [[0x69, 0x82], [0x69, 0x85]] {
        let card = Card::new("gm3000");
        let at = card.known(&[BANK]);
        card.set(|model| drop(model.always.insert(CLEAR, sw.to_vec())));
        let mut token = card.lease(&at);
        sign(&mut *token, BANK, Auth::Pin(&pin(BANK_PIN))).unwrap();
        card.sent();
        let log = logged(|| drop(token));
        assert!(!log.contains("WARN"), "{log}");
        drop(card.lease(&at));
        assert_eq!(card.instructions(), [CLEAR], "{sw:02X?}");
    }
}

/// A model that lies now and then.
struct Chaos {
    card: Card,
    random: Random,
    sent: usize,
}

impl Transmit for Chaos {
    fn transmit(&mut self, wire: &Wire) -> Result<Vec<u8>> {
        self.sent += 1;
        let right = self.card.transmit(wire)?;
        Ok(match self.random.below(40) {
            0 => self.random.octets(300),
            1 => [self.random.octets(20), vec![0x6A, 0x9E]].concat(),
            2 => [self.random.octets(20), vec![0x90, 0]].concat(),
            3 => right.iter().take(self.random.below(right.len() + 1)).copied().collect(),
            4 => right
                .iter()
                .map(|o| if self.random.below(20) == 0 { o ^ 1 << self.random.below(8) } else { *o })
                .collect(),
            5 => vec![0x6A, u8::try_from(0x80 + self.random.below(32)).unwrap()],
            6 => vec![0x69, u8::try_from(0x80 + self.random.below(16)).unwrap()],
            _ => right,
        })
    }

    fn limits(&self) -> Limits {
        self.card.limits()
    }
}

#[test]
fn whatever_a_device_answers_the_driver_ends_and_signatures_come_through() {
    let mut reached = 0;
    for seed in 1..400 {
        let card = Card::new("syno-2015");
        card.set(|model| {
            model.one_application = seed % 3 == 0;
            model.drops_login = seed % 2 == 0;
        });
        let random = Random(seed);
        let at = Insertion::new(Atr::new(ATR), vec![]).greeted(greeting());
        let at = Arc::new(at.under(&Arc::new(rules("syno-2015", true))));
        let chaos = Chaos { card: card.clone(), random, sent: 0 };
        let mut token = GM0017.attach(Box::new(chaos), false, &at).unwrap();
        let _ = token.slots();
        for _ in 0..3 {
            let Ok(der) = token.certificate(&spot(EPORT).certificate()) else { continue };
            let Ok(certificate) = Certificate::from_der(&der) else { continue };
            let Ok(key) = certificate.key() else { continue };
            let Ok(tbs) = ToBeSigned::over(Suite::Sm2Sm3, key, b"order 4711") else { continue };
            // What the device signs may be wrong here: whoever gets it verifies it.
            let signed = token.sign(&spot(EPORT).key(), &pin_of(EPORT), Auth::Pin(&pin(CUSTOMS_PIN)), &tbs);
            reached += usize::from(signed.is_ok_and(|signature| key.verify(&tbs, &signature).is_ok()));
        }
        let _ = token.pins().map(|pins| pins.puk_status(&pin_of(EPORT)));
        let _ = token.issuing().unwrap().places();
        drop(token);
        let sent = card.sent();
        assert!(sent.len() < 4_000, "{}", sent.len());
        let logins = sent.iter().filter(|c| c[1] == 0x18).count();
        assert!(logins <= 3, "{logins}: each PIN that was typed goes out once");
    }
    assert!(reached > 300, "only {reached} signatures came through");
}
