//! Reading a message: DER of any size without holding its content, BER with indefinite lengths (as streaming writers make it) in memory.

use std::io::Read;
use std::sync::Arc;

use der::asn1::{ContextSpecific, ObjectIdentifier, OctetString};
use der::{Decode, EncodingRules, Header, Reader, Sequence, SliceReader, Tag, TagMode, TagNumber};
use spki::AlgorithmIdentifierRef;

use super::types::{RawSet, content_type_name, is_signed_data};
use super::{pem, stream};
use crate::error::{Error, ErrorKind, Result};
use crate::policy;
use crate::source::{Content, Source};
use crate::verify::Place;

const READ: &str = "read CMS message";
/// Everything before the content fits into this many octets, or the message is read in memory.
const OPENING: u64 = 4096;

/// Where the content of a message is.
pub(super) enum Inside {
    /// Nowhere: the message is detached.
    Absent,
    /// In the message, from this octet on.
    At { offset: u64, length: u64 },
    /// Put together from the pieces of a BER message.
    Octets(Arc<Vec<u8>>),
}

/// A SignedData taken apart. Signers and certificates are raw and unjudged.
pub(super) struct Message {
    source: Arc<dyn Source>,
    pub(super) inside: Inside,
    pub(super) version: u8,
    pub(super) content_type: ObjectIdentifier,
    pub(super) digests: Vec<ObjectIdentifier>,
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) signers: Vec<Vec<u8>>,
    /// Octets follow the message.
    pub(super) trailing: bool,
    /// The message is not DER.
    pub(super) ber: bool,
    /// Where a DER message ends in what was given.
    pub(super) end: Option<u64>,
}

impl Message {
    /// Reads DER, BER or PEM.
    ///
    /// # Errors
    /// `InputFailed`, `SignatureMalformed`, `MessageTruncated`, `MessageType`, `DocumentTooLarge`, `Argument`.
    pub(super) fn read(message: &Content) -> Result<Self> {
        let Content::Source(source) = message else {
            return Err(Error::new(ErrorKind::Argument, READ).detail("a message is read itself, not its digest"));
        };
        let mut start = Vec::new();
        let reader = stream::open(&**source, 0, READ)?;
        reader.take(OPENING).read_to_end(&mut start).map_err(|e| stream::input(&e, READ))?;
        if start.first() != Some(&0x30) && pem::is_pem(&start) {
            let text = message.read(policy::CMS_MEMORY_MAX, READ)?;
            // Nothing stands in the text where it stands in the octets.
            return Message::of(&pem::decode(&text)?).map(|message| Message { end: None, ..message });
        }
        Message::from_source(source, &start)
    }

    /// Reads octets in memory.
    ///
    /// # Errors
    /// As [`Message::read`].
    pub(super) fn of(octets: &[u8]) -> Result<Self> {
        Message::read(&Content::bytes(octets))
    }

    fn from_source(source: &Arc<dyn Source>, start: &[u8]) -> Result<Self> {
        let strict = match Opening::read(start) {
            Ok(Opening::Other(oid)) => return Err(other_type(oid)),
            Ok(Opening::Signed(opening)) => Message::around(source, *opening)?,
            Err(error) => Err(error),
        };
        let Err(error) = strict else { return strict.map_err(|e| malformed(&e)) };
        if !is_ber(&error) {
            return Err(malformed(&error));
        }
        let octets = Content::Source(Arc::clone(source)).read(policy::CMS_BER_MAX, READ)?;
        Message::in_memory(&octets)
    }

    /// The message around its content, which is passed over. The inner error means: not DER.
    fn around(source: &Arc<dyn Source>, opening: Signed) -> Result<der::Result<Self>> {
        let Signed { inside, version, content_type, digests, rest, total } = opening;
        let length = total.saturating_sub(rest);
        if usize::try_from(length).map_or(true, |l| l > policy::CMS_REST_MAX) {
            return Err(Error::new(ErrorKind::DocumentTooLarge, READ)
                .detail(format!("{length} octets of certificates and signatures")));
        }
        let mut reader = stream::open(&**source, rest, READ)?;
        let mut octets = Vec::new();
        (&mut reader).take(length).read_to_end(&mut octets).map_err(|e| stream::input(&e, READ))?;
        if u64::try_from(octets.len()).ok() != Some(length) {
            return Err(Error::new(ErrorKind::MessageTruncated, READ).detail(format!("it should have {total} octets")));
        }
        let mut after = Vec::new();
        reader.take(1).read_to_end(&mut after).map_err(|e| stream::input(&e, READ))?;
        let rest = match Rest::read(&octets) {
            Ok(rest) => rest,
            Err(error) => return Ok(Err(error)),
        };
        let (source, trailing) = (Arc::clone(source), !after.is_empty());
        let Rest { certificates, signers } = rest;
        let end = Some(total);
        let message = Message {
            source,
            inside,
            version,
            content_type,
            digests,
            certificates,
            signers,
            trailing,
            ber: false,
            end,
        };
        message.within_caps().map(Ok)
    }

