//! A desk for CMS tests: a test authority with its certificates, software keys in place of a shield, and openssl as the judge.
//! Every name is invented and every key is made anew for the run.

#![allow(dead_code, unreachable_pub)] // each test file uses its part

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use shared_shield::format::cms::CMS;
use shared_shield::format::{Format, Prepared, SignContext};
use shared_shield::{
    CardKind, Certificate, CmsOptions, Content, Profile, RawSignature, Report, Result, Role, Suite, Trust,
    VerifyContext,
};

/// A key in software with its certificate.
#[derive(Debug)]
pub struct Identity {
    pub name: &'static str,
    pub suite: Suite,
    pub certificate: Arc<Certificate>,
    pub pem: PathBuf,
    pub key: PathBuf,
}

/// What all tests of one file share.
#[derive(Debug)]
pub struct Desk {
    pub folder: PathBuf,
    pub authority: PathBuf,
    pub p256: Identity,
    pub rsa: Identity,
    /// P-256, with names written as BMPString.
    pub bmp: Identity,
}

const CONFIG: &str = "\
[req]
distinguished_name = none
prompt = no
utf8 = yes
string_mask = MASK
[none]
[subject]
C = CN
O = 合成贸易有限公司
CN = 测试 NAME
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
keyUsage = critical,digitalSignature,nonRepudiation
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";

/// The desk of this test process.
pub fn desk() -> &'static Desk {
    static DESK: OnceLock<Desk> = OnceLock::new();
    DESK.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
        clear_leftovers(all);
        let folder = all.join(format!("cms-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        config(&folder, "CA", "utf8only");
        run(openssl(&folder)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
            .args([
                "-keyout",
                "CA.key",
                "-out",
                "CA.pem",
                "-days",
                "3650",
                "-config",
                "CA.cnf",
                "-extensions",
                "ca",
                "-set_serial",
                "0x10",
                "-utf8",
            ]));
        let p256 = identity(&folder, "p256", Suite::P256Sha256, "utf8only");
        let rsa = identity(&folder, "rsa", Suite::RsaSha256, "utf8only");
        let bmp = bmp_identity(&folder);
        let authority = folder.join("authorities.pem");
        let both = ["CA.pem", "bmp.pem"].map(|f| std::fs::read_to_string(folder.join(f)).unwrap());
        std::fs::write(&authority, both.concat()).unwrap();
        Desk { authority, p256, rsa, bmp, folder }
    })
}

/// Folders of processes that have ended.
fn clear_leftovers(all: &Path) {
    for entry in std::fs::read_dir(all).unwrap().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|n| n.strip_prefix("cms-")).and_then(|n| n.parse::<u32>().ok());
        if process.is_some_and(|p| !Path::new(&format!("/proc/{p}")).exists()) {
            // Another test process may be clearing up at the same time.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn config(folder: &Path, name: &str, mask: &str) {
    let text = CONFIG.replace("= none\n", "= subject\n").replace("NAME", name).replace("MASK", mask);
    std::fs::write(folder.join(format!("{name}.cnf")), text).unwrap();
}

fn new_key(suite: Suite) -> &'static [&'static str] {
    match suite {
        Suite::RsaSha256 => &["-newkey", "rsa:2048"],
        _ => &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    }
}

fn identity(folder: &Path, name: &'static str, suite: Suite, mask: &str) -> Identity {
    config(folder, name, mask);
    let file = |ending: &str| format!("{name}.{ending}");
    run(openssl(folder).arg("req").args(new_key(suite)).args(["-nodes", "-utf8", "-keyout", &file("key")]).args([
        "-out",
        &file("csr"),
        "-config",
        &file("cnf"),
    ]));
    run(openssl(folder)
        .args(["x509", "-req", "-in", &file("csr"), "-CA", "CA.pem", "-CAkey", "CA.key", "-days", "3650"])
        .args([
            "-out",
            &file("pem"),
            "-extfile",
            &file("cnf"),
            "-extensions",
            "leaf",
            "-set_serial",
            if suite == Suite::RsaSha256 { "0x00F00D" } else { "0x1234" },
        ]));
    load(folder, name, suite)
}

fn bmp_identity(folder: &Path) -> Identity {
    config(folder, "bmp", "pkix");
    run(openssl(folder).arg("req").arg("-x509").args(new_key(Suite::P256Sha256)).args([
        "-nodes",
        "-utf8",
        "-keyout",
        "bmp.key",
        "-out",
        "bmp.pem",
        "-days",
        "3650",
        "-config",
        "bmp.cnf",
        "-extensions",
        "leaf",
        "-set_serial",
        "0x55",
    ]));
    load(folder, "bmp", Suite::P256Sha256)
}

