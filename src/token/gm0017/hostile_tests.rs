//! What hostile or unusual devices and answers become.

use std::sync::Arc;

use super::GM0017;
use super::model::{CUSTOMS_PIN, Card, rules};
use super::tests::{EPORT, pin, pin_of, sign, spot};
use crate::cert::Certificate;
use crate::error::{ErrorKind, Recovery, Status};
use crate::link::Atr;
use crate::policy;
use crate::suite::{Sm2Id, Suite, ToBeSigned};
use crate::token::{Auth, CardRules, Driver, Greeting, Insertion, KeyShown, Token};
use crate::tries::PinStatus;

fn ok(data: &[u8]) -> Vec<u8> {
    [data, &[0x90, 0]].concat()
}

fn kinds(token: &mut dyn Token) -> Vec<ErrorKind> {
    token.notes().iter().map(|note| note.kind()).collect()
}

#[test]
fn a_card_of_another_family_is_left_alone_and_one_that_misdescribes_itself_is_named() {
    let probe = |answer: &[u8]| {
        let card = Card::new("gm3000");
        card.set(|model| drop(model.always.insert(0x04, answer.to_vec())));
        let probed = GM0017.probe(&mut card.clone()).map(|greeting| greeting.is_some()).map_err(|e| e.kind());
        assert_eq!(card.sent().len(), 1);
        probed
    };
    for other in [&[0x6E, 0][..], &[0x6D, 0], &[0x6A, 0x82], &[0x69, 0x82], &[0x90, 0]] {
        assert_eq!(probe(other), Ok(false));
    }
    assert_eq!(probe(&ok(&[7; 287])), Err(ErrorKind::DeviceInfo));
    assert_eq!(probe(&ok(&[7; 294])), Err(ErrorKind::DeviceInfo));
    assert_eq!(probe(&[0x6F, 0]), Err(ErrorKind::TokenFailed));
    assert_eq!(probe(&[0x90]), Err(ErrorKind::TokenAnswer));
    // Whatever a link hands over, there is no token without a block.
    let at = Arc::new(Insertion::new(Atr::default(), vec![]).greeted(Greeting(vec![1; 99])));
    let attached = GM0017.attach(Box::new(Card::new("gm3000")), false, &at);
    assert_eq!(attached.err().map(|e| e.kind()), Some(ErrorKind::DeviceInfo));
}

#[test]
fn a_container_that_does_not_serve_is_noted_and_hides_no_other() {
    let look = |kind: u8, certificates: [bool; 2]| {
        let card = Card::new("gm3000");
        card.set(|model| {
            let container = &mut model.applications[0].containers[0];
            container.kind = kind;
            for (there, certificate) in certificates.into_iter().zip(&mut container.certificates) {
                if !there {
                    *certificate = None;
                }
            }
        });
        let mut token = card.lease(&card.known(&[]));
        let found = token.slots().unwrap().len();
        let notes = token.notes();
        assert!(notes.iter().all(|note| note.what().unwrap().starts_with(EPORT)), "{notes:?}");
        (found, notes.iter().map(|note| note.kind()).collect::<Vec<_>>())
    };
    assert_eq!(look(2, [true, true]), (4, vec![]));
    assert_eq!(look(2, [false, true]), (3, vec![]));
    assert_eq!(look(2, [false, false]), (2, vec![ErrorKind::CertificateChanged]));
    assert_eq!(look(0, [false, false]), (2, vec![ErrorKind::KeyMissing]));
    assert_eq!(look(1, [true, true]), (2, vec![ErrorKind::KeyUnsuited]));
    assert_eq!(look(0x50, [true, true]), (2, vec![ErrorKind::KeyUnsuited]));
    assert_eq!(look(9, [true, true]), (2, vec![ErrorKind::KeyUnsuited]));
}

