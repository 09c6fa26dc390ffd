//! What C fills and reads: constants and structs.

use std::ffi::c_void;

use crate::Credential;
use crate::border::{Octets, OctetsList, Text, TextList};

/// The version of this interface. It grows when something is added; what is there keeps its meaning.
pub const SHIELD_ABI_VERSION: u32 = 1;

/// No role, or any.
pub const SHIELD_ROLE_NONE: u32 = 0;
/// The customs identity (e-port): declarations.
pub const SHIELD_ROLE_CUSTOMS: u32 = 1;
/// Online banking: payments. Roles are bits, so that a PIN that opens both is 3.
pub const SHIELD_ROLE_BANK: u32 = 2;

/// A customs message (CEBxxxMessage) with an enveloped XML signature; role customs.
pub const SHIELD_FORMAT_DECLARATION: u32 = 1;
/// A detached signature over the octets as they are; the request says which role.
pub const SHIELD_FORMAT_RAW: u32 = 2;
/// CMS SignedData over a payment order; role bank. `variant`: an OR of `SHIELD_CMS_*`.
pub const SHIELD_FORMAT_PAYMENT: u32 = 3;
/// The payment message of customs announcement 179; role customs. `variant`: one of `SHIELD_179_*`.
pub const SHIELD_FORMAT_PAYMENT_179: u32 = 4;

/// The document stays outside the message.
pub const SHIELD_CMS_DETACHED: u32 = 1;
/// No signed attributes: neither time nor certificate are signed then.
pub const SHIELD_CMS_WITHOUT_ATTRIBUTES: u32 = 2;
/// PEM in place of DER.
pub const SHIELD_CMS_PEM: u32 = 4;

/// The value of the form field `payExInfoStr`.
pub const SHIELD_179_VALUE: u32 = 0;
/// The whole body of the POST, percent-encoded.
pub const SHIELD_179_FORM: u32 = 1;
/// The signature value alone, in base64.
pub const SHIELD_179_SIGNATURE: u32 = 2;

/// No risky try of a PIN is spent.
pub const SHIELD_CONSENT_NONE: u32 = 0;
/// A person said: try although a PIN was refused before and the token does not tell how many tries are left.
pub const SHIELD_CONSENT_AFTER_REFUSAL: u32 = 1;
/// A person said: try although this is the last try.
pub const SHIELD_CONSENT_LAST_TRY: u32 = 2;

/// Sign although the certificate has expired or is not valid yet; the receipt says so.
pub const SHIELD_FLAG_OUTSIDE_VALIDITY: u32 = 1;

/// No PIN was concerned.
pub const SHIELD_TRIES_NONE: u32 = 0;
/// The token counts: so many are left.
pub const SHIELD_TRIES_KNOWN: u32 = 1;
/// At least so many are left.
pub const SHIELD_TRIES_AT_LEAST: u32 = 2;
/// The next wrong PIN locks.
pub const SHIELD_TRIES_FINAL: u32 = 3;
/// Locked: only the issuing office can unlock.
pub const SHIELD_TRIES_LOCKED: u32 = 4;
/// The token does not tell.
pub const SHIELD_TRIES_UNKNOWN: u32 = 5;
/// The token does not tell, and a wrong PIN was entered since the last right one.
pub const SHIELD_TRIES_UNKNOWN_AFTER_REFUSAL: u32 = 6;

/// Nobody entered a PIN: the dialog was closed.
pub const SHIELD_PIN_DECLINED: u32 = 0;
/// The PIN is in the buffer.
pub const SHIELD_PIN_TYPED: u32 = 1;
/// The PIN is typed on the device itself.
pub const SHIELD_PIN_ON_DEVICE: u32 = 2;
/// The size of the buffer that a dialog fills: no PIN is longer.
pub const SHIELD_PIN_MAX: usize = 64;

