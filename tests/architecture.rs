//! The frame holds: which room may import which, where unsafe code lives, how long files are, what dependencies ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Room, and the rooms it may import. Leaves first: a room may only name rooms that stand above it, so no cycle can arise.
const ROOMS: &[(&str, &[&str])] = &[
    // Documentation, and the table of findings that `verify` is made of: code and page cannot part.
    ("manual", &[]),
    ("role", &[]),
    ("tries", &[]),
    ("error", &["role", "tries"]),
    ("policy", &["role"]),
    ("pin", &["error", "role"]),
    ("wait", &["error", "policy"]),
    ("suite", &["error"]),
    // Names that profiles and formats share; profiles stand above formats.
    ("identifiers", &["suite"]),
    ("source", &["error", "suite"]),
    ("note", &[]),
    ("atomic", &["error"]),
    ("cert", &["error", "policy", "suite"]),
    ("apdu", &["error", "policy"]),
    ("link", &["apdu", "error", "policy", "wait"]),
    // A whole shield in software. It imports nothing of `token`: what it shares with a driver would prove nothing.
    ("simulator", &["atomic", "error", "link", "policy", "wait"]),
    ("token", &["apdu", "cert", "door", "error", "link", "pin", "policy", "suite", "tries", "wait"]),
    ("door", &["error", "link", "policy", "token", "wait"]),
    ("card", &["apdu", "cert", "door", "error", "link", "policy", "token", "wait"]),
    ("profile", &["cert", "door", "error", "identifiers", "link", "policy", "role", "token"]),
    ("verify", &["cert", "error", "manual", "policy", "profile", "role", "suite"]),
    ("format", &["cert", "error", "identifiers", "note", "policy", "role", "source", "suite", "verify"]),
    ("credential", &["cert", "door", "error", "profile", "role", "token"]),
    ("prompt", &["error", "pin", "role", "suite", "tries"]),
    ("receipt", &["cert", "door", "note", "role", "suite", "tries"]),
    ("request", &["credential", "error", "format", "policy", "role", "source", "suite", "tries"]),
    (
        "shield",
        &[
            "cert",
            "credential",
            "door",
            "error",
            "format",
            "note",
            "pin",
            "policy",
            "profile",
            "prompt",
            "receipt",
            "request",
            "role",
            "source",
            "suite",
            "token",
            "tries",
            "wait",
        ],
    ),
    (
        "scan",
        &[
            "card",
            "cert",
            "credential",
            "door",
            "error",
            "link",
            "policy",
            "profile",
            "role",
            "shield",
            "token",
            "wait",
        ],
    ),
    ("watch", &["error", "link", "scan", "shield", "wait"]),
    // Above everything that signs one document.
    ("batch", &["atomic", "cert", "error", "policy", "receipt", "request", "shield", "source", "suite", "wait"]),
    // It looks at everything that stands between a person and a signature, and is asked by nobody inside.
    (
        "doctor",
        &[
            "card",
            "cert",
            "credential",
            "door",
            "error",
            "link",
            "policy",
            "role",
            "scan",
            "shield",
            "token",
            "tries",
            "verify",
            "wait",
        ],
    ),
];

/// `token` and `door` are two sides of one seam: a door leases a token, a kind of token offers doors.
const SEAM: (&str, &str) = ("token", "door");

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(folder, &mut found);
    found.sort();
    assert!(!found.is_empty(), "{} holds no source", folder.display());
    found
}

/// Folders without sources, such as one of sample documents, are fine below the top.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            walk(&entry, found);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            found.push(entry);
        }
    }
}

fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("src")).unwrap();
    inside.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Unit tests may look into any room: they are no part of what is built.
fn is_test(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
}

