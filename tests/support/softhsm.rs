//! Private SoftHSM tokens for tests: one folder, one configuration and one process for each story.
//!
//! SoftHSM reads `SOFTHSM2_CONF` from the environment, and a process cannot safely change its own. So [`story`] runs the test
//! a second time as a child process that has the variable. Use it as
//!
//! ```ignore
//! #[path = "support/softhsm.rs"]
//! mod softhsm;
//!
//! #[test]
//! fn a_signature_verifies() {
//!     softhsm::story("a_signature_verifies", |hsm| {
//!         hsm.host(|host| {
//!             let slot = host.token("tokA", "123456");
//!             let session = host.login(slot, "123456");
//!             let key = host.p256(&session, &[1], "key", &[]);
//!             host.certificate(&session, &softhsm::issue("CN=Test CA", "CN=Somebody", &key.spki, vec![]), &[1], "cert");
//!         });
//!         // now load `softhsm::MODULE` with the library
//!     });
//! }
//! ```

#![allow(dead_code, unreachable_pub)]

#[path = "child.rs"]
pub mod child;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, CertificateType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use der::asn1::{BitString, OctetString};
use der::{Decode, Encode};
use p256::ecdsa::{DerSignature, SigningKey};
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::Validity;

pub use child::skip;

/// The module, where Debian and Ubuntu install it.
pub const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// The security officer's PIN of every test token.
pub const SO_PIN: &str = "00000000";

/// The private folder of one story.
#[derive(Debug)]
pub struct SoftHsm {
    dir: PathBuf,
}

/// Runs `body` in a child process with its own SoftHSM. `name` is the test's path in its file, as `cargo test` shows it.
pub fn story(name: &str, body: impl FnOnce(&SoftHsm)) {
    story_with(name, |_| Vec::new(), body);
}

/// As [`story`], with more variables in the child's environment; `env` is given the private folder.
pub fn story_with(name: &str, env: impl FnOnce(&Path) -> child::Env, body: impl FnOnce(&SoftHsm)) {
    if !child::inside() && !Path::new(MODULE).exists() {
        return skip(name, "SoftHSM is not installed (apt-get install softhsm2)");
    }
    let prepare = |dir: &Path| {
        let mut variables = vec![("SOFTHSM2_CONF", configure(dir).into())];
        variables.extend(env(dir));
        variables
    };
    child::story(name, prepare, |dir| body(&SoftHsm::at(dir.to_owned())));
}

/// Writes SoftHSM's configuration for tokens in this folder: what `SOFTHSM2_CONF` has to be.
pub fn configure(dir: &Path) -> PathBuf {
    let (tokens, file) = (dir.join("tokens"), dir.join("softhsm2.conf"));
    fs::create_dir_all(&tokens).unwrap();
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
        tokens.display()
    );
    fs::write(&file, text).unwrap();
    file
}

impl SoftHsm {
    /// The folder of a story, seen from a second process of it.
    pub fn at(dir: PathBuf) -> Self {
        SoftHsm { dir }
    }

    /// The private folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes tokens as an issuing program would, and leaves the module as if nobody had used it in this process.
    pub fn host<R>(&self, work: impl FnOnce(&Host) -> R) -> R {
        let host = Host::new();
        let result = work(&host);
        host.p11.finalize().unwrap();
        result
    }
}

/// A program beside the library that uses the same module in the same process.
#[derive(Debug)]
pub struct Host {
    /// Its own view of the module.
    pub p11: Pkcs11,
}

/// A key pair on a token.
#[derive(Debug, Clone)]
pub struct Pair {
    /// SubjectPublicKeyInfo in DER.
    pub spki: Vec<u8>,
    /// The public key object.
    pub public: ObjectHandle,
    /// The private key object.
    pub private: ObjectHandle,
}

impl Host {
    /// Loads and initialises SoftHSM.
    pub fn new() -> Self {
        Host::of(MODULE)
    }

