//! What kind of signed document a file is, by its first octets. Nothing is trusted on this: each format judges for itself.

use std::path::Path;

use shared_shield::format::login::MAX_OCTETS;
use shared_shield::{Error, ErrorKind, Result};

use crate::args::FormatName;
use crate::verify::start;

/// How much of a file is looked at.
const LOOK: usize = 64 * 1024;
/// 1.2.840.113549.1.7, the types of CMS, as the beginning of a DER object identifier without its length.
const PKCS7: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07];
/// 1.2.156.10197.6.1.4.2, the same of GM/T 0010 for SM2.
const GM: &[u8] = &[0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x06, 0x01, 0x04, 0x02];

/// The kind of `file`, with the signature that was given beside it.
pub(crate) fn recognise(file: &Path, signature: Option<&[u8]>) -> Result<FormatName> {
    let look = start(file, LOOK)?;
    match signature {
        Some(signature) => Ok(beside(&look, signature)),
        None => alone(&look).ok_or_else(|| {
            Error::new(ErrorKind::DocumentKind, "recognise document").detail(
                "neither XML, nor CMS, nor data of announcement 179; say --format, and give --signature where it stands beside",
            )
        }),
    }
}

fn alone(look: &[u8]) -> Option<FormatName> {
    match bare(look) {
        // XML in UTF-16 too.
        [b'<', ..] | [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, b'<', ..] => Some(FormatName::Ceb),
        start if is_payment(start) || start.starts_with(b"{") => Some(FormatName::Payment179),
        _ if look.first() == Some(&0x30) || is_pem(look) => Some(FormatName::Cms),
        _ => None,
    }
}

fn beside(look: &[u8], signature: &[u8]) -> FormatName {
    if is_pem(signature) || is_cms(signature) {
        return FormatName::Cms;
    }
    // Of the others only announcement 179 and logins have text for a signature; `sign-raw` writes octets.
    match bare(signature) {
        [] => FormatName::Raw,
        text if !text.iter().all(|o| matches!(o, b' '..=b'~' | b'\r' | b'\n')) => FormatName::Raw,
        _ if is_payment(bare(look)) || bare(look).starts_with(b"{") => FormatName::Payment179,
        _ if look.len() <= MAX_OCTETS => FormatName::Login,
        _ => FormatName::Raw,
    }
}

/// The ready string, or the body of a POST.
fn is_payment(start: &[u8]) -> bool {
    start.starts_with(b"\"sessionID\"") || start.starts_with(b"payExInfoStr=")
}

fn is_pem(look: &[u8]) -> bool {
    ["-----BEGIN CMS-----", "-----BEGIN PKCS7-----"].iter().any(|b| look.windows(b.len()).any(|w| w == b.as_bytes()))
}

fn is_cms(octets: &[u8]) -> bool {
    let start = octets.get(..24).unwrap_or(octets);
    start.first() == Some(&0x30) && [PKCS7, GM].iter().any(|types| start.windows(types.len()).any(|w| w == *types))
}

/// Without byte order mark and white space.
fn bare(octets: &[u8]) -> &[u8] {
    octets.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(octets).trim_ascii_start()
}
