//! The card's outer half: what lies between the reader and the applet (ISO 7816-4, SP 800-73-4 part 2 and what tools expect).

use crate::piv::Applet;

/// The whole AID of the PIV applet (SP 800-73-4 part 1, 2.2).
const PIV_AID: &[u8] = &[0xa0, 0, 0, 3, 8, 0, 0, 0x10, 0, 1, 0];
/// Tools select by its first five octets, the NIST's number.
const PIV_RID: usize = 5;
/// A second applet on the card, that does nothing but be selected: real keys have several, and who selects another one logs
/// the PIV applet out. The AID is of the proprietary kind (ISO 7816-4, 8.2.1.2: F) and means nothing elsewhere.
const OTHER_AID: &[u8] = &[0xf0, b'O', b'T', b'H', b'E', b'R'];
/// GET VERSION says what keys say that tools know; the applet's own 6.6.6 is refused by some.
const VERSION: [u8; 3] = [5, 4, 3];
/// Most data that a chain of commands may bring.
const CHAIN: usize = 6 * 1024;

/// Instructions (ISO 7816-4 and Yubico's extensions of PIV).
pub(crate) mod ins {
    pub(crate) const SELECT: u8 = 0xa4;
    pub(crate) const GET_RESPONSE: u8 = 0xc0;
    pub(crate) const GET_SERIAL: u8 = 0xf8;
    pub(crate) const GET_VERSION: u8 = 0xfd;
}

/// Status words (ISO 7816-4, 5.6).
mod sw {
    pub(super) const OK: u16 = 0x9000;
    pub(super) const MORE: u16 = 0x6100;
    pub(super) const WRONG_LENGTH: u16 = 0x6700;
    pub(super) const CONDITIONS: u16 = 0x6985;
    pub(super) const NOT_FOUND: u16 = 0x6a82;
    pub(super) const WRONG_P1P2: u16 = 0x6a86;
    pub(super) const NO_INSTRUCTION: u16 = 0x6d00;
    pub(super) const NO_CLASS: u16 = 0x6e00;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selected {
    None,
    Piv,
    Other,
}

/// What the card remembers between two commands.
pub(crate) struct Card {
    serial: u32,
    extended: bool,
    selected: Selected,
    /// Header and data of a chain that is not at its end.
    chain: Option<([u8; 3], Vec<u8>)>,
    /// What GET RESPONSE will bring.
    rest: Vec<u8>,
    /// The applet was left and has to forget who was logged in.
    pub(crate) left_piv: bool,
}

/// The parts of a command (ISO 7816-4, 5.1).
struct Command<'a> {
    class: u8,
    /// INS, P1, P2.
    header: [u8; 3],
    data: &'a [u8],
    /// How much data may come back at once.
    room: usize,
}

impl Card {
    /// A card that was just inserted.
    pub(crate) fn new(serial: u32, extended: bool) -> Self {
        Card { serial, extended, selected: Selected::None, chain: None, rest: Vec::new(), left_piv: false }
    }

    /// Power was lost, or the card was reset.
    pub(crate) fn forget(&mut self) {
        *self = Card::new(self.serial, self.extended);
    }

    /// The whole answer, status word at its end.
    pub(crate) fn exchange(&mut self, piv: &mut dyn Applet, apdu: &[u8]) -> Vec<u8> {
        let (mut data, status) = match self.answer(piv, apdu) {
            Ok((data, status)) => (data, status),
            Err(status) => (Vec::new(), status),
        };
        data.extend(status.to_be_bytes());
        data
    }

    fn answer(&mut self, piv: &mut dyn Applet, apdu: &[u8]) -> Result<(Vec<u8>, u16), u16> {
        let command = parse(apdu, self.extended)?;
        if command.class & !0x10 != 0 {
            return Err(sw::NO_CLASS);
        }
        let rest = std::mem::take(&mut self.rest);
        if command.header[0] == ins::GET_RESPONSE {
            return if rest.is_empty() { Err(sw::CONDITIONS) } else { Ok(self.give(rest, command.room)) };
        }
        let Some(data) = self.unchained(&command)? else { return Ok((Vec::new(), sw::OK)) };
        let answer = self.run(piv, command.header, &data)?;
        Ok(self.give(answer, command.room))
    }

