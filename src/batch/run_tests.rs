use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::profile::Profile;
use crate::prompt::{Declined, PinEntry, PinQuestion};
use crate::request::Unlock;
use crate::role::Role;
use crate::shield::fake::{self, Habits};

const PROFILE: &str = "schema = 1\ntest = true\n[[customs.issuer]]\nunit = \"Synthetic Trading Co\"\nallow_ca = true\n";

/// Three documents in a folder of their own, and what happens between the look at them and the first signature.
fn batch(name: &str, meanwhile: impl FnOnce(&[Item], &Journal)) -> (PathBuf, Vec<Item>, Report) {
    let folder = std::env::temp_dir().join(format!("shield-batch-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let item = |n| Item { input: folder.join(format!("{n}")), output: folder.join(format!("{n}.sig")) };
    let items: Vec<Item> = (0..3).map(item).collect();
    items.iter().for_each(|i| fs::write(&i.input, i.input.to_string_lossy().as_bytes()).unwrap());
    let journal = Journal::open(&folder.join("journal")).unwrap();
    let run = Batch {
        items: &items,
        journal: &journal,
        request: &|_, content| Request::raw(Role::Customs, content),
        present: &|_, _, _| Present::Absent,
        settled: &|_, _| {},
        wait: &Wait::default,
        threads: 1,
        overwrite: false,
        again: false,
        keep: &[],
    };
    let (shield, _) = fake::shield_under(&Arc::<Habits>::default(), Profile::parse(PROFILE).unwrap());
    let plan = run.plan(&shield).unwrap();
    assert_eq!(plan.to_sign(), 3);
    meanwhile(&items, &journal);
    let mut prompt = |question: &PinQuestion<'_>| question.pin(fake::PIN).map(PinEntry::Typed).map_err(|_| Declined);
    let session = shield.unlock(Unlock::of(Role::Customs), &mut prompt, &Wait::default()).unwrap();
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
