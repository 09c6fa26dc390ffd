//! Signing: what is to be signed, then header, content and the rest. Lengths come first in DER and an ECDSA signature has 70 to 72 octets,
//! so an attached document is read twice: once to be hashed and counted, once when everything else is known.

use std::io::{Read, Write};
use std::sync::Arc;

use der::asn1::{ObjectIdentifier, OctetStringRef};
use der::{Encode, Header, Length, Tag, TagNumber};

use super::stream::{self, Measured, put};
use super::types::{IssuerAndSerial, RawSet, SignerId, SignerInfo};
use super::{CmsOptions, UNSEEN, algorithms, attributes, pem};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Prepared, SignContext};
use crate::policy;
use crate::source::{Content, Source};
use crate::suite::{Digest, Hasher, PublicKey, RawSignature, Sm2Id, Suite, Summary, ToBeSigned};

const PREPARE: &str = "prepare CMS message";
const FINISH: &str = "write CMS message";

/// Everything that is known before the signature.
struct Plan {
    options: CmsOptions,
    suite: Suite,
    sm2_id: Sm2Id,
    certificate: Arc<Certificate>,
    document: Document,
    /// The contents of the SET OF signed attributes.
    attributes: Option<Vec<u8>>,
}

/// What is signed.
enum Document {
    /// A source, as it was at the first reading.
    Source(Arc<dyn Source>, Measured),
    /// A digest that the caller computed.
    Digest,
}

pub(super) fn prepare(
    options: CmsOptions,
    content: &Content,
    by: &Arc<Certificate>,
    context: &SignContext,
) -> Result<Prepared> {
    let key = by.key()?;
    let suite = suite(key, context)?;
    let sm2_id = context.sm2_id.clone();
    IssuerAndSerial::of(by.der())
        .map_err(|e| Error::new(ErrorKind::CertificateMalformed, PREPARE).detail(e.to_string()))?;
    let hasher = || hasher(options, key, suite, &sm2_id);
    let (document, digest) = document(options, content, suite, &hasher)?;
    let display = Some(Arc::new(Summary { text: shown(options, &document, &digest) }));
    let (mut tbs, attributes) = if options.bare {
        let mut tbs = ToBeSigned::of(suite, digest, &sm2_id);
        tbs.message = document.small();
        (tbs, None)
    } else {
        let set = attributes::build(by, algorithms::family(suite).data, &digest, context.now)?;
        let message = attributes::as_signed(RawSet(&set))?;
        let mut tbs = ToBeSigned::over_with(suite, key, &sm2_id, &message)?;
        tbs.message = Some(Arc::from(message));
        (tbs, Some(set))
    };
    tbs.display = display;
    let plan = Plan { options, suite, sm2_id, certificate: Arc::clone(by), document, attributes };
    Ok(Prepared::new(tbs, Vec::new(), Box::new(move |signature, out| plan.finish(signature, out))))
}

/// What a person is shown when the caller says nothing better.
fn shown(options: CmsOptions, document: &Document, digest: &Digest) -> String {
    let place = if options.detached { "beside it" } else { "inside" };
    let size = match document {
        Document::Source(_, measured) => format!("{} octets {place}", measured.length),
        Document::Digest => "a document that was hashed elsewhere".to_owned(),
    };
    format!("CMS message, {size}, {} {}", digest.algorithm().name(), digest.hex())
}

fn suite(key: &PublicKey, context: &SignContext) -> Result<Suite> {
    let suite = Suite::preferred(key.kind());
    if let Some(suite) = suite.filter(|s| algorithms::identifiers(*s).is_none()) {
        return Err(Error::new(ErrorKind::Unsupported, PREPARE).detail(format!("{suite} in CMS")));
    }
    suite.filter(|s| context.suites.contains(s)).ok_or_else(|| {
        Error::new(ErrorKind::KeyUnsuited, PREPARE).role(context.role).detail(format!(
            "{}; the token offers {}",
            key.kind(),
            crate::suite::names(&context.suites)
        ))
    })
}

impl Document {
    /// The document itself, where it is small.
    fn small(&self) -> Option<Arc<[u8]>> {
        match self {
            Document::Source(_, measured) => measured.small.as_deref().map(Arc::from),
            Document::Digest => None,
        }
    }
}

