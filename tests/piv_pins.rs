//! PINs, unlock codes and lost logins of the PIV driver, on a card that others wrote.
#![cfg(all(feature = "piv", feature = "rsa"))]

#[path = "support/card_keys.rs"]
mod card_keys;
#[path = "support/held_card.rs"]
mod held_card;
#[path = "../examples/shield/test_ca.rs"]
mod test_ca;

use card_keys::*;
use held_card::{MANAGEMENT_KEY, PIN, PUK, with_card};
use shared_shield::token::{AdminAuth, Auth};
use shared_shield::{ErrorKind, PinStatus, Status, Suite};

#[test]
fn wrong_pins_are_counted_and_the_puk_gives_the_tries_back() {
    with_card("pins", &[], |card| {
        let at = card.insertion(&["9A"]);
        equip(&mut *card.lease(&at), "9A", Suite::P256Sha256);
        let slot = slot(&mut *card.lease(&at), "9A");
        let try_pin = |octets: &[u8]| {
            let signed = sign(&mut *card.lease(&at), &slot, Suite::P256Sha256, Auth::Pin(&pin(octets)));
            signed.map(drop).map_err(|e| (e.kind(), e.tries_left()))
        };
        let status = || card.lease(&at).pin_state(&slot.pin).unwrap().status;
        assert_eq!(status(), PinStatus::Known(3));
        assert_eq!(try_pin(b"111111"), Err((ErrorKind::PinIncorrect, Some(PinStatus::Known(2)))));
        assert_eq!(status(), PinStatus::Known(2));
        assert_eq!(try_pin(PIN), Ok(()));
        // Shown to the card, so no try is missing, and there were three.
        assert_eq!(status(), PinStatus::AtLeast(3));
        card.reset();
        assert_eq!(status(), PinStatus::Known(3));

        card.sent();
        for left in [PinStatus::Known(2), PinStatus::Known(1)] {
            assert_eq!(try_pin(b"111111"), Err((ErrorKind::PinIncorrect, Some(left))));
        }
        assert_eq!(try_pin(b"111111"), Err((ErrorKind::PinLocked, Some(PinStatus::Locked))));
        assert_eq!(card.logins(), 3);
        assert_eq!(try_pin(PIN), Err((ErrorKind::PinLocked, Some(PinStatus::Locked))));
        assert_eq!((status(), card.logins()), (PinStatus::Locked, 0));
        for refused in [&b"12345"[..], b"123456789"] {
            assert_eq!(try_pin(refused).unwrap_err().0, ErrorKind::PinLocked);
        }

        let unblock = |puk: &[u8], new: &[u8]| {
            let (puk, new) = (pin(puk), pin(new));
            let mut token = card.lease(&at);
            let done = token.pins().unwrap().unblock(&slot.pin, AdminAuth::Pin(&puk), &new);
            done.map_err(|e| (e.kind(), e.tries_left()))
        };
        assert_eq!(unblock(b"87654321", b"654321"), Err((ErrorKind::PukIncorrect, Some(PinStatus::Known(2)))));
        assert_eq!(unblock(PUK, b"12345").unwrap_err().0, ErrorKind::NewPinRefused);
        assert_eq!(unblock(PUK, b"654321"), Ok(()));
        assert_eq!(try_pin(b"654321"), Ok(()));
        card.reset();
        assert_eq!(status(), PinStatus::Known(3));
        for left in [Some(PinStatus::Known(2)), Some(PinStatus::Known(1))] {
            assert_eq!(unblock(b"87654321", b"654321"), Err((ErrorKind::PukIncorrect, left)));
        }
        for _ in 0..2 {
            assert_eq!(unblock(b"87654321", b"654321"), Err((ErrorKind::PukLocked, Some(PinStatus::Locked))));
        }
        assert_eq!(try_pin(b"654321"), Ok(()));
    });
}

