//! Customs messages (`CEBnnnMessage`): enveloped XML signatures as SPEC 202205 §6 fixes them (customs.md §1).
//!
//! The caller's octets stay as they are: the Signature element goes in directly before the end tag of the document
//! element, at the place that the parser reports, and nothing is added before or after it.

mod facts;

use std::io::Write;
use std::sync::Arc;

use uppsala::{Document, NodeId};

use super::xmldsig::{self, Checked, Set};
use super::{Format, Prepared, SignContext, customs};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::source::Content;
use crate::suite::{RawSignature, Summary, ToBeSigned};
use crate::verify::{FindingKind, Report, VerifyContext};

/// The namespace of customs messages.
pub const NAMESPACE: &str = "http://www.chinaport.gov.cn/ceb";

const PREPARE: &str = "prepare customs message";

/// The format `ceb`.
///
/// | key | identifiers | customs |
/// |---|---|---|
/// | RSA 1024–4096 | rsa-sha1, sha1 | official |
/// | SM2 | 2022/04 sm2-sm3, sm3 | official, preferred |
/// | P-256 | ecdsa-sha256, sha256 | none: test profiles only |
///
/// Where the profile does not allow SHA-1, an RSA key has no customs identifier either (rsa-sha256 under a test profile).
#[derive(Debug, Clone, Copy, Default)]
pub struct Ceb;

/// The one instance.
pub static CEB: Ceb = Ceb;

impl Format for Ceb {
    fn name(&self) -> &'static str {
        "ceb"
    }

    fn prepare(&self, content: &Content, by: &Arc<Certificate>, context: &SignContext) -> Result<Prepared> {
        let octets = content.read(xmldsig::MAX_OCTETS, PREPARE)?;
        let checked = Checked::read(&octets)?;
        let tree = checked.tree()?;
        let root = message(&tree)?;
        if !xmldsig::dsig_elements(&tree, "Signature").is_empty() {
            return Err(Error::new(ErrorKind::DocumentSigned, PREPARE));
        }
        let end_tag = checked
            .root_end_tag()
            .ok_or_else(|| Error::new(ErrorKind::DocumentKind, PREPARE).detail("the message is empty"))?;
        let suite = customs::suite(by.key()?.kind(), context, PREPARE)?;
        let set = Set::of(suite).ok_or_else(|| Error::new(ErrorKind::Unsupported, PREPARE).detail(suite.name()))?;
        let blank = xmldsig::blank(&octets, end_tag, set, by)?;
        let mut tbs = ToBeSigned::over(suite, by.key()?, &blank.signed_info)?;
        tbs.message = Some(Arc::from(blank.signed_info.as_slice()));
        tbs.display = Some(Arc::new(Summary { text: summary(&tree, root, &blank.digest) }));
        let notes = customs::notes(by.key()?.kind(), suite, context.role);
        let finish = Box::new(move |signature: &RawSignature, out: &mut dyn Write| {
            if signature.suite() != suite {
                return Err(Error::new(ErrorKind::SignatureMalformed, "finish customs message")
                    .detail(format!("{} where {suite} was prepared", signature.suite())));
            }
            out.write_all(&blank.filled(signature.octets()))
                .map_err(|e| Error::new(ErrorKind::OutputFailed, "write customs message").io(&e))
        });
        Ok(Prepared::new(tbs, notes, finish))
    }

    /// As the trait says. A document that is no customs message at all is an error, `DocumentKind`; so is a signature
    /// given beside the document, `Argument`, because it stands in it.
    fn verify(&self, content: &Content, signature: Option<&[u8]>, context: &VerifyContext) -> Result<Report> {
        if signature.is_some() {
            return Err(Error::new(ErrorKind::Argument, "verify customs message")
                .detail("the signature of a customs message stands in it"));
        }
        let octets = content.read(xmldsig::MAX_OCTETS, "verify customs message")?;
        let checked = Checked::read(&octets)?;
        let tree = checked.tree()?;
        message(&tree)?;
        let mut report = Report::proven_by(self.name(), &[FindingKind::DigestRight, FindingKind::SignatureRight]);
        xmldsig::judge(&checked, &mut report, context)?;
        facts::judge(&checked, &tree, &mut report, context);
        Ok(report)
    }
}

/// The document element, if it is a `CEBnnnMessage` in the customs namespace. The prefix does not matter.
fn message(tree: &Document<'_>) -> Result<NodeId> {
    let root = tree.document_element();
    let fits = root.and_then(|id| tree.element(id)).is_some_and(|e| {
        let digits = e.name.local_name.strip_prefix("CEB").and_then(|rest| rest.strip_suffix("Message"));
        e.name.namespace_uri.as_deref() == Some(NAMESPACE)
            && digits.is_some_and(|d| d.len() == 3 && d.bytes().all(|o| o.is_ascii_digit()))
    });
    root.filter(|_| fits).ok_or_else(|| {
        Error::new(ErrorKind::DocumentKind, "read customs message")
            .detail(format!("the document element is no CEBnnnMessage of {NAMESPACE}"))
    })
}

/// What a person is shown: which message, and the digest that will stand in it.
fn summary(tree: &Document<'_>, root: NodeId, digest: &str) -> String {
    let name = tree.element(root).map(|e| e.name.local_name.to_string()).unwrap_or_default();
    // The document is not ours: only what a terminal prints as it stands is shown.
    let plain = |guid: &&str| {
        (1..=64).contains(&guid.len()) && guid.bytes().all(|o| o.is_ascii_alphanumeric() || b"-_".contains(&o))
    };
    let guid = tree.get_attribute(root, "guid").filter(plain).map(|g| format!(", guid {g}")).unwrap_or_default();
    format!("{name}{guid}, digest {digest}")
}
