//! The way to the card: readers in this process, with what the input says in between, and a ledger of what the library sends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use shared_shield::apdu::{Limits, Sensitive, Transmit, Wire};
use shared_shield::link::card::{SharedCard, VirtualReaders};
use shared_shield::link::{Atr, Continuity, Link, ReaderState, Readers, Transaction};
use shared_shield::{Result, Wait};

use crate::card::{AID, PivCard, data_of};
use crate::script::{Change, Event, Script, bend};
use crate::story::Secrets;

/// The one reader.
pub const READER: &str = "Reader";

/// The cards of a desk, of one family.
pub trait Cards: Send + Sync {
    /// What only this family knows happens: another card in the place of the first, what another program does.
    fn happen(&self, readers: &VirtualReaders, event: Event);

    /// The card as it is put in again.
    fn card(&self) -> SharedCard;

    /// Wrong PINs and unlock codes that the cards counted.
    fn refusals(&self) -> u64;
}

/// Looks at what goes to a card and comes back in one transaction, as the library has it.
pub trait Watch: Send {
    /// A command before it goes out.
    fn command(&mut self, wire: &Wire, ledger: &mut Ledger, secrets: &Secrets);

    /// An answer as the library gets it.
    fn answer(&mut self, answer: &[u8], ledger: &mut Ledger);

    /// The end of the transaction; `whole` when nothing went wrong in it.
    fn end(&mut self, _whole: bool, _ledger: &mut Ledger) {}
}

/// What the library sent in one act, and what it must not have sent.
#[derive(Debug, Default)]
pub struct Ledger {
    pub commands: u64,
    /// Commands with a PIN or an unlock code.
    pub pins: u32,
    /// GENERAL AUTHENTICATE.
    pub signs: u64,
    /// An answer was not the card's own.
    pub lied: bool,
    /// The status word by which the last PIN was refused.
    pub refused: Option<u16>,
    pub complaints: Vec<String>,
}

/// A reader with a card in it, bent as the script says. Clones are the same.
#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    /// The readers behind it: of this process, or others to record them.
    behind: Arc<dyn Readers>,
    own: Option<(VirtualReaders, Box<dyn Cards>)>,
    watch: fn() -> Box<dyn Watch>,
    secrets: Secrets,
    state: Mutex<State>,
}

struct State {
    script: Option<Script>,
    ledger: Ledger,
    /// The last answer of the card itself.
    before: Vec<u8>,
    /// Every answer, where they are recorded.
    record: Option<Vec<Vec<u8>>>,
}

impl Desk {
    /// A card in this process.
    pub fn new(script: Script, secrets: &Secrets) -> Self {
        let card = |twin| PivCard::new(script.make, secrets.pin.as_bytes(), secrets.puk.as_bytes(), twin);
        let cards = Piv { card: card(false), twin: card(true), other_pin: secrets.other.clone() };
        Desk::with(Box::new(cards), || Box::new(Seen::default()), script, secrets)
    }

    /// Cards of another family in this process.
    pub fn with(cards: Box<dyn Cards>, watch: fn() -> Box<dyn Watch>, script: Script, secrets: &Secrets) -> Self {
        let readers = VirtualReaders::new(&[READER]);
        readers.insert(READER, cards.card());
        let behind = Arc::new(readers.clone());
        Desk::over(behind, Some((readers, cards)), watch, Some(script), secrets)
    }

    /// Other readers, whose answers are recorded.
    pub fn recording(behind: Arc<dyn Readers>, secrets: &Secrets) -> Self {
        Desk::recording_with(behind, || Box::new(Seen::default()), secrets)
    }

    /// The same of another family.
    pub fn recording_with(behind: Arc<dyn Readers>, watch: fn() -> Box<dyn Watch>, secrets: &Secrets) -> Self {
        let desk = Desk::over(behind, None, watch, None, secrets);
        desk.state().record = Some(Vec::new());
        desk
    }

