//! A shared shield on a PIV card over PC/SC: one PIN, two certificates. The card is third-party software, behind a private pcscd.

#[path = "support/pcscd.rs"]
mod pcscd;
#[path = "support/piv_card.rs"]
mod piv_card;
#[path = "support/piv_desk.rs"]
mod piv_desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::time::{Duration, Instant};

use piv_card::{Key, Neighbour};
use piv_desk::{logins, scan, scanner, shield, sign, sign_in, unlock, verifies};
use shared_shield::{
    Consent, Content, Declined, ErrorKind, Pin, PinEntry, PinQuestion, PinStatus, Reference, Request, Role, Selector,
    Wait,
};

/// Types this PIN, and notes what was asked.
fn noting<'l>(
    pin: &'l str,
    asked: &'l mut Vec<(Role, Vec<Role>, PinStatus)>,
) -> impl FnMut(&PinQuestion<'_>) -> Result<PinEntry, Declined> + 'l {
    move |q| {
        asked.push((q.role, q.also_opens.to_vec(), q.status));
        q.pin(pin.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
    }
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
                shield.sign(request, &mut noting(piv_card::PIN, &mut asked), &Wait::default(), &mut out).unwrap();
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
        let session = unlock(&shield, Role::Bank);
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
            assert!(took < Duration::from_secs(3), "{how}: {took:?}");
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
