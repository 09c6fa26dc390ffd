//! Files that appear whole or not at all.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Result};

const WRITE: &str = "write file";
/// What a temporary file's name has of its target's name, in octets: the whole name fits where the target's does, whatever the file system allows.
const NAMED: usize = 64;
/// A name that every file system takes.
const NEUTRAL: &str = "shield";
/// Hex digits of what nobody can guess.
const RANDOM: usize = 16;
/// Octets of the SHA-256 of a name that is cut: names that begin alike are told apart by them.
const TELLING: usize = 4;

/// A temporary file beside its target; removed unless it is committed.
struct Pending {
    path: PathBuf,
    committed: bool,
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing more can be done about a file that cannot be removed; its name tells what it is.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes `path` through `fill`, in place of the file that may be there. The new file is there whole, on the disk, when this
/// returns `Ok`; otherwise whatever was there before is untouched and no part of the new one is left.
///
/// The octets go to `.NAME.<16 hex digits>.part` beside the target, where a long NAME is its beginning and eight digits of its SHA-256. It is made when the first octet is written: while `fill`
/// waits for a person there is none, and only a process that is killed in the middle of writing leaves one. On Unix the new
/// file has the rights of the one that it replaces. What is no ordinary file (a folder, a symbolic link, a pipe, a device) is
/// refused before `fill` is called, and so are a write-protected file and a folder in which no file can be made.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("shield-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// let path = folder.join("signed.xml");
/// shared_shield::write_whole(&path, |out| Ok(out.write_all(b"<signed/>").unwrap())).unwrap();
/// assert_eq!(std::fs::read(&path).unwrap(), b"<signed/>");
/// # std::fs::remove_dir_all(&folder).unwrap();
/// ```
///
/// # Errors
/// `OutputFailed` with the system's own words, or what `fill` returns.
pub fn write_whole<T>(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    write(path, fill, |temporary| fs::rename(temporary, path))
}

/// As [`write_whole`], but what is there already is never replaced, not even what another process made while `fill` ran.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("shield-doc-new-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// let path = folder.join("signed.xml");
/// shared_shield::write_new(&path, |out| Ok(out.write_all(b"first").unwrap())).unwrap();
/// let refused = shared_shield::write_new(&path, |out| Ok(out.write_all(b"second").unwrap())).unwrap_err();
/// assert_eq!(refused.io_kind(), Some(std::io::ErrorKind::AlreadyExists));
/// assert_eq!(std::fs::read(&path).unwrap(), b"first");
/// # std::fs::remove_dir_all(&folder).unwrap();
/// ```
///
/// # Errors
/// Those of `write_whole`; `OutputFailed` with [`io_kind`](Error::io_kind) `AlreadyExists` where something is there.
pub fn write_new<T>(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<T>) -> Result<T> {
    let there = |e: &io::Error| {
        Error::new(ErrorKind::OutputFailed, WRITE).io(e).detail(format!("{} is there already", shown(path)))
    };
    if path.symlink_metadata().is_ok() {
        return Err(there(&io::Error::from(io::ErrorKind::AlreadyExists)));
    }
    let written = write(path, fill, |temporary| put_new(temporary, path));
    written.map_err(|e| match e.io_kind() {
        Some(kind @ io::ErrorKind::AlreadyExists) => there(&io::Error::from(kind)).correlate(e.correlation()),
        _ => e,
    })
}

/// Whether [`write_whole`] would refuse `path` before it calls its writer: for whoever wants to know before somebody is asked for a PIN. What
/// is there already is no reason as long as it may be replaced; [`write_new`] refuses it all the same.
///
/// ```
/// let refused = shared_shield::check_output(std::path::Path::new("/nowhere/signed.xml")).unwrap_err();
/// assert_eq!(refused.io_kind(), Some(std::io::ErrorKind::NotFound));
/// ```
///
/// # Errors
/// `OutputFailed` with the system's own words.
pub fn check_output(path: &Path) -> Result<()> {
    check_replaceable(path)?;
    check_place(path)
}

/// The part of [`check_output`] that asks for what stands at the path itself.
pub(crate) fn check_replaceable(path: &Path) -> Result<()> {
    rights_of(path).map(drop).map_err(|e| failed(path, &e))
}

/// The part of [`check_output`] that asks whether the folder takes a file of this name. What it says is of the folder only where the folder
/// takes no file of another name either.
pub(crate) fn check_place(path: &Path) -> Result<()> {
    let Err(of_name) = create_beside(path, None) else { return Ok(()) };
    match create_beside(&path.with_file_name(NEUTRAL), None) {
        Ok(_) => Err(failed(path, &of_name)),
        Err(e) => {
            let folder = path.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
            let detail = format!("no file can be made in {folder}");
            Err(Error::new(ErrorKind::OutputFailed, WRITE).io(&e).detail(detail))
        }
    }
}

/// Whether `name` is a temporary file that a killed process may have left of a file called `target`, in the same folder.
///
/// ```
/// use shared_shield::is_part_of;
/// assert!(is_part_of(".signed.xml.0123456789abcdef.part", "signed.xml"));
/// assert!(!is_part_of(".signed.xml.part", "signed.xml"));
/// ```
#[must_use]
pub fn is_part_of(name: &str, target: &str) -> bool {
    part_of(name).is_some_and(|named| named == part_name(target))
}

/// The beginning of the name of which `name` is a temporary file: for whoever has many names to compare it with, by [`part_name`]. `None` for
/// what is no temporary file.
///
/// ```
/// use shared_shield::{part_name, part_of};
/// assert_eq!(part_of(".signed.xml.0123456789abcdef.part"), Some(&*part_name("signed.xml")));
/// assert_eq!(part_of("signed.xml"), None);
/// ```
#[must_use]
pub fn part_of(name: &str) -> Option<&str> {
    let (named, random) = name.strip_prefix('.')?.strip_suffix(".part")?.rsplit_once('.')?;
    (random.len() == RANDOM && random.bytes().all(|o| o.is_ascii_hexdigit())).then_some(named)
}

/// As much of a name as its temporary file has: whole characters; of a name that is cut also what tells it from others that begin like it.
#[must_use]
pub fn part_name(name: &str) -> Cow<'_, str> {
    if name.len() <= NAMED {
        return Cow::Borrowed(name);
    }
    let end = (0..=NAMED).rev().find(|end| name.is_char_boundary(*end));
    let cut = end.and_then(|end| name.get(..end)).unwrap_or_default();
    let digest = Sha256::digest(name.as_bytes());
    let digits: String = digest.iter().take(TELLING).map(|octet| format!("{octet:02x}")).collect();
    Cow::Owned(format!("{cut}~{digits}"))
}

