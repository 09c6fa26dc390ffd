//! What a profile says of customs beside its issuers.

use toml::Spanned;

use super::file::Reader;
use crate::error::Result;
use crate::identifiers::IdentifierSet;

impl Reader<'_> {
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
