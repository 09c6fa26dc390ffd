//! What a C programmer does, right and wrong.

use std::path::PathBuf;

use super::build::{Library, Tool, compile, folder, ready, run, symbols, vectors};
use super::desk::{self, BANK_PIN, CUSTOMS_PIN, Keys};
use super::header::{gives_something, takes_a_handle};
use super::softhsm::{self, SoftHsm};

const TOOLS: [Tool; 3] = [Tool::None, Tool::AddressSanitizer, Tool::Valgrind];

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap()
}

/// The profile of a story's shield.
fn profile(hsm: &SoftHsm) -> String {
    text(hsm.dir().join("profile.toml"))
}

#[test]
fn first_steps_without_a_token() {
    for tool in TOOLS {
        let program = compile("tests/smoke.c", Library::Plain, tool);
        run(&program, tool, &[text(vectors()).as_str(), "/no/such/module.so"]).passed();
    }
}

#[test]
fn documents_are_judged_without_a_token() {
    for tool in TOOLS {
        let program = compile("tests/verdicts.c", Library::Plain, tool);
        run(&program, tool, &[text(vectors())]).passed();
    }
}

#[test]
fn wrong_handles_and_pointers_give_their_codes_without_a_token() {
    for tool in TOOLS {
        let program = compile("tests/misuse.c", Library::Plain, tool);
        run(&program, tool, &[text(vectors())]).passed();
    }
}

#[test]
fn every_exported_function_refuses_null_and_freed_handles() {
    ready();
    softhsm::story("programs::every_exported_function_refuses_null_and_freed_handles", |hsm| {
        desk::make(hsm, Keys::P256);
        for tool in TOOLS {
            let program = compile("tests/misuse.c", Library::Plain, tool);
            let arguments = [text(vectors()), softhsm::MODULE.to_owned(), profile(hsm), CUSTOMS_PIN.to_owned()];
            let said = run(&program, tool, &arguments);
            said.passed();
            assert_eq!(said.names("null"), symbols(), "every function was called with NULL");
            assert_eq!(
                said.names("freed"),
                takes_a_handle(),
                "every function that takes a handle was called with a freed one"
            );
            assert_eq!(said.names("output"), gives_something(), "every function was called with NULL for an output");
        }
    });
}

#[test]
fn a_panic_in_any_function_comes_back_as_an_error_and_prints_nothing() {
    ready();
    softhsm::story("programs::a_panic_in_any_function_comes_back_as_an_error_and_prints_nothing", |hsm| {
        desk::make(hsm, Keys::P256);
        for tool in TOOLS {
            let program = compile("tests/panics.c", Library::Failpoints, tool);
            let arguments = [text(vectors()), softhsm::MODULE.to_owned(), profile(hsm), CUSTOMS_PIN.to_owned()];
            let said = run(&program, tool, &arguments);
            said.passed();
            assert_eq!(said.names("panicked"), symbols(), "every function panicked at its beginning");
            assert_eq!(said.names("inside"), symbols(), "every function panicked behind its arguments");
        }
    });
}

#[test]
fn a_library_that_is_given_away_has_no_failpoints() {
    let program = compile("tests/panics.c", Library::Plain, Tool::None);
    let said = run(&program, Tool::None, &[text(vectors())]);
    assert!(said.code == Some(1) && said.out.contains("FAIL"), "{said:#?}");
}

/// The whole way of a program with a shield, in a story of its own.
fn whole_way(story: &str, tool: Tool) {
    ready();
    softhsm::story(&format!("programs::{story}"), |hsm| {
        desk::make(hsm, Keys::Rsa(2048));
        let arguments = [
            softhsm::MODULE.to_owned(),
            profile(hsm),
            CUSTOMS_PIN.to_owned(),
            BANK_PIN.to_owned(),
            text(folder().parent().unwrap().join("examples/data/CEB621.xml")),
            text(vectors().join("synthetic_179_string.txt")),
            text(hsm.dir().to_owned()),
        ];
        for source in ["tests/token.c", "tests/sessions.c"] {
            run(&compile(source, Library::Plain, tool), tool, &arguments).passed();
        }
    });
}

#[test]
fn a_program_lists_chooses_signs_and_verifies_with_both_certificates() {
    whole_way("a_program_lists_chooses_signs_and_verifies_with_both_certificates", Tool::None);
}

#[test]
fn the_sanitizer_finds_nothing_in_a_program_that_signs() {
    whole_way("the_sanitizer_finds_nothing_in_a_program_that_signs", Tool::AddressSanitizer);
}

#[test]
fn valgrind_finds_nothing_in_a_program_that_signs() {
    whole_way("valgrind_finds_nothing_in_a_program_that_signs", Tool::Valgrind);
}
