//! A shared shield in the simulator: the e-port's application and a bank's, each with PINs of its own, with SM2 keys or P-256 ones. And what people
//! do with one.
//!
//! Wants `test_ca` and `test_ca_sm2` of `examples/shield` at the root of its test.

#![allow(dead_code, unreachable_pub)]

#[path = "between.rs"]
mod between;

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

pub use between::{Between, lock};
use shared_shield::link::Readers;
use shared_shield::link::card::SharedCard;
use shared_shield::simulator::{Algorithm, ApplicationSetup, Habits, Simulator, Usage};
use shared_shield::{
    Certificate, Content, Declined, DoorInfo, Error, PinEntry, PinQuestion, Policy, Profile, RawSignature, Request,
    Role, Scan, Scanner, Selector, Session, Shield, Suite, ToBeSigned, Unlock, Wait,
};
use spki::EncodePublicKey;

use crate::test_ca::{Holder, Shape, TestCa};
use crate::test_ca_sm2::Sm2Key;

/// Twelve digits each, so that no log holds one by chance.
pub const CUSTOMS_PIN: &str = "739182640517";
pub const BANK_PIN: &str = "846205913372";
/// The PIN by which the e-port's office unlocks, and the bank's.
pub const CUSTOMS_ADMIN: &str = "660184935527";
pub const BANK_ADMIN: &str = "118365002794";
/// What a new PIN is, and one that no shield has.
pub const OTHER_PIN: &str = "904417226358";
pub const WRONG_PIN: &str = "527390418660";
/// The container in each application.
pub const CONTAINER: &str = "sign";
/// The dialect in which PINs can be changed.
pub const SYNO: &str = "syno-2015";

const SERIAL: &str = "SIM-STORY-0001";

/// What kind of key the shield holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    #[default]
    Sm2,
    P256,
}

impl Kind {
    pub fn algorithm(self) -> Algorithm {
        match self {
            Kind::Sm2 => Algorithm::Sm2,
            Kind::P256 => Algorithm::P256,
        }
    }

    pub fn suite(self) -> Suite {
        match self {
            Kind::Sm2 => Suite::Sm2Sm3,
            Kind::P256 => Suite::P256Sha256,
        }
    }
}

pub fn application(role: Role) -> &'static str {
    if role == Role::Customs { "eport" } else { "bank" }
}

pub fn pin(role: Role) -> &'static str {
    if role == Role::Customs { CUSTOMS_PIN } else { BANK_PIN }
}

pub fn admin_pin(role: Role) -> &'static str {
    if role == Role::Customs { CUSTOMS_ADMIN } else { BANK_ADMIN }
}

/// Tries of a user's PIN.
pub fn tries(role: Role) -> u8 {
    if role == Role::Customs { 5 } else { 6 }
}

/// A throw-away scalar for each pair.
fn scalar(role: Role, usage: Usage) -> [u8; 32] {
    let octet = if role == Role::Customs { 0x11 } else { 0x22 };
    if usage == Usage::Signing { [octet; 32] } else { [octet + 0x40; 32] }
}

/// SubjectPublicKeyInfo from 04 ‖ X ‖ Y.
pub fn spki(kind: Kind, point: &[u8]) -> Vec<u8> {
    let info = match kind {
        Kind::Sm2 => sm2::PublicKey::from_sec1_bytes(point).unwrap().to_public_key_der(),
        Kind::P256 => p256::PublicKey::from_sec1_bytes(point).unwrap().to_public_key_der(),
    };
    info.unwrap().into_vec()
}

