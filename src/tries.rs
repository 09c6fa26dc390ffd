//! Tries left, and the word that spends a risky one.

use std::fmt;

/// How many tries a PIN has left, as far as the token tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PinStatus {
    /// The token counts and tells: this many are left. 0 is [`PinStatus::Locked`].
    Known(u8),
    /// Flags say that at least this many are left.
    AtLeast(u8),
    /// The next wrong PIN locks (`CKF_USER_PIN_FINAL_TRY`).
    Final,
    /// Locked: only the issuing office can unlock.
    Locked,
    /// The token does not tell. `refused`: a wrong PIN is known to have been entered since the last right one.
    Unknown {
        /// A refusal was seen by this process, or the token's flags speak of one.
        refused: bool,
    },
}

impl PinStatus {
    /// Whether one more wrong PIN may be the last.
    #[must_use]
    pub fn is_last_try(self) -> bool {
        matches!(self, PinStatus::Known(1) | PinStatus::AtLeast(0 | 1) | PinStatus::Final)
    }

    /// Whether the token tells that there are so many.
    #[must_use]
    pub(crate) fn is_at_least(self, tries: u8) -> bool {
        matches!(self, PinStatus::Known(now) | PinStatus::AtLeast(now) if now >= tries)
    }

    /// Whether no try was spent since `full` was read, right after a PIN was accepted. One device may tell it in two ways: a card over PC/SC
    /// counts, a module for the same card only says that nothing was refused.
    #[must_use]
    pub(crate) fn is_no_worse_than(self, full: PinStatus) -> bool {
        match (self, full) {
            (PinStatus::Known(now), PinStatus::Known(then)) => now >= then,
            // How many they were was not told. Few devices have less than three, so with two left somebody may have been refused.
            (PinStatus::Known(now), PinStatus::AtLeast(then)) => now >= then.max(3),
            (PinStatus::AtLeast(_), PinStatus::Known(_) | PinStatus::AtLeast(_)) => true,
            (now, then) => now == then,
        }
    }
}

impl PinStatus {
    /// In Chinese.
    pub(crate) fn zh(self) -> String {
        match self {
            PinStatus::Known(n) => n.to_string(),
            PinStatus::AtLeast(n) => format!("至少 {n}"),
            PinStatus::Final => "1（最后一次）".to_owned(),
            PinStatus::Locked => "0（已锁定）".to_owned(),
            PinStatus::Unknown { refused: false } => "未知".to_owned(),
            PinStatus::Unknown { refused: true } => "未知，且之前有口令被拒绝".to_owned(),
        }
    }
}

impl fmt::Display for PinStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PinStatus::Known(n) => write!(f, "{n}"),
            PinStatus::AtLeast(n) => write!(f, "at least {n}"),
            PinStatus::Final => f.write_str("1, the last"),
            PinStatus::Locked => f.write_str("none: locked"),
            PinStatus::Unknown { refused: false } => f.write_str("unknown"),
            PinStatus::Unknown { refused: true } => f.write_str("unknown, and a wrong PIN was entered before"),
        }
    }
}

/// The explicit word of a person that a risky try may be spent. Ordered: each includes the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Consent {
    /// No risky try is spent.
    #[default]
    None,
    /// Try although a PIN was refused before and the token does not tell how many tries are left.
    AfterRefusal,
    /// Try although this is the last try.
    LastTry,
}

#[cfg(test)]
mod tests {
    use super::PinStatus::{AtLeast, Known};

    #[test]
    fn two_tries_are_not_all_of_them_where_the_full_count_was_never_told() {
        assert!(Known(3).is_no_worse_than(Known(3)) && Known(3).is_no_worse_than(AtLeast(2)));
        assert!(Known(2).is_no_worse_than(Known(2)) && !Known(2).is_no_worse_than(Known(3)));
        assert!(!Known(2).is_no_worse_than(AtLeast(2)) && AtLeast(2).is_no_worse_than(AtLeast(2)));
    }
}
