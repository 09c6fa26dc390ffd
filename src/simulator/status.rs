//! Status words, with the meaning that firmware of this standard gives them (source F: firmware and host library of a token's maker, 2015).

/// SW1 and SW2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sw(pub(super) u16);

/// What a command comes to: the data of its answer, or the status word that refuses it.
pub(super) type Done<T = Vec<u8>> = Result<T, Sw>;

impl Sw {
    pub(super) const SUCCESS: Sw = Sw(0x9000);
    /// The state could not be written; nothing has changed.
    pub(super) const WRITE_FAILED: Sw = Sw(0x6581);
    pub(super) const LENGTH: Sw = Sw(0x6700);
    pub(super) const KEY_GENERATION: Sw = Sw(0x6915);
    pub(super) const SECURITY_STATE: Sw = Sw(0x6982);
    pub(super) const LOCKED: Sw = Sw(0x6983);
    pub(super) const REFERENCE_DATA: Sw = Sw(0x6984);
    pub(super) const CONDITIONS: Sw = Sw(0x6985);
    pub(super) const NOT_OPEN: Sw = Sw(0x698A);
    pub(super) const DATA_FIELD: Sw = Sw(0x6A80);
    pub(super) const UNSUPPORTED: Sw = Sw(0x6A81);
    pub(super) const NO_SPACE: Sw = Sw(0x6A84);
    pub(super) const P1P2: Sw = Sw(0x6A86);
    pub(super) const APPLICATION_MISSING: Sw = Sw(0x6A88);
    pub(super) const APPLICATION_EXISTS: Sw = Sw(0x6A89);
    pub(super) const SESSION_KEY_MISSING: Sw = Sw(0x6A8C);
    pub(super) const DATA_ERROR: Sw = Sw(0x6A8D);
    /// Another application is open, and this device opens one at a time.
    pub(super) const ONE_APPLICATION: Sw = Sw(0x6A90);
    pub(super) const CONTAINER_NAME: Sw = Sw(0x6A91);
    pub(super) const FILE_EXISTS: Sw = Sw(0x6A92);
    pub(super) const FILE_MISSING: Sw = Sw(0x6A93);
    pub(super) const CONTAINER_ID: Sw = Sw(0x6A94);
    pub(super) const NO_KEY_PAIR: Sw = Sw(0x6A95);
    pub(super) const NO_CERTIFICATE: Sw = Sw(0x6A96);
    pub(super) const SIGNATURE_WRONG: Sw = Sw(0x6A98);
    pub(super) const SESSION_ALGORITHM: Sw = Sw(0x6A99);
    pub(super) const DECRYPT_FAILED: Sw = Sw(0x6A9B);
    pub(super) const SIGN_FAILED: Sw = Sw(0x6A9C);
    pub(super) const DIGEST_ALGORITHM: Sw = Sw(0x6A9D);
    /// There is more: the same command once more brings it.
    pub(super) const MORE_DATA: Sw = Sw(0x6A9E);
    pub(super) const OFFSET: Sw = Sw(0x6B00);
    pub(super) const EXPECTED_LENGTH: Sw = Sw(0x6C00);
    pub(super) const INSTRUCTION: Sw = Sw(0x6D00);
    pub(super) const CLASS: Sw = Sw(0x6E00);
    pub(super) const CONTAINER_EXISTS: Sw = Sw(0x6E02);
    /// The device failed in itself.
    pub(super) const FAILED: Sw = Sw(0x6F00);
}
