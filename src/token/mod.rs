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
#[cfg(all(test, any(feature = "piv", feature = "gm0017")))]
mod faults;
#[cfg(feature = "gm0017")]
pub mod gm0017;
mod insertion;
mod modules;
#[cfg(feature = "piv")]
mod piv;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
mod rules;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::apdu::Transmit;
use crate::error::Error;
use crate::error::Result;
use crate::link::Atr;
use crate::pin::Pin;
use crate::suite::{PublicKey, RawSignature, Suite, ToBeSigned};
use crate::tries::PinStatus;
use crate::wait::Wait;

pub use self::insertion::Insertion;
pub(crate) use self::insertion::Tries;
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

/// What a token tells, before a login, of the key that a certificate names. Certificates are public: whoever reaches a token may put a copy of
/// one on it, and a PIN that goes where a copy lies goes to somebody else's verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum KeyShown {
    /// The token's own word that the key is in it. Nobody can have it say that who merely reaches the token.
    Here,
    /// Nothing that can be relied upon.
    #[default]
    Untold,
    /// Another key is in the certificate's place, or none.
    Other,
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
    /// Whether the key is there, as far as the token tells before a login.
    pub shown: KeyShown,
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
    /// this process opened it, or stays for the next lease. What counts is what `keep` says then: a call that nobody waits for any more may end
    /// long after the batch that it was made for. Cards that end it by themselves do not listen.
    fn keep_login(&mut self, _keep: &Arc<AtomicBool>) {}

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

    /// The public key that the token itself shows for a key without a login; `None` where it shows none.
    ///
    /// # Errors
    /// What the token answers.
    fn shown_key(&mut self, _key: &KeyRef) -> Result<Option<PublicKey>> {
        Ok(None)
    }

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
