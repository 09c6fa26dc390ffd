//! A signature value that can be tried on octets, and the known ways in which one is made wrongly (manual::customs §1.4).

use std::sync::Arc;

use crate::cert::Certificate;
use crate::error::Result;
use crate::suite::{
    Digest, DigestAlgorithm, Hasher, KeyKind, PublicKey, RawSignature, Recovered, SM2_DEFAULT_ID, Sm2Id, Suite,
    ToBeSigned, hex,
};
use crate::verify::{Finding, FindingKind, Words};

/// Certificates whose keys are tried for each suite where the one that should have signed did not.
const MAX_OTHERS: usize = 8;

/// How ECDSA and SM2 values are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// r and s, 32 octets each.
    Raw,
    /// DER (RFC 3279 §2.2.3).
    Der,
    /// Both are taken.
    Either,
}

/// Reads a value of `key` in the form that is wanted, or in the other one, with the finding that says so.
///
/// # Errors
/// The finding that it is neither: with the length that a value of this key has, and the one that was found.
pub(super) fn read(
    key: &PublicKey,
    suite: Suite,
    octets: &[u8],
    form: Form,
) -> std::result::Result<(RawSignature, Option<Finding>), Box<Finding>> {
    let raw = RawSignature::new(suite, octets.to_vec()).ok();
    if !matches!(suite, Suite::P256Sha256 | Suite::Sm2Sm3) {
        // RFC 8017 §8.2.2, step 1: as long as the modulus, neither shorter nor longer.
        let size = key.modulus().map(|n| n.len());
        let raw = raw.filter(|raw| size.is_none_or(|size| size == raw.octets().len()));
        return raw.map(|raw| (raw, None)).ok_or_else(|| unreadable(key.kind(), octets));
    }
    let der = RawSignature::from_wire(suite, octets).ok();
    let told =
        |kind, expected: (&str, &str), found: (String, String)| Some(Finding::new(kind).compared(expected, found));
    let length = octets.len();
    match (raw, der, form) {
        (Some(raw), _, Form::Raw | Form::Either) => Ok((raw, None)),
        (_, Some(der), Form::Der | Form::Either) => Ok((der, None)),
        (None, Some(der), Form::Raw) => {
            let found = (format!("{length} octets, DER"), format!("{length} 字节的 DER"));
            Ok((der, told(FindingKind::DerForRaw, ("r and s, 64 octets", "r 与 s，64 字节"), found)))
        }
        (Some(raw), None, Form::Der) => {
            let found = ("r and s, 64 octets".to_owned(), "r 与 s，64 字节".to_owned());
            Ok((raw, told(FindingKind::RawForDer, ("DER", "DER"), found)))
        }
        (None, None, _) => Err(unreadable(key.kind(), octets)),
    }
}

/// What values of keys look like that are not of this type. Only the usual lengths of RSA are taken for RSA: 128 octets may also be r and s of 64 each,
/// as SKF (GM/T 0016) has them.
fn other_type(kind: KeyKind, octets: &[u8]) -> Option<(&'static str, &'static str)> {
    let is_rsa = matches!(kind, KeyKind::Rsa { .. });
    let of_curve =
        |suite| RawSignature::new(suite, octets.to_vec()).is_ok() || RawSignature::from_wire(suite, octets).is_ok();
    if is_rsa && [Suite::P256Sha256, Suite::Sm2Sm3].into_iter().any(of_curve) {
        return Some(("as SM2 and P-256 have", "为 SM2、P-256 签名值的形式"));
    }
    (!is_rsa && matches!(octets.len(), 256 | 384 | 512)).then_some(("as RSA has", "为 RSA 签名值的长度"))
}

fn unreadable(kind: KeyKind, octets: &[u8]) -> Box<Finding> {
    let length = octets.len();
    let expected = match kind {
        KeyKind::Rsa { bits } => {
            let size = bits.div_ceil(8);
            (format!("a value of {kind}, {size} octets"), format!("{kind} 签名值，{size} 字节"))
        }
        _ => (format!("a value of {kind}: r and s, 64 octets or DER"), format!("{kind} 签名值：r 与 s，64 字节或 DER")),
    };
    let found = match other_type(kind, octets) {
        Some((english, chinese)) => (format!("{length} octets, {english}"), format!("{length} 字节，{chinese}")),
        None if !matches!(kind, KeyKind::Rsa { .. }) && length == 64 => {
            ("64 octets that are no r and s of this curve".to_owned(), "64 字节，但不是该曲线的 r 与 s".to_owned())
        }
        None => (format!("{length} octets"), format!("{length} 字节")),
    };
    Box::new(Finding::new(FindingKind::SignatureUnreadable).compared(expected, found))
}

