//! Namespace declarations and `xml:` attributes that reach SignedInfo: where one came or went.
//!
//! SignedInfo is hashed with what the elements around it declare, so a change of the document element is seen in the value as well. But
//! a signer may have hashed it with others than reach it: then "put it back" would break a digest that is right. The digest decides.

use base64ct::{Base64, Encoding};
use uppsala::namespace::XML_NAMESPACE;
use uppsala::{Attribute, Document, Element, NodeId};

use super::super::read::shown;
use super::body::Search;
use super::info::{Info, part_of, start_tag};
use super::root::{self, Declaration, RootEdit};
use crate::verify::{Finding, FindingKind, Words};

/// Declarations and attributes that one finding shows.
const MAX_SHOWN: usize = 6;

impl Info<'_> {
    /// What reaches SignedInfo and did not reach what was signed, and the reverse. Beside the findings the `xml:` attributes that they
    /// are about.
    pub(super) fn reaching(&self, found: &str, signed: &str) -> (Vec<Finding>, Vec<String>) {
        let (Some(now), Some(then)) = (start_tag(found), start_tag(signed)) else { return Default::default() };
        let missing = |from: &[Declaration], of: &[Declaration]| {
            of.iter().filter(|d| !from.contains(d)).cloned().collect::<Vec<_>>()
        };
        let mut add = missing(&now.declarations, &then.declarations);
        let mut findings = Vec::new();
        let mut remove = Vec::new();
        for added in missing(&then.declarations, &now.declarations) {
            match self.declares(&added).filter(|id| Some(*id) != self.tree.document_element()) {
                Some(nearer) => {
                    let hidden = add.iter().position(|lost| lost.0 == added.0).map(|at| add.remove(at));
                    findings.push(self.declared_at(nearer, &added, hidden));
                }
                None => remove.push(added),
            }
        }
        let before = then.xml_attributes();
        let came = now.xml_attributes().into_iter().filter(|a| !before.contains(a) && self.is_of_root(a));
        let attributes: Vec<String> = came.map(str::to_owned).collect();
        let edit = RootEdit { remove, add, attributes };
        let place = self.tree.document_element().and_then(|id| self.checked.place(self.tree, id));
        let unsettled = edit.findings(place);
        if !unsettled.is_empty() {
            let (of_root, here) = self.settled(&edit, unsettled, signed);
            findings.extend(of_root);
            findings.extend(self.hashed_with_others(&here));
        }
        (findings, edit.attributes)
    }

    /// Findings of which the digest says that they are the document element's, and the others.
    fn settled(&self, edit: &RootEdit, findings: Vec<Finding>, signed: &str) -> (Vec<Finding>, Vec<Finding>) {
        let digest = Base64::decode_vec(&part_of(signed, "DigestValue").split_ascii_whitespace().collect::<String>());
        let digest = digest.ok().filter(|digest| self.digests.computed.as_ref() != Some(digest));
        // The document is what was signed, or nobody knows: the document element is not to blame.
        let (Some(digest), Some(algorithm)) = (digest, self.digests.algorithm) else { return (Vec::new(), findings) };
        let signature = self.tree.parent(self.node).unwrap_or(self.node);
        if Search::new(self.checked, self.tree, signature, (algorithm, &digest), None).is_right_with(edit) {
            return (findings, Vec::new());
        }
        // With another change beside it the digest has told it.
        let told = |f: &Finding| {
            let same = |t: &Finding| t.kind == f.kind && t.expected == f.expected && t.found == f.found;
            self.digests.told.iter().any(same)
        };
        findings.into_iter().partition(told)
    }

    /// SignedInfo was hashed with others than reach it where it stands: by the signer, or nobody can tell by whom.
    fn hashed_with_others(&self, differing: &[Finding]) -> Option<Finding> {
        let list = |kind_is_lost: bool| {
            let of = differing.iter().filter(|f| (f.kind == FindingKind::NamespaceLost) == kind_is_lost);
            let words = of.filter_map(|f| if kind_is_lost { f.expected.as_ref() } else { f.found.as_ref() });
            let all: Vec<String> = words.map(ToString::to_string).collect();
            let mut some = all.iter().take(MAX_SHOWN).cloned().collect::<Vec<_>>().join(" ");
            if all.len() > MAX_SHOWN {
                some.push_str(" …");
            }
            if some.is_empty() { Words::from(("nothing of it", "无此内容")) } else { Words::from(some) }
        };
        let said = (
            "it was hashed with other namespaces or xml: attributes than reach it here",
            "计算时所含的命名空间或 xml: 属性与此处实际生效的不同",
        );
        (!differing.is_empty()).then(|| {
            let finding = Finding::new(FindingKind::SignedInfoChanged).detail(said);
            finding.compared(list(true), list(false)).maybe_at(self.place())
        })
    }

    /// A declaration that came to an element below the document element, perhaps in front of one of the same prefix.
    fn declared_at(&self, node: NodeId, declaration: &Declaration, hidden: Option<Declaration>) -> Finding {
        let name = self.tree.element(node).map(|e| shown(&e.name.local_name)).unwrap_or_default();
        let before = hidden.map(|d| Words::from(shown(&root::shown(&d))));
        let expected = before.unwrap_or_else(|| ("no such declaration", "无此声明").into());
        Finding::new(FindingKind::SignedInfoChanged)
            .detail((format!("by a declaration on {name}"), format!("由 {name} 上的声明引起")))
            .compared(expected, shown(&root::shown(declaration)))
            .maybe_at(self.checked.place(self.tree, node))
    }

    /// The element that declares the prefix for SignedInfo.
    pub(super) fn declares(&self, (prefix, _): &Declaration) -> Option<NodeId> {
        nearest(self.tree, self.node, |e| e.namespace_declarations.iter().any(|(p, _)| p == prefix))
    }

    /// Whether an `xml:` attribute of the canonical SignedInfo is the document element's, and no nearer one's.
    pub(super) fn is_of_root(&self, attribute: &str) -> bool {
        let local = attribute.trim_start_matches(" xml:").split('=').next().unwrap_or_default();
        let holder = nearest(self.tree, self.node, |e| has_xml_attribute(e, local));
        holder.is_some() && holder == self.tree.document_element()
    }
}