#[test]
fn a_place_that_is_asked_for_by_name_and_is_not_there_says_so() {
    let card = Card::new("gm3000");
    let look = |label: &str| {
        let mut token = card.lease(&card.known(&[label]));
        assert!(token.slots().unwrap().is_empty());
        kinds(&mut *token)
    };
    assert_eq!(look("gone:customs"), [ErrorKind::CardApplication]);
    assert_eq!(look("eport:gone"), [ErrorKind::KeyMissing]);
    assert_eq!(look("eport:customs:gone"), [ErrorKind::Argument]);
    card.set(|model| model.applications[0].containers[0].certificates[1] = None);
    assert_eq!(look(EPORT), [ErrorKind::CertificateChanged]);
    card.set(|model| model.applications[0].containers[0].kind = 0);
    assert_eq!(look(EPORT), [ErrorKind::KeyMissing]);
    card.set(|model| model.applications[0].containers[0].kind = 2);
    let mut token = card.lease(&card.known(&[]));
    let error = token.certificate(&spot(EPORT).certificate()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CertificateChanged);
    // Places of other families are not these.
    let mut token = card.lease(&card.known(&["9A", "9C"]));
    assert_eq!(token.slots().unwrap().len(), 3);
    assert_eq!(kinds(&mut *token), []);
}

/// Containers are numbered as they are opened: a number of an earlier lease may be nobody's by now.
#[test]
fn a_number_that_has_grown_old_is_asked_for_anew_and_says_nothing_of_a_key() {
    let card = Card::new("gm3000");
    card.set(|model| model.applications[0].containers.insert(0, super::model::container("old", 2, 9)));
    let at = card.known(&[]);
    let shown = |token: &mut dyn Token| {
        let found = token.slots().unwrap();
        found.iter().find(|slot| slot.label == EPORT).unwrap().shown
    };
    let first = shown(&mut *card.lease(&at));
    card.set(|model| drop(model.applications[0].containers.remove(0)));
    let mut token = card.lease(&at);
    assert_eq!(shown(&mut *token), first);
    assert_eq!(kinds(&mut *token), []);
    drop(token);
    for sw in [0x6A91_u16, 0x6A94] {
        card.set(|model| drop(model.always.insert(0x88, sw.to_be_bytes().to_vec())));
        let mut token = card.lease(&card.known(&[]));
        card.sent();
        assert_eq!(shown(&mut *token), KeyShown::Untold, "{sw:04X}");
        let asked = card.instructions().iter().filter(|ins| **ins == 0x88).count();
        assert_eq!(asked, kinds(&mut *token).len() * 2, "once more for each place: {sw:04X}");
    }
}

#[test]
fn certificates_of_any_shape_are_read_or_noted() {
    let der = Card::new("gm3000").set(|model| model.applications[0].containers[0].certificates[1].clone().unwrap());
    let counted = |octets: &[u8], length: usize| {
        let card = Card::new("gm3000");
        let length = u32::try_from(length).unwrap().to_be_bytes();
        card.set(|model| drop(model.always.insert(0x4E, ok(&[&length[..], octets].concat()))));
        let mut token = card.lease(&card.known(&[EPORT]));
        (token.slots().unwrap().len(), kinds(&mut *token))
    };
    assert_eq!(counted(&der, der.len()), (1, vec![]));
    assert_eq!(counted(&der, der.len() - 1), (0, vec![ErrorKind::CertificateMalformed]));
    // A file with room behind its certificate.
    assert_eq!(counted(&[&der[..], &[0xFF; 2000]].concat(), der.len()), (1, vec![]));
    assert_eq!(counted(&der, der.len() + 1), (0, vec![ErrorKind::TokenAnswer]));
    assert_eq!(counted(&der, 0xFFFF_FFFF), (0, vec![ErrorKind::TokenAnswer]));
    // The other order of octets: that is what a wrong dialect looks like, and no driver is to blame.
    assert_eq!(
        counted(&der, u32::try_from(der.len()).unwrap().swap_bytes() as usize),
        (0, vec![ErrorKind::DialectMissing])
    );
    assert_eq!(counted(&[], 0), (0, vec![ErrorKind::CertificateChanged]));
    assert_eq!(counted(&[0x30; 99], 99), (0, vec![ErrorKind::CertificateMalformed]));
    let long = policy::CERTIFICATE_MAX + 1;
    assert_eq!(counted(&vec![0x30; long], long), (0, vec![ErrorKind::CertificateMalformed]));
    // An RSA certificate in a container that is asked for by name.
    let rsa = include_bytes!("../../../tests/vectors/synthetic_rsa_cert.pem");
    let rsa = Certificate::from_pem(rsa).unwrap();
    assert_eq!(counted(rsa.der(), rsa.der().len()), (0, vec![ErrorKind::KeyUnsuited]));
}

