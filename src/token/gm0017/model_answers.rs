//! How the device in memory answers.

use p256::ecdsa::signature::hazmat::PrehashSigner;

use super::crypto::Key;
use super::dialect::Order;
use super::model::{ADMIN_PIN, ATR, Application, CUSTOMS_PIN, Card, Container, Model, point, sm2_key};
use super::tests::pin as pin_of_text;
use crate::apdu::{Limits, Sensitive, Transmit, Wire};
use crate::error::Result;
use crate::link::card::{Accident, VirtualCard};
use crate::token::faults;
use crate::wait::lock;

type Answer = std::result::Result<Vec<u8>, u16>;

impl Transmit for Card {
    fn transmit(&mut self, wire: &Wire) -> Result<Vec<u8>> {
        let mut model = lock(&self.0);
        let command = wire.octets().to_vec();
        model.log.push(command.clone());
        let (planned, step) = (model.fault.clone(), model.log.len());
        faults::answer(planned, step, || match model.always.get(&command[1]) {
            Some(answer) => answer.clone(),
            None => model.answer(&command),
        })
    }

    fn limits(&self) -> Limits {
        Limits { extended: lock(&self.0).extended }
    }
}

impl VirtualCard for Card {
    fn atr(&self) -> Vec<u8> {
        ATR.to_vec()
    }

    fn extended(&self) -> bool {
        lock(&self.0).extended
    }

    fn reset(&mut self) {
        let mut model = lock(&self.0);
        model.applications.iter_mut().for_each(|a| (a.open, a.login) = (None, false));
    }

    fn command(&mut self, apdu: &[u8]) -> Vec<u8> {
        let mut model = lock(&self.0);
        if let Some(at) = model.unreached.iter().position(|ins| *ins == apdu[1]) {
            model.unreached.remove(at);
            model.gone = true;
            return vec![];
        }
        drop(model);
        self.transmit(&Wire::new(apdu.to_vec(), Sensitive::No)).unwrap()
    }

    fn accident(&mut self) -> Option<Accident> {
        let mut model = lock(&self.0);
        if std::mem::take(&mut model.gone) {
            return Some(Accident::Lost);
        }
        let last = model.log.last()?[1];
        model.lost.take_if(|lost| *lost == last).map(|_| Accident::Lost)
    }
}

impl Model {
    fn answer(&mut self, command: &[u8]) -> Vec<u8> {
        let whole = match self.act(command) {
            Ok(data) => data,
            Err(sw) => return sw.to_be_bytes().to_vec(),
        };
        let most = if self.extended { self.part } else { self.part.min(256) };
        let rest = &whole[self.given.min(whole.len())..];
        let part = &rest[..rest.len().min(most)];
        let more = rest.len() > part.len();
        let answer = [part, if more { &[0x6A, 0x9E] } else { &[0x90, 0] }].concat();
        self.given = if more { self.given + part.len() } else { 0 };
        answer
    }

