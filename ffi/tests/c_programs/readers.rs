//! Readers through the library that knows PC/SC, and what happens where it, or what it needs, is missing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::{Library, Program, Tool, compile, compile_with, ready, run_in, scratch};
use super::desk::{self, BANK_PIN, Keys};
use super::softhsm;

const LIBRARY: &str = "libshared_shield.so";
const PLUG_IN: &str = "libshared_shield_pcsc.so";
const TOOLS: [Tool; 3] = [Tool::None, Tool::AddressSanitizer, Tool::Valgrind];

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn told(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The libraries that a library is linked with.
fn needed(file: &Path) -> BTreeSet<String> {
    let name = |line: &str| Some(line.split_once("(NEEDED)")?.1.split_once('[')?.1.split_once(']')?.0.to_owned());
    let names: BTreeSet<_> =
        told(Command::new("readelf").args(["--dynamic", "--wide"]).arg(file)).lines().filter_map(name).collect();
    assert!(!names.is_empty(), "{}: the list could not be read", file.display());
    names
}

#[test]
fn the_library_loads_without_pcsclite_and_only_the_plug_in_needs_it() {
    let with_pcsc = |name: &str| {
        let all = needed(&Library::Plain.folder().join(name));
        all.into_iter().filter(|name| name.contains("pcsc")).collect::<Vec<_>>()
    };
    assert_eq!(with_pcsc(LIBRARY), [""; 0]);
    assert_eq!(with_pcsc("libshared_shield_failpoints.so"), [""; 0]);
    assert_eq!(with_pcsc(PLUG_IN), ["libpcsclite.so.1"]);
}

#[test]
fn the_plug_in_exports_one_symbol() {
    let mut nm = Command::new("nm");
    nm.args(["-D", "--defined-only", "--format=posix"]).arg(Library::Plain.folder().join(PLUG_IN));
    let names: Vec<_> = told(&mut nm).lines().map(|l| l.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["shared_shield_pcsc_1"]);
}

/// A folder with a copy of the library, and with what `plug_in` puts beside it; it goes with this value.
struct Installed(PathBuf);

impl Installed {
    fn new(name: &str, plug_in: impl FnOnce(&Path)) -> Self {
        let folder = scratch().join(format!("installed-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(Library::Plain.folder().join(LIBRARY), folder.join(LIBRARY)).unwrap();
        plug_in(&folder);
        Installed(folder)
    }

    fn compile(&self, tool: Tool) -> Program {
        let program = self.0.join(format!("readers-{tool:?}"));
        let folder = self.0.display();
        let words = [format!("-L{folder}"), "-lshared_shield".into(), format!("-Wl,-rpath,{folder}")];
        compile_with("tests/readers.c", tool, program, &words)
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A library of C, beside another or alone.
fn library(file: &Path, source: &str, words: &[&str]) {
    let c = file.with_extension("c");
    fs::write(&c, source).unwrap();
    told(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(file).arg(&c).args(words));
}

/// Under each tool: a scan of readers says that something is missing and what; modules are used all the same.
fn misses(name: &str, plug_in: impl Fn(&Path), detail: impl Fn(&Path) -> String) {
    ready();
    softhsm::story(&format!("readers::{name}"), |hsm| {
        desk::make(hsm, Keys::P256);
        let installed = Installed::new(name, &plug_in);
        let arguments = [
            "ServiceMissing".to_owned(),
            detail(&installed.0),
            softhsm::MODULE.to_owned(),
            text(&hsm.dir().join("profile.toml")),
            BANK_PIN.to_owned(),
        ];
        for tool in TOOLS {
            run_in(&installed.compile(tool), tool, &arguments, "", |_| {}).passed();
        }
    });
}

#[test]
fn without_the_plug_in_modules_work_and_a_scan_of_readers_names_what_is_missing() {
    misses(
        "without_the_plug_in_modules_work_and_a_scan_of_readers_names_what_is_missing",
        |_| {},
        |folder| format!("{PLUG_IN} is not in {}", folder.display()),
    );
}

#[test]
fn without_pcsclite_modules_work_and_a_scan_of_readers_names_what_is_missing() {
    let gone = "libpcsclite-not-here.so.1";
    misses(
        "without_pcsclite_modules_work_and_a_scan_of_readers_names_what_is_missing",
        |folder| {
            let needs = folder.join(gone);
            let soname = format!("-Wl,-soname,{gone}");
            library(&needs, "int SCardEstablishContext(void) { return 0; }\n", &[&soname]);
            let calls = "int SCardEstablishContext(void);\nint shared_shield_pcsc_1(void) { return SCardEstablishContext(); }\n";
            library(&folder.join(PLUG_IN), calls, &[needs.to_str().unwrap()]);
            fs::remove_file(needs).unwrap();
            assert!(needed(&folder.join(PLUG_IN)).contains(gone));
        },
        |_| gone.to_owned(),
    );
}

/// The plug-in itself, and a libpcsclite that is none, or one that lacks functions: found when it is opened, not in the middle of a call.
#[test]
fn a_broken_pcsclite_is_named_as_missing() {
    let installed = Installed::new("broken", |folder| {
        fs::copy(Library::Plain.folder().join(PLUG_IN), folder.join(PLUG_IN)).unwrap();
        fs::create_dir(folder.join("broken")).unwrap();
    });
    let broken = installed.0.join("broken");
    let pcsclite = broken.join("libpcsclite.so.1");
    let program = installed.compile(Tool::None);
    let says = |what: &str| {
        run_in(&program, Tool::None, &["ServiceMissing", what], "", |command| {
            command.env("LD_LIBRARY_PATH", &broken);
        })
        .passed();
    };
    fs::write(&pcsclite, "").unwrap();
    says("libpcsclite.so.1");
    fs::remove_file(&pcsclite).unwrap();
    library(&pcsclite, "int SCardEstablishContext(void) { return 0; }\n", &["-Wl,-soname,libpcsclite.so.1"]);
    says("undefined symbol: SCard");
}

/// Whoever sets the environment or the working directory of a program does not choose what it loads.
#[test]
fn a_plug_in_elsewhere_is_not_loaded() {
    let installed = Installed::new("elsewhere", |_| {});
    let elsewhere = installed.0.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::copy(Library::Plain.folder().join(PLUG_IN), elsewhere.join(PLUG_IN)).unwrap();
    let missing = format!("{PLUG_IN} is not in {}", installed.0.display());
    run_in(&installed.compile(Tool::None), Tool::None, &["ServiceMissing", &missing], "", |command| {
        command.current_dir(&elsewhere).env("LD_LIBRARY_PATH", &elsewhere);
    })
    .passed();
}

#[test]
fn a_plug_in_of_another_version_is_refused_before_it_is_called() {
    let older = "int shared_shield_pcsc_0(void) { return 0; }\n";
    let shorter = "#include <stddef.h>\n#include <stdlib.h>\n\
                   static struct { size_t size; unsigned abi, more; void (*call[9])(void); } table = {sizeof table, 1, 0, {abort}};\n\
                   const void *shared_shield_pcsc_1(void) { return &table; }\n";
    let newer = "#include <stddef.h>\n#include <stdlib.h>\n\
                 static struct { size_t size; unsigned abi, more; void (*call[99])(void); } table = {sizeof table, 2, 0, {abort}};\n\
                 const void *shared_shield_pcsc_1(void) { return &table; }\n";
    let none = "const void *shared_shield_pcsc_1(void) { return 0; }\n";
    let other = "is of another version";
    for (name, source, what) in [
        ("older", older, "shared_shield_pcsc_1"),
        ("shorter", shorter, other),
        ("newer", newer, other),
        ("none", none, other),
    ] {
        let installed = Installed::new(name, |folder| library(&folder.join(PLUG_IN), source, &["-Wl,--as-needed"]));
        run_in(&installed.compile(Tool::None), Tool::None, &["ServiceMissing", what], "", |_| {}).passed();
    }
}

#[test]
fn a_service_that_does_not_run_is_said() {
    for tool in TOOLS {
        let program = compile("tests/readers.c", Library::Plain, tool);
        run_in(&program, tool, &["ServiceStopped", ""], "", |command| {
            command.env("PCSCLITE_CSOCK_NAME", "/no/such/socket");
        })
        .passed();
    }
}

/// With the static library the plug-in lies in the folder of the program.
#[test]
fn a_program_with_the_library_inside_finds_the_plug_in_beside_itself() {
    let installed = Installed::new("static", |_| {});
    let archive = text(&Library::Plain.folder().join("libshared_shield.a"));
    let more = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"];
    let words: Vec<_> = [archive].into_iter().chain(more.map(str::to_owned)).collect();
    let program = compile_with("tests/readers.c", Tool::None, installed.0.join("static"), &words);
    let missing = format!("{PLUG_IN} is not in {}", installed.0.display());
    let nowhere = |command: &mut Command| {
        command.env("PCSCLITE_CSOCK_NAME", "/no/such/socket");
    };
    run_in(&program, Tool::None, &["ServiceMissing", &missing], "", nowhere).passed();
    fs::copy(Library::Plain.folder().join(PLUG_IN), installed.0.join(PLUG_IN)).unwrap();
    run_in(&program, Tool::None, &["ServiceStopped", ""], "", nowhere).passed();
}
