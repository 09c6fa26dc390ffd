//! Certificates that somebody puts on the other party's token. They are public, and a token lets every program write public objects; so a copy must
//! never get the PIN that is typed for the token with the key.
#![cfg(feature = "pkcs11")]

#[path = "support/desk.rs"]
mod desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::sync::Arc;
use std::time::Duration;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::Session;
use desk::{Keys, Typist};
use shared_shield::{
    Certificate, Consent, Error, ErrorKind, Pin, Profile, Reference, Role, Scan, Scanner, Selector, Shield, Standing,
    Wait,
};
use softhsm::{Host, MODULE, SoftHsm, story};

/// OBJECT IDENTIFIER 1.2.840.10045.3.1.7.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// Whose certificate is planted, and on whose token. Whichever token a module lists first, one of the two has the copy in front.
const BOTH: [(Role, Role); 2] = [(Role::Customs, Role::Bank), (Role::Bank, Role::Customs)];

fn name(role: Role) -> &'static str {
    if role == Role::Customs { "customs" } else { "bank" }
}

fn scan_with(hsm: &SoftHsm, change: impl FnOnce(Scanner) -> Scanner) -> Scan {
    let profile = Arc::new(Profile::load(&hsm.dir().join("profile.toml")).unwrap());
    change(Scanner::new().profile(profile).module(MODULE)).scan(&Wait::default()).unwrap()
}

fn scan(hsm: &SoftHsm) -> Scan {
    scan_with(hsm, |scanner| scanner)
}

fn only(scan: &Scan) -> Shield {
    scan.only().unwrap_or_else(|e| panic!("{e}; {:?}", scan.problems)).clone()
}

/// What the library finds, looked up before anything is planted.
fn der(hsm: &SoftHsm, role: Role) -> Vec<u8> {
    desk::certificate(&only(&scan(hsm)), role).der().to_vec()
}

/// Another program, as far as the module can tell, which the library keeps loaded.
fn beside<R>(work: impl FnOnce(&Host) -> R) -> R {
    work(&Host::beside(MODULE))
}

/// A session of a program that knows no PIN.
fn neighbour(host: &Host, role: Role) -> Session {
    host.p11.open_rw_session(host.slot(name(role))).unwrap()
}

/// A public key object of a P-256 certificate.
fn public_key(certificate: &[u8], id: u8) -> Vec<Attribute> {
    let point = Certificate::from_der(certificate).unwrap().key().unwrap().point().unwrap();
    vec![
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Id(vec![id]),
        Attribute::EcParams(P256.to_vec()),
        Attribute::EcPoint([&[4, 65][..], &point].concat()),
    ]
}

/// Whether each token counts a wrong PIN.
fn wrong_pins() -> [bool; 2] {
    beside(|host| Role::ALL.map(|role| host.p11.get_token_info(host.slot(name(role))).unwrap().user_pin_count_low()))
}

fn sign(shield: &Shield, role: Role) -> Result<(), Error> {
    let (mut typist, mut out) = (Typist::right(), Vec::new());
    let signed = desk::sign(shield, role, &mut typist, Consent::None, &mut out);
    match &signed {
        Ok(receipt) => assert!(receipt.door.as_ref().unwrap().to_string().ends_with(name(role)), "{receipt:?}"),
        Err(error) => assert_eq!((typist.asked, out.len()), (0, 0), "nobody is asked: {error}"),
    }
    signed.map(drop)
}

/// Both parties sign and change their PINs, each with its own token, and no token gets the other's PIN.
fn everything_works(hsm: &SoftHsm, planted: Role) {
    let scan = scan(hsm);
    let kinds: Vec<_> = scan.problems.iter().map(|p| (p.kind(), p.concerns())).collect();
    assert_eq!(kinds, [(ErrorKind::KeyMismatch, Some(planted))], "{:?}", scan.problems);
    let shield = only(&scan);
    let typed = |role, text: &str| Pin::new(role, text.as_bytes()).unwrap();
    for role in Role::ALL {
        let credential = shield.credential(role, &Selector::default()).unwrap();
        assert!(shield.also_opens(&credential).is_empty(), "a PIN for one party alone");
        sign(&shield, role).unwrap_or_else(|e| panic!("{role}: {e}"));
        let old = Typist::right().pins[&role];
        for (from, to) in [(old, "118365002794"), ("118365002794", old)] {
            let (from, to) = (typed(role, from), typed(role, to));
            shield.change_pin(role, &Selector::default(), (&from, &to), Consent::None, &Wait::default()).unwrap();
        }
    }
    assert_eq!(wrong_pins(), [false, false]);
}

