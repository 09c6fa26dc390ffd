//! Requests: what to sign, as whom. The role is fixed by the constructor; nothing can disagree with it.

use std::sync::Arc;

use crate::credential::Selector;
use crate::error::{Error, ErrorKind, Result};
use crate::format::Format;
use crate::format::cms::CmsOptions;
use crate::format::ems;
use crate::format::login::{self, Challenge};
use crate::policy;
use crate::role::Role;
use crate::source::Content;
use crate::suite::{Digest, Sm2Id, Summary, is_hidden};
use crate::tries::Consent;

/// What to sign, in which form, as whom.
///
/// A declaration is customs and a payment is the bank, by construction. Neither takes a role:
///
/// ```compile_fail,E0061
/// use shared_shield::{Content, Request, Role};
/// Request::payment(Role::Customs, Content::bytes(*b"order"));
/// ```
///
/// ```compile_fail,E0061
/// use shared_shield::{Content, Request, Role};
/// Request::declaration(Role::Bank, Content::file("CEB621.xml"));
/// ```
///
/// and none can be set afterwards:
///
/// ```compile_fail,E0616
/// use shared_shield::{Content, Request, Role};
/// let mut request = Request::payment(Content::bytes(*b"order"));
/// request.role = Role::Customs;
/// ```
///
/// ```
/// use shared_shield::{Content, Request, Role};
/// assert_eq!(Request::payment(Content::bytes(*b"order")).role(), Role::Bank);
/// ```
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) role: Role,
    pub(crate) format: &'static dyn Format,
    pub(crate) content: Content,
    pub(crate) sm2_id: Sm2Id,
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

impl Options {
    /// Refuses a text that would show a person something else than it holds. Called before anybody is asked for a PIN.
    pub(crate) fn check_shown(&self) -> Result<()> {
        let Some(Summary { text }) = &self.summary else { return Ok(()) };
        let refuse = |what: String| Err(Error::new(ErrorKind::DisplayText, "show text").detail(what));
        if text.trim().is_empty() {
            return refuse("it is empty".to_owned());
        }
        if text.len() > policy::DISPLAY_MAX {
            return refuse(format!("{} octets, at most {}", text.len(), policy::DISPLAY_MAX));
        }
        match text.chars().position(is_hidden) {
            None => Ok(()),
            Some(place) => {
                let found = text.chars().nth(place).map_or(0, u32::from);
                refuse(format!("U+{found:04X} at character {}", place.saturating_add(1)))
            }
        }
    }
}

/// What a request and an unlock may both say, each with its own [`Options`]: written once, so that no setter is there or means something in
/// one of them only. `$choose` is the name of the first.
macro_rules! setters {
    ($choose:ident) => {
        /// Chooses among several certificates of the role.
        #[must_use]
        pub fn $choose(mut self, selector: Selector) -> Self {
            self.options.selector = selector;
            self
        }

        /// The text that the PIN prompt shows. A signature's receipt carries its digest; without one the format says what it signs.
        ///
        /// A text that is empty, over [`policy::DISPLAY_MAX`] octets, or holds characters that nobody sees is refused (`DisplayText`) before
        /// a PIN is asked for. Newline and tab are allowed.
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

        /// Signs although the certificate has expired or is not valid yet. Each receipt says so.
        #[must_use]
        pub fn even_outside_validity(mut self) -> Self {
            self.options.outside_validity = true;
            self
        }
    };
}

impl Request {
    /// A customs message (`CEBxxxMessage`) with an enveloped XML signature, as customs.
    #[cfg(feature = "xml")]
    #[must_use]
    pub fn declaration(content: Content) -> Self {
        Request::with(Role::Customs, &crate::format::ceb::CEB, content)
    }

