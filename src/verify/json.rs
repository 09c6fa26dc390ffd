//! A report as JSON (RFC 8259), for programs in any language. No number in it is a float, and no person is named.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::{Finding, Language, Report, Words};
use crate::cert::Certificate;

#[derive(Serialize)]
struct Told<'r> {
    format: &'r str,
    verdict: &'r str,
    suite: Option<&'r str>,
    signer: Option<Signer>,
    findings: Vec<One<'r>>,
}

#[derive(Serialize)]
struct Signer {
    number: String,
    issuer: String,
    fingerprint: String,
    not_before: Option<String>,
    not_after: Option<String>,
}

#[derive(Serialize)]
struct One<'r> {
    code: &'r str,
    kind: &'r str,
    severity: &'r str,
    text: &'r str,
    text_zh: &'r str,
    advice: &'r str,
    advice_zh: &'r str,
    detail: Option<&'r str>,
    detail_zh: Option<&'r str>,
    expected: Option<&'r str>,
    expected_zh: Option<&'r str>,
    found: Option<&'r str>,
    found_zh: Option<&'r str>,
    line: Option<usize>,
    offset: Option<usize>,
}

impl Signer {
    fn of(certificate: &Certificate) -> Self {
        let time = |at| der::DateTime::from_system_time(at).ok().map(|time| time.to_string());
        Signer {
            number: certificate.number(),
            issuer: certificate.issuer().shown(),
            fingerprint: certificate.fingerprint().to_string(),
            not_before: time(certificate.not_before()),
            not_after: time(certificate.not_after()),
        }
    }
}

impl<'r> One<'r> {
    fn of(finding: &'r Finding) -> Self {
        use Language::{Chinese, English};
        let kind = finding.kind;
        let words = |words: &'r Option<Words>, language| words.as_ref().map(|w| w.of(language));
        One {
            code: kind.code(),
            kind: kind.name(),
            severity: kind.severity().name(),
            text: kind.text(),
            text_zh: kind.text_zh(),
            advice: kind.advice(),
            advice_zh: kind.advice_zh(),
            detail: words(&finding.detail, English),
            detail_zh: words(&finding.detail, Chinese),
            expected: words(&finding.expected, English),
            expected_zh: words(&finding.expected, Chinese),
            found: words(&finding.found, English),
            found_zh: words(&finding.found, Chinese),
            line: finding.place.map(|p| p.line),
            offset: finding.place.map(|p| p.offset),
        }
    }
}

/// Escapes everything that is not visible ASCII or a letter of some script: a report may be shown by anything.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for c in fragment.chars() {
            if is_visible(c) {
                write!(writer, "{c}")?;
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

fn is_visible(c: char) -> bool {
    let wide = |c| ('\u{3000}'..='\u{303F}').contains(&c) || ('\u{FF01}'..='\u{FF5E}').contains(&c);
    (' '..='~').contains(&c) || c.is_alphanumeric() || wide(c)
}

impl Report {
    /// The report as one line of JSON: `format`, `verdict` ([`name`](super::Verdict::name)), `suite`, `signer` (number, issuer, fingerprint, validity)
    /// and `findings`, each with `code`, `kind`, `severity`, `text`, `advice`, `detail`, `expected`, `found` (all with `…_zh`
    /// beside), `line` and `offset`. What is not known is null.
    #[must_use]
    pub fn json(&self) -> String {
        let told = Told {
            format: self.format,
            verdict: self.verdict().name(),
            suite: self.suite.map(|s| s.name()),
            signer: self.signer.as_deref().map(Signer::of),
            findings: self.findings.iter().map(One::of).collect(),
        };
        let mut out = Vec::new();
        // Texts and numbers, written into memory: neither can fail.
        let written = told.serialize(&mut Serializer::with_formatter(&mut out, Visible));
        debug_assert!(written.is_ok(), "{written:?}");
        String::from_utf8(out).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::FindingKind;

    #[test]
    fn a_report_is_json_whatever_its_words_hold() {
        let mut report = Report::new("raw");
        let nasty = "quote \" backslash \\ tab \t escape \u{1b}[2J turned \u{202e} astral \u{1f6e1} 中文，（）";
        report.add(Finding::new(FindingKind::SignatureWrong).detail((nasty, nasty)).compared(nasty, ("a", "甲")));
        let text = report.json();
        assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["findings"][0]["detail"], nasty);
        assert_eq!(value["findings"][0]["detail_zh"], nasty);
        assert_eq!(value["findings"][0]["expected_zh"], nasty);
        assert_eq!(value["findings"][0]["found_zh"], "甲");
        assert_eq!(value["findings"][0]["code"], "VF-101");
        assert_eq!((&value["verdict"], &value["signer"]), (&"invalid".into(), &serde_json::Value::Null));
        assert!(value["findings"][0]["line"].is_null());
    }
}
