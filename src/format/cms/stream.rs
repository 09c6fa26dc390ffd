//! Documents as streams: whatever their size, one buffer of 64 KiB.

use std::io::{self, Read, Write};

use der::{Decode, Header, Reader, SliceReader, Tag};

use crate::error::{Error, ErrorKind, Result};
use crate::source::Source;
use crate::suite::{Digest, Hasher};

const BUFFER: usize = 64 * 1024;
/// As much of a document's beginning as [`looks_like_attributes`] needs.
pub(crate) const START: usize = 32;

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
    pub(super) is_attributes: bool,
}

/// Reads a stream to its end.
pub(super) fn measure(reader: &mut dyn Read, mut hasher: Hasher, operation: &'static str) -> Result<Measured> {
    let mut start = Vec::with_capacity(START);
    let length = pieces(reader, operation, |piece| {
        let room = START.saturating_sub(start.len()).min(piece.len());
        start.extend_from_slice(piece.get(..room).unwrap_or_default());
        hasher.update(piece);
        Ok(())
    })?;
    Ok(Measured { digest: hasher.finish(), length, is_attributes: looks_like_attributes(&start, length) })
}

/// Whether a document is a DER SET OF attributes as a whole.
///
/// The signature of a message with signed attributes is made over such a set. Somebody may cut the attributes out and present them as
/// the content of a message without any: its signature is then right (RFC 5652 §5.4 makes both from the same octets). Text that
/// begins with the digit 1 (0x31) is not meant: the length must fit, and a SEQUENCE with an object identifier must follow.
pub(crate) fn looks_like_attributes(start: &[u8], length: u64) -> bool {
    let look = || -> der::Result<bool> {
        let mut reader = SliceReader::new(start)?;
        let set = Header::decode(&mut reader)?;
        let whole = u64::from(u32::from(reader.position())).saturating_add(u32::from(set.length()).into());
        let attribute = Header::decode(&mut reader)?;
        let kind = Header::decode(&mut reader)?;
        let tags = [set.tag(), attribute.tag(), kind.tag()];
        Ok(whole == length && tags == [Tag::Set, Tag::Sequence, Tag::ObjectIdentifier])
    };
    look().unwrap_or(false)
}

pub(super) fn input(error: &io::Error, operation: &'static str) -> Error {
    Error::new(ErrorKind::InputFailed, operation).io(error)
}

/// Writes, and tells what failed.
pub(super) fn put(out: &mut dyn Write, octets: &[u8]) -> Result<()> {
    out.write_all(octets).map_err(|e| Error::new(ErrorKind::OutputFailed, "write message").io(&e))
}
