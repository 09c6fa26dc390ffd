//! Requests: what to sign, as whom. The role is fixed by the constructor; nothing can disagree with it.

use crate::credential::Selector;
use crate::error::Result;
use crate::format::Format;
use crate::format::login::{self, Challenge};
use crate::role::Role;
use crate::source::Content;
use crate::suite::Summary;
use crate::tries::Consent;

/// What to sign, in which form, as whom.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) role: Role,
    pub(crate) format: &'static dyn Format,
    pub(crate) content: Content,
    pub(crate) options: Options,
}

/// What may be said beside the request itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) selector: Selector,
    pub(crate) consent: Consent,
    pub(crate) outside_validity: bool,
    pub(crate) summary: Option<Summary>,
}

impl Request {
    /// A customs message (`CEBxxxMessage`) with an enveloped XML signature, as customs.
    #[cfg(feature = "xml")]
    #[must_use]
    pub fn declaration(content: Content) -> Self {
        Request::with(Role::Customs, &crate::format::ceb::CEB, content)
    }

    /// Payment data of announcement 179, as customs: the fields as JSON, or the ready signing string. What comes out is the value of
    /// the form field `payExInfoStr`.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn payment179(content: Content) -> Self {
        Request::payment179_as(content, crate::format::payment179::Output::Value)
    }

    /// As [`Request::payment179`], with a choice of what comes out.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn payment179_as(content: Content, output: crate::format::payment179::Output) -> Self {
        let format = crate::format::payment179::Payment179::of(output);
        Request::with(Role::Customs, format, content)
    }

    /// A login with the random of the e-port, or with a challenge of the bank. What comes out is the signature value in base64;
    /// the certificate number is in the receipt. The prompt shows a challenge that is text.
    ///
    /// # Errors
    /// `ChallengeEncoding`, `ChallengeEmpty`, `ChallengeTooLong`; `ChallengeDocument` where it begins as something that a signature could be
    /// abused for.
    pub fn login(role: Role, challenge: Challenge<'_>) -> Result<Self> {
        Request::login_as(role, challenge, login::Output::Signature)
    }

    /// As [`Request::login`], with a choice of what comes out.
    ///
    /// # Errors
    /// As [`Request::login`].
    pub fn login_as(role: Role, challenge: Challenge<'_>, output: login::Output) -> Result<Self> {
        let octets = challenge.octets().map_err(|e| e.role(role))?;
        Ok(Request::with(role, login::Login::of(output), Content::bytes(octets)))
    }

    /// A detached signature over the bytes as they are, as either role.
    #[must_use]
    pub fn raw(role: Role, content: Content) -> Self {
        Request::with(role, &crate::format::raw::RAW, content)
    }

    fn with(role: Role, format: &'static dyn Format, content: Content) -> Self {
        Request { role, format, content, options: Options::default() }
    }

    /// The role that signs.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The format's name.
    #[must_use]
    pub fn format(&self) -> &'static str {
        self.format.name()
    }

    /// Chooses among several certificates of the role.
    #[must_use]
    pub fn of(mut self, selector: Selector) -> Self {
        self.options.selector = selector;
        self
    }

    /// The text that the PIN prompt shows and whose digest the receipt carries; without one the format says what it signs.
    #[must_use]
    pub fn shown(mut self, text: impl Into<String>) -> Self {
        self.options.summary = Some(Summary { text: text.into() });
        self
    }

    /// Allows a risky PIN try: a person said so.
    #[must_use]
    pub fn consent(mut self, consent: Consent) -> Self {
        self.options.consent = consent;
        self
    }

    /// Signs although the certificate has expired or is not valid yet. The receipt says so.
    #[must_use]
    pub fn even_outside_validity(mut self) -> Self {
        self.options.outside_validity = true;
        self
    }
}

/// What one PIN entry shall open: the role, and how much.
#[derive(Debug, Clone)]
pub struct Unlock {
    pub(crate) role: Role,
    pub(crate) policy: Option<crate::policy::Policy>,
    pub(crate) options: Options,
}

impl Unlock {
    /// Unlocks `role` under the profile's policy.
    #[must_use]
    pub fn of(role: Role) -> Self {
        Unlock { role, policy: None, options: Options::default() }
    }

    /// A policy of the program's own; the only way to raise one.
    #[must_use]
    pub fn policy(mut self, policy: crate::policy::Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Chooses among several certificates of the role.
    #[must_use]
    pub fn certificate(mut self, selector: Selector) -> Self {
        self.options.selector = selector;
        self
    }

    /// The text that the PIN prompt shows.
    #[must_use]
    pub fn shown(mut self, text: impl Into<String>) -> Self {
        self.options.summary = Some(Summary { text: text.into() });
        self
    }

    /// Allows a risky PIN try: a person said so.
    #[must_use]
    pub fn consent(mut self, consent: Consent) -> Self {
        self.options.consent = consent;
        self
    }

    /// Signs although the certificate has expired or is not valid yet. The receipts say so.
    #[must_use]
    pub fn even_outside_validity(mut self) -> Self {
        self.options.outside_validity = true;
        self
    }
}