/// The Signature's own declaration that a program wrote on the document element: "take it out" alone would leave the Signature without
/// its namespace. On the Signature it reaches SignedInfo as before, and no digest.
pub(super) fn moved_up(tree: &Document<'_>, signature: NodeId, findings: &mut [Finding]) {
    let prefix = tree.element(signature).and_then(|e| e.name.prefix.as_deref()).unwrap_or_default();
    let holder = nearest(tree, signature, |e| e.namespace_declarations.iter().any(|(p, _)| p == prefix));
    let moved = |f: &&mut Finding| {
        let name = f.found.as_deref().and_then(|shown| shown.split('=').next()).and_then(|n| n.strip_prefix("xmlns"));
        f.kind == FindingKind::NamespaceAdded && name.is_some_and(|n| n.trim_start_matches(':') == shown(prefix))
    };
    let Some(finding) = findings.iter_mut().find(moved) else { return };
    if holder == tree.document_element() && !is_used_outside(tree, signature, prefix) {
        let said = (
            "it was moved up from the Signature element, which uses it: put it back there",
            "该声明由 Signature 元素移到了根元素，而 Signature 使用它：请移回 Signature 元素",
        );
        finding.detail = Some(said.into());
    }
}

/// Whether an element that is not of the Signature, or an attribute of it, has the prefix.
fn is_used_outside(tree: &Document<'_>, signature: NodeId, prefix: &str) -> bool {
    let mut left = vec![tree.root()];
    while let Some(node) = left.pop() {
        if node == signature {
            continue;
        }
        let uses = |e: &Element<'_>| {
            let own = e.name.prefix.as_deref().unwrap_or_default() == prefix;
            own || e.attributes.iter().any(|a| a.name.prefix.as_deref() == Some(prefix))
        };
        if tree.element(node).is_some_and(uses) {
            return true;
        }
        left.extend(tree.children_iter(node));
    }
    false
}

/// The digest's findings on the document element, where the value is right: SignedInfo inherits the same declarations and attributes, so
/// the signer hashed it with those that are there, and the document with others. What [`moved_up`] told is settled.
pub(in crate::format::xmldsig) fn the_value_is_right(
    tree: &Document<'_>,
    signed_info: NodeId,
    findings: &mut [Finding],
) {
    for finding in findings.iter_mut().filter(|f| f.detail.is_none()) {
        let name = match finding.kind {
            FindingKind::NamespaceLost => finding.expected.as_deref(),
            FindingKind::NamespaceAdded => finding.found.as_deref(),
            _ => None,
        };
        let Some(name) = name.and_then(|shown| shown.split('=').next()) else { continue };
        let prefix = name.strip_prefix("xmlns").map(|rest| rest.trim_start_matches(':'));
        let named = |e: &Element<'_>| match prefix {
            Some(prefix) => e.namespace_declarations.iter().any(|(p, _)| shown(p) == prefix),
            None => has_xml_attribute(e, name.trim_start_matches("xml:")),
        };
        let holder = nearest(tree, signed_info, named);
        // What a nearer element says for itself hides the document element's.
        if holder.is_some() && holder != tree.document_element() {
            continue;
        }
        // Nothing takes a prefix back further in: with the declaration on the document element SignedInfo has it as well.
        let said = match finding.kind {
            FindingKind::NamespaceLost if holder.is_none() => (
                "digest and signature value are of different document elements: no change of it makes both right, sign again",
                "摘要与签名值对应不同的根元素：改动文档无法使两者都正确，请重新签名",
            ),
            _ => (
                "digest and signature value are of different document elements: sign again",
                "摘要与签名值对应不同的根元素：请重新签名",
            ),
        };
        finding.detail = Some(said.into());
    }
}

/// The nearest element around SignedInfo, or SignedInfo, for which this holds.
fn nearest(tree: &Document<'_>, signed_info: NodeId, holds: impl Fn(&Element<'_>) -> bool) -> Option<NodeId> {
    let around = std::iter::successors(Some(signed_info), |id| tree.parent(*id));
    around.into_iter().find(|id| tree.element(*id).is_some_and(&holds))
}

fn has_xml_attribute(element: &Element<'_>, local: &str) -> bool {
    let xml = |a: &Attribute<'_>| a.name.namespace_uri.as_deref() == Some(XML_NAMESPACE) && a.name.local_name == local;
    element.attributes.iter().any(xml)
}