/// The finding of [`read`] where nothing beside the value names an algorithm: one that another type of key makes says that the certificate is
/// of the wrong type.
pub(super) fn mismatch(finding: Finding, kind: KeyKind, octets: &[u8]) -> Finding {
    match other_type(kind, octets) {
        Some(_) => Finding { kind: FindingKind::KeyMismatch, ..finding },
        None => finding,
    }
}

/// The certificate among `known`, other than `own`, whose key made the value: `tried` says what it is over. The value may be of any of `suites`.
pub(super) fn other_signer<T>(
    value: &[u8],
    suites: &[Suite],
    id: &Sm2Id,
    own: &Certificate,
    known: &[Arc<Certificate>],
    tried: impl Fn(&Proof) -> Option<T>,
) -> Option<(Finding, T)> {
    let proofs = |suite: &Suite| {
        let suite = *suite;
        let others = known.iter().filter(|other| other.der() != own.der());
        let keys = others.filter_map(move |other| Some((other, other.key().ok().filter(|k| suite.fits(k.kind()))?)));
        keys.take(MAX_OTHERS).filter_map(move |(other, key)| {
            let (signature, _) = read(key, suite, value, Form::Either).ok()?;
            Some((other, Proof::new(key, signature, id)))
        })
    };
    let (signer, tried) = suites.iter().flat_map(proofs).find_map(|(other, proof)| Some((other, tried(&proof)?)))?;
    let number =
        |c: &Certificate| (format!("the key of certificate {}", c.number()), format!("证书 {} 的密钥", c.number()));
    Some((Finding::new(FindingKind::KeyNotSigner).compared(number(own), number(signer)), tried))
}

/// How a signature was made over octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As the suite has it.
    Right,
    /// SM2 over SM3 of the octets alone.
    Sm2WithoutZ,
    /// SM2 with Z of an empty identifier.
    Sm2EmptyId,
    /// SM2 with Z of the default identifier, where another was agreed.
    Sm2DefaultId,
    /// SM2 over SM3 of the whole inner ContentInfo of a CMS message without Z: GmSSL 3 makes it so.
    Sm2ContentInfo,
    /// RSA with another hash.
    OtherHash(DigestAlgorithm),
    /// RSA over the digest as it is, without a DigestInfo.
    BareDigest(DigestAlgorithm),
}

impl Way {
    /// The finding for a way that is not the right one, of a value that `proof` was to prove.
    pub(super) fn finding(self, proof: &Proof) -> Option<Finding> {
        let asked = proof.suite().digest();
        // Another identifier may be a mail address or an account: it is not shown.
        let expected = match proof.sm2_id.is_default() {
            true => ("SM3 with Z of 1234567812345678", "含 Z 值的 SM3，标识 1234567812345678"),
            false => ("SM3 with Z of the agreed identifier", "含 Z 值的 SM3，使用约定的标识"),
        };
        let sm2 = |kind, found: (&str, &str)| Some(Finding::new(kind).compared(expected, found));
        match self {
            Way::Right => None,
            Way::Sm2WithoutZ => sm2(FindingKind::Sm2WithoutZ, ("SM3 without Z", "不含 Z 值的 SM3")),
            Way::Sm2EmptyId => {
                sm2(FindingKind::Sm2EmptyId, ("SM3 with Z of an empty identifier", "Z 值使用空标识的 SM3"))
            }
            Way::Sm2DefaultId => {
                let found = (
                    "SM3 with Z of the default identifier 1234567812345678",
                    "Z 值使用默认标识 1234567812345678 的 SM3",
                );
                sm2(FindingKind::OtherHash, found)
            }
            Way::Sm2ContentInfo => {
                let found = (
                    "SM3 of the whole ContentInfo without Z, as GmSSL 3 makes it",
                    "对整个 ContentInfo 的 SM3，不含 Z 值（GmSSL 3 的做法）",
                );
                sm2(FindingKind::OtherHash, found)
            }
            Way::OtherHash(found) => Some(Finding::new(FindingKind::OtherHash).compared(asked.name(), found.name())),
            Way::BareDigest(found) => Some(Finding::new(FindingKind::OtherHash).compared(
                (format!("DigestInfo of {}", asked.name()), format!("{} 的 DigestInfo", asked.name())),
                (format!("the octets of {} alone", found.name()), format!("仅 {} 摘要字节", found.name())),
            )),
        }
    }
}

