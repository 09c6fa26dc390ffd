//! Certificates in containers of the other party. Whoever is logged in to one application can import any there; the PIN that is typed for a certificate
//! must never go to the application where a copy of it lies.

use std::time::{Duration, SystemTime};

use shared_shield::simulator::{Habits, Simulator, Usage};
use shared_shield::{
    Certificate, Consent, Error, ErrorKind, Pin, PinStatus, Reference, Role, Scan, Selector, Shield, Standing, Wait,
};

use crate::gm_desk::{Desk, Kind};
use crate::gm_shield::{
    CONTAINER, OTHER_PIN, SYNO, admin_pin, any, application, certificate, forged, issued, only, pin, plant, raw, sign,
    sign_in, tries, typist, unlock, verifies,
};
use crate::test_ca::Shape;

/// Whose certificate lies in whose application.
const BOTH: [(Role, Role); 2] = [(Role::Customs, Role::Bank), (Role::Bank, Role::Customs)];
/// Which application the device lists first.
const ORDERS: [[Role; 2]; 2] = [[Role::Customs, Role::Bank], [Role::Bank, Role::Customs]];
const DAY: Duration = Duration::from_secs(86_400);

fn desk(on: &Simulator, kind: Kind) -> Desk {
    Desk::holding(on, kind, SYNO, Habits::default())
}

/// A shield on which a copy of one party's certificate lies in the other one's application, with a key of that one.
fn with_copy(kind: Kind, order: &[Role], (of, on): (Role, Role)) -> Desk {
    let shield = issued(kind, SYNO, Habits::default(), order);
    plant(&shield, kind, on, "zzz", certificate(kind, of));
    desk(&shield, kind)
}

fn untouched(desk: &Desk) {
    for role in Role::ALL {
        assert_eq!(desk.tries(role), [tries(role); 2], "user and administrator of {role}");
    }
}

/// Nobody is asked, and nothing goes out.
fn refused(desk: &Desk, shield: &Shield, role: Role) -> Error {
    desk.seen();
    let (mut asked, mut out) = (0, Vec::new());
    let signed = shield.sign(raw(role, "x"), &mut typist(pin(role), &mut asked), &Wait::default(), &mut out);
    let error = signed.unwrap_err();
    assert_eq!((asked, out.len()), (0, 0), "{error}");
    let typed = |text: &str| Pin::new(role, text.as_bytes()).unwrap();
    let (old, new, admin) = (typed(pin(role)), typed(OTHER_PIN), typed(admin_pin(role)));
    let change = shield.change_pin(role, &any(), (&old, &new), Consent::None, &Wait::default());
    let unblock = shield.unblock_pin(role, &any(), (&admin, &new), Consent::None, &Wait::default());
    for outcome in [change, unblock] {
        assert_eq!(outcome.unwrap_err().kind(), error.kind());
    }
    assert!(!desk.seen().iter().any(|seen| seen.is_login() || seen.is_change()));
    untouched(desk);
    error
}

fn signs(kind: Kind, shield: &Shield, role: Role, pin: &str) {
    let out = sign(shield, role, "order", pin, &Wait::default()).unwrap_or_else(|e| panic!("{role}: {e}"));
    assert!(verifies(certificate(kind, role), "order", &out));
}

fn problems(scan: &Scan) -> Vec<(ErrorKind, String)> {
    scan.problems.iter().map(|p| (p.kind(), p.what().unwrap_or_default().to_owned())).collect()
}

/// The reference of a role's own place.
fn reference(shield: &Shield, role: Role) -> Reference {
    let place = format!("{}:{CONTAINER}", application(role));
    let listed = shield.certificates();
    listed.iter().flat_map(|one| &one.references).find(|one| one.place() == place).unwrap().clone()
}

fn by(desk: &Desk, reference: Reference) -> Shield {
    let scanner = desk.looks_at(std::sync::Arc::new(desk.readers.clone())).reference(reference);
    only(&scanner.scan(&Wait::default()).unwrap())
}

