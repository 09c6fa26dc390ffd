//! The ground on which PC/SC is tested stands: a private pcscd, virtual readers, and a PIV card in them, as programs that know
//! nothing of this library see them.
#![cfg(all(unix, feature = "pkcs11", feature = "rsa"))]

#[path = "support/pcscd.rs"]
mod pcscd;
#[path = "support/piv_card.rs"]
mod piv_card;
#[path = "support/softhsm.rs"]
mod softhsm;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use pcscd::Pcscd;
use piv_card::{Key, Neighbour, PivCard, READERS};
use shared_shield::{Certificate, Profile, Role};
use softhsm::child;

/// Only foreign programs look, but as a story: whatever hangs ends with it.
fn ground(name: &str, body: impl FnOnce(&Pcscd)) {
    match piv_card::missing() {
        Some(reason) if !child::inside() => child::skip(name, &reason),
        _ => pcscd::story(name, &[READERS], body),
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn pkcs11_tool(pcscd: &Pcscd, words: &[&str]) -> String {
    said(&pcscd.tool("pkcs11-tool").args(["--module", "opensc-pkcs11.so"]).args(words).output().unwrap())
}

const PIV_NAME: &str = "Personal Identity Verification Card";

/// The name that opensc-tool gives the card.
fn card_name(pcscd: &Pcscd) -> Result<String, String> {
    let output = pcscd.tool("opensc-tool").args(["--reader", "0", "--name"]).output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(said(&output))
    }
}

/// yubico-piv-tool's word for the tries that are left.
fn tries_left(card: &PivCard) -> String {
    let status = card.tool(&["-a", "status"]).unwrap();
    status.lines().find_map(|l| l.strip_prefix("PIN tries left:")).unwrap().trim().to_owned()
}

#[test]
fn opensc_tool_sees_the_readers_and_the_card() {
    ground("opensc_tool_sees_the_readers_and_the_card", |pcscd| {
        let listed = said(&pcscd.tool("opensc-tool").arg("--list-readers").output().unwrap());
        assert!(pcscd.readers().len() == 2 && pcscd.readers().iter().all(|r| listed.contains(&r.name)), "{listed}");
        assert!(!pcscd.has_card(&pcscd.readers()[0]));
        let card = PivCard::start(pcscd, 0, "card", &[]);
        assert!(pcscd.has_card(card.reader()) && !pcscd.has_card(&pcscd.readers()[1]));
        assert_eq!(card_name(pcscd).unwrap(), PIV_NAME);
    });
}

#[test]
fn opensc_and_yubico_list_both_certificates_and_the_profile_gives_their_roles() {
    ground("opensc_and_yubico_list_both_certificates_and_the_profile_gives_their_roles", |pcscd| {
        for (number, key) in [Key::P256, Key::Rsa2048].into_iter().enumerate() {
            let card = PivCard::start(pcscd, number, &format!("card{number}"), &[]);
            let made = card.fill(key);
            let opening = card.fill_opening(key);
            let read = |slot: &str| {
                let pem = card.tool(&["-a", "read-certificate", "-s", slot]).unwrap();
                Certificate::from_pem(pem.as_bytes()).unwrap().der().to_vec()
            };
            assert_eq!([read("9a"), read("9c"), read("9d")], [made.customs.clone(), made.bank.clone(), opening]);
            let listed = pkcs11_tool(pcscd, &["--slot-index", &number.to_string(), "--list-objects"]);
            for subject in ["CN=Story customs", "CN=Story bank"] {
                assert!(listed.contains(subject), "{listed}");
            }
            let profile = Profile::load(&made.profile).unwrap();
            let role = |der: &[u8]| profile.role_of(&Certificate::from_der(der).unwrap());
            assert_eq!([role(&made.customs), role(&made.bank)], [Ok(Role::Customs), Ok(Role::Bank)]);
        }
    });
}

#[test]
fn openssl_accepts_what_both_keys_sign_and_the_bank_key_wants_its_pin_each_time() {
    ground("openssl_accepts_what_both_keys_sign_and_the_bank_key_wants_its_pin_each_time", |pcscd| {
        let card = PivCard::start(pcscd, 0, "card", &[]);
        let made = card.fill(Key::P256);
        let path = |name: &str| pcscd.dir().join(name).to_str().unwrap().to_owned();
        let (message, signature, key) = (path("message"), path("signature"), path("key.pem"));
        fs::write(&message, "order 4711").unwrap();
        for (id, certificate) in [("01", &made.customs), ("02", &made.bank)] {
            let words = ["--login", "--pin", piv_card::PIN, "--sign", "--mechanism", "ECDSA-SHA256", "--id", id];
            let files = ["--signature-format", "openssl", "-i", &message, "-o", &signature];
            let told = pkcs11_tool(pcscd, &[&words[..], &files].concat());
            let spki = Certificate::from_der(certificate).unwrap().key().unwrap().spki().to_vec();
            let pem = der::pem::encode_string("PUBLIC KEY", der::pem::LineEnding::LF, &spki).unwrap();
            fs::write(&key, pem).unwrap();
            let judge = ["dgst", "-sha256", "-verify", &key, "-signature", &signature, &message];
            let verdict = said(&Command::new("openssl").args(judge).output().unwrap());
            assert!(verdict.contains("Verified OK"), "{id}: {told}\n{verdict}");
        }
        let commands = card.commands();
        let last = commands.iter().rposition(|c| c.ins == 0x87 && c.status == 0x9000).unwrap();
        assert!(commands[last - 1].is_login(), "the command before the bank key's signature is VERIFY");
    });
}

#[test]
fn a_wrong_pin_costs_a_try_a_right_one_gives_it_back_and_the_trace_has_neither() {
    ground("a_wrong_pin_costs_a_try_a_right_one_gives_it_back_and_the_trace_has_neither", |pcscd| {
        let card = PivCard::start(pcscd, 0, "card", &[]);
        let verify = |pin: &str| card.tool(&["-a", "verify-pin", "-P", pin]);
        assert_eq!(tries_left(&card), "3");
        let refused = verify("654321").unwrap_err();
        assert!(refused.contains("2 tries left"), "{refused}");
        assert_eq!(tries_left(&card), "2");
        verify(piv_card::PIN).unwrap();
        assert_eq!(tries_left(&card), "3");
        card.tool(&["-a", "change-pin", "-P", piv_card::PIN, "-N", "73918264"]).unwrap();
        verify(piv_card::PIN).unwrap_err();
        verify("73918264").unwrap();
        let logins: Vec<_> = card.commands().into_iter().filter(piv_card::Apdu::is_login).map(|c| c.status).collect();
        assert_eq!(logins, [0x63c2, 0x9000, 0x63c2, 0x9000]);
        let told = fs::read_to_string(&card.trace).unwrap();
        assert!(told.contains("00200080") && told.contains("00240080"), "{told}");
        for pin in ["654321", piv_card::PIN, "73918264"] {
            let hex: String = pin.bytes().map(|b| format!("{b:02x}")).collect();
            assert!(!told.contains(&hex), "{told}");
        }
    });
}

#[test]
fn a_pulled_card_is_gone_and_the_same_card_comes_back() {
    ground("a_pulled_card_is_gone_and_the_same_card_comes_back", |pcscd| {
        let card = PivCard::start(pcscd, 0, "card", &[]);
        let status = || card.tool(&["-a", "status"]);
        let before = status().unwrap();
        card.remove();
        pcscd.wait_for_card(card.reader(), false);
        status().unwrap_err();
        assert!(card_name(pcscd).is_err());
        card.insert();
        assert_eq!(status().unwrap(), before);
        // In the middle of a command: whoever sent it gets no answer, and nobody else finds the card.
        card.pull(2);
        assert_ne!(card_name(pcscd), Ok(PIV_NAME.to_owned()));
        pcscd.wait_for_card(card.reader(), false);
        card.insert();
        assert_eq!(status().unwrap(), before);
        let outside: Vec<_> = card.events().into_iter().filter(|e| e.contains("ed")).collect();
        assert_eq!(outside, ["inserted", "removed", "inserted", "removed", "inserted"]);
    });
}

#[test]
fn another_card_in_the_same_reader_is_another_card() {
    ground("another_card_in_the_same_reader_is_another_card", |pcscd| {
        let card = PivCard::start(pcscd, 0, "first", &[]);
        let status = || card.tool(&["-a", "status"]).unwrap();
        let line = |text: &str, begin: &str| text.lines().find(|l| l.starts_with(begin)).unwrap().to_owned();
        let first = status();
        // The same number on both, as a cloned or replaced device may have it.
        fs::create_dir_all(pcscd.dir().join("third")).unwrap();
        fs::copy(card.folder().join("serial"), pcscd.dir().join("third/serial")).unwrap();
        card.swap("second");
        let second = status();
        card.swap("third");
        let third = status();
        card.swap("first");
        assert_eq!(status(), first);
        assert_ne!(line(&first, "Serial"), line(&second, "Serial"));
        assert_eq!(line(&first, "Serial"), line(&third, "Serial"));
        assert!(line(&first, "CHUID") != line(&second, "CHUID") && line(&first, "CHUID") != line(&third, "CHUID"));
    });
}

#[test]
fn a_killed_pcscd_serves_nobody_and_one_started_again_serves_the_same_card() {
    ground("a_killed_pcscd_serves_nobody_and_one_started_again_serves_the_same_card", |pcscd| {
        let card = PivCard::start(pcscd, 0, "card", &[]);
        let before = card.tool(&["-a", "status"]).unwrap();
        let first = pcscd.pid();
        for _ in 0..3 {
            pcscd.kill();
            assert!(card_name(pcscd).is_err() && !pcscd.has_card(card.reader()));
            pcscd.restart();
            pcscd.wait_for_card(card.reader(), true);
            assert_eq!(card.tool(&["-a", "status"]).unwrap(), before);
        }
        assert_ne!(pcscd.pid(), first);
        assert!(!Path::new(&format!("/proc/{first}")).exists());
    });
}

#[test]
fn two_services_side_by_side_have_their_own_readers_and_cards() {
    ground("two_services_side_by_side_have_their_own_readers_and_cards", |pcscd| {
        let other = Pcscd::start(&["Virtual PCD", "Third"]);
        let cards = [PivCard::start(pcscd, 0, "card", &[]), PivCard::start(&other, 2, "card", &[])];
        let status = cards.each_ref().map(|c| c.tool(&["-a", "status"]).unwrap());
        assert_ne!(status[0], status[1]);
        let names: Vec<_> = other.readers().iter().map(|r| r.name.as_str()).collect();
        assert_eq!(names, ["Virtual PCD 00 00", "Virtual PCD 00 01", "Third 00 00", "Third 00 01"]);
        let listed = said(&other.tool("opensc-tool").arg("--list-readers").output().unwrap());
        assert!(names.iter().all(|n| listed.contains(n)) && !listed.contains(READERS), "{listed}");
        other.kill();
        assert_eq!(cards[0].tool(&["-a", "status"]).unwrap(), status[0]);
    });
}

#[test]
fn a_story_runs_where_its_own_libpcsclite_sees_the_private_reader() {
    piv_card::story("a_story_runs_where_its_own_libpcsclite_sees_the_private_reader", |pcscd, card| {
        let host = softhsm::Host::of("opensc-pkcs11.so");
        let slots = host.p11.get_all_slots().unwrap();
        let names: Vec<_> =
            slots.iter().map(|s| host.p11.get_slot_info(*s).unwrap().slot_description().trim().to_owned()).collect();
        assert!(names.contains(&card.reader().name), "{names:?}");
        assert_eq!(host.p11.get_slots_with_token().unwrap().len(), 1);
        card.remove();
        pcscd.wait_for_card(card.reader(), false);
        assert_eq!(host.p11.get_slots_with_token().unwrap().len(), 0);
    });
}

#[test]
fn a_bad_neighbour_resets_the_card_and_keeps_its_reader() {
    ground("a_bad_neighbour_resets_the_card_and_keeps_its_reader", |pcscd| {
        let card = PivCard::start(pcscd, 0, "card", &[]);
        let holds = |how: &str| Neighbour::holds(pcscd, card.reader(), how, 600);
        let exclusive = holds("exclusive");
        let refused = card_name(pcscd).unwrap_err();
        assert!(refused.contains("in use by another application"), "{refused}");
        exclusive.wait();
        let (transaction, start) = (holds("transaction"), Instant::now());
        card_name(pcscd).unwrap();
        assert!(start.elapsed() > Duration::from_millis(300), "opensc-tool waits its turn: {:?}", start.elapsed());
        transaction.wait();
        let resets = |card: &PivCard| card.events().iter().filter(|e| *e == "reset").count();
        let before = resets(&card);
        let neighbour = Neighbour::annoys(pcscd, card.reader());
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(neighbour.end(), "visits 2 selects 2 resets 2 kept 0 refused 0");
        assert_eq!(resets(&card) - before, 2);
    });
}

#[test]
fn a_login_outlives_its_program_until_somebody_resets_the_card_or_selects_another_applet() {
    ground("a_login_outlives_its_program_until_somebody_resets_the_card_or_selects_another_applet", |pcscd| {
        let card = PivCard::start(pcscd, 0, "card", &[]);
        // opensc-tool selects PIV before it sends, and leaves the card as it is when it goes.
        let sent = |apdu: &str| said(&pcscd.tool("opensc-tool").args(["-r", "0", "-s", apdu]).output().unwrap());
        let logged_in = || sent("00:20:00:80").contains("SW1=0x90");
        let log_in = || {
            assert!(!logged_in());
            let verified = sent("00:20:00:80:08:31:32:33:34:35:36:FF:FF");
            assert!(verified.contains("SW1=0x90"), "{verified}");
            assert!(logged_in());
        };
        log_in();
        let reset = pcscd.tool("opensc-tool").args(["-r", "0", "--reset"]).output().unwrap();
        assert!(reset.status.success(), "{}", said(&reset));
        log_in();
        sent("00:A4:04:00:06:F0:4F:54:48:45:52"); // the other applet
        log_in();
        assert!(Neighbour::annoys(pcscd, card.reader()).end().starts_with("visits 1 selects 1 resets 1 "));
        assert!(!logged_in());
    });
}

#[test]
fn a_slow_card_takes_its_time_and_a_seed_makes_the_same_card_again() {
    ground("a_slow_card_takes_its_time_and_a_seed_makes_the_same_card_again", |pcscd| {
        let card = |name: &str, seed: &str| {
            let card = PivCard::start(pcscd, 0, name, &["--seed", seed]);
            let key = card.generate("9a", Key::P256);
            card.remove();
            pcscd.wait_for_card(card.reader(), false);
            key
        };
        let keys = [card("one", "1"), card("same", "1"), card("other", "2")];
        assert!(keys[0] == keys[1] && keys[0] != keys[2]);
        let card = PivCard::start(pcscd, 0, "card", &[]);
        let each = || {
            let (start, before) = (Instant::now(), card.commands().len());
            card_name(pcscd).unwrap();
            start.elapsed() / u32::try_from(card.commands().len() - before).unwrap()
        };
        each(); // the first time it makes its keys
        let quick = each();
        card.delay(30);
        let slow = each();
        // vpcd and TCP's delayed acknowledgement cost 40 ms for each command when the card does not take care.
        assert!(quick < Duration::from_millis(20) && slow >= Duration::from_millis(30), "{quick:?} {slow:?}");
    });
}
