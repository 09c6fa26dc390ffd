//! A small PIV card in memory, for counting commands and for faults at any step. What a card really does is judged on one that others
//! wrote (`tests/piv_card.rs`): this one and the driver were written by the same hand, and prove nothing by agreeing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{DerSignature, SigningKey};
use spki::EncodePublicKey;

use super::PIV;
use super::slot::Slot;
use crate::apdu::{Limits, Transmit, Wire, tlv};
use crate::cert::test_ca::{Shape, TestCa};
use crate::error::Result;
use crate::link::Atr;
use crate::token::faults::{self, Planned};
use crate::token::{Driver, Insertion, Token};
use crate::wait::lock;

pub(super) const PIN: &[u8] = b"123456";
pub(super) const PUK: &[u8] = b"12345678";
pub(super) const KEY: [u8; 24] =
    *b"\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02\x03\x04\x05\x06\x07\x08";

/// A card, seen through a port. Clones are the same card.
#[derive(Clone)]
pub(super) struct Card(pub(super) Arc<Mutex<Model>>);

pub(super) struct Model {
    selected: bool,
    pub(super) pin: Vec<u8>,
    pub(super) tries: u8,
    puk: Vec<u8>,
    pub(super) puk_tries: u8,
    pub(super) verified: bool,
    just_verified: bool,
    pub(super) objects: BTreeMap<u32, Vec<u8>>,
    keys: BTreeMap<u8, SigningKey>,
    pub(super) management: (u8, Vec<u8>),
    pub(super) impostor: bool,
    witness: Vec<u8>,
    managed: bool,
    chain: Vec<u8>,
    rest: Vec<u8>,
    /// Answers to one instruction and P2, whatever comes.
    pub(super) always: BTreeMap<(u8, u8), Vec<u8>>,
    pub(super) fault: Planned,
    pub(super) log: Vec<Vec<u8>>,
}

fn padded(pin: &[u8]) -> Vec<u8> {
    let mut octets = pin.to_vec();
    octets.resize(8, 0xFF);
    octets
}

impl Card {
    /// A card with keys and certificates in these slots.
    pub(super) fn with(slots: &[&str]) -> Card {
        let mut model = Model {
            selected: false,
            pin: padded(PIN),
            tries: 3,
            puk: padded(PUK),
            puk_tries: 3,
            verified: false,
            just_verified: false,
            objects: BTreeMap::new(),
            keys: BTreeMap::new(),
            management: (0x03, KEY.to_vec()),
            impostor: false,
            witness: Vec::new(),
            managed: false,
            chain: Vec::new(),
            rest: Vec::new(),
            always: BTreeMap::new(),
            fault: None,
            log: Vec::new(),
        };
        let now = SystemTime::now();
        let ca = TestCa::new("CN=Model CA", now).unwrap();
        for (number, name) in (1..).zip(slots) {
            let slot = Slot::named(name).unwrap();
            let key = SigningKey::from_slice(&[number; 32]).unwrap();
            let spki = key.verifying_key().to_public_key_der().unwrap();
            let der = ca.issue(&Shape::plain(&format!("CN={name}"), vec![number], now), spki.as_bytes()).unwrap();
            model.objects.insert(slot.object(), stored(&der));
            model.keys.insert(slot.octet(), key);
        }
        Card(Arc::new(Mutex::new(model)))
    }

    pub(super) fn set(&self, change: impl FnOnce(&mut Model)) {
        change(&mut lock(&self.0));
    }

    /// What was sent since the last time.
    pub(super) fn sent(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut lock(&self.0).log)
    }

    /// The instructions that were sent since the last time; VERIFY with a PIN as FF.
    pub(super) fn instructions(&self) -> Vec<u8> {
        self.sent().iter().map(|c| if is_login(c) { 0xFF } else { c[1] }).collect()
    }

    /// The token of a transaction.
    pub(super) fn lease(&self, at: &Arc<Insertion>) -> Result<Box<dyn Token>> {
        PIV.attach(Box::new(self.clone()), false, at)
    }
}

pub(super) fn insertion(wanted: &[&str]) -> Arc<Insertion> {
    Arc::new(Insertion::new(Atr::default(), wanted.iter().map(|w| (*w).to_owned()).collect()))
}

pub(super) fn is_login(command: &[u8]) -> bool {
    command[1] == 0x20 && command.len() > 5
}