/// Takes what was planted away again.
fn tidy(on: Role) {
    beside(|host| {
        let session = neighbour(host, on);
        let planted = session.find_objects(&[Attribute::Label(b"planted".to_vec())]).unwrap();
        planted.into_iter().for_each(|object| session.destroy_object(object).unwrap());
    });
}

/// The reference of the place on a role's own token.
fn reference(shield: &Shield, role: Role) -> Reference {
    let serial = beside(|host| host.p11.get_token_info(host.slot(name(role))).unwrap().serial_number().to_owned());
    let listed = shield.certificates();
    let all = listed.iter().filter(|one| one.role == Some(role)).flat_map(|one| &one.references);
    all.into_iter().find(|one| one.to_string().contains(&serial)).unwrap().clone()
}

#[test]
fn a_copy_on_the_other_partys_token_gets_no_pin() {
    story("a_copy_on_the_other_partys_token_gets_no_pin", |hsm| {
        desk::make(hsm, Keys::P256);
        for (planted, on) in BOTH {
            let der = der(hsm, planted);
            beside(|host| host.certificate(&neighbour(host, on), &der, &[77], "planted"));
            everything_works(hsm, planted);
            tidy(on);
        }
    });
}

#[test]
fn a_copy_with_its_public_key_gets_no_pin_either() {
    story("a_copy_with_its_public_key_gets_no_pin_either", |hsm| {
        desk::make(hsm, Keys::P256);
        for (planted, on) in BOTH {
            let der = der(hsm, planted);
            beside(|host| {
                let session = neighbour(host, on);
                host.certificate(&session, &der, &[77], "planted");
                let label = Attribute::Label(b"planted".to_vec());
                session.create_object(&[&public_key(&der, 77)[..], std::slice::from_ref(&label)].concat()).unwrap();
                // A pair that is made on this token, and says of itself that it is the other one: modules let programs write that.
                let token = [Attribute::Token(true), Attribute::Private(false), label];
                let spki = Certificate::from_der(&der).unwrap().key().unwrap().spki().to_vec();
                let says = [Attribute::EcParams(P256.to_vec()), Attribute::PublicKeyInfo(spki)];
                let public = [&token[..], &says].concat();
                session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &token).unwrap();
            });
            everything_works(hsm, planted);
            tidy(on);
        }
    });
}

/// A copy that cannot be told from the certificate beside its key: the token with the key shows nothing of it, because a neighbour took the public
/// key away and put it beside the copy.
#[test]
fn where_nothing_shows_which_is_the_copy_nobody_is_asked_and_both_places_are_named() {
    story("where_nothing_shows_which_is_the_copy_nobody_is_asked_and_both_places_are_named", |hsm| {
        desk::make(hsm, Keys::P256);
        let ders = Role::ALL.map(|role| der(hsm, role));
        beside(|host| {
            for ((planted, on), der) in BOTH.into_iter().zip(&ders) {
                let (session, own) = (neighbour(host, on), neighbour(host, planted));
                host.certificate(&session, der, &[77], name(planted));
                session.create_object(&public_key(der, 77)).unwrap();
                let keys = own.find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Id(vec![1])]);
                keys.unwrap().into_iter().for_each(|key| own.destroy_object(key).unwrap());
            }
        });
        let scan = scan(hsm);
        assert!(scan.problems.is_empty(), "{:?}", scan.problems);
        let shield = only(&scan);
        assert!(shield.certificates().iter().all(|one| one.standing == Standing::Several));
        for role in Role::ALL {
            let error = sign(&shield, role).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SeveralCredentials, "{error}");
            let told = error.what().unwrap().to_owned();
            assert!(told.matches("pkcs11:").count() == 2 && told.contains("--credential"), "{told}");
            let pin = Pin::new(role, Typist::right().pins[&role].as_bytes()).unwrap();
            let change = shield.change_pin(role, &Selector::default(), (&pin, &pin), Consent::None, &Wait::default());
            assert_eq!(change.unwrap_err().kind(), ErrorKind::SeveralCredentials);
        }
        assert_eq!(wrong_pins(), [false, false]);
        // Whoever names the place says whose PIN it is.
        for role in Role::ALL {
            let named = reference(&shield, role);
            sign(&only(&scan_with(hsm, |scanner| scanner.reference(named))), role).unwrap();
        }
        assert_eq!(wrong_pins(), [false, false]);
    });
}

