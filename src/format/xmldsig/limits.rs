//! Upper bounds. A message of the size that customs takes is far below each of them; a hostile one must end early.

/// Octets of a document. Below the 10,000,000 octets that libxml2, and so xmlsec1, takes for one text node.
pub const MAX_OCTETS: usize = 8 * 1024 * 1024;
/// Nesting of elements. The canonicaliser recurses, so this also bounds its stack. CEB messages need five.
pub const MAX_DEPTH: u32 = 64;
/// Attributes and namespace declarations of one element.
pub const MAX_ATTRIBUTES: usize = 64;
/// Namespace declarations in scope at any place.
pub const MAX_NAMESPACES: usize = 16;
/// Elements of a document.
pub const MAX_ELEMENTS: usize = 200_000;
/// Texts, CDATA sections, comments and processing instructions of a document: the tree needs some 200 octets for each.
pub const MAX_TEXTS: usize = 600_000;
/// Processing instructions outside the document element: canonicalising them looks for the element again for each.
pub const MAX_OUTER_PIS: usize = 256;
/// Octets of a name or namespace name.
pub const MAX_NAME: usize = 1024;
/// Findings of severity `Wrong` after which the structure of a Signature is not described any further.
pub(super) const MAX_WRONG: usize = 64;
