//! Certificates in places that different PINs open.

use std::sync::Arc;

use super::tests::{Desk, begun, customs, holder, now, route};
use crate::cert::test_ca::{Holder, Shape};
use crate::credential::{Found, Route, Scope, Selector, Standing, resolve};
use crate::door::DoorId;
use crate::error::ErrorKind;
use crate::role::Role;

/// The same in a place that another PIN opens.
fn elsewhere(mut found: Found) -> Found {
    found.routes.iter_mut().for_each(|route| route.scope = Scope(2));
    found
}

#[test]
fn copies_under_two_pins_are_named_with_both_places_and_neither_serves() {
    let desk = Desk::new("[customs]\nlabel = \"first\"\n");
    let first = desk.customs(&customs(1), "first");
    let copy = Found {
        certificate: Arc::clone(&first.certificate),
        routes: vec![route("second")],
        misplaced: vec![],
        unsure: vec![],
    };
    let fingerprint = Some(first.certificate.fingerprint());
    for found in [[first.clone(), elsewhere(copy.clone())], [elsewhere(copy.clone()), first.clone()]] {
        for selector in [Selector::default(), Selector { fingerprint, ..Selector::default() }] {
            let error = desk.select(Role::Customs, &found, &selector).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SeveralCredentials);
            let told = error.what().unwrap();
            for part in ["door of first", "door of second", "remove the copy", "--credential"] {
                assert!(told.contains(part), "{told}");
            }
        }
        assert_eq!(desk.list(&found)[0].standing, Standing::Several);
        // A newer one beside either of them does not hide that.
        let newer = desk.customs(&begun(0, customs(2)), "newer");
        let with = |newer: Found| [&[newer][..], &found].concat();
        for all in [with(newer.clone()), with(elsewhere(newer))] {
            assert_eq!(desk.ask(Role::Customs, &all).unwrap_err().kind(), ErrorKind::SeveralCredentials);
        }
    }
    // Where one driver shows both, they are two places; two drivers may show one.
    let door = |of: &Found, name: &str| Found {
        routes: vec![Route { door: DoorId(name.to_owned()), ..of.routes[0].clone() }],
        ..of.clone()
    };
    for (names, may_be_one) in [
        (["pkcs11:a.so:1:x", "pkcs11:a.so:2:y"], false),
        (["gm0017:1", "gm0017:1"], false),
        (["pkcs11:a.so:1:x", "pkcs11:b.so:1:y"], true),
        (["gm0017:1", "pkcs11:b.so:1:y"], true),
    ] {
        let found = [door(&first, names[0]), elsewhere(door(&copy, names[1]))];
        let error = desk.ask(Role::Customs, &found).unwrap_err();
        assert_eq!(error.what().unwrap().contains("name one driver alone"), may_be_one, "{error}");
    }
    // Behind two doors that one PIN opens it is one.
    assert_eq!(desk.ask(Role::Customs, &[first, copy]).unwrap().routes.len(), 2);
}

#[test]
fn a_place_that_may_be_the_same_one_by_another_driver_is_a_remark_and_no_way() {
    let desk = Desk::new("");
    let first = Found { unsure: vec!["pkcs11:b.so:7".to_owned()], ..desk.customs(&customs(1), "first") };
    assert_eq!(desk.ask(Role::Customs, std::slice::from_ref(&first)).unwrap().routes.len(), 1);
    let listed = desk.list(&[first]);
    assert_eq!(listed[0].standing, Standing::Serves);
    for part in ["it serves", "seen through pkcs11:b.so:7 too", "not known", "--credential"] {
        assert!(listed[0].reason.contains(part), "{}", listed[0].reason);
    }
    assert!(!listed[0].reason.contains("copy"), "{}", listed[0].reason);
}

#[test]
fn a_newer_certificate_under_another_pin_takes_no_place_and_a_choice_is_possible() {
    let desk = Desk::new("");
    let (old, new) = (desk.customs(&begun(700, customs(1)), "old"), desk.customs(&begun(7, customs(2)), "new"));
    for found in [[old.clone(), elsewhere(new.clone())], [elsewhere(new.clone()), old.clone()]] {
        let error = desk.ask(Role::Customs, &found).unwrap_err();
        assert_eq!((error.kind(), error.looked_at().len()), (ErrorKind::SeveralCredentials, 2));
        assert!(error.to_string().contains("door of old") && error.to_string().contains("door of new"), "{error}");
        for one in [&old, &new] {
            let wanted = Selector { fingerprint: Some(one.certificate.fingerprint()), ..Selector::default() };
            assert_eq!(desk.select(Role::Customs, &found, &wanted).unwrap().certificate, one.certificate);
        }
    }
}

#[test]
fn the_end_of_a_certificate_hands_its_role_to_nothing_under_another_pin() {
    let desk = Desk::new("");
    let other = Holder { company_code: "MA0SYN002".to_owned(), ..holder() };
    let old = desk.customs(&customs(1).expired(now()), "old");
    for shape in [customs(2), Shape::customs(&other, 2, now())] {
        let new = desk.customs(&shape, "new");
        let found = [old.clone(), elsewhere(new.clone())];
        for outside_validity in [false, true] {
            let asked = resolve(Role::Customs, &found, &desk.profile, &Selector::default(), now(), outside_validity);
            assert_eq!(asked.unwrap_err().kind(), ErrorKind::SeveralCredentials, "{outside_validity}");
        }
        let wanted = Selector { fingerprint: Some(new.certificate.fingerprint()), ..Selector::default() };
        assert_eq!(desk.select(Role::Customs, &found, &wanted).unwrap().certificate, new.certificate);
        // Under the same PIN it is a renewal, or a colleague's.
        assert_eq!(desk.ask(Role::Customs, &[old.clone(), new.clone()]).unwrap().certificate, new.certificate);
    }
}

#[test]
fn a_certificate_whose_places_hold_other_keys_is_a_mismatch_and_says_where() {
    let desk = Desk::new("");
    let mut alone = desk.customs(&customs(1), "x");
    (alone.routes, alone.misplaced) = (vec![], vec!["door/bank:zzz".to_owned()]);
    let error = desk.ask(Role::Customs, std::slice::from_ref(&alone)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyMismatch);
    assert!(error.what().unwrap().contains("door/bank:zzz"), "{error}");
    assert_eq!(desk.list(std::slice::from_ref(&alone))[0].standing, Standing::KeyMissing);
    // A place that has it serves.
    let there = Found { routes: vec![route("there")], ..alone.clone() };
    assert_eq!(desk.ask(Role::Customs, &[alone, there]).unwrap().routes.len(), 1);
}

#[test]
fn a_label_of_the_profile_chooses_among_certificates_under_different_pins() {
    let desk = Desk::new("[customs]\nlabel = \"new\"\n");
    let (old, new) = (desk.customs(&customs(1).expired(now()), "old"), desk.customs(&customs(2), "new"));
    assert_eq!(desk.ask(Role::Customs, &[old, elsewhere(new.clone())]).unwrap().certificate, new.certificate);
    let old = desk.customs(&begun(700, customs(1)), "old");
    assert_eq!(desk.ask(Role::Customs, &[old, elsewhere(new.clone())]).unwrap().certificate, new.certificate);
}
