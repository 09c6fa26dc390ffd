//! Payments: what a person is shown, what is written, and that openssl takes it.

use std::fs;

use crate::program::{BANK_PIN, Desk, Ran, built, changed, has, root};
use crate::terminal::Terminal;

const PIN: [&str; 2] = ["--pin-env", "BANK_PIN"];
/// Where a PIN that is asked for would show: it is wrong, and a try would be spent.
const NOT_ASKED: [&str; 2] = ["--pin-env", "WRONG_PIN"];
const TEXT: &str = "Pay CNY 100.00 to 虚构贸易有限公司";

/// A desk with an order.
pub(crate) fn desk(name: &str, options: &[&str]) -> Option<Desk> {
    let desk = Desk::new(name, options)?;
    fs::copy(root().join("examples/data/order.txt"), desk.path("order.txt")).unwrap();
    Some(desk)
}

pub(crate) fn pay(desk: &Desk, out: &str, more: &[&str]) -> Ran {
    desk.shield(&[&["sign-payment", "order.txt", "--out", out], more].concat())
}

/// Whether openssl takes the message; `more` names its form and, detached, the document.
fn openssl(desk: &Desk, message: &str, more: &[&str]) -> bool {
    let fixed = ["cms", "-verify", "-in", message, "-CAfile", "shield/ca.pem", "-purpose", "any", "-binary"];
    desk.command("openssl").args(fixed).args(["-out", "content"]).args(more).output().unwrap().status.success()
}

fn sha256(desk: &Desk, file: &str) -> String {
    let ran = Ran::of(&desk.command("openssl").args(["dgst", "-sha256", "-r", file]).output().unwrap()).expect(0, &[]);
    ran.out.split(' ').next().unwrap().to_owned()
}

#[test]
fn openssl_takes_every_form_of_a_payment_and_refuses_it_with_one_octet_changed() {
    const NAME: &str = "openssl_takes_every_form_of_a_payment";
    let mut seen = 0;
    for algorithm in ["p256", "rsa2048"] {
        let Some(desk) =
            desk(&format!("{NAME}-{algorithm}"), &["--algorithm", algorithm]).filter(|_| has("openssl", NAME))
        else {
            return;
        };
        for form in 0..8 {
            let chosen = |bit: u8, option: &'static str| if form & bit != 0 { vec![option] } else { Vec::new() };
            let options = [chosen(1, "--detached"), chosen(2, "--pem"), chosen(4, "--no-attributes")].concat();
            pay(&desk, "order.p7", &[&PIN[..], &["--overwrite"], &options].concat()).expect(0, &["bank certificate"]);
            let inform = if form & 2 != 0 { ["-inform", "PEM"] } else { ["-inform", "DER"] };
            let judged = |file: &str| {
                let outside = ["-content", file];
                openssl(&desk, "order.p7", &[&inform[..], if form & 1 != 0 { &outside } else { &[] }].concat())
            };
            assert!(judged("order.txt"), "{algorithm} {options:?}");
            assert_eq!(desk.read("content"), desk.read("order.txt"), "{options:?}");
            let verify = |file: &str| {
                let args = ["verify", "order.p7", "--trust", "shield/ca.pem", "--role", "bank"];
                let outside = ["--content", file];
                desk.shield(&[&args[..], if form & 1 != 0 { &outside } else { &[] }].concat())
            };
            verify("order.txt").expect(0, &["order.p7: valid"]);
            // One octet of the document, wherever it stands.
            let other = changed(&desk.read("order.txt"), "CNY ");
            desk.write("other.txt", &other);
            if form & 1 == 0 {
                let message = desk.read("order.p7");
                let damaged = if form & 2 == 0 { changed(&message, "CNY ") } else { changed_in_pem(&message) };
                desk.write("order.p7", damaged);
            }
            assert!(!judged("other.txt"), "{algorithm} {options:?}");
            verify("other.txt").expect(6, &["NOT valid"]);
            seen += 1;
        }
    }
    assert_eq!(seen, 16);
}

