//! The calls into a table that only notes what is called, on the calling thread.

use std::cell::{Cell, RefCell};

use super::*;
use crate::table::{Name, Work};

thread_local! {
    static CALLS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    /// What the named call answers, once.
    static ANSWER: Cell<(&'static str, u32)> = const { Cell::new(("", 0)) };
}

fn note(call: &'static str) -> u32 {
    CALLS.with_borrow_mut(|calls| calls.push(call));
    let (name, code) = ANSWER.get();
    if name != call {
        return 0;
    }
    ANSWER.set(("", 0));
    code
}

fn called() -> Vec<&'static str> {
    CALLS.take()
}

unsafe extern "C" fn establish(context: *mut *mut RawContext) -> u32 {
    let code = note("establish");
    if code == 0 {
        // SAFETY: the host's place.
        unsafe { context.write(ptr::dangling_mut()) };
    }
    code
}
unsafe extern "C" fn share(context: *const RawContext) -> *mut RawContext {
    note("share");
    context.cast_mut()
}
unsafe extern "C" fn release(_: *mut RawContext) {
    note("release");
}
unsafe extern "C" fn readers(_: *const RawContext, give: Name, userdata: *mut c_void) -> u32 {
    for name in [&b"one"[..], b"\xffother"] {
        // SAFETY: the host's function, with a name.
        unsafe { give(userdata, name.as_ptr(), name.len()) };
    }
    note("readers")
}
unsafe extern "C" fn status_change(_: *const RawContext, entries: *mut Entry, count: usize, milliseconds: u32) -> u32 {
    // SAFETY: the host's entries.
    for entry in unsafe { std::slice::from_raw_parts_mut(entries, count) } {
        entry.now = entry.known + milliseconds + u32::try_from(entry.length).unwrap();
        entry.atr[..2].copy_from_slice(&[0x3B, 0x80]);
        // Longer than there is room for: whoever reads it keeps to the room.
        entry.atr_length = if entry.known == 0 { 2 } else { 255 };
    }
    note("status_change")
}
unsafe extern "C" fn cancel(_: *const RawContext) -> u32 {
    note("cancel")
}
unsafe extern "C" fn connect(_: *const RawContext, name: *const u8, length: usize, card: *mut *mut RawCard) -> u32 {
    // SAFETY: the host's name and place.
    unsafe {
        assert_eq!(std::slice::from_raw_parts(name, length), b"one");
        card.write(ptr::dangling_mut());
    }
    note("connect")
}
unsafe extern "C" fn reconnect(_: *mut RawCard) -> u32 {
    note("reconnect")
}
unsafe extern "C" fn disconnect(_: *mut RawCard) {
    note("disconnect");
}
unsafe extern "C" fn transaction(_: *mut RawCard, work: Work, userdata: *mut c_void, begun: *mut u32) -> u32 {
    let code = note("begin");
    if code != 0 {
        return code;
    }
    // SAFETY: the host's place and function.
    unsafe {
        begun.write(1);
        work(userdata, ptr::dangling());
    }
    note("end")
}
unsafe extern "C" fn status(_: *const RawHeld, protocol: *mut u32) -> u32 {
    // SAFETY: the host's place.
    unsafe { protocol.write(1) };
    note("status")
}
unsafe extern "C" fn transmit(
    _: *const RawHeld,
    command: *const u8,
    length: usize,
    answer: *mut u8,
    capacity: usize,
    got: *mut usize,
) -> u32 {
    // SAFETY: the host's buffers. The length is what a broken plug-in could claim.
    unsafe {
        assert_eq!(std::slice::from_raw_parts(command, length), [0, 0xA4]);
        answer.write(0x90);
        got.write(if capacity == 2 { 2 } else { capacity + 1 });
    }
    note("transmit")
}
unsafe extern "C" fn features(_: *const RawHeld, answer: *mut u8, _: usize, got: *mut usize) -> u32 {
    // SAFETY: the host's buffer has room for more.
    unsafe {
        ptr::copy_nonoverlapping([0x12, 4, 0x42, 0x33, 0, 0x12].as_ptr(), answer, 6);
        got.write(6);
    }
    note("features")
}
unsafe extern "C" fn control(_: *const RawHeld, code: u32, answer: *mut u8, _: usize, got: *mut usize) -> u32 {
    assert_eq!(code, 0x4233_0012);
    // SAFETY: the host's buffer has room for more.
    unsafe {
        ptr::copy_nonoverlapping([0x0A, 4, 0, 0, 1, 0].as_ptr(), answer, 6);
        got.write(6);
    }
    note("control")
}

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

fn card() -> Box<dyn api::Card> {
    let card = PlugIn(&TABLE).establish().unwrap().connect("one").unwrap();
    called();
    card
}

#[test]
fn contexts_and_cards_are_given_back_once() {
    let mut context = PlugIn(&TABLE).establish().unwrap();
    let cancel = context.canceller().unwrap();
    let mut card = context.connect("one").unwrap();
    card.reconnect().unwrap();
    drop(context);
    cancel();
    drop(card);
    drop(cancel);
    assert_eq!(called(), ["establish", "share", "connect", "reconnect", "release", "cancel", "disconnect", "release"]);
    ANSWER.set(("establish", 0x8010_001D));
    assert_eq!(PlugIn(&TABLE).establish().err(), Some(Code::SCARD_E_NO_SERVICE));
    assert_eq!(called(), ["establish"], "nothing to give back");
}

#[test]
fn readers_and_their_states_come_over() {
    let mut context = PlugIn(&TABLE).establish().unwrap();
    assert_eq!(context.readers().unwrap(), ["one", "\u{fffd}other"]);
    let mut entries = [Watched::unaware("one"), Watched { known: 5, ..Watched::unaware("another") }];
    context.watch(&mut entries, Duration::from_millis(70)).unwrap();
    assert_eq!(entries.each_ref().map(|e| e.now), [73, 82]);
    assert_eq!((entries[0].atr.as_slice(), entries[1].atr.len()), (&[0x3B, 0x80][..], ATR));
    ANSWER.set(("status_change", 0x8010_000A));
    assert_eq!(context.watch(&mut entries, Duration::ZERO), Err(Code::SCARD_E_TIMEOUT));
    assert_eq!(entries.each_ref().map(|e| e.now), [73, 82], "as they were");
}

#[test]
fn a_transaction_ends_before_the_panic_of_its_work_goes_on() {
    let mut card = card();
    let panicked = panic::catch_unwind(AssertUnwindSafe(|| card.transaction(&mut |_| panic!("in the work"))));
    assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"in the work"));
    assert_eq!(called(), ["begin", "end"]);
    let mut worked = 0;
    ANSWER.set(("begin", 0x8010_0068));
    assert_eq!(card.transaction(&mut |_| worked += 1), Err(Broken::Begin(Code::SCARD_W_RESET_CARD)));
    assert_eq!(worked, 0);
    ANSWER.set(("end", 0x8010_0068));
    assert_eq!(card.transaction(&mut |_| worked += 1), Err(Broken::End(Code::SCARD_W_RESET_CARD)));
    assert_eq!(worked, 1);
}

#[test]
fn what_is_said_of_lengths_is_not_believed() {
    card()
        .transaction(&mut |held| {
            assert_eq!(held.status(), Ok(Protocol::T1));
            assert_eq!(held.transmit(&[0, 0xA4], &mut [0; 2]), Ok(2));
            assert_eq!(held.transmit(&[0, 0xA4], &mut [0; 3]), Err(Code::SCARD_E_INSUFFICIENT_BUFFER));
            assert_eq!(held.largest(), Some(0x1_0000));
        })
        .unwrap();
}