    /// As [`Request::declaration`], with more to say.
    #[cfg(feature = "xml")]
    #[must_use]
    pub fn declaration_as(content: Content, options: crate::format::ceb::CebOptions) -> Self {
        Request::with(Role::Customs, options.format(), content)
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

    /// A payment order or another document for the bank, as the bank: CMS in DER with the document inside and with signed attributes
    /// (CAdES-BES). Say what it is about with [`Request::shown`]; for another shape take [`Request::cms`].
    #[must_use]
    pub fn payment(content: Content) -> Self {
        Request::cms(Role::Bank, content, CmsOptions::attached())
    }

    /// A CMS message of the shape that `options` says, as either role.
    #[must_use]
    pub fn cms(role: Role, content: Content, options: CmsOptions) -> Self {
        Request::with(role, options.format(), content)
    }

    /// A detached signature over the bytes as they are, as either role.
    #[must_use]
    pub fn raw(role: Role, content: Content) -> Self {
        Request::with(role, &crate::format::raw::RAW, content)
    }

    /// The form fields of an EMS page, as customs: their values one after the other, in this order. What comes out is the signature value in base64; the
    /// certificate number is in the receipt. The prompt shows each field by itself.
    ///
    /// # Errors
    /// `FormEmpty`, `FormField`, `DocumentAmbiguous`.
    pub fn ems(fields: &[ems::Field<'_>]) -> Result<Self> {
        let text = ems::signing_text(fields).map_err(|e| e.role(Role::Customs))?;
        let request = Request::with(Role::Customs, &ems::EMS, Content::bytes(text));
        Ok(request.shown(ems::summary(fields)?))
    }

    /// A digest that was computed elsewhere, as either role. **What it is of cannot be seen**: see [`crate::format::digest`]. What comes out is the
    /// signature value in base64.
    #[must_use]
    pub fn digest_computed_elsewhere(role: Role, digest: Digest) -> Self {
        Request::with(role, &crate::format::digest::DIGEST_ALONE, Content::Digest(Arc::new(digest)))
    }

    fn with(role: Role, format: &'static dyn Format, content: Content) -> Self {
        Request { role, format, content, sm2_id: Sm2Id::default(), options: Options::default() }
    }

    /// The identifier that an SM2 key puts into Z, where signer and receiver agreed on another than the default one; other keys have none.
    /// Whoever verifies has to know it: [`crate::VerifyContext::sm2_id`]. Customs takes the default one alone, and a request of its formats with
    /// another is `UnsupportedByCustoms`.
    #[must_use]
    pub fn sm2_id(mut self, id: Sm2Id) -> Self {
        self.sm2_id = id;
        self
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

    setters!(of);
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

    setters!(certificate);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_shows_something_else_than_it_holds_is_refused() {
        let check = |text: &str| Request::payment(Content::bytes(*b"order")).shown(text).options.check_shown();
        for plain in ["付款给 合成贸易有限公司\n金额：\t1,234.50 元", "Zahlung über 12 €", "ﾃｽﾄ 𠮷"]
        {
            check(plain).unwrap();
        }
        for (text, place) in [
            ("pay 10\u{8}0", "U+0008 at character 7"),
            ("a\rb", "U+000D"),
            ("\u{1b}[2Kpay 1", "U+001B"),
            ("pay \u{202e}001", "U+202E"),
            ("pay\u{200b}ee", "U+200B"),
            ("\u{2066}x\u{2069}", "U+2066"),
            ("x\u{2028}y", "U+2028"),
            ("x\u{85}", "U+0085"),
            ("\u{feff}x", "U+FEFF"),
            ("x\u{e0041}", "U+E0041"),
            (" \n\t", "empty"),
            ("", "empty"),
        ] {
            let refused = check(text).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::DisplayText, "{text:?}");
            assert!(refused.to_string().contains(place), "{refused}");
        }
        assert_eq!(check(&"x".repeat(policy::DISPLAY_MAX + 1)).unwrap_err().kind(), ErrorKind::DisplayText);
    }

    #[test]
    fn a_request_and_an_unlock_take_the_same_options() {
        let selector = Selector { card_number: Some("0001".into()), ..Selector::default() };
        let (consent, chosen) = (Consent::LastTry, selector.clone());
        let request = Request::raw(Role::Bank, Content::bytes(*b"order"))
            .of(selector)
            .shown("pay")
            .consent(consent)
            .even_outside_validity();
        let unlock =
            Unlock::of(Role::Bank).certificate(chosen.clone()).shown("pay").consent(consent).even_outside_validity();
        for options in [request.options, unlock.options] {
            assert_eq!((options.selector, options.consent), (chosen.clone(), consent));
            assert_eq!((options.summary.unwrap().text.as_str(), options.outside_validity), ("pay", true));
        }
    }
}
