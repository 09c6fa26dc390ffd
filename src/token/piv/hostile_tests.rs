//! What hostile or unusual objects and answers become.

use std::io::Write;
use std::sync::Arc;

use super::PIV;
use super::model::{Card, PIN, insertion, stored};
use super::tests::{application_pin, pin};
use crate::apdu::tests::Random;
use crate::apdu::tlv;
use crate::apdu::{Limits, Transmit, Wire};
use crate::cert::Certificate;
use crate::error::{ErrorKind, Result};
use crate::link::Atr;
use crate::policy;
use crate::suite::{Suite, ToBeSigned};
use crate::token::{AdminAuth, Auth, CertRef, Driver, Greeting, Insertion, KeyRef, PinRef, Recipient};
use crate::tries::PinStatus;

const CERTIFICATE_9A: u32 = 0x5F_C105;

fn certificate(card: &Card) -> Vec<u8> {
    card.lease(&insertion(&["9A"])).unwrap().certificate(&CertRef(vec![0x9A])).unwrap()
}

/// What a scan makes of one object: its certificate, or the kinds of the notes.
fn read(object: Vec<u8>) -> (usize, Vec<ErrorKind>) {
    let card = Card::with(&[]);
    card.set(|model| drop(model.objects.insert(CERTIFICATE_9A, object)));
    let mut token = card.lease(&insertion(&["9A"])).unwrap();
    let found = token.slots().unwrap().len();
    (found, token.notes().iter().map(|e| e.kind()).collect())
}

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(octets).unwrap();
    packer.finish().unwrap()
}

#[test]
fn a_certificate_object_of_any_shape_is_read_or_noted() {
    let der = certificate(&Card::with(&["9A"]));
    let inside = |value: &[u8]| tlv::object(0x53, &tlv::object(0x70, value).unwrap()).unwrap();
    let malformed = (0, vec![ErrorKind::CertificateMalformed]);
    let senseless = (0, vec![ErrorKind::TokenAnswer]);
    assert_eq!(read(stored(&der)), (1, vec![]));
    assert_eq!(read(inside(&der)), (1, vec![]));
    assert_eq!(read(inside(&gzip(&der))), (1, vec![]));
    assert_eq!(read([inside(&der), vec![0; 5]].concat()), (1, vec![]));
    assert_eq!(read(inside(&[])), (0, vec![]));
    assert_eq!(read(vec![0x53, 0]), (0, vec![]));
    assert_eq!(read(tlv::object(0x70, &der).unwrap()), senseless);
    assert_eq!(read(tlv::object(0x53, &tlv::object(0x71, &der).unwrap()).unwrap()), senseless);
    assert_eq!(read(tlv::object(0x53, &der).unwrap()), senseless);
    assert_eq!(read(inside(&der)[..200].to_vec()), senseless);
    assert_eq!(read(vec![0x53, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]), senseless);
    assert_eq!(read(vec![0x53, 0x80, 0, 0]), senseless);
    assert_eq!(read(inside(&der[..der.len() - 1])), malformed);
    assert_eq!(read(inside(&[&der[..], &[0]].concat())), malformed);
    assert_eq!(read(inside(&gzip(&der)[..100])), malformed);
    assert_eq!(read(inside(&gzip(&vec![0; 50_000_000]))), malformed);
    assert_eq!(read(inside(&vec![0x30; policy::CERTIFICATE_MAX + 1])), malformed);
}

#[test]
fn a_certificate_that_cannot_be_read_hides_no_other_one() {
    let card = Card::with(&["9A", "9C"]);
    card.set(|model| drop(model.objects.insert(CERTIFICATE_9A, vec![0x53, 0x02, 0x70, 0x00])));
    card.set(|model| drop(model.objects.insert(0x5F_C10B, vec![0x55; 40])));
    let mut token = card.lease(&insertion(&["9A", "9C", "9D", "9E", "banana"])).unwrap();
    let slots: Vec<_> = token.slots().unwrap().into_iter().map(|s| s.label).collect();
    assert_eq!(slots, ["9C"]);
    let notes = token.notes();
    assert_eq!(notes.iter().map(|e| e.kind()).collect::<Vec<_>>(), [ErrorKind::Argument, ErrorKind::TokenAnswer]);
    assert!(notes[1].what().unwrap().starts_with("slot 9D"), "{notes:?}");
    assert!(token.notes().is_empty());
}

