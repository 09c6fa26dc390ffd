//! Smart-card middleware for the shared shield (共享盾): one device, two certificates, each under its own PIN.

mod atomic;
pub mod cert;
mod credential;
mod door;
mod error;
#[cfg(test)]
mod fake;
pub mod format;
mod pin;
pub mod policy;
mod profile;
mod prompt;
mod receipt;
mod request;
mod role;
mod session;
mod shield;
mod signing;
mod source;
pub mod suite;
pub mod token;
pub mod verify;
mod wait;

pub use atomic::write_whole;
pub use cert::{Certificate, Fingerprint};
pub use credential::{Credential, Found, Listed, Route, Selector, Standing};
pub use door::{Door, DoorId, DoorInfo, Lease};
pub use error::{Candidate, Error, ErrorKind, Recovery, Result, Status};
pub use pin::{Consent, PIN_MAX, Pin, PinStatus};
pub use policy::Policy;
pub use profile::{Join, Profile};
pub use prompt::{Declined, PinEntry, PinPrompt, PinQuestion};
pub use receipt::{Note, Receipt};
pub use request::{Request, Unlock};
pub use role::Role;
pub use session::Session;
pub use shield::{Pending, Shield};
pub use source::{Content, FileSource, Source};
pub use suite::{Digest, DigestAlgorithm, RawSignature, Suite, Summary, ToBeSigned};
pub use verify::{Finding, FindingKind, Report, Severity, Trust, Verdict, VerifyContext};
pub use wait::{Cancel, Clock, FixedClock, SystemClock, Wait};
