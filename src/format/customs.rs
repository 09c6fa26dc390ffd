//! What the formats of customs have in common: the suite and the notes of all; the signature value of announcement 179 and of
//! login (manual::customs §1.4, §2.2, §3).

use std::sync::Arc;

use base64ct::{Base64, Encoding};

use super::SignContext;
use super::proof::{self, Form, Proof};
use crate::cert::Certificate;
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

/// A signature value as it was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given<'g> {
    octets: &'g [u8],
    place: Option<Place>,
    /// It stands in a text, where only base64 can.
    is_text: bool,
}

impl<'g> Given<'g> {
    /// What stands in a document, at `place`: base64, wrapped or not.
    #[cfg(feature = "json")]
    pub(super) fn inside(text: &'g str, place: Option<Place>) -> Self {
        Given { octets: text.as_bytes(), place, is_text: true }
    }

    /// What was given beside a document, which is then said of `place`: base64, or octets. No signature is visible characters alone by chance.
    pub(super) fn beside(octets: &'g [u8], place: Place) -> Self {
        let is_text = octets.iter().all(|o| o.is_ascii_graphic() || o.is_ascii_whitespace());
        Given { octets, place: Some(place), is_text }
    }

    /// The octets of the value, where its text is base64.
    fn decoded(&self) -> Option<Vec<u8>> {
        if !self.is_text {
            return Some(self.octets.to_vec());
        }
        let text: Vec<u8> = self.octets.iter().copied().filter(|o| !o.is_ascii_whitespace()).collect();
        std::str::from_utf8(&text).ok().and_then(|text| Base64::decode_vec(text).ok())
    }

    /// What was done to the text: the base64 of a value that `reads` can tell stands there when it is undone.
    fn damage(&self, reads: impl Fn(&[u8]) -> bool) -> Option<(&'static str, &'static str)> {
        let text = std::str::from_utf8(self.octets).ok().filter(|_| self.is_text)?.trim();
        let decodes = |text: &str| Base64::decode_vec(text).is_ok_and(|octets| reads(&octets));
        let bare = |text: &str| text.split_ascii_whitespace().collect::<String>();
        let padded = |text: &str| {
            let text = text.trim_end_matches('=');
            format!("{text}{}", "=".repeat(text.len().wrapping_neg() & 3))
        };
        if decodes(&bare(&text.replace(' ', "+"))) {
            return Some((
                "blanks stand where + has to, as in a form field that was not percent-encoded",
                "本应为 + 处是空格（表单字段未做百分号编码时会如此）",
            ));
        }
        let standard = bare(text).replace('-', "+").replace('_', "/");
        match (bare(text) == standard, decodes(&padded(&standard))) {
            (false, true) => Some(("base64 in the URL-safe alphabet, with - and _", "使用 - 和 _ 的 URL 安全 base64")),
            (true, true) => {
                Some(("base64 without its padding (=), or with another one", "base64 缺少填充（=）或填充有误"))
            }
            _ => None,
        }
    }

    /// That the text is not base64.
    fn not_base64(&self, found: Option<(&str, &str)>) -> Finding {
        let finding = Finding::new(FindingKind::SignatureUnreadable);
        let expected = ("base64 with + and /, padded with =", "base64（含 + 和 /，以 = 填充）");
        match found {
            Some(found) => finding.compared(expected, found),
            None => {
                let count = String::from_utf8_lossy(self.octets).chars().count();
                let found = (format!("{count} characters that are no base64"), format!("{count} 个字符，不是 base64"));
                finding.compared(expected, found)
            }
        }
    }
}

/// A signature that can be tried on messages. What stands in the way of that is added to the report.
#[derive(Debug)]
pub(super) struct Judge {
    /// One for each suite that may have been used.
    proofs: Vec<Proof>,
    octets: Vec<u8>,
    suites: Vec<Suite>,
    id: Sm2Id,
}

/// Judges the context's certificate, where there is one.
pub(super) fn certificate<'c>(report: &mut Report, context: &'c VerifyContext) -> Option<&'c Arc<Certificate>> {
    match &context.certificate {
        Some(certificate) => report.judge_certificate(certificate, context),
        None => report.add(Finding::new(FindingKind::CertificateMissing)),
    }
    context.certificate.as_ref()
}

impl Judge {
    /// Judges the context's certificate, and reads the signature with its key.
    ///
    /// `form` is that of ECDSA and SM2 signatures. `suites` are those that may have been used. Where the value is none of this key, `over` says
    /// whether it is another one's.
    pub(super) fn open(
        report: &mut Report,
        given: Option<Given<'_>>,
        context: &VerifyContext,
        suites: &[Suite],
        form: Form,
        over: impl Fn(&Proof) -> bool,
    ) -> Option<Self> {
        let certificate = certificate(report, context)?;
        let Some(given) = given else {
            let (expected, found) = (("a signature value", "签名值"), ("none", "无"));
            let finding = Finding::new(FindingKind::NoSignature).compared(expected, found);
            report.add(finding.at(Place { offset: 0, line: 1 }));
            return None;
        };
        let key = match certificate.key() {
            Ok(key) => key,
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
        let octets = given.decoded();
        let values =
            octets.iter().flat_map(|octets| fitting.iter().map(|suite| proof::read(key, *suite, octets, form)));
        let (read, refused): (Vec<_>, Vec<_>) = values.partition(Result::is_ok);
        let proofs = read.into_iter().flatten().map(|(signature, told)| {
            report.findings.extend(told.map(|f| f.maybe_at(given.place)));
            Proof::new(key, signature, &context.sm2_id)
        });
        let proofs: Vec<Proof> = proofs.collect();
        let judge = Judge {
            proofs,
            octets: octets.clone().unwrap_or_default(),
            suites: suites.to_vec(),
            id: context.sm2_id.clone(),
        };
        if !judge.proofs.is_empty() {
            return Some(judge);
        }
        let reads = |octets: &[u8]| fitting.iter().any(|suite| proof::read(key, *suite, octets, form).is_ok());
        let refused = refused.into_iter().find_map(Result::err).filter(|_| octets.is_some());
        let finding = match (given.damage(reads), refused) {
            (None, Some(refused)) => judge
                .other_signer(context, |other| over(other).then_some(()))
                .map_or_else(|| proof::mismatch(*refused, key.kind(), &judge.octets), |(finding, ())| finding),
            (damage, _) => given.not_base64(damage),
        };
        report.add(finding.maybe_at(given.place));
        None
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
    fn other_way(&self, message: &[u8]) -> Option<Finding> {
        self.proofs.iter().find_map(|proof| proof.way(message)?.finding(proof))
    }

    /// Whether the signature is over `message`: the inner `None` says as is asked for, a finding in which other way.
    pub(super) fn made(&self, message: &[u8]) -> Option<Option<Finding>> {
        self.fits(message).map(|_| None).or_else(|| self.other_way(message).map(Some))
    }

    /// The certificate that the caller trusts and whose key made the signature, where it is not the context's own: `tried` says what it is over.
    pub(super) fn other_signer<T>(
        &self,
        context: &VerifyContext,
        tried: impl Fn(&Proof) -> Option<T>,
    ) -> Option<(Finding, T)> {
        let (own, known) = (context.certificate.as_ref()?, context.known_certificates());
        proof::other_signer(&self.octets, &self.suites, &self.id, own, &known, tried)
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
