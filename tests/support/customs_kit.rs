//! What the stories of announcement 179 and of login share: vectors, software keys, OpenSSL as judge.
#![allow(dead_code, reason = "each story uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use rsa::pkcs8::DecodePrivateKey;
use shared_shield::format::{Format, SignContext};
use shared_shield::{
    CardKind, Certificate, Content, ErrorKind, FindingKind, Profile, RawSignature, Report, Result, Role, Severity,
    Suite, ToBeSigned, Trust, VerifyContext,
};

pub(crate) fn vector_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

pub(crate) fn vector(name: &str) -> Vec<u8> {
    std::fs::read(vector_path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

pub(crate) fn text(name: &str) -> String {
    String::from_utf8(vector(name)).unwrap()
}

pub(crate) fn certificate(name: &str) -> Arc<Certificate> {
    Arc::new(Certificate::from_pem(&vector(name)).unwrap())
}

/// 2027-01-01, as the vectors' index asks.
pub(crate) fn day() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_798_761_600)
}

pub(crate) fn customs() -> SignContext {
    SignContext {
        role: Role::Customs,
        test: false,
        sha1: true,
        identifiers: None,
        card: CardKind::Unknown,
        suites: Suite::ALL.to_vec(),
        now: day(),
        sm2_id: shared_shield::Sm2Id::default(),
    }
}

pub(crate) fn bank() -> SignContext {
    SignContext { role: Role::Bank, sha1: false, ..customs() }
}

pub(crate) fn judging(by: &Arc<Certificate>) -> VerifyContext {
    VerifyContext {
        trust: Trust::None,
        role: None,
        profile: Arc::new(Profile::builtin()),
        at: day(),
        certificate: Some(Arc::clone(by)),
        sm2_id: shared_shield::Sm2Id::default(),
    }
}

/// What makes a report wrong, beside what it says of the certificate: the vectors' certificates are for signatures alone.
pub(crate) fn reasons(report: &Report) -> Vec<FindingKind> {
    use FindingKind as K;
    let of_certificate = [K::CertificateUsage, K::CertificateUntrusted, K::RoleOther];
    let wrong = report.findings.iter().filter(|f| f.severity() == Severity::Wrong).map(|f| f.kind);
    wrong.filter(|k| !of_certificate.contains(k)).collect()
}

pub(crate) fn rsa_key() -> rsa::RsaPrivateKey {
    rsa::RsaPrivateKey::from_pkcs8_pem(&text("synthetic_rsa_throwaway.key")).unwrap()
}

/// Signs as a token would, with the throw-away RSA key.
pub(crate) fn rsa_sign(tbs: &ToBeSigned) -> RawSignature {
    let digest = tbs.digest.octets();
    let key = rsa_key();
    let octets = match tbs.suite {
        Suite::RsaSha1 => key.sign(rsa::Pkcs1v15Sign::new::<sha1::Sha1>(), digest),
        Suite::RsaSha256 => key.sign(rsa::Pkcs1v15Sign::new::<sha2::Sha256>(), digest),
        other => panic!("no software key for {other}"),
    };
    RawSignature::new(tbs.suite, octets.unwrap()).unwrap()
}

/// The scalar of the throw-away SM2 key: ECPrivateKey inside PKCS#8 (RFC 5915 §3).
pub(crate) fn sm2_key() -> sm2::dsa::SigningKey {
    let der = openssl(&["pkey", "-in", &path_text("synthetic_sm2_throwaway.key"), "-outform", "DER"], b"").stdout;
    let marker = [0x02, 0x01, 0x01, 0x04, 0x20];
    let at = der.windows(5).position(|w| w == marker).unwrap() + 5;
    let secret = sm2::SecretKey::from_slice(&der[at..at + 32]).unwrap();
    sm2::dsa::SigningKey::new("1234567812345678", &secret).unwrap()
}

/// Signs a prepared digest with the throw-away SM2 key.
pub(crate) fn sm2_sign(digest: &[u8]) -> RawSignature {
    use sm2::dsa::signature::hazmat::PrehashSigner;
    let signature: sm2::dsa::Signature = sm2_key().sign_prehash(digest).unwrap();
    RawSignature::new(Suite::Sm2Sm3, signature.to_bytes().to_vec()).unwrap()
}

pub(crate) fn path_text(name: &str) -> String {
    vector_path(name).to_str().unwrap().to_owned()
}

/// Runs OpenSSL. A machine without it fails the test: nothing is skipped.
pub(crate) fn openssl(arguments: &[&str], input: &[u8]) -> Output {
    run("openssl", arguments, input)
}

