//! A smart-card service that does as it is told: what pcscd cannot be made to do in a test is done here.
//!
//! It keeps to what pcscd does where that matters: a begin blocks while another holds the card; a reset or a removal is told once to each
//! connection, by its next call; an end while one is pending fails *and leaves the card locked* until the connection is given up.

mod serving;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::api::{PNP, Protocol, Watched, Why, state};
use super::codes::Code;
use crate::wait::lock;

/// A call of PC/SC, for [`Scripted::fail`] and [`Scripted::log`]. All of those that could reset a card left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Call {
    /// `SCardEstablishContext`
    Establish,
    /// `SCardReleaseContext`
    Release,
    /// `SCardListReaders`
    List,
    /// `SCardGetStatusChange`
    Watch,
    /// `SCardConnect`, shared
    Connect,
    /// `SCardReconnect`, leaving the card
    Reconnect,
    /// `SCardDisconnect`, leaving the card
    Disconnect,
    /// `SCardBeginTransaction`
    Begin,
    /// `SCardStatus`
    Status,
    /// `SCardTransmit`
    Transmit,
    /// `SCardEndTransaction`, leaving the card
    End,
}

type Answer = dyn Fn(&[u8]) -> Vec<u8> + Send + Sync;

/// The service. Clones are one and the same.
#[derive(Clone)]
pub struct Scripted(Arc<Inner>);

struct Inner {
    world: Mutex<World>,
    changed: Condvar,
}

struct World {
    readers: Vec<Reader>,
    lists: u32,
    pnp: bool,
    down: Option<Code>,
    /// Counts stops: contexts of an earlier time stay dead.
    time: u32,
    why: Why,
    library: bool,
    failures: VecDeque<(Call, Code)>,
    log: Vec<Call>,
    next: u64,
    cancelled: Vec<u64>,
    connections: Vec<Connection>,
    answer: Arc<Answer>,
    protocol: Protocol,
    largest: Option<u32>,
}

struct Reader {
    name: String,
    atr: Option<Vec<u8>>,
    mute: bool,
    exclusive: bool,
    events: u32,
    /// Another program is in a transaction.
    held: bool,
    lock: Option<u64>,
}

struct Connection {
    id: u64,
    reader: String,
    pending: Option<Code>,
}

impl Scripted {
    /// A service without a reader.
    #[must_use]
    pub fn new() -> Self {
        let world = World {
            readers: Vec::new(),
            lists: 1,
            pnp: true,
            down: None,
            time: 0,
            why: Why::Unknown,
            library: true,
            failures: VecDeque::new(),
            log: Vec::new(),
            next: 1,
            cancelled: Vec::new(),
            connections: Vec::new(),
            answer: Arc::new(|_| vec![0x90, 0x00]),
            protocol: Protocol::T1,
            largest: None,
        };
        Scripted(Arc::new(Inner { world: Mutex::new(world), changed: Condvar::new() }))
    }

    fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut lock(&self.0.world));
        self.0.changed.notify_all();
    }

    fn at(&self, reader: &str, change: impl FnOnce(&mut Reader)) {
        self.change(|world| {
            if let Some(reader) = world.readers.iter_mut().find(|r| r.name == reader) {
                change(reader);
            }
        });
    }

    /// A reader is plugged in.
    pub fn plug(&self, reader: &str) {
        self.change(|world| {
            world.lists = world.lists.wrapping_add(1);
            world.readers.push(Reader {
                name: reader.to_owned(),
                atr: None,
                mute: false,
                exclusive: false,
                events: 0,
                held: false,
                lock: None,
            });
        });
    }

    /// A reader is unplugged.
    pub fn unplug(&self, reader: &str) {
        self.change(|world| {
            world.lists = world.lists.wrapping_add(1);
            world.readers.retain(|r| r.name != reader);
            world.tell(reader, Code::SCARD_E_READER_UNAVAILABLE);
        });
    }

    /// A card is put in.
    pub fn insert(&self, reader: &str, atr: &[u8]) {
        self.at(reader, |r| (r.atr, r.events) = (Some(atr.to_vec()), r.events.wrapping_add(1)));
    }

    /// The card is pulled out.
    pub fn remove(&self, reader: &str) {
        self.at(reader, |r| (r.atr, r.lock, r.events) = (None, None, r.events.wrapping_add(1)));
        self.change(|world| world.tell(reader, Code::SCARD_W_REMOVED_CARD));
    }

    /// The card in the reader does not answer, or does again.
    pub fn mute(&self, reader: &str, mute: bool) {
        self.at(reader, |r| r.mute = mute);
    }

    /// Another program resets the card.
    pub fn reset(&self, reader: &str) {
        self.change(|world| world.tell(reader, Code::SCARD_W_RESET_CARD));
    }

    /// Another program is in a transaction, or no more.
    pub fn hold(&self, reader: &str, held: bool) {
        self.at(reader, |r| r.held = held);
    }

    /// Another program is connected for itself alone, or no more.
    pub fn exclusive(&self, reader: &str, exclusive: bool) {
        self.at(reader, |r| r.exclusive = exclusive);
    }

    /// The service stops: every call fails with `code`, and what was open stays dead for ever.
    pub fn stop(&self, code: Code) {
        self.change(|world| {
            world.down = Some(code);
            world.time = world.time.wrapping_add(1);
        });
    }

    /// The service is there again.
    pub fn start(&self) {
        self.change(|world| world.down = None);
    }

    /// The next call of this kind that is not failed yet fails with `code`.
    pub fn fail(&self, call: Call, code: Code) {
        self.change(|world| world.failures.push_back((call, code)));
    }

    /// What the system shows about a refusal.
    pub fn because(&self, why: Why) {
        self.change(|world| world.why = why);
    }

    /// The service has no entry for the list of readers.
    pub fn without_pnp(&self) {
        self.change(|world| world.pnp = false);
    }

    /// There is no PC/SC library.
    pub fn without_library(&self) {
        self.change(|world| world.library = false);
    }

    /// What the card answers; it may take its time, or panic.
    pub fn answer(&self, answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) {
        self.change(|world| world.answer = Arc::new(answer));
    }

    /// Protocol, and what the reader says it carries.
    pub fn carries(&self, protocol: Protocol, largest: Option<u32>) {
        self.change(|world| (world.protocol, world.largest) = (protocol, largest));
    }

    /// The calls so far.
    #[must_use]
    pub fn log(&self) -> Vec<Call> {
        lock(&self.0.world).log.clone()
    }

    /// How often a call was made so far.
    #[must_use]
    pub fn count(&self, call: Call) -> usize {
        lock(&self.0.world).log.iter().filter(|c| **c == call).count()
    }

    /// Whether a connection of this library has the card.
    #[must_use]
    pub fn locked(&self, reader: &str) -> bool {
        lock(&self.0.world).readers.iter().any(|r| r.name == reader && r.lock.is_some())
    }

    fn call(&self, call: Call, time: u32) -> Result<MutexGuard<'_, World>, Code> {
        let mut world = lock(&self.0.world);
        world.log.push(call);
        world.down.filter(|_| call != Call::Release && call != Call::Disconnect).map_or(Ok(()), Err)?;
        if world.time != time {
            return Err(Code::SCARD_E_NO_SERVICE);
        }
        if let Some(place) = world.failures.iter().position(|(failing, _)| *failing == call) {
            return Err(world.failures.remove(place).map_or(Code::SCARD_F_INTERNAL_ERROR, |(_, code)| code));
        }
        Ok(world)
    }

    fn sleep<'w>(&self, world: MutexGuard<'w, World>, time: Duration) -> MutexGuard<'w, World> {
        self.0.changed.wait_timeout(world, time).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl World {
    fn tell(&mut self, reader: &str, code: Code) {
        for connection in self.connections.iter_mut().filter(|c| c.reader == reader) {
            connection.pending = Some(code);
        }
    }

    fn reader(&mut self, name: &str) -> Result<&mut Reader, Code> {
        self.readers.iter_mut().find(|r| r.name == name).ok_or(Code::SCARD_E_UNKNOWN_READER)
    }

    fn pending(&self, id: u64) -> Result<(), Code> {
        self.connections.iter().find(|c| c.id == id).and_then(|c| c.pending).map_or(Ok(()), Err)
    }

    fn unlock(&mut self, id: u64) {
        for reader in self.readers.iter_mut().filter(|r| r.lock == Some(id)) {
            reader.lock = None;
        }
    }

    /// The state of one entry, without `CHANGED`.
    fn state(&self, entry: &Watched) -> Result<(u32, Vec<u8>), Code> {
        if entry.reader == PNP {
            return Ok(if self.pnp { (self.lists << 16, Vec::new()) } else { (state::UNKNOWN, Vec::new()) });
        }
        let reader = self.readers.iter().find(|r| r.name == entry.reader).ok_or(Code::SCARD_E_UNKNOWN_READER)?;
        let bit = |on: bool, bit| if on { bit } else { 0 };
        let presence = match &reader.atr {
            None => state::EMPTY,
            Some(_) => state::PRESENT | bit(reader.mute, state::MUTE) | bit(reader.exclusive, state::EXCLUSIVE),
        };
        Ok((presence | reader.events << 16, reader.atr.clone().filter(|_| !reader.mute).unwrap_or_default()))
    }
}

impl Default for Scripted {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").finish_non_exhaustive()
    }
}
