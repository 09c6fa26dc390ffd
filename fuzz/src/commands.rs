//! Arbitrary commands into the simulator: whoever speaks to it, a right is had by a right PIN alone, tries only go down without one, and nothing secret
//! comes out.

use shared_shield::simulator::{Algorithm, ApplicationSetup, Habits, Simulator, Usage};

use crate::counts;
use crate::terminal::{Answer, Terminal, USER, cryptogram};

const ADMIN_PIN: &str = "admin-918273";
const WRONG_PIN: &str = "never-564738";
const DIALECTS: [&str; 3] = ["syno-2015", "usbtool", "gm3000"];
/// The most commands of one input.
const COMMANDS_MAX: usize = 200;

/// An input of three acts of the first party: its application is opened, its right PIN shown, a signature asked for.
pub const OPEN_SHOW_SIGN: &[u8] = &[0, 5, 6, 11];

/// One party's side: what it has, and what the ledger says of it.
struct Party {
    name: &'static str,
    pin: &'static str,
    key: [u8; 32],
    tries: u8,
    id: [u8; 2],
    container: [u8; 2],
    /// The right PIN was shown, and nothing that surely ended that has happened since.
    is_in: bool,
}

/// The octets of an input, one after the other.
struct Input<'i>(&'i [u8]);

impl<'i> Input<'i> {
    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn octets(&mut self) -> Option<&'i [u8]> {
        let length = usize::from(self.octet()?).min(self.0.len());
        let (octets, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(octets)
    }
}

/// Whether an input brings a secret along: what then comes out is no finding.
fn brings_a_secret(parties: &[Party; 2], input: &[u8]) -> bool {
    secrets(parties).any(|secret| input.windows(secret.len()).any(|window| window == secret))
}

/// What may stand in no answer. Of keys a part is enough.
fn secrets(parties: &[Party; 2]) -> impl Iterator<Item = &[u8]> {
    parties.iter().flat_map(|party| [party.pin.as_bytes(), &party.key[..8]]).chain([ADMIN_PIN.as_bytes()])
}

fn parties() -> [Party; 2] {
    let party = |name, pin, key, tries| Party { name, pin, key, tries, id: [0; 2], container: [0; 2], is_in: false };
    // Octets that nobody comes to by chance.
    let key = |seed: u8| std::array::from_fn(|i| seed ^ (i as u8).wrapping_mul(0x9D));
    [party("eport", "customs-4711", key(0x3C), 5), party("bank", "bank-1147", key(0x5A), 6)]
}

fn device(parties: &[Party; 2]) -> Simulator {
    let device = Simulator::blank("FUZZ").unwrap();
    for party in parties {
        let setup = ApplicationSetup {
            name: party.name.to_owned(),
            admin_pin: ADMIN_PIN.to_owned(),
            admin_tries: 3,
            user_pin: party.pin.to_owned(),
            user_tries: party.tries,
        };
        device.create_application(&setup).unwrap();
        device.create_container(party.name, "keys").unwrap();
        device.import_key(party.name, "keys", Usage::Signing, Algorithm::Sm2, &party.key).unwrap();
        device.import_certificate(party.name, "keys", Usage::Signing, &[0x30; 600]).unwrap();
    }
    device
}

/// What an input came to.
pub struct End {
    /// Its own commands opened an application, showed its PIN and made a signature.
    pub alone: bool,
    /// Parties that signed after it.
    pub signed: u32,
    /// Parties whose PIN was locked.
    pub locked: u32,
}

/// The whole of one input.
///
/// # Panics
/// When something happened that never may.
pub fn run(input: &[u8]) {
    if brings_a_secret(&parties(), input) {
        return;
    }
    let End { alone, locked, .. } = outcome(input);
    counts::add(input, &[alone, locked > 0]);
}

/// The commands of this input, and what the parties can do after them.
///
/// # Panics
/// As [`run`].
pub fn outcome(input: &[u8]) -> End {
    let mut parties = parties();
    let (device, mut input) = (device(&parties), Input(input));
    let switches = input.octet().unwrap_or_default();
    let dialect = DIALECTS[usize::from(switches) % DIALECTS.len()];
    device.speak(dialect).unwrap();
    let habit = |bit: u8| switches & (1 << bit) != 0;
    device.habits(Habits {
        one_application: habit(2),
        opens_none_twice: habit(7),
        more_data: habit(3),
        drops_login_after_signature: habit(4),
        close_ends_login: habit(5),
        short_only: false,
        whole_files: habit(6),
    });
    let t = Terminal::new(device.card(), dialect);
    let mut alone = false;
    for _ in 0..COMMANDS_MAX {
        let Some(act) = input.octet() else { break };
        let which = usize::from(act >> 7);
        alone |= step(&device, &t, &mut parties, which, act & 0x0F, &mut input);
    }
    let (signed, locked) = end(&device, &t, &mut parties);
    End { alone, signed, locked }
}

