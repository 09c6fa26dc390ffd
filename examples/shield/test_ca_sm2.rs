//! The test authority with an SM2 key: certificates signed with SM2-with-SM3, parameters absent (GM/T 0009, OpenSSL).

// Each program that includes this file uses a part of it.
#![allow(dead_code)]

use der::Encode;
use der::asn1::BitString;
use p256::ecdsa::signature::{Error as Refused, Keypair, Signer};
use sm2::SecretKey;
use sm2::dsa::SigningKey;
use sm2::elliptic_curve::Generate;
use spki::{
    AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, EncodePublicKey, ObjectIdentifier,
    SignatureBitStringEncoding,
};
use x509_cert::builder::{Builder, CertificateBuilder};

use crate::test_ca::{CaKey, Fixed};

/// The identifier in Z of every certificate (GM/T 0009-2012 §10).
const ID: &str = "1234567812345678";
const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");

/// A throw-away SM2 key of an authority.
pub(crate) struct Sm2Key(SigningKey);

impl Sm2Key {
    /// A fresh one.
    pub(crate) fn generate() -> Result<Self, String> {
        SigningKey::new(ID, &SecretKey::generate()).map(Sm2Key).map_err(|e| e.to_string())
    }
}

/// A signature in DER.
pub(crate) struct Der(Vec<u8>);

impl SignatureBitStringEncoding for Der {
    fn to_bitstring(&self) -> der::Result<BitString> {
        BitString::from_bytes(&self.0)
    }
}

impl Keypair for Sm2Key {
    type VerifyingKey = sm2::PublicKey;

    fn verifying_key(&self) -> sm2::PublicKey {
        sm2::PublicKey::from_secret_scalar(self.0.as_nonzero_scalar())
    }
}

impl DynSignatureAlgorithmIdentifier for Sm2Key {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(AlgorithmIdentifierOwned { oid: SM2_WITH_SM3, parameters: None })
    }
}

impl Signer<Der> for Sm2Key {
    fn try_sign(&self, message: &[u8]) -> Result<Der, Refused> {
        let signature: sm2::dsa::Signature = self.0.try_sign(message)?;
        Ok(Der(signature.to_der().as_ref().to_vec()))
    }
}

impl CaKey for Sm2Key {
    fn spki(&self) -> Result<Vec<u8>, String> {
        self.verifying_key().to_public_key_der().map(|d| d.into_vec()).map_err(|e| e.to_string())
    }

    fn finish(&self, builder: CertificateBuilder<Fixed>) -> Result<Vec<u8>, String> {
        let certificate = builder.build::<_, Der>(self).map_err(|e| e.to_string())?;
        certificate.to_der().map_err(|e| e.to_string())
    }
}
