//! A terminal for GM/T 0017: commands written octet by octet from the description, without anything of this library. What it computes for PINs is
//! judged by `tests/gm0017/payloads.sh`.

#![allow(dead_code, unreachable_pub)]

use std::path::Path;
use std::process::Command;
use std::sync::PoisonError;

use sha1::{Digest, Sha1};
use shared_shield::link::card::SharedCard;
use sm4::Sm4;
use sm4::cipher::{BlockCipherEncrypt, KeyInit};

/// PIN types.
pub const ADMIN: u8 = 0;
pub const USER: u8 = 1;

/// What a card answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub data: Vec<u8>,
    pub sw: u16,
}

impl Answer {
    /// The data of a success.
    #[track_caller]
    pub fn fine(self) -> Vec<u8> {
        assert_eq!(self.sw, 0x9000, "{self:02X?}");
        self.data
    }
}

/// A card and how to speak with it.
pub struct Terminal {
    card: SharedCard,
    pub dialect: &'static str,
    pub short: bool,
}

impl Terminal {
    pub fn new(card: SharedCard, dialect: &'static str) -> Self {
        Terminal { card, dialect, short: false }
    }

    /// Octets as they are.
    pub fn raw(&self, apdu: &[u8]) -> Answer {
        let mut card = self.card.lock().unwrap_or_else(PoisonError::into_inner);
        let mut data = card.command(apdu);
        let at = data.len().checked_sub(2).unwrap_or_else(|| panic!("an answer of {} octets", data.len()));
        let sw = data.split_off(at);
        Answer { data, sw: u16::from_be_bytes([sw[0], sw[1]]) }
    }

    /// As the form asks for it.
    pub fn apdu(&self, header: [u8; 4], data: &[u8], expected: Option<u16>) -> Vec<u8> {
        let mut apdu = header.to_vec();
        if self.short {
            if !data.is_empty() {
                apdu.push(u8::try_from(data.len()).unwrap());
                apdu.extend(data);
            }
            apdu.extend(expected.map(|n| u8::try_from(n).unwrap_or(0)));
            return apdu;
        }
        if !data.is_empty() {
            apdu.push(0);
            apdu.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            apdu.extend(data);
        }
        if let Some(expected) = expected {
            if data.is_empty() {
                apdu.push(0);
            }
            apdu.extend(expected.to_be_bytes());
        }
        apdu
    }

    /// Without an answer expected beyond what there is.
    pub fn send(&self, ins: u8, p1: u8, p2: u8, data: &[u8]) -> Answer {
        self.raw(&self.apdu([0x80, ins, p1, p2], data, None))
    }

    /// With an expected length.
    pub fn ask(&self, ins: u8, p1: u8, p2: u8, data: &[u8], expected: u16) -> Answer {
        self.raw(&self.apdu([0x80, ins, p1, p2], data, Some(expected)))
    }

    /// All parts of an answer, and how many they were: 6A9E asks for the same command once more.
    pub fn whole(&self, ins: u8, p1: u8, p2: u8, data: &[u8]) -> (Vec<u8>, usize) {
        let apdu = self.apdu([0x80, ins, p1, p2], data, Some(0));
        let mut all = Vec::new();
        for parts in 1..100 {
            let answer = self.raw(&apdu);
            all.extend(answer.data);
            match answer.sw {
                0x9000 => return (all, parts),
                0x6A9E => {}
                sw => panic!("{sw:04X}"),
            }
        }
        panic!("no end");
    }

