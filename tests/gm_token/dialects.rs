//! Dialects and habits: what sources do not settle, and what devices do that others do not.

use std::sync::Arc;

use shared_shield::link::Readers;
use shared_shield::simulator::Habits;
use shared_shield::{Consent, ErrorKind, PinForm, PinStatus, Role, Scanner, Shield, Wait};

use crate::child::skip;
use crate::gm_desk::{Desk, Kind};
use crate::gm_shield::{
    SYNO, any, certificate, door, only, pin, profile, raw, sign, sign_in, tries, typist, unlock, verifies,
};
use crate::sm2_judge::{self, Judge};

const DIALECTS: [&str; 3] = [SYNO, "usbtool", "gm3000"];
const VERIFY: u8 = 0x18;
const EXPORT: u8 = 0x4E;

/// The shield on a desk as a profile knows it that names this dialect, or none.
fn known(desk: &Desk, dialect: Option<&str>, proven: bool, tried: bool) -> Shield {
    let readers: Arc<dyn Readers> = Arc::new(desk.readers.clone());
    let profile = profile(&door(&readers), dialect, proven);
    let scanner = Scanner::new().profile(Arc::new(profile)).readers(readers);
    let scanner = if tried { scanner.try_unproven_dialects() } else { scanner };
    only(&scanner.scan(&Wait::default()).unwrap())
}

fn logins(sent: &[u8]) -> usize {
    sent.iter().filter(|ins| **ins == VERIFY).count()
}

#[test]
fn devices_of_every_dialect_sign_and_openssl_accepts_it() {
    if let Some(reason) = sm2_judge::missing() {
        return skip("devices_of_every_dialect_sign_and_openssl_accepts_it", &reason);
    }
    for kind in [Kind::Sm2, Kind::P256] {
        let judges = Role::ALL.map(|role| Judge::of(certificate(kind, role)));
        for dialect in DIALECTS {
            let desk = Desk::with(kind, dialect, Habits::default());
            let shield = desk.shield();
            for (role, judge) in Role::ALL.into_iter().zip(&judges) {
                let out = sign(&shield, role, "order 4711", pin(role), &Wait::default()).unwrap();
                assert!(judge.accepts(b"order 4711", &out), "{dialect} {kind:?} {role}");
                assert!(!judge.accepts(b"order 4712", &out), "{dialect} {kind:?} {role}");
                assert_eq!(desk.tries(role), [tries(role); 2]);
            }
        }
    }
}

#[test]
fn a_device_whose_dialect_nobody_names_shows_its_certificates_and_gets_no_pin() {
    for dialect in DIALECTS {
        let desk = Desk::with(Kind::Sm2, dialect, Habits::default());
        let shield = known(&desk, None, false, true);
        let listed = shield.certificates();
        assert_eq!(listed.len(), 4, "two for signing, two for encryption");
        for role in Role::ALL {
            let shown = shield.credential(role, &any()).unwrap();
            assert_eq!(shown.certificate.der(), certificate(Kind::Sm2, role));
            let state = shield.pin_state(role, &any(), &Wait::default()).unwrap();
            assert_eq!((state.status, state.form), (PinStatus::Known(tries(role)), PinForm::Unknown));
            let (mut asked, mut out) = (0, Vec::new());
            let request = raw(role, "order").consent(Consent::LastTry);
            let error = shield.sign(request, &mut typist(pin(role), &mut asked), &Wait::default(), &mut out);
            let error = error.unwrap_err();
            assert_eq!((error.kind(), asked, out.len()), (ErrorKind::DialectMissing, 0, 0), "{dialect}: {error}");
        }
        let sent = desk.sent();
        assert!(sent.contains(&EXPORT) && logins(&sent) == 0, "{sent:02X?}");
        assert!(desk.seen().iter().all(|seen| !seen.is_login() && !seen.is_change()));
    }
}

/// Integers the other way round show before a PIN is asked for: no certificate can be read.
#[test]
fn a_wrong_dialect_of_another_order_of_octets_costs_no_try() {
    for (speaks, named) in [(SYNO, "gm3000"), ("usbtool", SYNO)] {
        let desk = Desk::with(Kind::Sm2, speaks, Habits::default());
        let shield = known(&desk, Some(named), false, true);
        let error = sign(&shield, Role::Customs, "x", pin(Role::Customs), &Wait::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoCredential, "{speaks} as {named}");
        assert_eq!((desk.tries(Role::Customs), desk.tries(Role::Bank)), ([5, 5], [6, 6]));
    }
}

