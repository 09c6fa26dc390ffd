//! The macro that makes [`ErrorKind`](super::ErrorKind) of the table.

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $recovery:expr, $en:literal, $zh:literal;)*) => {
        /// The kinds of error. The number of each is also its code in C.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $(
                #[doc = $en]
                $name = $number,
            )*
        }

        impl ErrorKind {
            /// Every kind, in the order of the table.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$name),*];

            pub(crate) fn entry(self) -> Entry {
                use Recovery::*;
                match self {
                    $(ErrorKind::$name => Entry { recovery: $recovery, en: $en, zh: $zh },)*
                }
            }

            /// The kind with this number.
            #[must_use]
            pub fn from_code(code: u32) -> Option<ErrorKind> {
                match code {
                    $($number => Some(ErrorKind::$name),)*
                    _ => Option::None,
                }
            }
        }
    };
}