#[test]
fn a_certificate_that_is_gone_has_changed() {
    let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
    card.set(|model| drop(model.objects.remove(&CERTIFICATE_9A)));
    let mut token = card.lease(&at).unwrap();
    let error = token.certificate(&CertRef(vec![0x9A])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CertificateChanged);
    let tbs = crate::suite::ToBeSigned {
        suite: Suite::P256Sha256,
        digest: crate::suite::DigestAlgorithm::Sha256.of(b"x").unwrap(),
        message: None,
        sm2_id: None,
        display: None,
    };
    let error = token.sign(&KeyRef(vec![0x9A]), &application_pin(), Auth::Pin(&pin(PIN)), &tbs).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyMissing);
}

#[test]
fn retired_slots_are_looked_at_only_where_the_card_says_that_there_are_some() {
    let card = Card::with(&["9A", "84"]);
    let labels = |card: &Card| {
        let mut token = card.lease(&insertion(&[])).unwrap();
        token.slots().unwrap().into_iter().map(|s| s.label).collect::<Vec<_>>()
    };
    assert_eq!(labels(&card), ["9A"]);
    let asked = card.sent().iter().filter(|c| c[1] == 0xCB).count();
    assert_eq!(asked, 4 + 2, "four slots, discovery object, key history");
    card.set(|model| drop(model.objects.insert(0x5F_C10C, b"\x53\x08\xC1\x01\x01\xC2\x01\x00\xFE\x00".to_vec())));
    assert_eq!(labels(&card), ["9A", "84"]);
    let asked = card.sent().iter().filter(|c| c[1] == 0xCB).count();
    assert_eq!(asked, 4 + 2 + 3, "and 82, 83, 84");
    for history in [&b"\x53\x03\xC1\x01\xFF"[..], b"\x53\x02\xC1\x00", b"\x53\x84\xFF", b"\x00", b""] {
        card.set(|model| drop(model.objects.insert(0x5F_C10C, history.to_vec())));
        assert_eq!(labels(&card)[0], "9A");
    }
}

#[test]
fn the_pin_is_the_one_that_the_discovery_object_calls_primary() {
    let pin_of = |discovery: &[u8]| {
        let card = Card::with(&["9A"]);
        card.set(|model| drop(model.objects.insert(0x7E, discovery.to_vec())));
        let slots = card.lease(&insertion(&[])).unwrap().slots().unwrap();
        slots[0].pin.0[0]
    };
    assert_eq!(pin_of(b"\x7E\x05\x5F\x2F\x02\x40\x10"), 0x80);
    assert_eq!(pin_of(b"\x7E\x05\x5F\x2F\x02\x60\x10"), 0x80);
    assert_eq!(pin_of(b"\x7E\x05\x5F\x2F\x02\x60\x20"), 0x00);
    for odd in [&b"\x7E\x05\x5F\x2F\x02\x40\x20"[..], b"\x7E\x04\x5F\x2F\x01\x60", b"\x53\x00", b"\x7E\xFF", b"\x5F"] {
        assert_eq!(pin_of(odd), 0x80, "{odd:02X?}");
    }
    // Where one slot is asked for, nothing is asked beside it.
    let card = Card::with(&["9A"]);
    card.lease(&insertion(&["9A"])).unwrap().slots().unwrap();
    assert_eq!(card.sent().iter().filter(|c| c[1] == 0xCB).count(), 1);
    let global = PinRef(vec![0x00]);
    let error = card.lease(&insertion(&["9A"])).unwrap().pin_state(&global).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PinNotSet);
}

