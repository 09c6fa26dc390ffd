//! What is computed from a PIN, a device key and the card's random: cryptograms and MACs. The PIN itself never travels.

use sha1::Digest;
use sm4::Sm4;
use sm4::cipher::{BlockCipherEncrypt, KeyInit};
use zeroize::Zeroizing;

use super::dialect::{Dialect, MacForm, PinDigest};
use crate::error::{Error, ErrorKind, Result};
use crate::pin::Pin;

/// Octets of a block and of a key of SM4 (GB/T 32907).
pub(super) const BLOCK: usize = 16;
/// The shortest PIN (GM/T 0016 §5, GM/T 0027).
pub(super) const PIN_LEAST: usize = 6;
/// The longest: it has to fit into one block.
pub(super) const PIN_MOST: usize = 16;
/// Octets of the card's random.
pub(super) const RANDOM: usize = 8;

/// One block that is wiped.
pub(super) type Block = Zeroizing<[u8; BLOCK]>;

/// A PIN as a card takes it.
///
/// # Errors
/// `PinLength`, `PinEncoding`: nothing was sent.
pub(super) fn check(pin: &Pin) -> Result<()> {
    let octets = pin.expose();
    if !(PIN_LEAST..=PIN_MOST).contains(&octets.len()) {
        let length = format!("{PIN_LEAST} to {PIN_MOST} characters");
        return Err(Error::new(ErrorKind::PinLength, "PIN entry").detail(length));
    }
    if !octets.iter().all(|o| (0x20..0x7F).contains(o)) {
        return Err(Error::new(ErrorKind::PinEncoding, "PIN entry").detail("digits, or letters and signs of ASCII"));
    }
    Ok(())
}

/// Octets at the beginning of a block of zeros; what does not fit is cut, so callers look first.
fn padded(parts: &[&[u8]]) -> Block {
    let mut block = Zeroizing::new([0; BLOCK]);
    for (to, from) in block.iter_mut().zip(parts.iter().copied().flatten()) {
        *to = *from;
    }
    block
}

/// A key of SM4.
pub(super) struct Key(Block);

impl Key {
    /// The key that a dialect makes of a PIN.
    pub(super) fn of_pin(dialect: &Dialect, pin: &Pin) -> Self {
        let octets = pin.expose();
        let fill = dialect.pin_padded_to.saturating_sub(octets.len()).min(BLOCK);
        let zeros = [0; BLOCK];
        let zeros = zeros.get(..fill).unwrap_or_default();
        Key(match dialect.pin_digest {
            PinDigest::Sha1 => hashed(sha1::Sha1::new(), octets, zeros),
            PinDigest::Sm3 => hashed(sm3::Sm3::new(), octets, zeros),
        })
    }

    /// A device's authentication key.
    pub(super) fn of_device(octets: &[u8; BLOCK]) -> Self {
        Key(Zeroizing::new(*octets))
    }

    /// SM4-ECB of one block.
    pub(super) fn encrypt(&self, block: &[u8; BLOCK]) -> Block {
        let mut block = Zeroizing::new(*block);
        Sm4::new((&*self.0).into()).encrypt_block((&mut *block).into());
        block
    }

    /// What VerifyPIN carries: the dialect's block around the card's random, encrypted.
    pub(super) fn cryptogram(&self, dialect: &Dialect, random: [u8; RANDOM]) -> Block {
        self.encrypt(&padded(&[dialect.block_before, &random, dialect.block_after]))
    }

    /// What DevAuth carries.
    pub(super) fn device_cryptogram(&self, random: [u8; RANDOM]) -> Block {
        self.encrypt(&padded(&[&random]))
    }

    /// A new PIN as ChangePIN and UnblockPIN carry it: with zeros to 16, encrypted.
    pub(super) fn wrap(&self, pin: &Pin) -> Block {
        self.encrypt(&padded(&[pin.expose()]))
    }

    /// The MAC of a command of class 84: SM4-CBC-MAC from the card's random as IV, over the header, Lc as it stands on the wire (with the
    /// MAC's own four octets), and the data; 80 and zeros fill the last block, and four octets of it are the MAC.
    pub(super) fn mac(&self, form: MacForm, random: [u8; RANDOM], header: [u8; 4], data: &[u8]) -> [u8; 4] {
        let lc = u16::try_from(data.len().saturating_add(4)).unwrap_or(u16::MAX).to_be_bytes();
        let input = [&header[..], &lc, form.after_lc, data, &[0x80]].concat();
        let mut state = padded(&[&random]);
        for chunk in input.chunks(BLOCK) {
            for (to, from) in state.iter_mut().zip(chunk) {
                *to ^= *from;
            }
            state = self.encrypt(&state);
        }
        let [a, b, c, d, ..] = *state;
        [a, b, c, d]
    }
}

fn hashed<D: Digest>(mut digest: D, octets: &[u8], zeros: &[u8]) -> Block {
    digest.update(octets);
    digest.update(zeros);
    let mut output = digest.finalize();
    let block = padded(&[&output]);
    zeroize::Zeroize::zeroize(output.as_mut_slice());
    block
}
