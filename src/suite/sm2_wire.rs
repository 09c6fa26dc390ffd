//! SM2 ciphertexts and wrapped key pairs, as they travel: DER (GM/T 0009-2012 §7.2, §7.4), and the structure of SKF (GM/T 0016-2012 §6.4).
//!
//! Types and conversions alone. Nothing is decrypted here: the key pair comes wrapped from the issuing office, and the token unwraps it with
//! its own signing key. Points are checked to lie on the curve before anything is made of them.

use der::asn1::{BitStringRef, ObjectIdentifier, OctetStringRef, UintRef};
use der::{Decode, Encode, Sequence};
use spki::AlgorithmIdentifierRef;

use crate::error::{Error, ErrorKind, Result};

/// The longest ciphertext in an [`Sm2Cipher`] that is read, in octets: a session key with room to spare.
const CIPHER_MAX: usize = 4096;
/// The fixed part of an ENVELOPEDKEYBLOB without padding, in octets; the ciphertext follows.
const BLOB_FIXED: usize = 372;

const READ: &str = "read wrapped key";

fn bad(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::DocumentMalformed, READ).detail(what)
}

/// X ‖ Y of a point of the SM2 curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point([u8; 64]);

impl Point {
    /// Takes X ‖ Y, 32 octets each, big-endian.
    ///
    /// # Errors
    /// `DocumentMalformed` when it is no point of the curve.
    pub fn new(octets: [u8; 64]) -> Result<Self> {
        let uncompressed = [&[4][..], &octets].concat();
        match sm2::PublicKey::from_sec1_bytes(&uncompressed) {
            Ok(_) => Ok(Point(octets)),
            Err(_) => Err(bad("a point is not on the curve")),
        }
    }

    /// As [`Point::new`], of the public half of a pair: `KeyMalformed` when it is no point of the curve.
    fn public(octets: [u8; 64]) -> Result<Self> {
        Point::new(octets)
            .map_err(|_| Error::new(ErrorKind::KeyMalformed, READ).detail("the public key is not on the curve"))
    }

    fn join(x: &[u8], y: &[u8]) -> Result<Self> {
        let mut octets = [0; 64];
        for (half, number) in octets.chunks_exact_mut(32).zip([x, y]) {
            right_align(half, number).ok_or_else(|| bad("a coordinate is longer than 32 octets"))?;
        }
        Point::new(octets)
    }

    /// X ‖ Y.
    #[must_use]
    pub fn octets(&self) -> &[u8; 64] {
        &self.0
    }

    /// X, 32 octets.
    #[must_use]
    pub fn x(&self) -> &[u8] {
        self.0.split_at(32).0
    }

    /// Y, 32 octets.
    #[must_use]
    pub fn y(&self) -> &[u8] {
        self.0.split_at(32).1
    }
}

/// Puts a number at the end of a field of zeros; `None` when it does not fit.
fn right_align(field: &mut [u8], number: &[u8]) -> Option<()> {
    let start = field.len().checked_sub(number.len())?;
    field.get_mut(start..)?.copy_from_slice(number);
    Some(())
}

/// What SM2 encryption gives: SM2Cipher of GM/T 0009, ECCCIPHERBLOB of SKF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sm2Cipher {
    /// C1, the point.
    pub point: Point,
    /// C3, the SM3 hash.
    pub hash: [u8; 32],
    /// C2, as long as what was encrypted.
    pub cipher: Vec<u8>,
}

/// SM2Cipher ::= SEQUENCE { XCoordinate INTEGER, YCoordinate INTEGER, HASH OCTET STRING SIZE(32), CipherText OCTET STRING }
/// (GM/T 0009-2012 §7.2).
#[derive(Sequence)]
struct CipherDer<'a> {
    x: UintRef<'a>,
    y: UintRef<'a>,
    hash: &'a OctetStringRef,
    cipher: &'a OctetStringRef,
}

