//! The runner: looks at every document before a PIN is asked for, then signs with several threads.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use super::journal::{encoded, readable};
use super::{Done, Item, Journal, Outcome, Record, Report, concerns_one_document};
use crate::atomic::{write_new, write_whole};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::BATCH_DOCUMENT_MAX;
use crate::receipt::Receipt;
use crate::request::Request;
use crate::shield::{Session, Shield};
use crate::source::Content;
use crate::suite::{Digest, DigestAlgorithm, Hasher};
use crate::wait::{Wait, lock};

const READ: &str = "read document";

/// What stands where an output shall go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Present {
    /// Nothing.
    Absent,
    /// This document, signed as it would be signed now.
    Done,
    /// Something else, and why it is something else.
    Other(String),
}

type Asking<'b> = dyn Fn(&Item, Content) -> Request + Sync + 'b;
type Judging<'b> = dyn Fn(&Item, &[u8], &Certificate) -> Present + Sync + 'b;
type Telling<'b> = dyn Fn(usize, &Outcome) + Sync + 'b;
type Waiting<'b> = dyn Fn() -> Wait + Sync + 'b;

/// What a batch is of and how it is to be done.
pub struct Batch<'b> {
    /// The documents.
    pub items: &'b [Item],
    /// What was done before.
    pub journal: &'b Journal,
    /// The request for a document; the role is the session's.
    pub request: &'b Asking<'b>,
    /// Judges what stands at an output that the journal does not know.
    pub present: &'b Judging<'b>,
    /// Told of each document that is settled, from any thread.
    pub settled: &'b Telling<'b>,
    /// The deadline of one document.
    pub wait: &'b Waiting<'b>,
    /// How many threads prepare and sign; at least one.
    pub threads: usize,
    /// Replaces outputs that are something else.
    pub overwrite: bool,
    /// Signs documents again that the journal knows, where their output is gone.
    pub again: bool,
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("items", &self.items.len())
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// What is to be done, and what is settled without a signature.
#[derive(Debug)]
pub struct Plan {
    /// Index of a document, and the digest that it had.
    todo: Vec<(usize, Digest)>,
    settled: Vec<(usize, Outcome)>,
}

impl Plan {
    /// How many documents are to be signed: where there are none, nobody need be asked for a PIN.
    #[must_use]
    pub fn to_sign(&self) -> usize {
        self.todo.len()
    }
}

/// One document after a look at it.
enum Looked {
    Todo(Digest),
    Settled(Outcome),
}

