//! What the announcement asks of values beyond their type, and what no two JSON writers agree on.

use super::read::{Fault, Members, Value};
use super::shape::{Field, Rule, Shape};
use crate::error::ErrorKind;
use crate::verify::FindingKind;

/// A rule that a value breaks: how it is refused for signing, and what a verifier says of it.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) fault: Fault,
    pub(super) finding: FindingKind,
}

/// Every rule that a value breaks, in the order of the document. Values themselves are never part of it.
pub(super) fn broken(payment: &Members, fields: &[Field]) -> Vec<Broken> {
    let mut faults = Vec::new();
    walk(payment, fields, "", &mut faults);
    faults
}

fn walk(members: &Members, fields: &[Field], above: &str, faults: &mut Vec<Broken>) {
    for (at, value) in &members.0 {
        let Some(field) = fields.get(*at) else { continue };
        let path = if above.is_empty() { field.name.to_owned() } else { format!("{above}.{}", field.name) };
        match (field.shape, value) {
            (Shape::Text(rule), Value::Text(text)) => faults.extend(judge(text, rule, &path)),
            (Shape::Object(fields), Value::Object(inner)) => walk(inner, fields, &path, faults),
            (Shape::Array(fields), Value::Array(items)) => {
                for (i, item) in items.iter().enumerate() {
                    walk(item, fields, &format!("{path}[{i}]"), faults);
                }
            }
            _ => {}
        }
    }
}

fn judge(text: &str, rule: Rule, path: &str) -> Option<Broken> {
    let fault = |kind, (english, chinese): (&str, &str)| {
        let said = (format!("{path}: {english}"), format!("{path}：{chinese}"));
        Some(Broken { fault: Fault::new(kind, said), finding: FindingKind::FieldFault })
    };
    match rule {
        Rule::Plain if text.is_empty() => fault(ErrorKind::FieldValue, ("empty", "为空")),
        // Outside of JSON nothing says how a quote would be written, so none is.
        Rule::Plain if !text.bytes().all(|o| matches!(o, b'!'..=b'~') && !matches!(o, b'"' | b'\\')) => fault(
            ErrorKind::FieldValue,
            (
                "has a character that cannot stand in the signing string; visible ASCII without quotes and backslashes can",
                "含有不能出现在待签名字符串中的字符；只能是可见 ASCII 字符，不含引号和反斜杠",
            ),
        ),
        Rule::Millis if text.len() != 13 || !text.bytes().all(|o| o.is_ascii_digit()) => {
            let said = ("has to be 13 digits, milliseconds since 1970", "应为 13 位数字（1970 年以来的毫秒数）");
            fault(ErrorKind::FieldValue, said)
        }
        Rule::Upper if text.chars().any(char::is_lowercase) => {
            let said = ("has lower-case letters; customs wants upper case", "含小写字母；海关要求大写");
            let lower = fault(ErrorKind::FieldValue, said);
            lower.map(|broken| Broken { finding: FindingKind::GuidCase, ..broken })
        }
        Rule::Upper if text.is_empty() => fault(ErrorKind::FieldValue, ("empty", "为空")),
        _ => text.chars().find(|c| ambiguous(*c)).and_then(|c| {
            let code = u32::from(c);
            let what = format!("holds U+{code:04X}, which JSON writers write in different ways");
            let chinese = format!("含 U+{code:04X}，各程序的 JSON 写法不一致");
            fault(ErrorKind::DocumentAmbiguous, (&what, &chinese))
        }),
    }
}

/// Characters of which a receiver that writes the JSON anew may make something else than was signed.
///
/// Quote, backslash, and the five control characters with a short escape (`\b \t \n \f \r`) have one form that every
/// writer uses. The other control characters must be escaped, and writers differ (`\u001f`, `\u001F`, `\v`); DEL, C1 and the two
/// separators need not be, and some writers do (fastjson: U+007F to U+009F, U+2028, U+2029; Gson: U+2028, U+2029).
fn ambiguous(c: char) -> bool {
    matches!(c, '\0'..='\u{7}' | '\u{B}' | '\u{E}'..='\u{1F}' | '\u{7F}'..='\u{9F}' | '\u{2028}' | '\u{2029}')
}
