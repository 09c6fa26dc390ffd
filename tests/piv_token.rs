//! The PIV driver on a card that others wrote: keys, certificates, signatures, envelopes, the management key.
#![cfg(all(feature = "piv", feature = "rsa"))]

#[path = "support/card_keys.rs"]
mod card_keys;
#[path = "support/held_card.rs"]
mod held_card;
#[path = "../examples/shield/test_ca.rs"]
mod test_ca;

use std::fs;
use std::process::Command;

use card_keys::*;
use held_card::{HeldCard, MANAGEMENT_KEY, PIN, PUK, with_card};
use shared_shield::suite::{KeyKind, PublicKey};
use shared_shield::token::{AdminAuth, Auth, ContentKey, Recipient, Slot, Token, Wants};
use shared_shield::{Certificate, ErrorKind, Status, Suite, ToBeSigned};

#[test]
fn keys_made_on_the_card_sign_in_every_slot_and_openssl_accepts_that() {
    with_card("p256", &[], |card| {
        assert!(card.driver().probe(&mut card.port()).unwrap().is_some());
        let id =
            card.driver().identify(&mut card.port(), &card.atr, &shared_shield::token::Greeting::default()).unwrap();
        assert!(id.serial.len() == 32 && id.serial.chars().all(|c| c.is_ascii_hexdigit()), "{id:?}");
        let names = ["9A", "9C", "9D", "9E", "82", "85"];
        let mut token = card.lease(&card.insertion(&[]));
        assert!(token.slots().unwrap().is_empty());
        assert!(token.issuing().unwrap().places().unwrap().iter().all(|p| !p.taken));
        let keys = names.map(|name| equip(&mut *token, name, Suite::P256Sha256));
        let taken: Vec<_> = token.issuing().unwrap().places().unwrap().into_iter().filter(|p| p.taken).collect();
        assert_eq!(taken.len(), names.len());
        drop(token);
        let mut token = card.lease(&card.insertion(&[]));
        let slots = token.slots().unwrap();
        assert_eq!(slots.iter().map(|s| s.label.as_str()).collect::<Vec<_>>(), names);
        assert!(token.notes().is_empty());
        card.sent();
        for (slot, key) in slots.iter().zip(&keys) {
            assert_eq!(slot.pin, slots[0].pin);
            assert_eq!(slot.wants == Wants::EachSignature, slot.label == "9C");
            let signature = sign(&mut *token, slot, Suite::P256Sha256, Auth::Pin(&pin(PIN))).unwrap();
            assert!(openssl_accepts(key, Suite::P256Sha256, &signature, &slot.label));
            assert!(!openssl_accepts(&keys[0], Suite::P256Sha256, &signature, "other") || slot.label == "9A");
        }
        // The state of the PIN was read once, and each entry was sent once.
        let sent: Vec<u8> = card.sent().iter().map(|c| c[1]).collect();
        assert_eq!(sent, [&[0x20][..], &[0x20, 0x87].repeat(names.len())].concat());
    });
}

#[test]
fn an_rsa_key_signs_both_of_its_suites_in_either_length_of_commands() {
    for (name, options) in [("rsa", &[][..]), ("rsa-extended", &["--extended"][..])] {
        with_card(name, options, |card| {
            let at = card.insertion(&["9A"]);
            let mut token = card.lease(&at);
            let key = equip(&mut *token, "9A", Suite::RsaSha256);
            assert_eq!(key.kind(), KeyKind::Rsa { bits: 2048 });
            let slot = slot(&mut *token, "9A");
            assert_eq!(slot.suites, [Suite::RsaSha256, Suite::RsaSha1]);
            card.sent();
            for suite in [Suite::RsaSha256, Suite::RsaSha1] {
                let signature = sign(&mut *token, &slot, suite, Auth::Pin(&pin(PIN))).unwrap();
                assert!(openssl_accepts(&key, suite, &signature, name));
            }
            let longest = card.sent().iter().map(Vec::len).max().unwrap();
            assert_eq!(longest > 261, !options.is_empty(), "{longest}");
            let tbs = ToBeSigned::over(Suite::RsaPssSha256, &key, MESSAGE).unwrap();
            let error = token.sign(&slot.key, &slot.pin, Auth::Pin(&pin(PIN)), &tbs).unwrap_err();
            assert_eq!((error.kind(), card.logins()), (ErrorKind::KeyUnsuited, 0));
        });
    }
}

