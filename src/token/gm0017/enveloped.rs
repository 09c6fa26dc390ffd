//! What CAs and senders make for the keys of a device: an SM2 ciphertext (GM/T 0009 §7.2), and an encryption pair that is wrapped for the
//! container's signing key (GM/T 0009 §7.4, GM/T 0016 §6.4.9).

use der::asn1::{BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Sequence};
use spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

use super::container::public_key;
use super::dialect::{Dialect, Order};
use crate::error::{Error, ErrorKind, Result};
use crate::suite::KeyKind;

const NAME: &str = "read encryption pair";
/// Octets of a coordinate.
const COORDINATE: usize = 32;
/// A field of the C structure: 512 bits, the value at its end.
const FIELD: usize = 64;
/// The most octets that an envelope's ciphertext may have: a symmetric key, and room.
const CIPHER_MOST: usize = 128;

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::DocumentMalformed, NAME).detail(what.to_owned())
}

/// SEQUENCE { x INTEGER, y INTEGER, hash OCTET STRING (32), ciphertext OCTET STRING }.
#[derive(Sequence)]
struct Sm2CipherDer<'a> {
    x: UintRef<'a>,
    y: UintRef<'a>,
    hash: &'a OctetStringRef,
    ciphertext: &'a OctetStringRef,
}

/// SEQUENCE { algorithm, SM2Cipher, public key, encrypted private key }.
#[derive(Sequence)]
struct EnvelopedKeyDer<'a> {
    algorithm: AlgorithmIdentifierRef<'a>,
    key: Sm2CipherDer<'a>,
    public: BitStringRef<'a>,
    private: BitStringRef<'a>,
}

/// An SM2 ciphertext, C1 C3 C2.
pub(super) struct Sm2Cipher {
    point: [u8; 2 * COORDINATE],
    hash: [u8; 32],
    ciphertext: Vec<u8>,
}

impl Sm2Cipher {
    /// Reads the DER form.
    ///
    /// # Errors
    /// `DocumentMalformed`, also for a point that is not on the curve: it would ask the device for parts of its key.
    pub(super) fn from_der(octets: &[u8]) -> Result<Self> {
        let read = Sm2CipherDer::from_der(octets).map_err(|_| bad("not an SM2 ciphertext in DER"))?;
        Sm2Cipher::of(&read)
    }

    fn of(read: &Sm2CipherDer<'_>) -> Result<Self> {
        let mut point = [0; 2 * COORDINATE];
        let (x, y) = point.split_at_mut(COORDINATE);
        right(x, read.x.as_bytes()).and_then(|()| right(y, read.y.as_bytes())).ok_or_else(|| bad("a coordinate"))?;
        let hash = read.hash.as_bytes().try_into().map_err(|_| bad("the hash is not one of 32 octets"))?;
        Sm2Cipher::new(point, hash, read.ciphertext.as_bytes())
    }

    fn new(point: [u8; 2 * COORDINATE], hash: [u8; 32], ciphertext: &[u8]) -> Result<Self> {
        public_key(KeyKind::Sm2, &point, NAME).map_err(|_| bad("the ciphertext's point is not on the curve"))?;
        match ciphertext.len() {
            1..=CIPHER_MOST => Ok(Sm2Cipher { point, hash, ciphertext: ciphertext.to_vec() }),
            other => Err(bad(&format!("a ciphertext of {other} octets"))),
        }
    }

    /// bits4, C1x, C1y, hash32, len4, cipher: as ECCExportSessionKey gives a session key out.
    pub(super) fn wire(&self, order: Order) -> Vec<u8> {
        let length = order.word(u32::try_from(self.ciphertext.len()).unwrap_or(u32::MAX));
        [&order.word(super::container::BITS)[..], &self.point, &self.hash, &length, &self.ciphertext].concat()
    }
}

/// Octets at the end of a field of zeros; `None` where they are too many.
fn right(field: &mut [u8], octets: &[u8]) -> Option<()> {
    let start = field.len().checked_sub(octets.len())?;
    field.get_mut(start..)?.copy_from_slice(octets);
    Some(())
}

