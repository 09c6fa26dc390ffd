//! A device within a transaction: what a lease gives. It shows the slots of all applications and has one of them open at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::application::{self, AppId};
use super::container::{self, ContainerId};
use super::form::Form;
use super::frame::{self, ALREADY_OPEN, ONE_AT_A_TIME};
use super::info::DeviceInfo;
use super::memory::{Habits, Memory};
use super::name::{Name, Spot};
use super::pin::{self, Seen};
use crate::apdu::Exchange;
use crate::error::{Error, ErrorKind, Result};
use crate::suite::{PublicKey, RawSignature, ToBeSigned};
use crate::token::{self, Auth, CertRef, Insertion, KeyRef, PinRef, PinState, Slot, Token};
use crate::wait::lock;

/// The application that was opened last in this transaction: the only one that a PIN may go to.
struct Open {
    name: Name,
    id: AppId,
    seen: Option<Seen>,
}

/// Made inside a transaction that ends with it.
pub(super) struct GmToken {
    pub(super) card: Exchange<'static>,
    pub(super) at: Arc<Insertion>,
    pub(super) info: DeviceInfo,
    pub(super) form: Form,
    open: Option<Open>,
    /// Applications that were opened in this transaction: their numbers are theirs for certain.
    opened: BTreeSet<Name>,
    /// Containers that were opened in this transaction, by application: nobody has given their numbers to others.
    given: BTreeSet<(Name, Name)>,
    /// What a number of an earlier lease told.
    pub(super) glanced: Option<(Name, Seen)>,
    /// Applications whose PIN was accepted in this lease, and whose login is there as far as known.
    pub(super) logins: BTreeSet<Name>,
    /// Applications that a PIN was sent to in this lease, whatever became of it.
    pub(super) touched: BTreeSet<Name>,
    /// Content keys that were brought into the device in this lease.
    pub(super) session_keys: Vec<Vec<u8>>,
    keep: Option<Arc<AtomicBool>>,
    pub(super) notes: Vec<Error>,
}

impl GmToken {
    pub(super) fn new(card: Exchange<'static>, at: &Arc<Insertion>, info: DeviceInfo) -> Self {
        GmToken {
            card,
            form: Form::of(at, &info),
            at: Arc::clone(at),
            info,
            open: None,
            opened: BTreeSet::new(),
            given: BTreeSet::new(),
            glanced: None,
            logins: BTreeSet::new(),
            touched: BTreeSet::new(),
            session_keys: Vec::new(),
            keep: None,
            notes: Vec::new(),
        }
    }

    pub(super) fn memory<R>(&self, look: impl FnOnce(&mut Memory) -> R) -> R {
        look(&mut lock(&self.at.gm0017))
    }

    pub(super) fn habits(&self) -> Habits {
        self.at.habits(|habits| *habits)
    }

    pub(super) fn learn(&self, change: impl FnOnce(&mut Habits)) {
        self.at.habits(change);
    }

    pub(super) fn has_open(&self) -> bool {
        self.open.is_some()
    }

    /// What is known of the PIN of the open application, if it is this one.
    pub(super) fn open_seen(&self, name: &Name) -> Option<Seen> {
        self.open.as_ref().filter(|open| open.name == *name)?.seen
    }

    pub(super) fn set_seen(&mut self, seen: Option<Seen>) {
        if let Some(open) = &mut self.open {
            open.seen = seen;
        }
    }

    /// The number of an application: opened in this transaction, and no other one after it.
    ///
    /// # Errors
    /// `CardApplication` where there is none of this name; `Busy` where the device opens one at a time and another program has one open.
    pub(super) fn open(&mut self, name: &Name) -> Result<AppId> {
        const OPERATION: &str = "OpenApplication";
        if let Some(open) = self.open.as_ref().filter(|open| open.name == *name) {
            return Ok(open.id);
        }
        if self.habits().one_application {
            self.close_all();
        }
        let first = application::open(&mut self.card, name)?;
        let opened = match first {
            Err(sw) if matches!(sw.raw(), ONE_AT_A_TIME | ALREADY_OPEN) => {
                if sw.raw() == ONE_AT_A_TIME {
                    self.learn(|habits| habits.one_application = true);
                    self.forget_foreign();
                }
                self.close_all();
                application::open(&mut self.card, name)?
            }
            other => other,
        };
        let id = opened.map_err(|sw| {
            let error = frame::error(sw, OPERATION);
            if error.kind() == ErrorKind::CardApplication { error.detail(name.label()) } else { error }
        })?;
        self.memory(|memory| memory.opened(name, id));
        self.opened.insert(name.clone());
        self.open = Some(Open { name: name.clone(), id, seen: None });
        Ok(id)
    }

