//! The functions whose arguments are worth a note in the log, or whose outputs can be made wrong.
//! `forward` calls the real module with the caller's own arguments, or gives the return value of a rule in its place.

use crate::call::{Call, Target, sessions};
use crate::control::Phase;
use crate::{shim, sm2};
use cryptoki_sys::*;
use std::ptr::null_mut;
use std::slice::from_raw_parts_mut;

type Forward<'a> = &'a dyn Fn() -> CK_RV;

fn phase<T>(buffer: *mut T) -> Phase {
    if buffer.is_null() { Phase::Query } else { Phase::Data }
}

/// The caller's array, empty where the caller gave no pointer.
///
/// # Safety
/// `first` is null or points to `count` initialised items that nobody else uses during `'a`.
unsafe fn items<'a, T>(first: *mut T, count: CK_ULONG) -> &'a mut [T] {
    match usize::try_from(count) {
        // SAFETY: by this function's contract.
        Ok(count) if !first.is_null() => unsafe { from_raw_parts_mut(first, count) },
        _ => &mut [],
    }
}

pub(crate) fn finalize(_: &mut Call, forward: Forward) -> CK_RV {
    let rv = forward();
    if rv == CKR_OK {
        sessions().clear();
    }
    rv
}

/// # Safety
/// As C_GetSlotList: `count` is null or readable and writable, `list` is null or has room for `*count` ids.
pub(crate) unsafe fn slot_list(
    call: &mut Call,
    forward: Forward,
    list: *mut CK_SLOT_ID,
    count: *mut CK_ULONG,
) -> CK_RV {
    // SAFETY: by this function's contract.
    let room = unsafe { count.as_ref() }.map_or(0, |c| *c);
    let mut rv = forward();
    // SAFETY: by this function's contract.
    let Some(count) = (unsafe { count.as_mut() }) else { return rv };
    if let Some(claim) = call.fault("slots", phase(list)).map(|r| r.number as CK_ULONG) {
        if rv == CKR_OK && !list.is_null() && claim <= room {
            for (id, at) in (0x7000_0000..).zip(*count..claim) {
                // SAFETY: the caller's array has `room` ids, and from `*count` on they are ours to write: the module stopped there.
                unsafe { list.add(at as usize).write(id) };
            }
        }
        (*count, rv) = (claim, CKR_OK);
    }
    if rv == CKR_OK {
        let shown = *count;
        call.note("count", shown);
    }
    rv
}

/// # Safety
/// As C_GetTokenInfo: `info` is null or points to one CK_TOKEN_INFO.
pub(crate) unsafe fn token_info(call: &mut Call, forward: Forward, info: *mut CK_TOKEN_INFO) -> CK_RV {
    let rv = forward();
    // SAFETY: by this function's contract.
    let Some(info) = (unsafe { info.as_mut() }) else { return rv };
    if rv != CKR_OK {
        return rv;
    }
    if let Some(rule) = call.fault("flags-clear", Phase::Data) {
        info.flags &= !(rule.number as CK_FLAGS);
    }
    if let Some(rule) = call.fault("flags-or", Phase::Data) {
        info.flags |= rule.number as CK_FLAGS;
    }
    for (verb, field) in [("serial", &mut info.serialNumber[..]), ("label", &mut info.label[..])] {
        if let Some(rule) = call.fault(verb, Phase::Data) {
            // Blank padded and without an end mark, as PKCS#11 wants; what is too long is cut, in the middle of a character too.
            let padded = rule.text.iter().copied().chain(std::iter::repeat(b' '));
            field.iter_mut().zip(padded).for_each(|(to, from)| *to = from);
        }
    }
    let flags = info.flags;
    call.note("flags", format_args!("{flags:#x}"));
    rv
}

/// # Safety
/// As C_OpenSession: `handle` is null or writable.
pub(crate) unsafe fn open_session(
    call: &mut Call,
    forward: Forward,
    flags: CK_FLAGS,
    handle: *mut CK_SESSION_HANDLE,
) -> CK_RV {
    call.note("flags", format_args!("{flags:#x}"));
    let rv = forward();
    // SAFETY: by this function's contract.
    if let (CKR_OK, Some(handle)) = (rv, unsafe { handle.as_ref() }) {
        call.note("session", handle);
        sessions().insert(*handle, call.target.clone());
    }
    rv
}

/// Takes the sessions off the list before the module may give their handles to another thread; back if it refuses.
fn close(forward: Forward, which: impl Fn(&CK_SESSION_HANDLE, &Target) -> bool) -> CK_RV {
    let closing: Vec<_> = sessions().extract_if(|handle, target| which(handle, target)).collect();
    let rv = forward();
    if rv != CKR_OK {
        sessions().extend(closing);
    }
    rv
}

pub(crate) fn close_session(_: &mut Call, forward: Forward, session: CK_SESSION_HANDLE) -> CK_RV {
    close(forward, |handle, _| *handle == session)
}

