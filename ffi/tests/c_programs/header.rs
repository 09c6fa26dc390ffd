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
