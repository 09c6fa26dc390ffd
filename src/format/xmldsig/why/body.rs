//! Why the digest differs: the document is written in every known other way, and what then fits is named.

use std::cell::Cell;

use uppsala::{Document, NodeId, NodeKind};

use super::super::canonical::{self, Checked};
use super::excerpt;
use super::pieces::{Edit, Kind, Pieces};
use super::root::{RootEdit, StartTag};
use super::spaces::Spaces;
use crate::suite::DigestAlgorithm;
use crate::verify::{Finding, FindingKind, Place, Words};

/// Octets that are hashed before the search ends: some 1,600 tries for a message of 20 KB, four for the largest one.
const MAX_TRIED: usize = 32 * 1024 * 1024;

/// Whether a digest is the one that was signed, in a document whose document element is edited so.
type IsSigned<'s> = &'s dyn Fn(&[u8], Option<&RootEdit>) -> bool;

/// What is looked for.
enum Wanted<'s> {
    /// DigestValue.
    Digest(&'s [u8]),
    /// The one that was signed, where another stands there.
    Signed(IsSigned<'s>),
}

/// A digest that a document does not have.
pub(super) struct Search<'s> {
    pub(super) checked: &'s Checked<'s>,
    pub(super) tree: &'s Document<'s>,
    pub(super) signature: NodeId,
    /// The algorithm of the identifier.
    pub(super) algorithm: DigestAlgorithm,
    wanted: Wanted<'s>,
    /// Where DigestValue stands.
    pub(super) place: Option<Place>,
    tried: Cell<usize>,
}

