//! The teaching examples do what they teach, and stay short.

use std::fs;
use std::path::Path;

use crate::program::{CUSTOMS_PIN, Desk, Ran, built, root};

#[test]
fn the_teaching_examples_are_short() {
    for example in ["quickstart", "batch", "simulated"] {
        let text = fs::read_to_string(root().join(format!("examples/{example}.rs"))).unwrap();
        assert!(text.lines().count() <= 60, "{example} has {} lines", text.lines().count());
    }
}

#[test]
fn the_teaching_examples_sign_declarations() {
    let Some(desk) = Desk::new("the_teaching_examples_sign", &[]) else { return };
    fs::create_dir(desk.path("signed")).unwrap();
    let run = |example: &str, pin: &str, args: &[&str]| {
        let mut command = desk.command(built(example));
        command.env("SHIELD_PIN", pin).args([&desk.module, "shield/profile.toml"]).args(args);
        Ran::of(&command.output().unwrap())
    };
    run("quickstart", CUSTOMS_PIN, &["CEB621.xml", "signed/one.xml"])
        .expect(0, &["customs certificate", "ecdsa-p256-sha256"]);
    desk.write("bad.xml", "<x/>");
    run("batch", CUSTOMS_PIN, &["signed", "CEB621.xml", "bad.xml", "CEB311.xml"])
        .expect(0, &["CEB621.xml: signed with", "CEB311.xml: signed with", "bad.xml: refused", "SH-4007"]);
    assert_eq!(desk.names("signed"), ["CEB311.xml", "CEB621.xml", "one.xml"]);
    let files = ["signed/one.xml", "signed/CEB621.xml", "signed/CEB311.xml"];
    desk.shield(&[&["verify"], &files[..], &["--trust", "shield/ca.pem", "--role", "customs"]].concat()).expect(0, &[]);
    let ran = run("batch", "000000000000", &["signed", "CEB621.xml"]);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("SH-2001"), "{}", ran.err);
}

#[test]
fn the_readme_teaches_the_quickstart() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let example = fs::read_to_string(root().join("examples/quickstart.rs")).unwrap();
    let shown = readme.split("```rust\n").nth(1).and_then(|r| r.split("```").next()).unwrap();
    let lines: Vec<_> = shown.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    assert!((10..=20).contains(&lines.len()), "{} lines", lines.len());
    for line in lines {
        assert!(example.lines().any(|l| l.trim() == line), "not in examples/quickstart.rs: {line}");
    }
}

/// All Rust code of the library, its face in C, and their tests.
fn code() -> String {
    fn read(folder: &Path, text: &mut String) {
        for path in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
            if path.is_dir() && !path.ends_with("target") {
                read(&path, text);
            } else if path.extension().is_some_and(|e| e == "rs") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut text = String::new();
    for folder in ["src", "tests", "ffi"] {
        read(&root().join(folder), &mut text);
    }
    text
}

#[test]
fn every_test_that_the_readme_names_is_there() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let table = readme.split("## What always holds").nth(1).and_then(|r| r.split("\n## ").next()).unwrap();
    let code = code();
    let mut named = 0;
    for word in table.split('`').skip(1).step_by(2).filter(|w| w.matches('_').count() > 2) {
        assert!(code.contains(&format!("fn {word}(")), "there is no test {word}");
        named += 1;
    }
    assert!(named >= 13, "{named}");
}
