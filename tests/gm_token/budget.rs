//! What a signature costs in commands to the device, counted at the link. On a slow key a command takes 30 ms and more, so a test fails when one
//! grows.
//!
//! | | commands |
//! |---|---|
//! | looking at a shield, for each signing certificate | 1 more than reading takes: ExportPublicKey, which tells a copy |
//! | by reference, up to the first signature | 8, and its certificate: OpenContainer and ExportCertificate |
//! | the end of its login, after that | ClearSecureState; CloseApplication besides where one application is open at a time |
//! | each further signature in a lease | 1 |
//! | the same where the device drops the login | 4 |
//! | a lease that is taken again | OpenApplication, GetPINInfo, GenRandom, VerifyPIN, and what ended the login of the one before |
//! | watching | 0 |

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared_shield::simulator::Habits;
use shared_shield::{Event, Policy, Role, Session, Shield, Unlock, Wait, policy};

use crate::gm_desk::{Desk, Kind};
use crate::gm_shield::{SYNO, any, certificate, pin, sign, sign_in, typist, unlock, verifies};

const INFO: u8 = 0x04;
const PIN_INFO: u8 = 0x14;
const VERIFY: u8 = 0x18;
const CLEAR: u8 = 0x1C;
const OPEN: u8 = 0x26;
const CLOSE: u8 = 0x28;
/// Whether it is a card of another family.
const SELECT: u8 = 0xA4;
const APPLICATIONS: u8 = 0x22;
const CONTAINERS: u8 = 0x46;
const CONTAINER_INFO: u8 = 0x4A;
const KEY: u8 = 0x88;
const CONTAINER: u8 = 0x42;
const EXPORT: u8 = 0x4E;
const RANDOM: u8 = 0x50;
const SIGN: u8 = 0x74;

/// The most leases that a batch takes for so many signatures: each is given back after its signatures or its time.
fn leases_at_most(signatures: u32, since: Instant) -> u32 {
    let time = since.elapsed().as_secs() / policy::LEASE_TIME.as_secs();
    signatures / policy::LEASE_SIGNATURES + 1 + u32::try_from(time).unwrap()
}

fn signed(shield: &Shield, kind: Kind, role: Role) {
    let out = sign(shield, role, "document", pin(role), &Wait::default()).unwrap();
    assert!(verifies(certificate(kind, role), "document", &out));
}

fn signed_in(session: &Session) {
    sign_in(session, "document", &Wait::default()).unwrap();
}

/// The one certificate of a role by its name, which a program has stored.
fn by_reference(desk: &Desk, role: Role) -> Shield {
    let listed = desk.shield().certificates();
    let reference = listed.iter().find(|c| c.role == Some(role)).unwrap().references[0].clone();
    desk.sent();
    let scanner = desk.looks_at(Arc::new(desk.readers.clone())).reference(reference);
    scanner.scan(&Wait::default()).unwrap().for_role(role, &any()).unwrap().clone()
}

#[test]
fn budget_by_reference_eight_commands_and_the_certificate_to_the_first_signature() {
    for kind in [Kind::Sm2, Kind::P256] {
        let desk = Desk::of_kind(kind);
        for role in Role::ALL {
            signed(&by_reference(&desk, role), kind, role);
            let sent = desk.sent();
            let (to_signature, after) = sent.split_at(sent.iter().position(|ins| *ins == SIGN).unwrap() + 1);
            // What the device is; its application. Before the prompt the tries, by the number that is known; after it the application and the
            // tries once more, then random, PIN and signature.
            assert_eq!(to_signature, [INFO, OPEN, CONTAINER, EXPORT, PIN_INFO, OPEN, PIN_INFO, RANDOM, VERIFY, SIGN]);
            let certificate = [CONTAINER, EXPORT];
            assert_eq!(to_signature.len() - certificate.len(), 8);
            assert_eq!(after, [CLEAR], "{role} {kind:?}");
        }
    }
}

/// A certificate that lies with another key gets no PIN, so the key of each place that may serve is read. The encryption pair's is not.
#[test]
fn budget_looking_at_everything_costs_one_command_more_for_each_signing_certificate() {
    for kind in [Kind::Sm2, Kind::P256] {
        let desk = Desk::of_kind(kind);
        desk.sent();
        desk.shield();
        let application = [OPEN, CONTAINERS, CONTAINER_INFO, CONTAINER, EXPORT, KEY, EXPORT];
        assert_eq!(desk.sent(), [&[SELECT, INFO, APPLICATIONS], &application[..], &application].concat(), "{kind:?}");
    }
}

/// Without a reference everything is read, so that it is known that one application is open at a time. Each look leaves none open, and no number
/// of it serves the next one.
#[test]
fn budget_where_one_application_is_open_at_a_time_it_is_closed_besides() {
    let desk = Desk::with(Kind::Sm2, SYNO, Habits { one_application: true, ..Habits::default() });
    let shield = desk.shield();
    for role in Role::ALL {
        desk.sent();
        signed(&shield, Kind::Sm2, role);
        let look = [OPEN, PIN_INFO, CLOSE];
        let signature = [OPEN, PIN_INFO, CONTAINER, RANDOM, VERIFY, SIGN, CLEAR, CLOSE];
        assert_eq!(desk.sent(), [&look[..], &signature].concat(), "{role}");
        desk.nothing_is_open();
    }
}

