//! What the commands that change PINs are told. A PIN itself is never said: it is typed, or comes from a descriptor or a variable.

use clap::Args;
use shared_shield::Consent;

use crate::args::{Choice, RoleName};

#[derive(Debug, Args)]
pub(crate) struct ChangePin {
    /// Whose PIN
    #[arg(long, value_enum)]
    pub(crate) role: RoleName,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Reads the PIN that is in force from this open file descriptor: one line, its newline is dropped
    #[arg(long, value_name = "N", conflicts_with = "pin_env")]
    pub(crate) pin_fd: Option<u32>,
    /// Reads the PIN that is in force from this environment variable
    #[arg(long, value_name = "NAME")]
    pub(crate) pin_env: Option<String>,
    #[command(flatten)]
    pub(crate) new: NewPin,
    /// Tries the PIN although a wrong one was entered before and the shield does not tell how many tries are left
    #[arg(long)]
    pub(crate) try_again: bool,
    /// Tries the PIN although it is the last try: a wrong one locks it
    #[arg(long)]
    pub(crate) spend_last_try: bool,
}

impl ChangePin {
    pub(crate) fn consent(&self) -> Consent {
        match (self.spend_last_try, self.try_again) {
            (true, _) => Consent::LastTry,
            (_, true) => Consent::AfterRefusal,
            _ => Consent::None,
        }
    }
}

/// The new PIN: another descriptor or variable than that of the old one.
#[derive(Debug, Args)]
pub(crate) struct NewPin {
    /// Reads the new PIN from this open file descriptor
    #[arg(long, value_name = "N", conflicts_with = "new_pin_env")]
    pub(crate) new_pin_fd: Option<u32>,
    /// Reads the new PIN from this environment variable
    #[arg(long, value_name = "NAME")]
    pub(crate) new_pin_env: Option<String>,
}

/// The unlock code that is in force.
#[derive(Debug, Args)]
pub(crate) struct Puk {
    /// Reads the unlock code from this open file descriptor: one line, its newline is dropped
    #[arg(long, value_name = "N", conflicts_with = "puk_env")]
    pub(crate) puk_fd: Option<u32>,
    /// Reads the unlock code from this environment variable
    #[arg(long, value_name = "NAME")]
    pub(crate) puk_env: Option<String>,
    /// Tries the unlock code although it is its last try: a wrong one locks it for good
    #[arg(long)]
    pub(crate) spend_last_try: bool,
}

impl Puk {
    pub(crate) fn consent(&self) -> Consent {
        if self.spend_last_try { Consent::LastTry } else { Consent::None }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Unblock {
    /// Whose PIN
    #[arg(long, value_enum)]
    pub(crate) role: RoleName,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) puk: Puk,
    #[command(flatten)]
    pub(crate) new: NewPin,
}

#[derive(Debug, Args)]
pub(crate) struct ChangePuk {
    /// The role whose PIN it unlocks; where one PIN opens both it need not be said
    #[arg(long, value_enum)]
    pub(crate) role: Option<RoleName>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) puk: Puk,
    /// Reads the new unlock code from this open file descriptor
    #[arg(long, value_name = "N", conflicts_with = "new_puk_env")]
    pub(crate) new_puk_fd: Option<u32>,
    /// Reads the new unlock code from this environment variable
    #[arg(long, value_name = "NAME")]
    pub(crate) new_puk_env: Option<String>,
}
