//! Which certificate serves a role.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::cert::{Certificate, Fingerprint};
use crate::door::DoorId;
use crate::error::{Candidate, Error, ErrorKind, Result};
use crate::profile::Profile;
use crate::role::Role;
use crate::token::Slot;

/// One way to a credential's key: a door and a slot behind it.
#[derive(Debug, Clone)]
pub struct Route {
    /// The door.
    pub door: DoorId,
    /// The slot.
    pub slot: Slot,
}

/// A certificate as it was found on a shield, with the routes to its key.
#[derive(Debug, Clone)]
pub struct Found {
    /// The certificate.
    pub certificate: Arc<Certificate>,
    /// Routes in the order in which they are tried.
    pub routes: Vec<Route>,
}

/// Certificate, private key on the token, and the PIN that opens it.
#[derive(Clone)]
pub struct Credential {
    /// What it is for.
    pub role: Role,
    /// Of the certificate.
    pub fingerprint: Fingerprint,
    /// The certificate.
    pub certificate: Arc<Certificate>,
    /// Routes in the order in which they are tried.
    pub(crate) routes: Vec<Route>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}, {:?})", self.role, self.certificate)
    }
}

/// Chooses among shields and certificates where a role alone is not enough. Everything that is set must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// The certificate itself.
    pub fingerprint: Option<Fingerprint>,
    /// The unit code in the certificate (e-port arc 5.11).
    pub entity_code: Option<String>,
    /// The card number in the certificate (e-port arc 5.9).
    pub card_number: Option<String>,
}

/// What became of one certificate of a shield.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It serves its role.
    Serves,
    /// A later certificate of the same holder, organisation and card serves in its place.
    Superseded,
    /// Not valid at the time.
    OutsideValidity,
    /// The encryption certificate of the dual-certificate scheme.
    Encryption,
    /// Its key usage is not for signatures, or it is a CA certificate.
    NotForSigning,
    /// No rule gives it a role.
    NoRole,
}

/// Finds the one credential of `role`.
///
/// # Errors
/// `NoCredential`, `SeveralCredentials`, `CertificateExpired`, `CertificateNotYetValid`; each lists every certificate with its reason.
pub(crate) fn resolve(
    role: Role,
    found: &[Found],
    _profile: &Profile,
    _selector: &Selector,
    _now: SystemTime,
    _outside_validity: bool,
) -> Result<Credential> {
    let candidates = found
        .iter()
        .map(|f| Candidate {
            label: f.certificate.label(),
            fingerprint: f.certificate.fingerprint().to_string(),
            reason: "not looked at yet".to_owned(),
        })
        .collect();
    Err(Error::new(ErrorKind::NoCredential, "choose certificate").role(role).candidates(candidates))
}

/// One certificate of a shield, as lists show it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Listed {
    /// The certificate.
    pub certificate: Arc<Certificate>,
    /// Its role, where the rules give one.
    pub role: Option<Role>,
    /// What became of it.
    pub standing: Standing,
    /// Why, in one clause.
    pub reason: String,
    /// The doors through which it was found.
    pub doors: Vec<DoorId>,
}

/// Every certificate with its role, its standing and the reason.
pub(crate) fn list(_found: &[Found], _profile: &Profile, _now: SystemTime) -> Vec<Listed> {
    Vec::new()
}
