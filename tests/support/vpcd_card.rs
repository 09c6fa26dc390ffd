//! The PIV card of `tests/cards` in a reader of this process: no pcscd, so that a card can be reset, pulled out and lied about at any step,
//! and yet its answers are another's.
//!
//! Every card of a test process begins as the same one: keys and certificates are made once, and its folder is copied.

#![allow(dead_code, unreachable_pub)]

#[path = "child.rs"]
pub mod child;
#[path = "played_card.rs"]
mod played_card;
#[path = "../../examples/shield/test_ca.rs"]
pub mod test_ca;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

pub use played_card::Seen;
use played_card::{Played, Talk, built, lock};
use shared_shield::link::card::VirtualReaders;
use shared_shield::link::{Presence, Readers};
use shared_shield::token::{AdminAuth, DRIVERS, Driver, Insertion, Place, Token};
use shared_shield::{
    Certificate, Content, Declined, Error, PinEntry, PinQuestion, Profile, RawSignature, Request, Role, Scanner,
    Selector, Shield, Suite, ToBeSigned, Wait,
};
use test_ca::{Shape, TestCa};

/// The PIN of a new card; three tries.
pub const PIN: &str = "123456";
/// The PUK of a new card; three tries.
pub const PUK: &str = "12345678";
/// The management key of a new card (3DES).
pub const MANAGEMENT_KEY: [u8; 24] =
    *b"\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08";
/// The one reader.
pub const READER: &str = "Virtual PCD 00 00";

/// 00 A4 04 00 with the AID of PIV.
const SELECT: [u8; 14] = *b"\x00\xA4\x04\x00\x09\xA0\x00\x00\x03\x08\x00\x00\x10\x00";
/// RESET RETRY COUNTER: by the PUK of a new card, to the PIN of a new card.
const RENEW_PIN: [u8; 21] = *b"\x00\x2C\x00\x80\x1012345678123456\xFF\xFF";

/// There is one kind of card here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kind;

/// Runs `body`, or says why there is no card.
pub fn with_cards(name: &str, body: impl FnOnce()) {
    match built() {
        Some(_) => body(),
        None => child::skip(name, "tests/cards is not built (cargo build --manifest-path tests/cards/Cargo.toml)"),
    }
}

/// What every card begins with.
pub struct Made {
    files: Vec<(OsString, Vec<u8>)>,
    /// The customs certificate, in 9A.
    pub customs: Vec<u8>,
    /// The bank certificate, in 9C.
    pub bank: Vec<u8>,
}

/// Makes it once.
pub fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = scratch("first");
        let desk = Desk::of(Gone(folder.clone()));
        let customs = desk.equip("9A", "CN=Story customs CA", "CN=Story customs");
        let bank = desk.equip("9C", "CN=Story bank CA", "CN=Story bank");
        let files = fs::read_dir(&folder).unwrap().map(Result::unwrap);
        let files = files.map(|file| (file.file_name(), fs::read(file.path()).unwrap())).collect();
        Made { files, customs, bank }
    })
}

/// The certificate of a role.
pub fn certificate(Kind: Kind, role: Role) -> &'static [u8] {
    if role == Role::Customs { &made().customs } else { &made().bank }
}