    /// Command chaining (ISO 7816-4, 5.1.1.1): the data of the whole command when it is at its end.
    fn unchained(&mut self, command: &Command<'_>) -> Result<Option<Vec<u8>>, u16> {
        let mut data = match self.chain.take() {
            Some((header, data)) if header == command.header => data,
            _ => Vec::new(),
        };
        data.extend(command.data);
        if data.len() > CHAIN {
            return Err(sw::WRONG_LENGTH);
        }
        if command.class & 0x10 == 0 {
            return Ok(Some(data));
        }
        self.chain = Some((command.header, data));
        Ok(None)
    }

    fn run(&mut self, piv: &mut dyn Applet, header: [u8; 3], data: &[u8]) -> Result<Vec<u8>, u16> {
        match (header[0], self.selected) {
            (ins::SELECT, _) => self.select(piv, header, data),
            (_, Selected::None | Selected::Other) => Err(sw::NO_INSTRUCTION),
            (ins::GET_VERSION, Selected::Piv) => Ok(VERSION.to_vec()),
            (ins::GET_SERIAL, Selected::Piv) => Ok(self.serial.to_be_bytes().to_vec()),
            (_, Selected::Piv) => piv.respond(&whole(header, data)),
        }
    }

    /// An unknown AID leaves everything as it is (SP 800-73-4 part 2, 3.1.1); so does selecting PIV again.
    fn select(&mut self, piv: &mut dyn Applet, header: [u8; 3], aid: &[u8]) -> Result<Vec<u8>, u16> {
        if header[1..] != [4, 0] {
            return Err(sw::WRONG_P1P2);
        }
        if aid == OTHER_AID {
            self.left_piv = self.selected == Selected::Piv;
            self.selected = Selected::Other;
            return Ok(Vec::new());
        }
        if aid.len() < PIV_RID || !PIV_AID.starts_with(aid) {
            return Err(sw::NOT_FOUND);
        }
        let answer = piv.respond(&whole(header, PIV_AID))?;
        self.selected = Selected::Piv;
        Ok(answer)
    }

    /// As much as there is room for; the rest is for GET RESPONSE (ISO 7816-4, 5.3.4).
    fn give(&mut self, mut data: Vec<u8>, room: usize) -> (Vec<u8>, u16) {
        if data.len() <= room {
            return (data, sw::OK);
        }
        self.rest = data.split_off(room);
        let left = u8::try_from(self.rest.len()).unwrap_or(0); // 00: 256 or more
        (data, sw::MORE | u16::from(left))
    }
}

/// A short command may bring 256 octets back even without Le, as over T=1: yubico-piv-tool sends GENERAL AUTHENTICATE so.
/// A card that does not speak of extended lengths does not take them.
fn parse(apdu: &[u8], extended: bool) -> Result<Command<'_>, u16> {
    let (&[class, ins, p1, p2], body) = apdu.split_first_chunk::<4>().ok_or(sw::WRONG_LENGTH)?;
    let short = |n: u8| if n == 0 { 256 } else { usize::from(n) };
    let long = |high: u8, low: u8| match u16::from_be_bytes([high, low]) {
        0 => 65536,
        n => usize::from(n),
    };
    let (data, room): (&[u8], usize) = match *body {
        [] => (&[], 256),
        [le] => (&[], short(le)),
        [0, high, low] if extended => (&[], long(high, low)),
        [0, high, low, ref more @ ..] if extended => {
            let lc = usize::from(u16::from_be_bytes([high, low]));
            let (data, le) = more.split_at_checked(lc).ok_or(sw::WRONG_LENGTH)?;
            match *le {
                [] => (data, 65536),
                [high, low] => (data, long(high, low)),
                _ => return Err(sw::WRONG_LENGTH),
            }
        }
        [lc, ref more @ ..] if lc != 0 => {
            let (data, le) = more.split_at_checked(usize::from(lc)).ok_or(sw::WRONG_LENGTH)?;
            match *le {
                [] => (data, 256),
                [le] => (data, short(le)),
                _ => return Err(sw::WRONG_LENGTH),
            }
        }
        _ => return Err(sw::WRONG_LENGTH),
    };
    Ok(Command { class, header: [ins, p1, p2], data, room })
}

