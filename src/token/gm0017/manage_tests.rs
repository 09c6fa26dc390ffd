//! What changing PINs, issuing, envelopes and the free functions send.

use super::enveloped::tests::{cipher_der, enveloped_der};
use super::model::{ADMIN_PIN, BANK_PIN, CUSTOMS_PIN, Card, certificate, point, rules};
use super::tests::{BANK, EPORT, pin, pin_of, sign, spot};
use super::{Dialect, FileAttributes, Rights};
use crate::apdu::Exchange;
use crate::error::{ErrorKind, Recovery, Result, Status};
use crate::suite::{KeyKind, Suite};
use crate::token::{AdminAuth, Auth, CardRules, ContentKey, Insertion, KeyRef, Recipient, Token, Wants};
use crate::tries::PinStatus;

const OPEN: u8 = 0x26;
const INFO: u8 = 0x14;
const RANDOM: u8 = 0x50;
const CHANGE: u8 = 0x16;
const UNBLOCK: u8 = 0x1A;
const CLEAR: u8 = 0x1C;

fn change(card: &Card, at: &std::sync::Arc<Insertion>, old: &str, new: &str) -> Result<()> {
    card.lease(at).pins().unwrap().change(&pin_of(EPORT), &pin(old), &pin(new))
}

#[test]
fn a_changed_pin_is_the_new_one_and_the_other_application_keeps_its_own() {
    let card = Card::new("syno-2015");
    let at = card.known(&[]);
    card.sent();
    change(&card, &at, CUSTOMS_PIN, "new-pin-1").unwrap();
    let sent = card.sent();
    assert_eq!(sent.iter().map(|c| c[1]).collect::<Vec<_>>(), [OPEN, INFO, RANDOM, CHANGE, CLEAR]);
    // 84 16 00 01, Lc 22: AppID, 16 octets, MAC.
    assert_eq!((sent[3][..7].to_vec(), sent[3].len()), (vec![0x84, 0x16, 0, 1, 0, 0, 22], 7 + 22));
    let error = sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin(CUSTOMS_PIN))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PinIncorrect);
    sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin("new-pin-1"))).unwrap();
    sign(&mut *card.lease(&at), BANK, Auth::Pin(&pin(BANK_PIN))).unwrap();
    card.sent();
    let error = change(&card, &at, "000000", "111111").unwrap_err();
    assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinIncorrect, Some(PinStatus::Known(4))));
    assert_eq!(card.instructions().iter().filter(|ins| **ins == CHANGE).count(), 1);
    assert_eq!(card.tries(), [4, 6]);
}

#[test]
fn pins_that_cannot_be_ones_and_locked_ones_are_not_sent() {
    let card = Card::new("syno-2015");
    let at = card.known(&[]);
    card.sent();
    assert_eq!(change(&card, &at, "12345", "new-pin-1").unwrap_err().kind(), ErrorKind::PinLength);
    for new in ["12345", "12345678901234567", "密码密码"] {
        assert_eq!(change(&card, &at, CUSTOMS_PIN, new).unwrap_err().kind(), ErrorKind::NewPinRefused);
    }
    assert!(card.sent().is_empty());
    // Each is told of the one that it is about.
    let mut token = card.lease(&at);
    let pins = token.pins().unwrap();
    let (short, right) = (pin("12345"), pin("123456"));
    for error in [
        pins.unblock(&pin_of(EPORT), AdminAuth::Pin(&short), &right).unwrap_err(),
        pins.change_puk(&pin_of(EPORT), &short, &right).unwrap_err(),
        pins.change_puk(&pin_of(EPORT), &right, &short).unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(error.is_of_unlock_code() && text.contains("unlock code (PUK)") && !text.contains("{role}"), "{text}");
    }
    for error in [
        pins.unblock(&pin_of(EPORT), AdminAuth::Pin(&right), &short).unwrap_err(),
        pins.change(&pin_of(EPORT), &right, &short).unwrap_err(),
    ] {
        assert_eq!((error.is_of_unlock_code(), error.recovery()), (false, Recovery::ChooseNewPin), "{error}");
    }
    drop(token);
    assert!(card.sent().is_empty());
    card.set(|model| model.applications[0].pins = [(ADMIN_PIN.into(), 0, 8), (CUSTOMS_PIN.into(), 0, 5)]);
    let mut token = card.lease(&at);
    let pins = token.pins().unwrap();
    let error = pins.change(&pin_of(EPORT), &pin(CUSTOMS_PIN), &pin("111111")).unwrap_err();
    assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PinLocked, Some(PinStatus::Locked)));
    let by = pin(ADMIN_PIN);
    let error = pins.unblock(&pin_of(EPORT), AdminAuth::Pin(&by), &pin("111111")).unwrap_err();
    assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PukLocked, Some(PinStatus::Locked)));
    drop(token);
    assert!(card.instructions().iter().all(|ins| matches!(*ins, OPEN | INFO)));
}

