//! Data objects in BER-TLV (ISO/IEC 7816-4:2013 §5.2.2, ISO/IEC 8825-1): reading what a card sent, and writing.
//!
//! A length from a card is compared with what is there and used for nothing else. Nothing is copied and nothing recurses: whoever goes
//! down into an object asks for its children, at most [`policy::TLV_DEPTH`] times.

use crate::error::{Error, ErrorKind, Result};
use crate::policy;

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::TokenAnswer, "read data object").detail(what.to_owned())
}

/// One data object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object<'a> {
    /// Its tag as it is written, such as 0x53, 0x7F49 or 0x5FC105.
    pub tag: u32,
    /// Its value.
    pub value: &'a [u8],
    depth: usize,
}

impl<'a> Object<'a> {
    /// The data objects inside.
    ///
    /// # Errors
    /// `TokenAnswer` where objects are nested too deeply.
    pub fn children(&self) -> Result<Objects<'a>> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| bad("data objects nested too deeply"))?;
        Ok(Objects { rest: self.value, depth })
    }
}

/// Data objects one after the other. After an error there are no more.
#[derive(Debug, Clone)]
pub struct Objects<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> Objects<'a> {
    /// Reads `octets`.
    #[must_use]
    pub fn new(octets: &'a [u8]) -> Self {
        Objects { rest: octets, depth: policy::TLV_DEPTH }
    }

    /// The first object with this tag.
    ///
    /// # Errors
    /// `TokenAnswer` where what stands before it cannot be read.
    pub fn find(self, tag: u32) -> Result<Option<Object<'a>>> {
        for object in self {
            let object = object?;
            if object.tag == tag {
                return Ok(Some(object));
            }
        }
        Ok(None)
    }

    /// The first object with this tag, which has to be there.
    ///
    /// # Errors
    /// `TokenAnswer` where it is not.
    pub fn need(self, tag: u32) -> Result<Object<'a>> {
        self.find(tag)?.ok_or_else(|| bad(&format!("no data object {tag:02X}")))
    }

    /// The one object that is there, with this tag.
    ///
    /// # Errors
    /// `TokenAnswer` for none, another, or several.
    pub fn only(mut self, tag: u32) -> Result<Object<'a>> {
        match (self.next(), self.next()) {
            (Some(Ok(object)), None) if object.tag == tag => Ok(object),
            (Some(Err(error)), _) => Err(error),
            _ => Err(bad(&format!("not one data object {tag:02X} and nothing else"))),
        }
    }

    fn read(&mut self) -> Result<Object<'a>> {
        let (tag, rest) = tag(self.rest)?;
        let (length, rest) = length(rest)?;
        let (value, rest) = rest.split_at_checked(length).ok_or_else(|| bad("a data object longer than the answer"))?;
        self.rest = rest;
        Ok(Object { tag, value, depth: self.depth })
    }
}

impl<'a> Iterator for Objects<'a> {
    type Item = Result<Object<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        // §5.2.2: octets 00 before, between and after data objects mean nothing.
        while let [0, rest @ ..] = self.rest {
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return None;
        }
        let object = self.read();
        if object.is_err() {
            self.rest = &[];
        }
        Some(object)
    }
}

/// §5.2.2.1: one to three octets.
fn tag(octets: &[u8]) -> Result<(u32, &[u8])> {
    match *octets {
        [a, ref rest @ ..] if a & 0x1F != 0x1F => Ok((u32::from(a), rest)),
        [a, b, ref rest @ ..] if b & 0x80 == 0 => Ok((u32::from_be_bytes([0, 0, a, b]), rest)),
        [a, b, c, ref rest @ ..] if c & 0x80 == 0 => Ok((u32::from_be_bytes([0, a, b, c]), rest)),
        _ => Err(bad("a tag that is truncated or longer than three octets")),
    }
}

/// §5.2.2.2: 00 to 7F, or 81 to 84 and as many octets. Cards write lengths with more octets than needed, so that is taken.
fn length(octets: &[u8]) -> Result<(usize, &[u8])> {
    let (length, rest) = match *octets {
        [n @ 0..=0x7F, ref rest @ ..] => (u32::from(n), rest),
        [0x81, a, ref rest @ ..] => (u32::from(a), rest),
        [0x82, a, b, ref rest @ ..] => (u32::from_be_bytes([0, 0, a, b]), rest),
        [0x83, a, b, c, ref rest @ ..] => (u32::from_be_bytes([0, a, b, c]), rest),
        [0x84, a, b, c, d, ref rest @ ..] => (u32::from_be_bytes([a, b, c, d]), rest),
        _ => return Err(bad("a length that is truncated, indefinite or longer than five octets")),
    };
    Ok((usize::try_from(length).unwrap_or(usize::MAX), rest))
}