impl Sm2Cipher {
    /// Reads DER.
    ///
    /// # Errors
    /// `DocumentMalformed`: not this structure, a point that is not on the curve, a hash of another length than 32, nothing encrypted.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        Sm2Cipher::of(&CipherDer::from_der(der).map_err(|e| bad(format!("SM2Cipher: {e}")))?)
    }

    fn of(read: &CipherDer<'_>) -> Result<Self> {
        let hash = read.hash.as_bytes().try_into().map_err(|_| bad("a hash of another length than 32 octets"))?;
        let cipher = ciphertext(read.cipher.as_bytes())?;
        Ok(Sm2Cipher { point: Point::join(read.x.as_bytes(), read.y.as_bytes())?, hash, cipher })
    }

    fn view(&self) -> der::Result<CipherDer<'_>> {
        Ok(CipherDer {
            x: UintRef::new(self.point.x())?,
            y: UintRef::new(self.point.y())?,
            hash: OctetStringRef::new(&self.hash)?,
            cipher: OctetStringRef::new(&self.cipher)?,
        })
    }

    /// Its DER.
    ///
    /// # Errors
    /// `Defect` alone.
    pub fn to_der(&self) -> Result<Vec<u8>> {
        self.view().and_then(|v| v.to_der()).map_err(|e| defect(&e))
    }
}

fn ciphertext(octets: &[u8]) -> Result<Vec<u8>> {
    if (1..=CIPHER_MAX).contains(&octets.len()) {
        return Ok(octets.to_vec());
    }
    Err(bad(format!("a ciphertext of {} octets, 1 to {CIPHER_MAX} are read", octets.len())))
}

fn defect(error: &der::Error) -> Error {
    Error::new(ErrorKind::Defect, "write wrapped key").detail(error.to_string())
}

/// The cipher, in ECB mode, under which the private key is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrapCipher {
    /// SM1.
    Sm1,
    /// SSF33.
    Ssf33,
    /// SM4.
    Sm4,
}

/// Cipher, SKF's number of its ECB mode (GM/T 0006-2012 table 1), and its object identifiers, of the mode first. Issuing offices name either.
const WRAPS: [(WrapCipher, u32, [&str; 2]); 3] = [
    (WrapCipher::Sm1, 0x101, ["1.2.156.10197.1.102.1", "1.2.156.10197.1.102"]),
    (WrapCipher::Ssf33, 0x201, ["1.2.156.10197.1.103.1", "1.2.156.10197.1.103"]),
    (WrapCipher::Sm4, 0x401, ["1.2.156.10197.1.104.1", "1.2.156.10197.1.104"]),
];

impl WrapCipher {
    /// SKF's number of its ECB mode, such as 0x401.
    #[must_use]
    pub fn sgd(self) -> u32 {
        WRAPS.iter().find(|w| w.0 == self).map_or(0, |w| w.1)
    }

    /// The cipher of a number of SKF.
    #[must_use]
    pub fn of_sgd(number: u32) -> Option<Self> {
        WRAPS.iter().find(|w| w.1 == number).map(|w| w.0)
    }

    /// ECB has no parameters, so what stands under the name of the mode says nothing. The name of the cipher alone is taken for this mode where
    /// nothing is said of another one.
    fn of(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<Self> {
        let oid = algorithm.oid.to_string();
        let Some((cipher, _, [mode, _])) = WRAPS.iter().find(|w| w.2.contains(&oid.as_str())) else {
            return Err(unknown_cipher(oid));
        };
        if oid != *mode && algorithm.parameters.is_some_and(|p| !p.is_null()) {
            return Err(unknown_cipher(format!("{oid} with parameters")));
        }
        Ok(*cipher)
    }

    fn oid(self) -> der::Result<ObjectIdentifier> {
        let dotted = WRAPS.iter().find(|w| w.0 == self).map_or("", |w| w.2[0]);
        ObjectIdentifier::new(dotted).map_err(|_| der::ErrorKind::OidMalformed.into())
    }
}

/// In which order the integers of a structure of SKF stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant octet first: C on the computers in use.
    Little,
    /// Most significant octet first.
    Big,
}

