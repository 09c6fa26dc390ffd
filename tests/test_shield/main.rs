//! The test shield that `make-test-shield` makes is one that the library takes for a shared shield.

#[path = "../../examples/shield/made.rs"]
mod made;
#[cfg(feature = "simulator")]
#[path = "../../examples/shield/make_simulated.rs"]
mod make_simulated;
#[path = "../../examples/shield/make_test_shield.rs"]
mod make_test_shield;
#[cfg(feature = "simulator")]
mod simulated;
#[path = "../support/softhsm.rs"]
mod softhsm;
#[path = "../../examples/shield/test_ca.rs"]
mod test_ca;
#[cfg(feature = "simulator")]
#[path = "../../examples/shield/test_ca_sm2.rs"]
mod test_ca_sm2;
#[path = "../../examples/shield/test_token.rs"]
mod test_token;

use std::path::Path;
use std::sync::Arc;

use made::Made;
use make_test_shield::{Import, Layout, Options, State, make};
use shared_shield::{
    Certificate, Declined, ErrorKind, PinEntry, PinQuestion, Profile, Request, Role, Scanner, Selector, Shield,
    Standing, Trust, Verdict, VerifyContext, Wait,
};
use test_token::Key;

const CUSTOMS_PIN: &str = "11112222";
const BANK_PIN: &str = "33334444";

fn options(hsm: &softhsm::SoftHsm) -> Options {
    Options::new(softhsm::MODULE, hsm.dir().join("shield"), CUSTOMS_PIN, BANK_PIN)
}

fn profile(made: &Made) -> Arc<Profile> {
    Arc::new(Profile::load(&made.profile).unwrap())
}

fn shield(made: &Made) -> Shield {
    let scan = Scanner::new().profile(profile(made)).module(softhsm::MODULE).scan(&Wait::default()).unwrap();
    assert!(scan.problems.is_empty(), "{:?}", scan.problems);
    scan.only().unwrap().clone()
}

fn sign_raw(shield: &Shield, role: Role, pin: &str) -> Vec<u8> {
    let mut prompt = |q: &PinQuestion<'_>| q.pin(pin.as_bytes()).map(PinEntry::Typed).map_err(|_| Declined);
    let mut signature = Vec::new();
    let request = Request::raw(role, shared_shield::Content::bytes(b"text".to_vec()));
    shield.sign(request, &mut prompt, &Wait::default(), &mut signature).unwrap();
    signature
}

fn trusting(made: &Made, role: Role, certificate: &Certificate) -> VerifyContext {
    let anchors = Certificate::all_from_pem(&std::fs::read(&made.ca).unwrap()).unwrap();
    VerifyContext {
        trust: Trust::Anchors(anchors.into_iter().map(Arc::new).collect()),
        role: Some(role),
        profile: profile(made),
        at: std::time::SystemTime::now(),
        certificate: Some(Arc::new(certificate.clone())),
        sm2_id: shared_shield::Sm2Id::default(),
    }
}

