//! The e-port's private extensions, arc 1.3.6.1.4.1.5315.100 (manual::customs §6.2).

use std::fmt;

use x509_cert::ext::Extension;

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
}

/// A text of an extension.
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
    /// `None` where none of the four fields is there.
    pub(super) fn of(_extensions: &[Extension]) -> Option<Self> {
        None
    }
}
