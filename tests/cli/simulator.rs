//! The program on the shield in software: SM2 keys, two applications with a PIN each, no SoftHSM and no smart-card service.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{BANK_PIN, CUSTOMS_PIN, Ran, WRONG_PIN, built, changed, has, root};

const CUSTOMS_PUK: &str = "660184935527";
const BANK_PUK: &str = "118365002794";
const NEW_PIN: &str = "904417226358";

/// A private folder with a shield in software, removed when the test has passed.
pub(crate) struct Bench {
    pub(crate) dir: PathBuf,
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

impl Bench {
    pub(crate) fn empty(name: &str) -> Bench {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("simulated-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        for sample in ["CEB621.xml", "CEB311.xml", "order.txt"] {
            fs::copy(root().join("examples/data").join(sample), dir.join(sample)).unwrap();
        }
        Bench { dir }
    }

    pub(crate) fn new(name: &str, options: &[&str]) -> Bench {
        let bench = Bench::empty(name);
        bench.make("desk.shield", options).expect(0, &["SIM", "--simulator desk.shield"]);
        bench
    }

    pub(crate) fn make(&self, file: &str, options: &[&str]) -> Ran {
        let pins = [
            ["--customs-pin-env", "CUSTOMS_PIN"],
            ["--bank-pin-env", "BANK_PIN"],
            ["--customs-puk-env", "CUSTOMS_PUK"],
            ["--bank-puk-env", "BANK_PUK"],
        ];
        let make = ["--simulator", file, "make-test-shield", "--dir", "shield"];
        self.bare(&[&make[..], pins.as_flattened(), options].concat())
    }

    /// The program in this folder, without readers and modules of the computer; nothing is typed.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.dir)
            .env("PCSCLITE_CSOCK_NAME", self.dir.join("no-service"))
            .envs([
                ("CUSTOMS_PIN", CUSTOMS_PIN),
                ("BANK_PIN", BANK_PIN),
                ("WRONG_PIN", WRONG_PIN),
                ("NEW_PIN", NEW_PIN),
            ])
            .envs([("CUSTOMS_PUK", CUSTOMS_PUK), ("BANK_PUK", BANK_PUK)])
            .stdin(std::process::Stdio::null());
        command
    }

    pub(crate) fn bare(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(built("shield")).args(args).output().unwrap())
    }

    pub(crate) fn shield(&self, args: &[&str]) -> Ran {
        self.bare(&[&["--simulator", "desk.shield", "--profile", "shield/profile.toml"], args].concat())
    }

    pub(crate) fn sign(&self, role: &str, pin: &str, more: &[&str]) -> Ran {
        let args = ["sign-raw", "--role", role, "order.txt", "--out", "order.sig", "--overwrite", "--pin-env", pin];
        self.shield(&[&args, more].concat())
    }

    /// Tries left of customs and bank, from the list for programs.
    pub(crate) fn tries(&self) -> [u64; 2] {
        let list = self.shield(&["list", "--json"]).json();
        let of = |role: &str| {
            let all = list["shields"][0]["certificates"].as_array().unwrap();
            let one = all.iter().find(|c| c["role"] == role && c["standing"] == "serves").unwrap();
            one["tries"]["left"].as_u64().unwrap()
        };
        [of("customs"), of("bank")]
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap()
    }

    /// The profile with one text put in the place of another.
    pub(crate) fn profile(&self, from: &str, to: &str) {
        let text = self.read("shield/profile.toml");
        assert!(text.contains(from), "{text}");
        self.write("shield/profile.toml", &text.replace(from, to));
    }

    pub(crate) fn serial(&self) -> String {
        self.shield(&["list", "--json"]).json()["shields"][0]["serial"].as_str().unwrap().to_owned()
    }

    pub(crate) fn shell(&self, script: &str) -> Ran {
        Ran::of(&self.command("bash").args(["-euo", "pipefail", "-c", script]).output().unwrap())
    }
}

