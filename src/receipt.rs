//! What a caller gets beside the signed bytes.

use std::time::SystemTime;

use crate::cert::Fingerprint;
use crate::door::{Door, DoorId};
use crate::note::Note;
use crate::role::Role;
use crate::suite::{Digest, Suite};
use crate::tries::PinStatus;

/// Who signed what with what.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Receipt {
    /// The role.
    pub role: Role,
    /// The format's name.
    pub format: &'static str,
    /// The certificate.
    pub fingerprint: Fingerprint,
    /// Its number (certNo).
    pub number: String,
    /// Signature suite.
    pub suite: Suite,
    /// What was signed.
    pub digest: Digest,
    /// When.
    pub time: SystemTime,
    /// Tries left, as far as the token tells.
    pub tries: PinStatus,
    /// The door through which the token was reached; `None` where the caller brought the signature.
    pub door: Option<DoorId>,
    /// SHA-256 of the text that was shown to the person.
    pub shown: Digest,
    /// What the caller should know.
    pub notes: Vec<Note>,
    /// Joins receipt, error and log.
    pub correlation: u64,
}

impl Receipt {
    /// Adds what the door knows when the lease is over and what was owed to the token was tried once more.
    pub(crate) fn note_door(&mut self, door: &dyn Door) {
        if door.info().is_simulator() {
            self.notes.push(Note::Simulator);
        }
        // Not what is owed: a batch that ends in this moment ends its login itself.
        if door.has_unended_login() {
            self.notes.push(Note::LoginLeft);
        }
    }
}
