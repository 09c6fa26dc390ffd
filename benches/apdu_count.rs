//! Commands to one and the same third-party card for one and the same story, by this library and by PKCS#11 modules of others; then the
//! times where each command takes 30 ms. `benches/apdu-count` builds what it needs and runs it.
//!
//! Each client is a process of its own, on a card that was pulled out and put in again before it. The card counts, whoever sends.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session as Pkcs11Session, UserType};
use cryptoki::types::AuthPin;
use shared_shield::{
    Content, Declined, PinEntry, PinQuestion, Policy, Profile, Reference, Request, Role, Scanner, Session, Shield,
    Unlock, Wait, link,
};

#[path = "../tests/support/pcscd.rs"]
mod pcscd;
#[path = "../tests/support/piv_card.rs"]
mod piv_card;
#[path = "../tests/support/softhsm.rs"]
mod softhsm;

use pcscd::Pcscd;
use piv_card::{Key, PIN, PivCard};

type Outcome<T> = Result<T, Box<dyn Error>>;

const OPENSC: &str = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so";
const YKCS11: &str = "/usr/lib/x86_64-linux-gnu/libykcs11.so";

/// What a command takes on the slow link: a USB key that thinks for a moment.
const DELAY: u64 = 30;
/// Signatures after the first one.
const MORE: u32 = 10;

