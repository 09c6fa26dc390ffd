//! Login: which octets are signed, what comes out, and what no site gets signed as a login.
#![cfg(all(feature = "rsa", feature = "sm"))]

#[path = "support/customs_kit.rs"]
mod kit;

use base64ct::{Base64, Encoding};
use kit::*;
use shared_shield::format::login::{Challenge, MAX_OCTETS, POST_OUT, SIGNATURE_OUT};
use shared_shield::format::{Format, SignContext};
use shared_shield::verify::Language;
use shared_shield::{
    Content, ErrorKind, FindingKind, Note, Recovery, Report, Request, Role, Suite, ToBeSigned, VerifyContext,
};

const RANDOM: &str = "synthetic_login_random.b64";

fn octets() -> Vec<u8> {
    Challenge::Base64(&text(RANDOM)).octets().unwrap()
}

fn verify(challenge: &[u8], value: &[u8], by: &str, role: Option<Role>) -> Report {
    let context = VerifyContext { role, ..judging(&certificate(by)) };
    SIGNATURE_OUT.verify(&Content::bytes(challenge), Some(value), &context).unwrap()
}

#[test]
fn the_decoded_random_is_signed_as_the_vector_has_it() {
    let (message, value) = sign(&SIGNATURE_OUT, &octets(), &customs()).unwrap();
    assert_eq!((message.len(), message), (32, octets()));
    assert_eq!(String::from_utf8(value.clone()).unwrap(), text("synthetic_login_sig_rsa.b64"));
    let signature = Base64::decode_vec(std::str::from_utf8(&value).unwrap()).unwrap();
    let by = certificate("synthetic_rsa_cert.pem");
    assert!(openssl_judges(&by, "-sha1", &signature, &octets()));
    assert!(!openssl_takes(&by, "-sha1", &signature, text(RANDOM).as_bytes()), "not the text");
    let (_, posted) = sign(&POST_OUT, &octets(), &customs()).unwrap();
    let posted: serde_json::Value = serde_json::from_slice(&posted).unwrap();
    assert_eq!(posted["certNo"], "0123abcd");
    assert_eq!(posted["signData"], text("synthetic_login_sig_rsa.b64"));
}

#[test]
fn each_setting_says_which_octets_are_signed() {
    let encoded = text(RANDOM);
    let wrapped = format!(" {}\r\n{}\n", &encoded[..20], &encoded[20..]);
    assert_eq!(Challenge::Base64(&wrapped).octets().unwrap(), octets());
    assert_eq!(Challenge::Octets(&octets()).octets().unwrap(), octets());
    assert_eq!(Challenge::Text(&encoded).octets().unwrap(), encoded.as_bytes());
    for role in Role::ALL {
        let request = Request::login(role, Challenge::Base64(&encoded)).unwrap();
        assert_eq!((request.role(), request.format()), (role, "login"));
    }
}

#[test]
fn a_challenge_of_a_wrong_length_or_encoding_has_a_kind_of_its_own() {
    use ErrorKind as E;
    let kind = |c: Challenge<'_>| Request::login(Role::Customs, c).map(|_| ()).map_err(|e| e.kind());
    for (challenge, expected) in [
        (Challenge::Octets(&[]), Err(E::ChallengeEmpty)),
        (Challenge::Base64(""), Err(E::ChallengeEmpty)),
        (Challenge::Base64(" \n"), Err(E::ChallengeEmpty)),
        (Challenge::Text(""), Err(E::ChallengeEmpty)),
        (Challenge::Octets(&[7]), Ok(())),
        (Challenge::Octets(&[7; 256]), Ok(())),
        (Challenge::Octets(&[7; 257]), Err(E::ChallengeTooLong)),
        (Challenge::Base64("AAA"), Err(E::ChallengeEncoding)),
        (Challenge::Base64("AAB="), Err(E::ChallengeEncoding)),
        (Challenge::Base64("a_-b"), Err(E::ChallengeEncoding)),
        (Challenge::Base64("随机数"), Err(E::ChallengeEncoding)),
    ] {
        assert_eq!(kind(challenge), expected, "{challenge:?}");
    }
    // The format itself is no way around.
    assert_eq!(refused(&SIGNATURE_OUT, &[], &customs()).0, E::ChallengeEmpty);
    assert_eq!(refused(&SIGNATURE_OUT, &[7; 257], &customs()).0, E::ChallengeTooLong);
    assert_eq!(refused(&SIGNATURE_OUT, &[7; 100_000], &customs()).0, E::ChallengeTooLong);
}

