//! The identifier sets of customs messages by name (manual::customs §1.6).

use std::fmt;

use crate::suite::Suite;

/// A pair of algorithm identifiers that stands in the SignedInfo of a customs message.
///
/// | name | SignatureMethod, DigestMethod | source |
/// |---|---|---|
/// | `official-2022` | `http://www.chinaport.gov.cn/2022/04/xmldsig#sm2-sm3`, `…#sm3` | SPEC 202205 §6, preferred |
/// | `official-rsa-sha1` | `http://www.w3.org/2000/09/xmldsig#rsa-sha1`, `…#sha1` | SPEC 202205 §6, general |
/// | `legacy-2018-sha256` | `http://www.w3.org/2001/04/xmldsig-more#rsa-sha256`, `http://www.w3.org/2001/04/xmlenc#sha256` | **inferred**: the W3C's identifiers for what the edition of 2018 says in words alone; never seen in the field |
/// | `mixed-sm2-sha1` | `http://www.w3.org/2000/09/xmldsig#sm2-sm3`, `http://www.w3.org/2000/09/xmldsig#sha1` | a program in use; customs answers 验签失败. For reading only: nothing is signed with it |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IdentifierSet {
    /// SM2 with SM3, official since 2022.
    Official2022,
    /// RSA with SHA-1, official.
    OfficialRsaSha1,
    /// RSA with SHA-256; its identifiers are inferred.
    Legacy2018Sha256,
    /// SM2 under an unofficial identifier beside a SHA-1 digest: for reading only.
    MixedSm2Sha1,
}

impl IdentifierSet {
    /// Every set.
    pub const ALL: [IdentifierSet; 4] = [
        IdentifierSet::Official2022,
        IdentifierSet::OfficialRsaSha1,
        IdentifierSet::Legacy2018Sha256,
        IdentifierSet::MixedSm2Sha1,
    ];

    /// Its name, as profiles and command lines have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            IdentifierSet::Official2022 => "official-2022",
            IdentifierSet::OfficialRsaSha1 => "official-rsa-sha1",
            IdentifierSet::Legacy2018Sha256 => "legacy-2018-sha256",
            IdentifierSet::MixedSm2Sha1 => "mixed-sm2-sha1",
        }
    }

    /// The set with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }

    /// What signs a SignedInfo with these identifiers.
    #[must_use]
    pub fn suite(self) -> Suite {
        match self {
            IdentifierSet::Official2022 | IdentifierSet::MixedSm2Sha1 => Suite::Sm2Sm3,
            IdentifierSet::OfficialRsaSha1 => Suite::RsaSha1,
            IdentifierSet::Legacy2018Sha256 => Suite::RsaSha256,
        }
    }

    /// Whether it stands in the official text.
    #[must_use]
    pub fn is_official(self) -> bool {
        matches!(self, IdentifierSet::Official2022 | IdentifierSet::OfficialRsaSha1)
    }

    /// Whether a message may be signed with it.
    #[must_use]
    pub fn is_for_signing(self) -> bool {
        self != IdentifierSet::MixedSm2Sha1
    }
}

impl fmt::Display for IdentifierSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
