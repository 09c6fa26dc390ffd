//! A PIV card in software with P-256 keys: what a good card answers, where the input does not say otherwise. It is a test double, and
//! proves nothing by agreeing with the driver: that is judged on a card that others wrote.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{DerSignature, SigningKey};
use shared_shield::link::card::VirtualCard;

/// The customs certificate, for the key 01 01 .. 01.
pub const CUSTOMS: &[u8] = include_bytes!("../cards/customs.der");
/// The bank certificate, for the key 02 02 .. 02.
pub const BANK: &[u8] = include_bytes!("../cards/bank.der");

/// SELECT's data that brings the PIV application (SP 800-73-4 part 1, 2.2).
pub const AID: [u8; 9] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00];

const TRIES: u8 = 3;

/// How the card is made: a few bits of the input.
#[derive(Debug, Clone, Copy, Default)]
pub struct Make {
    pub extended: bool,
    /// Which maker's ATR.
    pub atr: u8,
    /// Wrong PINs that somebody else has entered before.
    pub wrong_before: u8,
    /// No CHUID.
    pub anonymous: bool,
    /// A discovery object that names the global PIN.
    pub global_pin: bool,
    /// A key history that speaks of so many retired certificates, of which there is none.
    pub retired: u8,
}

/// The card. Clones are the same one.
#[derive(Clone)]
pub struct PivCard(Arc<Mutex<Model>>);

struct Model {
    make: Make,
    selected: bool,
    pin: Vec<u8>,
    tries: u8,
    puk: Vec<u8>,
    puk_tries: u8,
    verified: bool,
    just_verified: bool,
    objects: BTreeMap<Vec<u8>, Vec<u8>>,
    keys: BTreeMap<u8, SigningKey>,
    chain: Vec<u8>,
    rest: Vec<u8>,
    /// Wrong PINs and unlock codes that it counted.
    refusals: u64,
}

fn padded(pin: &[u8]) -> Vec<u8> {
    let mut octets = pin.to_vec();
    octets.resize(8, 0xFF);
    octets
}

/// A data object of a card: tag, length, value.
pub fn object(tag: &[u8], value: &[u8]) -> Vec<u8> {
    let length = value.len().to_be_bytes();
    let mut octets = tag.to_vec();
    match value.len() {
        0..=0x7F => octets.extend(&length[7..]),
        0x80..=0xFF => octets.extend([&[0x81], &length[7..]].concat()),
        _ => octets.extend([&[0x82], &length[6..]].concat()),
    }
    octets.extend(value);
    octets
}

fn stored(der: &[u8]) -> Vec<u8> {
    object(&[0x53], &[object(&[0x70], der), object(&[0x71], &[0]), object(&[0xFE], &[])].concat())
}

