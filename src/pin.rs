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
    octets: Zeroizing<[u8; PIN_MAX]>,
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
        let mut pin = Pin { role, octets: Zeroizing::new([0; PIN_MAX]), length: octets.len() };
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
        Pin { role: self.role, octets: self.octets.clone(), length: self.length }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({})", self.role)
    }
}

/// How many tries a PIN has left, as far as the token tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PinStatus {
    /// The token counts and tells: this many are left. 0 is [`PinStatus::Locked`].
    Known(u8),
    /// Flags say that at least this many are left.
    AtLeast(u8),
    /// The next wrong PIN locks (`CKF_USER_PIN_FINAL_TRY`).
    Final,
    /// Locked: only the issuing office can unlock.
    Locked,
    /// The token does not tell. `refused`: a wrong PIN is known to have been entered since the last right one.
    Unknown {
        /// A refusal was seen by this process, or the token's flags speak of one.
        refused: bool,
    },
}

impl PinStatus {
    /// Whether one more wrong PIN may be the last.
    #[must_use]
    pub fn is_last_try(self) -> bool {
        matches!(self, PinStatus::Known(1) | PinStatus::AtLeast(0 | 1) | PinStatus::Final)
    }
}

impl fmt::Display for PinStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PinStatus::Known(n) => write!(f, "{n}"),
            PinStatus::AtLeast(n) => write!(f, "at least {n}"),
            PinStatus::Final => f.write_str("1, the last"),
            PinStatus::Locked => f.write_str("none: locked"),
            PinStatus::Unknown { refused: false } => f.write_str("unknown"),
            PinStatus::Unknown { refused: true } => f.write_str("unknown, and a wrong PIN was entered before"),
        }
    }
}

/// The explicit word of a person that a risky try may be spent. Ordered: each includes the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Consent {
    /// No risky try is spent.
    #[default]
    None,
    /// Try although a PIN was refused before and the token does not tell how many tries are left.
    AfterRefusal,
    /// Try although this is the last try.
    LastTry,
}
