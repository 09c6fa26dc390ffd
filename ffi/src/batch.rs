//! A batch: one PIN entry, many signatures, from any number of threads.

use std::time::Duration;

use shield::{ErrorKind, Policy, Result, Unlock, Wait, write_whole};

use crate::border::{Options, export, refuse};
use crate::error::role_number;
use crate::types::{Pin, Request, UnlockOptions};
use crate::{Batch, Bytes, Device, Receipt, no_field, select};

/// `SHIELD_ROLE_*`.
pub const SHIELD_BATCH_ROLE: u32 = 1;
/// Signatures that the policy still allows; 0 when the batch has ended.
pub const SHIELD_BATCH_SIGNATURES_LEFT: u32 = 2;

/// What to unlock, within which policy.
pub(crate) struct Opening {
    unlock: Unlock,
    role: shield::Role,
    limits: [u32; 3],
    wait: Wait,
}

impl Options for UnlockOptions {
    type Given = Opening;

    fn parse(&self) -> Result<Opening> {
        let role = select::role(self.role)?.ok_or_else(|| refuse(ErrorKind::Argument, "options.role is needed"))?;
        let selector = crate::border::nested(self.selector, "options.selector")?;
        let selector = select::choose(role, self.credential, selector)?;
        let mut unlock = Unlock::of(role).certificate(selector).consent(select::consent(self.consent)?);
        if let Some(text) = self.shown.get("options.shown")? {
            unlock = unlock.shown(text);
        }
        if select::outside_validity(self.flags)? {
            unlock = unlock.even_outside_validity();
        }
        let limits = [self.signatures, self.lifetime_s, self.idle_s];
        Ok(Opening { unlock, role, limits, wait: select::wait(self.wait_ms) })
    }
}

/// The profile's policy with what the program set in its place.
fn policy(base: Policy, [signatures, lifetime, idle]: [u32; 3]) -> Policy {
    let time = |said: u32, base: Duration| if said == 0 { base } else { Duration::from_secs(said.into()) };
    Policy {
        signatures: if signatures == 0 { base.signatures } else { signatures },
        lifetime: time(lifetime, base.lifetime),
        idle: time(idle, base.idle),
        ..base
    }
}

export! {
    /// Asks for the PIN once, checks it on the token, and keeps it for many signatures until `shield_batch_end`, or until its
    /// policy or a refused PIN ends it.
    fn shield_unlock(device: *const Device, options: *const UnlockOptions, pin: *const Pin) -> (batch: *mut *mut Batch) error {
        let (mut prompt, Opening { mut unlock, role, limits, wait }) = (pin, options);
        prompt.check(role)?;
        if limits != [0; 3] {
            unlock = unlock.policy(policy(device.profile().policy(role), limits));
        }
        let session = device.unlock(unlock, &mut prompt, &wait);
        prompt.explain(session).map(|session| (session,))
    }
}

export! {
    /// Signs one document of a batch.
    fn shield_batch_sign(batch: *const Batch, request: *const Request)
        -> (signed_bytes: *mut *mut Bytes, receipt: *mut *mut Receipt) error
    {
        let mut out = Vec::new();
        let receipt = batch.sign(request.request, &request.wait, &mut out)?;
        Ok((out, receipt))
    }
}

export! {
    /// Signs one document of a batch into a file. The file is there whole, or what was there before is untouched.
    fn shield_batch_sign_file(batch: *const Batch, request: *const Request; text path, path_length)
        -> (receipt: *mut *mut Receipt) error
    {
        let signed = write_whole(path.as_ref(), |out| batch.sign(request.request, &request.wait, out));
        signed.map(|receipt| (receipt,))
    }
}

export! {
    /// A number of a batch: `SHIELD_BATCH_*`.
    fn shield_batch_number(batch: *const Batch, field: u32) -> (value: *mut i64) {
        Ok((match field {
            SHIELD_BATCH_ROLE => i64::from(role_number(Some(batch.role()))),
            SHIELD_BATCH_SIGNATURES_LEFT => i64::from(batch.signatures_left()),
            _ => return no_field(field),
        },))
    }
}

export! {
    /// Ends a batch and frees it: the login is over and the PIN wiped as soon as no other thread is signing with it.
    fn shield_batch_end(batch: *mut Batch) -> () {
        drop(batch);
        Ok(())
    }
}
