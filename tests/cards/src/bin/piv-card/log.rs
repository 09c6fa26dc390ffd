//! What was said to the card, for tests that count and for people who look for a fault: without PINs, keys and what they made.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::card::ins;

/// VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER, GENERAL AUTHENTICATE, and Yubico's import of a key and new management key.
const SECRET: [u8; 6] = [0x20, 0x24, 0x2c, 0x87, 0xfe, 0xff];

/// Up to two files; each line is written at once.
pub(crate) struct Log {
    count: Option<File>,
    trace: Option<File>,
    /// The last command's answer is secret, and so is what GET RESPONSE brings of it.
    secret: bool,
}

impl Log {
    pub(crate) fn open(count: Option<&Path>, trace: Option<&Path>) -> io::Result<Self> {
        let open = |path: Option<&Path>| path.map(|p| File::options().create(true).append(true).open(p)).transpose();
        Ok(Log { count: open(count)?, trace: open(trace)?, secret: false })
    }

    /// A line that is no command: `# removed`.
    pub(crate) fn event(&mut self, what: &str) {
        for file in [&mut self.count, &mut self.trace].into_iter().flatten() {
            write(file, &format!("# {what}"));
        }
    }

    /// One command and its answer.
    ///
    /// The count has five words: instruction, P1P2, octets of data, octets of answer, status word, as `20 0080 8 0 9000`. A VERIFY
    /// that only asks has no data. The trace has two lines, as `> 00200080 08 [8]` and `< 9000`.
    pub(crate) fn command(&mut self, apdu: &[u8], answer: &[u8]) {
        let (header, body) = apdu.split_at(apdu.len().min(4));
        let instruction = header.get(1).copied().unwrap_or(0);
        let (data, status) = answer.split_at(answer.len().saturating_sub(2));
        if let Some(file) = &mut self.count {
            let parameters = hex(header.get(2..).unwrap_or(&[]));
            let sent = match body {
                [] | [_] => 0,
                [0, high, low, ..] if body.len() > 3 => usize::from(u16::from_be_bytes([*high, *low])),
                [0, ..] => 0,
                [lc, ..] => usize::from(*lc),
            };
            write(file, &format!("{instruction:02x} {parameters} {sent} {} {}", data.len(), hex(status)));
        }
        if instruction != ins::GET_RESPONSE {
            self.secret = SECRET.contains(&instruction);
        }
        let secret = self.secret;
        if let Some(file) = &mut self.trace {
            write(file, &format!("> {}{}", hex(header), shown(body, secret)));
            write(file, &format!("<{} {}", shown(data, secret), hex(status)));
        }
    }
}

fn shown(octets: &[u8], secret: bool) -> String {
    match (octets, secret) {
        ([], _) => String::new(),
        (octets, true) => format!(" [{}]", octets.len()),
        (octets, false) => format!(" {}", hex(octets)),
    }
}

pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// A log that cannot be written makes a count wrong: the card stops.
fn write(file: &mut File, line: &str) {
    file.write_all(format!("{line}\n").as_bytes()).expect("the log can be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_log_has_a_pin_or_what_a_key_made_even_in_a_chain() {
        let folder = std::env::temp_dir().join(format!("piv-card-log-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (count, trace) = (folder.join("count"), folder.join("trace"));
        let mut log = Log::open(Some(&count), Some(&trace)).unwrap();
        let pin = b"\x00\x20\x00\x80\x0812345678";
        log.command(pin, &[0x63, 0xc2]);
        log.command(&[0x10, 0x87, 7, 0x9c, 2, 0xaa, 0xaa], &[0x90, 0]);
        log.command(&[0x00, 0x87, 7, 0x9c, 2, 0xaa, 0xaa], &[0xaa, 0xaa, 0x61, 2]);
        log.command(&[0x00, 0xc0, 0, 0, 2], &[0xaa, 0xaa, 0x90, 0]);
        log.command(&[0x00, 0xcb, 0x3f, 0xff, 3, 0x5c, 1, 0x7e], &[0xbb, 0x90, 0]);
        log.event("removed");
        let read = |path| std::fs::read_to_string(path).unwrap();
        let told = read(&count);
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "20 0080 8 0 63c2",
                "87 079c 2 0 9000",
                "87 079c 2 2 6102",
                "c0 0000 0 2 9000",
                "cb 3fff 3 1 9000",
                "# removed"
            ]
        );
        let told = read(&trace);
        assert!(!told.contains("3132") && !told.contains("aa"), "{told}");
        assert!(told.contains("> 00200080 [9]\n< 63c2\n") && told.contains("< bb 9000\n"), "{told}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
