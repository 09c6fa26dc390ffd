//! The border to C, and the one file with unsafe code.
//!
//! [`export!`] makes every exported function: its pointers are checked, its inputs copied, its body run where a panic is
//! caught, and its outputs written last and only on success. The bodies themselves are safe code. What this file relies on is
//! what the header asks of the caller: a pointer is NULL or points to readable (for outputs writable) memory of its type, and
//! a pointer with a length or a count to that much of it, for as long as the call runs. Handles are exempt: see `slab`.
#![allow(unsafe_code, reason = "C gives pointers; they are read and written here and nowhere else")]

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;
use std::sync::Arc;

use shield::{Error, ErrorKind, Result};

use crate::slab::{self, Handle, Seat};
use crate::{failpoint, quiet};

/// The most entries of a list, and the most octets of a name, a path or a text.
const LIST_MAX: usize = 1024;
const TEXT_MAX: usize = 1 << 20;
/// The largest options struct that a caller of the future may give.
const STRUCT_MAX: usize = 4096;

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

/// UTF-8 text: a pointer and a length in octets, without a NUL. NULL with length 0 is "not given".
#[derive(Debug)]
#[repr(C)]
pub struct Text {
    /// The first octet.
    data: *const c_char,
    /// How many octets; a NUL that ends the text does not count.
    length: usize,
}

/// Octets: a pointer and a length. NULL with length 0 is "not given".
#[derive(Debug)]
#[repr(C)]
pub struct Octets {
    /// The first octet.
    data: *const u8,
    /// How many.
    length: usize,
}

/// A list of texts.
#[derive(Debug)]
#[repr(C)]
pub struct TextList {
    /// The first.
    data: *const Text,
    /// How many.
    count: usize,
}

/// A list of octet strings.
#[derive(Debug)]
#[repr(C)]
pub struct OctetsList {
    /// The first.
    data: *const Octets,
    /// How many.
    count: usize,
}

/// The elements behind a pointer and a count; `None` where nothing is given.
///
/// # Safety
/// As the head of this file says; the result must not outlive the call.
unsafe fn elements<'a, T>(data: *const T, count: usize, name: &str, most: usize) -> Result<Option<&'a [T]>> {
    if data.is_null() && count == 0 {
        return Ok(None);
    }
    check(data, name)?;
    if count > most || count.checked_mul(size_of::<T>()).is_none_or(|octets| isize::try_from(octets).is_err()) {
        return Err(refuse(ErrorKind::Argument, format!("{name} has a length that cannot be")));
    }
    // SAFETY: not NULL, aligned, of a possible length; the caller's contract gives the rest.
    Ok(Some(unsafe { std::slice::from_raw_parts(data, count) }))
}

impl Text {
    /// A copy of the text.
    pub(crate) fn get(&self, name: &str) -> Result<Option<String>> {
        // SAFETY: only C makes a `Text`; it is read while the call runs and copied.
        let octets = unsafe { elements(self.data.cast::<u8>(), self.length, name, TEXT_MAX) }?;
        let bad = |_| refuse(ErrorKind::Argument, format!("{name} is not UTF-8"));
        octets.map(|o| std::str::from_utf8(o).map(str::to_owned).map_err(bad)).transpose()
    }
}

impl Octets {
    /// A copy of the octets.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.with(name, |octets| octets.map(<[u8]>::to_vec))
    }

    /// The octets for the length of `work`: for what must not be copied about.
    pub(crate) fn with<R>(&self, name: &str, work: impl FnOnce(Option<&[u8]>) -> R) -> Result<R> {
        // SAFETY: only C makes an `Octets`; it is read while the call runs.
        Ok(work(unsafe { elements(self.data, self.length, name, usize::MAX) }?))
    }
}

impl TextList {
    /// Copies of the texts.
    pub(crate) fn get(&self, name: &str) -> Result<Vec<String>> {
        // SAFETY: only C makes a `TextList`; it is read while the call runs and copied.
        let texts = unsafe { elements(self.data, self.count, name, LIST_MAX) }?.unwrap_or_default();
        let given = |t: &Text| t.get(name)?.ok_or_else(|| refuse(ErrorKind::NullPointer, name));
        texts.iter().map(given).collect()
    }
}

