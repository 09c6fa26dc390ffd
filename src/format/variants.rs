//! The known ways in which the octets of a document change on their way: line ends and the newline at the end. All of them are hashed in one
//! pass over the document, whatever its size.

use std::io::{self, Read};

use crate::suite::{Digest, Hasher};
use crate::verify::{Finding, FindingKind, Place};

/// How the signer may have had the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    AsItIs,
    /// CRLF where LF stands: what mail programs and text modes make.
    Crlf,
    /// LF where CRLF stands.
    Lf,
    /// Without the newline at the end.
    Cut,
    /// With a newline at the end.
    Newline,
    /// With a CRLF at the end.
    NewlineCrlf,
}

const ALL: [Variant; 6] =
    [Variant::AsItIs, Variant::Crlf, Variant::Lf, Variant::Cut, Variant::Newline, Variant::NewlineCrlf];

/// What one pass over a document tells.
#[derive(Debug)]
pub(super) struct Variants {
    /// In the order of the hashers that were given, each with its variants.
    digests: Vec<(usize, Variant, Digest)>,
    length: usize,
    lines: usize,
    /// Where the first line ends.
    first_end: Option<usize>,
}

/// A document that is written otherwise, piece by piece.
struct Rewriter {
    variant: Variant,
    hashers: Vec<Hasher>,
    /// A CR, or the end of the last line, which is not passed on yet.
    held: Vec<u8>,
}

impl Rewriter {
    fn put(&mut self, octets: &[u8]) {
        self.hashers.iter_mut().for_each(|h| h.update(octets));
    }

    fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.put(&held);
    }

    fn add(&mut self, piece: &[u8]) {
        match self.variant {
            Variant::AsItIs | Variant::Newline | Variant::NewlineCrlf => self.put(piece),
            Variant::Crlf | Variant::Lf => {
                let end: &[u8] = if self.variant == Variant::Crlf { b"\r\n" } else { b"\n" };
                for line in piece.split_inclusive(|o| *o == b'\n') {
                    let text = line.strip_suffix(b"\n");
                    // A CR that was held ends this line, or stands in the middle of one.
                    if line != b"\n" {
                        self.release();
                    }
                    self.held.clear();
                    let body = text.unwrap_or(line);
                    let bare = body.strip_suffix(b"\r");
                    self.put(bare.unwrap_or(body));
                    match (text, bare) {
                        (Some(_), _) => self.put(end),
                        (None, Some(_)) => self.held = b"\r".to_vec(),
                        (None, None) => {}
                    }
                }
            }
            Variant::Cut => {
                let all = [self.held.as_slice(), piece].concat();
                let keep = if all.ends_with(b"\r\n") {
                    2
                } else {
                    usize::from(all.last().is_some_and(|o| matches!(o, b'\n' | b'\r')))
                };
                let (now, later) = all.split_at_checked(all.len().saturating_sub(keep)).unwrap_or((&all, &[]));
                self.put(now);
                self.held = later.to_vec();
            }
        }
    }

    fn finish(mut self) -> Vec<Digest> {
        match self.variant {
            Variant::Newline => self.put(b"\n"),
            Variant::NewlineCrlf => self.put(b"\r\n"),
            Variant::Cut if matches!(self.held.as_slice(), b"\n" | b"\r\n") => {}
            _ => self.release(),
        }
        self.hashers.into_iter().map(Hasher::finish).collect()
    }
}

impl Variants {
    /// Reads a document to its end. `hashers` makes a fresh set of hashers for each variant: the same in each.
    pub(super) fn read(reader: &mut dyn Read, hashers: impl Fn() -> Vec<Hasher>) -> io::Result<Self> {
        let mut all: Vec<Rewriter> =
            ALL.iter().map(|variant| Rewriter { variant: *variant, hashers: hashers(), held: Vec::new() }).collect();
        let (mut length, mut lines, mut first_end) = (0_usize, 1_usize, None);
        let mut buffer = vec![0_u8; 64 * 1024];
        loop {
            let piece = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => buffer.get(..n).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            let end = piece.iter().position(|o| *o == b'\n');
            first_end = first_end.or(end.map(|at| length.saturating_add(at)));
            length = length.saturating_add(piece.len());
            lines = lines.saturating_add(piece.iter().filter(|o| **o == b'\n').count());
            all.iter_mut().for_each(|rewriter| rewriter.add(piece));
        }
        let digests = all.into_iter().flat_map(|rewriter| {
            let variant = rewriter.variant;
            rewriter.finish().into_iter().enumerate().map(move |(hasher, digest)| (hasher, variant, digest))
        });
        Ok(Variants { digests: digests.collect(), length, lines, first_end })
    }

