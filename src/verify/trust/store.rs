//! What a verifier is given to judge a chain with.

use std::sync::Arc;

use crate::cert::{Certificate, Crl};

/// Anchors, certificates of authorities between them and signers, and revocation lists.
///
/// Anchors are trusted in themselves. The certificates between are trusted in nothing: they only help to build a chain, and so does what a
/// document brings along.
#[derive(Debug, Clone, Default)]
pub struct Store {
    pub(super) anchors: Vec<Arc<Certificate>>,
    pub(super) between: Vec<Arc<Certificate>>,
    pub(super) crls: Vec<Arc<Crl>>,
    pub(super) revocation: bool,
    /// Anchors, then the others: those whose keys may have signed.
    pub(super) known: Vec<Arc<Certificate>>,
}

impl Store {
    /// A store with these anchors: roots, or whatever else the caller trusts.
    #[must_use]
    pub fn new(anchors: Vec<Arc<Certificate>>) -> Self {
        Store { known: anchors.clone(), anchors, ..Store::default() }
    }

    /// Adds certificates of authorities that stand between.
    #[must_use]
    pub fn between(mut self, certificates: Vec<Arc<Certificate>>) -> Self {
        self.known.extend(certificates.iter().cloned());
        self.between.extend(certificates);
        self
    }

    /// Adds revocation lists. Where there is one, each certificate of a chain but the anchor must be covered by a current list: what nobody
    /// says anything about is not taken for unrevoked. What a list revokes that is out of date stays revoked until a later list says otherwise.
    /// A list counts by the key that signed it, under each certificate of that key: none that a document brings along frees a signer that is revoked.
    #[must_use]
    pub fn crls(mut self, crls: Vec<Arc<Crl>>) -> Self {
        self.revocation = self.revocation || !crls.is_empty();
        self.crls.extend(crls);
        self
    }

    /// Asks for revocation lists even where none was given: then no chain is accepted.
    #[must_use]
    pub fn with_revocation(mut self) -> Self {
        self.revocation = true;
        self
    }
}
