//! A PKCS#11 token as a door.

use std::path::Path;
use std::sync::{Arc, Mutex};

use cryptoki::slot::Slot;

use super::module::{Facts, Identity, Module, name_module, twins};
use super::token::Pkcs11Token;
use crate::door::{Door, DoorId, DoorInfo, Lease};
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::token::Token;
use crate::wait::{Wait, lock};

/// What one module has to offer.
#[derive(Default)]
pub(crate) struct Discovery {
    /// Initialised tokens.
    pub(crate) doors: Vec<Arc<dyn Door>>,
    /// Tokens that cannot be used, each with the reason.
    pub(crate) problems: Vec<Error>,
    /// Tokens that are not initialised. Some modules always show one.
    pub(crate) blank: Vec<Error>,
}

/// Loads a module and looks at its tokens. Loading is bounded by `wait`; the module's own calls after that take as long as they take,
/// so this runs on a thread that nobody waits for without a bound.
///
/// # Errors
/// As [`Module::open`], and what the module answers.
pub(crate) fn discover(path: &Path, wait: &Wait) -> Result<Discovery> {
    let module = Module::open(path, wait)?;
    let mut found = Discovery::default();
    let mut tokens: Vec<(Slot, Facts)> = Vec::new();
    let mut twice: Vec<Identity> = Vec::new();
    for token in module.tokens().map_err(|e| name_module(e, path))? {
        match token {
            Err(error) => found.problems.push(name_module(error, path)),
            Ok((_, facts)) if !facts.info.token_initialized() => {
                found.blank.push(name_module(Error::new(ErrorKind::TokenNotInitialised, "C_GetTokenInfo"), path));
            }
            Ok((slot, facts)) => {
                let twin = tokens.iter().any(|(_, known)| known.identity == facts.identity);
                if twin && !twice.contains(&facts.identity) {
                    twice.push(facts.identity.clone());
                }
                tokens.push((slot, facts));
            }
        }
    }
    found.problems.extend(twice.iter().map(|identity| name_module(twins(identity), path)));
    for (slot, facts) in tokens.into_iter().filter(|(_, facts)| !twice.contains(&facts.identity)) {
        found.doors.push(Arc::new(Pkcs11Door::new(&module, slot, facts)));
    }
    Ok(found)
}

struct Pkcs11Door {
    id: DoorId,
    info: DoorInfo,
    identity: Identity,
    module: Arc<Module>,
    /// Where the token was last.
    slot: Arc<Mutex<Slot>>,
}

impl Pkcs11Door {
    fn new(module: &Arc<Module>, slot: Slot, facts: Facts) -> Self {
        let Facts { identity, manufacturer, model, .. } = facts;
        let (module, name) = (Arc::clone(module), module.name().to_owned());
        let (label, serial) = (identity.label.clone(), identity.serial.clone());
        Pkcs11Door {
            id: DoorId(format!("pkcs11:{}:{}:{}", field(&name), field(&serial), field(&label))),
            info: DoorInfo { module: name, label, manufacturer, model, serial },
            identity,
            module,
            slot: Arc::new(Mutex::new(slot)),
        }
    }
}

/// A part of a door's name: the colons are those between the parts.
fn field(text: &str) -> String {
    text.replace('%', "%25").replace(':', "%3A")
}

impl Door for Pkcs11Door {
    fn id(&self) -> &DoorId {
        &self.id
    }

    fn info(&self) -> &DoorInfo {
        &self.info
    }

    fn lease(&self, wait: &Wait) -> Result<Lease> {
        self.module.check_process()?;
        let (module, identity) = (Arc::clone(&self.module), self.identity.clone());
        let (last, bound) = (Arc::clone(&self.slot), wait.clone());
        Lease::open("open token", wait, move || {
            let hint = *lock(&last);
            let (slot, facts) = module.find(&identity, Some(hint))?;
            *lock(&last) = slot;
            if !facts.info.token_initialized() {
                return Err(Error::new(ErrorKind::TokenNotInitialised, "open token"));
            }
            let token: Box<dyn Token> = Box::new(Pkcs11Token::open(module, slot, identity, bound)?);
            Ok(token)
        })
    }
}
