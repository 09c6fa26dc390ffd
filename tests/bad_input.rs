//! Every kind of bad input is told apart: its own kind and short code, one sentence in English and in Chinese, the right recovery, and
//! nothing lost.

#[path = "support/desk.rs"]
mod desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use desk::{CUSTOMS_PIN, Keys, Typist};
use shared_shield::{
    Content, Error, ErrorKind, FixedClock, Note, Profile, Recovery, Request, Role, Scanner, Selector, Shield, Wait,
    write_whole,
};
use softhsm::SoftHsm;

const YEAR: Duration = Duration::from_secs(366 * 86_400);

/// What went wrong, and what is expected of it.
struct Case(&'static str, Error, ErrorKind, Recovery);

fn scan_problem(module: &Path) -> Error {
    let scanner = Scanner::new().module(module).blank_tokens();
    match scanner.scan(&Wait::default()) {
        Err(error) => error,
        Ok(scan) => scan.problems.first().unwrap_or_else(|| panic!("no problem with {}", module.display())).clone(),
    }
}

fn drivers(hsm: &SoftHsm, cases: &mut Vec<Case>) {
    let missing = scan_problem(Path::new("/nowhere/libnothing.so"));
    cases.push(Case("a missing module", missing, ErrorKind::ModuleNotFound, Recovery::InstallDriver));
    let text = hsm.dir().join("text.so");
    std::fs::write(&text, "not a library").unwrap();
    cases.push(Case("no module", scan_problem(&text), ErrorKind::NotAModule, Recovery::InstallDriver));
    let blank = scan_problem(Path::new(softhsm::MODULE));
    cases.push(Case("a blank token", blank, ErrorKind::TokenNotInitialised, Recovery::UnlockAtIssuer(None)));
}

/// The shield that has a token of this label, at a given time.
fn at(hsm: &SoftHsm, label: &str, now: SystemTime) -> Shield {
    let profile = Profile::load(&hsm.dir().join("profile.toml")).unwrap();
    let scanner = Scanner::new().profile(Arc::new(profile)).clock(Arc::new(FixedClock(now))).module(softhsm::MODULE);
    let scan = scanner.scan(&Wait::default()).unwrap();
    scan.shields.iter().find(|s| s.doors().any(|d| d.label == label)).unwrap().clone()
}

fn raw(role: Role) -> Request {
    Request::raw(role, Content::bytes(*b"document"))
}

fn refused(shield: &Shield, request: Request, typist: &mut Typist) -> Error {
    let mut out = Vec::new();
    let error = shield.sign(request, typist, &Wait::default(), &mut out).unwrap_err();
    assert!(out.is_empty(), "{error} wrote something");
    error
}

fn certificates(hsm: &SoftHsm, cases: &mut Vec<Case>) {
    let now = SystemTime::now();
    let mut typist = Typist::right();
    let renew = Recovery::RenewCertificate;
    let (late, early) = (at(hsm, "customs", now + 2 * YEAR), at(hsm, "customs", now - 2 * YEAR));
    let expired = refused(&late, raw(Role::Customs), &mut typist);
    cases.push(Case("expired", expired, ErrorKind::CertificateExpired, renew));
    let too_early = refused(&early, raw(Role::Bank), &mut typist);
    cases.push(Case("not yet valid", too_early, ErrorKind::CertificateNotYetValid, renew));
    assert_eq!(typist.asked, 0, "nobody is asked for a PIN that would serve nothing");
    for shield in [&late, &early] {
        let request = raw(Role::Customs).even_outside_validity();
        let receipt = shield.sign(request, &mut typist, &Wait::default(), &mut Vec::new()).unwrap();
        assert!(receipt.notes.contains(&Note::OutsideValidity), "asked for, so it is done and said");
    }
    let scanner = Scanner::new().module(softhsm::MODULE);
    let unknown = scanner.scan(&Wait::default()).unwrap();
    let none = unknown.shields.first().unwrap().credential(Role::Customs, &Selector::default()).unwrap_err();
    assert!(!none.looked_at().is_empty(), "each certificate is listed with its reason");
    cases.push(Case("no certificate", none, ErrorKind::NoCredential, Recovery::InsertShield));
}

/// A third token with certificates of two companies.
fn make_several(hsm: &SoftHsm) {
    hsm.host(|host| {
        let session = host.login(host.token("several", CUSTOMS_PIN), CUSTOMS_PIN);
        for (id, company) in [(1, "CN=One Company"), (2, "CN=Another Company")] {
            let pair = host.p256(&session, &[id], company, &[]);
            let der = softhsm::issue("CN=Story customs CA", company, &pair.spki, vec![]);
            host.certificate(&session, &der, &[id], company);
        }
    });
}

fn several(hsm: &SoftHsm, cases: &mut Vec<Case>) {
    let shield = at(hsm, "several", SystemTime::now());
    let error = refused(&shield, raw(Role::Customs), &mut Typist::right());
    assert_eq!(error.looked_at().len(), 2, "{error}");
    cases.push(Case("several certificates", error, ErrorKind::SeveralCredentials, Recovery::FixDocument));
}

fn documents(shield: &Shield, cases: &mut Vec<Case>) {
    let signed = std::fs::read("tests/vectors/synthetic_CEB311_rsa.xml").unwrap();
    let deep = [[b'<', b'a', b'>'].repeat(100_000), b"x".to_vec()].concat();
    let root =
        |rest: &str| format!("{rest}<c:CEB621Message xmlns:c=\"http://www.chinaport.gov.cn/ceb\">x</c:CEB621Message>");
    let rows: [(&'static str, Vec<u8>, ErrorKind); 5] = [
        ("malformed XML", b"<a><b></a>".to_vec(), ErrorKind::DocumentMalformed),
        ("a DTD", root("<!DOCTYPE x [<!ENTITY e \"v\">]>").into_bytes(), ErrorKind::DocumentDtd),
        ("deep nesting", deep, ErrorKind::DocumentTooDeep),
        ("signed already", signed, ErrorKind::DocumentSigned),
        ("another document", b"<invoice/>".to_vec(), ErrorKind::DocumentKind),
    ];
    for (name, document, kind) in rows {
        let mut typist = Typist::right();
        let error = refused(shield, Request::declaration(Content::bytes(document)), &mut typist);
        assert_eq!(typist.asked, 0, "{name}: a bad document costs no PIN entry");
        cases.push(Case(name, error, kind, Recovery::FixDocument));
    }
    let missing = Request::declaration(Content::file("/nowhere/CEB621.xml"));
    let unread = refused(shield, missing, &mut Typist::right());
    cases.push(Case("a missing document", unread, ErrorKind::InputFailed, Recovery::FixDocument));
}

fn files_and_profiles(hsm: &SoftHsm, shield: &Shield, cases: &mut Vec<Case>) {
    let target = hsm.dir().join("folder-in-the-way");
    std::fs::create_dir(&target).unwrap();
    std::fs::write(target.join("old"), "old").unwrap();
    let unwritable =
        write_whole(&target, |out| shield.sign(raw(Role::Bank), &mut Typist::right(), &Wait::default(), out));
    assert_eq!(std::fs::read(target.join("old")).unwrap(), b"old", "the old one stays whole");
    cases.push(Case("cannot be written", unwritable.unwrap_err(), ErrorKind::OutputFailed, Recovery::Retry));
    let fix = Recovery::FixDocument;
    let key = Profile::parse("schema = 1\ncolour = \"red\"\n").unwrap_err();
    assert!(key.to_string().contains("colour"), "{key}");
    cases.push(Case("an unknown key", key, ErrorKind::ProfileKey, fix));
    cases.push(Case("another schema", Profile::parse("schema = 99\n").unwrap_err(), ErrorKind::ProfileSchema, fix));
}

#[test]
fn every_bad_input_is_told_apart_and_says_what_to_do() {
    softhsm::story("every_bad_input_is_told_apart_and_says_what_to_do", |hsm| {
        let mut cases = Vec::new();
        desk::make(hsm, Keys::P256);
        make_several(hsm);
        drivers(hsm, &mut cases);
        let shield = at(hsm, "customs", SystemTime::now());
        documents(&shield, &mut cases);
        files_and_profiles(hsm, &shield, &mut cases);
        certificates(hsm, &mut cases);
        let wrong = refused(&shield, raw(Role::Bank), &mut Typist::always("111111111111"));
        cases.push(Case("a wrong PIN", wrong, ErrorKind::PinIncorrect, Recovery::EnterPin(Some(Role::Bank))));
        several(hsm, &mut cases);

        let mut kinds = BTreeSet::new();
        for Case(name, error, kind, recovery) in &cases {
            assert_eq!(error.kind(), *kind, "{name}: {error}");
            assert_eq!(error.recovery(), *recovery, "{name}");
            assert!(kinds.insert(error.kind()), "{name} shares its kind with another case");
            let first_line = error.to_string().lines().next().unwrap().to_owned();
            assert!(first_line.contains(&error.code()) && first_line.contains(error.operation()), "{first_line}");
            assert!(error.message_zh().chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{name}");
        }
        assert_eq!(kinds.len(), 17);
    });
}
