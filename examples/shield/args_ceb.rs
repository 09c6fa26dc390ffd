//! The command line of customs: messages, form fields, digests.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use shared_shield::{CebOptions, DigestAlgorithm, IdentifierSet};

use crate::args::{RoleName, Signing};

#[derive(Debug, Args)]
pub(crate) struct SignDeclaration {
    /// The messages
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Folder for the signed messages, under the names of the originals; made when it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: PathBuf,
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

#[derive(Debug, Args)]
#[group(id = "documents", required = true, multiple = false, args = ["folder", "manifest"])]
pub(crate) struct SignBatch {
    /// The messages of this folder: its files that end in .xml
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// The messages that this file lists, one on a line; after a tab the name of the output, where it is another one
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Folder for the signed messages, under the names of the originals; made when it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: PathBuf,
    /// What was done before; by default .shield-batch.journal in the folder of the outputs
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Signs messages again that the journal knows and whose output is gone
    #[arg(long)]
    pub(crate) again: bool,
    /// How many threads prepare and sign
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

/// What may be said of customs messages.
#[derive(Debug, Clone, Args)]
pub(crate) struct MessageArgs {
    /// Signs with this identifier set: official-2022, official-rsa-sha1 or legacy-2018-sha256 (inferred); by the key unless said
    #[arg(long, value_name = "SET", value_parser = identifiers)]
    pub(crate) identifiers: Option<IdentifierSet>,
    /// Takes out the signature that stands in a message and signs it anew
    #[arg(long)]
    pub(crate) replace_signature: bool,
    /// Signs although a message names another company as its declarant than the certificate: customs would refuse it
    #[arg(long)]
    pub(crate) even_another_declarant: bool,
}

impl MessageArgs {
    pub(crate) fn options(&self) -> CebOptions {
        let mut options = CebOptions::default();
        if let Some(set) = self.identifiers {
            options = options.identifiers(set);
        }
        if self.replace_signature {
            options = options.replacing_signature();
        }
        if self.even_another_declarant {
            options = options.even_for_another_declarant();
        }
        options
    }
}

#[derive(Debug, Args)]
#[group(id = "form", required = true, multiple = false, args = ["field", "fields"])]
pub(crate) struct SignEms {
    /// A field; may be given several times, in the order of the page. The name is shown, the value is signed
    #[arg(long, value_name = "NAME=VALUE", value_parser = field)]
    pub(crate) field: Vec<(String, String)>,
    /// The fields from this file: a JSON array of ["NAME", "VALUE"]
    #[arg(long, value_name = "FILE")]
    pub(crate) fields: Option<PathBuf>,
    /// Prints JSON with certNo and signature
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

#[derive(Debug, Args)]
pub(crate) struct SignDigest {
    /// The digest in hex. For SM2 it is SM3(Z, message), not the SM3 of the message
    #[arg(value_name = "HEX")]
    pub(crate) digest: String,
    /// Its algorithm
    #[arg(long, value_enum)]
    pub(crate) algorithm: AlgorithmName,
    /// As whom
    #[arg(long, value_enum)]
    pub(crate) role: RoleName,
    /// Prints JSON with certNo and signature
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlgorithmName {
    Sha1,
    Sha256,
    Sm3,
}

impl From<AlgorithmName> for DigestAlgorithm {
    fn from(name: AlgorithmName) -> Self {
        match name {
            AlgorithmName::Sha1 => DigestAlgorithm::Sha1,
            AlgorithmName::Sha256 => DigestAlgorithm::Sha256,
            AlgorithmName::Sm3 => DigestAlgorithm::Sm3,
        }
    }
}

fn field(text: &str) -> Result<(String, String), String> {
    let split = text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    split.ok_or_else(|| "a field is NAME=VALUE".to_owned())
}

fn identifiers(text: &str) -> Result<IdentifierSet, String> {
    let of_use = IdentifierSet::ALL.into_iter().filter(|set| set.is_for_signing());
    let known: Vec<_> = of_use.map(IdentifierSet::name).collect();
    IdentifierSet::parse(text)
        .filter(|set| set.is_for_signing())
        .ok_or_else(|| format!("an identifier set to sign with is one of {}", known.join(", ")))
}
