//! Form fields of the EMS pages (金关二期, Golden Gate project, second phase): the values one after the other, signed as text (manual::customs §1.9).
//!
//! Nothing stands between two values, so the signature does not say where one ends: `12` and `3` are signed as `1` and `23` are. That is how the pages do
//! it. The prompt therefore shows each field by itself, and what is posted should be compared field by field by who receives it.
//!
//! | point | here | source |
//! |---|---|---|
//! | octets | the values in the caller's order, in UTF-8, nothing between and nothing after them | order and concatenation: public pages; UTF-8: inferred |
//! | signature | RSA with SHA-1 or SM2 as r‖s, in base64, as all of customs (manual::customs §1.4) | same signing core as announcement 179 |
//! | posted | signature and certificate number; under which names differs from page to page | |

use std::io::Write;
use std::sync::Arc;

use super::customs::{self, Given, Judge};
use super::double::{self, START};
use super::proof::{Form, Proof};
use super::{Format, Prepared, SignContext};
use crate::cert::{Certificate, plain};
use crate::error::{Error, ErrorKind, Result};
use crate::source::Content;
use crate::suite::{DigestAlgorithm, RawSignature, Suite, Summary, ToBeSigned, is_hidden};
use crate::verify::{Finding, FindingKind, Place, Report, VerifyContext};

/// The most octets of all values together.
pub const MAX_OCTETS: usize = 64 * 1024;
/// The most fields.
pub const MAX_FIELDS: usize = 256;

const PREPARE: &str = "prepare EMS form";
/// The signature stands beside the values: what is said of it is said of its first octet.
const BESIDE: Place = Place { offset: 0, line: 1 };
/// As much of a form as a prompt shows: characters of a name and of a value, and fields. Together they fit into `policy::DISPLAY_MAX`.
const SHOWN_NAME: usize = 24;
const SHOWN_VALUE: usize = 40;
const SHOWN_FIELDS: usize = 12;

/// One field: its name, which is shown and not signed, and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// As the page calls it.
    pub name: &'a str,
    /// What is signed of it. It may be empty.
    pub value: &'a str,
}

