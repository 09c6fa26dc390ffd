//! Digests of the suites, from their libraries.

use std::fmt;

use sha2::Digest as _;

use crate::error::{Error, ErrorKind, Result};

/// A digest algorithm that a suite uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// SHA-1 (FIPS 180-4), 20 octets: the old customs profile alone.
    Sha1,
    /// SHA-256 (FIPS 180-4), 32 octets.
    Sha256,
    /// SM3 (GB/T 32905), 32 octets.
    Sm3,
}

impl DigestAlgorithm {
    /// Its name in receipts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            DigestAlgorithm::Sha1 => "sha1",
            DigestAlgorithm::Sha256 => "sha256",
            DigestAlgorithm::Sm3 => "sm3",
        }
    }

    /// Its length in octets.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            DigestAlgorithm::Sha1 => 20,
            DigestAlgorithm::Sha256 | DigestAlgorithm::Sm3 => 32,
        }
    }

    /// Starts hashing.
    ///
    /// # Errors
    /// `Unsupported` where this build has left the algorithm out.
    pub fn hasher(self) -> Result<Hasher> {
        match self {
            DigestAlgorithm::Sha256 => Ok(Hasher(State::Sha256(sha2::Sha256::new()))),
            #[cfg(feature = "rsa")]
            DigestAlgorithm::Sha1 => Ok(Hasher(State::Sha1(sha1::Sha1::new()))),
            #[cfg(feature = "sm")]
            DigestAlgorithm::Sm3 => Ok(Hasher(State::Sm3(sm3::Sm3::new()))),
            #[cfg(not(all(feature = "rsa", feature = "sm")))]
            other => Err(Error::new(ErrorKind::Unsupported, "digest")
                .detail(format!("{} is not part of this build", other.name()))),
        }
    }

    /// Hashes octets at once.
    ///
    /// # Errors
    /// As [`DigestAlgorithm::hasher`].
    pub fn of(self, octets: &[u8]) -> Result<Digest> {
        let mut hasher = self.hasher()?;
        hasher.update(octets);
        Ok(hasher.finish())
    }
}

#[derive(Clone)]
enum State {
    Sha256(sha2::Sha256),
    #[cfg(feature = "rsa")]
    Sha1(sha1::Sha1),
    #[cfg(feature = "sm")]
    Sm3(sm3::Sm3),
}

/// A digest under way.
#[derive(Clone)]
pub struct Hasher(State);

impl Hasher {
    /// Adds octets.
    pub fn update(&mut self, octets: &[u8]) {
        match &mut self.0 {
            State::Sha256(h) => h.update(octets),
            #[cfg(feature = "rsa")]
            State::Sha1(h) => h.update(octets),
            #[cfg(feature = "sm")]
            State::Sm3(h) => h.update(octets),
        }
    }

    /// Ends it.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(h) => Digest { algorithm: DigestAlgorithm::Sha256, octets: h.finalize().to_vec() },
            #[cfg(feature = "rsa")]
            State::Sha1(h) => Digest { algorithm: DigestAlgorithm::Sha1, octets: h.finalize().to_vec() },
            #[cfg(feature = "sm")]
            State::Sm3(h) => Digest { algorithm: DigestAlgorithm::Sm3, octets: h.finalize().to_vec() },
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

/// A digest with its algorithm; the length always fits.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest {
    algorithm: DigestAlgorithm,
    octets: Vec<u8>,
}

impl Digest {
    /// Takes a digest that was computed elsewhere.
    ///
    /// # Errors
    /// `Argument` when the length is not the algorithm's.
    pub fn new(algorithm: DigestAlgorithm, octets: &[u8]) -> Result<Self> {
        if octets.len() == algorithm.length() {
            Ok(Digest { algorithm, octets: octets.to_vec() })
        } else {
            Err(Error::new(ErrorKind::Argument, "digest").detail(format!(
                "{} octets, but {} has {}",
                octets.len(),
                algorithm.name(),
                algorithm.length()
            )))
        }
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// The octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Lower-case hex.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(&self.octets)
    }
}

/// Lower-case hex.
pub(crate) fn hex(octets: &[u8]) -> String {
    use fmt::Write;
    octets.iter().fold(String::new(), |mut text, o| {
        let _ = write!(text, "{o:02x}");
        text
    })
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex())
    }
}
