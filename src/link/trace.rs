//! A log of what goes to a card and comes back, at trace level, target `shared_shield::apdu`, without anything that must not be seen.
//!
//! Headers and status words are always shown. Data is shown only where it is known to be harmless: the AID of a SELECT and what the application
//! says of itself, the name of a data object. Everything else, whatever its instruction, shows its length, and what carries a PIN not even
//! that: a caller that forgets to mark a command gives nothing away. A mark ([`Sensitive`]) hides what would be shown. Certificates hold names and
//! identity numbers of people, so of a data object its first four octets are shown and no more.
//!
//! What is hidden stays hidden over command chaining (CLA bit 5) and over GET RESPONSE.

use std::fmt::Write as _;
use std::sync::Arc;

use tracing::{Level, debug, enabled, trace};

use super::{Atr, Continuity, Link, ReaderState, Readers, Transaction};
use crate::apdu::{Limits, Sensitive, Transmit, Wire};
use crate::error::Result;
use crate::wait::Wait;

/// Logs all that goes through these readers.
pub fn traced(readers: Arc<dyn Readers>) -> Arc<dyn Readers> {
    Arc::new(Traced { readers })
}

struct Traced {
    readers: Arc<dyn Readers>,
}

impl Readers for Traced {
    fn list(&self, wait: &Wait) -> Result<Vec<ReaderState>> {
        self.readers.list(wait).inspect_err(|error| debug!(%error, "readers cannot be listed"))
    }

    fn changed(&self, known: &[ReaderState], wait: &Wait) -> Result<Vec<ReaderState>> {
        self.readers.changed(known, wait).inspect_err(|error| debug!(%error, "readers cannot be watched"))
    }

    fn connect(&self, reader: &str, wait: &Wait) -> Result<Arc<dyn Link>> {
        let link = self.readers.connect(reader, wait).inspect_err(|error| debug!(reader, %error, "no connection"))?;
        debug!(reader, atr = %link.atr(), "connected");
        Ok(Arc::new(TracedLink { link, reader: Arc::from(reader) }))
    }
}

struct TracedLink {
    link: Arc<dyn Link>,
    reader: Arc<str>,
}

impl Link for TracedLink {
    fn atr(&self) -> Atr {
        self.link.atr()
    }

    fn begin(&self, wait: &Wait) -> Result<Box<dyn Transaction>> {
        let reader = Arc::clone(&self.reader);
        let transaction = self.link.begin(wait).inspect_err(|error| debug!(%reader, %error, "no transaction"))?;
        trace!(target: "shared_shield::apdu", %reader, continuity = ?transaction.continuity(), "begin");
        Ok(Box::new(TracedTransaction { transaction, reader, hidden: None }))
    }
}

struct TracedTransaction {
    transaction: Box<dyn Transaction>,
    reader: Arc<str>,
    /// The last command hid its data or its answer: its further parts are hidden too.
    hidden: Option<Hidden>,
}

#[derive(Clone, Copy)]
struct Hidden {
    instruction: u8,
    chained: bool,
    answer: bool,
}

impl Transmit for TracedTransaction {
    fn transmit(&mut self, command: &Wire) -> Result<Vec<u8>> {
        if !enabled!(target: "shared_shield::apdu", Level::TRACE) {
            self.hidden = None;
            return self.transaction.transmit(command);
        }
        let shown = Shown::of(command, self.hidden);
        self.hidden = shown.hidden;
        let reader = &self.reader;
        trace!(target: "shared_shield::apdu", %reader, "-> {}", shown.command);
        let answer = self.transaction.transmit(command);
        match &answer {
            Ok(octets) => trace!(target: "shared_shield::apdu", %reader, "<- {}", answer_text(octets, shown.of_answer)),
            Err(error) => trace!(target: "shared_shield::apdu", %reader, %error, "<- nothing"),
        }
        answer
    }

    fn limits(&self) -> Limits {
        self.transaction.limits()
    }
}

