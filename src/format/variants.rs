//! The known ways in which the octets of a document change on their way: line ends and the newline at the end. All of them are hashed in one
//! pass over the document, whatever its size.

use std::io::{self, Read};

use crate::suite::{Digest, Hasher};
use crate::verify::{Finding, FindingKind, Place};

/// How the signer may have had the line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    AsTheyAre,
    /// CRLF where LF stands: what mail programs and text modes make.
    Crlf,
    /// LF where CRLF stands.
    Lf,
}

/// How the signer may have had the end of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    AsItIs,
    /// Without the newline at the end.
    Cut,
    /// With a newline at the end.
    Newline,
    /// With a CRLF at the end.
    NewlineCrlf,
}

type Variant = (Lines, Last);

/// Each alone, then in pairs.
const ALL: [Variant; 10] = [
    (Lines::AsTheyAre, Last::AsItIs),
    (Lines::Crlf, Last::AsItIs),
    (Lines::Lf, Last::AsItIs),
    (Lines::AsTheyAre, Last::Cut),
    (Lines::AsTheyAre, Last::Newline),
    (Lines::AsTheyAre, Last::NewlineCrlf),
    (Lines::Crlf, Last::Cut),
    (Lines::Crlf, Last::NewlineCrlf),
    (Lines::Lf, Last::Cut),
    (Lines::Lf, Last::Newline),
];

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
    /// Lines that ended: at an LF, a CRLF or a CR by itself, as [`Place::of`] counts them. A CR that was read last is not in it yet.
    count: usize,
    /// The octet that was read last.
    octet: Option<u8>,
}

impl Ends {
    /// Behind the last octet.
    fn end(&self) -> Place {
        let ended = self.count.saturating_add(usize::from(self.octet == Some(b'\r')));
        Place { offset: self.length, line: ended.saturating_add(1) }
    }

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
            } else if self.octet == Some(b'\r') {
                self.count = self.count.saturating_add(1);
            }
            self.octet = Some(octet);
        }
        self.length = self.length.saturating_add(piece.len());
    }
}

/// A document whose lines are written otherwise, piece by piece.
struct Rewriter {
    lines: Lines,
    hashers: Vec<Hasher>,
    /// A CR that may belong to the end of a line.
    held: bool,
    /// The end of the last line, which is not hashed yet.
    last: &'static [u8],
}

impl Rewriter {
    fn new(lines: Lines, hashers: Vec<Hasher>) -> Self {
        Rewriter { lines, hashers, held: false, last: b"" }
    }

    fn hash(&mut self, octets: &[u8]) {
        self.hashers.iter_mut().for_each(|h| h.update(octets));
    }

    /// Hashes all but a line end at the end.
    fn put(&mut self, octets: &[u8]) {
        if octets.is_empty() {
            return;
        }
        if octets == b"\n" && self.last == b"\r" {
            self.last = b"\r\n";
            return;
        }
        self.hash(self.last);
        let ends: [&'static [u8]; 3] = [b"\r\n", b"\n", b"\r"];
        self.last = ends.into_iter().find(|end| octets.ends_with(end)).unwrap_or_default();
        self.hash(octets.strip_suffix(self.last).unwrap_or(octets));
    }

    fn release(&mut self) {
        if std::mem::take(&mut self.held) {
            self.put(b"\r");
        }
    }

    fn add(&mut self, piece: &[u8]) {
        let end: &[u8] = match self.lines {
            Lines::AsTheyAre => return self.put(piece),
            Lines::Crlf => b"\r\n",
            Lines::Lf => b"\n",
        };
        for line in piece.split_inclusive(|o| *o == b'\n') {
            let text = line.strip_suffix(b"\n");
            // A CR that was held ends this line, or stands in the middle of one.
            if line != b"\n" {
                self.release();
            }
            self.held = false;
            let body = text.unwrap_or(line);
            let bare = body.strip_suffix(b"\r");
            self.put(bare.unwrap_or(body));
            match (text, bare) {
                (Some(_), _) => self.put(end),
                (None, Some(_)) => self.held = true,
                (None, None) => {}
            }
        }
    }

    /// What each hasher gives with another end of the document; `None` where it has no such end.
    fn ended(&self, last: Last) -> Option<Vec<Digest>> {
        let added: &[u8] = match last {
            Last::AsItIs => b"",
            Last::Cut if self.last.ends_with(b"\n") => return Some(self.finish(b"", b"")),
            Last::Cut => return None,
            Last::Newline => b"\n",
            Last::NewlineCrlf => b"\r\n",
        };
        Some(self.finish(self.last, added))
    }

    fn finish(&self, last: &[u8], added: &[u8]) -> Vec<Digest> {
        let finished = self.hashers.iter().cloned().map(|mut hasher| {
            hasher.update(last);
            hasher.update(added);
            hasher.finish()
        });
        finished.collect()
    }
}

impl Variants {
    /// Reads a document to its end. `hashers` makes a fresh set of hashers for each form of the lines: the same in each.
    pub(super) fn read(reader: &mut dyn Read, hashers: impl Fn() -> Vec<Hasher>) -> io::Result<Self> {
        let mut all = [Lines::AsTheyAre, Lines::Crlf, Lines::Lf].map(|lines| Rewriter::new(lines, hashers()));
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
        all.iter_mut().for_each(Rewriter::release);
        let digests = ALL.into_iter().flat_map(|variant| {
            let (lines, last) = variant;
            let made = all.iter().find(|rewriter| rewriter.lines == lines).and_then(|rewriter| rewriter.ended(last));
            made.into_iter().flatten().enumerate().map(move |(hasher, digest)| (hasher, variant, digest))
        });
        Ok(Variants { digests: digests.collect(), ends })
    }

