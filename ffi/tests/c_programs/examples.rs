//! The examples: built by the line that stands in them, run with a shield, judged by tools that are not ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::{Library, Program, Tool, folder, ready, run_with, scratch};
use super::desk::{self, BANK_PIN, CUSTOMS_PIN, Keys};
use super::softhsm::{self, SoftHsm};

/// Runs the `cc` line of an example's head in the repository's root, with another place for program and library.
fn by_its_own_line(name: &str, tool: Tool) -> Program {
    let root = folder().parent().unwrap();
    let source = fs::read_to_string(folder().join(format!("examples/{name}.c"))).unwrap();
    let line = source.lines().find_map(|l| l.strip_prefix(" *   cc ")).expect("the example says how it is built");
    let readme = fs::read_to_string(root.join("README.md")).unwrap_or_default();
    assert!(
        !readme.contains(&format!("ffi/examples/{name}.c")) || readme.contains(line),
        "the README has another line"
    );
    let program = scratch().join(format!("{name}-{tool:?}-{}", std::process::id()));
    let lib = Library::Plain.folder();
    let line = line
        .replace(&format!("-o {name} "), &format!("-o {} ", program.display()))
        .replace("\"$PWD/target/release\"", &lib.display().to_string())
        .replace("-Ltarget/release", &format!("-L{}", lib.display()));
    let more = if tool == Tool::AddressSanitizer { "-fsanitize=address -g" } else { "-g" };
    let output = Command::new("sh").arg("-c").arg(format!("cc {line} {more}")).current_dir(root).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    Program::at(program)
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Whether a judge accepts.
fn accepts(judge: &mut Command) -> bool {
    judge.output().unwrap().status.success()
}

/// A copy with one octet changed.
fn spoiled(path: &Path, at: usize) -> PathBuf {
    let mut octets = fs::read(path).unwrap();
    octets[at] ^= 1;
    let copy = path.with_extension("spoiled");
    fs::write(&copy, octets).unwrap();
    copy
}

fn example(
    hsm: &SoftHsm,
    tool: Tool,
    name: &str,
    document: &str,
    out: &Path,
    pin: &str,
) -> (Option<i32>, String, String) {
    let program = by_its_own_line(name, tool);
    let arguments = [softhsm::MODULE.to_owned(), document.to_owned(), text(out), text(&hsm.dir().join("profile.toml"))];
    let said = run_with(&program, tool, &arguments, &format!("{pin}\n"));
    (said.code, said.out, said.err)
}

fn declarations(story: &str, tool: Tool) {
    ready();
    softhsm::story(&format!("examples::{story}"), |hsm| {
        desk::make(hsm, Keys::Rsa(2048));
        let (document, out) =
            (folder().parent().unwrap().join("examples/data/CEB621.xml"), hsm.dir().join("signed.xml"));
        let (code, said, prompt) = example(hsm, tool, "sign_declaration", &text(&document), &out, CUSTOMS_PIN);
        assert!(code == Some(0) && said.contains("rsa-sha1"), "{code:?} {said} {prompt}");
        assert!(prompt.contains("Customs PIN") && !prompt.contains("==") && !prompt.contains(CUSTOMS_PIN), "{prompt}");
        let judge = |file: &Path| accepts(Command::new("xmlsec1").args(["--verify", "--insecure"]).arg(file));
        assert!(judge(&out));
        let at = fs::read_to_string(&out).unwrap().find("</ceb:guid>").unwrap() - 1;
        assert!(!judge(&spoiled(&out, at)));
        fs::remove_file(&out).unwrap();
        let (code, _, said) = example(hsm, tool, "sign_declaration", &text(&document), &out, "000000000000");
        assert!(
            code == Some(1) && said.contains("The customs PIN is wrong") && said.contains("SH-2001"),
            "{code:?} {said}"
        );
        assert!(!out.exists(), "nothing is written");
    });
}

fn payments(story: &str, tool: Tool) {
    ready();
    softhsm::story(&format!("examples::{story}"), |hsm| {
        desk::make(hsm, Keys::P256);
        let (order, out) = ("Pay 100.00 CNY to TEST ACCOUNT", hsm.dir().join("order.p7m"));
        let (code, said, prompt) = example(hsm, tool, "sign_payment", order, &out, BANK_PIN);
        assert!(code == Some(0), "{code:?} {said} {prompt}");
        assert!(prompt.contains(order) && !prompt.contains("==") && !prompt.contains(BANK_PIN), "{prompt}");
        assert!(said.contains(&desk::sha256(order)), "the receipt holds the digest of what was shown: {said}");
        let judge = |file: &Path| {
            accepts(Command::new("openssl").args(["cms", "-verify", "-noverify", "-inform", "DER", "-in"]).arg(file))
        };
        assert!(judge(&out));
        let octets = fs::read(&out).unwrap();
        let at = octets.windows(order.len()).position(|w| w == order.as_bytes()).unwrap() + 4;
        assert!(!judge(&spoiled(&out, at)));
    });
}

#[test]
fn the_declaration_example_signs_what_xmlsec_accepts() {
    declarations("the_declaration_example_signs_what_xmlsec_accepts", Tool::None);
}

#[test]
fn the_sanitizer_finds_nothing_in_the_declaration_example() {
    declarations("the_sanitizer_finds_nothing_in_the_declaration_example", Tool::AddressSanitizer);
}

#[test]
fn valgrind_finds_nothing_in_the_declaration_example() {
    declarations("valgrind_finds_nothing_in_the_declaration_example", Tool::Valgrind);
}

#[test]
fn the_payment_example_signs_what_openssl_accepts() {
    payments("the_payment_example_signs_what_openssl_accepts", Tool::None);
}

#[test]
fn the_sanitizer_finds_nothing_in_the_payment_example() {
    payments("the_sanitizer_finds_nothing_in_the_payment_example", Tool::AddressSanitizer);
}

#[test]
fn valgrind_finds_nothing_in_the_payment_example() {
    payments("valgrind_finds_nothing_in_the_payment_example", Tool::Valgrind);
}
