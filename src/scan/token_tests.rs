//! A PKCS#11 token as its lease shows it, below the shield: slots, suites, logins.

#[path = "../../tests/support/softhsm.rs"]
mod softhsm;

use std::path::PathBuf;
use std::sync::Arc;

use self::softhsm::{MODULE, issue, story};
use super::survey::{Board, Seen, Sight, Source};
use crate::card::Look;
use crate::door::Lease;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::pin::Pin;
use crate::role::Role;
use crate::suite::{Suite, ToBeSigned};
use crate::token::{Auth, Slot, Wants};
use crate::wait::Wait;

const PIN: &str = "593071648205";

/// The one token, with its slots by label.
fn look() -> Seen {
    let board = Board::new(Look::default(), Arc::default());
    let wait = Wait::default();
    board.survey(vec![Source::Module(PathBuf::from(MODULE))], &wait).unwrap();
    let Sight { mut seen, problems, .. } = board.take(false, &wait);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(seen.len(), 1);
    seen.remove(0)
}

fn slot(seen: &Seen, label: &str) -> Slot {
    seen.contents.iter().find(|(slot, _)| slot.label == label).unwrap().0.clone()
}

fn with_pin(lease: &mut Lease, slot: &Slot, suite: Suite, pin: Option<&str>) -> Result<bool> {
    let (slot, pin) = (slot.clone(), pin.map(|p| Pin::new(Role::Bank, p.as_bytes()).unwrap()));
    lease.call("sign", &Wait::default(), move |token| {
        let key = crate::suite::PublicKey::from_spki(&slot.key.0)?;
        let tbs = ToBeSigned::over(suite, &key, b"order 4711")?;
        let signature = token.sign(&slot.key, &slot.pin, pin.as_ref().map_or(Auth::Held, Auth::Pin), &tbs)?;
        Ok(key.verify(&tbs, &signature).is_ok())
    })
}

#[test]
fn each_slot_tells_what_its_key_signs_and_how_often_it_wants_the_pin() {
    story("scan::token_tests::each_slot_tells_what_its_key_signs_and_how_often_it_wants_the_pin", |hsm| {
        use cryptoki::object::Attribute;
        hsm.host(|host| {
            let session = host.login(host.token("one", PIN), PIN);
            let keys = [
                ("each", host.p256(&session, &[1], "each", &[Attribute::AlwaysAuthenticate(true)])),
                ("once", host.p256(&session, &[2], "once", &[])),
                ("rsa", host.rsa(&session, 2048, &[3], "rsa", &[])),
                ("old", host.rsa(&session, 1024, &[4], "old", &[])),
            ];
            for (id, (name, pair)) in (1..).zip(&keys) {
                let der = issue("CN=Story CA", &format!("CN={name}"), &pair.spki, vec![]);
                host.certificate(&session, &der, &[id], name);
            }
        });
        let seen = look();
        // SoftHSM shows private keys after a login alone; from then on each says what it wants.
        assert!(seen.contents.iter().all(|(slot, _)| slot.wants == Wants::Once));
        let pin = slot(&seen, "each").pin;
        let mut lease = seen.door.lease(&Wait::default()).unwrap();
        let slots = lease.call("unlock", &Wait::default(), move |token| {
            token.login(&pin, Auth::Pin(&Pin::new(Role::Bank, PIN.as_bytes())?))?;
            token.slots()
        });
        for slot in slots.unwrap() {
            let wants = if slot.label == "each" { Wants::EachSignature } else { Wants::Once };
            assert_eq!(slot.wants, wants, "{}", slot.label);
        }
        drop(lease);
        for (name, suites) in [
            ("once", vec![Suite::P256Sha256]),
            ("rsa", vec![Suite::RsaSha256, Suite::RsaSha1, Suite::RsaPssSha256]),
            ("old", vec![Suite::RsaSha1]),
        ] {
            let slot = slot(&seen, name);
            assert_eq!(slot.suites, suites, "{name}");
            let mut lease = seen.door.lease(&Wait::default()).unwrap();
            for suite in suites {
                assert!(with_pin(&mut lease, &slot, suite, Some(PIN)).unwrap(), "{name} {suite}");
            }
        }
    });
}

#[test]
fn a_lease_signs_without_a_pin_only_after_its_own_login() {
    story("scan::token_tests::a_lease_signs_without_a_pin_only_after_its_own_login", |hsm| {
        use cryptoki::object::Attribute;
        hsm.host(|host| {
            let session = host.login(host.token("one", PIN), PIN);
            for (id, name, each) in [(1, "each", true), (2, "once", false)] {
                let pair = host.p256(&session, &[id], name, &[Attribute::AlwaysAuthenticate(each)]);
                host.certificate(&session, &issue("CN=Story CA", "CN=Story", &pair.spki, vec![]), &[id], name);
            }
        });
        let seen = look();
        let (each, once) = (slot(&seen, "each"), slot(&seen, "once"));
        let lease = || seen.door.lease(&Wait::default()).unwrap();
        let kind = |r: Result<bool>| r.map_err(|e| e.kind());
        let mut first = lease();
        assert_eq!(kind(with_pin(&mut first, &once, Suite::P256Sha256, Some(PIN))), Ok(true));
        assert_eq!(kind(with_pin(&mut first, &once, Suite::P256Sha256, None)), Ok(true));
        // The login of another lease is not this one's.
        assert_eq!(kind(with_pin(&mut lease(), &once, Suite::P256Sha256, None)), Err(ErrorKind::PinRequired));
        // A key that wants its PIN each time is not content with a login.
        assert_eq!(kind(with_pin(&mut first, &each, Suite::P256Sha256, Some(PIN))), Ok(true));
        assert_eq!(kind(with_pin(&mut first, &each, Suite::P256Sha256, None)), Err(ErrorKind::PinRequired));
        // A PIN of another token goes nowhere.
        let mut foreign = once.clone();
        foreign.pin.0.push(b'x');
        assert_eq!(kind(with_pin(&mut lease(), &foreign, Suite::P256Sha256, Some(PIN))), Err(ErrorKind::PinRole));
    });
}
