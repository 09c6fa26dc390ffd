//! The tools are awake: each finds what is wrong on purpose, by the same command that finds nothing elsewhere.

use super::build::{FOUND, Library, Tool, compile, run};

#[test]
fn the_sanitizer_is_linked_and_finds_an_overflow_and_a_leak() {
    let program = compile("tests/control.c", Library::Plain, Tool::AddressSanitizer);
    run(&program, Tool::AddressSanitizer, &["nothing"]).passed();
    let overflow = run(&program, Tool::AddressSanitizer, &["overflow"]);
    assert!(overflow.code == Some(FOUND) && overflow.err.contains("heap-buffer-overflow"), "{overflow:#?}");
    let leak = run(&program, Tool::AddressSanitizer, &["leak"]);
    assert!(leak.code == Some(FOUND) && leak.err.contains("210 byte(s) leaked in 3 allocation(s)"), "{leak:#?}");
}

#[test]
fn valgrind_finds_an_overflow_and_a_leak() {
    let program = compile("tests/control.c", Library::Plain, Tool::Valgrind);
    run(&program, Tool::Valgrind, &["nothing"]).passed();
    let overflow = run(&program, Tool::Valgrind, &["overflow"]);
    assert!(overflow.code == Some(FOUND) && overflow.err.contains("Invalid write of size 1"), "{overflow:#?}");
    let leak = run(&program, Tool::Valgrind, &["leak"]);
    assert!(leak.code == Some(FOUND) && leak.err.contains("definitely lost"), "{leak:#?}");
}