#[test]
fn a_card_is_known_by_a_number_of_its_own() {
    let serial = |atr: &Atr, chuid: &[u8], ccc: &[u8]| {
        let mut card = Card::with(&["9C"]);
        card.set(|model| {
            model.objects.insert(0x5F_C102, chuid.to_vec());
            model.objects.insert(0x5F_C107, ccc.to_vec());
            model.always.insert((0xF8, 0), vec![0, 0xBC, 0x61, 0x4E, 0x90, 0]);
            model.always.insert((0xFD, 0), vec![5, 4, 3, 0x90, 0]);
        });
        let greeting = PIV.probe(&mut card).unwrap().unwrap();
        PIV.identify(&mut card, atr, &greeting).unwrap()
    };
    let chuid = |fasc_n: [u8; 3], guid: u8| {
        let mut inside = tlv::object(0x30, &[&fasc_n[..], &[7; 22]].concat()).unwrap();
        tlv::write(&mut inside, 0x34, &[guid; 16]).unwrap();
        tlv::object(0x53, &inside).unwrap()
    };
    let ccc = b"\x53\x04\xF0\x02\xAB\xCD";
    let (none, yubikey) = (Atr::default(), Atr::new(b"\x3B\x80YubiKey"));
    assert_eq!(serial(&none, &chuid([1, 2, 3], 0xA1), ccc).serial, "a1".repeat(16));
    assert_eq!(serial(&none, &chuid([1, 2, 3], 0), ccc).serial, format!("010203{}", "07".repeat(22)));
    // A FASC-N of nobody's agency is on many cards.
    assert_eq!(serial(&none, &chuid([0xD4, 0xE7, 0x39], 0), ccc).serial, format!("d4e739{}", "07".repeat(22)));
    let nobody = [0x53, 0x06, 0x30, 0x04, 0xD4, 0xE7, 0x39, 0xDA];
    assert_eq!(serial(&none, &nobody, ccc).serial, "abcd");
    let by_certificate = serial(&none, &nobody, b"\x53\x02\xF0\x00").serial;
    assert!(by_certificate.starts_with("certificate ") && by_certificate.len() == 28, "{by_certificate}");
    let id = serial(&yubikey, b"\x53\x84", b"\x53\x00");
    assert_eq!((id.serial.as_str(), id.manufacturer.as_str()), ("12345678", "Yubico"));
    assert_eq!(id.model, "YubiKey 5.4.3");
    let mut blank = Card::with(&[]);
    PIV.probe(&mut blank).unwrap();
    assert_eq!(PIV.identify(&mut blank, &none, &Greeting::default()).unwrap().serial, "unnumbered");
    assert_eq!(PIV.identify(&mut blank, &none, &Greeting::default()).unwrap().model, "PIV");
}

#[test]
fn a_card_that_hides_its_tries_leaves_them_unknown() {
    for sw in [0x6300_u16, 0x6982, 0x6985, 0x6700, 0x6A86, 0x6ABC, 0x6281] {
        let card = Card::with(&["9A"]);
        card.set(|model| drop(model.always.insert((0x20, 0x80), sw.to_be_bytes().to_vec())));
        let state = card.lease(&insertion(&["9A"])).unwrap().pin_state(&application_pin()).unwrap();
        assert_eq!((state.status, state.open), (PinStatus::Unknown { refused: false }, false), "{sw:04X}");
    }
}

#[test]
fn tries_in_630x_are_read_where_the_maker_is_known_for_that() {
    let status = |maker: &[u8]| {
        let card = Card::with(&["9A"]);
        card.set(|model| drop(model.always.insert((0x20, 0x80), vec![0x63, 0x02])));
        let at = Arc::new(Insertion::new(Atr::new(maker), vec![]));
        card.lease(&at).unwrap().pin_state(&application_pin()).unwrap().status
    };
    assert_eq!(status(b"\x3B\x80YubikeyNEO"), PinStatus::Known(2));
    assert_eq!(status(b"\x3B\x80"), PinStatus::Unknown { refused: false });
}

/// Answers whatever comes to mind, most of it nearly right.
struct Chaos {
    card: Card,
    random: Random,
    sent: usize,
}

