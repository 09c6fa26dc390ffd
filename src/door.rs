//! Doors and leases: the seam that every kind of token shares.
//!
//! A [`Door`] is one way to a shield. A [`Lease`] is the bounded use of it; nothing talks to a token outside a lease.
//! The token of a lease lives on a thread of its own: a driver's call cannot be interrupted, but whoever waits for it gets
//! an answer at the deadline. The call itself then ends when the driver lets it; its thread closes what it had open.

use std::fmt;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::link::Atr;
use crate::policy;
use crate::token::Token;
use crate::wait::{Signal, Wait, lock};

/// How often the system is asked again for a thread that it did not make, and how long it is left alone in between.
const THREAD_TRIES: usize = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(25);

/// Names a door. It survives a re-plug: kind, module, serial and label; no slot and no reader number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DoorId(pub(crate) String);

impl DoorId {
    /// Joins the parts of a name by colons; a colon inside a part is written `%3A`.
    pub(crate) fn of<'p>(parts: impl IntoIterator<Item = &'p str>) -> Self {
        let parts: Vec<_> = parts.into_iter().map(|p| p.replace('%', "%25").replace(':', "%3A")).collect();
        DoorId(parts.join(":"))
    }

    /// The same without a PKCS#11 token's label, which may be a person's name: for what is shown and stored. Where one module has two tokens
    /// of one serial number it names both.
    pub(crate) fn without_label(&self) -> Self {
        match self.0.splitn(4, ':').collect::<Vec<_>>().as_slice() {
            ["pkcs11", module, serial, _] => DoorId(format!("pkcs11:{module}:{serial}")),
            _ => self.clone(),
        }
    }

    /// Whether one driver leads to both: a door of a card is one by itself, a module has doors of several tokens.
    pub(crate) fn is_of_one_driver(&self, other: &DoorId) -> bool {
        let module = |of: &DoorId| Some(of.0.strip_prefix("pkcs11:")?.split(':').next()?.to_owned());
        self == other || module(self).is_some_and(|name| module(other) == Some(name))
    }
}

impl fmt::Display for DoorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a door tells of itself without a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorInfo {
    /// The module, applet or library behind it.
    pub module: String,
    /// The token's label.
    pub label: String,
    /// Manufacturer.
    pub manufacturer: String,
    /// Model.
    pub model: String,
    /// Serial number of the token.
    pub serial: String,
    /// The reader that it is in, as far as known: tells that two doors lead to one device. For a PKCS#11 token the module's name of its
    /// slot, which for modules over PC/SC is the reader's.
    pub reader: String,
    /// ATR of the card; `None` behind a module.
    pub atr: Option<Atr>,
    /// The dialect of GM/T 0017 that the profile names for the device; empty where it names none, and where none is needed.
    pub dialect: String,
}

impl DoorInfo {
    /// Whether the device says of itself that it is in software: what it signs proves nothing.
    #[must_use]
    pub fn is_simulator(&self) -> bool {
        self.manufacturer.starts_with("simulator")
    }
}

/// By which kind of software a door is reached. Where one certificate is behind several, the order of the profile decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Way {
    /// A card's application, by this library over PC/SC.
    Card,
    /// A PKCS#11 module.
    Module,
}

/// One way to reach a shield.
pub trait Door: Send + Sync {
    /// Its name.
    fn id(&self) -> &DoorId;

    /// What it tells of itself.
    fn info(&self) -> &DoorInfo;

    /// By which kind of software it is reached. A card's lease keeps every other program out until it ends; a module's does not.
    fn way(&self) -> Way;

    /// Keeps what the door has open until the result is dropped: a card's connection, and with it its power and its login. It keeps nobody
    /// from sharing the card.
    fn hold(&self) -> Option<Box<dyn Send + Sync>> {
        None
    }

    /// Whether somebody of this program waits for a lease of a door whose leases are exclusive.
    fn is_wanted(&self) -> bool {
        false
    }

    /// Has `call` called whenever somebody begins to wait like that, as long as it lives: who keeps an idle lease gives it back then.
    fn call_when_wanted(&self, _call: &Arc<dyn Fn() + Send + Sync>) {}

    /// Whether this process left a login on the token that nobody keeps: the lease that was to end it did not reach the card, or the batch that
    /// it was kept for is over.
    fn owes_login(&self) -> bool {
        false
    }