/// Starts the digest of a document: as the signature wants it where it covers the document itself, plain where it covers attributes.
fn hasher(options: CmsOptions, key: &PublicKey, suite: Suite, id: &Sm2Id) -> Result<Hasher> {
    if options.bare { key.hasher_with(suite, id) } else { suite.digest().hasher() }
}

/// Reads the document for the first time.
fn document(
    options: CmsOptions,
    content: &Content,
    suite: Suite,
    hasher: &dyn Fn() -> Result<Hasher>,
) -> Result<(Document, Digest)> {
    let refuse = |kind, what: &str| Err(Error::new(kind, PREPARE).detail(what.to_owned()));
    let source = match content {
        Content::Source(source) => source,
        Content::Digest(_) if !options.detached => {
            return refuse(ErrorKind::Argument, "an attached message needs the document itself, not its digest");
        }
        Content::Digest(_) if options.bare => return refuse(ErrorKind::Argument, UNSEEN),
        Content::Digest(digest) if digest.algorithm() != suite.digest() => {
            let (given, signed) = (digest.algorithm().name(), suite.digest().name());
            return refuse(ErrorKind::Argument, &format!("{given} was given, {suite} signs {signed}"));
        }
        Content::Digest(digest) => return Ok((Document::Digest, Digest::clone(digest))),
    };
    let measured = stream::measure(&mut stream::open(&**source, 0, PREPARE)?, hasher()?, PREPARE)?;
    if let Some((what, _)) = measured.stands_for.filter(|_| options.bare) {
        return refuse(
            ErrorKind::DocumentAmbiguous,
            &format!("it is {what}: signed without attributes it would be signed in that format too"),
        );
    }
    if !options.detached && measured.length > policy::CMS_ATTACHED_MAX {
        return refuse(
            ErrorKind::DocumentTooLarge,
            &format!("over {} octets: sign it detached", policy::CMS_ATTACHED_MAX),
        );
    }
    let digest = measured.digest.clone();
    Ok((Document::Source(Arc::clone(source), measured), digest))
}

impl Plan {
    fn finish(self, signature: &RawSignature, out: &mut dyn Write) -> Result<()> {
        if !self.options.pem {
            return self.write(signature, out);
        }
        let mut text = pem::PemWriter::new(out);
        self.write(signature, &mut text)?;
        text.end().map_err(|e| Error::new(ErrorKind::OutputFailed, FINISH).io(&e))
    }

    fn write(&self, signature: &RawSignature, out: &mut dyn Write) -> Result<()> {
        let rest = self.rest(signature).map_err(|e| defect(&e))?;
        let length = match &self.document {
            Document::Source(_, measured) if !self.options.detached => Some(measured.length),
            _ => None,
        };
        let head = head(self.suite, length, rest.len()).map_err(|e| too_large(&e))?;
        match &self.document {
            Document::Source(source, measured) if self.options.detached => {
                let mut reader = stream::open(&**source, 0, FINISH)?;
                if stream::measure(&mut reader, self.hasher()?, FINISH)? != *measured {
                    return Err(changed());
                }
            }
            Document::Source(source, measured) if measured.length <= policy::CMS_HELD_MAX => {
                let content = self.hold(&**source, measured)?;
                return put(out, &[head, content, rest].concat());
            }
            Document::Source(source, measured) => {
                put(out, &head)?;
                self.copy(&**source, measured, out)?;
                return put(out, &rest);
            }
            Document::Digest => {}
        }
        put(out, &[head, rest].concat())
    }

