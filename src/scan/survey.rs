//! Looks at modules and readers in parallel and keeps what was seen until the deadline.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::card::{self, CardReport, Look};
use crate::cert::Certificate;
use crate::door::Door;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::link::{Presence, ReaderState, Readers};
use crate::policy;
use crate::token::{ModuleRules, Slot};
use crate::wait::{Signal, Wait, lock};

/// A certificate with its slot.
pub(super) type Content = (Slot, Arc<Certificate>);

/// A door whose certificates were read.
pub(super) struct Seen {
    /// Place of the module or reader in the order in which they were looked at.
    pub(super) source: usize,
    pub(super) door: Arc<dyn Door>,
    pub(super) contents: Vec<Content>,
}

/// Where to look.
#[derive(Clone)]
pub(super) enum Source {
    Module(PathBuf),
    /// Every reader of a smart-card service.
    Service(Arc<dyn Readers>),
    Reader(Arc<dyn Readers>, ReaderState),
}

impl Source {
    fn name(&self) -> String {
        match self {
            Source::Module(path) => path.display().to_string(),
            Source::Service(_) => "smart-card service".to_owned(),
            Source::Reader(_, state) => format!("reader {:?}", state.reader),
        }
    }
}

/// Where the threads of a scan write down what they see.
#[derive(Clone)]
pub(super) struct Board {
    progress: Arc<Mutex<Vec<Progress>>>,
    signal: Arc<Signal>,
    look: Arc<Look>,
    modules: Arc<ModuleRules>,
}

/// What was seen of one source.
struct Progress {
    name: String,
    seen: Vec<Seen>,
    problems: Vec<Error>,
    blank: Vec<Error>,
    cards: Vec<CardReport>,
    /// It has something else than blank tokens, usable or not.
    tokens: bool,
    /// How looking ended. One field: whoever takes the board in the same moment sees either that it goes on, or why it failed.
    outcome: Option<Result<()>>,
}

/// Everything that was seen until the end of the wait.
#[derive(Default)]
pub(super) struct Sight {
    pub(super) seen: Vec<Seen>,
    pub(super) problems: Vec<Error>,
    pub(super) cards: Vec<CardReport>,
    /// Sources of which everything was read: no token, and nothing on one, is missing from what was seen.
    pub(super) whole: BTreeSet<usize>,
}

/// One source's line on the board.
#[derive(Clone)]
struct Line {
    board: Board,
    source: usize,
}

impl Line {
    fn write(&self, change: impl FnOnce(&mut Progress)) {
        if let Some(progress) = lock(&self.board.progress).get_mut(self.source) {
            change(progress);
        }
    }
}

/// A source's thread: says how it ended, however it ended.
struct Ending(Line, Option<Result<()>>);

impl Ending {
    fn look(mut self, source: &Source, wait: &Wait) {
        self.1 = Some(look_at(source, &self.0, wait));
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let torn = || Err(Error::new(ErrorKind::Defect, "scan").detail("a thread ended before its work"));
        let outcome = self.1.take().unwrap_or_else(torn);
        self.0.write(|p| p.outcome = Some(outcome));
        self.0.board.signal.notify();
    }
}

impl Board {
    pub(super) fn new(look: Look, modules: Arc<ModuleRules>) -> Self {
        Board { progress: Arc::default(), signal: Arc::default(), look: Arc::new(look), modules }
    }

    /// Looks at every source, until all are done or the wait ends.
    pub(super) fn survey(&self, sources: Vec<Source>, wait: &Wait) -> Result<()> {
        for source in sources {
            self.begin(source, wait)?;
        }
        self.signal.wait_for(wait, || lock(&self.progress).iter().all(|p| p.outcome.is_some()).then_some(()));
        Ok(())
    }

    /// Looks at one source, on a thread of its own.
    fn begin(&self, source: Source, wait: &Wait) -> Result<()> {
        let line = Line { board: self.clone(), source: self.add_line(&source) };
        let (wait, ending) = (wait.clone(), Ending(line, None));
        std::thread::Builder::new()
            .name("shield-scan".to_owned())
            .spawn(move || ending.look(&source, &wait))
            .map(drop)
            .map_err(|e| Error::new(ErrorKind::Defect, "scan").io(&e))
    }

