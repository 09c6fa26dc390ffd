//! What C gives: views, options structs, handles. Everything is checked and copied.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::sync::Arc;

use shield::{ErrorKind, Result};

use super::{check, refuse};
use crate::slab::{self, Handle};

/// The most entries of a list, and the most octets of a name, a path or a text.
const LIST_MAX: usize = 1024;
const TEXT_MAX: usize = 1 << 20;
/// The largest options struct that a caller of the future may give.
const STRUCT_MAX: usize = 4096;

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
    /// Whether there is a list at all, be it an empty one.
    pub(crate) fn is_given(&self) -> bool {
        !self.data.is_null()
    }

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
    /// The sizes that earlier published versions had, each as `offset_of!` of the field that came next. A new field begins where the
    /// struct ended, never in its padding: that may hold anything.
    const EARLIER: &'static [usize] = &[];
    fn parse(&self) -> Result<Self::Given>;
}

/// Copies a struct of an older caller (a size that some version had: the rest is zero) or a newer one (longer: the rest must be zero).
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
    // A size that no version had is a mistake, and would cut a field in two.
    if given < size_of::<T>() && !T::EARLIER.contains(&given) {
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

/// A text that is given as two arguments.
///
/// # Safety
/// As the head of this file says.
pub(crate) unsafe fn text(data: *const c_char, length: usize, name: &str) -> Result<String> {
    Text { data, length }.get(name)?.ok_or_else(|| refuse(ErrorKind::NullPointer, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Pin, Request, ScanOptions, Selector, UnlockOptions, VerifyOptions};

    /// A struct that was published three times: with one field, with two, with three.
    #[derive(Debug)]
    #[repr(C)]
    struct Grown {
        struct_size: usize,
        first: usize,
        second: usize,
        third: usize,
    }

    impl Options for Grown {
        type Given = [usize; 3];
        const EARLIER: &'static [usize] = &[std::mem::offset_of!(Grown, second), std::mem::offset_of!(Grown, third)];
        fn parse(&self) -> Result<[usize; 3]> {
            Ok([self.first, self.second, self.third])
        }
    }

    /// What the library makes of a caller's struct with that size; two words follow the struct itself.
    fn read(size: usize, after: [usize; 2]) -> std::result::Result<[usize; 3], ErrorKind> {
        #[repr(C)]
        struct Memory(Grown, [usize; 2]);
        let memory = Memory(Grown { struct_size: size, first: 1, second: 2, third: 3 }, after);
        // SAFETY: the whole of it is readable.
        unsafe { Grown::given((&raw const memory).cast(), "options") }.map_err(|e| e.kind())
    }

    #[test]
    fn only_sizes_that_some_version_had_are_taken() {
        let word = size_of::<usize>();
        let unknown = Err(ErrorKind::StructUnknown);
        assert_eq!(read(2 * word, [9, 9]), Ok([1, 0, 0]));
        assert_eq!(read(3 * word, [9, 9]), Ok([1, 2, 0]));
        assert_eq!(read(4 * word, [9, 9]), Ok([1, 2, 3]));
        // A newer program: what this library does not know is not set.
        assert_eq!(read(5 * word, [0, 9]), Ok([1, 2, 3]));
        assert_eq!(read(6 * word, [0, 0]), Ok([1, 2, 3]));
        assert_eq!(read(5 * word, [9, 0]), unknown);
        assert_eq!(read(6 * word, [0, 9]), unknown);
        for size in (0..4 * word).filter(|size| ![2 * word, 3 * word].contains(size)) {
            assert_eq!(read(size, [0, 0]), unknown, "{size}");
        }
    }

    /// Every size that was ever published, in words of a pointer; the last one is today's. A struct that grows makes this fail until its
    /// size so far is in [`Options::EARLIER`]; nothing here is ever taken away.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn the_published_sizes_are_known() {
        fn sizes<T: Options>() -> Vec<usize> {
            T::EARLIER.iter().copied().chain([size_of::<T>()]).map(|octets| octets / size_of::<usize>()).collect()
        }
        let is = [
            ("shield_scan_options", sizes::<ScanOptions>(), vec![6, 9, 10]),
            ("shield_selector", sizes::<Selector>(), vec![8]),
            ("shield_request", sizes::<Request>(), vec![12]),
            ("shield_unlock_options", sizes::<UnlockOptions>(), vec![9]),
            ("shield_pin", sizes::<Pin>(), vec![5]),
            ("shield_verify_options", sizes::<VerifyOptions>(), vec![18, 22]),
        ];
        for (name, is, published) in is {
            assert_eq!(is, published, "{name}");
        }
    }
}
