//! Certificate requests: ours in OpenSSL, OpenSSL's here. SM2, P-256 and RSA.

use std::sync::Arc;

use der::{Decode, Encode};
use shared_shield::cert::{CertificateRequest, RequestBuilder, UnsignedRequest};
use shared_shield::suite::{KeyKind, PublicKey};
use shared_shield::{Certificate, ErrorKind, RawSignature, Suite};

use crate::desk::{DISTID, changed, new_key, oid, sign, sm2, tlv, well};
use crate::kit::{Scratch, certificate, openssl, p256, p256_sign, rsa_sign};

const SUBJECT: &str = "CN=测试操作员 (SYNTHETIC),OU=Synthetic Trading Co,C=CN";
/// BIT STRING: digitalSignature, nonRepudiation.
const USAGE: &[u8] = &[0x03, 0x02, 0x06, 0xC0];
/// UTF8String.
const CHALLENGE: &[u8] = b"\x0c\x09SYNTHETIC";

/// A request for each kind of key, and the signature of that key.
fn ours() -> Vec<(UnsignedRequest, RawSignature)> {
    let (ec, key) = p256();
    let build = |by: &Arc<Certificate>| {
        let builder = RequestBuilder::new(SUBJECT, by.key().unwrap()).unwrap();
        builder.extension("2.5.29.15", true, USAGE).attribute("1.2.840.113549.1.9.7", CHALLENGE).build().unwrap()
    };
    let (sm2, ec, rsa) = (build(&sm2()), build(&ec), build(&certificate("synthetic_rsa_cert.pem")));
    let signatures = [sign(sm2.tbs()), p256_sign(&key, ec.tbs()), rsa_sign(rsa.tbs())];
    [sm2, ec, rsa].into_iter().zip(signatures).collect()
}

/// OpenSSL's verdict on a request's own signature, by what it says: its exit code is 0 either way. Without its option it does not know the
/// identifier of SM2.
fn openssl_takes(request: &[u8], suite: Suite) -> bool {
    let scratch = Scratch::new();
    let file = scratch.file("request.der", request);
    let mut arguments = vec!["req", "-verify", "-noout", "-inform", "DER", "-in", &file];
    let said = |arguments: &[&str]| String::from_utf8_lossy(&openssl(arguments, b"").stderr).contains("verify OK");
    if suite == Suite::Sm2Sm3 {
        assert!(!said(&arguments), "the identifier was of no use");
        arguments.extend(["-vfyopt", DISTID]);
    }
    said(&arguments)
}

