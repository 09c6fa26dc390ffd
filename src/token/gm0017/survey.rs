//! Which applications, containers and certificates there are. Everything is read without a PIN.

use super::application::{self, AppId};
use super::container::{self, Info, Kind};
use super::name::{Half, Name, Spot};
use super::pin::{self, Holder};
use super::token::GmToken;
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result, Status};
use crate::policy;
use crate::suite::{KeyKind, PublicKey};
use crate::token::{KeyShown, PinRef, Slot};

/// Whether an error speaks of one application or container alone: the next one may be well. Anything else ends the use of the card.
fn is_of_the_place(error: &Error) -> bool {
    use ErrorKind as K;
    matches!(
        error.kind(),
        K::TokenAnswer
            | K::CertificateMalformed
            | K::CertificateChanged
            | K::PinRequired
            | K::PinLocked
            | K::Unsupported
            | K::CardApplication
            | K::KeyMissing
            | K::KeyUnsuited
            | K::KeyMalformed
            | K::Argument
            | K::Busy
            // A length that speaks against the dialect, met in what this place holds.
            | K::DialectMissing
    )
}

impl GmToken {
    /// The certificate of a place, read once for an insertion; `None` where there is none.
    pub(super) fn read(&mut self, spot: &Spot) -> Result<Option<Certificate>> {
        let reference = spot.certificate();
        if let Some(der) = self.at.certificate(&reference) {
            return Certificate::from_der(&der).map(Some);
        }
        let order = self.form.order();
        let numbers = self.container(spot)?;
        let Some(der) = container::certificate(&mut self.card, numbers, spot.half, order)? else { return Ok(None) };
        let certificate = Certificate::from_der(&der)?;
        self.at.keep(&reference, &der);
        Ok(Some(certificate))
    }

    pub(super) fn survey(&mut self) -> Result<Vec<Slot>> {
        self.notes.clear();
        self.notes.extend(self.form.complaint("find dialect"));
        let mut found = Vec::new();
        let at = std::sync::Arc::clone(&self.at);
        // Places without a colon are those of other families of cards.
        let named: Vec<&String> = at.wanted.iter().filter(|wanted| wanted.contains(':')).collect();
        if named.is_empty() {
            for name in self.applications()? {
                let looked = self.look_into(&name, &mut found);
                self.noted(&name.label(), looked)?;
            }
            return Ok(found);
        }
        for label in named {
            let Some(spot) = Spot::from_label(label) else {
                let what =
                    "no place of a GM/T 0017 device: application:container, with :encryption behind it for that pair";
                self.notes.push(Error::new(ErrorKind::Argument, "find container").detail(what));
                continue;
            };
            let added = self.add(&spot, &mut found);
            self.noted(&spot.label(), added)?;
        }
        Ok(found)
    }

    /// An error of one place becomes a note.
    fn noted(&mut self, place: &str, outcome: Result<()>) -> Result<()> {
        match outcome {
            Err(error) if is_of_the_place(&error) && !self.card.has_failed() => {
                let what = error.what().map_or_else(String::new, |what| format!(": {what}"));
                self.notes.push(error.detail(format!("{place}{what}")));
                Ok(())
            }
            other => other,
        }
    }

    /// The applications that the profile names, or all.
    pub(super) fn applications(&mut self) -> Result<Vec<Name>> {
        let given = &self.at.rules.applications;
        if given.is_empty() {
            let (names, passed_over) = application::list(&mut self.card)?;
            if passed_over {
                self.notes.push(too_many("EnumApplication", "applications", policy::APPLICATIONS_MAX));
            }
            return Ok(names);
        }
        let given: Vec<_> = given.iter().map(|name| application::given(name, "OpenApplication")).collect();
        let mut names = Vec::new();
        for name in given {
            match name {
                Ok(name) => names.push(name),
                Err(error) => self.notes.push(error),
            }
        }
        Ok(names)
    }

