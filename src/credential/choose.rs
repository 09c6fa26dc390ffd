//! How a role comes to its one certificate, and what is said of the others.
//!
//! Reasons are read by declarants: plain words, no holder's name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::{Found, Listed, Reference, Route, Scope, Selector, Standing};
use crate::cert::{Certificate, EportText, date, plain};
use crate::error::{Candidate, Error, ErrorKind};
use crate::profile::Profile;
use crate::role::Role;

/// What is asked for.
pub(super) struct Question<'a> {
    /// `None`: a list of everything.
    pub(super) role: Option<Role>,
    pub(super) selector: &'a Selector,
    pub(super) now: SystemTime,
    pub(super) outside_validity: bool,
}

/// One certificate and what became of it.
pub(super) struct Judged {
    pub(super) certificate: Arc<Certificate>,
    pub(super) routes: Vec<Route>,
    pub(super) standing: Standing,
    role: Option<Role>,
    reason: String,
    in_time: bool,
    is_over: bool,
    misplaced: Vec<String>,
    unsure: Vec<String>,
}

impl Judged {
    pub(super) fn listed(self) -> Listed {
        let fingerprint = self.certificate.fingerprint();
        Listed {
            references: self.routes.iter().map(|r| Reference::of(r, fingerprint)).collect(),
            doors: self.routes.iter().map(|r| r.door.clone()).collect(),
            certificate: self.certificate,
            role: self.role,
            standing: self.standing,
            reason: self.reason,
        }
    }

    /// The PINs that open it, as far as it is known where its key is.
    fn scopes(&self) -> BTreeSet<Scope> {
        self.routes.iter().map(|route| route.scope).collect()
    }

    fn places(&self) -> String {
        let mut places: Vec<String> = self.routes.iter().map(Route::place).collect();
        places.dedup();
        places.join(" and ")
    }

    /// Whether one driver shows it in places of several PINs: then it shows copies, and not one place in two ways.
    fn is_copied(&self) -> bool {
        let is_other = |a: &Route, b: &Route| a.scope != b.scope && a.door.is_of_one_driver(&b.door);
        self.routes.iter().any(|one| self.routes.iter().any(|other| is_other(one, other)))
    }

    fn set(&mut self, standing: Standing, reason: String) {
        (self.standing, self.reason) = (standing, reason);
    }
}

/// Looks at each certificate by itself. What nothing speaks against is left as `Serves`, for [`settle`].
pub(super) fn look(found: &[Found], profile: &Profile, question: &Question<'_>) -> Vec<Judged> {
    let found = merged(found);
    found
        .iter()
        .map(|one| {
            let certificate = &one.certificate;
            let given = profile.role_of(certificate);
            let (standing, reason) = obstacle(one, &found, &given, profile, question)
                .unwrap_or_else(|| (Standing::Serves, "nothing speaks against it".to_owned()));
            Judged {
                certificate: Arc::clone(certificate),
                routes: one.routes.clone(),
                standing,
                role: given.ok(),
                reason,
                in_time: certificate.check_time(question.now).is_ok(),
                is_over: certificate.not_after() < question.now,
                misplaced: one.misplaced.clone(),
                unsure: one.unsure.clone(),
            }
        })
        .collect()
}

/// One certificate that was found twice (on two doors, or twice on one token) is one certificate with all its routes.
fn merged(found: &[Found]) -> Vec<Found> {
    let mut places = BTreeMap::new();
    let mut whole: Vec<Found> = Vec::new();
    for one in found {
        let place = *places.entry(one.certificate.fingerprint()).or_insert(whole.len());
        match whole.get_mut(place) {
            Some(known) => {
                known.routes.extend(one.routes.iter().cloned());
                known.misplaced.extend(one.misplaced.iter().cloned());
                known.unsure.extend(one.unsure.iter().cloned());
            }
            None => whole.push(one.clone()),
        }
    }
    whole
}

