//! One signature: the PIN is asked for, used once and forgotten.

use shield::{Result, Wait, write_whole};

use crate::border::{Options, export};
use crate::prompt::Prompt;
use crate::types::{Pin, Request};
use crate::{Bytes, Device, Receipt, formats, select};

/// A request, and how long it may take.
pub(crate) struct Asked {
    pub(crate) request: shield::Request,
    pub(crate) wait: Wait,
}

impl Options for Request {
    type Given = Asked;

    fn parse(&self) -> Result<Asked> {
        let row = formats::row(self.format)?;
        let role = row.role(select::role(self.role)?)?;
        let selector = crate::border::nested(self.selector, "request.selector")?;
        let selector = select::choose(role, self.credential, selector)?;
        let content = formats::document(&self.document, &self.document_path)?;
        let mut request = row.request(role, content, self.variant)?;
        request = request.of(selector).consent(select::consent(self.consent)?);
        if let Some(text) = self.shown.get("request.shown")? {
            request = request.shown(text);
        }
        if select::outside_validity(self.flags)? {
            request = request.even_outside_validity();
        }
        Ok(Asked { request, wait: select::wait(self.wait_ms) })
    }
}

fn sign(
    device: &shield::Shield,
    asked: Asked,
    prompt: &mut Prompt,
    out: &mut dyn std::io::Write,
) -> Result<shield::Receipt> {
    let result = device.sign(asked.request, prompt, &asked.wait, out);
    prompt.explain(result)
}

export! {
    /// Signs one document. The signature was verified with the certificate before it is handed out.
    fn shield_sign(device: *const Device, request: *const Request, pin: *const Pin)
        -> (signed_bytes: *mut *mut Bytes, receipt: *mut *mut Receipt) error
    {
        let (mut prompt, mut out) = (pin, Vec::new());
        prompt.check(request.request.role())?;
        let receipt = sign(&device, request, &mut prompt, &mut out)?;
        Ok((out, receipt))
    }
}

export! {
    /// Signs one document into a file. The file is there whole, or what was there before is untouched.
    fn shield_sign_file(device: *const Device, request: *const Request, pin: *const Pin; text path, path_length)
        -> (receipt: *mut *mut Receipt) error
    {
        let mut prompt = pin;
        prompt.check(request.request.role())?;
        write_whole(path.as_ref(), |out| sign(&device, request, &mut prompt, out)).map(|receipt| (receipt,))
    }
}
