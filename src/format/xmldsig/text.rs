//! From the caller's octets to text that may be parsed: encoding, line ends, size.

use std::borrow::Cow;

use super::fault::{Fault, FaultKind};
use super::limits::MAX_OCTETS;

/// Decodes UTF-8 and normalises line ends (XML 1.0, clause 2.11), which a parser has to do *before* parsing.
///
/// The result is as long as the input minus the CRs of CRLF pairs; [`original_offset`] maps back.
pub(super) fn decode(octets: &[u8]) -> Result<Cow<'_, str>, Fault> {
    if octets.len() > MAX_OCTETS {
        return Err(Fault::everywhere(FaultKind::TooLarge));
    }
    if looks_like_utf16(octets) {
        return Err(Fault::everywhere(FaultKind::Encoding));
    }
    let Ok(text) = std::str::from_utf8(octets) else {
        return Err(Fault::everywhere(FaultKind::Encoding));
    };
    // Here and not left to the parser: uppsala 0.12 lets NUL through in some attribute values.
    if let Some(at) = text.find(forbidden) {
        return Err(Fault::at(FaultKind::Character, text, at));
    }
    Ok(normalise_line_ends(text))
}

/// XML 1.0, appendix F.1: a byte order mark of UTF-16 or UTF-32, or a first `<` in 16 or 32 bits.
fn looks_like_utf16(octets: &[u8]) -> bool {
    matches!(octets, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0x00, ..] | [b'<', 0x00, ..])
}

/// The complement of XML 1.0, production 2, within what UTF-8 can hold.
fn forbidden(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
}

/// CRLF and lone CR become LF. Character references (`&#13;`) are untouched: they are not octets 0x0D.
fn normalise_line_ends(text: &str) -> Cow<'_, str> {
    if !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// Where `offset` of the decoded text is in the caller's octets.
pub(super) fn original_offset(octets: &[u8], offset: usize) -> usize {
    let mut left = offset;
    let mut rest = octets.iter().enumerate().peekable();
    while left > 0 {
        let Some((_, &octet)) = rest.next() else { break };
        if octet == b'\r' {
            rest.next_if(|&(_, &next)| next == b'\n');
        }
        left = left.saturating_sub(1);
    }
    rest.peek().map_or(octets.len(), |&(at, _)| at)
}
