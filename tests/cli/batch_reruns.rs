//! `sign-batch` on a shield in software: reruns with another certificate or another name, one unlock that is used up, many threads, and what no output
//! may take the place of.

use std::fs;

use crate::program::{Desk, Ran};
use crate::simulator::Bench;

const PIN: [&str; 2] = ["--pin-env", "CUSTOMS_PIN"];
const NOT_ASKED: [&str; 2] = ["--pin-env", "WRONG_PIN"];

fn fill(bench: &Bench, count: usize) {
    let sample = bench.read("CEB621.xml");
    fs::create_dir_all(bench.dir.join("in")).unwrap();
    for n in 0..count {
        let message = sample.replacen("COP20270104000001", &format!("COP2027010400{n:04}"), 1);
        bench.write(&format!("in/m{n:04}.xml"), &message);
    }
}

fn batch(bench: &Bench, more: &[&str]) -> Ran {
    bench.shield(&[&["sign-batch", "--folder", "in", "--out-dir", "signed"], more].concat())
}

fn names(bench: &Bench, folder: &str) -> Vec<String> {
    let names = fs::read_dir(bench.dir.join(folder)).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|n| !n.starts_with('.')).collect();
    names.sort();
    names
}

#[test]
fn another_certificate_is_told_from_the_one_that_signed_and_signs_anew_when_asked() {
    let bench = Bench::new("another_certificate", &[]);
    fill(&bench, 3);
    let first = batch(&bench, &[&PIN[..], &["--json"]].concat()).expect(0, &[]).json();
    let old = first["documents"][0]["certificate"].clone();
    let same = batch(&bench, &[&NOT_ASKED[..], &["--json"]].concat()).expect(0, &[]).json();
    assert_eq!((&same["before"], &same["documents"][0]["certificate"]), (&3.into(), &old));
    // The card is replaced: another key, another certificate, the same company.
    fs::remove_file(bench.dir.join("desk.shield")).unwrap();
    fs::remove_dir_all(bench.dir.join("shield")).unwrap();
    bench.make("desk.shield", &[]).expect(0, &[]);
    fs::remove_file(bench.dir.join("signed/m0002.xml")).unwrap();
    let told = ["2 refused", "another certificate signed it", "; --overwrite replaces it", "1 of those done before"];
    batch(&bench, &NOT_ASKED).expect(1, &[&told[..], &["were signed by another certificate; --again"]].concat());
    let both = [&PIN[..], &["--overwrite", "--json"]].concat();
    let anew = batch(&bench, &both).expect(0, &[]).json();
    assert_eq!([&anew["signed"], &anew["before"]], [&2, &1], "what was carried away is left to --again: {anew:#}");
    assert_eq!((&anew["documents"][2]["output_moved"], &anew["documents"][2]["certificate"]), (&true.into(), &old));
    assert_ne!(anew["documents"][0]["certificate"], old);
    batch(&bench, &[&PIN[..], &["--again"]].concat()).expect(0, &["1 signed, 2 done before"]);
    batch(&bench, &NOT_ASKED).expect(0, &["0 signed, 3 done before"]);
    let verify = ["verify", "signed/m0000.xml", "signed/m0002.xml", "--role", "customs", "--trust", "shield/ca.pem"];
    bench.shield(&verify).expect(0, &[]);
}

