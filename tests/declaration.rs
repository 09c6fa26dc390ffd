//! The first declaration, made on a token: xmlsec1 judges, and the published vector comes out to the octet.

#[path = "support/desk.rs"]
mod desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cryptoki::object::{Attribute, KeyType, ObjectClass};
use desk::{CUSTOMS_PIN, Keys, Typist};
use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use shared_shield::{Content, FixedClock, Profile, Request, Role, Scanner, Shield, Suite, Unlock, Wait};
use softhsm::SoftHsm;

/// 2027-01-01, as the vectors' index asks.
const NEW_YEAR: Duration = Duration::from_secs(1_798_761_600);

fn declare(shield: &Shield, document: Vec<u8>) -> (shared_shield::Receipt, Vec<u8>) {
    let mut out = Vec::new();
    let request = Request::declaration(Content::bytes(document));
    let receipt = shield.sign(request, &mut Typist::right(), &Wait::default(), &mut out).unwrap();
    (receipt, out)
}

fn xmlsec1_accepts(hsm: &SoftHsm, document: &[u8]) -> bool {
    let (der, xml) = (hsm.dir().join("issuer.der"), hsm.dir().join("judged.xml"));
    std::fs::write(&der, softhsm::authority("CN=Story customs CA")).unwrap();
    std::fs::write(&xml, document).unwrap();
    let output = Command::new("xmlsec1").arg("--verify").arg("--trusted-der").arg(&der).arg(&xml).output();
    output.expect("xmlsec1 is installed by tests/run").status.success()
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(name)).unwrap()
}

fn one_octet_changed(document: &[u8]) -> Vec<u8> {
    let mut changed = document.to_vec();
    let at = document.windows(11).position(|w| w == b"<ceb:copNo>").unwrap() + 12;
    changed[at] ^= 0x01;
    changed
}

fn judged_by_xmlsec1(hsm: &SoftHsm, keys: Keys, suite: Suite) {
    desk::make(hsm, keys);
    let shield = desk::shield(hsm, Path::new(softhsm::MODULE));
    for name in ["CEB621.xml", "CEB311.xml"] {
        let original = sample(name);
        let (receipt, signed) = declare(&shield, original.clone());
        assert_eq!(receipt.suite, suite);
        assert!(xmlsec1_accepts(hsm, &signed), "{name}");
        let changed = if name == "CEB621.xml" { one_octet_changed(&signed) } else { other_guid(&signed) };
        assert_eq!(changed.iter().zip(&signed).filter(|(a, b)| a != b).count(), 1);
        assert!(!xmlsec1_accepts(hsm, &changed), "{name} with one octet changed");
        let at = signed.windows(14).position(|w| w == b"<ds:Signature ").unwrap();
        let end = signed.windows(15).position(|w| w == b"</ds:Signature>").unwrap() + 15;
        assert_eq!(
            [&signed[..at], &signed[end..]].concat(),
            original,
            "outside the signature every octet is the caller's"
        );
    }
}

fn other_guid(document: &[u8]) -> Vec<u8> {
    let mut changed = document.to_vec();
    let at = document.windows(10).position(|w| w == b"<ceb:guid>").unwrap() + 10;
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    changed
}

#[test]
fn xmlsec1_accepts_declarations_signed_with_an_rsa_key_on_the_token() {
    softhsm::story("xmlsec1_accepts_declarations_signed_with_an_rsa_key_on_the_token", |hsm| {
        judged_by_xmlsec1(hsm, Keys::Rsa(2048), Suite::RsaSha1);
    });
}

#[test]
fn xmlsec1_accepts_declarations_signed_with_a_p256_key_on_the_token() {
    softhsm::story("xmlsec1_accepts_declarations_signed_with_a_p256_key_on_the_token", |hsm| {
        judged_by_xmlsec1(hsm, Keys::P256, Suite::P256Sha256);
    });
}

