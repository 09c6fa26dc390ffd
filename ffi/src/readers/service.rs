//! The smart-card service behind a library that is opened when it is wanted.

use std::sync::{Mutex, PoisonError};

use shield::link::pcsc::api::{Context, Failure, Service, Why};
use shield::link::pcsc::{Code, look};

use super::place;
use crate::border::plugin::PlugIn;

/// The service. What is opened stays open; what is missing is looked for again the next time.
#[derive(Debug)]
pub(super) struct Opened;

fn plug_in() -> Result<PlugIn, Failure> {
    static OPENED: Mutex<Option<PlugIn>> = Mutex::new(None);
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(plug_in) = *opened {
        return Ok(plug_in);
    }
    let plug_in = place::plug_in().and_then(|file| PlugIn::open(&file)).map_err(Failure::NoLibrary)?;
    Ok(*opened.insert(plug_in))
}

impl Service for Opened {
    fn establish(&self) -> Result<Box<dyn Context>, Failure> {
        Ok(plug_in()?.establish()?)
    }

    fn why(&self, code: Code) -> Why {
        look(code)
    }
}