/// A certificate as it lies in its object.
pub(super) fn stored(der: &[u8]) -> Vec<u8> {
    let mut inside = tlv::object(0x70, der).unwrap();
    tlv::write(&mut inside, 0x71, &[0]).unwrap();
    tlv::write(&mut inside, 0xFE, &[]).unwrap();
    tlv::object(0x53, &inside).unwrap()
}

fn sw(status: u16) -> Vec<u8> {
    status.to_be_bytes().to_vec()
}

impl Transmit for Card {
    fn transmit(&mut self, wire: &Wire) -> Result<Vec<u8>> {
        let mut model = lock(&self.0);
        let command = wire.octets().to_vec();
        model.log.push(command.clone());
        let (planned, step) = (model.fault.clone(), model.log.len());
        faults::answer(planned, step, || match model.always.get(&(command[1], command[3])) {
            Some(answer) => answer.clone(),
            None => model.answer(&command),
        })
    }

    fn limits(&self) -> Limits {
        Limits::default()
    }
}

impl Model {
    fn answer(&mut self, command: &[u8]) -> Vec<u8> {
        let just_verified = std::mem::take(&mut self.just_verified);
        let (head, body) = command.split_at(4);
        if head[1] == 0xC0 {
            return self.give();
        }
        let data = match body {
            [] | [_] => &[][..],
            [lc, rest @ ..] => &rest[..usize::from(*lc)],
        };
        self.chain.extend_from_slice(data);
        if head[0] & 0x10 != 0 {
            return sw(0x9000);
        }
        let data = std::mem::take(&mut self.chain);
        let answer = match (head[1], self.selected) {
            (0xA4, _) => self.select(&data),
            (_, false) => sw(0x6D00),
            (0xCB, _) => self.get_data(&data),
            (0x20, _) => self.verify(&data, head[3]),
            (0x87, _) if head[3] == 0x9B => self.administer(&data, head[2]),
            (0x87, _) => self.sign(&data, head[3], just_verified),
            (0x24, _) if head[3] == 0x81 => self.change_puk(&data),
            (0x24, _) => self.change_pin(&data),
            (0x2C, _) => self.unblock(&data),
            (0x47 | 0xDB, _) if !self.managed => sw(0x6982),
            (0x47, _) => self.generate(head[3]),
            (0xDB, _) => self.put_data(&data),
            _ => sw(0x6D00),
        };
        let (data, status) = answer.split_at(answer.len() - 2);
        if data.is_empty() {
            return answer;
        }
        self.rest = data.to_vec();
        if status == [0x90, 0] { self.give() } else { answer }
    }

    fn give(&mut self) -> Vec<u8> {
        let mut part: Vec<u8> = self.rest.drain(..self.rest.len().min(256)).collect();
        let left = u8::try_from(self.rest.len()).unwrap_or(0);
        part.extend(if self.rest.is_empty() { [0x90, 0] } else { [0x61, left] });
        part
    }

    fn select(&mut self, aid: &[u8]) -> Vec<u8> {
        self.selected = aid == [0xA0, 0, 0, 3, 8, 0, 0, 0x10, 0];
        if !self.selected {
            return sw(0x6A82);
        }
        [&[0x61, 8, 0x4F, 6, 0, 0, 0x10, 0, 1, 0][..], &sw(0x9000)].concat()
    }

    fn get_data(&self, list: &[u8]) -> Vec<u8> {
        let tag = list[2..].iter().fold(0_u32, |tag, o| tag << 8 | u32::from(*o));
        match self.objects.get(&tag) {
            Some(object) => [&object[..], &sw(0x9000)].concat(),
            None => sw(0x6A82),
        }
    }

    fn counter(tries: u8) -> Vec<u8> {
        if tries == 0 { sw(0x6983) } else { sw(0x63C0 + u16::from(tries)) }
    }

    fn verify(&mut self, data: &[u8], reference: u8) -> Vec<u8> {
        if reference != 0x80 {
            return sw(0x6A88);
        }
        if data.is_empty() {
            return if self.verified { sw(0x9000) } else { Model::counter(self.tries) };
        }
        self.verified = self.tries > 0 && data == self.pin;
        self.just_verified = self.verified;
        self.tries = if self.verified { 3 } else { self.tries.saturating_sub(1) };
        if self.verified { sw(0x9000) } else { Model::counter(self.tries) }
    }

