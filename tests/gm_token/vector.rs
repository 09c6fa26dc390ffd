//! The published message of customs with SM2, and what openssl says of ours.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shared_shield::simulator::{Algorithm, ApplicationSetup, Simulator, Usage};
use shared_shield::{Certificate, Content, FixedClock, Request, Role, Scanner, Wait};
use sm2::pkcs8::DecodePrivateKey;

use crate::child::skip;
use crate::gm_shield::{SYNO, any, door, pin, profile_text, typist};
use crate::sm2_judge::{self, Judge, changed};

/// 2027-01-01, as the vectors' index asks.
const NEW_YEAR: Duration = Duration::from_secs(1_798_761_600);

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// A shield whose customs key is the throw-away one of the vectors.
fn vector_shield() -> (Simulator, Certificate) {
    let pem = String::from_utf8(read("synthetic_sm2_throwaway.key")).unwrap();
    let scalar = sm2::SecretKey::from_pkcs8_pem(&pem).unwrap().to_bytes().to_vec();
    let certificate = Certificate::from_pem(&read("synthetic_sm2_cert.pem")).unwrap();
    let simulator = Simulator::blank("VECTOR").unwrap();
    let setup = ApplicationSetup {
        name: "eport".to_owned(),
        admin_pin: "660184935527".to_owned(),
        admin_tries: 5,
        user_pin: pin(Role::Customs).to_owned(),
        user_tries: 5,
    };
    simulator.create_application(&setup).unwrap();
    simulator.create_container("eport", "vector").unwrap();
    simulator.import_key("eport", "vector", Usage::Signing, Algorithm::Sm2, &scalar).unwrap();
    simulator.import_certificate("eport", "vector", Usage::Signing, certificate.der()).unwrap();
    (simulator, certificate)
}

/// Check 4 of the vectors' index, word for word, over the vector's own SignedInfo.
const CHECK: &str = r#"
T=$(mktemp -d); trap 'rm -r $T' EXIT
sm2_der() { hex=$(openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
  printf 'asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' "${hex:0:64}" "${hex:64}" > $T/s.cnf
  openssl asn1parse -genconf $T/s.cnf -noout -out "$1"; }
openssl x509 -in "$2/synthetic_sm2_cert.pem" -noout -pubkey > $T/sm2.pub
sed -n 's:.*<ds\:SignatureValue>\(.*\)</ds\:SignatureValue>.*:\1:p' "$1" | sm2_der $T/a.der
openssl dgst -sm3 -verify $T/sm2.pub -signature $T/a.der -sigopt distid:1234567812345678 "$2/synthetic_CEB311_sm2_signedinfo.c14n"
"#;

fn index_accepts(document: &[u8], name: &str) -> bool {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.xml", std::process::id()));
    std::fs::write(&file, document).unwrap();
    let folder = path("");
    let output = Command::new("bash").args(["-euo", "pipefail", "-c", CHECK, "check"]).arg(&file).arg(folder).output();
    std::fs::remove_file(file).unwrap();
    output.unwrap().status.success()
}

#[test]
fn with_the_published_key_in_the_simulator_our_signature_of_the_published_message_verifies() {
    let name = "with_the_published_key_in_the_simulator_our_signature_of_the_published_message_verifies";
    if let Some(reason) = sm2_judge::missing() {
        return skip(name, &reason);
    }
    let (simulator, certificate) = vector_shield();
    // The certificate is self-signed, and an authority's by its own word.
    let rule = "[[customs.issuer]]\nunit = \"Synthetic Trading Co\"\nallow_ca = true\n";
    let profile = shared_shield::Profile::parse(&profile_text(&door(&simulator.readers()), Some(SYNO), true, rule));
    let scanner = Scanner::new()
        .profile(Arc::new(profile.unwrap()))
        .clock(Arc::new(FixedClock(SystemTime::UNIX_EPOCH + NEW_YEAR)))
        .readers(simulator.readers());
    let scan = scanner.scan(&Wait::default()).unwrap();
    let shield = scan.for_role(Role::Customs, &any()).unwrap();
    let vector = read("synthetic_CEB311_sm2.xml");
    let at = vector.windows(14).position(|w| w == b"<ds:Signature ").unwrap();
    let end = vector.windows(15).position(|w| w == b"</ds:Signature>").unwrap() + 15;
    let unsigned = [&vector[..at], &vector[end..]].concat();
    let judge = Judge::of(certificate.der());
    assert!(index_accepts(&vector, "vector") && judge.accepts_declaration(&vector), "the judges know the vector");
    for n in 0..3 {
        let (mut out, request) = (Vec::new(), Request::declaration(Content::bytes(unsigned.clone())));
        shield.sign(request, &mut typist(pin(Role::Customs), &mut 0), &Wait::default(), &mut out).unwrap();
        assert!(index_accepts(&out, &format!("ours-{n}")) && judge.accepts_declaration(&out));
        // SM2 signatures differ each time; everything else is the vector's, to the octet.
        let value = |document: &[u8]| {
            let text = String::from_utf8(document.to_vec()).unwrap();
            let (before, rest) = text.split_once("<ds:SignatureValue>").unwrap();
            let (value, after) = rest.split_once("</ds:SignatureValue>").unwrap();
            (before.to_owned(), value.to_owned(), after.to_owned())
        };
        let (ours, published) = (value(&out), value(&vector));
        assert_eq!((&ours.0, &ours.2), (&published.0, &published.2));
        assert_ne!(ours.1, published.1);
        assert!(!judge.accepts_declaration(&changed(&out, b"<ceb:guid>0")), "one octet of the message changed");
    }
}
