//! A device of GM/T 0017 for the story: the simulator, where the input does not say otherwise, and what may go to it. Unlike a PIV card it has a
//! PIN for each party, which nobody may send to the other one.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use shared_shield::apdu::{Sensitive, Wire};
use shared_shield::simulator::{Habits, Simulator};
use shared_shield::{DoorInfo, Profile, Scanner, Wait};

use crate::card::data_of;
use crate::gm_device::{APPLICATIONS, DIALECTS, Devices, Make, SERIAL, device, other_program};
use crate::link::{Desk, Ledger, Watch, has};
use crate::script::Script;
use crate::story::{Outcome, Secrets, Story};
use crate::terminal::{ADMIN, USER, cryptogram};

/// What a call waits. A device that opens one application at a time and whose answer to that was bent keeps us waiting for ourselves.
const PATIENCE: Duration = Duration::from_millis(300);

/// PINs of both parties; the unlock code is that of customs.
pub fn secrets() -> Secrets {
    Secrets { bank: Some("bN+3dRgE".to_owned()), ..Secrets::default() }
}

/// What the library knows in a transaction.
#[derive(Debug, Default)]
struct Seen {
    dialect: &'static str,
    /// The application that was opened last, with the number that the library was told.
    open: Option<(String, [u8; 2])>,
    /// Whose PIN (P2) in that application was looked at last, and how many tries the library was told of.
    told: Option<(u8, [u8; 2])>,
    /// The random of the command before.
    random: Option<Vec<u8>>,
    /// Applications whose PIN was accepted.
    accepted: BTreeSet<String>,
    /// Applications that a PIN went to, and whose login nobody has ended since.
    touched: BTreeSet<String>,
    asked: Asked,
    /// An answer that has come in part.
    part: Vec<u8>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum Asked {
    #[default]
    Other,
    Open(String),
    Tries(u8),
    Random,
    Pin,
    Change,
}

impl Seen {
    /// A command with a PIN.
    fn pin(&mut self, wire: &Wire, random: Option<Vec<u8>>, ledger: &mut Ledger, secrets: &Secrets) {
        let [_, instruction, _, p2, ..] = *wire.octets() else { return };
        let data = data_of(wire.octets());
        ledger.pins += 1;
        if !matches!(wire.sensitive(), Sensitive::Command | Sensitive::Both) {
            ledger.complain("a PIN that is not marked as a secret", self);
        }
        if let Some(refused) = ledger.refused {
            ledger.complain(&format!("a PIN after one was refused ({refused:04X})"), self);
        }
        let Some((name, number)) = self.open.clone() else {
            return ledger.complain("a PIN without OpenApplication in the same transaction", self);
        };
        if data.get(..2) != Some(&number) {
            ledger.complain("a PIN to another application than the one that was opened last", self);
        }
        let holder = if instruction == 0x1A { ADMIN } else { p2 };
        match self.told {
            Some((whose, [most, left])) if whose == holder => {
                if left == 0 || (left == 1 && most >= left && most <= 15) {
                    ledger.complain("the last try", self);
                }
            }
            _ => ledger.complain("a PIN whose tries were not asked for after its application was opened", self),
        }
        match random.filter(|random| random.len() == 8) {
            None => ledger.complain("a PIN without a random right before it", self),
            Some(random) if instruction == 0x18 => {
                let is = |pin: &str| data.get(2..) == Some(&cryptogram(self.dialect, pin, &random)[..]);
                let (customs, bank) = (name == APPLICATIONS[0], secrets.bank.as_deref().unwrap_or_default());
                let is_banks = is(bank);
                // By reference an input can give the certificate of one party another place; its PIN is asked for by the certificate's role.
                if !ledger.lied && customs == is_banks {
                    ledger.complain("one party's PIN to the other's application", self);
                }
                if !secrets.all().any(is) {
                    ledger.complain("a cryptogram of no PIN that was entered", self);
                }
            }
            Some(_) => {}
        }
        self.told = None;
        self.accepted.remove(&name);
        self.touched.insert(name);
    }
}

impl Watch for Seen {
    fn command(&mut self, wire: &Wire, ledger: &mut Ledger, secrets: &Secrets) {
        ledger.commands += 1;
        let random = self.random.take();
        let [_, instruction, _, p2, ..] = *wire.octets() else { return ledger.complain("no command", self) };
        let data = data_of(wire.octets());
        if secrets.all().any(|secret| has(wire.octets(), secret.as_bytes())) {
            ledger.complain("a PIN as it is in a command", self);
        }
        let named = self.open.as_ref().filter(|(_, number)| data.starts_with(number)).map(|(name, _)| name.clone());
        self.asked = match instruction {
            0x26 => Asked::Open(String::from_utf8_lossy(data).into_owned()),
            0x14 if named.is_some() => Asked::Tries(p2),
            0x50 => Asked::Random,
            0x18 => Asked::Pin,
            0x16 | 0x1A => Asked::Change,
            _ => Asked::Other,
        };
        match instruction {
            0x16 | 0x18 | 0x1A => self.pin(wire, random, ledger, secrets),
            0x1C => drop(named.map(|name| self.touched.remove(&name))),
            0x74 => {
                ledger.signs += 1;
                // Also in a batch: its login ends with each of its leases.
                if !self.open.as_ref().is_some_and(|(name, _)| self.accepted.contains(name)) {
                    ledger.complain("a signature without a PIN that was accepted in the same transaction", self);
                }
            }
            _ => {}
        }
    }

