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
    text.push_str(
        "\n/* How functions and dialogs are called: cdecl, which is only one of several ways on 32-bit Windows. */\n",
    );
    text.push_str("#ifdef _WIN32\n#define SHIELD_CALL __cdecl\n#else\n#define SHIELD_CALL\n#endif\n");
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
    with_calling_convention(&String::from_utf8(out).unwrap())
}

/// Puts `SHIELD_CALL` into every declaration of a function and of a function pointer, between result and name: the one place that all
/// compilers take, and one that cbindgen has no setting for. Lines of arguments move along.
fn with_calling_convention(header: &str) -> String {
    const CALL: &str = "SHIELD_CALL ";
    let (mut text, mut inside) = (String::new(), false);
    for line in header.lines() {
        let function = line.strip_prefix("uint32_t shield_").map(|rest| format!("uint32_t {CALL}shield_{rest}"));
        let pointer = line.strip_prefix("typedef uint32_t (*").map(|rest| format!("typedef uint32_t ({CALL}*{rest}"));
        let declaration = function.or(pointer);
        let (begins, indented) = (declaration.is_some(), format!("{}{line}", " ".repeat(CALL.len())));
        let line = declaration.unwrap_or(if inside { indented } else { line.to_owned() });
        inside = (begins || inside) && !line.ends_with(';');
        text.push_str(&line);
        text.push('\n');
    }
    text
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

/// The committed header's lines without comments.
fn code(header: &str) -> Vec<&str> {
    let comment =
        |line: &&str| ["//", "/*", " *"].iter().any(|start| line.trim_start_matches("    ").starts_with(start));
    header.lines().filter(|line| !comment(line)).collect()
}

#[test]
fn the_header_is_ascii_and_says_how_each_function_and_dialog_is_called() {
    let header = fs::read_to_string(folder().join("include/shared_shield.h")).unwrap();
    let odd = header.lines().position(|line| !line.is_ascii());
    assert_eq!(odd.map(|at| at + 1), None, "a line that compilers of other code pages read otherwise");
    let symbols = fs::read_to_string(folder().join("symbols.txt")).unwrap();
    for name in symbols.lines() {
        let declared = format!("uint32_t SHIELD_CALL {name}(");
        assert_eq!(code(&header).iter().filter(|line| line.starts_with(&declared)).count(), 1, "{name}");
    }
    // Nothing else in it is a function, and no pointer to one is without the word.
    let calls = code(&header).iter().filter(|line| line.contains("SHIELD_CALL ") && !line.starts_with('#')).count();
    let pointers = code(&header).iter().filter(|line| line.contains("(*")).count();
    let named = code(&header).iter().filter(|line| line.contains("(SHIELD_CALL *")).count();
    assert_eq!((calls, pointers, named), (symbols.lines().count() + 1, 0, 1));
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

/// Where unsafe code may stand: in this library at its borders, to C and to the plug-in (`border/plugin.rs`); in the plug-in, whose whole business
/// is a table of C functions, in the one file that has its pointers.
fn is_a_border(file: &Path) -> bool {
    file.parent().unwrap().ends_with("ffi/src/border") || file.ends_with("ffi/pcsc/src/border.rs")
}

#[test]
fn unsafe_code_lives_at_the_border_and_files_stay_short() {
    for (crate_of, borders) in [("src", 3), ("pcsc/src", 1)] {
        let mut with_unsafe = 0;
        for file in sources(&folder().join(crate_of)) {
            let text = fs::read_to_string(&file).unwrap();
            let code: Vec<_> = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
            // A pointer's type is none; whoever calls it has some.
            let code = code.iter().map(|l| l.replace("unsafe extern \"C\" fn(", ""));
            let is_unsafe = code.filter(|l| l.contains("unsafe ") || l.contains("unsafe(")).count() > 0;
            assert!(!is_unsafe || is_a_border(&file), "{} has unsafe code", file.display());
            with_unsafe += usize::from(is_unsafe);
            assert!(text.lines().count() <= 400, "{} is too long", file.display());
        }
        assert!(with_unsafe >= borders, "the search finds unsafe code where there is some");
    }
}
