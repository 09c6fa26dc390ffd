//! Canonical XML in pieces, so that white space and the first start tag can be written otherwise without another parse.

use std::borrow::Cow;

use super::root::RootEdit;
use super::spaces::Spaces;

/// What a tag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    End,
    /// A processing instruction, or a comment where comments are kept.
    Other,
}

/// A tag of canonical XML.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag<'t> {
    pub(super) text: &'t str,
    pub(super) kind: Kind,
    /// Elements that are open around it.
    pub(super) depth: usize,
}

/// The text before a tag. In one of them the Signature stood.
#[derive(Debug, Clone, Copy, Default)]
struct Gap<'t> {
    before: &'t str,
    /// What follows the place of the Signature.
    after: Option<&'t str>,
}

/// A canonical document without its Signature, of which the place is known.
#[derive(Debug)]
pub(super) struct Pieces<'t> {
    tags: Vec<Tag<'t>>,
    /// One before each tag, and one at the end.
    gaps: Vec<Gap<'t>>,
}

/// How a document is written otherwise.
#[derive(Debug, Clone, Default)]
pub(super) struct Edit<'e> {
    pub(super) root: Option<&'e RootEdit>,
    pub(super) spaces: Option<Spaces>,
    /// The white space beside the Signature, before and behind it taken together: the digest knows their sum alone.
    pub(super) beside: Option<&'e str>,
}

/// White space between two tags that is another after an edit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed {
    /// Which tag it stands before, counted from 0.
    pub(super) tag: usize,
    /// As the edit has it.
    pub(super) expected: String,
    /// As it stands.
    pub(super) found: String,
}

const BLANKS: [char; 3] = [' ', '\t', '\n'];

impl<'t> Pieces<'t> {
    /// `before` and `after` are canonical XML around the place of the Signature, which lies between two tags.
    pub(super) fn of(before: &'t str, after: &'t str) -> Option<Self> {
        let mut pieces = Pieces { tags: Vec::new(), gaps: vec![Gap::default()] };
        let mut depth = 0;
        pieces.add(before, &mut depth, false)?;
        pieces.gaps.last_mut()?.after = Some("");
        pieces.add(after, &mut depth, true)?;
        (depth == 0).then_some(pieces)
    }

    fn add(&mut self, mut text: &'t str, depth: &mut usize, behind: bool) -> Option<()> {
        let mut first = behind;
        while !text.is_empty() {
            let Some(end) = tag_end(text)? else {
                let (gap, rest) = text.split_at(text.find('<').unwrap_or(text.len()));
                let last = self.gaps.last_mut()?;
                if first {
                    last.after = Some(gap)
                } else {
                    last.before = gap
                }
                text = rest;
                continue;
            };
            first = false;
            let (tag, rest) = text.split_at_checked(end)?;
            let kind = if tag.starts_with("</") {
                Kind::End
            } else if tag.starts_with("<?") || tag.starts_with("<!") {
                Kind::Other
            } else {
                Kind::Start
            };
            if kind == Kind::End {
                *depth = depth.checked_sub(1)?;
            }
            self.tags.push(Tag { text: tag, kind, depth: *depth });
            self.gaps.push(Gap::default());
            if kind == Kind::Start {
                *depth = depth.saturating_add(1);
            }
            text = rest;
        }
        Some(())
    }