#[test]
fn a_shield_in_software_signs_for_both_parties_and_says_that_it_is_one() {
    let bench = Bench::new("signs_for_both_parties", &[]);
    let list = bench.shield(&["list"]).expect(
        0,
        &[
            "gm0017: SIM",
            "(simulator, GM/T 0017 type",
            "dialect syno-2015, accepted by this device before",
            "eport:sign",
            "bank:sign",
        ],
    );
    // The dual-certificate scheme: each party has a certificate that signs and one that does not.
    for standing in ["customs  serves ", "customs  encryption ", "bank     serves ", "bank     encryption "] {
        assert_eq!(list.out.matches(standing).count(), 1, "{standing}: {}", list.out);
    }
    assert!(
        list.out.contains("tries left: 5, still the maker's PIN") && list.out.contains("tries left: 6"),
        "{}",
        list.out
    );
    let json = bench.shield(&["list", "--json"]).expect(0, &[]).json();
    let door = &json["shields"][0]["doors"][0];
    assert_eq!((&door["manufacturer"], &door["dialect"]), (&"simulator".into(), &"syno-2015".into()), "{json:#}");
    let customs =
        json["shields"][0]["certificates"].as_array().unwrap().iter().find(|c| c["standing"] == "serves").unwrap();
    assert_eq!(
        (&customs["key"], &customs["pin_form"], &customs["factory_pin"]),
        (&"SM2".into(), &"sure".into(), &true.into())
    );
    assert!(customs["places"][0].as_str().unwrap().starts_with("eport:"), "{customs:#}");
    bench.shield(&["info", "--role", "bank"]).expect(0, &["place", "bank:sign", "form of PINs"]);

    let declare = ["sign-declaration", "CEB621.xml", "CEB311.xml", "--out-dir", "signed", "--pin-env", "CUSTOMS_PIN"];
    bench.shield(&declare).expect(0, &["2 signed", "sm2-sm3", "note: made by a simulator"]);
    let many = ["sign-batch", "--folder", ".", "--out-dir", "batch", "--pin-env", "CUSTOMS_PIN"];
    bench.shield(&many).expect(0, &["2 signed", "note: made by a simulator"]);
    let pay = ["sign-payment", "order.txt", "--out", "order.p7m", "--pin-env", "BANK_PIN"];
    bench.shield(&pay).expect(0, &["bank certificate", "sm2-sm3", "made by a simulator"]);
    let zh = [
        "sign-login",
        "--role",
        "customs",
        "--challenge-base64",
        "MTIzNDU2Nzg5MDEyMzQ1Ng==",
        "--pin-env",
        "CUSTOMS_PIN",
        "--lang",
        "zh",
    ];
    bench.shield(&zh).expect(0, &["signData: ", "由模拟器（simulator）生成"]);
    let verify = ["verify", "signed/CEB621.xml", "signed/CEB311.xml", "--trust", "shield/ca.pem", "--role", "customs"];
    bench.shield(&verify).expect(0, &[]);
    bench.shield(&["verify", "order.p7m", "--trust", "shield/ca.pem", "--role", "bank"]).expect(0, &[]);
    assert_eq!(bench.tries(), [5, 6]);
}

#[test]
fn openssl_accepts_what_an_sm2_key_of_the_simulator_signs_and_its_certificates() {
    const NAME: &str = "openssl_accepts_sm2";
    if !has("openssl", NAME) {
        return;
    }
    let bench = Bench::new(NAME, &[]);
    bench.sign("bank", "BANK_PIN", &[]).expect(0, &["sm2-sm3"]);
    let judge = |file: &str| {
        bench.shell(&format!(
            "openssl x509 -in shield/bank.pem -noout -pubkey >bank.pub
             openssl dgst -sm3 -verify bank.pub -signature order.sig -sigopt distid:1234567812345678 {file}"
        ))
    };
    judge("order.txt").expect(0, &["Verified OK"]);
    fs::write(bench.dir.join("other.txt"), changed(bench.read("order.txt").as_bytes(), "CNY ")).unwrap();
    assert_ne!(judge("other.txt").code, 0);
    for party in ["customs", "bank"] {
        bench
            .shell(&format!("openssl verify -vfyopt distid:1234567812345678 -CAfile shield/ca.pem shield/{party}.pem"))
            .expect(0, &["OK"]);
    }
}

