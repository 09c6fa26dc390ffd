//! What a lease sends, how often, and what it never sends.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;

use super::crypto::Key;
use super::dialect::Dialect;
use super::model::{BANK_PIN, CUSTOMS_PIN, Card, rules};
use super::name::{Half, Name, Spot};
use crate::cert::Certificate;
use crate::error::{ErrorKind, Result};
use crate::pin::Pin;
use crate::role::Role;
use crate::suite::{PublicKey, RawSignature, Suite, ToBeSigned};
use crate::token::{Auth, CardRules, PinForm, PinRef, Token, Wants};
use crate::tries::PinStatus;

pub(super) const EPORT: &str = "eport:customs";
pub(super) const BANK: &str = "bank:pay";

pub(super) const OPEN: u8 = 0x26;
pub(super) const CLOSE: u8 = 0x28;
pub(super) const INFO: u8 = 0x14;
pub(super) const RANDOM: u8 = 0x50;
pub(super) const VERIFY: u8 = 0x18;
pub(super) const SIGN: u8 = 0x74;
pub(super) const CLEAR: u8 = 0x1C;
pub(super) const CONTAINER: u8 = 0x42;
pub(super) const EXPORT: u8 = 0x4E;

pub(super) fn pin(text: &str) -> Pin {
    Pin::new(Role::Customs, text.as_bytes()).unwrap()
}

pub(super) fn pin_of(label: &str) -> PinRef {
    PinRef(spot(label).application.octets().to_vec())
}

pub(super) fn spot(label: &str) -> Spot {
    Spot::from_label(label).unwrap()
}

pub(super) fn public(token: &mut dyn Token, label: &str) -> Result<PublicKey> {
    Certificate::from_der(&token.certificate(&spot(label).certificate())?)?.key().cloned()
}

pub(super) fn sign(token: &mut dyn Token, label: &str, auth: Auth<'_>) -> Result<RawSignature> {
    let key = public(token, label)?;
    let tbs = ToBeSigned::over(Suite::preferred(key.kind()).unwrap(), &key, b"order 4711").unwrap();
    let signature = token.sign(&spot(label).key(), &pin_of(label), auth, &tbs)?;
    key.verify(&tbs, &signature).unwrap();
    Ok(signature)
}

pub(super) fn labels(token: &mut dyn Token) -> Vec<String> {
    token.slots().unwrap().into_iter().map(|slot| slot.label).collect()
}

fn hex(octets: &[u8]) -> String {
    crate::suite::hex(octets)
}