#[test]
fn a_reader_that_lies_about_extended_length_costs_one_command() {
    with_card("liar", &[], |card| {
        equip(&mut *card.lease(&card.insertion(&["9A"])), "9A", Suite::P256Sha256);
        let mut port = card.port();
        port.limits.extended = true;
        card.sent();
        let mut token = card.driver().attach(Box::new(port), false, &card.insertion(&["9A"])).unwrap();
        assert_eq!(token.slots().unwrap().len(), 1);
        let sent: Vec<_> = card.sent().iter().map(|c| (c[1], c.len())).collect();
        assert_eq!(sent[..3], [(0xA4, 15), (0xCB, 14), (0xCB, 11)]);
        assert!(sent[3..].iter().all(|c| *c == (0xC0, 5)), "{sent:?}");
    });
}

#[test]
fn with_extended_length_a_certificate_is_one_command() {
    with_card("extended", &["--extended"], |card| {
        equip(&mut *card.lease(&card.insertion(&["9A"])), "9A", Suite::P256Sha256);
        card.sent();
        assert_eq!(card.lease(&card.insertion(&["9A"])).slots().unwrap().len(), 1);
        assert_eq!(card.sent().iter().map(|c| c[1]).collect::<Vec<_>>(), [0xA4, 0xCB]);
    });
}

#[test]
fn the_secret_of_an_envelope_is_the_one_that_its_sender_has() {
    with_card("ecdh", &[], |card| {
        let at = card.insertion(&[]);
        let mut token = card.lease(&at);
        for name in ["9D", "83", "9A"] {
            equip(&mut *token, name, Suite::P256Sha256);
        }
        let file = |name: &str| format!("{}/piv-ecdh-{name}.pem", env!("CARGO_TARGET_TMPDIR"));
        let sender = file("sender");
        openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", &sender]);
        let spki = openssl(&["pkey", "-in", &sender, "-pubout", "-outform", "DER"]);
        let point = PublicKey::from_spki(&spki).unwrap().point().unwrap();
        for name in ["9D", "83"] {
            let slot = slot(&mut *token, name);
            let ours = Certificate::from_der(&token.certificate(&slot.certificate).unwrap()).unwrap();
            let pem = der::pem::encode_string("PUBLIC KEY", der::pem::LineEnding::LF, ours.key().unwrap().spki());
            fs::write(file(name), pem.unwrap()).unwrap();
            let theirs = openssl(&["pkeyutl", "-derive", "-inkey", &sender, "-peerkey", &file(name)]);
            let opening = token.opening().unwrap();
            let entry = pin(PIN);
            let from = Recipient::EcdhP256(&point);
            let ContentKey::OnHost(secret) =
                opening.content_key(&slot.key, &slot.pin, Auth::Pin(&entry), &from).unwrap()
            else {
                panic!("not on the host")
            };
            assert_eq!((secret.len(), secret.as_slice()), (32, theirs.as_slice()));
        }
        card.sent();
        let (nine_d, nine_a, entry) = (slot(&mut *token, "9D"), slot(&mut *token, "9A"), pin(PIN));
        let mut off = point.clone();
        *off.last_mut().unwrap() ^= 1;
        let compressed = [&[0x02][..], &point[1..33]].concat();
        let mut refused = |slot: &Slot, from: Recipient<'_>| {
            let opening = token.opening().unwrap();
            opening.content_key(&slot.key, &slot.pin, Auth::Pin(&entry), &from).unwrap_err().kind()
        };
        for hostile in [&off[..], &compressed, &point[..64], &[0x00], &[]] {
            assert_eq!(refused(&nine_d, Recipient::EcdhP256(hostile)), ErrorKind::DocumentMalformed);
        }
        assert_eq!(refused(&nine_d, Recipient::RsaPkcs1(&[0; 256])), ErrorKind::Unsupported);
        assert_eq!(refused(&nine_a, Recipient::EcdhP256(&point)), ErrorKind::KeyUnsuited);
        assert_eq!(card.logins(), 0);
    });
}

