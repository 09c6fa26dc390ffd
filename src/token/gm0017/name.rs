//! Names of applications and containers, and the places that are made of them. A name comes from the device and is hostile.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::policy;
use crate::suite::is_hidden;
use crate::token::{CertRef, KeyRef, Place};

/// 1 to [`policy::NAME_MAX`] octets, none of them NUL. Most are UTF-8; which ones are not is nowhere said.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(Vec<u8>);

impl Name {
    pub(super) fn of(octets: &[u8]) -> Option<Self> {
        let fits = (1..=policy::NAME_MAX).contains(&octets.len()) && !octets.contains(&0);
        fits.then(|| Name(octets.to_vec()))
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }

    /// As people see it and as it stands in a reference: `%`, `:` and `/`, what nobody sees, spaces at the ends and what is no UTF-8 are
    /// percent-encoded, so that it reads back as the same octets.
    pub(super) fn label(&self) -> String {
        let mut text = String::new();
        let mut at = 0_usize;
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                let width = c.len_utf8();
                let edge = at == 0 || at.saturating_add(width) == self.0.len();
                let quoted = matches!(c, '%' | ':' | '/' | '\t' | '\n') || is_hidden(c) || (c.is_whitespace() && edge);
                match quoted {
                    true => c.encode_utf8(&mut [0; 4]).bytes().for_each(|o| text.push_str(&format!("%{o:02X}"))),
                    false => text.push(c),
                }
                at = at.saturating_add(width);
            }
            chunk.invalid().iter().for_each(|o| text.push_str(&format!("%{o:02X}")));
            at = at.saturating_add(chunk.invalid().len());
        }
        text
    }

    /// Reads [`Name::label`].
    pub(super) fn from_label(label: &str) -> Option<Self> {
        let mut parts = label.split('%');
        let mut octets = parts.next()?.as_bytes().to_vec();
        for part in parts {
            let (digits, rest) = part.split_at_checked(2)?;
            if !digits.bytes().all(|d| d.is_ascii_hexdigit()) {
                return None;
            }
            octets.push(u8::from_str_radix(digits, 16).ok()?);
            octets.extend_from_slice(rest.as_bytes());
        }
        Name::of(&octets)
    }

    /// The names in an answer, parted by NUL, each once and at most so many; and whether any was passed over.
    pub(super) fn list(answer: &[u8], most: usize) -> (Vec<Name>, bool) {
        let (mut names, mut passed_over) = (Vec::new(), false);
        for octets in answer.split(|o| *o == 0).filter(|octets| !octets.is_empty()) {
            match Name::of(octets) {
                Some(name) if names.contains(&name) => {}
                Some(name) if names.len() < most => names.push(name),
                _ => passed_over = true,
            }
        }
        (names, passed_over)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

/// Which pair of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    /// Born in the device.
    Signing,
    /// Made by the CA and imported.
    Encryption,
}

impl Half {
    /// P1 of ExportCertificate and ExportPublicKey, and the type of ImportCertificate.
    pub(super) fn octet(self) -> u8 {
        match self {
            Half::Encryption => 0,
            Half::Signing => 1,
        }
    }
}

/// One pair of one container of one application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) application: Name,
    pub(super) container: Name,
    pub(super) half: Half,
}

const ENCRYPTION: &str = "encryption";

impl Spot {
    /// `application:container`, with `:encryption` behind it for that pair.
    pub(super) fn label(&self) -> String {
        let both = format!("{}:{}", self.application.label(), self.container.label());
        match self.half {
            Half::Signing => both,
            Half::Encryption => format!("{both}:{ENCRYPTION}"),
        }
    }

    pub(super) fn from_label(label: &str) -> Option<Self> {
        let (both, half) = match label.split(':').collect::<Vec<_>>().as_slice() {
            [application, container] => ([*application, *container], Half::Signing),
            [application, container, ENCRYPTION] => ([*application, *container], Half::Encryption),
            _ => return None,
        };
        let [application, container] = both.map(Name::from_label);
        Some(Spot { application: application?, container: container?, half })
    }

    /// Application, NUL, container, NUL, half.
    fn octets(&self) -> Vec<u8> {
        [self.application.octets(), &[0], self.container.octets(), &[0, self.half.octet()]].concat()
    }

