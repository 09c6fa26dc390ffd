//! What C gets: numbers, handles and filled buffers.

use shield::{ErrorKind, Result};

use super::{check, refuse};
use crate::slab::{Handle, Seat};

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
