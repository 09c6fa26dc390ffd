//! The command line of customs messages.

use std::path::PathBuf;

use clap::Args;
use shared_shield::{CebOptions, IdentifierSet};

use crate::args::Signing;

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

fn identifiers(text: &str) -> Result<IdentifierSet, String> {
    let of_use = IdentifierSet::ALL.into_iter().filter(|set| set.is_for_signing());
    let known: Vec<_> = of_use.map(IdentifierSet::name).collect();
    IdentifierSet::parse(text)
        .filter(|set| set.is_for_signing())
        .ok_or_else(|| format!("an identifier set to sign with is one of {}", known.join(", ")))
}
