//! A shared shield of GM/T 0017 over PC/SC: declarations and payments with SM2, each under the PIN of its own application. The shield is the
//! simulator, as a card on a virtual reader of a private pcscd and in another process; OpenSSL judges what comes out.
#![cfg(all(feature = "gm0017", feature = "pcsc", feature = "simulator", feature = "xml"))]

mod desk;
mod many;
mod plugged;
mod told;

#[path = "../support/child.rs"]
mod child;
#[path = "../support/gm_desk.rs"]
mod gm_desk;
#[path = "../support/gm_remote.rs"]
mod gm_remote;
#[path = "../support/gm_shield.rs"]
mod gm_shield;
#[path = "../support/pcscd.rs"]
mod pcscd;
#[path = "../support/program.rs"]
#[allow(dead_code, unreachable_pub)]
mod program;
#[path = "../support/sm2_judge.rs"]
mod sm2_judge;
#[path = "../../examples/shield/test_ca.rs"]
mod test_ca;
#[path = "../../examples/shield/test_ca_sm2.rs"]
mod test_ca_sm2;

/// What `pcscd` wants of its neighbour.
mod softhsm {
    pub(crate) use crate::child;
}
