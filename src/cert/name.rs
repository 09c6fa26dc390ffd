//! Names of issuers and subjects, whatever string type they were written in.

use std::fmt;
use std::time::SystemTime;

use der::Tagged;
use x509_cert::name::Name;

/// How much of a name is shown, in characters.
const SHOWN_MAX: usize = 64;

/// The attributes of a distinguished name, decoded to text: BMPString, UTF8String, PrintableString, TeletexString (as Latin-1)
/// and IA5String compare equal when they hold the same text. A value that cannot be decoded is `#` and its octets in hex,
/// tag first, as in RFC 4514 §2.4.
///
/// `Debug` shows the types of the attributes and no value: a subject names a person.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct NameFacts {
    attributes: Vec<(String, String)>,
}

impl NameFacts {
    pub(super) fn of(name: &Name) -> Self {
        let attributes = name
            .iter()
            .map(|a| {
                let (tag, octets) = (a.value.tag(), a.value.value());
                let undecoded = || format!("#{:02x}{}", tag.number().value(), hex(octets));
                (a.oid.to_string(), text(tag, octets).unwrap_or_else(undecoded))
            })
            .collect();
        NameFacts { attributes }
    }

    /// All values of the attribute with this dotted OID.
    pub fn values<'a>(&'a self, oid: &'a str) -> impl Iterator<Item = &'a str> {
        self.attributes.iter().filter(move |(o, _)| o == oid).map(|(_, v)| v.as_str())
    }

    /// Every value with its dotted OID.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(oid, value)| (oid.as_str(), value.as_str()))
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

    /// Whether there is no attribute at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// Common name, else organisation, else a dash; cut to 64 characters, and fit for a terminal: a certificate is hostile
    /// input, so control and direction characters are shown as `?`.
    #[must_use]
    pub fn shown(&self) -> String {
        plain(self.common_name().or_else(|| self.organisation()).unwrap_or("-"), SHOWN_MAX)
    }
}

impl fmt::Debug for NameFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NameFacts")?;
        f.debug_list().entries(self.attributes.iter().map(|(oid, _)| oid)).finish()
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

/// No control character, no line or paragraph separator, nothing that turns the direction of writing (Unicode TR 36 §2.9).
pub(crate) fn is_plain(text: &str) -> bool {
    text.chars().all(is_plain_char)
}

fn is_plain_char(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The same with what is not plain as `?`, cut to `most` characters.
pub(crate) fn plain(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if is_plain_char(c) { c } else { '?' }).collect()
}

/// Lower-case hex.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|o| format!("{o:02x}")).collect()
}

/// A day in UTC, such as 2036-11-20.
pub(crate) fn date(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    der::DateTime::from_unix_duration(since)
        .map(|d| format!("{:04}-{:02}-{:02}", d.year(), d.month(), d.day()))
        .unwrap_or_default()
}
