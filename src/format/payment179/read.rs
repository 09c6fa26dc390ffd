//! JSON into fields: every number keeps its text, every refusal names its field.
//!
//! The grammar is `serde_json`'s. What stands here is what it leaves open: a field twice, a field too many, one too few,
//! a wrong type. Numbers never become floats: each value is taken as the text that it was ([`RawValue`]).

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::shape::{FIELDS, Field, Shape};
use crate::error::{Error, ErrorKind};
use crate::verify::{FindingKind, Words};

/// What a field held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    /// The number's text, unchanged.
    Number(String),
    Object(Members),
    Array(Vec<Members>),
}

/// The members of an object: place in its table, and value, in the order in which they were met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Members(pub(super) Vec<(usize, Value)>);

impl Members {
    /// The value of a field by its name in the table.
    pub(super) fn get(&self, fields: &[Field], name: &str) -> Option<&Value> {
        let place = fields.iter().position(|f| f.name == name)?;
        self.0.iter().find(|(at, _)| *at == place).map(|(_, value)| value)
    }

    /// The text of a field, empty where it holds none.
    pub(super) fn text(&self, fields: &[Field], name: &str) -> &str {
        match self.get(fields, name) {
            Some(Value::Text(text) | Value::Number(text)) => text,
            _ => "",
        }
    }
}

/// What is wrong, and in which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: ErrorKind,
    pub(super) detail: Words,
    /// What a verifier calls it, where it has a finding of its own.
    pub(super) finding: Option<FindingKind>,
    /// What stands where it is, as it has to be and as it is.
    pub(super) compared: Option<Box<(Words, Words)>>,
    /// Line and column, from 1, where the reader stopped.
    pub(super) at: Option<(usize, usize)>,
    /// The octet where it is, where that is known.
    pub(super) octet: Option<usize>,
}

impl Fault {
    pub(super) fn new(kind: ErrorKind, detail: impl Into<Words>) -> Self {
        Fault { kind, detail: detail.into(), finding: None, compared: None, at: None, octet: None }
    }

    pub(super) fn error(self, operation: &'static str) -> Error {
        Error::new(self.kind, operation).detail(self.detail.to_string())
    }
}

/// Reads a whole JSON document.
///
/// `quoted_numbers` takes a number in quotes for one, as a verifier that wants to name that does.
pub(super) fn document(json: &str, quoted_numbers: bool) -> Result<Members, Fault> {
    // RFC 8259 §8.1: a reader may ignore a byte order mark.
    let json = json.strip_prefix('\u{FEFF}').unwrap_or(json);
    Reader::new(quoted_numbers).run(json, |reader, de| Object { reader, fields: FIELDS }.deserialize(de))
}

/// Reads one object, such as the head inside a signing string.
pub(super) fn object(json: &str, name: &'static str, fields: &'static [Field], quoted: bool) -> Result<Members, Fault> {
    let reader = Reader::new(quoted);
    reader.path.borrow_mut().push(name.to_owned());
    reader.run(json, |reader, de| Object { reader, fields }.deserialize(de))
}

/// Reads an array of objects.
pub(super) fn array(
    json: &str,
    name: &'static str,
    fields: &'static [Field],
    quoted: bool,
) -> Result<Vec<Members>, Fault> {
    let reader = Reader::new(quoted);
    reader.path.borrow_mut().push(name.to_owned());
    reader.run(json, |reader, de| Items { reader, fields }.deserialize(de))
}

type Json<'de> = serde_json::Deserializer<serde_json::de::StrRead<'de>>;

struct Reader {
    /// Where the reader is; after an error, where it stopped.
    path: RefCell<Vec<String>>,
    fault: RefCell<Option<(ErrorKind, (String, String))>>,
    /// What stands at `path`.
    wanted: RefCell<Option<Shape>>,
    /// The last field that was read whole.
    last: RefCell<Option<String>>,
    quoted_numbers: bool,
}

impl Reader {
    fn new(quoted_numbers: bool) -> Self {
        Reader {
            path: RefCell::default(),
            fault: RefCell::default(),
            wanted: RefCell::default(),
            last: RefCell::default(),
            quoted_numbers,
        }
    }

