//! One shield, many users: threads of both roles, and a second process in between.

#[path = "support/desk.rs"]
mod desk;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use desk::{Keys, Typist};
use shared_shield::{Content, Policy, RawSignature, Request, Role, Shield, Suite, ToBeSigned, Unlock, Wait};

fn verifies(shield: &Shield, role: Role, document: &[u8], signature: &[u8]) -> bool {
    let certificate = desk::certificate(shield, role);
    let key = certificate.key().unwrap();
    let tbs = ToBeSigned::over(Suite::P256Sha256, key, document).unwrap();
    RawSignature::from_wire(Suite::P256Sha256, signature).is_ok_and(|s| key.verify(&tbs, &s).is_ok())
}

fn generous(role: Role) -> Policy {
    Policy { signatures: 10_000, ..Policy::of(role) }
}

#[test]
fn eight_threads_sign_two_thousand_times_with_both_roles_mixed() {
    let name = "eight_threads_sign_two_thousand_times_with_both_roles_mixed";
    softhsm::story(name, |hsm| {
        desk::make(hsm, Keys::P256);
        let shield = desk::shield(hsm, Path::new(softhsm::MODULE));
        let sessions = Role::ALL.map(|role| {
            let unlock = Unlock::of(role).policy(generous(role));
            shield.unlock(unlock, &mut Typist::right(), &Wait::default()).unwrap()
        });
        let signed = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (sessions, signed) = (&sessions, &signed);
                scope.spawn(move || {
                    for n in 0..250_usize {
                        let session = &sessions[(thread + n) % 2];
                        let document = format!("thread {thread} line {n}").into_bytes();
                        let request = Request::raw(session.role(), Content::bytes(document.clone()));
                        let mut out = Vec::new();
                        session.sign(request, &Wait::default(), &mut out).unwrap();
                        signed.lock().unwrap().push((session.role(), document, out));
                    }
                });
            }
        });
        let signed = signed.into_inner().unwrap();
        assert_eq!(signed.len(), 2_000);
        for role in Role::ALL {
            assert_eq!(signed.iter().filter(|s| s.0 == role).count(), 1_000);
        }
        let right = signed.iter().filter(|(role, document, out)| verifies(&shield, *role, document, out)).count();
        assert_eq!(right, 2_000);
        let (role, document, out) = &signed[0];
        let other = Role::ALL.into_iter().find(|r| r != role).unwrap();
        assert!(!verifies(&shield, other, document, out), "the other role's key has not signed it");
    });
}

/// The second process: signs once and leaves its signature in a file.
fn second_process(dir: std::path::PathBuf) {
    let hsm = softhsm::SoftHsm::at(dir);
    let shield = desk::shield(&hsm, Path::new(softhsm::MODULE));
    let mut out = Vec::new();
    let request = Request::raw(Role::Customs, Content::bytes(*b"from the second process"));
    shield.sign(request, &mut Typist::right(), &Wait::default(), &mut out).unwrap();
    std::fs::write(hsm.dir().join("second.sig"), out).unwrap();
}

#[test]
fn a_second_process_signs_between_two_signatures_of_a_batch() {
    let name = "a_second_process_signs_between_two_signatures_of_a_batch";
    if let Some(dir) = std::env::var_os("SHIELD_SECOND_DIR") {
        return second_process(dir.into());
    }
    softhsm::story(name, |hsm| {
        desk::make(hsm, Keys::P256);
        let shield = desk::shield(hsm, Path::new(softhsm::MODULE));
        let session = shield.unlock(Unlock::of(Role::Customs), &mut Typist::right(), &Wait::default()).unwrap();
        let sign = |document: &[u8]| {
            let mut out = Vec::new();
            session.sign(Request::raw(Role::Customs, Content::bytes(document)), &Wait::default(), &mut out).unwrap();
            assert!(verifies(&shield, Role::Customs, document, &out));
        };
        sign(b"before");
        let status = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env_remove("SHIELD_STORY_DIR")
            .env("SHIELD_SECOND_DIR", hsm.dir())
            .status()
            .unwrap();
        assert!(status.success());
        let second = std::fs::read(hsm.dir().join("second.sig")).unwrap();
        assert!(verifies(&shield, Role::Customs, b"from the second process", &second));
        sign(b"after");
    });
}
