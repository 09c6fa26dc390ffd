//! The border to C, and the one room with unsafe code.
//!
//! [`export!`] makes every exported function: its pointers are checked, its inputs copied, its body run where a panic is
//! caught, and its outputs written last and only on success. The bodies themselves are safe code. What this room relies on is
//! what the header asks of the caller: a pointer is NULL or points to readable (for outputs writable) memory of its type, and
//! a pointer with a length or a count to that much of it, for as long as the call runs. Handles are exempt: see `slab`.
//! `plugin` is the border in the other direction: calls of ours into the library that knows PC/SC.
#![allow(unsafe_code, reason = "C gives pointers; they are read and written here and nowhere else")]

mod input;
mod output;
#[cfg(not(any(windows, target_os = "macos")))]
pub(crate) mod plugin;

use std::ffi::c_void;

use shield::{Error, ErrorKind, Result};

use crate::slab::Seat;
use crate::{failpoint, quiet};

pub(crate) use input::{Input, Options, Pointee, nested, text};
pub use input::{Octets, OctetsList, Text, TextList};
pub(crate) use output::{Buffer, Output, Outputs};

pub(crate) fn refuse(kind: ErrorKind, what: impl Into<String>) -> Error {
    Error::new(kind, "call from C").detail(what)
}

fn check<T>(pointer: *const T, name: &str) -> Result<()> {
    if pointer.is_null() {
        return Err(refuse(ErrorKind::NullPointer, name));
    }
    if !pointer.is_aligned() {
        return Err(refuse(ErrorKind::Argument, format!("{name} is not aligned")));
    }
    Ok(())
}

/// Asks the host's dialog. It runs outside: no lock and no lease is held, and its panics are its own.
pub(crate) fn ask<Q>(
    callback: extern "C" fn(*mut c_void, *const Q, *mut u8, usize, *mut usize) -> u32,
    userdata: *mut c_void,
    question: &Q,
    buffer: &mut [u8],
    length: &mut usize,
) -> u32 {
    quiet::outside(|| callback(userdata, question, buffer.as_mut_ptr(), buffer.len(), length))
}

/// Runs a call, gives its result code, and hands out the error where the caller wants it.
pub(crate) fn call(
    name: &'static str,
    error: Option<*mut *mut crate::ShieldError>,
    work: impl FnOnce() -> Result<()>,
) -> u32 {
    let defect = |place: String| Error::new(ErrorKind::Defect, name).detail(format!("panic at {place}"));
    let run = || {
        failpoint::hit(name);
        work()
    };
    let failed = match quiet::guarded(run) {
        Ok(Ok(())) => return 0,
        Ok(Err(error)) => error,
        Err(place) => defect(place),
    };
    let code = failed.kind() as u32;
    let place = error.filter(|place| check(place.cast_const(), "error").is_ok());
    if let (Some(place), Ok(Ok(seat))) = (place, quiet::guarded(Seat::<crate::ShieldError>::reserve)) {
        // SAFETY: not NULL, aligned, and writable as the caller says.
        unsafe { place.write(seat.fill(failed)) };
    }
    code
}

