//! A signature over a digest that somebody else computed (`SpcSignDataNoHash` of the vendor's library, manual::customs §4.4).
//!
//! **What is signed cannot be seen.** A digest may be that of a payment, of a declaration, of anything: the person who enters the PIN is told so, and that is
//! all the protection there is ([`crate::manual::threats`]). Where the document itself is at hand, sign that. For SM2 the digest is e = SM3(Z ‖ M), with the
//! signer's own Z: the SM3 of a document alone is something else, and no verifier takes a signature over it.

use std::io::Write;
use std::sync::Arc;

use base64ct::{Base64, Encoding};

use super::customs::{self, Given, Judge};
use super::proof::{Form, Proof};
use super::{Format, Prepared, SignContext};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::role::Role;
use crate::source::Content;
use crate::suite::{Digest, KeyKind, RawSignature, Suite, Summary, ToBeSigned, names};
use crate::verify::{Finding, FindingKind, Place, Report, VerifyContext};

const PREPARE: &str = "prepare digest";
/// The signature stands beside the digest: what is said of it is said of its first octet.
const BESIDE: Place = Place { offset: 0, line: 1 };

/// The format `digest`: base64 of the signature is written, as customs takes it (RSA octets, r‖s), for the bank with curves in DER.
#[derive(Debug, Clone, Copy, Default)]
pub struct DigestAlone;

/// The one instance.
pub static DIGEST_ALONE: DigestAlone = DigestAlone;

impl Format for DigestAlone {
    fn name(&self) -> &'static str {
        "digest"
    }

    fn prepare(&self, content: &Content, by: &Arc<Certificate>, context: &SignContext) -> Result<Prepared> {
        let digest = given(content)?;
        let key = by.key()?;
        let suite = suite(key.kind(), &digest, context)?;
        let text = format!(
            "a digest that was computed elsewhere, {} {}: what it is of cannot be seen",
            digest.algorithm().name(),
            digest.hex()
        );
        let display = Some(Arc::new(Summary { text }));
        let tbs = ToBeSigned { display, ..ToBeSigned::of(suite, digest, &context.sm2_id) };
        let notes = customs::notes(key.kind(), suite, context.role);
        let role = context.role;
        let finish = Box::new(move |signature: &RawSignature, out: &mut dyn Write| {
            let text = match role {
                Role::Customs => customs::value(signature, suite, "finish digest")?,
                _ => Base64::encode_string(&signature.to_wire()?),
            };
            out.write_all(text.as_bytes()).map_err(|e| Error::new(ErrorKind::OutputFailed, "write signature").io(&e))
        });
        Ok(Prepared::new(tbs, notes, finish))
    }

    /// As the trait says. `content` is the digest.
    fn verify(&self, content: &Content, signature: Option<&[u8]>, context: &VerifyContext) -> Result<Report> {
        let digest = given(content)?;
        let mut report = Report::new(self.name());
        let customs = context.role == Some(Role::Customs);
        let suites: Vec<Suite> = Suite::ALL.into_iter().filter(|s| s.digest() == digest.algorithm()).collect();
        let form = if customs { Form::Raw } else { Form::Either };
        let given = signature.map(|s| Given::beside(s, BESIDE));
        let over = |other: &Proof| other.is_over_digest(&digest);
        if let Some(judge) = Judge::open(&mut report, given, context, &suites, form, over) {
            if let Some(suite) = judge.fits_digest(&digest) {
                judge.accept(&mut report, suite, customs);
                return Ok(report);
            }
            report.add(judge.wrong_digest(&digest).at(BESIDE));
            let cause = judge.other_signer(context, |other| over(other).then_some(())).map(|(finding, ())| finding);
            let unknown = || Finding::new(FindingKind::NoKnownReason).detail(("the signature value", "签名值"));
            report.add(cause.unwrap_or_else(unknown).maybe_at(Some(BESIDE)));
        }
        Ok(report)
    }
}

fn given(content: &Content) -> Result<Digest> {
    match content {
        Content::Digest(digest) => Ok(Digest::clone(digest)),
        Content::Source(_) => {
            Err(Error::new(ErrorKind::Argument, PREPARE).detail("this format signs a digest, not a document"))
        }
    }
}

/// The suite of this key that signs such a digest, under the same rules as every other signature of the role: SHA-1 only where the profile of customs
/// has it, and for customs nothing that customs has no use for.
fn suite(key: KeyKind, digest: &Digest, context: &SignContext) -> Result<Suite> {
    let suite = match (context.role, digest.algorithm()) {
        (Role::Customs, _) => customs::suite(key, context, PREPARE)?,
        _ => Suite::preferred(key).filter(|s| context.suites.contains(s)).ok_or_else(|| {
            Error::new(ErrorKind::KeyUnsuited, PREPARE)
                .role(context.role)
                .detail(format!("{key}; the token offers {}", names(&context.suites)))
        })?,
    };
    if suite.digest() == digest.algorithm() {
        return Ok(suite);
    }
    Err(Error::new(ErrorKind::Argument, PREPARE).role(context.role).detail(format!(
        "{} was given, this key signs {} here",
        digest.algorithm().name(),
        suite.digest().name()
    )))
}
