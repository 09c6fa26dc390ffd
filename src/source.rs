//! Documents: re-readable sources and pushed digests.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::suite::Digest;

/// A document that can be read more than once, from its beginning each time.
///
/// A source that changes between two readings of one signature is refused, and nothing is written.
pub trait Source: Send + Sync {
    /// Opens it at its beginning.
    ///
    /// # Errors
    /// Those of the file or device behind it.
    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>>;

    /// Its length in octets, where that is known without reading.
    fn len(&self) -> Option<u64>;

    /// Whether it is known to be empty.
    fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

impl Source for Vec<u8> {
    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(self.as_slice()))
    }

    fn len(&self) -> Option<u64> {
        u64::try_from(Vec::len(self)).ok()
    }
}

/// Opens an ordinary file for reading, and nothing else: to open a pipe would wait for whoever writes into it, and what came out of it once does
/// not come a second time.
pub(crate) fn open_ordinary(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
    let file = options.open(path)?;
    // Of what was opened, not of the name: that may lead elsewhere by now.
    let what = match file.metadata()?.file_type() {
        kind if kind.is_file() => return Ok(file),
        kind if kind.is_dir() => "it is a folder: name a file",
        _ => "it is a pipe or a device, which cannot be read twice: save what comes out of it to a file, and name that",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

/// A file by its path; opened anew for each reading. Only an ordinary file, or a link to one, is opened.
#[derive(Debug, Clone)]
pub struct FileSource(pub PathBuf);

impl Source for FileSource {
    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(open_ordinary(&self.0)?))
    }

    fn len(&self) -> Option<u64> {
        std::fs::metadata(&self.0).ok().map(|m| m.len())
    }
}

/// What is to be signed or verified.
#[derive(Clone)]
pub enum Content {
    /// A document.
    Source(Arc<dyn Source>),
    /// A digest that the caller computed over a stream; for detached signatures alone, in CMS only with signed attributes.
    Digest(Arc<Digest>),
}

impl Content {
    /// A document in memory.
    #[must_use]
    pub fn bytes(octets: impl Into<Vec<u8>>) -> Self {
        Content::Source(Arc::new(octets.into()))
    }

    /// A document in a file.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Content::Source(Arc::new(FileSource(path.into())))
    }

    /// Reads the whole document, at most `cap` octets.
    ///
    /// # Errors
    /// `InputFailed`, `DocumentTooLarge`, or `Unsupported` for a pushed digest.
    pub fn read(&self, cap: usize, operation: &'static str) -> Result<Vec<u8>> {
        let Content::Source(source) = self else {
            return Err(Error::new(ErrorKind::Unsupported, operation)
                .detail("this format needs the document itself, not a digest"));
        };
        let failed = |e: io::Error| Error::new(ErrorKind::InputFailed, operation).io(&e);
        let limit = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
        let mut octets = Vec::new();
        source.open().map_err(failed)?.take(limit).read_to_end(&mut octets).map_err(failed)?;
        if octets.len() > cap {
            return Err(Error::new(ErrorKind::DocumentTooLarge, operation).detail(format!("over {cap} octets")));
        }
        Ok(octets)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Source(s) => write!(f, "Content::Source({:?} octets)", s.len()),
            Content::Digest(d) => write!(f, "Content::Digest({d:?})"),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_refused_at_once_and_the_words_say_what_to_do() {
        let folder = std::env::temp_dir().join(format!("shield-source-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let pipe = folder.join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        let (link, file) = (folder.join("link"), folder.join("file"));
        std::fs::write(&file, b"text").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let read = |path: &Path| Content::file(path).read(100, "test");
        assert_eq!((read(&file).unwrap(), read(&link).unwrap()), (b"text".to_vec(), b"text".to_vec()));
        // Nobody writes into this pipe: a reader that waits never comes back.
        for (path, word) in [(&*pipe, "save what comes out"), (Path::new("/dev/null"), "device"), (&*folder, "folder")]
        {
            let refused = read(path).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::InputFailed);
            assert!(refused.to_string().contains(word), "{refused}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
