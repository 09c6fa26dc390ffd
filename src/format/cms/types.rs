//! The ASN.1 of SignedData (RFC 5652 §5) as `der` types. What is copied from elsewhere (names, numbers, attributes) stays raw, so that
//! its octets never change.

use der::asn1::{AnyRef, ContextSpecific, ObjectIdentifier, OctetStringRef};
use der::{Choice, Decode, DecodeValue, EncodeValue, FixedTag, Header, Length, Reader, Sequence, SliceReader, Tag};
use der::{TagNumber, Writer};
use spki::AlgorithmIdentifierRef;

/// The content types that a message bears: the outer one of SignedData, the inner one of what is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    pub(super) signed_data: ObjectIdentifier,
    pub(super) data: ObjectIdentifier,
}

/// id-signedData (RFC 5652 §5.1) and id-data (§4).
pub(super) const RFC: Family = Family {
    signed_data: ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2"),
    data: ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1"),
};
/// signedData and data of GM/T 0010-2012 §5 (GB/T 35275), for SM2. All but these and the algorithms is as in PKCS #7.
pub(super) const GM: Family = Family {
    signed_data: ObjectIdentifier::new_unwrap("1.2.156.10197.6.1.4.2.2"),
    data: ObjectIdentifier::new_unwrap("1.2.156.10197.6.1.4.2.1"),
};

/// Whether a message of this type is SignedData, of either family.
pub(super) fn is_signed_data(oid: ObjectIdentifier) -> bool {
    [RFC.signed_data, GM.signed_data].contains(&oid)
}

/// Whether content of this type is plain data, of either family. Programs that were taught one of GM/T 0010's types often keep the other of
/// RFC 5652, so the two need not agree; what is signed says the inner one.
pub(super) fn is_data(oid: ObjectIdentifier) -> bool {
    [RFC.data, GM.data].contains(&oid)
}

/// The name of another content type, for people (RFC 5652, RFC 3274, RFC 5083; GM/T 0010).
pub(super) fn content_type_name(oid: ObjectIdentifier) -> String {
    let name = match oid.to_string().as_str() {
        "1.2.840.113549.1.7.1" => "Data",
        "1.2.840.113549.1.7.2" => "SignedData",
        "1.2.840.113549.1.7.3" => "EnvelopedData",
        "1.2.840.113549.1.7.4" => "SignedAndEnvelopedData",
        "1.2.840.113549.1.7.5" => "DigestedData",
        "1.2.840.113549.1.7.6" => "EncryptedData",
        "1.2.840.113549.1.9.16.1.2" => "AuthenticatedData",
        "1.2.840.113549.1.9.16.1.4" => "TSTInfo",
        "1.2.840.113549.1.9.16.1.9" => "CompressedData",
        "1.2.840.113549.1.9.16.1.23" => "AuthEnvelopedData",
        "1.2.156.10197.6.1.4.2.1" => "SM2 Data (GM/T 0010)",
        "1.2.156.10197.6.1.4.2.2" => "SM2 SignedData (GM/T 0010)",
        "1.2.156.10197.6.1.4.2.3" => "SM2 EnvelopedData (GM/T 0010)",
        "1.2.156.10197.6.1.4.2.4" => "SM2 SignedAndEnvelopedData (GM/T 0010)",
        "1.2.156.10197.6.1.4.2.5" => "SM2 EncryptedData (GM/T 0010)",
        "1.2.156.10197.6.1.4.2.6" => "SM2 KeyAgreementInfo (GM/T 0010)",
        _ => return oid.to_string(),
    };
    name.to_owned()
}

/// The contents of a SET OF as they stand: order and octets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawSet<'a>(pub(super) &'a [u8]);

impl<'a> RawSet<'a> {
    /// The elements with their headers, at most one more than `cap`, so that the caller sees when there are too many.
    pub(super) fn elements(self, cap: usize) -> der::Result<Vec<&'a [u8]>> {
        let mut reader = SliceReader::new(self.0)?;
        let mut elements = Vec::new();
        while !reader.is_finished() && elements.len() <= cap {
            elements.push(reader.tlv_bytes()?);
        }
        Ok(elements)
    }
}

