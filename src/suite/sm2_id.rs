//! The identifier that an SM2 signer puts into Z.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

/// The identifier that SM2 signatures carry in Z unless both sides agreed on another (GM/T 0009-2012 §10).
pub const SM2_DEFAULT_ID: &str = "1234567812345678";

/// The longest identifier in octets: ENTL, its length in bits, has 16 bits (GB/T 32918.2-2016 §5.5).
const LONGEST: usize = 8191;

/// An identifier of an SM2 signer, 1 to 8191 octets; by default [`SM2_DEFAULT_ID`].
///
/// It stands in no signature and in no certificate: whoever verifies has to know it. Customs, certificates and certificate requests have
/// the default one alone.
///
/// ```
/// use shared_shield::{Content, Request, Role, Sm2Id};
/// # fn main() -> shared_shield::Result<()> {
/// let request = Request::raw(Role::Bank, Content::bytes(*b"order")).sm2_id(Sm2Id::new("ALICE123@YAHOO.COM")?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Sm2Id(Arc<[u8]>);

impl Sm2Id {
    /// Takes text or octets.
    ///
    /// # Errors
    /// `Argument` when it is empty or longer than 8191 octets.
    pub fn new(id: impl AsRef<[u8]>) -> Result<Self> {
        let octets = id.as_ref();
        if (1..=LONGEST).contains(&octets.len()) {
            return Ok(Sm2Id(Arc::from(octets)));
        }
        Err(Error::new(ErrorKind::Argument, "SM2 identifier")
            .detail(format!("{} octets, 1 to {LONGEST} are allowed", octets.len())))
    }

    /// Its octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is [`SM2_DEFAULT_ID`].
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.octets() == SM2_DEFAULT_ID.as_bytes()
    }
}

impl Default for Sm2Id {
    fn default() -> Self {
        Sm2Id(Arc::from(SM2_DEFAULT_ID.as_bytes()))
    }
}

impl AsRef<[u8]> for Sm2Id {
    fn as_ref(&self) -> &[u8] {
        self.octets()
    }
}

/// Its length alone: an identifier may be a mail address or an account, which is for no log.
impl fmt::Debug for Sm2Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sm2Id({} octets{})", self.0.len(), if self.is_default() { ", the default" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_a_length_that_entl_can_hold() {
        assert!(Sm2Id::default().is_default() && Sm2Id::new(SM2_DEFAULT_ID).unwrap() == Sm2Id::default());
        assert!(!Sm2Id::new([0_u8; LONGEST]).unwrap().is_default());
        for wrong in [&[][..], &[0; LONGEST + 1]] {
            assert_eq!(Sm2Id::new(wrong).unwrap_err().kind(), ErrorKind::Argument);
        }
        // It may be a mail address.
        assert_eq!(format!("{:?}", Sm2Id::new("ALICE123@YAHOO.COM").unwrap()), "Sm2Id(18 octets)");
    }
}
