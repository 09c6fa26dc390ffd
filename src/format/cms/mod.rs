//! CMS SignedData (RFC 5652), attached and detached, DER and PEM: what the bank side signs.
//!
//! With signed attributes (content type, message digest, signing time, signing-certificate-v2: CAdES-BES, ETSI EN 319 122-1) unless asked
//! otherwise. The types are `der` structs of our own: a message must stop between "what is to be signed" and "signature", names and
//! certificates must keep their octets, and content must stream; ready-made CMS types hold everything in memory and re-encode it.
//!
//! | | signed | verified |
//! |---|---|---|
//! | keys | P-256, RSA 2048–4096, with SHA-256; SM2 with SM3 | the same; RSA also as sha256WithRSAEncryption, SM2 also as 1.2.156.10197.1.301.1 |
//! | content types | RFC 5652's; GM/T 0010's for SM2 | either, whatever the key |
//! | encoding | strict DER, or PEM of it (label `CMS`) | DER; PEM (`CMS`, `PKCS7`); BER with indefinite lengths up to [`crate::policy::CMS_BER_MAX`] |
//! | signer | issuerAndSerialNumber, octets as in the certificate, which is included | that, or subjectKeyIdentifier; one signer |
//! | detached | any size, constant memory; with signed attributes also by a pushed digest | the same |
//! | attached | up to [`crate::policy::CMS_ATTACHED_MAX`], constant memory | the same in DER |
//!
//! Without signed attributes the document itself has to be there, on both sides: a document that is a SET OF attributes is refused there,
//! because its signature would be that of another message (RFC 5652 §5.4), and so is a SignedInfo or a signing string of announcement 179;
//! nobody can see that in a digest.
//!
//! # SM2
//!
//! GM/T 0010-2012 (GB/T 35275-2017) is PKCS #7 with content types of its own and other algorithms: 1.2.156.10197.6.1.4.2.2 around
//! 1.2.156.10197.6.1.4.2.1, SM3 (1.2.156.10197.1.401) and SM2 with SM3 (1.2.156.10197.1.501), all parameters absent; the signature is DER of
//! r and s. With signed attributes the message digest is plain SM3 of the content, the signature is over e = SM3(Z ‖ attributes), and
//! signing-certificate-v2 names its hash as SM3. Without them it is over e = SM3(Z ‖ content).
//!
//! | who | writes |
//! |---|---|
//! | GM/T 0010-2012 §6.4 | SM2-1, 1.2.156.10197.1.301.1, as the signature's algorithm: read |
//! | GmSSL 3 | 1.2.156.10197.1.501, no signed attributes, and the signature over SM3 of the whole inner ContentInfo, header included, without Z. That is neither PKCS #7 (RFC 2315 §9.3) nor SM2 (GB/T 32918.2 §6.1): such a message is `SignatureWrong` with `OtherHash`, which says so |
//! | Bouncy Castle 1.72 | 1.2.156.10197.1.501 alone: read |
//! | OpenSSL 3 and others | RFC 5652's types with SM2 and SM3: read. OpenSSL's `cms` itself neither makes nor verifies them: it knows no Z there |
//!
//! A document that changes while it is being signed is refused. A detached one, and an attached one of at most [`crate::policy::CMS_HELD_MAX`]
//! octets, is checked before anything is written. A larger attached one is hashed again while it is written, and the message stays without
//! its end: write it through [`crate::write_whole`], and no file appears.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod algorithms;
mod attributes;
mod judge;
mod pem;
mod read;
mod stream;
mod types;
mod write;

use std::io::Write;
use std::sync::Arc;

use super::{Format, Prepared, SignContext};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::source::Content;
use crate::verify::{Report, VerifyContext};

/// Why a digest is not enough where there are no signed attributes.
const UNSEEN: &str = "without signed attributes the document itself is needed, not its digest: it might be the attributes of another message";

/// The shape of a message that is made. By default: attached, with signed attributes, DER.
///
/// ```
/// use shared_shield::{CmsOptions, Content, Request, Role};
/// let request = Request::cms(Role::Bank, Content::file("payroll.zip"), CmsOptions::detached().pem())
///     .shown("Payroll of November, 31 persons, 412,500.00 CNY");
/// assert_eq!(request.format(), "cms");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CmsOptions {
    detached: bool,
    bare: bool,
    pem: bool,
}

impl CmsOptions {
    /// The document is inside the message.
    #[must_use]
    pub fn attached() -> Self {
        CmsOptions::default()
    }

    /// The document stays outside.
    #[must_use]
    pub fn detached() -> Self {
        CmsOptions { detached: true, ..CmsOptions::default() }
    }

    /// Signs the document itself, without signed attributes: for receivers that know no better. Neither the time nor the
    /// certificate is signed then. A pushed digest is refused (`Argument`): what the document is cannot be seen in it.
    #[must_use]
    pub fn without_attributes(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Writes PEM (RFC 7468) in place of DER.
    #[must_use]
    pub fn pem(mut self) -> Self {
        self.pem = true;
        self
    }

    /// The format that makes such messages. All of them verify every message.
    #[must_use]
    pub fn format(self) -> &'static Cms {
        FORMATS.iter().find(|f| f.options == self).unwrap_or(&CMS)
    }
}

/// The format `cms`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cms {
    options: CmsOptions,
}

/// Attached, with signed attributes, DER; verifies every message.
pub static CMS: Cms = Cms::new(false, false, false);

static FORMATS: [Cms; 8] = [
    Cms::new(false, false, false),
    Cms::new(false, false, true),
    Cms::new(false, true, false),
    Cms::new(false, true, true),
    Cms::new(true, false, false),
    Cms::new(true, false, true),
    Cms::new(true, true, false),
    Cms::new(true, true, true),
];

impl Cms {
    const fn new(detached: bool, bare: bool, pem: bool) -> Self {
        Cms { options: CmsOptions { detached, bare, pem } }
    }
}

impl Format for Cms {
    fn name(&self) -> &'static str {
        "cms"
    }

    fn prepare(&self, content: &Content, by: &Arc<Certificate>, context: &SignContext) -> Result<Prepared> {
        write::prepare(self.options, content, by, context)
    }

    /// Verifies a message. Detached: `content` is the document and `signature` the message. Attached: `content` is the message and
    /// `signature` is `None`.
    ///
    /// # Errors
    /// Those of reading a message; `Argument` for a pushed digest of another algorithm than the message's, or for a message without signed
    /// attributes.
    fn verify(&self, content: &Content, signature: Option<&[u8]>, context: &VerifyContext) -> Result<Report> {
        judge::verify(self.name(), content, signature, context)
    }
}

/// Writes the content of an attached message to `out`; gives its length in octets. It says nothing of the signature: verify first, and the
/// same octets.
///
/// # Errors
/// Those of reading a message; `Argument` for a detached one; `OutputFailed`.
pub fn content(message: &Content, out: &mut dyn Write) -> Result<u64> {
    let operation = "read CMS content";
    let message = read::Message::read(message)?;
    let mut reader = message.content()?.ok_or_else(|| {
        Error::new(ErrorKind::Argument, operation).detail("the message is detached: it holds no content")
    })?;
    stream::pieces(&mut reader, operation, |piece| stream::put(out, piece))
}