#[test]
fn another_identifier_set_is_told_from_the_one_that_was_signed_with() {
    let Some(desk) = Desk::new("another_identifier_set", &["--algorithm", "rsa2048"]) else { return };
    fs::create_dir(desk.path("in")).unwrap();
    desk.write("in/m.xml", desk.read("CEB621.xml"));
    let with = |pin: &[&str], more: &[&str]| {
        desk.shield(&[&["sign-batch", "--folder", "in", "--out-dir", "signed"], pin, more].concat())
    };
    with(&PIN, &[]).expect(0, &["1 signed"]);
    let other = ["--identifiers", "legacy-2018-sha256"];
    with(&NOT_ASKED, &other).expect(7, &["signed with rsa-sha1 and not with rsa-sha256", "--overwrite replaces it"]);
    with(&PIN, &[&other[..], &["--overwrite"]].concat()).expect(0, &["1 signed"]);
    assert!(String::from_utf8(desk.read("signed/m.xml")).unwrap().contains("rsa-sha256"));
    with(&NOT_ASKED, &other).expect(0, &["1 done before"]);
    // Who names no set asks for none, in both commands.
    let one = |more: &[&str]| {
        desk.shield(&[&["sign-declaration", "in/m.xml", "--out-dir", "signed"], &NOT_ASKED[..], more].concat())
    };
    with(&NOT_ASKED, &[]).expect(0, &["1 done before"]);
    one(&[]).expect(0, &["1 done before"]);
    let official = ["--identifiers", "official-rsa-sha1"];
    one(&official).expect(7, &["signed with rsa-sha256 and not with rsa-sha1"]);
    // A journal that found the output and does not know its suite.
    fs::remove_file(desk.path("signed/.shield-batch.journal")).unwrap();
    with(&NOT_ASKED, &[]).expect(0, &["1 done before"]);
    assert!(String::from_utf8(desk.read("signed/.shield-batch.journal")).unwrap().contains(" found "));
    with(&NOT_ASKED, &official).expect(7, &["signed with rsa-sha256 and not with rsa-sha1", "--overwrite replaces it"]);
    with(&PIN, &[&official[..], &["--overwrite"]].concat()).expect(0, &["1 signed"]);
    assert!(!String::from_utf8(desk.read("signed/m.xml")).unwrap().contains("rsa-sha256"));
}

#[test]
fn a_document_that_got_another_name_was_done_before_and_the_way_out_is_told() {
    let bench = Bench::new("another_name", &[]);
    fill(&bench, 1);
    batch(&bench, &PIN).expect(0, &["1 signed"]);
    fs::rename(bench.dir.join("in/m0000.xml"), bench.dir.join("in/new.xml")).unwrap();
    let told = ["in/new.xml was signed before as m0000.xml; --again", "0 signed, 1 done before"];
    let ran = batch(&bench, &NOT_ASKED).expect(0, &told);
    assert!(!ran.out.contains("not at their outputs"), "{}", ran.out);
    // Another message has its old name now: nothing is there twice.
    bench.write("in/m0000.xml", &bench.read("CEB621.xml").replacen("COP20270104000001", "COP20270104990001", 1));
    fs::remove_file(bench.dir.join("signed/m0000.xml")).unwrap();
    let ran = batch(&bench, &[&PIN[..], &["--json"]].concat()).expect(0, &[]).json();
    let document = &ran["documents"][1];
    assert_eq!((&ran["signed"], &document["output_name"]), (&1.into(), &"m0000.xml".into()), "{ran:#}");
    assert_eq!(document["output_moved"], true);
    batch(&bench, &[&PIN[..], &["--again"]].concat()).expect(0, &["1 signed, 1 done before"]);
    assert_eq!(names(&bench, "signed"), ["m0000.xml", "new.xml"]);
}

#[test]
fn a_batch_larger_than_one_unlock_says_so_before_and_is_no_wrong_pin_at_its_end() {
    let bench = Bench::new("larger_than_one_unlock", &[]);
    fill(&bench, 5);
    let profile = bench.read("shield/profile.toml");
    bench.write("shield/profile.toml", &format!("{profile}\n[customs.policy]\nsignatures = 2\n"));
    let warned = ["5 messages, and one PIN entry signs 2: repeat the command", "all 2 signatures", "SH-200D"];
    let ran = batch(&bench, &PIN).expect(1, &warned);
    assert!(ran.out.contains("2 signed, 0 done before, 0 refused, 3 not tried"), "{}", ran.out);
    assert!(!ran.err.contains("right customs PIN") && ran.err.contains("Now: unlock again"), "{}", ran.err);
    batch(&bench, &[&PIN[..], &["--lang", "zh"]].concat()).expect(1, &["每次输入口令最多签名 2 份", "已签名 2"]);
    let last = batch(&bench, &PIN).expect(0, &["1 signed, 4 done before"]);
    assert!(!last.err.contains("one PIN entry"), "{}", last.err);
}

#[test]
fn many_threads_of_one_batch_do_not_take_each_other_for_another_program() {
    let bench = Bench::new("many_threads", &[]);
    fill(&bench, 120);
    let many = [&["--wait", "1"][..], &PIN, &["--threads", "100"]].concat();
    batch(&bench, &many).expect(0, &["120 signed, 0 done before, 0 refused, 0 not tried"]);
}

