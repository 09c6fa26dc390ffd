//! What a token can do beside signing: open envelopes, change PINs, issue keys and certificates. Each is optional.

use std::fmt;

use zeroize::Zeroizing;

use super::{Auth, CertRef, KeyRef, PinRef};
use crate::error::{Error, ErrorKind, Result};
use crate::pin::Pin;
use crate::suite::{PublicKey, Suite};
use crate::tries::PinStatus;

/// The side that decrypts.
pub trait Opening {
    /// What the token makes of the sender's half: the secret from which a content key comes.
    ///
    /// # Errors
    /// As [`super::Token::sign`]; `Unsupported` for a recipient of another kind.
    fn content_key(&mut self, key: &KeyRef, pin: &PinRef, auth: Auth<'_>, from: &Recipient<'_>) -> Result<ContentKey>;

    /// Decrypts whole blocks with a key that stays on the token, in place and each by itself (ECB): the caller chains them as the envelope's
    /// mode wants.
    ///
    /// # Errors
    /// `Argument` for a key of another lease or a part of a block, `Unsupported` where no key stays on the token, and what the token answers.
    fn decrypt(&mut self, _key: &SessionKey, _blocks: &mut [u8]) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "decrypt").detail("this token keeps no content keys"))
    }
}

/// What the sender made for the key on the token.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Recipient<'a> {
    /// The sender's ephemeral P-256 point, uncompressed: 65 octets (SEC 1 §2.3.3).
    EcdhP256(&'a [u8]),
    /// An RSA ciphertext under PKCS#1 v1.5, as long as the modulus.
    RsaPkcs1(&'a [u8]),
    /// An SM2 ciphertext of an SM4 key in DER (GM/T 0009 §7.2).
    Sm2(&'a [u8]),
}

/// What came out.
#[non_exhaustive]
pub enum ContentKey {
    /// It is on the host: the shared x coordinate (ECDH, 32 octets), or the content key (RSA).
    OnHost(Zeroizing<Vec<u8>>),
    /// It stays on the token, which decrypts with it: [`Opening::decrypt`].
    OnToken(SessionKey),
}

/// Names a content key on the token; opaque, and over with the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionKey(pub(crate) Vec<u8>);

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(..)")
    }
}

/// What entitles to administer. On a PIV card or a PKCS#11 token this is never the user's PIN; on a GM/T 0017 device the user may issue by
/// the standard, and the admin PIN unblocks.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum AdminAuth<'a> {
    /// PUK, SO PIN or admin PIN; for issuing on a GM/T 0017 device the application's user PIN.
    Pin(&'a Pin),
    /// Management or device key, in octets.
    Key(&'a [u8]),
}

impl fmt::Debug for AdminAuth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AdminAuth::Pin(_) => "Pin",
            AdminAuth::Key(_) => "Key",
        })
    }
}

/// Changing and unblocking PINs. Each call sends what was entered once.
pub trait Pins {
    /// Whether there is an unlock code: a PKCS#11 token has a security officer in its place.
    fn has_unlock_code(&self) -> bool {
        true
    }

    /// Changes a PIN.
    ///
    /// # Errors
    /// `PinIncorrect` with the tries left, `PinLocked`, `NewPinRefused` (the old one is in force), `PinLength`, `PinEncoding`: no try used.
    fn change(&mut self, pin: &PinRef, old: &Pin, new: &Pin) -> Result<()>;

    /// Sets a new PIN and all its tries by the unlock code.
    ///
    /// # Errors
    /// `PukIncorrect` with the tries of the unlock code, `PukLocked`, `NewPinRefused`, `Unsupported` for another kind of `by`.
    fn unblock(&mut self, pin: &PinRef, by: AdminAuth<'_>, new: &Pin) -> Result<()>;

    /// The tries of the unlock code of a PIN, where the token tells them without spending one.
    ///
    /// # Errors
    /// What the token answers.
    fn puk_status(&mut self, _pin: &PinRef) -> Result<PinStatus> {
        Ok(PinStatus::Unknown { refused: false })
    }

    /// Changes the unlock code of a PIN itself.
    ///
    /// # Errors
    /// `PukIncorrect`, `PukLocked`, `NewPinRefused`.
    fn change_puk(&mut self, pin: &PinRef, old: &Pin, new: &Pin) -> Result<()>;
}

/// Where a key pair can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The key.
    pub key: KeyRef,
    /// Its certificate.
    pub certificate: CertRef,
    /// The field's name for it, such as `9C`.
    pub name: String,
    /// A certificate is there: writing would destroy it.
    pub taken: bool,
}

/// Making keys and writing certificates.
pub trait Issuing {
    /// Every place, free or taken.
    ///
    /// # Errors
    /// What the token answers.
    fn places(&mut self) -> Result<Vec<Place>>;

    /// Makes a key pair on the token. It destroys the key that is there; a taken place is refused by the caller, not here.
    ///
    /// # Errors
    /// `AdminKey`, `Unsupported` for a suite that the token does not make.
    fn generate(&mut self, at: &Place, suite: Suite, by: AdminAuth<'_>) -> Result<PublicKey>;

    /// Writes a certificate.
    ///
    /// # Errors
    /// `AdminKey`, `CertificateMalformed` for one that is larger than the token takes.
    fn import_certificate(&mut self, of: &Place, der: &[u8], by: AdminAuth<'_>) -> Result<()>;

    /// Imports the encryption pair that a CA made and wrapped for the signing key at this place: ENVELOPEDKEYBLOB (GM/T 0016), as it lies in
    /// memory, or SM2EnvelopedKey (GM/T 0009) in DER.
    ///
    /// # Errors
    /// `DocumentMalformed`, `KeyMalformed`, `KeyMissing` where there is no signing key, `Unsupported` where the token has no such pairs.
    fn import_encryption_pair(&mut self, _of: &Place, _enveloped: &[u8], _by: AdminAuth<'_>) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "import encryption pair"))
    }

    /// The public key at a place, where the token shows it without its certificate.
    ///
    /// # Errors
    /// `KeyMissing`, `KeyMalformed` for what cannot be one, `Unsupported`.
    fn public_key(&mut self, _at: &Place) -> Result<PublicKey> {
        Err(Error::new(ErrorKind::Unsupported, "read public key"))
    }
}