    /// The start tag of the document element.
    pub(super) fn root(&self) -> Option<&'t str> {
        self.tags.iter().find(|t| t.kind == Kind::Start).map(|t| t.text)
    }

    /// The white space before and behind the place of the Signature.
    pub(super) fn beside(&self) -> Option<(&'t str, &'t str)> {
        let gap = self.gaps.iter().find(|g| g.after.is_some())?;
        let after = gap.after?;
        let before = gap.before.trim_end_matches(BLANKS).len();
        let behind = after.len().saturating_sub(after.trim_start_matches(BLANKS).len());
        Some((gap.before.get(before..)?, after.get(..behind)?))
    }

    /// The same taken together.
    pub(super) fn beside_now(&self) -> Option<String> {
        self.beside().map(|(before, after)| [before, after].concat())
    }

    /// What stands there where the white space of the whole document is written so.
    pub(super) fn beside_with(&self, spaces: Spaces) -> Option<String> {
        let (index, gap) = self.gaps.iter().enumerate().find(|(_, g)| g.after.is_some())?;
        let whole = self.gap(index, gap, &Edit { spaces: Some(spaces), ..Edit::default() });
        // Beside a text nothing is written otherwise.
        if whole.chars().all(|c| BLANKS.contains(&c)) { Some(whole.into_owned()) } else { self.beside_now() }
    }

    /// Whether `beside` was changed by itself: it does not come out so with the indentation, nor stands there now.
    pub(super) fn is_apart(&self, beside: &str, spaces: Spaces) -> bool {
        [self.beside_with(spaces), self.beside_now()].iter().all(|other| other.as_deref() != Some(beside))
    }

    /// What the indentation makes beside the Signature, where line ends came or went there by themselves: nobody who formats a document
    /// puts an element elsewhere than on a line of its own. Where the whole document was made one line, they went with all the others.
    pub(super) fn line_beside(&self, spaces: Spaces) -> Option<String> {
        let (before, after) = self.beside()?;
        let unit = before.strip_prefix('\n').unwrap_or_default();
        let formatted = after == "\n" && !unit.is_empty() && !unit.contains('\n');
        let lines = |text: &str| text.matches('\n').count();
        let with = self.beside_with(spaces).filter(|w| lines(w) != lines(before).saturating_add(lines(after)));
        with.filter(|_| matches!(spaces, Spaces::Indented(_)) && !formatted && !self.is_one_line())
    }

    /// Whether no white space stands between any two elements. What an element holds that holds nothing else is its content.
    fn is_one_line(&self) -> bool {
        let pairs = self.tags.iter().zip(self.tags.iter().skip(1));
        pairs.zip(self.gaps.iter().skip(1)).all(|((previous, next), gap)| {
            let content = previous.kind == Kind::Start && next.kind == Kind::End && gap.after.is_none();
            let whole = || gap.before.chars().chain(gap.after.unwrap_or_default().chars());
            let blank = whole().all(|c| BLANKS.contains(&c));
            content || outside(previous, next) || whole().next().is_none() || !blank
        })
    }

    /// The document as the edit writes it.
    pub(super) fn written(&self, edit: &Edit<'_>) -> String {
        let mut out = String::new();
        let mut root = edit.root;
        for (index, gap) in self.gaps.iter().enumerate() {
            out.push_str(&self.gap(index, gap, edit));
            let Some(tag) = self.tags.get(index) else { continue };
            match root.filter(|_| tag.kind == Kind::Start).and_then(|root| root.apply(tag.text)) {
                Some(text) => {
                    root = None;
                    out.push_str(&text);
                }
                None => out.push_str(tag.text),
            }
        }
        out
    }

    fn gap(&self, index: usize, gap: &Gap<'t>, edit: &Edit<'_>) -> Cow<'t, str> {
        let after = gap.after.unwrap_or_default();
        if let Some(beside) = edit.beside.filter(|_| gap.after.is_some()) {
            let (before, after) = (gap.before.trim_end_matches(BLANKS), after.trim_start_matches(BLANKS));
            return Cow::Owned([before, beside, after].concat());
        }
        let whole = if after.is_empty() { Cow::Borrowed(gap.before) } else { Cow::Owned([gap.before, after].concat()) };
        let blank = whole.chars().all(|c| BLANKS.contains(&c));
        let (previous, next) = (index.checked_sub(1).and_then(|i| self.tags.get(i)), self.tags.get(index));
        match (edit.spaces, previous, next) {
            (Some(spaces), Some(previous), Some(next)) if blank && !outside(previous, next) => {
                spaces.apply(whole, previous, next)
            }
            _ => whole,
        }
    }

    /// The first white space between tags that is another in the edited document, the one beside the Signature aside.
    pub(super) fn first_changed(&self, edit: &Edit<'_>) -> Option<Changed> {
        let plain = Edit::default();
        let gaps = || self.gaps.iter().enumerate();
        let changed = |(index, gap): (usize, &Gap<'t>)| {
            let (found, expected) = (self.gap(index, gap, &plain), self.gap(index, gap, edit));
            (found != expected).then(|| Changed {
                tag: index,
                expected: expected.into_owned(),
                found: found.into_owned(),
            })
        };
        gaps().filter(|(_, g)| g.after.is_none()).find_map(changed).or_else(|| gaps().find_map(changed))
    }
}

/// Before or after the document element, where canonical XML fixes what stands.
fn outside(previous: &Tag<'_>, next: &Tag<'_>) -> bool {
    (next.depth == 0 && next.kind != Kind::End) || (previous.depth == 0 && previous.kind != Kind::Start)
}

/// Where the tag at the beginning of `text` ends; the inner `None` where text stands there. In canonical XML `>` is not escaped in
/// attribute values, and `"` is.
fn tag_end(text: &str) -> Option<Option<usize>> {
    let behind = |end: &str| text.find(end).map(|at| Some(at.saturating_add(end.len())));
    if text.starts_with("<?") {
        return behind("?>");
    }
    if text.starts_with("<!--") {
        return behind("-->");
    }
    if !text.starts_with('<') {
        return Some(None);
    }
    let mut quoted = false;
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(Some(at.saturating_add(1))),
            _ => {}
        }
    }
    None
}
