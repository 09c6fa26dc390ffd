//! What the input says.
//!
//! Three octets make the card and choose the acts, and then come answers:
//!
//! - octet 0: bit 0 *every answer is from the input*; bit 1 extended lengths; bits 2 and 3 the maker; bits 4 and 5 wrong PINs of others
//!   before; bit 6 no CHUID; bit 7 the global PIN.
//! - octet 1: bits for the acts, 00 for all of them.
//! - octet 2: retired certificates that the key history speaks of.
//!
//! Where the card answers, the rest is deviations: how many commands are answered well before it, which [`Change`], two octets for it, and
//! octets where it wants some. Where the input answers, the rest is answers: a length and so many octets; length FE is a [`Change`], length
//! FF has two octets of length after it. Its end is the card's end.

use crate::card::Make;

/// What an answer becomes, or what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These octets instead.
    Octets(Vec<u8>),
    /// So many octets and no more.
    Cut(usize),
    /// The same data under another status word.
    Status(u16),
    /// No data and a status word.
    Only(u16),
    /// One octet is another.
    Flip(usize, u8),
    /// Octets in between.
    Insert(usize, Vec<u8>),
    /// A length of four octets at this place.
    Length(usize, u32),
    /// As much more data.
    Long(usize),
    /// So many commands from here on are answered by this status word, each with so much data.
    Loop(u16, usize, usize),
    /// What the card answered to the command before.
    Again,
    /// What happens to the card.
    Event(Event),
}

/// What happens to a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Pulled out before the command reaches it.
    Removed,
    /// Pulled out after it did the command.
    Lost,
    /// Pulled out before the command, and put in again.
    Back,
    /// The command is done and the answer lost; the card is in again.
    LostAndBack,
    /// Another program resets it, before and after.
    Reset,
    ResetAfter,
    /// Another card that says it is this one, in its place.
    Twin,
    /// Another application is selected.
    Foreign,
    /// Another program changes the PIN.
    OtherPin,
    /// The service is stopped and started.
    Restart,
}

const EVENTS: [Event; 10] = [
    Event::Removed,
    Event::Lost,
    Event::Back,
    Event::LostAndBack,
    Event::Reset,
    Event::ResetAfter,
    Event::Twin,
    Event::Foreign,
    Event::OtherPin,
    Event::Restart,
];

impl Event {
    fn of(octet: u8) -> Event {
        EVENTS[usize::from(octet) % EVENTS.len()]
    }
}

/// The input, as far as it is read.
#[derive(Debug, Clone)]
pub struct Script {
    pub make: Make,
    /// The first three octets, as they are: each family of cards reads the first and the last of them in its own way.
    pub head: [u8; 3],
    pub acts: u8,
    /// Every answer is from the input.
    pub raw: bool,
    /// What a device answers that has more to say, beside 61xx; 6C00 stands for each length.
    again: u16,
    rest: Vec<u8>,
    at: usize,
    /// Commands until the next deviation.
    gap: Option<u8>,
    looping: Option<(u16, usize, usize)>,
    /// A stopped service costs time: once is enough.
    restarted: bool,
}

impl Script {
    pub fn of(input: &[u8]) -> Self {
        let octet = |i: usize| input.get(i).copied().unwrap_or_default();
        let (flags, acts) = (octet(0), octet(1));
        let make = Make {
            extended: flags & 2 != 0,
            atr: flags >> 2 & 3,
            wrong_before: flags >> 4 & 3,
            anonymous: flags & 0x40 != 0,
            global_pin: flags & 0x80 != 0,
            retired: octet(2),
        };
        Script {
            make,
            head: [flags, acts, octet(2)],
            acts: if acts == 0 { 0xFF } else { acts },
            raw: flags & 1 != 0,
            again: 0x6C00,
            rest: input.get(3..).unwrap_or_default().to_vec(),
            at: 0,
            gap: None,
            looping: None,
            restarted: false,
        }
    }

    /// For a device of GM/T 0017, which asks for the same command once more (6A9E) where others speak of another length (6Cxx).
    pub fn for_gm(self) -> Self {
        Script { again: 0x6A9E, ..self }
    }

    fn octet(&mut self) -> Option<u8> {
        let octet = self.rest.get(self.at).copied();
        self.at += usize::from(octet.is_some());
        octet
    }

