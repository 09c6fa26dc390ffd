//! How fast messages are signed. First: a batch of CEB621 of 20 KB on a card that thinks for 30 ms at each signature; it may take at most 1.05 times
//! what the card thinks. Then: what one message takes on SoftHSM, step by step, beside `xmlsec1 --sign` with the same key in a file.
//! `benches/throughput` runs it.
//!
//! The card of the batch is the simulator in this process, behind a wrapper that holds up signatures and nothing else: every other command is
//! answered as fast as it can be.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use shared_shield::batch::{self, Batch, Item, Journal, Outcome as Became, Present};
use shared_shield::link::Readers;
use shared_shield::link::card::{SharedCard, VirtualReaders};
use shared_shield::simulator::Habits;
use shared_shield::{Certificate, Content, Declined, PinEntry, PinQuestion, Policy, Request, Role, Unlock, Wait};

#[path = "../tests/support/gm_shield.rs"]
mod gm_shield;
#[path = "../tests/support/softhsm.rs"]
mod softhsm;
mod steps;
#[path = "../examples/shield/test_ca.rs"]
mod test_ca;
#[path = "../examples/shield/test_ca_sm2.rs"]
mod test_ca_sm2;

use gm_shield::{Between, CUSTOMS_PIN, Kind, SYNO, issued, lock, only, scanner};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the card thinks at each signature.
const THINKS: Duration = Duration::from_millis(30);
/// How much longer than that the batch may take.
const BOUND: f64 = 1.05;
/// Messages, unless `--messages` says otherwise.
const MESSAGES: usize = 1000;
/// What a message has at the least, in octets.
const LENGTH: usize = 20 * 1024;
/// As many as the program `shield sign-batch` takes.
const THREADS: usize = 4;
/// ECCSignData of GM/T 0017.
const SIGN: u8 = 0x74;
const READER: &str = "Simulated 00 00";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.split_first() {
        Some((child, words)) if child == "softhsm" => steps::tokens(words).map(|()| true),
        // Cargo says so to a benchmark that is run as one, and not to one that a test run meets.
        _ if words.iter().any(|word| word == "--bench") => measure(&words),
        _ => Ok(true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "throughput: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Both parts; whether the batch was fast enough.
fn measure(words: &[String]) -> Outcome<bool> {
    let mut words = words.iter().filter(|word| *word != "--bench");
    let mut count = MESSAGES;
    while let Some(word) = words.next() {
        match (word.as_str(), words.next().and_then(|n| n.parse().ok())) {
            ("--messages", Some(number @ 1..=5000)) => count = number,
            _ => return Err("usage: throughput [--messages N], N from 1 to 5000".into()),
        }
    }
    let folder = Folder::new()?;
    let input = folder.0.join("in");
    write_messages(&input, count)?;
    let in_time = thinking_card(&input, &folder.0.join("signed"))?;
    if let Some(reason) = steps::missing() {
        return Err(format!("SoftHSM beside xmlsec1 was not measured: {reason}").into());
    }
    let dir = folder.0.join("softhsm");
    fs::create_dir(&dir)?;
    // SoftHSM reads its configuration from the environment, and a process cannot safely change its own.
    let mut child = Command::new(std::env::current_exe()?);
    child.args(["softhsm".as_ref(), dir.as_os_str(), input.as_os_str()]);
    let status = child.env("SOFTHSM2_CONF", softhsm::configure(&dir)).status()?;
    if !status.success() {
        return Err("SoftHSM beside xmlsec1: failed".into());
    }
    Ok(in_time)
}

/// A folder of its own on the disk of the build, that goes away again.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Outcome<Self> {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("throughput-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Messages with long lists of goods, no two the same.
fn write_messages(folder: &Path, count: usize) -> Outcome<()> {
    let sample = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/CEB621.xml"))?;
    let from = sample.find("\t\t<ceb:InventoryList>").ok_or("a list of goods")?;
    let (head, rest) = sample.split_at(from);
    let (list, tail) = rest.split_at(rest.find("\t</ceb:Inventory>").ok_or("the end of the list")?);
    let lists = list.repeat((LENGTH - sample.len()).div_ceil(list.len()) + 1);
    fs::create_dir_all(folder)?;
    for n in 0..count {
        let head = head.replace("COP20270104000001", &format!("COP2027010400{n:04}"));
        fs::write(folder.join(format!("m{n:04}.xml")), [head.as_str(), &lists, tail].concat())?;
    }
    Ok(())
}

fn typed(question: &PinQuestion<'_>) -> Result<PinEntry, Declined> {
    question.pin(CUSTOMS_PIN.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined)
}

/// What the card did.
#[derive(Default)]
struct Did {
    signatures: u32,
    /// From the arrival of a signature's command to its answer: more than 30 ms each by what the system wakes a sleeper late.
    signing: Duration,
    others: u32,
    other: Duration,
}

/// A card that thinks at each signature, and at nothing else.
fn thinking(card: SharedCard, did: Arc<Mutex<Did>>) -> Between {
    Between::new(card, move |card, apdu| {
        let (begun, signs) = (Instant::now(), apdu.get(1) == Some(&SIGN));
        let answer = lock(card).command(apdu);
        if signs {
            // What the simulator computes is a part of the time that the card takes: a real one has a processor of its own.
            std::thread::sleep(THINKS.saturating_sub(begun.elapsed()));
        }
        let mut did = lock(&did);
        if signs {
            (did.signatures, did.signing) = (did.signatures + 1, did.signing + begun.elapsed());
        } else {
            (did.others, did.other) = (did.others + 1, did.other + begun.elapsed());
        }
        answer
    })
}

/// The batch: whether it was fast enough.
fn thinking_card(input: &Path, output: &Path) -> Outcome<bool> {
    let did = Arc::<Mutex<Did>>::default();
    let card = issued(Kind::Sm2, SYNO, Habits::default(), &Role::ALL).card();
    let readers = VirtualReaders::new(&[READER]);
    readers.insert(READER, Arc::new(Mutex::new(thinking(card, Arc::clone(&did)))));
    let readers: Arc<dyn Readers> = Arc::new(readers);
    let shield = only(&scanner(readers, SYNO).scan(&Wait::default())?);

    let items = batch::folder(input, output)?;
    fs::create_dir(output)?;
    let journal = Journal::open(&output.join("journal"))?;
    let batch = Batch {
        items: &items,
        journal: &journal,
        request: &|_: &Item, document: Content| Request::declaration(document),
        present: &|item: &Item, _: &[u8], _: &Certificate| match item.output.exists() {
            true => Present::Other("it is there".to_owned()),
            false => Present::Absent,
        },
        settled: &|_: usize, _: &Became| (),
        wait: &Wait::default,
        threads: THREADS,
        suite: None,
        overwrite: false,
        again: false,
        keep: &[],
    };
    *lock(&did) = Did::default();
    let begun = Instant::now();
    let plan = batch.plan(&shield)?;
    let planned = begun.elapsed();
    let session = shield.unlock(unlock(), &mut typed, &Wait::default())?;
    let unlocked = begun.elapsed();
    let report = batch.sign(plan, &session);
    let signed = begun.elapsed();
    session.end();
    let total = begun.elapsed();
    let (tally, did) = (report.tally(), std::mem::take(&mut *lock(&did)));
    if tally.signed != items.len() || usize::try_from(did.signatures)? != items.len() {
        let refused = report.outcomes.iter().find_map(|o| if let Became::Refused(e) = o { Some(e) } else { None });
        return Err(format!("{tally:?}, {:?}, {refused:?}", report.stopped).into());
    }
    let phases = [
        ("look at all", planned),
        ("unlock", unlocked - planned),
        ("sign", signed - unlocked),
        ("end", total - signed),
    ];
    tell_batch(items.len(), total, &phases, &did)
}

/// The login stays from lease to lease: without that, a login for each 16 signatures is part of the measurement.
fn unlock() -> Unlock {
    Unlock::of(Role::Customs).policy(Policy { keep_login: true, ..Policy::of(Role::Customs) })
}

fn tell_batch(count: usize, total: Duration, phases: &[(&str, Duration)], did: &Did) -> Outcome<bool> {
    let thinks = THINKS.as_secs_f64() * f64::from(u32::try_from(count)?);
    let ratio = total.as_secs_f64() / thinks;
    let phases: Vec<String> = phases.iter().map(|(name, time)| format!("{name} {:.2} s", time.as_secs_f64())).collect();
    let (verdict, in_time) = if ratio <= BOUND { ("within", true) } else { ("NOT within", false) };
    let out = &mut std::io::stdout();
    writeln!(
        out,
        "{count} messages CEB621 of {} KB, SM2, {THREADS} threads, one card that answers each signature after 30 ms",
        LENGTH / 1024
    )?;
    writeln!(out, "  total            {:.2} s: {}", total.as_secs_f64(), phases.join(", "))?;
    writeln!(
        out,
        "  the card         {:.2} s in {} signatures, {:.2} s in {} other commands, which are not held up",
        did.signing.as_secs_f64(),
        did.signatures,
        did.other.as_secs_f64(),
        did.others
    )?;
    writeln!(out, "  ratio to {thinks:.2} s {ratio:.3}: {verdict} {BOUND}")?;
    Ok(in_time)
}