/// Who does the story: a name for people, and the words for the child process.
const CLIENTS: [(&str, &[&str]); 5] = [
    ("this library, by role", &["role"]),
    ("this library, by reference", &["reference"]),
    ("this library, through OpenSC's module", &["through", OPENSC]),
    ("OpenSC's module", &["module", OPENSC]),
    ("Yubico's module (ykcs11)", &["module", YKCS11]),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.split_first() {
        Some((child, words)) if child == "client" => client(words),
        // Cargo says so to a benchmark that is run as one, and not to one that a test run meets.
        _ if words.iter().any(|word| word == "--bench") => compare(),
        _ => Ok(()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "apdu_count: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A stage of the story: what it took.
struct Stage {
    name: String,
    commands: u32,
    time: Duration,
}

fn compare() -> Outcome<()> {
    if let Some(reason) = piv_card::missing() {
        return Err(reason.into());
    }
    let pcscd = Pcscd::start(&[piv_card::READERS]);
    let card = PivCard::start(&pcscd, 0, "card", &[]);
    let made = card.fill(Key::P256);
    let references = run(&pcscd, &card, &made.profile, &["references"])?;
    for (title, delay) in [("commands to the card", 0), ("milliseconds, where each command takes 30 ms", DELAY)] {
        let mut rows = Vec::new();
        for (name, words) in CLIENTS {
            if let Some(module) = words.get(1).filter(|module| !Path::new(module).exists()) {
                writeln!(std::io::stderr(), "{name}: {module} is not installed")?;
                continue;
            }
            card.delay(0);
            card.remove();
            pcscd.wait_for_card(card.reader(), false);
            card.insert();
            card.delay(delay);
            let mut all = words.to_vec();
            if words == ["reference"] {
                all.extend(references.lines());
            }
            rows.push((name, stages(&run(&pcscd, &card, &made.profile, &all)?)?));
        }
        writeln!(std::io::stdout(), "{}", table(title, &rows, delay > 0))?;
    }
    Ok(())
}

/// A client's story in a process of its own, which finds the private service: its output.
fn run(pcscd: &Pcscd, card: &PivCard, profile: &Path, words: &[&str]) -> Outcome<String> {
    let mut command = pcscd.tool(std::env::current_exe()?);
    command.arg("client").arg(&card.count).arg(profile).args(words);
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{words:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Lines of a child: `NAME;COMMANDS;MICROSECONDS`.
fn stages(text: &str) -> Outcome<Vec<Stage>> {
    let stage = |line: &str| {
        let mut parts = line.split(';');
        let name = parts.next()?.to_owned();
        let commands = parts.next()?.parse().ok()?;
        Some(Stage { name, commands, time: Duration::from_micros(parts.next()?.parse().ok()?) })
    };
    text.lines().map(|line| stage(line).ok_or_else(|| format!("no stage: {line:?}").into())).collect()
}

fn table(title: &str, rows: &[(&str, Vec<Stage>)], times: bool) -> String {
    let figure = |stage: &Stage| {
        let whole = if times { stage.time.as_secs_f64() * 1000.0 } else { f64::from(stage.commands) };
        // Where a stage is several signatures, each of them.
        if stage.name.contains("each") { whole / f64::from(MORE) } else { whole }
    };
    let plain = |x: f64| if times || x.fract() == 0.0 { format!("{x:.0}") } else { format!("{x:.1}") };
    let Some((_, first)) = rows.first() else { return String::new() };
    let names: Vec<&str> = first.iter().map(|s| s.name.as_str()).collect();
    let mut text = format!("\n| {title} | {} | to the first signature |\n", names.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(names.len() + 2));
    for (name, stages) in rows {
        let cells: Vec<String> = stages.iter().map(|s| plain(figure(s))).collect();
        let _ =
            writeln!(text, "| {name} | {} | {} |", cells.join(" | "), plain(stages.iter().take(2).map(figure).sum()));
    }
    text
}

/// Counts stages, in the child.
struct Meter {
    count: PathBuf,
    commands: u32,
    since: Instant,
}

impl Meter {
    fn new(count: &str) -> Outcome<Self> {
        let mut meter = Meter { count: PathBuf::from(count), commands: 0, since: Instant::now() };
        meter.commands = meter.read()?;
        Ok(meter)
    }

    fn read(&self) -> Outcome<u32> {
        let text = std::fs::read_to_string(&self.count)?;
        Ok(u32::try_from(text.lines().filter(|line| !line.starts_with('#')).count())?)
    }

    /// The end of a stage.
    fn lap(&mut self, name: &str) -> Outcome<()> {
        let (time, now) = (self.since.elapsed(), self.read()?);
        writeln!(std::io::stdout(), "{name};{};{}", now - self.commands, time.as_micros())?;
        (self.commands, self.since) = (now, Instant::now());
        Ok(())
    }
}

fn client(words: &[String]) -> Outcome<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [count, profile, kind, rest @ ..] = words.as_slice() else { return Err("client COUNT PROFILE KIND".into()) };
    let scanner = Scanner::new().profile(Arc::new(Profile::load(Path::new(profile))?));
    let meter = Meter::new(count)?;
    match (*kind, rest) {
        ("references", []) => references(&scanner.readers(link::pcsc::system())),
        ("role", []) => library(meter, &[scanner.readers(link::pcsc::system())]),
        ("reference", [customs, bank]) => {
            let one = |text: &str| {
                let reference = Reference::parse(text).ok_or("a reference")?;
                Outcome::Ok(scanner.clone().readers(link::pcsc::system()).reference(reference))
            };
            library(meter, &[one(customs)?, one(bank)?])
        }
        ("through", [module]) => library(meter, &[scanner.module(*module)]),
        ("module", [module]) => plain_program(meter, module),
        _ => Err(format!("no client: {kind} {rest:?}").into()),
    }
}

/// The references of customs and bank, a line each.
fn references(scanner: &Scanner) -> Outcome<()> {
    let scan = scanner.scan(&Wait::default())?;
    let listed = scan.only()?.certificates();
    for role in [Role::Customs, Role::Bank] {
        let one = listed.iter().find(|l| l.role == Some(role)).ok_or("a certificate")?;
        writeln!(std::io::stdout(), "{}", one.references.first().ok_or("a reference")?)?;
    }
    Ok(())
}

/// The story by this library: one scan for both roles, or one for each.
fn library(mut meter: Meter, scanners: &[Scanner]) -> Outcome<()> {
    let mut shields: Vec<Shield> = Vec::new();
    for scanner in scanners {
        shields.push(scanner.scan(&Wait::default())?.only()?.clone());
    }
    meter.lap("both certificates")?;
    let (first, last) = (shields.first().ok_or("a shield")?, shields.last().ok_or("a shield")?);
    for (shield, role, slot) in [(first, Role::Customs, "9A"), (last, Role::Bank, "9C")] {
        let unlock = Unlock::of(role).policy(Policy { signatures: MORE + 1, ..Policy::of(role) });
        let mut prompt = |q: &PinQuestion<'_>| q.pin(PIN.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined);
        let session = shield.unlock(unlock, &mut prompt, &Wait::default())?;
        sign(&session)?;
        meter.lap(&format!("first by {slot}"))?;
        for _ in 0..MORE {
            sign(&session)?;
        }
        meter.lap(&format!("each further by {slot}"))?;
    }
    Ok(())
}

fn sign(session: &Session) -> Outcome<()> {
    let request = Request::raw(session.role(), Content::bytes(*b"order 4711"));
    session.sign(request, &Wait::default(), &mut Vec::new())?;
    Ok(())
}

/// The story as a plain program does it with a PKCS#11 module: nothing is asked twice, nothing is checked.
fn plain_program(mut meter: Meter, module: &str) -> Outcome<()> {
    let pkcs11 = Pkcs11::new(module)?;
    pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let slot = pkcs11.get_slots_with_token()?.into_iter().next().ok_or("a token")?;
    let session = pkcs11.open_ro_session(slot)?;
    // Both modules number PIV's keys: 01 is 9A, 02 is 9C.
    for id in [1, 2] {
        let certificate = find(&session, ObjectClass::CERTIFICATE, id)?;
        session.get_attributes(certificate, &[AttributeType::Value])?;
    }
    meter.lap("both certificates")?;
    let pin = AuthPin::new(PIN.into());
    session.login(UserType::User, Some(&pin))?;
    for (id, name) in [(1, "9A"), (2, "9C")] {
        let key = find(&session, ObjectClass::PRIVATE_KEY, id)?;
        for number in 0..=MORE {
            session.sign_init(&Mechanism::Ecdsa, key)?;
            if id == 2 {
                session.login(UserType::ContextSpecific, Some(&pin))?;
            }
            session.sign_update(&[0x47; 32])?;
            session.sign_final()?;
            if number == 0 {
                meter.lap(&format!("first by {name}"))?;
            }
        }
        meter.lap(&format!("each further by {name}"))?;
    }
    Ok(())
}

fn find(session: &Pkcs11Session, class: ObjectClass, id: u8) -> Outcome<ObjectHandle> {
    let found = session.find_objects(&[Attribute::Class(class), Attribute::Id(vec![id])])?;
    Ok(found.into_iter().next().ok_or("an object")?)
}
