//! Makes a test shield: one or two tokens of a PKCS#11 module, keys generated on them, certificates with invented names in the
//! shape of the e-port's and of a bank's, and the profile that knows them.
//!
//! ```ignore
//! let made = make(&Options::new("/usr/lib/softhsm/libsofthsm2.so", "target/shield", "12345678", "87654321"))?;
//! let profile = Profile::load(&made.profile)?;
//! ```

// Each program that includes this file uses a part of it.
#![allow(dead_code)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::made::{Fault, Files, Made, rules, self_signed};
use crate::test_ca::{Holder, Shape, TestCa};
use crate::test_token::{Key, Module, Purpose, Workshop};

/// How many tokens, and so how many PINs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// A token and a PIN for each certificate: a true shared shield.
    TwoTokens,
    /// One token whose PIN opens both; it has the customs label and the customs PIN.
    OneToken,
}

/// Whether a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Valid,
    Expired,
    NotYetValid,
}

/// A throw-away RSA key in place of a generated one.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    /// PKCS#8 in PEM.
    pub(crate) key: PathBuf,
    /// Its certificate in PEM, stored as it is; `None`: the test authority issues one.
    pub(crate) certificate: Option<PathBuf>,
}

/// What to make.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) module: PathBuf,
    /// Where the files go; made when it is not there.
    pub(crate) dir: PathBuf,
    pub(crate) layout: Layout,
    pub(crate) customs_label: String,
    pub(crate) bank_label: String,
    pub(crate) so_pin: String,
    pub(crate) customs_pin: String,
    pub(crate) bank_pin: String,
    pub(crate) customs_key: Key,
    pub(crate) bank_key: Key,
    pub(crate) customs_state: State,
    pub(crate) bank_state: State,
    /// The encryption certificate of the dual-certificate scheme beside the customs one.
    pub(crate) encryption: bool,
    /// An earlier customs certificate of the same holder, which the newer one supersedes.
    pub(crate) earlier: bool,
    /// The bank key wants its PIN before each signature.
    pub(crate) bank_each_time: bool,
    /// The customs key is imported.
    pub(crate) import: Option<Import>,
    pub(crate) holder: Holder,
    /// Time of issue.
    pub(crate) now: SystemTime,
}

impl Options {
    /// Two tokens with P-256 keys and valid certificates, and an encryption certificate beside them.
    pub(crate) fn new(
        module: impl Into<PathBuf>,
        dir: impl Into<PathBuf>,
        customs_pin: &str,
        bank_pin: &str,
    ) -> Options {
        Options {
            module: module.into(),
            dir: dir.into(),
            layout: Layout::TwoTokens,
            customs_label: "customs".to_owned(),
            bank_label: "bank".to_owned(),
            so_pin: "00000000".to_owned(),
            customs_pin: customs_pin.to_owned(),
            bank_pin: bank_pin.to_owned(),
            customs_key: Key::P256,
            bank_key: Key::P256,
            customs_state: State::Valid,
            bank_state: State::Valid,
            encryption: true,
            earlier: false,
            bank_each_time: false,
            import: None,
            holder: Holder::default(),
            now: SystemTime::now(),
        }
    }
}

/// Makes it. What is there already, tokens and files alike, is not touched: then nothing is made.
pub(crate) fn make(options: &Options) -> Result<Made, Fault> {
    let dir = &options.dir;
    let files = Files::in_folder(dir)?;
    let imported = options.import.as_ref().map(Imported::read).transpose()?;
    let module = Module::open(&options.module)?;
    let made = fill(options, &module, imported.as_ref());
    let closed = module.close();
    let shield = made?;
    closed?;
    let profile = shield.profile(options, imported.as_ref());
    let Contents { eport, banker, serials, customs, bank } = shield;
    files.write(serials, &profile, [&eport, &banker], [&customs, &bank])
}

/// An imported key, and its certificate if there is one.
struct Imported {
    key: Vec<u8>,
    certificate: Option<shared_shield::Certificate>,
}

impl Imported {
    fn read(import: &Import) -> Result<Imported, String> {
        let read = |path: &Path| fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
        let certificate = match &import.certificate {
            Some(path) => Some(shared_shield::Certificate::from_pem(&read(path)?).map_err(|e| e.to_string())?),
            None => None,
        };
        Ok(Imported { key: read(&import.key)?, certificate })
    }
}