    /// Loads and initialises another module.
    pub fn of(module: impl AsRef<Path>) -> Self {
        let p11 = Pkcs11::new(module).unwrap();
        p11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).unwrap();
        Host { p11 }
    }

    /// Loads a module that is initialised already.
    pub fn beside(module: impl AsRef<Path>) -> Self {
        Host { p11: Pkcs11::new(module).unwrap() }
    }

    /// Initialises the free slot with a label and a user PIN.
    pub fn token(&self, label: &str, pin: &str) -> Slot {
        let free = |slot: &Slot| !self.p11.get_token_info(*slot).unwrap().token_initialized();
        let slot = self.p11.get_slots_with_token().unwrap().into_iter().find(free).unwrap();
        self.p11.init_token(slot, &pin_of(SO_PIN), label).unwrap();
        let slot = self.slot(label);
        let session = self.p11.open_rw_session(slot).unwrap();
        session.login(UserType::So, Some(&pin_of(SO_PIN))).unwrap();
        session.init_pin(&pin_of(pin)).unwrap();
        session.logout().unwrap();
        slot
    }

    /// The slot of the token with this label.
    pub fn slot(&self, label: &str) -> Slot {
        let named = |slot: &Slot| self.p11.get_token_info(*slot).unwrap().label() == label;
        self.p11.get_slots_with_token().unwrap().into_iter().find(named).unwrap()
    }

    /// A session that is logged in as the user.
    pub fn login(&self, slot: Slot, pin: &str) -> Session {
        let session = self.p11.open_rw_session(slot).unwrap();
        session.login(UserType::User, Some(&pin_of(pin))).unwrap();
        session
    }

    /// Generates a P-256 key pair on the token; `more` goes to the private key.
    pub fn p256(&self, session: &Session, id: &[u8], label: &str, more: &[Attribute]) -> Pair {
        let curve = vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]; // OID 1.2.840.10045.3.1.7
        let (public, private) =
            generate(session, &Mechanism::EccKeyPairGen, Attribute::EcParams(curve), id, label, more);
        let Some(Attribute::EcPoint(point)) = read(session, public, AttributeType::EcPoint) else { panic!("no point") };
        let point = OctetString::from_der(&point).unwrap();
        let key = p256::PublicKey::from_sec1_bytes(point.as_bytes()).unwrap();
        let spki = SubjectPublicKeyInfoOwned::from_key(&key).unwrap().to_der().unwrap();
        Pair { spki, public, private }
    }

    /// Generates an RSA key pair on the token; `more` goes to the private key.
    pub fn rsa(&self, session: &Session, bits: u32, id: &[u8], label: &str, more: &[Attribute]) -> Pair {
        let bits = Attribute::ModulusBits(u64::from(bits).into());
        let (public, private) = generate(session, &Mechanism::RsaPkcsKeyPairGen, bits, id, label, more);
        let number = |kind| match read(session, public, kind) {
            Some(Attribute::Modulus(n) | Attribute::PublicExponent(n)) => n,
            other => panic!("{other:?}"),
        };
        let spki = rsa_spki(&number(AttributeType::Modulus), &number(AttributeType::PublicExponent));
        Pair { spki, public, private }
    }

    /// Puts an SM2 key pair with this scalar on the token; `more` goes to the private key. SoftHSM keeps it and cannot sign with it: the shim
    /// does (`tests/modules/README.md`), so the scalar can be read after a login. A throw-away key.
    #[cfg(feature = "sm")]
    pub fn sm2(&self, session: &Session, scalar: &[u8; 32], id: &[u8], label: &str, more: &[Attribute]) -> Pair {
        use cryptoki::object::KeyType;
        use x509_cert::spki::EncodePublicKey;
        let key = sm2::SecretKey::from_slice(scalar).unwrap().public_key();
        let curve = vec![0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d]; // OID 1.2.156.10197.1.301
        let point = sm2::dsa::VerifyingKey::new("", key).unwrap().to_sec1_bytes();
        let common = |class| {
            vec![
                Attribute::Class(class),
                Attribute::KeyType(KeyType::EC),
                Attribute::Token(true),
                Attribute::Id(id.to_vec()),
                Attribute::Label(label.as_bytes().to_vec()),
                Attribute::EcParams(curve.clone()),
            ]
        };
        let mut public = common(ObjectClass::PUBLIC_KEY);
        let point = OctetString::new(point.to_vec()).unwrap().to_der().unwrap();
        public.extend([Attribute::Private(false), Attribute::Verify(true), Attribute::EcPoint(point)]);
        let mut private = common(ObjectClass::PRIVATE_KEY);
        private.extend([Attribute::Private(true), Attribute::Sensitive(false), Attribute::Extractable(true)]);
        private.extend([Attribute::Sign(true), Attribute::Value(scalar.to_vec())]);
        private.retain(|a| more.iter().all(|m| m.attribute_type() != a.attribute_type()));
        private.extend_from_slice(more);
        Pair {
            spki: key.to_public_key_der().unwrap().as_bytes().to_vec(),
            public: session.create_object(&public).unwrap(),
            private: session.create_object(&private).unwrap(),
        }
    }

    /// Stores a certificate.
    pub fn certificate(&self, session: &Session, der: &[u8], id: &[u8], label: &str) -> ObjectHandle {
        let template = [
            Attribute::Class(ObjectClass::CERTIFICATE),
            Attribute::CertificateType(CertificateType::X_509),
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Id(id.to_vec()),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Subject(subject_of(der)),
            Attribute::Value(der.to_vec()),
        ];
        session.create_object(&template).unwrap()
    }
}

