//! ECCSignData (GM/T 0017 §9.6), with the login that it needs.

use super::application::AppId;
use super::container::{self, ContainerId};
use super::frame::{self, Fields, is_login_missing, is_stale};
use super::name::{Half, Name, Spot};
use super::pin;
use super::token::GmToken;
use crate::apdu::{Command, Expect, Sw};
use crate::error::{Error, ErrorKind, Recovery, Result};
use crate::pin::Pin;
use crate::suite::{KeyKind, PublicKey, RawSignature, Sm2Id, Suite, ToBeSigned};
use crate::token::{Auth, KeyRef, PinRef, Wants};

const NAME: &str = "ECCSignData";
/// P1: the data is a message, and its identifier stands before it.
const MESSAGE: u8 = 1;
/// P1: the data is e, 32 octets.
const DIGEST: u8 = 2;

/// The numbers of a container and its application.
pub(super) type Numbers = (AppId, ContainerId);

/// What is done with a key: the status word and the answer.
pub(super) trait Act: Fn(&mut GmToken, Numbers) -> Result<(Sw, Vec<u8>)> {}
impl<F: Fn(&mut GmToken, Numbers) -> Result<(Sw, Vec<u8>)>> Act for F {}

impl GmToken {
    /// What a device signs with such a key.
    pub(super) fn suites(&self, key: KeyKind) -> Vec<Suite> {
        match key {
            KeyKind::Sm2 => vec![Suite::Sm2Sm3],
            KeyKind::P256 if self.info.has_p256(self.form.order()) => vec![Suite::P256Sha256],
            _ => Vec::new(),
        }
    }

    /// How often keys want the PIN, as far as this device has shown.
    pub(super) fn wants(&self) -> Wants {
        if self.habits().drops_login { Wants::EachSignature } else { Wants::Once }
    }

    pub(super) fn sign_with(
        &mut self,
        key: &KeyRef,
        pin: &PinRef,
        auth: Auth<'_>,
        tbs: &ToBeSigned,
    ) -> Result<RawSignature> {
        let (spot, name) = (Spot::of_key(key)?, pin::application(pin)?);
        // Everything that can be refused without the PIN is refused before it is sent.
        if spot.application != name {
            return Err(Error::new(ErrorKind::PinRole, NAME).detail("the PIN of another application"));
        }
        let public = self.key_of(&spot)?;
        let unsuited = |what: String| Error::new(ErrorKind::KeyUnsuited, NAME).detail(what);
        if spot.half != Half::Signing {
            return Err(unsuited("a key of an encryption pair".to_owned()));
        }
        if !self.suites(public.kind()).contains(&tbs.suite) || tbs.digest.algorithm() != tbs.suite.digest() {
            return Err(unsuited(format!("{} with {}", tbs.suite, public.kind())));
        }
        let order = self.form.dialect(NAME)?.order;
        let answer = self.with_login(&spot, auth, |token, numbers| token.ask(numbers, tbs))?;
        shaped(&answer, tbs.suite, order)
    }

    /// Does something with a key for which the user has to be logged in.
    pub(super) fn with_login(&mut self, spot: &Spot, auth: Auth<'_>, act: impl Act) -> Result<Vec<u8>> {
        let name = &spot.application;
        // The container is opened first, so that the login and what it is for are adjacent.
        let numbers = self.container(spot)?;
        match auth {
            Auth::Pin(typed) => {
                self.verify(name, typed)?;
                self.once(spot, numbers, &act).map_err(|error| match error.kind() {
                    ErrorKind::PinRequired => denied(&error),
                    _ => error,
                })
            }
            Auth::Shared(accepted) if self.is_logged_in(name) => match self.once(spot, numbers, &act) {
                Err(error) if error.kind() == ErrorKind::PinRequired => self.once_again(spot, accepted, &act),
                other => other,
            },
            Auth::Shared(accepted) => self.once_again(spot, accepted, &act),
            Auth::Held if self.is_logged_in(name) => self.once(spot, numbers, &act),
            Auth::Held => {
                let seen = self.glance(name)?;
                Err(Error::new(ErrorKind::PinRequired, NAME).tries(seen.status))
            }
            Auth::OnDevice => Err(Error::new(ErrorKind::PinRequired, NAME).detail("nothing to type on")),
        }
    }

    /// With the PIN of a batch, where the login was ended by us or by the token: once more, while no risk is seen.
    fn once_again(&mut self, spot: &Spot, accepted: &Pin, act: &impl Act) -> Result<Vec<u8>> {
        self.verify_again(&spot.application, accepted)?;
        let numbers = self.container(spot)?;
        self.once(spot, numbers, act)
    }