impl Transaction for TracedTransaction {
    fn continuity(&self) -> Continuity {
        self.transaction.continuity()
    }
}

impl Drop for TracedTransaction {
    fn drop(&mut self) {
        trace!(target: "shared_shield::apdu", reader = %self.reader, "end");
    }
}

/// The most octets of data that are shown.
const SHOWN: usize = 32;
/// The most of a data object: its tag and its length.
const OF_OBJECT: usize = 4;

/// What may be seen of one command.
struct Shown {
    command: String,
    /// The most octets of the answer's data.
    of_answer: usize,
    hidden: Option<Hidden>,
}

impl Shown {
    fn of(wire: &Wire, before: Option<Hidden>) -> Shown {
        let [class, instruction, p1, p2, rest @ ..] = wire.octets() else {
            let command = format!("({} octets, no command)", wire.octets().len());
            return Shown { command, of_answer: 0, hidden: None };
        };
        let (class, instruction) = (*class, *instruction);
        let chained = class & 0x10 != 0;
        let continues = before.is_some_and(|b| b.chained && b.instruction == instruction);
        let after_hidden = instruction == GET_RESPONSE && before.is_some_and(|b| b.answer);
        let marked = wire.sensitive();
        let hide_data = continues || matches!(marked, Sensitive::Command | Sensitive::Both);
        let hide_answer = after_hidden || continues || matches!(marked, Sensitive::Answer | Sensitive::Both);
        let mut command = hex(&[class, instruction, *p1, *p2]);
        // What is harmless is known for the interindustry class alone.
        let known = class & PROPRIETARY == 0;
        let of_answer = match instruction {
            _ if !known => 0,
            SELECT if !hide_answer => SHOWN,
            GET_DATA | GET_DATA_OBJECT if !hide_answer => OF_OBJECT,
            _ => 0,
        };
        match instruction {
            _ if rest.is_empty() => {}
            VERIFY | CHANGE_REFERENCE_DATA | RESET_RETRY_COUNTER => command.push_str(" (hidden)"),
            SELECT | GET_DATA | GET_DATA_OBJECT | GET_RESPONSE if known && !hide_data => {
                let _ = write!(command, " {}", cut(rest, SHOWN));
            }
            _ => {
                let _ = write!(command, " ({} octets)", rest.len());
            }
        }
        let hidden = (hide_data || hide_answer).then_some(Hidden { instruction, chained, answer: hide_answer });
        Shown { command, of_answer, hidden }
    }
}

/// CLA bit 8 (ISO/IEC 7816-4 §5.4.1): the meaning of the instruction is its maker's.
const PROPRIETARY: u8 = 0x80;

// ISO/IEC 7816-4 table 4.2
const VERIFY: u8 = 0x20;
const CHANGE_REFERENCE_DATA: u8 = 0x24;
const RESET_RETRY_COUNTER: u8 = 0x2C;
const SELECT: u8 = 0xA4;
const GET_RESPONSE: u8 = 0xC0;
const GET_DATA: u8 = 0xCA;
const GET_DATA_OBJECT: u8 = 0xCB;

fn answer_text(answer: &[u8], shown: usize) -> String {
    let Some((data, sw)) = answer.len().checked_sub(2).and_then(|n| answer.split_at_checked(n)) else {
        return format!("({} octets, no status word)", answer.len());
    };
    match (data.is_empty(), shown) {
        (true, _) => hex(sw),
        (false, 0) => format!("({} octets) {}", data.len(), hex(sw)),
        (false, _) => format!("{} {}", cut(data, shown), hex(sw)),
    }
}

fn cut(octets: &[u8], most: usize) -> String {
    match octets.get(..most) {
        Some(first) if octets.len() > most => format!("{}... ({} octets)", hex(first), octets.len()),
        _ => hex(octets),
    }
}

fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().saturating_mul(3));
    for octet in octets {
        let _ = write!(text, "{}{octet:02X}", if text.is_empty() { "" } else { " " });
    }
    text
}
