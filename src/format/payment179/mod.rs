//! Announcement 179 (海关总署公告2018年第179号): real-time payment data, signed as a string (manual::customs §2).
//!
//! What is signed is this text in UTF-8, without a newline at its end:
//!
//! ```text
//! "sessionID":"ID"||"payExchangeInfoHead":"HEAD"||"payExchangeInfoLists":"LISTS"||"serviceTime":"TIME"
//! ```
//!
//! HEAD and LISTS are compact JSON in the announcement's field order, not escaped a second time.
//!
//! # Input
//!
//! Either the four fields as one JSON object, in any order and with any white space, or the ready string. The ready string is
//! taken only when it is octet for octet what its own fields make.
//!
//! # Characters
//!
//! | in a value | written as |
//! |---|---|
//! | `/ < > & = '` and everything outside ASCII | itself, always; an escape for it in the input JSON is undone |
//! | `"` and `\` | `\"` and `\\` |
//! | backspace, tab, LF, form feed, CR | `\b \t \n \f \r` |
//! | other control characters, DEL, U+0080 to U+009F, U+2028, U+2029 | refused, `DocumentAmbiguous` |
//!
//! "Not escaped" means not escaped a *second* time: HEAD and LISTS are JSON, and JSON cannot hold a quote, a backslash or a
//! control character as it is. For the first two rows below `/` every JSON writer has the same form, so a receiver that parses what is posted
//! and writes it anew gets the octets that were signed. For the last row writers differ, so nothing is signed that one of them
//! would change. `sessionID` stands outside of any JSON, where no escape is defined: it is visible ASCII without `"` and `\`.
//!
//! # Numbers
//!
//! `totalAmount` is a number without quotes, and its text is the caller's: it never becomes a float, and it is the same in the string
//! and in what is posted. `5.0` stays `5.0`. An exponent and `-0` are refused, because writers change them.
//!
//! # Signature
//!
//! RSA with SHA-1 where the profile allows it, SM2 with SM3 (Z, default identifier) as r‖s; base64. P-256 only under a test profile.
//! An upload that is accepted proves nothing about the signature (manual::customs §2.2): verify here.

mod hints;
mod inside;
mod judge;
mod places;
mod read;
mod ready;
mod rules;
mod shape;
mod write;

use std::io::Write;
use std::sync::Arc;

use super::{Format, Prepared, SignContext, customs};
use crate::cert::{CardKind, Certificate};
use crate::error::{Error, ErrorKind, Result};
use crate::note::Note;
use crate::source::Content;
use crate::suite::{RawSignature, Summary, ToBeSigned};
use crate::verify::{Report, VerifyContext};

use read::Members;
use shape::{FIELDS, HEAD, HEAD_FIELDS, NUMBER, SESSION, VALUE};

/// The largest document, in octets.
pub const MAX_OCTETS: usize = 1024 * 1024;

const PREPARE: &str = "prepare announcement 179";

/// What is written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Output {
    /// The value of the form field `payExInfoStr`: JSON of the four fields, `certNo` and `signValue`. A program whose HTTP client
    /// encodes forms takes this.
    #[default]
    Value,
    /// The whole body of the POST, percent-encoded: `payExInfoStr=%7B…`. To be sent as it is with
    /// `Content-Type: application/x-www-form-urlencoded`; encoding it once more spoils it.
    Form,
    /// The signature value alone, in base64.
    Signature,
}

/// The format `payment179`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Payment179 {
    output: Output,
}

/// The instance that writes the value of the form field.
pub static VALUE_OUT: Payment179 = Payment179 { output: Output::Value };
/// The instance that writes the body of the POST.
pub static FORM_OUT: Payment179 = Payment179 { output: Output::Form };
/// The instance that writes the signature value.
pub static SIGNATURE_OUT: Payment179 = Payment179 { output: Output::Signature };

impl Payment179 {
    /// The instance for an output.
    #[must_use]
    pub fn of(output: Output) -> &'static Payment179 {
        match output {
            Output::Value => &VALUE_OUT,
            Output::Form => &FORM_OUT,
            Output::Signature => &SIGNATURE_OUT,
        }
    }
}

/// The signing string of a document: of JSON fields, or a ready string that was found right.
///
/// # Errors
/// `JsonMalformed`, `Field…`, `StringNewline`, `StringShape`, `DocumentEncoding`, `DocumentAmbiguous`, `DocumentSigned` where a
/// signature stands in it already, `DocumentKind` where it is neither.
pub fn signing_string(document: &[u8]) -> Result<String> {
    Ok(write::string(&fields(document)?, write::Style::default()))
}

