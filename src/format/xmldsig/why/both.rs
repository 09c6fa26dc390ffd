//! A document that was changed, and its DigestValue as well: the value tells which digest was signed.

use std::cell::{Cell, RefCell};

use base64ct::{Base64, Encoding};

use uppsala::NodeId;

use super::body::Search;
use super::info::{Info, MAX_WRITTEN, part_of, prefix_of, with_digest};
use super::root::RootEdit;
use crate::format::proof::{Proof, Way};
use crate::suite::Suite;
use crate::verify::Finding;

/// SignedInfos that a value of SM2 or P-256 is proved over: each is work. What RSA signed is known, and is only compared.
const MAX_PROOFS: usize = 64;

impl Info<'_> {
    /// The document is written in each known other way, and SignedInfo as it stands with the digest of each.
    pub(super) fn with_another_digest(&self, proof: &Proof) -> Option<Vec<Finding>> {
        let found = self.canonical()?;
        let algorithm = self.digests.algorithm?;
        // RSA without a way is no signature of this key, whatever it should be over.
        if found.len() > MAX_WRITTEN || proof.ways().is_empty() {
            return None;
        }
        let proofs = Cell::new(0_usize);
        let right = |signed_info: &str| match proof.suite() {
            Suite::Sm2Sm3 | Suite::P256Sha256 => {
                proofs.set(proofs.get().saturating_add(1));
                proofs.get() <= MAX_PROOFS && proof.is_over(signed_info.as_bytes())
            }
            _ => proof.way(signed_info.as_bytes()) == Some(Way::Right),
        };
        let signed = RefCell::new(String::new());
        let fits = |digest: &[u8], root: Option<&RootEdit>| {
            let digest = Base64::encode_string(digest);
            let here = root.map_or_else(|| Some(found.clone()), |root| self.with_root(root, &found));
            let is_it = here.and_then(|info| with_digest(&info, &digest)).is_some_and(|info| right(&info));
            if is_it {
                signed.replace(digest);
            }
            is_it
        };
        let signature = self.tree.parent(self.node)?;
        let mut findings = Search::with(self.checked, self.tree, signature, algorithm, &fits).changes()?;
        findings.push(self.changed("DigestValue", &signed.into_inner(), &part_of(&found, "DigestValue")));
        Some(findings)
    }

    /// SignedInfo as it is once the document element is edited: what a nearer element declares hides that, and the Signature keeps the
    /// prefix that it uses ([`super::reach::moved_up`]).
    fn with_root(&self, edit: &RootEdit, found: &str) -> Option<String> {
        let mut edit = edit.clone();
        let root = self.tree.document_element();
        let reaches = |holder: Option<NodeId>| holder == root || holder.is_none();
        edit.remove.retain(|declaration| reaches(self.declares(declaration)) && declaration.0 != prefix_of(found));
        edit.add.retain(|declaration| reaches(self.declares(declaration)));
        edit.attributes.retain(|attribute| self.is_of_root(attribute));
        let (start, rest) = found.split_at_checked(found.find('>')?.saturating_add(1))?;
        Some(edit.apply(start).unwrap_or_else(|| start.to_owned()) + rest)
    }
}