/// SignedAttrs as OpenSSL makes them, in the form in which they are signed (RFC 5652 §5.4).
fn attributes_of_openssl() -> Vec<u8> {
    let scratch = Scratch::new();
    let (document, out) = (scratch.file("document", b"pay 5"), scratch.path("signed.der"));
    let (cert, key) = (path_text("synthetic_rsa_cert.pem"), path_text("synthetic_rsa_throwaway.key"));
    let made = openssl(
        &[
            "cms",
            "-sign",
            "-in",
            &document,
            "-signer",
            &cert,
            "-inkey",
            &key,
            "-outform",
            "DER",
            "-out",
            &out,
            "-nosmimecap",
            "-binary",
        ],
        b"",
    );
    assert!(made.status.success(), "{made:?}");
    let der = std::fs::read(&out).unwrap();
    // [0] IMPLICIT holding first the content type attribute, 1.2.840.113549.1.9.3.
    let content_type = [0x30, 0x18, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x03];
    let at = der.windows(content_type.len()).position(|w| w == content_type).unwrap() - 2;
    assert_eq!(der[at], 0xA0);
    let mut attributes = der[at..at + 2 + usize::from(der[at + 1])].to_vec();
    attributes[0] = 0x31;
    attributes
}

/// CertificationRequestInfo of a P-256 key (RFC 2986 §4.1), as OpenSSL makes it.
fn request_info_of_openssl() -> Vec<u8> {
    let scratch = Scratch::new();
    let (key, out) = (scratch.path("key"), scratch.path("request.der"));
    let made = openssl(
        &[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-subj",
            "/CN=x",
            "-outform",
            "DER",
            "-out",
            &out,
        ],
        b"",
    );
    assert!(made.status.success(), "{made:?}");
    let der = std::fs::read(&out).unwrap();
    // A long header, then a short one.
    assert_eq!((der[1], der[3]), (0x81, 0x30));
    der[3..5 + usize::from(der[4])].to_vec()
}

#[test]
fn what_a_signature_could_be_abused_for_is_refused_for_both_roles() {
    let signed_info = vector("synthetic_CEB311_rsa_signedinfo.c14n")[..256].to_vec();
    let string = vector("synthetic_179_string.txt")[..256].to_vec();
    let (attributes, info) = (attributes_of_openssl(), request_info_of_openssl());
    assert!(attributes.len() <= 256 && info.len() <= 256, "they would fit a login");
    let sha256 = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
    let digest_info = [&sha256[..], &[0xAB; 32]].concat();
    let behind = |before: &[u8], what: &[u8]| [before, &what[..what.len().min(240)]].concat();
    let cases = [
        (signed_info.clone(), "SignedInfo"),
        (b"<".to_vec(), "XML"),
        (b"<\xFF\x00".to_vec(), "XML"),
        (behind(b" \r\n", &signed_info), "SignedInfo"),
        (behind(b"\xEF\xBB\xBF", &signed_info), "SignedInfo"),
        (string.clone(), "announcement 179"),
        (behind(b"\xEF\xBB\xBF\t", &string), "announcement 179"),
        (attributes, "SET OF attributes"),
        (digest_info, "DigestInfo"),
        (info, "certificate request"),
        ([&[b' '; 64][..], b"TLS 1.3, client CertificateVerify\0", &[1; 32]].concat(), "TLS 1.3"),
        (b"{\"amount\":1}".to_vec(), "JSON"),
    ];
    for (challenge, what) in cases {
        let encoded = Base64::encode_string(&challenge);
        for role in Role::ALL {
            for given in [Challenge::Octets(&challenge), Challenge::Base64(&encoded)] {
                let error = Request::login(role, given).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ChallengeDocument, "{challenge:x?}");
                assert!(error.to_string().contains(what), "{what}: {error}");
                assert_eq!(error.recovery(), Recovery::Retry);
                assert_eq!(error.concerns(), Some(role));
            }
        }
        for context in [customs(), bank()] {
            assert_eq!(refused(&SIGNATURE_OUT, &challenge, &context).0, ErrorKind::ChallengeDocument);
        }
    }
}

