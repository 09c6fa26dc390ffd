//! Makes a test shield in the simulator: one device with the application of the e-port and that of a bank, each with PINs of its own, and in
//! each a signing and an encryption certificate (the dual-certificate scheme), with invented names.

// Each program that includes this file uses a part of it.
#![allow(dead_code)]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use shared_shield::simulator::{Algorithm, ApplicationSetup, Simulator, Usage};
use shared_shield::{Certificate, DoorInfo, Scanner, Wait};
use sm2::pkcs8::DecodePrivateKey;
use spki::EncodePublicKey;

use crate::made::{Fault, Files, Made, rules, self_signed};
use crate::test_ca::{BANK_NAME, EPORT_NAME, Holder, Shape, TestCa};
use crate::test_ca_sm2::Sm2Key;

/// The application of the e-port, and how many tries each of its PINs has.
pub(crate) const EPORT: (&str, u8) = ("eport", 5);
/// That of the bank.
pub(crate) const BANK: (&str, u8) = ("bank", 6);
/// The container in each of them.
pub(crate) const CONTAINER: &str = "sign";

/// The PIN of a role, and the one of the office that unlocks it.
#[derive(Clone)]
pub(crate) struct Pins {
    pub(crate) user: String,
    pub(crate) admin: String,
}

/// A throw-away private key in place of the customs one (PKCS#8 in PEM), and its certificate if there is one.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) key: String,
    pub(crate) certificate: Option<Certificate>,
}

/// What to make.
#[derive(Clone)]
pub(crate) struct Plan {
    /// Where its state goes; not there yet.
    pub(crate) file: PathBuf,
    /// Where profile and certificates go; made when it is not there.
    pub(crate) dir: PathBuf,
    pub(crate) serial: String,
    pub(crate) dialect: String,
    pub(crate) keys: Algorithm,
    pub(crate) customs: Pins,
    pub(crate) bank: Pins,
    pub(crate) given: Option<Given>,
    /// The customs certificate has expired.
    pub(crate) expired: bool,
    /// An earlier customs certificate of the same holder, which the newer one supersedes.
    pub(crate) earlier: bool,
    pub(crate) holder: Holder,
    pub(crate) now: SystemTime,
}

impl Plan {
    /// SM2 keys, valid certificates, and the one dialect in which PINs can be changed.
    pub(crate) fn new(file: impl Into<PathBuf>, dir: impl Into<PathBuf>, customs: Pins, bank: Pins) -> Plan {
        let now = SystemTime::now();
        // Two shields on one desk have two numbers.
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        Plan {
            file: file.into(),
            dir: dir.into(),
            serial: format!("SIM{since:019}"),
            dialect: "syno-2015".to_owned(),
            keys: Algorithm::Sm2,
            customs,
            bank,
            given: None,
            expired: false,
            earlier: false,
            holder: Holder::default(),
            now,
        }
    }
}

/// Makes it. What is there already is not touched: then nothing is made.
pub(crate) fn make(plan: &Plan) -> Result<Made, Fault> {
    if plan.file.exists() {
        return Err(Fault::Asked(format!("{} is there already: name another file", plan.file.display())));
    }
    let files = Files::in_folder(&plan.dir)?;
    let (eport, banker) = (authority(plan, EPORT_NAME)?, authority(plan, BANK_NAME)?);
    let simulator = Simulator::blank(&plan.serial).map_err(asked)?;
    simulator.speak(&plan.dialect).map_err(asked)?;
    let customs = customs_side(plan, &simulator, &eport)?;
    let bank = bank_side(plan, &simulator, &banker)?;
    let mut text = rules([&eport, &banker]);
    let given = plan.given.as_ref().and_then(|given| given.certificate.as_ref());
    text.push_str(&given.map(self_signed).unwrap_or_default());
    text.push_str(&dialect_rule(&door(&simulator)?, &plan.dialect));
    simulator.save_as(&plan.file)?;
    files.write(vec![plan.serial.clone()], &text, [&eport, &banker], [&customs, &bank])
}

/// An SM2 certificate comes from an SM2 authority, as the e-port's do since 2022.
fn authority(plan: &Plan, name: &str) -> Result<TestCa, String> {
    match plan.keys {
        Algorithm::Sm2 => TestCa::with(Box::new(Sm2Key::generate()?), name, plan.now),
        _ => TestCa::new(name, plan.now),
    }
}

/// What the device says of itself, as a scan reads it.
fn door(simulator: &Simulator) -> Result<DoorInfo, String> {
    let scan = Scanner::new().readers(simulator.readers()).scan(&Wait::default()).map_err(said)?;
    scan.only().map_err(said)?.doors().next().cloned().ok_or_else(|| "the simulator shows no door".to_owned())
}

/// The profile's word for the dialect, with this device as one that has accepted PINs in it.
fn dialect_rule(door: &DoorInfo, dialect: &str) -> String {
    let atr: String = door.atr.iter().flat_map(|atr| atr.octets()).map(|o| format!("{o:02X}")).collect();
    let mut text = "\n[[cards.dialect]]\n".to_owned();
    for (key, value) in
        [("atr", &atr), ("manufacturer", &door.manufacturer), ("model", &door.model), ("name", &dialect.to_owned())]
    {
        let _ = writeln!(text, "{key} = {value:?}");
    }
    let _ = writeln!(text, "proven = [{:?}]", door.serial);
    text
}

