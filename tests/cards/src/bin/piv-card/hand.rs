//! The hand that puts the card into the reader and pulls it out: commands on standard input, and the state they share with the
//! card's thread.

use std::io::{self, BufRead, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Longest time until a reader takes a card.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the card is and where it should be.
pub(crate) struct State {
    /// The card that lies in the hand or in the reader.
    pub(crate) folder: PathBuf,
    /// It should be in the reader.
    pub(crate) wanted: bool,
    /// It is.
    pub(crate) inside: bool,
    pub(crate) stream: Option<TcpStream>,
    /// Time that each command takes.
    pub(crate) delay: Duration,
    /// The card is pulled out in the middle of the N-th command from now: it works, and nobody gets the answer.
    pub(crate) pull_in: Option<u64>,
}

/// Shared by the two threads.
pub(crate) struct Hand {
    state: Mutex<State>,
    changed: Condvar,
}

impl Hand {
    pub(crate) fn new(folder: PathBuf, wanted: bool, delay: Duration) -> Self {
        let state = State { folder, wanted, inside: false, stream: None, delay, pull_in: None };
        Hand { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panicked")
    }

    /// Waits until the card should be in the reader, and says which card.
    pub(crate) fn wait_for_insertion(&self) -> PathBuf {
        let state = self.changed.wait_while(self.state(), |s| !s.wanted).expect("no thread panicked");
        state.folder.clone()
    }

    /// The card's thread is connected to the reader, or not any more.
    pub(crate) fn is_inside(&self, stream: Option<TcpStream>) {
        let mut state = self.state();
        (state.inside, state.stream) = (stream.is_some(), stream);
        if let (false, Some(stream)) = (state.wanted, &state.stream) {
            let _ = stream.shutdown(Shutdown::Both); // pulled out while it went in
        }
        self.changed.notify_all();
    }

    /// Whether this command is the one in whose middle the card is pulled out.
    pub(crate) fn pulls_now(&self) -> bool {
        let mut state = self.state();
        match &mut state.pull_in {
            None => return false,
            Some(1) => (state.pull_in, state.wanted) = (None, false),
            Some(more) => {
                *more -= 1;
                return false;
            }
        }
        true
    }

    /// A command takes its time, unless the card is pulled out meanwhile.
    pub(crate) fn take_time(&self) {
        let state = self.state();
        let delay = state.delay;
        let _ = self.changed.wait_timeout_while(state, delay, |s| s.wanted).expect("no thread panicked");
    }
}

/// Reads commands to the end of the input; each is answered by one line, `ok COMMAND` or `error REASON`.
pub(crate) fn obey(hand: &Hand, input: impl BufRead) {
    for line in input.lines() {
        let Ok(line) = line else { return };
        let line = line.trim();
        let (command, argument) = line.split_once(' ').unwrap_or((line, ""));
        if command == "quit" {
            return say("ok quit");
        }
        match hand.order(command, argument) {
            Ok(()) => say(&format!("ok {command}")),
            Err(reason) => say(&format!("error {reason}")),
        }
    }
}

/// A line on standard output. Who does not read it any more does not stop the card.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

impl Hand {
    fn order(&self, command: &str, argument: &str) -> Result<(), String> {
        let number = || argument.parse::<u64>().map_err(|_| format!("{command} wants a number"));
        match command {
            "insert" => self.insert(),
            "remove" => self.remove(),
            "swap" if argument.is_empty() => Err("swap wants a folder".to_owned()),
            "swap" => {
                // No pause: a reader whose card went tells pcscd so before it takes the next one.
                self.remove()?;
                self.state().folder = argument.into();
                self.insert()
            }
            "pull" => number().map(|n| self.state().pull_in = (n > 0).then_some(n)),
            "delay" => number().map(|n| self.state().delay = Duration::from_millis(n)),
            _ => Err(format!("what is {command:?}? insert, remove, swap FOLDER, pull N, delay MS, quit")),
        }
    }

    fn insert(&self) -> Result<(), String> {
        self.wants(true).then_some(()).ok_or_else(|| {
            self.state().wanted = false;
            "no reader takes the card".to_owned()
        })
    }

    fn remove(&self) -> Result<(), String> {
        self.wants(false).then_some(()).ok_or_else(|| "the card is stuck".to_owned())
    }

    /// Whether the card went where it should be.
    fn wants(&self, inside: bool) -> bool {
        let mut state = self.state();
        state.wanted = inside;
        if let (false, Some(stream)) = (inside, &state.stream) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
        let end = Instant::now() + PATIENCE;
        while state.inside != inside && Instant::now() < end {
            state = self.changed.wait_timeout(state, Duration::from_millis(50)).expect("no thread panicked").0;
        }
        state.inside == inside
    }
}