#[test]
fn randoms_are_refused_by_accident_only_where_they_begin_as_xml() {
    let mut seeded = Seeded(3);
    let (mut refused, mut der) = (0, 0);
    for _ in 0..20_000 {
        let random: Vec<u8> = (0..20).map(|_| u8::try_from(seeded.below(256)).unwrap()).collect();
        let Err(error) = Challenge::Octets(&random).octets() else { continue };
        refused += 1;
        assert_eq!(error.kind(), ErrorKind::ChallengeDocument);
        der += u32::from(matches!(random[0], 0x30 | 0x31));
        assert!(random.contains(&b'<') || matches!(random[0], 0x30 | 0x31), "{random:x?}: {error}");
    }
    // One in 256 begins with <, a few more behind a blank. Two of 65,536 are whole DER by accident.
    assert!((40..160).contains(&refused) && der < 5, "{refused} of 20,000, {der} as DER");
    for _ in 0..2_000 {
        let digits: String = (0..16).map(|_| char::from(b'0' + u8::try_from(seeded.below(10)).unwrap())).collect();
        assert!(Challenge::Text(&digits).octets().is_ok(), "{digits}");
    }
}

#[test]
fn the_prompt_shows_a_challenge_that_is_text_and_nothing_hides_in_it() {
    let by = certificate("synthetic_rsa_cert.pem");
    let shown = |challenge: &[u8], context: &SignContext| {
        let prepared = SIGNATURE_OUT.prepare(&Content::bytes(challenge), &by, context).unwrap();
        prepared.tbs.display.as_ref().unwrap().text.clone()
    };
    assert!(shown(b"pay 100000 to account 1", &bank()).contains("\"pay 100000 to account 1\""));
    let turned = shown("pay \u{202e}001".as_bytes(), &bank());
    assert!(turned.contains("\\u{202e}") && !turned.contains('\u{202e}'), "{turned}");
    // One octet that is no text hides nothing of the rest, and what nobody sees is written as an escape.
    for order in ["pay 100000 to account 1\n", "\u{1}pay 100000 to account 1", "a random\r\npay 100000 to account 1"] {
        assert!(shown(order.as_bytes(), &bank()).contains("pay 100000 to account 1"), "{order:?}");
    }
    let broken = [b"\xFE\xFE\xFEpay 100000 to account 1".as_slice(), &[0xFE; 9]].concat();
    assert!(shown(&broken, &bank()).contains("pay 100000 to account 1"));
    for hidden in ['\u{3164}', '\u{115F}', '\u{2800}', '\u{FFA0}', '\u{34F}', '\u{200B}', '\u{AD}', '\u{2028}'] {
        let text = shown(format!("pay{hidden}1").as_bytes(), &bank());
        assert!(!text.contains(hidden) && text.contains(&format!("\\u{{{:x}}}", u32::from(hidden))), "{text}");
    }
    assert!(shown("付款 1 元 café".as_bytes(), &bank()).contains("\"付款 1 元 café\""));
    let binary = shown(&octets(), &customs());
    assert!(binary.contains("32 octets") && !binary.chars().any(char::is_control), "{binary}");
    assert!(!shown(b"a\x1b[2J", &customs()).contains('\x1b'));
}

