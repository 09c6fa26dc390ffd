//! For the stories about customs messages: throw-away keys from openssl, and xmlsec1 as the judge.
#![allow(dead_code)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use shared_shield::format::ceb::CEB;
use shared_shield::format::{Format, SignContext};
use shared_shield::{
    CardKind, Certificate, Content, DigestAlgorithm, Profile, RawSignature, Report, Result, Role, Suite, Trust,
    VerifyContext,
};

/// 2027-01-01 00:00:00 UTC: inside the validity of the vectors' certificates.
pub(crate) fn vectors_time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_798_761_600)
}

pub(crate) const VECTORS_TIME: &str = "2027-01-01 00:00:00";

/// Says loudly that a story cannot run. With `SHIELD_NO_SKIP` set, as everywhere, and in CI that is a failure.
pub(crate) fn skip(story: &str, reason: &str) {
    let must_run = ["SHIELD_NO_SKIP", "CI"].iter().any(|name| std::env::var_os(name).is_some());
    assert!(!must_run, "{story} cannot run: {reason}");
    say(&format!("SKIPPED {story}: {reason}"));
}

/// Says something that is seen even when the test passes: the harness swallows what `println!` says.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether all of these programs are there; if not, the story is skipped loudly.
pub(crate) fn have(story: &str, programs: &[&str]) -> bool {
    for program in programs {
        let option = if *program == "openssl" { "version" } else { "--version" };
        if Command::new(program).arg(option).output().is_err() {
            skip(story, &format!("{program} is not installed"));
            return false;
        }
    }
    true
}

/// A folder of its own that goes away again.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ceb-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn write(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, octets).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"))
}

pub(crate) fn run_well(program: &str, arguments: &[&str]) -> Output {
    let output = run(program, arguments);
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

pub(crate) fn vector(name: &str) -> Vec<u8> {
    std::fs::read(vector_path(name)).unwrap()
}

pub(crate) fn vector_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

pub(crate) fn sample(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(name)).unwrap()
}

/// A key in a file with its self-signed certificate.
pub(crate) struct Signer {
    pub(crate) folder: Folder,
    pub(crate) key: PathBuf,
    pub(crate) pem: PathBuf,
    pub(crate) certificate: Arc<Certificate>,
}

impl Signer {
    /// Makes a key; `algorithm` is what `openssl req -newkey` takes, such as `rsa:2048` or `ec` with a curve option.
    pub(crate) fn new(algorithm: &[&str]) -> Self {
        let folder = Folder::new();
        let (key, pem) = (folder.0.join("key.pem"), folder.0.join("cert.pem"));
        // The samples say that they are of 2027: a certificate that had expired by then would be a finding.
        let mut arguments = vec!["req", "-x509", "-nodes", "-days", "3650", "-sha256", "-newkey"];
        arguments.extend(algorithm);
        arguments.extend(["-set_serial", "0x0abc0001", "-subj", "/C=CN/O=Synthetic Trading Co/CN=Test Operator"]);
        arguments.extend(["-addext", "keyUsage=critical,digitalSignature,nonRepudiation"]);
        arguments.extend(["-keyout", key.to_str().unwrap(), "-out", pem.to_str().unwrap()]);
        run_well("openssl", &arguments);
        Signer::of(folder, key, pem)
    }

    pub(crate) fn rsa(bits: &str) -> Self {
        Signer::new(&[&format!("rsa:{bits}")])
    }