#[test]
fn a_copy_in_the_other_partys_application_gets_no_pin_whichever_is_listed_first() {
    for (kind, order) in [(Kind::Sm2, ORDERS[0]), (Kind::Sm2, ORDERS[1]), (Kind::P256, ORDERS[1])] {
        for (of, on) in BOTH {
            let desk = with_copy(kind, &order, (of, on));
            let scan = desk.scan();
            let place = format!("{}:zzz", application(on));
            let [(ErrorKind::KeyMismatch, what)] = &problems(&scan)[..] else { panic!("{:?}", scan.problems) };
            assert!(what.contains(&place), "{what}");
            let shield = only(&scan);
            for role in Role::ALL {
                let credential = shield.credential(role, &any()).unwrap();
                assert!(shield.also_opens(&credential).is_empty(), "a PIN for one party alone");
                signs(kind, &shield, role, pin(role));
                let typed = |text: &str| Pin::new(role, text.as_bytes()).unwrap();
                let (old, new, admin) = (typed(pin(role)), typed(OTHER_PIN), typed(admin_pin(role)));
                let none = Consent::None;
                shield.change_pin(role, &any(), (&old, &new), none, &Wait::default()).unwrap();
                signs(kind, &shield, role, OTHER_PIN);
                shield.unblock_pin(role, &any(), (&admin, &old), none, &Wait::default()).unwrap();
                sign_in(&unlock(&shield, role), "batch", &Wait::default()).unwrap();
            }
            assert!(desk.seen().iter().all(|seen| !seen.is_refused()), "no PIN was wrong anywhere");
            untouched(&desk);
        }
    }
}

/// A device that shows no public key to whom is not logged in.
#[test]
fn where_the_device_does_not_show_which_is_the_copy_nobody_is_asked_and_both_places_are_named() {
    for (of, on) in BOTH {
        for (order, answer) in ORDERS.into_iter().zip([[0x69, 0x82], [0x6D, 0x00]]) {
            let desk = with_copy(Kind::Sm2, &order, (of, on));
            desk.bend(0x88, &answer);
            let scan = desk.scan();
            assert_eq!(problems(&scan), []);
            let shield = only(&scan);
            let error = refused(&desk, &shield, of);
            assert_eq!(error.kind(), ErrorKind::SeveralCredentials);
            let told = error.what().unwrap();
            for place in [format!("{}:{CONTAINER}", application(of)), format!("{}:zzz", application(on))] {
                assert!(told.contains(&place) && told.contains("remove the copy"), "{told}");
            }
            let credential = shield.credential(on, &any()).unwrap();
            assert!(shield.also_opens(&credential).is_empty(), "a copy says nothing of what a PIN opens");
            signs(Kind::Sm2, &shield, on, pin(on));
            signs(Kind::Sm2, &by(&desk, reference(&shield, of)), of, pin(of));
            untouched(&desk);
        }
    }
}

#[test]
fn a_forged_newer_certificate_in_the_other_partys_application_takes_no_ones_place() {
    for (of, on) in BOTH {
        for order in ORDERS {
            let simulator = issued(Kind::Sm2, SYNO, Habits::default(), &order);
            let point = plant(&simulator, Kind::Sm2, on, "zzz", b"to come");
            let newer = |shape: &mut Shape| shape.not_before = SystemTime::now();
            let der = forged(Kind::Sm2, of, &point, newer);
            simulator.import_certificate(application(on), "zzz", Usage::Signing, &der).unwrap();
            let desk = desk(&simulator, Kind::Sm2);
            let scan = desk.scan();
            assert_eq!(problems(&scan), [], "its key is where it lies");
            let shield = only(&scan);
            let error = refused(&desk, &shield, of);
            assert_eq!(error.kind(), ErrorKind::SeveralCredentials, "{error}");
            assert!(error.to_string().contains(&format!("{}:zzz", application(on))), "{error}");
            let fingerprint = Some(Certificate::from_der(certificate(Kind::Sm2, of)).unwrap().fingerprint());
            let own = Selector { fingerprint, ..any() };
            let state = shield.pin_status(of, &own, &Wait::default()).unwrap();
            assert_eq!(state, PinStatus::Known(tries(of)));
            signs(Kind::Sm2, &by(&desk, reference(&shield, of)), of, pin(of));
            untouched(&desk);
        }
    }
}

