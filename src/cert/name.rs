//! Names of issuers and subjects, whatever string type they were written in.

use std::time::SystemTime;

use der::Tagged;
use x509_cert::name::Name;

/// The attributes of a distinguished name, decoded to text: BMPString, UTF8String, PrintableString, TeletexString (as Latin-1)
/// and IA5String compare equal when they hold the same text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameFacts {
    attributes: Vec<(String, String)>,
}

impl NameFacts {
    pub(super) fn of(name: &Name) -> Self {
        let attributes = name
            .iter()
            .map(|a| (a.oid.to_string(), text(a.value.tag(), a.value.value()).unwrap_or_default()))
            .collect();
        NameFacts { attributes }
    }

    /// All values of the attribute with this dotted OID.
    pub fn values<'a>(&'a self, oid: &'a str) -> impl Iterator<Item = &'a str> {
        self.attributes.iter().filter(move |(o, _)| o == oid).map(|(_, v)| v.as_str())
    }

    /// The common name (2.5.4.3).
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.values("2.5.4.3").next()
    }

    /// The organisation (2.5.4.10).
    #[must_use]
    pub fn organisation(&self) -> Option<&str> {
        self.values("2.5.4.10").next()
    }

    /// The organisational unit (2.5.4.11).
    #[must_use]
    pub fn unit(&self) -> Option<&str> {
        self.values("2.5.4.11").next()
    }

    /// Common name, else organisation, else a dash.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.common_name().or_else(|| self.organisation()).unwrap_or("-")
    }
}

fn text(tag: der::Tag, octets: &[u8]) -> Option<String> {
    match tag {
        der::Tag::Utf8String | der::Tag::PrintableString | der::Tag::Ia5String => {
            String::from_utf8(octets.to_vec()).ok()
        }
        der::Tag::BmpString => {
            let (units, rest) = octets.as_chunks::<2>();
            rest.is_empty().then_some(())?;
            String::from_utf16(&units.iter().map(|u| u16::from_be_bytes(*u)).collect::<Vec<_>>()).ok()
        }
        der::Tag::TeletexString => Some(octets.iter().copied().map(char::from).collect()),
        _ => None,
    }
}

/// A day in UTC, such as 2036-11-20.
pub(super) fn date(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    der::DateTime::from_unix_duration(since)
        .map(|d| format!("{:04}-{:02}-{:02}", d.year(), d.month(), d.day()))
        .unwrap_or_default()
}
