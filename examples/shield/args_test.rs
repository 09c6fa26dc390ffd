//! What `make-test-shield` is told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct MakeTestShield {
    /// Folder for the profile, the CA certificate and the two certificates; made when it is not there
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// One token, one PIN for both certificates
    #[arg(long)]
    pub(crate) one_token: bool,
    /// Keys of the two certificates
    #[arg(long, value_enum, default_value_t = TestKey::P256)]
    pub(crate) algorithm: TestKey,
    /// Puts this RSA key (PKCS#8 PEM, a throw-away one) on the token as the customs key
    #[arg(long, value_name = "PEM")]
    pub(crate) import_key: Option<PathBuf>,
    /// The certificate (PEM) of that key, stored as it is; without it the test authority issues one
    #[arg(long, value_name = "PEM", requires = "import_key")]
    pub(crate) import_certificate: Option<PathBuf>,
    /// What the labels of the tokens begin with, so that several test shields fit into one SoftHSM
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    /// The customs certificate has expired
    #[arg(long)]
    pub(crate) expired: bool,
    /// The customs certificate was renewed: an earlier one is beside it
    #[arg(long)]
    pub(crate) renewed: bool,
    /// Takes the PIN of the customs certificate from this environment variable, not a well-known test PIN
    #[arg(long, value_name = "NAME")]
    pub(crate) customs_pin_env: Option<String>,
    /// Takes the PIN of the bank certificate from this environment variable, not a well-known test PIN
    #[arg(long, value_name = "NAME", conflicts_with = "one_token")]
    pub(crate) bank_pin_env: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestKey {
    P256,
    Rsa2048,
    Rsa1024,
}
