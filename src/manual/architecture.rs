//! The rooms of the library, and the decisions behind them.
//!
//! # Words
//!
//! A **shield** is one device. A **door** is one way to reach it: a PKCS#11 token today; a card applet over PC/SC and a vendor's
//! SKF library later. A **credential** is a certificate, its private key on the token, and the PIN that opens it. A **role** is what a
//! credential is for. A **lease** is bounded use of one door. A **format** is a signed document's shape.
//!
//! # Who may know what
//!
//! ```text
//! shield, session        hold leases, ask the person, verify, write
//!   request, prompt, receipt, credential, profile
//!   format  ->  verify, cert, source, suite          never a token
//!   door    ->  token  ->  token/pkcs11, token/piv -> apdu              never a document, never a prompt
//! error, role, tries, policy, pin, wait, suite, source, note, atomic    leaves
//! ```
//!
//! `tests/architecture.rs` holds every `use crate::` against a table of rooms, so that this picture stays true.
//!
//! # Decisions
//!
//! **A lease has a thread.** A driver's C call cannot be interrupted. The token of a lease lives on a thread of its own, and whoever waits
//! for it gets an answer at the deadline ([`crate::Wait`]). What remains is said plainly: the abandoned call goes on until the driver lets
//! it end; its session, and a login that it may have opened, end with it.
//!
//! **`Token::login` exists beside `Token::sign`.** A person who unlocks a batch wants to hear of a wrong PIN now, not at the first
//! signature. The first sketch of the seam had `sign` alone.
//!
//! **`PinState` tells whether a login is open.** A session that takes a new lease must know whether its PIN would be sent again. With
//! PKCS#11 a login belongs to the whole process: a second lease shares it, and nothing is sent.
//!
//! **Tries and notes are leaves of their own** (`tries`, `note`): errors speak of tries and PINs make errors; formats make notes and
//! receipts carry them. Each pair would have been a cycle.
//!
//! **`shield` is a folder.** A shield opens a session and a session keeps its shield: two sides of one room.
//!
//! **Every signature is made by one call of `C_Sign` with a fixed buffer** (`token/pkcs11/raw.rs`, the one file with `unsafe`): a key that
//! wants its PIN each time needs the login between `C_SignInit` and a single-part `C_Sign`, for which the binding has no room, and the
//! module's claim about a length is never believed. The same file reads attributes, objects and slots with bounded buffers, because a
//! hostile module can make the binding allocate without limit or read outside its buffer.
//!
//! **A module is never finalised.** Modules stay loaded for the life of the process: other parts of it may use them, and finalising at exit has
//! taken hosts down (`parallaxsecond/rust-cryptoki#208`).
//!
//! **The time in which a person types does not count.** A [`crate::Wait`] bounds what machines do; after the prompt the rest of it starts anew.
//!
//! **RSA-2048 in a customs message is signed with rsa-sha1**, as the official identifiers have it; the receipt says so.
