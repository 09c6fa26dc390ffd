//! What a signature costs in commands to the card, on a card that others wrote. These numbers are the user's waiting time: on a slow key a
//! command takes 30 ms and more. A test fails when one grows.
#![cfg(feature = "piv")]

#[path = "support/vpcd_card.rs"]
mod vpcd_card;

use std::sync::Arc;
use std::time::Duration;

use shared_shield::{Content, Event, Policy, Request, Role, Session, Shield, Unlock, Wait, policy};
use vpcd_card::{Desk, PIN, READER, any, made, typist};

const SELECT: u8 = 0xA4;
const VERIFY: u8 = 0x20;
const SIGN: u8 = 0x87;
const GET_DATA: u8 = 0xCB;
const GET_RESPONSE: u8 = 0xC0;

/// Instructions of our commands since the last time.
fn sent(desk: &Desk) -> Vec<u8> {
    let sent = desk.readers.headers(READER).iter().map(|header| header[1]).collect();
    desk.readers.forget(READER);
    sent
}

fn count(sent: &[u8], ins: u8) -> usize {
    sent.iter().filter(|i| **i == ins).count()
}

/// Commands that bring a certificate: GET DATA, and GET RESPONSE for each further 256 octets. In its object (SP 800-73-4 part 1, table 10) 70,
/// 71 and FE stand inside 53: 13 octets besides the certificate, with lengths of two octets each.
fn reads(certificate: &[u8]) -> usize {
    (certificate.len() + 13).div_ceil(256)
}

fn certificate(role: Role) -> &'static [u8] {
    if role == Role::Customs { &made().customs } else { &made().bank }
}

fn sign(shield: &Shield, role: Role) {
    let out = vpcd_card::sign(shield, role, "document", PIN, &Wait::default()).unwrap();
    assert!(vpcd_card::verifies(certificate(role), "document", &out));
}

fn unlock(shield: &Shield, role: Role, signatures: u32) -> Session {
    let policy = Policy { signatures, ..Policy::of(Role::Customs) };
    let unlock = Unlock::of(role).policy(policy);
    shield.unlock(unlock, &mut typist(PIN, &mut 0), &Wait::default()).unwrap()
}

fn sign_in(session: &Session) {
    let request = Request::raw(session.role(), Content::bytes(*b"document"));
    session.sign(request, &Wait::default(), &mut Vec::new()).unwrap();
}

#[test]
fn budget_by_reference_seven_commands_and_the_certificate_to_the_first_signature() {
    vpcd_card::with_cards("budget_by_reference", || {
        let desk = Desk::new();
        for role in Role::ALL {
            let listed = desk.shield().certificates();
            let reference = listed.iter().find(|c| c.role == Some(role)).unwrap().references[0].clone();
            sent(&desk);
            let scan =
                Desk::scanner(Arc::new(desk.readers.clone())).reference(reference).scan(&Wait::default()).unwrap();
            let shield = scan.for_role(role, &any()).unwrap();
            sign(shield, role);
            let sent = sent(&desk);
            let fetched = count(&sent, GET_DATA) + count(&sent, GET_RESPONSE);
            assert_eq!(fetched, reads(certificate(role)), "its own certificate and no other: {sent:02X?}");
            assert!(sent.len() <= 7 + fetched, "{sent:02X?}");
            // SELECT; before the prompt SELECT and the tries; after it SELECT, the tries, VERIFY and the signature.
            let rest: Vec<u8> = sent.into_iter().filter(|ins| !matches!(*ins, GET_DATA | GET_RESPONSE)).collect();
            assert_eq!(rest, [SELECT, SELECT, VERIFY, SELECT, VERIFY, VERIFY, SIGN]);
        }
    });
}

/// Without a reference: the same seven, who the card is (CHUID), which PIN opens it (discovery object), and the certificate in each of the
/// profile's places.
#[test]
fn budget_by_role_the_same_and_the_certificates_of_the_profiles_places() {
    vpcd_card::with_cards("budget_by_role", || {
        let desk = Desk::new();
        for role in Role::ALL {
            sent(&desk);
            sign(&desk.shield(), role);
            let sent = sent(&desk);
            let certificates = reads(&made().customs) + reads(&made().bank);
            let (identity, discovery) = (1, 1);
            assert!(sent.len() <= 7 + identity + discovery + certificates, "{sent:02X?}");
            assert_eq!(count(&sent, GET_DATA), 4, "CHUID, discovery, 9A, 9C: {sent:02X?}");
        }
    });
}