/// The first thing that speaks against a certificate. Time comes last: who reads "expired" knows that all else is right.
fn obstacle(
    one: &Found,
    shield: &[Found],
    given: &Result<Role, String>,
    profile: &Profile,
    question: &Question<'_>,
) -> Option<(Standing, String)> {
    let certificate = &one.certificate;
    let because = |standing, reason: &str| Some((standing, reason.to_owned()));
    if certificate.is_encryption() {
        return because(Standing::Encryption, "it is for encryption; the certificate that signs is another");
    }
    if certificate.may_sign() == Some(false) {
        return because(Standing::NotForSigning, "its key usage does not allow signatures");
    }
    // What a verifier calls wrong is not signed with (verify::trust).
    if certificate.signs_no_documents() {
        return because(Standing::NotForSigning, "its critical extended key usage is for no documents");
    }
    if certificate.is_ca() && !profile.allows_ca(certificate) {
        return because(
            Standing::NotForSigning,
            "it is a certificate of an authority, which issues others and signs no documents",
        );
    }
    let role = match given {
        Ok(role) => *role,
        Err(why) => return because(Standing::NoRole, why),
    };
    if question.role.is_some_and(|asked| asked != role) {
        return Some((Standing::OtherRole, format!("it is a {role} certificate")));
    }
    if certificate.key().is_err() {
        return because(Standing::NotForSigning, "its key is of a kind that this program does not know");
    }
    match (one.routes.as_slice(), one.misplaced.as_slice()) {
        ([], []) => return because(Standing::KeyMissing, "its private key is not on the token"),
        ([], places) => {
            return Some((Standing::KeyMissing, format!("{} holds no key of it", places.join(" and "))));
        }
        _ => {}
    }
    if let Some(other) = mismatch(question.selector, certificate, role, shield, profile) {
        return Some((Standing::NotSelected, other));
    }
    if question.outside_validity {
        return None;
    }
    let error = certificate.check_time(question.now).err()?;
    let reason = match error.kind() {
        ErrorKind::CertificateNotYetValid => format!("it is valid only from {}", date(certificate.not_before())),
        _ => format!("it expired on {}", date(certificate.not_after())),
    };
    Some((Standing::OutsideValidity, reason))
}

/// Why a selector does not mean this certificate.
fn mismatch(
    selector: &Selector,
    certificate: &Certificate,
    role: Role,
    shield: &[Found],
    profile: &Profile,
) -> Option<String> {
    if selector.fingerprint.is_some_and(|f| f != certificate.fingerprint()) {
        return Some("another certificate was asked for by its fingerprint".to_owned());
    }
    let code = selector.entity_code.as_deref().map(str::trim);
    let card = selector.card_number.as_deref().map(|c| c.trim().trim_start_matches("03-"));
    let is = |asked: Option<&str>, text: &Option<EportText>| {
        asked.is_none_or(|a| text.as_ref().is_some_and(|t| t.text.trim().eq_ignore_ascii_case(a)))
    };
    let fits = |c: &Certificate| {
        c.eport().map_or((code.is_none(), card.is_none()), |f| (is(code, &f.entity_code), is(card, &f.card_number)))
    };
    let customs = |f: &Found| profile.role_of(&f.certificate) == Ok(Role::Customs);
    let nameless = role != Role::Customs && certificate.eport().is_none();
    if nameless && shield.iter().any(|f| customs(f) && fits(&f.certificate) == (true, true)) {
        return None;
    }
    match fits(certificate) {
        (true, true) => None,
        _ if nameless => {
            Some("no customs certificate beside it has the unit code and card number that were asked for".to_owned())
        }
        (false, _) => Some("another unit code was asked for".to_owned()),
        (_, false) => Some("another card number was asked for".to_owned()),
    }
}

