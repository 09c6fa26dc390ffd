//! Profiles: the rules by which a certificate is recognised as customs or bank.

use crate::cert::Certificate;
use crate::policy::Policy;
use crate::role::Role;

/// Rules for roles, joins and policy. Built in for the e-port and for CCB/CFCA; a TOML file that the host names extends them.
#[derive(Debug, Clone)]
pub struct Profile {
    test: bool,
}

/// Tokens of one module that are parts of one shield.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// Serial numbers of the tokens.
    pub serials: Vec<String>,
}

impl Profile {
    /// The built-in rules.
    #[must_use]
    pub fn builtin() -> Self {
        Profile { test: false }
    }

    /// Whether it says `test = true`.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.test
    }

    /// Whether RSA with SHA-1 may be used for this role.
    #[must_use]
    pub fn allows_sha1(&self, role: Role) -> bool {
        role == Role::Customs
    }

    /// The role of a certificate, or why it has none, in one clause. Key usage and time are not looked at here.
    ///
    /// # Errors
    /// The reason.
    pub fn role_of(&self, _certificate: &Certificate) -> Result<Role, String> {
        Err("no rule of the profile fits its issuer".to_owned())
    }

    /// What one PIN entry may sign: the default of the role, lowered by the profile.
    #[must_use]
    pub fn policy(&self, role: Role) -> Policy {
        Policy::of(role)
    }

    /// Tokens that belong together although their serial numbers differ.
    #[must_use]
    pub fn joins(&self) -> &[Join] {
        &[]
    }
}
