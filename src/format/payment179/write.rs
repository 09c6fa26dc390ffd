//! Fields into text: the signing string, and what is posted. Also the ways in which others write it, to name them.

use super::read::{Members, Value};
use super::shape::{FIELDS, Field, HEAD, HEAD_FIELDS, LIST_FIELDS, LISTS, NUMBER, SESSION, Shape, TIME, VALUE};

/// In which order fields are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// The announcement's.
    Table,
    /// As they stood in the document.
    Met,
    /// By name.
    Sorted,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    /// The caller's text.
    AsItStands,
    /// In quotes.
    Quoted,
    /// Without zeros at the end of a fraction: 5.0 becomes 5.
    Shortest,
    /// As a float prints: 5 becomes 5.0, 5.50 becomes 5.5.
    Float,
    /// With two decimals: 88.5 becomes 88.50.
    TwoDecimals,
}

/// What is escaped beside what JSON asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Escapes {
    /// `/` as `\/`.
    pub(super) slashes: bool,
    /// `<`, `>`, `&`, `=` and `'` as `\u003c` and so on.
    pub(super) html: bool,
    /// Everything outside ASCII as `\uXXXX`.
    pub(super) non_ascii: bool,
    /// Hex digits in upper case.
    pub(super) upper: bool,
}

/// A way of writing the string. The default is the announcement's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) order: Order,
    pub(super) number: Number,
    pub(super) escapes: Escapes,
    /// `, ` and `: ` between parts.
    pub(super) spaces: bool,
    /// The inner JSON escaped a second time.
    pub(super) twice: bool,
    /// No quotes around the inner JSON.
    pub(super) bare: bool,
}

impl Style {
    /// Both at once; `None` where both are about the same.
    pub(super) fn and(self, other: Style) -> Option<Style> {
        let usual = Style::default();
        Some(Style {
            order: one_of(self.order, other.order, usual.order)?,
            number: one_of(self.number, other.number, usual.number)?,
            escapes: one_of(self.escapes, other.escapes, usual.escapes)?,
            spaces: one_of(self.spaces, other.spaces, false)?,
            twice: one_of(self.twice, other.twice, false)?,
            bare: one_of(self.bare, other.bare, false)?,
        })
    }
}

/// The one that is not the usual one; `None` where neither is.
fn one_of<T: PartialEq>(one: T, other: T, usual: T) -> Option<T> {
    match (one == usual, other == usual) {
        (true, _) => Some(other),
        (_, true) => Some(one),
        _ => None,
    }
}

impl Default for Style {
    fn default() -> Self {
        Style {
            order: Order::Table,
            number: Number::AsItStands,
            escapes: Escapes::default(),
            spaces: false,
            twice: false,
            bare: false,
        }
    }
}

/// The signing string (manual::customs §2.1): UTF-8, no newline at its end.
pub(super) fn string(payment: &Members, style: Style) -> String {
    around(payment, &inner(payment, HEAD, style), &inner(payment, LISTS, style), style)
}

/// The signing string around inner JSON that is given as text.
pub(super) fn around(payment: &Members, head: &str, lists: &str, style: Style) -> String {
    let escaped = |json: &str| match style.twice {
        true => json.replace('\\', "\\\\").replace('"', "\\\""),
        false => json.to_owned(),
    };
    let quote = if style.bare { "" } else { "\"" };
    let (session, time) = (payment.text(FIELDS, SESSION), payment.text(FIELDS, TIME));
    format!(
        "\"{SESSION}\":\"{session}\"||\"{HEAD}\":{quote}{}{quote}||\"{LISTS}\":{quote}{}{quote}||\"{TIME}\":\"{time}\"",
        escaped(head),
        escaped(lists)
    )
}

/// The compact JSON of the head or of the lists.
pub(super) fn inner(payment: &Members, name: &str, style: Style) -> String {
    let mut out = String::new();
    let fields = if name == HEAD { HEAD_FIELDS } else { LIST_FIELDS };
    if let Some(value) = payment.get(FIELDS, name) {
        write(&mut out, value, fields, style);
    }
    out
}

/// The value of the form field `payExInfoStr`: the same octets as in the signing string for head and lists, so that the
/// text of a number is the same in both.
pub(super) fn posted(payment: &Members, number: &str, value: &str) -> String {
    let style = Style::default();
    let quoted = |text: &str| {
        let mut out = String::new();
        write_text(&mut out, text, style.escapes);
        out
    };
    format!(
        "{{\"{SESSION}\":{},\"{HEAD}\":{},\"{LISTS}\":{},\"{TIME}\":{},\"{NUMBER}\":{},\"{VALUE}\":{}}}",
        quoted(payment.text(FIELDS, SESSION)),
        inner(payment, HEAD, style),
        inner(payment, LISTS, style),
        quoted(payment.text(FIELDS, TIME)),
        quoted(number),
        quoted(value)
    )
}

