//! What a credential is for.

use std::fmt;

/// The two certificates of one shield (一盾两证).
///
/// A role is found from the certificate by the rules of a profile; never from a label, a slot or a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Role {
    /// The e-port identity (电子口岸): log in to the Single Window, sign declarations.
    Customs,
    /// Online banking (网银): payments.
    Bank,
}

impl Role {
    /// Both roles, in the order in which they are shown.
    pub const ALL: [Role; 2] = [Role::Customs, Role::Bank];

    /// The name that profiles, the command line and JSON use: `customs` or `bank`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Customs => "customs",
            Role::Bank => "bank",
        }
    }

    /// The name in Chinese.
    #[must_use]
    pub fn name_zh(self) -> &'static str {
        match self {
            Role::Customs => "海关",
            Role::Bank => "银行",
        }
    }

    /// The office that unlocks this role's PIN.
    #[must_use]
    pub fn office(self) -> &'static str {
        match self {
            Role::Customs => "the e-port card office",
            Role::Bank => "a branch of the bank",
        }
    }

    /// The office that unlocks this role's PIN, in Chinese.
    #[must_use]
    pub fn office_zh(self) -> &'static str {
        match self {
            Role::Customs => "电子口岸制卡中心",
            Role::Bank => "开户银行网点",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
