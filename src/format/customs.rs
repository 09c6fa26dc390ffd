//! What the formats of customs have in common: the suite and the notes of all; the signature value of announcement 179 and of
//! login (manual::customs §1.4, §2.2, §3).

use base64ct::{Base64, Encoding};

use super::SignContext;
use crate::error::{Error, ErrorKind, Result};
use crate::note::Note;
use crate::role::Role;
use crate::suite::{
    Digest, DigestAlgorithm, KeyKind, PublicKey, RawSignature, SM2_DEFAULT_ID, Sm2Id, Suite, ToBeSigned,
};
use crate::verify::{Finding, FindingKind, Report, VerifyContext};

/// Refuses another identifier in Z than the one that customs has (manual::customs §1.4), whatever the key: who names one expects it to be used.
pub(super) fn identifier(id: &Sm2Id, operation: &'static str) -> Result<()> {
    match id.is_default() {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::UnsupportedByCustoms, operation)
            .detail(format!("SM2 with another identifier than {SM2_DEFAULT_ID}"))),
    }
}

/// The suite of a customs signature: RSA with SHA-1, SM2 with SM3; under a test profile also what customs has no use for.
pub(super) fn suite(key: KeyKind, context: &SignContext, operation: &'static str) -> Result<Suite> {
    identifier(&context.sm2_id, operation).map_err(|e| e.role(context.role))?;
    let refuse = |kind| Err(Error::new(kind, operation).role(context.role).detail(key.to_string()));
    let not_offered = |kind| {
        let offered = crate::suite::names(&context.suites);
        Err(Error::new(kind, operation).role(context.role).detail(format!("{key}; the token offers {offered}")))
    };
    let suite = match key {
        KeyKind::Rsa { .. } if context.sha1 => Suite::RsaSha1,
        KeyKind::Sm2 => Suite::Sm2Sm3,
        KeyKind::Rsa { .. } if context.test => Suite::RsaSha256,
        KeyKind::P256 if context.test => Suite::P256Sha256,
        _ => return refuse(ErrorKind::UnsupportedByCustoms),
    };
    if !suite.fits(key) {
        return refuse(ErrorKind::KeyUnsuited);
    }
    match context.suites.contains(&suite) {
        true => Ok(suite),
        false if suite == Suite::Sm2Sm3 => not_offered(ErrorKind::Unsupported),
        false => not_offered(ErrorKind::KeyUnsuited),
    }
}

/// What the receipt shall say of a suite and key.
pub(super) fn notes(key: KeyKind, suite: Suite, role: Role) -> Vec<Note> {
    let mut notes = Vec::new();
    if let KeyKind::Rsa { bits } = key
        && bits < 2048
    {
        notes.push(Note::WeakKey { bits });
    }
    if suite == Suite::RsaSha1 {
        notes.push(Note::Sha1);
    }
    if role == Role::Customs && !matches!(suite, Suite::RsaSha1 | Suite::Sm2Sm3) {
        notes.push(Note::TestProfile);
    }
    notes
}

/// The value as customs wants it: base64 of r‖s or of the RSA octets, never DER.
pub(super) fn value(signature: &RawSignature, suite: Suite, operation: &'static str) -> Result<String> {
    if signature.suite() != suite {
        return Err(Error::new(ErrorKind::SignatureMalformed, operation)
            .detail(format!("{} where {suite} was prepared", signature.suite())));
    }
    Ok(Base64::encode_string(signature.octets()))
}

/// The octets of a signature that was given as base64 text, wrapped or not, or as octets.
fn octets(given: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = given.iter().copied().filter(|o| !o.is_ascii_whitespace()).collect();
    let decoded = std::str::from_utf8(&text).ok().and_then(|text| Base64::decode_vec(text).ok());
    decoded.unwrap_or_else(|| given.to_vec())
}

/// A signature that can be tried on messages. What stands in the way of that is added to the report.
#[derive(Debug)]
pub(super) struct Judge {
    key: PublicKey,
    sm2_id: Sm2Id,
    signatures: Vec<RawSignature>,
}

