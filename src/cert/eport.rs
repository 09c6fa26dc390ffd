//! The e-port's private extensions, arc 1.3.6.1.4.1.5315.100 (manual::customs §6.2).

use std::fmt;

use const_oid::ObjectIdentifier;
use der::asn1::AnyRef;
use der::{Decode, Tag, Tagged};
use x509_cert::ext::Extension;

use super::name::is_plain;

const ENTITY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.5315.100.5.1");
const CARD_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.5315.100.5.9");
const ENTITY_CODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.5315.100.5.11");
const ENTITY_MODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.5315.100.5.12");

/// The longest value that is read, in octets: the longest company names take a third of it.
const VALUE_MAX: usize = 512;

/// The fields of an e-port certificate. The holder's identity number (arc 5.8) is deliberately not read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EportFields {
    /// Arc 5.1: unit name (EntName).
    pub entity_name: Option<EportText>,
    /// Arc 5.9: IC card number (CardID), without the `03-` that SM2 certificates put before it.
    pub card_number: Option<EportText>,
    /// Arc 5.11: unit code, the 9-character organisation code (EntID).
    pub entity_code: Option<EportText>,
    /// Arc 5.12: unit category (EntMode).
    pub entity_mode: Option<EportText>,
    /// Fields that are there but cannot be read; they count as missing.
    pub unreadable: Vec<Unreadable>,
}

/// A field that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// The end of its arc, such as `5.11`.
    pub arc: &'static str,
    /// What is wrong, in a few words; none of the value.
    pub why: &'static str,
}

/// A text of an extension: not empty, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EportText {
    /// The text.
    pub text: String,
    /// It was GBK octets inside an IA5String, as RSA certificates have it.
    pub gbk_in_ia5: bool,
}

impl fmt::Display for EportText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl EportFields {
    /// `None` where none of the four fields is there. The caller has refused extensions that occur twice.
    pub(super) fn of(extensions: &[Extension]) -> Option<Self> {
        let mut fields = EportFields::default();
        for extension in extensions {
            let (field, arc) = match extension.extn_id {
                ENTITY_NAME => (&mut fields.entity_name, "5.1"),
                CARD_NUMBER => (&mut fields.card_number, "5.9"),
                ENTITY_CODE => (&mut fields.entity_code, "5.11"),
                ENTITY_MODE => (&mut fields.entity_mode, "5.12"),
                _ => continue,
            };
            match read(extension.extn_value.as_bytes(), arc) {
                Ok(text) => *field = Some(text),
                Err(why) => fields.unreadable.push(Unreadable { arc, why }),
            }
        }
        (fields != EportFields::default()).then_some(fields)
    }
}

/// One string and nothing after it. The octets are read here because a strict IA5String parser stops at the first GBK octet.
fn read(octets: &[u8], arc: &str) -> Result<EportText, &'static str> {
    if octets.len() > VALUE_MAX {
        return Err("is too long");
    }
    let value = AnyRef::from_der(octets).map_err(|_| "is not one DER string")?;
    let (text, gbk_in_ia5) = match value.tag() {
        Tag::Utf8String => (std::str::from_utf8(value.value()).map_err(|_| "is not UTF-8")?.to_owned(), false),
        Tag::Ia5String => (gb18030(value.value())?, !value.value().is_ascii()),
        _ => return Err("is neither UTF8String nor IA5String"),
    };
    let text = match text.strip_prefix("03-") {
        Some(rest) if arc == "5.9" => rest.to_owned(),
        _ => text,
    };
    match text {
        empty if empty.trim().is_empty() => Err("is empty"),
        text if is_plain(&text) => Ok(EportText { text, gbk_in_ia5 }),
        _ => Err("holds control characters"),
    }
}

/// GB 18030 contains GBK, and ASCII as itself.
fn gb18030(octets: &[u8]) -> Result<String, &'static str> {
    encoding_rs::GB18030
        .decode_without_bom_handling_and_without_replacement(octets)
        .map(std::borrow::Cow::into_owned)
        .ok_or("is not GBK")
}

#[cfg(test)]
#[path = "eport_tests.rs"]
mod tests;
