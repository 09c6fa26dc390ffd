//! The PIV card of `tests/cards` without a reader: the test itself listens where vpcd would, and is the port that a driver speaks through.
//! No pcscd, no reader driver, no 400 ms: for what a card answers, not for what PC/SC does.

#![allow(dead_code, unreachable_pub)]

#[path = "child.rs"]
pub mod child;
#[path = "program.rs"]
mod program;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use program::Program;
use shared_shield::apdu::{Limits, Transmit, Wire};
use shared_shield::link::Atr;
use shared_shield::token::{DRIVERS, Driver, Insertion, Token};
use shared_shield::{Error, ErrorKind, Result};

/// The PIN of a new card; three tries.
pub const PIN: &[u8] = b"123456";
/// The PUK of a new card; three tries.
pub const PUK: &[u8] = b"12345678";
/// The management key of a new card (3DES).
pub const MANAGEMENT_KEY: [u8; 24] =
    *b"\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08";

/// A new card that is powered.
pub struct HeldCard {
    program: Program,
    port: Port,
    pub atr: Atr,
    folder: PathBuf,
}

/// What a transaction would be. Clones reach the same card.
#[derive(Clone)]
pub struct Port {
    stream: Arc<Mutex<TcpStream>>,
    log: Arc<Mutex<Vec<Vec<u8>>>>,
    /// What card and reader are said to carry.
    pub limits: Limits,
}

/// Runs `body` with a new card, or says why it cannot. `options` are those of `piv-card`.
pub fn with_card(name: &str, options: &[&str], body: impl FnOnce(&HeldCard)) {
    match built() {
        Some(program) => body(&HeldCard::start(&program, name, options)),
        None => child::skip(name, "tests/cards is not built (cargo build --manifest-path tests/cards/Cargo.toml)"),
    }
}

fn built() -> Option<PathBuf> {
    let named = std::env::var_os("SHIELD_TEST_CARDS").map(PathBuf::from);
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cards/target/debug");
    Some(named.unwrap_or(default).join("piv-card")).filter(|path| path.exists())
}

impl HeldCard {
    fn start(program: &Path, name: &str, options: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("held-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut command = Command::new(program);
        command.args(["--port", &listener.local_addr().unwrap().port().to_string()]).arg("--state").arg(&folder);
        let program = Program::start({
            command.args(options);
            command
        });
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let limits = Limits { extended: options.contains(&"--extended") };
        let port = Port { stream: Arc::new(Mutex::new(stream)), log: Arc::default(), limits };
        port.write(&[1]).unwrap();
        port.write(&[4]).unwrap();
        let atr = Atr::new(&port.read().unwrap());
        HeldCard { program, port, atr, folder }
    }

    pub fn driver(&self) -> &'static dyn Driver {
        DRIVERS.iter().find(|driver| driver.name() == "piv").copied().unwrap()
    }

    pub fn port(&self) -> Port {
        self.port.clone()
    }

    /// What is known of the card in its place; `wanted` as [`Insertion::new`] takes it.
    pub fn insertion(&self, wanted: &[&str]) -> Arc<Insertion> {
        Arc::new(Insertion::new(self.atr.clone(), wanted.iter().map(|w| (*w).to_owned()).collect()))
    }

    /// The token of a transaction.
    pub fn lease(&self, at: &Arc<Insertion>) -> Box<dyn Token> {
        self.driver().attach(Box::new(self.port()), false, at).unwrap()
    }

    /// As another program would: logs everybody out.
    pub fn reset(&self) {
        self.port.write(&[2]).unwrap();
    }

    /// Pulls the card out in the middle of the `n`-th command from now.
    pub fn pull(&self, n: u64) {
        self.program.order(&format!("pull {n}"));
    }

    /// A command of the test's own, and the whole answer.
    pub fn raw(&self, command: &[u8]) -> Vec<u8> {
        self.port.write(command).unwrap();
        self.port.read().unwrap()
    }

    /// What the library sent since the last time.
    pub fn sent(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.port.log.lock().unwrap())
    }

    /// How many PINs the library sent since the last time.
    pub fn logins(&self) -> usize {
        self.sent().iter().filter(|c| c[1] == 0x20 && c.len() > 5).count()
    }
}

impl Drop for HeldCard {
    fn drop(&mut self) {
        self.program.close();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Port {
    fn write(&self, body: &[u8]) -> std::io::Result<()> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        self.stream.lock().unwrap().write_all(&[&length[..], body].concat())
    }

    fn read(&self) -> std::io::Result<Vec<u8>> {
        let mut stream = self.stream.lock().unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut body)?;
        Ok(body)
    }
}

impl Transmit for Port {
    fn transmit(&mut self, command: &Wire) -> Result<Vec<u8>> {
        self.log.lock().unwrap().push(command.octets().to_vec());
        let exchanged = self.write(command.octets()).and_then(|()| self.read());
        exchanged.map_err(|e| Error::new(ErrorKind::CardRemoved, "SCardTransmit").io(&e))
    }

    fn limits(&self) -> Limits {
        self.limits
    }
}
