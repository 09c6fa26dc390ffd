//! Making keys and writing certificates (GM/T 0017 §9.5, §9.6). All of it wants the user's login: on these devices whoever may sign may issue.

use super::application::AppId;
use super::container::{self, BITS, ContainerId, Kind, P256};
use super::enveloped::EnvelopedKey;
use super::frame::{self, Fields};
use super::name::{Half, Spot};
use super::pin;
use super::token::GmToken;
use crate::apdu::Expect;
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::pin::Pin;
use crate::policy;
use crate::suite::{KeyKind, PublicKey, Suite};
use crate::token::{AdminAuth, Issuing, Place};

const GENERATE: &str = "GenECCKeyPair";
const IMPORT: &str = "ImportCertificate";

/// The place of a signing pair, whether there is such a container or not: `generate` makes it.
///
/// # Errors
/// `NameLength`.
pub fn place(application: &str, container: &str) -> Result<Place> {
    spot(application, container, Half::Signing).map(|spot| spot.place(false))
}

/// The place of the encryption pair of a container.
///
/// # Errors
/// `NameLength`.
pub fn encryption_place(application: &str, container: &str) -> Result<Place> {
    spot(application, container, Half::Encryption).map(|spot| spot.place(false))
}

fn spot(application: &str, container: &str, half: Half) -> Result<Spot> {
    let [application, container] =
        [application, container].map(|name| super::application::given(name, "find container"));
    Ok(Spot { application: application?, container: container?, half })
}

/// The user PIN that entitles.
fn user_pin<'a>(by: AdminAuth<'a>, name: &'static str) -> Result<&'a Pin> {
    match by {
        AdminAuth::Pin(pin) => Ok(pin),
        AdminAuth::Key(_) => {
            Err(Error::new(ErrorKind::AdminKey, name).detail("the application's user PIN entitles to it"))
        }
    }
}

impl GmToken {
    /// Logs in for writing. Nobody is asked here, so the last try is not spent.
    fn log_in_to_write(&mut self, spot: &Spot, pin: &Pin) -> Result<()> {
        self.look(&spot.application)?.refuse_last_try()?;
        self.verify(&spot.application, pin)
    }

    /// Everything that is refused without a login, before it.
    fn check_to_write(&self, pin: &Pin, name: &'static str) -> Result<()> {
        super::crypto::check(pin)?;
        self.form.dialect(name).map(drop)
    }

    /// The public key of a half, and the numbers under which it is there.
    fn exported(&mut self, spot: &Spot) -> Result<(PublicKey, (AppId, ContainerId))> {
        let id = self.open(&spot.application)?;
        let kind = match container::info(&mut self.card, id, &spot.container)?.kind {
            Kind::Sm2 => KeyKind::Sm2,
            Kind::P256 if self.info.has_p256(self.form.order()) => KeyKind::P256,
            Kind::Empty => {
                return Err(Error::new(ErrorKind::KeyMissing, "GetContainerInfo").detail("an empty container"));
            }
            _ => {
                return Err(
                    Error::new(ErrorKind::KeyUnsuited, "GetContainerInfo").detail("not a container of SM2 keys")
                );
            }
        };
        let (numbers, order) = (self.container_to_write(spot)?, self.form.order());
        let key = container::export_public_key(&mut self.card, numbers, (spot.half, kind), order)?;
        Ok((key, numbers))
    }

    fn is_taken(&mut self, spot: &Spot) -> Result<bool> {
        let id = self.open(&spot.application)?;
        match container::info(&mut self.card, id, &spot.container) {
            Ok(info) => Ok(info.kind != Kind::Empty || info.signing_certificate || info.encryption_certificate),
            Err(error) if error.kind() == ErrorKind::KeyMissing => Ok(false),
            Err(error) if self.card.has_failed() => Err(error),
            // What cannot be read is not free.
            Err(_) => Ok(true),
        }
    }

    fn spots(&mut self) -> Result<Vec<Spot>> {
        let mut spots: Vec<Spot> = self.at.wanted.iter().filter_map(|label| Spot::from_label(label)).collect();
        spots.retain(|spot| spot.half == Half::Signing);
        if !spots.is_empty() {
            return Ok(spots);
        }
        for application in self.applications()? {
            let id = self.open(&application)?;
            for container in container::list(&mut self.card, id)?.0 {
                spots.push(Spot { application: application.clone(), container, half: Half::Signing });
            }
        }
        spots.truncate(policy::CONTAINERS_MAX);
        Ok(spots)
    }
}

impl Issuing for GmToken {
    fn places(&mut self) -> Result<Vec<Place>> {
        let spots = self.spots()?;
        spots.iter().map(|spot| Ok(spot.place(self.is_taken(spot)?))).collect()
    }