    /// Whether the end of a login was tried, by whichever lease, and refused, or the card was not reached with it. One that somebody is about to end is
    /// none of these.
    fn has_unended_login(&self) -> bool {
        false
    }

    /// Forgets what was read and kept, because a signature did not verify: the next lease reads again.
    fn forget(&self) {}

    /// Opens it. A card's lease is exclusive; a PKCS#11 lease is a session of its own.
    ///
    /// # Errors
    /// `Busy` at the deadline, `TokenFailed` when the token is gone.
    fn lease(&self, wait: &Wait) -> Result<Lease>;
}

/// What one place to look at (a module, a reader) has to offer.
#[derive(Default)]
pub(crate) struct Discovery {
    /// Doors that can be used.
    pub(crate) doors: Vec<Arc<dyn Door>>,
    /// Tokens that cannot be used, each with the reason.
    pub(crate) problems: Vec<Error>,
    /// Tokens that are not initialised. Some modules always show one.
    pub(crate) blank: Vec<Error>,
}

type Task = Box<dyn FnOnce(&mut dyn Token) + Send>;

/// Bounded use of one door.
pub struct Lease {
    tasks: Option<Sender<Task>>,
    done: Arc<Closed>,
    opened: Instant,
    signatures: u32,
    spent: bool,
    abandoned: bool,
}

#[derive(Default)]
struct Closed {
    yes: Mutex<bool>,
    signal: Arc<Signal>,
}

/// Marks the end of the worker, panics of a token included.
struct CloseMark(Arc<Closed>);

impl Drop for CloseMark {
    fn drop(&mut self) {
        *lock(&self.0.yes) = true;
        self.0.signal.notify();
    }
}

/// One answer, handed from the worker to whoever waits.
struct Answer<R> {
    slot: Mutex<Option<Result<R>>>,
    signal: Arc<Signal>,
}

impl<R> Answer<R> {
    fn new() -> Arc<Self> {
        Arc::new(Answer { slot: Mutex::new(None), signal: Arc::default() })
    }

    fn wait(&self, wait: &Wait, operation: &'static str) -> Result<R> {
        self.signal.wait_for(wait, || lock(&self.slot).take()).unwrap_or_else(|| {
            let kind = if wait.cancel.is_cancelled() { ErrorKind::Cancelled } else { ErrorKind::Timeout };
            Err(Error::new(kind, operation))
        })
    }
}

/// Gives the answer when dropped: a task that panics still answers.
struct Reply<R>(Arc<Answer<R>>, Option<Result<R>>, &'static str);

impl<R> Reply<R> {
    fn give(mut self, answer: Result<R>) {
        self.1 = Some(answer);
    }
}

impl<R> Drop for Reply<R> {
    fn drop(&mut self) {
        let answer = self.1.take().unwrap_or_else(|| Err(Error::new(ErrorKind::Defect, self.2)));
        *lock(&self.0.slot) = Some(answer);
        self.0.signal.notify();
    }
}

type Work = Box<dyn FnOnce() + Send>;

fn spawn(name: &str, work: Work) -> io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
}

/// Begins `work` on a thread. Where the system makes none right now it is asked again for a moment: threads end all the time. That it makes none
/// says nothing of the token, so the error does not either.
fn begin((operation, wait): (&'static str, &Wait), spawn: &dyn Fn(Work) -> io::Result<()>, work: Work) -> Result<()> {
    // What was to be done does not get lost with a thread that was not made.
    let work = Arc::new(Mutex::new(Some(work)));
    let mut tries = THREAD_TRIES;
    loop {
        let handed = Arc::clone(&work);
        let run = move || {
            let work = lock(&handed).take();
            work.into_iter().for_each(|work| work());
        };
        match spawn(Box::new(run)) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && tries > 0 => {
                tries = tries.saturating_sub(1);
                wait.check(operation)?;
                std::thread::sleep(BETWEEN_TRIES);
            }
            Err(e) => {
                let failed = Error::new(ErrorKind::Busy, operation).io(&e);
                return Err(failed.detail("the system makes no more threads for this program"));
            }
        }
    }
}

