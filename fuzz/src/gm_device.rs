//! The device of GM/T 0017 that the story is about: the simulator with an application for each party, and what befalls it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use shared_shield::link::card::{SharedCard, VirtualReaders};
use shared_shield::simulator::{Algorithm, ApplicationSetup, Habits, Simulator, Usage};

use crate::between::{Between, lock};
use crate::link::{Cards, READER};
use crate::script::Event;
use crate::story::Secrets;
use crate::terminal::{Terminal, USER};

const CUSTOMS: &[u8] = include_bytes!("../cards/customs_sm2.der");
const BANK: &[u8] = include_bytes!("../cards/bank_sm2.der");
pub const SERIAL: &str = "FUZZ-0017";
pub const APPLICATIONS: [&str; 2] = ["eport", "bank"];
const CONTAINER: &str = "sign";
pub const DIALECTS: [&str; 3] = ["syno-2015", "usbtool", "gm3000"];
const TRIES: u8 = 5;

/// How the device is made: bits of the first octet beside the one that says who answers, and of the third.
pub struct Make {
    pub dialect: &'static str,
    pub habits: Habits,
    pub wrong_before: bool,
}

impl Make {
    pub fn of([first, _, third]: [u8; 3]) -> Self {
        let dialect = DIALECTS[usize::from(third) % DIALECTS.len()];
        let habits = Habits {
            one_application: first & 0x02 != 0,
            opens_none_twice: third & 0x80 != 0,
            more_data: first & 0x04 != 0,
            drops_login_after_signature: first & 0x08 != 0,
            close_ends_login: first & 0x10 != 0,
            // The other dialects have no short form.
            short_only: first & 0x20 != 0 && dialect == DIALECTS[0],
            whole_files: first & 0x40 != 0,
        };
        Make { dialect, habits, wrong_before: first & 0x80 != 0 }
    }
}

/// The device. A twin says that it is the first, and has the other party's key in each place.
pub fn device(make: &Make, secrets: &Secrets, twin: bool) -> Simulator {
    let device = Simulator::blank(SERIAL).expect("a device");
    device.speak(make.dialect).expect("a dialect");
    device.habits(make.habits);
    let pins = [&secrets.pin, secrets.bank.as_ref().expect("two PINs")];
    for (at, (name, pin)) in APPLICATIONS.into_iter().zip(pins).enumerate() {
        let setup = ApplicationSetup {
            name: name.to_owned(),
            admin_pin: secrets.puk.clone(),
            admin_tries: TRIES,
            user_pin: pin.clone(),
            user_tries: TRIES,
        };
        device.create_application(&setup).expect("an application");
        device.create_container(name, CONTAINER).expect("a container");
        let (scalar, der) = if (at == 0) == twin { ([2; 32], BANK) } else { ([1; 32], CUSTOMS) };
        device.import_key(name, CONTAINER, Usage::Signing, Algorithm::Sm2, &scalar).expect("a key");
        device.import_certificate(name, CONTAINER, Usage::Signing, der).expect("a certificate");
    }
    device
}

/// The device, its twin, and what another program knows of them.
pub struct Devices {
    pub make: Make,
    pub first: Simulator,
    pub twin: Simulator,
    pub pin: String,
    pub other_pin: String,
    pub refusals: Arc<AtomicU64>,
}

impl Devices {
    /// What the card itself refuses is counted, whatever becomes of its answer.
    fn counted(&self, device: &Simulator) -> SharedCard {
        let refusals = Arc::clone(&self.refusals);
        Arc::new(Mutex::new(Between::new(device.card(), move |card, apdu| {
            let answer = lock(card).command(apdu);
            let with_pin = matches!(apdu.get(1), Some(0x16 | 0x18 | 0x1A));
            if with_pin && matches!(answer.as_slice(), [0x63, _]) {
                refusals.fetch_add(1, Ordering::SeqCst);
            }
            answer
        })))
    }
}

pub fn other_program(device: &Simulator, make: &Make) -> Terminal {
    let mut terminal = Terminal::new(device.card(), make.dialect);
    terminal.short = make.habits.short_only;
    terminal
}

impl Cards for Devices {
    fn happen(&self, readers: &VirtualReaders, event: Event) {
        let other = other_program(&self.first, &self.make);
        // Another program, between two commands of ours. It may be refused, where the device opens one application at a time.
        let open = |name: &str| {
            let answer = other.ask(0x26, 0, 0, name.as_bytes(), 10);
            answer.data.get(8..10).and_then(|id| <[u8; 2]>::try_from(id).ok())
        };
        match event {
            Event::Twin => readers.insert(READER, self.counted(&self.twin)),
            Event::Foreign => APPLICATIONS.into_iter().filter_map(open).for_each(|id| {
                other.send(0x1C, 0, 0, &id);
                other.close(id);
            }),
            // ChangePIN's MAC is known in one dialect.
            _ if self.make.dialect == DIALECTS[0] => {
                if let Some(id) = open(APPLICATIONS[0]) {
                    other.change_pin(id, USER, &self.pin, &self.other_pin);
                }
            }
            _ => {}
        }
    }

    fn card(&self) -> SharedCard {
        self.counted(&self.first)
    }

    fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::SeqCst)
    }
}
