//! Customs messages (`CEBnnnMessage`): enveloped XML signatures as SPEC 202205 §6 fixes them (customs.md §1).
//!
//! The caller's octets stay as they are: the Signature element goes in directly before the end tag of the document
//! element, at the place that the parser reports, and nothing is added before or after it.

mod declarant;
mod facts;
mod messages;
mod options;

use std::io::Write;
use std::sync::Arc;

use uppsala::{Document, NodeId};

use super::xmldsig::{self, Checked, Set};
use super::{Format, Prepared, SignContext, customs};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::note::Note;
use crate::source::Content;
use crate::suite::{KeyKind, RawSignature, Suite, Summary, ToBeSigned, names};
use crate::verify::{FindingKind, Report, VerifyContext};

pub use messages::{Declarant, MESSAGES, Message, SignatureRule};
pub use options::CebOptions;

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
/// Where the profile does not allow SHA-1, an RSA key has no customs identifier either (rsa-sha256 under a test profile). A profile or
/// [`CebOptions::identifiers`] names another set; the request goes before the profile.
///
/// The caller's encoding is UTF-8, with or without a byte order mark, whatever its line ends. Everything else is refused, also where the XML
/// declaration names another encoding and the octets are ASCII (`DocumentEncoding`).
#[derive(Debug, Clone, Copy, Default)]
pub struct Ceb {
    options: CebOptions,
}

/// The instance without further words. It verifies every message.
pub static CEB: Ceb = Ceb { options: CebOptions { identifiers: None, replacing: false, other_declarant: false } };

impl Ceb {
    /// The suite, and what is to be said of its identifiers.
    fn suite(&self, key: KeyKind, context: &SignContext) -> Result<(Suite, Vec<Note>)> {
        let by_profile = context.identifiers.filter(|set| set.suite().fits(key));
        let Some(set) = self.options.identifiers.or(by_profile) else {
            let suite = customs::suite(key, context, PREPARE)?;
            return Ok((suite, customs::notes(key, suite, context.role)));
        };
        let suite = set.suite();
        let refuse = |kind, detail: String| Err(Error::new(kind, PREPARE).role(context.role).detail(detail));
        if !set.is_for_signing() || !suite.fits(key) {
            return refuse(ErrorKind::IdentifiersUnsuited, format!("{set} with {key}"));
        }
        if suite == Suite::RsaSha1 && !context.sha1 {
            return refuse(ErrorKind::UnsupportedByCustoms, format!("{set}: the profile does not allow SHA-1"));
        }
        if !context.suites.contains(&suite) {
            let kind = if suite == Suite::Sm2Sm3 { ErrorKind::Unsupported } else { ErrorKind::KeyUnsuited };
            return refuse(kind, format!("{set} with {key}; the token offers {}", names(&context.suites)));
        }
        let mut notes = customs::notes(key, suite, context.role);
        if !set.is_official() {
            notes.retain(|note| *note != Note::TestProfile);
            notes.push(Note::IdentifiersInferred);
        }
        Ok((suite, notes))
    }

    /// Everything for which a message is refused, before its Signature is written.
    fn judge(
        &self,
        checked: &Checked<'_>,
        tree: &Document<'_>,
        by: &Certificate,
        context: &SignContext,
    ) -> Result<Signable> {
        let (root, number) = message(tree)?;
        if !xmldsig::dsig_elements(tree, "Signature").is_empty() {
            return Err(Error::new(ErrorKind::DocumentSigned, PREPARE));
        }
        // Beside the one that is written it would be the second, and nobody could say which was signed.
        if let Some(stray) = xmldsig::dsig_elements(tree, "SignedInfo").first() {
            let detail = format!("{}a SignedInfo element that belongs to no Signature", at(checked, tree, *stray));
            return Err(Error::new(ErrorKind::DocumentAmbiguous, PREPARE).detail(detail));
        }
        let end_tag = checked
            .root_end_tag()
            .ok_or_else(|| Error::new(ErrorKind::DocumentKind, PREPARE).detail("the message is empty"))?;
        let key = by.key()?;
        let (suite, mut notes) = self.suite(key.kind(), context)?;
        notes.extend(self.facts(checked, tree, number, by)?);
        let set = Set::of(suite).ok_or_else(|| Error::new(ErrorKind::Unsupported, PREPARE).detail(suite.name()))?;
        xmldsig::room(checked, set, by)?;
        Ok(Signable { root, end_tag, set, notes })
    }

