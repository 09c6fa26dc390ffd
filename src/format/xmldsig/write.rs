//! The Signature element as customs wants it written: no character more than the standard asks for (customs.md §1.3).

use base64ct::{Base64, Encoding};
use uppsala::Document;

use super::canonical::{Checked, document, element};
use super::fault::{Fault, FaultKind};
use super::identifiers::Set;
use super::{C14N, DSIG, ENVELOPED, dsig_elements};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::suite::KeyKind;

/// A document with a Signature element whose value is still missing.
#[derive(Debug)]
pub(crate) struct Blank {
    /// The octets that are to be signed: the canonical form of SignedInfo *in the finished document*.
    pub(crate) signed_info: Vec<u8>,
    /// DigestValue in base64.
    pub(crate) digest: String,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Blank {
    /// The finished document. The value is base64, so it changes nothing of what was hashed.
    pub(crate) fn filled(mut self, value: &[u8]) -> Vec<u8> {
        self.before.extend_from_slice(Base64::encode_string(value).as_bytes());
        self.before.append(&mut self.after);
        self.before
    }
}

/// Refuses a document that a verifier would no longer take with its Signature: one that is at a bound already.
///
/// The Signature is counted as it will stand there, with a digest and a value of the right length.
pub(crate) fn room(checked: &Checked<'_>, set: Set, by: &Certificate) -> Result<()> {
    let value = match by.key()?.kind() {
        KeyKind::Rsa { bits } => bits.div_ceil(8),
        // r‖s
        KeyKind::P256 | KeyKind::Sm2 => 64,
    };
    let [digest, value] = [set.suite.digest().length(), value].map(|octets| Base64::encode_string(&vec![0; octets]));
    Ok(checked.room_for(&[opening(set, &digest), value, closing(by)].concat())?)
}

/// Digests the document that `tree` was made of and puts a Signature without a value before the end tag that stands at `end_tag`.
///
/// The caller's octets around it stay as they are.
pub(crate) fn blank(
    (checked, tree): (&Checked<'_>, &Document<'_>),
    end_tag: usize,
    set: Set,
    by: &Certificate,
) -> Result<Blank> {
    let input = document(tree, None)?;
    let digest = Base64::encode_string(set.suite.digest().of(&input)?.octets());
    let defect = || Error::new(ErrorKind::Defect, "write Signature");
    let (head, tail) = checked.octets().split_at_checked(end_tag).ok_or_else(defect)?;
    let mut before = head.to_vec();
    before.extend_from_slice(opening(set, &digest).as_bytes());
    let mut after = closing(by).into_bytes();
    after.extend_from_slice(tail);
    let whole = [before.as_slice(), after.as_slice()].concat();
    let signed_info = check(&whole, &input)?;
    Ok(Blank { signed_info, digest, before, after })
}

/// Reads the document back as a verifier will: the digest input must not have changed, and SignedInfo is canonicalised
/// where it stands, with whatever namespaces and `xml:` attributes reach it there.
fn check(whole: &[u8], input: &[u8]) -> Result<Vec<u8>> {
    let defect = || Fault::everywhere(FaultKind::Defect);
    let checked = Checked::read(whole)?;
    let tree = checked.tree()?;
    let [signature] = dsig_elements(&tree, "Signature")[..] else { return Err(defect().into()) };
    let [signed_info] = dsig_elements(&tree, "SignedInfo")[..] else { return Err(defect().into()) };
    if tree.parent(signature) != tree.document_element() || document(&tree, Some(signature))? != input {
        return Err(defect().into());
    }
    Ok(element(&tree, signed_info)?)
}

fn opening(set: Set, digest: &str) -> String {
    format!("<ds:Signature xmlns:ds=\"{DSIG}\">{}<ds:SignatureValue>", signed_info(set, digest, ""))
}

/// SignedInfo in one line. With `namespaces` (each as ` xmlns:p="…"`, ordered by prefix) this is its canonical form.
pub(super) fn signed_info(set: Set, digest: &str, namespaces: &str) -> String {
    let Set { signature, digest: method, .. } = set;
    format!(
        "<ds:SignedInfo{namespaces}>\
         <ds:CanonicalizationMethod Algorithm=\"{C14N}\"></ds:CanonicalizationMethod>\
         <ds:SignatureMethod Algorithm=\"{signature}\"></ds:SignatureMethod>\
         <ds:Reference URI=\"\">\
         <ds:Transforms><ds:Transform Algorithm=\"{ENVELOPED}\"></ds:Transform></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"{method}\"></ds:DigestMethod>\
         <ds:DigestValue>{digest}</ds:DigestValue>\
         </ds:Reference></ds:SignedInfo>"
    )
}

fn closing(by: &Certificate) -> String {
    format!(
        "</ds:SignatureValue><ds:KeyInfo><ds:KeyName>{}</ds:KeyName>\
         <ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>",
        by.number(),
        Base64::encode_string(by.der())
    )
}
