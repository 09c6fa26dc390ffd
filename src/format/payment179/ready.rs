//! The ready string: taken only when it is, octet for octet, what its own fields make.

use serde_json::value::RawValue;

use super::hints;
use super::read::{self, Fault, Members, Value};
use super::shape::{FIELDS, HEAD, HEAD_FIELDS, LIST_FIELDS, LISTS, SESSION, TIME};
use super::write::{self, Order, Style};
use crate::error::ErrorKind;
use crate::verify::{FindingKind, Words};

/// Takes a string apart. `quoted` takes a number in quotes for one.
pub(super) fn parse(text: &str, quoted: bool) -> Result<Members, Fault> {
    // A fault that has no octet of its own stands at the beginning of what was not read yet.
    let placed =
        |rest: &str, fault: Fault| Fault { octet: fault.octet.or(text.len().checked_sub(rest.len())), ..fault };
    let expect = |rest, wanted: &str| expect(rest, wanted).map_err(|fault| placed(rest, fault));
    let until_quote = |rest, name| until_quote(rest, name).map_err(|fault| placed(rest, fault));
    let json = |rest, name| json(rest, name).map_err(|fault| placed(rest, fault));
    let rest = expect(text, &format!("\"{SESSION}\":\""))?;
    let (session, rest) = until_quote(rest, SESSION)?;
    let rest = expect(rest, &format!("||\"{HEAD}\":\""))?;
    let (head, rest) = json(rest, HEAD)?;
    let rest = expect(rest, &format!("\"||\"{LISTS}\":\""))?;
    let (lists, rest) = json(rest, LISTS)?;
    let rest = expect(rest, &format!("\"||\"{TIME}\":\""))?;
    let (time, rest) = until_quote(rest, TIME)?;
    if !rest.is_empty() {
        let fault = shape((format!("text after {TIME}"), format!("{TIME} 之后还有内容")));
        let compared = Some(Box::new((("nothing", "无").into(), hints::around(rest, 0).into())));
        return Err(placed(rest, Fault { compared, ..fault }));
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
    let at = hints::first_difference(&exact, text);
    let compared = Some(Box::new((hints::around(&exact, at).into(), hints::around(text, at).into())));
    if write::string(payment, Style { order: Order::Met, ..Style::default() }) == text {
        let said = ("the fields stand in another order than the announcement's", "字段顺序与公告不一致");
        return Some(Fault { finding: Some(FindingKind::FieldOrder), octet: Some(at), compared, ..shape(said) });
    }
    let (finding, what, chinese) = match text.as_bytes().get(at..).unwrap_or_default() {
        [b'\\', ..] => (Some(FindingKind::NeedlessEscape), "an escape that has no place", "不应有的转义"),
        [b' ' | b'\t' | b'\n' | b'\r', ..] => {
            (Some(FindingKind::InnerSpaces), "white space inside the JSON", "JSON 内部有空白")
        }
        _ => (None, "another form", "写法不同"),
    };
    let said = (format!("{what}, octet {at}"), format!("{chinese}，字节 {at}"));
    Some(Fault { finding, octet: Some(at), compared, ..shape(said) })
}

/// The string without the second escaping of head and lists.
pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => out.extend(rest.next()),
            _ => out.push(c),
        }
    }
    out
}

/// What stands wrong before the string or at its end, with a kind of its own.
pub(super) fn edges(text: &str) -> Option<Fault> {
    let said = match text.chars().next() {
        Some('\u{FEFF}') => Some(("a byte order mark at its beginning", "开头有字节顺序标记（BOM）")),
        Some(c) if c.is_whitespace() => Some(("white space at its beginning", "开头有空白")),
        _ => None,
    };
    if let Some(said) = said {
        let compared = Some(Box::new((format!("\"{SESSION}\"").into(), hints::around(text, 0).into())));
        return Some(Fault { octet: Some(0), compared, ..shape(said) });
    }
    if text.ends_with(['\n', '\r']) {
        let at = text.trim_end_matches(['\n', '\r']).len();
        return Some(Fault::new(ErrorKind::StringNewline, (format!("octet {at}"), format!("字节 {at}"))));
    }
    None
}

fn shape(what: impl Into<Words>) -> Fault {
    Fault::new(ErrorKind::StringShape, what)
}

fn expect<'t>(text: &'t str, wanted: &str) -> Result<&'t str, Fault> {
    text.strip_prefix(wanted).ok_or_else(|| {
        let fault = shape((format!("{wanted} does not stand where it has to"), format!("{wanted} 不在应有的位置")));
        Fault { compared: Some(Box::new((wanted.into(), hints::around(text, 0).into()))), ..fault }
    })
}

fn until_quote<'t>(text: &'t str, name: &str) -> Result<(&'t str, &'t str), Fault> {
    text.split_once('"').ok_or_else(|| shape((format!("{name} has no closing quote"), format!("{name} 缺少结束引号"))))
}

/// One JSON value and what follows it: the parser finds its end, never a search for a delimiter that a value could hold.
fn json<'t>(text: &'t str, name: &str) -> Result<(&'t str, &'t str), Fault> {
    if text.starts_with("{\\") || text.starts_with("[{\\") || text.starts_with("[\\") {
        let escape = text.find('\\').unwrap_or_default();
        let found = hints::few(text, escape);
        let compared = Some(Box::new((format!("{:?}", unescaped(&found)).into(), format!("{found:?}").into())));
        let said = (format!("{name} is escaped a second time"), format!("{name} 被二次转义"));
        return Err(Fault { finding: Some(FindingKind::EscapedTwice), compared, ..shape(said) });
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    match stream.next() {
        Some(Ok(value)) => Ok((value.get(), text.get(stream.byte_offset()..).unwrap_or_default())),
        _ => {
            let said = (format!("{name} is not JSON"), format!("{name} 不是 JSON"));
            Err(Fault::new(ErrorKind::JsonMalformed, said))
        }
    }
}