/// What `openssl` makes of the descriptions.
fn judged(arguments: [&str; 5]) -> Option<BTreeMap<String, String>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gm0017/cryptograms.sh");
    let output = Command::new("sh").arg(script).args(arguments).output().ok()?;
    let lines = String::from_utf8(output.stdout).ok()?;
    let pairs = lines.lines().filter_map(|line| line.split_once(' '));
    output.status.success().then(|| pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[test]
fn cryptograms_and_macs_are_those_that_openssl_makes_of_the_description() {
    let cases = [
        ("12345678", "87654321", [1, 2, 3, 4, 5, 6, 7, 8], [0x10, 0x00]),
        ("123456", "1234567890123456", [0xFF; 8], [0x00, 0x01]),
        ("aB#4567890123456", "000000", [0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 1], [0xFE, 0xDC]),
    ];
    for (old, new, random, id) in cases {
        let device = *b"1234567812345678";
        let [r, i, d] = [hex(&random), hex(&id), hex(&device)];
        let Some(judged) = judged([old, new, &r, &i, &d]) else {
            let missing = "sh and an openssl with SM3 and SM4";
            assert!(std::env::var_os("SHIELD_NO_SKIP").is_none(), "cryptograms cannot be judged without {missing}");
            let _ = writeln!(std::io::stderr(), "SKIPPED cryptograms: no {missing}");
            return;
        };
        let mut compared = 0;
        let mut same = |name: String, ours: &[u8]| {
            compared += 1;
            assert_eq!(judged.get(&name), Some(&hex(ours)), "{name}");
        };
        for dialect in super::DIALECTS {
            let key = Key::of_pin(dialect, &pin(old));
            let wrapped = key.wrap(&pin(new));
            same(format!("{}.verify", dialect.name), &*key.cryptogram(dialect, random));
            same(format!("{}.wrap", dialect.name), &*wrapped);
            let Some(form) = dialect.mac else { continue };
            let data = [&id[..], &wrapped[..]].concat();
            let mac = |head| key.mac(form, random, head, &data);
            same(format!("{}.mac_change", dialect.name), &mac([0x84, 0x16, 0, 1]));
            same(format!("{}.mac_change_admin", dialect.name), &mac([0x84, 0x16, 0, 0]));
            same(format!("{}.mac_unblock", dialect.name), &mac([0x84, 0x1A, 0, 0]));
        }
        same("device_auth".to_owned(), &*Key::of_device(&device).device_cryptogram(random));
        assert_eq!(compared, 10);
    }
}

#[test]
fn a_device_shows_the_slots_of_all_its_applications() {
    let card = Card::new("gm3000");
    let mut token = card.lease(&card.known(&[]));
    let slots = token.slots().unwrap();
    let seen: Vec<_> = slots.iter().map(|s| (s.label.as_str(), s.suites.len(), s.wants)).collect();
    let once = Wants::Once;
    assert_eq!(
        seen,
        [(EPORT, 1, once), ("eport:customs:encryption", 0, once), (BANK, 1, once), ("bank:pay:encryption", 0, once)]
    );
    assert!(slots[0].pin == slots[1].pin && slots[0].pin != slots[2].pin);
    assert!(token.notes().is_empty());
    // Where the profile names applications, the others are not opened.
    card.sent();
    let some = CardRules { applications: vec!["eport".into(), "gone".into(), "x".repeat(200)], ..CardRules::default() };
    let mut token = card.lease(&card.insertion(&[], some));
    assert_eq!(labels(&mut *token), [EPORT, "eport:customs:encryption"]);
    let notes: Vec<_> = token.notes().iter().map(|note| note.kind()).collect();
    assert_eq!(notes, [ErrorKind::NameLength, ErrorKind::CardApplication]);
    assert!(!card.sent().iter().any(|c| c[1] == OPEN && c.ends_with(b"bank\0\x0a")));
}

#[test]
fn budget_by_reference_is_eight_commands_and_the_certificate() {
    let card = Card::new("gm3000");
    let at = card.known(&[EPORT]);
    assert_eq!(labels(&mut *card.lease(&at)), [EPORT]);
    assert_eq!(card.instructions(), [0x04, OPEN, CONTAINER, EXPORT]);
    // Whoever asks a person looks at the tries first.
    let state = card.lease(&at).pin_state(&pin_of(EPORT)).unwrap();
    assert_eq!((state.status, state.open, state.form), (PinStatus::Known(5), false, PinForm::Sure));
    assert_eq!(card.instructions(), [INFO]);
    let mut token = card.lease(&at);
    assert_eq!(token.pin_state(&pin_of(EPORT)).unwrap().status, PinStatus::Known(5));
    sign(&mut *token, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    let state = token.pin_state(&pin_of(EPORT)).unwrap();
    assert_eq!((state.status, state.open), (PinStatus::Known(5), true));
    assert_eq!(card.instructions(), [OPEN, INFO, RANDOM, VERIFY, SIGN]);
    sign(&mut *token, EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).unwrap();
    sign(&mut *token, EPORT, Auth::Held).unwrap();
    assert_eq!(card.instructions(), [SIGN, SIGN]);
    drop(token);
    assert_eq!(card.instructions(), [CLEAR]);
    assert!(!card.set(|model| model.applications[0].login));
}

#[test]
fn budget_of_a_further_signature_where_the_login_is_dropped_is_four() {
    let card = Card::new("gm3000");
    card.set(|model| model.drops_login = true);
    let at = card.known(&[EPORT]);
    let mut token = card.lease(&at);
    token.slots().unwrap();
    sign(&mut *token, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    card.sent();
    // It is not known yet: the signature is refused, nothing is lost, and the PIN goes again because nothing speaks of a risk.
    sign(&mut *token, EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).unwrap();
    assert_eq!(card.instructions(), [SIGN, INFO, RANDOM, VERIFY, SIGN]);
    for _ in 0..3 {
        sign(&mut *token, EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).unwrap();
        assert_eq!(card.instructions(), [INFO, RANDOM, VERIFY, SIGN]);
    }
    assert_eq!(sign(&mut *token, EPORT, Auth::Held).unwrap_err().kind(), ErrorKind::PinRequired);
    assert!(!card.instructions().contains(&SIGN));
    assert_eq!(token.slots().unwrap()[0].wants, Wants::EachSignature);
}

#[test]
fn without_a_dialect_everything_can_be_read_and_no_pin_goes_out() {
    for rules in [CardRules::default(), rules("gm3001", true)] {
        let card = Card::new("gm3000");
        let mut token = card.lease(&card.insertion(&[], rules));
        assert_eq!(labels(&mut *token).len(), 4);
        let state = token.pin_state(&pin_of(BANK)).unwrap();
        assert_eq!((state.status, state.form), (PinStatus::Known(6), PinForm::Unknown));
        card.sent();
        let login = token.login(&pin_of(BANK), Auth::Pin(&pin(BANK_PIN))).unwrap_err();
        let signature = sign(&mut *token, BANK, Auth::Pin(&pin(BANK_PIN))).unwrap_err();
        let shared = sign(&mut *token, BANK, Auth::Shared(&pin(BANK_PIN))).unwrap_err();
        for error in [login, signature, shared] {
            assert_eq!(error.kind(), ErrorKind::DialectMissing);
            assert!(error.what().unwrap().contains("syno-2015, usbtool, gm3000"), "{error}");
        }
        drop(token);
        assert!(card.sent().is_empty());
    }
    let card = Card::new("gm3000");
    let mut token = card.lease(&card.insertion(&[EPORT], rules("gm3001", true)));
    token.slots().unwrap();
    assert_eq!(token.notes()[0].kind(), ErrorKind::DialectMissing);
}

#[test]
fn a_dialect_is_named_by_atr_and_manufacturer_and_model_alike() {
    let right = rules("gm3000", true);
    let form = |change: fn(&mut crate::token::DialectRule)| {
        let mut rules = right.clone();
        change(&mut rules.dialects[0]);
        let card = Card::new("gm3000");
        card.lease(&card.insertion(&[EPORT], rules)).pin_state(&pin_of(EPORT)).unwrap().form
    };
    assert_eq!(form(|_| {}), PinForm::Sure);
    assert_eq!(form(|rule| rule.proven.clear()), PinForm::Unproven { allowed: false });
    assert_eq!(form(|rule| rule.proven = vec!["other".into()]), PinForm::Unproven { allowed: false });
    assert_eq!(form(|rule| rule.atr = crate::link::Atr::new(&[0x3B])), PinForm::Unknown);
    assert_eq!(form(|rule| rule.manufacturer.push('s')), PinForm::Unknown);
    assert_eq!(form(|rule| rule.model.clear()), PinForm::Unknown);
}

#[test]
fn every_dialect_signs_in_short_and_extended_form_and_in_parts() {
    for dialect in super::DIALECTS {
        for (extended, part) in [(true, usize::MAX), (true, 100), (false, usize::MAX), (false, 70)] {
            let card = Card::new(dialect.name);
            card.set(|model| (model.extended, model.part) = (extended, part));
            let mut token = card.lease(&card.known(&[]));
            assert_eq!(labels(&mut *token).len(), 4, "{} {extended} {part}", dialect.name);
            sign(&mut *token, BANK, Auth::Pin(&pin(BANK_PIN))).unwrap();
            assert!(card.sent().iter().all(|c| extended || c.len() <= 261));
        }
    }
}

#[test]
fn a_device_that_opens_one_application_at_a_time_is_left_with_none_open() {
    let card = Card::new("syno-2015");
    card.set(|model| model.one_application = true);
    let at = card.known(&[]);
    assert_eq!(labels(&mut *card.lease(&at)).len(), 4);
    assert!(card.set(|model| model.applications.iter().all(|a| a.open.is_none())));
    card.sent();
    for _ in 0..2 {
        sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
        sign(&mut *card.lease(&at), BANK, Auth::Pin(&pin(BANK_PIN))).unwrap();
    }
    let sent = card.instructions();
    let once = [OPEN, CONTAINER, INFO, RANDOM, VERIFY, SIGN, CLEAR, CLOSE];
    assert_eq!(sent, once.repeat(4));
    assert!(card.set(|model| model.applications.iter().all(|a| a.open.is_none() && !a.login)));
}

#[test]
fn a_number_that_grew_old_is_asked_for_anew_and_the_pin_is_not() {
    let card = Card::new("gm3000");
    let at = card.known(&[EPORT]);
    sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    card.set(|model| {
        let removed = model.applications[0].containers.remove(0);
        model.applications[0].containers.extend([super::model::container("new", 2, 9), removed]);
    });
    // The remembered number is another container's now: its signature is none of this certificate.
    let mut token = card.lease(&at);
    let key = public(&mut *token, EPORT).unwrap();
    let tbs = ToBeSigned::over(Suite::Sm2Sm3, &key, b"order").unwrap();
    let typed = pin(CUSTOMS_PIN);
    let signed = token.sign(&spot(EPORT).key(), &pin_of(EPORT), Auth::Pin(&typed), &tbs).unwrap();
    assert!(key.verify(&tbs, &signed).is_err());
    drop(token);
    // Whoever verifies it forgets what was kept.
    at.forget();
    sign(&mut *card.lease(&at), EPORT, Auth::Pin(&typed)).unwrap();
    card.set(|model| drop(model.applications[0].containers.remove(0)));
    card.sent();
    sign(&mut *card.lease(&at), EPORT, Auth::Pin(&typed)).unwrap();
    assert_eq!(card.instructions(), [OPEN, INFO, RANDOM, VERIFY, SIGN, CONTAINER, SIGN, CLEAR]);
}

#[test]
fn p256_keys_of_the_simulator_sign_and_those_of_nobody_else_do() {
    let card = Card::new("usbtool");
    card.set(|model| model.applications[0].containers[0] = super::model::container("customs", 0x50, 7));
    let mut token = card.lease(&card.insertion(&[], CardRules::default()));
    assert_eq!(labels(&mut *token), [BANK, "bank:pay:encryption"]);
    assert_eq!(token.notes()[0].kind(), ErrorKind::KeyUnsuited);
    card.set(|model| {
        model.info[4..15].copy_from_slice(b"simulator x");
        model.info[15] = 0;
        model.info[204] = 0x80;
    });
    let mut known = rules("usbtool", true);
    known.dialects[0].manufacturer = "simulator x".to_owned();
    let mut token = card.lease(&card.insertion(&[], known));
    assert_eq!(labels(&mut *token)[0], EPORT);
    let signature = sign(&mut *token, EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    assert_eq!(signature.suite(), Suite::P256Sha256);
}

#[test]
fn halves_and_names_are_what_they_are_called() {
    let spot = spot("eport:customs:encryption");
    assert_eq!((spot.half, spot.application), (Half::Encryption, Name::of(b"eport").unwrap()));
    assert!(Dialect::named("gm3000").is_some());
}
