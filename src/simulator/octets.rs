//! Octets that a state file shows in hex, and that nothing else shows.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

/// Octets: wiped on drop, in hex in the state file, and only counted by `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Octets(Zeroizing<Vec<u8>>);

impl Octets {
    pub(super) fn new(octets: &[u8]) -> Self {
        Octets(Zeroizing::new(octets.to_vec()))
    }

    pub(super) fn get(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn get_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} octets)", self.len())
    }
}

/// Lower-case hex.
pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len().saturating_mul(2)), |mut text, octet| {
        for digit in [octet >> 4, octet & 0x0F] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
        text
    })
}

/// `None` for what is not pairs of lower-case digits.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(c.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        // The text itself is not shown: it may be a key.
        let octets = from_hex(&text).ok_or_else(|| de::Error::custom("not in hex"))?;
        Ok(Octets(Zeroizing::new(octets)))
    }
}
