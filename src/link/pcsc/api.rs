//! The calls of PC/SC that this library needs, as traits.
//!
//! Three things stand behind them: the system's library through the `pcsc` crate (feature `pcsc`), a library that is opened only when it
//! is there, and a script. Nothing here waits with a deadline: [`super::PcscReaders`] calls from threads of its own.
//!
//! None of the traits has a word for resetting a card. Whoever implements them connects *shared*, and ends, reconnects and disconnects with
//! `SCARD_LEAVE_CARD`, on every path, drop and panic included.

use std::sync::Arc;
use std::time::Duration;

use super::codes::Code;

/// The smart-card service.
pub trait Service: Send + Sync {
    /// `SCardEstablishContext` with the scope of the system. The context is released when it is dropped.
    ///
    /// # Errors
    /// The code as it came, or that the library itself is missing.
    fn establish(&self) -> Result<Box<dyn Context>, Failure>;

    /// Looks for the reason of a refusal by [`Service::establish`], as far as the system shows one: the codes tell too little.
    fn why(&self, code: Code) -> Why {
        let _ = code;
        Why::Unknown
    }
}

/// Why there is no context.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The service said so.
    Code(Code),
    /// The PC/SC library is not on this computer; what was looked for.
    NoLibrary(String),
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Failure::Code(code)
    }
}

/// What the system shows about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// Nothing.
    Unknown,
    /// The service's socket is there, and this user may not open it.
    Unreadable,
    /// So many connections to the service there are, from all programs.
    Connections(usize),
}

/// A context: one at a time is used by one thread.
pub trait Context: Send {
    /// `SCardListReaders`. No reader is an empty list.
    ///
    /// # Errors
    /// The code as it came.
    fn readers(&mut self) -> Result<Vec<String>, Code>;

    /// `SCardGetStatusChange`: waits until a reader's state is no longer what `known` says, at most for `limit`. Fills `now` and `atr`.
    ///
    /// # Errors
    /// The code as it came, `SCARD_E_TIMEOUT` and `SCARD_E_CANCELLED` among them.
    fn watch(&mut self, readers: &mut [Watched], limit: Duration) -> Result<(), Code>;

    /// `SCardConnect`, shared, T=0 or T=1. Blocks as long as another program is in a transaction.
    ///
    /// # Errors
    /// The code as it came.
    fn connect(&mut self, reader: &str) -> Result<Box<dyn Card>, Code>;

    /// `SCardCancel`, to be called from another thread while [`Context::watch`] blocks. `None`: there is no such call.
    fn canceller(&self) -> Option<Canceller>;
}

/// Ends a blocked [`Context::watch`].
pub type Canceller = Arc<dyn Fn() + Send + Sync>;

/// One entry of `SCardGetStatusChange`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watched {
    /// The reader's name, or [`PNP`].
    pub reader: String,
    /// `dwCurrentState`: the bits of [`state`], and the count of events in the upper 16 bits. 0 asks for an answer at once.
    pub known: u32,
    /// `dwEventState`, in the same form.
    pub now: u32,
    /// The card's ATR.
    pub atr: Vec<u8>,
}

impl Watched {
    /// An entry that asks for an answer at once.
    #[must_use]
    pub fn unaware(reader: &str) -> Self {
        Watched { reader: reader.to_owned(), ..Watched::default() }
    }
}

/// The name that stands for the list of readers itself, where the service knows it.
pub const PNP: &str = "\\\\?PnP?\\Notification";

/// Bits of a reader's state.
pub mod state {
    /// Something is not as it was known.
    pub const CHANGED: u32 = 0x0002;
    /// No reader of this name.
    pub const UNKNOWN: u32 = 0x0004;
    /// The reader cannot be used.
    pub const UNAVAILABLE: u32 = 0x0008;
    /// No card.
    pub const EMPTY: u32 = 0x0010;
    /// A card.
    pub const PRESENT: u32 = 0x0020;
    /// Another program holds the card for itself alone.
    pub const EXCLUSIVE: u32 = 0x0080;
    /// Other programs are connected.
    pub const INUSE: u32 = 0x0100;
    /// The card does not answer.
    pub const MUTE: u32 = 0x0200;
}

/// A connected card. Dropping it disconnects and leaves the card as it is.
pub trait Card: Send {
    /// `SCardBeginTransaction`, then `work`, then `SCardEndTransaction` leaving the card, also when `work` panics. Begin blocks without limit.
    ///
    /// # Errors
    /// [`Broken::Begin`]: `work` was not called. [`Broken::End`]: it was, and the transaction may still be open at the service.
    fn transaction(&mut self, work: &mut dyn FnMut(&mut dyn Held)) -> Result<(), Broken>;

    /// `SCardReconnect`, shared, leaving the card.
    ///
    /// # Errors
    /// The code as it came.
    fn reconnect(&mut self) -> Result<(), Code>;
}

/// What failed of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// Its begin.
    Begin(Code),
    /// Its end.
    End(Code),
}

/// The protocol that card and reader agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// T=0: characters; knows no command of case 4 and no extended length.
    T0,
    /// T=1: blocks.
    T1,
}

/// A card in a transaction.
pub trait Held {
    /// `SCardStatus`: the protocol, and whether the connection still stands.
    ///
    /// # Errors
    /// The code as it came, `SCARD_W_RESET_CARD` among them.
    fn status(&mut self) -> Result<Protocol, Code>;

    /// `SCardTransmit`: the length of what was written into `answer`.
    ///
    /// # Errors
    /// The code as it came.
    fn transmit(&mut self, command: &[u8], answer: &mut [u8]) -> Result<usize, Code>;

    /// `SCardReconnect` in the transaction, which stays open; shared, leaving the card.
    ///
    /// # Errors
    /// The code as it came.
    fn reconnect(&mut self) -> Result<(), Code> {
        Err(Code::SCARD_E_UNSUPPORTED_FEATURE)
    }

    /// The most octets of one command that the reader and its driver say they carry (PC/SC part 10, `dwMaxAPDUDataSize`); 0: short ones only;
    /// `None`: it does not say so.
    fn largest(&mut self) -> Option<u32>;
}