    fn octets(&mut self, length: usize) -> Vec<u8> {
        let end = self.rest.len().min(self.at + length);
        let octets = self.rest[self.at..end].to_vec();
        self.at = end;
        octets
    }

    /// What happens at the next command; `None`: the card answers as it does.
    pub fn at_command(&mut self) -> Option<Change> {
        if let Some((status, data, left)) = self.looping.take() {
            self.looping = left.checked_sub(1).map(|left| (status, data, left));
            return Some(Change::Loop(status, data, left));
        }
        let change = if self.raw { self.answer() } else { self.deviation() };
        match change {
            Some(Change::Loop(status, data, times)) => {
                self.looping = times.checked_sub(1).map(|left| (status, data, left))
            }
            Some(Change::Event(Event::Restart)) if std::mem::replace(&mut self.restarted, true) => return None,
            _ => {}
        }
        change
    }

    fn answer(&mut self) -> Option<Change> {
        let length = match self.octet() {
            None => return Some(Change::Event(Event::Removed)),
            Some(0xFE) => return Some(Change::Event(Event::of(self.octet()?))),
            Some(0xFF) => usize::from(self.octet()?) << 8 | usize::from(self.octet()?),
            Some(short) => usize::from(short),
        };
        Some(Change::Octets(self.octets(length)))
    }

    fn deviation(&mut self) -> Option<Change> {
        let gap = match self.gap {
            Some(gap) => gap,
            None => self.octet()?,
        };
        self.gap = gap.checked_sub(1);
        if self.gap.is_some() {
            return None;
        }
        let (kind, a, b) = (self.octet()?, self.octet()?, self.octet()?);
        let (place, word) = (usize::from(a), u16::from_be_bytes([a, b]));
        Some(match kind % 12 {
            0 => Change::Octets(self.octets(usize::from(word & 0x0FFF))),
            1 => Change::Cut(usize::from(word & 0x03FF)),
            2 => Change::Status(word),
            3 => Change::Only(word),
            4 => Change::Flip(place, b),
            5 => Change::Insert(place, self.octets(usize::from(b & 0x3F))),
            6 => Change::Length(place, u32::MAX >> (b & 31)),
            7 => Change::Long(usize::from(word)),
            8 => Change::Loop(0x6100 | u16::from(a), usize::from(b & 15), times(b)),
            9 if self.again != 0x6C00 => Change::Loop(self.again, usize::from(b & 15), times(b)),
            9 => Change::Loop(0x6C00 | u16::from(a), usize::from(b & 15), times(b)),
            10 => Change::Again,
            _ => Change::Event(Event::of(a)),
        })
    }
}

/// How long a loop is: up to more than an act may send.
fn times(octet: u8) -> usize {
    1 + 1024 * usize::from(octet >> 4)
}

/// Does to an answer what the input says.
pub fn bend(mut answer: Vec<u8>, change: &Change, before: &[u8]) -> Vec<u8> {
    let data = answer.len().saturating_sub(2);
    match change {
        Change::Octets(octets) => octets.clone(),
        Change::Cut(length) => {
            answer.truncate(*length);
            answer
        }
        Change::Status(status) => [&answer[..data], &status.to_be_bytes()].concat(),
        Change::Only(status) => status.to_be_bytes().to_vec(),
        Change::Flip(place, with) => {
            let length = answer.len().max(1);
            if let Some(octet) = answer.get_mut(place % length) {
                *octet ^= with | 1;
            }
            answer
        }
        Change::Insert(place, octets) => {
            let at = (*place).min(answer.len());
            [&answer[..at], octets, &answer[at..]].concat()
        }
        Change::Length(place, length) => {
            let at = (*place).min(answer.len());
            let after = (at + 1).min(answer.len());
            [&answer[..at], &[0x84], &length.to_be_bytes(), &answer[after..]].concat()
        }
        Change::Long(more) => [&answer[..data], &vec![0x5A; *more], &answer[data..]].concat(),
        Change::Loop(status, length, _) => [&vec![0x53; *length], &status.to_be_bytes()[..]].concat(),
        Change::Again => before.to_vec(),
        Change::Event(_) => answer,
    }
}
