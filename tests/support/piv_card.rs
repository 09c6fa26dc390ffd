//! The PIV card of `tests/cards` in a reader of a private pcscd: put in, pulled out, filled by yubico-piv-tool.
//!
//! ```ignore
//! #[path = "support/pcscd.rs"]
//! mod pcscd;
//! #[path = "support/piv_card.rs"]
//! mod piv_card;
//! #[path = "support/softhsm.rs"]
//! mod softhsm;
//!
//! #[test]
//! fn a_card_signs() {
//!     piv_card::story("a_card_signs", |pcscd, card| {
//!         let made = card.fill(piv_card::Key::P256);
//!         // the library finds the card now, and made.profile says whose certificates are which
//!         card.remove();
//!         assert!(card.commands().iter().any(|c| c.is_login()));
//!     });
//! }
//! ```

#![allow(dead_code, unreachable_pub)]

#[path = "program.rs"]
mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use der::asn1::OctetString;
use der::{Document, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

use crate::pcscd::{self, Pcscd, Reader};
use crate::softhsm::{self, child};
use program::Program;

/// The PIN of a new card; three tries.
pub const PIN: &str = "123456";
/// The PUK of a new card; three tries.
pub const PUK: &str = "12345678";
/// The management key of a new card (3DES).
pub const MANAGEMENT_KEY: &str = "010203040506070801020304050607080102030405060708";
/// The name of the readers of [`story`]: one that yubico-piv-tool and ykcs11 look at.
pub const READERS: &str = "Yubico YubiKey CCID";

/// What kind of key a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    P256,
    Rsa2048,
}

/// A card and the program that plays it. It ends with this value, and with the process.
#[derive(Debug)]
pub struct PivCard {
    program: Program,
    reader: Reader,
    socket: PathBuf,
    folder: PathBuf,
    /// A line for each command (see the README of `tests/cards`).
    pub count: PathBuf,
    /// Commands and answers, without secrets.
    pub trace: PathBuf,
}

/// What [`PivCard::fill`] made.
#[derive(Debug, Clone)]
pub struct Made {
    /// Gives the roles: issuers "Story customs CA" and "Story bank CA", as on a desk.
    pub profile: PathBuf,
    /// The customs certificate, in 9A.
    pub customs: Vec<u8>,
    /// The bank certificate, in 9C.
    pub bank: Vec<u8>,
}

/// A command that the card got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apdu {
    pub ins: u8,
    pub p1p2: u16,
    /// Octets of data.
    pub sent: usize,
    /// Octets of answer.
    pub answered: usize,
    pub status: u16,
}

impl Apdu {
    /// A VERIFY with a PIN: one that costs a try when it is wrong.
    pub fn is_login(&self) -> bool {
        self.ins == 0x20 && self.sent > 0
    }
}

/// Runs `body` in a child process with a private pcscd and a new card in its first reader.
pub fn story(name: &str, body: impl FnOnce(&Pcscd, &PivCard)) {
    if !child::inside()
        && let Some(reason) = missing()
    {
        return child::skip(name, &reason);
    }
    pcscd::story(name, &[READERS], |pcscd| {
        let card = PivCard::start(pcscd, 0, "card", &[]);
        body(pcscd, &card);
    });
}

/// Why no card can be put into a reader here.
pub fn missing() -> Option<String> {
    let reason = "tests/cards is not built (cargo build --manifest-path tests/cards/Cargo.toml)";
    let tool = |program: &str, package: &str| {
        let there = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        there.is_err().then(|| format!("{program} is not there (apt-get install {package})"))
    };
    pcscd::missing()
        .or_else(|| built("piv-card").is_none().then(|| reason.to_owned()))
        .or_else(|| tool("yubico-piv-tool", "yubico-piv-tool"))
        .or_else(|| tool("opensc-tool", "opensc"))
}

/// Where `tests/run` has built the programs of `tests/cards`.
pub fn built(program: &str) -> Option<PathBuf> {
    let named = std::env::var_os("SHIELD_TEST_CARDS").map(PathBuf::from);
    // The crate of the C interface has its tests a folder deeper.
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|f| f.join("tests/cards/target/debug"));
    named.into_iter().chain(default()).map(|folder| folder.join(program)).find(|path| path.exists())
}

