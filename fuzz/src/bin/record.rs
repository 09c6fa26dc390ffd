//! Records what a card answers to the story, as an input for `piv_sign`; with the word `gm` what the simulator answers, for `gm_sign`: see the README.

use std::io::Write;

use shared_shield::link::pcsc;
use shared_shield_fuzz::link::Desk;
use shared_shield_fuzz::story::{Secrets, Story};

/// Every answer is from the input; all acts; no retired certificates.
const HEAD: [u8; 3] = [0x01, 0x00, 0x00];

fn main() {
    // The shield in software stands for a device of GM/T 0017.
    if std::env::args().nth(1).as_deref() == Some("gm") {
        return std::io::stdout().write_all(&shared_shield_fuzz::gm::recorded()).expect("the output takes it");
    }
    let digits = |text: &str| text.to_owned();
    let secrets = Secrets {
        pin: digits("123456"),
        bank: None,
        wrong: digits("908172"),
        new: digits("561209"),
        other: digits("774411"),
        puk: digits("12345678"),
        new_puk: digits("87654321"),
    };
    let desk = Desk::recording(pcsc::system(), &secrets);
    let outcome = Story::run(&desk, &secrets, 0xFF);
    eprintln!("{outcome:#?}");
    std::io::stdout().write_all(&desk.recorded(HEAD)).expect("the output takes it");
}
