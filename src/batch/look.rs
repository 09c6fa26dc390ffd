//! The plan: every document is looked at before a PIN is asked for.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::journal::{encoded, readable};
use super::{Batch, Done, Item, Journal, Outcome, Plan, Present, Record, concerns_one_document};
use crate::atomic::{check_place, check_replaceable};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::BATCH_DOCUMENT_MAX;
use crate::shield::Shield;
use crate::source::{Content, open_ordinary};
use crate::suite::{Digest, DigestAlgorithm};

pub(super) const READ: &str = "read document";
const PLAN: &str = "plan output";

/// One document after a look at it.
struct Looked {
    digest: Digest,
    what: What,
}

enum What {
    Todo,
    Settled(Outcome),
    /// The journal knows it under another name than that of its output.
    Elsewhere(Record),
}

/// How a document that the journal knows stands to what would be signed now.
enum Kept {
    Same,
    /// The journal names another certificate: what stands at the output is judged as if the journal did not know it.
    AnotherCertificate,
    /// The same certificate signed it, and with another suite than the one that was asked for.
    Otherwise(String),
    /// The same certificate signed it, and the journal does not know with which suite: what stands at the output is judged.
    UnknownSuite,
}

impl Batch<'_> {
    /// Looks at every document, with several threads and without a PIN: which are done, and which cannot be signed, or their outputs not be
    /// written.
    ///
    /// A document that the journal knows is done when its output is as it was written, the certificate is the one that would sign now, and the
    /// suite is the one that was asked for, where [one was](Batch::suite). Otherwise it is signed anew where [`overwrite`](Batch::overwrite) is
    /// said. Where its output is gone it counts as done, whoever signed it, and is signed anew where [`again`](Batch::again) is said.
    ///
    /// # Errors
    /// What concerns all of them: no certificate, no shield, a journal that cannot be written or has no room (`JournalFull`), and `Argument` for
    /// an output in the place of the journal or of a file to keep, or a journal in the place of a document.
    pub fn plan(&self, shield: &Shield) -> Result<Plan> {
        self.check_kept()?;
        let looked = self.each(self.items.len(), |index| {
            let item = self.items.get(index)?;
            Some(self.look(item, shield))
        });
        let here = |(item, looked): (&Item, &Option<Result<Looked>>)| match looked {
            Some(Ok(looked)) => Some((looked.digest.hex(), encoded(&item.output))),
            _ => None,
        };
        let here: HashSet<(String, String)> = self.items.iter().zip(&looked).filter_map(here).collect();
        let mut plan = Plan { todo: Vec::new(), settled: Vec::new() };
        let mut seen: HashMap<String, &Path> = HashMap::new();
        for (index, (item, looked)) in self.items.iter().zip(looked).enumerate() {
            let settled = match looked {
                None => continue,
                Some(Err(error)) => refused(error)?,
                Some(Ok(Looked { what: What::Settled(outcome), .. })) => outcome,
                Some(Ok(Looked { digest, what: What::Elsewhere(record) })) => elsewhere(item, &digest, &record, &here),
                Some(Ok(Looked { digest, what: What::Todo })) => {
                    // Once more: another thread may have found its output under another name meanwhile.
                    if let Some(record) = self.journal.known(&digest).filter(|record| self.is_elsewhere(item, record)) {
                        elsewhere(item, &digest, &record, &here)
                    } else if let Some(first) = seen.insert(digest.hex(), &item.input) {
                        Outcome::Refused(twice(&format!("it is {} too", first.display())))
                    } else if let Err(error) =
                        check_place(&item.output).and_then(|()| Journal::check_line(&item.output))
                    {
                        refused(error)?
                    } else {
                        plan.todo.push((index, digest));
                        continue;
                    }
                }
            };
            (self.settled)(index, &settled);
            plan.settled.push((index, settled));
        }
        self.check_room(&plan)?;
        Ok(plan)
    }

    /// A document without its line is signed a second time by the next run: no PIN is asked for where the lines have no room.
    fn check_room(&self, plan: &Plan) -> Result<()> {
        let outputs = plan.todo.iter().filter_map(|(index, _)| self.items.get(*index));
        let lines = outputs.fold(0_u64, |sum, item| sum.saturating_add(Journal::line(&item.output)));
        if lines > self.journal.room() { Err(self.journal.full()) } else { Ok(()) }
    }

    /// An output in the place of the journal would take away what says that nothing is signed twice, and one in the place of a file that the
    /// caller works with, that file. A journal in the place of a document would be written into it.
    fn check_kept(&self) -> Result<()> {
        let refuse = |item: &Item, what: &str| {
            let detail = format!("{}: {what}", item.input.display());
            Err(Error::new(ErrorKind::Argument, PLAN).detail(detail))
        };
        let whole = |path: &Path| path.canonicalize().ok();
        let journal = whole(self.journal.path());
        let keep: HashMap<PathBuf, &Path> = self.keep.iter().filter_map(|path| Some((whole(path)?, *path))).collect();
        for item in self.items {
            let (input, output) = (whole(&item.input), whole(&item.output));
            if journal.is_some() && input == journal {
                return refuse(item, "it is named as the journal, too");
            }
            let Some(output) = output else { continue };
            if Some(&output) == journal.as_ref() {
                return refuse(item, "its output would replace the journal");
            }
            if let Some(kept) = keep.get(&output) {
                return refuse(item, &format!("its output would replace {}", kept.display()));
            }
        }
        Ok(())
    }

    fn is_elsewhere(&self, item: &Item, record: &Record) -> bool {
        record.name != encoded(&item.output) && !self.again
    }

    fn look(&self, item: &Item, shield: &Shield) -> Result<Looked> {
        let document = read(&item.input)?;
        let digest = DigestAlgorithm::Sha256.of(&document)?;
        let what = self.look_at(item, &document, &digest, shield)?;
        Ok(Looked { digest, what })
    }

    fn look_at(&self, item: &Item, document: &[u8], digest: &Digest, shield: &Shield) -> Result<What> {
        let before = |record: &Record, moved| {
            Ok(What::Settled(Outcome::Before { moved, renamed: None, by: record.fingerprint }))
        };
        let mut otherwise = None;
        // Fetched once: another thread may write the line while this one looks.
        match self.journal.known(digest) {
            Some(record) if self.is_elsewhere(item, &record) => return Ok(What::Elsewhere(record)),
            Some(record) => match at(&item.output)? {
                There::Nothing if self.again => {}
                There::Nothing => return before(&record, true),
                There::File(there) if there.hex() == record.output => {
                    match self.kept(item, document, &record, shield)? {
                        Kept::Same => return before(&record, false),
                        Kept::AnotherCertificate | Kept::UnknownSuite => {}
                        Kept::Otherwise(why) => otherwise = Some(why),
                    }
                }
                // Not what was written: judged below.
                There::File(_) | There::NoOutput => {}
            },
            None => {}
        }
        let certificate = shield.check(&(self.request)(item, Content::bytes(document)))?;
        let present = match ((self.present)(item, document, &certificate), otherwise) {
            (Present::Done, Some(why)) => Present::Other(why),
            (present, _) => present,
        };
        match present {
            // Nobody is asked for a PIN where the writer would refuse. Who looks through a symbolic link that leads nowhere finds nothing there.
            Present::Absent => match check_replaceable(&item.output) {
                Ok(()) => Ok(What::Todo),
                Err(_) if is_never_replaced(&item.output) => {
                    Err(occupied(&item.output, "only an ordinary file is replaced", io::ErrorKind::AlreadyExists))
                }
                Err(error) => Err(error),
            },
            Present::Other(why) => {
                let (why, kind) = match check_replaceable(&item.output) {
                    Ok(()) if self.overwrite => return Ok(What::Todo),
                    Ok(()) => (why, io::ErrorKind::AlreadyExists),
                    Err(_) if is_never_replaced(&item.output) && self.overwrite => {
                        (format!("{why}; only an ordinary file is replaced"), io::ErrorKind::AlreadyExists)
                    }
                    Err(_) if is_never_replaced(&item.output) => (why, io::ErrorKind::AlreadyExists),
                    // Another kind, so that nobody is told that it would be replaced if they said so.
                    Err(_) => {
                        (format!("{why}; a write-protected file is not replaced"), io::ErrorKind::PermissionDenied)
                    }
                };
                Err(occupied(&item.output, &why, kind))
            }
            Present::Done => {
                match at(&item.output)? {
                    There::File(output) => self.note(item, digest, &output, (&certificate, self.suite), Done::Found)?,
                    There::NoOutput => {
                        let why = "it is no signed document any more";
                        return Err(occupied(&item.output, why, io::ErrorKind::AlreadyExists));
                    }
                    There::Nothing => {}
                }
                Ok(What::Settled(Outcome::Before { moved: false, renamed: None, by: certificate.fingerprint() }))
            }
        }
    }

    /// Whether a document whose output is as it was written would be signed the same way now. It is not prepared again: what would be refused now
    /// was right when it was signed.
    fn kept(&self, item: &Item, document: &[u8], record: &Record, shield: &Shield) -> Result<Kept> {
        let request = (self.request)(item, Content::bytes(document));
        if shield.signer(&request)?.fingerprint() != record.fingerprint {
            return Ok(Kept::AnotherCertificate);
        }
        Ok(match (self.suite, record.suite) {
            (Some(_), None) => Kept::UnknownSuite,
            (Some(asked), Some(suite)) if suite != asked => {
                Kept::Otherwise(format!("it is signed with {suite} and not with {asked}"))
            }
            (None | Some(_), _) => Kept::Same,
        })
    }
}

