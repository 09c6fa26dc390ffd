//! Bodies of the fuzz targets, as plain functions: `cargo test` in this folder and whoever looks into a crash call them as well.
//!
//! [`documents`] holds the targets that read documents and certificates; [`commands`] the one that speaks to the simulator; the rest is `piv_sign` and `gm_sign`.
//!
//! The input is read by [`script`]; what always holds is judged by [`story`] and by the ledger in [`link`].

#[path = "../../tests/support/between.rs"]
mod between;
pub mod card;
pub mod commands;
mod counts;
pub mod documents;
pub mod gm;
mod gm_device;
pub mod link;
pub mod memory;
pub mod script;
pub mod story;
#[path = "../../tests/support/gm_terminal.rs"]
pub mod terminal;

pub use counts::begin;
use link::Desk;
use script::Script;
use story::{Outcome, Secrets, Story};

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// What the sum of a story says.
const WAYS: &[&str] = &["reached the signature", "got one"];

/// Makes sure that the story is one: on a good card every act succeeds. The sum is printed at the end.
pub fn prepare() {
    prepare_story("piv_sign", outcome);
}

/// As [`prepare`], for devices of GM/T 0017: on one of the dialect in which PINs can be changed.
pub fn prepare_gm() {
    prepare_story("gm_sign", gm::outcome);
}

fn prepare_story(name: &'static str, outcome: fn(&[u8]) -> Outcome) {
    let good = outcome(&[]);
    assert!(good.complaints.is_empty(), "{good:?}");
    let failed: Vec<_> = good.acts.iter().filter(|(_, error)| error.is_some()).collect();
    assert!(matches!(failed[..], [("wrong PIN", Some(shared_shield::ErrorKind::PinIncorrect))]), "{good:?}");
    assert_eq!(good.signed, 8, "{good:?}");
    counts::begin(name, WAYS);
}

/// Makes sure that both parties sign after an input without anything in it, and that commands can come to a signature by themselves. The sum
/// is printed at the end.
pub fn prepare_commands() {
    let nothing = commands::outcome(&[]);
    assert_eq!((nothing.alone, nothing.signed, nothing.locked), (false, 2, 0));
    assert!(commands::outcome(commands::OPEN_SHOW_SIGN).alone);
    counts::begin("simulator", &["reached the signature by their own commands", "locked a PIN"]);
}

/// Arbitrary answers of a card through link, exchange, PIV driver and a whole story.
///
/// # Panics
/// When something happened that never may.
pub fn piv_sign(input: &[u8]) {
    judge(input, &Secrets::default(), outcome);
}

/// The same of a device of GM/T 0017.
///
/// # Panics
/// When something happened that never may.
pub fn gm_sign(input: &[u8]) {
    judge(input, &gm::secrets(), gm::outcome);
}

fn judge(input: &[u8], secrets: &Secrets, outcome: fn(&[u8]) -> Outcome) {
    // libFuzzer sees what is compared and learns the PINs. A card that has a PIN as its name is no finding.
    if story::holds_a_secret(input, secrets) {
        return;
    }
    let outcome = outcome(input);
    counts::add(input, &[outcome.reached, outcome.signed > 0]);
    assert!(outcome.complaints.is_empty(), "{outcome:#?}");
}

/// The story of this input.
pub fn outcome(input: &[u8]) -> Outcome {
    let (script, secrets) = (Script::of(input), Secrets::default());
    let acts = script.acts;
    Story::run(&Desk::new(script, &secrets), &secrets, acts)
}
