//! Customs messages (CEBxxxMessage): enveloped XML signatures.

use std::sync::Arc;

use super::{Format, Prepared, SignContext};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::source::Content;
use crate::verify::{Report, VerifyContext};

/// The format `ceb`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ceb;

/// The one instance.
pub static CEB: Ceb = Ceb;

impl Format for Ceb {
    fn name(&self) -> &'static str {
        "ceb"
    }

    fn prepare(&self, _content: &Content, _by: &Arc<Certificate>, _context: &SignContext) -> Result<Prepared> {
        Err(Error::new(ErrorKind::Unsupported, "prepare customs message"))
    }

    fn verify(&self, _content: &Content, _signature: Option<&[u8]>, _context: &VerifyContext) -> Result<Report> {
        Err(Error::new(ErrorKind::Unsupported, "verify customs message"))
    }
}