/// One extended command for the applet, however it came.
fn whole([ins, p1, p2]: [u8; 3], data: &[u8]) -> Vec<u8> {
    let mut command = vec![0, ins, p1, p2];
    if !data.is_empty() {
        command.push(0);
        command.extend(u16::try_from(data.len()).expect("chains are shorter").to_be_bytes());
        command.extend(data);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers 300 octets to GET DATA, and to anything else its own length.
    struct Echo;

    impl Applet for Echo {
        fn respond(&mut self, command: &[u8]) -> Result<Vec<u8>, u16> {
            Ok(if command[1] == 0xcb { vec![7; 300] } else { command.len().to_be_bytes()[6..].to_vec() })
        }
    }

    fn selected(extended: bool) -> Card {
        let mut card = Card::new(1, extended);
        let answer = card.exchange(&mut Echo, &[0, 0xa4, 4, 0, 5, 0xa0, 0, 0, 3, 8]);
        assert_eq!(answer[answer.len() - 2..], [0x90, 0]);
        card
    }

    #[test]
    fn long_answers_come_in_parts_unless_lengths_are_extended() {
        let mut card = selected(true);
        for case in [&[0, 0xcb, 0x3f, 0xff][..], &[0, 0xcb, 0x3f, 0xff, 0], &[0, 0xcb, 0x3f, 0xff, 1, 9, 0]] {
            let part = card.exchange(&mut Echo, case);
            assert_eq!((part.len(), &part[256..]), (258, &[0x61, 44][..]));
            assert_eq!(card.exchange(&mut Echo, &[0, 0xc0, 0, 0, 44]).len(), 46);
            assert_eq!(card.exchange(&mut Echo, &[0, 0xc0, 0, 0, 44]), [0x69, 0x85]);
        }
        for case in [&[0, 0xcb, 0x3f, 0xff, 0, 0, 0][..], &[0, 0xcb, 0x3f, 0xff, 0, 0, 1, 9, 0, 0]] {
            let all = card.exchange(&mut Echo, case);
            assert_eq!((all.len(), &all[300..]), (302, &[0x90, 0][..]));
        }
    }

    #[test]
    fn a_card_that_does_not_speak_of_extended_lengths_refuses_them() {
        let mut card = selected(false);
        assert_eq!(card.exchange(&mut Echo, &[0, 0xcb, 0x3f, 0xff, 0, 0, 1, 9, 0, 0]), [0x67, 0]);
        assert_eq!(card.exchange(&mut Echo, &[0, 0xcb, 0x3f, 0xff, 0, 0, 0]), [0x67, 0]);
        assert_eq!(card.exchange(&mut Echo, &[0, 0xcb, 0x3f, 0xff, 2, 9]), [0x67, 0]);
        assert_eq!(card.exchange(&mut Echo, &[0, 0xcb]), [0x67, 0]);
    }

    #[test]
    fn a_chain_is_one_command_and_another_command_ends_it() {
        let mut card = selected(false);
        let link = [0x10, 0xdb, 0x3f, 0xff, 3, 1, 2, 3];
        let last = [0x00, 0xdb, 0x3f, 0xff, 2, 4, 5];
        assert_eq!(card.exchange(&mut Echo, &link), [0x90, 0]);
        assert_eq!(card.exchange(&mut Echo, &last), [0, 4 + 3 + 5, 0x90, 0]);
        assert_eq!(card.exchange(&mut Echo, &link), [0x90, 0]);
        assert_eq!(card.exchange(&mut Echo, &[0, 0x20, 0, 0x80]), [0, 4, 0x90, 0]);
        assert_eq!(card.exchange(&mut Echo, &last), [0, 4 + 3 + 2, 0x90, 0]);
    }

    #[test]
    fn nothing_works_before_select_and_the_other_applet_takes_piv_away() {
        let mut card = Card::new(1, false);
        let verify = [0, 0x20, 0, 0x80];
        assert_eq!(card.exchange(&mut Echo, &verify), [0x6d, 0]);
        let mut card = selected(false);
        let unknown = [0, 0xa4, 4, 0, 6, 0xa0, 0, 0, 3, 8, 9];
        assert_eq!(card.exchange(&mut Echo, &unknown), [0x6a, 0x82]);
        assert_eq!(card.exchange(&mut Echo, &verify), [0, 4, 0x90, 0]);
        assert!(!card.left_piv);
        let other = [&[0, 0xa4, 4, 0, 6][..], OTHER_AID].concat();
        assert_eq!(card.exchange(&mut Echo, &other), [0x90, 0]);
        assert!(card.left_piv);
        assert_eq!(card.exchange(&mut Echo, &verify), [0x6d, 0]);
    }
}