/// The text that is signed for these fields.
///
/// # Errors
/// `FormEmpty`; `FormField` for too many or too long ones and for values with characters that nobody sees; `DocumentAmbiguous` where the text as a
/// whole is what another format signs.
pub fn signing_text(fields: &[Field<'_>]) -> Result<String> {
    let refuse = |kind, detail: String| Err(Error::new(kind, PREPARE).detail(detail));
    if fields.len() > MAX_FIELDS {
        return refuse(ErrorKind::FormField, format!("more than {MAX_FIELDS} fields"));
    }
    if let Some(field) = fields.iter().find(|f| f.value.chars().any(is_hidden)) {
        return refuse(
            ErrorKind::FormField,
            format!("{}: a character that nobody sees", plain(field.name, SHOWN_VALUE)),
        );
    }
    let text: String = fields.iter().map(|f| f.value).collect();
    check(text.as_bytes())?;
    Ok(text)
}

fn check(text: &[u8]) -> Result<()> {
    let refuse = |kind, detail: String| Err(Error::new(kind, PREPARE).detail(detail));
    if text.is_empty() {
        return Err(Error::new(ErrorKind::FormEmpty, PREPARE));
    }
    if text.len() > MAX_OCTETS {
        return refuse(ErrorKind::FormField, format!("more than {MAX_OCTETS} octets in all"));
    }
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    match double::stands_for(text.get(..START).unwrap_or(text), length) {
        Some((what, _)) => refuse(ErrorKind::DocumentAmbiguous, format!("the values together are {what}")),
        None => Ok(()),
    }
}

/// What a person is shown: each field on a line of its own, so that values can be told apart; what does not fit, by its digest.
pub(crate) fn summary(fields: &[Field<'_>]) -> Result<String> {
    // A backslash that is signed is shown as two: one before an n stands for a newline.
    let visible = |c: char| if matches!(c, '\n' | '\t' | '\\') { c.escape_default().collect() } else { c.to_string() };
    let mut text = format!("EMS form, {} fields", fields.len());
    let mut is_whole = fields.len() <= SHOWN_FIELDS;
    for field in fields.iter().take(SHOWN_FIELDS) {
        let value: String = field.value.chars().take(SHOWN_VALUE).map(visible).collect();
        let is_cut = field.value.chars().nth(SHOWN_VALUE).is_some();
        is_whole = is_whole && !is_cut;
        let more = if is_cut { "…" } else { "" };
        text.push_str(&format!("\n{}: {value}{more}", plain(field.name, SHOWN_NAME)));
    }
    if !is_whole {
        let all: String = fields.iter().map(|f| f.value).collect();
        text.push_str(&format!("\n…; SHA-256 of all values {}", DigestAlgorithm::Sha256.of(all.as_bytes())?.hex()));
    }
    Ok(text)
}

/// The format `ems`: base64 of the signature is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ems;

/// The one instance.
pub static EMS: Ems = Ems;

impl Format for Ems {
    fn name(&self) -> &'static str {
        "ems"
    }

    fn prepare(&self, content: &Content, by: &Arc<Certificate>, context: &SignContext) -> Result<Prepared> {
        let text = content.read(MAX_OCTETS, PREPARE)?;
        check(&text)?;
        let key = by.key()?;
        let suite = customs::suite(key.kind(), context, PREPARE)?;
        let mut tbs = ToBeSigned::over(suite, key, &text)?;
        let shown = format!("EMS form, {} octets, {} {}", text.len(), tbs.digest.algorithm().name(), tbs.digest.hex());
        tbs.display = Some(Arc::new(Summary { text: shown }));
        tbs.message = Some(Arc::from(text));
        let notes = customs::notes(key.kind(), suite, context.role);
        let finish = Box::new(move |signature: &RawSignature, out: &mut dyn Write| {
            let value = customs::value(signature, suite, "finish EMS form")?;
            out.write_all(value.as_bytes()).map_err(|e| Error::new(ErrorKind::OutputFailed, "write EMS form").io(&e))
        });
        Ok(Prepared::new(tbs, notes, finish))
    }

    /// As the trait says. `content` is the values one after the other, `signature` base64 text or octets.
    fn verify(&self, content: &Content, signature: Option<&[u8]>, context: &VerifyContext) -> Result<Report> {
        let text = content.read(MAX_OCTETS, "verify EMS form")?;
        let mut report = Report::new(self.name());
        let suites = [Suite::RsaSha1, Suite::Sm2Sm3, Suite::P256Sha256];
        let given = signature.map(|s| Given::beside(s, BESIDE));
        let over = |other: &Proof| other.is_over(&text);
        if let Some(judge) = Judge::open(&mut report, given, context, &suites, Form::Raw, over) {
            if let Some(suite) = judge.fits(&text) {
                judge.accept(&mut report, suite, true);
                return Ok(report);
            }
            report.add(judge.wrong(&text).at(BESIDE));
            let by_other =
                || judge.other_signer(context, |other| other.made(&text)).map(|(signer, way)| (Some(signer), way));
            let (signer, way) = judge.made(&text).map(|way| (None, way)).or_else(by_other).unwrap_or_default();
            let unknown = Finding::new(FindingKind::NoKnownReason).detail(("the signature value", "签名值"));
            let unknown = (signer.is_none() && way.is_none()).then_some(unknown);
            report.findings.extend([signer, way, unknown].into_iter().flatten().map(|f| f.maybe_at(Some(BESIDE))));
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy;

    #[test]
    fn the_longest_form_can_be_shown_and_what_is_cut_is_named_by_its_digest() {
        let long = "𠮷".repeat(200);
        let most: Vec<Field<'_>> = (0..MAX_FIELDS).map(|_| Field { name: &long, value: &long }).collect();
        let text = summary(&most).unwrap();
        assert!(text.len() <= policy::DISPLAY_MAX && text.contains("SHA-256 of all values"), "{} octets", text.len());
        let short = summary(&[Field { name: "a", value: "1\n2" }]).unwrap();
        assert_eq!(short, "EMS form, 1 fields\na: 1\\n2");
        let backslash = summary(&[Field { name: "a", value: "1\\n2" }]).unwrap();
        assert_ne!(backslash, short, "a person must see which of the two is signed");
    }
}