#[test]
fn requests_that_are_built_here_verify_in_openssl() {
    for (request, signature) in ours() {
        let suite = request.tbs().suite;
        let info = request.tbs().message.clone().unwrap();
        assert!(request.tbs().display.as_ref().unwrap().text.starts_with("certificate request for the "));
        let finished = request.finish(&signature).unwrap();
        assert!(openssl_takes(finished.der(), suite), "{suite}");
        for place in [20, finished.der().len() - 1] {
            assert!(!openssl_takes(&changed(finished.der(), place), suite), "{suite}, octet {place}");
        }
        assert_eq!(finished.check_signature(), Ok(()));
        assert!(finished.der().windows(info.len()).any(|w| *w == *info), "what was signed stands in it");
        // The parameters are absent for the curves and NULL for RSA.
        let algorithm = match suite {
            Suite::Sm2Sm3 => tlv(0x30, &[&oid("1.2.156.10197.1.501")]),
            Suite::P256Sha256 => tlv(0x30, &[&oid("1.2.840.10045.4.3.2")]),
            _ => tlv(0x30, &[&oid("1.2.840.113549.1.1.11"), &[5, 0]]),
        };
        assert!(finished.der().windows(algorithm.len()).any(|w| w == algorithm), "{suite}");
        // OpenSSL reads what was asked for.
        let pem = finished.pem().unwrap();
        assert!(pem.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
        let text = openssl(&["req", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus,-esc_msb"], pem.as_bytes());
        let text = String::from_utf8(text.stdout).unwrap();
        for words in ["C=CN,OU=Synthetic Trading Co,CN=测试操作员 (SYNTHETIC)", "Digital Signature", "SYNTHETIC"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let again = CertificateRequest::from_pem(pem.as_bytes()).unwrap();
        assert_eq!(again.der(), finished.der());
        assert_eq!(again.extension("2.5.29.15"), Some((true, USAGE)));
        assert_eq!((again.extension("2.5.29.17"), again.subject().unit()), (None, Some("Synthetic Trading Co")));
        assert!(!format!("{again:?}").contains("SYNTHETIC"), "no name in a log");
    }
}

#[test]
fn a_signature_of_another_key_or_suite_finishes_no_request() {
    let all = ours();
    let kind = |request: usize, signature: &RawSignature| {
        all[request].0.clone().finish(signature).map(|_| ()).map_err(|e| e.kind())
    };
    assert_eq!(kind(0, &all[0].1), Ok(()));
    let mut octets = all[0].1.octets().to_vec();
    octets[40] ^= 1;
    let flipped = RawSignature::new(Suite::Sm2Sm3, octets).unwrap();
    assert_eq!(kind(0, &flipped), Err(ErrorKind::SignatureWrong));
    assert_eq!(kind(0, &all[1].1), Err(ErrorKind::KeyUnsuited));
    assert_eq!(kind(2, &all[1].1), Err(ErrorKind::KeyUnsuited));
}

#[test]
fn requests_by_openssl_are_read_and_their_signatures_checked() {
    let scratch = Scratch::new();
    let sm2_key = new_key(&scratch, "sm2.key");
    let new_ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"];
    let ec_key = scratch.path("ec.key");
    let rsa_key = crate::kit::path_text("synthetic_rsa_throwaway.key");
    let cases: [(&[&str], KeyKind); 3] = [
        (&["-sm3", "-sigopt", DISTID, "-key", &sm2_key], KeyKind::Sm2),
        (&[&new_ec[..], &[ec_key.as_str()]].concat(), KeyKind::P256),
        (&["-key", &rsa_key], KeyKind::Rsa { bits: 2048 }),
    ];
    for (key, kind) in cases {
        let common = ["req", "-new", "-utf8", "-subj", "/C=CN/O=合成贸易有限公司/CN=Test Operator", "-outform", "DER"];
        let usage = ["-addext", "keyUsage=critical,digitalSignature,nonRepudiation"];
        let der = well(&[&common[..], &usage, key].concat());
        let request = CertificateRequest::from_der(&der).unwrap();
        assert_eq!(request.check_signature(), Ok(()), "{kind}");
        assert_eq!((request.key().unwrap().kind(), request.subject().common_name()), (kind, Some("Test Operator")));
        assert_eq!(request.subject().organisation(), Some("合成贸易有限公司"));
        assert_eq!(request.extension("2.5.29.15"), Some((true, USAGE)));
        // Any octet: it cannot be read, or its signature is wrong.
        let mut read = 0;
        for place in 0..der.len() {
            if let Ok(other) = CertificateRequest::from_der(&changed(&der, place)) {
                read += 1;
                assert!(other.check_signature().is_err(), "{kind}, octet {place}");
            }
        }
        assert!(read > 60, "{kind}: {read}");
        for length in 0..der.len() {
            let error = CertificateRequest::from_der(&der[..length]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DocumentMalformed);
        }
    }
    // Signed under OpenSSL's own identifier, which is empty.
    let empty = well(&["req", "-new", "-sm3", "-key", &sm2_key, "-subj", "/CN=x", "-outform", "DER"]);
    let refused = CertificateRequest::from_der(&empty).unwrap().check_signature();
    assert_eq!(refused, Err("its signature is not that of its key"));
}

#[test]
fn a_certificate_is_issued_on_our_request_and_renewed_under_the_same_name() {
    let (scratch, ca) = (Scratch::new(), Scratch::new());
    let (request, signature) = ours().remove(0);
    let finished = request.finish(&signature).unwrap();
    let file = scratch.file("request.pem", finished.pem().unwrap().as_bytes());
    let (ca_key, ca_pem, out) = (new_key(&ca, "ca.key"), ca.path("ca.pem"), scratch.path("issued.pem"));
    let self_signed = ["req", "-x509", "-sm3", "-sigopt", DISTID, "-key", &ca_key, "-subj", "/CN=CA (SYNTHETIC)"];
    well(&[&self_signed[..], &["-days", "30", "-out", &ca_pem]].concat());
    let issue = ["x509", "-req", "-sm3", "-sigopt", DISTID, "-vfyopt", DISTID, "-in", &file, "-CA", &ca_pem];
    well(&[&issue[..], &["-CAkey", &ca_key, "-set_serial", "7", "-days", "30", "-out", &out]].concat());
    let issued = Certificate::from_pem(&std::fs::read(out).unwrap()).unwrap();
    assert_eq!(issued.key().unwrap().spki(), sm2().key().unwrap().spki());
    assert_eq!(issued.subject(), finished.subject());

    let (ec, key) = p256();
    let renewal = RequestBuilder::renewing(&issued, ec.key().unwrap()).build().unwrap();
    let renewed = renewal.clone().finish(&p256_sign(&key, renewal.tbs())).unwrap();
    let inner = x509_cert::Certificate::from_der(issued.der()).unwrap();
    let subject = inner.tbs_certificate().subject().to_der().unwrap();
    assert_eq!(renewed.subject(), issued.subject());
    assert!(renewed.der().windows(subject.len()).any(|w| w == subject), "octet for octet");
    assert!(openssl_takes(renewed.der(), Suite::P256Sha256));
}

#[test]
fn what_cannot_be_asked_for_is_refused_before_a_key_is_asked() {
    let by = sm2();
    let key = by.key().unwrap();
    for wrong in ["", "no name", "CN", "CN=", "C=中国,CN=x", "X.Y=1", "CN=\\FF"] {
        let error = RequestBuilder::new(wrong, key).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "{wrong}");
    }
    let error = RequestBuilder::new("C=中国,CN=Test Operator", key).unwrap_err();
    assert!(!error.to_string().contains("Test Operator"), "no name in an error: {error}");
    let builder = || RequestBuilder::new(SUBJECT, key).unwrap();
    let usage = |b: RequestBuilder| b.extension("2.5.29.15", true, USAGE);
    let large = [&[0x0C, 0x82, 0x40, 0x00][..], &[b'x'; 0x4000]].concat();
    for wrong in [
        builder().extension("no oid", true, USAGE),
        builder().extension("2.5.29.15", true, b""),
        builder().extension("2.5.29.15", true, &[USAGE, b"x"].concat()),
        usage(usage(builder())),
        builder().attribute("1.2.840.113549.1.9.7", &CHALLENGE[1..]),
        builder().attribute("1.2", CHALLENGE).attribute("1.2", CHALLENGE),
        // The attribute that holds the extensions is the builder's own.
        usage(builder()).attribute("1.2.840.113549.1.9.14", &[0x30, 0x00]),
        builder().attribute("1.2.840.113549.1.9.7", &large),
    ] {
        assert_eq!(wrong.build().unwrap_err().kind(), ErrorKind::Argument);
    }
    let old = well(&["genrsa", "1024"]);
    let old = openssl(&["rsa", "-pubout", "-outform", "DER"], &old).stdout;
    let old = PublicKey::from_spki(&old).unwrap();
    let error = RequestBuilder::new(SUBJECT, &old).unwrap().build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyUnsuited);

    let kind = |pem: &str| CertificateRequest::from_pem(pem.as_bytes()).map(|_| ()).map_err(|e| e.kind());
    let (request, signature) = ours().remove(0);
    let pem = request.finish(&signature).unwrap().pem().unwrap();
    assert_eq!(kind(&pem), Ok(()));
    assert_eq!(kind(&pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")), Ok(()));
    assert_eq!(kind(&pem.replace("CERTIFICATE REQUEST", "CERTIFICATE")), Err(ErrorKind::DocumentMalformed));
    assert_eq!(kind(&pem[..pem.len() / 2]), Err(ErrorKind::DocumentMalformed));
    assert_eq!(kind(&"x".repeat(2 << 20)), Err(ErrorKind::DocumentMalformed));
}
