//! Files of an application (GM/T 0017 §9.4), as free functions: for programs that keep data on the device. A file's rights decide whether a
//! login is needed; there is none here, so what wants one answers `PinRequired`.

use super::application::AppId;
use super::dialect::Dialect;
use super::frame::{self, Fields};
use super::name::Name;
use crate::apdu::{Command, Exchange, Expect};
use crate::error::{Error, ErrorKind, Result};
use crate::policy;

/// The longest name of a file (GM/T 0016 §6).
const NAME_MOST: usize = 32;
/// Octets that one command reads or writes: they fit into the short form with the longest name.
const STEP: usize = 128;
/// The most files that are listed.
const FILES_MOST: usize = 256;

/// Who may read or write a file (GM/T 0016 §6); bits may be joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights(pub u32);

impl Rights {
    /// Nobody.
    pub const NEVER: Rights = Rights(0);
    /// Whoever has shown the admin PIN.
    pub const ADMIN: Rights = Rights(0x01);
    /// Whoever has shown the user PIN.
    pub const USER: Rights = Rights(0x10);
    /// Everybody.
    pub const ANYONE: Rights = Rights(0xFF);
}

/// A file's size in octets and its rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileAttributes {
    /// Octets.
    pub size: u32,
    /// Who may read it.
    pub read: Rights,
    /// Who may write it.
    pub write: Rights,
}

fn named(name: &str, operation: &'static str) -> Result<Name> {
    let refused =
        || Error::new(ErrorKind::NameLength, operation).detail(format!("1 to {NAME_MOST} octets without NUL"));
    Name::of(name.as_bytes()).filter(|name| name.octets().len() <= NAME_MOST).ok_or_else(refused)
}

/// P1 and P2 are the application's number.
fn in_application(name: &'static str, ins: u8, AppId([p1, p2]): AppId) -> Command {
    frame::command(name, ins, p1, p2)
}

/// CreateFile. It wants the right that the application was created with.
///
/// # Errors
/// `NameLength`; `Argument` where it is there already, or the device has no room; `PinRequired`; and what the card answers.
pub fn create_file(
    card: &mut Exchange<'_>,
    dialect: &Dialect,
    application: AppId,
    name: &str,
    attributes: &FileAttributes,
) -> Result<()> {
    const NAME: &str = "CreateFile";
    let mut data = named(name, NAME)?.octets().to_vec();
    data.resize(dialect.name_field, 0);
    for value in [attributes.size, attributes.read.0, attributes.write.0] {
        data.extend_from_slice(&dialect.order.word(value));
    }
    frame::run(card, &in_application(NAME, 0x30, application).data(&data)).map(drop)
}

/// DeleteFile.
///
/// # Errors
/// `NameLength`, `Argument` where there is none, `PinRequired`, and what the card answers.
pub fn delete_file(card: &mut Exchange<'_>, application: AppId, name: &str) -> Result<()> {
    const NAME: &str = "DeleteFile";
    let name = named(name, NAME)?;
    frame::run(card, &in_application(NAME, 0x32, application).data(name.octets())).map(drop)
}

/// EnumFiles: at most 256 names, as people see them: `%`, `:`, `/` and what is no visible text are percent-encoded.
///
/// # Errors
/// What the card answers.
pub fn files(card: &mut Exchange<'_>, application: AppId) -> Result<Vec<String>> {
    let AppId([p1, p2]) = application;
    let answer = frame::run(card, &frame::reading("EnumFiles", 0x34, p1, p2))?;
    Ok(Name::list(&answer, FILES_MOST).0.iter().map(Name::label).collect())
}

/// GetFileInfo: size4, readRights4, writeRights4.
///
/// # Errors
/// `NameLength`, `Argument` where there is none, and what the card answers.
pub fn file_attributes(
    card: &mut Exchange<'_>,
    dialect: &Dialect,
    application: AppId,
    name: &str,
) -> Result<FileAttributes> {
    const NAME: &str = "GetFileInfo";
    let name = named(name, NAME)?;
    let command = in_application(NAME, 0x36, application).data(name.octets()).expect(Expect::Exactly(12));
    let answer = frame::run(card, &command)?;
    let mut fields = Fields::of(&answer, NAME);
    let [size, read, write] = [fields.take()?, fields.take()?, fields.take()?].map(|word| dialect.order.read(word));
    fields.end()?;
    Ok(FileAttributes { size, read: Rights(read), write: Rights(write) })
}

/// AppID, offset2, nameLen2, name.
fn place(
    dialect: &Dialect,
    application: AppId,
    name: &Name,
    offset: usize,
    operation: &'static str,
) -> Result<Vec<u8>> {
    let too_far = || Error::new(ErrorKind::Argument, operation).detail("files end at 65,535 octets");
    let offset = u16::try_from(offset).map_err(|_| too_far())?;
    let length = u16::try_from(name.octets().len()).map_err(|_| too_far())?;
    Ok([&application.0[..], &dialect.order.half(offset), &dialect.order.half(length), name.octets()].concat())
}

/// ReadFile, as often as it takes: so many octets from an offset.
///
/// # Errors
/// `NameLength`; `Argument` for what is outside the file, or no file; `PinRequired`; `TokenAnswer` for another length than was asked for.
pub fn read_file(
    card: &mut Exchange<'_>,
    dialect: &Dialect,
    application: AppId,
    name: &str,
    (offset, length): (usize, usize),
) -> Result<Vec<u8>> {
    const NAME: &str = "ReadFile";
    let (name, mut octets) = (named(name, NAME)?, Vec::new());
    if length > policy::ANSWER_MAX {
        return Err(Error::new(ErrorKind::Argument, NAME).detail(format!("more than {} octets", policy::ANSWER_MAX)));
    }
    while octets.len() < length {
        let step = length.saturating_sub(octets.len()).min(STEP);
        let data = place(dialect, application, &name, offset.saturating_add(octets.len()), NAME)?;
        let expect = Expect::Exactly(u16::try_from(step).unwrap_or(u16::MAX));
        let part = frame::run(card, &frame::reading(NAME, 0x38, 0, 0).data(&data).expect(expect))?;
        if part.len() != step {
            return Err(frame::nonsense(NAME, format!("{} octets for {step}", part.len())));
        }
        octets.extend_from_slice(&part);
    }
    Ok(octets)
}

/// WriteFile, as often as it takes: AppID, offset2, nameLen2, name, dataLen2, data. When it fails, a part may be written.
///
/// # Errors
/// As [`read_file`].
pub fn write_file(
    card: &mut Exchange<'_>,
    dialect: &Dialect,
    application: AppId,
    name: &str,
    (offset, octets): (usize, &[u8]),
) -> Result<()> {
    const NAME: &str = "WriteFile";
    let name = named(name, NAME)?;
    let mut at = offset;
    for part in octets.chunks(STEP) {
        let mut data = place(dialect, application, &name, at, NAME)?;
        data.extend_from_slice(&dialect.order.half(u16::try_from(part.len()).unwrap_or(u16::MAX)));
        data.extend_from_slice(part);
        frame::run(card, &frame::command(NAME, 0x3A, 0, 0).data(&data))?;
        at = at.saturating_add(part.len());
    }
    Ok(())
}
