//! Runs the built program against a test shield of its own: a private folder and a private SoftHSM for each test.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// PINs of the test shields: long enough that they stand nowhere by chance.
pub(crate) const CUSTOMS_PIN: &str = "482915730664";
pub(crate) const BANK_PIN: &str = "719038254417";
pub(crate) const WRONG_PIN: &str = "305827194936";

const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
];

/// Says that a test did not run; with `SHIELD_NO_SKIP` set that is a failure.
pub(crate) fn skip(name: &str, reason: &str) {
    assert!(std::env::var_os("SHIELD_NO_SKIP").is_none(), "{name} cannot run: {reason}");
    // Not eprintln: the test harness would keep it to itself.
    writeln!(std::io::stderr().lock(), "SKIPPED {name}: {reason}").unwrap();
}

/// SoftHSM's module, or a loud skip.
pub(crate) fn softhsm(name: &str) -> Option<&'static str> {
    let found = MODULES.into_iter().find(|m| Path::new(m).exists());
    if found.is_none() {
        skip(name, "SoftHSM is not installed (apt-get install softhsm2)");
    }
    found
}

/// Whether a tool is there, or a loud skip.
pub(crate) fn has(tool: &str, name: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|p| p.join(tool).is_file());
    if !found {
        skip(name, &format!("{tool} is not installed"));
    }
    found
}

/// An example that cargo built beside this test. `cargo test` builds it; `cargo test --test cli` alone does not.
pub(crate) fn built(example: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(example);
    assert!(path.is_file(), "{} is not there: run `cargo build --example {example}` first", path.display());
    path
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A private folder, removed when the test has passed.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) dir: PathBuf,
    pub(crate) module: String,
}

impl Drop for Desk {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
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

    /// Fails unless the run ended so and said all of this, on whichever stream.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, words: &[&str]) -> Ran {
        let all = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, code, "{all}");
        for word in words {
            assert!(all.contains(word), "no word of {word:?} in:\n{all}");
        }
        assert!(!all.contains("panicked") && !all.contains("stack backtrace"), "{all}");
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}:\n{}", self.out))
    }
}

impl Desk {
    /// A desk without a shield.
    pub(crate) fn empty(name: &str) -> Option<Desk> {
        let module = softhsm(name)?.to_owned();
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("tokens")).unwrap();
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
            dir.join("tokens").display()
        );
        fs::write(dir.join("softhsm2.conf"), text).unwrap();
        Some(Desk { dir, module })
    }

    /// A desk with a test shield, and both sample declarations.
    pub(crate) fn new(name: &str, options: &[&str]) -> Option<Desk> {
        let desk = Desk::empty(name)?;
        desk.make("shield", options);
        for sample in ["CEB621.xml", "CEB311.xml"] {
            fs::copy(root().join("examples/data").join(sample), desk.path(sample)).unwrap();
        }
        Some(desk)
    }

    /// Makes a test shield whose files go to `folder`.
    pub(crate) fn make(&self, folder: &str, options: &[&str]) {
        let mut args = vec!["make-test-shield", "--dir", folder, "--customs-pin-env", "CUSTOMS_PIN"];
        if !options.contains(&"--one-token") {
            args.extend(["--bank-pin-env", "BANK_PIN"]);
        }
        args.extend(options);
        self.bare(&args).expect(0, &[]);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn write(&self, name: &str, octets: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), octets).unwrap();
        self.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// A command in this desk's folder, with its SoftHSM and without a smart-card service; nothing is typed.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.dir)
            .env("SOFTHSM2_CONF", self.path("softhsm2.conf"))
            // Keys of whoever runs the tests are left alone.
            .env("PCSCLITE_CSOCK_NAME", self.path("no-service"))
            .env("CUSTOMS_PIN", CUSTOMS_PIN)
            .env("BANK_PIN", BANK_PIN)
            .env("WRONG_PIN", WRONG_PIN)
            .stdin(Stdio::null());
        command
    }

    /// The program with the module and no profile.
    pub(crate) fn bare(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(built("shield")).args(["--module", &self.module]).args(args).output().unwrap())
    }

    /// The program's arguments for the test shield, before the caller's own.
    pub(crate) fn arguments(&self, args: &[&str]) -> Vec<OsString> {
        let profile = self.path("shield/profile.toml");
        let own = ["--module", &self.module, "--profile", profile.to_str().unwrap()];
        own.iter().chain(args).map(OsString::from).collect()
    }

    /// The program with module and profile of the test shield.
    pub(crate) fn shield(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(built("shield")).args(self.arguments(args)).output().unwrap())
    }

    /// Signs these files as customs, into `signed`.
    pub(crate) fn declare(&self, files: &[&str], more: &[&str]) -> Ran {
        let args = [&["sign-declaration", "--out-dir", "signed"], files, more].concat();
        self.shield(&args)
    }

    /// The fingerprint of the certificate in this PEM file, from openssl.
    pub(crate) fn fingerprint(&self, pem: &str) -> String {
        let args = ["x509", "-noout", "-fingerprint", "-sha256", "-in", pem];
        let ran = Ran::of(&self.command("openssl").args(args).output().unwrap()).expect(0, &[]);
        ran.out.trim().split('=').nth(1).unwrap().to_owned()
    }

    /// Names of the files in a folder.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|n| !n.is_empty()).collect();
        names.sort();
        names
    }
}

/// The file with one octet of the first digit after `after` changed to another digit.
pub(crate) fn changed(document: &[u8], after: &str) -> Vec<u8> {
    let mut copy = document.to_vec();
    let at = document.windows(after.len()).position(|w| w == after.as_bytes()).unwrap() + after.len();
    copy[at] = if copy[at] == b'7' { b'8' } else { b'7' };
    copy
}
