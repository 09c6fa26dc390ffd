//! Two parties, two PINs, two offices: what becomes of one is nothing to the other.

use shared_shield::{Consent, Error, ErrorKind, Pin, PinStatus, Role, Shield, Wait};

use crate::gm_desk::{Desk, Kind};
use crate::gm_shield::{OTHER_PIN, WRONG_PIN, admin_pin, any, certificate, pin, raw, sign, tries, typist, verifies};

const BOTH: [(Role, Role); 2] = [(Role::Customs, Role::Bank), (Role::Bank, Role::Customs)];

fn typed(role: Role, text: &str) -> Pin {
    Pin::new(role, text.as_bytes()).unwrap()
}

fn unblock(shield: &Shield, role: Role, admin: &str) -> Result<(), Error> {
    let (admin, new) = (typed(role, admin), typed(role, OTHER_PIN));
    shield.unblock_pin(role, &any(), (&admin, &new), Consent::None, &Wait::default())
}

fn change(shield: &Shield, role: Role, old: &str, new: &str) -> Result<(), Error> {
    let (old, new) = (typed(role, old), typed(role, new));
    shield.change_pin(role, &any(), (&old, &new), Consent::None, &Wait::default())
}

fn signs(shield: &Shield, role: Role, pin: &str) {
    let out = sign(shield, role, "still here", pin, &Wait::default()).unwrap_or_else(|e| panic!("{role}: {e}"));
    assert!(verifies(certificate(Kind::Sm2, role), "still here", &out));
}

/// Tries of user and administrator of one party are as those of a new shield.
fn untouched(desk: &Desk, role: Role) {
    assert_eq!(desk.tries(role), [tries(role); 2], "{role}");
}

fn logins(desk: &Desk) -> usize {
    desk.seen().iter().filter(|seen| seen.is_login()).count()
}

#[test]
fn wrong_pins_of_one_party_end_at_its_last_try_and_the_other_signs() {
    for (role, other) in BOTH {
        let desk = Desk::new();
        let shield = desk.shield();
        desk.seen();
        for left in (1..tries(role)).rev() {
            let error = sign(&shield, role, "x", WRONG_PIN, &Wait::default()).unwrap_err();
            assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinIncorrect, Some(PinStatus::Known(left))));
            assert_eq!(error.concerns(), Some(role));
            assert_eq!((logins(&desk), desk.tries(role)), (1, [left, tries(role)]));
            untouched(&desk, other);
        }
        // Four for customs, five for the bank. The next one is refused by us, also the right one, and nobody is asked for it.
        let (mut asked, mut out) = (0, Vec::new());
        let last = shield.sign(raw(role, "x"), &mut typist(pin(role), &mut asked), &Wait::default(), &mut out);
        let last = last.unwrap_err();
        assert_eq!((last.kind(), last.tries_left(), asked), (ErrorKind::LastTry, Some(PinStatus::Known(1)), 0));
        assert!(last.to_string().contains(role.office()) && last.message_zh().contains(role.office_zh()), "{last}");
        assert_eq!((logins(&desk), desk.tries(role)[0]), (0, 1));
        signs(&shield, other, pin(other));
        untouched(&desk, other);
        // Whoever is sure says so, and has all tries again.
        let sure = raw(role, "x").consent(Consent::LastTry);
        shield.sign(sure, &mut typist(pin(role), &mut asked), &Wait::default(), &mut out).unwrap();
        untouched(&desk, role);
    }
}

fn lock(shield: &Shield, role: Role) -> Error {
    for _ in 1..tries(role) {
        sign(shield, role, "x", WRONG_PIN, &Wait::default()).unwrap_err();
    }
    let sure = raw(role, "x").consent(Consent::LastTry);
    shield.sign(sure, &mut typist(WRONG_PIN, &mut 0), &Wait::default(), &mut Vec::new()).unwrap_err()
}

#[test]
fn a_locked_pin_names_its_own_office_in_both_languages_and_the_other_party_signs() {
    for (role, other) in BOTH {
        let desk = Desk::new();
        let shield = desk.shield();
        let locked = lock(&shield, role);
        assert_eq!((desk.tries(role)[0], locked.tries_left()), (0, Some(PinStatus::Locked)));
        desk.seen();
        let again = sign(&shield, role, "x", pin(role), &Wait::default()).unwrap_err();
        assert_eq!(logins(&desk), 0, "a PIN that is locked gets nothing");
        for error in [locked, again] {
            assert_eq!((error.kind(), error.concerns()), (ErrorKind::PinLocked, Some(role)));
            let (en, zh) = (error.to_string(), error.message_zh());
            assert!(en.contains(role.office()) && !en.contains(other.office()), "{en}");
            assert!(zh.contains(role.office_zh()) && !zh.contains(other.office_zh()), "{zh}");
            assert!(en.contains("other certificate is not affected") && zh.contains("另一张证书不受影响"), "{en} {zh}");
        }
        signs(&shield, other, pin(other));
        untouched(&desk, other);
    }
}

