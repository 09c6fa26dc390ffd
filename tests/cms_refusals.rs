//! Messages that are cut short, of another kind, or ask for what is not known: each is told as such.

#[path = "support/cms_bent.rs"]
mod cms_bent;
#[path = "support/cms_kit.rs"]
mod cms_kit;

use std::sync::Arc;

use cms_bent::{Bent, DOCUMENT, accepted, oid, refused, tlv};
use cms_kit::{Identity, desk, file, find, fresh, no_trust, openssl, openssl_verify, run, verify, verify_detached};
use der::Encode;
use der::asn1::Any;
use shared_shield::format::Format;
use shared_shield::format::cms::CMS;
use shared_shield::{
    Certificate, CmsOptions, Content, DigestAlgorithm, ErrorKind, FindingKind, Suite, Trust, Verdict, VerifyContext,
};

#[test]
fn octets_after_the_message_are_refused() {
    let message = desk().p256.sign(CmsOptions::attached(), &Content::bytes(DOCUMENT)).unwrap();
    refused(&verify(&[message.as_slice(), b"\n"].concat()).unwrap(), FindingKind::TrailingOctets);
    let document = file(DOCUMENT);
    let streamed = desk().p256.openssl_sign(&document, &["-nodetach", "-stream", "-outform", "DER"]);
    accepted(&streamed);
    refused(&verify(&[streamed.as_slice(), b"x"].concat()).unwrap(), FindingKind::TrailingOctets);
}

#[test]
fn a_message_cut_short_anywhere_is_told_as_such() {
    let identity = &desk().p256;
    let message = identity.sign(CmsOptions::attached(), &Content::bytes(DOCUMENT)).unwrap();
    for end in 2..message.len() {
        let refused = verify(&message[..end]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::MessageTruncated, "at {end}: {refused}");
    }
    let streamed = identity.openssl_sign(&file(DOCUMENT), &["-nodetach", "-stream", "-outform", "DER"]);
    for end in 2..streamed.len() {
        let refused = verify(&streamed[..end]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::MessageTruncated, "streamed, at {end}: {refused}");
    }
    let pem = identity.sign(CmsOptions::attached().pem(), &Content::bytes(DOCUMENT)).unwrap();
    for end in 0..pem.len() - 1 {
        let kind = verify(&pem[..end]).unwrap_err().kind();
        let inside = ("-----BEGIN ".len()..find(&pem, b"-----END ")).contains(&end);
        let right = kind == ErrorKind::MessageTruncated || (!inside && kind == ErrorKind::SignatureMalformed);
        assert!(right, "PEM, at {end}: {kind:?}");
    }
    accepted(&pem[..pem.len() - 1]);
}

#[test]
fn other_types_of_cms_are_named() {
    let folder = &desk().folder;
    let document = file(DOCUMENT);
    let key = "00112233445566778899aabbccddeeff";
    let made = |options: &[&str]| {
        run(openssl(folder).arg("cms").args(options).args(["-binary", "-outform", "DER", "-in"]).arg(&document))
    };
    for (message, name) in [
        (
            run(openssl(folder)
                .args(["cms", "-encrypt", "-binary", "-outform", "DER", "-in"])
                .arg(&document)
                .arg("rsa.pem")),
            "EnvelopedData",
        ),
        (made(&["-digest_create", "-md", "sha256"]), "DigestedData"),
        (made(&["-EncryptedData_encrypt", "-aes128", "-secretkey", key]), "EncryptedData"),
        (made(&["-data_create"]), "Data"),
    ] {
        let refused = verify(&message).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::MessageType, "{refused}");
        assert!(refused.to_string().contains(name), "{refused}");
        assert_eq!(verify_detached(DOCUMENT, &message).unwrap_err().kind(), ErrorKind::MessageType);
    }
}

#[test]
fn several_signers_are_refused() {
    let desk = desk();
    let document = file(DOCUMENT);
    let second =
        |identity: &Identity| [identity.pem.clone(), identity.key.clone()].map(|p| p.to_string_lossy().into_owned());
    let [certificate, key] = second(&desk.rsa);
    let two = ["-outform", "DER", "-nodetach", "-signer", &certificate, "-inkey", &key];
    let message = desk.p256.openssl_sign(&document, &two);
    openssl_verify(&message, None, &[]).unwrap();
    refused(&verify(&message).unwrap(), FindingKind::SeveralSigners);

    let one = desk.p256.openssl_sign(&document, &["-outform", "DER", "-nodetach"]);
    let none =
        run(openssl(&desk.folder).args(["crl2pkcs7", "-nocrl", "-outform", "DER", "-certfile"]).arg(&desk.p256.pem));
    accepted(&one);
    refused(&verify_detached(DOCUMENT, &none).unwrap(), FindingKind::NoSignature);
}

