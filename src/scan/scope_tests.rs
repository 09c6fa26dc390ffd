//! Which doors lead to one PIN, and which copies lead nowhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::join::join;
use super::super::survey::{Content, Seen};
use super::{Dropped, Scopes, limit};
use crate::cert::Certificate;
use crate::cert::test_ca::{Holder, Shape, TestCa, any_key};
use crate::credential::{Reference, Scope};
use crate::door::{Door, DoorId, DoorInfo, Lease, Way};
use crate::error::{Error, ErrorKind, Result};
use crate::profile::Profile;
use crate::token::{CertRef, KeyRef, KeyShown, PinRef, Slot, Wants};
use crate::wait::Wait;

struct Sham(DoorId, DoorInfo, Way);

impl Door for Sham {
    fn id(&self) -> &DoorId {
        &self.0
    }

    fn info(&self) -> &DoorInfo {
        &self.1
    }

    fn way(&self) -> Way {
        self.2
    }

    fn lease(&self, _: &Wait) -> Result<Lease> {
        Err(Error::new(ErrorKind::NoShield, "sham"))
    }
}

type Held<'c> = (&'static str, &'c Arc<Certificate>, KeyShown);

/// A door with certificates, each with its PIN and what the token shows.
fn door(source: usize, id: [&str; 4], reader: &str, way: Way, held: &[Held<'_>]) -> Seen {
    let [kind, module, serial, label] = id;
    let info = DoorInfo {
        module: module.to_owned(),
        label: label.to_owned(),
        manufacturer: String::new(),
        model: String::new(),
        serial: serial.to_owned(),
        reader: reader.to_owned(),
        atr: None,
        dialect: String::new(),
    };
    let id = match way {
        Way::Card => DoorId::of([kind, serial]),
        Way::Module => DoorId::of([kind, module, serial, label]),
    };
    let content = |(pin, certificate, shown): &Held<'_>| -> Content {
        let slot = Slot {
            key: KeyRef(vec![1]),
            certificate: CertRef(vec![1]),
            pin: PinRef(pin.as_bytes().to_vec()),
            shown: *shown,
            wants: Wants::Once,
            suites: Vec::new(),
            label: format!("{pin}:key"),
        };
        (slot, Arc::clone(certificate))
    };
    Seen { source, door: Arc::new(Sham(id, info, way)), contents: held.iter().map(content).collect() }
}

