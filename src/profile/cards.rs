//! What a profile says of cards and of the ways to a certificate.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use super::Join;
use super::file::Reader;
use crate::door::Way;
use crate::error::Result;
use crate::link::Atr;
use crate::token::{CardRules, DialectRule};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct CardsFile {
    #[serde(default)]
    places: Vec<Spanned<String>>,
    #[serde(default)]
    applications: Vec<Spanned<String>>,
    #[serde(default)]
    driver: Vec<Spanned<DriverFile>>,
    #[serde(default)]
    dialect: Vec<Spanned<DialectFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DriverFile {
    atr: Spanned<String>,
    name: Spanned<String>,
}

/// A device of GM/T 0017 and the dialect that it speaks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DialectFile {
    atr: Spanned<String>,
    manufacturer: Spanned<String>,
    model: Spanned<String>,
    name: Spanned<String>,
    #[serde(default)]
    proven: Vec<Spanned<String>>,
}

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

    pub(super) fn cards(&self, file: &CardsFile) -> Result<CardRules> {
        let mut cards = CardRules::default();
        for place in &file.places {
            let text = self.text_of(place)?.trim().to_ascii_uppercase();
            if text.len() != 2 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(self.malformed(place, "a place is two hex digits, such as 9A"));
            }
            if !cards.places.contains(&text) {
                cards.places.push(text);
            }
        }
        for driver in &file.driver {
            let DriverFile { atr, name } = driver.get_ref();
            let octets = self.hex(atr, 2..=33, "an ATR is 2 to 33 octets in hex")?;
            cards.drivers.push((Atr::new(&octets), self.text_of(name)?));
        }
        for application in &file.applications {
            cards.applications.push(self.text_of(application)?);
        }
        for dialect in &file.dialect {
            let DialectFile { atr, manufacturer, model, name, proven } = dialect.get_ref();
            let octets = self.hex(atr, 2..=33, "an ATR is 2 to 33 octets in hex")?;
            cards.dialects.push(DialectRule {
                atr: Atr::new(&octets),
                manufacturer: self.text_of(manufacturer)?,
                model: self.text_of(model)?,
                dialect: self.text_of(name)?,
                proven: proven.iter().map(|serial| self.text_of(serial)).collect::<Result<_>>()?,
            });
        }
        Ok(cards)
    }

    /// The order of the ways; those that are not named come after, as they are by default.
    pub(super) fn routes(&self, names: &[Spanned<String>], default: &[Way]) -> Result<Vec<Way>> {
        let mut order = Vec::new();
        for name in names {
            let way = match name.get_ref().as_str() {
                "pcsc" => Way::Card,
                "pkcs11" => Way::Module,
                _ => return Err(self.malformed(name, "a route is \"pcsc\" or \"pkcs11\"")),
            };
            if order.contains(&way) {
                return Err(self.malformed(name, "a route that stands in the list twice"));
            }
            order.push(way);
        }
        order.extend(default.iter().filter(|way| !order.contains(way)).copied().collect::<Vec<_>>());
        Ok(order)
    }
}