/// Certificates, made once: of customs and of the bank, each for signing and for encryption.
fn certificates(kind: Kind) -> &'static [[Vec<u8>; 2]; 2] {
    static MADE: [OnceLock<[[Vec<u8>; 2]; 2]>; 2] = [OnceLock::new(), OnceLock::new()];
    let of = if kind == Kind::Sm2 { &MADE[0] } else { &MADE[1] };
    of.get_or_init(|| {
        let (now, holder) = (SystemTime::now(), Holder::default());
        let on = keys_only(kind, &Role::ALL);
        Role::ALL.map(|role| {
            let name = if role == Role::Customs { "CN=Story customs CA" } else { "CN=Story bank CA" };
            let ca = match kind {
                Kind::Sm2 => TestCa::with(Box::new(Sm2Key::generate().unwrap()), name, now).unwrap(),
                Kind::P256 => TestCa::new(name, now).unwrap(),
            };
            let shape = |number| match role {
                Role::Customs => Shape::customs(&holder, number, now),
                _ => Shape::bank(&holder, number, now),
            };
            [(Usage::Signing, shape(1)), (Usage::Encryption, shape(2).for_encryption())].map(|(usage, shape)| {
                let scalar = scalar(role, usage);
                let point = on.import_key(application(role), CONTAINER, usage, kind.algorithm(), &scalar).unwrap();
                ca.issue(&shape, &spki(kind, &point)).unwrap()
            })
        })
    })
}

/// The signing certificate of a role.
pub fn certificate(kind: Kind, role: Role) -> &'static [u8] {
    &certificates(kind)[Role::ALL.iter().position(|r| *r == role).unwrap()][0]
}

fn keys_only(kind: Kind, order: &[Role]) -> Simulator {
    let on = Simulator::blank(SERIAL).unwrap();
    for role in order.iter().copied() {
        let setup = ApplicationSetup {
            name: application(role).to_owned(),
            admin_pin: admin_pin(role).to_owned(),
            admin_tries: tries(role),
            user_pin: pin(role).to_owned(),
            user_tries: tries(role),
        };
        on.create_application(&setup).unwrap();
        on.create_container(application(role), CONTAINER).unwrap();
        for usage in [Usage::Signing, Usage::Encryption] {
            let scalar = scalar(role, usage);
            on.import_key(application(role), CONTAINER, usage, kind.algorithm(), &scalar).unwrap();
        }
    }
    on
}

/// A new shield, in memory. Its applications get their numbers in this order.
pub fn issued(kind: Kind, dialect: &str, habits: Habits, order: &[Role]) -> Simulator {
    let on = keys_only(kind, order);
    on.speak(dialect).unwrap();
    on.habits(habits);
    for (role, [signing, encryption]) in Role::ALL.iter().zip(certificates(kind)) {
        on.import_certificate(application(*role), CONTAINER, Usage::Signing, signing).unwrap();
        on.import_certificate(application(*role), CONTAINER, Usage::Encryption, encryption).unwrap();
    }
    on
}

/// What a program does that is logged in to one application: a container of its own with this certificate. Its key: 04‖X‖Y.
pub fn plant(on: &Simulator, kind: Kind, role: Role, container: &str, der: &[u8]) -> Vec<u8> {
    on.create_container(application(role), container).unwrap();
    let point = on.import_key(application(role), container, Usage::Signing, kind.algorithm(), &[0x33; 32]).unwrap();
    on.import_certificate(application(role), container, Usage::Signing, der).unwrap();
    point
}

/// A certificate of a party over any key, by an authority that only has its name.
pub fn forged(kind: Kind, role: Role, point: &[u8], change: impl FnOnce(&mut Shape)) -> Vec<u8> {
    let (now, holder) = (SystemTime::now(), Holder::default());
    let (name, mut shape) = match role {
        Role::Customs => ("CN=Story customs CA", Shape::customs(&holder, 1, now)),
        _ => ("CN=Story bank CA", Shape::bank(&holder, 1, now)),
    };
    change(&mut shape);
    TestCa::new(name, now).unwrap().issue(&shape, &spki(kind, point)).unwrap()
}

/// Issuers give the roles. A dialect is named for the very device that `door` is, and proven on it or not.
pub fn profile(door: &DoorInfo, dialect: Option<&str>, proven: bool) -> Profile {
    let rules =
        "[[customs.issuer]]\ncommon_name = \"Story customs CA\"\n\n[[bank.issuer]]\ncommon_name = \"Story bank CA\"\n";
    Profile::parse(&profile_text(door, dialect, proven, rules)).unwrap()
}

