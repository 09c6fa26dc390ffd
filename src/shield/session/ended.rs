//! Why a session has ended.

use crate::error::{Error, ErrorKind};
use crate::policy::Policy;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Every signature that the policy allows was made.
    UsedUp,
    /// The policy's lifetime is over, or nothing was signed for too long.
    Time,
    /// The token did not take the PIN, or it may not be sent as the tries stand.
    Refused,
    /// The token lost the login.
    Lost,
    /// The caller ended it.
    Dropped,
}

impl Why {
    /// The error of everybody who signs afterwards.
    pub(super) fn error(self, policy: &Policy) -> Error {
        let detail = match self {
            Why::UsedUp => format!("all {} signatures that one PIN entry allows were made", policy.signatures),
            Why::Time => "its time is over".to_owned(),
            Why::Refused => "the PIN was refused, or may not be sent again as the tries stand".to_owned(),
            Why::Lost => "the token lost the login and the PIN may not be sent again".to_owned(),
            Why::Dropped => "ended".to_owned(),
        };
        Error::new(ErrorKind::SessionEnded, "sign in batch").detail(detail)
    }
}
