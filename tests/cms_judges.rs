//! Messages of ours before openssl, and openssl's before our verifier.

#[path = "support/cms_kit.rs"]
mod cms_kit;

use cms_kit::{changed, desk, file, find, openssl, openssl_verify, output, run, verify, verify_detached};
use der::asn1::AnyRef;
use der::{Decode, Encode, Reader, SliceReader, Tag};
use shared_shield::format::Format;
use shared_shield::{CmsOptions, Content, ErrorKind, FindingKind, Verdict};

const DOCUMENT: &[u8] = "付款给 合成贸易有限公司\r\n金额 1234.50\n\0\x1a 末尾".as_bytes();

fn shapes() -> Vec<(CmsOptions, bool, bool)> {
    let mut shapes = Vec::new();
    for (detached, options) in [(false, CmsOptions::attached()), (true, CmsOptions::detached())] {
        for (bare, options) in [(false, options), (true, options.without_attributes())] {
            shapes.push((options, detached, bare));
            shapes.push((options.pem(), detached, bare));
        }
    }
    shapes
}

#[test]
fn openssl_accepts_every_shape_we_sign_and_refuses_one_octet_changed() {
    let mut judged = 0;
    for identity in [&desk().p256, &desk().rsa, &desk().bmp] {
        for (options, detached, bare) in shapes() {
            let message = identity.sign(options, &Content::bytes(DOCUMENT)).unwrap();
            let flags: &[&str] = if bare { &[] } else { &["-cades"] };
            let document = file(DOCUMENT);
            let document = detached.then_some(document.as_path());
            let got = openssl_verify(&message, document, flags);
            assert_eq!(got.as_deref(), Ok(DOCUMENT), "{} {options:?}", identity.name);

            // The signature stands at the end; in PEM some letters before the armour's last line.
            let end = if message.starts_with(b"-----BEGIN") { message.len() - 40 } else { message.len() - 1 };
            let refused = openssl_verify(&changed(&message, end), document, flags);
            assert!(refused.is_err(), "{} {options:?}: a changed signature passed", identity.name);
            if detached {
                let other = file(&changed(DOCUMENT, 7));
                openssl_verify(&message, Some(&other), flags).expect_err("a changed document passed");
            } else if !message.starts_with(b"-----BEGIN") {
                let other = changed(&message, find(&message, DOCUMENT) + 7);
                openssl_verify(&other, None, flags).expect_err("a changed content passed");
            }
            judged += 1;
        }
    }
    assert_eq!(judged, 24);
}

#[test]
fn our_verifier_accepts_our_own_messages_in_every_shape() {
    for identity in [&desk().p256, &desk().rsa, &desk().bmp] {
        for (options, detached, bare) in shapes() {
            let message = identity.sign(options, &Content::bytes(DOCUMENT)).unwrap();
            let report = if detached { verify_detached(DOCUMENT, &message) } else { verify(&message) }.unwrap();
            assert_eq!(report.verdict(), Verdict::SignatureOnly, "{options:?} {:?}", report.findings);
            assert_eq!(report.signer.as_ref(), Some(&identity.certificate));
            assert_eq!(report.suite, Some(identity.suite));
            assert_eq!(report.has(FindingKind::NoAttributes), bare);
            assert_eq!(report.has(FindingKind::SigningTime), !bare);
            assert!(!report.has(FindingKind::NotDer) && !report.has(FindingKind::VersionOther));
            if !detached {
                let mut content = Vec::new();
                shared_shield::format::cms::content(&Content::bytes(message), &mut content).unwrap();
                assert_eq!(content, DOCUMENT);
            }
        }
    }
}