    fn look_into(&mut self, name: &Name, found: &mut Vec<Slot>) -> Result<()> {
        let id = self.open(name)?;
        let (containers, passed_over) = container::list(&mut self.card, id)?;
        if passed_over {
            self.notes.push(too_many("EnumContainer", "containers", policy::CONTAINERS_MAX));
        }
        for container in containers {
            if found.len() >= policy::CONTAINERS_MAX {
                self.notes.push(too_many("EnumContainer", "containers", policy::CONTAINERS_MAX));
                break;
            }
            let spot = |half| Spot { application: name.clone(), container: container.clone(), half };
            let info = container::info(&mut self.card, id, &container);
            let added = info.and_then(|info| self.add_container(info, spot, found));
            self.noted(&spot(Half::Signing).label(), added)?;
        }
        Ok(())
    }

    fn add_container(&mut self, info: Info, spot: impl Fn(Half) -> Spot, found: &mut Vec<Slot>) -> Result<()> {
        const NAME: &str = "GetContainerInfo";
        match info.kind {
            Kind::Sm2 => {}
            Kind::P256 if self.info.has_p256(self.form.order()) => {}
            Kind::Empty => return Err(Error::new(ErrorKind::KeyMissing, NAME).detail("an empty container")),
            Kind::Rsa => return Err(Error::new(ErrorKind::KeyUnsuited, NAME).detail("a container of RSA keys")),
            Kind::P256 | Kind::Other(_) => {
                return Err(Error::new(ErrorKind::KeyUnsuited, NAME).detail("a container of an unknown type"));
            }
        }
        if !info.signing_certificate && !info.encryption_certificate {
            return Err(Error::new(ErrorKind::CertificateChanged, NAME).detail("a container without a certificate"));
        }
        for (there, half) in
            [(info.signing_certificate, Half::Signing), (info.encryption_certificate, Half::Encryption)]
        {
            if there {
                let (spot, outcome) = (spot(half), self.add(&spot(half), found));
                self.noted(&spot.label(), outcome)?;
            }
        }
        Ok(())
    }

    /// Whether the application that has this number is ours, as far as reading tells: one of the certificates that were read of ours is in it.
    /// Where none were read, it has our containers and as many tries. What cannot be read is not ours.
    pub(super) fn is_ours(&mut self, name: &Name, id: AppId) -> bool {
        let kept = self.at.certificates();
        let read = kept.iter().filter_map(|(of, der)| Some((Spot::of_certificate(of).ok()?, der)));
        let ours: Vec<_> = read.filter(|(spot, _)| spot.application == *name).collect();
        if !ours.is_empty() {
            let is_there = |found: Option<Vec<u8>>, der: &[u8]| found.is_some_and(|found| found == der);
            return ours.iter().any(|(spot, der)| self.found(spot, id).is_ok_and(|found| is_there(found, der)));
        }
        let Some((containers, most)) = self.memory(|memory| memory.marks(name)) else { return false };
        let there = container::list(&mut self.card, id).map_or_else(|_| Vec::new(), |(there, _)| there);
        let has_ours = containers.iter().all(|container| there.contains(container));
        has_ours && pin::info(&mut self.card, id, Holder::User).is_ok_and(|(_, full, _)| full == Some(most))
    }

    /// What is at a place within the application that has this number.
    fn found(&mut self, spot: &Spot, id: AppId) -> Result<Option<Vec<u8>>> {
        let order = self.form.order();
        let container = match self.memory(|memory| memory.container(&spot.application, &spot.container)) {
            Some(known) => known,
            None => container::open(&mut self.card, id, &spot.container)?,
        };
        container::certificate(&mut self.card, (id, container), spot.half, order)
    }

    /// Why a container shows no certificate.
    fn why_none(&mut self, spot: &Spot) -> Result<Error> {
        let id = self.open(&spot.application)?;
        Ok(match container::info(&mut self.card, id, &spot.container)?.kind {
            Kind::Empty => Error::new(ErrorKind::KeyMissing, "GetContainerInfo").detail("an empty container"),
            _ => Error::new(ErrorKind::CertificateChanged, "ExportCertificate").detail("no certificate"),
        })
    }