    fn read(octets: &[u8], operation: &'static str) -> Result<Self> {
        let parts: Vec<&[u8]> = octets.splitn(3, |o| *o == 0).collect();
        let spot = match parts.as_slice() {
            [application, container, half] => {
                let half = [Half::Signing, Half::Encryption].into_iter().find(|h| *half == [h.octet()]);
                Name::of(application).zip(Name::of(container)).zip(half)
            }
            _ => None,
        };
        let ((application, container), half) = spot.ok_or_else(|| {
            Error::new(ErrorKind::Argument, operation).detail("the reference is none of a GM/T 0017 device")
        })?;
        Ok(Spot { application, container, half })
    }

    pub(super) fn key(&self) -> KeyRef {
        KeyRef(self.octets())
    }

    pub(super) fn of_key(key: &KeyRef) -> Result<Self> {
        Spot::read(&key.0, "find key")
    }

    pub(super) fn certificate(&self) -> CertRef {
        CertRef(self.octets())
    }

    pub(super) fn of_certificate(certificate: &CertRef) -> Result<Self> {
        Spot::read(&certificate.0, "find certificate")
    }

    pub(super) fn place(&self, taken: bool) -> Place {
        Place { key: self.key(), certificate: self.certificate(), name: self.label(), taken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(octets: &[u8]) -> Name {
        Name::of(octets).unwrap()
    }

    #[test]
    fn any_name_reads_back_from_its_label_and_shows_nothing_hidden() {
        let names: &[&[u8]] = &[
            b"eport",
            b" a b ",
            b"a:b/c%d",
            "中国电子口岸".as_bytes(),
            "a\u{202E}b\u{200B}".as_bytes(),
            b"\xFF\xFE",
            b"a\x1B[2Jb\n",
            b"%3A",
            &[b'x'; policy::NAME_MAX],
        ];
        for octets in names {
            let (name, label) = (name(octets), name(octets).label());
            assert_eq!(Name::from_label(&label), Some(name), "{label}");
            assert!(!label.contains([':', '/', '\n', '\u{1B}', '\u{202E}', '\u{200B}']), "{label}");
            assert_eq!(label.trim(), label);
        }
        assert_eq!(name("中国电子口岸".as_bytes()).label(), "中国电子口岸");
        assert_eq!(name(b"a:b").label(), "a%3Ab");
    }

    #[test]
    fn what_is_no_name_is_none() {
        for octets in [&b""[..], b"a\0b", &[b'x'; policy::NAME_MAX + 1]] {
            assert_eq!(Name::of(octets), None);
        }
        for label in ["", "%", "%4", "%+1", "a%00b", "%GG", "a%中"] {
            assert_eq!(Name::from_label(label), None, "{label}");
        }
        for label in ["", "9A", "a:", ":b", "a:b:c", "a:b:encryption:", "a:b:Encryption"] {
            assert!(Spot::from_label(label).is_none(), "{label}");
        }
    }

    #[test]
    fn a_list_of_names_has_an_end_and_says_what_it_left_out() {
        let listed = |answer: &[u8], most| {
            let (names, passed_over) = Name::list(answer, most);
            (names.iter().map(Name::label).collect::<Vec<_>>(), passed_over)
        };
        assert_eq!(listed(b"a\0b\0\0", 9), (vec!["a".to_owned(), "b".to_owned()], false));
        assert_eq!(listed(b"a\0a\0b", 9), (vec!["a".to_owned(), "b".to_owned()], false));
        assert_eq!(listed(b"a\0b\0c\0", 2), (vec!["a".to_owned(), "b".to_owned()], true));
        assert_eq!(listed(&[b'x'; 5_000], 9), (vec![], true));
        assert_eq!(listed(b"\0\0\0", 9), (vec![], false));
    }

    #[test]
    fn a_place_is_named_by_references_and_labels_alike() {
        for half in [Half::Signing, Half::Encryption] {
            let spot = Spot { application: name(b"a:1"), container: name("容器".as_bytes()), half };
            assert_eq!(Spot::from_label(&spot.label()), Some(spot.clone()));
            assert_eq!(Spot::of_key(&spot.key()).unwrap(), spot);
            assert_eq!(Spot::of_certificate(&spot.certificate()).unwrap(), spot);
        }
        for octets in [&b""[..], b"a\0b", b"a\0b\0", b"a\0b\0\x02", b"a\0\0\x01", b"a\0b\0\x01\0", &[0x9A]] {
            assert_eq!(Spot::of_key(&KeyRef(octets.to_vec())).unwrap_err().kind(), ErrorKind::Argument);
        }
    }
}