fn read(path: &Path) -> Certificate {
    Certificate::from_pem(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn two_tokens_are_one_shield_with_a_certificate_and_a_pin_for_each_role() {
    softhsm::story("two_tokens_are_one_shield_with_a_certificate_and_a_pin_for_each_role", |hsm| {
        let made = make(&Options { earlier: true, ..options(hsm) }).unwrap();
        assert_eq!(made.serials.len(), 2);
        let shield = shield(&made);
        for (role, pin, file) in [(Role::Customs, CUSTOMS_PIN, &made.customs), (Role::Bank, BANK_PIN, &made.bank)] {
            let credential = shield.credential(role, &Selector::default()).unwrap();
            assert_eq!(*credential.certificate, read(file));
            assert!(shield.also_opens(&credential).is_empty());
            let signature = sign_raw(&shield, role, pin);
            let content = shared_shield::Content::bytes(b"text".to_vec());
            let verify = |role| {
                use shared_shield::format::Format;
                let context = trusting(&made, role, &credential.certificate);
                shared_shield::format::raw::RAW.verify(&content, Some(&signature), &context).unwrap()
            };
            assert_eq!(verify(role).verdict(), Verdict::Valid, "{:?}", verify(role));
            let other = if role == Role::Bank { Role::Customs } else { Role::Bank };
            assert_eq!(verify(other).verdict(), Verdict::Invalid);
        }
        let standing = |s| shield.certificates().iter().filter(|l| l.standing == s).count();
        assert_eq!([Standing::Serves, Standing::Encryption, Standing::Superseded].map(standing), [2, 1, 1]);
    });
}

#[test]
fn one_token_is_one_shield_whose_pin_opens_both_roles() {
    softhsm::story("one_token_is_one_shield_whose_pin_opens_both_roles", |hsm| {
        let made = make(&Options { layout: Layout::OneToken, ..options(hsm) }).unwrap();
        assert_eq!(made.serials.len(), 1);
        let shield = shield(&made);
        let customs = shield.credential(Role::Customs, &Selector::default()).unwrap();
        assert_eq!(shield.also_opens(&customs), [Role::Bank]);
        sign_raw(&shield, Role::Bank, CUSTOMS_PIN);
    });
}

#[test]
fn every_key_type_signs_and_old_rsa_keys_are_there() {
    softhsm::story("every_key_type_signs_and_old_rsa_keys_are_there", |hsm| {
        let made = make(&Options {
            customs_key: Key::Rsa1024,
            bank_key: Key::Rsa2048,
            bank_each_time: true,
            encryption: false,
            ..options(hsm)
        })
        .unwrap();
        let shield = shield(&made);
        sign_raw(&shield, Role::Bank, BANK_PIN);
        let customs = shield.credential(Role::Customs, &Selector::default()).unwrap();
        assert_eq!(customs.certificate.key().unwrap().kind(), shared_shield::suite::KeyKind::Rsa { bits: 1024 });
    });
}

#[test]
fn certificates_outside_their_time_are_refused_with_the_reason() {
    softhsm::story("certificates_outside_their_time_are_refused_with_the_reason", |hsm| {
        let made =
            make(&Options { customs_state: State::Expired, bank_state: State::NotYetValid, ..options(hsm) }).unwrap();
        let shield = shield(&made);
        let kind = |role| shield.credential(role, &Selector::default()).unwrap_err().kind();
        assert_eq!(kind(Role::Customs), ErrorKind::CertificateExpired);
        assert_eq!(kind(Role::Bank), ErrorKind::CertificateNotYetValid);
    });
}

#[test]
fn the_published_throw_away_key_and_its_certificate_can_be_put_on_the_token() {
    softhsm::story("the_published_throw_away_key_and_its_certificate_can_be_put_on_the_token", |hsm| {
        let vector = |name: &str| Path::new("tests/vectors").join(name);
        let import =
            Import { key: vector("synthetic_rsa_throwaway.key"), certificate: Some(vector("synthetic_rsa_cert.pem")) };
        let made = make(&Options { import: Some(import), ..options(hsm) }).unwrap();
        let shield = shield(&made);
        let customs = shield.credential(Role::Customs, &Selector::default()).unwrap();
        assert_eq!(*customs.certificate, read(&vector("synthetic_rsa_cert.pem")));
        sign_raw(&shield, Role::Customs, CUSTOMS_PIN);
    });
}

#[test]
fn what_is_there_already_is_not_touched() {
    softhsm::story("what_is_there_already_is_not_touched", |hsm| {
        let made = make(&options(hsm)).unwrap();
        let before: Vec<Vec<u8>> = [&made.profile, &made.ca].iter().map(|f| std::fs::read(f).unwrap()).collect();
        let same_folder = make(&options(hsm)).unwrap_err().to_string();
        assert!(same_folder.contains("profile.toml is there already"), "{same_folder}");
        let other_folder = Options { dir: hsm.dir().join("other"), ..options(hsm) };
        let same_label = make(&other_folder).unwrap_err().to_string();
        assert!(same_label.contains("\" already, which is not touched"), "{same_label}");
        let bank = Options { customs_label: "another".to_owned(), ..other_folder };
        assert!(make(&bank).unwrap_err().to_string().contains("a token \"bank\" already"));
        let after: Vec<Vec<u8>> = [&made.profile, &made.ca].iter().map(|f| std::fs::read(f).unwrap()).collect();
        assert_eq!(before, after);
        sign_raw(&shield(&made), Role::Customs, CUSTOMS_PIN);
        let wrong = make(&Options { module: "/nowhere.so".into(), dir: hsm.dir().join("third"), ..options(hsm) });
        assert!(wrong.unwrap_err().to_string().starts_with("load the module"));
    });
}
