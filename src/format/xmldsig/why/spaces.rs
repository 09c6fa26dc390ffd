//! The ways in which programs change white space between tags, undone.

use std::borrow::Cow;

use super::pieces::{Kind, Tag};

/// How the white space between two tags was before somebody changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spaces {
    /// One text in place of another: tabs and spaces.
    Replaced(&'static str, &'static str),
    /// None at all: the document was one line.
    None,
    /// Each tag on a line of its own, indented by this for each element around it.
    Indented(&'static str),
    /// No blank lines.
    NoBlankLines,
    /// No blanks at the ends of lines.
    NoBlanksAtEnds,
}

impl Spaces {
    /// The likely ones first.
    pub(super) const ALL: [Spaces; 17] = [
        Spaces::None,
        Spaces::Replaced("  ", "\t"),
        Spaces::Replaced("    ", "\t"),
        Spaces::Replaced("\t", "  "),
        Spaces::Replaced("\t", "    "),
        // Before those that write all of it anew: a document whose indentation is as it was is not told that it changed.
        Spaces::NoBlankLines,
        Spaces::NoBlanksAtEnds,
        Spaces::Indented("\t"),
        Spaces::Indented("  "),
        Spaces::Indented("    "),
        Spaces::Indented(""),
        Spaces::Indented(" "),
        Spaces::Indented("   "),
        Spaces::Indented("        "),
        Spaces::Replaced("    ", "  "),
        Spaces::Replaced("  ", "    "),
        Spaces::Replaced("\t", "        "),
    ];

    /// The white space between `previous` and `next`, of which `blank` stands there now. What stands in an element that holds no
    /// other is its content, and no indentation.
    pub(super) fn apply<'t>(self, blank: Cow<'t, str>, previous: &Tag<'_>, next: &Tag<'_>) -> Cow<'t, str> {
        let content = previous.kind == Kind::Start && next.kind == Kind::End;
        match self {
            Spaces::Replaced(from, to) if blank.contains(from) => Cow::Owned(blank.replace(from, to)),
            Spaces::None if !content => Cow::Borrowed(""),
            Spaces::Indented(unit) if !content => Cow::Owned(format!("\n{}", unit.repeat(next.depth))),
            Spaces::NoBlankLines => match (blank.find('\n'), blank.rfind('\n')) {
                (Some(first), Some(last)) if first != last => {
                    Cow::Owned(blank.get(last..).unwrap_or_default().to_owned())
                }
                _ => blank,
            },
            Spaces::NoBlanksAtEnds => match blank.find('\n') {
                Some(first) if first > 0 => Cow::Owned(blank.get(first..).unwrap_or_default().to_owned()),
                _ => blank,
            },
            _ => blank,
        }
    }

    /// What it was, in words.
    pub(super) fn said(self) -> (&'static str, &'static str) {
        match self {
            Spaces::Replaced("\t", _) => ("it had spaces in place of tabs", "原为空格而非制表符"),
            Spaces::Replaced(_, "\t") => ("it had tabs in place of spaces", "原为制表符而非空格"),
            Spaces::Replaced(..) => ("it was indented by another number of spaces", "原缩进的空格数不同"),
            Spaces::None => ("it was one line, without white space between elements", "原为一行，元素之间无空白"),
            Spaces::Indented("") => {
                ("each element stood on a line of its own, without indentation", "原为每个元素一行且无缩进")
            }
            Spaces::Indented("\t") => ("it was indented by tabs", "原以制表符缩进"),
            Spaces::Indented(_) => ("it was indented by spaces, element by element", "原按层级以空格缩进"),
            Spaces::NoBlankLines => ("it had no blank lines", "原无空行"),
            Spaces::NoBlanksAtEnds => ("it had no blanks at the ends of lines", "原行尾无空格"),
        }
    }
}
