//! What a device keeps without power.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::crypto::{self, Algorithm, Usage};
use super::dialect::{Dialect, SYNO_2015};
use super::frame::{Id, is_name};
use super::octets::Octets;
use super::status::{Done, Sw};
use super::{DEVICE_KEY, Habits};

/// GM/T 0027-2014: no more wrong tries than these.
pub(super) const TRIES_MAX: u8 = 10;
/// Applications on one device.
const APPLICATIONS_MAX: usize = 8;
/// Octets of an application's or a file's name.
pub(super) const NAME_MAX: usize = 32;
/// Octets of a container's name (GM/T 0016-2012 §6).
pub(super) const CONTAINER_NAME_MAX: usize = 64;
/// Octets of label and serial number.
pub(super) const TEXT_MAX: usize = 32;
/// Octets of one certificate.
pub(super) const CERTIFICATE_MAX: usize = 8 * 1024;
/// Octets for certificates and files.
pub(super) const SPACE: usize = 256 * 1024;

/// A whole device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Device {
    pub(super) serial: String,
    pub(super) label: String,
    dialect: String,
    pub(super) habits: Habits,
    /// The device-authentication key.
    pub(super) key: Secret,
    #[serde(default, rename = "application", skip_serializing_if = "Vec::is_empty")]
    pub(super) applications: Vec<Application>,
}

/// A key or a PIN with its tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Secret {
    pub(super) value: Octets,
    pub(super) most: u8,
    pub(super) left: u8,
    /// Never changed since the factory.
    pub(super) first: bool,
}

/// Whose PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Admin,
    User,
}

/// One party's part of the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Application {
    pub(super) name: String,
    pub(super) id: Id,
    /// Who may create files.
    pub(super) rights: u32,
    pub(super) containers_max: u8,
    pub(super) certificates_max: u8,
    pub(super) files_max: u16,
    pub(super) admin: Secret,
    pub(super) user: Secret,
    #[serde(default, rename = "container", skip_serializing_if = "Vec::is_empty")]
    pub(super) containers: Vec<Container>,
    #[serde(default, rename = "file", skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<File>,
}

/// A place for two key pairs with their certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) id: Id,
    /// It says that it holds RSA keys, and does nothing with them.
    #[serde(default)]
    pub(super) rsa: bool,
    #[serde(default)]
    pub(super) signing: Half,
    #[serde(default)]
    pub(super) encryption: Half,
}

/// A key pair and its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Half {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) certificate: Option<Octets>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pair: Option<Pair>,
}

/// A private key. No command reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pair {
    pub(super) algorithm: Algorithm,
    pub(super) scalar: Octets,
}

/// A file of the card's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) read: u32,
    pub(super) write: u32,
    pub(super) content: Octets,
}

impl Device {
    /// As it leaves the factory.
    pub(super) fn blank(serial: &str) -> Self {
        Device {
            serial: serial.to_owned(),
            label: "shared shield in software".to_owned(),
            dialect: SYNO_2015.name.to_owned(),
            habits: Habits::default(),
            key: Secret::new(DEVICE_KEY, TRIES_MAX),
            applications: Vec::new(),
        }
    }

