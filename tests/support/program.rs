//! A child process that takes orders on its input and says lines. It ends when its input does.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Longest wait for a line; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Program {
    child: Child,
    talk: Mutex<Talk>,
}

#[derive(Debug)]
struct Talk {
    input: Option<ChildStdin>,
    answers: Receiver<String>,
    /// Lines that begin with "event": they come when they come, even between an order and its answer.
    events: Receiver<String>,
}

impl Program {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let ((answer, answers), (happen, events)) = (channel(), channel());
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let to = if line.starts_with("event ") { &happen } else { &answer };
                let _ = to.send(line);
            }
        });
        let talk = Mutex::new(Talk { input: child.stdin.take(), answers, events });
        Program { child, talk }
    }

    /// Sends a line and waits for its answer. Events from before it are forgotten.
    pub fn order(&self, line: &str) {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        while talk.events.try_recv().is_ok() {}
        writeln!(talk.input.as_mut().expect("not closed"), "{line}").unwrap();
        next(&talk.answers, "ok ");
    }

    /// Waits for an answer that begins so.
    pub fn expect(&self, begin: &str) -> String {
        next(&self.talk.lock().unwrap_or_else(PoisonError::into_inner).answers, begin)
    }

    /// Waits for an event.
    pub fn event(&self, name: &str) {
        next(&self.talk.lock().unwrap_or_else(PoisonError::into_inner).events, &format!("event {name}"));
    }

    /// The end of its input.
    pub fn close(&self) {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner).input = None;
    }
}

fn next(lines: &Receiver<String>, begin: &str) -> String {
    loop {
        let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no line {begin:?}"));
        assert!(!line.starts_with("error"), "{line}");
        if line.starts_with(begin) {
            return line;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.close();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
