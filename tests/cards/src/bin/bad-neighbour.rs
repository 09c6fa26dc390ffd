//! A program that shares a reader badly: it resets the card under everybody else's feet, leaves another applet selected, and keeps
//! the reader to itself for seconds. See the README beside.

use std::ffi::{CStr, CString};
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use pcsc::{Card, Context, Disposition, Error, Protocols, Scope, ShareMode};

/// The applet that `piv-card` has beside PIV; see there.
const SELECT_OTHER: &[u8] = b"\x00\xa4\x04\x00\x06\xf0OTHER";
/// One visit after the other.
const VISIT: Duration = Duration::from_secs(1);
/// How often, and for how long, the reader is kept.
const KEEP_EVERY: Duration = Duration::from_secs(10);
const KEEP: Duration = Duration::from_secs(3);

/// Every second: connects (shared), selects another applet, and disconnects with a reset. Every 10 s: keeps the reader to itself for
/// 3 s. With --gm: on a device of GM/T 0017 it opens every application, ends its login and closes it, and resets every other time. Or, with
/// --hold, takes the reader once, says "holding", and gives it back.
#[derive(Parser)]
struct Options {
    /// Part of the reader's name; the first reader that has it and a card is taken.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reader: String,
    /// Ends after this time; without it, when it is killed or its standard input ends.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// The card is a device of GM/T 0017.
    #[arg(long, conflicts_with = "hold")]
    gm: bool,
    /// Takes the reader once.
    #[arg(long, value_enum, value_name = "HOW", requires = "ms")]
    hold: Option<Hold>,
    /// For so long.
    #[arg(long, value_name = "N", requires = "hold")]
    ms: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Hold {
    /// Connected as the only one.
    Exclusive,
    /// In a transaction on a shared connection.
    Transaction,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match (options.hold, options.ms) {
        (Some(how), Some(ms)) => hold(&options.reader, how, Duration::from_millis(ms)),
        _ => annoy(&options.reader, options.seconds.map(Duration::from_secs), options.gm),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bad-neighbour: {e}");
            ExitCode::FAILURE
        }
    }
}

/// A reader with a card in it.
fn find(context: &Context, part: &str) -> Result<CString, Error> {
    let names = context.list_readers_owned()?;
    let has = |name: &CStr| name.to_string_lossy().contains(part);
    let there = |name: &CStr| {
        let mut states = [pcsc::ReaderState::new(name, pcsc::State::UNAWARE)];
        context.get_status_change(Duration::ZERO, &mut states).is_ok()
            && states[0].event_state().contains(pcsc::State::PRESENT)
    };
    names.into_iter().find(|name| has(name) && there(name)).ok_or(Error::NoSmartcard)
}

/// Waits for its turn as long as others have the reader.
fn connect(context: &Context, reader: &CStr, mode: ShareMode) -> Result<Card, Error> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match context.connect(reader, mode, Protocols::ANY) {
            Err(Error::SharingViolation) if Instant::now() < end => std::thread::sleep(Duration::from_millis(1)),
            other => return other,
        }
    }
}

fn hold(part: &str, how: Hold, time: Duration) -> Result<(), Error> {
    let context = Context::establish(Scope::User)?;
    let reader = find(&context, part)?;
    let leave = |card: Card| card.disconnect(Disposition::LeaveCard).map_err(|(_, e)| e);
    match how {
        Hold::Exclusive => {
            let card = connect(&context, &reader, ShareMode::Exclusive)?;
            wait(time);
            leave(card)
        }
        Hold::Transaction => {
            let mut card = connect(&context, &reader, ShareMode::Shared)?;
            let transaction = card.transaction()?;
            wait(time);
            transaction.end(Disposition::LeaveCard).map_err(|(_, e)| e)?;
            leave(card)
        }
    }
}

