//! Applications (GM/T 0017 §9.3): enumerate, open, close.

use super::frame::{self, Fields};
use super::name::Name;
use crate::apdu::{Command, Exchange, Expect, Sw};
use crate::error::{Error, ErrorKind, Result};
use crate::policy;

/// The number that a card gave an application when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppId(pub(super) [u8; 2]);

const OPEN: &str = "OpenApplication";

/// EnumApplication; and whether names were passed over.
pub(super) fn list(card: &mut Exchange<'_>) -> Result<(Vec<Name>, bool)> {
    let answer = frame::run(card, &frame::reading("EnumApplication", 0x22, 0, 0))?;
    Ok(Name::list(&answer, policy::APPLICATIONS_MAX))
}

/// OpenApplication: createFileRights4, nContainer1, nCert1, nFile2, AppID2. The status word where it is none of success.
pub(super) fn open(card: &mut Exchange<'_>, name: &Name) -> Result<std::result::Result<AppId, Sw>> {
    let command = frame::command(OPEN, 0x26, 0, 0).data(name.octets()).expect(Expect::Exactly(10));
    let answer = card.send(&command)?;
    if answer.sw() != Sw::Success {
        return Ok(Err(answer.sw()));
    }
    let mut fields = Fields::of(answer.data(), OPEN);
    let _rights_and_room = fields.take::<8>()?;
    let id = AppId(fields.take()?);
    fields.end()?;
    Ok(Ok(id))
}

/// CloseApplication. The login stays on the card.
pub(super) fn close(card: &mut Exchange<'_>, id: AppId) -> Result<()> {
    frame::run(card, &of(id, "CloseApplication", 0x28)).map(drop)
}

/// ClearSecureState: the login of this application ends.
pub(super) fn clear(card: &mut Exchange<'_>, id: AppId) -> Result<()> {
    frame::run(card, &of(id, "ClearSecureState", 0x1C)).map(drop)
}

fn of(id: AppId, name: &'static str, ins: u8) -> Command {
    frame::command(name, ins, 0, 0).data(&id.0)
}

/// A name that a program gives.
pub(super) fn given(name: &str, operation: &'static str) -> Result<Name> {
    Name::of(name.as_bytes()).ok_or_else(|| {
        let what = format!("1 to {} octets without NUL", policy::NAME_MAX);
        Error::new(ErrorKind::NameLength, operation).detail(what)
    })
}

/// Opens an application by name, for the functions that take its number.
///
/// # Errors
/// `CardApplication` where there is none of this name, `Busy` where the device has another one open and opens one at a time, `NameLength`.
pub fn open_application(card: &mut Exchange<'_>, name: &str) -> Result<AppId> {
    open(card, &given(name, OPEN)?)?.map_err(|sw| frame::error(sw, OPEN))
}

/// Closes an application. Its login, if there is one, stays on the card: see [`clear_secure_state`].
///
/// # Errors
/// What the card answers.
pub fn close_application(card: &mut Exchange<'_>, id: AppId) -> Result<()> {
    close(card, id)
}

/// Ends the login of an application.
///
/// # Errors
/// What the card answers.
pub fn clear_secure_state(card: &mut Exchange<'_>, id: AppId) -> Result<()> {
    clear(card, id)
}
