//! The program on the shield in software: SM2 keys, two applications with a PIN each, no SoftHSM and no smart-card service.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{BANK_PIN, CUSTOMS_PIN, Ran, WRONG_PIN, built, changed, has, root};

const CUSTOMS_PUK: &str = "660184935527";
const BANK_PUK: &str = "118365002794";
const NEW_PIN: &str = "904417226358";

/// A private folder with a shield in software, removed when the test has passed.
struct Bench {
    dir: PathBuf,
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

impl Bench {
    fn empty(name: &str) -> Bench {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("simulated-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        for sample in ["CEB621.xml", "CEB311.xml", "order.txt"] {
            fs::copy(root().join("examples/data").join(sample), dir.join(sample)).unwrap();
        }
        Bench { dir }
    }

    fn new(name: &str, options: &[&str]) -> Bench {
        let bench = Bench::empty(name);
        bench.make("desk.shield", options).expect(0, &["SIM", "--simulator desk.shield"]);
        bench
    }

    fn make(&self, file: &str, options: &[&str]) -> Ran {
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
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
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

    fn bare(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(built("shield")).args(args).output().unwrap())
    }

    fn shield(&self, args: &[&str]) -> Ran {
        self.bare(&[&["--simulator", "desk.shield", "--profile", "shield/profile.toml"], args].concat())
    }

    fn sign(&self, role: &str, pin: &str, more: &[&str]) -> Ran {
        let args = ["sign-raw", "--role", role, "order.txt", "--out", "order.sig", "--overwrite", "--pin-env", pin];
        self.shield(&[&args, more].concat())
    }

    /// Tries left of customs and bank, from the list for programs.
    fn tries(&self) -> [u64; 2] {
        let list = self.shield(&["list", "--json"]).json();
        let of = |role: &str| {
            let all = list["shields"][0]["certificates"].as_array().unwrap();
            let one = all.iter().find(|c| c["role"] == role && c["standing"] == "serves").unwrap();
            one["tries"]["left"].as_u64().unwrap()
        };
        [of("customs"), of("bank")]
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap()
    }

    /// The profile with one text put in the place of another.
    fn profile(&self, from: &str, to: &str) {
        let text = self.read("shield/profile.toml");
        assert!(text.contains(from), "{text}");
        self.write("shield/profile.toml", &text.replace(from, to));
    }

    fn serial(&self) -> String {
        self.shield(&["list", "--json"]).json()["shields"][0]["serial"].as_str().unwrap().to_owned()
    }

