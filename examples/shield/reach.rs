//! From the command line to a shield: profile, scan, and the one shield that a role and a choice mean.

use std::sync::Arc;

use shared_shield::{Error, ErrorKind, Profile, Result, Role, Scan, Scanner, Selector, Shield};

use crate::args::Global;

/// The built-in rules, or those of the file that was named.
pub(crate) fn profile(global: &Global) -> Result<Arc<Profile>> {
    global.profile.as_deref().map_or_else(|| Ok(Profile::builtin()), Profile::load).map(Arc::new)
}

/// Looks for shields behind every module that was named.
pub(crate) fn scan(global: &Global) -> Result<Scan> {
    if global.module.is_empty() {
        return Err(Error::new(ErrorKind::Argument, "scan").detail("no driver is named: give --module PATH"));
    }
    let scanner = Scanner::new().profile(profile(global)?);
    global.module.iter().fold(scanner, |s, module| s.module(module)).scan(&global.wait())
}

/// The one shield on which `role` and `selector` mean a certificate. Where the caller looks beyond validity, a shield whose
/// only fault is the certificate's time serves too.
pub(crate) fn choose(scan: &Scan, role: Role, selector: &Selector, outside_validity: bool) -> Result<Shield> {
    let refused = match scan.for_role(role, selector) {
        Ok(shield) => return Ok(shield.clone()),
        Err(error) => error,
    };
    if !outside_validity || !is_about_time(&refused) {
        return Err(refused);
    }
    let is_late = |s: &&Shield| s.credential(role, selector).err().is_some_and(|e| is_about_time(&e));
    let late: Vec<&Shield> = scan.shields.iter().filter(is_late).collect();
    match late.as_slice() {
        [shield] => Ok(Shield::clone(shield)),
        _ => Err(refused),
    }
}

fn is_about_time(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::CertificateExpired | ErrorKind::CertificateNotYetValid)
}

/// Where there is no shield at all, the first problem of the scan says why.
pub(crate) fn nothing_found(scan: &Scan) -> Error {
    scan.problems.first().cloned().unwrap_or_else(|| Error::new(ErrorKind::NoShield, "scan"))
}
