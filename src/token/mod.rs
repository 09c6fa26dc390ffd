//! What a lease gives: slots, certificates, signatures. One folder for each kind of token.
//!
//! A token never opens a transaction, never sees a prompt and never knows a document.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

mod admin;
#[cfg(feature = "gm0017")]
pub mod gm0017;
mod modules;
#[cfg(feature = "piv")]
mod piv;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
mod rules;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::apdu::Transmit;
use crate::error::Error;
use crate::error::Result;
use crate::link::Atr;
use crate::pin::Pin;
use crate::suite::{RawSignature, Suite, ToBeSigned};
use crate::tries::PinStatus;
use crate::wait::{Wait, lock};

pub use self::modules::{ModuleRules, Sm2Input, Sm2Mechanism, Sm2Output, Sm2Rule, Sm2Table};
pub use self::rules::{CardRules, DialectRule};

pub use self::admin::{AdminAuth, ContentKey, Issuing, Opening, Pins, Place, Recipient, SessionKey};

/// The families of cards that are known, in the order in which they are asked.
pub static DRIVERS: &[&dyn Driver] = &[
    #[cfg(feature = "piv")]
    &piv::PIV,
    #[cfg(feature = "gm0017")]
    &gm0017::GM0017,
];

/// A family of cards. It is chosen by ATR first and by its application's AID last; one line in the registry each.
pub trait Driver: Send + Sync {
    /// Its name in door names and reports, such as `piv`.
    fn name(&self) -> &'static str;

    /// What the ATR says.
    fn fit(&self, atr: &Atr) -> Fit;

    /// Whether the application is on the card, and what it says of itself when it is asked. One command, nothing else.
    ///
    /// # Errors
    /// What the card answers, but for "no such application", which is `Ok(None)`.
    fn probe(&self, card: &mut dyn Transmit) -> Result<Option<Greeting>>;

    /// Who the card is: read without a PIN, once for an insertion. The application is selected already.
    ///
    /// # Errors
    /// What the card answers.
    fn identify(&self, card: &mut dyn Transmit, atr: &Atr, greeting: &Greeting) -> Result<CardId>;

    /// The token of a lease. `held` is the lease's port; dropping the token drops it and so ends the transaction. `selected`: the application
    /// was selected in this very transaction; otherwise it is selected now. `at` keeps what is known of this insertion between leases.
    ///
    /// # Errors
    /// `CardApplication` when the application is not there any more, and what the card answers.
    fn attach(&self, held: Box<dyn Transmit>, selected: bool, at: &Arc<Insertion>) -> Result<Box<dyn Token>>;
}

/// What a card answered to [`Driver::probe`]: its driver alone reads it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Greeting(pub(crate) Vec<u8>);

/// What an ATR says of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// The card is of another family.
    No,
    /// The ATR does not tell: the AID decides.
    Perhaps,
    /// The ATR is one of this family's.
    Yes,
}

/// Who a card is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CardId {
    /// Serial number in the text form that people and other software show. Not empty.
    pub serial: String,
    /// Label, where the card has one.
    pub label: String,
    /// Manufacturer, where the card tells.
    pub manufacturer: String,
    /// Model, with the firmware's version where the card tells.
    pub model: String,
}

/// What is known of one insertion of a card: it is filled by the first lease and gone when the card is pulled out. It never holds a PIN, a
/// login or a selected application, because other programs change those.
#[derive(Debug, Default)]
// Families of cards are features; without one nobody reads it.
#[cfg_attr(not(any(feature = "piv", feature = "gm0017")), allow(dead_code))]
pub struct Insertion {
    /// The card's ATR: it tells the makers whose cards deviate.
    pub(crate) atr: Atr,
    /// Names of the places that are looked at, such as `9A`; empty: those that the family looks at by itself.
    pub(crate) wanted: Vec<String>,
    /// What it said of itself when it was found.
    pub(crate) greeting: Greeting,
    /// What the profile says of cards.
    pub(crate) rules: Arc<CardRules>,
    certificates: Mutex<BTreeMap<Vec<u8>, Arc<[u8]>>>,
    /// What the device's numbers stand for.
    #[cfg(feature = "gm0017")]
    gm0017: Mutex<gm0017::Memory>,
    tries: Tries,
}