    fn over(
        behind: Arc<dyn Readers>,
        own: Option<(VirtualReaders, Box<dyn Cards>)>,
        watch: fn() -> Box<dyn Watch>,
        script: Option<Script>,
        secrets: &Secrets,
    ) -> Self {
        let state = State { script, ledger: Ledger::default(), before: Vec::new(), record: None };
        Desk(Arc::new(Inner { behind, own, watch, secrets: secrets.clone(), state: Mutex::new(state) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ledger of an act, which ends with this.
    pub fn close_act(&self) -> Ledger {
        std::mem::take(&mut self.state().ledger)
    }

    /// Wrong PINs and unlock codes that the cards counted.
    pub fn refusals(&self) -> u64 {
        self.0.own.as_ref().map_or(0, |(_, cards)| cards.refusals())
    }

    /// What was recorded, as an input: a head, and then a length before each answer.
    pub fn recorded(&self, head: [u8; 3]) -> Vec<u8> {
        let mut input = head.to_vec();
        for answer in self.state().record.take().unwrap_or_default() {
            match u8::try_from(answer.len()) {
                Ok(short @ 0..0xFE) => input.push(short),
                _ => {
                    input.push(0xFF);
                    input.extend(u16::try_from(answer.len()).expect("an answer of a card").to_be_bytes());
                }
            }
            input.extend(answer);
        }
        input
    }

    /// What happens before the command reaches the card.
    fn happen(&self, event: Event) {
        let Some((readers, cards)) = &self.0.own else { return };
        match event {
            Event::Removed | Event::Lost => drop(readers.remove(READER)),
            Event::Back | Event::LostAndBack => readers.insert(READER, cards.card()),
            Event::Reset | Event::ResetAfter => readers.reset(READER),
            Event::Restart => {
                readers.stop();
                readers.start();
            }
            Event::Twin | Event::Foreign | Event::OtherPin => cards.happen(readers, event),
        }
    }
}

/// A PIV card and another one that says it is the first.
struct Piv {
    card: PivCard,
    twin: PivCard,
    other_pin: String,
}

impl Cards for Piv {
    fn happen(&self, readers: &VirtualReaders, event: Event) {
        match event {
            Event::Twin => readers.insert(READER, shared(&self.twin)),
            Event::Foreign => drop(readers.foreign(READER, b"\x00\xA4\x04\x00\x05OTHER")),
            _ => self.card.set_pin(self.other_pin.as_bytes()),
        }
    }

    fn card(&self) -> SharedCard {
        shared(&self.card)
    }

    fn refusals(&self) -> u64 {
        self.card.refusals() + self.twin.refusals()
    }
}

fn shared(card: &PivCard) -> SharedCard {
    Arc::new(Mutex::new(card.clone()))
}

impl Readers for Desk {
    fn list(&self, wait: &Wait) -> Result<Vec<ReaderState>> {
        self.0.behind.list(wait)
    }

    fn changed(&self, known: &[ReaderState], wait: &Wait) -> Result<Vec<ReaderState>> {
        self.0.behind.changed(known, wait)
    }

    fn connect(&self, reader: &str, wait: &Wait) -> Result<Arc<dyn Link>> {
        let link = self.0.behind.connect(reader, wait)?;
        Ok(Arc::new(BentLink { desk: self.clone(), link }))
    }
}

struct BentLink {
    desk: Desk,
    link: Arc<dyn Link>,
}

impl Link for BentLink {
    fn atr(&self) -> Atr {
        self.link.atr()
    }

    fn begin(&self, wait: &Wait) -> Result<Box<dyn Transaction>> {
        let transaction = self.link.begin(wait)?;
        let watch = (self.desk.0.watch)();
        Ok(Box::new(BentTransaction { desk: self.desk.clone(), transaction, watch, whole: true }))
    }
}

struct BentTransaction {
    desk: Desk,
    transaction: Box<dyn Transaction>,
    watch: Box<dyn Watch>,
    /// Every answer came, and was the card's own.
    whole: bool,
}

impl Drop for BentTransaction {
    fn drop(&mut self) {
        self.watch.end(self.whole, &mut self.desk.state().ledger);
    }
}

/// What the library knows in a transaction.
#[derive(Debug, Default)]
struct Seen {
    /// A SELECT of the application was answered by success.
    selected: bool,
    /// What the card said of the tries.
    told: Option<u16>,
    /// What the next status word is an answer to.
    asked: Asked,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Asked {
    #[default]
    Other,
    Select,
    Tries,
    Pin,
}

/// Status words that are the last try or none.
const LAST: [u16; 3] = [0x63C1, 0x63C0, 0x6983];

impl Watch for Seen {
    fn command(&mut self, wire: &Wire, ledger: &mut Ledger, secrets: &Secrets) {
        ledger.commands += 1;
        let [_, instruction, _, p2, ..] = *wire.octets() else { return ledger.complain("no command", self) };
        let data = data_of(wire.octets());
        let with_secret = matches!(instruction, 0x20 | 0x24 | 0x2C) && !data.is_empty();
        self.asked = match instruction {
            0xC0 => return,
            0xA4 if data == AID => Asked::Select,
            0x20 if !with_secret => Asked::Tries,
            _ if with_secret => Asked::Pin,
            _ => Asked::Other,
        };
        ledger.signs += u64::from(instruction == 0x87);
        if !with_secret {
            if secrets.all().any(|secret| has(wire.octets(), secret.as_bytes())) {
                ledger.complain("a PIN in a command that takes none", self);
            }
            return;
        }
        ledger.pins += 1;
        if !matches!(wire.sensitive(), Sensitive::Command | Sensitive::Both) {
            ledger.complain("a PIN that is not marked as a secret", self);
        }
        if !self.selected {
            ledger.complain("a PIN without SELECT in the same transaction", self);
        }
        if let Some(refused) = ledger.refused {
            ledger.complain(&format!("a PIN after one was refused ({refused:04X})"), self);
        }
        let of_pin = instruction == 0x20 || instruction == 0x24 && p2 != 0x81;
        if of_pin && self.told.is_none() {
            ledger.complain("a PIN whose tries were not asked for in the same transaction", self);
        }
        if of_pin && self.told.is_some_and(|told| LAST.contains(&told)) {
            ledger.complain("the last try", self);
        }
    }

    /// The last part of an answer that comes in parts counts.
    fn answer(&mut self, answer: &[u8], ledger: &mut Ledger) {
        let Some(status) = answer.last_chunk().map(|sw| u16::from_be_bytes(*sw)) else { return };
        match self.asked {
            Asked::Select => self.selected = status == 0x9000,
            Asked::Tries => self.told = Some(status),
            // More of the answer is to come.
            Asked::Pin if status >> 8 == 0x61 => {}
            // No such instruction: another application was selected, and none has looked at the PIN.
            Asked::Pin if matches!(status, 0x6D00 | 0x6E00) => {}
            Asked::Pin => ledger.refused = (status != 0x9000).then_some(status),
            Asked::Other => {}
        }
    }
}

impl Ledger {
    pub fn complain(&mut self, what: &str, seen: &impl std::fmt::Debug) {
        self.complaints.push(format!("{what}; {seen:04X?}"));
    }
}

pub fn has(octets: &[u8], part: &[u8]) -> bool {
    octets.windows(part.len()).any(|window| window == part)
}

impl Transmit for BentTransaction {
    fn transmit(&mut self, wire: &Wire) -> Result<Vec<u8>> {
        let change = {
            let state = &mut *self.desk.state();
            self.watch.command(wire, &mut state.ledger, &self.desk.0.secrets);
            state.script.as_mut().and_then(Script::at_command)
        };
        let after = match change {
            Some(Change::Event(event @ (Event::Lost | Event::LostAndBack | Event::ResetAfter))) => Some(event),
            Some(Change::Event(event)) => {
                self.desk.happen(event);
                None
            }
            _ => None,
        };
        self.whole &= change.is_none();
        let mut answer = self.transaction.transmit(wire).inspect_err(|_| self.whole = false)?;
        if let Some(event) = after {
            self.desk.happen(event);
            // The link is as dead as the event makes it: this one does not reach the card.
            return self.transaction.transmit(wire);
        }
        let state = &mut *self.desk.state();
        if let Some(change) = change {
            let card = std::mem::take(&mut state.before);
            state.before = answer.clone();
            state.ledger.lied |= !matches!(change, Change::Event(_));
            answer = bend(answer, &change, &card);
        } else {
            state.before.clone_from(&answer);
        }
        if let Some(record) = &mut state.record {
            record.push(answer.clone());
        }
        self.watch.answer(&answer, &mut state.ledger);
        Ok(answer)
    }

    fn limits(&self) -> Limits {
        self.transaction.limits()
    }
}

impl Transaction for BentTransaction {
    fn continuity(&self) -> Continuity {
        self.transaction.continuity()
    }
}
