use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::profile::Profile;
use crate::prompt::{Declined, PinEntry, PinQuestion};
use crate::request::Unlock;
use crate::role::Role;
use crate::shield::Shield;
use crate::shield::fake::{self, Habits};

const PROFILE: &str = "schema = 1\ntest = true\n[[customs.issuer]]\nunit = \"Synthetic Trading Co\"\nallow_ca = true\n";

fn whole<'b>(items: &'b [Item], journal: &'b Journal, threads: usize) -> Batch<'b> {
    Batch {
        items,
        journal,
        request: &|_, content| Request::raw(Role::Customs, content),
        present: &|_, _, _| Present::Absent,
        settled: &|_, _| {},
        wait: &Wait::default,
        threads,
        suite: None,
        overwrite: false,
        again: false,
        keep: &[],
    }
}

fn unlock(shield: &Shield, policy: Policy) -> Result<Session> {
    let mut prompt = |question: &PinQuestion<'_>| question.pin(fake::PIN).map(PinEntry::Typed).map_err(|_| Declined);
    shield.unlock(Unlock::of(Role::Customs).policy(policy), &mut prompt, &Wait::default())
}

/// Three documents in a folder of their own, and a journal.
fn three(name: &str) -> (PathBuf, Vec<Item>, Journal) {
    let folder = std::env::temp_dir().join(format!("shield-batch-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let item = |n| Item { input: folder.join(format!("{n}")), output: folder.join(format!("{n}.sig")) };
    let items: Vec<Item> = (0..3).map(item).collect();
    items.iter().for_each(|i| fs::write(&i.input, i.input.to_string_lossy().as_bytes()).unwrap());
    let journal = Journal::open(&folder.join("journal")).unwrap();
    (folder, items, journal)
}

/// Three documents, and what happens between the look at them and the first signature.
fn batch(name: &str, meanwhile: impl FnOnce(&[Item], &Journal)) -> (PathBuf, Vec<Item>, Report) {
    let (folder, items, journal) = three(name);
    let run = whole(&items, &journal, 1);
    let (shield, _) = fake::shield_under(&Arc::<Habits>::default(), Profile::parse(PROFILE).unwrap());
    let plan = run.plan(&shield).unwrap();
    assert_eq!(plan.to_sign(), 3);
    meanwhile(&items, &journal);
    let session = unlock(&shield, Policy::of(Role::Customs)).unwrap();
    let report = run.sign(plan, &session);
    (folder, items, report)
}

#[test]
fn a_document_that_was_changed_after_the_look_is_not_signed_and_the_others_are() {
    let (folder, items, report) = batch("changed", |items, _| fs::write(&items[1].input, b"another").unwrap());
    let Outcome::Refused(error) = &report.outcomes[1] else { panic!("{report:?}") };
    assert_eq!((error.kind(), report.tally().signed), (ErrorKind::DocumentChanged, 2));
    assert!(report.stopped.is_none() && !items[1].output.exists() && items[2].output.exists());
    fs::remove_dir_all(folder).unwrap();
}

/// Three documents, one unlock for two of them, and what the second unlock comes to.
fn in_two(name: &str, second: impl Fn(&Shield, Error) -> Result<Session>) -> (Report, Vec<usize>) {
    let (folder, items, journal) = three(name);
    let run = whole(&items, &journal, 2);
    let (shield, _) = fake::shield_under(&Arc::<Habits>::default(), Profile::parse(PROFILE).unwrap());
    let plan = run.plan(&shield).unwrap();
    let two = Policy { signatures: 2, ..Policy::of(Role::Customs) };
    assert_eq!((plan.beyond(&two), plan.beyond(&Policy::of(Role::Customs))), (1, 0));
    let mut left = Vec::new();
    let report = run.sign_on(plan, &mut |documents, ended| {
        left.push(documents);
        match ended {
            None => unlock(&shield, two),
            Some(ended) => second(&shield, ended),
        }
    });
    fs::remove_dir_all(folder).unwrap();
    (report, left)
}

#[test]
fn a_batch_goes_on_with_another_unlock_where_one_is_used_up_and_says_why_where_nobody_gives_one() {
    let said = |error: &Error| (error.kind(), error.to_string().contains("all 2 signatures"));
    let (report, left) = in_two("two", |shield, ended| {
        assert_eq!(said(&ended), (ErrorKind::SessionEnded, true), "{ended}");
        unlock(shield, Policy::of(Role::Customs))
    });
    assert_eq!((report.tally().signed, left), (3, vec![3, 1]));
    assert!(report.stopped.is_none(), "{report:?}");
    let (report, left) = in_two("two-no", |_, ended| Err(ended));
    assert_eq!((report.tally().signed, report.tally().not_tried, left), (2, 1, vec![3, 1]));
    assert_eq!(report.stopped.as_ref().map(said), Some((ErrorKind::SessionEnded, true)));
    let recovery = report.stopped.unwrap().recovery();
    assert!(matches!(recovery, crate::error::Recovery::EnterPin(_)), "repeating the call is of no use: {recovery:?}");
}

#[test]
fn an_output_that_cannot_be_written_and_a_journal_without_room_are_told_before_a_pin_is_asked_for() {
    let folder = std::env::temp_dir().join(format!("shield-batch-before-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let outputs = [folder.join("no such folder/a"), folder.join("x".repeat(256)), folder.join("good")];
    let item = |(n, output): (usize, PathBuf)| Item { input: folder.join(format!("{n}")), output };
    let items: Vec<Item> = outputs.into_iter().enumerate().map(item).collect();
    items.iter().for_each(|i| fs::write(&i.input, i.input.to_string_lossy().as_bytes()).unwrap());
    let (shield, _) = fake::shield_under(&Arc::<Habits>::default(), Profile::parse(PROFILE).unwrap());
    let path = folder.join("journal");
    let journal = Journal::open(&path).unwrap();
    let run = whole(&items, &journal, 4);
    let plan = run.plan(&shield).unwrap();
    assert_eq!(plan.to_sign(), 1);
    let report = run.unsigned(plan, None);
    for outcome in &report.outcomes[..2] {
        let Outcome::Refused(error) = outcome else { panic!("{report:?}") };
        assert_eq!(error.kind(), ErrorKind::OutputFailed);
    }
    let Outcome::Refused(error) = &report.outcomes[0] else { panic!("{report:?}") };
    assert!(error.to_string().contains("no such folder)"), "{error}");
    drop(journal);
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(b"shield-journal 1\n").unwrap();
    file.set_len(crate::policy::BATCH_LIST_MAX - 100).unwrap();
    let journal = Journal::open(&path).unwrap();
    assert_eq!(whole(&items, &journal, 1).plan(&shield).unwrap_err().kind(), ErrorKind::JournalFull);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_thread_that_works_alone_does_what_many_would() {
    let folder = std::env::temp_dir().join(format!("shield-batch-each-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let journal = Journal::open(&folder.join("journal")).unwrap();
    for threads in [0, 1, 7, 1000] {
        let did = whole(&[], &journal, threads).each(100, |place| (place != 50).then_some(place));
        assert_eq!(did.iter().flatten().count(), 99, "{threads}");
        assert!(did.iter().enumerate().all(|(place, did)| did.is_none_or(|did| did == place)));
    }
    fs::remove_dir_all(folder).unwrap();
}

/// A spawner as `each` asks for it, told to the compiler.
fn spawner<F>(spawn: F) -> F
where
    F: for<'s, 'e> Fn(&'s Scope<'s, 'e>, Box<dyn FnOnce() + Send + 's>) -> io::Result<ScopedJoinHandle<'s, ()>>,
{
    spawn
}

#[test]
fn where_the_system_makes_no_more_threads_nobody_works_before_the_spare_ones_have_gone() {
    for limit in [0, 2, 9] {
        let (made, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let gone = std::sync::Arc::new(AtomicUsize::new(0));
        let limited = spawner(|scope, work| {
            if made.fetch_add(1, Ordering::SeqCst) == limit {
                refused.store(1, Ordering::SeqCst);
                return Err(io::Error::from(io::ErrorKind::WouldBlock));
            }
            let gone = Arc::clone(&gone);
            let counted = move || {
                work();
                gone.fetch_add(1, Ordering::SeqCst);
            };
            // Long enough for the first ones to begin, if they did.
            let thread = spawn(scope, Box::new(counted));
            std::thread::sleep(std::time::Duration::from_millis(5));
            thread
        });
        let did = each(100, 50, &limited, |place| {
            let spare = SPARE_THREADS.min(limit);
            let seen = (refused.load(Ordering::SeqCst), gone.load(Ordering::SeqCst) >= spare);
            (seen == (1, true)).then_some(place)
        });
        assert_eq!((did.iter().flatten().count(), made.load(Ordering::SeqCst)), (100, limit + 1));
    }
}

#[test]
fn what_the_journal_knows_without_a_suite_is_judged_where_one_is_asked_for_and_counts_as_done_where_none_is() {
    let (folder, items, report) = batch("suite", |_, _| {});
    assert_eq!(report.tally().signed, 3);
    let suite = |report: &Report| match &report.outcomes[0] {
        Outcome::Signed { receipt, .. } => receipt.suite,
        other => panic!("{other:?}"),
    };
    let (suite, other) = (suite(&report), Suite::RsaPssSha256);
    assert_ne!(suite, other);
    let (shield, _) = fake::shield_under(&Arc::<Habits>::default(), Profile::parse(PROFILE).unwrap());
    let plan = |name: &str, asked: Option<Suite>, present: &Judging<'_>| {
        let journal = Journal::open(&folder.join(name)).unwrap();
        let run = Batch { suite: asked, present, ..whole(&items, &journal, 1) };
        let report = run.unsigned(run.plan(&shield).unwrap(), None);
        (report.tally().before, report.tally().refused)
    };
    let (done, differs): (&Judging<'_>, &Judging<'_>) =
        (&|_, _, _| Present::Done, &|_, _, _| Present::Other("its suite".to_owned()));
    // What this program signed: the line says with what.
    assert_eq!(plan("journal", None, differs), (3, 0));
    assert_eq!(plan("journal", Some(suite), differs), (3, 0));
    assert_eq!(plan("journal", Some(other), done), (0, 3));
    // What was found: nobody knows with what, unless it was asked for.
    assert_eq!(plan("found", None, done), (3, 0));
    assert_eq!(plan("found", None, differs), (3, 0));
    assert_eq!(plan("found", Some(other), differs), (0, 3));
    assert_eq!(plan("found", Some(suite), done), (3, 0));
    assert_eq!(plan("found", Some(suite), differs), (3, 0), "the line says it now");
    assert_eq!(plan("found", Some(other), done), (0, 3));
    fs::remove_dir_all(folder).unwrap();
}

// Elsewhere nobody else can open it for writing.
#[cfg(unix)]
#[test]
fn a_journal_that_another_process_writes_stops_the_batch_and_what_was_signed_is_there() {
    let (folder, items, report) = batch("journal", |_, journal| {
        let mut file = fs::OpenOptions::new().append(true).open(journal.path()).unwrap();
        file.write_all(b"a line\n").unwrap();
    });
    assert_eq!(report.stopped.map(|error| error.kind()), Some(ErrorKind::JournalBusy));
    assert!(items[0].output.exists() && !items[1].output.exists() && !items[2].output.exists());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_full_disk_concerns_every_document_and_a_folder_that_takes_no_file_concerns_one() {
    let failed = |kind: io::ErrorKind| {
        concerns_one_document(&Error::new(ErrorKind::OutputFailed, "write file").io(&io::Error::from(kind)))
    };
    assert!(failed(io::ErrorKind::PermissionDenied));
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::ReadOnlyFilesystem] {
        assert!(!failed(kind), "{kind}");
    }
    let of = |kind| concerns_one_document(&Error::new(kind, "test"));
    assert!(of(ErrorKind::DocumentChanged) && of(ErrorKind::DocumentTwice) && of(ErrorKind::InputFailed));
    assert!(!of(ErrorKind::PinIncorrect) && !of(ErrorKind::CardRemoved) && !of(ErrorKind::SignatureWrong));
}
