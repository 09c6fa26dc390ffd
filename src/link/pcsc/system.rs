//! The system's PC/SC library, through the `pcsc` crate.
//!
//! The crate's `Card` **resets** its card when it is dropped. So no `pcsc::Card` of ours is ever dropped while it is connected: it lives in
//! [`SystemCard`], whose `Drop` disconnects and leaves the card.

use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use pcsc::{Disposition, Protocols, Scope, ShareMode, State};

use super::api::{Broken, Canceller, Card, Context, Failure, Held, Protocol, Service, Watched, Why};
use super::codes::{Code, Fate};
use super::{PcscReaders, capability, refusal};
use crate::link::Readers;

/// The readers of this computer.
#[must_use]
pub fn system() -> Arc<dyn Readers> {
    Arc::new(PcscReaders::new(Arc::new(System)))
}

/// The system's smart-card service.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

/// The number of an error: the crate gives each the value of its return code.
#[allow(clippy::as_conversions)]
fn code(error: pcsc::Error) -> Code {
    Code(error as u32)
}

/// The crate's words have the width of the platform's `DWORD`: 64 bit in pcsclite on Linux, 32 elsewhere. Only 32 are ever used.
#[allow(clippy::useless_conversion)]
fn narrow(word: pcsc::ffi::DWORD) -> u32 {
    u32::try_from(word).unwrap_or(u32::MAX)
}

impl Service for System {
    fn establish(&self) -> Result<Box<dyn Context>, Failure> {
        let context = pcsc::Context::establish(Scope::System).map_err(code)?;
        Ok(Box::new(SystemContext(context)))
    }

    fn why(&self, code: Code) -> Why {
        refusal::look(code)
    }
}

struct SystemContext(pcsc::Context);

impl SystemContext {
    /// The reader's name as the service spells it: on Windows it may hold octets that are no UTF-8.
    fn spelled(&self, reader: &str) -> Option<CString> {
        let listed = self.0.list_readers_owned().unwrap_or_default();
        listed.into_iter().find(|name| name.to_string_lossy() == reader).or_else(|| CString::new(reader).ok())
    }
}

impl Context for SystemContext {
    fn readers(&mut self) -> Result<Vec<String>, Code> {
        let names = self.0.list_readers_owned().map_err(code)?;
        Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect())
    }

    fn watch(&mut self, readers: &mut [Watched], limit: Duration) -> Result<(), Code> {
        let unknown = Code::SCARD_E_UNKNOWN_READER;
        let mut states = Vec::with_capacity(readers.len());
        for entry in &*readers {
            let name = match entry.reader.is_ascii() {
                true => CString::new(entry.reader.as_str()).ok(),
                false => self.spelled(&entry.reader),
            };
            let known = State::from_bits_retain(pcsc::ffi::DWORD::from(entry.known));
            states.push(pcsc::ReaderState::new(name.ok_or(unknown)?, known));
        }
        self.0.get_status_change(limit, &mut states).map_err(code)?;
        for (entry, state) in readers.iter_mut().zip(&states) {
            entry.now = narrow(state.event_state().bits()) & 0xFFFF | state.event_count() << 16;
            entry.atr = state.atr().to_vec();
        }
        Ok(())
    }

    fn connect(&mut self, reader: &str) -> Result<Box<dyn Card>, Code> {
        let name = self.spelled(reader).ok_or(Code::SCARD_E_UNKNOWN_READER)?;
        let card = self.0.connect(&name, ShareMode::Shared, Protocols::T0 | Protocols::T1).map_err(code)?;
        Ok(Box::new(SystemCard(Some(card))))
    }

    fn canceller(&self) -> Option<Canceller> {
        let context = self.0.clone();
        Some(Arc::new(move || {
            let _ = context.cancel();
        }))
    }
}

struct SystemCard(Option<pcsc::Card>);

impl Card for SystemCard {
    fn transaction(&mut self, work: &mut dyn FnMut(&mut dyn Held)) -> Result<(), Broken> {
        let card = self.0.as_mut().ok_or(Broken::Begin(Code::SCARD_E_INVALID_HANDLE))?;
        // Its drop, on a panic of `work`, ends the transaction and leaves the card.
        let mut transaction = card.transaction().map_err(|e| Broken::Begin(code(e)))?;
        work(&mut InTransaction(&mut transaction));
        transaction.end(Disposition::LeaveCard).map_err(|(_, e)| Broken::End(code(e)))
    }

    fn reconnect(&mut self) -> Result<(), Code> {
        let card = self.0.as_mut().ok_or(Code::SCARD_E_INVALID_HANDLE)?;
        card.reconnect(ShareMode::Shared, Protocols::T0 | Protocols::T1, Disposition::LeaveCard).map_err(code)
    }
}

impl Drop for SystemCard {
    fn drop(&mut self) {
        let Some(card) = self.0.take() else { return };
        if let Err((card, error)) = card.disconnect(Disposition::LeaveCard) {
            // With a service that is gone the crate's drop does no harm and frees what it holds. Otherwise it would reset the card.
            if code(error).fate() != Fate::Dead {
                tracing::warn!(status = %code(error), "a card could not be disconnected; its connection is left to the system");
                std::mem::forget(card);
            }
        }
    }
}

struct InTransaction<'c, 'card>(&'c mut pcsc::Transaction<'card>);

/// PC/SC part 10: asks for the list of features.
const GET_FEATURE_REQUEST: u32 = 3400;

impl Held for InTransaction<'_, '_> {
    fn status(&mut self) -> Result<Protocol, Code> {
        match self.0.status2_owned().map_err(code)?.protocol2() {
            Some(pcsc::Protocol::T0) => Ok(Protocol::T0),
            Some(pcsc::Protocol::T1) => Ok(Protocol::T1),
            _ => Err(Code::SCARD_E_PROTO_MISMATCH),
        }
    }

    fn transmit(&mut self, command: &[u8], answer: &mut [u8]) -> Result<usize, Code> {
        self.0.transmit(command, answer).map(<[u8]>::len).map_err(code)
    }

    fn reconnect(&mut self) -> Result<(), Code> {
        self.0.reconnect(ShareMode::Shared, Protocols::T0 | Protocols::T1, Disposition::LeaveCard).map_err(code)
    }

    fn largest(&mut self) -> Option<u32> {
        let ask = |code, buffer: &mut [u8]| self.0.control(code, &[], buffer).map(<[u8]>::len).ok();
        let request = pcsc::ctl_code(pcsc::ffi::DWORD::from(GET_FEATURE_REQUEST));
        capability::largest(|buffer| ask(request, buffer), |code, buffer| ask(pcsc::ffi::DWORD::from(code), buffer))
    }
}
