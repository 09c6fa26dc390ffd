//! Signed documents: what is to be signed, and the finished bytes. A format never sees a token.

#[cfg(feature = "xml")]
pub mod ceb;
pub mod cms;
mod customs;
pub mod digest;
mod double;
pub mod ems;
pub mod login;
#[cfg(feature = "json")]
pub mod payment179;
mod proof;
pub mod raw;
mod variants;
#[cfg(feature = "xml")]
pub mod xmldsig;

use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

use crate::cert::{CardKind, Certificate};
use crate::error::Result;
use crate::identifiers::IdentifierSet;
use crate::note::Note;
use crate::policy;
use crate::role::Role;
use crate::source::Content;
use crate::suite::{RawSignature, Sm2Id, Suite, ToBeSigned};
use crate::verify::{Report, VerifyContext};

/// What a format may know when it prepares a signature.
#[derive(Debug, Clone)]
pub struct SignContext {
    /// The role of the request.
    pub role: Role,
    /// The profile says `test = true`.
    pub test: bool,
    /// The profile asks for RSA with SHA-1 (the old customs profile).
    pub sha1: bool,
    /// The identifier set that the profile names for customs messages, where it names one.
    pub identifiers: Option<IdentifierSet>,
    /// Which of the company's cards signs, as far as the profile tells.
    pub card: CardKind,
    /// What the token signs with this key.
    pub suites: Vec<Suite>,
    /// The identifier that SM2 puts into Z. Customs takes the default one alone.
    pub sm2_id: Sm2Id,
    /// Time of day.
    pub now: SystemTime,
}

/// Finishes a document. It re-reads its source where it streams, and refuses one that changed.
pub type Finish = Box<dyn FnOnce(&RawSignature, &mut dyn Write) -> Result<()> + Send>;

/// A document that waits for its signature. It may wait long, and on another thread.
pub struct Prepared {
    /// What is to be signed.
    pub tbs: ToBeSigned,
    /// What the receipt shall say beside.
    pub notes: Vec<Note>,
    finish: Finish,
}

impl Prepared {
    /// Joins what is to be signed with the way to finish.
    #[must_use]
    pub fn new(tbs: ToBeSigned, notes: Vec<Note>, finish: Finish) -> Self {
        Prepared { tbs, notes, finish }
    }

    /// Writes the finished document. The caller has verified the signature.
    ///
    /// # Errors
    /// `OutputFailed`, `DocumentChanged`.
    pub fn finish(self, signature: &RawSignature, out: &mut dyn Write) -> Result<()> {
        (self.finish)(signature, out)
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("tbs", &self.tbs).finish_non_exhaustive()
    }
}

/// A message with one more piece, as long as it is small enough to go to a token beside its digest.
fn small(mut message: Vec<u8>, piece: &[u8]) -> Option<Vec<u8>> {
    let fits = message.len().checked_add(piece.len()).is_some_and(|sum| sum <= policy::MESSAGE_MAX);
    fits.then(|| {
        message.extend_from_slice(piece);
        message
    })
}

/// A signed document's shape.
pub trait Format: Send + Sync + fmt::Debug {
    /// Its name in receipts and reports.
    fn name(&self) -> &'static str;

    /// Works out what is to be signed. No token is needed yet: a bad document never costs a try.
    ///
    /// # Errors
    /// `Document…`, `KeyUnsuited`, `UnsupportedByCustoms`.
    fn prepare(&self, content: &Content, by: &Arc<Certificate>, context: &SignContext) -> Result<Prepared>;

    /// Whether [`Format::prepare`] would refuse a document, for whoever looks at many before a PIN is asked. A format that can tell without
    /// working out what is to be signed does so.
    ///
    /// # Errors
    /// As [`Format::prepare`].
    fn check(&self, content: &Content, by: &Arc<Certificate>, context: &SignContext) -> Result<()> {
        self.prepare(content, by, context).map(drop)
    }

    /// Verifies a document, or a detached signature over it.
    ///
    /// # Errors
    /// Only when the input cannot be read at all, or the question makes no sense; every verdict is a report.
    fn verify(&self, content: &Content, signature: Option<&[u8]>, context: &VerifyContext) -> Result<Report>;
}
