//! Namespace declarations and `xml:` attributes of a canonical start tag, and the ways in which they come and go.

use crate::verify::{Finding, FindingKind, Place};

use super::super::DSIG;

/// A declaration: prefix (empty for the default namespace) and name, as canonical XML writes it.
pub(super) type Declaration = (String, String);

/// Declarations that programs write without being asked, and so lose too.
const USUAL: [(&str, &str); 3] =
    [("xsi", "http://www.w3.org/2001/XMLSchema-instance"), ("xsd", "http://www.w3.org/2001/XMLSchema"), ("ds", DSIG)];

/// A canonical start tag taken apart. In canonical XML declarations come first, and a quote inside a value is escaped.
pub(super) struct StartTag<'t> {
    pub(super) name: &'t str,
    pub(super) declarations: Vec<Declaration>,
    /// The attributes and the closing bracket.
    pub(super) rest: &'t str,
}

impl<'t> StartTag<'t> {
    pub(super) fn of(tag: &'t str) -> Option<Self> {
        let inside = tag.strip_prefix('<')?;
        let (name, mut rest) = inside.split_at(inside.find([' ', '>'])?);
        let mut declarations = Vec::new();
        while let Some(after) = rest.strip_prefix(" xmlns") {
            let (prefix, value) = after.split_once("=\"")?;
            let (uri, behind) = value.split_once('"')?;
            declarations.push((prefix.strip_prefix(':').unwrap_or(prefix).to_owned(), uri.to_owned()));
            rest = behind;
        }
        Some(StartTag { name, declarations, rest })
    }

    /// The `xml:` attributes as they stand there, each with the blank before it. On the document element they reach SignedInfo as well
    /// (Canonical XML 1.0, clause 2.4).
    pub(super) fn xml_attributes(&self) -> Vec<&'t str> {
        let mut found = Vec::new();
        let mut rest = self.rest;
        while let Some((name, (value, behind))) =
            rest.split_once("=\"").and_then(|(name, value)| Some((name, value.split_once('"')?)))
        {
            let length = name.len().saturating_add(value.len()).saturating_add(3);
            found.extend(rest.get(..length).filter(|_| name.starts_with(" xml:")));
            rest = behind;
        }
        found
    }
}

/// The declaration as it stands in a tag.
pub(super) fn shown((prefix, uri): &Declaration) -> String {
    if prefix.is_empty() { format!("xmlns=\"{uri}\"") } else { format!("xmlns:{prefix}=\"{uri}\"") }
}

/// Declarations to take away from a start tag and to add to it, and attributes to take away, to have it as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RootEdit {
    pub(super) remove: Vec<Declaration>,
    pub(super) add: Vec<Declaration>,
    /// As [`StartTag::xml_attributes`] has them.
    pub(super) attributes: Vec<String>,
}

impl RootEdit {
    /// What may have happened to a start tag, the likely first.
    pub(super) fn all(tag: &StartTag<'_>) -> Vec<RootEdit> {
        let declared = &tag.declarations;
        let absent: Vec<Declaration> = USUAL
            .iter()
            .filter(|(prefix, _)| declared.iter().all(|(p, _)| p != prefix))
            .map(|(prefix, uri)| ((*prefix).to_owned(), (*uri).to_owned()))
            .collect();
        let mut edits = Vec::new();
        edits.extend(subsets(&absent).into_iter().map(|add| RootEdit { add, ..RootEdit::default() }));
        edits.extend(subsets(declared).into_iter().map(|remove| RootEdit { remove, ..RootEdit::default() }));
        // Another prefix for the same name, or another name for the same prefix: what was there is gone, and something is there in its place.
        for (prefix, uri) in USUAL {
            let usual: Declaration = (prefix.to_owned(), uri.to_owned());
            let renamed = declared.iter().filter(|d| **d != usual && (d.0 == prefix || d.1 == uri));
            edits.extend(renamed.map(|d| RootEdit {
                remove: vec![d.clone()],
                add: vec![usual.clone()],
                attributes: Vec::new(),
            }));
        }
        let attributes: Vec<String> = tag.xml_attributes().into_iter().map(str::to_owned).collect();
        let some = attributes.iter().map(|one| vec![one.clone()]).take(6);
        let whole = (attributes.len() > 1).then(|| attributes.clone());
        edits.extend(some.chain(whole).map(|attributes| RootEdit { attributes, ..RootEdit::default() }));
        edits.sort_by_key(|e| e.add.len().saturating_add(e.remove.len()).saturating_add(e.attributes.len()));
        edits
    }

    /// The start tag as it was; `None` where the edit changes nothing in it.
    pub(super) fn apply(&self, tag: &str) -> Option<String> {
        let StartTag { name, mut declarations, rest } = StartTag::of(tag)?;
        let before = declarations.clone();
        declarations.retain(|d| !self.remove.contains(d));
        for new in &self.add {
            if declarations.iter().all(|(prefix, _)| *prefix != new.0) {
                declarations.push(new.clone());
            }
        }
        // Canonical XML 1.0, clause 2.2: the default namespace first, the others by prefix.
        declarations.sort();
        let written: String = declarations.iter().map(|d| format!(" {}", shown(d))).collect();
        let left = without(rest, &self.attributes);
        (declarations != before || left != rest).then(|| format!("<{name}{written}{left}"))
    }

    /// What that says of the document as it stands.
    pub(super) fn findings(&self, place: Option<Place>) -> Vec<Finding> {
        let mut findings = difference(&self.add, &self.remove, place);
        findings.extend(added_attributes(&self.attributes, place));
        findings
    }
}

/// A canonical text without the first of each of these attributes. No attribute's value holds another: a quote in it is escaped.
pub(super) fn without(text: &str, attributes: &[String]) -> String {
    attributes.iter().fold(text.to_owned(), |text, attribute| text.replacen(attribute.as_str(), "", 1))
}

/// The findings for `xml:` attributes that are there and not wanted.
pub(super) fn added_attributes(added: &[String], place: Option<Place>) -> Vec<Finding> {
    let told = |attribute: &String| {
        let found = super::super::read::shown(attribute.trim_start());
        Finding::new(FindingKind::NamespaceAdded).compared(("no such attribute", "无此属性"), found).maybe_at(place)
    };
    added.iter().map(told).collect()
}

/// The findings for declarations that are wanted and not there, and for those that are there and not wanted.
pub(super) fn difference(lost: &[Declaration], added: &[Declaration], place: Option<Place>) -> Vec<Finding> {
    let none = || ("no such declaration", "无此声明");
    let lost = lost
        .iter()
        .map(|d| Finding::new(FindingKind::NamespaceLost).compared(super::super::read::shown(&shown(d)), none()));
    let added = added
        .iter()
        .map(|d| Finding::new(FindingKind::NamespaceAdded).compared(none(), super::super::read::shown(&shown(d))));
    lost.chain(added).map(|f| f.maybe_at(place)).collect()
}

/// One or two of them.
fn subsets(all: &[Declaration]) -> Vec<Vec<Declaration>> {
    let mut some: Vec<Vec<Declaration>> = all.iter().map(|one| vec![one.clone()]).collect();
    for (index, one) in all.iter().enumerate().take(6) {
        for other in all.iter().skip(index.saturating_add(1)).take(6) {
            some.push(vec![one.clone(), other.clone()]);
        }
    }
    some
}
