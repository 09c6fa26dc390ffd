//! Modules that are not there, are no modules, or hold nothing that can be used: what a person is told.
#![cfg(feature = "pkcs11")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use shared_shield::{ErrorKind, Recovery, Scan, Scanner, Wait};

#[path = "support/softhsm.rs"]
mod softhsm;

use softhsm::{MODULE, story};

fn scan(module: impl AsRef<Path>) -> Scan {
    Scanner::new().module(module.as_ref()).scan(&Wait::default()).unwrap()
}

/// Kind and short code of the only problem, which must also say where it was met.
fn problem(scan: &Scan, place: &str) -> (ErrorKind, Recovery) {
    assert!(scan.shields.is_empty());
    assert_eq!(scan.problems.len(), 1, "{:?}", scan.problems);
    let error = scan.only().unwrap_err();
    assert!(error.to_string().contains(place), "{error}");
    (error.kind(), error.recovery())
}

#[test]
fn a_missing_module_file_is_named() {
    let scan = scan("/nonexistent/driver.so");
    assert_eq!(problem(&scan, "/nonexistent/driver.so"), (ErrorKind::ModuleNotFound, Recovery::InstallDriver));
}

#[test]
fn a_relative_path_is_refused_whatever_lies_there() {
    assert_eq!(problem(&scan("driver.so"), "driver.so"), (ErrorKind::PathNotAbsolute, Recovery::FixDocument));
}

#[test]
fn a_file_that_is_no_pkcs11_module_is_told_from_a_missing_one() {
    let text = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-module.so");
    fs::write(&text, "not a library").unwrap();
    // The C library that this test itself has loaded.
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let library = maps.split_whitespace().find(|word| word.contains("/libc.so")).unwrap();
    for (file, place) in [(text.to_str().unwrap(), "no-module.so"), (library, "libc.so")] {
        let found = scan(file);
        assert_eq!(problem(&found, place), (ErrorKind::NotAModule, Recovery::InstallDriver));
    }
    let folder = scan(env!("CARGO_TARGET_TMPDIR"));
    assert_eq!(problem(&folder, "tmp").0, ErrorKind::NotAModule);
}

#[test]
fn without_a_module_there_is_nothing_to_look_at() {
    assert_eq!(Scanner::new().scan(&Wait::default()).unwrap_err().kind(), ErrorKind::NoShield);
}

#[test]
fn a_token_that_is_not_initialised_is_a_problem_where_there_is_nothing_else() {
    story("a_token_that_is_not_initialised_is_a_problem_where_there_is_nothing_else", |hsm| {
        let blank = scan(MODULE);
        assert_eq!(problem(&blank, "softhsm").0, ErrorKind::TokenNotInitialised);
        assert!(matches!(blank.only().unwrap_err().recovery(), Recovery::UnlockAtIssuer(None)));
        // This library has initialised the module and leaves it so: the host meets an initialised one.
        let host = softhsm::Host::beside(MODULE);
        host.token("mine", "123456");
        let used = scan(MODULE);
        assert_eq!((used.shields.len(), used.problems.len()), (1, 0));
        let all = Scanner::new().module(MODULE).blank_tokens().scan(&Wait::default()).unwrap();
        assert_eq!((all.shields.len(), all.problems.len()), (1, 1));
        assert_eq!(all.problems[0].kind(), ErrorKind::TokenNotInitialised);
        assert!(hsm.dir().exists());
    });
}

#[test]
fn a_module_whose_configuration_is_broken_says_what_it_answered() {
    let broken = |dir: &Path| vec![("SOFTHSM2_CONF", dir.join("missing.conf").into())];
    softhsm::story_with("a_module_whose_configuration_is_broken_says_what_it_answered", broken, |_| {
        let scan = scan(MODULE);
        let (kind, recovery) = problem(&scan, "C_Initialize: CKR_GENERAL_ERROR");
        assert_eq!((kind, recovery), (ErrorKind::ModuleFailed, Recovery::InstallDriver));
    });
}

#[test]
fn one_bad_module_hides_no_other_and_one_module_under_two_names_is_one() {
    story("one_bad_module_hides_no_other_and_one_module_under_two_names_is_one", |hsm| {
        hsm.host(|host| host.token("mine", "123456"));
        let link = hsm.dir().join("link.so");
        std::os::unix::fs::symlink(MODULE, &link).unwrap();
        let scanner = Scanner::new().module("/nonexistent/driver.so").module(&link).module(MODULE);
        let found = scanner.scan(&Wait::default()).unwrap();
        assert_eq!(found.shields.len(), 1);
        assert_eq!(found.only().unwrap().doors().count(), 1);
        assert_eq!(found.problems.iter().map(|e| e.kind()).collect::<Vec<_>>(), [ErrorKind::ModuleNotFound]);
    });
}

#[test]
fn unrelated_tokens_are_shields_of_their_own() {
    story("unrelated_tokens_are_shields_of_their_own", |hsm| {
        hsm.host(|host| {
            host.token("one", "123456");
            host.token("two", "123456");
        });
        let found = scan(MODULE);
        assert_eq!(found.shields.len(), 2);
        assert_eq!(found.only().unwrap_err().kind(), ErrorKind::SeveralShields);
        let mut labels: Vec<_> = found.shields.iter().flat_map(|s| s.doors().map(|d| d.label.clone())).collect();
        labels.sort();
        assert_eq!(labels, ["one", "two"]);
    });
}

#[test]
fn a_cancelled_scan_says_so() {
    let wait = Wait::at_most(Duration::from_secs(5));
    wait.cancel.cancel();
    let cancelled = Scanner::new().module(MODULE).scan(&wait).unwrap_err();
    assert_eq!(cancelled.kind(), ErrorKind::Cancelled);
}

#[test]
fn a_host_that_uses_the_module_itself_goes_on_undisturbed() {
    story("a_host_that_uses_the_module_itself_goes_on_undisturbed", |hsm| {
        hsm.host(|host| host.token("mine", "123456"));
        let host = softhsm::Host::new();
        let session = host.login(host.slot("mine"), "123456");
        assert_eq!(scan(MODULE).shields.len(), 1);
        // The library's objects are gone; the host's session and login are not.
        let key = host.p256(&session, &[1], "key", &[]);
        assert_eq!(scan(MODULE).shields.len(), 1);
        session.destroy_object(key.private).unwrap();
        drop(session);
        // The host ends its use of the module; the library starts it again for itself.
        host.p11.finalize().unwrap();
        assert_eq!(scan(MODULE).shields.len(), 1);
    });
}