/// Among the certificates of one role that nothing speaks against: later ones take the place of earlier ones of the same
/// holder, organisation and card that the same PIN opens; what is left must be one, and one PIN must open it.
///
/// Certificates are public, and nobody checks issuers here: what lies under another PIN may be a copy or a forgery that somebody put there to get
/// the PIN of this role. So no certificate comes to serve by being newer than one elsewhere, nor by another one's end.
pub(super) fn settle(judged: &mut [Judged], role: Role, profile: &Profile) {
    let open = |j: &Judged| j.standing == Standing::Serves && j.role == Some(role);
    // Under `outside_validity` a valid one still goes before one that is not yet.
    let rank = |j: &Judged| (j.in_time, j.certificate.not_before());
    let superseded: Vec<Option<SystemTime>> = judged
        .iter()
        .map(|mine| {
            let later = |j: &&Judged| {
                let is_alike = same_holder(&j.certificate, &mine.certificate) && j.scopes() == mine.scopes();
                open(j) && is_alike && rank(j) > rank(mine)
            };
            let latest = judged.iter().filter(|_| open(mine)).filter(later).max_by_key(|j| rank(j));
            latest.map(|j| j.certificate.not_before())
        })
        .collect();
    for (mine, by) in judged.iter_mut().zip(superseded) {
        if let Some(since) = by {
            let reason = format!("a newer certificate of the same holder, from {}, serves in its place", date(since));
            mine.set(Standing::Superseded, reason);
        }
    }
    let over = |j: &&Judged| j.standing == Standing::OutsideValidity && j.is_over && j.role == Some(role);
    let over: Vec<(BTreeSet<Scope>, String)> = judged.iter().filter(over).map(|j| (j.scopes(), j.places())).collect();
    let mut left: Vec<&mut Judged> = judged.iter_mut().filter(|j| open(j)).collect();
    if left.len() > 1 {
        break_tie(&mut left, profile.label(role));
    }
    for one in left.iter_mut().filter(|j| j.standing == Standing::Serves) {
        if let Some(doubt) = in_doubt(one, &over, profile.label(role)) {
            one.set(Standing::Several, doubt);
            continue;
        }
        one.reason = match one.in_time {
            true => format!("it serves as {role} certificate"),
            false => format!("it serves as {role} certificate although it is outside its validity, as was asked for"),
        };
        if !one.unsure.is_empty() {
            let seen = one.unsure.join(" and ");
            one.reason.push_str(&format!(
                "; it is seen through {seen} too, and whether the same PIN opens both is not known, so that way is not used: to use it, name its driver \
                 alone, or its place (--credential)"
            ));
        }
    }
}

/// Why it is not known which PIN belongs to the one certificate that is left.
fn in_doubt(one: &Judged, over: &[(BTreeSet<Scope>, String)], label: Option<&str>) -> Option<String> {
    let scopes = one.scopes();
    if scopes.len() > 1 && !one.is_copied() {
        return Some(format!(
            "it is seen through {}, and whether one PIN opens both is not known: name one driver alone, or the right place (--credential); where these \
             are two tokens, remove the copy from the one that has not its key",
            one.places()
        ));
    }
    if scopes.len() > 1 {
        return Some(format!(
            "it lies in {}, where different PINs may open, and nothing shows where its key is: remove the copy, or name the right place (--credential)",
            one.places()
        ));
    }
    let (_, elsewhere) = over.iter().find(|(other, _)| !other.is_subset(&scopes)).filter(|_| !wears(one, label))?;
    Some(format!(
        "it lies in {}, and one that has expired in {elsewhere}, where another PIN opens: remove the one that is not wanted, or choose by fingerprint \
         or place (--credential)",
        one.places()
    ))
}

fn wears(one: &Judged, label: Option<&str>) -> bool {
    one.routes.iter().any(|r| Some(r.slot.label.trim()) == label.map(str::trim))
}

