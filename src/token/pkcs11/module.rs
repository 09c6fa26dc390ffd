//! Modules: one instance for each in a process, never finalised.
//!
//! A host may use the same module beside this library. So C_Finalize is never called, not for a module that was initialised here
//! either and not at process exit, and `CKR_CRYPTOKI_ALREADY_INITIALIZED` is as good as success.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::RvError;
use cryptoki::slot::{Slot, TokenInfo};

use super::ckr::{fault, value};
use super::dialect::{self, Dialect};
use super::ended;
use super::login::Login;
use super::raw::Raw;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::wait::{Signal, Wait, lock};

/// A loaded and initialised module.
pub(crate) struct Module {
    name: String,
    /// Where it lies.
    pub(super) file: PathBuf,
    /// CK_INFO.manufacturerID.
    pub(super) manufacturer: String,
    process: u32,
    pub(super) p11: Pkcs11,
    pub(super) raw: Raw,
    pub(super) dialect: &'static Dialect,
    logins: Mutex<BTreeMap<Identity, Arc<Login>>>,
}

/// What names a token in its module; slot numbers do not survive a re-plug.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(super) serial: String,
    pub(super) label: String,
}

/// A token as CK_TOKEN_INFO shows it, with its strings made harmless.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) identity: Identity,
    pub(super) manufacturer: String,
    pub(super) model: String,
    pub(super) info: TokenInfo,
}

impl Facts {
    fn of(info: TokenInfo) -> Self {
        Facts {
            identity: Identity { serial: clean(info.serial_number()), label: clean(info.label()) },
            manufacturer: clean(info.manufacturer_id()),
            model: clean(info.model()),
            info,
        }
    }
}

/// A text from a module without padding (blanks, or NUL where a module errs) and without control characters.
pub(super) fn clean(text: &str) -> String {
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.trim_end_matches([' ', '\0']).chars().map(visible).collect()
}

/// A module that is open, being opened, or could not be opened.
struct Opening {
    process: u32,
    result: Mutex<Option<Result<Arc<Module>>>>,
    signal: Arc<Signal>,
}

static REGISTRY: Mutex<BTreeMap<PathBuf, Arc<Opening>>> = Mutex::new(BTreeMap::new());

impl Module {
    /// The one instance of the module at `path`, loaded and initialised on a thread of its own when it is not yet there.
    ///
    /// # Errors
    /// `PathNotAbsolute`, `ModuleNotFound`, `NotAModule`, `ModuleFailed`; `Timeout` when the module does not answer.
    pub(crate) fn open(path: &Path, wait: &Wait) -> Result<Arc<Module>> {
        const OPERATION: &str = "load module";
        let named = |e: Error| name_module(e, path);
        wait.check(OPERATION)?;
        let file = canonical(path).map_err(named)?;
        let (opening, first) = enter(&file);
        if first {
            let mark = Mark(Arc::clone(&opening), None);
            let path = file.clone();
            let started = std::thread::Builder::new().name("shield-module".to_owned()).spawn(move || mark.load(&path));
            started.map_err(|e| Error::new(ErrorKind::ModuleFailed, OPERATION).io(&e))?;
        }
        let result = opening.signal.wait_for(wait, || lock(&opening.result).clone());
        result.unwrap_or_else(|| Err(ended(wait, OPERATION))).map_err(named)
    }

    fn load(file: &Path) -> Result<Arc<Module>> {
        let raw = Raw::load(file)?;
        let p11 = Pkcs11::new(file).map_err(|e| match value(&e) {
            Some(_) => Error::new(ErrorKind::ModuleFailed, "C_GetInterface").detail(e.to_string()),
            None => fault(&e, "load module"),
        })?;
        initialise(&p11)?;
        // CK_INFO is only read for the dialect; a module that gets it wrong is read cautiously.
        let manufacturer = p11.get_library_info().map(|i| clean(i.manufacturer_id())).unwrap_or_default();
        tracing::debug!(module = %file.display(), manufacturer, "PKCS#11 module open");
        let name = name_of(file);
        let (dialect, process) = (dialect::of(&manufacturer), std::process::id());
        let (file, logins) = (file.to_owned(), Mutex::default());
        Ok(Arc::new(Module { name, file, manufacturer, process, p11, raw, dialect, logins }))
    }

