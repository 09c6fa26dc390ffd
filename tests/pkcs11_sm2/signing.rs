//! What leaves is right: OpenSSL judges it, and the published vectors are met.

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use shared_shield::format::login::Challenge;
use shared_shield::format::payment179;
use shared_shield::{
    Content, ErrorKind, FixedClock, Profile, RawSignature, Request, Role, Scanner, Shield, Sm2Id, Suite, ToBeSigned,
    Unlock, Wait,
};

use crate::desk::{Shim, Typist};
use crate::softhsm::SoftHsm;
use crate::{HASHING, OFFER, both_sign, count, desk, kit, request, shield, sign, story, with_shim};

#[test]
fn what_a_module_signs_with_the_finished_e_verifies_elsewhere() {
    story("signing::what_a_module_signs_with_the_finished_e_verifies_elsewhere", |hsm, shim| {
        for (n, offer) in
            ["sm2 0x80008105 e-raw", "sm2 0x80008104 e-der", "sm2 0x80008000 e-raw"].into_iter().enumerate()
        {
            both_sign(&shield(hsm, shim, offer, ""));
            let number = offer.split(' ').nth(1).unwrap();
            assert_eq!(count(shim, "C_SignInit", &format!(" mech={number} ")), 2, "{offer}");
            assert_eq!(count(shim, "C_Sign", " in=32 "), 2 * (n + 1), "one signature each, and e was given");
        }
        // Where there is a choice, the host hashes.
        both_sign(&shield(
            hsm,
            shim,
            "sm2 0x80008100 z-message-raw\nsm2 0x80008103 message-der\nsm2 0x80008104 e-der\n",
            "",
        ));
        assert_eq!(count(shim, "C_SignInit", " mech=0x80008104 "), 4);
        assert_eq!(shim.calls("C_Login").len(), 8, "one for each signature");
    });
}

#[test]
fn a_mechanism_that_hashes_is_given_the_message_where_nothing_takes_e() {
    story("signing::a_mechanism_that_hashes_is_given_the_message_where_nothing_takes_e", |hsm, shim| {
        for (offer, octets) in HASHING {
            let before = count(shim, "C_Sign", &format!(" in={octets} "));
            both_sign(&shield(hsm, shim, offer, ""));
            assert_eq!(count(shim, "C_Sign", &format!(" in={octets} ")), before + 2, "{offer}");
        }
        assert_eq!(shim.calls("C_Sign").len(), 2 * HASHING.len());
        // A document that does not go to a token whole is refused before the PIN.
        let shield = shield(hsm, shim, HASHING[1].0, "");
        let fits = vec![b'x'; shared_shield::policy::MESSAGE_MAX];
        let (_, out) = sign(&shield, Request::raw(Role::Bank, Content::bytes(fits.clone()))).unwrap();
        assert!(kit::openssl_judges(&desk::certificate(&shield, Role::Bank), "-sm3", &out, &fits));
        let logins = shim.calls("C_Login").len();
        let large = Content::bytes([fits, vec![b'x']].concat());
        let error = sign(&shield, Request::raw(Role::Bank, large)).unwrap_err();
        assert_eq!((error.kind(), shim.calls("C_Login").len()), (ErrorKind::KeyUnsuited, logins), "{error}");
    });
}

#[test]
fn another_identifier_is_hashed_in_by_the_host_or_the_signature_is_refused() {
    story("signing::another_identifier_is_hashed_in_by_the_host_or_the_signature_is_refused", |hsm, shim| {
        let id = Sm2Id::new("ALICE123@YAHOO.COM").unwrap();
        for (offer, fits) in [(OFFER, true), (HASHING[2].0, true), (HASHING[0].0, false), (HASHING[1].0, false)] {
            let shield = shield(hsm, shim, offer, "");
            match sign(&shield, request(Role::Bank).sm2_id(id.clone())) {
                Ok((_, out)) => {
                    assert!(fits, "{offer}");
                    let key = desk::certificate(&shield, Role::Bank).key().unwrap().clone();
                    let judge = |id: &Sm2Id| {
                        let tbs = ToBeSigned::over_with(Suite::Sm2Sm3, &key, id, b"order 4711").unwrap();
                        key.verify(&tbs, &RawSignature::from_wire(Suite::Sm2Sm3, &out).unwrap()).is_ok()
                    };
                    assert!(judge(&id) && !judge(&Sm2Id::default()));
                }
                Err(error) => {
                    assert!(!fits, "{offer}: {error}");
                    assert_eq!(error.kind(), ErrorKind::KeyUnsuited);
                    assert!(error.to_string().contains("default identifier alone"), "{error}");
                }
            }
        }
        assert_eq!(shim.calls("C_Login").len(), 2);
    });
}

