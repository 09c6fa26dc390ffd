//! Which PIN opens what was found, and which copies of certificates lead nowhere.
//!
//! A certificate is public: a program that reaches one party's token or application may put the other party's certificate there. A PIN that went
//! wherever a copy lies would use up the wrong party's tries. So each way has the number of the PIN that opens it, ways of two numbers are never
//! taken for each other, and where a token itself shows that the key is in it, the copies elsewhere lead nowhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::join::{is_one_device, same_serial};
use super::survey::{Content, Seen};
use crate::cert::{Certificate, Fingerprint};
use crate::credential::{Reference, Route, Scope};
use crate::door::{DoorId, DoorInfo, Way};
use crate::error::{Error, ErrorKind};
use crate::profile::Profile;
use crate::token::{KeyShown, PinRef, Slot};

/// One PIN behind one door.
struct Verifier<'s> {
    seen: &'s Seen,
    pin: &'s PinRef,
}

impl Verifier<'_> {
    fn slots(&self) -> impl Iterator<Item = (&Slot, Fingerprint)> {
        let of_pin = |(slot, _): &&Content| slot.pin == *self.pin && slot.shown != KeyShown::Other;
        self.seen.contents.iter().filter(of_pin).map(|(slot, certificate)| (slot, certificate.fingerprint()))
    }

    fn holds(&self, of: Fingerprint) -> bool {
        self.slots().any(|(_, fingerprint)| fingerprint == of)
    }

    fn proves(&self, of: Fingerprint) -> bool {
        self.slots().any(|(slot, fingerprint)| fingerprint == of && slot.shown == KeyShown::Here)
    }

    /// Whether the other one, of a card with several PINs, holds what this card has only behind another of them.
    fn has_behind_another_pin(&self, other: &Verifier<'_>) -> bool {
        let is_there = |of, (slot, one): &Content| slot.shown != KeyShown::Other && one.fingerprint() == of;
        let elsewhere = |of: Fingerprint| self.seen.contents.iter().any(|content| is_there(of, content));
        other.slots().any(|(_, of)| !self.holds(of) && elsewhere(of))
    }

    /// Whether these two show one and the same key as theirs: a key that was made in a token is in no second one.
    fn is_surely(&self, other: &Verifier<'_>) -> bool {
        self.seen.source != other.seen.source && self.slots().any(|(_, of)| self.proves(of) && other.proves(of))
    }

    /// Whether these two, behind different doors, are checked by one and the same verifier, as far as can be told.
    fn may_be(&self, other: &Verifier<'_>, alike: &Alike<'_>) -> bool {
        if self.seen.source == other.seen.source {
            return false;
        }
        let (one, two) = (self.seen.door.info(), other.seen.door.info());
        // Two modules that call one device by two names may show one party's part of it each. But each driver words its labels in its own way.
        let by_modules = self.seen.door.way() == Way::Module && other.seen.door.way() == Way::Module;
        let is_alike = one.label == two.label || alike.are(self, other);
        is_one_device(one, two)
            && self.slots().any(|(_, of)| other.holds(of))
            && (!by_modules || is_alike)
            && !self.has_behind_another_pin(other)
            && !other.has_behind_another_pin(self)
    }
}

/// What is known of two modules' tokens from all that both show.
struct Alike<'s> {
    seen: Vec<&'s Seen>,
    /// Sources of which everything was read.
    whole: &'s BTreeSet<usize>,
}

impl Alike<'_> {
    /// Whether all that two modules show under one serial number pairs off, token for token, by the certificates on each, and these two are such a
    /// pair. Less proves nothing: what only one of them shows, or what could not be read, may be the token that is meant, and whoever writes to one
    /// token can make its certificates look like another's.
    fn are(&self, one: &Verifier<'_>, two: &Verifier<'_>) -> bool {
        let mine = held(one.seen);
        let pairs = || self.tokens(one).is_some_and(|all| self.tokens(two).is_some_and(|others| all == others));
        same_serial(one.seen.door.info(), two.seen.door.info()) && mine == held(two.seen) && pairs()
    }

    /// What each token of this one's source and serial number holds; `None` where that may not be all, or where two are not told apart by it.
    fn tokens(&self, of: &Verifier<'_>) -> Option<BTreeSet<BTreeSet<Fingerprint>>> {
        let is_beside = |s: &&&Seen| s.source == of.seen.source && same_serial(s.door.info(), of.seen.door.info());
        let all: BTreeSet<_> = self.seen.iter().filter(is_beside).map(|s| held(s)).collect();
        let is_known = self.whole.contains(&of.seen.source);
        (is_known && all.len() == self.seen.iter().filter(is_beside).count()).then_some(all)
    }
}

/// The certificates on a token whose key may be there.
fn held(seen: &Seen) -> BTreeSet<Fingerprint> {
    let here = |(slot, certificate): &Content| (slot.shown != KeyShown::Other).then(|| certificate.fingerprint());
    seen.contents.iter().filter_map(here).collect()
}

/// The number of each PIN.
pub(super) struct Scopes(Vec<(DoorId, PinRef, Scope)>);