    /// AppID, ContainerID, bits4; the answer is X and Y. A container that is not there is created.
    fn generate(&mut self, at: &Place, suite: Suite, by: AdminAuth<'_>) -> Result<PublicKey> {
        let (spot, pin) = (Spot::of_key(&at.key)?, user_pin(by, GENERATE)?);
        let (kind, p2) = match suite {
            Suite::Sm2Sm3 => (KeyKind::Sm2, 0),
            Suite::P256Sha256 if self.info.has_p256(self.form.order()) => (KeyKind::P256, P256),
            other => {
                return Err(Error::new(ErrorKind::Unsupported, GENERATE).detail(format!("the device has no {other}")));
            }
        };
        if spot.half != Half::Signing {
            return Err(Error::new(ErrorKind::Unsupported, GENERATE).detail("an encryption pair is made by the CA"));
        }
        self.check_to_write(pin, GENERATE)?;
        let order = self.form.dialect(GENERATE)?.order;
        let there = match self.container_to_write(&spot) {
            Ok(numbers) => Some(numbers),
            Err(error) if error.kind() == ErrorKind::KeyMissing => None,
            Err(error) => return Err(error),
        };
        self.log_in_to_write(&spot, pin)?;
        // Whatever comes, what was read may not be true any more.
        self.at.forget_certificates();
        let numbers = match there {
            Some(numbers) => numbers,
            None => self.create(&spot)?,
        };
        let data = [&container::both(numbers.0, numbers.1), &order.word(BITS)[..]].concat();
        let command = frame::command(GENERATE, 0x70, 0, p2).data(&data).expect(Expect::Exactly(64));
        let answer = frame::run(&mut self.card, &command)?;
        let mut fields = Fields::of(&answer, GENERATE);
        let point = fields.take()?;
        fields.end()?;
        container::public_key(kind, &point, GENERATE)
    }

    /// AppID, ContainerID, type1, len4, DER. The certificate's key has to be the container's.
    fn import_certificate(&mut self, of: &Place, der: &[u8], by: AdminAuth<'_>) -> Result<()> {
        let (spot, pin) = (Spot::of_certificate(&of.certificate)?, user_pin(by, IMPORT)?);
        if der.len() > policy::CERTIFICATE_MAX {
            return Err(Error::new(ErrorKind::CertificateMalformed, IMPORT)
                .detail(format!("more than {} octets", policy::CERTIFICATE_MAX)));
        }
        let certificate = Certificate::from_der(der)?;
        self.check_to_write(pin, IMPORT)?;
        let order = self.form.dialect(IMPORT)?.order;
        let (key, (application, container)) = self.exported(&spot)?;
        if !certificate.key().is_ok_and(|of| of.kind() == key.kind() && of.point() == key.point()) {
            return Err(Error::new(ErrorKind::KeyMismatch, IMPORT)
                .detail(format!("the certificate is of another key than the one in {}", spot.label())));
        }
        let length = order.word(u32::try_from(der.len()).unwrap_or(u32::MAX));
        let head = container::both(application, container);
        let data = [&head, &[spot.half.octet()][..], &length, der].concat();
        self.log_in_to_write(&spot, pin)?;
        self.at.forget_certificates();
        frame::run(&mut self.card, &frame::command(IMPORT, 0x4C, 0, 0).data(&data)).map(drop)
    }

    /// AppID, ContainerID, and what [`EnvelopedKey`] holds.
    fn import_encryption_pair(&mut self, of: &Place, enveloped: &[u8], by: AdminAuth<'_>) -> Result<()> {
        const NAME: &str = "ImportECCKeyPair";
        let (spot, pin) = (Spot::of_certificate(&of.certificate)?, user_pin(by, NAME)?);
        let pair = EnvelopedKey::read(enveloped)?;
        self.check_to_write(pin, NAME)?;
        let dialect = self.form.dialect(NAME)?;
        // It is wrapped for the signing key, which has to be there.
        let signing = Spot { half: Half::Signing, ..spot.clone() };
        let (_, (application, container)) = self.exported(&signing)?;
        let data = [container::both(application, container), pair.wire(dialect)].concat();
        self.log_in_to_write(&spot, pin)?;
        self.at.forget_certificates();
        frame::run(&mut self.card, &frame::command(NAME, 0x72, 0, 0).data(&data)).map(drop)
    }

    fn public_key(&mut self, at: &Place) -> Result<PublicKey> {
        let spot = Spot::of_key(&at.key)?;
        self.exported(&spot).map(|(key, _)| key)
    }
}

impl GmToken {
    fn create(&mut self, spot: &Spot) -> Result<(AppId, ContainerId)> {
        let application = self.open(&spot.application)?;
        let id = container::create(&mut self.card, application, &spot.container)?;
        self.was_given(spot, id);
        Ok((application, id))
    }
}

impl pin::Seen {
    /// Where nobody can be asked, no try is spent that may be the last.
    fn refuse_last_try(self) -> Result<()> {
        match pin::risk(self.status) {
            Some(kind) => Err(Error::new(kind, "VerifyPIN").tries(self.status)),
            None => Ok(()),
        }
    }
}