    /// The second reading of a small document: whole, so that nothing is written if it changed.
    fn hold(&self, source: &dyn Source, measured: &Measured) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let limit = measured.length.saturating_add(1);
        let reader = stream::open(source, 0, FINISH)?;
        reader.take(limit).read_to_end(&mut content).map_err(|e| stream::input(&e, FINISH))?;
        let again = stream::measure(&mut content.as_slice(), self.hasher()?, FINISH)?;
        if again == *measured { Ok(content) } else { Err(changed()) }
    }

    /// The second reading of a large document: written while it is hashed again. The message stays without its end if it changed.
    fn copy(&self, source: &dyn Source, measured: &Measured, out: &mut dyn Write) -> Result<()> {
        if source.len().is_some_and(|l| l != measured.length) {
            return Err(changed());
        }
        let mut hasher = self.hasher()?;
        let mut reader = stream::open(source, 0, FINISH)?;
        let count = stream::pieces(&mut (&mut reader).take(measured.length), FINISH, |piece| {
            hasher.update(piece);
            put(out, piece)
        })?;
        let more = stream::pieces(&mut reader.take(1), FINISH, |_| Ok(()))?;
        if count != measured.length || more != 0 || hasher.finish() != measured.digest {
            return Err(changed());
        }
        Ok(())
    }

    fn hasher(&self) -> Result<Hasher> {
        hasher(self.options, self.certificate.key()?, self.suite, &self.sm2_id)
    }

    /// certificates [0] and signerInfos (RFC 5652 §5.1).
    fn rest(&self, signature: &RawSignature) -> der::Result<Vec<u8>> {
        let failed = |_| der::Error::from(der::ErrorKind::Failed);
        let (digest_algorithm, signature_algorithm) =
            algorithms::identifiers(self.suite).ok_or(der::ErrorKind::Failed)?;
        let wire = signature.to_wire().map_err(failed)?;
        let signer = SignerInfo {
            version: 1,
            sid: SignerId::Issuer(IssuerAndSerial::of(self.certificate.der())?),
            digest_algorithm,
            signed: self.attributes.as_deref().map(RawSet),
            signature_algorithm,
            signature: OctetStringRef::new(&wire)?,
            unsigned: None,
        };
        let (mut rest, _) =
            wrap(zero(), self.certificate.der().to_vec(), Length::try_from(self.certificate.der().len())?)?;
        RawSet(&signer.to_der()?).encode_to_vec(&mut rest)?;
        Ok(rest)
    }
}

/// Everything before the content, for a content and a rest of these lengths.
fn head(suite: Suite, content: Option<u64>, rest: usize) -> der::Result<Vec<u8>> {
    let (digest_algorithm, _) = algorithms::identifiers(suite).ok_or(der::ErrorKind::Failed)?;
    let family = algorithms::family(suite);
    let (mut before, mut length) = encapsulated(family.data, content)?;
    // version: plain data, issuerAndSerialNumber, X.509 certificates alone (RFC 5652 §5.1, GM/T 0010-2012 §8.1)
    let mut fields = 1_u8.to_der()?;
    RawSet(&digest_algorithm.to_der()?).encode_to_vec(&mut fields)?;
    (before, length) = prepend(&fields, &before, length)?;
    length = plus(length, rest)?;
    (before, length) = wrap(Tag::Sequence, before, length)?;
    (before, length) = wrap(zero(), before, length)?;
    (before, length) = prepend(&family.signed_data.to_der()?, &before, length)?;
    wrap(Tag::Sequence, before, length).map(|(before, _)| before)
}

/// EncapsulatedContentInfo (RFC 5652 §5.2) up to the content, and its length as a whole.
pub(super) fn encapsulated(content_type: ObjectIdentifier, content: Option<u64>) -> der::Result<(Vec<u8>, Length)> {
    let (mut before, mut length) = (Vec::new(), Length::ZERO);
    if let Some(content) = content {
        length = Length::new(u32::try_from(content).map_err(|_| der::ErrorKind::Overflow)?);
        (before, length) = wrap(Tag::OctetString, before, length)?;
        (before, length) = wrap(zero(), before, length)?;
    }
    (before, length) = prepend(&content_type.to_der()?, &before, length)?;
    wrap(Tag::Sequence, before, length)
}

fn zero() -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(0) }
}

/// The sum, or an error above what DER lengths hold.
#[allow(clippy::arithmetic_side_effects)] // this addition is checked: it gives a Result
fn plus(length: Length, more: usize) -> der::Result<Length> {
    length + more
}

fn prepend(field: &[u8], before: &[u8], length: Length) -> der::Result<(Vec<u8>, Length)> {
    Ok(([field, before].concat(), plus(length, field.len())?))
}

/// Puts a header before a value of which `length` octets are meant and `before` are there.
fn wrap(tag: Tag, before: Vec<u8>, length: Length) -> der::Result<(Vec<u8>, Length)> {
    let header = Header::new(tag, length).to_der()?;
    let length = plus(length, header.len())?;
    Ok(([header, before].concat(), length))
}

fn changed() -> Error {
    Error::new(ErrorKind::DocumentChanged, FINISH)
}

fn defect(error: &der::Error) -> Error {
    Error::new(ErrorKind::Defect, FINISH).detail(error.to_string())
}

fn too_large(error: &der::Error) -> Error {
    Error::new(ErrorKind::DocumentTooLarge, FINISH).detail(error.to_string())
}