impl PivCard {
    /// A card with both certificates. The second one, a `twin`, says that it is the first and has other keys.
    pub fn new(make: Make, pin: &[u8], puk: &[u8], twin: bool) -> Self {
        let mut objects = BTreeMap::new();
        let mut put = |tag: &[u8], value: Vec<u8>| drop(objects.insert(tag.to_vec(), value));
        if !make.anonymous {
            put(&[0x5F, 0xC1, 0x02], object(&[0x53], &object(&[0x34], &[0x0A; 16])));
        }
        if make.global_pin {
            put(&[0x7E], object(&[0x7E], &object(&[0x5F, 0x2F], &[0x60, 0x20])));
        }
        if make.retired > 0 {
            put(&[0x5F, 0xC1, 0x0C], object(&[0x53], &object(&[0xC1], &[make.retired])));
        }
        let (customs, bank) = if twin { (BANK, CUSTOMS) } else { (CUSTOMS, BANK) };
        put(&[0x5F, 0xC1, 0x05], stored(customs));
        put(&[0x5F, 0xC1, 0x0A], stored(bank));
        let key = |octet| SigningKey::from_slice(&[octet; 32]).expect("a scalar");
        let keys = if twin { [(0x9A, key(2)), (0x9C, key(1))] } else { [(0x9A, key(1)), (0x9C, key(2))] };
        PivCard(Arc::new(Mutex::new(Model {
            make,
            selected: false,
            pin: padded(pin),
            tries: TRIES.saturating_sub(make.wrong_before),
            puk: padded(puk),
            puk_tries: TRIES,
            verified: false,
            just_verified: false,
            objects,
            keys: keys.into(),
            chain: Vec::new(),
            rest: Vec::new(),
            refusals: 0,
        })))
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another program changes the PIN.
    pub fn set_pin(&self, pin: &[u8]) {
        let mut model = self.model();
        (model.pin, model.tries) = (padded(pin), TRIES);
    }

    /// How many wrong PINs and unlock codes the card counted.
    pub fn refusals(&self) -> u64 {
        self.model().refusals
    }
}

impl VirtualCard for PivCard {
    fn atr(&self) -> Vec<u8> {
        match self.model().make.atr {
            0 => b"\x3B\x80\x80\x01\x01".to_vec(),
            1 => b"\x3B\xFC\x13\x00\x00\x81\x31\xFE\x15YubikeyNEOr3\xE1".to_vec(),
            2 => b"\x3B\xFD\x13\x00\x00\x81\x31\xFE\x15\x80\x73\xC0\x21\xC0\x57YubiKey@".to_vec(),
            _ => b"\x3B\x8F\x01\x80\x5DNitrokey\x00\x00\x00\x00\x00\x6A".to_vec(),
        }
    }

    fn extended(&self) -> bool {
        self.model().make.extended
    }

    fn reset(&mut self) {
        let mut model = self.model();
        (model.selected, model.verified, model.just_verified) = (false, false, false);
        (model.chain, model.rest) = (Vec::new(), Vec::new());
    }

    fn command(&mut self, apdu: &[u8]) -> Vec<u8> {
        self.model().command(apdu)
    }
}

/// The same digest has the same signature (RFC 6979), and each is made once: stories sign the same few documents.
fn signature(key: &SigningKey, digest: &[u8]) -> Vec<u8> {
    static MADE: Mutex<BTreeMap<Vec<u8>, Vec<u8>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let name = [key.to_bytes().as_slice(), digest].concat();
    let make = || DerSignature::as_bytes(&key.sign_prehash(digest).expect("a digest")).to_vec();
    if made.len() > 1000 { make() } else { made.entry(name).or_insert_with(make).clone() }
}

fn sw(status: u16) -> Vec<u8> {
    status.to_be_bytes().to_vec()
}

fn ok(data: &[u8]) -> Vec<u8> {
    [data, &[0x90, 0x00]].concat()
}

/// The data of a command, short or extended (ISO/IEC 7816-4 §5.1).
pub fn data_of(apdu: &[u8]) -> &[u8] {
    match apdu {
        [_, _, _, _, 0, high, low, rest @ ..] if !rest.is_empty() => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            &rest[..length.min(rest.len())]
        }
        [_, _, _, _, length, rest @ ..] => &rest[..usize::from(*length).min(rest.len())],
        _ => &[],
    }
}

impl Model {
    fn command(&mut self, apdu: &[u8]) -> Vec<u8> {
        let just_verified = std::mem::take(&mut self.just_verified);
        let [class, instruction, p1, p2, ..] = *apdu else { return sw(0x6700) };
        if instruction == 0xC0 {
            return self.give();
        }
        self.chain.extend_from_slice(data_of(apdu));
        if class & 0x10 != 0 {
            return sw(0x9000);
        }
        let data = std::mem::take(&mut self.chain);
        let answer = match (instruction, self.selected) {
            (0xA4, _) => self.select(&data),
            (_, false) => sw(0x6D00),
            (0xCB, _) => self.get_data(&data),
            (0x20, _) => self.verify(&data, p2),
            (0x87, _) => self.sign(&data, p2, just_verified),
            (0x24, _) => self.change(&data, p2),
            (0x2C, _) => self.unblock(&data),
            // Yubico's: GET VERSION, GET SERIAL, GET METADATA of the PUK.
            (0xFD, _) => ok(&[5, 4, 3]),
            (0xF8, _) => ok(&[0, 1, 2, 3]),
            (0xF7, _) if p2 == 0x81 => ok(&[6, 2, TRIES, self.puk_tries]),
            _ if p1 == 0xFF => sw(0x6A86),
            _ => sw(0x6D00),
        };
        // What is longer than a short answer waits for GET RESPONSE.
        match answer.len().checked_sub(2) {
            Some(length) if length > 256 && !self.make.extended => {
                self.rest = answer[..length].to_vec();
                self.give()
            }
            _ => answer,
        }
    }