/// What is known of the tries of a card's PINs, over all of its insertions: the card keeps count while it is out.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(any(feature = "piv", feature = "gm0017")), allow(dead_code))]
pub(crate) struct Tries(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
#[cfg_attr(not(any(feature = "piv", feature = "gm0017")), allow(dead_code))]
struct Memory {
    /// By the octets of its [`PinRef`].
    pins: BTreeMap<Vec<u8>, Tried>,
    /// A PIN in the form that is used for this card was accepted by it.
    proven: bool,
    /// What the device does whenever it is asked.
    #[cfg(feature = "gm0017")]
    habits: gm0017::Habits,
}

#[derive(Debug, Default)]
struct Tried {
    /// The most that the card told of; 0 where it told nothing.
    most: u8,
    /// A PIN went out and its answer has not come: with fewer tries than these it was refused.
    unheard: Option<u8>,
    /// It was refused by a card that does not count for us, and not accepted since.
    refused: bool,
}

/// Cards count three tries or more, so fewer may be what earlier mistakes left of them.
const FULL: u8 = 3;

#[cfg_attr(not(any(feature = "piv", feature = "gm0017")), allow(dead_code))]
impl Insertion {
    /// One insertion of a card with this ATR, of which the places named in `wanted` are looked at; none named: all that the family knows.
    #[must_use]
    pub fn new(atr: Atr, wanted: Vec<String>) -> Self {
        Insertion { atr, wanted, ..Insertion::default() }
    }

    /// With what the card said when it was found.
    #[must_use]
    pub fn greeted(self, greeting: Greeting) -> Self {
        Insertion { greeting, ..self }
    }

    /// With what a profile says of cards.
    #[must_use]
    pub fn under(self, rules: &Arc<CardRules>) -> Self {
        Insertion { rules: Arc::clone(rules), ..self }
    }

    /// Of a card whose tries were seen before.
    pub(crate) fn with_tries(self, tries: &Tries) -> Self {
        Insertion { tries: tries.clone(), ..self }
    }

    /// For the next insertion of the same card.
    pub(crate) fn tries(&self) -> Tries {
        self.tries.clone()
    }

    /// The most tries of a PIN that were seen on this card: with fewer, somebody has entered a wrong one. 0 where none were seen.
    pub(crate) fn most_tries(&self, pin: &[u8]) -> u8 {
        self.of(pin, |tried| tried.most)
    }

    /// Tries that a card told.
    pub(crate) fn saw_tries(&self, pin: &[u8], tries: u8) {
        self.of(pin, |tried| tried.most = tried.most.max(tries));
    }

    /// A PIN goes out, while the card told of so many tries.
    pub(crate) fn sends(&self, pin: &[u8], before: PinStatus) {
        self.of(pin, |tried| {
            tried.unheard = Some(match (before, tried.most) {
                (PinStatus::Known(tries), _) => tries,
                // The right PIN is shown, so the counter is full: as full as it was ever seen.
                (PinStatus::AtLeast(_), most @ 1..) => most.max(FULL),
                // Nothing can show later that this try was not counted.
                _ => u8::MAX,
            });
        });
    }

    /// The answer came, or the card says that the right PIN was shown to it.
    pub(crate) fn heard(&self, pin: &[u8]) {
        self.of(pin, |tried| tried.unheard = None);
    }

    /// Whether the last PIN that went out may have been refused without anybody hearing of it.
    pub(crate) fn in_doubt(&self, pin: &[u8], now: PinStatus) -> bool {
        let counted = |before| !matches!(now, PinStatus::Known(tries) if tries >= before);
        self.of(pin, |tried| tried.unheard.is_some_and(counted))
    }

    fn of<R>(&self, pin: &[u8], look: impl FnOnce(&mut Tried) -> R) -> R {
        look(lock(&self.tries.0).pins.entry(pin.to_vec()).or_default())
    }

    /// A PIN in the form that is used for this card was accepted: the form is the right one.
    pub(crate) fn proved(&self) {
        lock(&self.tries.0).proven = true;
    }

    /// Whether that has happened since this process first saw the card.
    pub(crate) fn is_proven(&self) -> bool {
        lock(&self.tries.0).proven
    }

    /// Whether this PIN was refused by a card that does not tell its tries.
    pub(crate) fn was_refused(&self, pin: &[u8]) -> bool {
        self.of(pin, |tried| tried.refused)
    }

    /// A PIN was accepted, or refused without a word about its tries.
    pub(crate) fn saw_refusal(&self, pin: &[u8], refused: bool) {
        self.of(pin, |tried| tried.refused = refused);
    }

    /// A certificate that was read in this insertion.
    pub(crate) fn certificate(&self, of: &CertRef) -> Option<Arc<[u8]>> {
        lock(&self.certificates).get(&of.0).cloned()
    }

    /// Keeps a certificate that was read.
    pub(crate) fn keep(&self, of: &CertRef, der: &[u8]) {
        lock(&self.certificates).insert(of.0.clone(), Arc::from(der));
    }

    /// Forgets what was read: somebody wrote to the card, or a signature did not verify.
    pub(crate) fn forget(&self) {
        self.forget_certificates();
        #[cfg(feature = "gm0017")]
        lock(&self.gm0017).forget_numbers();
    }

    /// The part of [`Insertion::forget`] that is certificates.
    fn forget_certificates(&self) {
        lock(&self.certificates).clear();
    }

    /// The card was reset by somebody: what was open on it is closed, and every login is over.
    pub(crate) fn was_reset(&self) {
        #[cfg(feature = "gm0017")]
        lock(&self.gm0017).reset();
    }

    /// Looks at, or adds to, what the device does whenever it is asked.
    #[cfg(feature = "gm0017")]
    fn habits<R>(&self, look: impl FnOnce(&mut gm0017::Habits) -> R) -> R {
        look(&mut lock(&self.tries.0).habits)
    }
}

/// Names a private key inside its token; opaque, and still true after a re-plug.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRef(pub(crate) Vec<u8>);

/// Names a certificate inside its token; opaque.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CertRef(pub(crate) Vec<u8>);

/// Names a PIN's verifier inside its token. Equal means the same verifier: one PIN opens both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PinRef(pub(crate) Vec<u8>);

/// How often a key wants its PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wants {
    /// Once for a login.
    Once,
    /// Before each signature.
    EachSignature,
    /// A display and a button on the device.
    Confirm,
}

