//! Every fault at every step of a story, on the card of whichever module is called `bench` at the root of the test: `vpcd_card.rs` or `gm_desk.rs`.
//!
//! A story runs once as it is, which tells its steps, and then once for each step and each fault that can strike there. After each run the
//! card is put in again, nobody has been told anything, and the next signature has to succeed.

#![allow(dead_code, unreachable_pub)]

#[path = "faulted_batch.rs"]
mod batch;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shared_shield::link::faults::{Fault, Faults, Moment, Step};
use shared_shield::{Error, ErrorKind, Recovery, Role, Scanner, Shield, Wait};

use crate::bench::{self, Desk, Kind, READER, Seen};

/// How long a run may take that nobody made slow: a service that went away is waited for, everything else is there at once.
const LONGEST: Duration = Duration::from_secs(5);
/// What a slow run's call waits, and how long the fault lasts; both grow where a busy machine is slower than that by itself.
const SHORT: Duration = Duration::from_millis(400);
/// Cards that work at one time on one story: much of it is waiting.
const CARDS: usize = 3;

/// What goes wrong: a fault, and whether a card that was pulled out stays out for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    Of(Fault),
    Out(Moment),
    /// Longer than the call waits.
    Slow,
}

use Trouble::{Of, Out, Slow};

/// What can strike at a step. At a connect and a begin there is no answer, and no after.
fn troubles(step: Step) -> Vec<Trouble> {
    use Moment::{After, Before};
    let mut all: Vec<Trouble> = Vec::new();
    let moments: &[Moment] = if matches!(step, Step::Command(_)) { &[Before, After] } else { &[Before] };
    for moment in moments {
        all.extend([Of(Fault::Reset(*moment)), Of(Fault::Removal(*moment)), Out(*moment), Of(Fault::Stop(*moment))]);
    }
    if matches!(step, Step::Command(_)) {
        all.extend([Before, After].map(|moment| Of(Fault::Lost(moment))));
        all.extend([Fault::Garbage(1), Fault::Garbage(0x5EED_0001)].map(Of));
        all.extend([0, 1, 2, 7].map(Fault::Cut).map(Of));
        all.extend([3, 300].map(Fault::Long).map(Of));
    }
    all.push(Slow);
    all
}

impl Trouble {
    /// The kinds of error that it may be, and nothing else; success always may.
    fn allows(self, kind: ErrorKind) -> bool {
        use ErrorKind as K;
        match self {
            Of(Fault::Reset(_) | Fault::Lost(_)) => kind == K::TokenFailed,
            Of(Fault::Removal(_)) | Out(_) => kind == K::CardRemoved,
            Of(Fault::Stop(_)) => kind == K::ServiceStopped,
            Slow => matches!(kind, K::Timeout | K::Busy),
            // What a card says counts, also when it says nonsense: but for what only this library knows.
            Of(_) => matches!(
                kind,
                K::TokenAnswer
                    | K::TokenFailed
                    | K::Unsupported
                    | K::CardUnknown
                    | K::CardApplication
                    | K::CardRemoved
                    | K::LoginFailed
                    | K::NoCredential
                    | K::CertificateChanged
                    | K::CertificateMalformed
                    | K::DeviceInfo
                    | K::AdminKey
                    | K::SessionEnded
            ),
        }
    }

    /// What a person is told to do has to help.
    fn helps(self, recovery: Recovery) -> bool {
        use Recovery as R;
        match self {
            Of(Fault::Reset(_) | Fault::Lost(_) | Fault::Removal(_)) | Out(_) => recovery == R::InsertShield,
            Of(Fault::Stop(_)) => recovery == R::StartPcscd,
            Slow => matches!(recovery, R::Retry | R::CloseOtherProgram),
            Of(_) => true,
        }
    }

    fn name(self) -> String {
        let text = format!("{self:?}");
        text.trim_start_matches("Of(").split(['(', ')']).next().unwrap_or_default().to_owned()
    }
}

/// A run of a story: the library behind faults, and what the person does.
pub struct Run {
    pub faults: Faults,
    pub scanner: Scanner,
    /// A shield that was found before the first step.
    pub shield: Shield,
    pub kind: Kind,
    desk: Arc<Desk>,
    patience: Duration,
    entries: Cell<usize>,
}

impl Run {
    /// What each call of the story waits.
    pub fn wait(&self) -> Wait {
        Wait::at_most(self.patience)
    }

    /// Somebody enters a PIN.
    pub fn enters(&self) {
        self.entries.set(self.entries.get() + 1);
    }

    /// Somebody puts the card in again.
    pub fn put_in(&self) {
        self.desk.put_in();
    }

    /// Signs once; what comes out is right.
    pub fn sign(&self, role: Role, text: &str, pin: &str) -> Result<(), Error> {
        self.enters();
        let out = bench::sign(&self.shield, role, text, pin, &self.wait())?;
        assert!(bench::verifies(bench::certificate(self.kind, role), text, &out), "a wrong signature was handed out");
        Ok(())
    }
}

