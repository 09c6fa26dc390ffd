//! Links and transactions of virtual readers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::pcsc::Code;
use super::super::{Atr, Continuity, Link, ReaderState, Readers, Transaction};
use super::{Accident, SharedCard, Slot, VirtualReaders};
use crate::apdu::{Limits, Transmit, Wire};
use crate::error::{Error, ErrorKind, Result};
use crate::wait::{Wait, lock};

impl Readers for VirtualReaders {
    fn list(&self, wait: &Wait) -> Result<Vec<ReaderState>> {
        wait.check("SCardListReaders")?;
        lock(&self.0.table).list()
    }

    fn changed(&self, known: &[ReaderState], wait: &Wait) -> Result<Vec<ReaderState>> {
        let differs = || match lock(&self.0.table).list() {
            Ok(now) if now == known => None,
            other => Some(other),
        };
        match self.0.signal.wait_for(wait, differs) {
            Some(answer) => answer,
            None if wait.cancel.is_cancelled() => Err(Error::new(ErrorKind::Cancelled, "SCardGetStatusChange")),
            None => Ok(known.to_vec()),
        }
    }

    fn connect(&self, reader: &str, wait: &Wait) -> Result<Arc<dyn Link>> {
        const CONNECT: &str = "SCardConnect";
        wait.check(CONNECT)?;
        let mut last = Code::SCARD_E_SHARING_VIOLATION;
        let connected = self.0.signal.wait_for(wait, || {
            let table = lock(&self.0.table);
            let slot = match table.slots.get(reader) {
                _ if table.stopped => return Some(Err(Code::SCARD_E_NO_SERVICE)),
                None => return Some(Err(Code::SCARD_E_UNKNOWN_READER)),
                Some(slot) => slot,
            };
            last = if slot.exclusive > 0 { Code::SCARD_E_SHARING_VIOLATION } else { Code::SCARD_E_TIMEOUT };
            let Some(card) = slot.card.clone() else { return Some(Err(Code::SCARD_E_NO_SMARTCARD)) };
            let link = VirtualLink {
                readers: self.clone(),
                reader: reader.to_owned(),
                insertion: slot.insertion,
                time: table.time,
                card,
                atr: slot.atr.clone(),
                before: Arc::default(),
            };
            (slot.exclusive == 0 && slot.theirs == 0 && !slot.ours).then_some(Ok(link))
        });
        match connected {
            Some(Ok(link)) => Ok(Arc::new(link)),
            Some(Err(code)) => Err(code.at_connect(CONNECT)),
            None if wait.cancel.is_cancelled() => Err(Error::new(ErrorKind::Cancelled, CONNECT)),
            None => Err(last.at_connect(CONNECT)),
        }
    }
}

#[derive(Clone)]
pub(super) struct VirtualLink {
    readers: VirtualReaders,
    pub(super) reader: String,
    pub(super) insertion: u64,
    pub(super) time: u64,
    card: SharedCard,
    atr: Atr,
    /// The count of resets at the end of the last transaction; `None` before the first.
    before: Arc<Mutex<Option<u64>>>,
}

impl Link for VirtualLink {
    fn atr(&self) -> Atr {
        self.atr.clone()
    }

    fn begin(&self, wait: &Wait) -> Result<Box<dyn Transaction>> {
        const BEGIN: &str = "SCardBeginTransaction";
        wait.check(BEGIN)?;
        let begun = self.readers.0.signal.wait_for(wait, || {
            let mut table = lock(&self.readers.0.table);
            let slot = match table.slot(self) {
                Ok(slot) => slot,
                Err(code) => return Some(Err(code.error(BEGIN))),
            };
            if slot.ours || slot.theirs > 0 || slot.exclusive > 0 {
                return None;
            }
            slot.ours = true;
            slot.begins = slot.begins.wrapping_add(1);
            Some(Ok(slot.resets))
        });
        let resets = match begun {
            Some(answer) => answer?,
            None if wait.cancel.is_cancelled() => return Err(Error::new(ErrorKind::Cancelled, BEGIN)),
            None => return Err(Error::new(ErrorKind::Busy, BEGIN).detail(format!("somebody uses {}", self.reader))),
        };
        let continuity = match lock(&self.before).replace(resets) {
            None => Continuity::First,
            Some(before) if before == resets => Continuity::Unbroken,
            Some(_) => Continuity::Reset,
        };
        Ok(Box::new(VirtualTransaction { link: self.clone(), resets, continuity, failed: None }))
    }
}

struct VirtualTransaction {
    link: VirtualLink,
    resets: u64,
    continuity: Continuity,
    failed: Option<Code>,
}

impl VirtualTransaction {
    /// Whether card and connection are what they were at the begin; what `count` does to the slot is done then.
    fn check(&self, count: impl FnOnce(&mut Slot)) -> Result<Duration, Code> {
        let mut table = lock(&self.link.readers.0.table);
        let delay = table.delay;
        let slot = table.slot(&self.link)?;
        if slot.resets != self.resets {
            return Err(Code::SCARD_W_RESET_CARD);
        }
        count(slot);
        Ok(delay)
    }

    fn exchange(&self, command: &[u8]) -> Result<Vec<u8>, Code> {
        let delay = self.check(|slot| {
            if let [class, instruction, p1, p2, rest @ ..] = command {
                slot.headers.push([*class, *instruction, *p1, *p2]);
                let with_data = *instruction == 0x20 && rest.len() > 1;
                slot.verifies = slot.verifies.wrapping_add(u64::from(with_data));
            }
        })?;
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        let (answer, accident) = {
            let mut card = lock(&self.link.card);
            (card.command(command), card.accident())
        };
        self.check(|_| {})?;
        match accident {
            None => Ok(answer),
            Some(accident) => Err(self.suffer(accident)),
        }
    }

    /// What the reader shows of what happened to the card. The card itself has forgotten its logins already.
    fn suffer(&self, accident: Accident) -> Code {
        match accident {
            Accident::PulledOut => {
                drop(self.link.readers.remove(&self.link.reader));
                Code::SCARD_W_REMOVED_CARD
            }
            Accident::Reset => {
                self.link.readers.at(&self.link.reader, |slot| slot.resets = slot.resets.wrapping_add(1));
                Code::SCARD_W_RESET_CARD
            }
            Accident::Lost => Code::SCARD_E_NOT_TRANSACTED,
        }
    }
}

impl Transmit for VirtualTransaction {
    fn transmit(&mut self, command: &Wire) -> Result<Vec<u8>> {
        const TRANSMIT: &str = "SCardTransmit";
        if let Some(code) = self.failed {
            return Err(code.error(TRANSMIT));
        }
        self.exchange(command.octets()).map_err(|code| {
            self.failed = Some(code);
            code.error(TRANSMIT)
        })
    }

    fn limits(&self) -> Limits {
        Limits { extended: lock(&self.link.card).extended() }
    }
}

impl Transaction for VirtualTransaction {
    fn continuity(&self) -> Continuity {
        self.continuity
    }
}

impl Drop for VirtualTransaction {
    fn drop(&mut self) {
        // Another insertion in the same reader is none of this transaction's business.
        let mut table = lock(&self.link.readers.0.table);
        let insertion = self.link.insertion;
        if let Some(slot) = table.slots.get_mut(&self.link.reader).filter(|s| s.insertion == insertion) {
            slot.ours = false;
        }
        drop(table);
        self.link.readers.0.signal.notify();
    }
}
