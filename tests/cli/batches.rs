//! `sign-batch`: folders and manifests, the journal, reruns, what stops a batch and what does not.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use crate::program::{Desk, Ran, built, has};

const PIN: [&str; 2] = ["--pin-env", "CUSTOMS_PIN"];
const NOT_ASKED: [&str; 2] = ["--pin-env", "WRONG_PIN"];
const JOURNAL: &str = "signed/.shield-batch.journal";

/// Message number `n`, like no other.
fn message(desk: &Desk, n: usize) -> String {
    let text = String::from_utf8(desk.read("CEB621.xml")).unwrap();
    text.replacen("COP20270104000001", &format!("COP2027010400{n:04}"), 1)
}

/// A folder of messages.
fn fill(desk: &Desk, count: usize) {
    fs::create_dir_all(desk.path("in")).unwrap();
    for n in 0..count {
        desk.write(&format!("in/m{n:04}.xml"), message(desk, n));
    }
}

fn batch(desk: &Desk, more: &[&str]) -> Ran {
    desk.shield(&[&["sign-batch", "--folder", "in", "--out-dir", "signed"], more].concat())
}

fn tally(ran: &Ran) -> [u64; 4] {
    let json = ran.json();
    ["signed", "before", "refused", "not_tried"].map(|name| json[name].as_u64().unwrap())
}

/// The outputs with their octets.
fn outputs(desk: &Desk) -> BTreeMap<String, Vec<u8>> {
    let names = desk.names("signed").into_iter().filter(|n| !n.starts_with('.'));
    names.map(|n| (n.clone(), desk.read(&format!("signed/{n}")))).collect()
}

fn states(ran: &Ran) -> BTreeMap<String, String> {
    let json = ran.json();
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    json["documents"].as_array().unwrap().iter().map(|d| (text(&d["input"]), text(&d["state"]))).collect()
}

#[test]
fn a_bad_document_stops_nobody_and_a_rerun_signs_nothing_twice() {
    let Some(desk) = Desk::new("a_bad_document_stops_nobody", &[]) else { return };
    fill(&desk, 6);
    desk.write("in/broken.xml", "<ceb:CEB621Message>");
    desk.write("in/other.xml", message(&desk, 90).replacen("MA0SYN001", "MA0SYN002", 1));
    desk.write("in/copy of m0003.xml", message(&desk, 3));
    desk.write("in/readme.txt", "no message");
    let first =
        batch(&desk, &[&PIN[..], &["--json"]].concat()).expect(1, &["DocumentTwice", "DeclarantMismatch", "-621015"]);
    assert_eq!(tally(&first), [6, 0, 3, 0]);
    let states = states(&first);
    assert_eq!(states["in/copy of m0003.xml"], "signed");
    assert_eq!(states["in/m0003.xml"], "refused", "the first by name is the one");
    let made = outputs(&desk);
    assert_eq!(made.len(), 6);
    let journal = desk.read(JOURNAL);
    assert_eq!(journal.iter().filter(|o| **o == b'\n').count(), 7, "a head and a line for each");

    // Nobody is asked for a PIN where nothing is left to do.
    let second = batch(&desk, &[&NOT_ASKED[..], &["--json"]].concat()).expect(1, &[]);
    assert_eq!(tally(&second), [0, 6, 3, 0]);
    assert!(outputs(&desk) == made && desk.read(JOURNAL) == journal, "nothing was written");

    // One new message, one output carried away, one output that is no longer what was written.
    desk.write("in/m0009.xml", message(&desk, 9));
    fs::remove_file(desk.path("signed/m0001.xml")).unwrap();
    desk.write("signed/m0002.xml", "somebody's own");
    let third = batch(&desk, &[&PIN[..], &["--json"]].concat()).expect(1, &["was left as it is"]);
    assert_eq!(tally(&third), [1, 5, 4, 0], "{}", third.out);
    assert!(third.out.contains("\"output_moved\": true") && !desk.path("signed/m0001.xml").exists());
    assert_eq!(desk.read("signed/m0002.xml"), b"somebody's own");
    let told = ["1 of those done before are not at their outputs any more", "--again", "; --overwrite replaces it"];
    batch(&desk, &NOT_ASKED).expect(1, &told);
    let zh = [&NOT_ASKED[..], &["--lang", "zh"]].concat();
    batch(&desk, &zh).expect(1, &["拒绝 in/m0002.xml：输出文件已存在", "请用 --overwrite"]);
    let again = [&PIN[..], &["--json", "--again", "--overwrite"]].concat();
    assert_eq!(tally(&batch(&desk, &again).expect(1, &[])), [3, 5, 2, 0], "the copy too, as was said");
    assert!(desk.path("signed/m0001.xml").exists());
    let paths: Vec<_> = outputs(&desk).into_keys().map(|n| format!("signed/{n}")).collect();
    let paths: Vec<_> = paths.iter().map(String::as_str).collect();
    desk.shield(&[&["verify", "--trust", "shield/ca.pem", "--role", "customs"], &*paths].concat()).expect(0, &[]);
}

