//! Why a signature fails: the known ways to write the string wrongly are tried, and only what then fits is named.

use super::read::{Members, Value};
use super::shape::{FIELDS, HEAD, HEAD_FIELDS};
use super::write::{self, Escapes, Number, Order, Style};
use crate::verify::{Finding, FindingKind};

/// The line ends that strings get from files and shells.
pub(super) const ENDS: [&str; 3] = ["\n", "\r\n", "\r"];

/// A way of writing the string that is not the announcement's.
struct Deviation {
    kind: FindingKind,
    detail: &'static str,
    style: Style,
}

fn escapes(slashes: bool, html: bool, non_ascii: bool, upper: bool) -> Style {
    Style { escapes: Escapes { slashes, html, non_ascii, upper }, ..Style::default() }
}

fn deviations() -> [Deviation; 15] {
    use FindingKind as K;
    let of = |kind, detail, style| Deviation { kind, detail, style };
    let usual = Style::default();
    let number = |number| Style { number, ..usual };
    let order = |order| Style { order, ..usual };
    [
        of(K::EscapedTwice, "head and lists", Style { twice: true, ..usual }),
        of(K::StringShape, "head and lists without quotes around them", Style { bare: true, ..usual }),
        of(K::NumberText, "totalAmount in quotes", number(Number::Quoted)),
        of(K::NumberText, "totalAmount without the zeros at its end", number(Number::Shortest)),
        of(K::NumberText, "totalAmount as a floating-point number prints", number(Number::Float)),
        of(K::NumberText, "totalAmount with two decimals", number(Number::TwoDecimals)),
        of(K::FieldOrder, "in the order of the document", order(Order::Met)),
        of(K::FieldOrder, "sorted by name", order(Order::Sorted)),
        of(K::InnerSpaces, "a space after each comma and colon", Style { spaces: true, ..usual }),
        of(K::NeedlessEscape, "/ as \\/", escapes(true, false, false, false)),
        of(K::NeedlessEscape, "<, >, &, = and ' as \\u003c and so on", escapes(false, true, false, false)),
        of(K::NeedlessEscape, "non-ASCII as \\uxxxx", escapes(false, false, true, false)),
        of(K::NeedlessEscape, "non-ASCII as \\uXXXX in upper case", escapes(false, false, true, true)),
        of(K::NeedlessEscape, "/ as \\/ and non-ASCII as \\uxxxx", escapes(true, false, true, false)),
        of(
            K::InnerSpaces,
            "a space after each comma and colon, and non-ASCII as \\uxxxx",
            Style { spaces: true, ..escapes(false, false, true, false) },
        ),
    ]
}

/// The reasons, where the signature is right over another form of the same fields.
pub(super) fn of(payment: &Members, fits: impl Fn(&str) -> bool) -> Option<Vec<Finding>> {
    let exact = write::string(payment, Style::default());
    if let Some(end) = ENDS.into_iter().find(|end| fits(&format!("{exact}{end}"))) {
        return Some(vec![newline(end, "it was signed with it")]);
    }
    for Deviation { kind, detail, style } in deviations() {
        let text = write::string(payment, style);
        if text == exact {
            continue;
        }
        let reason = || Finding::new(kind).detail(detail);
        if fits(&text) {
            return Some(vec![reason()]);
        }
        if let Some(end) = ENDS.into_iter().find(|end| fits(&format!("{text}{end}"))) {
            return Some(vec![reason(), newline(end, "it was signed with it")]);
        }
    }
    let other = lower_guid(payment)?;
    fits(&write::string(&other, Style::default()))
        .then(|| vec![Finding::new(FindingKind::FieldFault).detail("guid was signed in lower case")])
}

/// A newline at the end: signed, or added later.
pub(super) fn newline(end: &str, what: &str) -> Finding {
    Finding::new(FindingKind::NewlineAtEnd).detail(format!("{}: {what}", end.escape_debug()))
}

/// The same payment with its guid in lower case.
fn lower_guid(payment: &Members) -> Option<Members> {
    let at = FIELDS.iter().position(|f| f.name == HEAD)?;
    let guid = HEAD_FIELDS.iter().position(|f| f.name == "guid")?;
    let mut other = payment.clone();
    let (_, Value::Object(head)) = other.0.iter_mut().find(|(place, _)| *place == at)? else { return None };
    let (_, Value::Text(text)) = head.0.iter_mut().find(|(place, _)| *place == guid)? else { return None };
    let lower = text.to_lowercase();
    (lower != *text).then(|| *text = lower)?;
    Some(other)
}
