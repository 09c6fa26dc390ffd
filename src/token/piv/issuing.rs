//! Making keys and writing certificates (SP 800-73-4 part 2, 3.3).

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use der::{Encode, Sequence};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::driver;
use super::object;
use super::slot::{self, Slot};
use super::token::PivToken;
use crate::apdu::tlv::{self, Objects};
use crate::apdu::{Command, Expect, Sw};
use crate::cert::Certificate;
use crate::error::{Error, ErrorKind, Result};
use crate::policy;
use crate::suite::{KeyKind, PublicKey, Suite};
use crate::token::{AdminAuth, Issuing, Place};

const GENERATE: &str = "GENERATE ASYMMETRIC KEY PAIR";

/// What is made for a suite: RSA keys get 2048 bits.
fn kind(suite: Suite) -> Result<KeyKind> {
    match suite {
        Suite::P256Sha256 => Ok(KeyKind::P256),
        Suite::RsaSha256 | Suite::RsaSha1 => Ok(KeyKind::Rsa { bits: 2048 }),
        other => Err(Error::new(ErrorKind::Unsupported, GENERATE).detail(format!("PIV has no {other}"))),
    }
}

/// id-ecPublicKey and prime256v1 (RFC 5480 §2.1.1), rsaEncryption (RFC 8017 appendix C).
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// RSAPublicKey (RFC 8017 appendix A.1.1).
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

/// The public key that a card made: 7F49 { 86 point } or { 81 modulus, 82 exponent } (part 2, table 11).
fn public_key(answer: &[u8], kind: KeyKind) -> Result<PublicKey> {
    let bad = || object::nonsense(GENERATE, "not a public key of the kind that was asked for".to_owned());
    let inside = Objects::new(answer).only(0x7F49)?.children()?;
    let (algorithm, octets) = if kind == KeyKind::P256 {
        let parameters = Some(AnyRef::from(&P256));
        (AlgorithmIdentifierRef { oid: EC, parameters }, inside.need(0x86)?.value.to_vec())
    } else {
        let modulus = UintRef::new(inside.clone().need(0x81)?.value).map_err(|_| bad())?;
        let exponent = UintRef::new(inside.need(0x82)?.value).map_err(|_| bad())?;
        let key = RsaPublicKey { modulus, exponent }.to_der().map_err(|_| bad())?;
        (AlgorithmIdentifierRef { oid: RSA, parameters: Some(AnyRef::NULL) }, key)
    };
    let subject_public_key = BitStringRef::from_bytes(&octets).map_err(|_| bad())?;
    let spki = SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().map_err(|_| bad())?;
    let key = PublicKey::from_spki(&spki).map_err(|error| match error.kind() {
        ErrorKind::Unsupported => error,
        _ => bad(),
    })?;
    if key.kind() == kind { Ok(key) } else { Err(bad()) }
}

impl PivToken {
    fn administer_by(&mut self, by: AdminAuth<'_>, name: &'static str) -> Result<()> {
        match by {
            AdminAuth::Key(key) => self.administer(key),
            AdminAuth::Pin(_) => {
                Err(Error::new(ErrorKind::AdminKey, name).detail("a PIV card wants its management key"))
            }
        }
    }

    /// Firmware that made weak RSA keys makes none for us (CVE-2017-15361). A version that does not tell counts as such a one.
    fn refuse_weak_rsa(&mut self, kind: KeyKind) -> Result<()> {
        if kind == KeyKind::P256 || !self.quirks.weak_rsa {
            return Ok(());
        }
        match driver::version(&mut self.card)? {
            Some(version) if !([4, 2, 6]..[4, 3, 5]).contains(&version) => Ok(()),
            _ => Err(Error::new(ErrorKind::Unsupported, GENERATE)
                .detail("this firmware makes RSA keys that can be computed (CVE-2017-15361)")),
        }
    }

    /// Whether writing to a slot would destroy something: a certificate, readable or not, or a key where the card tells of keys.
    fn is_taken(&mut self, slot: Slot) -> Result<bool> {
        if self.at.certificate(&slot.certificate()).is_some() {
            return Ok(true);
        }
        match object::read(&mut self.card, slot.object()) {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(true),
            Err(error) if object::is_of_the_object(&error) => return Ok(true),
            Err(error) => return Err(error),
        }
        if !self.quirks.metadata {
            return Ok(false);
        }
        let answer = self.card.send(&Command::new("GET METADATA", 0xF7, 0x00, slot.octet()).expect(Expect::Much))?;
        Ok(answer.sw() == Sw::Success && !answer.data().is_empty())
    }
}

