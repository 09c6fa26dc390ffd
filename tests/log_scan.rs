//! The whole demo at trace level, with PINs that stand out: no PIN in the log, in what is printed, or in any file that is made.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64ct::{Base64Unpadded, Encoding};

const CUSTOMS_PIN: &str = "905173826641";
const BANK_PIN: &str = "318264907755";
const WRONG_PIN: &str = "640219375108";
const NEW_PIN: &str = "572936180427";
const CUSTOMS_PUK: &str = "283047561990";
const BANK_PUK: &str = "796150348262";

/// The forms in which octets come to stand in logs: as they are, in hex, as lists of numbers, and in base64 at each of its three
/// alignments (without the characters that depend on the neighbours).
fn forms(pin: &str) -> Vec<(String, String)> {
    let octets = pin.as_bytes();
    let join = |each: &dyn Fn(&u8) -> String, between: &str| octets.iter().map(each).collect::<Vec<_>>().join(between);
    let mut forms = vec![("ASCII".to_owned(), pin.to_owned())];
    for between in ["", " ", ":", ", ", ","] {
        forms.push((format!("hex {between:?}"), join(&|o| format!("{o:02x}"), between)));
        forms.push((format!("HEX {between:?}"), join(&|o| format!("{o:02X}"), between)));
        forms.push((format!("0xhex {between:?}"), join(&|o| format!("0x{o:02x}"), between)));
        if !between.is_empty() {
            forms.push((format!("decimal {between:?}"), join(&|o| o.to_string(), between)));
        }
    }
    for shift in 0..3 {
        let shifted = [vec![0; shift], octets.to_vec()].concat();
        let text = Base64Unpadded::encode_string(&shifted);
        // The first characters hold bits of what stands before, the last one bits of what follows.
        let first = [0, 2, 3][shift];
        let whole = shifted.len() * 8 / 6;
        forms.push((format!("base64 at {shift}"), text[first..whole].to_owned()));
    }
    forms
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle.as_bytes())
}

/// What of the PINs is found in `octets`.
fn scan(octets: &[u8], pins: &[&str]) -> Vec<String> {
    pins.iter().flat_map(|pin| forms(pin)).filter(|(_, text)| holds(octets, text)).map(|(form, _)| form).collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            files(&entry, found);
        } else {
            found.push(entry);
        }
    }
}

fn program() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let program = deps.parent().and_then(Path::parent).unwrap().join("examples/shield");
    assert!(program.exists(), "{} is not there: build it with `cargo build --examples`", program.display());
    program
}

#[test]
fn the_scan_finds_a_planted_pin_in_every_form() {
    for (form, text) in forms(CUSTOMS_PIN) {
        let log = format!("12:00:00 TRACE a line\n12:00:01 TRACE sent {text} to the token\n");
        assert!(!scan(log.as_bytes(), &[CUSTOMS_PIN]).is_empty(), "{form} is not found: {text}");
        assert!(scan(log.as_bytes(), &[BANK_PIN]).is_empty());
    }
    for before in ["", "a", "ab", "abc"] {
        let log = Base64Unpadded::encode_string(format!("{before}{CUSTOMS_PIN}tail").as_bytes());
        assert!(!scan(log.as_bytes(), &[CUSTOMS_PIN]).is_empty(), "base64 after {before:?}");
    }
}

/// Runs the demo, looks for the PINs in everything that came of it but the device's own memory, and gives the log.
fn demo(name: &str, arguments: &[&str], memory: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let output = Command::new("bash")
        .arg("examples/demo")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("SHIELD_DEMO_PROGRAM", program())
        .env("SHIELD_DEMO_DIR", &folder)
        .env("SHIELD_DEMO_CUSTOMS_PIN", CUSTOMS_PIN)
        .env("SHIELD_DEMO_BANK_PIN", BANK_PIN)
        .env("SHIELD_DEMO_WRONG_PIN", WRONG_PIN)
        .env("SHIELD_DEMO_NEW_PIN", NEW_PIN)
        .env("SHIELD_DEMO_CUSTOMS_PUK", CUSTOMS_PUK)
        .env("SHIELD_DEMO_BANK_PUK", BANK_PUK)
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&printed));
    let pins = [CUSTOMS_PIN, BANK_PIN, WRONG_PIN, NEW_PIN, CUSTOMS_PUK, BANK_PUK];
    assert_eq!(scan(&printed, &pins), Vec::<String>::new(), "in what the demo prints");
    let mut found = Vec::new();
    files(&folder, &mut found);
    assert!(found.iter().any(|f| f.ends_with("shield.log")), "{found:?}");
    for file in found.iter().filter(|f| !f.components().any(|c| c.as_os_str() == memory)) {
        let octets = std::fs::read(file).unwrap();
        assert_eq!(scan(&octets, &pins), Vec::<String>::new(), "in {}", file.display());
    }
    let log = std::fs::read_to_string(folder.join("shield.log")).unwrap();
    assert!(log.contains("TRACE"), "the log is at trace level");
    assert!(log.lines().count() >= 20, "{} lines", log.lines().count());
    std::fs::remove_dir_all(&folder).unwrap();
    log
}

#[test]
fn a_trace_log_of_the_whole_demo_holds_no_pin() {
    demo("log-scan", &[], "tokens");
}

/// The cards of GM/T 0017 get no PIN but a cryptogram over a random number: who has both can try PINs at leisure.
#[cfg(feature = "simulator")]
#[test]
fn a_trace_log_of_the_demo_on_the_simulator_holds_nothing_to_guess_a_pin_from() {
    let log = demo("log-scan-simulator", &["--simulator"], "desk.shield");
    let mut seen = std::collections::BTreeSet::new();
    let mut random = false;
    for line in log.lines() {
        let Some((_, said)) = line.split_once("apdu: ") else { continue };
        let shown = said.split(" reader=").next().unwrap();
        // CLA INS P1 P2 and a count; of an answer its status words and a count.
        if let Some(command) = shown.strip_prefix("-> ") {
            random = command.starts_with("80 50 ");
            for ins in ["80 50", "80 18", "84 16", "84 1A"].into_iter().filter(|ins| command.starts_with(ins)) {
                seen.insert(ins);
                let rest = command.split_at("80 18 00 00".len()).1;
                assert!(rest.starts_with(" (") && rest.ends_with(" octets)"), "{line}");
            }
        } else if random && shown.starts_with("<- ") {
            assert_eq!(shown, "<- (8 octets) 90 00", "{line}");
        }
    }
    // Randoms, PINs that are shown, and one that an office sets anew.
    assert!(["80 50", "80 18", "84 1A"].iter().all(|ins| seen.contains(ins)), "{seen:?}");
}