#[test]
fn budget_each_further_signature_is_one_command_and_a_lease_that_is_taken_again_adds_select() {
    vpcd_card::with_cards("budget_each_further_signature", || {
        let desk = Desk::new();
        let shield = desk.shield();
        let session = unlock(&shield, Role::Customs, 100);
        sent(&desk);
        let (mut leases, mut single) = (0, 0);
        for n in 0..40 {
            sign_in(&session);
            match sent(&desk).as_slice() {
                [SIGN] => single += 1,
                // After 16 signatures or 2 s, whichever comes first: a slow machine may have more of them.
                [SELECT, SIGN] => leases += 1,
                other => panic!("signature {n}: {other:02X?}"),
            }
        }
        assert!(leases >= 2 && single > 0, "{leases} leases taken again, {single} without");
        assert_eq!(leases + single, 40);
    });
}

#[test]
fn budget_a_key_that_wants_its_pin_each_time_takes_four_commands_at_the_most() {
    vpcd_card::with_cards("budget_a_key_that_wants_its_pin", || {
        let desk = Desk::new();
        let shield = desk.shield();
        let session = unlock(&shield, Role::Bank, 100);
        sent(&desk);
        for n in 0..20 {
            sign_in(&session);
            let sent = sent(&desk);
            // Within a lease the tries are known; VERIFY and the signature are always adjacent.
            assert!(
                matches!(sent.as_slice(), [VERIFY, SIGN] | [SELECT, VERIFY, VERIFY, SIGN]),
                "signature {n}: {sent:02X?}"
            );
        }
        drop(session);
        // One by one: what is read before the prompt, and the four.
        sign(&shield, Role::Bank);
        assert_eq!(sent(&desk), [SELECT, VERIFY, SELECT, VERIFY, VERIFY, SIGN]);
    });
}

#[test]
fn budget_watching_costs_no_command() {
    vpcd_card::with_cards("budget_watching", || {
        let desk = Desk::new();
        let time = if std::env::var_os("SHIELD_LONG").is_some() { 60 } else { 3 };
        let mut watch = Desk::scanner(Arc::new(desk.readers.clone())).watch().unwrap();
        let Some(Event::Arrived(shield)) = watch.next(&Wait::default()).unwrap() else { panic!("no shield") };
        assert!(!sent(&desk).is_empty(), "a card that has come is looked at once");
        // Other readers come and go, the reader is held by others and given back; the card's connection is closed meanwhile.
        let readers = desk.readers.clone();
        let busy = std::thread::spawn(move || {
            for n in 0..20 {
                let other = format!("Other {n}");
                readers.plug(&other);
                readers.exclusive(READER, Duration::from_millis(10));
                std::thread::sleep(Duration::from_millis(20));
                readers.unplug(&other);
            }
        });
        let wait = Wait::at_most(Duration::from_secs(time));
        let mut events = 0;
        while let Some(event) = watch.next(&wait).unwrap() {
            assert!(matches!(event, Event::ReaderAdded(_) | Event::ReaderRemoved(_)), "{event:?}");
            events += 1;
        }
        busy.join().unwrap();
        assert_eq!(events, 40, "each reader that came and went");
        assert_eq!(sent(&desk), [0_u8; 0], "{time} s of watching");
        drop(shield);
    });
}

#[test]
fn budget_closing_costs_no_command_and_logs_nobody_out() {
    vpcd_card::with_cards("budget_closing", || {
        let desk = Desk::new();
        let shield = desk.shield();
        let session = unlock(&shield, Role::Customs, 100);
        sign_in(&session);
        sent(&desk);
        session.end();
        // A connection that nobody uses is closed by itself.
        std::thread::sleep(policy::CONNECTION_IDLE * 2);
        drop(shield);
        assert_eq!(sent(&desk), [0_u8; 0]);
        // VERIFY without data: 9000 as long as the card holds the login that another program may share.
        assert_eq!(desk.readers.foreign(READER, &[0x00, 0x20, 0x00, 0x80]), [0x90, 0x00]);
    });
}