#[test]
fn a_locked_pin_is_unblocked_by_its_own_admin_pin_alone() {
    let card = Card::new("syno-2015");
    let at = card.known(&[]);
    card.set(|model| {
        model.applications[0].pins[1].1 = 0;
        model.applications[1].pins[0].0 = "bankadmin".into();
    });
    let unblock = |label: &str, by: &str| {
        let mut token = card.lease(&at);
        token.pins().unwrap().unblock(&pin_of(label), AdminAuth::Pin(&pin(by)), &pin("new-pin-1"))
    };
    let error = unblock(EPORT, "bankadmin").unwrap_err();
    assert_eq!((error.kind(), error.tries_left()), (ErrorKind::PukIncorrect, Some(PinStatus::Known(7))));
    let told = card.lease(&at).pins().unwrap().puk_status(&pin_of(EPORT)).unwrap();
    assert_eq!(told, PinStatus::Known(7));
    card.sent();
    unblock(EPORT, ADMIN_PIN).unwrap();
    let sent = card.sent();
    assert_eq!(sent.iter().map(|c| c[1]).collect::<Vec<_>>(), [OPEN, INFO, RANDOM, UNBLOCK, CLEAR]);
    assert_eq!(sent[3][..4], [0x84, 0x1A, 0, 0]);
    sign(&mut *card.lease(&at), EPORT, Auth::Pin(&pin("new-pin-1"))).unwrap();
    assert_eq!(card.tries(), [5, 6]);
    // The admin PIN is changed by itself.
    let mut token = card.lease(&at);
    token.pins().unwrap().change_puk(&pin_of(EPORT), &pin(ADMIN_PIN), &pin("new-admin")).unwrap();
    drop(token);
    assert_eq!(unblock(EPORT, ADMIN_PIN).unwrap_err().kind(), ErrorKind::PukIncorrect);
    unblock(EPORT, "new-admin").unwrap();
    let mut token = card.lease(&at);
    let key = token.pins().unwrap().unblock(&pin_of(EPORT), AdminAuth::Key(&[0; 16]), &pin("new-pin-1"));
    assert_eq!(key.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn what_devices_answer_to_a_change_becomes_the_right_error() {
    let cases: &[(u16, ErrorKind)] = &[
        (0x6300, ErrorKind::PinIncorrect),
        (0x6340, ErrorKind::PinIncorrect),
        (0x6983, ErrorKind::PinLocked),
        (0x6A80, ErrorKind::NewPinRefused),
        (0x6D00, ErrorKind::Unsupported),
        (0x698A, ErrorKind::CardApplication),
        (0x6988, ErrorKind::LoginFailed),
        (0x6985, ErrorKind::LoginFailed),
        (0x6ABC, ErrorKind::LoginFailed),
    ];
    for (sw, kind) in cases {
        let card = Card::new("syno-2015");
        card.set(|model| drop(model.always.insert(CHANGE, sw.to_be_bytes().to_vec())));
        let error = change(&card, &card.known(&[]), CUSTOMS_PIN, "new-pin-1").unwrap_err();
        assert_eq!((error.kind(), error.raw_status()), (*kind, Some(&Status::Sw(*sw))), "{sw:04X}");
        assert_eq!(
            error.tries_left(),
            Some(PinStatus::Known(5)),
            "read from the device, whatever the status word says"
        );
        assert!(!format!("{error} {error:?}").contains(CUSTOMS_PIN));
    }
}

#[test]
fn where_the_mac_or_the_dialect_is_not_known_no_pin_is_changed() {
    for dialect in ["gm3000", "usbtool"] {
        let card = Card::new(dialect);
        assert!(card.lease(&card.known(&[])).pins().is_none());
    }
    let card = Card::new("syno-2015");
    let at = card.insertion(&[], CardRules::default());
    card.sent();
    let error = change(&card, &at, CUSTOMS_PIN, "new-pin-1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DialectMissing);
    let at = card.insertion(&[], rules("syno-2015", false));
    card.sent();
    let error = change(&card, &at, CUSTOMS_PIN, "new-pin-1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DialectUnproven);
    assert!(!card.instructions().contains(&CHANGE));
}

#[test]
fn a_key_is_made_in_a_new_container_and_takes_its_own_certificate_alone() {
    let card = Card::new("gm3000");
    let at = card.known(&[]);
    let new = super::place("eport", "second").unwrap();
    let by = pin(CUSTOMS_PIN);
    let mut token = card.lease(&at);
    let issuing = token.issuing().unwrap();
    let key = issuing.generate(&new, Suite::Sm2Sm3, AdminAuth::Pin(&by)).unwrap();
    assert_eq!(key.kind(), KeyKind::Sm2);
    assert_eq!(issuing.public_key(&new).unwrap().spki(), key.spki());
    card.sent();
    let foreign = certificate(2, &[0x22; 32], "somebody else");
    let error = issuing.import_certificate(&new, &foreign, AdminAuth::Pin(&by)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyMismatch);
    assert!(card.instructions().iter().all(|ins| matches!(*ins, 0x4A | 0x88)), "nothing was written, and no PIN sent");
    for bad in [&[0x30; 300][..], &vec![0x30; 20_000]] {
        let error = issuing.import_certificate(&new, bad, AdminAuth::Pin(&by)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CertificateMalformed);
    }
    let ours = certificate(2, &[0x21; 32], "second");
    issuing.import_certificate(&new, &ours, AdminAuth::Pin(&by)).unwrap();
    drop(token);
    let mut token = card.lease(&at);
    let found = token.slots().unwrap();
    assert!(found.iter().any(|slot| slot.label == "eport:second" && slot.wants == Wants::Once));
    assert_eq!(token.certificate(&spot("eport:second").certificate()).unwrap(), ours);
    sign(&mut *token, "eport:second", Auth::Pin(&pin(CUSTOMS_PIN))).unwrap();
    let places = token.issuing().unwrap().places().unwrap();
    let places: Vec<_> = places.iter().map(|place| (place.name.as_str(), place.taken)).collect();
    assert_eq!(places, [(EPORT, true), ("eport:second", true), (BANK, true)]);
    let mut token = card.lease(&card.known(&["eport:third"]));
    assert!(!token.issuing().unwrap().places().unwrap()[0].taken);
}

#[test]
fn issuing_spends_no_last_try_and_makes_no_other_keys() {
    let card = Card::new("gm3000");
    let at = card.known(&[]);
    let (place, by) = (super::place("eport", "customs").unwrap(), pin(CUSTOMS_PIN));
    let generate = |suite, by| card.lease(&at).issuing().unwrap().generate(&place, suite, by).unwrap_err().kind();
    assert_eq!(generate(Suite::RsaSha256, AdminAuth::Pin(&by)), ErrorKind::Unsupported);
    assert_eq!(generate(Suite::P256Sha256, AdminAuth::Pin(&by)), ErrorKind::Unsupported);
    assert_eq!(generate(Suite::Sm2Sm3, AdminAuth::Key(&[0; 16])), ErrorKind::AdminKey);
    card.set(|model| model.applications[0].pins[1].1 = 1);
    assert_eq!(generate(Suite::Sm2Sm3, AdminAuth::Pin(&by)), ErrorKind::LastTry);
    assert_eq!(card.logins(), 0);
    let encryption = super::encryption_place("eport", "customs").unwrap();
    let mut token = card.lease(&at);
    let made = token.issuing().unwrap().generate(&encryption, Suite::Sm2Sm3, AdminAuth::Pin(&by));
    assert_eq!(made.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(super::place("", "x").unwrap_err().kind(), ErrorKind::NameLength);
}

#[test]
fn an_encryption_pair_is_imported_beside_a_signing_key() {
    let card = Card::new("gm3000");
    let at = card.known(&[]);
    let (place, by) = (super::encryption_place("eport", "customs").unwrap(), pin(CUSTOMS_PIN));
    let pair = enveloped_der(&point(2, &[8; 32]));
    card.lease(&at).issuing().unwrap().import_encryption_pair(&place, &pair, AdminAuth::Pin(&by)).unwrap();
    let sent = card.sent();
    let import = sent.iter().find(|c| c[1] == 0x72).unwrap();
    let data = &import[7..];
    assert_eq!((data[..2].to_vec(), data[2]), (vec![0x10, 1], 0x30));
    assert_eq!(data[4..16], [0, 2, 8, 0, 0, 0, 4, 1, 0, 0, 1, 0]);
    card.set(|model| model.applications[0].containers[0].kind = 0);
    let missing = card.lease(&at).issuing().unwrap().import_encryption_pair(&place, &pair, AdminAuth::Pin(&by));
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::KeyMissing);
    card.set(|model| model.applications[0].containers[0].kind = 1);
    let rsa = card.lease(&at).issuing().unwrap().import_encryption_pair(&place, &pair, AdminAuth::Pin(&by));
    assert_eq!(rsa.unwrap_err().kind(), ErrorKind::KeyUnsuited);
}

#[test]
fn a_public_key_that_cannot_be_one_is_refused() {
    let show = |answer: Vec<u8>| {
        let card = Card::new("gm3000");
        card.set(|model| drop(model.always.insert(0x88, [&answer[..], &[0x90, 0]].concat())));
        let mut token = card.lease(&card.known(&[]));
        token.issuing().unwrap().public_key(&super::place("eport", "customs").unwrap()).map_err(|e| e.kind())
    };
    let good = [&[0, 0, 1, 0][..], &point(2, &[3; 32])].concat();
    assert!(show(good.clone()).is_ok());
    let changed = |at: usize, to: u8| {
        let mut octets = good.clone();
        octets[at] ^= to;
        show(octets).err()
    };
    assert_eq!(changed(67, 1), Some(ErrorKind::KeyMalformed), "off the curve");
    assert_eq!(changed(3, 1), Some(ErrorKind::KeyMalformed), "not of 256 bits");
    assert_eq!(show([&[0, 0, 1, 0][..], &[0; 64]].concat()).err(), Some(ErrorKind::KeyMalformed));
    assert_eq!(show([&[0, 0, 1, 0][..], &[0xFF; 64]].concat()).err(), Some(ErrorKind::KeyMalformed));
    assert_eq!(show(good[..67].to_vec()).err(), Some(ErrorKind::TokenAnswer));
    assert_eq!(show([&good[..], &[0]].concat()).err(), Some(ErrorKind::TokenAnswer));
}

#[test]
fn an_envelope_is_opened_on_the_device_and_its_key_ends_with_the_lease() {
    let card = Card::new("gm3000");
    card.set(|model| {
        model.always.insert(0xA0, vec![0x40, 0x01, 0x90, 0]);
        model.always.insert(0xAC, vec![0x90, 0]);
        model.always.insert(0xAE, [&[0x5A; 32][..], &[0x90, 0]].concat());
        model.always.insert(0xC4, vec![0x90, 0]);
    });
    let at = card.known(&[]);
    let (key, cipher) = (spot("eport:customs:encryption").key(), cipher_der(16));
    let typed = pin(CUSTOMS_PIN);
    let mut token = card.lease(&at);
    token.slots().unwrap();
    card.sent();
    let open = |token: &mut dyn Token, key: &KeyRef, from: &Recipient<'_>| {
        token.opening().unwrap().content_key(key, &pin_of(EPORT), Auth::Pin(&typed), from)
    };
    let refused =
        |token: &mut dyn Token, key: &KeyRef, from: &Recipient<'_>| open(token, key, from).unwrap_err().kind();
    for other in [Recipient::EcdhP256(&[4; 65]), Recipient::RsaPkcs1(&[0; 256])] {
        assert_eq!(refused(&mut *token, &key, &other), ErrorKind::Unsupported);
    }
    assert_eq!(refused(&mut *token, &spot(EPORT).key(), &Recipient::Sm2(&cipher)), ErrorKind::KeyUnsuited);
    assert_eq!(refused(&mut *token, &spot("bank:pay:encryption").key(), &Recipient::Sm2(&cipher)), ErrorKind::PinRole);
    for length in 0..cipher.len() {
        assert_eq!(refused(&mut *token, &key, &Recipient::Sm2(&cipher[..length])), ErrorKind::DocumentMalformed);
    }
    assert!(card.sent().is_empty());
    let Ok(ContentKey::OnToken(session)) = open(&mut *token, &key, &Recipient::Sm2(&cipher)) else { panic!() };
    let sent = card.sent();
    let import = sent.last().unwrap();
    // alg4, len4; in the counted field bits4, C1, C3, len4, C2.
    assert_eq!((import[1], &import[11..23]), (0xA0, &[0, 0, 4, 1, 0, 0, 0, 120, 0, 0, 1, 0][..]));
    let inside = [&point(2, &[9; 32])[..], &[0xC3; 32], &[0, 0, 0, 16], &[0xC2; 16]].concat();
    assert_eq!(import[23..23 + 116], inside);
    let mut blocks = [1; 32];
    token.opening().unwrap().decrypt(&session, &mut blocks).unwrap();
    let sent = card.sent();
    assert_eq!((blocks, [sent[0][1], sent[1][1]], sent.len()), ([0x5A; 32], [0xAC, 0xAE], 2));
    assert_eq!(sent[0][7..], [&import[7..11], &[0x40, 1], &[0, 0, 4, 1], &[0; 44][..]].concat());
    let short = token.opening().unwrap().decrypt(&session, &mut [0; 17]).unwrap_err();
    assert_eq!(short.kind(), ErrorKind::Argument);
    let wrong = token.opening().unwrap().decrypt(&session, &mut [0; 16]).unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::TokenAnswer, "the device gave 32 octets for 16");
    drop(token);
    assert_eq!(card.instructions(), [0xAC, 0xAE, 0xC4, CLEAR]);
    let old = card.lease(&at).opening().unwrap().decrypt(&session, &mut blocks).unwrap_err();
    assert_eq!(old.kind(), ErrorKind::Argument);
}

#[test]
fn files_go_in_the_fields_of_the_dialect() {
    let run = |dialect: &str, name: &str| {
        let card = Card::new(dialect);
        card.set(|model| {
            for ins in [0x30, 0x32, 0x3A] {
                model.always.insert(ins, vec![0x90, 0]);
            }
            model.always.insert(0x34, b"a\0b:c\0\x90\0".to_vec());
            model.always.insert(0x36, vec![0, 0, 1, 0, 0, 0, 0, 0x10, 0, 0, 0, 0xFF, 0x90, 0]);
            model.always.insert(0x38, [&[7; 128][..], &[0x90, 0]].concat());
        });
        let dialect = Dialect::named(dialect).unwrap();
        let mut port = card.clone();
        let mut exchange = Exchange::new(&mut port);
        let application = super::open_application(&mut exchange, "eport").unwrap();
        let attributes = FileAttributes { size: 256, read: Rights::ANYONE, write: Rights::USER };
        super::create_file(&mut exchange, dialect, application, name, &attributes)?;
        let listed = super::files(&mut exchange, application).unwrap();
        assert_eq!(listed, ["a", "b%3Ac"]);
        let told = super::file_attributes(&mut exchange, dialect, application, name).unwrap();
        let octets = super::read_file(&mut exchange, dialect, application, name, (256, 256)).unwrap();
        assert_eq!(octets, [7; 256]);
        let short = super::read_file(&mut exchange, dialect, application, name, (0, 5)).unwrap_err();
        assert_eq!(short.kind(), ErrorKind::TokenAnswer);
        super::write_file(&mut exchange, dialect, application, name, (1, &[9; 200])).unwrap();
        let far = super::write_file(&mut exchange, dialect, application, name, (65_500, &[9; 200])).unwrap_err();
        assert_eq!(far.kind(), ErrorKind::Argument);
        super::delete_file(&mut exchange, application, name).unwrap();
        super::close_application(&mut exchange, application).unwrap();
        drop(exchange);
        Ok::<_, crate::error::Error>((told, card.sent()))
    };
    let (told, sent) = run("gm3000", "file").unwrap();
    assert_eq!(told, FileAttributes { size: 256, read: Rights::USER, write: Rights::ANYONE });
    let create = &sent[1];
    assert_eq!((&create[..7], create.len()), (&[0x80, 0x30, 0x10, 1, 0, 0, 44][..], 7 + 44));
    assert_eq!(create[39..], [0, 0, 1, 0, 0, 0, 0, 0xFF, 0, 0, 0, 0x10]);
    let reads: Vec<_> = sent.iter().filter(|c| c[1] == 0x38).map(|c| c[7..].to_vec()).collect();
    assert_eq!(reads[1], b"\x10\x01\x01\x80\x00\x04file\x00\x80", "AppID, offset, length of the name, name, Le");
    let writes: Vec<_> = sent.iter().filter(|c| c[1] == 0x3A).map(|c| c[7..19].to_vec()).collect();
    assert_eq!(
        writes[..2],
        [b"\x10\x01\x00\x01\x00\x04file\x00\x80".to_vec(), b"\x10\x01\x00\x81\x00\x04file\x00\x48".to_vec()]
    );
    let (_, sent) = run("syno-2015", "file").unwrap();
    assert_eq!((sent[1][6], &sent[1][55..59]), (60, &[0, 1, 0, 0][..]), "48 octets of name, little-endian");
    let long = run("gm3000", &"x".repeat(33)).unwrap_err();
    assert_eq!(long.kind(), ErrorKind::NameLength);
}

#[test]
fn the_device_itself_is_reached_by_free_functions() {
    let card = Card::new("gm3000");
    card.set(|model| {
        model.always.insert(0x10, vec![0x63, 0xC4]);
        model.always.insert(0x02, vec![0x90, 0]);
    });
    let mut port = card.clone();
    let mut exchange = Exchange::new(&mut port);
    assert_eq!(super::device_info(&mut exchange).unwrap().issuer, "Model issuer");
    let error = super::authenticate_device(&mut exchange, b"1234567812345678").unwrap_err();
    assert_eq!((error.kind(), error.raw_status()), (ErrorKind::AdminKey, Some(&Status::Sw(0x63C4))));
    super::set_label(&mut exchange, "desk 7").unwrap();
    for bad in ["", "a\0b", &"x".repeat(32)] {
        assert_eq!(super::set_label(&mut exchange, bad).unwrap_err().kind(), ErrorKind::NameLength);
    }
    let mut octets = [0; 8];
    super::random(&mut exchange, &mut octets).unwrap();
    assert_eq!(octets, [2; 8]);
    assert_eq!(super::random(&mut exchange, &mut [0; 9]).unwrap_err().kind(), ErrorKind::TokenAnswer);
    let gone = super::open_application(&mut exchange, "gone").unwrap_err();
    assert_eq!((gone.kind(), gone.raw_status()), (ErrorKind::CardApplication, Some(&Status::Sw(0x6A88))));
    drop(exchange);
    let sent = card.sent();
    assert_eq!((&sent[2][..7], sent[2].len()), (&[0x80, 0x10, 0, 2, 0, 0, 16][..], 23));
}