/// The computer's readers where no module is named, and the modules alone where one is.
pub const SHIELD_READERS_DEFAULT: u32 = 0;
/// The computer's readers, beside the modules.
pub const SHIELD_READERS_ON: u32 = 1;
/// The modules alone.
pub const SHIELD_READERS_OFF: u32 = 2;

/// A person said that a PIN may be sent to a GM/T 0017 device in the dialect that the profile names although that device has never accepted one
/// in it. A wrong dialect costs a try like a wrong PIN; with fewer than three left none is sent in spite of it.
pub const SHIELD_SCAN_TRY_UNPROVEN_DIALECTS: usize = 1;

/// Drivers, readers and rules for a scan. With all zero it looks at the computer's readers (PC/SC). Cards and keys that the library knows itself
/// need no module.
#[derive(Debug)]
#[repr(C)]
pub struct ScanOptions {
    /// `sizeof(shield_scan_options)`.
    pub struct_size: usize,
    /// Absolute paths of PKCS#11 modules; none is fine.
    pub modules: TextList,
    /// A profile file that extends the built-in rules; may be left out.
    pub profile_path: Text,
    /// How long the scan may take, in milliseconds; 0 is 10 seconds.
    pub wait_ms: u32,
    /// Looks for this one certificate only (see `SHIELD_ROUTE_REFERENCE`): on a card no other is read. May be left out.
    pub reference: Text,
    /// `SHIELD_READERS_*`.
    pub readers: u32,
    /// An OR of `SHIELD_SCAN_*`.
    // As wide as a pointer, so that it stands behind the struct as it was before, and not in what padded that.
    pub flags: usize,
}

/// Chooses among shields and certificates. Everything that is set must fit; NULL or all zero fits any.
#[derive(Debug)]
#[repr(C)]
pub struct Selector {
    /// `sizeof(shield_selector)`.
    pub struct_size: usize,
    /// Has a certificate for this role.
    pub role: u32,
    /// SHA-256 fingerprint of the certificate, 64 hex digits.
    pub fingerprint: Text,
    /// Unit code in the certificate.
    pub entity_code: Text,
    /// Card number in the certificate.
    pub card_number: Text,
}

/// What to sign, in which form, as whom.
#[derive(Debug)]
#[repr(C)]
pub struct Request {
    /// `sizeof(shield_request)`.
    pub struct_size: usize,
    /// One of `SHIELD_FORMAT_*`. Most formats have a role of their own.
    pub format: u32,
    /// The role that signs, where the format leaves it open; otherwise 0 or the format's own.
    pub role: u32,
    /// The form within the format, 0 for the usual one.
    pub variant: u32,
    /// `SHIELD_CONSENT_*`.
    pub consent: u32,
    /// An OR of `SHIELD_FLAG_*`.
    pub flags: u32,
    /// How long the call may take, in milliseconds, without the time a person types; 0 is 10 seconds.
    pub wait_ms: u32,
    /// The document itself, or
    pub document: Octets,
    /// the path of its file.
    pub document_path: Text,
    /// The text that the PIN dialog shows and whose digest the receipt carries; may be left out.
    pub shown: Text,
    /// The certificate to sign with; may be NULL: then the one that serves the role.
    pub credential: *const Credential,
    /// Chooses where several certificates fit; may be NULL.
    pub selector: *const Selector,
}

/// What one PIN entry shall open.
#[derive(Debug)]
#[repr(C)]
pub struct UnlockOptions {
    /// `sizeof(shield_unlock_options)`.
    pub struct_size: usize,
    /// The role.
    pub role: u32,
    /// `SHIELD_CONSENT_*`.
    pub consent: u32,
    /// An OR of `SHIELD_FLAG_*`.
    pub flags: u32,
    /// How long the call may take, in milliseconds, without the time a person types; 0 is 10 seconds.
    pub wait_ms: u32,
    /// How many signatures; 0 is what the profile allows (customs 5000, bank 1).
    pub signatures: u32,
    /// How many seconds from now; 0 is what the profile allows.
    pub lifetime_s: u32,
    /// How many seconds without a signature; 0 is what the profile allows.
    pub idle_s: u32,
    /// The text that the PIN dialog shows; may be left out.
    pub shown: Text,
    /// The certificate; may be NULL: then the one that serves the role.
    pub credential: *const Credential,
    /// Chooses where several certificates fit; may be NULL.
    pub selector: *const Selector,
}

