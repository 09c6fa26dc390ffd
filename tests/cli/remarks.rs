//! `sign-batch`: what it says of its documents, and of itself when it is stopped.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{Desk, Ran, built};

const PIN: [&str; 2] = ["--pin-env", "CUSTOMS_PIN"];
const BATCH: [&str; 5] = ["sign-batch", "--folder", "in", "--out-dir", "signed"];

/// A folder of messages, each with this put in place of that.
fn fill(desk: &Desk, names: &[&str], from: &str, to: &str) {
    let text = String::from_utf8(desk.read("CEB621.xml")).unwrap();
    fs::create_dir_all(desk.path("in")).unwrap();
    for name in names {
        let own = text.replacen("COP20270104000001", &format!("COP-{name}"), 1);
        desk.write(&format!("in/{name}.xml"), own.replace(from, to));
    }
}

#[test]
fn a_remark_names_the_documents_that_it_is_about() {
    let Some(desk) = Desk::new("a_remark_names_the_documents", &[]) else { return };
    let state = |n: u8| format!("<ceb:appStatus>{n}</ceb:appStatus>");
    fill(&desk, &["d1", "d2", "d3", "d4", "d5"], &state(2), &state(1));
    fill(&desk, &["other"], "MA0SYN001", "MA0SYN002");
    fill(&desk, &["plain"], "", "");
    let run = |out: &str, more: &[&str]| {
        let args = ["sign-batch", "--folder", "in", "--out-dir", out, "--even-another-declarant"];
        desk.shield(&[&args[..], &PIN, more].concat())
    };
    let ran = run("signed", &[]).expect(0, &["7 signed"]);
    let notes: Vec<&str> = ran.out.lines().filter(|l| l.starts_with("note: ")).collect();
    let about = |word: &str| notes.iter().find(|n| n.contains(word)).unwrap_or_else(|| panic!("{word} in {}", ran.out));
    assert!(about("another company").ends_with("(in/other.xml)"), "{notes:?}");
    assert!(about("a draft").ends_with("(in/d1.xml, in/d2.xml, in/d3.xml and 2 more)"), "{notes:?}");
    // What is of the certificate is of all of them.
    assert!(about("test profile").ends_with("does not accept it"), "{notes:?}");
    run("zh", &["--lang", "zh"]).expect(0, &["（in/d1.xml、in/d2.xml、in/d3.xml 等 5 份）", "（in/other.xml）"]);
}

fn start(desk: &Desk, args: &[&str], stdin: Stdio) -> Child {
    let mut program = desk.command(built("shield"));
    program.args(desk.arguments(args)).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    program.spawn().unwrap()
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Waits for this, a minute at most.
#[track_caller]
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is() {
        assert!(since.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(unix)]
#[test]
fn a_batch_that_is_stopped_says_what_it_did_and_leaves_whole_files() {
    const ALL: usize = 120;
    let Some(desk) = Desk::new("a_batch_that_is_stopped", &["--algorithm", "rsa2048"]) else { return };
    let names: Vec<String> = (0..ALL).map(|n| format!("m{n:04}")).collect();
    fill(&desk, &names.iter().map(String::as_str).collect::<Vec<_>>(), "", "");
    let args = [&BATCH[..], &PIN, &["--json"]].concat();
    let made = || desk.names("signed").iter().filter(|n| !n.starts_with('.')).count();
    let mut before = 0;
    for signal in ["-INT", "-TERM"] {
        let child = start(&desk, &args, Stdio::null());
        until("documents are signed", || made() >= before + 8);
        send(&child, signal);
        let ran = Ran::of(&child.wait_with_output().unwrap()).expect(130, &["SH-1002", "Now: repeat the command"]);
        let json = ran.json();
        let [signed, done, refused, left] =
            ["signed", "before", "refused", "not_tried"].map(|name| json[name].as_u64().unwrap());
        assert_eq!((json["exit"].as_u64(), refused, signed + done + left), (Some(130), 0, ALL as u64), "{signal}");
        assert!(signed >= 8 && left > 0, "{signal}: {signed} signed, {left} left");
        assert_eq!(json["stopped"]["code"], "SH-1002");
        assert_eq!((done, signed + done), (before as u64, made() as u64), "{signal}");
        assert!(!desk.names("signed").iter().any(|n| n.ends_with(".part")), "{:?}", desk.names("signed"));
        before = made();
    }
    let rest = format!("{} signed, {before} done before, 0 refused, 0 not tried", ALL - before);
    desk.shield(&[&BATCH[..], &PIN].concat()).expect(0, &[&rest]);
}

#[cfg(unix)]
#[test]
fn a_batch_that_waits_for_its_pin_is_stopped_too_and_a_second_signal_ends_it_at_once() {
    let Some(desk) = Desk::new("a_batch_that_waits_for_its_pin", &[]) else { return };
    fill(&desk, &["a", "b"], "", "");
    let args = [&BATCH[..], &["--pin-fd", "0", "--log", "log", "--log-level", "trace"]].concat();
    let waiting = || {
        let _ = fs::remove_file(desk.path("log"));
        let child = start(&desk, &args, Stdio::piped());
        let log = || fs::read_to_string(desk.path("log")).unwrap_or_default();
        until("it waits for its PIN", || log().contains("a PIN is asked for"));
        send(&child, "-TERM");
        child
    };
    let mut once = waiting();
    let said = |child: &mut Child| {
        let mut word = [0; 9];
        std::io::Read::read_exact(child.stderr.as_mut().unwrap(), &mut word).unwrap();
        assert_eq!(&word, b"stopping:");
    };
    said(&mut once);
    // The PIN that comes now is not sent any more.
    std::io::Write::write_all(&mut once.stdin.take().unwrap(), b"305827194936\n").unwrap();
    let ran = Ran::of(&once.wait_with_output().unwrap()).expect(130, &["SH-1002", "0 signed", "2 not tried"]);
    assert!(!ran.out.contains("SH-2"), "{}", ran.out);
    desk.shield(&["list"]).expect(0, &["tries left: unknown\n"]);

    // Its PIN does not come, and the pipe stays open.
    let mut twice = waiting();
    let keys = twice.stdin.take();
    said(&mut twice);
    send(&twice, "-TERM");
    assert_eq!(Ran::of(&twice.wait_with_output().unwrap()).code, 143);
    drop(keys);
    assert!(desk.names("signed").iter().all(|n| n.starts_with(".shield-batch")), "{:?}", desk.names("signed"));
}