fn module(source: usize, serial: &str, label: &str, held: &[Held<'_>]) -> Seen {
    door(source, ["pkcs11", &format!("m{source}.so"), serial, label], "Reader 0", Way::Module, held)
}

fn card(source: usize, serial: &str, held: &[Held<'_>]) -> Seen {
    door(source, ["gm0017", "gm0017", serial, ""], "Reader 0", Way::Card, held)
}

fn certificates() -> [Arc<Certificate>; 2] {
    let now = std::time::SystemTime::now();
    let ca = TestCa::eport(now).unwrap();
    [1, 2].map(|number| {
        let der = ca.issue(&Shape::customs(&Holder::default(), number, now), &any_key()).unwrap();
        Arc::new(Certificate::from_der(&der).unwrap())
    })
}

/// The numbers of everything that was seen, in order.
fn numbers(seen: &[Seen]) -> Vec<usize> {
    numbers_of(seen, &(0..9).collect())
}

/// The same where only these sources were read to the end.
fn numbers_of(seen: &[Seen], whole: &BTreeSet<usize>) -> Vec<usize> {
    let scopes = Scopes::of(seen, whole);
    let all = seen.iter().flat_map(|s| s.contents.iter().map(|(slot, _)| scopes.route(s.door.id(), slot.clone())));
    all.map(|route| {
        let Scope(number) = route.scope;
        number
    })
    .collect()
}

use KeyShown::{Here, Other, Untold};

#[test]
fn one_token_behind_two_modules_or_as_a_card_besides_is_one_pin() {
    let [a, b] = &certificates();
    let both: &[Held<'_>] = &[("pin", a, Untold), ("pin", b, Untold)];
    assert_eq!(numbers(&[module(0, "7", "token", both), module(1, "7", "token", both)]), [0; 4]);
    // Serial numbers are written in many forms; the reader is the same.
    assert_eq!(numbers(&[card(0, "0000000007", both), module(1, "7", "token", both)]), [0; 4]);
    // Two tokens of one module, whatever they are called.
    assert_eq!(numbers(&[module(0, "7", "x", &both[..1]), module(0, "7", "y", &both[..1])]), [0, 1]);
    assert_eq!(numbers(&[module(0, "7", "x", &both[..1]), module(0, "8", "x", &both[..1])]), [0, 1]);
}

#[test]
fn parts_of_one_device_that_two_modules_show_are_two_pins_unless_a_key_is_shown_in_both() {
    let [a, b] = &certificates();
    let parts = |shown: [KeyShown; 2]| {
        let [one, two] = shown.map(|shown| ("pin", a, shown));
        numbers(&[module(0, "7", "customs", &[one]), module(1, "7", "bank", &[two, ("pin", b, Untold)])])
    };
    assert_eq!(parts([Untold, Untold]), [0, 1, 1]);
    assert_eq!(parts([Here, Untold]), [0, 1, 1]);
    assert_eq!(parts([Here, Here]), [0, 0, 0], "no key is made in two tokens");
}

/// Each driver words its labels in its own way, and some tell of no key where it was made.
#[test]
fn one_token_that_two_modules_call_by_two_labels_is_one_pin_where_both_show_the_same() {
    let [a, b] = &certificates();
    let labels = |serials: [&str; 2], shown: [KeyShown; 2], rest: &[Seen]| {
        let [one, two] = shown.map(|shown| [("pin", a, shown)]);
        let mut all = vec![module(0, serials[0], "e-port", &one), module(1, serials[1], "e-port (User PIN)", &two)];
        all.extend(rest.iter().map(|seen| Seen {
            contents: seen.contents.clone(),
            door: Arc::clone(&seen.door),
            ..*seen
        }));
        numbers(&all)
    };
    for shown in [[Untold, Untold], [Here, Untold], [Untold, Here]] {
        assert_eq!(labels(["7", "7"], shown, &[]), [0, 0], "{shown:?}");
        // The bank's token beside it.
        let bank =
            [module(0, "7", "bank", &[("p", b, shown[0])]), module(1, "7", "e-port (Sign PIN)", &[("p", b, shown[1])])];
        assert_eq!(labels(["7", "7"], shown, &bank), [0, 0, 1, 1], "{shown:?}");
        // The serial number is another one, or says nothing.
        assert_eq!(labels(["7", "8"], shown, &[]), [0, 1]);
        assert_eq!(labels(["0", "0"], shown, &[]), [0, 1]);
    }
    // A token that could not be read, or a module that did not come to its end: it may be the one that is meant.
    let two =
        || [module(0, "7", "e-port", &[("pin", a, Untold)]), module(1, "7", "bank (User PIN)", &[("p", a, Untold)])];
    assert_eq!(numbers_of(&two(), &BTreeSet::from([0])), [0, 1]);
    assert_eq!(numbers_of(&two(), &BTreeSet::from([1])), [0, 1]);
    // One module shows a part of the device, and the true token otherwise than the other one does.
    let [one, planted] = two();
    let mut all = vec![one, module(1, "7", "e-port (User PIN)", &[("p", a, Untold), ("p", b, Untold)]), planted];
    assert_eq!(numbers(&all), [0, 1, 1, 2]);
    all.reverse();
    assert_eq!(numbers(&all), [0, 1, 1, 2]);
    // Both tokens hold the same: the labels tell them apart, as far as there are two of one label.
    let same: &[Held<'_>] = &[("p", a, Untold), ("p", b, Untold)];
    let all = [0, 1].map(|source| ["customs", "bank"].map(|label| module(source, "7", label, same)));
    assert_eq!(numbers(&all.into_iter().flatten().collect::<Vec<_>>()), [0, 0, 1, 1, 0, 0, 1, 1]);
    // A second token that shows the same: which is meant is not known.
    let rival = [module(1, "7", "bank (User PIN)", &[("p", a, Untold)])];
    assert_eq!(labels(["7", "7"], [Untold; 2], &rival), [0, 1, 2]);
    // One of them says that the key there is another.
    assert_eq!(labels(["7", "7"], [Here, Other], &[]), [0, 1]);
}

#[test]
fn a_token_is_taken_for_the_application_of_a_card_whose_certificates_it_has() {
    let [a, b] = &certificates();
    let device = card(0, "7", &[("eport", a, Here), ("bank", b, Here)]);
    // Whole: each application is a token of the module.
    let (customs, bank) = (module(1, "7", "customs", &[("c", a, Untold)]), module(1, "7", "bank", &[("b", b, Untold)]));
    let all = [device, customs, bank];
    assert_eq!(numbers(&all), [0, 1, 0, 1]);
    let [device, customs, _] = all;
    // The bank's token has a copy of the customs certificate.
    let bank = || module(1, "7", "bank", &[("b", b, Untold), ("b", a, Untold)]);
    let planted = numbers(&[card(0, "7", &[("eport", a, Here), ("bank", b, Here)]), bank()]);
    assert_ne!(planted[0], planted[3], "{planted:?}");
    // Both tokens are there: none of them is taken for it.
    let planted = numbers(&[device, customs, bank()]);
    assert!(planted[0] != planted[4] && planted[2] != planted[4], "{planted:?}");
}

#[test]
fn copies_of_a_key_that_another_token_shows_are_taken_out_and_told_once() {
    let [a, b] = &certificates();
    let profile = Profile::builtin();
    for turned in [false, true] {
        let mut seen = vec![
            module(0, "1", "customs", &[("c", a, Here), ("c", b, Untold)]),
            module(0, "2", "bank", &[("b", b, Here), ("b", a, Untold)]),
        ];
        if turned {
            seen.reverse();
        }
        let scopes = Scopes::of(&seen, &(0..9).collect());
        let mut groups = join(seen, &[]);
        let Dropped { notes, unsure } = scopes.drop_copies(&mut groups, &profile);
        assert!(unsure.is_empty() && notes.iter().all(|n| n.what().unwrap().contains("can be removed")));
        assert_eq!(notes.iter().map(Error::kind).collect::<Vec<_>>(), [ErrorKind::KeyMismatch; 2]);
        assert!(groups.iter().flatten().all(|s| s.contents.len() == 1 && s.contents[0].0.shown == Here));
    }
    // Where nobody shows it, or somebody said already that it is not there, nothing is taken out.
    for (one, two) in [(Untold, Untold), (Here, Other), (Here, Here)] {
        let seen = vec![module(0, "1", "x", &[("c", a, one)]), module(0, "2", "y", &[("b", a, two)])];
        let scopes = Scopes::of(&seen, &(0..9).collect());
        let mut groups = join(seen, &[]);
        let dropped = scopes.drop_copies(&mut groups, &profile);
        assert!(dropped.notes.is_empty() && dropped.unsure.is_empty());
        assert_eq!(groups.iter().flatten().map(|s| s.contents.len()).sum::<usize>(), 2);
    }
}

/// Whoever is told that it is a copy deletes the only one.
#[test]
fn what_may_be_the_same_place_by_another_driver_is_not_called_a_copy() {
    let [a, b] = &certificates();
    let told = |seen: Vec<Seen>| {
        let scopes = Scopes::of(&seen, &(0..9).collect());
        let mut groups = join(seen, &[]);
        let Dropped { notes, unsure } = scopes.drop_copies(&mut groups, &Profile::builtin());
        assert_eq!(groups.iter().flatten().map(|s| s.contents.len()).sum::<usize>(), 2, "the ways that are sure stay");
        let notes: Vec<_> = notes.iter().map(|note| note.what().unwrap().to_owned()).collect();
        (notes, unsure.into_iter().map(|(_, place)| place).collect::<Vec<_>>())
    };
    let device = || card(0, "0000000007", &[("eport", a, Here), ("bank", b, Here)]);
    let whole: &[Held<'_>] = &[("pin", a, Untold), ("pin", b, Untold)];
    // One token of a module shows both applications.
    assert_eq!(told(vec![device(), module(1, "7", "e-port", whole)]), (vec![], vec!["pkcs11:m1.so:7".to_owned(); 2]));
    // Nothing says that it is this device, and nothing that it is another.
    let stranger = door(1, ["pkcs11", "m1.so", "7", "x"], "slot 1", Way::Module, whole);
    let (notes, unsure) = told(vec![device(), stranger]);
    assert!(unsure.is_empty() && notes.len() == 2);
    assert!(
        notes.iter().all(|what| what.contains("where that is another token") && !what.contains("the copy is")),
        "{notes:?}"
    );
    // A module that shows the key's place and this one as two.
    let by_two = vec![
        module(0, "7", "customs", &[("c", a, Here)]),
        module(0, "7", "bank", &[("b", b, Here), ("b", a, Untold)]),
        module(1, "7", "customs (User PIN)", &[("c", a, Untold)]),
        module(1, "7", "bank (User PIN)", &[("b", b, Untold), ("b", a, Untold)]),
    ];
    let scopes = Scopes::of(&by_two, &(0..9).collect());
    let Dropped { notes, unsure } = scopes.drop_copies(&mut join(by_two, &[]), &Profile::builtin());
    assert!(unsure.is_empty() && notes.len() == 2, "{notes:?} {unsure:?}");
    assert!(notes.iter().all(|note| note.what().unwrap().contains("the copy is no way to it")), "{notes:?}");
}

#[test]
fn a_reference_leaves_its_own_door_or_says_where_the_certificate_is() {
    let [a, b] = &certificates();
    let name = |door: &str| Reference::parse(&format!("{door}//{}", a.fingerprint())).unwrap();
    let seen = || {
        let held: &[Held<'_>] = &[("p", a, Untold), ("p", b, Untold)];
        vec![module(0, "1", "A Person", held), module(0, "2", "y", held)]
    };
    let mut left = seen();
    assert!(limit(&mut left, &name("pkcs11:m0.so:2")).is_none());
    assert!(matches!(left.as_slice(), [one] if one.door.info().serial == "2" && one.contents.len() == 1));
    let mut left = seen();
    let told = limit(&mut left, &name("pkcs11:m0.so:3")).unwrap();
    assert!(left.is_empty() && told.kind() == ErrorKind::NoShield);
    let what = told.what().unwrap();
    assert!(what.contains("pkcs11:m0.so:1 and pkcs11:m0.so:2") && !what.contains("Person"), "{what}");
    assert!(limit(&mut Vec::new(), &name("pkcs11:m0.so:3")).is_none());
}