impl PivCard {
    /// Puts the card of this name (a folder beside the service's socket; a new card when it is not there) into a reader, and waits
    /// until pcscd has seen it. `options` are those of `piv-card`, such as `--extended`; with `--out` it stays outside.
    pub fn start(pcscd: &Pcscd, reader: usize, name: &str, options: &[&str]) -> Self {
        let reader = pcscd.readers()[reader].clone();
        let folder = pcscd.dir().join(name);
        let file = |kind: &str| pcscd.dir().join(format!("{name}.{kind}"));
        let (count, trace) = (file("count"), file("trace"));
        let mut command = Command::new(built("piv-card").expect("tests/cards is built"));
        command.args(["--port", &reader.port.to_string()]).arg("--state").arg(&folder);
        command.arg("--count").arg(&count).arg("--trace").arg(&trace).args(options);
        let program = Program::start(command);
        let socket = pcscd.socket().to_owned();
        let card = PivCard { program, reader, socket, folder, count, trace };
        if !options.contains(&"--out") {
            card.seen();
        }
        card
    }

    /// The reader that it was made for.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Pulls it out. pcscd notices within 400 ms ([`Pcscd::wait_for_card`]), or with the next command of anybody.
    pub fn remove(&self) {
        self.program.order("remove");
    }

    /// Puts it back in, and waits until pcscd has seen it. pcscd looks every 400 ms: one that came back before it was missed would be powered by
    /// nobody, so that is waited for as well.
    pub fn insert(&self) {
        pcscd::wait_for_card(&self.socket, &self.reader.name, false);
        self.program.order("insert");
        self.seen();
    }

    /// Pulls it out and puts the card of another name into the same reader at once, and waits until pcscd has seen that. pcscd
    /// counts a removal and an insertion.
    pub fn swap(&self, name: &str) {
        self.program.order(&format!("swap {}", self.folder.with_file_name(name).display()));
        self.seen();
    }

    fn seen(&self) {
        self.program.event("powered");
        pcscd::wait_for_card(&self.socket, &self.reader.name, true);
    }

    /// Pulls it out in the middle of the `n`-th command from now: the card works, and the answer is lost. 0: not after all.
    pub fn pull(&self, n: u64) {
        self.program.order(&format!("pull {n}"));
    }

    /// What each command takes from now on.
    pub fn delay(&self, milliseconds: u64) {
        self.program.order(&format!("delay {milliseconds}"));
    }

    /// All commands since the card was made, whoever sent them.
    pub fn commands(&self) -> Vec<Apdu> {
        let text = fs::read_to_string(&self.count).unwrap();
        text.lines().filter(|l| !l.starts_with('#')).map(|l| apdu(l).unwrap_or_else(|| panic!("{l}"))).collect()
    }

