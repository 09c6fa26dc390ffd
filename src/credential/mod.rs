//! Which certificate serves a role.

mod choose;
mod reference;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::cert::{Certificate, Fingerprint};
use crate::door::DoorId;
use crate::error::Result;
use crate::profile::Profile;
use crate::role::Role;
use crate::token::Slot;

use choose::{Judged, Question};
pub use reference::Reference;

/// One way to a credential's key: a door and a slot behind it.
#[derive(Debug, Clone)]
pub struct Route {
    /// The door.
    pub door: DoorId,
    /// The slot.
    pub slot: Slot,
    /// Which PIN opens it.
    pub(crate) scope: Scope,
}

impl Route {
    /// Where it leads, as a reference names it: without labels that may be persons' names.
    pub(crate) fn place(&self) -> String {
        let (door, place) = reference::parts(self);
        if place.is_empty() { door.to_string() } else { format!("{door}/{place}") }
    }
}

/// A number for each PIN of a scan, whatever ways lead to where it is checked: one application of one device, or one token of a module. A PIN is sent
/// within the scope that it was asked for, and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Scope(pub(crate) usize);

/// A certificate as it was found on a shield, with the routes to its key.
#[derive(Debug, Clone)]
pub struct Found {
    /// The certificate.
    pub certificate: Arc<Certificate>,
    /// Routes in the order in which they are tried.
    pub routes: Vec<Route>,
    /// Where it lies too, although the token shows another key there, or none: no routes.
    pub misplaced: Vec<String>,
    /// Where it is seen by another driver of what may be the same device, although it is not known whether the same PIN opens it there: no routes.
    pub unsure: Vec<String>,
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
    /// Routes in the order in which they are tried. All are of one scope.
    pub(crate) routes: Vec<Route>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}, {:?})", self.role, self.certificate)
    }
}

/// Chooses among shields and certificates where a role alone is not enough. Everything that is set must fit.
///
/// Bank certificates have neither unit code nor card number: they fit by those when a customs certificate on the same shield
/// does. So one choice serves both roles of a shield.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// The certificate itself.
    pub fingerprint: Option<Fingerprint>,
    /// The unit code in the certificate (e-port arc 5.11). Case does not matter.
    pub entity_code: Option<String>,
    /// The card number in the certificate (e-port arc 5.9), with or without the `03-` of SM2 certificates.
    pub card_number: Option<String>,
}

/// What became of one certificate of a shield.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// It serves its role.
    Serves,
    /// It fits, and so does another of a different holder, organisation or card, or one that another PIN opens; or copies of it lie where different PINs
    /// open: somebody has to choose.
    Several,
    /// A later certificate of the same holder, organisation and card, which the same PIN opens, serves in its place; or the profile's label chose another.
    Superseded,
    /// Not valid at the time.
    OutsideValidity,
    /// The encryption certificate of the dual-certificate scheme.
    Encryption,
    /// Its key usage is not for signatures, a critical extended key usage is for no documents, it is a CA certificate, or its key is of no kind that is known here.
    NotForSigning,
    /// Its private key is not on the token, as far as the token tells before a login.
    KeyMissing,
    /// The selector asks for another.
    NotSelected,
    /// It has the other role.
    OtherRole,
    /// No rule gives it a role.
    NoRole,
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
    /// The doors through which it was found, in the order in which they are tried.
    pub doors: Vec<DoorId>,
    /// The names under which it can be opened again without looking at everything, one for each door.
    pub references: Vec<Reference>,
}

/// Finds the one credential of `role`.
///
/// # Errors
/// `NoCredential`, `SeveralCredentials`, and, when that alone stands in the way, `CertificateExpired`,
/// `CertificateNotYetValid`, `KeyMissing` or `KeyMismatch`; each lists every certificate with its reason.
pub(crate) fn resolve(
    role: Role,
    found: &[Found],
    profile: &Profile,
    selector: &Selector,
    now: SystemTime,
    outside_validity: bool,
) -> Result<Credential> {
    let question = Question { role: Some(role), selector, now, outside_validity };
    let mut judged = choose::look(found, profile, &question);
    choose::settle(&mut judged, role, profile);
    match judged.iter().find(|j| j.standing == Standing::Serves) {
        Some(one) => Ok(Credential {
            role,
            fingerprint: one.certificate.fingerprint(),
            certificate: Arc::clone(&one.certificate),
            routes: one.routes.clone(),
        }),
        None => Err(choose::refusal(role, &judged, now)),
    }
}

/// Every certificate with its role, its standing and the reason.
pub(crate) fn list(found: &[Found], profile: &Profile, now: SystemTime) -> Vec<Listed> {
    let question = Question { role: None, selector: &Selector::default(), now, outside_validity: false };
    let mut judged = choose::look(found, profile, &question);
    for role in Role::ALL {
        choose::settle(&mut judged, role, profile);
    }
    judged.into_iter().map(Judged::listed).collect()
}
