//! C programs over PC/SC, on a card that others wrote, behind a private pcscd: no module is named.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::build::{Library, Said, Tool, compile, folder, ready, run, vectors};
use super::examples::{by_the_line_of_the_readme, run_example};
use super::pcscd::Pcscd;
use super::piv_card::{self, Apdu, Key, PIN, PivCard};

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// What a program asks of a hand until it has ended.
fn serve(pcscd: &Pcscd, card: &PivCard, over: &AtomicBool) {
    let mut orders = vec!["insert", "remove"];
    while let Some(order) = orders.last().copied() {
        if over.load(Ordering::SeqCst) {
            return;
        }
        if pcscd.dir().join(format!("please-{order}")).exists() {
            match order {
                "remove" => {
                    card.remove();
                    pcscd.wait_for_card(card.reader(), false);
                }
                _ => card.insert(),
            }
            fs::write(pcscd.dir().join(format!("done-{order}")), "").unwrap();
            orders.pop();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn with_a_hand(pcscd: &Pcscd, card: &PivCard, work: impl FnOnce() -> Said) -> Said {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| serve(pcscd, card, &over));
        let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        over.store(true, Ordering::SeqCst);
        said.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    })
}

fn accepts(judge: &mut Command) -> bool {
    judge.output().unwrap().status.success()
}

fn logins(commands: &[Apdu]) -> Vec<u16> {
    commands.iter().filter(|c| c.is_login()).map(|c| c.status).collect()
}

fn whole_way(story: &str, key: Key, tool: Tool) {
    ready();
    piv_card::story(&format!("cards::{story}"), |pcscd, card| {
        let made = card.fill(key);
        let (before, earlier) = (card.commands().len(), card.events().len());
        let arguments = [
            text(&made.profile),
            PIN.to_owned(),
            text(&folder().parent().unwrap().join("examples/data/CEB621.xml")),
            text(&vectors().join("synthetic_179_string.txt")),
            text(pcscd.dir()),
        ];
        let program = compile("tests/card.c", Library::Plain, tool);
        with_a_hand(pcscd, card, || run(&program, tool, &arguments)).passed();

        let file = |name: &str| pcscd.dir().join(name);
        assert!(accepts(Command::new("xmlsec1").args(["--verify", "--insecure"]).arg(file("signed.xml"))));
        let mut openssl = Command::new("openssl");
        openssl.args(["cms", "-verify", "-noverify", "-inform", "DER", "-in"]).arg(file("order.p7m"));
        assert!(accepts(&mut openssl));
        // Two wrong PINs were entered, and two were sent.
        let sent = logins(&card.commands()[before..]);
        assert_eq!(sent.iter().filter(|status| **status != 0x9000).collect::<Vec<_>>(), [&0x63C2; 2], "{sent:04X?}");
        let events = card.events().split_off(earlier);
        assert!(events.iter().any(|e| e == "removed") && !events.iter().any(|e| e == "reset"), "{events:?}");
    });
}

#[test]
fn a_program_lists_signs_and_goes_on_when_the_card_is_back() {
    whole_way("a_program_lists_signs_and_goes_on_when_the_card_is_back", Key::P256, Tool::None);
}

#[test]
fn a_program_signs_with_rsa_on_a_card() {
    whole_way("a_program_signs_with_rsa_on_a_card", Key::Rsa2048, Tool::None);
}

#[test]
fn the_sanitizer_finds_nothing_in_a_program_with_a_card() {
    whole_way("the_sanitizer_finds_nothing_in_a_program_with_a_card", Key::P256, Tool::AddressSanitizer);
}

#[test]
fn valgrind_finds_nothing_in_a_program_with_a_card() {
    whole_way("valgrind_finds_nothing_in_a_program_with_a_card", Key::P256, Tool::Valgrind);
}

#[test]
fn the_examples_sign_on_a_card() {
    ready();
    piv_card::story("cards::the_examples_sign_on_a_card", |pcscd, card| {
        let made = card.fill(Key::P256);
        let out = |name: &str| pcscd.dir().join(name);
        let document = text(&folder().parent().unwrap().join("examples/data/CEB621.xml"));
        let order = "Pay 100.00 CNY to TEST ACCOUNT";
        for (name, input, file, judge) in [
            ("sign_declaration", document.as_str(), "example.xml", "xmlsec1 --verify --insecure"),
            ("sign_payment", order, "example.p7m", "openssl cms -verify -noverify -inform DER -in"),
        ] {
            let program = by_the_line_of_the_readme(name, Tool::None);
            let said = run_example(&program, Tool::None, ["-", input, &text(&out(file)), &text(&made.profile)], PIN);
            assert!(said.code == Some(0), "{said:?}");
            let mut words = judge.split(' ');
            assert!(accepts(Command::new(words.next().unwrap()).args(words).arg(out(file))), "{judge} refuses");
        }
    });
}
