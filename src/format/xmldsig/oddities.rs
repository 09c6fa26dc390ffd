//! What a verifier accepts, because canonical XML and the standard do, and a person should know of all the same.

use uppsala::{NodeId, NodeKind};

use super::DSIG;
use super::read::{Reader, Tally, shown};
use crate::verify::FindingKind;

impl Reader<'_, '_> {
    /// Everything that is odd about a document with this signature. Each sort is told once, with its number.
    pub(super) fn oddities(&mut self, signature: NodeId) {
        self.comments_in_text(signature);
        self.extras(signature);
        self.followers(signature);
    }

    /// Comments are not signed (Canonical XML 1.0, clause 2.1), so anyone may cut a text in two with one (customs.md §1.5).
    fn comments_in_text(&mut self, signature: NodeId) {
        let tree = self.tree;
        let mut comments = Tally::default();
        let mut inside = Vec::new();
        let mut left: Vec<NodeId> = tree.document_element().into_iter().collect();
        while let Some(element) = left.pop() {
            inside.clear();
            let mut text = false;
            let mut children = Vec::new();
            for child in tree.children_iter(element) {
                match tree.node_kind(child) {
                    Some(NodeKind::Element(_)) if child != signature => children.push(child),
                    Some(NodeKind::Comment(_)) => inside.push(child),
                    Some(NodeKind::Text(octets) | NodeKind::CData(octets)) => {
                        text = text || !octets.trim_ascii().is_empty();
                    }
                    _ => {}
                }
            }
            if text {
                inside.iter().for_each(|comment| comments.met(*comment));
            }
            // In document order, so that the first that is met is the first that is read.
            left.extend(children.into_iter().rev());
        }
        let element = comments.first().and_then(|node| tree.parent(node)).and_then(|id| tree.element(id));
        let name = element.map(|e| shown(&e.name.local_name)).unwrap_or_default();
        self.add_all(FindingKind::CommentInText, comments, (format!("in {name}"), format!("在 {name} 中")));
    }

    /// Comments and processing instructions anywhere in the Signature, and in KeyInfo whatever is not KeyName or a
    /// certificate. Of all that only a processing instruction in SignedInfo is signed, and so it is left out.
    fn extras(&mut self, signature: NodeId) {
        let tree = self.tree;
        let mut beside = Tally::default();
        let mut keys = Tally::default();
        for node in tree.descendants(signature) {
            let parent = tree.parent(node);
            let in_key_info = self.is(parent, "KeyInfo");
            match tree.node_kind(node) {
                Some(NodeKind::Comment(_)) => beside.met(node),
                Some(NodeKind::ProcessingInstruction(_))
                    if !tree.ancestors(node).into_iter().any(|id| self.is(Some(id), "SignedInfo")) =>
                {
                    beside.met(node);
                }
                Some(NodeKind::Element(_)) => {
                    let known = ["KeyName", "X509Data"].iter().any(|name| self.is(Some(node), name));
                    let certificate = self.is(Some(node), "X509Certificate");
                    if (in_key_info && !known) || (self.is(parent, "X509Data") && !certificate) {
                        keys.met(node);
                    }
                }
                Some(NodeKind::Text(text) | NodeKind::CData(text))
                    if (in_key_info || self.is(parent, "X509Data")) && !text.trim_ascii().is_empty() =>
                {
                    keys.met(node);
                }
                _ => {}
            }
        }
        self.add_all(FindingKind::SignatureExtras, beside, ("a comment or processing instruction", "注释或处理指令"));
        let first = keys.first().and_then(|node| tree.element(node));
        let name = first.map(|e| shown(&e.name.local_name));
        let said = |text: &str| name.clone().unwrap_or_else(|| text.to_owned());
        let detail = (format!("{} in KeyInfo", said("text")), format!("KeyInfo 中的 {}", said("文本")));
        self.add_all(FindingKind::SignatureExtras, keys, detail);
    }

    /// Customs has the Signature directly before the end tag of the document element, but for white space that was signed
    /// there (customs.md §1.3). Verifiers find it wherever it stands.
    fn followers(&mut self, signature: NodeId) {
        let tree = self.tree;
        if tree.parent(signature) != tree.document_element() {
            return;
        }
        // A second Signature has a finding of its own.
        let follows = |id: &NodeId| match tree.node_kind(*id) {
            Some(NodeKind::Element(_)) if self.is(Some(*id), "Signature") => false,
            Some(NodeKind::Text(text) | NodeKind::CData(text)) => !text.trim_ascii().is_empty(),
            Some(NodeKind::Comment(_)) => false,
            _ => true,
        };
        let after = std::iter::successors(tree.next_sibling(signature), |id| tree.next_sibling(*id)).find(follows);
        if after.is_some() {
            self.add(FindingKind::SignatureNotLast, signature, ("something follows it", "其后还有内容"));
        }
    }

    fn is(&self, node: Option<NodeId>, local: &str) -> bool {
        node.and_then(|id| self.tree.element(id)).is_some_and(|e| e.matches_name_ns(DSIG, local))
    }
}
