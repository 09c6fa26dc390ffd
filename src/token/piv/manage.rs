//! The management key: mutual authentication (SP 800-73-4 part 2, appendix A.2). The card shows that it knows the key before anything is
//! written to it.

use aes::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use p256::elliptic_curve::subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::token::PivToken;
use crate::apdu::tlv::{self, Objects};
use crate::apdu::{Command, Expect, Sw};
use crate::error::{Error, ErrorKind, Result};

const NAME: &str = "GENERAL AUTHENTICATE";
/// The management key's reference (part 1, table 4b).
const KEY: u8 = 0x9B;
/// Dynamic authentication template (part 2, table 7) and what it holds.
const TEMPLATE: u32 = 0x7C;
const WITNESS: u32 = 0x80;
const CHALLENGE: u32 = 0x81;
const RESPONSE: u32 = 0x82;

/// The block ciphers (SP 800-78-4, table 6-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Tdes,
    Aes128,
    Aes192,
    Aes256,
}

use Algorithm::{Aes128, Aes192, Aes256, Tdes};

impl Algorithm {
    const ALL: [Algorithm; 4] = [Tdes, Aes128, Aes192, Aes256];

    fn octet(self) -> u8 {
        match self {
            Tdes => 0x03,
            Aes128 => 0x08,
            Aes192 => 0x0A,
            Aes256 => 0x0C,
        }
    }

    fn key_length(self) -> usize {
        match self {
            Tdes | Aes192 => 24,
            Aes128 => 16,
            Aes256 => 32,
        }
    }

    fn block_length(self) -> usize {
        if self == Tdes { 8 } else { 16 }
    }

    fn encrypt(self, key: &[u8], block: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Tdes => with(key, block, des::TdesEde3::encrypt_block),
            Aes128 => with(key, block, aes::Aes128::encrypt_block),
            Aes192 => with(key, block, aes::Aes192::encrypt_block),
            Aes256 => with(key, block, aes::Aes256::encrypt_block),
        }
    }

    fn decrypt(self, key: &[u8], block: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Tdes => with(key, block, des::TdesEde3::decrypt_block),
            Aes128 => with(key, block, aes::Aes128::decrypt_block),
            Aes192 => with(key, block, aes::Aes192::decrypt_block),
            Aes256 => with(key, block, aes::Aes256::decrypt_block),
        }
    }
}

/// One block through a cipher; `None` where key or block have another length.
fn with<C: KeyInit + BlockSizeUser>(
    key: &[u8],
    block: &[u8],
    turn: impl Fn(&C, &mut Block<C>),
) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = C::new_from_slice(key).ok()?;
    let mut block = Block::<C>::try_from(block).ok()?;
    turn(&cipher, &mut block);
    Some(Zeroizing::new(block.to_vec()))
}

fn refused(what: &str) -> Error {
    Error::new(ErrorKind::AdminKey, NAME).detail(what.to_owned())
}

impl PivToken {
    /// Shows the management key to the card, and lets the card show that it has it.
    pub(super) fn administer(&mut self, key: &[u8]) -> Result<()> {
        let (algorithm, witness) = self.witness(key)?;
        let nonsense = || refused("the card's witness is of another length");
        let answer = algorithm.decrypt(key, &witness).ok_or_else(nonsense)?;
        let mut challenge = vec![0_u8; algorithm.block_length()];
        getrandom::fill(&mut challenge)
            .map_err(|_| Error::new(ErrorKind::Defect, NAME).detail("the system gives no random numbers"))?;
        let expected = algorithm.encrypt(key, &challenge).ok_or_else(nonsense)?;

        let mut inside = tlv::object(WITNESS, &answer)?;
        tlv::write(&mut inside, CHALLENGE, &challenge)?;
        let sent = self.card.send(&self.template(algorithm, &inside)?)?;
        match sent.sw() {
            Sw::Success => {}
            failed @ Sw::Failure(_) => return Err(failed.error(NAME)),
            other => return Err(other.as_kind(ErrorKind::AdminKey, NAME)),
        }
        let shown = Objects::new(sent.data()).only(TEMPLATE)?.children()?.only(RESPONSE)?.value;
        if bool::from(shown.ct_eq(&expected)) {
            Ok(())
        } else {
            Err(refused("the card does not have this key itself: it is not the card that it seems to be"))
        }
    }

    /// What the card wants decrypted, and under which cipher: as the card tells where it does, else by the length of the key. 24 octets
    /// may be 3DES or AES-192; a card refuses the one that it does not have (6A86, 6A80) before anything counts.
    fn witness(&mut self, key: &[u8]) -> Result<(Algorithm, Vec<u8>)> {
        let told = self.told_algorithm()?;
        let fits = |a: &Algorithm| a.key_length() == key.len() && told.is_none_or(|octet| octet == a.octet());
        let mut last = refused("a key of another length than the card's");
        for algorithm in Algorithm::ALL.into_iter().filter(fits) {
            let command = self.template(algorithm, &tlv::object(WITNESS, &[])?)?;
            let answer = self.card.send(&command)?;
            match answer.sw() {
                Sw::Success => {
                    let inside = Objects::new(answer.data()).only(TEMPLATE)?.children()?.only(WITNESS)?;
                    return Ok((algorithm, inside.value.to_vec()));
                }
                failed @ Sw::Failure(_) => return Err(failed.error(NAME)),
                other => last = other.as_kind(ErrorKind::AdminKey, NAME).detail("the card's key is of another kind"),
            }
        }
        Err(last)
    }

    /// GET METADATA of the management key, where the card has that: 01 holds the algorithm.
    fn told_algorithm(&mut self) -> Result<Option<u8>> {
        if !self.quirks.metadata {
            return Ok(None);
        }
        let answer = self.card.send(&Command::new("GET METADATA", 0xF7, 0x00, KEY).expect(Expect::Some))?;
        let told = Objects::new(answer.data()).find(0x01).ok().flatten();
        Ok(match told.map(|o| o.value) {
            Some([octet]) if answer.sw() == Sw::Success => Some(*octet),
            _ => None,
        })
    }

    fn template(&self, algorithm: Algorithm, inside: &[u8]) -> Result<Command> {
        let data = tlv::object(TEMPLATE, inside)?;
        Ok(Command::new(NAME, 0x87, algorithm.octet(), KEY).data(&data).expect(Expect::Some))
    }
}
