//! What a report shows of the white space and the text of a document: short, whatever the document holds, and nothing that a terminal obeys.

use crate::verify::Words;

/// Characters of a text that one finding shows.
const MAX_SHOWN: usize = 60;
/// Of those the ones that show where a difference begins.
const BEFORE: usize = 8;

/// A text in quotes, cut with its number of characters where it is long.
pub(in crate::format::xmldsig) fn quoted(text: &str) -> Words {
    from(text, 0)
}

/// Two texts in quotes. Where one is long, both from shortly before they differ.
pub(super) fn both(expected: &str, found: &str) -> (Words, Words) {
    let is_long = |text: &str| text.chars().nth(MAX_SHOWN).is_some();
    let same = expected.chars().zip(found.chars()).take_while(|(e, f)| e == f).count();
    let start = if is_long(expected) || is_long(found) { same.saturating_sub(BEFORE) } else { 0 };
    (from(expected, start), from(found, start))
}

/// What is left of two canonical texts without what they begin and end with alike, and where in the first it is. A tag is not cut in its name.
pub(super) fn apart<'t>(one: &'t str, other: &'t str) -> (usize, &'t str, &'t str) {
    let alike = |pairs: &mut dyn Iterator<Item = (char, char)>| -> usize {
        pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum()
    };
    let same = alike(&mut one.chars().zip(other.chars()));
    let head = one.get(..same).unwrap_or_default();
    let tag = head.rfind('<').filter(|at| head.get(*at..).is_some_and(|name| !name.contains([' ', '>'])));
    let start = tag.unwrap_or(same);
    let (one, other) = (one.get(start..).unwrap_or_default(), other.get(start..).unwrap_or_default());
    let same = alike(&mut one.chars().rev().zip(other.chars().rev()));
    let head = |text: &'t str| text.get(..text.len().saturating_sub(same)).unwrap_or_default();
    (start, head(one), head(other))
}

fn from(text: &str, start: usize) -> Words {
    let count = text.chars().count();
    let some: String = text.chars().skip(start).take(MAX_SHOWN).flat_map(char::escape_default).collect();
    if start == 0 && count <= MAX_SHOWN {
        return format!("\"{some}\"").into();
    }
    let more = |is: bool| if is { "…" } else { "" };
    let shown = format!("{}\"{some}\"{}", more(start > 0), more(count > start.saturating_add(MAX_SHOWN)));
    (format!("{shown} ({count} characters)"), format!("{shown}（共 {count} 个字符）")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Language;

    #[test]
    fn a_long_text_is_cut_and_counted() {
        assert_eq!(&*quoted("\n\t"), "\"\\n\\t\"");
        let lines = quoted(&"\n".repeat(1_000_000));
        assert_eq!(lines.of(Language::English), format!("\"{}\"… (1000000 characters)", "\\n".repeat(60)));
        assert!(lines.of(Language::Chinese).contains("共 1000000 个字符"), "{lines}");
    }

    #[test]
    fn two_long_texts_are_shown_where_they_differ() {
        let (expected, found) = both(&format!("{}x", " ".repeat(100)), &format!("{}\u{a0}", " ".repeat(100)));
        assert_eq!(&*expected, "…\"        x\" (101 characters)");
        assert_eq!(&*found, "…\"        \\u{a0}\" (101 characters)");
        let (expected, found) = both("\n", &"\n".repeat(61));
        assert_eq!((&*expected, found.contains("61 characters")), ("\"\\n\"", true));
    }

    #[test]
    fn what_two_texts_share_at_both_ends_is_left_out() {
        assert_eq!(apart("ab", "a\u{a0}b"), (1, "", "\u{a0}"));
        assert_eq!(apart("aa", "aaa"), (2, "", "a"));
        assert_eq!(apart("", ""), (0, "", ""));
        assert_eq!(apart("合成样例", "合成样本"), (9, "例", "本"));
        assert_eq!(apart("<a></a><b>", "<a></a><bc></bc><b>"), (7, "", "<bc></bc>"));
        assert_eq!(apart("<a x=\"1\">", "<a x=\"2\">"), (6, "1", "2"));
    }
}
