//! A credential by name: for programs that open the same one every day and do not want to look at everything first.

use std::fmt;

use super::Route;
use crate::cert::Fingerprint;
use crate::door::DoorId;

/// Names one certificate behind one door, as a text that may be stored: it holds no secret and no person's name.
///
/// A scan that is given one reads this one certificate only, and takes no other way to it than through this door: a copy elsewhere may be anybody's. The certificate is still compared before a PIN is asked for, so a reference that
/// has grown old is an error and never another certificate.
///
/// ```
/// use shared_shield::Reference;
/// let fingerprint = "ab".repeat(32);
/// let text = format!("piv:0011223344/9A/{fingerprint}");
/// let reference = Reference::parse(&text).unwrap();
/// assert_eq!(reference.to_string(), text);
/// assert!(Reference::parse("9A").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    pub(crate) door: DoorId,
    pub(crate) place: String,
    pub(crate) fingerprint: Fingerprint,
}

impl Reference {
    /// Reads the text that [`fmt::Display`] writes: door, place and SHA-256 fingerprint, parted by slashes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().rsplitn(3, '/');
        let fingerprint = Fingerprint::parse(parts.next()?)?;
        let place = parts.next()?.to_owned();
        let door = parts.next().filter(|door| door.contains(':'))?;
        Some(Reference { door: DoorId(door.to_owned()), place, fingerprint })
    }

    /// The name of a route's certificate. Labels of tokens and objects stay out: issuers write persons' names there, and whoever opens a
    /// PKCS#11 token again goes by its serial number and the fingerprint.
    pub(crate) fn of(route: &Route, fingerprint: Fingerprint) -> Self {
        let (door, place) = parts(route);
        Reference { door, place, fingerprint }
    }

    /// Whether it is this door that it names.
    pub(crate) fn names(&self, door: &DoorId) -> bool {
        self.door == door.without_label()
    }

    /// SHA-256 of the certificate that it names.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Where on the card it is, such as `9A`, or application and container of GM/T 0017; empty behind a module.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Driver and serial number in the door's name, where the door is a card's.
    pub(crate) fn card(&self) -> Option<(String, String)> {
        let (kind, serial) = self.door.0.split_once(':')?;
        let is_card = kind != "pkcs11" && !serial.contains(':') && !serial.is_empty();
        is_card.then(|| (kind.to_owned(), serial.replace("%3A", ":").replace("%25", "%")))
    }
}

/// Door and place of a route.
pub(super) fn parts(route: &Route) -> (DoorId, String) {
    let door = route.door.without_label();
    // A slash in a place would be taken for the end of the door's name.
    let place = if door == route.door { route.slot.label.replace('/', "") } else { String::new() };
    (door, place)
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.door, self.place, self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::Scope;
    use crate::token::{CertRef, KeyRef, KeyShown, PinRef, Slot, Wants};

    #[test]
    fn a_reference_holds_no_label_and_reads_back() {
        let route = |door: DoorId, label: &str| {
            let slot = Slot {
                key: KeyRef(vec![1]),
                certificate: CertRef(vec![1]),
                pin: PinRef(vec![1]),
                shown: KeyShown::Untold,
                wants: Wants::Once,
                suites: Vec::new(),
                label: label.to_owned(),
            };
            Route { door, slot, scope: Scope::default() }
        };
        let fingerprint = Fingerprint::parse(&"ab".repeat(32)).unwrap();
        let token = route(DoorId::of(["pkcs11", "vendor.so", "12:34", "Synthetic: Person"]), "key of Synthetic Person");
        let text = Reference::of(&token, fingerprint).to_string();
        assert_eq!(text, format!("pkcs11:vendor.so:12%3A34//{fingerprint}"));
        let card = route(DoorId::of(["piv", "0011223344"]), "9A");
        let named = Reference::of(&card, fingerprint);
        assert_eq!(named.to_string(), format!("piv:0011223344/9A/{fingerprint}"));
        assert_eq!(named.card(), Some(("piv".to_owned(), "0011223344".to_owned())));
        for reference in [text.as_str(), &named.to_string()] {
            let read = Reference::parse(reference).unwrap();
            assert_eq!((read.to_string().as_str(), read.fingerprint()), (reference, fingerprint));
        }
    }
}