    /// The file's name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Fails in a process that was forked after the module was initialised (PKCS#11 2.40 §5.4: the child has to start anew).
    pub(super) fn check_process(&self) -> Result<()> {
        same_process(self.process)
    }

    /// Tokens that are present. One that cannot be read is an error in the list and hides no other.
    ///
    /// # Errors
    /// What the module answers.
    pub(super) fn tokens(&self) -> Result<Vec<Result<(Slot, Facts)>>> {
        let slots = match self.raw.slots() {
            Err(e) if e.kind() == ErrorKind::ModuleFailed => {
                // The host has finalised the module meanwhile.
                initialise(&self.p11)?;
                self.raw.slots()?
            }
            other => other?,
        };
        let mut tokens = Vec::new();
        for id in slots {
            let slot = Slot::try_from(id).map_err(|e| fault(&e, "C_GetSlotList"))?;
            tokens.extend(self.facts_if_present(slot).transpose().map(|facts| facts.map(|f| (slot, f))));
        }
        Ok(tokens)
    }

    fn facts_if_present(&self, slot: Slot) -> Result<Option<Facts>> {
        match self.p11.get_token_info(slot) {
            Ok(info) => Ok(Some(Facts::of(info))),
            Err(e) if matches!(value(&e), Some(RvError::TokenNotPresent | RvError::SlotIdInvalid)) => Ok(None),
            Err(e) => Err(fault(&e, "C_GetTokenInfo")),
        }
    }

    /// What a slot's token tells of itself now.
    ///
    /// # Errors
    /// `TokenFailed` when another token, or none, is in the slot.
    pub(super) fn facts(&self, slot: Slot, expected: &Identity) -> Result<Facts> {
        match self.facts_if_present(slot)? {
            Some(facts) if facts.identity == *expected => Ok(facts),
            _ => Err(gone()),
        }
    }

    /// The slot in which the token is now; `hint` is where it was last.
    ///
    /// # Errors
    /// `TokenFailed` when it is not there, `SeveralShields` when two tokens have its name.
    pub(super) fn find(&self, wanted: &Identity, hint: Option<Slot>) -> Result<(Slot, Facts)> {
        if let Some((slot, Ok(facts))) = hint.map(|slot| (slot, self.facts(slot, wanted))) {
            return Ok((slot, facts));
        }
        let (mut found, mut failed) = (Vec::new(), None);
        for token in self.tokens()? {
            match token {
                Ok((slot, facts)) if facts.identity == *wanted => found.push((slot, facts)),
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
        }
        match (found.pop(), found.pop()) {
            (Some(token), None) => Ok(token),
            (Some(_), Some(_)) => Err(twins(wanted)),
            (None, _) => Err(failed.unwrap_or_else(gone)),
        }
    }

    /// The login state of a token, shared by all threads of the process.
    pub(super) fn login(&self, identity: &Identity) -> Arc<Login> {
        Arc::clone(lock(&self.logins).entry(identity.clone()).or_default())
    }
}

fn same_process(opened_by: u32) -> Result<()> {
    if opened_by == std::process::id() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Forked, "open token").detail(format!("opened by process {opened_by}")))
}

fn gone() -> Error {
    Error::new(ErrorKind::TokenFailed, "open token").detail("the token is not there")
}

/// Two tokens that cannot be told apart: a PIN could go to the wrong one.
pub(super) fn twins(identity: &Identity) -> Error {
    Error::new(ErrorKind::SeveralShields, "C_GetTokenInfo").detail(format!(
        "two tokens have the serial number {:?} and the label {:?}: pull one out",
        identity.serial, identity.label
    ))
}

/// How long a module's start waits for another one's.
const START_TURN: Duration = Duration::from_secs(2);
static STARTING: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// The turn to start a module. Two drivers may be two ways into one library, whose C_Initialize is not made for two threads at
/// once; one that hangs holds the others up for a bounded time only.
struct StartTurn;

