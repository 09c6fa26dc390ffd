//! A report as JSON (RFC 8259), for programs in any language. No number in it is a float, and no person is named.

use std::fmt::Write;
use std::time::SystemTime;

use super::{Finding, Language, Report, Verdict, Words};
use crate::cert::Certificate;

/// A JSON object under way.
struct Object(String);

impl Object {
    fn new() -> Self {
        Object("{".to_owned())
    }

    fn raw(mut self, name: &str, value: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(name));
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    fn text(self, name: &str, value: &str) -> Self {
        let value = quoted(value);
        self.raw(name, &value)
    }

    /// Null where there is none.
    fn maybe(self, name: &str, value: Option<&str>) -> Self {
        let value = value.map_or_else(|| "null".to_owned(), quoted);
        self.raw(name, &value)
    }

    fn number(self, name: &str, value: Option<usize>) -> Self {
        let value = value.map_or_else(|| "null".to_owned(), |n| n.to_string());
        self.raw(name, &value)
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A JSON string. Everything that is not visible ASCII or a letter of some script is escaped: a report may be shown by anything.
fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            c if c.is_alphanumeric()
                || ('\u{3000}'..='\u{303F}').contains(&c)
                || ('\u{FF01}'..='\u{FF5E}').contains(&c) =>
            {
                out.push(c);
            }
            c => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
    out
}

fn time(at: SystemTime) -> Option<String> {
    der::DateTime::from_system_time(at).ok().map(|t| t.to_string())
}

fn signer(certificate: &Certificate) -> String {
    Object::new()
        .text("number", &certificate.number())
        .text("issuer", &certificate.issuer().shown())
        .text("fingerprint", &certificate.fingerprint().to_string())
        .maybe("not_before", time(certificate.not_before()).as_deref())
        .maybe("not_after", time(certificate.not_after()).as_deref())
        .end()
}

fn finding(finding: &Finding) -> String {
    let kind = finding.kind;
    let words = |object: Object, name: &str, words: Option<&Words>| {
        let of = |language| words.map(|w| w.of(language));
        object.maybe(name, of(Language::English)).maybe(&format!("{name}_zh"), of(Language::Chinese))
    };
    let object = Object::new()
        .text("code", kind.code())
        .text("kind", kind.name())
        .text("severity", kind.severity().name())
        .text("text", kind.text())
        .text("text_zh", kind.text_zh())
        .text("advice", kind.advice())
        .text("advice_zh", kind.advice_zh());
    let object = words(object, "detail", finding.detail.as_ref());
    let object = words(object, "expected", finding.expected.as_ref());
    words(object, "found", finding.found.as_ref())
        .number("line", finding.place.map(|p| p.line))
        .number("offset", finding.place.map(|p| p.offset))
        .end()
}

impl Report {
    /// The report as one line of JSON: `format`, `verdict` ([`Verdict::name`]), `suite`, `signer` (number, issuer, fingerprint, validity)
    /// and `findings`, each with `code`, `kind`, `severity`, `text`, `advice`, `detail`, `expected`, `found` (all with `…_zh`
    /// beside), `line` and `offset`. What is not known is null.
    #[must_use]
    pub fn json(&self) -> String {
        let findings: Vec<String> = self.findings.iter().map(finding).collect();
        Object::new()
            .text("format", self.format)
            .text("verdict", self.verdict().name())
            .maybe("suite", self.suite.map(|s| s.name()))
            .raw("signer", &self.signer.as_ref().map_or_else(|| "null".to_owned(), |c| signer(c)))
            .raw("findings", &format!("[{}]", findings.join(",")))
            .end()
    }
}

impl Verdict {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Valid => "valid",
            Verdict::SignatureOnly => "signature-only",
            Verdict::Invalid => "invalid",
        }
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