impl Judge {
    /// Judges the context's certificate, and reads the signature with its key.
    ///
    /// `der_too` takes ECDSA and SM2 signatures in DER beside r‖s. `suites` are those that may have been used.
    pub(super) fn open(
        report: &mut Report,
        given: Option<&[u8]>,
        context: &VerifyContext,
        suites: &[Suite],
        der_too: bool,
    ) -> Option<Self> {
        let Some(certificate) = &context.certificate else {
            report.add(Finding::new(FindingKind::CertificateMissing));
            return None;
        };
        report.judge_certificate(certificate, context);
        let Some(given) = given else {
            report.add(Finding::new(FindingKind::NoSignature));
            return None;
        };
        let key = match certificate.key() {
            Ok(key) => key.clone(),
            Err(error) => {
                let detail = error.what().unwrap_or_default();
                report.add(Finding::new(FindingKind::CertificateUnreadable).detail(detail));
                return None;
            }
        };
        let fitting: Vec<Suite> = suites.iter().copied().filter(|s| s.fits(key.kind())).collect();
        if fitting.is_empty() {
            report.add(Finding::new(FindingKind::KeyMismatch).detail(key.kind().to_string()));
            return None;
        }
        let octets = octets(given);
        let read = |suite: Suite| {
            let raw = RawSignature::new(suite, octets.clone());
            raw.or_else(|e| if der_too { RawSignature::from_wire(suite, &octets) } else { Err(e) }).ok()
        };
        let signatures: Vec<RawSignature> = fitting.iter().copied().filter_map(read).collect();
        if signatures.is_empty() {
            let der = fitting.iter().any(|s| {
                matches!(s, Suite::P256Sha256 | Suite::Sm2Sm3) && RawSignature::from_wire(*s, &octets).is_ok()
            });
            let detail = match der {
                true => "DER; customs takes r and s as 64 octets".to_owned(),
                false => format!("{} octets", octets.len()),
            };
            report.add(Finding::new(FindingKind::SignatureUnreadable).detail(detail));
            return None;
        }
        Some(Judge { key, sm2_id: context.sm2_id.clone(), signatures })
    }

    /// The suite with which the signature is this key's over `message`.
    pub(super) fn fits(&self, message: &[u8]) -> Option<Suite> {
        let right = |s: &&RawSignature| {
            let tbs = ToBeSigned::over_with(s.suite(), &self.key, &self.sm2_id, message);
            tbs.is_ok_and(|tbs| self.key.verify(&tbs, s).is_ok())
        };
        self.signatures.iter().find(right).map(RawSignature::suite)
    }

    /// The suite with which the signature is this key's over a digest.
    pub(super) fn fits_digest(&self, digest: &Digest) -> Option<Suite> {
        let right = |s: &&RawSignature| {
            let tbs = ToBeSigned::of(s.suite(), digest.clone(), &self.sm2_id);
            s.suite().digest() == digest.algorithm() && self.key.verify(&tbs, s).is_ok()
        };
        self.signatures.iter().find(right).map(RawSignature::suite)
    }

    /// How the signature was made over `message`, where it was made with a hash that customs does not ask for.
    pub(super) fn other_hash(&self, message: &[u8]) -> Option<&'static str> {
        self.signatures.iter().find_map(|signature| match signature.suite() {
            Suite::Sm2Sm3 => self.other_z(message, signature),
            Suite::RsaSha1 => {
                let other = RawSignature::new(Suite::RsaSha256, signature.octets().to_vec()).ok()?;
                let tbs = ToBeSigned::over(Suite::RsaSha256, &self.key, message).ok()?;
                self.key.verify(&tbs, &other).is_ok().then_some("SHA-256, where customs asks for SHA-1")
            }
            _ => None,
        })
    }

    /// Z left out, or made with an empty identifier (manual::customs §1.4).
    fn other_z(&self, message: &[u8], signature: &RawSignature) -> Option<&'static str> {
        let right = |z: &[u8]| {
            let digest = DigestAlgorithm::Sm3.of(&[z, message].concat()).ok()?;
            let tbs = ToBeSigned::of(Suite::Sm2Sm3, digest, &self.sm2_id);
            self.key.verify(&tbs, signature).ok()
        };
        if right(&[]).is_some() {
            return Some("SM3 without Z");
        }
        let empty = self.key.z("").ok()?;
        if right(empty.octets()).is_some() {
            return Some("SM3 with Z of an empty identifier");
        }
        let default = self.key.z(SM2_DEFAULT_ID).ok().filter(|_| !self.sm2_id.is_default())?;
        right(default.octets()).map(|()| "SM3 with Z of the default identifier, where another was expected")
    }

    /// Adds what is to be said of a suite that fitted.
    pub(super) fn accept(&self, report: &mut Report, suite: Suite, customs: bool) {
        report.suite = Some(suite);
        if suite == Suite::RsaSha1 {
            report.add(Finding::new(FindingKind::Sha1Used));
        }
        if customs && !matches!(suite, Suite::RsaSha1 | Suite::Sm2Sm3) {
            report.add(Finding::new(FindingKind::TestIdentifiers).detail(suite.name()));
        }
        report.add(Finding::new(FindingKind::SignatureRight));
    }
}