/// One certificate of a token with its key and PIN. `Debug` leaves the label out: it may hold a person's name.
#[derive(Clone)]
pub struct Slot {
    /// The key.
    pub key: KeyRef,
    /// The certificate.
    pub certificate: CertRef,
    /// The PIN that opens the key.
    pub pin: PinRef,
    /// How often the PIN is wanted, as far as the token tells before a login.
    pub wants: Wants,
    /// What the token signs with this key.
    pub suites: Vec<Suite>,
    /// The token's own name for it: it may break a tie, it never gives a role.
    pub label: String,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("wants", &self.wants).field("suites", &self.suites).finish_non_exhaustive()
    }
}

/// What opens the key.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Auth<'p> {
    /// The login of this very lease. Without one: `PinRequired`, and no PIN is sent.
    Held,
    /// A PIN that a person entered for this call. It is sent at most once as the user's; a key that wants its PIN for each signature
    /// gets it once more, after the first was accepted.
    Pin(&'p Pin),
    /// The accepted PIN of a batch: it joins the login that is open under it and opens none (`PinRequired` where there is none). It
    /// is sent only where the key wants its PIN for each signature, and only while no risk is seen.
    Shared(&'p Pin),
    /// Typed on the device itself.
    OnDevice,
}

impl fmt::Debug for Auth<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Auth::Held => "Held",
            Auth::Pin(_) => "Pin",
            Auth::Shared(_) => "Shared",
            Auth::OnDevice => "OnDevice",
        })
    }
}