#[test]
fn a_reference_leads_to_the_token_that_it_names_or_nowhere() {
    story("a_reference_leads_to_the_token_that_it_names_or_nowhere", |hsm| {
        desk::make(hsm, Keys::P256);
        let der = der(hsm, Role::Customs);
        let named = reference(&only(&scan(hsm)), Role::Customs);
        beside(|host| {
            host.certificate(&neighbour(host, Role::Bank), &der, &[77], "planted");
            // As if the customs token were pulled out, as far as this certificate goes.
            let own = neighbour(host, Role::Customs);
            let there = own.find_objects(&[Attribute::Class(ObjectClass::CERTIFICATE)]).unwrap();
            there.into_iter().for_each(|object| own.destroy_object(object).unwrap());
        });
        let scan = scan_with(hsm, |scanner| scanner.reference(named));
        let error = scan.for_role(Role::Customs, &Selector::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoShield);
        assert!(error.what().unwrap().contains("not where its reference says"), "{error}");
        assert_eq!(wrong_pins(), [false, false]);
    });
}

/// The issuer's name, the holder's name, the key of the token that it lies on, a later day: nobody checks signatures of issuers before a PIN is asked for.
#[test]
fn a_forged_newer_certificate_on_the_other_partys_token_takes_no_ones_place() {
    story("a_forged_newer_certificate_on_the_other_partys_token_takes_no_ones_place", |hsm| {
        desk::make(hsm, Keys::P256);
        let ders = Role::ALL.map(|role| der(hsm, role));
        std::thread::sleep(Duration::from_millis(1_100));
        let forged = [1, 0].map(|of: usize| {
            let (role, key) = (name(Role::ALL[1 - of]), Certificate::from_der(&ders[of]).unwrap());
            let [issuer, subject] = [format!("CN=Story {role} CA"), format!("CN=Story {role}")];
            softhsm::issue(&issuer, &subject, key.key().unwrap().spki(), vec![])
        });
        beside(|host| {
            for ((planted, on), der) in BOTH.into_iter().zip(&forged) {
                host.certificate(&neighbour(host, on), der, &[77], name(planted));
            }
        });
        let shield = only(&scan(hsm));
        for (role, own) in Role::ALL.into_iter().zip(&ders) {
            let error = sign(&shield, role).unwrap_err();
            assert_eq!((error.kind(), error.looked_at().len()), (ErrorKind::SeveralCredentials, 4), "{error}");
            assert!(error.to_string().contains("where another PIN opens"), "{error}");
            let fingerprint = Some(Certificate::from_der(own).unwrap().fingerprint());
            let selector = Selector { fingerprint, ..Selector::default() };
            let credential = shield.credential(role, &selector).unwrap();
            assert_eq!(credential.certificate.der(), own);
            assert!(shield.also_opens(&credential).contains(&other(role)), "a certificate says that it does");
            let named = reference_to(&shield, own);
            sign(&only(&scan_with(hsm, |scanner| scanner.reference(named))), role).unwrap();
        }
        assert_eq!(wrong_pins(), [false, false]);
    });
}

fn other(role: Role) -> Role {
    if role == Role::Customs { Role::Bank } else { Role::Customs }
}

fn reference_to(shield: &Shield, der: &[u8]) -> Reference {
    let listed = shield.certificates();
    listed.iter().find(|one| one.certificate.der() == der).unwrap().references[0].clone()
}

#[test]
fn copies_on_a_token_that_nobody_joined_to_the_shield_get_no_pin() {
    story("copies_on_a_token_that_nobody_joined_to_the_shield_get_no_pin", |hsm| {
        desk::make(hsm, Keys::P256);
        let text = std::fs::read_to_string(hsm.dir().join("profile.toml")).unwrap();
        std::fs::write(hsm.dir().join("profile.toml"), text.split("[[shield]]").next().unwrap()).unwrap();
        let found = scan(hsm);
        let der = found.for_role(Role::Customs, &Selector::default()).unwrap();
        let der = desk::certificate(der, Role::Customs).der().to_vec();
        beside(|host| host.certificate(&neighbour(host, Role::Bank), &der, &[77], "planted"));
        let found = scan(hsm);
        assert_eq!(found.shields.len(), 2);
        for role in Role::ALL {
            sign(found.for_role(role, &Selector::default()).unwrap(), role).unwrap();
        }
        assert_eq!(wrong_pins(), [false, false]);
    });
}
