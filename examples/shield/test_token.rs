//! Tokens of a test shield: takes free slots of a PKCS#11 module, and makes keys and certificates on them.
//!
//! It touches nothing but slots whose token was never initialised.

// Each program that includes this file uses a part of it.
#![allow(dead_code)]

use std::path::Path;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as P11Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, CertificateType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use der::asn1::{Any, BitString, OctetStringRef, UintRef};
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoOwned};
use x509_cert::Certificate;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");

/// What kind of key a certificate has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    P256,
    Rsa2048,
    /// What old e-port cards hold.
    Rsa1024,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Purpose {
    /// False: the key of an encryption certificate.
    pub(crate) signs: bool,
    /// The PIN is wanted before each signature (CKA_ALWAYS_AUTHENTICATE).
    pub(crate) each_time: bool,
}

/// A module, initialised by us or by the program around us.
pub(crate) struct Module {
    p11: Pkcs11,
    ours: bool,
}

impl Module {
    pub(crate) fn open(path: &Path) -> Result<Module, String> {
        let p11 = Pkcs11::new(path).map_err(said("load the module"))?;
        let ours = match p11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) => true,
            Err(P11Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => false,
            Err(e) => return Err(said("C_Initialize")(e)),
        };
        Ok(Module { p11, ours })
    }

    /// Finalises it, if it was us who initialised it.
    pub(crate) fn close(self) -> Result<(), String> {
        if self.ours { self.p11.finalize().map_err(said("C_Finalize")) } else { Ok(()) }
    }

    /// Fails unless no token has one of these labels and a slot is free. Nothing is changed.
    pub(crate) fn check_free(&self, labels: &[&str]) -> Result<(), String> {
        for slot in self.slots()? {
            let info = self.p11.get_token_info(slot).map_err(said("C_GetTokenInfo"))?;
            if info.token_initialized() && labels.contains(&info.label()) {
                return Err(format!(
                    "there is a token \"{}\" already, which is not touched: use another label",
                    info.label()
                ));
            }
        }
        self.free_slot().map(drop)
    }

    /// Initialises the token of a free slot and sets its user PIN. Gives the slot, which may have another number now, and the
    /// token's serial number.
    pub(crate) fn init_token(&self, label: &str, so_pin: &str, user_pin: &str) -> Result<(Slot, String), String> {
        let slot = self.free_slot()?;
        let so = AuthPin::from(so_pin.to_owned());
        self.p11.init_token(slot, &so, label).map_err(said("C_InitToken"))?;
        for slot in self.slots()? {
            let info = self.p11.get_token_info(slot).map_err(said("C_GetTokenInfo"))?;
            if info.label() == label {
                let session = self.p11.open_rw_session(slot).map_err(said("C_OpenSession"))?;
                session.login(UserType::So, Some(&so)).map_err(said("C_Login as SO"))?;
                session.init_pin(&AuthPin::from(user_pin.to_owned())).map_err(said("C_InitPIN"))?;
                session.logout().map_err(said("C_Logout"))?;
                return Ok((slot, info.serial_number().to_owned()));
            }
        }
        Err(format!("the token \"{label}\" was initialised and is not there any more"))
    }

    /// A session in which keys can be made.
    pub(crate) fn login(&self, slot: Slot, user_pin: &str) -> Result<Workshop, String> {
        let session = self.p11.open_rw_session(slot).map_err(said("C_OpenSession"))?;
        session.login(UserType::User, Some(&AuthPin::from(user_pin.to_owned()))).map_err(said("C_Login"))?;
        Ok(Workshop { session })
    }

    fn slots(&self) -> Result<Vec<Slot>, String> {
        self.p11.get_slots_with_token().map_err(said("C_GetSlotList"))
    }

    fn free_slot(&self) -> Result<Slot, String> {
        for slot in self.slots()? {
            if !self.p11.get_token_info(slot).map_err(said("C_GetTokenInfo"))?.token_initialized() {
                return Ok(slot);
            }
        }
        Err("no slot with an uninitialised token: others are not touched".to_owned())
    }
}

/// A logged-in session.
pub(crate) struct Workshop {
    session: Session,
}

impl Workshop {
    /// Makes a key pair on the token. Gives its SubjectPublicKeyInfo.
    pub(crate) fn generate(&self, key: Key, purpose: Purpose, id: u8, label: &str) -> Result<Vec<u8>, String> {
        let (mechanism, size) = match key {
            Key::P256 => (Mechanism::EccKeyPairGen, Attribute::EcParams(P256.to_der().map_err(text)?)),
            Key::Rsa2048 => (Mechanism::RsaPkcsKeyPairGen, Attribute::ModulusBits(2048.into())),
            Key::Rsa1024 => (Mechanism::RsaPkcsKeyPairGen, Attribute::ModulusBits(1024.into())),
        };
        let mut public = named(id, label);
        public.extend([Attribute::Private(false), Attribute::Verify(purpose.signs), size]);
        if key != Key::P256 {
            public.push(Attribute::PublicExponent(vec![1, 0, 1]));
        }
        let mut private = named(id, label);
        private.extend(secret(purpose, key == Key::P256));
        let (public, _) =
            self.session.generate_key_pair(&mechanism, &public, &private).map_err(said("C_GenerateKeyPair"))?;
        match key {
            Key::P256 => ec_spki(&self.octets(public, AttributeType::EcPoint)?),
            Key::Rsa2048 | Key::Rsa1024 => rsa_spki(
                &self.octets(public, AttributeType::Modulus)?,
                &self.octets(public, AttributeType::PublicExponent)?,
            ),
        }
    }

