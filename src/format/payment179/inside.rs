//! The signature value that stands in a document, as far as it can be read.

use super::read::Members;
use super::shape::{FIELDS, SESSION, VALUE};

/// What a document says of its signature.
pub(super) enum Inside {
    Value(String),
    Nothing,
    /// It cannot be read so far.
    Unknown,
}

impl Inside {
    pub(super) fn of(payment: Option<&Members>, posted: bool, text: &str) -> Self {
        /// As it is posted, whatever else is wrong with it: the inner `None` for a null.
        #[derive(serde::Deserialize)]
        struct Signed {
            #[serde(default, deserialize_with = "there", rename = "signValue")]
            value: Option<Option<String>>,
        }
        // In quotes, escaped or percent-encoded ones too, or without: what a wrapper has around it cannot be read.
        let named = text.contains(VALUE);
        let value = match payment {
            Some(payment) => payment.text(FIELDS, VALUE).to_owned(),
            None if posted => match serde_json::from_str::<Signed>(text.trim_start_matches('\u{FEFF}')) {
                Ok(Signed { value: Some(value) }) => value.unwrap_or_default(),
                Ok(Signed { value: None }) if !named => String::new(),
                Ok(_) | Err(_) => return Inside::Unknown,
            },
            // The string has no place for one; what is posted in a wrapper has.
            None if text.contains(SESSION) && !named => String::new(),
            None => return Inside::Unknown,
        };
        if value.is_empty() { Inside::Nothing } else { Inside::Value(value) }
    }
}

/// A field that is there, null or not.
fn there<'de, D: serde::Deserializer<'de>>(read: D) -> Result<Option<Option<String>>, D::Error> {
    serde::Deserialize::deserialize(read).map(Some)
}
