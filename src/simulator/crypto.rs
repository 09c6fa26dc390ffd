//! What the device computes. The algorithms are crates'; here stands only what the standard lays around them.

use p256::ecdsa::signature::hazmat::RandomizedPrehashSigner;
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use sm2::elliptic_curve::Generate;
use sm2::elliptic_curve::common::getrandom::SysRng;
use sm2::elliptic_curve::subtle::ConstantTimeEq;
use sm3::Sm3;
use sm4::Sm4;
use sm4::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use zeroize::Zeroizing;

use super::dialect::{Block, Dialect, PinKey};

/// The kinds of keys that the simulator makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// SM2 (GB/T 32918).
    Sm2,
    /// P-256: an extension of the simulator, which no device of this standard has. It says so in bit 31 of AlgAsymCap.
    P256,
}

/// The two key pairs of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Made on the device, for signatures.
    Signing,
    /// Made by the authority and imported, for session keys.
    Encryption,
}

/// a, b and G of SM2's curve (GB/T 32918.5 §2), as Z has them.
const CURVE: [[u8; 32]; 4] = [
    *b"\xFF\xFF\xFF\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00\x00\x00\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFC",
    *b"\x28\xE9\xFA\x9E\x9D\x9F\x5E\x34\x4D\x5A\x9E\x4B\xCF\x65\x09\xA7\xF3\x97\x89\xF5\x15\xAB\x8F\x92\xDD\xBC\xBD\x41\x4D\x94\x0E\x93",
    *b"\x32\xC4\xAE\x2C\x1F\x19\x81\x19\x5F\x99\x04\x46\x6A\x39\xC9\x94\x8F\xE3\x0B\xBF\xF2\x66\x0B\xE1\x71\x5A\x45\x89\x33\x4C\x74\xC7",
    *b"\xBC\x37\x36\xA2\xF4\xF6\x77\x9C\x59\xBD\xCE\xE3\x6B\x69\x21\x53\xD0\xA9\x87\x7C\xC6\x2A\x47\x40\x02\xDF\x32\xE5\x21\x39\xF0\xA0",
];

/// Random octets; `None` where the system has none.
pub(super) fn random(count: usize) -> Option<Zeroizing<Vec<u8>>> {
    let mut octets = Zeroizing::new(vec![0; count]);
    getrandom::fill(&mut octets).ok()?;
    Some(octets)
}

/// Whether both are the same, in a time that does not tell where they differ.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

/// Octets with zeros behind them to 16; what is longer is cut.
pub(super) fn padded(octets: &[u8]) -> [u8; 16] {
    let mut block = [0; 16];
    block.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
    block
}

/// The key that a PIN stands for.
pub(super) fn pin_key(dialect: &Dialect, pin: &[u8]) -> Zeroizing<[u8; 16]> {
    Zeroizing::new(match dialect.pin_key {
        PinKey::Sha1Padded => padded(&Sha1::digest(padded(pin))),
        PinKey::Sha1 => padded(&Sha1::digest(pin)),
        PinKey::Sm3 => padded(&Sm3::digest(pin)),
    })
}

/// The block that a random becomes in VerifyPIN.
pub(super) fn pin_block(dialect: &Dialect, random: &[u8]) -> [u8; 16] {
    match dialect.block {
        Block::Zeros => padded(random),
        Block::Framed => padded(&[&[8, 0][..], random, &[0x80]].concat()),
    }
}

/// SM4 in ECB over whole blocks.
pub(super) fn encrypt(key: &[u8; 16], octets: &mut [u8]) {
    let cipher = Sm4::new(&(*key).into());
    for block in octets.as_chunks_mut().0 {
        crypt(&cipher, block, true);
    }
}

/// The same backwards.
pub(super) fn decrypt(key: &[u8; 16], octets: &mut [u8]) {
    let cipher = Sm4::new(&(*key).into());
    for block in octets.as_chunks_mut().0 {
        crypt(&cipher, block, false);
    }
}

fn crypt(cipher: &Sm4, block: &mut [u8; 16], there: bool) {
    let array = block.into();
    if there { cipher.encrypt_block(array) } else { cipher.decrypt_block(array) }
}

/// SM4 in CBC over whole blocks; `vector` becomes the one that the next block wants.
pub(super) fn encrypt_chained(key: &[u8; 16], vector: &mut [u8; 16], octets: &mut [u8]) {
    let cipher = Sm4::new(&(*key).into());
    for block in octets.as_chunks_mut().0 {
        add(block, vector);
        crypt(&cipher, block, true);
        *vector = *block;
    }
}

/// The same backwards.
pub(super) fn decrypt_chained(key: &[u8; 16], vector: &mut [u8; 16], octets: &mut [u8]) {
    let cipher = Sm4::new(&(*key).into());
    for block in octets.as_chunks_mut().0 {
        let next = *block;
        crypt(&cipher, block, false);
        add(block, vector);
        *vector = next;
    }
}

