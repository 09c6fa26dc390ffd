//! The state machine of readers and cards: what changed between two looks. Pure: no reader is asked here.

use crate::link::{Presence, ReaderState};

/// What was seen last.
#[derive(Debug, Default)]
pub(super) struct Desk {
    states: Vec<ReaderState>,
}

/// One change. Removals come before arrivals, so that a shield that moves to another reader is gone before it is back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    ReaderAdded(String),
    ReaderRemoved(String),
    /// The card in this reader was pulled out.
    Out(String),
    /// A card was plugged in.
    In(ReaderState),
    /// A card that could not be used while another program held it for itself is free now.
    Again(ReaderState),
}

impl Desk {
    pub(super) fn states(&self) -> &[ReaderState] {
        &self.states
    }

    /// Takes a new look. `refused` tells whether the card in a reader could not be used.
    pub(super) fn turn(&mut self, now: Vec<ReaderState>, refused: impl Fn(&str) -> bool) -> Vec<Change> {
        let before = std::mem::take(&mut self.states);
        let (mut out, mut came) = (Vec::new(), Vec::new());
        for old in &before {
            let new = now.iter().find(|n| n.reader == old.reader);
            if is_in(old) && new.is_none_or(|new| !same_insertion(old, new)) {
                out.push(Change::Out(old.reader.clone()));
            }
            if new.is_none() {
                out.push(Change::ReaderRemoved(old.reader.clone()));
            }
        }
        for new in &now {
            let old = before.iter().find(|o| o.reader == new.reader);
            if old.is_none() {
                came.push(Change::ReaderAdded(new.reader.clone()));
            }
            match old {
                _ if !is_in(new) => {}
                Some(old) if same_insertion(old, new) => {
                    if old.exclusive && !new.exclusive && refused(&new.reader) {
                        came.push(Change::Again(new.clone()));
                    }
                }
                _ => came.push(Change::In(new.clone())),
            }
        }
        self.states = now;
        out.extend(came);
        out
    }
}

fn is_in(state: &ReaderState) -> bool {
    state.presence != Presence::Empty
}

/// A card that does not answer at first may answer a moment later: that is the same insertion, looked at again.
fn same_insertion(old: &ReaderState, new: &ReaderState) -> bool {
    old.presence == new.presence && old.events == new.events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Atr;

    fn reader(name: &str, events: u32, card: Option<u8>) -> ReaderState {
        let presence = card.map_or(Presence::Empty, |atr| Presence::Card(Atr::new(&[0x3B, atr])));
        ReaderState { reader: name.to_owned(), presence, exclusive: false, events }
    }

    fn words(desk: &mut Desk, now: Vec<ReaderState>) -> Vec<String> {
        let word = |change| match change {
            Change::ReaderAdded(r) => format!("+{r}"),
            Change::ReaderRemoved(r) => format!("-{r}"),
            Change::Out(r) => format!("out {r}"),
            Change::In(s) => format!("in {}", s.reader),
            Change::Again(s) => format!("again {}", s.reader),
        };
        desk.turn(now, |_| true).into_iter().map(word).collect()
    }

    #[test]
    fn a_card_in_and_out_is_seen_once_each_however_often_one_looks() {
        let mut desk = Desk::default();
        assert_eq!(words(&mut desk, vec![reader("A", 0, None)]), ["+A"]);
        assert_eq!(words(&mut desk, vec![reader("A", 1, Some(1))]), ["in A"]);
        assert!(words(&mut desk, vec![reader("A", 1, Some(1))]).is_empty());
        assert_eq!(words(&mut desk, vec![reader("A", 2, None)]), ["out A"]);
        assert!(words(&mut desk, vec![reader("A", 2, None)]).is_empty());
    }

    #[test]
    fn a_card_that_was_out_and_in_between_two_looks_is_seen_by_the_count_of_events() {
        let mut desk = Desk::default();
        words(&mut desk, vec![reader("A", 1, Some(1))]);
        assert_eq!(words(&mut desk, vec![reader("A", 3, Some(1))]), ["out A", "in A"]);
    }

    #[test]
    fn a_card_that_moves_is_gone_before_it_is_back_and_a_reader_may_go_with_its_card() {
        let mut desk = Desk::default();
        words(&mut desk, vec![reader("A", 1, Some(1)), reader("B", 0, None)]);
        assert_eq!(words(&mut desk, vec![reader("A", 2, None), reader("B", 1, Some(1))]), ["out A", "in B"]);
        assert_eq!(words(&mut desk, vec![reader("A", 2, None)]), ["out B", "-B"]);
        assert_eq!(words(&mut desk, vec![reader("B", 0, Some(1))]), ["-A", "+B", "in B"]);
    }

    #[test]
    fn a_card_that_was_held_by_another_program_is_looked_at_again_when_it_is_free() {
        let mut desk = Desk::default();
        let held = ReaderState { exclusive: true, ..reader("A", 1, Some(1)) };
        assert_eq!(words(&mut desk, vec![held]), ["+A", "in A"]);
        assert_eq!(words(&mut desk, vec![reader("A", 1, Some(1))]), ["again A"]);
        assert!(words(&mut desk, vec![reader("A", 1, Some(1))]).is_empty());
    }
}
