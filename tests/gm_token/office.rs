//! What a CA and a sender do for the keys of a shield, by openssl alone. Structures are put together by hand, without the library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sm2_judge::{parts, value};

/// 1.2.156.10197.1.104.1: SM4 in ECB.
const SM4_ECB: &[u8] = b"\x06\x08\x2A\x81\x1C\xCF\x55\x01\x68\x01";

/// A folder for files of openssl, gone with the test.
pub(crate) struct Office(PathBuf);

impl Drop for Office {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An encryption pair that is wrapped for a signing key.
pub(crate) struct Wrapped {
    /// SubjectPublicKeyInfo of the pair, as openssl writes it.
    pub(crate) spki: Vec<u8>,
    /// SM2EnvelopedKey (GM/T 0009 §7.4), with the 32 octets of the private key.
    pub(crate) der: Vec<u8>,
    /// ENVELOPEDKEYBLOB (GM/T 0016 §6.4), with all 64.
    pub(crate) blob: Vec<u8>,
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// An element in DER.
fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(value.len()).unwrap().to_be_bytes();
    let head = match (high, low) {
        (0, 0..0x80) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [&head[..], value].concat()
}

/// A number at the end of so many octets.
fn wide(number: &[u8], octets: usize) -> Vec<u8> {
    let start = number.iter().position(|octet| *octet != 0).unwrap_or(number.len());
    [&vec![0; octets - (number.len() - start)][..], &number[start..]].concat()
}

impl Office {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("office-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        Office(folder)
    }

    fn put(&self, name: &str, octets: &[u8]) {
        fs::write(self.0.join(name), octets).unwrap();
    }

    fn openssl(&self, words: &str) -> Vec<u8> {
        let output = Command::new("openssl").args(words.split(' ')).current_dir(&self.0).output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// SubjectPublicKeyInfo of a certificate.
    pub(crate) fn key_of(&self, certificate: &[u8]) -> Vec<u8> {
        self.put("certificate.der", certificate);
        let pem = self.openssl("x509 -inform DER -in certificate.der -noout -pubkey");
        self.put("certificate.pub", &pem);
        self.openssl("pkey -pubin -in certificate.pub -outform DER")
    }

    /// SM2Cipher (GM/T 0009 §7.2) of these octets to a key.
    pub(crate) fn encrypt(&self, spki: &[u8], octets: &[u8]) -> Vec<u8> {
        self.put("pub.der", spki);
        self.put("plain", octets);
        self.openssl("pkeyutl -encrypt -pubin -inkey pub.der -keyform DER -in plain")
    }

    /// SM4 in `ecb`, or in `cbc` from a vector.
    pub(crate) fn sm4(&self, mode: &str, key: &[u8], vector: Option<&[u8]>, octets: &[u8]) -> Vec<u8> {
        self.put("plain", octets);
        let vector = vector.map_or(String::new(), |vector| format!(" -iv {}", hex(vector)));
        self.openssl(&format!("enc -sm4-{mode} -K {}{vector} -nopad -in plain", hex(key)))
    }

    /// A new encryption pair: its private key under SM4, and SM4's key under the signing key.
    pub(crate) fn wrap(&self, signing: &[u8]) -> Wrapped {
        let pem = self.openssl("ecparam -name SM2 -genkey -noout");
        self.put("pair.pem", &pem);
        let private = self.openssl("ec -in pair.pem -outform DER");
        let spki = self.openssl("ec -in pair.pem -pubout -outform DER");
        // ECPrivateKey (RFC 5915 §3): version, OCTET STRING of 32.
        let scalar = value(parts(value(&private))[1]);
        let (key, point) = (b"key of a session", &spki[spki.len() - 64..]);
        let wrapped = self.sm4("ecb", key, None, &[&[0; 32][..], &wide(scalar, 32)].concat());
        let cipher = self.encrypt(signing, key);
        let bits = |octets: &[u8]| element(0x03, &[&[0], octets].concat());
        let body = [&element(0x30, SM4_ECB)[..], &cipher, &bits(&[&[4], point].concat()), &bits(&wrapped[32..])];
        let [x, y, hash, secret] = parts(value(&cipher))[..] else { panic!("no SM2Cipher") };
        let blob = [
            [1, 0, 0, 0, 1, 4, 0, 0, 0, 1, 0, 0].to_vec(),
            wrapped.clone(),
            256_u32.to_le_bytes().to_vec(),
            wide(&point[..32], 64),
            wide(&point[32..], 64),
            wide(value(x), 64),
            wide(value(y), 64),
            value(hash).to_vec(),
            u32::try_from(value(secret).len()).unwrap().to_le_bytes().to_vec(),
            value(secret).to_vec(),
        ];
        Wrapped { der: element(0x30, &body.concat()), blob: blob.concat(), spki }
    }
}