/// A label chooses among certificates that the rules accept, if it chooses exactly one.
fn break_tie(left: &mut [&mut Judged], label: Option<&str>) {
    let chosen = left.iter().filter(|j| wears(j, label)).count() == 1;
    let twins: Vec<bool> = left
        .iter()
        .map(|one| {
            let is_twin = |other: &&mut Judged| {
                other.scopes() != one.scopes() && same_holder(&other.certificate, &one.certificate)
            };
            left.iter().any(is_twin)
        })
        .collect();
    for (one, is_twin) in left.iter_mut().zip(twins) {
        match (chosen, wears(one, label)) {
            (true, true) => {}
            (true, false) => one.set(Standing::Superseded, "the profile's label chooses another".to_owned()),
            (false, _) if is_twin => {
                let reason = format!(
                    "it lies in {}, and another of the same holder where another PIN opens ({}): remove the one that is not wanted, or choose by \
                     fingerprint or place (--credential)",
                    one.places(),
                    features(&one.certificate)
                );
                one.set(Standing::Several, reason);
            }
            (false, _) => {
                let reason = format!("it fits, and so does another ({})", features(&one.certificate));
                one.set(Standing::Several, reason);
            }
        }
    }
}

/// Same holder, organisation and card. A certificate that names no holder is like no other.
fn same_holder(a: &Certificate, b: &Certificate) -> bool {
    let text = |t: &Option<EportText>| t.as_ref().map(|t| t.text.clone());
    let unit = |c: &Certificate| c.eport().map(|f| (text(&f.entity_code), text(&f.entity_name), text(&f.card_number)));
    !a.subject().is_empty() && a.subject() == b.subject() && unit(a) == unit(b)
}

/// What tells certificates apart without naming a person.
fn features(certificate: &Certificate) -> String {
    let fields = certificate.eport();
    let code = fields.and_then(|f| f.entity_code.as_ref()).map(|t| format!("unit code {}, ", plain(&t.text, 32)));
    let card = fields.and_then(|f| f.card_number.as_ref()).map(|t| format!("card {}, ", plain(&t.text, 32)));
    let until = date(certificate.not_after());
    format!("{}{}valid until {until}", code.unwrap_or_default(), card.unwrap_or_default())
}

/// Why no certificate serves: the one reason that stands in the way, where there is one, and every certificate with its own.
pub(super) fn refusal(role: Role, judged: &[Judged], now: SystemTime) -> Error {
    let with = |standing| judged.iter().filter(move |j| j.role == Some(role) && j.standing == standing);
    let early = || with(Standing::OutsideValidity).map(|j| j.certificate.not_before()).filter(|from| now < *from);
    let late = with(Standing::OutsideValidity).map(|j| j.certificate.not_after()).max();
    let (several, keyless) = (with(Standing::Several).next().is_some(), with(Standing::KeyMissing).next().is_some());
    let misplaced = with(Standing::KeyMissing).find(|j| !j.misplaced.is_empty());
    // One certificate alone: neither its fingerprint nor what it says chooses.
    let in_doubt = with(Standing::Several).find(|j| j.scopes().len() > 1);
    let (kind, detail) = match (several, keyless, early().min(), late) {
        (true, ..) => (ErrorKind::SeveralCredentials, in_doubt.map(|j| j.reason.clone())),
        (_, false, Some(from), _) => (ErrorKind::CertificateNotYetValid, Some(format!("from {}", date(from)))),
        (_, false, None, Some(end)) => (ErrorKind::CertificateExpired, Some(format!("since {}", date(end)))),
        (_, true, _, None) => match misplaced {
            Some(one) => (ErrorKind::KeyMismatch, Some(one.reason.clone())),
            None => (ErrorKind::KeyMissing, None),
        },
        _ => (ErrorKind::NoCredential, None),
    };
    let candidates = judged.iter().map(|j| Candidate {
        label: j.certificate.label(),
        fingerprint: j.certificate.fingerprint().to_string(),
        reason: j.reason.clone(),
    });
    let error = Error::new(kind, "choose certificate").role(role).candidates(candidates.collect());
    match detail {
        Some(detail) => error.detail(detail),
        None => error,
    }
}

#[cfg(test)]
#[path = "scope_tests.rs"]
mod scope_tests;
#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