/// The name of the form field.
pub(super) const FORM_FIELD: &str = "payExInfoStr=";

/// `application/x-www-form-urlencoded`: everything but the unreserved characters of RFC 3986 §2.3 as %XX, a space too, so
/// that the `+` of base64 and the `&` of a URL arrive as they are.
pub(super) fn form(posted: &str) -> String {
    use std::fmt::Write;
    posted.bytes().fold(FORM_FIELD.to_owned(), |mut out, octet| {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(octet)),
            _ => {
                let _ = write!(out, "%{octet:02X}");
            }
        }
        out
    })
}

/// Undoes [`form`], and `+` for a space as other programs write it. `None` where a `%` is not followed by two hex digits.
pub(super) fn unform(body: &[u8]) -> Option<Vec<u8>> {
    let mut rest = body.strip_prefix(FORM_FIELD.as_bytes())?;
    let mut out = Vec::with_capacity(rest.len());
    let digit = |o: u8| char::from(o).to_digit(16).and_then(|d| u8::try_from(d).ok());
    loop {
        match rest {
            [] => return Some(out),
            [b'%', high, low, tail @ ..] => {
                out.push(digit(*high)?.wrapping_shl(4) | digit(*low)?);
                rest = tail;
            }
            [b'%', ..] => return None,
            [b'+', tail @ ..] => {
                out.push(b' ');
                rest = tail;
            }
            [octet, tail @ ..] => {
                out.push(*octet);
                rest = tail;
            }
        }
    }
}

fn write(out: &mut String, value: &Value, fields: &[Field], style: Style) {
    match value {
        Value::Text(text) => write_text(out, text, style.escapes),
        Value::Number(text) => out.push_str(&number(text, style.number)),
        Value::Object(members) => write_members(out, members, fields, style),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(if style.spaces { ", " } else { "," });
                }
                write_members(out, item, fields, style);
            }
            out.push(']');
        }
    }
}

fn write_members(out: &mut String, members: &Members, fields: &[Field], style: Style) {
    let mut ordered: Vec<(&Field, usize, &Value)> =
        members.0.iter().filter_map(|(at, value)| Some((fields.get(*at)?, *at, value))).collect();
    match style.order {
        Order::Table => ordered.sort_by_key(|(_, at, _)| *at),
        Order::Met => {}
        Order::Sorted => ordered.sort_by_key(|(field, _, _)| field.name),
    }
    out.push('{');
    for (i, (field, _, value)) in ordered.iter().enumerate() {
        if i > 0 {
            out.push_str(if style.spaces { ", " } else { "," });
        }
        out.push('"');
        out.push_str(field.name);
        out.push_str(if style.spaces { "\": " } else { "\":" });
        let inner: &[Field] = match field.shape {
            Shape::Object(fields) | Shape::Array(fields) => fields,
            Shape::Text(_) | Shape::Number => &[],
        };
        write(out, value, inner, style);
    }
    out.push('}');
}

/// A JSON text with the escapes that JSON cannot do without (RFC 8259 §7), in the one form that all writers give them.
fn write_text(out: &mut String, text: &str, escapes: Escapes) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{C}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '/' if escapes.slashes => out.push_str("\\/"),
            '\0'..='\u{1F}' => write_unit(out, u32::from(c), escapes),
            '<' | '>' | '&' | '=' | '\'' if escapes.html => write_unit(out, u32::from(c), escapes),
            c if !c.is_ascii() && escapes.non_ascii => {
                let mut units = [0; 2];
                c.encode_utf16(&mut units).iter().for_each(|u| write_unit(out, u32::from(*u), escapes));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn write_unit(out: &mut String, unit: u32, escapes: Escapes) {
    use std::fmt::Write;
    let _ = if escapes.upper { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
}

fn number(text: &str, form: Number) -> String {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let short = fraction.trim_end_matches('0');
    match form {
        Number::AsItStands => text.to_owned(),
        Number::Quoted => format!("\"{text}\""),
        Number::Shortest if short.is_empty() => whole.to_owned(),
        Number::Float if short.is_empty() => format!("{whole}.0"),
        Number::Shortest | Number::Float => format!("{whole}.{short}"),
        Number::TwoDecimals => format!("{whole}.{short:0<2}"),
    }
}
