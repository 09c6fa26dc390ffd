//! The committed header is what the sources say, and the committed list of symbols is what the header declares.
//!
//! `SHIELD_BLESS=1 cargo test -p shared-shield-ffi --test header` writes both anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use shield::ErrorKind;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `PinIncorrect` is `SHIELD_ERR_PIN_INCORRECT` in C.
fn c_name(kind: ErrorKind) -> String {
    let mut name = "SHIELD_ERR".to_owned();
    for letter in format!("{kind:?}").chars() {
        if letter.is_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// What the header has beside the functions: result codes from the table itself, and one helper.
fn preamble() -> String {
    let mut text =
        "\n/* Success. */\n#define SHIELD_OK 0\n\n/* Kinds of error; the numbers never change. */\n".to_owned();
    for kind in ErrorKind::ALL {
        writeln!(text, "#define {} 0x{:04X}", c_name(*kind), *kind as u32).unwrap();
    }
    text.push_str("\n/* The initialiser of a shield_text from a literal. */\n");
    text.push_str("#define SHIELD_TEXT(literal) { (literal), sizeof(literal) - 1 }\n");
    text
}

/// The sources as the compiler sees them after the macro `export!`. The switch that prints them is not for every day, hence
/// the variable for this one inner run of cargo; its build folder is its own.
fn expanded() -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("expand");
    let output = Command::new(env!("CARGO"))
        .args(["rustc", "--locked", "--package", "shared-shield-ffi", "--lib", "--profile", "check"])
        .args(["--", "-Zunpretty=expanded"])
        .current_dir(folder())
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn generated() -> String {
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("expanded.rs");
    fs::write(&source, expanded()).unwrap();
    let mut config = cbindgen::Config::from_file(folder().join("cbindgen.toml")).unwrap();
    config.after_includes = Some(preamble());
    let mut out = Vec::new();
    cbindgen::Builder::new().with_src(source).with_config(config).generate().unwrap().write(&mut out);
    String::from_utf8(out).unwrap()
}

/// Compares with the committed file, or writes it where that was asked for.
fn hold(committed: &Path, is: &str) {
    if std::env::var_os("SHIELD_BLESS").is_some() {
        fs::create_dir_all(committed.parent().unwrap()).unwrap();
        fs::write(committed, is).unwrap();
    }
    let was = fs::read_to_string(committed).unwrap_or_default();
    let differs = was.lines().zip(is.lines()).position(|(a, b)| a != b).map_or(0, |line| line + 1);
    assert!(was == is, "{} is out of date from line {differs}: run with SHIELD_BLESS=1", committed.display());
}

/// The functions that a header declares.
fn declared(header: &str) -> BTreeSet<String> {
    let words = header.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '(');
    let calls = words.filter_map(|w| w.split_once('(')).map(|(name, _)| name.to_owned());
    calls.filter(|name| name.starts_with("shield_")).collect()
}

#[test]
fn the_committed_header_and_the_list_of_symbols_are_what_the_sources_say() {
    let header = generated();
    hold(&folder().join("include/shared_shield.h"), &header);
    let symbols: String = declared(&header).into_iter().map(|name| name + "\n").collect();
    hold(&folder().join("symbols.txt"), &symbols);
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|e| if e.is_dir() { sources(&e) } else { vec![e] }).collect()
}

#[test]
fn unsafe_code_lives_at_the_border_and_files_stay_short() {
    let mut at_the_border = 0;
    for file in sources(&folder().join("src")) {
        let text = fs::read_to_string(&file).unwrap();
        let code: Vec<_> = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
        let is_unsafe = code.iter().filter(|l| l.contains("unsafe ") || l.contains("unsafe(")).count();
        if file.parent().unwrap().ends_with("border") {
            at_the_border += is_unsafe;
        } else {
            assert_eq!(is_unsafe, 0, "{} has unsafe code", file.display());
        }
        assert!(text.lines().count() <= 400, "{} is too long", file.display());
    }
    assert!(at_the_border > 0, "the search finds unsafe code where there is some");
}
