//! The calls over the crate `pcsc`.
//!
//! The crate's `Card` **resets** its card when it is dropped. So none is ever dropped while it is connected: it lives in [`Card`], whose `Drop`
//! disconnects and leaves the card.

use std::ffi::CString;
use std::time::Duration;

use pcsc::{Disposition, Error, Protocols, Scope, ShareMode, State};

use crate::table::ATR;

/// A return code of PC/SC that is none of success.
pub(crate) type Code = u32;

/// The number of an error: the crate gives each the value of its return code.
fn code(error: Error) -> Code {
    error as u32
}

/// A context; clones are owners of the same one.
#[derive(Clone)]
pub(crate) struct Context(pcsc::Context);

/// One entry of a look at readers.
pub(crate) struct Seen {
    pub(crate) now: u32,
    pub(crate) atr: [u8; ATR],
    pub(crate) atr_length: u8,
}

impl Context {
    pub(crate) fn establish() -> Result<Self, Code> {
        pcsc::Context::establish(Scope::System).map(Context).map_err(code)
    }

    pub(crate) fn readers(&self) -> Result<Vec<String>, Code> {
        let names = self.0.list_readers_owned().map_err(code)?;
        Ok(names.iter().map(|name| name.to_string_lossy().into_owned()).collect())
    }

    /// The reader's name as the service spells it: it may hold octets that are no UTF-8.
    fn spelled(&self, reader: &str) -> Result<CString, Code> {
        let plain = || CString::new(reader).map_err(|_| code(Error::UnknownReader));
        if reader.is_ascii() {
            return plain();
        }
        let listed = self.0.list_readers_owned().unwrap_or_default();
        listed.into_iter().find(|name| name.to_string_lossy() == reader).map_or_else(plain, Ok)
    }

    /// Each reader with what is known of it.
    pub(crate) fn status_change(&self, readers: &[(&str, u32)], limit: Duration) -> Result<Vec<Seen>, Code> {
        let mut states = Vec::with_capacity(readers.len());
        for (reader, known) in readers {
            let known = State::from_bits_retain(pcsc::ffi::DWORD::from(*known));
            states.push(pcsc::ReaderState::new(self.spelled(reader)?, known));
        }
        self.0.get_status_change(limit, &mut states).map_err(code)?;
        Ok(states.iter().map(seen).collect())
    }

    pub(crate) fn cancel(&self) -> Result<(), Code> {
        self.0.cancel().map_err(code)
    }

    pub(crate) fn connect(&self, reader: &str) -> Result<Card, Code> {
        let card = self.0.connect(&self.spelled(reader)?, ShareMode::Shared, Protocols::T0 | Protocols::T1);
        card.map(|card| Card(Some(card))).map_err(code)
    }
}

fn seen(state: &pcsc::ReaderState) -> Seen {
    let mut atr = [0; ATR];
    let given = state.atr();
    atr.iter_mut().zip(given).for_each(|(to, from)| *to = *from);
    // The crate's words have the width of the platform's `DWORD`; 32 bits are used.
    let low = state.event_state().bits() & 0xFFFF;
    let now = u32::try_from(low).unwrap_or_default() | state.event_count() << 16;
    Seen { now, atr, atr_length: u8::try_from(given.len().min(ATR)).unwrap_or_default() }
}

/// A connected card. Empty only while it is being dropped.
pub(crate) struct Card(Option<pcsc::Card>);

/// A card in a transaction.
pub(crate) struct Held<'c>(&'c pcsc::Card);

impl Card {
    pub(crate) fn reconnect(&mut self) -> Result<(), Code> {
        let card = self.0.as_mut().ok_or_else(|| code(Error::InvalidHandle))?;
        card.reconnect(ShareMode::Shared, Protocols::T0 | Protocols::T1, Disposition::LeaveCard).map_err(code)
    }

    /// The transaction's drop, on a panic of `work`, ends it and leaves the card.
    pub(crate) fn transaction(&mut self, work: impl FnOnce(&Held<'_>)) -> Result<(), Code> {
        let card = self.0.as_mut().ok_or_else(|| code(Error::InvalidHandle))?;
        let transaction = card.transaction().map_err(code)?;
        work(&Held(&transaction));
        transaction.end(Disposition::LeaveCard).map_err(|(_, error)| code(error))
    }
}

/// Whether nothing is left of a connection that answers so: the crate's drop then does no harm and frees what it holds.
fn is_gone(error: Error) -> bool {
    use Error::*;
    matches!(
        error,
        InvalidHandle
            | InvalidValue
            | UnknownReader
            | NoSmartcard
            | SystemCancelled
            | CommError
            | ReaderUnavailable
            | Shutdown
            | NoService
            | ServiceStopped
            | NoReadersAvailable
            | RemovedCard
    )
}

impl Drop for Card {
    fn drop(&mut self) {
        let Some(card) = self.0.take() else { return };
        if let Err((card, error)) = card.disconnect(Disposition::LeaveCard)
            && !is_gone(error)
        {
            // Its drop would reset the card. The connection is left to the system, which ends it with the process.
            std::mem::forget(card);
        }
    }
}

/// PC/SC part 10 §2.2: asks for the list of features.
const GET_FEATURE_REQUEST: u32 = 3400;

impl Held<'_> {
    pub(crate) fn status(&self) -> Result<u32, Code> {
        match self.0.status2_owned().map_err(code)?.protocol2() {
            Some(pcsc::Protocol::T0) => Ok(0),
            Some(pcsc::Protocol::T1) => Ok(1),
            _ => Err(code(Error::ProtoMismatch)),
        }
    }

    pub(crate) fn transmit(&self, command: &[u8], answer: &mut [u8]) -> Result<usize, Code> {
        self.0.transmit(command, answer).map(<[u8]>::len).map_err(code)
    }

    pub(crate) fn features(&self, answer: &mut [u8]) -> Result<usize, Code> {
        let request = pcsc::ctl_code(pcsc::ffi::DWORD::from(GET_FEATURE_REQUEST));
        self.0.control(request, &[], answer).map(<[u8]>::len).map_err(code)
    }

    pub(crate) fn control(&self, request: u32, answer: &mut [u8]) -> Result<usize, Code> {
        self.0.control(pcsc::ffi::DWORD::from(request), &[], answer).map(<[u8]>::len).map_err(code)
    }
}