    /// The document that is signed: without the signature that stands in it, where the caller wants it replaced.
    fn unsigned(&self, octets: Vec<u8>) -> Result<(Vec<u8>, Option<Note>)> {
        let taken_out = if self.options.replacing { without_signature(&octets)? } else { None };
        Ok(taken_out.map_or((octets, None), |unsigned| (unsigned, Some(Note::SignatureReplaced))))
    }
}

/// A message that may be signed.
struct Signable {
    root: NodeId,
    /// Where the Signature goes in.
    end_tag: usize,
    set: Set,
    notes: Vec<Note>,
}

/// A customs message without its Signature element, every other octet as it was; `None` where it has none.
///
/// # Errors
/// `Document…`; `DocumentAmbiguous` where there is more than one Signature, or one that is no child of the document element.
pub fn without_signature(octets: &[u8]) -> Result<Option<Vec<u8>>> {
    let checked = read(octets)?;
    let tree = checked.tree()?;
    message(&tree)?;
    let refuse = |node, what| {
        Error::new(ErrorKind::DocumentAmbiguous, PREPARE).detail(format!("{}{what}", at(&checked, &tree, node)))
    };
    let signature = match xmldsig::dsig_elements(&tree, "Signature")[..] {
        [] => return Ok(None),
        [one] if tree.parent(one) == tree.document_element() => one,
        [one] => return Err(refuse(one, "a Signature element that is no child of the document element")),
        [_, second, ..] => return Err(refuse(second, "a second Signature element")),
    };
    let defect = || Error::new(ErrorKind::Defect, PREPARE);
    let span = checked.span(&tree, signature).ok_or_else(defect)?;
    let before = octets.get(..span.start).ok_or_else(defect)?;
    let after = octets.get(span.end..).ok_or_else(defect)?;
    Ok(Some([before, after].concat()))
}

/// Reads a message. Where nothing stands, a parser has no place to name.
fn read(octets: &[u8]) -> Result<Checked<'_>> {
    let text = octets.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(octets);
    if octets.len() <= xmldsig::MAX_OCTETS && text.iter().all(|o| b" \t\r\n".contains(o)) {
        let what = if octets.is_empty() { "the document is empty" } else { "the document has no element" };
        return Err(Error::new(ErrorKind::DocumentMalformed, "read XML").detail(format!("line 1, octet 1: {what}")));
    }
    Ok(Checked::read(octets)?)
}

/// The place of an element, to stand before what is said of it.
fn at(checked: &Checked<'_>, tree: &Document<'_>, node: NodeId) -> String {
    let place = checked.place(tree, node);
    place.map_or_else(String::new, |place| format!("line {}, octet {} of the document: ", place.line, place.offset))
}

