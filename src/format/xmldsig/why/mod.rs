//! Why a signature fails: the known ways to break one are tried, and only what then fits is named (manual::customs §1.5).
//!
//! Nothing is guessed: a cause is named because the octets without it give the claimed digest, or are what the value is a signature
//! over. The search is bounded (`body::MAX_TRIED`; a short list and `info::MAX_WRITTEN` for SignedInfo; `both::MAX_PROOFS`); where nothing
//! fits, nothing is said.

mod body;
mod both;
mod excerpt;
mod info;
mod pieces;
mod reach;
mod root;
mod spaces;

pub(super) use excerpt::quoted;
pub(super) use reach::the_value_is_right;
use uppsala::{Document, NodeId};

use super::canonical::Checked;
use super::identifiers::Set;
use crate::format::proof::Proof;
use crate::suite::DigestAlgorithm;
use crate::verify::{Finding, Place};

/// What is known of the digest by the time the value is looked at.
#[derive(Debug)]
pub(super) struct Digests<'d> {
    /// The algorithm of DigestMethod.
    pub(super) algorithm: Option<DigestAlgorithm>,
    /// DigestValue, where it can be read.
    pub(super) claimed: Option<Vec<u8>>,
    /// What the digest of the document is.
    pub(super) computed: Option<Vec<u8>>,
    /// What was found before, why the digest differs among it.
    pub(super) told: &'d [Finding],
}

/// Why the digest differs.
pub(super) fn of_digest(
    checked: &Checked<'_>,
    tree: &Document<'_>,
    signature: NodeId,
    claimed: (DigestAlgorithm, &[u8]),
    place: Option<Place>,
) -> Vec<Finding> {
    let mut causes = body::Search::new(checked, tree, signature, claimed, place).causes();
    reach::moved_up(tree, signature, &mut causes);
    causes
}

/// Why the value differs. `None` where no known reason fits.
pub(super) fn of_value(
    checked: &Checked<'_>,
    tree: &Document<'_>,
    node: NodeId,
    (set, digests): (Set, &Digests<'_>),
    proof: &Proof,
) -> Option<Vec<Finding>> {
    info::Info { checked, tree, node, set, digests }.causes(proof)
}

/// Why the value differs, where another DigestValue was signed than stands there and the document was changed as well: what makes both right.
/// `None` where no known reason fits.
pub(super) fn of_both(
    checked: &Checked<'_>,
    tree: &Document<'_>,
    node: NodeId,
    (set, digests): (Set, &Digests<'_>),
    proof: &Proof,
) -> Option<Vec<Finding>> {
    let causes = info::Info { checked, tree, node, set, digests }.with_another_digest(proof);
    causes.map(|mut causes| {
        reach::moved_up(tree, tree.parent(node).unwrap_or(node), &mut causes);
        causes
    })
}
