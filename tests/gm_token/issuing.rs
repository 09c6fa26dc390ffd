//! Keys, certificates, envelopes and files by the driver on a simulated shield, in every dialect. The office that wraps pairs and the sender of
//! envelopes are openssl, and so is the judge of signatures: driver and simulator could be wrong in the same way.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use shared_shield::apdu::Exchange;
use shared_shield::link::card::VirtualReaders;
use shared_shield::link::{Link, Readers, Transaction};
use shared_shield::simulator::{DEVICE_KEY, Habits};
use shared_shield::suite::{KeyKind, PublicKey};
use shared_shield::token::gm0017::{self as gm, DIALECTS, Dialect, FileAttributes, Rights};
use shared_shield::token::{
    AdminAuth, Auth, CardRules, ContentKey, DRIVERS, DialectRule, Driver, Insertion, Opening, PinRef, Place, Recipient,
    SessionKey, Token,
};
use shared_shield::{Certificate, Error, ErrorKind, Pin, Role, Suite, ToBeSigned, Wait};

use crate::child::skip;
use crate::gm_desk::READER;
use crate::gm_shield::{CUSTOMS_PIN, Kind, issued};
use crate::office::Office;
use crate::sm2_judge::{self, Judge};
use crate::test_ca::{Holder, Shape, TestCa};
use crate::test_ca_sm2::Sm2Key;

const EPORT: &str = "eport";
/// VerifyPIN, CreateContainer, GenECCKeyPair, ImportCertificate, ImportECCKeyPair.
const LOGIN: u8 = 0x18;
const WRITING: [u8; 4] = [0x40, 0x70, 0x4C, 0x72];

fn driver() -> &'static dyn Driver {
    *DRIVERS.iter().find(|driver| driver.name() == "gm0017").unwrap()
}

/// A shield in a reader, with what the driver knows of it.
struct Bench {
    readers: VirtualReaders,
    link: Arc<dyn Link>,
    at: Arc<Insertion>,
    dialect: &'static Dialect,
}

impl Bench {
    fn new(dialect: &'static Dialect) -> Self {
        let readers = VirtualReaders::new(&[READER]);
        readers.insert(READER, issued(Kind::Sm2, dialect.name, Habits::default(), &Role::ALL).card());
        let link = readers.connect(READER, &Wait::default()).unwrap();
        let mut card = link.begin(&Wait::default()).unwrap();
        let greeting = driver().probe(&mut card).unwrap().unwrap();
        let id = driver().identify(&mut card, &link.atr(), &greeting).unwrap();
        drop(card);
        let rule = DialectRule {
            atr: link.atr(),
            manufacturer: id.manufacturer,
            model: id.model,
            dialect: dialect.name.to_owned(),
            proven: vec![id.serial],
        };
        let rules = Arc::new(CardRules { dialects: vec![rule], ..CardRules::default() });
        let at = Arc::new(Insertion::new(link.atr(), vec![]).greeted(greeting).under(&rules));
        Bench { readers, link, at, dialect }
    }

    fn begin(&self) -> Box<dyn Transaction> {
        self.link.begin(&Wait::default()).unwrap()
    }

    /// The token of a transaction.
    fn lease(&self) -> Box<dyn Token> {
        driver().attach(Box::new(self.begin()), false, &self.at).unwrap()
    }

    /// Instructions that were sent since the last time.
    fn sent(&self) -> Vec<u8> {
        let sent = self.readers.headers(READER).iter().map(|header| header[1]).collect();
        self.readers.forget(READER);
        sent
    }

    fn generate(&self, at: &Place, suite: Suite) -> PublicKey {
        self.lease().issuing().unwrap().generate(at, suite, AdminAuth::Pin(&pin())).unwrap()
    }

    fn import(&self, at: &Place, certificate: &[u8]) -> Result<(), Error> {
        self.lease().issuing().unwrap().import_certificate(at, certificate, AdminAuth::Pin(&pin()))
    }

    fn import_pair(&self, at: &Place, enveloped: &[u8]) -> Result<(), Error> {
        self.lease().issuing().unwrap().import_encryption_pair(at, enveloped, AdminAuth::Pin(&pin()))
    }

    fn public_key(&self, at: &Place) -> Result<PublicKey, Error> {
        self.lease().issuing().unwrap().public_key(at)
    }

    /// What names the PIN of customs.
    fn eport_pin(&self) -> PinRef {
        let slots = self.lease().slots().unwrap();
        slots.into_iter().find(|slot| slot.label.starts_with("eport:")).unwrap().pin
    }

    fn labels(&self) -> Vec<String> {
        self.lease().slots().unwrap().into_iter().map(|slot| slot.label).collect()
    }
}

