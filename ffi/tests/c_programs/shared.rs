//! C programs over PC/SC on a device of GM/T 0017: the shield in software, as a card of its own process on a vpcd reader.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use super::build::{Library, Tool, compile, folder, ready, run, scratch};
use super::pcscd::{self, Pcscd};
use super::sm2_judge::{self, Judge};
use super::softhsm::{child, skip};

const CUSTOMS_PIN: &str = "739182640517";
const BANK_PIN: &str = "846205913372";
const ORDER: &str = "Pay 100.00 CNY to TEST ACCOUNT 1";

fn root() -> &'static Path {
    folder().parent().unwrap()
}

fn target() -> &'static Path {
    scratch().parent().unwrap()
}

/// The two programs that make a shield in software and plug it in. A story's child process finds them built.
static PROGRAMS: LazyLock<()> = LazyLock::new(|| {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--all-features", "--example", "shield", "--example", "virtual_shield"])
        .current_dir(root())
        .env("CARGO_TARGET_DIR", target())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
});

fn program(name: &str) -> PathBuf {
    target().join("debug/examples").join(name)
}

/// The shield while it is plugged in.
struct Plugged(Child);

impl Plugged {
    /// Makes a shield, and puts it into the first reader.
    fn new(pcscd: &Pcscd) -> Self {
        let mut made = pcscd.tool(program("shield"));
        made.current_dir(pcscd.dir()).env("CUSTOMS", CUSTOMS_PIN).env("BANK", BANK_PIN);
        made.args(["--simulator", "desk.shield", "make-test-shield", "--dir", "shield"]);
        made.args(["--customs-pin-env", "CUSTOMS", "--bank-pin-env", "BANK"]);
        made.args(["--customs-puk-env", "BANK", "--bank-puk-env", "CUSTOMS"]);
        let output = made.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let reader = &pcscd.readers()[0];
        let mut command = Command::new(program("virtual_shield"));
        command.current_dir(pcscd.dir()).args(["desk.shield", &reader.port.to_string()]);
        let plugged = Plugged(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        pcscd.wait_for_card(reader, true);
        plugged
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn whole_way(story: &str, tool: Tool) {
    if !child::inside() {
        if let Some(reason) = pcscd::missing().or_else(sm2_judge::missing) {
            return skip(story, &reason);
        }
        ready();
        LazyLock::force(&PROGRAMS);
    }
    pcscd::story(&format!("shared::{story}"), &["Virtual PCD"], |pcscd| {
        let _plugged = Plugged::new(pcscd);
        let file = |name: &str| pcscd.dir().join(name);
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let arguments = [
            text(file("shield/profile.toml")),
            CUSTOMS_PIN.to_owned(),
            BANK_PIN.to_owned(),
            text(root().join("examples/data/CEB621.xml")),
            ORDER.to_owned(),
            text(pcscd.dir().to_owned()),
        ];
        run(&compile("tests/shared.c", Library::Plain, tool), tool, &arguments).passed();
        let judge = |party: &str| {
            let pem = fs::read_to_string(file(&format!("shield/{party}.pem"))).unwrap();
            Judge::of(&der::Document::from_pem(&pem).unwrap().1.into_vec())
        };
        let (signed, paid) = (fs::read(file("signed.xml")).unwrap(), fs::read(file("order.p7m")).unwrap());
        let (customs, bank) = (judge("customs"), judge("bank"));
        assert!(customs.accepts_declaration(&signed) && bank.accepts_payment(&paid, ORDER.as_bytes()));
        assert!(!customs.accepts_declaration(&sm2_judge::changed(&signed, b"<ceb:guid>5")), "with another guid");
        assert!(!bank.accepts_payment(&sm2_judge::changed(&paid, ORDER.as_bytes()), ORDER.as_bytes()), "another order");
        let mut bent = paid;
        *bent.last_mut().unwrap() ^= 1;
        assert!(!bank.accepts_payment(&bent, ORDER.as_bytes()), "with another signature");
    });
}

#[test]
fn a_program_signs_a_declaration_and_a_payment_each_under_its_own_pin() {
    whole_way("a_program_signs_a_declaration_and_a_payment_each_under_its_own_pin", Tool::None);
}

#[test]
fn the_sanitizer_finds_nothing_in_a_program_with_a_shared_shield() {
    whole_way("the_sanitizer_finds_nothing_in_a_program_with_a_shared_shield", Tool::AddressSanitizer);
}

#[test]
fn valgrind_finds_nothing_in_a_program_with_a_shared_shield() {
    whole_way("valgrind_finds_nothing_in_a_program_with_a_shared_shield", Tool::Valgrind);
}