#[test]
fn the_same_story_runs_with_p256_keys() {
    let bench = Bench::new("p256", &["--algorithm", "p256"]);
    let declare = ["sign-declaration", "CEB621.xml", "--out-dir", "signed", "--pin-env", "CUSTOMS_PIN"];
    bench.shield(&declare).expect(0, &["ecdsa-p256-sha256", "made by a simulator"]);
    bench.shield(&["verify", "signed/CEB621.xml", "--trust", "shield/ca.pem", "--role", "customs"]).expect(0, &[]);
    if has("xmlsec1", "p256") {
        bench.shell("xmlsec1 --verify --trusted-pem shield/ca.pem signed/CEB621.xml").expect(0, &["OK"]);
    }
    bench.sign("bank", "BANK_PIN", &[]).expect(0, &["ecdsa-p256-sha256"]);
}

#[test]
fn a_throw_away_key_that_is_given_signs_the_document_of_the_vectors() {
    const NAME: &str = "given_key";
    if !has("openssl", NAME) {
        return;
    }
    let bench = Bench::empty(NAME);
    let vector = |name: &str| root().join("tests/vectors").join(name).to_str().unwrap().to_owned();
    let (key, certificate) = (vector("synthetic_sm2_throwaway.key"), vector("synthetic_sm2_cert.pem"));
    let given = ["--import-key", &key, "--import-certificate", &certificate];
    bench.make("desk.shield", &given).expect(0, &[]);
    // The vector's message without its Signature, and its octets that are signed.
    let message = fs::read_to_string(vector("synthetic_CEB311_sm2.xml")).unwrap();
    let (at, end) = (message.find("<ds:Signature ").unwrap(), message.find("</ds:Signature>").unwrap());
    bench.write("CEB311.xml", &format!("{}{}", &message[..at], &message[end + "</ds:Signature>".len()..]));
    let declare = ["sign-declaration", "CEB311.xml", "--out-dir", "signed", "--pin-env", "CUSTOMS_PIN"];
    bench.shield(&declare).expect(0, &["1 signed"]);
    let script = r#"
        openssl x509 -in CERT -noout -pubkey >key.pub
        hex=$(sed -n 's:.*<ds\:SignatureValue>\(.*\)</ds\:SignatureValue>.*:\1:p' signed/CEB311.xml | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
        printf 'asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' "${hex:0:64}" "${hex:64}" >signature.cnf
        openssl asn1parse -genconf signature.cnf -noout -out signature.der
        openssl dgst -sm3 -verify key.pub -signature signature.der -sigopt distid:1234567812345678 SIGNED"#;
    let script =
        script.replace("CERT", &certificate).replace("SIGNED", &vector("synthetic_CEB311_sm2_signedinfo.c14n"));
    bench.shell(&script).expect(0, &["Verified OK"]);
    // A key of another kind, and a certificate of another key.
    let other = Bench::empty("given_key_wrong");
    let rsa = vector("synthetic_rsa_throwaway.key");
    other.make("a.shield", &["--import-key", &rsa]).expect(2, &["SH-9002", "none of the kind"]);
    assert!(!other.dir.join("a.shield").exists() && !other.dir.join("shield/profile.toml").exists());
}

#[test]
fn a_state_file_is_used_by_one_program_and_only_if_it_is_one() {
    let bench = Bench::new("state_file", &[]);
    let with = |file: &str| bench.bare(&["--simulator", file, "list"]);
    with("missing.shield").expect(3, &["SH-102D"]);
    with("order.txt").expect(3, &["SH-102D"]);
    with(".").expect(3, &["SH-102D"]);
    bench.make("desk.shield", &["--dir", "other"]).expect(2, &["cannot be used multiple times"]);
    let again = ["--simulator", "desk.shield", "make-test-shield", "--dir", "other"];
    bench.bare(&again).expect(2, &["there already"]);
    // A watch has it; nobody else gets at it meanwhile.
    let mut watch = bench.command(built("shield"));
    watch.args(["--simulator", "desk.shield", "--profile", "shield/profile.toml", "watch", "--for", "20"]);
    let mut watch = watch.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(watch.stdout.take().unwrap()), &mut line).unwrap();
    bench.shield(&["list"]).expect(3, &["SH-102D", "one program at a time"]);
    let _ = watch.kill();
    let _ = watch.wait();
    bench.shield(&["list"]).expect(0, &[]);
    // What has no use there is refused and not passed over.
    for (args, words) in [
        (&["--one-token"][..], "--one-token has no use"),
        (&["--algorithm", "rsa2048"], "has no use"),
        (&["--label", "x"], "--label has no use"),
        (&["--dialect", "gm2999"], "gm2999 is no dialect; known are syno-2015, usbtool, gm3000"),
        (&["--customs-pin-env", "SHORT"], "PIN"),
    ] {
        let all = [&["--simulator", "new.shield", "make-test-shield", "--dir", "new"], args].concat();
        Ran::of(&bench.command(built("shield")).env("SHORT", "12345").args(&all).output().unwrap()).expect(2, &[words]);
        assert!(!bench.dir.join("new.shield").exists() && !bench.dir.join("new/profile.toml").exists(), "{args:?}");
    }
}