fn pin() -> Pin {
    Pin::new(Role::Customs, CUSTOMS_PIN.as_bytes()).unwrap()
}

fn place(container: &str) -> Place {
    gm::place(EPORT, container).unwrap()
}

fn encryption_place(container: &str) -> Place {
    gm::encryption_place(EPORT, container).unwrap()
}

/// An authority with an SM2 key, and what it certifies.
fn authority() -> TestCa {
    TestCa::with(Box::new(Sm2Key::generate().unwrap()), "CN=Issuing test CA", SystemTime::now()).unwrap()
}

fn shape(number: u8) -> Shape {
    Shape::customs(&Holder::default(), number, SystemTime::now())
}

/// Whether openssl is there to be the other side.
fn judged(name: &str) -> bool {
    let missing = sm2_judge::missing();
    if let Some(reason) = &missing {
        skip(name, reason);
    }
    missing.is_none()
}

/// The same with one octet changed.
fn bent(octets: &[u8], at: usize) -> Vec<u8> {
    let mut copy = octets.to_vec();
    copy[at] ^= 1;
    copy
}

#[test]
fn a_key_made_on_the_shield_takes_its_own_certificate_alone_and_openssl_accepts_what_it_signs() {
    if !judged("a_key_made_on_the_shield_takes_its_own_certificate_alone_and_openssl_accepts_what_it_signs") {
        return;
    }
    let ca = authority();
    for (dialect, suite) in DIALECTS.iter().flat_map(|dialect| Suite::ALL[..2].iter().map(move |s| (dialect, *s))) {
        let (bench, new) = (Bench::new(dialect), place("second"));
        let key = bench.generate(&new, suite);
        let kind = if suite == Suite::Sm2Sm3 { KeyKind::Sm2 } else { KeyKind::P256 };
        assert_eq!(key.kind(), kind);
        assert_eq!(bench.public_key(&new).unwrap().spki(), key.spki());
        assert!(!bench.labels().contains(&new.name), "no certificate, no slot");
        // The pair of another container, with a certificate of the same authority.
        let other = bench.generate(&place("third"), suite);
        let foreign = ca.issue(&shape(1), other.spki()).unwrap();
        bench.sent();
        let error = bench.import(&new, &foreign).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::KeyMismatch, "{}", dialect.name);
        let sent = bench.sent();
        assert!(sent.iter().all(|ins| *ins != LOGIN && !WRITING.contains(ins)), "{sent:02X?}");

        let ours = ca.issue(&shape(2), key.spki()).unwrap();
        bench.import(&new, &ours).unwrap();
        let slots = bench.lease().slots().unwrap();
        let slot = slots.iter().find(|slot| slot.label == new.name).unwrap();
        let mut token = bench.lease();
        assert_eq!(token.certificate(&slot.certificate).unwrap(), ours);
        let certificate = Certificate::from_der(&ours).unwrap();
        let tbs = ToBeSigned::over(suite, certificate.key().unwrap(), b"twelve crates").unwrap();
        let signature = token.sign(&slot.key, &slot.pin, Auth::Pin(&pin()), &tbs).unwrap();
        let judge = Judge::of(&ours);
        let signature = judge.der(signature.octets());
        assert!(judge.accepts(b"twelve crates", &signature), "{} {suite}", dialect.name);
        assert!(!judge.accepts(b"thirteen crates", &signature), "the judge can say no");
        let places = token.issuing().unwrap().places().unwrap();
        let taken = |name: &str| places.iter().find(|place| place.name == name).map(|place| place.taken);
        assert_eq!((places.len(), taken("eport:second"), taken("eport:sign")), (4, Some(true), Some(true)));
    }
}

/// Where the fields of a wrapped pair end, and what becomes of it when one of these octets is another: a point that is on no curve is not sent,
/// and what only the device can tell it refuses.
fn last_octets(form: &str, length: usize) -> [(usize, ErrorKind); 5] {
    let kinds = [
        ErrorKind::TokenAnswer,       // the private key
        ErrorKind::KeyMalformed,      // the public key
        ErrorKind::DocumentMalformed, // C1
        ErrorKind::TokenAnswer,       // C3
        ErrorKind::TokenAnswer,       // C2
    ];
    let ends = if form == "der" {
        // The private key is in the last 35 octets, the public key in 68 before them; C3 and C2 have heads of two.
        [0, 35, 35 + 68 + 18 + 34, 35 + 68 + 18, 35 + 68].map(|behind| length - behind)
    } else {
        [12 + 64, 12 + 64 + 4 + 128, 12 + 64 + 4 + 256, 12 + 64 + 4 + 256 + 32, length]
    };
    std::array::from_fn(|n| (ends[n] - 1, kinds[n]))
}

