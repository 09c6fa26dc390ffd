//! What is done without a token: to look whether a document would be signed, and two-step signing.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use super::doubt::Doubts;
use super::{Job, Shield, log, next_correlation, signing};
use crate::cert::Certificate;
use crate::error::{Error, Result};
use crate::receipt::Receipt;
use crate::request::Request;
use crate::suite::{RawSignature, Summary, ToBeSigned};
use crate::tries::PinStatus;

impl Shield {
    /// Whether a document would be refused before anything is asked, and whose certificate would sign it: for whoever looks at many.
    ///
    /// # Errors
    /// As [`Shield::prepare`].
    pub fn check(&self, request: &Request) -> Result<Arc<Certificate>> {
        let look = || {
            let options = &request.options;
            let credential = self.resolve(request.role, &options.selector, options.outside_validity)?;
            options.check_shown()?;
            request.format.check(&request.content, &credential.certificate, &self.context(request, &credential))?;
            Ok(credential.certificate)
        };
        look().map_err(|e: Error| e.role(request.role).correlate(next_correlation()))
    }

    /// Whose certificate would sign a request, whatever its document is.
    pub(crate) fn signer(&self, request: &Request) -> Result<Arc<Certificate>> {
        let options = &request.options;
        let resolved = self.resolve(request.role, &options.selector, options.outside_validity);
        resolved.map(|credential| credential.certificate).map_err(|e| e.role(request.role))
    }

    /// Two-step signing: what is to be signed, for a host that reaches the key in its own way.
    ///
    /// # Errors
    /// As [`Shield::sign`] up to the prompt; no token is touched.
    pub fn prepare(&self, request: Request) -> Result<Pending> {
        let id = next_correlation();
        let job = self.prepare_job(&request, id).map_err(|e| e.role(request.role).correlate(id))?;
        Ok(Pending { job })
    }
}

/// A request that waits for a signature made elsewhere.
pub struct Pending {
    pub(super) job: Job,
}

impl Pending {
    /// What is to be signed.
    #[must_use]
    pub fn tbs(&self) -> &ToBeSigned {
        &self.job.prepared.tbs
    }

    /// Whose key has to sign it.
    #[must_use]
    pub fn certificate(&self) -> &Arc<Certificate> {
        &self.job.credential.certificate
    }

    /// What a person should be shown.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.job.summary
    }

    /// Verifies the signature and writes the finished document.
    ///
    /// # Errors
    /// `SignatureWrong` when it is not the certificate's: `out` has received nothing then.
    pub fn complete(self, signature: &RawSignature, out: &mut dyn Write) -> Result<Receipt> {
        let (role, id) = (self.job.credential.role, self.job.correlation);
        signing::finish(self.job, signature, None, PinStatus::Unknown { refused: false }, &Doubts::default(), out)
            .map_err(|e| e.role(role).correlate(id))
            .inspect_err(log)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("tbs", self.tbs()).finish_non_exhaustive()
    }
}
