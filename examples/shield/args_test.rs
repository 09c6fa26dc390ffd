//! What `make-test-shield` is told.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct MakeTestShield {
    /// Folder for the profile, the CA certificate and the two certificates; made when it is not there
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// One token, one PIN for both certificates; not in the simulator, whose applications have a PIN each
    #[arg(long)]
    pub(crate) one_token: bool,
    /// Keys of the two certificates; by default p256, in the simulator sm2
    #[arg(long, value_enum, visible_alias = "key")]
    pub(crate) algorithm: Option<TestKey>,
    /// The dialect of GM/T 0017 that the simulator speaks: syno-2015 (the default), usbtool or gm3000; only in the first can PINs be changed
    #[arg(long, value_name = "NAME")]
    pub(crate) dialect: Option<String>,
    /// Puts this key (PKCS#8 PEM, a throw-away one) on the token as the customs key: RSA, in the simulator one of --algorithm
    #[arg(long, value_name = "PEM")]
    pub(crate) import_key: Option<PathBuf>,
    /// The certificate (PEM) of that key, stored as it is; without it the test authority issues one
    #[arg(long, value_name = "PEM", requires = "import_key")]
    pub(crate) import_certificate: Option<PathBuf>,
    /// What the labels of the tokens begin with, so that several test shields fit into one SoftHSM; not in the simulator
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
    /// Takes the customs office's unlock code (admin PIN) from this environment variable; in the simulator only
    #[arg(long, value_name = "NAME")]
    pub(crate) customs_puk_env: Option<String>,
    /// Takes the bank's unlock code (admin PIN) from this environment variable; in the simulator only
    #[arg(long, value_name = "NAME")]
    pub(crate) bank_puk_env: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestKey {
    P256,
    Sm2,
    Rsa2048,
    Rsa1024,
}