    fn run<'de, T>(
        self,
        json: &'de str,
        read: impl FnOnce(&Self, &mut Json<'de>) -> serde_json::Result<T>,
    ) -> Result<T, Fault> {
        let mut de = serde_json::Deserializer::from_str(json);
        let value = read(&self, &mut de).map_err(|e| self.explain(&e))?;
        de.end().map_err(|e| {
            let (english, chinese) = place(&e);
            let said = (format!("more text after the JSON, {english}"), format!("JSON 之后还有内容，{chinese}"));
            Fault::new(ErrorKind::JsonMalformed, said)
        })?;
        Ok(value)
    }

    /// Notes what is wrong at `path`, and stops.
    fn stop<E: serde::de::Error>(&self, kind: ErrorKind, what: (&str, &str)) -> E {
        self.fault.borrow_mut().get_or_insert_with(|| (kind, owned(what)));
        E::custom("")
    }

    fn step<T, E>(&self, name: String, shape: Option<Shape>, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.path.borrow_mut().push(name);
        let outer = self.wanted.replace(shape);
        let value = read()?;
        self.last.replace(self.path.borrow_mut().pop());
        self.wanted.replace(outer);
        Ok(value)
    }

    fn explain(&self, error: &serde_json::Error) -> Fault {
        let path = self.path.borrow().join(".").replace(".[", "[");
        let wanted = *self.wanted.borrow();
        let (kind, (what, chinese)) = match self.fault.take() {
            Some(fault) => fault,
            None if error.is_data() => (ErrorKind::FieldType, owned(wanted.unwrap_or(Shape::Object(&[])).wanted())),
            None if matches!(wanted, Some(Shape::Number)) && error.is_syntax() => {
                (ErrorKind::FieldNumber, owned(("not a JSON number", "不是 JSON 数字")))
            }
            None if error.is_eof() => (ErrorKind::JsonMalformed, owned(("the text ends too early", "文本提前结束"))),
            None => {
                let said = match self.last.borrow().as_ref() {
                    Some(name) => (format!("not JSON after {name}"), format!("{name} 之后不是 JSON")),
                    None => owned(("not JSON", "不是 JSON")),
                };
                (ErrorKind::JsonMalformed, said)
            }
        };
        let is_type = kind == ErrorKind::FieldType;
        let (has_to_be, has_to_be_zh) = if is_type { ("has to be ", "应为") } else { ("", "") };
        let (colon, colon_zh) = if path.is_empty() { ("", "") } else { (": ", "：") };
        let (line, line_zh) = place(error);
        let said = (
            format!("{path}{colon}{has_to_be}{what}, {line}"),
            format!("{path}{colon_zh}{has_to_be_zh}{chinese}，{line_zh}"),
        );
        let name = path.rsplit(['.', ']']).next().unwrap_or_default().to_owned();
        let compared = Some(Box::new(compared(kind, name, (what, chinese))));
        Fault { at: Some((error.line(), error.column())), compared, ..Fault::new(kind, said) }
    }
}

/// What is expected of a field, and what it is: `what` is the type that it has to have.
fn compared(kind: ErrorKind, name: String, what: (String, String)) -> (Words, Words) {
    match kind {
        ErrorKind::FieldTwice => (("once", "一次").into(), ("twice", "两次").into()),
        ErrorKind::FieldUnknown => (("a field of announcement 179", "第179号公告的字段").into(), name.into()),
        ErrorKind::FieldMissing => (name.into(), ("nothing", "无").into()),
        ErrorKind::FieldType => (what.into(), ("another type", "其他类型").into()),
        ErrorKind::FieldNumber => (
            ("digits, with a fraction where there is one", "数字，可带小数").into(),
            ("a number in another form", "其他写法的数字").into(),
        ),
        _ => ("JSON".into(), ("a text that is none", "不是 JSON 的文本").into()),
    }
}

fn owned((english, chinese): (&str, &str)) -> (String, String) {
    (english.to_owned(), chinese.to_owned())
}

fn place(error: &serde_json::Error) -> (String, String) {
    let (line, column) = (error.line(), error.column());
    (format!("line {line}, column {column}"), format!("第 {line} 行第 {column} 列"))
}

