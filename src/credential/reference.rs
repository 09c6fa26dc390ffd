//! A credential by name: for programs that open the same one every day and do not want to look at everything first.

use std::fmt;

use crate::cert::Fingerprint;
use crate::door::DoorId;

/// Names one certificate behind one door, as a text that may be stored: it holds no secret and no person's name.
///
/// A scan that is given one reads this one certificate only. The certificate is still compared before a PIN is asked for, so a reference that
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

    /// The serial number in the door's name, where the door is a card's that `driver` names.
    pub(crate) fn card(&self) -> Option<String> {
        let (kind, serial) = self.door.0.split_once(':')?;
        let is_card = kind != "pkcs11" && !serial.contains(':') && !serial.is_empty();
        is_card.then(|| serial.replace("%3A", ":").replace("%25", "%"))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.door, self.place, self.fingerprint)
    }
}
