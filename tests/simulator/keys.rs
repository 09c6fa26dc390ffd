//! Keys, signatures, envelopes and session keys, with OpenSSL on the other side.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use shared_shield::simulator::{Algorithm, Simulator, Usage};

use crate::terminal::{Terminal, USER, from_hex, hex};
use crate::{ADMIN_PIN, BANK_PIN, CUSTOMS_PIN, DIALECTS, shared_shield, terminal};

const ID: &[u8] = b"1234567812345678";
const MESSAGE: &[u8] = b"eight crates of tea, two of them broken";

/// A folder for OpenSSL's files, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sim-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn put(&self, name: &str, octets: &[u8]) {
        fs::write(self.0.join(name), octets).unwrap();
    }

    /// What OpenSSL prints, or `None` where it says no.
    fn openssl(&self, words: &str) -> Option<Vec<u8>> {
        let output = Command::new("openssl").args(words.split(' ')).current_dir(&self.0).output().unwrap();
        output.status.success().then_some(output.stdout)
    }

    /// Whether OpenSSL takes `signature` of SM2 over `message` with this identifier.
    fn sm2(&self, point: &[u8], signature: &[u8], message: &[u8], id: &[u8]) -> bool {
        self.put("pub.der", &spki("06082a811ccf5501822d", point));
        self.put("message", message);
        self.put("signature", &der_signature(signature));
        let id = String::from_utf8(id.to_vec()).unwrap();
        let words = "dgst -sm3 -verify pub.der -keyform DER -signature signature -sigopt distid:ID message";
        self.openssl(&words.replace("ID", &id)).is_some()
    }

    /// A new key of SM2: its private key and X‖Y.
    fn pair(&self) -> (Vec<u8>, Vec<u8>) {
        let pem = self.openssl("ecparam -name SM2 -genkey -noout").unwrap();
        self.put("pair.pem", &pem);
        let der = self.openssl("ec -in pair.pem -outform DER").unwrap();
        // ECPrivateKey (RFC 5915): version, OCTET STRING of 32, ..., the point at the end.
        (der[7..39].to_vec(), der[der.len() - 64..].to_vec())
    }

    /// C1, C3 and C2 of `octets` under SM2.
    fn encrypt(&self, point: &[u8], octets: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        self.put("pub.der", &spki("06082a811ccf5501822d", point));
        self.put("plain", octets);
        let der = self.openssl("pkeyutl -encrypt -pubin -inkey pub.der -keyform DER -in plain").unwrap();
        // SEQUENCE { INTEGER x, INTEGER y, OCTET STRING C3, OCTET STRING C2 } (GM/T 0009)
        let (whole, _) = tlv(&der);
        let ((x, rest), at) = (tlv(whole), |n: &[u8]| [vec![0; 32 - n.len().min(32)], last32(n)].concat());
        let ((y, rest), _) = (tlv(rest), ());
        let ((c3, rest), _) = (tlv(rest), ());
        let (c2, _) = tlv(rest);
        ([at(x), at(y)].concat(), c3.to_vec(), c2.to_vec())
    }

    fn sm4(&self, mode: &str, key: &[u8], vector: Option<&[u8]>, octets: &[u8]) -> Vec<u8> {
        self.put("plain", octets);
        let vector = vector.map_or(String::new(), |v| format!(" -iv {}", hex(v)));
        self.openssl(&format!("enc -sm4-{mode} -K {}{vector} -nopad -in plain", hex(key))).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The last 32 octets: an INTEGER may have a zero before it.
fn last32(octets: &[u8]) -> Vec<u8> {
    octets[octets.len().saturating_sub(32)..].to_vec()
}

/// The value of a DER element of less than 256 octets, and what stands behind it.
fn tlv(octets: &[u8]) -> (&[u8], &[u8]) {
    let (from, length) = match octets[1] {
        0x81 => (3, usize::from(octets[2])),
        length => (2, usize::from(length)),
    };
    octets[from..].split_at(length)
}

/// SubjectPublicKeyInfo with id-ecPublicKey and this curve.
fn spki(curve: &str, point: &[u8]) -> Vec<u8> {
    let algorithm = [from_hex("06072a8648ce3d0201"), from_hex(curve)].concat();
    let of = |tag: u8, value: &[u8]| [&[tag, u8::try_from(value.len()).unwrap()], value].concat();
    of(0x30, &[of(0x30, &algorithm), of(0x03, &[&[0, 4], point].concat())].concat())
}

/// r‖s as a SEQUENCE of two INTEGERs.
fn der_signature(r_s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let start = number.iter().position(|octet| *octet != 0).unwrap_or(number.len() - 1);
        let sign = if number[start] & 0x80 != 0 { &[0][..] } else { &[] };
        let value = [sign, &number[start..]].concat();
        [&[2, u8::try_from(value.len()).unwrap()][..], &value].concat()
    };
    let both = [integer(&r_s[..32]), integer(&r_s[32..])].concat();
    [&[0x30, u8::try_from(both.len()).unwrap()][..], &both].concat()
}

