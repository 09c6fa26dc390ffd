//! What libraries are known to mean, as data. A library that is not named here gets the cautious reading.
//!
//! | library | `CKF_USER_PIN_COUNT_LOW` | no flag | source |
//! |---|---|---|---|
//! | kryoptic | 2 or 3 tries left | more | kryoptic-lib 1.5.4 `src/storage/format.rs`, `user_flags`: the counter gives exactly one flag; measured: 10 tries |
//! | OpenSC | at least 2, fewer than all | all, **or the card does not tell** | OpenSC `src/pkcs11/framework-pkcs15.c`, `C_GetTokenInfo`: flags only where `tries_left >= 0` |
//! | SoftHSM, NSS, tpm2-pkcs11, unknown | nothing | nothing | measured: SoftHSM sets COUNT_LOW and never locks, tpm2-pkcs11 locks without a flag |
//!
//! `CKF_USER_PIN_LOCKED` and `CKF_USER_PIN_FINAL_TRY` are believed from anyone: believing them costs no try.
//!
//! A PIN that is too short for a PIV card: OpenSC answers `CKR_DATA_INVALID`, ykcs11 `CKR_ARGUMENTS_BAD`, no try used (measured).

use cryptoki::error::RvError;

/// One row.
#[derive(Debug)]
pub(super) struct Dialect {
    /// The beginning of CK_INFO.manufacturerID.
    manufacturer: &'static str,
    /// COUNT_LOW says that at least two tries are left.
    pub(super) low_tells: bool,
    /// No flag says that at least two tries are left.
    pub(super) none_tells: bool,
    /// What C_Login answers to a PIN of a length that cannot be, besides CKR_PIN_LEN_RANGE.
    pub(super) wrong_length: Option<RvError>,
}

const CAUTIOUS: Dialect = Dialect { manufacturer: "", low_tells: false, none_tells: false, wrong_length: None };

const TABLE: [Dialect; 3] = [
    Dialect { manufacturer: "Kryoptic", low_tells: true, none_tells: true, wrong_length: None },
    Dialect {
        manufacturer: "OpenSC Project",
        low_tells: true,
        none_tells: false,
        wrong_length: Some(RvError::DataInvalid),
    },
    Dialect { manufacturer: "Yubico", low_tells: false, none_tells: false, wrong_length: Some(RvError::ArgumentsBad) },
];

/// The row of a library by CK_INFO.manufacturerID.
pub(super) fn of(manufacturer: &str) -> &'static Dialect {
    const LAST: &Dialect = &CAUTIOUS;
    TABLE.iter().find(|row| manufacturer.starts_with(row.manufacturer)).unwrap_or(LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_known_is_read_cautiously() {
        assert!(of("Kryoptic").none_tells);
        assert!(!of("OpenSC Project").none_tells);
        for cautious in ["SoftHSM", "", "Kryptic", "tpm2-software.github.io"] {
            assert!(!of(cautious).low_tells, "{cautious}");
        }
    }
}
