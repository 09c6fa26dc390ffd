use std::fs;

use super::*;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("shield-journal-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn digest(text: &str) -> Digest {
    DigestAlgorithm::Sha256.of(text.as_bytes()).unwrap()
}

fn record(input: &str, name: &str) -> Record {
    let (output, fingerprint) = (digest("output").hex(), Fingerprint::parse(&"ab".repeat(32)).unwrap());
    Record {
        input: digest(input).hex(),
        output,
        fingerprint,
        name: encoded(Path::new(name)),
        done: Done::Signed,
        suite: Some(Suite::RsaSha1),
    }
}

#[test]
fn what_was_added_is_known_after_a_restart() {
    let folder = folder("restart");
    let path = folder.join("journal");
    let journal = Journal::open(&path).unwrap();
    assert_eq!(journal.known(&digest("one")), None);
    journal.add(record("one", "合 成\n.xml"), SystemTime::now()).unwrap();
    let found = Record { done: Done::Found, suite: None, ..record("two", "two.xml") };
    journal.add(found.clone(), SystemTime::now()).unwrap();
    drop(journal);
    let again = Journal::open(&path).unwrap();
    assert_eq!(again.known(&digest("one")).unwrap(), record("one", "合 成\n.xml"));
    assert_eq!(again.known(&digest("two")).unwrap(), found);
    assert_eq!((again.damaged(), again.known(&digest("three"))), (0, None));
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 3);
    assert!(text.is_ascii() && text.contains("%E5%90%88%20%E6%88%90%0A.xml"), "{text}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_journal_that_was_cut_anywhere_is_read_up_to_there_and_goes_on() {
    let folder = folder("cut");
    let path = folder.join("journal");
    let journal = Journal::open(&path).unwrap();
    journal.add(record("one", "one.xml"), SystemTime::now()).unwrap();
    journal.add(record("two", "two.xml"), SystemTime::now()).unwrap();
    drop(journal);
    let whole = fs::read(&path).unwrap();
    let first = HEAD.len() + whole[HEAD.len()..].iter().position(|o| *o == b'\n').unwrap() + 1;
    // Every place in the first line and around the ends; a few in between.
    let near = |end: usize| end.saturating_sub(2)..=(end + 1).min(whole.len());
    let cuts: std::collections::BTreeSet<usize> =
        (0..=HEAD.len() + 2).chain((0..whole.len()).step_by(23)).chain(near(first)).chain(near(whole.len())).collect();
    for cut in cuts {
        fs::write(&path, &whole[..cut]).unwrap();
        let journal = Journal::open(&path).unwrap();
        assert_eq!(journal.known(&digest("one")).is_some(), cut >= first - 1, "{cut}");
        assert_eq!(journal.known(&digest("two")).is_some(), cut >= whole.len() - 1, "{cut}");
        journal.add(record("three", "three.xml"), SystemTime::now()).unwrap();
        drop(journal);
        let again = Journal::open(&path).unwrap();
        assert!(again.known(&digest("three")).is_some(), "{cut}: a torn line must not swallow the next");
        let is_torn = cut > HEAD.len() && ![first - 1, first, whole.len() - 1, whole.len()].contains(&cut);
        assert_eq!(again.damaged(), usize::from(is_torn), "{cut}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_changed_line_counts_as_not_there() {
    let folder = folder("changed");
    let path = folder.join("journal");
    Journal::open(&path).unwrap().add(record("one", "one.xml"), SystemTime::now()).unwrap();
    let whole = fs::read(&path).unwrap();
    for place in HEAD.len()..whole.len() - 1 {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        fs::write(&path, &changed).unwrap();
        let journal = Journal::open(&path).unwrap();
        assert!(journal.known(&digest("one")).is_none() && journal.damaged() > 0, "octet {place}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_file_that_is_no_journal_is_left_as_it_is() {
    let folder = folder("foreign");
    for (name, octets) in [
        ("letter", &b"Dear Sir or Madam"[..]),
        ("other", b"shield-journal 2\n"),
        ("binary", b"\0\xff"),
        ("blank", b"\n"),
    ] {
        let path = folder.join(name);
        fs::write(&path, octets).unwrap();
        assert_eq!(Journal::open(&path).unwrap_err().kind(), ErrorKind::JournalForeign, "{name}");
        assert_eq!(fs::read(&path).unwrap(), octets);
    }
    assert_eq!(Journal::open(&folder).unwrap_err().kind(), ErrorKind::JournalForeign);
    assert_eq!(Journal::open(&folder.join("no/such")).unwrap_err().kind(), ErrorKind::OutputFailed);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_journal_never_grows_beyond_what_is_read_and_one_that_did_is_told_from_a_file_that_is_none() {
    let folder = folder("full");
    let path = folder.join("journal");
    let with = |length: u64| {
        let mut file = File::create(&path).unwrap();
        file.write_all(HEAD.as_bytes()).unwrap();
        file.set_len(length).unwrap();
    };
    with(BATCH_LIST_MAX + 1);
    let refused = Journal::open(&path).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::JournalFull);
    assert!(!crate::batch::concerns_one_document(&refused));
    // Room for one line, and not for two.
    with(BATCH_LIST_MAX - 500);
    let journal = Journal::open(&path).unwrap();
    journal.add(record("one", "one.xml"), SystemTime::now()).unwrap();
    let (length, room) = (fs::metadata(&path).unwrap().len(), journal.room());
    assert_eq!(length + room, BATCH_LIST_MAX);
    assert!(room < Journal::line(Path::new("two.xml")));
    assert_eq!(journal.add(record("two", "two.xml"), SystemTime::now()).unwrap_err().kind(), ErrorKind::JournalFull);
    drop(journal);
    assert_eq!(fs::metadata(&path).unwrap().len(), length);
    // What it knows it still knows.
    assert!(Journal::open(&path).unwrap().known(&digest("one")).is_some());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_line_takes_no_more_than_is_said_beforehand_and_one_without_a_suite_is_read() {
    let folder = folder("line");
    let path = folder.join("journal");
    let journal = Journal::open(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"", "nothing is written before a document is done");
    journal.add(record("one", "one.xml"), SystemTime::now()).unwrap();
    let before = journal.room();
    for suite in Suite::ALL {
        // 255 units of UTF-16, as NTFS takes them.
        let name = "报".repeat(255);
        let longest = Record { suite: Some(suite), ..record("two", &name) };
        journal.add(longest.clone(), SystemTime::now()).unwrap();
        assert_eq!(journal.known(&digest("two")), Some(longest));
        assert!(before - journal.room() < Journal::line(Path::new(&name)) * 5);
        Journal::check_line(Path::new(&name)).unwrap();
    }
    drop(journal);
    let refused = Journal::check_line(Path::new(&"报".repeat(500))).unwrap_err();
    assert!(crate::batch::concerns_one_document(&refused), "{refused}");
    let old = format!(
        "2027-01-04T08:00:00Z signed {} {} {} old.xml",
        digest("old").hex(),
        digest("o").hex(),
        "ab".repeat(32)
    );
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    writeln!(file, "{} {old}", check(&old).unwrap()).unwrap();
    let again = Journal::open(&path).unwrap();
    assert_eq!(again.known(&digest("old")).map(|r| r.suite), Some(None));
    assert_eq!((again.damaged(), again.known(&digest("two")).and_then(|r| r.suite)), (0, Some(Suite::RsaPssSha256)));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn two_runs_on_one_journal_notice_each_other() {
    let folder = folder("two");
    let path = folder.join("journal");
    let mine = Journal::open(&path).unwrap();
    mine.add(record("one", "one.xml"), SystemTime::now()).unwrap();
    // Before it has asked for a PIN or signed anything.
    assert_eq!(Journal::open(&path).unwrap_err().kind(), ErrorKind::JournalBusy);
    mine.add(record("three", "three.xml"), SystemTime::now()).unwrap();
    // Where there are no locks, the length of the file tells.
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\n").unwrap();
    let refused = mine.add(record("two", "two.xml"), SystemTime::now()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::JournalBusy);
    drop(mine);
    let again = Journal::open(&path).unwrap();
    assert!(again.damaged() == 0 && again.known(&digest("three")).is_some());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_journal_that_cannot_be_written_ends_the_batch_and_is_no_fault_of_a_document() {
    let folder = folder("unwritable");
    let path = folder.join("journal");
    drop(Journal::open(&path).unwrap());
    // The disk failed, or the share went away: the file is open and takes nothing.
    let file = File::open(&path).unwrap();
    let length = file.metadata().unwrap().len();
    let state = Mutex::new(State { file, length, head: b"", known: HashMap::new(), damaged: 0 });
    let journal = Journal { path, state };
    let refused = journal.add(record("one", "one.xml"), SystemTime::now()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::OutputFailed);
    assert!(!crate::batch::concerns_one_document(&refused));
    assert_eq!(journal.known(&digest("one")), None);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_person_reads_the_name_of_an_output_as_it_is() {
    for name in ["one.xml", "合 成 (2).xml", "50%.xml", "%41.xml"] {
        assert_eq!(readable(&encoded(Path::new(name))), name);
    }
    // What would break the line stays as the journal has it.
    for name in ["a%0Ab.xml", "%1B[2J.xml", "%FF.xml"] {
        assert_eq!(readable(name), name);
    }
    assert_eq!((readable("%"), readable("a%4"), readable("%+1")), ("%".to_owned(), "a%4".to_owned(), "%+1".to_owned()));
}