/// Customs open, its user in, its container open.
fn unlocked(t: &Terminal) -> ([u8; 2], [u8; 2]) {
    let customs = t.open("eport");
    let container = t.container(customs, "declarant");
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
    (customs, container)
}

/// e of a message, made by the card: Z and digest.
fn e(t: &Terminal, point: &[u8], id: &[u8], message: &[u8]) -> Vec<u8> {
    let length = t.u32(u32::try_from(id.len()).unwrap());
    let data = [&t.u32(256)[..], point, &length, id].concat();
    assert_eq!(t.send(0xB4, 0, 1, &data).sw, 0x9000);
    let (first, rest) = message.split_at(message.len() / 2);
    assert_eq!(t.send(0xB8, 0, 0, first).sw, 0x9000);
    assert_eq!(t.send(0xB8, 0, 0, rest).sw, 0x9000);
    let digest = t.ask(0xBA, 0, 0, &[], 64).fine();
    digest[digest.len() - 32..].to_vec()
}

#[test]
fn openssl_takes_the_signatures_of_a_key_that_was_made_inside() {
    let folder = Folder::new("signatures");
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        let t = terminal(&device, dialect);
        let (customs, container) = unlocked(&t);
        assert_eq!(t.sign(customs, container, &[1; 32]).sw, 0x6A95, "no key yet");
        let bits = t.u32(256);
        let point = t.ask(0x70, 0, 0, &[&customs[..], &container, &bits].concat(), 64).fine();
        assert_eq!(t.point(customs, container, 1), point);
        let hashed = t.sign(customs, container, &e(&t, &point, ID, MESSAGE)).fine();
        assert_eq!((hashed.len(), t.read_u32(&hashed)), (68, 256));
        assert!(folder.sm2(&point, &hashed[4..], MESSAGE, ID), "{dialect}");
        assert!(!folder.sm2(&point, &hashed[4..], b"nine crates", ID), "the judge can say no");
        for id in [ID, b"officer-7@customs"] {
            let length = t.u32(u32::try_from(id.len()).unwrap());
            let data = [&customs[..], &container, &length, id, MESSAGE].concat();
            let signed = t.ask(0x74, 1, 0, &data, 68).fine();
            assert!(folder.sm2(&point, &signed[4..], MESSAGE, id), "{dialect}");
        }
        let again = t.sign(customs, container, &e(&t, &point, ID, MESSAGE)).fine();
        assert_ne!(again, hashed, "SM2 signatures of one message differ");
    }
}

#[test]
fn the_card_takes_the_signatures_of_openssl_and_no_others() {
    let folder = Folder::new("verify");
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/synthetic_sm2_throwaway.key");
    folder.put("key.pem", &fs::read(key).unwrap());
    folder.put("message", MESSAGE);
    let der = folder.openssl("ec -in key.pem -outform DER").unwrap();
    let (scalar, point) = (&der[7..39], &der[der.len() - 64..]);
    let words = "dgst -sm3 -sign key.pem -sigopt distid:1234567812345678 message";
    let signature = folder.openssl(words).unwrap();
    let (both, _) = tlv(&signature);
    let (r, rest) = tlv(both);
    let (s, _) = tlv(rest);
    let wide = |n: &[u8]| [vec![0; 32 - last32(n).len()], last32(n)].concat();
    let r_s = [wide(r), wide(s)].concat();
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        let imported = device.import_key("eport", "declarant", Usage::Signing, Algorithm::Sm2, scalar).unwrap();
        assert_eq!(imported[1..], *point);
        let t = terminal(&device, dialect);
        let e = e(&t, point, ID, MESSAGE);
        let verify = |point: &[u8], e: &[u8], r_s: &[u8]| {
            let length = t.u32(u32::try_from(e.len()).unwrap());
            t.send(0x76, 0, 0, &[&t.u32(256)[..], point, &length, e, r_s].concat()).sw
        };
        assert_eq!(verify(point, &e, &r_s), 0x9000);
        assert_eq!(verify(point, &[3; 32], &r_s), 0x6A98);
        assert_eq!(verify(point, &e, &[0; 64]), 0x6A98);
        assert_eq!(verify(point, &e, &[0xFF; 64]), 0x6A98, "r and s out of range");
        assert_eq!(verify(&[5; 64], &e, &r_s), 0x6A80, "a point beside the curve");
        assert_eq!(verify(point, &e[1..], &r_s), 0x6A80);
        let (customs, container) = unlocked(&t);
        let signed = t.sign(customs, container, &e).fine();
        assert!(folder.sm2(point, &signed[4..], MESSAGE, ID));
    }
}

