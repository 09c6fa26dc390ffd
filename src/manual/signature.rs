//! The life of one signature.
//!
//! ```text
//! Shield::sign(request, prompt, wait, out)
//!   role -> exactly one credential, or an error that lists every certificate with its reason
//!   Format::prepare(document, certificate)     what is to be signed; a bad document ends here and has cost no try
//!   lease 1   certificate still there? tries read, nothing spent          C_OpenSession, C_FindObjects, C_GetTokenInfo
//!   prompt    the person types; no lease, no lock, no session is open
//!   lease 2   certificate still there? tries read again; login and signature adjacent
//!                                                                        C_Login, C_FindObjects, C_SignInit, C_Sign
//!   verify    with the certificate's key; a wrong signature never leaves: `out` has received nothing
//!   Prepared::finish(signature, out)           the document; Receipt
//! ```
//!
//! # The same on a PIV card, command by command
//!
//! ```text
//! scan      00 A4 04 00 09 A0 00 00 03 08 00 00 10 00 00          SELECT by AID (SP 800-73-4 part 2, 3.1.1)
//!           00 CB 3F FF 05 5C 03 5F C1 02 00                      GET DATA: CHUID, who the card is; by reference: not asked
//!           00 CB 3F FF 03 5C 01 7E 00                            GET DATA: discovery object, which PIN it wants; by reference: not asked
//!           00 CB 3F FF 05 5C 03 5F C1 05 00, 00 C0 00 00 00 ...  GET DATA: the certificate of 9A; so for each place that is looked at
//! lease 1   00 A4 04 00 ..                                        SELECT: who knows what others have selected meanwhile
//!           00 20 00 80                                           VERIFY without data: 63 C3, three tries; costs none, logs nobody out
//! prompt    the person types; the connection is open, no transaction is
//! lease 2   00 A4 04 00 ..   00 20 00 80                          in the same transaction as what follows
//!           00 20 00 80 08 31 32 33 34 35 36 FF FF                VERIFY: the PIN, filled up with FF (3.2.1)
//!           00 87 11 9A 26 7C 24 82 00 81 20 <digest> 00          GENERAL AUTHENTICATE (3.2.4): P-256, key 9A; nothing in between
//! ```
//!
//! The second and later leases of one insertion do not read the certificate again: the connection tells when the card was out. Seven commands
//! and the certificate, by reference; `tests/card_budget.rs` counts them.
//!
//! # Which PIN goes where
//!
//! The role sits in the request, fixed by its constructor. The prompt is told the role and makes a PIN for that role only; an answer with
//! another role's PIN is refused before a token hears of it (`PinRole`). The token of the credential is the only one that is leased.
//!
//! # What a try costs
//!
//! Tries are read before the person is asked and again in the lease that logs in. With one try left, or none known and a refusal seen, the
//! call ends with `LastTry` or `TriesUnknown` unless a [`crate::Consent`] came with the request. One entry is one `C_Login` as user; a key that
//! wants its PIN for each signature gets the same entry once more as `CKU_CONTEXT_SPECIFIC`, after the first was accepted. A refused PIN is
//! never sent again.
//!
//! # A batch
//!
//! [`crate::Shield::unlock`] checks the PIN at once and keeps it in a wiped buffer. Leases are given back after
//! [`crate::policy::LEASE_SIGNATURES`] signatures or [`crate::policy::LEASE_TIME`]. Where a token loses the
//! login meanwhile, the PIN is sent again only while the token reports the same tries as right after the entry, and at most
//! [`crate::Policy::resends`] times. The first refusal, the policy's end or idleness end the batch; a watcher does so by itself.
//!
//! On a card there is one lease at a time, and threads take turns on it, in the order in which they came; a thread's deadline does not run while those
//! before it get their signatures one after the other. On a PIV card the login stays between two leases, as long as the
//! session keeps the connection and nobody resets the card. On a device of GM/T 0017 it ends with each lease: the next one reads the tries and
//! sends the PIN again, which is no lost login and does not count as one; [`crate::Policy::keep_login`] keeps a customs login
//! until the batch ends. When one way to the certificate is gone, the batch goes on by the next.