#[test]
fn an_old_rsa_1024_key_signs_with_a_warning_in_the_receipt() {
    softhsm::story("an_old_rsa_1024_key_signs_with_a_warning_in_the_receipt", |hsm| {
        desk::make(hsm, Keys::Rsa(1024));
        let shield = desk::shield(hsm, Path::new(softhsm::MODULE));
        let (receipt, signed) = declare(&shield, sample("CEB621.xml"));
        assert!(receipt.notes.contains(&shared_shield::Note::WeakKey { bits: 1024 }), "{:?}", receipt.notes);
        assert!(xmlsec1_accepts(hsm, &signed));
        let raw = Request::raw(Role::Bank, Content::bytes(*b"order"));
        let refused = shield.sign(raw, &mut Typist::right(), &Wait::default(), &mut Vec::new()).unwrap_err();
        assert_eq!(refused.kind(), shared_shield::ErrorKind::KeyUnsuited, "SHA-1 and short keys are for customs alone");
    });
}

/// Puts the published throw-away key and its certificate on a token.
fn import_vector_key(hsm: &SoftHsm) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let pem = std::fs::read_to_string(folder.join("synthetic_rsa_throwaway.key")).unwrap();
    let key = rsa::RsaPrivateKey::from_pkcs8_pem(&pem).unwrap();
    let [p, q] = [&key.primes()[0], &key.primes()[1]].map(|n| n.to_be_bytes_trimmed_vartime().to_vec());
    let der =
        shared_shield::Certificate::from_pem(&std::fs::read(folder.join("synthetic_rsa_cert.pem")).unwrap()).unwrap();
    hsm.host(|host| {
        let session = host.login(host.token("vector", CUSTOMS_PIN), CUSTOMS_PIN);
        let template = [
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::KeyType(KeyType::RSA),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sign(true),
            Attribute::Id(vec![1]),
            Attribute::Modulus(key.n_bytes().to_vec()),
            Attribute::PublicExponent(key.e_bytes().to_vec()),
            Attribute::PrivateExponent(key.d().to_be_bytes_trimmed_vartime().to_vec()),
            Attribute::Prime1(p),
            Attribute::Prime2(q),
            Attribute::Exponent1(key.dp().unwrap().to_be_bytes_trimmed_vartime().to_vec()),
            Attribute::Exponent2(key.dq().unwrap().to_be_bytes_trimmed_vartime().to_vec()),
            Attribute::Coefficient(key.crt_coefficient().unwrap().to_be_bytes_trimmed_vartime().to_vec()),
        ];
        session.create_object(&template).unwrap();
        host.certificate(&session, der.der(), &[1], "vector");
    });
}

#[test]
fn with_the_published_key_on_the_token_the_published_document_comes_out_to_the_octet() {
    let name = "with_the_published_key_on_the_token_the_published_document_comes_out_to_the_octet";
    softhsm::story(name, |hsm| {
        import_vector_key(hsm);
        let rule = "schema = 1\ntest = true\n[[customs.issuer]]\nunit = \"Synthetic Trading Co\"\nallow_ca = true\n";
        let scanner = Scanner::new()
            .profile(Arc::new(Profile::parse(rule).unwrap()))
            .clock(Arc::new(FixedClock(SystemTime::UNIX_EPOCH + NEW_YEAR)))
            .module(softhsm::MODULE);
        let scan = scanner.scan(&Wait::default()).unwrap();
        let shield = scan.only().unwrap();
        let vector = std::fs::read("tests/vectors/synthetic_CEB311_rsa.xml").unwrap();
        let at = vector.windows(14).position(|w| w == b"<ds:Signature ").unwrap();
        let end = vector.windows(15).position(|w| w == b"</ds:Signature>").unwrap() + 15;
        let unsigned = [&vector[..at], &vector[end..]].concat();
        let session = shield.unlock(Unlock::of(Role::Customs), &mut Typist::right(), &Wait::default()).unwrap();
        for _ in 0..2 {
            let mut out = Vec::new();
            session.sign(Request::declaration(Content::bytes(unsigned.clone())), &Wait::default(), &mut out).unwrap();
            assert_eq!(out, vector);
        }
    });
}
