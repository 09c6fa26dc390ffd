//! The border to `libshared_shield_pcsc`: it is opened here, and its calls are made here.
//!
//! What this file relies on is what the plug-in's `table` says; the plug-in lies in the folder of this very library and is as much trusted.
//! Nothing is unloaded: threads of ours may be in its calls until the process ends.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use shield::link::pcsc::api::{self, Broken, Canceller, Held, Protocol, Watched};
use shield::link::pcsc::{Code, largest};

use crate::table::{ABI, ATR, Entrance, Entry, RawCard, RawContext, RawHeld, Table};

/// The plug-in's one symbol; its number is [`ABI`].
const SYMBOL: &[u8] = b"shared_shield_pcsc_1";

/// An opened plug-in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlugIn(&'static Table);

impl PlugIn {
    /// Opens the file at an absolute path: the loader looks nowhere else for it, but in its usual way for what it needs.
    pub(crate) fn open(file: &Path) -> Result<Self, String> {
        // At once, so that a missing function is found here and not in the middle of a call.
        // SAFETY: the plug-in does nothing when it is loaded, nor do libpcsclite and libc.
        let library = unsafe { Library::open(Some(file), RTLD_NOW | RTLD_LOCAL) }.map_err(|e| e.to_string())?;
        // SAFETY: the symbol's name stands for its type.
        let entrance = unsafe { library.get::<Entrance>(SYMBOL) }.map_err(|e| e.to_string())?;
        // SAFETY: it may be called at any time.
        let table = unsafe { entrance() };
        // SAFETY: the plug-in gives a table that begins as every version of it does; the whole is looked at once it is known to be there.
        let fits = !table.is_null() && unsafe { (*table).size >= size_of::<Table>() && (*table).abi == ABI };
        if !fits {
            return Err(format!("{} is of another version", file.display()));
        }
        std::mem::forget(library);
        // SAFETY: checked above; it is static, and never unloaded.
        Ok(PlugIn(unsafe { &*table }))
    }

    pub(crate) fn establish(self) -> Result<Box<dyn api::Context>, Code> {
        let mut raw = ptr::null_mut();
        // SAFETY: the place is good.
        done(unsafe { (self.0.establish)(&raw mut raw) })?;
        Ok(Box::new(OwnContext(Owner::new(self.0, raw)?)))
    }
}

/// What a call gave.
fn done(code: u32) -> Result<(), Code> {
    if code == 0 { Ok(()) } else { Err(Code(code)) }
}

fn made<T>(raw: *mut T) -> Result<NonNull<T>, Code> {
    NonNull::new(raw).ok_or(Code::SCARD_F_INTERNAL_ERROR)
}

/// An owner of a context.
struct Owner {
    table: &'static Table,
    raw: NonNull<RawContext>,
}

// SAFETY: any thread may release it; the calls that only one may make at a time take `&mut OwnContext`.
unsafe impl Send for Owner {}
// SAFETY: through a shared reference only `share` and `cancel` are called, which any thread may.
unsafe impl Sync for Owner {}

impl Owner {
    fn new(table: &'static Table, raw: *mut RawContext) -> Result<Self, Code> {
        made(raw).map(|raw| Owner { table, raw })
    }

    fn share(&self) -> Result<Self, Code> {
        // SAFETY: it is alive as long as this owner is.
        Owner::new(self.table, unsafe { (self.table.share)(self.raw.as_ptr()) })
    }

    fn cancel(&self) {
        // SAFETY: as above.
        unsafe { (self.table.cancel)(self.raw.as_ptr()) };
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: given back once.
        unsafe { (self.table.release)(self.raw.as_ptr()) };
    }
}

struct OwnContext(Owner);

/// Takes one reader's name into the list behind `userdata`.
unsafe extern "C" fn take_name(userdata: *mut c_void, name: *const u8, length: usize) {
    // SAFETY: `readers` below gave the list; the plug-in gives a name of that length.
    let (names, name) = unsafe { (&mut *userdata.cast::<Vec<String>>(), std::slice::from_raw_parts(name, length)) };
    names.push(String::from_utf8_lossy(name).into_owned());
}

impl api::Context for OwnContext {
    fn readers(&mut self) -> Result<Vec<String>, Code> {
        let mut names = Vec::<String>::new();
        // SAFETY: the context is alive; `take_name` knows what it is given.
        done(unsafe { (self.0.table.readers)(self.0.raw.as_ptr(), take_name, (&raw mut names).cast()) })?;
        Ok(names)
    }

    fn watch(&mut self, readers: &mut [Watched], limit: Duration) -> Result<(), Code> {
        let entry = |w: &Watched| {
            let (name, length) = (w.reader.as_ptr(), w.reader.len());
            Entry { name, length, known: w.known, now: 0, atr: [0; ATR], atr_length: 0 }
        };
        let mut entries: Vec<Entry> = readers.iter().map(entry).collect();
        let milliseconds = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        let table = self.0.table;
        // SAFETY: the context is alive, the entries are there, and the names outlive the call.
        done(unsafe { (table.status_change)(self.0.raw.as_ptr(), entries.as_mut_ptr(), entries.len(), milliseconds) })?;
        for (watched, entry) in readers.iter_mut().zip(&entries) {
            watched.now = entry.now;
            watched.atr = entry.atr.iter().copied().take(entry.atr_length.into()).collect();
        }
        Ok(())
    }