    /// Adds the slot of a place.
    fn add(&mut self, spot: &Spot, found: &mut Vec<Slot>) -> Result<()> {
        let Some(certificate) = self.read(spot)? else { return Err(self.why_none(spot)?) };
        let suites = match (certificate.key(), spot.half) {
            (Ok(key), Half::Signing) => {
                let suites = self.suites(key.kind());
                if suites.is_empty() {
                    let what = format!("the device signs with SM2 keys, and this one is {}", key.kind());
                    return Err(Error::new(ErrorKind::KeyUnsuited, "ExportCertificate").detail(what));
                }
                suites
            }
            _ => Vec::new(),
        };
        let shown = match certificate.key() {
            Ok(key) if !suites.is_empty() && !self.is_named_alone() => self.compare(spot, key)?,
            _ => KeyShown::Untold,
        };
        found.push(Slot {
            key: spot.key(),
            certificate: spot.certificate(),
            pin: PinRef(spot.application.octets().to_vec()),
            shown,
            wants: self.wants(),
            suites,
            label: spot.label(),
        });
        Ok(())
    }

    /// Whether the key of a place is the certificate's, as the device shows it without a PIN. Whoever has logged in to one application can import
    /// the certificate of another party there, and would get the PIN that is typed for it. A place that is named alone is not looked at: whoever
    /// named it says whose PIN goes there, and each command counts.
    fn compare(&mut self, spot: &Spot, key: &PublicKey) -> Result<KeyShown> {
        use ErrorKind as K;
        let mut shown = self.shown(spot, key.kind());
        if matches!(shown.as_ref().err().and_then(sw_of), Some(0x6A91 | 0x6A94)) && !self.card.has_failed() {
            // A number that has grown old: asked for anew, once.
            self.memory(|memory| memory.forget_container(&spot.application, &spot.container));
            shown = self.shown(spot, key.kind());
        }
        match shown {
            Ok(there) if there.point() == key.point() => Ok(KeyShown::Here),
            Ok(_) => {
                self.notes.push(other_key(spot));
                Ok(KeyShown::Other)
            }
            Err(error) if self.card.has_failed() => Err(error),
            // The place has no key at all (no key pair, GM/T 0017 §8.6). Other status words say nothing of the place.
            Err(error) if matches!(sw_of(&error), Some(0x6A95 | 0x6A9F)) => {
                self.noted(&spot.label(), Err(error))?;
                Ok(KeyShown::Other)
            }
            // The device does not show it, or not to everybody.
            Err(error) if matches!(error.kind(), K::Unsupported | K::PinRequired) => Ok(KeyShown::Untold),
            Err(error) => {
                self.noted(&spot.label(), Err(of_the_answer(error)))?;
                Ok(KeyShown::Untold)
            }
        }
    }

    fn is_named_alone(&self) -> bool {
        self.at.wanted.iter().filter(|wanted| wanted.contains(':')).count() == 1
    }

    /// ExportPublicKey of a place, for a certificate of this kind of key.
    pub(super) fn shown(&mut self, spot: &Spot, kind: KeyKind) -> Result<PublicKey> {
        let (numbers, order) = (self.container(spot)?, self.form.order());
        container::export_public_key(&mut self.card, numbers, (spot.half, kind), order)
    }
}

fn sw_of(error: &Error) -> Option<u16> {
    match error.raw_status() {
        Some(Status::Sw(sw)) => Some(*sw),
        _ => None,
    }
}

/// A device that goes on answering has not stopped, whatever its status word says: what it said is of this place.
fn of_the_answer(error: Error) -> Error {
    match error.raw_status() {
        Some(status @ Status::Sw(_)) if !is_of_the_place(&error) => {
            let answer = Error::new(ErrorKind::TokenAnswer, error.operation()).status(status.clone());
            error.what().map_or_else(|| answer.clone(), |what| answer.clone().detail(what))
        }
        _ => error,
    }
}

/// The certificate of a place is another key's.
fn other_key(spot: &Spot) -> Error {
    let what = format!("{}: the key there is another one than the certificate's, so it is no way to it", spot.label());
    Error::new(ErrorKind::KeyMismatch, "ExportPublicKey").detail(what)
}

fn too_many(operation: &'static str, what: &str, most: usize) -> Error {
    Error::new(ErrorKind::TokenAnswer, operation)
        .detail(format!("more {what} than {most}, or names that are too long: the others were not looked at"))
}
