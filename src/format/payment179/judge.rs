//! The verdict on payment data: every reason is named, none is guessed.

use std::time::{Duration, SystemTime};

use serde_json::value::RawValue;

use super::places::Places;
use super::read::{self, Fault, Members};
use super::shape::{AMOUNT, FIELDS, HEAD, HEAD_FIELDS, LISTS, NUMBER, TIME, VALUE};
use super::write::{self, Style};
use super::{hints, ready, rules};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::format::customs::Judge as Proofs;
use crate::format::proof::Form;
use crate::suite::Suite;
use crate::verify::{Finding, FindingKind, Place, Report, VerifyContext};

/// What was found of the document before any signature was looked at.
struct Document {
    /// The octets that the signature has to be over; `None` where the fields do not make a string.
    message: Option<String>,
    payment: Option<Members>,
    /// It is what is posted, and not the string.
    posted: bool,
}

pub(super) fn judge(
    document: &[u8],
    signature: Option<&[u8]>,
    context: &VerifyContext,
    report: &mut Report,
) -> Result<()> {
    let form = document.starts_with(write::FORM_FIELD.as_bytes());
    let octets = match form {
        true => write::unform(document),
        false => Some(document.to_vec()),
    };
    let Some(text) = octets.and_then(|o| String::from_utf8(o).ok()) else {
        let said = ("not UTF-8, or not percent-encoded as it says", "不是 UTF-8，或百分号编码有误");
        report.add(Finding::new(FindingKind::StringShape).detail(said));
        unread(signature, context, report);
        return Ok(());
    };
    let places = Places::new(document, &text);
    let read = Judge { places: &places, text: &text, report, context }.open();
    if form && !read.posted {
        // Nobody signed the name of a form field, and nobody posts the string.
        let said =
            ("a signing string in place of JSON in the body of a POST", "POST 正文中应为 JSON，实为待签名字符串");
        report.add(Finding::new(FindingKind::StringShape).detail(said).at(places.of_octet(0)));
    }
    let inside = read.payment.as_ref().map(|p| p.text(FIELDS, VALUE).to_owned()).filter(|v| !v.is_empty());
    if inside.is_some() && signature.is_some() {
        return Err(Error::new(ErrorKind::Argument, "verify announcement 179")
            .detail("a signature stands in what is posted; none may be given beside it"));
    }
    let given = signature.or(inside.as_deref().map(str::as_bytes));
    let mut judge = Judge { places: &places, text: &text, report, context };
    if let (Some(payment), Some(certificate)) = (&read.payment, &context.certificate) {
        judge.number(payment, &certificate.number());
    }
    // A signature beside the document begins where it begins.
    let place = inside.as_ref().map_or(Some(Place { offset: 0, line: 1 }), |_| places.of_field(VALUE));
    let proofs = Proofs::open(judge.report, given.map(|g| (g, place)), context, &SUITES, Form::Raw);
    if let (Some(payment), Some(certificate)) = (&read.payment, &context.certificate) {
        judge.service_time(payment, certificate);
    }
    if let Some(proofs) = proofs {
        judge.value(&read, &proofs);
    }
    Ok(())
}

/// P-256 and RSA with SHA-256 are what a test profile signs with: said, not refused here.
const SUITES: [Suite; 3] = [Suite::RsaSha1, Suite::Sm2Sm3, Suite::P256Sha256];

/// Values that break a rule of which a report tells, the first: to find a place reads the document, and a document may have ten thousand. All but one at
/// most (`guid`) make it wrong, so no verdict hangs on the others.
const MAX_BROKEN: usize = 64;

/// What is said of certificate and signature where the document is none.
fn unread(signature: Option<&[u8]>, context: &VerifyContext, report: &mut Report) {
    let _ = Proofs::open(report, signature.map(|s| (s, None)), context, &SUITES, Form::Raw);
}

struct Judge<'j> {
    places: &'j Places<'j>,
    text: &'j str,
    report: &'j mut Report,
    context: &'j VerifyContext,
}