/// The true one has expired: its end hands the role to nobody else.
#[test]
fn where_the_certificate_has_expired_a_forged_one_elsewhere_does_not_serve() {
    for (of, on) in BOTH {
        let simulator = issued(Kind::Sm2, SYNO, Habits::default(), &Role::ALL);
        let point = plant(&simulator, Kind::Sm2, on, "zzz", b"to come");
        // Another holder's name as well.
        let current = forged(Kind::Sm2, of, &point, |shape| shape.subject.push_str(" 2"));
        simulator.import_certificate(application(on), "zzz", Usage::Signing, &current).unwrap();
        let own = Certificate::from_der(certificate(Kind::Sm2, of)).unwrap().key().unwrap().point().unwrap();
        let over = forged(Kind::Sm2, of, &own, |shape| {
            (shape.not_before, shape.not_after) = (SystemTime::now() - DAY * 700, SystemTime::now() - DAY);
        });
        simulator.import_certificate(application(of), CONTAINER, Usage::Signing, &over).unwrap();
        let desk = desk(&simulator, Kind::Sm2);
        let shield = only(&desk.scan());
        let error = refused(&desk, &shield, of);
        assert_eq!(error.kind(), ErrorKind::SeveralCredentials, "{error}");
        assert!(error.to_string().contains("has expired"), "{error}");
        // A renewal in the same application is none.
        plant(&simulator, Kind::Sm2, of, "new", b"to come");
        let renewed = forged(Kind::Sm2, of, &point, |_| {});
        simulator.import_certificate(application(of), "new", Usage::Signing, &renewed).unwrap();
        simulator.import_certificate(application(on), "zzz", Usage::Signing, b"gone").unwrap();
        let renewed = Certificate::from_der(&renewed).unwrap();
        assert_eq!(only(&desk.scan()).credential(of, &any()).unwrap().certificate.der(), renewed.der());
    }
}

/// The customs container holds another key than the certificate's.
#[test]
fn a_certificate_over_another_key_is_named_before_anybody_is_asked() {
    for kind in [Kind::Sm2, Kind::P256] {
        for role in Role::ALL {
            let simulator = issued(kind, SYNO, Habits::default(), &Role::ALL);
            simulator.import_key(application(role), CONTAINER, Usage::Signing, kind.algorithm(), &[0x33; 32]).unwrap();
            let desk = desk(&simulator, kind);
            let shield = only(&desk.scan());
            let listed = shield.certificates();
            let one = listed.iter().find(|one| one.certificate.der() == certificate(kind, role)).unwrap();
            assert_eq!((one.standing, one.references.len()), (Standing::KeyMissing, 0), "{}", one.reason);
            let error = refused(&desk, &shield, role);
            assert_eq!(error.kind(), ErrorKind::KeyMismatch);
            let place = format!("{}:{CONTAINER}", application(role));
            assert!(error.what().unwrap().contains(&place), "{error}");

            // By its name nothing more is read than the budget has: the first signature tells.
            let serial = shield.serial();
            let fingerprint = one.certificate.fingerprint();
            let named = Reference::parse(&format!("gm0017:{serial}/{place}/{fingerprint}")).unwrap();
            let shield = by(&desk, named);
            let error = sign(&shield, role, "x", pin(role), &Wait::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::KeyMismatch, "{error}");
            let error = sign_in(&unlock(&shield, role), "x", &Wait::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::KeyMismatch, "{error}");
            untouched(&desk);
        }
    }
}

/// What a device says instead of a public key is no reason to hide a certificate, and no proof that its key is there.
#[test]
fn whatever_a_device_answers_for_a_public_key_a_place_shows_its_key_or_does_not() {
    let zeros = [&[0, 1, 0, 0][..], &[0; 64], &[0x90, 0]].concat();
    for (answer, kind, serves) in [
        (&[0x6A, 0x95][..], Some(ErrorKind::KeyMissing), false),
        (&[0x6A, 0x9F], Some(ErrorKind::KeyMissing), false),
        (&[0x6D, 0x00], None, true),
        // Of a number, not of a key.
        (&[0x6A, 0x91], Some(ErrorKind::KeyMissing), true),
        (&[0x6A, 0x94], Some(ErrorKind::KeyMissing), true),
        // It goes on answering.
        (&[0x6F, 0x00], Some(ErrorKind::TokenAnswer), true),
        (&[0x64, 0x00], Some(ErrorKind::TokenAnswer), true),
        (&[0x65, 0x81], Some(ErrorKind::TokenAnswer), true),
        (&[0x6A, 0x97], Some(ErrorKind::TokenAnswer), true),
        (&[0x90, 0x00], Some(ErrorKind::TokenAnswer), true),
        (&[7, 7, 7, 0x90, 0x00], Some(ErrorKind::TokenAnswer), true),
        (&zeros, Some(ErrorKind::KeyMalformed), true),
    ] {
        let desk = Desk::new();
        desk.bend(0x88, answer);
        let scan = desk.scan();
        assert!(scan.problems.iter().all(|problem| Some(problem.kind()) == kind), "{answer:02X?} {:?}", scan.problems);
        let shield = only(&scan);
        assert_eq!(shield.certificates().len(), 4, "{answer:02X?}");
        for role in Role::ALL {
            match serves {
                true => signs(Kind::Sm2, &shield, role, pin(role)),
                false => assert_eq!(refused(&desk, &shield, role).kind(), ErrorKind::KeyMismatch),
            }
        }
        untouched(&desk);
    }
}