/// Makes an exported function. Inputs stand in the first brackets; `text a, b` adds a pointer and a length that become one
/// `&str`. Then what it gives: outputs and, with `error`, an error object; or a `text` or `octets` for the caller's buffer.
macro_rules! export {
    ($(#[$meta:meta])* fn $name:ident($($in:ident: $in_type:ty),* $(; text $text:ident, $length:ident)?)
        -> ($($out:ident: $out_type:ty),*) error $body:block) => {
        $crate::border::export!(@one [$(#[$meta])*] $name [$($in: $in_type),*] [$($text, $length)?] [$($out: $out_type),*]
            [error: *mut *mut $crate::ShieldError] [Some(error)] $body);
    };
    ($(#[$meta:meta])* fn $name:ident($($in:ident: $in_type:ty),*) -> ($($out:ident: $out_type:ty),*) $body:block) => {
        $crate::border::export!(@one [$(#[$meta])*] $name [$($in: $in_type),*] [] [$($out: $out_type),*] [] [None] $body);
    };
    ($(#[$meta:meta])* fn $name:ident($($in:ident: $in_type:ty),*) -> text $body:block) => {
        $crate::border::export!(@copy [$(#[$meta])*] $name [$($in: $in_type),*] std::ffi::c_char, String,
            $crate::terminated, $body);
    };
    ($(#[$meta:meta])* fn $name:ident($($in:ident: $in_type:ty),*) -> octets $body:block) => {
        $crate::border::export!(@copy [$(#[$meta])*] $name [$($in: $in_type),*] u8, Vec<u8>, std::convert::identity, $body);
    };
    (@one [$(#[$meta:meta])*] $name:ident [$($in:ident: $in_type:ty),*] [$($text:ident, $length:ident)?]
        [$($out:ident: $out_type:ty),*] [$($error:ident: $error_type:ty)?] [$place:expr] $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code, clippy::missing_safety_doc, reason = "the border's contract stands in the header")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            $($in: $in_type,)* $($text: *const std::ffi::c_char, $length: usize,)? $($out: $out_type,)* $($error: $error_type,)?
        ) -> u32 {
            fn body(
                $($in: <$in_type as $crate::border::Input>::Given,)* $($text: &str,)?
            ) -> shield::Result<<($($out_type,)*) as $crate::border::Outputs>::Values> $body
            $crate::border::call(stringify!($name), $place, || {
                // SAFETY: the pointers are C's own, as the header asks for them.
                $(let $out = unsafe { <$out_type as $crate::border::Output>::ready($out, stringify!($out)) }?;)*
                // SAFETY: as above.
                $(let $in = unsafe { <$in_type as $crate::border::Input>::given($in, stringify!($in)) }?;)*
                // SAFETY: as above.
                $(let $text = unsafe { $crate::border::text($text, $length, stringify!($text)) }?;)?
                $crate::failpoint::hit_inside(stringify!($name));
                let values = body($($in,)* $(&$text)?)?;
                // SAFETY: made ready above.
                unsafe { <($($out_type,)*) as $crate::border::Outputs>::write(($($out,)*), values) };
                Ok(())
            })
        }
    };
    (@copy [$(#[$meta:meta])*] $name:ident [$($in:ident: $in_type:ty),*] $unit:ty, $made:ty, $finish:path, $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code, clippy::missing_safety_doc, reason = "the border's contract stands in the header")]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($in: $in_type,)* buffer: *mut $unit, capacity: usize, needed: *mut usize) -> u32 {
            fn body($($in: <$in_type as $crate::border::Input>::Given),*) -> shield::Result<$made> $body
            $crate::border::call(stringify!($name), None, || {
                // SAFETY: the pointers are C's own, as the header asks for them.
                let buffer = unsafe { $crate::border::Buffer::new(buffer.cast::<u8>(), capacity, needed) }?;
                // SAFETY: as above.
                $(let $in = unsafe { <$in_type as $crate::border::Input>::given($in, stringify!($in)) }?;)*
                $crate::failpoint::hit_inside(stringify!($name));
                buffer.put(&$finish(body($($in),*)?))
            })
        }
    };
}
pub(crate) use export;

/// Makes the types of handles: empty structs that C sees as opaque ones.
macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, $c:literal, $object:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            _private: [u8; 0],
        }

        impl $crate::slab::Handle for $name {
            const KIND: u8 = $kind;
            const NAME: &'static str = $c;
            type Object = $object;
        }

        #[allow(unsafe_code, reason = "the trait asks for it; a handle is never looked behind")]
        impl $crate::border::Pointee for $name {
            type Given = std::sync::Arc<$object>;
            unsafe fn given(pointer: *const Self, name: &str) -> shield::Result<Self::Given> {
                $crate::slab::get(pointer, name)
            }
        }
    )*};
}
pub(crate) use handles;