    /// Puts a throw-away RSA key (PKCS#8 in PEM) on the token. Gives its SubjectPublicKeyInfo.
    pub(crate) fn import_rsa(&self, pkcs8: &[u8], purpose: Purpose, id: u8, label: &str) -> Result<Vec<u8>, String> {
        let (_, octets) = der::pem::decode_vec(pkcs8).map_err(text)?;
        let outer = PrivateKeyInfo::from_der(&octets).map_err(text)?;
        if outer.algorithm.oid != RSA {
            return Err("only an RSA key can be imported".to_owned());
        }
        let key = RsaPrivateKey::from_der(outer.private_key.as_bytes()).map_err(text)?;
        let octets = |n: UintRef<'_>| n.as_bytes().to_vec();
        let rsa = [Attribute::KeyType(KeyType::RSA), Attribute::Modulus(octets(key.modulus))];
        let exponent = Attribute::PublicExponent(octets(key.public_exponent));
        let mut public = named(id, label);
        public.extend([Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Private(false), Attribute::Verify(true)]);
        public.extend(rsa.iter().cloned().chain([exponent.clone()]));
        let mut private = named(id, label);
        private.extend(secret(purpose, false));
        private.extend(rsa.into_iter().chain([
            exponent,
            Attribute::Class(ObjectClass::PRIVATE_KEY),
            Attribute::PrivateExponent(octets(key.private_exponent)),
            Attribute::Prime1(octets(key.prime1)),
            Attribute::Prime2(octets(key.prime2)),
            Attribute::Exponent1(octets(key.exponent1)),
            Attribute::Exponent2(octets(key.exponent2)),
            Attribute::Coefficient(octets(key.coefficient)),
        ]));
        for template in [public, private] {
            self.session.create_object(&template).map_err(said("C_CreateObject"))?;
        }
        rsa_spki(key.modulus.as_bytes(), key.public_exponent.as_bytes())
    }

    /// Stores a certificate beside its key.
    pub(crate) fn store(&self, der: &[u8], id: u8, label: &str) -> Result<(), String> {
        let certificate = Certificate::from_der(der).map_err(text)?;
        let tbs = certificate.tbs_certificate();
        let mut template = named(id, label);
        template.extend([
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::CertificateType(CertificateType::X_509),
            Attribute::Private(false),
            Attribute::Subject(tbs.subject().to_der().map_err(text)?),
            Attribute::Issuer(tbs.issuer().to_der().map_err(text)?),
            Attribute::SerialNumber(tbs.serial_number().to_der().map_err(text)?),
            Attribute::Value(der.to_vec()),
        ]);
        self.session.create_object(&template).map(drop).map_err(said("C_CreateObject"))
    }

    fn octets(&self, object: ObjectHandle, kind: AttributeType) -> Result<Vec<u8>, String> {
        match self.session.get_attributes(object, &[kind]).map_err(said("C_GetAttributeValue"))?.pop() {
            Some(Attribute::EcPoint(octets) | Attribute::Modulus(octets) | Attribute::PublicExponent(octets)) => {
                Ok(octets)
            }
            _ => Err(format!("the token does not tell {kind}")),
        }
    }
}

fn named(id: u8, label: &str) -> Vec<Attribute> {
    vec![Attribute::Token(true), Attribute::Id(vec![id]), Attribute::Label(label.as_bytes().to_vec())]
}

/// A private key that never leaves the token.
fn secret(purpose: Purpose, ec: bool) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(purpose.signs),
    ];
    if !purpose.signs {
        template.push(if ec { Attribute::Derive(true) } else { Attribute::Decrypt(true) });
    }
    if purpose.each_time {
        template.push(Attribute::AlwaysAuthenticate(true));
    }
    template
}

/// PrivateKeyInfo (RFC 5208 §5), as far as it is needed here.
#[derive(der::Sequence)]
struct PrivateKeyInfo<'a> {
    version: u8,
    algorithm: AlgorithmIdentifierRef<'a>,
    private_key: &'a OctetStringRef,
}

/// RSAPrivateKey of two primes (RFC 8017 §A.1.2).
#[derive(der::Sequence)]
struct RsaPrivateKey<'a> {
    version: u8,
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
    private_exponent: UintRef<'a>,
    prime1: UintRef<'a>,
    prime2: UintRef<'a>,
    exponent1: UintRef<'a>,
    exponent2: UintRef<'a>,
    coefficient: UintRef<'a>,
}

/// RSAPublicKey (RFC 8017 §A.1.1).
#[derive(der::Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Result<Vec<u8>, String> {
    let uint = |octets| UintRef::new(octets).map_err(text);
    let key = RsaPublicKey { modulus: uint(modulus)?, exponent: uint(exponent)? }.to_der().map_err(text)?;
    spki(RSA, Any::null(), &key)
}

/// CKA_EC_POINT is the point as an OCTET STRING (PKCS#11 2.40, EC public keys); some modules leave the wrapping out.
fn ec_spki(point: &[u8]) -> Result<Vec<u8>, String> {
    let inner = <&OctetStringRef>::from_der(point).map_or(point, OctetStringRef::as_bytes);
    spki(EC, Any::from(P256), inner)
}

fn spki(oid: ObjectIdentifier, parameters: Any, key: &[u8]) -> Result<Vec<u8>, String> {
    let algorithm = AlgorithmIdentifierOwned { oid, parameters: Some(parameters) };
    let subject_public_key = BitString::from_bytes(key).map_err(text)?;
    SubjectPublicKeyInfoOwned { algorithm, subject_public_key }.to_der().map_err(text)
}

fn said(call: &'static str) -> impl Fn(P11Error) -> String {
    move |error| format!("{call}: {error}")
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