#[test]
fn a_locked_pin_is_unblocked_by_the_admin_pin_of_its_own_application_alone() {
    for (role, other) in BOTH {
        let desk = Desk::new();
        let shield = desk.shield();
        lock(&shield, role);
        let refused = unblock(&shield, role, admin_pin(other)).unwrap_err();
        let left = PinStatus::Known(tries(role) - 1);
        assert_eq!((refused.kind(), refused.tries_left()), (ErrorKind::PukIncorrect, Some(left)), "{refused}");
        assert_eq!(desk.tries(role), [0, tries(role) - 1], "counted by the one that was asked, and nothing unlocked");
        untouched(&desk, other);
        unblock(&shield, role, admin_pin(role)).unwrap();
        untouched(&desk, role);
        untouched(&desk, other);
        let old = sign(&shield, role, "x", pin(role), &Wait::default()).unwrap_err();
        assert_eq!(old.kind(), ErrorKind::PinIncorrect);
        signs(&shield, role, OTHER_PIN);
        signs(&shield, other, pin(other));
        assert!(!desk.is_logged_in(role) && !desk.is_logged_in(other));
    }
}

#[test]
fn the_last_try_of_an_admin_pin_is_not_spent_and_the_other_offices_is_not_touched() {
    for (role, other) in BOTH {
        let desk = Desk::new();
        let shield = desk.shield();
        for left in (1..tries(role)).rev() {
            let error = unblock(&shield, role, WRONG_PIN).unwrap_err();
            assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PukIncorrect, Some(PinStatus::Known(left))));
        }
        desk.seen();
        let error = unblock(&shield, role, admin_pin(role)).unwrap_err();
        assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PukLastTry, Some(PinStatus::Known(1))));
        assert!(desk.seen().iter().all(|seen| !seen.is_change()), "even the right one needs a word");
        assert_eq!(desk.tries(role), [tries(role), 1]);
        signs(&shield, role, pin(role));
        unblock(&shield, other, admin_pin(other)).unwrap();
        untouched(&desk, other);
    }
}

#[test]
fn a_pin_is_changed_under_the_old_one_and_for_its_own_party_alone() {
    for (role, other) in BOTH {
        let desk = Desk::new();
        let shield = desk.shield();
        let wrong = change(&shield, role, pin(other), OTHER_PIN).unwrap_err();
        let left = PinStatus::Known(tries(role) - 1);
        assert_eq!((wrong.kind(), wrong.tries_left()), (ErrorKind::PinIncorrect, Some(left)));
        signs(&shield, role, pin(role));
        change(&shield, role, pin(role), OTHER_PIN).unwrap();
        untouched(&desk, role);
        untouched(&desk, other);
        assert_eq!(sign(&shield, role, "x", pin(role), &Wait::default()).unwrap_err().kind(), ErrorKind::PinIncorrect);
        signs(&shield, role, OTHER_PIN);
        signs(&shield, other, pin(other));
        for short in ["12345", "12345678901234567"] {
            desk.seen();
            assert!(change(&shield, role, OTHER_PIN, short).is_err());
            assert!(desk.seen().iter().all(|seen| !seen.is_change()), "a PIN that none can be is not sent");
        }
    }
}

#[test]
fn an_admin_pin_is_changed_under_the_old_one_and_only_the_new_one_unblocks() {
    for (role, other) in BOTH {
        let desk = Desk::new();
        let shield = desk.shield();
        let change_admin = |old: &str, new: &str| {
            let (old, new) = (typed(role, old), typed(role, new));
            shield.change_puk(role, &any(), (&old, &new), Consent::None, &Wait::default())
        };
        let wrong = change_admin(admin_pin(other), WRONG_PIN).unwrap_err();
        let left = PinStatus::Known(tries(role) - 1);
        assert_eq!((wrong.kind(), wrong.tries_left()), (ErrorKind::PukIncorrect, Some(left)));
        change_admin(admin_pin(role), WRONG_PIN).unwrap();
        untouched(&desk, role);
        untouched(&desk, other);
        assert_eq!(unblock(&shield, role, admin_pin(role)).unwrap_err().kind(), ErrorKind::PukIncorrect);
        signs(&shield, role, pin(role));
        unblock(&shield, role, WRONG_PIN).unwrap();
        signs(&shield, role, OTHER_PIN);
        unblock(&shield, other, admin_pin(other)).unwrap();
        untouched(&desk, other);
    }
}
