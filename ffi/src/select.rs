//! Choosing: roles, selectors, waits and profiles as C gives them.

use std::sync::Arc;
use std::time::Duration;

use shield::{Consent, Error, ErrorKind, Fingerprint, Profile, Reference, Result, Role, Wait};

use crate::Credential;
use crate::border::{Options, Text, refuse};
use crate::slab;
use crate::types::*;

pub(crate) fn role(number: u32) -> Result<Option<Role>> {
    match number {
        SHIELD_ROLE_NONE => Ok(None),
        SHIELD_ROLE_CUSTOMS => Ok(Some(Role::Customs)),
        SHIELD_ROLE_BANK => Ok(Some(Role::Bank)),
        _ => Err(refuse(ErrorKind::Argument, format!("there is no role {number}"))),
    }
}

pub(crate) fn consent(number: u32) -> Result<Consent> {
    match number {
        SHIELD_CONSENT_NONE => Ok(Consent::None),
        SHIELD_CONSENT_AFTER_REFUSAL => Ok(Consent::AfterRefusal),
        SHIELD_CONSENT_LAST_TRY => Ok(Consent::LastTry),
        _ => Err(refuse(ErrorKind::Argument, format!("there is no consent {number}"))),
    }
}

/// Whether signing outside validity is allowed; other flags are not known.
pub(crate) fn outside_validity(flags: u32) -> Result<bool> {
    match flags & !SHIELD_FLAG_OUTSIDE_VALIDITY {
        0 => Ok(flags != 0),
        other => Err(refuse(ErrorKind::Argument, format!("there is no flag {other:#x}"))),
    }
}

pub(crate) fn wait(milliseconds: u32) -> Wait {
    match milliseconds {
        0 => Wait::default(),
        some => Wait::at_most(Duration::from_millis(some.into())),
    }
}

pub(crate) fn fingerprint(text: &str) -> Result<Fingerprint> {
    let wrong = || refuse(ErrorKind::Argument, "a fingerprint is not 64 hex digits");
    Fingerprint::parse(text).ok_or_else(wrong)
}

pub(crate) fn reference(text: &str) -> Result<Reference> {
    let wrong = || refuse(ErrorKind::Argument, "a reference is what SHIELD_ROUTE_REFERENCE gives");
    Reference::parse(text).ok_or_else(wrong)
}

/// A selector, and the role that the shield must have a certificate for.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    pub(crate) role: Option<Role>,
    pub(crate) selector: shield::Selector,
}

impl Options for Selector {
    type Given = Choice;
    const MAY_BE_NULL: bool = true;

    fn parse(&self) -> Result<Choice> {
        let fingerprint = self.fingerprint.get("selector.fingerprint")?.map(|f| fingerprint(&f)).transpose()?;
        let selector = shield::Selector {
            fingerprint,
            entity_code: self.entity_code.get("selector.entity_code")?,
            card_number: self.card_number.get("selector.card_number")?,
        };
        Ok(Choice { role: role(self.role)?, selector })
    }
}

/// What a request says of its certificate: a credential, a selector, or both; each must be of `role`.
pub(crate) fn choose(role: Role, credential: *const Credential, selector: Option<Choice>) -> Result<shield::Selector> {
    let other = |given: Role| {
        let said = format!("a request for {role} was given a certificate for {given}");
        Err(Error::new(ErrorKind::RoleMismatch, "choose certificate").role(role).detail(said))
    };
    let choice = selector.unwrap_or_default();
    if let Some(given) = choice.role.filter(|r| *r != role) {
        return other(given);
    }
    let mut selector = choice.selector;
    if credential.is_null() {
        return Ok(selector);
    }
    let listed = slab::get(credential, "credential")?;
    if let Some(given) = listed.role.filter(|r| *r != role) {
        return other(given);
    }
    let mine = listed.certificate.fingerprint();
    if selector.fingerprint.replace(mine).is_some_and(|f| f != mine) {
        return Err(refuse(ErrorKind::Argument, "credential and selector name different certificates"));
    }
    Ok(selector)
}

/// The built-in rules, or those of a file.
pub(crate) fn profile(path: &Text) -> Result<Arc<Profile>> {
    match path.get("profile_path")? {
        None => Ok(Arc::new(Profile::builtin())),
        Some(path) => Profile::load(path.as_ref()).map(Arc::new),
    }
}
