//! The examples: built by the line that stands in them, run with a shield, judged by tools that are not ours.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::{Library, Program, Said, Tool, folder, ready, run_with, scratch};
use super::desk::{self, BANK_PIN, CUSTOMS_PIN, Keys};
use super::softhsm::{self, SoftHsm};

/// The `cc` lines of the README, by the program that each makes.
fn lines_of_the_readme() -> BTreeMap<String, String> {
    let readme = fs::read_to_string(folder().parent().unwrap().join("README.md")).unwrap();
    let named = |line: &str| {
        let name = line.strip_prefix("cc -o ")?.split(' ').next()?;
        Some((name.to_owned(), line.to_owned()))
    };
    readme.lines().filter_map(named).collect()
}

/// Runs the README's `cc` line as it stands there, in a folder that has what the line names where the line has it. A tool's flags
/// are added behind.
pub fn by_the_line_of_the_readme(name: &str, tool: Tool) -> Program {
    let line = &lines_of_the_readme()[name];
    let place = scratch().join(format!("readme-{name}-{tool:?}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(place.join("target")).unwrap();
    symlink(folder(), place.join("ffi")).unwrap();
    symlink(Library::Plain.folder(), place.join("target/release")).unwrap();
    let more = if tool == Tool::AddressSanitizer { " -fsanitize=address -g" } else { "" };
    let output = Command::new("sh").arg("-c").arg(format!("{line}{more}")).current_dir(&place).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    let program = Program::alone_in(place, name);
    program.has_the_sanitizer_or_not(tool);
    program
}

#[test]
fn each_example_is_built_by_one_line_that_the_readme_and_its_own_head_show() {
    let lines = lines_of_the_readme();
    let sources = fs::read_dir(folder().join("examples")).unwrap().map(|e| e.unwrap().path());
    let names: Vec<String> = sources.map(|s| s.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(lines.keys().cloned().collect::<BTreeSet<_>>(), names.iter().cloned().collect());
    for name in names {
        let source = fs::read_to_string(folder().join(format!("examples/{name}.c"))).unwrap();
        assert!(source.contains(&format!(" *   {}\n", lines[&name])), "{name}.c says another line than the README");
        let built = by_the_line_of_the_readme(&name, Tool::None);
        let said = run_with(&built, Tool::None, &[""; 0], "");
        assert!(said.code == Some(2) && said.err.starts_with("usage: "), "{said:#?}");
    }
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

/// Runs an example, whose PIN is typed.
pub fn run_example(program: &Program, tool: Tool, arguments: [&str; 4], pin: &str) -> Said {
    run_with(program, tool, &arguments, &format!("{pin}\n"))
}

fn example(
    hsm: &SoftHsm,
    tool: Tool,
    name: &str,
    document: &str,
    out: &Path,
    pin: &str,
) -> (Option<i32>, String, String) {
    let program = by_the_line_of_the_readme(name, tool);
    let arguments = [softhsm::MODULE, document, &text(out), &text(&hsm.dir().join("profile.toml"))];
    let said = run_example(&program, tool, arguments, pin);
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
