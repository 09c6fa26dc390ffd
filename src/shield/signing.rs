//! The steps of one signature that `Shield` and `Session` share.

use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

use super::doubt::Doubts;
use crate::cert::Certificate;
use crate::credential::{Credential, Route};
use crate::door::{Door, DoorId, Lease};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::format::Prepared;
use crate::note::Note;
use crate::pin::Pin;
use crate::policy;
use crate::prompt::{PinEntry, PinPrompt, PinQuestion};
use crate::receipt::Receipt;
use crate::role::Role;
use crate::suite::{DigestAlgorithm, RawSignature, Summary};
use crate::token::{Auth, PinForm, PinState, Slot};
use crate::tries::{Consent, PinStatus};
use crate::wait::{Signal, Wait};

/// A prepared request: everything that is known before a token is touched.
pub(crate) struct Job {
    pub(crate) credential: Credential,
    pub(crate) prepared: Prepared,
    pub(crate) format: &'static str,
    pub(crate) summary: Summary,
    pub(crate) now: SystemTime,
    pub(crate) correlation: u64,
}

/// What opens the key: one entry of a person, owned.
pub(crate) enum Entry {
    Typed(Pin),
    OnDevice,
}

impl Entry {
    /// Accepts an answer only when its PIN was entered for `role`.
    fn accept(answer: PinEntry, role: Role) -> Result<Self> {
        match answer {
            PinEntry::OnDevice => Ok(Entry::OnDevice),
            PinEntry::Typed(pin) if pin.role() == role => Ok(Entry::Typed(pin)),
            PinEntry::Typed(_) => Err(Error::new(ErrorKind::PinRole, "PIN entry").role(role)),
        }
    }

    pub(crate) fn duplicate(&self) -> Self {
        match self {
            Entry::Typed(pin) => Entry::Typed(pin.duplicate()),
            Entry::OnDevice => Entry::OnDevice,
        }
    }

    /// For the call that a person made this entry for.
    pub(crate) fn auth(&self) -> Auth<'_> {
        match self {
            Entry::Typed(pin) => Auth::Pin(pin),
            Entry::OnDevice => Auth::OnDevice,
        }
    }

    /// For the later signatures of a batch: no login is opened with it.
    pub(crate) fn shared(&self) -> Auth<'_> {
        match self {
            Entry::Typed(pin) => Auth::Shared(pin),
            Entry::OnDevice => Auth::Held,
        }
    }
}

/// Refuses where a wrong PIN could lock, unless a person said so.
pub(crate) fn guard_tries(status: PinStatus, consent: Consent, role: Role) -> Result<()> {
    let refuse = |kind| Err(Error::new(kind, "read PIN state").role(role).tries(status));
    match status {
        PinStatus::Locked | PinStatus::Known(0) => refuse(ErrorKind::PinLocked),
        s if s.is_last_try() && consent < Consent::LastTry => refuse(ErrorKind::LastTry),
        PinStatus::Unknown { refused: true } if consent < Consent::AfterRefusal => refuse(ErrorKind::TriesUnknown),
        _ => Ok(()),
    }
}

/// As [`guard_tries`], and refuses where the form of the PIN is not known, or was never proved and nobody said that it may be tried. A wrong
/// form costs a try like a wrong PIN, so for the first time there have to be some.
pub(crate) fn guard(state: PinState, consent: Consent, role: Role) -> Result<()> {
    guard_tries(state.status, consent, role)?;
    guard_form(state).map_err(|e| e.role(role))
}

/// The part of [`guard`] that holds whatever is sent; the tries are those of what is sent.
pub(crate) fn guard_form(state: PinState) -> Result<()> {
    let refuse = |kind| Err(Error::new(kind, "read PIN state").tries(state.status));
    match state.form {
        PinForm::Sure => Ok(()),
        PinForm::Unknown => refuse(ErrorKind::DialectMissing),
        PinForm::Unproven { allowed: true } if state.status.is_at_least(policy::UNPROVEN_TRIES) => Ok(()),
        PinForm::Unproven { .. } => refuse(ErrorKind::DialectUnproven),
    }
}

/// Makes sure that the certificate which was shown is still where the key is. On a card that was not pulled out this costs no command.
pub(crate) fn check_certificate(
    lease: &mut Lease,
    slot: &Slot,
    certificate: &Arc<Certificate>,
    wait: &Wait,
) -> Result<()> {
    let (slot, expected) = (slot.clone(), Arc::clone(certificate));
    lease.call("read certificate", wait, move |token| {
        if token.certificate(&slot.certificate)? == expected.der() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::CertificateChanged, "read certificate"))
    })
}

