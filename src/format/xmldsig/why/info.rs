//! Why the value differs: SignedInfo is written in every known other way, and what then fits is named.

use base64ct::{Base64, Encoding};
use uppsala::{Document, NodeId, NodeKind};

use super::super::canonical::{self, Checked};
use super::super::identifiers::Set;
use super::super::read::shown;
use super::super::{C14N, C14N_WITH_COMMENTS, DSIG, write};
use super::Digests;
use super::excerpt;
use super::root::{self, RootEdit, StartTag};
use crate::format::proof::{Proof, Way};
use crate::suite::Suite;
use crate::verify::{Finding, FindingKind, Place, Words};

/// The namespaces that a SignedInfo of a customs message has in scope (manual::customs §1.3), by prefix.
const CEB: (&str, &str) = ("ceb", "http://www.chinaport.gov.cn/ceb");
const XSI: (&str, &str) = ("xsi", "http://www.w3.org/2001/XMLSchema-instance");

/// Octets of a SignedInfo for which it is written in other ways, some hundred of them: one that customs takes has less than 2 KiB.
pub(super) const MAX_WRITTEN: usize = 64 * 1024;

/// A SignedInfo whose value is wrong.
pub(super) struct Info<'s> {
    pub(super) checked: &'s Checked<'s>,
    pub(super) tree: &'s Document<'s>,
    pub(super) node: NodeId,
    pub(super) set: Set,
    pub(super) digests: &'s Digests<'s>,
}

/// Octets that may have been signed, and whether they are the text of the file.
struct Candidate {
    octets: String,
    as_text: bool,
}

