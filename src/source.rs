//! Documents: re-readable sources and pushed digests.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
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

/// A file by its path; opened anew for each reading.
#[derive(Debug, Clone)]
pub struct FileSource(pub PathBuf);

impl Source for FileSource {
    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(File::open(&self.0)?))
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