#[test]
fn a_known_documents_output_that_is_too_large_is_replaced_when_asked_and_a_folder_never() {
    let Some(desk) = Desk::new("a_known_documents_output", &[]) else { return };
    fill(&desk, 2);
    batch(&desk, &PIN).expect(0, &["2 signed"]);
    // Larger than any output, and no octet of it on the disk.
    fs::File::create(desk.path("signed/m0000.xml")).unwrap().set_len(64 << 20).unwrap();
    fs::remove_file(desk.path("signed/m0001.xml")).unwrap();
    fs::create_dir(desk.path("signed/m0001.xml")).unwrap();
    let with = |pin: &[&str], more: &[&str]| batch(&desk, &[pin, more].concat());
    let told = with(&NOT_ASKED, &[]).expect(7, &["0 signed, 0 done before, 2 refused", "was left as it is"]);
    let line = |ran: &Ran, name: &str| ran.out.lines().find(|l| l.contains(&format!("in/{name}"))).unwrap().to_owned();
    assert!(line(&told, "m0000.xml").contains("--overwrite replaces it"), "{}", told.out);
    assert!(!line(&told, "m0001.xml").contains("--overwrite"), "{}", told.out);
    let told = with(&PIN, &["--overwrite"]).expect(1, &["1 signed, 0 done before, 1 refused"]);
    assert!(
        !told.out.contains("--overwrite") && told.out.contains("only an ordinary file is replaced"),
        "{}",
        told.out
    );
    assert!(desk.read("signed/m0000.xml").len() < 64 << 10 && desk.path("signed/m0001.xml").is_dir());
    // Where the folder alone is left, nobody is asked for a PIN, and no advice is given that does not help.
    for zh in [&["--overwrite"][..], &["--overwrite", "--lang", "zh"]] {
        let told = with(&NOT_ASKED, zh).expect(1, &["in/m0001.xml"]);
        assert!(!told.out.contains("--overwrite"), "{}", told.out);
    }
    let folder = desk.declare(&["in/m0001.xml"], &NOT_ASKED).expect(7, &["it cannot be read"]);
    assert!(!folder.out.contains("--overwrite"), "{}", folder.out);
    let over = [&NOT_ASKED[..], &["--overwrite"]].concat();
    desk.declare(&["in/m0001.xml"], &over).expect(7, &["it cannot be read", "only an ordinary file is replaced"]);
    // Nor where a symbolic link stands there that leads nowhere.
    #[cfg(unix)]
    {
        fs::remove_dir(desk.path("signed/m0001.xml")).unwrap();
        std::os::unix::fs::symlink("nowhere", desk.path("signed/m0001.xml")).unwrap();
        for more in [&["--again"][..], &["--again", "--overwrite"]] {
            with(&NOT_ASKED, more).expect(1, &["in/m0001.xml", "only an ordinary file is replaced"]);
        }
        assert!(desk.path("signed/m0001.xml").is_symlink() && !desk.path("signed/nowhere").exists());
    }
}

#[test]
fn an_output_without_its_line_in_the_journal_counts_for_the_same_document_under_another_name() {
    let Some(desk) = Desk::new("an_output_without_its_line", &[]) else { return };
    fill(&desk, 1);
    batch(&desk, &PIN).expect(0, &["1 signed"]);
    // As a program leaves it that is killed between output and journal. The copy comes first in the list.
    fs::remove_file(desk.path(JOURNAL)).unwrap();
    desk.write("in/copy of m0000.xml", message(&desk, 0));
    let ran = batch(&desk, &[&NOT_ASKED[..], &["--json"]].concat())
        .expect(1, &["DocumentTwice", "signed before as m0000.xml"]);
    assert_eq!(tally(&ran), [0, 1, 1, 0]);
    assert_eq!(states(&ran)["in/m0000.xml"], "before");
    assert_eq!(outputs(&desk).into_keys().collect::<Vec<_>>(), ["m0000.xml"]);
}

#[test]
fn a_refused_pin_ends_the_batch_before_anything_is_signed() {
    let Some(desk) = Desk::new("a_refused_pin_ends_the_batch", &[]) else { return };
    fill(&desk, 5);
    desk.write("in/broken.xml", "no XML");
    let ran = batch(&desk, &[&NOT_ASKED[..], &["--json"]].concat()).expect(4, &["SH-2001"]);
    assert_eq!(tally(&ran), [0, 0, 1, 5]);
    assert_eq!(ran.json()["stopped"]["kind"], "PinIncorrect");
    assert!(outputs(&desk).is_empty());
    // It was sent once for all of them; the next time asks for a word.
    batch(&desk, &PIN).expect(4, &["SH-200B", "0 signed, 0 done before, 1 refused, 5 not tried"]);
    batch(&desk, &[&PIN[..], &["--try-again"]].concat())
        .expect(1, &["5 signed, 0 done before, 1 refused, 0 not tried"]);
    batch(&desk, &[&NOT_ASKED[..], &["--lang", "zh"]].concat()).expect(1, &["先前已完成 5", "拒绝 in/broken.xml"]);
}

