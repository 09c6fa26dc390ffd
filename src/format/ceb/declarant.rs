//! The company that a message names as its declarant, beside the company of the certificate (manual::customs §1.8, §6.2).
//!
//! Customs compares them after the upload and answers minutes later. Here they are compared before anybody is asked for a PIN.

use uppsala::{Document, NodeId, NodeKind};

use super::messages::{Declarant, Message};
use super::{NAMESPACE, PREPARE};
use crate::cert::{EportFields, plain};
use crate::error::{Error, ErrorKind, Result};
use crate::format::xmldsig::Checked;
use crate::note::Note;

/// As much of a company's name as an error shows, in characters.
const SHOWN: usize = 64;

/// How one text of the message and one of the certificate compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    Same,
    /// The same but for the width of letters and brackets, or white space in or around them: nobody knows whether customs minds.
    Alike,
    Other,
    /// One is missing, or they are of different kinds.
    Unknown,
    /// There is something that no company has in this place, so that nothing can be said whatever else fits.
    Unreadable,
}

/// A company as an order of the message names it.
#[derive(Debug, Default)]
struct Named {
    place: Option<NodeId>,
    code: String,
    name: String,
    /// White space stands around one of them.
    padded: bool,
    /// One of them stands twice, or has elements in it: what a reader takes for its value is not known.
    unreadable: bool,
}

/// Compares every order of a message with the certificate's company.
///
/// # Errors
/// `DeclarantMismatch`, unless `allowed`, where the declaring unit is another company.
pub(super) fn check(
    checked: &Checked<'_>,
    tree: &Document<'_>,
    message: &Message,
    fields: Option<&EportFields>,
    allowed: bool,
) -> Result<Vec<Note>> {
    let Some(declarant) = message.declarant else { return Ok(Vec::new()) };
    let named = named(tree, declarant);
    let mut notes = Vec::new();
    let mut note = |note: Note| {
        if !notes.contains(&note) {
            notes.push(note);
        }
    };
    if named.is_empty() {
        note(Note::DeclarantUnchecked);
    }
    for company in &named {
        match compare(company, fields) {
            Compared::Same => {}
            Compared::Alike => note(Note::DeclarantSpelling),
            Compared::Unknown | Compared::Unreadable => note(Note::DeclarantUnchecked),
            Compared::Other if declarant.declares && !allowed => {
                return Err(refusal(checked, tree, declarant, company, fields));
            }
            Compared::Other => note(Note::DeclarantOther),
        }
    }
    Ok(notes)
}

/// The companies that the message names, in document order: each parent that has one of the two elements.
fn named(tree: &Document<'_>, declarant: Declarant) -> Vec<Named> {
    let mut found: Vec<(NodeId, Named)> = Vec::new();
    for node in tree.descendants(tree.root()) {
        let is = |local: &str| tree.element(node).is_some_and(|e| e.matches_name_ns(NAMESPACE, local));
        let (is_code, is_name) = (is(declarant.code), is(declarant.name));
        if !is_code && !is_name {
            continue;
        }
        let Some(parent) = tree.parent(node) else { continue };
        if found.last().is_none_or(|(known, _)| *known != parent) {
            found.push((parent, Named { place: Some(node), ..Named::default() }));
        }
        let Some((_, company)) = found.last_mut() else { continue };
        let text = text(tree, node);
        let field = if is_code { &mut company.code } else { &mut company.name };
        let has_elements = tree.children(node).into_iter().any(|child| tree.element(child).is_some());
        company.unreadable = company.unreadable || has_elements || !field.is_empty();
        // A field that stands twice must be the same twice: what is compared is then longer than any certificate's.
        field.push_str(text.trim());
        company.padded = company.padded || text.trim() != text;
    }
    found.into_iter().map(|(_, company)| company).collect()
}

