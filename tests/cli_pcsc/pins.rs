//! PINs and unlock codes are changed; yubico-piv-tool, which knows nothing of us, accepts what we set.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use crate::desk::{Desk, NEW_PIN, NEW_PUK, WRONG_PIN, program};
use crate::piv_card::{Key, PIN, PUK};
use crate::softhsm::child;

const CHANGE: [&str; 3] = ["change-pin", "--role", "customs"];
const UNBLOCK: [&str; 3] = ["unblock", "--role", "bank"];
const NEW: [&str; 2] = ["--new-pin-env", "NEW_PIN"];

#[test]
fn a_changed_pin_is_in_force_for_both_roles_and_for_other_programs() {
    let Some(desk) = Desk::new("pins::a_changed_pin_is_in_force", Key::P256) else { return };
    let wrong = [&CHANGE[..], &["--pin-env", "WRONG_PIN"], &NEW].concat();
    desk.shield(&wrong).expect(4, &["tries left: 3", "SH-2001", "tries left: 2"]);
    let right = [&CHANGE[..], &["--pin-env", "PIN"], &NEW].concat();
    let before = desk.card.commands().len();
    desk.shield(&right).expect(0, &["tries left: 2", "This PIN also opens: bank", "changed the customs PIN"]);
    // CHANGE REFERENCE DATA (24) once, and no VERIFY with a PIN.
    let sent = desk.card.commands()[before..].iter().filter(|c| c.ins == 0x24 || c.is_login()).count();
    assert_eq!(sent, 1);
    assert!(desk.tool_accepts(NEW_PIN) && !desk.tool_accepts(PIN));
    let pay = ["sign-payment", "order.txt", "--out", "order.p7m", "--text", "Pay", "--pin-env", "NEW_PIN"];
    desk.shield(&pay).expect(0, &["bank certificate"]);
    // A PIN that the card cannot take: the old one stays in force, and no try is used.
    let long = ["--pin-env", "NEW_PIN", "--new-pin-env", "LONG"];
    let mut command = desk.prepared(&[&CHANGE[..], &long].concat());
    let refused = crate::desk::Ran::of(&command.env("LONG", "123456789012").output().unwrap());
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(desk.tool_accepts(NEW_PIN));
    desk.shield(&["list"]).expect(0, &["tries left: 3"]);
}

#[test]
fn pins_come_from_descriptors_of_their_own() {
    let Some(desk) = Desk::new("pins::pins_come_from_descriptors", Key::P256) else { return };
    let words = format!(
        "exec 3<pin 4<new; exec {} --profile {} change-pin --role bank --pin-fd 3 --new-pin-fd 4 --lang zh",
        program().display(),
        desk.made.profile.display()
    );
    std::fs::write(desk.dir.join("pin"), format!("{PIN}\n")).unwrap();
    std::fs::write(desk.dir.join("new"), format!("{NEW_PIN}\n")).unwrap();
    let ran = crate::desk::Ran::of(&desk.command("sh").args(["-c", &words]).output().unwrap());
    ran.expect(0, &["已修改银行口令", "剩余次数：3", "此口令同时用于：海关"]);
    assert!(desk.tool_accepts(NEW_PIN));
}

#[test]
fn a_locked_pin_is_set_anew_by_the_unlock_code() {
    let Some(desk) = Desk::new("pins::a_locked_pin_is_set_anew", Key::P256) else { return };
    let sign = ["sign-raw", "order.txt", "--role", "customs", "--out", "order.sig"];
    for _ in 0..3 {
        let wrong = [&sign[..], &["--pin-env", "WRONG_PIN", "--spend-last-try"]].concat();
        desk.shield(&wrong).expect(4, &["SH-200"]);
    }
    desk.shield(&[&sign[..], &["--pin-env", "PIN", "--spend-last-try"]].concat()).expect(4, &["SH-2002"]);
    desk.shield(&[&CHANGE[..], &["--pin-env", "PIN"], &NEW].concat()).expect(4, &["SH-2002"]);
    desk.shield(&["list"]).expect(0, &["none: locked"]);
    desk.shield(&["doctor"]).expect(4, &["SH-2002", "e-port card office", "BAD"]);
    desk.shield(&[&UNBLOCK[..], &["--puk-env", "WRONG_PIN"], &NEW].concat()).expect(4, &["SH-200F", "tries left: 2"]);
    desk.shield(&[&UNBLOCK[..], &["--puk-env", "PUK"], &NEW].concat()).expect(0, &["unlocked the bank PIN", "customs"]);
    assert!(desk.tool_accepts(NEW_PIN));
    assert_eq!(desk.tries(), "3");
    desk.shield(&[&sign[..], &["--pin-env", "NEW_PIN"]].concat()).expect(0, &["signed order.sig"]);
    desk.shield(&["doctor"]).expect(0, &["Nothing is wrong."]);
}

#[test]
fn a_locked_unlock_code_is_the_offices_business() {
    let Some(desk) = Desk::new("pins::a_locked_unlock_code", Key::P256) else { return };
    let wrong = [&UNBLOCK[..], &["--puk-env", "WRONG_PIN"], &NEW].concat();
    for _ in 0..3 {
        desk.shield(&wrong).expect(4, &["SH-20"]);
    }
    desk.shield(&[&UNBLOCK[..], &["--puk-env", "PUK"], &NEW].concat()).expect(4, &["SH-2010", "a branch of the bank"]);
    // The PIN itself is not concerned.
    assert!(desk.tool_accepts(PIN));
}

