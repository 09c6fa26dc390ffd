//! One finding: which, what exactly, what was expected and found, where.

use std::fmt;

use super::{FindingKind, Language, Words};

/// Where in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Octet offset from 0.
    pub offset: usize,
    /// Line from 1. LF, CRLF and a CR alone each end one, as in XML 1.0, clause 2.11.
    pub line: usize,
}

impl Place {
    /// The place of an octet in a document.
    #[must_use]
    pub fn of(document: &[u8], offset: usize) -> Self {
        let before = document.get(..offset).unwrap_or(document);
        let ends = |(at, octet): &(usize, &u8)| match octet {
            b'\n' => true,
            b'\r' => document.get(at.saturating_add(1)) != Some(&b'\n'),
            _ => false,
        };
        let lines = before.iter().enumerate().filter(ends).count();
        Place { offset, line: lines.saturating_add(1) }
    }
}

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Good to know.
    Info,
    /// Accepted, but something is odd.
    Warning,
    /// The document must not be accepted.
    Wrong,
}

impl Severity {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Wrong => "wrong",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Which.
    pub kind: FindingKind,
    /// What exactly, in a few words; no personal data.
    pub detail: Option<Words>,
    /// What was expected.
    pub expected: Option<Words>,
    /// What was found.
    pub found: Option<Words>,
    /// Where.
    pub place: Option<Place>,
}

impl Finding {
    /// A finding with nothing more to say than its kind.
    #[must_use]
    pub fn new(kind: FindingKind) -> Self {
        Finding { kind, detail: None, expected: None, found: None, place: None }
    }

    /// Adds what exactly: words in English and Chinese as a pair, or a text that is no language.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Words>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds what was expected and what was found.
    #[must_use]
    pub fn compared(mut self, expected: impl Into<Words>, found: impl Into<Words>) -> Self {
        self.expected = Some(expected.into());
        self.found = Some(found.into());
        self
    }

    /// Adds where.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Adds where, if it is known and nothing was said of it yet.
    #[must_use]
    pub(crate) fn maybe_at(mut self, place: Option<Place>) -> Self {
        self.place = self.place.or(place);
        self
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }

    /// All of it in one line, but for what to do: [`FindingKind::advice_in`].
    #[must_use]
    pub fn line(&self, language: Language) -> String {
        let pick = |english: String, chinese: String| language.pick(english, chinese);
        let mut line = format!("{} {}", self.kind.code(), self.kind.text_in(language));
        if let Some(detail) = self.detail.as_ref().map(|d| d.of(language)).filter(|d| !d.is_empty()) {
            line.push_str(&pick(format!(" ({detail})"), format!("（{detail}）")));
        }
        if let (Some(expected), Some(found)) = (&self.expected, &self.found) {
            let (expected, found) = (expected.of(language), found.of(language));
            line.push_str(&pick(
                format!("; expected {expected}, found {found}"),
                format!("；应为 {expected}，实为 {found}"),
            ));
        }
        if let Some(Place { offset, line: number }) = self.place {
            line.push_str(&pick(
                format!(" at line {number}, octet {offset}"),
                format!("；第 {number} 行，字节偏移 {offset}"),
            ));
        }
        line
    }
}

/// As [`Finding::line`], in English.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(Language::English))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_end_ends_one_line() {
        for document in ["a\nb\n\nc", "a\rb\r\rc", "a\r\nb\r\n\r\nc"] {
            let at = |octet| Place::of(document.as_bytes(), document.find(octet).unwrap()).line;
            assert_eq!((at('a'), at('b'), at('c')), (1, 2, 4), "{document:?}");
        }
        // Between the two octets of a line end the line has not ended, and behind the end of a document there is nothing.
        assert_eq!([0, 1, 2, 3].map(|offset| Place::of(b"a\r\n", offset).line), [1, 1, 1, 2]);
        assert_eq!(Place::of(b"a\r", 9), Place { offset: 9, line: 2 });
    }
}
