//! What a diagnosis says, in both languages.

use crate::error::Error;
use crate::error::Recovery;
use crate::role::Role;
use crate::verify::Severity;

/// One thing that a person should know.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Finding {
    /// How bad. `Wrong` stands in the way of a signature.
    pub severity: Severity,
    /// What it is.
    pub kind: FindingKind,
    /// Serial number of the shield concerned, where there is one.
    pub shield: Option<String>,
}

/// What can be found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FindingKind {
    /// Something cannot be used: the error says what and why.
    Failed(Error),
    /// A certificate ends soon.
    ExpiresSoon {
        /// Its role.
        role: Role,
        /// Whole days left.
        days: u64,
        /// The step of [`crate::policy::EXPIRY_STEPS`] that it is within.
        within: u64,
    },
    /// The shield has no certificate for this role. A shield may be made for the other one alone.
    RoleMissing(Role),
    /// One PIN opens the certificates of both roles.
    OnePin,
    /// The rules come from a test profile.
    TestProfile,
    /// The PIN of this role is still the one that the maker set.
    FactoryPin(Role),
    /// The device says of itself that it is a simulator.
    Simulator,
}

impl Finding {
    pub(super) fn of(severity: Severity, kind: FindingKind) -> Self {
        Finding { severity, kind, shield: None }
    }

    pub(super) fn failed(severity: Severity, error: Error) -> Self {
        Finding::of(severity, FindingKind::Failed(error))
    }

    pub(super) fn on(mut self, serial: &str) -> Self {
        self.shield = Some(serial.to_owned());
        self
    }

    /// The short code to read over the phone: of the error, or `DR-...`. Never reused.
    #[must_use]
    pub fn code(&self) -> String {
        match &self.kind {
            FindingKind::Failed(error) => error.code(),
            FindingKind::ExpiresSoon { .. } => "DR-001".to_owned(),
            FindingKind::RoleMissing(_) => "DR-002".to_owned(),
            FindingKind::OnePin => "DR-003".to_owned(),
            FindingKind::TestProfile => "DR-004".to_owned(),
            FindingKind::FactoryPin(_) => "DR-005".to_owned(),
            FindingKind::Simulator => "DR-006".to_owned(),
        }
    }

    /// The error, where it is one.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match &self.kind {
            FindingKind::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// What a person can do now.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        match &self.kind {
            FindingKind::Failed(error) => error.recovery(),
            FindingKind::ExpiresSoon { .. } => Recovery::RenewCertificate,
            _ => Recovery::None,
        }
    }

    /// In one English sentence, with what to do now.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.kind {
            FindingKind::Failed(error) => error.clone().candidates(Vec::new()).to_string(),
            FindingKind::ExpiresSoon { role, days, within } => {
                let how = match within {
                    0..=7 => "renew it now",
                    8..=30 => "renew it soon, an office may need some days",
                    _ => "plan its renewal",
                };
                let office = role.office();
                format!("The {role} certificate expires in {days} days: {how} at {office}. (DR-001)")
            }
            FindingKind::RoleMissing(role) => {
                format!("The shield has no {role} certificate: it cannot sign as {role}. (DR-002)")
            }
            FindingKind::OnePin => {
                "One PIN opens both certificates: a wrong one counts for both, and changing it changes it for both. (DR-003)"
                    .to_owned()
            }
            FindingKind::TestProfile => {
                "The profile is a test profile: customs accepts nothing that is signed under it. (DR-004)".to_owned()
            }
            FindingKind::FactoryPin(role) => {
                format!("The {role} PIN is still the one that the maker set, which many know: change it. (DR-005)")
            }
            FindingKind::Simulator => {
                "The shield is a simulator: its keys are in software, so what it signs proves nothing. (DR-006)".to_owned()
            }
        }
    }

    /// In one Chinese sentence, with what to do now.
    #[must_use]
    pub fn text_zh(&self) -> String {
        match &self.kind {
            FindingKind::Failed(error) => error.message_zh(),
            FindingKind::ExpiresSoon { role, days, within } => {
                let how = match within {
                    0..=7 => "请立即",
                    8..=30 => "请尽快",
                    _ => "请安排",
                };
                let (role, office) = (role.name_zh(), role.office_zh());
                format!("{role}证书将于 {days} 天后到期：{how}到{office}更新。（DR-001）")
            }
            FindingKind::RoleMissing(role) => {
                let role = role.name_zh();
                format!("共享盾中没有{role}证书：不能以{role}身份签名。（DR-002）")
            }
            FindingKind::OnePin => "两张证书共用一个口令：输错会同时计数，修改也同时生效。（DR-003）".to_owned(),
            FindingKind::TestProfile => "当前为测试配置：海关不接受在此配置下的签名。（DR-004）".to_owned(),
            FindingKind::FactoryPin(role) => {
                format!("{}口令仍是出厂口令，知道的人很多：请修改。（DR-005）", role.name_zh())
            }
            FindingKind::Simulator => "这是模拟器（simulator）：密钥在软件中，其签名不具证明力。（DR-006）".to_owned(),
        }
    }
}
