//! The kinds of findings, made of the manual's table.

use super::{Language, Severity};
use crate::manual::findings::table_of_findings;

macro_rules! findings {
    ($($name:ident = $code:literal, $severity:ident, $en:literal, $do_en:literal, $zh:literal, $do_zh:literal;)*) => {
        /// What can be found. Codes are never reused; [`crate::manual::findings::table`] lists them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FindingKind { $( #[doc = $en] $name, )* }

        impl FindingKind {
            /// Every kind.
            pub const ALL: &'static [FindingKind] = &[$(FindingKind::$name),*];

            /// The short code, such as `VF-101`.
            #[must_use]
            pub fn code(self) -> &'static str { match self { $(FindingKind::$name => $code,)* } }

            /// The name, such as `SignatureWrong`.
            #[must_use]
            pub fn name(self) -> &'static str { match self { $(FindingKind::$name => stringify!($name),)* } }

            /// How bad it is.
            #[must_use]
            pub fn severity(self) -> Severity { match self { $(FindingKind::$name => Severity::$severity,)* } }

            /// What it means, in English.
            #[must_use]
            pub fn text(self) -> &'static str { match self { $(FindingKind::$name => $en,)* } }

            /// What it means, in Chinese.
            #[must_use]
            pub fn text_zh(self) -> &'static str { match self { $(FindingKind::$name => $zh,)* } }

            /// What to do, in English; empty where there is nothing to do.
            #[must_use]
            pub fn advice(self) -> &'static str { match self { $(FindingKind::$name => $do_en,)* } }

            /// What to do, in Chinese; empty where there is nothing to do.
            #[must_use]
            pub fn advice_zh(self) -> &'static str { match self { $(FindingKind::$name => $do_zh,)* } }
        }
    };
}

table_of_findings!(findings);

impl FindingKind {
    /// Whether this only says *that* something fails; the cause is another finding, or [`FindingKind::NoKnownReason`].
    #[must_use]
    pub fn is_symptom(self) -> bool {
        matches!(self, FindingKind::SignatureWrong | FindingKind::DigestWrong)
    }

    /// What it means.
    #[must_use]
    pub fn text_in(self, language: Language) -> &'static str {
        language.pick(self.text(), self.text_zh())
    }

    /// What to do; empty where there is nothing to do.
    #[must_use]
    pub fn advice_in(self, language: Language) -> &'static str {
        language.pick(self.advice(), self.advice_zh())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_stands_once_and_whatever_is_not_right_says_what_to_do_in_both_languages() {
        let mut codes = BTreeSet::new();
        for kind in FindingKind::ALL {
            let code = kind.code();
            assert!(code.strip_prefix("VF-").is_some_and(|n| n.len() == 3 && n.parse::<u32>().is_ok()), "{code}");
            assert!(codes.insert(code), "{code} stands twice");
            assert!(!kind.text().is_empty() && !kind.text_zh().is_ascii(), "{code}");
            let (advice, advice_zh) = (kind.advice(), kind.advice_zh());
            assert_eq!(advice.is_empty(), advice_zh.is_empty(), "{code}");
            assert!(kind.severity() == Severity::Info || !advice.is_empty(), "{code} does not say what to do");
            assert!(advice_zh.is_empty() || !advice_zh.is_ascii(), "{code}");
            // A cell of the manual's table.
            assert!(![kind.text(), kind.text_zh(), advice, advice_zh].concat().contains('|'), "{code}");
        }
    }

    /// A finding that turns from `Wrong` into a warning makes documents valid: whoever does that does it here, too.
    #[test]
    fn what_is_not_wrong_stands_in_a_list_and_everything_else_is_wrong() {
        let infos = ["001", "002", "151", "199", "303", "312", "314", "315", "316"];
        let warnings =
            ["120", "134", "138", "150", "152", "153", "154", "155", "210", "211", "212", "213", "222", "317", "318"];
        for kind in FindingKind::ALL {
            let number = kind.code().trim_start_matches("VF-");
            let expected = match number {
                _ if infos.contains(&number) => Severity::Info,
                _ if warnings.contains(&number) => Severity::Warning,
                _ => Severity::Wrong,
            };
            assert_eq!(kind.severity(), expected, "{}", kind.code());
        }
    }
}