/// The texts of the message's elements with this local name, without white space around them.
pub(super) fn texts(tree: &Document<'_>, local: &str) -> Vec<String> {
    let named = |id: &NodeId| tree.element(*id).is_some_and(|e| e.matches_name_ns(NAMESPACE, local));
    tree.descendants(tree.root()).into_iter().filter(named).map(|id| text(tree, id).trim().to_owned()).collect()
}

/// The text of an element as it is signed: comments are no part of it (Canonical XML 1.0, clause 2.1).
pub(super) fn text(tree: &Document<'_>, node: NodeId) -> String {
    let piece = |id: NodeId| match tree.node_kind(id) {
        Some(NodeKind::Text(text) | NodeKind::CData(text)) => Some(text.to_string()),
        _ => None,
    };
    tree.children(node).into_iter().filter_map(piece).collect()
}

fn compare(company: &Named, fields: Option<&EportFields>) -> Compared {
    let Some(fields) = fields else { return Compared::Unknown };
    let of = |text: &Option<crate::cert::EportText>| text.as_ref().map(|t| t.text.trim().to_owned());
    let code = of(&fields.entity_code).map_or(Compared::Unknown, |own| codes(&company.code, &own));
    let name = of(&fields.entity_name).map_or(Compared::Unknown, |own| names(&company.name, &own));
    match (code, name) {
        (Compared::Other, _) | (_, Compared::Other) => Compared::Other,
        (Compared::Unreadable, _) => Compared::Unknown,
        _ if company.unreadable => Compared::Unknown,
        (Compared::Alike, _) | (_, Compared::Alike) => Compared::Alike,
        (Compared::Unknown, Compared::Unknown) => Compared::Unknown,
        _ if company.padded => Compared::Alike,
        _ => Compared::Same,
    }
}

/// The certificate has the organisation code of 9 characters, which is what stands at positions 9 to 17 of a social credit code of 18. Some write it
/// with a hyphen before its check character (GB 11714). A customs registration code of 10 has nothing in common with it; what is neither of these is
/// no company's.
pub(super) fn codes(said: &str, own: &str) -> Compared {
    if said.is_empty() {
        return Compared::Unknown;
    }
    let (plain, own) = (without_hyphen(&wide_as_ascii(said)), without_hyphen(&wide_as_ascii(own)));
    let organisation = match plain.chars().count() {
        18 if own.chars().count() == 9 => plain.chars().skip(8).take(9).collect(),
        length if length == own.chars().count() => plain.clone(),
        // Twice in one order, or nothing that companies have: no certificate is of such a company.
        length if length > 18 => return Compared::Other,
        9 | 18 => return Compared::Unknown,
        10 if said.len() == 10 && said.bytes().all(|o| o.is_ascii_alphanumeric()) => return Compared::Unknown,
        _ => return Compared::Unreadable,
    };
    match (organisation.eq_ignore_ascii_case(&own), plain == said) {
        (true, true) => Compared::Same,
        (true, false) => Compared::Alike,
        _ => Compared::Other,
    }
}

/// An organisation code as it is printed, `MA0SYN00-1`, without its hyphen.
fn without_hyphen(code: &str) -> String {
    let is_printed = code.chars().count() == 10 && code.chars().nth(8) == Some('-');
    if is_printed { code.replacen('-', "", 1) } else { code.to_owned() }
}

pub(super) fn names(said: &str, own: &str) -> Compared {
    match (said.is_empty(), said == own, narrow(said) == narrow(own)) {
        (true, ..) => Compared::Unknown,
        (_, true, _) => Compared::Same,
        (.., true) => Compared::Alike,
        _ => Compared::Other,
    }
}

/// As letters and digits of one width, without white space, in lower case.
fn narrow(text: &str) -> String {
    wide_as_ascii(text).chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect()
}

/// Full-width forms as ASCII (Unicode, block FF00).
fn wide_as_ascii(text: &str) -> String {
    let ascii = |c: char| match c {
        '\u{FF01}'..='\u{FF5E}' => u32::from(c).checked_sub(0xFEE0).and_then(char::from_u32).unwrap_or(c),
        other => other,
    };
    text.chars().map(ascii).collect()
}

