//! What a profile says of tokens that are parts of one shield.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use super::Join;
use super::file::Reader;
use crate::error::Result;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Together {
    serials: Vec<Spanned<String>>,
}

impl Reader<'_> {
    pub(super) fn joins(&self, shields: &[Spanned<Together>]) -> Result<Vec<Join>> {
        let mut seen = BTreeSet::new();
        let mut joins = Vec::new();
        for shield in shields {
            let mut serials = Vec::new();
            for serial in &shield.get_ref().serials {
                // PKCS#11 pads serial numbers with blanks.
                let text = self.text_of(serial)?.trim().to_owned();
                if !seen.insert(text.clone()) {
                    return Err(self.malformed(serial, "a serial number that stands in the profile twice"));
                }
                serials.push(text);
            }
            if serials.len() < 2 {
                return Err(self.malformed(shield, "a shield of several tokens needs at least two serial numbers"));
            }
            joins.push(Join { serials });
        }
        Ok(joins)
    }
}