/// By reference one application is looked at, so nobody knows that the device gives it to nobody twice, and the look before the prompt leaves it
/// open. The signature finds out, knows it by its certificate and closes it: once, because from then on each lease leaves none open.
#[test]
fn budget_where_a_device_opens_no_application_twice_that_is_found_out_once() {
    let habits = Habits { one_application: true, opens_none_twice: true, ..Habits::default() };
    for role in Role::ALL {
        let desk = Desk::with(Kind::Sm2, SYNO, habits);
        let shield = by_reference(&desk, role);
        desk.sent();
        signed(&shield, Kind::Sm2, role);
        let found_out = [PIN_INFO, OPEN, EXPORT, CLOSE];
        let signature = [OPEN, PIN_INFO, CONTAINER, RANDOM, VERIFY, SIGN, CLEAR, CLOSE];
        let sent = desk.sent();
        assert_eq!(sent[..4], found_out, "{role}: {sent:02X?}");
        desk.nothing_is_open();
        signed(&shield, Kind::Sm2, role);
        assert_eq!(desk.sent(), [&[OPEN, PIN_INFO, CLOSE], &signature[..]].concat(), "{role}");
        desk.nothing_is_open();
    }
}

#[test]
fn budget_each_further_signature_is_one_command_and_a_lease_that_is_taken_again_five() {
    for role in Role::ALL {
        let desk = Desk::new();
        let session = unlock(&desk.shield(), role);
        desk.sent();
        let (since, mut leases, mut single) = (Instant::now(), 0, 0);
        for n in 0..40 {
            signed_in(&session);
            match desk.sent().as_slice() {
                [SIGN] => single += 1,
                // After 16 signatures or 2 s, whichever comes first. The lease ends its login, so the PIN goes again.
                [SIGN, CLEAR] => single += 1,
                [OPEN, PIN_INFO, RANDOM, VERIFY, SIGN] => leases += 1,
                [CLEAR, OPEN, PIN_INFO, RANDOM, VERIFY, SIGN] => leases += 1,
                other => panic!("signature {n} of {role}: {other:02X?}"),
            }
        }
        let most = leases_at_most(40, since);
        assert!(leases >= 2 && leases <= most, "{leases} leases taken again, {most} at most; {single} without");
        assert_eq!(leases + single, 40);
    }
}

#[test]
fn budget_a_customs_login_that_a_policy_keeps_is_opened_once_and_the_banks_with_each_lease() {
    for (role, least) in [(Role::Customs, 0), (Role::Bank, 2)] {
        let desk = Desk::new();
        let policy = Policy { signatures: 100, resends: 100, keep_login: true, ..Policy::of(role) };
        let unlock = Unlock::of(role).policy(policy);
        let since = Instant::now();
        let session = desk.shield().unlock(unlock, &mut typist(pin(role), &mut 0), &Wait::default()).unwrap();
        desk.sent();
        for _ in 0..40 {
            signed_in(&session);
        }
        let sent = desk.sent();
        let logins = u32::try_from(sent.iter().filter(|ins| **ins == VERIFY).count()).unwrap();
        let most = if role == Role::Customs { 0 } else { leases_at_most(40, since) };
        assert!((least..=most).contains(&logins), "{role}: {logins} logins: {sent:02X?}");
        session.end();
        assert!(!desk.is_logged_in(role), "its end ends the login");
    }
}

#[test]
fn budget_where_the_login_is_dropped_each_further_signature_is_four_commands() {
    let desk = Desk::with(Kind::Sm2, SYNO, Habits { drops_login_after_signature: true, ..Habits::default() });
    for role in Role::ALL {
        let session = unlock(&desk.shield(), role);
        signed_in(&session);
        desk.sent();
        let mut seen = Vec::new();
        for n in 0..20 {
            signed_in(&session);
            let sent = desk.sent();
            // A lease that is given back after its signature ends what may be open.
            let sent = sent.strip_suffix(&[CLEAR]).unwrap_or(&sent);
            // The tries are read in the same lease, and random, PIN and signature are adjacent. The first time the habit is not known.
            let rest = sent.strip_suffix(&[RANDOM, VERIFY, SIGN]).unwrap_or_else(|| panic!("{n}: {sent:02X?}"));
            let known: [&[u8]; 4] = [&[PIN_INFO], &[OPEN, PIN_INFO], &[SIGN, PIN_INFO], &[CLEAR, OPEN, PIN_INFO]];
            assert!(known.contains(&rest), "signature {n} of {role}: {sent:02X?}");
            seen.push(sent.len());
        }
        assert!(seen.iter().filter(|count| **count == 4).count() >= 16, "{seen:?}");
        drop(session);
    }
}

#[test]
fn budget_watching_costs_no_command() {
    let desk = Desk::new();
    let time = if std::env::var_os("SHIELD_LONG").is_some() { 60 } else { 2 };
    let mut watch = desk.looks_at(Arc::new(desk.readers.clone())).watch().unwrap();
    let Some(Event::Arrived(shield)) = watch.next(&Wait::default()).unwrap() else { panic!("no shield") };
    assert!(!desk.sent().is_empty(), "a card that has come is looked at once");
    let wait = Wait::at_most(Duration::from_secs(time));
    assert!(watch.next(&wait).unwrap().is_none());
    assert_eq!(desk.sent(), [0_u8; 0], "{time} s of watching");
    drop(shield);
}
