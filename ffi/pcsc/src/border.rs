//! The border to the host, and the one file with unsafe code: pointers are read and written here, and panics end here.
//!
//! The host is `libshared_shield`. It gives pointers as `table` asks: never NULL, of their type, to readable (for outputs writable) memory, for as
//! long as the call runs; a context or card that a call gave and that was not given back.
#![allow(unsafe_code, reason = "the host gives pointers; they are read and written here and nowhere else")]

use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::Duration;

use crate::calls::{Card, Code, Context, Held, Seen};
use crate::table::{ABI, Entrance, Entry, Name, RawCard, RawContext, RawHeld, Table, Work};

/// SCARD_F_INTERNAL_ERROR: a defect of this library.
const DEFECT: Code = 0x8010_0001;
/// SCARD_E_UNKNOWN_READER: a name that is no text.
const UNKNOWN_READER: Code = 0x8010_0009;

static TABLE: Table = Table {
    size: size_of::<Table>(),
    abi: ABI,
    reserved: 0,
    establish,
    share,
    release,
    readers,
    status_change,
    cancel,
    connect,
    reconnect,
    disconnect,
    transaction,
    status,
    transmit,
    features,
    control,
};

// The host looks the symbol up under this type.
const _: Entrance = shared_shield_pcsc_1;

/// The one symbol: the table of calls. It is good for as long as the library is loaded.
#[unsafe(no_mangle)]
pub extern "C" fn shared_shield_pcsc_1() -> *const Table {
    static SILENT: Once = Once::new();
    // This library has a standard library of its own, and so a panic hook of its own: no other code is silenced by this.
    SILENT.call_once(|| panic::set_hook(Box::new(|_| {})));
    &raw const TABLE
}

/// Runs a call: 0, or its code.
fn guarded(work: impl FnOnce() -> Result<(), Code>) -> u32 {
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => 0,
        Ok(Err(code)) => code,
        Err(payload) => {
            // Dropping a payload runs code that may panic again.
            std::mem::forget(payload);
            DEFECT
        }
    }
}

/// A name of the host's.
///
/// # Safety
/// As the head of this file says; the result must not outlive the call.
unsafe fn name<'a>(octets: *const u8, length: usize) -> Result<&'a str, Code> {
    // SAFETY: handed on from the caller.
    let octets = unsafe { std::slice::from_raw_parts(octets, length) };
    std::str::from_utf8(octets).map_err(|_| UNKNOWN_READER)
}