    fn add_line(&self, source: &Source) -> usize {
        let mut progress = lock(&self.progress);
        progress.push(Progress {
            name: source.name(),
            seen: Vec::new(),
            problems: Vec::new(),
            blank: Vec::new(),
            cards: Vec::new(),
            tokens: false,
            outcome: None,
        });
        progress.len().saturating_sub(1)
    }

    /// What was seen until now. A source that is not done has not answered in time.
    pub(super) fn take(&self, blank: bool, wait: &Wait) -> Sight {
        let progress = std::mem::take(&mut *lock(&self.progress));
        let mut sight = Sight::default();
        for (index, source) in progress.into_iter().enumerate() {
            if matches!(source.outcome, Some(Ok(()))) && source.problems.is_empty() {
                sight.whole.insert(index);
            }
            let silent = || with_place(Error::new(ErrorKind::Timeout, "scan"), &source.name);
            let (silent, failed) = match source.outcome {
                None => ((!wait.cancel.is_cancelled()).then(silent), None),
                Some(outcome) => (None, outcome.err()),
            };
            sight.problems.extend(silent);
            sight.problems.extend(source.problems);
            sight.problems.extend(failed);
            if blank || !source.tokens {
                sight.problems.extend(source.blank);
            }
            sight.cards.extend(source.cards);
            for door in source.seen {
                // One module under two names.
                if !sight.seen.iter().any(|known| known.door.id() == door.door.id()) {
                    sight.seen.push(door);
                }
            }
        }
        sight
    }
}

fn look_at(source: &Source, line: &Line, wait: &Wait) -> Result<()> {
    match source {
        Source::Module(path) => look_at_module(path, line, wait),
        Source::Service(readers) => {
            let states = readers.list(wait)?;
            if states.is_empty() {
                return Err(Error::new(ErrorKind::NoReader, "scan"));
            }
            for state in states.into_iter().take(policy::READERS_MAX).filter(|s| s.presence != Presence::Empty) {
                line.board.begin(Source::Reader(Arc::clone(readers), state), wait)?;
            }
            Ok(())
        }
        Source::Reader(readers, state) => {
            let looked = card::look_at(readers, state, &line.board.look, wait);
            line.write(|p| p.cards.push(looked.report));
            let opened = looked.outcome?;
            line.write(|p| {
                p.problems.extend(opened.notes.into_iter().map(|note| named_door(note, &*opened.door)));
                p.seen.push(Seen { source: line.source, door: opened.door, contents: opened.contents });
            });
            Ok(())
        }
    }
}

fn look_at_module(path: &Path, line: &Line, wait: &Wait) -> Result<()> {
    let found = discover(path, &line.board.modules, wait)?;
    line.write(|p| {
        p.tokens = !found.doors.is_empty() || !found.problems.is_empty();
        p.problems.extend(found.problems);
        p.blank = found.blank;
    });
    for door in found.doors {
        match read(&*door, wait) {
            Ok((contents, notes)) => line.write(|p| {
                p.problems.extend(notes.into_iter().map(|note| named_door(note, &*door)));
                p.seen.push(Seen { source: line.source, door: Arc::clone(&door), contents });
            }),
            Err(error) => line.write(|p| p.problems.push(named_door(error, &*door))),
        }
    }
    Ok(())
}

/// Certificates behind a door. No PIN is needed.
fn read(door: &dyn Door, wait: &Wait) -> Result<(Vec<Content>, Vec<Error>)> {
    door.lease(wait)?.call("read certificates", wait, card::read)
}

fn named_door(error: Error, door: &dyn Door) -> Error {
    let place = format!("token {:?} of {}", door.info().label, door.info().module);
    with_place(error, &place)
}

fn with_place(error: Error, place: &str) -> Error {
    let detail = match error.what() {
        Some(what) => format!("{place}: {what}"),
        None => place.to_owned(),
    };
    error.detail(detail)
}

#[cfg(feature = "pkcs11")]
use crate::token::pkcs11::discover;

/// Without PKCS#11 no door can be found in a module.
#[cfg(not(feature = "pkcs11"))]
fn discover(path: &Path, _rules: &ModuleRules, _wait: &Wait) -> Result<crate::door::Discovery> {
    let unsupported = Error::new(ErrorKind::Unsupported, "load module").detail("built without pkcs11");
    Err(with_place(unsupported, &path.display().to_string()))
}
