//! The ready string: taken only when it is, octet for octet, what its own fields make.

use serde_json::value::RawValue;

use super::read::{self, Fault, Members, Value};
use super::shape::{FIELDS, HEAD, HEAD_FIELDS, LIST_FIELDS, LISTS, SESSION, TIME};
use super::write::{self, Order, Style};
use crate::error::ErrorKind;

/// Takes a string apart. `quoted` takes a number in quotes for one.
pub(super) fn parse(text: &str, quoted: bool) -> Result<Members, Fault> {
    let rest = expect(text, &format!("\"{SESSION}\":\""))?;
    let (session, rest) = until_quote(rest, SESSION)?;
    let rest = expect(rest, &format!("||\"{HEAD}\":\""))?;
    let (head, rest) = json(rest, HEAD)?;
    let rest = expect(rest, &format!("\"||\"{LISTS}\":\""))?;
    let (lists, rest) = json(rest, LISTS)?;
    let rest = expect(rest, &format!("\"||\"{TIME}\":\""))?;
    let (time, rest) = until_quote(rest, TIME)?;
    if !rest.is_empty() {
        return Err(shape(&format!("text after {TIME}")));
    }
    let head = read::object(head, HEAD, HEAD_FIELDS, quoted)?;
    let lists = read::array(lists, LISTS, LIST_FIELDS, quoted)?;
    let values = [
        (SESSION, Value::Text(session.to_owned())),
        (HEAD, Value::Object(head)),
        (LISTS, Value::Array(lists)),
        (TIME, Value::Text(time.to_owned())),
    ];
    let place = |name| FIELDS.iter().position(|f| f.name == name);
    Ok(Members(values.into_iter().filter_map(|(name, value)| Some((place(name)?, value))).collect()))
}

/// Why `text` is not what its fields make; `None` where it is.
pub(super) fn otherwise(text: &str, payment: &Members) -> Option<Fault> {
    let exact = write::string(payment, Style::default());
    if exact == text {
        return None;
    }
    if write::string(payment, Style { order: Order::Met, ..Style::default() }) == text {
        return Some(shape("the fields stand in another order than the announcement's"));
    }
    let at = exact.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
    let what = match text.as_bytes().get(at..).unwrap_or_default() {
        [b'\\', ..] => "an escape that has no place",
        [b' ' | b'\t' | b'\n' | b'\r', ..] => "white space inside the JSON",
        _ => "another form",
    };
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let line = before.iter().filter(|o| **o == b'\n').count().saturating_add(1);
    let column = before.iter().rev().take_while(|o| **o != b'\n').count().saturating_add(1);
    Some(Fault { at: Some((line, column)), ..shape(&format!("{what}, octet {at}")) })
}

/// What stands wrong before the string or at its end, with a kind of its own.
pub(super) fn edges(text: &str) -> Option<Fault> {
    if text.starts_with('\u{FEFF}') {
        return Some(shape("a byte order mark at its beginning"));
    }
    if text.starts_with(char::is_whitespace) {
        return Some(shape("white space at its beginning"));
    }
    if text.ends_with(['\n', '\r']) {
        return Some(Fault::new(
            ErrorKind::StringNewline,
            format!("octet {}", text.trim_end_matches(['\n', '\r']).len()),
        ));
    }
    None
}

fn shape(what: &str) -> Fault {
    Fault::new(ErrorKind::StringShape, what)
}

fn expect<'t>(text: &'t str, wanted: &str) -> Result<&'t str, Fault> {
    text.strip_prefix(wanted).ok_or_else(|| shape(&format!("{wanted} does not stand where it has to")))
}

fn until_quote<'t>(text: &'t str, name: &str) -> Result<(&'t str, &'t str), Fault> {
    text.split_once('"').ok_or_else(|| shape(&format!("{name} has no closing quote")))
}

/// One JSON value and what follows it: the parser finds its end, never a search for a delimiter that a value could hold.
fn json<'t>(text: &'t str, name: &str) -> Result<(&'t str, &'t str), Fault> {
    if text.starts_with("{\\") || text.starts_with("[{\\") || text.starts_with("[\\") {
        return Err(shape(&format!("{name} is escaped a second time")));
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    match stream.next() {
        Some(Ok(value)) => Ok((value.get(), text.get(stream.byte_offset()..).unwrap_or_default())),
        _ => Err(Fault::new(ErrorKind::JsonMalformed, format!("{name} is not JSON"))),
    }
}
