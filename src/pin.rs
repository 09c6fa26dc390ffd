//! PINs: bound to a role, wiped, never shown.

use std::fmt;

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::role::Role;

/// The longest PIN that is accepted, in octets. PKCS#11 modules allow up to 255, cards up to 16; nobody types more than this.
pub const PIN_MAX: usize = 64;

/// A PIN that a person typed for one role.
///
/// The octets live in one fixed buffer that is wiped on drop. `Debug` shows the role alone, there is no `Display`, and only
/// code inside this library can read the octets.
///
/// ```
/// use shared_shield::{ErrorKind, Pin, Role};
/// let pin = Pin::new(Role::Customs, b"12345678").unwrap();
/// assert_eq!(format!("{pin:?}"), "Pin(customs)");
/// assert_eq!(Pin::new(Role::Bank, b"").unwrap_err().kind(), ErrorKind::PinEmpty);
/// ```
pub struct Pin {
    role: Role,
    /// Boxed: moving a PIN moves a pointer and leaves no copy behind.
    octets: Box<Zeroizing<[u8; PIN_MAX]>>,
    length: usize,
}

impl Pin {
    /// Takes a PIN for `role`.
    ///
    /// # Errors
    /// `PinEmpty`, `PinLength` (over [`PIN_MAX`] octets) or `PinEncoding` (not UTF-8, or control characters such as a newline);
    /// no token has seen anything then.
    pub fn new(role: Role, octets: &[u8]) -> Result<Self> {
        let refuse = |kind| Err(Error::new(kind, "PIN entry").role(role));
        if octets.is_empty() {
            return refuse(ErrorKind::PinEmpty);
        }
        if octets.len() > PIN_MAX {
            return refuse(ErrorKind::PinLength);
        }
        match std::str::from_utf8(octets) {
            Ok(text) if !text.chars().any(char::is_control) => {}
            _ => return refuse(ErrorKind::PinEncoding),
        }
        let mut pin = Pin { role, octets: Box::new(Zeroizing::new([0; PIN_MAX])), length: octets.len() };
        for (to, from) in pin.octets.iter_mut().zip(octets) {
            *to = *from;
        }
        Ok(pin)
    }

    /// The role whose verifier this PIN may reach.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The octets, for a token's login and nothing else.
    pub(crate) fn expose(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// A second wiped buffer with the same PIN: a call that runs on a worker thread owns its copy.
    pub(crate) fn duplicate(&self) -> Pin {
        let mut octets = Box::new(Zeroizing::new([0; PIN_MAX]));
        octets.copy_from_slice(self.octets.as_slice());
        Pin { role: self.role, octets, length: self.length }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({})", self.role)
    }
}