impl FixedTag for RawSet<'_> {
    const TAG: Tag = Tag::Set;
}

impl<'a> DecodeValue<'a> for RawSet<'a> {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> der::Result<Self> {
        reader.read_slice(header.length()).map(RawSet)
    }
}

impl EncodeValue for RawSet<'_> {
    fn value_len(&self) -> der::Result<Length> {
        self.0.len().try_into()
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        writer.write(self.0)
    }
}

/// IssuerAndSerialNumber (RFC 5652 §10.2.4), octet for octet as in the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Sequence)]
pub(super) struct IssuerAndSerial<'a> {
    pub(super) issuer: AnyRef<'a>,
    pub(super) serial: AnyRef<'a>,
}

impl<'a> IssuerAndSerial<'a> {
    /// Both from a certificate's DER (RFC 5280 §4.1), without taking it apart further: the Name may hold any string type.
    pub(super) fn of(certificate: &'a [u8]) -> der::Result<Self> {
        AnyRef::from_der(certificate)?.sequence(|certificate| {
            let to_be_signed = AnyRef::decode(certificate)?;
            certificate.drain(certificate.remaining_len())?;
            to_be_signed.sequence(|fields| {
                ContextSpecific::<u8>::decode_explicit(fields, TagNumber(0))?;
                let serial = AnyRef::decode(fields)?;
                AnyRef::decode(fields)?; // signature
                let issuer = AnyRef::decode(fields)?;
                fields.drain(fields.remaining_len())?;
                Ok(IssuerAndSerial { issuer, serial })
            })
        })
    }
}

/// SignerIdentifier (RFC 5652 §5.3).
#[derive(Clone, Debug, Choice)]
pub(super) enum SignerId<'a> {
    Issuer(IssuerAndSerial<'a>),
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    KeyId(&'a OctetStringRef),
}

/// SignerInfo (RFC 5652 §5.3). The attributes are the contents of their SET OF.
#[derive(Clone, Debug, Sequence)]
pub(super) struct SignerInfo<'a> {
    pub(super) version: u8,
    pub(super) sid: SignerId<'a>,
    pub(super) digest_algorithm: AlgorithmIdentifierRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub(super) signed: Option<RawSet<'a>>,
    pub(super) signature_algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) signature: &'a OctetStringRef,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub(super) unsigned: Option<RawSet<'a>>,
}

/// Attribute (RFC 5652 §5.3).
#[derive(Clone, Copy, Debug, Sequence)]
pub(super) struct Attribute<'a> {
    pub(super) kind: ObjectIdentifier,
    pub(super) values: RawSet<'a>,
}

/// SigningCertificateV2 (RFC 5035 §3).
#[derive(Clone, Debug, Sequence)]
pub(super) struct SigningCertificateV2<'a> {
    pub(super) certificates: Vec<EssCertIdV2<'a>>,
    #[asn1(optional = "true")]
    pub(super) policies: Option<AnyRef<'a>>,
}

/// ESSCertIDv2 (RFC 5035 §4). Without an algorithm the hash is SHA-256.
#[derive(Clone, Copy, Debug, Sequence)]
pub(super) struct EssCertIdV2<'a> {
    #[asn1(optional = "true")]
    pub(super) algorithm: Option<AlgorithmIdentifierRef<'a>>,
    pub(super) hash: &'a OctetStringRef,
    #[asn1(optional = "true")]
    pub(super) issuer_serial: Option<IssuerSerial<'a>>,
}

/// IssuerSerial (RFC 5035 §4): its GeneralNames hold one directoryName.
#[derive(Clone, Copy, Debug, Sequence)]
pub(super) struct IssuerSerial<'a> {
    pub(super) issuer: DirectoryNames<'a>,
    pub(super) serial: AnyRef<'a>,
}

/// GeneralNames (RFC 5280 §4.2.1.6) of exactly one directoryName.
#[derive(Clone, Copy, Debug, Sequence)]
pub(super) struct DirectoryNames<'a> {
    #[asn1(context_specific = "4", tag_mode = "EXPLICIT")]
    pub(super) name: AnyRef<'a>,
}
