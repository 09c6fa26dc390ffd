//! The calls of the scripted service.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::api::{Broken, Canceller, Card, Context, Failure, Held, PNP, Protocol, Service, Watched, Why, state};
use super::super::codes::Code;
use super::{Call, Connection, Scripted};
use crate::wait::lock;

/// pcscd watches so many entries at once, and serves as many readers.
const ENTRIES: usize = 16;

impl Service for Scripted {
    fn establish(&self) -> Result<Box<dyn Context>, Failure> {
        let time = lock(&self.0.world).time;
        let mut world = self.call(Call::Establish, time)?;
        if !world.library {
            return Err(Failure::NoLibrary("libpcsclite.so.1".to_owned()));
        }
        let id = world.next;
        world.next = id.wrapping_add(1);
        Ok(Box::new(ScriptedContext { service: self.clone(), id, time }))
    }

    fn why(&self, _: Code) -> Why {
        lock(&self.0.world).why
    }
}

struct ScriptedContext {
    service: Scripted,
    id: u64,
    time: u32,
}

impl Context for ScriptedContext {
    fn readers(&mut self) -> Result<Vec<String>, Code> {
        Ok(self.service.call(Call::List, self.time)?.readers.iter().map(|r| r.name.clone()).collect())
    }

    fn watch(&mut self, readers: &mut [Watched], limit: Duration) -> Result<(), Code> {
        let start = Instant::now();
        let mut world = self.service.call(Call::Watch, self.time)?;
        if readers.len() > ENTRIES {
            return Err(Code::SCARD_E_INVALID_PARAMETER);
        }
        let lists = world.lists;
        loop {
            let mut changed = false;
            for entry in &mut *readers {
                let (now, atr) = world.state(entry)?;
                // What nothing is known of is told at once; the list of readers when it changes from now on.
                let known = if entry.reader == PNP && entry.known == 0 { lists << 16 } else { entry.known };
                let differs = now != known;
                (entry.now, entry.atr) = (if differs { now | state::CHANGED } else { now }, atr);
                changed |= differs;
            }
            if changed {
                return Ok(());
            }
            if world.time != self.time {
                return Err(Code::SCARD_F_COMM_ERROR);
            }
            if let Some(place) = world.cancelled.iter().position(|id| *id == self.id) {
                world.cancelled.remove(place);
                return Err(Code::SCARD_E_CANCELLED);
            }
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(Code::SCARD_E_TIMEOUT);
            }
            world = self.service.sleep(world, left);
        }
    }

    fn connect(&mut self, reader: &str) -> Result<Box<dyn Card>, Code> {
        let mut world = self.service.call(Call::Connect, self.time)?;
        loop {
            let found = world.reader(reader)?;
            if found.exclusive {
                return Err(Code::SCARD_E_SHARING_VIOLATION);
            }
            if !found.held && found.lock.is_none() {
                break;
            }
            world = self.service.sleep(world, Duration::from_secs(60));
        }
        let found = world.reader(reader)?;
        if found.atr.is_none() {
            return Err(Code::SCARD_E_NO_SMARTCARD);
        }
        if found.mute {
            return Err(Code::SCARD_W_UNRESPONSIVE_CARD);
        }
        let id = world.next;
        world.next = id.wrapping_add(1);
        world.connections.push(Connection { id, reader: reader.to_owned(), pending: None });
        Ok(Box::new(ScriptedCard { service: self.service.clone(), id, time: self.time, reader: reader.to_owned() }))
    }

    fn canceller(&self) -> Option<Canceller> {
        let (service, id) = (self.service.clone(), self.id);
        Some(Arc::new(move || service.change(|world| world.cancelled.push(id))))
    }
}

impl Drop for ScriptedContext {
    fn drop(&mut self) {
        drop(self.service.call(Call::Release, self.time));
    }
}

struct ScriptedCard {
    service: Scripted,
    id: u64,
    time: u32,
    reader: String,
}

impl ScriptedCard {
    fn begin(&self) -> Result<(), Code> {
        let mut world = self.service.call(Call::Begin, self.time)?;
        loop {
            world.pending(self.id)?;
            let id = self.id;
            let reader = world.reader(&self.reader)?;
            if !reader.held && reader.lock.is_none_or(|owner| owner == id) {
                reader.lock = Some(id);
                return Ok(());
            }
            world = self.service.sleep(world, Duration::from_secs(60));
            if world.time != self.time {
                return Err(Code::SCARD_E_NO_SERVICE);
            }
        }
    }

    fn end(&self) -> Result<(), Code> {
        let mut world = self.service.call(Call::End, self.time)?;
        world.pending(self.id)?;
        world.unlock(self.id);
        drop(world);
        self.service.0.changed.notify_all();
        Ok(())
    }
}

/// Ends the transaction also when what happens in it panics.
struct Ending<'c>(&'c ScriptedCard, bool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if self.1 {
            let _ = self.0.end();
        }
    }
}

impl Card for ScriptedCard {
    fn transaction(&mut self, work: &mut dyn FnMut(&mut dyn Held)) -> Result<(), Broken> {
        self.begin().map_err(Broken::Begin)?;
        let mut ending = Ending(self, true);
        work(&mut ScriptedHeld(self));
        ending.1 = false;
        self.end().map_err(Broken::End)
    }

    fn reconnect(&mut self) -> Result<(), Code> {
        self.reconnected()
    }
}

impl ScriptedCard {
    fn reconnected(&self) -> Result<(), Code> {
        let mut world = self.service.call(Call::Reconnect, self.time)?;
        if world.reader(&self.reader)?.atr.is_none() {
            return Err(Code::SCARD_E_NO_SMARTCARD);
        }
        for connection in world.connections.iter_mut().filter(|c| c.id == self.id) {
            connection.pending = None;
        }
        Ok(())
    }
}

impl Drop for ScriptedCard {
    fn drop(&mut self) {
        if let Ok(mut world) = self.service.call(Call::Disconnect, self.time) {
            world.unlock(self.id);
            world.connections.retain(|c| c.id != self.id);
        }
        self.service.0.changed.notify_all();
    }
}

struct ScriptedHeld<'c>(&'c ScriptedCard);

impl Held for ScriptedHeld<'_> {
    fn status(&mut self) -> Result<Protocol, Code> {
        let world = self.0.service.call(Call::Status, self.0.time)?;
        world.pending(self.0.id)?;
        Ok(world.protocol)
    }

    fn transmit(&mut self, command: &[u8], answer: &mut [u8]) -> Result<usize, Code> {
        let card = {
            let world = self.0.service.call(Call::Transmit, self.0.time)?;
            world.pending(self.0.id)?;
            Arc::clone(&world.answer)
        };
        let octets = card(command);
        lock(&self.0.service.0.world).pending(self.0.id)?;
        answer.get_mut(..octets.len()).ok_or(Code::SCARD_E_INSUFFICIENT_BUFFER)?.copy_from_slice(&octets);
        Ok(octets.len())
    }

    fn reconnect(&mut self) -> Result<(), Code> {
        self.0.reconnected()
    }

    fn largest(&mut self) -> Option<u32> {
        lock(&self.0.service.0.world).largest
    }
}