/// What a card says that does not make such keys, or takes nothing from us.
fn refused(sw: Sw, name: &'static str) -> Error {
    match sw {
        Sw::SecurityStatusNotSatisfied => sw.as_kind(ErrorKind::AdminKey, name),
        Sw::DataIncorrect | Sw::IncorrectP1P2 | Sw::WrongParameters => sw.as_kind(ErrorKind::Unsupported, name),
        other => other.error(name),
    }
}

impl Issuing for PivToken {
    fn places(&mut self) -> Result<Vec<Place>> {
        Slot::all().map(|slot| Ok(slot.place(self.is_taken(slot)?))).collect()
    }

    /// 00 47 00, P2 key: AC { 80 algorithm } (3.3.2).
    fn generate(&mut self, at: &Place, suite: Suite, by: AdminAuth<'_>) -> Result<PublicKey> {
        let ((slot, _), kind) = (Slot::of_key(&at.key)?, kind(suite)?);
        let algorithm = slot::algorithm(kind).ok_or_else(|| Error::new(ErrorKind::Unsupported, GENERATE))?;
        self.refuse_weak_rsa(kind)?;
        self.administer_by(by, GENERATE)?;
        // Whatever comes, what was read of this card may not be true any more.
        self.at.forget();
        let template = tlv::object(0xAC, &tlv::object(0x80, &[algorithm])?)?;
        let expect = if kind == KeyKind::P256 { Expect::Some } else { Expect::Much };
        let command = Command::new(GENERATE, 0x47, 0x00, slot.octet()).data(&template).expect(expect);
        let answer = self.card.send(&command)?;
        if answer.sw() != Sw::Success {
            return Err(refused(answer.sw(), GENERATE));
        }
        public_key(answer.data(), kind)
    }

    /// PUT DATA (3.3.1): 00 DB 3F FF, 5C tag, 53 { 70 certificate, 71 00 = not packed, FE nothing } (part 1, table 10).
    fn import_certificate(&mut self, of: &Place, der: &[u8], by: AdminAuth<'_>) -> Result<()> {
        const NAME: &str = "PUT DATA";
        let slot = Slot::of_certificate(&of.certificate)?;
        if der.len() > policy::CERTIFICATE_MAX {
            return Err(Error::new(ErrorKind::CertificateMalformed, NAME)
                .detail(format!("more than {} octets", policy::CERTIFICATE_MAX)));
        }
        Certificate::from_der(der)?;
        let mut inside = tlv::object(0x70, der)?;
        tlv::write(&mut inside, 0x71, &[0x00])?;
        tlv::write(&mut inside, 0xFE, &[])?;
        let mut data = tlv::object(0x5C, slot.object().to_be_bytes().get(1..).unwrap_or_default())?;
        tlv::write(&mut data, 0x53, &inside)?;
        if data.len() > policy::COMMAND_MAX {
            return Err(Error::new(ErrorKind::CertificateMalformed, NAME).detail("larger than a card takes"));
        }
        self.administer_by(by, NAME)?;
        self.at.forget();
        let sw = self.card.send(&Command::new(NAME, 0xDB, 0x3F, 0xFF).data(&data))?.sw();
        match sw {
            Sw::Success => Ok(()),
            Sw::NotEnoughMemory | Sw::WrongLength => {
                Err(sw.as_kind(ErrorKind::CertificateMalformed, NAME).detail("larger than the card takes"))
            }
            other => Err(refused(other, NAME)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_makes_another_key_than_it_was_asked_for_is_not_believed() {
        let point = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap().verifying_key().to_sec1_point(false);
        let right = tlv::object(0x7F49, &tlv::object(0x86, point.as_bytes()).unwrap()).unwrap();
        assert_eq!(public_key(&right, KeyKind::P256).unwrap().point().unwrap(), point.as_bytes());
        let refused = |octets: &[u8], kind| public_key(octets, kind).unwrap_err().kind();
        assert_eq!(refused(&right, KeyKind::Rsa { bits: 2048 }), ErrorKind::TokenAnswer);
        assert_eq!(refused(&right[..right.len() - 1], KeyKind::P256), ErrorKind::TokenAnswer);
        let mut off = right.clone();
        *off.last_mut().unwrap() ^= 1;
        assert_eq!(refused(&off, KeyKind::P256), ErrorKind::TokenAnswer);
        for modulus in [vec![], vec![0], vec![0xFF; 128], vec![0xFE; 256]] {
            let mut inside = tlv::object(0x81, &modulus).unwrap();
            tlv::write(&mut inside, 0x82, &[1, 0, 1]).unwrap();
            let key = tlv::object(0x7F49, &inside).unwrap();
            assert_eq!(refused(&key, KeyKind::Rsa { bits: 2048 }), ErrorKind::TokenAnswer);
        }
    }
}