#[test]
fn a_changed_unlock_code_is_accepted_by_other_programs() {
    let Some(desk) = Desk::new("pins::a_changed_unlock_code", Key::P256) else { return };
    let new = ["--new-puk-env", "NEW_PUK"];
    desk.shield(&[&["change-puk", "--puk-env", "WRONG_PIN"], &new[..]].concat()).expect(4, &["SH-200F"]);
    desk.shield(&[&["change-puk", "--puk-env", "PUK"], &new[..]].concat()).expect(0, &["changed the unlock code"]);
    assert!(desk.card.tool(&["-a", "unblock-pin", "-P", PUK, "-N", NEW_PIN]).is_err());
    desk.card.tool(&["-a", "unblock-pin", "-P", NEW_PUK, "-N", NEW_PIN]).unwrap();
    assert!(desk.tool_accepts(NEW_PIN));
}

#[test]
fn a_trace_log_of_changes_and_signatures_holds_no_pin() {
    let Some(desk) = Desk::new("pins::a_trace_log_of_changes", Key::P256) else { return };
    let log = ["--log", "log", "--log-level", "trace"];
    let sign = ["sign-raw", "order.txt", "--role", "bank", "--out", "order.sig", "--pin-env", "NEW_PIN"];
    let commands = [
        (&[&CHANGE[..], &["--pin-env", "WRONG_PIN"], &NEW].concat()[..], 4),
        (&[&CHANGE[..], &["--pin-env", "PIN"], &NEW].concat(), 0),
        (&sign, 0),
        (&["change-puk", "--puk-env", "PUK", "--new-puk-env", "NEW_PUK"], 0),
        (&[&UNBLOCK[..], &["--puk-env", "NEW_PUK"], &NEW].concat(), 0),
        (&["doctor", "--bundle", "bundle.txt"], 0),
    ];
    for (command, code) in commands {
        desk.shield(&[&log[..], command].concat()).expect(code, &[]);
    }
    let read = |file: &str| std::fs::read_to_string(desk.dir.join(file)).unwrap();
    let written = read("log") + &read("bundle.txt");
    assert!(written.contains("signed") && written.lines().count() > 20, "{written}");
    for shown in ["-> 00 A4 04 00", "-> 00 20 00 80", "-> 00 87 11 9C"] {
        assert!(written.contains(shown), "the log shows the commands, {shown} among them:\n{written}");
    }
    for pin in [PIN, PUK, NEW_PIN, NEW_PUK, WRONG_PIN] {
        let hex = |between: &str| pin.bytes().map(|o| format!("{o:02x}")).collect::<Vec<_>>().join(between);
        let list = pin.bytes().map(|o| o.to_string()).collect::<Vec<_>>().join(", ");
        for form in [pin.to_owned(), hex(""), hex(" "), hex(":"), list] {
            assert!(!written.to_lowercase().contains(&form), "{form} stands in\n{written}");
        }
    }
}

/// The program on a terminal (`script` of util-linux).
struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    seen: String,
}

impl Terminal {
    fn start(desk: &Desk, args: &str) -> Terminal {
        let line = format!("{} --profile {} {args}", program().display(), desk.made.profile.display());
        let mut command = desk.command("script");
        command.args(["-q", "-e", "-f", "-c", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (keys, screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Terminal { child, keys, screen, seen: String::new() }
    }

    /// Reads on until the screen shows this, then types a line.
    #[track_caller]
    fn answer(&mut self, words: &str, typed: &str) {
        let mut octets = Vec::new();
        let mut one = [0];
        while !String::from_utf8_lossy(&octets).contains(words) {
            assert_eq!(self.screen.read(&mut one).unwrap(), 1, "no word of {words:?} after {}", self.seen);
            octets.push(one[0]);
        }
        self.seen.push_str(&String::from_utf8_lossy(&octets));
        // The prompt is written before the echo is switched off.
        std::thread::sleep(std::time::Duration::from_millis(300));
        self.keys.write_all(format!("{typed}\r").as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn end(mut self) -> (i32, String) {
        let mut rest = Vec::new();
        let _ = self.screen.read_to_end(&mut rest);
        self.seen.push_str(&String::from_utf8_lossy(&rest));
        (self.child.wait().unwrap().code().unwrap_or(-1), self.seen)
    }
}

#[test]
fn a_person_at_the_terminal_enters_the_old_pin_once_and_the_new_one_twice() {
    const NAME: &str = "pins::a_person_at_the_terminal";
    let Some(desk) = Desk::new(NAME, Key::P256) else { return };
    if !desk.shell("script -q -e -c true /dev/null") {
        return child::skip(NAME, "no terminal can be opened here");
    }
    let mut terminal = Terminal::start(&desk, "change-pin --role customs");
    terminal.answer("PIN that is in force: ", WRONG_PIN);
    terminal.answer("new PIN: ", NEW_PIN);
    terminal.answer("new PIN again: ", NEW_PIN);
    // One try is gone: only an explicit word leads to another.
    terminal.answer("Enter it again? [y/N] ", "y");
    terminal.answer("PIN that is in force: ", PIN);
    terminal.answer("new PIN: ", NEW_PIN);
    terminal.answer("new PIN again: ", WRONG_PIN);
    terminal.answer("new PIN: ", NEW_PIN);
    terminal.answer("new PIN again: ", NEW_PIN);
    let (code, seen) = terminal.end();
    assert_eq!(code, 0, "{seen}");
    for word in
        ["tries left: 3", "Tries left: 2", "The two entries differ", "also opens: bank", "changed the customs PIN"]
    {
        assert!(seen.contains(word), "no {word:?} in {seen}");
    }
    assert!(![PIN, NEW_PIN, WRONG_PIN].iter().any(|pin| seen.contains(pin)), "{seen}");
    assert!(desk.tool_accepts(NEW_PIN));
}
