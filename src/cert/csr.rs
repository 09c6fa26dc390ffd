//! Certificate requests (PKCS #10, RFC 2986): the octets that a key on a token has to sign, the finished request, and requests made by others.
//!
//! SM2 keys sign them with the default identifier in Z and SM2-with-SM3, whose parameters are absent when written and absent or NULL when read.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use der::asn1::{
    Any, BitString, Ia5StringRef, ObjectIdentifier, OctetString, PrintableStringRef, SetOfVec, Utf8StringRef,
};
use der::{Decode, Encode, Tag, Tagged};
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};

use super::issued::{algorithm_of, first_of_sequence, suite_of};
use super::{Certificate, NameFacts, refuse_twice};
use crate::error::{Error, ErrorKind, Result};
use crate::policy;
use crate::suite::{PublicKey, RawSignature, Suite, Summary, ToBeSigned};

const BUILD: &str = "build certificate request";

fn bad(what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::DocumentMalformed, "read certificate request").detail(what.to_string())
}

fn argument(what: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Argument, BUILD).detail(what.to_string())
}

/// A certificate request on its way: subject, public key, and what the issuing office is asked for.
///
/// ```
/// use shared_shield::cert::RequestBuilder;
/// # fn example(key: &shared_shield::suite::PublicKey) -> shared_shield::Result<()> {
/// let request = RequestBuilder::new("CN=Test Operator,OU=Synthetic Trading Co,C=CN", key)?
///     .extension("2.5.29.15", true, &[0x03, 0x02, 0x06, 0xC0]) // key usage: digitalSignature, nonRepudiation
///     .build()?;
/// let to_be_signed = request.tbs(); // for the token that holds the key; then request.finish(&signature)
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RequestBuilder {
    subject: Name,
    key: PublicKey,
    attributes: Vec<(String, Vec<u8>)>,
    extensions: Vec<(String, bool, Vec<u8>)>,
}

impl RequestBuilder {
    /// For a subject as text, the most special part first (RFC 4514): `CN=…,O=…,C=CN`.
    ///
    /// # Errors
    /// `Argument` when the text is no distinguished name, or a value does not go into its string type: country and serial number are
    /// PrintableString, mail addresses and domains IA5String, all else UTF8String (RFC 5280 annex A.1).
    pub fn new(subject: &str, key: &PublicKey) -> Result<Self> {
        // The reason of a refusal might repeat the name.
        let name = Name::from_str(subject).map_err(|_| argument("the subject is no distinguished name (RFC 4514)"))?;
        let fits = |value: &Any| match value.tag() {
            Tag::PrintableString => PrintableStringRef::try_from(value).is_ok(),
            Tag::Ia5String => Ia5StringRef::try_from(value).is_ok(),
            Tag::Utf8String => Utf8StringRef::try_from(value).is_ok(),
            _ => true,
        };
        if let Some(wrong) = name.iter().find(|a| a.value.value().is_empty() || !fits(&a.value)) {
            return Err(argument(format!("the value of {} does not go into its string type", wrong.oid)));
        }
        Ok(RequestBuilder::with(name, key))
    }

    /// For the subject of a certificate, octet for octet: a renewal with another key.
    #[must_use]
    pub fn renewing(certificate: &Certificate, key: &PublicKey) -> Self {
        RequestBuilder::with(certificate.inner.tbs_certificate().subject().clone(), key)
    }

    fn with(subject: Name, key: &PublicKey) -> Self {
        RequestBuilder { subject, key: key.clone(), attributes: Vec::new(), extensions: Vec::new() }
    }

    /// Asks for an extension (RFC 2985 §5.4.2): its object identifier, and its value in DER.
    #[must_use]
    pub fn extension(mut self, oid: &str, critical: bool, value: &[u8]) -> Self {
        self.extensions.push((oid.to_owned(), critical, value.to_vec()));
        self
    }

    /// Adds an attribute with one value in DER, such as a challenge password (RFC 2985 §5.4.1).
    #[must_use]
    pub fn attribute(mut self, oid: &str, value: &[u8]) -> Self {
        self.attributes.push((oid.to_owned(), value.to_vec()));
        self
    }