    fn shell(&self, script: &str) -> Ran {
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
fn wrong_pins_of_one_party_are_nothing_to_the_other_and_each_office_unlocks_its_own() {
    let bench = Bench::new("wrong_pins", &[]);
    for left in [4, 3, 2, 1] {
        bench.sign("customs", "WRONG_PIN", &[]).expect(4, &["SH-2001"]);
        assert_eq!(bench.tries(), [left, 6]);
    }
    // The fifth is refused by us, even the right one, and the bank is not concerned.
    bench.sign("customs", "CUSTOMS_PIN", &[]).expect(4, &["SH-2003", "e-port"]);
    assert_eq!(bench.tries(), [1, 6]);
    bench.sign("bank", "BANK_PIN", &[]).expect(0, &["bank certificate"]);
    bench
        .sign("customs", "WRONG_PIN", &["--spend-last-try"])
        .expect(4, &["SH-2002", "other certificate is not affected"]);
    let locked = bench.sign("customs", "CUSTOMS_PIN", &[]).expect(4, &["SH-2002"]);
    assert!(!locked.err.contains("bank that issued"), "{}", locked.err);
    bench.sign("bank", "BANK_PIN", &[]).expect(0, &[]);
    bench.shield(&["doctor"]).expect(4, &["SH-2002"]);

    let unblock =
        |puk: &str| bench.shield(&["unblock", "--role", "customs", "--puk-env", puk, "--new-pin-env", "NEW_PIN"]);
    unblock("BANK_PUK").expect(4, &["SH-200F"]);
    bench.sign("bank", "BANK_PIN", &[]).expect(0, &[]);
    unblock("CUSTOMS_PUK").expect(0, &["unlocked the customs PIN"]);
    assert_eq!(bench.tries(), [5, 6]);
    bench.sign("customs", "NEW_PIN", &[]).expect(0, &["customs certificate"]);

    // And the reverse: the bank's tries are the bank's.
    bench.sign("bank", "WRONG_PIN", &[]).expect(4, &["SH-2001"]);
    assert_eq!(bench.tries(), [5, 5]);
}

#[test]
fn a_pin_is_changed_for_its_own_party_alone() {
    let bench = Bench::new("a_pin_is_changed", &[]);
    let change = |role: &str, from: &str, to: &str| {
        bench.shield(&["change-pin", "--role", role, "--pin-env", from, "--new-pin-env", to])
    };
    let changed = change("customs", "CUSTOMS_PIN", "NEW_PIN").expect(0, &["changed the customs PIN"]);
    assert!(!changed.out.contains("also opens"), "{}", changed.out);
    bench.sign("customs", "CUSTOMS_PIN", &[]).expect(4, &["SH-2001"]);
    bench.sign("customs", "NEW_PIN", &[]).expect(0, &[]);
    bench.sign("bank", "NEW_PIN", &[]).expect(4, &["SH-2001"]);
    bench.sign("bank", "BANK_PIN", &[]).expect(0, &[]);
    // What the maker set is gone for customs, and the bank's is still there.
    let list = bench.shield(&["list", "--json"]).json();
    for one in list["shields"][0]["certificates"].as_array().unwrap().iter().filter(|c| c["standing"] == "serves") {
        assert_eq!(one["factory_pin"], one["role"] == "bank", "{one:#}");
    }
    bench.shield(&["doctor", "--json"]).expect(0, &["DR-005", "DR-006"]);

    // There are two unlock codes, so one has to be meant.
    let puk = |more: &[&str]| {
        bench.shield(&[&["change-puk", "--puk-env", "CUSTOMS_PUK", "--new-puk-env", "NEW_PIN"], more].concat())
    };
    puk(&[]).expect(2, &["there is a PIN for each role"]);
    puk(&["--role", "bank"]).expect(4, &["SH-200F"]);
    puk(&["--role", "customs"]).expect(0, &["changed the unlock code"]);
    puk(&["--role", "customs"]).expect(4, &["SH-200F"]);
}

#[test]
fn a_device_whose_dialect_nobody_names_is_listed_and_gets_no_pin() {
    let bench = Bench::new("dialect_missing", &[]);
    let serial = bench.serial();
    bench.profile("[[cards.dialect]]", "[[shield]]\nserials = [\"a\", \"b\"]\n[[not.read]]");
    bench.shield(&["list"]).expect(7, &["SH-6003"]);
    let text = bench.read("shield/profile.toml");
    bench.write("shield/profile.toml", text.split("\n[[shield]]").next().unwrap());
    bench.shield(&["list"]).expect(0, &["dialect not named: no PIN is sent", "eport:sign", "tries left: 5"]);
    // The PIN is not even read: a descriptor that is not open would be an error of its own.
    let args = ["sign-raw", "--role", "customs", "order.txt", "--out", "x.sig", "--pin-fd", "77"];
    bench.shield(&args).expect(3, &["SH-102A", "no try was used", "[[cards.dialect]]"]);
    bench.sign("bank", "BANK_PIN", &["--try-dialect"]).expect(3, &["SH-102A"]);
    bench.shield(&["change-pin", "--role", "bank", "--pin-fd", "77", "--new-pin-fd", "78"]).expect(3, &["SH-102A"]);
    bench.shield(&["unblock", "--role", "bank", "--puk-fd", "77", "--new-pin-fd", "78"]).expect(3, &["SH-102A"]);
    assert_eq!(bench.tries(), [5, 6]);
    let doctor = bench
        .shield(&["doctor"])
        .expect(3, &["SH-102A", "atr = ", "manufacturer = \"simulator\"", "model = \"GM/T 0017"]);
    assert_eq!(doctor.out.matches("BAD").count(), 1, "one finding for the device: {}", doctor.out);
    bench.shield(&["doctor", "--bundle", "bundle.txt"]).expect(3, &[]);
    let bundle = bench.read("bundle.txt");
    assert!(bundle.contains("dialect not known") && !bundle.contains(&serial), "{bundle}");
}

#[test]
fn a_dialect_that_was_never_proved_needs_a_word_and_then_the_profile_is_told() {
    let bench = Bench::new("dialect_unproven", &[]);
    let serial = bench.serial();
    let proven = format!("proven = [\"{serial}\"]");
    bench.profile(&proven, "proven = [\"SIM-OTHER\"]");
    bench.shield(&["list"]).expect(0, &["dialect syno-2015, never accepted by this device"]);
    bench.sign("customs", "CUSTOMS_PIN", &[]).expect(3, &["SH-102B", "--try-dialect"]);
    bench.shield(&["doctor"]).expect(3, &["SH-102B", "the dialect is syno-2015"]);
    assert_eq!(bench.tries(), [5, 6]);
    let line = format!("proven = [\"SIM-OTHER\", \"{serial}\"]");
    bench.sign("customs", "CUSTOMS_PIN", &["--try-dialect"]).expect(0, &[&line]);
    let declare =
        ["sign-declaration", "CEB621.xml", "--out-dir", "signed", "--pin-env", "CUSTOMS_PIN", "--try-dialect"];
    bench.shield(&declare).expect(0, &["1 signed", &line]);
    // The device has no memory of it: it is the profile that has to be told.
    bench.sign("customs", "CUSTOMS_PIN", &[]).expect(3, &["SH-102B"]);
    bench.profile("proven = [\"SIM-OTHER\"]", &line);
    let quiet = bench.sign("customs", "CUSTOMS_PIN", &["--try-dialect"]).expect(0, &[]);
    assert!(!quiet.err.contains("proven ="), "{}", quiet.err);
    bench.sign("customs", "CUSTOMS_PIN", &[]).expect(0, &[]);
}

#[test]
fn a_wrong_dialect_costs_a_try_at_a_time_and_ends_at_two() {
    let bench = Bench::new("dialect_wrong", &["--dialect", "usbtool"]);
    let proven = format!("proven = [\"{}\"]", bench.serial());
    bench.profile("name = \"usbtool\"", "name = \"gm3000\"");
    bench.profile(&proven, "proven = []");
    for left in [4, 3, 2] {
        let refused = bench.sign("customs", "CUSTOMS_PIN", &["--try-dialect"]).expect(4, &["SH-2001"]);
        assert!(!refused.err.contains("proven ="), "{}", refused.err);
        assert_eq!(bench.tries(), [left, 6]);
    }
    bench.sign("customs", "CUSTOMS_PIN", &["--try-dialect"]).expect(3, &["SH-102B"]);
    assert_eq!(bench.tries(), [2, 6]);
    // A name that no driver speaks is a mistake in the profile.
    bench.profile("name = \"gm3000\"", "name = \"gm2999\"");
    bench.shield(&["list"]).expect(7, &["SH-6001", "dialect"]);
}

#[test]
fn the_other_dialects_sign_and_do_not_change_pins() {
    for dialect in ["usbtool", "gm3000"] {
        let bench = Bench::new(dialect, &["--dialect", dialect]);
        bench.shield(&["list"]).expect(0, &[&format!("dialect {dialect}, accepted")]);
        bench.sign("customs", "CUSTOMS_PIN", &[]).expect(0, &["sm2-sm3"]);
        bench.sign("bank", "BANK_PIN", &[]).expect(0, &[]);
        let change =
            bench.shield(&["change-pin", "--role", "bank", "--pin-env", "BANK_PIN", "--new-pin-env", "NEW_PIN"]);
        assert_ne!(change.code, 0, "{}", change.out);
        assert!(change.err.contains("SH-9001") || change.err.contains("SH-102A"), "{}", change.err);
        assert_eq!(bench.tries(), [5, 6]);
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
        (&["--dialect", "gm2999"], "no dialect"),
        (&["--customs-pin-env", "SHORT"], "PIN"),
    ] {
        let all = [&["--simulator", "new.shield", "make-test-shield", "--dir", "new"], args].concat();
        Ran::of(&bench.command(built("shield")).env("SHORT", "12345").args(&all).output().unwrap()).expect(2, &[words]);
        assert!(!bench.dir.join("new.shield").exists() && !bench.dir.join("new/profile.toml").exists(), "{args:?}");
    }
}