impl Format for Ceb {
    fn name(&self) -> &'static str {
        "ceb"
    }

    fn prepare(&self, content: &Content, by: &Arc<Certificate>, context: &SignContext) -> Result<Prepared> {
        let (octets, replaced) = self.unsigned(content.read(xmldsig::MAX_OCTETS, PREPARE)?)?;
        let checked = read(&octets)?;
        let tree = checked.tree()?;
        let Signable { root, end_tag, set, mut notes } = self.judge(&checked, &tree, by, context)?;
        let is_replaced = replaced.is_some();
        notes.extend(replaced);
        let blank = xmldsig::blank((&checked, &tree), end_tag, set, by)?;
        let suite = set.suite;
        let mut tbs = ToBeSigned::over(suite, by.key()?, &blank.signed_info)?;
        tbs.message = Some(Arc::from(blank.signed_info.as_slice()));
        tbs.display = Some(Arc::new(Summary { text: summary(&tree, root, &blank.digest) }));
        let certificate = Arc::clone(by);
        let finish = Box::new(move |signature: &RawSignature, out: &mut dyn Write| {
            if signature.suite() != suite {
                return Err(Error::new(ErrorKind::SignatureMalformed, "finish customs message")
                    .detail(format!("{} where {suite} was prepared", signature.suite())));
            }
            let finished = blank.filled(signature.octets());
            if is_replaced {
                xmldsig::prove(&finished, &certificate)?;
            }
            out.write_all(&finished).map_err(|e| Error::new(ErrorKind::OutputFailed, "write customs message").io(&e))
        });
        Ok(Prepared::new(tbs, notes, finish))
    }

    fn check(&self, content: &Content, by: &Arc<Certificate>, context: &SignContext) -> Result<()> {
        let (octets, _) = self.unsigned(content.read(xmldsig::MAX_OCTETS, PREPARE)?)?;
        let checked = read(&octets)?;
        self.judge(&checked, &checked.tree()?, by, context).map(drop)
    }

    /// As the trait says. A document that is no customs message at all is an error, `DocumentKind`; so is a signature
    /// given beside the document, `Argument`, because it stands in it, and another SM2 identifier than the default one, `UnsupportedByCustoms`.
    fn verify(&self, content: &Content, signature: Option<&[u8]>, context: &VerifyContext) -> Result<Report> {
        if signature.is_some() {
            return Err(Error::new(ErrorKind::Argument, "verify customs message")
                .detail("the signature of a customs message stands in it"));
        }
        customs::identifier(&context.sm2_id, "verify customs message")?;
        let octets = content.read(xmldsig::MAX_OCTETS, "verify customs message")?;
        let checked = read(&octets)?;
        let tree = checked.tree()?;
        message(&tree)?;
        let mut report = Report::proven_by(self.name(), &[FindingKind::DigestRight, FindingKind::SignatureRight]);
        xmldsig::judge(&checked, &mut report, context)?;
        facts::judge(&checked, &tree, &mut report, context);
        Ok(report)
    }
}

/// The document element, if it is a `CEBnnnMessage` in the customs namespace, and its number. The prefix does not matter.
fn message(tree: &Document<'_>) -> Result<(NodeId, u16)> {
    let number = |id: NodeId| {
        let name = &tree.element(id).filter(|e| e.name.namespace_uri.as_deref() == Some(NAMESPACE))?.name;
        let digits = name.local_name.strip_prefix("CEB")?.strip_suffix("Message")?;
        let number = (digits.len() == 3 && digits.bytes().all(|o| o.is_ascii_digit())).then(|| digits.parse().ok());
        Some((id, number.flatten()?))
    };
    tree.document_element().and_then(number).ok_or_else(|| {
        Error::new(ErrorKind::DocumentKind, "read customs message")
            .detail(format!("the document element is no CEBnnnMessage of {NAMESPACE}"))
    })
}

impl Ceb {
    /// What the table of messages says of this one, and whether it is this certificate's to sign.
    fn facts(&self, checked: &Checked<'_>, tree: &Document<'_>, number: u16, by: &Certificate) -> Result<Vec<Note>> {
        let Some(message) = Message::by_number(number) else { return Ok(vec![Note::MessageUnknown]) };
        if message.signature == SignatureRule::Never {
            let detail = format!("CEB{number}, {} ({})", message.title, message.title_zh);
            return Err(Error::new(ErrorKind::MessageNeverSigned, PREPARE).detail(detail));
        }
        let mut notes = declarant::check(checked, tree, message, by.eport(), self.options.other_declarant)?;
        // SPEC 202205, field appStatus: 1 draft, 2 declare; the latter asks for a Signature.
        let states = declarant::texts(tree, "appStatus");
        if !states.is_empty() && states.iter().all(|state| state == "1") {
            notes.push(Note::Draft);
        }
        Ok(notes)
    }
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