    /// A number that is not known any more is asked for anew, once: what was remembered may have been closed by another program. No PIN is sent
    /// for that.
    fn once(&mut self, spot: &Spot, numbers: Numbers, act: &impl Act) -> Result<Vec<u8>> {
        let mut answer = act(self, numbers)?;
        if is_stale(answer.0) {
            self.memory(|memory| memory.forget_container(&spot.application, &spot.container));
            if matches!(answer.0.raw(), 0x698A | 0x6A88) {
                self.reopen(&spot.application)?;
            }
            let numbers = self.container(spot)?;
            answer = act(self, numbers)?;
        }
        self.after(&spot.application, answer.0);
        match answer {
            (Sw::Success, data) => Ok(data),
            (sw, _) => Err(frame::error(sw, NAME)),
        }
    }

    /// The certificate's key.
    pub(super) fn key_of(&mut self, spot: &Spot) -> Result<PublicKey> {
        let missing =
            || Error::new(ErrorKind::KeyMissing, "find key").detail(format!("no certificate in {}", spot.label()));
        self.read(spot)?.ok_or_else(missing)?.key().cloned()
    }

    /// What a signature, or its refusal, tells of the login.
    fn after(&mut self, name: &Name, sw: Sw) {
        if is_login_missing(sw) {
            // The PIN was accepted in this lease and nobody else reaches the card: it is the device that ends logins.
            if self.logins.contains(name) {
                self.learn(|habits| habits.drops_login = true);
            }
            self.lost_login(name);
        } else if sw == Sw::Success && self.habits().drops_login {
            self.lost_login(name);
        }
    }

    fn ask(&mut self, numbers: Numbers, tbs: &ToBeSigned) -> Result<(Sw, Vec<u8>)> {
        let answer = self.card.send(&digest_command(numbers, tbs))?;
        // Without the identifier that is in e the device would sign another one.
        let message = tbs.message.as_deref().zip(tbs.sm2_id.as_ref()).filter(|_| tbs.suite == Suite::Sm2Sm3);
        match (answer.sw(), message) {
            // Keys with a display take the message alone. Nothing was done yet.
            (Sw::IncorrectP1P2 | Sw::FunctionNotSupported, Some((message, id))) => {
                let command = self.message_command(numbers, id, message)?;
                let answer = self.card.send(&command)?;
                Ok((answer.sw(), answer.data().to_vec()))
            }
            (sw, _) => Ok((sw, answer.data().to_vec())),
        }
    }

    /// P1 = 1: AppID, ContainerID, idLen4, id, message.
    fn message_command(&self, (application, container): Numbers, id: &Sm2Id, message: &[u8]) -> Result<Command> {
        let order = self.form.dialect(NAME)?.order;
        let length = u32::try_from(id.octets().len()).unwrap_or(u32::MAX);
        let head = container::both(application, container);
        let data = [&head, &order.word(length)[..], id.octets(), message].concat();
        Ok(frame::command(NAME, 0x74, MESSAGE, 0).data(&data).expect(Expect::Exactly(68)))
    }
}

/// The PIN was accepted just now, so whoever enters it again gets no further.
fn denied(error: &Error) -> Error {
    let what = "the PIN was accepted and the key wants more: entering it again does not help";
    let denied = Error::new(ErrorKind::Unsupported, NAME).detail(what).helped_by(Recovery::UnlockAtIssuer(None));
    error.raw_status().cloned().map_or(denied.clone(), |status| denied.status(status))
}

/// P1 = 2: AppID, ContainerID, e.
fn digest_command((application, container): Numbers, tbs: &ToBeSigned) -> Command {
    let data = [&container::both(application, container), tbs.digest.octets()].concat();
    frame::command(NAME, 0x74, DIGEST, 0).data(&data).expect(Expect::Exactly(68))
}

/// bits4, r32, s32; both in 1 to n − 1.
fn shaped(answer: &[u8], suite: Suite, order: super::dialect::Order) -> Result<RawSignature> {
    let bad = |what: &str| frame::nonsense(NAME, what.to_owned());
    let mut fields = Fields::of(answer, NAME);
    let parts = fields.take().and_then(|bits| Ok((bits, fields.take::<64>()?)));
    let (bits, octets) = parts.map_err(|_| bad("shorter than 68 octets"))?;
    fields.end().map_err(|_| bad("longer than 68 octets"))?;
    if !container::is_256(bits, Some(order)) {
        return Err(bad("not of 256 bits"));
    }
    let right = match suite {
        Suite::P256Sha256 => p256::ecdsa::Signature::from_slice(&octets).is_ok(),
        _ => sm2::dsa::Signature::from_slice(&octets).is_ok(),
    };
    if !right {
        return Err(bad("r or s is 0 or not below the order of the curve"));
    }
    RawSignature::new(suite, octets.to_vec())
}