#[test]
fn a_wrong_dialect_costs_one_try_for_each_entry_and_three_have_to_be_left() {
    for (speaks, named) in [("usbtool", "gm3000"), ("gm3000", "usbtool")] {
        let desk = Desk::with(Kind::Sm2, speaks, Habits::default());
        let quiet = known(&desk, Some(named), false, false);
        let refused = sign(&quiet, Role::Customs, "x", pin(Role::Customs), &Wait::default()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::DialectUnproven);
        assert_eq!(logins(&desk.sent()), 0, "without a word nothing is tried");
        for left in [4, 3, 2] {
            let shield = known(&desk, Some(named), false, true);
            let error = sign(&shield, Role::Customs, "x", pin(Role::Customs), &Wait::default()).unwrap_err();
            assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinIncorrect, Some(PinStatus::Known(left))));
            assert_eq!(logins(&desk.sent()), 1, "one entry, one VERIFY: {speaks} as {named}");
            assert_eq!(desk.tries(Role::Customs), [left, 5]);
        }
        let shield = known(&desk, Some(named), false, true);
        let error = sign(&shield, Role::Customs, "x", pin(Role::Customs), &Wait::default()).unwrap_err();
        assert_eq!((error.kind(), logins(&desk.sent())), (ErrorKind::DialectUnproven, 0));
        assert_eq!((desk.tries(Role::Customs), desk.tries(Role::Bank)), ([2, 5], [6, 6]));
        // The right one is as unproven, so it is not tried either, until somebody says that it is proven.
        let right = known(&desk, Some(speaks), false, true);
        let error = sign(&right, Role::Customs, "x", pin(Role::Customs), &Wait::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DialectUnproven);
        sign(&known(&desk, Some(speaks), true, false), Role::Customs, "x", pin(Role::Customs), &Wait::default())
            .unwrap();
        assert_eq!(desk.tries(Role::Customs), [5, 5]);
    }
}

#[test]
fn a_dialect_that_a_device_accepted_once_needs_no_word_for_as_long_as_the_shield_is_known() {
    let desk = Desk::new();
    let shield = known(&desk, Some(SYNO), false, true);
    let form = |role| shield.pin_state(role, &any(), &Wait::default()).unwrap().form;
    assert_eq!(form(Role::Customs), PinForm::Unproven { allowed: true });
    sign(&shield, Role::Bank, "x", pin(Role::Bank), &Wait::default()).unwrap();
    assert_eq!(form(Role::Customs), PinForm::Sure, "the dialect is the device's, not an application's");
    assert_eq!(
        known(&desk, Some(SYNO), false, false).pin_state(Role::Customs, &any(), &Wait::default()).unwrap().form,
        PinForm::Unproven { allowed: false }
    );
}

/// Each habit alone and with every other one: both parties sign, one by one and in a batch, alternating; nothing stays open and no try is lost.
#[test]
fn devices_with_every_habit_sign_for_both_parties_and_nobody_stays_logged_in() {
    for bits in 0..128_u8 {
        let has = |bit: u8| bits >> bit & 1 != 0;
        let habits = Habits {
            one_application: has(0),
            more_data: has(1),
            drops_login_after_signature: has(2),
            close_ends_login: has(3),
            short_only: has(4),
            whole_files: has(5),
            opens_none_twice: has(6),
        };
        if habits.opens_none_twice && !habits.one_application {
            continue;
        }
        let dialect = DIALECTS[usize::from(bits) % 3];
        // Devices of these two have no short form.
        if habits.short_only && dialect != SYNO {
            continue;
        }
        let desk = Desk::with(Kind::Sm2, dialect, habits);
        let scan = desk.scan();
        assert!(scan.problems.is_empty(), "{habits:?}: {:?}", scan.problems);
        let shield = only(&scan);
        let session = unlock(&shield, Role::Customs);
        for n in 0..3 {
            let text = format!("document {n}");
            let out = sign_in(&session, &text, &Wait::default()).unwrap_or_else(|e| panic!("{habits:?}: {e}"));
            assert!(verifies(certificate(Kind::Sm2, Role::Customs), &text, &out), "{habits:?}");
            let out = sign(&shield, Role::Bank, &text, pin(Role::Bank), &Wait::default());
            let out = out.unwrap_or_else(|e| panic!("{habits:?}: {e}"));
            assert!(verifies(certificate(Kind::Sm2, Role::Bank), &text, &out), "{habits:?}");
        }
        session.end();
        let seen = desk.seen();
        assert!(seen.iter().any(|s| s.is_login()) && seen.iter().all(|s| !s.is_refused()), "{habits:?}: {seen:04X?}");
        desk.nothing_is_open();
    }
}

#[test]
fn a_certificate_that_comes_in_parts_is_put_together() {
    let desk = Desk::with(Kind::Sm2, SYNO, Habits { more_data: true, ..Habits::default() });
    desk.sent();
    let shield = desk.shield();
    assert_eq!(shield.credential(Role::Bank, &any()).unwrap().certificate.der(), certificate(Kind::Sm2, Role::Bank));
    let parts = desk.sent().iter().filter(|ins| **ins == EXPORT).count();
    assert!(parts >= 12, "four certificates, each in more than two parts: {parts}");
    assert!(desk.seen().iter().any(|seen| seen.ins == EXPORT && seen.sw == 0x6A9E));
}
