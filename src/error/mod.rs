//! One error type: what happened, where, how many tries are left, and what a person can do now.

#[macro_use]
mod kinds;
mod table;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::role::Role;
use crate::tries::PinStatus;

pub use table::ErrorKind;

/// The result of every fallible call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A raw status as the token or the system gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// A status word of a card (ISO/IEC 7816-4, SW1 and SW2).
    Sw(u16),
    /// A PKCS#11 return value by name; vendor values as `CKR_VENDOR_DEFINED(0x…)`.
    Ckr(String),
    /// A PC/SC return code by name, such as `SCARD_E_NO_SERVICE`; others as `0x80100001`.
    Pcsc(String),
    /// An error of the operating system.
    Io(String),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Sw(sw) => write!(f, "SW {sw:04X}"),
            Status::Ckr(name) | Status::Pcsc(name) | Status::Io(name) => f.write_str(name),
        }
    }
}

/// What a person can do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recovery {
    /// Plug the shield in.
    InsertShield,
    /// Enter this role's PIN.
    EnterPin(Option<Role>),
    /// Go to the office that issued this role's certificate.
    UnlockAtIssuer(Option<Role>),
    /// Let the other program finish, or close it.
    CloseOtherProgram,
    /// Install or repair the driver (PKCS#11 module).
    InstallDriver,
    /// Start the smart-card service.
    StartPcscd,
    /// Renew the certificate, or choose another.
    RenewCertificate,
    /// Correct the document, the profile or the arguments.
    FixDocument,
    /// Ask the administrator of this computer for a right.
    AskAdministrator,
    /// Choose another new PIN or unlock code: what was entered to entitle to it is not in question.
    ChooseNewPin,
    /// Try again.
    Retry,
    /// Nothing that a user can do.
    None,
}

/// One certificate that was looked at, and why it does or does not serve.
///
/// It holds no holder's name: `label` is made of the certificate number and the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Certificate number and issuer.
    pub label: String,
    /// SHA-256 fingerprint of the certificate, lower-case hex.
    pub fingerprint: String,
    /// Why it serves or not, in one clause.
    pub reason: String,
}

/// What went wrong. Boxed inside, so that a `Result` stays small.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    status: Option<Status>,
    io: Option<std::io::ErrorKind>,
    role: Option<Role>,
    tries: Option<PinStatus>,
    detail: Option<String>,
    candidates: Vec<Candidate>,
    correlation: u64,
    instead: Option<Recovery>,
    unlock_code: bool,
}

impl Error {
    /// An error of `kind`, met during `operation` (a few words, or a function of the token's interface such as `C_Login`).
    #[must_use]
    pub fn new(kind: ErrorKind, operation: &'static str) -> Self {
        Error(Box::new(Inner {
            kind,
            operation,
            status: None,
            io: None,
            role: None,
            tries: None,
            detail: None,
            candidates: Vec::new(),
            correlation: 0,
            instead: None,
            unlock_code: false,
        }))
    }

    /// Adds the raw status.
    #[must_use]
    pub fn status(mut self, status: Status) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds an error of the operating system as the raw status.
    #[must_use]
    pub fn io(mut self, error: &std::io::Error) -> Self {
        self.0.io = Some(error.kind());
        self.status(Status::Io(error.to_string()))
    }

