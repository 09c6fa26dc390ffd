//! In which form this device takes a PIN: what the profile says of it, and what the device has shown.

use super::dialect::{Dialect, Order};
use super::info::DeviceInfo;
use crate::error::{Error, ErrorKind, Recovery, Result};
use crate::policy;
use crate::token::{Insertion, PinForm};
use crate::tries::PinStatus;

/// What a profile says of a device.
#[derive(Debug, Clone)]
pub(super) struct Form {
    dialect: Option<&'static Dialect>,
    /// The profile names a dialect that nobody knows.
    unknown: Option<String>,
    /// The profile says that this very device has accepted a PIN in it.
    proven: bool,
    allowed: bool,
}

impl Form {
    /// ATR, manufacturer and model have to be the device's own, all three: a dialect that is meant for another device costs tries.
    pub(super) fn of(at: &Insertion, info: &DeviceInfo) -> Self {
        let id = info.card_id();
        let is_meant = |rule: &&crate::token::DialectRule| {
            rule.atr == at.atr && rule.manufacturer == id.manufacturer && rule.model == id.model
        };
        let rule = at.rules.dialects.iter().find(is_meant);
        let dialect = rule.and_then(|rule| Dialect::named(&rule.dialect));
        Form {
            dialect,
            unknown: rule.filter(|_| dialect.is_none()).map(|rule| rule.dialect.clone()),
            proven: rule.is_some_and(|rule| rule.proven.contains(&id.serial)),
            allowed: at.rules.try_unproven,
        }
    }

    /// How integers are read, where that is known.
    pub(super) fn order(&self) -> Option<Order> {
        self.dialect.map(|dialect| dialect.order)
    }

    pub(super) fn known(&self) -> Option<&'static Dialect> {
        self.dialect
    }

    pub(super) fn state(&self, at: &Insertion) -> PinForm {
        match self.dialect {
            None => PinForm::Unknown,
            Some(dialect) if self.proven || at.is_proven(dialect.name) => PinForm::Sure,
            Some(_) => PinForm::Unproven { allowed: self.allowed },
        }
    }

    /// The dialect, for what cannot be done without.
    ///
    /// # Errors
    /// `DialectMissing`.
    pub(super) fn dialect(&self, name: &'static str) -> Result<&'static Dialect> {
        self.dialect.ok_or_else(|| match self.complaint(name) {
            Some(complaint) => complaint,
            None => Error::new(ErrorKind::DialectMissing, name)
                .detail(format!("the profile names none for this device; known are {}", Dialect::names())),
        })
    }

    /// What is wrong with the profile's name, where it is none of a dialect.
    pub(super) fn complaint(&self, name: &'static str) -> Option<Error> {
        let unknown = self.unknown.as_ref()?;
        let what = format!("{:?} is no dialect; known are {}", unknown, Dialect::names());
        Some(Error::new(ErrorKind::DialectMissing, name).detail(what))
    }

    /// A refusal of a PIN that went out in a form which this device has never accepted: nobody knows which of the two was wrong.
    pub(super) fn doubted(&self, at: &Insertion, error: Error) -> Error {
        use ErrorKind as K;
        let (is_refusal, is_locked) = match error.kind() {
            K::PinLocked | K::PukLocked => (true, true),
            K::PinIncorrect | K::PukIncorrect | K::LoginFailed => (true, false),
            _ => (false, false),
        };
        let unproven = matches!(self.state(at), PinForm::Unproven { .. });
        let Some(dialect) = self.dialect.filter(|_| is_refusal && unproven) else { return error };
        let name = dialect.name;
        let error = error.detail(format!(
            "this device has never accepted a PIN in the dialect {name}: the PIN may be right and the dialect wrong, so ask the maker before \
             trying again"
        ));
        // Once it is locked the office helps, whatever was wrong.
        if is_locked { error } else { error.helped_by(Recovery::AskAdministrator) }
    }

    /// The dialect in which a PIN may go out now. Whoever asks a person has looked at this before; a token that is asked to send a PIN in a
    /// form that nobody allowed refuses by itself.
    ///
    /// # Errors
    /// `DialectMissing`, `DialectUnproven`.
    pub(super) fn allow(&self, at: &Insertion, now: PinStatus, name: &'static str) -> Result<&'static Dialect> {
        let dialect = self.dialect(name)?;
        match self.state(at) {
            PinForm::Sure => Ok(dialect),
            PinForm::Unproven { allowed: true } if now.is_at_least(policy::UNPROVEN_TRIES) => Ok(dialect),
            _ => Err(Error::new(ErrorKind::DialectUnproven, name).tries(now)),
        }
    }
}
