//! C programs against the library as C links it: plain, under AddressSanitizer and under valgrind; each tool has first to find
//! what a control program does wrong on purpose.

#![allow(unused_crate_dependencies, reason = "the library under test is linked by C")]

extern crate shield as shared_shield;

#[path = "c_programs/build.rs"]
mod build;
#[path = "c_programs/cards.rs"]
mod cards;
#[path = "c_programs/control.rs"]
mod control;
#[path = "../../tests/support/desk.rs"]
mod desk;
#[path = "c_programs/examples.rs"]
mod examples;
#[path = "c_programs/header.rs"]
mod header;
#[path = "../../tests/support/pcscd.rs"]
mod pcscd;
#[path = "../../tests/support/piv_card.rs"]
mod piv_card;
#[path = "c_programs/programs.rs"]
mod programs;
#[path = "c_programs/readers.rs"]
mod readers;
#[path = "c_programs/shared.rs"]
mod shared;
#[path = "../../tests/support/sm2_judge.rs"]
mod sm2_judge;
#[path = "../../tests/support/softhsm.rs"]
mod softhsm;
#[path = "c_programs/symbols.rs"]
mod symbols;