impl<'s> Search<'s> {
    pub(super) fn new(
        checked: &'s Checked<'s>,
        tree: &'s Document<'s>,
        signature: NodeId,
        (algorithm, claimed): (DigestAlgorithm, &'s [u8]),
        place: Option<Place>,
    ) -> Self {
        let wanted = Wanted::Digest(claimed);
        Search { checked, tree, signature, algorithm, wanted, place, tried: Cell::new(0) }
    }

    /// A search for the document whose digest was signed.
    pub(super) fn with(
        checked: &'s Checked<'s>,
        tree: &'s Document<'s>,
        signature: NodeId,
        algorithm: DigestAlgorithm,
        is_signed: IsSigned<'s>,
    ) -> Self {
        let wanted = Wanted::Signed(is_signed);
        Search { checked, tree, signature, algorithm, wanted, place: None, tried: Cell::new(0) }
    }

    /// The one thing that was done to the document, of what is known to happen after signing; `None` where none of it fits.
    pub(super) fn changes(&self) -> Option<Vec<Finding>> {
        let (before, after) = self.around()?;
        self.of_canonical(&before, &after, None)
    }

    /// The causes; none where no known one fits.
    pub(super) fn causes(&self) -> Vec<Finding> {
        let Some((before, after)) = self.around() else { return Vec::new() };
        let plain = self.of_canonical(&before, &after, None).or_else(|| self.with_comments());
        plain.or_else(|| self.as_text(&before, &after)).unwrap_or_default()
    }

    /// Whether the document has the digest once this edit is made to its document element.
    pub(super) fn is_right_with(&self, root: &RootEdit) -> bool {
        let Some((before, after)) = self.around() else { return false };
        let Some(pieces) = Pieces::of(&before, &after) else { return false };
        let written = pieces.written(&Edit { root: Some(root), ..Edit::default() });
        self.has(self.algorithm, written.as_bytes(), None)
    }

    fn has(&self, algorithm: DigestAlgorithm, octets: &[u8], root: Option<&RootEdit>) -> bool {
        let is_it = |digest: &[u8]| match self.wanted {
            Wanted::Digest(claimed) => digest == claimed,
            Wanted::Signed(is_signed) => is_signed(digest, root),
        };
        algorithm.of(octets).is_ok_and(|digest| is_it(digest.octets()))
    }

    /// The algorithm with which octets give the wanted digest: the identifier's, or another where the length is known.
    fn fits(&self, octets: &[u8], root: Option<&RootEdit>) -> Option<DigestAlgorithm> {
        self.tried.set(self.tried.get().saturating_add(octets.len()));
        let length = match self.wanted {
            Wanted::Digest(claimed) => claimed.len(),
            Wanted::Signed(_) => return self.has(self.algorithm, octets, root).then_some(self.algorithm),
        };
        let others = [DigestAlgorithm::Sha1, DigestAlgorithm::Sha256, DigestAlgorithm::Sm3];
        std::iter::once(self.algorithm)
            .chain(others.into_iter().filter(|a| *a != self.algorithm))
            .filter(|a| a.length() == length)
            .find(|a| self.has(*a, octets, root))
    }

    fn spent(&self) -> bool {
        self.tried.get() > MAX_TRIED
    }

    /// The text around the Signature.
    fn text(&self) -> Option<(&str, &str)> {
        let range = self.tree.node_range(self.signature)?;
        let text = self.checked.text();
        Some((text.get(..range.start)?, text.get(range.end..)?))
    }

    /// The canonical document before and behind the place of the Signature, where a processing instruction is put to find it again.
    fn around(&self) -> Option<(String, String)> {
        let (before, after) = self.text()?;
        let mark = mark(self.checked.text());
        let whole = canonical::of_text(&[before, &mark, after].concat())?;
        whole.split_once(&mark).map(|(b, a)| (b.to_owned(), a.to_owned()))
    }

    /// The same with comments, where there are any.
    fn with_comments(&self) -> Option<Vec<Finding>> {
        let (before, after) = self.text()?;
        let mark = mark(self.checked.text());
        let whole = canonical::of_text_with_comments(&[before, &mark, after].concat())?;
        let (before, after) = whole.split_once(&mark)?;
        let is_comment = |id: &NodeId| matches!(self.tree.node_kind(*id), Some(NodeKind::Comment(_)));
        let first = self.tree.descendants(self.tree.root()).into_iter().find(is_comment)?;
        let place = self.checked.place(self.tree, first);
        let told = Finding::new(FindingKind::C14nWithComments)
            .compared(("no comments in the digest", "摘要不含注释"), ("comments in the digest", "摘要含注释"))
            .maybe_at(place.or(self.place));
        self.of_canonical(before, after, Some(told))
    }

    /// One deviation, then two. `already` is one that was made before.
    fn of_canonical(&self, before: &str, after: &str, already: Option<Finding>) -> Option<Vec<Finding>> {
        let pieces = Pieces::of(before, after)?;
        let now = pieces.beside_now();
        let besides = now.as_deref().map(besides).unwrap_or_default();
        let roots = pieces.root().and_then(StartTag::of).map(|tag| RootEdit::all(&tag)).unwrap_or_default();
        let try_it = |edit: Edit<'_>| {
            let algorithm = self.fits(pieces.written(&edit).as_bytes(), edit.root)?;
            let mut findings: Vec<Finding> = already.iter().cloned().collect();
            findings.extend(self.told(&pieces, &edit, algorithm));
            Some(findings)
        };
        let with = |root, spaces, beside| try_it(Edit { root, spaces, beside });
        let some_root = || roots.iter().map(Some);
        let some_spaces = || Spaces::ALL.into_iter().map(Some);
        // Where somebody put the Signature into a formatted document, or formatted around it, its own white space is as it was.
        let stays = |s: &Spaces| pieces.beside_with(*s) != now;
        let some_beside = || besides.iter().map(|b| Some(b.as_str()));
        let one = std::iter::once((None, None, None))
            .chain(some_beside().map(|b| (None, None, b)))
            .chain(some_root().map(|r| (r, None, None)))
            .chain(some_spaces().map(|s| (None, s, None)));
        let two = some_root()
            .flat_map(|r| some_beside().map(move |b| (r, None, b)))
            .chain(Spaces::ALL.into_iter().filter(stays).map(|s| (None, Some(s), now.as_deref())))
            .chain(some_spaces().flat_map(|s| some_beside().map(move |b| (None, s, b))))
            .chain(some_root().flat_map(|r| some_spaces().map(move |s| (r, s, None))));
        // DigestValue is the other one of two where what was signed is looked for.
        let two = two.filter(|_| matches!(self.wanted, Wanted::Digest(_)));
        one.chain(two).take_while(|_| !self.spent()).find_map(|(r, s, b)| with(r, s, b))
    }

