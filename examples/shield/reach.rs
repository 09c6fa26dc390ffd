//! From the command line to a shield: profile, scan, and the one shield that a role and a choice mean.

use std::sync::Arc;

use shared_shield::{Error, ErrorKind, Profile, Reference, Result, Role, Scan, Scanner, Shield};

use crate::args::{Choice, Global};
use crate::left;
use crate::readers;

/// What was found, and what was not looked at because nothing of it is there.
pub(crate) struct Reached {
    pub(crate) scan: Scan,
    /// Why the readers could not be looked at, where drivers were named and lead to shields: no problem, unless what is wanted is missing.
    unseen: Vec<Error>,
}

/// The built-in rules, or those of the file that was named.
pub(crate) fn profile(global: &Global) -> Result<Arc<Profile>> {
    global.profile.as_deref().map_or_else(|| Ok(Profile::builtin()), Profile::load).map(Arc::new)
}

/// Looks at the computer's readers and at every module that was named.
pub(crate) fn scanner(global: &Global) -> Result<Scanner> {
    let scanner = Scanner::new().profile(profile(global)?);
    let scanner = if global.try_dialect { scanner.try_unproven_dialects() } else { scanner };
    let scanner = global.module.iter().fold(scanner, |s, module| s.module(module));
    Ok(match readers::of(global)? {
        Some(readers) => scanner.readers(readers),
        None => scanner,
    })
}

pub(crate) fn scan(global: &Global, reference: Option<&Reference>) -> Result<Reached> {
    if global.module.is_empty() && global.no_readers && global.simulator.is_none() {
        return Err(Error::new(ErrorKind::Argument, "scan")
            .detail("nothing is left to look at: give --module PATH, or leave --no-readers out"));
    }
    let scanner = scanner(global)?;
    let scanner = reference.into_iter().fold(scanner, |s, reference| s.reference(reference.clone()));
    let mut scan = scanner.scan(&global.wait())?;
    let (unseen, problems) = std::mem::take(&mut scan.problems).into_iter().partition(|p| is_aside(p, &scan, global));
    scan.problems = problems;
    // Nothing leads anywhere: then this is what stands in the way.
    if scan.shields.is_empty() && scan.problems.is_empty() {
        if reference.is_some() {
            let unseen = unseen.first().map(|e| format!("; {}", not_seen(e))).unwrap_or_default();
            return Err(Error::new(ErrorKind::NoShield, "scan")
                .detail(format!("no certificate with this reference was found{unseen}")));
        }
        return Ok(Reached { scan: Scan { problems: unseen, ..scan }, unseen: Vec::new() });
    }
    Ok(Reached { scan, unseen })
}

/// Who names drivers may have no use for readers: that there are none is no problem then.
fn is_aside(problem: &Error, scan: &Scan, global: &Global) -> bool {
    let is_optional = !global.module.is_empty() && global.reader.is_none() && global.simulator.is_none();
    is_optional
        && match problem.kind() {
            ErrorKind::ServiceStopped | ErrorKind::ServiceMissing | ErrorKind::NoReader => true,
            ErrorKind::ServiceRefused | ErrorKind::ServiceFull => !scan.shields.is_empty(),
            _ => false,
        }
}

/// The one shield on which `role` and `choice` mean a certificate. Where the caller looks beyond validity, a shield whose
/// only fault is the certificate's time serves too.
pub(crate) fn choose(reached: &Reached, role: Role, choice: &Choice, outside_validity: bool) -> Result<Shield> {
    chosen(reached, role, choice, outside_validity).inspect(left::remember)
}

fn chosen(reached: &Reached, role: Role, choice: &Choice, outside_validity: bool) -> Result<Shield> {
    let (scan, selector) = (&reached.scan, &choice.selector());
    let refused = match scan.for_role(role, selector) {
        Ok(shield) => return Ok(shield.clone()),
        Err(error) => error,
    };
    if let (ErrorKind::NoCredential, Some(unseen)) = (refused.kind(), reached.unseen.first()) {
        return Err(refused.detail(not_seen(unseen)));
    }
    if let (ErrorKind::NoCredential, [], Some(problem)) = (refused.kind(), refused.looked_at(), scan.problems.first()) {
        let what = problem.what().map(|what| format!(", {what}")).unwrap_or_default();
        return Err(refused.detail(format!("not everything could be read: {}{what}", problem.code())));
    }
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

fn not_seen(why: &Error) -> String {
    format!("the readers could not be looked at, {}", why.code())
}

/// The shield of one command: scanned and chosen.
pub(crate) fn shield(global: &Global, role: Role, choice: &Choice, outside_validity: bool) -> Result<Shield> {
    choose(&scan(global, choice.credential.as_ref())?, role, choice, outside_validity)
}

fn is_about_time(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::CertificateExpired | ErrorKind::CertificateNotYetValid)
}

/// Where there is no shield at all, the first problem of the scan says why.
pub(crate) fn nothing_found(scan: &Scan) -> Error {
    scan.problems.first().cloned().unwrap_or_else(|| Error::new(ErrorKind::NoShield, "scan"))
}