    /// Works out what is to be signed.
    ///
    /// # Errors
    /// `Argument` for an object identifier or a value that is none, or one that is there twice; `KeyUnsuited` for a key that no suite serves,
    /// such as RSA-1024.
    pub fn build(self) -> Result<UnsignedRequest> {
        let kind = self.key.kind();
        let unsuited = || Error::new(ErrorKind::KeyUnsuited, BUILD).detail(kind.to_string());
        let suite = Suite::preferred(kind).ok_or_else(unsuited)?;
        let public_key = spki::SubjectPublicKeyInfoOwned::from_der(self.key.spki()).map_err(argument)?;
        let info = CertReqInfo { version: Version::V1, attributes: self.asked()?, subject: self.subject, public_key };
        let info = info.to_der().map_err(argument)?;
        if info.len() > policy::CERTIFICATE_MAX {
            return Err(argument(format!("{} octets, at most {}", info.len(), policy::CERTIFICATE_MAX)));
        }
        let mut tbs = ToBeSigned::over(suite, &self.key, &info)?;
        let digest = format!("{} {}", tbs.digest.algorithm().name(), tbs.digest.hex());
        tbs.display = Some(Arc::new(Summary { text: format!("certificate request for the {kind} key, {digest}") }));
        tbs.message = Some(Arc::from(info));
        Ok(UnsignedRequest { tbs, key: self.key })
    }

    /// The attributes: those of the caller, and one that holds all extensions.
    fn asked(&self) -> Result<Attributes> {
        let mut attributes = Attributes::new();
        for (oid, value) in &self.attributes {
            let value = Any::from_der(value).map_err(|e| argument(format!("the value of attribute {oid}: {e}")))?;
            let values = SetOfVec::try_from(vec![value]).map_err(argument)?;
            add(&mut attributes, Attribute { oid: identifier(oid)?, values })?;
        }
        let mut extensions = Vec::new();
        for (oid, critical, value) in &self.extensions {
            Any::from_der(value).map_err(|e| argument(format!("the value of extension {oid}: {e}")))?;
            let extn_value = OctetString::new(value.as_slice()).map_err(argument)?;
            extensions.push(Extension { extn_id: identifier(oid)?, critical: *critical, extn_value });
        }
        refuse_twice(&extensions).map_err(|_| argument("an extension is there twice"))?;
        if !extensions.is_empty() {
            add(&mut attributes, ExtensionReq(extensions).try_into().map_err(argument)?)?;
        }
        Ok(attributes)
    }
}

fn identifier(dotted: &str) -> Result<ObjectIdentifier> {
    ObjectIdentifier::new(dotted).map_err(|_| argument(format!("{dotted} is no object identifier")))
}

fn add(attributes: &mut Attributes, attribute: Attribute) -> Result<()> {
    if attributes.iter().any(|a| a.oid == attribute.oid) {
        return Err(argument(format!("attribute {} is there twice", attribute.oid)));
    }
    attributes.insert(attribute).map_err(argument)
}

/// Its key alone: the subject names a person.
impl fmt::Debug for RequestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBuilder").field("key", &self.key.kind()).finish_non_exhaustive()
    }
}

/// A request that waits for the signature of its key.
#[derive(Clone)]
pub struct UnsignedRequest {
    tbs: ToBeSigned,
    key: PublicKey,
}

impl UnsignedRequest {
    /// What is to be signed: CertificationRequestInfo (RFC 2986 §4.1), in `message` too.
    #[must_use]
    pub fn tbs(&self) -> &ToBeSigned {
        &self.tbs
    }

    /// Verifies the signature and puts the request together.
    ///
    /// # Errors
    /// `SignatureWrong` when the signature is not the key's, `KeyUnsuited` when it is of another suite.
    pub fn finish(self, signature: &RawSignature) -> Result<CertificateRequest> {
        self.key.verify(&self.tbs, signature)?;
        let defect = |e: der::Error| Error::new(ErrorKind::Defect, BUILD).detail(e.to_string());
        let message = self.tbs.message.as_deref().unwrap_or_default();
        let algorithm = algorithm_of(self.tbs.suite)
            .ok_or_else(|| Error::new(ErrorKind::KeyUnsuited, BUILD).detail(self.tbs.suite.name()))?;
        let wire = signature.to_wire()?;
        let encode = || {
            let info = CertReqInfo::from_der(message)?;
            CertReq { info, algorithm, signature: BitString::from_bytes(&wire)? }.to_der()
        };
        CertificateRequest::from_der(&encode().map_err(defect)?)
    }
}

impl fmt::Debug for UnsignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsignedRequest").field("digest", &self.tbs.digest).finish_non_exhaustive()
    }
}

/// A certificate request, of our own or of others. It is hostile input: nothing in it is proved but, after
/// [`CertificateRequest::check_signature`], that whoever made it has the key.
#[derive(Clone)]
pub struct CertificateRequest {
    der: Vec<u8>,
    inner: CertReq,
    subject: NameFacts,
    key: std::result::Result<PublicKey, Error>,
    extensions: Vec<Extension>,
}

