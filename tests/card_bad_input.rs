//! What can be wrong with readers and cards, each told apart: its own kind, what the service or the card said, what a person does now, in
//! English and in Chinese.
#![cfg(all(unix, feature = "pcsc", feature = "piv"))]

#[path = "support/vpcd_card.rs"]
mod vpcd_card;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use shared_shield::link::card::{VirtualCard, VirtualReaders};
use shared_shield::link::pcsc::api::Why;
use shared_shield::link::pcsc::scripted::{Call, Scripted};
use shared_shield::link::pcsc::{self, Code, PcscReaders};
use shared_shield::{Consent, Error, ErrorKind, Pin, PinStatus, Recovery, Role, Scanner, Shield, Status, Wait};
use vpcd_card::{Desk, PIN, PUK, READER, any, certify, child, profile_of, sign};

/// The error, and what has to be right about it.
#[track_caller]
fn is(error: &Error, kind: ErrorKind, recovery: Recovery, raw: Option<Status>) {
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.recovery(), recovery, "{error}");
    assert_eq!(error.raw_status(), raw.as_ref(), "{error}");
    let (english, chinese) = (error.to_string(), error.message_zh());
    for text in [&english, &chinese] {
        assert!(text.contains(&error.code()), "{text}");
        assert!(raw.as_ref().is_none_or(|raw| text.contains(&raw.to_string())), "{text}");
    }
    assert!(english.is_ascii() || error.what().is_some(), "{english}");
    assert!(chinese.chars().filter(|c| ('\u{4E00}'..='\u{9FFF}').contains(c)).count() >= 8, "{chinese}");
}

fn said(code: Code) -> Option<Status> {
    Some(Status::Pcsc(code.name()))
}

fn sw(raw: u16) -> Option<Status> {
    Some(Status::Sw(raw))
}

fn of_customs(recovery: fn(Option<Role>) -> Recovery) -> Recovery {
    recovery(Some(Role::Customs))
}

/// The one problem of a scan.
#[track_caller]
fn problem(scanner: &Scanner) -> Error {
    let scan = scanner.scan(&Wait::default()).unwrap();
    assert!(scan.shields.is_empty() && scan.problems.len() == 1, "{:?}", scan.problems);
    scan.only().unwrap_err()
}

fn of_service(service: &Scripted) -> Error {
    problem(&Scanner::new().readers(Arc::new(PcscReaders::new(Arc::new(service.clone())))))
}

const SOCKET: &str = "PCSCLITE_CSOCK_NAME";

#[test]
fn no_service_runs() {
    let name = "no_service_runs";
    child::story(
        name,
        |dir| vec![(SOCKET, dir.join("nobody").into())],
        |_| {
            let error = problem(&Scanner::new().readers(pcsc::system()));
            is(&error, ErrorKind::ServiceStopped, Recovery::StartPcscd, said(Code::SCARD_E_NO_SERVICE));
        },
    );
}

/// Says to the child which test it is to be.
const OTHER_USER: &str = "SHIELD_TEST_OTHER_USER";