impl OctetsList {
    /// Copies of the octet strings.
    pub(crate) fn get(&self, name: &str) -> Result<Vec<Vec<u8>>> {
        // SAFETY: only C makes an `OctetsList`; it is read while the call runs and copied.
        let list = unsafe { elements(self.data, self.count, name, LIST_MAX) }?.unwrap_or_default();
        let given = |o: &Octets| o.get(name)?.ok_or_else(|| refuse(ErrorKind::NullPointer, name));
        list.iter().map(given).collect()
    }
}

/// An options struct: it begins with its size as the caller was compiled with, and all-zero is a value of it.
pub(crate) trait Options: Sized {
    /// What it means.
    type Given;
    /// Whether NULL stands for a struct of zeros.
    const MAY_BE_NULL: bool = false;
    fn parse(&self) -> Result<Self::Given>;
}

/// Copies a struct of an older caller (shorter: the rest is zero) or a newer one (longer: the rest must be zero).
///
/// # Safety
/// As the head of this file says. `T` is `repr(C)`, begins with a `usize`, and all-zero is a value of it.
unsafe fn copy<T: Options>(from: *const T, name: &str) -> Result<T> {
    let mut copy = MaybeUninit::<T>::zeroed();
    if from.is_null() && T::MAY_BE_NULL {
        // SAFETY: all-zero is a value of `T`.
        return Ok(unsafe { copy.assume_init() });
    }
    check(from, name)?;
    // SAFETY: not NULL and aligned; every options struct begins with its size.
    let given = unsafe { from.cast::<usize>().read() };
    let wrong = |why: &str| Err(refuse(ErrorKind::StructUnknown, format!("{name}.struct_size is {given}: {why}")));
    if given < size_of::<usize>() {
        return wrong("set it to the size of the struct");
    }
    if given > STRUCT_MAX {
        return wrong("no options struct is so large");
    }
    let known = given.min(size_of::<T>());
    // SAFETY: the caller says that `given` octets are there, and the copy has room for `known`.
    let rest = unsafe {
        std::ptr::copy_nonoverlapping(from.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), known);
        std::slice::from_raw_parts(from.cast::<u8>().add(known), given - known)
    };
    if rest.iter().any(|o| *o != 0) {
        return wrong("it holds something that this library does not know");
    }
    // SAFETY: zeros, or what the caller put there; every field takes any bits or is read as the contract says.
    Ok(unsafe { copy.assume_init() })
}

/// What a pointer to this means as an input.
pub(crate) trait Pointee: Sized {
    type Given;
    /// # Safety
    /// As the head of this file says.
    unsafe fn given(pointer: *const Self, name: &str) -> Result<Self::Given>;
}

impl<T: Options> Pointee for T {
    type Given = T::Given;

    unsafe fn given(pointer: *const Self, name: &str) -> Result<Self::Given> {
        // SAFETY: handed on from the caller.
        unsafe { copy(pointer, name) }?.parse()
    }
}

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

/// An options struct behind a pointer within another one.
pub(crate) fn nested<T: Options>(pointer: *const T, name: &str) -> Result<Option<T::Given>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: only C makes such a pointer; it is read while the call runs and copied.
    unsafe { copy(pointer, name) }?.parse().map(Some)
}

/// An input of an exported function.
pub(crate) trait Input {
    type Given;
    /// # Safety
    /// As the head of this file says.
    unsafe fn given(self, name: &str) -> Result<Self::Given>;
}

macro_rules! plain_inputs {
    ($($number:ty),*) => {$(
        impl Input for $number {
            type Given = $number;
            unsafe fn given(self, _name: &str) -> Result<$number> {
                Ok(self)
            }
        }
    )*};
}
plain_inputs!(u32, usize);

impl<T: Pointee> Input for *const T {
    type Given = T::Given;

    unsafe fn given(self, name: &str) -> Result<T::Given> {
        // SAFETY: handed on from the caller.
        unsafe { T::given(self, name) }
    }
}

/// A handle that is given back: it is freed, whatever happens next.
impl<T: Handle> Input for *mut T {
    type Given = Arc<T::Object>;

    unsafe fn given(self, name: &str) -> Result<Arc<T::Object>> {
        slab::take(self.cast_const(), name)
    }
}

/// An output of an exported function. It is made ready before the work and written after it.
pub(crate) trait Output {
    type Value;
    type Ready;
    /// # Safety
    /// As the head of this file says.
    unsafe fn ready(self, name: &str) -> Result<Self::Ready>;
    /// # Safety
    /// `ready` is of this call.
    unsafe fn write(ready: Self::Ready, value: Self::Value);
}