    /// Adds the role, unless one is there.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.0.role.get_or_insert(role);
        self
    }

    /// Adds the tries left.
    #[must_use]
    pub fn tries(mut self, tries: PinStatus) -> Self {
        self.0.tries = Some(tries);
        self
    }

    /// Adds what exactly was met. Never a PIN, never a person's data.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds the certificates that were looked at.
    #[must_use]
    pub fn candidates(mut self, candidates: Vec<Candidate>) -> Self {
        self.0.candidates = candidates;
        self
    }

    /// Ties the error to one call's receipt and log lines.
    #[must_use]
    pub fn correlate(mut self, id: u64) -> Self {
        self.0.correlation = id;
        self
    }

    /// What was entered, or was to be set, is the unlock code (PUK) of the role's PIN: the sentence names that.
    #[must_use]
    pub fn of_unlock_code(mut self) -> Self {
        self.0.unlock_code = true;
        self
    }

    /// In this case something else helps than the kind says.
    #[must_use]
    #[cfg(feature = "gm0017")]
    pub(crate) fn helped_by(mut self, recovery: Recovery) -> Self {
        self.0.instead = Some(recovery);
        self
    }

    /// The stable axis; its number is the C code.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Where it happened.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The raw status, where there was one.
    #[must_use]
    pub fn raw_status(&self) -> Option<&Status> {
        self.0.status.as_ref()
    }

    /// The kind of the operating system's error, where there was one: tells a full disk from a name that is taken.
    #[must_use]
    pub fn io_kind(&self) -> Option<std::io::ErrorKind> {
        self.0.io
    }

    /// The role concerned, where there is one.
    #[must_use]
    pub fn concerns(&self) -> Option<Role> {
        self.0.role
    }

    /// Tries left after this, where a PIN was concerned.
    #[must_use]
    pub fn tries_left(&self) -> Option<PinStatus> {
        self.0.tries
    }

    /// What exactly was met, where there is more to say than the kind does.
    #[must_use]
    pub fn what(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Whether it is about the unlock code (PUK) in place of the PIN.
    #[must_use]
    pub fn is_of_unlock_code(&self) -> bool {
        self.0.unlock_code
    }

    /// The certificates that were looked at, each with its reason.
    #[must_use]
    pub fn looked_at(&self) -> &[Candidate] {
        &self.0.candidates
    }

    /// The correlation id, 0 where the error belongs to no call of a shield.
    #[must_use]
    pub fn correlation(&self) -> u64 {
        self.0.correlation
    }

    /// What a person can do now.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        match self.0.instead.unwrap_or(self.0.kind.entry().recovery) {
            Recovery::EnterPin(_) if self.0.unlock_code => Recovery::FixDocument,
            Recovery::EnterPin(_) => Recovery::EnterPin(self.0.role),
            Recovery::UnlockAtIssuer(_) => Recovery::UnlockAtIssuer(self.0.role),
            other => other,
        }
    }

    /// The short code to read over the phone, such as `SH-2003`.
    #[must_use]
    pub fn code(&self) -> String {
        self.0.kind.code()
    }

    /// The sentence in Chinese, with what to do now.
    #[must_use]
    pub fn message_zh(&self) -> String {
        let entry = self.0.kind.entry();
        let role = self.0.role;
        let whose = if self.0.unlock_code { "解锁码（PUK）" } else { "{role}口令" };
        let text = entry
            .zh
            .replace("{role}口令", whose)
            .replace("{role}", role.map_or("", Role::name_zh))
            .replace("{office}", role.map_or("发证机构", Role::office_zh));
        self.with_facts(text, ("（", "）"), |left| format!("；剩余次数：{}", left.zh()))
    }

    fn message_en(&self) -> String {
        let entry = self.0.kind.entry();
        let role = self.0.role;
        let whose = if self.0.unlock_code { "unlock code (PUK)" } else { "{role} PIN" };
        let text = entry
            .en
            .replace("{role} PIN", whose)
            .replace("{role} ", &role.map_or(String::new(), |r| format!("{r} ")))
            .replace("{office}", role.map_or("the issuing office", Role::office));
        self.with_facts(text, (" (", ")"), |left| format!("; tries left: {left}"))
    }

    /// The table's sentence, then the facts of this case in brackets.
    fn with_facts(&self, mut text: String, (open, close): (&str, &str), tries: impl Fn(PinStatus) -> String) -> String {
        let inner = &self.0;
        if let Some(detail) = &inner.detail {
            text.push_str(open);
            text.push_str(detail);
            text.push_str(close);
        }
        text.push_str(open);
        text.push_str(&inner.kind.code());
        text.push_str(", ");
        text.push_str(inner.operation);
        if let Some(status) = &inner.status {
            text.push_str(": ");
            text.push_str(&status.to_string());
        }
        if let Some(left) = inner.tries {
            text.push_str(&tries(left));
        }
        text.push_str(close);
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message_en())?;
        for candidate in &self.0.candidates {
            write!(f, "\n  - {}: {}", candidate.label, candidate.reason)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {self})", self.0.kind)
    }
}

impl std::error::Error for Error {}

/// A new correlation id: unique in this process, joins error, receipt and log.
pub(crate) fn next_correlation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_code_and_a_sentence_in_both_languages() {
        let mut codes = std::collections::BTreeSet::new();
        for kind in ErrorKind::ALL {
            let entry = kind.entry();
            assert!(codes.insert(*kind as u32), "{kind:?} reuses a number");
            assert!(entry.en.ends_with('.'), "{kind:?}: {}", entry.en);
            assert!(entry.zh.ends_with('。'), "{kind:?}: {}", entry.zh);
            assert_eq!(entry.en.matches(". ").count(), 0, "{kind:?} is more than one sentence");
            assert_eq!(ErrorKind::from_code(*kind as u32), Some(*kind));
        }
    }

    #[test]
    fn an_error_about_the_unlock_code_never_names_the_pin() {
        use ErrorKind as K;
        for kind in [K::PinLength, K::PinEncoding, K::PinEmpty, K::NewPinRefused] {
            let error = Error::new(kind, "test").role(Role::Customs);
            assert!(error.to_string().contains("customs PIN") && error.message_zh().contains("海关口令"), "{error}");
            let error = error.of_unlock_code();
            assert!(
                error.to_string().contains("unlock code (PUK)") && !error.to_string().contains("customs PIN"),
                "{error}"
            );
            assert!(
                error.message_zh().contains("解锁码（PUK）") && !error.message_zh().contains("海关口令"),
                "{error}"
            );
            assert!(!matches!(error.recovery(), Recovery::EnterPin(_)), "{error}");
        }
        assert_eq!(Error::new(K::NewPinRefused, "test").recovery(), Recovery::ChooseNewPin);
    }

    #[test]
    fn a_locked_pin_names_the_office_of_its_own_role() {
        let customs = Error::new(ErrorKind::PinLocked, "C_Login").role(Role::Customs);
        let bank = Error::new(ErrorKind::PinLocked, "C_Login").role(Role::Bank);
        assert!(customs.to_string().contains("e-port card office"), "{customs}");
        assert!(bank.to_string().contains("branch of the bank"), "{bank}");
        assert!(bank.message_zh().contains("开户银行网点"));
        let told = bank.clone().tries(PinStatus::Locked).message_zh();
        assert!(told.contains("剩余次数：0（已锁定）") && !told.contains("locked"), "{told}");
        assert_eq!(bank.recovery(), Recovery::UnlockAtIssuer(Some(Role::Bank)));
    }
}
