//! Why a document is refused, before anything is hashed.

use crate::error::{Error, ErrorKind};
use crate::verify::Place;

/// The reason: one kind for each thing that a person would have to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// Not UTF-8: the octets are not, or the XML declaration names another encoding.
    Encoding,
    /// An XML version other than 1.0.
    Version,
    /// A character that XML 1.0 does not allow, such as NUL.
    Character,
    /// Not well-formed XML 1.0.
    Malformed,
    /// A document type declaration, and with it any entity declaration.
    Doctype,
    /// A reference to an entity that XML itself does not define.
    Entity,
    /// Two attributes of one element with the same name.
    Duplicate,
    /// A prefix that is not declared, a name with a colon too many, `xmlns:p=""`, a reserved binding.
    Namespace,
    /// More octets than [`super::limits::MAX_OCTETS`].
    TooLarge,
    /// Elements nested deeper than [`super::limits::MAX_DEPTH`].
    TooDeep,
    /// Too many attributes, namespaces, elements or processing instructions, or too long a name.
    TooMany,
    /// Within every bound by itself, and not with the Signature that it is to get.
    NoRoom,
    /// A namespace name that canonicalisers write in different ways or refuse.
    NamespaceUri,
    /// The same identifier twice in the document, or an `xml:id` that is no plain name.
    Identifier,
    /// The canonicaliser met what the checks before it should have refused.
    Defect,
}

impl FaultKind {
    fn error(self) -> (ErrorKind, &'static str) {
        use ErrorKind as E;
        match self {
            FaultKind::Encoding => (E::DocumentEncoding, "the octets or the XML declaration are not UTF-8"),
            FaultKind::Version => (E::DocumentMalformed, "the XML version is not 1.0"),
            FaultKind::Character => (E::DocumentMalformed, "a character that XML does not allow"),
            FaultKind::Malformed => (E::DocumentMalformed, "not well-formed XML"),
            FaultKind::Doctype => (E::DocumentDtd, "a document type declaration"),
            FaultKind::Entity => (E::DocumentMalformed, "an entity that XML does not define"),
            FaultKind::Duplicate => (E::DocumentMalformed, "an attribute twice in one element"),
            FaultKind::Namespace => (E::DocumentMalformed, "a namespace prefix that is not declared, or a wrong name"),
            FaultKind::TooLarge => (E::DocumentTooLarge, "more than 8 MiB"),
            FaultKind::TooDeep => (E::DocumentTooDeep, "more than 64 elements in each other"),
            FaultKind::TooMany => {
                (E::DocumentTooLarge, "too many elements, attributes or namespaces, or too long a name")
            }
            FaultKind::NoRoom => (
                E::DocumentTooLarge,
                "no room for its Signature: octets, elements, texts or namespaces are at their most",
            ),
            FaultKind::NamespaceUri => {
                (E::DocumentAmbiguous, "a namespace name that is relative or has unusual characters")
            }
            FaultKind::Identifier => {
                (E::DocumentAmbiguous, "an identifier that stands twice, or an xml:id that is no name")
            }
            FaultKind::Defect => (E::Defect, "canonical XML"),
        }
    }
}

/// A refusal with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(super) kind: FaultKind,
    /// Line, counted from 1; 0 where the reason has no place.
    line: usize,
    /// Octet in the line, counted from 1.
    column: usize,
}

impl Fault {
    pub(super) const fn everywhere(kind: FaultKind) -> Self {
        Self { kind, line: 0, column: 0 }
    }

    pub(super) const fn placed(kind: FaultKind, line: usize, column: usize) -> Self {
        Self { kind, line, column }
    }

    /// The place of an octet offset in `text`.
    pub(super) fn at(kind: FaultKind, text: &str, offset: usize) -> Self {
        let before = text.as_bytes().get(..offset).unwrap_or_default();
        let line = Place::of(text.as_bytes(), before.len()).line;
        let column = before.iter().rev().take_while(|b| !matches!(b, b'\n' | b'\r')).count().saturating_add(1);
        Self { kind, line, column }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let (kind, what) = fault.kind.error();
        let place = match fault.line {
            0 => String::new(),
            line => format!("line {line}, octet {}: ", fault.column),
        };
        Error::new(kind, "read XML").detail(format!("{place}{what}"))
    }
}