/// A symmetric algorithm in ECB: its number, and the OID of the cipher and of its mode.
struct Symmetric {
    number: u32,
    oids: [ObjectIdentifier; 2],
}

const fn oids(cipher: &str, ecb: &str) -> [ObjectIdentifier; 2] {
    [ObjectIdentifier::new_unwrap(cipher), ObjectIdentifier::new_unwrap(ecb)]
}

/// GM/T 0006: SM1, SSF33, SM4.
static SYMMETRIC: [Symmetric; 3] = [
    Symmetric { number: 0x101, oids: oids("1.2.156.10197.1.102", "1.2.156.10197.1.102.1") },
    Symmetric { number: 0x201, oids: oids("1.2.156.10197.1.103", "1.2.156.10197.1.103.1") },
    Symmetric { number: 0x401, oids: oids("1.2.156.10197.1.104", "1.2.156.10197.1.104.1") },
];

/// An encryption pair as a CA hands it out: the private key under a symmetric key, and that under the container's signing key. Nobody but
/// the device can open it.
pub(super) struct EnvelopedKey {
    symmetric: u32,
    cipher: Sm2Cipher,
    public: [u8; 2 * COORDINATE],
    private: Zeroizing<[u8; FIELD]>,
}

impl EnvelopedKey {
    /// Reads ENVELOPEDKEYBLOB of GM/T 0016, as it lies in memory (packed, little-endian), or SM2EnvelopedKey of GM/T 0009 in DER.
    ///
    /// # Errors
    /// `DocumentMalformed` for what is neither, `KeyMalformed` for a public key that is not on the curve, `Unsupported` for another symmetric
    /// algorithm than SM1, SSF33 or SM4 in ECB.
    pub(super) fn read(octets: &[u8]) -> Result<Self> {
        let key = match octets {
            [0x30, ..] => EnvelopedKey::from_der(octets),
            _ => EnvelopedKey::from_blob(octets),
        }?;
        public_key(KeyKind::Sm2, &key.public, NAME)?;
        Ok(key)
    }

    fn from_der(octets: &[u8]) -> Result<Self> {
        let read = EnvelopedKeyDer::from_der(octets).map_err(|_| bad("not an SM2EnvelopedKey in DER"))?;
        let known = SYMMETRIC.iter().find(|row| row.oids.contains(&read.algorithm.oid));
        let symmetric = known.ok_or_else(|| unknown(&read.algorithm.oid.to_string()))?.number;
        let public = match read.public.as_bytes() {
            Some([0x04, point @ ..]) => point.try_into().map_err(|_| bad("the public key"))?,
            _ => return Err(bad("the public key is not an uncompressed point")),
        };
        let octets = read.private.as_bytes().filter(|o| matches!(o.len(), COORDINATE | FIELD));
        let mut private = Zeroizing::new([0; FIELD]);
        // ECB: the blocks before the key's own are zeros that nobody looks at.
        octets.and_then(|octets| right(&mut private[..], octets)).ok_or_else(|| bad("the private key's length"))?;
        Ok(EnvelopedKey { symmetric, cipher: Sm2Cipher::of(&read.key)?, public, private })
    }

    /// Version, ulSymmAlgID, ulBits; cbEncryptedPriKey[64]; PubKey { BitLen, X[64], Y[64] }; ECCCipherBlob { X[64], Y[64], HASH[32],
    /// CipherLen, Cipher }.
    fn from_blob(octets: &[u8]) -> Result<Self> {
        let mut rest = Blob(octets);
        let (version, symmetric, bits) = (rest.word()?, rest.word()?, rest.word()?);
        let private = Zeroizing::new(rest.take::<FIELD>()?);
        let public_bits = rest.word()?;
        let public = rest.point()?;
        let point = rest.point()?;
        let (hash, length) = (rest.take()?, rest.word()?);
        if (version, bits, public_bits) != (1, 256, 256) {
            return Err(bad("not an ENVELOPEDKEYBLOB of version 1 with a key of 256 bits"));
        }
        if !SYMMETRIC.iter().any(|row| row.number == symmetric) {
            return Err(unknown(&format!("{symmetric:#X}")));
        }
        if usize::try_from(length).ok() != Some(rest.0.len()) {
            return Err(bad("the ciphertext has another length than it says"));
        }
        Ok(EnvelopedKey { symmetric, cipher: Sm2Cipher::new(point, hash, rest.0)?, public, private })
    }