pub(crate) fn close_all_sessions(_: &mut Call, forward: Forward, slot: CK_SLOT_ID) -> CK_RV {
    close(forward, |_, target| target.slot == Some(slot))
}

/// # Safety
/// As C_Login: `pin` is null or points to `len` octets.
pub(crate) unsafe fn login(
    call: &mut Call,
    forward: Forward,
    user: CK_USER_TYPE,
    pin: *mut u8,
    len: CK_ULONG,
) -> CK_RV {
    call.note("user", user);
    // SAFETY: by this function's contract.
    unsafe { call.note_pin("", pin, len) };
    forward()
}

/// C_InitPIN (the new PIN) and C_InitToken (the SO's).
///
/// # Safety
/// `pin` is null or points to `len` octets.
pub(crate) unsafe fn init_pin(call: &mut Call, forward: Forward, pin: *mut u8, len: CK_ULONG) -> CK_RV {
    // SAFETY: by this function's contract.
    unsafe { call.note_pin("", pin, len) };
    forward()
}

/// # Safety
/// As C_SetPIN: each pointer is null or points to as many octets as its length says.
pub(crate) unsafe fn set_pin(
    call: &mut Call,
    forward: Forward,
    old: *mut u8,
    old_len: CK_ULONG,
    new: *mut u8,
    new_len: CK_ULONG,
) -> CK_RV {
    // SAFETY: by this function's contract.
    unsafe {
        call.note_pin("old-", old, old_len);
        call.note_pin("new-", new, new_len);
    }
    forward()
}

/// # Safety
/// As the C_*Init functions: `mechanism` is null or points to one CK_MECHANISM.
pub(crate) unsafe fn mechanism(
    call: &mut Call,
    forward: Forward,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    // SAFETY: by this function's contract.
    if let Some(m) = unsafe { mechanism.as_ref() } {
        let kind = m.mechanism;
        call.note("mech", format_args!("{kind:#x}"));
    }
    call.note("key", key);
    forward()
}

/// # Safety
/// As C_GetMechanismInfo: `info` is null or points to one CK_MECHANISM_INFO.
pub(crate) unsafe fn mechanism_info(
    call: &mut Call,
    forward: Forward,
    kind: CK_MECHANISM_TYPE,
    info: *mut CK_MECHANISM_INFO,
) -> CK_RV {
    call.note("mech", format_args!("{kind:#x}"));
    let rv = forward();
    // SAFETY: by this function's contract.
    match (rv, unsafe { info.as_mut() }) {
        (CKR_MECHANISM_INVALID, Some(info)) => sm2::info(call, kind).map_or(rv, |known| {
            *info = known;
            CKR_OK
        }),
        _ => rv,
    }
}

/// # Safety
/// As `mechanism`.
pub(crate) unsafe fn sign_init(
    call: &mut Call,
    forward: Forward,
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    sm2::forget(session);
    // SAFETY: by this function's contract.
    let rv = unsafe { self::mechanism(call, forward, mechanism, key) };
    // SAFETY: by this function's contract.
    match (rv, unsafe { mechanism.as_ref() }, shim()) {
        (CKR_MECHANISM_INVALID, Some(m), Some(shim)) => sm2::begin(call, shim, session, m.mechanism, key).unwrap_or(rv),
        _ => rv,
    }
}

/// # Safety
/// As `sign_final`; `data` is null or points to `input` octets.
pub(crate) unsafe fn sign(
    call: &mut Call,
    forward: Forward,
    session: CK_SESSION_HANDLE,
    data: *mut u8,
    input: CK_ULONG,
    out: *mut u8,
    len: *mut CK_ULONG,
) -> CK_RV {
    call.note("in", input);
    let rv = forward();
    // The real module has not begun anything: what was begun here is signed here.
    let made = match rv {
        // SAFETY: by this function's contract.
        CKR_OPERATION_NOT_INITIALIZED => sm2::sign(call, session, unsafe { items(data, input) }, phase(out)),
        _ => None,
    };
    let answered = || match &made {
        None => rv,
        Some(Err(rv)) => *rv,
        // SAFETY: by this function's contract.
        Some(Ok(signature)) => unsafe { sm2::give(signature, out, len) },
    };
    // SAFETY: by this function's contract.
    unsafe { sign_final(call, &answered, out, len) }
}