#[test]
fn p256_is_there_as_an_extension_that_says_so() {
    let folder = Folder::new("p256");
    let device = shared_shield("gm3000");
    let t = terminal(&device, "gm3000");
    let (customs, container) = unlocked(&t);
    let data = [&customs[..], &container, &t.u32(256)].concat();
    let point = t.ask(0x70, 0, 0x50, &data, 64).fine();
    let info = t.ask(0x4A, 0, 0, &[&customs[..], b"declarant"].concat(), 11).fine();
    assert_eq!((info[0], t.point(customs, container, 1)), (0x50, point.clone()));
    assert_eq!(t.send(0xB4, 0, 3, &[]).sw, 0x9000);
    let digest = t.ask(0xB6, 0, 0, MESSAGE, 32).fine();
    let signed = t.sign(customs, container, &digest).fine();
    folder.put("pub.der", &spki("06082a8648ce3d030107", &point));
    folder.put("message", MESSAGE);
    folder.put("signature", &der_signature(&signed[4..]));
    let words = "dgst -sha256 -verify pub.der -keyform DER -signature signature message";
    assert!(folder.openssl(words).is_some());
    let length = t.u32(16);
    let message = [&customs[..], &container, &length, ID, MESSAGE].concat();
    assert_eq!(t.ask(0x74, 1, 0, &message, 68).sw, 0x6A81, "Z is SM2's");
}

#[test]
fn digests_are_those_of_openssl() {
    let folder = Folder::new("digests");
    folder.put("message", MESSAGE);
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        let t = terminal(&device, dialect);
        for (p2, name) in [(1, "sm3"), (2, "sha1"), (3, "sha256")] {
            let expected = folder.openssl(&format!("dgst -{name} -binary message")).unwrap();
            assert_eq!(t.send(0xB4, 0, p2, &[]).sw, 0x9000);
            let answer = t.ask(0xB6, 0, 0, MESSAGE, 64).fine();
            let before =
                if dialect == "syno-2015" { t.u32(expected.len().try_into().unwrap()).to_vec() } else { vec![] };
            assert_eq!(answer, [before, expected].concat(), "{dialect} {name}");
            assert_eq!(t.ask(0xBA, 0, 0, &[], 64).sw, 0x6985, "it has ended");
        }
        assert_eq!(t.send(0xB4, 0, 4, &[]).sw, 0x6A9D);
    }
}

/// The encryption pair of OpenSSL's, wrapped under the signing key as ImportECCKeyPair has it.
fn envelope(
    folder: &Folder,
    t: &Terminal,
    at: ([u8; 2], [u8; 2]),
    signing: &[u8],
    pair: &(Vec<u8>, Vec<u8>),
) -> Vec<u8> {
    let key = [0x5A; 16];
    let (c1, c3, c2) = folder.encrypt(signing, &key);
    let wrapped = folder.sm4("ecb", &key, None, &[&[0; 32][..], &pair.0].concat());
    let [bits, asymmetric, symmetric] =
        [256, if t.dialect == "syno-2015" { 0x2_0400 } else { 0x2_0800 }, 0x401].map(|n| t.u32(n));
    let [sixteen, sixty_four] = [16, 64].map(|n| t.u32(n));
    [&at.0[..], &at.1, &asymmetric, &symmetric, &bits, &c1, &c3, &sixteen, &c2, &bits, &pair.1, &sixty_four, &wrapped]
        .concat()
}

