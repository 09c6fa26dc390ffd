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
    ends: Ends,
}

/// Where lines end, and where the document does.
#[derive(Debug, Default)]
struct Ends {
    /// The first CRLF, at its CR.
    crlf: Option<Place>,
    /// The first LF without a CR.
    lf: Option<Place>,
    /// The last of either.
    last: Option<Place>,
    length: usize,
    /// LF that were met.
    count: usize,
    /// The octet that was read last.
    octet: Option<u8>,
}

impl Ends {
    fn add(&mut self, piece: &[u8]) {
        for (at, octet) in piece.iter().copied().enumerate() {
            if octet == b'\n' {
                let offset = self.length.saturating_add(at);
                self.count = self.count.saturating_add(1);
                let (offset, first) = match self.octet {
                    Some(b'\r') => (offset.saturating_sub(1), &mut self.crlf),
                    _ => (offset, &mut self.lf),
                };
                let place = Place { offset, line: self.count };
                first.get_or_insert(place);
                self.last = Some(place);
            }
            self.octet = Some(octet);
        }
        self.length = self.length.saturating_add(piece.len());
    }
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
        let mut ends = Ends::default();
        let mut buffer = vec![0_u8; 64 * 1024];
        loop {
            let piece = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => buffer.get(..n).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            ends.add(piece);
            all.iter_mut().for_each(|rewriter| rewriter.add(piece));
        }
        let digests = all.into_iter().flat_map(|rewriter| {
            let variant = rewriter.variant;
            rewriter.finish().into_iter().enumerate().map(move |(hasher, digest)| (hasher, variant, digest))
        });
        Ok(Variants { digests: digests.collect(), ends })
    }

    /// What `fits` takes of the digests, the document as it is first; with the number of the hasher and the finding that names the variant.
    pub(super) fn find<T>(&self, fits: impl Fn(usize, &Digest) -> Option<T>) -> Option<(T, Option<Finding>)> {
        let met = |(hasher, variant, digest): &(usize, Variant, Digest)| Some((fits(*hasher, digest)?, *variant));
        let (found, variant) = self.digests.iter().find_map(met)?;
        Some((found, self.finding(variant)))
    }

    fn finding(&self, variant: Variant) -> Option<Finding> {
        let Ends { crlf, lf, last, length, count, .. } = self.ends;
        let end = Place { offset: length, line: count.saturating_add(1) };
        let (kind, expected, found, place) = match variant {
            Variant::AsItIs => return None,
            Variant::Crlf => (FindingKind::LineEndsConverted, ("line ends CRLF", "换行为 CRLF"), ("LF", "LF"), lf),
            Variant::Lf => (FindingKind::LineEndsConverted, ("line ends LF", "换行为 LF"), ("CRLF", "CRLF"), crlf),
            Variant::Cut => {
                let found = ("a newline at the end", "末尾有换行");
                (FindingKind::ContentNewline, ("no newline at the end", "末尾无换行"), found, last)
            }
            Variant::Newline | Variant::NewlineCrlf => {
                let found = ("no newline at the end", "末尾无换行");
                (FindingKind::ContentNewline, ("a newline at the end", "末尾有换行"), found, None)
            }
        };
        Some(Finding::new(kind).compared(expected, found).at(place.unwrap_or(end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::DigestAlgorithm;

    /// What one pass over a document tells that is read in pieces of `step` octets.
    fn read(document: &[u8], step: usize) -> Variants {
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
        Variants::read(&mut Steps(document, step), hashers).unwrap()
    }

    /// What each variant makes of a document, whatever the sizes in which it is read.
    fn made(document: &[u8], step: usize, variant: Variant) -> Digest {
        read(document, step).digests.into_iter().find(|(_, v, _)| *v == variant).unwrap().2
    }

    #[test]
    fn a_finding_stands_where_the_first_line_end_of_its_sort_is() {
        // What was signed, the document as it is now, and where the two differ for the first time.
        let cases: [(&[u8], &[u8], usize, usize); 8] = [
            (b"a\r\nb\r\nc", b"a\r\nb\nc", 4, 2),
            (b"a\nb\nc", b"a\nb\r\nc", 3, 2),
            (b"\r\n", b"\n", 0, 1),
            ("中\n".as_bytes(), "中\r\n".as_bytes(), 3, 1),
            (b"a\nb", b"a\nb\n", 3, 2),
            (b"a\r\nb", b"a\r\nb\r\n", 4, 2),
            (b"a\nb\n", b"a\nb", 3, 2),
            (b"a\r\n", b"a", 1, 1),
        ];
        for (signed, document, offset, line) in cases {
            let digest = DigestAlgorithm::Sha256.of(signed).unwrap();
            for step in 1..5 {
                let fits = |_, made: &Digest| (*made == digest).then_some(());
                let ((), finding) = read(document, step).find(fits).unwrap();
                assert_eq!(finding.unwrap().place, Some(Place { offset, line }), "{document:?} {step}");
            }
        }
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
