//! The journal of a batch: which documents were signed, so that a rerun signs nothing twice.
//!
//! A text file that only ever grows. One line is one document, written with one call and on the disk before the document counts as done:
//!
//! ```text
//! shield-journal 1
//! <check> <time> <signed|found> <SHA-256 of the input> <SHA-256 of the output> <fingerprint of the certificate> <name of the output>
//! ```
//!
//! `check` is the beginning of the SHA-256 of the rest of its line: a line that a crash has torn, or that somebody has changed, counts as not there, and is
//! counted. The name is percent-encoded. What a line says is never taken for a verdict on a signature: it says that this program has done the work.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use crate::atomic::sync_folder;
use crate::cert::Fingerprint;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::BATCH_LIST_MAX;
use crate::suite::{Digest, DigestAlgorithm};
use crate::wait::lock;

const OPEN: &str = "open journal";
/// Whatever fails there concerns every document: without its line a document is not known as done.
pub(super) const WRITE: &str = "write journal";
const HEAD: &str = "shield-journal 1\n";
/// Hex digits of the check.
const CHECK: usize = 16;

/// How a document came to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Done {
    /// This program signed it.
    Signed,
    /// Its output was there already and verified: a run was stopped between output and journal, or somebody else signed it.
    Found,
}

/// One document of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// SHA-256 of the document, lower-case hex.
    pub input: String,
    /// SHA-256 of the signed document, lower-case hex.
    pub output: String,
    /// Of the certificate that signed it.
    pub fingerprint: Fingerprint,
    /// The name of the output's file, percent-encoded.
    pub name: String,
    /// How it came to be done.
    pub done: Done,
}

/// An open journal. Any number of threads may use it; one process at a time: it is locked for as long as it is open.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// How long the file is as far as this process knows: if it is longer, another one writes, where the file system has no locks.
    length: u64,
    known: HashMap<String, Record>,
    damaged: usize,
}

impl Journal {
    /// Opens a journal, or makes an empty one.
    ///
    /// # Errors
    /// `JournalForeign` for a file that is none; `JournalBusy` where another run has it open; `InputFailed`, `OutputFailed`.
    pub fn open(path: &Path) -> Result<Self> {
        let failed =
            |kind: ErrorKind, e: std::io::Error| Error::new(kind, OPEN).io(&e).detail(path.display().to_string());
        // What is no ordinary file is neither read nor written: to open a pipe would wait.
        if path.symlink_metadata().is_ok_and(|m| !m.is_file()) {
            return Err(foreign(path));
        }
        let file = open_alone(path).map_err(|e| failed(ErrorKind::OutputFailed, e))?;
        let mut file =
            file.ok_or_else(|| Error::new(ErrorKind::JournalBusy, OPEN).detail(path.display().to_string()))?;
        let mut text = Vec::new();
        let most = BATCH_LIST_MAX.saturating_add(1);
        (&mut file).take(most).read_to_end(&mut text).map_err(|e| failed(ErrorKind::InputFailed, e))?;
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if length > BATCH_LIST_MAX {
            return Err(foreign(path));
        }
        let journal = Journal {
            path: path.to_owned(),
            state: Mutex::new(State { file, length, known: HashMap::new(), damaged: 0 }),
        };
        journal.read(&text)?;
        Ok(journal)
    }