impl Transmit for Chaos {
    fn transmit(&mut self, wire: &Wire) -> Result<Vec<u8>> {
        self.sent += 1;
        let mut answer = self.card.transmit(wire)?;
        match self.random.below(12) {
            0 => answer = self.random.octets(300),
            1 => answer.truncate(self.random.below(answer.len() + 1)),
            2 => {
                let at = self.random.below(answer.len());
                answer[at] ^= 1 << self.random.below(8);
            }
            3 => answer = [self.random.octets(40), vec![0x61, 0x10]].concat(),
            4 => {
                let junk = self.random.octets(4);
                answer.splice(0..0, junk);
            }
            _ => {}
        }
        Ok(answer)
    }

    fn limits(&self) -> Limits {
        Limits::default()
    }
}

#[test]
fn no_answers_make_a_token_panic_or_talk_without_end() {
    let card = Card::with(&["9A", "9C", "9D"]);
    let point = p256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap();
    let point = point.verifying_key().to_sec1_point(false).as_bytes().to_vec();
    let mut reached = 0;
    for seed in 1..400 {
        card.set(|model| model.tries = 3);
        let mut chaos = Chaos { card: card.clone(), random: Random(seed), sent: 0 };
        let _ = PIV.probe(&mut chaos);
        let _ = PIV.identify(&mut chaos, &Atr::new(b"\x3B\x80YubiKey"), &Greeting::default());
        assert!(chaos.sent < 4_000, "{}", chaos.sent);
        let at = Arc::new(Insertion::new(Atr::new(b"\x3B\x80YubiKey"), vec![]));
        let Ok(mut token) = PIV.attach(Box::new(chaos), false, &at) else { continue };
        let _ = token.slots();
        // What the card signs may be wrong here: whoever gets it verifies it.
        if let Ok(der) = token.certificate(&CertRef(vec![0x9A]))
            && let Ok(certificate) = Certificate::from_der(&der)
            && let Ok(key) = certificate.key()
        {
            let tbs = ToBeSigned::over(Suite::P256Sha256, key, b"order 4711").unwrap();
            let signed = token.sign(&KeyRef(vec![0x9A]), &application_pin(), Auth::Pin(&pin(PIN)), &tbs);
            reached += usize::from(signed.is_ok_and(|signature| key.verify(&tbs, &signature).is_ok()));
        }
        let _ = token.issuing().unwrap().places();
        let from = Recipient::EcdhP256(&point);
        let _ =
            token.opening().unwrap().content_key(&KeyRef(vec![0x9D]), &application_pin(), Auth::Pin(&pin(PIN)), &from);
        let by = AdminAuth::Pin(&pin(super::model::PUK));
        let _ = token.pins().unwrap().unblock(&application_pin(), by, &pin(PIN));
    }
    assert!(reached > 50, "only {reached} signatures came through");
}

#[test]
fn a_card_that_never_tells_its_tries_is_remembered_to_have_refused_a_pin() {
    let (card, at) = (Card::with(&["9A"]), insertion(&["9A"]));
    card.set(|model| drop(model.always.insert((0x20, 0x80), vec![0x63, 0x00])));
    let status = |at: &Arc<Insertion>| card.lease(at).unwrap().pin_state(&application_pin()).unwrap().status;
    assert_eq!(status(&at), PinStatus::Unknown { refused: false });
    let refused = card.lease(&at).unwrap().login(&application_pin(), Auth::Pin(&pin(b"654321"))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PinIncorrect);
    assert_eq!(status(&at), PinStatus::Unknown { refused: true });
    // Connected anew it is the same card.
    let again = Arc::new(Insertion::new(Atr::default(), vec!["9A".to_owned()]).with_tries(&at.tries()));
    assert_eq!(status(&again), PinStatus::Unknown { refused: true });
    card.set(|model| drop(model.always.insert((0x20, 0x80), vec![0x90, 0x00])));
    card.lease(&again).unwrap().login(&application_pin(), Auth::Pin(&pin(PIN))).unwrap();
    card.set(|model| drop(model.always.insert((0x20, 0x80), vec![0x63, 0x00])));
    assert_eq!(status(&at), PinStatus::Unknown { refused: false });
}