/// The same with other rules for roles, as it stands in a file.
pub fn profile_text(door: &DoorInfo, dialect: Option<&str>, proven: bool, rules: &str) -> String {
    let mut text = format!("schema = 1\nname = \"story\"\ntest = true\n\n{rules}");
    if let Some(dialect) = dialect {
        let atr: String = door.atr.iter().flat_map(|atr| atr.octets()).map(|o| format!("{o:02X}")).collect();
        let proven = if proven { format!("{:?}", door.serial) } else { String::new() };
        text.push_str(&format!(
            "\n[[cards.dialect]]\natr = {atr:?}\nmanufacturer = {:?}\nmodel = {:?}\nname = {dialect:?}\nproven = [{proven}]\n",
            door.manufacturer, door.model
        ));
    }
    text
}

/// What the device in these readers says of itself.
pub fn door(readers: &Arc<dyn Readers>) -> DoorInfo {
    let scan = Scanner::new().readers(Arc::clone(readers)).scan(&Wait::default()).unwrap();
    scan.only().unwrap_or_else(|e| panic!("{e}; {:?}", scan.problems)).doors().next().unwrap().clone()
}

/// Looks at the one device in these readers, whose dialect is known and proven.
pub fn scanner(readers: Arc<dyn Readers>, dialect: &str) -> Scanner {
    let profile = profile(&door(&readers), Some(dialect), true);
    Scanner::new().profile(Arc::new(profile)).readers(readers)
}

/// The one shield of a scan.
pub fn only(scan: &Scan) -> Shield {
    scan.only().unwrap_or_else(|e| panic!("{e}; {:?}; {:?}", scan.problems, scan.cards)).clone()
}

/// A command to a card itself with the data and the length that are given, in the form that the card takes.
pub fn foreign(card: &SharedCard, header: [u8; 4], data: &[u8], expected: u8) -> (Vec<u8>, u16) {
    let mut card = lock(card);
    let length = u16::try_from(data.len()).unwrap().to_be_bytes();
    let apdu = match card.extended() {
        true => [&header[..], &[0], &length, data, &[0, expected]].concat(),
        false => [&header[..], &length[1..], data, &[expected]].concat(),
    };
    let mut answer = card.command(&apdu);
    let sw = answer.split_off(answer.len() - 2);
    (answer, u16::from_be_bytes([sw[0], sw[1]]))
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

pub fn raw(role: Role, text: &str) -> Request {
    Request::raw(role, Content::bytes(text.as_bytes().to_vec()))
}

/// A signature over a text: what came out.
pub fn sign(shield: &Shield, role: Role, text: &str, pin: &str, wait: &Wait) -> Result<Vec<u8>, Error> {
    let (mut out, mut entries) = (Vec::new(), 0);
    match shield.sign(raw(role, text), &mut typist(pin, &mut entries), wait, &mut out) {
        Ok(_) => Ok(out),
        Err(error) => {
            assert!(out.is_empty(), "{error} wrote something");
            Err(error)
        }
    }
}

/// A batch of many signatures, also for the bank.
pub fn unlock(shield: &Shield, role: Role) -> Session {
    let policy = Policy { signatures: 500, resends: 100, ..Policy::of(role) };
    shield.unlock(Unlock::of(role).policy(policy), &mut typist(pin(role), &mut 0), &Wait::default()).unwrap()
}

/// One signature of a batch over a text.
pub fn sign_in(session: &Session, text: &str, wait: &Wait) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let signed = session.sign(raw(session.role(), text), wait, &mut out).map(drop);
    assert_eq!(out.is_empty(), signed.is_err());
    signed.map(|()| out)
}

/// The library's own judgement, for what is judged a thousand times; openssl's is in `sm2_judge`.
pub fn verifies(certificate: &[u8], text: &str, signature: &[u8]) -> bool {
    let certificate = Certificate::from_der(certificate).unwrap();
    let key = certificate.key().unwrap();
    let suite = Suite::preferred(key.kind()).unwrap();
    let tbs = ToBeSigned::over(suite, key, text.as_bytes()).unwrap();
    RawSignature::from_wire(suite, signature).is_ok_and(|s| key.verify(&tbs, &s).is_ok())
}

/// No choice among certificates.
pub fn any() -> Selector {
    Selector::default()
}
