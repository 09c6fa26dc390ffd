//! One command and its forms on the wire (ISO/IEC 7816-4:2013 §5.1).

use std::fmt;

use zeroize::Zeroizing;

use super::{Sensitive, Sw, Wire};
use crate::error::{Error, ErrorKind, Result};

/// The most data of a short command (§5.1: Lc is one octet, not 00).
pub(super) const SHORT_MAX: usize = 255;
/// CLA bit 5: this is not the last command of a chain (§5.1.1.1).
pub(super) const CHAINED: u8 = 0x10;

/// How much of an answer is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// No data: there is no Le.
    Nothing,
    /// Up to 256 octets, or as many parts of that as it takes.
    Some,
    /// Much: in one part where card and reader can carry it.
    Much,
    /// Exactly this many octets: what a card asked for with 6Cxx, or what the answer of a command always has. The short form says no more than
    /// 256 and leaves the rest to the card's "more data".
    Exactly(u16),
}

/// One command: INS, P1, P2, data, and how much is expected. Its data is wiped on drop; `Debug` shows its name, header and length.
pub struct Command {
    name: &'static str,
    header: [u8; 4],
    data: Zeroizing<Vec<u8>>,
    expect: Expect,
    sensitive: Sensitive,
    wide: bool,
    repeat_on: Option<u16>,
}

impl Command {
    /// A command of the interindustry class (CLA 00) without data; `name` is the standard's, for errors.
    #[must_use]
    pub fn new(name: &'static str, ins: u8, p1: u8, p2: u8) -> Self {
        let (header, data) = ([0, ins, p1, p2], Zeroizing::default());
        let (expect, sensitive) = (Expect::Nothing, Sensitive::No);
        Command { name, header, data, expect, sensitive, wide: false, repeat_on: None }
    }

    /// Of another class than the interindustry one.
    #[must_use]
    pub fn class(mut self, class: u8) -> Self {
        let [_, ins, p1, p2] = self.header;
        self.header = [class, ins, p1, p2];
        self
    }

    /// In the extended form wherever card and reader carry it, however short it is, and never as a chain: for standards that know one command
    /// and no chaining.
    #[must_use]
    pub fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// For a card that gives a long answer in parts, each for the same command sent once more: with this status word it says that more
    /// waits. For commands that only read.
    #[must_use]
    pub fn repeat_on(mut self, sw: u16) -> Self {
        self.repeat_on = Some(sw);
        self
    }

    /// With data.
    #[must_use]
    pub fn data(mut self, data: &[u8]) -> Self {
        self.data = Zeroizing::new(data.to_vec());
        self
    }

    /// With an answer.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    /// With something that no log may show. A command whose own data is secret is never sent twice.
    #[must_use]
    pub fn sensitive(mut self, sensitive: Sensitive) -> Self {
        self.sensitive = sensitive;
        self
    }

    /// Its name in errors.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it may go out a second time, when the card asks for that.
    pub(super) fn may_repeat(&self) -> bool {
        matches!(self.sensitive, Sensitive::No | Sensitive::Answer)
    }

    /// Whether this status word says that the rest of the answer comes when the command is sent again.
    pub(super) fn is_repeated_on(&self, sw: Sw) -> bool {
        self.may_repeat() && self.repeat_on == Some(sw.raw())
    }

    /// Whether it goes as one command or not at all.
    pub(super) fn is_wide(&self) -> bool {
        self.wide
    }

    pub(super) fn expects(&self) -> Expect {
        self.expect
    }

    pub(super) fn length(&self) -> usize {
        self.data.len()
    }

    /// Whether the extended form would do in one command what the short form does in several.
    pub(super) fn is_long(&self) -> bool {
        self.data.len() > SHORT_MAX || self.expect == Expect::Much
    }

    /// Whether it goes in the extended form where that is carried. A secret has to be right at the first time, so only standards that have no
    /// other form get it so.
    pub(super) fn prefers_extended(&self) -> bool {
        self.wide || (self.is_long() && self.may_repeat())
    }

    /// GET RESPONSE (§7.6.1) for the rest of this command's answer.
    pub(super) fn get_response(&self, length: u8) -> Command {
        let expect = if length == 0 { Expect::Some } else { Expect::Exactly(u16::from(length)) };
        let sensitive = match self.sensitive {
            Sensitive::Answer | Sensitive::Both => Sensitive::Answer,
            Sensitive::No | Sensitive::Command => Sensitive::No,
        };
        Command::new("GET RESPONSE", 0xC0, 0, 0).expect(expect).sensitive(sensitive)
    }

    /// The short form: one command, or a chain where the data is longer than one can carry. Never empty.
    pub(super) fn short(&self, expect: Expect) -> Vec<Wire> {
        let [cla, ins, p1, p2] = self.header;
        let le = match expect {
            Expect::Nothing => None,
            // Le 00 is 256 (§5.1).
            Expect::Some | Expect::Much => Some(0),
            Expect::Exactly(n) => Some(u8::try_from(n).unwrap_or(0)),
        };
        let parts: Vec<&[u8]> = if self.data.is_empty() { vec![&[]] } else { self.data.chunks(SHORT_MAX).collect() };
        let last = parts.len().saturating_sub(1);
        let wire = |(i, part): (usize, &&[u8])| {
            let class = if i == last { cla } else { cla | CHAINED };
            let mut octets = Vec::with_capacity(part.len().saturating_add(6));
            octets.extend_from_slice(&[class, ins, p1, p2]);
            // Chunks are at most 255 long; an empty part has no Lc.
            octets.extend(u8::try_from(part.len()).ok().filter(|n| *n > 0));
            octets.extend_from_slice(part);
            octets.extend(le.filter(|_| i == last));
            Wire::new(octets, self.sensitive)
        };
        parts.iter().enumerate().map(wire).collect()
    }