    /// asymAlg4, symAlg4, bits4, C1x, C1y, hash32, cipherLen4, cipher, bits4, pubX, pubY, encPriLen4, encPri. The pair is for encryption, so its
    /// algorithm is SM2_3.
    pub(super) fn wire(&self, dialect: &Dialect) -> Vec<u8> {
        let word = |value: u32| dialect.order.word(value);
        let length = |octets: &[u8]| word(u32::try_from(octets.len()).unwrap_or(u32::MAX));
        let Sm2Cipher { point, hash, ciphertext } = &self.cipher;
        [
            &word(dialect.sm2.encrypt)[..],
            &word(self.symmetric),
            &word(super::container::BITS),
            point,
            hash,
            &length(ciphertext),
            ciphertext,
            &word(super::container::BITS),
            &self.public,
            &length(&self.private[..]),
            &self.private[..],
        ]
        .concat()
    }
}

fn unknown(algorithm: &str) -> Error {
    Error::new(ErrorKind::Unsupported, NAME)
        .detail(format!("symmetric algorithm {algorithm}: SM1, SSF33, SM4 in ECB are known"))
}

/// A C structure.
struct Blob<'a>(&'a [u8]);

impl Blob<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| bad("shorter than ENVELOPEDKEYBLOB"))?;
        self.0 = rest;
        Ok(*field)
    }

    fn word(&mut self) -> Result<u32> {
        self.take().map(u32::from_le_bytes)
    }

    /// X and Y, each at the end of its field.
    fn point(&mut self) -> Result<[u8; 2 * COORDINATE]> {
        let mut point = [0; 2 * COORDINATE];
        for coordinate in point.as_chunks_mut::<COORDINATE>().0 {
            let (zeros, value) = (self.take::<{ FIELD - COORDINATE }>()?, self.take()?);
            if zeros != [0; FIELD - COORDINATE] {
                return Err(bad("a coordinate of more than 256 bits"));
            }
            *coordinate = value;
        }
        Ok(point)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::token::gm0017::model;
    use der::Encode;

    const SM4_ECB: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.104.1");

    fn uint(octets: &[u8]) -> UintRef<'_> {
        UintRef::new(octets).unwrap()
    }

    /// An SM2 ciphertext whose point is on the curve.
    pub(in crate::token::gm0017) fn cipher_der(length: usize) -> Vec<u8> {
        let point = model::point(2, &[9; 32]);
        let ciphertext = vec![0xC2; length];
        let (hash, ciphertext) = (OctetStringRef::new(&[0xC3; 32]).unwrap(), OctetStringRef::new(&ciphertext).unwrap());
        Sm2CipherDer { x: uint(&point[..32]), y: uint(&point[32..]), hash, ciphertext }.to_der().unwrap()
    }

    pub(in crate::token::gm0017) fn enveloped_der(public: &[u8; 64], private: &[u8]) -> Vec<u8> {
        let cipher = cipher_der(16);
        let public = [&[4], &public[..]].concat();
        EnvelopedKeyDer {
            algorithm: AlgorithmIdentifierRef { oid: SM4_ECB, parameters: None },
            key: Sm2CipherDer::from_der(&cipher).unwrap(),
            public: BitStringRef::from_bytes(&public).unwrap(),
            private: BitStringRef::from_bytes(private).unwrap(),
        }
        .to_der()
        .unwrap()
    }

    fn blob(public: &[u8; 64], private: &[u8; 64]) -> Vec<u8> {
        let wide = |xy: &[u8; 64]| [&[0; 32], &xy[..32], &[0; 32], &xy[32..]].concat();
        let word = |value: u32| value.to_le_bytes().to_vec();
        let head = [word(1), word(0x401), word(256), private.to_vec(), word(256)].concat();
        let point = model::point(2, &[9; 32]);
        [head, wide(public), wide(&point), vec![0xC3; 32], word(16), vec![0xC2; 16]].concat()
    }

    fn kind(octets: &[u8]) -> Option<ErrorKind> {
        EnvelopedKey::read(octets).err().map(|error| error.kind())
    }

    #[test]
    fn both_forms_of_an_encryption_pair_give_the_same_command() {
        let (public, mut private) = (model::point(2, &[8; 32]), [0; 64]);
        private[32..].fill(0xEE);
        let dialect = Dialect::named("gm3000").unwrap();
        let blob = blob(&public, &private);
        assert_eq!(blob.len(), 372 + 16, "372 octets before the ciphertext, as GM/T 0016 has them");
        let wire = EnvelopedKey::read(&blob).unwrap().wire(dialect);
        assert_eq!(EnvelopedKey::read(&enveloped_der(&public, &[0xEE; 32])).unwrap().wire(dialect), wire);
        assert_eq!(wire.len(), 12 + 96 + 4 + 16 + 4 + 64 + 4 + 64);
        assert_eq!(wire[..12], [0, 2, 8, 0, 0, 0, 4, 1, 0, 0, 1, 0]);
        assert_eq!(wire[12 + 96..][..4], [0, 0, 0, 16]);
        assert_eq!(wire[wire.len() - 32..], [0xEE; 32]);
        let little = EnvelopedKey::read(&blob).unwrap().wire(Dialect::named("syno-2015").unwrap());
        assert_eq!(little[..12], [0, 4, 2, 0, 1, 4, 0, 0, 0, 1, 0, 0], "the numbers of 2010");
    }

    #[test]
    fn a_pair_that_cannot_be_one_is_refused_before_any_command() {
        let (public, private) = (model::point(2, &[8; 32]), [0xEE; 64]);
        let (good, der) = (blob(&public, &private), enveloped_der(&public, &private));
        assert_eq!((kind(&good), kind(&der)), (None, None));
        let mut off = public;
        off[63] ^= 1;
        assert_eq!(kind(&blob(&off, &private)), Some(ErrorKind::KeyMalformed));
        assert_eq!(kind(&enveloped_der(&off, &private)), Some(ErrorKind::KeyMalformed));
        let changed = |at: usize| {
            let mut octets = good.clone();
            octets[at] ^= 0x40;
            kind(&octets)
        };
        assert_eq!(changed(0), Some(ErrorKind::DocumentMalformed), "version");
        assert_eq!(changed(4), Some(ErrorKind::Unsupported), "symmetric algorithm");
        assert_eq!(changed(80), Some(ErrorKind::DocumentMalformed), "a coordinate of more than 256 bits");
        assert_eq!(changed(370), Some(ErrorKind::DocumentMalformed), "the length of the ciphertext");
        // The ciphertext's point, where it would ask the device for parts of its key.
        assert_eq!(changed(208 + 63), Some(ErrorKind::DocumentMalformed), "C1 off the curve");
        let mut cipher = cipher_der(16);
        let last_of_y = cipher.len() - 34 - 18 - 1;
        assert!(Sm2Cipher::from_der(&cipher).is_ok());
        cipher[last_of_y] ^= 1;
        assert_eq!(Sm2Cipher::from_der(&cipher).err().map(|e| e.kind()), Some(ErrorKind::DocumentMalformed));
        for length in 0..good.len() {
            assert_eq!(kind(&good[..length]), Some(ErrorKind::DocumentMalformed), "{length}");
        }
        for length in 1..der.len() {
            assert_eq!(kind(&der[..length]), Some(ErrorKind::DocumentMalformed), "{length}");
        }
        assert_eq!(kind(&enveloped_der(&public, &[0xEE; 33])), Some(ErrorKind::DocumentMalformed));
    }
}
