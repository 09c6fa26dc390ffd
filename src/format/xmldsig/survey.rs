//! One pass over the document before a tree of it exists: everything is bounded and checked here.

use std::collections::HashSet;
use std::ops::Range;

use uppsala::namespace::XML_NAMESPACE;
use uppsala::{Attribute, PullEvent, PullParser, QName, XmlDeclaration, XmlError};

use super::fault::{Fault, FaultKind};
use super::limits::{MAX_ATTRIBUTES, MAX_DEPTH, MAX_ELEMENTS, MAX_NAMESPACES, MAX_OUTER_PIS, MAX_TEXTS};
use super::names;

/// What the pass has learnt.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Offset of the start tag of the document element, in the decoded text.
    root_start: usize,
    /// The end tag of the document element; as [`Survey::root_start`] says, the whole tag if it closes itself.
    root_end: Range<usize>,
    /// Namespace declarations of the document element: they are in scope wherever a child of it stands.
    root_declared: usize,
    elements: usize,
    texts: usize,
    /// Offsets of the octets that attribute-value normalisation turns into spaces (XML 1.0, clause 3.3.3).
    spaces: Vec<Range<usize>>,
}

impl Survey {
    /// The end tag of the document element, or `None` where the element has none (`<a/>`).
    pub(super) fn root_end_tag(&self) -> Option<Range<usize>> {
        (self.root_start != self.root_end.start).then(|| self.root_end.clone())
    }

    /// Whether the counts stay within their bounds with `child` as one more child of the document element. It declares namespaces in its own start tag alone.
    pub(super) fn has_room(&self, child: &Survey) -> bool {
        self.root_declared.saturating_add(child.root_declared) <= MAX_NAMESPACES
            && self.elements.saturating_add(child.elements) <= MAX_ELEMENTS
            && self.texts.saturating_add(child.texts) <= MAX_TEXTS
    }

    /// The text with the white space inside attribute values replaced as the parser should have done.
    pub(super) fn normalise_values(&self, text: String) -> Option<String> {
        let mut octets = text.into_bytes();
        for octet in self.spaces.iter().cloned().flatten() {
            *octets.get_mut(octet)? = b' ';
        }
        String::from_utf8(octets).ok()
    }

    /// Whether [`Survey::normalise_values`] would change anything.
    pub(super) fn values_need_work(&self) -> bool {
        !self.spaces.is_empty()
    }
}

struct Pass<'t> {
    text: &'t str,
    survey: Survey,
    outer_pis: usize,
    declared: Vec<usize>,
    identifiers: HashSet<String>,
}

/// Reads the whole text once. Nothing of it is kept but what [`Survey`] holds.
pub(super) fn survey(text: &str) -> Result<Survey, Fault> {
    let mut pass =
        Pass { text, survey: Survey::default(), outer_pis: 0, declared: Vec::new(), identifiers: HashSet::new() };
    // One level more than we take, so that it is we who find the depth exceeded, with its own kind.
    let mut parser = PullParser::new(text).with_max_depth(MAX_DEPTH.saturating_add(1)).with_forbid_dtd(true);
    loop {
        match parser.next_event() {
            Ok(Some(event)) => pass.event(&event)?,
            Ok(None) => return Ok(pass.survey),
            Err(error) => return Err(classify(text, &error)),
        }
    }
}