/// A call that fills a buffer of the host's.
///
/// # Safety
/// As the head of this file says.
unsafe fn filled(
    held: *const RawHeld,
    answer: *mut u8,
    capacity: usize,
    got: *mut usize,
    call: impl FnOnce(&Held<'_>, &mut [u8]) -> Result<usize, Code>,
) -> u32 {
    guarded(|| {
        // SAFETY: handed on from the caller; `transaction` made the pointer.
        let (held, answer) = unsafe { (&*held.cast::<Held<'_>>(), std::slice::from_raw_parts_mut(answer, capacity)) };
        let length = call(held, answer)?;
        // SAFETY: handed on from the caller.
        unsafe { got.write(length) };
        Ok(())
    })
}

unsafe extern "C" fn establish(context: *mut *mut RawContext) -> u32 {
    guarded(|| {
        let made = Box::new(Context::establish()?);
        // SAFETY: as the head of this file says.
        unsafe { context.write(Box::into_raw(made).cast()) };
        Ok(())
    })
}

unsafe extern "C" fn share(context: *const RawContext) -> *mut RawContext {
    // SAFETY: `establish` or `share` made it.
    let context = unsafe { &*context.cast::<Context>() };
    Box::into_raw(Box::new(context.clone())).cast()
}

unsafe extern "C" fn release(context: *mut RawContext) {
    guarded(|| {
        // SAFETY: `establish` or `share` made it, and it is given back once.
        drop(unsafe { Box::from_raw(context.cast::<Context>()) });
        Ok(())
    });
}

unsafe extern "C" fn readers(context: *const RawContext, give: Name, userdata: *mut c_void) -> u32 {
    guarded(|| {
        // SAFETY: `establish` or `share` made it.
        let context = unsafe { &*context.cast::<Context>() };
        for reader in context.readers()? {
            // SAFETY: the host's function takes any name, and does not unwind.
            unsafe { give(userdata, reader.as_ptr(), reader.len()) };
        }
        Ok(())
    })
}

unsafe extern "C" fn status_change(
    context: *const RawContext,
    entries: *mut Entry,
    count: usize,
    milliseconds: u32,
) -> u32 {
    guarded(|| {
        // SAFETY: `establish` or `share` made the one; the host gives so many of the others.
        let (context, entries) =
            unsafe { (&*context.cast::<Context>(), std::slice::from_raw_parts_mut(entries, count)) };
        let mut known = Vec::with_capacity(count);
        for entry in &*entries {
            // SAFETY: as the head of this file says.
            known.push((unsafe { name(entry.name, entry.length) }?, entry.known));
        }
        let seen = context.status_change(&known, Duration::from_millis(milliseconds.into()))?;
        for (entry, Seen { now, atr, atr_length }) in entries.iter_mut().zip(seen) {
            (entry.now, entry.atr, entry.atr_length) = (now, atr, atr_length);
        }
        Ok(())
    })
}

unsafe extern "C" fn cancel(context: *const RawContext) -> u32 {
    // SAFETY: `establish` or `share` made it.
    guarded(|| unsafe { &*context.cast::<Context>() }.cancel())
}

unsafe extern "C" fn connect(
    context: *const RawContext,
    reader: *const u8,
    length: usize,
    card: *mut *mut RawCard,
) -> u32 {
    guarded(|| {
        // SAFETY: `establish` or `share` made the one; the host gives the other.
        let (context, reader) = unsafe { (&*context.cast::<Context>(), name(reader, length)?) };
        let made = Box::new(context.connect(reader)?);
        // SAFETY: as the head of this file says.
        unsafe { card.write(Box::into_raw(made).cast()) };
        Ok(())
    })
}

unsafe extern "C" fn reconnect(card: *mut RawCard) -> u32 {
    // SAFETY: `connect` made it, and one thread uses it.
    guarded(|| unsafe { &mut *card.cast::<Card>() }.reconnect())
}

unsafe extern "C" fn disconnect(card: *mut RawCard) {
    guarded(|| {
        // SAFETY: `connect` made it, and it is given back once.
        drop(unsafe { Box::from_raw(card.cast::<Card>()) });
        Ok(())
    });
}

unsafe extern "C" fn transaction(card: *mut RawCard, work: Work, userdata: *mut c_void, begun: *mut u32) -> u32 {
    guarded(|| {
        // SAFETY: `connect` made it, and one thread uses it.
        let card = unsafe { &mut *card.cast::<Card>() };
        card.transaction(|held| {
            // SAFETY: as the head of this file says; the host's function does not unwind and keeps no pointer.
            unsafe {
                begun.write(1);
                work(userdata, std::ptr::from_ref(held).cast());
            }
        })
    })
}

unsafe extern "C" fn status(held: *const RawHeld, protocol: *mut u32) -> u32 {
    guarded(|| {
        // SAFETY: `transaction` made it; the host gives the place.
        let number = unsafe { &*held.cast::<Held<'_>>() }.status()?;
        // SAFETY: as the head of this file says.
        unsafe { protocol.write(number) };
        Ok(())
    })
}

unsafe extern "C" fn transmit(
    held: *const RawHeld,
    command: *const u8,
    length: usize,
    answer: *mut u8,
    capacity: usize,
    got: *mut usize,
) -> u32 {
    // SAFETY: as the head of this file says.
    let command = unsafe { std::slice::from_raw_parts(command, length) };
    // SAFETY: as above.
    unsafe { filled(held, answer, capacity, got, |held, answer| held.transmit(command, answer)) }
}

unsafe extern "C" fn features(held: *const RawHeld, answer: *mut u8, capacity: usize, got: *mut usize) -> u32 {
    // SAFETY: as the head of this file says.
    unsafe { filled(held, answer, capacity, got, |held, answer| held.features(answer)) }
}

unsafe extern "C" fn control(
    held: *const RawHeld,
    code: u32,
    answer: *mut u8,
    capacity: usize,
    got: *mut usize,
) -> u32 {
    // SAFETY: as the head of this file says.
    unsafe { filled(held, answer, capacity, got, |held, answer| held.control(code, answer)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_return_code() {
        assert_eq!(guarded(|| panic!("on purpose")), DEFECT);
        assert_eq!(guarded(|| Err(7)), 7);
        assert_eq!(guarded(|| Ok(())), 0);
    }

    #[test]
    fn a_name_that_is_no_text_is_an_unknown_reader() {
        let octets = [0xFF_u8, 0xFE];
        // SAFETY: both octets are there.
        assert_eq!(unsafe { name(octets.as_ptr(), octets.len()) }, Err(UNKNOWN_READER));
    }
}
