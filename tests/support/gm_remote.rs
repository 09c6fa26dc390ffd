//! A shield of `gm_shield` as a card on a vpcd reader of a private pcscd. It lives in a process of its own: the one that runs the test, while the
//! story is told in its child. Wants `pcscd`, `gm_shield` and `gm_desk` beside it.

#![allow(dead_code, unreachable_pub)]

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use shared_shield::link::card::SharedCard;
use shared_shield::simulator::{Simulator, vpcd};

use crate::gm_desk::{Seen, Talk, seen_so_far, watched};
use crate::gm_shield::lock;
use crate::pcscd::{self, Pcscd, Reader};
use crate::softhsm::child;

/// Where the story finds the hand that moves the shield.
const HAND: &str = "SHIELD_STORY_HAND";
/// The name of the readers.
const READERS: &str = "Virtual PCD";

/// The shield from inside a story. It answers to nothing else than what a hand can do, and tells what it got.
pub struct Remote {
    hand: Mutex<BufReader<TcpStream>>,
    reader: Reader,
    socket: PathBuf,
}

/// Runs `body` with a private pcscd and the shield that `issue` makes in its first reader.
pub fn story(name: &str, issue: impl FnOnce() -> Simulator, body: impl FnOnce(&Pcscd, &Remote)) {
    if !child::inside()
        && let Some(reason) = pcscd::missing()
    {
        return child::skip(name, &reason);
    }
    let prepare = |dir: &std::path::Path| {
        let mut env = pcscd::env(dir);
        env.push((HAND, OsString::from(serve(&issue()).to_string())));
        env
    };
    child::story(name, prepare, |_| {
        let pcscd = Pcscd::here(&[READERS]);
        let remote = Remote::of(&pcscd);
        remote.insert();
        body(&pcscd, &remote);
    });
}

/// Puts the shield where it is told to, on a thread of this process: the port that listens for that.
fn serve(shield: &Simulator) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (card, talk) = watched(shield.card());
    let card: SharedCard = Arc::new(Mutex::new(card));
    std::thread::spawn(move || {
        let Ok((stream, _)) = listener.accept() else { return };
        let (mut answers, mut place) = (stream.try_clone().unwrap(), None::<TcpStream>);
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let answer = match line.split_once(' ') {
                Some(("in", port)) => {
                    let inserted = vpcd::insert((Ipv4Addr::LOCALHOST, port.parse().unwrap())).unwrap();
                    place = Some(inserted.try_clone().unwrap());
                    let card = Arc::clone(&card);
                    std::thread::spawn(move || vpcd::serve(&card, inserted));
                    String::new()
                }
                None if line == "out" => {
                    place.take().map(|stream| stream.shutdown(Shutdown::Both));
                    String::new()
                }
                None if line == "seen" => told(&talk),
                _ => panic!("{line}"),
            };
            writeln!(answers, "ok {answer}").unwrap();
        }
    });
    port
}

/// In one line, as `18:9000 74:9000`.
fn told(talk: &Mutex<Talk>) -> String {
    let words: Vec<_> = seen_so_far(talk).iter().map(|s| format!("{:02X}:{:04X}", s.ins, s.sw)).collect();
    words.join(" ")
}

impl Remote {
    fn of(pcscd: &Pcscd) -> Self {
        let port: u16 = std::env::var(HAND).unwrap().parse().unwrap();
        let hand = Mutex::new(BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap()));
        Remote { hand, reader: pcscd.readers()[0].clone(), socket: pcscd.socket().to_owned() }
    }

    fn order(&self, line: &str) -> String {
        let mut hand = lock(&self.hand);
        writeln!(hand.get_mut(), "{line}").unwrap();
        let mut answer = String::new();
        hand.read_line(&mut answer).unwrap();
        answer.strip_prefix("ok ").expect("an answer").trim().to_owned()
    }

    /// The reader that it is for.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Puts it in, and waits until pcscd has seen it.
    pub fn insert(&self) {
        self.order(&format!("in {}", self.reader.port));
        pcscd::wait_for_card(&self.socket, &self.reader.name, true);
    }

    /// Pulls it out, and waits until pcscd has seen that.
    pub fn remove(&self) {
        self.order("out");
        pcscd::wait_for_card(&self.socket, &self.reader.name, false);
    }

    /// All commands that it got, whoever sent them.
    pub fn seen(&self) -> Vec<Seen> {
        let hex = |text: &str| u16::from_str_radix(text, 16).unwrap();
        let one = |word: &str| {
            let (ins, sw) = word.split_once(':').unwrap();
            Seen { ins: u8::try_from(hex(ins)).unwrap(), sw: hex(sw) }
        };
        self.order("seen").split_whitespace().map(one).collect()
    }

    /// VerifyPINs that it got, and those of them that it refused.
    pub fn logins(&self) -> (usize, usize) {
        let seen = self.seen();
        let count = |of: fn(&Seen) -> bool| seen.iter().filter(|seen| of(seen)).count();
        (count(Seen::is_login), count(Seen::is_refused))
    }
}