/// What a PIN dialog shows. It lives for the length of the callback.
#[derive(Debug)]
#[repr(C)]
pub struct PinQuestion {
    /// `sizeof(shield_pin_question)` as the library was built.
    pub struct_size: usize,
    /// The role whose PIN is asked for.
    pub role: u32,
    /// Roles that the same PIN opens besides, as an OR: name them, the tries count once.
    pub also_opens: u32,
    /// `SHIELD_TRIES_*`.
    pub tries: u32,
    /// The number that belongs to it, otherwise 0.
    pub tries_left: u32,
    /// Not 0: the PIN is typed on the device, answer `SHIELD_PIN_ON_DEVICE`.
    pub on_device: u32,
    /// What will be signed: UTF-8, ends with NUL.
    pub summary: *const std::ffi::c_char,
    /// Its length in octets without the NUL.
    pub summary_length: usize,
}

/// A PIN dialog. It writes at most `capacity` octets to `buffer` and their number to `length`, and gives `SHIELD_PIN_*`. The
/// buffer is wiped afterwards; so should be the dialog's own. It may call the library. No C++ exception and no longjmp may
/// leave it.
pub type PinCallback = Option<
    extern "C" fn(
        userdata: *mut c_void,
        question: *const PinQuestion,
        buffer: *mut u8,
        capacity: usize,
        length: *mut usize,
    ) -> u32,
>;

/// Where a PIN comes from: `octets`, or `ask` with `userdata`. A PIN is used for one entry and never kept but in a batch.
#[derive(Debug)]
#[repr(C)]
pub struct Pin {
    /// `sizeof(shield_pin)`.
    pub struct_size: usize,
    /// The PIN itself.
    pub octets: Octets,
    /// A dialog, asked once for each entry.
    pub ask: PinCallback,
    /// Given to the dialog.
    pub userdata: *mut c_void,
}

/// How a document is to be judged.
#[derive(Debug)]
#[repr(C)]
pub struct VerifyOptions {
    /// `sizeof(shield_verify_options)`.
    pub struct_size: usize,
    /// One of `SHIELD_FORMAT_*`.
    pub format: u32,
    /// The role that the signer must have; 0 accepts any certificate.
    pub role: u32,
    /// The document itself (with its signature, where the format encloses it), or
    pub document: Octets,
    /// the path of its file.
    pub document_path: Text,
    /// A detached signature.
    pub signature: Octets,
    /// The signer's certificate, PEM or DER, where the document does not carry it; of several in PEM the first. Where the document
    /// carries one, it must be the same (`VF-123`).
    pub certificate: Octets,
    /// Trusted issuers. Each entry is DER with one, or PEM with any number: all of them count.
    pub anchors: OctetsList,
    /// Trusted certificates by SHA-256 fingerprint, in place of issuers. Neither: trust is not judged.
    pub pinned: TextList,
    /// A profile file that extends the built-in rules; may be left out.
    pub profile_path: Text,
    /// Not 0: validity is judged at `at`, otherwise now.
    pub at_given: u32,
    /// Seconds since 1970 UTC.
    pub at: i64,
    /// Certificates of authorities between `anchors` and the signer, in the same form: they are trusted in nothing, and help to build a chain. They
    /// belong to `anchors`.
    pub between: OctetsList,
    /// Revocation lists; each entry is DER with one, or PEM with any number. Where the list is given, each certificate below an anchor has to be
    /// covered by a current one. They belong to `anchors`.
    pub crls: OctetsList,
}
