//! From the command line to a shield: profile, scan, and the one shield that a role and a choice mean.

use std::sync::Arc;

use shared_shield::{Candidate, Error, ErrorKind, Profile, Result, Role, Selector, Shield};

use crate::args::Global;

/// What a scan found.
pub(crate) struct Scan {
    pub(crate) shields: Vec<Shield>,
    pub(crate) problems: Vec<Error>,
}

pub(crate) fn profile(global: &Global) -> Result<Arc<Profile>> {
    match &global.profile {
        None => Ok(Arc::new(Profile::builtin())),
        Some(_) => Err(Error::new(ErrorKind::Unsupported, "load profile")),
    }
}

/// Looks for shields behind every module that was named.
pub(crate) fn scan(global: &Global) -> Result<Scan> {
    if global.module.is_empty() {
        return Err(Error::new(ErrorKind::Argument, "scan").detail("no driver is named: give --module PATH"));
    }
    let _profile = profile(global)?;
    Err(Error::new(ErrorKind::Unsupported, "scan"))
}

/// The one shield on which `role` and `selector` mean a certificate.
///
/// `fits` asks a shield; a shield that refuses because of its certificates is passed over for another one.
pub(crate) fn choose(scan: &Scan, role: Role, selector: &Selector, outside_validity: bool) -> Result<Shield> {
    let mut fitting = Vec::new();
    let mut refusals = Vec::new();
    for shield in &scan.shields {
        match shield.credential(role, selector) {
            Ok(_) => fitting.push(shield),
            Err(e) if outside_validity && is_about_time(&e) => fitting.push(shield),
            Err(e) => refusals.push(e),
        }
    }
    match (fitting.as_slice(), refusals.len()) {
        ([shield], _) => Ok(Shield::clone(shield)),
        ([], 0) => Err(nothing_found(scan)),
        ([], 1) => Err(refusals.remove(0)),
        ([], _) => Err(Error::new(ErrorKind::NoCredential, "choose shield")
            .role(role)
            .candidates(refusals.iter().flat_map(|e| e.looked_at().iter().cloned()).collect())),
        (several, _) => Err(Error::new(ErrorKind::SeveralShields, "choose shield")
            .role(role)
            .candidates(several.iter().flat_map(|s| candidates(s, role)).collect())),
    }
}

fn is_about_time(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::CertificateExpired | ErrorKind::CertificateNotYetValid)
}

/// Where there is no shield at all, the first problem of the scan says why.
pub(crate) fn nothing_found(scan: &Scan) -> Error {
    scan.problems.first().cloned().unwrap_or_else(|| Error::new(ErrorKind::NoShield, "scan"))
}

fn candidates(shield: &Shield, role: Role) -> Vec<Candidate> {
    let listed = shield.certificates();
    listed
        .iter()
        .filter(|l| l.role == Some(role))
        .map(|l| Candidate {
            label: l.certificate.label(),
            fingerprint: l.certificate.fingerprint().to_string(),
            reason: format!("on shield {}: {}", shield.serial(), l.reason),
        })
        .collect()
}
