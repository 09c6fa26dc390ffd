//! Cards in this process, as [`Readers`](super::Readers): for tests that want to do to a card what cannot be done to a real one.

mod serving;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::pcsc::Code;
use super::{Atr, Presence, ReaderState};
use crate::error::Result;
use crate::wait::{Signal, lock};
use serving::VirtualLink;

/// A card in software.
pub trait VirtualCard: Send {
    /// Its ATR; one without historical bytes unless it says otherwise.
    fn atr(&self) -> Vec<u8> {
        vec![0x3B, 0x80, 0x80, 0x01, 0x01]
    }

    /// Whether card and reader take extended length.
    fn extended(&self) -> bool {
        false
    }

    /// It got power, or was reset: no application is selected and nobody is logged in.
    fn reset(&mut self);

    /// Answers one command.
    fn command(&mut self, apdu: &[u8]) -> Vec<u8>;

    /// What happened to the card during the last command, so that no answer of it reaches the reader. Told once.
    fn accident(&mut self) -> Option<Accident> {
        None
    }
}

/// What a card can suffer during a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accident {
    /// It was pulled out.
    PulledOut,
    /// It was reset by another program, or lost its power for a moment.
    Reset,
    /// Its answer was lost on the way; it knows nothing of that.
    Lost,
}

/// A card that reader and test both hold.
pub type SharedCard = Arc<Mutex<dyn VirtualCard>>;

/// Readers in this process. Clones are one and the same.
#[derive(Clone, Default)]
pub struct VirtualReaders(Arc<Inner>);

#[derive(Default)]
struct Inner {
    table: Mutex<Table>,
    signal: Arc<Signal>,
}

#[derive(Default)]
struct Table {
    slots: BTreeMap<String, Slot>,
    stopped: bool,
    /// Counts stops of the service: links of an earlier time stay dead.
    time: u64,
    delay: Duration,
    next: u64,
}

#[derive(Default)]
struct Slot {
    card: Option<SharedCard>,
    atr: Atr,
    insertion: u64,
    events: u32,
    resets: u64,
    ours: bool,
    theirs: usize,
    exclusive: usize,
    begins: u64,
    headers: Vec<[u8; 4]>,
    verifies: u64,
}

impl VirtualReaders {
    /// Empty readers of these names.
    #[must_use]
    pub fn new(names: &[&str]) -> Self {
        let readers = VirtualReaders::default();
        names.iter().for_each(|name| readers.plug(name));
        readers
    }

    fn change(&self, change: impl FnOnce(&mut Table)) {
        change(&mut lock(&self.0.table));
        self.0.signal.notify();
    }

    fn at(&self, reader: &str, change: impl FnOnce(&mut Slot)) {
        self.change(|table| {
            if let Some(slot) = table.slots.get_mut(reader) {
                change(slot);
            }
        });
    }

    fn look<R: Default>(&self, reader: &str, look: impl FnOnce(&Slot) -> R) -> R {
        lock(&self.0.table).slots.get(reader).map(look).unwrap_or_default()
    }

    /// Plugs an empty reader in.
    pub fn plug(&self, reader: &str) {
        self.change(|table| {
            table.slots.entry(reader.to_owned()).or_default();
        });
    }

    /// Unplugs a reader with what is in it.
    pub fn unplug(&self, reader: &str) {
        self.change(|table| {
            table.slots.remove(reader);
        });
    }

    /// Puts a card in, in place of the one that may be there. It gets power.
    pub fn insert(&self, reader: &str, card: SharedCard) {
        let atr = {
            let mut card = lock(&card);
            card.reset();
            Atr::new(&card.atr())
        };
        self.change(|table| {
            table.next = table.next.wrapping_add(1);
            let insertion = table.next;
            if let Some(slot) = table.slots.get_mut(reader) {
                slot.events = slot.events.wrapping_add(if slot.card.is_some() { 2 } else { 1 });
                (slot.insertion, slot.ours) = (insertion, false);
                (slot.card, slot.atr) = (Some(card), atr);
            }
        });
    }

    /// Pulls the card out.
    pub fn remove(&self, reader: &str) -> Option<SharedCard> {
        let mut card = None;
        self.at(reader, |slot| {
            card = slot.card.take();
            if card.is_some() {
                slot.events = slot.events.wrapping_add(1);
            }
            (slot.insertion, slot.ours) = (0, false);
        });
        card
    }

