//! Words of a report in both languages.

use std::fmt;
use std::ops::Deref;

/// A language of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// English.
    English,
    /// Chinese (simplified).
    Chinese,
}

impl Language {
    /// The one of two that is in this language.
    #[must_use]
    pub fn pick<T>(self, english: T, chinese: T) -> T {
        match self {
            Language::English => english,
            Language::Chinese => chinese,
        }
    }
}

/// A few words in English and Chinese, or something that is no language: octets, a name, a number. It reads as its English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    english: String,
    chinese: Option<String>,
}

impl Words {
    /// The words in a language; what is no language is the same in both.
    #[must_use]
    pub fn of(&self, language: Language) -> &str {
        language.pick(self.english.as_str(), self.chinese.as_deref().unwrap_or(&self.english))
    }

    /// Whether both languages are there.
    #[must_use]
    pub fn is_translated(&self) -> bool {
        self.chinese.is_some()
    }
}

impl Deref for Words {
    type Target = str;

    fn deref(&self) -> &str {
        &self.english
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english)
    }
}

impl From<&str> for Words {
    fn from(text: &str) -> Self {
        Words { english: text.to_owned(), chinese: None }
    }
}

impl From<String> for Words {
    fn from(text: String) -> Self {
        Words { english: text, chinese: None }
    }
}

impl From<(&str, &str)> for Words {
    fn from((english, chinese): (&str, &str)) -> Self {
        Words { english: english.to_owned(), chinese: Some(chinese.to_owned()) }
    }
}

impl From<(String, String)> for Words {
    fn from((english, chinese): (String, String)) -> Self {
        Words { english, chinese: Some(chinese) }
    }
}