    /// The text as it stands in the file, or with the line ends that the signer had.
    fn as_text(&self, before: &str, after: &str) -> Option<Vec<Finding>> {
        let canonical = [before, after].concat();
        let (head, tail) = self.text()?;
        let text = [head, tail].concat();
        let bare = text.trim_start_matches('\u{FEFF}');
        let body = bare.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")).map(|(_, body)| body);
        let crlf = |text: &str| text.replace('\n', "\r\n");
        let ends: (&str, &str) = (
            "the signer hashed CRLF line ends as they stood; they have to be LF",
            "签名方按原样计算了 CRLF 换行；应为 LF",
        );
        let whole: (&str, &str) = ("the file as it stands, without its Signature", "除 Signature 外的文件原文");
        let bodies: (&str, &str) =
            ("the file as it stands, without XML declaration and Signature", "除 XML 声明和 Signature 外的文件原文");
        let tries: [(Option<String>, (&str, &str)); 7] = [
            (Some(crlf(&canonical)), ends),
            (Some(bare.to_owned()), whole),
            (body.map(str::to_owned), bodies),
            (body.map(|b| b.trim_matches(['\n', ' ', '\t']).to_owned()), bodies),
            (Some(crlf(bare)), whole),
            (body.map(crlf), bodies),
            (body.map(|b| crlf(b.trim_start_matches('\n'))), bodies),
        ];
        let (algorithm, said) = tries.into_iter().take_while(|_| !self.spent()).find_map(|(text, said)| {
            let text = text.filter(|t| *t != canonical)?;
            Some((self.fits(text.as_bytes(), None)?, said))
        })?;
        let told = Finding::new(FindingKind::TextHashed)
            .detail(said)
            .compared(("canonical XML", "规范化 XML"), ("text of the file", "文件文本"))
            .maybe_at(self.place);
        Some(std::iter::once(told).chain(self.other_algorithm(algorithm)).collect())
    }

    fn other_algorithm(&self, algorithm: DigestAlgorithm) -> Option<Finding> {
        (algorithm != self.algorithm).then(|| {
            Finding::new(FindingKind::DigestAlgorithmOther)
                .compared(self.algorithm.name(), algorithm.name())
                .maybe_at(self.place)
        })
    }

    /// What an edit that fits says of the document.
    fn told(&self, pieces: &Pieces<'_>, edit: &Edit<'_>, algorithm: DigestAlgorithm) -> Vec<Finding> {
        let root = self.tree.document_element().and_then(|id| self.checked.place(self.tree, id));
        let mut findings: Vec<Finding> = edit.root.map(|r| r.findings(root)).unwrap_or_default();
        match (edit.spaces, edit.beside) {
            (Some(spaces), beside) => {
                findings.push(self.indentation(pieces, edit, spaces.said().into()));
                let apart = match beside {
                    Some(beside) => pieces.is_apart(beside, spaces).then_some(beside.to_owned()),
                    None => pieces.line_beside(spaces),
                };
                findings.extend(apart.and_then(|expected| self.newline(pieces, &expected)));
            }
            (None, Some(expected)) => findings.extend(self.newline(pieces, expected)),
            (None, None) => {}
        }
        findings.extend(self.other_algorithm(algorithm));
        findings
    }

    fn indentation(&self, pieces: &Pieces<'_>, edit: &Edit<'_>, said: Words) -> Finding {
        let finding = Finding::new(FindingKind::IndentationChanged).detail(said);
        match pieces.first_changed(edit) {
            Some(changed) => {
                let offset = self.tag_offset(changed.tag);
                let (expected, found) = excerpt::both(&changed.expected, &changed.found);
                finding.compared(expected, found).maybe_at(offset.and_then(|o| self.checked.place_at(o)))
            }
            None => finding.maybe_at(self.place),
        }
    }

