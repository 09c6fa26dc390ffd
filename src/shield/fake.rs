//! A test double: a door whose token lies, hangs or forgets on request. For what no real module can be made to do.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::{Parts, Shield};
use crate::cert::Certificate;
use crate::credential::{Credential, Found, Route, Scope};
use crate::door::{Door, DoorId, DoorInfo, Lease, Way};
use crate::error::{Error, ErrorKind, Result};
use crate::profile::Profile;
use crate::role::Role;
use crate::suite::{RawSignature, Suite, ToBeSigned};
use crate::token::{Auth, CertRef, KeyRef, KeyShown, PinForm, PinRef, PinState, Slot, Token, Wants};
use crate::tries::PinStatus;
use crate::wait::{Clock, Wait, lock};

/// The one PIN that the fake accepts.
pub(crate) const PIN: &[u8] = b"246813579";

/// What the fake does, and what it has seen.
#[derive(Debug)]
pub(crate) struct Habits {
    pub(crate) verifies: AtomicU32,
    pub(crate) signatures: AtomicU32,
    pub(crate) leases: AtomicU32,
    /// The login ends with each lease, as on a card.
    pub(crate) forgets: AtomicBool,
    /// Counts how often the login was lost for everybody, in the middle of leases.
    pub(crate) epoch: AtomicU32,
    /// Accepts every PIN.
    pub(crate) accepts_any: AtomicBool,
    /// Refuses every PIN, as when somebody has changed it.
    pub(crate) refuses: AtomicBool,
    /// What a refusal is; the tries go down with a wrong PIN alone.
    pub(crate) refusal: Mutex<ErrorKind>,
    pub(crate) flips: AtomicBool,
    pub(crate) hangs: AtomicBool,
    pub(crate) status: Mutex<PinStatus>,
    /// The answer to the last PIN was lost.
    pub(crate) in_doubt: AtomicBool,
    pub(crate) logins: AtomicU32,
    /// Looks at the clock.
    pub(crate) looks: AtomicU32,
    /// How sure it is in which form the fake takes a PIN.
    pub(crate) form: Mutex<PinForm>,
    /// As a card that keeps its login: it is over at the end of a lease that was not told to keep it.
    pub(crate) keeps: AtomicBool,
    /// For whom the last lease kept it.
    pub(crate) kept_for: Mutex<Arc<AtomicBool>>,
    /// What it says of itself.
    pub(crate) manufacturer: Mutex<String>,
}

impl Default for Habits {
    fn default() -> Self {
        Habits {
            verifies: AtomicU32::new(0),
            signatures: AtomicU32::new(0),
            leases: AtomicU32::new(0),
            forgets: AtomicBool::new(false),
            epoch: AtomicU32::new(0),
            accepts_any: AtomicBool::new(false),
            refuses: AtomicBool::new(false),
            refusal: Mutex::new(ErrorKind::PinIncorrect),
            flips: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
            status: Mutex::new(PinStatus::Known(5)),
            in_doubt: AtomicBool::new(false),
            logins: AtomicU32::new(0),
            looks: AtomicU32::new(0),
            form: Mutex::new(PinForm::Sure),
            keeps: AtomicBool::new(false),
            kept_for: Mutex::default(),
            manufacturer: Mutex::new("fake".to_owned()),
        }
    }
}

impl Habits {
    /// The login is gone, as after a reset by another program.
    pub(crate) fn lose_login(&self) {
        self.logins.store(0, Ordering::SeqCst);
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn seen(counter: &AtomicU32) -> u32 {
        counter.load(Ordering::SeqCst)
    }
}

pub(crate) fn vector(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)).unwrap()
}

struct FakeToken {
    habits: Arc<Habits>,
    certificate: Vec<u8>,
    logged_in: bool,
    epoch: u32,
    keep: Arc<AtomicBool>,
}