impl ByteOrder {
    fn read(self, octets: [u8; 4]) -> u32 {
        match self {
            ByteOrder::Little => u32::from_le_bytes(octets),
            ByteOrder::Big => u32::from_be_bytes(octets),
        }
    }

    fn write(self, value: u32) -> [u8; 4] {
        match self {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        }
    }
}

/// An encryption key pair on its way into a token: SM2EnvelopedKey of GM/T 0009, ENVELOPEDKEYBLOB of SKF.
///
/// The private key is wrapped with a session key, and the session key is encrypted to the container's signing key.
#[derive(Clone, PartialEq, Eq)]
pub struct Sm2EnvelopedKey {
    /// The cipher of the session key.
    pub wrap: WrapCipher,
    /// The session key, encrypted to the signing key.
    pub session_key: Sm2Cipher,
    /// The public half of the pair.
    pub public: Point,
    /// The private half, wrapped. What was wrapped are 64 octets with the number at their end: the last 32 of these count, and where only they
    /// were given the first 32 are zero (GM/T 0016-2012 §6.4.10).
    pub private: [u8; 64],
}

/// SM2EnvelopedKey ::= SEQUENCE { symAlgID AlgorithmIdentifier, symEncryptedKey SM2Cipher, Sm2PublicKey BIT STRING,
/// Sm2EncryptedPrivateKey BIT STRING } (GM/T 0009-2012 §7.4).
#[derive(Sequence)]
struct EnvelopedDer<'a> {
    algorithm: AlgorithmIdentifierRef<'a>,
    session_key: CipherDer<'a>,
    public: BitStringRef<'a>,
    private: BitStringRef<'a>,
}