/// Both companies, so that a person sees which of them is the wrong one.
fn refusal(
    checked: &Checked<'_>,
    tree: &Document<'_>,
    declarant: Declarant,
    company: &Named,
    fields: Option<&EportFields>,
) -> Error {
    let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { plain(text, SHOWN) };
    let own = |text: Option<&crate::cert::EportText>| text.map_or_else(|| "none".to_owned(), |t| plain(&t.text, SHOWN));
    let line = company.place.and_then(|node| checked.place(tree, node)).map_or(0, |place| place.line);
    let answer = match declarant.answer {
        Some(code) => format!("customs would answer {code}"),
        None => "with which code customs would answer is not known".to_owned(),
    };
    Error::new(ErrorKind::DeclarantMismatch, PREPARE).detail(format!(
        "line {line}: {} {} and {} {}, the certificate is for {} and {}; {answer}",
        declarant.code,
        or_none(&company.code),
        declarant.name,
        or_none(&company.name),
        own(fields.and_then(|f| f.entity_code.as_ref())),
        own(fields.and_then(|f| f.entity_name.as_ref())),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_compare_where_they_are_of_one_kind() {
        for (said, own, expected) in [
            ("91110000MA0SYN001X", "MA0SYN001", Compared::Same),
            ("91110000ma0syn001x", "MA0SYN001", Compared::Same),
            ("91110000MA0SYN002X", "MA0SYN001", Compared::Other),
            ("MA0SYN001", "MA0SYN001", Compared::Same),
            ("MA0SYN002", "MA0SYN001", Compared::Other),
            ("91110000MA0SYN001X", "91110000MA0SYN001X", Compared::Same),
            // A customs registration code.
            ("1105910159", "MA0SYN001", Compared::Unknown),
            ("11059601E2", "MA0SYN001", Compared::Unknown),
            ("MA0SYN001", "91110000MA0SYN001X", Compared::Unknown),
            ("", "MA0SYN001", Compared::Unknown),
            // What no company has: nothing can be said, however right the name is.
            ("无", "MA0SYN001", Compared::Unreadable),
            ("91110000MA0SYN001", "MA0SYN001", Compared::Unreadable),
            ("MA0 SYN001", "MA0SYN001", Compared::Unreadable),
            ("１１０５９１０１５９", "MA0SYN001", Compared::Unreadable),
            ("无无无无无无无无无无", "MA0SYN001", Compared::Unreadable),
            // As it is printed, and in full width.
            ("MA0SYN00-1", "MA0SYN001", Compared::Alike),
            ("MA0SYN00-2", "MA0SYN001", Compared::Other),
            ("MA0SYN001", "MA0SYN00-1", Compared::Same),
            ("９１１１００００MA0SYN001X", "MA0SYN001", Compared::Alike),
            ("９１１１００００MA0SYN002X", "MA0SYN001", Compared::Other),
            ("ＭＡ０ＳＹＮ００１", "MA0SYN001", Compared::Alike),
            ("91110000MA0SYN001X91110000MA0SYN001X", "MA0SYN001", Compared::Other),
        ] {
            assert_eq!(codes(said, own), expected, "{said} {own}");
        }
    }

    #[test]
    fn names_that_differ_in_width_alone_are_alike_and_no_others() {
        for (said, own, expected) in [
            ("合成（样例）公司", "合成（样例）公司", Compared::Same),
            ("合成(样例)公司", "合成（样例）公司", Compared::Alike),
            ("合成 （样例） 公司", "合成（样例）公司", Compared::Alike),
            ("ＡＢＣ公司", "abc公司", Compared::Alike),
            ("合成样例公司", "合成（样例）公司", Compared::Other),
            ("合成（样例）公司合成（样例）公司", "合成（样例）公司", Compared::Other),
            ("", "合成（样例）公司", Compared::Unknown),
        ] {
            assert_eq!(names(said, own), expected, "{said} {own}");
        }
    }
}