/// Reads the PIN's state in a lease that `certificate` is found in.
pub(crate) fn read_state(
    lease: &mut Lease,
    slot: &Slot,
    certificate: &Arc<Certificate>,
    wait: &Wait,
) -> Result<PinState> {
    check_certificate(lease, slot, certificate, wait)?;
    let pin = slot.pin.clone();
    lease.call("read PIN state", wait, move |token| token.pin_state(&pin))
}

/// Asks the person, with nothing held.
pub(crate) fn ask(
    prompt: &mut dyn PinPrompt,
    role: Role,
    also_opens: &[Role],
    summary: &Summary,
    state: PinState,
) -> Result<Entry> {
    let question = PinQuestion { role, also_opens, summary, status: state.status, on_device: state.on_device };
    let answer = prompt.ask(&question).map_err(|_| Error::new(ErrorKind::PinDeclined, "PIN entry").role(role))?;
    Entry::accept(answer, role)
}

/// One signature in a lease. The entry's copy is wiped when the token is done with it.
pub(crate) fn sign_in(lease: &mut Lease, route: &Route, entry: &Entry, job: &Job, wait: &Wait) -> Result<RawSignature> {
    sign_with(lease, route, entry, Entry::auth, job, wait)
}

/// As [`sign_in`], within the login of a batch: `PinRequired` where that is lost, and nothing was sent.
pub(crate) fn sign_shared(
    lease: &mut Lease,
    route: &Route,
    entry: &Entry,
    job: &Job,
    wait: &Wait,
) -> Result<RawSignature> {
    sign_with(lease, route, entry, Entry::shared, job, wait)
}

fn sign_with(
    lease: &mut Lease,
    route: &Route,
    entry: &Entry,
    auth: fn(&Entry) -> Auth<'_>,
    job: &Job,
    wait: &Wait,
) -> Result<RawSignature> {
    let (slot, entry, tbs) = (route.slot.clone(), entry.duplicate(), job.prepared.tbs.clone());
    let signature = lease.call("sign", wait, move |token| token.sign(&slot.key, &slot.pin, auth(&entry), &tbs))?;
    lease.count_signature();
    Ok(signature)
}

/// Verifies, writes, and makes the receipt. A signature that does not verify never leaves: `out` has received nothing.
pub(crate) fn finish(
    job: Job,
    signature: &RawSignature,
    door: Option<DoorId>,
    tries: PinStatus,
    doubts: &Doubts,
    out: &mut dyn Write,
) -> Result<Receipt> {
    let Job { credential, prepared, format, summary, now, correlation } = job;
    let certificate = &credential.certificate;
    let verified = certificate.key()?.verify(&prepared.tbs, signature);
    verified.map_err(|error| doubts.judge(credential.fingerprint, &prepared.tbs, signature, error))?;
    let (suite, digest) = (prepared.tbs.suite, prepared.tbs.digest.clone());
    let mut notes = prepared.notes.clone();
    notes.extend(notes_of(certificate, now));
    prepared.finish(signature, out)?;
    Ok(Receipt {
        role: credential.role,
        format,
        fingerprint: credential.fingerprint,
        number: certificate.number(),
        suite,
        digest,
        time: now,
        tries,
        door,
        shown: DigestAlgorithm::Sha256.of(summary.text.as_bytes())?,
        notes,
        correlation,
    })
}

fn notes_of(certificate: &Certificate, now: SystemTime) -> Option<Note> {
    if certificate.check_time(now).is_err() {
        return Some(Note::OutsideValidity);
    }
    let days = certificate.time_left(now).as_secs() / 86_400;
    (days <= policy::EXPIRY_WARNING_DAYS).then_some(Note::ExpiresSoon { days })
}

/// A lease with the route that led there and the state of the PIN.
pub(crate) struct Ready<'r> {
    pub(crate) route: &'r Route,
    pub(crate) lease: Lease,
    pub(crate) state: PinState,
}

impl Ready<'_> {
    /// Whether a PIN may be sent here, as far as its form is concerned.
    fn takes_pin(&self) -> bool {
        !matches!(self.state.form, PinForm::Unknown | PinForm::Unproven { allowed: false })
    }
}

/// Opens the first route that works and holds the certificate, and reads the state of its PIN. Only a token that is gone, a module that
/// fails, or a device whose PIN form is not known leads to the next one.
pub(crate) fn first_route<'r>(credential: &'r Credential, doors: &[Arc<dyn Door>], wait: &Wait) -> Result<Ready<'r>> {
    first_of(&credential.routes, credential, doors, wait)
}

