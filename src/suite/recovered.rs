//! What an RSA signature was made over, as its own octets tell: a verifier that explains can name it, and says for sure whose it is not.

use super::{Digest, DigestAlgorithm, PublicKey};

/// What stands in a PKCS#1 v1.5 signature (RFC 8017 §9.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// A digest with its algorithm.
    Digest(Digest),
    /// A digest of an algorithm that no suite has, with its name: it is named, and nothing is hashed with it.
    Foreign(&'static str, Vec<u8>),
    /// Octets that are no DigestInfo: somebody signed a digest as it was.
    Bare(Vec<u8>),
}

/// DigestInfo up to the digest (RFC 8017 §9.2, note 1).
const PREFIXES: [(DigestAlgorithm, &[u8]); 2] = [
    (DigestAlgorithm::Sha1, b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14"),
    (DigestAlgorithm::Sha256, b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"),
];

/// The same of algorithms that no suite has.
const FOREIGN: [(&str, &[u8], usize); 4] = [
    ("md5", b"\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10", 16),
    ("sha224", b"\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00\x04\x1c", 28),
    ("sha384", b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30", 48),
    ("sha512", b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40", 64),
];

impl Recovered {
    /// EM = 00 01 FF..FF 00 T, with at least eight FF.
    fn read(encoded: &[u8]) -> Option<Self> {
        let rest = encoded.strip_prefix(&[0, 1])?;
        let padding = rest.iter().take_while(|o| **o == 0xFF).count();
        let inside = rest.get(padding..)?.strip_prefix(&[0]).filter(|_| padding >= 8)?;
        let digest = PREFIXES.iter().find_map(|(algorithm, prefix)| {
            inside.strip_prefix(*prefix).and_then(|octets| Digest::new(*algorithm, octets).ok())
        });
        let foreign = || {
            let (name, octets) = FOREIGN.iter().find_map(|(name, prefix, length)| {
                inside.strip_prefix(*prefix).filter(|octets| octets.len() == *length).map(|octets| (*name, octets))
            })?;
            Some(Recovered::Foreign(name, octets.to_vec()))
        };
        let known = digest.map(Recovered::Digest).or_else(foreign);
        Some(known.unwrap_or_else(|| Recovered::Bare(inside.to_vec())))
    }
}

impl PublicKey {
    /// What this key signed to give these octets. `None`: the octets are no signature of this RSA key, or it is no RSA key.
    pub(crate) fn recovered(&self, signature: &[u8]) -> Option<Recovered> {
        Recovered::read(&self.encoded_message(signature)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_right_padding_is_read() {
        let digest = DigestAlgorithm::Sha256.of(b"a").unwrap();
        let whole = |padding: &[u8]| [&[0, 1], padding, &[0], PREFIXES[1].1, digest.octets()].concat();
        assert_eq!(Recovered::read(&whole(&[0xFF; 8])), Some(Recovered::Digest(digest.clone())));
        assert_eq!(Recovered::read(&whole(&[0xFF; 7])), None);
        assert_eq!(Recovered::read(&whole(&[0xFF, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])), None);
        assert_eq!(Recovered::read(&whole(&[0xFF; 8])[1..]), None);
        let bare = [&[0, 1][..], &[0xFF; 8], &[0], &[7; 20]].concat();
        assert_eq!(Recovered::read(&bare), Some(Recovered::Bare(vec![7; 20])));
        assert_eq!(Recovered::read(&bare[..10]), None);
        for (name, prefix, length) in FOREIGN {
            // The last octet of the DigestInfo's head is the length of what follows, and its second one that of all.
            assert_eq!(
                (usize::from(prefix[prefix.len() - 1]), usize::from(prefix[1])),
                (length, prefix.len() - 2 + length)
            );
            let named =
                |octets: &[u8]| Recovered::read(&[&[0, 1][..], &[0xFF; 8], &[0], prefix, octets].concat()).unwrap();
            assert_eq!(named(&vec![7; length]), Recovered::Foreign(name, vec![7; length]));
            assert!(matches!(named(&vec![7; length - 1]), Recovered::Bare(_)), "{name}");
        }
        assert_eq!(Recovered::read(&[]), None);
    }
}
