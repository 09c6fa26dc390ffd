//! PINs from C: octets that are copied into a wiped buffer, or a dialog.

use std::ffi::CString;

use shield::{Declined, Error, ErrorKind, PIN_MAX, PinEntry, PinPrompt, PinQuestion, Result};
use zeroize::Zeroizing;

use crate::border::{self, Options, refuse};
use crate::error::{role_number, tries};
use crate::types::{self, PinCallback, SHIELD_PIN_ON_DEVICE, SHIELD_PIN_TYPED};

const _: () = assert!(types::SHIELD_PIN_MAX == PIN_MAX);

/// One octet more than a PIN may have, so that a longer one is seen as such. Boxed: moving it leaves no copy behind.
type Buffer = Box<Zeroizing<[u8; PIN_MAX + 1]>>;

enum From {
    Octets(Buffer, usize),
    Dialog { ask: PinCallback, userdata: *mut std::ffi::c_void },
}

/// Answers the library's question, and keeps why an answer was refused.
pub(crate) struct Prompt {
    from: From,
    refused: Option<Error>,
}

impl Options for types::Pin {
    type Given = Prompt;

    fn parse(&self) -> Result<Prompt> {
        let octets = self.octets.with("pin.octets", |octets| octets.map(copied))?;
        let from = match (octets, self.ask) {
            (Some((buffer, length)), None) => From::Octets(buffer, length),
            (None, Some(_)) => From::Dialog { ask: self.ask, userdata: self.userdata },
            (None, None) => return Err(refuse(ErrorKind::NullPointer, "pin: give octets or a dialog")),
            (Some(_), Some(_)) => return Err(refuse(ErrorKind::Argument, "pin: give octets or a dialog, not both")),
        };
        Ok(Prompt { from, refused: None })
    }
}

fn copied(octets: &[u8]) -> (Buffer, usize) {
    let mut buffer = Buffer::new(Zeroizing::new([0; PIN_MAX + 1]));
    buffer.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
    (buffer, octets.len().min(PIN_MAX + 1))
}

impl Prompt {
    /// Refuses a PIN that no token would take, before anything else is done.
    pub(crate) fn check(&self, role: shield::Role) -> Result<()> {
        match &self.from {
            From::Octets(buffer, length) => shield::Pin::new(role, &buffer[..*length]).map(drop),
            From::Dialog { .. } => Ok(()),
        }
    }

    /// The error of a call: why the answer was refused, where that is what ended it.
    pub(crate) fn explain<R>(&mut self, result: Result<R>) -> Result<R> {
        result.map_err(|error| match self.refused.take() {
            Some(refused) if error.kind() == ErrorKind::PinDeclined => refused.correlate(error.correlation()),
            _ => error,
        })
    }

    fn typed(&mut self, question: &PinQuestion<'_>, octets: &[u8]) -> Result<PinEntry, Declined> {
        question.pin(octets).map(PinEntry::Typed).map_err(|error| {
            self.refused = Some(error);
            Declined
        })
    }
}

impl PinPrompt for Prompt {
    fn ask(&mut self, question: &PinQuestion<'_>) -> Result<PinEntry, Declined> {
        let mut buffer = Buffer::new(Zeroizing::new([0; PIN_MAX + 1]));
        let mut length = 0;
        let answer = match &self.from {
            From::Octets(octets, given) => {
                buffer.copy_from_slice(&octets[..]);
                length = *given;
                SHIELD_PIN_TYPED
            }
            From::Dialog { ask: Some(ask), userdata } => {
                let text = summary(question);
                border::ask(*ask, *userdata, &asked(question, &text), &mut buffer[..PIN_MAX], &mut length)
            }
            From::Dialog { ask: None, .. } => return Err(Declined),
        };
        match answer {
            SHIELD_PIN_TYPED => self.typed(question, &buffer[..length.min(PIN_MAX + 1)]),
            SHIELD_PIN_ON_DEVICE => Ok(PinEntry::OnDevice),
            _ => Err(Declined),
        }
    }
}

/// The question as C reads it; `summary` outlives it.
fn asked(question: &PinQuestion<'_>, summary: &CString) -> types::PinQuestion {
    let (kind, left) = tries(Some(question.status));
    types::PinQuestion {
        struct_size: size_of::<types::PinQuestion>(),
        role: role_number(Some(question.role)),
        also_opens: question.also_opens.iter().fold(0, |all, role| all | role_number(Some(*role))),
        tries: kind,
        tries_left: left,
        on_device: question.on_device.into(),
        summary: summary.as_ptr(),
        summary_length: summary.as_bytes().len(),
    }
}

fn summary(question: &PinQuestion<'_>) -> CString {
    CString::new(question.summary.text.replace('\0', "\u{fffd}")).unwrap_or_default()
}
