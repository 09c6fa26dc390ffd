//! OpenSSL as the judge of what SM2 keys signed: a text, a customs message, a payment. It knows neither the message's nor the payment's form, so
//! these are taken apart here, by hand and without the library: xmllint makes the canonical form, openssl every digest and every verdict.

#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use base64ct::{Base64, Encoding};

/// The identifier in Z (GM/T 0009-2012 §10).
const ID: &str = "distid:1234567812345678";
/// 1.2.156.10197.6.1.4.2.1 and .2: data and signedData of GM/T 0010.
const DATA: &[u8] = b"\x2A\x81\x1C\xCF\x55\x06\x01\x04\x02\x01";
const SIGNED_DATA: &[u8] = b"\x2A\x81\x1C\xCF\x55\x06\x01\x04\x02\x02";

/// Why nobody judges here.
pub fn missing() -> Option<String> {
    [("openssl", "version", "openssl"), ("xmllint", "--version", "libxml2-utils")].into_iter().find_map(
        |(program, word, package)| {
            let there = Command::new(program).arg(word).stdout(Stdio::null()).stderr(Stdio::null()).status();
            there.is_err().then(|| format!("{program} is not there (apt-get install {package})"))
        },
    )
}

/// A judge with a folder of its own.
pub struct Judge {
    folder: PathBuf,
    /// The public key of the certificate that it judges by.
    key: PathBuf,
    is_sm2: bool,
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Judge {
    /// Judges by the key of this certificate.
    pub fn of(certificate: &[u8]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("judge-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        let key = folder.join("key.pem");
        fs::write(folder.join("certificate.der"), certificate).unwrap();
        let file = folder.join("certificate.der");
        let told = told(Command::new("openssl").args(["x509", "-inform", "DER", "-noout", "-pubkey", "-in"]).arg(file));
        fs::write(&key, &told).unwrap();
        let shown = Command::new("openssl").args(["pkey", "-pubin", "-noout", "-text", "-in"]).arg(&key).output();
        let is_sm2 = String::from_utf8_lossy(&shown.unwrap().stdout).contains("SM2");
        Judge { folder, key, is_sm2 }
    }

    fn file(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, octets).unwrap();
        path
    }

    /// A signature in DER over octets as they are.
    pub fn accepts(&self, octets: &[u8], signature: &[u8]) -> bool {
        let (octets, signature) = (self.file("octets", octets), self.file("signature", signature));
        let mut openssl = Command::new("openssl");
        openssl.args(["dgst", if self.is_sm2 { "-sm3" } else { "-sha256" }]);
        if self.is_sm2 {
            openssl.args(["-sigopt", ID]);
        }
        let output = openssl.arg("-verify").arg(&self.key).arg("-signature").args([&signature, &octets]).output();
        output.unwrap().status.success()
    }

    fn sm3(&self, octets: &[u8]) -> Vec<u8> {
        told(Command::new("openssl").args(["dgst", "-sm3", "-binary"]).arg(self.file("hashed", octets)))
    }

    /// A customs message with its signature inside.
    pub fn accepts_declaration(&self, document: &[u8]) -> bool {
        let text = std::str::from_utf8(document).unwrap();
        let (before, rest) = text.split_once("<ds:Signature ").unwrap();
        let (signature, after) = rest.split_once("</ds:Signature>").unwrap();
        let element = |name: &str| {
            let (_, rest) = signature.split_once(&format!("<ds:{name}>")).unwrap();
            rest.split_once(&format!("</ds:{name}>")).unwrap().0
        };
        let message = self.file("message.xml", format!("{before}{after}").as_bytes());
        let canonical = told(Command::new("xmllint").arg("--c14n").arg(message));
        if Base64::encode_string(&self.sm3(&canonical)) != element("DigestValue") {
            return false;
        }
        // The canonical form of SignedInfo has the namespaces that are in force at its place.
        let root = before.split_once("Message ").unwrap().1.split_once('>').unwrap().0;
        let mut spaces: Vec<&str> = root.split_whitespace().filter(|word| word.starts_with("xmlns:")).collect();
        spaces.push("xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"");
        spaces.sort_unstable();
        let signed = format!("<ds:SignedInfo {}>{}</ds:SignedInfo>", spaces.join(" "), element("SignedInfo"));
        let value = Base64::decode_vec(element("SignatureValue")).unwrap();
        self.accepts(signed.as_bytes(), &self.der(&value))
    }

    /// r and s of a raw signature in DER, which openssl writes.
    pub fn der(&self, raw: &[u8]) -> Vec<u8> {
        assert_eq!(raw.len(), 64);
        let hex = |octets: &[u8]| octets.iter().map(|o| format!("{o:02X}")).collect::<String>();
        let text = format!("asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x{}\ns=INTEGER:0x{}\n", hex(&raw[..32]), hex(&raw[32..]));
        let (config, out) = (self.file("pair.cnf", text.as_bytes()), self.folder.join("pair.der"));
        told(Command::new("openssl").args(["asn1parse", "-noout", "-genconf"]).arg(config).arg("-out").arg(&out));
        fs::read(out).unwrap()
    }

    /// A payment with the order inside and signed attributes, under the content types of GM/T 0010.
    pub fn accepts_payment(&self, message: &[u8], order: &[u8]) -> bool {
        let [kind, signed] = &parts(value(message))[..] else { return false };
        let signed = parts(value(value(signed)));
        let [_version, _digests, content, _certificates, signers] = &signed[..] else { return false };
        let [content_kind, octets] = &parts(value(content))[..] else { return false };
        let [_version, _name, _digest, attributes, _algorithm, signature] = &parts(value(value(signers)))[..] else {
            return false;
        };
        let digest = [&[0x04, 0x20][..], &self.sm3(order)].concat();
        // The signature is over the attributes as a SET (RFC 5652 §5.4).
        let attributes = [&[0x31], &attributes[1..]].concat();
        value(kind) == SIGNED_DATA
            && value(content_kind) == DATA
            && value(value(octets)) == order
            && attributes.windows(digest.len()).any(|part| part == digest)
            && self.accepts(&attributes, value(signature))
    }
}

fn told(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Octets of tag and length, and of the value, of the first element in DER.
fn lengths(octets: &[u8]) -> (usize, usize) {
    match octets[1] {
        short @ 0..0x80 => (2, short.into()),
        long => {
            let count = usize::from(long & 0x7F);
            (2 + count, octets[2..2 + count].iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)))
        }
    }
}

pub fn value(element: &[u8]) -> &[u8] {
    let (head, length) = lengths(element);
    &element[head..head + length]
}

/// The elements that stand one behind the other.
pub fn parts(mut octets: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !octets.is_empty() {
        let (head, length) = lengths(octets);
        let (element, rest) = octets.split_at(head + length);
        found.push(element);
        octets = rest;
    }
    found
}

/// The same with one octet changed, where this text stands in it.
pub fn changed(octets: &[u8], at: &[u8]) -> Vec<u8> {
    let mut copy = octets.to_vec();
    let place = octets.windows(at.len()).position(|part| part == at).expect("the text is there");
    copy[place + at.len() - 1] ^= 0x01;
    copy
}
