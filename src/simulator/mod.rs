//! A whole shared shield in software, which speaks GM/T 0017: for programs that are written or tested without a shield.
//!
//! It is a card of [`link`](crate::link): by [`Simulator::readers`] in this process, and by [`vpcd`] on a reader of the smart-card service, where
//! every program sees it. It says `simulator` as its manufacturer, and nothing opens it that was not given it by name. Its private keys are
//! throw-away ones: they stand in its state file for everybody to read, and a build without the feature `simulator` has nothing of this.
//!
//! It imports nothing of the driver: two parts that share code prove nothing by agreeing. Both are written from one description; what the sources of
//! that leave open is a dialect here as there, and OpenSSL judges what comes out.
//!
//! ```
//! use shared_shield::simulator::{Algorithm, ApplicationSetup, Simulator};
//! # fn main() -> shared_shield::Result<()> {
//! let shield = Simulator::blank("0001")?;
//! let setup = |name: &str, user_tries| ApplicationSetup {
//!     name: name.to_owned(),
//!     admin_pin: "87654321".to_owned(),
//!     admin_tries: 10,
//!     user_pin: "12345678".to_owned(),
//!     user_tries,
//! };
//! shield.create_application(&setup("eport", 5))?;
//! shield.create_application(&setup("bank", 6))?;
//! shield.create_container("eport", "declarant")?;
//! let point = shield.generate("eport", "declarant", Algorithm::Sm2)?;
//! assert_eq!((point[0], point.len()), (4, 65));
//! # Ok(())
//! # }
//! ```

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions
    )
)]

mod card;
mod commands;
mod crypto;
mod device;
mod dialect;
mod factory;
mod faults;
mod file;
mod frame;
mod octets;
mod session;
mod status;
pub mod vpcd;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::link::Readers;
use crate::link::card::{SharedCard, VirtualCard, VirtualReaders};
use crate::wait::lock;

use card::Card;
use device::{Device, TEXT_MAX};
use dialect::Dialect;
use faults::Plan;
use file::StateFile;

pub use crypto::{Algorithm, Usage};
pub use factory::ApplicationSetup;
pub use faults::{Fault, FaultKind};

/// The reader of [`Simulator::readers`].
pub const READER: &str = "shared-shield simulator 00";
/// The device-authentication key of a new device.
pub const DEVICE_KEY: &[u8; 16] = b"1234567812345678";
/// P2 of GenECCKeyPair and type of a container for P-256: this simulator's extension.
pub(crate) const P256: u8 = 0x50;
/// The bit of AlgAsymCap that says that P-256 is there.
const P256_CAPABILITY: u32 = 1 << 31;

const OPERATION: &str = "simulator";

/// Habits that devices have beyond their dialect. All are off in a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Habits {
    /// One application is open at a time: another is refused with 6A90 until the first is closed.
    pub one_application: bool,
    /// With `one_application`: the one that is open is refused with 6A90 too.
    pub opens_none_twice: bool,
    /// Long answers come in parts of at most 200 octets with 6A9E, each for the same command once more.
    pub more_data: bool,
    /// The login ends with each signature (GM/T 0027-2014 §9.2 c).
    pub drops_login_after_signature: bool,
    /// CloseApplication ends the login; without this it stays (GM/T 0016-2012 §7.4.5).
    pub close_ends_login: bool,
    /// Neither card nor reader takes extended length.
    pub short_only: bool,
    /// A certificate comes with all that stands behind it in its file, 4,096 octets in all: its length says where it ends.
    pub whole_files: bool,
}

/// The device. Clones are one and the same.
#[derive(Clone)]
pub struct Simulator {
    card: Arc<Mutex<Card>>,
    readers: VirtualReaders,
}

impl Simulator {
    /// A new device in memory, without any application. Its device-authentication key is [`DEVICE_KEY`].
    ///
    /// # Errors
    /// `Argument` for an empty serial number or control characters in it, `NameLength` for one of more than 32 octets.
    pub fn blank(serial: &str) -> Result<Simulator> {
        if !frame::is_name(serial) {
            return Err(Error::new(ErrorKind::Argument, OPERATION).detail("no serial number for a device"));
        }
        if serial.len() > TEXT_MAX {
            return Err(Error::new(ErrorKind::NameLength, OPERATION).detail("serial number"));
        }
        Ok(Simulator::with(Card::new(Device::blank(serial), None)))
    }

    /// The device of a state file, and the file for this process alone as long as a clone of it is there: every change is in it before the command
    /// is answered.
    ///
    /// # Errors
    /// `StateFile` for a file that is not there, open elsewhere, damaged, foreign or of a newer version; what it was says the detail.
    pub fn open(path: &Path) -> Result<Simulator> {
        let (file, device) = StateFile::open(path)?;
        Ok(Simulator::with(Card::new(device, Some(file))))
    }

    fn with(card: Card) -> Simulator {
        let card = Arc::new(Mutex::new(card));
        let readers = VirtualReaders::new(&[READER]);
        let simulator = Simulator { card, readers };
        simulator.insert();
        simulator
    }

    /// Writes the state into a new file, and keeps it there from then on.
    ///
    /// # Errors
    /// `OutputFailed`, with `AlreadyExists` where something is; `StateFile` where it cannot be locked. The device is as before then.
    pub fn save_as(&self, path: &Path) -> Result<()> {
        let mut card = lock(&self.card);
        let file = StateFile::create(path, card.device())?;
        card.follow(file);
        Ok(())
    }

    /// The dialect from now on: `syno-2015` (a new device's), `usbtool` or `gm3000`. It belongs to the state.
    ///
    /// # Errors
    /// `Argument` for another name; `StateFile` when the state cannot be written.
    pub fn speak(&self, dialect: &str) -> Result<()> {
        let known = Dialect::named(dialect).ok_or_else(|| {
            Error::new(ErrorKind::Argument, OPERATION)
                .detail(format!("{dialect} is no dialect; known are {}", Dialect::names()))
        })?;
        self.work("dialect", |device| {
            device.speak(known);
            Ok(())
        })
    }

    /// The habits from now on. They belong to the state; where it cannot be written now, the next change writes them.
    pub fn habits(&self, habits: Habits) {
        lock(&self.card).set(habits);
    }

    /// What goes wrong from now on, in place of what was planned before.
    pub fn plan(&self, faults: Vec<Fault>) {
        lock(&self.card).plan = Plan::new(faults);
    }

    /// One reader, [`READER`], with the device in it.
    #[must_use]
    pub fn readers(&self) -> Arc<dyn Readers> {
        Arc::new(self.readers.clone())
    }

    /// Puts the device into the reader of [`Simulator::readers`] again, or pulls it out and puts it in.
    pub fn insert(&self) {
        self.readers.insert(READER, self.card());
    }

    /// Pulls the device out of that reader.
    pub fn pull_out(&self) {
        drop(self.readers.remove(READER));
    }

    /// The device as a card, for other readers.
    #[must_use]
    pub fn card(&self) -> SharedCard {
        let card: Arc<Mutex<Card>> = Arc::clone(&self.card);
        card
    }

    /// Its ATR.
    #[must_use]
    pub fn atr(&self) -> Vec<u8> {
        lock(&self.card).atr()
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").finish_non_exhaustive()
    }
}