    /// One is open, so a number of an earlier lease may be that one's by now, which somebody else needs: it is forgotten, unless what was read of
    /// ours is found under it, because some devices open none twice and ours may be the one. A login that is owed an end weighs more.
    fn forget_foreign(&mut self) {
        let owed = self.to_end(true);
        for (name, id) in self.memory(|memory| memory.open_applications()) {
            if !self.opened.contains(&name) && !owed.contains(&name) && !self.is_ours(&name, id) {
                self.memory(|memory| memory.forget_application(&name));
            }
        }
    }

    /// The number is not the application's any more.
    pub(super) fn reopen(&mut self, name: &Name) -> Result<AppId> {
        self.open = None;
        self.memory(|memory| memory.forget_application(name));
        self.open(name)
    }

    /// Closes what was opened by this process and not closed, and ends its login before, because closing would leave that on the card.
    fn close_all(&mut self) {
        let ours = self.memory(|memory| memory.open_applications());
        for (name, id) in ours {
            // Of an earlier lease neither is sure: the number may be another application's meanwhile. What is owed ends with this lease, by name.
            if self.touched.contains(&name) {
                self.clear(&name, id);
            }
            self.close(id);
        }
        self.memory(Memory::forget_numbers);
        self.open = None;
    }

    /// Whether the card closed it.
    fn close(&mut self, id: AppId) -> bool {
        application::close(&mut self.card, id)
            .inspect_err(|error| tracing::debug!(%error, "an application could not be closed"))
            .is_ok()
    }

    /// Whether the card says that the login is over, or that there is none.
    fn clear(&mut self, name: &Name, id: AppId) -> bool {
        self.logins.remove(name);
        let cleared = match application::clear(&mut self.card, id) {
            Err(error) if error.kind() == ErrorKind::PinRequired => Ok(()),
            other => other,
        };
        match cleared {
            Ok(()) => {
                self.touched.remove(name);
                self.paid(name);
                true
            }
            Err(error) => {
                warn(name, &error);
                self.owe(name);
                false
            }
        }
    }

    /// Ends the login of the open application. Where the card refuses that, closing may end it: on some devices a login goes with its application.
    /// No device tells, so it stays owed. What an earlier lease owes was closed by that one: who has it open now may be another program.
    fn end_login(&mut self, name: &Name, id: AppId) {
        let closes = self.touched.contains(name);
        if !self.clear(name, id) && closes && !self.card.has_failed() && self.close(id) {
            self.memory(|memory| memory.forget_application(name));
            self.open = None;
        }
    }

    /// The login is to end as soon as the card is reached, and nobody uses it meanwhile.
    fn owe(&self, name: &Name) {
        self.at.left(|left| left.insert(name.octets().to_vec()));
        self.at.unended(|unended| unended.insert(name.octets().to_vec()));
        self.memory(|memory| memory.keep_no_more(name));
    }

    fn paid(&self, name: &Name) {
        self.at.left(|left| left.remove(name.octets()));
        self.at.unended(|unended| unended.remove(name.octets()));
        self.memory(|memory| memory.keep_no_more(name));
    }

    /// Logins that end with a lease that keeps none; of one that does, only what an earlier one owes.
    fn to_end(&self, keep: bool) -> BTreeSet<Name> {
        let mut left: BTreeSet<Name> = self.at.left(|left| left.iter().filter_map(|octets| Name::of(octets)).collect());
        left.retain(|name| !(keep && self.memory(|memory| memory.is_kept(name))));
        left
    }

    /// Whether this process has logged in to it, in this lease or in one before that kept the login.
    pub(super) fn is_logged_in(&self, name: &Name) -> bool {
        self.logins.contains(name) || self.memory(|memory| memory.is_kept(name))
    }

    /// The login is not there any more, whoever ended it.
    pub(super) fn lost_login(&mut self, name: &Name) {
        self.logins.remove(name);
        self.paid(name);
    }

    /// The number of a container in the application that is open.
    pub(super) fn container(&mut self, spot: &Spot) -> Result<(AppId, ContainerId)> {
        let application = self.open(&spot.application)?;
        if let Some(known) = self.memory(|memory| memory.container(&spot.application, &spot.container)) {
            return Ok((application, known));
        }
        let id = container::open(&mut self.card, application, &spot.container)?;
        self.was_given(spot, id);
        Ok((application, id))
    }

    /// As [`GmToken::container`], for what is written: given in this transaction. A number that an earlier lease was given may be another
    /// container's by now, and what is written under it would take the place of that one's.
    pub(super) fn container_to_write(&mut self, spot: &Spot) -> Result<(AppId, ContainerId)> {
        // The application first: by its containers it is known as ours where a device opens none twice.
        self.open(&spot.application)?;
        if !self.given.contains(&(spot.application.clone(), spot.container.clone())) {
            self.memory(|memory| memory.forget_container(&spot.application, &spot.container));
        }
        self.container(spot)
    }

    /// A container was opened, or made.
    pub(super) fn was_given(&mut self, spot: &Spot, id: ContainerId) {
        self.memory(|memory| memory.keep_container(&spot.application, &spot.container, id));
        self.given.insert((spot.application.clone(), spot.container.clone()));
    }