fn customs_side(plan: &Plan, on: &Simulator, ca: &TestCa) -> Result<Vec<u8>, Fault> {
    let shape = |number| Shape::customs(&plan.holder, number, plan.now);
    application(on, EPORT, &plan.customs)?;
    if plan.earlier {
        let mut before = shape(1);
        before.not_before -= Duration::from_secs(300 * 24 * 3600);
        on.create_container(EPORT.0, "before").map_err(said)?;
        let point = on.generate(EPORT.0, "before", plan.keys).map_err(said)?;
        let certificate = ca.issue(&before, &spki(plan.keys, &point)?)?;
        on.import_certificate(EPORT.0, "before", Usage::Signing, &certificate).map_err(said)?;
    }
    on.create_container(EPORT.0, CONTAINER).map_err(said)?;
    let shapes = [if plan.expired { shape(3).expired(plan.now) } else { shape(3) }, shape(2).for_encryption()];
    container(plan, on, ca, (EPORT.0, plan.given.as_ref()), &shapes)
}

fn bank_side(plan: &Plan, on: &Simulator, ca: &TestCa) -> Result<Vec<u8>, Fault> {
    let shape = |number| Shape::bank(&plan.holder, number, plan.now);
    application(on, BANK, &plan.bank)?;
    on.create_container(BANK.0, CONTAINER).map_err(said)?;
    container(plan, on, ca, (BANK.0, None), &[shape(4), shape(5).for_encryption()])
}

fn application(on: &Simulator, (name, tries): (&str, u8), pins: &Pins) -> Result<(), Fault> {
    let setup = ApplicationSetup {
        name: name.to_owned(),
        admin_pin: pins.admin.clone(),
        admin_tries: tries,
        user_pin: pins.user.clone(),
        user_tries: tries,
    };
    on.create_application(&setup).map_err(asked)
}

/// The signing pair is born on the device, unless one is given; the encryption pair is made by the authority, which is why it can be imported
/// (GM/T 0016-2012 §5). Gives the signing certificate.
fn container(
    plan: &Plan,
    on: &Simulator,
    ca: &TestCa,
    (application, given): (&str, Option<&Given>),
    [signing, encryption]: &[Shape; 2],
) -> Result<Vec<u8>, Fault> {
    let store = |usage, der: &[u8]| on.import_certificate(application, CONTAINER, usage, der).map_err(said);
    let import = |usage, scalar: &[u8]| on.import_key(application, CONTAINER, usage, plan.keys, scalar).map_err(said);
    let point = match given {
        Some(given) => import(Usage::Signing, &scalar(plan.keys, &given.key).map_err(Fault::Asked)?)?,
        None => on.generate(application, CONTAINER, plan.keys).map_err(said)?,
    };
    let key = spki(plan.keys, &point)?;
    let certificate = match given.and_then(|given| given.certificate.as_ref()) {
        Some(given) if given.key().map_err(said)?.spki() != key => {
            return Err(Fault::Asked("the imported key is not the certificate's".to_owned()));
        }
        Some(given) => given.der().to_vec(),
        None => ca.issue(signing, &key)?,
    };
    store(Usage::Signing, &certificate)?;
    let point = import(Usage::Encryption, &fresh(plan.keys))?;
    store(Usage::Encryption, &ca.issue(encryption, &spki(plan.keys, &point)?)?)?;
    Ok(certificate)
}

/// The private scalar of a key in PKCS#8.
fn scalar(keys: Algorithm, pem: &str) -> Result<Vec<u8>, String> {
    let wrong = |_| "the imported key is none of the kind that was asked for, in PKCS#8 PEM".to_owned();
    match keys {
        Algorithm::Sm2 => sm2::SecretKey::from_pkcs8_pem(pem).map(|k| k.to_bytes().to_vec()).map_err(wrong),
        _ => p256::SecretKey::from_pkcs8_pem(pem).map(|k| k.to_bytes().to_vec()).map_err(wrong),
    }
}

fn fresh(keys: Algorithm) -> Vec<u8> {
    use p256::elliptic_curve::Generate;
    match keys {
        Algorithm::Sm2 => sm2::SecretKey::generate().to_bytes().to_vec(),
        _ => p256::SecretKey::generate().to_bytes().to_vec(),
    }
}

/// A SubjectPublicKeyInfo from 04 ‖ X ‖ Y.
fn spki(keys: Algorithm, point: &[u8]) -> Result<Vec<u8>, String> {
    let info = match keys {
        Algorithm::Sm2 => sm2::PublicKey::from_sec1_bytes(point).map_err(said)?.to_public_key_der(),
        _ => p256::PublicKey::from_sec1_bytes(point).map_err(said)?.to_public_key_der(),
    };
    info.map(|der| der.into_vec()).map_err(said)
}

fn asked(error: impl std::fmt::Display) -> Fault {
    Fault::Asked(error.to_string())
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}