    /// Another program resets the card.
    pub fn reset(&self, reader: &str) {
        if let Some(card) = self.look(reader, |slot| slot.card.clone()) {
            lock(&card).reset();
        }
        self.at(reader, |slot| slot.resets = slot.resets.wrapping_add(1));
    }

    /// Another program selects another application, or does something else with the card between our transactions. Not counted.
    pub fn foreign(&self, reader: &str, apdu: &[u8]) -> Vec<u8> {
        let card = self.look(reader, |slot| slot.card.clone());
        card.map(|card| lock(&card).command(apdu)).unwrap_or_default()
    }

    /// Another program is in a transaction for so long, from now on (or from the end of ours).
    pub fn hold(&self, reader: &str, time: Duration) {
        self.for_a_while(reader, time, |slot| &mut slot.theirs);
    }

    /// Another program is connected for itself alone for so long: connecting fails and transactions wait.
    pub fn exclusive(&self, reader: &str, time: Duration) {
        self.for_a_while(reader, time, |slot| &mut slot.exclusive);
    }

    fn for_a_while(&self, reader: &str, time: Duration, count: fn(&mut Slot) -> &mut usize) {
        self.at(reader, |slot| *count(slot) = count(slot).saturating_add(1));
        let (readers, reader) = (self.clone(), reader.to_owned());
        std::thread::spawn(move || {
            std::thread::sleep(time);
            readers.at(&reader, |slot| *count(slot) = count(slot).saturating_sub(1));
        });
    }

    /// The service stops: every link is dead from now on.
    pub fn stop(&self) {
        self.change(|table| (table.stopped, table.time) = (true, table.time.wrapping_add(1)));
    }

    /// The service is there again. The cards had no power in between.
    pub fn start(&self) {
        let cards: Vec<_> = lock(&self.0.table).slots.values().filter_map(|slot| slot.card.clone()).collect();
        cards.iter().for_each(|card| lock(card).reset());
        self.change(|table| table.stopped = false);
    }

    /// Every command takes so long.
    pub fn delay(&self, time: Duration) {
        self.change(|table| table.delay = time);
    }

    /// How many commands of ours the cards in this reader got.
    #[must_use]
    pub fn commands(&self, reader: &str) -> usize {
        self.look(reader, |slot| slot.headers.len())
    }

    /// CLA INS P1 P2 of each of them.
    #[must_use]
    pub fn headers(&self, reader: &str) -> Vec<[u8; 4]> {
        self.look(reader, |slot| slot.headers.clone())
    }

    /// How many of them were a VERIFY with a PIN in it: each costs a try when the PIN is wrong.
    #[must_use]
    pub fn verifies(&self, reader: &str) -> u64 {
        self.look(reader, |slot| slot.verifies)
    }

    /// How many transactions of ours began.
    #[must_use]
    pub fn begins(&self, reader: &str) -> u64 {
        self.look(reader, |slot| slot.begins)
    }

    /// Begins all counts anew.
    pub fn forget(&self, reader: &str) {
        self.at(reader, |slot| (slot.headers, slot.verifies, slot.begins) = (Vec::new(), 0, 0));
    }

    /// Whether a transaction of ours is open.
    #[must_use]
    pub fn locked(&self, reader: &str) -> bool {
        self.look(reader, |slot| slot.ours)
    }
}

impl fmt::Debug for VirtualReaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualReaders").finish_non_exhaustive()
    }
}

impl Table {
    fn list(&self) -> Result<Vec<ReaderState>> {
        if self.stopped {
            return Err(Code::SCARD_E_NO_SERVICE.error("SCardListReaders"));
        }
        let state = |(name, slot): (&String, &Slot)| ReaderState {
            reader: name.clone(),
            presence: match &slot.card {
                Some(_) => Presence::Card(slot.atr.clone()),
                None => Presence::Empty,
            },
            exclusive: slot.exclusive > 0,
            events: slot.events,
        };
        Ok(self.slots.iter().map(state).collect())
    }

    /// The slot as long as the link's insertion is in it.
    fn slot(&mut self, link: &VirtualLink) -> Result<&mut Slot, Code> {
        if self.stopped || self.time != link.time {
            return Err(Code::SCARD_E_NO_SERVICE);
        }
        match self.slots.get_mut(&link.reader) {
            None => Err(Code::SCARD_E_READER_UNAVAILABLE),
            Some(slot) if slot.insertion != link.insertion => Err(Code::SCARD_W_REMOVED_CARD),
            Some(slot) => Ok(slot),
        }
    }
}