    /// A state that was read has one that is known ([`Device::fault`]).
    pub(super) fn dialect(&self) -> &'static Dialect {
        Dialect::named(&self.dialect).unwrap_or(&SYNO_2015)
    }

    pub(super) fn speak(&mut self, dialect: &Dialect) {
        dialect.name.clone_into(&mut self.dialect);
    }

    pub(super) fn application(&self, id: Id) -> Done<&Application> {
        self.applications.iter().find(|a| a.id == id).ok_or(Sw::APPLICATION_MISSING)
    }

    pub(super) fn application_mut(&mut self, id: Id) -> Done<&mut Application> {
        self.applications.iter_mut().find(|a| a.id == id).ok_or(Sw::APPLICATION_MISSING)
    }

    pub(super) fn named(&self, name: &str) -> Done<&Application> {
        self.applications.iter().find(|a| a.name == name).ok_or(Sw::APPLICATION_MISSING)
    }

    pub(super) fn add(&mut self, application: Application) -> Done<()> {
        if self.applications.iter().any(|a| a.name == application.name) {
            return Err(Sw::APPLICATION_EXISTS);
        }
        if self.applications.len() >= APPLICATIONS_MAX {
            return Err(Sw::NO_SPACE);
        }
        let id = free(0x1000, self.applications.iter().map(|a| a.id))?;
        self.applications.push(Application { id, ..application });
        Ok(())
    }

    /// Octets that are still free.
    pub(super) fn free(&self) -> usize {
        let certificate = |half: &Half| half.certificate.as_ref().map_or(0, Octets::len);
        let container = |c: &Container| certificate(&c.signing).saturating_add(certificate(&c.encryption));
        let used = |a: &Application| -> usize {
            let containers = a.containers.iter().map(container).fold(0, usize::saturating_add);
            a.files.iter().map(|f| f.content.len()).fold(containers, usize::saturating_add)
        };
        SPACE.saturating_sub(self.applications.iter().map(used).fold(0, usize::saturating_add))
    }

    /// What does not fit in a state that was read, in words for a person.
    pub(super) fn fault(&self) -> Option<&'static str> {
        if Dialect::named(&self.dialect).is_none() {
            return Some("a dialect that is not known");
        }
        if [&self.serial, &self.label].iter().any(|text| text.len() > TEXT_MAX) || !is_name(&self.serial) {
            return Some("a serial number or label that no device has");
        }
        if !are_names(self.applications.iter().map(|a| a.name.as_str()), NAME_MAX) {
            return Some("applications without a name, or two of one name");
        }
        if !self.key.is_sound(16, 16) {
            return Some("a device key that no device has");
        }
        let ids: BTreeSet<_> = self.applications.iter().map(|a| a.id).collect();
        if ids.len() != self.applications.len() {
            return Some("two applications of one number");
        }
        self.applications.iter().find_map(|application| {
            let files = are_names(application.files.iter().map(|f| f.name.as_str()), NAME_MAX);
            let containers = are_names(application.containers.iter().map(|c| c.name.as_str()), CONTAINER_NAME_MAX);
            let ids: BTreeSet<_> = application.containers.iter().map(|c| c.id).collect();
            if !files || !containers || ids.len() != application.containers.len() {
                return Some("files or containers without a name, or two of one");
            }
            if ![&application.admin, &application.user].iter().all(|pin| pin.is_sound(6, 16) && is_pin(pin.value.get()))
            {
                return Some("a PIN that no device takes");
            }
            let sound = |half: &Half| half.pair.as_ref().is_none_or(|pair| pair.point().is_some());
            let keys = application.containers.iter().all(|c| sound(&c.signing) && sound(&c.encryption));
            (!keys).then_some("a private key that is none")
        })
    }
}

impl Secret {
    pub(super) fn new(value: &[u8], tries: u8) -> Self {
        Secret { value: Octets::new(value), most: tries, left: tries, first: true }
    }

    fn is_sound(&self, shortest: usize, longest: usize) -> bool {
        (shortest..=longest).contains(&self.value.len())
            && (1..=TRIES_MAX).contains(&self.most)
            && self.left <= self.most
    }

    /// Another value, with all its tries.
    pub(super) fn set(&mut self, value: &[u8]) {
        (self.value, self.left, self.first) = (Octets::new(value), self.most, false);
    }
}

/// 6 to 16 printable ASCII characters.
pub(super) fn is_pin(pin: &[u8]) -> bool {
    (6..=16).contains(&pin.len()) && pin.iter().all(|octet| (0x20..0x7F).contains(octet))
}

impl Application {
    pub(super) fn secret(&self, who: Who) -> &Secret {
        match who {
            Who::Admin => &self.admin,
            Who::User => &self.user,
        }
    }

    pub(super) fn secret_mut(&mut self, who: Who) -> &mut Secret {
        match who {
            Who::Admin => &mut self.admin,
            Who::User => &mut self.user,
        }
    }

