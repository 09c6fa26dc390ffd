//! A batch of declarations during which the card is pulled out, or the service is killed.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::desk::{Desk, Ran};
use crate::piv_card::Key;

const MANY: usize = 60;

/// Many messages with a number of their own each.
fn documents(desk: &Desk) -> Vec<String> {
    let sample = fs::read_to_string(desk.dir.join("CEB621.xml")).unwrap();
    let place = sample.find("<ceb:appTime>").unwrap();
    (0..MANY)
        .map(|n| {
            let name = format!("message-{n:03}.xml");
            let text = format!("{}<!-- {n} -->{}", &sample[..place], &sample[place..]);
            fs::write(desk.dir.join(&name), text).unwrap();
            name
        })
        .collect()
}

fn start(desk: &Desk, names: &[String]) -> Child {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let args = [&["sign-declaration", "--out-dir", "signed", "--pin-env", "PIN"][..], &names].concat();
    desk.prepared(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The signed files; each is whole, or this fails.
fn signed(desk: &Desk) -> Vec<String> {
    let Ok(folder) = fs::read_dir(desk.dir.join("signed")) else { return Vec::new() };
    let mut names: Vec<String> = folder.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    for name in &names {
        let judge = format!("xmlsec1 --verify --trusted-pem customs-ca.pem signed/{name}");
        assert!(desk.shell(&judge), "xmlsec1 refuses {name}");
    }
    names
}

fn wait_for_files(desk: &Desk, least: usize) {
    let until = Instant::now() + Duration::from_secs(60);
    let count = |dir: &Path| fs::read_dir(dir).map_or(0, |entries| entries.count());
    while count(&desk.dir.join("signed")) < least {
        assert!(Instant::now() < until, "fewer than {least} files were signed in a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_was_signed_before_the_card_went_is_whole_and_a_second_run_does_the_rest() {
    let Some(desk) = Desk::new("pulled::what_was_signed_before_the_card_went", Key::P256) else { return };
    let names = documents(&desk);
    // The card works slowly enough to be pulled out in the middle, and in the middle of a command.
    desk.card.delay(20);
    let child = start(&desk, &names);
    wait_for_files(&desk, 10);
    desk.card.pull(3);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    let first = signed(&desk);
    assert!((10..MANY).contains(&first.len()), "{} files", first.len());
    let all = format!("{}{}", ran.out, ran.err);
    assert_eq!(ran.code, 3, "the shield is gone: {all}");
    for name in names.iter().filter(|name| !first.contains(name)) {
        assert!(all.contains(name.as_str()), "{name} is not named in:\n{all}");
    }
    // The service may not have noticed yet: then it says that the card stopped working.
    assert!((all.contains("SH-1029") || all.contains("SH-1014")) && all.contains("plug it in again"), "{all}");

    desk.card.delay(0);
    desk.card.insert();
    let logins = desk.logins();
    let rest = Ran::of(&start(&desk, &names).wait_with_output().unwrap());
    rest.expect(0, &[&format!("{} signed", MANY - first.len()), &format!("{}", first.len())]);
    assert_eq!(signed(&desk), names, "every message is signed and whole");
    assert_eq!(desk.logins(), logins + 1, "one entry for the second run");
}

#[test]
fn a_batch_goes_on_when_the_smart_card_service_is_killed_and_started_again() {
    let Some(desk) = Desk::new("pulled::a_batch_goes_on_when_the_service_is_killed", Key::P256) else { return };
    let names = documents(&desk);
    desk.card.delay(20);
    let child = start(&desk, &names);
    wait_for_files(&desk, 10);
    desk.pcscd.kill();
    desk.pcscd.restart();
    Ran::of(&child.wait_with_output().unwrap()).expect(0, &[&format!("{MANY} signed")]);
    assert_eq!(signed(&desk), names);
}
