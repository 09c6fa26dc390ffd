//! The Signature element, read strictly: what is not exactly as expected becomes a finding.

use base64ct::{Base64, Encoding};
use uppsala::{Document, NodeId, NodeKind};

use super::canonical::Checked;
use super::limits::MAX_WRONG;
use super::{C14N, C14N_WITH_COMMENTS, DSIG, ENVELOPED, why};
use crate::verify::{Finding, FindingKind, Language, Report, Severity, Words};

/// What a Signature element holds. What could not be read is `None`, and the report says why.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) signed_info: Option<NodeId>,
    /// Identifier of the SignatureMethod.
    pub(super) method: Option<String>,
    /// Identifier of the DigestMethod, of the one Reference.
    pub(super) digest_method: Option<String>,
    /// DigestValue, of the one Reference.
    pub(super) digest: Option<Vec<u8>>,
    /// SignatureValue.
    pub(super) value: Option<Vec<u8>>,
    /// KeyName as it stands.
    pub(super) key_name: Option<String>,
    /// X509Certificate in DER.
    pub(super) certificate: Option<Vec<u8>>,
    /// Where they stand: SignatureMethod, DigestMethod, DigestValue, SignatureValue, KeyName, X509Certificate.
    pub(super) nodes: Nodes,
}

/// Where the parts stand.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    pub(super) method: Option<NodeId>,
    pub(super) digest_method: Option<NodeId>,
    pub(super) digest: Option<NodeId>,
    pub(super) value: Option<NodeId>,
    pub(super) key_name: Option<NodeId>,
    pub(super) certificate: Option<NodeId>,
}

/// Reads Signature elements and reports what is wrong with their structure.
pub(super) struct Reader<'a, 'd> {
    pub(super) checked: &'a Checked<'a>,
    pub(super) tree: &'a Document<'d>,
    pub(super) report: &'a mut Report,
}

impl Reader<'_, '_> {
    /// XML Signature, clause 4.1: SignedInfo, SignatureValue, KeyInfo, in this order and once each.
    pub(super) fn signature(&mut self, signature: NodeId) -> Parts {
        let mut parts = Parts::default();
        self.attributes(signature, &["Id"]);
        let [signed_info, value, key_info] = self.sequence(signature, ["SignedInfo", "SignatureValue", "KeyInfo?"]);
        parts.signed_info = signed_info;
        if let Some(node) = signed_info {
            self.signed_info(node, &mut parts);
        }
        parts.nodes.value = value;
        if let Some(node) = value {
            self.attributes(node, &["Id"]);
            parts.value = self.base64(node, FindingKind::SignatureUnreadable);
        }
        if let Some(node) = key_info {
            self.key_info(node, &mut parts);
        }
        parts
    }

    fn signed_info(&mut self, node: NodeId, parts: &mut Parts) {
        self.attributes(node, &["Id"]);
        // A second Reference is a finding of its own: it says that something else is signed as well.
        if self.named(node, "Reference").len() > 1 {
            let many = self.named(node, "Reference").len();
            self.compare(
                FindingKind::Wrapping,
                node,
                ("more than one Reference", "Reference 不止一个"),
                ("1", many.to_string()),
            );
        }
        let [c14n, method, reference] = self.sequence(node, ["CanonicalizationMethod", "SignatureMethod", "Reference"]);
        if let Some(identifier) = c14n.and_then(|n| self.algorithm(n))
            && identifier != C14N
        {
            self.not_plain(c14n, &identifier);
        }
        parts.nodes.method = method;
        parts.method = method.and_then(|n| self.algorithm(n));
        if let Some(reference) = reference {
            self.reference(reference, parts);
        }
    }

    fn reference(&mut self, node: NodeId, parts: &mut Parts) {
        self.attributes(node, &["Id", "URI", "Type"]);
        match self.tree.get_attribute(node, "URI").map(str::to_owned).as_deref() {
            Some("") => {}
            Some(uri) => {
                let said = (
                    "Reference covers a part of the document, or something else",
                    "Reference 只覆盖文档的一部分或其他内容",
                );
                self.compare(FindingKind::Wrapping, node, said, ("URI=\"\"", format!("URI=\"{}\"", shown(uri))));
            }
            None => {
                let said = ("Reference has no URI", "Reference 没有 URI");
                self.compare(FindingKind::Wrapping, node, said, ("URI=\"\"", ("no URI", "无 URI")));
            }
        }
        let [transforms, method, value] = self.sequence(node, ["Transforms", "DigestMethod", "DigestValue"]);
        if let Some(transforms) = transforms {
            self.transforms(transforms);
        }
        (parts.nodes.digest_method, parts.nodes.digest) = (method, value);
        parts.digest_method = method.and_then(|n| self.algorithm(n));
        parts.digest = value.and_then(|n| self.base64(n, FindingKind::Structure));
    }

