//! The story of a batch: a thousand messages of 20 KB, the card pulled out at 400, the service killed at 600, the program killed at 800.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::desk::{Desk, Ran};
use crate::piv_card::Key;

const ALL: usize = 1000;
/// GENERAL AUTHENTICATE (NIST SP 800-73-4, part 2, §3.2.4): a signature.
const SIGN: u8 = 0x87;
/// The key of the customs certificate.
const KEY: u16 = 0x9A;

/// A thousand messages with lists of goods, each of 20 KB and like no other.
fn fill(desk: &Desk) {
    let sample = fs::read_to_string(desk.dir.join("CEB621.xml")).unwrap();
    let from = sample.find("\t\t<ceb:InventoryList>").unwrap();
    let end = sample.find("\t</ceb:Inventory>").unwrap();
    let list = &sample[from..end];
    let lists = list.repeat((20 * 1024 - sample.len()).div_ceil(list.len()) + 1);
    fs::create_dir_all(desk.dir.join("in")).unwrap();
    for n in 0..ALL {
        let head = sample[..from].replace("COP20270104000001", &format!("COP2027010400{n:04}"));
        let text = [&head, &lists, &sample[end..]].concat();
        assert!(text.len() >= 20 * 1024);
        fs::write(desk.dir.join(format!("in/m{n:04}.xml")), text).unwrap();
    }
}

fn start(desk: &Desk) -> Child {
    let args = ["sign-batch", "--folder", "in", "--out-dir", "signed", "--pin-env", "PIN", "--json"];
    desk.prepared(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn names(desk: &Desk) -> Vec<String> {
    let Ok(folder) = fs::read_dir(desk.dir.join("signed")) else { return Vec::new() };
    let names = folder.map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|n| !n.starts_with('.')).collect();
    names.sort();
    names
}

fn wait_for(desk: &Desk, least: usize) {
    let until = Instant::now() + Duration::from_secs(240);
    while names(desk).len() < least {
        assert!(Instant::now() < until, "fewer than {least} files were signed");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The outputs by their digests; each that was there before must be what it was.
fn unchanged(desk: &Desk, before: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let now: BTreeMap<_, _> =
        names(desk).into_iter().map(|n| (n.clone(), fs::read(desk.dir.join("signed").join(&n)).unwrap())).collect();
    assert!(before.iter().all(|(name, octets)| now.get(name) == Some(octets)), "an output was written twice");
    now
}

fn tally(ran: &Ran) -> [u64; 4] {
    let json = ran.json();
    ["signed", "before", "refused", "not_tried"].map(|name| json[name].as_u64().unwrap())
}

#[test]
fn a_thousand_messages_are_signed_once_each_whatever_is_pulled_out_and_killed() {
    let Some(desk) = Desk::new("thousand::a_thousand_messages", Key::P256) else { return };
    fill(&desk);
    let began = Instant::now();

    let child = start(&desk);
    wait_for(&desk, 400);
    desk.card.pull(1);
    let first = Ran::of(&child.wait_with_output().unwrap()).expect(3, &[]);
    let [signed, before, refused, left] = tally(&first);
    assert_eq!((before, refused, signed + left), (0, 0, ALL as u64), "{}", first.err);
    assert!(signed >= 400 && left > 0, "{signed} signed, {left} left");
    let outputs = unchanged(&desk, &BTreeMap::new());
    assert_eq!(outputs.len() as u64, signed);

    desk.card.insert();
    let mut child = start(&desk);
    wait_for(&desk, 600);
    desk.pcscd.kill();
    desk.pcscd.restart();
    wait_for(&desk, 800);
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    let outputs = unchanged(&desk, &outputs);
    assert!((800..ALL).contains(&outputs.len()), "{}", outputs.len());

    let logins = desk.logins();
    let last = Ran::of(&start(&desk).wait_with_output().unwrap()).expect(0, &[]);
    assert_eq!(tally(&last), [(ALL - outputs.len()) as u64, outputs.len() as u64, 0, 0]);
    assert_eq!(desk.logins(), logins + 1, "one entry for the last run");
    let outputs = unchanged(&desk, &outputs);
    assert_eq!(outputs.len(), ALL);

    // A signature that was on its way when the card or the service went is made once more, and so is what the four threads had in hand when the
    // program was killed; no other.
    let made =
        desk.card.commands().iter().filter(|c| c.ins == SIGN && c.p1p2 & 0xFF == KEY && c.status == 0x9000).count();
    assert!((ALL..=ALL + 2 + 4).contains(&made), "{made} signatures were made for {ALL} messages");
    let took = began.elapsed();
    let judge = "xmlsec1 --verify --trusted-pem customs-ca.pem signed/*.xml >judged 2>&1";
    assert!(desk.shell(judge), "{}", fs::read_to_string(desk.dir.join("judged")).unwrap());
    // The judge looks at every one of them.
    let judged = fs::read_to_string(desk.dir.join("judged")).unwrap();
    assert_eq!(judged.matches("OK").count(), ALL, "{judged:.400}");
    let changed = String::from_utf8(outputs["m0777.xml"].clone()).unwrap().replacen("绿茶", "红茶", 1);
    fs::write(desk.dir.join("signed/m0777.xml"), changed).unwrap();
    assert!(!desk.shell(judge), "xmlsec1 accepts a message that was changed");
    say(&format!("{ALL} messages of 20 KB in three runs, {made} signatures made, {:.1} s", took.as_secs_f64()));
}

fn say(text: &str) {
    use std::io::Write;
    // Not eprintln: the test harness would keep it to itself.
    let _ = writeln!(std::io::stderr(), "{text}");
}