/// How a digest begins.
#[derive(Debug, Clone)]
pub(super) struct Start {
    algorithm: DigestAlgorithm,
    before: Vec<u8>,
}

impl Start {
    /// SM3 that begins with these octets.
    pub(super) fn sm3(before: Vec<u8>) -> Self {
        Start { algorithm: DigestAlgorithm::Sm3, before }
    }

    /// A hasher that has seen the beginning.
    pub(super) fn fresh(&self) -> Result<Hasher> {
        let mut hasher = self.algorithm.hasher()?;
        hasher.update(&self.before);
        Ok(hasher)
    }
}

/// A value with the key that it should be of.
#[derive(Debug)]
pub(super) struct Proof {
    key: PublicKey,
    signature: RawSignature,
    /// The identifier that is expected in Z, for SM2.
    sm2_id: Sm2Id,
    recovered: Option<Recovered>,
}

impl Proof {
    pub(super) fn new(key: &PublicKey, signature: RawSignature, sm2_id: &Sm2Id) -> Self {
        let recovered = key.recovered(signature.octets());
        Proof { key: key.clone(), signature, sm2_id: sm2_id.clone(), recovered }
    }

    pub(super) fn suite(&self) -> Suite {
        self.signature.suite()
    }

    /// r‖s, or the RSA octets.
    pub(super) fn octets(&self) -> &[u8] {
        self.signature.octets()
    }

    /// Whether this is the key's signature over `message`, as its suite has it.
    pub(super) fn is_over(&self, message: &[u8]) -> bool {
        ToBeSigned::over_with(self.suite(), &self.key, &self.sm2_id, message)
            .is_ok_and(|tbs| self.key.verify(&tbs, &self.signature).is_ok())
    }

    /// Whether this is the key's signature over a digest, as its suite has it.
    pub(super) fn is_over_digest(&self, digest: &Digest) -> bool {
        self.key.verify(&ToBeSigned::of(self.suite(), digest.clone(), &self.sm2_id), &self.signature).is_ok()
    }

    /// How the signature was made over `message`, if it was.
    pub(super) fn way(&self, message: &[u8]) -> Option<Way> {
        if self.suite() == Suite::Sm2Sm3 {
            return if self.is_over(message) { Some(Way::Right) } else { self.way_of_z(message) };
        }
        let Some(recovered) = &self.recovered else {
            // An RSA value tells by itself that this key did not make it.
            let is_open = !matches!(self.suite(), Suite::RsaSha1 | Suite::RsaSha256);
            return (is_open && self.is_over(message)).then_some(Way::Right);
        };
        let asked = self.suite().digest();
        match recovered {
            Recovered::Digest(digest) => {
                let algorithm = digest.algorithm();
                let same = algorithm.of(message).is_ok_and(|made| made == *digest);
                same.then_some(if algorithm == asked { Way::Right } else { Way::OtherHash(algorithm) })
            }
            Recovered::Bare(octets) => [DigestAlgorithm::Sha1, DigestAlgorithm::Sha256]
                .into_iter()
                .find(|a| a.of(message).is_ok_and(|made| made.octets() == octets.as_slice()))
                .map(Way::BareDigest),
            Recovered::Foreign(..) => None,
        }
    }

    /// Whether the value is one over `message`: the inner `None` says as its suite has it, a finding in which other way.
    pub(super) fn made(&self, message: &[u8]) -> Option<Option<Finding>> {
        self.way(message).map(|way| way.finding(self))
    }

    /// That the value is wrong over `message`, with what is known of it: for RSA what the key signed in place of that.
    pub(super) fn wrong(&self, message: &[u8]) -> Finding {
        let digest = self.suite().digest().of(message).map(|d| format!("{} {}", d.algorithm().name(), d.hex()));
        self.wrong_digest(&digest.unwrap_or_default())
    }