    fn answer(&mut self, answer: &[u8], ledger: &mut Ledger) {
        let Some((data, sw)) = answer.split_last_chunk().map(|(data, sw)| (data, u16::from_be_bytes(*sw))) else {
            return;
        };
        if sw == 0x6A9E {
            return self.part.extend_from_slice(data);
        }
        let data = [std::mem::take(&mut self.part).as_slice(), data].concat();
        match (std::mem::take(&mut self.asked), sw) {
            (Asked::Open(name), 0x9000) => {
                self.told = None;
                self.open = data.last_chunk().map(|number| (name, *number));
            }
            (Asked::Open(_), _) => (self.open, self.told) = (None, None),
            (Asked::Tries(holder), 0x9000) => {
                self.told = data.first_chunk().map(|[most, left]| (holder, [*most, *left]));
            }
            (Asked::Random, 0x9000) => self.random = Some(data),
            (Asked::Pin | Asked::Change, sw) => {
                // What is not there, not open or not known was not compared; whoever goes on looks at the tries before.
                let compared = !matches!(sw, 0x698A | 0x6A88 | 0x6A94 | 0x6D00 | 0x6E00);
                ledger.refused = (sw != 0x9000 && compared).then_some(sw);
            }
            _ => {}
        }
        if sw == 0x9000
            && let Some((name, _)) = self.open.clone().filter(|(name, _)| self.touched.contains(name))
            && ledger.refused.is_none()
        {
            self.accepted.insert(name);
        }
    }

    fn end(&mut self, whole: bool, ledger: &mut Ledger) {
        if whole && !self.touched.is_empty() {
            ledger.complain("a login that was left behind", self);
        }
    }
}

/// A profile for the device of each dialect with short form and without; its ATR tells that.
fn rules(make: &Make) -> Arc<Profile> {
    static MADE: LazyLock<[DoorInfo; 2]> = LazyLock::new(|| {
        [false, true].map(|short_only| {
            let device = Simulator::blank(SERIAL).expect("a device");
            device.habits(Habits { short_only, ..Habits::default() });
            let scan = Scanner::new().readers(device.readers()).scan(&Wait::default()).expect("a scan");
            scan.only().expect("a shield").doors().next().expect("a door").clone()
        })
    });
    let door = &MADE[usize::from(make.habits.short_only)];
    let atr: String = door.atr.iter().flat_map(|atr| atr.octets()).map(|o| format!("{o:02X}")).collect();
    let text = format!(
        "schema = 1\nname = \"story\"\ntest = true\n\n[[customs.issuer]]\ncommon_name = \"Story customs CA\"\n\n\
         [[bank.issuer]]\ncommon_name = \"Story bank CA\"\n\n[[cards.dialect]]\natr = {atr:?}\nmanufacturer = {:?}\nmodel = {:?}\n\
         name = {:?}\nproven = [{SERIAL:?}]\n",
        door.manufacturer, door.model, make.dialect
    );
    Arc::new(Profile::parse(&text).expect("a profile"))
}

/// The story of this input.
pub fn outcome(input: &[u8]) -> Outcome {
    let (script, secrets) = (Script::of(input).for_gm(), secrets());
    let (make, acts) = (Make::of(script.head), script.acts);
    let (rules, dialect) = (rules(&make), make.dialect);
    let first = device(&make, &secrets, false);
    let twin = device(&make, &secrets, true);
    if make.wrong_before {
        let other = other_program(&first, &make);
        let id = other.open(APPLICATIONS[0]);
        other.verify(id, USER, &secrets.wrong);
        other.close(id);
        first.card().lock().expect("no panic").reset();
    }
    let (pin, other_pin) = (secrets.pin.clone(), secrets.other.clone());
    let devices = Devices { make, first, twin, pin, other_pin, refusals: Arc::default() };
    let watch: fn() -> Box<dyn Watch> = match dialect {
        "syno-2015" => || Box::new(Seen { dialect: DIALECTS[0], ..Seen::default() }),
        "usbtool" => || Box::new(Seen { dialect: DIALECTS[1], ..Seen::default() }),
        _ => || Box::new(Seen { dialect: DIALECTS[2], ..Seen::default() }),
    };
    Story::under((rules, PATIENCE), &Desk::with(Box::new(devices), watch, script, &secrets), &secrets, acts)
}

/// What a good device answers to the whole story, as an input whose every answer is from it.
pub fn recorded() -> Vec<u8> {
    let (make, secrets) = (Make::of([0; 3]), secrets());
    let device = device(&make, &secrets, false);
    let watch: fn() -> Box<dyn Watch> = || Box::new(Seen { dialect: DIALECTS[0], ..Seen::default() });
    let desk = Desk::recording_with(device.readers(), watch, &secrets);
    let outcome = Story::under((rules(&make), PATIENCE), &desk, &secrets, 0xFF);
    assert_eq!(outcome.signed, 8, "{outcome:?}");
    desk.recorded([1, 0, 0])
}
