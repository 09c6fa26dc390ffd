//! Who signed what with what.

use crate::border::export;
use crate::error::{role_number, tries};
use crate::{Receipt, at, no_field, number, seconds};

/// `SHIELD_ROLE_*`.
pub const SHIELD_RECEIPT_ROLE: u32 = 1;
/// When, seconds since 1970 UTC.
pub const SHIELD_RECEIPT_TIME: u32 = 2;
/// `SHIELD_TRIES_*`.
pub const SHIELD_RECEIPT_TRIES: u32 = 3;
/// The number of tries that belongs to it.
pub const SHIELD_RECEIPT_TRIES_LEFT: u32 = 4;
/// Joins receipt, error and log.
pub const SHIELD_RECEIPT_CORRELATION: u32 = 5;
/// How many remarks there are.
pub const SHIELD_RECEIPT_NOTES: u32 = 6;

/// The format's name.
pub const SHIELD_RECEIPT_FORMAT: u32 = 20;
/// SHA-256 fingerprint of the certificate.
pub const SHIELD_RECEIPT_FINGERPRINT: u32 = 21;
/// The certificate's number (certNo).
pub const SHIELD_RECEIPT_NUMBER: u32 = 22;
/// The signature suite, such as `rsa-sha1`.
pub const SHIELD_RECEIPT_SUITE: u32 = 23;
/// What was signed: hex digits of the digest.
pub const SHIELD_RECEIPT_DIGEST: u32 = 24;
/// SHA-256 of the text that was shown to the person, hex digits.
pub const SHIELD_RECEIPT_SHOWN: u32 = 25;
/// The door through which the token was reached.
pub const SHIELD_RECEIPT_DOOR: u32 = 26;

/// English.
pub const SHIELD_LANGUAGE_EN: u32 = 0;
/// Chinese.
pub const SHIELD_LANGUAGE_ZH: u32 = 1;

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|o| format!("{o:02x}")).collect()
}

export! {
    /// A number of a receipt: `SHIELD_RECEIPT_ROLE` to `SHIELD_RECEIPT_NOTES`.
    fn shield_receipt_number(receipt: *const Receipt, field: u32) -> (value: *mut i64) {
        let tries = tries(Some(receipt.tries));
        Ok((match field {
            SHIELD_RECEIPT_ROLE => i64::from(role_number(Some(receipt.role))),
            SHIELD_RECEIPT_TIME => seconds(receipt.time),
            SHIELD_RECEIPT_TRIES => i64::from(tries.0),
            SHIELD_RECEIPT_TRIES_LEFT => i64::from(tries.1),
            SHIELD_RECEIPT_CORRELATION => number(receipt.correlation),
            SHIELD_RECEIPT_NOTES => number(receipt.notes.len()),
            _ => return no_field(field),
        },))
    }
}

export! {
    /// A text of a receipt: `SHIELD_RECEIPT_FORMAT` to `SHIELD_RECEIPT_DOOR`.
    fn shield_receipt_text(receipt: *const Receipt, field: u32) -> text {
        Ok(match field {
            SHIELD_RECEIPT_FORMAT => receipt.format.to_owned(),
            SHIELD_RECEIPT_FINGERPRINT => receipt.fingerprint.to_string(),
            SHIELD_RECEIPT_NUMBER => receipt.number.clone(),
            SHIELD_RECEIPT_SUITE => receipt.suite.to_string(),
            SHIELD_RECEIPT_DIGEST => hex(receipt.digest.octets()),
            SHIELD_RECEIPT_SHOWN => hex(receipt.shown.octets()),
            SHIELD_RECEIPT_DOOR => receipt.door.as_ref().map(ToString::to_string).unwrap_or_default(),
            _ => return no_field(field),
        })
    }
}

export! {
    /// A remark that the caller should know, such as a weak key; `language` is `SHIELD_LANGUAGE_*`.
    fn shield_receipt_note(receipt: *const Receipt, index: usize, language: u32) -> text {
        let note = at(&receipt.notes, index)?;
        Ok(match language {
            SHIELD_LANGUAGE_EN => note.text(),
            SHIELD_LANGUAGE_ZH => note.text_zh(),
            _ => return no_field(language),
        })
    }
}

export! {
    /// Frees a receipt.
    fn shield_receipt_free(receipt: *mut Receipt) -> () {
        drop(receipt);
        Ok(())
    }
}