    /// What `fits` takes of the digests, the document as it is first; with the number of the hasher and the findings that name the variant.
    pub(super) fn find<T>(&self, fits: impl Fn(usize, &Digest) -> Option<T>) -> Option<(T, Vec<Finding>)> {
        let met = |(hasher, variant, digest): &(usize, Variant, Digest)| Some((fits(*hasher, digest)?, *variant));
        let (found, (lines, last)) = self.digests.iter().find_map(met)?;
        Some((found, self.of_lines(lines).into_iter().chain(self.of_last(last)).collect()))
    }

    fn of_lines(&self, lines: Lines) -> Option<Finding> {
        let (expected, found, place) = match lines {
            Lines::AsTheyAre => return None,
            Lines::Crlf => (("line ends CRLF", "换行为 CRLF"), ("LF", "LF"), self.ends.lf),
            Lines::Lf => (("line ends LF", "换行为 LF"), ("CRLF", "CRLF"), self.ends.crlf),
        };
        Some(
            Finding::new(FindingKind::LineEndsConverted).compared(expected, found).at(place.unwrap_or(self.ends.end())),
        )
    }

    fn of_last(&self, last: Last) -> Option<Finding> {
        let (without, with) = (("no newline at the end", "末尾无换行"), ("a newline at the end", "末尾有换行"));
        let (expected, found, place) = match last {
            Last::AsItIs => return None,
            Last::Cut => (without, with, self.ends.last),
            Last::Newline | Last::NewlineCrlf => (with, without, None),
        };
        Some(Finding::new(FindingKind::ContentNewline).compared(expected, found).at(place.unwrap_or(self.ends.end())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::DigestAlgorithm;

    /// A document, how it is written otherwise, and what comes out where it can be.
    type Case<'c> = (&'c [u8], Variant, Option<&'c [u8]>);

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
    fn made(document: &[u8], step: usize, variant: Variant) -> Option<Digest> {
        read(document, step).digests.into_iter().find(|(_, v, _)| *v == variant).map(|(_, _, digest)| digest)
    }

    #[test]
    fn a_finding_stands_where_the_first_line_end_of_its_sort_is() {
        // What was signed, the document as it is now, and where the two differ for the first time.
        let cases: [(&[u8], &[u8], usize, usize); 12] = [
            (b"a\rb\r\rc\r\nd", b"a\rb\r\rc\nd", 6, 4),
            (b"a\r\rb\nc", b"a\r\rb\r\nc", 4, 3),
            (b"a\rb\n", b"a\rb", 3, 2),
            (b"a\rb\r\r\n", b"a\rb\r\r", 5, 4),
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
            assert_eq!(Place::of(document, offset), Place { offset, line }, "{document:?}");
            let digest = DigestAlgorithm::Sha256.of(signed).unwrap();
            for step in 1..5 {
                let fits = |_, made: &Digest| (*made == digest).then_some(());
                let ((), finding) = read(document, step).find(fits).unwrap();
                assert_eq!(finding.len(), 1, "{document:?} {step}");
                assert_eq!(finding[0].place, Some(Place { offset, line }), "{document:?} {step}");
            }
        }
    }

    #[test]
    fn line_ends_and_the_last_newline_are_written_otherwise_whatever_the_pieces() {
        use Last::{AsItIs, Cut, Newline, NewlineCrlf};
        use Lines::{AsTheyAre, Crlf, Lf};
        let cases: [Case<'_>; 22] = [
            (b"a\nb\n", (Crlf, AsItIs), Some(b"a\r\nb\r\n")),
            (b"a\r\nb\n\n", (Crlf, AsItIs), Some(b"a\r\nb\r\n\r\n")),
            (b"a\rb\r\nc\r", (Lf, AsItIs), Some(b"a\rb\nc\r")),
            (b"\r\n\r\n", (Lf, AsItIs), Some(b"\n\n")),
            (b"\r\r\n", (Lf, AsItIs), Some(b"\r\n")),
            (b"a\n", (AsTheyAre, Cut), Some(b"a")),
            (b"a\r\n", (AsTheyAre, Cut), Some(b"a")),
            (b"a\n\n", (AsTheyAre, Cut), Some(b"a\n")),
            (b"\r\n\r\r\n", (AsTheyAre, Cut), Some(b"\r\n\r")),
            (b"a\r", (AsTheyAre, Cut), None),
            (b"", (AsTheyAre, Cut), None),
            (b"a", (AsTheyAre, Newline), Some(b"a\n")),
            (b"a", (AsTheyAre, NewlineCrlf), Some(b"a\r\n")),
            (b"a\r\n", (AsTheyAre, Newline), Some(b"a\r\n\n")),
            (b"a\nb", (AsTheyAre, AsItIs), Some(b"a\nb")),
            (b"\r\r\n\r", (AsTheyAre, AsItIs), Some(b"\r\r\n\r")),
            (b"a\nb\n", (Crlf, Cut), Some(b"a\r\nb")),
            (b"a\nb", (Crlf, NewlineCrlf), Some(b"a\r\nb\r\n")),
            (b"a\r\nb\r\n", (Lf, Cut), Some(b"a\nb")),
            (b"a\r\nb", (Lf, Newline), Some(b"a\nb\n")),
            (b"a\r\nb\r", (Lf, Newline), Some(b"a\nb\r\n")),
            (b"a\r\nb\r", (Lf, Cut), None),
        ];
        for (document, variant, expected) in cases {
            let expected = expected.map(|octets| DigestAlgorithm::Sha256.of(octets).unwrap());
            for step in 1..5 {
                assert_eq!(made(document, step, variant), expected, "{document:?} {variant:?} {step}");
            }
        }
    }
}
