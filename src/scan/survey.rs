//! Looks at modules in parallel and keeps what was seen until the deadline.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::cert::Certificate;
use crate::door::Door;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::token::Slot;
use crate::wait::{Signal, Wait, lock};

/// A certificate with its slot.
pub(super) type Content = (Slot, Arc<Certificate>);

/// A door whose certificates were read.
pub(super) struct Seen {
    /// Place of the module in the order in which modules were named.
    pub(super) module: usize,
    pub(super) door: Arc<dyn Door>,
    pub(super) contents: Vec<Content>,
}

/// Where the threads of a scan write down what they see.
pub(super) struct Board {
    modules: Vec<PathBuf>,
    progress: Arc<Mutex<Vec<Progress>>>,
    signal: Arc<Signal>,
}

/// What was seen of one module.
#[derive(Default)]
struct Progress {
    seen: Vec<Seen>,
    problems: Vec<Error>,
    blank: Vec<Error>,
    /// It has something else than blank tokens, usable or not.
    tokens: bool,
    done: bool,
}

/// One module's line on the board.
#[derive(Clone)]
struct Line {
    progress: Arc<Mutex<Vec<Progress>>>,
    signal: Arc<Signal>,
    module: usize,
}

impl Line {
    fn write(&self, change: impl FnOnce(&mut Progress)) {
        if let Some(progress) = lock(&self.progress).get_mut(self.module) {
            change(progress);
        }
    }
}

/// Says that a module's thread has ended, however it ended.
struct Done(Line);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.write(|p| p.done = true);
        self.0.signal.notify();
    }
}

impl Board {
    pub(super) fn new(modules: &[PathBuf]) -> Self {
        let mut named: Vec<PathBuf> = Vec::new();
        for module in modules {
            if !named.contains(module) {
                named.push(module.clone());
            }
        }
        let progress = named.iter().map(|_| Progress::default()).collect();
        Board { modules: named, progress: Arc::new(Mutex::new(progress)), signal: Arc::default() }
    }

    /// Looks at every module, until all are done or the wait ends.
    pub(super) fn survey(&self, wait: &Wait) -> Result<()> {
        for (module, path) in self.modules.iter().enumerate() {
            let line = Line { progress: Arc::clone(&self.progress), signal: Arc::clone(&self.signal), module };
            let (path, wait) = (path.clone(), wait.clone());
            std::thread::Builder::new()
                .name("shield-scan".to_owned())
                .spawn(move || {
                    let done = Done(line);
                    if let Err(error) = look_at(&path, &done.0, &wait) {
                        done.0.write(|p| p.problems.push(error));
                    }
                })
                .map_err(|e| Error::new(ErrorKind::Defect, "scan").io(&e))?;
        }
        self.signal.wait_for(wait, || lock(&self.progress).iter().all(|p| p.done).then_some(()));
        Ok(())
    }

    /// What was seen until now. A module that is not done has not answered in time.
    pub(super) fn take(&self, blank: bool, wait: &Wait) -> (Vec<Seen>, Vec<Error>) {
        let progress = std::mem::take(&mut *lock(&self.progress));
        let (mut seen, mut problems) = (Vec::<Seen>::new(), Vec::new());
        for (path, module) in self.modules.iter().zip(progress) {
            if !module.done && !wait.cancel.is_cancelled() {
                problems.push(named(Error::new(ErrorKind::Timeout, "scan"), path));
            }
            problems.extend(module.problems);
            if blank || !module.tokens {
                problems.extend(module.blank);
            }
            for door in module.seen {
                // One module under two names.
                if !seen.iter().any(|known| known.door.id() == door.door.id()) {
                    seen.push(door);
                }
            }
        }
        (seen, problems)
    }
}

fn look_at(path: &Path, line: &Line, wait: &Wait) -> Result<()> {
    let found = discover(path, wait)?;
    line.write(|p| {
        p.tokens = !found.doors.is_empty() || !found.problems.is_empty();
        p.problems.extend(found.problems);
        p.blank = found.blank;
    });
    for door in found.doors {
        match read(&*door, wait) {
            Ok((contents, notes)) => line.write(|p| {
                p.problems.extend(notes.into_iter().map(|note| named_door(note, &*door)));
                p.seen.push(Seen { module: line.module, door: Arc::clone(&door), contents });
            }),
            Err(error) => line.write(|p| p.problems.push(named_door(error, &*door))),
        }
    }
    Ok(())
}

/// Certificates behind a door. No PIN is needed.
fn read(door: &dyn Door, wait: &Wait) -> Result<(Vec<Content>, Vec<Error>)> {
    let mut lease = door.lease(wait)?;
    lease.call("read certificates", wait, |token| {
        let (mut contents, slots) = (Vec::new(), token.slots()?);
        let mut notes = token.notes();
        for slot in slots {
            let der = token.certificate(&slot.certificate)?;
            match Certificate::from_der(&der) {
                Ok(certificate) => contents.push((slot, Arc::new(certificate))),
                Err(error) => notes.push(error),
            }
        }
        Ok((contents, notes))
    })
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

fn named(error: Error, path: &Path) -> Error {
    with_place(error, &path.display().to_string())
}

#[cfg(feature = "pkcs11")]
use crate::token::pkcs11::discover;

/// Without PKCS#11 no door can be found in a module.
#[cfg(not(feature = "pkcs11"))]
mod stub {
    use super::{Arc, Door, Error, ErrorKind, Path, Result, Wait};

    pub(super) struct Discovery {
        pub(super) doors: Vec<Arc<dyn Door>>,
        pub(super) problems: Vec<Error>,
        pub(super) blank: Vec<Error>,
    }

    pub(super) fn discover(path: &Path, _wait: &Wait) -> Result<Discovery> {
        let _: fn() -> Discovery = || Discovery { doors: Vec::new(), problems: Vec::new(), blank: Vec::new() };
        Err(super::named(Error::new(ErrorKind::Unsupported, "load module").detail("built without pkcs11"), path))
    }
}

#[cfg(not(feature = "pkcs11"))]
use self::stub::discover;
