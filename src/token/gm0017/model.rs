//! A small device in memory, for counting commands and for faults at any step. It and the driver were written by the same hand, so it proves
//! nothing by agreeing: cryptograms are compared with what `openssl` makes, and the whole story runs on a simulator that others wrote.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::GM0017;
use super::container::public_key;
use super::dialect::Dialect;
use crate::cert::test_ca::{Shape, TestCa};
use crate::link::Atr;
use crate::suite::{KeyKind, SM2_DEFAULT_ID};
use crate::token::faults::Planned;
use crate::token::{CardRules, DialectRule, Driver, Greeting, Insertion, Token};
use crate::wait::lock;

pub(super) const CUSTOMS_PIN: &str = "12345678";
pub(super) const BANK_PIN: &str = "87654321";
pub(super) const ADMIN_PIN: &str = "adminpin";
pub(super) const ATR: &[u8] = &[0x3B, 0x80, 0x80, 0x01, 0x01];
pub(super) const MODEL: &str = "GM/T 0017 type 7, hardware 2.1, firmware 3.4";
pub(super) const SERIAL: &str = "GM00012345";

/// A device, seen through a port. Clones are the same device.
#[derive(Clone)]
pub(super) struct Card(pub(super) Arc<Mutex<Model>>);

pub(super) struct Container {
    pub(super) name: Vec<u8>,
    pub(super) kind: u8,
    pub(super) signing: Option<[u8; 32]>,
    pub(super) certificates: [Option<Vec<u8>>; 2],
}

pub(super) struct Application {
    pub(super) name: Vec<u8>,
    /// Admin and user: PIN, tries left, all tries.
    pub(super) pins: [(String, u8, u8); 2],
    pub(super) login: bool,
    pub(super) open: Option<[u8; 2]>,
    pub(super) containers: Vec<Container>,
}

pub(super) struct Model {
    pub(super) dialect: &'static Dialect,
    pub(super) info: Vec<u8>,
    pub(super) applications: Vec<Application>,
    pub(super) one_application: bool,
    /// It opens none a second time either, and says 6A90 to that as well.
    pub(super) opens_once: bool,
    pub(super) drops_login: bool,
    pub(super) close_ends_login: bool,
    /// Answers longer than this come in parts.
    pub(super) part: usize,
    /// Every application gets this number.
    pub(super) one_number: Option<[u8; 2]>,
    pub(super) extended: bool,
    pub(super) next: u8,
    pub(super) randoms: u8,
    pub(super) random: Option<[u8; 8]>,
    pub(super) given: usize,
    pub(super) log: Vec<Vec<u8>>,
    /// Answers to one instruction, whatever comes.
    pub(super) always: BTreeMap<u8, Vec<u8>>,
    pub(super) fault: Planned,
    /// In a reader: the answer to the next command with this instruction is lost on the way.
    pub(super) lost: Option<u8>,
    /// In a reader: for each of these the next command with that instruction does not reach the device.
    pub(super) unreached: Vec<u8>,
    /// That has just happened.
    pub(super) gone: bool,
}

pub(super) fn device_info() -> Vec<u8> {
    let mut block = vec![1, 0, 1, 0];
    let mut text = |value: &str, length: usize| {
        let mut octets = value.as_bytes().to_vec();
        octets.resize(length, 0);
        block.extend_from_slice(&octets);
    };
    text("Model maker", 64);
    text("Model issuer", 64);
    text("Model label", 32);
    text(SERIAL, 32);
    block.extend_from_slice(&[2, 1, 3, 4]);
    block.resize(228, 0);
    block.extend_from_slice(&[0, 7, 4, 8]);
    block.resize(288, 0);
    block
}

/// A private key of SM2 or P-256, and its X and Y.
pub(super) fn point(kind: u8, secret: &[u8; 32]) -> [u8; 64] {
    let octets = match kind {
        0x50 => p256::ecdsa::SigningKey::from_slice(secret)
            .unwrap()
            .verifying_key()
            .to_sec1_point(false)
            .as_bytes()
            .to_vec(),
        _ => sm2_key(secret).verifying_key().to_sec1_bytes().to_vec(),
    };
    octets[1..].try_into().unwrap()
}

pub(super) fn sm2_key(secret: &[u8; 32]) -> sm2::dsa::SigningKey {
    let secret = sm2::SecretKey::from_slice(secret).unwrap();
    sm2::dsa::SigningKey::new(SM2_DEFAULT_ID, &secret).unwrap()
}

pub(super) const CUSTOMS_CA: &str = "CN=Story customs CA";
pub(super) const BANK_CA: &str = "CN=Story bank CA";
const ENCRYPTION: &str = " encryption";

type Made = BTreeMap<(u8, [u8; 32]), Vec<u8>>;