/// Writes one data object with the shortest length to the end of `to`.
///
/// # Errors
/// `Argument` for a value of more than 65,535 octets.
pub fn write(to: &mut Vec<u8>, tag: u32, value: &[u8]) -> Result<()> {
    let length = u16::try_from(value.len())
        .map_err(|_| Error::new(ErrorKind::Argument, "write data object").detail("data too long"))?;
    to.extend(tag.to_be_bytes().iter().skip_while(|o| **o == 0));
    match length.to_be_bytes() {
        [0, n @ 0..=0x7F] => to.push(n),
        [0, n] => to.extend_from_slice(&[0x81, n]),
        [a, b] => to.extend_from_slice(&[0x82, a, b]),
    }
    to.extend_from_slice(value);
    Ok(())
}

/// One data object.
///
/// # Errors
/// As [`write()`].
pub fn object(tag: u32, value: &[u8]) -> Result<Vec<u8>> {
    let mut octets = Vec::with_capacity(value.len().saturating_add(8));
    write(&mut octets, tag, value)?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for tag in [0x53, 0x7C, 0x7F49, 0x5F2F, 0x5FC105] {
            for length in [0, 1, 127, 128, 255, 256, 65_535] {
                let octets = object(tag, &vec![0xA5; length]).unwrap();
                let read = Objects::new(&octets).only(tag).unwrap();
                assert_eq!((read.tag, read.value.len()), (tag, length));
            }
        }
        assert!(object(0x53, &vec![0; 65_536]).is_err());
    }

    #[test]
    fn a_length_that_the_answer_does_not_have_is_refused() {
        let hostile: &[&[u8]] = &[
            &[0x53],
            &[0x53, 0x01],
            &[0x53, 0x80, 0, 0],
            &[0x53, 0x81],
            &[0x53, 0x82, 0xFF],
            &[0x53, 0x82, 0xFF, 0xFF, 0],
            &[0x53, 0x83, 0, 0],
            &[0x53, 0x84, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0x53, 0x85, 0, 0, 0, 0, 0],
            &[0x53, 0xFF],
            &[0x5F],
            &[0x5F, 0xC1],
            &[0x5F, 0xC1, 0x85, 0x01, 0x00],
        ];
        for octets in hostile {
            let mut objects = Objects::new(octets);
            assert_eq!(objects.next().unwrap().unwrap_err().kind(), ErrorKind::TokenAnswer, "{octets:02X?}");
            assert!(objects.next().is_none(), "{octets:02X?}");
        }
    }

    #[test]
    fn zeros_between_objects_mean_nothing_and_long_forms_are_read() {
        let octets = [0, 0, 0x70, 0x82, 0, 1, 9, 0, 0x71, 0x81, 0, 0, 0];
        let read: Vec<_> = Objects::new(&octets).map(|o| o.map(|o| (o.tag, o.value.len())).unwrap()).collect();
        assert_eq!(read, [(0x70, 1), (0x71, 0)]);
        assert!(Objects::new(&octets).need(0x71).unwrap().value.is_empty());
        assert!(Objects::new(&octets).need(0x72).is_err());
        assert!(Objects::new(&octets).only(0x70).is_err());
        assert!(Objects::new(&[]).only(0x70).is_err());
    }

    #[test]
    fn objects_nested_without_end_are_refused() {
        let mut octets = Vec::new();
        for _ in 0..100 {
            octets = object(0x7C, &octets).unwrap();
        }
        let (mut objects, mut levels) = (Objects::new(&octets), 0);
        let error = loop {
            levels += 1;
            match objects.need(0x7C).unwrap().children() {
                Ok(inside) => objects = inside,
                Err(error) => break error,
            }
        };
        assert_eq!((levels, error.kind()), (policy::TLV_DEPTH + 1, ErrorKind::TokenAnswer));
    }

    #[test]
    fn any_octets_are_read_or_refused() {
        let mut random = crate::apdu::tests::Random(7);
        for _ in 0..20_000 {
            let octets = random.octets(40);
            let total: usize = Objects::new(&octets).map_while(|o| o.ok()).map(|o| o.value.len() + 2).sum();
            assert!(total <= octets.len());
        }
    }
}