    pub(crate) fn p256() -> Self {
        Signer::new(&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
    }

    /// The published throw-away keys of the vectors.
    pub(crate) fn vectors(kind: &str) -> Self {
        let key = vector_path(&format!("synthetic_{kind}_throwaway.key"));
        Signer::of(Folder::new(), key, vector_path(&format!("synthetic_{kind}_cert.pem")))
    }

    /// A key with this certificate for it, which `authority` (both in PEM) has issued: for xmlsec1 the authority is the trusted one.
    pub(crate) fn issued(algorithm: &[&str], issue: impl FnOnce(&[u8]) -> (Vec<u8>, String)) -> Self {
        let made = Signer::new(algorithm);
        let key = made.key.to_str().unwrap();
        let spki = run_well("openssl", &["pkey", "-in", key, "-pubout", "-outform", "DER"]).stdout;
        let (der, authority) = issue(&spki);
        std::fs::write(&made.pem, authority).unwrap();
        Signer { certificate: Arc::new(Certificate::from_der(&der).unwrap()), ..made }
    }

    fn of(folder: Folder, key: PathBuf, pem: PathBuf) -> Self {
        let certificate = Arc::new(Certificate::from_pem(&std::fs::read(&pem).unwrap()).unwrap());
        Signer { folder, key, pem, certificate }
    }

    /// Prepares, lets openssl sign the octets that are to be signed, finishes.
    pub(crate) fn sign(&self, document: &[u8], context: &SignContext) -> Result<Vec<u8>> {
        self.sign_as(&CEB, document, context)
    }

    /// As [`Signer::sign`], in another form.
    pub(crate) fn sign_as(&self, format: &dyn Format, document: &[u8], context: &SignContext) -> Result<Vec<u8>> {
        let content = Content::bytes(document);
        let prepared = format.prepare(&content, &self.certificate, context);
        // Whoever looks at a document before a PIN is asked is told what signing will say.
        let looked = format.check(&content, &self.certificate, context);
        assert_eq!(prepared.as_ref().err().map(|e| e.to_string()), looked.err().map(|e| e.to_string()));
        let prepared = prepared?;
        let message = self.folder.write("message", prepared.tbs.message.as_deref().unwrap());
        let out = self.folder.0.join("signature");
        let digest = format!("-{}", prepared.tbs.suite.digest().name());
        let mut arguments = vec!["dgst", digest.as_str(), "-sign", self.key.to_str().unwrap()];
        if prepared.tbs.suite == Suite::Sm2Sm3 {
            arguments.extend(["-sigopt", "distid:1234567812345678"]);
        }
        arguments.extend(["-out", out.to_str().unwrap(), message.to_str().unwrap()]);
        run_well("openssl", &arguments);
        let signature = RawSignature::from_wire(prepared.tbs.suite, &std::fs::read(&out).unwrap())?;
        // The digest given to a token and the message given to openssl are the same thing.
        self.certificate.key()?.verify(&prepared.tbs, &signature)?;
        let mut finished = Vec::new();
        prepared.finish(&signature, &mut finished)?;
        Ok(finished)
    }

    /// xmlsec1's word, with this certificate as the trusted one.
    pub(crate) fn xmlsec_accepts(&self, document: &[u8], time: Option<&str>) -> bool {
        let file = self.folder.write("document.xml", document);
        let mut arguments = vec!["--verify", "--trusted-pem", self.pem.to_str().unwrap()];
        if let Some(time) = time {
            arguments.extend(["--verification-gmt-time", time]);
        }
        arguments.push(file.to_str().unwrap());
        run("xmlsec1", &arguments).status.success()
    }
}

/// What the shield would say for a customs request.
pub(crate) fn customs(test: bool) -> SignContext {
    SignContext {
        role: Role::Customs,
        test,
        sha1: true,
        identifiers: None,
        card: CardKind::Unknown,
        suites: Suite::ALL.to_vec(),
        now: SystemTime::now(),
        sm2_id: shared_shield::Sm2Id::default(),
    }
}

/// Judged without trust and without a role, at `at`.
pub(crate) fn context(at: SystemTime) -> VerifyContext {
    VerifyContext {
        trust: Trust::None,
        role: None,
        profile: Arc::new(Profile::builtin()),
        at,
        certificate: None,
        sm2_id: shared_shield::Sm2Id::default(),
    }
}

pub(crate) fn report(document: &[u8], at: SystemTime) -> Report {
    CEB.verify(&Content::bytes(document), None, &context(at)).unwrap()
}

/// `text` with the first `from` replaced; fails if there is none, so that a test cannot test nothing.
pub(crate) fn replace(text: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(text).unwrap();
    assert!(text.contains(from), "nothing to replace: {from}");
    text.replacen(from, to, 1).into_bytes()
}

/// Lower-case hex of a SHA-256.
pub(crate) fn sha256(octets: &[u8]) -> String {
    DigestAlgorithm::Sha256.of(octets).unwrap().octets().iter().map(|o| format!("{o:02x}")).collect()
}
