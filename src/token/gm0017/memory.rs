//! What is remembered between leases: numbers that the card gave, habits that it showed. Never a PIN.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::application::AppId;
use super::container::ContainerId;
use super::name::Name;

/// What is known of one insertion of one device. Other programs open and close applications too, so a number may have been given to another
/// application meanwhile: no PIN goes to one that was not given in the same transaction.
#[derive(Debug, Default)]
pub(in crate::token) struct Memory {
    applications: BTreeMap<Name, Application>,
    /// Logins that a lease left open for the next one, each for as long as the batch says so that it was made for. All others that may be open
    /// on the card are owed an end.
    kept: BTreeMap<Name, Arc<AtomicBool>>,
}

#[derive(Debug)]
struct Application {
    id: AppId,
    /// Good for one look at the state of its PIN.
    fresh: bool,
    containers: BTreeMap<Name, ContainerId>,
    /// All tries of its user PIN, where the device told them.
    most: Option<u8>,
}

/// What a device does whenever it is asked, over all of its insertions.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::token) struct Habits {
    /// It opens one application at a time (6A90).
    pub(super) one_application: bool,
    /// It ends the login after each signature (GM/T 0027 §9.2).
    pub(super) drops_login: bool,
}

impl Memory {
    /// An application was opened. Whoever else had this number before has it no more, and if the number is a new one, so are those of its
    /// containers.
    pub(super) fn opened(&mut self, name: &Name, id: AppId) {
        self.applications.retain(|other, known| other == name || known.id != id);
        match self.applications.get_mut(name) {
            Some(known) if known.id == id => known.fresh = true,
            _ => {
                let new = Application { id, fresh: true, containers: BTreeMap::new(), most: None };
                self.applications.insert(name.clone(), new);
            }
        }
    }

    /// The number of an application, for one look at the state of its PIN: one that was opened since the last such look.
    pub(super) fn glance(&mut self, name: &Name) -> Option<AppId> {
        let known = self.applications.get_mut(name)?;
        std::mem::take(&mut known.fresh).then_some(known.id)
    }

    /// Nothing but a look came of it: the next one opens anew.
    pub(super) fn looked(&mut self, name: &Name) {
        if let Some(known) = self.applications.get_mut(name) {
            known.fresh = false;
        }
    }

    pub(super) fn container(&self, application: &Name, container: &Name) -> Option<ContainerId> {
        self.applications.get(application)?.containers.get(container).copied()
    }

    pub(super) fn keep_container(&mut self, application: &Name, container: &Name, id: ContainerId) {
        if let Some(known) = self.applications.get_mut(application) {
            known.containers.insert(container.clone(), id);
        }
    }

    /// All tries of the user PIN of an application that is open.
    pub(super) fn saw_most(&mut self, name: &Name, most: Option<u8>) {
        if let Some(known) = self.applications.get_mut(name) {
            known.most = most;
        }
    }

    /// Containers that were opened in an application, and all tries of its user PIN: whoever has its number now has others.
    pub(super) fn marks(&self, name: &Name) -> Option<(Vec<Name>, u8)> {
        let known = self.applications.get(name)?;
        let containers: Vec<Name> = known.containers.keys().cloned().collect();
        known.most.filter(|_| !containers.is_empty()).map(|most| (containers, most))
    }

    pub(super) fn forget_container(&mut self, application: &Name, container: &Name) {
        if let Some(known) = self.applications.get_mut(application) {
            known.containers.remove(container);
        }
    }

    pub(super) fn forget_application(&mut self, name: &Name) {
        self.applications.remove(name);
    }

    /// Applications that were opened and not closed, as far as known.
    pub(super) fn open_applications(&self) -> Vec<(Name, AppId)> {
        self.applications.iter().map(|(name, known)| (name.clone(), known.id)).collect()
    }

    /// Every number is forgotten.
    pub(in crate::token) fn forget_numbers(&mut self) {
        self.applications.clear();
    }

    /// The card was reset, or an answer was lost, which a link does not tell apart: no number is known. What is to be ended stays known, because
    /// the insertion holds it.
    pub(in crate::token) fn reset(&mut self) {
        *self = Memory::default();
    }

    pub(super) fn is_kept(&self, name: &Name) -> bool {
        self.kept.get(name).is_some_and(|keep| keep.load(Ordering::SeqCst))
    }

    /// As [`Memory::is_kept`], by the octets of its [`crate::token::PinRef`].
    pub(in crate::token) fn keeps(&self, pin: &[u8]) -> bool {
        self.kept.keys().any(|name| name.octets() == pin && self.is_kept(name))
    }

    /// The login is left open for the next lease.
    pub(super) fn keep(&mut self, name: &Name, keep: &Arc<AtomicBool>) {
        self.kept.insert(name.clone(), Arc::clone(keep));
    }

    /// Whatever is open of it, no lease is to use it.
    pub(super) fn keep_no_more(&mut self, name: &Name) {
        self.kept.remove(name);
    }
}
