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
        /// As it is posted, whatever else is wrong with it.
        #[derive(serde::Deserialize)]
        struct Signed<'a> {
            #[serde(borrow, default, rename = "signValue")]
            value: Option<std::borrow::Cow<'a, str>>,
        }
        let value = match payment {
            Some(payment) => payment.text(FIELDS, VALUE).to_owned(),
            None if posted => match serde_json::from_str::<Signed<'_>>(text.trim_start_matches('\u{FEFF}')) {
                Ok(Signed { value }) => value.unwrap_or_default().into_owned(),
                Err(_) => return Inside::Unknown,
            },
            // The string has no place for one.
            None if text.contains(SESSION) => String::new(),
            None => return Inside::Unknown,
        };
        if value.is_empty() { Inside::Nothing } else { Inside::Value(value) }
    }
}