/// One octet of the content changed. A line holds 48 octets and the document has 153, behind a head of less than 96: the fourth line is
/// all document.
fn changed_in_pem(message: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(message.to_vec()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let other = if lines[3].starts_with('Q') { "R" } else { "Q" };
    lines[3].replace_range(0..1, other);
    lines.join("\n").into_bytes()
}

#[test]
fn the_text_is_shown_and_its_digest_is_in_the_receipt() {
    const NAME: &str = "the_text_is_shown_and_its_digest";
    let Some(desk) = desk(NAME, &[]).filter(|_| has("openssl", NAME)) else { return };
    desk.write("text", TEXT);
    let digest = sha256(&desk, "text");
    for (out, text) in [("a.p7m", ["--text", TEXT]), ("b.p7m", ["--text-file", "text"])] {
        let ran = pay(&desk, out, &[&PIN[..], &text].concat()).expect(0, &[&format!("To sign: {TEXT}"), &digest]);
        assert!(ran.out.find("To sign").unwrap() < ran.out.find("signed ").unwrap(), "{}", ran.out);
    }
    // Without a text: a short plain document is its own text, and each of its lines is marked as a line of it.
    pay(&desk, "c.p7m", &PIN)
        .expect(0, &["order.txt, 1", "\n  | Amount: CNY 100.00\n", "\n  | To:     虚构贸易有限公司\n"]);
    desk.write("order.txt", [b"pay\x1b[2K".as_slice(), &[0, 1, 2]].concat());
    let words = format!("To sign:\n  | order.txt, 10 octets\n  | SHA-256 {}\n", sha256(&desk, "order.txt"));
    let binary = pay(&desk, "d.p7m", &PIN).expect(0, &[&words]);
    assert!(!binary.out.contains("pay"), "{}", binary.out);
    for (document, octets) in [("pay 1\r", 6), ("pay 1\u{2028}", 8), ("pay\u{200b} 1", 8), (" \n", 2)] {
        desk.write("order.txt", document);
        let words = format!("To sign:\n  | order.txt, {octets} octets\n  | SHA-256 {}\n", sha256(&desk, "order.txt"));
        pay(&desk, "odd.p7m", &[&PIN[..], &["--overwrite"]].concat()).expect(0, &[&words]);
    }
    // No amount is torn where a long line is folded.
    let long = format!("{} 1234567890.00 CNY", "x".repeat(68));
    let folded = format!("\n  | {}\n  : 1234567890.00 CNY\n", "x".repeat(68));
    pay(&desk, "f.p7m", &[&PIN[..], &["--text", &long]].concat()).expect(0, &[&folded]);
    pay(&desk, "e.p7m", &[&PIN[..], &["--lang", "zh"]].concat())
        .expect(0, &["待签名：\n  | order.txt，2 字节\n  | SHA-256 ", "所显示文字：sha256"]);
}

#[test]
fn a_document_that_is_too_long_to_show_shows_its_digest() {
    const NAME: &str = "a_document_that_is_too_long_to_show";
    let Some(desk) = desk(NAME, &[]).filter(|_| has("openssl", NAME)) else { return };
    // Just above what a prompt holds, several buffers, and a text that would be plain.
    for (out, length) in [("a.p7m", 4097), ("b.p7m", 300_000)] {
        desk.write("order.txt", "x".repeat(length));
        let digest = sha256(&desk, "order.txt");
        let words = format!("To sign:\n  | order.txt, {length} octets\n  | SHA-256 {digest}\n");
        pay(&desk, out, &PIN).expect(0, &[&words]);
        assert!(openssl(&desk, out, &["-inform", "DER"]));
        assert_eq!(sha256(&desk, "content"), digest, "what was shown is what was signed");
    }
}

#[test]
fn a_document_that_changes_while_the_person_reads_its_digest_is_not_signed() {
    const NAME: &str = "a_document_that_changes_while_the_person_reads";
    let Some(desk) = desk(NAME, &[]).filter(|_| has("script", NAME)) else { return };
    desk.write("order.txt", "x".repeat(5000));
    let mut terminal = Terminal::start(&desk, &["sign-payment", "order.txt", "--out", "order.p7m"]);
    terminal.until("\nPIN of the bank certificate: ");
    desk.write("order.txt", "y".repeat(5000));
    terminal.enter(BANK_PIN);
    let (code, seen) = terminal.end();
    assert_eq!(code, 7, "{seen}");
    assert!(seen.contains("no longer what was shown"), "{seen}");
    assert!(!desk.path("order.p7m").exists());
}

#[test]
fn a_text_that_hides_something_is_refused_before_the_pin() {
    let Some(desk) = desk("a_text_that_hides_something", &[]) else { return };
    for text in ["pay 100\u{8}\u{8}\u{8}900", "pay \u{202e}001", "pay\u{200b}ee", "a\rb", "", " \n"] {
        pay(&desk, "out.p7m", &[&NOT_ASKED[..], &["--text", text]].concat()).expect(6, &["SH-400B"]);
        desk.write("text", text);
        pay(&desk, "out.p7m", &[&NOT_ASKED[..], &["--text-file", "text"]].concat()).expect(6, &["SH-400B"]);
    }
    desk.write("text", "x".repeat(5000));
    pay(&desk, "out.p7m", &[&NOT_ASKED[..], &["--text-file", "text"]].concat()).expect(6, &["SH-400B", "4096"]);
    desk.write("text", [b'a', 0xFF]);
    pay(&desk, "out.p7m", &[&NOT_ASKED[..], &["--text-file", "text"]].concat()).expect(6, &["SH-400B", "not UTF-8"]);
    pay(&desk, "out.p7m", &[&NOT_ASKED[..], &["--text", "a", "--text-file", "b"]].concat()).expect(2, &[]);
    pay(&desk, "out.p7m", &[&NOT_ASKED[..], &["--text-file", "missing"]].concat()).expect(7, &["SH-7001", "missing"]);
    assert!(!desk.path("out.p7m").exists());
    // No try was spent: after a refused one the next would need a word.
    pay(&desk, "out.p7m", &PIN).expect(0, &[]);
}

#[test]
fn a_payment_is_written_whole_or_not_at_all_and_replaces_nothing() {
    let Some(desk) = desk("a_payment_is_written_whole", &[]) else { return };
    desk.write("order.p7m", "what was there before");
    pay(&desk, "order.p7m", &NOT_ASKED).expect(7, &["SH-7002", "--overwrite"]);
    pay(&desk, "order.txt", &[&NOT_ASKED[..], &["--overwrite"]].concat()).expect(2, &["SH-9002"]);
    pay(&desk, "new.p7m", &["--pin-env", "CUSTOMS_PIN"]).expect(4, &["SH-2001", "bank PIN is wrong"]);
    desk.shield(&["sign-payment", "missing", "--out", "new.p7m", "--pin-env", "BANK_PIN"])
        .expect(7, &["SH-7001", "missing"]);
    // No file may grow beyond 2 KiB: writing fails in the middle, as on a full disk.
    desk.write("order.txt", "0123456789\n".repeat(1000));
    let args =
        ["sign-payment", "order.txt", "--out", "order.p7m", "--overwrite", "--try-again", "--pin-env", "BANK_PIN"];
    let mut command = desk.command("bash");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 2; exec \"$0\" \"$@\""])
        .arg(built("shield"))
        .args(desk.arguments(&args));
    Ran::of(&command.output().unwrap()).expect(7, &["SH-7002", "what was there before is untouched"]);
    assert_eq!(desk.read("order.p7m"), b"what was there before");
    assert!(!desk.path("new.p7m").exists());
    let parts: Vec<_> = desk.names(".").into_iter().filter(|n| n.contains("p7m")).collect();
    assert_eq!(parts, ["order.p7m"], "a part of the new file is left");
    desk.shield(&["sign-payment", "order.txt", "--out", "no/such/x", "--pin-env", "BANK_PIN"]).expect(7, &["SH-7002"]);
}

