//! The program of `tests/cards` as a [`VirtualCard`]: the test listens where vpcd would, and the program connects.

#[path = "program.rs"]
mod program;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use program::Program;
use shared_shield::link::card::VirtualCard;

/// A command that the card got, from whomever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub ins: u8,
    /// It carried data: a VERIFY without only asks.
    pub data: bool,
    pub sw: u16,
}

impl Seen {
    /// A VERIFY with a PIN.
    pub fn is_login(&self) -> bool {
        self.ins == 0x20 && self.data
    }

    /// CHANGE REFERENCE DATA, RESET RETRY COUNTER.
    pub fn is_change(&self) -> bool {
        matches!(self.ins, 0x24 | 0x2C)
    }

    /// Neither a PIN nor what it is for: SELECT, GET DATA, GET RESPONSE, a look at the tries.
    pub fn only_reads(&self) -> bool {
        matches!(self.ins, 0xA4 | 0xC0 | 0xCB) || self.ins == 0x20 && !self.data
    }

    /// A PIN or PUK went out and was refused.
    pub fn is_refused(&self) -> bool {
        matches!(self.ins, 0x20 | 0x24 | 0x2C) && self.data && (self.sw & 0xFFF0 == 0x63C0 || self.sw == 0x6983)
    }
}

#[derive(Default)]
pub struct Talk {
    pub seen: Vec<Seen>,
    /// Answers of the test's own, by instruction.
    pub bent: BTreeMap<u8, Vec<u8>>,
}

/// The program as a card.
pub struct Played {
    _program: Program,
    stream: TcpStream,
    atr: Vec<u8>,
    talk: Arc<Mutex<Talk>>,
}

impl Played {
    pub fn start(folder: &Path, talk: Arc<Mutex<Talk>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut command = Command::new(built().expect("tests/cards is built"));
        command.args(["--port", &listener.local_addr().unwrap().port().to_string()]).arg("--state").arg(folder);
        let program = Program::start(command);
        let (stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut card = Played { _program: program, stream, atr: Vec::new(), talk };
        // Power, and the ATR.
        card.write(&[1]);
        card.write(&[4]);
        card.atr = card.read();
        card
    }

    fn write(&mut self, body: &[u8]) {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&length[..], body].concat()).unwrap();
    }

    fn read(&mut self) -> Vec<u8> {
        let mut length = [0; 2];
        self.stream.read_exact(&mut length).unwrap();
        let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
        self.stream.read_exact(&mut body).unwrap();
        body
    }
}

impl VirtualCard for Played {
    fn atr(&self) -> Vec<u8> {
        self.atr.clone()
    }

    fn reset(&mut self) {
        self.write(&[2]);
    }

    fn command(&mut self, apdu: &[u8]) -> Vec<u8> {
        let bent = lock(&self.talk).bent.get(&apdu[1]).cloned();
        let answer = bent.unwrap_or_else(|| {
            self.write(apdu);
            self.read()
        });
        let sw = answer.last_chunk().map_or(0, |sw| u16::from_be_bytes(*sw));
        lock(&self.talk).seen.push(Seen { ins: apdu[1], data: apdu.len() > 5, sw });
        answer
    }
}

pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn built() -> Option<PathBuf> {
    let named = std::env::var_os("SHIELD_TEST_CARDS").map(PathBuf::from);
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cards/target/debug");
    Some(named.unwrap_or(default).join("piv-card")).filter(|path| path.exists())
}
