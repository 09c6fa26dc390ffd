//! The rooms of the library, and the decisions behind them.
//!
//! # Words
//!
//! A **shield** is one device. A **door** is one way to reach it: a card's application over PC/SC, or a PKCS#11 token; a vendor's
//! SKF library later. A **credential** is a certificate, its private key on the token, and the PIN that opens it. A **role** is what a
//! credential is for. A **lease** is bounded use of one door. A **format** is a signed document's shape.
//!
//! # Who may know what
//!
//! ```text
//! shield, session        hold leases, ask the person, verify, write
//!   request, prompt, receipt, credential, profile
//!   format  ->  verify, cert, source, suite          never a token
//!   door    ->  token  ->  token/pkcs11, token/piv, token/gm0017    never a document, never a prompt
//!   card    ->  link, token                          never a PIN
//!   link    ->  apdu     readers and transactions, never what a command means
//! scan                   card, door, profile -> shield
//! simulator              a card for link; it shares nothing with token
//! doctor, watch          look at what scan finds; nobody inside asks them
//! batch                  many documents over one session; keeps the journal
//! error, role, tries, policy, pin, wait, suite, identifiers, source, note, atomic    leaves
//! ```
//!
//! `tests/architecture.rs` holds every `use crate::` against a table of rooms, of which this picture is the summary.
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
//! **Names of identifier sets are a leaf** (`identifiers`): a profile names one, a format writes it, and profiles stand above formats.
//!
//! **A batch's journal says what this program did, never that a signature is right.** It is written after the output is on the disk: a run that is killed in
//! between leaves an output that the journal does not know, and the next run verifies that one before it believes it. The other order would know of
//! outputs that never came to be. It knows certificate and suite of each document, because "done before" is false where another one would sign now. It never
//! grows over [`crate::policy::BATCH_LIST_MAX`], beyond which it would not be read: that its lines have no room is told before a PIN is asked for.
//!
//! **The declarant is compared by the format**, before anything is asked: format, certificate and profile are all that is needed, and a batch learns of a wrong
//! message before its PIN.
//!
//! **`shield` is a folder.** A shield opens a session and a session keeps its shield: two sides of one room.
//!
//! **Every signature is made by one call of `C_Sign` with a fixed buffer** (`token/pkcs11/raw.rs`, the one file with `unsafe`): a key that
//! wants its PIN each time needs the login between `C_SignInit` and a single-part `C_Sign`, for which the binding has no room, and the
//! module's claim about a length is never believed. The same file reads attributes, objects and slots with bounded buffers, because a
//! hostile module can make the binding allocate without limit or read outside its buffer.
//!
//! **The numbers of SM2 in a module are data** ([`crate::token::Sm2Table`]): PKCS#11 has none, vendors took their own, and one number means
//! different things to different clients. A mechanism is used where the token says that it signs with it, one that takes the finished e before
//! one that hashes; what it gives has to have the stated form, be in range, and verify. The profile's table reaches the door that it is for,
//! not the module: a module is loaded once for a process, and a process may have scanners with several profiles.
//!
//! **A module is never finalised.** Modules stay loaded for the life of the process: other parts of it may use them, and finalising at exit has
//! taken hosts down (`parallaxsecond/rust-cryptoki#208`).
//!
//! **For C, PC/SC stands in a library of its own** (`ffi/pcsc`). A `libshared_shield.so` that is linked with libpcsclite does not load where that is
//! missing, and Debian and Ubuntu have no static libpcsclite to put inside. The small library has one symbol, a table of calls over
//! [`crate::link::pcsc::api`]; it is opened when a program asks for readers, from the folder of the first and from nowhere else: who sets the
//! environment or the working directory of a program must not choose what it loads. Windows and macOS always have PC/SC: there it is linked.
//!
//! **A diagnosis uses what everything else uses.** `doctor` lists readers, scans and reads PIN states by the calls that a program makes, so
//! that what it calls right is right. What it adds is a look at the file system (is the service installed, is a key on the USB bus) and the
//! judgement: a way that is not there is wrong only where no other way leads to a shield.
//!
//! **A cause is found by undoing it.** A verifier that explains writes the document, SignedInfo or the 179 string in each known other way and names the one for which digest
//! or signature is true (`format/xmldsig/why`, `format/payment179/hints`, `format/variants`). The search is bounded in octets, not in seconds, so that it gives
//! the same answer on every machine. An RSA value tells by itself what was signed, which makes a try a comparison of digests (`suite/recovered`).
//!
//! **Findings are a table of the manual** (`manual/findings.rs`): the page and [`crate::FindingKind`] are made of the same rows.
//!
//! **A text for a stranger is made of our own words.** The bundle of `doctor` leaves out details of errors, reasons, paths and labels rather than
//! searching them; only names of readers, makers and issuers are searched for what names somebody.
//!
//! **A reference holds no label.** Issuers write persons' names into labels of tokens and objects; a PKCS#11 token is found again by the
//! fingerprint alone.
//!
//! **The time in which a person types does not count.** A [`crate::Wait`] bounds what machines do; after the prompt the rest of it starts anew.
//!
//! **RSA-2048 in a customs message is signed with rsa-sha1**, as the official identifiers have it; the receipt says so.
//!
//! **An SM2 identifier belongs to a request and to a verdict** ([`crate::Request::sm2_id`], [`crate::VerifyContext::sm2_id`]), not to a key and not
//! to a profile: it stands in no signature and no certificate, so it is what signer and receiver agreed on for these documents. Customs,
//! certificates and certificate requests have the default one, and nothing can change it there. What is to be signed carries message and
//! identifier beside e, because a key with a display hashes by itself.
//!
//! **Cards are a room of their own** (`card`): a door, a driver and a link meet there, and neither `token` nor `link` knows of the other's
//! use. A driver is given a port (`apdu::Transmit`) and never a transaction: it cannot end one.
//!
//! **A driver is told whether its application was selected in this very transaction** (`Driver::attach`): looking at a card costs one SELECT and
//! not two. In every other transaction it selects, because another program may have selected something else without a reset.
//!
//! **A connection lives as long as somebody wants it** ([`crate::policy::CONNECTION_IDLE`]). An open one keeps the card's power and login, tells
//! when the card was out, and makes the next lease cheap; it also keeps out whoever wants the reader alone. So a batch holds it, a question to
//! a person holds it, and otherwise it is closed soon after its last use.
//!
//! **A reset may hide a removal.** pcsc-lite keeps one event for each connection: a card that was swapped and then reset by another program
//! shows a reset. The link compares the reader's count of insertions before it goes on (`link/pcsc/worker.rs`); a test swaps two cards
//! with one name (`another_key_behind_the_same_name_gets_no_pin`).
//!
//! **PC/SC is a table of raw calls** (`link/pcsc/api.rs`), because three things stand behind it: the `pcsc` crate, a library that the C interface
//! opens when it is wanted (Debian has no static libpcsclite, and a `.so` that needs it would not load where it is missing), and scripts for
//! what pcscd cannot be made to do.
//!
//! **A way on which no PIN may be sent is passed over** where there is another: a GM/T 0017 device whose dialect nobody names is often reached by
//! its maker's module as well. Its lease ends before the module is called. Where it is the only way, it says why.
//!
//! **A login that a policy keeps is ended by a lease of its own** ([`crate::Policy::keep_login`]). The lease that opened it may be long over, or have
//! failed, and then it cannot be told anything; the last thread of a batch that is over opens one more, which ends every login of this process. The role decides
//! in one place, where the batch is opened: the bank's is never kept.
//!
//! **Changing a PIN is a method of a shield** and not yet a room `lifecycle`: it takes one lease and no resumable script. The room comes with
//! issuing and renewing.
//!
//! **`PinState` of a PIV card whose PIN somebody has verified is "at least 2".** The card does not tell the counter then; but a right VERIFY has
//! reset it and a wrong one would have ended that state (SP 800-73-4 part 2, 3.2.1).