    fn transforms(&mut self, node: NodeId) {
        let all = self.named(node, "Transform");
        if all.len() != 1 {
            let said =
                (format!("{} transforms, one is expected", all.len()), format!("{} 个 Transform，应为一个", all.len()));
            self.compare(FindingKind::Wrapping, node, said, ("1", all.len().to_string()));
        }
        // One is looked at, the first that is another: with more than one the verdict is clear, however many there are.
        let foreign = |id: &&NodeId| self.tree.get_attribute(**id, "Algorithm") != Some(ENVELOPED);
        if let Some(&transform) = all.iter().find(foreign).or(all.first())
            && let Some(identifier) = self.algorithm(transform)
            && identifier != ENVELOPED
        {
            self.unknown(Some(transform), &identifier, ENVELOPED);
        }
        let [_] = self.sequence(node, ["Transform"]);
    }

    /// KeyName and X509Data, once each. What else may stand here (KeyValue, RetrievalMethod, …) is only told of: no key is
    /// taken from it, and nothing is fetched.
    fn key_info(&mut self, node: NodeId, parts: &mut Parts) {
        let names = self.named(node, "KeyName");
        let data = self.named(node, "X509Data");
        let certificates: Vec<NodeId> = data.iter().flat_map(|d| self.named(*d, "X509Certificate")).collect();
        for (what, count) in
            [("KeyName", names.len()), ("X509Data", data.len()), ("X509Certificate", certificates.len())]
        {
            if count > 1 {
                let said = (format!("{count} {what} elements"), format!("{count} 个 {what} 元素"));
                self.compare(FindingKind::Structure, node, said, ("1", count.to_string()));
            }
        }
        parts.nodes.key_name = names.first().copied();
        parts.nodes.certificate = certificates.first().copied();
        parts.key_name = names.first().and_then(|n| self.text(*n));
        parts.certificate = match certificates[..] {
            [one] => self.base64(one, FindingKind::CertificateUnreadable),
            _ => None,
        };
    }

    /// The children of `parent`, which must be these elements of XML Signature in this order; `?` marks one that may be
    /// missing.
    fn sequence<const N: usize>(&mut self, parent: NodeId, names: [&str; N]) -> [Option<NodeId>; N] {
        let mut children = self.elements(parent).into_iter().peekable();
        let tree = self.tree;
        let found = names.map(|name| {
            let local = name.trim_end_matches('?');
            let child = children.next_if(|id| tree.element(*id).is_some_and(|e| e.matches_name_ns(DSIG, local)));
            if child.is_none() && !name.ends_with('?') {
                let said = (format!("{local} is missing or not in its place"), format!("{local} 缺失或位置不对"));
                let other =
                    children.peek().and_then(|id| tree.element(*id)).map(|e| Words::from(shown(&e.name.local_name)));
                self.compare(
                    FindingKind::Structure,
                    parent,
                    said,
                    (local, other.unwrap_or_else(|| ("nothing", "无").into())),
                );
            }
            child
        });
        if let Some(extra) = children.next() {
            let name = tree.element(extra).map(|e| shown(&e.name.local_name)).unwrap_or_default();
            let said = (format!("element {name} is not expected here"), format!("此处不应有元素 {name}"));
            self.compare(FindingKind::Structure, extra, said, (("nothing more", "无其他元素"), name));
        }
        found
    }

    /// The element children; text beside them is one finding, however often it stands there.
    fn elements(&mut self, parent: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut stray = Tally::default();
        for child in self.tree.children(parent) {
            match self.tree.node_kind(child) {
                Some(NodeKind::Element(_)) => found.push(child),
                Some(NodeKind::Text(text) | NodeKind::CData(text)) if !text.trim_ascii().is_empty() => stray.met(child),
                _ => {}
            }
        }
        let text = stray.first().and_then(|node| match self.tree.node_kind(node) {
            Some(NodeKind::Text(text) | NodeKind::CData(text)) => Some(text),
            _ => None,
        });
        let compared = text.map(|text| (Words::from(("no text", "无文本")), why::quoted(text)));
        self.tell_all(FindingKind::Structure, stray, ("text is not expected here", "此处不应有文本"), compared);
        found
    }

    fn named(&self, parent: NodeId, local: &str) -> Vec<NodeId> {
        self.tree.child_elements_by_name_ns(parent, DSIG, local)
    }

    /// The Algorithm attribute of an element that has nothing else.
    fn algorithm(&mut self, node: NodeId) -> Option<String> {
        self.attributes(node, &["Algorithm"]);
        let [] = self.sequence(node, []);
        let identifier = self.tree.get_attribute(node, "Algorithm").map(str::to_owned);
        if identifier.is_none() {
            self.add(FindingKind::Structure, node, ("Algorithm is missing", "缺少 Algorithm"));
        }
        identifier
    }

