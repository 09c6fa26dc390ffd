//! A person at a terminal. `script` (util-linux) gives the program a terminal of its own.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::program::{BANK_PIN, CUSTOMS_PIN, Desk, WRONG_PIN, built, changed, has, skip};

/// The program on a terminal.
pub(crate) struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Receiver<u8>,
    seen: String,
}

fn reader(mut from: ChildStdout) -> Receiver<u8> {
    let (to, screen) = channel();
    std::thread::spawn(move || {
        let mut one = [0];
        while from.read(&mut one).is_ok_and(|n| n == 1) && to.send(one[0]).is_ok() {}
    });
    screen
}

/// Whether `script` is there and can open a terminal, or a loud skip.
fn can_open(name: &str) -> bool {
    if !has("script", name) {
        return false;
    }
    let args = ["-q", "-e", "-c", "true", "/dev/null"];
    let works = Command::new("script").args(args).stdin(Stdio::null()).output().is_ok_and(|o| o.status.success());
    if !works {
        skip(name, "no terminal can be opened here (is /dev/pts mounted?)");
    }
    works
}

impl Terminal {
    pub(crate) fn start(desk: &Desk, args: &[&str]) -> Terminal {
        Terminal::start_and_then(desk, args, "")
    }

    /// The shell does `then` on the same terminal when the program has ended.
    fn start_and_then(desk: &Desk, args: &[&str], then: &str) -> Terminal {
        let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let mut words = vec![quote(built("shield").to_str().unwrap())];
        words.extend(desk.arguments(args).iter().map(|a| quote(a.to_str().unwrap())));
        words.push(then.to_owned());
        let mut command: Command = desk.command("script");
        command.args(["-q", "-e", "-f", "-c", &words.join(" "), "/dev/null"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (keys, screen) = (child.stdin.take().unwrap(), reader(child.stdout.take().unwrap()));
        Terminal { child, keys, screen, seen: String::new() }
    }

    /// Reads until the screen shows this, and forgets what came before.
    #[track_caller]
    pub(crate) fn until(&mut self, words: &str) -> String {
        let mut octets = Vec::new();
        while !String::from_utf8_lossy(&octets).contains(words) {
            match self.screen.recv_timeout(Duration::from_secs(60)) {
                Ok(octet) => octets.push(octet),
                Err(_) => panic!("no word of {words:?} on the screen, but: {}", String::from_utf8_lossy(&octets)),
            }
        }
        let shown = String::from_utf8_lossy(&octets).into_owned();
        self.seen.push_str(&shown);
        shown
    }

    pub(crate) fn enter(&mut self, text: &str) {
        // The prompt is written before the echo is switched off.
        std::thread::sleep(Duration::from_millis(300));
        self.keys.write_all(text.as_bytes()).unwrap();
        self.keys.write_all(b"\r").unwrap();
        self.keys.flush().unwrap();
    }

    /// The exit code and all that was on the screen.
    pub(crate) fn end(mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        while let Ok(octet) = self.screen.recv_timeout(Duration::from_secs(5)) {
            self.seen.push(char::from(octet));
        }
        (code, self.seen)
    }
}

const SIGN: [&str; 5] = ["sign-declaration", "CEB621.xml", "CEB311.xml", "--out-dir", "signed"];

#[test]
fn the_prompt_names_role_documents_and_tries_and_shows_no_pin() {
    const NAME: &str = "the_prompt_names_role_documents_and_tries";
    let Some(desk) = Desk::new(NAME, &[]).filter(|_| can_open(NAME)) else { return };
    let mut terminal = Terminal::start(&desk, &SIGN);
    let prompt = terminal.until("PIN of the customs certificate: ");
    assert!(prompt.contains("2 customs messages: CEB621.xml, CEB311.xml"), "{prompt}");
    assert!(prompt.contains("Tries left: unknown"), "{prompt}");
    assert!(!prompt.contains("also opens"), "{prompt}");
    terminal.enter(CUSTOMS_PIN);
    terminal.until("2 signed");
    let (code, seen) = terminal.end();
    assert_eq!(code, 0, "{seen}");
    assert!(!seen.contains(CUSTOMS_PIN), "the PIN is on the screen: {seen}");
}

#[test]
fn a_wrong_pin_is_followed_by_a_question_and_not_by_another_try() {
    const NAME: &str = "a_wrong_pin_is_followed_by_a_question";
    let Some(desk) = Desk::new(NAME, &[]).filter(|_| can_open(NAME)) else { return };
    let mut no = Terminal::start(&desk, &SIGN);
    no.until("PIN of the customs certificate: ");
    no.enter(WRONG_PIN);
    no.until("Enter it again? [y/N] ");
    no.enter("");
    let (code, seen) = no.end();
    assert_eq!(code, 4, "{seen}");
    assert!(seen.contains("SH-2001") && !seen.contains(WRONG_PIN), "{seen}");

    let mut yes = Terminal::start(&desk, &SIGN);
    // A wrong PIN was entered before: the question comes before any PIN.
    yes.until("Enter it again? [y/N] ");
    // The right PIN in the place of the answer: it is neither shown nor sent, and the question comes again.
    yes.enter(CUSTOMS_PIN);
    yes.until("neither y nor n");
    yes.until("Enter it again? [y/N] ");
    yes.enter("y");
    yes.until("PIN of the customs certificate: ");
    yes.enter("");
    yes.until("SH-2005");
    yes.until("PIN of the customs certificate: ");
    // Shorter than the token's PINs are, which is known behind the entry.
    yes.enter("123");
    yes.until("SH-2006");
    yes.until("PIN of the customs certificate: ");
    yes.enter(CUSTOMS_PIN);
    yes.until("2 signed");
    let (code, seen) = yes.end();
    assert_eq!(code, 0, "{seen}");
    assert!(!seen.contains(CUSTOMS_PIN), "the PIN is on the screen: {seen}");
}

#[test]
fn one_pin_for_both_certificates_is_named_in_the_prompt() {
    const NAME: &str = "one_pin_for_both_certificates";
    let Some(desk) = Desk::new(NAME, &["--one-token"]).filter(|_| can_open(NAME)) else { return };
    let then = "; code=$?; stty -a; exit $code";
    let mut terminal = Terminal::start_and_then(&desk, &[&SIGN[..], &["--lang", "zh"]].concat(), then);
    let prompt = terminal.until("海关证书口令：");
    assert!(prompt.contains("此口令同时用于：银行"), "{prompt}");
    // Ctrl-C in the middle of an entry: the terminal echoes again afterwards.
    std::thread::sleep(Duration::from_millis(300));
    terminal.keys.write_all(b"4829\x03").unwrap();
    terminal.keys.flush().unwrap();
    let (code, seen) = terminal.end();
    assert_eq!(code, 4, "{seen}");
    assert!(seen.contains(" echo ") && seen.contains(" icanon ") && !seen.contains(" -echo "), "{seen}");
    assert!(seen.contains("SH-2008") && !seen.contains("4829"), "{seen}");
    assert!(desk.names("signed").is_empty());
}

#[test]
fn what_changes_while_the_pin_is_typed_is_neither_signed_nor_replaced() {
    const NAME: &str = "what_changes_while_the_pin_is_typed";
    let Some(desk) = Desk::new(NAME, &[]).filter(|_| can_open(NAME)) else { return };
    desk.write("third.xml", desk.read("CEB311.xml"));
    let mut terminal = Terminal::start(&desk, &[&SIGN[..], &["third.xml"]].concat());
    let prompt = terminal.until("PIN of the customs certificate: ");
    assert!(prompt.contains("3 customs messages"), "{prompt}");
    assert!(desk.names("signed").is_empty(), "{:?}", desk.names("signed"));
    desk.write("CEB621.xml", changed(&desk.read("CEB621.xml"), "<ceb:appTime>"));
    desk.write("signed/CEB311.xml", "made by another program");
    terminal.enter(CUSTOMS_PIN);
    let (code, seen) = terminal.end();
    assert_eq!(code, 1, "{seen}");
    for word in ["refused CEB621.xml", "SH-4009", "left as it is", "1 signed, 0 done before, 2 refused, 0 not tried"] {
        assert!(seen.contains(word), "no {word:?} in {seen}");
    }
    assert_eq!(desk.read("signed/CEB311.xml"), b"made by another program");
    assert_eq!(desk.names("signed"), ["CEB311.xml", "third.xml"]);
}

#[test]
fn raw_data_that_changes_while_the_pin_is_typed_gets_no_signature() {
    const NAME: &str = "raw_data_that_changes_while_the_pin_is_typed";
    let Some(desk) = Desk::new(NAME, &[]).filter(|_| can_open(NAME)) else { return };
    desk.write("order.txt", "pay 100.00");
    let sign = ["sign-raw", "--role", "bank", "order.txt", "--out", "order.sig"];
    let mut terminal = Terminal::start(&desk, &sign);
    terminal.until("PIN of the bank certificate: ");
    desk.write("order.txt", "pay 900.00");
    terminal.enter(BANK_PIN);
    let (code, seen) = terminal.end();
    assert_eq!(code, 6, "{seen}");
    assert!(seen.contains("SH-4009"), "{seen}");
    assert!(desk.names(".").iter().all(|n| !n.contains("order.sig")), "{:?}", desk.names("."));
}

#[test]
fn a_batch_that_one_unlock_does_not_sign_goes_on_with_another_pin_entry() {
    const NAME: &str = "a_batch_that_one_unlock_does_not_sign";
    let Some(desk) = Desk::new(NAME, &[]).filter(|_| can_open(NAME)) else { return };
    std::fs::create_dir(desk.path("in")).unwrap();
    for n in 0..3 {
        let text = String::from_utf8(desk.read("CEB621.xml")).unwrap();
        desk.write(&format!("in/{n}.xml"), text.replacen("COP20270104000001", &format!("COP2027010400000{n}"), 1));
    }
    let profile = String::from_utf8(desk.read("shield/profile.toml")).unwrap();
    desk.write("shield/profile.toml", format!("{profile}\n[customs.policy]\nsignatures = 2\n"));
    let mut terminal = Terminal::start(&desk, &["sign-batch", "--folder", "in", "--out-dir", "signed"]);
    let told = terminal.until("PIN of the customs certificate: ");
    assert!(told.contains("3 messages, and one PIN entry signs 2: the PIN will be asked for again"), "{told}");
    terminal.enter(CUSTOMS_PIN);
    let told = terminal.until("PIN of the customs certificate: ");
    assert!(told.contains("all 2 signatures") && told.contains("a batch of 1 customs messages"), "{told}");
    terminal.enter(CUSTOMS_PIN);
    terminal.until("3 signed, 0 done before, 0 refused, 0 not tried");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn a_signal_at_the_pin_of_a_batch_stops_it_and_the_terminal_echoes_again() {
    const NAME: &str = "a_signal_at_the_pin_of_a_batch";
    let Some(desk) = Desk::new(NAME, &[]).filter(|_| can_open(NAME)) else { return };
    std::fs::create_dir(desk.path("in")).unwrap();
    std::fs::copy(desk.path("CEB621.xml"), desk.path("in/m.xml")).unwrap();
    let sign = ["sign-batch", "--folder", "in", "--out-dir", "signed"];
    let mut terminal = Terminal::start_and_then(&desk, &sign, "; code=$?; stty -a; exit $code");
    terminal.until("PIN of the customs certificate: ");
    std::thread::sleep(Duration::from_millis(300));
    terminal.keys.write_all(b"4829\x03").unwrap();
    terminal.keys.flush().unwrap();
    let (code, seen) = terminal.end();
    assert_eq!(code, 130, "{seen}");
    assert!(seen.contains("SH-1002") && seen.contains("1 not tried") && !seen.contains("SH-2008"), "{seen}");
    assert!(seen.contains(" echo ") && !seen.contains(" -echo "), "{seen}");
    // Asked to end twice, from elsewhere, once the echo is off.
    let then = "& p=$!; for n in $(seq 300); do stty -a </dev/tty | grep -q -e ' -echo ' && break; sleep 0.1; done; \
        kill -TERM $p; sleep 0.5; kill -TERM $p; wait $p; code=$?; stty -a </dev/tty; exit $code";
    let (code, seen) = Terminal::start_and_then(&desk, &sign, then).end();
    assert_eq!(code, 143, "{seen}");
    assert!(seen.contains(" echo ") && seen.contains(" icanon ") && !seen.contains(" -echo "), "{seen}");
}
