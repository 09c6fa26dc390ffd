//! Verifying documents that anybody signed.

use std::mem::offset_of;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use shield::{Certificate, Clock, Content, Crl, ErrorKind, Result, Store, SystemClock, Trust, VerifyContext};

use crate::border::{Options, export, refuse};
use crate::formats::{self, Row};
use crate::types::VerifyOptions;
use crate::{Report, select};

/// A document, and how it is to be judged.
pub(crate) struct Judged {
    row: &'static Row,
    content: Content,
    signature: Option<Vec<u8>>,
    context: VerifyContext,
}

impl Options for VerifyOptions {
    type Given = Judged;

    const EARLIER: &'static [usize] = &[offset_of!(VerifyOptions, between)];

    fn parse(&self) -> Result<Judged> {
        let context = VerifyContext {
            trust: trust(self)?,
            role: select::role(self.role)?,
            profile: select::profile(&self.profile_path)?,
            at: at(self)?,
            certificate: self.certificate.get("certificate")?.map(|c| certificate(&c)).transpose()?,
            sm2_id: shield::Sm2Id::default(),
        };
        Ok(Judged {
            row: formats::row(self.format)?,
            content: formats::document(&self.document, &self.document_path)?,
            signature: self.signature.get("signature")?,
            context,
        })
    }
}

/// The first certificate of PEM or DER: a chain begins with the signer's own.
fn certificate(octets: &[u8]) -> Result<Arc<Certificate>> {
    let first = Certificate::all_from(octets)?.into_iter().next();
    first.map(Arc::new).ok_or_else(|| refuse(ErrorKind::CertificateMalformed, "certificate"))
}

/// Every certificate of every entry: a bundle in PEM is one entry.
fn certificates(entries: &[Vec<u8>]) -> Result<Vec<Arc<Certificate>>> {
    let each: Vec<_> = entries.iter().map(|entry| Certificate::all_from(entry)).collect::<Result<_>>()?;
    Ok(each.into_iter().flatten().map(Arc::new).collect())
}

/// Anchors with what belongs to them.
fn store(anchors: &[Vec<u8>], options: &VerifyOptions) -> Result<Trust> {
    let (between, crls) = (options.between.get("between")?, options.crls.get("crls")?);
    let crls: Vec<_> = crls.iter().map(|entry| Crl::all_from(entry)).collect::<Result<_>>()?;
    let store = Store::new(certificates(anchors)?).between(certificates(&between)?);
    let store = store.crls(crls.into_iter().flatten().map(Arc::new).collect());
    // A list that is there and empty asks for what nobody has.
    let store = if options.crls.is_given() { store.with_revocation() } else { store };
    Ok(Trust::Store(Arc::new(store)))
}

fn trust(options: &VerifyOptions) -> Result<Trust> {
    let (issuers, pinned) = (options.anchors.get("anchors")?, options.pinned.get("pinned")?);
    match (issuers.as_slice(), pinned.as_slice()) {
        // A list that is there and empty is a trust store that failed to load, not a wish to trust anybody.
        ([], []) if options.anchors.is_given() => Ok(Trust::Anchors(Vec::new())),
        (issuers @ [_, ..], []) => store(issuers, options),
        _ if options.between.is_given() || options.crls.is_given() => {
            Err(refuse(ErrorKind::Argument, "between and crls belong to anchors"))
        }
        ([], []) => Ok(Trust::None),
        ([], pinned) => pinned.iter().map(|p| select::fingerprint(p)).collect::<Result<_>>().map(Trust::Pinned),
        _ => Err(refuse(ErrorKind::Argument, "give anchors or pinned, not both")),
    }
}

fn at(options: &VerifyOptions) -> Result<SystemTime> {
    if options.at_given == 0 {
        return Ok(SystemClock.now());
    }
    let seconds = Duration::from_secs(options.at.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let time = if options.at < 0 { epoch.checked_sub(seconds) } else { epoch.checked_add(seconds) };
    time.ok_or_else(|| refuse(ErrorKind::Argument, "at is no time that this system knows"))
}

export! {
    /// Verifies a document, or a detached signature over it. What is wrong with it is in the report; an error says that it could
    /// not be read at all.
    fn shield_verify(options: *const VerifyOptions) -> (report: *mut *mut Report) error {
        let Judged { row, content, signature, context } = options;
        row.format().verify(&content, signature.as_deref(), &context).map(|report| (report,))
    }
}