fn fields(document: &[u8]) -> Result<Members> {
    let text = text(document, PREPARE)?;
    let start = text.trim_start_matches(['\u{FEFF}', ' ', '\t', '\n', '\r']);
    let payment = match start.as_bytes() {
        [b'{', ..] => json_fields(text),
        [b'"', ..] => string_fields(text),
        _ => {
            return Err(Error::new(ErrorKind::DocumentKind, PREPARE).detail(
                "neither JSON fields, which begin with {, nor the ready string, which begins with \"sessionID\"",
            ));
        }
    };
    let payment = payment.map_err(|fault| fault.error(PREPARE))?;
    match rules::broken(&payment, FIELDS).into_iter().next() {
        Some(broken) => Err(broken.fault.error(PREPARE)),
        None => Ok(payment),
    }
}

fn json_fields(text: &str) -> Result<Members, read::Fault> {
    let payment = read::document(text, false)?;
    let signed = [NUMBER, VALUE].into_iter().find(|name| payment.get(FIELDS, name).is_some());
    match signed {
        Some(name) => {
            let said = (format!("{name} stands in it already"), format!("其中已有 {name}"));
            Err(read::Fault::new(ErrorKind::DocumentSigned, said))
        }
        None => Ok(payment),
    }
}

fn string_fields(text: &str) -> Result<Members, read::Fault> {
    if let Some(fault) = ready::edges(text) {
        return Err(fault);
    }
    let payment = ready::parse(text, false)?;
    match ready::otherwise(text, &payment) {
        Some(fault) => Err(fault),
        None => Ok(payment),
    }
}

fn text<'d>(document: &'d [u8], operation: &'static str) -> Result<&'d str> {
    std::str::from_utf8(document).map_err(|e| {
        Error::new(ErrorKind::DocumentEncoding, operation).detail(format!("not UTF-8 at octet {}", e.valid_up_to()))
    })
}

impl Format for Payment179 {
    fn name(&self) -> &'static str {
        "payment179"
    }

    fn prepare(&self, content: &Content, by: &Arc<Certificate>, context: &SignContext) -> Result<Prepared> {
        let payment = fields(&content.read(MAX_OCTETS, PREPARE)?)?;
        let key = by.key()?;
        let suite = customs::suite(key.kind(), context, PREPARE)?;
        let string = write::string(&payment, write::Style::default());
        let mut tbs = ToBeSigned::over(suite, key, string.as_bytes())?;
        tbs.message = Some(Arc::from(string.into_bytes()));
        tbs.display = Some(Arc::new(Summary { text: summary(&payment) }));
        let mut notes = customs::notes(key.kind(), suite, context.role);
        // manual::customs §2.2: the operator card, as sources say.
        if context.card == CardKind::LegalPerson {
            notes.push(Note::LegalPersonCard);
        }
        let (output, number) = (self.output, by.number());
        let finish = Box::new(move |signature: &RawSignature, out: &mut dyn Write| {
            let value = customs::value(signature, suite, "finish announcement 179")?;
            let text = match output {
                Output::Value => write::posted(&payment, &number, &value),
                Output::Form => write::form(&write::posted(&payment, &number, &value)),
                Output::Signature => value,
            };
            out.write_all(text.as_bytes())
                .map_err(|e| Error::new(ErrorKind::OutputFailed, "write announcement 179").io(&e))
        });
        Ok(Prepared::new(tbs, notes, finish))
    }

    /// As the trait says. The document is what is posted, as JSON or as the body of the POST, or the signing string or the bare fields
    /// with the signature beside them (base64 text or octets). The certificate is the context's: none stands in the document.
    ///
    /// # Errors
    /// Beside those of reading: `Argument` where a signature is given twice, `UnsupportedByCustoms` for another SM2 identifier than the default.
    fn verify(&self, content: &Content, signature: Option<&[u8]>, context: &VerifyContext) -> Result<Report> {
        customs::identifier(&context.sm2_id, "verify announcement 179")?;
        let document = content.read(MAX_OCTETS, "verify announcement 179")?;
        let mut report = Report::new(self.name());
        judge::judge(&document, signature, context, &mut report)?;
        Ok(report)
    }
}

/// What a person is shown: the transaction and its amount. The document is not ours: only what a terminal prints as it
/// stands is shown.
fn summary(payment: &Members) -> String {
    let plain = |text: &str| {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|o| matches!(o, b'!'..=b'~'));
        if fits { text.to_owned() } else { "?".to_owned() }
    };
    let head = |name| match payment.get(FIELDS, HEAD) {
        Some(read::Value::Object(head)) => plain(head.text(HEAD_FIELDS, name)),
        _ => "?".to_owned(),
    };
    format!(
        "payment data for announcement 179: transaction {}, amount {} (currency {}), session {}",
        head("payTransactionId"),
        head("totalAmount"),
        head("currency"),
        plain(payment.text(FIELDS, SESSION))
    )
}
