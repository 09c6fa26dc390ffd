//! What a profile says of cards and of the ways to a certificate.

use serde::Deserialize;
use toml::Spanned;

use super::file::Reader;
use crate::door::Way;
use crate::error::Result;
use crate::link::Atr;
use crate::policy;
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

impl Reader<'_> {
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
            let name = self.text_of(application)?;
            if name.len() > policy::NAME_MAX {
                return Err(self.malformed(application, &format!("a name of more than {} octets", policy::NAME_MAX)));
            }
            if !cards.applications.contains(&name) {
                cards.applications.push(name);
            }
        }
        for dialect in &file.dialect {
            let rule = self.dialect(dialect.get_ref())?;
            if cards.dialect(&rule.atr, &rule.manufacturer, &rule.model).is_some() {
                return Err(self.malformed(dialect, "a device whose dialect stands in the profile twice"));
            }
            cards.dialects.push(rule);
        }
        Ok(cards)
    }

    fn dialect(&self, file: &DialectFile) -> Result<DialectRule> {
        let DialectFile { atr, manufacturer, model, name, proven } = file;
        let octets = self.hex(atr, 2..=33, "an ATR is 2 to 33 octets in hex")?;
        let dialect = self.text_of(name)?;
        if !is_dialect(&dialect) {
            return Err(self.malformed(name, "a dialect that is not known here (see the manual of token::gm0017)"));
        }
        let serial = |text| self.text_of(text).map(|t| t.trim().to_owned());
        Ok(DialectRule {
            atr: Atr::new(&octets),
            manufacturer: self.text_of(manufacturer)?,
            model: self.text_of(model)?,
            dialect,
            proven: proven.iter().map(serial).collect::<Result<_>>()?,
        })
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

/// Whether a driver of this build speaks it; without the driver nobody reads the name.
#[cfg(feature = "gm0017")]
fn is_dialect(name: &str) -> bool {
    crate::token::gm0017::Dialect::named(name).is_some()
}

#[cfg(not(feature = "gm0017"))]
fn is_dialect(_: &str) -> bool {
    true
}
