//! How a connection shares the card with others in time.

use std::time::{Duration, Instant};

use crate::policy;

/// Others get their turn: pcscd lets those who wait for a transaction look every 100 ms whether the card is free, so who ends one and begins the next
/// at once never lets them in. After [`policy::LEASE_TIME`] of holding the card one begin waits so long after the last end.
#[derive(Default)]
pub(super) struct Turns {
    held: Duration,
    ended: Option<Instant>,
}

impl Turns {
    const GAP: Duration = Duration::from_millis(120);

    /// Before a begin.
    pub(super) fn give_way(&mut self) {
        let Some(gap) = self.ended.map(|e| e.elapsed()) else { return };
        // The service of Windows has a queue.
        if gap < Self::GAP && self.held >= policy::LEASE_TIME && !cfg!(windows) {
            std::thread::sleep(Self::GAP.saturating_sub(gap));
        } else if gap < Self::GAP {
            return;
        }
        self.held = Duration::ZERO;
    }

    /// After an end.
    pub(super) fn took(&mut self, since: Option<Instant>) {
        if let Some(since) = since {
            self.held = self.held.saturating_add(since.elapsed());
            self.ended = Some(Instant::now());
        }
    }
}

/// Waits that become longer: somebody else has the card for a time that nobody knows.
pub(super) struct Pause(Duration);

impl Pause {
    pub(super) const FIRST: Pause = Pause(Duration::from_millis(10));

    pub(super) fn sleep(&mut self) {
        std::thread::sleep(self.0);
        self.0 = self.0.saturating_mul(2).min(Duration::from_millis(200));
    }
}
