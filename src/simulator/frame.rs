//! Commands as they come over the wire, and the fields of their data.

use super::dialect::{Dialect, Order};
use super::status::{Done, Sw};

/// Two octets that name an open application, a container or a session key. Nobody reads a number in them.
pub(super) type Id = [u8; 2];

/// One command (ISO/IEC 7816-4 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) cla: u8,
    pub(super) ins: u8,
    pub(super) p1: u8,
    pub(super) p2: u8,
    pub(super) data: &'a [u8],
    /// How many octets are expected at the most; `None` where the command does not say.
    pub(super) expected: Option<usize>,
    pub(super) extended: bool,
}

impl<'a> Frame<'a> {
    /// Takes a command apart. Nothing of it is judged but its lengths.
    pub(super) fn read(octets: &'a [u8]) -> Done<Self> {
        let [cla, ins, p1, p2, body @ ..] = octets else { return Err(Sw::LENGTH) };
        let (data, expected, extended) = match body {
            [] => (&[][..], None, false),
            [le] => (&[][..], Some(short(*le)), false),
            [0, high, low] => (&[][..], Some(long(*high, *low)), true),
            [0, high, low, rest @ ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let (data, le) = rest.split_at_checked(length).ok_or(Sw::LENGTH)?;
                match le {
                    _ if length == 0 => return Err(Sw::LENGTH),
                    [] => (data, None, true),
                    [high, low] => (data, Some(long(*high, *low)), true),
                    _ => return Err(Sw::LENGTH),
                }
            }
            [length, rest @ ..] => {
                let (data, le) = rest.split_at_checked(usize::from(*length)).ok_or(Sw::LENGTH)?;
                match le {
                    [] => (data, None, false),
                    [le] => (data, Some(short(*le)), false),
                    _ => return Err(Sw::LENGTH),
                }
            }
        };
        Ok(Frame { cla: *cla, ins: *ins, p1: *p1, p2: *p2, data, expected, extended })
    }

    /// Refuses parameters other than these.
    pub(super) fn only(&self, p1: u8, p2: u8) -> Done<()> {
        if (self.p1, self.p2) == (p1, p2) { Ok(()) } else { Err(Sw::P1P2) }
    }

    /// The data, field by field.
    pub(super) fn fields(&self, dialect: &Dialect) -> Fields<'a> {
        Fields { rest: self.data, order: dialect.order }
    }
}

/// Le 00 is 256 (§5.1).
fn short(le: u8) -> usize {
    if le == 0 { 256 } else { usize::from(le) }
}

/// Le 0000 is 65,536 (§5.1).
fn long(high: u8, low: u8) -> usize {
    match u16::from_be_bytes([high, low]) {
        0 => 65_536,
        n => usize::from(n),
    }
}

/// What is left of a command's data. A field that is not there is a wrong length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    order: Order,
}

impl<'a> Fields<'a> {
    pub(super) fn octets(&mut self, count: usize) -> Done<&'a [u8]> {
        let (field, rest) = self.rest.split_at_checked(count).ok_or(Sw::LENGTH)?;
        self.rest = rest;
        Ok(field)
    }

    fn array<const N: usize>(&mut self) -> Done<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(Sw::LENGTH)?;
        self.rest = rest;
        Ok(*field)
    }

    pub(super) fn id(&mut self) -> Done<Id> {
        self.array()
    }

    pub(super) fn block(&mut self) -> Done<[u8; 16]> {
        self.array()
    }

    pub(super) fn coordinate(&mut self) -> Done<[u8; 32]> {
        self.array()
    }

    /// X and Y.
    pub(super) fn point(&mut self) -> Done<[u8; 64]> {
        self.array()
    }

    pub(super) fn u8(&mut self) -> Done<u8> {
        let [octet] = self.array()?;
        Ok(octet)
    }

    pub(super) fn u16(&mut self) -> Done<u16> {
        let octets = self.array()?;
        Ok(match self.order {
            Order::Little => u16::from_le_bytes(octets),
            Order::Big => u16::from_be_bytes(octets),
        })
    }

    pub(super) fn u32(&mut self) -> Done<u32> {
        let octets = self.array()?;
        Ok(match self.order {
            Order::Little => u32::from_le_bytes(octets),
            Order::Big => u32::from_be_bytes(octets),
        })
    }

    /// A length field of four octets, and what it counts.
    pub(super) fn counted(&mut self) -> Done<&'a [u8]> {
        let length = usize::try_from(self.u32()?).map_err(|_| Sw::LENGTH)?;
        self.octets(length)
    }

    /// The same as fields.
    pub(super) fn nested(&mut self) -> Done<Fields<'a>> {
        Ok(Fields { rest: self.counted()?, order: self.order })
    }

    /// The rest as a name.
    pub(super) fn name(&mut self) -> Done<&'a str> {
        name(std::mem::take(&mut self.rest))
    }

    /// A name in a field of fixed width, with zeros behind it.
    pub(super) fn wide_name(&mut self, width: usize) -> Done<&'a str> {
        name(self.octets(width)?)
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn end(&self) -> Done<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(Sw::LENGTH) }
    }
}

/// Without the zeros behind.
pub(super) fn trimmed(field: &[u8]) -> &[u8] {
    let end = field.iter().rposition(|octet| *octet != 0).map_or(0, |last| last.saturating_add(1));
    field.get(..end).unwrap_or_default()
}

/// Names are UTF-8 without control characters.
fn name(field: &[u8]) -> Done<&str> {
    let name = std::str::from_utf8(trimmed(field)).map_err(|_| Sw::DATA_FIELD)?;
    if is_name(name) { Ok(name) } else { Err(Sw::DATA_FIELD) }
}

/// Whether something can be named so.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}
