//! A session on a token: what a lease gives.

use std::sync::Arc;

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::slot::Slot as SlotId;

use super::ckr::{fault, nonsense};
use super::login::{Login, Share};
use super::mechanism::{self, Input, Offer, Start, Way};
use super::module::{Identity, Module};
use super::objects::View;
use super::pair::{self, Candidate, Proof};
use super::sm2;
use super::voice::Voice;
use crate::cert::Fingerprint;
use crate::error::Error;
use crate::error::ErrorKind;
use crate::error::Result;
use crate::suite::{PublicKey, RawSignature, ToBeSigned};
use crate::token::{Auth, CertRef, KeyRef, KeyShown, PinForm, PinRef, PinState, Pins, Slot, Sm2Table, Token, Wants};
use crate::wait::Wait;

/// The most private keys that are tried for one certificate.
const TRIALS: usize = 8;
/// What a key signs that has to prove itself although its id speaks against it: never a document.
const PROBE: &[u8] = b"shared-shield: does this key belong to the certificate?";

/// A session with its share of the token's login. Both end when it is dropped.
pub(super) struct Pkcs11Token {
    pub(super) module: Arc<Module>,
    pub(super) slot: SlotId,
    identity: Identity,
    session: Session,
    pub(super) login: Arc<Login>,
    sm2: Arc<Sm2Table>,
    share: Option<Share>,
    wait: Wait,
    pin: PinRef,
    proven: Vec<(KeyRef, Key)>,
    certificates: Vec<(Fingerprint, ObjectHandle)>,
    notes: Vec<Error>,
}

/// A private key that has been proven to belong to a certificate.
#[derive(Clone, Copy)]
struct Key {
    handle: ObjectHandle,
    each_time: bool,
}

/// A signature that is wanted.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    public: &'a PublicKey,
    tbs: &'a ToBeSigned,
    way: Way,
}

impl Wanted<'_> {
    /// What C_Sign gave as a signature: of the length that the key makes, of the form that the mechanism has.
    fn shaped(self, octets: Vec<u8>) -> Result<RawSignature> {
        if let Way::Sm2(mechanism) = self.way {
            return sm2::output(mechanism, &octets);
        }
        let length = octets.len();
        let odd = || nonsense("C_Sign", format!("a signature of {length} octets"));
        if self.public.modulus().is_some_and(|modulus| modulus.len() != length) {
            return Err(odd());
        }
        RawSignature::new(self.tbs.suite, octets).map_err(|_| odd())
    }

    fn is_right(self, signature: &RawSignature) -> bool {
        self.public.verify(self.tbs, signature).is_ok()
    }

    /// A signature of the key that is known to be the one. What a vendor's mechanism makes is checked here, where it is known which one that was.
    fn shown(self, signature: RawSignature) -> Result<RawSignature> {
        match self.way {
            Way::Sm2(_) if !self.is_right(&signature) => Err(self.doubted(ErrorKind::SignatureWrong, "C_Sign")),
            _ => Ok(signature),
        }
    }

    /// A signature did not verify: the key's fault, or that of the numbers.
    fn doubted(self, kind: ErrorKind, operation: &'static str) -> Error {
        let error = Error::new(kind, operation);
        match self.way {
            Way::Standard => error,
            Way::Sm2(mechanism) => error.detail(sm2::doubt(mechanism)),
        }
    }
}

impl Pkcs11Token {
    pub(super) fn open(
        module: Arc<Module>,
        slot: SlotId,
        identity: Identity,
        sm2: Arc<Sm2Table>,
        wait: Wait,
    ) -> Result<Self> {
        let session = module.p11.open_ro_session(slot).map_err(|e| fault(&e, "C_OpenSession"))?;
        let login = module.login(&identity);
        let pin = PinRef([module.name(), &identity.serial, &identity.label].join("\0").into_bytes());
        Ok(Pkcs11Token {
            module,
            slot,
            identity,
            session,
            login,
            sm2,
            share: None,
            wait,
            pin,
            proven: Vec::new(),
            certificates: Vec::new(),
            notes: Vec::new(),
        })
    }

