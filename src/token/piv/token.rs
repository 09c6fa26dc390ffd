//! A PIV application within a transaction: what a lease gives.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::family::{self, Quirks};
use super::object;
use super::pin::{self, Pins};
use super::sign::{self, Input};
use super::slot::{self, MAIN, Slot};
use crate::apdu::tlv::Objects;
use crate::apdu::{Command, Exchange, Expect, Sw};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::suite::{PublicKey, RawSignature, ToBeSigned};
use crate::token::{self, Auth, CertRef, Insertion, KeyRef, KeyShown, PinRef, PinState, Token, Wants};

/// Made by a successful SELECT alone, inside a transaction that ends with it.
pub(super) struct PivToken {
    pub(super) card: Exchange<'static>,
    pub(super) at: Arc<Insertion>,
    pub(super) quirks: Quirks,
    pub(super) pins: Pins,
    notes: Vec<Error>,
}

impl PivToken {
    pub(super) fn new(card: Exchange<'static>, at: &Arc<Insertion>) -> Self {
        let quirks = family::quirks(&at.atr);
        PivToken { card, at: Arc::clone(at), quirks, pins: Pins::new(at, quirks), notes: Vec::new() }
    }

    /// The certificate in a slot, read once for an insertion; `None` where there is none.
    fn read(&mut self, slot: Slot) -> Result<Option<Certificate>> {
        let reference = slot.certificate();
        if let Some(der) = self.at.certificate(&reference) {
            return Certificate::from_der(&der).map(Some);
        }
        let Some(der) = object::certificate(&mut self.card, slot.object())? else { return Ok(None) };
        let certificate = Certificate::from_der(&der)?;
        self.at.keep(&reference, &der);
        Ok(Some(certificate))
    }

    /// The public key that belongs to a slot, by its certificate.
    pub(super) fn public(&mut self, slot: Slot) -> Result<PublicKey> {
        let missing =
            || Error::new(ErrorKind::KeyMissing, "find key").detail(format!("no certificate in slot {}", slot.name()));
        self.read(slot)?.ok_or_else(missing)?.key().cloned()
    }

    /// Makes the key usable for one operation, and says whether a PIN was sent for that. The entry of a person is always sent, whoever
    /// else has shown a PIN to the card: it is the one thing that says that this person knows it.
    pub(super) fn authenticate(&mut self, reference: u8, auth: Auth<'_>, wants: Wants) -> Result<bool> {
        let PivToken { card, pins, .. } = self;
        match auth {
            Auth::Pin(typed) => {
                let seen = pins.look(card, reference)?;
                pins.verify(card, seen, typed)?;
                Ok(true)
            }
            Auth::Shared(accepted) if wants == Wants::EachSignature => {
                let seen = pins.look(card, reference)?;
                pins.verify_again(card, seen, accepted)?;
                Ok(true)
            }
            // The card itself knows whether the PIN is shown.
            Auth::Shared(_) | Auth::Held => Ok(false),
            Auth::OnDevice => Err(Error::new(ErrorKind::PinRequired, "VERIFY").detail("nothing to type on")),
        }
    }