fn wait(time: Duration) {
    say("holding");
    std::thread::sleep(time);
    say("done");
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// What it managed to do.
#[derive(Default)]
struct Counts {
    visits: u32,
    selects: u32,
    opened: u32,
    cleared: u32,
    closed: u32,
    resets: u32,
    kept: u32,
    refused: u32,
}

fn annoy(part: &str, time: Option<Duration>, gm: bool) -> Result<(), Error> {
    let ended = at_end_of_input(time.is_none());
    let context = Context::establish(Scope::User)?;
    let reader = find(&context, part)?;
    say("ready");
    let mut counts = Counts::default();
    let start = Instant::now();
    let mut keep_next = start + KEEP_EVERY;
    while time.is_none_or(|t| start.elapsed() < t) {
        let next = Instant::now() + VISIT;
        match gm {
            true => visit_gm(&context, &reader, &mut counts),
            false => visit(&context, &reader, &mut counts),
        }
        if Instant::now() >= keep_next {
            keep_next += KEEP_EVERY;
            match connect(&context, &reader, ShareMode::Exclusive) {
                Ok(card) => {
                    std::thread::sleep(KEEP);
                    drop(card.disconnect(Disposition::ResetCard));
                    counts.kept += 1;
                }
                Err(_) => counts.refused += 1,
            }
        }
        if ended.recv_timeout(next.saturating_duration_since(Instant::now())) != Err(TIMEOUT) {
            break;
        }
    }
    let Counts { visits, selects, opened, cleared, closed, resets, kept, refused } = counts;
    let did = match gm {
        true => format!("opened {opened} cleared {cleared} closed {closed}"),
        false => format!("selects {selects}"),
    };
    say(&format!("visits {visits} {did} resets {resets} kept {kept} refused {refused}"));
    Ok(())
}

fn visit(context: &Context, reader: &CStr, counts: &mut Counts) {
    let Ok(card) = connect(context, reader, ShareMode::Shared) else {
        counts.refused += 1;
        return;
    };
    counts.visits += 1;
    // No transaction: the select falls between whatever commands others send outside of theirs.
    let mut room = [0; 258];
    if card.transmit(SELECT_OTHER, &mut room).is_ok_and(|answer| answer == [0x90, 0]) {
        counts.selects += 1;
    }
    if card.disconnect(Disposition::ResetCard).is_ok() {
        counts.resets += 1;
    }
}

/// A visit to a device of GM/T 0017, in commands that fall between those of others: each application is opened, its login ended, and closed,
/// whoever uses it. Every other visit resets the device.
fn visit_gm(context: &Context, reader: &CStr, counts: &mut Counts) {
    let Ok(card) = connect(context, reader, ShareMode::Shared) else {
        counts.refused += 1;
        return;
    };
    counts.visits += 1;
    let names = ask(&card, 0x22, &[], 0).unwrap_or_default();
    for name in names.split(|octet| *octet == 0).filter(|name| !name.is_empty()) {
        // createFileRights4, nContainer1, nCert1, nFile2, AppID2.
        let Some(number) = ask(&card, 0x26, name, 10).and_then(|told| told.get(8..10).map(<[u8]>::to_vec)) else {
            continue;
        };
        counts.opened += 1;
        // Long enough for others to find it open, and the other one shut where one is open at a time.
        std::thread::sleep(Duration::from_millis(30));
        counts.cleared += u32::from(ask(&card, 0x1C, &number, 0).is_some());
        counts.closed += u32::from(ask(&card, 0x28, &number, 0).is_some());
    }
    let leaves = if counts.visits & 1 == 0 { Disposition::ResetCard } else { Disposition::LeaveCard };
    if card.disconnect(leaves).is_ok() {
        counts.resets += u32::from(leaves == Disposition::ResetCard);
    }
}

/// The data of a success. While others are in a transaction it waits for its turn, for a second at the most.
fn ask(card: &Card, instruction: u8, data: &[u8], expected: u8) -> Option<Vec<u8>> {
    let length = u16::try_from(data.len()).ok()?.to_be_bytes();
    let field = if data.is_empty() { Vec::new() } else { [&[0], &length[..], data].concat() };
    // Without data Le has an octet more (ISO/IEC 7816-4 §5.1).
    let le: &[u8] = if data.is_empty() { &[0, 0, expected] } else { &[0, expected] };
    let command = [&[0x80, instruction, 0, 0], field.as_slice(), le].concat();
    let (mut room, end) = ([0; 1024], Instant::now() + Duration::from_secs(1));
    loop {
        match card.transmit(&command, &mut room) {
            Ok([data @ .., 0x90, 0x00]) => return Some(data.to_vec()),
            Err(Error::SharingViolation) if Instant::now() < end => std::thread::sleep(Duration::from_millis(1)),
            _ => return None,
        }
    }
}

const TIMEOUT: std::sync::mpsc::RecvTimeoutError = std::sync::mpsc::RecvTimeoutError::Timeout;

/// A channel that closes when standard input ends, if that is wanted: so the counts come when a test is done.
fn at_end_of_input(wanted: bool) -> std::sync::mpsc::Receiver<()> {
    let (hold, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let read = if wanted { std::io::copy(&mut std::io::stdin(), &mut std::io::sink()) } else { Ok(0) };
        if !wanted || read.is_err() {
            std::thread::sleep(Duration::MAX);
        }
        drop(hold);
    });
    ended
}
