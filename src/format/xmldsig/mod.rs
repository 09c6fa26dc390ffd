//! XML signatures (W3C XML Signature, second edition) as customs messages use them, and the canonical XML under them.
//!
//! What comes out is equal, octet for octet, to what libxml2 makes of the same document, or the document is refused:
//! `tests/xml_canonical.rs` holds this against 20,000 generated documents. Parser (`uppsala`) and canonicaliser
//! (`bergshamra-c14n`) are libraries; what stands here is what has to be right around them: line ends and white space
//! in attribute values are normalised before parsing, and what the libraries would take but other verifiers read
//! differently is refused.

mod canonical;
mod fault;
mod guard;
mod identifiers;
mod judge;
mod limits;
mod names;
mod oddities;
mod read;
mod survey;
mod text;
mod why;
mod write;

pub(crate) use canonical::{Checked, document, element};
pub(crate) use identifiers::Set;
pub(crate) use judge::{judge, prove};
pub use limits::{
    MAX_ATTRIBUTES, MAX_DEPTH, MAX_ELEMENTS, MAX_NAME, MAX_NAMESPACES, MAX_OCTETS, MAX_OUTER_PIS, MAX_TEXTS,
};
pub(crate) use write::{blank, room};

use uppsala::{Document, NodeId};

use crate::error::{Error, ErrorKind, Result};
use crate::identifiers::IdentifierSet;

/// The namespace of XML Signature.
pub(crate) const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
/// Inclusive Canonical XML 1.0 without comments.
const C14N: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
/// The same with comments: not official, and written by some (manual::customs §1.6).
const C14N_WITH_COMMENTS: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments";
/// The enveloped-signature transform.
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// The octets over which `DigestValue` is made: the canonical form of the document without its Signature element.
///
/// For comparing with another signer: hash them, and see whose digest differs.
///
/// # Errors
/// `Document…` for what is refused; `DocumentAmbiguous` where there is more than one Signature element.
pub fn digest_input(octets: &[u8]) -> Result<Vec<u8>> {
    let checked = Checked::read(octets)?;
    let tree = checked.tree()?;
    let signature = at_most_one(&tree, "Signature")?;
    Ok(document(&tree, signature)?)
}

/// The octets over which `SignatureValue` is made: the canonical form of SignedInfo where it stands, or `None` where the
/// document has no signature.
///
/// # Errors
/// As [`digest_input`].
pub fn signed_info(octets: &[u8]) -> Result<Option<Vec<u8>>> {
    let checked = Checked::read(octets)?;
    let tree = checked.tree()?;
    Ok(at_most_one(&tree, "SignedInfo")?.map(|found| element(&tree, found)).transpose()?)
}

/// The named identifier set that a signed document has; `None` where it has no signature, or identifiers of no set. Whether the signature is
/// right is another question.
///
/// # Errors
/// As [`digest_input`].
pub fn identifier_set(octets: &[u8]) -> Result<Option<IdentifierSet>> {
    let checked = Checked::read(octets)?;
    let tree = checked.tree()?;
    let identifier = |local: &str| -> Result<Option<String>> {
        let found = at_most_one(&tree, local)?;
        Ok(found.and_then(|node| tree.get_attribute(node, "Algorithm")).map(str::to_owned))
    };
    let (signature, digest) = (identifier("SignatureMethod")?, identifier("DigestMethod")?);
    Ok(signature.zip(digest).and_then(|(signature, digest)| Set::named(&signature, &digest)))
}

fn at_most_one(tree: &Document<'_>, local: &str) -> Result<Option<NodeId>> {
    match dsig_elements(tree, local)[..] {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => Err(Error::new(ErrorKind::DocumentAmbiguous, "read XML").detail(format!("more than one {local} element"))),
    }
}

/// The elements of XML Signature with this local name, in document order.
pub(crate) fn dsig_elements(tree: &Document<'_>, local: &str) -> Vec<NodeId> {
    let named = |id: &NodeId| tree.element(*id).is_some_and(|e| e.matches_name_ns(DSIG, local));
    tree.descendants(tree.root()).into_iter().filter(named).collect()
}
