//! Logins that a shield did not let us end: said at the end of every command, whatever became of it.

use std::sync::{Mutex, PoisonError};

use shared_shield::Shield;

use crate::screen::Screen;

/// The shields that this command works with.
static SHIELDS: Mutex<Vec<Shield>> = Mutex::new(Vec::new());

/// Asks this shield when the command is over.
pub(crate) fn remember(shield: &Shield) {
    SHIELDS.lock().unwrap_or_else(PoisonError::into_inner).push(shield.clone());
}

/// Batches are over now, and with them what they kept.
pub(crate) fn tell(screen: &Screen) {
    let shields = std::mem::take(&mut *SHIELDS.lock().unwrap_or_else(PoisonError::into_inner));
    if shields.iter().any(Shield::may_be_logged_in) {
        screen.note(screen.lang.pick(
            "A login on the shield could not be ended and may still be open: pull the shield out now, or other programs may sign without a PIN.",
            "共享盾上的登录未能结束，可能仍然有效：请立即拔出共享盾，否则其他程序可能无需口令即可签名。",
        ));
    }
}