    fn give(&mut self) -> Vec<u8> {
        let mut part: Vec<u8> = self.rest.drain(..self.rest.len().min(256)).collect();
        let left = u8::try_from(self.rest.len()).unwrap_or(0);
        part.extend(if self.rest.is_empty() { [0x90, 0] } else { [0x61, left] });
        part
    }

    fn select(&mut self, aid: &[u8]) -> Vec<u8> {
        (self.selected, self.verified) = (aid == AID, self.verified && aid == AID);
        if self.selected { ok(&object(&[0x61], &object(&[0x4F], &[0, 0, 0x10, 0, 1, 0]))) } else { sw(0x6A82) }
    }

    fn get_data(&self, list: &[u8]) -> Vec<u8> {
        let [0x5C, _, tag @ ..] = list else { return sw(0x6A80) };
        self.objects.get(tag).map_or_else(|| sw(0x6A82), |object| ok(object))
    }

    fn counter(tries: u8) -> Vec<u8> {
        if tries == 0 { sw(0x6983) } else { sw(0x63C0 | u16::from(tries)) }
    }

    fn verify(&mut self, data: &[u8], reference: u8) -> Vec<u8> {
        if reference != if self.make.global_pin { 0x00 } else { 0x80 } {
            return sw(0x6A88);
        }
        if data.is_empty() {
            return if self.verified { sw(0x9000) } else { Model::counter(self.tries) };
        }
        self.verified = self.tries > 0 && data == self.pin;
        self.just_verified = self.verified;
        if self.verified {
            self.tries = TRIES;
            return sw(0x9000);
        }
        self.tries = self.tries.saturating_sub(1);
        self.refusals += 1;
        Model::counter(self.tries)
    }

    fn shows_puk(&mut self, puk: &[u8]) -> bool {
        let right = self.puk_tries > 0 && puk == self.puk;
        self.puk_tries = if right { TRIES } else { self.puk_tries.saturating_sub(1) };
        self.refusals += u64::from(!right);
        right
    }

    fn change(&mut self, data: &[u8], reference: u8) -> Vec<u8> {
        let Some((old, new)) = data.split_at_checked(8) else { return sw(0x6A80) };
        if reference == 0x81 {
            if !self.shows_puk(old) {
                return Model::counter(self.puk_tries);
            }
            self.puk = new.to_vec();
            return sw(0x9000);
        }
        let answer = self.verify(old, reference);
        if answer == sw(0x9000) {
            self.pin = new.to_vec();
        }
        answer
    }

    fn unblock(&mut self, data: &[u8]) -> Vec<u8> {
        let Some((puk, new)) = data.split_at_checked(8) else { return sw(0x6A80) };
        if !self.shows_puk(puk) {
            return Model::counter(self.puk_tries);
        }
        (self.pin, self.tries) = (new.to_vec(), TRIES);
        sw(0x9000)
    }

    /// 7C { 82 (empty), 81 digest } as the driver writes it; 7C { 82 signature } back.
    fn sign(&mut self, data: &[u8], slot: u8, just_verified: bool) -> Vec<u8> {
        let open = if slot == 0x9C { just_verified } else { self.verified };
        let Some(key) = self.keys.get(&slot) else { return sw(0x6A88) };
        match data {
            _ if !open => sw(0x6982),
            [0x7C, 0x24, 0x82, 0x00, 0x81, 0x20, digest @ ..] => {
                ok(&object(&[0x7C], &object(&[0x82], &signature(key, digest))))
            }
            _ => sw(0x6A80),
        }
    }
}
