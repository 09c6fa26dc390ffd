//! The journal of a batch: which documents were signed, so that a rerun signs nothing twice.
//!
//! A text file that only ever grows. One line is one document, written with one call and on the disk before the document counts as done:
//!
//! ```text
//! shield-journal 1
//! <check> <time> <signed|found> <SHA-256 of the input> <SHA-256 of the output> <fingerprint of the certificate> <name of the output> [<suite>]
//! ```
//!
//! The suite stands in the lines of what this program signed, and of what it found where a suite was asked for; lines of before have none.
//!
//! `check` is the beginning of the SHA-256 of the rest of its line: a line that a crash has torn, or that somebody has changed, counts as not there, and is
//! counted. The name is percent-encoded. What a line says is never taken for a verdict on a signature: it says that this program has done the work.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use crate::atomic::sync_folder;
use crate::cert::Fingerprint;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::BATCH_LIST_MAX;
use crate::suite::{Digest, DigestAlgorithm, Suite};
use crate::wait::lock;

const OPEN: &str = "open journal";
/// Whatever fails there concerns every document: without its line a document is not known as done.
pub(super) const WRITE: &str = "write journal";
const HEAD: &str = "shield-journal 1\n";
/// Hex digits of the check.
const CHECK: usize = 16;
/// A line without the name of its output: check, time, how, two digests, fingerprint, suite, what stands between, and room to spare.
const LINE: u64 = 320;
/// The longest line that is looked at: a name of 255 UTF-16 units (765 octets), each octet encoded, and more than the rest of a line takes.
const LINE_MAX: u64 = 4096;

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
    /// With what it was signed, where that is known.
    pub suite: Option<Suite>,
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
    /// What is still missing of the first line: it is written with the first document, so that a file that was named by mistake stays as it is.
    head: &'static [u8],
    known: HashMap<String, Record>,
    damaged: usize,
}