    fn attributes(&mut self, node: NodeId, allowed: &[&str]) {
        let Some(element) = self.tree.element(node) else { return };
        let fits = |a: &&uppsala::Attribute<'_>| match &a.name.namespace_uri {
            None => !allowed.contains(&a.name.local_name.as_ref()),
            Some(uri) => uri != uppsala::namespace::XML_NAMESPACE,
        };
        if let Some(extra) = element.attributes.iter().find(fits) {
            let name = shown(&extra.name.local_name);
            let said = (format!("attribute {name} is not expected here"), format!("此处不应有属性 {name}"));
            self.add(FindingKind::Structure, node, said);
        }
    }

    /// The text of an element that holds nothing but text.
    fn text(&mut self, node: NodeId) -> Option<String> {
        let mut whole = String::new();
        for child in self.tree.children(node) {
            match self.tree.node_kind(child) {
                Some(NodeKind::Text(text) | NodeKind::CData(text)) => whole.push_str(text),
                _ => {
                    self.add(FindingKind::Structure, node, ("text with something else in it", "文本中夹有其他内容"));
                    return None;
                }
            }
        }
        Some(whole)
    }

    fn base64(&mut self, node: NodeId, otherwise: FindingKind) -> Option<Vec<u8>> {
        let mut text = self.text(node)?;
        text.retain(|c| !c.is_ascii_whitespace());
        let expected = ("base64 and nothing else", "仅 base64");
        // What was never filled in is neither wrong nor changed.
        if text.is_empty() {
            self.compare(otherwise, node, ("it is empty", "为空"), (expected, ("nothing", "无")));
            return None;
        }
        let octets = Base64::decode_vec(&text).ok();
        if octets.is_none() {
            self.compare(otherwise, node, ("not base64", "不是 base64"), (expected, shown(&text)));
        }
        octets
    }

    fn unknown(&mut self, node: Option<NodeId>, identifier: &str, expected: &str) {
        let place = node.and_then(|node| self.checked.place(self.tree, node));
        let finding = Finding::new(FindingKind::IdentifierUnknown).compared(expected, shown(identifier));
        self.put(finding.maybe_at(place));
    }

    /// Another canonicalisation than the official one.
    fn not_plain(&mut self, node: Option<NodeId>, identifier: &str) {
        if identifier != C14N_WITH_COMMENTS {
            return self.unknown(node, identifier, C14N);
        }
        let place = node.and_then(|node| self.checked.place(self.tree, node));
        self.put(Finding::new(FindingKind::C14nWithComments).compared(C14N, C14N_WITH_COMMENTS).maybe_at(place));
    }

    /// Adds a finding with its place, up to [`MAX_WRONG`]: finding a place reads the document, and a report is for people.
    ///
    /// Nothing is dropped before something is wrong, so no verdict hangs on it.
    pub(super) fn add(&mut self, kind: FindingKind, node: NodeId, detail: impl Into<Words>) {
        if !self.is_full() {
            self.put(Finding::new(kind).detail(detail).maybe_at(self.checked.place(self.tree, node)));
        }
    }

    /// Adds a finding with what was expected and what was found.
    pub(super) fn compare(
        &mut self,
        kind: FindingKind,
        node: NodeId,
        detail: impl Into<Words>,
        (expected, found): (impl Into<Words>, impl Into<Words>),
    ) {
        if !self.is_full() {
            let place = self.checked.place(self.tree, node);
            self.put(Finding::new(kind).detail(detail).compared(expected, found).maybe_at(place));
        }
    }

    fn is_full(&self) -> bool {
        self.report.findings.iter().filter(|f| f.severity() == Severity::Wrong).count() >= MAX_WRONG
    }

    fn put(&mut self, finding: Finding) {
        if !self.is_full() {
            self.report.add(finding);
        }
    }

    /// Adds one finding for all that was met, if anything was, with how many they are.
    pub(super) fn add_all(&mut self, kind: FindingKind, tally: Tally, detail: impl Into<Words>) {
        self.tell_all(kind, tally, detail, None);
    }

    /// The same with what was expected in the place of the first, and what was found.
    fn tell_all(
        &mut self,
        kind: FindingKind,
        Tally { first, count }: Tally,
        detail: impl Into<Words>,
        compared: Option<(Words, Words)>,
    ) {
        let Some(node) = first else { return };
        let mut detail = detail.into();
        if count > 1 {
            let english = format!("{}; {count} in all, the first", detail.of(Language::English));
            let chinese = format!("{}；共 {count} 处，此为第一处", detail.of(Language::Chinese));
            detail = (english, chinese).into();
        }
        match compared {
            Some(compared) => self.compare(kind, node, detail, compared),
            None => self.add(kind, node, detail),
        }
    }
}

/// Nodes of one sort: the first stands for all of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    first: Option<NodeId>,
    count: usize,
}

impl Tally {
    pub(super) fn met(&mut self, node: NodeId) {
        self.first = self.first.or(Some(node));
        self.count = self.count.saturating_add(1);
    }

    pub(super) fn first(self) -> Option<NodeId> {
        self.first
    }
}

/// Text of a document as it may stand in a report: short, and nothing that a terminal obeys.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(120).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
    if text.chars().nth(120).is_some() {
        short.push('…');
    }
    short
}