#[test]
fn a_pin_and_the_puk_are_changed_by_whoever_knows_them_and_the_old_ones_are_over() {
    with_card("change", &[], |card| {
        let at = card.insertion(&["9A"]);
        equip(&mut *card.lease(&at), "9A", Suite::P256Sha256);
        let slot = slot(&mut *card.lease(&at), "9A");
        let change = |old: &[u8], new: &[u8]| {
            card.reset();
            let (old, new) = (pin(old), pin(new));
            card.lease(&at).pins().unwrap().change(&slot.pin, &old, &new).map_err(|e| (e.kind(), e.tries_left()))
        };
        let login = |octets: &[u8]| {
            card.reset();
            card.lease(&at).login(&slot.pin, Auth::Pin(&pin(octets))).map_err(|e| e.kind())
        };
        card.sent();
        assert_eq!(change(b"12345", b"654321").unwrap_err().0, ErrorKind::PinLength);
        for refused in [&b"12345"[..], b"123456789", "密码".as_bytes()] {
            assert_eq!(change(PIN, refused).unwrap_err().0, ErrorKind::NewPinRefused);
        }
        assert!(!card.sent().iter().any(|c| c[1] == 0x24));
        // The card refuses letters by itself; which of the two it means is known, because the old one was right before.
        assert_eq!(change(PIN, b"abcdef").unwrap_err().0, ErrorKind::NewPinRefused);
        assert_eq!(change(b"111111", b"654321"), Err((ErrorKind::PinIncorrect, Some(PinStatus::Known(2)))));
        assert_eq!(change(PIN, b"654321"), Ok(()));
        assert_eq!((login(PIN), login(b"654321")), (Err(ErrorKind::PinIncorrect), Ok(())));
        for left in [PinStatus::Known(2), PinStatus::Known(1)] {
            assert_eq!(change(PIN, b"222222"), Err((ErrorKind::PinIncorrect, Some(left))));
        }
        assert_eq!(change(PIN, b"222222"), Err((ErrorKind::PinLocked, Some(PinStatus::Locked))));
        card.sent();
        assert_eq!(change(b"654321", b"222222"), Err((ErrorKind::PinLocked, Some(PinStatus::Locked))));
        assert!(!card.sent().iter().any(|c| c[1] == 0x24));

        let (old, new, wrong) = (pin(PUK), pin(b"11223344"), pin(b"00000000"));
        let mut token = card.lease(&at);
        let pins = token.pins().unwrap();
        assert_eq!(pins.puk_status(&slot.pin).unwrap(), PinStatus::Unknown { refused: false });
        assert_eq!(pins.change_puk(&slot.pin, &wrong, &new).unwrap_err().kind(), ErrorKind::PukIncorrect);
        pins.change_puk(&slot.pin, &old, &new).unwrap();
        let fresh = pin(PIN);
        assert_eq!(pins.unblock(&slot.pin, AdminAuth::Pin(&old), &fresh).unwrap_err().kind(), ErrorKind::PukIncorrect);
        pins.unblock(&slot.pin, AdminAuth::Pin(&new), &fresh).unwrap();
        let by_key = pins.unblock(&slot.pin, AdminAuth::Key(&MANAGEMENT_KEY), &fresh).unwrap_err();
        assert_eq!(by_key.kind(), ErrorKind::Unsupported);
        assert_eq!(login(PIN), Ok(()));
    });
}

#[test]
fn a_batch_whose_login_was_lost_says_so_and_sends_nothing() {
    with_card("batch", &[], |card| {
        let at = card.insertion(&["9A", "9C"]);
        let mut token = card.lease(&at);
        equip(&mut *token, "9A", Suite::P256Sha256);
        equip(&mut *token, "9C", Suite::P256Sha256);
        let (once, each) = (slot(&mut *token, "9A"), slot(&mut *token, "9C"));
        let accepted = pin(PIN);
        let suite = Suite::P256Sha256;
        sign(&mut *token, &once, suite, Auth::Pin(&accepted)).unwrap();
        card.sent();
        for _ in 0..5 {
            sign(&mut *token, &once, suite, Auth::Shared(&accepted)).unwrap();
        }
        assert_eq!(card.sent().iter().map(|c| c[1]).collect::<Vec<_>>(), [0x87; 5]);
        // The key that wants its PIN each time, in the same batch.
        for _ in 0..3 {
            sign(&mut *token, &each, suite, Auth::Shared(&accepted)).unwrap();
        }
        assert_eq!(card.logins(), 3);
        assert_eq!(sign(&mut *token, &each, suite, Auth::Held).unwrap_err().kind(), ErrorKind::PinRequired);
        drop(token);
        card.reset();
        let mut token = card.lease(&at);
        card.sent();
        for auth in [Auth::Shared(&accepted), Auth::Held] {
            let error = sign(&mut *token, &once, suite, auth).unwrap_err();
            assert_eq!((error.kind(), error.raw_status()), (ErrorKind::PinRequired, Some(&Status::Sw(0x6982))));
        }
        assert_eq!(card.logins(), 0);
        // The bank's key: its PIN goes, because nothing speaks of a refusal. After somebody's wrong entry it does not.
        sign(&mut *token, &each, suite, Auth::Shared(&accepted)).unwrap();
        assert_eq!(card.logins(), 1);
        drop(token);
        let wrong = [&[0, 0x20, 0, 0x80, 8][..], b"111111\xFF\xFF"].concat();
        assert_eq!(card.raw(&wrong), [0x63, 0xC2]);
        let error = sign(&mut *card.lease(&at), &each, suite, Auth::Shared(&accepted)).unwrap_err();
        assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinRequired, Some(PinStatus::Known(2))));
        assert_eq!(card.logins(), 0);
    });
}
