//! Inclusive Canonical XML 1.0 without comments, of a whole document or of an element in its document.

use std::borrow::Cow;
use std::ops::Range;

use bergshamra_c14n::{C14nMode, canonicalize_doc};
use bergshamra_xml::NodeSet;
use uppsala::{Document, NodeId, NodeKind, Parser};

use super::fault::{Fault, FaultKind};
use super::limits::{MAX_DEPTH, MAX_OCTETS};
use super::survey::{Survey, survey};
use super::{guard, text};
use crate::verify::Place;

/// A document that has passed every check, ready to be made a tree of.
///
/// The check order matters: size, encoding, characters, then bounds on what the parser does in more than linear time,
/// then one streaming pass, and only then a tree. So a hostile document costs time and memory in proportion to its size.
#[derive(Debug)]
pub(crate) struct Checked<'o> {
    octets: &'o [u8],
    text: Cow<'o, str>,
    survey: Survey,
}

impl<'o> Checked<'o> {
    /// Checks `octets` and normalises line ends and attribute values.
    pub(crate) fn read(octets: &'o [u8]) -> Result<Self, Fault> {
        let decoded = text::decode(octets)?;
        guard::attributes_bounded(&decoded)?;
        let survey = survey(&decoded)?;
        let text = if survey.values_need_work() {
            let fixed = survey.normalise_values(decoded.into_owned());
            Cow::Owned(fixed.ok_or(Fault::everywhere(FaultKind::Defect))?)
        } else {
            decoded
        };
        Ok(Self { octets, text, survey })
    }

    /// The tree. Its node ranges are offsets in [`Checked::text`].
    pub(crate) fn tree(&self) -> Result<Document<'_>, Fault> {
        Parser::new()
            .with_max_depth(MAX_DEPTH)
            .with_forbid_dtd(true)
            .parse(&self.text)
            .map_err(|_| Fault::everywhere(FaultKind::Defect))
    }

    /// The caller's octets.
    pub(super) fn octets(&self) -> &'o [u8] {
        self.octets
    }

    /// The text with line ends and attribute values normalised, as the tree has it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where the end tag of the document element begins in the caller's octets; `None` where it has none (`<a/>`).
    pub(crate) fn root_end_tag(&self) -> Option<usize> {
        self.survey.root_end_tag().map(|tag| text::original_offset(self.octets, tag.start))
    }

    /// Refuses a document that would be over a bound with `child` as one more child of its document element.
    pub(super) fn room_for(&self, child: &str) -> Result<(), Fault> {
        let octets = self.octets.len().saturating_add(child.len());
        if octets > MAX_OCTETS || !self.survey.has_room(&survey(child)?) {
            return Err(Fault::everywhere(FaultKind::NoRoom));
        }
        Ok(())
    }

    /// The octets of the caller that a node stands in, from its start tag to the end of its end tag.
    pub(crate) fn span(&self, tree: &Document<'_>, node: NodeId) -> Option<Range<usize>> {
        let range = tree.node_range(node)?;
        Some(text::original_offset(self.octets, range.start)..text::original_offset(self.octets, range.end))
    }

    /// Where a node begins in the caller's octets.
    pub(crate) fn place(&self, tree: &Document<'_>, node: NodeId) -> Option<Place> {
        self.place_at(tree.node_range(node)?.start)
    }

    /// Where an offset of [`Checked::text`] is in the caller's octets.
    pub(super) fn place_at(&self, offset: usize) -> Option<Place> {
        Some(Place::of(self.octets, text::original_offset(self.octets, offset)))
    }
}

/// The whole document, without the element `without` and all in it: what the enveloped-signature transform leaves
/// (XML Signature, clause 6.6.4), canonicalised.
pub(crate) fn document(tree: &Document<'_>, without: Option<NodeId>) -> Result<Vec<u8>, Fault> {
    let mut visible = NodeSet::all_without_comments(tree);
    if let Some(element) = without {
        visible.remove_id(element);
        for node in tree.descendants(element) {
            visible.remove_id(node);
        }
    }
    canonical(tree, &visible)
}

/// The element and all in it, with the namespaces and `xml:` attributes that reach it from outside.
pub(crate) fn element(tree: &Document<'_>, element: NodeId) -> Result<Vec<u8>, Fault> {
    canonical(tree, &NodeSet::tree_without_comments(element, tree))
}

/// The canonical form of a document that is given as text; `None` where it is none.
pub(super) fn of_text(text: &str) -> Option<String> {
    let checked = Checked::read(text.as_bytes()).ok()?;
    String::from_utf8(document(&checked.tree().ok()?, None).ok()?).ok()
}

/// As [`of_text`], with the comments: what some signers hash.
pub(super) fn of_text_with_comments(text: &str) -> Option<String> {
    let checked = Checked::read(text.as_bytes()).ok()?;
    let tree = checked.tree().ok()?;
    let visible = NodeSet::all(&tree);
    let octets = canonicalize_doc::<&str>(&tree, C14nMode::InclusiveWithComments, Some(&visible), &[]).ok()?;
    String::from_utf8(octets).ok()
}

/// As [`element`], with the white space between its elements left out.
pub(super) fn element_on_one_line(tree: &Document<'_>, element: NodeId) -> Result<Vec<u8>, Fault> {
    let mut visible = NodeSet::tree_without_comments(element, tree);
    for node in tree.descendants(element) {
        if matches!(tree.node_kind(node), Some(NodeKind::Text(text)) if text.trim_ascii().is_empty()) {
            visible.remove_id(node);
        }
    }
    canonical(tree, &visible)
}

fn canonical(tree: &Document<'_>, visible: &NodeSet) -> Result<Vec<u8>, Fault> {
    canonicalize_doc::<&str>(tree, C14nMode::Inclusive, Some(visible), &[])
        .map_err(|_| Fault::everywhere(FaultKind::Defect))
}