    /// One operation of a private key. Where a PIN was sent for it, that was the command right before.
    pub(super) fn use_key(
        &mut self,
        slot: Slot,
        key: &PublicKey,
        verified: bool,
        input: Input<'_>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let algorithm = slot::algorithm(key.kind()).ok_or_else(|| {
            Error::new(ErrorKind::KeyUnsuited, "GENERAL AUTHENTICATE").detail(format!("PIV has no {}", key.kind()))
        })?;
        sign::general_authenticate(&mut self.card, slot, key.kind(), algorithm, input).map_err(|error| {
            if error.kind() != ErrorKind::PinRequired {
                return error;
            }
            self.pins.forget();
            if verified { error.detail("the PIN was accepted and the key wants more, such as a touch") } else { error }
        })
    }

    /// The slots to look at, and the PIN that opens them.
    fn survey(&mut self) -> Result<(Vec<Slot>, u8)> {
        let at = Arc::clone(&self.at);
        let mut slots = Vec::new();
        for name in &at.wanted {
            match Slot::named(name) {
                Some(slot) => slots.push(slot),
                None => self.notes.push(
                    Error::new(ErrorKind::Argument, "find slot")
                        .detail("no slot of a PIV card: 9A, 9C, 9D, 9E, 82 to 95"),
                ),
            }
        }
        // Where one place is asked for, no more is read than that.
        if at.wanted.len() == 1 {
            return Ok((slots, object::APPLICATION_PIN));
        }
        let pin = object::primary_pin(&mut self.card)?;
        if at.wanted.is_empty() {
            slots.extend(MAIN);
        }
        Ok((slots, pin))
    }

    /// How often the key in a slot wants its PIN: as the card tells where it does (GET METADATA, tag 02), else as the standard has it.
    fn wants(&mut self, slot: Slot) -> Result<Wants> {
        if !self.quirks.metadata {
            return Ok(slot.wants());
        }
        let answer = self.card.send(&Command::new("GET METADATA", 0xF7, 0x00, slot.octet()).expect(Expect::Much))?;
        let policy = Objects::new(answer.data()).find(0x02).ok().flatten().and_then(|o| o.value.first().copied());
        Ok(match policy.filter(|_| answer.sw() == Sw::Success) {
            Some(slot::ONCE) => Wants::Once,
            Some(slot::ALWAYS) => Wants::EachSignature,
            _ => slot.wants(),
        })
    }

    /// Adds what is in a slot, and says whether anything is.
    fn look_into(&mut self, slot: Slot, pin: u8, found: &mut Vec<token::Slot>) -> Result<bool> {
        let certificate = match self.read(slot) {
            Ok(Some(certificate)) => certificate,
            Ok(None) => return Ok(false),
            Err(error) if object::is_of_the_object(&error) => {
                let what = error.what().map_or_else(String::new, |what| format!(": {what}"));
                self.notes.push(error.detail(format!("slot {}{what}", slot.name())));
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        let wants = self.wants(slot)?;
        found.push(token::Slot {
            key: slot.key_that(wants),
            certificate: slot.certificate(),
            pin: PinRef(vec![pin]),
            // One PIN opens every slot: wherever a copy lies, it goes to the same verifier.
            shown: KeyShown::Untold,
            wants,
            suites: certificate.key().map_or_else(|_| Vec::new(), |key| slot::suites(key.kind())),
            label: slot.name(),
        });
        Ok(true)
    }
}

impl Token for PivToken {
    fn slots(&mut self) -> Result<Vec<token::Slot>> {
        self.notes.clear();
        let (slots, pin) = self.survey()?;
        let mut found = Vec::new();
        for slot in slots {
            self.look_into(slot, pin, &mut found)?;
        }
        if self.at.wanted.is_empty() {
            let mut left = object::retired_certificates(&mut self.card)?;
            for slot in Slot::retired() {
                if left == 0 {
                    break;
                }
                if self.look_into(slot, pin, &mut found)? {
                    left = left.saturating_sub(1);
                }
            }
        }
        Ok(found)
    }

    fn notes(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.notes)
    }

    fn certificate(&mut self, of: &CertRef) -> Result<Vec<u8>> {
        let slot = Slot::of_certificate(of)?;
        self.read(slot)?.map(|certificate| certificate.der().to_vec()).ok_or_else(|| {
            Error::new(ErrorKind::CertificateChanged, "GET DATA").detail(format!("slot {} is empty", slot.name()))
        })
    }

    fn pin_state(&mut self, pin: &PinRef) -> Result<PinState> {
        let reference = pin::reference(pin)?;
        Ok(self.pins.look(&mut self.card, reference)?.state())
    }

    fn login(&mut self, pin: &PinRef, auth: Auth<'_>) -> Result<()> {
        let reference = pin::reference(pin)?;
        if let Auth::Shared(_) | Auth::Held = auth {
            let seen = self.pins.look(&mut self.card, reference)?;
            return if seen.is_open() {
                Ok(())
            } else {
                Err(Error::new(ErrorKind::PinRequired, "VERIFY").tries(seen.status()))
            };
        }
        self.authenticate(reference, auth, Wants::Once).map(drop)
    }

    fn sign(&mut self, key: &KeyRef, pin: &PinRef, auth: Auth<'_>, tbs: &ToBeSigned) -> Result<RawSignature> {
        let ((slot, wants), reference) = (Slot::of_key(key)?, pin::reference(pin)?);
        // Everything that can be refused without the PIN is refused before it is sent.
        let public = self.public(slot)?;
        let block = sign::block(&public, tbs)?;
        let verified = self.authenticate(reference, auth, wants)?;
        let octets = self.use_key(slot, &public, verified, Input::Challenge(&block))?;
        sign::shaped(&octets, &public, tbs.suite)
    }

    fn opening(&mut self) -> Option<&mut dyn token::Opening> {
        Some(self)
    }

    fn pins(&mut self) -> Option<&mut dyn token::Pins> {
        Some(self)
    }

    fn issuing(&mut self) -> Option<&mut dyn token::Issuing> {
        Some(self)
    }
}