#[test]
fn our_verifier_accepts_what_openssl_signs_and_refuses_one_octet_changed() {
    let document = file(DOCUMENT);
    let mut judged = 0;
    for identity in [&desk().p256, &desk().rsa] {
        for attributes in [&[][..], &["-cades"], &["-noattr"], &["-keyid"], &["-nosmimecap", "-cades", "-keyid"]] {
            for form in [
                &["-outform", "DER"][..],
                &["-outform", "PEM"],
                &["-outform", "DER", "-stream"],
                &["-outform", "PEM", "-stream"],
            ] {
                for detached in [true, false] {
                    // openssl's streamed messages hold their content always.
                    if detached && form.contains(&"-stream") {
                        continue;
                    }
                    let place: &[&str] = if detached { &[] } else { &["-nodetach"] };
                    let message = identity.openssl_sign(&document, &[attributes, form, place].concat());
                    let judge = |message: &[u8], document: &[u8]| {
                        if detached { verify_detached(document, message) } else { verify(message) }
                    };
                    let case = format!("{} {attributes:?} {form:?} {place:?}", identity.name);
                    let report = judge(&message, DOCUMENT).unwrap_or_else(|e| panic!("{case}: {e}"));
                    assert_eq!(report.verdict(), Verdict::SignatureOnly, "{case}: {:?}", report.findings);
                    assert_eq!(report.has(FindingKind::NotDer), form.contains(&"-stream"), "{case}");
                    assert_eq!(report.has(FindingKind::NoAttributes), attributes.contains(&"-noattr"));
                    let cades = !attributes.contains(&"-cades") && !attributes.contains(&"-noattr");
                    assert_eq!(report.has(FindingKind::SigningCertificateAbsent), cades, "{case}");

                    let bare = attributes.contains(&"-noattr");
                    let wrong = if bare { FindingKind::SignatureWrong } else { FindingKind::DigestWrong };
                    if detached {
                        let report = judge(&message, &changed(DOCUMENT, 3)).unwrap();
                        assert!(report.has(wrong) && report.verdict() == Verdict::Invalid, "{case}");
                    } else if form.contains(&"DER") {
                        let report = judge(&changed(&message, find(&message, DOCUMENT) + 3), DOCUMENT).unwrap();
                        assert!(report.has(wrong) && report.verdict() == Verdict::Invalid, "{case}");
                    }
                    judged += 1;
                }
            }
        }
    }
    assert_eq!(judged, 60);
}

/// Takes DER apart and puts it together again: minimal definite lengths, SET OF in order. Constructed context tags hold a SET OF
/// (signed attributes, certificates) or a single value.
fn rebuilt(octets: &[u8]) -> der::Result<Vec<u8>> {
    let value = AnyRef::from_der(octets)?;
    let tag = der::Tagged::tag(&value);
    if !tag.is_constructed() {
        return value.to_der();
    }
    let mut reader = SliceReader::new(value.value())?;
    let mut parts = Vec::new();
    while !reader.is_finished() {
        parts.push(rebuilt(reader.tlv_bytes()?)?);
    }
    if tag != Tag::Sequence {
        parts.sort();
    }
    AnyRef::new(tag, &parts.concat())?.to_der()
}

#[test]
fn our_messages_are_strict_der_with_sets_in_order() {
    for identity in [&desk().p256, &desk().rsa, &desk().bmp] {
        for (options, ..) in shapes() {
            let message = identity.sign(options, &Content::bytes(DOCUMENT)).unwrap();
            if message.starts_with(b"-----BEGIN") {
                continue;
            }
            assert_eq!(rebuilt(&message).unwrap(), message, "{} {options:?}", identity.name);
            let mut parse = openssl(&desk().folder);
            let shown = run(parse.args(["asn1parse", "-inform", "DER", "-in"]).arg(file(&message)));
            let shown = String::from_utf8_lossy(&shown);
            assert!(shown.contains(":pkcs7-signedData") && shown.contains("SET"), "{shown}");
            assert!(!shown.contains("l=inf") && !shown.contains(":BAD ") && !shown.contains("Error"), "{shown}");
        }
    }
    // The same check sees what is not DER: openssl's streamed message, and two attributes that changed places.
    let document = file(DOCUMENT);
    let streamed = desk().p256.openssl_sign(&document, &["-nodetach", "-stream", "-outform", "DER"]);
    assert!(rebuilt(&streamed).is_err());
    let unsorted = [0x31, 0x06, 0x02, 0x01, 0x02, 0x02, 0x01, 0x01];
    assert_ne!(rebuilt(&unsorted).unwrap(), unsorted);
}

#[test]
fn names_written_as_bmp_string_keep_their_octets() {
    let identity = &desk().bmp;
    let issuer = {
        let certificate = der::Document::from_pem(&std::fs::read_to_string(&identity.pem).unwrap()).unwrap().1;
        let parsed = x509_cert::Certificate::from_der(certificate.as_bytes()).unwrap();
        assert_eq!(certificate.as_bytes(), identity.certificate.der());
        parsed.tbs_certificate().issuer().to_der().unwrap()
    };
    let bmp: Vec<u8> = "合成贸易".encode_utf16().flat_map(u16::to_be_bytes).collect();
    find(&issuer, &bmp);
    let message = identity.sign(CmsOptions::detached(), &Content::bytes(DOCUMENT)).unwrap();
    let copies = message.windows(issuer.len()).filter(|w| *w == issuer).count();
    assert_eq!(copies, 4, "issuer and subject of the certificate, signing-certificate-v2, signer identifier");
}