#[test]
fn unknown_algorithms_are_named() {
    let document = file(DOCUMENT);
    for identity in [&desk().p256, &desk().rsa] {
        for (md, number) in [("sha512", "2.16.840.1.101.3.4.2.3"), ("sha1", "1.3.14.3.2.26")] {
            let message = identity.openssl_sign(&document, &["-outform", "DER", "-nodetach", "-md", md]);
            let report = verify(&message).unwrap();
            refused(&report, FindingKind::IdentifierUnknown);
            assert!(report.findings.iter().any(|f| f.to_string().contains(number)), "{:?}", report.findings);
        }
    }
    let pss = ["-outform", "DER", "-nodetach", "-keyopt", "rsa_padding_mode:pss"];
    let report = verify(&desk().rsa.openssl_sign(&document, &pss)).unwrap();
    refused(&report, FindingKind::IdentifierUnknown);
    let judge =
        |identity, algorithm| verify(&Bent { algorithm: Some(algorithm), ..Bent::new(identity) }.message()).unwrap();
    let null = Any::null().to_der().unwrap();
    let sha256_with_rsa = || tlv(0x30, &[&oid("1.2.840.113549.1.1.11"), &null]);
    assert_eq!(judge(&desk().rsa, sha256_with_rsa()).verdict(), Verdict::SignatureOnly);
    refused(&judge(&desk().p256, sha256_with_rsa()), FindingKind::KeyMismatch);
    refused(&judge(&desk().rsa, tlv(0x30, &[&oid("1.2.840.10045.4.3.2")])), FindingKind::KeyMismatch);
    refused(&judge(&desk().p256, tlv(0x30, &[&oid("1.2.156.10197.1.501")])), FindingKind::IdentifiersMixed);
    refused(&judge(&desk().p256, tlv(0x30, &[&oid("1.2.156.10197.1.502")])), FindingKind::IdentifierUnknown);
    let odd = tlv(0x30, &[&oid("1.2.840.113549.1.1.1"), &[2, 1, 1]]);
    refused(&judge(&desk().rsa, odd), FindingKind::IdentifierUnknown);
}

#[test]
fn a_message_without_a_certificate_needs_one_from_the_caller() {
    let identity = &desk().p256;
    let message = identity.openssl_sign(&file(DOCUMENT), &["-outform", "DER", "-nodetach", "-nocerts"]);
    refused(&verify(&message).unwrap(), FindingKind::CertificateMissing);
    let judge = |certificate| {
        let mut context = no_trust();
        context.certificate = Some(certificate);
        CMS.verify(&Content::bytes(message.as_slice()), None, &context).unwrap()
    };
    assert_eq!(judge(Arc::clone(&identity.certificate)).verdict(), Verdict::SignatureOnly);
    refused(&judge(Arc::clone(&desk().rsa.certificate)), FindingKind::CertificateMissing);
}

#[test]
fn a_message_with_another_certificate_than_the_callers_is_refused_and_both_are_named() {
    let identity = &desk().p256;
    let own = Arc::clone(&identity.certificate);
    for options in [CmsOptions::attached(), CmsOptions::attached().without_attributes()] {
        let message = identity.sign(options, &Content::bytes(DOCUMENT)).unwrap();
        let judge = |given: &Arc<Certificate>| {
            // Trusted, so that nothing but the other certificate stands against the message.
            let trust = Trust::Pinned(vec![own.fingerprint()]);
            let context = VerifyContext { certificate: Some(Arc::clone(given)), trust, ..no_trust() };
            CMS.verify(&Content::bytes(message.as_slice()), None, &context).unwrap()
        };
        assert_eq!(judge(&own).verdict(), Verdict::Valid);
        for given in [&desk().rsa.certificate, &desk().bmp.certificate, &same_name_other_key(identity)] {
            let report = judge(given);
            refused(&report, FindingKind::CertificateNotTheGiven);
            let said = report.findings.iter().find(|f| f.kind == FindingKind::CertificateNotTheGiven).unwrap();
            assert_eq!(said.expected.as_deref(), Some(&*given.fingerprint().to_string()));
            assert_eq!(said.found.as_deref(), Some(&*own.fingerprint().to_string()));
        }
    }
}

/// Issuer name and serial number of an identity, which is all that a message says of its signer, on a key of somebody else.
fn same_name_other_key(of: &Identity) -> Arc<Certificate> {
    let (folder, pem) = (&desk().folder, fresh("pem"));
    run(openssl(folder)
        .args(["x509", "-req", "-in", "rsa.csr", "-CA", "CA.pem", "-CAkey", "CA.key", "-days", "30"])
        .args(["-set_serial", "0x1234", "-extfile", "p256.cnf", "-extensions", "leaf", "-out"])
        .arg(&pem));
    let made = Certificate::from_pem(&std::fs::read(pem).unwrap()).unwrap();
    assert_eq!((made.issuer(), made.number()), (of.certificate.issuer(), of.certificate.number()));
    Arc::new(made)
}