/// One act; whether it made a signature.
fn step(
    device: &Simulator,
    t: &Terminal,
    parties: &mut [Party; 2],
    which: usize,
    act: u8,
    input: &mut Input<'_>,
) -> bool {
    let (id, container) = (parties[which].id, parties[which].container);
    let answer = match act {
        // As the octets come.
        0 => t.raw(input.octets().unwrap_or_default()),
        // A whole command, with or without the numbers of what is open before its data.
        1..=4 => {
            let header = [0x80 | (input.octet().unwrap_or_default() & 0x04), 0, 0, 0];
            let [ins, p1, p2] = std::array::from_fn(|_| input.octet().unwrap_or_default());
            let before: &[u8] = match act {
                1 => &[],
                2 => &id,
                _ => &[id, container].concat(),
            };
            let data = [before, input.octets().unwrap_or_default()].concat();
            let expected = (act != 4).then_some(0x0100);
            t.raw(&t.apdu([header[0], ins, p1, p2], &data, expected))
        }
        5 => open(t, &mut parties[which]),
        6 => verify(t, &mut parties[which], true),
        7 => verify(t, &mut parties[which], false),
        8 => t.ask(0x50, 0, 0, &[], 8),
        9 => {
            device.card().lock().unwrap().reset();
            parties.iter_mut().for_each(|party| party.is_in = false);
            return false;
        }
        10 => t.send(0x1C, 0, 0, &id),
        _ => t.sign(id, container, &[act; 32]),
    };
    look(parties, &answer);
    // Only who showed the right PIN signs; the ledger may be late in what ends a login, never early.
    let signed = act > 10 && answer.sw == 0x9000;
    assert!(!signed || parties[which].is_in, "a signature of {} without its PIN", parties[which].name);
    signed
}

fn look(parties: &[Party; 2], answer: &Answer) {
    for secret in secrets(parties) {
        assert!(!answer.data.windows(secret.len()).any(|window| window == secret), "{answer:02X?}");
    }
}

fn open(t: &Terminal, party: &mut Party) -> Answer {
    let answer = t.ask(0x26, 0, 0, party.name.as_bytes(), 10);
    if answer.sw != 0x9000 {
        return answer;
    }
    party.id = answer.data[8..].try_into().unwrap();
    let answer = t.ask(0x42, 0, 0, &[&party.id[..], b"keys"].concat(), 2);
    if answer.sw == 0x9000 {
        party.container = answer.data[..].try_into().unwrap();
    }
    answer
}

fn verify(t: &Terminal, party: &mut Party, right: bool) -> Answer {
    let before = tries(t, party);
    let random = t.ask(0x50, 0, 0, &[], 8).data;
    let pin = if right { party.pin } else { WRONG_PIN };
    let data = [&party.id[..], &cryptogram(t.dialect, pin, &random)].concat();
    let answer = t.send(0x18, 0, USER, &data);
    let after = tries(t, party);
    let Some((before, after)) = before.zip(after) else {
        assert_ne!(answer.sw, 0x9000, "a PIN was taken for what is not open");
        return answer;
    };
    assert!(before <= party.tries, "tries came back without the right PIN");
    match (right, before) {
        (_, 0) => assert_eq!((answer.sw, after), (0x6983, 0)),
        (true, _) => {
            assert_eq!(answer.sw, 0x9000);
            (party.tries, party.is_in) = (after, true);
        }
        (false, _) => {
            assert_eq!((answer.sw >> 8, after), (0x63, before - 1));
            (party.tries, party.is_in) = (after, false);
        }
    }
    answer
}

/// Tries left; `None` while the application is not open.
fn tries(t: &Terminal, party: &Party) -> Option<u8> {
    let answer = t.ask(0x14, 0, USER, &party.id, 3);
    (answer.sw == 0x9000).then(|| answer.data[1])
}

/// Whatever came before: each party's own PIN opens its own key, unless it was locked. How many signed, and how many are locked.
fn end(device: &Simulator, t: &Terminal, parties: &mut [Party; 2]) -> (u32, u32) {
    device.card().lock().unwrap().reset();
    device.habits(Habits::default());
    let (mut signed, mut locked) = (0, 0);
    for party in parties.iter_mut() {
        party.is_in = false;
        let answer = open(t, party);
        // Its user may delete the container, which is no finding.
        let gone = answer.sw == 0x6A91;
        assert!(answer.sw == 0x9000 || gone, "{answer:02X?}");
        match verify(t, party, true).sw {
            0x9000 => {}
            0x6983 => {
                locked += 1;
                continue;
            }
            sw => panic!("{sw:04X}"),
        }
        signed += u32::from(!gone && t.sign(party.id, party.container, &[7; 32]).sw == 0x9000);
    }
    (signed, locked)
}