#[test]
fn a_manifest_names_documents_and_outputs() {
    let Some(desk) = Desk::new("a_manifest_names_documents", &[]) else { return };
    fill(&desk, 3);
    let run = |text: &str, more: &[&str]| {
        desk.write("in/list.txt", text);
        desk.shield(
            &[&["sign-batch", "--manifest", "in/list.txt", "--out-dir", "signed", "--journal", "j"], more].concat(),
        )
    };
    let absolute = desk.path("in/m0002.xml");
    let text = format!("\u{feff}# today\r\n\r\nm0000.xml\r\nm0001.xml\t二.xml\r\n{}\r\n", absolute.display());
    run(&text, &PIN).expect(0, &["3 signed"]);
    assert_eq!(outputs(&desk).into_keys().collect::<Vec<_>>(), ["m0000.xml", "m0002.xml", "二.xml"]);
    assert!(desk.path("j").is_file() && !desk.path(JOURNAL).exists());
    run("m0000.xml\nmissing.xml\n", &NOT_ASKED).expect(1, &["SH-7001", "1 done before, 1 refused"]);
    for (text, word) in [
        ("m0000.xml\t../m0000.xml\n", "line 1: the output is a name"),
        ("m0000.xml\nm0001.xml\tm0000.xml\n", "the same output as"),
        ("# a\n..\n", "line 2: no file"),
        ("\u{ff}", ""),
    ] {
        run(text, &NOT_ASKED).expect(if word.is_empty() { 7 } else { 2 }, &[word]);
    }
    // What is signed later in the list must still be there, and so must the journal.
    let lost = "m0000.xml\tm0001.xml\nm0001.xml\tlast.xml\n";
    let before = desk.read("in/m0001.xml");
    desk.write("in/list.txt", lost);
    let list = ["sign-batch", "--manifest", "in/list.txt", "--overwrite", "--again"];
    desk.shield(&[&list[..], &NOT_ASKED, &["--out-dir", "in"]].concat()).expect(2, &["the output of in/m0000.xml"]);
    assert_eq!(desk.read("in/m0001.xml"), before);
    let journal = desk.read("j");
    desk.write("in/list.txt", "m0000.xml\tj\n");
    let at = ["--out-dir", ".", "--journal", "j"];
    desk.shield(&[&list[..], &NOT_ASKED, &at].concat()).expect(2, &["replace the journal"]);
    assert_eq!(desk.read("j"), journal);
    // Nobody writes into this pipe.
    assert!(desk.command("mkfifo").arg("in/pipe").status().unwrap().success());
    run("pipe\n", &NOT_ASKED).expect(7, &["SH-7001", "in/pipe is no file"]);
    desk.shield(&["sign-batch", "--folder", "in", "--out-dir", "in"]).expect(2, &["replaced by its own output"]);
    desk.shield(&["sign-batch", "--out-dir", "signed"]).expect(2, &["--folder"]);
    desk.write("letter", "Dear Sir or Madam");
    batch(&desk, &[&NOT_ASKED[..], &["--journal", "letter"]].concat()).expect(7, &["SH-7003"]);
    assert_eq!(desk.read("letter"), b"Dear Sir or Madam");
}

#[test]
fn a_batch_that_is_killed_goes_on_where_it_was() {
    const ALL: usize = 80;
    const NAME: &str = "a_batch_that_is_killed_goes_on";
    let Some(desk) = Desk::new(NAME, &["--algorithm", "rsa2048"]).filter(|_| has("xmlsec1", NAME)) else { return };
    fill(&desk, ALL);
    let args = [&["sign-batch", "--folder", "in", "--out-dir", "signed"], &PIN[..]].concat();
    let mut kills = 0;
    let mut before: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    // Killed again and again, each time a little further on.
    for goal in [8, 30, 55] {
        let mut child = desk
            .command(built("shield"))
            .args(desk.arguments(&args))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while desk.names("signed").iter().filter(|n| !n.starts_with('.')).count() < goal
            && child.try_wait().unwrap().is_none()
        {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        kills += usize::from(!child.wait().unwrap().success());
        let now = outputs(&desk);
        assert!(before.iter().all(|(name, octets)| now.get(name) == Some(octets)), "an output was written twice");
        before = now;
    }
    assert_eq!(kills, 3);
    assert!(before.len() < ALL, "{}", before.len());
    let last = batch(&desk, &[&PIN[..], &["--json"]].concat()).expect(0, &[]);
    let [signed, done, refused, left] = tally(&last);
    assert_eq!((signed + done, refused, left), (ALL as u64, 0, 0));
    assert_eq!(done, before.len() as u64, "what a kill left in the folder is known");
    let now = outputs(&desk);
    assert_eq!(now.len(), ALL);
    assert!(before.iter().all(|(name, octets)| now.get(name) == Some(octets)));
    for name in now.keys() {
        let file = format!("signed/{name}");
        let judged =
            desk.command("xmlsec1").args(["--verify", "--trusted-pem", "shield/ca.pem", &file]).output().unwrap();
        assert!(judged.status.success(), "{name}");
    }
}