    /// What `fits` takes of the digests, the document as it is first; with the number of the hasher and the finding that names the variant.
    pub(super) fn find<T>(&self, fits: impl Fn(usize, &Digest) -> Option<T>) -> Option<(T, Option<Finding>)> {
        let met = |(hasher, variant, digest): &(usize, Variant, Digest)| Some((fits(*hasher, digest)?, *variant));
        let (found, variant) = self.digests.iter().find_map(met)?;
        Some((found, self.finding(variant)))
    }

    fn finding(&self, variant: Variant) -> Option<Finding> {
        let end = Place { offset: self.length, line: self.lines };
        let first = self.first_end.map_or(end, |offset| Place { offset, line: 1 });
        let (kind, expected, found, place) = match variant {
            Variant::AsItIs => return None,
            Variant::Crlf => (FindingKind::LineEndsConverted, ("line ends CRLF", "换行为 CRLF"), ("LF", "LF"), first),
            Variant::Lf => (FindingKind::LineEndsConverted, ("line ends LF", "换行为 LF"), ("CRLF", "CRLF"), first),
            Variant::Cut => {
                let found = ("a newline at the end", "末尾有换行");
                (FindingKind::ContentNewline, ("no newline at the end", "末尾无换行"), found, end)
            }
            Variant::Newline | Variant::NewlineCrlf => {
                let found = ("no newline at the end", "末尾无换行");
                (FindingKind::ContentNewline, ("a newline at the end", "末尾有换行"), found, end)
            }
        };
        Some(Finding::new(kind).compared(expected, found).at(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::DigestAlgorithm;

    /// What each variant makes of a document, whatever the sizes in which it is read.
    fn made(document: &[u8], step: usize, variant: Variant) -> Digest {
        struct Steps<'d>(&'d [u8], usize);
        impl Read for Steps<'_> {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                let n = self.1.min(self.0.len());
                out[..n].copy_from_slice(&self.0[..n]);
                self.0 = &self.0[n..];
                Ok(n)
            }
        }
        let hashers = || vec![DigestAlgorithm::Sha256.hasher().unwrap()];
        let read = Variants::read(&mut Steps(document, step), hashers).unwrap();
        read.digests.into_iter().find(|(_, v, _)| *v == variant).unwrap().2
    }

    #[test]
    fn line_ends_and_the_last_newline_are_written_otherwise_whatever_the_pieces() {
        let cases: [(&[u8], Variant, &[u8]); 12] = [
            (b"a\nb\n", Variant::Crlf, b"a\r\nb\r\n"),
            (b"a\r\nb\n\n", Variant::Crlf, b"a\r\nb\r\n\r\n"),
            (b"a\rb\r\nc\r", Variant::Lf, b"a\rb\nc\r"),
            (b"\r\n\r\n", Variant::Lf, b"\n\n"),
            (b"\r\r\n", Variant::Lf, b"\r\n"),
            (b"a\n", Variant::Cut, b"a"),
            (b"a\r\n", Variant::Cut, b"a"),
            (b"a\n\n", Variant::Cut, b"a\n"),
            (b"a\r", Variant::Cut, b"a\r"),
            (b"a", Variant::Newline, b"a\n"),
            (b"a", Variant::NewlineCrlf, b"a\r\n"),
            (b"a\nb", Variant::AsItIs, b"a\nb"),
        ];
        for (document, variant, expected) in cases {
            for step in 1..5 {
                let digest = made(document, step, variant);
                assert_eq!(digest, DigestAlgorithm::Sha256.of(expected).unwrap(), "{document:?} {variant:?} {step}");
            }
        }
    }
}