macro_rules! plain_outputs {
    ($($number:ty),*) => {$(
        impl Output for *mut $number {
            type Value = $number;
            type Ready = *mut $number;
            unsafe fn ready(self, name: &str) -> Result<Self> {
                check(self.cast_const(), name).map(|()| self)
            }
            unsafe fn write(ready: Self, value: $number) {
                // SAFETY: checked in `ready`.
                unsafe { ready.write(value) }
            }
        }
    )*};
}
plain_outputs!(u32, i64, usize);

impl<T: Handle> Output for *mut *mut T {
    type Value = T::Object;
    type Ready = (*mut *mut T, Seat<T>);

    unsafe fn ready(self, name: &str) -> Result<Self::Ready> {
        check(self.cast_const(), name)?;
        Ok((self, Seat::reserve()?))
    }

    unsafe fn write((place, seat): Self::Ready, value: T::Object) {
        // SAFETY: checked in `ready`.
        unsafe { place.write(seat.fill(value)) }
    }
}

/// All outputs of an exported function together.
pub(crate) trait Outputs {
    type Ready;
    type Values;
    /// # Safety
    /// `ready` is of this call.
    unsafe fn write(ready: Self::Ready, values: Self::Values);
}

macro_rules! outputs {
    ($($name:ident $value:ident),*) => {
        impl<$($name: Output),*> Outputs for ($($name,)*) {
            type Ready = ($($name::Ready,)*);
            type Values = ($($name::Value,)*);
            #[allow(non_snake_case, clippy::unused_unit, reason = "one name serves as type and as variable")]
            unsafe fn write(($($name,)*): Self::Ready, ($($value,)*): Self::Values) {
                // SAFETY: handed on from the caller.
                $(unsafe { $name::write($name, $value) };)*
            }
        }
    };
}
outputs!();
outputs!(A a);
outputs!(A a, B b);

/// A caller's buffer with room for an answer.
#[derive(Debug)]
pub(crate) struct Buffer {
    data: *mut u8,
    capacity: usize,
    needed: *mut usize,
}

impl Buffer {
    /// # Safety
    /// As the head of this file says: `capacity` octets are writable at `data`.
    pub(crate) unsafe fn new(data: *mut u8, capacity: usize, needed: *mut usize) -> Result<Self> {
        if !needed.is_null() {
            check(needed.cast_const(), "needed")?;
        }
        if data.is_null() && (capacity > 0 || needed.is_null()) {
            return Err(refuse(ErrorKind::NullPointer, "buffer"));
        }
        Ok(Buffer { data, capacity, needed })
    }

    /// Copies out, or says how much room is needed.
    pub(crate) fn put(self, octets: &[u8]) -> Result<()> {
        if !self.needed.is_null() {
            // SAFETY: checked in `new`.
            unsafe { self.needed.write(octets.len()) };
        }
        if octets.len() > self.capacity {
            let short = format!("{} octets are there, {} are needed", self.capacity, octets.len());
            return Err(refuse(ErrorKind::BufferTooShort, short));
        }
        if !octets.is_empty() {
            // SAFETY: the buffer has room, as the caller says; the answer is the library's own memory.
            unsafe { std::ptr::copy_nonoverlapping(octets.as_ptr(), self.data, octets.len()) };
        }
        Ok(())
    }
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
pub(crate) fn call(name: &'static str, error: Option<*mut *mut crate::ShieldError>, work: impl FnOnce() -> Result<()>) -> u32 {
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
                unsafe {
                    $(let $out = <$out_type as $crate::border::Output>::ready($out, stringify!($out))?;)*
                    $(let $in = <$in_type as $crate::border::Input>::given($in, stringify!($in))?;)*
                    $(let $text = $crate::border::text($text, $length, stringify!($text))?;)?
                    $crate::failpoint::hit_inside(stringify!($name));
                    let values = body($($in,)* $(&$text)?)?;
                    <($($out_type,)*) as $crate::border::Outputs>::write(($($out,)*), values);
                }
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
                unsafe { $(let $in = <$in_type as $crate::border::Input>::given($in, stringify!($in))?;)*
                    $crate::failpoint::hit_inside(stringify!($name));
                    buffer.put(&$finish(body($($in),*)?))
                }
            })
        }
    };
}
pub(crate) use export;

/// A text that is given as two arguments.
///
/// # Safety
/// As the head of this file says.
pub(crate) unsafe fn text(data: *const c_char, length: usize, name: &str) -> Result<String> {
    Text { data, length }.get(name)?.ok_or_else(|| refuse(ErrorKind::NullPointer, name))
}
