//! The header and the symbols of the library.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::build::{Library, folder, symbols};

fn compiles(compiler: &str, arguments: &[&str], text: &str) {
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("header-{compiler}-{}.txt", std::process::id()));
    std::fs::write(&source, text).unwrap();
    let output = Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only"])
        .args(arguments)
        .arg("-I")
        .arg(folder().join("include"))
        .arg(source)
        .output()
        .unwrap_or_else(|e| panic!("{compiler}: {e}"));
    assert!(output.status.success(), "{compiler}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_header_compiles_as_c99_and_as_cpp_without_a_warning() {
    let text = "#include \"shared_shield.h\"\nint main(void) { return SHIELD_OK; }\n";
    compiles("gcc", &["-std=c99", "-x", "c"], text);
    compiles("g++", &["-std=c++98", "-Wno-long-long", "-x", "c++"], text);
    compiles("g++", &["-std=c++17", "-x", "c++"], text);
}

/// The functions of the header whose list of arguments holds what `wanted` looks for.
fn with_arguments(wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let header = std::fs::read_to_string(folder().join("include/shared_shield.h")).unwrap();
    let declared = |part: &str| {
        let (name, arguments) = part.split_once(';')?.0.split_once('(')?;
        wanted(&arguments.split_whitespace().collect::<Vec<_>>().join(" ")).then(|| name.to_owned())
    };
    header.split("SHIELD_CALL ").filter(|part| part.starts_with("shield_")).filter_map(declared).collect()
}

/// The functions that the header says take a handle: a pointer to one of its opaque structs.
pub fn takes_a_handle() -> BTreeSet<String> {
    let header = std::fs::read_to_string(folder().join("include/shared_shield.h")).unwrap();
    let opaque = |line: &str| line.strip_prefix("typedef struct ")?.strip_suffix(';').map(str::to_owned);
    let kinds: Vec<String> =
        header.lines().filter_map(opaque).map(|l| l.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(kinds.len(), 8, "{kinds:?}");
    with_arguments(|arguments| {
        arguments.split(',').any(|argument| {
            let argument = argument.trim().trim_start_matches("const ");
            kinds.iter().any(|kind| argument.starts_with(&format!("struct {kind} *")) && !argument.contains("**"))
        })
    })
}

/// The functions that the header says give something: all but those that only take a handle back.
pub fn gives_something() -> BTreeSet<String> {
    with_arguments(|arguments| arguments.contains("**") || arguments.contains("buffer") || arguments.contains("_t *"))
}

/// The functions that the shared library offers, whatever they are called.
fn exported(library: Library) -> BTreeSet<String> {
    let output = Command::new("nm")
        .args(["-D", "--defined-only", "--format=posix"])
        .arg(library.folder().join(format!("lib{}.so", library.name())))
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(|l| l.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn the_exported_symbols_are_exactly_the_committed_list() {
    assert_eq!(exported(Library::Plain), symbols());
    assert_eq!(exported(Library::Failpoints), symbols(), "failpoints add no symbol");
}
