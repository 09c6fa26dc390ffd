//! What people are told: the program over PC/SC, on a shield that `virtual_shield` plugs in, as a card of its own process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use shared_shield::Role;

use crate::child;
use crate::gm_shield::{BANK_ADMIN, BANK_PIN, CUSTOMS_ADMIN, CUSTOMS_PIN, OTHER_PIN, WRONG_PIN, tries};
use crate::pcscd::{self, Pcscd};

/// A program that cargo built beside this test.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(path.is_file(), "{} is not there: run `cargo build --all-features --examples` first", path.display());
    path
}

/// The example while it runs.
struct Plugged(Child);

impl Drop for Plugged {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Desk {
    pcscd: Pcscd,
    _plugged: Plugged,
}

/// What a run said, on whichever stream.
struct Ran {
    code: i32,
    said: String,
}

impl Ran {
    #[track_caller]
    fn expect(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "no word of {word:?} in:\n{}", self.said);
        }
        for secret in [CUSTOMS_PIN, BANK_PIN, CUSTOMS_ADMIN, BANK_ADMIN, OTHER_PIN, WRONG_PIN] {
            assert!(!self.said.contains(secret), "{secret} stands in:\n{}", self.said);
        }
        self
    }

    #[track_caller]
    fn without(self, words: &[&str]) {
        words.iter().for_each(|word| assert!(!self.said.contains(word), "{word:?} stands in:\n{}", self.said));
    }
}

impl Desk {
    fn new() -> Self {
        let pcscd = Pcscd::start(&["Virtual PCD"]);
        let run = |words: &[&str]| Desk::run_in(&pcscd, words);
        let pins = ["customs-pin", "bank-pin", "customs-puk", "bank-puk"].map(|name| {
            let variable = name.to_uppercase().replace('-', "_");
            [format!("--{name}-env"), variable]
        });
        let pins: Vec<&str> = pins.as_flattened().iter().map(String::as_str).collect();
        run(&[&["--simulator", "desk.shield", "make-test-shield", "--dir", "shield"], &pins[..]].concat())
            .expect(0, &["SIM"]);
        let port = pcscd.readers()[0].port.to_string();
        let mut command = Command::new(built("virtual_shield"));
        command.current_dir(pcscd.dir()).args(["desk.shield", &port]).stdin(Stdio::null()).stderr(Stdio::null());
        let plugged = Plugged(command.spawn().unwrap());
        pcscd.wait_for_card(&pcscd.readers()[0], true);
        for sample in ["CEB621.xml", "CEB311.xml", "order.txt"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(sample);
            fs::copy(from, pcscd.dir().join(sample)).unwrap();
        }
        Desk { pcscd, _plugged: plugged }
    }

    fn run_in(pcscd: &Pcscd, words: &[&str]) -> Ran {
        let mut command = pcscd.tool(built("shield"));
        command.current_dir(pcscd.dir()).args(words).envs([
            ("CUSTOMS_PIN", CUSTOMS_PIN),
            ("BANK_PIN", BANK_PIN),
            ("CUSTOMS_PUK", CUSTOMS_ADMIN),
            ("BANK_PUK", BANK_ADMIN),
            ("NEW_PIN", OTHER_PIN),
            ("WRONG_PIN", WRONG_PIN),
        ]);
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        Ran { code: output.status.code().unwrap(), said: String::from_utf8(said).unwrap() }
    }

    fn run(&self, words: &[&str]) -> Ran {
        Desk::run_in(&self.pcscd, &[&["--profile", "shield/profile.toml"], words].concat())
    }

    fn sign(&self, role: Role, pin: &str, more: &[&str]) -> Ran {
        let role = role.name();
        let words = ["sign-raw", "--role", role, "order.txt", "--out", "order.sig", "--overwrite", "--pin-env", pin];
        self.run(&[&words, more].concat())
    }
}

const ZH: [&str; 2] = ["--lang", "zh"];

/// Whose PIN it is, and the variables with its PIN and its unlock code.
const PARTIES: [(Role, &str, &str); 2] =
    [(Role::Customs, "CUSTOMS_PIN", "CUSTOMS_PUK"), (Role::Bank, "BANK_PIN", "BANK_PUK")];

#[test]
fn a_locked_pin_sends_people_to_the_office_of_its_own_party_and_the_other_goes_on() {
    let name = "a_locked_pin_sends_people_to_the_office_of_its_own_party_and_the_other_goes_on";
    if let Some(reason) = pcscd::missing() {
        return child::skip(name, &reason);
    }
    let desk = Desk::new();
    desk.run(&["list"]).expect(0, &["simulator", "eport:sign", "bank:sign", "tries left: 5", "tries left: 6"]);
    for (at, (role, pin, puk)) in PARTIES.into_iter().enumerate() {
        let (other, other_pin, other_puk) = PARTIES[1 - at];
        let (own, office) = ([role.office(), role.office_zh()], [other.office(), other.office_zh()]);
        for _ in 1..tries(role) {
            desk.sign(role, "WRONG_PIN", &[]).expect(4, &["SH-2001"]);
        }
        // The last try is not spent without a word, in either language.
        desk.sign(role, pin, &[]).expect(4, &["SH-2003", own[0], "one try is left"]).without(&office);
        desk.sign(role, pin, &ZH).expect(4, &["SH-2003", own[1], "最后一次机会"]).without(&office);
        desk.sign(role, "WRONG_PIN", &["--spend-last-try"]).expect(4, &["SH-2002", own[0]]).without(&office);
        desk.sign(role, pin, &[]).expect(4, &["SH-2002", own[0], "other certificate is not affected"]).without(&office);
        desk.sign(role, pin, &ZH).expect(4, &["SH-2002", own[1], "另一张证书不受影响"]).without(&office);
        let doctor = desk.run(&["doctor"]).expect(4, &["SH-2002", own[0]]);
        assert!(!doctor.said.contains(office[0]), "{}", doctor.said);
        desk.sign(other, other_pin, &[]).expect(0, &["sm2-sm3"]);
        // Its own office alone unlocks it.
        let unblock =
            |puk: &str| desk.run(&["unblock", "--role", role.name(), "--puk-env", puk, "--new-pin-env", "NEW_PIN"]);
        unblock(other_puk).expect(4, &["SH-200F"]);
        unblock(puk).expect(0, &["unlocked"]);
        desk.sign(role, "NEW_PIN", &[]).expect(0, &["sm2-sm3"]);
        let back = ["change-pin", "--role", role.name(), "--pin-env", "NEW_PIN", "--new-pin-env", pin];
        desk.run(&back).expect(0, &["changed"]);
    }
    let declare = ["sign-declaration", "CEB621.xml", "CEB311.xml", "--out-dir", "signed", "--pin-env", "CUSTOMS_PIN"];
    desk.run(&declare).expect(0, &["2 signed", "made by a simulator"]);
    desk.run(&["verify", "signed/CEB621.xml", "--trust", "shield/ca.pem", "--role", "customs"]).expect(0, &[]);
    desk.run(&["sign-payment", "order.txt", "--out", "order.p7m", "--pin-env", "BANK_PIN"]).expect(0, &["sm2-sm3"]);
}