impl Info<'_> {
    /// The causes; none where no known one fits.
    pub(super) fn causes(&self, proof: &Proof) -> Option<Vec<Finding>> {
        let found = self.canonical()?;
        // Z is tried for what is likely alone: each try is work.
        if let Some(way) = proof.way(found.as_bytes()).filter(|w| *w != Way::Right) {
            return Some(self.way(way, proof).into_iter().collect());
        }
        if found.len() > MAX_WRITTEN {
            return None;
        }
        let candidates = self.candidates(&found);
        let likely = candidates.iter().take(8).find_map(|c| Some((c, proof.way(c.octets.as_bytes())?)));
        let right = || candidates.iter().find(|c| proof.is_over(c.octets.as_bytes())).map(|c| (c, Way::Right));
        let any = || match proof.suite() {
            Suite::Sm2Sm3 | Suite::P256Sha256 => right(),
            _ => candidates.iter().find_map(|c| Some((c, proof.way(c.octets.as_bytes())?))),
        };
        let (candidate, way) = likely.or_else(any)?;
        let mut findings = match candidate.as_text {
            true => vec![self.text_hashed()],
            false => self.differences(&found, &candidate.octets),
        };
        findings.extend(self.way(way, proof));
        Some(findings)
    }

    fn way(&self, way: Way, proof: &Proof) -> Option<Finding> {
        way.finding(proof).map(|f| f.maybe_at(self.place()))
    }

    pub(super) fn place(&self) -> Option<Place> {
        self.checked.place(self.tree, self.node)
    }

    fn text_hashed(&self) -> Finding {
        Finding::new(FindingKind::TextHashed)
            .detail(("SignedInfo", "SignedInfo"))
            .compared(("canonical XML", "规范化 XML"), ("text of the file", "文件文本"))
            .maybe_at(self.place())
    }

    pub(super) fn canonical(&self) -> Option<String> {
        String::from_utf8(canonical::element(self.tree, self.node).ok()?).ok()
    }

    /// What may have been signed, the likely first. The list is short whatever the document holds; [`MAX_WRITTEN`] bounds what is in it.
    fn candidates(&self, found: &str) -> Vec<Candidate> {
        let tight = canonical::element_on_one_line(self.tree, self.node).ok().and_then(|o| String::from_utf8(o).ok());
        let tight = tight.unwrap_or_else(|| found.to_owned());
        let own = start_tag(&tight);
        let mut octets = vec![tight.clone(), comments_toggled(&tight), comments_toggled(found)];
        // The digest of the document in the SignedInfo that stands there, whatever its prefix is.
        let computed = self.digests.computed.as_ref().map(|digest| Base64::encode_string(digest));
        let digested = |text: &str| computed.as_ref().and_then(|digest| with_digest(text, digest));
        octets.extend(digested(found));
        let edits = own.as_ref().map(RootEdit::all).unwrap_or_default();
        let mut scopes = vec![own.map(|t| t.declarations).unwrap_or_default()];
        for edit in edits.into_iter().take(24) {
            let edited = |text: &str| {
                text.find('>')
                    .and_then(|end| text.split_at_checked(end.saturating_add(1)))
                    .and_then(|(start, rest)| Some(edit.apply(start)? + rest))
            };
            octets.extend(edited(&tight));
            octets.extend(edited(found));
            scopes.extend(edited(&tight).as_deref().and_then(start_tag).map(|t| t.declarations));
        }
        octets.extend(digested(&tight));
        let ds = ("ds", DSIG);
        let usual: [&[(&str, &str)]; 3] = [&[CEB, ds, XSI], &[CEB, ds], &[ds]];
        let usual = usual.map(|s| s.iter().map(|(p, u)| ((*p).to_owned(), (*u).to_owned())).collect::<Vec<_>>());
        scopes.splice(1..1, usual);
        for scope in &scopes {
            let namespaces: String = scope.iter().map(|d| format!(" {}", root::shown(d))).collect();
            for digest in self.digests.claimed.iter().chain(&self.digests.computed) {
                let written = write::signed_info(self.set, &Base64::encode_string(digest), &namespaces);
                octets.push(comments_toggled(&written));
                octets.push(written);
            }
        }
        let source = self.tree.node_source(self.node).unwrap_or_default();
        let text = [source.to_owned(), source.replace('\n', "\r\n")];
        let as_text = |as_text| move |octets| Candidate { octets, as_text };
        let mut seen = std::collections::BTreeSet::from([found.to_owned()]);
        let all = octets.into_iter().map(as_text(false)).chain(text.into_iter().map(as_text(true)));
        all.filter(|c| seen.insert(c.octets.clone())).collect()
    }

    /// How SignedInfo as it stands differs from what was signed.
    fn differences(&self, found: &str, signed: &str) -> Vec<Finding> {
        // Another prefix is another name in every tag: what else differs is looked for under the one that was signed.
        let prefixes = (prefix_of(found), prefix_of(signed));
        let renamed = |text: &str| if prefixes.0 == prefixes.1 { None } else { renamed(text, prefixes) };
        let alike = renamed(found);
        let found = alike.as_deref().unwrap_or(found);
        let (mut findings, inherited) = self.reaching(found, signed);
        findings.extend(alike.as_ref().map(|_| self.prefix_renamed(prefixes)));
        let inside = |text: &str| behind_declarations(&root::without(text, &inherited));
        let (Some(mut now), Some(then)) = (inside(found), behind_declarations(signed)) else { return findings };
        // What was signed with white space is compared with all that is there.
        if !is_spaced(signed) {
            let tight = canonical::element_on_one_line(self.tree, self.node).ok();
            let tight = tight.and_then(|o| String::from_utf8(o).ok()).unwrap_or_default();
            let tight = renamed(&tight).unwrap_or(tight);
            if tight != found {
                findings.push(self.pretty());
            }
            now = inside(&tight).unwrap_or(now);
        }
        if now == then {
            return findings;
        }
        let (now_plain, then_plain) = (comments_toggled(&now), comments_toggled(&then));
        if now_plain == then || then_plain == now {
            let (expected, seen) =
                if then.contains("#WithComments") { (C14N_WITH_COMMENTS, C14N) } else { (C14N, C14N_WITH_COMMENTS) };
            findings.push(self.changed("CanonicalizationMethod", expected, seen));
        } else if let Some(first) = other_than(&now, &then) {
            // Whoever changed one of them may have changed more.
            let other = |name: &&str| *name != first && part_of(&now, name) != part_of(&then, name);
            let others = ["SignatureMethod", "DigestMethod", "DigestValue"].into_iter().filter(other);
            let changed = |name: &str| match (part_of(&then, name), part_of(&now, name)) {
                (expected, found) if expected == found => self.changed_beside(name, &then, &now),
                (expected, found) => self.changed(name, &expected, &found),
            };
            findings.extend(std::iter::once(first).chain(others).map(changed));
        }
        findings
    }

    pub(super) fn changed(&self, name: &str, expected: &str, found: &str) -> Finding {
        let kind = match (name, found) {
            ("CanonicalizationMethod", C14N_WITH_COMMENTS) => FindingKind::C14nWithComments,
            _ => FindingKind::SignedInfoChanged,
        };
        Finding::new(kind)
            .detail((format!("in {name}"), format!("在 {name} 中")))
            .compared(shown_or_none(expected), shown_or_none(found))
            .maybe_at(self.place_of(name))
    }

    /// A change of something else than the identifier, the URI or the text of an element.
    fn changed_beside(&self, name: &str, expected: &str, found: &str) -> Finding {
        let (at, missing, there) = excerpt::apart(expected, found);
        let tag = expected.get(at..).unwrap_or_default();
        let detail = match tag.starts_with('<') && !tag.starts_with("</") {
            true => (format!("before {name}"), format!("在 {name} 之前")),
            false => (format!("in {name}"), format!("在 {name} 中")),
        };
        let said = |text: &str| if text.is_empty() { ("nothing", "无").into() } else { excerpt::quoted(text) };
        Finding::new(FindingKind::SignedInfoChanged)
            .detail(detail)
            .compared(said(missing), said(there))
            .maybe_at(self.place_of(name))
    }

    fn prefix_renamed(&self, (found, signed): (&str, &str)) -> Finding {
        let said = |prefix: &str| match prefix {
            "" => Words::from(("no prefix", "无前缀")),
            _ => shown(&format!("{prefix}:")).into(),
        };
        Finding::new(FindingKind::SignedInfoChanged)
            .detail(("the prefix of the Signature was renamed", "Signature 的命名空间前缀被改名"))
            .compared(said(signed), said(found))
            .maybe_at(self.place())
    }

    /// Where an element of SignedInfo stands.
    fn place_of(&self, name: &str) -> Option<Place> {
        let named = |id: &NodeId| self.tree.element(*id).is_some_and(|e| e.matches_name_ns(DSIG, name));
        let node = self.tree.descendants(self.node).into_iter().find(named);
        node.and_then(|id| self.checked.place(self.tree, id)).or(self.place())
    }

    fn pretty(&self) -> Finding {
        let blank =
            |id: &NodeId| matches!(self.tree.node_kind(*id), Some(NodeKind::Text(t)) if t.trim_ascii().is_empty());
        let first = self.tree.descendants(self.node).into_iter().find(blank);
        let found = first.and_then(|id| self.tree.node_source(id)).map(excerpt::quoted);
        let place = first.and_then(|id| self.checked.place(self.tree, id)).or(self.place());
        Finding::new(FindingKind::SignedInfoPretty)
            .compared(("no white space between elements", "元素之间无空白"), found.unwrap_or_else(|| "".into()))
            .maybe_at(place)
    }
}

