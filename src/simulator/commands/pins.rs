//! PINs (GM/T 0017 §9.2). The PIN itself never travels: a random is encrypted under a key that it stands for.

use zeroize::{Zeroize, Zeroizing};

use super::Call;
use crate::simulator::crypto::{self, mac, pin_block, pin_key, same};
use crate::simulator::device::{Who, is_pin};
use crate::simulator::frame::{Id, trimmed};
use crate::simulator::status::{Done, Sw};

impl Call<'_> {
    pub(super) fn pin_info(&mut self) -> Done {
        let who = self.who()?;
        let mut fields = self.fields();
        let id = fields.id()?;
        fields.end()?;
        let pin = self.open(id)?.secret(who);
        Ok(vec![pin.most, pin.left, u8::from(pin.first)])
    }

    pub(super) fn verify_pin(&mut self) -> Done<()> {
        let who = self.who()?;
        let mut fields = self.fields();
        let (id, given) = (fields.id()?, fields.block()?);
        fields.end()?;
        self.open(id)?;
        let random = self.challenge.take().filter(|random| random.len() == 8);
        let dialect = self.dialect();
        self.try_pin(id, who, random, |key, random| {
            let mut expected = pin_block(dialect, random);
            crypto::encrypt(key, &mut expected);
            same(&expected, &given)
        })?;
        self.card.change(|device| {
            let pin = device.application_mut(id)?.secret_mut(who);
            pin.left = pin.most;
            Ok(())
        })?;
        self.card.session.login(id, who);
        Ok(())
    }

    pub(super) fn change_pin(&mut self) -> Done<()> {
        let who = self.who()?;
        self.replace_pin(who, who)
    }

    pub(super) fn unblock_pin(&mut self) -> Done<()> {
        self.frame.only(0, 0)?;
        self.replace_pin(Who::Admin, Who::User)
    }

    /// `by` says with its MAC that `of` gets the PIN that comes under `by`'s key.
    fn replace_pin(&mut self, by: Who, of: Who) -> Done<()> {
        let mut fields = self.fields();
        let (id, mut new) = (fields.id()?, Zeroizing::new(fields.block()?));
        let given = fields.octets(4)?.to_vec();
        fields.end()?;
        self.open(id)?;
        let random = self.challenge.take().filter(|random| random.len() >= 8);
        let (header, length, data) = self.authenticated()?;
        let key = self.try_pin(id, by, random, |key, random| {
            same(&mac(key, random.get(..8).unwrap_or_default(), header, length, &data), &given)
        })?;
        crypto::decrypt(&key, &mut *new);
        let pin = trimmed(&*new);
        let takes = is_pin(pin);
        self.card.change(|device| {
            let application = device.application_mut(id)?;
            let authority = application.secret_mut(by);
            authority.left = authority.most;
            if takes {
                application.secret_mut(of).set(pin);
            }
            Ok(())
        })?;
        if !takes {
            return Err(Sw::DATA_FIELD);
        }
        if by != of {
            self.card.session.logout(id, of);
        }
        Ok(())
    }

    /// Compares under the key of a PIN. A try is counted before that, so that a process that is killed in between has not got one for nothing; it
    /// stays counted until the caller gives it back. Without a random nothing is compared and nothing counted.
    fn try_pin(
        &mut self,
        id: Id,
        who: Who,
        random: super::Challenge,
        is_right: impl FnOnce(&[u8; 16], &[u8]) -> bool,
    ) -> Done<Zeroizing<[u8; 16]>> {
        if self.card.device().application(id)?.secret(who).left == 0 {
            return Err(Sw::LOCKED);
        }
        let mut random = random.ok_or(Sw::CONDITIONS)?;
        let left = self.card.change(|device| {
            let pin = device.application_mut(id)?.secret_mut(who);
            pin.left = pin.left.checked_sub(1).ok_or(Sw::LOCKED)?;
            Ok(pin.left)
        })?;
        let key = pin_key(self.dialect(), self.card.device().application(id)?.secret(who).value.get());
        let right = is_right(&key, &random);
        random.zeroize();
        if right {
            return Ok(key);
        }
        self.card.session.logout(id, who);
        Err(self.dialect().refused(left))
    }

    /// Both logins of one application end; others are untouched.
    pub(super) fn clear_secure_state(&mut self) -> Done<()> {
        self.frame.only(0, 0)?;
        let mut fields = self.fields();
        let id = fields.id()?;
        fields.end()?;
        self.open(id)?;
        self.card.session.logout(id, Who::User);
        self.card.session.logout(id, Who::Admin);
        Ok(())
    }
}