pub(crate) fn run(program: &str, arguments: &[&str], input: &[u8]) -> Output {
    use std::io::Write;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{program} is needed as a judge: {e}"));
    let mut stdin = child.stdin.take().unwrap();
    let octets = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A judge that has seen enough closes its end.
        let _ = stdin.write_all(&octets);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// A folder of this test alone, removed at its end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("shared-shield-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    pub(crate) fn file(&self, name: &str, octets: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, octets).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether `openssl dgst` takes a signature over a message with the key of a certificate.
pub(crate) fn openssl_takes(certificate: &Certificate, digest: &str, signature: &[u8], message: &[u8]) -> bool {
    let scratch = Scratch::new();
    let der = scratch.file("certificate.der", certificate.der());
    let key = openssl(&["x509", "-in", &der, "-inform", "DER", "-noout", "-pubkey"], b"").stdout;
    let (key, signature) = (scratch.file("key.pem", &key), scratch.file("signature", signature));
    let message = scratch.file("message", message);
    let mut arguments = vec!["dgst", digest, "-verify", &key, "-signature", &signature];
    if digest == "-sm3" {
        arguments.extend(["-sigopt", "distid:1234567812345678"]);
    }
    arguments.push(&message);
    let output = openssl(&arguments, b"");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("Verified OK") || said.contains("erification failure"), "{output:?}");
    output.status.success() && said.contains("Verified OK")
}

/// OpenSSL's verdict counts when it also refuses a copy of the message with one octet changed.
pub(crate) fn openssl_judges(certificate: &Certificate, digest: &str, signature: &[u8], message: &[u8]) -> bool {
    let mut changed = message.to_vec();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    assert!(!openssl_takes(certificate, digest, signature, &changed), "the judge takes a changed message");
    openssl_takes(certificate, digest, signature, message)
}

/// A self-signed P-256 certificate and its key, made by OpenSSL.
pub(crate) fn p256() -> (Arc<Certificate>, p256::ecdsa::SigningKey) {
    let scratch = Scratch::new();
    let (key, der) = (scratch.path("key.pem"), scratch.path("certificate.der"));
    let made = openssl(
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-subj",
            "/CN=Test Operator",
            "-days",
            "3650",
            "-outform",
            "DER",
            "-out",
            &der,
        ],
        b"",
    );
    assert!(made.status.success(), "{made:?}");
    let pem = std::fs::read_to_string(&key).unwrap();
    let secret = p256::ecdsa::SigningKey::from_pkcs8_pem(&pem).unwrap();
    (Arc::new(Certificate::from_der(&std::fs::read(&der).unwrap()).unwrap()), secret)
}

pub(crate) fn p256_sign(key: &p256::ecdsa::SigningKey, tbs: &ToBeSigned) -> RawSignature {
    use p256::ecdsa::signature::hazmat::PrehashSigner;
    let signature: p256::ecdsa::Signature = key.sign_prehash(tbs.digest.octets()).unwrap();
    RawSignature::new(Suite::P256Sha256, signature.to_bytes().to_vec()).unwrap()
}

/// Prepares and finishes with the throw-away RSA key: what was signed, and what comes out.
pub(crate) fn sign(format: &dyn Format, document: &[u8], context: &SignContext) -> Result<(Vec<u8>, Vec<u8>)> {
    let by = certificate("synthetic_rsa_cert.pem");
    let prepared = format.prepare(&Content::bytes(document), &by, context)?;
    let message = prepared.tbs.message.as_deref().unwrap().to_vec();
    let signature = rsa_sign(&prepared.tbs);
    by.key()?.verify(&prepared.tbs, &signature)?;
    let mut out = Vec::new();
    prepared.finish(&signature, &mut out)?;
    Ok((message, out))
}

/// The kind and the sentence with which a format refuses a document, before any token.
pub(crate) fn refused(format: &dyn Format, document: &[u8], context: &SignContext) -> (ErrorKind, String) {
    let by = certificate("synthetic_rsa_cert.pem");
    match format.prepare(&Content::bytes(document), &by, context) {
        Ok(_) => panic!("taken: {}", String::from_utf8_lossy(document)),
        Err(error) => (error.kind(), error.to_string()),
    }
}

/// A small generator for tests: the same cases in each run.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    /// Knuth's MMIX constants; the high bits are the good ones.
    pub(crate) fn below(&mut self, end: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % end).unwrap()
    }
}
