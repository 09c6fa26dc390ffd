//! Containers (GM/T 0017 §9.5) and what they show without a PIN: certificates and public keys.

use der::Encode;
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::application::AppId;
use super::dialect::Order;
use super::frame::{self, Fields, NO_CERTIFICATE};
use super::name::{Half, Name};
use crate::apdu::{Exchange, Expect, Sw};
use crate::error::{Error, ErrorKind, Result};
use crate::policy;
use crate::suite::{KeyKind, PublicKey};

/// The number that a card gave a container when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContainerId(pub(super) [u8; 2]);

/// What is in a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Empty,
    Rsa,
    Sm2,
    /// A marked extension of the simulator.
    P256,
    Other(u8),
}

/// GetContainerInfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) kind: Kind,
    pub(super) signing_certificate: bool,
    pub(super) encryption_certificate: bool,
}

/// The octet of P-256 in container types, and P2 of GenECCKeyPair for it.
pub(super) const P256: u8 = 0x50;
/// Bits of an SM2 key, and of a P-256 one.
pub(super) const BITS: u32 = 256;

/// EnumContainer; and whether names were passed over.
pub(super) fn list(card: &mut Exchange<'_>, application: AppId) -> Result<(Vec<Name>, bool)> {
    let answer = frame::run(card, &frame::reading("EnumContainer", 0x46, 0, 0).data(&application.0))?;
    Ok(Name::list(&answer, policy::CONTAINERS_MAX))
}

/// GetContainerInfo: type1, signBits4, exchBits4, signCert1, exchCert1.
pub(super) fn info(card: &mut Exchange<'_>, application: AppId, name: &Name) -> Result<Info> {
    const NAME: &str = "GetContainerInfo";
    let data = [&application.0[..], name.octets()].concat();
    let answer = frame::run(card, &frame::command(NAME, 0x4A, 0, 0).data(&data).expect(Expect::Exactly(11)))?;
    let mut fields = Fields::of(&answer, NAME);
    let [kind] = fields.take()?;
    let _bits = fields.take::<8>()?;
    let [signing, encryption] = fields.take()?;
    fields.end()?;
    let kind = match kind {
        0 => Kind::Empty,
        1 => Kind::Rsa,
        2 => Kind::Sm2,
        P256 => Kind::P256,
        other => Kind::Other(other),
    };
    Ok(Info { kind, signing_certificate: signing != 0, encryption_certificate: encryption != 0 })
}

/// OpenContainer.
pub(super) fn open(card: &mut Exchange<'_>, application: AppId, name: &Name) -> Result<ContainerId> {
    numbered(card, "OpenContainer", 0x42, application, name)
}

/// CreateContainer. It wants the user's login.
pub(super) fn create(card: &mut Exchange<'_>, application: AppId, name: &Name) -> Result<ContainerId> {
    numbered(card, "CreateContainer", 0x40, application, name)
}

fn numbered(
    card: &mut Exchange<'_>,
    name: &'static str,
    ins: u8,
    application: AppId,
    container: &Name,
) -> Result<ContainerId> {
    let data = [&application.0[..], container.octets()].concat();
    let answer = card.send(&frame::command(name, ins, 0, 0).data(&data).expect(Expect::Exactly(2)))?;
    match answer.sw() {
        Sw::Success => {}
        // No such name: here it is the container's.
        sw if matches!(sw.raw(), 0x6A88 | 0x6A8B) => {
            return Err(sw.as_kind(ErrorKind::KeyMissing, name).detail("there is no such container"));
        }
        sw => return Err(frame::error(sw, name)),
    }
    let mut fields = Fields::of(answer.data(), name);
    let id = ContainerId(fields.take()?);
    fields.end()?;
    Ok(id)
}

/// AppID, ContainerID.
pub(super) fn both(application: AppId, container: ContainerId) -> Vec<u8> {
    [application.0, container.0].concat()
}

/// ExportCertificate: len4, DER. `None` where there is none.
pub(super) fn certificate(
    card: &mut Exchange<'_>,
    (application, container): (AppId, ContainerId),
    half: Half,
    order: Option<Order>,
) -> Result<Option<Vec<u8>>> {
    const NAME: &str = "ExportCertificate";
    let command = frame::reading(NAME, 0x4E, half.octet(), 0).data(&both(application, container));
    let answer = card.send(&command)?;
    match answer.sw() {
        Sw::Success => {}
        sw if sw.raw() == NO_CERTIFICATE => return Ok(None),
        sw => return Err(frame::error(sw, NAME)),
    }
    let der = Fields::of(answer.data(), NAME).counted(order)?;
    match der.len() {
        0 => Ok(None),
        1..=policy::CERTIFICATE_MAX => Ok(Some(der.to_vec())),
        _ => Err(Error::new(ErrorKind::CertificateMalformed, NAME)
            .detail(format!("more than {} octets", policy::CERTIFICATE_MAX))),
    }
}

/// id-ecPublicKey (RFC 5480 §2.1.1), prime256v1, and the SM2 curve (GM/T 0006).
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const PRIME256V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SM2P256V1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");

/// The public key with these coordinates.
///
/// # Errors
/// `KeyMalformed` for a point that is not on the curve.
pub(super) fn public_key(kind: KeyKind, point: &[u8; 64], name: &'static str) -> Result<PublicKey> {
    let bad = || Error::new(ErrorKind::KeyMalformed, name).detail(format!("the point is not on the curve of {kind}"));
    let curve = if kind == KeyKind::P256 { PRIME256V1 } else { SM2P256V1 };
    let octets = [&[0x04], &point[..]].concat();
    let spki = SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef { oid: EC, parameters: Some(AnyRef::from(&curve)) },
        subject_public_key: BitStringRef::from_bytes(&octets).map_err(|_| bad())?,
    };
    let spki = spki.to_der().map_err(|_| bad())?;
    PublicKey::from_spki(&spki).map_err(|_| bad())
}

/// ExportPublicKey: bits4, X, Y.
///
/// # Errors
/// `KeyMissing`, `KeyMalformed` for what cannot be a public key, and what the card answers.
pub(super) fn export_public_key(
    card: &mut Exchange<'_>,
    (application, container): (AppId, ContainerId),
    (half, kind): (Half, KeyKind),
    order: Option<Order>,
) -> Result<PublicKey> {
    const NAME: &str = "ExportPublicKey";
    let data = both(application, container);
    let answer =
        frame::run(card, &frame::command(NAME, 0x88, half.octet(), 0).data(&data).expect(Expect::Exactly(68)))?;
    let mut fields = Fields::of(&answer, NAME);
    let (bits, point) = (fields.take()?, fields.take()?);
    fields.end()?;
    if !is_256(bits, order) {
        return Err(Error::new(ErrorKind::KeyMalformed, NAME).detail("not a key of 256 bits"));
    }
    public_key(kind, &point, NAME)
}

/// Whether a length in bits is 256; where the order of octets is not known, in either.
pub(super) fn is_256(bits: [u8; 4], order: Option<Order>) -> bool {
    match order {
        Some(order) => order.read(bits) == BITS,
        None => [Order::Big, Order::Little].iter().any(|order| order.read(bits) == BITS),
    }
}
