//! Records what a card answers to the story, as an input for `piv_sign`: see the README.

use std::io::Write;

use shared_shield::link::pcsc;
use shared_shield_fuzz::link::Desk;
use shared_shield_fuzz::story::{Secrets, Story};

/// Every answer is from the input; all acts; no retired certificates.
const HEAD: [u8; 3] = [0x01, 0x00, 0x00];

fn main() {
    let digits = |text: &str| text.to_owned();
    let secrets = Secrets {
        pin: digits("123456"),
        wrong: digits("908172"),
        new: digits("561209"),
        other: digits("774411"),
        puk: digits("12345678"),
        new_puk: digits("87654321"),
    };
    let desk = Desk::recording(pcsc::system(), &secrets);
    let outcome = Story::run(&desk, &secrets, 0xFF);
    eprintln!("{outcome:#?}");
    let mut input = HEAD.to_vec();
    for answer in desk.recorded() {
        match u8::try_from(answer.len()) {
            Ok(short @ 0..0xFE) => input.push(short),
            _ => {
                input.push(0xFF);
                input.extend(u16::try_from(answer.len()).expect("an answer of a card").to_be_bytes());
            }
        }
        input.extend(answer);
    }
    std::io::stdout().write_all(&input).expect("the output takes it");
}