#[test]
fn an_encryption_pair_and_session_keys_from_openssl_are_taken_and_decrypt() {
    let folder = Folder::new("envelope");
    for dialect in DIALECTS {
        let device = shared_shield(dialect);
        let signing = device.generate("eport", "declarant", Algorithm::Sm2).unwrap();
        let t = terminal(&device, dialect);
        let at = unlocked(&t);
        let pair = folder.pair();
        let data = envelope(&folder, &t, at, &signing[1..], &pair);
        let bent = |at: usize| {
            let mut data = data.clone();
            data[at] ^= 1;
            t.send(0x72, 0, 0, &data).sw
        };
        assert_eq!((bent(90), bent(140)), (0x6A9B, 0x6A8D), "C3; the public key of another pair");
        assert_eq!(t.ask(0x88, 0, 0, &[at.0, at.1].concat(), 68).sw, 0x6A95);
        assert_eq!(t.send(0x72, 0, 0, &data).sw, 0x9000);
        assert_eq!(t.point(at.0, at.1, 0), pair.1);
        assert_eq!(t.point(at.0, at.1, 1), signing[1..], "the signing pair is as it was");

        let (key, vector, text) = ([0xC3; 16], [9; 16], [0x42; 64]);
        let (c1, c3, c2) = folder.encrypt(&pair.1, &key);
        let import = |algorithm: u32| {
            let blob = [&t.u32(256)[..], &c1, &c3, &t.u32(16), &c2].concat();
            let length = t.u32(blob.len().try_into().unwrap());
            t.ask(0xA0, 0, 0, &[&at.0[..], &at.1, &t.u32(algorithm), &length, &blob].concat(), 2)
        };
        assert_eq!(import(0x101).sw, 0x6A99, "SM1");
        for (algorithm, mode) in [(0x401, "ecb"), (0x402, "cbc")] {
            let id = import(algorithm).fine();
            let vector = (algorithm == 0x402).then_some(&vector[..]);
            let secret = folder.sm4(mode, &key, vector, &text);
            let of = [&at.0[..], &at.1, &id].concat();
            let init = |ins: u8| t.send(ins, 0, 0, &[&of[..], &t.u32(algorithm), &parameters(&t, vector)].concat()).sw;
            let part = |ins: u8, data: &[u8]| t.ask(ins, 0, 0, &[&of[..], data].concat(), 0);
            assert_eq!(part(0xAE, &secret).sw, 0x6985, "not begun");
            assert_eq!(init(0xAC), 0x9000);
            let (first, rest) = secret.split_at(16);
            let plain = [part(0xB0, first).fine(), part(0xB0, rest).fine(), part(0xB2, &[]).fine()].concat();
            assert_eq!(plain, text, "{dialect} {mode}");
            assert_eq!(init(0xA4), 0x9000);
            assert_eq!(part(0xA6, &text).fine(), secret);
            assert_eq!(init(0xA4), 0x9000);
            assert_eq!(part(0xA8, &text[..15]).sw, 0x6700);
            assert_eq!(t.send(0xC4, 0, 0, &of).sw, 0x9000);
            assert_eq!(init(0xA4), 0x6A8C);
        }
    }
}

/// The parameters as F has them, or as M does.
fn parameters(t: &Terminal, vector: Option<&[u8]>) -> Vec<u8> {
    let (vector, none) = (vector.unwrap_or_default(), t.u32(0));
    if t.dialect == "syno-2015" {
        let length = t.u32(vector.len().try_into().unwrap());
        let mut field = vector.to_vec();
        field.resize(32, 0);
        return [&field[..], &length, &none, &none].concat();
    }
    [&t.u16(vector.len().try_into().unwrap())[..], vector, &none, &none].concat()
}

/// Commands of every kind at an unlocked device whose private keys are known.
fn every_command(device: &Simulator, t: &Terminal, mut look: impl FnMut(u8, &[u8])) {
    let (customs, container) = unlocked(t);
    let owner = [customs, container].concat();
    let bodies = [vec![], customs.to_vec(), owner.clone(), [&owner[..], &[0; 32]].concat()];
    for ins in (0..=u8::MAX).filter(|ins| ![0x12, 0x16, 0x1A, 0x28, 0x44, 0x48, 0x24, 0x70].contains(ins)) {
        for (p1, p2) in [(0, 0), (0, 1), (1, 0), (2, 0), (0, 2), (customs[0], customs[1])] {
            for body in &bodies {
                let answer = t.ask(ins, p1, p2, body, 256);
                look(ins, &answer.data);
                if ins == 0x1C && answer.sw == 0x9000 {
                    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
                }
            }
        }
    }
    drop(device.atr());
}

#[test]
fn no_command_gives_out_a_private_key_or_a_pin() {
    let device = shared_shield("syno-2015");
    let (signing, encryption) = ([0x11; 32], [0x77; 32]);
    device.import_key("eport", "declarant", Usage::Signing, Algorithm::Sm2, &signing).unwrap();
    device.import_key("eport", "declarant", Usage::Encryption, Algorithm::Sm2, &encryption).unwrap();
    let t = terminal(&device, "syno-2015");
    let secrets: [&[u8]; 5] =
        [&signing[..8], &encryption[..8], CUSTOMS_PIN.as_bytes(), BANK_PIN.as_bytes(), ADMIN_PIN.as_bytes()];
    let mut answered = std::collections::BTreeSet::new();
    every_command(&device, &t, |ins, answer| {
        for secret in secrets {
            assert!(!answer.windows(secret.len()).any(|w| w == secret), "{ins:02X}: {answer:02X?}");
        }
        if !answer.is_empty() {
            answered.insert(ins);
        }
    });
    assert!(answered.is_superset(&[0x04, 0x14, 0x22, 0x46, 0x50, 0x74, 0x88].into()), "{answered:02X?}");
}
