//! What a profile says of PKCS#11 modules.

use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::file::Reader;
use crate::error::Result;
use crate::token::{ModuleRules, Sm2Input, Sm2Mechanism, Sm2Output, Sm2Rule, Sm2Table};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct ModulesFile {
    #[serde(default)]
    sm2: Vec<Spanned<Sm2File>>,
}

/// The numbers of a module's SM2.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sm2File {
    module: Option<Spanned<String>>,
    manufacturer: Option<Spanned<String>>,
    set: Option<Spanned<String>>,
    output: Option<Spanned<String>>,
    #[serde(default)]
    key_types: Vec<Spanned<u32>>,
    #[serde(default)]
    mechanism: Vec<Spanned<MechanismFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MechanismFile {
    number: Spanned<u32>,
    input: Spanned<String>,
    output: Spanned<String>,
}

impl Reader<'_> {
    pub(super) fn modules(&self, file: &ModulesFile) -> Result<ModuleRules> {
        let mut rules = ModuleRules::default();
        for entry in &file.sm2 {
            if rules.sm2.last().is_some_and(|rule| rule.module.is_none() && rule.manufacturer.is_none()) {
                return Err(self.malformed(entry, "the rule before it is for every module, so this one is never used"));
            }
            rules.sm2.push(self.sm2(entry)?);
        }
        Ok(rules)
    }

    fn sm2(&self, entry: &Spanned<Sm2File>) -> Result<Sm2Rule> {
        let Sm2File { module, manufacturer, set, output, key_types, mechanism } = entry.get_ref();
        let mut table = match set {
            Some(set) => Sm2Table::set(set.get_ref())
                .ok_or_else(|| self.malformed(set, &format!("a set is one of {}", Sm2Table::sets())))?,
            None if mechanism.is_empty() => {
                return Err(self.malformed(entry, "the rule names neither a set nor a mechanism"));
            }
            None => Sm2Table::own(),
        };
        if let Some(output) = output {
            let output = self.output(output)?;
            table.mechanisms.iter_mut().for_each(|m| m.output = output);
        }
        let own = self.mechanisms(mechanism)?;
        table.mechanisms.retain(|m| own.iter().all(|named| named.number != m.number));
        table.mechanisms.splice(0..0, own);
        table.key_types.extend(key_types.iter().map(|kind| *kind.get_ref()));
        if table.mechanisms.is_empty() && !table.key_types.is_empty() {
            let what = format!("set {} knows no mechanism that signs: add [[pkcs11.sm2.mechanism]]", table.name);
            return Err(self.malformed(entry, &what));
        }
        Ok(Sm2Rule {
            module: module.as_ref().map(|name| self.file_name(name)).transpose()?,
            manufacturer: manufacturer.as_ref().map(|name| self.text_of(name)).transpose()?,
            table: Arc::new(table),
        })
    }

    /// Mechanisms that the profile names, in its order.
    fn mechanisms(&self, entries: &[Spanned<MechanismFile>]) -> Result<Vec<Sm2Mechanism>> {
        let mut mechanisms: Vec<Sm2Mechanism> = Vec::new();
        for entry in entries {
            let MechanismFile { number, input, output } = entry.get_ref();
            if mechanisms.iter().any(|known| known.number == *number.get_ref()) {
                return Err(self.malformed(number, "a mechanism that stands in the rule twice"));
            }
            let input = match input.get_ref().as_str() {
                "e" => Sm2Input::Digest,
                "message" => Sm2Input::Message,
                "z-message" => Sm2Input::ZMessage,
                _ => return Err(self.malformed(input, "an input is \"e\", \"message\" or \"z-message\"")),
            };
            mechanisms.push(Sm2Mechanism { number: *number.get_ref(), input, output: self.output(output)? });
        }
        Ok(mechanisms)
    }

    fn output(&self, name: &Spanned<String>) -> Result<Sm2Output> {
        match name.get_ref().as_str() {
            "raw" => Ok(Sm2Output::Raw),
            "der" => Ok(Sm2Output::Der),
            _ => Err(self.malformed(name, "an output is \"raw\" or \"der\"")),
        }
    }

    /// Modules are named by their whole paths elsewhere; here a rule is for a file wherever it lies.
    fn file_name(&self, name: &Spanned<String>) -> Result<String> {
        let text = self.text_of(name)?;
        match text.contains(['/', '\\']) {
            true => Err(self.malformed(name, "a module's file name, without its folder")),
            false => Ok(text),
        }
    }
}
