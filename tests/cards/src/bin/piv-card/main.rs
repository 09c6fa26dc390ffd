//! A PIV card for a virtual reader: the applet that Nitrokey's keys run, behind vpcd's protocol. See the README beside.

mod card;
mod dispatch;
mod hand;
mod log;
mod piv;
mod vpcd;

use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;

use card::Card;
use hand::{Hand, say};
use log::Log;
use piv::Applet;
use vpcd::{Link, Message};

/// A PIV card in a virtual reader (vpcd). Commands on standard input: insert, remove, swap FOLDER, pull N, delay MS, quit; its end
/// is the card's end.
#[derive(Parser, Clone)]
struct Options {
    /// The reader's TCP port on this machine.
    #[arg(long, value_name = "P")]
    port: u16,
    /// Folder of the card's keys, PINs and objects; made when it is not there.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Random numbers from this seed: the same card in each run.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Milliseconds that each command takes.
    #[arg(long, value_name = "N", default_value_t = 0)]
    delay_ms: u64,
    /// Append a line of numbers for each command.
    #[arg(long, value_name = "FILE")]
    count: Option<PathBuf>,
    /// Append each command and its answer, without secrets.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Say in the ATR that extended lengths are understood, and understand them.
    #[arg(long)]
    extended: bool,
    /// Another ATR, in hexadecimal digits.
    #[arg(long, value_name = "HEX", value_parser = atr)]
    atr: Option<Atr>,
    /// Begin with the card beside the reader.
    #[arg(long)]
    out: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Atr(Vec<u8>);

fn atr(text: &str) -> Result<Atr, String> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let octets: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    // ISO 7816-3, 8.1: TS and T0 at least, 33 octets at most.
    match octets {
        Some(octets) if text.len().is_multiple_of(2) && (2..=33).contains(&octets.len()) => Ok(Atr(octets)),
        _ => Err("an ATR has 2 to 33 octets, two digits each".to_owned()),
    }
}

/// T=1, and in the historical bytes that commands can be chained and, or not, that lengths can be extended (ISO 7816-4, 8.1.1.2.7).
fn usual_atr(extended: bool) -> Atr {
    let capabilities = if extended { 0xc0 } else { 0x80 };
    let mut octets = vec![0x3b, 0x95, 0x13, 0x81, 0x01, 0x80, 0x73, 0xff, 0x01, capabilities];
    octets.push(octets[1..].iter().fold(0, |check, octet| check ^ octet)); // TCK (ISO 7816-3, 8.2.5)
    Atr(octets)
}

fn main() -> ExitCode {
    let options = Options::parse();
    let log = match Log::open(options.count.as_deref(), options.trace.as_deref()) {
        Ok(log) => log,
        Err(e) => return stop(&format!("the log: {e}")),
    };
    let hand = Arc::new(Hand::new(options.state.clone(), !options.out, Duration::from_millis(options.delay_ms)));
    let held = Arc::clone(&hand);
    // A card that failed is a failure of the whole program, whatever still comes in.
    std::thread::spawn(move || {
        let what = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Holder { options, log, hand: held }.run()));
        let why = match what {
            Ok(Err(e)) => e.to_string(),
            Ok(Ok(never)) => match never {},
            Err(_) => "the card's software panicked".to_owned(),
        };
        say(&format!("error {why}"));
        eprintln!("piv-card: {why}");
        std::process::exit(1);
    });
    hand::obey(&hand, io::stdin().lock());
    ExitCode::SUCCESS
}

fn stop(why: &str) -> ExitCode {
    eprintln!("piv-card: {why}");
    ExitCode::FAILURE
}

/// The card's thread.
struct Holder {
    options: Options,
    log: Log,
    hand: Arc<Hand>,
}

/// Why the card lost its power.
enum Ended {
    /// It goes on with the next power up; who was logged in is forgotten.
    Reset,
    /// It is not in the reader any more.
    Out,
}

impl Holder {
    fn run(mut self) -> io::Result<Infallible> {
        loop {
            let folder = self.hand.wait_for_insertion();
            // A reader that is gone comes back: the card lies in it all the time.
            let Ok((link, handle)) = Link::open(self.options.port) else {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            };
            fs::create_dir_all(&folder)?;
            let serial = piv::serial(&folder)?;
            self.event("inserted");
            self.hand.is_inside(Some(handle));
            self.inside(link, &folder, serial);
            self.hand.is_inside(None);
            self.event("removed");
        }
    }

    fn event(&mut self, what: &str) {
        self.log.event(what);
        say(&format!("event {what}"));
    }

    fn inside(&mut self, mut link: Link, folder: &Path, serial: u32) {
        let mut card = Card::new(serial, self.options.extended);
        let mut powered = false;
        let seed = self.options.seed;
        while let Ended::Reset =
            piv::powered(folder, seed, |applet| self.serve(&mut link, &mut card, applet, &mut powered))
        {}
    }

    /// Answers until the power goes.
    fn serve(&mut self, link: &mut Link, card: &mut Card, piv: &mut dyn Applet, powered: &mut bool) -> Ended {
        let atr = self.options.atr.clone().unwrap_or_else(|| usual_atr(self.options.extended));
        let mut used = false;
        loop {
            let Ok(message) = link.receive() else { return Ended::Out };
            let sent = match message {
                Message::Atr => link.send(&atr.0),
                Message::PowerOn => {
                    self.log.event("power on");
                    if !std::mem::replace(powered, true) {
                        say("event powered");
                    }
                    Ok(())
                }
                Message::PowerOff | Message::Reset => {
                    self.log.event(if matches!(message, Message::Reset) { "reset" } else { "power off" });
                    card.forget();
                    if std::mem::take(&mut used) {
                        return Ended::Reset;
                    }
                    Ok(())
                }
                Message::Command(apdu) => {
                    used = true;
                    self.hand.take_time();
                    let answer = card.exchange(piv, &apdu);
                    self.log.command(&apdu, &answer);
                    if self.hand.pulls_now() {
                        return Ended::Out;
                    }
                    let sent = link.send(&answer);
                    if std::mem::take(&mut card.left_piv) {
                        return Ended::Reset;
                    }
                    sent
                }
            };
            if sent.is_err() {
                return Ended::Out;
            }
        }
    }
}