    fn view(&self) -> View<'_> {
        View { raw: &self.module.raw, session: &self.session, sm2_keys: &self.sm2.key_types }
    }

    fn offer(&self) -> Offer<'_> {
        Offer { module: &self.module.p11, raw: &self.module.raw, slot: self.slot, sm2: &self.sm2 }
    }

    pub(super) fn voice(&self) -> Voice<'_> {
        let Pkcs11Token { module, slot, identity, session, login, wait, .. } = self;
        Voice { module, slot: *slot, identity, session, login, wait }
    }

    /// A PIN goes to the token that it was asked for, or nowhere.
    pub(super) fn check_pin(&self, pin: &PinRef) -> Result<()> {
        if *pin == self.pin {
            return Ok(());
        }
        Err(Error::new(ErrorKind::PinRole, "C_Login").detail("the PIN of another token"))
    }

    fn authenticate(&mut self, auth: Auth<'_>) -> Result<()> {
        if self.share.is_some() {
            let enough = match auth {
                Auth::Held | Auth::OnDevice => true,
                Auth::Pin(_) | Auth::Shared(_) => self.login.opens(auth),
            };
            if enough && self.voice().is_user() {
                return Ok(());
            }
        }
        self.give_back();
        self.proven.clear();
        self.share = Some(match auth {
            Auth::Shared(_) => self.login.join(auth, &self.voice())?,
            _ => self.login.acquire(auth, &self.wait, &self.voice())?,
        });
        Ok(())
    }

    fn give_back(&mut self) {
        if let Some(share) = self.share.take() {
            self.login.release(share, &self.voice());
        }
    }

    /// One C_SignInit, login where the key wants it, C_Sign. `None` where the token says that the key cannot do this.
    fn sign_once(&self, key: Key, auth: Auth<'_>, wanted: Wanted<'_>) -> Result<Option<Vec<u8>>> {
        if key.each_time && matches!(auth, Auth::Held) {
            return Err(
                Error::new(ErrorKind::PinRequired, "C_Login").detail("the key wants its PIN for each signature")
            );
        }
        let Input { start, data } = mechanism::input(wanted.way, wanted.public, wanted.tbs)?;
        // Whoever was told that the time is over gets no signature made behind its back.
        self.wait.check("C_SignInit")?;
        let started = match start {
            Start::Mechanism(m) => self.session.sign_init(&m, key.handle).map_err(|e| fault(&e, "C_SignInit")),
            Start::Number(number) => self.module.raw.sign_init(&self.session, number, key.handle),
        };
        if let Err(error) = started {
            return if error.kind() == ErrorKind::KeyUnsuited { Ok(None) } else { Err(error) };
        }
        if key.each_time {
            self.voice().confirm(auth)?;
        }
        self.module.raw.sign(&self.session, &data).map(Some)
    }

    /// Signs with the key that belongs to `wanted.public`. Unless the token shows which one that is, the signature has to prove it.
    fn sign_with(&mut self, of: &KeyRef, wanted: Wanted<'_>, auth: Auth<'_>) -> Result<RawSignature> {
        if let Some((_, key)) = self.proven.iter().find(|(known, _)| known == of) {
            let octets = self.sign_once(*key, auth, wanted)?.ok_or_else(missing)?;
            return wanted.shown(wanted.shaped(octets)?);
        }
        let mut ids_lie = false;
        let mut claimed = None;
        for Candidate { key, proof } in pair::candidates(self.view(), wanted.public)?.into_iter().take(TRIALS) {
            if proof == Proof::Elsewhere && !ids_lie {
                break;
            }
            let key = Key { handle: key, each_time: self.view().always_authenticates(key)? };
            // A key that wants its PIN each time is not probed: one entry is not spent on a guess.
            if proof == Proof::Elsewhere && (key.each_time || !self.probe(key, auth, wanted)?) {
                continue;
            }
            let Some(octets) = self.sign_once(key, auth, wanted)? else { continue };
            match wanted.shaped(octets) {
                Ok(signature) if proof == Proof::Shown || wanted.is_right(&signature) => {
                    self.proven.push((of.clone(), key));
                    return wanted.shown(signature);
                }
                // A form that is not the mechanism's says nothing of the key.
                Err(error) if proof <= Proof::Linked || error.kind() == ErrorKind::SignatureMalformed => {
                    return Err(error);
                }
                _ => ids_lie = true,
            }
            match proof {
                Proof::Linked => claimed = Some(wanted.doubted(ErrorKind::SignatureWrong, "C_Sign")),
                _ => claimed = claimed.or(Some(wanted.doubted(ErrorKind::KeyMissing, "C_FindObjects"))),
            }
        }
        Err(claimed.unwrap_or_else(missing))
    }

    fn probe(&self, key: Key, auth: Auth<'_>, wanted: Wanted<'_>) -> Result<bool> {
        // Its identifier is the default one, which every mechanism that hashes knows.
        let mut tbs = ToBeSigned::over(wanted.tbs.suite, wanted.public, PROBE)?;
        tbs.message = Some(Arc::from(PROBE));
        let probe = Wanted { tbs: &tbs, ..wanted };
        let Some(octets) = self.sign_once(key, auth, probe)? else { return Ok(false) };
        Ok(probe.shaped(octets).is_ok_and(|signature| probe.is_right(&signature)))
    }

    /// How often the key wants its PIN. Most tokens show private keys after a login alone; then the answer is `Once`.
    fn wants(&self, public: &PublicKey) -> Result<Wants> {
        for candidate in pair::candidates(self.view(), public)? {
            if candidate.proof <= Proof::Linked && self.view().always_authenticates(candidate.key)? {
                return Ok(Wants::EachSignature);
            }
        }
        Ok(Wants::Once)
    }
}

