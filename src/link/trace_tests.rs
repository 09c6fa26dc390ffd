//! Whatever a caller forgets: no PIN, no key and no person's data in the log.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64ct::{Base64Unpadded, Encoding};

use super::card::{VirtualCard, VirtualReaders};
use super::trace::traced;
use crate::apdu::{Sensitive, Wire};
use crate::wait::Wait;

const PIN: &[u8] = b"90517382";
const NAME: &[u8] = b"Zhang San 330106";

/// Answers everything with what must not be seen.
struct Talkative;

impl VirtualCard for Talkative {
    fn reset(&mut self) {}

    fn command(&mut self, apdu: &[u8]) -> Vec<u8> {
        match apdu.get(1) {
            Some(0xA4) => vec![0x61, 0x0D, 0x4F, 0x0B, 0xA0, 0x00, 0x00, 0x03, 0x08, 0x61, 0x10],
            Some(0xCB | 0xCA) => [&[0x53, 0x12, 0x01, 0x10][..], NAME, &[0x61, 0x10]].concat(),
            _ => [NAME, PIN, &[0x90, 0x00]].concat(),
        }
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged meanwhile by this thread, at trace level.
pub(crate) fn logged(act: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, act);
    let text = log.0.lock().unwrap().clone();
    String::from_utf8(text).unwrap()
}

/// The log of these commands.
fn log_of(commands: &[(&[u8], Sensitive)]) -> String {
    logged(|| {
        let readers = VirtualReaders::new(&["Reader"]);
        readers.insert("Reader", Arc::new(Mutex::new(Talkative)));
        let wait = Wait::at_most(Duration::from_secs(5));
        let link = traced(Arc::new(readers)).connect("Reader", &wait).unwrap();
        let mut transaction = link.begin(&wait).unwrap();
        for (octets, sensitive) in commands {
            transaction.transmit(&Wire::new(octets.to_vec(), *sensitive)).unwrap();
        }
    })
}

/// The forms in which octets come to stand in logs, as far as four of them in a row are told apart from chance.
fn forms(secret: &[u8]) -> Vec<String> {
    let join = |each: &dyn Fn(&u8) -> String, between: &str| secret.iter().map(each).collect::<Vec<_>>().join(between);
    let mut forms = vec![String::from_utf8(secret.to_vec()).unwrap()];
    for between in ["", " ", ":", ", ", ","] {
        forms.push(join(&|o| format!("{o:02x}"), between));
        forms.push(join(&|o| format!("{o:02X}"), between));
        if !between.is_empty() {
            forms.push(join(&|o| o.to_string(), between));
        }
    }
    for shift in 0..3 {
        let shifted = [vec![0; shift], secret.to_vec()].concat();
        let whole = shifted.len() * 8 / 6;
        forms.push(Base64Unpadded::encode_string(&shifted)[[0, 2, 3][shift]..whole].to_owned());
    }
    forms
}

fn assert_hides(log: &str, secret: &[u8]) {
    for part in secret.windows(4) {
        for form in forms(part) {
            assert!(!log.contains(&form), "{form} in\n{log}");
        }
    }
}

fn apdu(header: [u8; 4], data: &[u8]) -> Vec<u8> {
    [&header[..], &[u8::try_from(data.len()).unwrap()], data].concat()
}

#[test]
fn no_instruction_shows_a_secret_whether_it_was_marked_or_forgotten() {
    let shows = [0xA4, 0xCA, 0xCB, 0xC0];
    for instruction in (0..=0xFF).filter(|i| !shows.contains(i)) {
        for class in [0x00, 0x10, 0x80, 0x84] {
            let command = apdu([class, instruction, 0x00, 0x80], PIN);
            let log = log_of(&[(&command, Sensitive::No)]);
            assert_hides(&log, PIN);
            assert_hides(&log, NAME);
            assert!(log.contains(&format!("{class:02X} {instruction:02X} 00 80")), "{log}");
        }
    }
    for instruction in shows {
        let command = apdu([0x00, instruction, 0x00, 0x80], PIN);
        assert_hides(&log_of(&[(&command, Sensitive::Both)]), PIN);
        assert_hides(&log_of(&[(&command, Sensitive::Command)]), PIN);
        assert_hides(&log_of(&[(&command, Sensitive::No)]), NAME);
        // In a class of its own a maker's instruction means something else.
        for class in [0x80, 0x84, 0xC0] {
            let log = log_of(&[(&apdu([class, instruction, 0x00, 0x80], PIN), Sensitive::No)]);
            assert_hides(&log, PIN);
            assert_hides(&log, NAME);
        }
    }
}

#[test]
fn the_length_of_a_pin_is_not_told_either() {
    for instruction in [0x20, 0x24, 0x2C] {
        let short = log_of(&[(&apdu([0, instruction, 0, 0x80], b"1234"), Sensitive::No)]);
        let long = log_of(&[(&apdu([0, instruction, 0, 0x80], b"12345678"), Sensitive::Command)]);
        assert_eq!(short, long);
    }
}

#[test]
fn what_is_hidden_stays_hidden_over_chaining_and_over_get_response() {
    let chained: Vec<_> = [0x10, 0x10, 0x00].iter().map(|class| apdu([*class, 0xCB, 0x3F, 0xFF], PIN)).collect();
    let marks = [Sensitive::Command, Sensitive::No, Sensitive::No];
    let commands: Vec<_> = chained.iter().zip(marks).map(|(c, m)| (c.as_slice(), m)).collect();
    assert_hides(&log_of(&commands), PIN);
    let response = apdu([0x00, 0xC0, 0x00, 0x00], &[]);
    let log = log_of(&[(&apdu([0, 0x87, 0x11, 0x9D], PIN), Sensitive::Answer), (&response, Sensitive::No)]);
    assert_hides(&log, PIN);
    let log = log_of(&[
        (&apdu([0, 0xCB, 0x3F, 0xFF], &[0x5C, 0x03, 0x5F, 0xC1, 0x05]), Sensitive::No),
        (&response, Sensitive::No),
    ]);
    assert_hides(&log, NAME);
}

#[test]
fn what_helps_a_person_is_there() {
    let select = apdu([0x00, 0xA4, 0x04, 0x00], &[0xA0, 0x00, 0x00, 0x03, 0x08]);
    let get = apdu([0x00, 0xCB, 0x3F, 0xFF], &[0x5C, 0x03, 0x5F, 0xC1, 0x05]);
    let log = log_of(&[(&select, Sensitive::No), (&get, Sensitive::No), (&[0x00], Sensitive::No)]);
    for shown in [
        "atr=3B 80 80 01 01",
        "continuity=First",
        "-> 00 A4 04 00 05 A0 00 00 03 08",
        "<- 61 0D 4F 0B A0 00 00 03 08 61 10",
        "-> 00 CB 3F FF 05 5C 03 5F C1 05",
        "<- 53 12 01 10... (20 octets) 61 10",
        "-> (1 octets, no command)",
        "reader=Reader",
        "end",
    ] {
        assert!(log.contains(shown), "{shown} is not in\n{log}");
    }
}
