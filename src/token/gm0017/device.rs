//! The device itself (GM/T 0017 §9.1, §9.2): random, device authentication, label. Free functions: no token of a lease needs them for a
//! signature, and nobody is given the device's rights in passing.

use super::crypto::{BLOCK, Key, RANDOM};
use super::frame;
use crate::apdu::{Exchange, Expect, Sensitive, Sw};
use crate::error::{Error, ErrorKind, Result};
use zeroize::Zeroizing;

/// The longest label: the field of GetDevInfo with its NUL (GM/T 0016 §6).
const LABEL_MOST: usize = 31;
/// Octets of random that one command asks for.
const RANDOM_STEP: u16 = 128;

/// GenRandom of eight octets: what a cryptogram or a MAC is made with. The command that uses it has to be the next one.
pub(super) fn challenge(card: &mut Exchange<'_>) -> Result<[u8; RANDOM]> {
    const NAME: &str = "GenRandom";
    let length = u16::try_from(RANDOM).unwrap_or(u16::MAX);
    let octets = generate(card, length)?;
    <[u8; RANDOM]>::try_from(octets.as_slice())
        .map_err(|_| frame::nonsense(NAME, format!("{} octets of random for {RANDOM}", octets.len())))
}

fn generate(card: &mut Exchange<'_>, length: u16) -> Result<Zeroizing<Vec<u8>>> {
    let command = frame::command("GenRandom", 0x50, 0, 0).expect(Expect::Exactly(length));
    frame::run(card, &command.sensitive(Sensitive::Answer))
}

/// Random octets of the device. What it calls random is its own word: do not make keys of it alone.
///
/// # Errors
/// `TokenAnswer` for another length than was asked for, and what the card answers.
pub fn random(card: &mut Exchange<'_>, octets: &mut [u8]) -> Result<()> {
    for part in octets.chunks_mut(usize::from(RANDOM_STEP)) {
        let length = u16::try_from(part.len()).unwrap_or(RANDOM_STEP);
        let given = generate(card, length)?;
        if given.len() != part.len() {
            return Err(frame::nonsense("GenRandom", format!("{} octets of random for {length}", given.len())));
        }
        part.copy_from_slice(&given);
    }
    Ok(())
}

/// SM4 in DevAuth's P2.
const SM4: u8 = 2;

/// DevAuth with an SM4 key: shows the device's authentication key to it. The right lasts until the device is reset.
///
/// # Errors
/// `AdminKey` where the key is wrong. A device may count wrong ones, and may lock itself.
pub fn authenticate_device(card: &mut Exchange<'_>, key: &[u8; 16]) -> Result<()> {
    const NAME: &str = "DevAuth";
    let random = challenge(card)?;
    let cryptogram: &[u8; BLOCK] = &Key::of_device(key).device_cryptogram(random);
    let command = frame::command(NAME, 0x10, 0, SM4).data(cryptogram).sensitive(Sensitive::Command);
    match card.send(&command)?.sw() {
        Sw::Success => Ok(()),
        sw if matches!(sw.raw(), 0x6300..=0x63FF | 0x6982..=0x6985 | 0x6A98) => {
            Err(sw.as_kind(ErrorKind::AdminKey, NAME))
        }
        sw => Err(frame::error(sw, NAME)),
    }
}

/// SetLabel: at most 31 octets.
///
/// # Errors
/// `NameLength`, and what the card answers.
pub fn set_label(card: &mut Exchange<'_>, label: &str) -> Result<()> {
    const NAME: &str = "SetLabel";
    if !(1..=LABEL_MOST).contains(&label.len()) || label.contains('\0') {
        return Err(Error::new(ErrorKind::NameLength, NAME).detail(format!("1 to {LABEL_MOST} octets without NUL")));
    }
    frame::run(card, &frame::command(NAME, 0x02, 0, 0).data(label.as_bytes())).map(drop)
}