#[test]
fn a_document_missing_or_given_twice_is_told_as_such() {
    let identity = &desk().p256;
    let detached = identity.sign(CmsOptions::detached(), &Content::bytes(DOCUMENT)).unwrap();
    refused(&verify(&detached).unwrap(), FindingKind::DocumentAbsent);
    let attached = identity.sign(CmsOptions::attached(), &Content::bytes(DOCUMENT)).unwrap();
    refused(&verify_detached(DOCUMENT, &attached).unwrap(), FindingKind::DocumentTwice);
    refused(&verify_detached(b"other", &attached).unwrap(), FindingKind::DocumentTwice);
    let content = shared_shield::format::cms::content(&Content::bytes(detached), &mut Vec::new());
    assert_eq!(content.unwrap_err().kind(), ErrorKind::Argument);
}

#[test]
fn what_is_no_message_at_all_is_told_as_such() {
    let certificate = std::fs::read(&desk().p256.pem).unwrap();
    let empty: &[u8] = &[];
    for octets in
        [empty, b"\x30", b"0", b"%PDF-1.7", b"<xml/>", &certificate, desk().p256.certificate.der(), &[0x30, 0x80]]
    {
        let refused = verify(octets).unwrap_err();
        let kinds = [ErrorKind::MessageTruncated, ErrorKind::SignatureMalformed];
        assert!(kinds.contains(&refused.kind()), "{octets:02x?}: {refused}");
    }
    let digest = Content::Digest(Arc::new(DigestAlgorithm::Sha256.of(b"x").unwrap()));
    assert_eq!(CMS.verify(&digest, None, &no_trust()).unwrap_err().kind(), ErrorKind::Argument);
}

#[test]
fn random_damage_never_panics() {
    let identity = &desk().rsa;
    let document = file(DOCUMENT);
    let messages = [
        identity.sign(CmsOptions::attached(), &Content::bytes(DOCUMENT)).unwrap(),
        identity.sign(CmsOptions::attached().pem(), &Content::bytes(DOCUMENT)).unwrap(),
        identity.openssl_sign(&document, &["-nodetach", "-stream", "-outform", "DER"]),
    ];
    // A fixed generator (xorshift64*), so that a failure can be seen again.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        usize::try_from(state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % below
    };
    for _ in 0..4_000 {
        let mut copy = messages[next(messages.len())].clone();
        for _ in 0..=next(4) {
            let place = next(copy.len());
            match next(4) {
                0 => copy[place] = u8::try_from(next(256)).unwrap(),
                1 => copy.truncate(place + 1),
                2 => copy.insert(place, [0x00, 0x30, 0x80, 0xA0, 0xFF][next(5)]),
                _ => drop(copy.drain(place..copy.len().min(place + 1 + next(16)))),
            }
            if copy.is_empty() {
                copy.push(0x30);
            }
        }
        let _ = verify(&copy);
        let _ = verify_detached(DOCUMENT, &copy);
    }
}

#[test]
fn keys_that_cannot_sign_cms_are_refused_before_anything_is_asked() {
    let vector = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
        Arc::new(shared_shield::Certificate::from_pem(&std::fs::read(path).unwrap()).unwrap())
    };
    let prepare = |certificate: &Arc<shared_shield::Certificate>, suites: Vec<Suite>| {
        let context = shared_shield::format::SignContext { suites, ..desk().p256.context() };
        CMS.prepare(&Content::bytes(DOCUMENT), certificate, &context).unwrap_err()
    };
    let sm2 = prepare(&vector("synthetic_sm2_cert.pem"), vec![Suite::P256Sha256]);
    assert_eq!(sm2.kind(), ErrorKind::KeyUnsuited, "{sm2}");
    assert!(sm2.to_string().contains("SM2; the token offers ecdsa-p256-sha256"), "{sm2}");
    let rsa = vector("synthetic_rsa_cert.pem");
    assert_eq!(prepare(&rsa, vec![Suite::RsaSha1]).kind(), ErrorKind::KeyUnsuited);
    assert_eq!(prepare(&desk().p256.certificate, vec![]).kind(), ErrorKind::KeyUnsuited);
    let folder = &desk().folder;
    run(openssl(folder)
        .args(["req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", "old.key", "-out", "old.pem"])
        .args(["-config", "rsa.cnf", "-utf8", "-extensions", "leaf"]));
    let old = Arc::new(shared_shield::Certificate::from_pem(&std::fs::read(folder.join("old.pem")).unwrap()).unwrap());
    assert_eq!(prepare(&old, vec![Suite::RsaSha1, Suite::RsaSha256]).kind(), ErrorKind::KeyUnsuited);
}
