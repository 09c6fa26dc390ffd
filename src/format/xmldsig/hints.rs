//! Why a signature fails: the known ways to break one are tried, and only what then fits is named (customs.md §1.5).

use base64ct::{Base64, Encoding};
use uppsala::{Document, NodeId};

use super::canonical::{Checked, document, element, element_on_one_line};
use super::identifiers::Set;
use super::read::Parts;
use super::{DSIG, write};
use crate::suite::DigestAlgorithm;
use crate::verify::{Finding, FindingKind};

/// A reason that was proved by undoing it.
pub(super) enum Hint {
    /// A kind of its own.
    Finding(Finding),
    /// More to say in the finding that is there.
    Detail(String),
}

/// Larger documents get no hints: each try parses the document again.
const MAX_TRIES_OCTETS: usize = 2 * 1024 * 1024;

/// Why the digest differs.
pub(super) fn of_digest(
    checked: &Checked<'_>,
    tree: &Document<'_>,
    signature: NodeId,
    input: &[u8],
    algorithm: DigestAlgorithm,
    claimed: &[u8],
) -> Option<Hint> {
    let fits =
        |algorithm: DigestAlgorithm, octets: &[u8]| algorithm.of(octets).is_ok_and(|digest| digest.octets() == claimed);
    if let Some(other) = [DigestAlgorithm::Sha1, DigestAlgorithm::Sha256, DigestAlgorithm::Sm3]
        .into_iter()
        .find(|other| *other != algorithm && fits(*other, input))
    {
        return Some(Hint::Detail(format!("the value is the {} of the document", other.name())));
    }
    if checked.text().len() > MAX_TRIES_OCTETS {
        return None;
    }
    if let Some(finding) = beside(checked, tree, signature, |octets| fits(algorithm, octets)) {
        return Some(Hint::Finding(finding));
    }
    let crlf = String::from_utf8_lossy(input).replace('\n', "\r\n");
    if fits(algorithm, crlf.as_bytes()) {
        return Some(Hint::Detail("the signer hashed CRLF line ends as they stood; they have to be LF".to_owned()));
    }
    None
}

/// White space that came or went beside the Signature element.
fn beside(
    checked: &Checked<'_>,
    tree: &Document<'_>,
    signature: NodeId,
    fits: impl Fn(&[u8]) -> bool,
) -> Option<Finding> {
    let range = tree.node_range(signature)?;
    let before = checked.text().get(..range.start)?;
    let after = checked.text().get(range.end..)?;
    let end = range.end;
    let start = range.start;
    let tries = [
        (join(Some(before), after.strip_prefix('\n')), FindingKind::NewlineAdded, end, "after </ds:Signature>"),
        (join(before.strip_suffix('\n'), Some(after)), FindingKind::NewlineAdded, start, "before <ds:Signature>"),
        (join(Some(before), trimmed_start(after)), FindingKind::NewlineAdded, end, "white space after </ds:Signature>"),
        (join(trimmed_end(before), Some(after)), FindingKind::NewlineAdded, start, "white space before <ds:Signature>"),
        (
            join(trimmed_end(before), trimmed_start(after)),
            FindingKind::NewlineAdded,
            start,
            "white space before and after the Signature element",
        ),
        (
            Some([before, "\n", after].concat()),
            FindingKind::NewlineRemoved,
            start,
            "before or after the Signature element",
        ),
    ];
    let (_, kind, offset, detail) =
        tries.into_iter().find(|(text, ..)| text.as_deref().and_then(canonical).is_some_and(|octets| fits(&octets)))?;
    let mut finding = Finding::new(kind).detail(detail);
    finding.place = checked.place_at(offset);
    Some(finding)
}

fn join(before: Option<&str>, after: Option<&str>) -> Option<String> {
    Some([before?, after?].concat())
}

/// Without leading white space, where there is some.
fn trimmed_start(text: &str) -> Option<&str> {
    let trimmed = text.trim_start_matches([' ', '\t', '\n']);
    (trimmed.len() != text.len()).then_some(trimmed)
}

fn trimmed_end(text: &str) -> Option<&str> {
    let trimmed = text.trim_end_matches([' ', '\t', '\n']);
    (trimmed.len() != text.len()).then_some(trimmed)
}

fn canonical(text: &str) -> Option<Vec<u8>> {
    let checked = Checked::read(text.as_bytes()).ok()?;
    document(&checked.tree().ok()?, None).ok()
}

/// Why the value differs. That a reason is named means that the signature is right for what the reason describes.
pub(super) fn of_value(
    tree: &Document<'_>,
    signed_info: NodeId,
    set: Set,
    parts: &Parts,
    verifies: impl Fn(&[u8]) -> bool,
) -> Option<Hint> {
    if element_on_one_line(tree, signed_info).is_ok_and(|octets| verifies(&octets)) {
        return Some(Hint::Finding(Finding::new(FindingKind::SignedInfoPretty)));
    }
    let digest = Base64::encode_string(parts.digest.as_deref()?);
    let ceb = " xmlns:ceb=\"http://www.chinaport.gov.cn/ceb\"";
    let ds = format!(" xmlns:ds=\"{DSIG}\"");
    let xsi = " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
    let tries =
        [("ceb, ds and xsi", [ceb, &ds, xsi].concat()), ("ceb and ds", [ceb, &ds].concat()), ("ds", ds.clone())];
    let (names, _) =
        tries.iter().find(|(_, namespaces)| verifies(write::signed_info(set, &digest, namespaces).as_bytes()))?;
    let found = String::from_utf8(element(tree, signed_info).ok()?).ok()?;
    let signed = write::signed_info(set, &digest, "");
    Some(Hint::Detail(match other_than(declarations_skipped(&found)?, declarations_skipped(&signed)?) {
        None => format!(
            "it was signed with the namespaces {names} in scope: a declaration on the document element came or went since"
        ),
        Some(place) => {
            format!("what was signed is the SignedInfo that customs asks for; this one is another in {place}")
        }
    }))
}

/// A canonical SignedInfo from behind the namespace declarations of its start tag. In canonical XML these come first, and
/// a quote inside a value is escaped.
fn declarations_skipped(signed_info: &str) -> Option<&str> {
    let mut rest = signed_info.strip_prefix("<ds:SignedInfo")?;
    while rest.starts_with(" xmlns:") || rest.starts_with(" xmlns=") {
        let (_, value) = rest.split_once('"')?;
        (_, rest) = value.split_once('"')?;
    }
    Some(rest)
}

/// The element of `signed` in which `found` is another for the first time, or `None` where they are equal.
fn other_than<'s>(found: &str, signed: &'s str) -> Option<&'s str> {
    let differing = found.bytes().zip(signed.bytes()).position(|(f, s)| f != s);
    let at = differing.or((found.len() != signed.len()).then_some(found.len().min(signed.len())))?;
    // All of `signed` is ASCII: it is made of identifiers and base64. What is behind `<` may be a start or an end tag.
    let tag = signed.get(..=at).unwrap_or(signed).rfind('<').and_then(|start| signed.get(start..));
    let name = tag.and_then(|t| t.trim_start_matches(['<', '/']).strip_prefix("ds:"));
    Some(name.and_then(|n| n.split([' ', '>']).next()).unwrap_or("SignedInfo"))
}