/// A name that came from outside, short and without control characters.
fn shown(name: &str) -> String {
    let short: String = name.chars().take(40).collect();
    short.escape_debug().to_string()
}

struct Object<'r> {
    reader: &'r Reader,
    fields: &'static [Field],
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Members;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Members, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let Object { reader, fields } = self;
        let mut members: Vec<(usize, Value)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let known = fields.iter().enumerate().find(|(_, f)| f.name == name);
            let Some((at, field)) = known else {
                reader.path.borrow_mut().push(shown(&name));
                return Err(
                    reader.stop(ErrorKind::FieldUnknown, ("not a field of announcement 179", "不是第179号公告的字段"))
                );
            };
            if members.iter().any(|(seen, _)| *seen == at) {
                reader.path.borrow_mut().push(name);
                return Err(reader.stop(ErrorKind::FieldTwice, ("stands twice", "重复出现")));
            }
            let shape = field.shape;
            let value = reader.step(name, Some(shape), || map.next_value_seed(Any { reader, shape }))?;
            members.push((at, value));
        }
        let there = |at: usize| members.iter().any(|(seen, _)| *seen == at);
        if let Some((_, missing)) = fields.iter().enumerate().find(|(at, f)| !f.optional && !there(*at)) {
            reader.path.borrow_mut().push(missing.name.to_owned());
            return Err(reader.stop(ErrorKind::FieldMissing, ("missing", "缺失")));
        }
        Ok(Members(members))
    }
}

struct Items<'r> {
    reader: &'r Reader,
    fields: &'static [Field],
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = Vec<Members>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Members>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Vec<Members>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Members>, A::Error> {
        let Items { reader, fields } = self;
        let mut items = Vec::new();
        loop {
            let index = format!("[{}]", items.len());
            let shape = Some(Shape::Object(fields));
            match reader.step(index, shape, || seq.next_element_seed(Object { reader, fields }))? {
                Some(item) => items.push(item),
                None => return Ok(items),
            }
        }
    }
}

/// A value of the shape that its field asks for.
struct Any<'r> {
    reader: &'r Reader,
    shape: Shape,
}

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Any { reader, shape } = self;
        match shape {
            Shape::Object(fields) => Object { reader, fields }.deserialize(deserializer).map(Value::Object),
            Shape::Array(fields) => Items { reader, fields }.deserialize(deserializer).map(Value::Array),
            Shape::Text(_) => {
                let raw = raw(deserializer)?;
                if !raw.starts_with('"') {
                    return Err(reader.stop(ErrorKind::FieldType, shape.wanted()));
                }
                unquote(reader, raw).map(Value::Text)
            }
            Shape::Number => {
                let raw = raw(deserializer)?;
                number(reader, raw).map(Value::Number)
            }
        }
    }
}

/// The value's text as it stands in the document.
fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'de str, D::Error> {
    use serde::Deserialize;
    <&RawValue>::deserialize(deserializer).map(RawValue::get)
}

fn unquote<E: serde::de::Error>(reader: &Reader, raw: &str) -> Result<String, E> {
    serde_json::from_str(raw).map_err(|_| {
        reader.stop(ErrorKind::JsonMalformed, ("an escape that stands for no character", "转义不表示任何字符"))
    })
}

fn number<E: serde::de::Error>(reader: &Reader, raw: &str) -> Result<String, E> {
    let text = match raw.as_bytes() {
        [b'"', ..] if reader.quoted_numbers => unquote::<E>(reader, raw)?,
        [b'0'..=b'9' | b'-', ..] => raw.to_owned(),
        _ => return Err(reader.stop(ErrorKind::FieldType, Shape::Number.wanted())),
    };
    if plain(&text) {
        return Ok(text);
    }
    Err(reader.stop(ErrorKind::FieldNumber, ("written with an exponent, or as -0", "使用了指数形式，或写成 -0")))
}

/// Digits, and a fraction where there is one: the JSON number (RFC 8259 §6) without its exponent.
fn plain(text: &str) -> bool {
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|o| o.is_ascii_digit());
    let magnitude = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, "0"));
    let zero = magnitude.bytes().all(|o| matches!(o, b'0' | b'.'));
    digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0')) && !(zero && text.starts_with('-'))
}