/// A story and what it may cost.
pub struct Story {
    pub name: &'static str,
    pub kind: Kind,
    pub tell: fn(&Run) -> Result<(), Error>,
    /// Times that an accepted PIN may go again without another entry, in a batch.
    pub resends: usize,
    /// Times that a PIN is changed or unblocked.
    pub changes: usize,
    /// PINs in it that are wrong.
    pub wrong: usize,
    /// It speaks through a link as it is: nobody connects again for it.
    pub bare: bool,
}

/// A card, and the library before it.
struct Bench {
    desk: Arc<Desk>,
    faults: Faults,
    scanner: Scanner,
    stays_out: Arc<Mutex<bool>>,
}

/// What a run came to.
struct Ended {
    result: Result<(), Error>,
    steps: Vec<Step>,
    seen: Vec<Seen>,
    struck: bool,
    took: Duration,
}

impl Bench {
    fn new(kind: Kind) -> Self {
        let desk = Arc::new(Desk::of_kind(kind));
        let faults = Faults::new(Arc::new(desk.readers.clone()));
        let stays_out = Arc::<Mutex<bool>>::default();
        let readers = desk.readers.clone();
        faults.on_reset(move || readers.reset(READER));
        let readers = desk.readers.clone();
        faults.on_stop(move || {
            readers.stop();
            readers.start();
        });
        let (table, out) = (Arc::clone(&desk), Arc::clone(&stays_out));
        faults.on_removal(move || {
            table.readers.remove(READER);
            if !*out.lock().unwrap() {
                return table.put_in();
            }
            let table = Arc::clone(&table);
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(150));
                table.put_in();
            });
        });
        let scanner = desk.looks_at(Arc::new(faults.clone()));
        Bench { desk, faults, scanner, stays_out }
    }

    fn run(&self, story: &Story, at: Option<(usize, Trouble)>, patience: Duration) -> Ended {
        // Nobody is logged in.
        self.desk.readers.reset(READER);
        let shield = self.scanner.scan(&Wait::default()).unwrap().only().unwrap().clone();
        let (faults, scanner, desk) = (self.faults.clone(), self.scanner.clone(), Arc::clone(&self.desk));
        let run = Run { faults, scanner, shield, kind: story.kind, desk, patience, entries: Cell::new(0) };
        self.desk.seen();
        self.faults.restart();
        *self.stays_out.lock().unwrap() = matches!(at, Some((_, Out(_))));
        if let Some((step, trouble)) = at {
            self.faults.inject(step, fault(trouble, patience));
        }
        let since = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| (story.tell)(&run)));
        let took = since.elapsed();
        let where_ = format!("{} at {at:?}", story.name);
        let result = result.unwrap_or_else(|_| panic!("{where_}: it panicked"));
        let (steps, struck) = (self.faults.steps(), self.faults.injected().len() == usize::from(at.is_some()));
        self.settle();
        let seen = self.desk.seen();
        check_ledger(&where_, story, run.entries.get(), &seen);
        self.faults.restart();
        let next = catch_unwind(AssertUnwindSafe(|| self.desk.goes_on(&run.shield)));
        let next = next.unwrap_or_else(|_| panic!("{where_}: what came after it is wrong (before: {result:?})"));
        next.unwrap_or_else(|e| panic!("{where_}: the next signature fails: {e} (before: {result:?})"));
        Ended { result, steps, seen, struck, took }
    }

    /// Waits for the end of what a call left behind that did not wait for it, and puts the card in.
    fn settle(&self) {
        self.desk.put_in();
        let since = Instant::now();
        while self.desk.readers.locked(READER) {
            assert!(since.elapsed() < Duration::from_secs(30), "a transaction without end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn fault(trouble: Trouble, patience: Duration) -> Fault {
    match trouble {
        Of(fault) => fault,
        Out(moment) => Fault::Removal(moment),
        Slow => Fault::Slow(patience + patience / 2),
    }
}

/// Each entry goes out once, and a refused one never again.
fn check_ledger(where_: &str, story: &Story, entries: usize, seen: &[Seen]) {
    let sent = seen.iter().filter(|command| command.is_login()).count();
    assert!(sent <= entries + story.resends, "{where_}: {entries} entries, {sent} VERIFYs: {seen:?}");
    let changes = seen.iter().filter(|command| command.is_change()).count();
    assert!(changes <= story.changes, "{where_}: {changes} changes: {seen:?}");
    let refused = seen.iter().filter(|command| command.is_refused()).count();
    assert!(refused <= story.wrong, "{where_}: {refused} refused PINs: {seen:?}");
}

/// What was counted of a story.
#[derive(Default)]
struct Count {
    runs: usize,
    well: usize,
    faulted: BTreeSet<usize>,
    kinds: BTreeMap<String, BTreeMap<String, usize>>,
    longest: Duration,
}

/// Runs a story without a fault, and then with each.
pub fn every_fault_at_every_step(story: &Story) {
    bench::with_cards(story.name, || {
        let begun = Instant::now();
        let next = AtomicUsize::new(0);
        let count = Mutex::new(Count::default());
        let first = Bench::new(story.kind);
        let Recorded { steps, reading } = recorded(&first, story);
        let jobs: Vec<(usize, Trouble)> =
            steps.iter().enumerate().flat_map(|(at, step)| troubles(*step).into_iter().map(move |t| (at, t))).collect();
        let work = |bench: &Bench| {
            while let Some((at, trouble)) = jobs.get(next.fetch_add(1, Ordering::SeqCst)).copied() {
                let ended = struck(bench, story, &steps, at, trouble);
                let reading = reading[at] && !story.bare;
                judge(story, at, reading, trouble, &ended, &mut locked(&count));
            }
        };
        std::thread::scope(|scope| {
            let others = (1..CARDS).map(|_| {
                scope.spawn(|| {
                    let bench = Bench::new(story.kind);
                    assert_eq!(recorded(&bench, story).steps, steps, "{}: another card, other steps", story.name);
                    work(&bench);
                })
            });
            let others: Vec<_> = others.collect();
            work(&first);
            others.into_iter().for_each(|other| other.join().unwrap());
        });
        let count = count.into_inner().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(count.runs, jobs.len(), "{}: a run is missing", story.name);
        assert_eq!(count.faulted.len(), steps.len(), "{}: a step was left out", story.name);
        report(story, &count, steps.len(), begun.elapsed());
    });
}

/// A worker that fails says why; the others say nothing of it.
fn locked(count: &Mutex<Count>) -> MutexGuard<'_, Count> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A story that nothing happens in.
struct Recorded {
    steps: Vec<Step>,
    /// Whether a step only reads: no PIN goes out, nothing is signed or written.
    reading: Vec<bool>,
}

/// The same each time.
fn recorded(bench: &Bench, story: &Story) -> Recorded {
    let ended = bench.run(story, None, LONGEST);
    ended.result.unwrap_or_else(|e| panic!("{}: {e}", story.name));
    assert!(!ended.steps.is_empty(), "{} touches no card", story.name);
    let mut seen = ended.seen.iter();
    let mut reads = |step: &Step| !matches!(step, Step::Command(_)) || seen.next().is_some_and(Seen::only_reads);
    let reading = ended.steps.iter().map(&mut reads);
    Recorded { reading: reading.collect(), steps: ended.steps }
}

/// A run in which the fault struck. Only a run with little time may end before it does, on a busy machine: then it gets more.
fn struck(bench: &Bench, story: &Story, steps: &[Step], at: usize, trouble: Trouble) -> Ended {
    let mut patience = if trouble == Slow { SHORT } else { LONGEST };
    for _ in 0..4 {
        let ended = bench.run(story, Some((at, trouble)), patience);
        if ended.struck {
            assert_eq!(ended.steps.get(at), steps.get(at), "{}: another step {at}", story.name);
            let longest = if trouble == Slow { patience * 2 + Duration::from_secs(2) } else { LONGEST };
            assert!(ended.took < longest, "{} at {at}, {trouble:?}: took {:?}", story.name, ended.took);
            return ended;
        }
        assert_eq!(trouble, Slow, "{} at {at}: the fault did not strike", story.name);
        patience *= 2;
    }
    panic!("{} at {at}: {trouble:?} did not strike", story.name);
}

fn judge(story: &Story, at: usize, reading: bool, trouble: Trouble, ended: &Ended, count: &mut Count) {
    count.runs += 1;
    count.faulted.insert(at);
    count.longest = count.longest.max(ended.took);
    let kinds = count.kinds.entry(trouble.name()).or_default();
    let Err(error) = &ended.result else {
        count.well += 1;
        *kinds.entry("well".to_owned()).or_default() += 1;
        return;
    };
    *kinds.entry(format!("{:?}", error.kind())).or_default() += 1;
    let where_ = format!("{} at {at}, {trouble:?}: {error}", story.name);
    let heals = matches!(trouble, Of(Fault::Reset(_) | Fault::Lost(_)));
    assert!(!(heals && reading), "{where_}: nothing but reading was disturbed, and it was not begun again");
    assert!(trouble.allows(error.kind()), "{where_} is no error for that");
    assert!(trouble.helps(error.recovery()), "{where_}: {:?} does not help", error.recovery());
}

#[allow(clippy::explicit_write)] // the test harness would keep what eprintln writes to itself
fn report(story: &Story, count: &Count, steps: usize, took: Duration) {
    let Count { runs, well, kinds, longest, .. } = count;
    let mut text =
        format!("{}: {steps} steps, {runs} runs, {well} ended well, longest {longest:.1?}, all {took:.1?}", story.name);
    for (trouble, kinds) in kinds {
        let kinds: Vec<_> = kinds.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
        text.push_str(&format!("\n    {trouble}: {}", kinds.join(", ")));
    }
    writeln!(std::io::stderr(), "{text}").unwrap();
}
