//! What the formats of customs have in common: the suite and the notes of all; the signature value of announcement 179 and of
//! login (manual::customs §1.4, §2.2, §3).

use base64ct::{Base64, Encoding};

use super::SignContext;
use super::proof::{self, Form, Proof};
use crate::error::{Error, ErrorKind, Result};
use crate::note::Note;
use crate::role::Role;
use crate::suite::{Digest, KeyKind, RawSignature, SM2_DEFAULT_ID, Sm2Id, Suite};
use crate::verify::{Finding, FindingKind, Place, Report, VerifyContext};

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
    /// One for each suite that may have been used.
    proofs: Vec<Proof>,
}

impl Judge {
    /// Judges the context's certificate, and reads the signature with its key.
    ///
    /// `form` is that of ECDSA and SM2 signatures. `suites` are those that may have been used; `place` is where the value stands.
    pub(super) fn open(
        report: &mut Report,
        given: Option<(&[u8], Option<Place>)>,
        context: &VerifyContext,
        suites: &[Suite],
        form: Form,
    ) -> Option<Self> {
        let Some(certificate) = &context.certificate else {
            report.add(Finding::new(FindingKind::CertificateMissing));
            return None;
        };
        report.judge_certificate(certificate, context);
        let Some((given, place)) = given else {
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
            let expected = crate::suite::names(suites);
            report.add(Finding::new(FindingKind::KeyMismatch).compared(expected, key.kind().to_string()));
            return None;
        }
        let octets = octets(given);
        let mut proofs = Vec::new();
        let mut refused = None;
        for suite in fitting {
            match proof::read(suite, &octets, form) {
                Ok((signature, told)) => {
                    report.findings.extend(told.map(|f| f.maybe_at(place)));
                    proofs.push(Proof::new(&key, signature, &context.sm2_id));
                }
                Err(finding) => refused = Some(finding),
            }
        }
        if proofs.is_empty() {
            report.findings.extend(refused.map(|f| f.maybe_at(place)));
            return None;
        }
        Some(Judge { proofs })
    }

    /// The suite with which the signature is this key's over `message`.
    pub(super) fn fits(&self, message: &[u8]) -> Option<Suite> {
        self.proofs.iter().find(|proof| proof.is_over(message)).map(Proof::suite)
    }

    /// The suite with which the signature is this key's over a digest.
    pub(super) fn fits_digest(&self, digest: &Digest) -> Option<Suite> {
        self.proofs.iter().find(|proof| proof.is_over_digest(digest)).map(Proof::suite)
    }

    /// That it is not right over `message`.
    pub(super) fn wrong(&self, message: &[u8]) -> Finding {
        self.proofs.first().map_or_else(|| Finding::new(FindingKind::SignatureWrong), |proof| proof.wrong(message))
    }

    /// That it is not right over a digest.
    pub(super) fn wrong_digest(&self, digest: &Digest) -> Finding {
        let said = format!("{} {}", digest.algorithm().name(), digest.hex());
        let told = |proof: &Proof| proof.wrong_digest(&said);
        self.proofs.first().map_or_else(|| Finding::new(FindingKind::SignatureWrong), told)
    }

    /// How the signature was made over `message`, where it was made in another way than is asked for.
    pub(super) fn other_way(&self, message: &[u8]) -> Option<Finding> {
        self.proofs.iter().find_map(|proof| proof.way(message)?.finding(proof))
    }

    /// The certificate that the caller trusts and whose key made the signature over `message`, where it is not the context's own.
    pub(super) fn other_signer(&self, message: &[u8], context: &VerifyContext) -> Option<Finding> {
        let (own, known) = (context.certificate.as_ref()?, context.known_certificates());
        let tried = |other: &Proof| other.is_over(message).then_some(());
        self.proofs.iter().find_map(|proof| Some(proof.other_signer(own, &known, tried)?.0))
    }

    /// The same for a signature over a digest.
    pub(super) fn other_signer_of(&self, digest: &Digest, context: &VerifyContext) -> Option<Finding> {
        let (own, known) = (context.certificate.as_ref()?, context.known_certificates());
        let tried = |other: &Proof| other.is_over_digest(digest).then_some(());
        self.proofs.iter().find_map(|proof| Some(proof.other_signer(own, &known, tried)?.0))
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