impl Pass<'_> {
    fn event(&mut self, event: &PullEvent<'_>) -> Result<(), Fault> {
        match event {
            PullEvent::XmlDeclaration(declaration) => encoding(declaration).map_err(Fault::everywhere),
            PullEvent::Doctype(_) => Err(Fault::everywhere(FaultKind::Doctype)),
            PullEvent::StartElement { name, attributes, namespace_declarations, byte_start, byte_end, depth } => {
                if *depth == 0 {
                    self.survey.root_start = *byte_start;
                    self.survey.root_declared = namespace_declarations.len();
                }
                self.start(name, attributes, namespace_declarations, *depth)
                    .map_err(|kind| Fault::at(kind, self.text, *byte_start))?;
                self.values(*byte_start..*byte_end);
                Ok(())
            }
            PullEvent::EndElement { byte_start, byte_end, depth, .. } => {
                self.declared.pop();
                if *depth == 0 {
                    self.survey.root_end = *byte_start..*byte_end;
                }
                Ok(())
            }
            PullEvent::ProcessingInstruction { pi, byte_start, .. } => {
                if self.declared.is_empty() {
                    self.outer_pis = self.outer_pis.saturating_add(1);
                }
                if self.outer_pis > MAX_OUTER_PIS {
                    return Err(Fault::at(FaultKind::TooMany, self.text, *byte_start));
                }
                names::qualified(&QName::local(pi.target.as_ref()))
                    .map_err(|kind| Fault::at(kind, self.text, *byte_start))?;
                self.count_text(*byte_start)
            }
            PullEvent::Text { byte_start, .. }
            | PullEvent::CData { byte_start, .. }
            | PullEvent::Comment { byte_start, .. } => self.count_text(*byte_start),
            _ => Ok(()),
        }
    }

    fn count_text(&mut self, at: usize) -> Result<(), Fault> {
        self.survey.texts = self.survey.texts.saturating_add(1);
        if self.survey.texts > MAX_TEXTS {
            return Err(Fault::at(FaultKind::TooMany, self.text, at));
        }
        Ok(())
    }

    fn start(
        &mut self,
        name: &QName<'_>,
        attributes: &[Attribute<'_>],
        declarations: &[(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)],
        depth: u32,
    ) -> Result<(), FaultKind> {
        self.survey.elements = self.survey.elements.saturating_add(1);
        if depth >= MAX_DEPTH {
            return Err(FaultKind::TooDeep);
        }
        self.declared.push(declarations.len());
        let in_scope = self.declared.iter().fold(0_usize, |sum, n| sum.saturating_add(*n));
        let here = attributes.len().saturating_add(declarations.len());
        if self.survey.elements > MAX_ELEMENTS || here > MAX_ATTRIBUTES || in_scope > MAX_NAMESPACES {
            return Err(FaultKind::TooMany);
        }
        names::qualified(name)?;
        for (prefix, uri) in declarations {
            names::declaration(prefix, uri)?;
        }
        for attribute in attributes {
            names::qualified(&attribute.name)?;
            if is_identifier(&attribute.name) && !self.identifiers.insert(attribute.value.to_string()) {
                return Err(FaultKind::Identifier);
            }
            if is_xml_id(&attribute.name) && !names::simple(&attribute.value) {
                return Err(FaultKind::Identifier);
            }
        }
        Ok(())
    }

    /// Tabs and line feeds inside the quotes of a start tag. The tag is well-formed here: a quote only opens or closes.
    fn values(&mut self, tag: Range<usize>) {
        let mut open = None;
        let octets = self.text.as_bytes().get(tag.clone()).unwrap_or_default();
        for (at, &octet) in tag.zip(octets) {
            match (open, octet) {
                (None, b'"' | b'\'') => open = Some(octet),
                (Some(quote), _) if quote == octet => open = None,
                (Some(_), b'\t' | b'\n') => match self.survey.spaces.last_mut() {
                    Some(last) if last.end == at => last.end = at.saturating_add(1),
                    _ => self.survey.spaces.push(at..at.saturating_add(1)),
                },
                _ => {}
            }
        }
    }
}

/// The attributes that programs take for identifiers, declared or not.
fn is_identifier(name: &QName<'_>) -> bool {
    is_xml_id(name) || (name.namespace_uri.is_none() && name.local_name.eq_ignore_ascii_case("id"))
}

fn is_xml_id(name: &QName<'_>) -> bool {
    name.namespace_uri.as_deref() == Some(XML_NAMESPACE) && name.local_name == "id"
}

fn encoding(declaration: &XmlDeclaration<'_>) -> Result<(), FaultKind> {
    if declaration.version != "1.0" {
        return Err(FaultKind::Version);
    }
    match declaration.encoding.as_deref() {
        Some(name) if !name.eq_ignore_ascii_case("UTF-8") => Err(FaultKind::Encoding),
        _ => Ok(()),
    }
}

/// The parser has one kind for many reasons; its words tell them apart, and a test holds it to them.
fn classify(text: &str, error: &XmlError) -> Fault {
    let (message, line, column) = match error {
        XmlError::Namespace(e) => return Fault::placed(FaultKind::Namespace, e.line, e.column),
        XmlError::WellFormedness(e) => (e.message.as_str(), e.line, e.column),
        XmlError::Parse(e) => (e.message.as_str(), e.line, e.column),
        _ => return Fault::at(FaultKind::Malformed, text, text.len()),
    };
    let kind = if message.starts_with("DOCTYPE") {
        FaultKind::Doctype
    } else if message.contains("XML version") {
        FaultKind::Version
    } else if message.starts_with("Unknown entity") {
        FaultKind::Entity
    } else if message.starts_with("Duplicate attribute") {
        FaultKind::Duplicate
    } else {
        FaultKind::Malformed
    };
    Fault::placed(kind, line, column)
}