#[test]
fn names_without_end_cost_a_bounded_number_of_commands() {
    let card = Card::new("gm3000");
    let many: Vec<u8> = (0..5_000).flat_map(|i| format!("name {i}\0").into_bytes()).collect();
    card.set(|model| {
        model.always.insert(0x22, ok(&many));
        model.always.insert(0x26, ok(&[0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1]));
        model.always.insert(0x46, ok(&many));
    });
    let mut token = card.lease(&card.known(&[]));
    assert!(token.slots().unwrap().is_empty());
    assert!(kinds(&mut *token).contains(&ErrorKind::TokenAnswer));
    let sent = card.sent().len();
    assert!(sent <= 2 + policy::APPLICATIONS_MAX * (2 + policy::CONTAINERS_MAX), "{sent}");
}

#[test]
fn an_answer_in_parts_without_end_ends() {
    let card = Card::new("gm3000");
    card.set(|model| drop(model.always.insert(0x22, vec![7, 0x6A, 0x9E])));
    let mut token = card.lease(&card.known(&[]));
    assert_eq!(token.slots().unwrap_err().kind(), ErrorKind::TokenAnswer);
    assert_eq!(card.sent().len(), 1 + policy::ANSWER_ROUNDS + 1);
    // What carries a PIN, and what writes, is never repeated for it.
    let card = Card::new("gm3000");
    card.set(|model| drop(model.always.insert(0x18, vec![0x6A, 0x9E])));
    let at = card.known(&[EPORT]);
    let error = sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap_err();
    assert_eq!((error.kind(), error.raw_status()), (ErrorKind::LoginFailed, Some(&Status::Sw(0x6A9E))));
    assert_eq!(card.logins(), 1);
}

#[test]
fn tries_that_cannot_be_are_not_believed() {
    let told = |info: &[u8]| {
        let card = Card::new("gm3000");
        card.set(|model| drop(model.always.insert(0x14, ok(info))));
        card.lease(&card.known(&[EPORT])).pin_state(&pin_of(EPORT)).map(|s| s.status).map_err(|e| e.kind())
    };
    let unknown = Ok(PinStatus::Unknown { refused: false });
    assert_eq!(told(&[5, 5, 0]), Ok(PinStatus::Known(5)));
    assert_eq!(told(&[15, 1, 1]), Ok(PinStatus::Known(1)));
    assert_eq!(told(&[5, 6, 0]), unknown, "more left than there are");
    assert_eq!(told(&[0xFF, 0xFF, 0]), unknown);
    assert_eq!(told(&[0, 3, 0]), unknown);
    for locked in [[5, 0, 0], [0, 0, 0], [0xFF, 0, 0]] {
        assert_eq!(told(&locked), Ok(PinStatus::Locked));
    }
    for odd in [&[][..], &[5], &[5, 5], &[5, 5, 0, 0]] {
        assert_eq!(told(odd), Err(ErrorKind::TokenAnswer));
    }
}

#[test]
fn a_device_that_does_not_tell_its_tries_is_remembered_to_have_refused() {
    let card = Card::new("gm3000");
    card.set(|model| drop(model.always.insert(0x14, ok(&[0xFF, 0xFF, 0]))));
    let at = card.known(&[EPORT]);
    let status = || card.lease(&at).pin_state(&pin_of(EPORT)).unwrap().status;
    let error = card.lease(&at).login(&pin_of(EPORT), Auth::Pin(&pin("000000"))).unwrap_err();
    let refused = PinStatus::Unknown { refused: true };
    assert_eq!((error.kind(), error.tries_left(), status()), (ErrorKind::PinIncorrect, Some(refused), refused));
    let again = sign(&mut *card.lease(&at), EPORT, Auth::Shared(&pin("000000"))).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::TriesUnknown);
    card.lease(&at).login(&pin_of(EPORT), Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    assert_eq!(status(), PinStatus::Unknown { refused: false });
    // Where a first try in this dialect would need three, nobody can say that there are.
    let rules = CardRules { try_unproven: true, ..rules("gm3000", false) };
    let error = card.lease(&card.insertion(&[], rules)).login(&pin_of(EPORT), Auth::Pin(&pin(CUSTOMS_PIN)));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::DialectUnproven);
}

