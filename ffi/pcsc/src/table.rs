//! What `libshared_shield` and `libshared_shield_pcsc` share: a table of calls. Both are compiled with this file.
//!
//! The symbol's name holds [`ABI`]. Anything that changes here and is not a new call at the end makes it grow, so that a library never
//! calls one of another version.
//!
//! - What a call gives is 0 or a return code of PC/SC, such as `0x8010_001D`. A panic becomes `SCARD_F_INTERNAL_ERROR`; none gets out.
//! - No call has a word for resetting a card: connections are shared, and every way out leaves the card as it is.
//! - Pointers are never NULL, but for octets of which there are none. A context is used by one thread at a time, but for `share`, `cancel`
//!   and `release`, which any thread may call. A card is used by one thread at a time.

use std::ffi::c_void;

/// The version of the table.
pub(crate) const ABI: u32 = 1;
/// The longest ATR (ISO/IEC 7816-3 §8).
pub(crate) const ATR: usize = 33;

/// A context; the host never looks behind it.
#[derive(Debug)]
#[repr(C)]
pub struct RawContext {
    _private: [u8; 0],
}

/// A connected card; the host never looks behind it. It keeps its context alive.
#[derive(Debug)]
#[repr(C)]
pub struct RawCard {
    _private: [u8; 0],
}

/// A card in a transaction: good for the length of [`Work`].
#[derive(Debug)]
#[repr(C)]
pub struct RawHeld {
    _private: [u8; 0],
}

/// One entry of `SCardGetStatusChange`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Entry {
    /// The reader's name: UTF-8, as `readers` gave it, or the one that stands for the list of readers.
    pub name: *const u8,
    /// Its length in octets.
    pub length: usize,
    /// `dwCurrentState`, with the count of events in the upper 16 bits.
    pub known: u32,
    /// `dwEventState`, in the same form: filled.
    pub now: u32,
    /// The ATR: filled.
    pub atr: [u8; ATR],
    /// Its length: filled.
    pub atr_length: u8,
}

/// Takes the name of one reader: UTF-8, good for the length of the call. It must not unwind.
pub type Name = unsafe extern "C" fn(userdata: *mut c_void, name: *const u8, length: usize);

/// What is done in a transaction. It must not unwind.
pub type Work = unsafe extern "C" fn(userdata: *mut c_void, held: *const RawHeld);

/// The calls.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Table {
    /// The size of this struct as the library was built: a longer one has more calls at its end.
    pub size: usize,
    /// [`ABI`].
    pub abi: u32,
    /// Zero.
    pub reserved: u32,
    /// `SCardEstablishContext` with the scope of the system.
    pub establish: unsafe extern "C" fn(context: *mut *mut RawContext) -> u32,
    /// Another owner of the same context.
    pub share: unsafe extern "C" fn(context: *const RawContext) -> *mut RawContext,
    /// An owner gives it up. The last one, cards among them, makes it `SCardReleaseContext`.
    pub release: unsafe extern "C" fn(context: *mut RawContext),
    /// `SCardListReaders`: calls `give` for each.
    pub readers: unsafe extern "C" fn(context: *const RawContext, give: Name, userdata: *mut c_void) -> u32,
    /// `SCardGetStatusChange`, waiting so long at most.
    pub status_change:
        unsafe extern "C" fn(context: *const RawContext, entries: *mut Entry, count: usize, milliseconds: u32) -> u32,
    /// `SCardCancel`.
    pub cancel: unsafe extern "C" fn(context: *const RawContext) -> u32,
    /// `SCardConnect`, shared, T=0 or T=1.
    pub connect: unsafe extern "C" fn(
        context: *const RawContext,
        name: *const u8,
        length: usize,
        card: *mut *mut RawCard,
    ) -> u32,
    /// `SCardReconnect`, shared, leaving the card.
    pub reconnect: unsafe extern "C" fn(card: *mut RawCard) -> u32,
    /// `SCardDisconnect`, leaving the card. The pointer is not good any more, whatever PC/SC says.
    pub disconnect: unsafe extern "C" fn(card: *mut RawCard),
    /// `SCardBeginTransaction`, `work`, and `SCardEndTransaction` leaving the card. `begun` gets 1 before `work` is called: a code
    /// without it is one of the begin, a code with it one of the end.
    pub transaction:
        unsafe extern "C" fn(card: *mut RawCard, work: Work, userdata: *mut c_void, begun: *mut u32) -> u32,
    /// `SCardStatus`: the protocol, 0 for T=0 and 1 for T=1.
    pub status: unsafe extern "C" fn(held: *const RawHeld, protocol: *mut u32) -> u32,
    /// `SCardTransmit`: `got` gets the length of what was written to `answer`.
    pub transmit: unsafe extern "C" fn(
        held: *const RawHeld,
        command: *const u8,
        length: usize,
        answer: *mut u8,
        capacity: usize,
        got: *mut usize,
    ) -> u32,
    /// `SCardControl` with CM_IOCTL_GET_FEATURE_REQUEST (PC/SC part 10 §2.2).
    pub features: unsafe extern "C" fn(held: *const RawHeld, answer: *mut u8, capacity: usize, got: *mut usize) -> u32,
    /// `SCardControl` with a code that `features` told, and nothing to send.
    pub control:
        unsafe extern "C" fn(held: *const RawHeld, code: u32, answer: *mut u8, capacity: usize, got: *mut usize) -> u32,
}

/// The function behind the one symbol.
pub(crate) type Entrance = unsafe extern "C" fn() -> *const Table;