#[test]
fn the_signing_time_is_utc_time_until_2049_and_generalized_time_after() {
    let identity = &desk().p256;
    for (seconds, expected) in [
        (1_798_761_599_u64, &b"\x17\x0d261231235959Z"[..]),
        (2_524_607_999, b"\x17\x0d491231235959Z"),
        (2_524_608_000, b"\x18\x0f20500101000000Z"),
    ] {
        let mut context = identity.context();
        context.now = std::time::UNIX_EPOCH + std::time::Duration::new(seconds, 999_999_999);
        let format = CmsOptions::detached().format();
        let prepared = format.prepare(&Content::bytes(DOCUMENT), &identity.certificate, &context).unwrap();
        find(prepared.tbs.message.as_deref().unwrap(), expected);
    }
}

#[test]
fn a_pushed_digest_signs_the_same_document() {
    let identity = &desk().rsa;
    let digest = shared_shield::DigestAlgorithm::Sha256.of(DOCUMENT).unwrap();
    let pushed = Content::Digest(std::sync::Arc::new(digest));
    let document = file(DOCUMENT);
    let message = identity.sign(CmsOptions::detached(), &pushed).unwrap();
    openssl_verify(&message, Some(&document), &[]).unwrap();
    assert_eq!(verify_detached(DOCUMENT, &message).unwrap().verdict(), Verdict::SignatureOnly);
    assert_eq!(by_digest(&message, &pushed).unwrap().verdict(), Verdict::SignatureOnly);
    let refused = identity.prepare(CmsOptions::attached(), &pushed).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Argument, "{refused}");
    let sm3 = shared_shield::DigestAlgorithm::Sm3.of(DOCUMENT).unwrap();
    let refused = identity.prepare(CmsOptions::detached(), &Content::Digest(std::sync::Arc::new(sm3))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Argument, "{refused}");
}

/// Verifies with nothing but the document's digest.
fn by_digest(message: &[u8], pushed: &Content) -> shared_shield::Result<shared_shield::Report> {
    shared_shield::format::cms::CMS.verify(pushed, Some(message), &cms_kit::no_trust())
}

#[test]
fn without_attributes_a_digest_alone_is_neither_signed_nor_verified() {
    let (identity, bare) = (&desk().rsa, CmsOptions::detached().without_attributes());
    // The document that a thief wants signed: the attributes of a message of his own.
    let wanted = identity.prepare(CmsOptions::detached(), &Content::bytes(DOCUMENT)).unwrap().tbs.message.unwrap();
    for document in [wanted.as_ref(), DOCUMENT] {
        let digest = shared_shield::DigestAlgorithm::Sha256.of(document).unwrap();
        let pushed = Content::Digest(std::sync::Arc::new(digest));
        let refused = identity.prepare(bare, &pushed).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Argument, "{refused}");
        assert!(refused.to_string().contains("without signed attributes"), "{refused}");
    }
    let message = identity.sign(bare, &Content::bytes(DOCUMENT)).unwrap();
    assert_eq!(verify_detached(DOCUMENT, &message).unwrap().verdict(), Verdict::SignatureOnly);
    let digest = shared_shield::DigestAlgorithm::Sha256.of(DOCUMENT).unwrap();
    let refused = by_digest(&message, &Content::Digest(std::sync::Arc::new(digest))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Argument, "{refused}");
    assert!(refused.to_string().contains("without signed attributes"), "{refused}");
}

/// The messages that the C programs verify, on Windows too: both judges take them.
#[test]
fn the_messages_among_the_vectors_are_accepted_by_openssl_and_by_us() {
    let vector = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
        std::fs::read(path).unwrap()
    };
    let order = vector("synthetic_order.txt");
    let document = file(&order);
    for (name, detached) in [
        ("synthetic_cms_attached_rsa.p7m", false),
        ("synthetic_cms_attached_p256.p7m", false),
        ("synthetic_cms_detached_rsa.pem", true),
    ] {
        let message = vector(name);
        let report = if detached { verify_detached(&order, &message) } else { verify(&message) }.unwrap();
        assert!(report.has(FindingKind::SignatureRight) && report.has(FindingKind::DigestRight), "{name}");
        let document = detached.then_some(document.as_path());
        assert_eq!(openssl_verify(&message, document, &["-noverify"]).unwrap(), order, "{name}");
    }
}

#[test]
fn the_judge_itself_refuses_a_message_of_another_authority() {
    let message = desk().p256.sign(CmsOptions::attached(), &Content::bytes(DOCUMENT)).unwrap();
    let mut command = openssl(&desk().folder);
    command.args(["cms", "-verify", "-binary", "-inform", "DER", "-CAfile", "bmp.pem", "-in"]).arg(file(&message));
    assert!(!output(&mut command).status.success());
}
