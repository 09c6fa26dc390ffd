//! The state file: three lines that say what it is, then TOML. It is replaced as a whole before the command that changes it is answered.
//!
//! Beside it stands an empty `NAME.lock`, by which one process at a time has it. Killed processes leave that file behind and nothing else that
//! matters: the system ends the lock, and what was half written is removed when the state is opened next.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::crypto;
use super::device::Device;
use super::octets::hex;
use crate::atomic::{is_part_of, write_new, write_whole};
use crate::error::{Error, ErrorKind, Result};
use crate::policy;

const OPERATION: &str = "simulator state";
const FIRST: &str =
    "# Throw-away state of the shared-shield simulator: keys and PINs that anybody can read. Never for anything real.";
const VERSION: u32 = 1;

/// The file that a device follows, for this process alone.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    _lock: fs::File,
}

impl StateFile {
    /// Opens a state that is there.
    pub(super) fn open(path: &Path) -> Result<(Self, Device)> {
        let path = path.canonicalize().map_err(|e| fault(path, "cannot be read").io(&e))?;
        // Beside a file of somebody else nothing is made and nothing removed.
        is_a_state(&path)?;
        let file = StateFile::lock(path)?;
        file.sweep();
        let device = file.read()?;
        Ok((file, device))
    }

    /// Writes a state where nothing is.
    pub(super) fn create(path: &Path, device: &Device) -> Result<Self> {
        let name = path.file_name().ok_or_else(|| fault(path, "is no name for a file"))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().map_err(|e| fault(path, "has no folder").io(&e))?;
        // Where nothing can come of it no lock is left beside what is there.
        if folder.join(name).symlink_metadata().is_ok() {
            let there = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            let error = Error::new(ErrorKind::OutputFailed, OPERATION).io(&there);
            return Err(error.detail(format!("{} is there already", path.display())));
        }
        let file = StateFile::lock(folder.join(name))?;
        write_new(&file.path, |out| put(out, device))?;
        Ok(file)
    }

    /// Puts another state in place of the one that is there.
    pub(super) fn save(&self, device: &Device) -> Result<()> {
        write_whole(&self.path, |out| put(out, device))
    }

    fn lock(path: PathBuf) -> Result<Self> {
        let mut name = path.file_name().map(OsString::from).unwrap_or_default();
        name.push(".lock");
        match take(&path.with_file_name(name)) {
            Ok(Some(lock)) => Ok(StateFile { path, _lock: lock }),
            Ok(None) => Err(fault(&path, "is open already, in another program or in this one")),
            Err(e) => Err(fault(&path, "cannot be locked").io(&e)),
        }
    }

    fn read(&self) -> Result<Device> {
        let fault = |what: &str| fault(&self.path, what);
        let mut text = Zeroizing::new(String::new());
        let file = fs::File::open(&self.path).map_err(|e| fault("cannot be read").io(&e))?;
        match file.take(policy::STATE_MAX.saturating_add(1)).read_to_string(&mut text) {
            Ok(length) if u64::try_from(length).is_ok_and(|length| length <= policy::STATE_MAX) => {}
            Ok(_) => return Err(fault("is too large for a state")),
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => return Err(fault("is not a state, or damaged")),
            Err(e) => return Err(fault("cannot be read").io(&e)),
        }
        let mut parts = text.splitn(4, '\n');
        let mut part = || parts.next().unwrap_or_default();
        let (first, version, sum, body) = (part(), part(), part(), part());
        if first != FIRST {
            return Err(fault("was not made by the simulator"));
        }
        match version.strip_prefix("# version ").and_then(|number| number.parse::<u32>().ok()) {
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => {
                let what = format!("is of version {newer}, and this program knows version {VERSION}");
                return Err(fault(&what));
            }
            _ => return Err(fault("is damaged")),
        }
        if sum != checksum(body) {
            return Err(fault("is damaged: its checksum is not that of its content"));
        }
        // What the parser says may quote a line, and lines hold keys.
        let device: Device = toml::from_str(body).map_err(|_| fault("holds what no state of this version has"))?;
        match device.fault() {
            Some(what) => Err(fault(&format!("holds {what}"))),
            None => Ok(device),
        }
    }

    /// Removes what a process that was killed left half written; nobody else has the lock now.
    fn sweep(&self) {
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else { return };
        let name = name.to_string_lossy();
        let is_part = |file: &str| is_part_of(file, &name);
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(is_part) {
                // Nothing depends on it.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// Whether a file begins like a state and may be replaced. What is no ordinary file is not opened: a pipe would wait for somebody who writes.
fn is_a_state(path: &Path) -> Result<()> {
    let unreadable = |e: std::io::Error| fault(path, "cannot be read").io(&e);
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(fault(path, "is no ordinary file"));
    }
    if metadata.permissions().readonly() {
        return Err(fault(path, "is write-protected, and a device counts its tries"));
    }
    let mut first = Vec::new();
    let length = u64::try_from(FIRST.len()).unwrap_or(u64::MAX);
    fs::File::open(path).map_err(unreadable)?.take(length).read_to_end(&mut first).map_err(unreadable)?;
    if first == FIRST.as_bytes() { Ok(()) } else { Err(fault(path, "was not made by the simulator")) }
}

fn fault(path: &Path, what: &str) -> Error {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Error::new(ErrorKind::StateFile, OPERATION).detail(format!("{name} {what}"))
}

fn checksum(body: &str) -> String {
    format!("# SM3 {}", hex(&crypto::sm3(body.as_bytes())))
}

fn put(out: &mut dyn std::io::Write, device: &Device) -> Result<()> {
    let body = toml::to_string(device).map(Zeroizing::new);
    let body = body.map_err(|_| Error::new(ErrorKind::Defect, OPERATION).detail("a state that cannot be written"))?;
    let text = Zeroizing::new(format!("{FIRST}\n# version {VERSION}\n{}\n{}", checksum(&body), &*body));
    out.write_all(text.as_bytes()).map_err(|e| Error::new(ErrorKind::OutputFailed, OPERATION).io(&e))
}

/// Takes the lock for as long as the file is open; `None` where somebody has it.
#[cfg(unix)]
fn take(path: &Path) -> std::io::Result<Option<fs::File>> {
    use rustix::fs::{Mode, OFlags};
    // Neither a pipe, which would wait for somebody who reads, nor what a link leads to.
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let no_file = || std::io::Error::other("the lock file beside it is no ordinary file");
    let file = match rustix::fs::open(path, flags, Mode::from_raw_mode(0o666)) {
        Ok(file) => fs::File::from(file),
        Err(rustix::io::Errno::NXIO | rustix::io::Errno::LOOP) => return Err(no_file()),
        Err(e) => return Err(e.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(no_file());
    }
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Takes the lock for as long as the file is open; `None` where somebody has it.
#[cfg(windows)]
fn take(path: &Path) -> std::io::Result<Option<fs::File>> {
    use std::fs::OpenOptions;
    use std::os::windows::fs::OpenOptionsExt;
    /// ERROR_SHARING_VIOLATION
    const SHARED: i32 = 32;
    match OpenOptions::new().create(true).append(true).share_mode(0).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.raw_os_error() == Some(SHARED) => Ok(None),
        Err(e) => Err(e),
    }
}