#[test]
fn an_encryption_pair_of_an_office_is_taken_in_both_forms_and_a_changed_one_in_none() {
    if !judged("an_encryption_pair_of_an_office_is_taken_in_both_forms_and_a_changed_one_in_none") {
        return;
    }
    let (office, ca) = (Office::new(), authority());
    for dialect in DIALECTS {
        let bench = Bench::new(dialect);
        for (form, name) in ["der", "blob"].into_iter().zip(["second", "third"]) {
            let (signing, encryption) = (place(name), encryption_place(name));
            let key = bench.generate(&signing, Suite::Sm2Sm3);
            let pair = office.wrap(key.spki());
            let octets = if form == "der" { &pair.der } else { &pair.blob };
            for (at, kind) in last_octets(form, octets.len()) {
                let error = bench.import_pair(&encryption, &bent(octets, at)).unwrap_err();
                assert_eq!(error.kind(), kind, "{} {form} {at}: {error}", dialect.name);
                assert_eq!(bench.public_key(&encryption).unwrap_err().kind(), ErrorKind::KeyMissing);
            }
            // A pair that was wrapped for somebody else.
            let other = office.wrap(&pair.spki);
            assert!(bench.import_pair(&encryption, &other.der).is_err());
            assert_eq!(bench.public_key(&encryption).unwrap_err().kind(), ErrorKind::KeyMissing);

            bench.import_pair(&encryption, octets).unwrap();
            let imported = bench.public_key(&encryption).unwrap();
            assert_eq!(imported.point().unwrap(), pair.spki[pair.spki.len() - 65..], "{} {form}", dialect.name);
            assert_eq!(bench.public_key(&signing).unwrap().spki(), key.spki(), "the signing pair is as it was");
            let wrong = ca.issue(&shape(3).for_encryption(), key.spki()).unwrap();
            assert_eq!(bench.import(&encryption, &wrong).unwrap_err().kind(), ErrorKind::KeyMismatch);
            let right = ca.issue(&shape(4).for_encryption(), &pair.spki).unwrap();
            bench.import(&encryption, &right).unwrap();
            assert!(bench.labels().contains(&format!("eport:{name}:encryption")));
        }
    }
}

fn opened(token: &mut dyn Token, at: &Place, pin_of: &PinRef, cipher: &[u8]) -> Result<SessionKey, Error> {
    let from = Recipient::Sm2(cipher);
    match token.opening().unwrap().content_key(&at.key, pin_of, Auth::Pin(&pin()), &from)? {
        ContentKey::OnToken(key) => Ok(key),
        _ => panic!("a content key on the host"),
    }
}

/// CBC as the host makes it of a device that turns block after block.
fn chained(opening: &mut dyn Opening, key: &SessionKey, vector: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut plain = secret.to_vec();
    opening.decrypt(key, &mut plain).unwrap();
    for (to, from) in plain.iter_mut().zip([vector, secret].concat()) {
        *to ^= from;
    }
    plain
}

#[test]
fn an_envelope_from_openssl_is_opened_on_the_shield_and_a_changed_one_is_not() {
    if !judged("an_envelope_from_openssl_is_opened_on_the_shield_and_a_changed_one_is_not") {
        return;
    }
    let (office, ca, place) = (Office::new(), authority(), encryption_place("second"));
    // More than one command takes.
    let content: Vec<u8> = (0..40_u8).flat_map(|n| [n; 16]).collect();
    let (key, vector) = (b"sixteen octets..", [9; 16]);
    for dialect in DIALECTS {
        let bench = Bench::new(dialect);
        let signing = bench.generate(&gm::place(EPORT, "second").unwrap(), Suite::Sm2Sm3);
        let pair = office.wrap(signing.spki());
        bench.import_pair(&place, &pair.der).unwrap();
        let certificate = ca.issue(&shape(5).for_encryption(), &pair.spki).unwrap();
        bench.import(&place, &certificate).unwrap();
        let pin_of = bench.eport_pin();

        let cipher = office.encrypt(&office.key_of(&certificate), key);
        let [ecb, cbc] =
            [("ecb", None), ("cbc", Some(&vector[..]))].map(|(mode, v)| office.sm4(mode, key, v, &content));
        let mut token = bench.lease();
        let session = opened(&mut *token, &place, &pin_of, &cipher).unwrap();
        let opening = token.opening().unwrap();
        let mut plain = ecb.clone();
        opening.decrypt(&session, &mut plain).unwrap();
        assert_eq!(plain, content, "{} ECB", dialect.name);
        assert_eq!(chained(opening, &session, &vector, &cbc), content, "{} CBC", dialect.name);
        assert_ne!(chained(opening, &session, &vector, &bent(&cbc, 100)), content);
        drop(token);

        // The encrypted key's last octet, the hash's last one, and one of the point, which is on no curve then.
        for (at, kind) in
            [(1, ErrorKind::TokenAnswer), (16 + 2 + 1, ErrorKind::TokenAnswer), (80, ErrorKind::DocumentMalformed)]
        {
            let changed = bent(&cipher, cipher.len() - at);
            let error = opened(&mut *bench.lease(), &place, &pin_of, &changed).unwrap_err();
            assert_eq!(error.kind(), kind, "{}: {at} from the end: {error}", dialect.name);
        }
        let other = office.encrypt(signing.spki(), key);
        let error = opened(&mut *bench.lease(), &place, &pin_of, &other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TokenAnswer, "what was encrypted to the signing key is nobody's to open");
    }
}