#[test]
fn a_login_verifies_as_it_was_signed_and_a_wrong_one_is_explained() {
    use FindingKind as K;
    let customs_role = Some(Role::Customs);
    let rsa = |c: &[u8], value: &[u8], role| verify(c, value, "synthetic_rsa_cert.pem", role);
    let (_, value) = sign(&SIGNATURE_OUT, &octets(), &customs()).unwrap();
    for role in [customs_role, None] {
        let report = rsa(&octets(), &value, role);
        assert_eq!((reasons(&report), report.suite), (vec![], Some(Suite::RsaSha1)), "{:?}", report.findings);
        let mut changed = octets();
        changed[9] ^= 1;
        assert_eq!(reasons(&rsa(&changed, &value, role)), [K::SignatureWrong]);
    }
    let (_, text_value) = sign(&SIGNATURE_OUT, text(RANDOM).as_bytes(), &customs()).unwrap();
    assert_eq!(reasons(&rsa(&octets(), &text_value, customs_role)), [K::SignatureWrong, K::ChallengeAsText]);
    let (_, bank_value) = sign(&SIGNATURE_OUT, &octets(), &bank()).unwrap();
    assert_eq!(reasons(&rsa(&octets(), &bank_value, customs_role)), [K::SignatureWrong, K::OtherHash]);
    assert_eq!(reasons(&rsa(&octets(), &bank_value, Some(Role::Bank))), []);
    assert_eq!(reasons(&rsa(&octets(), &value, Some(Role::Bank))), [K::SignatureWrong, K::OtherHash]);

    let by = certificate("synthetic_sm2_cert.pem");
    let tbs = ToBeSigned::over(Suite::Sm2Sm3, by.key().unwrap(), &octets()).unwrap();
    let signature = sm2_sign(tbs.digest.octets());
    let sm2 = |value: &[u8], role| reasons(&verify(&octets(), value, "synthetic_sm2_cert.pem", role));
    assert_eq!(sm2(signature.octets(), customs_role), []);
    assert!(openssl_judges(&by, "-sm3", &signature.to_wire().unwrap(), &octets()));
    assert_eq!(sm2(&signature.to_wire().unwrap(), customs_role), [K::DerForRaw]);
    assert_eq!(sm2(&signature.to_wire().unwrap(), Some(Role::Bank)), []);
    let plain = shared_shield::DigestAlgorithm::Sm3.of(&octets()).unwrap();
    assert_eq!(sm2(sm2_sign(plain.octets()).octets(), customs_role), [K::SignatureWrong, K::Sm2WithoutZ]);
    // Decoded and signed without Z it would be wrong still: both are told.
    for end in ["", "\n"] {
        let plain = shared_shield::DigestAlgorithm::Sm3.of((text(RANDOM) + end).as_bytes()).unwrap();
        let told = [K::SignatureWrong, K::ChallengeAsText, K::Sm2WithoutZ];
        assert_eq!(sm2(sm2_sign(plain.octets()).octets(), customs_role), told, "{end:?}");
    }
    let plain = shared_shield::DigestAlgorithm::Sm3.of(&[&octets()[..], b"\n"].concat()).unwrap();
    let told = [K::SignatureWrong, K::ContentNewline, K::Sm2WithoutZ];
    assert_eq!(sm2(sm2_sign(plain.octets()).octets(), customs_role), told);

    let document = b"<a/>";
    let key = by.key().unwrap();
    let tbs = ToBeSigned::over(Suite::Sm2Sm3, key, document).unwrap();
    let report = verify(document, sm2_sign(tbs.digest.octets()).octets(), "synthetic_sm2_cert.pem", customs_role);
    assert_eq!(reasons(&report), [K::ChallengeShape], "a right signature over a document is no login");
    let found = report.findings.iter().find(|f| f.kind == K::ChallengeShape).and_then(|f| f.found.clone()).unwrap();
    assert_eq!(&*found, "it begins as XML, such as a SignedInfo");
    assert_eq!(found.of(Language::Chinese), "开头是 XML，例如 SignedInfo");
    let long = rsa(&[7; 300], &value, customs_role);
    assert_eq!(reasons(&long), [K::ChallengeShape]);
    assert_eq!(long.findings[0].found.as_ref().unwrap().of(Language::Chinese), "超过 256 字节");
}