/// A certificate, made once for each key.
pub(super) fn certificate(kind: u8, secret: &[u8; 32], name: &str) -> Vec<u8> {
    static MADE: Mutex<Made> = Mutex::new(BTreeMap::new());
    let make = || {
        let now = SystemTime::now();
        let ca = TestCa::new(if name.starts_with("pay") { BANK_CA } else { CUSTOMS_CA }, now).unwrap();
        let shape = Shape::plain(&format!("CN={name}"), vec![secret[0]], now);
        let shape = if name.ends_with(ENCRYPTION) { shape.for_encryption() } else { shape };
        let kind_of = if kind == 0x50 { KeyKind::P256 } else { KeyKind::Sm2 };
        let key = public_key(kind_of, &point(kind, secret), "model").unwrap();
        ca.issue(&shape, key.spki()).unwrap()
    };
    lock(&MADE).entry((kind, *secret)).or_insert_with(make).clone()
}

pub(super) fn container(name: &str, kind: u8, number: u8) -> Container {
    let (signing, encryption) = ([number; 32], [number + 0x40; 32]);
    let for_encryption = certificate(kind, &encryption, &format!("{name}{ENCRYPTION}"));
    let certificates = [for_encryption, certificate(kind, &signing, name)].map(Some);
    Container { name: name.as_bytes().to_vec(), kind, signing: Some(signing), certificates }
}

pub(super) fn application(name: &str, pin: &str, tries: u8, containers: Vec<Container>) -> Application {
    let pins = [(ADMIN_PIN.to_owned(), 8, 8), (pin.to_owned(), tries, tries)];
    Application { name: name.as_bytes().to_vec(), pins, login: false, open: None, containers }
}

impl Card {
    /// A shared shield: customs with five tries, bank with six, a container with both pairs in each.
    pub(super) fn new(dialect: &str) -> Card {
        let applications = vec![
            application("eport", CUSTOMS_PIN, 5, vec![container("customs", 2, 3)]),
            application("bank", BANK_PIN, 6, vec![container("pay", 2, 5)]),
        ];
        Card(Arc::new(Mutex::new(Model {
            dialect: Dialect::named(dialect).unwrap(),
            info: device_info(),
            applications,
            one_application: false,
            opens_once: false,
            drops_login: false,
            close_ends_login: false,
            part: usize::MAX,
            one_number: None,
            extended: true,
            next: 1,
            randoms: 0,
            random: None,
            given: 0,
            log: Vec::new(),
            always: BTreeMap::new(),
            fault: None,
            lost: None,
            unreached: Vec::new(),
            gone: false,
        })))
    }

    pub(super) fn set<R>(&self, change: impl FnOnce(&mut Model) -> R) -> R {
        change(&mut lock(&self.0))
    }

    /// What was sent since the last time.
    pub(super) fn sent(&self) -> Vec<Vec<u8>> {
        self.set(|model| std::mem::take(&mut model.log))
    }

    /// The instructions that were sent since the last time.
    pub(super) fn instructions(&self) -> Vec<u8> {
        self.sent().iter().map(|c| c[1]).collect()
    }

    /// Logins that were sent since the last time.
    pub(super) fn logins(&self) -> usize {
        self.instructions().iter().filter(|ins| **ins == 0x18).count()
    }

    /// One insertion of it, found by the driver.
    pub(super) fn insertion(&self, wanted: &[&str], rules: CardRules) -> Arc<Insertion> {
        let greeting = GM0017.probe(&mut self.clone()).unwrap().unwrap();
        let wanted = wanted.iter().map(|w| (*w).to_owned()).collect();
        Arc::new(Insertion::new(Atr::new(ATR), wanted).greeted(greeting).under(&Arc::new(rules)))
    }

    /// The same, of a device whose dialect is named and proven.
    pub(super) fn known(&self, wanted: &[&str]) -> Arc<Insertion> {
        let dialect = self.set(|model| model.dialect.name);
        self.insertion(wanted, rules(dialect, true))
    }

    /// The token of a transaction.
    pub(super) fn lease(&self, at: &Arc<Insertion>) -> Box<dyn Token> {
        GM0017.attach(Box::new(self.clone()), false, at).unwrap()
    }

    pub(super) fn tries(&self) -> Vec<u8> {
        self.set(|model| model.applications.iter().map(|a| a.pins[1].1).collect())
    }
}

/// What a profile says of the model.
pub(super) fn rules(dialect: &str, proven: bool) -> CardRules {
    let rule = DialectRule {
        atr: Atr::new(ATR),
        manufacturer: "Model maker".to_owned(),
        model: MODEL.to_owned(),
        dialect: dialect.to_owned(),
        proven: if proven { vec![SERIAL.to_owned()] } else { vec![] },
    };
    CardRules { dialects: vec![rule], ..CardRules::default() }
}

pub(super) fn greeting() -> Greeting {
    Greeting(device_info())
}