    fn change_pin(&mut self, data: &[u8]) -> Vec<u8> {
        let (old, new) = data.split_at(8);
        let answer = self.verify(old, 0x80);
        if answer == sw(0x9000) {
            self.pin = new.to_vec();
        }
        answer
    }

    fn shows_puk(&mut self, puk: &[u8]) -> bool {
        let right = self.puk_tries > 0 && puk == self.puk;
        self.puk_tries = if right { 3 } else { self.puk_tries.saturating_sub(1) };
        right
    }

    fn change_puk(&mut self, data: &[u8]) -> Vec<u8> {
        let (old, new) = data.split_at(8);
        if !self.shows_puk(old) {
            return Model::counter(self.puk_tries);
        }
        self.puk = new.to_vec();
        sw(0x9000)
    }

    fn unblock(&mut self, data: &[u8]) -> Vec<u8> {
        let (puk, new) = data.split_at(8);
        if !self.shows_puk(puk) {
            return Model::counter(self.puk_tries);
        }
        (self.pin, self.tries) = (new.to_vec(), 3);
        sw(0x9000)
    }

    fn sign(&mut self, data: &[u8], slot: u8, just_verified: bool) -> Vec<u8> {
        let open = if slot == 0x9C { just_verified } else { self.verified || slot == 0x9E };
        if !open {
            return sw(0x6982);
        }
        let Some(key) = self.keys.get(&slot) else { return sw(0x6A88) };
        let inside = tlv::Objects::new(data).only(0x7C).unwrap().children().unwrap();
        // Any secret: which one is right is judged on another card.
        let Ok(Some(digest)) = inside.find(0x81) else { return answer(&tlv::object(0x82, &[0x22; 32]).unwrap()) };
        let digest = digest.value;
        let signature: DerSignature = key.sign_prehash(digest).unwrap();
        answer(&tlv::object(0x82, signature.as_bytes()).unwrap())
    }

    fn administer(&mut self, data: &[u8], algorithm: u8) -> Vec<u8> {
        use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
        let (right, key) = self.management.clone();
        if algorithm != right {
            return sw(0x6A86);
        }
        let encrypt = |block: &[u8]| match right {
            0x03 => {
                let mut block = Block::<des::TdesEde3>::try_from(block).unwrap();
                des::TdesEde3::new_from_slice(&key).unwrap().encrypt_block(&mut block);
                block.to_vec()
            }
            0x0A => {
                let mut block = Block::<aes::Aes192>::try_from(block).unwrap();
                aes::Aes192::new_from_slice(&key).unwrap().encrypt_block(&mut block);
                block.to_vec()
            }
            _ => unreachable!(),
        };
        let inside = tlv::Objects::new(data).only(0x7C).unwrap().children().unwrap();
        let shown = inside.clone().need(0x80).unwrap().value;
        if shown.is_empty() {
            self.witness = vec![0x5A; if right == 0x03 { 8 } else { 16 }];
            return answer(&tlv::object(0x80, &encrypt(&self.witness)).unwrap());
        }
        if shown != self.witness && !self.impostor {
            return sw(0x6982);
        }
        self.managed = true;
        let challenge = inside.need(0x81).unwrap().value;
        let mut response = encrypt(challenge);
        response[0] ^= u8::from(self.impostor);
        answer(&tlv::object(0x82, &response).unwrap())
    }

    fn generate(&mut self, slot: u8) -> Vec<u8> {
        let key = SigningKey::from_slice(&[0x77; 32]).unwrap();
        let point = key.verifying_key().to_sec1_point(false);
        self.keys.insert(slot, key);
        let object = tlv::object(0x7F49, &tlv::object(0x86, point.as_bytes()).unwrap()).unwrap();
        [object, sw(0x9000)].concat()
    }

    fn put_data(&mut self, data: &[u8]) -> Vec<u8> {
        let mut objects = tlv::Objects::new(data);
        let tag = objects.next().unwrap().unwrap().value.iter().fold(0_u32, |t, o| t << 8 | u32::from(*o));
        let inside = objects.next().unwrap().unwrap();
        self.objects.insert(tag, tlv::object(0x53, inside.value).unwrap());
        sw(0x9000)
    }
}

fn answer(inside: &[u8]) -> Vec<u8> {
    [tlv::object(0x7C, inside).unwrap(), sw(0x9000)].concat()
}
