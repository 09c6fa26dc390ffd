//! The device as a card: commands in, answers out, and power.

use crate::link::card::{Accident, VirtualCard};

use super::Habits;
use super::commands::{Answer, answer};
use super::device::Device;
use super::dialect::Dialect;
use super::faults::{FaultKind, Plan};
use super::file::StateFile;
use super::frame::Frame;
use super::session::Session;
use super::status::{Done, Sw};

/// The most octets of one part of an answer, where a device gives long ones in parts.
const PART: usize = 200;
/// The most octets of a command's data: MaxApduDataLen.
pub(super) const DATA_MAX: u16 = 8 * 1024 + 256;

/// The device: what it keeps, what it knows while it has power, and the file that it follows.
pub(super) struct Card {
    device: Device,
    file: Option<StateFile>,
    /// The file does not have all of the state: it could not be written when a switch was set.
    behind: bool,
    pub(super) session: Session,
    pub(super) plan: Plan,
    accident: Option<Accident>,
}

impl Card {
    pub(super) fn new(device: Device, file: Option<StateFile>) -> Self {
        Card { device, file, behind: false, session: Session::default(), plan: Plan::default(), accident: None }
    }

    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// The state is kept in this file from now on.
    pub(super) fn follow(&mut self, file: StateFile) {
        (self.file, self.behind) = (Some(file), false);
    }

    /// Changes what is kept: in the file first. What fails has changed nothing.
    pub(super) fn change<R>(&mut self, change: impl FnOnce(&mut Device) -> Done<R>) -> Done<R> {
        let mut device = self.device.clone();
        let result = change(&mut device)?;
        if device == self.device && !self.behind {
            return Ok(result);
        }
        if let Some(file) = &self.file {
            file.save(&device).map_err(|error| {
                tracing::warn!(%error, "the simulator's state cannot be written");
                Sw::WRITE_FAILED
            })?;
        }
        (self.device, self.behind) = (device, false);
        Ok(result)
    }

    /// Sets a switch, whether or not the file can be written now: the next command that changes something writes it.
    pub(super) fn set(&mut self, habits: Habits) {
        let written = self.change(|device| {
            device.habits = habits;
            Ok(())
        });
        if written.is_err() {
            (self.device.habits, self.behind) = (habits, true);
        }
    }

    pub(super) fn dialect(&self) -> &'static Dialect {
        self.device.dialect()
    }

    fn process(&mut self, apdu: &[u8]) -> (Vec<u8>, Sw) {
        match self.pieces(apdu) {
            Ok((data, sw)) => (data, sw),
            Err(sw) => (Vec::new(), sw),
        }
    }

    /// The next part of an answer: the first for a new command, a later one for the same command once more.
    fn pieces(&mut self, apdu: &[u8]) -> Done<(Vec<u8>, Sw)> {
        let pending = self.session.pending.take();
        let challenge = self.session.spend();
        let frame = Frame::read(apdu)?;
        self.carries(&frame)?;
        let rest = match pending {
            Some((command, rest)) if command == apdu => Answer::long(rest),
            _ => answer(self, frame, challenge)?,
        };
        self.part(apdu, &frame, rest)
    }

    /// Whether this device takes a command of this form and length.
    fn carries(&self, frame: &Frame<'_>) -> Done<()> {
        let form = if self.device.habits.short_only { !frame.extended } else { frame.extended || self.dialect().short };
        // The four octets of a header alone are neither.
        let bare = frame.data.is_empty() && frame.expected.is_none();
        if (form || bare) && frame.data.len() <= usize::from(DATA_MAX) { Ok(()) } else { Err(Sw::LENGTH) }
    }

    fn part(&mut self, apdu: &[u8], frame: &Frame<'_>, answer: Answer) -> Done<(Vec<u8>, Sw)> {
        let mut most = frame.expected.unwrap_or(if frame.extended { 65_536 } else { 256 });
        if answer.long && self.device.habits.more_data {
            most = most.min(PART);
        }
        let mut data = answer.data;
        if data.len() <= most {
            return Ok((data, Sw::SUCCESS));
        }
        if !answer.long {
            return Err(Sw::EXPECTED_LENGTH);
        }
        let rest = data.split_off(most);
        self.session.pending = Some((apdu.to_vec(), rest));
        Ok((data, Sw::MORE_DATA))
    }
}

impl VirtualCard for Card {
    /// T=0 and T=1 are offered, with card capabilities (ISO/IEC 7816-4 §8.1.1.2.7) and the name `SIM17` in the historical bytes.
    fn atr(&self) -> Vec<u8> {
        let extended = if self.extended() { 0x40 } else { 0x00 };
        let mut atr = b"\x3B\x8B\x80\x01\x80\x73\x00\x00\x00\x65SIM17".to_vec();
        if let Some(capabilities) = atr.get_mut(8) {
            *capabilities = extended;
        }
        // TCK: everything behind the first octet and it make zero together (ISO/IEC 7816-3 §8.2.5).
        let check = atr.iter().skip(1).fold(0, |sum, octet| sum ^ octet);
        atr.push(check);
        atr
    }

    fn extended(&self) -> bool {
        !self.device.habits.short_only
    }

    fn reset(&mut self) {
        self.session = Session::default();
    }

    fn command(&mut self, apdu: &[u8]) -> Vec<u8> {
        let fault = self.plan.next();
        self.accident = fault.and_then(FaultKind::instead);
        if self.accident.is_some() {
            self.reset();
            return Vec::new();
        }
        if let Some(FaultKind::Button(time)) = fault {
            std::thread::sleep(time);
        }
        let (mut answer, Sw(sw)) = self.process(apdu);
        answer.extend_from_slice(&sw.to_be_bytes());
        match fault {
            None => answer,
            Some(FaultKind::Lost) => {
                self.accident = Some(Accident::Lost);
                Vec::new()
            }
            Some(FaultKind::Slow(time)) => {
                std::thread::sleep(time);
                answer
            }
            Some(other) => other.bend(answer),
        }
    }

    fn accident(&mut self) -> Option<Accident> {
        self.accident.take()
    }
}
