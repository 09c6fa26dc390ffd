//! PEM (RFC 7468 §9): written line by line, so that a large message needs no memory.

use std::io::{self, Write};

use base64ct::{Base64, Encoding};

use crate::error::{Error, ErrorKind, Result};

const BEGIN: &str = "-----BEGIN CMS-----\n";
const END: &str = "-----END CMS-----\n";
/// Octets of one line of 64 characters.
const LINE: usize = 48;

/// Writes what it gets as the lines of a PEM text. Nothing is written before the first octet comes.
pub(super) struct PemWriter<'o> {
    out: &'o mut dyn Write,
    begun: bool,
    pending: Vec<u8>,
}

impl<'o> PemWriter<'o> {
    pub(super) fn new(out: &'o mut dyn Write) -> Self {
        PemWriter { out, begun: false, pending: Vec::new() }
    }

    /// Writes the last line and the end.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.lines(1)?;
        self.out.write_all(END.as_bytes())
    }

    /// Writes lines while they have at least `least` octets.
    fn lines(&mut self, least: usize) -> io::Result<()> {
        let mut text = String::new();
        let mut rest = self.pending.as_slice();
        while rest.len() >= least {
            let (line, after) = rest.split_at_checked(LINE).unwrap_or((rest, &[]));
            text.push_str(&Base64::encode_string(line));
            text.push('\n');
            rest = after;
        }
        self.pending = rest.to_vec();
        self.out.write_all(text.as_bytes())
    }
}

impl Write for PemWriter<'_> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if !self.begun {
            self.out.write_all(BEGIN.as_bytes())?;
            self.begun = true;
        }
        self.pending.extend_from_slice(octets);
        self.lines(LINE)?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whether octets are a PEM text of some label.
pub(super) fn is_pem(start: &[u8]) -> bool {
    start.windows(11).any(|w| w == b"-----BEGIN ")
}

/// Reads a PEM text with one of the labels that CMS messages carry: `CMS` (RFC 7468 §9), `PKCS7` (the older name).
///
/// # Errors
/// `MessageTruncated` when its end is not there, `SignatureMalformed`.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>> {
    if !text.windows(9).any(|w| w == b"-----END ") {
        return Err(Error::new(ErrorKind::MessageTruncated, "read PEM").detail("the END line is missing"));
    }
    let bad = |what: String| Error::new(ErrorKind::SignatureMalformed, "read PEM").detail(what);
    let mut decoder = der::pem::Decoder::new_detect_wrap(text).map_err(|e| bad(e.to_string()))?;
    let label = decoder.type_label().to_owned();
    if !matches!(label.as_str(), "CMS" | "PKCS7") {
        return Err(bad(format!("it holds {label}, not CMS")));
    }
    let mut octets = Vec::new();
    decoder.decode_to_end(&mut octets).map_err(|e| bad(e.to_string()))?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_odd_pieces_is_read_back_whole() {
        for size in [1_usize, 47, 48, 49, 95, 96, 97, 1000] {
            let octets: Vec<u8> = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let mut text = Vec::new();
            let mut writer = PemWriter::new(&mut text);
            for piece in octets.chunks(7) {
                writer.write_all(piece).unwrap();
            }
            writer.end().unwrap();
            assert!(String::from_utf8(text.clone()).unwrap().lines().all(|l| l.len() <= 64));
            assert_eq!(decode(&text).unwrap(), octets);
        }
        let other = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(decode(other).unwrap_err().kind(), ErrorKind::SignatureMalformed);
    }
}
