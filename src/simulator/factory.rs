//! What a card office's machine does with a device before anybody has it. No PIN is asked here.

use std::fmt;

use crate::error::{Error, ErrorKind, Result, Status};
use crate::wait::lock;

use super::crypto::{self, Algorithm, Usage};
use super::device::{
    Application, CERTIFICATE_MAX, CONTAINER_NAME_MAX, Container, Device, NAME_MAX, Pair, Secret, TRIES_MAX, is_pin,
};
use super::frame::is_name;
use super::octets::Octets;
use super::status::{Done, Sw};
use super::{OPERATION, Simulator};

/// Containers, certificates and files of an application that is made here.
const CONTAINERS: u8 = 8;
const CERTIFICATES: u8 = 16;
const FILES: u16 = 32;
/// The user may create files.
const USER: u32 = 0x10;

/// An application as it is issued: one for each party.
#[derive(Clone, PartialEq, Eq)]
pub struct ApplicationSetup {
    /// Its name, up to 32 octets.
    pub name: String,
    /// The administrator's PIN, 6 to 16 printable ASCII characters: it unblocks the user's.
    pub admin_pin: String,
    /// Wrong entries of it until it is locked, 1 to 10.
    pub admin_tries: u8,
    /// The user's PIN, 6 to 16 printable ASCII characters.
    pub user_pin: String,
    /// Wrong entries of it until it is locked, 1 to 10.
    pub user_tries: u8,
}

/// Without the PINs.
impl fmt::Debug for ApplicationSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApplicationSetup").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Simulator {
    /// Changes the state, and names a refusal as a person would.
    pub(super) fn work<R>(&self, what: &str, change: impl FnOnce(&mut Device) -> Done<R>) -> Result<R> {
        lock(&self.card).change(change).map_err(|Sw(sw)| {
            let kind = match Sw(sw) {
                Sw::WRITE_FAILED => ErrorKind::StateFile,
                _ => ErrorKind::Argument,
            };
            Error::new(kind, OPERATION).status(Status::Sw(sw)).detail(what.to_owned())
        })
    }

    /// A new application with its two PINs.
    ///
    /// # Errors
    /// `NameLength` for a name of more than 32 octets, `PinLength` and `PinEncoding` for PINs that no device takes, `Argument` for tries out of
    /// range, a name that is taken and a device that is full; `StateFile` when the state cannot be written.
    pub fn create_application(&self, setup: &ApplicationSetup) -> Result<()> {
        check_name(&setup.name, NAME_MAX)?;
        let secret = |pin: &str, tries: u8| {
            if !(6..=16).contains(&pin.len()) {
                return Err(Error::new(ErrorKind::PinLength, OPERATION).detail("6 to 16 characters"));
            }
            if !is_pin(pin.as_bytes()) {
                return Err(Error::new(ErrorKind::PinEncoding, OPERATION));
            }
            if !(1..=TRIES_MAX).contains(&tries) {
                return Err(Error::new(ErrorKind::Argument, OPERATION).detail("1 to 10 tries"));
            }
            Ok(Secret::new(pin.as_bytes(), tries))
        };
        let application = Application {
            name: setup.name.clone(),
            id: [0; 2],
            rights: USER,
            containers_max: CONTAINERS,
            certificates_max: CERTIFICATES,
            files_max: FILES,
            admin: secret(&setup.admin_pin, setup.admin_tries)?,
            user: secret(&setup.user_pin, setup.user_tries)?,
            containers: Vec::new(),
            files: Vec::new(),
        };
        self.work(&setup.name, |device| device.add(application))
    }

    /// A new container, empty.
    ///
    /// # Errors
    /// `NameLength` for a name of more than 64 octets; `Argument` for an application that is not there, a name that is taken and an application that
    /// is full; `StateFile` when the state cannot be written.
    pub fn create_container(&self, application: &str, container: &str) -> Result<()> {
        self.container(application, container, false)
    }

    /// A container that says that it holds RSA keys, and does nothing: what a program for SM2 has to pass over.
    ///
    /// # Errors
    /// As [`Simulator::create_container`].
    pub fn create_rsa_container(&self, application: &str, container: &str) -> Result<()> {
        self.container(application, container, true)
    }

    fn container(&self, application: &str, container: &str, rsa: bool) -> Result<()> {
        check_name(container, CONTAINER_NAME_MAX)?;
        self.work(container, |device| {
            let id = device.named(application)?.id;
            device.application_mut(id)?.add(container, rsa).map(|_| ())
        })
    }

    /// A new signing pair, made inside, in place of the one that may be there: its public key as 04‖X‖Y.
    ///
    /// # Errors
    /// `Argument` for a container that is not there or has an encryption pair of another kind; `StateFile` when the state cannot be written.
    pub fn generate(&self, application: &str, container: &str, algorithm: Algorithm) -> Result<Vec<u8>> {
        let scalar = crypto::generate(algorithm);
        let scalar = scalar.ok_or_else(|| Error::new(ErrorKind::Defect, OPERATION).detail("no random"))?;
        self.import_key(application, container, Usage::Signing, algorithm, &scalar)
    }

    /// A private key from outside, a throw-away one, in place of the one that may be there: 32 octets, the highest first. Its public key as 04‖X‖Y.
    ///
    /// # Errors
    /// As [`Simulator::generate`]; `Argument` for octets that are no private key.
    pub fn import_key(
        &self,
        application: &str,
        container: &str,
        usage: Usage,
        algorithm: Algorithm,
        scalar: &[u8],
    ) -> Result<Vec<u8>> {
        let pair = Pair { algorithm, scalar: Octets::new(scalar) };
        let point = pair.point().filter(|_| crypto::sign(algorithm, scalar, &[1; 32]).is_some());
        let point = point.ok_or_else(|| Error::new(ErrorKind::Argument, OPERATION).detail("no private key"))?;
        self.at(application, container, |container| container.put(usage, pair))?;
        Ok([&[4][..], &point].concat())
    }

    /// A certificate, in place of the one that may be there. What it says is not looked at.
    ///
    /// # Errors
    /// `Argument` for a container that is not there and a certificate that is empty or of more than 8,192 octets; `StateFile` when the state cannot be
    /// written.
    pub fn import_certificate(&self, application: &str, container: &str, usage: Usage, der: &[u8]) -> Result<()> {
        if der.is_empty() || der.len() > CERTIFICATE_MAX {
            return Err(Error::new(ErrorKind::Argument, OPERATION).detail("no certificate for a device"));
        }
        self.at(application, container, |container| {
            container.half_mut(usage).certificate = Some(Octets::new(der));
            Ok(())
        })
    }

    fn at(&self, application: &str, name: &str, change: impl FnOnce(&mut Container) -> Done<()>) -> Result<()> {
        self.work(name, |device| {
            let id = device.named(application)?.id;
            let application = device.application_mut(id)?;
            let id = application.named(name)?.id;
            change(application.container_mut(id)?)
        })
    }
}

fn check_name(name: &str, most: usize) -> Result<()> {
    if name.len() > most {
        return Err(Error::new(ErrorKind::NameLength, OPERATION).detail(format!("at most {most} octets")));
    }
    if !is_name(name) {
        return Err(Error::new(ErrorKind::Argument, OPERATION).detail("no name for a device"));
    }
    Ok(())
}
