//! A document that is too long to be shown, and whose digest is shown in its place.

use std::io::{self, Read, Write};
use std::path::Path;

use shared_shield::suite::Hasher;
use shared_shield::{Digest, DigestAlgorithm, Error, ErrorKind, FileSource, Result, Source};

/// A file that must be, each time it is read to its end, what it was when its digest was shown.
pub(crate) struct Held {
    file: FileSource,
    digest: Digest,
}

impl Held {
    /// The file as it is now, and its length.
    pub(crate) fn of(path: &Path) -> Result<(Self, u64)> {
        let failed = |e: io::Error| {
            Error::new(ErrorKind::InputFailed, "read document").io(&e).detail(path.display().to_string())
        };
        let file = FileSource(path.to_owned());
        let mut hasher = DigestAlgorithm::Sha256.hasher()?;
        let length = io::copy(&mut file.open().map_err(failed)?, &mut Hashing(&mut hasher)).map_err(failed)?;
        Ok((Held { file, digest: hasher.finish() }, length))
    }

    /// Its SHA-256.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Source for Held {
    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        let hasher = DigestAlgorithm::Sha256.hasher().map_err(io::Error::other)?;
        Ok(Box::new(Checked { reader: self.file.open()?, hasher: Some(hasher), digest: &self.digest }))
    }

    fn len(&self) -> Option<u64> {
        self.file.len()
    }
}

struct Hashing<'h>(&'h mut Hasher);

impl Write for Hashing<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.update(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One reading; its end is refused when the digest is another one.
struct Checked<'s> {
    reader: Box<dyn Read + Send + 's>,
    hasher: Option<Hasher>,
    digest: &'s Digest,
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        if length > 0 {
            if let Some(hasher) = &mut self.hasher {
                hasher.update(buffer.get(..length).unwrap_or_default());
            }
        } else if !buffer.is_empty()
            && let Some(hasher) = self.hasher.take()
            && hasher.finish() != *self.digest
        {
            return Err(io::Error::other("the file is no longer what was shown"));
        }
        Ok(length)
    }
}
