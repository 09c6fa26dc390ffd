//! Why a signature fails: the known ways to write the string wrongly are tried, and only what then fits is named.

use super::read::{Members, Value};
use super::shape::{FIELDS, HEAD, HEAD_FIELDS};
use super::write::{self, Escapes, Number, Order, Style};
use crate::verify::FindingKind;

/// The line ends that strings get from files and shells.
pub(super) const ENDS: [&str; 3] = ["\n", "\r\n", "\r"];

/// A way of writing the string that is not the announcement's.
struct Deviation {
    kind: FindingKind,
    detail: (&'static str, &'static str),
    style: Style,
}

fn escapes(slashes: bool, html: bool, non_ascii: bool, upper: bool) -> Style {
    Style { escapes: Escapes { slashes, html, non_ascii, upper }, ..Style::default() }
}

fn deviations() -> [Deviation; 15] {
    use FindingKind as K;
    let of = |kind, english, chinese, style| Deviation { kind, detail: (english, chinese), style };
    let usual = Style::default();
    let number = |number| Style { number, ..usual };
    let order = |order| Style { order, ..usual };
    let spaced = Style { spaces: true, ..usual };
    let spaced_ascii = Style { spaces: true, ..escapes(false, false, true, false) };
    let (slashes, html) = (escapes(true, false, false, false), escapes(false, true, false, false));
    let (ascii, upper) = (escapes(false, false, true, false), escapes(false, false, true, true));
    let both = escapes(true, false, true, false);
    [
        of(K::EscapedTwice, "head and lists", "表头和表体", Style { twice: true, ..usual }),
        of(
            K::StringShape,
            "head and lists without quotes around them",
            "表头和表体外没有引号",
            Style { bare: true, ..usual },
        ),
        of(K::NumberText, "totalAmount in quotes", "totalAmount 带引号", number(Number::Quoted)),
        of(
            K::NumberText,
            "totalAmount without the zeros at its end",
            "totalAmount 去掉了末尾的零",
            number(Number::Shortest),
        ),
        of(
            K::NumberText,
            "totalAmount as a floating-point number prints",
            "totalAmount 按浮点数输出",
            number(Number::Float),
        ),
        of(K::NumberText, "totalAmount with two decimals", "totalAmount 写成两位小数", number(Number::TwoDecimals)),
        of(K::FieldOrder, "in the order of the document", "按文档中的顺序", order(Order::Met)),
        of(K::FieldOrder, "sorted by name", "按字段名排序", order(Order::Sorted)),
        of(K::InnerSpaces, "a space after each comma and colon", "逗号和冒号后有空格", spaced),
        of(K::NeedlessEscape, "/ as \\/", "/ 写成 \\/", slashes),
        of(K::NeedlessEscape, "<, >, &, = and ' as \\u003c and so on", "<、>、&、=、' 写成 \\u003c 等", html),
        of(K::NeedlessEscape, "non-ASCII as \\uxxxx", "非 ASCII 字符写成 \\uxxxx", ascii),
        of(K::NeedlessEscape, "non-ASCII as \\uXXXX in upper case", "非 ASCII 字符写成大写 \\uXXXX", upper),
        of(K::NeedlessEscape, "/ as \\/ and non-ASCII as \\uxxxx", "/ 写成 \\/，非 ASCII 字符写成 \\uxxxx", both),
        of(
            K::InnerSpaces,
            "a space after each comma and colon, and non-ASCII as \\uxxxx",
            "逗号和冒号后有空格，非 ASCII 字符写成 \\uxxxx",
            spaced_ascii,
        ),
    ]
}

/// The newline was signed, or put there later.
pub(super) const SIGNED: (&str, &str) = ("it was signed with it", "签名时包含该换行");
pub(super) const ADDED: (&str, &str) = ("it was added after signing", "签名后加入");

/// Why the string that was signed is another.
pub(super) struct Reason {
    pub(super) kind: FindingKind,
    pub(super) detail: (&'static str, &'static str),
    /// What was signed.
    pub(super) signed: String,
    /// It has this line end, which is all that this reason is about.
    pub(super) end: Option<&'static str>,
}

impl Reason {
    pub(super) fn new(kind: FindingKind, detail: (&'static str, &'static str), signed: String) -> Self {
        Reason { kind, detail, signed, end: None }
    }

    fn newline(end: &'static str) -> Self {
        Reason { kind: FindingKind::NewlineAtEnd, detail: SIGNED, signed: String::new(), end: Some(end) }
    }
}

/// The most octets of a string whose deviations are tried in pairs, and by the keys of other certificates: each try hashes the whole of it.
pub(super) const MAX_TRIED: usize = 64 * 1024;

/// The reasons, where the signature is over another form of the same fields; with what `made` says of how it is.
pub(super) fn of<W>(payment: &Members, made: impl Fn(&str) -> Option<W>) -> Option<(Vec<Reason>, W)> {
    let exact = write::string(payment, Style::default());
    let with_end = |text: &str| ENDS.into_iter().find_map(|end| Some((end, made(&format!("{text}{end}"))?)));
    if let Some((end, way)) = with_end(&exact) {
        return Some((vec![Reason::newline(end)], way));
    }
    for Deviation { kind, detail, style } in deviations() {
        let text = write::string(payment, style);
        if text == exact {
            continue;
        }
        if let Some(way) = made(&text) {
            return Some((vec![Reason::new(kind, detail, text)], way));
        }
        if let Some((end, way)) = with_end(&text) {
            return Some((vec![Reason::new(kind, detail, text), Reason::newline(end)], way));
        }
    }
    if let Some(lower) = lower_guid(payment) {
        let detail = ("guid was signed in lower case", "guid 以小写签名");
        let text = write::string(&lower, Style::default());
        if let Some(way) = made(&text) {
            return Some((vec![Reason::new(FindingKind::FieldFault, detail, text)], way));
        }
    }
    if exact.len() > MAX_TRIED {
        return None;
    }
    pairs(payment, &exact, made)
}

/// Two deviations at once, each of which changes something by itself and beside the other one.
fn pairs<W>(payment: &Members, exact: &str, made: impl Fn(&str) -> Option<W>) -> Option<(Vec<Reason>, W)> {
    let alone = deviations().map(|d| (write::string(payment, d.style), d));
    let alone: Vec<_> = alone.into_iter().filter(|(text, _)| text != exact).collect();
    for (at, (one, first)) in alone.iter().enumerate() {
        for (other, second) in alone.iter().skip(at.saturating_add(1)) {
            let Some(style) = first.style.and(second.style) else { continue };
            let text = write::string(payment, style);
            if text == *one || text == *other {
                continue;
            }
            if let Some(way) = made(&text) {
                let reason = |d: &Deviation, text: &str| Reason::new(d.kind, d.detail, text.to_owned());
                return Some((vec![reason(first, one), reason(second, other)], way));
            }
        }
    }
    None
}

/// The first octet that differs.
pub(super) fn first_difference(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count()
}

/// A few characters from an octet on: enough to see the difference, and not what the document is about.
pub(super) fn around(text: &str, at: usize) -> String {
    let mut start = at.min(text.len());
    while !text.is_char_boundary(start) {
        start = start.saturating_sub(1);
    }
    format!("{:?}", few(text, start))
}

/// As many characters as are shown, from an octet on where one begins.
pub(super) fn few(text: &str, start: usize) -> String {
    text.get(start..).unwrap_or_default().chars().take(8).collect()
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
