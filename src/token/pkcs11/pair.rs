//! Which private key belongs to a public key. CKA_ID and label are hints for the order in which keys are tried, never proof.

use std::collections::BTreeMap;

use cryptoki::object::{ObjectClass, ObjectHandle};

use super::objects::{Stated, View, same_key};
use crate::error::Result;
use crate::suite::PublicKey;
use crate::token::KeyShown;

/// How it is known that a private key belongs to the certificate. Ordered: the best comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proof {
    /// The private key object shows the public key itself.
    Shown,
    /// Its CKA_ID is that of a public object with the key. A signature has to prove it.
    Linked,
    /// Nothing is known of it. A signature has to prove it.
    Open,
    /// Its CKA_ID is that of a public object with another key. It is tried only where the token's ids have been shown to lie,
    /// and it does not see the document's digest before it is proven.
    Elsewhere,
}

/// A private key that may be the one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) key: ObjectHandle,
    pub(super) proof: Proof,
}

/// Private keys that may belong to `public`, the likeliest first. Keys that show another public key are left out.
///
/// # Errors
/// What the token answers.
pub(super) fn candidates(view: View<'_>, public: &PublicKey) -> Result<Vec<Candidate>> {
    let mut unknown = Vec::new();
    for key in view.find(ObjectClass::PRIVATE_KEY)? {
        if !view.may_sign(key, public.kind())? {
            continue;
        }
        match view.stated(key, public)? {
            Stated::Same => return Ok(vec![Candidate { key, proof: Proof::Shown }]),
            Stated::Other => {}
            Stated::Nothing => unknown.push(key),
        }
    }
    if unknown.is_empty() {
        return Ok(Vec::new());
    }
    let links = links(view, public)?;
    let mut found = Vec::new();
    for key in unknown {
        let proof = match links.get(&view.id(key)?) {
            Some(Stated::Same) => Proof::Linked,
            Some(Stated::Other) => Proof::Elsewhere,
            Some(Stated::Nothing) | None => Proof::Open,
        };
        found.push(Candidate { key, proof });
    }
    found.sort_by_key(|c| c.proof);
    Ok(found)
}

/// Whether the token shows, to whom is not logged in, that the key is in it: by a public key object that was made on it. Others are no proof.
/// Public objects can be written, and taken away, by every program that reaches the token, so neither that one is there says anything nor that
/// none is: a copy of a certificate is planted with its public key as easily as without.
///
/// # Errors
/// What the token answers.
pub(super) fn shown(view: View<'_>, public: &PublicKey) -> Result<KeyShown> {
    for object in view.find(ObjectClass::PUBLIC_KEY)? {
        if view.is_born_here(object, public)? {
            return Ok(KeyShown::Here);
        }
    }
    Ok(KeyShown::Untold)
}

/// What public objects say of each CKA_ID: public keys first, certificates for ids that no public key has. An id with which objects
/// of different keys are marked says nothing.
fn links(view: View<'_>, public: &PublicKey) -> Result<BTreeMap<Vec<u8>, Stated>> {
    let mut links = BTreeMap::new();
    for object in view.find(ObjectClass::PUBLIC_KEY)? {
        note(&mut links, view.id(object)?, view.stated(object, public)?);
    }
    let mut certified = BTreeMap::new();
    for object in view.certificates()? {
        let Ok(certificate) = object.certificate else { continue };
        let same = certificate.key().is_ok_and(|key| same_key(key, public));
        note(&mut certified, view.id(object.handle)?, if same { Stated::Same } else { Stated::Other });
    }
    for (id, stated) in certified {
        links.entry(id).or_insert(stated);
    }
    Ok(links)
}

fn note(links: &mut BTreeMap<Vec<u8>, Stated>, id: Vec<u8>, stated: Stated) {
    if stated == Stated::Nothing || id.is_empty() {
        return;
    }
    links
        .entry(id)
        .and_modify(|known| *known = if *known == stated { stated } else { Stated::Nothing })
        .or_insert(stated);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_two_different_keys_carry_says_nothing() {
        let mut links = BTreeMap::new();
        note(&mut links, vec![1], Stated::Same);
        note(&mut links, vec![1], Stated::Same);
        assert_eq!(links[&vec![1]], Stated::Same);
        note(&mut links, vec![1], Stated::Other);
        assert_eq!(links[&vec![1]], Stated::Nothing);
        note(&mut links, vec![], Stated::Same);
        assert_eq!(links.len(), 1);
    }
}
