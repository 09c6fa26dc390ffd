//! The verdict on payment data: every reason is named, none is guessed.

use serde_json::value::RawValue;

use super::read::{self, Fault, Members};
use super::shape::{FIELDS, HEAD, LISTS, NUMBER, VALUE};
use super::write::{self, Style};
use super::{hints, ready, rules};
use crate::error::{Error, ErrorKind, Result};
use crate::format::customs::Judge;
use crate::suite::Suite;
use crate::verify::{Finding, FindingKind, Report, VerifyContext};

/// What was found of the document before any signature was looked at.
struct Document {
    /// The octets that the signature has to be over; `None` where the fields do not make a string.
    message: Option<String>,
    payment: Option<Members>,
    /// The text of what is posted.
    posted: Option<String>,
}

pub(super) fn judge(
    document: &[u8],
    signature: Option<&[u8]>,
    context: &VerifyContext,
    report: &mut Report,
) -> Result<()> {
    let read = open(document, report);
    let inside = read.payment.as_ref().map(|p| p.text(FIELDS, VALUE).to_owned()).filter(|v| !v.is_empty());
    if inside.is_some() && signature.is_some() {
        return Err(Error::new(ErrorKind::Argument, "verify announcement 179")
            .detail("a signature stands in what is posted; none may be given beside it"));
    }
    let given = signature.or(inside.as_deref().map(str::as_bytes));
    if let (Some(payment), Some(certificate)) = (&read.payment, &context.certificate) {
        number(payment, &certificate.number(), report);
    }
    // P-256 and RSA with SHA-256 are what a test profile signs with: said, not refused here.
    let suites = [Suite::RsaSha1, Suite::Sm2Sm3, Suite::P256Sha256];
    let Some(judge) = Judge::open(report, given, context, &suites, false) else { return Ok(()) };
    value(&read, &judge, report);
    Ok(())
}

/// Reads whatever it is. What is wrong with it is in the report.
fn open(document: &[u8], report: &mut Report) -> Document {
    let nothing = Document { message: None, payment: None, posted: None };
    let octets = match document.starts_with(write::FORM_FIELD.as_bytes()) {
        true => write::unform(document),
        false => Some(document.to_vec()),
    };
    let Some(text) = octets.and_then(|o| String::from_utf8(o).ok()) else {
        report.add(Finding::new(FindingKind::StringShape).detail("not UTF-8, or not percent-encoded as it says"));
        return nothing;
    };
    let start = text.trim_start_matches(['\u{FEFF}', ' ', '\t', '\n', '\r']);
    let read = if start.starts_with('{') { posted(text, report) } else { string(text, report) };
    if let Some(payment) = &read.payment {
        for rules::Broken { fault, finding } in rules::broken(payment, FIELDS) {
            report.add(Finding::new(finding).detail(fault.detail));
        }
    }
    read
}

fn found(fault: &Fault) -> Finding {
    let kind = match fault.kind {
        ErrorKind::StringShape => FindingKind::StringShape,
        ErrorKind::StringNewline => FindingKind::NewlineAtEnd,
        _ => FindingKind::FieldFault,
    };
    Finding::new(kind).detail(format!("{}: {}", fault.kind.code(), fault.detail))
}

/// Reads strictly; and where that fails because a number stands in quotes, says so and reads on.
fn tolerant(read: impl Fn(bool) -> Result<Members, Fault>, report: &mut Report) -> Option<Members> {
    let fault = match read(false) {
        Ok(payment) => return Some(payment),
        Err(fault) => fault,
    };
    let payment = read(true).ok();
    report.add(match payment {
        Some(_) => Finding::new(FindingKind::NumberText).detail("totalAmount stands in quotes"),
        None => found(&fault),
    });
    payment
}

fn posted(text: String, report: &mut Report) -> Document {
    let payment = tolerant(|quoted| read::document(&text, quoted), report);
    let message = payment.as_ref().map(|p| write::string(p, Style::default()));
    Document { message, payment, posted: Some(text) }
}