impl FakeToken {
    fn may_sign(&mut self, auth: Auth<'_>) -> Result<()> {
        if self.logged_in && self.epoch == Habits::seen(&self.habits.epoch) {
            return Ok(());
        }
        self.give_back();
        if let Auth::Shared(_) = auth {
            let open = !self.habits.forgets.load(Ordering::SeqCst) && Habits::seen(&self.habits.logins) > 0;
            if open {
                self.enter();
                return Ok(());
            }
        }
        let Auth::Pin(pin) = auth else { return Err(Error::new(ErrorKind::PinRequired, "fake")) };
        if !self.habits.forgets.load(Ordering::SeqCst) && Habits::seen(&self.habits.logins) > 0 {
            self.enter();
            return Ok(());
        }
        self.habits.verifies.fetch_add(1, Ordering::SeqCst);
        let known = pin.expose() == PIN || self.habits.accepts_any.load(Ordering::SeqCst);
        if !known || self.habits.refuses.load(Ordering::SeqCst) {
            let kind = *lock(&self.habits.refusal);
            if kind != ErrorKind::PinIncorrect {
                return Err(Error::new(kind, "fake"));
            }
            *lock(&self.habits.status) = PinStatus::Known(4);
            return Err(Error::new(kind, "fake").tries(PinStatus::Known(4)));
        }
        self.enter();
        Ok(())
    }

    fn enter(&mut self) {
        self.logged_in = true;
        self.epoch = Habits::seen(&self.habits.epoch);
        self.habits.logins.fetch_add(1, Ordering::SeqCst);
    }