#[test]
fn what_devices_answer_to_a_pin_becomes_the_right_error() {
    let cases: &[(u16, ErrorKind)] = &[
        (0x63C2, ErrorKind::PinIncorrect),
        (0x6320, ErrorKind::PinIncorrect),
        (0x6300, ErrorKind::PinIncorrect),
        (0x6983, ErrorKind::PinLocked),
        (0x698A, ErrorKind::CardApplication),
        (0x6D00, ErrorKind::Unsupported),
        (0x6A80, ErrorKind::LoginFailed),
        (0x6985, ErrorKind::LoginFailed),
        (0x6700, ErrorKind::LoginFailed),
        (0x6C10, ErrorKind::LoginFailed),
        (0x6110, ErrorKind::LoginFailed),
        (0x6F00, ErrorKind::LoginFailed),
    ];
    for (sw, kind) in cases {
        let card = Card::new("gm3000");
        card.set(|model| {
            model.always.insert(0x18, sw.to_be_bytes().to_vec());
            model.always.insert(0xC0, sw.to_be_bytes().to_vec());
            model.applications[0].pins[1].1 = 4;
        });
        let at = card.known(&[EPORT]);
        let error = card.lease(&at).login(&pin_of(EPORT), Auth::Pin(&pin(CUSTOMS_PIN))).unwrap_err();
        if *sw == 0x6110 {
            assert_eq!(error.kind(), ErrorKind::TokenAnswer);
        } else {
            assert_eq!((error.kind(), error.raw_status()), (*kind, Some(&Status::Sw(*sw))), "{sw:04X}");
            assert_eq!(error.tries_left(), Some(PinStatus::Known(4)), "{sw:04X}");
        }
        assert_eq!(card.logins(), 1, "{sw:04X}");
    }
}

#[test]
fn what_devices_answer_to_a_signature_becomes_the_right_error() {
    let cases: &[(u16, ErrorKind)] = &[
        (0x6982, ErrorKind::PinRequired),
        (0x6985, ErrorKind::PinRequired),
        (0x6A95, ErrorKind::KeyMissing),
        (0x6A94, ErrorKind::KeyMissing),
        (0x698A, ErrorKind::CardApplication),
        (0x6A81, ErrorKind::Unsupported),
        (0x6A9C, ErrorKind::TokenAnswer),
        (0x6F00, ErrorKind::TokenFailed),
        (0x6ABC, ErrorKind::TokenAnswer),
    ];
    for (sw, kind) in cases {
        let card = Card::new("gm3000");
        card.set(|model| drop(model.always.insert(0x74, sw.to_be_bytes().to_vec())));
        let at = card.known(&[EPORT]);
        let error = sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap_err();
        // The PIN was accepted: whoever is asked for it again gets no further.
        let wants_more = *kind == ErrorKind::PinRequired;
        let kind_now = if wants_more { ErrorKind::Unsupported } else { *kind };
        assert_eq!((error.kind(), error.raw_status()), (kind_now, Some(&Status::Sw(*sw))), "{sw:04X}");
        assert!(!wants_more || error.recovery() == Recovery::UnlockAtIssuer(None), "{error}");
        assert!(!wants_more || error.to_string().contains("entering it again does not help"), "{error}");
        assert_eq!(card.logins(), 1, "a PIN that a person typed goes out once");
        let error = sign(&mut *card.lease(&at), EPORT, Auth::Shared(&pin(CUSTOMS_PIN))).unwrap_err();
        assert_eq!(error.kind(), *kind);
        assert!(card.logins() <= 2, "{sw:04X}");
    }
}

