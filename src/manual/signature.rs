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
//! [`crate::policy::LEASE_SIGNATURES`] signatures or [`crate::policy::LEASE_TIME`]; the login is held meanwhile. Where a token loses it all the
//! same, the PIN is sent again only while the token reports the same tries as right after the entry, and at most
//! [`crate::Policy::resends`] times. The first refusal, the policy's end or idleness end the batch; a watcher does so by itself.