/// What stands on the tokens.
struct Contents {
    eport: TestCa,
    banker: TestCa,
    serials: Vec<String>,
    customs: Vec<u8>,
    bank: Vec<u8>,
}

fn fill(options: &Options, module: &Module, imported: Option<&Imported>) -> Result<Contents, Fault> {
    let two = options.layout == Layout::TwoTokens;
    let labels: &[&str] = if two { &[&options.customs_label, &options.bank_label] } else { &[&options.customs_label] };
    if two && options.customs_label == options.bank_label {
        return Err(Fault::Asked("two tokens need two labels".to_owned()));
    }
    module.check_free(labels).map_err(Fault::Asked)?;
    let (eport, banker) = (TestCa::eport(options.now)?, TestCa::bank(options.now)?);
    let (slot, serial) = module.init_token(&options.customs_label, &options.so_pin, &options.customs_pin)?;
    let mut serials = vec![serial];
    let workshop = module.login(slot, &options.customs_pin)?;
    let customs = customs_side(options, &workshop, &eport, imported)?;
    let bank = if two {
        drop(workshop);
        let (slot, serial) = module.init_token(&options.bank_label, &options.so_pin, &options.bank_pin)?;
        serials.push(serial);
        bank_side(options, &module.login(slot, &options.bank_pin)?, &banker)?
    } else {
        bank_side(options, &workshop, &banker)?
    };
    Ok(Contents { eport, banker, serials, customs, bank })
}

fn customs_side(options: &Options, on: &Workshop, ca: &TestCa, imported: Option<&Imported>) -> Result<Vec<u8>, String> {
    let signs = Purpose { signs: true, each_time: false };
    let shape = |number| Shape::customs(&options.holder, number, options.now);
    if options.earlier {
        let spki = on.generate(options.customs_key, signs, 1, "customs before")?;
        let mut before = shape(1);
        before.not_before -= std::time::Duration::from_secs(300 * 24 * 3600);
        on.store(&ca.issue(&before, &spki)?, 1, "customs before")?;
    }
    if options.encryption {
        let spki = on.generate(options.customs_key, Purpose { signs: false, ..signs }, 2, "customs encryption")?;
        on.store(&ca.issue(&shape(2).for_encryption(), &spki)?, 2, "customs encryption")?;
    }
    let spki = match imported {
        Some(imported) => on.import_rsa(&imported.key, signs, 3, "customs")?,
        None => on.generate(options.customs_key, signs, 3, "customs")?,
    };
    let given = imported.and_then(|i| i.certificate.as_ref());
    let certificate = match given {
        Some(given) if given.key().map_err(|e| e.to_string())?.spki() != spki => {
            return Err("the imported key is not the certificate's".to_owned());
        }
        Some(given) => given.der().to_vec(),
        None => ca.issue(&in_state(shape(3), options.customs_state, options.now), &spki)?,
    };
    on.store(&certificate, 3, "customs")?;
    Ok(certificate)
}

fn bank_side(options: &Options, on: &Workshop, ca: &TestCa) -> Result<Vec<u8>, String> {
    let purpose = Purpose { signs: true, each_time: options.bank_each_time };
    let spki = on.generate(options.bank_key, purpose, 4, "bank")?;
    let shape = in_state(Shape::bank(&options.holder, 4, options.now), options.bank_state, options.now);
    let certificate = ca.issue(&shape, &spki)?;
    on.store(&certificate, 4, "bank")?;
    Ok(certificate)
}

fn in_state(shape: Shape, state: State, now: SystemTime) -> Shape {
    match state {
        State::Valid => shape,
        State::Expired => shape.expired(now),
        State::NotYetValid => shape.not_yet_valid(now),
    }
}

impl Contents {
    fn profile(&self, options: &Options, imported: Option<&Imported>) -> String {
        let mut text = rules([&self.eport, &self.banker]);
        text.push_str(&imported.and_then(|i| i.certificate.as_ref()).map(self_signed).unwrap_or_default());
        if options.layout == Layout::TwoTokens {
            let _ = write!(text, "\n[[shield]]\nserials = [\"{}\"]\n", self.serials.join("\", \""));
        }
        text
    }
}
