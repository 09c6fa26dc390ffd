//! Builds the library as it is given away, the one with failpoints, and C programs against them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// A C program that takes longer than this has hung.
const LONGEST: Duration = Duration::from_secs(240);

pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn vectors() -> PathBuf {
    folder().parent().unwrap().join("tests/vectors")
}

pub fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// One build of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// As it is given away.
    Plain,
    /// With failpoints; it never stands where a program could take it for the other.
    Failpoints,
}

/// Builds both and the library that knows PC/SC, with the packages that the tests were built with. A story's child process finds them built.
static BUILT: LazyLock<()> = LazyLock::new(|| {
    if std::env::var_os("SHIELD_STORY_DIR").is_some() {
        return;
    }
    let output = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--lib", "-p", "shared-shield-ffi", "-p", "shared-shield-pcsc"])
        .args(["-p", "shared-shield-ffi-failpoints"])
        .current_dir(folder())
        .env("CARGO_TARGET_DIR", target())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
});

/// cargo's build folder.
fn target() -> &'static Path {
    scratch().parent().unwrap()
}

impl Library {
    pub fn name(self) -> &'static str {
        match self {
            Library::Plain => "shared_shield",
            Library::Failpoints => "shared_shield_failpoints",
        }
    }

    /// The folder that it stands in, built.
    pub fn folder(self) -> PathBuf {
        ready();
        target().join("debug")
    }
}

/// To be called before a story: what it needs is built here and not in its process.
pub fn ready() {
    LazyLock::force(&BUILT);
}

/// How a C program is compiled and run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    None,
    AddressSanitizer,
    Valgrind,
}

/// The exit code by which a tool says that it found something.
pub const FOUND: i32 = 99;

/// A compiled program; its file goes with it, and the folder where it has one of its own.
#[derive(Debug)]
pub struct Program(PathBuf, Option<PathBuf>);

impl Program {
    /// A program in a folder that nothing else needs.
    pub fn alone_in(folder: PathBuf, name: &str) -> Self {
        Program(folder.join(name), Some(folder))
    }

    /// A program that is to run under AddressSanitizer is linked with it, and no other is.
    pub fn has_the_sanitizer_or_not(&self, tool: Tool) {
        let output = Command::new("nm").args(["-D", "--undefined-only"]).arg(&self.0).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let linked = String::from_utf8_lossy(&output.stdout).contains("__asan_init");
        assert_eq!(linked, tool == Tool::AddressSanitizer, "{}", self.0.display());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        for file in ["", "out", "err", "in"].map(|e| self.0.with_extension(e)) {
            let _ = fs::remove_file(file);
        }
        if let Some(folder) = &self.1 {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Compiles `source` (relative to this crate) with one plain `cc` line.
pub fn compile(source: &str, library: Library, tool: Tool) -> Program {
    let stem = Path::new(source).file_stem().unwrap().to_string_lossy().into_owned();
    let program = scratch().join(format!("{stem}-{library:?}-{tool:?}-{}", std::process::id()));
    let lib = library.folder();
    let named = format!("-l{}", library.name());
    compile_with(
        source,
        tool,
        program,
        &[format!("-L{}", lib.display()), named, format!("-Wl,-rpath,{}", lib.display())],
    )
}

/// As [`compile`], with other words about the library.
pub fn compile_with(source: &str, tool: Tool, program: PathBuf, library: &[String]) -> Program {
    let mut cc = Command::new("cc");
    cc.args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers", "-g", "-O1"]);
    if tool == Tool::AddressSanitizer {
        cc.args([
            "-fsanitize=address,undefined",
            "-fno-sanitize=object-size",
            "-fno-sanitize-recover=undefined",
            "-fno-omit-frame-pointer",
        ]);
    }
    cc.arg("-I").arg(folder().join("include")).arg(folder().join(source)).arg("-o").arg(&program);
    let output = cc.args(library).arg("-pthread").output().unwrap();
    assert!(output.status.success(), "{source}: {}", String::from_utf8_lossy(&output.stderr));
    let program = Program(program, None);
    program.has_the_sanitizer_or_not(tool);
    program
}

/// What a program said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs a program under a tool, with a time limit.
pub fn run<A: AsRef<OsStr>>(program: &Program, tool: Tool, arguments: &[A]) -> Said {
    run_with(program, tool, arguments, "")
}

/// As [`run`], with something to read.
pub fn run_with<A: AsRef<OsStr>>(program: &Program, tool: Tool, arguments: &[A], typed: &str) -> Said {
    run_in(program, tool, arguments, typed, |_| {})
}

/// As [`run_with`], in surroundings that `arrange` makes.
pub fn run_in<A: AsRef<OsStr>>(
    Program(program, _): &Program,
    tool: Tool,
    arguments: &[A],
    typed: &str,
    arrange: impl FnOnce(&mut Command),
) -> Said {
    let mut command = match tool {
        Tool::Valgrind => {
            let mut valgrind = Command::new("valgrind");
            // Not "possible" ones: what a thread that is just ending holds by pointers to its inside is taken for lost.
            valgrind.args(["--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect"]);
            valgrind.arg("--show-leak-kinds=definite,indirect").arg(format!("--error-exitcode={FOUND}"));
            valgrind.arg(format!("--suppressions={}", folder().join("tests/c_programs/valgrind.supp").display()));
            valgrind.arg(program);
            valgrind
        }
        _ => Command::new(program),
    };
    // cargo's own would lead the loader past the folder that the program was linked with.
    command.env_remove("LD_LIBRARY_PATH");
    let quiet = folder().join("tests/c_programs/lsan.supp");
    let lsan = format!("exitcode={FOUND}:print_suppressions=0:suppressions={}", quiet.display());
    command.env("ASAN_OPTIONS", format!("exitcode={FOUND}:detect_leaks=1")).env("LSAN_OPTIONS", lsan);
    arrange(&mut command);
    let log = |which: &str| program.with_extension(which);
    fs::write(log("in"), typed).unwrap();
    let open = |which: &str| Stdio::from(File::create(log(which)).unwrap());
    let mut child = command
        .args(arguments)
        .stdin(File::open(log("in")).unwrap())
        .stdout(open("out"))
        .stderr(open("err"))
        .spawn()
        .unwrap();
    let start = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if start.elapsed() > LONGEST {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let read = |which: &str| String::from_utf8_lossy(&std::fs::read(log(which)).unwrap()).into_owned();
    Said { code, out: read("out"), err: read("err") }
}

impl Said {
    /// The program passed, and neither library nor tool wrote a word to stderr.
    #[track_caller]
    pub fn passed(&self) {
        assert!(self.code == Some(0) && self.err.is_empty(), "{self:#?}");
    }

    /// The names after `word` at the beginning of a line.
    pub fn names(&self, word: &str) -> std::collections::BTreeSet<String> {
        self.out.lines().filter_map(|l| l.strip_prefix(word)?.strip_prefix(' ')).map(str::to_owned).collect()
    }
}

/// The committed list of exported functions.
pub fn symbols() -> std::collections::BTreeSet<String> {
    std::fs::read_to_string(folder().join("symbols.txt")).unwrap().lines().map(str::to_owned).collect()
}
