//! A private pcscd with a filled card, and the program beside them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::pcscd::Pcscd;
use crate::piv_card::{self, Key, Made, PIN, PUK, PivCard, READERS};
use crate::softhsm::{self, child};

/// The PIN and the unlock code that stories change to.
pub(crate) const NEW_PIN: &str = "73920518";
pub(crate) const NEW_PUK: &str = "60418273";
/// What the card has never had.
pub(crate) const WRONG_PIN: &str = "51730962";

pub(crate) struct Desk {
    pub(crate) card: PivCard,
    pub(crate) made: Made,
    pub(crate) pcscd: Pcscd,
    pub(crate) dir: PathBuf,
}

/// What a run said and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Ran {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Ran { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Fails unless the run ended so and said all of this, on whichever stream; never a PIN.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, words: &[&str]) -> Ran {
        let all = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, code, "{all}");
        for word in words {
            assert!(all.contains(word), "no word of {word:?} in:\n{all}");
        }
        for secret in [NEW_PIN, NEW_PUK, WRONG_PIN, PUK] {
            assert!(!all.contains(secret), "{secret} stands in:\n{all}");
        }
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}:\n{}", self.out))
    }
}

/// The program, which cargo built beside this test.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples/shield");
    assert!(path.is_file(), "{} is not there: run `cargo build --example shield` first", path.display());
    path
}

impl Desk {
    /// `None`, loudly, where no card can be put into a reader here.
    pub(crate) fn new(name: &str, key: Key) -> Option<Desk> {
        let desk = Desk::bare(name)?;
        let made = desk.card.fill(key);
        Some(Desk { made, ..desk })
    }

    /// With a card that has no certificate.
    pub(crate) fn bare(name: &str) -> Option<Desk> {
        if let Some(reason) = piv_card::missing() {
            child::skip(name, &reason);
            return None;
        }
        let pcscd = Pcscd::start(&[READERS]);
        let card = PivCard::start(&pcscd, 0, "card", &[]);
        let dir = pcscd.dir().join("desk");
        fs::create_dir_all(&dir).unwrap();
        for sample in ["CEB621.xml", "CEB311.xml"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data").join(sample);
            fs::copy(from, dir.join(sample)).unwrap();
        }
        fs::write(dir.join("order.txt"), "Pay CNY 100.00 to Synthetic Trading Co\n").unwrap();
        for (name, of) in [("customs-ca", "CN=Story customs CA"), ("bank-ca", "CN=Story bank CA")] {
            fs::write(dir.join(format!("{name}.der")), softhsm::authority(of)).unwrap();
        }
        let made = Made { profile: PathBuf::new(), customs: Vec::new(), bank: Vec::new() };
        let desk = Desk { card, made, pcscd, dir };
        for name in ["customs-ca", "bank-ca"] {
            let script = format!("openssl x509 -inform DER -in {name}.der -out {name}.pem");
            assert!(desk.shell(&script), "{script}");
        }
        Some(desk)
    }

    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.pcscd.tool(program);
        command.current_dir(&self.dir).stdin(Stdio::null());
        for (name, value) in
            [("PIN", PIN), ("PUK", PUK), ("NEW_PIN", NEW_PIN), ("NEW_PUK", NEW_PUK), ("WRONG_PIN", WRONG_PIN)]
        {
            command.env(name, value);
        }
        command
    }

    /// The program with the card's profile.
    pub(crate) fn shield(&self, args: &[&str]) -> Ran {
        Ran::of(&self.prepared(args).output().unwrap())
    }

    pub(crate) fn prepared(&self, args: &[&str]) -> Command {
        let mut command = self.command(program());
        if self.made.profile.is_file() {
            command.arg("--profile").arg(&self.made.profile);
        }
        command.args(args);
        command
    }

    /// Whether a foreign tool is content.
    pub(crate) fn shell(&self, script: &str) -> bool {
        self.command("sh").args(["-c", script]).output().unwrap().status.success()
    }

    /// Serial number of the card as the program names it.
    pub(crate) fn serial(&self) -> String {
        let list = self.shield(&["list", "--json"]).expect(0, &[]).json();
        list["shields"][0]["serial"].as_str().unwrap().to_owned()
    }

    /// How many PINs the card has been sent for checking.
    pub(crate) fn logins(&self) -> usize {
        self.card.commands().iter().filter(|c| c.is_login()).count()
    }

    /// yubico-piv-tool's word for the tries that are left.
    pub(crate) fn tries(&self) -> String {
        let status = self.card.tool(&["-a", "status"]).unwrap();
        status.lines().find_map(|l| l.strip_prefix("PIN tries left:")).unwrap().trim().to_owned()
    }

    /// Whether yubico-piv-tool's own check accepts this PIN.
    pub(crate) fn tool_accepts(&self, pin: &str) -> bool {
        self.card.tool(&["-a", "verify-pin", "-P", pin]).is_ok()
    }
}
