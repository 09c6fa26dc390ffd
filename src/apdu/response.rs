//! What a card answers: data and a status word (ISO/IEC 7816-4:2013 §5.1).

use std::fmt;

use zeroize::Zeroizing;

use super::Sw;
use crate::error::{Error, ErrorKind, Result};
use crate::policy;

/// An answer. Its data is wiped on drop; `Debug` shows its length and the status word.
pub struct Response {
    data: Zeroizing<Vec<u8>>,
    sw: Sw,
}

impl Response {
    /// Takes the octets of one answer.
    ///
    /// # Errors
    /// `TokenAnswer` for fewer than two octets, or more than one answer can have.
    pub fn read(octets: Vec<u8>, operation: &'static str) -> Result<Self> {
        let mut data = Zeroizing::new(octets);
        let bad = |length: usize| {
            Error::new(ErrorKind::TokenAnswer, operation).detail(format!("an answer of {length} octets"))
        };
        let (length, status) = match data.as_slice() {
            [before @ .., sw1, sw2] => (before.len(), u16::from_be_bytes([*sw1, *sw2])),
            short => return Err(bad(short.len())),
        };
        if length > policy::ANSWER_MAX {
            return Err(bad(length));
        }
        data.truncate(length);
        Ok(Response { data, sw: Sw::new(status) })
    }

    pub(super) fn new(data: Zeroizing<Vec<u8>>, sw: Sw) -> Self {
        Response { data, sw }
    }

    /// The status word.
    #[must_use]
    pub fn sw(&self) -> Sw {
        self.sw
    }

    /// The data, whatever the status word says.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The data of a success.
    ///
    /// # Errors
    /// Any other status word, as [`Sw::error`] names it.
    pub fn success(self, operation: &'static str) -> Result<Zeroizing<Vec<u8>>> {
        match self.sw {
            Sw::Success => Ok(self.data),
            other => Err(other.error(operation)),
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} octets) {}", self.data.len(), self.sw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_status_word_is_refused() {
        for short in [vec![], vec![0x90]] {
            assert_eq!(Response::read(short, "SELECT").unwrap_err().kind(), ErrorKind::TokenAnswer);
        }
        let least = Response::read(vec![0x90, 0], "SELECT").unwrap();
        assert_eq!((least.sw(), least.data()), (Sw::Success, &[][..]));
        let most = Response::read(vec![0; policy::ANSWER_MAX + 3], "SELECT");
        assert_eq!(most.unwrap_err().kind(), ErrorKind::TokenAnswer);
    }

    #[test]
    fn data_beside_an_error_is_no_success() {
        let answer = Response::read(vec![1, 2, 0x69, 0x82], "GET DATA").unwrap();
        assert_eq!(answer.data(), [1, 2]);
        assert_eq!(answer.success("GET DATA").unwrap_err().kind(), ErrorKind::PinRequired);
    }
}
