//! `watch` sees shields come and go, and the service too.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::desk::Desk;
use crate::piv_card::Key;

struct Watched {
    child: Child,
    lines: Receiver<String>,
}

impl Watched {
    fn start(desk: &Desk, more: &[&str]) -> Watched {
        let mut command = desk.prepared(&[&["watch"], more].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (to, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(|line| drop(to.send(line))));
        Watched { child, lines }
    }

    #[track_caller]
    fn next(&self, word: &str) -> String {
        let line = self.lines.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("no line {word:?}"));
        assert!(line.contains(word), "{line:?} and not {word:?}");
        line
    }

    /// Ctrl-C; nothing more was said.
    #[track_caller]
    fn end(mut self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let since = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(since.elapsed() < Duration::from_secs(10), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let more: Vec<_> = self.lines.iter().collect();
        assert!(more.is_empty(), "{more:?}");
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_shield_is_seen_to_go_and_to_come_back() {
    let Some(desk) = Desk::new("watching::a_shield_is_seen_to_go", Key::P256) else { return };
    let serial = desk.serial();
    let watched = Watched::start(&desk, &[]);
    let here = watched.next(&format!("shield {serial} is here: "));
    assert!(here.contains("customs (serves") && here.contains("bank (serves"), "{here}");
    let commands = desk.card.commands().len();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(desk.card.commands().len(), commands, "watching sends nothing to the card");
    desk.card.remove();
    watched.next(&format!("shield {serial} was pulled out"));
    desk.card.insert();
    watched.next(&format!("shield {serial} is back: "));
    desk.pcscd.kill();
    watched.next(&format!("shield {serial} was pulled out"));
    watched.next("service does not run");
    desk.pcscd.restart();
    watched.next("service runs again");
    watched.next(&format!("shield {serial} is back: "));
    watched.end();
}

#[test]
fn events_are_lines_of_json_for_programs() {
    let Some(desk) = Desk::new("watching::events_are_lines_of_json", Key::P256) else { return };
    let watched = Watched::start(&desk, &["--json"]);
    let value = |line: String| serde_json::from_str::<serde_json::Value>(&line).unwrap();
    let first = value(watched.next("arrived"));
    assert_eq!(first["certificates"][0]["role"], "customs");
    assert_eq!(first["readers"][0], desk.card.reader().name);
    desk.card.remove();
    assert_eq!(value(watched.next("removed"))["shield"], first["shield"]);
    watched.end();
    let ran = desk.shield(&["watch", "--for", "2", "--lang", "zh"]).expect(0, &[]);
    assert_eq!(ran.out, "", "an empty reader is no event");
}