/// A PIN for cryptoki.
pub fn pin_of(pin: &str) -> AuthPin {
    AuthPin::new(pin.into())
}

fn generate(
    session: &Session,
    mechanism: &Mechanism<'_>,
    size: Attribute,
    id: &[u8],
    label: &str,
    more: &[Attribute],
) -> (ObjectHandle, ObjectHandle) {
    let name = [Attribute::Token(true), Attribute::Id(id.to_vec()), Attribute::Label(label.as_bytes().to_vec())];
    let mut public = name.to_vec();
    public.extend([Attribute::Private(false), Attribute::Verify(true), size]);
    let mut private = name.to_vec();
    private.extend([Attribute::Private(true), Attribute::Sensitive(true), Attribute::Sign(true)]);
    private.retain(|a| more.iter().all(|m| m.attribute_type() != a.attribute_type()));
    private.extend_from_slice(more);
    session.generate_key_pair(mechanism, &public, &private).unwrap()
}

fn read(session: &Session, object: ObjectHandle, kind: AttributeType) -> Option<Attribute> {
    session.get_attributes(object, &[kind]).unwrap().pop()
}

/// RSAPublicKey ::= SEQUENCE { modulus, publicExponent } (RFC 8017, A.1.1).
#[derive(der::Sequence)]
struct RsaPublic<'a> {
    modulus: der::asn1::UintRef<'a>,
    exponent: der::asn1::UintRef<'a>,
}

fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let uint = |octets| der::asn1::UintRef::new(octets).unwrap();
    let key = RsaPublic { modulus: uint(modulus), exponent: uint(exponent) }.to_der().unwrap();
    let algorithm = x509_cert::spki::AlgorithmIdentifierOwned {
        oid: const_oid::ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1"),
        parameters: Some(der::Any::null()),
    };
    SubjectPublicKeyInfoOwned { algorithm, subject_public_key: BitString::from_bytes(&key).unwrap() }.to_der().unwrap()
}

struct Leaf {
    issuer: Name,
    subject: Name,
    extensions: Vec<Extension>,
}

impl BuilderProfile for Leaf {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        _: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        Ok(self.extensions.clone())
    }
}

/// A certificate over `spki`, valid for a year from now, signed by a throw-away P-256 key. Names as `CN=Somebody,O=Something`.
pub fn issue(issuer: &str, subject: &str, spki: &[u8], extensions: Vec<Extension>) -> Vec<u8> {
    let signer = SigningKey::from_slice(&[7; 32]).unwrap();
    let leaf = Leaf { issuer: issuer.parse().unwrap(), subject: subject.parse().unwrap(), extensions };
    let serial = SerialNumber::new(&[&[1], spki.get(spki.len().saturating_sub(7)..).unwrap()].concat()).unwrap();
    let validity = Validity::from_now(Duration::from_secs(365 * 86_400)).unwrap();
    let spki = SubjectPublicKeyInfoOwned::from_der(spki).unwrap();
    let builder = CertificateBuilder::new(leaf, serial, validity, spki).unwrap();
    builder.build::<_, DerSignature>(&signer).unwrap().to_der().unwrap()
}

/// The certificate of an issuer of [`issue`], for a judge that wants a chain.
pub fn authority(name: &str) -> Vec<u8> {
    let key = p256::PublicKey::from(SigningKey::from_slice(&[7; 32]).unwrap().verifying_key());
    let spki = SubjectPublicKeyInfoOwned::from_key(&key).unwrap().to_der().unwrap();
    let ca = x509_cert::ext::pkix::BasicConstraints { ca: true, path_len_constraint: None };
    issue(
        name,
        name,
        &spki,
        vec![Extension {
            extn_id: <x509_cert::ext::pkix::BasicConstraints as const_oid::AssociatedOid>::OID,
            critical: true,
            extn_value: OctetString::new(ca.to_der().unwrap()).unwrap(),
        }],
    )
}

fn subject_of(der: &[u8]) -> Vec<u8> {
    // A test may store octets that are no certificate.
    x509_cert::Certificate::from_der(der)
        .ok()
        .and_then(|c| c.tbs_certificate().subject().to_der().ok())
        .unwrap_or_else(|| vec![0x30, 0])
}
