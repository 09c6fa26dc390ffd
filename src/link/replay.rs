//! A script as a card: exact octets in, octets or a fault out. A command that is not the next one of the script is refused and written down.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use super::pcsc::Code;
use super::{Atr, Continuity, Link, Presence, ReaderState, Readers, Transaction};
use crate::apdu::{Limits, Transmit, Wire};
use crate::error::{Error, ErrorKind, Result};
use crate::wait::{Signal, Wait, lock};

/// One reader with one card that follows a script. Clones are one and the same.
///
/// ```
/// # #[cfg(feature = "doubles")] {
/// use shared_shield::link::replay::Replay;
/// use std::sync::Arc;
///
/// let script = Replay::new("Reader", "3B 80 80 01 01").begin().answer("00 A4 04 00", "90 00");
/// let readers: Arc<dyn shared_shield::link::Readers> = Arc::new(script.clone());
/// // ... what is tested uses `readers` ...
/// assert_eq!(script.finish().unwrap_err(), "2 steps are left"); // here nothing did
/// # }
/// ```
#[derive(Clone)]
pub struct Replay(Arc<Inner>);

struct Inner {
    reader: String,
    atr: Atr,
    state: Mutex<State>,
    signal: Arc<Signal>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Step>,
    complaints: Vec<String>,
    commands: usize,
    begun: bool,
    extended: bool,
    looks: Option<VecDeque<Result<Vec<ReaderState>, Code>>>,
}

enum Step {
    Begin(Result<Option<Continuity>, Code>),
    Command(Vec<u8>, Result<Vec<u8>, Code>),
}

/// Octets from hex digits, white space left out; what is no such thing gives `None`.
fn octets(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().filter(|c| !c.is_whitespace()).map(|c| u8::try_from(c).unwrap_or(0)).collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    let octet = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(octet).collect())?
}

impl Replay {
    /// An empty script. ATR, commands and answers are hex digits, with or without spaces.
    #[must_use]
    pub fn new(reader: &str, atr: &str) -> Self {
        let replay = Replay(Arc::new(Inner {
            reader: reader.to_owned(),
            atr: Atr::new(&octets(atr).unwrap_or_default()),
            state: Mutex::default(),
            signal: Arc::default(),
        }));
        replay.read(atr);
        replay
    }

    fn read(&self, hex: &str) -> Vec<u8> {
        octets(hex).unwrap_or_else(|| {
            lock(&self.0.state).complaints.push(format!("{hex:?} is no hex"));
            Vec::new()
        })
    }

    fn step(self, step: Step) -> Self {
        lock(&self.0.state).script.push_back(step);
        self
    }

    /// A transaction begins: the first one, or one without a reset since the last.
    #[must_use]
    pub fn begin(self) -> Self {
        self.step(Step::Begin(Ok(None)))
    }

    /// A transaction begins; another program has reset the card before.
    #[must_use]
    pub fn begin_after_reset(self) -> Self {
        self.step(Step::Begin(Ok(Some(Continuity::Reset))))
    }

    /// A transaction cannot begin.
    #[must_use]
    pub fn begin_fails(self, code: Code) -> Self {
        self.step(Step::Begin(Err(code)))
    }

    /// This very command gets this answer, status word included.
    #[must_use]
    pub fn answer(self, command: &str, answer: &str) -> Self {
        let (command, answer) = (self.read(command), self.read(answer));
        self.step(Step::Command(command, Ok(answer)))
    }

    /// This very command fails.
    #[must_use]
    pub fn fails(self, command: &str, code: Code) -> Self {
        let command = self.read(command);
        self.step(Step::Command(command, Err(code)))
    }

    /// Card and reader take extended length.
    #[must_use]
    pub fn extended(self) -> Self {
        lock(&self.0.state).extended = true;
        self
    }

    /// What is in the readers, one look after the other: [`Readers::list`] shows the first that is left, [`Readers::changed`] goes on to the next.
    /// At the end of the looks nothing changes any more. Without this there is one reader with the card in it.
    #[must_use]
    pub fn looks(self, looks: Vec<Result<Vec<ReaderState>, Code>>) -> Self {
        lock(&self.0.state).looks = Some(looks.into());
        self
    }

    /// How many commands came.
    #[must_use]
    pub fn commands(&self) -> usize {
        lock(&self.0.state).commands
    }

    /// What was not as the script has it.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        lock(&self.0.state).complaints.clone()
    }

    /// Whether all went by the script, to its end.
    ///
    /// # Errors
    /// The first complaint, or how many steps are left.
    pub fn finish(&self) -> Result<(), String> {
        let state = lock(&self.0.state);
        match (state.complaints.first(), state.script.len()) {
            (Some(complaint), _) => Err(complaint.clone()),
            (None, 0) => Ok(()),
            (None, left) => Err(format!("{left} steps are left")),
        }
    }

    fn complain(&self, operation: &'static str, complaint: String) -> Error {
        let error = Error::new(ErrorKind::Defect, operation).detail(complaint.clone());
        lock(&self.0.state).complaints.push(complaint);
        error
    }

    fn look(&self) -> Result<Vec<ReaderState>, Code> {
        let state = lock(&self.0.state);
        match &state.looks {
            Some(looks) => looks.front().cloned().unwrap_or_else(|| Ok(Vec::new())),
            None => Ok(vec![ReaderState {
                reader: self.0.reader.clone(),
                presence: Presence::Card(self.0.atr.clone()),
                exclusive: false,
                events: 1,
            }]),
        }
    }

    /// Goes on to the next look; `false` when this is the last.
    fn advance(&self) -> bool {
        let mut state = lock(&self.0.state);
        match &mut state.looks {
            Some(looks) if looks.len() > 1 => looks.pop_front().is_some(),
            _ => false,
        }
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("reader", &self.0.reader).finish_non_exhaustive()
    }
}