impl Lease {
    /// Opens a token on a worker thread; `make` runs there and may block.
    pub(crate) fn open(
        operation: &'static str,
        wait: &Wait,
        make: impl FnOnce() -> Result<Box<dyn Token>> + Send + 'static,
    ) -> Result<Lease> {
        wait.check(operation)?;
        let (tasks, inbox) = channel::<Task>();
        let done = Arc::<Closed>::default();
        let mark = CloseMark(Arc::clone(&done));
        let answer = Answer::new();
        let reply = Reply(Arc::clone(&answer), None, operation);
        let work = move || {
            let _mark = mark;
            let mut token = match make() {
                Ok(token) => {
                    reply.give(Ok(()));
                    token
                }
                Err(error) => {
                    reply.give(Err(error));
                    return;
                }
            };
            for task in inbox {
                task(&mut *token);
            }
        };
        begin((operation, wait), &|work| spawn("shield-lease", work), Box::new(work))?;
        answer.wait(wait, operation)?;
        Ok(Lease { tasks: Some(tasks), done, opened: Instant::now(), signatures: 0, spent: false, abandoned: false })
    }

    /// Runs `work` on the token. After an error, a timeout or a cancel the lease is spent: the token's state is not known.
    pub(crate) fn call<R: Send + 'static>(
        &mut self,
        operation: &'static str,
        wait: &Wait,
        work: impl FnOnce(&mut dyn Token) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        if self.spent {
            return Err(Error::new(ErrorKind::Defect, operation).detail("lease used after an error"));
        }
        wait.check(operation)?;
        let answer = Answer::new();
        let reply = Reply(Arc::clone(&answer), None, operation);
        let bound = wait.clone();
        let task: Task = Box::new(move |token| {
            token.bound(&bound);
            reply.give(work(token));
        });
        let gone = || Error::new(ErrorKind::TokenFailed, operation).detail("the lease's thread has ended");
        self.tasks.as_ref().ok_or_else(gone)?.send(task).map_err(|_| gone())?;
        let result = answer.wait(wait, operation);
        if let Err(error) = &result {
            self.spent = true;
            self.abandoned = matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Cancelled);
        }
        result
    }

    /// Counts a signature made in this lease.
    pub(crate) fn count_signature(&mut self) {
        self.signatures = self.signatures.saturating_add(1);
    }

    /// Whether a batch has to give it back now (16 signatures or 2 seconds).
    pub(crate) fn is_due(&self) -> bool {
        self.spent || self.signatures >= policy::LEASE_SIGNATURES || self.opened.elapsed() >= policy::LEASE_TIME
    }
}

impl Drop for Lease {
    /// Closes the token and waits for that, for a bounded time: when a call returns, its login is over.
    fn drop(&mut self) {
        drop(self.tasks.take());
        let wait = Wait::at_most(policy::CLOSE_TIME);
        if !self.abandoned {
            self.done.signal.wait_for(&wait, || (*lock(&self.done.yes)).then_some(()));
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("signatures", &self.signatures).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_thread_that_the_system_makes_only_later_is_waited_for_and_one_that_it_never_makes_is_no_token_that_was_pulled_out()
     {
        let asked = AtomicUsize::new(0);
        let limit = |kind: io::ErrorKind, makes_at: usize| {
            asked.store(0, Ordering::SeqCst);
            let (to, from) = channel();
            let spawn = |work: Work| {
                if asked.fetch_add(1, Ordering::SeqCst) < makes_at {
                    return Err(io::Error::from(kind));
                }
                work();
                Ok(())
            };
            let begun = begin(("test", &Wait::default()), &spawn, Box::new(move || to.send(()).unwrap()));
            (begun, from.try_iter().count(), asked.load(Ordering::SeqCst))
        };
        let (begun, done, _) = limit(io::ErrorKind::WouldBlock, 3);
        begun.unwrap();
        assert_eq!(done, 1);
        for (kind, asked) in [(io::ErrorKind::WouldBlock, THREAD_TRIES + 1), (io::ErrorKind::OutOfMemory, 1)] {
            let (begun, done, times) = limit(kind, usize::MAX);
            let error = begun.unwrap_err();
            assert_eq!((error.kind(), done, times), (ErrorKind::Busy, 0, asked));
            assert!(error.to_string().contains("no more threads"), "{error}");
        }
    }
}
