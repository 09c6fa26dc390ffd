//! Which of the facts are wrong, and how wrong.

use std::time::SystemTime;

use super::{Diagnosis, Examined, ExaminedCertificate, Finding, FindingKind};
use crate::credential::Selector;
use crate::credential::Standing;
use crate::door::DoorInfo;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::link::Presence;
use crate::policy;
use crate::role::Role;
use crate::shield::Shield;
use crate::token::PinForm;
use crate::tries::PinStatus;
use crate::verify::Severity;

const OPERATION: &str = "diagnose";

/// Every finding, the worst first; what is equally bad in the order of the way to a signature: service, driver, certificate, PIN.
pub(super) fn findings(seen: &Diagnosis, problems: &[Error]) -> Vec<Finding> {
    let works = !seen.shields.is_empty();
    let mut found: Vec<Finding> =
        problems.iter().map(|p| Finding::failed(severity(p.kind(), works), explained(p, seen))).collect();
    if !works && !found.iter().any(|f| f.severity == Severity::Wrong) {
        found.push(Finding::failed(Severity::Wrong, nothing(seen)));
    }
    for examined in &seen.shields {
        found.extend(of_shield(examined, seen.at).into_iter().map(|f| f.on(examined.shield.serial())));
    }
    if seen.test_profile {
        found.push(Finding::of(Severity::Warning, FindingKind::TestProfile));
    }
    // The sort is stable.
    found.sort_by_key(|f| std::cmp::Reverse(f.severity));
    found
}

/// A way that is not there matters where nothing else leads to a shield. A card that nobody knows may be somebody's else.
fn severity(kind: ErrorKind, works: bool) -> Severity {
    use ErrorKind as K;
    match kind {
        K::ServiceStopped | K::ServiceMissing | K::NoReader if works => Severity::Info,
        K::ServiceRefused
        | K::ServiceFull
        | K::CardUnknown
        | K::CardMute
        | K::CardApplication
        | K::CardRemoved
        | K::ReaderBusy
        | K::TokenNotInitialised
        | K::CertificateMalformed
        | K::DeviceInfo
            if works =>
        {
            Severity::Warning
        }
        _ => Severity::Wrong,
    }
}

/// The scan's error with what the computer itself shows of the reason.
fn explained(problem: &Error, seen: &Diagnosis) -> Error {
    let host = &seen.host;
    let why = match problem.kind() {
        ErrorKind::ServiceStopped if host.service == Some(false) => {
            Some("pcscd was not found on this computer: install it (Debian: apt-get install pcscd)".to_owned())
        }
        ErrorKind::NoReader => match host.usb.first() {
            Some(device) if host.usb_driver == Some(false) => Some(format!(
                "the USB device {device} is one, but the service has no driver for it (Debian: apt-get install libccid)"
            )),
            Some(device) => {
                Some(format!("the USB device {device} is one, but the service does not show it: plug it in again"))
            }
            None if host.usb_driver == Some(false) => {
                Some("the service has no driver for USB readers (Debian: apt-get install libccid)".to_owned())
            }
            None => None,
        },
        _ => None,
    };
    match (why, problem.what()) {
        (Some(why), Some(what)) => problem.clone().detail(format!("{what}; {why}")),
        (Some(why), None) => problem.clone().detail(why),
        (None, _) => problem.clone(),
    }
}

fn nothing(seen: &Diagnosis) -> Error {
    let readers = seen.services.iter().filter_map(|s| s.readers.as_ref().ok()).flatten();
    let (mut count, mut empty) = (0_usize, 0_usize);
    for reader in readers {
        count = count.saturating_add(1);
        empty = empty.saturating_add(usize::from(reader.presence == Presence::Empty));
    }
    let error = Error::new(ErrorKind::NoShield, OPERATION);
    match count {
        0 => error,
        _ if empty == count => error.detail("every reader is empty"),
        _ => error.detail("no card in the readers is one"),
    }
}