#[test]
fn nobody_is_asked_for_a_pin_where_no_output_can_be_written() {
    let bench = Bench::new("no_output_can_be_written", &[]);
    fill(&bench, 1);
    let long = format!("{}.xml", "报".repeat(83));
    fs::rename(bench.dir.join("in/m0000.xml"), bench.dir.join("in").join(&long)).unwrap();
    batch(&bench, &PIN).expect(0, &["1 signed"]);
    // Write-protected: what replaces nothing is not offered.
    let output = bench.dir.join("signed").join(&long);
    fs::write(&output, "somebody's own").unwrap();
    let mut rights = fs::metadata(&output).unwrap().permissions();
    rights.set_readonly(true);
    fs::set_permissions(&output, rights).unwrap();
    for more in [&[][..], &["--overwrite"]] {
        let ran = batch(&bench, &[&NOT_ASKED, more].concat()).expect(7, &["write-protected", "0 signed"]);
        assert!(!ran.out.contains("--overwrite replaces it"), "{}", ran.out);
    }
    for more in [&[][..], &["--overwrite"]] {
        let one = ["sign-declaration", &format!("in/{long}"), "--out-dir", "signed"];
        let ran = bench.shield(&[&one[..], &NOT_ASKED, more].concat()).expect(7, &["write-protected", "0 signed"]);
        assert!(!ran.out.contains("--overwrite replaces it"), "{}", ran.out);
    }
    // A name that the file system does not take.
    bench.write("list", &format!("in/{long}\t{}\n", "x".repeat(300)));
    let args = ["sign-batch", "--manifest", "list", "--out-dir", "other"];
    bench.shield(&[&args[..], &NOT_ASKED].concat()).expect(7, &["SH-7002", "0 signed"]);
    assert_eq!(bench.tries(), [5, 6]);
}

#[test]
fn what_the_command_line_names_is_never_replaced_by_an_output() {
    let bench = Bench::new("what_the_command_line_names", &[]);
    fill(&bench, 1);
    let state = fs::read(bench.dir.join("desk.shield")).unwrap();
    for name in ["desk.shield", "shield/profile.toml", "list"] {
        let (folder, bare) = name.rsplit_once('/').unwrap_or((".", name));
        bench.write("list", &format!("in/m0000.xml\t{bare}\n"));
        let args = ["sign-batch", "--manifest", "list", "--overwrite", "--out-dir", folder, "--journal", "j"];
        bench.shield(&[&args[..], &NOT_ASKED].concat()).expect(2, &["would replace", name]);
    }
    for name in ["desk.shield", "shield/profile.toml"] {
        bench.shield(&["doctor", "--bundle", name, "--overwrite"]).expect(2, &["would replace", name]);
        bench.shield(&["--log", name, "list"]).expect(2, &["would replace", name]);
    }
    assert!(bench.read("list").starts_with("in/") && fs::read(bench.dir.join("desk.shield")).unwrap() == state);
    // An empty document that is named as the journal stays a document.
    bench.write("in/empty.xml", "");
    batch(&bench, &[&NOT_ASKED[..], &["--journal", "in/empty.xml"]].concat()).expect(2, &["named as the journal"]);
    assert_eq!(bench.read("in/empty.xml"), "");
}

#[cfg(unix)]
#[test]
fn what_a_list_cannot_give_is_said_by_name() {
    let bench = Bench::new("what_a_list_cannot_give", &[]);
    fill(&bench, 1);
    std::os::unix::fs::symlink("nowhere", bench.dir.join("in/gone.xml")).unwrap();
    batch(&bench, &PIN).expect(1, &["refused in/gone.xml", "1 signed, 0 done before, 1 refused"]);
    fs::create_dir(bench.dir.join("none")).unwrap();
    let list = |more: &[&str]| bench.shield(&[&["sign-batch", "--out-dir", "signed"], &NOT_ASKED[..], more].concat());
    list(&["--folder", "none"]).expect(0, &["none names no message", ".xml", "0 signed"]);
    // 报文 in GBK, in the third line.
    fs::write(bench.dir.join("list"), b"# today\nin/m0000.xml\n\xb1\xa8\xce\xc4.xml\n").unwrap();
    list(&["--manifest", "list"]).expect(2, &["line 3: not UTF-8 (GBK, perhaps): save"]);
    // Nobody writes into this pipe.
    assert!(bench.command("mkfifo").arg("pipe").status().unwrap().success());
    list(&["--manifest", "pipe"]).expect(7, &["SH-7001", "save what comes out of it to a file"]);
    let sign = ["sign-declaration", "pipe", "--out-dir", "signed"];
    bench.shield(&[&sign[..], &NOT_ASKED].concat()).expect(7, &["save what comes out of it to a file"]);
}
