//! The computer's readers, or those of them that a person means.

use std::sync::{Arc, Mutex, PoisonError};

use shared_shield::link::{self, Link, ReaderState, Readers};
use shared_shield::{Result, Wait};

use crate::args::Global;
use crate::simulated;

/// The readers that the command line allows, the simulator's in place of the computer's; `None`: none of them.
pub(crate) fn of(global: &Global) -> Result<Option<Arc<dyn Readers>>> {
    let all = match &global.simulator {
        Some(file) => simulated::readers(file)?,
        None if global.no_readers => return Ok(None),
        None => link::pcsc::system(),
    };
    Ok(Some(match &global.reader {
        None => all,
        Some(text) => Arc::new(Narrowed { all, text: text.clone(), seen: Mutex::default() }),
    }))
}

/// Readers whose name contains a text.
struct Narrowed {
    all: Arc<dyn Readers>,
    text: String,
    /// What the service showed last, the other readers too: it is asked for what differs from that.
    seen: Mutex<Vec<ReaderState>>,
}

impl Narrowed {
    fn narrow(&self, states: Vec<ReaderState>) -> Vec<ReaderState> {
        let meant = states.iter().filter(|s| s.reader.contains(&self.text)).cloned().collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = states;
        meant
    }
}

impl Readers for Narrowed {
    fn list(&self, wait: &Wait) -> Result<Vec<ReaderState>> {
        Ok(self.narrow(self.all.list(wait)?))
    }

    fn changed(&self, known: &[ReaderState], wait: &Wait) -> Result<Vec<ReaderState>> {
        loop {
            let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let meant = self.narrow(self.all.changed(&seen, wait)?);
            // What happens in another reader is nobody's news here.
            if meant != known || wait.remaining().is_zero() || wait.cancel.is_cancelled() {
                return Ok(meant);
            }
        }
    }

    fn connect(&self, reader: &str, wait: &Wait) -> Result<Arc<dyn Link>> {
        self.all.connect(reader, wait)
    }
}
