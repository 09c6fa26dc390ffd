//! The runner: signs what a plan has left, with several threads.

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::SystemTime;

use super::journal::encoded;
use super::look::{READ, read};
use super::{Done, Item, Journal, Outcome, Record, Report, concerns_one_document};
use crate::atomic::{write_new, write_whole};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::policy::Policy;
use crate::receipt::Receipt;
use crate::request::Request;
use crate::shield::Session;
use crate::source::Content;
use crate::suite::{Digest, DigestAlgorithm, Hasher, Suite};
use crate::wait::{Wait, lock};

/// Threads that are made and end before the work begins: what reaches the shield may need as many, also where the system makes no more.
const SPARE_THREADS: usize = 4;

/// What stands where an output shall go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Present {
    /// Nothing.
    Absent,
    /// This document, signed by the certificate that would sign now, with the suite that was asked for, where [one was](Batch::suite).
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
    /// The suite that was asked for by name, as the requests say it: a document that was signed with another one is not done. `None` where nobody
    /// asked: then what this certificate signed is done, whatever the suite.
    pub suite: Option<Suite>,
    /// Replaces outputs that are something else: also this document as another certificate signed it, or with another suite than the one that
    /// was asked for.
    pub overwrite: bool,
    /// Signs documents again that the journal knows, where their output is gone, whoever signed them.
    pub again: bool,
    /// Files that no output replaces, whatever else is said: those that the caller works with. The journal and the documents never are replaced.
    pub keep: &'b [&'b Path],
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
    pub(super) todo: Vec<(usize, Digest)>,
    pub(super) settled: Vec<(usize, Outcome)>,
}

impl Plan {
    /// How many documents are to be signed: where there are none, nobody need be asked for a PIN.
    #[must_use]
    pub fn to_sign(&self) -> usize {
        self.todo.len()
    }

    /// How many documents are left when one unlock has signed what this policy allows: they need another PIN entry. See [`Batch::sign_on`]; the
    /// policy of a role is [`Profile::policy`](crate::Profile::policy).
    #[must_use]
    pub fn beyond(&self, policy: &Policy) -> usize {
        self.todo.len().saturating_sub(usize::try_from(policy.signatures).unwrap_or(usize::MAX))
    }
}

