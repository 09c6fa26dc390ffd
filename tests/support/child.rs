//! Runs a test a second time as a child process: for what lives in the environment, or once in a process.
//!
//! Some libraries read a variable once (`SOFTHSM2_CONF`, `PCSCLITE_CSOCK_NAME`), and a process cannot safely change its own. So a
//! story is given a private folder and variables, and the test that tells it runs again with them, alone in its process.

#![allow(dead_code, unreachable_pub)]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A story that takes longer than this has hung.
const LONGEST: Duration = Duration::from_secs(180);
/// Holds the private folder in the child.
const FOLDER: &str = "SHIELD_STORY_DIR";

/// How a line begins that is worth to be seen although the story went well.
pub const COUNTED: &str = "counted: ";

/// Variables for the child.
pub type Env = Vec<(&'static str, OsString)>;

/// Whether this is the child of a story.
pub fn inside() -> bool {
    std::env::var_os(FOLDER).is_some()
}

/// Runs `body` in a child process, with the private folder that `prepare` was given and the variables that it returned. `name` is
/// the test's path in its file, as `cargo test` shows it.
pub fn story(name: &str, prepare: impl FnOnce(&Path) -> Env, body: impl FnOnce(&Path)) {
    if let Some(dir) = std::env::var_os(FOLDER) {
        return body(Path::new(&dir));
    }
    let dir = make_dir(name);
    let (status, output) = run(name, &dir, prepare(&dir));
    assert!(status && output.contains("1 passed"), "{name} failed in its own process:\n{output}");
    for said in output.lines().filter_map(|line| line.split_once("SKIPPED ")) {
        say(said.1);
    }
    output.lines().filter(|line| line.starts_with(COUNTED)).for_each(tell);
    fs::remove_dir_all(&dir).unwrap();
}

/// Says that a test did not run; with `SHIELD_NO_SKIP` set that is a failure.
pub fn skip(name: &str, reason: &str) {
    assert!(std::env::var_os("SHIELD_NO_SKIP").is_none(), "{name} cannot run: {reason}");
    say(&format!("{name}: {reason}"));
}

fn say(skipped: &str) {
    tell(&format!("SKIPPED {skipped}"));
}

/// Says a line that is seen even when the test goes well: the harness keeps what `eprintln` writes to itself.
#[allow(clippy::explicit_write)]
pub fn tell(line: &str) {
    writeln!(std::io::stderr(), "{line}").unwrap();
}

/// An empty folder for this test alone.
fn make_dir(name: &str) -> PathBuf {
    let file = format!("{}-{}-{}", env!("CARGO_CRATE_NAME"), name.replace("::", "-"), std::process::id());
    // Unit tests have no such folder.
    let parent = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = parent.join(file);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn run(name: &str, dir: &Path, env: Env) -> (bool, String) {
    // A file and not a pipe: a full pipe would stop the child.
    let log = dir.join("output");
    let output = File::create(&log).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"])
        .env(FOLDER, dir)
        .envs(env)
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.success();
        }
        if start.elapsed() > LONGEST {
            child.kill().unwrap();
            child.wait().unwrap();
            break false;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    (status, String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned())
}