fn scratch(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let file = format!("{}-{}-{name}-{number}", env!("CARGO_CRATE_NAME"), std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A reader with a card.
pub struct Desk {
    pub readers: VirtualReaders,
    card: Arc<Mutex<Played>>,
    talk: Arc<Mutex<Talk>>,
    /// Two hands do not put it in at one time.
    hand: Mutex<()>,
    _folder: Gone,
}

/// A folder that goes with its desk.
struct Gone(PathBuf);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Desk {
    /// A card as [`made`] left it.
    pub fn new() -> Self {
        let folder = scratch("card");
        for (name, octets) in &made().files {
            fs::write(folder.join(name), octets).unwrap();
        }
        Desk::of(Gone(folder))
    }

    pub fn of_kind(Kind: Kind) -> Self {
        Desk::new()
    }
    /// After whatever happened a further signature succeeds.
    pub fn goes_on(&self, shield: &Shield) -> Result<(), Error> {
        self.renew_pin();
        sign(shield, Role::Customs, "the next one", PIN, &Wait::default())
            .map(|out| assert!(verifies(&made().customs, "the next one", &out), "a wrong signature was handed out"))
    }

    fn of(folder: Gone) -> Self {
        let talk = Arc::<Mutex<Talk>>::default();
        let card = Arc::new(Mutex::new(Played::start(&folder.0, Arc::clone(&talk))));
        let readers = VirtualReaders::new(&[READER]);
        readers.insert(READER, card.clone());
        Desk { readers, card, talk, hand: Mutex::default(), _folder: folder }
    }

    /// Puts the card in, where it is not.
    pub fn put_in(&self) {
        let _one = lock(&self.hand);
        if !self.is_in() {
            self.readers.insert(READER, self.card.clone());
        }
    }

    fn is_in(&self) -> bool {
        let states = self.readers.list(&Wait::default()).unwrap();
        states.iter().any(|state| state.presence != Presence::Empty)
    }

    /// PIN and tries as those of a new card, and nobody is logged in.
    pub fn renew_pin(&self) {
        assert_eq!(self.readers.foreign(READER, &SELECT).last_chunk(), Some(&[0x90, 0x00]));
        assert_eq!(self.readers.foreign(READER, &RENEW_PIN), [0x90, 0x00]);
        self.readers.reset(READER);
    }

    /// A command of the test's own with PIV selected.
    pub fn foreign(&self, command: &[u8]) -> Vec<u8> {
        self.readers.foreign(READER, &SELECT);
        self.readers.foreign(READER, command)
    }

    /// What the card got since the last time.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut lock(&self.talk).seen)
    }

    /// Every command with this instruction gets this answer, and the card hears nothing of it.
    pub fn bend(&self, ins: u8, answer: &[u8]) {
        lock(&self.talk).bent.insert(ins, answer.to_vec());
    }

    /// Looks at 9A and 9C of the card behind `readers`.
    pub fn scanner(readers: Arc<dyn Readers>) -> Scanner {
        Scanner::new().profile(Arc::new(profile())).readers(readers)
    }

    pub fn looks_at(&self, readers: Arc<dyn Readers>) -> Scanner {
        Desk::scanner(readers)
    }

    /// The shield on this desk.
    pub fn shield(&self) -> Shield {
        let scan = Desk::scanner(Arc::new(self.readers.clone())).scan(&Wait::default()).unwrap();
        scan.only().unwrap_or_else(|e| panic!("{e}; {:?}; {:?}", scan.problems, scan.cards)).clone()
    }

    /// Does something with the PIV application as an issuer does.
    pub fn issue<R>(&self, work: impl FnOnce(&mut dyn Token) -> R) -> R {
        let link = self.readers.connect(READER, &Wait::default()).unwrap();
        let held = link.begin(&Wait::default()).unwrap();
        let at = Arc::new(Insertion::new(link.atr(), Vec::new()));
        work(&mut *driver().attach(held, false, &at).unwrap())
    }

    /// A new key in a slot: its SubjectPublicKeyInfo.
    pub fn generate(&self, slot: &str) -> Vec<u8> {
        self.issue(|token| {
            let (at, by) = (place(token, slot), AdminAuth::Key(&MANAGEMENT_KEY));
            token.issuing().unwrap().generate(&at, Suite::P256Sha256, by).unwrap().spki().to_vec()
        })
    }

    /// A certificate into a slot.
    pub fn store(&self, slot: &str, certificate: &[u8]) {
        self.issue(|token| {
            let (at, by) = (place(token, slot), AdminAuth::Key(&MANAGEMENT_KEY));
            token.issuing().unwrap().import_certificate(&at, certificate, by).unwrap();
        });
    }

    /// A new key in a slot, with a certificate.
    pub fn equip(&self, slot: &str, issuer: &str, subject: &str) -> Vec<u8> {
        let certificate = certify(issuer, subject, &self.generate(slot));
        self.store(slot, &certificate);
        certificate
    }
}

pub fn driver() -> &'static dyn Driver {
    *DRIVERS.iter().find(|driver| driver.name() == "piv").unwrap()
}

pub fn place(token: &mut dyn Token, name: &str) -> Place {
    let places = token.issuing().unwrap().places().unwrap();
    places.into_iter().find(|place| place.name == name).unwrap()
}

/// A certificate by an authority that issues this one alone.
pub fn certify(issuer: &str, subject: &str, spki: &[u8]) -> Vec<u8> {
    let now = SystemTime::now();
    let shape = Shape::plain(subject, vec![7, 1, 2, 3], now);
    TestCa::new(issuer, now).unwrap().issue(&shape, spki).unwrap()
}

/// Issuers give the roles, and two places are looked at.
pub fn profile() -> Profile {
    profile_of(&["9A", "9C"], "")
}

/// The same with other places, and with more of `[cards]`.
pub fn profile_of(places: &[&str], more: &str) -> Profile {
    let text = format!(
        "schema = 1\nname = \"story\"\ntest = true\n\n[[customs.issuer]]\ncommon_name = \"Story customs CA\"\n\n\
         [[bank.issuer]]\ncommon_name = \"Story bank CA\"\n\n[cards]\nplaces = {places:?}\n{more}"
    );
    Profile::parse(&text).unwrap()
}

/// Types this PIN, and counts how often it was asked.
pub fn typist<'l>(
    pin: &'l str,
    entries: &'l mut usize,
) -> impl FnMut(&PinQuestion<'_>) -> Result<PinEntry, Declined> + 'l {
    move |q| {
        *entries += 1;
        q.pin(pin.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
    }
}

/// A signature over a text: what came out.
pub fn sign(shield: &Shield, role: Role, text: &str, pin: &str, wait: &Wait) -> Result<Vec<u8>, Error> {
    let (mut out, mut entries) = (Vec::new(), 0);
    let request = Request::raw(role, Content::bytes(text.as_bytes().to_vec()));
    match shield.sign(request, &mut typist(pin, &mut entries), wait, &mut out) {
        Ok(_) => Ok(out),
        Err(error) => {
            assert!(out.is_empty(), "{error} wrote something");
            Err(error)
        }
    }
}

/// Judged by another implementation of P-256 than the card's.
pub fn verifies(certificate: &[u8], text: &str, signature: &[u8]) -> bool {
    let certificate = Certificate::from_der(certificate).unwrap();
    let key = certificate.key().unwrap();
    let tbs = ToBeSigned::over(Suite::P256Sha256, key, text.as_bytes()).unwrap();
    RawSignature::from_wire(Suite::P256Sha256, signature).is_ok_and(|s| key.verify(&tbs, &s).is_ok())
}

/// No choice among certificates.
pub fn any() -> Selector {
    Selector::default()
}