    fn read(&self, text: &[u8]) -> Result<()> {
        let mut state = lock(&self.state);
        let head = HEAD.as_bytes();
        // The first line may have been torn, too.
        let Some(body) = text.strip_prefix(head) else {
            let rest = head.strip_prefix(text).ok_or_else(|| foreign(&self.path))?;
            state.append(rest, &self.path)?;
            // The outputs may stand in another folder, whose writing does not keep the journal's name.
            sync_folder(&self.path);
            return Ok(());
        };
        for line in body.split_inclusive(|o| *o == b'\n').filter(|line| *line != b"\n") {
            // A last line that lacks nothing but its end is whole: its check says so.
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            match std::str::from_utf8(line).ok().and_then(parse) {
                Some(record) => drop(state.known.insert(record.input.clone(), record)),
                None => state.damaged = state.damaged.saturating_add(1),
            }
        }
        // What follows must not become part of a torn line.
        if body.last().is_some_and(|last| *last != b'\n') {
            state.append(b"\n", &self.path)?;
        }
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says of a document.
    #[must_use]
    pub fn known(&self, input: &Digest) -> Option<Record> {
        lock(&self.state).known.get(&input.hex()).cloned()
    }

    /// How many lines could not be read: their documents may be signed once more.
    #[must_use]
    pub fn damaged(&self) -> usize {
        lock(&self.state).damaged
    }

    /// Adds a document that is done. When this returns `Ok` the line is on the disk.
    ///
    /// # Errors
    /// `JournalBusy` where another process writes into it; `OutputFailed`.
    pub(super) fn add(&self, record: Record, now: SystemTime) -> Result<()> {
        let time = der::DateTime::from_system_time(now).map(|t| t.to_string()).unwrap_or_default();
        let done = match record.done {
            Done::Signed => "signed",
            Done::Found => "found",
        };
        let Record { input, output, fingerprint, name, .. } = &record;
        let rest = format!("{time} {done} {input} {output} {fingerprint} {name}");
        let line = format!("{} {rest}\n", check(&rest)?);
        let mut state = lock(&self.state);
        state.append(line.as_bytes(), &self.path)?;
        state.known.insert(record.input.clone(), record);
        Ok(())
    }
}

impl State {
    fn append(&mut self, octets: &[u8], path: &Path) -> Result<()> {
        let failed =
            |e: std::io::Error| Error::new(ErrorKind::OutputFailed, WRITE).io(&e).detail(path.display().to_string());
        if self.file.metadata().map_err(failed)?.len() != self.length {
            return Err(Error::new(ErrorKind::JournalBusy, WRITE).detail(path.display().to_string()));
        }
        self.file.write_all(octets).and_then(|()| self.file.sync_data()).map_err(failed)?;
        self.length = self.length.saturating_add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}

/// Opens the file for this run alone; `None` where another one has it. Two runs that sign the same documents would find out only when each of them has
/// signed some that the other has, too. A file system that has no locks is used without: then the length of the file tells.
#[cfg(unix)]
fn open_alone(path: &Path) -> std::io::Result<Option<File>> {
    let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Ok(()) | Err(_) => Ok(Some(file)),
    }
}

/// Opens the file for this run alone, others may read it; `None` where another one has it.
#[cfg(windows)]
fn open_alone(path: &Path) -> std::io::Result<Option<File>> {
    use std::os::windows::fs::OpenOptionsExt;
    /// ERROR_SHARING_VIOLATION, FILE_SHARE_READ
    const SHARED: i32 = 32;
    const READ: u32 = 1;
    match OpenOptions::new().read(true).append(true).create(true).share_mode(READ).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.raw_os_error() == Some(SHARED) => Ok(None),
        Err(e) => Err(e),
    }
}

fn foreign(path: &Path) -> Error {
    Error::new(ErrorKind::JournalForeign, OPEN).detail(path.display().to_string())
}

fn check(rest: &str) -> Result<String> {
    Ok(DigestAlgorithm::Sha256.of(rest.as_bytes())?.hex().chars().take(CHECK).collect())
}

fn parse(line: &str) -> Option<Record> {
    let (found, rest) = line.split_once(' ')?;
    (check(rest).ok()? == found).then_some(())?;
    let mut fields = rest.split(' ');
    let (_time, done) = (fields.next()?, fields.next()?);
    let done = match done {
        "signed" => Done::Signed,
        "found" => Done::Found,
        _ => return None,
    };
    let (input, output) = (fields.next()?.to_owned(), fields.next()?.to_owned());
    let fingerprint = Fingerprint::parse(fields.next()?)?;
    let name = fields.next()?.to_owned();
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|o| o.is_ascii_hexdigit());
    (fields.next().is_none() && is_digest(&input) && is_digest(&output)).then_some(Record {
        input,
        output,
        fingerprint,
        name,
        done,
    })
}

/// A file's name as a journal has it: ASCII letters, digits and `._~-` as they are, every other octet as %XX.
pub(super) fn encoded(path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    name.bytes().fold(String::new(), |mut out, octet| {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'~' | b'-' => out.push(char::from(octet)),
            _ => out.push_str(&format!("%{octet:02X}")),
        }
        out
    })
}

/// The same for a person to read; what is no text, and what no line of text has, stays as it is.
pub(super) fn readable(name: &str) -> String {
    let mut octets = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.first_chunk::<2>().filter(|_| *first == b'%').and_then(|d| std::str::from_utf8(d).ok());
        match digits.and_then(|d| u8::from_str_radix(d, 16).ok()) {
            Some(octet) => {
                octets.push(octet);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                octets.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(octets).ok().filter(|t| !t.chars().any(char::is_control)).unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