    /// Leaves the login, unless it was lost meanwhile for everybody.
    fn give_back(&mut self) {
        if std::mem::take(&mut self.logged_in) && self.epoch == Habits::seen(&self.habits.epoch) {
            self.habits.logins.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for FakeToken {
    fn drop(&mut self) {
        if !self.habits.keeps.load(Ordering::SeqCst) {
            self.give_back();
        } else if !self.keep.load(Ordering::SeqCst) {
            self.habits.lose_login();
        } else {
            *lock(&self.habits.kept_for) = Arc::clone(&self.keep);
        }
    }
}

impl Token for FakeToken {
    fn keep_login(&mut self, keep: &Arc<AtomicBool>) {
        self.keep = Arc::clone(keep);
    }

    fn slots(&mut self) -> Result<Vec<Slot>> {
        Ok(vec![slot()])
    }

    fn certificate(&mut self, _of: &CertRef) -> Result<Vec<u8>> {
        Ok(self.certificate.clone())
    }

    fn pin_state(&mut self, _pin: &PinRef) -> Result<PinState> {
        let open = !self.habits.forgets.load(Ordering::SeqCst) && Habits::seen(&self.habits.logins) > 0;
        let in_doubt = self.habits.in_doubt.load(Ordering::SeqCst);
        let form = *lock(&self.habits.form);
        Ok(PinState { status: *lock(&self.habits.status), open, on_device: false, in_doubt, form, factory: None })
    }

    fn login(&mut self, _pin: &PinRef, auth: Auth<'_>) -> Result<()> {
        self.may_sign(auth)
    }

    fn sign(&mut self, _key: &KeyRef, _pin: &PinRef, auth: Auth<'_>, tbs: &ToBeSigned) -> Result<RawSignature> {
        while self.habits.hangs.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.may_sign(auth)?;
        self.habits.signatures.fetch_add(1, Ordering::SeqCst);
        use rsa::pkcs8::DecodePrivateKey;
        let pem = String::from_utf8(vector("synthetic_rsa_throwaway.key")).unwrap();
        let key = rsa::RsaPrivateKey::from_pkcs8_pem(&pem).unwrap();
        let scheme = rsa::Pkcs1v15Sign::new::<sha2::Sha256>();
        let mut octets = key.sign(scheme, tbs.digest.octets()).unwrap();
        if self.habits.flips.load(Ordering::SeqCst) {
            octets[100] ^= 0x10;
        }
        RawSignature::new(tbs.suite, octets)
    }
}

fn slot() -> Slot {
    slot_of(Suite::RsaSha256)
}

fn slot_of(suite: Suite) -> Slot {
    Slot {
        key: KeyRef(vec![1]),
        certificate: CertRef(vec![1]),
        pin: PinRef(vec![1]),
        shown: KeyShown::Untold,
        wants: Wants::Once,
        suites: vec![suite],
        label: "fake".to_owned(),
    }
}

struct FakeDoor {
    id: DoorId,
    info: DoorInfo,
    habits: Arc<Habits>,
    certificate: Vec<u8>,
}

impl Door for FakeDoor {
    fn id(&self) -> &DoorId {
        &self.id
    }

    fn info(&self) -> &DoorInfo {
        &self.info
    }

    fn way(&self) -> Way {
        if self.habits.keeps.load(Ordering::SeqCst) { Way::Card } else { Way::Module }
    }

    fn owes_login(&self) -> bool {
        let keeps = self.habits.keeps.load(Ordering::SeqCst);
        let kept = lock(&self.habits.kept_for).load(Ordering::SeqCst);
        keeps && !kept && Habits::seen(&self.habits.logins) > 0
    }

    fn lease(&self, wait: &Wait) -> Result<Lease> {
        self.habits.leases.fetch_add(1, Ordering::SeqCst);
        let (habits, certificate) = (Arc::clone(&self.habits), self.certificate.clone());
        Lease::open("fake lease", wait, move || {
            Ok(Box::new(FakeToken { habits, certificate, logged_in: false, epoch: 0, keep: Arc::default() }))
        })
    }
}

/// 2027-01-01, as the vectors' index asks.
struct Counted(Arc<Habits>);

impl Clock for Counted {
    fn now(&self) -> SystemTime {
        self.0.looks.fetch_add(1, Ordering::SeqCst);
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_798_761_600)
    }
}

/// A shield with one fake door, and the credential of its one certificate.
pub(crate) fn shield(habits: &Arc<Habits>) -> (Shield, Credential) {
    shield_under(habits, Profile::builtin())
}

/// The same under a profile, which may give that certificate its role.
pub(crate) fn shield_under(habits: &Arc<Habits>, profile: Profile) -> (Shield, Credential) {
    shield_with(std::slice::from_ref(habits), profile)
}

/// The same with another certificate of the vectors; its token signs with RSA all the same.
pub(crate) fn shield_of(habits: &Arc<Habits>, certificate: &str, suite: Suite) -> (Shield, Credential) {
    made(std::slice::from_ref(habits), Profile::builtin(), (certificate, suite))
}

/// A shield whose one certificate is behind several doors, tried in this order.
pub(crate) fn shield_with(all: &[Arc<Habits>], profile: Profile) -> (Shield, Credential) {
    made(all, profile, ("synthetic_rsa_cert.pem", Suite::RsaSha256))
}

fn made(all: &[Arc<Habits>], profile: Profile, (certificate, suite): (&str, Suite)) -> (Shield, Credential) {
    let certificate = Arc::new(Certificate::from_pem(&vector(certificate)).unwrap());
    let text = || "fake".to_owned();
    let (mut doors, mut routes) = (Vec::<Arc<dyn Door>>::new(), Vec::new());
    for (index, habits) in all.iter().enumerate() {
        let id = DoorId(format!("fake{index}"));
        let info = DoorInfo {
            module: text(),
            label: text(),
            manufacturer: lock(&habits.manufacturer).clone(),
            model: text(),
            serial: text(),
            reader: String::new(),
            atr: None,
            dialect: String::new(),
        };
        routes.push(Route { door: id.clone(), slot: slot_of(suite), scope: Scope::default() });
        let der = certificate.der().to_vec();
        doors.push(Arc::new(FakeDoor { id, info, habits: Arc::clone(habits), certificate: der }));
    }
    let shield = Shield::new(Parts {
        serial: text(),
        doors,
        found: vec![Found {
            certificate: Arc::clone(&certificate),
            routes: routes.clone(),
            misplaced: Vec::new(),
            unsure: Vec::new(),
        }],
        profile: Arc::new(profile),
        clock: Arc::new(Counted(Arc::clone(&all[0]))),
        puks: Arc::default(),
    });
    let fingerprint = certificate.fingerprint();
    (shield, Credential { role: Role::Customs, fingerprint, certificate, routes })
}
