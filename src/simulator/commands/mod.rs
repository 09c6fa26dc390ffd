//! The commands, by the chapters of the standard.

mod applications;
mod containers;
mod device;
mod files;
mod keys;
mod pins;
mod sessions;

use zeroize::Zeroizing;

use super::card::Card;
use super::crypto::Usage;
use super::device::{Application, Container, Who};
use super::dialect::Dialect;
use super::frame::{Fields, Frame, Id};
use super::status::{Done, Sw};

/// The data of an answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) data: Vec<u8>,
    /// It may go out in parts. Others have to fit.
    pub(super) long: bool,
}

impl Answer {
    pub(super) fn long(data: Vec<u8>) -> Self {
        Answer { data, long: true }
    }
}

impl From<Vec<u8>> for Answer {
    fn from(data: Vec<u8>) -> Self {
        Answer { data, long: false }
    }
}

impl From<()> for Answer {
    fn from((): ()) -> Self {
        Answer::default()
    }
}

/// The random that the command before asked for.
type Challenge = Option<Zeroizing<Vec<u8>>>;

/// Class of a command without MAC, and with one.
const PLAIN: u8 = 0x80;
const WITH_MAC: u8 = 0x84;

/// One command.
struct Call<'a> {
    card: &'a mut Card,
    frame: Frame<'a>,
    challenge: Challenge,
}

/// Does a command.
pub(super) fn answer(card: &mut Card, frame: Frame<'_>, challenge: Challenge) -> Done<Answer> {
    let mut call = Call { card, frame, challenge };
    match (frame.cla, frame.ins) {
        (WITH_MAC, 0x12 | 0x16 | 0x1A) if !call.dialect().mac => Err(Sw::UNSUPPORTED),
        (WITH_MAC, 0x12) => call.change_device_key().map(Answer::from),
        (WITH_MAC, 0x16) => call.change_pin().map(Answer::from),
        (WITH_MAC, 0x1A) => call.unblock_pin().map(Answer::from),
        (PLAIN, 0x12 | 0x16 | 0x1A) => Err(Sw::CLASS),
        (PLAIN, ins) => call.plain(ins),
        _ => Err(Sw::CLASS),
    }
}

impl<'a> Call<'a> {
    fn plain(&mut self, ins: u8) -> Done<Answer> {
        match ins {
            0x02 => self.set_label().map(Answer::from),
            0x04 => self.device_info().map(Answer::long),
            0x10 => self.device_auth().map(Answer::from),
            0x14 => self.pin_info().map(Answer::from),
            0x18 => self.verify_pin().map(Answer::from),
            0x1C => self.clear_secure_state().map(Answer::from),
            0x20 => self.create_application().map(Answer::from),
            0x22 => self.enum_applications().map(Answer::long),
            0x24 => self.delete_application().map(Answer::from),
            0x26 => self.open_application().map(Answer::from),
            0x28 => self.close_application().map(Answer::from),
            0x30 => self.create_file().map(Answer::from),
            0x32 => self.delete_file().map(Answer::from),
            0x34 => self.enum_files().map(Answer::long),
            0x36 => self.file_info().map(Answer::from),
            0x38 => self.read_file().map(Answer::long),
            0x3A => self.write_file().map(Answer::from),
            0x40 => self.create_container().map(Answer::from),
            0x42 => self.open_container().map(Answer::from),
            0x44 => self.close_container().map(Answer::from),
            0x46 => self.enum_containers().map(Answer::long),
            0x48 => self.delete_container().map(Answer::from),
            0x4A => self.container_info().map(Answer::from),
            0x4C => self.import_certificate().map(Answer::from),
            0x4E => self.export_certificate().map(Answer::long),
            0x50 => self.random().map(Answer::from),
            0x70 => self.generate_pair().map(Answer::from),
            0x72 => self.import_pair().map(Answer::from),
            0x74 => self.sign().map(Answer::from),
            0x76 => self.verify().map(Answer::from),
            0x88 => self.export_public_key().map(Answer::from),
            0xA0 => self.import_session_key().map(Answer::from),
            0xA4 | 0xAC => self.crypt_init(ins == 0xA4).map(Answer::from),
            0xA6 | 0xAE => self.crypt(ins == 0xA6, true).map(Answer::long),
            0xA8 | 0xB0 => self.crypt(ins == 0xA8, false).map(Answer::long),
            0xAA | 0xB2 => self.crypt(ins == 0xAA, true).map(Answer::long),
            0xB4 => self.digest_init().map(Answer::from),
            0xB6 | 0xBA => self.digest_final().map(Answer::from),
            0xB8 => self.digest_update().map(Answer::from),
            0xC4 => self.destroy_session_key().map(Answer::from),
            // RSA, agreement, keys from outside, MACs over data: commands of the standard that this device does not do.
            0x52..=0x60 | 0x78..=0x86 | 0xA2 | 0xBC..=0xC2 => Err(Sw::UNSUPPORTED),
            _ => Err(Sw::INSTRUCTION),
        }
    }

    fn dialect(&self) -> &'static Dialect {
        self.card.dialect()
    }

    fn fields(&self) -> Fields<'a> {
        self.frame.fields(self.dialect())
    }

    /// An application that is there and open.
    fn open(&self, id: Id) -> Done<&Application> {
        let application = self.card.device().application(id)?;
        if self.card.session.is_open(id) { Ok(application) } else { Err(Sw::NOT_OPEN) }
    }

    /// A container that is there and open, in an application that is.
    fn open_in(&self, application: Id, id: Id) -> Done<&Container> {
        let container = self.open(application)?.container(id)?;
        if self.card.session.has_container(application, id) { Ok(container) } else { Err(Sw::CONTAINER_ID) }
    }

    /// Refuses whom this application's user PIN has not let in.
    fn user(&self, application: Id) -> Done<()> {
        if self.card.session.is_in(application, Who::User) { Ok(()) } else { Err(Sw::SECURITY_STATE) }
    }

    /// Refuses whom a right of the standard does not let in: 1 the administrator, 10 the user, FF anybody.
    fn right(&self, application: Id, rights: u32) -> Done<()> {
        let is_in = |right: u32, who| rights & right != 0 && self.card.session.is_in(application, who);
        let anybody = rights & 0xFF == 0xFF;
        if anybody || is_in(0x01, Who::Admin) || is_in(0x10, Who::User) { Ok(()) } else { Err(Sw::SECURITY_STATE) }
    }

    fn device_right(&self) -> Done<()> {
        if self.card.session.device { Ok(()) } else { Err(Sw::SECURITY_STATE) }
    }

    /// P1 of commands for one of a container's two halves.
    fn usage(p1: u8) -> Done<Usage> {
        match p1 {
            0 => Ok(Usage::Encryption),
            1 => Ok(Usage::Signing),
            _ => Err(Sw::P1P2),
        }
    }

    /// P2 of commands for one of an application's two PINs.
    fn who(&self) -> Done<Who> {
        match (self.frame.p1, self.frame.p2) {
            (0, 0) => Ok(Who::Admin),
            (0, 1) => Ok(Who::User),
            _ => Err(Sw::P1P2),
        }
    }
}

/// Names in an answer, each with a zero behind it.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u8> {
    names.flat_map(|name| name.bytes().chain([0])).collect()
}
