//! What has to be bounded before the parser runs, because the parser's own work on it is quadratic.

use super::fault::{Fault, FaultKind};
use super::limits::MAX_ATTRIBUTES;

/// Refuses a start tag with more quoted values than [`MAX_ATTRIBUTES`].
///
/// The parser compares each attribute of a tag with all before it, and only then hands the tag out: one tag of 8 MiB
/// would keep it busy for hours. No parser is needed to bound that: `<` cannot stand in a tag after its first octet,
/// so every tag begins a piece between two `<`, and inside a tag a quote only ever opens or closes a value. Where the
/// text is not well-formed the parser stops at that place, so counting further does no harm.
pub(super) fn attributes_bounded(text: &str) -> Result<(), Fault> {
    let mut offset = 0_usize;
    for piece in text.split('<') {
        if quoted_values(piece) > MAX_ATTRIBUTES {
            return Err(Fault::at(FaultKind::TooMany, text, offset.saturating_sub(1)));
        }
        offset = offset.saturating_add(piece.len()).saturating_add(1);
    }
    Ok(())
}

fn quoted_values(piece: &str) -> usize {
    if piece.starts_with(['!', '?', '/']) {
        return 0;
    }
    let mut open = None;
    let mut values = 0_usize;
    for octet in piece.bytes() {
        match (open, octet) {
            (None, b'>') => break,
            (None, b'"' | b'\'') => open = Some(octet),
            (Some(quote), _) if quote == octet => {
                open = None;
                values = values.saturating_add(1);
            }
            _ => {}
        }
    }
    values
}