fn add(block: &mut [u8; 16], other: &[u8; 16]) {
    block.iter_mut().zip(other).for_each(|(to, from)| *to ^= from);
}

/// The MAC of a command of CLA 84 (F): CBC-MAC of SM4 over header, Lc as four octets with the lowest 16 bits first and their higher octet before
/// the lower, and data, with `80` and zeros behind; its first four octets.
pub(super) fn mac(key: &[u8; 16], random: &[u8], header: [u8; 4], length: u16, data: &[u8]) -> [u8; 4] {
    let [high, low] = length.to_be_bytes();
    let mut input = [&header[..], &[high, low, 0, 0], data, &[0x80]].concat();
    input.resize(input.len().next_multiple_of(16), 0);
    let mut vector = padded(random);
    encrypt_chained(key, &mut vector, &mut input);
    let [a, b, c, d, ..] = vector;
    [a, b, c, d]
}

/// A new private key.
pub(super) fn generate(algorithm: Algorithm) -> Option<Zeroizing<Vec<u8>>> {
    Some(Zeroizing::new(match algorithm {
        Algorithm::Sm2 => sm2::SecretKey::try_generate().ok()?.to_bytes().to_vec(),
        Algorithm::P256 => p256::SecretKey::try_generate().ok()?.to_bytes().to_vec(),
    }))
}

/// X and Y of the public key; `None` for what is no private key, or one that cannot sign.
pub(super) fn point(algorithm: Algorithm, scalar: &[u8]) -> Option<[u8; 64]> {
    let scalar: &[u8; 32] = scalar.try_into().ok()?;
    let point = match algorithm {
        Algorithm::Sm2 => sm2::SecretKey::from_slice(scalar).ok()?.public_key().to_sec1_bytes(),
        Algorithm::P256 => p256::SecretKey::from_slice(scalar).ok()?.public_key().to_sec1_bytes(),
    };
    match &point[..] {
        [4, coordinates @ ..] => coordinates.try_into().ok(),
        _ => None,
    }
}

/// r and s over what was hashed already.
pub(super) fn sign(algorithm: Algorithm, scalar: &[u8], e: &[u8; 32]) -> Option<[u8; 64]> {
    match algorithm {
        Algorithm::Sm2 => {
            let key = sm2::SecretKey::from_slice(scalar).ok()?;
            // The identifier goes into Z alone, and Z is in `e` already.
            let key = sm2::dsa::SigningKey::new("", &key).ok()?;
            let signature: sm2::dsa::Signature = key.sign_prehash_with_rng(&mut SysRng, e).ok()?;
            signature.to_bytes()[..].try_into().ok()
        }
        Algorithm::P256 => {
            let key = p256::ecdsa::SigningKey::from_slice(scalar).ok()?;
            let signature: p256::ecdsa::Signature = key.sign_prehash_with_rng(&mut SysRng, e).ok()?;
            signature.to_bytes()[..].try_into().ok()
        }
    }
}

/// Whether a signature of SM2 is one; `None` for a public key that is none.
pub(super) fn verify(point: &[u8; 64], e: &[u8], r_s: &[u8]) -> Option<bool> {
    use sm2::dsa::signature::hazmat::PrehashVerifier;
    let key = sm2::dsa::VerifyingKey::from_sec1_bytes("", &uncompressed(point)).ok()?;
    Some(sm2::dsa::Signature::from_slice(r_s).is_ok_and(|signature| key.verify_prehash(e, &signature).is_ok()))
}

fn uncompressed(point: &[u8; 64]) -> Vec<u8> {
    [&[4][..], point].concat()
}

/// Z (GM/T 0009-2012 §8.1): SM3 over the identifier's length in bits, the identifier, the curve and the public key.
pub(super) fn z(point: &[u8; 64], id: &[u8]) -> Option<[u8; 32]> {
    let bits = u16::try_from(id.len().checked_mul(8)?).ok()?;
    let mut hash = Sm3::new();
    hash.update(bits.to_be_bytes());
    hash.update(id);
    CURVE.iter().for_each(|number| hash.update(number));
    hash.update(point);
    Some(hash.finalize().into())
}

/// SM3 over Z and the message.
pub(super) fn message_digest(point: &[u8; 64], id: &[u8], message: &[u8]) -> Option<[u8; 32]> {
    Some(Sm3::new().chain_update(z(point, id)?).chain_update(message).finalize().into())
}

/// Decrypts with SM2: C1 without its leading 04, C3, C2.
pub(super) fn unwrap(scalar: &[u8], c1: &[u8; 64], c3: &[u8; 32], c2: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let key = sm2::pke::DecryptingKey::from_slice(scalar).ok()?;
    key.decrypt(&[&uncompressed(c1), &c3[..], c2].concat()).ok().map(Zeroizing::new)
}

/// SM3 of something that is no secret.
pub(super) fn sm3(octets: &[u8]) -> [u8; 32] {
    Sm3::digest(octets).into()
}
