//! A desk for stories: a private SoftHSM with a shared shield on it (a customs token and a bank token, a PIN each), reached directly
//! or through the counting shim.

#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shared_shield::{
    Certificate, Consent, Content, Declined, Error, PinEntry, PinQuestion, Profile, Receipt, Request, Role, Scanner,
    Shield, Wait,
};

use crate::softhsm::{self, Host, SoftHsm};

/// The customs PIN of every desk. Twelve digits, so that no log holds it by chance.
pub const CUSTOMS_PIN: &str = "739182640517";
/// The bank PIN of every desk.
pub const BANK_PIN: &str = "846205913372";

/// What kind of key the tokens hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    P256,
    Rsa(u32),
    /// For the shim alone: SoftHSM does not sign with them.
    #[cfg(feature = "sm")]
    Sm2,
}

/// Makes the two tokens with their certificates and writes `profile.toml`.
pub fn make(hsm: &SoftHsm, keys: Keys) {
    let serials = hsm.host(|host| {
        ["customs", "bank"].map(|name| {
            let slot = host.token(name, pin_of(name));
            let session = host.login(slot, pin_of(name));
            let pair = match keys {
                Keys::P256 => host.p256(&session, &[1], name, &[]),
                Keys::Rsa(bits) => host.rsa(&session, bits, &[1], name, &[]),
                #[cfg(feature = "sm")]
                Keys::Sm2 => host.sm2(&session, &scalar_of(name), &[1], name, &[]),
            };
            let der = softhsm::issue(&format!("CN=Story {name} CA"), &format!("CN=Story {name}"), &pair.spki, vec![]);
            host.certificate(&session, &der, &[1], name);
            host.p11.get_token_info(slot).unwrap().serial_number().to_owned()
        })
    });
    let text = format!(
        "schema = 1\nname = \"story\"\ntest = true\n\n[[customs.issuer]]\ncommon_name = \"Story customs CA\"\n\n\
         [[bank.issuer]]\ncommon_name = \"Story bank CA\"\n\n[[shield]]\nserials = [{:?}, {:?}]\n",
        serials[0], serials[1]
    );
    fs::write(hsm.dir().join("profile.toml"), text).unwrap();
}

fn pin_of(name: &str) -> &'static str {
    if name == "customs" { CUSTOMS_PIN } else { BANK_PIN }
}

/// A throw-away scalar for each name.
#[cfg(feature = "sm")]
fn scalar_of(name: &str) -> [u8; 32] {
    if name == "customs" { [0x11; 32] } else { [0x22; 32] }
}

/// The one shield on the desk.
pub fn shield(hsm: &SoftHsm, module: &Path) -> Shield {
    let profile = Profile::load(&hsm.dir().join("profile.toml")).unwrap();
    let scan = Scanner::new().profile(Arc::new(profile)).module(module).scan(&Wait::default()).unwrap();
    scan.only().unwrap_or_else(|e| panic!("{e}; {:?}", scan.problems)).clone()
}

/// A prompt that types what it is told, and counts how often it was asked.
#[derive(Debug)]
pub struct Typist {
    pub pins: BTreeMap<Role, &'static str>,
    pub asked: u32,
}

impl Typist {
    /// Types each role's right PIN.
    pub fn right() -> Self {
        Typist { pins: BTreeMap::from([(Role::Customs, CUSTOMS_PIN), (Role::Bank, BANK_PIN)]), asked: 0 }
    }

    /// Types this whatever is asked.
    pub fn always(pin: &'static str) -> Self {
        Typist { pins: BTreeMap::from([(Role::Customs, pin), (Role::Bank, pin)]), asked: 0 }
    }
}

impl shared_shield::PinPrompt for Typist {
    fn ask(&mut self, question: &PinQuestion<'_>) -> Result<PinEntry, Declined> {
        self.asked += 1;
        let pin = self.pins.get(&question.role).ok_or(Declined)?;
        question.pin(pin.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
    }
}

/// Signs raw data once.
pub fn sign(
    shield: &Shield,
    role: Role,
    typist: &mut Typist,
    consent: Consent,
    out: &mut Vec<u8>,
) -> Result<Receipt, Error> {
    let request = Request::raw(role, Content::bytes(*b"order 4711")).consent(consent);
    shield.sign(request, typist, &Wait::default(), out)
}

/// The certificate of a role.
pub fn certificate(shield: &Shield, role: Role) -> Arc<Certificate> {
    shield.credential(role, &shared_shield::Selector::default()).unwrap().certificate
}

/// The counting shim in front of SoftHSM.
#[derive(Debug)]
pub struct Shim {
    pub module: PathBuf,
    log: PathBuf,
    control: PathBuf,
}

/// Where `tests/run` has built the modules of `tests/modules`.
pub fn built(file: &str) -> Option<PathBuf> {
    let named = std::env::var_os("SHIELD_TEST_MODULES").map(PathBuf::from);
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules/target/debug");
    let path = named.unwrap_or(default).join(file);
    path.exists().then_some(path)
}

impl Shim {
    /// Variables for a child process that loads the shim; `dir` is the story's folder.
    pub fn env(dir: &Path) -> Vec<(&'static str, OsString)> {
        vec![
            ("SHIM_MODULE", softhsm::MODULE.into()),
            ("SHIM_LOG", dir.join("shim.log").into()),
            ("SHIM_CONTROL", dir.join("shim.control").into()),
        ]
    }

    /// The shim of this story, if it is built.
    pub fn of(hsm: &SoftHsm) -> Option<Self> {
        let module = built("libp11shim.so")?;
        Some(Shim { module, log: hsm.dir().join("shim.log"), control: hsm.dir().join("shim.control") })
    }

    /// Puts rules in force, whole.
    pub fn rules(&self, text: &str) {
        let new = self.control.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, &self.control).unwrap();
    }

    /// The log lines of one function since the story began.
    pub fn calls(&self, function: &str) -> Vec<String> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().filter(|l| l.split(' ').next() == Some(function)).map(str::to_owned).collect()
    }
}

/// Lower-case hex of a SHA-256, as the shim's log has PINs.
pub fn sha256(text: &str) -> String {
    shared_shield::DigestAlgorithm::Sha256.of(text.as_bytes()).unwrap().hex()
}

/// A host beside the library in the same process, for the shim or another module.
pub fn host_of(module: &Path) -> Host {
    Host::of(module)
}
