//! How to read an error.
//!
//! An [`crate::Error`] says what happened ([`crate::ErrorKind`], the stable axis whose number is also the C code), where (the operation, or the
//! function of the token's interface), the raw status as the token gave it, the tries left, and what a person can do now
//! ([`crate::Recovery`]). `Display` is one English sentence from a fixed table with the facts in brackets; `message_zh` is the Chinese one. The
//! short code (`SH-2003`) is for the telephone.
//!
//! # Ranges
//!
//! | range | about |
//! |---|---|
//! | 1xxx | reaching a shield: drivers, tokens, waiting |
//! | 2xxx | PINs |
//! | 3xxx | certificates and keys |
//! | 4xxx | documents |
//! | 5xxx | signatures |
//! | 6xxx | profiles |
//! | 7xxx | files |
//! | 9xxx | the library itself |
//!
//! # Rule for a new kind
//!
//! A kind exists where a person would act differently. Its number is new and stays; its sentence says what to do; it never carries a PIN or a
//! person's data. There is no general error, and no kind without the raw status where one existed.
