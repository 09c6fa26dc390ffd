//! Batches: many documents, one PIN entry, and a journal, so that a rerun signs nothing twice.
//!
//! Documents are prepared by several threads and signed through one session. Each output is there whole or not at all. A document that is refused stops
//! nobody else; a PIN that is refused, a shield that is gone for good, a full disk stop everything, and what is left is not tried. What was done stands in
//! the [`Journal`].
//!
//! A signature that a shield has made and that was not on the disk yet when the program was killed is lost: a rerun makes another one. There is one output for
//! each document all the same.

mod journal;
mod list;
mod look;
mod run;

use std::path::PathBuf;

use crate::cert::Fingerprint;
use crate::error::{Error, ErrorKind};
use crate::receipt::Receipt;
use crate::suite::Digest;

pub use journal::{Done, Journal, Record};
pub use list::{files, folder, manifest};
pub use run::{Batch, Plan, Present};

/// A document and the place of its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The document.
    pub input: PathBuf,
    /// Where the signed document goes.
    pub output: PathBuf,
}

/// What became of a document.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Outcome {
    /// It was signed, and its output is there.
    Signed {
        /// Who signed it with what.
        receipt: Box<Receipt>,
        /// SHA-256 of the output.
        output: Digest,
    },
    /// It was done before: its output is there, or the journal knows it and somebody has moved the output away.
    Before {
        /// Its output is no longer where it was put.
        moved: bool,
        /// The name of its output where that is another one: the document was signed under another name, which is none of this batch.
        renamed: Option<String>,
        /// Of the certificate that signed it. Where the output is there under its own name it is the one that would sign now.
        by: Fingerprint,
    },
    /// It was refused; the others go on.
    Refused(Error),
    /// The batch ended before it.
    NotTried,
}

/// How many documents came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tally {
    /// Signed in this run.
    pub signed: usize,
    /// Done before.
    pub before: usize,
    /// Refused.
    pub refused: usize,
    /// Not tried.
    pub not_tried: usize,
}

/// What became of a batch.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// For each document, in the order in which they were given.
    pub outcomes: Vec<Outcome>,
    /// Why the batch ended before its end, if it did.
    pub stopped: Option<Error>,
}

impl Report {
    /// The numbers.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.outcomes.iter().fold(Tally::default(), |mut tally, outcome| {
            let count = match outcome {
                Outcome::Signed { .. } => &mut tally.signed,
                Outcome::Before { .. } => &mut tally.before,
                Outcome::Refused(_) => &mut tally.refused,
                Outcome::NotTried => &mut tally.not_tried,
            };
            *count = count.saturating_add(1);
            tally
        })
    }
}

/// Whether an error belongs to one document, so that the others may go on. Shield, PIN and certificate stop everything, and so do a key that signs wrong, a
/// disk that takes nothing more, and a journal that cannot be written.
#[must_use]
pub fn concerns_one_document(error: &Error) -> bool {
    use std::io::ErrorKind as Io;
    let full = matches!(error.io_kind(), Some(Io::StorageFull | Io::QuotaExceeded | Io::ReadOnlyFilesystem));
    let stops = matches!(
        error.kind(),
        ErrorKind::UnsupportedByCustoms
            | ErrorKind::IdentifiersUnsuited
            | ErrorKind::SignatureWrong
            | ErrorKind::JournalForeign
            | ErrorKind::JournalBusy
            | ErrorKind::JournalFull
    );
    let unwritten = error.operation() == journal::WRITE;
    matches!(error.kind().number() >> 12, 4 | 5 | 7) && !stops && !full && !unwritten
}