#[test]
fn a_signature_that_cannot_be_one_is_not_handed_out() {
    let (bits, one) = (vec![0, 0, 1, 0], [&[0; 31][..], &[1]].concat());
    // n of GB/T 32918.5 §3.
    let order = b"\xFF\xFF\xFF\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x72\x03\xDF\x6B\x21\xC6\x05\x2B\x53\xBB\xF4\x09\x39\xD5\x41\x23".to_vec();
    let (zero, most) = (vec![0; 32], vec![0xFF; 32]);
    let hostile: Vec<Vec<u8>> = vec![
        [&bits[..], &zero, &one].concat(),
        [&bits[..], &one, &zero].concat(),
        [&bits[..], &order, &one].concat(),
        [&bits[..], &one, &order].concat(),
        [&bits[..], &most, &most].concat(),
        [&[0, 1, 0, 0][..], &one, &one].concat(),
        [&[0, 0, 2, 0][..], &one, &one].concat(),
        [&bits[..], &one, &one, &[0]].concat(),
        [&bits[..], &one, &one[1..]].concat(),
        bits.clone(),
        vec![],
    ];
    for octets in hostile {
        let card = Card::new("gm3000");
        card.set(|model| drop(model.always.insert(0x74, ok(&octets))));
        let error = sign(&mut *card.lease(&card.known(&[EPORT])), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TokenAnswer, "{octets:02X?}");
    }
}

#[test]
fn a_key_with_a_display_gets_the_message_where_it_takes_no_digest() {
    let card = Card::new("gm3000");
    card.set(|model| drop(model.always.insert(0x74, vec![0x6A, 0x86])));
    let at = card.known(&[EPORT]);
    let mut token = card.lease(&at);
    let der = token.certificate(&spot(EPORT).certificate()).unwrap();
    let key = Certificate::from_der(&der).unwrap().key().unwrap().clone();
    let mut tbs = ToBeSigned::over(Suite::Sm2Sm3, &key, b"order").unwrap();
    let typed = pin(CUSTOMS_PIN);
    let mut attempt = |tbs: &ToBeSigned| {
        let error = token.sign(&spot(EPORT).key(), &pin_of(EPORT), Auth::Pin(&typed), tbs).unwrap_err();
        assert_eq!(error.raw_status(), Some(&Status::Sw(0x6A86)));
        let signs: Vec<Vec<u8>> = card.sent().into_iter().filter(|c| c[1] == 0x74).collect();
        signs
    };
    assert_eq!(attempt(&tbs).len(), 1);
    tbs.message = Some(Arc::from(&b"order"[..]));
    let signs = attempt(&tbs);
    assert_eq!((signs.len(), signs[1][2]), (2, 1));
    assert_eq!(signs[1][11..], *b"\0\0\0\x101234567812345678order\0\x44");
    // The device makes Z of what is sent, so it has to be the identifier that was agreed on.
    tbs.sm2_id = Some(Sm2Id::new("ALICE123@YAHOO.COM").unwrap());
    assert_eq!(attempt(&tbs)[1][11..], *b"\0\0\0\x12ALICE123@YAHOO.COMorder\0\x44");
    tbs.sm2_id = None;
    assert_eq!(attempt(&tbs).len(), 1, "nobody says which identifier is in e");
}

#[test]
fn answers_too_short_or_too_long_are_no_numbers() {
    for (ins, right) in [(0x26_u8, 10_usize), (0x42, 2), (0x50, 8)] {
        for length in [0, 1, right - 1, right + 1, 300] {
            let card = Card::new("gm3000");
            let at = card.known(&[EPORT]);
            card.lease(&at).certificate(&spot(EPORT).certificate()).unwrap();
            at.was_reset();
            card.sent();
            card.set(|model| drop(model.always.insert(ins, ok(&vec![1; length]))));
            let error = sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TokenAnswer, "{ins:02X} {length}");
            assert_eq!(card.logins(), 0);
        }
    }
}
