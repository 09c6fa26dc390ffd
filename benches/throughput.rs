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
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use shared_shield::batch::{self, Batch, Item, Journal, Outcome as Became, Present};
use shared_shield::link::Readers;
use shared_shield::link::card::{Accident, SharedCard, VirtualCard, VirtualReaders};
use shared_shield::simulator::Habits;
use shared_shield::{
    Certificate, Content, Declined, PinEntry, PinQuestion, Policy, Profile, RawSignature, Request, Role, Scanner,
    Session, Shield, Suite, Unlock, Wait,
};

#[path = "../tests/support/gm_shield.rs"]
mod gm_shield;
#[path = "../tests/support/softhsm.rs"]
mod softhsm;
#[path = "../examples/shield/test_ca.rs"]
mod test_ca;
#[path = "../examples/shield/test_ca_sm2.rs"]
mod test_ca_sm2;

use gm_shield::{CUSTOMS_PIN, Kind, SYNO, issued, lock, only, scanner};

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
/// xmlsec1 is started once for each of so many messages at the most.
const STARTS: usize = 100;
/// ECCSignData of GM/T 0017.
const SIGN: u8 = 0x74;
/// DigestInfo of SHA-1 without the digest (RFC 8017 §9.2, note 1).
const SHA1_INFO: [u8; 15] = [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14];
const READER: &str = "Simulated 00 00";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.split_first() {
        Some((child, words)) if child == "softhsm" => tokens(words).map(|()| true),
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
    if let Some(reason) = missing() {
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

/// What the second part wants and does not find.
fn missing() -> Option<String> {
    if !Path::new(softhsm::MODULE).exists() {
        return Some(format!("{} is not there (package softhsm2)", softhsm::MODULE));
    }
    let there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let absent = ["openssl", "softhsm2-util", "xmlsec1"].into_iter().find(|program| !there(program))?;
    Some(format!("{absent} is not installed"))
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
    /// From the arrival of a signature's command to its answer: what it thinks, and what the simulator computes.
    signing: Duration,
    others: u32,
    other: Duration,
}

/// A card that thinks at each signature, and at nothing else.
struct Thinking {
    card: SharedCard,
    did: Arc<Mutex<Did>>,
}

impl VirtualCard for Thinking {
    fn atr(&self) -> Vec<u8> {
        lock(&self.card).atr()
    }

    fn extended(&self) -> bool {
        lock(&self.card).extended()
    }

    fn reset(&mut self) {
        lock(&self.card).reset();
    }

    fn command(&mut self, apdu: &[u8]) -> Vec<u8> {
        let (begun, signs) = (Instant::now(), apdu.get(1) == Some(&SIGN));
        if signs {
            std::thread::sleep(THINKS);
        }
        let answer = lock(&self.card).command(apdu);
        let mut did = lock(&self.did);
        if signs {
            (did.signatures, did.signing) = (did.signatures + 1, did.signing + begun.elapsed());
        } else {
            (did.others, did.other) = (did.others + 1, did.other + begun.elapsed());
        }
        answer
    }

    fn accident(&mut self) -> Option<Accident> {
        lock(&self.card).accident()
    }
}

/// The batch: whether it was fast enough.
fn thinking_card(input: &Path, output: &Path) -> Outcome<bool> {
    let did = Arc::<Mutex<Did>>::default();
    let card = issued(Kind::Sm2, SYNO, Habits::default(), &Role::ALL).card();
    let readers = VirtualReaders::new(&[READER]);
    readers.insert(READER, Arc::new(Mutex::new(Thinking { card, did: Arc::clone(&did) })));
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
        overwrite: false,
        again: false,
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
        "{count} messages CEB621 of {} KB, SM2, {THREADS} threads, one card, 30 ms held up at each signature",
        LENGTH / 1024
    )?;
    writeln!(out, "  total            {:.2} s: {}", total.as_secs_f64(), phases.join(", "))?;
    writeln!(
        out,
        "  the card         {:.2} s in {} signatures ({thinks:.2} s of it held up), {:.2} s in {} other commands, which are not held up",
        did.signing.as_secs_f64(),
        did.signatures,
        did.other.as_secs_f64(),
        did.others
    )?;
    writeln!(out, "  ratio to {thinks:.2} s {ratio:.3}: {verdict} {BOUND}")?;
    Ok(in_time)
}

/// The second part, in a process that finds its own SoftHSM.
fn tokens(words: &[String]) -> Outcome<()> {
    let [dir, input] = words else { return Err("softhsm DIR MESSAGES".into()) };
    let dir = Path::new(dir);
    let key = dir.join("key.pem");
    let der = make_token(dir, &key)?;
    let mut documents: Vec<PathBuf> = fs::read_dir(input)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    documents.sort();
    let rules = "schema = 1\ntest = true\n[[customs.issuer]]\ncommon_name = \"Story customs CA\"\n";
    let profile = Arc::new(Profile::parse(rules)?);
    let scan = Scanner::new().profile(profile).module(softhsm::MODULE).scan(&Wait::default())?;
    let shield = scan.only()?.clone();
    let session = shield.unlock(Unlock::of(Role::Customs), &mut typed, &Wait::default())?;
    let steps = split(&shield, &session, &documents)?;
    let key_name = Certificate::from_der(&der)?.number();
    let xmlsec = xmlsec(dir, &key, &key_name, &documents, &steps.last)?;
    tell_steps(documents.len(), &steps, &xmlsec)
}

/// A token with an RSA key that also lies in a file: its certificate.
fn make_token(dir: &Path, key: &Path) -> Outcome<Vec<u8>> {
    let key = key.to_str().ok_or("a path")?;
    run("openssl", &["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key])?;
    let spki = run("openssl", &["pkey", "-in", key, "-pubout", "-outform", "DER"])?;
    softhsm::SoftHsm::at(dir.to_owned()).host(|host| {
        let _ = host.token("customs", CUSTOMS_PIN);
    });
    let names = ["--token", "customs", "--label", "customs", "--id", "01", "--pin", CUSTOMS_PIN];
    run("softhsm2-util", &[&["--import", key], &names[..]].concat())?;
    let der = softhsm::issue("CN=Story customs CA", "CN=Story customs", &spki, vec![]);
    softhsm::SoftHsm::at(dir.to_owned()).host(|host| {
        let session = host.login(host.slot("customs"), CUSTOMS_PIN);
        host.certificate(&session, &der, &[1], "customs");
    });
    Ok(der)
}

fn run(program: &str, words: &[&str]) -> Outcome<Vec<u8>> {
    let output =
        Command::new(program).args(words).stdin(Stdio::null()).output().map_err(|e| format!("{program}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(output.stdout)
}

/// Seconds for each step over all messages.
#[derive(Default)]
struct Steps {
    prepare: Duration,
    sign: Duration,
    /// The check of the signature alone; it is a part of `complete`.
    verify: Duration,
    complete: Duration,
    /// The same message by one call within an unlocked session.
    whole: Duration,
    /// The last signed message.
    last: Vec<u8>,
}

/// The three steps with the key reached by the host in its own way, and the same by one call. Both write the same document.
fn split(shield: &Shield, session: &Session, documents: &[PathBuf]) -> Outcome<Steps> {
    let host = softhsm::Host::beside(softhsm::MODULE);
    // The login is the process's, whoever opened it.
    let own = host.p11.open_ro_session(host.slot("customs"))?;
    let key = own.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])?.into_iter().next().ok_or("a key")?;
    let mut steps = Steps::default();
    for document in documents {
        let begun = Instant::now();
        let pending = shield.prepare(Request::declaration(Content::file(document)))?;
        steps.prepare += begun.elapsed();

        let begun = Instant::now();
        let info = [&SHA1_INFO, pending.tbs().digest.octets()].concat();
        let signature = RawSignature::new(Suite::RsaSha1, own.sign(&Mechanism::RsaPkcs, key, &info)?)?;
        steps.sign += begun.elapsed();

        let begun = Instant::now();
        pending.certificate().key()?.verify(pending.tbs(), &signature)?;
        steps.verify += begun.elapsed();

        let (begun, mut out) = (Instant::now(), Vec::new());
        pending.complete(&signature, &mut out)?;
        steps.complete += begun.elapsed();

        let (begun, mut whole) = (Instant::now(), Vec::new());
        session.sign(Request::declaration(Content::file(document)), &Wait::default(), &mut whole)?;
        steps.whole += begun.elapsed();
        if out != whole {
            return Err(format!("{}: two steps and one call differ", document.display()).into());
        }
        steps.last = out;
    }
    Ok(steps)
}

/// Seconds for a message.
struct Xmlsec {
    /// In a process of its own.
    alone: f64,
    /// In a process that signs many.
    many: f64,
}

/// The same by xmlsec1: a template of the same elements, whose values it fills in.
fn xmlsec(dir: &Path, key: &Path, key_name: &str, documents: &[PathBuf], signed: &[u8]) -> Outcome<Xmlsec> {
    let signed = std::str::from_utf8(signed)?;
    let empty = emptied(&emptied(signed, "DigestValue")?.0, "SignatureValue")?;
    let (template, out) = (dir.join("template.xml"), dir.join("signed.xml"));
    fs::write(&template, &empty.0)?;
    let paths = [key, &template, &out].map(|p| p.to_string_lossy().into_owned());
    let [key, template, out] = paths.each_ref().map(String::as_str);
    let name = format!("--privkey-pem:{key_name}");
    let words = ["--sign", &name, key, "--output", out, template];
    let starts = u32::try_from(documents.len().min(STARTS))?;
    let begun = Instant::now();
    for _ in 0..starts {
        run("xmlsec1", &words)?;
    }
    let alone = begun.elapsed().as_secs_f64() / f64::from(starts);
    let theirs = emptied(&fs::read_to_string(out)?, "SignatureValue")?.1;
    let octets = |text: &str| Base64::decode_vec(&text.split_whitespace().collect::<String>());
    if octets(&theirs)? != octets(&empty.1)? {
        return Err("xmlsec1 makes another signature of the same document with the same key".into());
    }
    let repeats = documents.len().to_string();
    let begun = Instant::now();
    run("xmlsec1", &[&["--sign", "--repeat", &repeats], &words[1..]].concat())?;
    let many = begun.elapsed().as_secs_f64() / f64::from(u32::try_from(documents.len())?);
    Ok(Xmlsec { alone, many })
}

/// A document with this element of its signature empty, and what was in it.
fn emptied(document: &str, element: &str) -> Outcome<(String, String)> {
    let open = format!("<ds:{element}>");
    let start = document.find(&open).ok_or("a signature's element")? + open.len();
    let end = start + document[start..].find("</").ok_or("its end")?;
    Ok(([&document[..start], &document[end..]].concat(), document[start..end].to_owned()))
}

fn tell_steps(count: usize, steps: &Steps, xmlsec: &Xmlsec) -> Outcome<()> {
    let each = |time: Duration| time.as_secs_f64() / count as f64;
    let three = each(steps.prepare) + each(steps.sign) + each(steps.complete);
    let out = &mut std::io::stdout();
    writeln!(
        out,
        "\n| one message of the same {count}, SoftHSM, RSA-2048 with SHA-1, one thread | ms | xmlsec1 = 1 | xmlsec1 without its start = 1 |"
    )?;
    writeln!(out, "| --- | --- | --- | --- |")?;
    let rows = [
        ("prepare", each(steps.prepare)),
        ("sign, by the module", each(steps.sign)),
        ("verify and write", each(steps.complete)),
        ("... of it verify the signature", each(steps.verify)),
        ("the three together", three),
        ("the same by one call in an unlocked session", each(steps.whole)),
        ("`xmlsec1 --sign`, a process for each message", xmlsec.alone),
        ("`xmlsec1 --sign --repeat`, one process", xmlsec.many),
    ];
    for (name, seconds) in rows {
        let (alone, many) = (seconds / xmlsec.alone, seconds / xmlsec.many);
        writeln!(out, "| {name} | {:.3} | {alone:.2} | {many:.2} |", seconds * 1000.0)?;
    }
    Ok(())
}