/// SET MANAGEMENT KEY (Yubico's extensions): what the library does not do.
fn set_management_key(card: &HeldCard, algorithm: u8, key: &[u8]) {
    let length = u8::try_from(key.len()).unwrap();
    let command = [&[0, 0xFF, 0xFF, 0xFF, length + 3, algorithm, 0x9B, length][..], key].concat();
    assert_eq!(card.raw(&command), [0x90, 0]);
}

#[test]
fn only_the_right_management_key_changes_the_card_whatever_its_cipher() {
    with_card("management", &[], |card| {
        let mut token = card.lease(&card.insertion(&["9A"]));
        let at = place(&mut *token, "9A");
        let suite = Suite::P256Sha256;
        let try_key = |token: &mut dyn Token, by: AdminAuth<'_>| {
            token.issuing().unwrap().generate(&at, suite, by).map(drop).map_err(|e| e.kind())
        };
        let mut wrong = MANAGEMENT_KEY;
        wrong[0] ^= 0x10;
        card.sent();
        for key in [&wrong[..], &[0; 16], &[0; 32], &MANAGEMENT_KEY[..23], &[]] {
            assert_eq!(try_key(&mut *token, AdminAuth::Key(key)), Err(ErrorKind::AdminKey), "{}", key.len());
        }
        assert_eq!(try_key(&mut *token, AdminAuth::Pin(&pin(PUK))), Err(ErrorKind::AdminKey));
        assert!(!card.sent().iter().any(|c| c[1] == 0x47));
        assert_eq!(try_key(&mut *token, AdminAuth::Key(&MANAGEMENT_KEY)), Ok(()));
        // This card has these two; AES-192 is judged on the card in memory.
        for (algorithm, key) in [(0x0C, (0..32).collect()), (0x03, MANAGEMENT_KEY.to_vec())] {
            set_management_key(card, algorithm, &key);
            drop(token);
            card.reset();
            token = card.lease(&card.insertion(&["9A"]));
            let mut off = key.clone();
            off[1] ^= 0x10;
            assert_eq!(try_key(&mut *token, AdminAuth::Key(&off)), Err(ErrorKind::AdminKey), "{algorithm:02X}");
            assert_eq!(try_key(&mut *token, AdminAuth::Key(&key)), Ok(()), "{algorithm:02X}");
        }
    });
}

#[test]
fn a_certificate_of_another_key_and_one_without_a_key_are_named() {
    with_card("pairs", &[], |card| {
        let at = card.insertion(&["9A", "9D"]);
        let mut token = card.lease(&at);
        let by = AdminAuth::Key(&MANAGEMENT_KEY);
        let rsa = equip(&mut *token, "9E", Suite::RsaSha256);
        let p256 = equip(&mut *token, "9A", Suite::P256Sha256);
        let (nine_a, nine_d) = (place(&mut *token, "9A"), place(&mut *token, "9D"));
        let issuing = token.issuing().unwrap();
        issuing.import_certificate(&nine_a, &certify(rsa.spki(), "9A"), by).unwrap();
        issuing.import_certificate(&nine_d, &certify(p256.spki(), "9D"), by).unwrap();
        let slots = token.slots().unwrap();
        let entry = pin(PIN);
        let refused =
            |token: &mut dyn Token, slot: &Slot| sign(token, slot, slot.suites[0], Auth::Pin(&entry)).unwrap_err();
        let other = refused(&mut *token, &slots[0]);
        assert_eq!(other.kind(), ErrorKind::KeyMismatch);
        let none = refused(&mut *token, &slots[1]);
        assert_eq!((none.kind(), none.raw_status()), (ErrorKind::KeyMissing, Some(&Status::Sw(0x6985))));
    });
}

