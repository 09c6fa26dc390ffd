//! A shield of `gm_shield` in a reader of this process, which can be reset, pulled out and lied about at any step. What the card gets is counted at
//! the card, whoever sends it; what we send is counted at the link.

#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use shared_shield::link::card::{SharedCard, VirtualReaders};
use shared_shield::link::{Presence, Readers};
use shared_shield::simulator::{Habits, Simulator};
use shared_shield::{Error, ErrorKind, Profile, Role, Scan, Scanner, Shield, Wait};

use crate::gm_shield::{
    Between, CONTAINER, CUSTOMS_PIN, OTHER_PIN, SYNO, application, door, foreign, issued, lock, only, profile,
};
pub use crate::gm_shield::{Kind, certificate, sign, verifies};

/// The one reader.
pub const READER: &str = "Simulated 00 00";

/// A command that the card got, from whomever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub ins: u8,
    pub sw: u16,
}

impl Seen {
    /// VerifyPIN.
    pub fn is_login(&self) -> bool {
        self.ins == 0x18
    }

    /// ChangePIN, UnblockPIN.
    pub fn is_change(&self) -> bool {
        matches!(self.ins, 0x16 | 0x1A)
    }

    /// A PIN went out and was refused.
    pub fn is_refused(&self) -> bool {
        (self.is_login() || self.is_change()) && (self.sw & 0xFF00 == 0x6300 || self.sw == 0x6983)
    }

    /// Neither a PIN nor what it is for. A random is asked for right before a PIN goes out.
    pub fn only_reads(&self) -> bool {
        matches!(self.ins, 0x04 | 0x14 | 0x22 | 0x26 | 0x42 | 0x46 | 0x4A | 0x4E | 0xA4)
    }
}

#[derive(Default)]
pub struct Talk {
    seen: Vec<Seen>,
    /// Answers of the test's own, by instruction.
    bent: BTreeMap<u8, Vec<u8>>,
}

/// A card whose commands are counted and whose answers can be bent.
pub fn watched(card: SharedCard) -> (Between, Arc<Mutex<Talk>>) {
    let talk = Arc::<Mutex<Talk>>::default();
    let kept = Arc::clone(&talk);
    let between = Between::new(card, move |card, apdu| {
        let ins = apdu.get(1).copied().unwrap_or_default();
        let bent = lock(&kept).bent.get(&ins).cloned();
        let answer = bent.unwrap_or_else(|| lock(card).command(apdu));
        let sw = answer.last_chunk().map_or(0, |sw| u16::from_be_bytes(*sw));
        lock(&kept).seen.push(Seen { ins, sw });
        answer
    });
    (between, talk)
}

/// What the card got since the last time.
pub fn taken(talk: &Mutex<Talk>) -> Vec<Seen> {
    std::mem::take(&mut lock(talk).seen)
}

/// The same, and it stays.
pub fn seen_so_far(talk: &Mutex<Talk>) -> Vec<Seen> {
    lock(talk).seen.clone()
}

/// A reader with a shield in it.
pub struct Desk {
    pub readers: VirtualReaders,
    pub kind: Kind,
    dialect: String,
    habits: Habits,
    card: Arc<Mutex<Between>>,
    talk: Arc<Mutex<Talk>>,
    /// Two hands do not put it in at one time.
    hand: Mutex<()>,
    profile: Arc<Profile>,
}

impl Desk {
    /// With SM2 keys and no habits.
    pub fn new() -> Self {
        Desk::of_kind(Kind::Sm2)
    }

    pub fn of_kind(kind: Kind) -> Self {
        Desk::with(kind, SYNO, Habits::default())
    }

    pub fn with(kind: Kind, dialect: &str, habits: Habits) -> Self {
        Desk::holding(&issued(kind, dialect, habits, &Role::ALL), kind, dialect, habits)
    }

    /// With a shield that the test has made or changed.
    pub fn holding(on: &Simulator, kind: Kind, dialect: &str, habits: Habits) -> Self {
        let (card, talk) = watched(on.card());
        let card = Arc::new(Mutex::new(card));
        let readers = VirtualReaders::new(&[READER]);
        readers.insert(READER, card.clone());
        let behind: Arc<dyn Readers> = Arc::new(readers.clone());
        let profile = Arc::new(profile(&door(&behind), Some(dialect), true));
        let desk =
            Desk { readers, kind, dialect: dialect.to_owned(), habits, card, talk, hand: Mutex::default(), profile };
        desk.seen();
        desk.readers.forget(READER);
        desk
    }

    /// Puts the card in, where it is not.
    pub fn put_in(&self) {
        let _one = lock(&self.hand);
        if !self.is_in() {
            self.readers.insert(READER, self.card.clone());
        }
    }

    fn is_in(&self) -> bool {
        let states = self.readers.list(&Wait::default()).unwrap();
        states.iter().any(|state| state.presence != Presence::Empty)
    }

    /// PINs, tries and logins as those of a new card.
    pub fn renew(&self) {
        self.exchange(&Role::ALL);
        self.readers.reset(READER);
    }