fn load(folder: &Path, name: &'static str, suite: Suite) -> Identity {
    let (pem, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    let certificate = Arc::new(Certificate::from_pem(&std::fs::read(&pem).unwrap()).unwrap());
    Identity { name, suite, certificate, pem, key }
}

/// The judge. Without it nothing here can be shown, so its absence is a failure.
pub fn openssl(folder: &Path) -> Command {
    let mut command = Command::new("openssl");
    command.current_dir(folder).env_remove("OPENSSL_CONF");
    command
}

/// Runs what has to succeed.
pub fn run(command: &mut Command) -> Vec<u8> {
    let output = output(command);
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

pub fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|e| panic!("these tests need {:?}: {e}", command.get_program()))
}

/// A new file name in the desk's folder.
pub fn fresh(ending: &str) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    desk().folder.join(format!("f{}.{ending}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// A new file with these octets.
pub fn file(octets: &[u8]) -> PathBuf {
    let path = fresh("bin");
    std::fs::write(&path, octets).unwrap();
    path
}

impl Identity {
    pub fn context(&self) -> SignContext {
        let now = SystemTime::now();
        SignContext {
            role: Role::Bank,
            test: false,
            sha1: false,
            identifiers: None,
            card: CardKind::Unknown,
            suites: vec![self.suite],
            now,
            sm2_id: shared_shield::Sm2Id::default(),
        }
    }

    pub fn prepare(&self, options: CmsOptions, content: &Content) -> Result<Prepared> {
        options.format().prepare(content, &self.certificate, &self.context())
    }

    /// What a token does: signs a digest.
    pub fn sign_digest(&self, digest: &[u8]) -> RawSignature {
        let mut command = openssl(&desk().folder);
        command.args(["pkeyutl", "-sign", "-pkeyopt", "digest:sha256", "-inkey"]).arg(&self.key);
        let wire = run(command.arg("-in").arg(file(digest)));
        RawSignature::from_wire(self.suite, &wire).unwrap()
    }

    /// Prepares, signs, finishes.
    pub fn sign(&self, options: CmsOptions, content: &Content) -> Result<Vec<u8>> {
        let prepared = self.prepare(options, content)?;
        let signature = self.sign_digest(prepared.tbs.digest.octets());
        let mut message = Vec::new();
        prepared.finish(&signature, &mut message)?;
        Ok(message)
    }

    /// A message made by openssl.
    pub fn openssl_sign(&self, document: &Path, options: &[&str]) -> Vec<u8> {
        let mut command = openssl(&desk().folder);
        command.args(["cms", "-sign", "-binary", "-signer"]).arg(&self.pem).arg("-inkey").arg(&self.key);
        run(command.arg("-in").arg(document).args(options))
    }
}

/// Judges no trust: a right message is `SignatureOnly`.
pub fn no_trust() -> VerifyContext {
    VerifyContext {
        trust: Trust::None,
        role: None,
        profile: Arc::new(Profile::builtin()),
        at: SystemTime::now(),
        certificate: None,
        sm2_id: shared_shield::Sm2Id::default(),
    }
}

/// Verifies an attached message.
pub fn verify(message: &[u8]) -> Result<Report> {
    CMS.verify(&Content::bytes(message), None, &no_trust())
}

/// Verifies a detached message.
pub fn verify_detached(document: &[u8], message: &[u8]) -> Result<Report> {
    CMS.verify(&Content::bytes(document), Some(message), &no_trust())
}

/// What `openssl cms -verify` says, and the content it found.
pub fn openssl_verify(message: &[u8], document: Option<&Path>, options: &[&str]) -> Result<Vec<u8>, String> {
    let (got, desk) = (fresh("got"), desk());
    let mut command = openssl(&desk.folder);
    command.args(["cms", "-verify", "-binary", "-CAfile"]).arg(&desk.authority).arg("-in").arg(file(message));
    let pem = message.starts_with(b"-----BEGIN");
    command.args(["-inform", if pem { "PEM" } else { "DER" }]).args(options).arg("-out").arg(&got);
    if let Some(document) = document {
        command.arg("-content").arg(document);
    }
    let output = output(&mut command);
    if output.status.success() {
        Ok(std::fs::read(got).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A copy with one octet changed.
pub fn changed(octets: &[u8], place: usize) -> Vec<u8> {
    let mut copy = octets.to_vec();
    copy[place] ^= 0x01;
    copy
}

/// Where `needle` stands in `hay`.
pub fn find(hay: &[u8], needle: &[u8]) -> usize {
    hay.windows(needle.len()).position(|w| w == needle).expect("not found")
}
