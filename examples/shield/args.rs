//! The command line: what may be said, and nothing else. A PIN is never said here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use shared_shield::{Consent, Fingerprint, Reference, Role, Selector};

use crate::args_ceb::{SignBatch, SignDeclaration, SignDigest, SignEms};
use crate::args_pins::{ChangePin, ChangePuk, Unblock};
use crate::args_test::MakeTestShield;
use crate::args_verify::Verify;
use crate::exit;
use crate::progress;
use crate::screen::Lang;

/// One shield, two certificates: list them, sign with them, verify what was signed.
#[derive(Debug, Parser)]
#[command(name = "shield", version, after_help = exit::TABLE, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "General options")]
pub(crate) struct Global {
    /// Driver (PKCS#11 module) by its absolute path; may be given several times
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) module: Vec<PathBuf>,
    /// Leaves the computer's readers alone: only drivers that are named with --module are used
    #[arg(long, global = true)]
    pub(crate) no_readers: bool,
    /// Looks only at readers (USB keys) whose name contains TEXT
    #[arg(long, global = true, value_name = "TEXT", conflicts_with = "no_readers")]
    pub(crate) reader: Option<String>,
    /// Uses the shield in software in this state file, in place of the computer's readers (see: make-test-shield)
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) simulator: Option<PathBuf>,
    /// Sends a PIN in the dialect that the profile names although the device has never accepted one in it; three tries have to be left
    #[arg(long, global = true)]
    pub(crate) try_dialect: bool,
    /// Profile file that extends the built-in rules
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,
    /// Language of what is printed
    #[arg(long, global = true, value_enum, default_value_t = Lang::En)]
    pub(crate) lang: Lang,
    /// Appends a log to this file; it never holds a PIN
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// How much is logged
    #[arg(long, global = true, value_enum, default_value_t = Level::Info, value_name = "LEVEL")]
    pub(crate) log_level: Level,
    /// How long one call waits for the shield
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) wait: u64,
}

impl Global {
    /// A fresh deadline: each call has its own. Whoever waits long is told on stderr.
    pub(crate) fn wait(&self) -> shared_shield::Wait {
        progress::told(shared_shield::Wait::at_most(Duration::from_secs(self.wait)), self.lang)
    }

    /// Files that every command works with: no output goes there. In a simulator's state are its keys.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let options = [&self.profile, &self.simulator, &self.log].into_iter().flatten();
        options.chain(&self.module).map(PathBuf::as_path)
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows readers, shields, doors and certificates with role, standing, validity, tries left and the ways to each
    List(List),
    /// Shows certificates in detail
    Info(Info),
    /// Signs customs messages (CEBxxxMessage), many in one unlock; a rerun skips what is done
    SignDeclaration(SignDeclaration),
    /// Signs the customs messages of a folder or a list in one unlock, with a journal: a rerun signs nothing twice
    ///
    /// Ctrl-C stops it behind the documents in work and says what was done; a second one ends it at once. On Windows the first one ends it at
    /// once: repeat the command, and the journal knows what was done.
    SignBatch(SignBatch),
    /// Signs a file as it is; writes a detached signature (DER for ECDSA, PKCS#1 for RSA)
    SignRaw(SignRaw),
    /// Signs a payment or another document for the bank (CMS), after showing what it is about
    SignPayment(SignPayment),
    /// Signs payment data of customs announcement 179, from JSON fields or the ready string
    #[command(name = "sign-179")]
    Sign179(Sign179),
    /// Signs form fields of an EMS page, their values one after the other; prints certificate number and signature
    SignEms(SignEms),
    /// Signs a digest that was computed elsewhere: what it is of cannot be seen; prints certificate number and signature
    SignDigest(SignDigest),
    /// Signs the random of a login page; prints certificate number and signature
    SignLogin(SignLogin),
    /// Verifies what was signed: customs messages, CMS, announcement 179, logins, raw signatures
    Verify(Verify),
    /// Says why a signature is wrong, and what to do: as verify, with everything that was expected, found and where
    Explain(Verify),
    /// Shows shields as they are plugged in and pulled out, until Ctrl-C
    Watch(Watch),
    /// Changes the PIN of a role
    ChangePin(ChangePin),
    /// Sets a new PIN by the unlock code (PUK), for one that is locked or forgotten
    Unblock(Unblock),
    /// Changes the unlock code (PUK)
    ChangePuk(ChangePuk),
    /// Says what is wrong with readers, drivers, shields, certificates and PINs, and what to do; no PIN is needed
    Doctor(Doctor),
    /// Makes a test shield with invented certificates, in a SoftHSM or in the simulator
    MakeTestShield(MakeTestShield),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Info {
    /// Only this role
    #[arg(long, value_enum)]
    pub(crate) role: Option<RoleName>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    /// Prints JSON; it never holds the holder's name
    #[arg(long)]
    pub(crate) json: bool,
    /// Shows the holder's name and the tokens' labels too, on this screen only
    #[arg(long, conflicts_with = "json")]
    pub(crate) personal: bool,
}

/// Chooses where a role alone is not enough. Everything that is given must fit.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Choice {
    /// The certificate with this unit code (customs certificates)
    #[arg(long, value_name = "CODE")]
    pub(crate) entity_code: Option<String>,
    /// The certificate with this card number (customs certificates)
    #[arg(long, value_name = "NUMBER")]
    pub(crate) card: Option<String>,
    /// The certificate with this SHA-256 fingerprint
    #[arg(long, value_name = "HEX", value_parser = fingerprint)]
    pub(crate) fingerprint: Option<Fingerprint>,
    /// The certificate with this reference (see: shield list); on a card nothing else is read
    #[arg(long, value_name = "REF", value_parser = reference, conflicts_with = "fingerprint")]
    pub(crate) credential: Option<Reference>,
}

