//! Whether a card is a PIV card, which one, and the token of a lease.

use std::sync::Arc;

use super::family::{self, Quirks};
use super::object;
use super::slot::MAIN;
use super::token::PivToken;
use crate::apdu::tlv::Objects;
use crate::apdu::{Command, Exchange, Expect, Sw, Transmit};
use crate::error::{ErrorKind, Result};
use crate::link::Atr;
use crate::suite::{DigestAlgorithm, hex};
use crate::token::{CardId, Driver, Fit, Greeting, Insertion, Token};

/// The application's AID without its version (part 1, 2.2: the right truncated form). Anything shorter would be any application of NIST.
const AID: [u8; 9] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00];

/// PIV cards and keys.
#[derive(Debug)]
pub(in crate::token) struct PivDriver;

/// The one driver.
pub(in crate::token) static PIV: PivDriver = PivDriver;

/// SELECT (part 2, 3.1.1): 00 A4 04 00 with the AID. A PIV application answers with its property template 61; some cards say success to
/// any AID.
fn select(card: &mut Exchange<'_>) -> Result<std::result::Result<(), Sw>> {
    let answer = card.send(&Command::new("SELECT", 0xA4, 0x04, 0x00).data(&AID).expect(Expect::Some))?;
    let is_piv = answer.sw() == Sw::Success && Objects::new(answer.data()).find(0x61).is_ok_and(|o| o.is_some());
    Ok(if is_piv { Ok(()) } else { Err(answer.sw()) })
}

impl Driver for PivDriver {
    fn name(&self) -> &'static str {
        "piv"
    }

    fn fit(&self, atr: &Atr) -> Fit {
        family::fit(atr)
    }

    fn probe(&self, card: &mut dyn Transmit) -> Result<Option<Greeting>> {
        match select(&mut Exchange::new(card))? {
            Ok(()) => Ok(Some(Greeting::default())),
            // The card failed: that says nothing of its applications.
            Err(sw @ Sw::Failure(_)) => Err(sw.error("SELECT")),
            Err(_) => Ok(None),
        }
    }

    fn identify(&self, card: &mut dyn Transmit, atr: &Atr, _greeting: &Greeting) -> Result<CardId> {
        let mut card = Exchange::new(card);
        let family = family::family(atr);
        let quirks = family::quirks(atr);
        let serial = serial(&mut card, quirks)?;
        let version = if quirks.version { version(&mut card)? } else { None };
        let name = family.map_or("PIV", |family| family.model);
        Ok(CardId {
            serial,
            label: String::new(),
            manufacturer: family.map_or("", |family| family.manufacturer).to_owned(),
            model: version.map_or_else(|| name.to_owned(), |[a, b, c]| format!("{name} {a}.{b}.{c}")),
        })
    }

    fn attach(&self, held: Box<dyn Transmit>, selected: bool, at: &Arc<Insertion>) -> Result<Box<dyn Token>> {
        let mut card = Exchange::new(held);
        if !selected {
            select(&mut card)?.map_err(|sw| match sw {
                Sw::Failure(_) => sw.error("SELECT"),
                _ => sw.as_kind(ErrorKind::CardApplication, "SELECT"),
            })?;
        }
        Ok(Box::new(PivToken::new(card, at)))
    }
}

/// What tells this card from others. New keys have neither CHUID nor CCC: then the number that is printed on the key, or the first
/// certificate.
fn serial(card: &mut Exchange<'_>, quirks: Quirks) -> Result<String> {
    // One bad answer is no reason to take the card for another: what cannot be read is asked for once more.
    let number = match object::number(card) {
        Err(error) if object::is_of_the_object(&error) => object::number(card),
        other => other,
    };
    match number {
        Ok(Some(number)) => return Ok(hex(&number)),
        Err(error) if !object::is_of_the_object(&error) => return Err(error),
        _ => {}
    }
    if quirks.serial {
        // GET SERIAL: four octets, big-endian.
        let answer = card.send(&Command::new("GET SERIAL", 0xF8, 0, 0).expect(Expect::Some))?;
        if let (Sw::Success, Ok(number)) = (answer.sw(), <[u8; 4]>::try_from(answer.data())) {
            return Ok(u32::from_be_bytes(number).to_string());
        }
    }
    for slot in MAIN {
        match object::certificate(card, slot.object()) {
            Ok(Some(der)) => {
                let digest = DigestAlgorithm::Sha256.of(&der)?.hex();
                return Ok(format!("certificate {}", digest.get(..16).unwrap_or_default()));
            }
            Err(error) if !object::is_of_the_object(&error) => return Err(error),
            _ => {}
        }
    }
    Ok("unnumbered".to_owned())
}

/// GET VERSION (Yubico's extensions): three octets.
pub(super) fn version(card: &mut Exchange<'_>) -> Result<Option<[u8; 3]>> {
    let answer = card.send(&Command::new("GET VERSION", 0xFD, 0, 0).expect(Expect::Some))?;
    Ok(if answer.sw() == Sw::Success { answer.data().try_into().ok() } else { None })
}
