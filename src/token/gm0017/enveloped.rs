//! What CAs and senders make for the keys of a device, as it goes into the commands: an SM2 ciphertext (GM/T 0009 §7.2), and an encryption pair
//! that is wrapped for the container's signing key (GM/T 0009 §7.4, GM/T 0016 §6.4). [`sm2_wire`](crate::suite::sm2_wire) reads both.

use super::container::BITS;
use super::dialect::{Dialect, Order};
use crate::error::{Error, ErrorKind, Result};
use crate::suite::sm2_wire::{ByteOrder, Sm2Cipher, Sm2EnvelopedKey};

/// The most octets that an envelope's ciphertext may have: a symmetric key, and room.
const CIPHER_MOST: usize = 128;

fn bad(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::DocumentMalformed, "read wrapped key").detail(what)
}

fn fits(cipher: &Sm2Cipher) -> Result<()> {
    match cipher.cipher.len() {
        0..=CIPHER_MOST => Ok(()),
        other => Err(bad(format!("a key of {other} octets, encrypted; a device takes {CIPHER_MOST}"))),
    }
}

fn counted(octets: &[u8], order: Order) -> Vec<u8> {
    [&order.word(u32::try_from(octets.len()).unwrap_or(u32::MAX))[..], octets].concat()
}

/// C1x, C1y, hash32, len4, cipher.
fn cipher_fields(cipher: &Sm2Cipher, order: Order) -> Vec<u8> {
    [&cipher.point.octets()[..], &cipher.hash, &counted(&cipher.cipher, order)].concat()
}

/// A session key from an SM2 ciphertext in DER: bits4, C1x, C1y, hash32, len4, cipher, as ECCExportSessionKey gives one out.
///
/// # Errors
/// `DocumentMalformed`, also for a point that is not on the curve: it would ask the device for parts of its key.
pub(super) fn session_key(der: &[u8], order: Order) -> Result<Vec<u8>> {
    let cipher = Sm2Cipher::from_der(der)?;
    fits(&cipher)?;
    Ok([&order.word(BITS)[..], &cipher_fields(&cipher, order)].concat())
}

/// The structure and nothing after it: what a device is to unwrap is what the CA made, not a part of it.
fn from_blob(octets: &[u8]) -> Result<Sm2EnvelopedKey> {
    let key = Sm2EnvelopedKey::from_blob(octets, ByteOrder::Little)?;
    if key.to_blob(ByteOrder::Little) != octets {
        return Err(bad("octets after the ciphertext"));
    }
    Ok(key)
}

/// An encryption pair as a CA hands it out: the private key under a symmetric key, and that under the container's signing key. Nobody but
/// the device can open it.
pub(super) struct EnvelopedKey(Sm2EnvelopedKey);

impl EnvelopedKey {
    /// Reads ENVELOPEDKEYBLOB of GM/T 0016, as it lies in memory (packed, little-endian), or SM2EnvelopedKey of GM/T 0009 in DER.
    ///
    /// # Errors
    /// `DocumentMalformed` for what is neither, or one with octets after it; `KeyMalformed` for a public key that is not on the curve, `Unsupported` for another symmetric
    /// algorithm than SM1, SSF33 or SM4 in ECB.
    pub(super) fn read(octets: &[u8]) -> Result<Self> {
        let key = match octets {
            [0x30, ..] => Sm2EnvelopedKey::from_der(octets),
            _ => from_blob(octets),
        }?;
        fits(&key.session_key)?;
        Ok(EnvelopedKey(key))
    }

