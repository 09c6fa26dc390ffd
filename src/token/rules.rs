//! What a profile says of cards: data for the drivers.

use crate::link::Atr;

/// What a profile says of cards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CardRules {
    /// Places whose certificates are read, such as `9A`; empty: those that the driver looks at by itself.
    pub places: Vec<String>,
    /// Applications of GM/T 0017 that are opened; empty: all of them.
    pub applications: Vec<String>,
    /// Drivers by ATR, whatever the ATR says by itself.
    pub drivers: Vec<(Atr, String)>,
    /// Dialects of GM/T 0017 by device.
    pub dialects: Vec<DialectRule>,
    /// A person said that a PIN may be sent in a dialect that the device has never accepted one in.
    pub try_unproven: bool,
}

impl CardRules {
    /// The rule that names the dialect of a device: all three texts have to be its own.
    #[must_use]
    pub fn dialect(&self, atr: &Atr, manufacturer: &str, model: &str) -> Option<&DialectRule> {
        self.dialects.iter().find(|r| r.atr == *atr && r.manufacturer == manufacturer && r.model == model)
    }
}

/// Which dialect of GM/T 0017 a device speaks. All three texts have to be the device's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialectRule {
    /// The ATR.
    pub atr: Atr,
    /// Manufacturer, as the device says it.
    pub manufacturer: String,
    /// Model, as this library names it ([`super::CardId::model`]).
    pub model: String,
    /// The dialect's name.
    pub dialect: String,
    /// Serial numbers of devices that have accepted a PIN in this dialect.
    pub proven: Vec<String>,
}
