//! A PKCS#11 token as a door.

use std::path::Path;
use std::sync::{Arc, Mutex};

use cryptoki::slot::Slot;

use super::module::{Facts, Identity, Module, clean, name_module, twins};
use super::token::Pkcs11Token;
use crate::door::{Discovery, Door, DoorId, DoorInfo, Lease, Way};
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::token::{ModuleRules, Sm2Table, Token};
use crate::wait::{Wait, lock};

/// Loads a module and looks at its tokens. Loading is bounded by `wait`; the module's own calls after that take as long as they take,
/// so this runs on a thread that nobody waits for without a bound.
///
/// # Errors
/// As [`Module::open`], and what the module answers.
pub(crate) fn discover(path: &Path, rules: &ModuleRules, wait: &Wait) -> Result<Discovery> {
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
        let sm2 = rules.sm2(&[path, &module.file], &[&module.manufacturer, &facts.manufacturer]);
        found.doors.push(Arc::new(Pkcs11Door::new(&module, slot, facts, sm2)));
    }
    Ok(found)
}

struct Pkcs11Door {
    id: DoorId,
    info: DoorInfo,
    identity: Identity,
    module: Arc<Module>,
    /// Numbers of its SM2.
    sm2: Arc<Sm2Table>,
    /// Where the token was last.
    slot: Arc<Mutex<Slot>>,
}

impl Pkcs11Door {
    fn new(module: &Arc<Module>, slot: Slot, facts: Facts, sm2: Arc<Sm2Table>) -> Self {
        let Facts { identity, manufacturer, model, .. } = facts;
        let (module, name) = (Arc::clone(module), module.name().to_owned());
        let (label, serial) = (identity.label.clone(), identity.serial.clone());
        let reader = module.p11.get_slot_info(slot).map(|info| clean(info.slot_description())).unwrap_or_default();
        Pkcs11Door {
            id: DoorId::of(["pkcs11", &name, &serial, &label]),
            info: DoorInfo {
                module: name,
                label,
                manufacturer,
                model,
                serial,
                reader,
                atr: None,
                dialect: String::new(),
            },
            identity,
            module,
            sm2,
            slot: Arc::new(Mutex::new(slot)),
        }
    }
}

impl Door for Pkcs11Door {
    fn id(&self) -> &DoorId {
        &self.id
    }

    fn info(&self) -> &DoorInfo {
        &self.info
    }

    fn way(&self) -> Way {
        Way::Module
    }

    fn lease(&self, wait: &Wait) -> Result<Lease> {
        self.module.check_process()?;
        let (module, identity) = (Arc::clone(&self.module), self.identity.clone());
        let (last, sm2, bound) = (Arc::clone(&self.slot), Arc::clone(&self.sm2), wait.clone());
        Lease::open("open token", wait, move || {
            let hint = *lock(&last);
            let (slot, facts) = module.find(&identity, Some(hint))?;
            *lock(&last) = slot;
            if !facts.info.token_initialized() {
                return Err(Error::new(ErrorKind::TokenNotInitialised, "open token"));
            }
            let token: Box<dyn Token> = Box::new(Pkcs11Token::open(module, slot, identity, sm2, bound)?);
            Ok(token)
        })
    }
}
