//! Profiles: the rules by which a certificate is recognised as customs or bank.
//!
//! A role is what a certificate *says* it is for, and which credential serves a request. It is no trust: whoever makes a
//! certificate can write any issuer's name into it. Trust is judged by [`crate::verify`] alone.

mod builtin;
mod cards;
mod customs;
mod file;
mod modules;
mod rule;
mod together;

use std::sync::Arc;

use crate::cert::Certificate;
use crate::door::Way;
use crate::identifiers::IdentifierSet;
use crate::link::Atr;
use crate::policy::Policy;
use crate::role::Role;
use crate::token::{CardRules, DialectRule, ModuleRules};

use customs::CardRule;
use rule::{Fit, Rule};

/// Rules for roles, joins and policy. Built in for the e-port and for CCB and CFCA; a TOML file that the host names extends them.
///
/// Nothing is loaded from the working directory or the environment: [`Profile::load`] reads the file that its caller names.
///
/// ```
/// use shared_shield::{ErrorKind, Profile, Role};
/// let profile = Profile::parse(r#"
///     schema = 1
///     name = "our bank"
///     [[bank.issuer]]
///     organisation = "Example Bank"
///     authority_key_id = "00112233445566778899aabbccddeeff00112233"
///     [customs.policy]
///     signatures = 500
/// "#)?;
/// assert_eq!(profile.policy(Role::Customs).signatures, 500);
/// assert_eq!(Profile::parse("schema = 1\nnmae = \"x\"").unwrap_err().kind(), ErrorKind::ProfileKey);
/// # Ok::<(), shared_shield::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Profile {
    name: String,
    test: bool,
    customs: Ruling,
    bank: Ruling,
    joins: Vec<Join>,
    routes: Vec<Way>,
    cards: Arc<CardRules>,
    modules: Arc<ModuleRules>,
    identifiers: Option<IdentifierSet>,
    card_kinds: Vec<CardRule>,
}

/// What holds for one role.
#[derive(Debug, Clone)]
struct Ruling {
    rules: Vec<Rule>,
    policy: Policy,
    label: Option<String>,
    sha1: bool,
}

/// Tokens of one module that are parts of one shield.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// Serial numbers of the tokens.
    pub serials: Vec<String>,
}

impl Default for Profile {
    fn default() -> Self {
        Profile::builtin()
    }
}

impl Profile {
    /// The built-in rules.
    #[must_use]
    pub fn builtin() -> Self {
        Profile {
            name: "built-in".to_owned(),
            test: false,
            customs: Ruling {
                rules: builtin::customs(false),
                policy: Policy::of(Role::Customs),
                label: None,
                // The official RSA identifiers of customs are rsa-sha1 / sha1 (manual::customs §1.1).
                sha1: true,
            },
            bank: Ruling { rules: builtin::bank(), policy: Policy::of(Role::Bank), label: None, sha1: false },
            joins: Vec::new(),
            routes: vec![Way::Card, Way::Module],
            cards: Arc::default(),
            modules: Arc::default(),
            identifiers: None,
            card_kinds: Vec::new(),
        }
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it says `test = true`.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.test
    }

    /// Whether RSA with SHA-1 may be used for this role.
    #[must_use]
    pub fn allows_sha1(&self, role: Role) -> bool {
        self.ruling(role).sha1
    }

    /// The identifier set that it names for customs messages, where it names one.
    #[must_use]
    pub fn identifiers(&self) -> Option<IdentifierSet> {
        self.identifiers
    }

    /// The role of a certificate, or why it has none, in one clause. Key usage and time are not looked at here.
    ///
    /// A certificate that the rules of both roles fit has none: roles do not leak.
    ///
    /// # Errors
    /// The reason, for a person to read; it names nobody.
    pub fn role_of(&self, certificate: &Certificate) -> Result<Role, String> {
        let mut roles = Vec::new();
        let mut near = None;
        for role in Role::ALL {
            match self.ruling(role).fit(certificate) {
                Fit::Yes(_) => roles.push(role),
                Fit::Near(why) => near = near.or(Some(why)),
                Fit::No => {}
            }
        }
        match roles.as_slice() {
            [role] => Ok(*role),
            [] => Err(near.unwrap_or_else(|| "its issuer is none that the profile knows".to_owned())),
            _ => Err("the profile's rules give it both roles, so it gets none".to_owned()),
        }
    }

    /// Whether the rule that gives this certificate its role lets a CA certificate sign: only under `test = true`, for
    /// self-signed test certificates.
    #[must_use]
    pub fn allows_ca(&self, certificate: &Certificate) -> bool {
        let allows = |role| matches!(self.ruling(role).fit(certificate), Fit::Yes(rule) if rule.allow_ca);
        self.test && self.role_of(certificate).is_ok_and(allows)
    }

    /// What one PIN entry may sign: the default of the role, lowered by the profile.
    #[must_use]
    pub fn policy(&self, role: Role) -> Policy {
        self.ruling(role).policy
    }

    /// The token's label that breaks a tie among certificates which the rules give this role. It never gives one.
    #[must_use]
    pub fn label(&self, role: Role) -> Option<&str> {
        self.ruling(role).label.as_deref()
    }

    /// Tokens that belong together although their serial numbers differ.
    #[must_use]
    pub fn joins(&self) -> &[Join] {
        &self.joins
    }

    /// The order in which the ways to one certificate are tried: cards first unless the profile says otherwise, because that takes the fewest
    /// commands.
    #[must_use]
    pub fn routes(&self) -> &[Way] {
        &self.routes
    }

    /// The rule that names the dialect of a GM/T 0017 device with this ATR, manufacturer and model.
    #[must_use]
    pub fn dialect(&self, atr: &Atr, manufacturer: &str, model: &str) -> Option<&DialectRule> {
        self.cards.dialect(atr, manufacturer, model)
    }

    pub(crate) fn cards(&self) -> &Arc<CardRules> {
        &self.cards
    }

    pub(crate) fn modules(&self) -> &Arc<ModuleRules> {
        &self.modules
    }

    fn ruling(&self, role: Role) -> &Ruling {
        match role {
            Role::Customs => &self.customs,
            Role::Bank => &self.bank,
        }
    }
}

impl Ruling {
    /// The first rule that fits, else the first that nearly does.
    fn fit(&self, certificate: &Certificate) -> Fit<'_> {
        let mut near = Fit::No;
        for rule in &self.rules {
            match rule.fit(certificate) {
                yes @ Fit::Yes(_) => return yes,
                almost @ Fit::Near(_) if matches!(near, Fit::No) => near = almost,
                Fit::Near(_) | Fit::No => {}
            }
        }
        near
    }
}
