//! What a device knows while it has power.

use std::collections::BTreeSet;

use sha1::Sha1;
use sha2::Sha256;
use sm3::{Digest, Sm3};
use zeroize::Zeroizing;

use super::device::Who;
use super::frame::Id;
use super::status::{Done, Sw};

/// Session keys at one time.
const KEYS_MAX: usize = 8;

/// Logins, open applications and containers, session keys. A reset ends it all.
#[derive(Default)]
pub(super) struct Session {
    /// The random of the command before this one.
    challenge: Option<Zeroizing<Vec<u8>>>,
    /// Somebody showed the device-authentication key.
    pub(super) device: bool,
    applications: BTreeSet<Id>,
    logins: BTreeSet<(Id, Who)>,
    containers: BTreeSet<(Id, Id)>,
    keys: Vec<SessionKey>,
    pub(super) digest: Option<Hash>,
    /// A command whose answer has not gone out whole, and the rest of the answer.
    pub(super) pending: Option<(Vec<u8>, Vec<u8>)>,
}

/// A session key; it belongs to one container.
pub(super) struct SessionKey {
    owner: (Id, Id),
    id: Id,
    pub(super) chained: bool,
    pub(super) value: Zeroizing<[u8; 16]>,
    pub(super) running: Option<Running>,
}

/// What it is doing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    pub(super) encrypt: bool,
    pub(super) vector: [u8; 16],
}

/// A hash that goes on.
pub(super) enum Hash {
    Sm3(Sm3),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hash {
    pub(super) fn update(&mut self, octets: &[u8]) {
        match self {
            Hash::Sm3(hash) => hash.update(octets),
            Hash::Sha1(hash) => hash.update(octets),
            Hash::Sha256(hash) => hash.update(octets),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Hash::Sm3(hash) => hash.finalize().to_vec(),
            Hash::Sha1(hash) => hash.finalize().to_vec(),
            Hash::Sha256(hash) => hash.finalize().to_vec(),
        }
    }
}

impl Session {
    pub(super) fn challenge(&mut self, random: Zeroizing<Vec<u8>>) {
        self.challenge = Some(random);
    }

    /// Every command spends it.
    pub(super) fn spend(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.challenge.take()
    }

    pub(super) fn open(&mut self, application: Id) {
        self.applications.insert(application);
    }

    pub(super) fn is_open(&self, application: Id) -> bool {
        self.applications.contains(&application)
    }

    /// Whether an application other than this one is open.
    pub(super) fn other_is_open(&self, application: Id) -> bool {
        self.applications.iter().any(|open| *open != application)
    }

    /// Closes it with its containers and session keys. Its logins stay.
    pub(super) fn close(&mut self, application: Id) {
        self.applications.remove(&application);
        self.containers.retain(|(of, _)| *of != application);
        self.keys.retain(|key| key.owner.0 != application);
    }

    pub(super) fn login(&mut self, application: Id, who: Who) {
        self.logins.insert((application, who));
    }

    /// Session keys stay: the standard's user right is that to use a private key. Whoever imported them destroys them, or closes their container.
    pub(super) fn logout(&mut self, application: Id, who: Who) {
        self.logins.remove(&(application, who));
    }

    pub(super) fn is_in(&self, application: Id, who: Who) -> bool {
        self.logins.contains(&(application, who))
    }

    pub(super) fn open_container(&mut self, application: Id, container: Id) {
        self.containers.insert((application, container));
    }

    pub(super) fn has_container(&self, application: Id, container: Id) -> bool {
        self.containers.contains(&(application, container))
    }

    pub(super) fn close_container(&mut self, application: Id, container: Id) {
        self.containers.remove(&(application, container));
        self.keys.retain(|key| key.owner != (application, container));
    }

    /// Keeps a session key.
    pub(super) fn keep(&mut self, owner: (Id, Id), chained: bool, value: [u8; 16]) -> Done<Id> {
        if self.keys.len() >= KEYS_MAX {
            return Err(Sw::NO_SPACE);
        }
        let is_free = |id: &Id| self.keys.iter().all(|key| key.id != *id);
        let id = (0x0001..=u16::MAX).map(u16::to_be_bytes).find(is_free).ok_or(Sw::NO_SPACE)?;
        self.keys.push(SessionKey { owner, id, chained, value: Zeroizing::new(value), running: None });
        Ok(id)
    }

    pub(super) fn key(&mut self, owner: (Id, Id), id: Id) -> Done<&mut SessionKey> {
        self.keys.iter_mut().find(|key| key.owner == owner && key.id == id).ok_or(Sw::SESSION_KEY_MISSING)
    }

    pub(super) fn destroy(&mut self, owner: (Id, Id), id: Id) -> Done<()> {
        let before = self.keys.len();
        self.keys.retain(|key| (key.owner, key.id) != (owner, id));
        if self.keys.len() < before { Ok(()) } else { Err(Sw::SESSION_KEY_MISSING) }
    }
}