#[test]
fn a_shield_that_cannot_be_written_leaves_nothing_and_blames_no_driver() {
    let bench = Bench::empty("not_written");
    let make = |file: &str, dir: &str| bench.bare(&["--simulator", file, "make-test-shield", "--dir", dir]);
    let entries = || {
        let mut names: Vec<_> =
            fs::read_dir(&bench.dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let before = entries();
    make("no-folder/desk.shield", "shield").expect(3, &["SH-102D", "desk.shield has no folder"]);
    // The folder of its files cannot be one.
    make("desk.shield", "order.txt/shield").expect(7, &["SH-7002", "order.txt"]);
    assert_eq!(entries(), before);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", bench.dir.join("a.shield")).unwrap();
        let before = entries();
        let refused = make("a.shield", "shield").expect(7, &["SH-7002", "a.shield is there already"]);
        assert!(!refused.err.contains("driver"), "{}", refused.err);
        assert_eq!(entries(), before, "neither a folder nor a lock");
    }
    make("desk.shield", "shield").expect(0, &["SIM"]);
}

#[test]
fn doctor_says_that_it_looks_at_a_simulator_and_not_at_the_service() {
    let bench = Bench::new("doctor_simulator", &[]);
    let doctor = bench.shield(&["doctor"]).expect(0, &["Simulator: desk.shield"]);
    assert!(!doctor.out.contains("Smart-card service: runs"), "{}", doctor.out);
    assert_eq!(bench.shield(&["doctor", "--json"]).json()["services"][0]["state"], "simulator");
    bench.shield(&["doctor", "--lang", "zh"]).expect(0, &["模拟器：desk.shield"]);
}

#[test]
fn the_teaching_example_signs_in_process() {
    let bench = Bench::new("teaching", &[]);
    let run = |pin: &str| {
        let mut command = bench.command(built("simulated"));
        command.env("SHIELD_PIN", pin).args(["desk.shield", "shield/profile.toml", "CEB621.xml", "out.xml"]);
        Ran::of(&command.output().unwrap())
    };
    let ran = run(WRONG_PIN);
    assert!(ran.code != 0 && ran.err.contains("SH-2001") && !bench.dir.join("out.xml").exists(), "{}", ran.err);
    run(CUSTOMS_PIN).expect(0, &["customs certificate", "sm2-sm3", "note: made by a simulator"]);
    bench.shield(&["verify", "out.xml", "--trust", "shield/ca.pem", "--role", "customs"]).expect(0, &[]);
}