    /// The whole message under the Basic Encoding Rules.
    fn in_memory(octets: &[u8]) -> Result<Self> {
        let mut reader = SliceReader::new_with_encoding_rules(octets, EncodingRules::Ber).map_err(|e| malformed(&e))?;
        let read = reader.sequence(|fields| -> der::Result<Result<BerSigned<'_>, ObjectIdentifier>> {
            let oid = ObjectIdentifier::decode(fields)?;
            if !is_signed_data(oid) {
                fields.drain(fields.remaining_len())?;
                return Ok(Err(oid));
            }
            let signed = ContextSpecific::<BerSigned<'_>>::decode_explicit(fields, TagNumber(0))?;
            signed.map(|s| Ok(s.value)).ok_or_else(|| Tag::Sequence.value_error().into())
        });
        let signed = read.map_err(|e| malformed(&e))?.map_err(other_type)?;
        let parts = || -> der::Result<(Vec<ObjectIdentifier>, Rest)> {
            let certificates = signed.certificates.unwrap_or(RawSet(&[]));
            Ok((algorithms_of(signed.digests)?, Rest::of(certificates, signed.signers)?))
        };
        let (digests, Rest { certificates, signers }) = parts().map_err(|e| malformed(&e))?;
        let inside = match signed.encapsulated.content {
            None => Inside::Absent,
            Some(content) => Inside::Octets(Arc::new(content.into_bytes().into_vec())),
        };
        let message = Message {
            source: Arc::new(Vec::new()),
            inside,
            version: signed.version,
            content_type: signed.encapsulated.content_type,
            digests,
            certificates,
            signers,
            trailing: !reader.is_finished(),
            ber: true,
            end: None,
        };
        message.within_caps()
    }

    fn within_caps(self) -> Result<Self> {
        let over = |what: String| Err(Error::new(ErrorKind::DocumentTooLarge, READ).detail(what));
        if self.certificates.len() > policy::CMS_CERTIFICATES_MAX {
            return over(format!("over {} certificates", policy::CMS_CERTIFICATES_MAX));
        }
        Ok(self)
    }

    /// Where `part` of the one signer stands, which is the last that a DER message holds.
    pub(super) fn place_in_signer(&self, part: &[u8]) -> Option<Place> {
        let [signer] = self.signers.as_slice() else { return None };
        let start = usize::try_from(self.end?).ok()?.checked_sub(signer.len())?;
        let at = signer.windows(part.len().max(1)).rposition(|w| w == part)?;
        Some(Place { offset: start.checked_add(at)?, line: 1 })
    }

    /// Where a place of the content stands in what was given: the same in a document beside a detached message, further on in a message in DER,
    /// nowhere in PEM and in pieces.
    pub(super) fn place_of_content(&self, place: Place) -> Option<Place> {
        match (&self.inside, self.end) {
            (Inside::Absent, _) => Some(place),
            (Inside::At { offset, .. }, Some(_)) => {
                Some(Place { offset: usize::try_from(*offset).ok()?.checked_add(place.offset)?, line: 1 })
            }
            _ => None,
        }
    }

    pub(super) fn is_attached(&self) -> bool {
        !matches!(self.inside, Inside::Absent)
    }

    /// The length of the content in octets; `None` for a detached message.
    pub(super) fn length(&self) -> Option<u64> {
        match &self.inside {
            Inside::Absent => None,
            Inside::At { length, .. } => Some(*length),
            Inside::Octets(octets) => u64::try_from(octets.len()).ok(),
        }
    }

    /// The content as a stream; `None` for a detached message.
    pub(super) fn content(&self) -> Result<Option<Box<dyn Read + Send + '_>>> {
        Ok(match &self.inside {
            Inside::Absent => None,
            Inside::Octets(octets) => Some(Box::new(octets.as_slice())),
            Inside::At { offset, length } => Some(Box::new(stream::open(&*self.source, *offset, READ)?.take(*length))),
        })
    }
}

fn other_type(oid: ObjectIdentifier) -> Error {
    Error::new(ErrorKind::MessageType, READ).detail(content_type_name(oid))
}

/// Whether reading DER failed for what only BER allows: an indefinite length, or an OCTET STRING in pieces (X.690 §10.1, §10.2).
fn is_ber(error: &der::Error) -> bool {
    matches!(error.kind(), der::ErrorKind::IndefiniteLength | der::ErrorKind::TagUnknown { byte: 0x24 })
}