impl CertificateRequest {
    /// Reads DER.
    ///
    /// # Errors
    /// `DocumentMalformed`: not a request, larger than [`policy::CERTIFICATE_MAX`], or one that asks for an extension twice.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        if der.len() > policy::CERTIFICATE_MAX {
            return Err(bad(format!("{} octets, at most {} are read", der.len(), policy::CERTIFICATE_MAX)));
        }
        let inner = CertReq::from_der(der).map_err(bad)?;
        let spki = inner.info.public_key.to_der().map_err(bad)?;
        let extensions = extensions(&inner.info.attributes)?;
        let (subject, key) = (NameFacts::of(&inner.info.subject), PublicKey::from_spki(&spki));
        Ok(CertificateRequest { der: der.to_vec(), inner, subject, key, extensions })
    }

    /// Reads the one request of a PEM text (RFC 7468 §7); the old label NEW CERTIFICATE REQUEST is read too.
    ///
    /// # Errors
    /// `DocumentMalformed`.
    pub fn from_pem(pem: &[u8]) -> Result<Self> {
        if pem.len() > policy::PEM_MAX {
            return Err(bad(format!("{} octets of PEM, at most {} are read", pem.len(), policy::PEM_MAX)));
        }
        let (label, der) = der::pem::decode_vec(pem).map_err(bad)?;
        if !matches!(label, "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") {
            return Err(bad(format!("a PEM text of {}", super::plain(label, 40))));
        }
        CertificateRequest::from_der(&der)
    }

    /// Its DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// It as PEM, as issuing offices take it.
    ///
    /// # Errors
    /// `Defect` alone.
    pub fn pem(&self) -> Result<String> {
        der::pem::encode_string("CERTIFICATE REQUEST", der::pem::LineEnding::LF, &self.der)
            .map_err(|e| Error::new(ErrorKind::Defect, BUILD).detail(e.to_string()))
    }

    /// The subject. It names a person: not for logs and errors.
    #[must_use]
    pub fn subject(&self) -> &NameFacts {
        &self.subject
    }

    /// The public key.
    ///
    /// # Errors
    /// `Unsupported` for an algorithm that this build does not know, `CertificateMalformed` for a key that cannot be.
    pub fn key(&self) -> Result<&PublicKey> {
        self.key.as_ref().map_err(Clone::clone)
    }

    /// The extension that is asked for under this object identifier: whether it is critical, and its value in DER.
    #[must_use]
    pub fn extension(&self, oid: &str) -> Option<(bool, &[u8])> {
        let found = self.extensions.iter().find(|e| e.extn_id.to_string() == oid)?;
        Some((found.critical, found.extn_value.as_bytes()))
    }

    /// Whether the signature is that of the key inside: that whoever made the request has it (RFC 2986 §3).
    ///
    /// # Errors
    /// Why not, in one clause without a person's name.
    pub fn check_signature(&self) -> std::result::Result<(), &'static str> {
        let wrong = "its signature is not that of its key";
        let suite = suite_of(&self.inner.algorithm).ok_or("its signature algorithm is not supported")?;
        let key = self.key.as_ref().map_err(|_| "its key is of an unsupported kind")?;
        let octets = self.inner.signature.as_bytes().ok_or(wrong)?;
        let signature = RawSignature::from_wire(suite, octets).map_err(|_| wrong)?;
        let tbs = ToBeSigned::over(suite, key, first_of_sequence(&self.der).ok_or(wrong)?)
            .map_err(|_| "its key does not fit the signature algorithm")?;
        key.verify(&tbs, &signature).map_err(|_| wrong)
    }
}

/// What the attribute extensionRequest holds; there is one at the most.
fn extensions(attributes: &Attributes) -> Result<Vec<Extension>> {
    let oid = <ExtensionReq as const_oid::AssociatedOid>::OID;
    let mut requests = attributes.iter().filter(|a| a.oid == oid);
    let Some(request) = requests.next() else { return Ok(Vec::new()) };
    let [value] = request.values.as_slice() else { return Err(bad("an extension request of several values")) };
    if requests.next().is_some() {
        return Err(bad("two extension requests"));
    }
    let ExtensionReq(extensions) = value.decode_as().map_err(bad)?;
    refuse_twice(&extensions).map_err(|_| bad("an extension is there twice"))?;
    Ok(extensions)
}

impl fmt::Debug for CertificateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateRequest({} octets)", self.der.len())
    }
}
