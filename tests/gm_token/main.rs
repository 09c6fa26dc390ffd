//! A shared shield of GM/T 0017 in the simulator, in this process: what it costs, what goes wrong, what others do to it, and what a person is asked
//! and told. What the simulator computes is judged by openssl; what is sent is counted at the link and at the card.
#![cfg(all(feature = "gm0017", feature = "simulator", feature = "xml"))]

mod attacks;
mod budget;
mod copies;
mod dialects;
mod faults;
mod issuing;
mod office;
mod pins;
mod vector;

#[path = "../support/child.rs"]
mod child;
#[path = "../support/faulted.rs"]
mod faulted;
#[path = "../support/gm_desk.rs"]
mod gm_desk;
#[path = "../support/gm_shield.rs"]
mod gm_shield;
#[path = "../support/sm2_judge.rs"]
mod sm2_judge;
#[path = "../../examples/shield/test_ca.rs"]
mod test_ca;
#[path = "../../examples/shield/test_ca_sm2.rs"]
mod test_ca_sm2;

/// What faults are tried on here.
use gm_desk as bench;