    fn act(&mut self, command: &[u8]) -> Answer {
        let random = self.random.take();
        let (head, body) = command.split_at(4);
        if !matches!(head[0], 0x80 | 0x84) {
            return Err(0x6E00);
        }
        let data = match body {
            [0, _, _] | [] | [_] => &[][..],
            [0, hi, lo, rest @ ..] => &rest[..usize::from(u16::from_be_bytes([*hi, *lo]))],
            [lc, rest @ ..] => &rest[..usize::from(*lc)],
        };
        if matches!(head[1], 0x18 | 0x16 | 0x1A) && random.is_none() {
            return Err(0x6985);
        }
        match head[1] {
            0x04 => Ok(self.info.clone()),
            0x50 => {
                self.randoms = self.randoms.wrapping_add(1);
                self.random = Some([self.randoms; 8]);
                Ok(vec![self.randoms; 8])
            }
            0x22 => Ok(self.applications.iter().flat_map(|a| [&a.name[..], &[0]].concat()).collect()),
            0x26 => self.open(data),
            0x28 => self.close(data),
            0x1C => self.with(data, |application, _| {
                application.login = false;
                Ok(vec![])
            }),
            0x14 => self.with(data, |application, _| {
                let (_, left, all) = application.pins[usize::from(head[3])];
                Ok(vec![all, left, 0])
            }),
            0x46 => self.with(data, |application, _| {
                Ok(application.containers.iter().flat_map(|c| [&c.name[..], &[0]].concat()).collect())
            }),
            0x18 => self.verify(data, usize::from(head[3]), random.unwrap()),
            0x16 => self.change(data, usize::from(head[3]), random.unwrap(), [head[0], head[1], head[2], head[3]]),
            0x1A => self.unblock(data, random.unwrap(), [head[0], head[1], head[2], head[3]]),
            0x4A => self.with(data, |application, rest| {
                let container = application.containers.iter().find(|c| c.name == rest).ok_or(0x6A91_u16)?;
                let [encryption, signing] = container.certificates.each_ref().map(|c| u8::from(c.is_some()));
                Ok([&[container.kind][..], &[0; 8], &[signing, encryption]].concat())
            }),
            0x42 => self.with(data, |application, rest| {
                let at = application.containers.iter().position(|c| c.name == rest).ok_or(0x6A91_u16)?;
                Ok(vec![0x30, u8::try_from(at).unwrap() + 1])
            }),
            0x40 => self.with(data, |application, rest| {
                if !application.login {
                    return Err(0x6982);
                }
                let new = Container { name: rest.to_vec(), kind: 0, signing: None, certificates: [None, None] };
                application.containers.push(new);
                Ok(vec![0x30, u8::try_from(application.containers.len()).unwrap()])
            }),
            _ => self.act_in_container(head, data),
        }
    }

    fn act_in_container(&mut self, head: &[u8], data: &[u8]) -> Answer {
        let (order, drops) = (self.dialect.order, self.drops_login);
        self.with(data, |application, rest| {
            let (id, rest) = rest.split_at(2);
            let at = usize::from(id[1]).checked_sub(1).filter(|_| id[0] == 0x30).ok_or(0x6A94_u16)?;
            let login = application.login;
            let container = application.containers.get_mut(at).ok_or(0x6A94_u16)?;
            if matches!(head[1], 0x70 | 0x4C | 0x72 | 0x74 | 0xA0) && !login {
                return Err(0x6982);
            }
            match head[1] {
                0x4E => {
                    let der = container.certificates[usize::from(head[2])].clone().ok_or(0x6A96_u16)?;
                    Ok([&order.word(u32::try_from(der.len()).unwrap())[..], &der].concat())
                }
                0x4C => {
                    container.certificates[usize::from(rest[0])] = Some(rest[5..].to_vec());
                    Ok(vec![])
                }
                0x88 => {
                    let secret = container.signing.ok_or(0x6A95_u16)?;
                    let secret = if head[2] == 1 { secret } else { [secret[0] + 0x40; 32] };
                    Ok([&order.word(256)[..], &point(container.kind, &secret)].concat())
                }
                0x70 => {
                    let kind = if head[3] == 0x50 { 0x50 } else { 2 };
                    (container.kind, container.signing) = (kind, Some([0x21; 32]));
                    Ok(point(kind, &[0x21; 32]).to_vec())
                }
                0x72 => Ok(vec![]),
                0x74 => {
                    application.login = !drops;
                    sign(container, rest, order)
                }
                _ => Err(0x6D00),
            }
        })
    }

    fn with(&mut self, data: &[u8], act: impl FnOnce(&mut Application, &[u8]) -> Answer) -> Answer {
        let (id, rest) = data.split_at_checked(2).ok_or(0x6700_u16)?;
        let application = self.applications.iter_mut().find(|a| a.open.is_some_and(|open| open == id));
        act(application.ok_or(0x698A_u16)?, rest)
    }