/// The text is what stands in the file: which octets it stands for is for the report to say, also where they are no challenge.
#[test]
fn a_challenge_in_base64_is_told_however_long_it_is_and_for_whomever() {
    use FindingKind as K;
    let rsa = |c: &[u8], value: &[u8]| verify(c, value, "synthetic_rsa_cert.pem", Some(Role::Customs));
    for length in [1_u8, 192, 193, 255] {
        let random: Vec<u8> = (0..length).map(|o| 255 - o).collect();
        let encoded = Base64::encode_string(&random);
        let lines = encoded.as_bytes().chunks(64).collect::<Vec<_>>().join(&b"\r\n"[..]);
        let (_, value) = sign(&SIGNATURE_OUT, &random, &customs()).unwrap();
        let (_, other) = sign(&SIGNATURE_OUT, b"another", &customs()).unwrap();
        for text in [encoded.as_bytes(), &lines] {
            let report = rsa(text, &value);
            assert_eq!(
                (reasons(&report), report.has(K::ChallengeIsBase64)),
                (vec![K::SignatureWrong], true),
                "{length}"
            );
            let long = text.len() > MAX_OCTETS;
            let told = if long { K::ChallengeShape } else { K::SignatureWrong };
            let report = rsa(text, &other);
            assert_eq!((reasons(&report), report.has(K::ChallengeIsBase64)), (vec![told], false), "{length}");
        }
    }
    // What stands for no challenge is none: too long decoded, or a document.
    for octets in [&[7; 257][..], &[&b"<a/>"[..], &[b' '; 200]].concat()] {
        let (encoded, by) = (Base64::encode_string(octets), certificate("synthetic_sm2_cert.pem"));
        let tbs = ToBeSigned::over(Suite::Sm2Sm3, by.key().unwrap(), octets).unwrap();
        let value = sm2_sign(tbs.digest.octets());
        let report = verify(encoded.as_bytes(), value.octets(), "synthetic_sm2_cert.pem", Some(Role::Customs));
        assert_eq!(reasons(&report), [K::ChallengeShape]);
        assert_eq!(Challenge::Base64(&encoded).decoded().unwrap(), octets);
        assert!(Challenge::Base64(&encoded).octets().is_err());
    }
    assert_eq!(Challenge::Base64("AAA").decoded().unwrap_err().kind(), ErrorKind::ChallengeEncoding);
    // That a signed text may have been base64 is said of the e-port alone.
    for (context, warned) in [(customs(), true), (bank(), false)] {
        let role = context.role;
        let (_, value) = sign(&SIGNATURE_OUT, text(RANDOM).as_bytes(), &context).unwrap();
        let report = verify(text(RANDOM).as_bytes(), &value, "synthetic_rsa_cert.pem", Some(role));
        assert_eq!((report.has(K::ChallengeIsBase64), report.has(K::SignatureRight)), (warned, true), "{role:?}");
    }
}

#[test]
fn the_bank_gets_sha256_and_der_and_customs_its_own_form() {
    let (ec, key) = p256();
    let content = Content::bytes(octets());
    let prepared = SIGNATURE_OUT.prepare(&content, &ec, &bank()).unwrap();
    assert_eq!((prepared.tbs.suite, prepared.notes.len()), (Suite::P256Sha256, 0));
    let signature = p256_sign(&key, &prepared.tbs);
    let mut out = Vec::new();
    prepared.finish(&signature, &mut out).unwrap();
    let der = Base64::decode_vec(std::str::from_utf8(&out).unwrap()).unwrap();
    assert!(openssl_judges(&ec, "-sha256", &der, &octets()));
    let context = VerifyContext { role: Some(Role::Bank), ..judging(&ec) };
    assert_eq!(reasons(&SIGNATURE_OUT.verify(&content, Some(&out), &context).unwrap()), []);

    let kind = |context: &SignContext| SIGNATURE_OUT.prepare(&content, &ec, context).map(|_| ()).map_err(|e| e.kind());
    assert_eq!(kind(&customs()), Err(ErrorKind::UnsupportedByCustoms));
    assert_eq!(kind(&SignContext { suites: vec![], ..bank() }), Err(ErrorKind::KeyUnsuited));
    let prepared = SIGNATURE_OUT.prepare(&content, &ec, &SignContext { test: true, ..customs() }).unwrap();
    assert_eq!(prepared.notes, [Note::TestProfile]);
    let signature = p256_sign(&key, &prepared.tbs);
    let mut out = Vec::new();
    prepared.finish(&signature, &mut out).unwrap();
    assert_eq!(Base64::decode_vec(std::str::from_utf8(&out).unwrap()).unwrap(), signature.octets());

    let sm2 = certificate("synthetic_sm2_cert.pem");
    let no_sm2 = |role| SignContext { role, suites: vec![Suite::P256Sha256], ..customs() };
    for role in Role::ALL {
        let error = SIGNATURE_OUT.prepare(&content, &sm2, &no_sm2(role)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