/// What a failed reading means: the octets end too early, or they are something else.
fn malformed(error: &der::Error) -> Error {
    let kind = match error.kind() {
        der::ErrorKind::Incomplete { .. } => ErrorKind::MessageTruncated,
        _ => ErrorKind::SignatureMalformed,
    };
    Error::new(kind, READ).detail(error.to_string())
}

fn algorithms_of(set: RawSet<'_>) -> der::Result<Vec<ObjectIdentifier>> {
    let elements = set.elements(policy::CMS_SIGNERS_MAX)?;
    elements.into_iter().map(|e| AlgorithmIdentifierRef::from_der(e).map(|a| a.oid)).collect()
}

/// What stands before the content, in DER.
enum Opening {
    Signed(Box<Signed>),
    Other(ObjectIdentifier),
}

struct Signed {
    inside: Inside,
    version: u8,
    content_type: ObjectIdentifier,
    digests: Vec<ObjectIdentifier>,
    /// Where certificates and signatures begin.
    rest: u64,
    /// Where the message ends.
    total: u64,
}

impl Opening {
    fn read(start: &[u8]) -> der::Result<Self> {
        let zero = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
        let mut reader = SliceReader::new(start)?;
        let total = enter(&mut reader, Tag::Sequence)?;
        let oid = ObjectIdentifier::decode(&mut reader)?;
        if !is_signed_data(oid) {
            return Ok(Opening::Other(oid));
        }
        let ends = [enter(&mut reader, zero)?, enter(&mut reader, Tag::Sequence)?];
        let version = u8::decode(&mut reader)?;
        let digests = algorithms_of(RawSet::decode(&mut reader)?)?;
        let rest = enter(&mut reader, Tag::Sequence)?;
        let content_type = ObjectIdentifier::decode(&mut reader)?;
        let mut inside = Inside::Absent;
        let mut inner = position(&reader);
        if inner != rest {
            let explicit = enter(&mut reader, zero)?;
            inner = enter(&mut reader, Tag::OctetString)?;
            let offset = position(&reader);
            inside = Inside::At { offset, length: inner.saturating_sub(offset) };
            if explicit != inner {
                return Err(Tag::OctetString.length_error().into());
            }
        }
        if ends != [total, total] || inner != rest || rest > total {
            return Err(Tag::Sequence.length_error().into());
        }
        Ok(Opening::Signed(Box::new(Signed { inside, version, content_type, digests, rest, total })))
    }
}

/// Enters a value and gives the octet at which it ends. Nothing of that length is allocated or read.
fn enter(reader: &mut SliceReader<'_>, tag: Tag) -> der::Result<u64> {
    let header = Header::decode(reader)?;
    header.tag().assert_eq(tag)?;
    Ok(position(reader).saturating_add(u32::from(header.length()).into()))
}

fn position(reader: &SliceReader<'_>) -> u64 {
    u32::from(reader.position()).into()
}

/// What stands after the content.
struct Rest {
    certificates: Vec<Vec<u8>>,
    signers: Vec<Vec<u8>>,
}

impl Rest {
    fn read(octets: &[u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(octets)?;
        let certificates = reader.context_specific::<RawSet<'_>>(TagNumber(0), TagMode::Implicit)?;
        let _revocations = reader.context_specific::<RawSet<'_>>(TagNumber(1), TagMode::Implicit)?;
        let signers = RawSet::decode(&mut reader)?;
        reader.finish()?;
        Rest::of(certificates.unwrap_or(RawSet(&[])), signers)
    }

    fn of(certificates: RawSet<'_>, signers: RawSet<'_>) -> der::Result<Self> {
        let owned = |elements: Vec<&[u8]>| elements.into_iter().map(<[u8]>::to_vec).collect();
        let certificates = owned(certificates.elements(policy::CMS_CERTIFICATES_MAX)?);
        let signers = owned(signers.elements(policy::CMS_SIGNERS_MAX)?);
        Ok(Rest { certificates, signers })
    }
}

/// SignedData (RFC 5652 §5.1) in memory, for BER.
#[derive(Sequence)]
struct BerSigned<'a> {
    version: u8,
    digests: RawSet<'a>,
    encapsulated: BerEncapsulated,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    certificates: Option<RawSet<'a>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    revocations: Option<RawSet<'a>>,
    signers: RawSet<'a>,
}

/// EncapsulatedContentInfo (RFC 5652 §5.2). The OCTET STRING may come in pieces.
#[derive(Sequence)]
struct BerEncapsulated {
    content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    content: Option<OctetString>,
}
