//! Files that appear whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

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

/// Writes `path` through `fill`. The file is there whole, on the disk, when this returns `Ok`; otherwise whatever was there
/// before is untouched and no part of the new one is left.
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
    let failed = |e: io::Error| Error::new(ErrorKind::OutputFailed, "write file").io(&e).detail(shown(path));
    let (file, mut pending) = create_beside(path).map_err(failed)?;
    let mut out = BufWriter::new(file);
    let result = fill(&mut out)?;
    let file = out.into_inner().map_err(|e| failed(e.into_error()))?;
    file.sync_all().map_err(failed)?;
    drop(file);
    fs::rename(&pending.path, path).map_err(failed)?;
    pending.committed = true;
    sync_folder(path);
    Ok(result)
}

fn shown(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn create_beside(path: &Path) -> io::Result<(File, Pending)> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    if path.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{:016x}.part", u64::from_le_bytes(random)));
    let temporary = path.with_file_name(temporary);
    let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    Ok((file, Pending { path: temporary, committed: false }))
}

/// Makes the rename itself durable where the system has folders that can be opened.
fn sync_folder(path: &Path) {
    if let Some(Ok(folder)) =
        path.parent().map(|p| File::open(if p.as_os_str().is_empty() { Path::new(".") } else { p }))
    {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_writer_leaves_the_old_file_whole_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("shield-atomic-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("signed.xml");
        fs::write(&path, b"old").unwrap();
        let refused = write_whole(&path, |out| {
            out.write_all(b"half").unwrap();
            Err::<(), _>(Error::new(ErrorKind::SignatureWrong, "test"))
        });
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::SignatureWrong);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        write_whole(&path, |out| out.write_all(b"new").map_err(|e| Error::new(ErrorKind::OutputFailed, "t").io(&e)))
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let folder_as_file = write_whole(&folder, |_| Ok(()));
        assert_eq!(folder_as_file.unwrap_err().kind(), ErrorKind::OutputFailed);
        fs::remove_dir_all(&folder).unwrap();
    }
}