impl Batch<'_> {
    /// Looks at every document, with several threads and without a PIN: which are done, and which cannot be signed.
    ///
    /// # Errors
    /// What concerns all of them: no certificate, no shield, a journal that cannot be written, and `Argument` for one that is an output.
    pub fn plan(&self, shield: &Shield) -> Result<Plan> {
        self.check_journal()?;
        let looked = self.each(self.items.len(), |index| {
            let item = self.items.get(index)?;
            Some(self.look(item, shield))
        });
        let mut plan = Plan { todo: Vec::new(), settled: Vec::new() };
        let mut seen: HashMap<String, &Path> = HashMap::new();
        for (index, (item, looked)) in self.items.iter().zip(looked).enumerate() {
            let outcome = match looked {
                None => continue,
                Some(Err(error)) if concerns_one_document(&error) => Outcome::Refused(error),
                Some(Err(error)) => return Err(error),
                Some(Ok(Looked::Settled(outcome))) => outcome,
                Some(Ok(Looked::Todo(digest))) => {
                    // Once more: another thread may have found its output under another name meanwhile.
                    if let Err(error) = self.signed_as_another(item, self.journal.known(&digest).as_ref()) {
                        Outcome::Refused(error)
                    } else if let Some(first) = seen.insert(digest.hex(), &item.input) {
                        Outcome::Refused(twice(&format!("it is {} too", first.display())))
                    } else {
                        plan.todo.push((index, digest));
                        continue;
                    }
                }
            };
            (self.settled)(index, &outcome);
            plan.settled.push((index, outcome));
        }
        Ok(plan)
    }

    /// An output in the place of the journal would take away what says that nothing is signed twice.
    fn check_journal(&self) -> Result<()> {
        let Ok(journal) = self.journal.path().canonicalize() else { return Ok(()) };
        match self.items.iter().find(|i| i.output.canonicalize().is_ok_and(|output| output == journal)) {
            None => Ok(()),
            Some(item) => {
                let detail = format!("{}: its output would replace the journal", item.input.display());
                Err(Error::new(ErrorKind::Argument, "plan output").detail(detail))
            }
        }
    }

    fn look(&self, item: &Item, shield: &Shield) -> Result<Looked> {
        let document = read(&item.input)?;
        let digest = DigestAlgorithm::Sha256.of(&document)?;
        // Fetched once: another thread may write the line while this one looks.
        let record = self.journal.known(&digest);
        self.signed_as_another(item, record.as_ref())?;
        if let Some(record) = record {
            match at(&item.output)? {
                There::Nothing if self.again => {}
                There::Nothing => return Ok(Looked::Settled(Outcome::Before { moved: true })),
                There::File(there) if there.hex() == record.output => {
                    return Ok(Looked::Settled(Outcome::Before { moved: false }));
                }
                // Not what was written: judged below.
                There::File(_) | There::NoOutput => {}
            }
        }
        let certificate = shield.check(&(self.request)(item, Content::bytes(document.as_slice())))?;
        match (self.present)(item, &document, &certificate) {
            // Nobody is asked for a PIN where the writer would refuse. Who looks through a symbolic link that leads nowhere finds nothing there.
            Present::Absent if is_never_replaced(&item.output) => {
                Err(occupied(&item.output, "only an ordinary file is replaced"))
            }
            Present::Absent => Ok(Looked::Todo(digest)),
            Present::Other(why) if self.overwrite && is_never_replaced(&item.output) => {
                Err(occupied(&item.output, &format!("{why}; only an ordinary file is replaced")))
            }
            Present::Other(_) if self.overwrite => Ok(Looked::Todo(digest)),
            Present::Other(why) => Err(occupied(&item.output, &why)),
            Present::Done => {
                match at(&item.output)? {
                    There::File(output) => self.note(item, &digest, &output, &certificate, Done::Found)?,
                    There::NoOutput => return Err(occupied(&item.output, "it is no signed document any more")),
                    There::Nothing => {}
                }
                Ok(Looked::Settled(Outcome::Before { moved: false }))
            }
        }
    }

    /// Refuses a document whose output has another name in the journal.
    fn signed_as_another(&self, item: &Item, record: Option<&Record>) -> Result<()> {
        match record.filter(|record| record.name != encoded(&item.output) && !self.again) {
            None => Ok(()),
            Some(record) => Err(twice(&format!("it was signed before as {}", readable(&record.name)))),
        }
    }

    /// Signs what the plan has left, within an open session. It comes back when every document is settled, or when something stops the batch.
    #[must_use]
    pub fn sign(&self, plan: Plan, session: &Session) -> Report {
        let Plan { todo, settled } = plan;
        let stopped: Mutex<Option<Error>> = Mutex::new(None);
        let signed = self.each(todo.len(), |place| {
            if lock(&stopped).is_some() {
                return None;
            }
            let (index, digest) = todo.get(place)?;
            let item = self.items.get(*index)?;
            let outcome = match self.sign_one(item, digest, session) {
                Ok((receipt, output)) => Outcome::Signed { receipt: Box::new(receipt), output },
                Err(error) if concerns_one_document(&error) => Outcome::Refused(error),
                Err(error) => {
                    // The first one says why; the others only met the same.
                    lock(&stopped).get_or_insert(error);
                    return None;
                }
            };
            (self.settled)(*index, &outcome);
            Some((*index, outcome))
        });
        let mut outcomes: Vec<Outcome> = self.items.iter().map(|_| Outcome::NotTried).collect();
        for (index, outcome) in settled.into_iter().chain(signed.into_iter().flatten()) {
            if let Some(place) = outcomes.get_mut(index) {
                *place = outcome;
            }
        }
        let stopped = lock(&stopped).take();
        Report { outcomes, stopped }
    }

    /// The report of a plan that nobody signs: because there is nothing to do, or because `why` stands in the way.
    #[must_use]
    pub fn unsigned(&self, plan: Plan, why: Option<Error>) -> Report {
        let mut outcomes: Vec<Outcome> = self.items.iter().map(|_| Outcome::NotTried).collect();
        for (index, outcome) in plan.settled {
            if let Some(place) = outcomes.get_mut(index) {
                *place = outcome;
            }
        }
        Report { outcomes, stopped: why }
    }

    fn sign_one(&self, item: &Item, planned: &Digest, session: &Session) -> Result<(Receipt, Digest)> {
        let document = read(&item.input)?;
        // The octets that were looked at, or none.
        if DigestAlgorithm::Sha256.of(&document)? != *planned {
            return Err(Error::new(ErrorKind::DocumentChanged, READ));
        }
        let request = (self.request)(item, Content::bytes(document));
        let fill = |out: &mut dyn Write| {
            let mut hashing = Hashing { out, hasher: DigestAlgorithm::Sha256.hasher()? };
            let receipt = session.sign(request, &(self.wait)(), &mut hashing)?;
            Ok((receipt, hashing.hasher.finish()))
        };
        let (receipt, output) =
            if self.overwrite { write_whole(&item.output, fill) } else { write_new(&item.output, fill) }?;
        self.note(item, planned, &output, &session.credential().certificate, Done::Signed)?;
        Ok((receipt, output))
    }

    fn note(&self, item: &Item, input: &Digest, output: &Digest, by: &Certificate, done: Done) -> Result<()> {
        let (input, output, fingerprint) = (input.hex(), output.hex(), by.fingerprint());
        let record = Record { input, output, fingerprint, name: encoded(&item.output), done };
        self.journal.add(record, SystemTime::now())
    }

    /// Does `work` for each place, with several threads; the results in order.
    fn each<T: Send>(&self, places: usize, work: impl Fn(usize) -> Option<T> + Sync) -> Vec<Option<T>> {
        let next = AtomicUsize::new(0);
        let results: Vec<Mutex<Option<T>>> = (0..places).map(|_| Mutex::new(None)).collect();
        let worker = || {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(result) = results.get(place) else { return };
                let done = work(place);
                *lock(result) = done;
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads.clamp(1, places.max(1)) {
                scope.spawn(worker);
            }
            worker();
        });
        results.into_iter().map(|result| lock(&result).take()).collect()
    }
}

/// Hashes what goes by: the output is known without being read again.
struct Hashing<'o> {
    out: &'o mut dyn Write,
    hasher: Hasher,
}

impl Write for Hashing<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let written = self.out.write(octets)?;
        self.hasher.update(octets.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What is no ordinary file is not opened: to open a pipe would wait for whoever writes into it.
fn read(path: &Path) -> Result<Vec<u8>> {
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
    match fs::read(path) {
        Ok(octets) => DigestAlgorithm::Sha256.of(&octets).map(There::File),
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

fn occupied(path: &Path, why: &str) -> Error {
    let there = io::Error::from(io::ErrorKind::AlreadyExists);
    let detail = format!("{} is there and was left as it is: {why}", path.display());
    Error::new(ErrorKind::OutputFailed, "plan output").io(&there).detail(detail)
}

#[cfg(all(test, feature = "rsa"))]
#[path = "run_tests.rs"]
mod tests;
