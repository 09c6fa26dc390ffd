//! The verdict on payment data: every reason is named, none is guessed.

use std::time::{Duration, SystemTime};

use serde_json::value::RawValue;

use super::inside::Inside;
use super::places::Places;
use super::read::{self, Fault, Members};
use super::shape::{AMOUNT, FIELDS, HEAD, HEAD_FIELDS, LISTS, NUMBER, TIME, VALUE};
use super::write::{self, Style};
use super::{hints, ready, rules};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::format::customs::{self, Given, Judge as Proofs};
use crate::format::proof::{Form, Proof};
use crate::suite::Suite;
use crate::verify::{Finding, FindingKind, Language, Place, Report, VerifyContext};

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
    let read = octets.map(String::from_utf8);
    let Some(Ok(text)) = read else {
        let said = ("not UTF-8, or not percent-encoded as it says", "不是 UTF-8，或百分号编码有误");
        // Of the body of a POST only its beginning is known.
        let at = read.and_then(Result::err).filter(|_| !form).map_or(0, |e| e.utf8_error().valid_up_to());
        let finding = Finding::new(FindingKind::StringShape).detail(said).at(Place::of(document, at));
        report.add(finding.compared("UTF-8", ("octets that are none", "不是 UTF-8 的字节")));
        match signature {
            Some(given) => {
                open(report, Some(Given::beside(given, START)), context, None);
            }
            // What cannot be read may hold one.
            None => {
                customs::certificate(report, context);
            }
        }
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
    let inside = Inside::of(read.payment.as_ref(), read.posted, &text);
    if read.payment.is_some() && matches!(inside, Inside::Value(_)) && signature.is_some() {
        return Err(Error::new(ErrorKind::Argument, "verify announcement 179")
            .detail("a signature stands in what is posted; none may be given beside it"));
    }
    // A signature beside the document begins where it begins.
    let given = match (signature, &inside) {
        (Some(given), _) => Some(Given::beside(given, START)),
        (None, Inside::Value(value)) => Some(Given::inside(value, places.of_field(VALUE))),
        (None, Inside::Nothing) => None,
        (None, Inside::Unknown) => {
            customs::certificate(report, context);
            return Ok(());
        }
    };
    let mut judge = Judge { places: &places, text: &text, report, context };
    if let (Some(payment), Some(certificate)) = (&read.payment, &context.certificate) {
        judge.number(payment, &certificate.number());
    }
    let proofs = open(judge.report, given, context, read.message.as_deref());
    if let (Some(payment), Some(certificate)) = (&read.payment, &context.certificate) {
        judge.service_time(payment, certificate);
    }
    if let Some(proofs) = proofs {
        judge.value(&read, &proofs);
    }
    Ok(())
}

/// The document's first octet.
const START: Place = Place { offset: 0, line: 1 };

fn open(
    report: &mut Report,
    given: Option<Given<'_>>,
    context: &VerifyContext,
    message: Option<&str>,
) -> Option<Proofs> {
    let over = |other: &Proof| message.is_some_and(|message| other.is_over(message.as_bytes()));
    Proofs::open(report, given, context, &SUITES, Form::Raw, over)
}

/// P-256 and RSA with SHA-256 are what a test profile signs with: said, not refused here.
const SUITES: [Suite; 3] = [Suite::RsaSha1, Suite::Sm2Sm3, Suite::P256Sha256];