    /// The numbers of the applications are given to each other: what was customs' is the bank's. Nobody is told.
    pub fn renumber(&self) {
        self.exchange(&[Role::Bank, Role::Customs]);
    }

    /// The numbers are as they were first. Nobody is told of that either.
    pub fn renumber_back(&self) {
        self.exchange(&Role::ALL);
    }

    fn exchange(&self, order: &[Role]) {
        let new = issued(self.kind, &self.dialect, self.habits, order).card();
        lock(&self.card).card = new;
    }

    /// What the card got since the last time.
    pub fn seen(&self) -> Vec<Seen> {
        taken(&self.talk)
    }

    /// Instructions of our commands since the last time, counted at the link.
    pub fn sent(&self) -> Vec<u8> {
        let sent = self.readers.headers(READER).iter().map(|header| header[1]).collect();
        self.readers.forget(READER);
        sent
    }

    /// Every command with this instruction gets this answer, and the card hears nothing of it.
    pub fn bend(&self, ins: u8, answer: &[u8]) {
        lock(&self.talk).bent.insert(ins, answer.to_vec());
    }

    /// A command of the test's own, by another program: counted nowhere.
    pub fn foreign(&self, header: [u8; 4], data: &[u8], expected: u8) -> (Vec<u8>, u16) {
        foreign(&lock(&self.card).card, header, data, expected)
    }

    /// Looks at the shield behind `readers`, as this desk's person does.
    pub fn looks_at(&self, readers: Arc<dyn Readers>) -> Scanner {
        Scanner::new().profile(Arc::clone(&self.profile)).readers(readers)
    }

    pub fn scan(&self) -> Scan {
        self.looks_at(Arc::new(self.readers.clone())).scan(&Wait::default()).unwrap()
    }

    /// The shield on this desk.
    pub fn shield(&self) -> Shield {
        only(&self.scan())
    }

    /// Tries left of a role's PIN, and of its administrator's, as the card says.
    pub fn tries(&self, role: Role) -> [u8; 2] {
        let (number, _) = self.opened(role);
        [1, 0].map(|holder| {
            let (told, sw) = self.foreign([0x80, 0x14, 0, holder], &number, 3);
            assert_eq!(sw, 0x9000);
            told[1]
        })
    }

    /// Whether the user of an application is logged in: asked by a signature that nobody gets.
    pub fn is_logged_in(&self, role: Role) -> bool {
        let (number, container) = self.opened(role);
        let data = [&number[..], &container, &[7; 32]].concat();
        let (_, sw) = self.foreign([0x80, 0x74, 2, 0], &data, 68);
        assert!(matches!(sw, 0x9000 | 0x6982), "{sw:04X}");
        if self.habits.one_application {
            self.foreign([0x80, 0x28, 0, 0], &number, 0);
        }
        sw == 0x9000
    }

    /// The numbers of an application and its container, whoever opened them.
    fn opened(&self, role: Role) -> (Vec<u8>, Vec<u8>) {
        let (told, sw) = self.foreign([0x80, 0x26, 0, 0], application(role).as_bytes(), 10);
        assert_eq!(sw, 0x9000, "OpenApplication");
        let number = told[8..].to_vec();
        let named = [&number[..], CONTAINER.as_bytes()].concat();
        let (container, sw) = self.foreign([0x80, 0x42, 0, 0], &named, 2);
        assert_eq!(sw, 0x9000, "OpenContainer");
        (number, container)
    }

    /// Nobody is logged in, and where one application is open at a time there is none.
    pub fn nothing_is_open(&self) {
        if self.habits.one_application {
            // Which answers 6A90 where another one is open.
            for role in Role::ALL {
                let (told, sw) = self.foreign([0x80, 0x26, 0, 0], application(role).as_bytes(), 10);
                assert_eq!(sw, 0x9000, "{:?}: an application was left open", self.habits);
                self.foreign([0x80, 0x28, 0, 0], &told[8..], 0);
            }
        }
        for role in Role::ALL {
            assert!(!self.is_logged_in(role), "{:?}: a login of {role} was left behind", self.habits);
        }
    }

    /// After whatever happened: the PIN is one of the two that it can be, a further signature succeeds, and then nobody is logged in.
    pub fn goes_on(&self, shield: &Shield) -> Result<(), Error> {
        let mut accepted = Ok(Vec::new());
        for pin in [CUSTOMS_PIN, OTHER_PIN] {
            accepted = sign(shield, Role::Customs, "the next one", pin, &Wait::default());
            if !matches!(&accepted, Err(error) if error.kind() == ErrorKind::PinIncorrect) {
                break;
            }
        }
        assert!(verifies(certificate(self.kind, Role::Customs), "the next one", &accepted?), "{:?}", self.kind);
        self.nothing_is_open();
        self.renew();
        Ok(())
    }
}

/// Nothing is needed that is not in this process.
pub fn with_cards(_name: &str, body: impl FnOnce()) {
    body();
}