#[test]
fn a_batch_signs_under_one_login_and_keeps_its_key() {
    story("signing::a_batch_signs_under_one_login_and_keeps_its_key", |hsm, shim| {
        let shield = shield(hsm, shim, OFFER, "");
        let by = desk::certificate(&shield, Role::Customs);
        let batch = shield.unlock(Unlock::of(Role::Customs), &mut Typist::right(), &Wait::default()).unwrap();
        for n in 0..20_u8 {
            let mut out = Vec::new();
            batch.sign(Request::raw(Role::Customs, Content::bytes([n])), &Wait::default(), &mut out).unwrap();
            assert!(kit::openssl_takes(&by, "-sm3", &out, &[n]));
        }
        assert_eq!(shim.calls("C_Sign").len(), 20);
        // The key is known by now; what it makes is looked at all the same.
        shim.rules(&format!("{OFFER}flip-signature\n"));
        let mut out = Vec::new();
        let error = batch.sign(request(Role::Customs), &Wait::default(), &mut out).unwrap_err();
        assert_eq!((error.kind(), out.len()), (ErrorKind::SignatureWrong, 0), "{error}");
        assert!(error.to_string().contains("mechanism 0x80008105 was given e"), "{error}");
        batch.end();
        assert_eq!(count(shim, "C_Login", " rv=0x0"), shim.calls("C_Login").len());
    });
}

/// The vectors' own key and certificate on a token: what customs gets can be held against the vectors.
fn vectors_shield(hsm: &SoftHsm, shim: &Shim) -> Shield {
    hsm.host(|host| {
        let session = host.login(host.token("customs", desk::CUSTOMS_PIN), desk::CUSTOMS_PIN);
        let scalar = kit::sm2_key().to_bytes().into();
        let pair = host.sm2(&session, &scalar, &[1], "customs", &[]);
        let certificate = kit::certificate("synthetic_sm2_cert.pem");
        assert_eq!(certificate.key().unwrap().spki(), pair.spki);
        host.certificate(&session, certificate.der(), &[1], "customs");
    });
    shim.rules(OFFER);
    let profile = "schema = 1\ntest = true\n[[customs.issuer]]\nunit = \"Synthetic Trading Co\"\nallow_ca = true\n";
    let profile = Arc::new(Profile::parse(profile).unwrap());
    let clock = Arc::new(FixedClock(kit::day()));
    let scanner = Scanner::new().profile(profile).clock(clock).module(&shim.module);
    scanner.scan(&Wait::default()).unwrap().only().unwrap().clone()
}

#[test]
fn a_declaration_a_payment_record_and_a_login_are_signed_as_the_vectors_are() {
    with_shim("signing::a_declaration_a_payment_record_and_a_login_are_signed_as_the_vectors_are", |hsm, shim| {
        let shield = vectors_shield(hsm, shim);
        let by = kit::certificate("synthetic_sm2_cert.pem");
        let der = |raw: Vec<u8>| RawSignature::new(Suite::Sm2Sm3, raw).unwrap().to_wire().unwrap();
        let decode = |text: &str| Base64::decode_vec(text).unwrap();
        let vector = kit::text("synthetic_CEB311_sm2.xml");
        let around = |text: &str, open: &str, close: &str| {
            let (before, rest) = text.split_once(open).unwrap();
            let (inside, after) = rest.split_once(close).unwrap();
            [before, inside, after].map(str::to_owned)
        };
        let [start, _, end] = around(&vector, "<ds:Signature ", "</ds:Signature>");
        let unsigned = format!("{start}{end}").into_bytes();
        for offer in [OFFER, "sm2 0x80008104 e-der\n", HASHING[0].0, HASHING[1].0, HASHING[2].0, HASHING[3].0] {
            shim.rules(offer);
            let (receipt, out) = sign(&shield, Request::declaration(Content::bytes(unsigned.clone()))).unwrap();
            assert_eq!((receipt.suite, receipt.number.as_str()), (Suite::Sm2Sm3, "0300000000000001"));
            let value = |text: &str| around(text, "<ds:SignatureValue>", "</ds:SignatureValue>");
            let [ours, theirs] = [String::from_utf8(out).unwrap(), vector.clone()].map(|text| value(&text));
            assert_eq!((&ours[0], &ours[2]), (&theirs[0], &theirs[2]), "all but the value is the vector's");
            let signed_info = kit::vector("synthetic_CEB311_sm2_signedinfo.c14n");
            assert!(kit::openssl_judges(&by, "-sm3", &der(decode(&ours[1])), &signed_info), "{offer}");

            let string = kit::vector("synthetic_179_string.txt");
            let request = Request::payment179_as(Content::bytes(string.clone()), payment179::Output::Signature);
            let (_, out) = sign(&shield, request).unwrap();
            let signature = der(decode(std::str::from_utf8(&out).unwrap()));
            assert!(kit::openssl_judges(&by, "-sm3", &signature, &string), "{offer}");

            let random = kit::text("synthetic_login_random.b64");
            let request = Request::login(Role::Customs, Challenge::Base64(&random)).unwrap();
            let (_, out) = sign(&shield, request).unwrap();
            let signature = der(decode(std::str::from_utf8(&out).unwrap()));
            assert!(kit::openssl_judges(&by, "-sm3", &signature, &decode(&random)), "{offer}");
        }
        assert_eq!((shim.calls("C_Login").len(), shim.calls("C_Sign").len()), (18, 18));
        // One octet of what the module makes: no declaration is written.
        shim.rules(&format!("{OFFER}flip-signature\n"));
        let error = sign(&shield, Request::declaration(Content::bytes(unsigned))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SignatureWrong, "{error}");
    });
}
