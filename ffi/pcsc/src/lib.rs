//! PC/SC for `libshared_shield`: `libshared_shield_pcsc.so`.
//!
//! It is linked with libpcsclite, and `libshared_shield.so` is not: that one loads on every machine and works with PKCS#11 modules, and opens this
//! one, which lies in its folder, when a program asks for readers. Where this library or libpcsclite is missing, that is an error which says
//! so. (A static libpcsclite would be the other way; Debian and Ubuntu have none.) Windows and macOS always have PC/SC: there it is linked.
//!
//! It exports one symbol, which gives a [`Table`] of calls. `table` is what both libraries are compiled with; `calls` makes the calls, over the
//! crate `pcsc`, and leaves the card on every path; `border` has the pointers, and all unsafe code.

mod border;
mod calls;
mod table;

pub use border::shared_shield_pcsc_1;
pub use table::Table;
