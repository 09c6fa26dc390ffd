//! The state file: whole, locked, and never misread.

use std::fs;
use std::path::{Path, PathBuf};

use shared_shield::simulator::{Algorithm, Habits, Simulator, Usage};
use shared_shield::{Error, ErrorKind};

use crate::terminal::{USER, cryptogram};
use crate::{ADMIN_PIN, CUSTOMS_PIN, shared_shield, terminal};

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sim-state-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn refused(path: &Path, because: &str) -> Error {
    let error = Simulator::open(path).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StateFile, "{error}");
    assert!(error.to_string().contains(because), "{error}");
    error
}

/// A shield with a bit of everything, in a file.
fn saved(path: &Path) -> Simulator {
    let device = shared_shield("syno-2015");
    device.generate("eport", "declarant", Algorithm::Sm2).unwrap();
    device.import_certificate("eport", "declarant", Usage::Signing, b"a certificate").unwrap();
    device.generate("bank", "payer", Algorithm::P256).unwrap();
    device.save_as(path).unwrap();
    device
}

#[test]
fn a_device_is_the_same_after_a_restart() {
    let folder = folder("restart");
    let path = folder.join("shield.toml");
    let device = saved(&path);
    let habits = Habits { drops_login_after_signature: true, more_data: true, ..Habits::default() };
    device.habits(habits);
    let t = terminal(&device, "syno-2015");
    let customs = t.open("eport");
    assert_eq!(t.change_pin(customs, USER, CUSTOMS_PIN, "654321"), 0x9000);
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x634C);
    let container = t.container(customs, "declarant");
    let point = t.point(customs, container, 1);
    let atr = device.atr();
    drop((t, device));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# Throw-away state of the shared-shield simulator"), "{text}");

    let device = Simulator::open(&path).unwrap();
    assert_eq!(device.atr(), atr);
    let t = terminal(&device, "syno-2015");
    assert_eq!(t.names(0x22, &[]), ["eport", "bank"]);
    let customs = t.open("eport");
    assert_eq!(t.tries(customs, USER), (5, 4, false), "tries are counted on");
    assert_eq!(t.verify(customs, USER, "654321"), 0x9000);
    let container = t.container(customs, "declarant");
    assert_eq!(t.point(customs, container, 1), point);
    assert_eq!(t.certificate(customs, container, 1), b"a certificate");
    assert_eq!(t.sign(customs, container, &[7; 32]).sw, 0x9000);
    assert_eq!(t.sign(customs, container, &[7; 32]).sw, 0x6982, "its habits are there");
    device.speak("gm3000").unwrap();
    drop((t, device));
    let device = Simulator::open(&path).unwrap();
    let t = terminal(&device, "gm3000");
    let customs = t.open("eport");
    assert_eq!(t.verify(customs, USER, "654321"), 0x9000, "its dialect too");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_new_state_takes_no_name_that_is_taken() {
    let folder = folder("taken");
    let path = folder.join("shield.toml");
    fs::write(&path, "somebody else's").unwrap();
    let device = shared_shield("syno-2015");
    let refused = device.save_as(&path).unwrap_err();
    assert_eq!(refused.io_kind(), Some(std::io::ErrorKind::AlreadyExists));
    assert_eq!(fs::read(&path).unwrap(), b"somebody else's");
    assert!(device.save_as(&folder.join("no/such/folder")).is_err());
    device.save_as(&folder.join("another.toml")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn one_program_at_a_time_has_the_state() {
    const NAME: &str = "state::one_program_at_a_time_has_the_state";
    if let Some(path) = std::env::var_os("SIMULATOR_STATE") {
        return drop(refused(Path::new(&path), "is open already"));
    }
    let folder = folder("lock");
    let path = folder.join("shield.toml");
    let device = saved(&path);
    refused(&path, "is open already");
    let clone = device.clone();
    drop(device);
    // Another process.
    let program = std::env::current_exe().unwrap();
    let look = || {
        let mut command = std::process::Command::new(&program);
        command.args([NAME, "--exact"]).env("SIMULATOR_STATE", &path);
        command.output().unwrap().status.success()
    };
    assert!(look(), "it was refused there");
    drop(clone);
    assert!(!look(), "it was opened there");
    drop(Simulator::open(&path).unwrap());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_state_that_is_damaged_foreign_or_newer_is_not_opened() {
    let folder = folder("damaged");
    let path = folder.join("shield.toml");
    drop(saved(&path));
    let good = fs::read(&path).unwrap();
    let with = |octets: &[u8], because: &str| {
        fs::write(&path, octets).unwrap();
        refused(&path, because)
    };
    for at in 0..good.len() {
        let mut bent = good.clone();
        bent[at] ^= 0x04;
        with(&bent, "shield.toml ");
        with(&good[..at], "shield.toml ");
    }
    with(b"[package]\nname = \"foreign\"\n", "was not made by the simulator");
    with(&[good.clone(), b"\n".to_vec()].concat(), "is damaged: its checksum");
    let newer = String::from_utf8(good.clone()).unwrap().replace("# version 1", "# version 2");
    with(newer.as_bytes(), "is of version 2, and this program knows version 1");
    with(&[&good[..], &vec![b'#'; 2_000_000]].concat(), "is too large");
    refused(&folder.join("nothing"), "nothing cannot be read");
    let hidden = with(&good[..good.len() - 10], "is damaged").to_string();
    assert!(!hidden.contains(&crate::terminal::hex(CUSTOMS_PIN.as_bytes())), "{hidden}");
    fs::write(&path, &good).unwrap();
    drop(Simulator::open(&path).unwrap());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn beside_a_file_of_somebody_else_nothing_is_made_and_nothing_removed() {
    let folder = folder("foreign");
    let (order, part) = (folder.join("order.txt"), folder.join(".order.txt.0123456789abcdef.part"));
    [&order, &part].iter().for_each(|path| fs::write(path, "somebody else's").unwrap());
    refused(&order, "was not made by the simulator");
    refused(&folder, "is no ordinary file");
    #[cfg(unix)]
    {
        let pipe = folder.join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        refused(&pipe, "is no ordinary file");
        fs::remove_file(pipe).unwrap();
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let kept = folder.join("kept");
        drop(saved(&kept));
        fs::remove_file(folder.join("kept.lock")).unwrap();
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o444)).unwrap();
        refused(&kept, "is write-protected");
        fs::remove_file(kept).unwrap();
    }
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [part.file_name().unwrap(), order.file_name().unwrap()]);
    assert!(!folder.with_extension("lock").exists());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_cannot_be_written_was_not_done_and_no_pin_is_tried_for_nothing() {
    let folder = folder("unwritable");
    let device = saved(&folder.join("shield.toml"));
    let t = terminal(&device, "syno-2015");
    let customs = t.open("eport");
    let container = t.container(customs, "declarant");
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(t.store(customs, container, 1, b"another certificate"), 0x6581);
    assert_eq!(t.certificate(customs, container, 1), b"a certificate");
    // The right PIN and a wrong one have the same answer, or a killed disk would be an oracle.
    for pin in [CUSTOMS_PIN, "999999"] {
        let cryptogram = cryptogram("syno-2015", pin, &t.random(8));
        assert_eq!(t.send(0x18, 0, USER, &[&customs[..], &cryptogram].concat()).sw, 0x6581);
    }
    assert_eq!(t.unblock(customs, ADMIN_PIN, "654321"), 0x6581);
    assert_eq!(device.speak("gm3000").unwrap_err().kind(), ErrorKind::StateFile);
    assert_eq!(t.tries(customs, USER), (5, 5, true));
    // A switch holds in memory, and is written as soon as that goes again.
    let habits = Habits { one_application: true, ..Habits::default() };
    device.habits(habits);
    assert_eq!(t.ask(0x26, 0, 0, b"bank", 10).sw, 0x6A90);
    fs::create_dir_all(&folder).unwrap();
    assert_eq!(t.verify(customs, USER, CUSTOMS_PIN), 0x9000);
    let path = folder.join("shield.toml");
    assert!(fs::read_to_string(&path).unwrap().contains("one_application = true"));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_a_killed_program_left_half_written_is_swept_away() {
    let folder = folder("swept");
    let path = folder.join("shield.toml");
    drop(saved(&path));
    let part = folder.join(".shield.toml.0123456789abcdef.part");
    let others = [".shield.toml.0123.part", ".other.toml.0123456789abcdef.part", "shield.toml.0123456789abcdef.part"];
    fs::write(&part, "half").unwrap();
    others.iter().for_each(|name| fs::write(folder.join(name), "not ours").unwrap());
    drop(Simulator::open(&path).unwrap());
    assert!(!part.exists() && others.iter().all(|name| folder.join(name).exists()));
    fs::remove_dir_all(&folder).unwrap();
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_link_where_the_lock_belongs_is_refused_and_not_waited_for() {
    let folder = folder("lock");
    let path = folder.join("shield.toml");
    drop(saved(&path));
    let lock = folder.join("shield.toml.lock");
    fs::remove_file(&lock).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&lock).status().unwrap();
    assert!(made.success());
    let error = refused(&path, "cannot be locked");
    assert!(error.to_string().contains("no ordinary file"), "{error}");
    // With somebody who reads it can be opened, and is a pipe still.
    let reader = fs::OpenOptions::new().read(true).write(true).open(&lock).unwrap();
    let error = refused(&path, "cannot be locked");
    assert!(error.to_string().contains("no ordinary file"), "{error}");
    drop(reader);
    fs::remove_file(&lock).unwrap();
    let other = folder.join("other");
    std::os::unix::fs::symlink(&other, &lock).unwrap();
    refused(&path, "cannot be locked");
    assert!(!other.exists(), "nothing is made where a link leads");
    fs::remove_file(&lock).unwrap();
    Simulator::open(&path).unwrap();
    fs::remove_dir_all(&folder).unwrap();
}
