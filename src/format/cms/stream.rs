//! Documents as streams: whatever their size, one buffer of 64 KiB.

use std::io::{self, Read, Write};

use crate::error::{Error, ErrorKind, Result};
use crate::format;
use crate::format::double::{Named, START, stands_for};
use crate::source::Source;
use crate::suite::{Digest, Hasher};

const BUFFER: usize = 64 * 1024;

/// Opens a document, past its first `skip` octets.
pub(super) fn open<'s>(
    source: &'s dyn Source,
    skip: u64,
    operation: &'static str,
) -> Result<Box<dyn Read + Send + 's>> {
    let mut reader = source.open().map_err(|e| input(&e, operation))?;
    if skip > 0 {
        io::copy(&mut (&mut reader).take(skip), &mut io::sink()).map_err(|e| input(&e, operation))?;
    }
    Ok(reader)
}

/// Hands a stream over in pieces; gives the count of octets.
pub(super) fn pieces(
    reader: &mut dyn Read,
    operation: &'static str,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<u64> {
    let mut buffer = vec![0_u8; BUFFER];
    let mut count = 0_u64;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(count),
            Ok(n) => {
                each(buffer.get(..n).unwrap_or_default())?;
                count = count.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(input(&e, operation)),
        }
    }
}

/// What one reading of a document tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) digest: Digest,
    pub(super) length: u64,
    /// What it is that another format signs, as it stands.
    pub(super) stands_for: Option<Named>,
    /// The document itself, where it is small enough to go to a token.
    pub(super) small: Option<Vec<u8>>,
}

/// Reads a stream to its end.
pub(super) fn measure(reader: &mut dyn Read, mut hasher: Hasher, operation: &'static str) -> Result<Measured> {
    let mut start = Vec::with_capacity(START);
    let mut small = Some(Vec::new());
    let length = pieces(reader, operation, |piece| {
        let room = START.saturating_sub(start.len()).min(piece.len());
        start.extend_from_slice(piece.get(..room).unwrap_or_default());
        hasher.update(piece);
        small = small.take().and_then(|s| format::small(s, piece));
        Ok(())
    })?;
    Ok(Measured { digest: hasher.finish(), length, stands_for: stands_for(&start, length), small })
}

pub(super) fn input(error: &io::Error, operation: &'static str) -> Error {
    Error::new(ErrorKind::InputFailed, operation).io(error)
}

/// Writes, and tells what failed.
pub(super) fn put(out: &mut dyn Write, octets: &[u8]) -> Result<()> {
    out.write_all(octets).map_err(|e| Error::new(ErrorKind::OutputFailed, "write message").io(&e))
}
