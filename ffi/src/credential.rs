//! One certificate of a shield.

use shield::{Listed, Standing};

use crate::border::export;
use crate::error::role_number;
use crate::{Bytes, Credential, at, no_field, number, seconds};

/// `SHIELD_ROLE_*`, 0 where no rule gives it one.
pub const SHIELD_CREDENTIAL_ROLE: u32 = 1;
/// `SHIELD_STANDING_*`.
pub const SHIELD_CREDENTIAL_STANDING: u32 = 2;
/// First moment of validity, seconds since 1970 UTC.
pub const SHIELD_CREDENTIAL_NOT_BEFORE: u32 = 3;
/// Last moment of validity, seconds since 1970 UTC.
pub const SHIELD_CREDENTIAL_NOT_AFTER: u32 = 4;
/// By how many ways its key is reached.
pub const SHIELD_CREDENTIAL_ROUTES: u32 = 5;

/// SHA-256 fingerprint, 64 hex digits.
pub const SHIELD_CREDENTIAL_FINGERPRINT: u32 = 20;
/// The certificate number as customs writes it (certNo).
pub const SHIELD_CREDENTIAL_NUMBER: u32 = 21;
/// Why it serves or not, in one clause.
pub const SHIELD_CREDENTIAL_REASON: u32 = 22;
/// Number and issuer: a name without a person's data.
pub const SHIELD_CREDENTIAL_LABEL: u32 = 23;

/// What is reached: the kind (`pkcs11`, or the card's, such as `piv`), and the names that tell it from others.
pub const SHIELD_ROUTE_DOOR: u32 = 1;
/// The name under which a scan finds this certificate again without looking at every other (`shield_scan_options.reference`). It may be stored:
/// it holds no secret.
pub const SHIELD_ROUTE_REFERENCE: u32 = 2;

/// Not known to this version of the header.
pub const SHIELD_STANDING_OTHER: i64 = 0;
/// It serves its role.
pub const SHIELD_STANDING_SERVES: i64 = 1;
/// A later certificate of the same holder, organisation and card serves in its place.
pub const SHIELD_STANDING_SUPERSEDED: i64 = 2;
/// Expired, or not valid yet.
pub const SHIELD_STANDING_OUTSIDE_VALIDITY: i64 = 3;
/// The encryption certificate of the dual-certificate scheme.
pub const SHIELD_STANDING_ENCRYPTION: i64 = 4;
/// Its key usage is not for signatures, or it is a CA certificate.
pub const SHIELD_STANDING_NOT_FOR_SIGNING: i64 = 5;
/// No rule gives it a role.
pub const SHIELD_STANDING_NO_ROLE: i64 = 6;

fn standing(listed: &Listed) -> i64 {
    match listed.standing {
        Standing::Serves => SHIELD_STANDING_SERVES,
        Standing::Superseded => SHIELD_STANDING_SUPERSEDED,
        Standing::OutsideValidity => SHIELD_STANDING_OUTSIDE_VALIDITY,
        Standing::Encryption => SHIELD_STANDING_ENCRYPTION,
        Standing::NotForSigning => SHIELD_STANDING_NOT_FOR_SIGNING,
        Standing::NoRole => SHIELD_STANDING_NO_ROLE,
        _ => SHIELD_STANDING_OTHER,
    }
}

export! {
    /// A number of a certificate: `SHIELD_CREDENTIAL_ROLE` to `SHIELD_CREDENTIAL_ROUTES`.
    fn shield_credential_number(credential: *const Credential, field: u32) -> (value: *mut i64) {
        Ok((match field {
            SHIELD_CREDENTIAL_ROLE => i64::from(role_number(credential.role)),
            SHIELD_CREDENTIAL_STANDING => standing(&credential),
            SHIELD_CREDENTIAL_NOT_BEFORE => seconds(credential.certificate.not_before()),
            SHIELD_CREDENTIAL_NOT_AFTER => seconds(credential.certificate.not_after()),
            SHIELD_CREDENTIAL_ROUTES => number(credential.doors.len()),
            _ => return no_field(field),
        },))
    }
}

export! {
    /// A text of a certificate: `SHIELD_CREDENTIAL_FINGERPRINT` to `SHIELD_CREDENTIAL_LABEL`.
    fn shield_credential_text(credential: *const Credential, field: u32) -> text {
        Ok(match field {
            SHIELD_CREDENTIAL_FINGERPRINT => credential.certificate.fingerprint().to_string(),
            SHIELD_CREDENTIAL_NUMBER => credential.certificate.number(),
            SHIELD_CREDENTIAL_REASON => credential.reason.clone(),
            SHIELD_CREDENTIAL_LABEL => credential.certificate.label(),
            _ => return no_field(field),
        })
    }
}

export! {
    /// A text of one of the ways to a certificate's key, in the order in which they are tried: `SHIELD_ROUTE_*`.
    fn shield_credential_route(credential: *const Credential, index: usize, field: u32) -> text {
        Ok(match field {
            SHIELD_ROUTE_DOOR => at(&credential.doors, index)?.to_string(),
            SHIELD_ROUTE_REFERENCE => at(&credential.references, index)?.to_string(),
            _ => return no_field(field),
        })
    }
}

export! {
    /// The certificate itself, in DER. It holds a person's name.
    fn shield_credential_certificate(credential: *const Credential) -> (der: *mut *mut Bytes) {
        Ok((credential.certificate.der().to_vec(),))
    }
}

export! {
    /// Frees a certificate.
    fn shield_credential_free(credential: *mut Credential) -> () {
        drop(credential);
        Ok(())
    }
}