impl StartTurn {
    fn take() -> Self {
        let (busy, changed) = &STARTING;
        let waited = changed.wait_timeout_while(lock(busy), START_TURN, |busy| *busy);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = true;
        StartTurn
    }
}

impl Drop for StartTurn {
    fn drop(&mut self) {
        *lock(&STARTING.0) = false;
        STARTING.1.notify_all();
    }
}

fn initialise(p11: &Pkcs11) -> Result<()> {
    let _turn = StartTurn::take();
    match p11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) => Ok(()),
        Err(e) if matches!(value(&e), Some(RvError::CryptokiAlreadyInitialized)) => {
            tracing::debug!("the host has initialised the module already");
            Ok(())
        }
        Err(e) => {
            let error = fault(&e, "C_Initialize");
            let status = error.raw_status().cloned();
            Err(status.map_or(error, |s| Error::new(ErrorKind::ModuleFailed, "C_Initialize").status(s)))
        }
    }
}

/// The file's name; the whole path where another module of this name is open.
fn name_of(file: &Path) -> String {
    let registry = lock(&REGISTRY);
    let namesake = registry.keys().any(|other| other != file && other.file_name() == file.file_name());
    let name = file.file_name().filter(|_| !namesake).unwrap_or(file.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Says in the error which module it is about.
pub(crate) fn name_module(error: Error, path: &Path) -> Error {
    let path = path.display().to_string();
    let detail = match error.what() {
        Some(what) if what.contains(&path) => what.to_owned(),
        Some(what) => format!("{path}: {what}"),
        None => path,
    };
    error.detail(detail)
}

fn canonical(path: &Path) -> Result<PathBuf> {
    if !path.is_absolute() {
        return Err(Error::new(ErrorKind::PathNotAbsolute, "load module"));
    }
    std::fs::canonicalize(path).map_err(|e| {
        let kind = match e.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::ModuleNotFound,
            _ => ErrorKind::ModuleFailed,
        };
        Error::new(kind, "load module").io(&e)
    })
}

/// The entry for a file, and whether the caller is the one to load it. After a failure or a fork it is loaded anew.
fn enter(file: &Path) -> (Arc<Opening>, bool) {
    let process = std::process::id();
    let mut registry = lock(&REGISTRY);
    if let Some(opening) = registry.get(file) {
        let failed = matches!(&*lock(&opening.result), Some(Err(_)));
        if opening.process == process && !failed {
            return (Arc::clone(opening), false);
        }
    }
    let opening = Arc::new(Opening { process, result: Mutex::default(), signal: Arc::default() });
    registry.insert(file.to_owned(), Arc::clone(&opening));
    (opening, true)
}

/// Answers everybody who waits for a module, however the loading ends.
struct Mark(Arc<Opening>, Option<Result<Arc<Module>>>);

impl Mark {
    fn load(mut self, file: &Path) {
        self.1 = Some(Module::load(file));
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let result = self.1.take().unwrap_or_else(|| Err(Error::new(ErrorKind::Defect, "load module")));
        *lock(&self.0.result) = Some(result);
        self.0.signal.notify();
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_process_is_told_to_scan_again_and_then_loads_the_module_anew() {
        let parent = std::process::id().wrapping_add(1);
        assert_eq!(same_process(parent).unwrap_err().kind(), ErrorKind::Forked);
        assert!(same_process(std::process::id()).is_ok());
        let file = Path::new("/nonexistent/inherited.so");
        let inherited = Opening { process: parent, result: Mutex::default(), signal: Arc::default() };
        lock(&REGISTRY).insert(file.to_owned(), Arc::new(inherited));
        assert!(enter(file).1, "what the parent opened is not used");
        assert!(!enter(file).1, "what this process opens is");
        lock(&REGISTRY).remove(file);
    }

    #[test]
    fn names_from_a_module_are_made_harmless() {
        assert_eq!(clean("Karte 1   "), "Karte 1");
        assert_eq!(clean("card\0\0"), "card");
        assert_eq!(clean("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
    }
}