fn missing() -> Error {
    Error::new(ErrorKind::KeyMissing, "C_FindObjects")
}

impl Token for Pkcs11Token {
    fn bound(&mut self, wait: &Wait) {
        self.wait = wait.clone();
    }

    fn slots(&mut self) -> Result<Vec<Slot>> {
        let mut slots: Vec<Slot> = Vec::new();
        self.notes.clear();
        self.certificates.clear();
        for object in self.view().certificates()? {
            let certificate = match object.certificate {
                Ok(certificate) => certificate,
                Err(error) => {
                    self.notes.push(error);
                    continue;
                }
            };
            let reference = CertRef(certificate.fingerprint().octets().to_vec());
            if slots.iter().any(|s| s.certificate == reference) {
                continue;
            }
            self.certificates.push((certificate.fingerprint(), object.handle));
            let (shown, wants, suites) = match certificate.key() {
                Ok(key) => (pair::shown(self.view(), key)?, self.wants(key)?, self.offer().suites(key.kind())?),
                Err(_) => (KeyShown::Untold, Wants::Once, Vec::new()),
            };
            slots.push(Slot {
                key: KeyRef(certificate.spki()?),
                certificate: reference,
                pin: self.pin.clone(),
                shown,
                wants,
                suites,
                label: object.label,
            });
        }
        Ok(slots)
    }

    fn notes(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.notes)
    }

    fn certificate(&mut self, of: &CertRef) -> Result<Vec<u8>> {
        let is_it = |fingerprint: Fingerprint| fingerprint.octets().as_slice() == of.0;
        if let Some((_, handle)) = self.certificates.iter().find(|(known, _)| is_it(*known))
            && let Some(object) = self.view().certificate(*handle)?
            && let Ok(certificate) = object.certificate
            && is_it(certificate.fingerprint())
        {
            return Ok(certificate.der().to_vec());
        }
        for object in self.view().certificates()? {
            let Ok(certificate) = object.certificate else { continue };
            if is_it(certificate.fingerprint()) {
                self.certificates.push((certificate.fingerprint(), object.handle));
                return Ok(certificate.der().to_vec());
            }
        }
        Err(Error::new(ErrorKind::CertificateChanged, "C_FindObjects"))
    }

    fn pin_state(&mut self, pin: &PinRef) -> Result<PinState> {
        self.check_pin(pin)?;
        let facts = self.module.facts(self.slot, &self.identity)?;
        let voice = self.voice();
        Ok(PinState {
            status: voice.status(&facts.info),
            open: self.login.is_open() && voice.is_user(),
            on_device: facts.info.protected_authentication_path(),
            in_doubt: false,
            form: PinForm::Sure,
            factory: None,
        })
    }

    fn login(&mut self, pin: &PinRef, auth: Auth<'_>) -> Result<()> {
        self.check_pin(pin)?;
        self.authenticate(auth)
    }

    fn sign(&mut self, key: &KeyRef, pin: &PinRef, auth: Auth<'_>, tbs: &ToBeSigned) -> Result<RawSignature> {
        self.check_pin(pin)?;
        let public = PublicKey::from_spki(&key.0)?;
        if !tbs.suite.fits(public.kind()) {
            let what = format!("{} with {}", tbs.suite, public.kind());
            return Err(Error::new(ErrorKind::KeyUnsuited, "C_SignInit").detail(what));
        }
        // Everything that can be refused without the PIN is refused before it is sent.
        mechanism::check_digest(tbs.suite, &tbs.digest)?;
        let wanted = Wanted { public: &public, tbs, way: self.offer().way(public.kind(), tbs)? };
        self.authenticate(auth)?;
        self.sign_with(key, wanted, auth)
    }

    fn pins(&mut self) -> Option<&mut dyn Pins> {
        Some(self)
    }
}

impl Drop for Pkcs11Token {
    /// Gives the share of the login back while the session is still open; the session closes after that.
    fn drop(&mut self) {
        self.give_back();
    }
}
