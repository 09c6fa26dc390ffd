//! What is on the desk.

use std::mem::offset_of;

use shield::{ErrorKind, Result, Scanner, Wait};

use crate::border::{Options, export, refuse};
use crate::types::{
    SHIELD_READERS_DEFAULT, SHIELD_READERS_OFF, SHIELD_READERS_ON, SHIELD_SCAN_TRY_UNPROVEN_DIALECTS, ScanOptions,
    Selector,
};
use crate::{Device, Held, Scan, ShieldError, at, readers, select};

/// A scanner that is ready, and how long it may take.
pub(crate) struct Ready(Scanner, Wait);

impl Options for ScanOptions {
    type Given = Ready;
    const EARLIER: &'static [usize] = &[offset_of!(ScanOptions, reference), offset_of!(ScanOptions, flags)];

    fn parse(&self) -> Result<Ready> {
        let mut scanner = Scanner::new().profile(select::profile(&self.profile_path)?);
        let modules = self.modules.get("modules")?;
        if wanted(self.readers, modules.is_empty())? {
            scanner = scanner.readers(readers::all());
        }
        match self.flags {
            0 => {}
            SHIELD_SCAN_TRY_UNPROVEN_DIALECTS => scanner = scanner.try_unproven_dialects(),
            other => return Err(refuse(ErrorKind::Argument, format!("flags cannot be {other}"))),
        }
        if let Some(reference) = self.reference.get("reference")? {
            scanner = scanner.reference(select::reference(&reference)?);
        }
        Ok(Ready(modules.into_iter().fold(scanner, Scanner::module), select::wait(self.wait_ms)))
    }
}

/// Whether a scan looks at readers. Programs of the time when there were only modules named at least one: nothing changes for them.
fn wanted(readers: u32, without_modules: bool) -> Result<bool> {
    match readers {
        SHIELD_READERS_DEFAULT => Ok(without_modules),
        SHIELD_READERS_ON => Ok(true),
        SHIELD_READERS_OFF => Ok(false),
        other => Err(refuse(ErrorKind::Argument, format!("readers cannot be {other}"))),
    }
}

export! {
    /// Looks for shields in the readers and behind the modules that are named. It takes no PIN. A reader, card, driver or token that
    /// fails is a problem of the result and hides no other.
    fn shield_scan_new(options: *const ScanOptions) -> (scan: *mut *mut Scan) error {
        options.0.scan(&options.1).map(|scan| (scan,))
    }
}

export! {
    /// How many shields were found.
    fn shield_scan_count(scan: *const Scan) -> (count: *mut usize) {
        Ok((scan.shields.len(),))
    }
}

export! {
    /// How many readers, cards, drivers or tokens failed.
    fn shield_scan_problem_count(scan: *const Scan) -> (count: *mut usize) {
        Ok((scan.problems.len(),))
    }
}

export! {
    /// Why one of them failed.
    fn shield_scan_problem(scan: *const Scan, index: usize) -> (problem: *mut *mut ShieldError) {
        Ok((at(&scan.problems, index)?.clone(),))
    }
}

export! {
    /// Frees a scan. Shields that were opened from it stay.
    fn shield_scan_free(scan: *mut Scan) -> () {
        drop(scan);
        Ok(())
    }
}

export! {
    /// Opens the one shield that fits the selector; with NULL the only shield there is.
    fn shield_open(scan: *const Scan, selector: *const Selector) -> (device: *mut *mut Device) error {
        open(&scan, &selector).map(|device| (device,))
    }
}

export! {
    /// Opens a shield by its place, from 0.
    fn shield_open_at(scan: *const Scan, index: usize) -> (device: *mut *mut Device) error {
        Ok((at(&scan.shields, index)?.clone(),))
    }
}

fn open(scan: &Held<Scan>, choice: &select::Choice) -> Result<shield::Shield> {
    match choice.role {
        Some(role) => scan.for_role(role, &choice.selector).cloned(),
        None if choice.selector == shield::Selector::default() => scan.only().cloned(),
        None => fitting(scan, &choice.selector),
    }
}

/// A selector without a role: the shield that has such a certificate for any role.
fn fitting(scan: &Held<Scan>, selector: &shield::Selector) -> Result<shield::Shield> {
    let [first, second] = shield::Role::ALL.map(|role| scan.for_role(role, selector));
    match (first, second) {
        (Ok(one), Ok(other)) if one.serial() != other.serial() => {
            let both = format!("{} and {}", one.serial(), other.serial());
            Err(shield::Error::new(shield::ErrorKind::SeveralShields, "choose shield").detail(both))
        }
        (Ok(one), _) | (Err(_), Ok(one)) => Ok(one.clone()),
        (Err(error), Err(_)) => Err(error),
    }
}
