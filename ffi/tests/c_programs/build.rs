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

fn scratch() -> &'static Path {
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

/// Builds both, each copied to a folder of its own. A story's child process finds them there.
static BUILT: LazyLock<()> = LazyLock::new(|| {
    if std::env::var_os("SHIELD_STORY_DIR").is_none() {
        // The plain one last: it is what stays in the build folder.
        build(Library::Failpoints, &["--features", "failpoints"]);
        build(Library::Plain, &[]);
    }
});

fn build(library: Library, more: &[&str]) {
    let target = scratch().parent().unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--package", "shared-shield-ffi", "--lib"])
        .args(more)
        .current_dir(folder())
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::create_dir_all(library.place()).unwrap();
    for file in ["libshared_shield.so", "libshared_shield.a"] {
        let _ = fs::remove_file(library.place().join(file));
        fs::copy(target.join("debug").join(file), library.place().join(file)).unwrap();
    }
}

impl Library {
    fn place(self) -> PathBuf {
        scratch().join(format!("ffi-{self:?}"))
    }

    /// The folder with `libshared_shield.so` and `.a`.
    pub fn folder(self) -> PathBuf {
        LazyLock::force(&BUILT);
        self.place()
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

/// Compiles `source` (relative to this crate) with one plain `cc` line.
pub fn compile(source: &str, library: Library, tool: Tool) -> PathBuf {
    let stem = Path::new(source).file_stem().unwrap().to_string_lossy().into_owned();
    let program = scratch().join(format!("{stem}-{library:?}-{tool:?}-{}", std::process::id()));
    let lib = library.folder();
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
    cc.arg(format!("-L{}", lib.display())).arg("-lshared_shield").arg(format!("-Wl,-rpath,{}", lib.display()));
    let output = cc.arg("-pthread").output().unwrap();
    assert!(output.status.success(), "{source}: {}", String::from_utf8_lossy(&output.stderr));
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
pub fn run<A: AsRef<OsStr>>(program: &Path, tool: Tool, arguments: &[A]) -> Said {
    let mut command = match tool {
        Tool::Valgrind => {
            let mut valgrind = Command::new("valgrind");
            valgrind.args(["--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible"]);
            valgrind.arg("--show-leak-kinds=definite,indirect,possible").arg(format!("--error-exitcode={FOUND}"));
            valgrind.arg(program);
            valgrind
        }
        _ => Command::new(program),
    };
    command
        .env("ASAN_OPTIONS", format!("exitcode={FOUND}:detect_leaks=1"))
        .env("LSAN_OPTIONS", format!("exitcode={FOUND}"));
    let log = |which: &str| program.with_extension(which);
    let open = |which: &str| Stdio::from(File::create(log(which)).unwrap());
    let mut child =
        command.args(arguments).stdin(Stdio::null()).stdout(open("out")).stderr(open("err")).spawn().unwrap();
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