impl Judge<'_> {
    /// Reads whatever it is. What is wrong with it is in the report.
    fn open(mut self) -> Document {
        let start = self.text.trim_start_matches(['\u{FEFF}', ' ', '\t', '\n', '\r']);
        let read = if start.starts_with('{') { self.posted() } else { self.string() };
        if let Some(payment) = &read.payment {
            for rules::Broken { fault, finding } in rules::broken(payment, FIELDS).into_iter().take(MAX_BROKEN) {
                let place = self.places.of_fault(&fault);
                self.report.add(Finding::new(finding).detail(words(&fault)).maybe_at(place));
            }
        }
        read
    }

    fn add_fault(&mut self, fault: &Fault) {
        let kind = match fault.kind {
            ErrorKind::StringShape => FindingKind::StringShape,
            ErrorKind::StringNewline => FindingKind::NewlineAtEnd,
            _ => FindingKind::FieldFault,
        };
        self.report.add(Finding::new(kind).detail(words(fault)).maybe_at(self.places.of_fault(fault)));
    }

    /// Reads strictly; and where that fails because a number stands in quotes, says so and reads on.
    fn tolerant(&mut self, read: impl Fn(bool) -> Result<Members, Fault>) -> Option<Members> {
        let fault = match read(false) {
            Ok(payment) => return Some(payment),
            Err(fault) => fault,
        };
        let payment = read(true).ok();
        match &payment {
            Some(payment) => {
                let amount = match payment.get(FIELDS, HEAD) {
                    Some(read::Value::Object(head)) => head.text(HEAD_FIELDS, AMOUNT).to_owned(),
                    _ => String::new(),
                };
                let said = ("totalAmount stands in quotes", "totalAmount 带引号");
                let finding = Finding::new(FindingKind::NumberText).detail(said);
                let finding = finding.compared(amount.clone(), format!("\"{amount}\""));
                self.report.add(finding.maybe_at(self.places.of_field(AMOUNT)));
            }
            None => self.add_fault(&fault),
        }
        payment
    }

    fn posted(&mut self) -> Document {
        let text = self.text;
        let payment = self.tolerant(|quoted| read::document(text, quoted));
        let message = payment.as_ref().map(|p| write::string(p, Style::default()));
        Document { message, payment, posted: true }
    }

    /// The signing string: what has to be signed is what was given, whatever it is.
    fn string(&mut self) -> Document {
        let text = self.text;
        let bare = text.trim_end_matches(['\n', '\r']);
        // A newline has a finding of its own, when it is known who put it there.
        match ready::edges(bare) {
            Some(fault) => self.add_fault(&fault),
            None if !bare.starts_with('"') => {
                let said = ("it does not begin with \"sessionID\"", "不以 \"sessionID\" 开头");
                self.report.add(Finding::new(FindingKind::StringShape).detail(said).at(self.places.of_octet(0)));
                return Document { message: Some(text.to_owned()), payment: None, posted: false };
            }
            None => {}
        }
        let payment = self.tolerant(|quoted| ready::parse(bare, quoted));
        if !self.report.has(FindingKind::NumberText)
            && let Some(fault) = payment.as_ref().and_then(|p| ready::otherwise(bare, p))
        {
            self.add_fault(&fault);
        }
        Document { message: Some(text.to_owned()), payment, posted: false }
    }

    /// certNo is not signed, so it says nothing by itself: customs registers certificates by it.
    fn number(&mut self, payment: &Members, expected: &str) {
        let Some(read::Value::Text(number)) = payment.get(FIELDS, NUMBER) else { return };
        if number == expected {
            return;
        }
        let shown: String = number.chars().take(40).flat_map(char::escape_debug).collect();
        let kind = match number.eq_ignore_ascii_case(expected) {
            true => FindingKind::NumberCase,
            false => FindingKind::NumberOther,
        };
        self.report.add(Finding::new(kind).compared(expected, shown).maybe_at(self.places.of_field(NUMBER)));
    }

    /// serviceTime, in milliseconds since 1970, lies in the certificate's time.
    fn service_time(&mut self, payment: &Members, certificate: &Certificate) {
        let Ok(millis) = payment.text(FIELDS, TIME).parse::<u64>() else { return };
        let Some(time) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis)) else { return };
        self.report.made_at(certificate, time, self.context, || self.places.of_field(TIME));
    }

    fn value(&mut self, read: &Document, proofs: &Proofs) {
        let Some(message) = &read.message else { return };
        if let Some(suite) = proofs.fits(message.as_bytes()) {
            proofs.accept(self.report, suite, true);
            if let Some(end) = ending(message) {
                self.newline(end, hints::SIGNED);
            }
            if let Some(payment) = read.payment.as_ref().filter(|_| read.posted) {
                self.compare(payment);
            }
            return;
        }
        let place = self.places.of_field(VALUE).unwrap_or(self.places.of_octet(0));
        self.report.add(proofs.wrong(message.as_bytes()).at(place));
        if !self.cause(read, message, proofs) {
            let said = ("the signature value", "签名值");
            self.report.add(Finding::new(FindingKind::NoKnownReason).detail(said).at(place));
        }
    }

    /// Adds the cause; whether there is one.
    fn cause(&mut self, read: &Document, message: &str, proofs: &Proofs) -> bool {
        let place = self.places.of_field(VALUE).unwrap_or(self.places.of_octet(0));
        if let Some(finding) = proofs.other_way(message.as_bytes()) {
            self.report.add(finding.at(place));
            return true;
        }
        let fits = |text: &str| proofs.fits(text.as_bytes()).is_some();
        if let Some(end) = ending(message)
            && fits(message.trim_end_matches(['\n', '\r']))
        {
            self.newline(end, hints::ADDED);
            return true;
        }
        if let Some(payment) = &read.payment {
            if !read.posted && fits(&write::string(payment, Style::default())) {
                let said = ("the signature is right over the announcement's form", "签名与公告规定的写法相符");
                self.report.add(Finding::new(FindingKind::PostedOtherwise).detail(said).at(self.places.of_octet(0)));
                return true;
            }
            if let Some(reasons) = hints::of(payment, fits) {
                self.reasons(payment, reasons);
                return true;
            }
            if let Some(text) = as_posted(self.text, payment).filter(|_| read.posted)
                && fits(&text)
            {
                let said = (
                    "head and lists were signed as they are posted, white space included",
                    "表头和表体按提交的写法（含空白）签名",
                );
                self.reasons(payment, vec![hints::Reason::new(FindingKind::InnerSpaces, said, text)]);
                return true;
            }
        }
        let other = proofs.other_signer(message.as_bytes(), self.context);
        other.is_some_and(|finding| {
            self.report.add(finding.at(place));
            true
        })
    }

    fn reasons(&mut self, payment: &Members, reasons: Vec<hints::Reason>) {
        let exact = write::string(payment, Style::default());
        for reason in reasons {
            match reason.end {
                Some(end) => self.newline(end, hints::SIGNED),
                None => {
                    let finding = Finding::new(reason.kind).detail(reason.detail);
                    let at = hints::first_difference(&exact, &reason.signed);
                    let (expected, found) = (hints::around(&exact, at), hints::around(&reason.signed, at));
                    let place = self.places.of_field_around(&reason.signed, at).unwrap_or(self.places.of_octet(0));
                    self.report.add(finding.compared(expected, found).at(place));
                }
            }
        }
    }

    /// A newline at the end: signed, or added later.
    fn newline(&mut self, end: &str, (english, chinese): (&str, &str)) {
        let shown = end.escape_debug();
        let finding = Finding::new(FindingKind::NewlineAtEnd)
            .detail((format!("{shown}: {english}"), format!("{shown}：{chinese}")))
            .compared(("no newline at the end", "末尾无换行"), format!("\"{shown}\""));
        self.report.add(finding.at(self.places.of_octet(self.text.trim_end_matches(['\n', '\r']).len())));
    }

    /// The signature is right, but is what is posted also written as it was signed?
    fn compare(&mut self, payment: &Members) {
        let Some(Inner { head, lists }) = inner(self.text) else { return };
        for (name, posted) in [(HEAD, head.get()), (LISTS, lists.get())] {
            let signed = write::inner(payment, name, Style::default());
            if posted != signed {
                let at = hints::first_difference(&signed, posted);
                let finding = Finding::new(FindingKind::PostedOtherwise).detail(name);
                let finding = finding.compared(hints::around(&signed, at), hints::around(posted, at));
                self.report.add(finding.maybe_at(self.places.of_field(name)));
            }
        }
    }
}

/// A fault in both languages: the Chinese one is the sentence of the error that signing would give.
fn words(fault: &Fault) -> (String, String) {
    let error = fault.clone().error("verify announcement 179");
    (format!("{}: {}", fault.kind.code(), fault.detail), format!("{}：{}", fault.kind.code(), error.message_zh()))
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
