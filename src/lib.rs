//! Smart-card middleware for the shared shield (共享盾): one device, two certificates, each under its own PIN.
//!
//! A declarant plugs in one key. It holds a **customs identity certificate** (电子口岸: log in to the Single Window, sign declarations) and a
//! **bank certificate** (网银: payments), each with its own PIN, its own tries and its own renewal. Callers name a [`Role`]; slots, labels
//! and object ids never appear.
//!
//! ```no_run
//! use shared_shield::{Content, Declined, PinEntry, PinQuestion, Request, Scanner, Wait, write_whole};
//!
//! # fn main() -> shared_shield::Result<()> {
//! let scan = Scanner::new().module("/usr/lib/softhsm/libsofthsm2.so").scan(&Wait::default())?;
//! let shield = scan.only()?; // the one shield on the desk, or an error that says which there are
//! let mut prompt = |q: &PinQuestion<'_>| {
//!     let typed = b"12345678"; // from a dialog that shows q.role, q.summary and q.status
//!     q.pin(typed).map(PinEntry::Typed).map_err(|_| Declined)
//! };
//! let request = Request::declaration(Content::file("CEB621.xml"));
//! let receipt = write_whole("CEB621.signed.xml".as_ref(), |out| shield.sign(request, &mut prompt, &Wait::default(), out))?;
//! println!("signed by {} with {}", receipt.number, receipt.suite);
//! # Ok(())
//! # }
//! ```
//!
//! What the library promises, and how it is built, stands in the [`manual`].

// Without a kind of token nothing opens a lease and nothing reads a PIN.
#![cfg_attr(not(feature = "pkcs11"), allow(dead_code))]

pub mod apdu;
mod atomic;
pub mod batch;
mod card;
pub mod cert;
mod credential;
pub mod doctor;
mod door;
mod error;
pub mod format;
mod identifiers;
pub mod link;
pub mod manual;
mod note;
mod pin;
pub mod policy;
mod profile;
mod prompt;
mod receipt;
mod request;
mod role;
mod scan;
mod shield;
#[cfg(feature = "simulator")]
pub mod simulator;
mod source;
pub mod suite;
pub mod token;
mod tries;
pub mod verify;
mod wait;
mod watch;

pub use atomic::{check_output, is_part_of, part_name, part_of, write_new, write_whole};
pub use card::{CardReport, Tried};
pub use cert::{CardKind, Certificate, Crl, Fingerprint, Personal, Purpose};
pub use credential::{Credential, Found, Listed, Reference, Route, Selector, Standing};
pub use doctor::Diagnosis;
pub use door::{Door, DoorId, DoorInfo, Lease, Way};
pub use error::{Candidate, Error, ErrorKind, Recovery, Result, Status};
#[cfg(feature = "xml")]
pub use format::ceb::CebOptions;
pub use format::cms::CmsOptions;
pub use identifiers::IdentifierSet;
pub use note::Note;
pub use pin::{PIN_MAX, Pin};
pub use policy::Policy;
pub use profile::{Join, Profile};
pub use prompt::{Declined, PinEntry, PinPrompt, PinQuestion};
pub use receipt::Receipt;
pub use request::{Request, Unlock};
pub use role::Role;
pub use scan::{Scan, Scanner};
pub use shield::{Pending, Session, Shield};
pub use source::{Content, FileSource, Source};
pub use suite::{Digest, DigestAlgorithm, RawSignature, Sm2Id, Suite, Summary, ToBeSigned};
pub use token::{PinForm, PinState};
pub use tries::{Consent, PinStatus};
pub use verify::{
    Finding, FindingKind, Language, Place, Report, Severity, Store, Trust, Verdict, VerifyContext, Words,
};
pub use wait::{Cancel, Clock, FixedClock, SystemClock, Wait};
pub use watch::{Event, Watch};