fn failed(path: &Path, e: &io::Error) -> Error {
    Error::new(ErrorKind::OutputFailed, WRITE).io(e).detail(shown(path))
}

/// Gives the finished file its name unless the name is taken.
fn put_new(temporary: &Path, path: &Path) -> io::Result<()> {
    // In one step, on FAT too: whoever is killed leaves one file, with one name or the other.
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, temporary, CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::EXIST) => return Err(io::Error::from(io::ErrorKind::AlreadyExists)),
            // Not every file system has it.
            Err(_) => {}
        }
    }
    match fs::hard_link(temporary, path) {
        Ok(()) => {
            // The file has its name and is whole; a second name that cannot be removed takes nothing away from it.
            let _ = fs::remove_file(temporary);
            return Ok(());
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(e),
        // A file system without links (some network folders): below the name is taken first, and then the file put there.
        Err(_) => {}
    }
    File::create_new(path)?;
    fs::rename(temporary, path).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}

fn write<T>(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<T>,
    put: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<T> {
    let failed = |e: io::Error| failed(path, &e);
    let rights = rights_of(path).map_err(failed)?;
    // Where nothing can be written nobody is asked for anything.
    drop(create_beside(path, None).map_err(failed)?);
    let mut out = Lazy { path, rights, open: None, problem: None };
    let result = match fill(&mut out) {
        Ok(result) => result,
        Err(error) => {
            // The writer could tell no more than the system's words: the file that could not be made has a name.
            let named = out.problem.take().filter(|_| error.kind() == ErrorKind::OutputFailed);
            return Err(named.map_or_else(|| error.clone(), |e| failed(e).correlate(error.correlation())));
        }
    };
    let (out, mut pending) = out.take().map_err(failed)?;
    let file = out.into_inner().map_err(|e| failed(e.into_error()))?;
    file.sync_all().map_err(failed)?;
    drop(file);
    put(&pending.path).map_err(failed)?;
    pending.committed = true;
    sync_folder(path);
    Ok(result)
}

/// The temporary file from the first octet on.
struct Lazy<'p> {
    path: &'p Path,
    rights: Option<fs::Permissions>,
    open: Option<(BufWriter<File>, Pending)>,
    problem: Option<io::Error>,
}

impl Lazy<'_> {
    fn take(&mut self) -> io::Result<(BufWriter<File>, Pending)> {
        match self.open.take() {
            Some(open) => Ok(open),
            None => create_beside(self.path, self.rights.take()).map(|(file, pending)| (BufWriter::new(file), pending)),
        }
    }
}

impl Write for Lazy<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut open = self.take().map_err(|e| {
            let said = io::Error::new(e.kind(), e.to_string());
            self.problem = Some(e);
            said
        })?;
        let written = open.0.write(octets);
        self.open = Some(open);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |(out, _)| out.flush())
    }
}

fn shown(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The rights of the file that is to be replaced. Only an ordinary file is.
fn rights_of(path: &Path) -> io::Result<Option<fs::Permissions>> {
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    if metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if !metadata.is_file() {
        let what = if metadata.is_symlink() { "a symbolic link" } else { "a pipe or a device" };
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{what} is there, which is not replaced")));
    }
    let rights = metadata.permissions();
    if rights.readonly() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "a write-protected file is there, which is not replaced",
        ));
    }
    // Elsewhere files have no rights but that one.
    Ok(cfg!(unix).then_some(rights))
}

fn create_beside(path: &Path, rights: Option<fs::Permissions>) -> io::Result<(File, Pending)> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    // Of a name that is no text only what can be read of it; what keeps two of them apart are the digits, and that neither is made where one is.
    let name = name.to_string_lossy();
    let temporary = format!(".{}.{:0RANDOM$x}.part", part_name(&name), u64::from_le_bytes(random));
    let temporary = path.with_file_name(temporary);
    let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    let pending = Pending { path: temporary, committed: false };
    if let Some(rights) = rights {
        file.set_permissions(rights)?;
    }
    Ok((file, pending))
}

/// Makes a file's name durable where the system has folders that can be opened.
pub(crate) fn sync_folder(path: &Path) {
    if let Some(Ok(folder)) =
        path.parent().map(|p| File::open(if p.as_os_str().is_empty() { Path::new(".") } else { p }))
    {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests;
