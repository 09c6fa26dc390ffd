//! What `verify` and `explain` are told.

use std::path::PathBuf;

use clap::Args;
use shared_shield::Fingerprint;

use crate::args::{FormatName, RoleName, fingerprint};

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Signed documents; with --signature, the one file that was signed; with --content, the one detached CMS message
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// What FILE is; by its first octets unless said
    #[arg(long, value_enum, default_value_t = FormatName::Auto)]
    pub(crate) format: FormatName,
    /// Signature beside FILE: of sign-raw, sign-179 --signature-only, sign-login (FILE holds the challenge), or a detached CMS message
    #[arg(long, value_name = "SIG")]
    pub(crate) signature: Option<PathBuf>,
    /// FILE holds a login challenge in base64, as the site sent it: the signature has to be over what it stands for
    #[arg(long, requires = "signature", conflicts_with = "content")]
    pub(crate) challenge_base64: bool,
    /// The document that FILE, a detached CMS message, is about
    #[arg(long, value_name = "FILE", conflicts_with = "signature")]
    pub(crate) content: Option<PathBuf>,
    /// The signer's certificate (PEM or DER): needed where it does not stand in FILE (announcement 179, logins, raw signatures); where it does, it has to
    /// be this one
    #[arg(long, value_name = "CERT")]
    pub(crate) certificate: Option<PathBuf>,
    /// Trusted issuers (PEM, or DER with one certificate); may be given several times
    #[arg(long, value_name = "CA", conflicts_with = "pin_fingerprint")]
    pub(crate) trust: Vec<PathBuf>,
    /// Certificates of authorities between the trusted issuers and the signer: not trusted in themselves; may be given several times
    #[arg(long, value_name = "CERT", requires = "trust")]
    pub(crate) intermediate: Vec<PathBuf>,
    /// Revocation lists (PEM or DER); where one is given, each certificate below a trusted one must be covered; may be given several times
    #[arg(long, value_name = "CRL", requires = "trust")]
    pub(crate) crl: Vec<PathBuf>,
    /// Trusts exactly the signer's certificate with this SHA-256 fingerprint; may be given several times
    #[arg(long, value_name = "HEX", value_parser = fingerprint)]
    pub(crate) pin_fingerprint: Vec<Fingerprint>,
    /// The role that the signer must have
    #[arg(long, value_enum)]
    pub(crate) role: Option<RoleName>,
    /// The time at which the certificate is judged, UTC: 2027-01-01 or 2027-01-01T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = crate::words::parse_time)]
    pub(crate) at: Option<std::time::SystemTime>,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
}
