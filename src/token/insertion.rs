//! What is known of one insertion of a card, and of its PINs' tries over all of its insertions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::{CardRules, CertRef, Greeting};
use crate::link::Atr;
use crate::tries::PinStatus;
use crate::wait::lock;

/// What is known of one insertion of a card: it is filled by the first lease and gone when the card is pulled out. It never holds a PIN; what
/// other programs may change meanwhile, such as a selected application or the number of an open one, is not relied on where a PIN is sent.
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
    pub(super) gm0017: Mutex<super::gm0017::Memory>,
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
    /// Forms in which this card has accepted a PIN, by name.
    proven: BTreeSet<&'static str>,
    /// What the device does whenever it is asked.
    #[cfg(feature = "gm0017")]
    habits: super::gm0017::Habits,
    /// Logins that may be open on the card, by the octets of their [`super::PinRef`]. A connection that fails says nothing of the card's power, nor
    /// does one that looks like a reset, so they stay until they were ended. Which of them were left on purpose is known of an insertion alone.
    #[cfg(feature = "gm0017")]
    left: BTreeSet<Vec<u8>>,
    /// Those of them whose end the card refused, or was not reached with.
    #[cfg(feature = "gm0017")]
    unended: BTreeSet<Vec<u8>>,
}

#[cfg_attr(not(any(feature = "piv", feature = "gm0017")), allow(dead_code))]
impl Tries {
    /// The card was pulled out: without power no login is open on it.
    pub(crate) fn lost_power(&self) {
        #[cfg(feature = "gm0017")]
        {
            let mut memory = lock(&self.0);
            memory.left.clear();
            memory.unended.clear();
        }
    }

    /// Whether the end of a login was tried and did not come about.
    pub(crate) fn has_unended_login(&self) -> bool {
        #[cfg(feature = "gm0017")]
        return !lock(&self.0).unended.is_empty();
        #[cfg(not(feature = "gm0017"))]
        false
    }

    /// Whether a login may be open on the card.
    pub(crate) fn owes_login(&self) -> bool {
        #[cfg(feature = "gm0017")]
        return !lock(&self.0).left.is_empty();
        #[cfg(not(feature = "gm0017"))]
        false
    }
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

    /// A PIN in this form was accepted: the form is the right one.
    pub(crate) fn proved(&self, form: &'static str) {
        lock(&self.tries.0).proven.insert(form);
    }

    /// Whether that has happened since this process first saw the card.
    pub(crate) fn is_proven(&self, form: &'static str) -> bool {
        lock(&self.tries.0).proven.contains(form)
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

    /// All certificates that were read in this insertion.
    pub(super) fn certificates(&self) -> Vec<(CertRef, Arc<[u8]>)> {
        lock(&self.certificates).iter().map(|(of, der)| (CertRef(of.clone()), Arc::clone(der))).collect()
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
    pub(super) fn forget_certificates(&self) {
        lock(&self.certificates).clear();
    }

    /// The card was reset by somebody: what was open on it is closed, and every login is over.
    pub(crate) fn was_reset(&self) {
        #[cfg(feature = "gm0017")]
        lock(&self.gm0017).reset();
    }

    /// Whether a login may be open on the card that was not left for the next lease.
    pub(crate) fn owes_login(&self) -> bool {
        #[cfg(feature = "gm0017")]
        {
            let mut left = self.left(|left| left.clone());
            let memory = lock(&self.gm0017);
            left.retain(|pin| !memory.keeps(pin));
            !left.is_empty()
        }
        #[cfg(not(feature = "gm0017"))]
        false
    }

    /// Looks at, or adds to, the logins that may be open on the card.
    #[cfg(feature = "gm0017")]
    pub(super) fn left<R>(&self, look: impl FnOnce(&mut BTreeSet<Vec<u8>>) -> R) -> R {
        look(&mut lock(&self.tries.0).left)
    }

    /// Looks at, or adds to, the logins whose end was tried in vain.
    #[cfg(feature = "gm0017")]
    pub(super) fn unended<R>(&self, look: impl FnOnce(&mut BTreeSet<Vec<u8>>) -> R) -> R {
        look(&mut lock(&self.tries.0).unended)
    }

    /// Looks at, or adds to, what the device does whenever it is asked.
    #[cfg(feature = "gm0017")]
    pub(super) fn habits<R>(&self, look: impl FnOnce(&mut super::gm0017::Habits) -> R) -> R {
        look(&mut lock(&self.tries.0).habits)
    }
}