    pub fn u16(&self, value: u16) -> [u8; 2] {
        if self.dialect == "syno-2015" { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    pub fn u32(&self, value: u32) -> [u8; 4] {
        if self.dialect == "syno-2015" { value.to_le_bytes() } else { value.to_be_bytes() }
    }

    pub fn read_u32(&self, octets: &[u8]) -> u32 {
        let octets = octets[..4].try_into().unwrap();
        if self.dialect == "syno-2015" { u32::from_le_bytes(octets) } else { u32::from_be_bytes(octets) }
    }

    pub fn random(&self, count: u16) -> Vec<u8> {
        self.ask(0x50, 0, 0, &[], count).fine()
    }

    /// Opens an application: its id.
    #[track_caller]
    pub fn open(&self, name: &str) -> [u8; 2] {
        let answer = self.ask(0x26, 0, 0, name.as_bytes(), 10).fine();
        answer[8..].try_into().unwrap()
    }

    pub fn close(&self, id: [u8; 2]) -> u16 {
        self.send(0x28, 0, 0, &id).sw
    }

    /// Opens a container: its id.
    #[track_caller]
    pub fn container(&self, application: [u8; 2], name: &str) -> [u8; 2] {
        let answer = self.ask(0x42, 0, 0, &[&application[..], name.as_bytes()].concat(), 2).fine();
        answer.try_into().unwrap()
    }

    /// Most, left, never changed.
    #[track_caller]
    pub fn tries(&self, application: [u8; 2], who: u8) -> (u8, u8, bool) {
        match *self.ask(0x14, 0, who, &application, 3).fine() {
            [most, left, first] => (most, left, first == 1),
            _ => panic!("three octets"),
        }
    }

    /// SW of VerifyPIN.
    pub fn verify(&self, application: [u8; 2], who: u8, pin: &str) -> u16 {
        let cryptogram = cryptogram(self.dialect, pin, &self.random(8));
        self.send(0x18, 0, who, &[&application[..], &cryptogram].concat()).sw
    }

    /// SW of ChangePIN.
    pub fn change_pin(&self, application: [u8; 2], who: u8, old: &str, new: &str) -> u16 {
        self.with_mac(0x16, who, application, old, new)
    }

    /// SW of UnblockPIN.
    pub fn unblock(&self, application: [u8; 2], admin: &str, new: &str) -> u16 {
        self.with_mac(0x1A, 0, application, admin, new)
    }

    fn with_mac(&self, ins: u8, p2: u8, application: [u8; 2], by: &str, new: &str) -> u16 {
        let key = pin_key(self.dialect, by);
        let random = self.random(8);
        let mut pin = padded(new.as_bytes());
        encrypt(&key, &mut pin);
        let mut data = [&application[..], &pin].concat();
        let header = [0x84, ins, 0, p2];
        data.extend(mac(&key, &random, header, &data));
        self.raw(&self.apdu(header, &data, None)).sw
    }

    /// SW of DevAuth.
    pub fn device_auth(&self, key: &[u8; 16]) -> u16 {
        let mut block = padded(&self.random(8));
        encrypt(key, &mut block);
        self.send(0x10, 0, 2, &block).sw
    }

    /// ECCSignData of a hash.
    pub fn sign(&self, application: [u8; 2], container: [u8; 2], e: &[u8]) -> Answer {
        self.ask(0x74, 2, 0, &[&application[..], &container, e].concat(), 68)
    }

    /// X and Y. `half` is 0 for encryption, 1 for signing.
    #[track_caller]
    pub fn point(&self, application: [u8; 2], container: [u8; 2], half: u8) -> Vec<u8> {
        let answer = self.ask(0x88, half, 0, &[application, container].concat(), 68).fine();
        assert_eq!(self.read_u32(&answer), 256);
        answer[4..].to_vec()
    }

    /// SW of ImportCertificate.
    pub fn store(&self, application: [u8; 2], container: [u8; 2], half: u8, der: &[u8]) -> u16 {
        let length = self.u32(u32::try_from(der.len()).unwrap());
        self.send(0x4C, 0, 0, &[&application[..], &container, &[half], &length, der].concat()).sw
    }

    /// ExportCertificate, by its length field.
    pub fn certificate(&self, application: [u8; 2], container: [u8; 2], half: u8) -> Vec<u8> {
        let (answer, _) = self.whole(0x4E, half, 0, &[application, container].concat());
        let length = usize::try_from(self.read_u32(&answer)).unwrap();
        answer[4..4 + length].to_vec()
    }

    /// A command whose answer is names.
    pub fn names(&self, ins: u8, data: &[u8]) -> Vec<String> {
        let (answer, _) = self.whole(ins, 0, 0, data);
        let text = String::from_utf8(answer).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    }
}

/// 16 octets, with zeros behind.
pub fn padded(octets: &[u8]) -> [u8; 16] {
    let mut block = [0; 16];
    let length = octets.len().min(16);
    block[..length].copy_from_slice(&octets[..length]);
    block
}

fn encrypt(key: &[u8; 16], block: &mut [u8; 16]) {
    Sm4::new(key.into()).encrypt_block(block.into());
}

pub fn pin_key(dialect: &str, pin: &str) -> [u8; 16] {
    match dialect {
        "syno-2015" => padded(&Sha1::digest(padded(pin.as_bytes()))),
        "usbtool" => padded(&Sha1::digest(pin)),
        "gm3000" => padded(&sm3::Sm3::digest(pin)),
        other => panic!("{other}"),
    }
}

/// What VerifyPIN carries.
pub fn cryptogram(dialect: &str, pin: &str, random: &[u8]) -> [u8; 16] {
    let mut block = match dialect {
        "syno-2015" => padded(random),
        _ => padded(&[&[8, 0], random, &[0x80]].concat()),
    };
    encrypt(&pin_key(dialect, pin), &mut block);
    block
}

/// The four octets behind the data of a command of CLA 84.
fn mac(key: &[u8; 16], random: &[u8], header: [u8; 4], data: &[u8]) -> [u8; 4] {
    let [high, low] = u16::try_from(data.len() + 4).unwrap().to_be_bytes();
    let mut input = [&header[..], &[high, low, 0, 0], data, &[0x80]].concat();
    while input.len() % 16 != 0 {
        input.push(0);
    }
    let mut chain = padded(random);
    for block in input.chunks(16) {
        chain.iter_mut().zip(block).for_each(|(to, from)| *to ^= from);
        encrypt(key, &mut chain);
    }
    [chain[0], chain[1], chain[2], chain[3]]
}

/// Lower-case hex.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

pub fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// A value that OpenSSL made from the description: PIN, admin PIN, new PIN, random, application, device key, new device key as the script takes them.
pub fn by_openssl(value: &str, arguments: &[&str]) -> Vec<u8> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gm0017/payloads.sh");
    let output = Command::new("bash").arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let found = text.lines().find_map(|line| line.strip_prefix(value)?.strip_prefix(' '));
    from_hex(found.unwrap_or_else(|| panic!("no {value} in {text}")))
}