impl Sm2EnvelopedKey {
    /// Reads DER.
    ///
    /// # Errors
    /// `DocumentMalformed`: not this structure, a ciphertext's point that is not on the curve, lengths that cannot be. `KeyMalformed` for a
    /// public key that is not on the curve. `Unsupported` for another cipher, or one in another mode than ECB.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let read = EnvelopedDer::from_der(der).map_err(|e| bad(format!("SM2EnvelopedKey: {e}")))?;
        let wrap = WrapCipher::of(&read.algorithm)?;
        let public = match read.public.as_bytes() {
            Some([4, point @ ..]) => point.try_into().map_err(|_| bad("a public key of another length"))?,
            _ => return Err(bad("a public key that is not 04, X, Y")),
        };
        let wrapped = read.private.as_bytes().filter(|o| matches!(o.len(), 32 | 64));
        let wrapped = wrapped.ok_or_else(|| bad("a wrapped private key that has not 32 or 64 octets"))?;
        let mut private = [0; 64];
        right_align(&mut private, wrapped).ok_or_else(|| bad("private key"))?;
        Ok(Sm2EnvelopedKey {
            wrap,
            session_key: Sm2Cipher::of(&read.session_key)?,
            public: Point::public(public)?,
            private,
        })
    }

    /// Its DER. A private key of which only the last 32 octets count is written as these.
    ///
    /// # Errors
    /// `Defect` alone.
    pub fn to_der(&self) -> Result<Vec<u8>> {
        let public = [&[4][..], self.public.octets()].concat();
        let private = match self.private.split_at(32) {
            (high, low) if high.iter().all(|o| *o == 0) => low,
            _ => &self.private[..],
        };
        let encode = || {
            EnvelopedDer {
                algorithm: AlgorithmIdentifierRef { oid: self.wrap.oid()?, parameters: None },
                session_key: self.session_key.view()?,
                public: BitStringRef::from_bytes(&public)?,
                private: BitStringRef::from_bytes(private)?,
            }
            .to_der()
        };
        encode().map_err(|e| defect(&e))
    }

    /// Reads an ENVELOPEDKEYBLOB without padding between its fields. What follows the ciphertext is passed over: some write three octets more,
    /// for the structure's alignment.
    ///
    /// # Errors
    /// As [`Sm2EnvelopedKey::from_der`].
    pub fn from_blob(blob: &[u8], order: ByteOrder) -> Result<Self> {
        let mut rest = Fields { rest: blob, order };
        let (version, algorithm, bits) = (rest.number()?, rest.number()?, rest.number()?);
        // What is not this structure is called that, and not a key with a bad point.
        if version != 1 {
            return Err(bad(format!("version {version} of the structure")));
        }
        let (private, public_bits) = (rest.take::<64>()?, rest.number()?);
        if (bits, public_bits) != (256, 256) {
            return Err(bad(format!("a key of {bits} and {public_bits} bits")));
        }
        let wrap = WrapCipher::of_sgd(algorithm).ok_or_else(|| unknown_cipher(format!("{algorithm:#x}")))?;
        let public = Point::public(rest.coordinates()?)?;
        let point = Point::new(rest.coordinates()?)?;
        let (hash, length) = (rest.take::<32>()?, rest.number()?);
        let cipher = usize::try_from(length).ok().and_then(|l| rest.rest.get(..l));
        let cipher = ciphertext(cipher.ok_or_else(|| bad("the structure ends within its ciphertext"))?)?;
        Ok(Sm2EnvelopedKey { wrap, session_key: Sm2Cipher { point, hash, cipher }, public, private })
    }

    /// The ENVELOPEDKEYBLOB without padding between its fields: 372 octets and the ciphertext.
    #[must_use]
    pub fn to_blob(&self, order: ByteOrder) -> Vec<u8> {
        let mut blob = Vec::with_capacity(BLOB_FIXED.saturating_add(self.session_key.cipher.len()));
        let number = |blob: &mut Vec<u8>, value| blob.extend(order.write(value));
        let wide = |blob: &mut Vec<u8>, point: &Point| {
            // Coordinates stand at the end of fields of 64 octets.
            for half in [point.x(), point.y()] {
                blob.extend([0; 32]);
                blob.extend(half);
            }
        };
        for value in [1, self.wrap.sgd(), 256] {
            number(&mut blob, value);
        }
        blob.extend(self.private);
        number(&mut blob, 256);
        wide(&mut blob, &self.public);
        wide(&mut blob, &self.session_key.point);
        blob.extend(self.session_key.hash);
        number(&mut blob, u32::try_from(self.session_key.cipher.len()).unwrap_or(u32::MAX));
        blob.extend(&self.session_key.cipher);
        blob
    }
}

/// The public half alone: the rest is secret to all but the token, wrapped or not.
impl std::fmt::Debug for Sm2EnvelopedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sm2EnvelopedKey")
            .field("wrap", &self.wrap)
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

fn unknown_cipher(name: String) -> Error {
    Error::new(ErrorKind::Unsupported, READ).detail(format!("a key that is wrapped with {name}"))
}

/// The fields of a structure, from its beginning.
struct Fields<'a> {
    rest: &'a [u8],
    order: ByteOrder,
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| bad("the structure is too short"))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<u32> {
        Ok(self.order.read(self.take()?))
    }

    /// Two coordinates at the end of fields of 64 octets, whose first 32 are zero.
    fn coordinates(&mut self) -> Result<[u8; 64]> {
        let mut octets = [0; 64];
        for half in octets.chunks_exact_mut(32) {
            let field = self.take::<64>()?;
            let (high, low) = field.split_at(32);
            if high.iter().any(|o| *o != 0) {
                return Err(bad("a coordinate is longer than 32 octets"));
            }
            half.copy_from_slice(low);
        }
        Ok(octets)
    }
}

#[cfg(test)]
#[path = "sm2_wire_tests.rs"]
mod tests;