    /// The extended form: Lc and Le have two octets after a 00, and Le's 00 stands only where Lc is absent (§5.1).
    pub(super) fn extended(&self) -> Result<Wire> {
        let length = u16::try_from(self.data.len())
            .map_err(|_| Error::new(ErrorKind::Argument, self.name).detail("data too long"))?;
        let mut octets = Vec::with_capacity(self.data.len().saturating_add(10));
        octets.extend_from_slice(&self.header);
        if length > 0 {
            octets.push(0);
            octets.extend_from_slice(&length.to_be_bytes());
            octets.extend_from_slice(&self.data);
        }
        let le = match self.expect {
            Expect::Nothing => None,
            Expect::Some => Some(256),
            // Le 0000 is 65,536 (§5.1).
            Expect::Much => Some(0),
            Expect::Exactly(n) => Some(n),
        };
        if let Some(le) = le {
            if length == 0 {
                octets.push(0);
            }
            octets.extend_from_slice(&le.to_be_bytes());
        }
        Ok(Wire::new(octets, self.sensitive))
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:02X?} ({} octets)", self.name, self.header, self.data.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(command: &Command) -> Vec<Vec<u8>> {
        command.short(command.expect).iter().map(|w| w.octets().to_vec()).collect()
    }

    #[test]
    fn the_four_cases_have_the_short_form_of_the_standard() {
        let command = || Command::new("X", 0xCB, 0x3F, 0xFF);
        assert_eq!(short(&command()), [[0, 0xCB, 0x3F, 0xFF]]);
        assert_eq!(short(&command().expect(Expect::Some)), [[0, 0xCB, 0x3F, 0xFF, 0]]);
        assert_eq!(short(&command().expect(Expect::Exactly(256))), [[0, 0xCB, 0x3F, 0xFF, 0]]);
        assert_eq!(short(&command().expect(Expect::Exactly(7))), [[0, 0xCB, 0x3F, 0xFF, 7]]);
        assert_eq!(short(&command().data(&[9, 8])), [[0, 0xCB, 0x3F, 0xFF, 2, 9, 8]]);
        assert_eq!(short(&command().data(&[9, 8]).expect(Expect::Much)), [[0, 0xCB, 0x3F, 0xFF, 2, 9, 8, 0]]);
    }

    #[test]
    fn the_four_cases_have_the_extended_form_of_the_standard() {
        let command = || Command::new("X", 0xCB, 0x3F, 0xFF);
        let extended = |c: Command| c.extended().unwrap().octets().to_vec();
        assert_eq!(extended(command()), [0, 0xCB, 0x3F, 0xFF]);
        assert_eq!(extended(command().expect(Expect::Much)), [0, 0xCB, 0x3F, 0xFF, 0, 0, 0]);
        assert_eq!(extended(command().expect(Expect::Some)), [0, 0xCB, 0x3F, 0xFF, 0, 1, 0]);
        assert_eq!(extended(command().data(&[9])), [0, 0xCB, 0x3F, 0xFF, 0, 0, 1, 9]);
        assert_eq!(extended(command().data(&[9]).expect(Expect::Much)), [0, 0xCB, 0x3F, 0xFF, 0, 0, 1, 9, 0, 0]);
        let long = extended(command().data(&[7; 300]));
        assert_eq!((&long[4..7], long.len()), (&[0, 1, 44][..], 307));
        assert!(command().data(&[0; 65_536]).extended().is_err());
    }

    #[test]
    fn a_class_of_its_own_stands_in_every_form() {
        let command = || Command::new("X", 0x04, 0, 0).class(0x84).wide();
        assert_eq!(short(&command().data(&[9])), [[0x84, 4, 0, 0, 1, 9]]);
        assert_eq!(command().expect(Expect::Exactly(288)).extended().unwrap().octets(), [0x84, 4, 0, 0, 0, 1, 0x20]);
        assert_eq!(short(&command().expect(Expect::Exactly(288))), [[0x84, 4, 0, 0, 0]]);
    }

    #[test]
    fn a_chain_carries_all_octets_in_order_and_only_its_last_command_ends_it() {
        for length in [255_usize, 256, 510, 511, 4_000] {
            let data: Vec<u8> = (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let chain = short(&Command::new("PUT DATA", 0xDB, 0x3F, 0xFF).data(&data).expect(Expect::Some));
            let (last, before) = chain.split_last().unwrap();
            assert!(before.iter().all(|w| w[0] == CHAINED && w.len() == 4 + 1 + 255), "{length}");
            assert_eq!((last[0], last[last.len() - 1]), (0, 0));
            let mut whole: Vec<u8> = before.iter().flat_map(|w| w[5..].to_vec()).collect();
            whole.extend_from_slice(&last[5..last.len() - 1]);
            assert_eq!(whole, data);
        }
    }

    #[test]
    fn the_mark_of_a_secret_reaches_every_part() {
        let secret = Command::new("X", 0xDB, 0, 0).data(&[1; 600]).sensitive(Sensitive::Both);
        assert!(secret.short(Expect::Nothing).iter().all(|w| w.sensitive() == Sensitive::Both));
        assert_eq!(secret.get_response(0).sensitive, Sensitive::Answer);
        assert!(!secret.may_repeat());
        assert!(!format!("{secret:?}").contains("1, 1"));
    }
}
