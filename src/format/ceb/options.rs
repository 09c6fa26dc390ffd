//! What may be said of one customs message.

use super::Ceb;
use crate::identifiers::IdentifierSet;

/// How a customs message is to be signed. The default is what customs asks for; everything else is said in words.
///
/// ```
/// use shared_shield::{CebOptions, Content, IdentifierSet, Request};
/// let options = CebOptions::default().identifiers(IdentifierSet::Legacy2018Sha256);
/// let request = Request::declaration_as(Content::file("CEB621.xml"), options);
/// assert_eq!(request.format(), "ceb");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CebOptions {
    pub(super) identifiers: Option<IdentifierSet>,
    pub(super) replacing: bool,
    pub(super) other_declarant: bool,
}

impl CebOptions {
    /// Signs with this identifier set in place of the one for the key. One that is not for the key, or for reading alone, is refused
    /// (`IdentifiersUnsuited`).
    #[must_use]
    pub fn identifiers(mut self, set: IdentifierSet) -> Self {
        self.identifiers = Some(set);
        self
    }

    /// Takes a signature out of the document and signs what is left. Without this word a signed document is refused (`DocumentSigned`). Only a
    /// single Signature that is a child of the document element is taken out.
    #[must_use]
    pub fn replacing_signature(mut self) -> Self {
        self.replacing = true;
        self
    }

    /// Signs although the message names another company than the certificate (`DeclarantMismatch`). The receipt says so.
    #[must_use]
    pub fn even_for_another_declarant(mut self) -> Self {
        self.other_declarant = true;
        self
    }

    /// The format that signs so. All of them verify every message.
    #[must_use]
    pub fn format(self) -> &'static Ceb {
        // FORMATS has every combination; a test holds it to that.
        FORMATS.iter().find(|f| f.options == self).unwrap_or(&super::CEB)
    }
}

static FORMATS: [Ceb; 20] = {
    const SETS: [Option<IdentifierSet>; 5] = [
        None,
        Some(IdentifierSet::Official2022),
        Some(IdentifierSet::OfficialRsaSha1),
        Some(IdentifierSet::Legacy2018Sha256),
        Some(IdentifierSet::MixedSm2Sha1),
    ];
    let plain = Ceb { options: CebOptions { identifiers: None, replacing: false, other_declarant: false } };
    let mut formats = [plain; 20];
    let [a, b, c, d] = [(false, false), (false, true), (true, false), (true, true)];
    let mut left: &mut [Ceb] = &mut formats;
    let mut sets: &[Option<IdentifierSet>] = &SETS;
    while let [set, more @ ..] = sets
        && let [one, two, three, four, rest @ ..] = left
    {
        *one = with(*set, a);
        *two = with(*set, b);
        *three = with(*set, c);
        *four = with(*set, d);
        (left, sets) = (rest, more);
    }
    formats
};

const fn with(identifiers: Option<IdentifierSet>, (replacing, other_declarant): (bool, bool)) -> Ceb {
    Ceb { options: CebOptions { identifiers, replacing, other_declarant } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_words_has_its_format() {
        let sets = IdentifierSet::ALL.map(Some);
        for set in [None].into_iter().chain(sets) {
            for (replacing, other_declarant) in [(false, false), (false, true), (true, false), (true, true)] {
                let options = CebOptions { identifiers: set, replacing, other_declarant };
                assert_eq!(options.format().options, options);
            }
        }
    }
}