/// Rooms named by `crate::room` in code; comments and docs do not count, nor do the unit tests at a file's end.
fn imports(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
        for part in line.split("crate::").skip(1) {
            let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            rooms.insert(name);
        }
        assert!(!line.contains("use crate::{"), "grouped imports hide rooms from this test: {line}");
    }
    rooms
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    let table: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in sources(&root().join("src")) {
        let room = room_of(&file);
        if room == "lib" || is_test(&file) {
            continue;
        }
        let Some(allowed) = table.get(room.as_str()) else {
            wrong.push(format!("{}: the room `{room}` is not in the table", file.display()));
            continue;
        };
        for used in imports(&fs::read_to_string(&file).unwrap()) {
            if used != room && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: `{room}` may not import `{used}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_of_rooms_has_no_cycle() {
    let place: BTreeMap<_, _> = ROOMS.iter().enumerate().map(|(i, (room, _))| (*room, i)).collect();
    for (room, allowed) in ROOMS {
        for used in *allowed {
            let fine = place[used] < place[room] || (*room, *used) == SEAM;
            assert!(fine, "`{room}` names `{used}`, which stands below it");
        }
    }
}

#[test]
fn formats_never_see_a_token_and_tokens_never_see_a_document() {
    let table: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    for hidden in ["token", "door", "shield", "prompt", "pin"] {
        assert!(!table["format"].contains(&hidden), "format must not know {hidden}");
    }
    for hidden in ["format", "source", "request", "prompt", "credential", "profile"] {
        assert!(!table["token"].contains(&hidden), "token must not know {hidden}");
    }
    for hidden in ["token", "pin", "door", "role", "format"] {
        assert!(!table["link"].contains(&hidden), "a link must not know {hidden}");
        assert!(!table["apdu"].contains(&hidden), "commands must not know {hidden}");
    }
}

#[test]
fn unsafe_code_lives_in_its_one_file() {
    let mut rooms = Vec::new();
    for file in sources(&root().join("src")).into_iter().chain(sources(&root().join("examples"))) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
        if code.clone().any(|l| {
            l.contains("unsafe {")
                || l.contains("unsafe fn")
                || l.contains("unsafe impl")
                || l.contains("unsafe extern")
        }) {
            rooms.push(file.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
        }
    }
    assert_eq!(rooms, ["src/token/pkcs11/raw.rs"], "unsafe code has one place in the library");
}

/// What cargo and the fuzzer leave behind, and the header that cbindgen writes.
const NOT_OURS: &[&str] = &["target", "corpus", "artifacts", "coverage", "shared_shield.h"];

/// Every file in Rust and C that is written by hand, tests and their helpers too.
fn written(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy();
        if NOT_OURS.contains(&&*name) || name.starts_with('.') {
            continue;
        }
        if entry.is_dir() {
            written(&entry, found);
        } else if entry.extension().is_some_and(|e| e == "rs" || e == "c" || e == "h") {
            found.push(entry);
        }
    }
}

#[test]
fn files_stay_short() {
    let mut files = Vec::new();
    for folder in ["src", "examples", "tests", "benches", "ffi", "fuzz"] {
        let before = files.len();
        written(&root().join(folder), &mut files);
        assert!(files.len() > before, "{folder} holds no source");
    }
    let long: Vec<_> = files
        .into_iter()
        .map(|f| (fs::read_to_string(&f).unwrap().lines().count(), f))
        .filter(|(lines, _)| *lines > 400)
        .collect();
    assert!(long.is_empty(), "over 400 lines: {long:?}");
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Name and version of every crate that the library is built from, on any system.
fn tree() -> BTreeSet<String> {
    cargo(&["tree", "--locked", "--all-features", "-e", "no-dev", "--target", "all", "--prefix", "none", "-f", "{p}"])
        .lines()
        .filter_map(|l| {
            let mut words = l.split_whitespace();
            Some(format!("{} {}", words.next()?, words.next()?.trim_start_matches('v')))
        })
        .collect()
}

fn version(text: &str) -> Vec<u32> {
    text.split('.').map(|n| n.parse().unwrap()).collect()
}

#[test]
fn no_dependency_asks_for_a_newer_compiler_than_we_promise() {
    let metadata: serde_json::Value =
        serde_json::from_str(&cargo(&["metadata", "--locked", "--format-version", "1"])).unwrap();
    let ours = version("1.88");
    let tree = tree();
    let (mut looked_at, mut newer) = (0, Vec::new());
    for package in metadata["packages"].as_array().unwrap() {
        let name = format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        if !tree.contains(&name) {
            continue;
        }
        looked_at += 1;
        if package["name"] == "shared-shield" {
            assert_eq!(package["rust_version"], "1.88");
        }
        if package["rust_version"].as_str().is_some_and(|v| version(v)[..2] > ours[..]) {
            newer.push(format!("{name} wants {}", package["rust_version"]));
        }
    }
    assert_eq!(looked_at, tree.len(), "every crate of the tree was looked at");
    assert!(newer.is_empty(), "{newer:?}");
}

#[test]
fn there_is_one_generation_of_der_and_digest() {
    for name in ["der", "digest", "spki", "const-oid", "signature", "x509-cert"] {
        let versions: Vec<_> = tree().into_iter().filter(|c| c.split(' ').next() == Some(name)).collect();
        assert_eq!(versions.len(), 1, "{versions:?}");
    }
}
