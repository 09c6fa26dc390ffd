//! What kind of certificate it is, what kind of card it came with, and whom it is for.

use std::fmt;

use der::Decode;
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::Certificate;
use super::issued::EXTENDED_KEY_USAGE;

/// Uses in which no document is signed: serverAuth, codeSigning, timeStamping, OCSPSigning (RFC 5280 §4.2.1.12).
const NO_DOCUMENTS: [&str; 4] = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.3", "1.3.6.1.5.5.7.3.8", "1.3.6.1.5.5.7.3.9"];

/// What the key usage lets a certificate be used for (GM/T 0015 has two certificates, one for each).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// digitalSignature or nonRepudiation, and no encipherment.
    Signing,
    /// keyEncipherment, dataEncipherment or keyAgreement, and no signature.
    Encryption,
    /// Both.
    Both,
    /// Neither, such as an authority's.
    Neither,
    /// It has no key usage, so nothing is said.
    Unsaid,
}

/// Which of a company's cards it is (法人卡 / 操作员卡).
///
/// No field of a certificate is known to tell: arc 5.12 was `00` in every certificate that was looked at (manual::customs §6.3). What tells is a profile,
/// which knows the cards of its company by fingerprint or number, or knows what its certificates say in arc 5.12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum CardKind {
    /// The legal person's: administration and authorisation.
    LegalPerson,
    /// An operator's: declarations and announcement 179.
    Operator,
    /// Nobody said, and nothing tells.
    #[default]
    Unknown,
}

impl CardKind {
    /// Its name in profiles and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            CardKind::LegalPerson => "legal-person",
            CardKind::Operator => "operator",
            CardKind::Unknown => "unknown",
        }
    }

    /// Its name in Chinese.
    #[must_use]
    pub fn name_zh(self) -> &'static str {
        match self {
            CardKind::LegalPerson => "法人卡",
            CardKind::Operator => "操作员卡",
            CardKind::Unknown => "未知",
        }
    }
}

impl fmt::Display for CardKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Data about a person. It has no `Display`, and its `Debug` shows nothing, so that it reaches neither log nor error by accident: it has to be
/// asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Personal<'a>(&'a str);

impl<'a> Personal<'a> {
    /// The text, for the screen of the person at this computer.
    #[must_use]
    pub fn reveal(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for Personal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal")
    }
}

impl Certificate {
    /// What it is for, by its key usage.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        let Some(usage) = self.usage else { return Purpose::Unsaid };
        let signs = usage.digital_signature() || usage.non_repudiation();
        let encrypts = usage.key_encipherment() || usage.data_encipherment() || usage.key_agreement();
        match (signs, encrypts) {
            (true, false) => Purpose::Signing,
            (false, true) => Purpose::Encryption,
            (true, true) => Purpose::Both,
            (false, false) => Purpose::Neither,
        }
    }

    /// Whether a critical extended key usage keeps it from signing documents: all that it names are uses in which none is signed, or it cannot be
    /// read. anyExtendedKeyUsage and every use that is not known here allow it, and so does a list that is not critical.
    #[must_use]
    pub fn signs_no_documents(&self) -> bool {
        let critical = self.extensions().iter().find(|e| e.critical && e.extn_id == EXTENDED_KEY_USAGE);
        critical.is_some_and(|extension| match ExtendedKeyUsage::from_der(extension.extn_value.as_bytes()) {
            Ok(uses) => uses.0.iter().all(|named| NO_DOCUMENTS.contains(&named.to_string().as_str())),
            Err(_) => true,
        })
    }

    /// The person it was issued to: the common name of its subject (manual::customs §6.1).
    #[must_use]
    pub fn holder(&self) -> Option<Personal<'_>> {
        self.subject.common_name().map(Personal)
    }
}

impl super::EportFields {
    /// The arcs whose text is GBK inside an IA5String, as RSA certificates have it against their own standard: it was read all the same.
    #[must_use]
    pub fn gbk_in_ia5(&self) -> Vec<&'static str> {
        let fields = [
            ("5.1", &self.entity_name),
            ("5.9", &self.card_number),
            ("5.11", &self.entity_code),
            ("5.12", &self.entity_mode),
        ];
        let is_gbk = |(_, text): &(_, &Option<super::EportText>)| text.as_ref().is_some_and(|t| t.gbk_in_ia5);
        fields.into_iter().filter(is_gbk).map(|(arc, _)| arc).collect()
    }
}