/// What a token tells of a PIN without spending a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinState {
    /// Tries.
    pub status: PinStatus,
    /// A login of this process that came through this library is open now: a right PIN would share it and not be sent again.
    pub open: bool,
    /// The PIN is typed on the device (`CKF_PROTECTED_AUTHENTICATION_PATH`).
    pub on_device: bool,
    /// The last PIN that went out may have been refused without anybody hearing of it: the same one does not go again by itself.
    pub in_doubt: bool,
    /// How sure it is in which form this token takes a PIN.
    pub form: PinForm,
    /// Whether it is still the PIN that the maker set, which many know; `None` where the token does not tell.
    pub factory: Option<bool>,
}

/// How sure it is in which form a token takes a PIN. A form that is wrong costs a try like a wrong PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PinForm {
    /// The standard says it, or this token has accepted a PIN in it.
    #[default]
    Sure,
    /// The profile says it, and this token has never accepted a PIN in it as far as is known.
    Unproven {
        /// A person said that it may be tried ([`CardRules::try_unproven`]).
        allowed: bool,
    },
    /// Nobody says it: no PIN is sent.
    Unknown,
}

/// A token within a lease.
pub trait Token: Send {
    /// The bound of the call that follows: how long it may wait for a login of other threads. A lease says it before each call.
    fn bound(&mut self, _wait: &Wait) {}

    /// What becomes of the login at the end of the lease, where the card would keep it: it ends (`false`, as without this call), whoever of
    /// this process opened it, or stays for the next lease. Cards that end it by themselves do not listen.
    fn keep_login(&mut self, _keep: bool) {}

    /// Certificates with their keys. No certificate body is handed out here.
    ///
    /// # Errors
    /// What the token answers.
    fn slots(&mut self) -> Result<Vec<Slot>>;

    /// What the last [`Token::slots`] passed over, such as a certificate that cannot be read: each an error that hides nothing else.
    fn notes(&mut self) -> Vec<Error> {
        Vec::new()
    }

    /// A certificate in DER.
    ///
    /// # Errors
    /// `CertificateChanged` when it is not there any more.
    fn certificate(&mut self, of: &CertRef) -> Result<Vec<u8>>;

    /// Reads the state of a PIN. Costs no try and ends no login.
    ///
    /// # Errors
    /// What the token answers.
    fn pin_state(&mut self, pin: &PinRef) -> Result<PinState>;

    /// Checks a PIN; the login stays until the token is dropped. An unlock uses it, so that a wrong PIN shows at once.
    ///
    /// # Errors
    /// As [`Token::sign`].
    fn login(&mut self, pin: &PinRef, auth: Auth<'_>) -> Result<()>;

    /// Signs. With [`Auth::Pin`] the login and the signature are adjacent; the login stays until the token is dropped.
    ///
    /// # Errors
    /// `PinIncorrect`, `PinLocked`, `PinRequired`, `LoginHeldByHost`, `KeyMissing`, `TokenFailed`, ...
    fn sign(&mut self, key: &KeyRef, pin: &PinRef, auth: Auth<'_>, tbs: &ToBeSigned) -> Result<RawSignature>;

    /// The side that opens envelopes; `None` where the token has none.
    fn opening(&mut self) -> Option<&mut dyn Opening> {
        None
    }

    /// Changing and unblocking PINs; `None` where the token does not let us.
    fn pins(&mut self) -> Option<&mut dyn Pins> {
        None
    }

    /// Making keys and writing certificates; `None` where the token does not let us.
    fn issuing(&mut self) -> Option<&mut dyn Issuing> {
        None
    }
}