/// Values that break a rule of which a report tells, the first: to find a place reads the document, and a document may have ten thousand. All but one at
/// most (`guid`) make it wrong, so no verdict hangs on the others.
const MAX_BROKEN: usize = 64;

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
            _ if fault.finding.is_some() => fault.finding.unwrap_or(FindingKind::StringShape),
            ErrorKind::StringShape => FindingKind::StringShape,
            ErrorKind::StringNewline => FindingKind::NewlineAtEnd,
            _ => FindingKind::FieldFault,
        };
        let finding = Finding::new(kind).detail(words(fault)).maybe_at(self.places.of_fault(fault));
        self.report.add(match fault.compared.as_deref().cloned() {
            Some((expected, found)) => finding.compared(expected, found),
            None => finding,
        });
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
        // What stands before the string is one fault, and the string behind it is read as it is.
        let inner = bare.trim_start_matches(is_around);
        let before = bare.len().saturating_sub(inner.len());
        let moved = |fault: Fault| Fault { octet: fault.octet.map(|at| at.saturating_add(before)), ..fault };
        // A newline has a finding of its own, when it is known who put it there.
        if let Some(fault) = ready::edges(bare) {
            self.add_fault(&fault);
        }
        let document = |payment| Document { message: Some(text.to_owned()), payment, posted: false };
        if !inner.starts_with('"') {
            let said = ("it does not begin with \"sessionID\"", "不以 \"sessionID\" 开头");
            let finding = Finding::new(FindingKind::StringShape).detail(said).at(self.places.of_octet(before));
            self.report.add(finding.compared("\"sessionID\"", hints::around(inner, 0)));
            return document(None);
        }
        let payment = self.tolerant(|quoted| ready::parse(inner, quoted).map_err(moved));
        if !self.report.has(FindingKind::NumberText)
            && let Some(fault) = payment.as_ref().and_then(|p| ready::otherwise(inner, p))
        {
            self.add_fault(&moved(fault));
        }
        if self.report.has(FindingKind::EscapedTwice) {
            return document(ready::parse(&ready::unescaped(inner), true).ok());
        }
        document(payment)
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
                let told = self.newline(end, hints::SIGNED);
                self.report.add(told);
            }
            if let Some(payment) = read.payment.as_ref().filter(|_| read.posted) {
                self.compare(payment);
            }
            return;
        }
        let place = self.places.of_field(VALUE).unwrap_or(self.places.of_octet(0));
        self.report.add(proofs.wrong(message.as_bytes()).at(place));
        let made = |text: &str| proofs.made(text.as_bytes());
        let of_this = self.cause(read, message, &made).map(|(causes, way)| (causes, None, way));
        let by_other = || {
            let (signer, (causes, way)) = proofs.other_signer(self.context, |other| {
                let made = |text: &str| other.made(text.as_bytes());
                let exact = || made(message).map(|way| (Vec::new(), way));
                let tried = || (message.len() <= hints::MAX_TRIED).then(|| self.cause(read, message, &made)).flatten();
                exact().or_else(tried)
            })?;
            Some((causes, Some(signer), way))
        };
        let told = match of_this.or_else(by_other) {
            Some((causes, signer, way)) => signer.into_iter().chain(causes).chain(way).collect(),
            None => vec![Finding::new(FindingKind::NoKnownReason).detail(("the signature value", "签名值"))],
        };
        self.report.findings.extend(told.into_iter().map(|f| f.maybe_at(Some(place))));
    }

    /// Why the signature is not right, and how it was made on top of that; `None` where none of the known causes, undone, makes it right.
    fn cause(&self, read: &Document, message: &str, made: Made<'_>) -> Option<(Vec<Finding>, Option<Finding>)> {
        if let Some(way) = made(message) {
            return Some((Vec::new(), way));
        }
        // What stands around the string, without a newline at its end, has its finding already.
        let (cut, end) = (message.trim_end_matches(['\n', '\r']), ending(message));
        let added = |way| (end.map(|end| self.newline(end, hints::ADDED)).into_iter().collect(), way);
        if let Some(way) = end.and_then(|_| made(cut)) {
            return Some(added(way));
        }
        let inner = cut.trim_matches(is_around);
        if let Some(way) = made(inner).filter(|_| inner.len() < cut.len()) {
            return Some(added(way));
        }
        let payment = read.payment.as_ref()?;
        let exact = write::string(payment, Style::default());
        if let Some(way) = made(&exact).filter(|_| !read.posted) {
            let said = ("the signature is right over the announcement's form", "签名与公告规定的写法相符");
            let at = hints::first_difference(&exact, message);
            let told = Finding::new(FindingKind::PostedOtherwise).detail(said).at(self.places.of_octet(at));
            return Some((vec![told.compared(hints::around(&exact, at), hints::around(message, at))], way));
        }
        if let Some((reasons, way)) = hints::of(payment, made) {
            return Some((self.reasons(payment, reasons), way));
        }
        let text = as_posted(self.text, payment).filter(|_| read.posted)?;
        let way = made(&text)?;
        let said = (
            "head and lists were signed as they are posted, white space included",
            "表头和表体按提交的写法（含空白）签名",
        );
        Some((self.reasons(payment, vec![hints::Reason::new(FindingKind::InnerSpaces, said, text)]), way))
    }

    fn reasons(&self, payment: &Members, reasons: Vec<hints::Reason>) -> Vec<Finding> {
        let exact = write::string(payment, Style::default());
        let told = reasons.into_iter().map(|reason| match reason.end {
            Some(end) => self.newline(end, hints::SIGNED),
            None => {
                let finding = Finding::new(reason.kind).detail(reason.detail);
                let at = hints::first_difference(&exact, &reason.signed);
                let (expected, found) = (hints::around(&exact, at), hints::around(&reason.signed, at));
                let place = self.places.of_field_around(&reason.signed, at).unwrap_or(self.places.of_octet(0));
                finding.compared(expected, found).at(place)
            }
        });
        told.collect()
    }

    /// A newline at the end: signed, or added later.
    fn newline(&self, end: &str, (english, chinese): (&str, &str)) -> Finding {
        let shown = end.escape_debug();
        let finding = Finding::new(FindingKind::NewlineAtEnd)
            .detail((format!("{shown}: {english}"), format!("{shown}：{chinese}")))
            .compared(("no newline at the end", "末尾无换行"), format!("\"{shown}\""));
        finding.at(self.places.of_octet(self.text.trim_end_matches(['\n', '\r']).len()))
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

/// Says whether a signature is over a text: the inner `None` that it is as is asked for, a finding in which other way.
type Made<'m> = &'m dyn Fn(&str) -> Option<Option<Finding>>;

/// A fault in both languages.
fn words(fault: &Fault) -> (String, String) {
    let (code, of) = (fault.kind.code(), |language| fault.detail.of(language));
    (format!("{code}: {}", of(Language::English)), format!("{code}：{}", of(Language::Chinese)))
}

/// What programs put around a text: a byte order mark and white space.
fn is_around(c: char) -> bool {
    c == '\u{FEFF}' || c.is_whitespace()
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