    /// Ends every login that this process owes an end, at the end of the lease.
    fn end_logins(&mut self) {
        // What the card does after a failure is not known: it keeps nothing then that anybody could forget.
        let keep = self.keep.as_ref().filter(|_| !self.card.has_failed());
        if let Some(keep) = keep {
            for name in &self.logins {
                // In this order: what is kept is never seen as owed.
                self.memory(|memory| memory.keep(name, keep));
                self.at.left(|left| left.insert(name.octets().to_vec()));
                self.at.unended(|unended| unended.remove(name.octets()));
            }
        }
        // Asked after that: a batch that ends from now on sees what is left to be ended.
        let keep = keep.is_some_and(|keep| keep.load(Ordering::SeqCst));
        if keep {
            self.touched.retain(|name| !self.logins.contains(name));
        }
        let mut tried = BTreeSet::new();
        loop {
            // Closing one application, where a device opens one at a time, may have ended the login of another.
            let mut to_end = self.to_end(keep);
            to_end.extend(self.touched.iter().cloned());
            let Some(name) = to_end.difference(&tried).next().cloned() else { return };
            tried.insert(name.clone());
            // What an earlier lease kept is kept no longer.
            self.memory(|memory| memory.keep_no_more(&name));
            if self.card.has_failed() {
                self.owe(&name);
                continue;
            }
            match self.open(&name) {
                Ok(id) => self.end_login(&name, id),
                // Its login went with it.
                Err(error) if error.kind() == ErrorKind::CardApplication => self.paid(&name),
                Err(error) => {
                    warn(&name, &error);
                    self.owe(&name);
                }
            }
        }
    }
}

/// Not the error's own sentence: that is for a person whose job failed, and this one was done.
fn warn(name: &Name, error: &Error) {
    let status = error.raw_status().map(ToString::to_string);
    let (application, code) = (name.label(), error.code());
    tracing::warn!(
        application,
        status,
        code,
        "a login could not be ended: it may be open until the shield is pulled out"
    );
}

impl Drop for GmToken {
    /// The transaction is still open: nobody else reaches the card before our logins are over.
    fn drop(&mut self) {
        let used = !self.touched.is_empty();
        self.destroy_session_keys();
        self.end_logins();
        let Some(open) = self.open.take() else { return };
        if self.card.has_failed() {
            return;
        }
        if self.habits().one_application {
            self.close(open.id);
            self.memory(Memory::forget_numbers);
        } else if open.seen.is_some() && !used {
            self.memory(|memory| memory.looked(&open.name));
        }
    }
}

impl Token for GmToken {
    fn keep_login(&mut self, keep: &Arc<AtomicBool>) {
        self.keep = Some(Arc::clone(keep));
    }

    fn slots(&mut self) -> Result<Vec<Slot>> {
        self.survey()
    }

    fn notes(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.notes)
    }

    fn certificate(&mut self, of: &CertRef) -> Result<Vec<u8>> {
        let spot = Spot::of_certificate(of)?;
        self.read(&spot)?.map(|certificate| certificate.der().to_vec()).ok_or_else(|| {
            Error::new(ErrorKind::CertificateChanged, "ExportCertificate")
                .detail(format!("{} has no certificate", spot.label()))
        })
    }

    fn shown_key(&mut self, key: &KeyRef) -> Result<Option<PublicKey>> {
        let spot = Spot::of_key(key)?;
        let kind = self.key_of(&spot)?.kind();
        self.shown(&spot, kind).map(Some)
    }

    fn pin_state(&mut self, pin: &PinRef) -> Result<PinState> {
        self.state(&pin::application(pin)?)
    }

    fn login(&mut self, pin: &PinRef, auth: Auth<'_>) -> Result<()> {
        let name = pin::application(pin)?;
        match auth {
            Auth::Pin(typed) => self.verify(&name, typed),
            Auth::Shared(_) | Auth::Held if self.is_logged_in(&name) => Ok(()),
            Auth::Shared(_) | Auth::Held => {
                let seen = self.glance(&name)?;
                Err(Error::new(ErrorKind::PinRequired, "VerifyPIN").tries(seen.status))
            }
            Auth::OnDevice => Err(Error::new(ErrorKind::PinRequired, "VerifyPIN").detail("nothing to type on")),
        }
    }

    fn sign(&mut self, key: &KeyRef, pin: &PinRef, auth: Auth<'_>, tbs: &ToBeSigned) -> Result<RawSignature> {
        self.sign_with(key, pin, auth, tbs)
    }

    fn opening(&mut self) -> Option<&mut dyn token::Opening> {
        Some(self)
    }

    /// Without a dialect there is a side that says what is missing; where nobody knows the dialect's MAC there is none.
    fn pins(&mut self) -> Option<&mut dyn token::Pins> {
        if self.form.known().is_some_and(|dialect| dialect.mac.is_none()) { None } else { Some(self) }
    }

    fn issuing(&mut self) -> Option<&mut dyn token::Issuing> {
        Some(self)
    }
}