fn of_shield(examined: &Examined, now: SystemTime) -> Vec<Finding> {
    let shield = &examined.shield;
    let (mut found, mut missing, mut serving) = (Vec::new(), Vec::new(), 0_usize);
    for role in Role::ALL {
        match shield.credential(role, &Selector::default()) {
            Ok(_) => serving = serving.saturating_add(1),
            Err(error) if error.kind() == ErrorKind::NoCredential => missing.push((role, error)),
            // Which one is meant is the caller's choice.
            Err(error) if error.kind() == ErrorKind::SeveralCredentials => {
                found.push(Finding::failed(Severity::Warning, error.role(role)));
            }
            Err(error) => found.push(Finding::failed(Severity::Wrong, error.role(role))),
        }
    }
    match missing.as_slice() {
        // Neither role: the candidates of one say it all.
        [(_, error), _] => found.push(Finding::failed(Severity::Wrong, error.clone())),
        [(role, _)] => found.push(Finding::of(Severity::Info, FindingKind::RoleMissing(*role))),
        _ => {}
    }
    found.extend(examined.certificates.iter().filter_map(|c| expires_soon(c, now)));
    found.extend(examined.certificates.iter().filter_map(pin));
    found.extend(examined.certificates.iter().find_map(|one| form(one, shield)));
    found.extend(examined.certificates.iter().filter_map(factory_pin));
    if shield.doors().any(DoorInfo::is_simulator) {
        found.push(Finding::of(Severity::Warning, FindingKind::Simulator));
    }
    if serving > 1 && examined.certificates.iter().any(|c| c.opens.len() > 1) {
        found.push(Finding::of(Severity::Info, FindingKind::OnePin));
    }
    found
}

fn expires_soon(one: &ExaminedCertificate, now: SystemTime) -> Option<Finding> {
    let role = one.listed.role.filter(|_| one.listed.standing == Standing::Serves)?;
    let days = one.listed.certificate.time_left(now).as_secs() / 86_400;
    let within = policy::EXPIRY_STEPS.into_iter().find(|step| days <= *step)?;
    let severity = if within == policy::EXPIRY_WARNING_DAYS { Severity::Info } else { Severity::Warning };
    Some(Finding::of(severity, FindingKind::ExpiresSoon { role, days, within }))
}

/// A PIN that the next signature would not be allowed to try.
fn pin(one: &ExaminedCertificate) -> Option<Finding> {
    let role = one.listed.role?;
    let about = |kind, status| Error::new(kind, "read PIN state").role(role).tries(status);
    let status = one.pin.as_ref()?.as_ref().map(|state| state.status);
    let (severity, error) = match &status {
        Err(error) => (Severity::Wrong, Error::clone(error).role(role)),
        Ok(status @ (PinStatus::Locked | PinStatus::Known(0))) => {
            (Severity::Wrong, about(ErrorKind::PinLocked, *status))
        }
        Ok(status) if status.is_last_try() => (Severity::Wrong, about(ErrorKind::LastTry, *status)),
        Ok(status @ PinStatus::Unknown { refused: true }) => {
            (Severity::Warning, about(ErrorKind::TriesUnknown, *status))
        }
        Ok(_) => return None,
    };
    Some(Finding::failed(severity, error))
}

/// A device that takes no PIN, because nobody says in which form, or because it never took one in the form that is said. It is the device's
/// matter: one finding serves both roles.
fn form(one: &ExaminedCertificate, shield: &Shield) -> Option<Finding> {
    let state = one.pin.as_ref()?.as_ref().ok()?;
    let door = shield.doors().find(|door| door.atr.is_some());
    let device = door.map(|d| {
        let atr = d.atr.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("the device has atr = {atr:?}, manufacturer = {:?}, model = {:?}", d.manufacturer, d.model)
    });
    let about = |kind| Error::new(kind, "read PIN state").tries(state.status);
    let (severity, error) = match state.form {
        PinForm::Sure => return None,
        PinForm::Unknown => (Severity::Wrong, about(ErrorKind::DialectMissing).detail(device.unwrap_or_default())),
        PinForm::Unproven { allowed } => {
            let dialect = door.map(|d| format!("the dialect is {}", d.dialect)).unwrap_or_default();
            let severity = if allowed { Severity::Warning } else { Severity::Wrong };
            (severity, about(ErrorKind::DialectUnproven).detail(dialect))
        }
    };
    Some(Finding::failed(severity, error))
}

fn factory_pin(one: &ExaminedCertificate) -> Option<Finding> {
    let state = one.pin.as_ref()?.as_ref().ok()?;
    let role = one.listed.role.filter(|_| state.factory == Some(true))?;
    Some(Finding::of(Severity::Warning, FindingKind::FactoryPin(role)))
}