    /// asymAlg4, symAlg4, bits4, C1x, C1y, hash32, cipherLen4, cipher, bits4, pubX, pubY, encPriLen4, encPri. The pair is for encryption, so its
    /// algorithm is SM2_3.
    pub(super) fn wire(&self, dialect: &Dialect) -> Vec<u8> {
        let (EnvelopedKey(key), order) = (self, dialect.order);
        [
            &order.word(dialect.sm2.encrypt)[..],
            &order.word(key.wrap.sgd()),
            &order.word(BITS),
            &cipher_fields(&key.session_key, order),
            &order.word(BITS),
            key.public.octets(),
            &counted(&key.private, order),
        ]
        .concat()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::suite::sm2_wire::{Point, WrapCipher};
    use crate::token::gm0017::model;

    fn cipher(length: usize) -> Sm2Cipher {
        Sm2Cipher {
            point: Point::new(model::point(2, &[9; 32])).unwrap(),
            hash: [0xC3; 32],
            cipher: vec![0xC2; length],
        }
    }

    /// An SM2 ciphertext whose point is on the curve.
    pub(in crate::token::gm0017) fn cipher_der(length: usize) -> Vec<u8> {
        cipher(length).to_der().unwrap()
    }

    fn pair(public: &[u8; 64], length: usize) -> Sm2EnvelopedKey {
        let mut private = [0; 64];
        private[32..].fill(0xEE);
        let public = Point::new(*public).unwrap();
        Sm2EnvelopedKey { wrap: WrapCipher::Sm4, session_key: cipher(length), public, private }
    }

    pub(in crate::token::gm0017) fn enveloped_der(public: &[u8; 64]) -> Vec<u8> {
        pair(public, 16).to_der().unwrap()
    }

    fn kind(octets: &[u8]) -> Option<ErrorKind> {
        EnvelopedKey::read(octets).err().map(|error| error.kind())
    }

    #[test]
    fn both_forms_of_an_encryption_pair_give_the_same_command() {
        let public = model::point(2, &[8; 32]);
        let dialect = Dialect::named("gm3000").unwrap();
        let blob = pair(&public, 16).to_blob(ByteOrder::Little);
        let wire = EnvelopedKey::read(&blob).unwrap().wire(dialect);
        assert_eq!(EnvelopedKey::read(&enveloped_der(&public)).unwrap().wire(dialect), wire);
        assert_eq!(wire.len(), 12 + 96 + 4 + 16 + 4 + 64 + 4 + 64);
        assert_eq!(wire[..12], [0, 2, 8, 0, 0, 0, 4, 1, 0, 0, 1, 0]);
        assert_eq!(wire[12..][..64], model::point(2, &[9; 32]));
        assert_eq!(wire[12 + 96..][..4], [0, 0, 0, 16]);
        assert_eq!(wire[12 + 96 + 20..][..4], [0, 0, 1, 0]);
        assert_eq!(wire[12 + 96 + 24..][..64], public);
        assert_eq!(wire[wire.len() - 68..][..4], [0, 0, 0, 64]);
        assert_eq!(wire[wire.len() - 32..], [0xEE; 32]);
        let little = EnvelopedKey::read(&blob).unwrap().wire(Dialect::named("syno-2015").unwrap());
        assert_eq!(little[..12], [0, 4, 2, 0, 1, 4, 0, 0, 0, 1, 0, 0], "the numbers of 2010");
    }

    #[test]
    fn a_pair_that_cannot_be_one_is_refused_before_any_command() {
        let public = model::point(2, &[8; 32]);
        let (blob, der) = (pair(&public, 16).to_blob(ByteOrder::Little), enveloped_der(&public));
        assert_eq!((kind(&blob), kind(&der), kind(&[])), (None, None, Some(ErrorKind::DocumentMalformed)));
        let changed = |octets: &[u8], at: usize| {
            let mut octets = octets.to_vec();
            octets[at] ^= 0x40;
            kind(&octets)
        };
        assert_eq!(changed(&blob, 0), Some(ErrorKind::DocumentMalformed), "version");
        assert_eq!(changed(&blob, 4), Some(ErrorKind::Unsupported), "symmetric algorithm");
        assert_eq!(changed(&blob, 207), Some(ErrorKind::KeyMalformed), "the public key off the curve");
        assert_eq!(changed(&der, der.len() - 36), Some(ErrorKind::KeyMalformed), "the same in DER");
        // The ciphertext's point, where it would ask the device for parts of its key.
        assert_eq!(changed(&blob, 208 + 63), Some(ErrorKind::DocumentMalformed), "C1 off the curve");
        assert_eq!(changed(&blob, 80), Some(ErrorKind::DocumentMalformed), "a coordinate of more than 256 bits");
        assert_eq!(changed(&blob, 370), Some(ErrorKind::DocumentMalformed), "the length of the ciphertext");
        let mut cipher = cipher_der(16);
        assert!(session_key(&cipher, Order::Big).is_ok());
        let last_of_y = cipher.len() - 34 - 18 - 1;
        cipher[last_of_y] ^= 1;
        let refused = session_key(&cipher, Order::Big).err().map(|error| error.kind());
        assert_eq!(refused, Some(ErrorKind::DocumentMalformed), "C1 of an envelope off the curve");
    }

    #[test]
    fn an_encryption_pair_is_sent_whole_or_not_at_all() {
        let public = model::point(2, &[8; 32]);
        for octets in [pair(&public, 16).to_blob(ByteOrder::Little), enveloped_der(&public)] {
            for length in 0..octets.len() {
                assert_eq!(kind(&octets[..length]), Some(ErrorKind::DocumentMalformed), "{length}");
            }
            // Three octets are what a C structure is padded with.
            for more in [1, 3, 16] {
                let octets = [&octets[..], &vec![0; more]].concat();
                assert_eq!(kind(&octets), Some(ErrorKind::DocumentMalformed), "{more} octets more");
            }
        }
    }

    #[test]
    fn a_ciphertext_that_is_no_key_is_not_sent_to_a_device() {
        let public = model::point(2, &[8; 32]);
        for (length, refused) in [(CIPHER_MOST, None), (CIPHER_MOST + 1, Some(ErrorKind::DocumentMalformed))] {
            let pair = pair(&public, length);
            assert_eq!(kind(&pair.to_blob(ByteOrder::Little)), refused);
            assert_eq!(kind(&pair.to_der().unwrap()), refused);
            assert_eq!(session_key(&cipher_der(length), Order::Big).err().map(|error| error.kind()), refused);
        }
    }
}