    fn connect(&mut self, reader: &str) -> Result<Box<dyn api::Card>, Code> {
        let (table, mut raw) = (self.0.table, ptr::null_mut());
        // SAFETY: the context is alive, the name is there, the place is good.
        done(unsafe { (table.connect)(self.0.raw.as_ptr(), reader.as_ptr(), reader.len(), &raw mut raw) })?;
        Ok(Box::new(OwnCard { table, raw: made(raw)? }))
    }

    fn canceller(&self) -> Option<Canceller> {
        let owner = self.0.share().ok()?;
        Some(Arc::new(move || owner.cancel()))
    }
}

struct OwnCard {
    table: &'static Table,
    raw: NonNull<RawCard>,
}

// SAFETY: a card may be used by any thread, one at a time; its calls take `&mut`.
unsafe impl Send for OwnCard {}

/// What happens in a transaction, and the panic that ended it.
struct Turn<'w> {
    table: &'static Table,
    work: &'w mut dyn FnMut(&mut dyn Held),
    panic: Option<Box<dyn Any + Send>>,
}

/// Runs the work of the turn behind `userdata`. Its panic waits until the transaction has ended.
unsafe extern "C" fn run(userdata: *mut c_void, held: *const RawHeld) {
    // SAFETY: `transaction` below gave the turn and does not touch it meanwhile.
    let turn = unsafe { &mut *userdata.cast::<Turn<'_>>() };
    let mut held = OwnHeld { table: turn.table, raw: held };
    turn.panic = panic::catch_unwind(AssertUnwindSafe(|| (turn.work)(&mut held))).err();
}

impl api::Card for OwnCard {
    fn transaction(&mut self, work: &mut dyn FnMut(&mut dyn Held)) -> Result<(), Broken> {
        let mut turn = Turn { table: self.table, work, panic: None };
        let mut begun = 0;
        // SAFETY: the card is alive and this thread's; `run` knows what it is given and does not unwind; the place is good.
        let code = unsafe {
            (self.table.transaction)(self.raw.as_ptr(), run, (&raw mut turn).cast::<c_void>(), &raw mut begun)
        };
        if let Some(payload) = turn.panic {
            panic::resume_unwind(payload);
        }
        done(code).map_err(if begun == 0 { Broken::Begin } else { Broken::End })
    }

    fn reconnect(&mut self) -> Result<(), Code> {
        // SAFETY: the card is alive and this thread's.
        done(unsafe { (self.table.reconnect)(self.raw.as_ptr()) })
    }
}

impl Drop for OwnCard {
    fn drop(&mut self) {
        // SAFETY: given back once.
        unsafe { (self.table.disconnect)(self.raw.as_ptr()) };
    }
}

/// Lives for the length of [`run`].
struct OwnHeld {
    table: &'static Table,
    raw: *const RawHeld,
}

impl OwnHeld {
    /// A call that fills a buffer.
    fn filled(&self, answer: &mut [u8], call: impl FnOnce(*mut u8, usize, *mut usize) -> u32) -> Result<usize, Code> {
        let mut got = 0;
        done(call(answer.as_mut_ptr(), answer.len(), &raw mut got))?;
        if got <= answer.len() { Ok(got) } else { Err(Code::SCARD_E_INSUFFICIENT_BUFFER) }
    }
}

impl Held for OwnHeld {
    fn status(&mut self) -> Result<Protocol, Code> {
        let mut protocol = 0;
        // SAFETY: the transaction is open; the place is good.
        done(unsafe { (self.table.status)(self.raw, &raw mut protocol) })?;
        match protocol {
            0 => Ok(Protocol::T0),
            1 => Ok(Protocol::T1),
            _ => Err(Code::SCARD_E_PROTO_MISMATCH),
        }
    }

    fn transmit(&mut self, command: &[u8], answer: &mut [u8]) -> Result<usize, Code> {
        let send = self.table.transmit;
        // SAFETY: the transaction is open; both buffers are there.
        self.filled(answer, |to, room, got| unsafe { send(self.raw, command.as_ptr(), command.len(), to, room, got) })
    }

    fn largest(&mut self) -> Option<u32> {
        let Table { features, control, .. } = *self.table;
        largest(
            // SAFETY: the transaction is open; the buffer is there.
            |answer| self.filled(answer, |to, room, got| unsafe { features(self.raw, to, room, got) }).ok(),
            // SAFETY: as above.
            |code, answer| self.filled(answer, |to, room, got| unsafe { control(self.raw, code, to, room, got) }).ok(),
        )
    }
}

/// The file that an address of this process's code lies in, as the loader knows it: for systems that show no other way.
pub(crate) fn file_of(address: usize) -> Option<std::ffi::OsString> {
    use std::os::unix::ffi::OsStrExt;
    let mut found = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: any address may be asked for; the place is good.
    if unsafe { libc::dladdr(address as *const c_void, found.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: zeros, or what was filled in.
    let name = unsafe { found.assume_init() }.dli_fname;
    if name.is_null() {
        return None;
    }
    // SAFETY: the loader gives a text with a NUL, as long as the file is loaded.
    let name = unsafe { std::ffi::CStr::from_ptr(name) };
    Some(std::ffi::OsStr::from_bytes(name.to_bytes()).to_owned())
}

#[cfg(test)]
#[path = "plugin_tests.rs"]
mod tests;