    pub(super) fn container(&self, id: Id) -> Done<&Container> {
        self.containers.iter().find(|c| c.id == id).ok_or(Sw::CONTAINER_ID)
    }

    pub(super) fn container_mut(&mut self, id: Id) -> Done<&mut Container> {
        self.containers.iter_mut().find(|c| c.id == id).ok_or(Sw::CONTAINER_ID)
    }

    pub(super) fn named(&self, name: &str) -> Done<&Container> {
        self.containers.iter().find(|c| c.name == name).ok_or(Sw::CONTAINER_NAME)
    }

    /// A new container, empty.
    pub(super) fn add(&mut self, name: &str, rsa: bool) -> Done<Id> {
        if self.containers.iter().any(|c| c.name == name) {
            return Err(Sw::CONTAINER_EXISTS);
        }
        if name.len() > CONTAINER_NAME_MAX {
            return Err(Sw::DATA_FIELD);
        }
        if self.containers.len() >= usize::from(self.containers_max) {
            return Err(Sw::NO_SPACE);
        }
        let id = free(0x3001, self.containers.iter().map(|c| c.id))?;
        let (signing, encryption) = Default::default();
        self.containers.push(Container { name: name.to_owned(), id, rsa, signing, encryption });
        Ok(id)
    }

    /// How many certificates it holds.
    pub(super) fn certificates(&self) -> usize {
        let halves = self.containers.iter().flat_map(|c| [&c.signing, &c.encryption]);
        halves.filter(|half| half.certificate.is_some()).count()
    }
}

/// Whether things can have these names.
fn are_names<'a>(mut names: impl Iterator<Item = &'a str>, most: usize) -> bool {
    let mut seen = BTreeSet::new();
    names.all(|name| is_name(name) && name.len() <= most && seen.insert(name))
}

/// The first number from `base` on that nobody has.
fn free(base: u16, taken: impl Iterator<Item = Id>) -> Done<Id> {
    let taken: BTreeSet<Id> = taken.collect();
    (base..=u16::MAX).map(u16::to_be_bytes).find(|id| !taken.contains(id)).ok_or(Sw::NO_SPACE)
}

impl Container {
    pub(super) fn half(&self, usage: Usage) -> &Half {
        match usage {
            Usage::Signing => &self.signing,
            Usage::Encryption => &self.encryption,
        }
    }

    pub(super) fn half_mut(&mut self, usage: Usage) -> &mut Half {
        match usage {
            Usage::Signing => &mut self.signing,
            Usage::Encryption => &mut self.encryption,
        }
    }

    /// The pair for this use. RSA is shown and never used.
    pub(super) fn pair(&self, usage: Usage) -> Done<&Pair> {
        if self.rsa {
            return Err(Sw::UNSUPPORTED);
        }
        self.half(usage).pair.as_ref().ok_or(Sw::NO_KEY_PAIR)
    }

    /// Puts a pair in. Both pairs of a container are of one kind.
    pub(super) fn put(&mut self, usage: Usage, pair: Pair) -> Done<()> {
        let other = match usage {
            Usage::Signing => &self.encryption,
            Usage::Encryption => &self.signing,
        };
        if self.rsa || other.pair.as_ref().is_some_and(|other| other.algorithm != pair.algorithm) {
            return Err(Sw::CONDITIONS);
        }
        self.half_mut(usage).pair = Some(pair);
        Ok(())
    }

    /// The type octet of GetContainerInfo: 0 empty, 1 RSA, 2 SM2; 50 is this simulator's P-256.
    pub(super) fn kind(&self) -> u8 {
        let pair = self.signing.pair.as_ref().or(self.encryption.pair.as_ref());
        match pair.map(|pair| pair.algorithm) {
            _ if self.rsa => 1,
            None => 0,
            Some(Algorithm::Sm2) => 2,
            Some(Algorithm::P256) => super::P256,
        }
    }
}

impl Pair {
    /// X and Y of the public key.
    pub(super) fn point(&self) -> Option<[u8; 64]> {
        crypto::point(self.algorithm, self.scalar.get())
    }
}
