//! Bodies of the fuzz targets, as plain functions: `cargo test` in this folder and whoever looks into a crash call them as well.
//!
//! [`documents`] holds the targets that read documents and certificates; the rest is `piv_sign`.
//!
//! The input is read by [`script`]; what always holds is judged by [`story`] and by the ledger in [`link`].

pub mod card;
pub mod commands;
pub mod documents;
pub mod gm;
mod gm_device;
pub mod link;
pub mod memory;
pub mod script;
pub mod story;
#[path = "../../tests/support/gm_terminal.rs"]
pub mod terminal;

use std::sync::atomic::{AtomicU64, Ordering};

use link::Desk;
use script::Script;
use story::{Outcome, Secrets, Story};

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

static INPUTS: AtomicU64 = AtomicU64::new(0);
static REACHED: AtomicU64 = AtomicU64::new(0);
static SIGNED: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" {
    fn atexit(call: extern "C" fn()) -> i32;
}

/// Makes sure that the story is one: on a good card every act succeeds. The sum is printed at the end.
pub fn prepare() {
    let good = outcome(&[]);
    assert!(good.complaints.is_empty(), "{good:?}");
    let failed: Vec<_> = good.acts.iter().filter(|(_, error)| error.is_some()).collect();
    assert!(matches!(failed[..], [("wrong PIN", Some(shared_shield::ErrorKind::PinIncorrect))]), "{good:?}");
    assert_eq!(good.signed, 8, "{good:?}");
    // SAFETY: the function takes nothing and gives nothing.
    unsafe { atexit(print_sum) };
}

/// Makes sure that an input without anything in it reaches the end. The sum is printed at the end.
pub fn prepare_commands() {
    commands::run(&[]);
    assert!(commands::sum().contains("1 inputs, 1 reached"), "{}", commands::sum());
    // SAFETY: the function takes nothing and gives nothing.
    unsafe { atexit(print_commands) };
}

extern "C" fn print_commands() {
    eprintln!("{}", commands::sum());
}

/// As [`prepare`], for devices of GM/T 0017.
pub fn prepare_gm() {
    gm::prepare();
    // SAFETY: the function takes nothing and gives nothing.
    unsafe { atexit(print_gm) };
}

extern "C" fn print_gm() {
    eprintln!("{}", gm::sum());
}

extern "C" fn print_sum() {
    let [inputs, reached, signed] = [&INPUTS, &REACHED, &SIGNED].map(|count| count.load(Ordering::Relaxed));
    eprintln!("piv_sign: {inputs} inputs, {reached} reached the signature, {signed} got one");
}

/// Arbitrary answers of a card through link, exchange, PIV driver and a whole story.
///
/// # Panics
/// When something happened that never may.
pub fn piv_sign(input: &[u8]) {
    // libFuzzer sees what is compared and learns the PINs. A card that has a PIN as its name is no finding.
    if story::holds_a_secret(input, &Secrets::default()) {
        return;
    }
    let outcome = outcome(input);
    INPUTS.fetch_add(1, Ordering::Relaxed);
    REACHED.fetch_add(u64::from(outcome.reached), Ordering::Relaxed);
    SIGNED.fetch_add(u64::from(outcome.signed > 0), Ordering::Relaxed);
    assert!(outcome.complaints.is_empty(), "{outcome:#?}");
}

/// The story of this input.
pub fn outcome(input: &[u8]) -> Outcome {
    let (script, secrets) = (Script::of(input), Secrets::default());
    let acts = script.acts;
    Story::run(&Desk::new(script, &secrets), &secrets, acts)
}