/// The signing string: what has to be signed is what was given, whatever it is.
fn string(text: String, report: &mut Report) -> Document {
    let bare = text.trim_end_matches(['\n', '\r']);
    // A newline has a finding of its own, when it is known who put it there.
    match ready::edges(bare) {
        Some(fault) => report.add(found(&fault)),
        None if !bare.starts_with('"') => {
            report.add(Finding::new(FindingKind::StringShape).detail("it does not begin with \"sessionID\""));
            return Document { message: Some(text), payment: None, posted: None };
        }
        None => {}
    }
    let payment = tolerant(|quoted| ready::parse(bare, quoted), report);
    if !report.has(FindingKind::NumberText)
        && let Some(fault) = payment.as_ref().and_then(|p| ready::otherwise(bare, p))
    {
        report.add(found(&fault));
    }
    Document { message: Some(text), payment, posted: None }
}

/// certNo is not signed, so it says nothing by itself: customs registers certificates by it.
fn number(payment: &Members, expected: &str, report: &mut Report) {
    let Some(read::Value::Text(number)) = payment.get(FIELDS, NUMBER) else { return };
    if number == expected {
        return;
    }
    let shown: String = number.chars().take(40).flat_map(char::escape_debug).collect();
    let kind = match number.eq_ignore_ascii_case(expected) {
        true => FindingKind::NumberCase,
        false => FindingKind::NumberOther,
    };
    report.add(Finding::new(kind).compared(expected, shown));
}

fn value(read: &Document, judge: &Judge, report: &mut Report) {
    let Some(message) = &read.message else { return };
    if let Some(suite) = judge.fits(message.as_bytes()) {
        judge.accept(report, suite, true);
        if let Some(end) = ending(message) {
            report.add(hints::newline(end, "it was signed with it"));
        }
        if let (Some(text), Some(payment)) = (&read.posted, &read.payment) {
            compare(text, payment, report);
        }
        return;
    }
    report.add(Finding::new(FindingKind::SignatureWrong));
    if let Some(hash) = judge.other_hash(message.as_bytes()) {
        report.add(Finding::new(FindingKind::OtherHash).detail(hash));
        return;
    }
    let fits = |text: &str| judge.fits(text.as_bytes()).is_some();
    if let Some(end) = ending(message)
        && fits(message.trim_end_matches(['\n', '\r']))
    {
        report.add(hints::newline(end, "it was added after signing"));
        return;
    }
    let Some(payment) = &read.payment else { return };
    if read.posted.is_none() && fits(&write::string(payment, Style::default())) {
        report.add(
            Finding::new(FindingKind::PostedOtherwise).detail("the signature is right over the announcement's form"),
        );
        return;
    }
    if let Some(findings) = hints::of(payment, fits) {
        findings.into_iter().for_each(|f| report.add(f));
    } else if let Some(text) = read.posted.as_deref().and_then(|json| as_posted(json, payment))
        && fits(&text)
    {
        let detail = "head and lists were signed as they are posted, white space included";
        report.add(Finding::new(FindingKind::InnerSpaces).detail(detail));
    }
}

/// The line end of a text.
fn ending(text: &str) -> Option<&'static str> {
    ["\r\n", "\n", "\r"].into_iter().find(|end| text.ends_with(end))
}

/// Head and lists as they stand in what is posted.
#[derive(serde::Deserialize)]
struct Inner<'a> {
    #[serde(borrow, rename = "payExchangeInfoHead")]
    head: &'a RawValue,
    #[serde(borrow, rename = "payExchangeInfoLists")]
    lists: &'a RawValue,
}

fn inner(json: &str) -> Option<Inner<'_>> {
    serde_json::from_str(json.strip_prefix('\u{FEFF}').unwrap_or(json)).ok()
}

fn as_posted(json: &str, payment: &Members) -> Option<String> {
    let Inner { head, lists } = inner(json)?;
    Some(write::around(payment, head.get(), lists.get(), Style::default()))
}

/// The signature is right, but is what is posted also written as it was signed?
fn compare(json: &str, payment: &Members, report: &mut Report) {
    let Some(Inner { head, lists }) = inner(json) else { return };
    for (name, posted) in [(HEAD, head.get()), (LISTS, lists.get())] {
        if posted != write::inner(payment, name, Style::default()) {
            report.add(Finding::new(FindingKind::PostedOtherwise).detail(name));
        }
    }
}
