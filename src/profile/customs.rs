//! What a profile says of customs beside its issuers.

use serde::Deserialize;
use toml::Spanned;

use super::Profile;
use super::file::Reader;
use crate::cert::{CardKind, Certificate, Fingerprint};
use crate::error::Result;
use crate::identifiers::IdentifierSet;

/// Which card a certificate came with. Everything that is set must fit.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Card {
    kind: Spanned<String>,
    fingerprint: Option<Spanned<String>>,
    card_number: Option<Spanned<String>>,
    entity_mode: Option<Spanned<String>>,
}

/// As [`Card`], read.
#[derive(Debug, Clone)]
pub(super) struct CardRule {
    kind: CardKind,
    fingerprint: Option<Fingerprint>,
    card_number: Option<String>,
    entity_mode: Option<String>,
}

impl CardRule {
    fn fits(&self, certificate: &Certificate) -> bool {
        let fields = certificate.eport();
        let number = fields.and_then(|f| f.card_number.as_ref()).map(|t| t.text.trim());
        let mode = fields.and_then(|f| f.entity_mode.as_ref()).map(|t| t.text.trim());
        self.fingerprint.is_none_or(|f| f == certificate.fingerprint())
            && self.card_number.as_deref().is_none_or(|n| number == Some(n))
            && self.entity_mode.as_deref().is_none_or(|m| mode == Some(m))
    }
}

impl Profile {
    /// Which of the company's cards this certificate came with, as far as the profile tells; `Unknown` otherwise. Rules that disagree tell nothing.
    #[must_use]
    pub fn card_kind(&self, certificate: &Certificate) -> CardKind {
        let mut kinds = self.card_kinds.iter().filter(|rule| rule.fits(certificate)).map(|rule| rule.kind);
        let first = kinds.next().unwrap_or_default();
        if kinds.all(|kind| kind == first) { first } else { CardKind::Unknown }
    }
}

impl Reader<'_> {
    pub(super) fn card_kind(&self, card: &Spanned<Card>) -> Result<CardRule> {
        let Card { kind, fingerprint, card_number, entity_mode } = card.get_ref();
        let kind = match kind.get_ref().as_str() {
            "legal-person" => CardKind::LegalPerson,
            "operator" => CardKind::Operator,
            _ => return Err(self.malformed(kind, "a card's kind is \"legal-person\" or \"operator\"")),
        };
        if fingerprint.is_none() && card_number.is_none() && entity_mode.is_none() {
            return Err(self.malformed(card, "name the card by fingerprint, card_number or entity_mode"));
        }
        let read = |text: &Spanned<String>| {
            let wrong = || self.malformed(text, "a SHA-256 fingerprint has 64 hex digits");
            Fingerprint::parse(text.get_ref()).ok_or_else(wrong)
        };
        let trimmed = |text: &Spanned<String>| self.text_of(text).map(|t| t.trim().to_owned());
        let bare = |text: &Spanned<String>| trimmed(text).map(|t| t.trim_start_matches("03-").to_owned());
        Ok(CardRule {
            kind,
            fingerprint: fingerprint.as_ref().map(read).transpose()?,
            card_number: card_number.as_ref().map(bare).transpose()?,
            entity_mode: entity_mode.as_ref().map(trimmed).transpose()?,
        })
    }

    pub(super) fn identifiers(&self, name: &Spanned<String>) -> Result<IdentifierSet> {
        match IdentifierSet::parse(name.get_ref()) {
            Some(set) if set.is_for_signing() => Ok(set),
            Some(_) => Err(self.malformed(name, "this identifier set is for reading alone: nothing is signed with it")),
            None => {
                let sets = IdentifierSet::ALL.into_iter().filter(|set| set.is_for_signing());
                let known: Vec<_> = sets.map(IdentifierSet::name).collect();
                Err(self.malformed(name, &format!("identifiers is one of {}", known.join(", "))))
            }
        }
    }
}
