//! One rule: which issuer's certificates have a role.

use crate::cert::{Certificate, EportFields, NameFacts};

/// Dotted OIDs of the attributes of an issuer's name.
pub(super) const COUNTRY: &str = "2.5.4.6";
pub(super) const STATE: &str = "2.5.4.8";
pub(super) const LOCALITY: &str = "2.5.4.7";
pub(super) const ORGANISATION: &str = "2.5.4.10";
pub(super) const UNIT: &str = "2.5.4.11";
pub(super) const COMMON_NAME: &str = "2.5.4.3";

/// Which private extensions a certificate must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fields {
    /// None.
    Any,
    /// Unit name, card number and unit code: arcs 5.1, 5.9, 5.11.
    Eport,
    /// Unit name and card number: test-centre certificates have arc 5.6 in place of 5.11 (manual::customs §6.1).
    TestCentre,
}

/// Everything that is set must fit.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// Attributes of the issuer's name, each of which must be there once, with this value.
    pub(super) attributes: Vec<(&'static str, String)>,
    /// One of these, as a whole word, in the issuer's organisation or common name; empty: not asked for.
    pub(super) words: &'static [&'static str],
    /// The authority key identifier is one of these; empty: not asked for.
    pub(super) key_ids: Vec<Vec<u8>>,
    /// One of these policies is in the certificate; empty: not asked for.
    pub(super) policies: Vec<String>,
    pub(super) fields: Fields,
    /// Why certificates that fit are nevertheless refused.
    pub(super) refused: Option<&'static str>,
    /// A CA certificate may sign: test profiles alone.
    pub(super) allow_ca: bool,
}

/// How a certificate fits.
#[derive(Debug)]
pub(super) enum Fit<'r> {
    Yes(&'r Rule),
    /// The issuer's name fits, and something else does not.
    Near(String),
    No,
}

impl Rule {
    pub(super) fn of(attributes: Vec<(&'static str, String)>) -> Self {
        Rule {
            attributes,
            words: &[],
            key_ids: Vec::new(),
            policies: Vec::new(),
            fields: Fields::Any,
            refused: None,
            allow_ca: false,
        }
    }

    pub(super) fn fit(&self, certificate: &Certificate) -> Fit<'_> {
        let issuer = certificate.issuer();
        let named = self.attributes.iter().all(|(oid, value)| is_once(issuer, oid, value));
        let worded = self.words.is_empty()
            || [ORGANISATION, COMMON_NAME].iter().any(|oid| issuer.values(oid).any(|v| self.has_word(v)));
        if !named || !worded {
            return Fit::No;
        }
        let by_name = !self.attributes.is_empty() || !self.words.is_empty();
        let near = |why: &str| if by_name { Fit::Near(why.to_owned()) } else { Fit::No };
        if !self.key_ids.is_empty() && !certificate.authority_key_id().is_some_and(|id| self.key_ids.contains(&id)) {
            return near("it bears a known issuer's name, but not the key identifier of that issuer");
        }
        if !self.policies.is_empty() && !certificate.policies().iter().any(|p| self.policies.contains(p)) {
            return near("its issuer is known, but it was not issued under a policy that the profile asks for");
        }
        if let Some(missing) = missing(self.fields, certificate.eport()) {
            return near(&format!("its issuer is known, but it lacks {missing}, which every e-port certificate has"));
        }
        self.refused.map_or(Fit::Yes(self), near)
    }

    pub(super) fn has_word(&self, text: &str) -> bool {
        self.words.iter().any(|word| contains_word(text, word))
    }

    /// The value that the rule asks of an attribute.
    pub(super) fn attribute(&self, oid: &str) -> Option<&str> {
        self.attributes.iter().find(|(o, _)| *o == oid).map(|(_, v)| v.as_str())
    }
}

/// Case matters, but for countries: RSA certificates of the e-port write `cn`.
fn same(oid: &str, a: &str, b: &str) -> bool {
    if oid == COUNTRY { a.eq_ignore_ascii_case(b) } else { a == b }
}

/// Whether two rules' values for an attribute can both be right.
pub(super) fn agree(oid: &str, a: Option<&str>, b: Option<&str>) -> bool {
    a.zip(b).is_none_or(|(a, b)| same(oid, a, b))
}

/// An attribute that occurs twice fits no rule: two readers could each take another one.
fn is_once(name: &NameFacts, oid: &str, value: &str) -> bool {
    let mut values = name.values(oid);
    values.next().is_some_and(|v| same(oid, v, value)) && values.next().is_none()
}

/// `word` with neither a letter nor a digit (of any script) beside it. ASCII case does not matter.
fn contains_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.to_ascii_lowercase(), word.to_ascii_lowercase());
    text.match_indices(&word).any(|(at, found)| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let after = text.get(at.saturating_add(found.len())..).and_then(|t| t.chars().next());
        ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    })
}

fn missing(wanted: Fields, fields: Option<&EportFields>) -> Option<&'static str> {
    let none = EportFields::default();
    let fields = fields.unwrap_or(&none);
    let asked = match wanted {
        Fields::Any => return None,
        Fields::Eport => [true, true, true],
        Fields::TestCentre => [true, true, false],
    };
    let there = [
        (fields.entity_name.is_some(), "the unit name (5.1)"),
        (fields.card_number.is_some(), "the card number (5.9)"),
        (fields.entity_code.is_some(), "the unit code (5.11)"),
    ];
    asked.iter().zip(there).find(|(asked, (is_there, _))| **asked && !is_there).map(|(_, (_, name))| name)
}

#[cfg(test)]
mod tests {
    use super::contains_word;

    #[test]
    fn a_bank_is_known_by_a_whole_word_and_not_by_a_part_of_one() {
        assert!(contains_word("CFCA ACS OCA31", "CFCA"));
        assert!(contains_word("O-ccb", "CCB"));
        assert!(contains_word("中国建设银行", "中国建设银行"));
        for part in ["CCBX", "XCCB", "CCB2", "中国建设银行卡", "非中国建设银行", "C CB", ""] {
            assert!(!contains_word(part, "CCB") && !contains_word(part, "中国建设银行"), "{part}");
        }
    }
}