/// As [`shown`], and that there is nothing where there is nothing.
fn shown_or_none(text: &str) -> Words {
    if text.is_empty() { ("nothing", "无").into() } else { shown(text).into() }
}

/// Whether white space stands between the tags of a canonical element.
fn is_spaced(element: &str) -> bool {
    let text = |piece: &str| piece.split_once('<').map(|(text, _)| !text.is_empty() && text.trim_ascii().is_empty());
    element.split('>').skip(1).any(|piece| text(piece) == Some(true))
}

pub(super) fn start_tag(element: &str) -> Option<StartTag<'_>> {
    StartTag::of(element.get(..=element.find('>')?)?)
}

/// The prefix of a canonical element; empty where it has none.
pub(super) fn prefix_of(element: &str) -> &str {
    start_tag(element).and_then(|tag| tag.name.split_once(':')).map(|(prefix, _)| prefix).unwrap_or_default()
}

/// A canonical SignedInfo with another prefix for the elements that have its own.
fn renamed(element: &str, (from, to): (&str, &str)) -> Option<String> {
    let declaration = |prefix: &str| (prefix.to_owned(), DSIG.to_owned());
    let edit = RootEdit { remove: vec![declaration(from)], add: vec![declaration(to)], attributes: Vec::new() };
    let (start, rest) = element.split_at_checked(element.find('>')?.saturating_add(1))?;
    let whole = edit.apply(start)? + rest;
    let new = if to.is_empty() { String::new() } else { format!("{to}:") };
    let mut pieces = whole.split('<');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (slash, name) = piece.strip_prefix('/').map_or(("", piece), |name| ("/", name));
        let own = name.find([' ', '>']).and_then(|end| name.get(..end)).unwrap_or(name);
        let (prefix, local) = own.split_once(':').unwrap_or(("", own));
        let tag = name.get(own.len()..).unwrap_or_default();
        out.push_str(&match prefix == from && !own.starts_with(['?', '!']) {
            true => format!("<{slash}{new}{local}{tag}"),
            false => format!("<{piece}"),
        });
    }
    Some(out)
}

