//! Logins that a token did not let us end.

use super::Shield;

impl Shield {
    /// Whether a login of this process may be open on the shield although nothing keeps it: the shield refused its end, or was not reached with
    /// it. Then other programs may sign without a PIN until it is pulled out. A batch that keeps its login has it open on purpose: ask when it is
    /// over. Sends nothing.
    #[must_use]
    pub fn may_be_logged_in(&self) -> bool {
        self.open_doors().iter().any(|door| door.owes_login())
    }
}
