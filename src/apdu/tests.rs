//! A card that answers from a list, and what the exchange makes of it.

use std::collections::VecDeque;

use super::*;
use crate::error::{Error, ErrorKind, Status};
use crate::policy;

/// Octets that look random and are the same in each run (xorshift).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    pub(crate) fn octets(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| u8::try_from(self.below(256)).unwrap()).collect()
    }
}

type Answer = Box<dyn FnMut(usize, &[u8]) -> Vec<u8> + Send>;

/// Answers by a function of the command and of its number.
struct Card(Answer, Vec<Vec<u8>>, bool);

impl Transmit for Card {
    fn transmit(&mut self, command: &Wire) -> Result<Vec<u8>> {
        self.1.push(command.octets().to_vec());
        Ok((self.0)(self.1.len(), command.octets()))
    }

    fn limits(&self) -> Limits {
        Limits { extended: self.2 }
    }
}

fn listed(extended: bool, answers: &[&[u8]]) -> Card {
    let mut answers: VecDeque<Vec<u8>> = answers.iter().map(|a| a.to_vec()).collect();
    Card(Box::new(move |_, _| answers.pop_front().expect("no answer left")), Vec::new(), extended)
}

fn get_data() -> Command {
    Command::new("GET DATA", 0xCB, 0x3F, 0xFF).data(&[0x5C, 1, 0x7E]).expect(Expect::Much)
}