impl Readers for Replay {
    fn list(&self, wait: &Wait) -> Result<Vec<ReaderState>> {
        wait.check("SCardListReaders")?;
        self.look().map_err(|code| code.error("SCardListReaders"))
    }

    fn changed(&self, known: &[ReaderState], wait: &Wait) -> Result<Vec<ReaderState>> {
        const CHANGED: &str = "SCardGetStatusChange";
        if self.look().is_ok_and(|now| now == known) && !self.advance() {
            let _: Option<()> = self.0.signal.wait_for(wait, || None);
            if wait.cancel.is_cancelled() {
                return Err(Error::new(ErrorKind::Cancelled, CHANGED));
            }
        }
        let now = self.look();
        if now.is_err() {
            // An error is seen once.
            self.advance();
        }
        now.map_err(|code| code.error(CHANGED))
    }

    fn connect(&self, reader: &str, wait: &Wait) -> Result<Arc<dyn Link>> {
        const CONNECT: &str = "SCardConnect";
        wait.check(CONNECT)?;
        let here = self.look().map_err(|code| code.at_connect(CONNECT))?;
        match here.iter().find(|state| state.reader == reader).map(|state| &state.presence) {
            Some(Presence::Card(atr)) => Ok(Arc::new(ReplayLink { replay: self.clone(), atr: atr.clone() })),
            Some(Presence::Mute) => Err(Code::SCARD_W_UNRESPONSIVE_CARD.at_connect(CONNECT)),
            Some(Presence::Empty) => Err(Code::SCARD_E_NO_SMARTCARD.at_connect(CONNECT)),
            None => Err(Code::SCARD_E_UNKNOWN_READER.at_connect(CONNECT)),
        }
    }
}

struct ReplayLink {
    replay: Replay,
    atr: Atr,
}

impl Link for ReplayLink {
    fn atr(&self) -> Atr {
        self.atr.clone()
    }

    fn begin(&self, wait: &Wait) -> Result<Box<dyn Transaction>> {
        const BEGIN: &str = "SCardBeginTransaction";
        wait.check(BEGIN)?;
        let mut state = lock(&self.replay.0.state);
        let continuity = match state.script.front() {
            Some(Step::Begin(Ok(continuity))) => {
                continuity.unwrap_or(if state.begun { Continuity::Unbroken } else { Continuity::First })
            }
            Some(Step::Begin(Err(code))) => {
                let error = code.error(BEGIN);
                state.script.pop_front();
                return Err(error);
            }
            other => {
                let wanted = other.map_or("the end".to_owned(), |step| format!("{step:?}"));
                drop(state);
                return Err(self.replay.complain(BEGIN, format!("a begin where the script has {wanted}")));
            }
        };
        state.script.pop_front();
        state.begun = true;
        Ok(Box::new(ReplayTransaction { replay: self.replay.clone(), continuity }))
    }
}

struct ReplayTransaction {
    replay: Replay,
    continuity: Continuity,
}

impl Transmit for ReplayTransaction {
    fn transmit(&mut self, command: &Wire) -> Result<Vec<u8>> {
        const TRANSMIT: &str = "SCardTransmit";
        let mut state = lock(&self.replay.0.state);
        state.commands = state.commands.saturating_add(1);
        let number = state.commands;
        let wanted = match state.script.front() {
            Some(Step::Command(wanted, _)) if wanted == command.octets() => None,
            Some(step) => Some(format!("{step:?}")),
            None => Some("the end".to_owned()),
        };
        if let Some(wanted) = wanted {
            drop(state);
            let complaint = format!("command {number} is {command:?} where the script has {wanted}");
            return Err(self.replay.complain(TRANSMIT, complaint));
        }
        match state.script.pop_front() {
            Some(Step::Command(_, answer)) => answer.map_err(|code| code.error(TRANSMIT)),
            _ => Err(Error::new(ErrorKind::Defect, TRANSMIT)),
        }
    }

    fn limits(&self) -> Limits {
        Limits { extended: lock(&self.replay.0.state).extended }
    }
}

impl Transaction for ReplayTransaction {
    fn continuity(&self) -> Continuity {
        self.continuity
    }
}

impl fmt::Debug for Step {
    /// Header and length of a command: a script may hold a PIN.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Begin(_) => f.write_str("a begin"),
            Step::Command(command, _) => write!(f, "{:?}", Wire::new(command.clone(), crate::apdu::Sensitive::Command)),
        }
    }
}
