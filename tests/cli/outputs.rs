//! Outputs in trouble: killed runs, full disks, targets that are no ordinary files.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use crate::program::{Desk, Ran, built, has};

const PIN: [&str; 2] = ["--pin-env", "CUSTOMS_PIN"];

#[test]
fn a_batch_that_is_killed_leaves_whole_files_and_a_rerun_finishes_it() {
    const ALL: usize = 200;
    let Some(desk) = Desk::new("a_batch_that_is_killed", &[]) else { return };
    let document = desk.read("CEB621.xml");
    let files: Vec<String> = (0..ALL).map(|n| format!("m{n}.xml")).collect();
    files.iter().for_each(|f| drop(desk.write(f, &document)));
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let args = [&["sign-declaration", "--out-dir", "signed"], &PIN[..], &names].concat();
    let mut child = desk
        .command(built("shield"))
        .args(desk.arguments(&args))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while desk.names("signed").len() < 20 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let whole: Vec<_> = desk.names("signed").into_iter().filter(|n| !n.starts_with('.')).collect();
    assert!((1..ALL).contains(&whole.len()), "{} of {ALL} were signed before the kill", whole.len());
    let paths: Vec<_> = whole.iter().map(|n| format!("signed/{n}")).collect();
    let verify =
        [&["verify", "--trust", "shield/ca.pem"], &*paths.iter().map(String::as_str).collect::<Vec<_>>()].concat();
    desk.shield(&verify).expect(0, &[]);
    // What a kill in the middle of a write leaves; the young one may be another process's.
    for (name, age) in [(".m1.xml.0123456789abcdef.part", 3600), (".m2.xml.0123456789abcdef.part", 0)] {
        let part = File::create(desk.path("signed").join(name)).unwrap();
        part.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
    }
    desk.write("signed/.m1.xml.part", "somebody's own");
    let tally = format!("{} signed, {} done before, 0 refused, 0 not tried", ALL - whole.len(), whole.len());
    desk.declare(&names, &PIN).expect(0, &[&tally]);
    let after = desk.names("signed");
    assert_eq!(after.iter().filter(|n| !n.starts_with('.')).count(), ALL);
    assert!(!after.contains(&".m1.xml.0123456789abcdef.part".to_owned()), "{after:?}");
    assert!(after.contains(&".m2.xml.0123456789abcdef.part".to_owned()), "{after:?}");
    assert!(after.contains(&".m1.xml.part".to_owned()), "{after:?}");
}

#[test]
fn a_full_disk_stops_the_batch() {
    const NAME: &str = "a_full_disk_stops_the_batch";
    let Some(desk) = Desk::new(NAME, &[]).filter(|_| has("unshare", NAME)) else { return };
    fs::create_dir(desk.path("signed")).unwrap();
    let mount = "mount -t tmpfs -o size=16k none signed";
    let can = desk.command("unshare").args(["-rm", "sh", "-c", mount]).output().unwrap();
    if !can.status.success() {
        return crate::program::skip(NAME, "no small file system can be mounted here");
    }
    let fill = format!("{mount} && {{ head -c 99999 /dev/zero >signed/full 2>/dev/null; exec \"$0\" \"$@\"; }}");
    let args = ["sign-declaration", "CEB621.xml", "CEB311.xml", "--out-dir", "signed", "--pin-env", "CUSTOMS_PIN"];
    let mut command = desk.command("unshare");
    command.args(["-rm", "sh", "-c", &fill]).arg(built("shield")).args(desk.arguments(&args));
    Ran::of(&command.output().unwrap())
        .expect(7, &["SH-7002", "No space left", "Now: make room", "0 refused, 2 not tried"]);
}

#[cfg(unix)]
#[test]
fn overwrite_keeps_the_rights_and_replaces_only_ordinary_files() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let Some(desk) = Desk::new("overwrite_keeps_the_rights", &[]) else { return };
    desk.write("order.txt", "pay 100.00");
    desk.write("order.sig", "old");
    let sign = |out: &str, more: &[&str]| {
        let args = ["sign-raw", "--role", "bank", "order.txt", "--out", out, "--pin-env", "BANK_PIN"];
        desk.shield(&[&args[..], more].concat())
    };
    fs::set_permissions(desk.path("order.sig"), fs::Permissions::from_mode(0o600)).unwrap();
    sign("order.sig", &[]).expect(7, &["SH-7002", "Now: name another output, or add --overwrite"]);
    assert_eq!(desk.read("order.sig"), b"old");
    sign("order.sig", &["--overwrite"]).expect(0, &["signed"]);
    assert_eq!(fs::metadata(desk.path("order.sig")).unwrap().permissions().mode() & 0o777, 0o600);
    symlink("order.sig", desk.path("link")).unwrap();
    sign("link", &["--overwrite"]).expect(7, &["SH-7002", "symbolic link"]);
    assert!(desk.path("link").is_symlink());
}

#[test]
fn a_command_that_fails_says_so_in_json_too() {
    let Some(desk) = Desk::new("a_command_that_fails_says_so_in_json", &[]) else { return };
    let ran = desk.bare(&["list", "--json", "--profile", "missing.toml"]).expect(7, &[]);
    let value = ran.json();
    assert_eq!((&value["error"]["code"], &value["exit"]), (&"SH-7001".into(), &7.into()), "{value:#}");
    assert_eq!(value["error"]["recovery"], "FixDocument");
    let list = desk.shield(&["list", "--json"]).expect(0, &[]).json();
    assert_eq!(list["shields"][0]["certificates"][0]["key"], "P-256", "{list:#}");
}