#[test]
fn parts_of_an_answer_are_put_together_as_the_card_counts_them() {
    let mut card = listed(false, &[&[1, 2, 0x61, 3], &[3, 4, 5, 0x61, 0], &[6, 0x90, 0]]);
    assert_eq!(*Exchange::new(&mut card).run(&get_data()).unwrap(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(card.1[1..], [[0, 0xC0, 0, 0, 3], [0, 0xC0, 0, 0, 0]]);
}

#[test]
fn the_status_word_of_the_last_part_is_the_answers() {
    let mut card = listed(false, &[&[1, 0x61, 3], &[0x6F, 0]]);
    let answer = Exchange::new(&mut card).send(&get_data()).unwrap();
    assert_eq!((answer.data(), answer.sw()), (&[1][..], Sw::Failure(0x6F00)));
}

#[test]
fn a_wrong_expected_length_is_put_right_once() {
    let mut card = listed(false, &[&[0x6C, 2], &[8, 9, 0x90, 0]]);
    assert_eq!(*Exchange::new(&mut card).run(&get_data()).unwrap(), [8, 9]);
    assert_eq!(card.1[1], [0, 0xCB, 0x3F, 0xFF, 3, 0x5C, 1, 0x7E, 2]);
    let mut stubborn = listed(false, &[&[0x6C, 2], &[0x6C, 3]]);
    let error = Exchange::new(&mut stubborn).run(&get_data()).unwrap_err();
    assert_eq!((error.kind(), error.raw_status()), (ErrorKind::TokenAnswer, Some(&Status::Sw(0x6C03))));
}

#[test]
fn a_command_with_a_secret_is_never_sent_twice_whatever_the_card_asks_for() {
    let verify =
        |expect| Command::new("VERIFY", 0x20, 0, 0x80).data(&[0x31; 8]).expect(expect).sensitive(Sensitive::Command);
    for expect in [Expect::Nothing, Expect::Some, Expect::Much] {
        for answer in [&[0x6C, 8][..], &[0x67, 0]] {
            let mut card = listed(true, &[answer]);
            assert!(Exchange::new(&mut card).run(&verify(expect)).is_err());
            assert_eq!(card.1.len(), 1);
        }
    }
}

#[test]
fn a_card_that_promises_more_and_brings_nothing_is_left() {
    let mut card = listed(false, &[&[0x61, 9], &[0x61, 9]]);
    let error = Exchange::new(&mut card).run(&get_data()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TokenAnswer);
    assert_eq!(card.1.len(), 2);
}

#[test]
fn an_answer_without_end_is_cut_off_by_rounds_and_by_octets() {
    let mut drip = Card(Box::new(|_, _| vec![7, 0x61, 1]), Vec::new(), false);
    assert_eq!(Exchange::new(&mut drip).run(&get_data()).unwrap_err().kind(), ErrorKind::TokenAnswer);
    assert_eq!(drip.1.len(), policy::ANSWER_ROUNDS + 1);
    let mut flood = Card(Box::new(|_, _| [vec![7; 60_000], vec![0x61, 0]].concat()), Vec::new(), false);
    assert_eq!(Exchange::new(&mut flood).run(&get_data()).unwrap_err().kind(), ErrorKind::TokenAnswer);
    assert_eq!(flood.1.len(), 2);
}

#[test]
fn long_data_goes_as_a_chain_and_a_refused_part_ends_it() {
    let put = Command::new("PUT DATA", 0xDB, 0x3F, 0xFF).data(&[5; 600]);
    let mut card = listed(false, &[&[0x90, 0], &[0x90, 0], &[0x90, 0]]);
    Exchange::new(&mut card).run(&put).unwrap();
    assert_eq!(card.1.iter().map(|c| (c[0], c[4])).collect::<Vec<_>>(), [(0x10, 255), (0x10, 255), (0, 90)]);
    let mut full = listed(false, &[&[0x90, 0], &[0x6A, 0x84]]);
    let error = Exchange::new(&mut full).run(&put).unwrap_err();
    assert_eq!((error.raw_status(), full.1.len()), (Some(&Status::Sw(0x6A84)), 2));
}

#[test]
fn a_wrong_length_after_a_chain_is_not_answered_with_half_a_command() {
    let sign = Command::new("GENERAL AUTHENTICATE", 0x87, 7, 0x9C).data(&[5; 266]).expect(Expect::Some);
    let mut card = listed(false, &[&[0x90, 0], &[0x6C, 9]]);
    assert!(Exchange::new(&mut card).run(&sign).is_err());
    assert_eq!(card.1.len(), 2);
}

#[test]
fn extended_length_is_used_only_where_card_and_reader_say_so_and_given_up_for_good() {
    let mut card = listed(true, &[&[1, 0x90, 0]]);
    Exchange::new(&mut card).run(&get_data()).unwrap();
    assert_eq!(card.1[0], [0, 0xCB, 0x3F, 0xFF, 0, 0, 3, 0x5C, 1, 0x7E, 0, 0]);
    let mut liar = listed(true, &[&[0x67, 0], &[1, 0x90, 0], &[2, 0x90, 0]]);
    let mut exchange = Exchange::new(&mut liar);
    assert_eq!(*exchange.run(&get_data()).unwrap(), [1]);
    assert_eq!(*exchange.run(&get_data()).unwrap(), [2]);
    drop(exchange);
    assert_eq!(liar.1.iter().map(Vec::len).collect::<Vec<_>>(), [12, 9, 9]);
    let mut short = listed(true, &[&[0x90, 0]]);
    Exchange::new(&mut short).run(&Command::new("VERIFY", 0x20, 0, 0x80)).unwrap();
    assert_eq!(short.1[0], [0, 0x20, 0, 0x80]);
}

#[test]
fn an_answer_in_parts_for_the_same_command_is_put_together_and_has_an_end() {
    let command = || Command::new("ExportCertificate", 0x4E, 1, 0).class(0x80).wide().repeat_on(0x6A9E);
    let command = || command().data(&[1, 2]).expect(Expect::Much);
    let mut card = listed(true, &[&[1, 2, 0x6A, 0x9E], &[3, 0x6A, 0x9E], &[4, 0x90, 0]]);
    assert_eq!(*Exchange::new(&mut card).run(&command()).unwrap(), [1, 2, 3, 4]);
    assert_eq!(card.1, vec![vec![0x80, 0x4E, 1, 0, 0, 0, 2, 1, 2, 0, 0]; 3]);
    let mut drip = Card(Box::new(|_, _| vec![7, 0x6A, 0x9E]), Vec::new(), true);
    assert_eq!(Exchange::new(&mut drip).run(&command()).unwrap_err().kind(), ErrorKind::TokenAnswer);
    assert_eq!(drip.1.len(), policy::ANSWER_ROUNDS + 1);
    let mut dry = Card(Box::new(|_, _| vec![0x6A, 0x9E]), Vec::new(), true);
    assert_eq!(Exchange::new(&mut dry).run(&command()).unwrap_err().kind(), ErrorKind::TokenAnswer);
    assert_eq!(dry.1.len(), 2);
    // What writes, and what carries a secret, is never sent twice.
    for once in [Command::new("X", 0x4C, 0, 0).wide(), command().sensitive(Sensitive::Command)] {
        let mut card = listed(true, &[&[0x6A, 0x9E]]);
        assert!(Exchange::new(&mut card).run(&once).is_err());
        assert_eq!(card.1.len(), 1);
    }
}

#[test]
fn a_standard_without_chains_gets_none() {
    let command = |length| Command::new("X", 0x4C, 0, 0).class(0x80).wide().data(&vec![7; length]);
    let mut short = listed(false, &[&[0x90, 0]]);
    Exchange::new(&mut short).run(&command(255)).unwrap();
    assert_eq!(short.1[0][..6], [0x80, 0x4C, 0, 0, 255, 7]);
    let mut short = listed(false, &[]);
    assert_eq!(Exchange::new(&mut short).run(&command(256)).unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(short.1.is_empty());
    let mut liar = listed(true, &[&[0x67, 0]]);
    let error = Exchange::new(&mut liar).run(&command(256)).unwrap_err();
    assert_eq!((error.raw_status(), liar.1.len()), (Some(&Status::Sw(0x6700)), 1));
}

#[test]
fn a_command_that_no_card_takes_is_not_sent() {
    let mut card = listed(true, &[]);
    let error = Exchange::new(&mut card).run(&get_data().data(&vec![0; policy::COMMAND_MAX + 1])).unwrap_err();
    assert_eq!((error.kind(), card.1.len()), (ErrorKind::Argument, 0));
}

#[test]
fn a_port_that_fails_is_not_asked_again() {
    struct Gone(usize);
    impl Transmit for Gone {
        fn transmit(&mut self, _: &Wire) -> Result<Vec<u8>> {
            self.0 += 1;
            Err(Error::new(ErrorKind::CardRemoved, "SCardTransmit"))
        }

        fn limits(&self) -> Limits {
            Limits { extended: true }
        }
    }
    let mut gone = Gone(0);
    let mut exchange = Exchange::new(&mut gone);
    assert!(!exchange.has_failed());
    let error = exchange.run(&get_data()).unwrap_err();
    assert!(exchange.has_failed());
    drop(exchange);
    assert_eq!((error.kind(), gone.0), (ErrorKind::CardRemoved, 1));
}

#[test]
fn no_answers_make_the_exchange_panic_or_go_on_without_end() {
    let mut random = Random(11);
    for _ in 0..3_000 {
        let extended = random.below(2) == 0;
        let mut inner = Random(random.0);
        let answer = move |_: usize, _: &[u8]| {
            let mut octets = inner.octets(20);
            match inner.below(4) {
                0 => octets.extend([0x61, 0]),
                1 => octets.extend([0x6C, 4]),
                2 => octets.extend([0x90, 0]),
                _ => {}
            }
            octets
        };
        let mut card = Card(Box::new(answer), Vec::new(), extended);
        let data = random.octets(700);
        let _ = Exchange::new(&mut card).run(&Command::new("X", 0x87, 0, 0).data(&data).expect(Expect::Much));
        assert!(card.1.len() <= 2 * policy::ANSWER_ROUNDS + 8, "{}", card.1.len());
        assert!(card.1.iter().all(|c| extended || c.len() <= 261));
    }
}
