//! What goes wrong on the way to a card, for the cards in memory that drivers are tried on.

use crate::error::{Error, ErrorKind, Result};

/// What happens at one step instead of the answer.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The command does not reach the card.
    Gone,
    /// The card does it, and nobody gets the answer.
    Lost,
    /// The card does it, and this is what comes.
    Answer(Vec<u8>),
    /// The card does it, and only so many octets come.
    Cut(usize),
}

/// The step, counted from 1, and what happens there.
pub(super) type Planned = Option<(usize, Fault)>;

/// What comes back at a step of a card that answers by itself as `card` says.
pub(super) fn answer(planned: Planned, step: usize, card: impl FnOnce() -> Vec<u8>) -> Result<Vec<u8>> {
    let gone = || Error::new(ErrorKind::CardRemoved, "SCardTransmit");
    match planned.filter(|(at, _)| *at == step).map(|(_, fault)| fault) {
        Some(Fault::Gone) => Err(gone()),
        Some(Fault::Lost) => {
            card();
            Err(gone())
        }
        Some(Fault::Answer(octets)) => {
            card();
            Ok(octets)
        }
        Some(Fault::Cut(length)) => Ok(card().into_iter().take(length).collect()),
        None => Ok(card()),
    }
}

/// Those that any card may meet, and answers that mean something to one family.
pub(super) fn faults(answers: &[&[u8]]) -> Vec<Fault> {
    let common = [
        Fault::Gone,
        Fault::Lost,
        Fault::Cut(0),
        Fault::Cut(1),
        Fault::Cut(5),
        Fault::Answer(vec![0x90, 0x00]),
        Fault::Answer(vec![0x61, 0x00]),
        Fault::Answer(vec![0x6C, 0x08]),
        Fault::Answer(vec![0x63, 0xC1]),
        Fault::Answer(vec![0x6F, 0x00]),
        Fault::Answer(vec![0xA5; 300]),
    ];
    common.into_iter().chain(answers.iter().map(|octets| Fault::Answer(octets.to_vec()))).collect()
}
