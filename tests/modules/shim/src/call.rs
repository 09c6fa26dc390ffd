//! One call on its way through: where it goes, which rules hit it, and its line in the log.

use crate::control::{self, Event, Phase, Rule, Rules, escape};
use crate::{Shim, shim};
use cryptoki_sys::{
    CK_ATTRIBUTE_TYPE, CK_RV, CK_SESSION_HANDLE, CK_SLOT_ID, CK_TOKEN_INFO, CKR_CRYPTOKI_NOT_INITIALIZED, CKR_OK,
};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

/// The answer to every call while the control file holds a line that is no rule: a test with a typing error must not pass.
const BAD_CONTROL: CK_RV = 0xbad0_c0de;

/// What a function's first argument says about the token it is for.
pub(crate) enum Place {
    Module,
    Slot(CK_SLOT_ID),
    Session(CK_SESSION_HANDLE),
}

/// Slot and real label; the label is None where the token did not tell.
#[derive(Clone, Default)]
pub(crate) struct Target {
    pub(crate) slot: Option<CK_SLOT_ID>,
    pub(crate) label: Option<Vec<u8>>,
}

// The label is taken when the session is opened: asking the module between C_SignInit and C_Sign would disturb what is tested.
static SESSIONS: LazyLock<Mutex<HashMap<CK_SESSION_HANDLE, Target>>> = LazyLock::new(Mutex::default);

pub(crate) fn sessions() -> MutexGuard<'static, HashMap<CK_SESSION_HANDLE, Target>> {
    SESSIONS.lock().unwrap_or_else(|e| e.into_inner())
}

pub(crate) struct Call {
    shim: &'static Shim,
    name: &'static str,
    pub(crate) target: Target,
    rules: Arc<Rules>,
    notes: String,
    faults: String,
}

/// Runs one call: `body` gets the return value that a rule puts in place of forwarding, and gives the call's own.
pub(crate) fn run(
    name: &'static str,
    place: Place,
    body: impl FnOnce(&mut Call, &Shim, Option<CK_RV>) -> CK_RV,
) -> CK_RV {
    let Some(shim) = shim() else { return CKR_CRYPTOKI_NOT_INITIALIZED };
    let rules = control::current(shim.control.as_deref());
    let mut call = Call { shim, name, target: Target::default(), rules, notes: String::new(), faults: String::new() };
    call.target = match place {
        Place::Module => Target::default(),
        Place::Slot(slot) => Target { slot: Some(slot), label: call.label(slot) },
        Place::Session(handle) => {
            call.note("session", handle);
            sessions().get(&handle).cloned().unwrap_or_default()
        }
    };
    let instead = call.before();
    let mut rv = body(&mut call, shim, instead);
    if let Some(number) = call.fault("rv-after", Phase::Data).map(|r| r.number) {
        rv = number as CK_RV;
    }
    call.write(rv);
    rv
}

impl Call {
    /// The rules that hit any function: waits, and answers in the module's place.
    fn before(&mut self) -> Option<CK_RV> {
        if self.rules.is_err() {
            return Some(BAD_CONTROL);
        }
        if let Some(ms) = self.fault("delay", Phase::Data).map(|r| r.number) {
            std::thread::sleep(Duration::from_millis(ms));
        }
        if let Some(line) = self.fault("hang", Phase::Data).map(|r| r.line.clone()) {
            self.log(&format!("hang {}", self.head()));
            while control::current(self.shim.control.as_deref())
                .as_ref()
                .as_ref()
                .is_ok_and(|now| now.iter().any(|r| r.line == line))
            {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let refusal = self.fault("rv", Phase::Data).map(|r| r.number);
        refusal.or_else(|| self.fault("vendor-rv", Phase::Data).map(|r| r.number)).map(|n| n as CK_RV)
    }

    /// The first rule with this verb that fires for this call, now.
    pub(crate) fn fault(&mut self, verb: &str, phase: Phase) -> Option<&Rule> {
        self.find(verb, phase, None)
    }

    /// As `fault`, among the rules for which `fits` holds. It is what the module is, so the log does not call it a fault.
    pub(crate) fn fault_where(&mut self, verb: &str, fits: impl Fn(&Rule) -> bool) -> Option<&Rule> {
        let rules = self.rules.as_ref().as_ref().ok()?;
        let event =
            Event { function: self.name, token: self.target.label.as_deref(), phase: Phase::Data, attribute: None };
        rules.iter().find(|r| r.verb == verb && fits(r) && r.fires(event))
    }

    /// As `fault`, for one attribute of the call's template.
    pub(crate) fn attribute_fault(&mut self, verb: &str, phase: Phase, kind: CK_ATTRIBUTE_TYPE) -> Option<&Rule> {
        self.find(verb, phase, Some(kind))
    }

    fn find(&mut self, verb: &str, phase: Phase, attribute: Option<u64>) -> Option<&Rule> {
        let rules = self.rules.as_ref().as_ref().ok()?;
        let event = Event { function: self.name, token: self.target.label.as_deref(), phase, attribute };
        let found = rules.iter().find(|r| r.verb == verb && r.fires(event))?;
        let _ = write!(self.faults, " fault={verb}");
        Some(found)
    }

    /// Adds ` key=value` to the call's line.
    pub(crate) fn note(&mut self, key: &str, value: impl Display) {
        let _ = write!(self.notes, " {key}={value}");
    }

    /// Notes a PIN's length and SHA-256, never the PIN.
    ///
    /// # Safety
    /// `pin` is null or points to `len` readable octets.
    pub(crate) unsafe fn note_pin(&mut self, prefix: &str, pin: *const u8, len: u64) {
        self.note(&format!("{prefix}len"), len);
        let hash = match usize::try_from(len) {
            Ok(len) if !pin.is_null() => {
                // SAFETY: by this function's contract.
                let octets = unsafe { std::slice::from_raw_parts(pin, len) };
                Sha256::digest(octets).iter().map(|o| format!("{o:02x}")).collect()
            }
            _ => "null".to_owned(), // PKCS#11's way to ask for a PIN pad
        };
        self.note(&format!("{prefix}sha256"), hash);
    }

    fn label(&self, slot: CK_SLOT_ID) -> Option<Vec<u8>> {
        let mut info = CK_TOKEN_INFO::default();
        // SAFETY: C_GetTokenInfo writes one CK_TOKEN_INFO, and `info` is one.
        let rv = unsafe { self.shim.real.C_GetTokenInfo?(slot, &raw mut info) };
        let end = info.label.iter().rposition(|o| !matches!(o, b' ' | 0)).map_or(0, |last| last + 1);
        (rv == CKR_OK).then(|| info.label[..end].to_vec())
    }

    fn head(&self) -> String {
        let slot = self.target.slot.map_or("-".to_owned(), |s| s.to_string());
        let label = self.target.label.as_deref().map_or("-".to_owned(), escape);
        format!("{} slot={slot} token={label}", self.name)
    }

    fn write(&self, rv: CK_RV) {
        self.log(&format!("{}{}{} rv={rv:#x}", self.head(), self.notes, self.faults));
    }

    fn log(&self, line: &str) {
        let Some(file) = &self.shim.log else { return };
        if let Err(e) = append(file, &format!("{line} pid={}\n", std::process::id())) {
            // A lost line is a wrong count: end the test here.
            eprintln!("p11shim: SHIM_LOG {}: {e}", file.display());
            std::process::abort();
        }
    }
}

/// One write in append mode, so that lines of several threads and processes do not mix.
pub(crate) fn append(file: &Path, line: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new().create(true).append(true).open(file)?.write_all(line.as_bytes())
}