    fn open(&mut self, name: &[u8]) -> Answer {
        let in_the_way = |a: &Application| a.open.is_some() && (self.opens_once || a.name != name);
        if self.one_application && self.applications.iter().any(in_the_way) {
            return Err(0x6A90);
        }
        if self.one_number.is_some() {
            self.applications.iter_mut().for_each(|a| a.open = None);
        }
        let application = self.applications.iter_mut().find(|a| a.name == name).ok_or(0x6A88_u16)?;
        if application.open.is_none() {
            application.open = Some(self.one_number.unwrap_or([0x10, self.next]));
            self.next += 1;
        }
        Ok([&[0; 8][..], &application.open.unwrap()].concat())
    }

    fn close(&mut self, data: &[u8]) -> Answer {
        let ends_login = self.close_ends_login;
        self.with(data, |application, _| {
            application.open = None;
            application.login &= !ends_login;
            Ok(vec![])
        })
    }

    fn key(&self, pin: &str) -> Key {
        Key::of_pin(self.dialect, &pin_of_text(pin))
    }

    /// Compares, and counts.
    fn judge(&mut self, data: &[u8], holder: usize, right: impl Fn(&Key, &[u8]) -> bool) -> Answer {
        let at = self.applications.iter().position(|a| a.open.is_some_and(|open| open == data[..2]));
        let at = at.ok_or(0x698A_u16)?;
        let key = self.key(&self.applications[at].pins[holder].0.clone());
        let (_, left, all) = &mut self.applications[at].pins[holder];
        if *left == 0 {
            return Err(0x6983);
        }
        if right(&key, &data[2..]) {
            *left = *all;
            return Ok(vec![]);
        }
        *left -= 1;
        Err(0x63C0 + u16::from(*left))
    }

    fn verify(&mut self, data: &[u8], holder: usize, random: [u8; 8]) -> Answer {
        let dialect = self.dialect;
        let outcome = self.judge(data, holder, |key, rest| *key.cryptogram(dialect, random) == rest);
        self.with(data, |application, _| {
            application.login = outcome.is_ok() && holder == 1;
            outcome
        })
    }

    fn change(&mut self, data: &[u8], holder: usize, random: [u8; 8], head: [u8; 4]) -> Answer {
        self.replace(data, (holder, holder), random, head)
    }

    fn unblock(&mut self, data: &[u8], random: [u8; 8], head: [u8; 4]) -> Answer {
        self.replace(data, (0, 1), random, head)
    }

    /// The new PIN is found by trying those that tests use: nothing here decrypts.
    fn replace(&mut self, data: &[u8], (by, of): (usize, usize), random: [u8; 8], head: [u8; 4]) -> Answer {
        let form = self.dialect.mac.ok_or(0x6D00_u16)?;
        let (body, mac) = data.split_at(data.len() - 4);
        self.judge(data, by, |key, _| head[0] == 0x84 && key.mac(form, random, head, body) == mac)?;
        let at = self.applications.iter().position(|a| a.open.is_some_and(|open| open == data[..2])).unwrap();
        let key = self.key(&self.applications[at].pins[by].0.clone());
        let new = ["new-pin-1", "111111", CUSTOMS_PIN, ADMIN_PIN, "new-admin"];
        let wrapped = |pin: &&&str| *key.wrap(&pin_of_text(pin)) == body[2..];
        let new = new.iter().find(wrapped).ok_or(0x6A80_u16)?;
        let (_, _, all) = self.applications[at].pins[of];
        self.applications[at].pins[of] = ((*new).to_owned(), all, all);
        Ok(vec![])
    }
}

fn sign(container: &Container, e: &[u8], order: Order) -> Answer {
    let secret = container.signing.ok_or(0x6A95_u16)?;
    let octets = match container.kind {
        0x50 => {
            let key = p256::ecdsa::SigningKey::from_slice(&secret).unwrap();
            let signature: p256::ecdsa::Signature = key.sign_prehash(e).unwrap();
            signature.to_bytes().to_vec()
        }
        _ => {
            let signature: sm2::dsa::Signature = sm2_key(&secret).sign_prehash(e).unwrap();
            signature.to_bytes().to_vec()
        }
    };
    Ok([&order.word(256)[..], &octets].concat())
}
