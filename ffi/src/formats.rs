//! Documents: one row for each format.

use shield::format::Format;
use shield::format::cms::CmsOptions;
use shield::{Content, Error, ErrorKind, Result, Role};

use crate::border::{Octets, Text, refuse};
use crate::types::*;

/// How C names a format, and how a request and a verdict of it are made.
pub(crate) struct Row {
    code: u32,
    /// The format's own role; `None` where the request says it.
    role: Option<Role>,
    make: fn(Role, Content, u32) -> Result<shield::Request>,
    verify: fn() -> &'static dyn Format,
}

/// A document comes with this format or it does not: there is nothing to choose within it.
fn plain(variant: u32) -> Result<()> {
    if variant == 0 { Ok(()) } else { Err(refuse(ErrorKind::Argument, format!("there is no variant {variant}"))) }
}

const ROWS: &[Row] = &[
    #[cfg(feature = "xml")]
    Row {
        code: SHIELD_FORMAT_DECLARATION,
        role: Some(Role::Customs),
        make: |_, content, variant| plain(variant).map(|()| shield::Request::declaration(content)),
        verify: || &shield::format::ceb::CEB,
    },
    Row {
        code: SHIELD_FORMAT_RAW,
        role: None,
        make: |role, content, variant| plain(variant).map(|()| shield::Request::raw(role, content)),
        verify: || &shield::format::raw::RAW,
    },
    Row {
        code: SHIELD_FORMAT_PAYMENT,
        role: Some(Role::Bank),
        make: |role, content, variant| cms_options(variant).map(|o| shield::Request::cms(role, content, o)),
        verify: || &shield::format::cms::CMS,
    },
    #[cfg(feature = "json")]
    Row {
        code: SHIELD_FORMAT_PAYMENT_179,
        role: Some(Role::Customs),
        make: |_, content, variant| variant_179(variant).map(|o| shield::Request::payment179_as(content, o)),
        verify: || &shield::format::payment179::VALUE_OUT,
    },
];

fn cms_options(variant: u32) -> Result<CmsOptions> {
    plain(variant & !(SHIELD_CMS_DETACHED | SHIELD_CMS_WITHOUT_ATTRIBUTES | SHIELD_CMS_PEM))?;
    let has = |bit: u32| variant & bit != 0;
    let options = if has(SHIELD_CMS_DETACHED) { CmsOptions::detached() } else { CmsOptions::attached() };
    let options = if has(SHIELD_CMS_WITHOUT_ATTRIBUTES) { options.without_attributes() } else { options };
    Ok(if has(SHIELD_CMS_PEM) { options.pem() } else { options })
}

#[cfg(feature = "json")]
fn variant_179(variant: u32) -> Result<shield::format::payment179::Output> {
    use shield::format::payment179::Output;
    match variant {
        SHIELD_179_VALUE => Ok(Output::Value),
        SHIELD_179_FORM => Ok(Output::Form),
        SHIELD_179_SIGNATURE => Ok(Output::Signature),
        _ => plain(variant).map(|()| Output::Value),
    }
}

/// The row of a number; a format that is known and not in this build is told apart from one that never was.
pub(crate) fn row(code: u32) -> Result<&'static Row> {
    ROWS.iter().find(|r| r.code == code).ok_or_else(|| match code {
        SHIELD_FORMAT_DECLARATION..=SHIELD_FORMAT_PAYMENT_179 => {
            Error::new(ErrorKind::Unsupported, "choose format").detail(format!("format {code} is not in this build"))
        }
        _ => refuse(ErrorKind::Argument, format!("there is no format {code}")),
    })
}

impl Row {
    pub(crate) fn format(&self) -> &'static dyn Format {
        (self.verify)()
    }

    /// The role that signs: the format's own, or the one that the request says. Both must agree.
    pub(crate) fn role(&self, said: Option<Role>) -> Result<Role> {
        match (self.role, said) {
            (Some(own), Some(said)) if own != said => {
                let detail = format!("the format is for {own}, the request says {said}");
                Err(Error::new(ErrorKind::RoleMismatch, "choose format").role(own).detail(detail))
            }
            (Some(own), _) => Ok(own),
            (None, Some(said)) => Ok(said),
            (None, None) => Err(refuse(ErrorKind::Argument, "request.role is needed for this format")),
        }
    }

    pub(crate) fn request(&self, role: Role, content: Content, variant: u32) -> Result<shield::Request> {
        (self.make)(role, content, variant)
    }
}

/// A document: octets, which are copied, or a file, which is read when it is needed.
pub(crate) fn document(octets: &Octets, path: &Text) -> Result<Content> {
    match (octets.get("document")?, path.get("document_path")?) {
        (Some(octets), None) => Ok(Content::bytes(octets)),
        (None, Some(path)) => Ok(Content::file(path)),
        (None, None) => Err(refuse(ErrorKind::NullPointer, "give document or document_path")),
        (Some(_), Some(_)) => Err(refuse(ErrorKind::Argument, "give document or document_path, not both")),
    }
}