impl Scopes {
    /// `whole` are the sources of which everything was read.
    pub(super) fn of<'s>(seen: impl IntoIterator<Item = &'s Seen>, whole: &'s BTreeSet<usize>) -> Self {
        let alike = Alike { seen: seen.into_iter().collect(), whole };
        let mut all: Vec<Verifier<'s>> = Vec::new();
        for seen in &alike.seen {
            for (slot, _) in &seen.contents {
                if !all.iter().any(|known| known.seen.door.id() == seen.door.id() && *known.pin == slot.pin) {
                    all.push(Verifier { seen, pin: &slot.pin });
                }
            }
        }
        // Of one that may be several things, none is known.
        let is_rival = |x: &Verifier<'_>, y: &Verifier<'_>| {
            let same_door = |z: &&Verifier<'_>| z.seen.door.id() == y.seen.door.id() && z.pin == y.pin;
            all.iter().filter(|z| z.seen.source == y.seen.source && !same_door(z)).any(|z| x.may_be(z, &alike))
        };
        let is_one = |x: &Verifier<'_>, y: &Verifier<'_>| {
            x.is_surely(y) || (x.may_be(y, &alike) && !is_rival(x, y) && !is_rival(y, x))
        };
        let mut groups: Vec<Vec<&Verifier<'_>>> = Vec::new();
        for one in &all {
            match groups.iter_mut().find(|group| group.iter().all(|other| is_one(one, other))) {
                Some(group) => group.push(one),
                None => groups.push(vec![one]),
            }
        }
        let number = |(number, group): (usize, Vec<&Verifier<'_>>)| {
            group.into_iter().map(move |v| (v.seen.door.id().clone(), v.pin.clone(), Scope(number))).collect::<Vec<_>>()
        };
        Scopes(groups.into_iter().enumerate().flat_map(number).collect())
    }

    /// The way through a door to what is in a slot. Every slot that was seen has a number.
    pub(super) fn route(&self, door: &DoorId, slot: Slot) -> Route {
        let known = self.0.iter().find(|(of, pin, _)| of == door && *pin == slot.pin);
        let scope = known.map_or(Scope(self.0.len()), |(_, _, scope)| *scope);
        Route { door: door.clone(), slot, scope }
    }

    /// Takes out the certificates whose key another place shows itself: copies, each with a note, and what may be that place by another driver.
    pub(super) fn drop_copies(&self, groups: &mut [Vec<Seen>], profile: &Profile) -> Dropped {
        let mut owners: Vec<Owner> = Vec::new();
        let mut inside: BTreeSet<(usize, Scope)> = BTreeSet::new();
        for seen in groups.iter().flatten() {
            for (slot, certificate) in &seen.contents {
                let route = self.route(seen.door.id(), slot.clone());
                inside.insert((seen.source, route.scope));
                if slot.shown == KeyShown::Here {
                    let (of, info) = (certificate.fingerprint(), seen.door.info().clone());
                    owners.push(Owner { of, route, info, source: seen.source });
                }
            }
        }
        let mut dropped = Dropped::default();
        for seen in groups.iter_mut().flatten() {
            let (door, source) = (Arc::clone(&seen.door), seen.source);
            seen.contents.retain(|(slot, certificate)| {
                let copy = self.route(door.id(), slot.clone());
                let mut owners = owners.iter().filter(|owner| owner.of == certificate.fingerprint());
                let Some(first) = owners.clone().next() else { return true };
                // That another key is there was said already.
                if slot.shown == KeyShown::Other || owners.clone().any(|owner| owner.route.scope == copy.scope) {
                    return true;
                }
                // Where one driver shows this place and the key's, they are two.
                let is_beside = |owner: &&Owner| {
                    inside.contains(&(source, owner.route.scope)) || inside.contains(&(owner.source, copy.scope))
                };
                let beside = owners.find(is_beside);
                match beside {
                    Some(owner) => dropped.notes.push(copied(certificate, &copy, (owner, CAN_GO), profile)),
                    None if is_one_device(door.info(), &first.info) => {
                        dropped.unsure.push((certificate.fingerprint(), copy.place()));
                    }
                    None => dropped.notes.push(copied(certificate, &copy, (first, MAY_GO), profile)),
                }
                false
            });
        }
        dropped
    }
}

/// A place that shows the key of a certificate.
struct Owner {
    of: Fingerprint,
    route: Route,
    info: DoorInfo,
    source: usize,
}

/// What was taken out.
#[derive(Default)]
pub(super) struct Dropped {
    /// Copies.
    pub(super) notes: Vec<Error>,
    /// Where a certificate is seen by another driver of what may be the same device: whether the PIN is the same one is not known.
    pub(super) unsure: Vec<(Fingerprint, String)>,
}

const CAN_GO: &str = "the copy is no way to it and can be removed";
/// Of a device that does not say that it is the same one, nor that it is another.
const MAY_GO: &str = "it is taken for a copy and no way to it; where that is another token, and not the same one by a second driver, it can be removed";

fn copied(certificate: &Certificate, copy: &Route, (owner, advice): (&Owner, &str), profile: &Profile) -> Error {
    let (label, there) = (certificate.label(), owner.route.place());
    let what = format!("{label} lies in {} too, and its key is in {there}: {advice}", copy.place());
    let error = Error::new(ErrorKind::KeyMismatch, "find key").detail(what);
    match profile.role_of(certificate) {
        Ok(role) => error.role(role),
        Err(_) => error,
    }
}

/// Leaves what a reference names: this certificate behind this door. Says where else it lies, if it is not there.
pub(super) fn limit(seen: &mut Vec<Seen>, reference: &Reference) -> Option<Error> {
    for door in seen.iter_mut() {
        door.contents.retain(|(_, certificate)| certificate.fingerprint() == reference.fingerprint());
    }
    seen.retain(|door| !door.contents.is_empty());
    let elsewhere: BTreeSet<String> = seen.iter().map(|s| s.door.id().without_label().to_string()).collect();
    seen.retain(|s| reference.names(s.door.id()));
    (seen.is_empty() && !elsewhere.is_empty()).then(|| {
        let places = elsewhere.into_iter().collect::<Vec<_>>().join(" and ");
        let what =
            format!("the certificate is not where its reference says, but in {places}, where another PIN may open");
        Error::new(ErrorKind::NoShield, "open by reference").detail(what)
    })
}

#[cfg(test)]
#[path = "scope_tests.rs"]
mod tests;