/// An error of a document; one that concerns all of them stops the plan.
fn refused(error: Error) -> Result<Outcome> {
    if concerns_one_document(&error) { Ok(Outcome::Refused(error)) } else { Err(error) }
}

/// What becomes of a document that the journal knows under the name of another output. Where that one is of this batch and of the same
/// document, the document is there twice; otherwise it got another name, and was done before.
fn elsewhere(item: &Item, digest: &Digest, record: &Record, here: &HashSet<(String, String)>) -> Outcome {
    let name = readable(&record.name);
    if here.contains(&(digest.hex(), record.name.clone())) {
        return Outcome::Refused(twice(&format!("it was signed before as {name}")));
    }
    let is_bare = Path::new(&name).file_name().is_some_and(|bare| *bare == *name);
    let there = is_bare.then(|| at(&item.output.with_file_name(&name)));
    let moved = !matches!(there, Some(Ok(There::File(there))) if there.hex() == record.output);
    Outcome::Before { moved, renamed: Some(name), by: record.fingerprint }
}

/// Only an ordinary file is opened.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    if fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        return Err(Error::new(ErrorKind::InputFailed, READ).detail(format!("{} is no file", path.display())));
    }
    Content::file(path).read(BATCH_DOCUMENT_MAX, READ)
}

/// What stands at an output, by its octets alone.
enum There {
    Nothing,
    /// A file with this digest.
    File(Digest),
    /// No file, or one that is too large for an output: nothing that was written here.
    NoOutput,
}

fn at(path: &Path) -> Result<There> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(There::Nothing) };
    let most = u64::try_from(BATCH_DOCUMENT_MAX).unwrap_or(u64::MAX).saturating_mul(2);
    if !metadata.is_file() || metadata.len() > most {
        return Ok(There::NoOutput);
    }
    let mut octets = Vec::new();
    match open_ordinary(path).and_then(|file| file.take(most).read_to_end(&mut octets)) {
        Ok(_) => DigestAlgorithm::Sha256.of(&octets).map(There::File),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(There::Nothing),
        Err(e) => Err(Error::new(ErrorKind::InputFailed, READ).io(&e).detail(path.display().to_string())),
    }
}

/// Whether [`write_whole`] leaves it where it is: a folder, a symbolic link, a pipe.
fn is_never_replaced(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|m| !m.is_file())
}

fn twice(detail: &str) -> Error {
    Error::new(ErrorKind::DocumentTwice, READ).detail(detail.to_owned())
}

fn occupied(path: &Path, why: &str, kind: io::ErrorKind) -> Error {
    let there = io::Error::from(kind);
    let detail = format!("{} is there and was left as it is: {why}", path.display());
    Error::new(ErrorKind::OutputFailed, PLAN).io(&there).detail(detail)
}