impl Choice {
    pub(crate) fn selector(&self) -> Selector {
        Selector {
            fingerprint: self.fingerprint.or(self.credential.as_ref().map(Reference::fingerprint)),
            entity_code: self.entity_code.clone(),
            card_number: self.card.clone(),
        }
    }
}

/// Where a PIN comes from: the terminal unless one of these is given. There is no option that takes a PIN itself.
#[derive(Debug, Args)]
pub(crate) struct PinArgs {
    /// Reads the PIN from this open file descriptor: one line, its newline is dropped
    #[arg(long, value_name = "N", conflicts_with = "pin_env")]
    pub(crate) pin_fd: Option<u32>,
    /// Reads the PIN from this environment variable
    #[arg(long, value_name = "NAME")]
    pub(crate) pin_env: Option<String>,
}

/// What both ways of signing have in common.
#[derive(Debug, Args)]
pub(crate) struct Signing {
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) pin: PinArgs,
    /// Signs although the certificate has expired or is not valid yet; the receipt says so
    #[arg(long)]
    pub(crate) even_outside_validity: bool,
    /// Tries the PIN although a wrong one was entered before and the shield does not tell how many tries are left
    #[arg(long)]
    pub(crate) try_again: bool,
    /// Tries the PIN although it is the last try: a wrong one locks it
    #[arg(long)]
    pub(crate) spend_last_try: bool,
    /// Replaces output files that exist
    #[arg(long)]
    pub(crate) overwrite: bool,
}

impl Signing {
    pub(crate) fn consent(&self) -> Consent {
        if self.spend_last_try {
            Consent::LastTry
        } else if self.try_again {
            Consent::AfterRefusal
        } else {
            Consent::None
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct SignRaw {
    /// The file
    pub(crate) file: PathBuf,
    /// As whom
    #[arg(long, value_enum)]
    pub(crate) role: RoleName,
    /// File for the signature
    #[arg(long, value_name = "SIG")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

#[derive(Debug, Args)]
pub(crate) struct SignPayment {
    /// The document
    pub(crate) file: PathBuf,
    /// File for the CMS message
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Leaves the document outside of the message
    #[arg(long)]
    pub(crate) detached: bool,
    /// Writes PEM in place of DER
    #[arg(long)]
    pub(crate) pem: bool,
    /// What the PIN prompt shows; without it the document's name and length, and the document itself where it is a short plain text
    #[arg(long, conflicts_with = "text_file")]
    pub(crate) text: Option<String>,
    /// Takes that text from this file (UTF-8)
    #[arg(long, value_name = "FILE")]
    pub(crate) text_file: Option<PathBuf>,
    /// Signs without signed attributes: for banks that know no better
    #[arg(long)]
    pub(crate) no_attributes: bool,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

#[derive(Debug, Args)]
pub(crate) struct Sign179 {
    /// The fields as JSON, or the ready signing string
    pub(crate) file: PathBuf,
    /// File for what is posted: the value of payExInfoStr with certNo and signValue
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Writes the signature value alone (base64)
    #[arg(long, conflicts_with = "form_encoded")]
    pub(crate) signature_only: bool,
    /// Writes the whole body of the POST, percent-encoded
    #[arg(long)]
    pub(crate) form_encoded: bool,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

#[derive(Debug, Args)]
#[group(id = "challenge", required = true, multiple = false, args = ["challenge_base64", "challenge_file"])]
pub(crate) struct SignLogin {
    /// As whom
    #[arg(long, value_enum)]
    pub(crate) role: RoleName,
    /// The random as the site sent it, in base64; the octets that it stands for are signed
    #[arg(long, value_name = "TEXT")]
    pub(crate) challenge_base64: Option<String>,
    /// A file whose octets are signed as they are, a newline at the end included
    #[arg(long, value_name = "FILE")]
    pub(crate) challenge_file: Option<PathBuf>,
    /// Signs TEXT as it stands, in place of the octets that it stands for
    #[arg(long, conflicts_with = "challenge_file")]
    pub(crate) as_text: bool,
    /// Prints JSON with the names that the login page posts: certNo and signData
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) signing: Signing,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Prints a line of JSON for each event
    #[arg(long)]
    pub(crate) json: bool,
    /// Ends after this time; without it at Ctrl-C
    #[arg(long = "for", value_name = "SECONDS")]
    pub(crate) seconds: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Prints JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Also writes what was found to this file, for somebody who helps: without names, numbers, labels and paths
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
    /// Replaces that file if it exists
    #[arg(long, requires = "bundle")]
    pub(crate) overwrite: bool,
}

/// What a signed document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    Auto,
    /// A customs message (CEBxxxMessage)
    Ceb,
    /// CMS (PKCS#7), DER or PEM
    Cms,
    /// Payment data of customs announcement 179
    #[value(name = "179")]
    Payment179,
    /// The challenge of a login
    Login,
    /// Any file with a signature beside it
    Raw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleName {
    Customs,
    Bank,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Customs => Role::Customs,
            RoleName::Bank => Role::Bank,
        }
    }
}

fn reference(text: &str) -> Result<Reference, String> {
    Reference::parse(text).ok_or_else(|| "a reference is what `shield list` shows: DOOR/PLACE/FINGERPRINT".to_owned())
}

pub(crate) fn fingerprint(text: &str) -> Result<Fingerprint, String> {
    Fingerprint::parse(text).ok_or_else(|| "a SHA-256 fingerprint has 64 hex digits".to_owned())
}