    /// What happened besides commands, in order: inserted, power on, power off, reset, removed.
    pub fn events(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.count).unwrap();
        text.lines().filter_map(|l| l.strip_prefix("# ")).map(str::to_owned).collect()
    }

    /// yubico-piv-tool for this card's reader, with these words: its output, or what it said when it failed.
    pub fn tool(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new("yubico-piv-tool");
        command.env(pcscd::SOCKET, &self.socket).stdin(Stdio::null()).args(["-r", &self.reader.name]).args(words);
        let output = command.output().expect("yubico-piv-tool runs");
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// As [`tool`](Self::tool), with the management key of a new card, for what changes keys and objects.
    pub fn manage(&self, words: &[&str]) -> String {
        let key = format!("-k{MANAGEMENT_KEY}");
        self.tool(&[&[key.as_str()], words].concat()).unwrap_or_else(|e| panic!("{words:?}: {e}"))
    }

    /// Generates a key in a slot (`9a`, `9c`, `9d`, `9e`, `82` to `95`): its SubjectPublicKeyInfo in DER.
    pub fn generate(&self, slot: &str, key: Key) -> Vec<u8> {
        let algorithm = match key {
            Key::P256 => "ECCP256",
            Key::Rsa2048 => "RSA2048",
        };
        let pem = self.manage(&["-a", "generate", "-s", slot, "-A", algorithm]);
        let (label, spki) = Document::from_pem(&pem).unwrap();
        assert_eq!(label, "PUBLIC KEY");
        spki.as_bytes().to_vec()
    }

    /// Stores a certificate in a slot.
    pub fn store(&self, slot: &str, certificate: &[u8]) {
        let file = self.folder.join(format!("{slot}.der"));
        fs::write(&file, certificate).unwrap();
        self.manage(&["-a", "import-certificate", "-s", slot, "-K", "DER", "-i", file.to_str().unwrap()]);
    }

    /// A key in a slot, with a certificate for `subject` by `issuer` (see [`softhsm::issue`]): the certificate.
    pub fn equip(&self, slot: &str, key: Key, issuer: &str, subject: &str, extensions: Vec<Extension>) -> Vec<u8> {
        let certificate = softhsm::issue(issuer, subject, &self.generate(slot, key), extensions);
        self.store(slot, &certificate);
        certificate
    }

    /// The customs certificate in 9A and the bank certificate in 9C, each with a key of its own, and a profile.
    pub fn fill(&self, key: Key) -> Made {
        let customs = self.equip("9a", key, "CN=Story customs CA", "CN=Story customs", vec![]);
        let bank = self.equip("9c", key, "CN=Story bank CA", "CN=Story bank", vec![]);
        let profile = self.folder.with_extension("toml");
        let text = "schema = 1\nname = \"story\"\ntest = true\n\n[[customs.issuer]]\ncommon_name = \"Story customs CA\"\n\n\
                    [[bank.issuer]]\ncommon_name = \"Story bank CA\"\n";
        fs::write(&profile, text).unwrap();
        Made { profile, customs, bank }
    }

    /// The encryption certificate of the customs side in 9D.
    pub fn fill_opening(&self, key: Key) -> Vec<u8> {
        let usage = match key {
            Key::P256 => KeyUsages::KeyAgreement,
            Key::Rsa2048 => KeyUsages::KeyEncipherment,
        };
        let usage = Extension {
            extn_id: der::oid::db::rfc5280::ID_CE_KEY_USAGE,
            critical: true,
            extn_value: OctetString::new(KeyUsage(usage.into()).to_der().unwrap()).unwrap(),
        };
        self.equip("9d", key, "CN=Story customs CA", "CN=Story customs", vec![usage])
    }
}

/// A line of the count: `20 0080 8 0 9000`.
fn apdu(line: &str) -> Option<Apdu> {
    let mut words = line.split(' ');
    let mut hex = || u16::from_str_radix(words.next()?, 16).ok();
    let (ins, p1p2) = (u8::try_from(hex()?).ok()?, hex()?);
    let (sent, answered) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let status = u16::from_str_radix(words.next()?, 16).ok()?;
    Some(Apdu { ins, p1p2, sent, answered, status })
}

/// A program that shares the readers badly (see the README of `tests/cards`).
#[derive(Debug)]
pub struct Neighbour(Program);

impl Neighbour {
    /// Resets the card every second and keeps its reader for 3 s every 10 s, until [`end`](Self::end).
    pub fn annoys(pcscd: &Pcscd, reader: &Reader) -> Self {
        let neighbour = Neighbour::start(pcscd, reader, &[]);
        neighbour.0.expect("ready");
        neighbour
    }

    /// Takes the reader, `exclusive` or in a `transaction`, and gives it back after so long. It has it when this returns.
    pub fn holds(pcscd: &Pcscd, reader: &Reader, how: &str, milliseconds: u64) -> Self {
        let neighbour = Neighbour::start(pcscd, reader, &["--hold", how, "--ms", &milliseconds.to_string()]);
        neighbour.0.expect("holding");
        neighbour
    }

    fn start(pcscd: &Pcscd, reader: &Reader, options: &[&str]) -> Self {
        let mut command = pcscd.tool(built("bad-neighbour").expect("tests/cards is built"));
        command.args(["--reader", &reader.name]).args(options);
        Neighbour(Program::start(command))
    }

    /// Waits until a held reader is given back.
    pub fn wait(&self) {
        self.0.expect("done");
    }

    /// Ends the annoyance: what it did, as `visits 12 selects 12 resets 12 kept 1 refused 0`.
    pub fn end(self) -> String {
        self.0.close();
        self.0.expect("visits")
    }
}