/// A login that stays for what is no token's business.
fn log_in_and_stay(bench: &Bench) {
    let pin_of = bench.eport_pin();
    let mut token = bench.lease();
    token.keep_login(&Arc::new(AtomicBool::new(true)));
    token.login(&pin_of, Auth::Pin(&pin())).unwrap();
}

#[test]
fn files_of_an_application_are_made_listed_written_read_and_deleted() {
    const NAME: &str = "declarations";
    for dialect in DIALECTS {
        let bench = Bench::new(dialect);
        let attributes = FileAttributes { size: 600, read: Rights::ANYONE, write: Rights::USER };
        let mut card = Exchange::new(bench.begin());
        let application = gm::open_application(&mut card, EPORT).unwrap();
        let error = gm::create_file(&mut card, dialect, application, NAME, &attributes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PinRequired);
        drop(card);
        log_in_and_stay(&bench);

        let mut card = Exchange::new(bench.begin());
        let application = gm::open_application(&mut card, EPORT).unwrap();
        gm::create_file(&mut card, bench.dialect, application, NAME, &attributes).unwrap();
        let again = gm::create_file(&mut card, dialect, application, NAME, &attributes).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Argument);
        assert_eq!(gm::files(&mut card, application).unwrap(), [NAME]);
        assert_eq!(gm::file_attributes(&mut card, dialect, application, NAME).unwrap(), attributes);
        let text: Vec<u8> = (0..=u8::MAX).cycle().take(500).collect();
        gm::write_file(&mut card, dialect, application, NAME, (50, &text)).unwrap();
        let read = gm::read_file(&mut card, dialect, application, NAME, (0, 600)).unwrap();
        assert_eq!(read, [vec![0; 50], text.clone(), vec![0; 50]].concat(), "{}", dialect.name);
        let beyond = gm::write_file(&mut card, dialect, application, NAME, (590, &text[..20])).unwrap_err();
        assert_eq!(beyond.kind(), ErrorKind::Argument);

        // Whoever is not logged in may read, and no more.
        gm::clear_secure_state(&mut card, application).unwrap();
        let refused = gm::write_file(&mut card, dialect, application, NAME, (0, &text)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PinRequired);
        let refused = gm::delete_file(&mut card, application, NAME).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PinRequired);
        let part = gm::read_file(&mut card, dialect, application, NAME, (50, 500)).unwrap();
        assert_eq!(part, text);
        drop(card);
        log_in_and_stay(&bench);

        let mut card = Exchange::new(bench.begin());
        let application = gm::open_application(&mut card, EPORT).unwrap();
        gm::delete_file(&mut card, application, NAME).unwrap();
        assert!(gm::files(&mut card, application).unwrap().is_empty());
        let gone = gm::read_file(&mut card, dialect, application, NAME, (0, 1)).unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::Argument);
    }
}

#[test]
fn the_device_gives_random_knows_its_key_and_takes_a_label() {
    for dialect in DIALECTS {
        let bench = Bench::new(dialect);
        let mut card = Exchange::new(bench.begin());
        let mut random = [[0; 300]; 2];
        for octets in &mut random {
            gm::random(&mut card, octets).unwrap();
        }
        assert_ne!(random[0], random[1]);
        assert!(random.iter().all(|octets| octets[256..] != [0; 44]), "to the last octet");
        let error = gm::authenticate_device(&mut card, b"8765432187654321").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AdminKey, "{}: {error}", dialect.name);
        gm::authenticate_device(&mut card, DEVICE_KEY).unwrap();
        gm::set_label(&mut card, "仓库 7").unwrap();
        assert_eq!(gm::device_info(&mut card).unwrap().label, "仓库 7");
    }
}