/// As [`first_route`], among some of a credential's routes.
pub(crate) fn first_of<'r>(
    routes: &'r [Route],
    credential: &Credential,
    doors: &[Arc<dyn Door>],
    wait: &Wait,
) -> Result<Ready<'r>> {
    let (mut first, mut without_pin) = (None, None);
    let alone = routes.len() < 2;
    for route in routes {
        match open_route(route, credential, doors, wait) {
            None => {}
            Some(Ok(ready)) if alone || ready.takes_pin() => return Ok(ready),
            // Its lease ends here: no module is called while a card's is held.
            Some(Ok(_)) => without_pin = without_pin.or(Some(route)),
            Some(Err(error)) if is_gone(&error) => {
                tracing::debug!(door = %route.door.without_label(), code = error.code(), "route does not answer, trying the next");
                // The route that should serve says best what is wrong.
                first.get_or_insert(error);
            }
            Some(Err(error)) => return Err(error),
        }
    }
    without_pin
        .and_then(|route| open_route(route, credential, doors, wait))
        .unwrap_or_else(|| Err(first.unwrap_or_else(|| Error::new(ErrorKind::NoShield, "open shield"))))
}

/// Opens one route, again where another program disturbed; `None` where its door is not there.
fn open_route<'r>(
    route: &'r Route,
    credential: &Credential,
    doors: &[Arc<dyn Door>],
    wait: &Wait,
) -> Option<Result<Ready<'r>>> {
    let door = doors.iter().find(|d| *d.id() == route.door)?;
    let open = || {
        let mut lease = door.lease(wait)?;
        let state = read_state(&mut lease, &route.slot, &credential.certificate, wait)?;
        Ok(Ready { route, lease, state })
    };
    Some(patiently(wait, || {
        let opened = (0..policy::RECONNECTS).map(|_| open()).find(|opened| !opened.as_ref().is_err_and(is_disturbed));
        opened.unwrap_or_else(open)
    }))
}

/// Does something again for as long as another program is in the way, with nothing held in between: a device may serve one program at a time
/// over several transactions (6A90 of GM/T 0017), and is waited for as a reader is that somebody holds.
pub(crate) fn patiently<R>(wait: &Wait, mut work: impl FnMut() -> Result<R>) -> Result<R> {
    let mut in_the_way = None;
    loop {
        match (work(), in_the_way) {
            (Err(error), _) if error.kind() == ErrorKind::Busy && matches!(error.raw_status(), Some(Status::Sw(_))) => {
                in_the_way = Some(error);
            }
            // The time was over before the device was asked once more: what was in the way says it best.
            (Err(error), Some(reason)) if error.kind() == ErrorKind::Busy => return Err(reason),
            (other, _) => return other,
        }
        let moment = wait.resumed(policy::TURN_PAUSE.min(wait.remaining()));
        Arc::<Signal>::default().wait_for(&moment, || None::<()>);
    }
}

/// Whether another program reset the card, or an answer was lost. Where nothing but reading was done, it is done again.
pub(crate) fn is_disturbed(error: &Error) -> bool {
    error.kind() == ErrorKind::TokenFailed && matches!(error.raw_status(), Some(Status::Pcsc(_)))
}

/// Whether a token cannot be reached this way now.
pub(crate) fn is_gone(error: &Error) -> bool {
    use ErrorKind as K;
    matches!(
        error.kind(),
        K::TokenFailed
            | K::NoShield
            | K::ModuleFailed
            | K::TokenNotInitialised
            | K::ServiceStopped
            | K::ServiceRefused
            | K::ServiceFull
            | K::ServiceMissing
            | K::NoReader
            | K::CardMute
            | K::CardApplication
            | K::CardRemoved
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_try_is_never_spent_without_an_explicit_word() {
        let role = Role::Customs;
        let kind = |status, consent| guard_tries(status, consent, role).err().map(|e| e.kind());
        for last in [PinStatus::Known(1), PinStatus::AtLeast(1), PinStatus::Final] {
            assert_eq!(kind(last, Consent::None), Some(ErrorKind::LastTry));
            assert_eq!(kind(last, Consent::AfterRefusal), Some(ErrorKind::LastTry));
            assert_eq!(kind(last, Consent::LastTry), None);
        }
        assert_eq!(kind(PinStatus::Locked, Consent::LastTry), Some(ErrorKind::PinLocked));
        assert_eq!(kind(PinStatus::Known(0), Consent::LastTry), Some(ErrorKind::PinLocked));
        assert_eq!(kind(PinStatus::Unknown { refused: true }, Consent::None), Some(ErrorKind::TriesUnknown));
        assert_eq!(kind(PinStatus::Unknown { refused: true }, Consent::AfterRefusal), None);
        assert_eq!(kind(PinStatus::Unknown { refused: false }, Consent::None), None);
        assert_eq!(kind(PinStatus::Known(2), Consent::None), None);
    }

    #[test]
    fn a_pin_typed_for_the_bank_is_not_taken_for_customs() {
        let pin = Pin::new(Role::Bank, b"123456").unwrap();
        let refused = Entry::accept(PinEntry::Typed(pin), Role::Customs);
        assert_eq!(refused.err().map(|e| e.kind()), Some(ErrorKind::PinRole));
    }
}