#[test]
fn a_person_at_the_terminal_reads_the_payment_before_the_pin() {
    const NAME: &str = "a_person_at_the_terminal_reads_the_payment";
    let Some(desk) = desk(NAME, &[]).filter(|_| has("script", NAME)) else { return };
    let sign = ["sign-payment", "order.txt", "--out", "order.p7m", "--text"];
    let text = format!("{TEXT}\nTries left: 9\nPIN of the bank certificate: ");
    let mut terminal = Terminal::start(&desk, &[&sign[..], &[&text]].concat());
    let prompt = terminal.until("\nPIN of the bank certificate: ");
    // What the text says of itself stands behind a bar; what we say does not.
    assert!(prompt.contains(&format!("  | {TEXT}")) && prompt.contains("  | Tries left: 9"), "{prompt}");
    assert!(prompt.contains("\nTries left: unknown"), "{prompt}");
    terminal.enter(BANK_PIN);
    terminal.until("signed order.p7m");
    let (code, seen) = terminal.end();
    assert_eq!(code, 0, "{seen}");
    assert!(!seen.contains(BANK_PIN), "{seen}");
    let args = ["verify", "order.p7m", "--trust", "shield/ca.pem", "--role", "bank"];
    desk.shield(&args).expect(0, &["valid"]);
}