#[test]
fn a_packed_certificate_is_read_and_one_that_grows_without_end_is_not() {
    with_card("packed", &[], |card| {
        let mut token = card.lease(&card.insertion(&["9A"]));
        let key = equip(&mut *token, "9A", Suite::P256Sha256);
        let der = certify(key.spki(), "9A");
        // The management key is still shown: what the library never writes goes by hand.
        let put = |packed: &[u8], info: &[u8]| {
            let mut inside = shared_shield::apdu::tlv::object(0x70, packed).unwrap();
            inside.extend_from_slice(info);
            let mut data = vec![0x5C, 3, 0x5F, 0xC1, 0x05];
            shared_shield::apdu::tlv::write(&mut data, 0x53, &inside).unwrap();
            let command = shared_shield::apdu::Command::new("PUT DATA", 0xDB, 0x3F, 0xFF).data(&data);
            shared_shield::apdu::Exchange::new(card.port()).run(&command).unwrap();
        };
        let read = || {
            let mut token = card.lease(&card.insertion(&["9A"]));
            let slots = token.slots().unwrap();
            let notes: Vec<_> = token.notes().iter().map(|e| e.kind()).collect();
            (slots.first().map(|slot| token.certificate(&slot.certificate).unwrap()), notes)
        };
        for info in [&[0x71, 1, 1, 0xFE, 0][..], &[0x71, 1, 0, 0xFE, 0], &[]] {
            put(&gzip(&der), info);
            assert_eq!(read(), (Some(der.clone()), vec![]));
            put(&der, info);
            assert_eq!(read(), (Some(der.clone()), vec![]));
        }
        put(&gzip(&vec![0; 3_000_000]), &[0x71, 1, 1]);
        assert_eq!(read(), (None, vec![ErrorKind::CertificateMalformed]));
        let whole = gzip(&der);
        put(&whole[..whole.len() / 2], &[0x71, 1, 1]);
        assert_eq!(read(), (None, vec![ErrorKind::CertificateMalformed]));
        put(&[0x42; 300], &[0x71, 1, 0]);
        assert_eq!(read(), (None, vec![ErrorKind::CertificateMalformed]));
        put(&[], &[0x71, 1, 0]);
        assert_eq!(read(), (None, vec![]));
    });
}

fn gzip(octets: &[u8]) -> Vec<u8> {
    use std::io::Write;
    use std::process::Stdio;
    let mut child = Command::new("gzip").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(octets).unwrap();
    child.wait_with_output().unwrap().stdout
}

#[test]
fn a_card_pulled_out_in_the_middle_is_removed_and_no_pin_goes_twice() {
    for step in 1..=4 {
        with_card(&format!("pull-{step}"), &[], |card| {
            let at = card.insertion(&["9C"]);
            equip(&mut *card.lease(&at), "9C", Suite::P256Sha256);
            let slot = slot(&mut *card.lease(&at), "9C");
            card.sent();
            card.pull(step);
            let signed = card.driver().attach(Box::new(card.port()), false, &at).and_then(|mut token| {
                token.pin_state(&slot.pin)?;
                sign(&mut *token, &slot, Suite::P256Sha256, Auth::Pin(&pin(PIN)))
            });
            assert_eq!(signed.unwrap_err().kind(), ErrorKind::CardRemoved);
            assert_eq!(card.sent().len(), usize::try_from(step).unwrap());
        });
    }
}