impl Batch<'_> {
    /// Signs what the plan has left, within an open session. It comes back when every document is settled, or when something stops the batch.
    #[must_use]
    pub fn sign(&self, plan: Plan, session: &Session) -> Report {
        let Plan { todo, mut settled } = plan;
        let (signed, stopped) = self.round(&todo, session);
        settled.extend(signed);
        self.report(settled, stopped)
    }

    /// As [`Batch::sign`], with one session after the other: each is ended by its policy sooner or later, and the documents that are left need
    /// another PIN entry. `unlock` is called with the number of documents that are left, and from the second time on with the error that says
    /// why the session before has ended: return another session, or an error (that one, where nobody is there to ask), which stops the batch.
    /// It is not asked again after a session that has signed nothing.
    #[must_use]
    pub fn sign_on(&self, plan: Plan, unlock: &mut dyn FnMut(usize, Option<Error>) -> Result<Session>) -> Report {
        let Plan { mut todo, mut settled } = plan;
        let mut why = None;
        while !todo.is_empty() {
            let session = match unlock(todo.len(), why.take()) {
                Ok(session) => session,
                Err(error) => return self.report(settled, Some(error)),
            };
            let (signed, stopped) = self.round(&todo, &session);
            let is_done: HashSet<usize> = signed.iter().map(|(index, _)| *index).collect();
            let any = signed.iter().any(|(_, outcome)| matches!(outcome, Outcome::Signed { .. }));
            settled.extend(signed);
            todo.retain(|(index, _)| !is_done.contains(index));
            match stopped {
                Some(error) if error.kind() == ErrorKind::SessionEnded && any => why = Some(error),
                Some(error) => return self.report(settled, Some(error)),
                // Every document is settled.
                None => break,
            }
        }
        self.report(settled, None)
    }

    /// Signs documents within one session: what became of those that were tried, and what stopped it.
    fn round(&self, todo: &[(usize, Digest)], session: &Session) -> (Vec<(usize, Outcome)>, Option<Error>) {
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
                    // The first one says why, and the others only met the same; but that a session has ended is never the beginning of it.
                    let ended = |e: &Error| e.kind() == ErrorKind::SessionEnded;
                    let mut stopped = lock(&stopped);
                    if stopped.as_ref().is_none_or(|first| ended(first) && !ended(&error)) {
                        *stopped = Some(error);
                    }
                    return None;
                }
            };
            (self.settled)(*index, &outcome);
            Some((*index, outcome))
        });
        let stopped = lock(&stopped).take();
        (signed.into_iter().flatten().collect(), stopped)
    }

    /// The report of a plan that nobody signs: because there is nothing to do, or because `why` stands in the way.
    #[must_use]
    pub fn unsigned(&self, plan: Plan, why: Option<Error>) -> Report {
        self.report(plan.settled, why)
    }

    fn report(&self, settled: Vec<(usize, Outcome)>, stopped: Option<Error>) -> Report {
        let mut outcomes: Vec<Outcome> = self.items.iter().map(|_| Outcome::NotTried).collect();
        for (index, outcome) in settled {
            if let Some(place) = outcomes.get_mut(index) {
                *place = outcome;
            }
        }
        Report { outcomes, stopped }
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
        let by = (&*session.credential().certificate, Some(receipt.suite));
        self.note(item, planned, &output, by, Done::Signed)?;
        Ok((receipt, output))
    }

    pub(super) fn note(
        &self,
        item: &Item,
        input: &Digest,
        output: &Digest,
        (by, suite): (&Certificate, Option<Suite>),
        done: Done,
    ) -> Result<()> {
        let (input, output, fingerprint) = (input.hex(), output.hex(), by.fingerprint());
        let record = Record { input, output, fingerprint, name: encoded(&item.output), done, suite };
        self.journal.add(record, SystemTime::now())
    }

    /// Does `work` for each place, with several threads; the results in order. Where the system makes no more threads, those that are there do it.
    pub(super) fn each<T: Send>(&self, places: usize, work: impl Fn(usize) -> Option<T> + Sync) -> Vec<Option<T>> {
        each(places, self.threads, &spawn, work)
    }
}

type Spawn<'c> =
    dyn for<'s, 'e> Fn(&'s Scope<'s, 'e>, Box<dyn FnOnce() + Send + 's>) -> io::Result<ScopedJoinHandle<'s, ()>> + 'c;

fn spawn<'s>(scope: &'s Scope<'s, '_>, work: Box<dyn FnOnce() + Send + 's>) -> io::Result<ScopedJoinHandle<'s, ()>> {
    std::thread::Builder::new().spawn_scoped(scope, work)
}

fn each<T: Send>(
    places: usize,
    threads: usize,
    spawn: &Spawn<'_>,
    work: impl Fn(usize) -> Option<T> + Sync,
) -> Vec<Option<T>> {
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
        // Nobody begins before all threads are there: what the first ones start for themselves (a module's thread) would meet the limit. A few more
        // are made than work, and go again, so that there is room for those.
        let (threads, mut waiting) = (threads.clamp(1, places.max(1)), Vec::new());
        let spares = if threads > 1 { SPARE_THREADS } else { 0 };
        for number in 1..threads.saturating_add(spares) {
            let (go, told) = channel::<()>();
            let worker = &worker;
            let begins = move || {
                if told.recv().is_ok() {
                    worker();
                }
            };
            let Ok(thread) = spawn(scope, Box::new(begins)) else {
                tracing::warn!(
                    threads = number.saturating_sub(spares).max(1),
                    "the system makes no more threads: the batch goes on with fewer"
                );
                break;
            };
            waiting.push((go, thread));
        }
        for (go, spare) in waiting.drain(waiting.len().saturating_sub(spares)..) {
            drop(go);
            let _ = spare.join();
        }
        waiting.iter().for_each(|(go, _)| go.send(()).unwrap_or_default());
        worker();
    });
    results.into_iter().map(|result| lock(&result).take()).collect()
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

#[cfg(all(test, feature = "rsa"))]
#[path = "run_tests.rs"]
mod tests;
