//! The side that opens envelopes: ECDH on P-256 (SP 800-73-4 part 2, appendix A.5.2).
//!
//! RSA envelopes are not opened: the card hands out the padded block, and whether its padding is right would have to be hidden from
//! whoever sent it, in time and in answers, up to the caller of this library (RFC 8017 §7.2.2, note).

use super::object;
use super::pin;
use super::sign::Input;
use super::slot::{KEY_MANAGEMENT, Slot};
use super::token::PivToken;
use crate::error::{Error, ErrorKind, Result};
use crate::suite::KeyKind;
use crate::token::{Auth, ContentKey, KeyRef, Opening, PinRef, Recipient};

/// Octets of a coordinate.
const COORDINATE: usize = 32;

impl Opening for PivToken {
    fn content_key(&mut self, key: &KeyRef, pin: &PinRef, auth: Auth<'_>, from: &Recipient<'_>) -> Result<ContentKey> {
        let ((slot, wants), reference) = (Slot::of_key(key)?, pin::reference(pin)?);
        let refuse = |kind, what: &str| Error::new(kind, "ECDH").detail(what.to_owned());
        let Recipient::EcdhP256(point) = *from else {
            return Err(refuse(ErrorKind::Unsupported, "only ECDH envelopes are opened on a PIV card"));
        };
        if slot != KEY_MANAGEMENT && !slot.is_retired() {
            return Err(refuse(ErrorKind::KeyUnsuited, "key management keys open envelopes: 9D, 82 to 95"));
        }
        // A point off the curve would ask the card for parts of its key; not every card looks.
        if !matches!(point, [0x04, ..]) || p256::PublicKey::from_sec1_bytes(point).is_err() {
            return Err(refuse(ErrorKind::DocumentMalformed, "the sender's point is not on the curve"));
        }
        let public = self.public(slot)?;
        if public.kind() != KeyKind::P256 {
            return Err(refuse(ErrorKind::KeyUnsuited, "not a P-256 key"));
        }
        let verified = self.authenticate(reference, auth, wants)?;
        let secret = self.use_key(slot, &public, verified, Input::Point(point))?;
        if secret.len() != COORDINATE {
            return Err(object::nonsense("GENERAL AUTHENTICATE", format!("a secret of {} octets", secret.len())));
        }
        Ok(ContentKey::OnHost(secret))
    }
}
