//! Envelopes (GM/T 0017 §9.6): ImportSessionKey brings a content key into the device by its encryption key, and the device decrypts with it.
//! The standard has no decryption with a private key: what was encrypted to one directly cannot be opened.
//!
//! The key is imported for SM4 in ECB, so that the device turns one block after the other and the caller chains them as the envelope's mode wants.
//! It goes in as ECCExportSessionKey gives one out, and the parameters of DecryptInit are C's BLOCKCIPHERPARAM (source F of `dialect`; GM/T 0016 §6).

use super::application::AppId;
use super::container::{self, ContainerId};
use super::dialect::Order;
use super::enveloped;
use super::frame::{self, Fields};
use super::name::{Half, Spot};
use super::pin;
use super::token::GmToken;
use crate::apdu::{Expect, Sensitive, Sw};
use crate::error::{Error, ErrorKind, Result};
use crate::token::{Auth, ContentKey, KeyRef, Opening, PinRef, Recipient, SessionKey};

const IMPORT: &str = "ImportSessionKey";
const DECRYPT: &str = "Decrypt";
/// SGD_SM4_ECB (GM/T 0006).
const SM4_ECB: u32 = 0x401;
/// Octets of a block of SM4.
const BLOCK: usize = 16;
/// Octets of BLOCKCIPHERPARAM (GM/T 0016 §6): IV[32], IVLen4, PaddingType4, FeedBitLen4. ECB has none of them, so all are zero.
const NO_PARAMETERS: [u8; 44] = [0; 44];
/// Octets that one command decrypts: they fit into the short form.
const STEP: usize = 14 * BLOCK;

impl Opening for GmToken {
    fn content_key(&mut self, key: &KeyRef, pin: &PinRef, auth: Auth<'_>, from: &Recipient<'_>) -> Result<ContentKey> {
        let (spot, name) = (Spot::of_key(key)?, pin::application(pin)?);
        let refuse = |kind, what: &str| Error::new(kind, IMPORT).detail(what.to_owned());
        let Recipient::Sm2(ciphertext) = *from else {
            return Err(refuse(ErrorKind::Unsupported, "a GM/T 0017 device opens SM2 envelopes alone"));
        };
        if spot.application != name {
            return Err(refuse(ErrorKind::PinRole, "the PIN of another application"));
        }
        if spot.half != Half::Encryption {
            return Err(refuse(ErrorKind::KeyUnsuited, "encryption pairs open envelopes"));
        }
        let order = self.form.dialect(IMPORT)?.order;
        let cipher = enveloped::session_key(ciphertext, order)?;
        let id = self.with_login(&spot, auth, |token, numbers| token.import(numbers, &cipher, order))?;
        self.session_keys.push(id.clone());
        Ok(ContentKey::OnToken(SessionKey(id)))
    }

    /// DecryptInit: AppID, ContainerID, KeyID, alg4, parameters. Decrypt: AppID, ContainerID, KeyID, whole blocks; the answer is as long.
    fn decrypt(&mut self, key: &SessionKey, blocks: &mut [u8]) -> Result<()> {
        if !self.session_keys.contains(&key.0) {
            return Err(Error::new(ErrorKind::Argument, DECRYPT).detail("a session key of another lease"));
        }
        if !blocks.len().is_multiple_of(BLOCK) {
            return Err(Error::new(ErrorKind::Argument, DECRYPT).detail("whole blocks of 16 octets"));
        }
        let order = self.form.dialect(DECRYPT)?.order;
        for part in blocks.chunks_mut(STEP) {
            let init = [&key.0, &order.word(SM4_ECB)[..], &NO_PARAMETERS].concat();
            frame::run(&mut self.card, &frame::command("DecryptInit", 0xAC, 0, 0).data(&init))?;
            let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
            let command = frame::command(DECRYPT, 0xAE, 0, 0).data(&[&key.0, &*part].concat());
            let command = command.expect(Expect::Exactly(length)).sensitive(Sensitive::Answer);
            let plain = frame::run(&mut self.card, &command)?;
            if plain.len() != part.len() {
                return Err(frame::nonsense(DECRYPT, format!("{} octets for {length}", plain.len())));
            }
            part.copy_from_slice(&plain);
        }
        Ok(())
    }
}

impl GmToken {
    /// AppID, ContainerID, alg4, len4 and so many octets: bits4, C1x, C1y, hash32, len4, cipher. The answer is KeyID2. What names the key is all
    /// three numbers.
    fn import(
        &mut self,
        (application, container): (AppId, ContainerId),
        cipher: &[u8],
        order: Order,
    ) -> Result<(Sw, Vec<u8>)> {
        let length = order.word(u32::try_from(cipher.len()).unwrap_or(u32::MAX));
        let numbers = container::both(application, container);
        let data = [&numbers, &order.word(SM4_ECB)[..], &length, cipher].concat();
        let answer = self.card.send(&frame::command(IMPORT, 0xA0, 0, 0).data(&data).expect(Expect::Exactly(2)))?;
        if answer.sw() != Sw::Success {
            return Ok((answer.sw(), Vec::new()));
        }
        let mut fields = Fields::of(answer.data(), IMPORT);
        let id = fields.take::<2>()?;
        fields.end()?;
        Ok((Sw::Success, [&numbers[..], &id].concat()))
    }

    /// Session keys end with the lease.
    pub(super) fn destroy_session_keys(&mut self) {
        for key in std::mem::take(&mut self.session_keys) {
            if self.card.has_failed() {
                return;
            }
            if let Err(error) = frame::run(&mut self.card, &frame::command("DestroySessionKey", 0xC4, 0, 0).data(&key))
            {
                tracing::debug!(%error, "a session key was not destroyed");
            }
        }
    }
}