#[test]
fn the_services_socket_is_another_users() {
    let name = "the_services_socket_is_another_users";
    if std::env::var_os(OTHER_USER).is_some() {
        let error = problem(&Scanner::new().readers(pcsc::system()));
        is(&error, ErrorKind::ServiceRefused, Recovery::AskAdministrator, said(Code::SCARD_E_NO_SERVICE));
        return;
    }
    let dir = std::env::temp_dir().join(format!("shield-socket-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(&dir, 0o755);
    let socket = dir.join("comm");
    let _listener = UnixListener::bind(&socket).unwrap();
    mode(&socket, 0o000);
    match program_of_nobody(&dir) {
        Ok(mut command) => {
            command.args([name, "--exact", "--nocapture"]).env(SOCKET, &socket).env(OTHER_USER, "1").current_dir("/");
            let output = command.output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && text.contains("1 passed"),
                "{text}{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Err(reason) => child::skip(name, reason),
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

/// This test's program as somebody who may not open everything: a user without rights, where this one is root.
fn program_of_nobody(dir: &Path) -> Result<Command, &'static str> {
    let this = std::env::current_exe().unwrap();
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Ok(Command::new(this));
    }
    let there = Command::new("setpriv").arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        return Err("this is root, and setpriv is not there (apt-get install util-linux)");
    }
    // Others may have no right to the folder that it was built in.
    let copy: PathBuf = dir.join("program");
    std::fs::copy(this, &copy).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(copy);
    Ok(command)
}

#[test]
fn the_service_takes_no_more_connections_or_refuses_this_program() {
    let refusing = |why| {
        let service = Scripted::new();
        service.because(why);
        // It is asked again a few times, because a service that is being started says the same.
        (0..8).for_each(|_| service.fail(Call::Establish, Code::SCARD_W_SECURITY_VIOLATION));
        of_service(&service)
    };
    let raw = || said(Code::SCARD_W_SECURITY_VIOLATION);
    is(&refusing(Why::Connections(200)), ErrorKind::ServiceFull, Recovery::CloseOtherProgram, raw());
    is(&refusing(Why::Connections(3)), ErrorKind::ServiceRefused, Recovery::AskAdministrator, raw());
}

#[test]
fn there_is_no_library_no_reader_no_card_or_one_that_does_not_answer() {
    let service = Scripted::new();
    is(&of_service(&service), ErrorKind::NoReader, Recovery::InsertShield, None);
    service.plug(READER);
    let scanner = Scanner::new().readers(Arc::new(PcscReaders::new(Arc::new(service.clone()))));
    let empty = scanner.scan(&Wait::default()).unwrap();
    is(&empty.only().unwrap_err(), ErrorKind::NoShield, Recovery::InsertShield, None);
    service.insert(READER, &[0x3B, 0x00]);
    service.mute(READER, true);
    is(&of_service(&service), ErrorKind::CardMute, Recovery::InsertShield, None);
    service.without_library();
    is(&of_service(&service), ErrorKind::ServiceMissing, Recovery::InstallDriver, None);
}

/// A card that says the same to everything.
struct Says([u8; 2]);

impl VirtualCard for Says {
    fn reset(&mut self) {}

    fn command(&mut self, _: &[u8]) -> Vec<u8> {
        self.0.to_vec()
    }
}

fn desk_of(card: Says) -> Scanner {
    let readers = VirtualReaders::new(&[READER]);
    readers.insert(READER, Arc::new(Mutex::new(card)));
    Desk::scanner(Arc::new(readers))
}

#[test]
fn a_card_that_nobody_knows_is_named_by_its_atr() {
    let error = problem(&desk_of(Says([0x6A, 0x82])));
    is(&error, ErrorKind::CardUnknown, Recovery::InstallDriver, None);
    assert!(error.to_string().contains("ATR 3B 80 80 01 01") && error.to_string().contains(READER), "{error}");
    let failing = problem(&desk_of(Says([0x6F, 0x00])));
    is(&failing, ErrorKind::TokenFailed, Recovery::InsertShield, sw(0x6F00));
}

#[test]
fn a_card_that_the_profile_takes_for_piv_and_is_none_is_the_wrong_card() {
    let named = profile_of(&["9A"], "[[cards.driver]]\natr = \"3B 80 80 01 01\"\nname = \"piv\"\n");
    let error = problem(&desk_of(Says([0x6A, 0x82])).profile(Arc::new(named)));
    is(&error, ErrorKind::CardApplication, Recovery::InsertShield, None);
    assert!(error.to_string().contains("ATR 3B 80 80 01 01"), "{error}");
}

fn refused(shield: &Shield) -> Error {
    sign(shield, Role::Customs, "document", PIN, &Wait::default()).unwrap_err()
}

fn pin(octets: &str) -> Pin {
    Pin::new(Role::Customs, octets.as_bytes()).unwrap()
}

/// VERIFY and RESET RETRY COUNTER with what is wrong, as another program.
fn block(desk: &Desk, command: &[u8]) {
    let mut answers = (0..8).map(|_| desk.foreign(command));
    assert!(answers.any(|answer| matches!(answer.as_slice(), [0x69, 0x83] | [0x63, 0xC0])));
    desk.readers.reset(READER);
}

const WRONG_PIN: &[u8] = b"\x00\x20\x00\x80\x08000000\xFF\xFF";
const WRONG_PUK: &[u8] = b"\x00\x2C\x00\x80\x1000000000123456\xFF\xFF";

#[test]
fn the_pin_is_blocked() {
    vpcd_card::with_cards("the_pin_is_blocked", || {
        let desk = Desk::new();
        let shield = desk.shield();
        // The last try is lost while somebody looks on: the card says so.
        desk.foreign(WRONG_PIN);
        desk.foreign(WRONG_PIN);
        desk.readers.reset(READER);
        let consent = Consent::LastTry;
        let wrong = (&pin("654321"), &pin("111111"));
        let error = shield.change_pin(Role::Customs, &any(), wrong, consent, &Wait::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PinLocked, "{error}");
        assert!(matches!(error.raw_status(), Some(Status::Sw(_))), "{error}");
        // From then on it is read without a try.
        desk.seen();
        let error = refused(&shield);
        is(&error, ErrorKind::PinLocked, of_customs(Recovery::UnlockAtIssuer), None);
        assert_eq!(error.tries_left(), Some(PinStatus::Locked));
        assert!(!desk.seen().iter().any(|command| command.is_login()));
        assert!(error.message_zh().contains("电子口岸制卡中心"), "{}", error.message_zh());
    });
}

#[test]
fn the_puk_is_blocked() {
    vpcd_card::with_cards("the_puk_is_blocked", || {
        let desk = Desk::new();
        let shield = desk.shield();
        let unblock = || {
            let words = (&pin(PUK), &pin("654321"));
            shield.unblock_pin(Role::Customs, &any(), words, Consent::LastTry, &Wait::default()).unwrap_err()
        };
        block(&desk, WRONG_PUK);
        let error = unblock();
        is(&error, ErrorKind::PukLocked, of_customs(Recovery::UnlockAtIssuer), sw(0x63C0));
        // The PIN itself is as it was.
        sign(&shield, Role::Customs, "document", PIN, &Wait::default()).unwrap();
    });
}

#[test]
fn a_slot_has_a_certificate_and_no_key() {
    vpcd_card::with_cards("a_slot_has_a_certificate_and_no_key", || {
        let desk = Desk::new();
        let of_another = certify("CN=Story customs CA", "CN=Story spare", &desk.generate("82"));
        desk.store("9D", &of_another);
        let text = "schema = 1\nname = \"spare\"\ntest = true\n\n[[customs.issuer]]\ncommon_name = \"Story customs CA\"\n\n[cards]\nplaces = [\"9D\"]\n";
        let profile = Arc::new(shared_shield::Profile::parse(text).unwrap());
        let scan =
            Scanner::new().profile(profile).readers(Arc::new(desk.readers.clone())).scan(&Wait::default()).unwrap();
        let error = refused(scan.only().unwrap());
        is(&error, ErrorKind::KeyMissing, of_customs(Recovery::UnlockAtIssuer), sw(0x6985));
        assert!(error.to_string().contains("9D"), "{error}");
    });
}

#[test]
fn a_certificate_is_of_a_key_of_another_type() {
    vpcd_card::with_cards("a_certificate_is_of_a_key_of_another_type", || {
        let desk = Desk::new();
        desk.store("9A", &certify("CN=Story customs CA", "CN=Story customs", &rsa_key()));
        let error = refused(&desk.shield());
        assert!(matches!(error.raw_status(), Some(Status::Sw(0x6A80 | 0x6A86))), "{error}");
        let raw = error.raw_status().cloned();
        is(&error, ErrorKind::KeyMismatch, of_customs(Recovery::UnlockAtIssuer), raw);
    });
}

/// The public half of an RSA key that no card has.
fn rsa_key() -> Vec<u8> {
    let script =
        "openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 | openssl pkey -pubout -outform DER";
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// One signature that does not verify does not say why; the second one by the same other key does.
#[test]
fn a_certificate_is_of_another_key_of_the_same_type() {
    vpcd_card::with_cards("a_certificate_is_of_another_key_of_the_same_type", || {
        let desk = Desk::new();
        desk.store("9A", &certify("CN=Story customs CA", "CN=Story customs", &vpcd_card::test_ca::any_key()));
        let shield = desk.shield();
        let signed = |text: &str| sign(&shield, Role::Customs, text, PIN, &Wait::default()).unwrap_err();
        is(&signed("one"), ErrorKind::SignatureWrong, Recovery::Retry, None);
        let error = signed("two");
        is(&error, ErrorKind::KeyMismatch, of_customs(Recovery::UnlockAtIssuer), None);
        assert!(error.message_zh().contains("私钥"), "{}", error.message_zh());
    });
}

#[test]
fn a_status_word_of_no_standard_is_kept_as_it_came() {
    vpcd_card::with_cards("a_status_word_of_no_standard_is_kept_as_it_came", || {
        let at_signing = Desk::new();
        let shield = at_signing.shield();
        at_signing.bend(0x87, &[0x6A, 0xBC]);
        is(&refused(&shield), ErrorKind::TokenAnswer, Recovery::InstallDriver, sw(0x6ABC));

        // Said to the look at the tries it says nothing of them; said to the PIN it may have counted.
        let at_login = Desk::new();
        let shield = at_login.shield();
        at_login.bend(0x20, &[0x6A, 0xBC]);
        let error = refused(&shield);
        is(&error, ErrorKind::LoginFailed, of_customs(Recovery::EnterPin), sw(0x6ABC));
        assert_eq!(error.tries_left(), Some(PinStatus::Unknown { refused: true }));

        let at_reading = Desk::new();
        at_reading.bend(0xCB, &[0x6A, 0xBC]);
        let scan = Desk::scanner(Arc::new(at_reading.readers.clone())).scan(&Wait::default()).unwrap();
        let error = scan.problems.first().unwrap();
        is(error, ErrorKind::TokenAnswer, Recovery::InstallDriver, sw(0x6ABC));
    });
}