/// A canonical element from behind the namespace declarations of its start tag.
fn behind_declarations(element: &str) -> Option<String> {
    let tag = start_tag(element)?;
    let rest = element.get(element.find('>')?.saturating_add(1)..)?;
    Some(format!("<{}{}{rest}", tag.name, tag.rest))
}

/// A canonical SignedInfo with another digest, in base64.
pub(super) fn with_digest(signed_info: &str, digest: &str) -> Option<String> {
    let name = signed_info.find("DigestValue")?;
    let (head, rest) = signed_info.split_at_checked(name)?;
    let (tag, inside) = rest.split_at_checked(rest.find('>')?.saturating_add(1))?;
    Some([head, tag, digest, inside.get(inside.find('<')?..)?].concat())
}

/// Canonicalisation named with comments in place of without, and the reverse.
fn comments_toggled(signed_info: &str) -> String {
    let (plain, with) = (format!("\"{C14N}\""), format!("\"{C14N_WITH_COMMENTS}\""));
    if signed_info.contains(&plain) {
        signed_info.replacen(&plain, &with, 1)
    } else {
        signed_info.replacen(&with, &plain, 1)
    }
}

/// The element of `signed` in which `found` is another for the first time, or `None` where they are equal.
fn other_than<'s>(found: &str, signed: &'s str) -> Option<&'s str> {
    let differing = found.bytes().zip(signed.bytes()).position(|(f, s)| f != s);
    let mut at = differing.or((found.len() != signed.len()).then_some(found.len().min(signed.len())))?;
    while !signed.is_char_boundary(at) {
        at = at.saturating_sub(1);
    }
    // What is behind `<` may be a start or an end tag.
    let tag = signed.get(..=at).unwrap_or(signed).rfind('<').and_then(|start| signed.get(start..));
    let name = tag.map(|t| t.trim_start_matches(['<', '/']));
    let name = name.and_then(|n| n.split([' ', '>']).next()).map(|n| n.rsplit(':').next().unwrap_or(n));
    Some(name.unwrap_or("SignedInfo"))
}

/// What an element of this name holds: its identifier, its URI or its text.
pub(super) fn part_of(signed_info: &str, name: &str) -> String {
    let start = signed_info.find(&format!(":{name}")).or_else(|| signed_info.find(&format!("<{name}")));
    let rest = start.and_then(|at| signed_info.get(at..)).unwrap_or_default();
    let (tag, inside) = rest.split_once('>').unwrap_or((rest, ""));
    match tag.split_once('"').and_then(|(_, value)| value.split_once('"')) {
        Some((value, _)) => format!("\"{value}\""),
        None => inside.split('<').next().unwrap_or_default().to_owned(),
    }
}