    /// White space that came or went beside the Signature.
    fn newline(&self, pieces: &Pieces<'_>, expected: &str) -> Option<Finding> {
        let (before, after) = pieces.beside()?;
        let found = [before, after].concat();
        let lines = |text: &str| text.matches('\n').count();
        let range = self.tree.node_range(self.signature)?;
        let behind: (&str, &str) = ("after the Signature element", "Signature 元素之后");
        let ahead: (&str, &str) = ("before the Signature element", "Signature 元素之前");
        let around: (&str, &str) = ("before and after the Signature element", "Signature 元素前后");
        let (kind, said, offset) = match lines(expected).cmp(&lines(&found)) {
            // Where nothing before it has to go, it stands behind.
            std::cmp::Ordering::Less if before.len() <= expected.len() && !after.is_empty() => {
                (FindingKind::NewlineAdded, behind, range.end)
            }
            std::cmp::Ordering::Less if after.is_empty() || after.len() <= expected.len() => {
                (FindingKind::NewlineAdded, ahead, range.start)
            }
            std::cmp::Ordering::Less => (FindingKind::NewlineAdded, around, range.start),
            std::cmp::Ordering::Greater => (
                FindingKind::NewlineRemoved,
                ("before or after the Signature element", "Signature 元素之前或之后"),
                range.start,
            ),
            std::cmp::Ordering::Equal if expected.starts_with(before) && !after.is_empty() => {
                (FindingKind::IndentationChanged, behind, range.end)
            }
            std::cmp::Ordering::Equal if !expected.ends_with(after) => {
                (FindingKind::IndentationChanged, around, range.start)
            }
            std::cmp::Ordering::Equal => (FindingKind::IndentationChanged, ahead, range.start),
        };
        let (expected, found) = excerpt::both(expected, &found);
        let finding = Finding::new(kind).detail(said).compared(expected, found);
        Some(finding.maybe_at(self.checked.place_at(offset)))
    }

    /// Where the tag with this number in canonical XML begins in the text.
    fn tag_offset(&self, number: usize) -> Option<usize> {
        let mut offsets = Vec::new();
        let mut left: Vec<(NodeId, bool)> = vec![(self.tree.root(), false)];
        while let Some((node, ends)) = left.pop() {
            let range = self.tree.node_range(node);
            match self.tree.node_kind(node) {
                Some(NodeKind::Element(_)) if ends => {
                    // The start of `<a/>`, where it has no end tag.
                    let end = range.and_then(|r| {
                        self.checked.text().get(r.clone())?.rfind('<').map(|at| r.start.saturating_add(at))
                    });
                    offsets.push((Kind::End, end?));
                    continue;
                }
                Some(NodeKind::Element(_)) if node == self.signature => continue,
                Some(NodeKind::Element(_)) => {
                    offsets.push((Kind::Start, range?.start));
                    left.push((node, true));
                }
                Some(NodeKind::ProcessingInstruction(_)) => offsets.push((Kind::Other, range?.start)),
                Some(NodeKind::Document) => {}
                _ => continue,
            }
            left.extend(self.tree.children(node).into_iter().rev().map(|child| (child, false)));
        }
        offsets.get(number).map(|(_, offset)| *offset)
    }
}

/// A processing instruction that the text does not hold. One pass, whatever the text is: one more `x` than behind any name like it.
fn mark(text: &str) -> String {
    const TARGET: &str = "signature-place";
    let behind = |(at, name): (usize, &str)| text.get(at.saturating_add(name.len())..).unwrap_or_default();
    let run = |rest: &str| rest.bytes().take_while(|o| *o == b'x').count().saturating_add(1);
    let most = text.match_indices(TARGET).map(|found| run(behind(found))).max().unwrap_or_default();
    format!("<?{TARGET}{}?>", "x".repeat(most))
}

/// What may have stood beside the Signature in place of `now`.
fn besides(now: &str) -> Vec<String> {
    let mut some = vec![String::new(), "\n".to_owned()];
    some.extend(now.strip_prefix('\n').map(str::to_owned));
    some.extend(now.strip_suffix('\n').map(str::to_owned));
    some.push(format!("{now}\n"));
    some.extend(["\n\n", "\n\t", "\n  ", "\n    ", "\n\t\n", "\n  \n", "\n    \n"].map(str::to_owned));
    let mut seen = std::collections::BTreeSet::from([now.to_owned()]);
    some.retain(|one| seen.insert(one.clone()));
    some
}
