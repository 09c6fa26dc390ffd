//! Signatures that do not verify: did the shield fail, or is the certificate another key's?
//!
//! One such signature does not tell: some key fits any r and s. Two that one and the same key made do, because what a faulty card or a bad
//! cable makes fits another key each time. Nothing is signed for that: it shows with the next signature that somebody wants anyway.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::cert::Fingerprint;
use crate::error::{Error, ErrorKind};
use crate::suite::{self, RawSignature, ToBeSigned};
use crate::wait::lock;

/// The last wrong signature of each certificate of a shield.
#[derive(Debug, Default)]
pub(crate) struct Doubts(Mutex<BTreeMap<Fingerprint, Wrong>>);

#[derive(Debug)]
struct Wrong {
    /// `None` once it is known who signs.
    signature: Option<Vec<u8>>,
    /// The points of which one made it.
    signers: Vec<Vec<u8>>,
}

impl Doubts {
    /// What `error` is for a signature that does not verify with the certificate `of`: `KeyMismatch` once another key is known to have made
    /// two of them. (P-256; of RSA two signatures do not tell the key.)
    pub(crate) fn judge(&self, of: Fingerprint, tbs: &ToBeSigned, signature: &RawSignature, error: Error) -> Error {
        if error.kind() != ErrorKind::SignatureWrong {
            return error;
        }
        let mut signers = suite::signers(tbs, signature);
        let octets = signature.octets().to_vec();
        let mut wrong = lock(&self.0);
        // The very same signature again says nothing new.
        let before = wrong.get(&of).filter(|before| before.signature.as_ref() != Some(&octets));
        let common = |before: &Wrong| before.signers.iter().find(|signer| signers.contains(signer)).cloned();
        if let Some(signer) = before.and_then(common) {
            signers = vec![signer];
            wrong.insert(of, Wrong { signature: None, signers });
            return Error::new(ErrorKind::KeyMismatch, error.operation())
                .detail("one other key made this signature and the one before it");
        }
        wrong.insert(of, Wrong { signature: Some(octets), signers });
        error
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::hazmat::PrehashSigner;
    use spki::EncodePublicKey;

    use super::*;
    use crate::suite::{PublicKey, Suite};

    fn public(key: &SigningKey) -> PublicKey {
        PublicKey::from_spki(key.verifying_key().to_public_key_der().unwrap().as_bytes()).unwrap()
    }

    fn sign(key: &SigningKey, tbs: &ToBeSigned) -> RawSignature {
        let signature: p256::ecdsa::Signature = key.sign_prehash(tbs.digest.octets()).unwrap();
        RawSignature::new(Suite::P256Sha256, signature.to_bytes().to_vec()).unwrap()
    }

    #[test]
    fn another_key_is_named_at_the_second_signature_and_a_faulty_card_is_not_taken_for_one() {
        let [own, other] = [7, 8].map(|n| SigningKey::from_slice(&[n; 32]).unwrap());
        let key = public(&own);
        let of = Fingerprint::parse(&"ab".repeat(32)).unwrap();
        let tbs = |text: &str| ToBeSigned::over(Suite::P256Sha256, &key, text.as_bytes()).unwrap();
        let judge = |doubts: &Doubts, tbs: &ToBeSigned, signature: &RawSignature| {
            doubts.judge(of, tbs, signature, key.verify(tbs, signature).unwrap_err()).kind()
        };
        let (one, two) = (tbs("one"), tbs("two"));

        let mismatched = Doubts::default();
        assert_eq!(judge(&mismatched, &one, &sign(&other, &one)), ErrorKind::SignatureWrong);
        assert_eq!(judge(&mismatched, &one, &sign(&other, &one)), ErrorKind::SignatureWrong, "the same again");
        assert_eq!(judge(&mismatched, &two, &sign(&other, &two)), ErrorKind::KeyMismatch);
        assert_eq!(judge(&mismatched, &one, &sign(&other, &one)), ErrorKind::KeyMismatch);

        let faulty = Doubts::default();
        for (n, text) in ["one", "two", "three", "four"].into_iter().enumerate() {
            let mut octets = sign(&own, &tbs(text)).octets().to_vec();
            octets[40 + n] ^= 1;
            let flipped = RawSignature::new(Suite::P256Sha256, octets).unwrap();
            assert_eq!(judge(&faulty, &tbs(text), &flipped), ErrorKind::SignatureWrong, "{text}");
        }
    }

    #[test]
    fn the_key_that_made_a_signature_is_among_its_signers() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let tbs = ToBeSigned::over(Suite::P256Sha256, &public(&key), b"one").unwrap();
        let signers = suite::signers(&tbs, &sign(&key, &tbs));
        assert!((2..=4).contains(&signers.len()) && signers.contains(&public(&key).point().unwrap()));
    }
}
