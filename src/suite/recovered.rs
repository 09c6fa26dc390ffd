//! What an RSA signature was made over, as its own octets tell: a verifier that explains can name it, and says for sure whose it is not.

use super::{Digest, DigestAlgorithm, PublicKey};

/// What stands in a PKCS#1 v1.5 signature (RFC 8017 §9.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// A digest with its algorithm.
    Digest(Digest),
    /// Octets that are no DigestInfo: somebody signed a digest as it was.
    Bare(Vec<u8>),
}

/// DigestInfo up to the digest (RFC 8017 §9.2, note 1).
const PREFIXES: [(DigestAlgorithm, &[u8]); 2] = [
    (DigestAlgorithm::Sha1, b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14"),
    (DigestAlgorithm::Sha256, b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"),
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
        Some(digest.map_or_else(|| Recovered::Bare(inside.to_vec()), Recovered::Digest))
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
        assert_eq!(Recovered::read(&[]), None);
    }
}
