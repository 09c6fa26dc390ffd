//! The steps of one message on SoftHSM, and the same by xmlsec1 with the same key in a file.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64ct::{Base64, Encoding};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass};
use shared_shield::{
    Certificate, Content, Profile, RawSignature, Request, Role, Scanner, Session, Shield, Suite, Unlock, Wait,
};

use crate::gm_shield::CUSTOMS_PIN;
use crate::{Outcome, softhsm, typed};

/// xmlsec1 is started once for each of so many messages at the most.
const STARTS: usize = 100;
/// DigestInfo of SHA-1 without the digest (RFC 8017 §9.2, note 1).
const SHA1_INFO: [u8; 15] = [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00, 0x04, 0x14];

/// What the second part wants and does not find.
pub(crate) fn missing() -> Option<String> {
    if !Path::new(softhsm::MODULE).exists() {
        return Some(format!("{} is not there (package softhsm2)", softhsm::MODULE));
    }
    let there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let absent = ["openssl", "softhsm2-util", "xmlsec1"].into_iter().find(|program| !there(program))?;
    Some(format!("{absent} is not installed"))
}

/// The second part, in a process that finds its own SoftHSM.
pub(crate) fn tokens(words: &[String]) -> Outcome<()> {
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
    softhsm::SoftHsm::at(dir.to_owned()).host(|host| host.token("customs", CUSTOMS_PIN));
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
