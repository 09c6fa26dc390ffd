//! Whether a card speaks GM/T 0017, which one it is, and the token of a lease.

use std::sync::Arc;

use super::info::{self, DeviceInfo};
use super::token::GmToken;
use crate::apdu::{Exchange, Transmit};
use crate::error::Result;
use crate::link::Atr;
use crate::token::{CardId, Driver, Fit, Greeting, Insertion, Token};

/// Devices of GM/T 0017.
#[derive(Debug)]
pub(in crate::token) struct GmDriver;

/// The one driver.
pub(in crate::token) static GM0017: GmDriver = GmDriver;

impl Driver for GmDriver {
    fn name(&self) -> &'static str {
        "gm0017"
    }

    /// The standard gives its devices no ATR of their own.
    fn fit(&self, _atr: &Atr) -> Fit {
        Fit::Perhaps
    }

    /// GetDevInfo: what it answers is all that is asked of a device before its applications.
    fn probe(&self, card: &mut dyn Transmit) -> Result<Option<Greeting>> {
        Ok(info::ask(&mut Exchange::new(card))?.map(Greeting))
    }

    fn identify(&self, _card: &mut dyn Transmit, _atr: &Atr, greeting: &Greeting) -> Result<CardId> {
        Ok(DeviceInfo::read(&greeting.0)?.card_id())
    }

    /// Nothing is selected on such a device: each command names its application.
    fn attach(&self, held: Box<dyn Transmit>, _selected: bool, at: &Arc<Insertion>) -> Result<Box<dyn Token>> {
        let info = DeviceInfo::read(&at.greeting.0)?;
        Ok(Box::new(GmToken::new(Exchange::new(held), at, info)))
    }
}