    /// The same, where the digest is known.
    pub(super) fn wrong_digest(&self, digest: &str) -> Finding {
        let finding = Finding::new(FindingKind::SignatureWrong);
        match self.told() {
            Some(told) => finding.compared((format!("a signature over {digest}"), format!("对 {digest} 的签名")), told),
            None => finding.compared(
                (format!("a signature of this {} key", self.key.kind()), format!("该 {} 密钥的签名", self.key.kind())),
                ("a value that is none over these octets", "对这些字节不成立的签名值"),
            ),
        }
    }

    /// The ways that a digest over a stream can be tried in, each with its hasher, the right one first.
    pub(super) fn ways(&self) -> Vec<(Way, Start)> {
        let asked = self.suite().digest();
        let plain = |algorithm| Start { algorithm, before: Vec::new() };
        match (&self.recovered, self.suite()) {
            (_, Suite::Sm2Sm3) => {
                let right = self.key.z(&self.sm2_id).ok().map(|z| (Way::Right, z.octets().to_vec()));
                right.into_iter().chain(self.other_z()).map(|(way, before)| (way, Start::sm3(before))).collect()
            }
            (Some(Recovered::Digest(digest)), _) if digest.algorithm() == asked => vec![(Way::Right, plain(asked))],
            (Some(Recovered::Digest(digest)), _) => {
                vec![(Way::OtherHash(digest.algorithm()), plain(digest.algorithm()))]
            }
            (Some(Recovered::Bare(octets)), _) => [DigestAlgorithm::Sha1, DigestAlgorithm::Sha256]
                .into_iter()
                .filter(|a| a.length() == octets.len())
                .map(|a| (Way::BareDigest(a), plain(a)))
                .collect(),
            (None, Suite::P256Sha256) => vec![(Way::Right, plain(asked))],
            (Some(Recovered::Foreign(..)) | None, _) => Vec::new(),
        }
    }

    /// Whether the value is one over this digest, in whatever way of [`Proof::ways`] it was made.
    pub(super) fn is_made_over(&self, digest: &Digest) -> bool {
        match &self.recovered {
            Some(Recovered::Digest(signed)) => signed == digest,
            Some(Recovered::Bare(signed)) => signed == digest.octets(),
            Some(Recovered::Foreign(..)) => false,
            None => self.is_over_digest(digest),
        }
    }

    /// What programs are known to put in the place of Z: nothing, Z of an empty identifier, Z of the default one where another was agreed.
    fn other_z(&self) -> Vec<(Way, Vec<u8>)> {
        let z = |way, id: &str| self.key.z(id).ok().map(|z| (way, z.octets().to_vec()));
        let default = if self.sm2_id.is_default() { None } else { z(Way::Sm2DefaultId, SM2_DEFAULT_ID) };
        std::iter::once((Way::Sm2WithoutZ, Vec::new())).chain(z(Way::Sm2EmptyId, "")).chain(default).collect()
    }

    /// With what in the place of Z the value is one over `message`.
    fn way_of_z(&self, message: &[u8]) -> Option<Way> {
        let right = |z: &[u8]| {
            let digest = DigestAlgorithm::Sm3.of(&[z, message].concat());
            digest.is_ok_and(|d| self.is_made_over(&d))
        };
        self.other_z().into_iter().find(|(_, z)| right(z)).map(|(way, _)| way)
    }

    /// What the value tells by itself: for RSA whether this key made it, and over which digest.
    fn told(&self) -> Option<Words> {
        if !matches!(self.suite(), Suite::RsaSha1 | Suite::RsaSha256) {
            return None;
        }
        Some(match &self.recovered {
            None => (
                "no signature of this RSA key at all: another key made it, or it was changed",
                "不是该 RSA 密钥产生的签名：由其他密钥产生，或已被修改",
            )
                .into(),
            Some(Recovered::Digest(digest)) => {
                let digest = format!("{} {}", digest.algorithm().name(), digest.hex());
                (format!("this key signed {digest}"), format!("该密钥所签摘要为 {digest}")).into()
            }
            Some(Recovered::Foreign(name, octets)) => {
                let digest = format!("{name} {}", hex(octets));
                (format!("this key signed {digest}"), format!("该密钥所签摘要为 {digest}")).into()
            }
            Some(Recovered::Bare(octets)) => {
                let length = octets.len();
                (
                    format!("this key signed {length} octets that are no DigestInfo"),
                    format!("该密钥所签为 {length} 字节，不是 DigestInfo"),
                )
                    .into()
            }
        })
    }
}
