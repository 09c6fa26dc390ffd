//! Where a PIN may come from, and where it never does.

use std::io::Write;
use std::process::Stdio;

use crate::program::{CUSTOMS_PIN, Desk, Ran, built};

/// Every option of every subcommand, as the help shows them.
fn options() -> Vec<String> {
    let help = |args: &[&str]| {
        Ran::of(&std::process::Command::new(built("shield")).args(args).output().unwrap()).expect(0, &[]).out
    };
    let commands = help(&["--help"]);
    let names: Vec<_> = commands
        .lines()
        .skip_while(|l| !l.starts_with("Commands:"))
        .skip(1)
        .take_while(|l| l.starts_with("  "))
        .filter_map(|l| l.split_whitespace().next())
        .filter(|n| *n != "help")
        .collect();
    assert_eq!(names.len(), 18, "{names:?}");
    names
        .iter()
        .flat_map(|n| help(&[n, "--help"]).lines().map(|l| l.trim().to_owned()).collect::<Vec<_>>())
        .filter(|l| l.starts_with("--") || l.starts_with('-'))
        .collect()
}

#[test]
fn there_is_no_option_that_takes_a_pin() {
    let about_pins: Vec<_> =
        options().into_iter().filter(|o| o.split_whitespace().next().unwrap().contains("pin")).collect();
    assert!(about_pins.iter().any(|o| o.starts_with("--pin-fd <N>")), "{about_pins:?}");
    let about_puks = options().into_iter().filter(|o| o.split_whitespace().next().unwrap().contains("puk"));
    for option in about_puks {
        let known = [
            "--puk-fd <N>",
            "--puk-env <NAME>",
            "--new-puk-fd <N>",
            "--new-puk-env <NAME>",
            "--customs-puk-env <NAME>",
            "--bank-puk-env <NAME>",
        ];
        assert!(known.iter().any(|k| option.starts_with(k)), "{option}");
    }
    for option in &about_pins {
        // What each takes: a number of a descriptor, a name of a variable, a fingerprint.
        let known = [
            "--pin-fd <N>",
            "--pin-env <NAME>",
            "--customs-pin-env <NAME>",
            "--bank-pin-env <NAME>",
            "--pin-fingerprint <HEX>",
            "--new-pin-fd <N>",
            "--new-pin-env <NAME>",
        ];
        assert!(known.iter().any(|k| option.starts_with(k)), "{option}");
    }
}

#[test]
fn a_pin_on_the_command_line_is_refused_and_not_repeated() {
    let Some(desk) = Desk::empty("a_pin_on_the_command_line") else { return };
    for option in ["--pin", "--customs-pin", "--pin-code", "-p"] {
        let ran = desk
            .bare(&["sign-declaration", "x.xml", "--out-dir", "out", option, CUSTOMS_PIN])
            .expect(2, &["unexpected argument"]);
        assert!(!ran.err.contains(CUSTOMS_PIN) && !ran.out.contains(CUSTOMS_PIN), "{}", ran.err);
    }
    // A PIN given where a descriptor or a variable's name belongs.
    desk.bare(&["sign-declaration", "x.xml", "--out-dir", "out", "--pin-fd", "3", "--pin-env", "X"])
        .expect(2, &["cannot be used with"]);
}

/// Runs a signature with the PIN on a descriptor: stdin is descriptor 0.
fn by_descriptor(desk: &Desk, octets: &[u8]) -> Ran {
    let args = ["sign-declaration", "CEB621.xml", "--out-dir", "signed", "--overwrite", "--try-again", "--pin-fd", "0"];
    let mut child = desk
        .command(built("shield"))
        .args(desk.arguments(&args))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program reads one line and no more: the pipe may break behind it.
    let _ = child.stdin.take().unwrap().write_all(octets);
    Ran::of(&child.wait_with_output().unwrap())
}

#[test]
fn a_descriptor_gives_one_line_without_its_newline() {
    let Some(desk) = Desk::new("a_descriptor_gives_one_line", &[]) else { return };
    by_descriptor(&desk, b"\n").expect(4, &["SH-2005", "nothing was sent"]);
    by_descriptor(&desk, b"").expect(4, &["SH-2005"]);
    by_descriptor(&desk, &[b'7'; 65]).expect(4, &["SH-2006", "no try was used"]);
    by_descriptor(&desk, b"48291\t5730664\n").expect(4, &["SH-2007"]);
    // None of these reached the token: it knows of no wrong PIN.
    desk.shield(&["list"]).expect(0, &["tries left: unknown\n"]);
    by_descriptor(&desk, format!("{CUSTOMS_PIN} \n").as_bytes()).expect(4, &["SH-2001"]);
    desk.shield(&["list"]).expect(0, &["a wrong PIN was entered before"]);
    by_descriptor(&desk, format!("{CUSTOMS_PIN}\n").as_bytes()).expect(0, &["1 signed"]);
    std::fs::remove_dir_all(desk.path("signed")).unwrap();
    by_descriptor(&desk, format!("{CUSTOMS_PIN}\r\nsecond line\n").as_bytes()).expect(0, &["1 signed"]);
    std::fs::remove_dir_all(desk.path("signed")).unwrap();
    by_descriptor(&desk, CUSTOMS_PIN.as_bytes()).expect(0, &["1 signed"]);
}

#[test]
fn a_descriptor_that_is_not_open_says_so() {
    let Some(desk) = Desk::new("a_descriptor_that_is_not_open", &[]) else { return };
    desk.declare(&["CEB621.xml"], &["--pin-fd", "77"]).expect(4, &["SH-2004", "No such file"]);
}