/// # Safety
/// As C_Sign: `len` is null or readable and writable, `out` is null or has room for `*len` octets.
pub(crate) unsafe fn sign_final(call: &mut Call, forward: Forward, out: *mut u8, len: *mut CK_ULONG) -> CK_RV {
    // SAFETY: by this function's contract.
    let room = unsafe { len.as_ref() }.map_or(0, |l| *l);
    let rv = forward();
    let phase = phase(out);
    // SAFETY: by this function's contract.
    let Some(len) = (unsafe { len.as_mut() }) else { return rv };
    if rv == CKR_OK {
        // SAFETY: the caller's buffer has `room` octets, and the module has written the first `*len` of them.
        let written = unsafe { items(out, room.min(*len)) };
        if let (Phase::Data, Some(last)) = (phase, written.last_mut())
            && call.fault("flip-signature", phase).is_some()
        {
            *last ^= 1;
        }
        for verb in ["long-signature", "short-signature"] {
            if let Some(claim) = call.fault(verb, phase).map(|r| r.number) {
                *len = claim as CK_ULONG;
            }
        }
    }
    match phase {
        Phase::Query => call.note("out", "query"),
        Phase::Data => call.note("out", *len),
    }
    rv
}

/// # Safety
/// As C_FindObjects: `list` is null or has room for `max` handles, `count` is null or writable.
pub(crate) unsafe fn find_objects(
    call: &mut Call,
    forward: Forward,
    list: *mut CK_OBJECT_HANDLE,
    max: CK_ULONG,
    count: *mut CK_ULONG,
) -> CK_RV {
    let rv = forward();
    // SAFETY: by this function's contract.
    let Some(count) = (unsafe { count.as_mut() }) else { return rv };
    if rv == CKR_OK {
        if call.fault("deny-find", Phase::Data).is_some() {
            *count = 0;
        }
        if call.fault("endless-find", Phase::Data).is_some() {
            for at in (*count..max).filter(|_| !list.is_null()) {
                // SAFETY: `at` is below `max`, for which the caller gave room.
                unsafe { list.add(at as usize).write(at + 1) };
            }
            *count = max;
        }
        if let Some(rule) = call.fault("find-count", Phase::Data) {
            *count = rule.number as CK_ULONG;
        }
        let found = *count;
        call.note("found", found);
    }
    call.note("max", max);
    rv
}

/// # Safety
/// As C_GetAttributeValue: `template` is null or points to `count` attributes, each with its buffer.
pub(crate) unsafe fn attributes(
    call: &mut Call,
    forward: Forward,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    // SAFETY: by this function's contract; the module sees the array only inside `forward`, when this slice is not in use.
    let given: Vec<CK_ATTRIBUTE> = unsafe { items(template, count) }.to_vec();
    let types: Vec<String> = given.iter().map(|a| format!("{:#x}", a.type_)).collect();
    call.note("object", object);
    call.note("types", types.join(","));
    let swap = |call: &mut Call, a: &CK_ATTRIBUTE| match a.type_ {
        CKA_VALUE => call.fault("swap-cert", phase(a.pValue)).map(|r| r.text.clone()),
        _ => None,
    };
    let swaps: Vec<Option<Vec<u8>>> = given.iter().map(|a| swap(call, a)).collect();
    // Of an attribute to be swapped the module is asked only whether it has it: the buffer fits our value, not the module's.
    // SAFETY: as above.
    unsafe { items(template, count) }
        .iter_mut()
        .zip(&swaps)
        .filter(|(_, swap)| swap.is_some())
        .for_each(|(a, _)| a.pValue = null_mut());
    let mut rv = forward();
    // SAFETY: as above.
    for ((attribute, given), swap) in unsafe { items(template, count) }.iter_mut().zip(&given).zip(swaps) {
        attribute.pValue = given.pValue;
        if let Some(value) = swap.filter(|_| rv == CKR_OK && attribute.ulValueLen != CK_UNAVAILABLE_INFORMATION) {
            // SAFETY: `given` is what the caller wrote: its buffer and the buffer's length.
            rv = unsafe { answer(attribute, given.ulValueLen, &value) };
        }
        if given.type_ == CKA_KEY_TYPE && !given.pValue.is_null() && rv == CKR_OK {
            // SAFETY: the module has written a CK_KEY_TYPE there, by the length that it tells.
            unsafe { sm2::other_key_type(call, attribute, session, object) };
        }
        if let Some(rule) = call.attribute_fault("huge-attribute", phase(given.pValue), given.type_) {
            attribute.ulValueLen = rule.number as CK_ULONG;
        }
    }
    rv
}

/// Gives `value` for an attribute by PKCS#11's rules (v2.40, section 5.7, C_GetAttributeValue).
///
/// # Safety
/// `attribute.pValue` is null or has room for `room` octets.
unsafe fn answer(attribute: &mut CK_ATTRIBUTE, room: CK_ULONG, value: &[u8]) -> CK_RV {
    if !attribute.pValue.is_null() && (value.len() as CK_ULONG) > room {
        attribute.ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_BUFFER_TOO_SMALL;
    }
    // SAFETY: `value` fits the room, by the test above.
    unsafe { items(attribute.pValue.cast::<u8>(), value.len() as CK_ULONG) }
        .iter_mut()
        .zip(value)
        .for_each(|(to, from)| *to = *from);
    attribute.ulValueLen = value.len() as CK_ULONG;
    CKR_OK
}