impl Journal {
    /// Opens a journal, or makes an empty one. Nothing is written into it before the first document is done.
    ///
    /// # Errors
    /// `JournalForeign` for a file that is none; `JournalFull` for one over [`BATCH_LIST_MAX`] octets; `JournalBusy` where another run has it open;
    /// `InputFailed`, `OutputFailed`.
    pub fn open(path: &Path) -> Result<Self> {
        let failed =
            |kind: ErrorKind, e: std::io::Error| Error::new(kind, OPEN).io(&e).detail(path.display().to_string());
        // What is no ordinary file is neither read nor written: to open a pipe would wait.
        if path.symlink_metadata().is_ok_and(|m| !m.is_file()) {
            return Err(foreign(path));
        }
        let file = open_alone(path).map_err(|e| failed(ErrorKind::OutputFailed, e))?;
        let file = file.ok_or_else(|| Error::new(ErrorKind::JournalBusy, OPEN).detail(path.display().to_string()))?;
        let mut state = State { file, length: 0, head: b"", known: HashMap::new(), damaged: 0 };
        let known = state.file.try_clone().map_err(|e| failed(ErrorKind::InputFailed, e));
        let is_torn = match state.read(BufReader::new(known?), path) {
            Ok(is_torn) => is_torn?,
            Err(e) => return Err(failed(ErrorKind::InputFailed, e)),
        };
        // What follows must not become part of a torn line.
        if is_torn {
            state.append(b"\n", path)?;
        }
        Ok(Journal { path: path.to_owned(), state: Mutex::new(state) })
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

    /// How many octets it still takes: it never grows over [`BATCH_LIST_MAX`], beyond which it would not be read.
    #[must_use]
    pub fn room(&self) -> u64 {
        BATCH_LIST_MAX.saturating_sub(lock(&self.state).length)
    }

    /// The most octets that the line of a document takes whose output is called so.
    pub(super) fn line(output: &Path) -> u64 {
        LINE.saturating_add(u64::try_from(encoded(output).len()).unwrap_or(u64::MAX))
    }

    /// Refuses an output whose line would be longer than what is read: the next run would sign its document a second time.
    pub(super) fn check_line(output: &Path) -> Result<()> {
        if Self::line(output) <= LINE_MAX {
            return Ok(());
        }
        let detail = "the name of the output is too long for the journal";
        Err(Error::new(ErrorKind::OutputFailed, "plan output").detail(detail))
    }

    /// That it has no room for what is to be done.
    pub(super) fn full(&self) -> Error {
        full(&self.path, WRITE)
    }

    /// Adds a document that is done. When this returns `Ok` the line is on the disk.
    ///
    /// # Errors
    /// `JournalBusy` where another process writes into it; `JournalFull`; `OutputFailed`.
    pub(super) fn add(&self, record: Record, now: SystemTime) -> Result<()> {
        let time = der::DateTime::from_system_time(now).map(|t| t.to_string()).unwrap_or_default();
        let done = match record.done {
            Done::Signed => "signed",
            Done::Found => "found",
        };
        let Record { input, output, fingerprint, name, .. } = &record;
        let suite = record.suite.map(|suite| format!(" {}", suite.name())).unwrap_or_default();
        let rest = format!("{time} {done} {input} {output} {fingerprint} {name}{suite}");
        let line = format!("{} {rest}\n", check(&rest)?);
        let mut state = lock(&self.state);
        if !state.head.is_empty() {
            let head = state.head;
            state.append(head, &self.path)?;
            state.head = b"";
            // The outputs may stand in another folder, whose writing does not keep the journal's name.
            sync_folder(&self.path);
        }
        state.append(line.as_bytes(), &self.path)?;
        state.known.insert(record.input.clone(), record);
        Ok(())
    }
}

impl State {
    /// Reads the file line by line: whether its last line is torn.
    fn read(&mut self, mut from: impl BufRead, path: &Path) -> std::io::Result<Result<bool>> {
        let mut head = Vec::new();
        let length = u64::try_from(HEAD.len()).unwrap_or(u64::MAX);
        from.by_ref().take(length).read_to_end(&mut head)?;
        // The first line may have been torn, too.
        let Some(missing) = HEAD.as_bytes().strip_prefix(&*head) else { return Ok(Err(foreign(path))) };
        (self.head, self.length) = (missing, u64::try_from(head.len()).unwrap_or(u64::MAX));
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = from.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(Ok(false));
            }
            self.length = self.length.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            if self.length > BATCH_LIST_MAX {
                return Ok(Err(full(path, OPEN)));
            }
            let whole = line.strip_suffix(b"\n");
            // A last line that lacks nothing but its end is whole: its check says so.
            match whole.unwrap_or(&line) {
                b"" => {}
                text => match std::str::from_utf8(text).ok().and_then(parse) {
                    Some(record) => drop(self.known.insert(record.input.clone(), record)),
                    None => self.damaged = self.damaged.saturating_add(1),
                },
            }
            if whole.is_none() && from.fill_buf()?.is_empty() {
                return Ok(Ok(true));
            }
        }
    }

    fn append(&mut self, octets: &[u8], path: &Path) -> Result<()> {
        let failed =
            |e: std::io::Error| Error::new(ErrorKind::OutputFailed, WRITE).io(&e).detail(path.display().to_string());
        if self.file.metadata().map_err(failed)?.len() != self.length {
            return Err(Error::new(ErrorKind::JournalBusy, WRITE).detail(path.display().to_string()));
        }
        let length = self.length.saturating_add(u64::try_from(octets.len()).unwrap_or(u64::MAX));
        if length > BATCH_LIST_MAX {
            return Err(full(path, WRITE));
        }
        self.file.write_all(octets).and_then(|()| self.file.sync_data()).map_err(failed)?;
        self.length = length;
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

fn full(path: &Path, operation: &'static str) -> Error {
    let detail = format!("{}, of at most {BATCH_LIST_MAX} octets", path.display());
    Error::new(ErrorKind::JournalFull, operation).detail(detail)
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
    let suite = match fields.next() {
        None => None,
        Some(name) => Some(Suite::ALL.into_iter().find(|suite| suite.name() == name)?),
    };
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|o| o.is_ascii_hexdigit());
    (fields.next().is_none() && is_digest(&input) && is_digest(&output)).then_some(Record {
        input,
        output,
        fingerprint,
        name,
        done,
        suite,
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
